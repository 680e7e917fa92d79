//! Keys of conversations, content under them, handles to find them by, and erasing.
//!
//! Keys are remembered in memory, so that a commit needs not ask for them. Every statement that writes under a key looks
//! whether it still lives, `FOR SHARE`; where it does not, the memory is corrected and the statement sent again.

use super::fault::{Access, meaning};
use super::sessions::{Sessions, get, within};
use crate::journal::places::{self, damaged_key};
use crate::journal::sealed::{Keyring, SealingKey, TenantKeys};
use crate::journal::{Error, Handle};
use sqlx::postgres::PgConnection;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use tieline_model::content::Content;
use tieline_model::{ContentId, ConversationId, TenantId};
use uuid::Uuid;

/// Keys remembered at once, each of about a kilobyte; then the memory starts anew.
const KNOWN_MAX: usize = 8_192;
/// How often a statement is sent again because keys were made or erased meanwhile.
pub(super) const KEY_TRIES: u32 = 5;

/// A key, and the row it stands in.
pub(super) struct Key {
    pub(super) id: Uuid,
    pub(super) key: SealingKey,
}

/// What is known of a conversation's keys.
pub(super) enum Found {
    Live(Arc<Key>),
    /// It had keys, and all are erased.
    Erased,
    Never,
}

/// Live keys by conversation.
#[derive(Default)]
pub(super) struct Known(Mutex<BTreeMap<(TenantId, ConversationId), Arc<Key>>>);

impl Known {
    fn get(&self, tenant: &TenantId, conversation: ConversationId) -> Option<Arc<Key>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&(tenant.clone(), conversation)).cloned()
    }

    /// Remembers a key whose row is written.
    pub(super) fn keep(&self, tenant: &TenantId, conversation: ConversationId, key: &Arc<Key>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        known.insert((tenant.clone(), conversation), Arc::clone(key));
    }

    pub(super) fn forget(&self, tenant: &TenantId, conversation: ConversationId) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.remove(&(tenant.clone(), conversation));
    }
}

/// A key that is yet to be written, and the form in which it will be kept.
pub(super) fn mint(
    keys: &TenantKeys,
    tenant: &TenantId,
    conversation: ConversationId,
) -> (Arc<Key>, Vec<u8>) {
    let (key, wrapped) = keys.mint(tenant, conversation);
    (Arc::new(Key { id: Uuid::new_v4(), key }), wrapped)
}

/// What is known of the keys of conversations, from memory first.
pub(super) async fn find(
    writers: &Sessions,
    known: &Known,
    keys: &TenantKeys,
    tenant: &TenantId,
    conversations: &BTreeSet<ConversationId>,
) -> Result<BTreeMap<ConversationId, Found>, Error> {
    let mut found = BTreeMap::new();
    let mut wanted = Vec::new();
    for conversation in conversations {
        match known.get(tenant, *conversation) {
            Some(key) => {
                found.insert(*conversation, Found::Live(key));
            }
            None => {
                found.insert(*conversation, Found::Never);
                wanted.push(conversation.0);
            }
        }
    }
    if wanted.is_empty() {
        return Ok(found);
    }
    // The live one, where there is one, comes last.
    let query = sqlx::query(
        "SELECT conversation, id, erased, wrapped FROM keys WHERE tenant = $1 AND conversation = ANY($2)
         ORDER BY erased DESC",
    );
    let rows = writers.all(query.bind(tenant.as_str()).bind(wanted), Access::Again).await?;
    for row in rows {
        let conversation = ConversationId(get(&row, 0)?);
        if get(&row, 2)? {
            found.insert(conversation, Found::Erased);
            continue;
        }
        let key = keys.unwrap_key(tenant, conversation, get(&row, 3)?);
        let key = key.map_err(|_| damaged_key(conversation))?;
        let key = Arc::new(Key { id: get(&row, 1)?, key });
        known.keep(tenant, conversation, &key);
        found.insert(conversation, Found::Live(key));
    }
    Ok(found)
}

