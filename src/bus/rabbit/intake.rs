//! Reads one intake queue: translates, hands in, and acknowledges what is durable or parked.

use super::session::{Session, flatten};
use super::{Fault, topology};
use crate::bus::Rejected;
use crate::bus::health::count;
use crate::drive::{Done, Handle, Request};
use crate::journal::Shard;
use futures::StreamExt;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Consumer};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tieline_model::{Code, Refusal, TenantId};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Pauses between tries while the daemon is full or its journal takes nothing.
const DEFER_MIN: Duration = Duration::from_millis(50);
const DEFER_MAX: Duration = Duration::from_secs(5);
/// How long a message waits in hand for its tenant to come to this process, before the queue is handed over.
const EXPECTED_WITHIN: Duration = Duration::from_secs(2);
/// Pause before a queue that was handed over is asked for again.
const HANDED_OVER_PAUSE: Duration = Duration::from_secs(2);
/// Messages of one tenant that are handed in at once.
const GROUP_MAX: usize = 64;
/// A message that made the engine panic so often is put aside.
const PANICS_MAX: u32 = 5;
/// A message that came back so often ended the process, or the session, each time; it is put aside.
const DELIVERIES_MAX: i64 = 20;

/// Opens a channel with the settings' prefetch and consumes.
pub(super) async fn consume(session: &Session, queue: &str) -> Result<(Channel, Consumer), Fault> {
    let within = session.shared.wiring.settings.confirm_within.std();
    timeout(within, open_consumer(session, queue)).await.map_err(|_| Fault::Silent(within))?
}

async fn open_consumer(session: &Session, queue: &str) -> Result<(Channel, Consumer), Fault> {
    let doing = "opening a channel to consume";
    let channel = session.consume.connection.create_channel().await.map_err(Fault::amqp(doing))?;
    let prefetch = session.shared.wiring.settings.prefetch;
    channel
        .basic_qos(prefetch, BasicQosOptions::default())
        .await
        .map_err(Fault::amqp("setting the prefetch"))?;
    // The empty tag lets the broker choose one; acknowledgements are ours (`no_ack` is off).
    let options = BasicConsumeOptions::default();
    let consuming = channel.basic_consume(queue.into(), "".into(), options, FieldTable::default());
    let consumer = consuming.await.map_err(Fault::amqp("consuming"))?;
    Ok((channel, consumer))
}

/// Acknowledges. `false` from lapin means that the session has ended meanwhile: the message comes again.
pub(super) async fn acknowledge(session: &Session, delivery: &Delivery) -> Result<(), Fault> {
    let done = delivery.ack(BasicAckOptions::default()).await.map_err(Fault::amqp("acknowledging"))?;
    if done {
        session.shared.pulse.acknowledged();
    }
    Ok(())
}

/// Reads a shard until the process stops and what is in hand is settled, or until `leave` says that another process
/// reads it now.
pub(super) async fn run(session: Arc<Session>, shard: Shard, leave: CancellationToken) -> Result<(), Fault> {
    while let Reading::Astray = read(&session, shard, &leave).await? {
        count(&session.shared.counters.handed_over);
        tracing::info!(%shard, "an intake queue holds messages for a contact centre that is not here; handed over");
        tokio::select! {
            () = session.stop.cancelled() => break,
            () = leave.cancelled() => break,
            () = sleep(jittered(HANDED_OVER_PAUSE)) => {}
        }
    }
    Ok(())
}

/// How reading a queue ended.
enum Reading {
    /// It is not read here any more.
    Over,
    /// It holds messages of a tenant that another process must have by now: whoever waits for the queue gets it.
    Astray,
}

async fn read(session: &Arc<Session>, shard: Shard, leave: &CancellationToken) -> Result<Reading, Fault> {
    let queue = topology::intake_queue(shard);
    let (channel, mut consumer) = consume(session, &queue).await?;
    let mut lanes = Lanes::new(session.clone(), shard, queue.into());
    let reading = loop {
        tokio::select! {
            biased;
            () = session.stop.cancelled() => break Reading::Over,
            () = leave.cancelled() => {
                lanes.desk.give_up.cancel();
                break Reading::Over;
            }
            () = lanes.desk.astray.cancelled() => {
                lanes.desk.give_up.cancel();
                break Reading::Astray;
            }
            Some(ended) = lanes.tasks.join_next() => flatten(ended)?,
            delivery = consumer.next() => match delivery {
                Some(Ok(delivery)) => lanes.take(delivery).await?,
                Some(Err(error)) => return Err(Fault::amqp("consuming")(error)),
                None => return Err(Fault::Cancelled(lanes.desk.queue.to_string())),
            },
        }
    };
    lanes.finish().await?;
    // Closing, and not cancelling: a cancel would let the next consumer start while messages here are unsettled. What
    // is unsettled goes to the next reader, in order and before the rest.
    channel.close(200, "OK".into()).await.map_err(Fault::amqp("closing the channel of the intake"))?;
    Ok(reading)
}

