//! A sandbox environment and connectors for it.
#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

use serde_json::{Value, json};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tieline_connector_api::Connector;
use tieline_connector_api::client::Limits;
use tieline_connector_api::kit::{CallFacts, CallSeen, Facts};
use tieline_connector_api::sandbox::{LogRecord, Sandbox as _};
use tieline_dynamics::{Dynamics, Settings};
use tieline_model::content::{Person, Remarks};
use tieline_model::crm::{CallDetails, Channel, Direction, Line, Log, Outcome, Record, Side};
use tieline_model::{Clock, Timestamp};
use tieline_sandbox::dynamics::{CLIENT_ID, CLIENT_SECRET, Options, Running, Sandbox, TENANT};
use tieline_sandbox::keys::AppKey;

/// How long connectors of tests wait for an answer: long enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// One key for all environments of a test process: making one takes long.
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
    /// The contact that stands in for unknown customers.
    pub(crate) nobody: String,
}

impl Org {
    pub(crate) async fn start(options: Options) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let running = Sandbox::start(options).await.unwrap();
        let nobody = running.sandbox.add_contact("Unknown Customer", None, None).await;
        Self { running, nobody }
    }

    pub(crate) async fn plain() -> Self {
        Self::start(Options { contacts: 20, ..Options::demo(key()) }).await
    }

    pub(crate) fn sandbox(&self) -> &Sandbox {
        &self.running.sandbox
    }

    /// Settings as an administrator would write them, with changes; `null` takes one out.
    pub(crate) fn settings(&self, changes: Value) -> Settings {
        let mut all = json!({
            "org_url": self.running.org_url,
            "authority_url": self.running.authority_url,
            "tenant": TENANT,
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "default_country": "GB",
            "case": { "fallback_customer": { "contact": self.nobody } },
        });
        for (name, value) in changes.as_object().unwrap() {
            match (all[name].as_object_mut(), value) {
                (Some(section), Value::Object(more)) => section.extend(more.clone()),
                (_, value) => all[name] = value.clone(),
            }
        }
        serde_json::from_value(all).unwrap()
    }

    /// With a certificate instead of the secret.
    pub(crate) fn certificate() -> Value {
        json!({ "client_secret": null, "certificate": key().certificate_pem, "private_key": key().private_pem })
    }

    pub(crate) fn limits(&self, patience: Duration) -> Limits {
        let extra_ca_pem = self.running.ca_pem.clone().map(String::into_bytes);
        Limits { connect: patience, request: patience, extra_ca_pem, ..Limits::default() }
    }

    pub(crate) fn connect(&self) -> Dynamics {
        self.connect_with(json!({}))
    }

    pub(crate) fn connect_with(&self, changes: Value) -> Dynamics {
        self.connect_at(changes, 0)
    }

    pub(crate) fn connect_at(&self, changes: Value, seconds_off: i64) -> Dynamics {
        Dynamics::new(self.settings(changes), Arc::new(WallClock(seconds_off)), self.limits(PATIENCE))
            .unwrap()
    }

    pub(crate) fn connector(&self, changes: Value, patience: Duration) -> Arc<dyn Connector> {
        let clock = Arc::new(WallClock(0));
        Arc::new(Dynamics::new(self.settings(changes), clock, self.limits(patience)).unwrap())
    }

    pub(crate) fn facts(&self) -> Facts {
        Facts {
            text_field: "description".into(),
            title_field: "title".into(),
            contact_field: "_customerid_value".into(),
            nobody: self.nobody.clone(),
            absent_contact: contact("8c3f3b5e-0f0c-4d0a-9d0b-0a0b0c0d0e0f"),
            call: CallFacts { object: "phonecall".into(), title_field: "subject".into(), read: phone_call },
        }
    }
}

/// What a phone call says. What it is about is its case, or else its contact.
fn phone_call(record: &LogRecord) -> CallSeen {
    let field = |name: &str| record.fields.get(name).and_then(Value::as_str).map(str::to_owned);
    let text = field("description").unwrap_or_default();
    let all: Vec<&str> = std::iter::once(text.as_str())
        .chain(record.attachments.iter().map(|(_, text)| text.as_str()))
        .collect();
    let line = |label: &str| {
        let prefix = format!("{label}: ");
        all.iter()
            .rev()
            .flat_map(|text| text.lines())
            .find_map(|l| l.strip_prefix(&prefix).map(str::to_owned))
    };
    let completed = record.fields.get("statecode") == Some(&json!(1));
    let outgoing = record.fields.get("directioncode").and_then(Value::as_bool);
    CallSeen {
        direction: outgoing
            .filter(|_| completed)
            .map(|outgoing| if outgoing { Direction::Outbound } else { Direction::Inbound }),
        answered: text.lines().next().map(|first| first.ends_with(", answered")),
        number: field("phonenumber"),
        contact: field("_regardingobjectid_value"),
        case: field("_regardingobjectid_value"),
        recording: line("Recording"),
        text: all.join("\n"),
    }
}

pub(crate) fn case(id: &str) -> Record {
    Record { object: "incident".into(), id: id.parse().unwrap() }
}

pub(crate) fn contact(id: &str) -> Record {
    Record { object: "contact".into(), id: id.parse().unwrap() }
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

/// An answered call.
pub(crate) fn call() -> Log {
    let number = Some("+442079460000".to_owned());
    Log {
        channel: Channel::Call,
        transcript: Vec::new(),
        call: Some(CallDetails { number, ..CallDetails::default() }),
        ..log()
    }
}
