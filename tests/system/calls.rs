//! Calls: the caller's record opens, and the chat makes room (E1, E2, B4, B5).

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test waits for one kind of frame and lets the others pass"
)]

use crate::broker::{Broker, publish, settings};
use crate::daemon::Centre;
use crate::talk::{accept, available, saved};
use crate::visitor::{Visitor, person};
use serde_json::json;
use tieline_connector_api::sandbox::{LogRecord, Sandbox};
use tieline_model::crm::PopTarget;
use tieline_model::live::{PanelFrame, Place};

// proves B4, B5, E1, E2
#[tokio::test]
async fn a_call_pops_its_caller_parks_the_chat_and_gives_it_back_as_wrap_up() {
    let centre = Centre::start().await;
    let daemon = centre.daemon().await;
    let caller = centre.crm.add_contact("Tomás Reyes", None, Some("020 7946 0777")).await;
    let mut anna = daemon.panel("anna").await;
    available(&mut anna).await;
    let mut visitor = Visitor::starts(&daemon, "support", person("Ines", "ines@example.org")).await;
    accept(&mut anna).await;
    let chat = visitor.interaction;

    daemon
        .call(
            "ringing",
            json!({ "call": "c-1", "from": "+44 20 7946 0777", "to": "+44 20 7946 0000", "agents": ["201"] }),
        )
        .await;
    let popped = anna.until("the caller's record", |p| {
        p.pops.iter().find_map(|pop| match pop {
            PanelFrame::Pop { target: PopTarget::Record { record, .. }, .. } => Some(record.id.clone()),
            _ => None,
        })
    });
    assert_eq!(popped.await.as_str(), caller);
    anna.until("the card", |p| p.view.calls.iter().find(|c| c.answered_at.is_none()).map(|_| ())).await;
    let place =
        |p: &crate::panel::Panel| p.view.items.iter().find(|i| i.interaction == chat).map(|i| i.place);
    assert_eq!(place(&anna), Some(Place::Active), "ringing alone does not park");

    daemon.call("answered", json!({ "call": "c-1", "agent": "anna" })).await;
    anna.until("the chat to park", |p| (place(p) == Some(Place::Parked)).then_some(())).await;
    visitor.ends().await;
    anna.until("parked wrap-up with its time standing still", |p| {
        let item = p.view.items.iter().find(|i| i.interaction == chat)?;
        (item.place == Place::Parked && item.wrap_up.as_ref()?.left.is_some()).then_some(())
    })
    .await;
    daemon.call("ended", json!({ "call": "c-1" })).await;
    anna.until("active wrap-up by itself", |p| {
        let item = p.view.items.iter().find(|i| i.interaction == chat)?;
        (item.place == Place::Active && item.wrap_up.as_ref()?.deadline.is_some()).then_some(())
    })
    .await;
    anna.until("no card", |p| p.view.calls.is_empty().then_some(())).await;
    // Late and twice: defined, and nothing happens.
    daemon.call("ended", json!({ "call": "c-1" })).await;
    daemon.call("ringing", json!({ "call": "c-1", "from": "+442079460777", "agents": ["anna"] })).await;
    daemon.stop().await;
}

// proves E2
#[tokio::test]
async fn withheld_and_own_numbers_match_nobody() {
    let centre = Centre::start().await;
    let daemon = centre.daemon().await;
    centre.crm.add_contact("Head Office", None, Some("+44 20 7946 0000")).await;
    let mut anna = daemon.panel("anna").await;
    for (call, from) in [("w-1", Some("anonymous")), ("w-2", None), ("w-3", Some("+442079460000"))] {
        daemon.call("ringing", json!({ "call": call, "from": from, "agents": ["anna"] })).await;
    }
    anna.until("three cards without a match", |p| {
        let done = |c: &&tieline_model::live::CallCard| {
            c.lookups
                .iter()
                .all(|l| l.matches.is_empty() && l.state == tieline_model::live::LookupState::Done)
                && !c.lookups.is_empty()
        };
        (p.view.calls.iter().filter(done).count() == 3).then_some(())
    })
    .await;
    assert!(anna.pops.is_empty(), "nothing popped: {:?}", anna.pops);
    daemon.stop().await;
}

