//! Exchanges, queues and bindings: what they are called, how they are declared, and what is said when they do not fit.

use super::fault::{Fault, said};
use crate::bus::outgoing::tenant_word;
use crate::journal::Shard;
use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::protocol::{AMQPErrorKind, AMQPSoftError};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Connection, ErrorKind, ExchangeKind};
use std::collections::{BTreeMap, BTreeSet};
use tieline_model::{ConnectionId, TenantId};

/// Producers publish here, with the key `<tenant>.<type>`.
pub(super) const INTAKE: &str = "tieline.intake";
/// All events leave here, with the key `<tenant>.<type>`.
pub(super) const EVENTS: &str = "tieline.events";
/// What no binding of [`INTAKE`] wants (an unknown tenant, a wrong key), and what the broker handed out too often. The
/// queue of the same name gets it; its reader parks it or, as the body decides and not the key, sends it on.
pub(super) const INTAKE_UNROUTED: &str = "tieline.intake.unrouted";
/// What no queue wants of [`EVENTS`]. Nothing is bound to it by us; who wants to see these events binds a queue.
pub(super) const EVENTS_UNROUTED: &str = "tieline.events.unrouted";
/// Poison, sealed, with its reason in the headers.
pub(super) const PARKED: &str = "tieline.parked";
/// Where probes vanish: nothing is ever bound to it.
pub(super) const PROBE: &str = "tieline.probe";

/// Parked messages hold what callers are called, so they live for a day. An argument and no policy, because it is a
/// promise and not a preference.
const PARKED_TTL_MS: i32 = 24 * 60 * 60 * 1000;
/// How often a message of the intake may come back before the broker puts it aside. The reader parks poison itself well
/// before; this is for poison that ends the reader. RabbitMQ 3.10 has no limit of its own, RabbitMQ 4 has 20 and drops.
pub(super) const INTAKE_DELIVERIES_MAX: i32 = 100;
/// The same for a connection's queue, whose messages only say that there is something to read in the journal.
const CONNECTOR_DELIVERIES_MAX: i32 = 20;
/// Whoever looks into these queues and puts messages back must not use them up.
const NO_LIMIT: i32 = 1_000_000;

/// Which events a connection's queue gets: those that can change a log.
pub(super) const LOG_KINDS: [&str; 3] = ["interaction.#", "wrap_up.#", "call.#"];

/// The intake queue of a shard: the same shards that processes own, so that a queue has one reader at a time who can
/// carry out everything in it.
pub(super) fn intake_queue(shard: Shard) -> String {
    format!("{INTAKE}.{shard}")
}

/// The queue of a CRM connection.
pub(super) fn connector_queue(connection: &ConnectionId) -> String {
    format!("tieline.connector.{connection}")
}

/// Whether the queue of a connection should have got an event of this kind.
pub(super) fn is_for_logs(kind: &str) -> bool {
    LOG_KINDS.iter().any(|pattern| kind.starts_with(pattern.trim_end_matches('#')))
}

/// Everything that must be there.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Topology {
    exchanges: Vec<(String, ExchangeKind, FieldTable)>,
    queues: Vec<(String, FieldTable)>,
    /// Queue, exchange, key.
    bindings: Vec<(String, String, String)>,
}

impl Topology {
    /// For these tenants and connections.
    pub(super) fn plan(tenants: &[TenantId], connections: &[(TenantId, ConnectionId)]) -> Self {
        let mut plan = Self::default();
        plan.exchange(INTAKE_UNROUTED, ExchangeKind::Fanout, None);
        plan.exchange(EVENTS_UNROUTED, ExchangeKind::Fanout, None);
        plan.exchange(INTAKE, ExchangeKind::Topic, Some(INTAKE_UNROUTED));
        plan.exchange(EVENTS, ExchangeKind::Topic, Some(EVENTS_UNROUTED));
        plan.exchange(PARKED, ExchangeKind::Fanout, None);
        plan.exchange(PROBE, ExchangeKind::Fanout, None);
        plan.queue(PARKED, NO_LIMIT, &[("x-message-ttl", AMQPValue::LongInt(PARKED_TTL_MS))]);
        plan.bind(PARKED, PARKED, "");
        let one_reader = || ("x-single-active-consumer", AMQPValue::Boolean(true));
        plan.queue(INTAKE_UNROUTED, NO_LIMIT, &[one_reader()]);
        plan.bind(INTAKE_UNROUTED, INTAKE_UNROUTED, "");
        let shards: BTreeSet<Shard> = tenants.iter().map(Shard::of).collect();
        for shard in shards {
            let [to, how, full] = dead_letters_to(INTAKE_UNROUTED);
            plan.queue(&intake_queue(shard), INTAKE_DELIVERIES_MAX, &[one_reader(), to, how, full]);
        }
        for tenant in tenants {
            let key = format!("{}.#", tenant_word(tenant));
            plan.bind(&intake_queue(Shard::of(tenant)), INTAKE, &key);
        }
        let mut of_connection: BTreeMap<&ConnectionId, Vec<&TenantId>> = BTreeMap::new();
        for (tenant, connection) in connections {
            of_connection.entry(connection).or_default().push(tenant);
        }
        for (connection, tenants) in of_connection {
            let queue = connector_queue(connection);
            plan.queue(&queue, CONNECTOR_DELIVERIES_MAX, &dead_letters_to(PARKED));
            for tenant in tenants {
                for kind in LOG_KINDS {
                    plan.bind(&queue, EVENTS, &format!("{}.{kind}", tenant_word(tenant)));
                }
            }
        }
        plan
    }

