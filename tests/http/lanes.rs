//! Several CRMs of one contact centre at once: what each does to the panels, and what none does to another. The CRMs
//! follow a script; engines, lanes, live view and sockets are the shipped ones.

use crate::world::{Socket, World, acme, world};
use async_trait::async_trait;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tieline::bus::{self, Intake, Seal, Wiring};
use tieline::dispatch::{Lane, Parts, Pops};
use tieline::http::Hub;
use tieline::{dispatch, http, settings};
use tieline_connector_api::connector::{Description, Finding, HistoryEntry, NewContact, Saved};
use tieline_connector_api::{Connector, Failure, Ledger, Outcome};
use tieline_model::content::Person;
use tieline_model::crm::{Basis, Certainty, Log, Match, Matches, PopTarget, Query, Record};
use tieline_model::{RecordId, TenantId};
use tokio::sync::watch;

/// Connections stand in the order of their ids.
const THREE: &str = r#"
[tenants.acme.connections.sales]
type = "salesforce"
[tenants.acme.connections.sales.salesforce]
[tenants.acme.connections.service]
type = "dynamics"
[tenants.acme.connections.service.dynamics]
[tenants.acme.connections.tickets]
type = "zendesk"
[tenants.acme.connections.tickets.zendesk]
"#;
const VENDORS: [(&str, &str); 3] = [("sales", "salesforce"), ("service", "dynamics"), ("tickets", "zendesk")];
/// Anna is user 77 of the ticket system.
const ANNA_IN_ZENDESK: &str = "[tenants.acme.agents.anna.crm_users]\ntickets = \"77\"\n";
const LOOKUP_WITHIN: Duration = Duration::from_secs(2);

/// What a CRM knows about whomever it is asked for.
#[derive(Clone, Copy)]
pub(crate) enum Knows {
    /// This record, for sure.
    Sure(&'static str),
    /// Two of them.
    Several,
    Guess,
    Nobody,
    /// It limits us.
    Down,
    /// It answers with passing trouble.
    Broken,
    /// It does not answer.
    Stalls,
    /// The connector has a defect.
    Panics,
}

/// A CRM that does what it is told.
pub(crate) struct Scripted {
    vendor: &'static str,
    knows: watch::Sender<Option<Knows>>,
    asked: AtomicU32,
    pushes: bool,
    pushed: Mutex<Vec<(String, PopTarget)>>,
    takes_logs: fn(&Log) -> Outcome<Saved>,
}

impl Scripted {
    pub(crate) fn new(vendor: &'static str, knows: impl Into<Option<Knows>>) -> Self {
        Self {
            vendor,
            knows: watch::Sender::new(knows.into()),
            asked: AtomicU32::new(0),
            pushes: false,
            pushed: Mutex::default(),
            takes_logs: |log| Ok(saved(&log.key(), "Case 1")),
        }
    }

    /// From now on it answers like this; questions that wait are answered too.
    fn answer(&self, knows: Knows) {
        self.knows.send_replace(Some(knows));
    }

    pub(crate) fn asked(&self) -> u32 {
        self.asked.load(Ordering::SeqCst)
    }

    fn pushed(&self) -> Vec<(String, PopTarget)> {
        self.pushed.lock().unwrap().clone()
    }
}

fn saved(id: &str, label: &str) -> Saved {
    Saved { record: record("Case", id), label: label.to_owned(), url: None }
}

fn record(object: &str, id: &str) -> Record {
    Record { object: object.to_owned(), id: RecordId::new(id).unwrap() }
}

fn matching(id: &str, certainty: Certainty) -> Match {
    let (title, subtitle, contact, url) = ("Grace Okafor".to_owned(), None, None, None);
    Match { record: record("Contact", id), title, subtitle, certainty, basis: Basis::Email, contact, url }
}

#[async_trait]
impl Connector for Scripted {
    fn describe(&self) -> Description {
        let address = "nowhere".to_owned();
        Description { vendor: self.vendor, name: self.vendor, address, push_pop: self.pushes }
    }

    async fn check(&self) -> Outcome<Vec<Finding>> {
        Ok(Vec::new())
    }

