//! The store in memory answers what the one on disk answers, whatever is asked of them: the simulator's findings are
//! worth nothing otherwise.

use super::suite::{at, connection, conversation, interaction, one, row, said, tenant};
use super::*;
use std::fmt::Write;
use uuid::Uuid;

/// Small numbers from a seed; the same for both stores.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        // Steele and Vigna's splitmix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }

    fn small(&mut self) -> u128 {
        u128::from(self.roll(4))
    }

    fn time(&mut self) -> Timestamp {
        at(self.roll(40))
    }
}

const STEPS: u64 = 300;

/// A script of random steps; what the store answered to each, as text.
async fn play(store: &dyn Store, seed: u64) -> String {
    let mut dice = Dice(seed);
    let mut said = String::new();
    let mut epochs = std::collections::BTreeMap::new();
    let mut heads = std::collections::BTreeMap::new();
    for step in 0..STEPS {
        let a = tenant(["a", "b"][usize::try_from(dice.roll(2)).unwrap()]);
        let answer = match dice.roll(9) {
            0 if epochs.contains_key(&a) && dice.roll(4) > 0 => String::new(),
            0 => {
                let opened = store.open(&a).await;
                if let Ok(opened) = &opened {
                    epochs.insert(a.clone(), opened.epoch);
                }
                format!("open {opened:?}")
            }
            1..=3 => {
                let epoch = epochs.get(&a).copied().unwrap_or(Epoch(0));
                let head = heads.entry(a.clone()).or_insert(0);
                let (batch, rows) = batch(&mut dice, *head);
                let done = store.commit(&one(&a, epoch, batch)).await;
                if done.is_ok() {
                    *head += rows;
                }
                format!("commit {}", kind(&done))
            }
            4 => {
                let epoch = epochs.get(&a).copied().unwrap_or(Epoch(0));
                format!("heartbeat {}", kind(&store.heartbeat(&a, epoch, dice.time()).await))
            }
            5 => wants(store, &mut dice, &a).await,
            6 => settles(store, &mut dice, &a).await,
            7 => rare(store, &mut dice, &a).await,
            _ => ask(store, &mut dice, &a).await,
        };
        writeln!(said, "{step} {a} {answer}").unwrap();
    }
    for a in [tenant("a"), tenant("b")] {
        writeln!(said, "{:?}", store.read(&a, Seq(0), u32::MAX).await).unwrap();
        writeln!(said, "{:?}", store.dead(&a, u32::MAX).await).unwrap();
        for n in 0..4 {
            writeln!(said, "{:?}", store.read_interaction(&a, interaction(n)).await).unwrap();
        }
    }
    said
}

/// The texts of errors may differ, their kinds not.
fn kind<T: std::fmt::Debug>(done: &Result<T, Error>) -> String {
    match done {
        Ok(value) => format!("{value:?}"),
        Err(Error::Fenced(_)) => "fenced".into(),
        Err(Error::Full) => "full".into(),
        Err(Error::Unknown(_)) => "unknown".into(),
        Err(Error::Fatal(_)) => "fatal".into(),
        Err(Error::Refused(_)) => "refused".into(),
        Err(Error::Unreachable(_)) => "unreachable".into(),
        Err(Error::Unreadable(_)) => "unreadable".into(),
    }
}

/// Mostly a good batch, sometimes with a gap, a known command or known content.
fn batch(dice: &mut Dice, head: u64) -> (Batch, u64) {
    let mut batch = Batch::default();
    let rows = dice.roll(4);
    let first = head + 1 + u64::from(dice.roll(12) == 0);
    for seq in first..first + rows {
        if dice.roll(2) == 0 {
            let (row, content) = said(seq, dice.small(), "text");
            batch.rows.push(row);
            batch.content.push(content);
        } else {
            batch.rows.push(row(seq));
        }
    }
    if dice.roll(3) == 0 {
        let id = CommandId::new(format!("c{}", dice.roll(200))).unwrap();
        batch.commands.push(Remembered { caller: "x".into(), id, digest: [3; 32], seq: Seq(head + rows) });
    }
    if dice.roll(3) == 0 {
        batch.handles.push((conversation(dice.small()), handle(dice)));
    }
    (batch, rows)
}

fn handle(dice: &mut Dice) -> Handle {
    Handle::Phone(dice.roll(3).to_string())
}

fn crm(dice: &mut Dice) -> ConnectionId {
    connection(["sf", "zd"][usize::try_from(dice.roll(2)).unwrap()])
}

