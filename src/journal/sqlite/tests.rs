//! What only a file can show.

use super::*;
use crate::journal::suite::{
    Fixture, at, connection, conversation, interaction, one, row, rows, said, suite, tenant,
};
use crate::journal::{Batch, DeliveryState, NewContent, Want, codec};
use std::collections::{BTreeSet, HashSet};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Instant;
use tempfile::TempDir;
use uuid::Uuid;

fn key() -> MasterKey {
    MasterKey::new([42; 32])
}

async fn fresh() -> (TempDir, Sqlite) {
    let dir = tempfile::tempdir().unwrap();
    let store = Sqlite::open(dir.path().join("journal.db"), key()).await.unwrap();
    (dir, store)
}

async fn fixture() -> Fixture {
    let (dir, store) = fresh().await;
    Fixture { store: Arc::new(store), _keep: Box::new(dir) }
}

suite!(fixture);

fn db(dir: &TempDir) -> PathBuf {
    dir.path().join("journal.db")
}

/// Everything that is on the disk: the file, its log and its shared memory.
fn bytes_on_disk(dir: &TempDir) -> Vec<u8> {
    let mut all = Vec::new();
    for file in std::fs::read_dir(dir.path()).unwrap() {
        all.extend(std::fs::read(file.unwrap().path()).unwrap());
    }
    all
}

fn holds(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|w| w == needle)
}

async fn reopened(dir: &TempDir) -> Sqlite {
    // The readers' threads end a moment after their pool is dropped; the lock is free at once.
    Sqlite::open(db(dir), key()).await.unwrap()
}

async fn raw(store: &Sqlite, sql: &'static str) {
    store.writer.lock().await.outside(sql).await.unwrap();
}

// Promise 6 (one process a file)
#[tokio::test]
async fn a_second_process_is_refused_with_a_sentence() {
    let (dir, store) = fresh().await;
    let refused = Sqlite::open(db(&dir), key()).await.unwrap_err();
    assert!(matches!(refused, Error::Refused(_)));
    assert!(refused.to_string().contains("another process has the journal"), "{refused}");
    drop(store);
    reopened(&dir).await;
}

#[tokio::test]
async fn another_key_is_refused_before_anything_is_written() {
    let (dir, store) = fresh().await;
    drop(store);
    let refused = Sqlite::open(db(&dir), MasterKey::new([1; 32])).await.unwrap_err().to_string();
    assert!(refused.contains("another master key"), "{refused}");
    reopened(&dir).await;
}

#[tokio::test]
async fn files_of_others_and_of_newer_versions_are_left_alone() {
    let (dir, store) = fresh().await;
    raw(&store, "PRAGMA user_version = 99").await;
    drop(store);
    let refused = Sqlite::open(db(&dir), key()).await.unwrap_err().to_string();
    assert!(refused.contains("a newer version wrote this journal"), "{refused}");

    let (dir, store) = fresh().await;
    raw(&store, "PRAGMA application_id = 7").await;
    drop(store);
    let refused = Sqlite::open(db(&dir), key()).await.unwrap_err().to_string();
    assert!(refused.contains("not a journal of Tieline"), "{refused}");
}

#[tokio::test]
async fn a_file_is_private_and_survives_closing() {
    use std::os::unix::fs::MetadataExt;
    let (dir, store) = fresh().await;
    let a = tenant("a");
    let epoch = store.open(&a).await.unwrap().epoch;
    store.commit(&one(&a, epoch, rows(1..=5))).await.unwrap();
    store.save_snapshot(&a, &Snapshot { seq: Seq(4), body: b"anna".to_vec() }).await.unwrap();
    for file in std::fs::read_dir(dir.path()).unwrap() {
        let file = file.unwrap();
        assert_eq!(file.metadata().unwrap().mode() & 0o077, 0, "{:?}", file.path());
    }
    drop(store);
    let store = reopened(&dir).await;
    let opened = store.open(&a).await.unwrap();
    assert_eq!(opened.head, Seq(5));
    assert!(opened.epoch > epoch);
    assert_eq!(opened.snapshot.unwrap().body, b"anna");
    assert_eq!(store.read(&a, Seq(0), 10).await.unwrap(), rows(1..=5).rows);
}

