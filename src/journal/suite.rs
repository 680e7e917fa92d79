//! What every store promises, as tests over the trait. Each store runs all of it.

use super::*;
use std::sync::Arc;
use tieline_model::content::{ContentRef, Person};
use tieline_model::crm::Side;
use tieline_model::{AgentId, SessionId};
use uuid::Uuid;

/// A store, and what must live as long as it.
pub(super) struct Fixture {
    pub(super) store: Arc<dyn Store>,
    pub(super) _keep: Box<dyn std::any::Any>,
}

pub(super) fn tenant(name: &str) -> TenantId {
    TenantId::new(name).unwrap()
}

pub(super) fn conversation(n: u128) -> ConversationId {
    ConversationId(Uuid::from_u128(n))
}

pub(super) fn interaction(n: u128) -> InteractionId {
    InteractionId(Uuid::from_u128(n))
}

pub(super) fn connection(name: &str) -> ConnectionId {
    ConnectionId::new(name).unwrap()
}

/// A row at `seq`, one second a row.
pub(super) fn row(seq: u64) -> Recorded {
    let event = Event::AgentConnected {
        agent: AgentId::new("anna").unwrap(),
        session: SessionId(Uuid::from_u128(u128::from(seq))),
    };
    Recorded { seq: Seq(seq), at: at(seq), event }
}

pub(super) fn at(seq: u64) -> Timestamp {
    Timestamp(1_000 * i64::try_from(seq).unwrap())
}

/// A message of a chat as a row and its content.
pub(super) fn said(seq: u64, chat: u128, text: &str) -> (Recorded, NewContent) {
    let id = ContentId(Uuid::from_u128(1_000_000 * chat + u128::from(seq)));
    let event = Event::MessageSent {
        interaction: interaction(chat),
        message: CommandId::new(format!("m{seq}")).unwrap(),
        from: Side::Customer,
        agent: None,
        text: ContentRef { id, chars: 1, bytes: 1 },
    };
    let content = Content::Message { text: text.to_owned() };
    (
        Recorded { seq: Seq(seq), at: at(seq), event },
        NewContent { id, conversation: conversation(chat), content },
    )
}

pub(super) fn rows(seqs: impl IntoIterator<Item = u64>) -> Batch {
    Batch { rows: seqs.into_iter().map(row).collect(), ..Batch::default() }
}

pub(super) fn one(tenant: &TenantId, epoch: Epoch, batch: Batch) -> Commit {
    vec![(tenant.clone(), epoch, batch)]
}

fn command(id: &str, caller: &str, seq: u64) -> Remembered {
    let digest = [u8::try_from(seq).unwrap(); 32];
    Remembered { caller: caller.into(), id: CommandId::new(id).unwrap(), digest, seq: Seq(seq) }
}

fn want(chat: u128, version: u64, next_at: i64) -> Want {
    Want {
        connection: connection("sf"),
        interaction: interaction(chat),
        conversation: conversation(chat),
        version,
        next_at: Timestamp(next_at),
    }
}

const LOGS: fn() -> Reader = || Reader::Logs(connection("sf"));

async fn row_of(store: &dyn Store, tenant: &TenantId, chat: u128) -> Delivery {
    store.delivery(tenant, &connection("sf"), interaction(chat)).await.unwrap().unwrap()
}

pub(super) async fn what_was_appended_is_read_in_order(store: Arc<dyn Store>) {
    let (a, b) = (tenant("a"), tenant("b"));
    let opened = store.open(&a).await.unwrap();
    assert_eq!((opened.head, opened.alive_at, opened.snapshot), (Seq(0), None, None));
    let other = store.open(&b).await.unwrap();
    store
        .commit(&vec![(a.clone(), opened.epoch, rows(1..=100)), (b.clone(), other.epoch, rows(1..=3))])
        .await
        .unwrap();
    store.commit(&one(&a, opened.epoch, rows(101..=103))).await.unwrap();

    let all = store.read(&a, Seq(0), 1_000).await.unwrap();
    assert_eq!(all, rows(1..=103).rows);
    assert_eq!(store.read(&a, Seq(100), 2).await.unwrap(), rows(101..=102).rows);
    assert_eq!(store.read(&a, Seq(103), 10).await.unwrap(), []);
    assert_eq!(store.read(&b, Seq(0), 10).await.unwrap().len(), 3);
    assert_eq!(store.read(&tenant("nobody"), Seq(0), 10).await.unwrap(), []);
    let again = store.open(&a).await.unwrap();
    assert_eq!((again.head, again.alive_at), (Seq(103), Some(at(103))));
    assert!(again.epoch > opened.epoch);
}

