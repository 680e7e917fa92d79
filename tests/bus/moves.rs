//! Tenants that move between processes while producers and listeners go on.

use crate::broker::Broker;
use crate::rig::{Client, SEAL, SOON, agent, connections, holds_soon, rabbit, spoken};
use async_trait::async_trait;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tieline::bus::{self, Intake, Running, Seal};
use tieline::drive::{self, Crew, Drive, InForce, Keeper};
use tieline::journal::{Lease, Leases, MemoryLeases, MemoryStore, Part, Reader, Replica, Shard, Store};
use tieline_model::policy::TenantPolicy;
use tieline_model::{AgentId, Seq, TenantId};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const CENTRES: usize = 6;

fn centres() -> BTreeSet<TenantId> {
    (0..CENTRES).map(|n| TenantId::new(format!("centre-{n}")).unwrap()).collect()
}

/// Connections are not what is looked at here.
struct Nobody;

#[async_trait]
impl Crew for Nobody {
    async fn start(&self, _: Lease) {}
    async fn stop(&self, _: Shard) {}
}

/// One of several processes over one journal and one broker.
struct Process {
    engines: drive::Handle,
    bus: Running,
    keeper: JoinHandle<()>,
    leave: CancellationToken,
    owner: JoinHandle<()>,
}

impl Process {
    async fn join(broker: &Broker, store: &Arc<MemoryStore>, leases: &Arc<dyn Leases>) -> Self {
        let clock = Arc::new(crate::rig::Ticking(tokio::time::Instant::now()));
        let none: BTreeMap<TenantId, InForce> = BTreeMap::new();
        let (drive, engines) =
            Drive::open(store.clone(), clock, Box::new(drive::Blind), none, || 1).await.unwrap();
        let owner = tokio::spawn(async move { drive.run(std::future::pending()).await.unwrap() });
        let intake = Intake::new(centres().into_iter().map(|tenant| (tenant, None)).collect());
        let bus = bus::start(bus::Wiring {
            settings: rabbit(broker),
            store: store.clone(),
            engines: Arc::new(engines.clone()),
            intake,
            connections: connections(centres()),
            seal: Seal::new(&SEAL),
        });
        let policy = TenantPolicy {
            agents: BTreeMap::from([(AgentId::new("anna").unwrap(), agent())]),
            ..TenantPolicy::default()
        };
        let keeper = Keeper {
            leases: leases.clone(),
            me: Replica { id: Uuid::now_v7(), address: None, holds: vec![Part::Engines, Part::Dispatch] },
            engines: engines.clone(),
            crew: Arc::new(Nobody),
            tenants: centres(),
            settings: Arc::new(move |_| Some(policy.clone().into())),
        };
        let leave = CancellationToken::new();
        let keeper = tokio::spawn(keeper.run(leave.clone()));
        Self { engines, bus, keeper, leave, owner }
    }

    async fn has(&self, many: usize) {
        let came = holds_soon(async || self.engines.tenants().len() == many).await;
        assert!(came, "it has {:?} after {SOON:?}, not {many}", self.engines.tenants());
    }

    /// Gives its tenants back in order and ends.
    async fn leave(self) -> bus::Counts {
        self.leave.cancel();
        self.keeper.await.unwrap();
        let counts = self.bus.counts();
        self.bus.shutdown().await;
        self.owner.abort();
        counts
    }
}

/// What was said of one tenant's calls, in order, as the journal has it.
async fn calls_of(store: &MemoryStore, tenant: &TenantId) -> Vec<String> {
    let mut calls = Vec::new();
    let mut after = Seq(0);
    loop {
        let rows = store.read(tenant, after, 1_000).await.unwrap();
        let Some(last) = rows.last() else { return calls };
        after = last.seq;
        let rang = rows.iter().filter(|row| row.event.kind() == "call.rang.v1");
        let of = |row: &tieline::journal::Recorded| {
            let event: Value = serde_json::to_value(&row.event).unwrap();
            event["call"].as_str().unwrap().to_owned()
        };
        calls.extend(rang.map(of));
    }
}

/// Rings at every contact centre in turn until told to stop; how often it rang at each.
async fn ring_on(client: Client, stop: Arc<AtomicBool>) -> usize {
    let mut rounds = 0;
    while !stop.load(Ordering::Relaxed) {
        for tenant in centres() {
            let message =
                spoken(tenant.as_str(), "ringing", &format!("e-{rounds}"), &format!("c-{rounds:06}"));
            let key = format!("{tenant}.call.ringing.v1");
            client.publish("tieline.intake", &key, message.to_string().as_bytes(), Default::default()).await;
        }
        rounds += 1;
    }
    rounds
}

