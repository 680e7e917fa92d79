//! What is remembered between two tries of one log. It is kept in the journal's delivery table; a connector sees it
//! through [`Ledger`] and saves it *before* each call whose answer could be lost.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use tieline_model::crm::Record;

/// How far one log has come in one CRM.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Progress {
    /// The CRM's record, once known.
    pub record: Option<Record>,
    /// What people call that record.
    pub label: Option<String>,
    /// Steps that are done (`file:…`), in the connector's own words.
    pub done: BTreeSet<String>,
    /// The step whose call was sent and whose answer is not known yet. After a lost answer or a crash the connector
    /// reads before it writes.
    pub pending: Option<Pending>,
    /// A digest of the value last sent, per field, so that a person's edit in the CRM is recognised and kept.
    pub sent: BTreeMap<String, String>,
}

/// A call that was sent and whose answer is not known yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// Which step.
    pub step: String,
    /// Its body, to be repeated byte for byte where the CRM's idempotency asks for that.
    pub body: String,
}

/// The ledger could not be saved: the operation must stop before the call.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the delivery ledger could not be saved: {0}")]
pub struct LedgerError(pub String);

impl From<LedgerError> for crate::Failure {
    fn from(e: LedgerError) -> Self {
        Self::retry(e)
    }
}

/// One row of the delivery table, as a connector may see it.
#[async_trait]
pub trait Ledger: Send {
    /// What is remembered.
    fn progress(&self) -> &Progress;
    /// Remembers this instead; durable when it returns.
    async fn save(&mut self, progress: Progress) -> Result<(), LedgerError>;
}

/// A ledger in memory, for tests of connectors.
#[derive(Debug, Clone, Default)]
pub struct MemoryLedger(pub Progress);

#[async_trait]
impl Ledger for MemoryLedger {
    fn progress(&self) -> &Progress {
        &self.0
    }
    async fn save(&mut self, progress: Progress) -> Result<(), LedgerError> {
        self.0 = progress;
        Ok(())
    }
}
