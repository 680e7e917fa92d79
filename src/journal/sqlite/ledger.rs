//! Cursors and the delivery ledger.

use super::id_at;
use super::secrets::key_unless_erased;
use super::writer::{Access, meaning};
use crate::journal::places::{Hidden, int, unsigned};
use crate::journal::sealed::TenantKeys;
use crate::journal::{Backlog, Delivery, DeliveryState, Error, Reader, Want};
use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqlitePool, SqliteRow};
use std::collections::BTreeMap;
use tieline_model::{ConnectionId, ConversationId, InteractionId, Seq, TenantId, Timestamp};

fn on_write(e: sqlx::Error) -> Error {
    meaning(e, Access::Write)
}

fn on_read(e: sqlx::Error) -> Error {
    meaning(e, Access::Read)
}

pub(super) async fn cursor(readers: &SqlitePool, tenant: &TenantId, reader: &Reader) -> Result<Seq, Error> {
    let seq: Option<i64> = sqlx::query_scalar("SELECT seq FROM cursors WHERE tenant = ? AND reader = ?")
        .bind(tenant.as_str())
        .bind(reader.name())
        .fetch_optional(readers)
        .await
        .map_err(on_read)?;
    Ok(Seq(unsigned(seq.unwrap_or(0))))
}

pub(super) async fn move_cursor(
    conn: &mut SqliteConnection,
    tenant: &TenantId,
    reader: &Reader,
    to: Seq,
) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO cursors (tenant, reader, seq) VALUES (?, ?, ?)
         ON CONFLICT DO UPDATE SET seq = max(seq, excluded.seq)",
    )
    .bind(tenant.as_str())
    .bind(reader.name())
    .bind(int(to.0))
    .execute(conn)
    .await
    .map(drop)
    .map_err(on_write)
}

pub(super) async fn want(
    conn: &mut SqliteConnection,
    tenant: &TenantId,
    wants: &[Want],
    reader: &Reader,
    to: Seq,
) -> Result<(), Error> {
    for want in wants {
        sqlx::query(
            "INSERT INTO deliveries
                 (tenant, connection, interaction, conversation, wanted, done, attempt, next_at, tried_ms)
             VALUES (?, ?, ?, ?, ?, 0, 0, ?, 0)
             ON CONFLICT DO UPDATE SET
                 wanted = max(wanted, excluded.wanted),
                 next_at = CASE
                     WHEN died IS NOT NULL OR excluded.wanted <= wanted AND done >= wanted THEN next_at
                     WHEN done >= wanted THEN excluded.next_at
                     WHEN attempt = 0 THEN min(next_at, excluded.next_at)
                     ELSE next_at END",
        )
        .bind(tenant.as_str())
        .bind(want.connection.as_str())
        .bind(&want.interaction.0.as_bytes()[..])
        .bind(&want.conversation.0.as_bytes()[..])
        .bind(int(want.version))
        .bind(want.next_at.0)
        .execute(&mut *conn)
        .await
        .map_err(on_write)?;
    }
    move_cursor(conn, tenant, reader, to).await
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT d.connection, d.interaction, d.conversation, d.wanted, d.done, d.attempt, d.next_at, d.tried_ms,
             d.died, d.sealed, k.wrapped FROM deliveries d LEFT JOIN keys k ON k.id = d.key ",
            $rest
        )
    };
}

