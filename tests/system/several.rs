//! One contact centre with several CRMs at once: each pops in its own page and gets its own record, and trouble in one
//! is no trouble in another, nor for the agents.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test waits for one kind of frame and lets the others pass"
)]

use crate::crms::{CALLER, Crm, centre_with, chat, known_everywhere, saved};
use crate::panel::{PATIENCE, Panel};
use crate::talk::available;
use crate::visitor::{Visitor, person};
use serde_json::json;
use std::time::{Duration, Instant};
use tieline_connector_api::sandbox::Fault;
use tieline_model::InteractionId;
use tieline_model::crm::PopTarget;
use tieline_model::live::{AgentDeed, PanelFrame};
use tieline_sandbox::faults::{Any as AnyFault, Dynamics};
use tieline_sandbox::zendesk;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A panel that somebody has open in another window: it takes in what comes.
struct Window {
    stop: CancellationToken,
    task: JoinHandle<Panel>,
}

impl Window {
    fn open(mut panel: Panel) -> Self {
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let task = tokio::spawn(async move {
            loop {
                tokio::select! {
                    biased;
                    () = stopped.cancelled() => return panel,
                    open = panel.next() => assert!(open, "the daemon closed a panel that reads along"),
                }
            }
        });
        Self { stop, task }
    }

    async fn close(self) -> Panel {
        self.stop.cancel();
        self.task.await.expect("no panic")
    }
}

/// The records that opened in a panel for an interaction, by connection.
fn popped(panel: &Panel, id: InteractionId) -> Vec<(String, String)> {
    let pops = panel.pops.iter().filter_map(|pop| match pop {
        PanelFrame::Pop { interaction, connection, target: PopTarget::Record { record, .. }, .. }
            if *interaction == id =>
        {
            Some((connection.to_string(), record.id.to_string()))
        }
        PanelFrame::Pop { interaction, connection, target, .. } if *interaction == id => {
            Some((connection.to_string(), format!("{target:?}")))
        }
        _ => None,
    });
    pops.collect()
}

/// Each CRM has exactly one record of each interaction, and no other.
async fn one_record_each(crms: &[Crm], interactions: &[InteractionId]) {
    let mut expected: Vec<String> = interactions.iter().map(ToString::to_string).collect();
    expected.sort();
    for crm in crms {
        let mut keys: Vec<String> = crm.stand_in.log_records().await.into_iter().map(|r| r.key).collect();
        keys.sort();
        assert_eq!(keys, expected, "the records in {}", crm.connection);
    }
}

fn longest(waits: &[Duration]) -> Duration {
    waits.iter().max().copied().unwrap_or_default()
}

fn median(waits: &[Duration]) -> Duration {
    let mut waits = waits.to_vec();
    waits.sort();
    waits.get(waits.len() / 2).copied().unwrap_or_default()
}

/// A chat and a call pop three records each, in three pages, and each becomes three records, one in each CRM.
async fn pops_and_records(others: Vec<Crm>) {
    let (centre, crms) = centre_with(others).await;
    let daemon = centre.daemon().await;
    let ids = known_everywhere(&crms).await;
    let mut anna = daemon.panel_in("anna", crms[0].host()).await;
    let mut windows = Vec::new();
    for crm in &crms[1..] {
        windows.push(daemon.panel_in("anna", crm.host()).await);
    }
    available(&mut anna).await;
    let chat = chat(&daemon, &mut anna).await;
    let data = json!({ "call": "c-1", "from": CALLER, "to": "+442079460000", "agents": ["201"] });
    daemon.call("ringing", data).await;
    let call = anna.until("the call", |p| p.view.calls.first().map(|c| c.interaction)).await;
    for id in [chat, call] {
        anna.until("the record in the first page", |p| popped(p, id).first().cloned()).await;
        for window in &mut windows {
            window.until("the record in another page", |p| popped(p, id).first().cloned()).await;
        }
    }
    daemon.call("answered", json!({ "call": "c-1", "agent": "anna" })).await;
    daemon.call("ended", json!({ "call": "c-1" })).await;
    for id in [chat, call] {
        anna.until("each connection's record", |p| (saved(p, id) == crms.len()).then_some(())).await;
    }
    anna.until("no card", |p| p.view.calls.is_empty().then_some(())).await;
    let pages = std::iter::once(&anna).chain(&windows);
    for ((crm, id), page) in crms.iter().zip(&ids).zip(pages) {
        let own = [(crm.connection.to_owned(), id.clone())];
        assert_eq!(popped(page, chat), own, "the chat in the page of {}", crm.connection);
        assert_eq!(popped(page, call), own, "the call in the page of {}", crm.connection);
    }
    one_record_each(&crms, &[chat, call]).await;
    daemon.stop().await;
}

