//! A journal in memory: what `Sqlite` promises, without a disk, a clock or chance. For the simulator and for unit
//! tests. What is in it is durable by definition; a crash is dropping everything but a clone of it.

mod leases;

pub use leases::MemoryLeases;

use super::{
    Backlog, Batch, Commit, Delivery, DeliveryState, Epoch, Error, Handle, NO_PROGRESS, NewContent, Opened,
    Reader, Recorded, Remembered, Snapshot, Store, Want, codec,
};
use async_trait::async_trait;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tieline_model::content::Content;
use tieline_model::{
    CommandId, ConnectionId, ContentId, ConversationId, InteractionId, Seq, TenantId, Timestamp,
};

/// What a store is about to do. Reading never fails here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Op {
    /// [`Store::open`].
    Open,
    /// [`Store::commit`].
    Commit,
    /// [`Store::heartbeat`].
    Heartbeat,
    /// [`Store::save_snapshot`].
    Snapshot,
    /// [`Store::move_cursor`].
    MoveCursor,
    /// [`Store::want`].
    Want,
    /// [`Store::settle`].
    Settle,
    /// [`Store::revive`].
    Revive,
    /// [`Store::erase`].
    Erase,
    /// [`Store::forget_commands`].
    Forget,
}

/// What happens to one operation. None of them loses what was kept before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Fault {
    /// It goes well.
    #[default]
    None,
    /// Nothing is kept; [`Error::Refused`].
    Refused,
    /// Nothing is kept; [`Error::Full`].
    Full,
    /// Nothing is kept; [`Error::Unreachable`].
    Unreachable,
    /// Nothing is kept; [`Error::Fatal`].
    Fatal,
    /// Nothing is kept; [`Error::Unknown`].
    UnknownLost,
    /// It is kept all the same; [`Error::Unknown`].
    UnknownKept,
}

/// Who decides what fails.
pub trait Faults: Send {
    /// Asked once before each operation that writes.
    fn next(&mut self, op: Op) -> Fault;
}

impl<F: FnMut(Op) -> Fault + Send> Faults for F {
    fn next(&mut self, op: Op) -> Fault {
        self(op)
    }
}

type DeliveryKey = (ConnectionId, InteractionId);

#[derive(Debug, Clone, Default)]
struct Tenant {
    epoch: i64,
    heartbeat: Option<Timestamp>,
    rows: Vec<Recorded>,
    by_interaction: BTreeMap<InteractionId, Vec<usize>>,
    content: BTreeMap<ContentId, NewContent>,
    handles: BTreeMap<Handle, Vec<ConversationId>>,
    commands: BTreeMap<(String, CommandId), (Remembered, Timestamp)>,
    snapshots: BTreeMap<Seq, Snapshot>,
    cursors: BTreeMap<Reader, Seq>,
    deliveries: BTreeMap<DeliveryKey, Delivery>,
    /// Dead rows in the order they died.
    dead: Vec<DeliveryKey>,
    /// Conversations that had a key, and whether it lives.
    keys: BTreeMap<ConversationId, bool>,
}

/// A journal in memory.
#[derive(Default)]
pub struct MemoryStore {
    tenants: Mutex<BTreeMap<TenantId, Tenant>>,
    faults: Mutex<Option<Box<dyn Faults>>>,
}

impl std::fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemoryStore").field("tenants", &self.lock().len()).finish_non_exhaustive()
    }
}

impl Clone for MemoryStore {
    /// What a process started after a crash at this moment would find; without the faults.
    fn clone(&self) -> Self {
        Self { tenants: Mutex::new(self.lock().clone()), faults: Mutex::default() }
    }
}

