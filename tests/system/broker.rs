//! RabbitMQ between, and RabbitMQ gone: a broker that is down stops neither chats nor pops nor logs.

#[path = "../support/broker.rs"]
mod support;

use crate::daemon::Centre;
use crate::talk::{accept, available, saved};
use crate::visitor::{Visitor, command, person};
use lapin::options::{
    BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Connection, ConnectionProperties};
use serde_json::{Value, json};
pub(crate) use support::Broker;
use tieline_connector_api::sandbox::Sandbox;
use tieline_model::crm::PopTarget;
use tieline_model::live::{AgentDeed, PanelFrame};

/// Says something about a call over the broker, as a producer would; returns once the broker has it.
pub(crate) async fn publish(broker: &Broker, kind: &str, data: Value) {
    let connection =
        Connection::connect(&broker.url(), ConnectionProperties::default()).await.expect("a session");
    let channel = connection.create_channel().await.expect("a channel");
    channel.confirm_select(ConfirmSelectOptions::default()).await.expect("confirms");
    let kind = format!("call.{kind}.v1");
    let envelope = json!({ "specversion": "1.0", "id": command().as_str(), "source": "/pbx/broker-test",
        "type": format!("com.tieline.{kind}"), "tenant": "demo", "data": data });
    let key = format!("demo.{kind}");
    let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    let properties = BasicProperties::default().with_delivery_mode(2);
    let body = envelope.to_string();
    let sent = channel
        .basic_publish("tieline.intake".into(), key.into(), options, body.as_bytes(), properties)
        .await;
    let confirm = sent.expect("sent").await.expect("confirmed");
    assert!(confirm.is_ack() && confirm.take_message().is_none(), "no queue took it");
    connection.close(200, "done".into()).await.expect("closed");
}

/// Somebody else's queue, bound to everything Tieline says.
const LISTENER: &str = "a-listener-of-the-test";

async fn listen(broker: &Broker) {
    let connection =
        Connection::connect(&broker.url(), ConnectionProperties::default()).await.expect("a session");
    let channel = connection.create_channel().await.expect("a channel");
    let durable = QueueDeclareOptions::durable();
    channel.queue_declare(LISTENER.into(), durable, FieldTable::default()).await.expect("declared");
    let everything = QueueBindOptions::default();
    let bound = channel.queue_bind(
        LISTENER.into(),
        "tieline.events".into(),
        "#".into(),
        everything,
        FieldTable::default(),
    );
    bound.await.expect("bound");
    connection.close(200, "done".into()).await.expect("closed");
}

/// Takes messages off the listener's queue until one is as wished; each names its tenant's `seq`, and none is
/// missing between the first and that one.
async fn hear_until(broker: &Broker, what: &str, wished: impl Fn(&Value) -> bool) {
    let connection =
        Connection::connect(&broker.url(), ConnectionProperties::default()).await.expect("a session");
    let channel = connection.create_channel().await.expect("a channel");
    let started = std::time::Instant::now();
    let mut last: Option<u64> = None;
    loop {
        assert!(started.elapsed() < 2 * crate::panel::PATIENCE, "never heard {what}");
        let got =
            channel.basic_get(LISTENER.into(), BasicGetOptions { no_ack: true }).await.expect("an answer");
        let Some(message) = got else {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            continue;
        };
        let event: Value = serde_json::from_slice(&message.data).expect("an envelope");
        if event["tenant"] != "demo" {
            continue;
        }
        let seq = event["seq"].as_u64().expect("a position");
        assert!(last.is_none_or(|last| seq <= last + 1), "{seq} after {last:?}: one is missing");
        last = Some(last.unwrap_or(0).max(seq));
        if wished(&event) {
            break;
        }
    }
    connection.close(200, "done".into()).await.expect("closed");
}

/// Stops the broker in order and starts it again; returns once messages move.
async fn restart(mut broker: Broker, daemon: &crate::daemon::Daemon) -> Broker {
    let broker = tokio::task::spawn_blocking(move || {
        broker.stop();
        broker.start_again().expect("it starts again");
        broker
    });
    let broker = broker.await.expect("restarted");
    daemon.until_metric("tieline_bus_moves 1").await;
    broker
}

