//! One session: opens both connections, checks the topology, runs the parts, and ends with the first fault.

use super::link::Link;
use super::park::Parking;
use super::topology::{self, Topology};
use super::{Again, Fault, roster};
use crate::bus::Shared;
use crate::bus::health::{State, count};
use futures::{Stream, StreamExt};
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Confirmation, Connection, Event, PublisherConfirm};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

/// How often the session is looked at, and probed when nothing else moves.
const PROBE_EVERY: Duration = Duration::from_secs(5);
/// What settling and publishing may take when the process stops.
const FLUSH: Duration = Duration::from_secs(8);

/// Since when the broker takes no messages, and its word for it; `None` while it takes them.
pub(super) type Blocked = Option<(Instant, String)>;

/// What the parts of a session share.
pub(super) struct Session {
    pub(super) shared: Arc<Shared>,
    pub(super) again: Arc<Again>,
    pub(super) consume: Arc<Link>,
    /// Publishes events.
    pub(super) events: Channel,
    /// Parks and answers.
    pub(super) parking: Parking,
    /// How many publishes may wait for their confirm.
    pub(super) window: Arc<Semaphore>,
    /// Whether the broker takes messages.
    pub(super) blocked: watch::Receiver<Blocked>,
    /// The process stops: take nothing new, finish what is in hand.
    pub(super) stop: CancellationToken,
}

/// Runs a session. `Ok` when the process stops.
pub(super) async fn run(shared: &Arc<Shared>, again: &Arc<Again>) -> Result<(), Fault> {
    let (settings, stop) = (&shared.wiring.settings, &shared.stop);
    let opening = async {
        let publish = Link::open(settings, "publish").await?;
        let consume = Link::open(settings, "consume").await?;
        Ok::<_, Fault>((publish, Arc::new(consume)))
    };
    let (publish, consume) = tokio::select! {
        links = opening => links?,
        () = stop.cancelled() => return Ok(()),
    };
    // On a fault both links are dropped, which cuts them: a broker that is blocked or gone answers no goodbye.
    talk(shared, again, &publish.connection, &consume).await?;
    consume.close().await;
    publish.close().await;
    Ok(())
}

async fn talk(
    shared: &Arc<Shared>,
    again: &Arc<Again>,
    publish: &Connection,
    consume: &Arc<Link>,
) -> Result<(), Fault> {
    let wiring = &shared.wiring;
    let (blocked_tx, blocked) = watch::channel(None);
    let mut parts = JoinSet::new();
    parts.spawn(watch_publishing(shared.clone(), publish.events_listener(), blocked_tx));
    parts.spawn(watch_consuming(consume.connection.events_listener()));
    let plan = Topology::plan(&wiring.intake.tenants(), &wiring.connections);
    let within = wiring.settings.confirm_within.std();
    let setting_up = async {
        plan.declare(&consume.connection).await?;
        let parking = Parking::open(publish, within, blocked.clone()).await?;
        Ok::<_, Fault>((confirming(publish).await?, parking))
    };
    // A broker under alarm answers all of this, so a long wait means that it hangs.
    let (events, parking) = timeout(within, setting_up).await.map_err(|_| Fault::Silent(within))??;
    let session = Arc::new(Session {
        shared: shared.clone(),
        again: again.clone(),
        consume: consume.clone(),
        events,
        parking,
        window: Arc::new(Semaphore::new(wiring.settings.window as usize)),
        blocked,
        stop: shared.stop.clone(),
    });
    parts.spawn(probe(session.clone(), plan));
    let mut workers = JoinSet::new();
    workers.spawn(roster::run(session));
    count(&shared.counters.sessions);
    shared.pulse.becomes(State::Up, None);
    tracing::info!("a session with the broker is up");
    until_fault_or_stop(&shared.stop, parts, workers).await
}

/// Parts never end by themselves; workers end when the process stops and they have finished.
async fn until_fault_or_stop(
    stop: &CancellationToken,
    mut parts: JoinSet<Result<(), Fault>>,
    mut workers: JoinSet<Result<(), Fault>>,
) -> Result<(), Fault> {
    let late = async {
        stop.cancelled().await;
        sleep(FLUSH).await;
    };
    tokio::pin!(late);
    loop {
        tokio::select! {
            Some(ended) = parts.join_next() => flatten(ended)?,
            ended = workers.join_next() => match ended {
                Some(ended) => flatten(ended)?,
                None => return Ok(()),
            },
            () = &mut late => {
                tracing::warn!("the broker took too long at the stop; the rest is published after the next start");
                return Ok(());
            }
        }
    }
}

pub(super) fn flatten(ended: Result<Result<(), Fault>, JoinError>) -> Result<(), Fault> {
    match ended {
        Ok(ended) => ended,
        Err(_) => Err(Fault::Panicked),
    }
}

