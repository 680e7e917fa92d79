//! Section `dispatch`.

use super::{Connection, Problems, Span};
use schemars::JsonSchema;
use serde::Deserialize;

/// How patient the daemon is with CRMs. The same for every connection, counted for each by itself (D8).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Dispatch {
    /// An operation of a connector is given up after this. Default "30s".
    pub operation_within: Span,
    /// A look-up for a pop is given up after this; a pop that comes later helps nobody. Default "3s".
    pub lookup_within: Span,
    /// Longest pause before the first retry; it doubles with every failure, with full jitter. Default "1s".
    pub retry_min: Span,
    /// Longest pause before any retry. Default "15m".
    pub retry_max: Span,
    /// A log goes to the dead letters after being tried this long; the clock stands still while the connection is
    /// down. Default "72h".
    pub retry_for: Span,
    /// How many logs of one connection are sent at once. Default 4.
    pub concurrency: u32,
    /// How many look-ups of one connection are made at once. Default 8.
    pub lookup_concurrency: u32,
    /// So many failures in a row open the breaker: the connection counts as down. Default 5.
    pub breaker_after: u32,
    /// How long an open breaker waits before it lets one try through. Default "15s".
    pub breaker_for: Span,
    /// Requests a second to one CRM, over time. A connection may have a budget of its own. Default 20.
    pub budget_per_second: u32,
    /// Requests to one CRM at once, before the rate counts. Default 40.
    pub budget_burst: u32,
    /// Of the burst, so many are kept for pops and look-ups (D13). Default 10.
    pub budget_for_pops: u32,
}

impl Default for Dispatch {
    fn default() -> Self {
        Self {
            operation_within: Span::secs(30),
            lookup_within: Span::secs(3),
            retry_min: Span::secs(1),
            retry_max: Span::mins(15),
            retry_for: Span::hours(72),
            concurrency: 4,
            lookup_concurrency: 8,
            breaker_after: 5,
            breaker_for: Span::secs(15),
            budget_per_second: 20,
            budget_burst: 40,
            budget_for_pops: 10,
        }
    }
}

impl Dispatch {
    pub(super) fn validate(&self, problems: &mut Problems) {
        problems.span("dispatch.operation_within", self.operation_within, Span::ms(100)..=Span::mins(10));
        problems.span("dispatch.lookup_within", self.lookup_within, Span::ms(50)..=self.operation_within);
        problems.span("dispatch.retry_min", self.retry_min, Span::ms(10)..=Span::mins(10));
        problems.span("dispatch.retry_max", self.retry_max, self.retry_min..=Span::hours(24));
        problems.span("dispatch.retry_for", self.retry_for, Span::secs(1)..=Span::hours(24 * 30));
        problems.count("dispatch.concurrency", self.concurrency.into(), 1..=256);
        problems.count("dispatch.lookup_concurrency", self.lookup_concurrency.into(), 1..=256);
        problems.count("dispatch.breaker_after", self.breaker_after.into(), 1..=1_000);
        problems.span("dispatch.breaker_for", self.breaker_for, Span::ms(10)..=Span::mins(15));
        self.validate_budget("dispatch", problems);
    }

    /// The patience with one connection: the same as with all, and its own budget where it has one.
    #[must_use]
    pub fn with(&self, connection: &Connection) -> Self {
        Self {
            budget_per_second: connection.budget_per_second.unwrap_or(self.budget_per_second),
            budget_burst: connection.budget_burst.unwrap_or(self.budget_burst),
            budget_for_pops: connection.budget_for_pops.unwrap_or(self.budget_for_pops),
            ..self.clone()
        }
    }

    pub(super) fn validate_budget(&self, at: &str, problems: &mut Problems) {
        let per_second = self.budget_per_second.into();
        problems.count(format!("{at}.budget_per_second"), per_second, 1..=10_000);
        problems.count(format!("{at}.budget_burst"), self.budget_burst.into(), 1..=10_000);
        let burst = u64::from(self.budget_burst.max(1));
        problems.count(format!("{at}.budget_for_pops"), self.budget_for_pops.into(), 0..=burst - 1);
    }
}
