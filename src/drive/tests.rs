//! The owner's loop over the memory store, with commits that fail in every way they can.

use super::{Blind, Drive, Handle, Request, content};
use crate::journal::Store;
use crate::journal::{Fault, Faults, MemoryStore, Op};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use tieline_engine::{Engine, Stage};
use tieline_model::command::Presence;
use tieline_model::content::{Content, Person};
use tieline_model::policy::{AgentPolicy, QueuePolicy, TenantPolicy};
use tieline_model::{
    Actor, AgentId, Clock, Code, Command, CommandId, ConversationId, InteractionId, QueueId, Seq, SessionId,
    TenantId, Timestamp, Wish,
};
use uuid::Uuid;

struct Hands(AtomicI64);

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

fn tenant() -> TenantId {
    TenantId::new("demo").unwrap()
}

pub(super) fn policy() -> TenantPolicy {
    let queue = QueueId::new("support").unwrap();
    let agent = AgentPolicy {
        name: "Anna".into(),
        queues: [queue.clone()].into(),
        extension: None,
        may_reject: true,
        supervisor: false,
        chat_capacity: 3,
        crm_users: std::collections::BTreeMap::new(),
        skills: Default::default(),
    };
    TenantPolicy {
        agents: [(AgentId::new("anna").unwrap(), agent)].into(),
        queues: [(queue, QueuePolicy::named("Support"))].into(),
        ..TenantPolicy::default()
    }
}

struct House {
    store: Arc<MemoryStore>,
    clock: Arc<Hands>,
    handle: Handle,
    runs: tokio::task::JoinHandle<()>,
}

async fn house(store: Arc<MemoryStore>, at: i64) -> House {
    let clock = Arc::new(Hands(AtomicI64::new(at)));
    let tenants = BTreeMap::from([(tenant(), policy())]);
    let (drive, handle) =
        Drive::open(store.clone(), clock.clone(), Box::new(Blind), tenants, || 7).await.unwrap();
    let runs = tokio::spawn(async move { drive.run(std::future::pending()).await.unwrap() });
    House { store, clock, handle, runs }
}

fn command(id: &str, by: Actor, wish: Wish) -> Request {
    Request::new(tenant(), Command { id: CommandId::new(id).unwrap(), by, wish })
}

fn anna(id: &str, wish: Wish) -> Request {
    command(id, Actor::Agent { agent: AgentId::new("anna").unwrap() }, wish)
}

fn chat(n: u128) -> (InteractionId, Request) {
    let (interaction, conversation) = (InteractionId(Uuid::from_u128(n)), ConversationId(Uuid::from_u128(n)));
    let (person, piece) = super::person(conversation, Person::default());
    let queue = QueueId::new("support").unwrap();
    let wish = Wish::StartChat {
        interaction,
        conversation,
        queue,
        person,
        skills: Default::default(),
        marks: Default::default(),
        previous: None,
    };
    let mut request = command(&format!("start-{n}"), Actor::Customer { conversation }, wish);
    request.content.push(piece);
    (interaction, request)
}

/// Anna connects and is Available; `n` makes her session.
async fn at_work(house: &House, n: u128) {
    let session = SessionId(Uuid::from_u128(n));
    house.handle.submit(anna(&format!("connect-{n}"), Wish::Connect { session })).await.unwrap();
    let presence = Presence::Available;
    let wish = Wish::SetPresence { presence, confirmed: false };
    house.handle.submit(anna(&format!("presence-{n}"), wish)).await.unwrap();
}

fn says(id: &str, chat: InteractionId, text: &str) -> Request {
    let conversation = ConversationId(chat.0);
    let (text, piece) = content(conversation, Content::Message { text: text.into() });
    let wish = Wish::SendMessage { interaction: chat, text };
    let mut request = command(id, Actor::Customer { conversation }, wish);
    request.content.push(piece);
    request
}

/// Fails the next commit in one way.
struct Once(Option<Fault>);

impl Faults for Once {
    fn next(&mut self, op: Op) -> Fault {
        if op == Op::Commit { self.0.take().unwrap_or_default() } else { Fault::None }
    }
}

#[tokio::test]
async fn the_same_id_and_body_count_once_and_another_body_is_refused() {
    let house = house(Arc::default(), 1_000).await;
    let (id, start) = chat(1);
    house.handle.submit(start).await.unwrap();
    let first = house.handle.submit(says("m1", id, "hello")).await.unwrap();
    let again = house.handle.submit(says("m1", id, "hello")).await.unwrap();
    assert_eq!((first.repeated, again.repeated, again.seq), (false, true, first.seq));
    let refusal = house.handle.submit(says("m1", id, "goodbye")).await.unwrap_err();
    assert_eq!(refusal.code, Code::IdReused);
    house.runs.abort();
}

