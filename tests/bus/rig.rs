//! Engines over a journal in memory with a bus, and somebody else at the broker.

use crate::broker::Broker;
use futures::StreamExt;
use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions, QueueBindOptions,
    QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, Consumer};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tieline::bus::{self, Intake, Running, Seal};
use tieline::drive::{self, Drive};
use tieline::journal::{MemoryStore, Reader, Store};
use tieline::settings::{Bus, BusKind, Secret, Span};
use tieline_model::policy::{AgentPolicy, TenantPolicy};
use tieline_model::{AgentId, Clock, ConnectionId, Seq, TenantId, Timestamp};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

pub(crate) const SEAL: [u8; 32] = [7; 32];
/// Nothing here takes longer on a busy machine, except for a broker that starts.
pub(crate) const SOON: Duration = Duration::from_secs(60);

/// A clock that starts somewhere and goes on.
pub(crate) struct Ticking(pub(crate) Instant);

impl Clock for Ticking {
    fn now(&self) -> Timestamp {
        Timestamp(1_790_000_000_000 + i64::try_from(self.0.elapsed().as_millis()).unwrap())
    }
}

pub(crate) fn acme() -> TenantId {
    TenantId::new("acme").unwrap()
}

pub(crate) fn salesforce() -> ConnectionId {
    ConnectionId::new("sf").unwrap()
}

/// Anna, at extension 201.
pub(crate) fn agent() -> AgentPolicy {
    AgentPolicy {
        name: "Anna".to_owned(),
        queues: Default::default(),
        extension: Some("201".to_owned()),
        may_reject: true,
        supervisor: false,
        chat_capacity: 3,
        crm_users: BTreeMap::new(),
        skills: Default::default(),
    }
}

/// One connection, of this name, for each.
pub(crate) fn connections(tenants: impl IntoIterator<Item = TenantId>) -> Vec<(TenantId, ConnectionId)> {
    tenants.into_iter().map(|tenant| (tenant, salesforce())).collect()
}

/// Engines over a journal in memory, and a bus.
pub(crate) struct Rig<S: Store = MemoryStore> {
    pub(crate) store: Arc<S>,
    pub(crate) engines: drive::Handle,
    pub(crate) owner: JoinHandle<()>,
    pub(crate) bus: Running,
}

impl Rig {
    pub(crate) async fn start(bus: Bus) -> Self {
        Self::over(MemoryStore::new(), bus).await
    }
}

impl<S: Store + 'static> Rig<S> {
    pub(crate) async fn over(store: S, bus: Bus) -> Self {
        let store = Arc::new(store);
        let policy = TenantPolicy {
            agents: BTreeMap::from([(AgentId::new("anna").unwrap(), agent())]),
            ..TenantPolicy::default()
        };
        let (clock, blind) = (Arc::new(Ticking(Instant::now())), Box::new(drive::Blind));
        let tenants = BTreeMap::from([(acme(), policy)]);
        let (drive, engines) = Drive::open(store.clone(), clock, blind, tenants, || 1).await.unwrap();
        let owner = tokio::spawn(async move { drive.run(std::future::pending()).await.unwrap() });
        let bus = Self::bus(bus, store.clone(), engines.clone());
        Self { store, engines, owner, bus }
    }

    pub(crate) fn bus(settings: Bus, store: Arc<S>, engines: drive::Handle) -> Running {
        bus::start(bus::Wiring {
            settings,
            store,
            engines: Arc::new(engines),
            intake: Intake::new(BTreeMap::from([(acme(), None)])),
            connections: vec![(acme(), salesforce())],
            seal: Seal::new(&SEAL),
        })
    }

    pub(crate) fn head(&self) -> Seq {
        *self.engines.head(&acme()).unwrap().borrow()
    }

    /// Says in process what a producer would say on the bus, and how long it took to be durable.
    pub(crate) async fn say(&self, message: &Value) -> Duration {
        let intake = Intake::new(BTreeMap::from([(acme(), None)]));
        let body = message.to_string();
        let request = intake.translate(body.as_bytes(), None, &mut uuid::Uuid::now_v7).unwrap();
        let began = Instant::now();
        self.engines.submit(request).await.unwrap();
        began.elapsed()
    }

    pub(crate) async fn published_up_to(&self) -> Seq {
        self.store.cursor(&acme(), &Reader::Bus).await.unwrap()
    }

    /// Waits for a condition; if it does not come, says how the bus is.
    pub(crate) async fn until(&self, what: &str, holds: impl AsyncFnMut() -> bool) {
        if !holds_soon(holds).await {
            let (health, counts, at) = (self.bus.health(), self.bus.counts(), self.published_up_to().await);
            panic!("not within {SOON:?}: {what}; {health:?} {counts:?} cursor {at:?} head {:?}", self.head());
        }
    }

    pub(crate) async fn moves(&self) {
        self.until("messages move", async || self.bus.health().moves()).await;
    }

    pub(crate) async fn end(self) {
        self.bus.shutdown().await;
        self.owner.abort();
    }
}

