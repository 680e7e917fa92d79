//! The engine of a lane's contact centre, as the lane sees it: in this process, or at another replica.

use super::lookups::{Situation, open_now, situation};
use crate::drive;
use async_trait::async_trait;
use tieline_model::policy::TenantPolicy;
use tieline_model::{Code, ConnectionId, InteractionId, Refusal, Seq, TenantId};

/// What a lane asks of engines. Every one of them can be refused as `not_found` when nobody has the tenant or ever
/// will again for this lane, and as `unavailable` while it moves from one owner to another.
#[async_trait]
pub trait Engines: Send + Sync {
    /// Hands a command in and waits until it is durable or refused.
    async fn submit(&self, request: drive::Request) -> Result<(), Refusal>;

    /// The head of the tenant's journal, and the interactions that an agent is being asked about there.
    async fn open_now(&self, tenant: &TenantId) -> Result<(Seq, Vec<InteractionId>), Refusal>;

    /// Where an interaction stands, for one connection; `None` when it is over.
    async fn situation(
        &self,
        tenant: &TenantId,
        interaction: InteractionId,
        connection: &ConnectionId,
    ) -> Result<Option<Situation>, Refusal>;

    /// What is in force.
    async fn policy(&self, tenant: &TenantId) -> Result<TenantPolicy, Refusal>;

    /// Waits until the head of the tenant's journal is beyond this, and says where it is.
    async fn beyond(&self, tenant: &TenantId, seq: Seq) -> Result<Seq, Refusal>;
}

/// In this process.
#[async_trait]
impl Engines for drive::Handle {
    async fn submit(&self, request: drive::Request) -> Result<(), Refusal> {
        drive::Handle::submit(self, request).await.map(drop)
    }

    async fn open_now(&self, tenant: &TenantId) -> Result<(Seq, Vec<InteractionId>), Refusal> {
        let head = self.head(tenant).ok_or_else(gone)?;
        let open = self.read(tenant, |engine| (engine.seq(), open_now(engine))).await;
        // Away for a moment; a tenant that has gone takes its head with it.
        open.map_err(|refusal| if head.has_changed().is_err() { gone() } else { refusal })
    }

    async fn situation(
        &self,
        tenant: &TenantId,
        interaction: InteractionId,
        connection: &ConnectionId,
    ) -> Result<Option<Situation>, Refusal> {
        let own = connection.clone();
        self.read(tenant, move |engine| situation(engine, interaction, &own)).await
    }

    async fn policy(&self, tenant: &TenantId) -> Result<TenantPolicy, Refusal> {
        self.read(tenant, |engine| engine.policy().clone()).await
    }

    async fn beyond(&self, tenant: &TenantId, seq: Seq) -> Result<Seq, Refusal> {
        let mut head = self.head(tenant).ok_or_else(gone)?;
        head.wait_for(|head| *head > seq).await.map(|head| *head).map_err(|_| gone())
    }
}

fn gone() -> Refusal {
    Refusal::new(Code::NotFound, "the engine of this contact centre is not here any more")
}
