//! The journal: append, replay, snapshots, cursors, content, the delivery ledger. The only room with SQL.
//!
//! The journal is the truth, and it is the outbox too: every consumer reads it by cursor in `seq` order.
//!
//! The contract is [`Store`]; [`Sqlite`] keeps it in a file, [`Postgres`] in a database that several machines share,
//! [`MemoryStore`] for the simulator, and one suite of tests holds all to it. What stores share: `codec` (events to rows
//! and back), `sealed` (content at rest), `places` (what is sealed where).

mod codec;
mod lease;
mod memory;
mod places;
mod postgres;
mod sealed;
mod sqlite;
#[cfg(test)]
mod suite;
#[cfg(test)]
mod twins;

pub use lease::{Holder, Lease, Leases, Part, Picture, Replica, SHARDS, Shard};
pub use memory::{Fault, Faults, MemoryLeases, MemoryStore, Op};
pub use postgres::{DatabaseHealth, Postgres, PostgresOptions};
pub use sealed::MasterKey;
pub use sqlite::Sqlite;

use async_trait::async_trait;
use std::collections::BTreeMap;
use std::sync::Arc;
use tieline_model::content::Content;
use tieline_model::{
    CommandId, ConnectionId, ContentId, ConversationId, Event, InteractionId, Seq, TenantId, Timestamp,
};

/// What can go wrong with a store. `drive` reads the kind, people read the text.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another process owns this tenant now; stop writing (promise 6).
    #[error("another process owns the journal of tenant {0}")]
    Fenced(TenantId),
    /// The disk is full. Reading goes on; nothing of the batch was kept.
    #[error("the journal's disk is full; free space on it and commands are taken again")]
    Full,
    /// The commit may or may not have happened: drop state, reload, decide again.
    #[error("it is unknown whether the commit happened: {0}")]
    Unknown(String),
    /// The disk did not keep what it said it kept (fsync error). The process must end.
    #[error("the journal's disk failed: {0}")]
    Fatal(String),
    /// Nothing of the batch was kept.
    #[error("the journal refused: {0}")]
    Refused(String),
    /// The database cannot be reached at present. Nothing of the batch was kept; it may work in a moment.
    #[error("the journal's database cannot be reached: {0}")]
    Unreachable(String),
    /// A row cannot be read: a newer version wrote it, or it is damaged.
    #[error("the journal cannot be read: {0}")]
    Unreadable(String),
}

/// An event as the journal keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Its place in the tenant's journal.
    pub seq: Seq,
    /// When it happened; never goes back within a tenant.
    pub at: Timestamp,
    /// What happened.
    pub event: Event,
}

/// A piece of content on its way into the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewContent {
    /// Its id; the event's `ContentRef` names it.
    pub id: ContentId,
    /// Whose key it is encrypted under.
    pub conversation: ConversationId,
    /// The content.
    pub content: Content,
}

/// By what a conversation can be found again. Kept as a keyed HMAC, never as text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Handle {
    /// A phone number in E.164.
    Phone(String),
    /// An e-mail address in lower case.
    Email(String),
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Handle(***)")
    }
}

/// That a command was carried out: the same id and digest gets the same answer for seven days (promise 2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    /// Who sent it (ids of different callers do not meet).
    pub caller: String,
    /// Its id.
    pub id: CommandId,
    /// SHA-256 over its body, content included.
    pub digest: [u8; 32],
    /// The tenant's head after it.
    pub seq: Seq,
}

/// What one tenant adds in one commit.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// Rows in `seq` order, gap-free after the tenant's head.
    pub rows: Vec<Recorded>,
    /// Content the rows refer to.
    pub content: Vec<NewContent>,
    /// What the content's conversations can be found by.
    pub handles: Vec<(ConversationId, Handle)>,
    /// Commands carried out.
    pub commands: Vec<Remembered>,
}

/// What one commit holds: several tenants' batches, each under the epoch its owner holds. A tenant stands in it once.
pub type Commit = Vec<(TenantId, Epoch, Batch)>;

/// How often ownership of a tenant changed. Every append checks it; only taking over raises it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Epoch(pub i64);

/// A snapshot of an engine: a cache of the journal up to `seq`, made and read by `drive`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The last event it includes.
    pub seq: Seq,
    /// What `drive` wrote.
    pub body: Vec<u8>,
}

