//! The conformance kit against the sandbox, over http and https, with calls as tickets and as calls of Talk Partner
//! Edition; and that the kit can fail.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use async_trait::async_trait;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use support::{Account, facts};
use tieline_connector_api::connector::{HistoryEntry, NewContact, Saved};
use tieline_connector_api::kit::{self, Bench};
use tieline_connector_api::ledger::MemoryLedger;
use tieline_connector_api::{Connector, Description, Finding, Ledger, Outcome};
use tieline_model::content::Person;
use tieline_model::crm::{Log, Match, Matches, PopTarget, Query, Record};
use tieline_sandbox::zendesk::{Options, Switches};

async fn passes(account: &Account, changes: &Value) {
    let connect = |patience| account.connector(patience, changes.clone());
    let bench = Bench { connect: &connect, sandbox: account.sandbox(), facts: facts() };
    let report = kit::run(&bench).await;
    println!("{report}");
    assert!(report.passed(), "{report}");
    assert_eq!(report.checks.len(), kit::names().len());
    let mails = account.sandbox().mails();
    assert!(mails.is_empty(), "{} e-mails went to customers and agents", mails.len());
}

// proves D1, D2, D4, D6, D8, D10, D11, E2, E4, F1, F5
#[tokio::test(flavor = "multi_thread")]
async fn the_connector_keeps_every_promise_over_http() {
    passes(&Account::plain().await, &json!({})).await;
}

// proves D1, D2, D6, D8, D11
#[tokio::test(flavor = "multi_thread")]
async fn the_connector_keeps_every_promise_over_https() {
    let account = Account::start(Options { tls: true, contacts: 20, ..Options::demo() }).await;
    assert!(account.running.base_url.starts_with("https://"));
    passes(&account, &json!({})).await;
}

// proves E4
#[tokio::test(flavor = "multi_thread")]
async fn the_connector_keeps_every_promise_with_talk_partner_edition() {
    let changes = json!({ "display": "talk_partner", "calls": { "record": "talk_partner" } });
    passes(&Account::plain().await, &changes).await;
}

// proves D1, D2
#[tokio::test(flavor = "multi_thread")]
async fn look_ups_wait_for_an_index_that_lags_and_logs_do_not() {
    let switches = Switches { search_lag_ms: 400, ..Switches::default() };
    let account = Account::start(Options { switches, contacts: 0, ..Options::demo() }).await;
    let connect = |patience| account.connector(patience, json!({}));
    let bench = Bench { connect: &connect, sandbox: account.sandbox(), facts: facts() };
    let wanted = |name: &str| name.contains("contact") || name.contains("number") || name.contains("lost");
    let report = kit::run_some(&bench, wanted).await;
    assert!(report.passed() && report.checks.len() >= 12, "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_readme_says_what_each_operation_costs() {
    let account = Account::plain().await;
    let connect = |patience| account.connector(patience, json!({}));
    let bench = Bench { connect: &connect, sandbox: account.sandbox(), facts: facts() };
    let rows = kit::operations(&bench).await.unwrap();
    assert!(rows.iter().all(|row| row.says == "done"), "{}", kit::table(&rows));
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    kit::readme(&path, &rows).unwrap();
}

/// What is wrong with a connector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    NewKeyEachTry,
    NoLedger,
    LookUpsCreate,
    DropsWords,
    TakesAnyOrder,
    IgnoresNamedCases,
    ErasesNothing,
    ForgetsRecordings,
}

/// The real connector, broken.
struct Broken {
    inner: Arc<dyn Connector>,
    flaw: Flaw,
    tries: AtomicU64,
}

#[async_trait]
impl Connector for Broken {
    fn describe(&self) -> Description {
        self.inner.describe()
    }
    async fn check(&self) -> Outcome<Vec<Finding>> {
        self.inner.check().await
    }
    async fn find(&self, query: &Query) -> Outcome<Matches> {
        let matches = self.inner.find(query).await?;
        if self.flaw == Flaw::LookUpsCreate && matches.found.is_empty() && query.email.is_some() {
            let person =
                Person { name: Some("Unknown".into()), email: query.email.clone(), ..Person::default() };
            let key = uuid::Uuid::new_v4().to_string();
            let _ = self.inner.create_contact(&NewContact { key, person }).await;
        }
        Ok(matches)
    }
    async fn create_contact(&self, contact: &NewContact) -> Outcome<Match> {
        self.inner.create_contact(contact).await
    }
    async fn upsert_log(&self, log: &Log, ledger: &mut dyn Ledger) -> Outcome<Saved> {
        let mut log = log.clone();
        match self.flaw {
            Flaw::NewKeyEachTry => log.interaction = uuid::Uuid::new_v4().to_string().parse().unwrap(),
            Flaw::DropsWords => log.transcript.truncate(1),
            Flaw::TakesAnyOrder => log.version = 1_000 + self.tries.fetch_add(1, Ordering::Relaxed),
            Flaw::IgnoresNamedCases => log.case = None,
            Flaw::ForgetsRecordings => log.call.iter_mut().for_each(|call| call.recording = None),
            Flaw::NoLedger | Flaw::LookUpsCreate | Flaw::ErasesNothing => {}
        }
        if self.flaw == Flaw::NoLedger {
            return self.inner.upsert_log(&log, &mut MemoryLedger::default()).await;
        }
        self.inner.upsert_log(&log, ledger).await
    }
    async fn history(&self, contact: &Record, limit: u32) -> Outcome<Vec<HistoryEntry>> {
        self.inner.history(contact, limit).await
    }
    fn pop(&self, record: &Record) -> PopTarget {
        self.inner.pop(record)
    }
    fn pop_new(&self, person: &Person) -> PopTarget {
        self.inner.pop_new(person)
    }
    async fn erase(&self, key: &str) -> Outcome<()> {
        if self.flaw == Flaw::ErasesNothing { Ok(()) } else { self.inner.erase(key).await }
    }
}

/// The kit is worth nothing if it passes whatever it is given.
#[tokio::test(flavor = "multi_thread")]
async fn the_kit_sees_what_is_broken() {
    let account = Account::plain().await;
    for (flaw, must_fail) in [
        (Flaw::NewKeyEachTry, &["a_log_becomes_one_record", "a_lost_ledger_makes_no_second_record"][..]),
        (Flaw::NoLedger, &["the_same_log_again_changes_nothing"]),
        (Flaw::LookUpsCreate, &["a_look_up_makes_nothing"]),
        (Flaw::DropsWords, &["a_log_becomes_one_record", "a_transcript_longer_than_the_field_is_kept_whole"]),
        (Flaw::TakesAnyOrder, &["an_older_account_never_wins"]),
        (Flaw::IgnoresNamedCases, &["a_log_goes_under_the_case_that_was_named"]),
        (Flaw::ErasesNothing, &["erasing_removes_what_was_written", "erasing_removes_a_call"]),
        (Flaw::ForgetsRecordings, &["a_recording_that_comes_later_changes_the_same_call"]),
    ] {
        let connect = |patience| -> Arc<dyn Connector> {
            Arc::new(Broken { inner: account.connector(patience, json!({})), flaw, tries: AtomicU64::new(0) })
        };
        let bench = Bench { connect: &connect, sandbox: account.sandbox(), facts: facts() };
        let wanted = |name: &str| must_fail.contains(&name) || name == "the_account_is_ready";
        let report = kit::run_some(&bench, wanted).await;
        let failed = report.failed();
        let missed: Vec<_> = must_fail.iter().filter(|name| !failed.contains(name)).collect();
        assert!(missed.is_empty() && failed.len() == must_fail.len(), "{flaw:?}\n{report}");
    }
}
