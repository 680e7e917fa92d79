//! What the service manager is told: that the daemon is ready, how it does, that it stops, and that it lives. Without
//! one (`NOTIFY_SOCKET`, `WATCHDOG_USEC`) nothing here does anything.

use crate::bus::Meter;
use crate::drive::Handle;
use crate::http::Readiness;
use sd_notify::NotifyState::{self, ExtendTimeoutUsec, Ready, Reloading, Status, Stopping, Watchdog};
use std::time::Duration;

/// How often the status line is brought up to date where there is no watchdog.
const TELL_EVERY: Duration = Duration::from_secs(5);
/// What a stop may take beyond the drain: the process ends, its memory is given back.
const AND_THEN: Duration = Duration::from_secs(5);

/// Says that the daemon stops, and how long the manager has to wait before it kills.
pub(super) fn stopping(within: Duration) {
    let micros = u32::try_from((within + AND_THEN).as_micros()).unwrap_or(u32::MAX);
    tell(&[Stopping, ExtendTimeoutUsec(micros), Status("stopping: finishing what is in flight")]);
}

/// Says that settings are being read anew. The manager wants the monotonic time with it, to tell a late word from one
/// about this reload.
pub(super) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[Reloading, now]),
        Err(error) => tracing::debug!(%error, "the service manager is not told of the reload"),
    }
}

/// Says that settings have been read anew, or stay as they were.
pub(super) fn reloaded() {
    tell(&[Ready]);
}

/// Says that the daemon is ready, and from then on how it does and that it lives. Alive means that the owner of the
/// engines answers: a loop that hangs is not told, and the manager starts the daemon anew.
pub(super) async fn live(handle: Handle, readiness: Readiness, meter: Meter) {
    let mut said = status(&readiness, &meter);
    tell(&[Ready, Status(&said)]);
    let limit = sd_notify::watchdog_enabled();
    let every = limit.map_or(TELL_EVERY, |limit| limit / 3);
    loop {
        tokio::time::sleep(every).await;
        if limit.is_some() && tokio::time::timeout(every, handle.moves()).await == Ok(true) {
            tell(&[Watchdog]);
        }
        let now = status(&readiness, &meter);
        if now != said {
            said = now;
            tell(&[Status(&said)]);
        }
    }
}

/// One line for people.
fn status(readiness: &Readiness, meter: &Meter) -> String {
    let troubles = readiness.troubles();
    if let Some((part, why)) = troubles.iter().next() {
        return format!("not ready, {part}: {why}");
    }
    let health = meter.health();
    match health.problem {
        _ if health.moves() => "ready".to_owned(),
        Some(problem) => format!("ready; chats go on, but no messages move: {problem}"),
        None => "ready; chats go on, but no messages move yet".to_owned(),
    }
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "the service manager could not be told");
    }
}
