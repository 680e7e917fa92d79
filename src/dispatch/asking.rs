//! Questions to a CRM for which somebody waits: under a deadline, through the gate, again after passing trouble.

use super::Lane;
use super::gate::Kind;
use futures::FutureExt;
use futures::future::BoxFuture;
use std::panic::AssertUnwindSafe;
use std::time::Duration;
use tieline_connector_api::{Failure, Outcome};
use tieline_model::Millis;

/// Pause between two tries of one question.
const TRY_AGAIN: Duration = Duration::from_millis(150);

/// Asks the CRM, again after a passing failure, until the time of a look-up is over. In words, why it gave no answer.
pub(super) async fn ask<'a, T>(
    lane: &Lane,
    question: impl Fn() -> BoxFuture<'a, Outcome<T>> + Send,
) -> Result<T, String> {
    let within = Duration::from_millis(lane.parts.settings.lookup_within.millis().0);
    let mut last = format!("{} did not answer in time", lane.parts.info.name);
    let asked = tokio::time::timeout(within, async {
        loop {
            let passed = lane.gate().pass(lane.parts.clock.now(), Kind::Pop, 0);
            if let Err(Millis(wait)) = passed {
                if let Some(trouble) = lane.trouble() {
                    return Err(trouble);
                }
                tokio::time::sleep(Duration::from_millis(wait)).await;
                continue;
            }
            match whole(lane, question()).await {
                Ok(answer) => {
                    lane.gate().succeeded();
                    return Ok(answer);
                }
                Err(Failure::Retry { reason, .. }) => {
                    lane.gate().failed(lane.parts.clock.now(), &reason);
                    last = reason;
                    tokio::time::sleep(TRY_AGAIN).await;
                }
                Err(Failure::Throttled { until, reason }) => {
                    lane.gate().limited(lane.parts.clock.now(), until, &reason);
                    return Err(reason);
                }
                Err(Failure::Reauthorise { reason }) => {
                    lane.gate().unauthorised(lane.parts.clock.now(), &reason);
                    return Err(reason);
                }
                Err(Failure::Reject { reason, .. }) => return Err(reason),
            }
        }
    })
    .await;
    asked.unwrap_or(Err(last))
}

/// An operation of a connector whose panic is a failure like any other: it must not take the lane with it, and
/// whether anything was done in the CRM is not known.
pub(super) async fn whole<T>(lane: &Lane, operation: impl Future<Output = Outcome<T>>) -> Outcome<T> {
    AssertUnwindSafe(operation).catch_unwind().await.unwrap_or_else(|_| {
        tracing::error!(connection = %lane.parts.info.id, "a connector panicked");
        Err(Failure::unknown(format!(
            "the connector of {} has a defect; see the daemon's log",
            lane.parts.info.name
        )))
    })
}
