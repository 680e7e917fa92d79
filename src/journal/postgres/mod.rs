//! The journal in PostgreSQL, for several machines over one database.
//!
//! Every write is one statement that is its own transaction, so it takes one round trip and no client can stand still in
//! the middle of it. Each looks at the fences first: the tenant's epoch, or the seal of a lease, `FOR SHARE`, which makes
//! whoever takes over wait until it has ended. What the database holds: `migrations/`. SQL stands in `append` (commits),
//! `rows` (journal, commands, snapshots), `secrets` (keys, content, handles, erasing), `ledger` (cursors, deliveries) and
//! `leases`; `sessions` has the connections and `fault` the meaning of PostgreSQL's errors.

mod append;
mod copy;
mod fault;
mod leases;
mod ledger;
mod migrate;
mod rows;
mod secrets;
mod sessions;
#[cfg(test)]
mod tests;

use super::sealed::{Keyring, MasterKey};
use super::{
    Backlog, Commit, Delivery, Epoch, Error, Handle, Lease, Opened, Part, Reader, Recorded, Remembered,
    Snapshot, Store, Want,
};
use async_trait::async_trait;
use leases::Desk;
use secrets::Known;
use sessions::{Facts, Sessions, Setup};
use sqlx::ConnectOptions;
use sqlx::postgres::{PgArguments, PgConnectOptions};
use sqlx::query::Query;
use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;
use tieline_model::content::Content;
use tieline_model::{
    CommandId, ConnectionId, ContentId, ConversationId, InteractionId, Seq, TenantId, Timestamp,
};

/// Which database, and how patient to be with it.
#[derive(Clone)]
pub struct PostgresOptions {
    /// Its address with user and password: `postgres://user:password@host:5432/database?sslmode=verify-full`. Must lead
    /// to the primary, not through a pooler that hands out sessions by the transaction.
    pub url: String,
    /// The schema the tables are in; made if it is missing. Small letters, digits and underscores.
    pub schema: String,
    /// Most sessions that write at once.
    pub writers: u32,
    /// Most sessions that read at once.
    pub readers: u32,
    /// A connection attempt that takes longer is given up.
    pub connect_within: Duration,
    /// The server ends a statement that takes longer.
    pub statement_within: Duration,
    /// How long a lease lasts if it is not renewed.
    pub lease: Duration,
}

impl std::fmt::Debug for PostgresOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PostgresOptions").field("schema", &self.schema).finish_non_exhaustive()
    }
}

/// What a look at a database found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseHealth {
    /// The server's version.
    pub version: String,
    /// What about it could lose commits, each with its way out; empty is well.
    pub doubts: Vec<String>,
    /// Whether a start would have to change tables.
    pub tables_due: bool,
}

/// A journal in PostgreSQL.
#[derive(Clone)]
pub struct Postgres {
    shared: Arc<Shared>,
    /// What of it needs this lease.
    lease: Option<Lease>,
}

struct Shared {
    writers: Sessions,
    readers: Sessions,
    desk: Desk,
    keys: Keyring,
    known: Known,
    schema: String,
}

impl std::fmt::Debug for Postgres {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Postgres").field("schema", &self.shared.schema).finish_non_exhaustive()
    }
}

/// The lease a statement is fenced by, if any.
#[derive(Clone, Copy)]
struct Fence(Option<Lease>);

impl Fence {
    /// The first three parameters of a statement.
    fn bind<'q>(
        &self,
        query: Query<'q, sqlx::Postgres, PgArguments>,
    ) -> Query<'q, sqlx::Postgres, PgArguments> {
        let shard = self.0.map(|lease| i16::from(lease.shard.number()));
        let part = self.0.map(|lease| lease.part.name());
        query.bind(shard).bind(part).bind(self.0.map(|lease| lease.epoch.0))
    }

    fn check(&self, holds: bool, tenant: &TenantId) -> Result<(), Error> {
        if holds { Ok(()) } else { Err(Error::Fenced(tenant.clone())) }
    }
}

