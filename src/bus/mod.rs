//! How events leave the process and how producers' messages enter it: embedded (over the journal's cursors, nothing
//! beside it) or RabbitMQ. The only room that names lapin.
//!
//! A broker that is down or blocked stops neither chats nor pops nor logs: the journal is the truth, this room only
//! carries.

mod feed;
mod health;
mod intake;
mod outgoing;
mod rabbit;
mod seal;

use crate::drive::{self, Done, Request};
use crate::journal::Store;
use crate::settings::{self, BusKind};
use async_trait::async_trait;
use feed::Wanted;
use health::{Counters, Pulse};
use std::sync::Arc;
use tieline_connector_api::Finding;
use tieline_model::{ConnectionId, Refusal, Seq, TenantId};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use feed::Feed;
pub use health::{Counts, Health, State};
pub use intake::{
    AGENT_BYTES_MAX, AGENTS_MAX, BODY_BYTES_MAX, Intake, NUMBER_BYTES_MAX, Rejected, SOURCE_BYTES_MAX,
};
pub use seal::{Broken, Seal};

/// What the bus needs of the engines' owner; [`drive::Handle`] is it, a simulator may be.
#[async_trait]
pub trait Engines: Send + Sync + 'static {
    /// Hands a command in and waits until it is durable or refused.
    async fn submit(&self, request: Request) -> Result<Done, Refusal>;
    /// The head of a tenant's journal; moves after each commit.
    fn head(&self, tenant: &TenantId) -> Option<watch::Receiver<Seq>>;
    /// The tenants of this process.
    fn tenants(&self) -> Vec<TenantId>;
}

#[async_trait]
impl Engines for drive::Handle {
    async fn submit(&self, request: Request) -> Result<Done, Refusal> {
        Self::submit(self, request).await
    }
    fn head(&self, tenant: &TenantId) -> Option<watch::Receiver<Seq>> {
        Self::head(self, tenant)
    }
    fn tenants(&self) -> Vec<TenantId> {
        Self::tenants(self)
    }
}

/// Whose queues and bindings the broker must have.
pub struct Connections {
    /// Contact centres.
    pub tenants: Vec<TenantId>,
    /// Their CRM connections.
    pub connections: Vec<(TenantId, ConnectionId)>,
}

/// Connects to the broker and declares there what the daemon would, so that address, rights and a topology that does
/// not fit show before the daemon starts. `None` where there is no broker to ask.
pub async fn check(settings: &settings::Bus, of: &Connections) -> Option<Finding> {
    match settings.kind {
        BusKind::Embedded => None,
        BusKind::Rabbitmq => Some(rabbit::check(settings, of).await),
    }
}

/// What the bus is wired to.
pub struct Wiring {
    /// Section `bus`.
    pub settings: settings::Bus,
    /// The journal, read by cursor.
    pub store: Arc<dyn Store>,
    /// Where messages of producers go.
    pub engines: Arc<dyn Engines>,
    /// How messages of producers are read.
    pub intake: Intake,
    /// The CRM connections, each with a broker queue of its own.
    pub connections: Vec<(TenantId, ConnectionId)>,
    /// What keeps parked messages unreadable.
    pub seal: Seal,
}

/// What every part of the bus shares.
struct Shared {
    wiring: Wiring,
    wanted: Wanted,
    pulse: Pulse,
    counters: Counters,
}

/// A bus at work. Dropping it stops it at once; [`Running::shutdown`] lets it finish.
pub struct Running {
    shared: Arc<Shared>,
    stop: CancellationToken,
    task: Option<JoinHandle<()>>,
}

/// Starts the bus. It returns at once: a broker that is not there is tried for ever, and [`Running::health`] says so.
#[must_use]
pub fn start(wiring: Wiring) -> Running {
    let kind = wiring.settings.kind;
    let shared = Arc::new(Shared {
        wanted: Wanted::new(wiring.connections.iter().cloned()),
        pulse: Pulse::new(kind),
        counters: Counters::default(),
        wiring,
    });
    let stop = CancellationToken::new();
    let task = match kind {
        BusKind::Embedded => None,
        BusKind::Rabbitmq => Some(tokio::spawn(rabbit::supervise(shared.clone(), stop.clone()))),
    };
    Running { shared, stop, task }
}

impl Running {
    /// Health and counts, for metrics.
    #[must_use]
    pub fn meter(&self) -> Meter {
        Meter(self.shared.clone())
    }

    /// Whether messages move, and if not, why.
    #[must_use]
    pub fn health(&self) -> Health {
        self.shared.pulse.health()
    }

    /// Announces changes of [`Running::health`] (not of its times).
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Health> {
        self.shared.pulse.subscribe()
    }

    /// How many messages did what, for the metrics.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.shared.counters.read()
    }

    /// As [`Feeds::log_wanted`].
    #[must_use]
    pub fn log_wanted(&self, tenant: &TenantId, connection: &ConnectionId) -> Option<Feed> {
        self.feeds().log_wanted(tenant, connection)
    }

    /// What gives dispatchers their feeds.
    #[must_use]
    pub fn feeds(&self) -> Feeds {
        Feeds(self.shared.clone())
    }

    /// Stops taking messages, settles what is in hand, publishes what is committed, and closes. Takes at most about
    /// ten seconds; what was not finished is done after the next start.
    pub async fn shutdown(mut self) {
        self.stop.cancel();
        if let Some(task) = self.task.take()
            && let Err(error) = task.await
            && error.is_panic()
        {
            tracing::error!("the bus ended in a panic; what it had in hand is done after the next start");
        }
    }
}

/// Gives dispatchers their feeds, as long as the bus runs and after.
#[derive(Clone)]
pub struct Feeds(Arc<Shared>);

impl Feeds {
    /// What tells a connection's dispatcher how far to read the journal for logs. `None` for a tenant that this
    /// process does not own.
    #[must_use]
    pub fn log_wanted(&self, tenant: &TenantId, connection: &ConnectionId) -> Option<Feed> {
        let head = self.0.wiring.engines.head(tenant)?;
        let wanted = self.0.wanted.subscribe(&(tenant.clone(), connection.clone()));
        Some(Feed::new(wanted, head, self.0.pulse.subscribe()))
    }
}

/// Reads health and counts after the bus itself has been handed on.
#[derive(Clone)]
pub struct Meter(Arc<Shared>);

impl Meter {
    /// Whether messages move, and if not, why.
    #[must_use]
    pub fn health(&self) -> Health {
        self.0.pulse.health()
    }

    /// How many messages did what.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.0.counters.read()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}
