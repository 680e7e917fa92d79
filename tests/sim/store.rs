//! The journal's store, made unreliable: slow, refusing, leaving commits unknown, tearing snapshots, and dying at any
//! step. What is in the store underneath is what a disk would hold.

use super::chance::Chance;
use super::planted::{Count, Plant};
use super::watch::Shared;
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::future::pending;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tieline::journal::{
    Backlog, Commit, Delivery, Epoch, Error, Handle, Opened, Reader, Recorded, Remembered, Snapshot, Store,
    Want,
};
use tieline::journal::{MemoryStore, Op};
use tieline_model::content::Content;
use tieline_model::{
    CommandId, ConnectionId, ContentId, ConversationId, InteractionId, Seq, TenantId, Timestamp,
};
use tokio::sync::Notify;
use tokio::time::Instant;

const OPS: [Op; 10] = [
    Op::Open,
    Op::Commit,
    Op::Heartbeat,
    Op::Snapshot,
    Op::MoveCursor,
    Op::Want,
    Op::Settle,
    Op::Revive,
    Op::Erase,
    Op::Forget,
];

/// Reads at one and the same moment that show that somebody goes round in circles.
const READS_AT_ONCE_MAX: u64 = 20_000;

/// Who decides what fails.
#[derive(Clone)]
pub enum Faults {
    /// The dice.
    Dice,
    /// One step out of all that change something, counted over all processes; nothing else fails.
    At {
        /// Which, from 0.
        step: u64,
        /// How.
        fate: Fate,
    },
}

/// Counts the steps of one simulation.
pub type Steps = Arc<AtomicU64>;

/// A store that fails as the dice fall.
pub struct Shaky {
    pub disk: Arc<MemoryStore>,
    faults: Faults,
    steps: Steps,
    plant: Option<Plant>,
    /// What planted faults keep back, count, and know of other processes.
    pub held: Mutex<Vec<Commit>>,
    pub count: Count,
    pub newest: Arc<Mutex<Option<Epoch>>>,
    chance: Chance,
    /// Dice per kind of operation, and one for how slow reading is.
    writes: BTreeMap<Op, Chance>,
    began: Instant,
    /// How often it was read at the moment.
    reads: Mutex<(Instant, u64)>,
    seen: Shared,
    /// The process dies; whoever asked never gets an answer.
    pub dies: Arc<Notify>,
}

/// How a step ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Well,
    Dies { kept: bool },
    Unknown { kept: bool },
    Refused,
    Full,
    Fatal,
}

/// Every way in which a step can go wrong.
pub const FATES: [Fate; 7] = [
    Fate::Dies { kept: false },
    Fate::Dies { kept: true },
    Fate::Unknown { kept: false },
    Fate::Unknown { kept: true },
    Fate::Refused,
    Fate::Full,
    Fate::Fatal,
];

impl Shaky {
    pub fn new(
        disk: Arc<MemoryStore>,
        chance: &Chance,
        began: Instant,
        (faults, steps): (Faults, Steps),
        (plant, newest): (Option<Plant>, Arc<Mutex<Option<Epoch>>>),
        seen: Shared,
    ) -> Arc<Self> {
        let writes = OPS.iter().map(|op| (*op, chance.of(&format!("{op:?}")))).collect();
        Arc::new(Self {
            disk,
            faults,
            steps,
            plant,
            held: Mutex::default(),
            count: Count::default(),
            newest,
            chance: chance.of("reading"),
            writes,
            began,
            reads: Mutex::new((began, 0)),
            seen,
            dies: Arc::new(Notify::new()),
        })
    }

    /// By the moment, not by the dice: several read at the same moment, in no fixed order.
    async fn slow(&self) {
        self.count_read();
        let moment = u64::try_from(self.began.elapsed().as_millis()).unwrap();
        if self.chance.on(moment, 4) == 0 {
            tokio::time::sleep(Duration::from_millis(self.chance.on(moment ^ 0x55, 25))).await;
        }
    }

    /// Whoever reads without end while time stands still would never let it go on.
    fn count_read(&self) {
        let mut reads = self.reads.lock().unwrap();
        let now = Instant::now();
        *reads = if reads.0 == now { (now, reads.1 + 1) } else { (now, 1) };
        if reads.1 > READS_AT_ONCE_MAX {
            let text = format!("{} reads at one moment", reads.1);
            self.seen.lock().unwrap().wrong(text.clone());
            panic!("{text}");
        }
    }

    fn fate(&self, op: Op) -> Fate {
        let chance = &self.writes[&op];
        if chance.calm() {
            return Fate::Well;
        }
        let step = self.steps.fetch_add(1, Ordering::Relaxed);
        match &self.faults {
            Faults::Dice => {}
            Faults::At { step: at, fate } if *at == step => return *fate,
            Faults::At { .. } => return Fate::Well,
        }
        match chance.below(1_200) {
            0..=2 => Fate::Dies { kept: false },
            3..=5 => Fate::Dies { kept: true },
            6..=9 => Fate::Unknown { kept: false },
            10..=13 => Fate::Unknown { kept: true },
            14..=16 => Fate::Refused,
            17 => Fate::Full,
            18 => Fate::Fatal,
            _ => Fate::Well,
        }
    }

    async fn write<T>(&self, op: Op, write: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        self.slow().await;
        let text = || "the simulator's doing".to_owned();
        match self.fate(op) {
            Fate::Well => write.await,
            Fate::Dies { kept } => {
                if kept {
                    write.await?;
                }
                self.dies.notify_one();
                pending().await
            }
            Fate::Unknown { kept } => {
                if kept {
                    write.await?;
                }
                Err(Error::Unknown(text()))
            }
            Fate::Refused => Err(Error::Refused(text())),
            Fate::Full => Err(Error::Full),
            Fate::Fatal => Err(Error::Fatal(text())),
        }
    }
}

