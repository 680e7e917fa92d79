//! Leases in memory, for the simulator and for unit tests: what a database promises of them, by a clock of their own.

use crate::journal::{Epoch, Error, Holder, Lease, Leases, Part, Picture, Replica, Shard};
use async_trait::async_trait;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tieline_model::{Clock, Timestamp};
use uuid::Uuid;

#[derive(Debug, Clone)]
struct Row {
    epoch: i64,
    /// Who holds it, and until when.
    holder: Option<(Uuid, Timestamp)>,
}

#[derive(Debug, Default)]
struct Tables {
    replicas: BTreeMap<Uuid, (Replica, Timestamp)>,
    leases: BTreeMap<(Shard, Part), Row>,
    /// Whose session with the database is gone.
    gone: BTreeSet<Uuid>,
    /// Who cannot reach the database.
    cut_off: BTreeSet<Uuid>,
}

impl Tables {
    fn lives(&self, holder: Option<(Uuid, Timestamp)>, now: Timestamp) -> bool {
        holder.is_some_and(|(id, until)| until > now && !self.gone.contains(&id))
    }

    fn reached_by(&self, me: &Replica) -> Result<(), Error> {
        if self.cut_off.contains(&me.id) {
            return Err(Error::Unreachable("the network was cut by the test".into()));
        }
        Ok(())
    }
}

/// Leases in memory.
#[derive(Clone)]
pub struct MemoryLeases {
    tables: Arc<Mutex<Tables>>,
    clock: Arc<dyn Clock>,
    lasts: Duration,
}

impl std::fmt::Debug for MemoryLeases {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemoryLeases").field("lasts", &self.lasts).finish_non_exhaustive()
    }
}

impl MemoryLeases {
    /// Nobody holds anything.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, lasts: Duration) -> Self {
        Self { tables: Arc::default(), clock, lasts }
    }

    /// A process died: the database has seen its session end.
    pub fn crashed(&self, replica: Uuid) {
        self.lock().gone.insert(replica);
    }

    /// A process cannot reach the database, or can again; its session there lives on, as a frozen one's does.
    pub fn cut(&self, replica: Uuid, off: bool) {
        let cut_off = &mut self.lock().cut_off;
        let _ = if off { cut_off.insert(replica) } else { cut_off.remove(&replica) };
    }

    fn lock(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn until(&self) -> Timestamp {
        Timestamp(self.clock.now().0 + i64::try_from(self.lasts.as_millis()).unwrap_or(i64::MAX))
    }
}

#[async_trait]
impl Leases for MemoryLeases {
    async fn appear(&self, me: &Replica) -> Result<Picture, Error> {
        let (now, until) = (self.clock.now(), self.until());
        let mut tables = self.lock();
        tables.reached_by(me)?;
        tables.replicas.insert(me.id, (me.clone(), until));
        let lives = |id: &Uuid, until: &Timestamp| *until > now && !tables.gone.contains(id);
        let replicas: BTreeMap<_, _> = tables
            .replicas
            .iter()
            .filter(|(id, (_, until))| lives(id, until))
            .map(|(id, (replica, _))| (*id, replica.clone()))
            .collect();
        let holders = tables.leases.iter().filter(|(_, row)| tables.lives(row.holder, now));
        let holders = holders.filter_map(|(at, row)| {
            let replica = row.holder?.0;
            let address = tables.replicas.get(&replica).and_then(|(r, _)| r.address.clone());
            Some((*at, Holder { replica, address, epoch: Epoch(row.epoch) }))
        });
        Ok(Picture { holders: holders.collect(), replicas })
    }

    async fn take(&self, me: &Replica, shard: Shard, part: Part) -> Result<Option<Lease>, Error> {
        let (now, until) = (self.clock.now(), self.until());
        let mut tables = self.lock();
        tables.reached_by(me)?;
        let row = tables.leases.get(&(shard, part)).cloned().unwrap_or(Row { epoch: 0, holder: None });
        if tables.lives(row.holder, now) && row.holder.is_some_and(|(id, _)| id != me.id) {
            return Ok(None);
        }
        let epoch = row.epoch + 1;
        tables.leases.insert((shard, part), Row { epoch, holder: Some((me.id, until)) });
        Ok(Some(Lease { shard, part, epoch: Epoch(epoch) }))
    }

    async fn renew(&self, me: &Replica, held: &[Lease]) -> Result<Vec<Lease>, Error> {
        let until = self.until();
        let mut tables = self.lock();
        tables.reached_by(me)?;
        let mut still = Vec::new();
        for lease in held {
            let row = tables.leases.get_mut(&(lease.shard, lease.part));
            if let Some(row) = row.filter(|row| row.epoch == lease.epoch.0 && row.holder.is_some()) {
                row.holder = Some((me.id, until));
                still.push(*lease);
            }
        }
        Ok(still)
    }

    async fn release(&self, me: &Replica, lease: &Lease) -> Result<(), Error> {
        let mut tables = self.lock();
        tables.reached_by(me)?;
        let row = tables.leases.get_mut(&(lease.shard, lease.part));
        if let Some(row) = row.filter(|row| row.epoch == lease.epoch.0) {
            row.holder = None;
        }
        Ok(())
    }

    async fn disappear(&self, me: &Replica) -> Result<(), Error> {
        let mut tables = self.lock();
        tables.reached_by(me)?;
        tables.replicas.remove(&me.id);
        Ok(())
    }

    fn lasts(&self) -> Duration {
        self.lasts
    }
}
