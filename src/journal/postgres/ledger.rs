//! Cursors and the delivery ledger.

use super::Fence;
use super::fault::{Access, meaning};
use super::secrets::{self, Found, KEY_TRIES, Key, Known};
use super::sessions::{Sessions, get, within};
use crate::journal::places::{Hidden, int, unsigned};
use crate::journal::sealed::TenantKeys;
use crate::journal::{Backlog, Delivery, DeliveryState, Error, Reader, Want, no_delivery};
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tieline_model::{ConnectionId, ConversationId, InteractionId, Seq, TenantId, Timestamp};
use uuid::Uuid;

/// A statement that is fenced by the lease in its first three parameters: `mine.ok` says whether it still holds, and no
/// other process can take it before the statement has ended.
macro_rules! fenced {
    ($rest:literal) => {
        concat!(
            "WITH fence AS MATERIALIZED (
                 SELECT 1 FROM seals WHERE shard = $1 AND part = $2 AND epoch = $3 FOR SHARE
             ), mine AS MATERIALIZED (SELECT $3::int8 IS NULL OR EXISTS (SELECT FROM fence) AS ok), ",
            $rest
        )
    };
}

pub(super) async fn cursor(readers: &Sessions, tenant: &TenantId, reader: &Reader) -> Result<Seq, Error> {
    let query = sqlx::query("SELECT seq FROM cursors WHERE tenant = $1 AND reader = $2");
    let rows = readers.all(query.bind(tenant.as_str()).bind(reader.name()), Access::Again).await?;
    rows.first().map_or(Ok(Seq(0)), |row| get(row, 0).map(|seq| Seq(unsigned(seq))))
}

/// Raises wanted versions and moves the reader on. A row is named once.
const WANT: &str = fenced!(
    "raised AS (
         INSERT INTO deliveries AS d
             (tenant, connection, interaction, conversation, wanted, done, attempt, next_at, tried_ms)
         SELECT $4, w.connection, w.interaction, w.conversation, w.wanted, 0, 0, w.next_at, 0
         FROM mine, unnest($7::text[], $8::uuid[], $9::uuid[], $10::int8[], $11::int8[])
             AS w (connection, interaction, conversation, wanted, next_at)
         WHERE mine.ok
         ORDER BY w.connection, w.interaction
         ON CONFLICT (tenant, connection, interaction) DO UPDATE SET
             wanted = greatest(d.wanted, excluded.wanted),
             next_at = CASE
                 WHEN d.died IS NOT NULL OR excluded.wanted <= d.wanted AND d.done >= d.wanted THEN d.next_at
                 WHEN d.done >= d.wanted THEN excluded.next_at
                 WHEN d.attempt = 0 THEN least(d.next_at, excluded.next_at)
                 ELSE d.next_at END
     ), moved AS (
         INSERT INTO cursors AS c (tenant, reader, seq) SELECT $4, $5, $6 FROM mine WHERE mine.ok
         ON CONFLICT (tenant, reader) DO UPDATE SET seq = greatest(c.seq, excluded.seq)
     )
     SELECT ok FROM mine"
);

pub(super) async fn want(
    writers: &Sessions,
    fence: Fence,
    tenant: &TenantId,
    wants: &[Want],
    reader: &Reader,
    to: Seq,
) -> Result<(), Error> {
    let rounds = rounds(wants);
    let query = |round: &[&Want]| {
        let query = fence.bind(sqlx::query(WANT)).bind(tenant.as_str()).bind(reader.name()).bind(int(to.0));
        bind_wants(query, round)
    };
    let row = match rounds.as_slice() {
        [] => writers.one(query(&[]), Access::Again).await?,
        [only] => writers.one(query(only), Access::Again).await?,
        several => {
            let mut session = writers.session().await?;
            let limit = session.limit();
            let conn = &mut session.conn;
            let wanting = async {
                sqlx::raw_sql("BEGIN").execute(&mut *conn).await?;
                let mut last = None;
                for round in several {
                    last = Some(query(round).fetch_one(&mut *conn).await?);
                }
                sqlx::raw_sql("COMMIT").execute(&mut *conn).await?;
                last.ok_or(sqlx::Error::RowNotFound)
            };
            let row = within(limit, wanting).await.map_err(|e| meaning(e, Access::Again))?;
            session.end(Ok(row), Access::Again)?
        }
    };
    fence.check(get(&row, 0)?, tenant)
}