#[async_trait]
impl Store for Shaky {
    async fn open(&self, tenant: &TenantId) -> Result<Opened, Error> {
        let opened = self.write(Op::Open, self.disk.open(tenant)).await?;
        *self.newest.lock().unwrap() = Some(opened.epoch);
        Ok(match &self.plant {
            Some(plant) => plant.opened(opened),
            None => opened,
        })
    }

    async fn commit(&self, commit: &Commit) -> Result<(), Error> {
        let commit = match &self.plant {
            Some(plant) => &plant.commit(self, commit),
            None => commit,
        };
        if commit.is_empty() {
            return Ok(());
        }
        self.write(Op::Commit, self.disk.commit(commit)).await
    }

    async fn read(&self, tenant: &TenantId, after: Seq, limit: u32) -> Result<Vec<Recorded>, Error> {
        self.slow().await;
        self.disk.read(tenant, after, limit).await
    }

    async fn read_interaction(&self, tenant: &TenantId, id: InteractionId) -> Result<Vec<Recorded>, Error> {
        self.slow().await;
        let mut rows = self.disk.read_interaction(tenant, id).await?;
        if self.plant == Some(Plant::RowsReordered) {
            rows[1..].reverse();
        }
        Ok(rows)
    }

    async fn content(
        &self,
        tenant: &TenantId,
        ids: &[ContentId],
    ) -> Result<Vec<(ContentId, Content)>, Error> {
        self.disk.content(tenant, ids).await
    }

    async fn remembered(
        &self,
        tenant: &TenantId,
        caller: &str,
        id: &CommandId,
    ) -> Result<Option<Remembered>, Error> {
        self.slow().await;
        self.disk.remembered(tenant, caller, id).await
    }

    async fn conversations(
        &self,
        tenant: &TenantId,
        by: &Handle,
        limit: u32,
    ) -> Result<Vec<ConversationId>, Error> {
        self.disk.conversations(tenant, by, limit).await
    }

    async fn heartbeat(&self, tenant: &TenantId, epoch: Epoch, at: Timestamp) -> Result<(), Error> {
        self.write(Op::Heartbeat, self.disk.heartbeat(tenant, epoch, at)).await
    }

    /// Now and then it is torn: of another length than was written.
    async fn save_snapshot(&self, tenant: &TenantId, snapshot: &Snapshot) -> Result<(), Error> {
        let mut snapshot = Snapshot { seq: snapshot.seq, body: snapshot.body.clone() };
        if !self.chance.calm() && self.writes[&Op::Snapshot].one_in(4) {
            let left = self.writes[&Op::Snapshot].below(snapshot.body.len() as u64);
            snapshot.body.truncate(usize::try_from(left).unwrap());
        }
        self.write(Op::Snapshot, self.disk.save_snapshot(tenant, &snapshot)).await
    }

    async fn cursor(&self, tenant: &TenantId, reader: &Reader) -> Result<Seq, Error> {
        self.slow().await;
        self.disk.cursor(tenant, reader).await
    }

    async fn move_cursor(&self, tenant: &TenantId, reader: &Reader, to: Seq) -> Result<(), Error> {
        self.write(Op::MoveCursor, self.disk.move_cursor(tenant, reader, to)).await
    }

    async fn want(&self, tenant: &TenantId, wants: &[Want], reader: &Reader, to: Seq) -> Result<(), Error> {
        let wants = if self.plant == Some(Plant::WantLost) { &wants[..wants.len() / 2] } else { wants };
        self.write(Op::Want, self.disk.want(tenant, wants, reader, to)).await
    }

    async fn due(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<Delivery>, Error> {
        self.slow().await;
        self.disk.due(tenant, connection, now, limit).await
    }

    async fn next_due(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
    ) -> Result<Option<Timestamp>, Error> {
        self.disk.next_due(tenant, connection).await
    }

    async fn delivery(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
        interaction: InteractionId,
    ) -> Result<Option<Delivery>, Error> {
        self.disk.delivery(tenant, connection, interaction).await
    }

    async fn settle(&self, tenant: &TenantId, delivery: &Delivery) -> Result<(), Error> {
        let mut delivery = delivery.clone();
        if self.plant == Some(Plant::ProgressForgotten) {
            tieline::journal::NO_PROGRESS.clone_into(&mut delivery.progress);
        }
        self.write(Op::Settle, self.disk.settle(tenant, &delivery)).await
    }

    async fn dead(&self, tenant: &TenantId, limit: u32) -> Result<Vec<Delivery>, Error> {
        self.disk.dead(tenant, limit).await
    }

    async fn backlog(&self, tenant: &TenantId) -> Result<BTreeMap<ConnectionId, Backlog>, Error> {
        self.disk.backlog(tenant).await
    }

    async fn revive(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
        interaction: InteractionId,
        now: Timestamp,
    ) -> Result<bool, Error> {
        self.write(Op::Revive, self.disk.revive(tenant, connection, interaction, now)).await
    }

    async fn erase(&self, tenant: &TenantId, conversation: ConversationId) -> Result<(), Error> {
        self.write(Op::Erase, self.disk.erase(tenant, conversation)).await
    }

    async fn forget_commands(&self, before: Timestamp) -> Result<u64, Error> {
        self.write(Op::Forget, self.disk.forget_commands(before)).await
    }
}
