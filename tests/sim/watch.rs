//! Watches every commit: order, capacity, one owner, and that no timer fires early. Reads the disk itself, so that rows
//! kept by a commit whose outcome was unknown are seen too.

use futures::FutureExt;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tieline::drive::Observer;
use tieline::journal::MemoryStore;
use tieline::journal::{NewContent, Recorded, Store};
use tieline_engine::{Engine, Stage};
use tieline_model::event::{CompletedBy, ReturnedWhy};
use tieline_model::live::Place;
use tieline_model::{AgentId, Event, InteractionId, Seq, TenantId, Timestamp};
use tokio::time::Instant;

/// How much earlier than its time a timer may seem to fire: what the store's slowness adds between a decision and the
/// moment its commit is seen.
const BLUR_MS: u64 = 150;
/// How much later than its time a timer may fire: sleeps, pauses after failed commits, and the part of a second per
/// crash for which nobody wrote down that the process lived.
const LATE_MS: u64 = 45_000;

/// What runs against the time the process is up.
#[derive(Debug, Clone, Copy)]
struct Timer {
    /// How long it has in all.
    has: u64,
    /// How long it has run before it was last started.
    ran: u64,
    /// Runs since then.
    since: Option<u64>,
}

impl Timer {
    fn run_by(&self, up: u64) -> u64 {
        self.ran + self.since.map_or(0, |since| up - since)
    }
}

/// Everything that was seen, over all processes of one simulation.
#[derive(Default)]
pub struct Seen {
    pub rows: Vec<Recorded>,
    pub wrongs: Vec<String>,
    pub fired: u64,
    /// Milliseconds that processes have been up before the present one.
    up_before: u64,
    up_since: Option<Instant>,
    timers: BTreeMap<InteractionId, Timer>,
}

pub type Shared = Arc<Mutex<Seen>>;

impl Seen {
    pub fn started(&mut self) {
        self.up_since = Some(Instant::now());
    }

    pub fn died(&mut self) {
        self.up_before = self.up();
        self.up_since = None;
    }

    fn up(&self) -> u64 {
        let now = self.up_since.map_or(0, |since| u64::try_from(since.elapsed().as_millis()).unwrap());
        self.up_before + now
    }

    fn wrong(&mut self, what: String) {
        if self.wrongs.len() < 10 {
            self.wrongs.push(what);
        }
    }

    /// Takes in what the disk has and we have not seen.
    pub fn catch_up(&mut self, disk: &MemoryStore, tenant: &TenantId) {
        let after = self.rows.last().map_or(Seq(0), |row| row.seq);
        let read = disk.read(tenant, after, u32::MAX).now_or_never();
        for row in read.expect("memory does not wait").expect("memory can be read") {
            self.row(&row);
            self.rows.push(row);
        }
        let up = self.up();
        let late: Vec<InteractionId> =
            self.timers.iter().filter(|(_, t)| t.run_by(up) > t.has + LATE_MS).map(|(id, _)| *id).collect();
        for id in late {
            let timer = self.timers.remove(&id);
            self.wrong(format!("a timer of {id} never fired: {timer:?}, up {up}"));
        }
    }

    fn row(&mut self, row: &Recorded) {
        let (seq, at) = self.rows.last().map_or((Seq(0), Timestamp(0)), |last| (last.seq, last.at));
        if row.seq != seq.next() || row.at < at {
            self.wrong(format!("row {} at {} after {} at {}", row.seq.0, row.at.0, seq.0, at.0));
        }
        match &row.event {
            Event::TenantOpened { .. } if row.seq != Seq(1) => self.wrong("opened twice".to_owned()),
            event if row.seq == Seq(1) && !matches!(event, Event::TenantOpened { .. }) => {
                self.wrong(format!("the journal begins with {}", event.kind()));
            }
            event => self.timer(row.at, event),
        }
    }