impl Postgres {
    /// Connects, looks whether the server keeps what it is given, and brings the tables up to date.
    ///
    /// # Errors
    /// [`Error::Unreachable`] when the primary cannot be reached at present; [`Error::Refused`] when the server is too
    /// old or has the wrong encoding, when the schema is somebody else's or of a newer version, or when `master_key` is
    /// not the one the journal was written under.
    pub async fn open(options: &PostgresOptions, master_key: MasterKey) -> Result<Arc<Self>, Error> {
        let setup = setup(options)?;
        let (mut conn, facts) = setup.connect().await?;
        for doubt in doubts(&facts) {
            tracing::warn!("{doubt}");
        }
        migrate::run(&mut conn, &options.schema).await?;
        let keys = Keyring::new(master_key);
        secrets::check_key(&mut conn, &keys).await?;
        let reading = Setup { read_only: true, ..setup.clone() };
        let shared = Shared {
            writers: Sessions::new(setup.clone(), options.writers),
            readers: Sessions::new(reading, options.readers),
            desk: Desk::new(setup, options.lease),
            keys,
            known: Known::default(),
            schema: options.schema.clone(),
        };
        Ok(Arc::new(Self { shared: Arc::new(shared), lease: None }))
    }

    /// Looks at a database and changes nothing.
    ///
    /// # Errors
    /// As [`Postgres::open`]; also when its user may not make the tables.
    pub async fn look(options: &PostgresOptions) -> Result<DatabaseHealth, Error> {
        let (mut conn, facts) = setup(options)?.connect().await?;
        let at = migrate::version(&mut conn, &options.schema).await?;
        let tables_due = at != Some(migrate::newest());
        if tables_due {
            migrate::check_rights(&mut conn, &options.schema).await?;
        }
        Ok(DatabaseHealth { doubts: doubts(&facts), version: facts.version, tables_due })
    }

    /// The fence of whatever needs the lease of a part.
    fn fence(&self, part: Part) -> Fence {
        Fence(self.lease.filter(|lease| lease.part == part))
    }
}

fn setup(options: &PostgresOptions) -> Result<Setup, Error> {
    let parsed = PgConnectOptions::from_str(&options.url)
        .map_err(|e| Error::Refused(format!("`journal.url` is not an address of a database: {e}")))?;
    let parsed = parsed.application_name("tieline").disable_statement_logging();
    Ok(Setup {
        options: parsed,
        schema: options.schema.clone(),
        connect_within: options.connect_within,
        statement_within: options.statement_within,
        silent_for: Duration::ZERO,
        read_only: false,
    })
}

/// What an operator should know before the power fails.
fn doubts(facts: &Facts) -> Vec<String> {
    let mut doubts = Vec::new();
    if facts.fsync != "on" {
        doubts.push(
            "the database runs with `fsync = off`: a power cut can destroy it; set it to `on`".to_owned(),
        );
    }
    if facts.full_page_writes != "on" {
        doubts.push(
            "the database runs with `full_page_writes = off`: a power cut can damage it, unless its file system keeps \
             half-written pages away; set it to `on`"
                .to_owned(),
        );
    }
    doubts
}

#[async_trait]
impl Store for Postgres {
    fn under(&self, lease: Lease) -> Option<Arc<dyn Store>> {
        Some(Arc::new(Self { shared: self.shared.clone(), lease: Some(lease) }))
    }

    async fn open(&self, tenant: &TenantId) -> Result<Opened, Error> {
        let keys = self.shared.keys.tenant(tenant);
        rows::open(&self.shared.writers, self.fence(Part::Engines), &keys, tenant).await
    }

    async fn commit(&self, commit: &Commit) -> Result<(), Error> {
        if commit.is_empty() {
            return Ok(());
        }
        super::check_tenants(commit)?;
        append::commit(&self.shared.writers, &self.shared.known, &self.shared.keys, commit).await
    }

    async fn read(&self, tenant: &TenantId, after: Seq, limit: u32) -> Result<Vec<Recorded>, Error> {
        rows::read(&self.shared.readers, tenant, after, limit).await
    }

    async fn read_interaction(&self, tenant: &TenantId, id: InteractionId) -> Result<Vec<Recorded>, Error> {
        rows::read_interaction(&self.shared.readers, tenant, id).await
    }