/// What taking a tenant over gives.
#[derive(Debug)]
pub struct Opened {
    /// The epoch this owner writes under; every older owner is fenced from now on.
    pub epoch: Epoch,
    /// The newest snapshot, if any.
    pub snapshot: Option<Snapshot>,
    /// The head of the journal; 0 when it is empty.
    pub head: Seq,
    /// When the last owner was surely alive: the last event or heartbeat, whichever is later (F2).
    pub alive_at: Option<Timestamp>,
}

/// What kind of delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DeliveryState {
    /// Work to do, or done (`done == wanted`).
    Open,
    /// In the dead letters with its reason (D9).
    Dead,
}

/// One log to one connection: one row per (connection, interaction), whatever number of events wanted it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// To which CRM.
    pub connection: ConnectionId,
    /// Of what.
    pub interaction: InteractionId,
    /// Whose key `progress` is encrypted under at rest.
    pub conversation: ConversationId,
    /// The newest journal position that should be in the CRM.
    pub wanted: u64,
    /// The journal position the CRM has.
    pub done: u64,
    /// Tries since the last success.
    pub attempt: u32,
    /// Not before.
    pub next_at: Timestamp,
    /// How long it has been tried while the connection was up, in milliseconds (72 h is the limit).
    pub tried_ms: u64,
    /// Open or dead.
    pub state: DeliveryState,
    /// What was last wrong, in words.
    pub last_error: Option<String>,
    /// What the connector remembers (JSON); may hold content, so it is encrypted at rest.
    pub progress: String,
    /// Digest of the last log sent, so that a no-op is not sent.
    pub sent_digest: Option<[u8; 32]>,
}

/// [`Delivery::progress`] of a row of which nothing is remembered: never tried, or its conversation was erased.
pub const NO_PROGRESS: &str = "{}";

/// How much of the delivery table waits for one CRM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Backlog {
    /// Rows that are to be sent, now or later.
    pub waiting: u64,
    /// Rows that are dead.
    pub dead: u64,
}

/// That a delivery is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Want {
    /// To which CRM.
    pub connection: ConnectionId,
    /// Of what.
    pub interaction: InteractionId,
    /// Whose key it is kept under.
    pub conversation: ConversationId,
    /// At least this journal position.
    pub version: u64,
    /// Not before.
    pub next_at: Timestamp,
}

/// Who reads the journal by cursor.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reader {
    /// The publisher to the bus.
    Bus,
    /// The dispatcher of one connection: logs.
    Logs(ConnectionId),
    /// The dispatcher of one connection: pops and look-ups.
    Pops(ConnectionId),
}

impl Reader {
    /// As the cursor table names it.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Bus => "bus".to_owned(),
            Self::Logs(c) => format!("logs.{c}"),
            Self::Pops(c) => format!("pops.{c}"),
        }
    }
}

/// Where the journal is kept. SQLite in one process, PostgreSQL for several machines, memory in the simulator.
#[async_trait]
pub trait Store: Send + Sync {
    /// The same store as the holder of a lease has it: opening a tenant of the shard ([`Part::Engines`]) or writing
    /// to its delivery table ([`Part::Dispatch`]) is [`Error::Fenced`] once the lease is another's. `None` where one
    /// process has the store to itself and no lease is needed.
    fn under(&self, _lease: Lease) -> Option<Arc<dyn Store>> {
        None
    }

    /// Length of the write-ahead log in bytes, where it is a file of this process; above 64 MiB a reader keeps a
    /// transaction open, or the disk does not keep up.
    fn log_bytes(&self) -> u64 {
        0
    }

    /// Waits until the disk fails under the store and says how. Nothing it answers after that is to be believed, so the
    /// process must end, whoever met the failure. Never, where the store is not on a disk of this process.
    async fn lost(&self) -> Error {
        std::future::pending().await
    }

    /// Takes a tenant over: raises its epoch (that fences every older owner, and waits for a commit of theirs that is
    /// under way), then reads where it stands. Whoever does not know what came of a commit of its own opens again.
    async fn open(&self, tenant: &TenantId) -> Result<Opened, Error>;

    /// Appends. All of it or nothing; durable when it returns. Refuses a batch whose epoch is not the newest
    /// ([`Error::Fenced`]), rows that do not follow the head without a gap or go back in time, and ids of content or
    /// commands that are there already. Content for a conversation that was erased before gets a new key.
    async fn commit(&self, commit: &Commit) -> Result<(), Error>;

    /// Rows after `after`, at most `limit`, in order.
    async fn read(&self, tenant: &TenantId, after: Seq, limit: u32) -> Result<Vec<Recorded>, Error>;

