//! The commit: one statement for the batches of all its tenants, which is its own transaction, so one round trip.
//!
//! It holds each tenant's row `FOR SHARE`, which lets no new owner in before it has ended, looks whether every batch
//! follows its tenant's head, and writes all or nothing.

use super::fault::Access;
use super::secrets::{self, Found, KEY_TRIES, Key, Known};
use super::sessions::{Sessions, get};
use crate::journal::places::{self, int, unsigned};
use crate::journal::sealed::{Keyring, TenantKeys};
use crate::journal::{Batch, Commit, Epoch, Error, NewContent, codec};
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tieline_model::{ConversationId, Seq, TenantId, Timestamp};
use uuid::Uuid;

/// `FOR SHARE`, not `FOR KEY SHARE`: raising the epoch changes no key, and would not wait for the latter.
///
/// Rows say by `of` to which of the tenants they belong. `fit` is read by all that write, so that nothing is written
/// before the locks are held and unless everything fits.
const APPEND: &str = "
WITH batch AS MATERIALIZED (
    SELECT * FROM unnest($1::text[], $2::int8[], $3::int8[], $4::int8[], $5::int8[])
        WITH ORDINALITY AS b (tenant, epoch, first_seq, first_at, last_at, of)
), own AS MATERIALIZED (
    SELECT b.of FROM batch b JOIN tenants t ON t.tenant = b.tenant AND t.epoch = b.epoch FOR SHARE OF t
), head AS MATERIALIZED (
    SELECT b.*, own.of IS NOT NULL AS is_own, j.seq, j.at
    FROM batch b LEFT JOIN own ON own.of = b.of
    LEFT JOIN LATERAL (SELECT seq, at FROM journal j WHERE j.tenant = b.tenant ORDER BY seq DESC LIMIT 1) j ON true
), live AS MATERIALIZED (
    SELECT id FROM keys WHERE id = ANY($6::uuid[]) AND NOT erased FOR SHARE
), fit AS MATERIALIZED (
    SELECT (SELECT count(*) FROM live) = cardinality($6) AND bool_and(
        is_own AND coalesce(first_seq = coalesce(seq, 0) + 1 AND first_at >= coalesce(at, first_at), true)
    ) AS ok FROM head
), put_rows AS (
    INSERT INTO journal (tenant, seq, epoch, at, interaction, kind, event, checksum)
    SELECT ($1::text[])[r.of], r.seq, ($2::int8[])[r.of], r.at, r.interaction, r.kind, r.event, r.checksum
    FROM fit, unnest($7::int4[], $8::int8[], $9::int8[], $10::uuid[], $11::text[], $12::text[], $13::int8[])
        AS r (of, seq, at, interaction, kind, event, checksum)
    WHERE fit.ok
), put_keys AS (
    INSERT INTO keys (id, tenant, conversation, wrapped)
    SELECT k.id, ($1::text[])[k.of], k.conversation, k.wrapped
    FROM fit, unnest($14::int4[], $15::uuid[], $16::uuid[], $17::bytea[]) AS k (of, id, conversation, wrapped)
    WHERE fit.ok
), put_content AS (
    INSERT INTO content (tenant, id, key, body)
    SELECT ($1::text[])[c.of], c.id, c.key, c.body
    FROM fit, unnest($18::int4[], $19::uuid[], $20::uuid[], $21::bytea[]) AS c (of, id, key, body)
    WHERE fit.ok
), put_handles AS (
    INSERT INTO handles (tenant, digest, conversation)
    SELECT ($1::text[])[h.of], h.digest, h.conversation
    FROM fit, unnest($22::int4[], $23::bytea[], $24::uuid[]) WITH ORDINALITY AS h (of, digest, conversation, nth)
    WHERE fit.ok ORDER BY h.nth
    ON CONFLICT DO NOTHING
), put_commands AS (
    INSERT INTO commands (tenant, caller, id, digest, seq, at)
    SELECT head.tenant, c.caller, c.id, c.digest, c.seq,
        coalesce(greatest(head.last_at, head.at, (SELECT at FROM alive a WHERE a.tenant = head.tenant)), 0)
    FROM fit, unnest($25::int4[], $26::text[], $27::text[], $28::bytea[], $29::int8[])
        AS c (of, caller, id, digest, seq)
    JOIN head ON head.of = c.of
    WHERE fit.ok
)
SELECT fit.ok, head.is_own, head.seq, head.at FROM head, fit ORDER BY head.of";

