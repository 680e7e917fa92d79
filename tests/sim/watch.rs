//! Watches every commit, over all processes of one simulation. Reads the disk itself, so that rows kept by a commit
//! whose outcome was unknown are seen too, and holds them against the books: order, owners, capacity, timers, and the
//! state that the rows lead to.

use super::ledger::Ledger;
use super::timers::Timers;
use futures::FutureExt;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tieline::drive::Observer;
use tieline::journal::MemoryStore;
use tieline::journal::{NewContent, Recorded, Store};
use tieline_engine::{Engine, Stage};
use tieline_model::live::Place;
use tieline_model::{AgentId, Event, InteractionId, Seq, TenantId, Timestamp};
use tokio::time::Instant;

/// Wrongs after which nothing more is learnt.
const WRONGS_MAX: usize = 10;
/// Commits after which the state is held against the replayed one byte for byte.
const COMPARE_EVERY: u64 = 16;

/// Everything that was seen, over all processes of one simulation.
#[derive(Default)]
pub struct Seen {
    pub rows: Vec<Recorded>,
    pub wrongs: Vec<String>,
    pub kinds: BTreeMap<&'static str, u64>,
    /// The process of the moment; what others show is of one that has lost the journal.
    process: u64,
    /// It is about to stop and hands nothing out.
    draining: bool,
    ledger: Ledger,
    timers: Timers,
    /// What the rows lead to, applied one by one.
    replica: Engine,
    commits: u64,
    /// Milliseconds that processes have been up before the present one.
    up_before: u64,
    up_since: Option<Instant>,
}

pub type Shared = Arc<Mutex<Seen>>;

/// Whether two engines are the same to the byte, whatever they have derived for their own speed.
pub fn same(one: &Engine, other: &Engine) -> bool {
    one == other || serde_json::to_vec(one).unwrap() == serde_json::to_vec(other).unwrap()
}

impl Seen {
    pub fn started(&mut self) -> u64 {
        self.up_since = Some(Instant::now());
        self.process += 1;
        self.draining = false;
        self.process
    }

    pub fn died(&mut self) {
        self.up_before = self.up();
        self.up_since = None;
    }

    pub fn drains(&mut self) {
        self.draining = true;
    }

    pub fn fired(&self) -> u64 {
        self.timers.fired
    }

    fn up(&self) -> u64 {
        let now = self.up_since.map_or(0, |since| u64::try_from(since.elapsed().as_millis()).unwrap());
        self.up_before + now
    }

    pub fn wrong(&mut self, what: String) {
        if self.wrongs.len() < WRONGS_MAX {
            self.wrongs.push(what);
        }
    }

    /// What happened to an interaction lately, for whoever reads of a wrong.
    fn tell(&mut self, id: Option<InteractionId>) {
        let own = self.rows.iter().rev().filter(|row| id.is_some() && row.event.interaction() == id);
        let told: Vec<String> =
            own.take(8).map(|row| format!("  {} at {}: {:?}", row.seq.0, row.at.0, row.event)).collect();
        told.into_iter().for_each(|told| self.wrong(told));
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
        if let Some(late) = self.timers.forgotten(up) {
            self.wrong(late);
        }
    }

    fn row(&mut self, row: &Recorded) {
        let (seq, at) = self.rows.last().map_or((Seq(0), Timestamp(0)), |last| (last.seq, last.at));
        if row.seq != seq.next() || row.at < at {
            self.wrong(format!("row {} at {} after {} at {}", row.seq.0, row.at.0, seq.0, at.0));
        }
        let opens = matches!(row.event, Event::TenantOpened { .. });
        if opens != (row.seq == Seq(1)) {
            self.wrong(format!("row {} is {}", row.seq.0, row.event.kind()));
        }
        *self.kinds.entry(row.event.kind()).or_default() += 1;
        let up = self.up();
        let overflows = Timers::overflows(row.at, &row.event, &self.ledger);
        let timed = self.timers.note(row.at, &row.event, up, &self.ledger);
        let noted = self.ledger.note(row.at, &row.event);
        for wrong in [overflows, timed, noted].into_iter().filter_map(Result::err) {
            let wrong = format!("row {} at {}: {wrong}", row.seq.0, row.at.0);
            self.wrong(wrong);
            self.tell(row.event.interaction());
        }
        self.replica.apply(row.at, &row.event);
    }

