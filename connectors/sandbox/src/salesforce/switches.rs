//! What the sheet remembers without a source (marks M and L), so that a run can have it either way.

use serde::{Deserialize, Serialize};

/// Behaviours that are not certain of the real thing, and policies that differ from org to org.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Switches {
    /// `Case.Tieline_Key__c` is unique. Off, two cases may share a key and an upsert answers 300 (sheet 2.4).
    pub key_unique: bool,
    /// A new record is found by SOSL only after so many milliseconds; SOQL sees it at once (sheet 2.1).
    pub search_lag_ms: u64,
    /// SOSL finds a phone number by its last seven digits without punctuation (sheet 2.3 says it may not).
    pub phone_suffix_found: bool,
    /// The org has an active assignment rule for cases and leads (sheet 2.4).
    pub assignment_rules: bool,
    /// HTTP status of ENTITY_IS_DELETED.
    pub deleted_status: u16,
    /// The payload of DUPLICATES_DETECTED is spelt `duplicateResut` (seen v48–v51) rather than `duplicateResult`.
    pub duplicate_resut: bool,
    /// Creating a task without a status is an error; off, it gets "Not Started".
    pub task_status_required: bool,
    /// The accounts of this org may be people (`IsPersonAccount`, `PersonEmail`, `PersonMobilePhone`).
    pub person_accounts: bool,
    /// An assertion may not run further ahead than so many seconds. Not enforced by default (sheet 1.2).
    pub jwt_exp_ceiling_s: Option<i64>,
    /// How long after its `exp` an assertion is still taken, in seconds.
    pub jwt_skew_s: i64,
    /// Repeated JWT grants of one user give the same token while it lives (sheet section 8: unsettled).
    pub jwt_same_token: bool,
    /// The answer to a JWT grant has `issued_at` and `signature`.
    pub jwt_issued_at: bool,
    /// `error_description` of OAuth errors is left out.
    pub oauth_no_description: bool,
    /// Logins of one user in an hour before `rate_limit_exceeded`.
    pub logins_per_hour: u32,
    /// A token that is not used dies after so many seconds; every use renews it.
    pub session_s: u64,
    /// The org's calls in 24 hours, for `Sforce-Limit-Info` and `/limits`.
    pub daily_requests: u64,
    /// Going over `daily_requests` is refused with 403.
    pub daily_enforced: bool,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            key_unique: true,
            search_lag_ms: 0,
            phone_suffix_found: false,
            assignment_rules: true,
            deleted_status: 400,
            duplicate_resut: true,
            task_status_required: true,
            person_accounts: false,
            jwt_exp_ceiling_s: None,
            jwt_skew_s: 180,
            jwt_same_token: false,
            jwt_issued_at: false,
            oauth_no_description: false,
            logins_per_hour: 3_600,
            session_s: 7_200,
            daily_requests: 15_000,
            daily_enforced: false,
        }
    }
}
