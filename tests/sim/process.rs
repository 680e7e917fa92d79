//! Processes of the daemon, one after another over one disk.

use super::actors::{self, Line, Promises, World};
use super::chance::Chance;
use super::crm::Crm;
use super::store::Shaky;
use super::watch::{Eye, Shared};
use super::{AGENTS, EXTENSION_MS, QUEUES, Tally, end, tenant};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tieline::bus::{self, Intake, Seal, Wiring};
use tieline::dispatch::{Lane, Parts, Pop, Pops, Shown};
use tieline::drive::Drive;
use tieline::journal::MemoryStore;
use tieline::journal::Store;
use tieline::settings;
use tieline_model::crm::ConnectionInfo;
use tieline_model::policy::{AgentPolicy, Delivery, OfferWhen, QueuePolicy, TenantPolicy};
use tieline_model::{AgentId, Clock, ConnectionId, Millis, QueueId, TenantId, Timestamp};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

/// How long people are busy.
const BUSY: Duration = Duration::from_secs(400);
/// How long everything may take to come to rest once nothing fails any more.
const REST: Duration = Duration::from_secs(4 * 3_600);

/// The clock of one process: what the wall said when it started, and the monotonic clock from there.
struct SimClock {
    wall: AtomicI64,
    started: Instant,
}

impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        let passed = i64::try_from(self.started.elapsed().as_millis()).unwrap();
        Timestamp(self.wall.load(Ordering::Relaxed) + passed)
    }

    fn not_before(&self, at: Timestamp) {
        let gap = i64::try_from(at.since(self.now()).0).unwrap();
        self.wall.fetch_add(gap, Ordering::Relaxed);
    }
}

struct NoPanel;

impl Pops for NoPanel {
    fn pop(&self, _: &TenantId, _: Pop) -> Shown {
        Shown::NotYet
    }

    fn not_pushed(&self, _: &TenantId, _: &Pop) {}
}

/// Two CRMs, each with its own luck.
pub fn connections() -> [ConnectionId; 2] {
    ["paper", "stone"].map(|id| ConnectionId::new(id).unwrap())
}

fn policy() -> TenantPolicy {
    let mut policy = TenantPolicy::default();
    let deliveries = [Delivery::Offer, Delivery::Auto, Delivery::Pull];
    for (name, delivery) in QUEUES.iter().zip(deliveries) {
        let mut queue = QueuePolicy { delivery, ..QueuePolicy::named(name) };
        queue.offer_when = OfferWhen::BelowCapacity;
        queue.accept_within = Millis::secs(10);
        queue.unopened_after = Millis::secs(20);
        queue.wrap_up.time = Some(Millis::secs(25));
        queue.wrap_up.extension = Millis(EXTENSION_MS);
        queue.classification.codes = vec!["sale".to_owned()];
        policy.queues.insert(QueueId::new(name).unwrap(), queue);
    }
    for name in AGENTS {
        let agent = AgentPolicy {
            name: name.to_owned(),
            queues: policy.queues.keys().cloned().collect(),
            extension: None,
            may_reject: true,
            supervisor: false,
            chat_capacity: 2,
            crm_users: std::collections::BTreeMap::new(),
            skills: Default::default(),
        };
        policy.agents.insert(AgentId::new(name).unwrap(), agent);
    }
    let info = |id: ConnectionId| ConnectionInfo { vendor: "paper".to_owned(), name: id.to_string(), id };
    policy.connections = connections().map(info).to_vec();
    policy
}

/// A running process.
struct Process {
    drive: JoinHandle<Result<(), tieline::drive::Stopped>>,
    lanes: Vec<JoinHandle<()>>,
    stop: CancellationToken,
    store: Arc<Shaky>,
    _bus: bus::Running,
}

struct Sim {
    chance: Chance,
    disk: Arc<MemoryStore>,
    seen: Shared,
    /// In the order of the connections.
    crms: [Arc<Crm>; 2],
    line: Line,
    began: Instant,
    skew: i64,
    processes: u64,
}