async fn wants(store: &dyn Store, dice: &mut Dice, a: &TenantId) -> String {
    let mut wants = Vec::new();
    for _ in 0..dice.roll(3) {
        let n = dice.small();
        wants.push(Want {
            connection: crm(dice),
            interaction: interaction(n),
            conversation: conversation(n),
            version: dice.roll(30),
            next_at: dice.time(),
        });
    }
    let reader = Reader::Logs(crm(dice));
    let done = store.want(a, &wants, &reader, Seq(dice.roll(30))).await;
    format!("want {} {:?}", kind(&done), store.cursor(a, &reader).await)
}

async fn settles(store: &dyn Store, dice: &mut Dice, a: &TenantId) -> String {
    let found = store.delivery(a, &crm(dice), interaction(dice.small())).await.unwrap();
    let Some(mut row) = found else { return "nothing to settle".into() };
    row.done = if dice.roll(2) == 0 { row.wanted } else { row.done };
    row.attempt = u32::try_from(dice.roll(3)).unwrap();
    row.next_at = dice.time();
    row.tried_ms += dice.roll(100);
    row.state = if dice.roll(4) == 0 { DeliveryState::Dead } else { DeliveryState::Open };
    row.last_error = (dice.roll(2) == 0).then(|| "down".to_owned());
    row.progress = [NO_PROGRESS, "{\"a\":1}"][usize::try_from(dice.roll(2)).unwrap()].to_owned();
    row.sent_digest = (dice.roll(2) == 0).then_some([5; 32]);
    let done = store.settle(a, &row).await;
    let now = store.delivery(a, &row.connection, row.interaction).await;
    format!("settle {} {now:?}", kind(&done))
}

async fn rare(store: &dyn Store, dice: &mut Dice, a: &TenantId) -> String {
    match dice.roll(5) {
        0 => format!("erase {}", kind(&store.erase(a, conversation(dice.small())).await)),
        1 => format!("forget {}", kind(&store.forget_commands(dice.time()).await)),
        2 => {
            let snapshot =
                Snapshot { seq: Seq(dice.roll(40)), body: vec![u8::try_from(dice.roll(9)).unwrap()] };
            format!("snapshot {}", kind(&store.save_snapshot(a, &snapshot).await))
        }
        3 => format!("move {}", kind(&store.move_cursor(a, &Reader::Bus, Seq(dice.roll(30))).await)),
        _ => {
            let done = store.revive(a, &crm(dice), interaction(dice.small()), dice.time()).await;
            format!("revive {}", kind(&done))
        }
    }
}

async fn ask(store: &dyn Store, dice: &mut Dice, a: &TenantId) -> String {
    match dice.roll(7) {
        0 => {
            let limit = u32::try_from(dice.roll(5)).unwrap();
            format!("{:?}", store.read(a, Seq(dice.roll(40)), limit).await)
        }
        1 => {
            let ids: Vec<_> =
                (0..80_u128).map(|n| ContentId(Uuid::from_u128(1_000_000 * (n / 20) + n % 20))).collect();
            let found = store.content(a, &ids).await.unwrap();
            format!("{:?}", found.iter().map(|(id, _)| id).collect::<Vec<_>>())
        }
        2 => {
            let id = CommandId::new(format!("c{}", dice.roll(200))).unwrap();
            format!("{:?}", store.remembered(a, "x", &id).await)
        }
        3 => format!("{:?}", store.conversations(a, &handle(dice), 3).await),
        4 => format!("{:?}", store.due(a, &crm(dice), dice.time(), 3).await),
        5 => format!("{:?}", store.next_due(a, &crm(dice)).await),
        _ => format!("{:?} {:?}", store.dead(a, 3).await, store.cursor(a, &Reader::Bus).await),
    }
}

/// Plays one script on a store and on the one in memory.
pub(super) async fn answers_as_memory_does(store: &dyn Store, seed: u64) {
    let (theirs, in_memory) = (play(store, seed).await, play(&MemoryStore::new(), seed).await);
    for (theirs, memory) in theirs.lines().zip(in_memory.lines()) {
        assert_eq!(theirs, memory, "seed {seed}");
    }
    assert_eq!(theirs.lines().count(), in_memory.lines().count());
    let worked = theirs.lines().filter(|l| l.contains("commit ()")).count();
    assert!(worked > 30, "seed {seed}: the script must do something, {worked} commits");
}

#[tokio::test]
async fn memory_and_disk_answer_alike() {
    for seed in 1..=12 {
        let dir = tempfile::tempdir().unwrap();
        let disk = Sqlite::open(dir.path().join("journal.db"), MasterKey::new([8; 32])).await.unwrap();
        answers_as_memory_does(&disk, seed).await;
    }
}