    async fn find(&self, _: &Query) -> Outcome<Matches> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let knows = *self.knows.subscribe().wait_for(Option::is_some).await.unwrap();
        let found = match knows.unwrap() {
            Knows::Sure(id) => vec![matching(id, Certainty::Exact)],
            Knows::Several => vec![matching("one", Certainty::Exact), matching("two", Certainty::Exact)],
            Knows::Guess => vec![matching("maybe", Certainty::Guessed)],
            Knows::Nobody => Vec::new(),
            Knows::Down => {
                return Err(Failure::Throttled { until: None, reason: "it is asked too much".to_owned() });
            }
            Knows::Broken => return Err(Failure::retry("it is in trouble")),
            Knows::Stalls => std::future::pending().await,
            Knows::Panics => panic!("a defect of the connector, on purpose"),
        };
        Ok(Matches { found, more: false })
    }

    async fn create_contact(&self, _: &NewContact) -> Outcome<Match> {
        Err(Failure::reject(None, "not in this script"))
    }

    async fn upsert_log(&self, log: &Log, _: &mut dyn Ledger) -> Outcome<Saved> {
        (self.takes_logs)(log)
    }

    async fn history(&self, _: &Record, _: u32) -> Outcome<Vec<HistoryEntry>> {
        Ok(Vec::new())
    }

    fn pop(&self, record: &Record) -> PopTarget {
        PopTarget::Record { record: record.clone(), url: None }
    }

    fn pop_new(&self, _: &Person) -> PopTarget {
        PopTarget::NewRecord { object: format!("{} contact", self.vendor), fields: Vec::new() }
    }

    async fn push_pop(&self, crm_user: &str, target: &PopTarget) -> Outcome<()> {
        self.pushed.lock().unwrap().push((crm_user.to_owned(), target.clone()));
        if crm_user == "77" { Ok(()) } else { Err(Failure::reject(None, "there is no such user")) }
    }

    async fn erase(&self, _: &str) -> Outcome<()> {
        Ok(())
    }
}

/// As the daemon wires it.
pub(crate) struct ToPanels(pub(crate) Hub);

#[async_trait]
impl Pops for ToPanels {
    async fn pop(&self, tenant: &TenantId, pop: dispatch::Pop) -> dispatch::Shown {
        let dispatch::Pop { agent, interaction, connection, target, title, leads, pushes } = pop;
        let pop = http::Pop { interaction, connection, target, title, leads, pushes };
        match self.0.pop(tenant, &agent, pop) {
            http::Shown::Opened => dispatch::Shown::InPage,
            http::Shown::AsLink => dispatch::Shown::AsLink,
            http::Shown::Pushed => dispatch::Shown::ByTheCrm,
            http::Shown::Not => dispatch::Shown::NotYet,
        }
    }

    async fn not_pushed(&self, tenant: &TenantId, pop: &dispatch::Pop) {
        self.0.not_pushed(tenant, &pop.agent, pop.interaction, &pop.connection);
    }
}

/// An agent who is available, three CRMs, and their lanes at work.
struct Centre {
    world: World,
    anna: Socket,
    lanes: Vec<Arc<Lane>>,
    _bus: bus::Running,
}

impl Centre {
    async fn start(crms: [&Arc<Scripted>; 3], more: &str) -> Self {
        let world = world(&format!("{THREE}{more}")).await;
        let connections: Vec<_> = VENDORS.iter().map(|(id, _)| (acme(), id.parse().unwrap())).collect();
        let bus = bus::start(Wiring {
            settings: settings::Bus::default(),
            store: world.store.clone(),
            engines: Arc::new(world.drive.clone()),
            intake: Intake::new(BTreeMap::from([(acme(), None)])),
            connections: connections.clone(),
            seal: Seal::new(&[7; 32]),
        });
        let policy = world.drive.read(&acme(), |engine| engine.policy().clone()).await.unwrap();
        let mut lanes = Vec::new();
        for (info, crm) in policy.connections.into_iter().zip(crms) {
            let connector: Arc<dyn Connector> = crm.clone();
            let lane = Lane::new(Parts {
                tenant: acme(),
                info,
                own_numbers: Vec::new(),
                connector,
                store: world.store.clone(),
                engines: Arc::new(world.drive.clone()),
                pops: Arc::new(ToPanels(world.hub.clone())),
                clock: world.clock.clone(),
                settings: settings::Dispatch {
                    lookup_within: settings::Span::secs(LOOKUP_WITHIN.as_secs()),
                    // One look-up that is tried again and again must not close the lane for the next.
                    breaker_after: 1_000,
                    ..settings::Dispatch::default()
                },
                chance: Arc::new(|| 0.5),
            });
            let feed = bus.log_wanted(&acme(), &lane.info().id).unwrap();
            tokio::spawn(lane.clone().run(feed, world.close.clone()));
            lanes.push(lane);
        }
        let (mut anna, _) = world.panel(false).await;
        let available = json!({ "deed": "set_presence", "presence": { "presence": "available" } });
        assert_eq!(anna.ask(json!({ "frame": "do", "do": available })).await, Value::Null);
        Self { world, anna, lanes, _bus: bus }
    }

