//! A CRM that is slow, limiting, down, or answers and loses the answer. Its records survive every crash of the daemon.
//!
//! It has no unique key: a create is a new record. That there is one per interaction is the ledger's doing, so a
//! dispatcher that loses, forgets or doubles a flight shows at once.

use super::chance::Chance;
use super::planted::Plant;
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tieline_connector_api::connector::{Description, Finding, HistoryEntry, NewContact, Saved};
use tieline_connector_api::ledger::Pending;
use tieline_connector_api::{Connector, Failure, Ledger, Outcome};
use tieline_model::content::Person;
use tieline_model::crm::{Basis, Certainty, Log, Match, Matches, PopTarget, Query, Record};
use tieline_model::{Millis, RecordId};
use tokio::time::Instant;

/// What the CRM holds.
#[derive(Default)]
pub struct Records {
    /// By record id: the interaction's key and the log as last written.
    pub logs: BTreeMap<u64, (String, Log)>,
    next: u64,
    /// Logs that are being written at this moment, by key.
    writing: Vec<String>,
    /// What went wrong that must not.
    pub wrongs: Vec<String>,
}

pub struct Crm {
    pub records: Arc<Mutex<Records>>,
    asking: Chance,
    writing: Chance,
    plant: Option<Plant>,
    began: Instant,
    /// It is out of order from here to there.
    outage: (Duration, Duration),
    faults: bool,
}

/// How a request ends.
enum Fate {
    Well,
    /// Done, and nobody hears of it.
    AnswerLost,
    /// Done, and the caller waits for ever.
    Stalls,
    NotDone,
    Limits,
    Expired,
    Refuses,
}

impl Crm {
    /// `faults` as the dice fall, or none at all.
    pub fn new(chance: &Chance, plant: Option<Plant>, faults: bool) -> Self {
        let from = Duration::from_secs(chance.below(60));
        let until = if faults { from + Duration::from_secs(chance.below(60)) } else { from };
        Self {
            records: Arc::default(),
            asking: chance.of("asking"),
            writing: chance.of("writing"),
            plant,
            began: Instant::now(),
            outage: (from, until),
            faults,
        }
    }

    async fn network(&self, chance: &Chance) -> Fate {
        tokio::time::sleep(Duration::from_millis(20 + chance.below(400))).await;
        if chance.calm() || !self.faults {
            return Fate::Well;
        }
        let (from, until) = self.outage;
        if (from..until).contains(&self.began.elapsed()) {
            return Fate::NotDone;
        }
        match chance.below(40) {
            0..=3 => Fate::AnswerLost,
            4 => Fate::Stalls,
            5..=8 => Fate::NotDone,
            9 => Fate::Limits,
            10 => Fate::Expired,
            11 => Fate::Refuses,
            _ => Fate::Well,
        }
    }

    /// A request that changes something when it arrives.
    async fn request<T>(&self, chance: &Chance, change: impl FnOnce(&mut Records) -> T) -> Outcome<T> {
        match self.network(chance).await {
            Fate::Well => Ok(change(&mut self.records.lock().unwrap())),
            Fate::AnswerLost => {
                change(&mut self.records.lock().unwrap());
                Err(Failure::unknown("the answer was lost"))
            }
            Fate::Stalls => {
                change(&mut self.records.lock().unwrap());
                std::future::pending().await
            }
            other => Err(failure(other)),
        }
    }

    fn start(&self, key: &str) {
        let mut records = self.records.lock().unwrap();
        if records.writing.iter().any(|k| k == key) {
            records.wrongs.push(format!("two flights at once for {key}"));
        }
        records.writing.push(key.to_owned());
    }
}