/// A channel whose publishes are confirmed.
pub(super) async fn confirming(connection: &Connection) -> Result<Channel, Fault> {
    let channel = connection.create_channel().await.map_err(Fault::amqp("opening a channel to publish"))?;
    let confirms = channel.confirm_select(ConfirmSelectOptions::default());
    confirms.await.map_err(Fault::amqp("asking for confirms"))?;
    Ok(channel)
}

/// Waits for a confirm. Time under an alarm does not count: the broker said that it takes nothing, and how long that
/// may last is another setting.
pub(super) async fn confirmed(
    confirm: PublisherConfirm,
    within: Duration,
    mut blocked: watch::Receiver<Blocked>,
) -> Result<Confirmation, Fault> {
    tokio::pin!(confirm);
    let mut deadline = Instant::now() + within;
    loop {
        let taking = blocked.borrow_and_update().is_none();
        tokio::select! {
            confirmation = &mut confirm => return confirmation.map_err(Fault::amqp("publishing")),
            changed = blocked.changed() => {
                if changed.is_err() {
                    // The watcher is gone, so the session is ending; its fault is told there.
                    return Err(Fault::ConfirmLate(within));
                }
                deadline = Instant::now() + within;
            }
            () = sleep_until(deadline), if taking => return Err(Fault::ConfirmLate(within)),
        }
    }
}

/// Follows alarms, and gives up on one that lasts.
async fn watch_publishing(
    shared: Arc<Shared>,
    events: impl Stream<Item = Event> + Send + 'static,
    blocked: watch::Sender<Blocked>,
) -> Result<(), Fault> {
    let longest = shared.wiring.settings.blocked_for.std();
    tokio::pin!(events);
    loop {
        let since = blocked.borrow().clone();
        let until = since.as_ref().map(|(since, _)| *since + longest);
        let event = tokio::select! {
            event = events.next() => event,
            () = sleep_until(until.unwrap_or_else(Instant::now)), if until.is_some() => {
                let reason = since.map(|(_, reason)| reason).unwrap_or_default();
                return Err(Fault::Blocked(longest, reason));
            }
        };
        match event {
            Some(Event::ConnectionBlocked(reason)) => {
                tracing::warn!(%reason, "the broker takes no messages");
                shared.pulse.becomes(State::Blocked, Some(format!("the broker takes no messages: {reason}")));
                blocked.send_replace(Some((since.map_or_else(Instant::now, |(at, _)| at), reason)));
            }
            Some(Event::ConnectionUnblocked) => {
                tracing::info!("the broker takes messages again");
                blocked.send_replace(None);
                shared.pulse.becomes(State::Up, None);
            }
            Some(Event::Error(error)) => return Err(Fault::amqp("publishing connection")(error)),
            Some(_) => {}
            None => return Err(Fault::Lost("publishing")),
        }
    }
}

async fn watch_consuming(events: impl Stream<Item = Event> + Send + 'static) -> Result<(), Fault> {
    tokio::pin!(events);
    loop {
        match events.next().await {
            Some(Event::Error(error)) => return Err(Fault::amqp("consuming connection")(error)),
            Some(_) => {}
            None => return Err(Fault::Lost("consuming")),
        }
    }
}

/// Makes sure that messages move even when there is nothing to say: a message that vanishes at the broker, and a look
/// at the queues of intake and of what is parked on the other connection.
async fn probe(session: Arc<Session>, plan: Topology) -> Result<(), Fault> {
    let settings = &session.shared.wiring.settings;
    let within = settings.confirm_within.std();
    let doing = "looking at the queues of intake and parked";
    let channel = session.consume.connection.create_channel().await.map_err(Fault::amqp(doing))?;
    let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    loop {
        let (mut waiting, mut parked) = (0, 0);
        for name in plan.watched() {
            let look = channel.queue_declare(name.into(), passive, FieldTable::default());
            let queue = timeout(within, look).await.map_err(|_| Fault::Silent(within))?;
            let count = u64::from(queue.map_err(Fault::amqp(doing))?.message_count());
            *if name == topology::PARKED { &mut parked } else { &mut waiting } += count;
        }
        session.shared.pulse.waiting(waiting, parked);
        let publish = session.events.basic_publish(
            topology::PROBE.into(),
            "".into(),
            BasicPublishOptions::default(),
            b"",
            BasicProperties::default(),
        );
        let confirm = publish.await.map_err(Fault::amqp("probing"))?;
        confirmed(confirm, within, session.blocked.clone()).await?;
        session.shared.pulse.confirmed();
        sleep(PROBE_EVERY).await;
    }
}
