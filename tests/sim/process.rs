//! Processes of the daemon, one after another over one disk.

use super::chance::Chance;
use super::crm::Crm;
use super::planted::Plant;
use super::policy::{AGENTS, connections, policy};
use super::store::{Faults, Shaky, Steps};
use super::watch::{Eye, Shared, same};
use super::world::{Line, Promises, World};
use super::{Tally, agents, customers, end, office, telephones, tenant};
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tieline::bus::{self, Intake, Seal, Wiring};
use tieline::dispatch::{Lane, Parts, Pop, Pops, Shown};
use tieline::drive::Drive;
use tieline::journal::{Epoch, MemoryStore, Store};
use tieline::settings;
use tieline_model::crm::ConnectionInfo;
use tieline_model::policy::TenantPolicy;
use tieline_model::{Clock, TenantId, Timestamp};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

/// How long everything may take to come to rest once nothing fails any more.
const REST: Duration = Duration::from_secs(3_600);
/// How long an orderly stop may take.
const STOPS_WITHIN: Duration = Duration::from_secs(40);

/// What one simulation is about.
#[derive(Clone)]
pub struct Plan {
    pub seed: u64,
    /// How long people are busy.
    pub busy: Duration,
    pub customers: u64,
    pub calls: u64,
    pub faults: Faults,
    pub plant: Option<Plant>,
    /// Where the steps are counted.
    pub steps: Steps,
}

impl Plan {
    pub fn of(seed: u64) -> Self {
        Self {
            seed,
            busy: Duration::from_secs(60),
            customers: 6,
            calls: 4,
            faults: Faults::Dice,
            plant: None,
            steps: Steps::default(),
        }
    }

    fn by_dice(&self) -> bool {
        matches!(self.faults, Faults::Dice)
    }
}

/// The clock of one process: what the wall said when it started, and the monotonic clock from there.
struct SimClock {
    wall: AtomicI64,
    started: Instant,
    plant: Option<Plant>,
}

impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        let passed = i64::try_from(self.started.elapsed().as_millis()).unwrap();
        Timestamp(self.wall.load(Ordering::Relaxed) + Plant::time(self.plant, passed).0)
    }

    fn not_before(&self, at: Timestamp) {
        let gap = i64::try_from(at.since(self.now()).0).unwrap();
        self.wall.fetch_add(gap, Ordering::Relaxed);
    }
}

struct NoPanel;

#[async_trait]
impl Pops for NoPanel {
    async fn pop(&self, _: &TenantId, _: Pop) -> Shown {
        Shown::NotYet
    }

    async fn not_pushed(&self, _: &TenantId, _: &Pop) {}
}

/// A running process.
struct Process {
    drive: JoinHandle<Result<(), tieline::drive::Stopped>>,
    lanes: Vec<JoinHandle<()>>,
    stop: CancellationToken,
    store: Arc<Shaky>,
    _bus: bus::Running,
}

/// A process that hangs, and its mailbox, without which it would stop in order.
struct Frozen {
    drive: JoinHandle<Result<(), tieline::drive::Stopped>>,
    _mailbox: Option<tieline::drive::Handle>,
}

struct Sim {
    plan: Plan,
    chance: Chance,
    disk: Arc<Mutex<Arc<MemoryStore>>>,
    settings: Arc<Mutex<TenantPolicy>>,
    seen: Shared,
    /// In the order of the connections.
    crms: [Arc<Crm>; 2],
    line: Line,
    began: Instant,
    skew: i64,
    processes: u64,
    newest: Arc<Mutex<Option<Epoch>>>,
    /// Processes that hang, do not know it, and still have the disk.
    frozen: Vec<Frozen>,
}

