//! Keys of conversations, content under them, handles to find them by, and erasing.

use super::bulk::Inserts;
use super::writer::{Access, Writer, meaning};
use super::{id_at, id_list, rows};
use crate::journal::places::{self, damaged_key};
use crate::journal::sealed::{Keyring, SealingKey, TenantKeys};
use crate::journal::{Error, Handle, NewContent};
use sqlx::sqlite::{SqliteConnection, SqlitePool};
use sqlx::{AssertSqlSafe, Row};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::LazyLock;
use tieline_model::content::Content;
use tieline_model::{ContentId, ConversationId, TenantId};

static INSERT_CONTENT: LazyLock<Inserts> =
    LazyLock::new(|| Inserts::new("INSERT INTO content (tenant, id, key, body)", "(?,?,?,?)"));

fn on_write(e: sqlx::Error) -> Error {
    meaning(e, Access::Write)
}

fn on_read(e: sqlx::Error) -> Error {
    meaning(e, Access::Read)
}

/// Refuses a master key that is not the one the file was written under; a new file takes this one.
pub(super) async fn check_key(writer: &mut Writer, keys: &Keyring) -> Result<(), Error> {
    let mine = keys.fingerprint().to_vec();
    let known: Option<Vec<u8>> = writer.scalar("SELECT max(value) FROM meta WHERE name = 'key'").await?;
    match known {
        Some(known) if known == mine => Ok(()),
        Some(_) => Err(Error::Refused(
            "the journal was written under another master key; give the key file it was made with".into(),
        )),
        None => writer.set_meta("key", &mine).await,
    }
}

/// A key with the row it stands in.
pub(super) struct Key {
    pub(super) row: i64,
    pub(super) key: SealingKey,
}

/// The live keys of conversations; those that have none are left out.
async fn live_keys(
    conn: &mut SqliteConnection,
    keys: &TenantKeys,
    tenant: &TenantId,
    conversations: impl Iterator<Item = &ConversationId>,
) -> Result<BTreeMap<ConversationId, Key>, Error> {
    let rows = sqlx::query(
        "SELECT conversation, id, wrapped FROM keys
         WHERE tenant = ? AND erased = 0 AND conversation IN (SELECT unhex(value) FROM json_each(?))",
    )
    .bind(tenant.as_str())
    .bind(id_list(conversations.map(|c| &c.0)))
    .fetch_all(conn)
    .await
    .map_err(on_write)?;
    let mut found = BTreeMap::new();
    for row in rows {
        let conversation = ConversationId(id_at(&row, 0)?);
        let id: i64 = row.try_get(1).map_err(on_write)?;
        let wrapped: &[u8] = row.try_get(2).map_err(on_write)?;
        let key = keys.unwrap_key(tenant, conversation, wrapped).map_err(|_| damaged_key(conversation))?;
        found.insert(conversation, Key { row: id, key });
    }
    Ok(found)
}

async fn mint(
    conn: &mut SqliteConnection,
    keys: &TenantKeys,
    tenant: &TenantId,
    conversation: ConversationId,
) -> Result<Key, Error> {
    let (key, wrapped) = keys.mint(tenant, conversation);
    let done = sqlx::query("INSERT INTO keys (tenant, conversation, wrapped) VALUES (?, ?, ?)")
        .bind(tenant.as_str())
        .bind(&conversation.0.as_bytes()[..])
        .bind(wrapped)
        .execute(conn)
        .await
        .map_err(on_write)?;
    Ok(Key { row: done.last_insert_rowid(), key })
}

/// The key of a conversation for what arrives late: made if there never was one, none once it is erased, so that a
/// settlement under way does not bring back what was just forgotten.
pub(super) async fn key_unless_erased(
    conn: &mut SqliteConnection,
    keys: &TenantKeys,
    tenant: &TenantId,
    conversation: ConversationId,
) -> Result<Option<Key>, Error> {
    let live = live_keys(conn, keys, tenant, std::iter::once(&conversation)).await?;
    if let Some(key) = live.into_values().next() {
        return Ok(Some(key));
    }
    let erased: bool =
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM keys WHERE tenant = ? AND conversation = ?)")
            .bind(tenant.as_str())
            .bind(&conversation.0.as_bytes()[..])
            .fetch_one(&mut *conn)
            .await
            .map_err(on_write)?;
    if erased { Ok(None) } else { mint(conn, keys, tenant, conversation).await.map(Some) }
}