    fn timer(&mut self, at: Timestamp, event: &Event) {
        let up = self.up();
        let start = |deadline: &Timestamp| Timer { has: deadline.since(at).0, ran: 0, since: Some(up) };
        match event {
            Event::ChatOffered { interaction, deadline, .. }
            | Event::ChatAssigned { interaction, deadline: Some(deadline), .. } => {
                self.timers.insert(*interaction, start(deadline));
            }
            Event::WrapUpStarted { interaction, time: Some(time), deadline, .. } => {
                let timer = Timer { has: time.0, ran: 0, since: deadline.map(|_| up) };
                self.timers.insert(*interaction, timer);
            }
            Event::WrapUpExtended { interaction, .. } => {
                if let Some(timer) = self.timers.get_mut(interaction) {
                    timer.has += super::EXTENSION_MS;
                }
            }
            Event::ItemParked { interaction, .. } => {
                if let Some(timer) = self.timers.get_mut(interaction) {
                    timer.ran = timer.run_by(up);
                    timer.since = None;
                }
            }
            Event::ItemActivated { interaction, wrap_up_deadline, .. } => match wrap_up_deadline {
                Some(_) => {
                    if let Some(timer) = self.timers.get_mut(interaction) {
                        timer.since = Some(up);
                    }
                }
                None => drop(self.timers.remove(interaction)),
            },
            Event::OfferMissed { interaction, .. }
            | Event::ChatReturned { interaction, why: ReturnedWhy::Unopened, .. }
            | Event::WrapUpCompleted { interaction, by: CompletedBy::Timer, .. } => {
                self.fired(*interaction, up);
            }
            Event::OfferAccepted { interaction, .. }
            | Event::OfferRejected { interaction, .. }
            | Event::OfferWithdrawn { interaction, .. }
            | Event::ChatReturned { interaction, .. }
            | Event::WrapUpCompleted { interaction, .. }
            | Event::InteractionClosed { interaction, .. } => drop(self.timers.remove(interaction)),
            _ => {}
        }
    }

    fn fired(&mut self, id: InteractionId, up: u64) {
        self.fired += 1;
        match self.timers.remove(&id) {
            Some(timer) if timer.run_by(up) + BLUR_MS < timer.has => {
                self.wrong(format!("a timer of {id} fired early: {timer:?}, ran {}", timer.run_by(up)));
            }
            Some(_) => {}
            None => self.wrong(format!("a timer of {id} fired that nobody started")),
        }
    }

    fn engine(&mut self, engine: &Engine) {
        let mut owners: BTreeMap<InteractionId, AgentId> = BTreeMap::new();
        for (id, agent) in engine.agents() {
            let Some(policy) = engine.policy().agents.get(id) else { continue };
            if engine.load(id) > policy.chat_capacity {
                self.wrong(format!("{id} has {} of {}", engine.load(id), policy.chat_capacity));
            }
            for chat in &agent.inbox {
                if let Some(other) = owners.insert(*chat, id.clone()) {
                    self.wrong(format!("{chat} is owned by {other} and by {id}"));
                }
            }
            let active =
                engine.inbox(id).filter(|c| matches!(c.stage, Stage::Owned { place: Place::Active, .. }));
            if active.count() > 1 {
                self.wrong(format!("{id} has two active items"));
            }
        }
    }
}

/// The observer of one process.
pub struct Eye {
    pub seen: Shared,
    pub disk: Arc<MemoryStore>,
}

impl Observer for Eye {
    fn committed(&mut self, tenant: &TenantId, engine: &Engine, rows: &[Recorded], _: &[NewContent]) {
        let mut seen = self.seen.lock().unwrap();
        seen.catch_up(&self.disk, tenant);
        if !seen.rows.ends_with(rows) {
            seen.wrong("the observer was shown rows that are not the newest".to_owned());
        }
        if rows.last().map(|row| row.seq) != Some(engine.seq()) {
            seen.wrong("the observer was shown an engine of another moment".to_owned());
        }
        seen.engine(engine);
    }

    fn reloaded(&mut self, tenant: &TenantId, engine: &Engine) {
        let mut seen = self.seen.lock().unwrap();
        seen.catch_up(&self.disk, tenant);
        if seen.rows.last().map_or(Seq(0), |row| row.seq) != engine.seq() {
            seen.wrong("an engine was reloaded that is not at the head".to_owned());
        }
        seen.engine(engine);
    }
}