    /// Somebody whom the CRMs may know; the chat's id and token.
    async fn visitor(&self) -> (String, String) {
        let person = json!({ "name": "Grace Okafor", "email": "grace@okafor.example" });
        self.world.start_chat_as("acme", person).await
    }

    /// The customer leaves again, and the offer with him.
    async fn leaves(&mut self, token: &str) {
        let (mut widget, _) = self.world.widget(token).await;
        assert_eq!(widget.ask(json!({ "frame": "end" })).await, Value::Null);
        self.anna.change("offer", |c| c["offer"].is_null()).await;
    }

    /// The offer, once a connection's line in it is as wished.
    async fn offer_with(&mut self, place: usize, wished: impl Fn(&Value) -> bool) -> Value {
        let is = |c: &Value| c["offer"].is_object() && wished(&c["offer"]["lookups"][place]);
        self.anna.change("offer", is).await["offer"].clone()
    }
}

fn crms(knows: [Option<Knows>; 3]) -> [Arc<Scripted>; 3] {
    let mut vendors = VENDORS.iter();
    knows.map(|knows| Arc::new(Scripted::new(vendors.next().unwrap().1, knows)))
}

async fn start(crms: &[Arc<Scripted>; 3]) -> Centre {
    Centre::start([&crms[0], &crms[1], &crms[2]], "").await
}

/// Connection and record of the next pop.
pub(crate) async fn popped(socket: &mut Socket) -> (String, String) {
    let pop = socket.frame("pop").await;
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (word(&pop["connection"]), word(&pop["target"]["record"]["id"]))
}

fn of(connection: &str, record: &str) -> (String, String) {
    (connection.to_owned(), record.to_owned())
}

/// Nothing but deltas came since, and nothing is on its way.
async fn has_no_pop(socket: &mut Socket) {
    socket.say(&json!({ "frame": "resync" })).await;
    let next = socket.wait(|f| f["frame"] != "delta" && f["frame"] != "answer").await;
    assert_eq!(next["frame"], "snapshot", "{next}");
}

fn done(line: &Value) -> bool {
    line["state"]["state"] == "done"
}

// proves D0, D1, D3, D8
#[tokio::test]
async fn three_crms_open_three_records_in_three_pages_and_a_slow_one_holds_no_other_up() {
    let crms = crms([None, Some(Knows::Sure("d-1")), Some(Knows::Sure("z-1"))]);
    let mut centre = start(&crms).await;
    let (mut salesforce, _) = centre.world.panel_in("salesforce").await;
    let (mut dynamics, _) = centre.world.panel_in("dynamics").await;
    let (mut zendesk, _) = centre.world.panel_in("zendesk").await;
    let (_, token) = centre.visitor().await;
    assert_eq!(popped(&mut dynamics).await, of("service", "d-1"));
    assert_eq!(popped(&mut zendesk).await, of("tickets", "z-1"));
    crms[0].answer(Knows::Sure("s-1"));
    assert_eq!(popped(&mut salesforce).await, of("sales", "s-1"));
    for page in [&mut salesforce, &mut dynamics, &mut zendesk, &mut centre.anna] {
        has_no_pop(page).await;
    }
    centre.leaves(&token).await;
    let asked = crms.iter().map(|crm| crm.asked.load(Ordering::SeqCst));
    assert_eq!(asked.collect::<Vec<_>>(), [1, 1, 1], "each was asked once");
}

// proves D0, D2
#[tokio::test]
async fn disagreement_stands_line_by_line_and_is_not_merged() {
    let crms = crms([Some(Knows::Sure("s-1")), Some(Knows::Guess), Some(Knows::Down)]);
    let mut centre = start(&crms).await;
    centre.visitor().await;
    let all =
        |offer: &Value| offer["lookups"].as_array().unwrap().iter().all(|l| l["state"]["state"] != "looking");
    let offer = centre.anna.change("offer", |c| c["offer"].is_object() && all(&c["offer"])).await;
    let lines = &offer["offer"]["lookups"];
    let line = |place: usize| {
        let line = &lines[place];
        (line["connection"].clone(), line["matches"][0]["certainty"].clone(), line["contact"]["id"].clone())
    };
    assert_eq!(line(0), (json!("sales"), json!("exact"), json!("s-1")));
    assert_eq!(line(1), (json!("service"), json!("guessed"), Value::Null), "a guess is nobody's contact");
    assert_eq!(lines[2]["connection"], "tickets");
    assert_eq!(lines[2]["state"], json!({ "state": "failed", "reason": "it is asked too much" }));
}

