//! Tests: tenants that move between processes over one store, and keepers that share them out.

use super::{Crew, Drive, Handle, InForce, Keeper, Observer, Request, Whereabouts};
use crate::journal::{
    Fault, Lease, Leases, MemoryLeases, MemoryStore, NewContent, Op, Part, Recorded, Replica, Shard, Store,
};
use async_trait::async_trait;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tieline_engine::Engine;
use tieline_model::{
    Actor, Clock, Code, Command, CommandId, ConversationId, InteractionId, QueueId, Seq, TenantId, Timestamp,
    Wish,
};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Runs with tokio's own time, which stands still until everybody waits.
struct Paused(Instant);

impl Clock for Paused {
    fn now(&self) -> Timestamp {
        Timestamp(1_000 + i64::try_from(self.0.elapsed().as_millis()).unwrap())
    }
}

/// Remembers which tenants were let go.
#[derive(Clone, Default)]
struct Gone(Arc<Mutex<Vec<TenantId>>>);

impl Observer for Gone {
    fn committed(&mut self, _: &TenantId, _: &Engine, _: &[Recorded], _: &[NewContent]) {}
    fn reloaded(&mut self, _: &TenantId, _: &Engine) {}
    fn left(&mut self, tenant: &TenantId) {
        self.0.lock().unwrap().push(tenant.clone());
    }
}

/// Notes which shards' connections run.
#[derive(Default)]
struct Noted(Mutex<BTreeSet<Shard>>);

#[async_trait]
impl Crew for Noted {
    async fn start(&self, lease: Lease) {
        self.0.lock().unwrap().insert(lease.shard);
    }
    async fn stop(&self, shard: Shard) {
        self.0.lock().unwrap().remove(&shard);
    }
}

fn centre(n: usize) -> TenantId {
    TenantId::new(format!("centre-{n}")).unwrap()
}

/// One process without its keeper.
struct Process {
    handle: Handle,
    gone: Gone,
    _runs: JoinHandle<()>,
}

async fn process(store: &Arc<MemoryStore>, clock: &Arc<Paused>) -> Process {
    let gone = Gone::default();
    let none: std::collections::BTreeMap<TenantId, InForce> = Default::default();
    let (drive, handle) =
        Drive::open(store.clone(), clock.clone(), Box::new(gone.clone()), none, || 7).await.unwrap();
    // Its end is not looked at: these tests end it by dropping the runtime.
    let runs = tokio::spawn(async move { drive.run(std::future::pending()).await.unwrap() });
    Process { handle, gone, _runs: runs }
}

fn lease(tenant: &TenantId, epoch: i64) -> Lease {
    Lease { shard: Shard::of(tenant), part: Part::Engines, epoch: crate::journal::Epoch(epoch) }
}

fn in_force() -> InForce {
    super::tests::policy().into()
}

fn chat(tenant: &TenantId, n: u128) -> Request {
    let (interaction, conversation) = (InteractionId(Uuid::from_u128(n)), ConversationId(Uuid::from_u128(n)));
    let (person, piece) = super::person(conversation, Default::default());
    let wish = Wish::StartChat {
        interaction,
        conversation,
        queue: QueueId::new("support").unwrap(),
        person,
        skills: Default::default(),
        marks: Default::default(),
        previous: None,
    };
    let by = Actor::Customer { conversation };
    let id = CommandId::new(format!("start-{n}")).unwrap();
    let mut request = Request::new(tenant.clone(), Command { id, by, wish });
    request.content.push(piece);
    request
}

async fn chats(process: &Process, tenant: &TenantId) -> usize {
    process.handle.read(tenant, |engine| engine.chats().count()).await.unwrap()
}

// proves F1
#[tokio::test(start_paused = true)]
async fn whoever_takes_over_has_everything_and_the_old_owner_lets_go_at_its_next_commit() {
    let (store, clock) = (Arc::<MemoryStore>::default(), Arc::new(Paused(Instant::now())));
    let (a, b) = (process(&store, &clock).await, process(&store, &clock).await);
    let (ours, other) = (centre(1), centre(2));
    for tenant in [&ours, &other] {
        a.handle.take(lease(tenant, 1), tenant.clone(), in_force(), 7).await.unwrap();
    }
    a.handle.submit(chat(&ours, 1)).await.unwrap();
    b.handle.take(lease(&ours, 2), ours.clone(), in_force(), 7).await.unwrap();
    assert_eq!(chats(&b, &ours).await, 1);

    // The old owner does not know yet. What it decides is refused, in words that say to come again, and undone.
    let refusal = a.handle.submit(chat(&ours, 2)).await.unwrap_err();
    assert_eq!(refusal.code, Code::Unavailable);
    assert_eq!(*a.gone.0.lock().unwrap(), std::slice::from_ref(&ours));
    assert_eq!(a.handle.tenants(), std::slice::from_ref(&other));
    // Its other tenants go on, though they stood in the same commit.
    a.handle.submit(chat(&other, 3)).await.unwrap();
    assert_eq!(chats(&a, &other).await, 1);

    b.handle.submit(chat(&ours, 2)).await.unwrap();
    assert_eq!(chats(&b, &ours).await, 2);
}