/// Wants in rounds, so that each names a row once and they take effect in order. What is wanted at the same time of one
/// row is one want of the highest version.
fn rounds(wants: &[Want]) -> Vec<Vec<&Want>> {
    let mut by_row: BTreeMap<(&ConnectionId, InteractionId), Vec<&Want>> = BTreeMap::new();
    for want in wants {
        let of = by_row.entry((&want.connection, want.interaction)).or_default();
        match of.last_mut().filter(|last| last.next_at == want.next_at) {
            Some(last) if last.version < want.version => *last = want,
            Some(_) => {}
            None => of.push(want),
        }
    }
    let longest = by_row.values().map(Vec::len).max().unwrap_or(0);
    (0..longest).map(|n| by_row.values().filter_map(|of| of.get(n).copied()).collect()).collect()
}

type Arguments<'q> = Query<'q, sqlx::Postgres, PgArguments>;

fn bind_wants<'q>(query: Arguments<'q>, wants: &[&Want]) -> Arguments<'q> {
    query
        .bind(wants.iter().map(|w| w.connection.as_str().to_owned()).collect::<Vec<String>>())
        .bind(wants.iter().map(|w| w.interaction.0).collect::<Vec<Uuid>>())
        .bind(wants.iter().map(|w| w.conversation.0).collect::<Vec<Uuid>>())
        .bind(wants.iter().map(|w| int(w.version)).collect::<Vec<i64>>())
        .bind(wants.iter().map(|w| w.next_at.0).collect::<Vec<i64>>())
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT d.connection, d.interaction, d.conversation, d.wanted, d.done, d.attempt, d.next_at, d.tried_ms,
             d.died, d.sealed, k.wrapped FROM deliveries d LEFT JOIN keys k ON k.id = d.key AND NOT k.erased ",
            $rest
        )
    };
}

fn delivery_of(keys: &TenantKeys, tenant: &TenantId, row: &PgRow) -> Result<Delivery, Error> {
    let connection = connection_of(get(row, 0)?)?;
    let interaction = InteractionId(get(row, 1)?);
    let conversation = ConversationId(get(row, 2)?);
    let died: Option<i64> = get(row, 8)?;
    let sealed: Option<&[u8]> = get(row, 9)?;
    let wrapped: Option<&[u8]> = get(row, 10)?;
    let hidden = match (sealed, wrapped) {
        (Some(sealed), Some(wrapped)) => {
            let key = keys.unwrap_key(tenant, conversation, wrapped);
            Hidden::open(key, tenant, &connection, interaction, sealed)?
        }
        (None, _) | (_, None) => Hidden::nothing(),
    };
    Ok(Delivery {
        wanted: unsigned(get(row, 3)?),
        done: unsigned(get(row, 4)?),
        attempt: u32::try_from(get::<i64>(row, 5)?).unwrap_or(u32::MAX),
        next_at: Timestamp(get(row, 6)?),
        tried_ms: unsigned(get(row, 7)?),
        state: if died.is_some() { DeliveryState::Dead } else { DeliveryState::Open },
        last_error: hidden.last_error,
        progress: hidden.progress,
        sent_digest: hidden.sent_digest,
        connection,
        interaction,
        conversation,
    })
}

fn connection_of(name: &str) -> Result<ConnectionId, Error> {
    ConnectionId::new(name)
        .map_err(|e| Error::Unreadable(format!("a delivery names a connection that cannot be: {e}")))
}