// proves D0, D2
#[tokio::test]
async fn without_a_page_a_surer_answer_of_an_earlier_connection_is_waited_for() {
    let crms = crms([None, Some(Knows::Sure("d-1")), Some(Knows::Sure("z-1"))]);
    let mut centre = start(&crms).await;
    let (_, token) = centre.visitor().await;
    centre.offer_with(1, done).await;
    has_no_pop(&mut centre.anna).await;
    crms[0].answer(Knows::Sure("s-1"));
    assert_eq!(popped(&mut centre.anna).await, of("sales", "s-1"));
    has_no_pop(&mut centre.anna).await;
    centre.leaves(&token).await;
    crms[0].answer(Knows::Several);
    centre.visitor().await;
    assert_eq!(popped(&mut centre.anna).await, of("service", "d-1"), "two records are not one that is sure");
    has_no_pop(&mut centre.anna).await;
}

// proves D8
#[tokio::test]
async fn a_connection_that_stalls_is_waited_for_once_and_no_longer_than_a_look_up() {
    let crms = crms([Some(Knows::Stalls), Some(Knows::Sure("d-1")), Some(Knows::Nobody)]);
    let mut centre = start(&crms).await;
    let began = Instant::now();
    let (_, token) = centre.visitor().await;
    assert_eq!(popped(&mut centre.anna).await, of("service", "d-1"));
    let first = began.elapsed();
    centre.leaves(&token).await;
    let began = Instant::now();
    centre.visitor().await;
    assert_eq!(popped(&mut centre.anna).await, of("service", "d-1"));
    let second = began.elapsed();
    assert!(first >= LOOKUP_WITHIN - Duration::from_millis(100), "it was not waited for: {first:?}");
    assert!(second < LOOKUP_WITHIN / 2, "it was waited for again: {second:?}");
}

// proves D2
#[tokio::test]
async fn a_form_for_a_new_contact_comes_when_every_crm_knows_nobody_and_not_before() {
    let crms = crms([Some(Knows::Nobody), Some(Knows::Nobody), None]);
    let mut centre = start(&crms).await;
    let (_, token) = centre.visitor().await;
    centre.offer_with(1, done).await;
    has_no_pop(&mut centre.anna).await;
    crms[2].answer(Knows::Nobody);
    let form = centre.anna.frame("pop").await;
    assert_eq!(form["target"]["object"], "salesforce contact", "{form}");
    centre.leaves(&token).await;
    crms[1].answer(Knows::Down);
    let (_, token) = centre.visitor().await;
    centre.offer_with(1, |line| line["state"]["state"] == "failed").await;
    has_no_pop(&mut centre.anna).await;
    centre.leaves(&token).await;
    crms[2].answer(Knows::Guess);
    centre.visitor().await;
    centre.offer_with(2, done).await;
    has_no_pop(&mut centre.anna).await;
}

// proves D2, E2
#[tokio::test]
async fn nothing_to_ask_by_asks_nobody_and_pops_nothing_however_often_it_is_offered() {
    let crms = crms([Some(Knows::Sure("s-1")), Some(Knows::Sure("d-1")), Some(Knows::Nobody)]);
    let mut centre = start(&crms).await;
    centre.world.start_chat("acme", "Grace Okafor").await;
    centre.offer_with(2, done).await;
    for presence in [json!({ "presence": "on_break", "reason": "Lunch" }), json!({ "presence": "available" })]
    {
        let deed = json!({ "deed": "set_presence", "presence": presence });
        centre.anna.deed(deed).await;
    }
    centre.anna.change("offer", |c| c["offer"].is_null()).await;
    centre.offer_with(2, done).await;
    has_no_pop(&mut centre.anna).await;
    assert!(crms.iter().all(|crm| crm.asked.load(Ordering::SeqCst) == 0));
}

