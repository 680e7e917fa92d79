//! Feeds connectors: look-ups and pops, the delivery table, retries, breaker, dead letters. Knows the trait of
//! connectors and no vendor.
//!
//! Each connection of a tenant is a [`Lane`] of its own, so that one CRM that is down, slow or limiting delays only
//! itself (D8). Pops and look-ups follow the journal in process; logs go through the delivery table.

mod account;
mod asking;
mod engines;
mod gate;
mod ledger;
mod logs;
mod lookups;
mod pops;

pub use engines::Engines;
pub use lookups::Situation;

use crate::bus::Feed;
use crate::drive;
use crate::journal::Store;
use crate::settings;
use async_trait::async_trait;
use futures::FutureExt;
use gate::Gate;
use serde::{Deserialize, Serialize};
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tieline_connector_api::Connector;
use tieline_model::crm::{ConnectionInfo, PopTarget};
use tieline_model::{Actor, AgentId, Clock, Code, Command, CommandId, InteractionId, Seq, TenantId, Wish};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// A record to open before an agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pop {
    /// At whom.
    pub agent: AgentId,
    /// For which interaction.
    pub interaction: InteractionId,
    /// From which CRM.
    pub connection: tieline_model::ConnectionId,
    /// What to open.
    pub target: PopTarget,
    /// What it shows, for the link that stands in when the host cannot pop.
    pub title: String,
    /// Of the tenant's connections, this one pops at an agent who stands in no CRM's page (D0).
    pub leads: bool,
    /// The CRM itself can open it, where no panel of the agent stands in its page.
    pub pushes: bool,
}

/// Where a pop was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shown {
    /// Opened on a panel in the CRM's own page.
    InPage,
    /// As a link on a panel.
    AsLink,
    /// On no panel, and on none from now on: the CRM is to open it ([`Pop::pushes`]).
    ByTheCrm,
    /// Nowhere; it waits for a panel that may show it.
    NotYet,
}

/// Whoever brings pops to agents' panels.
#[async_trait]
pub trait Pops: Send + Sync {
    /// Opens it on one surface of the agent, now or when a panel connects, until the agent no longer has the
    /// interaction (D3). A pop that is said again, because it leads by now, is not opened twice.
    async fn pop(&self, tenant: &TenantId, pop: Pop) -> Shown;

    /// The CRM did not open a pop that was [`Shown::ByTheCrm`]: a panel may show it after all.
    async fn not_pushed(&self, tenant: &TenantId, pop: &Pop);
}

/// Where jitter comes from: a number from 0 up to, not including, 1.
pub type Chance = Arc<dyn Fn() -> f64 + Send + Sync>;

/// What a lane did so far, for metrics.
#[derive(Debug, Default)]
pub struct Counts {
    /// Look-ups answered.
    pub lookups: AtomicU64,
    /// Look-ups that failed or came too late.
    pub lookups_failed: AtomicU64,
    /// Pops handed to a panel.
    pub pops: AtomicU64,
    /// Records that the CRM opened at an agent by itself.
    pub pushes: AtomicU64,
    /// Records that the CRM was asked to open, and did not.
    pub pushes_failed: AtomicU64,
    /// Logs the CRM took.
    pub logs_saved: AtomicU64,
    /// Logs that were put off.
    pub logs_delayed: AtomicU64,
    /// Logs that went to the dead letters.
    pub logs_dead: AtomicU64,
}