/// The one task that holds a call, once it says this.
async fn task(centre: &Centre, key: &str, says: &str) -> LogRecord {
    let started = std::time::Instant::now();
    loop {
        let records = centre.crm.log_records().await;
        let ours: Vec<&LogRecord> = records.iter().filter(|r| r.key == key).collect();
        assert!(ours.len() <= 1, "a second record: {ours:?}");
        if let Some(task) = ours.first()
            && task.fields["Description"].as_str().is_some_and(|text| text.contains(says))
        {
            return (*task).clone();
        }
        assert!(started.elapsed() < 2 * crate::panel::PATIENCE, "no task says {says}: {ours:?}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

// proves D6, D7, E1, E4
#[tokio::test(flavor = "multi_thread")]
async fn a_call_over_the_broker_becomes_one_task_and_its_recording_changes_the_same_one() {
    let broker = tokio::task::spawn_blocking(|| Broker::start().expect("a broker")).await.expect("started");
    let centre = Centre::with(&settings(&broker)).await;
    let daemon = centre.daemon().await;
    let caller = centre.crm.add_contact("Tomás Reyes", None, Some("020 7946 0777")).await;
    let mut anna = daemon.panel("anna").await;
    daemon.until_metric("tieline_bus_moves 1").await;

    let ringing = json!({ "call": "t-1", "from": "+442079460777", "to": "+442079460000", "agents": ["201"] });
    publish(&broker, "ringing", ringing).await;
    let call = anna.until("the card with its match", |p| {
        p.view.calls.iter().find(|c| c.lookups.iter().any(|l| l.contact.is_some())).map(|c| c.interaction)
    });
    let call = call.await;
    publish(&broker, "answered", json!({ "call": "t-1", "agent": "anna" })).await;
    anna.until("the talk", |p| p.view.calls.iter().find(|c| c.answered_at.is_some()).map(|_| ())).await;
    publish(&broker, "ended", json!({ "call": "t-1" })).await;
    let label = anna.until("the log among the latest", |p| saved(p, call)).await;
    assert_eq!(label, "Task");
    let name = anna.view.logs.iter().find(|l| l.interaction == call).map(|l| l.name.clone());
    assert_eq!(name.as_deref(), Some("+442079460777"), "a call is called by its number");
    let first = task(&centre, &call.to_string(), "Call, inbound, answered").await;
    assert_eq!(first.fields["WhoId"], caller.as_str());
    assert_eq!(
        (&first.fields["CallType"], &first.fields["TaskSubtype"]),
        (&json!("Inbound"), &json!("Call"))
    );
    assert_eq!(first.fields["CallDisposition"], "Answered");

    // The recording comes late, and after a restart: the same task, nothing else in it changed.
    daemon.stop().await;
    let daemon = centre.daemon().await;
    daemon.until_metric("tieline_bus_moves 1").await;
    let recording = "https://recordings.example/t-1";
    publish(&broker, "recording_ready", json!({ "call": "t-1", "url": recording })).await;
    let second = task(&centre, &call.to_string(), recording).await;
    assert_eq!((second.id, &second.fields["Subject"]), (first.id, &first.fields["Subject"]));
    daemon.stop().await;
    tokio::task::spawn_blocking(move || drop(broker)).await.expect("stopped");
}

// proves B4, E1, E4
#[tokio::test]
async fn a_dialled_call_pops_whom_it_calls_and_is_logged_as_outbound() {
    let centre = Centre::with("[tenants.demo.calls]\nlog = \"all\"\n").await;
    let daemon = centre.daemon().await;
    let called = centre.crm.add_contact("Tomás Reyes", None, Some("020 7946 0777")).await;
    let mut anna = daemon.panel("anna").await;
    let dialled = json!({ "call": "d-1", "agent": "201", "to": "+442079460777", "from": "+442079460000" });
    daemon.call("dialled", dialled).await;
    let popped = anna.until("the record of whom she calls", |p| {
        p.pops.iter().find_map(|pop| match pop {
            PanelFrame::Pop { target: PopTarget::Record { record, .. }, .. } => Some(record.id.clone()),
            _ => None,
        })
    });
    assert_eq!(popped.await.as_str(), called);
    let call = anna.view.calls.first().expect("its card").interaction;
    daemon.call("ended", json!({ "call": "d-1" })).await;
    anna.until("the log", |p| saved(p, call)).await;
    let task = task(&centre, &call.to_string(), "Call, outbound, missed").await;
    assert_eq!((&task.fields["CallType"], &task.fields["WhoId"]), (&json!("Outbound"), &json!(called)));
    assert_eq!(task.fields["CallDisposition"], "Missed");
    daemon.stop().await;
}