pub(super) async fn an_interaction_is_read_alone(store: Arc<dyn Store>) {
    let a = tenant("a");
    let epoch = store.open(&a).await.unwrap().epoch;
    let mine = [said(2, 7, "x").0, said(4, 7, "y").0];
    let batch = vec![row(1), mine[0].clone(), said(3, 8, "z").0, mine[1].clone()];
    store.commit(&one(&a, epoch, Batch { rows: batch, ..Batch::default() })).await.unwrap();
    assert_eq!(store.read_interaction(&a, interaction(7)).await.unwrap(), mine);
    assert_eq!(store.read_interaction(&tenant("b"), interaction(7)).await.unwrap(), []);
}

pub(super) async fn a_gap_is_refused_and_nothing_is_kept(store: Arc<dyn Store>) {
    let (a, b) = (tenant("a"), tenant("b"));
    let epoch = store.open(&a).await.unwrap().epoch;
    let other = store.open(&b).await.unwrap().epoch;
    store.commit(&one(&a, epoch, rows(1..=2))).await.unwrap();
    for bad in [rows([4]), rows([2]), rows([3, 5]), rows([3, 3])] {
        let commit = vec![(b.clone(), other, rows([1])), (a.clone(), epoch, bad)];
        assert!(matches!(store.commit(&commit).await, Err(Error::Refused(_))));
    }
    let mut early = rows([3]);
    early.rows[0].at = at(1);
    assert!(matches!(store.commit(&one(&a, epoch, early)).await, Err(Error::Refused(_))));
    let twice = vec![(a.clone(), epoch, rows([3])), (a.clone(), epoch, rows([4]))];
    assert!(matches!(store.commit(&twice).await, Err(Error::Refused(_))));

    assert_eq!(store.read(&a, Seq(0), 10).await.unwrap().len(), 2);
    assert_eq!(store.read(&b, Seq(0), 10).await.unwrap().len(), 0);
    store.commit(&one(&a, epoch, rows([3]))).await.unwrap();
}

pub(super) async fn a_second_owner_fences_the_first(store: Arc<dyn Store>) {
    let a = tenant("a");
    let first = store.open(&a).await.unwrap().epoch;
    store.commit(&one(&a, first, rows([1]))).await.unwrap();
    let second = store.open(&a).await.unwrap().epoch;
    let fenced = store.commit(&one(&a, first, rows([2]))).await;
    assert!(matches!(fenced, Err(Error::Fenced(t)) if t == a));
    assert!(matches!(store.heartbeat(&a, first, at(9)).await, Err(Error::Fenced(_))));
    store.commit(&one(&a, second, rows([2]))).await.unwrap();
    let never = store.commit(&one(&tenant("never"), Epoch(1), rows([1]))).await;
    assert!(matches!(never, Err(Error::Fenced(_))));
    assert_eq!(store.read(&a, Seq(0), 10).await.unwrap().len(), 2);
}