fn failure(fate: Fate) -> Failure {
    match fate {
        Fate::Limits => Failure::Throttled { until: None, reason: "limited".to_owned() },
        Fate::Expired => Failure::Reauthorise { reason: "token expired".to_owned() },
        Fate::Refuses => Failure::reject(Some("NO"), "refused"),
        Fate::NotDone => Failure::Retry {
            after: Some(Millis(500)),
            known: tieline_connector_api::outcome::Known::NotDone,
            reason: "down".to_owned(),
        },
        Fate::Well | Fate::AnswerLost | Fate::Stalls => Failure::retry("down"),
    }
}

/// Ends a flight however its future ends.
struct Flight {
    records: Arc<Mutex<Records>>,
    key: String,
}

impl Drop for Flight {
    fn drop(&mut self) {
        let mut records = self.records.lock().unwrap();
        if let Some(at) = records.writing.iter().position(|k| *k == self.key) {
            records.writing.remove(at);
        }
    }
}

fn record(id: u64) -> Record {
    Record { object: "Case".to_owned(), id: RecordId::new(id.to_string()).unwrap() }
}

#[async_trait]
impl Connector for Crm {
    fn describe(&self) -> Description {
        Description { vendor: "paper", name: "Paper", address: "nowhere".to_owned(), push_pop: false }
    }

    async fn check(&self) -> Outcome<Vec<Finding>> {
        Ok(Vec::new())
    }

    async fn find(&self, query: &Query) -> Outcome<Matches> {
        let email = query.email.clone();
        self.request(&self.asking, |_| ()).await?;
        let found = email.map(|title| Match {
            record: Record { object: "Contact".to_owned(), id: RecordId::new("known").unwrap() },
            title,
            subtitle: None,
            certainty: Certainty::Exact,
            basis: Basis::Email,
            contact: None,
            url: None,
        });
        Ok(Matches { found: found.into_iter().collect(), more: false })
    }

    async fn create_contact(&self, _: &NewContact) -> Outcome<Match> {
        Err(Failure::reject(None, "not simulated"))
    }

    async fn upsert_log(&self, log: &Log, ledger: &mut dyn Ledger) -> Outcome<Saved> {
        let key = log.key();
        self.start(&key);
        let _flight = Flight { records: self.records.clone(), key: key.clone() };
        let mut progress = ledger.progress().clone();
        let mut known = progress.record.as_ref().and_then(|r| r.id.as_str().parse::<u64>().ok());
        if known.is_none() && progress.pending.is_some() {
            // A create was sent and its answer is not known: read before writing.
            let wanted = key.clone();
            let found = self
                .request(&self.writing, move |records| {
                    records.logs.iter().find(|(_, (k, _))| *k == wanted).map(|(id, _)| *id)
                })
                .await?;
            known = found;
        }
        let id = match known {
            Some(id) => {
                let (key, log) = (key.clone(), log.clone());
                self.request(&self.writing, move |records| drop(records.logs.insert(id, (key, log)))).await?;
                id
            }
            None => {
                progress.pending = Some(Pending { step: "create".to_owned(), body: String::new() });
                ledger.save(progress.clone()).await?;
                let (key, log) = (key.clone(), log.clone());
                let doubled = self.plant == Some(Plant::RecordDoubled) && self.writing.one_in(8);
                self.request(&self.writing, move |records| {
                    for _ in 0..if doubled { 2 } else { 1 } {
                        records.next += 1;
                        let id = records.next;
                        records.logs.insert(id, (key.clone(), log.clone()));
                    }
                    records.next
                })
                .await?
            }
        };
        progress.record = Some(record(id));
        progress.pending = None;
        ledger.save(progress).await?;
        Ok(Saved { record: record(id), label: format!("Case {id}"), url: None })
    }

    async fn history(&self, _: &Record, _: u32) -> Outcome<Vec<HistoryEntry>> {
        Ok(Vec::new())
    }

    fn pop(&self, record: &Record) -> PopTarget {
        PopTarget::Record { record: record.clone(), url: None }
    }

    fn pop_new(&self, _: &Person) -> PopTarget {
        PopTarget::Search { text: String::new() }
    }

    async fn erase(&self, _: &str) -> Outcome<()> {
        Ok(())
    }
}
