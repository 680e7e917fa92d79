//! Which connector a connection's settings ask for.

use crate::settings::{Connection, Tenant};
use anyhow::{Context, bail};
use std::sync::Arc;
use std::time::Duration;
use tieline_connector_api::Connector;
use tieline_connector_api::client::Limits;
use tieline_model::{Clock, ConnectionId};

/// Builds the connector of one connection.
///
/// # Errors
/// Settings the connector does not take, naming the key; or no CA certificates on the machine.
pub(super) fn build(
    id: &ConnectionId,
    connection: &Connection,
    tenant: &Tenant,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<Arc<dyn Connector>> {
    let own = connection.own().cloned().unwrap_or_default();
    match connection.kind.as_str() {
        "salesforce" => {
            let mut settings: tieline_salesforce::Settings =
                serde_json::from_value(own).with_context(|| format!("connections.{id}.salesforce"))?;
            if settings.default_country.is_none() {
                settings.default_country.clone_from(&tenant.default_country);
            }
            let connector = tieline_salesforce::Salesforce::new(settings, clock.clone(), Limits::default())
                .with_context(|| format!("connections.{id}.salesforce"))?;
            Ok(Arc::new(connector))
        }
        "zendesk" => {
            let mut settings: tieline_zendesk::Settings =
                serde_json::from_value(own).with_context(|| format!("connections.{id}.zendesk"))?;
            if settings.default_country.is_none() {
                settings.default_country.clone_from(&tenant.default_country);
            }
            let connector = tieline_zendesk::Zendesk::new(settings, clock.clone(), Limits::default())
                .with_context(|| format!("connections.{id}.zendesk"))?;
            Ok(Arc::new(connector))
        }
        "dynamics" => {
            let mut settings: tieline_dynamics::Settings =
                serde_json::from_value(own).with_context(|| format!("connections.{id}.dynamics"))?;
            if settings.default_country.is_none() {
                settings.default_country.clone_from(&tenant.default_country);
            }
            // Dataverse works up to two minutes on a write, and giving up earlier would not stop it; how long dispatch
            // waits is `dispatch.operation_within`.
            let limits = Limits { request: Duration::from_secs(120), ..Limits::default() };
            let connector = tieline_dynamics::Dynamics::new(settings, clock.clone(), limits)
                .with_context(|| format!("connections.{id}.dynamics"))?;
            Ok(Arc::new(connector))
        }
        other => bail!("connections.{id}.type is \"{other}\"; this build has: salesforce, dynamics, zendesk"),
    }
}