    /// The engine that was shown, after everything that follows by itself was done.
    fn engine(&mut self, engine: &Engine) {
        self.commits += 1;
        if self.commits.is_multiple_of(COMPARE_EVERY) && !same(engine, &self.replica) {
            self.wrong(format!("at {} the live state is not what its rows lead to", engine.seq().0));
        }
        let mut owners: BTreeMap<InteractionId, AgentId> = BTreeMap::new();
        for (id, agent) in engine.agents() {
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

    /// Nothing that follows by itself is left undone, and nobody is forgotten.
    fn at_rest(&mut self, engine: &Engine) {
        let due = engine.expire(engine.now());
        if !due.is_empty() {
            self.wrong(format!("left undone at {}: {due:?}", engine.seq().0));
        }
        if self.draining {
            return;
        }
        let follows = engine.route(engine.now());
        if !follows.is_empty() {
            self.wrong(format!("left undone at {}: {follows:?}", engine.seq().0));
        }
        if let Some((id, forgotten)) = self.ledger.forgotten() {
            self.wrong(format!("at {}: {forgotten}", engine.seq().0));
            self.tell(Some(id));
        }
    }
}

/// The observer of one process.
pub struct Eye {
    pub seen: Shared,
    pub disk: Arc<MemoryStore>,
    pub process: u64,
}

impl Eye {
    /// A process that lost the journal to another commits nothing any more (promise 6). It may be told late of what it
    /// had committed before: that is in the journal, where its successor found it.
    fn is_stale(&self, seen: &mut Seen, rows: &[Recorded]) -> bool {
        let stale = self.process != seen.process;
        let kept = |row: &Recorded| {
            seen.rows.binary_search_by_key(&row.seq, |kept| kept.seq).map(|i| &seen.rows[i]) == Ok(row)
        };
        if stale && !rows.iter().all(kept) {
            seen.wrong(format!("process {} goes on beside process {}", self.process, seen.process));
        }
        stale
    }
}

impl Observer for Eye {
    fn committed(&mut self, tenant: &TenantId, engine: &Engine, rows: &[Recorded], _: &[NewContent]) {
        let mut seen = self.seen.lock().unwrap();
        seen.catch_up(&self.disk, tenant);
        if self.is_stale(&mut seen, rows) {
            return;
        }
        if !seen.rows.ends_with(rows) {
            seen.wrong("the observer was shown rows that are not the newest".to_owned());
        }
        if rows.last().map(|row| row.seq) != Some(engine.seq()) {
            seen.wrong("the observer was shown an engine of another moment".to_owned());
        }
        seen.engine(engine);
        // The opening of a process goes into the journal before anything else does.
        if !matches!(rows, [only] if matches!(only.event, Event::Resumed { .. } | Event::TenantOpened { .. }))
        {
            seen.at_rest(engine);
        }
    }

    fn reloaded(&mut self, tenant: &TenantId, engine: &Engine) {
        let mut seen = self.seen.lock().unwrap();
        if self.process != seen.process {
            // It may look; the next commit will tell it.
            return;
        }
        seen.catch_up(&self.disk, tenant);
        if seen.rows.last().map_or(Seq(0), |row| row.seq) != engine.seq() {
            seen.wrong("an engine was reloaded that is not at the head".to_owned());
        }
        if !same(engine, &seen.replica) {
            seen.wrong(format!("the state reloaded at {} is not what its rows lead to", engine.seq().0));
        }
        seen.engine(engine);
    }
}
