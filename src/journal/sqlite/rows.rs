//! Journal rows, remembered commands, ownership and snapshots.

use super::bulk::Inserts;
use super::writer::{Access, meaning};
use super::{id_at, secrets};
use crate::journal::codec;
use crate::journal::places::{self, SNAPSHOTS, int, unsigned};
use crate::journal::sealed::TenantKeys;
use crate::journal::{Batch, Epoch, Error, Opened, Recorded, Remembered, Snapshot};
use sqlx::sqlite::{SqliteConnection, SqlitePool, SqliteRow};
use sqlx::{AssertSqlSafe, Row};
use std::collections::BTreeMap;
use std::sync::LazyLock;
use tieline_model::{CommandId, InteractionId, Seq, TenantId, Timestamp};

static INSERT_ROWS: LazyLock<Inserts> = LazyLock::new(|| {
    Inserts::new(
        "INSERT INTO journal (tenant, seq, epoch, at, interaction, kind, event, checksum)",
        "(?,?,?,?,?,?,?,?)",
    )
});

static INSERT_COMMANDS: LazyLock<Inserts> = LazyLock::new(|| {
    Inserts::new("INSERT INTO commands (tenant, caller, id, digest, seq, at)", "(?,?,?,?,?,?)")
});

fn on_write(e: sqlx::Error) -> Error {
    meaning(e, Access::Write)
}

fn on_read(e: sqlx::Error) -> Error {
    meaning(e, Access::Read)
}

/// Where a tenant stands.
struct Standing {
    epoch: Epoch,
    head: Seq,
    /// Of the last event.
    at: Option<Timestamp>,
    /// Of the last event or heartbeat.
    alive_at: Option<Timestamp>,
}

async fn standing(conn: &mut SqliteConnection, tenant: &TenantId) -> Result<Option<Standing>, Error> {
    let row = sqlx::query(
        "SELECT t.epoch, t.alive_at, j.seq, j.at FROM tenants t
         LEFT JOIN journal j ON j.tenant = ?1 AND j.seq = (SELECT max(seq) FROM journal WHERE tenant = ?1)
         WHERE t.tenant = ?1",
    )
    .bind(tenant.as_str())
    .fetch_optional(conn)
    .await
    .map_err(on_write)?;
    let Some(row) = row else { return Ok(None) };
    let at: Option<i64> = row.try_get(3).map_err(on_write)?;
    let heartbeat: Option<i64> = row.try_get(1).map_err(on_write)?;
    let head: Option<i64> = row.try_get(2).map_err(on_write)?;
    Ok(Some(Standing {
        epoch: Epoch(row.try_get(0).map_err(on_write)?),
        head: Seq(unsigned(head.unwrap_or(0))),
        at: at.map(Timestamp),
        alive_at: at.max(heartbeat).map(Timestamp),
    }))
}

pub(super) async fn open(
    conn: &mut SqliteConnection,
    keys: &TenantKeys,
    tenant: &TenantId,
) -> Result<Opened, Error> {
    sqlx::query(
        "INSERT INTO tenants (tenant, epoch) VALUES (?, 1) ON CONFLICT DO UPDATE SET epoch = epoch + 1",
    )
    .bind(tenant.as_str())
    .execute(&mut *conn)
    .await
    .map_err(on_write)?;
    let now = standing(conn, tenant)
        .await?
        .ok_or_else(|| Error::Fatal("a row that was just written is not there".into()))?;
    let snapshot = newest_snapshot(conn, keys, tenant, now.head).await?;
    Ok(Opened { epoch: now.epoch, snapshot, head: now.head, alive_at: now.alive_at })
}

pub(super) async fn append(
    conn: &mut SqliteConnection,
    keys: &TenantKeys,
    tenant: &TenantId,
    epoch: Epoch,
    batch: &Batch,
) -> Result<(), Error> {
    let now = standing(conn, tenant).await?.filter(|now| now.epoch == epoch);
    let Some(now) = now else { return Err(Error::Fenced(tenant.clone())) };
    codec::check_rows(tenant, now.head, now.at.unwrap_or(Timestamp(i64::MIN)), &batch.rows)?;
    insert_rows(conn, tenant, epoch, &batch.rows).await?;
    let at = batch.rows.last().map(|r| r.at).max(now.alive_at).unwrap_or_default();
    insert_commands(conn, tenant, &batch.commands, at).await?;
    secrets::keep(conn, keys, tenant, &batch.content, &batch.handles).await
}

