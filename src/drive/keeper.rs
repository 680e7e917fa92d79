//! Keeps this process's leases: takes its fair share of the shards, renews them, gives back what is too much, and
//! lets go of what it may have lost (DESIGN.md section 9).
//!
//! Time here is monotonic and only bounds how long a frozen owner is waited for; what protects the journal is the
//! epoch that a commit checks.

use super::{Error, Handle, InForce};
use crate::journal::{Lease, Leases, Part, Picture, Replica, Shard};
use async_trait::async_trait;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tieline_model::TenantId;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How often it looks around: a crash is noticed within this.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Parts of a lease's time: it is renewed after this much of it.
const RENEW_AFTER: f64 = 0.3;
/// And let go after this much without a renewal, while there is still time for it.
const LET_GO_AFTER: f64 = 0.7;

/// Whoever runs the connections of shards ([`Part::Dispatch`]).
#[async_trait]
pub trait Crew: Send + Sync {
    /// Starts the connections of a shard's tenants.
    async fn start(&self, lease: Lease);
    /// Finishes what is under way for a shard and stops; the lease is given back after it.
    async fn stop(&self, shard: Shard);
}

/// What is in force for a tenant at this moment; `None` if there is no such tenant any more.
pub type OpenedWith = Arc<dyn Fn(&TenantId) -> Option<InForce> + Send + Sync>;

/// Keeps leases.
pub struct Keeper {
    /// Where they are kept.
    pub leases: Arc<dyn Leases>,
    /// Who we are.
    pub me: Replica,
    /// The engines.
    pub engines: Handle,
    /// The connections.
    pub crew: Arc<dyn Crew>,
    /// All tenants of the settings.
    pub tenants: BTreeSet<TenantId>,
    /// What they are opened with.
    pub settings: OpenedWith,
}

/// A lease with the moment from which its time counts.
#[derive(Debug, Clone, Copy)]
struct Kept {
    lease: Lease,
    since: Instant,
}

type Held = BTreeMap<(Shard, Part), Kept>;

