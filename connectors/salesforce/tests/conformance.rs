//! The conformance kit against the sandbox, over http and https; and that the kit can fail.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use async_trait::async_trait;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use support::{Org, facts, key};
use tieline_connector_api::connector::{HistoryEntry, NewContact, Saved};
use tieline_connector_api::kit::{self, Bench};
use tieline_connector_api::ledger::MemoryLedger;
use tieline_connector_api::{Connector, Description, Failure, Finding, Known, Ledger, Outcome};
use tieline_model::content::Person;
use tieline_model::crm::{Certainty, Channel, Direction, Log, Match, Matches, PopTarget, Query, Record};
use tieline_sandbox::salesforce::{Options, Switches};

async fn passes(org: &Org) {
    let connect = |patience| org.connector(patience);
    let report = kit::run(&Bench { connect: &connect, sandbox: org.sandbox(), facts: facts() }).await;
    println!("{report}");
    assert!(report.passed(), "{report}");
    assert_eq!(report.checks.len(), kit::names().len());
}

// proves D1, D2, D4, D6, D8, D10, D11, E2, E4, F1, F5
#[tokio::test(flavor = "multi_thread")]
async fn the_connector_keeps_every_promise_over_http() {
    passes(&Org::plain().await).await;
}

// proves D1, D2, D6, D8, D11
#[tokio::test(flavor = "multi_thread")]
async fn the_connector_keeps_every_promise_over_https() {
    let org = Org::start(Options { tls: true, contacts: 20, ..Options::demo(key()) }).await;
    assert!(org.running.login_url.starts_with("https://"));
    passes(&org).await;
}

