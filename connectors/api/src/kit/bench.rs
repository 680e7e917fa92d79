//! What checks share: a connector on a bench with its stand-in, invented logs, ledgers that crash on cue.

use super::Verdict;
use crate::Connector;
use crate::connector::Saved;
use crate::ledger::{Ledger, LedgerError, Progress};
use crate::outcome::{Failure, Outcome};
use crate::sandbox::{Fault, LogRecord, Sandbox};
use async_trait::async_trait;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tieline_model::Timestamp;
use tieline_model::content::Person;
use tieline_model::crm::{CallDetails, Channel, Direction, Line, Log, Match, Query, Record, Side};

/// Tries after a fault before a log counts as stuck.
const TRIES_MAX: usize = 4;
/// How long connectors wait for an answer: long enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a search index may lag.
const INDEX_LAG_MAX: Duration = Duration::from_secs(10);

/// A connector and the stand-in it talks to.
pub struct Bench<'a> {
    /// Makes a connector as after a restart: no token, nothing remembered. It waits this long for an answer, and
    /// reads numbers without country code in Great Britain.
    pub connect: &'a (dyn Fn(Duration) -> Arc<dyn Connector> + Send + Sync),
    /// The stand-in.
    pub sandbox: &'a dyn Sandbox,
    /// What differs between vendors.
    pub facts: Facts,
}

/// What the kit must know of a vendor.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The record's field with the account of the interaction and the transcript's beginning.
    pub text_field: String,
    /// The record's title, made from the customer's name; people edit it.
    pub title_field: String,
    /// The record's field that points at the contact.
    pub contact_field: String,
    /// What stands there in a log of nobody: empty, or the record that the settings name where the CRM demands one.
    pub nobody: String,
    /// A contact that is well formed and not there.
    pub absent_contact: Record,
    /// What a call becomes (E4).
    pub call: CallFacts,
}

/// What a call becomes in a vendor's CRM: its own kind of call record (E4).
#[derive(Debug, Clone)]
pub struct CallFacts {
    /// The CRM's own name for that kind (`Task`, `phonecall`, `ticket`).
    pub object: String,
    /// The record's title, which people edit.
    pub title_field: String,
    /// Reads what a record says about its call.
    pub read: fn(&LogRecord) -> CallSeen,
}

/// What a CRM's record says about a call. Empty where it says nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CallSeen {
    /// Which way it went, in the field that the CRM has for it.
    pub direction: Option<Direction>,
    /// Somebody answered.
    pub answered: Option<bool>,
    /// The customer's number.
    pub number: Option<String>,
    /// Id of the contact it was with.
    pub contact: Option<String>,
    /// Id of the case it lies under.
    pub case: Option<String>,
    /// Where the recording can be heard.
    pub recording: Option<String>,
    /// Everything it says in words: classification, remarks.
    pub text: String,
}

pub(super) struct Ctx<'a> {
    pub(super) bench: &'a Bench<'a>,
    pub(super) sandbox: &'a dyn Sandbox,
    /// Looks up for all checks that need no fresh connector.
    pub(super) reader: Arc<dyn Connector>,
    seed: u64,
    next: AtomicU64,
}

/// When the logs of the kit began: 2026-03-02T10:00:00Z.
const START: Timestamp = Timestamp(1_772_445_600_000);

impl<'a> Ctx<'a> {
    pub(super) fn new(bench: &'a Bench<'a>) -> Self {
        // The stand-in may hold data of earlier runs: names of this run must be new.
        let seed = RandomState::new().build_hasher().finish();
        Self {
            bench,
            sandbox: bench.sandbox,
            reader: (bench.connect)(PATIENCE),
            seed,
            next: AtomicU64::new(1),
        }
    }

    pub(super) fn connect(&self) -> Arc<dyn Connector> {
        (self.bench.connect)(PATIENCE)
    }

    /// A number that no other call of this run, and hardly one of another, has given.
    pub(super) fn unique(&self) -> u64 {
        let n = self.next.fetch_add(1, Ordering::Relaxed);
        (self.seed % 100_000_000).wrapping_mul(1_000) + n
    }

    pub(super) fn email(&self) -> String {
        format!("kit{}@example.org", self.unique())
    }

    /// The last eight digits of a London number.
    pub(super) fn line(&self) -> String {
        let n = self.next.fetch_add(1, Ordering::Relaxed);
        format!("3{:07}", (self.seed / 7 + n * 7_919) % 10_000_000)
    }