pub(super) async fn commands_are_remembered_and_forgotten(store: Arc<dyn Store>) {
    let (a, b) = (tenant("a"), tenant("b"));
    let epoch = store.open(&a).await.unwrap().epoch;
    let mut batch = rows([1]);
    batch.commands = vec![command("c1", "agent:anna", 1), command("c1", "agent:ben", 1)];
    store.commit(&one(&a, epoch, batch)).await.unwrap();
    let id = CommandId::new("c1").unwrap();
    let found = store.remembered(&a, "agent:anna", &id).await.unwrap();
    assert_eq!(found, Some(command("c1", "agent:anna", 1)));
    assert_eq!(store.remembered(&a, "agent:eve", &id).await.unwrap(), None);
    assert_eq!(store.remembered(&b, "agent:anna", &id).await.unwrap(), None);

    let mut again = rows([2]);
    again.commands = vec![command("c1", "agent:anna", 2)];
    assert!(matches!(store.commit(&one(&a, epoch, again)).await, Err(Error::Refused(_))));
    assert_eq!(store.read(&a, Seq(0), 10).await.unwrap().len(), 1);

    // A command that changed nothing is as old as the last sign of life, not as the last event.
    store.heartbeat(&a, epoch, at(50)).await.unwrap();
    let idle = Batch { commands: vec![command("c2", "agent:anna", 1)], ..Batch::default() };
    store.commit(&one(&a, epoch, idle)).await.unwrap();
    assert_eq!(store.forget_commands(at(1)).await.unwrap(), 0);
    assert_eq!(store.forget_commands(at(50)).await.unwrap(), 2);
    assert_eq!(store.remembered(&a, "agent:anna", &id).await.unwrap(), None);
    let kept = CommandId::new("c2").unwrap();
    assert!(store.remembered(&a, "agent:anna", &kept).await.unwrap().is_some());
}

pub(super) async fn a_heartbeat_never_goes_back(store: Arc<dyn Store>) {
    let a = tenant("a");
    let epoch = store.open(&a).await.unwrap().epoch;
    store.heartbeat(&a, epoch, at(9)).await.unwrap();
    store.heartbeat(&a, epoch, at(5)).await.unwrap();
    store.commit(&one(&a, epoch, rows(1..=2))).await.unwrap();
    let opened = store.open(&a).await.unwrap();
    assert_eq!(opened.alive_at, Some(at(9)));
    store.commit(&one(&a, opened.epoch, rows(3..=12))).await.unwrap();
    assert_eq!(store.open(&a).await.unwrap().alive_at, Some(at(12)));
}

pub(super) async fn the_two_newest_snapshots_stay(store: Arc<dyn Store>) {
    let a = tenant("a");
    let epoch = store.open(&a).await.unwrap().epoch;
    store.commit(&one(&a, epoch, rows(1..=3))).await.unwrap();
    for seq in [1, 2, 3] {
        let snapshot = Snapshot { seq: Seq(seq), body: vec![u8::try_from(seq).unwrap(); 5] };
        store.save_snapshot(&a, &snapshot).await.unwrap();
    }
    let newest = store.open(&a).await.unwrap().snapshot;
    assert_eq!(newest, Some(Snapshot { seq: Seq(3), body: vec![3; 5] }));
    // One that is ahead of the journal (restored from an older backup) says nothing about it.
    store.save_snapshot(&a, &Snapshot { seq: Seq(9), body: vec![9] }).await.unwrap();
    let newest = store.open(&a).await.unwrap().snapshot;
    assert_eq!(newest, Some(Snapshot { seq: Seq(3), body: vec![3; 5] }));
    assert_eq!(store.open(&tenant("b")).await.unwrap().snapshot, None);
}

pub(super) async fn cursors_only_move_on(store: Arc<dyn Store>) {
    let a = tenant("a");
    assert_eq!(store.cursor(&a, &Reader::Bus).await.unwrap(), Seq(0));
    store.move_cursor(&a, &Reader::Bus, Seq(5)).await.unwrap();
    store.move_cursor(&a, &Reader::Bus, Seq(3)).await.unwrap();
    assert_eq!(store.cursor(&a, &Reader::Bus).await.unwrap(), Seq(5));
    assert_eq!(store.cursor(&a, &LOGS()).await.unwrap(), Seq(0));
    store.want(&a, &[], &LOGS(), Seq(4)).await.unwrap();
    store.want(&a, &[], &LOGS(), Seq(2)).await.unwrap();
    assert_eq!(store.cursor(&a, &LOGS()).await.unwrap(), Seq(4));
    assert_eq!(store.cursor(&a, &Reader::Pops(connection("sf"))).await.unwrap(), Seq(0));
    assert_eq!(store.cursor(&tenant("b"), &Reader::Bus).await.unwrap(), Seq(0));
}