// proves D1, D2
#[tokio::test(flavor = "multi_thread")]
async fn look_ups_wait_for_an_index_that_lags() {
    let switches = Switches { search_lag_ms: 400, deleted_status: 404, ..Switches::default() };
    let org = Org::start(Options { switches, contacts: 0, ..Options::demo(key()) }).await;
    let connect = |patience| org.connector(patience);
    let bench = Bench { connect: &connect, sandbox: org.sandbox(), facts: facts() };
    let wanted = |name: &str| name.contains("contact") || name.contains("number");
    let report = kit::run_some(&bench, wanted).await;
    assert!(report.passed() && report.checks.len() >= 7, "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_readme_says_what_each_operation_costs() {
    let org = Org::plain().await;
    let connect = |patience| org.connector(patience);
    let bench = Bench { connect: &connect, sandbox: org.sandbox(), facts: facts() };
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
    RejectsAll,
    CallsLostWritesUndone,
    DropsWords,
    DropsContacts,
    SureOfEverything,
    TellsContent,
    TakesAnyOrder,
    IgnoresNamedCases,
    ErasesNothing,
    PopsForms,
    FindsNobody,
    MakesCallsCases,
    TurnsCallsAround,
    AnswersEveryCall,
    HidesNumbers,
    LosesRecordings,
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
        let mut matches = self.inner.find(query).await?;
        if self.flaw == Flaw::LookUpsCreate && matches.found.is_empty() && query.email.is_some() {
            let person =
                Person { name: Some("Unknown".into()), email: query.email.clone(), ..Person::default() };
            let key = uuid::Uuid::new_v4().to_string();
            let _ = self.inner.create_contact(&NewContact { key, person }).await;
        }
        if self.flaw == Flaw::SureOfEverything {
            matches.found.iter_mut().for_each(|m| m.certainty = Certainty::Exact);
        }
        if self.flaw == Flaw::FindsNobody {
            matches.found.clear();
        }
        Ok(matches)
    }
    async fn create_contact(&self, contact: &NewContact) -> Outcome<Match> {
        self.inner.create_contact(contact).await
    }
    async fn upsert_log(&self, log: &Log, ledger: &mut dyn Ledger) -> Outcome<Saved> {
        let mut log = log.clone();
        let text = log.transcript.first().map(|l| l.text.clone()).unwrap_or_default();
        if self.flaw == Flaw::NewKeyEachTry {
            log.interaction = uuid::Uuid::new_v4().to_string().parse().unwrap();
        } else if self.flaw == Flaw::DropsWords {
            log.transcript.truncate(1);
        } else if self.flaw == Flaw::DropsContacts {
            log.contact = None;
        } else if self.flaw == Flaw::IgnoresNamedCases {
            log.case = None;
        } else if self.flaw == Flaw::TakesAnyOrder {
            log.version = 1_000 + self.tries.fetch_add(1, Ordering::Relaxed);
        } else if let Some(call) = &mut log.call {
            if self.flaw == Flaw::MakesCallsCases {
                log.channel = Channel::Chat;
            } else if self.flaw == Flaw::TurnsCallsAround {
                call.direction = Direction::Inbound;
            } else if self.flaw == Flaw::AnswersEveryCall {
                log.outcome = tieline_model::crm::Outcome::Answered;
            } else if self.flaw == Flaw::HidesNumbers {
                log.person.phone = None;
            } else if self.flaw == Flaw::LosesRecordings {
                call.recording = None;
            }
        }
        let result = if self.flaw == Flaw::NoLedger {
            self.inner.upsert_log(&log, &mut MemoryLedger::default()).await
        } else {
            self.inner.upsert_log(&log, ledger).await
        };
        result.map_err(|failure| match (self.flaw, failure) {
            (Flaw::RejectsAll, failure) => Failure::reject(None, failure),
            (Flaw::TellsContent, Failure::Retry { after, known, reason }) => {
                Failure::Retry { after, known, reason: format!("{reason}: {text}") }
            }
            (Flaw::CallsLostWritesUndone, Failure::Retry { after, reason, .. }) => {
                Failure::Retry { after, known: Known::NotDone, reason }
            }
            (_, failure) => failure,
        })
    }
    async fn history(&self, contact: &Record, limit: u32) -> Outcome<Vec<HistoryEntry>> {
        self.inner.history(contact, limit).await
    }
    fn pop(&self, record: &Record) -> PopTarget {
        if self.flaw == Flaw::PopsForms {
            return self.inner.pop_new(&Person::default());
        }
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
    let org = Org::plain().await;
    for (flaw, must_fail) in [
        (
            Flaw::NewKeyEachTry,
            &[
                "a_log_becomes_one_record",
                "a_lost_ledger_makes_no_second_record",
                "a_lost_ledger_makes_no_second_call",
                "a_crash_between_any_steps_makes_no_second_call",
            ][..],
        ),
        (
            Flaw::NoLedger,
            &[
                "the_same_log_again_changes_nothing",
                "a_persons_edit_is_kept",
                "the_same_call_again_changes_nothing",
                "a_persons_edit_of_a_call_is_kept",
            ],
        ),
        (Flaw::LookUpsCreate, &["a_look_up_makes_nothing"]),
        (Flaw::RejectsAll, &["a_lock_at_any_step_is_repeated", "a_limit_at_any_step_is_said"]),
        (
            Flaw::CallsLostWritesUndone,
            &[
                "a_lost_answer_at_any_step_makes_nothing_twice",
                "a_lost_answer_at_any_step_makes_no_second_call",
            ],
        ),
        (Flaw::DropsWords, &["a_log_becomes_one_record", "a_transcript_longer_than_the_field_is_kept_whole"]),
        (
            Flaw::DropsContacts,
            &["a_log_becomes_one_record", "history_is_newest_first", "a_call_of_nobody_known_is_kept"],
        ),
        (Flaw::SureOfEverything, &["a_contact_is_found_however_its_number_is_written"]),
        (Flaw::TellsContent, &["a_lock_at_any_step_is_repeated"]),
        (Flaw::TakesAnyOrder, &["an_older_account_never_wins"]),
        (
            Flaw::IgnoresNamedCases,
            &["a_log_goes_under_the_case_that_was_named", "a_call_goes_under_the_case_that_was_named"],
        ),
        (Flaw::ErasesNothing, &["erasing_removes_what_was_written", "erasing_removes_a_call"]),
        (Flaw::MakesCallsCases, &["a_call_becomes_one_record_of_its_own_kind"]),
        (Flaw::TurnsCallsAround, &["a_call_becomes_one_record_of_its_own_kind"]),
        (Flaw::AnswersEveryCall, &["a_call_becomes_one_record_of_its_own_kind"]),
        (Flaw::HidesNumbers, &["a_call_becomes_one_record_of_its_own_kind"]),
        (
            Flaw::LosesRecordings,
            &[
                "a_recording_that_comes_later_changes_the_same_call",
                "a_lost_answer_to_a_late_recording_loses_nothing",
            ],
        ),
        (Flaw::PopsForms, &["a_pop_names_the_record"]),
        (Flaw::FindsNobody, &["a_contact_is_found_by_its_address", "a_case_is_found_by_its_number"]),
    ] {
        let connect = |patience| -> Arc<dyn Connector> {
            Arc::new(Broken { inner: org.connector(patience), flaw, tries: AtomicU64::new(0) })
        };
        let bench = Bench { connect: &connect, sandbox: org.sandbox(), facts: facts() };
        // Checks that wait out a search index are slow when nothing is ever found; one address check says it.
        let wanted = |name: &str| must_fail.contains(&name) || name == "the_account_is_ready";
        let report = kit::run_some(&bench, wanted).await;
        assert_eq!(report.failed(), must_fail_in_order(must_fail), "{flaw:?}\n{report}");
    }
}

fn must_fail_in_order(names: &[&'static str]) -> Vec<&'static str> {
    kit::names().into_iter().filter(|name| names.contains(name)).collect()
}
