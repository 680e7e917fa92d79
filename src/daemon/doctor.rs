//! `tieline doctor`: looks at this machine, the broker and each CRM, and says in words what is missing.

use super::{clock::SystemClock, connectors, exit, health, install_crypto, machine};
use crate::bus;
use crate::http;
use crate::journal::{MasterKey, Postgres, PostgresOptions, Sqlite};
use crate::settings::{JournalKind, Settings};
use anyhow::{Context, bail};
use std::sync::Arc;
use tieline_connector_api::{Connector, Finding, Severity};
use tieline_model::Clock;

/// Prints what is found: this machine first, then the broker, then each connection.
///
/// # Errors
/// At least one thing cannot work.
pub(super) async fn doctor(settings: &Settings) -> anyhow::Result<()> {
    install_crypto();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let running = health::ask(settings).await.is_ok();
    let mut here = machine::findings(settings, running);
    here.extend(journal(settings, running).await);
    here.extend(scanner(settings).await);
    let mut broken = tell("this machine", &here);
    if let Some(broker) = bus::check(&settings.bus, &connections(settings)).await {
        broken += tell("the broker", &[broker]);
    }
    for (tenant_id, tenant) in &settings.tenants {
        for (id, connection) in &tenant.connections {
            let connector = connectors::build(id, connection, tenant, &clock).context(exit::WrongSettings)?;
            let about = connector.describe();
            let mut findings = check(connector.as_ref()).await;
            // Some vendors' checks compare the clocks themselves.
            if findings.iter().all(|finding| finding.what != "clock") {
                findings.extend(machine::clock(&about.address, clock.as_ref()).await);
            }
            broken += tell(&format!("{tenant_id}/{id}: {} at {}", about.name, about.address), &findings);
        }
    }
    if broken > 0 {
        bail!("{broken} thing(s) stand in the way; each is named above with its way out");
    }
    Ok(())
}

/// Looks at the database, or through a file that nobody has open.
async fn journal(settings: &Settings, running: bool) -> Vec<Finding> {
    match settings.journal.kind {
        JournalKind::Sqlite => file(settings, running).await.into_iter().collect(),
        JournalKind::Postgres => database(&super::database(settings)).await,
    }
}

async fn file(settings: &Settings, running: bool) -> Option<Finding> {
    let (path, key) = (&settings.journal.path, &settings.journal.key_file);
    // A missing key is not made here: it is a finding already.
    if running || !path.exists() || !key.exists() {
        return None;
    }
    let looked = async { Sqlite::open(path, MasterKey::load_or_create(key)?).await?.quick_check().await };
    let what = "journal.path".to_owned();
    Some(match looked.await {
        Ok(()) => Finding { severity: Severity::Good, what, says: "the journal is whole".to_owned() },
        Err(error) => {
            let says = format!("the journal cannot be used: {error}");
            Finding { severity: Severity::Error, what, says }
        }
    })
}

async fn database(options: &PostgresOptions) -> Vec<Finding> {
    let finding = |severity, says| Finding { severity, what: "journal.url".to_owned(), says };
    let health = match Postgres::look(options).await {
        Ok(health) => health,
        Err(error) => {
            let says = format!("the journal's database cannot be used: {error}");
            return vec![finding(Severity::Error, says)];
        }
    };
    let tables =
        if health.tables_due { "its tables are made at the next start" } else { "its tables are there" };
    let says = format!("PostgreSQL {} takes writes, and {tables}", health.version);
    let doubts = health.doubts.into_iter().map(|doubt| finding(Severity::Warning, doubt));
    std::iter::once(finding(Severity::Good, says)).chain(doubts).collect()
}

/// Has clamd scan a few bytes, as it will files (B18).
async fn scanner(settings: &Settings) -> Option<Finding> {
    let (severity, says) = match http::scanner_works(&settings.scan).await {
        Ok(scanned) => (Severity::Good, scanned.map(|()| "clamd scans".to_owned())?),
        Err(why) if settings.scan.required => {
            (Severity::Error, format!("{why}; files are refused meanwhile"))
        }
        Err(why) => (Severity::Warning, format!("{why}; files are taken unscanned")),
    };
    Some(Finding { severity, what: "scan.clamd".to_owned(), says })
}

fn connections(settings: &Settings) -> bus::Connections {
    bus::Connections {
        tenants: settings.tenants.keys().cloned().collect(),
        connections: super::connections(settings),
    }
}

async fn check(connector: &dyn Connector) -> Vec<Finding> {
    connector.check().await.unwrap_or_else(|failure| {
        let what = "connection".to_owned();
        vec![Finding { severity: Severity::Error, what, says: failure.to_string() }]
    })
}

/// Prints a heading and findings; how many are errors.
fn tell(heading: &str, findings: &[Finding]) -> usize {
    println!("{heading}");
    for finding in findings {
        println!("  {:7} {}: {}", word(finding.severity), finding.what, finding.says);
    }
    findings.iter().filter(|finding| finding.severity == Severity::Error).count()
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Good => "good",
        Severity::Warning => "warning",
        Severity::Error => "ERROR",
    }
}