fn delivery_of(keys: &TenantKeys, tenant: &TenantId, row: &SqliteRow) -> Result<Delivery, Error> {
    let connection: String = row.try_get(0).map_err(on_read)?;
    let connection = ConnectionId::new(&connection)
        .map_err(|e| Error::Unreadable(format!("a delivery names a connection that cannot be: {e}")))?;
    let interaction = InteractionId(id_at(row, 1)?);
    let conversation = ConversationId(id_at(row, 2)?);
    let died: Option<i64> = row.try_get(8).map_err(on_read)?;
    let sealed: Option<&[u8]> = row.try_get(9).map_err(on_read)?;
    let wrapped: Option<&[u8]> = row.try_get(10).map_err(on_read)?;
    let hidden = match (sealed, wrapped) {
        (Some(sealed), Some(wrapped)) => {
            let key = keys.unwrap_key(tenant, conversation, wrapped);
            Hidden::open(key, tenant, &connection, interaction, sealed)?
        }
        (None, _) | (_, None) => Hidden::nothing(),
    };
    let number = |column: usize| row.try_get::<i64, _>(column).map(unsigned).map_err(on_read);
    Ok(Delivery {
        wanted: number(3)?,
        done: number(4)?,
        attempt: u32::try_from(number(5)?).unwrap_or(u32::MAX),
        next_at: Timestamp(row.try_get(6).map_err(on_read)?),
        tried_ms: number(7)?,
        state: if died.is_some() { DeliveryState::Dead } else { DeliveryState::Open },
        last_error: hidden.last_error,
        progress: hidden.progress,
        sent_digest: hidden.sent_digest,
        connection,
        interaction,
        conversation,
    })
}