#[tokio::test]
async fn a_damaged_snapshot_is_passed_over_for_the_older_one() {
    let (_dir, store) = fresh().await;
    let a = tenant("a");
    let epoch = store.open(&a).await.unwrap().epoch;
    store.commit(&one(&a, epoch, rows(1..=2))).await.unwrap();
    for seq in [1, 2] {
        store.save_snapshot(&a, &Snapshot { seq: Seq(seq), body: vec![7; 9] }).await.unwrap();
    }
    raw(&store, "UPDATE snapshots SET body = zeroblob(40) WHERE seq = 2").await;
    assert_eq!(store.open(&a).await.unwrap().snapshot.unwrap().seq, Seq(1));
}

#[tokio::test]
async fn a_damaged_row_is_named_and_never_skipped() {
    let (_dir, store) = fresh().await;
    let a = tenant("a");
    let epoch = store.open(&a).await.unwrap().epoch;
    let chat = said(5, 1, "x").0;
    let mut batch = rows(1..=4);
    batch.rows.push(chat);
    store.commit(&one(&a, epoch, batch)).await.unwrap();
    for damage in [
        "UPDATE journal SET event = replace(event, 'customer', 'agent') WHERE seq = 5",
        "UPDATE journal SET event = CAST(x'ff' || substr(event, 2) AS TEXT) WHERE seq = 5",
        "UPDATE journal SET at = at + 1 WHERE seq = 5",
    ] {
        raw(&store, damage).await;
        assert_eq!(store.read(&a, Seq(0), 4).await.unwrap().len(), 4);
        for result in [store.read(&a, Seq(0), 10).await, store.read_interaction(&a, interaction(1)).await] {
            let Err(Error::Unreadable(text)) = result else { panic!("{damage}: {result:?}") };
            assert!(text.contains("row 5 of tenant a"), "{text}");
        }
    }
}

#[tokio::test]
async fn a_row_of_a_newer_version_stops_the_reader() {
    let (_dir, store) = fresh().await;
    let a = tenant("a");
    store.open(&a).await.unwrap();
    let body = r#"{"type":"chat.teleported.v1"}"#;
    let sum = codec::checksum(&a, Seq(1), at(1), "chat.teleported.v1", body);
    let mut writer = store.writer.lock().await;
    let sql =
        format!("INSERT INTO journal VALUES ('a', 1, 1, 1000, NULL, 'chat.teleported.v1', '{body}', {sum})");
    writer.outside(sqlx::AssertSqlSafe(sql)).await.unwrap();
    drop(writer);
    let Err(Error::Unreadable(text)) = store.read(&a, Seq(0), 10).await else { panic!() };
    assert!(text.contains("row 1") && text.contains("`chat.teleported.v1`"), "{text}");
}

/// A text that would be found wherever it stood.
const MARKER: &str = "Zaunkönig-4711-Marker";

async fn with_marker(store: &Sqlite, epoch: Epoch, seq: u64, chat: u128) {
    let a = tenant("a");
    let (said, content) = said(seq, chat, MARKER);
    let batch = Batch {
        rows: vec![said],
        content: vec![content],
        handles: vec![(conversation(chat), Handle::Email(format!("{MARKER}-{chat}@example.org")))],
        commands: vec![],
    };
    store.commit(&one(&a, epoch, batch)).await.unwrap();
    let chat_id = interaction(chat);
    let want = Want {
        connection: connection("sf"),
        interaction: chat_id,
        conversation: conversation(chat),
        version: seq,
        next_at: at(0),
    };
    let logs = Reader::Logs(connection("sf"));
    store.want(&a, &[want], &logs, Seq(seq)).await.unwrap();
    let row = store.delivery(&a, &connection("sf"), chat_id).await.unwrap().unwrap();
    let tried = Delivery {
        progress: format!("{{\"pending\":\"{MARKER}\"}}"),
        last_error: Some(MARKER.into()),
        state: DeliveryState::Dead,
        ..row
    };
    store.settle(&a, &tried).await.unwrap();
}

