//! What the sheet remembers without a source, and policies that differ from environment to environment, so that a run
//! can have it either way.

use serde::{Deserialize, Serialize};

/// What becomes of a `statecode` in the body of a create, where it is documented as not valid (sheet 2.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StateOnCreate {
    /// 400.
    Rejected,
    /// As if it were not there.
    Ignored,
    /// The row is made in that state.
    Honoured,
}

/// Behaviours that are not certain of the real thing, and policies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Switches {
    /// `statecode` when an activity is created.
    pub state_on_create: StateOnCreate,
    /// `regardingobjectid_incident@odata.bind` on a phone call is taken without its suffix (sheet 2.6).
    pub short_regarding: bool,
    /// The Customer Service app is installed: a phone call may regard an incident (sheet 2.6).
    pub customer_service: bool,
    /// A party may be an address only, `addressused` without `partyid` (from memory).
    pub unresolved_parties: bool,
    /// Parties may be given in the body of a PATCH that creates (from memory: restricted).
    pub deep_insert_by_patch: bool,
    /// PATCH `statecode` 1 resolves an incident; off, it is refused (from memory).
    pub resolve_by_patch: bool,
    /// HTTP status when a bind points at a row that is not there: 404 or 400 (from memory).
    pub bind_missing_status: u16,
    /// Texts compare without accents, as the database's collation does (from memory).
    pub accent_insensitive: bool,
    /// Error code of a row version that does not match; others quote …881.
    pub etag_code: String,
    /// An upsert that creates and asks for the representation answers 201; off, 200 (from memory).
    pub upsert_created_status: u16,
    /// Largest attachment, in bytes of the file (from memory: 5 MB).
    pub attachment_bytes_max: usize,
    /// File name extensions that are refused (from memory).
    pub attachment_extensions_blocked: Vec<String>,
    /// Access tokens live so long, in seconds.
    pub token_s: i64,
    /// A token whose audience ends in a slash is taken by the environment (from memory).
    pub audience_slash: bool,
    /// Seconds that the clocks of an assertion and of the endpoint may differ.
    pub assertion_skew_s: i64,
    /// A 401 of the environment has no body (from memory).
    pub bare_unauthorized: bool,
    /// Privileges that the application user's role lacks, such as `prvReadContact`.
    pub denied_privileges: Vec<String>,
    /// Dataverse search is switched on.
    pub search_enabled: bool,
    /// A new row is found by search only after so many milliseconds; queries see it at once.
    pub search_lag_ms: u64,
    /// Searches of one user in a second before 429; 0 does not count them.
    pub searches_per_second: u32,
    /// Requests of one user in 300 seconds before 429; 0 does not count them.
    pub requests_per_window: u32,
    /// Requests of one user at the same time before 429; 0 does not count them.
    pub requests_at_once: u32,
    /// Longest address of a GET, in bytes (from memory).
    pub address_bytes_max: usize,
    /// `$skip` is refused (from memory).
    pub skip_refused: bool,
    /// Lines of a batch must end with CRLF (from memory).
    pub batch_crlf: bool,
}

impl Default for Switches {
    fn default() -> Self {
        let blocked = ["htm", "html", "js", "svg", "exe", "bat", "cmd", "com", "vbs", "hta", "ps1", "mht"];
        Self {
            state_on_create: StateOnCreate::Rejected,
            short_regarding: false,
            customer_service: true,
            unresolved_parties: true,
            deep_insert_by_patch: false,
            resolve_by_patch: false,
            bind_missing_status: 404,
            accent_insensitive: true,
            etag_code: super::error::CHANGED.to_owned(),
            upsert_created_status: 201,
            attachment_bytes_max: 5 << 20,
            attachment_extensions_blocked: blocked.map(str::to_owned).to_vec(),
            token_s: 3_599,
            audience_slash: false,
            assertion_skew_s: 300,
            bare_unauthorized: true,
            denied_privileges: Vec::new(),
            search_enabled: true,
            search_lag_ms: 0,
            searches_per_second: 1,
            requests_per_window: 6_000,
            requests_at_once: 52,
            address_bytes_max: 32_768,
            skip_refused: true,
            batch_crlf: true,
        }
    }
}
