//! How fast the SQLite journal commits on this machine, beside what its disk can do at all.
//!
//! `cargo bench --bench journal [-- DIRECTORY]`; the directory should be on the disk the journal will be on. Events are
//! about 330 bytes as rows. One caller, so a commit waits for the one before it, as in `drive`.

use std::fs::OpenOptions;
use std::hint::black_box;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tieline::journal::{Batch, MasterKey, NewContent, Recorded, Remembered, Sqlite, Store};
use tieline_model::content::{Content, ContentRef};
use tieline_model::crm::Side;
use tieline_model::{
    AgentId, CommandId, ContentId, ConversationId, Event, InteractionId, Seq, TenantId, Timestamp,
};
use uuid::Uuid;

const RUN: Duration = Duration::from_millis(2_500);

fn main() -> anyhow::Result<()> {
    let dir =
        std::env::args().skip(1).find(|a| !a.starts_with('-')).map_or_else(std::env::temp_dir, PathBuf::from);
    let dir = tempfile::tempdir_in(dir)?;
    println!("{:<44} {:>9} {:>10}   p50 / p99 / worst, ms", "", "commits/s", "events/s");
    append_and_sync(dir.path())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    for (name, per_event) in [("events alone", false), ("each with a command and its content", true)] {
        for size in [1, 16, 256] {
            let file = dir.path().join(format!("{size}-{per_event}.db"));
            runtime.block_on(commits(&file, &format!("{size} a commit, {name}"), size, per_event))?;
        }
    }
    runtime.block_on(replay(&dir.path().join("256-false.db")))?;
    Ok(())
}

/// What any durable commit costs here: 4 KiB at the end of a file, and `fdatasync`.
fn append_and_sync(dir: &Path) -> anyhow::Result<()> {
    let mut file = OpenOptions::new().create(true).append(true).open(dir.join("raw"))?;
    let block = [0xa5; 4096];
    let mut times = Times::start();
    while times.running() {
        let begun = Instant::now();
        file.write_all(&block)?;
        file.sync_data()?;
        times.add(begun);
    }
    times.print("append 4 KiB + fdatasync", 1);
    Ok(())
}

async fn commits(file: &Path, name: &str, size: u64, with_content: bool) -> anyhow::Result<()> {
    let store = Sqlite::open(file, MasterKey::new([1; 32])).await?;
    let tenant = TenantId::new("bench")?;
    let epoch = store.open(&tenant).await?.epoch;
    let mut head = 0;
    let mut times = Times::start();
    while times.running() {
        let mut batch = Batch::default();
        for seq in head + 1..=head + size {
            batch.rows.push(message(seq)?);
            if with_content {
                batch.content.push(text(seq));
                batch.commands.push(remembered(seq)?);
            }
        }
        head += size;
        let commit = vec![(tenant.clone(), epoch, batch)];
        let begun = Instant::now();
        store.commit(&commit).await?;
        times.add(begun);
    }
    times.print(name, size);
    Ok(())
}

async fn replay(file: &Path) -> anyhow::Result<()> {
    let store = Sqlite::open(file, MasterKey::new([1; 32])).await?;
    let tenant = TenantId::new("bench")?;
    let begun = Instant::now();
    let mut at = Seq(0);
    loop {
        let rows = store.read(&tenant, at, 1_000).await?;
        let Some(last) = rows.last() else { break };
        at = last.seq;
        black_box(rows);
    }
    let seconds = begun.elapsed().as_secs_f64();
    println!("{:<44} {:>9} {:>10.0}", "read back, 1000 a time", "", as_f64(at.0) / seconds);
    Ok(())
}

fn message(seq: u64) -> anyhow::Result<Recorded> {
    let event = Event::MessageSent {
        interaction: InteractionId(Uuid::from_u128(u128::from(seq % 500))),
        message: CommandId::new(format!("0198c0de-0000-7000-8000-{seq:012x}"))?,
        from: Side::Agent,
        agent: Some(AgentId::new("anna.muster")?),
        text: ContentRef { id: content_id(seq), chars: 120, bytes: 124 },
    };
    Ok(Recorded { seq: Seq(seq), at: Timestamp(1_795_000_000_000 + i64::try_from(seq)?), event })
}

fn content_id(seq: u64) -> ContentId {
    ContentId(Uuid::from_u128(0x0198_c0de_0000_7000_8000_0000_0000_0000 + u128::from(seq)))
}

fn text(seq: u64) -> NewContent {
    NewContent {
        id: content_id(seq),
        conversation: ConversationId(Uuid::from_u128(u128::from(seq % 500))),
        content: Content::Message { text: "word ".repeat(24) },
    }
}

fn remembered(seq: u64) -> anyhow::Result<Remembered> {
    let id = CommandId::new(format!("0198c0de-0000-7000-8000-{seq:012x}"))?;
    Ok(Remembered { caller: "agent:anna.muster".into(), id, digest: [9; 32], seq: Seq(seq) })
}

struct Times {
    begun: Instant,
    each: Vec<Duration>,
}

impl Times {
    fn start() -> Self {
        Self { begun: Instant::now(), each: Vec::new() }
    }

    fn running(&self) -> bool {
        self.begun.elapsed() < RUN
    }

    fn add(&mut self, begun: Instant) {
        self.each.push(begun.elapsed());
    }

    fn print(mut self, name: &str, size: u64) {
        let spent: Duration = self.each.iter().sum();
        self.each.sort_unstable();
        let at = |percent: usize| self.each[(self.each.len() - 1) * percent / 100].as_secs_f64() * 1e3;
        let rate = as_f64(self.each.len() as u64) / spent.as_secs_f64();
        println!(
            "{name:<44} {rate:>9.0} {:>10.0}   {:.2} / {:.2} / {:.2}",
            rate * as_f64(size),
            at(50),
            at(99),
            at(100)
        );
    }
}

fn as_f64(n: u64) -> f64 {
    n as f64
}
