//! Puts poison aside, sealed and with its reason, and answers producers that asked for an answer.

use super::Fault;
use super::session::{Blocked, confirmed, confirming};
use super::topology::{INTAKE, PARKED};
use crate::bus::outgoing::routing_key;
use crate::bus::{Rejected, Seal};
use lapin::message::Delivery;
use lapin::options::BasicPublishOptions;
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Connection};
use serde_json::json;
use std::time::Duration;
use tieline_model::TenantId;
use tokio::sync::{Mutex, watch};

/// Marks a message that was published again under another key.
const SENT_ON_HEADER: &str = "tieline-sent-on";

/// Whether a message was published again under its own key before.
pub(super) fn was_sent_on(delivery: &Delivery) -> bool {
    let headers = delivery.properties.headers().as_ref();
    headers.is_some_and(|headers| headers.inner().contains_key(SENT_ON_HEADER))
}

/// The channels for it, on the publishing connection: the consuming one must never be blocked.
pub(super) struct Parking {
    parked: Channel,
    answers: Channel,
    within: Duration,
    blocked: watch::Receiver<Blocked>,
    /// One message at a time, so that a return can only be that message's.
    turn: Mutex<()>,
}

impl Parking {
    pub(super) async fn open(
        publish: &Connection,
        within: Duration,
        blocked: watch::Receiver<Blocked>,
    ) -> Result<Self, Fault> {
        let parked = confirming(publish).await?;
        let answers = publish.create_channel().await.map_err(Fault::amqp("opening a channel for answers"))?;
        Ok(Self { parked, answers, within, blocked, turn: Mutex::default() })
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
        let sealed = seal.seal(&delivery.data);
        self.kept(PARKED, "", &sealed, properties).await
    }

    /// Publishes a message of the intake again, as it was, under the key of the tenant that it names; it may be
    /// acknowledged once this returns.
    pub(super) async fn send_on(&self, delivery: &Delivery, tenant: &TenantId) -> Result<(), Fault> {
        let mut headers = delivery.properties.headers().clone().unwrap_or_default();
        headers.insert(SENT_ON_HEADER.into(), AMQPValue::Boolean(true));
        let properties = delivery.properties.clone().with_delivery_mode(2).with_headers(headers);
        self.kept(INTAKE, &routing_key(tenant, "sent_on"), &delivery.data, properties).await
    }

    /// Publishes, and waits until a queue has it.
    async fn kept(
        &self,
        exchange: &str,
        key: &str,
        body: &[u8],
        properties: BasicProperties,
    ) -> Result<(), Fault> {
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let _turn = self.turn.lock().await;
        let publish = self.parked.basic_publish(exchange.into(), key.into(), options, body, properties);
        let confirm = publish.await.map_err(Fault::amqp("parking"))?;
        let confirmation = confirmed(confirm, self.within, self.blocked.clone()).await?;
        if !confirmation.is_ack() || confirmation.take_message().is_some() {
            return Err(Fault::Unrouted(exchange.to_owned()));
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