/// Appends all of it or nothing.
pub(super) async fn commit(
    writers: &Sessions,
    known: &Known,
    keyring: &Keyring,
    commit: &Commit,
) -> Result<(), Error> {
    for (tenant, _, batch) in commit {
        check_within(tenant, batch)?;
    }
    for _ in 0..KEY_TRIES {
        let (columns, used) = columns(writers, known, keyring, commit).await?;
        let rows = match writers.all(columns.bind(), Access::Commit).await {
            // Somebody else made a key for the same conversation a moment ago.
            Err(Error::Refused(text)) if text.contains("keys_live") => continue,
            done => done?,
        };
        if rows.first().is_some_and(|row| get(row, 0).unwrap_or(false)) {
            for ((tenant, conversation), key) in &used {
                known.keep(tenant, *conversation, key);
            }
            return Ok(());
        }
        explain(commit, &rows)?;
        // Then it was for a key that was erased meanwhile.
        used.keys().for_each(|(tenant, conversation)| known.forget(tenant, *conversation));
    }
    Err(Error::Refused("the keys of its content change all the time; try again".into()))
}

/// Whether a batch is in order within itself; how it fits what is there is looked at over there.
fn check_within(tenant: &TenantId, batch: &Batch) -> Result<(), Error> {
    let Some(first) = batch.rows.first() else { return Ok(()) };
    codec::check_rows(tenant, Seq(first.seq.0.saturating_sub(1)), first.at, &batch.rows)
}

/// Why nothing was written, if it is for a tenant.
fn explain(commit: &Commit, rows: &[PgRow]) -> Result<(), Error> {
    for ((tenant, _, batch), row) in commit.iter().zip(rows) {
        if !get::<bool>(row, 1)? {
            return Err(Error::Fenced(tenant.clone()));
        }
        let head = Seq(unsigned(get::<Option<i64>>(row, 2)?.unwrap_or(0)));
        let at = Timestamp(get::<Option<i64>>(row, 3)?.unwrap_or(i64::MIN));
        codec::check_rows(tenant, head, at, &batch.rows)?;
    }
    Ok(())
}

type Used = BTreeMap<(TenantId, ConversationId), Arc<Key>>;

/// A commit by columns, as [`APPEND`] takes it. `of` says to which tenant something belongs, from 1.
#[derive(Default)]
struct Columns {
    tenants: Tenants,
    live: Vec<Uuid>,
    rows: Rows,
    keys: Keys,
    content: Contents,
    handles: Handles,
    commands: Commands,
}

#[derive(Default)]
struct Tenants {
    tenant: Vec<String>,
    epoch: Vec<i64>,
    first_seq: Vec<Option<i64>>,
    first_at: Vec<Option<i64>>,
    last_at: Vec<Option<i64>>,
}

#[derive(Default)]
struct Rows {
    of: Vec<i32>,
    seq: Vec<i64>,
    at: Vec<i64>,
    interaction: Vec<Option<Uuid>>,
    kind: Vec<&'static str>,
    event: Vec<String>,
    checksum: Vec<i64>,
}

#[derive(Default)]
struct Keys {
    of: Vec<i32>,
    id: Vec<Uuid>,
    conversation: Vec<Uuid>,
    wrapped: Vec<Vec<u8>>,
}

#[derive(Default)]
struct Contents {
    of: Vec<i32>,
    id: Vec<Uuid>,
    key: Vec<Uuid>,
    body: Vec<Vec<u8>>,
}

#[derive(Default)]
struct Handles {
    of: Vec<i32>,
    digest: Vec<Vec<u8>>,
    conversation: Vec<Uuid>,
}

#[derive(Default)]
struct Commands {
    of: Vec<i32>,
    caller: Vec<String>,
    id: Vec<String>,
    digest: Vec<Vec<u8>>,
    seq: Vec<i64>,
}