// proves D3
#[tokio::test]
async fn a_crm_opens_a_record_itself_at_an_agent_who_has_no_panel_in_its_page() {
    let mut tickets = Scripted::new("zendesk", Knows::Sure("z-1"));
    tickets.pushes = true;
    let [sales, service, _] = crms([Some(Knows::Sure("s-1")), Some(Knows::Nobody), None]);
    let tickets = Arc::new(tickets);
    let mut centre = Centre::start([&sales, &service, &tickets], ANNA_IN_ZENDESK).await;
    let (_, token) = centre.visitor().await;
    assert_eq!(popped(&mut centre.anna).await, of("sales", "s-1"), "and the link of the one that leads");
    let pushes = |lane: &Lane| {
        (lane.counts().pushes.load(Ordering::SeqCst), lane.counts().pushes_failed.load(Ordering::SeqCst))
    };
    until(|| pushes(&centre.lanes[2]) == (1, 0)).await;
    let target = PopTarget::Record { record: record("Contact", "z-1"), url: None };
    assert_eq!(tickets.pushed(), [("77".to_owned(), target)]);
    let (mut zendesk, _) = centre.world.panel_in("zendesk").await;
    has_no_pop(&mut zendesk).await;
    centre.leaves(&token).await;
    centre.visitor().await;
    assert_eq!(popped(&mut zendesk).await, of("tickets", "z-1"), "the page is there now, and opens it");
    assert_eq!(tickets.pushed().len(), 1, "so nothing was pushed");
}

// proves D3
#[tokio::test]
async fn a_push_that_fails_leaves_a_link() {
    let mut tickets = Scripted::new("zendesk", Knows::Sure("z-1"));
    tickets.pushes = true;
    let [sales, service, _] = crms([Some(Knows::Nobody), Some(Knows::Nobody), None]);
    let tickets = Arc::new(tickets);
    let strange = "[tenants.acme.agents.anna.crm_users]\ntickets = \"78\"\n";
    let mut centre = Centre::start([&sales, &service, &tickets], strange).await;
    centre.visitor().await;
    assert_eq!(popped(&mut centre.anna).await, of("tickets", "z-1"));
    assert_eq!(tickets.pushed().len(), 1);
    assert_eq!(centre.lanes[2].counts().pushes_failed.load(Ordering::SeqCst), 1);
    assert!(centre.lanes[2].budget().left < centre.lanes[0].budget().left, "a push costs a request");
}

// proves D8
#[tokio::test]
async fn a_connector_that_panics_fails_alone_and_goes_on() {
    let crms = crms([Some(Knows::Panics), Some(Knows::Sure("d-1")), Some(Knows::Nobody)]);
    let mut centre = start(&crms).await;
    let (_, token) = centre.visitor().await;
    // Which comes first is chance: both happen when the time of a look-up is over.
    let (mut reason, mut pop) = (None, None);
    while reason.is_none() || pop.is_none() {
        let frame = centre.anna.hear().await.expect("the socket is open");
        for change in frame["changes"].as_array().into_iter().flatten() {
            let said = change["offer"]["lookups"][0]["state"]["reason"].as_str();
            reason = reason.or(said.map(str::to_owned));
        }
        if frame["frame"] == "pop" {
            pop = Some(frame["connection"].clone());
        }
    }
    assert!(reason.is_some_and(|reason| reason.contains("defect")));
    assert_eq!(pop, Some(json!("service")));
    centre.leaves(&token).await;
    crms[0].answer(Knows::Sure("s-1"));
    centre.visitor().await;
    assert_eq!(popped(&mut centre.anna).await, of("sales", "s-1"));
}

