//! Journal rows, remembered commands, ownership and snapshots.

use super::Fence;
use super::fault::Access;
use super::sessions::{Sessions, get};
use crate::journal::places::{self, SNAPSHOTS, int, unsigned};
use crate::journal::sealed::TenantKeys;
use crate::journal::{Epoch, Error, Opened, Recorded, Remembered, Snapshot};
use sqlx::postgres::PgRow;
use tieline_model::{CommandId, InteractionId, Seq, TenantId, Timestamp};

/// Raises the epoch, then looks where the tenant stands. Two statements, as the second must see what was committed while
/// the first waited for its row.
pub(super) async fn open(
    writers: &Sessions,
    fence: Fence,
    keys: &TenantKeys,
    tenant: &TenantId,
) -> Result<Opened, Error> {
    let raise = sqlx::query(
        "WITH fence AS MATERIALIZED (
             SELECT 1 FROM seals WHERE shard = $1 AND part = $2 AND epoch = $3 FOR SHARE
         )
         INSERT INTO tenants (tenant, epoch) SELECT $4, 1 WHERE $3::int8 IS NULL OR EXISTS (SELECT FROM fence)
         ON CONFLICT (tenant) DO UPDATE SET epoch = tenants.epoch + 1 RETURNING epoch",
    );
    let raise = fence.bind(raise).bind(tenant.as_str());
    let raised = writers.all(raise, Access::Again).await?;
    let Some(row) = raised.first() else { return Err(Error::Fenced(tenant.clone())) };
    let epoch = Epoch(get(row, 0)?);
    let stands = sqlx::query(
        "SELECT j.seq, j.at, (SELECT at FROM alive WHERE tenant = $1)
         FROM (SELECT 1) one
         LEFT JOIN LATERAL (SELECT seq, at FROM journal WHERE tenant = $1 ORDER BY seq DESC LIMIT 1) j ON true",
    );
    let row = writers.one(stands.bind(tenant.as_str()), Access::Again).await?;
    let head = Seq(unsigned(get::<Option<i64>>(&row, 0)?.unwrap_or(0)));
    let last: Option<i64> = get(&row, 1)?;
    let alive_at = last.max(get(&row, 2)?).map(Timestamp);
    let snapshot = newest_snapshot(writers, keys, tenant, head).await?;
    Ok(Opened { epoch, snapshot, head, alive_at })
}

pub(super) async fn read(
    readers: &Sessions,
    tenant: &TenantId,
    after: Seq,
    limit: u32,
) -> Result<Vec<Recorded>, Error> {
    let query = sqlx::query(
        "SELECT seq, at, kind, event, checksum FROM journal WHERE tenant = $1 AND seq > $2 ORDER BY seq LIMIT $3",
    )
    .bind(tenant.as_str())
    .bind(int(after.0))
    .bind(i64::from(limit));
    let rows = readers.all(query, Access::Again).await?;
    rows.iter().map(|row| recorded(tenant, row)).collect()
}

pub(super) async fn read_interaction(
    readers: &Sessions,
    tenant: &TenantId,
    id: InteractionId,
) -> Result<Vec<Recorded>, Error> {
    let query = sqlx::query(
        "SELECT seq, at, kind, event, checksum FROM journal WHERE tenant = $1 AND interaction = $2 ORDER BY seq",
    );
    let rows = readers.all(query.bind(tenant.as_str()).bind(id.0), Access::Again).await?;
    rows.iter().map(|row| recorded(tenant, row)).collect()
}

fn recorded(tenant: &TenantId, row: &PgRow) -> Result<Recorded, Error> {
    let seq = Seq(unsigned(get(row, 0)?));
    let at = Timestamp(get(row, 1)?);
    places::recorded(tenant, seq, at, (get(row, 2)?, get(row, 3)?), get(row, 4)?)
}