#[tokio::test(start_paused = true)]
async fn a_shard_that_is_left_comes_back_as_it_was() {
    let (store, clock) = (Arc::<MemoryStore>::default(), Arc::new(Paused(Instant::now())));
    let (a, ours) = (process(&store, &clock).await, centre(1));
    a.handle.take(lease(&ours, 1), ours.clone(), in_force(), 7).await.unwrap();
    a.handle.submit(chat(&ours, 1)).await.unwrap();
    let before = store.open(&ours).await.unwrap().head;
    // Somebody else looked at it meanwhile, so the epoch is not ours any more: the snapshot is kept all the same.
    a.handle.leave(Shard::of(&ours)).await;
    assert!(a.handle.tenants().is_empty());
    assert_eq!(a.handle.submit(chat(&ours, 2)).await.unwrap_err().code, Code::NotFound);
    let opened = store.open(&ours).await.unwrap();
    assert_eq!((opened.head, opened.snapshot.unwrap().seq), (before, before));
    a.handle.take(lease(&ours, 3), ours.clone(), in_force(), 7).await.unwrap();
    assert_eq!(chats(&a, &ours).await, 1);
}

// proves F1
#[tokio::test(start_paused = true)]
async fn while_the_database_is_away_commands_are_refused_and_nothing_is_lost() {
    let (store, clock) = (Arc::<MemoryStore>::default(), Arc::new(Paused(Instant::now())));
    let (a, ours) = (process(&store, &clock).await, centre(1));
    a.handle.take(lease(&ours, 1), ours.clone(), in_force(), 7).await.unwrap();
    a.handle.submit(chat(&ours, 1)).await.unwrap();
    store.inject(|op| if op == Op::Commit { Fault::UnknownKept } else { Fault::Unreachable });
    // It was kept, but nobody can know: the answer says to send it again.
    assert_eq!(a.handle.submit(chat(&ours, 2)).await.unwrap_err().code, Code::Unavailable);
    // And as long as the state cannot be read, nothing is decided or shown.
    assert_eq!(a.handle.submit(chat(&ours, 3)).await.unwrap_err().code, Code::Unavailable);
    let look = a.handle.read(&ours, |engine| engine.chats().count()).await;
    assert_eq!(look.unwrap_err().code, Code::Unavailable);
    store.heal();
    tokio::time::sleep(Duration::from_secs(3)).await;
    let again = a.handle.submit(chat(&ours, 2)).await.unwrap();
    assert!(again.repeated);
    a.handle.submit(chat(&ours, 3)).await.unwrap();
    assert_eq!(chats(&a, &ours).await, 3);
    assert!(a.gone.0.lock().unwrap().is_empty());
}

/// A process with its keeper.
struct Kept {
    me: Replica,
    process: Process,
    crew: Arc<Noted>,
    stop: CancellationToken,
    keeper: JoinHandle<()>,
}

const CENTRES: usize = 200;

async fn kept(n: u128, leases: &MemoryLeases, store: &Arc<MemoryStore>, clock: &Arc<Paused>) -> Kept {
    let process = process(store, clock).await;
    let address = Some(format!("replica-{n}.example:7443"));
    let me = Replica { id: Uuid::from_u128(n), address, holds: vec![Part::Engines, Part::Dispatch] };
    let (crew, stop) = (Arc::<Noted>::default(), CancellationToken::new());
    let keeper = Keeper {
        leases: Arc::new(leases.clone()),
        me: me.clone(),
        engines: process.handle.clone(),
        crew: crew.clone(),
        tenants: (0..CENTRES).map(centre).collect(),
        settings: Arc::new(|_| Some(in_force())),
    };
    let keeper = tokio::spawn(keeper.run(stop.clone()));
    Kept { me, process, crew, stop, keeper }
}

fn all() -> BTreeSet<TenantId> {
    (0..CENTRES).map(centre).collect()
}

