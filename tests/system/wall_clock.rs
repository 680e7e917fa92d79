//! Somebody sets the machine's clock while timers run: none fires early, none is lost, tokens go on, and it is said.

use crate::daemon::{Centre, Daemon};
use crate::panel::Panel;
use crate::shim::Shim;
use crate::talk::available;
use crate::visitor::{Visitor, person};
use std::time::{Duration, Instant};
use tieline_model::live::Status;

const HOUR_MS: i64 = 3_600_000;
/// How long an offer lasts in this test.
const OFFER: Duration = Duration::from_secs(3);

async fn off(daemon: &Daemon) -> f64 {
    let metrics = daemon.metrics().await;
    let line =
        metrics.lines().find_map(|line| line.strip_prefix("tieline_clock_off_seconds ")).expect("a metric");
    line.parse().expect("a number")
}

/// A chat is offered, the clock is set, and the offer ends when it should, not before and not never.
async fn offer_through(shim: &Shim, daemon: &Daemon, anna: &mut Panel, ahead_ms: i64) {
    available(anna).await;
    let _visitor = Visitor::starts(daemon, "support", person("Ines", "ines@example.org")).await;
    anna.until("an offer", |p| p.view.offer.as_ref().map(|_| ())).await;
    let began = Instant::now();
    shim.set_clock(ahead_ms);
    anna.until("the end of the offer", |p| p.view.offer.is_none().then_some(())).await;
    let took = began.elapsed();
    assert!(took + Duration::from_secs(1) >= OFFER, "an offer ended after {took:?}");
    assert!(took < OFFER + Duration::from_secs(10), "an offer ended only after {took:?}");
    assert!(!matches!(anna.view.me.status, Status::Offered), "the miss is seen");
}

// proves F1
#[tokio::test(flavor = "multi_thread")]
async fn a_clock_set_by_an_hour_fires_no_timer_early_loses_none_and_is_told() {
    let centre = Centre::start().await;
    let shim = Shim::build();
    let under = |run: &mut tokio::process::Command| {
        shim.under(run);
        run.env("TIELINE__TENANTS__DEMO__QUEUES__SUPPORT__ACCEPT_WITHIN", "3s");
    };
    let daemon = centre.daemon_as(under).await;
    let token = daemon.sign_in("demo", "anna").await;
    let mut anna = daemon.panel("anna").await;
    assert!(off(&daemon).await.abs() < 1.0);
    offer_through(&shim, &daemon, &mut anna, HOUR_MS).await;
    let ahead = off(&daemon).await;
    assert!((3_595.0..=3_605.0).contains(&ahead), "{ahead}");
    let (status, ready) = daemon.readyz().await;
    assert!(status == 200 && ready["impaired"].to_string().contains("clock"), "{ready}");

    // A token of before, and a new one.
    drop(Panel::open(&daemon.socket("/ws/agent"), &daemon.url, &token, None).await);
    drop(daemon.panel("ben").await);

    offer_through(&shim, &daemon, &mut anna, -HOUR_MS).await;
    let behind = off(&daemon).await;
    assert!((-3_605.0..=-3_595.0).contains(&behind), "{behind}");
    drop(Panel::open(&daemon.socket("/ws/agent"), &daemon.url, &token, None).await);
    daemon.kill().await;

    // Begun with the clock an hour back: the journal's time does not go back, nobody is lost, and offers end as before.
    let daemon = centre.daemon_as(under).await;
    let mut anna = daemon.panel("anna").await;
    let waiting = |p: &Panel| p.view.queues.iter().find(|q| q.queue.as_str() == "support").map(|q| q.waiting);
    assert_eq!(waiting(&anna), Some(2), "both wait again");
    offer_through(&shim, &daemon, &mut anna, -HOUR_MS).await;
    daemon.stop().await;
}
