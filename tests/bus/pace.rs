//! How quickly a backlog of the intake is carried out: messages that wait share a commit.

use crate::broker::Broker;
use crate::rig::{Client, Rig, acme, call, rabbit};
use lapin::BasicProperties;
use lapin::options::BasicPublishOptions;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use std::time::Instant;
use tieline::journal::{MasterKey, Sqlite, Store};
use tieline_model::Seq;

/// Messages that wait at the broker.
const WAITING: u64 = 2_000;

/// Commits so far, as the metrics have them.
fn commits_of(rig: &Rig<Sqlite>) -> u64 {
    let (mut registry, mut text) = (Registry::default(), String::new());
    rig.engines.meter().register(&mut registry);
    encode(&mut text, &registry).unwrap();
    let count = text.lines().find_map(|line| line.strip_prefix("commit_duration_seconds_count "));
    count.unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_wait_are_carried_out_in_order_and_share_commits() {
    let folder = tempfile::tempdir().unwrap();
    let key = MasterKey::load_or_create(&folder.path().join("journal.key")).unwrap();
    let store = Sqlite::open(&folder.path().join("journal.db"), key).await.unwrap();
    let broker = Broker::start().unwrap();
    let mut rig = Rig::over(store, rabbit(&broker)).await;
    rig.moves().await;
    // The bus goes, the queues stay, and fill.
    let embedded = Rig::<Sqlite>::bus(Default::default(), rig.store.clone(), rig.engines.clone());
    std::mem::replace(&mut rig.bus, embedded).shutdown().await;
    let client = Client::new(&broker).await;
    let mut confirms = Vec::new();
    for n in 0..WAITING {
        let kind = if n % 2 == 0 { "ringing" } else { "ended" };
        let body = call(kind, &format!("e-{n}"), &format!("c-{:06}", n / 2)).to_string();
        let properties = BasicProperties::default().with_delivery_mode(2);
        let (to, key, options) =
            ("tieline.intake".into(), "acme.call".into(), BasicPublishOptions::default());
        let sent = client.channel.basic_publish(to, key, options, body.as_bytes(), properties).await;
        confirms.push(sent.unwrap());
    }
    for confirm in confirms {
        assert!(confirm.await.unwrap().is_ack());
    }

    let commits = commits_of(&rig);
    let before = rig.head();
    rig.bus = Rig::<Sqlite>::bus(rabbit(&broker), rig.store.clone(), rig.engines.clone());
    rig.until("the first is taken", async || rig.bus.counts().taken > 0).await;
    let began = Instant::now();
    let first = rig.bus.counts().taken;
    rig.until("all are taken", async || rig.bus.counts().taken == WAITING).await;
    let rate = (WAITING - first) as f64 / began.elapsed().as_secs_f64();
    let commits = commits_of(&rig) - commits;
    println!("{WAITING} messages that waited: {rate:.0} a second, in {commits} commits");
    assert!(commits * 4 <= WAITING, "{commits} commits for {WAITING} messages");
    assert_eq!(rig.bus.counts().parked, 0);

    let mut calls = Vec::new();
    let mut at = before;
    loop {
        let rows = rig.store.read(&acme(), at, 1_000).await.unwrap();
        let Some(last) = rows.last() else { break };
        at = Seq(last.seq.0);
        for row in rows {
            let event = serde_json::to_value(&row.event).unwrap();
            if let ("call.rang.v1" | "call.ended.v1", Some(call)) = (row.event.kind(), event["call"].as_str())
            {
                calls.push((call.to_owned(), row.event.kind()));
            }
        }
    }
    let kind = |n: u64| if n.is_multiple_of(2) { "call.rang.v1" } else { "call.ended.v1" };
    let told: Vec<_> = (0..WAITING).map(|n| (format!("c-{:06}", n / 2), kind(n))).collect();
    assert!(calls == told, "in the order in which they were told");
    rig.end().await;
}
