//! Tells a connection's dispatcher how far it should read the journal for logs.

use super::Shared;
use super::health::Health;
use crate::settings::BusKind;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tieline_model::{ConnectionId, Seq, TenantId};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// While the broker moves messages, a head that its queue has not brought after this is taken from the journal: a
/// queue that lost its binding, events that the queue is not bound to, or another process that read them, because
/// connections of the same name share a queue.
const PATIENCE: Duration = Duration::from_secs(5);
/// The same where several processes share the journal, and so the queues.
const PATIENCE_AMONG_OTHERS: Duration = Duration::from_secs(1);
/// How often the journal is looked at for a tenant that another process serves.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Rows looked at in one go.
const LOOK: u32 = 256;

/// One connection of one tenant.
pub(crate) type Address = (TenantId, ConnectionId);

/// What the broker's queues said, per connection.
#[derive(Debug)]
pub(crate) struct Wanted {
    said: BTreeMap<Address, watch::Sender<Seq>>,
    /// Announces that somebody listens who did not before.
    listeners: watch::Sender<()>,
}

impl Wanted {
    pub(crate) fn new(connections: impl IntoIterator<Item = Address>) -> Self {
        let said = connections.into_iter().map(|address| (address, watch::Sender::new(Seq(0)))).collect();
        Self { said, listeners: watch::Sender::new(()) }
    }

    /// The broker brought this event for a connection.
    pub(crate) fn raise(&self, address: &Address, to: Seq) {
        if let Some(wanted) = self.said.get(address) {
            wanted.send_if_modified(|seq| {
                let raised = to > *seq;
                *seq = to.max(*seq);
                raised
            });
        }
    }

    pub(crate) fn subscribe(&self, address: &Address) -> watch::Receiver<Seq> {
        // A connection the bus does not know gets a closed channel, and so follows the journal's head.
        let wanted =
            self.said.get(address).map_or_else(|| watch::channel(Seq(0)).1, watch::Sender::subscribe);
        self.listeners.send_replace(());
        wanted
    }

    /// Connections to whose feeds somebody listens.
    pub(crate) fn listened(&self) -> impl Iterator<Item = &Address> {
        self.said.iter().filter(|(_, wanted)| wanted.receiver_count() > 0).map(|(address, _)| address)
    }

    /// Announces that somebody listens who did not before.
    pub(crate) fn listeners(&self) -> watch::Receiver<()> {
        self.listeners.subscribe()
    }
}

/// Says how far to read: by the connection's broker queue while messages move, by the journal's head otherwise. It
/// only ever raises, so hearing the same thing from both does no harm, and what was missed while nobody listened is
/// made up for at the first call.
///
/// It follows its tenant: served by this process, the head is at hand; served by another one, the journal is looked at
/// when the broker's queue says that there is something, and once a second.
pub struct Feed {
    shared: Arc<Shared>,
    address: Address,
    wanted: watch::Receiver<Seq>,
    /// While this process serves the tenant.
    head: Option<watch::Receiver<Seq>>,
    health: watch::Receiver<Health>,
    told: Seq,
    started: bool,
    /// Since when the head has been further than what was told.
    behind: Option<Instant>,
    /// When the journal of a tenant served elsewhere is looked at next.
    look_at: Instant,
}

impl std::fmt::Debug for Feed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Feed")
            .field("address", &self.address)
            .field("told", &self.told)
            .finish_non_exhaustive()
    }
}

impl Feed {
    pub(super) fn new(shared: Arc<Shared>, address: Address) -> Self {
        let (wanted, health) = (shared.wanted.subscribe(&address), shared.pulse.subscribe());
        let head = shared.wiring.engines.head(&address.0);
        let look_at = Instant::now();
        Self { shared, address, wanted, head, health, told: Seq(0), started: false, behind: None, look_at }
    }

    /// Waits until there is more to read, and says up to where. `None` when the bus has stopped and with it the
    /// engines.
    ///
    /// Safe to drop and call again.
    pub async fn next(&mut self) -> Option<Seq> {
        loop {
            let target = match self.head_at_hand() {
                Some(head) => self.target(head),
                None if self.shared.stop.is_cancelled() => return None,
                None => self.look().await,
            };
            if target > self.told {
                self.told = target;
                self.behind = None;
                return Some(target);
            }
            self.something().await;
        }
    }

    /// The head of the tenant's journal, if this process serves it.
    fn head_at_hand(&mut self) -> Option<Seq> {
        if self.head.as_ref().is_none_or(|head| head.has_changed().is_err()) {
            let head = self.shared.wiring.engines.head(&self.address.0);
            self.head = head.filter(|head| head.has_changed().is_ok());
        }
        self.head.as_mut().map(|head| *head.borrow_and_update())
    }

    fn target(&mut self, head: Seq) -> Seq {
        let wanted = (*self.wanted.borrow_and_update()).min(head);
        if !std::mem::replace(&mut self.started, true) || !self.queue_moves() {
            return head;
        }
        if head > self.told {
            let since = *self.behind.get_or_insert_with(Instant::now);
            if since.elapsed() >= self.patience() {
                return head;
            }
        }
        wanted
    }

    fn queue_moves(&mut self) -> bool {
        let health = self.health.borrow_and_update();
        health.kind == BusKind::Rabbitmq && health.moves()
    }

    fn patience(&self) -> Duration {
        if self.shared.wiring.engines.alone() { PATIENCE } else { PATIENCE_AMONG_OTHERS }
    }

    /// Looks at the journal of a tenant that another process serves.
    async fn look(&mut self) -> Seq {
        let said = *self.wanted.borrow_and_update();
        if said <= self.told && Instant::now() < self.look_at {
            return self.told;
        }
        let rows = self.shared.wiring.store.read(&self.address.0, self.told, LOOK).await;
        self.look_at = Instant::now() + LOOK_EVERY;
        match rows {
            Ok(rows) => rows.last().map_or(self.told, |row| row.seq),
            Err(error) => {
                tracing::debug!(tenant = %self.address.0, %error, "the journal cannot be looked at");
                self.told
            }
        }
    }

    /// Waits for anything that may change what is told.
    async fn something(&mut self) {
        let overdue = match &self.head {
            Some(_) => self.behind.map(|since| since + self.patience()),
            None => Some(self.look_at),
        };
        let mut owned = self.shared.wiring.engines.owned();
        let here = self.head.is_some();
        let stop = self.shared.stop.clone();
        let moved = async {
            match &mut self.head {
                // Closed, the tenant is served elsewhere or the engines have stopped.
                Some(head) => drop(head.changed().await),
                None => drop(owned.changed().await),
            }
        };
        tokio::select! {
            () = moved => {}
            Ok(()) = self.wanted.changed() => {}
            Ok(()) = self.health.changed() => {}
            () = stop.cancelled(), if !here => {}
            () = sleep_until(overdue.unwrap_or_else(Instant::now)), if overdue.is_some() => {}
        }
    }
}
