//! Whether a connection may be used now: breaker, pause, budget. Pure; time and chance are parameters.

use crate::settings;
use tieline_model::{Millis, Timestamp};

/// Pause after the CRM limited us without saying until when.
const LIMITED_FOR: Millis = Millis::secs(60);
/// Pause after the CRM refused our credentials, before one more try sees whether an administrator has mended it.
const UNAUTHORISED_FOR: Millis = Millis::secs(60);

/// The gate of one connection.
#[derive(Debug, Clone)]
pub(super) struct Gate {
    failures: u32,
    breaker_after: u32,
    breaker_for: Millis,
    closed_until: Option<(Timestamp, String)>,
    /// The breaker has been open; one try is let through at a time until one succeeds.
    half_open: bool,
    tokens: f64,
    burst: f64,
    per_ms: f64,
    for_pops: f64,
    filled_at: Timestamp,
}

/// Who wants to pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A pop or a look-up; goes first when the budget is short (D13).
    Pop,
    /// A log.
    Log,
}

impl Gate {
    pub(super) fn new(settings: &settings::Dispatch, now: Timestamp) -> Self {
        Self {
            failures: 0,
            breaker_after: settings.breaker_after,
            breaker_for: settings.breaker_for.millis(),
            closed_until: None,
            half_open: false,
            tokens: f64::from(settings.budget_burst),
            burst: f64::from(settings.budget_burst),
            per_ms: f64::from(settings.budget_per_second) / 1_000.0,
            for_pops: f64::from(settings.budget_for_pops),
            filled_at: now,
        }
    }

    /// Lets one operation pass, or says for how long none may. `under_way` counts logs being sent.
    pub(super) fn pass(&mut self, now: Timestamp, kind: Kind, under_way: usize) -> Result<(), Millis> {
        if let Some((until, _)) = &self.closed_until {
            if *until > now {
                return Err(until.since(now));
            }
            self.closed_until = None;
        }
        if self.half_open && kind == Kind::Log && under_way > 0 {
            return Err(Millis(250));
        }
        self.tokens = self.left(now);
        self.filled_at = self.filled_at.max(now);
        let floor = match kind {
            Kind::Pop => 1.0,
            Kind::Log => 1.0 + self.for_pops,
        };
        if self.tokens < floor {
            let wait = (floor - self.tokens) / self.per_ms;
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a short positive wait"
            )]
            return Err(Millis(wait.ceil() as u64));
        }
        self.tokens -= 1.0;
        Ok(())
    }

    /// Requests that may be made at once, as things stand.
    pub(super) fn left(&self, now: Timestamp) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "milliseconds between two calls fit a double exactly")]
        let gained = now.since(self.filled_at).0 as f64 * self.per_ms;
        (self.tokens + gained).min(self.burst)
    }

    pub(super) fn succeeded(&mut self) {
        self.failures = 0;
        self.half_open = false;
    }

    /// A passing failure; enough in a row open the breaker.
    pub(super) fn failed(&mut self, now: Timestamp, reason: &str) {
        self.failures = self.failures.saturating_add(1);
        if self.failures >= self.breaker_after {
            self.half_open = true;
            self.closed_until = Some((now + self.breaker_for, reason.to_owned()));
        }
    }

    /// The CRM limits us.
    pub(super) fn limited(&mut self, now: Timestamp, until: Option<Timestamp>, reason: &str) -> Timestamp {
        let until = until.unwrap_or(now + LIMITED_FOR);
        self.closed_until = Some((until, reason.to_owned()));
        until
    }

    /// The CRM refuses our credentials.
    pub(super) fn unauthorised(&mut self, now: Timestamp, reason: &str) -> Timestamp {
        self.half_open = true;
        let until = now + UNAUTHORISED_FOR;
        self.closed_until = Some((until, reason.to_owned()));
        until
    }

    /// Until when nothing passes, and why; `None` while only the budget counts.
    pub(super) fn closed(&self, now: Timestamp) -> Option<(Timestamp, String)> {
        self.closed_until.clone().filter(|(until, _)| *until > now)
    }
}

/// The pause before try number `attempt + 1`: full jitter under a doubling ceiling, never under the minimum's half.
pub(super) fn back_off(settings: &settings::Dispatch, attempt: u32, chance: f64) -> Millis {
    let min = settings.retry_min.millis().0;
    let max = settings.retry_max.millis().0;
    let ceiling = min.saturating_mul(1_u64 << attempt.min(30)).clamp(min, max);
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a pause of at most a day, drawn by chance"
    )]
    let drawn = (ceiling as f64 * chance) as u64;
    Millis(drawn.max(min / 2).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate() -> Gate {
        Gate::new(&settings::Dispatch::default(), Timestamp(0))
    }

    // proves D8
    #[test]
    fn breaker_opens_after_failures_in_a_row_and_lets_one_try_through() {
        let mut gate = gate();
        for _ in 0..5 {
            assert_eq!(gate.pass(Timestamp(0), Kind::Log, 0), Ok(()));
            gate.failed(Timestamp(0), "down");
        }
        assert_eq!(gate.pass(Timestamp(1), Kind::Log, 0), Err(Millis(14_999)));
        assert_eq!(gate.closed(Timestamp(1)), Some((Timestamp(15_000), "down".to_owned())));
        assert_eq!(gate.pass(Timestamp(15_000), Kind::Log, 0), Ok(()));
        assert_eq!(gate.pass(Timestamp(15_000), Kind::Log, 1), Err(Millis(250)));
        gate.succeeded();
        assert_eq!(gate.pass(Timestamp(15_000), Kind::Log, 1), Ok(()));
    }

    // proves D13
    #[test]
    fn logs_leave_the_last_of_the_budget_to_pops() {
        let mut gate = gate();
        let logs = (0..100).filter(|_| gate.pass(Timestamp(0), Kind::Log, 0).is_ok()).count();
        let pops = (0..100).filter(|_| gate.pass(Timestamp(0), Kind::Pop, 0).is_ok()).count();
        assert_eq!((logs, pops), (30, 10));
        assert!(gate.left(Timestamp(0)) < 1.0, "{}", gate.left(Timestamp(0)));
        assert!((gate.left(Timestamp(500)) - 10.0).abs() < 1e-9, "twenty a second come back");
        assert!((gate.left(Timestamp(60_000)) - 40.0).abs() < 1e-9, "and no more than fit");
        assert_eq!(gate.pass(Timestamp(50), Kind::Pop, 0), Ok(()));
    }

    #[test]
    fn pauses_double_up_to_the_ceiling_and_never_vanish() {
        let settings = settings::Dispatch::default();
        assert_eq!(back_off(&settings, 0, 0.0), Millis(500));
        assert_eq!(back_off(&settings, 3, 0.999), Millis(7_992));
        assert!(back_off(&settings, 60, 0.999).0 <= 900_000);
    }
}
