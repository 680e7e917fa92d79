//! Rate limits: one window of moments for each bucket and what it is counted by (sheet 2.6).

use super::account::now;
use super::answer::{Answer, ApiError};
use super::switches::Switches;
use std::collections::HashMap;
use time::{Duration, OffsetDateTime};

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Bucket {
    /// All requests of the account.
    Account,
    /// New tickets of a user.
    TicketCreate,
    /// Updates of tickets in the account.
    TicketUpdates,
    /// Updates of one ticket by one user.
    TicketUpdate(u64),
    /// Upserts and updates of users in the account.
    UserWrites,
    /// Upserts and updates of one user.
    UserWrite,
}

/// How many in how many seconds.
struct Rule {
    max: usize,
    seconds: i64,
    name: &'static str,
    enforced: bool,
}

/// The windows.
#[derive(Debug, Default)]
pub(crate) struct Limits(HashMap<(Bucket, u64), Vec<OffsetDateTime>>);

impl Limits {
    /// Counts one, or refuses it with the seconds to wait. What is left goes into the answer's headers.
    pub(crate) fn take(
        &mut self,
        bucket: Bucket,
        of: u64,
        switches: &Switches,
    ) -> Result<Vec<(&'static str, String)>, ApiError> {
        let rule = rule(bucket, switches);
        let at = now();
        let window = self.0.entry((bucket, of)).or_default();
        window.retain(|t| at - *t < Duration::seconds(rule.seconds));
        let oldest = window.first().copied().unwrap_or(at);
        let reset = (Duration::seconds(rule.seconds) - (at - oldest)).whole_seconds().max(0) + 1;
        let reset = u64::try_from(reset).unwrap_or(1);
        if window.len() >= rule.max && rule.enforced {
            let headers = headers(bucket, &rule, 0, reset);
            let mut refused = *ApiError::limited(Some(reset)).0;
            refused.headers.extend(headers);
            return Err(ApiError(Box::new(refused)));
        }
        window.push(at);
        let left = rule.max.saturating_sub(window.len());
        Ok(headers(bucket, &rule, left, reset))
    }
}

fn rule(bucket: Bucket, s: &Switches) -> Rule {
    match bucket {
        Bucket::Account => Rule {
            max: usize::try_from(s.account_per_minute).unwrap_or(usize::MAX),
            seconds: 60,
            name: "",
            enforced: s.account_enforced,
        },
        Bucket::TicketCreate => Rule {
            max: 300,
            seconds: 60,
            name: "zendesk-ratelimit-tickets-create",
            enforced: s.account_enforced,
        },
        Bucket::TicketUpdates => Rule {
            max: 100,
            seconds: 60,
            name: "zendesk-ratelimit-tickets-account-update",
            enforced: s.account_enforced,
        },
        Bucket::TicketUpdate(_) => Rule {
            max: 30,
            seconds: 600,
            name: "zendesk-ratelimit-tickets-update",
            enforced: s.ticket_update_limit,
        },
        Bucket::UserWrites => Rule {
            max: 1,
            seconds: 1,
            name: "zendesk-ratelimit-users-create-or-update",
            enforced: s.user_upsert_limits,
        },
        Bucket::UserWrite => Rule {
            max: 5,
            seconds: 60,
            name: "zendesk-ratelimit-users-update",
            enforced: s.user_upsert_limits,
        },
    }
}

/// The account's family in both spellings seen, or the bucket's own header.
fn headers(bucket: Bucket, rule: &Rule, left: usize, reset: u64) -> Vec<(&'static str, String)> {
    if bucket == Bucket::Account {
        return vec![
            ("x-rate-limit", rule.max.to_string()),
            ("x-rate-limit-remaining", left.to_string()),
            ("ratelimit-limit", rule.max.to_string()),
            ("ratelimit-remaining", left.to_string()),
            ("ratelimit-reset", reset.to_string()),
        ];
    }
    vec![(rule.name, format!("total={}; remaining={left}; resets={reset}", rule.max))]
}

/// Adds headers to an answer.
pub(crate) fn add(answer: &mut Answer, headers: Vec<(&'static str, String)>) {
    answer.headers.extend(headers);
}
