//! The days of the contact centres: at midnight, by each centre's own clock, its figures begin anew and its opening
//! hours are laid out one day further.

use crate::drive::Handle;
use crate::settings::Live;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tieline_model::{Clock, Refusal, TenantId, Wish};

/// The longest sleep, so that a reload that moves a centre to another zone is noticed.
const SLICE_MS: u64 = 60_000;
/// Pause after an engine took nothing.
const TROUBLE_PAUSE: Duration = Duration::from_secs(5);

/// Keeps the calendars until it is dropped. The engines know today already, and take a day twice without harm.
pub(super) async fn keep(live: Arc<Live>, engines: Handle, clock: Arc<dyn Clock>) {
    let mut days: BTreeMap<TenantId, String> = BTreeMap::new();
    let mut owned = engines.owned();
    loop {
        let mut pause = Duration::from_millis(SLICE_MS);
        let here = owned.borrow_and_update().clone();
        // Whoever takes a tenant over begins its day itself.
        days.retain(|id, _| here.contains(id));
        for (id, tenant) in live.tenants().iter().filter(|(id, _)| here.contains(*id)) {
            let now = clock.now();
            let (day, next) = tenant.day(now);
            pause = pause.min(Duration::from_millis(next.since(now).0.max(1)));
            if days.get(id) == Some(&day) {
                continue;
            }
            let hours = tenant.open_hours(now);
            match turn(&engines, id, hours, day.clone()).await {
                Ok(()) => drop(days.insert(id.clone(), day)),
                Err(refusal) => {
                    tracing::warn!(tenant = %id, %refusal, "the day could not begin; it is tried again");
                    pause = pause.min(TROUBLE_PAUSE);
                }
            }
        }
        tokio::time::sleep(pause).await;
    }
}

async fn turn(
    engines: &Handle,
    id: &TenantId,
    hours: BTreeMap<tieline_model::ScheduleId, Vec<tieline_model::command::Open>>,
    day: String,
) -> Result<(), Refusal> {
    engines.own(id, Wish::SetHours { hours }).await?;
    engines.own(id, Wish::BeginDay { day }).await?;
    Ok(())
}
