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
use std::collections::BTreeSet;
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
    /// Hands a tenant's commands in, to be carried out in this order and by one commit, and waits until each is
    /// durable or refused.
    async fn submit_all(&self, requests: Vec<Request>) -> Vec<Result<Done, Refusal>>;
    /// The head of a tenant's journal; moves after each commit. `None` where this process does not serve it, closed
    /// when it no longer does.
    fn head(&self, tenant: &TenantId) -> Option<watch::Receiver<Seq>>;
    /// The tenants that this process serves, now and whenever they change.
    fn owned(&self) -> watch::Receiver<Arc<BTreeSet<TenantId>>>;
    /// No other process has a part of this journal's tenants.
    fn alone(&self) -> bool;
}

#[async_trait]
impl Engines for drive::Handle {
    async fn submit_all(&self, requests: Vec<Request>) -> Vec<Result<Done, Refusal>> {
        Self::submit_all(self, requests).await
    }
    fn head(&self, tenant: &TenantId) -> Option<watch::Receiver<Seq>> {
        Self::head(self, tenant)
    }
    fn owned(&self) -> watch::Receiver<Arc<BTreeSet<TenantId>>> {
        Self::owned(self)
    }
    fn alone(&self) -> bool {
        self.picture().borrow().replicas.len() <= 1
    }
}

/// Whose queues and bindings the broker must have: those of all contact centres of the settings, whichever process
/// serves them now.
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
    /// The CRM connections of all its contact centres, each with a broker queue of its own.
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
    /// The bus stops.
    stop: CancellationToken,
}

/// A bus at work. Dropping it stops it at once; [`Running::shutdown`] lets it finish.
pub struct Running {
    shared: Arc<Shared>,
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
        stop: CancellationToken::new(),
        wiring,
    });
    let task = match kind {
        BusKind::Embedded => None,
        BusKind::Rabbitmq => Some(tokio::spawn(rabbit::supervise(shared.clone()))),
    };
    Running { shared, task }
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

    /// What gives dispatchers their feeds.
    #[must_use]
    pub fn feeds(&self) -> Feeds {
        Feeds(self.shared.clone())
    }

    /// As [`Feeds::log_wanted`].
    #[must_use]
    pub fn log_wanted(&self, tenant: &TenantId, connection: &ConnectionId) -> Option<Feed> {
        self.feeds().log_wanted(tenant, connection)
    }

    /// Stops taking messages, settles what is in hand, publishes what is committed, and closes. Takes at most about
    /// ten seconds; what was not finished is done after the next start.
    pub async fn shutdown(mut self) {
        self.shared.stop.cancel();
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
    /// What tells a connection's dispatcher how far to read the journal for logs. The tenant may be served by this
    /// process now, later, or never: the feed follows it. `None` for one that the settings do not know.
    #[must_use]
    pub fn log_wanted(&self, tenant: &TenantId, connection: &ConnectionId) -> Option<Feed> {
        let known = self.0.wiring.intake.knows(tenant);
        known.then(|| Feed::new(self.0.clone(), (tenant.clone(), connection.clone())))
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
        self.shared.stop.cancel();
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}