// proves D0, D1, D3, D6, D7, E2
#[tokio::test]
async fn three_orgs_of_one_vendor_pop_and_log_beside_each_other() {
    pops_and_records(vec![Crm::salesforce("east").await, Crm::salesforce("north").await]).await;
}

// proves D0, D1, D3, D6, D7, E2
#[tokio::test]
async fn salesforce_dynamics_and_zendesk_pop_and_log_beside_each_other() {
    pops_and_records(vec![Crm::dynamics().await, Crm::zendesk().await]).await;
}

/// The id of a user of Zendesk's who may open records.
async fn zendesk_user(crm: &Crm) -> String {
    let addresses = crm.stand_in.addresses();
    let url = format!("{}/api/v2/users/me.json", addresses["base_url"].as_str().expect("an address"));
    let http = reqwest::Client::builder().build().expect("a client");
    let user = format!("{}/token", zendesk::OWNER);
    let answer = http.get(url).basic_auth(user, Some(zendesk::API_TOKEN)).send().await.expect("an answer");
    let me: serde_json::Value = answer.json().await.expect("JSON");
    me["user"]["id"].as_u64().unwrap_or_else(|| panic!("no user: {me}")).to_string()
}

// proves D3
#[tokio::test]
async fn zendesk_opens_the_record_itself_at_an_agent_without_a_panel_there() {
    let mut crm = Crm::zendesk().await;
    let user = zendesk_user(&crm).await;
    crm.settings += &format!("[tenants.demo.agents.anna.crm_users]\nzendesk = \"{user}\"\n");
    let (centre, crms) = centre_with(vec![crm]).await;
    let daemon = centre.daemon().await;
    let ids = known_everywhere(&crms).await;
    let mut anna = daemon.panel_in("anna", crms[0].host()).await;
    available(&mut anna).await;
    let zendesk = &crms[1];
    let since = zendesk.stand_in.requests().await;
    let visitor = Visitor::starts(&daemon, "support", person("Amara Obi", "amara@obi.example")).await;
    anna.until("the record in Salesforce", |p| popped(p, visitor.interaction).first().cloned()).await;
    let displayed = format!("/users/{}/display", ids[1]);
    let began = Instant::now();
    while !zendesk.stand_in.exchanges(since).await.iter().any(|e| e.path.contains(&displayed)) {
        assert!(began.elapsed() < PATIENCE, "Zendesk was not asked to open the record");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // A panel that comes late finds it open already, and the next chat's record is its own to open.
    let mut late = daemon.panel_in("anna", zendesk.host()).await;
    let offer = late.view.offer.as_ref().map(|offer| offer.offer).expect("the offer");
    late.does(AgentDeed::AcceptOffer { offer }).await;
    late.does(AgentDeed::EndChat { interaction: visitor.interaction }).await;
    late.does(AgentDeed::CompleteWrapUp { interaction: visitor.interaction }).await;
    let next = Visitor::starts(&daemon, "support", person("Amara Obi", "amara@obi.example")).await;
    late.until("the next record", |p| popped(p, next.interaction).first().cloned()).await;
    assert!(popped(&late, visitor.interaction).is_empty(), "it was opened twice");
    let displays = zendesk.stand_in.exchanges(since).await;
    assert_eq!(displays.iter().filter(|e| e.path.contains("/display")).count(), 1);
    daemon.stop().await;
}

/// Chats while all is well, then chats while every CRM is in trouble of its own: none of the agent's deeds waits for a
/// CRM, and in the end each CRM has one record of each chat.
async fn trouble_everywhere(others: Vec<Crm>, trouble: impl AsyncFn(&[Crm])) {
    const CHATS: usize = 6;
    let (centre, crms) = centre_with(others).await;
    let daemon = centre.daemon().await;
    known_everywhere(&crms).await;
    let mut anna = daemon.panel_in("anna", crms[0].host()).await;
    let mut windows = Vec::new();
    for crm in &crms[1..] {
        windows.push(Window::open(daemon.panel_in("anna", crm.host()).await));
    }
    available(&mut anna).await;
    let mut chats = Vec::new();
    for _ in 0..CHATS {
        chats.push(chat(&daemon, &mut anna).await);
    }
    for id in &chats {
        anna.until("each connection's record", |p| (saved(p, *id) == crms.len()).then_some(())).await;
    }
    let calm = std::mem::take(&mut anna.waits);

    trouble(&crms).await;
    let began = Instant::now();
    let over = began + if std::env::var_os("TIELINE_LONG").is_some() { FIVE_MINUTES } else { A_WHILE };
    let before = chats.len();
    for _ in 0..CHATS {
        chats.push(chat(&daemon, &mut anna).await);
    }
    let troubled = std::mem::take(&mut anna.waits);
    // Read on meanwhile, or the daemon's pings go unanswered.
    while let Ok(open) = tokio::time::timeout_at(over.into(), anna.next()).await {
        assert!(open, "the panel's socket closed during the trouble");
    }
    let late: usize = chats[before..].iter().map(|id| crms.len() - saved(&anna, *id)).sum();
    assert!(late > 0, "nobody was in trouble");
    for crm in &crms {
        crm.stand_in.clear_faults().await;
    }
    let cleared = Instant::now();
    for id in &chats[before..] {
        anna.until("each connection's record, late", |p| (saved(p, *id) == crms.len()).then_some(())).await;
    }
    println!(
        "{} deeds: calm median {:?}, longest {:?}; in trouble median {:?}, longest {:?}; {late} logs were late after \
         {:?}, all there {:?} after the end of it",
        calm.len(),
        median(&calm),
        longest(&calm),
        median(&troubled),
        longest(&troubled),
        cleared - began,
        cleared.elapsed(),
    );
    one_record_each(&crms, &chats).await;
    // A deed that waited for a CRM would wait for seconds.
    let limit = (5 * longest(&calm)).max(Duration::from_millis(250));
    assert!(longest(&troubled) <= limit, "a deed waited {:?}, more than {limit:?}", longest(&troubled));
    for window in windows {
        window.close().await;
    }
    daemon.stop().await;
}

/// How long trouble lasts, unless the long tier runs.
const A_WHILE: Duration = Duration::from_secs(6);
const FIVE_MINUTES: Duration = Duration::from_secs(300);
/// More requests than a test makes.
const EVERY: u32 = 1_000_000;

// proves D6, D7, D8
#[tokio::test]
async fn limits_stalls_and_locks_in_three_orgs_keep_no_agent_waiting_and_lose_no_record() {
    let others = vec![Crm::salesforce("east").await, Crm::salesforce("north").await];
    trouble_everywhere(others, async |crms: &[Crm]| {
        crms[0].stand_in.inject(Fault::Locked, 4).await;
        crms[1].stand_in.inject(Fault::SavedThenDropped, 1).await;
        crms[1].stand_in.inject(Fault::Stall { ms: 4_000 }, 4).await;
        crms[2].stand_in.inject(Fault::Limited { retry_after_s: Some(1) }, EVERY).await;
    })
    .await;
}

// proves D6, D7, D8
#[tokio::test]
async fn a_lock_a_conflict_a_stall_and_a_long_limit_keep_no_agent_waiting_and_lose_no_record() {
    trouble_everywhere(vec![Crm::dynamics().await, Crm::zendesk().await], async |crms: &[Crm]| {
        crms[0].stand_in.inject(Fault::Locked, 4).await;
        // Somebody else's create with the same id is there first: 412.
        crms[1].stand_in.faults().inject(AnyFault::Dynamics(Dynamics::CreateRace), 1);
        crms[1].stand_in.inject(Fault::Stall { ms: 4_000 }, 4).await;
        crms[2].stand_in.inject(Fault::Limited { retry_after_s: Some(1) }, EVERY).await;
    })
    .await;
}

// proves D6
#[tokio::test]
async fn a_crm_that_joins_later_gets_what_comes_and_not_what_was() {
    let (centre, crms) = centre_with(Vec::new()).await;
    let daemon = centre.daemon().await;
    let mut anna = daemon.panel_in("anna", crms[0].host()).await;
    available(&mut anna).await;
    let before = chat(&daemon, &mut anna).await;
    anna.until("its record", |p| (saved(p, before) == 1).then_some(())).await;
    daemon.stop().await;

    let east = Crm::salesforce("east").await;
    let daemon = centre.daemon_of(&east.settings).await;
    let mut anna = daemon.panel_in("anna", crms[0].host()).await;
    available(&mut anna).await;
    let after = chat(&daemon, &mut anna).await;
    anna.until("both records", |p| (saved(p, after) == 2).then_some(())).await;
    one_record_each(&[east], &[after]).await;
    one_record_each(&crms, &[before, after]).await;
    daemon.stop().await;
}