/// Refuses a master key that is not the one the database was written under; a new one takes this one.
pub(super) async fn check_key(conn: &mut PgConnection, keys: &Keyring) -> Result<(), Error> {
    let on_change = |e| meaning(e, Access::Again);
    let mine = keys.fingerprint().to_vec();
    sqlx::query("INSERT INTO meta (name, value) VALUES ('key', $1) ON CONFLICT (name) DO NOTHING")
        .bind(&mine)
        .execute(&mut *conn)
        .await
        .map_err(on_change)?;
    let known: Vec<u8> = sqlx::query_scalar("SELECT value FROM meta WHERE name = 'key'")
        .fetch_one(conn)
        .await
        .map_err(on_change)?;
    if known == mine {
        return Ok(());
    }
    Err(Error::Refused(
        "the journal was written under another master key; give every machine the key file it was made with"
            .into(),
    ))
}

pub(super) async fn content(
    readers: &Sessions,
    keys: &TenantKeys,
    tenant: &TenantId,
    ids: &[ContentId],
) -> Result<Vec<(ContentId, Content)>, Error> {
    let wanted: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let query = sqlx::query(
        "SELECT c.id, c.body, k.id, k.conversation, k.wrapped FROM content c JOIN keys k ON k.id = c.key
         WHERE c.tenant = $1 AND c.id = ANY($2) AND NOT k.erased",
    );
    let rows = readers.all(query.bind(tenant.as_str()).bind(wanted), Access::Again).await?;
    let mut unwrapped: BTreeMap<Uuid, SealingKey> = BTreeMap::new();
    let mut found: BTreeMap<ContentId, Content> = BTreeMap::new();
    for row in &rows {
        let id = ContentId(get(row, 0)?);
        let key_row: Uuid = get(row, 2)?;
        let key = match unwrapped.entry(key_row) {
            Entry::Occupied(key) => key.into_mut(),
            Entry::Vacant(none) => {
                let conversation = ConversationId(get(row, 3)?);
                let key = keys.unwrap_key(tenant, conversation, get(row, 4)?);
                none.insert(key.map_err(|_| damaged_key(conversation))?)
            }
        };
        found.insert(id, places::open_content(key, tenant, id, get(row, 1)?)?);
    }
    Ok(ids.iter().filter_map(|id| found.remove(id).map(|content| (*id, content))).collect())
}

pub(super) async fn conversations(
    readers: &Sessions,
    keys: &TenantKeys,
    tenant: &TenantId,
    by: &Handle,
    limit: u32,
) -> Result<Vec<ConversationId>, Error> {
    let query = sqlx::query(
        "SELECT conversation FROM handles WHERE tenant = $1 AND digest = $2 ORDER BY id DESC LIMIT $3",
    )
    .bind(tenant.as_str())
    .bind(keys.index(by))
    .bind(i64::from(limit));
    let rows = readers.all(query, Access::Again).await?;
    rows.iter().map(|row| get(row, 0).map(ConversationId)).collect()
}

/// The key's row first: it waits for whoever is writing under that key, and what comes later is refused by it. The
/// deletions are statements of their own, so that they see what those have written.
const ERASE: [&str; 4] = [
    "UPDATE keys SET erased = true, wrapped = ''
     WHERE tenant = $1 AND conversation = $2 AND NOT erased",
    "DELETE FROM content WHERE key IN (SELECT id FROM keys WHERE tenant = $1 AND conversation = $2)",
    "DELETE FROM handles WHERE tenant = $1 AND conversation = $2",
    "UPDATE deliveries SET key = NULL, sealed = NULL WHERE tenant = $1 AND conversation = $2",
];

pub(super) async fn erase(
    writers: &Sessions,
    known: &Known,
    tenant: &TenantId,
    conversation: ConversationId,
) -> Result<(), Error> {
    known.forget(tenant, conversation);
    let mut session = writers.session().await?;
    let limit = session.limit();
    let conn = &mut session.conn;
    let erasing = async {
        sqlx::raw_sql("BEGIN").execute(&mut *conn).await?;
        for sql in ERASE {
            sqlx::query(sql).bind(tenant.as_str()).bind(conversation.0).execute(&mut *conn).await?;
        }
        Ok(())
    };
    within(limit, erasing).await.map_err(|e| meaning(e, Access::Again))?;
    let ended = within(limit, sqlx::raw_sql("COMMIT").execute(&mut session.conn)).await;
    session.end(ended, Access::Commit).map(drop)
}
