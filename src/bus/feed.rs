//! Tells a connection's dispatcher how far it should read the journal for logs.

use super::health::Health;
use std::collections::BTreeMap;
use std::time::Duration;
use tieline_model::{ConnectionId, Seq, TenantId};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// While the broker moves messages, a head that its queue has not brought after this is taken from the journal: a
/// queue that lost its binding, or events that the queue is not bound to.
const PATIENCE: Duration = Duration::from_secs(5);

/// One connection of one tenant.
pub(crate) type Address = (TenantId, ConnectionId);

/// What the broker's queues said, per connection.
#[derive(Debug, Default)]
pub(crate) struct Wanted(BTreeMap<Address, watch::Sender<Seq>>);

impl Wanted {
    pub(crate) fn new(connections: impl IntoIterator<Item = Address>) -> Self {
        Self(connections.into_iter().map(|address| (address, watch::Sender::new(Seq(0)))).collect())
    }

    /// The broker brought this event for a connection.
    pub(crate) fn raise(&self, address: &Address, to: Seq) {
        if let Some(wanted) = self.0.get(address) {
            wanted.send_if_modified(|seq| {
                let raised = to > *seq;
                *seq = to.max(*seq);
                raised
            });
        }
    }

    pub(crate) fn subscribe(&self, address: &Address) -> watch::Receiver<Seq> {
        // A connection the bus does not know gets a closed channel, and so follows the journal's head.
        self.0.get(address).map_or_else(|| watch::channel(Seq(0)).1, watch::Sender::subscribe)
    }
}

/// Says how far to read: by the connection's broker queue while messages move, by the journal's head otherwise. It
/// only ever raises, so hearing the same thing from both does no harm, and what was missed while nobody listened is
/// made up for at the first call.
#[derive(Debug)]
pub struct Feed {
    wanted: watch::Receiver<Seq>,
    head: watch::Receiver<Seq>,
    health: watch::Receiver<Health>,
    told: Seq,
    started: bool,
    /// Since when the head has been further than what was told.
    behind: Option<Instant>,
}

impl Feed {
    pub(crate) fn new(
        wanted: watch::Receiver<Seq>,
        head: watch::Receiver<Seq>,
        health: watch::Receiver<Health>,
    ) -> Self {
        Self { wanted, head, health, told: Seq(0), started: false, behind: None }
    }

    /// Waits until there is more to read, and says up to where. `None` when the engines have stopped.
    ///
    /// Safe to drop and call again.
    pub async fn next(&mut self) -> Option<Seq> {
        loop {
            let target = self.target();
            if target > self.told {
                self.told = target;
                self.behind = None;
                return Some(target);
            }
            let overdue = self.behind.map(|since| since + PATIENCE);
            tokio::select! {
                more = self.head.changed() => more.ok()?,
                Ok(()) = self.wanted.changed() => {}
                Ok(()) = self.health.changed() => {}
                () = sleep_until(overdue.unwrap_or_else(Instant::now)), if overdue.is_some() => {}
            }
        }
    }

    fn target(&mut self) -> Seq {
        let wanted = *self.wanted.borrow_and_update();
        let head = *self.head.borrow_and_update();
        let from_queue = self.queue_moves();
        if !std::mem::replace(&mut self.started, true) || !from_queue {
            return head.max(wanted);
        }
        if head > self.told {
            let since = *self.behind.get_or_insert_with(Instant::now);
            if since.elapsed() >= PATIENCE {
                return head.max(wanted);
            }
        }
        wanted
    }

    fn queue_moves(&self) -> bool {
        let health = self.health.borrow();
        health.kind == crate::settings::BusKind::Rabbitmq && health.moves()
    }
}
