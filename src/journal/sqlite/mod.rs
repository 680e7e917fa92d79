//! The journal in one SQLite file, for one process: WAL, `synchronous=FULL`, one writing connection, a few reading
//! ones whose transactions are single statements, and an OS lock so that a second process is refused.
//!
//! What the file holds: `migrations/`. SQL stands in `rows` (journal, commands, snapshots), `secrets` (keys, content,
//! handles, erasing) and `ledger` (cursors, deliveries); `writer` has transactions and the meaning of SQLite's errors.

mod ballast;
mod bulk;
mod ledger;
mod migrate;
mod rows;
mod secrets;
#[cfg(test)]
mod tests;
mod writer;

use super::sealed::{Keyring, MasterKey, sync_parent};
use super::{
    Backlog, Commit, Delivery, Epoch, Error, Handle, Opened, Reader, Recorded, Remembered, Snapshot, Store,
    Want,
};
use async_trait::async_trait;
use ballast::Ballast;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection as _, Row};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tieline_model::content::Content;
use tieline_model::{
    CommandId, ConnectionId, ContentId, ConversationId, InteractionId, Seq, TenantId, Timestamp,
};
use tokio::sync::watch;
use writer::{Access, Guard, Writer, meaning};

/// The first release without the WAL-reset bug (two connections, one of them checkpointing, could lose a page).
const SQLITE_MIN: (u32, u32, u32) = (3, 51, 3);
/// A longer log slows every reader; after a checkpoint it is cut to this.
const WAL_BYTES_MAX: &str = "67108864";
const READERS: u32 = 4;
/// How long a connection waits for another one. Only the start, `erase` and `compact` ever wait.
const BUSY: Duration = Duration::from_secs(5);
const READ_WAIT: Duration = Duration::from_secs(5);

/// A journal in an SQLite file. Dropping it releases the file; commits that were answered are on the disk.
pub struct Sqlite {
    writer: tokio::sync::Mutex<Writer>,
    readers: SqlitePool,
    keys: Keyring,
    path: PathBuf,
    failed: watch::Receiver<Option<String>>,
    /// Held as long as the store lives.
    _lock: File,
}

