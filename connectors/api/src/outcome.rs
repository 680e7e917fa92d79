//! How an operation of a connector ends: done, or one of four failures. Nothing else leaves a connector.

use std::fmt;
use tieline_model::{Millis, Timestamp};

/// Whether the CRM may have carried out what failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// It surely did not.
    NotDone,
    /// It may have: the answer was lost. Repeat only by an idempotent path.
    Unknown,
}

/// Why an operation did not succeed, and who must act when. Reasons are for people: never a secret, never content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Passing trouble: try again.
    #[error("{reason}")]
    Retry {
        /// Not before this long, where the CRM says so; else by the usual back-off.
        after: Option<Millis>,
        /// Whether it may have been done.
        known: Known,
        /// What happened.
        reason: String,
    },
    /// The CRM limits us: the whole connection waits.
    #[error("{reason}")]
    Throttled {
        /// Until then, where the CRM says so.
        until: Option<Timestamp>,
        /// What happened.
        reason: String,
    },
    /// It can never succeed as it is: dead letters, for a person to repair (D9).
    #[error("{reason}")]
    Reject {
        /// The CRM's own error code, where it gave one.
        code: Option<String>,
        /// What happened.
        reason: String,
    },
    /// The CRM does not take our credentials: an administrator must act; the retry clock stands still (D8).
    #[error("{reason}")]
    Reauthorise {
        /// What happened and what to do.
        reason: String,
    },
}

impl Failure {
    /// A failure that was surely not carried out and may be repeated by the usual back-off.
    #[must_use]
    pub fn retry(reason: impl fmt::Display) -> Self {
        Self::Retry { after: None, known: Known::NotDone, reason: reason.to_string() }
    }
    /// A failure whose outcome is unknown.
    #[must_use]
    pub fn unknown(reason: impl fmt::Display) -> Self {
        Self::Retry { after: None, known: Known::Unknown, reason: reason.to_string() }
    }
    /// A failure that can never succeed.
    #[must_use]
    pub fn reject(code: Option<&str>, reason: impl fmt::Display) -> Self {
        Self::Reject { code: code.map(str::to_owned), reason: reason.to_string() }
    }
}

/// What an operation gives.
pub type Outcome<T> = Result<T, Failure>;