pub async fn simulate(plan: Plan) -> Result<Tally, String> {
    let chance = Chance::new(plan.seed);
    let by_dice = plan.by_dice();
    let promises = Arc::new(Mutex::new(Promises::default()));
    let mut sim = Sim {
        crms: connections().map(|id| Arc::new(Crm::new(&chance.of(id.as_str()), plan.plant, by_dice))),
        disk: Arc::default(),
        settings: Arc::new(Mutex::new(policy(&chance, 0))),
        seen: Shared::default(),
        line: Line::default(),
        began: Instant::now(),
        skew: 0,
        processes: 0,
        newest: Arc::default(),
        frozen: Vec::new(),
        chance: chance.clone(),
        plan,
    };
    let line = sim.line.clone();
    let world = World::new(chance.clone(), line, promises.clone(), sim.disk.clone(), sim.settings.clone());
    let mut people = people(&world, &sim.plan);
    while sim.began.elapsed() < sim.plan.busy && sim.seen.lock().unwrap().wrongs.is_empty() {
        let left = sim.plan.busy.saturating_sub(sim.began.elapsed());
        sim.one_life(left).await;
    }
    chance.calm_down();
    people.shutdown().await;
    sim.thaw();
    found(&sim, &promises)?;
    let process = sim.start().await.ok_or("the last process does not start")?;
    let rest = timeout(REST, end::settle(&world, &sim.disk, &sim.seen)).await;
    found(&sim, &promises)?;
    let live = end::engine(&world).await;
    process.stop.cancel();
    process.drive.await.expect("no panic").map_err(|e| e.to_string())?;
    for lane in process.lanes {
        lane.await.expect("no panic");
    }
    let disk = sim.disk.lock().unwrap().clone();
    if rest.is_err() {
        return Err(format!("logs did not come to rest: {}", end::left(&disk).await));
    }
    let records: Vec<_> = sim.crms.iter().map(|crm| crm.records.as_ref()).collect();
    end::check(&disk, &live, &sim.seen, &records, &promises)?;
    Ok(sim.tally(&promises.lock().unwrap()))
}

/// Everybody who uses the daemon, each with dice of their own.
fn people(world: &World, plan: &Plan) -> JoinSet<()> {
    let mut people = JoinSet::new();
    for n in 0..plan.customers {
        people.spawn(customers::customer(world.of(&format!("customer {n}")), n));
    }
    for name in AGENTS {
        people.spawn(agents::agent(world.of(name), name));
    }
    people.spawn(office::supervisor(world.of("supervisor")));
    people.spawn(office::daemon(world.of("daemon")));
    people.spawn(telephones::telephones(world.of("telephones"), plan.calls));
    people
}

/// What has gone wrong so far, if anything has.
fn found(sim: &Sim, promises: &Mutex<Promises>) -> Result<(), String> {
    let (seen, promises) = (sim.seen.lock().unwrap(), promises.lock().unwrap());
    let wrongs: Vec<&String> = seen.wrongs.iter().chain(&promises.wrongs).collect();
    if wrongs.is_empty() { Ok(()) } else { Err(format!("{wrongs:#?}")) }
}

impl Sim {
    fn tally(&self, promises: &Promises) -> Tally {
        let seen = self.seen.lock().unwrap();
        Tally {
            seeds: 1,
            busy: self.plan.busy.as_secs(),
            lasted: self.began.elapsed().as_secs(),
            rows: seen.rows.len() as u64,
            processes: self.processes,
            asked: promises.asked,
            repeated: promises.repeated,
            timers: seen.fired(),
            logs: self.crms.iter().map(|crm| crm.records.lock().unwrap().logs.len() as u64).sum(),
            kinds: seen.kinds.clone(),
        }
    }

    /// A process starts, works, and dies, is stopped, or freezes.
    async fn one_life(&mut self, at_most: Duration) {
        let Some(process) = self.start().await else {
            self.dead().await;
            return;
        };
        let dies = process.store.dies.clone();
        let planned = match self.plan.faults {
            Faults::Dice => Duration::from_millis(1_000 + self.chance.below(40_000)),
            Faults::At { .. } => Duration::MAX,
        };
        let Process { mut drive, lanes, stop, store, _bus } = process;
        let lives = tokio::select! {
            biased;
            () = dies.notified() => false,
            _ = &mut drive => false,
            () = sleep(planned.min(at_most)) => true,
        };
        let mut ends = drive;
        let freezes = lives && self.plan.by_dice() && self.chance.one_in(4);
        if lives && !freezes && self.chance.one_in(2) {
            // An orderly stop: what is under way is finished, unless the process dies over it.
            self.seen.lock().unwrap().drains();
            let handle = self.line.lock().unwrap().as_ref().map(|(_, handle)| handle.clone());
            let stops = async {
                if let Some(handle) = handle {
                    // The journal may take no commits; the offers stand then.
                    let _ = handle.drain().await;
                }
                stop.cancel();
                tokio::select! {
                    biased;
                    () = dies.notified() => {}
                    _ = &mut ends => {}
                }
            };
            let _ = timeout(STOPS_WITHIN, stops).await;
        }
        let mailbox = self.line.lock().unwrap().take().map(|(_, handle)| handle);
        lanes.iter().for_each(JoinHandle::abort);
        if freezes {
            // It only seems dead, and will want to write again; the journal must not let it (promise 6).
            self.frozen.push(Frozen { drive: ends, _mailbox: mailbox });
        } else {
            ends.abort();
            drop((store, mailbox));
            self.thaw();
            // What a dead process still held must not reach the disk.
            let kept = self.disk.lock().unwrap().as_ref().clone();
            *self.disk.lock().unwrap() = Arc::new(kept);
        }
        self.dead().await;
    }

