//! When all has come to rest: what was promised, held against the disk and the CRM.

use super::crm::Records;
use super::policy::connections;
use super::watch::{Shared, same};
use super::world::{Promises, World};
use super::{WHISPER, office, tenant};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tieline::journal::MemoryStore;
use tieline::journal::{Recorded, Store};
use tieline_engine::Engine;
use tieline_model::content::Content;
use tieline_model::crm::{Log, LookupResult, Outcome, Record};
use tieline_model::{CommandId, ConnectionId, Event, InteractionId, Seq, Timestamp};
use tokio::time::sleep;

/// Everybody is served and goes home; logs are delivered, dead ones revived.
pub async fn settle(world: &World, disk: &Mutex<Arc<MemoryStore>>, seen: &Shared) {
    office::serve_all(world).await;
    office::go_home(world).await;
    if !seen.lock().unwrap().wrongs.is_empty() || !world.promises.lock().unwrap().wrongs.is_empty() {
        return;
    }
    let disk = disk.lock().unwrap().clone();
    loop {
        sleep(Duration::from_secs(5)).await;
        for dead in disk.dead(&tenant(), 100).await.expect("memory") {
            let _ = disk.revive(&tenant(), &dead.connection, dead.interaction, Timestamp(0)).await;
        }
        let rows = disk.read(&tenant(), Seq(0), u32::MAX).await.expect("memory");
        let mut open = false;
        for (connection, id) in deliveries(&rows) {
            let delivery = disk.delivery(&tenant(), &connection, id).await.expect("memory");
            open |= delivery.is_none_or(|d| d.done < d.wanted);
        }
        if !open {
            return;
        }
    }
}

/// What is still to be delivered, for a failing seed.
pub async fn left(disk: &MemoryStore) -> String {
    let rows = disk.read(&tenant(), Seq(0), u32::MAX).await.expect("memory");
    let mut left = Vec::new();
    for (connection, id) in deliveries(&rows) {
        match disk.delivery(&tenant(), &connection, id).await.expect("memory") {
            Some(d) if d.done >= d.wanted => {}
            other => left.push(format!("{connection} {id}: {other:?}")),
        }
    }
    format!("{left:#?}")
}

pub async fn engine(world: &World) -> Engine {
    world.look(Clone::clone).await.expect("the last process runs")
}

pub async fn replay(disk: &MemoryStore) -> Engine {
    let mut engine = Engine::new();
    for row in disk.read(&tenant(), Seq(0), u32::MAX).await.expect("memory") {
        engine.apply(row.at, &row.event);
    }
    engine
}

/// Interactions that belong into the CRM.
fn logged(rows: &[Recorded]) -> BTreeSet<InteractionId> {
    let wanted = rows.iter().filter_map(|row| match &row.event {
        Event::InteractionClosed { interaction, log: true, .. } | Event::CaseOpened { interaction, .. } => {
            Some(*interaction)
        }
        _ => None,
    });
    wanted.collect()
}

/// Each of them, for each CRM.
fn deliveries(rows: &[Recorded]) -> Vec<(ConnectionId, InteractionId)> {
    let logged = logged(rows);
    let all = connections().into_iter();
    all.flat_map(|connection| logged.iter().map(move |id| (connection.clone(), *id))).collect()
}

pub fn check(
    disk: &MemoryStore,
    live: &Engine,
    seen: &Shared,
    records: &[&Mutex<Records>],
    promises: &Mutex<Promises>,
) -> Result<(), String> {
    let (seen, promises) = (seen.lock().unwrap(), promises.lock().unwrap());
    let records: Vec<_> = records.iter().map(|records| records.lock().unwrap()).collect();
    let wrongs = seen.wrongs.iter().chain(&promises.wrongs);
    let wrongs = wrongs.chain(records.iter().flat_map(|records| &records.wrongs));
    let wrongs: Vec<&String> = wrongs.collect();
    if !wrongs.is_empty() {
        return Err(format!("{wrongs:#?}"));
    }
    let mut replayed = Engine::new();
    for row in &seen.rows {
        replayed.apply(row.at, &row.event);
    }
    if replayed.seq() != live.seq() || !same(&replayed, live) {
        return Err("the engine is not what its journal says".to_owned());
    }
    kept(&seen.rows, &promises)?;
    for (connection, records) in connections().iter().zip(&records) {
        crm(disk, &seen.rows, connection, records).map_err(|wrong| format!("{connection}: {wrong}"))?;
    }
    Ok(())
}

/// What was acknowledged is there, once; what was refused is not (promises 1 and 2).
fn kept(rows: &[Recorded], promises: &Promises) -> Result<(), String> {
    for row in &promises.kept {
        let at = usize::try_from(row.seq.0).expect("small") - 1;
        if rows.get(at) != Some(row) {
            return Err(format!("acknowledged, but not in the journal: {row:?}"));
        }
    }
    let mut count: BTreeMap<&CommandId, u32> = BTreeMap::new();
    for row in rows {
        if let Event::MessageSent { message, .. }
        | Event::FileSent { message, .. }
        | Event::Whispered { message, .. } = &row.event
        {
            *count.entry(message).or_default() += 1;
        }
    }
    for id in &promises.taken {
        if count.get(id) != Some(&1) {
            return Err(format!("message {id} was taken and is there {:?} times", count.get(id)));
        }
    }
    match promises.refused.iter().find(|id| count.contains_key(id)) {
        Some(id) => Err(format!("message {id} was refused and is there")),
        None => Ok(()),
    }
}