struct Job {
    delivery: Delivery,
    request: Request,
    /// How often it made the engine panic.
    panics: u32,
}

/// What the lanes of a queue share.
struct Desk {
    session: Arc<Session>,
    queue: Arc<str>,
    /// Where refused messages go, to be put aside one by one.
    refused: mpsc::Sender<(Delivery, Rejected)>,
    /// Somebody else reads the queue from now on: settle nothing more.
    give_up: CancellationToken,
    /// There is a message whose tenant is not here.
    astray: CancellationToken,
}

/// One line per tenant: messages of one keep their order, and none waits for another's journal. Refused ones have a
/// line of their own, so that nobody waits while the broker keeps them.
struct Lanes {
    desk: Arc<Desk>,
    shard: Shard,
    senders: HashMap<TenantId, mpsc::Sender<Job>>,
    tasks: JoinSet<Result<(), Fault>>,
}

impl Lanes {
    fn new(session: Arc<Session>, shard: Shard, queue: Arc<str>) -> Self {
        // A lane holds as many as may be unsettled, so sending into it never waits.
        let (refused, aside) = mpsc::channel(usize::from(session.shared.wiring.settings.prefetch));
        let mut tasks = JoinSet::new();
        tasks.spawn(put_aside(session.clone(), queue.clone(), aside));
        let (give_up, astray) = (CancellationToken::new(), CancellationToken::new());
        let desk = Arc::new(Desk { session, queue, refused, give_up, astray });
        Self { desk, shard, senders: HashMap::new(), tasks }
    }

    async fn take(&mut self, delivery: Delivery) -> Result<(), Fault> {
        match read_message(&self.desk.session, &delivery) {
            Ok(request) if Shard::of(&request.tenant) != self.shard => {
                send_on(&self.desk.session, &delivery, &request.tenant).await
            }
            Ok(request) => {
                let lane = self.lane(&request.tenant.clone());
                // Its end is told by its task.
                let _ = lane.send(Job { delivery, request, panics: 0 }).await;
                Ok(())
            }
            Err(why) => {
                // Its end is told by its task.
                let _ = self.desk.refused.send((delivery, why)).await;
                Ok(())
            }
        }
    }

    fn lane(&mut self, tenant: &TenantId) -> mpsc::Sender<Job> {
        if let Some(lane) = self.senders.get(tenant) {
            return lane.clone();
        }
        let prefetch = self.desk.session.shared.wiring.settings.prefetch;
        let (sender, jobs) = mpsc::channel(usize::from(prefetch));
        self.tasks.spawn(run_lane(self.desk.clone(), jobs));
        self.senders.insert(tenant.clone(), sender.clone());
        sender
    }

    async fn finish(mut self) -> Result<(), Fault> {
        self.senders.clear();
        drop(self.desk);
        while let Some(ended) = self.tasks.join_next().await {
            flatten(ended)?;
        }
        Ok(())
    }
}

async fn run_lane(desk: Arc<Desk>, mut jobs: mpsc::Receiver<Job>) -> Result<(), Fault> {
    while let Some(job) = jobs.recv().await {
        let mut group = vec![job];
        while group.len() < GROUP_MAX
            && let Ok(job) = jobs.try_recv()
        {
            group.push(job);
        }
        if !desk.carry_out(group).await? {
            break;
        }
    }
    Ok(())
}

/// Why a job has to be tried again.
enum Later {
    /// The daemon is full, or its journal takes nothing.
    PutOff,
    /// Its tenant is not here: it is still on its way, or has gone.
    Elsewhere,
}

impl Desk {
    /// Hands a tenant's messages in until each is settled. False if they are left to the queue's next reader.
    async fn carry_out(&self, mut group: Vec<Job>) -> Result<bool, Fault> {
        let mut owned = self.session.shared.wiring.engines.owned();
        let (mut pause, mut away_since) = (DEFER_MIN, None);
        while !group.is_empty() {
            if self.give_up.is_cancelled() {
                return Ok(false);
            }
            owned.mark_unchanged();
            let requests = group.iter().map(|job| job.request.clone()).collect();
            let outcomes = self.session.shared.wiring.engines.submit_all(requests).await;
            let later;
            (group, later) = self.settle(group, outcomes).await?;
            let nap = match later {
                None => continue,
                Some(Later::PutOff) => {
                    let nap = jittered(pause);
                    pause = (pause * 2).min(DEFER_MAX);
                    nap
                }
                Some(Later::Elsewhere) => {
                    let since = *away_since.get_or_insert_with(Instant::now);
                    if since.elapsed() >= EXPECTED_WITHIN {
                        self.astray.cancel();
                        return Ok(false);
                    }
                    EXPECTED_WITHIN
                }
            };
            tokio::select! {
                // Unsettled, they come again after the next start, or to the next reader.
                () = self.session.stop.cancelled() => return Ok(false),
                () = self.give_up.cancelled() => return Ok(false),
                Ok(()) = owned.changed(), if matches!(later, Some(Later::Elsewhere)) => {}
                () = sleep(nap) => {}
            }
        }
        Ok(true)
    }

