//! How fast the journal commits on this machine, in SQLite and in PostgreSQL, beside what its disk can do at all.
//!
//! `cargo bench --bench journal [-- DIRECTORY]`; the directory should be on the disk the journal will be on. Events are
//! about 330 bytes as rows. One caller, so a commit waits for the one before it, as in `drive`. PostgreSQL is a private
//! one where it is installed; with TIELINE_BENCH_POSTGRES=postgres://… it is that one, in a schema `tieline_bench` that
//! is left behind.

use std::fs::OpenOptions;
use std::hint::black_box;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tieline::journal::{
    Batch, MasterKey, NewContent, Postgres, PostgresOptions, Recorded, Remembered, Sqlite, Store,
};
use tieline_model::content::{Content, ContentRef};
use tieline_model::crm::Side;
use tieline_model::{
    AgentId, CommandId, ContentId, ConversationId, Event, InteractionId, Seq, TenantId, Timestamp,
};
use uuid::Uuid;

#[path = "../tests/support/postgres.rs"]
mod postgres;

const RUN: Duration = Duration::from_millis(2_500);

fn main() -> anyhow::Result<()> {
    let dir =
        std::env::args().skip(1).find(|a| !a.starts_with('-')).map_or_else(std::env::temp_dir, PathBuf::from);
    let dir = tempfile::tempdir_in(dir)?;
    println!("{:<58} {:>9} {:>10}   p50 / p99 / worst, ms", "", "commits/s", "events/s");
    append_and_sync(dir.path())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    for (name, per_event) in [("events alone", false), ("each with a command and its content", true)] {
        for size in [1, 16, 256] {
            let file = dir.path().join(format!("{size}-{per_event}.db"));
            let name = format!("SQLite, {size} a commit, {name}");
            runtime.block_on(async {
                let store = Sqlite::open(file, MasterKey::new([1; 32])).await?;
                commits(&store, &name, "bench", size, per_event).await
            })?;
        }
    }
    runtime.block_on(async {
        let store = Sqlite::open(dir.path().join("256-false.db"), MasterKey::new([1; 32])).await?;
        replay(&store, "SQLite", "bench").await
    })?;
    runtime.block_on(in_postgres())
}

async fn in_postgres() -> anyhow::Result<()> {
    let (url, _server) = match std::env::var("TIELINE_BENCH_POSTGRES") {
        Ok(url) => (url, None),
        Err(_) => match postgres::Server::start() {
            Ok(server) => (server.url(), Some(server)),
            Err(error) => {
                println!("PostgreSQL is left out: {error}");
                return Ok(());
            }
        },
    };
    let store = Postgres::open(&options(url), MasterKey::new([1; 32])).await?;
    for (name, per_event) in [("events alone", false), ("each with a command and its content", true)] {
        for size in [1, 16, 256] {
            // Others of the same name may be there from the last time.
            let tenant = format!("bench-{}", Uuid::new_v4().simple());
            commits(&*store, &format!("PostgreSQL, {size} a commit, {name}"), &tenant, size, per_event)
                .await?;
            if size == 256 && !per_event {
                replay(&*store, "PostgreSQL", &tenant).await?;
            }
        }
    }
    Ok(())
}

fn options(url: String) -> PostgresOptions {
    PostgresOptions {
        url,
        schema: "tieline_bench".to_owned(),
        writers: 8,
        readers: 8,
        connect_within: Duration::from_secs(5),
        statement_within: Duration::from_secs(30),
        lease: Duration::from_secs(10),
    }
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

async fn commits(
    store: &dyn Store,
    name: &str,
    tenant: &str,
    size: u64,
    with_content: bool,
) -> anyhow::Result<()> {
    let tenant = TenantId::new(tenant)?;
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

async fn replay(store: &dyn Store, name: &str, tenant: &str) -> anyhow::Result<()> {
    let tenant = TenantId::new(tenant)?;
    let begun = Instant::now();
    let mut at = Seq(0);
    loop {
        let rows = store.read(&tenant, at, 1_000).await?;
        let Some(last) = rows.last() else { break };
        at = last.seq;
        black_box(rows);
    }
    let seconds = begun.elapsed().as_secs_f64();
    let name = format!("{name}, read back, 1000 a time");
    println!("{name:<58} {:>9} {:>10.0}", "", as_f64(at.0) / seconds);
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
            "{name:<58} {rate:>9.0} {:>10.0}   {:.2} / {:.2} / {:.2}",
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
