//! Reads the queue of one CRM connection. It only says how far the journal has come, so it acknowledges at once.

use super::intake::{acknowledge, consume, refuse};
use super::session::Session;
use super::{Fault, topology};
use crate::bus::Rejected;
use crate::bus::health::count;
use futures::StreamExt;
use std::sync::Arc;
use tieline_model::envelope::Envelope;
use tieline_model::{Code, ConnectionId, Seq};
use tokio_util::sync::CancellationToken;

/// Reads until the process stops, or `leave` says that nobody here listens to the connection any more.
pub(super) async fn run(
    session: Arc<Session>,
    connection: ConnectionId,
    leave: CancellationToken,
) -> Result<(), Fault> {
    let queue = topology::connector_queue(&connection);
    let (channel, mut consumer) = consume(&session, &queue).await?;
    loop {
        let delivery = tokio::select! {
            () = session.stop.cancelled() => break,
            () = leave.cancelled() => break,
            delivery = consumer.next() => delivery,
        };
        let delivery = match delivery {
            Some(Ok(delivery)) => delivery,
            Some(Err(error)) => return Err(Fault::amqp("consuming")(error)),
            None => return Err(Fault::Cancelled(queue)),
        };
        match serde_json::from_slice(&delivery.data) {
            Ok(Envelope { tenant, seq: Some(seq), .. }) => {
                // The journal's own cursor is what makes a log certain; this only makes it prompt.
                session.shared.wanted.raise(&(tenant, connection.clone()), Seq(seq));
                count(&session.shared.counters.heard);
                acknowledge(&session, &delivery).await?;
            }
            Ok(Envelope { seq: None, .. }) | Err(_) => {
                let why = Rejected {
                    code: Code::Invalid,
                    field: Some("seq".to_owned()),
                    limit: None,
                    message: "no event of Tieline; only Tieline publishes to tieline.events".to_owned(),
                };
                refuse(&session, &queue, &delivery, &why).await?;
            }
        }
    }
    channel.close(200, "OK".into()).await.map_err(Fault::amqp("closing the channel of a connection's queue"))
}