pub(super) async fn wanted_work_comes_due_oldest_first(store: Arc<dyn Store>) {
    let (a, sf) = (tenant("a"), connection("sf"));
    assert_eq!(store.next_due(&a, &sf).await.unwrap(), None);
    store.want(&a, &[want(1, 5, 300), want(2, 6, 100), want(3, 7, 900)], &LOGS(), Seq(7)).await.unwrap();
    assert_eq!(store.next_due(&a, &sf).await.unwrap(), Some(Timestamp(100)));
    let due = store.due(&a, &sf, Timestamp(300), 10).await.unwrap();
    assert_eq!(due.iter().map(|d| d.interaction).collect::<Vec<_>>(), [interaction(2), interaction(1)]);
    assert_eq!(store.due(&a, &sf, Timestamp(300), 1).await.unwrap().len(), 1);
    assert_eq!(store.due(&a, &connection("zd"), Timestamp(300), 10).await.unwrap(), []);
    assert_eq!(store.due(&tenant("b"), &sf, Timestamp(300), 10).await.unwrap(), []);

    let first = &due[0];
    assert_eq!((first.wanted, first.done, first.attempt, first.tried_ms), (6, 0, 0, 0));
    assert_eq!((first.progress.as_str(), &first.last_error), (NO_PROGRESS, &None));
    store.settle(&a, &Delivery { done: 6, ..first.clone() }).await.unwrap();
    assert_eq!(store.due(&a, &sf, Timestamp(300), 10).await.unwrap().len(), 1);
    // The same version again is no work.
    store.want(&a, &[want(2, 6, 50)], &LOGS(), Seq(8)).await.unwrap();
    assert_eq!(store.next_due(&a, &sf).await.unwrap(), Some(Timestamp(300)));
    store.want(&a, &[want(2, 9, 50)], &LOGS(), Seq(9)).await.unwrap();
    assert_eq!(store.next_due(&a, &sf).await.unwrap(), Some(Timestamp(50)));
}

pub(super) async fn a_want_during_a_try_is_not_lost(store: Arc<dyn Store>) {
    let (a, sf) = (tenant("a"), connection("sf"));
    store.want(&a, &[want(1, 5, 100)], &LOGS(), Seq(5)).await.unwrap();
    let taken = row_of(&*store, &a, 1).await;
    store.want(&a, &[want(1, 8, 400)], &LOGS(), Seq(8)).await.unwrap();
    store.want(&a, &[want(1, 6, 400)], &LOGS(), Seq(8)).await.unwrap();
    store.settle(&a, &Delivery { done: 5, ..taken }).await.unwrap();
    let now = row_of(&*store, &a, 1).await;
    assert_eq!((now.wanted, now.done), (8, 5));
    assert_eq!(store.due(&a, &sf, Timestamp(100), 10).await.unwrap(), [now]);
}

pub(super) async fn a_want_does_not_shorten_a_back_off(store: Arc<dyn Store>) {
    let a = tenant("a");
    store.want(&a, &[want(1, 5, 500)], &LOGS(), Seq(5)).await.unwrap();
    store.want(&a, &[want(1, 6, 200)], &LOGS(), Seq(6)).await.unwrap();
    let row = row_of(&*store, &a, 1).await;
    assert_eq!(row.next_at, Timestamp(200));
    let failed = Delivery {
        attempt: 1,
        next_at: Timestamp(9_000),
        tried_ms: 70,
        last_error: Some("down".into()),
        progress: r#"{"step":1}"#.into(),
        sent_digest: Some([4; 32]),
        ..row
    };
    store.settle(&a, &failed).await.unwrap();
    store.want(&a, &[want(1, 7, 300)], &LOGS(), Seq(7)).await.unwrap();
    assert_eq!(row_of(&*store, &a, 1).await, Delivery { wanted: 7, ..failed });
    let stranger = Delivery { interaction: interaction(99), ..row_of(&*store, &a, 1).await };
    assert!(matches!(store.settle(&a, &stranger).await, Err(Error::Refused(_))));
}

