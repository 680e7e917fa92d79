//! The conformance kit: what every connector must do, whatever its CRM, tried against a stand-in with faults.
//!
//! `run` gives a list of named checks, each passed or failed with its reason; a test asserts that all pass, and
//! `tieline connector test` prints it. Nothing here knows a vendor: what differs stands in [`Facts`].

mod bench;
mod calls;
mod faults;
mod logs;
mod lookups;
mod operations;
mod texts;

pub use bench::{Bench, CallFacts, CallSeen, Facts};
pub use operations::{Request, Row, operations, readme, table};

use bench::Ctx;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, Instant};

/// Longest time for one check; a connector that waits for ever fails it.
const CHECK_TIME_MAX: Duration = Duration::from_secs(60);

/// How one check went.
type Verdict = Result<(), String>;
type Running<'a> = Pin<Box<dyn Future<Output = Verdict> + Send + 'a>>;

/// One promise of a connector and how it is tried.
struct Trial {
    name: &'static str,
    rules: &'static str,
    run: for<'a> fn(&'a Ctx<'a>) -> Running<'a>,
}

/// One check of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What is promised, in words with underscores.
    pub name: &'static str,
    /// Rules it belongs to.
    pub rules: &'static str,
    /// Why it failed, if it did.
    pub failure: Option<String>,
    /// How long it took.
    pub took: Duration,
}

/// All checks, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The checks.
    pub checks: Vec<Check>,
}

impl Report {
    /// Whether every check passed.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.checks.iter().all(|check| check.failure.is_none())
    }
    /// Names of the checks that failed.
    #[must_use]
    pub fn failed(&self) -> Vec<&'static str> {
        self.checks.iter().filter(|check| check.failure.is_some()).map(|check| check.name).collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for check in &self.checks {
            let Check { name, rules, failure, took } = check;
            let word = if failure.is_none() { "pass" } else { "FAIL" };
            writeln!(f, "{word}  {} ({rules}, {} ms)", name.replace('_', " "), took.as_millis())?;
            if let Some(reason) = failure {
                writeln!(f, "      {reason}")?;
            }
        }
        let failed = self.failed().len();
        write!(f, "{} checks, {} passed, {failed} failed", self.checks.len(), self.checks.len() - failed)
    }
}

macro_rules! trials {
    ($($room:ident { $($name:ident $rules:literal)* })*) => {
        const TRIALS: &[Trial] = &[$($(Trial {
            name: stringify!($name),
            rules: $rules,
            run: |ctx| Box::pin($room::$name(ctx)),
        },)*)*];
    };
}

trials! {
    lookups {
        the_account_is_ready "set-up"
        a_contact_is_found_by_its_address "D1, D2"
        a_contact_is_found_however_its_number_is_written "D1, D2"
        people_who_share_a_number_are_all_listed "D2, D6"
        a_case_is_found_by_its_number "D1, D2"
        a_withheld_or_short_number_is_not_asked_for "E2"
        a_look_up_makes_nothing "D1"
        a_look_up_takes_any_text "F5"
        a_new_contact_is_made_once "D4"
        history_is_newest_first "D4"
        a_pop_names_the_record "D2"
    }
    logs {
        a_log_becomes_one_record "D6"
        the_same_log_again_changes_nothing "D6"
        a_lost_ledger_makes_no_second_record "D6"
        logs_of_several_interactions_are_several_records "D6"
        a_log_without_a_contact_is_kept "D5, D6"
        a_log_whose_contact_is_gone_is_kept "D10"
        later_facts_change_the_same_record "D6"
        an_older_account_never_wins "D6"
        a_persons_edit_is_kept "D6"
        a_log_goes_under_the_case_that_was_named "D6"
        erasing_removes_what_was_written "promise 9"
    }
    texts {
        a_transcript_longer_than_the_field_is_kept_whole "D11"
        any_script_and_markup_stays_text "B9"
        a_log_with_nothing_in_it_is_kept "D6"
    }
    calls {
        a_call_becomes_one_record_of_its_own_kind "E4, D6"
        a_call_from_a_hidden_number_is_kept "E2, E4"
        a_call_of_nobody_known_is_kept "D5, E4"
        a_call_whose_contact_is_gone_is_kept "D10, E4"
        the_same_call_again_changes_nothing "D6, E4"
        a_lost_ledger_makes_no_second_call "D6, E4"
        a_recording_that_comes_later_changes_the_same_call "D6, E4"
        a_persons_edit_of_a_call_is_kept "D6, E4"
        a_call_goes_under_the_case_that_was_named "D6, E4"
        erasing_removes_a_call "promise 9"
    }
    faults {
        an_expired_token_is_renewed_at_once "D8"
        a_refused_token_asks_for_an_administrator "D8"
        trouble_at_any_step_is_repeated "D8"
        a_limit_at_any_step_is_said "D8, D13"
        a_lock_at_any_step_is_repeated "D8"
        a_lost_answer_at_any_step_makes_nothing_twice "D6"
        a_stall_at_any_step_ends_in_time "D8"
        a_crash_between_any_steps_makes_nothing_twice "D6, F1"
        a_crash_at_any_moment_makes_nothing_twice "D6, F1"
        a_lost_answer_to_an_update_loses_nothing "D6"
        a_lost_answer_under_a_named_case_makes_nothing_twice "D6"
        a_lost_answer_at_any_step_makes_no_second_call "D6, E4"
        trouble_at_any_step_of_a_call_is_repeated "D8, E4"
        a_crash_between_any_steps_makes_no_second_call "D6, E4, F1"
        a_lost_answer_to_a_late_recording_loses_nothing "D6, E4"
        the_same_log_twice_at_once_is_one_record "D6"
        many_at_once_share_one_login "D8"
    }
}

/// Names of all checks.
#[must_use]
pub fn names() -> Vec<&'static str> {
    TRIALS.iter().map(|trial| trial.name).collect()
}

/// Tries every promise, one after another.
pub async fn run(bench: &Bench<'_>) -> Report {
    run_some(bench, |_| true).await
}

/// Tries the promises that are wanted, by name.
pub async fn run_some(bench: &Bench<'_>, wanted: impl Fn(&str) -> bool) -> Report {
    let ctx = Ctx::new(bench);
    let mut checks = Vec::new();
    for trial in TRIALS.iter().filter(|trial| wanted(trial.name)) {
        bench.sandbox.clear_faults().await;
        let began = Instant::now();
        let verdict = tokio::time::timeout(CHECK_TIME_MAX, (trial.run)(&ctx)).await;
        let failure = match verdict {
            Ok(verdict) => verdict.err(),
            Err(_) => Some(format!("not done after {} s", CHECK_TIME_MAX.as_secs())),
        };
        checks.push(Check { name: trial.name, rules: trial.rules, failure, took: began.elapsed() });
    }
    bench.sandbox.clear_faults().await;
    Report { checks }
}
