//! Three CRMs at once, measured from outside: `cargo bench --bench crms`.
//!
//! What a chat and a call cost each CRM in requests, how long it takes from a call event to the pop in each CRM's page
//! when the stand-ins answer at once and when they take 50 ms, and what three connections cost in memory.

#[path = "../tests/system/crms.rs"]
#[allow(dead_code)]
mod crms;
#[path = "../tests/system/daemon.rs"]
#[allow(dead_code)]
mod daemon;
#[path = "../tests/system/panel.rs"]
#[allow(dead_code)]
mod panel;
#[path = "../tests/system/visitor.rs"]
#[allow(dead_code)]
mod visitor;

use crms::{CALLER, Crm, centre_with, chat, known_everywhere, saved};
use daemon::Daemon;
use panel::Panel;
use serde_json::json;
use std::time::{Duration, Instant};
use tieline_connector_api::sandbox::Fault;
use tieline_model::InteractionId;
use tieline_model::command::Presence;
use tieline_model::crm::PopTarget;
use tieline_model::live::{AgentDeed, PanelFrame};
use tokio::sync::mpsc;

const CALLS: usize = 300;
const CHATS: usize = 100;
/// So often, to see whether memory grows with what is over.
const ROUNDS: usize = 5;

fn main() {
    // `cargo test` builds and runs benches too; there is nothing to test here.
    if !std::env::args().any(|a| a == "--bench") {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(measure());
}

async fn measure() {
    let (centre, crms) = centre_with(vec![Crm::dynamics().await, Crm::zendesk().await]).await;
    let daemon = centre.daemon().await;
    println!("idle memory (resident), three connections: {:.1} MB", mb(resident(&daemon)));
    known_everywhere(&crms).await;
    let mut anna = daemon.panel_in("anna", crms[0].host()).await;
    anna.does(AgentDeed::SetPresence { presence: Presence::Available, confirmed: false }).await;
    // Tokens are got once.
    let first = chat(&daemon, &mut anna).await;
    until_saved(&mut anna, first, crms.len()).await;

    let before = counts(&crms).await;
    let one = chat(&daemon, &mut anna).await;
    until_saved(&mut anna, one, crms.len()).await;
    say_requests("a chat of a known contact", &crms, &before).await;
    let before = counts(&crms).await;
    let call = a_call(&daemon, &mut anna, "count").await;
    until_saved(&mut anna, call, crms.len()).await;
    say_requests("an answered call of a known contact", &crms, &before).await;

    for round in 1..=ROUNDS {
        for _ in 0..CHATS {
            let id = chat(&daemon, &mut anna).await;
            until_saved(&mut anna, id, crms.len()).await;
        }
        println!("memory (resident) after {} chats: {:.1} MB", round * CHATS, mb(resident(&daemon)));
    }
    drop(anna);

    let (popped, mut pops) = mpsc::unbounded_channel();
    for (n, crm) in crms.iter().enumerate() {
        let mut page = daemon.panel_in("anna", crm.host()).await;
        let popped = popped.clone();
        tokio::spawn(async move {
            while page.next().await {
                for pop in page.pops.drain(..) {
                    if matches!(pop, PanelFrame::Pop { target: PopTarget::Record { .. }, .. }) {
                        // The measurement may be over.
                        let _ = popped.send((n, Instant::now()));
                    }
                }
            }
        });
    }
    for ms in [0, 50] {
        for crm in &crms {
            crm.stand_in.inject(Fault::Latency { ms }, 1).await;
        }
        let took = rings(&daemon, &mut pops, crms.len(), ms).await;
        for (crm, took) in crms.iter().zip(took) {
            println!("call.ringing over HTTP to pop, {} at {ms} ms: {}", crm.vendor, percentiles(took));
        }
    }
    daemon.stop().await;
}

/// Calls ring one after another; how long each page waited for its record.
async fn rings(
    daemon: &Daemon,
    pops: &mut mpsc::UnboundedReceiver<(usize, Instant)>,
    pages: usize,
    round: u64,
) -> Vec<Vec<Duration>> {
    let mut took = vec![Vec::with_capacity(CALLS); pages];
    for n in 0..CALLS {
        let call = format!("ring-{round}-{n}");
        let began = Instant::now();
        daemon.call("ringing", json!({ "call": call, "from": CALLER, "agents": ["anna"] })).await;
        for _ in 0..pages {
            let pop = tokio::time::timeout(Duration::from_secs(10), pops.recv()).await;
            let (page, at) = pop.expect("a pop in time").expect("a page");
            took[page].push(at - began);
        }
        daemon.call("ended", json!({ "call": call })).await;
    }
    took
}

async fn a_call(daemon: &Daemon, anna: &mut Panel, call: &str) -> InteractionId {
    daemon.call("ringing", json!({ "call": call, "from": CALLER, "agents": ["anna"] })).await;
    let id = anna.until("the call", |p| p.view.calls.first().map(|c| c.interaction)).await;
    let all = anna.until("every CRM's answer", |p| {
        let card = p.view.calls.first()?;
        card.lookups.iter().all(|l| l.contact.is_some()).then_some(card.lookups.len())
    });
    assert!(all.await >= 3, "a CRM was not asked");
    daemon.call("answered", json!({ "call": call, "agent": "anna" })).await;
    daemon.call("ended", json!({ "call": call })).await;
    id
}

async fn until_saved(anna: &mut Panel, id: InteractionId, crms: usize) {
    anna.until("each connection's record", |p| (saved(p, id) == crms).then_some(())).await;
}

async fn counts(crms: &[Crm]) -> Vec<u64> {
    let mut counts = Vec::new();
    for crm in crms {
        counts.push(crm.stand_in.requests().await);
    }
    counts
}

async fn say_requests(what: &str, crms: &[Crm], before: &[u64]) {
    for (crm, before) in crms.iter().zip(before) {
        let made = crm.stand_in.exchanges(*before).await;
        let list: Vec<String> = made.iter().map(|e| format!("{} {}", e.method, e.path)).collect();
        println!("requests for {what}, {}: {} ({})", crm.vendor, made.len(), list.join(", "));
    }
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