// Promise 9 (at rest)
#[tokio::test]
async fn content_is_never_in_the_file_in_plain() {
    let (dir, store) = fresh().await;
    let epoch = store.open(&tenant("a")).await.unwrap().epoch;
    with_marker(&store, epoch, 1, 1).await;
    let snapshot = Snapshot { seq: Seq(1), body: MARKER.as_bytes().to_vec() };
    store.save_snapshot(&tenant("a"), &snapshot).await.unwrap();
    let all = bytes_on_disk(&dir);
    assert!(holds(&all, b"chat.message_sent.v1"), "the scan sees what is there");
    assert!(!holds(&all, MARKER.as_bytes()));
    store.writer.lock().await.truncate_wal().await.unwrap();
    assert!(!holds(&bytes_on_disk(&dir), MARKER.as_bytes()));
}

/// A part of a secret that a header written over its start would leave.
fn middle(secret: &[u8]) -> [u8; 16] {
    *secret[12..].first_chunk().unwrap()
}

/// Those of the secrets that stand somewhere in the bytes.
fn found_in(bytes: &[u8], secrets: &[Vec<u8>]) -> usize {
    let wanted: HashSet<[u8; 16]> = secrets.iter().map(|s| middle(s)).collect();
    // Most windows are none of them by their first two bytes; hashing them all would take seconds.
    let start = |w: &[u8]| usize::from(u16::from_le_bytes([w[0], w[1]]));
    let mut starts = vec![false; 1 << 16];
    wanted.iter().for_each(|w| starts[start(w)] = true);
    let hits = bytes.windows(16).filter(|w| starts[start(w)]).filter(|w| wanted.contains(*w));
    hits.collect::<HashSet<_>>().len()
}

async fn blobs(store: &Sqlite, sql: &'static str) -> Vec<Vec<u8>> {
    sqlx::query_scalar(sql).fetch_all(&store.readers).await.unwrap()
}

// Promise 9: neither the key nor what it opened is anywhere in the files
#[tokio::test]
async fn erasing_leaves_neither_keys_nor_ciphertext_behind() {
    let (dir, store) = fresh().await;
    let a = tenant("a");
    let epoch = store.open(&a).await.unwrap().epoch;
    // Enough to split pages and to let rows move between them.
    for seq in 1..=200_u64 {
        with_marker(&store, epoch, seq, u128::from(seq * 7_919 % 211)).await;
    }
    let all_keys = blobs(&store, "SELECT wrapped FROM keys WHERE erased = 0").await;
    let all_bodies = blobs(&store, "SELECT body FROM content").await;
    assert_eq!((all_keys.len(), all_bodies.len()), (200, 200));
    let before = bytes_on_disk(&dir);
    assert_eq!((found_in(&before, &all_keys), found_in(&before, &all_bodies)), (200, 200));

    let erased: Vec<u128> = (1..=210).filter(|chat| chat % 4 != 0).collect();
    for chat in &erased {
        store.erase(&a, conversation(*chat)).await.unwrap();
    }
    let live_keys = blobs(&store, "SELECT wrapped FROM keys WHERE erased = 0").await;
    let live_bodies = blobs(&store, "SELECT body FROM content").await;
    let zeroed = blobs(&store, "SELECT wrapped FROM keys WHERE erased = 1").await;
    assert_eq!(zeroed.len() + live_keys.len(), 200, "no key's row is ever deleted");
    assert!(zeroed.iter().flatten().all(|byte| *byte == 0));
    let gone = |all: Vec<Vec<u8>>, live: &[Vec<u8>]| -> Vec<_> {
        all.into_iter().filter(|secret| !live.contains(secret)).collect()
    };
    let (gone_keys, gone_bodies) = (gone(all_keys, &live_keys), gone(all_bodies, &live_bodies));
    assert_eq!((gone_keys.len(), gone_bodies.len()), (zeroed.len(), zeroed.len()));
    assert!(zeroed.len() > 100);
    let after = bytes_on_disk(&dir);
    assert_eq!(found_in(&after, &gone_keys), 0, "keys");
    assert_eq!(found_in(&after, &gone_bodies), 0, "ciphertexts");

    store.compact().await.unwrap();
    store.quick_check().await.unwrap();
    assert_eq!(store.read(&a, Seq(0), 1_000).await.unwrap().len(), 200);
}