impl std::fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sqlite").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Sqlite {
    /// Opens the journal at `path`, making it (mode 0600) when there is none, and brings its tables up to date. Beside
    /// it lie `-wal` and `-shm`, which are part of it, and `.lock`. Not for network file systems.
    ///
    /// # Errors
    /// [`Error::Refused`] when another process has it open, when `master_key` is not the one it was written under,
    /// when a newer version wrote it, or when it cannot be made; [`Error::Unreadable`] or [`Error::Fatal`] when it is
    /// damaged.
    pub async fn open(path: impl AsRef<Path>, master_key: MasterKey) -> Result<Self, Error> {
        Self::open_with(path, master_key, 0).await
    }

    /// The same with so many bytes of ballast: room that is given up where the disk is full, so that the journal can be
    /// opened all the same, and its log be moved into it. It is taken again where there is twice as much.
    ///
    /// # Errors
    /// As [`Sqlite::open`].
    pub async fn open_with(
        path: impl AsRef<Path>,
        master_key: MasterKey,
        ballast_bytes: u64,
    ) -> Result<Self, Error> {
        let path = path.as_ref().to_owned();
        let lock = lock(&path)?;
        let ballast = Ballast::beside(&path, ballast_bytes);
        // Whoever starts needs room: for the log, for tables of a newer version, for the first commits.
        ballast.give_up();
        let writer = Self::prepare(&path, ballast).await?;
        Self::around(path, lock, writer, Keyring::new(master_key)).await
    }

    async fn prepare(path: &Path, ballast: Ballast) -> Result<Writer, Error> {
        create_private(path)?;
        let mut writer = Writer::connect(&options(path).busy_timeout(BUSY), ballast).await?;
        check_version(&mut writer).await?;
        check_mode(&mut writer, path).await?;
        migrate::run(&mut writer).await?;
        Ok(writer)
    }

    async fn around(path: PathBuf, lock: File, mut writer: Writer, keys: Keyring) -> Result<Self, Error> {
        secrets::check_key(&mut writer, &keys).await?;
        // A crash may have come between an erasure and the cutting of the log that holds the old pages.
        writer.truncate_wal().await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .acquire_timeout(READ_WAIT)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
            .connect_lazy_with(options(&path).read_only(true).busy_timeout(Duration::from_secs(1)));
        let failed = writer.failed();
        Ok(Self { writer: tokio::sync::Mutex::new(writer), readers, keys, path, failed, _lock: lock })
    }

    /// Looks through the whole file for damage; the first finding. Takes seconds per gigabyte; reading goes on
    /// meanwhile. For `tieline doctor`, and after a disk failed.
    ///
    /// # Errors
    /// [`Error::Unreadable`] with what SQLite found.
    pub async fn quick_check(&self) -> Result<(), Error> {
        let found: String = sqlx::query_scalar("PRAGMA quick_check(1)")
            .fetch_one(&self.readers)
            .await
            .map_err(|e| meaning(e, Access::Read))?;
        if found == "ok" { Ok(()) } else { Err(Error::Unreadable(found)) }
    }

    /// Writes the file anew without its unused space. Blocks commits meanwhile and needs as much free disk again, so
    /// run it seldom and at night.
    ///
    /// # Errors
    /// [`Error::Full`] when the disk has no room for the copy; the journal stays as it was.
    pub async fn compact(&self) -> Result<(), Error> {
        let mut writer = self.writer.lock().await;
        writer.outside("VACUUM").await?;
        writer.truncate_wal().await
    }

    /// Writes a copy of the journal at `path` as it stands now to `to`, which must not be there yet; synced when it
    /// returns. Whoever has the journal open goes on, commits too; its log cannot be cut meanwhile. Nothing that people
    /// wrote can be read in the copy without the master key, which is not in it.
    ///
    /// # Errors
    /// [`Error::Refused`] when there is no journal, or `to` is there or cannot be written; [`Error::Full`]. What was
    /// written so far is removed.
    pub async fn copy(path: &Path, to: &Path) -> Result<(), Error> {
        let refuse = |e: &dyn std::fmt::Display| {
            Error::Refused(format!("the backup {} cannot be written: {e}", to.display()))
        };
        if !path.exists() {
            return Err(Error::Refused(format!("there is no journal at {}", path.display())));
        }
        let Some(name) = to.to_str() else { return Err(refuse(&"its path is not UTF-8")) };
        // SQLite fills an empty file; one made here is private from its first byte.
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to);
        let file = file.map_err(|e| refuse(&e))?;
        let copied = async {
            let mut reader = options(path).read_only(true).busy_timeout(BUSY).connect().await?;
            sqlx::query("VACUUM INTO ?").bind(name).execute(&mut reader).await?;
            reader.close().await
        };
        let kept = match copied.await {
            Ok(()) => file.sync_all().and_then(|()| sync_parent(to)).map_err(|e| refuse(&e)),
            Err(e) => Err(meaning(e, Access::Read)),
        };
        if kept.is_err() {
            // Half a backup is worse than none; that it cannot be removed is no more than the error says already.
            let _ = std::fs::remove_file(to);
        }
        kept
    }

    /// Where each tenant's journal ends, also of tenants that no settings name any more.
    ///
    /// # Errors
    /// [`Error::Unreadable`].
    pub async fn heads(&self) -> Result<BTreeMap<TenantId, Seq>, Error> {
        rows::heads(&self.readers).await
    }

    /// Raises every tenant's epoch by `by`, and at least to `floor`: after a restore nobody who wrote before it may
    /// seem to be newer.
    ///
    /// # Errors
    /// As [`Store::heartbeat`].
    pub async fn raise_epochs(&self, by: i64, floor: i64) -> Result<(), Error> {
        let mut tx = self.write().await?;
        let done = rows::raise_epochs(tx.conn(), by, floor).await;
        tx.finish(done).await
    }

    /// Closes the journal, so that its log is in the file and nothing lies beside it but the lock.
    pub async fn close(self) {
        let Self { writer, readers, path, _lock: lock, .. } = self;
        readers.close().await;
        writer.into_inner().close().await;
        // Nobody waits for the name of a lock that is held by nobody; it is made again where it is needed.
        let _ = std::fs::remove_file(path.with_added_extension("lock"));
        drop(lock);
    }

    async fn write(&self) -> Result<Guard<'_>, Error> {
        Guard::begin(self.writer.lock().await).await
    }
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        // NORMAL would be faster and lose the last commits with the power.
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .pragma("secure_delete", "ON")
        .pragma("journal_size_limit", WAL_BYTES_MAX)
        // A damaged page is noticed when it is read, not when it is balanced into its neighbours.
        .pragma("cell_size_check", "ON")
        .pragma("trusted_schema", "OFF")
        .disable_statement_logging()
}