/// Seals and lays out a commit; with it the keys it uses.
async fn columns(
    writers: &Sessions,
    known: &Known,
    keyring: &Keyring,
    commit: &Commit,
) -> Result<(Columns, Used), Error> {
    let (mut columns, mut used) = (Columns::default(), Used::new());
    for (of, (tenant, epoch, batch)) in (1..).zip(commit) {
        columns.tenants.add(tenant, *epoch, batch);
        columns.rows.add(of, tenant, batch)?;
        columns.commands.add(of, batch);
        let keys = keyring.tenant(tenant);
        columns.handles.add(of, &keys, batch);
        let talks: BTreeSet<ConversationId> = batch.content.iter().map(|c| c.conversation).collect();
        let mut by_talk = BTreeMap::new();
        for (talk, found) in secrets::find(writers, known, &keys, tenant, &talks).await? {
            let key = match found {
                Found::Live(key) => {
                    columns.live.push(key.id);
                    key
                }
                // Content for an erased conversation gets a new key: it was said after.
                Found::Erased | Found::Never => {
                    let (key, wrapped) = secrets::mint(&keys, tenant, talk);
                    columns.keys.add(of, key.id, talk, wrapped);
                    key
                }
            };
            used.insert((tenant.clone(), talk), Arc::clone(&key));
            by_talk.insert(talk, key);
        }
        for item in &batch.content {
            columns.content.add(of, &by_talk[&item.conversation], tenant, item)?;
        }
    }
    Ok((columns, used))
}

impl Columns {
    fn bind(self) -> Query<'static, sqlx::Postgres, PgArguments> {
        let Self { tenants, live, rows, keys, content, handles, commands } = self;
        let query = sqlx::query(APPEND).bind(tenants.tenant).bind(tenants.epoch).bind(tenants.first_seq);
        let query = query.bind(tenants.first_at).bind(tenants.last_at).bind(live);
        let query = query.bind(rows.of).bind(rows.seq).bind(rows.at).bind(rows.interaction).bind(rows.kind);
        let query = query.bind(rows.event).bind(rows.checksum);
        let query = query.bind(keys.of).bind(keys.id).bind(keys.conversation).bind(keys.wrapped);
        let query = query.bind(content.of).bind(content.id).bind(content.key).bind(content.body);
        let query = query.bind(handles.of).bind(handles.digest).bind(handles.conversation);
        let query = query.bind(commands.of).bind(commands.caller).bind(commands.id).bind(commands.digest);
        query.bind(commands.seq)
    }
}

impl Tenants {
    fn add(&mut self, tenant: &TenantId, epoch: Epoch, batch: &Batch) {
        self.tenant.push(tenant.as_str().to_owned());
        self.epoch.push(epoch.0);
        self.first_seq.push(batch.rows.first().map(|row| int(row.seq.0)));
        self.first_at.push(batch.rows.first().map(|row| row.at.0));
        self.last_at.push(batch.rows.last().map(|row| row.at.0));
    }
}

impl Rows {
    fn add(&mut self, of: i32, tenant: &TenantId, batch: &Batch) -> Result<(), Error> {
        for row in &batch.rows {
            let kind = row.event.kind();
            let body = codec::encode(&row.event)?;
            self.of.push(of);
            self.seq.push(int(row.seq.0));
            self.at.push(row.at.0);
            self.interaction.push(row.event.interaction().map(|id| id.0));
            self.kind.push(kind);
            self.checksum.push(codec::checksum(tenant, row.seq, row.at, kind, &body));
            self.event.push(body);
        }
        Ok(())
    }
}

impl Keys {
    fn add(&mut self, of: i32, id: Uuid, conversation: ConversationId, wrapped: Vec<u8>) {
        self.of.push(of);
        self.id.push(id);
        self.conversation.push(conversation.0);
        self.wrapped.push(wrapped);
    }
}

impl Contents {
    fn add(&mut self, of: i32, key: &Key, tenant: &TenantId, item: &NewContent) -> Result<(), Error> {
        self.of.push(of);
        self.id.push(item.id.0);
        self.key.push(key.id);
        self.body.push(places::seal_content(&key.key, tenant, item)?);
        Ok(())
    }
}

impl Handles {
    fn add(&mut self, of: i32, keys: &TenantKeys, batch: &Batch) {
        for (conversation, handle) in &batch.handles {
            self.of.push(of);
            self.digest.push(keys.index(handle));
            self.conversation.push(conversation.0);
        }
    }
}

impl Commands {
    fn add(&mut self, of: i32, batch: &Batch) {
        for command in &batch.commands {
            self.of.push(of);
            self.caller.push(command.caller.clone());
            self.id.push(command.id.as_str().to_owned());
            self.digest.push(command.digest.to_vec());
            self.seq.push(int(command.seq.0));
        }
    }
}