/// Quick to notice, so that tests do not wait for the defaults.
pub(crate) fn rabbit(broker: &Broker) -> Bus {
    Bus {
        kind: BusKind::Rabbitmq,
        url: Secret::new(broker.url()),
        reconnect_max: Span::ms(500),
        ..Bus::default()
    }
}

pub(crate) async fn holds_soon(mut holds: impl AsyncFnMut() -> bool) -> bool {
    let end = Instant::now() + SOON;
    while !holds().await {
        if Instant::now() > end {
            return false;
        }
        sleep(Duration::from_millis(20)).await;
    }
    true
}

pub(crate) fn call(kind: &str, id: &str, call: &str) -> Value {
    spoken("acme", kind, id, call)
}

pub(crate) fn spoken(tenant: &str, kind: &str, id: &str, call: &str) -> Value {
    let data = match kind {
        "ringing" => json!({ "call": call, "from": "+442079460000", "agents": ["201"] }),
        "answered" => json!({ "call": call, "agent": "anna" }),
        _ => json!({ "call": call }),
    };
    json!({
        "specversion": "1.0",
        "id": id,
        "source": "/pbx/test",
        "type": format!("com.tieline.call.{kind}.v1"),
        "tenant": tenant,
        "data": data,
    })
}

/// Somebody else at the broker.
pub(crate) struct Client {
    pub(crate) connection: Connection,
    pub(crate) channel: Channel,
}

impl Client {
    pub(crate) async fn new(broker: &Broker) -> Self {
        let connection = Connection::connect(&broker.url(), ConnectionProperties::default()).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
        Self { connection, channel }
    }

    pub(crate) async fn publish(&self, exchange: &str, key: &str, body: &[u8], properties: BasicProperties) {
        let options = BasicPublishOptions::default();
        let sent = self.channel.basic_publish(exchange.into(), key.into(), options, body, properties).await;
        assert!(sent.unwrap().await.unwrap().is_ack());
    }

    pub(crate) async fn tell(&self, message: &Value) {
        let body = message.to_string();
        self.publish("tieline.intake", "acme.call", body.as_bytes(), BasicProperties::default()).await;
    }

    /// A durable queue that gets every event.
    pub(crate) async fn spy(&self) {
        self.declare("spy", "quorum").await;
        let (none, options) = (FieldTable::default(), QueueBindOptions::default());
        self.channel
            .queue_bind("spy".into(), "tieline.events".into(), "#".into(), options, none)
            .await
            .unwrap();
    }

    pub(crate) async fn declare(&self, queue: &str, kind: &str) {
        self.declare_with(queue, kind, &[]).await;
    }

    pub(crate) async fn declare_with(&self, queue: &str, kind: &str, more: &[(&str, AMQPValue)]) {
        let mut arguments = FieldTable::default();
        for (name, value) in more {
            arguments.insert((*name).into(), value.clone());
        }
        arguments.insert("x-queue-type".into(), AMQPValue::LongString(kind.into()));
        let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        self.channel.queue_declare(queue.into(), options, arguments).await.unwrap();
    }

    pub(crate) async fn consume(&self, queue: &str) -> Consumer {
        let options = BasicConsumeOptions::default();
        self.channel.basic_consume(queue.into(), "".into(), options, FieldTable::default()).await.unwrap()
    }
}

pub(crate) async fn next(consumer: &mut Consumer) -> Delivery {
    let delivery = timeout(SOON, consumer.next()).await.expect("a message in time").unwrap().unwrap();
    delivery.ack(BasicAckOptions::default()).await.unwrap();
    delivery
}

pub(crate) fn header(delivery: &Delivery, name: &str) -> Option<String> {
    match delivery.properties.headers().as_ref()?.inner().get(name)? {
        AMQPValue::LongString(text) => Some(text.to_string()),
        other => Some(format!("{other:?}")),
    }
}

/// Positions of the events on the spy's queue, until this one came.
pub(crate) async fn seen_up_to(spy: &mut Consumer, last: Seq) -> Vec<u64> {
    let mut seen = Vec::new();
    while seen.last() != Some(&last.0) {
        let event: Value = serde_json::from_slice(&next(spy).await.data).unwrap();
        seen.push(event["seq"].as_u64().unwrap());
    }
    seen
}

/// None missing, and the first time each is seen is in order.
pub(crate) fn assert_complete_and_in_order(seen: &[u64], first: u64, last: u64) {
    let mut fresh = Vec::new();
    for seq in seen {
        if !fresh.contains(seq) {
            fresh.push(*seq);
        }
    }
    assert_eq!(fresh, (first..=last).collect::<Vec<_>>());
}