impl MemoryStore {
    /// An empty journal in which nothing fails.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets operations fail from here on.
    pub fn inject(&self, faults: impl Faults + 'static) {
        *self.faults.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(faults));
    }

    /// Lets nothing fail from here on.
    pub fn heal(&self) {
        *self.faults.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<TenantId, Tenant>> {
        self.tenants.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read_tenant<T>(&self, tenant: &TenantId, read: impl FnOnce(&Tenant) -> T) -> T {
        match self.lock().get(tenant) {
            Some(tenant) => read(tenant),
            None => read(&Tenant::default()),
        }
    }

    /// `write` must leave everything as it was when it fails.
    fn write<T>(
        &self,
        op: Op,
        write: impl FnOnce(&mut BTreeMap<TenantId, Tenant>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let fault = match &mut *self.faults.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(faults) => faults.next(op),
            None => Fault::None,
        };
        let text = || format!("a fault was injected into {op:?}");
        match fault {
            Fault::None => write(&mut self.lock()),
            Fault::Refused => Err(Error::Refused(text())),
            Fault::Full => Err(Error::Full),
            Fault::Unreachable => Err(Error::Unreachable(text())),
            Fault::Fatal => Err(Error::Fatal(text())),
            Fault::UnknownLost => Err(Error::Unknown(text())),
            Fault::UnknownKept => {
                write(&mut self.lock())?;
                Err(Error::Unknown(text()))
            }
        }
    }

    fn write_tenant<T>(
        &self,
        op: Op,
        tenant: &TenantId,
        write: impl FnOnce(&mut Tenant) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.write(op, |tenants| write(tenants.entry(tenant.clone()).or_default()))
    }
}

impl Tenant {
    fn head(&self) -> Seq {
        self.rows.last().map_or(Seq(0), |row| row.seq)
    }

    /// A tenant that nobody opened has no owner.
    fn owned_under(&self, epoch: Epoch) -> bool {
        self.epoch > 0 && self.epoch == epoch.0
    }

    fn alive_at(&self) -> Option<Timestamp> {
        self.rows.last().map(|row| row.at).max(self.heartbeat)
    }

    fn check(&self, id: &TenantId, epoch: Epoch, batch: &Batch) -> Result<(), Error> {
        if !self.owned_under(epoch) {
            return Err(Error::Fenced(id.clone()));
        }
        let at = self.rows.last().map_or(Timestamp(i64::MIN), |row| row.at);
        codec::check_rows(id, self.head(), at, &batch.rows)?;
        let mut commands = BTreeSet::new();
        for command in &batch.commands {
            let key = (command.caller.clone(), command.id.clone());
            if self.commands.contains_key(&key) || !commands.insert(key) {
                return Err(Error::Refused(format!("command {} is remembered already", command.id)));
            }
        }
        let mut content = BTreeSet::new();
        for item in &batch.content {
            if self.content.contains_key(&item.id) || !content.insert(item.id) {
                return Err(Error::Refused(format!("content {} is there already", item.id)));
            }
        }
        Ok(())
    }

    fn append(&mut self, batch: &Batch) {
        let at = batch.rows.last().map(|row| row.at).max(self.alive_at()).unwrap_or_default();
        for row in &batch.rows {
            if let Some(interaction) = row.event.interaction() {
                self.by_interaction.entry(interaction).or_default().push(self.rows.len());
            }
            self.rows.push(row.clone());
        }
        for command in &batch.commands {
            self.commands.insert((command.caller.clone(), command.id.clone()), (command.clone(), at));
        }
        for item in &batch.content {
            self.keys.insert(item.conversation, true);
            self.content.insert(item.id, item.clone());
        }
        for (conversation, handle) in &batch.handles {
            let known = self.handles.entry(handle.clone()).or_default();
            if !known.contains(conversation) {
                known.push(*conversation);
            }
        }
    }

    fn want(&mut self, want: &Want) {
        let key = (want.connection.clone(), want.interaction);
        let row = self.deliveries.entry(key).or_insert_with(|| Delivery {
            connection: want.connection.clone(),
            interaction: want.interaction,
            conversation: want.conversation,
            wanted: 0,
            done: 0,
            attempt: 0,
            next_at: want.next_at,
            tried_ms: 0,
            state: DeliveryState::Open,
            last_error: None,
            progress: NO_PROGRESS.to_owned(),
            sent_digest: None,
        });
        let idle = row.done >= row.wanted;
        match row.state {
            DeliveryState::Open if idle && want.version > row.wanted => row.next_at = want.next_at,
            DeliveryState::Open if !idle && row.attempt == 0 => row.next_at = row.next_at.min(want.next_at),
            DeliveryState::Open | DeliveryState::Dead => {}
        }
        row.wanted = row.wanted.max(want.version);
    }

    fn move_cursor(&mut self, reader: &Reader, to: Seq) {
        let at = self.cursors.entry(reader.clone()).or_default();
        *at = to.max(*at);
    }

    fn settle(&mut self, delivery: &Delivery) -> Result<(), Error> {
        let key = (delivery.connection.clone(), delivery.interaction);
        let Some(row) = self.deliveries.get_mut(&key).filter(|r| r.conversation == delivery.conversation)
        else {
            return Err(super::no_delivery(&delivery.connection, delivery.interaction));
        };
        let wanted = row.wanted.max(delivery.wanted);
        *row = Delivery { wanted, ..delivery.clone() };
        let hides = row.progress != NO_PROGRESS || row.last_error.is_some() || row.sent_digest.is_some();
        if hides && !*self.keys.entry(row.conversation).or_insert(true) {
            forget_progress(row);
        }
        match delivery.state {
            DeliveryState::Open => self.dead.retain(|k| *k != key),
            DeliveryState::Dead if self.dead.contains(&key) => {}
            DeliveryState::Dead => self.dead.push(key),
        }
        Ok(())
    }

    fn erase(&mut self, conversation: ConversationId) {
        if let Some(lives) = self.keys.get_mut(&conversation) {
            *lives = false;
        }
        self.content.retain(|_, item| item.conversation != conversation);
        self.handles.retain(|_, known| {
            known.retain(|c| *c != conversation);
            !known.is_empty()
        });
        self.deliveries.values_mut().filter(|d| d.conversation == conversation).for_each(forget_progress);
    }
}

fn forget_progress(row: &mut Delivery) {
    NO_PROGRESS.clone_into(&mut row.progress);
    row.last_error = None;
    row.sent_digest = None;
}

fn up_to(limit: u32) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}