#[tokio::test(flavor = "multi_thread")]
async fn publishing_and_intake_follow_tenants_from_process_to_process() {
    let broker = Broker::start().unwrap();
    let store = Arc::new(MemoryStore::new());
    let clock = Arc::new(crate::rig::Ticking(tokio::time::Instant::now()));
    let leases: Arc<dyn Leases> = Arc::new(MemoryLeases::new(clock, Duration::from_secs(10)));
    let first = Process::join(&broker, &store, &leases).await;
    first.has(CENTRES).await;
    assert!(holds_soon(async || first.bus.health().moves()).await);
    let client = Client::new(&broker).await;
    client.spy().await;
    let stop = Arc::new(AtomicBool::new(false));
    let ringing = tokio::spawn(ring_on(Client::new(&broker).await, stop.clone()));
    assert!(holds_soon(async || first.bus.counts().taken > 20).await);

    // A feed for a tenant that is elsewhere works, and goes on when the tenant comes.
    let second = Process::join(&broker, &store, &leases).await;
    let feeds = second.bus.feeds();
    second.has(CENTRES / 2).await;
    first.has(CENTRES / 2).await;
    let sessions = (first.bus.counts().sessions, first.bus.counts().dropped);
    assert!(holds_soon(async || second.bus.counts().taken > 20).await, "{:?}", second.bus.counts());
    let there = first.engines.tenants().into_iter().next().unwrap();
    let mut feed = feeds.log_wanted(&there, &crate::rig::salesforce()).unwrap();
    let head = first.engines.head(&there).unwrap();
    let heard = timeout(SOON, feed.next()).await.unwrap().unwrap();
    assert!(heard > Seq(0) && heard <= *head.borrow(), "{heard:?}");
    let more = timeout(SOON, feed.next()).await.unwrap().unwrap();
    assert!(more > heard);

    let one = first.leave().await;
    second.has(CENTRES).await;
    let later = timeout(SOON, feed.next()).await.unwrap().unwrap();
    assert!(later > more, "the tenant came, and its feed goes on");
    stop.store(true, Ordering::Relaxed);
    let rounds = ringing.await.unwrap();
    let all = |calls: &[String]| calls.len() == rounds;
    for tenant in centres() {
        let taken = holds_soon(async || all(&calls_of(&store, &tenant).await)).await;
        let calls = calls_of(&store, &tenant).await;
        assert!(taken, "{tenant} has {} of {rounds}; {:?}", calls.len(), second.bus.counts());
        let order: Vec<_> = (0..rounds).map(|round| format!("c-{round:06}")).collect();
        assert_eq!(calls, order, "{tenant}: all of them, once, in order");
        let published = holds_soon(async || {
            let head = *second.engines.head(&tenant).unwrap().borrow();
            store.cursor(&tenant, &Reader::Bus).await.unwrap() == head
        });
        assert!(published.await, "{tenant} is not published to its end");
    }
    let two = second.leave().await;
    println!("{rounds} rounds over {CENTRES} contact centres: first {one:?}, second {two:?}");
    assert_eq!((one.parked, two.parked), (0, 0), "nothing was put aside because its tenant moved");
    assert_eq!(sessions, (1, 0), "the session stayed");
    assert!(one.handed_over + two.handed_over <= 4, "queues went to and fro: {one:?} {two:?}");

    // Everything was heard, in the order of each tenant's journal.
    let mut spy = client.consume("spy").await;
    let mut last: BTreeMap<String, u64> = BTreeMap::new();
    let heads: BTreeMap<String, u64> = {
        let mut heads = BTreeMap::new();
        for tenant in centres() {
            let cursor = store.cursor(&tenant, &Reader::Bus).await.unwrap();
            heads.insert(tenant.to_string(), cursor.0);
        }
        heads
    };
    while heads.iter().any(|(tenant, head)| last.get(tenant).is_none_or(|last| last < head)) {
        let event: Value = serde_json::from_slice(&crate::rig::next(&mut spy).await.data).unwrap();
        let (tenant, seq) = (event["tenant"].as_str().unwrap().to_owned(), event["seq"].as_u64().unwrap());
        let before = last.get(&tenant).copied();
        assert!(before.is_none_or(|before| seq <= before + 1), "{tenant}: {seq} after {before:?}");
        let now = before.map_or(seq, |before| before.max(seq));
        last.insert(tenant, now);
    }
}