pub(super) async fn due(
    readers: &Sessions,
    keys: &TenantKeys,
    tenant: &TenantId,
    connection: &ConnectionId,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<Delivery>, Error> {
    let query = sqlx::query(select!(
        "WHERE d.tenant = $1 AND d.connection = $2 AND d.died IS NULL AND d.done < d.wanted AND d.next_at <= $3
         ORDER BY d.next_at, d.interaction LIMIT $4"
    ))
    .bind(tenant.as_str())
    .bind(connection.as_str())
    .bind(now.0)
    .bind(i64::from(limit));
    let rows = readers.all(query, Access::Again).await?;
    rows.iter().map(|row| delivery_of(keys, tenant, row)).collect()
}

pub(super) async fn next_due(
    readers: &Sessions,
    tenant: &TenantId,
    connection: &ConnectionId,
) -> Result<Option<Timestamp>, Error> {
    let query = sqlx::query(
        "SELECT next_at FROM deliveries
         WHERE tenant = $1 AND connection = $2 AND died IS NULL AND done < wanted ORDER BY next_at LIMIT 1",
    );
    let rows = readers.all(query.bind(tenant.as_str()).bind(connection.as_str()), Access::Again).await?;
    rows.first().map(|row| get(row, 0).map(Timestamp)).transpose()
}

pub(super) async fn delivery(
    readers: &Sessions,
    keys: &TenantKeys,
    tenant: &TenantId,
    connection: &ConnectionId,
    interaction: InteractionId,
) -> Result<Option<Delivery>, Error> {
    let query = sqlx::query(select!("WHERE d.tenant = $1 AND d.connection = $2 AND d.interaction = $3"))
        .bind(tenant.as_str())
        .bind(connection.as_str())
        .bind(interaction.0);
    let rows = readers.all(query, Access::Again).await?;
    rows.first().map(|row| delivery_of(keys, tenant, row)).transpose()
}

/// Writes a row back under a key that lives, one that is made here, or none.
const SETTLE: &str = fenced!(
    "there AS MATERIALIZED (
         SELECT EXISTS (
             SELECT FROM deliveries
             WHERE tenant = $4 AND connection = $5 AND interaction = $6 AND conversation = $7
         ) AS is_there
     ), live AS MATERIALIZED (
         SELECT id FROM keys WHERE id = $13 AND NOT erased FOR SHARE
     ), fit AS MATERIALIZED (
         SELECT mine.ok, is_there,
             $13::uuid IS NULL OR $15::bytea IS NOT NULL OR EXISTS (SELECT FROM live) AS has_key
         FROM mine, there
     ), made AS (
         INSERT INTO keys (id, tenant, conversation, wrapped)
         SELECT $13, $4, $7, $15 FROM fit WHERE ok AND is_there AND $15::bytea IS NOT NULL
     ), settled AS (
         UPDATE deliveries d SET
             wanted = greatest(d.wanted, $8), done = $9, attempt = $10, next_at = $11, tried_ms = $12,
             key = $13, sealed = $14,
             died = CASE WHEN $16 THEN coalesce(d.died, nextval('deaths')) END
         FROM fit
         WHERE fit.ok AND fit.has_key
             AND d.tenant = $4 AND d.connection = $5 AND d.interaction = $6 AND d.conversation = $7
     )
     SELECT ok, is_there, has_key FROM fit"
);

pub(super) async fn settle(
    writers: &Sessions,
    known: &Known,
    fence: Fence,
    keys: &TenantKeys,
    tenant: &TenantId,
    delivery: &Delivery,
) -> Result<(), Error> {
    for _ in 0..KEY_TRIES {
        let sealing = seal(writers, known, keys, tenant, delivery).await?;
        let query = bind_settle(&fence, tenant, delivery, sealing.as_ref());
        let row = match writers.one(query, Access::Again).await {
            // Somebody else made a key for the same conversation a moment ago.
            Err(Error::Refused(text)) if text.contains("keys_live") => continue,
            row => row?,
        };
        fence.check(get(&row, 0)?, tenant)?;
        if !get::<bool>(&row, 1)? {
            return Err(no_delivery(&delivery.connection, delivery.interaction));
        }
        if !get::<bool>(&row, 2)? {
            known.forget(tenant, delivery.conversation);
            continue;
        }
        if let Some(sealing) = &sealing {
            known.keep(tenant, delivery.conversation, &sealing.key);
        }
        return Ok(());
    }
    Err(Error::Refused("the keys of its conversation change all the time; try again".into()))
}

/// What of a delivery is hidden, under which key.
struct Sealing {
    key: Arc<Key>,
    /// The form in which the key will be kept, if it is new.
    new: Option<Vec<u8>>,
    sealed: Vec<u8>,
}

fn bind_settle(
    fence: &Fence,
    tenant: &TenantId,
    delivery: &Delivery,
    sealing: Option<&Sealing>,
) -> Arguments<'static> {
    fence
        .bind(sqlx::query(SETTLE))
        .bind(tenant.as_str().to_owned())
        .bind(delivery.connection.as_str().to_owned())
        .bind(delivery.interaction.0)
        .bind(delivery.conversation.0)
        .bind(int(delivery.wanted))
        .bind(int(delivery.done))
        .bind(i64::from(delivery.attempt))
        .bind(delivery.next_at.0)
        .bind(int(delivery.tried_ms))
        .bind(sealing.map(|s| s.key.id))
        .bind(sealing.map(|s| s.sealed.clone()))
        .bind(sealing.and_then(|s| s.new.clone()))
        .bind(delivery.state == DeliveryState::Dead)
}

