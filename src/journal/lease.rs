//! Who may own what: leases over shards (DESIGN.md sections 4 and 9).
//!
//! A lease says who should open a tenant; what protects the journal is the tenant's epoch, which [`super::Store::open`]
//! raises and every commit checks. So safety never depends on time: a lease that lapses too late or too early costs a
//! reload, never a row.

use super::{Epoch, Error};
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::time::Duration;
use tieline_model::TenantId;

/// How many parts all tenants are spread over.
pub const SHARDS: u8 = 64;

/// One part of all tenants. A tenant is always in the same one, in every process and version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shard(u8);

impl Shard {
    /// Where a tenant belongs: FNV-1a over its id, which is the same everywhere and never changes.
    #[must_use]
    pub fn of(tenant: &TenantId) -> Self {
        let start = 0xcbf2_9ce4_8422_2325_u64;
        let hash = tenant
            .as_str()
            .bytes()
            .fold(start, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        Self(u8::try_from(hash % u64::from(SHARDS)).unwrap_or(0))
    }

    /// A shard by its number, below [`SHARDS`].
    #[must_use]
    pub fn new(number: u8) -> Option<Self> {
        (number < SHARDS).then_some(Self(number))
    }

    /// Its number, from 0.
    #[must_use]
    pub fn number(self) -> u8 {
        self.0
    }
}

impl std::fmt::Display for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:02}", self.0)
    }
}

/// What of a shard is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// Its tenants' engines: commands, timers, live sockets, what is published.
    Engines,
    /// Its tenants' connections: look-ups, pops, deliveries, budgets.
    Dispatch,
}

impl Part {
    /// As the table of leases names it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Engines => "engines",
            Self::Dispatch => "dispatch",
        }
    }
}

/// That a part of a shard was given to this process. It may have lapsed since; only the store can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lease {
    /// Of which shard.
    pub shard: Shard,
    /// Which part of it.
    pub part: Part,
    /// How often this part changed hands.
    pub epoch: Epoch,
}

/// One process among several, as the others see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replica {
    /// Chosen by it at its start.
    pub id: uuid::Uuid,
    /// Where it takes what others forward to it (`host:port` of `cluster.listen`); `None` if it takes nothing.
    pub address: Option<String>,
    /// Which parts it offers to hold.
    pub holds: Vec<Part>,
}

/// Who holds one part of a shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Which process.
    pub replica: uuid::Uuid,
    /// Where it is reached.
    pub address: Option<String>,
    /// Under which epoch it holds it.
    pub epoch: Epoch,
}

/// Who is there and who holds what, at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Picture {
    /// Processes that live, by id.
    pub replicas: BTreeMap<uuid::Uuid, Replica>,
    /// Parts that are held, lapsed leases left out.
    pub holders: BTreeMap<(Shard, Part), Holder>,
}

/// Where leases are kept: in the journal's own database, by its own clock, on its primary.
#[async_trait]
pub trait Leases: Send + Sync {
    /// Says that this process lives and what it offers, for as long as a lease lasts, and looks around.
    async fn appear(&self, me: &Replica) -> Result<Picture, Error>;

    /// Takes a part that nobody holds: it was given back, its time is over, its holder's session is gone, or it is
    /// ours already (then its epoch rises all the same). `None` when somebody holds it.
    async fn take(&self, me: &Replica, shard: Shard, part: Part) -> Result<Option<Lease>, Error>;

    /// Makes leases last from now on; gives back those that still are ours. Who asks counts their time from before
    /// asking, by its own monotonic clock.
    async fn renew(&self, me: &Replica, held: &[Lease]) -> Result<Vec<Lease>, Error>;

    /// Gives a part back at once, so that somebody else can take it. Nothing happens if it is not ours any more.
    async fn release(&self, me: &Replica, lease: &Lease) -> Result<(), Error>;

    /// Says that this process is about to leave: it counts no more.
    async fn disappear(&self, me: &Replica) -> Result<(), Error>;

    /// How long a lease lasts if it is not renewed.
    fn lasts(&self) -> Duration;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_is_in_the_same_shard_for_ever() {
        let shard = |id: &str| Shard::of(&TenantId::new(id).unwrap()).number();
        // Changing these would let two versions of the program, side by side, look for one tenant in two places.
        assert_eq!([shard("acme"), shard("demo"), shard("north-wind")], [15, 22, 29]);
    }

    #[test]
    fn tenants_spread_over_all_shards() {
        let used: std::collections::BTreeSet<Shard> =
            (0..1_000).map(|n| Shard::of(&TenantId::new(format!("centre-{n}")).unwrap())).collect();
        assert_eq!(used.len(), usize::from(SHARDS));
    }
}