    pub(super) async fn contact(
        &self,
        name: &str,
        email: Option<&str>,
        phone: Option<&str>,
    ) -> Result<Record, String> {
        let id = self.sandbox.add_contact(name, email, phone).await;
        let object = self.bench.facts.absent_contact.object.clone();
        Ok(Record { object, id: id.parse().map_err(|e| format!("the stand-in gave a bad id: {e}"))? })
    }

    /// An answered chat with a transcript that names itself.
    pub(super) fn log(&self) -> Log {
        let n = self.unique();
        let key = format!("0190b7a2-{:04x}-7000-8000-{:012x}", self.seed >> 48, n & 0xffff_ffff_ffff);
        let line = |at: u64, from, name: &str, text: String| Line {
            at: START + tieline_model::Millis::secs(at),
            from,
            name: name.into(),
            text,
        };
        Log {
            interaction: key.parse().expect("five groups of hexadecimal digits"),
            version: 10,
            channel: Channel::Chat,
            started_at: START,
            answered_at: Some(START + tieline_model::Millis::secs(9)),
            ended_at: Some(START + tieline_model::Millis::secs(99)),
            outcome: tieline_model::crm::Outcome::Answered,
            queue: None,
            queue_name: Some("Front desk".into()),
            agent: None,
            agent_name: Some("Grace".into()),
            person: Person { name: Some(format!("Ada {n}")), ..Person::default() },
            contact: None,
            case: None,
            codes: vec!["billing".into()],
            not_classified: false,
            remarks: tieline_model::content::Remarks::default(),
            transcript: vec![
                line(10, Side::Customer, "Ada", format!("first words {n}")),
                line(20, Side::Agent, "Grace", format!("last words {n}")),
            ],
            call: None,
            crm_user: None,
            legs: Vec::new(),
            answers: Default::default(),
            abuse: None,
            previous: None,
        }
    }

    /// An answered call into the centre, from a number nobody has.
    pub(super) fn call(&self) -> Log {
        let number = format!("+4420{}", self.line());
        let mut log = self.log();
        log.channel = Channel::Call;
        log.transcript.clear();
        log.person.phone = Some(number.clone());
        log.call = Some(CallDetails {
            direction: Direction::Inbound,
            number: Some(number),
            line: Some("+442079460000".into()),
            recording: None,
        });
        log
    }

    /// The call has been recorded; gives the recording's address.
    pub(super) fn record_call(&self, log: &mut Log) -> String {
        let url = format!("https://recordings.example/{}", self.unique());
        if let Some(call) = &mut log.call {
            call.recording = Some(url.clone());
        }
        url
    }

    /// What a record says about its call.
    pub(super) fn seen(&self, record: &LogRecord) -> CallSeen {
        (self.bench.facts.call.read)(record)
    }

    /// Records that the stand-in keeps under a log's key.
    pub(super) async fn records(&self, log: &Log) -> Vec<LogRecord> {
        let key = log.key();
        let all = self.sandbox.log_records().await;
        all.into_iter().filter(|record| record.key.eq_ignore_ascii_case(&key)).collect()
    }

    /// The one record of a log.
    pub(super) async fn record(&self, log: &Log) -> Result<LogRecord, String> {
        let mut all = self.records(log).await;
        match (all.len(), all.pop()) {
            (1, Some(record)) => Ok(record),
            (n, _) => Err(format!("{n} records hold this interaction; there must be one")),
        }
    }

    /// The one record of a log, with all that was said exactly once beside it or in it.
    pub(super) async fn whole(&self, log: &Log) -> Result<LogRecord, String> {
        let record = self.record(log).await?;
        self.said_once(log, &record)?;
        Ok(record)
    }

    pub(super) fn said_once(&self, log: &Log, record: &LogRecord) -> Verdict {
        // In order, each behind the one before: a transcript is long, and order matters.
        let holds = |text: &str| {
            let mut rest = text;
            log.transcript.iter().all(|line| {
                let found = rest.find(&line.text).map(|at| &rest[at + line.text.len()..]);
                found.inspect(|behind| rest = behind).is_some()
            })
        };
        let files = record.attachments.iter().filter(|(_, text)| holds(text)).count();
        match files {
            0 if !holds(&field(record, &self.bench.facts.text_field)) => {
                Err("what was said is neither in the record nor beside it".into())
            }
            0 | 1 => Ok(()),
            n => Err(format!("the transcript is there {n} times")),
        }
    }