pub(super) async fn remembered(
    readers: &Sessions,
    tenant: &TenantId,
    caller: &str,
    id: &CommandId,
) -> Result<Option<Remembered>, Error> {
    let query = sqlx::query("SELECT digest, seq FROM commands WHERE tenant = $1 AND caller = $2 AND id = $3")
        .bind(tenant.as_str())
        .bind(caller)
        .bind(id.as_str());
    let rows = readers.all(query, Access::Again).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let digest = <[u8; 32]>::try_from(get::<&[u8]>(row, 0)?)
        .map_err(|_| Error::Unreadable(format!("the digest of command {id} does not have 32 bytes")))?;
    let seq = Seq(unsigned(get(row, 1)?));
    Ok(Some(Remembered { caller: caller.to_owned(), id: id.clone(), digest, seq }))
}

pub(super) async fn heartbeat(
    writers: &Sessions,
    tenant: &TenantId,
    epoch: Epoch,
    at: Timestamp,
) -> Result<(), Error> {
    let query = sqlx::query(
        "WITH own AS MATERIALIZED (SELECT tenant FROM tenants WHERE tenant = $1 AND epoch = $2 FOR SHARE)
         INSERT INTO alive (tenant, at) SELECT tenant, $3 FROM own
         ON CONFLICT (tenant) DO UPDATE SET at = greatest(alive.at, excluded.at) RETURNING 1",
    );
    let query = query.bind(tenant.as_str()).bind(epoch.0).bind(at.0);
    let done = writers.all(query, Access::Again).await?;
    if done.is_empty() { Err(Error::Fenced(tenant.clone())) } else { Ok(()) }
}

pub(super) async fn forget_commands(writers: &Sessions, before: Timestamp) -> Result<u64, Error> {
    let query = sqlx::query(
        "WITH gone AS (DELETE FROM commands WHERE at < $1 RETURNING 1) SELECT count(*) FROM gone",
    );
    let row = writers.one(query.bind(before.0), Access::Again).await?;
    Ok(unsigned(get(&row, 0)?))
}

pub(super) async fn save_snapshot(
    writers: &Sessions,
    keys: &TenantKeys,
    tenant: &TenantId,
    snapshot: &Snapshot,
) -> Result<(), Error> {
    // `floor` is the oldest that stays, the new one counted.
    let query = sqlx::query(
        "WITH newest AS (
             SELECT seq FROM (SELECT seq FROM snapshots WHERE tenant = $1 UNION SELECT $2) s
             ORDER BY seq DESC LIMIT $4
         ), floor AS (SELECT min(seq) AS seq FROM newest),
         kept AS (
             INSERT INTO snapshots (tenant, seq, body) SELECT $1, $2, $3 FROM floor WHERE $2 >= floor.seq
             ON CONFLICT (tenant, seq) DO UPDATE SET body = excluded.body
         )
         DELETE FROM snapshots USING floor WHERE snapshots.tenant = $1 AND snapshots.seq < floor.seq",
    )
    .bind(tenant.as_str())
    .bind(int(snapshot.seq.0))
    .bind(places::seal_snapshot(keys, tenant, snapshot))
    .bind(SNAPSHOTS);
    writers.all(query, Access::Again).await.map(drop)
}

async fn newest_snapshot(
    writers: &Sessions,
    keys: &TenantKeys,
    tenant: &TenantId,
    head: Seq,
) -> Result<Option<Snapshot>, Error> {
    let query =
        sqlx::query("SELECT seq, body FROM snapshots WHERE tenant = $1 AND seq <= $2 ORDER BY seq DESC");
    let rows = writers.all(query.bind(tenant.as_str()).bind(int(head.0)), Access::Again).await?;
    for row in &rows {
        let seq = Seq(unsigned(get(row, 0)?));
        if let Some(snapshot) = places::open_snapshot(keys, tenant, seq, get(row, 1)?) {
            return Ok(Some(snapshot));
        }
    }
    Ok(None)
}
