//! What is measured, under the names that docs/metrics.md lists: engines, commits, CRM connections, bus.

use super::clock::SystemClock;
use super::crew::Crew;
use crate::bus::{Meter, State};
use crate::dispatch::{Counts, Lane};
use crate::drive;
use crate::http::Source;
use crate::journal::{Reader, Store};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tieline_engine::{CallState, Engine, Stage, Talk};
use tieline_model::command::Presence;
use tieline_model::live::{Place, Status};
use tieline_model::{Clock, QueueId, Seq, TenantId, Timestamp};

type Labels = Vec<(&'static str, String)>;
type Gauges = Family<Labels, Gauge>;
type Read = fn(&Counts) -> &AtomicU64;

const LANE: [(&str, &str, Read); 8] = [
    ("connector_lookups", "Look-ups a CRM answered", |c| &c.lookups),
    ("connector_lookups_failed", "Look-ups that failed or came too late", |c| &c.lookups_failed),
    ("connector_pops", "Records opened before agents", |c| &c.pops),
    ("connector_pushes", "Pops the CRM made itself", |c| &c.pushes),
    ("connector_pushes_failed", "Pops the CRM could not make itself", |c| &c.pushes_failed),
    ("connector_logs_saved", "Logs a CRM took", |c| &c.logs_saved),
    ("connector_logs_delayed", "Times a log was put off", |c| &c.logs_delayed),
    ("connector_logs_dead", "Logs that went to the dead letters", |c| &c.logs_dead),
];

fn whole(n: impl TryInto<i64>) -> i64 {
    n.try_into().unwrap_or(i64::MAX)
}

/// Metrics of CRM connections.
pub(super) fn of_lanes(crew: Crew) -> Source {
    Box::new(move |registry| {
        let lanes = crew.lanes();
        for (name, help, read) in LANE {
            let family = Family::<Labels, Counter>::default();
            for lane in &lanes {
                family.get_or_create(&labels(lane)).inc_by(read(lane.counts()).load(Ordering::Relaxed));
            }
            registry.register(name, help, family);
        }
        let left = Family::<Labels, Gauge<f64, AtomicU64>>::default();
        for lane in &lanes {
            left.get_or_create(&labels(lane)).set(lane.budget().left);
        }
        registry.register("connector_budget_left", "Requests that may be made to the CRM at once, now", left);
        let up = Gauges::default();
        for lane in &lanes {
            up.get_or_create(&labels(lane)).set(i64::from(lane.trouble().is_none()));
        }
        registry.register(
            "connector_up",
            "0 while nothing is sent to the CRM: down, limiting, refusing us",
            up,
        );
        crew.operations().register(registry);
        Box::pin(std::future::ready(()))
    })
}

fn labels(lane: &Lane) -> Labels {
    vec![("tenant", lane.tenant().to_string()), ("connection", lane.info().id.to_string())]
}

/// Metrics of the bus.
pub(super) fn of_bus(meter: Meter, store: Arc<dyn Store>, drive: drive::Handle) -> Source {
    Box::new(move |registry| {
        for (name, help, value) in meter.counts().named() {
            registry.register(format!("bus_{name}"), help, ConstCounter::new(value));
        }
        let health = meter.health();
        let moves = i64::from(health.moves());
        registry.register("bus_moves", "1 while messages move", ConstGauge::new(moves));
        let blocked = i64::from(health.state == State::Blocked);
        registry.register(
            "bus_blocked",
            "1 while the broker takes no messages (alarm)",
            ConstGauge::new(blocked),
        );
        registry.register(
            "bus_intake_waiting",
            "Messages in the intake's broker queues, when last looked at",
            ConstGauge::new(whole(health.waiting)),
        );
        registry.register(
            "bus_parked_waiting",
            "Messages in the parked broker queue, when last looked at",
            ConstGauge::new(whole(health.parked)),
        );
        let (store, drive, embedded) = (store.clone(), drive.clone(), health.state == State::Embedded);
        Box::pin(async move {
            let unpublished = Gauges::default();
            for tenant in drive.tenants() {
                let Some(head) = drive.head(&tenant).map(|head| *head.borrow()) else { continue };
                let Ok(cursor) = store.cursor(&tenant, &Reader::Bus).await else { continue };
                let left = if embedded { 0 } else { head.0.saturating_sub(cursor.0) };
                unpublished.get_or_create(&vec![("tenant", tenant.to_string())]).set(whole(left));
            }
            registry.register("bus_unpublished", "Events that the broker has not confirmed yet", unpublished);
        })
    })
}

/// How many logs wait for each CRM, and how many somebody has to look at.
pub(super) fn of_deliveries(store: Arc<dyn Store>, crew: Crew) -> Source {
    Box::new(move |registry| {
        let (store, lanes) = (store.clone(), crew.lanes());
        Box::pin(async move {
            let (waiting, dead) = (Gauges::default(), Gauges::default());
            let mut known = BTreeMap::new();
            for lane in &lanes {
                if !known.contains_key(lane.tenant()) {
                    let Ok(backlog) = store.backlog(lane.tenant()).await else { continue };
                    known.insert(lane.tenant().clone(), backlog);
                }
                let backlog = known.get(lane.tenant()).and_then(|all| all.get(&lane.info().id));
                let backlog = backlog.copied().unwrap_or_default();
                waiting.get_or_create(&labels(lane)).set(whole(backlog.waiting));
                dead.get_or_create(&labels(lane)).set(whole(backlog.dead));
            }
            registry.register("connector_logs_waiting", "Logs that are to be sent, now or later", waiting);
            registry.register("connector_dead_letters", "Logs that a person has to look at", dead);
        })
    })
}

/// The journal's log on the disk, and the machine's clock.
pub(super) fn of_machine(store: Arc<dyn Store>, clock: Arc<SystemClock>) -> Source {
    Box::new(move |registry| {
        registry.register_with_unit(
            "journal_log",
            "Length of the journal's write-ahead log",
            Unit::Bytes,
            ConstGauge::new(whole(store.log_bytes())),
        );
        registry.register_with_unit(
            "clock_off",
            "How far the machine's clock is ahead of the daemon's",
            Unit::Seconds,
            ConstGauge::new(clock.off_ms() as f64 / 1_000.0),
        );
        Box::pin(std::future::ready(()))
    })
}

/// Metrics of the engines and their owner.
pub(super) fn of_engines(drive: drive::Handle, clock: Arc<dyn Clock>) -> Source {
    Box::new(move |registry| {
        let (drive, clock) = (drive.clone(), clock.clone());
        Box::pin(async move {
            registry.register("build", "The program", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
            drive.meter().register(registry);
            registry.register(
                "mailbox_waiting",
                "Commands that wait to be decided",
                ConstGauge::new(whole(drive.waiting())),
            );
            let floor = Floor::default();
            for tenant in drive.tenants() {
                // An engine that is stopping says nothing; the next scrape finds no daemon at all.
                if let Ok(seen) = drive.read(&tenant, look).await {
                    floor.enter(&tenant, &seen, clock.now());
                }
            }
            floor.register(registry);
        })
    })
}

/// One engine at a glance.
struct Seen {
    head: Seq,
    agents: BTreeMap<&'static str, u64>,
    chats: BTreeMap<&'static str, u64>,
    calls: BTreeMap<&'static str, u64>,
    /// How many wait in each queue, and since when the first of them does.
    waiting: BTreeMap<QueueId, (u64, Option<Timestamp>)>,
}

/// A gauge that is absent and one that is nought mean different things, so all of them are there from the start.
const STATUSES: [&str; 8] =
    ["on_call", "handling_chat", "wrap_up", "offered", "offline", "available", "on_break", "stop_new"];
const CHAT_STATES: [&str; 8] =
    ["waiting", "offered", "new", "active", "parked", "wrap_up", "wrap_up_parked", "offline_form"];
const CALL_STATES: [&str; 2] = ["ringing", "answered"];

fn look(engine: &Engine) -> Seen {
    let none = |of: &[&'static str]| of.iter().map(|state| (*state, 0)).collect();
    let mut seen = Seen {
        head: engine.seq(),
        agents: none(&STATUSES),
        chats: none(&CHAT_STATES),
        calls: none(&CALL_STATES),
        waiting: BTreeMap::new(),
    };
    for id in engine.policy().agents.keys() {
        *seen.agents.entry(status(&engine.status(id))).or_default() += 1;
    }
    for queue in engine.policy().queues.keys() {
        seen.waiting.insert(queue.clone(), (0, None));
    }
    for chat in engine.chats() {
        *seen.chats.entry(stage(&chat.stage)).or_default() += 1;
        if matches!(chat.stage, Stage::Waiting | Stage::Offered(_)) {
            let Some(queue) = chat.queue.clone() else { continue };
            let (count, since) = seen.waiting.entry(queue).or_default();
            *count += 1;
            *since = Some(since.map_or(chat.started_at, |s| s.min(chat.started_at)));
        }
    }
    for call in engine.calls() {
        let state = match call.state {
            CallState::Ringing { .. } => "ringing",
            CallState::Dialled { .. } => "dialled",
            CallState::Answered { .. } => "answered",
        };
        *seen.calls.entry(state).or_default() += 1;
    }
    seen
}

fn status(status: &Status) -> &'static str {
    match status {
        Status::OnCall => "on_call",
        Status::HandlingChat => "handling_chat",
        Status::WrapUp => "wrap_up",
        Status::Offered => "offered",
        Status::Present { presence: Presence::Offline } => "offline",
        Status::Present { presence: Presence::Available } => "available",
        Status::Present { presence: Presence::OnBreak { .. } } => "on_break",
        Status::Present { presence: Presence::StopNew } => "stop_new",
    }
}

fn stage(stage: &Stage) -> &'static str {
    match stage {
        Stage::Waiting => "waiting",
        Stage::Offered(_) => "offered",
        Stage::Form { .. } => "offline_form",
        Stage::Owned { talk: Talk::WrapUp { .. }, place: Place::Parked, .. } => "wrap_up_parked",
        Stage::Owned { talk: Talk::WrapUp { .. }, place: Place::New | Place::Active, .. } => "wrap_up",
        Stage::Owned { talk: Talk::Open { .. }, place: Place::New, .. } => "new",
        Stage::Owned { talk: Talk::Open { .. }, place: Place::Active, .. } => "active",
        Stage::Owned { talk: Talk::Open { .. }, place: Place::Parked, .. } => "parked",
    }
}

/// The engines' gauges, while they are collected.
#[derive(Default)]
struct Floor {
    heads: Gauges,
    agents: Gauges,
    chats: Gauges,
    calls: Gauges,
    waiting: Gauges,
    longest: Family<Labels, Gauge<f64, AtomicU64>>,
}

impl Floor {
    fn enter(&self, tenant: &TenantId, seen: &Seen, now: Timestamp) {
        let of = |name: &'static str, value: String| vec![("tenant", tenant.to_string()), (name, value)];
        self.heads.get_or_create(&vec![("tenant", tenant.to_string())]).set(whole(seen.head.0));
        for (family, label, counts) in [
            (&self.agents, "status", &seen.agents),
            (&self.chats, "state", &seen.chats),
            (&self.calls, "state", &seen.calls),
        ] {
            for (value, count) in counts {
                family.get_or_create(&of(label, (*value).to_owned())).set(whole(*count));
            }
        }
        for (queue, (count, since)) in &seen.waiting {
            let labels = of("queue", queue.to_string());
            self.waiting.get_or_create(&labels).set(whole(*count));
            let seconds = since.map_or(0, |since| now.since(since).0) as f64 / 1_000.0;
            self.longest.get_or_create(&labels).set(seconds);
        }
    }

    fn register(self, registry: &mut Registry) {
        registry.register("journal_head", "The latest event's number", self.heads);
        registry.register("agents", "Agents by status", self.agents);
        registry.register("chats", "Chats that are not closed, by state", self.chats);
        registry.register("calls", "Calls that have not ended, by state", self.calls);
        registry.register(
            "chats_waiting",
            "Chats without an agent, those on offer included, by queue",
            self.waiting,
        );
        registry.register_with_unit(
            "chats_longest_wait",
            "How long the first chat of a queue has been waiting",
            Unit::Seconds,
            self.longest,
        );
    }
}
