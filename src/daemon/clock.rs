//! The daemon's clock: the wall's time at the start, moved on by the monotonic clock, so that a corrected wall clock
//! neither freezes nor fires timers.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tieline_model::{Clock, Timestamp};

/// The one clock of the process.
#[derive(Debug)]
pub struct SystemClock {
    started_ms: i64,
    started: Instant,
    /// Added to the time: what a journal was ahead of the wall when the process began.
    ahead_ms: AtomicI64,
}

/// How far the wall clock may be from this one before somebody should look.
const OFF_MS: i64 = 5_000;
const LOOK_EVERY: Duration = Duration::from_secs(1);

impl SystemClock {
    /// Starts at the wall clock.
    #[must_use]
    pub fn start() -> Self {
        Self { started_ms: wall_ms(), started: Instant::now(), ahead_ms: AtomicI64::new(0) }
    }

    /// How far the wall clock is ahead of this one, in milliseconds: somebody set it, or the machine slept.
    #[must_use]
    pub fn off_ms(&self) -> i64 {
        wall_ms() - self.started_ms - self.passed_ms()
    }

    /// Says in the log when the wall clock has gone another way, and when it is back; for as long as it is polled.
    pub(super) async fn watch(&self) {
        let mut told: Option<i64> = None;
        loop {
            let off_ms = self.off_ms();
            if off_ms.abs() <= OFF_MS {
                if told.take().is_some() {
                    tracing::info!(off_ms, "the machine's clock agrees again");
                }
            } else if told.is_none_or(|told| (told - off_ms).abs() > OFF_MS) {
                told = Some(off_ms);
                tracing::warn!(
                    off_ms,
                    "the machine's clock was set, or it slept; timers keep their time, and opening hours and tokens for \
                     CRMs follow the old one until a restart"
                );
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// The same in words, where it is worth any.
    pub(super) fn trouble(&self) -> Option<String> {
        let off_ms = self.off_ms();
        let words =
            || format!("the machine's clock is {} s from the daemon's; restart it to follow", off_ms / 1_000);
        (off_ms.abs() > OFF_MS).then(words)
    }

    fn passed_ms(&self) -> i64 {
        i64::try_from(self.started.elapsed().as_millis()).unwrap_or(i64::MAX)
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place where the wall clock is read")]
fn wall_ms() -> i64 {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(wall.as_millis()).unwrap_or(i64::MAX)
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.started_ms + self.passed_ms() + self.ahead_ms.load(Ordering::SeqCst))
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