fn lock(path: &Path) -> Result<File, Error> {
    let lock_path = path.with_added_extension("lock");
    let refuse = |e: &dyn std::fmt::Display| {
        Error::Refused(format!("the lock file {} cannot be taken: {e}", lock_path.display()))
    };
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&lock_path)
        .map_err(|e| refuse(&e))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::Refused(format!(
            "another process has the journal {} open; stop it first, or give this one its own data directory",
            path.display()
        ))),
        Err(TryLockError::Error(e)) => Err(refuse(&e)),
    }
}

/// SQLite gives its other files the mode of this one. A file that is there is not touched: closing it again would drop
/// the locks of every connection this process may still have on it.
fn create_private(path: &Path) -> Result<(), Error> {
    if path.exists() {
        return Ok(());
    }
    let made = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path);
    made.and_then(|_| sync_parent(path))
        .map_err(|e| Error::Refused(format!("the journal {} cannot be made: {e}", path.display())))
}

async fn check_version(writer: &mut Writer) -> Result<(), Error> {
    let found: String = writer.scalar("SELECT sqlite_version()").await?;
    let mut parts = found.split('.').map(|p| p.parse().unwrap_or(0));
    let mut next = || parts.next().unwrap_or(0);
    if (next(), next(), next()) >= SQLITE_MIN {
        return Ok(());
    }
    let (a, b, c) = SQLITE_MIN;
    Err(Error::Refused(format!("SQLite {found} can damage a journal; build with {a}.{b}.{c} or newer")))
}

/// SQLite answers with the mode it could get, and goes on with it.
async fn check_mode(writer: &mut Writer, path: &Path) -> Result<(), Error> {
    let mode: String = writer.scalar("PRAGMA journal_mode").await?;
    let synchronous: i64 = writer.scalar("PRAGMA synchronous").await?;
    if mode == "wal" && synchronous == 2 {
        return Ok(());
    }
    Err(Error::Refused(format!(
        "the journal {} cannot use a write-ahead log (mode `{mode}`); put it on a local disk",
        path.display()
    )))
}

#[async_trait]
impl Store for Sqlite {
    fn log_bytes(&self) -> u64 {
        let mut log = self.path.clone().into_os_string();
        log.push("-wal");
        std::fs::metadata(log).map_or(0, |about| about.len())
    }

    async fn lost(&self) -> Error {
        let mut failed = self.failed.clone();
        let text = failed.wait_for(Option::is_some).await.ok().and_then(|text| text.clone());
        match text {
            Some(text) => Error::Fatal(text),
            // The store is being dropped.
            None => std::future::pending().await,
        }
    }

    async fn open(&self, tenant: &TenantId) -> Result<Opened, Error> {
        let mut tx = self.write().await?;
        let opened = rows::open(tx.conn(), &self.keys.tenant(tenant), tenant).await;
        tx.finish(opened).await
    }

    async fn commit(&self, commit: &Commit) -> Result<(), Error> {
        if commit.is_empty() {
            return Ok(());
        }
        super::check_tenants(commit)?;
        let mut tx = self.write().await?;
        let mut done = Ok(());
        for (tenant, epoch, batch) in commit {
            done = rows::append(tx.conn(), &self.keys.tenant(tenant), tenant, *epoch, batch).await;
            if done.is_err() {
                break;
            }
        }
        tx.finish(done).await
    }

    async fn read(&self, tenant: &TenantId, after: Seq, limit: u32) -> Result<Vec<Recorded>, Error> {
        rows::read(&self.readers, tenant, after, limit).await
    }

    async fn read_interaction(&self, tenant: &TenantId, id: InteractionId) -> Result<Vec<Recorded>, Error> {
        rows::read_interaction(&self.readers, tenant, id).await
    }

    async fn content(
        &self,
        tenant: &TenantId,
        ids: &[ContentId],
    ) -> Result<Vec<(ContentId, Content)>, Error> {
        secrets::content(&self.readers, &self.keys.tenant(tenant), tenant, ids).await
    }

    async fn remembered(
        &self,
        tenant: &TenantId,
        caller: &str,
        id: &CommandId,
    ) -> Result<Option<Remembered>, Error> {
        rows::remembered(&self.readers, tenant, caller, id).await
    }

