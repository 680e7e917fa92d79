//! `tieline doctor`: asks each CRM, and says in words what is missing.

use super::{clock::SystemClock, connectors, install_crypto};
use crate::settings::Settings;
use anyhow::bail;
use std::sync::Arc;
use tieline_connector_api::Severity;
use tieline_model::Clock;

/// Prints what each connection's check finds.
///
/// # Errors
/// At least one connection cannot work.
pub(super) async fn doctor(settings: &Settings) -> anyhow::Result<()> {
    install_crypto();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let mut broken = 0;
    for (tenant_id, tenant) in &settings.tenants {
        for (id, connection) in &tenant.connections {
            let connector = connectors::build(id, connection, tenant, &clock)?;
            let about = connector.describe();
            println!("{tenant_id}/{id}: {} at {}", about.name, about.address);
            match connector.check().await {
                Ok(findings) => {
                    for finding in &findings {
                        println!("  {:7} {}: {}", word(finding.severity), finding.what, finding.says);
                    }
                    broken += findings.iter().filter(|f| f.severity == Severity::Error).count();
                }
                Err(failure) => {
                    println!("  {:7} {failure}", word(Severity::Error));
                    broken += 1;
                }
            }
        }
    }
    if broken > 0 {
        bail!("{broken} thing(s) stand in the way; each is named above with its way out");
    }
    Ok(())
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Good => "good",
        Severity::Warning => "warning",
        Severity::Error => "ERROR",
    }
}