pub(super) async fn the_dead_stay_dead_until_revived(store: Arc<dyn Store>) {
    let (a, sf) = (tenant("a"), connection("sf"));
    store.want(&a, &[want(1, 5, 100), want(2, 5, 100)], &LOGS(), Seq(5)).await.unwrap();
    for chat in [2, 1] {
        let row = row_of(&*store, &a, chat).await;
        let dead = Delivery {
            state: DeliveryState::Dead,
            attempt: 3,
            tried_ms: 9,
            last_error: Some("no".into()),
            ..row
        };
        store.settle(&a, &dead).await.unwrap();
    }
    store.want(&a, &[want(1, 9, 1)], &LOGS(), Seq(9)).await.unwrap();
    assert_eq!(store.due(&a, &sf, Timestamp(10_000), 10).await.unwrap(), []);
    assert_eq!(store.next_due(&a, &sf).await.unwrap(), None);
    let dead = store.dead(&a, 10).await.unwrap();
    assert_eq!(dead.iter().map(|d| d.interaction).collect::<Vec<_>>(), [interaction(1), interaction(2)]);
    assert_eq!((dead[0].wanted, dead[0].last_error.as_deref()), (9, Some("no")));
    assert_eq!(store.dead(&a, 1).await.unwrap().len(), 1);
    assert_eq!(store.dead(&tenant("b"), 10).await.unwrap(), []);

    let backlog = store.backlog(&a).await.unwrap();
    assert_eq!(backlog.get(&sf), Some(&Backlog { waiting: 0, dead: 2 }));
    assert!(store.revive(&a, &sf, interaction(1), Timestamp(700)).await.unwrap());
    assert_eq!(store.backlog(&a).await.unwrap().get(&sf), Some(&Backlog { waiting: 1, dead: 1 }));
    assert_eq!(store.backlog(&tenant("b")).await.unwrap(), BTreeMap::new());
    assert!(!store.revive(&a, &sf, interaction(1), Timestamp(700)).await.unwrap());
    assert!(!store.revive(&a, &sf, interaction(9), Timestamp(700)).await.unwrap());
    let due = store.due(&a, &sf, Timestamp(700), 10).await.unwrap();
    assert_eq!((due[0].attempt, due[0].tried_ms, due[0].next_at), (0, 0, Timestamp(700)));
    assert_eq!(due[0].last_error.as_deref(), Some("no"));
    assert_eq!(store.dead(&a, 10).await.unwrap().len(), 1);
}

pub(super) async fn content_and_conversations_are_found_again(store: Arc<dyn Store>) {
    let (a, b) = (tenant("a"), tenant("b"));
    let epoch = store.open(&a).await.unwrap().epoch;
    let (row1, first) = said(1, 1, "Grüezi");
    let person = Content::Person { person: Person { name: Some("A. Muster".into()), ..Person::default() } };
    let second =
        NewContent { id: ContentId(Uuid::from_u128(5)), conversation: conversation(2), content: person };
    let phone = || Handle::Phone("+41440000000".into());
    let batch = Batch {
        rows: vec![row1],
        content: vec![first.clone(), second.clone()],
        handles: vec![(conversation(1), phone()), (conversation(2), phone()), (conversation(1), phone())],
        commands: vec![],
    };
    store.commit(&one(&a, epoch, batch)).await.unwrap();

    let nothing = ContentId(Uuid::from_u128(404));
    let found = store.content(&a, &[second.id, nothing, first.id]).await.unwrap();
    assert_eq!(found, [(second.id, second.content), (first.id, first.content.clone())]);
    assert_eq!(store.content(&b, &[first.id]).await.unwrap(), []);
    assert_eq!(store.content(&a, &[]).await.unwrap(), []);
    assert_eq!(store.conversations(&a, &phone(), 10).await.unwrap(), [conversation(2), conversation(1)]);
    assert_eq!(store.conversations(&a, &phone(), 1).await.unwrap(), [conversation(2)]);
    assert_eq!(store.conversations(&b, &phone(), 10).await.unwrap(), []);
    let email = Handle::Email("+41440000000".into());
    assert_eq!(store.conversations(&a, &email, 10).await.unwrap(), []);

    let twice = Batch { content: vec![first], ..Batch::default() };
    assert!(matches!(store.commit(&one(&a, epoch, twice)).await, Err(Error::Refused(_))));
}