pub(super) async fn due(
    readers: &SqlitePool,
    keys: &TenantKeys,
    tenant: &TenantId,
    connection: &ConnectionId,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<Delivery>, Error> {
    let rows = sqlx::query(select!(
        "WHERE d.tenant = ? AND d.connection = ? AND d.died IS NULL AND d.done < d.wanted AND d.next_at <= ?
         ORDER BY d.next_at, d.interaction LIMIT ?"
    ))
    .bind(tenant.as_str())
    .bind(connection.as_str())
    .bind(now.0)
    .bind(i64::from(limit))
    .fetch_all(readers)
    .await
    .map_err(on_read)?;
    rows.iter().map(|row| delivery_of(keys, tenant, row)).collect()
}

pub(super) async fn next_due(
    readers: &SqlitePool,
    tenant: &TenantId,
    connection: &ConnectionId,
) -> Result<Option<Timestamp>, Error> {
    let at: Option<i64> = sqlx::query_scalar(
        "SELECT next_at FROM deliveries
         WHERE tenant = ? AND connection = ? AND died IS NULL AND done < wanted ORDER BY next_at LIMIT 1",
    )
    .bind(tenant.as_str())
    .bind(connection.as_str())
    .fetch_optional(readers)
    .await
    .map_err(on_read)?;
    Ok(at.map(Timestamp))
}

pub(super) async fn delivery(
    readers: &SqlitePool,
    keys: &TenantKeys,
    tenant: &TenantId,
    connection: &ConnectionId,
    interaction: InteractionId,
) -> Result<Option<Delivery>, Error> {
    let row = sqlx::query(select!("WHERE d.tenant = ? AND d.connection = ? AND d.interaction = ?"))
        .bind(tenant.as_str())
        .bind(connection.as_str())
        .bind(&interaction.0.as_bytes()[..])
        .fetch_optional(readers)
        .await
        .map_err(on_read)?;
    row.map(|row| delivery_of(keys, tenant, &row)).transpose()
}

pub(super) async fn settle(
    conn: &mut SqliteConnection,
    keys: &TenantKeys,
    tenant: &TenantId,
    delivery: &Delivery,
) -> Result<(), Error> {
    let sealed = seal(conn, keys, tenant, delivery).await?;
    let (key, sealed) = sealed.unzip();
    let done = sqlx::query(
        "UPDATE deliveries SET
             wanted = max(wanted, ?4), done = ?5, attempt = ?6, next_at = ?7, tried_ms = ?8, key = ?10, sealed = ?11,
             died = CASE WHEN ?9 = 0 THEN NULL ELSE
                 coalesce(died, 1 + (SELECT coalesce(max(died), 0) FROM deliveries WHERE tenant = ?1)) END
         WHERE tenant = ?1 AND connection = ?2 AND interaction = ?3 AND conversation = ?12",
    )
    .bind(tenant.as_str())
    .bind(delivery.connection.as_str())
    .bind(&delivery.interaction.0.as_bytes()[..])
    .bind(int(delivery.wanted))
    .bind(int(delivery.done))
    .bind(i64::from(delivery.attempt))
    .bind(delivery.next_at.0)
    .bind(int(delivery.tried_ms))
    .bind(i64::from(delivery.state == DeliveryState::Dead))
    .bind(key)
    .bind(sealed)
    .bind(&delivery.conversation.0.as_bytes()[..])
    .execute(conn)
    .await
    .map_err(on_write)?;
    if done.rows_affected() == 1 {
        return Ok(());
    }
    Err(crate::journal::no_delivery(&delivery.connection, delivery.interaction))
}

async fn seal(
    conn: &mut SqliteConnection,
    keys: &TenantKeys,
    tenant: &TenantId,
    delivery: &Delivery,
) -> Result<Option<(i64, Vec<u8>)>, Error> {
    let Some(hidden) = Hidden::of(delivery) else { return Ok(None) };
    let Some(key) = key_unless_erased(conn, keys, tenant, delivery.conversation).await? else {
        return Ok(None);
    };
    let sealed = hidden.seal(&key.key, tenant, &delivery.connection, delivery.interaction)?;
    Ok(Some((key.row, sealed)))
}

pub(super) async fn dead(
    readers: &SqlitePool,
    keys: &TenantKeys,
    tenant: &TenantId,
    limit: u32,
) -> Result<Vec<Delivery>, Error> {
    let rows = sqlx::query(select!("WHERE d.tenant = ? AND d.died IS NOT NULL ORDER BY d.died DESC LIMIT ?"))
        .bind(tenant.as_str())
        .bind(i64::from(limit))
        .fetch_all(readers)
        .await
        .map_err(on_read)?;
    rows.iter().map(|row| delivery_of(keys, tenant, row)).collect()
}

/// Counted from the two partial indexes, so that settled rows cost nothing.
pub(super) async fn backlog(
    readers: &SqlitePool,
    tenant: &TenantId,
) -> Result<BTreeMap<ConnectionId, Backlog>, Error> {
    let rows: Vec<(String, bool, i64)> = sqlx::query_as(
        "SELECT connection, 0, COUNT(*) FROM deliveries
         WHERE tenant = ?1 AND died IS NULL AND done < wanted GROUP BY connection
         UNION ALL
         SELECT connection, 1, COUNT(*) FROM deliveries
         WHERE tenant = ?1 AND died IS NOT NULL GROUP BY connection",
    )
    .bind(tenant.as_str())
    .fetch_all(readers)
    .await
    .map_err(on_read)?;
    let mut all = BTreeMap::new();
    for (connection, dead, count) in rows {
        let connection = ConnectionId::new(connection).map_err(|e| Error::Unreadable(e.to_string()))?;
        let of: &mut Backlog = all.entry(connection).or_default();
        *(if dead { &mut of.dead } else { &mut of.waiting }) = count.unsigned_abs();
    }
    Ok(all)
}

pub(super) async fn revive(
    conn: &mut SqliteConnection,
    tenant: &TenantId,
    connection: &ConnectionId,
    interaction: InteractionId,
    now: Timestamp,
) -> Result<bool, Error> {
    let done = sqlx::query(
        "UPDATE deliveries SET died = NULL, attempt = 0, tried_ms = 0, next_at = ?
         WHERE tenant = ? AND connection = ? AND interaction = ? AND died IS NOT NULL",
    )
    .bind(now.0)
    .bind(tenant.as_str())
    .bind(connection.as_str())
    .bind(&interaction.0.as_bytes()[..])
    .execute(conn)
    .await
    .map_err(on_write)?;
    Ok(done.rows_affected() == 1)
}