/// Keeps a batch's content and handles. Content for an erased conversation gets a new key: it was said after.
pub(super) async fn keep(
    conn: &mut SqliteConnection,
    keys: &TenantKeys,
    tenant: &TenantId,
    content: &[NewContent],
    handles: &[(ConversationId, Handle)],
) -> Result<(), Error> {
    if !content.is_empty() {
        let mut known = live_keys(conn, keys, tenant, content.iter().map(|c| &c.conversation)).await?;
        for item in content {
            if let Entry::Vacant(none) = known.entry(item.conversation) {
                none.insert(mint(conn, keys, tenant, item.conversation).await?);
            }
        }
        insert_content(conn, &known, tenant, content).await?;
    }
    for (conversation, handle) in handles {
        sqlx::query(
            "INSERT INTO handles (tenant, digest, conversation) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        )
        .bind(tenant.as_str())
        .bind(keys.index(handle))
        .bind(&conversation.0.as_bytes()[..])
        .execute(&mut *conn)
        .await
        .map_err(on_write)?;
    }
    Ok(())
}

/// `keys` has one for each conversation.
async fn insert_content(
    conn: &mut SqliteConnection,
    keys: &BTreeMap<ConversationId, Key>,
    tenant: &TenantId,
    content: &[NewContent],
) -> Result<(), Error> {
    for (sql, content) in INSERT_CONTENT.cut(content) {
        // Made of the literals above.
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for item in content {
            let key = &keys[&item.conversation];
            query = query
                .bind(tenant.as_str())
                .bind(item.id.0.as_bytes().to_vec())
                .bind(key.row)
                .bind(places::seal_content(&key.key, tenant, item)?);
        }
        query.execute(&mut *conn).await.map_err(on_write)?;
    }
    Ok(())
}

pub(super) async fn content(
    readers: &SqlitePool,
    keys: &TenantKeys,
    tenant: &TenantId,
    ids: &[ContentId],
) -> Result<Vec<(ContentId, Content)>, Error> {
    let rows = sqlx::query(
        "SELECT c.id, c.body, k.id, k.conversation, k.wrapped FROM content c JOIN keys k ON k.id = c.key
         WHERE c.tenant = ? AND c.id IN (SELECT unhex(value) FROM json_each(?))",
    )
    .bind(tenant.as_str())
    .bind(id_list(ids.iter().map(|id| &id.0)))
    .fetch_all(readers)
    .await
    .map_err(on_read)?;
    let mut unwrapped: BTreeMap<i64, SealingKey> = BTreeMap::new();
    let mut found: BTreeMap<ContentId, Content> = BTreeMap::new();
    for row in rows {
        let id = ContentId(id_at(&row, 0)?);
        let key_row: i64 = row.try_get(2).map_err(on_read)?;
        let key = match unwrapped.entry(key_row) {
            Entry::Occupied(key) => key.into_mut(),
            Entry::Vacant(none) => {
                let conversation = ConversationId(id_at(&row, 3)?);
                let wrapped: &[u8] = row.try_get(4).map_err(on_read)?;
                let key = keys.unwrap_key(tenant, conversation, wrapped);
                none.insert(key.map_err(|_| damaged_key(conversation))?)
            }
        };
        let sealed: &[u8] = row.try_get(1).map_err(on_read)?;
        let content = places::open_content(key, tenant, id, sealed)?;
        found.insert(id, content);
    }
    Ok(ids.iter().filter_map(|id| found.remove(id).map(|content| (*id, content))).collect())
}

pub(super) async fn conversations(
    readers: &SqlitePool,
    keys: &TenantKeys,
    tenant: &TenantId,
    by: &Handle,
    limit: u32,
) -> Result<Vec<ConversationId>, Error> {
    let found = sqlx::query(
        "SELECT conversation FROM handles WHERE tenant = ? AND digest = ? ORDER BY id DESC LIMIT ?",
    )
    .bind(tenant.as_str())
    .bind(keys.index(by))
    .bind(i64::from(limit))
    .fetch_all(readers)
    .await
    .map_err(on_read)?;
    Ok(rows::ids(&found)?.into_iter().map(ConversationId).collect())
}

pub(super) async fn erase(
    conn: &mut SqliteConnection,
    tenant: &TenantId,
    conversation: ConversationId,
) -> Result<(), Error> {
    for sql in [
        "DELETE FROM content WHERE key IN (SELECT id FROM keys WHERE tenant = ?1 AND conversation = ?2)",
        "DELETE FROM handles WHERE tenant = ?1 AND conversation = ?2",
        "UPDATE deliveries SET key = NULL, sealed = NULL WHERE tenant = ?1 AND conversation = ?2",
        // In place, byte for byte: see the table.
        "UPDATE keys SET erased = 1, wrapped = zeroblob(length(wrapped))
         WHERE tenant = ?1 AND conversation = ?2 AND erased = 0",
    ] {
        sqlx::query(sql)
            .bind(tenant.as_str())
            .bind(&conversation.0.as_bytes()[..])
            .execute(&mut *conn)
            .await
            .map_err(on_write)?;
    }
    Ok(())
}
