//! What an operator is told: by `tieline doctor` before the start, by `/readyz` afterwards.

use crate::broker::{Broker, settings};
use crate::daemon::Centre;
use crate::panel::PATIENCE;
use std::process::Output;
use std::time::{Duration, Instant};

/// Its exit status and what it printed, both streams.
fn said(output: Output) -> (i32, String) {
    let text =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    (output.status.code().unwrap_or(-1), text)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_sees_a_sound_machine_a_missing_broker_and_an_open_key() {
    let broker = tokio::task::spawn_blocking(|| Broker::start().expect("a broker")).await.expect("started");
    let centre = Centre::with(&settings(&broker)).await;
    let (status, text) = said(centre.verb("doctor").await);
    assert_eq!(status, 0, "{text}");
    for line in [
        "good    journal.path: ",
        "journal.key is made at the first start",
        "good    http.listen: ",
        "good    bus.url: the broker is there",
        "demo/crm: Salesforce",
        "good    clock: ",
    ] {
        assert!(text.contains(line), "no {line} in\n{text}");
    }

    let daemon = centre.daemon().await;
    daemon.until_metric("tieline_bus_moves 1").await;
    assert_eq!(daemon.readyz().await, (200, serde_json::json!({ "status": "ready" })));
    let mut broker = broker;
    let broker = tokio::task::spawn_blocking(move || {
        broker.stop();
        broker
    });
    let broker = broker.await.expect("stopped");
    daemon.until_metric("tieline_bus_moves 0").await;
    let started = Instant::now();
    loop {
        let (status, body) = daemon.readyz().await;
        assert_eq!(status, 200, "chats go on, so it stays in service: {body}");
        if body["impaired"]["bus"].as_str().is_some_and(|why| why.contains("no connection to the broker")) {
            break;
        }
        assert!(started.elapsed() < PATIENCE, "it does not say what is wrong: {body}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    daemon.stop().await;

    let key = centre.file("journal.key");
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    std::fs::set_permissions(&key, open).expect("opened");
    let (status, text) = said(centre.verb("doctor").await);
    assert_eq!(status, 1, "{text}");
    assert!(text.contains("ERROR   bus.url: no connection to the broker"), "{text}");
    assert!(text.contains("journal.key has mode 644, so others can read it; chmod 600"), "{text}");
    drop(broker);
}

#[tokio::test]
async fn the_doctor_says_what_a_crm_will_not_have_and_looks_through_a_journal_at_rest() {
    let centre = Centre::start().await;
    let user = ("TIELINE__TENANTS__DEMO__CONNECTIONS__CRM__SALESFORCE__USERNAME", "nobody@elsewhere.example");
    let (status, text) = said(centre.verb_under("doctor", &[user]).await);
    assert!(status == 1 && text.contains("demo/crm: Salesforce") && text.contains("  ERROR   "), "{text}");
    let daemon = centre.daemon().await;
    daemon.stop().await;
    let (status, text) = said(centre.verb("doctor").await);
    assert!(status == 0 && text.contains("the journal is whole"), "{text}");
    let (status, text) = said(centre.verb_under("doctor", &[("TIELINE__SCAN__CLAMD", "127.0.0.1:1")]).await);
    assert!(status == 1 && text.contains("  ERROR   scan.clamd: clamd cannot be asked: "), "{text}");
}