    /// Queues whose length an operator wants to see: the intake's, and what is parked.
    pub(super) fn watched(&self) -> impl Iterator<Item = &str> {
        let names = self.queues.iter().map(|(name, _)| name.as_str());
        names.filter(|name| *name == PARKED || name.starts_with(INTAKE))
    }

    fn exchange(&mut self, name: &str, kind: ExchangeKind, alternate: Option<&str>) {
        let mut arguments = FieldTable::default();
        if let Some(alternate) = alternate {
            arguments.insert("alternate-exchange".into(), AMQPValue::LongString(alternate.into()));
        }
        self.exchanges.push((name.to_owned(), kind, arguments));
    }

    /// Quorum queues only: confirmed messages survive the loss of a minority of the cluster.
    fn queue(&mut self, name: &str, deliveries_max: i32, more: &[(&str, AMQPValue)]) {
        let mut arguments = FieldTable::default();
        arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
        arguments.insert("x-delivery-limit".into(), AMQPValue::LongInt(deliveries_max));
        for (name, value) in more {
            arguments.insert((*name).into(), value.clone());
        }
        self.queues.push((name.to_owned(), arguments));
    }

    fn bind(&mut self, queue: &str, exchange: &str, key: &str) {
        self.bindings.push((queue.to_owned(), exchange.to_owned(), key.to_owned()));
    }

    /// Declares all of it; what is there already and fits is left as it is.
    ///
    /// A declaration that does not fit closes its channel, so each failure costs a new one, and all that does not fit
    /// is said at once.
    pub(super) async fn declare(&self, connection: &Connection) -> Result<(), Fault> {
        let mut problems = Vec::new();
        let doing = "opening a channel for the topology";
        let mut channel = connection.create_channel().await.map_err(Fault::amqp(doing))?;
        let exchange = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
        for (name, kind, arguments) in &self.exchanges {
            let name_short = name.as_str().into();
            let done = channel.exchange_declare(name_short, kind.clone(), exchange, arguments.clone()).await;
            if let Err(error) = done {
                problems.push(misfit("exchange", name, &error)?);
                channel = connection.create_channel().await.map_err(Fault::amqp(doing))?;
            }
        }
        let queue = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        for (name, arguments) in &self.queues {
            if let Err(error) = channel.queue_declare(name.as_str().into(), queue, arguments.clone()).await {
                problems.push(misfit("queue", name, &error)?);
                channel = connection.create_channel().await.map_err(Fault::amqp(doing))?;
            }
        }
        if !problems.is_empty() {
            return Err(Fault::Topology(problems));
        }
        for (queue, exchange, key) in &self.bindings {
            let (to, from) = (queue.as_str().into(), exchange.as_str().into());
            let none = FieldTable::default();
            let bound = channel.queue_bind(to, from, key.as_str().into(), QueueBindOptions::default(), none);
            bound.await.map_err(|error| match misfit("queue", queue, &error) {
                Ok(problem) => Fault::Topology(vec![problem]),
                Err(fault) => fault,
            })?;
        }
        channel.close(200, "OK".into()).await.map_err(Fault::amqp("closing the channel of the topology"))
    }
}