pub async fn simulate(seed: u64) -> Result<Tally, String> {
    let chance = Chance::new(seed);
    let line = Line::default();
    let promises = Arc::new(Mutex::new(Promises::default()));
    let world = World { chance: chance.clone(), line: line.clone(), promises: promises.clone() };
    let mut sim = Sim {
        crms: connections().map(|id| Arc::new(Crm::new(&chance.of(id.as_str())))),
        chance: chance.clone(),
        disk: Arc::new(MemoryStore::new()),
        seen: Shared::default(),
        line,
        began: Instant::now(),
        skew: 0,
        processes: 0,
    };
    let mut people = JoinSet::new();
    for n in 0..8 {
        people.spawn(actors::customer(world.of(&format!("customer {n}")), n));
    }
    for (n, name) in AGENTS.into_iter().enumerate() {
        people.spawn(actors::agent(world.of(name), n));
    }
    people.spawn(actors::telephones(world.of("telephones")));
    while sim.began.elapsed() < BUSY {
        let left = BUSY.saturating_sub(sim.began.elapsed());
        sim.one_life(left).await;
    }
    chance.calm_down();
    people.shutdown().await;
    let process = sim.start().await.expect("nothing fails any more");
    let rest = timeout(REST, end::settle(&world, sim.disk.as_ref())).await;
    let live = end::engine(&world).await;
    process.stop.cancel();
    process.drive.await.expect("no panic").map_err(|e| e.to_string())?;
    for lane in process.lanes {
        lane.await.expect("no panic");
    }
    if rest.is_err() {
        return Err(format!("logs did not come to rest: {}", end::left(&sim.disk).await));
    }
    let records: Vec<_> = sim.crms.iter().map(|crm| crm.records.as_ref()).collect();
    end::check(&sim.disk, &live, &sim.seen, &records, &promises)?;
    let seen = sim.seen.lock().unwrap();
    let promises = promises.lock().unwrap();
    Ok(Tally {
        rows: seen.rows.len() as u64,
        processes: sim.processes,
        asked: promises.asked,
        repeated: promises.repeated,
        timers: seen.fired,
        logs: records.iter().map(|records| records.lock().unwrap().logs.len() as u64).sum(),
    })
}

impl Sim {
    /// A process starts, works, and dies or is stopped.
    async fn one_life(&mut self, at_most: Duration) {
        let Some(process) = self.start().await else {
            self.dead().await;
            return;
        };
        let dies = process.store.dies.clone();
        let planned = Duration::from_millis(1_000 + self.chance.below(120_000)).min(at_most);
        let Process { mut drive, lanes, stop, store, _bus } = process;
        let lives = tokio::select! {
            biased;
            () = dies.notified() => false,
            _ = &mut drive => false,
            () = sleep(planned) => true,
        };
        if lives && self.chance.one_in(3) {
            // An orderly stop: what is under way is finished, unless the process dies over it.
            stop.cancel();
            let _ = timeout(Duration::from_secs(40), async {
                tokio::select! {
                    biased;
                    () = dies.notified() => {}
                    _ = &mut drive => {}
                }
            })
            .await;
        }
        *self.line.lock().unwrap() = None;
        drive.abort();
        lanes.iter().for_each(JoinHandle::abort);
        drop(store);
        // What a dead process still held must not reach the disk.
        self.disk = Arc::new((*self.disk).clone());
        self.dead().await;
    }

    async fn dead(&mut self) {
        *self.line.lock().unwrap() = None;
        self.seen.lock().unwrap().died();
        sleep(Duration::from_millis(self.chance.below(8_000))).await;
        self.skew += match self.chance.below(12) {
            0 => 3_600_000,
            1 => -3_600_000,
            2 => 86_400_000,
            3 => -86_400_000,
            4 => -2_000,
            _ => 0,
        };
    }

    async fn start(&mut self) -> Option<Process> {
        self.processes += 1;
        self.seen.lock().unwrap().started();
        let store =
            Shaky::new(self.disk.clone(), &self.chance.of(&format!("store {}", self.processes)), self.began);
        let since = i64::try_from(self.began.elapsed().as_millis()).unwrap();
        let wall = 1_700_000_000_000 + since + self.skew;
        let clock = Arc::new(SimClock { wall: AtomicI64::new(wall), started: Instant::now() });
        let eye = Eye { seen: self.seen.clone(), disk: self.disk.clone() };
        let tenants = BTreeMap::from([(tenant(), policy())]);
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
                drive: handle.clone(),
                pops: Arc::new(NoPanel),
                clock: clock.clone(),
                settings: settings::Dispatch::default(),
                chance: Arc::new(move || chance.part()),
            });
            tokio::spawn(lane.run(feed, stop.clone()))
        };
        let lanes = policy().connections.into_iter().zip(&self.crms).map(lane).collect();
        let drive = tokio::spawn(drive.run(stop.clone().cancelled_owned()));
        let replayed = end::replay(&self.disk).await;
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
        if live.is_some_and(|live| live.seq() == replayed.seq() && live != replayed) {
            self.seen.lock().unwrap().wrongs.push("a start gave another state than the journal".to_owned());
        }
        *self.line.lock().unwrap() = Some((self.processes, handle));
        Some(Process { drive, lanes, stop, store, _bus: bus })
    }
}