    async fn conversations(
        &self,
        tenant: &TenantId,
        by: &Handle,
        limit: u32,
    ) -> Result<Vec<ConversationId>, Error> {
        secrets::conversations(&self.readers, &self.keys.tenant(tenant), tenant, by, limit).await
    }

    async fn heartbeat(&self, tenant: &TenantId, epoch: Epoch, at: Timestamp) -> Result<(), Error> {
        let mut tx = self.write().await?;
        let done = rows::heartbeat(tx.conn(), tenant, epoch, at).await;
        tx.finish(done).await
    }

    async fn save_snapshot(&self, tenant: &TenantId, snapshot: &Snapshot) -> Result<(), Error> {
        let mut tx = self.write().await?;
        let done = rows::save_snapshot(tx.conn(), &self.keys.tenant(tenant), tenant, snapshot).await;
        tx.finish(done).await
    }

    async fn cursor(&self, tenant: &TenantId, reader: &Reader) -> Result<Seq, Error> {
        ledger::cursor(&self.readers, tenant, reader).await
    }

    async fn move_cursor(&self, tenant: &TenantId, reader: &Reader, to: Seq) -> Result<(), Error> {
        let mut tx = self.write().await?;
        let done = ledger::move_cursor(tx.conn(), tenant, reader, to).await;
        tx.finish(done).await
    }

    async fn want(&self, tenant: &TenantId, wants: &[Want], reader: &Reader, to: Seq) -> Result<(), Error> {
        let mut tx = self.write().await?;
        let done = ledger::want(tx.conn(), tenant, wants, reader, to).await;
        tx.finish(done).await
    }

    async fn due(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<Delivery>, Error> {
        ledger::due(&self.readers, &self.keys.tenant(tenant), tenant, connection, now, limit).await
    }

    async fn next_due(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
    ) -> Result<Option<Timestamp>, Error> {
        ledger::next_due(&self.readers, tenant, connection).await
    }

    async fn delivery(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
        interaction: InteractionId,
    ) -> Result<Option<Delivery>, Error> {
        ledger::delivery(&self.readers, &self.keys.tenant(tenant), tenant, connection, interaction).await
    }

    async fn settle(&self, tenant: &TenantId, delivery: &Delivery) -> Result<(), Error> {
        let mut tx = self.write().await?;
        let done = ledger::settle(tx.conn(), &self.keys.tenant(tenant), tenant, delivery).await;
        tx.finish(done).await
    }

    async fn dead(&self, tenant: &TenantId, limit: u32) -> Result<Vec<Delivery>, Error> {
        ledger::dead(&self.readers, &self.keys.tenant(tenant), tenant, limit).await
    }

    async fn backlog(&self, tenant: &TenantId) -> Result<BTreeMap<ConnectionId, Backlog>, Error> {
        ledger::backlog(&self.readers, tenant).await
    }

    async fn revive(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
        interaction: InteractionId,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let mut tx = self.write().await?;
        let done = ledger::revive(tx.conn(), tenant, connection, interaction, now).await;
        tx.finish(done).await
    }

    async fn erase(&self, tenant: &TenantId, conversation: ConversationId) -> Result<(), Error> {
        let mut tx = self.write().await?;
        let done = secrets::erase(tx.conn(), tenant, conversation).await;
        let mut writer = tx.finish_and_keep(done).await?;
        // Old pages, with the key in them, live on in the log until it is cut.
        writer.truncate_wal().await
    }

    async fn forget_commands(&self, before: Timestamp) -> Result<u64, Error> {
        let mut tx = self.write().await?;
        let done = rows::forget_commands(tx.conn(), before).await;
        tx.finish(done).await
    }
}

/// A 16-byte id from a column.
fn id_at(row: &sqlx::sqlite::SqliteRow, column: usize) -> Result<uuid::Uuid, Error> {
    let bytes: &[u8] = row.try_get(column).map_err(|e| meaning(e, Access::Read))?;
    uuid::Uuid::from_slice(bytes)
        .map_err(|_| Error::Unreadable("an id in the journal does not have 16 bytes".into()))
}

/// Ids for `IN (SELECT unhex(value) FROM json_each(?))`: one prepared statement whatever their number.
fn id_list<'a>(ids: impl Iterator<Item = &'a uuid::Uuid>) -> String {
    let mut out = String::from("[");
    for id in ids {
        if out.len() > 1 {
            out.push(',');
        }
        out.push_str(&format!("\"{}\"", id.simple()));
    }
    out.push(']');
    out
}
