//! What a journal need not keep: ids of commands that nobody repeats any more.

use crate::journal::Store;
use std::sync::Arc;
use std::time::Duration;
use tieline_model::{Clock, Millis, Timestamp};

/// A command counts once for so long (promise 2).
const REMEMBERED: Millis = Millis::secs(7 * 86_400);
const EVERY: Duration = Duration::from_secs(3_600);

/// Forgets once an hour, beginning an hour after the start, which has enough to do.
pub(super) async fn keep(store: Arc<dyn Store>, clock: Arc<dyn Clock>) {
    loop {
        tokio::time::sleep(EVERY).await;
        let before = Timestamp(clock.now().0.saturating_sub_unsigned(REMEMBERED.0));
        match store.forget_commands(before).await {
            Ok(0) => {}
            Ok(forgotten) => tracing::info!(forgotten, "command ids older than seven days"),
            // What is kept longer does no harm but to the disk.
            Err(error) => tracing::warn!(%error, "old command ids were not forgotten"),
        }
    }
}
