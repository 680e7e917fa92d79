//! Faults on demand: a list in the order given, each for so many requests, and a delay that stays.

use serde::{Deserialize, Serialize};
use std::sync::Mutex;
use std::time::Duration;
use tieline_connector_api::sandbox::Fault;

/// Faults beyond those every stand-in has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "snake_case")]
pub enum Special {
    /// A gateway in front of the CRM answers with a page of HTML.
    HtmlGateway {
        /// HTTP status, 502 to 504.
        status: u16,
    },
    /// The day's allowance is used up.
    DailyLimit,
    /// The duplicate rule finds the person.
    DuplicatesDetected,
    /// Another worker with the same key was faster: its record is there, and ours is refused with DUPLICATE_VALUE.
    UpsertRace,
    /// 401 that no new token heals.
    SessionNotValid,
    /// A query takes too long.
    QueryTimeout,
    /// The token endpoint refuses.
    TokenRefused {
        /// `error`
        error: String,
        /// `error_description`
        description: String,
    },
    /// 404 with no body and no content type, as newer services of Zendesk answer.
    EmptyNotFound,
    /// The account's name is nobody's: 404 with an error that is an object (Zendesk).
    UnknownAccount,
}

/// Which of Dataverse's service protection limits is passed (Dynamics sheet 2.13).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// Requests in five minutes.
    Requests,
    /// Execution time in five minutes.
    ExecutionTime,
    /// Requests at the same time.
    Concurrency,
}

/// Faults that only Dynamics has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "snake_case")]
pub enum Dynamics {
    /// 429 with the code of this limit.
    Throttled {
        /// The limit.
        limit: Limit,
        /// Seconds in `Retry-After`; nothing leaves the header out.
        #[serde(default)]
        retry_after_s: Option<u64>,
    },
    /// Customer code in the environment refuses, in its own words.
    PluginRefused {
        /// The words.
        message: String,
    },
    /// The next error has an empty code, as the documents print it.
    EmptyCode,
    /// The next error's code is written as a signed decimal.
    DecimalCode,
    /// The create is done by another worker with the same id, and ours is refused with 412.
    CreateRace,
    /// A create is refused with 412 although the caller sees no such row.
    CreateRefused,
    /// 401 that no new token heals.
    Unauthorized,
    /// The token endpoint refuses.
    EntraRefused {
        /// HTTP status.
        status: u16,
        /// `error`
        error: String,
        /// The number behind AADSTS.
        code: u32,
    },
}

/// Any fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Any {
    /// One every stand-in has.
    Common(Fault),
    /// One beyond those.
    Special(Special),
    /// One of Dynamics.
    Dynamics(Dynamics),
}

/// A fault and how often it still applies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Armed {
    /// The fault.
    #[serde(flatten)]
    pub fault: Any,
    /// Requests it still applies to.
    #[serde(default = "once")]
    pub times: u32,
}

fn once() -> u32 {
    1
}

/// What a request is, so that a fault finds its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Reads records or searches.
    Read,
    /// A query or search.
    Search,
    /// Writes records.
    Write,
    /// Asks for a token.
    Token,
    /// Anything else (versions, limits, descriptions).
    Other,
}

/// The faults that are armed.
#[derive(Debug, Default)]
pub struct Faults(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    latency: Duration,
    armed: Vec<Armed>,
}

fn applies(fault: &Any, kind: Kind) -> bool {
    match fault {
        Any::Common(Fault::Latency { .. }) => false,
        Any::Common(Fault::SavedThenDropped | Fault::Locked)
        | Any::Special(Special::DuplicatesDetected | Special::UpsertRace) => kind == Kind::Write,
        Any::Special(Special::QueryTimeout) => kind == Kind::Search,
        Any::Special(Special::TokenRefused { .. }) | Any::Dynamics(Dynamics::EntraRefused { .. }) => {
            kind == Kind::Token
        }
        Any::Dynamics(Dynamics::PluginRefused { .. } | Dynamics::CreateRace | Dynamics::CreateRefused) => {
            kind == Kind::Write
        }
        Any::Common(
            Fault::TokenExpired | Fault::Limited { .. } | Fault::ServerError | Fault::Stall { .. },
        )
        | Any::Special(
            Special::HtmlGateway { .. }
            | Special::DailyLimit
            | Special::SessionNotValid
            | Special::EmptyNotFound
            | Special::UnknownAccount,
        )
        | Any::Dynamics(
            Dynamics::Throttled { .. } | Dynamics::EmptyCode | Dynamics::DecimalCode | Dynamics::Unauthorized,
        ) => {
            matches!(kind, Kind::Read | Kind::Search | Kind::Write)
        }
    }
}

impl Faults {
    fn inner(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Arms a fault.
    pub fn inject(&self, fault: Any, times: u32) {
        let mut inner = self.inner();
        if let Any::Common(Fault::Latency { ms }) = fault {
            inner.latency = Duration::from_millis(ms);
        } else if times > 0 {
            inner.armed.push(Armed { fault, times });
        }
    }

    /// Takes all faults back.
    pub fn clear(&self) {
        *self.inner() = Inner::default();
    }

    /// How long every answer waits.
    #[must_use]
    pub fn latency(&self) -> Duration {
        self.inner().latency
    }

    /// What is armed.
    #[must_use]
    pub fn armed(&self) -> Vec<Armed> {
        self.inner().armed.clone()
    }

    /// The first armed fault that applies to such a request, used up once.
    #[must_use]
    pub fn take(&self, kind: Kind) -> Option<Any> {
        let mut inner = self.inner();
        let at = inner.armed.iter().position(|a| applies(&a.fault, kind))?;
        let one = &mut inner.armed[at];
        let fault = one.fault.clone();
        one.times -= 1;
        if one.times == 0 {
            inner.armed.remove(at);
        }
        Some(fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_applies_so_many_times_to_its_kind_of_request_only() {
        let faults = Faults::default();
        faults.inject(Any::Common(Fault::Locked), 2);
        faults.inject(Any::Common(Fault::ServerError), 1);
        assert_eq!(faults.take(Kind::Other), None);
        assert_eq!(faults.take(Kind::Read), Some(Any::Common(Fault::ServerError)));
        assert_eq!(faults.take(Kind::Read), None);
        assert_eq!(faults.take(Kind::Write), Some(Any::Common(Fault::Locked)));
        assert_eq!(faults.take(Kind::Write), Some(Any::Common(Fault::Locked)));
        assert_eq!(faults.take(Kind::Write), None);
    }

    #[test]
    fn faults_read_from_json_in_one_flat_form() {
        let armed: Armed = serde_json::from_str(r#"{"fault":"stall","ms":50,"times":3}"#).unwrap();
        assert_eq!(armed, Armed { fault: Any::Common(Fault::Stall { ms: 50 }), times: 3 });
        let armed: Armed = serde_json::from_str(r#"{"fault":"html_gateway","status":502}"#).unwrap();
        assert_eq!(armed, Armed { fault: Any::Special(Special::HtmlGateway { status: 502 }), times: 1 });
        assert!(serde_json::from_str::<Armed>(r#"{"fault":"nonsense"}"#).is_err());
    }
}