    /// Frozen processes are gone for good.
    fn thaw(&mut self) {
        self.frozen.drain(..).for_each(|process| process.drive.abort());
    }

    async fn dead(&mut self) {
        *self.line.lock().unwrap() = None;
        self.seen.lock().unwrap().died();
        if self.frozen.is_empty() {
            sleep(Duration::from_millis(self.chance.below(8_000))).await;
        }
        if self.plan.by_dice() {
            self.skew += match self.chance.below(12) {
                0 => 3_600_000,
                1 => -3_600_000,
                2 => 86_400_000,
                3 => -86_400_000,
                4 => -2_000,
                _ => 0,
            };
        }
    }

    async fn start(&mut self) -> Option<Process> {
        self.processes += 1;
        let process = self.seen.lock().unwrap().started();
        let disk = self.disk.lock().unwrap().clone();
        let plan = &self.plan;
        let store = Shaky::new(
            disk.clone(),
            &self.chance.of(&format!("store {}", self.processes)),
            self.began,
            (plan.faults.clone(), plan.steps.clone()),
            (plan.plant, self.newest.clone()),
            self.seen.clone(),
        );
        let since = i64::try_from(self.began.elapsed().as_millis()).unwrap();
        let wall = AtomicI64::new(1_700_000_000_000 + since + self.skew);
        let clock = Arc::new(SimClock { wall, started: Instant::now(), plant: plan.plant });
        let eye = Eye { seen: self.seen.clone(), disk: disk.clone(), process };
        let settings = self.settings.lock().unwrap().clone();
        let tenants = BTreeMap::from([(tenant(), settings)]);
        let dyn_store: Arc<dyn Store> = store.clone();
        let opening = Drive::open(dyn_store.clone(), clock.clone(), Box::new(eye), tenants, || 7);
        let (drive, handle) = tokio::select! {
            biased;
            () = store.dies.notified() => return None,
            opened = opening => opened.ok()?,
        };
        let stop = CancellationToken::new();
        let bus = bus::start(Wiring {
            settings: settings::Bus::default(),
            store: store.clone(),
            engines: Arc::new(handle.clone()),
            intake: Intake::new(BTreeMap::from([(tenant(), None)])),
            connections: connections().map(|id| (tenant(), id)).to_vec(),
            seal: Seal::new(&[7; 32]),
        });
        let lane = |(info, crm): (ConnectionInfo, &Arc<Crm>)| {
            let chance = self.chance.of(&format!("jitter {} {}", info.id, self.processes));
            let feed = bus.log_wanted(&tenant(), &info.id).expect("the tenant is here");
            let lane = Lane::new(Parts {
                tenant: tenant(),
                info,
                own_numbers: Vec::new(),
                connector: crm.clone(),
                store: dyn_store.clone(),
                engines: Arc::new(handle.clone()),
                pops: Arc::new(NoPanel),
                clock: clock.clone(),
                settings: settings::Dispatch::default(),
                chance: Arc::new(move || chance.part()),
            });
            tokio::spawn(lane.run(feed, stop.clone()))
        };
        let lanes = policy(&self.chance, 0).connections.into_iter().zip(&self.crms).map(lane).collect();
        let drive = tokio::spawn(drive.run(stop.clone().cancelled_owned()));
        self.compare(&store, &handle).await;
        *self.line.lock().unwrap() = Some((self.processes, handle));
        Some(Process { drive, lanes, stop, store, _bus: bus })
    }

    /// A start gives the state that the journal gives.
    async fn compare(&self, store: &Shaky, handle: &tieline::drive::Handle) {
        let replayed = end::replay(&store.disk).await;
        let tenant = tenant();
        let live = tokio::select! {
            biased;
            () = store.dies.notified() => {
                // It dies at its first step; whoever waits for it must not wait for ever.
                store.dies.notify_one();
                None
            }
            live = handle.read(&tenant, Clone::clone) => live.ok(),
        };
        if live.is_some_and(|live| live.seq() == replayed.seq() && !same(&live, &replayed)) {
            self.seen.lock().unwrap().wrong("a start gave another state than the journal".to_owned());
        }
    }
}
