//! A sandbox org and connectors for it.
#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

use serde_json::{Value, json};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tieline_connector_api::Connector;
use tieline_connector_api::client::Limits;
use tieline_connector_api::kit::{CallFacts, CallSeen, Facts};
use tieline_connector_api::sandbox::LogRecord;
use tieline_model::content::{Person, Remarks};
use tieline_model::crm::{Channel, Direction, Line, Log, Outcome, Record, Side};
use tieline_model::{Clock, Timestamp};
use tieline_salesforce::{Salesforce, Settings};
use tieline_sandbox::keys::AppKey;
use tieline_sandbox::salesforce::{CONSUMER_KEY, INTEGRATION_USER, Options, Running, Sandbox};

/// How long connectors of tests wait for an answer: long enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// One key for all orgs of a test process: making one takes long.
pub(crate) fn key() -> &'static AppKey {
    static KEY: OnceLock<AppKey> = OnceLock::new();
    KEY.get_or_init(|| AppKey::generate().unwrap())
}

/// The wall clock, off by so many seconds.
pub(crate) struct WallClock(pub(crate) i64);

impl Clock for WallClock {
    fn now(&self) -> Timestamp {
        let now = time::OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000;
        Timestamp(i64::try_from(now).unwrap() + self.0 * 1000)
    }
}

pub(crate) struct Org {
    pub(crate) running: Running,
}

impl Org {
    pub(crate) async fn start(options: Options) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        Self { running: Sandbox::start(options).await.unwrap() }
    }

    pub(crate) async fn plain() -> Self {
        Self::start(Options { contacts: 20, ..Options::demo(key()) }).await
    }

    pub(crate) fn sandbox(&self) -> &Sandbox {
        &self.running.sandbox
    }

    /// Settings as an administrator would write them, with changes.
    pub(crate) fn settings(&self, changes: Value) -> Settings {
        let mut all = json!({
            "login_url": self.running.login_url,
            "consumer_key": CONSUMER_KEY,
            "username": INTEGRATION_USER,
            "private_key": key().private_pem,
            "default_country": "GB",
        });
        all.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        serde_json::from_value(all).unwrap()
    }

    pub(crate) fn limits(&self, patience: Duration) -> Limits {
        let extra_ca_pem = self.running.ca_pem.clone().map(String::into_bytes);
        Limits { connect: patience, request: patience, extra_ca_pem, ..Limits::default() }
    }

    pub(crate) fn connect(&self) -> Salesforce {
        self.connect_with(json!({}))
    }

    pub(crate) fn connect_with(&self, changes: Value) -> Salesforce {
        self.connect_at(changes, 0)
    }

    pub(crate) fn connect_at(&self, changes: Value, seconds_off: i64) -> Salesforce {
        Salesforce::new(self.settings(changes), Arc::new(WallClock(seconds_off)), self.limits(PATIENCE))
            .unwrap()
    }

    pub(crate) fn connector(&self, patience: Duration) -> Arc<dyn Connector> {
        let clock = Arc::new(WallClock(0));
        Arc::new(Salesforce::new(self.settings(json!({})), clock, self.limits(patience)).unwrap())
    }
}

pub(crate) fn facts() -> Facts {
    Facts {
        text_field: "Description".into(),
        title_field: "Subject".into(),
        contact_field: "ContactId".into(),
        nobody: String::new(),
        absent_contact: Record { object: "Contact".into(), id: "003000000009999AAA".parse().unwrap() },
        call: CallFacts { object: "Task".into(), title_field: "Subject".into(), read: task },
    }
}

/// What a task says about its call. Number and recording have no field of their own.
fn task(record: &LogRecord) -> CallSeen {
    let field = |name: &str| record.fields.get(name).and_then(Value::as_str).map(str::to_owned);
    let text = field("Description").unwrap_or_default();
    let line = |label: &str| {
        let prefix = format!("{label}: ");
        text.lines().find_map(|line| line.strip_prefix(&prefix)).map(str::to_owned)
    };
    let open =
        field("TaskSubtype").as_deref() != Some("Call") || field("Status").as_deref() != Some("Completed");
    CallSeen {
        direction: match field("CallType").as_deref() {
            Some("Inbound") if !open => Some(Direction::Inbound),
            Some("Outbound") if !open => Some(Direction::Outbound),
            _ => None,
        },
        answered: field("CallDisposition").map(|result| result == "Answered"),
        number: line("Phone"),
        contact: field("WhoId"),
        case: field("WhatId"),
        recording: line("Recording"),
        text,
    }
}

pub(crate) fn case(id: &str) -> Record {
    Record { object: "Case".into(), id: id.parse().unwrap() }
}

pub(crate) fn contact(id: &str) -> Record {
    Record { object: "Contact".into(), id: id.parse().unwrap() }
}

/// An answered chat.
pub(crate) fn log() -> Log {
    let line = |at: i64, from, name: &str, text: &str| Line {
        at: Timestamp(1_795_165_200_000 + at * 1000),
        from,
        name: name.into(),
        text: text.into(),
    };
    Log {
        interaction: uuid::Uuid::new_v4().to_string().parse().unwrap(),
        version: 1,
        channel: Channel::Chat,
        started_at: Timestamp(1_795_165_200_000),
        answered_at: Some(Timestamp(1_795_165_205_000)),
        ended_at: Some(Timestamp(1_795_165_300_000)),
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