pub(super) async fn erasing_leaves_nothing_of_a_conversation(store: Arc<dyn Store>) {
    let a = tenant("a");
    let epoch = store.open(&a).await.unwrap().epoch;
    let ((row1, gone), (row2, stays)) = (said(1, 1, "secret"), said(2, 2, "other"));
    let email = Handle::Email("a@example.org".into());
    let batch = Batch {
        rows: vec![row1, row2],
        content: vec![gone.clone(), stays.clone()],
        handles: vec![(conversation(1), email.clone()), (conversation(2), email.clone())],
        commands: vec![],
    };
    store.commit(&one(&a, epoch, batch)).await.unwrap();
    store.want(&a, &[want(1, 1, 0), want(2, 2, 0)], &LOGS(), Seq(2)).await.unwrap();
    let tried = |row: Delivery| Delivery {
        progress: "{\"body\":\"secret\"}".into(),
        last_error: Some("secret".into()),
        sent_digest: Some([1; 32]),
        ..row
    };
    for chat in [1, 2] {
        store.settle(&a, &tried(row_of(&*store, &a, chat).await)).await.unwrap();
    }
    let under_way = row_of(&*store, &a, 1).await;

    store.erase(&a, conversation(1)).await.unwrap();
    store.erase(&a, conversation(1)).await.unwrap();
    store.erase(&a, conversation(77)).await.unwrap();
    let left = store.content(&a, &[gone.id, stays.id]).await.unwrap();
    assert_eq!(left, [(stays.id, stays.content)]);
    assert_eq!(store.conversations(&a, &email, 10).await.unwrap(), [conversation(2)]);
    let erased =
        Delivery { progress: NO_PROGRESS.into(), last_error: None, sent_digest: None, ..under_way.clone() };
    assert_eq!(row_of(&*store, &a, 1).await, erased);
    // A try that was under way does not bring it back.
    store.settle(&a, &Delivery { attempt: 1, ..under_way }).await.unwrap();
    assert_eq!(row_of(&*store, &a, 1).await, Delivery { attempt: 1, ..erased });
    assert_eq!(row_of(&*store, &a, 2).await.last_error.as_deref(), Some("secret"));
    assert_eq!(store.read(&a, Seq(0), 10).await.unwrap().len(), 2);

    // What is said afterwards is kept, and can be erased in its turn.
    let (row3, later) = said(3, 1, "again");
    let batch = Batch { rows: vec![row3], content: vec![later.clone()], ..Batch::default() };
    store.commit(&one(&a, epoch, batch)).await.unwrap();
    assert_eq!(store.content(&a, &[later.id]).await.unwrap().len(), 1);
    store.erase(&a, conversation(1)).await.unwrap();
    assert_eq!(store.content(&a, &[later.id]).await.unwrap(), []);
}

/// Runs the whole suite over what `$make` makes: a test each, or all of it in one test, where it is the first store that
/// takes the time.
macro_rules! suite {
    (@alone $make:path; $($(#[$attr:meta])* $test:ident)*) => {
        $($(#[$attr])* #[tokio::test] async fn $test() {
            let fixture = $make().await;
            $crate::journal::suite::$test(std::sync::Arc::clone(&fixture.store)).await;
        })*
    };
    (@together $make:expr; $($test:ident)*) => {
        $(
            println!("{}", stringify!($test));
            let fixture = $make.await;
            $crate::journal::suite::$test(std::sync::Arc::clone(&fixture.store)).await;
        )*
    };
    (@promises $($how:tt)*) => {
        $crate::journal::suite::suite! { $($how)*;
            what_was_appended_is_read_in_order
            an_interaction_is_read_alone
            a_gap_is_refused_and_nothing_is_kept
            a_second_owner_fences_the_first
            commands_are_remembered_and_forgotten
            a_heartbeat_never_goes_back
            the_two_newest_snapshots_stay
            cursors_only_move_on
            wanted_work_comes_due_oldest_first
            a_want_during_a_try_is_not_lost
            a_want_does_not_shorten_a_back_off
            the_dead_stay_dead_until_revived
            content_and_conversations_are_found_again
            erasing_leaves_nothing_of_a_conversation
        }
    };
    (together, $make:expr) => { $crate::journal::suite::suite! { @promises @together $make } };
    ($make:path) => { $crate::journal::suite::suite! { @promises @alone $make } };
}
pub(super) use suite;