    /// Delivers a log that nothing stands in the way of.
    pub(super) async fn deliver(&self, log: &Log, progress: &mut Progress) -> Result<Saved, String> {
        let mut desk = Desk::new(std::mem::take(progress));
        let result = self.connect().upsert_log(log, &mut desk).await;
        *progress = desk.progress;
        result.map_err(|failure| format!("a log was not taken: {failure}"))
    }

    /// Delivers a log after a fault, as dispatch would: again and again, each time as after a restart.
    pub(super) async fn settle(&self, log: &Log, progress: &mut Progress) -> Result<Saved, String> {
        let mut last = Err("never tried".to_owned());
        for _ in 0..TRIES_MAX {
            last = self.deliver(log, progress).await;
            if last.is_ok() {
                break;
            }
        }
        last.map_err(|why| format!("after the fault was over: {why}"))
    }

    /// Looks up until a search index has caught up.
    pub(super) async fn find_until(
        &self,
        query: &Query,
        enough: impl Fn(&[Match]) -> bool,
    ) -> Result<Vec<Match>, String> {
        let deadline = tokio::time::Instant::now() + INDEX_LAG_MAX;
        loop {
            let found = self.reader.find(query).await.map_err(|e| format!("the look-up failed: {e}"))?.found;
            if enough(&found) || tokio::time::Instant::now() > deadline {
                return Ok(found);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

pub(super) fn by_phone(text: &str) -> Query {
    Query { phone: Some(text.into()), ..Query::default() }
}
pub(super) fn by_email(text: &str) -> Query {
    Query { email: Some(text.into()), ..Query::default() }
}
pub(super) fn by_case_number(text: &str) -> Query {
    Query { case_number: Some(text.into()), ..Query::default() }
}

/// A field of a record as text; empty when it is not there.
pub(super) fn field(record: &LogRecord, name: &str) -> String {
    record.fields.get(name).and_then(|value| value.as_str()).unwrap_or_default().to_owned()
}

pub(super) fn holds(condition: bool, otherwise: impl Into<String>) -> Verdict {
    if condition { Ok(()) } else { Err(otherwise.into()) }
}

/// Which kind a failure is.
pub(super) fn kind<T>(outcome: &Outcome<T>) -> &'static str {
    match outcome {
        Ok(_) => "done",
        Err(Failure::Retry { .. }) => "retry",
        Err(Failure::Throttled { .. }) => "throttled",
        Err(Failure::Reject { .. }) => "reject",
        Err(Failure::Reauthorise { .. }) => "reauthorise",
    }
}

/// What happens at a desk's save.
pub(super) enum Cue<'a> {
    /// Nothing.
    Nothing,
    /// The daemon dies just before this save reaches the disk.
    CrashBefore,
    /// The daemon dies just after.
    CrashAfter,
    /// A fault begins just after.
    Fault(&'a dyn Sandbox, Fault),
}

/// A ledger on which something happens at the n-th save.
pub(super) struct Desk<'a> {
    pub(super) progress: Progress,
    saves: usize,
    at: usize,
    cue: Cue<'a>,
    /// It happened.
    pub(super) happened: bool,
    dead: bool,
}

impl<'a> Desk<'a> {
    pub(super) fn new(progress: Progress) -> Self {
        Self::with_cue(progress, 0, Cue::Nothing)
    }
    pub(super) fn with_cue(progress: Progress, at: usize, cue: Cue<'a>) -> Self {
        Self { progress, saves: 0, at, cue, happened: false, dead: false }
    }
}

#[async_trait]
impl Ledger for Desk<'_> {
    fn progress(&self) -> &Progress {
        &self.progress
    }
    async fn save(&mut self, progress: Progress) -> Result<(), LedgerError> {
        let crashed = || Err(LedgerError("the daemon is gone".into()));
        if self.dead {
            return crashed();
        }
        self.saves += 1;
        if self.saves != self.at {
            self.progress = progress;
            return Ok(());
        }
        self.happened = true;
        match &self.cue {
            Cue::Nothing => self.progress = progress,
            Cue::CrashBefore => {
                self.dead = true;
                return crashed();
            }
            Cue::CrashAfter => {
                self.progress = progress;
                self.dead = true;
                return crashed();
            }
            Cue::Fault(sandbox, fault) => {
                self.progress = progress;
                sandbox.inject(fault.clone(), 1).await;
            }
        }
        Ok(())
    }
}