/// A key is made if there never was one. There is none once it is erased, so that a settlement under way does not bring
/// back what was just forgotten.
async fn seal(
    writers: &Sessions,
    known: &Known,
    keys: &TenantKeys,
    tenant: &TenantId,
    delivery: &Delivery,
) -> Result<Option<Sealing>, Error> {
    let Some(hidden) = Hidden::of(delivery) else { return Ok(None) };
    let talk = delivery.conversation;
    let found = secrets::find(writers, known, keys, tenant, &BTreeSet::from([talk])).await?.remove(&talk);
    let (key, new) = match found {
        Some(Found::Live(key)) => (key, None),
        Some(Found::Erased) => return Ok(None),
        Some(Found::Never) | None => {
            let (key, wrapped) = secrets::mint(keys, tenant, talk);
            (key, Some(wrapped))
        }
    };
    let sealed = hidden.seal(&key.key, tenant, &delivery.connection, delivery.interaction)?;
    Ok(Some(Sealing { key, new, sealed }))
}

pub(super) async fn dead(
    readers: &Sessions,
    keys: &TenantKeys,
    tenant: &TenantId,
    limit: u32,
) -> Result<Vec<Delivery>, Error> {
    let query =
        sqlx::query(select!("WHERE d.tenant = $1 AND d.died IS NOT NULL ORDER BY d.died DESC LIMIT $2"));
    let rows = readers.all(query.bind(tenant.as_str()).bind(i64::from(limit)), Access::Again).await?;
    rows.iter().map(|row| delivery_of(keys, tenant, row)).collect()
}

/// Counted from the two partial indexes, so that settled rows cost nothing.
pub(super) async fn backlog(
    readers: &Sessions,
    tenant: &TenantId,
) -> Result<BTreeMap<ConnectionId, Backlog>, Error> {
    let query = sqlx::query(
        "SELECT connection, false, count(*) FROM deliveries
         WHERE tenant = $1 AND died IS NULL AND done < wanted GROUP BY connection
         UNION ALL
         SELECT connection, true, count(*) FROM deliveries
         WHERE tenant = $1 AND died IS NOT NULL GROUP BY connection",
    );
    let mut all: BTreeMap<ConnectionId, Backlog> = BTreeMap::new();
    for row in readers.all(query.bind(tenant.as_str()), Access::Again).await? {
        let of = all.entry(connection_of(get(&row, 0)?)?).or_default();
        *(if get(&row, 1)? { &mut of.dead } else { &mut of.waiting }) = unsigned(get(&row, 2)?);
    }
    Ok(all)
}

pub(super) async fn revive(
    writers: &Sessions,
    fence: Fence,
    tenant: &TenantId,
    connection: &ConnectionId,
    interaction: InteractionId,
    now: Timestamp,
) -> Result<bool, Error> {
    let revive = sqlx::query(fenced!(
        "revived AS (
             UPDATE deliveries d SET died = NULL, attempt = 0, tried_ms = 0, next_at = $7 FROM mine
             WHERE mine.ok AND tenant = $4 AND connection = $5 AND interaction = $6 AND died IS NOT NULL
             RETURNING 1
         )
         SELECT ok, EXISTS (SELECT FROM revived) FROM mine"
    ));
    let query = fence.bind(revive).bind(tenant.as_str()).bind(connection.as_str());
    let row = writers.one(query.bind(interaction.0).bind(now.0), Access::Again).await?;
    fence.check(get(&row, 0)?, tenant)?;
    get(&row, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_names_a_row_once_and_keeps_the_order() {
        let want = |interaction: u128, version, next_at| Want {
            connection: ConnectionId::new("sf").unwrap(),
            interaction: InteractionId(Uuid::from_u128(interaction)),
            conversation: ConversationId(Uuid::from_u128(interaction)),
            version,
            next_at: Timestamp(next_at),
        };
        let wants = [want(1, 5, 10), want(2, 6, 10), want(1, 4, 10), want(1, 7, 10), want(1, 8, 20)];
        let versions: Vec<Vec<u64>> =
            rounds(&wants).iter().map(|round| round.iter().map(|w| w.version).collect()).collect();
        assert_eq!(versions, [vec![7, 6], vec![8]]);
        assert!(rounds(&[]).is_empty());
    }
}