/// Each logged interaction has one record with the latest facts (promise 5).
fn crm(
    disk: &MemoryStore,
    rows: &[Recorded],
    connection: &ConnectionId,
    records: &Records,
) -> Result<(), String> {
    let expected = logged(rows);
    let mut found: BTreeMap<String, u32> = BTreeMap::new();
    for (key, log) in records.logs.values() {
        *found.entry(key.clone()).or_default() += 1;
        if !expected.contains(&log.interaction) {
            return Err(format!("{key} has a record and should have none"));
        }
        facts(disk, rows, connection, log)?;
    }
    for id in expected {
        let key = id.0.hyphenated().to_string();
        if found.get(&key) != Some(&1) {
            return Err(format!("{key} has {:?} records, not one", found.get(&key)));
        }
    }
    Ok(())
}

/// What the journal says of one interaction, read for the purpose.
#[derive(Default)]
struct Facts {
    said: Vec<String>,
    codes: Vec<String>,
    remark: String,
    ended: Option<Timestamp>,
    outcome: Option<Outcome>,
    recording: Option<String>,
    contact: Option<Record>,
    chosen: Option<Option<Record>>,
    /// Whom the CRM could not name meanwhile, it may have named when the log was sent.
    in_vain: bool,
}

fn facts(disk: &MemoryStore, rows: &[Recorded], connection: &ConnectionId, log: &Log) -> Result<(), String> {
    use futures::FutureExt;
    let text = |id| {
        let content = disk.content(&tenant(), &[id]).now_or_never().expect("memory").expect("memory");
        content.into_iter().next().map(|(_, content)| content)
    };
    let mut facts = Facts { in_vain: true, ..Facts::default() };
    for row in rows.iter().filter(|r| r.event.interaction() == Some(log.interaction)) {
        match &row.event {
            Event::MessageSent { text: t, .. } => match text(t.id) {
                Some(Content::Message { text }) => facts.said.push(text),
                other => return Err(format!("a message's text is {other:?}")),
            },
            Event::Classified { codes, remarks, .. } => {
                facts.codes.clone_from(codes);
                if let Some(Content::Remarks { remarks }) = remarks.and_then(|r| text(r.id)) {
                    facts.remark = remarks.text;
                }
            }
            Event::ChatEnded { .. } | Event::CallEnded { .. } => facts.ended = Some(row.at),
            Event::InteractionClosed { outcome, .. } => facts.outcome = Some(*outcome),
            Event::RecordingReady { recording, .. } => match text(recording.id) {
                Some(Content::Recording { url }) => facts.recording = Some(url),
                other => return Err(format!("a recording is {other:?}")),
            },
            Event::ContactChosen { connection: of, contact, .. } if of == connection => {
                facts.chosen = Some(contact.clone());
            }
            Event::LookedUp { connection: of, result, .. } if of == connection => match result {
                LookupResult::Found { contact, .. } => {
                    facts.in_vain = false;
                    facts.contact.clone_from(contact);
                }
                LookupResult::Failed { .. } => facts.in_vain = true,
            },
            _ => {}
        }
    }
    facts.hold(log)
}

impl Facts {
    fn hold(&self, log: &Log) -> Result<(), String> {
        // Every line that a person wrote, in order; notices and files stand between them, whispers nowhere.
        let said: BTreeSet<&String> = self.said.iter().collect();
        let lines: Vec<&String> =
            log.transcript.iter().map(|l| &l.text).filter(|l| said.contains(l)).collect();
        if lines.len() != self.said.len() || lines.iter().zip(&self.said).any(|(a, b)| *a != b) {
            return self.not_the_latest(log, "lines", (lines.len(), self.said.len()));
        }
        if let Some(told) = log.transcript.iter().find(|line| line.text.contains(WHISPER)) {
            return Err(format!("a whisper of {} went to a CRM: {}", log.interaction, told.text));
        }
        if log.codes != self.codes {
            return self.not_the_latest(log, "codes", (&log.codes, &self.codes));
        }
        if !log.remarks.text.contains(&self.remark) {
            return self.not_the_latest(log, "remarks", (&log.remarks.text, &self.remark));
        }
        if log.ended_at != self.ended || self.ended.is_none() {
            return self.not_the_latest(log, "end", (log.ended_at, self.ended));
        }
        if self.outcome.is_none_or(|outcome| outcome != log.outcome) {
            return self.not_the_latest(log, "outcome", (Some(log.outcome), self.outcome));
        }
        let recording = log.call.as_ref().and_then(|call| call.recording.as_ref());
        if recording != self.recording.as_ref() {
            return self.not_the_latest(log, "recording", (recording, self.recording.as_ref()));
        }
        let contact = self.chosen.as_ref().unwrap_or(&self.contact);
        let late = log.contact.as_ref().is_none_or(|c| c.id.as_str() == "known");
        if log.contact != *contact && !(self.in_vain && self.chosen.is_none() && late) {
            return self.not_the_latest(log, "contact", (&log.contact, contact));
        }
        Ok(())
    }

    fn not_the_latest<T: std::fmt::Debug>(
        &self,
        log: &Log,
        what: &str,
        (is, should): (T, T),
    ) -> Result<(), String> {
        let id = log.interaction;
        Err(format!("the record of {id} is not the latest: {what} {is:?}, and should be {should:?}"))
    }
}