#[tokio::test]
async fn a_commit_that_is_given_up_leaves_the_store_usable() {
    let (_dir, store) = fresh().await;
    let a = tenant("a");
    let epoch = store.open(&a).await.unwrap().epoch;
    let mut head = 0;
    let mut ended = BTreeSet::new();
    // How many polls a commit takes is the machine's affair: at least forty are tried, and more until some commits
    // came to their end and some were given up.
    for polls in 1..=2_000 {
        if polls > 40 && ended.len() == 2 {
            break;
        }
        let next = head + 1;
        let commit = one(&a, epoch, rows(next..next + 80));
        let mut attempt = Box::pin(store.commit(&commit));
        let mut polled = 0;
        let done = std::future::poll_fn(|cx| {
            polled += 1;
            match attempt.as_mut().poll(cx) {
                std::task::Poll::Ready(done) => std::task::Poll::Ready(Some(done)),
                std::task::Poll::Pending if polled >= polls => std::task::Poll::Ready(None),
                std::task::Poll::Pending => std::task::Poll::Pending,
            }
        })
        .await;
        drop(attempt);
        ended.insert(done.is_some());
        let whole = done.map(Result::unwrap).is_some();
        // Given up, it was kept as a whole or not at all; only the file can tell.
        store.heartbeat(&a, epoch, at(1)).await.unwrap();
        let now = store.read(&a, Seq(head), 1_000).await.unwrap().len();
        assert!(now == 80 || now == 0 && !whole, "{now}");
        head += u64::try_from(now).unwrap();
    }
    assert_eq!(ended.len(), 2, "some came to their end, some were given up: {head}");
}

// Promise 1 (disk full)
#[tokio::test]
async fn a_full_disk_refuses_commits_keeps_reading_and_heals() {
    let (_dir, store) = fresh().await;
    let a = tenant("a");
    let epoch = store.open(&a).await.unwrap().epoch;
    store.commit(&one(&a, epoch, rows(1..=10))).await.unwrap();
    let pages: i64 = store.writer.lock().await.scalar("PRAGMA page_count").await.unwrap();
    let limit = format!("PRAGMA max_page_count = {}", pages + 40);
    store.writer.lock().await.outside(sqlx::AssertSqlSafe(limit)).await.unwrap();
    let mut head = 10;
    let full = loop {
        match store.commit(&one(&a, epoch, rows(head + 1..=head + 64))).await {
            Ok(()) => head += 64,
            Err(e) => break e,
        }
        assert!(head < 100_000);
    };
    assert!(matches!(full, Error::Full), "{full}");
    for _ in 0..3 {
        let again = store.commit(&one(&a, epoch, rows(head + 1..=head + 64))).await;
        assert!(matches!(again, Err(Error::Full)), "{again:?}");
    }
    let kept = store.read(&a, Seq(0), u32::MAX).await.unwrap();
    assert_eq!(kept.len(), usize::try_from(head).unwrap());
    raw(&store, "PRAGMA max_page_count = 1000000").await;
    store.commit(&one(&a, epoch, rows(head + 1..=head + 64))).await.unwrap();
    store.quick_check().await.unwrap();
}

