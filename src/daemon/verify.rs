//! `tieline verify`: replays the journal from its beginning and compares what comes of it with the state at work.

use super::cli;
use crate::drive::{self, Verified};
use crate::journal::{MasterKey, Sqlite, Store};
use crate::settings::{JournalKind, Settings};
use anyhow::{Context, bail};
use serde_json::{Value, json};
use std::time::Duration;
use tieline_model::TenantId;

/// A replay reads some hundred thousand events a second; a journal of years may take minutes.
const WITHIN: Duration = Duration::from_secs(1_800);

/// Asks the running daemon; where none runs, looks at the file itself.
///
/// # Errors
/// A state differs from its replay, or the journal cannot be read.
pub(super) async fn verify(settings: &Settings, tenant: Option<TenantId>) -> anyhow::Result<()> {
    super::install_crypto();
    let found = if super::health::ask(settings).await.is_ok() {
        let asked = json!({ "tenant": tenant });
        cli::ask_within(settings.http.admin_listen, "verify", &asked, WITHIN).await?
    } else {
        Value::Array(at_rest(settings, tenant).await?)
    };
    let mut differ = 0;
    for one in found.as_array().into_iter().flatten() {
        let word = |key: &str| one[key].as_str().unwrap_or_default().to_owned();
        let (tenant, head, state) = (word("tenant"), &one["head"], word("state"));
        if one["agrees"] == true {
            println!("{tenant}: {head} events, state {state}; a replay comes to the same");
        } else {
            differ += 1;
            println!("{tenant}: {head} events, state {state}, BUT A REPLAY COMES TO {}", word("replayed"));
        }
    }
    if differ > 0 {
        bail!(
            "{differ} contact centre(s) differ from their journal; the journal is the truth, so stop the daemon, keep a \
             copy of its data directory, and report it"
        );
    }
    Ok(())
}

/// One comparison, as the admin listener answers it.
pub(super) fn told(tenant: &TenantId, verified: &Verified) -> Value {
    json!({
        "tenant": tenant,
        "head": verified.head,
        "state": verified.state.to_string(),
        "replayed": verified.replayed.to_string(),
        "agrees": verified.agrees(),
    })
}

async fn at_rest(settings: &Settings, tenant: Option<TenantId>) -> anyhow::Result<Vec<Value>> {
    if settings.journal.kind == JournalKind::Postgres {
        // Opening a contact centre here would take it away from the machine that serves it.
        bail!(
            "no daemon answers here, and other machines may be at work on the database; ask where one runs"
        );
    }
    let path = &settings.journal.path;
    if !path.exists() {
        bail!("there is no journal at {}, and no daemon answers", path.display());
    }
    let store = Sqlite::open(path, MasterKey::load(&settings.journal.key_file)?).await?;
    store.quick_check().await.context("the journal is damaged")?;
    let tenants = tenant.map_or_else(|| settings.tenants.keys().cloned().collect(), |one| vec![one]);
    let mut found = Vec::new();
    for tenant in tenants {
        let snapshot = store.open(&tenant).await?.snapshot;
        let verified = drive::verify_at_rest(&store, &tenant, snapshot).await?;
        found.push(told(&tenant, &verified));
    }
    Ok(found)
}