    async fn content(
        &self,
        tenant: &TenantId,
        ids: &[ContentId],
    ) -> Result<Vec<(ContentId, Content)>, Error> {
        secrets::content(&self.shared.readers, &self.shared.keys.tenant(tenant), tenant, ids).await
    }

    async fn remembered(
        &self,
        tenant: &TenantId,
        caller: &str,
        id: &CommandId,
    ) -> Result<Option<Remembered>, Error> {
        rows::remembered(&self.shared.readers, tenant, caller, id).await
    }

    async fn conversations(
        &self,
        tenant: &TenantId,
        by: &Handle,
        limit: u32,
    ) -> Result<Vec<ConversationId>, Error> {
        let keys = self.shared.keys.tenant(tenant);
        secrets::conversations(&self.shared.readers, &keys, tenant, by, limit).await
    }

    async fn heartbeat(&self, tenant: &TenantId, epoch: Epoch, at: Timestamp) -> Result<(), Error> {
        rows::heartbeat(&self.shared.writers, tenant, epoch, at).await
    }

    async fn save_snapshot(&self, tenant: &TenantId, snapshot: &Snapshot) -> Result<(), Error> {
        rows::save_snapshot(&self.shared.writers, &self.shared.keys.tenant(tenant), tenant, snapshot).await
    }

    async fn cursor(&self, tenant: &TenantId, reader: &Reader) -> Result<Seq, Error> {
        ledger::cursor(&self.shared.readers, tenant, reader).await
    }

    async fn move_cursor(&self, tenant: &TenantId, reader: &Reader, to: Seq) -> Result<(), Error> {
        let fence = match reader {
            // The publisher goes with the engines, and a cursor never goes back.
            Reader::Bus => Fence(None),
            Reader::Logs(_) | Reader::Pops(_) => self.fence(Part::Dispatch),
        };
        ledger::want(&self.shared.writers, fence, tenant, &[], reader, to).await
    }

    async fn want(&self, tenant: &TenantId, wants: &[Want], reader: &Reader, to: Seq) -> Result<(), Error> {
        ledger::want(&self.shared.writers, self.fence(Part::Dispatch), tenant, wants, reader, to).await
    }

    async fn due(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<Delivery>, Error> {
        let keys = self.shared.keys.tenant(tenant);
        ledger::due(&self.shared.readers, &keys, tenant, connection, now, limit).await
    }

    async fn next_due(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
    ) -> Result<Option<Timestamp>, Error> {
        ledger::next_due(&self.shared.readers, tenant, connection).await
    }

    async fn delivery(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
        interaction: InteractionId,
    ) -> Result<Option<Delivery>, Error> {
        let keys = self.shared.keys.tenant(tenant);
        ledger::delivery(&self.shared.readers, &keys, tenant, connection, interaction).await
    }

    async fn settle(&self, tenant: &TenantId, delivery: &Delivery) -> Result<(), Error> {
        let (shared, keys) = (&self.shared, self.shared.keys.tenant(tenant));
        let fence = self.fence(Part::Dispatch);
        ledger::settle(&shared.writers, &shared.known, fence, &keys, tenant, delivery).await
    }

    async fn dead(&self, tenant: &TenantId, limit: u32) -> Result<Vec<Delivery>, Error> {
        ledger::dead(&self.shared.readers, &self.shared.keys.tenant(tenant), tenant, limit).await
    }

    async fn backlog(&self, tenant: &TenantId) -> Result<BTreeMap<ConnectionId, Backlog>, Error> {
        ledger::backlog(&self.shared.readers, tenant).await
    }

    async fn revive(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
        interaction: InteractionId,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let fence = self.fence(Part::Dispatch);
        ledger::revive(&self.shared.writers, fence, tenant, connection, interaction, now).await
    }

    async fn erase(&self, tenant: &TenantId, conversation: ConversationId) -> Result<(), Error> {
        secrets::erase(&self.shared.writers, &self.shared.known, tenant, conversation).await
    }

    async fn forget_commands(&self, before: Timestamp) -> Result<u64, Error> {
        rows::forget_commands(&self.shared.writers, before).await
    }
}
