//! A sandbox account and connectors for it.
#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tieline_connector_api::Connector;
use tieline_connector_api::client::Limits;
use tieline_connector_api::kit::{CallFacts, CallSeen, Facts};
use tieline_connector_api::sandbox::LogRecord;
use tieline_model::content::{Person, Remarks};
use tieline_model::crm::{CallDetails, Channel, Direction, Line, Log, Outcome, Record, Side};
use tieline_model::{Clock, Timestamp};
use tieline_sandbox::admin::Admin as _;
use tieline_sandbox::zendesk::{APP_ID, CLIENT_ID, CLIENT_SECRET, Options, Running, Sandbox};
use tieline_zendesk::{Settings, Zendesk};

/// How long connectors of tests wait for an answer: long enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// The wall clock, off by so many milliseconds, which a test may change.
#[derive(Default)]
pub(crate) struct WallClock(pub(crate) AtomicI64);

impl WallClock {
    pub(crate) fn wind(&self, seconds: i64) {
        self.0.fetch_add(seconds * 1000, Ordering::Relaxed);
    }
}

impl Clock for WallClock {
    fn now(&self) -> Timestamp {
        let now = time::OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000;
        Timestamp(i64::try_from(now).unwrap() + self.0.load(Ordering::Relaxed))
    }
}

pub(crate) struct Account {
    pub(crate) running: Running,
    pub(crate) clock: Arc<WallClock>,
}

impl Account {
    pub(crate) async fn start(options: Options) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        Self { running: Sandbox::start(options).await.unwrap(), clock: Arc::default() }
    }

    pub(crate) async fn plain() -> Self {
        Self::start(Options { contacts: 20, ..Options::demo() }).await
    }

    pub(crate) fn sandbox(&self) -> &Sandbox {
        &self.running.sandbox
    }

    /// Settings as an administrator would write them, with changes.
    pub(crate) fn settings(&self, changes: Value) -> Settings {
        let mut all = json!({
            "base_url": self.running.base_url,
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "default_country": "GB",
            "app_id": APP_ID,
        });
        for (name, value) in changes.as_object().unwrap() {
            all[name] = value.clone();
            if value.is_null() {
                all.as_object_mut().unwrap().remove(name);
            }
        }
        serde_json::from_value(all).unwrap()
    }

    pub(crate) fn limits(&self, patience: Duration) -> Limits {
        let extra_ca_pem = self.running.ca_pem.clone().map(String::into_bytes);
        Limits { connect: patience, request: patience, extra_ca_pem, ..Limits::default() }
    }

    pub(crate) fn connect(&self) -> Zendesk {
        self.connect_with(json!({}))
    }

    pub(crate) fn connect_with(&self, changes: Value) -> Zendesk {
        Zendesk::new(self.settings(changes), self.clock.clone(), self.limits(PATIENCE)).unwrap()
    }

    pub(crate) fn connector(&self, patience: Duration, changes: Value) -> Arc<dyn Connector> {
        Arc::new(Zendesk::new(self.settings(changes), self.clock.clone(), self.limits(patience)).unwrap())
    }

    pub(crate) async fn set(&self, name: &str, value: Value) {
        let changes = [(name.to_owned(), value)].into_iter().collect();
        self.sandbox().set_switches(changes).await.unwrap();
    }

    /// Requests to paths that contain this.
    pub(crate) fn served(&self, what: &str) -> usize {
        self.sandbox().served().latest().iter().filter(|s| s.path.contains(what)).count()
    }

    pub(crate) async fn ticket(&self, record: &Record) -> Value {
        self.sandbox().record(record.id.as_str()).await.unwrap()
    }
}

/// Bodies of a ticket's comments.
pub(crate) fn bodies(ticket: &Value) -> Vec<String> {
    let comments = ticket["comments"].as_array().unwrap();
    comments.iter().map(|c| c["body"].as_str().unwrap().to_owned()).collect()
}

pub(crate) fn facts() -> Facts {
    Facts {
        text_field: "account".into(),
        title_field: "subject".into(),
        contact_field: "contact".into(),
        nobody: String::new(),
        absent_contact: Record { object: "user".into(), id: "9007199254740995".parse().unwrap() },
        call: CallFacts { object: "ticket".into(), title_field: "subject".into(), read: read_call },
    }
}

/// What the newest account of a call says.
fn read_call(record: &LogRecord) -> CallSeen {
    let field = |name: &str| record.fields[name].as_str().unwrap_or_default().to_owned();
    let text = field("account");
    let said = |label: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(label)?.strip_prefix(": "));
        line.map(str::to_owned)
    };
    let head = text.lines().find(|line| line.starts_with("Call, ")).unwrap_or_default();
    let direction = if head.contains("inbound") { Direction::Inbound } else { Direction::Outbound };
    CallSeen {
        direction: (!head.is_empty()).then_some(direction),
        answered: (!head.is_empty()).then(|| head.ends_with("answered")),
        number: said("Number").or_else(|| said("Phone")),
        contact: Some(field("contact")).filter(|id| !id.is_empty()),
        case: None,
        recording: said("Recording"),
        text,
    }
}

pub(crate) fn ticket_record(id: &str) -> Record {
    Record { object: "ticket".into(), id: id.parse().unwrap() }
}

pub(crate) fn user(id: &str) -> Record {
    Record { object: "user".into(), id: id.parse().unwrap() }
}

/// An answered chat of a moment ago.
pub(crate) fn log() -> Log {
    let started = time::OffsetDateTime::now_utc().unix_timestamp() * 1000 - 120_000;
    let line = |at: i64, from, name: &str, text: &str| Line {
        at: Timestamp(started + at * 1000),
        from,
        name: name.into(),
        text: text.into(),
    };
    Log {
        interaction: uuid::Uuid::new_v4().to_string().parse().unwrap(),
        version: 1,
        channel: Channel::Chat,
        started_at: Timestamp(started),
        answered_at: Some(Timestamp(started + 5_000)),
        ended_at: Some(Timestamp(started + 100_000)),
        outcome: Outcome::Answered,
        queue: None,
        queue_name: Some("Sales".into()),
        agent: None,
        agent_name: Some("Alice".into()),
        person: Person { name: Some("Ada Lovelace".into()), ..Person::default() },
        contact: None,
        case: None,
        codes: vec!["billing".into()],
        not_classified: false,
        remarks: Remarks::default(),
        transcript: vec![
            line(6, Side::Customer, "Ada", "Hello"),
            line(9, Side::Agent, "Alice", "Good morning"),
        ],
        call: None,
        crm_user: None,
        legs: Vec::new(),
        answers: Default::default(),
        abuse: None,
        previous: None,
    }
}

/// An answered call of a moment ago.
pub(crate) fn call() -> Log {
    Log {
        channel: Channel::Call,
        transcript: Vec::new(),
        call: Some(CallDetails {
            direction: Direction::Inbound,
            number: Some("+442079460011".into()),
            line: Some("+442079460000".into()),
            recording: None,
        }),
        ..log()
    }
}