#[tokio::test]
async fn a_commit_of_unknown_outcome_is_found_out_and_counts_once() {
    for fault in [Fault::UnknownKept, Fault::UnknownLost] {
        let house = house(Arc::default(), 1_000).await;
        let (id, start) = chat(1);
        house.handle.submit(start).await.unwrap();
        house.store.inject(Once(Some(fault)));
        house.handle.submit(says("m1", id, "hello")).await.unwrap();
        let rows = house.store.read_interaction(&tenant(), id).await.unwrap();
        assert_eq!(rows.len(), 2, "one start, one message: {rows:?}");
        house.runs.abort();
    }
}

#[tokio::test]
async fn a_refused_commit_changes_nothing_and_the_next_one_goes_on() {
    let house = house(Arc::default(), 1_000).await;
    let (id, start) = chat(1);
    house.store.inject(Once(Some(Fault::Full)));
    let refusal = house.handle.submit(start.clone()).await.unwrap_err();
    assert_eq!(refusal.code, Code::Full);
    assert!(house.handle.read(&tenant(), move |e| e.chat(id).is_none()).await.unwrap());
    house.handle.submit(start).await.unwrap();
    assert!(house.handle.read(&tenant(), move |e| e.chat(id).is_some()).await.unwrap());
    house.runs.abort();
}

// proves F2
#[tokio::test]
async fn an_offer_has_the_time_it_had_after_a_restart() {
    let first = house(Arc::default(), 10_000).await;
    let session = SessionId(Uuid::from_u128(1));
    first.handle.submit(anna("c", Wish::Connect { session })).await.unwrap();
    let presence = Presence::Available;
    first.handle.submit(anna("p", Wish::SetPresence { presence, confirmed: false })).await.unwrap();
    let (id, start) = chat(1);
    first.handle.submit(start).await.unwrap();
    first.clock.0.store(20_000, Ordering::SeqCst);
    first.handle.submit(says("m1", id, "hello")).await.unwrap();
    let before = first.handle.read(&tenant(), |e| e.next_deadline()).await.unwrap().unwrap().0;
    assert_eq!(before, Timestamp(40_000));
    first.runs.abort();
    drop(first.handle);

    let second = house(first.store, 500_000).await;
    let after = second.handle.read(&tenant(), |e| e.next_deadline()).await.unwrap().unwrap().0;
    assert_eq!(after, Timestamp(520_000), "20 s were left when it stopped, and are left now");
    second.runs.abort();
}

// proves F3
#[tokio::test]
async fn a_drain_takes_offers_back_for_good_and_a_restart_makes_them_again() {
    let first = house(Arc::default(), 10_000).await;
    at_work(&first, 1).await;
    let (id, start) = chat(1);
    first.handle.submit(start).await.unwrap();
    let offered = move |e: &tieline_engine::Engine| {
        matches!(&e.chat(id).unwrap().stage, tieline_engine::Stage::Offered(_))
    };
    assert!(first.handle.read(&tenant(), offered).await.unwrap());

    // Even if the first commit is lost on the way, which makes the engine anew.
    first.store.inject(Once(Some(Fault::UnknownLost)));
    first.handle.drain().await.unwrap();
    assert!(!first.handle.read(&tenant(), offered).await.unwrap());
    let (_, another) = chat(2);
    first.handle.submit(another).await.unwrap();
    let to_her = |e: &tieline_engine::Engine| e.agent(&AgentId::new("anna").unwrap()).unwrap().offered;
    let to_her = first.handle.read(&tenant(), to_her).await.unwrap();
    assert_eq!(to_her, None, "what comes in after all is kept, and handed out later");
    first.runs.abort();
    drop(first.handle);

    let second = house(first.store, 500_000).await;
    at_work(&second, 2).await;
    assert!(
        second.handle.read(&tenant(), offered).await.unwrap(),
        "the first in the line, to the first who is free"
    );
    second.runs.abort();
}

#[tokio::test]
async fn an_owner_that_does_not_run_does_not_pass_for_alive() {
    let tenants = BTreeMap::from([(tenant(), policy())]);
    let clock = Arc::new(Hands(AtomicI64::new(1_000)));
    let store: Arc<MemoryStore> = Arc::default();
    let (drive, handle) = Drive::open(store, clock, Box::new(Blind), tenants, || 7).await.unwrap();
    let asked = tokio::time::timeout(std::time::Duration::from_millis(100), handle.moves()).await;
    assert!(asked.is_err(), "nobody answers while it hangs");
    let runs = tokio::spawn(drive.run(std::future::pending()));
    assert!(handle.moves().await);
    runs.abort();
    assert!(runs.await.is_err());
    assert!(!handle.moves().await);
}