    /// Acknowledges what is durable, puts aside what is refused, and gives back what must be tried again.
    async fn settle(
        &self,
        group: Vec<Job>,
        outcomes: Vec<Result<Done, Refusal>>,
    ) -> Result<(Vec<Job>, Option<Later>), Fault> {
        let (session, counters) = (&self.session, &self.session.shared.counters);
        let (mut left, mut later) = (Vec::new(), None);
        for (mut job, outcome) in group.into_iter().zip(outcomes) {
            let refusal = match outcome {
                Ok(done) => {
                    count(&counters.taken);
                    if done.repeated {
                        count(&counters.repeated);
                    }
                    session.parking.answer(&job.delivery, Ok(done.seq.0)).await;
                    acknowledge(session, &job.delivery).await?;
                    continue;
                }
                Err(refusal) => refusal,
            };
            if Handle::means_elsewhere(&refusal) {
                later = Some(Later::Elsewhere);
                left.push(job);
                continue;
            }
            job.panics += u32::from(Handle::means_poison(&refusal));
            if job.panics < PANICS_MAX && matches!(refusal.code, Code::Busy | Code::Unavailable | Code::Full)
            {
                count(&counters.deferred);
                later = later.or(Some(Later::PutOff));
                left.push(job);
                continue;
            }
            // Its end is told by its task.
            let _ = self.refused.send((job.delivery, refusal.into())).await;
        }
        Ok((left, later))
    }
}

/// Parks what was refused, one message after another.
async fn put_aside(
    session: Arc<Session>,
    queue: Arc<str>,
    mut refused: mpsc::Receiver<(Delivery, Rejected)>,
) -> Result<(), Fault> {
    while let Some((delivery, why)) = refused.recv().await {
        refuse(&session, &queue, &delivery, &why).await?;
    }
    Ok(())
}

/// What a message asks for, unless it ended its reader too often.
pub(super) fn read_message(session: &Session, delivery: &Delivery) -> Result<Request, Rejected> {
    match worn_out(delivery) {
        Some(why) => Err(why),
        None => session.shared.wiring.intake.translate(&delivery.data, None, &mut Uuid::now_v7),
    }
}

/// Publishes a message again under the key of the tenant that it names, and acknowledges it.
pub(super) async fn send_on(session: &Session, delivery: &Delivery, tenant: &TenantId) -> Result<(), Fault> {
    session.parking.send_on(delivery, tenant).await?;
    count(&session.shared.counters.rerouted);
    acknowledge(session, delivery).await
}

fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(rand::random_range(0.5..=1.0))
}

/// Puts a message aside with its reason, answers, and acknowledges: it is never requeued in a loop.
pub(super) async fn refuse(
    session: &Session,
    queue: &str,
    delivery: &Delivery,
    why: &Rejected,
) -> Result<(), Fault> {
    let shared = &session.shared;
    count(&shared.counters.refused);
    tracing::warn!(queue, code = ?why.code, field = why.field, "a message was refused and is parked");
    session.parking.park(delivery, queue, why, &shared.wiring.seal).await?;
    count(&shared.counters.parked);
    session.parking.answer(delivery, Err(why)).await;
    acknowledge(session, delivery).await
}

#[expect(clippy::wildcard_enum_match_arm, reason = "another crate's enum, of which a few variants matter")]
fn worn_out(delivery: &Delivery) -> Option<Rejected> {
    let headers = delivery.properties.headers().as_ref()?;
    let deliveries = match headers.inner().get("x-delivery-count")? {
        AMQPValue::LongLongInt(n) => *n,
        AMQPValue::LongInt(n) => i64::from(*n),
        _ => return None,
    };
    (deliveries >= DELIVERIES_MAX).then(|| Rejected {
        code: Code::Unavailable,
        field: None,
        limit: u64::try_from(DELIVERIES_MAX).ok(),
        message: format!("the message was handed out {deliveries} times and never settled; look for crashes"),
    })
}