#[async_trait]
impl Store for MemoryStore {
    async fn open(&self, tenant: &TenantId) -> Result<Opened, Error> {
        self.write_tenant(Op::Open, tenant, |t| {
            t.epoch += 1;
            let snapshot = t.snapshots.range(..=t.head()).next_back().map(|(_, s)| s.clone());
            Ok(Opened { epoch: Epoch(t.epoch), snapshot, head: t.head(), alive_at: t.alive_at() })
        })
    }

    async fn commit(&self, commit: &Commit) -> Result<(), Error> {
        super::check_tenants(commit)?;
        self.write(Op::Commit, |tenants| {
            for (id, epoch, batch) in commit {
                let Some(tenant) = tenants.get(id) else { return Err(Error::Fenced(id.clone())) };
                tenant.check(id, *epoch, batch)?;
            }
            for (id, _, batch) in commit {
                if let Some(tenant) = tenants.get_mut(id) {
                    tenant.append(batch);
                }
            }
            Ok(())
        })
    }

    async fn read(&self, tenant: &TenantId, after: Seq, limit: u32) -> Result<Vec<Recorded>, Error> {
        // Rows are gap-free from 1, so a row's index is the position before it.
        let from = usize::try_from(after.0).unwrap_or(usize::MAX);
        Ok(self.read_tenant(tenant, |t| t.rows.iter().skip(from).take(up_to(limit)).cloned().collect()))
    }

    async fn read_interaction(&self, tenant: &TenantId, id: InteractionId) -> Result<Vec<Recorded>, Error> {
        Ok(self.read_tenant(tenant, |t| {
            t.by_interaction.get(&id).into_iter().flatten().map(|at| t.rows[*at].clone()).collect()
        }))
    }

