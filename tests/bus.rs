//! The bus against a real RabbitMQ, under the shipped engines and a journal in memory.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::wildcard_enum_match_arm, reason = "of what others define, a test names what it looks for")]

#[path = "support/broker.rs"]
mod broker;
#[path = "bus/faults.rs"]
mod faults;
#[path = "bus/moves.rs"]
mod moves;
#[path = "bus/pace.rs"]
mod pace;
#[path = "bus/poison.rs"]
mod poison;
#[path = "bus/rig.rs"]
mod rig;

use broker::Broker;
use futures::FutureExt;
use lapin::BasicProperties;
use lapin::options::{QueueDeclareOptions, QueueDeleteOptions, QueuePurgeOptions};
use lapin::types::{AMQPValue, FieldTable};
use rig::{
    Client, Rig, SEAL, SOON, acme, assert_complete_and_in_order, call, header, next, rabbit, salesforce,
    seen_up_to,
};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command as Process;
use std::time::Duration;
use tieline::bus::{Seal, State};
use tieline::journal::{Fault, Store};
use tieline::settings::{Bus, Span};
use tieline_model::TenantId;
use tokio::time::timeout;

// proves E1
#[tokio::test(flavor = "multi_thread")]
async fn a_producer_is_heard_and_what_it_says_wrong_is_parked_with_its_reason() {
    let broker = Broker::start().unwrap();
    let rig = Rig::start(rabbit(&broker)).await;
    rig.moves().await;
    // Nobody listened to what happened until here: counted, not lost in silence, and the cursor goes on.
    rig.until("the cursor is at the head", async || rig.published_up_to().await == rig.head()).await;
    assert!(rig.bus.counts().returned >= 1, "{:?}", rig.bus.counts());
    let client = Client::new(&broker).await;
    client.spy().await;
    let mut spy = client.consume("spy").await;
    let first = rig.head().next();
    let mut feed = rig.bus.log_wanted(&acme(), &salesforce()).unwrap();
    assert_eq!(feed.next().await, Some(rig.head()), "what was missed comes first");

    client.tell(&call("ringing", "e-1", "c-1")).await;
    let rang = next(&mut spy).await;
    assert_eq!(rang.routing_key.as_str(), "acme.call.rang.v1");
    assert_eq!(rang.properties.delivery_mode(), &Some(2));
    let event: Value = serde_json::from_slice(&rang.data).unwrap();
    assert_eq!(event["type"], "com.tieline.call.rang.v1");
    assert_eq!((event["tenant"].as_str(), event["seq"].as_u64()), (Some("acme"), Some(first.0)));
    assert_eq!(event["id"].as_str(), rang.properties.message_id().as_ref().map(|id| id.as_str()));
    assert_eq!(event["data"]["agents"], json!(["anna"]), "the extension was resolved");
    assert!(!rang.data.windows(5).any(|w| w == b"+4420"), "no number travels");
    assert_eq!(timeout(SOON, feed.next()).await.unwrap(), Some(first), "the connection's queue brought it");

    // The same again counts once.
    client.tell(&call("ringing", "e-1", "c-1")).await;
    rig.until("the repetition is acknowledged", async || rig.bus.counts().repeated == 1).await;
    assert_eq!(rig.head(), first);

    // The same id with another body is another command: refused.
    client.tell(&call("ringing", "e-1", "c-2")).await;
    rig.until("it is parked", async || rig.bus.counts().parked == 1).await;
    // Poison of every kind, and one that asks for an answer.
    client.publish("tieline.intake", "acme.x", b"not json +442079460000", BasicProperties::default()).await;
    client.publish("tieline.intake", "nobody.x", b"{}", BasicProperties::default()).await;
    let options = QueueDeclareOptions { exclusive: true, ..QueueDeclareOptions::default() };
    client.channel.queue_declare("answers".into(), options, FieldTable::default()).await.unwrap();
    let mut answers = client.consume("answers").await;
    let mut unknown = call("ringing", "e-2", "c-1");
    unknown["type"] = json!("com.tieline.call.exploded.v1");
    let asks =
        || BasicProperties::default().with_reply_to("answers".into()).with_correlation_id("q-1".into());
    client.publish("tieline.intake", "acme.x", unknown.to_string().as_bytes(), asks()).await;
    let answer = next(&mut answers).await;
    assert_eq!(answer.properties.correlation_id().as_ref().map(|id| id.as_str()), Some("q-1"));
    let said: Value = serde_json::from_slice(&answer.data).unwrap();
    assert_eq!((said["accepted"].as_bool(), said["field"].as_str()), (Some(false), Some("type")), "{said}");
    let ended = call("ended", "e-3", "c-1").to_string();
    client.publish("tieline.intake", "acme.x", ended.as_bytes(), asks()).await;
    let said: Value = serde_json::from_slice(&next(&mut answers).await.data).unwrap();
    assert_eq!((said["accepted"].as_bool(), said["seq"].as_u64()), (Some(true), Some(rig.head().0)));

    let mut parked = client.consume("tieline.parked").await;
    let mut reasons = Vec::new();
    for _ in 0..4 {
        let message = next(&mut parked).await;
        let body = Seal::new(&SEAL).open(&message.data).unwrap();
        assert!(!message.data.windows(5).any(|w| w == b"+4420"), "parked unreadable");
        let queue = header(&message, "tieline-queue").unwrap();
        assert!(queue.starts_with("tieline.intake."), "{queue}");
        reasons.push((
            header(&message, "tieline-code").unwrap(),
            header(&message, "tieline-field"),
            body.len(),
        ));
    }
    reasons.sort();
    let codes: Vec<_> = reasons.iter().map(|(code, field, _)| (code.as_str(), field.as_deref())).collect();
    let none = None::<&str>;
    assert_eq!(
        codes,
        [
            ("id_reused", Some("id")),
            ("invalid", none),
            ("invalid", Some("specversion")),
            ("invalid", Some("type"))
        ]
    );
    rig.until("nothing waits", async || rig.bus.counts().taken == 3).await;

    // A second daemon finds everything declared already.
    let second = Rig::start(rabbit(&broker)).await;
    second.moves().await;
    assert_eq!(second.bus.counts().dropped, 0);
    second.end().await;
    rig.end().await;
    drop(client.connection);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_in_python_rings_a_phone() {
    let broker = Broker::start().unwrap();
    let rig = Rig::start(rabbit(&broker)).await;
    rig.moves().await;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/publish_call.py");
    let before = rig.head();
    let ran = tokio::task::spawn_blocking({
        let url = broker.url();
        move || {
            let site = pika();
            let mut python = Process::new("python3");
            python.arg(script).args([url.as_str(), "acme", "+442079460000", "anna"]);
            python.env("PYTHONPATH", site).output().unwrap()
        }
    });
    let ran = ran.await.unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    rig.until("it rang", async || rig.head() > before).await;
    assert_eq!(rig.bus.counts().refused, 0);
    rig.end().await;
}

/// Where pika is, or is put.
fn pika() -> String {
    let site = Path::new(env!("CARGO_TARGET_TMPDIR")).join("python");
    let site = site.to_str().unwrap().to_owned();
    let has = |site: &str| {
        Process::new("python3")
            .args(["-c", "import pika"])
            .env("PYTHONPATH", site)
            .output()
            .unwrap()
            .status
            .success()
    };
    if !has(&site) {
        let pip =
            ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target", &site, "pika"];
        let done = Process::new("python3").args(pip).output().unwrap();
        assert!(done.status.success() && has(&site), "pip: {}", String::from_utf8_lossy(&done.stderr));
    }
    site
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_broker_loses_nothing_and_stops_nobody() {
    let mut broker = Broker::start().unwrap();
    let rig = Rig::start(rabbit(&broker)).await;
    rig.moves().await;
    let client = Client::new(&broker).await;
    client.spy().await;

    // An operator's stop. It also makes the spy's queue certain: RabbitMQ 3.10 forgets a queue that was declared less
    // than half a second before a kill.
    client.tell(&call("ringing", "c-0", "c-0")).await;
    broker.stop();
    rig.until("it is noticed", async || rig.bus.health().state == State::Down).await;
    broker.start_again().unwrap();
    rig.moves().await;
    let client = Client::new(&broker).await;
    client.tell(&call("ended", "c-1", "c-0")).await;
    rig.until("both were taken", async || rig.bus.counts().taken >= 2).await;
    rig.until("the cursor is at the head", async || rig.published_up_to().await == rig.head()).await;
    client.channel.queue_purge("spy".into(), QueuePurgeOptions::default()).await.unwrap();

    let first = rig.head().next();
    for n in 0..300 {
        rig.say(&call("ringing", &format!("a-{n}"), &format!("a-{n}"))).await;
    }
    // In mid-flight: some are confirmed, some are not.
    broker.kill();
    let mut slowest = Duration::ZERO;
    for n in 0..300 {
        slowest = slowest.max(rig.say(&call("ringing", &format!("b-{n}"), &format!("b-{n}"))).await);
    }
    rig.until("it is noticed", async || rig.bus.health().state == State::Down).await;
    assert!(rig.bus.health().problem.is_some());
    assert!(slowest < Duration::from_secs(1), "a commit took {slowest:?} without a broker");
    let mut feed = rig.bus.log_wanted(&acme(), &salesforce()).unwrap();
    assert_eq!(timeout(SOON, feed.next()).await.unwrap(), Some(rig.head()), "logs follow the journal");
    rig.say(&call("ended", "b-end", "b-1")).await;
    assert_eq!(timeout(SOON, feed.next()).await.unwrap(), Some(rig.head()), "and go on following it");

    broker.start_again().unwrap();
    rig.moves().await;
    let last = rig.head();
    rig.until("the cursor is at the head", async || rig.published_up_to().await == last).await;
    let client = Client::new(&broker).await;
    let mut spy = client.consume("spy").await;
    let seen = seen_up_to(&mut spy, last).await;
    assert_complete_and_in_order(&seen, first.0, last.0);
    rig.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_under_alarm_is_noticed_left_and_found_again() {
    let broker = Broker::start().unwrap();
    let rig = Rig::start(Bus { blocked_for: Span::secs(2), ..rabbit(&broker) }).await;
    rig.moves().await;
    let client = Client::new(&broker).await;
    client.spy().await;
    rig.until("the cursor is at the head", async || rig.published_up_to().await == rig.head()).await;
    let first = rig.head().next();
    let mut feed = rig.bus.log_wanted(&acme(), &salesforce()).unwrap();
    feed.next().await.unwrap();

    broker.control(&["set_vm_memory_high_watermark", "0.000001"]).unwrap();
    rig.until("the alarm is noticed", async || {
        rig.say(&call("ended", &uuid::Uuid::new_v4().to_string(), "x")).await;
        rig.say(&call("ringing", &uuid::Uuid::new_v4().to_string(), &uuid::Uuid::new_v4().to_string())).await;
        rig.bus.health().state == State::Blocked
    })
    .await;
    assert!(!rig.bus.health().moves());
    let problem = rig.bus.health().problem.unwrap();
    assert!(problem.contains("memory"), "{problem}");
    let took = rig.say(&call("ringing", "under-alarm", "under-alarm")).await;
    assert!(took < Duration::from_secs(1), "a commit took {took:?} under an alarm");
    let head = rig.head();
    rig.until("logs follow the journal", async || feed.next().now_or_never().flatten() == Some(head)).await;

    // Longer than is put up with: the session is left, and what it held is freed although lapin writes no goodbye.
    rig.until("three sessions were given up", async || rig.bus.counts().dropped >= 3).await;
    rig.until("no thread of a left session stays", async || lapin_threads() <= 2 + 2).await;

    broker.control(&["set_vm_memory_high_watermark", "0.4"]).unwrap();
    rig.moves().await;
    let last = rig.head();
    rig.until("the cursor is at the head", async || rig.published_up_to().await == last).await;
    let mut spy = client.consume("spy").await;
    let seen = seen_up_to(&mut spy, last).await;
    assert_complete_and_in_order(&seen, first.0, last.0);
    rig.end().await;
}

/// lapin has one thread per connection; the test's own client and a session's two are always there, one may be
/// between being left and ending.
fn lapin_threads() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let names = tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.filter(|name| name.starts_with("lapin-io-loop")).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topology_that_does_not_fit_is_told_in_words_and_mended_where_it_can_be() {
    let broker = Broker::start().unwrap();
    let client = Client::new(&broker).await;
    client.declare("tieline.intake.15", "classic").await;
    client.declare("tieline.connector.sf", "quorum").await;
    let ttl = ("x-message-ttl", AMQPValue::LongInt(24 * 60 * 60 * 1000));
    client.declare_with("tieline.parked", "classic", &[ttl]).await;
    let rig = Rig::start(rabbit(&broker)).await;
    rig.until("the misfit is told", async || rig.bus.health().problem.is_some()).await;
    let problem = rig.bus.health().problem.unwrap();
    for told in [
        "queue tieline.parked has x-queue-type = classic, Tieline needs quorum",
        "queue tieline.connector.sf has x-dead-letter-exchange = nothing, Tieline needs tieline.parked",
        "queue tieline.intake.15 has x-dead-letter-exchange = nothing, Tieline needs tieline.intake.unrouted",
        "empty it, delete it, and it is made anew",
    ] {
        assert!(problem.contains(told), "{told}: {problem}");
    }
    assert_eq!(rig.bus.health().state, State::Down);
    for queue in ["tieline.intake.15", "tieline.connector.sf", "tieline.parked"] {
        client.channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await.unwrap();
    }
    rig.moves().await;

    // Somebody takes a binding away: the first event that misses it drops the session, which binds it again.
    rig.until("the cursor is at the head", async || rig.published_up_to().await == rig.head()).await;
    let none = FieldTable::default();
    let (queue, exchange) = ("tieline.connector.sf".into(), "tieline.events".into());
    client.channel.queue_unbind(queue, exchange, "acme.call.#".into(), none).await.unwrap();
    let before = rig.bus.counts();
    rig.say(&call("ringing", "e-1", "c-1")).await;
    rig.until("the session is made again", async || rig.bus.counts().sessions > before.sessions).await;
    rig.until("the event arrives after all", async || rig.bus.counts().heard > before.heard).await;

    // A queue that is deleted under us is made again too.
    let before = rig.bus.counts();
    client.channel.queue_delete("tieline.intake.15".into(), QueueDeleteOptions::default()).await.unwrap();
    rig.until("the session is made again", async || rig.bus.counts().sessions > before.sessions).await;
    rig.moves().await;
    rig.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn input_waits_in_order_while_the_journal_takes_nothing() {
    let broker = Broker::start().unwrap();
    let rig = Rig::start(rabbit(&broker)).await;
    rig.moves().await;
    let before = rig.head();
    rig.store.inject(|op| match op {
        tieline::journal::Op::Commit => Fault::Full,
        _ => Fault::None,
    });
    let client = Client::new(&broker).await;
    for (n, kind) in ["ringing", "answered", "ended"].into_iter().enumerate() {
        client.tell(&call(kind, &format!("e-{n}"), "c-1")).await;
    }
    rig.until("it waits", async || rig.bus.counts().deferred >= 3).await;
    assert_eq!((rig.head(), rig.bus.counts().taken, rig.bus.counts().parked), (before, 0, 0));
    rig.store.heal();
    rig.until("all three are taken", async || rig.bus.counts().taken == 3).await;
    let rows = rig.store.read(&acme(), before, 100).await.unwrap();
    let kinds: Vec<_> = rows.iter().map(|row| row.event.kind()).collect();
    let order = ["call.rang.v1", "call.answered.v1", "call.ended.v1"];
    let calls: Vec<_> = kinds.into_iter().filter(|kind| order.contains(kind)).collect();
    assert_eq!(calls, order);
    assert_eq!(rig.bus.counts().parked, 0);
    rig.end().await;
}

#[tokio::test]
async fn the_embedded_bus_follows_the_journal_and_needs_nothing() {
    let rig = Rig::start(Bus::default()).await;
    assert!(rig.bus.health().moves());
    assert_eq!(rig.bus.health().state, State::Embedded);
    let mut feed = rig.bus.log_wanted(&acme(), &salesforce()).unwrap();
    assert_eq!(feed.next().await, Some(rig.head()));
    assert!(feed.next().now_or_never().is_none(), "nothing new, nothing said");
    rig.say(&call("ringing", "e-1", "c-1")).await;
    assert_eq!(feed.next().await, Some(rig.head()));
    assert!(rig.bus.log_wanted(&TenantId::new("nobody").unwrap(), &salesforce()).is_none());
    rig.end().await;
}