async fn insert_rows(
    conn: &mut SqliteConnection,
    tenant: &TenantId,
    epoch: Epoch,
    rows: &[Recorded],
) -> Result<(), Error> {
    for (sql, rows) in INSERT_ROWS.cut(rows) {
        // Made of the literals above.
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for row in rows {
            let kind = row.event.kind();
            let body = codec::encode(&row.event)?;
            let checksum = codec::checksum(tenant, row.seq, row.at, kind, &body);
            query = query
                .bind(tenant.as_str())
                .bind(int(row.seq.0))
                .bind(epoch.0)
                .bind(row.at.0)
                .bind(row.event.interaction().map(|id| id.0.as_bytes().to_vec()))
                .bind(kind)
                .bind(body)
                .bind(checksum);
        }
        query.execute(&mut *conn).await.map_err(on_write)?;
    }
    Ok(())
}

async fn insert_commands(
    conn: &mut SqliteConnection,
    tenant: &TenantId,
    commands: &[Remembered],
    at: Timestamp,
) -> Result<(), Error> {
    for (sql, commands) in INSERT_COMMANDS.cut(commands) {
        // Made of the literals above.
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for command in commands {
            query = query
                .bind(tenant.as_str())
                .bind(&command.caller)
                .bind(command.id.as_str())
                .bind(&command.digest[..])
                .bind(int(command.seq.0))
                .bind(at.0);
        }
        query.execute(&mut *conn).await.map_err(on_write)?;
    }
    Ok(())
}

pub(super) async fn read(
    readers: &SqlitePool,
    tenant: &TenantId,
    after: Seq,
    limit: u32,
) -> Result<Vec<Recorded>, Error> {
    let rows = sqlx::query(
        "SELECT seq, at, kind, event, checksum FROM journal WHERE tenant = ? AND seq > ? ORDER BY seq LIMIT ?",
    )
    .bind(tenant.as_str())
    .bind(int(after.0))
    .bind(i64::from(limit))
    .fetch_all(readers)
    .await
    .map_err(on_read)?;
    rows.iter().map(|row| recorded(tenant, row)).collect()
}

pub(super) async fn read_interaction(
    readers: &SqlitePool,
    tenant: &TenantId,
    id: InteractionId,
) -> Result<Vec<Recorded>, Error> {
    let rows = sqlx::query(
        "SELECT seq, at, kind, event, checksum FROM journal WHERE tenant = ? AND interaction = ? ORDER BY seq",
    )
    .bind(tenant.as_str())
    .bind(&id.0.as_bytes()[..])
    .fetch_all(readers)
    .await
    .map_err(on_read)?;
    rows.iter().map(|row| recorded(tenant, row)).collect()
}

fn recorded(tenant: &TenantId, row: &SqliteRow) -> Result<Recorded, Error> {
    let seq = Seq(unsigned(row.try_get(0).map_err(on_read)?));
    let at = Timestamp(row.try_get(1).map_err(on_read)?);
    // Damage can turn a text into what is not UTF-8; the row must be named then, too.
    let kind: &[u8] = row.try_get_unchecked(2).map_err(on_read)?;
    let kind = String::from_utf8_lossy(kind);
    let body: &[u8] = row.try_get_unchecked(3).map_err(on_read)?;
    let Ok(body) = std::str::from_utf8(body) else {
        return Err(codec::damaged(tenant, seq, &kind, "it is not text"));
    };
    let checksum: i64 = row.try_get(4).map_err(on_read)?;
    places::recorded(tenant, seq, at, (&kind, body), checksum)
}

pub(super) async fn remembered(
    readers: &SqlitePool,
    tenant: &TenantId,
    caller: &str,
    id: &CommandId,
) -> Result<Option<Remembered>, Error> {
    let row = sqlx::query("SELECT digest, seq FROM commands WHERE tenant = ? AND caller = ? AND id = ?")
        .bind(tenant.as_str())
        .bind(caller)
        .bind(id.as_str())
        .fetch_optional(readers)
        .await
        .map_err(on_read)?;
    let Some(row) = row else { return Ok(None) };
    let digest: &[u8] = row.try_get(0).map_err(on_read)?;
    let digest = <[u8; 32]>::try_from(digest)
        .map_err(|_| Error::Unreadable(format!("the digest of command {id} does not have 32 bytes")))?;
    let seq = Seq(unsigned(row.try_get(1).map_err(on_read)?));
    Ok(Some(Remembered { caller: caller.to_owned(), id: id.clone(), digest, seq }))
}