#[tokio::test]
async fn a_backup_holds_everything_and_opens_with_the_same_key_alone() {
    use std::os::unix::fs::MetadataExt;
    let (dir, store) = fresh().await;
    let a = tenant("a");
    let epoch = store.open(&a).await.unwrap().epoch;
    with_marker(&store, epoch, 1, 1).await;
    assert!(store.log_bytes() > 0, "what was committed is still in the log");
    let copy = dir.path().join("copy.db");
    Sqlite::copy(&db(&dir), &copy).await.unwrap();
    assert_eq!(std::fs::metadata(&copy).unwrap().mode() & 0o077, 0);
    for to in [copy.clone(), dir.path().join("no/copy.db")] {
        assert!(matches!(Sqlite::copy(&db(&dir), &to).await, Err(Error::Refused(_))));
    }
    with_marker(&store, epoch, 2, 2).await;

    assert!(Sqlite::open(&copy, MasterKey::new([1; 32])).await.is_err());
    let restored = Sqlite::open(&copy, key()).await.unwrap();
    assert_eq!(restored.read(&a, Seq(0), 10).await.unwrap(), store.read(&a, Seq(0), 1).await.unwrap());
    let id = said(1, 1, "").1.id;
    let content = restored.content(&a, &[id]).await.unwrap();
    assert_eq!(content, [(id, Content::Message { text: MARKER.into() })]);
    assert_eq!(restored.heads().await.unwrap(), BTreeMap::from([(a.clone(), Seq(1))]));
    restored.raise_epochs(10, 1_000).await.unwrap();
    assert_eq!(restored.open(&a).await.unwrap().epoch, Epoch(1_001));
    restored.raise_epochs(10, 1_000).await.unwrap();
    assert_eq!(restored.open(&a).await.unwrap().epoch, Epoch(1_012), "it never falls");
    restored.close().await;
    assert!(!copy.with_file_name("copy.db-wal").exists() && !copy.with_file_name("copy.db.lock").exists());
}

const CHILD_DB: &str = "TIELINE_TEST_JOURNAL";
const FAILING_DB: &str = "TIELINE_TEST_FAILING_JOURNAL";

/// Not a test by itself: started by the one below in a process that may not write files beyond a size, it says what
/// it was answered.
#[tokio::test]
async fn writes_until_its_disk_fails() {
    let Some(path) = std::env::var_os(FAILING_DB) else { return };
    let store = Sqlite::open(PathBuf::from(path), key()).await.unwrap();
    let a = tenant("a");
    let epoch = store.open(&a).await.unwrap().epoch;
    let mut head = 0;
    let first = loop {
        match store.commit(&one(&a, epoch, rows(head + 1..=head + 16))).await {
            Ok(()) => head += 16,
            Err(e) => break e,
        }
    };
    let second = store.commit(&one(&a, epoch, rows([head + 1]))).await.unwrap_err();
    let third = store.heartbeat(&a, epoch, at(1)).await.unwrap_err();
    let read = store.read(&a, Seq(0), 1).await.unwrap().len();
    let fatal = [&first, &second, &third].iter().filter(|e| matches!(e, Error::Fatal(_))).count();
    println!("\nkept {head} fatal {fatal} read {read}: {first}");
}

