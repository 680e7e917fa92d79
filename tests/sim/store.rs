//! The journal's store, made unreliable: slow, refusing, leaving commits unknown, and dying at any step. What is in the
//! store underneath is what a disk would hold.

use super::chance::Chance;
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::future::pending;
use std::sync::Arc;
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

/// A store that fails as the dice fall.
pub struct Shaky {
    pub disk: Arc<MemoryStore>,
    chance: Chance,
    /// Dice per kind of operation, and one for how slow reading is.
    writes: BTreeMap<Op, Chance>,
    began: Instant,
    /// The process dies; whoever asked never gets an answer.
    pub dies: Arc<Notify>,
}

enum Fate {
    Well,
    Dies { kept: bool },
    Unknown { kept: bool },
    Refused,
    Full,
    Fatal,
}

impl Shaky {
    pub fn new(disk: Arc<MemoryStore>, chance: &Chance, began: Instant) -> Arc<Self> {
        let writes = OPS.iter().map(|op| (*op, chance.of(&format!("{op:?}")))).collect();
        let dies = Arc::new(Notify::new());
        Arc::new(Self { disk, chance: chance.of("reading"), writes, began, dies })
    }

    /// By the moment, not by the dice: several read at the same moment, in no fixed order.
    async fn slow(&self) {
        let moment = u64::try_from(self.began.elapsed().as_millis()).unwrap();
        if self.chance.on(moment, 4) == 0 {
            tokio::time::sleep(Duration::from_millis(self.chance.on(moment ^ 0x55, 25))).await;
        }
    }

    fn fate(&self, op: Op) -> Fate {
        let chance = &self.writes[&op];
        if chance.calm() {
            return Fate::Well;
        }
        match chance.below(1_500) {
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
        self.write(Op::Open, self.disk.open(tenant)).await
    }

    async fn commit(&self, commit: &Commit) -> Result<(), Error> {
        self.write(Op::Commit, self.disk.commit(commit)).await
    }

    async fn read(&self, tenant: &TenantId, after: Seq, limit: u32) -> Result<Vec<Recorded>, Error> {
        self.slow().await;
        self.disk.read(tenant, after, limit).await
    }

    async fn read_interaction(&self, tenant: &TenantId, id: InteractionId) -> Result<Vec<Recorded>, Error> {
        self.slow().await;
        self.disk.read_interaction(tenant, id).await
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

    async fn save_snapshot(&self, tenant: &TenantId, snapshot: &Snapshot) -> Result<(), Error> {
        self.write(Op::Snapshot, self.disk.save_snapshot(tenant, snapshot)).await
    }

    async fn cursor(&self, tenant: &TenantId, reader: &Reader) -> Result<Seq, Error> {
        self.slow().await;
        self.disk.cursor(tenant, reader).await
    }

    async fn move_cursor(&self, tenant: &TenantId, reader: &Reader, to: Seq) -> Result<(), Error> {
        self.write(Op::MoveCursor, self.disk.move_cursor(tenant, reader, to)).await
    }

    async fn want(&self, tenant: &TenantId, wants: &[Want], reader: &Reader, to: Seq) -> Result<(), Error> {
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
        self.write(Op::Settle, self.disk.settle(tenant, delivery)).await
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