// proves D7, D8, D9
#[tokio::test]
async fn a_log_says_where_it_stands_with_each_connection() {
    let mut crms = [
        Scripted::new("salesforce", Knows::Sure("s-1")),
        Scripted::new("dynamics", Knows::Sure("d-1")),
        Scripted::new("zendesk", Knows::Nobody),
    ];
    crms[0].takes_logs = |log| Ok(saved(&log.key(), "Case 00001001"));
    crms[1].takes_logs =
        |_| Err(Failure::Throttled { until: None, reason: "limited for a while".to_owned() });
    crms[2].takes_logs = |_| Err(Failure::reject(None, "the brand is gone"));
    let crms = crms.map(Arc::new);
    let mut centre = start(&crms).await;
    let (chat, _) = centre.visitor().await;
    let offer = centre.anna.change("offer", |c| c["offer"].is_object()).await["offer"]["offer"].clone();
    for deed in [
        json!({ "deed": "accept_offer", "offer": offer }),
        json!({ "deed": "end_chat", "interaction": chat }),
        json!({ "deed": "complete_wrap_up", "interaction": chat }),
    ] {
        centre.anna.deed(deed).await;
    }
    let settled = |c: &Value| {
        let deliveries = c["log"]["deliveries"].as_array();
        deliveries.is_some_and(|d| d.len() == 3 && d.iter().all(|d| d["state"]["state"] != "sending"))
    };
    let log = centre.anna.change("log", settled).await["log"].clone();
    let states: Vec<_> = log["deliveries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|d| (d["connection"].as_str().unwrap(), d["state"]["state"].as_str().unwrap()))
        .collect();
    assert_eq!(states, [("sales", "saved"), ("service", "delayed"), ("tickets", "refused")]);
    assert_eq!(log["deliveries"][0]["state"]["label"], "Case 00001001");
    assert_eq!(log["deliveries"][1]["state"]["reason"], "limited for a while");
    assert_eq!(log["deliveries"][2]["state"]["reason"], "the brand is gone");
    assert!(centre.lanes[0].trouble().is_none() && centre.lanes[1].trouble().is_some());
    let dead = centre.world.store.dead(&acme(), 10).await.unwrap();
    assert_eq!(dead.iter().map(|d| d.connection.as_str()).collect::<Vec<_>>(), ["tickets"]);
}

// proves D7, D8
#[tokio::test]
async fn a_log_that_waits_because_its_crm_limits_us_says_so_before_it_was_ever_sent() {
    let mut sales = Scripted::new("salesforce", Knows::Down);
    sales.takes_logs = |_| panic!("nothing may be sent while the CRM limits us");
    let [_, service, tickets] = crms([None, Some(Knows::Nobody), Some(Knows::Nobody)]);
    let sales = Arc::new(sales);
    let mut centre = Centre::start([&sales, &service, &tickets], "").await;
    let (chat, _) = centre.visitor().await;
    let offer = centre.offer_with(0, |line| line["state"]["state"] == "failed").await["offer"].clone();
    for deed in [
        json!({ "deed": "accept_offer", "offer": offer }),
        json!({ "deed": "end_chat", "interaction": chat }),
        json!({ "deed": "complete_wrap_up", "interaction": chat }),
    ] {
        centre.anna.deed(deed).await;
    }
    let all = |c: &Value| {
        let states: Vec<_> = c["log"]["deliveries"]
            .as_array()
            .unwrap()
            .iter()
            .map(|d| d["state"]["state"].as_str().unwrap_or_default().to_owned())
            .collect();
        states == ["delayed", "saved", "saved"]
    };
    let log = centre.anna.change("log", all).await["log"].clone();
    assert_eq!(log["deliveries"][0]["state"]["reason"], "it is asked too much");
}

// proves D6, D8
#[tokio::test]
async fn whom_a_crm_could_not_name_during_the_chat_it_names_when_the_log_is_sent() {
    let mut sales = Scripted::new("salesforce", Knows::Broken);
    sales.takes_logs = |log| match &log.contact {
        Some(contact) => Ok(saved(&log.key(), contact.id.as_str())),
        None => Err(Failure::reject(None, "a case needs a customer")),
    };
    let [_, service, tickets] = crms([None, Some(Knows::Nobody), Some(Knows::Nobody)]);
    let sales = Arc::new(sales);
    let mut centre = Centre::start([&sales, &service, &tickets], "").await;
    let (chat, _) = centre.visitor().await;
    let offer = centre.offer_with(0, |line| line["state"]["state"] == "failed").await["offer"].clone();
    sales.answer(Knows::Sure("s-1"));
    for deed in [
        json!({ "deed": "accept_offer", "offer": offer }),
        json!({ "deed": "end_chat", "interaction": chat }),
        json!({ "deed": "complete_wrap_up", "interaction": chat }),
    ] {
        centre.anna.deed(deed).await;
    }
    let first = |c: &Value| c["log"]["deliveries"][0]["state"].clone();
    let settled = |c: &Value| {
        let state = first(c);
        c["log"]["deliveries"][0]["connection"] == "sales"
            && matches!(state["state"].as_str(), Some("saved" | "refused"))
    };
    let log = centre.anna.change("log", settled).await;
    assert_eq!(first(&log)["label"], "s-1", "{log}");
}

async fn until(wished: impl Fn() -> bool) {
    let began = Instant::now();
    while !wished() {
        assert!(began.elapsed() < Duration::from_secs(20), "waited in vain");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
