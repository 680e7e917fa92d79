//! SIGTERM: nothing new, offers back, sockets away, what is in flight finished, all within a bound.

use crate::daemon::Centre;
use crate::panel::{PATIENCE, Panel};
use crate::talk::{accept, available, saved};
use crate::visitor::{Visitor, command, person};
use serde_json::json;
use std::time::{Duration, Instant};
use tieline_connector_api::sandbox::{Fault, Sandbox};
use tieline_model::InteractionId;
use tieline_model::live::{AgentDeed, ChatState};

/// Longer than any test waits.
const FOR_EVER: Fault = Fault::Stall { ms: 600_000 };

/// A chat of Anna's that is over, and whose log the CRM now holds up.
async fn log_in_flight(centre: &Centre, anna: &mut Panel, chat: InteractionId) {
    centre.crm.inject(FOR_EVER, 1_000).await;
    anna.does(AgentDeed::EndChat { interaction: chat }).await;
    anna.does(AgentDeed::CompleteWrapUp { interaction: chat }).await;
    let sending = |p: &Panel| p.view.logs.iter().any(|l| l.interaction == chat && !l.deliveries.is_empty());
    anna.until("the log on its way", |p| sending(p).then_some(())).await;
}

// proves D6, F1, F3
#[tokio::test]
async fn a_stop_in_mid_offer_and_mid_delivery_is_bounded_and_loses_nothing() {
    let centre = Centre::with("[daemon]\ndrain_within = \"5s\"\n").await;
    let daemon = centre.daemon().await;
    let mut anna = daemon.panel("anna").await;
    available(&mut anna).await;
    let mut first = Visitor::starts(&daemon, "support", person("Ines", "ines@example.org")).await;
    accept(&mut anna).await;
    first.writes("one").await;
    log_in_flight(&centre, &mut anna, first.interaction).await;
    let second = Visitor::starts(&daemon, "support", person("Tom", "tom@example.org")).await;
    anna.until("the offer", |p| p.view.offer.as_ref().map(|_| ())).await;

    daemon.terminate().await;
    let told = Instant::now();
    // The offer goes back first, or with the socket; what is sure is that the socket is sent away.
    while anna.next().await {}
    while daemon.readyz().await.0 != 503 {
        assert!(told.elapsed() < PATIENCE, "still ready");
    }
    let body = json!({ "id": command(), "queue": "support", "person": {} });
    let refused = daemon.post("/api/v1/demo/chats", &body).await;
    assert_eq!((refused.status().as_u16(), refused.headers().contains_key("retry-after")), (503, true));
    assert_eq!(daemon.ended().await, Some(0));
    let took = told.elapsed();
    assert!(took >= Duration::from_secs(2), "the log in flight was given time: {took:?}");
    assert!(took <= Duration::from_secs(6), "whatever the CRM does, it ends in time: {took:?}");

    centre.crm.clear_faults().await;
    let daemon = centre.daemon().await;
    let second = Visitor::joins(&daemon, second.interaction, second.token.clone()).await;
    assert!(matches!(second.state, ChatState::Waiting { position: Some(1), .. }), "{:?}", second.state);
    let mut anna = daemon.panel("anna").await;
    let offer = anna.until("the offer, again", |p| p.view.offer.clone()).await;
    assert_eq!(offer.interaction, second.interaction, "Anna is Available still, so the offer was no miss");
    anna.does(AgentDeed::AcceptOffer { offer: offer.offer }).await;
    anna.until("the case", |p| saved(p, first.interaction)).await;
    let keys: Vec<String> = centre.crm.log_records().await.into_iter().map(|r| r.key).collect();
    assert_eq!(keys, [first.interaction.to_string()], "one case, once");
    daemon.stop().await;
}

// proves F3
#[tokio::test]
async fn a_log_that_the_crm_takes_in_time_is_finished_before_the_end() {
    let centre = Centre::start().await;
    let daemon = centre.daemon().await;
    let mut anna = daemon.panel("anna").await;
    available(&mut anna).await;
    let mut visitor = Visitor::starts(&daemon, "support", person("Ines", "ines@example.org")).await;
    accept(&mut anna).await;
    visitor.writes("one").await;
    let chat = visitor.interaction;
    centre.crm.inject(Fault::Latency { ms: 300 }, 1).await;
    anna.does(AgentDeed::EndChat { interaction: chat }).await;
    anna.does(AgentDeed::CompleteWrapUp { interaction: chat }).await;
    let sending = |p: &Panel| p.view.logs.iter().any(|l| l.interaction == chat && !l.deliveries.is_empty());
    anna.until("the log on its way", |p| sending(p).then_some(())).await;
    let begun = centre.crm.requests().await;
    let started = Instant::now();
    while centre.crm.requests().await == begun {
        assert!(started.elapsed() < PATIENCE, "nothing is sent");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    daemon.stop().await;
    let keys: Vec<String> = centre.crm.log_records().await.into_iter().map(|r| r.key).collect();
    assert_eq!(keys, [chat.to_string()], "saved although the daemon was told to stop in the middle");
}

// proves F3
#[tokio::test]
async fn told_twice_it_leaves_at_once_and_goes_on_later() {
    let centre = Centre::start().await;
    let daemon = centre.daemon().await;
    let mut anna = daemon.panel("anna").await;
    available(&mut anna).await;
    let mut visitor = Visitor::starts(&daemon, "support", person("Ines", "ines@example.org")).await;
    accept(&mut anna).await;
    visitor.writes("one").await;
    log_in_flight(&centre, &mut anna, visitor.interaction).await;
    daemon.terminate().await;
    while daemon.readyz().await.0 != 503 {}
    let told = Instant::now();
    daemon.terminate().await;
    assert_eq!(daemon.ended().await, Some(143));
    assert!(told.elapsed() < Duration::from_secs(5), "it took {:?}", told.elapsed());

    centre.crm.clear_faults().await;
    let daemon = centre.daemon().await;
    let mut anna = daemon.panel("anna").await;
    anna.until("the case", |p| saved(p, visitor.interaction)).await;
    assert_eq!(centre.crm.log_records().await.len(), 1);
    daemon.stop().await;
}

/// The next thing the daemon tells its service manager.
async fn told(manager: &tokio::net::UnixDatagram) -> String {
    let mut buffer = [0; 4_096];
    let read = tokio::time::timeout(PATIENCE, manager.recv(&mut buffer)).await.expect("a word in time");
    String::from_utf8(buffer[..read.expect("a datagram")].to_vec()).expect("text")
}

#[tokio::test]
async fn the_service_manager_hears_that_it_is_ready_lives_and_stops() {
    let centre = Centre::with("[daemon]\ndrain_within = \"7s\"\n").await;
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("notify");
    let manager = tokio::net::UnixDatagram::bind(&socket).expect("a socket");
    let socket = socket.to_str().expect("a path");
    let watched = |run: &mut tokio::process::Command| {
        run.env("NOTIFY_SOCKET", socket).env("WATCHDOG_USEC", "300000");
    };
    let daemon = centre.daemon_as(watched).await;
    assert_eq!(told(&manager).await, "READY=1\nSTATUS=ready\n");
    for _ in 0..3 {
        assert_eq!(told(&manager).await, "WATCHDOG=1\n");
    }
    daemon.terminate().await;
    let last = loop {
        let word = told(&manager).await;
        if word != "WATCHDOG=1\n" {
            break word;
        }
    };
    assert!(last.starts_with("STOPPING=1\nEXTEND_TIMEOUT_USEC=12000000\nSTATUS=stopping"), "{last}");
    assert_eq!(daemon.ended().await, Some(0));
}