/// Waits until these processes serve all tenants, each once, and says how long it took.
async fn shared_out(among: &[&Kept]) -> Duration {
    let began = Instant::now();
    loop {
        let lists: Vec<_> = among.iter().map(|k| k.process.handle.tenants()).collect();
        let together: BTreeSet<TenantId> = lists.iter().flatten().cloned().collect();
        let each_once = lists.iter().map(Vec::len).sum::<usize>() == together.len();
        if together == all() && each_once {
            return began.elapsed();
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{} of {CENTRES}", together.len());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn shards(kept: &Kept) -> BTreeSet<Shard> {
    kept.process.handle.tenants().iter().map(Shard::of).collect()
}

#[tokio::test(start_paused = true)]
async fn shards_spread_by_themselves_and_each_knows_where_the_others_are() {
    let (store, clock) = (Arc::<MemoryStore>::default(), Arc::new(Paused(Instant::now())));
    let leases = MemoryLeases::new(clock.clone(), Duration::from_secs(10));
    let a = kept(1, &leases, &store, &clock).await;
    shared_out(&[&a]).await;
    let b = kept(2, &leases, &store, &clock).await;
    let c = kept(3, &leases, &store, &clock).await;
    // The first gives back what is too much for it; nobody is asked to.
    tokio::time::sleep(Duration::from_secs(5)).await;
    shared_out(&[&a, &b, &c]).await;
    for one in [&a, &b, &c] {
        assert!((20..=22).contains(&shards(one).len()), "{} shards", shards(one).len());
        assert_eq!(shards(one), *one.crew.0.lock().unwrap(), "connections run beside their engines");
    }
    let theirs = c.process.handle.tenants().remove(0);
    assert_eq!(c.process.handle.whereabouts(&theirs), Whereabouts::Here);
    let Whereabouts::There { address, .. } = a.process.handle.whereabouts(&theirs) else {
        panic!("{:?}", a.process.handle.whereabouts(&theirs));
    };
    assert_eq!(Some(address), c.me.address);
}

#[tokio::test(start_paused = true)]
async fn a_clean_exit_hands_over_at_once_and_a_crash_within_seconds() {
    let (store, clock) = (Arc::<MemoryStore>::default(), Arc::new(Paused(Instant::now())));
    let leases = MemoryLeases::new(clock.clone(), Duration::from_secs(10));
    let a = kept(1, &leases, &store, &clock).await;
    let b = kept(2, &leases, &store, &clock).await;
    let c = kept(3, &leases, &store, &clock).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    shared_out(&[&a, &b, &c]).await;
    a.stop.cancel();
    a.keeper.await.unwrap();
    assert!(a.crew.0.lock().unwrap().is_empty() && a.process.handle.tenants().is_empty());
    let took = shared_out(&[&b, &c]).await;
    assert!(took <= Duration::from_secs(1), "{took:?}");

    b.keeper.abort();
    leases.crashed(b.me.id);
    let began = Instant::now();
    while c.process.handle.tenants().len() < CENTRES {
        assert!(began.elapsed() <= Duration::from_secs(3), "{} only", c.process.handle.tenants().len());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn who_cannot_reach_the_database_lets_go_before_others_may_take_over() {
    let (store, clock) = (Arc::<MemoryStore>::default(), Arc::new(Paused(Instant::now())));
    let leases = MemoryLeases::new(clock.clone(), Duration::from_secs(10));
    let a = kept(1, &leases, &store, &clock).await;
    let b = kept(2, &leases, &store, &clock).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    shared_out(&[&a, &b]).await;
    let (mine, began) = (b.process.handle.tenants(), Instant::now());
    leases.cut(b.me.id, true);
    while !b.process.handle.tenants().is_empty() {
        let early = a.process.handle.tenants();
        assert!(mine.iter().all(|t| !early.contains(t)), "two serve one tenant");
        assert!(began.elapsed() <= Duration::from_secs(10));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    while a.process.handle.tenants().len() < CENTRES {
        assert!(began.elapsed() <= Duration::from_secs(12), "{:?}", began.elapsed());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // And when it is back, it takes its share again.
    leases.cut(b.me.id, false);
    tokio::time::sleep(Duration::from_secs(5)).await;
    shared_out(&[&a, &b]).await;
    assert!(b.process.handle.tenants().len() > CENTRES / 4);
}

#[tokio::test(start_paused = true)]
async fn connections_go_to_whoever_is_there_for_them_alone() {
    let (store, clock) = (Arc::<MemoryStore>::default(), Arc::new(Paused(Instant::now())));
    let leases = MemoryLeases::new(clock.clone(), Duration::from_secs(10));
    let a = kept(1, &leases, &store, &clock).await;
    shared_out(&[&a]).await;
    assert!(!a.crew.0.lock().unwrap().is_empty());
    let apart = Replica { id: Uuid::from_u128(9), address: None, holds: vec![Part::Dispatch] };
    leases.appear(&apart).await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(a.crew.0.lock().unwrap().is_empty());
    let shard = *shards(&a).first().unwrap();
    assert!(leases.take(&apart, shard, Part::Dispatch).await.unwrap().is_some());
    // A gateway that owns nothing forwards everything.
    assert_eq!(a.process.handle.owned().borrow().len(), CENTRES);
    assert_eq!(a.process.handle.head(&centre(0)).map(|head| *head.borrow() > Seq(0)), Some(true));
}