/// What a queue hands out in vain is dead-lettered at least once: it stays where it is until the other queue has it. The
/// broker does that only for a queue that refuses when it is full; without a length limit it never is.
fn dead_letters_to(exchange: &str) -> [(&'static str, AMQPValue); 3] {
    let text = |text: &str| AMQPValue::LongString(text.into());
    [
        ("x-dead-letter-exchange", text(exchange)),
        ("x-dead-letter-strategy", text("at-least-once")),
        ("x-overflow", text("reject-publish")),
    ]
}

/// What does not fit, and the way out; or the fault, when the session itself is gone.
fn misfit(what: &str, name: &str, error: &lapin::Error) -> Result<String, Fault> {
    let ErrorKind::ProtocolError(amqp) = error.kind() else {
        return Err(Fault::Amqp { doing: "declaring the topology", said: said(error) });
    };
    let text = amqp.to_string();
    match amqp.kind() {
        AMQPErrorKind::Soft(AMQPSoftError::PRECONDITIONFAILED) => Ok(match inequivalent(&text) {
            Some((argument, wants, has)) => format!(
                "{what} {name} has {argument} = {has}, Tieline needs {wants}; empty it, delete it, and it is made anew"
            ),
            None => format!(
                "{what} {name} is another than Tieline needs; delete it, and it is made anew ({text})"
            ),
        }),
        AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED) => Ok(format!(
            "{what} {name} may not be declared by this user; grant configure, write and read on ^tieline\\. to it"
        )),
        AMQPErrorKind::Soft(_) => Ok(format!("{what} {name}: {text}")),
        AMQPErrorKind::Hard(_) => Err(Fault::Amqp { doing: "declaring the topology", said: text }),
    }
}

/// Takes apart `inequivalent arg 'A' for … received 'W' but current is 'H'`, in which a value may also stand as
/// `the value '1' of type 'signedint'` or `none`.
fn inequivalent(text: &str) -> Option<(String, String, String)> {
    let (_, rest) = text.split_once("inequivalent arg '")?;
    let (argument, rest) = rest.split_once('\'')?;
    let (_, rest) = rest.split_once("received ")?;
    let (wants, has) = rest.split_once(" but current is ")?;
    let value = |text: &str| match text.split_once('\'') {
        Some((_, rest)) => rest.split('\'').next().unwrap_or_default().to_owned(),
        None => "nothing".to_owned(),
    };
    Some((argument.to_owned(), value(wants), value(has)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brokers_words_about_an_argument_are_taken_apart() {
        let old = "PRECONDITION_FAILED - inequivalent arg 'x-queue-type' for queue 'q' in vhost '/': \
                   received the value 'quorum' of type 'longstr' but current is none";
        let expect = |a: &str, b: &str, c: &str| Some((a.to_owned(), b.to_owned(), c.to_owned()));
        assert_eq!(inequivalent(old), expect("x-queue-type", "quorum", "nothing"));
        let new = "inequivalent arg 'x-queue-type' for queue 'q' in vhost '/': received 'quorum' but current is 'classic'";
        assert_eq!(inequivalent(new), expect("x-queue-type", "quorum", "classic"));
        assert_eq!(inequivalent("something else"), None);
    }

    #[test]
    fn tenants_that_share_a_connections_name_share_its_queue_and_keep_their_keys() {
        let t = |t: &str| TenantId::new(t).unwrap();
        let sf = ConnectionId::new("sf").unwrap();
        let tenants = [t("a"), t("a.b")];
        let plan = Topology::plan(&tenants, &[(t("a"), sf.clone()), (t("a.b"), sf)]);
        let queues: Vec<_> = plan.queues.iter().map(|(name, _)| name.as_str()).collect();
        let shards = tenants.each_ref().map(|t| intake_queue(Shard::of(t)));
        let [a, b] = &shards;
        assert_eq!(queues, ["tieline.parked", "tieline.intake.unrouted", a, b, "tieline.connector.sf"]);
        let keys: Vec<_> = plan
            .bindings
            .iter()
            .filter(|(_, from, _)| from == EVENTS)
            .map(|(_, _, key)| key.as_str())
            .collect();
        assert_eq!(
            keys,
            [
                "a.interaction.#",
                "a.wrap_up.#",
                "a.call.#",
                "a:b.interaction.#",
                "a:b.wrap_up.#",
                "a:b.call.#"
            ]
        );
    }

    #[test]
    fn only_events_that_change_a_log_are_missed() {
        assert!(is_for_logs("interaction.closed.v1"));
        assert!(!is_for_logs("agent.connected.v1"));
    }
}
