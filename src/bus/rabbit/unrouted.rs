//! Reads what no binding of the intake wanted and what the broker handed out too often: sends on what only had a wrong
//! key, parks the rest. Every process waits for this queue, and one of them gets it.

use super::Fault;
use super::intake::{consume, read_message, refuse, send_on};
use super::park::was_sent_on;
use super::session::Session;
use super::topology::{self, INTAKE_DELIVERIES_MAX, INTAKE_UNROUTED};
use crate::bus::Rejected;
use crate::journal::Shard;
use futures::StreamExt;
use lapin::message::Delivery;
use std::sync::Arc;
use tieline_model::Code;
use tokio_util::sync::CancellationToken;

/// Reads until the process stops, or `leave` says that it serves nobody any more.
pub(super) async fn run(session: Arc<Session>, leave: CancellationToken) -> Result<(), Fault> {
    let (channel, mut consumer) = consume(&session, INTAKE_UNROUTED).await?;
    loop {
        let delivery = tokio::select! {
            () = session.stop.cancelled() => break,
            () = leave.cancelled() => break,
            delivery = consumer.next() => delivery,
        };
        match delivery {
            Some(Ok(delivery)) => settle(&session, &delivery).await?,
            Some(Err(error)) => return Err(Fault::amqp("consuming")(error)),
            None => return Err(Fault::Cancelled(INTAKE_UNROUTED.to_owned())),
        }
    }
    channel.close(200, "OK".into()).await.map_err(Fault::amqp("closing the channel of what was not routed"))
}

async fn settle(session: &Session, delivery: &Delivery) -> Result<(), Fault> {
    let why = match given_up(delivery).map_or_else(|| read_message(session, delivery), Err) {
        Ok(request) if was_sent_on(delivery) => {
            // Its tenant's binding is gone. The message waits with those for a person; a new session binds again.
            let message = "no broker queue takes messages for this contact centre; its binding has just been made again";
            let why =
                Rejected { code: Code::Unavailable, field: None, limit: None, message: message.to_owned() };
            refuse(session, INTAKE_UNROUTED, delivery, &why).await?;
            return Err(Fault::Unrouted(topology::intake_queue(Shard::of(&request.tenant))));
        }
        Ok(request) => return send_on(session, delivery, &request.tenant).await,
        Err(why) => why,
    };
    refuse(session, INTAKE_UNROUTED, delivery, &why).await
}

/// The broker took it from an intake queue after it had come back too often.
fn given_up(delivery: &Delivery) -> Option<Rejected> {
    let headers = delivery.properties.headers().as_ref()?;
    headers.inner().contains_key("x-death").then(|| Rejected {
        code: Code::Unavailable,
        field: None,
        limit: u64::try_from(INTAKE_DELIVERIES_MAX).ok(),
        message: format!(
            "the broker handed the message out {INTAKE_DELIVERIES_MAX} times and it was never settled; look for crashes"
        ),
    })
}