    async fn content(
        &self,
        tenant: &TenantId,
        ids: &[ContentId],
    ) -> Result<Vec<(ContentId, Content)>, Error> {
        Ok(self.read_tenant(tenant, |t| {
            let mut asked = BTreeSet::new();
            ids.iter()
                .filter(|id| asked.insert(**id))
                .filter_map(|id| Some((*id, t.content.get(id)?.content.clone())))
                .collect()
        }))
    }

    async fn remembered(
        &self,
        tenant: &TenantId,
        caller: &str,
        id: &CommandId,
    ) -> Result<Option<Remembered>, Error> {
        let key = (caller.to_owned(), id.clone());
        Ok(self.read_tenant(tenant, |t| t.commands.get(&key).map(|(command, _)| command.clone())))
    }

    async fn conversations(
        &self,
        tenant: &TenantId,
        by: &Handle,
        limit: u32,
    ) -> Result<Vec<ConversationId>, Error> {
        Ok(self.read_tenant(tenant, |t| {
            t.handles.get(by).into_iter().flatten().rev().take(up_to(limit)).copied().collect()
        }))
    }

    async fn heartbeat(&self, tenant: &TenantId, epoch: Epoch, at: Timestamp) -> Result<(), Error> {
        self.write_tenant(Op::Heartbeat, tenant, |t| {
            if !t.owned_under(epoch) {
                return Err(Error::Fenced(tenant.clone()));
            }
            t.heartbeat = t.heartbeat.max(Some(at));
            Ok(())
        })
    }

    async fn save_snapshot(&self, tenant: &TenantId, snapshot: &Snapshot) -> Result<(), Error> {
        self.write_tenant(Op::Snapshot, tenant, |t| {
            t.snapshots.insert(snapshot.seq, snapshot.clone());
            while t.snapshots.len() > 2 {
                t.snapshots.pop_first();
            }
            Ok(())
        })
    }

    async fn cursor(&self, tenant: &TenantId, reader: &Reader) -> Result<Seq, Error> {
        Ok(self.read_tenant(tenant, |t| t.cursors.get(reader).copied().unwrap_or_default()))
    }

    async fn move_cursor(&self, tenant: &TenantId, reader: &Reader, to: Seq) -> Result<(), Error> {
        self.write_tenant(Op::MoveCursor, tenant, |t| {
            t.move_cursor(reader, to);
            Ok(())
        })
    }

    async fn want(&self, tenant: &TenantId, wants: &[Want], reader: &Reader, to: Seq) -> Result<(), Error> {
        self.write_tenant(Op::Want, tenant, |t| {
            wants.iter().for_each(|want| t.want(want));
            t.move_cursor(reader, to);
            Ok(())
        })
    }

