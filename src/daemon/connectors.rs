//! Which connector a connection's settings ask for.

use crate::settings::{Connection, Settings, Tenant};
use anyhow::{Context, bail};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tieline_connector_api::Connector;
use tieline_connector_api::client::Limits;
use tieline_model::{Clock, ConnectionId};

/// Dataverse works up to two minutes on a write, and giving up earlier would not stop it; how long dispatch waits is
/// `dispatch.operation_within`.
const DATAVERSE_WITHIN: Duration = Duration::from_secs(120);

/// Builds every connector, without asking anything over the network, and throws it away.
///
/// # Errors
/// As [`build`], for the first that will not do.
pub(super) fn check(settings: &Settings, clock: &Arc<dyn Clock>) -> anyhow::Result<()> {
    for tenant in settings.tenants.values() {
        for (id, connection) in &tenant.connections {
            build(id, connection, tenant, clock)?;
        }
    }
    Ok(())
}

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
    let vendor = connection.kind.as_str();
    let key = || format!("connections.{id}.{vendor}");
    let own = own(connection, tenant);
    let (clock, limits) = (clock.clone(), Limits::default());
    Ok(match vendor {
        "salesforce" => {
            let settings = read(own).with_context(key)?;
            Arc::new(tieline_salesforce::Salesforce::new(settings, clock, limits).with_context(key)?)
        }
        "dynamics" => {
            let limits = Limits { request: DATAVERSE_WITHIN, ..limits };
            let settings = read(own).with_context(key)?;
            Arc::new(tieline_dynamics::Dynamics::new(settings, clock, limits).with_context(key)?)
        }
        "zendesk" => {
            let settings = read(own).with_context(key)?;
            Arc::new(tieline_zendesk::Zendesk::new(settings, clock, limits).with_context(key)?)
        }
        other => bail!("connections.{id}.type is \"{other}\"; this build has: salesforce, dynamics, zendesk"),
    })
}

/// The connector's own settings; numbers are read in the tenant's country unless they say another.
fn own(connection: &Connection, tenant: &Tenant) -> Value {
    let mut own = connection.own().cloned().unwrap_or_default();
    if let (Some(country), Some(table)) = (&tenant.default_country, own.as_object_mut()) {
        table.entry("default_country").or_insert_with(|| country.clone().into());
    }
    own
}

fn read<S: DeserializeOwned>(own: Value) -> Result<S, serde_json::Error> {
    serde_json::from_value(own)
}
