//! When all has come to rest: what was promised, held against the disk and the CRM.

use super::actors::{self, Promises, World};
use super::crm::Records;
use super::process::connections;
use super::tenant;
use super::watch::Shared;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Duration;
use tieline::journal::MemoryStore;
use tieline::journal::{Recorded, Store};
use tieline_engine::Engine;
use tieline_model::content::Content;
use tieline_model::crm::{Log, LookupResult, Record};
use tieline_model::{CommandId, ConnectionId, Event, InteractionId, Seq, Timestamp};
use tokio::time::sleep;

/// Everybody goes home; logs are delivered, dead ones revived.
pub async fn settle(world: &World, disk: &MemoryStore) {
    actors::close_down(world).await;
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
    let process = world.line.lock().unwrap().clone();
    let (_, handle) = process.expect("the last process runs");
    handle.read(&tenant(), Clone::clone).await.expect("the last process runs")
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
    let closed = rows.iter().filter_map(|row| match &row.event {
        Event::InteractionClosed { interaction, log: true, .. } => Some(*interaction),
        _ => None,
    });
    closed.collect()
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
    if replayed.seq() != live.seq() || replayed != *live {
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
        if let Event::MessageSent { message, .. } = &row.event {
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

/// A log against the journal, read for the purpose.
fn facts(disk: &MemoryStore, rows: &[Recorded], connection: &ConnectionId, log: &Log) -> Result<(), String> {
    use futures::FutureExt;
    let own: Vec<&Recorded> =
        rows.iter().filter(|r| r.event.interaction() == Some(log.interaction)).collect();
    let text = |id| {
        let content = disk.content(&tenant(), &[id]).now_or_never().expect("memory").expect("memory");
        content.into_iter().next().map(|(_, content)| content)
    };
    let (mut said, mut codes, mut ended, mut contact) = (Vec::new(), Vec::new(), None, None::<Record>);
    // Whom the CRM could not name meanwhile, it may have named when the log was sent.
    let mut in_vain = true;
    for row in own {
        match &row.event {
            Event::MessageSent { text: t, .. } => match text(t.id) {
                Some(Content::Message { text }) => said.push(text),
                other => return Err(format!("a message's text is {other:?}")),
            },
            Event::Classified { codes: c, .. } => codes.clone_from(c),
            Event::ChatEnded { .. } | Event::CallEnded { .. } => ended = Some(row.at),
            Event::LookedUp { connection: of, result, .. } if of == connection => match result {
                LookupResult::Found { contact: c, .. } => {
                    in_vain = false;
                    contact.clone_from(c);
                }
                LookupResult::Failed { .. } => in_vain = true,
            },
            _ => {}
        }
    }
    let lines: Vec<&String> = log.transcript.iter().map(|l| &l.text).collect();
    let same = lines.len() == said.len() && lines.iter().zip(&said).all(|(a, b)| *a == b);
    let known = log.contact.as_ref().is_none_or(|c| c.id.as_str() == "known");
    let right = log.contact == contact || in_vain && known;
    if same && log.codes == codes && log.ended_at == ended && right {
        return Ok(());
    }
    Err(format!(
        "the record of {} is not the latest: {} of {} lines, codes {:?} of {codes:?}, ended {:?} of {ended:?}, \
         contact {:?} of {contact:?}",
        log.interaction,
        lines.len(),
        said.len(),
        log.codes,
        log.ended_at,
        log.contact
    ))
}
