//! The trait.

use crate::ledger::Ledger;
use crate::outcome::Outcome;
use async_trait::async_trait;
use tieline_model::content::Person;
use tieline_model::crm::{Log, Match, Matches, PopTarget, Query, Record};

/// What a connector is and can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// The CRM, as settings name it (`salesforce`).
    pub vendor: &'static str,
    /// The CRM, as people name it (`Salesforce`).
    pub name: &'static str,
    /// Scheme, host and port the connector talks to, for messages.
    pub address: String,
    /// The CRM can open a page from the server ([`Connector::push_pop`]).
    pub push_pop: bool,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// As it should be.
    Good,
    /// It works, but something will be missing.
    Warning,
    /// It will not work.
    Error,
}

/// One thing that [`Connector::check`] looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad.
    pub severity: Severity,
    /// What was looked at ("field Case.Tieline_Key__c").
    pub what: String,
    /// What was found and, if it is not good, the way out. One sentence.
    pub says: String,
}

/// What a new contact is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewContact {
    /// Made once by Tieline and repeated on every try.
    pub key: String,
    /// The person.
    pub person: Person,
}

/// The CRM's record of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saved {
    /// The record.
    pub record: Record,
    /// What people call it ("Case 00001027").
    pub label: String,
    /// Its address in the CRM's own pages.
    pub url: Option<String>,
}

/// One past interaction or case of a contact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryEntry {
    /// The record.
    pub record: Record,
    /// What people call it.
    pub title: String,
    /// Status or outcome, in the CRM's words.
    pub status: Option<String>,
    /// When it was opened, milliseconds since the epoch.
    pub at: tieline_model::Timestamp,
}

/// One configured account of one CRM.
#[async_trait]
pub trait Connector: Send + Sync {
    /// What this is.
    fn describe(&self) -> Description;

    /// Looks at credentials, rights and fields, with network. Says everything it finds rather than stopping at the
    /// first; an error only when the CRM cannot be asked at all.
    async fn check(&self) -> Outcome<Vec<Finding>>;

    /// Looks records up (D1): contacts, and the case the customer named. Reads only. Best match first.
    async fn find(&self, query: &Query) -> Outcome<Matches>;

    /// Makes a contact; the same key again gives the same contact.
    async fn create_contact(&self, contact: &NewContact) -> Outcome<Match>;

    /// Makes or updates the one record of this log (D6). Safe to repeat after any failure or crash: it reads what
    /// the ledger says is unsure before it writes, and undoes nothing a person changed in the CRM meanwhile.
    async fn upsert_log(&self, log: &Log, ledger: &mut dyn Ledger) -> Outcome<Saved>;

    /// Latest cases and interactions of a contact, newest first, at most `limit`.
    async fn history(&self, contact: &Record, limit: u32) -> Outcome<Vec<HistoryEntry>>;

    /// What to open for a record. Pure: no network.
    fn pop(&self, record: &Record) -> PopTarget;

    /// What to open when nobody matched: a form for a new contact, prefilled. Pure: no network.
    fn pop_new(&self, person: &Person) -> PopTarget;

    /// Opens a record at the agent from the server, where the CRM can.
    async fn push_pop(&self, _crm_user: &str, _target: &PopTarget) -> Outcome<()> {
        Err(crate::Failure::reject(None, "this CRM cannot pop from the server"))
    }

    /// Removes what Tieline wrote for this key, as far as the CRM lets it.
    async fn erase(&self, key: &str) -> Outcome<()>;
}
