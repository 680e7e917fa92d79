//! The daemon's clock: the wall's time at the start, moved on by the monotonic clock, so that a corrected wall clock
//! neither freezes nor fires timers.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use tieline_model::{Clock, Timestamp};

/// The one clock of the process.
#[derive(Debug)]
pub struct SystemClock {
    started_ms: i64,
    started: Instant,
    /// Added to the time: what a journal was ahead of the wall when the process began.
    ahead_ms: AtomicI64,
}

impl SystemClock {
    /// Reads the wall clock, once.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place where the wall clock is read")]
    pub fn start() -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let started_ms = i64::try_from(wall.as_millis()).unwrap_or(i64::MAX);
        Self { started_ms, started: Instant::now(), ahead_ms: AtomicI64::new(0) }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let passed = i64::try_from(self.started.elapsed().as_millis()).unwrap_or(i64::MAX);
        Timestamp(self.started_ms + passed + self.ahead_ms.load(Ordering::SeqCst))
    }

    fn not_before(&self, at: Timestamp) {
        let gap = at.since(self.now()).0;
        self.ahead_ms.fetch_add(i64::try_from(gap).unwrap_or(i64::MAX), Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_ahead_of_the_wall_takes_the_clock_along() {
        let clock = SystemClock::start();
        let seen = clock.now() + tieline_model::Millis::secs(86_400);
        clock.not_before(seen);
        assert!(clock.now() >= seen);
        assert!(clock.now().since(seen) < tieline_model::Millis::secs(60));
        clock.not_before(Timestamp(0));
        assert!(clock.now() >= seen);
    }

    #[test]
    fn time_starts_at_the_wall_and_never_goes_back() {
        let clock = SystemClock::start();
        let before = clock.now();
        assert!(before.0 > 1_700_000_000_000, "the wall clock reads {}", before.0);
        assert!(clock.now() >= before);
    }
}
