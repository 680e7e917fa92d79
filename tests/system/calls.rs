//! Calls: the caller's record opens, and the chat makes room (E1, E2, B4, B5).

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test waits for one kind of frame and lets the others pass"
)]

use crate::daemon::Centre;
use crate::talk::{accept, available};
use crate::visitor::{Visitor, person};
use serde_json::json;
use tieline_connector_api::sandbox::Sandbox;
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
