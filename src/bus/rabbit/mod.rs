//! RabbitMQ: one supervised session at a time, tried again for ever.
//!
//! A session is a publishing connection, a consuming connection, and a checked topology. lapin's own recovery stays
//! off: any fault drops the whole session, and publishing resumes at the journal's cursor.

mod fault;
mod intake;
mod link;
mod logs;
mod park;
mod publish;
mod roster;
mod session;
mod topology;
mod unrouted;

use super::health::{State, count};
use super::{Connections, Shared};
use crate::settings;
use fault::Fault;
use link::Link;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tieline_connector_api::{Finding, Severity};
use tieline_model::{Seq, TenantId};
use tokio::time::Instant;
use topology::Topology;

/// A session that lived this long was a good one: the next pause starts small again.
const GOOD: Duration = Duration::from_secs(10);

/// How often an outage that goes on is told again.
const TELL_AGAIN: Duration = Duration::from_secs(60);

/// Events to publish again although the cursor is past them, by tenant: the first such position. A return can be
/// noticed after the cursor moved, because lapin may hang it on a later confirm.
#[derive(Debug, Default)]
struct Again(Mutex<BTreeMap<TenantId, Seq>>);

impl Again {
    fn from(&self, tenant: &TenantId, seq: Seq) {
        let mut again = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let first = again.entry(tenant.clone()).or_insert(seq);
        *first = (*first).min(seq);
    }
    fn take(&self, tenant: &TenantId) -> Option<Seq> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(tenant)
    }
}

/// Tries what the beginning of a session does.
pub(super) async fn check(settings: &settings::Bus, of: &Connections) -> Finding {
    let tried = async {
        let link = Link::open(settings, "doctor").await?;
        let plan = Topology::plan(&of.tenants, &of.connections);
        let declared = plan.declare(&link.connection).await;
        link.close().await;
        declared
    };
    let limit = settings.connect_within.std() * 2;
    let ended = match tokio::time::timeout(limit, tried).await {
        Ok(ended) => ended.map_err(|fault| fault.to_string()),
        Err(_) => Err(Fault::Silent(limit).to_string()),
    };
    let what = "bus.url".to_owned();
    match ended {
        Ok(()) => {
            let says = "the broker is there, lets us in, and has the exchanges and queues that are needed";
            Finding { severity: Severity::Good, what, says: says.to_owned() }
        }
        Err(says) => Finding { severity: Severity::Error, what, says },
    }
}

/// Runs sessions until told to stop.
pub(super) async fn supervise(shared: Arc<Shared>) {
    let stop = shared.stop.clone();
    let again = Arc::new(Again::default());
    let mut tries = 0;
    let mut told: Option<(String, Instant)> = None;
    while !stop.is_cancelled() {
        let began = Instant::now();
        let Err(fault) = session::run(&shared, &again).await else { break };
        if began.elapsed() > GOOD {
            tries = 0;
            told = None;
        }
        let pause = pause(&shared, tries);
        tries += 1;
        count(&shared.counters.dropped);
        let fault = fault.to_string();
        // An outage is told when it begins, when its reason changes, and once a minute.
        if told.as_ref().is_none_or(|(last, at)| *last != fault || at.elapsed() >= TELL_AGAIN) {
            tracing::warn!(fault, tries, "no session with the broker; it is tried again for ever");
            told = Some((fault.clone(), Instant::now()));
        }
        shared.pulse.becomes(State::Down, Some(fault));
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(pause) => {}
        }
    }
    shared.pulse.becomes(State::Down, None);
}

/// Full jitter over a span that doubles, so that many daemons do not come back in step.
fn pause(shared: &Shared, tries: u32) -> Duration {
    let settings = &shared.wiring.settings;
    let (min, max) = (settings.reconnect_min.std(), settings.reconnect_max.std());
    let top = min.saturating_mul(2_u32.saturating_pow(tries.saturating_add(1))).min(max);
    Duration::from_secs_f64(rand::random_range(min.as_secs_f64()..=top.max(min).as_secs_f64()))
}
