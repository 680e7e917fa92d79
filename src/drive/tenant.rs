//! One tenant in memory: its engine, and how it is loaded from the journal.

use crate::journal::{self, Batch, Epoch, Recorded, Remembered, Snapshot, Store};
use std::collections::BTreeMap;
use std::sync::Arc;
use tieline_engine::Engine;
use tieline_model::{CommandId, Event, Seq, Timestamp};
use tokio::sync::watch;

/// Rows read from the journal at a time.
const PAGE: u32 = 1_000;
/// Events after which a new snapshot is worth its bytes.
const SNAPSHOT_EVERY: u64 = 10_000;
/// Follow-ups (routing, deadlines) in one go; far above what a turn can cause, so reaching it is a bug.
const FOLLOW_UPS_MAX: usize = 100_000;

pub(super) struct Tenant {
    pub(super) engine: Engine,
    pub(super) epoch: Epoch,
    pub(super) head: watch::Sender<Seq>,
    /// What this turn adds; empty between turns.
    pub(super) batch: Batch,
    /// Commands of this turn, to catch a repetition inside it.
    pub(super) fresh: BTreeMap<(String, CommandId), ([u8; 32], Seq)>,
    pub(super) snapshot_at: Seq,
    /// Nothing is handed out any more: the process is about to end (F3).
    pub(super) draining: bool,
    /// The store under the lease this tenant is held by; `None` where this process has the journal to itself.
    pub(super) leased: Option<Arc<dyn Store>>,
    /// Its state was thrown away and could not be made anew yet; nothing is decided or shown until it is.
    pub(super) stale: bool,
}

impl Tenant {
    pub(super) fn new(
        engine: Engine,
        epoch: Epoch,
        snapshot_at: Seq,
        leased: Option<Arc<dyn Store>>,
    ) -> Self {
        let head = watch::Sender::new(engine.seq());
        let (batch, fresh) = (Batch::default(), BTreeMap::new());
        Self { engine, epoch, head, batch, fresh, snapshot_at, draining: false, leased, stale: false }
    }

    /// Journal time: never goes back (DESIGN.md section 3).
    pub(super) fn now(&self, clock: Timestamp) -> Timestamp {
        clock.max(self.engine.now())
    }

    /// Applies events speculatively and keeps them for the commit.
    pub(super) fn take(&mut self, at: Timestamp, events: Vec<Event>) {
        for event in events {
            self.engine.apply(at, &event);
            self.batch.rows.push(Recorded { seq: self.engine.seq(), at, event });
        }
    }

    /// Everything that follows by itself: deadlines that have come, then chats for whoever is free (A11), unless the
    /// process is about to end.
    pub(super) fn follow_up(&mut self, now: Timestamp) {
        for _ in 0..FOLLOW_UPS_MAX {
            let due = self.engine.expire(now);
            if !due.is_empty() {
                self.take(now, due);
                continue;
            }
            if self.draining {
                return;
            }
            let follows = self.engine.route(now);
            if follows.is_empty() {
                return;
            }
            self.take(now, follows);
        }
        tracing::error!(
            seq = self.engine.seq().0,
            "follow-ups do not come to an end; going on with the next command"
        );
    }

    pub(super) fn remember(&mut self, caller: String, id: CommandId, digest: [u8; 32]) {
        let seq = self.engine.seq();
        self.fresh.insert((caller.clone(), id.clone()), (digest, seq));
        self.batch.commands.push(Remembered { caller, id, digest, seq });
    }

    pub(super) fn snapshot_due(&self) -> bool {
        self.engine.seq().0 - self.snapshot_at.0 >= SNAPSHOT_EVERY
    }

    pub(super) fn snapshot(&self) -> Result<Snapshot, serde_json::Error> {
        Ok(Snapshot { seq: self.engine.seq(), body: serde_json::to_vec(&self.engine)? })
    }
}

/// The engine as the journal has it: from the newest snapshot that can be read, and the rows after it.
pub(super) async fn load(
    store: &dyn Store,
    tenant: &tieline_model::TenantId,
    snapshot: Option<Snapshot>,
) -> Result<(Engine, Seq), journal::Error> {
    let restored = snapshot.and_then(|s| match serde_json::from_slice::<Engine>(&s.body) {
        Ok(engine) if engine.seq() == s.seq => Some(engine.restored()),
        Ok(_) => None,
        Err(error) => {
            // A snapshot is a cache: one of another version is passed over, the journal has everything.
            tracing::warn!(%tenant, seq = s.seq.0, %error, "snapshot passed over; replaying the whole journal");
            None
        }
    });
    let mut engine = restored.unwrap_or_default();
    let snapshot_at = engine.seq();
    catch_up(store, tenant, &mut engine, Seq(u64::MAX)).await?;
    Ok((engine, snapshot_at))
}

/// Applies the rows after an engine's last one, up to `until` or the journal's head, whichever comes first.
pub(super) async fn catch_up(
    store: &dyn Store,
    tenant: &tieline_model::TenantId,
    engine: &mut Engine,
    until: Seq,
) -> Result<(), journal::Error> {
    while engine.seq() < until {
        let left = until.0 - engine.seq().0;
        let rows = store.read(tenant, engine.seq(), PAGE.min(u32::try_from(left).unwrap_or(PAGE))).await?;
        for row in &rows {
            if row.seq != engine.seq().next() {
                let text = format!("tenant {tenant} has a gap before seq {}", row.seq.0);
                return Err(journal::Error::Unreadable(text));
            }
            engine.apply(row.at, &row.event);
        }
        if rows.len() < PAGE as usize {
            break;
        }
    }
    Ok(())
}
