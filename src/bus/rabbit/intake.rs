//! Reads one intake queue: translates, hands in, and acknowledges what is durable or parked.

use super::session::{Session, flatten};
use super::{Fault, topology};
use crate::bus::Rejected;
use crate::bus::health::count;
use crate::drive::Request;
use futures::StreamExt;

use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Consumer};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tieline_model::{Code, TenantId};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;
use uuid::Uuid;

/// Pauses between tries while the daemon is full or its journal takes nothing.
const DEFER_MIN: Duration = Duration::from_millis(50);
const DEFER_MAX: Duration = Duration::from_secs(5);
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

/// Reads a shard until the process stops and what is in hand is settled.
pub(super) async fn run(session: Arc<Session>, shard: u16) -> Result<(), Fault> {
    let queue: Arc<str> = topology::intake_queue(shard).into();
    let (channel, mut consumer) = consume(&session, &queue).await?;
    let mut lanes = Lanes { session: session.clone(), queue, senders: HashMap::new(), tasks: JoinSet::new() };
    loop {
        tokio::select! {
            biased;
            () = session.stop.cancelled() => break,
            Some(ended) = lanes.tasks.join_next() => flatten(ended)?,
            delivery = consumer.next() => match delivery {
                Some(Ok(delivery)) => lanes.take(delivery).await?,
                Some(Err(error)) => return Err(Fault::amqp("consuming")(error)),
                None => return Err(Fault::Cancelled(lanes.queue.to_string())),
            },
        }
    }
    lanes.finish().await?;
    // Closing, and not cancelling: a cancel would let the next consumer start while messages here are unsettled.
    channel.close(200, "OK".into()).await.map_err(Fault::amqp("closing the channel of the intake"))
}

struct Job {
    delivery: Delivery,
    request: Request,
}

/// One line per tenant: messages of one keep their order, and none waits for another's journal.
struct Lanes {
    session: Arc<Session>,
    queue: Arc<str>,
    senders: HashMap<TenantId, mpsc::Sender<Job>>,
    tasks: JoinSet<Result<(), Fault>>,
}

impl Lanes {
    async fn take(&mut self, delivery: Delivery) -> Result<(), Fault> {
        let translated = match worn_out(&delivery) {
            Some(why) => Err(why),
            None => {
                let intake = &self.session.shared.wiring.intake;
                intake.translate(&delivery.data, None, &mut Uuid::now_v7)
            }
        };
        match translated {
            Ok(request) => {
                let lane = self.lane(&request.tenant.clone());
                // A lane holds as many as may be unsettled, so this never waits; its end is told by its task.
                let _ = lane.send(Job { delivery, request }).await;
                Ok(())
            }
            Err(why) => refuse(&self.session, &self.queue, &delivery, &why).await,
        }
    }

    fn lane(&mut self, tenant: &TenantId) -> mpsc::Sender<Job> {
        if let Some(lane) = self.senders.get(tenant) {
            return lane.clone();
        }
        let (sender, jobs) = mpsc::channel(usize::from(self.session.shared.wiring.settings.prefetch));
        self.tasks.spawn(run_lane(self.session.clone(), self.queue.clone(), jobs));
        self.senders.insert(tenant.clone(), sender.clone());
        sender
    }

    async fn finish(&mut self) -> Result<(), Fault> {
        self.senders.clear();
        while let Some(ended) = self.tasks.join_next().await {
            flatten(ended)?;
        }
        Ok(())
    }
}

async fn run_lane(
    session: Arc<Session>,
    queue: Arc<str>,
    mut jobs: mpsc::Receiver<Job>,
) -> Result<(), Fault> {
    while let Some(job) = jobs.recv().await {
        carry_out(&session, &queue, job).await?;
    }
    Ok(())
}

async fn carry_out(session: &Session, queue: &str, job: Job) -> Result<(), Fault> {
    let counters = &session.shared.counters;
    let mut pause = DEFER_MIN;
    loop {
        match session.shared.wiring.engines.submit(job.request.clone()).await {
            Ok(done) => {
                count(&counters.taken);
                if done.repeated {
                    count(&counters.repeated);
                }
                session.parking.answer(&job.delivery, Ok(done.seq.0)).await;
                return acknowledge(session, &job.delivery).await;
            }
            Err(refusal) if matches!(refusal.code, Code::Busy | Code::Unavailable) => {
                count(&counters.deferred);
                let nap = Duration::from_secs_f64(rand::random_range(0.5..=1.0) * pause.as_secs_f64());
                tokio::select! {
                    // Unsettled, it comes again after the next start.
                    () = session.stop.cancelled() => return Ok(()),
                    () = tokio::time::sleep(nap) => pause = (pause * 2).min(DEFER_MAX),
                }
            }
            Err(refusal) => return refuse(session, queue, &job.delivery, &refusal.into()).await,
        }
    }
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