    /// All rows of one interaction, in order. As with [`Store::read`], one row that cannot be read fails the whole
    /// with [`Error::Unreadable`], which names it; a row is never skipped.
    async fn read_interaction(&self, tenant: &TenantId, id: InteractionId) -> Result<Vec<Recorded>, Error>;

    /// Content by id, in the order asked for; ids that are gone (erased) are left out.
    async fn content(&self, tenant: &TenantId, ids: &[ContentId])
    -> Result<Vec<(ContentId, Content)>, Error>;

    /// Whether a command was carried out before.
    async fn remembered(
        &self,
        tenant: &TenantId,
        caller: &str,
        id: &CommandId,
    ) -> Result<Option<Remembered>, Error>;

    /// Conversations known under a phone number or address, newest first, at most `limit`.
    async fn conversations(
        &self,
        tenant: &TenantId,
        by: &Handle,
        limit: u32,
    ) -> Result<Vec<ConversationId>, Error>;

    /// Says that the owner lives; at most once a second (F2 measures downtime from it). [`Error::Fenced`] when it is
    /// not the owner any more.
    async fn heartbeat(&self, tenant: &TenantId, epoch: Epoch, at: Timestamp) -> Result<(), Error>;

    /// Keeps a snapshot; the two newest stay. It is encrypted at rest, as it names agents.
    async fn save_snapshot(&self, tenant: &TenantId, snapshot: &Snapshot) -> Result<(), Error>;

    /// Where a reader stands; 0 if it never read.
    async fn cursor(&self, tenant: &TenantId, reader: &Reader) -> Result<Seq, Error>;

    /// Moves a reader on; it never goes back.
    async fn move_cursor(&self, tenant: &TenantId, reader: &Reader, to: Seq) -> Result<(), Error>;

    /// Raises wanted versions and moves the reader on, in one commit. A dead row stays dead; one that waits after a
    /// failed try keeps its time; one that was not tried yet takes the earlier time.
    async fn want(&self, tenant: &TenantId, wants: &[Want], reader: &Reader, to: Seq) -> Result<(), Error>;

    /// Open rows of a connection with work to do whose time has come, longest due first, at most `limit`.
    async fn due(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<Delivery>, Error>;

    /// When the next open row with work to do comes due.
    async fn next_due(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
    ) -> Result<Option<Timestamp>, Error>;

    /// One row.
    async fn delivery(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
        interaction: InteractionId,
    ) -> Result<Option<Delivery>, Error>;

    /// Writes a row back, refusing one that was never wanted. `wanted` only ever grows: a want that came meanwhile is
    /// kept. If the conversation was erased meanwhile, `progress`, `last_error` and `sent_digest` are not kept.
    async fn settle(&self, tenant: &TenantId, delivery: &Delivery) -> Result<(), Error>;

    /// Dead rows, the one that died last first, at most `limit`.
    async fn dead(&self, tenant: &TenantId, limit: u32) -> Result<Vec<Delivery>, Error>;

    /// How many rows wait and how many are dead, by connection; connections without either are left out.
    async fn backlog(&self, tenant: &TenantId) -> Result<BTreeMap<ConnectionId, Backlog>, Error>;

    /// Brings a dead row back to life, due at once and with its whole time to try; false if there is none.
    async fn revive(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
        interaction: InteractionId,
        now: Timestamp,
    ) -> Result<bool, Error>;

    /// Erases a conversation: its key, its content, its handles, its progress (promise 9). Rows of the journal
    /// stay; they hold nothing of it. May be repeated; [`Error::Unknown`] asks for that.
    async fn erase(&self, tenant: &TenantId, conversation: ConversationId) -> Result<(), Error>;

    /// Forgets command ids carried out before `before`, by the journal's time; how many.
    async fn forget_commands(&self, before: Timestamp) -> Result<u64, Error>;
}

/// A commit names a tenant once: its batch is checked against the head before it.
fn check_tenants(commit: &Commit) -> Result<(), Error> {
    let mut seen = std::collections::BTreeSet::new();
    match commit.iter().find(|(tenant, _, _)| !seen.insert(tenant)) {
        Some((tenant, _, _)) => Err(Error::Refused(format!("a commit holds tenant {tenant} twice"))),
        None => Ok(()),
    }
}

fn no_delivery(connection: &ConnectionId, interaction: InteractionId) -> Error {
    Error::Refused(format!("there is no delivery of {interaction} to {connection} in this conversation"))
}