pub(super) async fn heartbeat(
    conn: &mut SqliteConnection,
    tenant: &TenantId,
    epoch: Epoch,
    at: Timestamp,
) -> Result<(), Error> {
    let done = sqlx::query(
        "UPDATE tenants SET alive_at = max(coalesce(alive_at, ?1), ?1) WHERE tenant = ?2 AND epoch = ?3",
    )
    .bind(at.0)
    .bind(tenant.as_str())
    .bind(epoch.0)
    .execute(conn)
    .await
    .map_err(on_write)?;
    if done.rows_affected() == 0 { Err(Error::Fenced(tenant.clone())) } else { Ok(()) }
}

/// Where each tenant's journal ends.
pub(super) async fn heads(readers: &SqlitePool) -> Result<BTreeMap<TenantId, Seq>, Error> {
    let sql =
        "SELECT tenant, (SELECT ifnull(max(seq), 0) FROM journal j WHERE j.tenant = t.tenant) FROM tenants t";
    let rows: Vec<(String, i64)> = sqlx::query_as(sql).fetch_all(readers).await.map_err(on_read)?;
    let named = |(tenant, seq): (String, i64)| {
        let tenant = TenantId::new(&tenant).map_err(|e| Error::Unreadable(e.to_string()))?;
        Ok((tenant, Seq(unsigned(seq))))
    };
    rows.into_iter().map(named).collect()
}

pub(super) async fn raise_epochs(conn: &mut SqliteConnection, by: i64, floor: i64) -> Result<(), Error> {
    sqlx::query("UPDATE tenants SET epoch = max(epoch + ?, ?)")
        .bind(by)
        .bind(floor)
        .execute(conn)
        .await
        .map(drop)
        .map_err(on_write)
}

pub(super) async fn forget_commands(conn: &mut SqliteConnection, before: Timestamp) -> Result<u64, Error> {
    sqlx::query("DELETE FROM commands WHERE at < ?")
        .bind(before.0)
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
        .map_err(on_write)
}

pub(super) async fn save_snapshot(
    conn: &mut SqliteConnection,
    keys: &TenantKeys,
    tenant: &TenantId,
    snapshot: &Snapshot,
) -> Result<(), Error> {
    let body = places::seal_snapshot(keys, tenant, snapshot);
    sqlx::query("INSERT OR REPLACE INTO snapshots (tenant, seq, body) VALUES (?, ?, ?)")
        .bind(tenant.as_str())
        .bind(int(snapshot.seq.0))
        .bind(body)
        .execute(&mut *conn)
        .await
        .map_err(on_write)?;
    sqlx::query(
        "DELETE FROM snapshots WHERE tenant = ?1 AND seq NOT IN
         (SELECT seq FROM snapshots WHERE tenant = ?1 ORDER BY seq DESC LIMIT ?2)",
    )
    .bind(tenant.as_str())
    .bind(SNAPSHOTS)
    .execute(conn)
    .await
    .map(drop)
    .map_err(on_write)
}

async fn newest_snapshot(
    conn: &mut SqliteConnection,
    keys: &TenantKeys,
    tenant: &TenantId,
    head: Seq,
) -> Result<Option<Snapshot>, Error> {
    let rows = sqlx::query("SELECT seq, body FROM snapshots WHERE tenant = ? AND seq <= ? ORDER BY seq DESC")
        .bind(tenant.as_str())
        .bind(int(head.0))
        .fetch_all(conn)
        .await
        .map_err(on_write)?;
    for row in rows {
        let seq = Seq(unsigned(row.try_get(0).map_err(on_write)?));
        let sealed: &[u8] = row.try_get(1).map_err(on_write)?;
        if let Some(snapshot) = places::open_snapshot(keys, tenant, seq, sealed) {
            return Ok(Some(snapshot));
        }
    }
    Ok(None)
}

/// The conversation ids of rows, for statements that go through ids alone.
pub(super) fn ids(rows: &[SqliteRow]) -> Result<Vec<uuid::Uuid>, Error> {
    rows.iter().map(|row| id_at(row, 0)).collect()
}
