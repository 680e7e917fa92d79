//! How the conformance kit drives a stand-in of a CRM, without knowing which.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

/// A fault to inject. Each applies to the next `times` requests that touch records or searches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "snake_case")]
pub enum Fault {
    /// Every answer waits this long; stays until cleared (`times` is ignored).
    Latency {
        /// Milliseconds.
        ms: u64,
    },
    /// The token is dead: 401 as the CRM writes it.
    TokenExpired,
    /// The CRM limits us, as it says so (429, or 403 where that is its way).
    Limited {
        /// Seconds to wait, in the CRM's header, where it sends one.
        retry_after_s: Option<u64>,
    },
    /// 500 or 503 as the CRM writes it; nothing was done.
    ServerError,
    /// The write is done and the connection is dropped before the answer.
    SavedThenDropped,
    /// The record is locked by somebody else.
    Locked,
    /// The request hangs for this long and is then dropped, nothing done.
    Stall {
        /// Milliseconds.
        ms: u64,
    },
}

/// What a stand-in says it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogRecord {
    /// Its id.
    pub id: String,
    /// The key Tieline wrote it under.
    pub key: String,
    /// Its fields, as JSON text, in the CRM's own names.
    pub fields: serde_json::Value,
    /// Files or comments attached: name and text.
    pub attachments: Vec<(String, String)>,
}

/// One request that was served.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exchange {
    /// Counts from 1.
    pub n: u64,
    /// Method.
    pub method: String,
    /// Path without query.
    pub path: String,
    /// HTTP status; nothing when the connection was cut instead.
    pub status: Option<u16>,
}

/// A stand-in of a CRM, as the kit sees it.
#[async_trait]
pub trait Sandbox: Send + Sync {
    /// Injects a fault for the next `times` matching requests.
    async fn inject(&self, fault: Fault, times: u32);
    /// Takes all faults back.
    async fn clear_faults(&self);
    /// All records that logs made or changed.
    async fn log_records(&self) -> Vec<LogRecord>;
    /// A person edits a field of a log's record in the CRM's own pages.
    async fn edit(&self, id: &str, field: &str, value: serde_json::Value);
    /// Adds a contact and gives its id.
    async fn add_contact(&self, name: &str, email: Option<&str>, phone: Option<&str>) -> String;
    /// Requests served so far, all kinds.
    async fn requests(&self) -> u64;
    /// The requests after the first `since`, oldest first, as far as they are remembered (some hundreds).
    async fn exchanges(&self, since: u64) -> Vec<Exchange>;
}
