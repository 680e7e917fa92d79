//! Whether the journal says what an engine says: the state that is at work beside one replayed from the first event.
//!
//! A snapshot is a cache of the journal, and events are all there is to make a state anew from; a difference means that
//! the program, the machine or the file is wrong, and nothing else in the daemon would notice it.

use super::{Handle, digest, tenant};
use crate::journal::{Error, Snapshot, Store};
use tieline_engine::Engine;
use tieline_model::{Code, Refusal, Seq, TenantId};

/// SHA-256 over everything an engine would keep in a snapshot; the same in every process and on every machine.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct StateHash([u8; 32]);

impl StateHash {
    /// Of an engine as it stands.
    #[must_use]
    pub fn of(engine: &Engine) -> Self {
        Self(digest::sha256(&serde_json::to_vec(engine).unwrap_or_default()))
    }
}

impl std::fmt::Display for StateHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::fmt::Debug for StateHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

/// A state at work beside one replayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// Up to which event both go.
    pub head: Seq,
    /// Of the state at work.
    pub state: StateHash,
    /// Of the state replayed from the first event.
    pub replayed: StateHash,
}

impl Verified {
    /// Whether both are the same.
    #[must_use]
    pub fn agrees(&self) -> bool {
        self.state == self.replayed
    }
}

/// Compares an engine at work with a replay of its journal. Commits wait while the state is hashed, and for nothing
/// else.
///
/// # Errors
/// This process does not serve the tenant, or the journal cannot be read.
pub async fn verify(handle: &Handle, store: &dyn Store, tenant: &TenantId) -> Result<Verified, Refusal> {
    let (head, state) = handle.read(tenant, |engine| (engine.seq(), StateHash::of(engine))).await?;
    let replayed = replay(store, tenant, head).await;
    let replayed = replayed.map_err(|e| Refusal::new(Code::Unavailable, e.to_string()))?;
    Ok(Verified { head, state, replayed })
}

/// The same for a journal at which nobody works: what a start would come to, from the newest snapshot and the rows
/// after it, beside a replay.
///
/// # Errors
/// The journal cannot be read.
pub async fn verify_at_rest(
    store: &dyn Store,
    tenant: &TenantId,
    snapshot: Option<Snapshot>,
) -> Result<Verified, Error> {
    let (engine, _) = tenant::load(store, tenant, snapshot).await?;
    let (head, state) = (engine.seq(), StateHash::of(&engine));
    Ok(Verified { head, state, replayed: replay(store, tenant, head).await? })
}

/// The state after event `head`, made from nothing but the journal.
///
/// # Errors
/// The journal cannot be read, or ends before `head`.
pub async fn replay(store: &dyn Store, tenant: &TenantId, head: Seq) -> Result<StateHash, Error> {
    let mut engine = Engine::default();
    tenant::catch_up(store, tenant, &mut engine, head).await?;
    if engine.seq() < head {
        let ends = engine.seq().0;
        return Err(Error::Unreadable(format!("tenant {tenant} ends at seq {ends}, before {}", head.0)));
    }
    Ok(StateHash::of(&engine))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{Batch, MemoryStore, Recorded};
    use tieline_model::{Event, Timestamp};

    /// A journal with nothing in it but its beginning.
    async fn begun() -> (MemoryStore, TenantId) {
        let (store, tenant) = (MemoryStore::new(), TenantId::new("a").unwrap());
        let epoch = store.open(&tenant).await.unwrap().epoch;
        let opened = Recorded { seq: Seq(1), at: Timestamp(1_000), event: Event::TenantOpened { seed: 7 } };
        let batch = Batch { rows: vec![opened], ..Batch::default() };
        store.commit(&vec![(tenant.clone(), epoch, batch)]).await.unwrap();
        (store, tenant)
    }

    #[tokio::test]
    async fn a_snapshot_that_does_not_say_what_the_journal_says_is_noticed() {
        let (store, tenant) = begun().await;
        let verified = verify_at_rest(&store, &tenant, None).await.unwrap();
        assert!(verified.agrees() && verified.head == Seq(1), "{verified:?}");

        let mut other = Engine::default();
        other.apply(Timestamp(1_000), &Event::TenantOpened { seed: 8 });
        let snapshot = Snapshot { seq: Seq(1), body: serde_json::to_vec(&other).unwrap() };
        let verified = verify_at_rest(&store, &tenant, Some(snapshot)).await.unwrap();
        assert!(!verified.agrees(), "{verified:?}");
    }

    #[tokio::test]
    async fn a_journal_that_ends_too_early_is_an_error() {
        let (store, tenant) = begun().await;
        let short = replay(&store, &tenant, Seq(2)).await.unwrap_err().to_string();
        assert!(short.contains("ends at seq 1, before 2"), "{short}");
    }
}