impl Keeper {
    /// Keeps leases until `stop`, then gives all back in order and disappears.
    pub async fn run(self, stop: CancellationToken) {
        let mut held = Held::new();
        loop {
            self.round(&mut held).await;
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
        let parts: Vec<(Shard, Part)> = held.keys().rev().copied().collect();
        for at in parts {
            self.renew(&mut held).await;
            self.give_back(&mut held, at).await;
        }
        if let Err(error) = self.leases.disappear(&self.me).await {
            tracing::warn!(%error, "the others learn that we left when our time is over");
        }
    }

    async fn round(&self, held: &mut Held) {
        self.renew(held).await;
        let picture = match self.leases.appear(&self.me).await {
            Ok(picture) => picture,
            Err(error) => {
                tracing::warn!(%error, "who else is there cannot be seen");
                return;
            }
        };
        self.engines.saw(picture.clone());
        for part in [Part::Engines, Part::Dispatch] {
            let wanted = self.wanted(part, &picture, held);
            let too_many: Vec<Shard> =
                held.keys().filter(|(s, p)| *p == part && !wanted.contains(s)).map(|(s, _)| *s).collect();
            for shard in too_many {
                // What is under way for one shard may take seconds, and the others' leases go on running.
                self.renew(held).await;
                self.give_back(held, (shard, part)).await;
            }
            for shard in wanted {
                self.renew(held).await;
                if !held.contains_key(&(shard, part)) && !picture.holders.contains_key(&(shard, part)) {
                    self.take(held, shard, part).await;
                }
            }
        }
    }

    async fn renew(&self, held: &mut Held) {
        let due = |kept: &Kept| kept.since.elapsed() >= self.leases.lasts().mul_f64(RENEW_AFTER);
        if !held.values().any(due) {
            return;
        }
        // From before asking: the answer may be long on its way.
        let since = Instant::now();
        let ours: Vec<Lease> = held.values().map(|kept| kept.lease).collect();
        match self.leases.renew(&self.me, &ours).await {
            Ok(still) => {
                for lease in ours {
                    let at = (lease.shard, lease.part);
                    if still.contains(&lease) {
                        held.insert(at, Kept { lease, since });
                    } else {
                        tracing::warn!(shard = %lease.shard, part = lease.part.name(), "its lease is another's now");
                        self.lose(held, at).await;
                    }
                }
            }
            Err(error) => {
                tracing::warn!(%error, "leases could not be renewed");
                let limit = self.leases.lasts().mul_f64(LET_GO_AFTER);
                let mut old: Vec<_> =
                    held.iter().filter(|(_, k)| k.since.elapsed() >= limit).map(|(at, _)| *at).collect();
                // Engines at once; connections may take seconds over what they have under way.
                old.sort_by_key(|(_, part)| *part);
                for at in old {
                    self.lose(held, at).await;
                }
            }
        }
    }

    /// Which shards this process should hold: its fair share of those that have tenants. What it holds already comes
    /// first, so that nothing moves without need.
    fn wanted(&self, part: Part, picture: &Picture, held: &Held) -> BTreeSet<Shard> {
        if !self.me.holds.contains(&part) {
            return BTreeSet::new();
        }
        let all: BTreeSet<Shard> = self.tenants.iter().map(Shard::of).collect();
        let here = |part: Part| held.keys().filter(move |(_, p)| *p == part).map(|(shard, _)| *shard);
        if part == Part::Dispatch && self.me.holds.contains(&Part::Engines) {
            // Connections work beside their engines, unless somebody is there for connections alone.
            let apart = picture.replicas.values().any(|r| r.holds == [Part::Dispatch]);
            return if apart { BTreeSet::new() } else { here(Part::Engines).collect() };
        }
        let rivals = picture.replicas.values().filter(|r| {
            r.holds.contains(&part) && (part == Part::Engines || !r.holds.contains(&Part::Engines))
        });
        let rivals: Vec<_> = rivals.map(|r| r.id).collect();
        let share = all.len().div_ceil(rivals.len().max(1));
        let mut free: Vec<Shard> =
            all.iter().filter(|s| !picture.holders.contains_key(&(**s, part))).copied().collect();
        // Each begins elsewhere, so that two that look at the same moment do not reach for the same ones.
        let rank = rivals.iter().position(|id| *id == self.me.id).unwrap_or(0);
        let start = free.len() * rank / rivals.len().max(1);
        free.rotate_left(start);
        let mine = here(part).filter(|shard| all.contains(shard));
        let mut wanted = BTreeSet::new();
        for shard in mine.chain(free) {
            if wanted.len() < share {
                wanted.insert(shard);
            }
        }
        wanted
    }

    async fn take(&self, held: &mut Held, shard: Shard, part: Part) {
        let since = Instant::now();
        let lease = match self.leases.take(&self.me, shard, part).await {
            Ok(Some(lease)) => lease,
            Ok(None) => return,
            Err(error) => {
                tracing::warn!(%shard, part = part.name(), %error, "a shard could not be taken");
                return;
            }
        };
        held.insert((shard, part), Kept { lease, since });
        tracing::info!(%shard, part = part.name(), epoch = lease.epoch.0, "a shard is ours");
        match part {
            Part::Dispatch => self.crew.start(lease).await,
            Part::Engines => {
                for tenant in self.tenants.iter().filter(|t| Shard::of(t) == shard) {
                    if let Err(error) = self.open(lease, tenant).await {
                        tracing::error!(%tenant, %error, "it could not be opened; its shard is given back");
                        self.give_back(held, (shard, part)).await;
                        return;
                    }
                }
            }
        }
    }

    async fn open(&self, lease: Lease, tenant: &TenantId) -> Result<(), Error> {
        match (self.settings)(tenant) {
            Some(its) => self.engines.take(lease, tenant.clone(), its, rand::random()).await,
            None => Ok(()),
        }
    }

    /// Gives a part back in order. Connections stop before their engines go, so that what they finish is still heard.
    async fn give_back(&self, held: &mut Held, at: (Shard, Part)) {
        if at.1 == Part::Engines && held.contains_key(&(at.0, Part::Dispatch)) {
            self.let_go(held, (at.0, Part::Dispatch)).await;
        }
        self.let_go(held, at).await;
    }

    async fn let_go(&self, held: &mut Held, at: (Shard, Part)) {
        let Some(kept) = held.remove(&at) else { return };
        match at.1 {
            Part::Engines => self.engines.leave(at.0).await,
            Part::Dispatch => self.crew.stop(at.0).await,
        }
        if let Err(error) = self.leases.release(&self.me, &kept.lease).await {
            tracing::warn!(shard = %at.0, %error, "a shard is free when its time is over");
        }
    }

    async fn lose(&self, held: &mut Held, at: (Shard, Part)) {
        held.remove(&at);
        match at.1 {
            Part::Engines => self.engines.lose(at.0).await,
            Part::Dispatch => self.crew.stop(at.0).await,
        }
    }
}