impl Counts {
    fn add(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// A connection's request budget (D13).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Budget {
    /// Requests that may be made at once now, with the part of one that has come back already.
    pub left: f64,
    /// Requests that may be made at once when none was made for a while.
    pub burst: u32,
    /// Requests that come back in a second.
    pub per_second: u32,
}

/// What a lane is made from.
pub struct Parts {
    /// Which contact centre.
    pub tenant: TenantId,
    /// Which connection.
    pub info: ConnectionInfo,
    /// The centre's own numbers; they match nobody (E2).
    pub own_numbers: Vec<String>,
    /// What speaks to the CRM.
    pub connector: Arc<dyn Connector>,
    /// The journal.
    pub store: Arc<dyn Store>,
    /// The engines, wherever they are.
    pub engines: Arc<dyn Engines>,
    /// Whoever brings pops to panels.
    pub pops: Arc<dyn Pops>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Patience, with this connection's own budget.
    pub settings: settings::Dispatch,
    /// Jitter.
    pub chance: Chance,
}

/// One connection of one tenant at work.
pub struct Lane {
    parts: Parts,
    gate: Mutex<Gate>,
    counts: Counts,
}

/// How long to wait before telling the engines again when their mailbox is full.
const TELL_AGAIN: Duration = Duration::from_millis(200);
/// How long it is told again while the journal takes no commits; a database that is started again is back by then.
const TELL_FOR: Duration = Duration::from_secs(60);
/// Pause before a lane goes on after a panic.
const START_AGAIN: Duration = Duration::from_secs(1);

impl Lane {
    /// A lane that has not started.
    #[must_use]
    pub fn new(parts: Parts) -> Arc<Self> {
        let gate = Mutex::new(Gate::new(&parts.settings, parts.clock.now()));
        Arc::new(Self { parts, gate, counts: Counts::default() })
    }

    /// Works until `stop`. What is under way then is finished or, if the process is killed, taken up at the next
    /// start. A defect that ends half of it in a panic costs a pause: logs are taken up from the table, and pops from
    /// what the engine has open, as after a start.
    pub async fn run(self: Arc<Self>, feed: Feed, stop: CancellationToken) {
        let mut heard = logs::Heard { feed, reach: Seq(0) };
        let lookups =
            async { while self.ended_badly(lookups::run(self.clone(), stop.clone()), &stop).await {} };
        let logs = async {
            while self.ended_badly(logs::run(self.clone(), &mut heard, stop.clone()), &stop).await {}
        };
        tokio::join!(lookups, logs);
    }

    /// True if it ended in a panic and is to be started again.
    async fn ended_badly(&self, work: impl Future<Output = ()>, stop: &CancellationToken) -> bool {
        if AssertUnwindSafe(work).catch_unwind().await.is_ok() {
            return false;
        }
        tracing::error!(connection = %self.parts.info.id, "a connection's work ended in a panic; it starts again");
        tokio::select! {
            () = stop.cancelled() => false,
            () = tokio::time::sleep(START_AGAIN) => true,
        }
    }

    /// What it did so far.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Which connection.
    #[must_use]
    pub fn info(&self) -> &ConnectionInfo {
        &self.parts.info
    }

    /// Which contact centre.
    #[must_use]
    pub fn tenant(&self) -> &TenantId {
        &self.parts.tenant
    }

    /// What is left of the request budget.
    #[must_use]
    pub fn budget(&self) -> Budget {
        let settings = &self.parts.settings;
        let left = self.gate().left(self.parts.clock.now());
        Budget { left, burst: settings.budget_burst, per_second: settings.budget_per_second }
    }

    /// Why nothing is sent to the CRM at present, in words; `None` when all is well.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        self.gate().closed(self.parts.clock.now()).map(|(_, reason)| reason)
    }

    fn gate(&self) -> std::sync::MutexGuard<'_, Gate> {
        self.gate.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Tells the engine what the CRM said; tries again while the daemon is busy, and for a while when its journal is
    /// away or full.
    async fn tell(&self, wish: Wish, content: Vec<crate::journal::NewContent>) {
        let Ok(id) = CommandId::new(Uuid::now_v7().to_string()) else { return };
        let by = Actor::Connection { connection: self.parts.info.id.clone() };
        let mut request = drive::Request::new(self.parts.tenant.clone(), Command { id, by, wish });
        request.content = content;
        let give_up = Instant::now() + TELL_FOR;
        loop {
            let answer = self.parts.engines.submit(request.clone()).await;
            let passes = |code| {
                code == Code::Busy
                    || matches!(code, Code::Unavailable | Code::Full) && Instant::now() < give_up
            };
            match answer {
                Ok(()) => return,
                Err(refusal) if passes(refusal.code) => tokio::time::sleep(TELL_AGAIN).await,
                Err(refusal) => {
                    tracing::warn!(connection = %self.parts.info.id, %refusal, "a CRM's answer was not taken");
                    return;
                }
            }
        }
    }
}