// proves F3
#[tokio::test]
async fn a_drain_that_cannot_be_kept_says_so_and_leaves_the_offers() {
    let house = house(Arc::default(), 10_000).await;
    at_work(&house, 1).await;
    let (id, start) = chat(1);
    house.handle.submit(start).await.unwrap();
    house.store.inject(Once(Some(Fault::Full)));
    assert_eq!(house.handle.drain().await.unwrap_err().code, Code::Full);
    let offered = move |e: &tieline_engine::Engine| {
        matches!(&e.chat(id).unwrap().stage, tieline_engine::Stage::Offered(_))
    };
    assert!(house.handle.read(&tenant(), offered).await.unwrap());
    house.runs.abort();
}

// proves F2, F3
#[tokio::test]
async fn a_stop_in_order_gives_timers_exactly_what_they_had() {
    let store: Arc<MemoryStore> = Arc::default();
    let clock = Arc::new(Hands(AtomicI64::new(10_000)));
    let tenants = BTreeMap::from([(tenant(), policy())]);
    let (drive, handle) =
        Drive::open(store.clone(), clock.clone(), Box::new(Blind), tenants, || 7).await.unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let runs = tokio::spawn(async move { drive.run(async { drop(stopped.await) }).await.unwrap() });
    let first = House { store, clock, handle, runs };
    at_work(&first, 1).await;
    let (_, start) = chat(1);
    first.handle.submit(start).await.unwrap();
    // Less than a heartbeat later it stops.
    first.clock.0.store(10_900, Ordering::SeqCst);
    drop(stop);
    first.runs.await.unwrap();

    let second = house(first.store, 500_000).await;
    let offered = |engine: &Engine| {
        engine.chats().find_map(|chat| match &chat.stage {
            Stage::Offered(offer) => Some(offer.deadline),
            Stage::Waiting | Stage::Owned { .. } | Stage::Form { .. } => None,
        })
    };
    let after = second.handle.read(&tenant(), offered).await.unwrap();
    assert_eq!(after, Some(Timestamp(529_100)), "29.1 s were left when it stopped, and are left now");
    second.runs.abort();
}

// proves F1
#[tokio::test]
async fn the_second_owner_fences_the_first() {
    let first = house(Arc::default(), 1_000).await;
    let second = house(first.store.clone(), 2_000).await;
    let (_, start) = chat(1);
    let refusal = first.handle.submit(start.clone()).await.unwrap_err();
    assert_eq!(refusal.code, Code::Unavailable);
    assert!(first.runs.await.is_err(), "the first owner ends");
    second.handle.submit(start).await.unwrap();
    assert!(second.store.read(&tenant(), Seq(0), 100).await.unwrap().len() > 3);
    second.runs.abort();
}

#[tokio::test]
async fn replay_gives_the_state_that_was_live() {
    let house = house(Arc::default(), 1_000).await;
    for n in 0..20 {
        let (id, start) = chat(n);
        house.handle.submit(start).await.unwrap();
        house.handle.submit(says(&format!("m{n}"), id, "hello")).await.unwrap();
    }
    let live = house.handle.read(&tenant(), Clone::clone).await.unwrap();
    let mut replayed = tieline_engine::Engine::new();
    for row in house.store.read(&tenant(), Seq(0), 1_000).await.unwrap() {
        replayed.apply(row.at, &row.event);
    }
    assert_eq!(live, replayed);
    let bytes = serde_json::to_vec(&live).unwrap();
    let restored: tieline_engine::Engine = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(restored.restored(), live);
    house.runs.abort();
}

/// Writes down what it is told of trouble.
#[derive(Clone, Default)]
struct Told(Arc<std::sync::Mutex<Vec<Option<String>>>>);

impl super::Observer for Told {
    fn committed(
        &mut self,
        _: &TenantId,
        _: &tieline_engine::Engine,
        _: &[crate::journal::Recorded],
        _: &[crate::journal::NewContent],
    ) {
    }
    fn reloaded(&mut self, _: &TenantId, _: &tieline_engine::Engine) {}
    fn trouble(&mut self, why: Option<&str>) {
        self.0.lock().unwrap().push(why.map(str::to_owned));
    }
}

#[tokio::test]
async fn a_journal_that_takes_nothing_is_told_once_and_so_is_its_return() {
    let store = Arc::new(MemoryStore::new());
    let clock = Arc::new(Hands(AtomicI64::new(1_000)));
    let told = Told::default();
    let tenants = BTreeMap::from([(tenant(), policy())]);
    let (drive, handle) =
        Drive::open(store.clone(), clock, Box::new(told.clone()), tenants, || 7).await.unwrap();
    let runs = tokio::spawn(async move { drive.run(std::future::pending()).await.unwrap() });
    store.inject(Once(Some(Fault::Full)));
    let (_, start) = chat(1);
    handle.submit(start.clone()).await.unwrap_err();
    handle.submit(start).await.unwrap();
    let told = told.0.lock().unwrap().clone();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].as_ref().is_some_and(|why| why.contains("full")) && told[1].is_none());
    runs.abort();
}