fn popped(panel: &crate::panel::Panel, id: &str) -> Option<()> {
    let is = |pop: &&PanelFrame| matches!(pop, PanelFrame::Pop { target: PopTarget::Record { record, .. }, .. } if record.id.as_str() == id);
    panel.pops.iter().find(is).map(|_| ())
}

pub(crate) fn settings(broker: &Broker) -> String {
    let url = broker.url();
    format!(
        "[bus]\nkind = \"rabbitmq\"\nurl = \"{url}\"\nreconnect_min = \"100ms\"\nreconnect_max = \"500ms\"\n"
    )
}

// proves D8, E1, E2, F1
#[tokio::test(flavor = "multi_thread")]
async fn chat_pop_and_log_go_on_without_the_broker_and_events_arrive_once_it_is_back() {
    let broker = tokio::task::spawn_blocking(|| Broker::start().expect("a broker")).await.expect("started");
    let centre = Centre::with(&settings(&broker)).await;
    let daemon = centre.daemon().await;
    let caller = centre.crm.add_contact("Tomás Reyes", None, Some("020 7946 0777")).await;
    let amara = centre.crm.add_contact("Amara Obi", Some("amara@obi.example"), None).await;
    let mut anna = daemon.panel("anna").await;
    daemon.until_metric("tieline_bus_moves 1").await;
    publish(&broker, "ringing", json!({ "call": "b-1", "from": "+442079460777", "agents": ["anna"] })).await;
    anna.until("the caller's record", |p| popped(p, &caller)).await;
    listen(&broker).await;
    publish(&broker, "ended", json!({ "call": "b-1" })).await;
    anna.until("no card", |p| p.view.calls.is_empty().then_some(())).await;

    // An operator's restart first: RabbitMQ 3.10 can leave a quorum queue without a leader when it is killed less than
    // half a second after the queue was declared, and a fresh daemon has just declared all of its own.
    let mut broker = restart(broker, &daemon).await;
    available(&mut anna).await;
    let mut first = Visitor::starts(&daemon, "support", person("Ines", "ines@example.org")).await;
    accept(&mut anna).await;
    first.writes("before").await;
    broker.kill();
    daemon.until_metric("tieline_bus_moves 0").await;
    first.writes("during").await;
    anna.does(AgentDeed::EndChat { interaction: first.interaction }).await;
    anna.does(AgentDeed::CompleteWrapUp { interaction: first.interaction }).await;
    anna.until("the case, without a broker", |p| saved(p, first.interaction)).await;
    let second = Visitor::starts(&daemon, "support", person("Amara Obi", "amara@obi.example")).await;
    anna.until("the pop, without a broker", |p| popped(p, &amara)).await;
    accept(&mut anna).await;

    // The long tier lets the outage last a minute, as it would in the field.
    if std::env::var_os("TIELINE_LONG").is_some() {
        let over = tokio::time::Instant::now() + std::time::Duration::from_secs(60);
        // Read on meanwhile, or the daemon's pings go unanswered.
        while let Ok(open) = tokio::time::timeout_at(over, anna.next()).await {
            assert!(open, "the panel's socket closed during the outage");
        }
    }
    let mut broker = tokio::task::spawn_blocking(move || {
        broker.start_again().expect("it starts again");
        broker
    })
    .await
    .expect("started");
    daemon.until_metric("tieline_bus_moves 1").await;
    let chat = first.interaction.to_string();
    hear_until(&broker, "what happened during the outage", |event| {
        event["type"] == "com.tieline.log.delivery_reported.v1"
            && event["data"]["interaction"] == chat.as_str()
    })
    .await;
    publish(&broker, "ringing", json!({ "call": "b-2", "from": "+442079460777", "agents": ["anna"] })).await;
    anna.until("the call after the outage", |p| p.view.calls.first().map(|_| ())).await;
    let cases = centre.crm.log_records().await;
    assert_eq!(cases.iter().filter(|r| r.key == first.interaction.to_string()).count(), 1);
    assert_eq!(cases.len(), 1, "{} is still open", second.interaction);
    daemon.stop().await;
    tokio::task::spawn_blocking(move || broker.stop()).await.expect("stopped");
}