// Promise 1: after a failed write nothing more is answered, and what was answered is there after a restart
#[test]
fn a_failing_disk_ends_all_writing() {
    let dir = tempfile::tempdir().unwrap();
    let exe = std::env::current_exe().unwrap();
    // With the signal ignored, a write beyond the limit fails as one to a broken disk does, not as one to a full disk.
    let script = "trap '' XFSZ; ulimit -f 600; exec \"$0\" --exact journal::sqlite::tests::writes_until_its_disk_fails --nocapture";
    let out = Command::new("sh").arg("-c").arg(script).arg(exe).env(FAILING_DB, db(&dir)).output().unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    let line = text.lines().find(|l| l.starts_with("kept ")).unwrap_or_else(|| panic!("{text}"));
    assert!(line.contains(" fatal 3 read 1: "), "{line}");
    let kept: u64 = line.split(' ').nth(1).unwrap().parse().unwrap();
    assert!(kept > 0);
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let store = reopened(&dir).await;
        store.quick_check().await.unwrap();
        let found = store.read(&tenant("a"), Seq(0), u32::MAX).await.unwrap();
        // The commit that failed may be there: nobody said that it is not.
        let more = u64::try_from(found.len()).unwrap() - kept;
        assert!(more == 0 || more == 16, "{more}");
        assert_eq!(found, rows(1..=kept + more).rows);
    });
}

/// Not a test by itself: started by the one below in a process of its own, it writes until it is killed, and says
/// each head after its commit was answered.
#[tokio::test]
async fn writes_until_killed() {
    let Some(path) = std::env::var_os(CHILD_DB) else { return };
    let store = Sqlite::open(PathBuf::from(path), key()).await.unwrap();
    let a = tenant("a");
    let opened = store.open(&a).await.unwrap();
    let mut head = opened.head.0;
    let mut out = std::io::stdout();
    loop {
        let size = 1 + head % 70;
        let mut batch = rows(head + 1..=head + size);
        let content = Content::Message { text: "x".repeat(200) };
        let id = ContentId(Uuid::from_u128(u128::from(head + 1)));
        batch.content = vec![NewContent { id, conversation: conversation(3), content }];
        store.commit(&one(&a, opened.epoch, batch)).await.unwrap();
        head += size;
        // The harness's own capture is passed by: this must be out before the next commit begins.
        out.write_all(format!("kept {head}\n").as_bytes()).unwrap();
        out.flush().unwrap();
    }
}

fn writing_child(dir: &TempDir) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "journal::sqlite::tests::writes_until_killed", "--nocapture"])
        .env(CHILD_DB, db(dir))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Kills the child after `lines` answers and `delay` more; the last head it said.
fn kill_after(mut child: Child, lines: u64, delay: Duration) -> u64 {
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut kept = 0;
    let mut line = String::new();
    let mut seen = 0;
    let mut read = |until_end: bool, kept: &mut u64| {
        while until_end || seen < lines {
            line.clear();
            if out.read_line(&mut line).unwrap() == 0 {
                return;
            }
            // The harness writes "test … ..." before the first answer, on the same line.
            let answer = line.rsplit("kept ").next().and_then(|n| n.trim().parse().ok());
            if let (Some(head), true) = (answer, line.ends_with('\n')) {
                *kept = head;
                seen += 1;
            }
        }
    };
    read(false, &mut kept);
    let until = Instant::now() + delay;
    while Instant::now() < until {
        std::hint::spin_loop();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    read(true, &mut kept);
    kept
}

// Promise 1: fifty kills at moments all over a commit lose nothing that was answered
#[test]
fn killing_a_writer_loses_nothing_that_was_answered() {
    let dir = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut last = 0;
    for round in 0..50_u64 {
        let delay = Duration::from_micros(round * 53 % 900);
        let kept = kill_after(writing_child(&dir), 1 + round % 5, delay);
        assert!(kept > last, "round {round} wrote nothing");
        last = runtime.block_on(async {
            let store = reopened(&dir).await;
            let head = store.open(&tenant("a")).await.unwrap().head.0;
            assert!(head >= kept, "round {round}: {kept} was answered, {head} is there");
            store.quick_check().await.unwrap();
            let tail = store.read(&tenant("a"), Seq(last), u32::MAX).await.unwrap();
            let mut expected = last;
            for found in tail {
                expected += 1;
                assert_eq!(found, row(expected));
            }
            assert_eq!(expected, head);
            head
        });
    }
}
