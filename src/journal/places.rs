//! What the stores with a database have in common beside their SQL: which ciphertext belongs where, what of a row is
//! hidden, and what a row that was read must be checked for.

use super::sealed::{Broken, Place, SealingKey, TenantKeys};
use super::{Delivery, Error, NO_PROGRESS, NewContent, Recorded, Snapshot, codec};
use serde::{Deserialize, Serialize};
use tieline_model::content::Content;
use tieline_model::{ConnectionId, ContentId, ConversationId, InteractionId, Seq, TenantId, Timestamp};

/// Snapshots kept: the newest, and one to fall back to.
pub(super) const SNAPSHOTS: i64 = 2;

/// An unsigned count as databases keep it. Positions and milliseconds never come near the limit.
pub(super) fn int(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

pub(super) fn unsigned(n: i64) -> u64 {
    u64::try_from(n).unwrap_or(0)
}

/// A journal row as it was read, unless its checksum says that it is not what was written.
pub(super) fn recorded(
    tenant: &TenantId,
    seq: Seq,
    at: Timestamp,
    (kind, body): (&str, &str),
    checksum: i64,
) -> Result<Recorded, Error> {
    if checksum != codec::checksum(tenant, seq, at, kind, body) {
        return Err(codec::damaged(tenant, seq, kind, "its checksum does not match"));
    }
    Ok(Recorded { seq, at, event: codec::decode(tenant, seq, kind, body)? })
}

/// A snapshot in the form in which it is kept.
pub(super) fn seal_snapshot(keys: &TenantKeys, tenant: &TenantId, snapshot: &Snapshot) -> Vec<u8> {
    keys.state.seal(&snapshot_place(tenant, snapshot.seq), &snapshot.body)
}

/// A snapshot is a cache: one that cannot be opened is passed over for the older one, or for none.
pub(super) fn open_snapshot(
    keys: &TenantKeys,
    tenant: &TenantId,
    seq: Seq,
    sealed: &[u8],
) -> Option<Snapshot> {
    let opened = keys.state.open(&snapshot_place(tenant, seq), sealed);
    if opened.is_err() {
        tracing::warn!(%tenant, seq = seq.0, "a snapshot cannot be opened and is passed over");
    }
    opened.ok().map(|body| Snapshot { seq, body })
}

fn snapshot_place(tenant: &TenantId, seq: Seq) -> Place {
    Place::new("snapshot", tenant, &[&seq.0.to_le_bytes()])
}

/// Content in the form in which it is kept.
pub(super) fn seal_content(
    key: &SealingKey,
    tenant: &TenantId,
    content: &NewContent,
) -> Result<Vec<u8>, Error> {
    let plain = serde_json::to_vec(&content.content)
        .map_err(|_| Error::Refused(format!("content {} cannot be written as JSON", content.id)))?;
    Ok(key.seal(&content_place(tenant, content.id), &plain))
}

pub(super) fn open_content(
    key: &SealingKey,
    tenant: &TenantId,
    id: ContentId,
    sealed: &[u8],
) -> Result<Content, Error> {
    key.open(&content_place(tenant, id), sealed)
        .ok()
        .and_then(|plain| serde_json::from_slice(&plain).ok())
        .ok_or_else(|| Error::Unreadable(format!("content {id} of tenant {tenant} is damaged")))
}

fn content_place(tenant: &TenantId, id: ContentId) -> Place {
    Place::new("content", tenant, &[id.0.as_bytes()])
}

pub(super) fn damaged_key(conversation: ConversationId) -> Error {
    Error::Unreadable(format!(
        "the key of conversation {conversation} is damaged; restore it from the backup"
    ))
}

/// What of a delivery may quote people, so it is sealed.
#[derive(Serialize, Deserialize)]
pub(super) struct Hidden {
    pub(super) progress: String,
    pub(super) last_error: Option<String>,
    pub(super) sent_digest: Option<[u8; 32]>,
}

impl Hidden {
    pub(super) fn nothing() -> Self {
        Self { progress: NO_PROGRESS.to_owned(), last_error: None, sent_digest: None }
    }

    /// What is to be hidden of a delivery, if anything.
    pub(super) fn of(delivery: &Delivery) -> Option<Self> {
        let nothing = delivery.progress == NO_PROGRESS
            && delivery.last_error.is_none()
            && delivery.sent_digest.is_none();
        (!nothing).then(|| Self {
            progress: delivery.progress.clone(),
            last_error: delivery.last_error.clone(),
            sent_digest: delivery.sent_digest,
        })
    }

    pub(super) fn seal(
        &self,
        key: &SealingKey,
        tenant: &TenantId,
        connection: &ConnectionId,
        interaction: InteractionId,
    ) -> Result<Vec<u8>, Error> {
        let plain = serde_json::to_vec(self)
            .map_err(|_| Error::Refused("a delivery's progress cannot be written as JSON".into()))?;
        Ok(key.seal(&delivery_place(tenant, connection, interaction), &plain))
    }

    pub(super) fn open(
        key: Result<SealingKey, Broken>,
        tenant: &TenantId,
        connection: &ConnectionId,
        interaction: InteractionId,
        sealed: &[u8],
    ) -> Result<Self, Error> {
        key.and_then(|key| key.open(&delivery_place(tenant, connection, interaction), sealed))
            .ok()
            .and_then(|plain| serde_json::from_slice(&plain).ok())
            .ok_or_else(|| {
                Error::Unreadable(format!("the delivery of {interaction} to {connection} is damaged"))
            })
    }
}

fn delivery_place(tenant: &TenantId, connection: &ConnectionId, interaction: InteractionId) -> Place {
    Place::new("delivery", tenant, &[connection.as_str().as_bytes(), interaction.0.as_bytes()])
}
