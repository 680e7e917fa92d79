//! The whole daemon, measured from outside: `cargo bench --bench daemon`.
//!
//! Start-up, memory, bytes per idle socket, and the time from a call event on RabbitMQ to the pop on the panel's
//! socket, with the sandbox answering at once. Beside the last stands the same broker carrying the same number of
//! messages through one quorum queue with nothing of ours between, so that the machine's own speed is known.

#[path = "../tests/support/broker.rs"]
mod broker;
#[path = "../tests/system/daemon.rs"]
#[allow(dead_code)]
mod daemon;
#[path = "../tests/system/panel.rs"]
#[allow(dead_code)]
mod panel;
#[path = "../tests/system/visitor.rs"]
#[allow(dead_code)]
mod visitor;

use broker::Broker;
use daemon::{Centre, Daemon};
use futures::StreamExt;
use lapin::options::{BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use panel::{Panel, Socket, connect, hear, say};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tieline_connector_api::sandbox::Sandbox;
use tieline_model::crm::PopTarget;
use tieline_model::live::{PanelFrame, PanelSays};

const EVENTS: usize = 2_000;
/// Agents with a panel each; they take turns in being called, each by a caller of their own.
const AGENTS: usize = 100;
/// A call ends when so many have rung after it: an agent has one at a time.
const RINGS_FOR: usize = 80;
const PER_SECOND: u64 = 100;
const SOCKETS: usize = 2_000;

fn main() {
    // `cargo test` builds and runs benches too; there is nothing to test here.
    if !std::env::args().any(|a| a == "--bench") {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(measure());
}

async fn measure() {
    let binary = std::fs::metadata(env!("CARGO_BIN_EXE_tieline")).expect("the binary").len();
    println!("binary size: {:.1} MB", mb(binary));
    let broker = tokio::task::spawn_blocking(|| Broker::start().expect("a broker")).await.expect("started");
    let centre = Centre::with(&settings(&broker)).await;
    let mut starts: Vec<Duration> = Vec::new();
    for _ in 0..5 {
        let begun = Instant::now();
        let daemon = centre.daemon().await;
        starts.push(begun.elapsed());
        daemon.stop().await;
    }
    starts.sort();
    println!(
        "start-up, process start to /readyz: median {:?}, worst {:?} of {}",
        starts[2],
        starts[4],
        starts.len()
    );

    let daemon = centre.daemon().await;
    let idle = resident(&daemon);
    println!("idle memory (resident): {:.1} MB", mb(idle));
    let token = daemon.sign_in("demo", "ben").await;
    let mut sockets = Vec::with_capacity(SOCKETS);
    for _ in 0..SOCKETS {
        sockets.push(seat(&daemon, &token).await);
    }
    let full = resident(&daemon);
    println!("bytes per idle socket at {SOCKETS}: {}", full.saturating_sub(idle) / SOCKETS as u64);
    drop(sockets);

    let alone = carry(&broker).await;
    println!("broker alone, publish to delivery at {PER_SECOND}/s: {}", percentiles(alone));
    daemon.until_metric("tieline_bus_moves 1").await;
    let ours = pops(&broker, &centre, &daemon).await;
    println!(
        "call.ringing on RabbitMQ to pop on the panel's socket at {PER_SECOND}/s: {}",
        percentiles(ours)
    );
    daemon.stop().await;
    let mut broker = broker;
    tokio::task::spawn_blocking(move || broker.stop()).await.expect("stopped");
}

fn settings(broker: &Broker) -> String {
    let url = broker.url();
    let mut text = format!("[bus]\nkind = \"rabbitmq\"\nurl = \"{url}\"\n");
    for n in 0..AGENTS {
        text += &format!(
            "[tenants.demo.agents.a{n}]\nqueues = [\"support\"]\npassword_hash = \"PASSWORD_HASH\"\n"
        );
    }
    text
}

async fn seat(daemon: &Daemon, token: &str) -> Socket {
    let mut socket = connect(&daemon.socket("/ws/agent"), &daemon.url).await;
    say(&mut socket, &PanelSays::Hello { token: token.to_owned(), can_pop: false, host: None }).await;
    let first: Option<Value> = hear(&mut socket).await;
    assert_eq!(first.expect("a frame")["frame"], "snapshot");
    socket
}

async fn channel(broker: &Broker) -> Channel {
    let connection =
        Connection::connect(&broker.url(), ConnectionProperties::default()).await.expect("a session");
    let channel = connection.create_channel().await.expect("a channel");
    channel.confirm_select(ConfirmSelectOptions::default()).await.expect("confirms");
    channel
}

async fn send(channel: &Channel, exchange: &str, key: &str, body: &[u8]) {
    let properties = BasicProperties::default().with_delivery_mode(2);
    let options = BasicPublishOptions::default();
    let sent =
        channel.basic_publish(exchange.into(), key.into(), options, body, properties).await.expect("sent");
    tokio::spawn(async move { assert!(sent.await.expect("confirmed").is_ack()) });
}

/// The broker alone: one quorum queue, no daemon.
async fn carry(broker: &Broker) -> Vec<Duration> {
    let channel = channel(broker).await;
    let mut quorum = FieldTable::default();
    quorum.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    channel.queue_declare("alone".into(), QueueDeclareOptions::durable(), quorum).await.expect("declared");
    let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
    let consumer =
        channel.basic_consume("alone".into(), "alone".into(), options, FieldTable::default()).await;
    let mut consumer = consumer.expect("a consumer");
    let begun = Instant::now();
    let publisher = {
        let channel = channel.clone();
        tokio::spawn(async move {
            let mut beat = tokio::time::interval(Duration::from_nanos(1_000_000_000 / PER_SECOND));
            for _ in 0..EVENTS {
                beat.tick().await;
                let now = begun.elapsed().as_nanos().to_string();
                send(&channel, "", "alone", now.as_bytes()).await;
            }
        })
    };
    let mut took = Vec::with_capacity(EVENTS);
    while took.len() < EVENTS {
        let delivery = consumer.next().await.expect("a delivery").expect("delivered");
        let sent: u64 = std::str::from_utf8(&delivery.data).expect("digits").parse().expect("a number");
        took.push(begun.elapsed().saturating_sub(Duration::from_nanos(sent)));
    }
    publisher.await.expect("published");
    took
}

/// Calls ring, each for most of a second; their callers are contacts of the CRM.
async fn pops(broker: &Broker, centre: &Centre, daemon: &Daemon) -> Vec<Duration> {
    let (popped, mut pops) = tokio::sync::mpsc::unbounded_channel();
    let mut numbers = Vec::with_capacity(AGENTS);
    for n in 0..AGENTS {
        let number = format!("+4477009{n:05}");
        let record = centre.crm.add_contact(&format!("Caller {n}"), None, Some(&number)).await;
        numbers.push(number);
        let token = daemon.sign_in("demo", &format!("a{n}")).await;
        let mut panel = Panel::open(&daemon.socket("/ws/agent"), &daemon.url, &token, None).await;
        let popped = popped.clone();
        tokio::spawn(async move {
            while panel.next().await {
                for pop in panel.pops.drain(..) {
                    let PanelFrame::Pop { target: PopTarget::Record { record: shown, .. }, .. } = pop else {
                        continue;
                    };
                    assert_eq!(shown.id.as_str(), record, "the caller's own record");
                    // The measurement may be over.
                    let _ = popped.send((n, Instant::now()));
                }
            }
        });
    }
    let channel = channel(broker).await;
    // Kept until the last confirm has come.
    let _open = channel.clone();
    let publisher = tokio::spawn(async move {
        let mut sent = Vec::with_capacity(EVENTS);
        let mut beat = tokio::time::interval(Duration::from_nanos(1_000_000_000 / PER_SECOND));
        for n in 0..EVENTS {
            beat.tick().await;
            sent.push(Instant::now());
            let agent = format!("a{}", n % AGENTS);
            let ringing =
                json!({ "call": format!("bench-{n}"), "from": numbers[n % AGENTS], "agents": [agent] });
            send(&channel, "tieline.intake", "demo.call.ringing.v1", &event("ringing", ringing)).await;
            if let Some(past) = n.checked_sub(RINGS_FOR) {
                let ended = json!({ "call": format!("bench-{past}") });
                send(&channel, "tieline.intake", "demo.call.ended.v1", &event("ended", ended)).await;
            }
        }
        sent
    });
    // The k-th pop at an agent answers the agent's k-th call.
    let mut came: Vec<Vec<Instant>> = vec![Vec::new(); AGENTS];
    for missing in (1..=EVENTS).rev() {
        match tokio::time::timeout(Duration::from_secs(10), pops.recv()).await {
            Ok(Some((n, at))) => came[n].push(at),
            Ok(None) | Err(_) => {
                panic!("{missing} pops are missing; the daemon counts {}", daemon.metrics().await)
            }
        }
    }
    let sent = publisher.await.expect("published");
    let took = |(n, sent): (usize, Instant)| came[n % AGENTS][n / AGENTS].saturating_duration_since(sent);
    sent.into_iter().enumerate().map(took).collect()
}

fn event(kind: &str, data: Value) -> Vec<u8> {
    json!({ "specversion": "1.0", "id": visitor::command().as_str(), "source": "/bench",
        "type": format!("com.tieline.call.{kind}.v1"), "tenant": "demo", "data": data })
    .to_string()
    .into_bytes()
}

fn percentiles(mut took: Vec<Duration>) -> String {
    took.sort();
    let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize];
    format!("p50 {:.2?}, p99 {:.2?}, worst {:.2?} of {}", at(0.5), at(0.99), at(1.0), took.len())
}

fn resident(daemon: &Daemon) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.pid())).expect("its status");
    let line = status.lines().find(|l| l.starts_with("VmRSS:")).expect("its size");
    let kib: u64 = line.split_whitespace().nth(1).expect("a number").parse().expect("a number");
    kib * 1024
}

fn mb(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