    async fn due(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<Delivery>, Error> {
        Ok(self.read_tenant(tenant, |t| {
            let mut due: Vec<_> = t.open_work(connection).filter(|d| d.next_at <= now).cloned().collect();
            due.sort_by_key(|d| (d.next_at, d.interaction));
            due.truncate(up_to(limit));
            due
        }))
    }

    async fn next_due(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
    ) -> Result<Option<Timestamp>, Error> {
        Ok(self.read_tenant(tenant, |t| t.open_work(connection).map(|d| d.next_at).min()))
    }

    async fn delivery(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
        interaction: InteractionId,
    ) -> Result<Option<Delivery>, Error> {
        let key = (connection.clone(), interaction);
        Ok(self.read_tenant(tenant, |t| t.deliveries.get(&key).cloned()))
    }

    async fn settle(&self, tenant: &TenantId, delivery: &Delivery) -> Result<(), Error> {
        self.write_tenant(Op::Settle, tenant, |t| t.settle(delivery))
    }

    async fn dead(&self, tenant: &TenantId, limit: u32) -> Result<Vec<Delivery>, Error> {
        Ok(self.read_tenant(tenant, |t| {
            t.dead.iter().rev().take(up_to(limit)).filter_map(|key| t.deliveries.get(key).cloned()).collect()
        }))
    }

    async fn backlog(&self, tenant: &TenantId) -> Result<BTreeMap<ConnectionId, Backlog>, Error> {
        Ok(self.read_tenant(tenant, |t| {
            let mut all = BTreeMap::<ConnectionId, Backlog>::new();
            for row in t.deliveries.values() {
                match row.state {
                    DeliveryState::Dead => all.entry(row.connection.clone()).or_default().dead += 1,
                    DeliveryState::Open if row.done < row.wanted => {
                        all.entry(row.connection.clone()).or_default().waiting += 1;
                    }
                    DeliveryState::Open => {}
                }
            }
            all
        }))
    }

    async fn revive(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
        interaction: InteractionId,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let key = (connection.clone(), interaction);
        self.write_tenant(Op::Revive, tenant, |t| {
            let Some(row) = t.deliveries.get_mut(&key).filter(|d| d.state == DeliveryState::Dead) else {
                return Ok(false);
            };
            row.state = DeliveryState::Open;
            row.attempt = 0;
            row.tried_ms = 0;
            row.next_at = now;
            t.dead.retain(|k| *k != key);
            Ok(true)
        })
    }

    async fn erase(&self, tenant: &TenantId, conversation: ConversationId) -> Result<(), Error> {
        self.write_tenant(Op::Erase, tenant, |t| {
            t.erase(conversation);
            Ok(())
        })
    }

    async fn forget_commands(&self, before: Timestamp) -> Result<u64, Error> {
        self.write(Op::Forget, |tenants| {
            let mut forgotten = 0;
            for tenant in tenants.values_mut() {
                let had = tenant.commands.len();
                tenant.commands.retain(|_, (_, at)| *at >= before);
                forgotten += u64::try_from(had - tenant.commands.len()).unwrap_or(0);
            }
            Ok(forgotten)
        })
    }
}

impl Tenant {
    fn open_work<'a>(&'a self, connection: &'a ConnectionId) -> impl Iterator<Item = &'a Delivery> {
        self.deliveries.values().filter(move |d| {
            d.connection == *connection && d.state == DeliveryState::Open && d.done < d.wanted
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::suite::{Fixture, one, rows, suite, tenant};
    use std::sync::Arc;

    async fn fixture() -> Fixture {
        Fixture { store: Arc::new(MemoryStore::new()), _keep: Box::new(()) }
    }

    suite!(fixture);

    #[tokio::test]
    async fn a_fault_says_what_was_kept() {
        let a = tenant("a");
        let cases = [
            (Fault::Refused, 0),
            (Fault::Full, 0),
            (Fault::Fatal, 0),
            (Fault::UnknownLost, 0),
            (Fault::UnknownKept, 1),
        ];
        for (fault, kept) in cases {
            let store = MemoryStore::new();
            let epoch = store.open(&a).await.unwrap().epoch;
            store.inject(move |op| if op == Op::Commit { fault } else { Fault::None });
            let error = store.commit(&one(&a, epoch, rows([1]))).await.unwrap_err();
            let fits = match fault {
                Fault::None => false,
                Fault::Refused => matches!(error, Error::Refused(_)),
                Fault::Full => matches!(error, Error::Full),
                Fault::Fatal => matches!(error, Error::Fatal(_)),
                Fault::Unreachable => matches!(error, Error::Unreachable(_)),
                Fault::UnknownLost | Fault::UnknownKept => matches!(error, Error::Unknown(_)),
            };
            assert!(fits, "{fault:?} gave {error}");
            store.heal();
            assert_eq!(store.open(&a).await.unwrap().head, Seq(kept), "{fault:?}");
        }
    }

    #[tokio::test]
    async fn a_restart_finds_what_was_kept_and_no_more() {
        let a = tenant("a");
        let store = MemoryStore::new();
        let epoch = store.open(&a).await.unwrap().epoch;
        store.commit(&one(&a, epoch, rows([1]))).await.unwrap();
        let after_crash = store.clone();
        store.commit(&one(&a, epoch, rows([2]))).await.unwrap();
        assert_eq!(after_crash.open(&a).await.unwrap().head, Seq(1));
        assert_eq!(store.read(&a, Seq(0), 10).await.unwrap().len(), 2);
    }
}
