//! What a connector is.
//!
//! A connector speaks for one configured account of one CRM. It never waits, retries, or touches bus or journal: it
//! does one thing when asked and says how it went. `dispatch` owns queues, retries, budgets and breakers. The
//! conformance kit in [`kit`] says what every connector must do, whatever CRM it speaks for.

pub mod account;
pub mod client;
pub mod connector;
pub mod kit;
pub mod ledger;
pub mod outcome;
pub mod phone;
pub mod sandbox;
pub mod secret;
pub mod steps;
pub mod template;
pub mod text;

pub use connector::{Connector, Description, Finding, Severity};
pub use ledger::{Ledger, LedgerError, Progress};
pub use outcome::{Failure, Known, Outcome};
pub use secret::Secret;
