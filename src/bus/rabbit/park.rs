//! Puts poison aside, sealed and with its reason, and answers producers that asked for an answer.

use super::Fault;
use super::session::{Blocked, confirmed, confirming};
use super::topology::PARKED;
use crate::bus::{Rejected, Seal};
use lapin::message::Delivery;
use lapin::options::BasicPublishOptions;
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Connection};
use serde_json::json;
use std::time::Duration;
use tokio::sync::watch;

/// The channels for it, on the publishing connection: the consuming one must never be blocked.
pub(super) struct Parking {
    parked: Channel,
    answers: Channel,
    within: Duration,
    blocked: watch::Receiver<Blocked>,
}

impl Parking {
    pub(super) async fn open(
        publish: &Connection,
        within: Duration,
        blocked: watch::Receiver<Blocked>,
    ) -> Result<Self, Fault> {
        let parked = confirming(publish).await?;
        let answers = publish.create_channel().await.map_err(Fault::amqp("opening a channel for answers"))?;
        Ok(Self { parked, answers, within, blocked })
    }

    /// Parks a message; it may be acknowledged once this returns.
    pub(super) async fn park(
        &self,
        delivery: &Delivery,
        queue: &str,
        why: &Rejected,
        seal: &Seal,
    ) -> Result<(), Fault> {
        let mut headers = FieldTable::default();
        let mut say = |name: &str, value: String| {
            headers.insert(name.into(), AMQPValue::LongString(value.into()));
        };
        say("tieline-code", code(why));
        say("tieline-reason", why.message.clone());
        if let Some(field) = &why.field {
            say("tieline-field", field.clone());
        }
        if let Some(limit) = why.limit {
            say("tieline-limit", limit.to_string());
        }
        say("tieline-queue", queue.to_owned());
        say("tieline-sealed", "aes-256-gcm".to_owned());
        let mut properties = BasicProperties::default()
            .with_delivery_mode(2)
            .with_content_type("application/octet-stream".into())
            .with_headers(headers);
        if let Some(id) = delivery.properties.message_id() {
            properties = properties.with_message_id(id.clone());
        }
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let sealed = seal.seal(&delivery.data);
        let publish = self.parked.basic_publish(PARKED.into(), "".into(), options, &sealed, properties);
        let confirm = publish.await.map_err(Fault::amqp("parking"))?;
        let confirmation = confirmed(confirm, self.within, self.blocked.clone()).await?;
        // Parking is rare and waits for each confirm, so a return can only be this message's.
        if !confirmation.is_ack() || confirmation.take_message().is_some() {
            return Err(Fault::Unrouted(PARKED.to_owned()));
        }
        Ok(())
    }

    /// Tells a producer that set `reply_to` what came of its message. Best effort: the message itself is settled.
    pub(super) async fn answer(&self, delivery: &Delivery, outcome: Result<u64, &Rejected>) {
        let Some(to) = delivery.properties.reply_to() else { return };
        let body = match outcome {
            Ok(seq) => json!({ "accepted": true, "seq": seq }),
            Err(why) => json!({
                "accepted": false,
                "code": code(why),
                "message": why.message,
                "field": why.field,
                "limit": why.limit,
            }),
        };
        let mut properties = BasicProperties::default().with_content_type("application/json".into());
        if let Some(id) = delivery.properties.correlation_id() {
            properties = properties.with_correlation_id(id.clone());
        }
        let (body, options) = (body.to_string(), BasicPublishOptions::default());
        let default_exchange = ShortString::default();
        let sent =
            self.answers.basic_publish(default_exchange, to.clone(), options, body.as_bytes(), properties);
        if let Err(error) = sent.await {
            tracing::debug!(error = super::fault::said(&error), "an answer to a producer was not sent");
        }
    }
}

/// The code as the API writes it.
fn code(why: &Rejected) -> String {
    match serde_json::to_value(why.code) {
        Ok(serde_json::Value::String(code)) => code,
        Ok(_) | Err(_) => "invalid".to_owned(),
    }
}
