//! One log, one record (D6, E4), a case for a chat and a task for a call: what is sent when, and what is read before
//! it is sent again.
//!
//! Every call whose answer could be lost is written into the ledger first. After a lost answer or a crash the next
//! try reads by our key, then goes on. A field that a person changed in Salesforce is left as it is. The ledger
//! holds digests, never what was said.

use crate::client::{Place, Upload};
use crate::connector::Salesforce;
use crate::map::{self, Fields, digest};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tieline_connector_api::connector::Saved;
use tieline_connector_api::ledger::{Pending, Progress};
use tieline_connector_api::{Failure, Known, Ledger, Outcome};
use tieline_model::crm::{Log, Record};

/// In `Progress::done`: the record is the interaction's own, made by us.
const OWN: &str = "case";
/// In `Progress::done`: the log lies as a file under somebody else's case.
const UNDER: &str = "under:";
/// In `Progress::done`: digest of the transcript's file that is there.
const FILE: &str = "file:";
/// In `Progress::done`: the version of the log that was begun last.
const VERSION: &str = "version:";
/// In `Progress::done`: a [`Kept`], as `kept:field:digest`.
const KEPT: &str = "kept:";

/// Digests that were tried for each field: several, when several tries lost their answers.
type Tried = BTreeMap<String, Vec<String>>;
/// A field and the digest of a value that does not go into it: a person's edit stands there, or it cannot be.
type Kept = (String, String);

/// One try.
struct Delivery<'a> {
    crm: &'a Salesforce,
    log: &'a Log,
    /// What the interaction's own record is: a case or a task.
    own: &'static str,
    key: String,
    ledger: &'a mut dyn Ledger,
    /// Salesforce said in this very try that the record is new, so nothing can lie under it yet.
    fresh: bool,
}

pub(crate) async fn deliver(crm: &Salesforce, log: &Log, ledger: &mut dyn Ledger) -> Outcome<Saved> {
    let mut delivery = Delivery { crm, log, own: map::own_object(log), key: log.key(), ledger, fresh: false };
    let result = delivery.run().await;
    // While a step is unsure, so is the whole: a later failure that did nothing does not make it sure.
    match result {
        Err(Failure::Retry { after, known: Known::NotDone, reason }) if delivery.now().pending.is_some() => {
            Err(Failure::Retry { after, known: Known::Unknown, reason })
        }
        other => other,
    }
}

impl Delivery<'_> {
    async fn run(&mut self) -> Outcome<Saved> {
        let begun = self.value_of(VERSION).and_then(|v| v.parse().ok()).unwrap_or(0_u64);
        if self.log.version < begun {
            // Versions only grow; what an older one says is in the newer one that was begun.
            return self
                .saved()
                .ok_or_else(|| Failure::retry("an older account of the interaction came after a newer"));
        }
        if self.now().pending.as_ref().is_some_and(|p| p.step == OWN) {
            self.settle_create().await?;
        }
        if let Some(case) = self.other_case()
            && let Some(case) = self.reachable(&case).await?
        {
            self.put_under(&case).await?;
            return self.finish().await;
        }
        if self.is_done(OWN) {
            self.update_own().await?;
        } else {
            self.create_own().await?;
        }
        if map::wants_file(self.log, &self.crm.settings) {
            self.put_file(false).await?;
        }
        self.finish().await
    }

    // ------------------------------------------------------------ the ledger

    fn now(&self) -> &Progress {
        self.ledger.progress()
    }
    fn is_done(&self, step: &str) -> bool {
        self.now().done.contains(step)
    }
    fn value_of(&self, prefix: &str) -> Option<String> {
        self.now().done.iter().find_map(|step| step.strip_prefix(prefix)).map(str::to_owned)
    }

    /// Changes what is remembered; nothing is written when nothing changes.
    async fn remember(&mut self, change: impl FnOnce(&mut Progress)) -> Outcome<()> {
        let mut next = self.now().clone();
        change(&mut next);
        if next != *self.now() {
            self.ledger.save(next).await?;
        }
        Ok(())
    }

    /// Remembers a call that is about to be sent.
    async fn about_to(&mut self, step: &str, body: String) -> Outcome<()> {
        let pending = Pending { step: step.to_owned(), body };
        let version = self.log.version;
        self.remember(|p| {
            set(p, VERSION, &version.to_string());
            p.pending = Some(pending);
        })
        .await
    }

    /// What the step that is unsure may have written.
    fn tried(&self) -> Tried {
        let body = self.now().pending.as_ref().map(|p| p.body.as_str()).unwrap_or_default();
        serde_json::from_str(body).unwrap_or_default()
    }

    fn saved(&self) -> Option<Saved> {
        let record = self.now().record.clone().filter(|_| self.now().pending.is_none())?;
        let label = self.now().label.clone()?;
        Some(Saved { url: self.crm.page(&record), record, label })
    }

    /// Asks for the case's number, if nothing has told it yet. Tasks have no numbers.
    async fn finish(&mut self) -> Outcome<Saved> {
        let record = self.now().record.clone().ok_or_else(no_id)?;
        if self.now().label.is_none() {
            let label = if record.object == "Case" {
                let row = self.crm.client.by_id("Case", record.id.as_str(), &["CaseNumber"]).await?;
                row.as_ref().and_then(label)
            } else {
                None
            };
            let label = label.unwrap_or(record.object);
            self.remember(|p| p.label = Some(label)).await?;
        }
        let version = self.log.version;
        self.remember(|p| set(p, VERSION, &version.to_string())).await?;
        self.saved().ok_or_else(no_id)
    }

    // ------------------------------------------------------------ the interaction's own record

    /// A create was sent and not answered: looks whether it came through.
    async fn settle_create(&mut self) -> Outcome<()> {
        let tried = self.tried();
        let number = (self.own == "Case").then_some("CaseNumber");
        let names: Vec<&str> =
            ["Id"].into_iter().chain(number).chain(tried.keys().map(String::as_str)).collect();
        let key_field = self.crm.settings.key_field_of(self.own);
        let Some(row) = self.crm.client.by_key(self.own, key_field, &self.key, &names).await? else {
            return Ok(());
        };
        let Some(record) = map::record(self.own, &row) else {
            return Err(Failure::unknown("Salesforce answered without the record's id"));
        };
        let mut sent = BTreeMap::new();
        for (name, digests) in &tried {
            let there = digest(&self.key, name, row.get(name).unwrap_or(&Value::Null));
            // A value that none of our tries wrote is a person's; what we sent last is what it is compared with.
            let ours = if digests.contains(&there) { Some(there) } else { digests.last().cloned() };
            sent.extend(ours.map(|d| (name.clone(), d)));
        }
        let label = label(&row);
        self.remember(|p| adopt(p, record, sent, label)).await
    }

    async fn create_own(&mut self) -> Outcome<()> {
        let crm = self.crm;
        let mut fields = map::create_set(self.log, &crm.settings);
        let mut tried = self.tried();
        for (name, value) in map::update_set(self.log, &crm.settings) {
            let digests = tried.entry(name.clone()).or_default();
            let next = digest(&self.key, &name, &value);
            digests.retain(|d| *d != next);
            digests.push(next);
        }
        self.about_to(OWN, json!(tried).to_string()).await?;
        let assign = self.own == "Case" && crm.settings.case.assign;
        let field = crm.settings.key_field_of(self.own);
        let mut made = crm.client.upsert(self.own, field, &self.key, fields.clone(), assign).await;
        let mut given_up = Vec::new();
        if let Err(failure) = &made
            && is_bad_owner(failure)
            && fields.remove("OwnerId").is_some()
        {
            // A record of nobody's is better than none: it belongs to the integration user then.
            made = crm.client.upsert(self.own, field, &self.key, fields.clone(), assign).await;
        }
        if let Err(failure) = &made
            && is_dead_reference(failure)
        {
            given_up = crm.repoint(&self.key, &mut fields).await?;
            if !given_up.is_empty() {
                made = crm.client.upsert(self.own, field, &self.key, fields.clone(), assign).await;
            }
        }
        if let Err(failure) = &made
            && is_create_only(failure)
        {
            // The record is there and the ledger did not know: what differs in it counts as a person's.
            self.settle_create().await?;
            if self.is_done(OWN) {
                return Ok(());
            }
        }
        let made = made?;
        self.fresh = made.created;
        let id =
            made.id.parse().map_err(|_| Failure::unknown("Salesforce answered without the record's id"))?;
        let record = Record { object: self.own.into(), id };
        let names = map::update_set(self.log, &crm.settings);
        let value = |name: &String| fields.get(name).unwrap_or(&Value::Null);
        let sent = names.keys().map(|name| (name.clone(), digest(&self.key, name, value(name)))).collect();
        self.remember(|p| {
            adopt(p, record, sent, None);
            keep(p, given_up);
        })
        .await
    }

    /// Later facts: sends what changed on our side, except where a person changed it in Salesforce.
    async fn update_own(&mut self) -> Outcome<()> {
        let record = self.now().record.clone().ok_or_else(no_id)?;
        let mut want = map::update_set(self.log, &self.crm.settings);
        if let Some(parent) = self.parent() {
            want.insert("ParentId".into(), parent.id.as_str().into());
        }
        for name in ["ContactId", "AccountId", "WhoId", "WhatId"] {
            // An agent took the contact or the case back.
            if self.now().sent.contains_key(name) && !want.contains_key(name) {
                want.insert(name.into(), Value::Null);
            }
        }
        let tried = if self.is_pending("update") { self.tried() } else { Tried::new() };
        let changed = self.changed(want, &tried);
        if changed.is_empty() {
            return Ok(());
        }
        let names: Vec<&str> = changed.keys().map(String::as_str).collect();
        let row = self.crm.client.by_id(self.own, record.id.as_str(), &names).await?;
        let Some(row) = row else { return self.follow_own(&record).await };
        let (mut send, mut sent, mut kept) = self.sift(changed, &row, &tried);
        if !send.is_empty() {
            let body: Tried = map::digests(&self.key, &send).into_iter().map(|(n, d)| (n, vec![d])).collect();
            self.about_to("update", json!(body).to_string()).await?;
            let mut done = self.crm.client.update(self.own, record.id.as_str(), send.clone()).await;
            if let Err(failure) = &done
                && is_dead_reference(failure)
            {
                let given_up = self.crm.repoint(&self.key, &mut send).await?;
                if send.is_empty() {
                    done = Ok(());
                } else if !given_up.is_empty() {
                    done = self.crm.client.update(self.own, record.id.as_str(), send.clone()).await;
                }
                kept.extend(given_up);
            }
            done?;
            sent.extend(map::digests(&self.key, &send));
        }
        self.remember(|p| {
            p.sent.extend(sent);
            keep(p, kept);
            p.pending = None;
        })
        .await
    }

    fn is_pending(&self, step: &str) -> bool {
        self.now().pending.as_ref().is_some_and(|p| p.step == step)
    }

    /// Fields whose value is not the one sent last, or that an unsure update may have touched.
    fn changed(&self, want: Fields, tried: &Tried) -> Fields {
        let progress = self.now();
        let empty = |name: &str| digest(&self.key, name, &Value::Null);
        want.into_iter()
            .filter(|(name, value)| {
                let next = digest(&self.key, name, value);
                let before = progress.sent.get(name).cloned().unwrap_or_else(|| empty(name));
                let kept = progress.done.contains(&format!("{KEPT}{name}:{next}"));
                (next != before && !kept) || tried.contains_key(name)
            })
            .collect()
    }

    /// Parts fields into those to send, those that are there already (with their digests), and those that a person
    /// changed, which are kept.
    fn sift(
        &self,
        changed: Fields,
        row: &Value,
        tried: &Tried,
    ) -> (Fields, BTreeMap<String, String>, Vec<Kept>) {
        let (mut send, mut sent, mut kept) = (Fields::new(), BTreeMap::new(), Vec::new());
        for (name, value) in changed {
            let next = digest(&self.key, &name, &value);
            let there = digest(&self.key, &name, row.get(&name).unwrap_or(&Value::Null));
            let before = self.now().sent.get(&name).cloned();
            let before = before.unwrap_or_else(|| digest(&self.key, &name, &Value::Null));
            let ours = there == before || tried.get(&name).is_some_and(|digests| digests.contains(&there));
            if there == next {
                sent.insert(name, next);
            } else if ours {
                send.insert(name, value);
            } else {
                kept.push((name, next));
            }
        }
        (send, sent, kept)
    }

    /// Our record is no longer there: follows a case if it was merged into another. Tasks are never merged.
    async fn follow_own(&mut self, record: &Record) -> Outcome<()> {
        let fate =
            if self.own == "Case" { self.crm.fate("Case", record.id.as_str()).await? } else { Fate::Gone };
        let Fate::Merged(id) = fate else {
            let reason = "the record was deleted in Salesforce; restore it there to have later facts added";
            return Err(Failure::reject(Some("ENTITY_IS_DELETED"), reason));
        };
        let id = id.parse().map_err(|_| Failure::reject(None, "Salesforce answered an id that is none"))?;
        let record = Record { object: "Case".into(), id };
        self.remember(|p| {
            p.done.remove(OWN);
            set(p, UNDER, record.id.as_str());
            p.record = Some(record);
            p.label = None;
            p.pending = None;
        })
        .await
    }

    // ------------------------------------------------------------ somebody else's case

    /// The case, not our own, under which the log goes as a file: the one named, or the one it lies under already.
    fn other_case(&self) -> Option<Record> {
        // A call stays a task of its own; it only points at the case.
        if self.own != "Case" || self.is_done(OWN) {
            return None;
        }
        let named =
            self.log.case.clone().filter(|case| case.object == "Case" && map::is_id(case.id.as_str()));
        named.or_else(|| self.value_of(UNDER).and(self.now().record.clone()))
    }

    /// The case that an own case becomes a child of, because an agent linked it after it was made.
    fn parent(&self) -> Option<&Record> {
        let own = self.now().record.as_ref().filter(|record| record.object == "Case")?;
        let case =
            self.log.case.as_ref().filter(|case| case.object == "Case" && map::is_id(case.id.as_str()))?;
        (!map::same_id(case.id.as_str(), own.id.as_str())).then_some(case)
    }

    /// That case, or the one it was merged into; `None` when it is gone, so that the log gets a case of its own.
    async fn reachable(&mut self, case: &Record) -> Outcome<Option<Record>> {
        let known = self.value_of(UNDER).is_some_and(|id| map::same_id(&id, case.id.as_str()));
        if known && self.now().label.is_some() {
            return Ok(Some(case.clone()));
        }
        let mut case = case.clone();
        for _ in 0..2 {
            let row = self.crm.client.by_id("Case", case.id.as_str(), &["Id", "CaseNumber"]).await?;
            if let Some(row) = row {
                let (label, record) = (label(&row), case.clone());
                self.remember(|p| {
                    set(p, UNDER, record.id.as_str());
                    p.record = Some(record);
                    p.label = label;
                })
                .await?;
                return Ok(Some(case));
            }
            let Fate::Merged(id) = self.crm.fate("Case", case.id.as_str()).await? else { break };
            let Ok(id) = id.parse() else { break };
            case.id = id;
        }
        self.remember(|p| p.done.retain(|step| !step.starts_with(UNDER))).await?;
        Ok(None)
    }

    /// The log as one file under that case: its subject, description and status are other people's.
    async fn put_under(&mut self, case: &Record) -> Outcome<()> {
        let lies_elsewhere = self.value_of(FILE).is_some() && !self.is_done(&format!("at:{}", case.id));
        self.put_file(true).await?;
        if lies_elsewhere {
            self.move_file(case).await?;
        }
        let at = case.id.to_string();
        self.remember(|p| set(p, "at:", &at)).await
    }

    // ------------------------------------------------------------ the file

    /// Uploads the file once; later facts become its next version. Files have no key, so unless the case is new it
    /// is looked whether the file is there.
    async fn put_file(&mut self, with_account: bool) -> Outcome<()> {
        let content = map::transcript_file(self.log, with_account);
        let mark = digest(&self.key, FILE, &Value::String(content.clone()));
        if self.is_done(&format!("{FILE}{mark}")) {
            return Ok(());
        }
        let record = self.now().record.clone().ok_or_else(no_id)?;
        let title = map::file_title(self.log);
        let there = if self.fresh { None } else { self.crm.file(&title).await? };
        let landed = there.as_ref().is_some_and(|(_, description)| description.contains(&mark));
        if !landed {
            let place = there.as_ref().map(|(document, _)| Place::VersionOf(document));
            let place = place.unwrap_or(Place::Under(record.id.as_str()));
            self.about_to("file", mark.clone()).await?;
            let description = format!("Written by Tieline, {mark}");
            let upload = Upload { title: &title, description: &description, place, content: &content };
            self.crm.client.upload(&upload).await?;
        }
        self.remember(|p| {
            set(p, FILE, &mark);
            p.pending = None;
        })
        .await
    }

    /// An agent linked another case: the file's link goes there.
    async fn move_file(&mut self, case: &Record) -> Outcome<()> {
        let Some((document, _)) = self.crm.file(&map::file_title(self.log)).await? else { return Ok(()) };
        let links = self.crm.client.query(&map::soql_links(&document)).await?;
        let points_at = |row: &Value, id: &str| {
            row.get("LinkedEntityId").and_then(Value::as_str).is_some_and(|linked| map::same_id(linked, id))
        };
        if !links.iter().any(|row| points_at(row, case.id.as_str())) {
            let link = json!({ "ContentDocumentId": document, "LinkedEntityId": case.id.as_str(), "ShareType": "V" });
            self.crm.client.create("ContentDocumentLink", link).await?;
        }
        let Some(before) = self.value_of("at:") else { return Ok(()) };
        for row in links.iter().filter(|row| points_at(row, &before)) {
            if let Some(id) = row.get("Id").and_then(Value::as_str) {
                self.crm.client.delete("ContentDocumentLink", id).await?;
            }
        }
        Ok(())
    }
}

/// What became of a record that is pointed at.
enum Fate {
    There,
    Merged(String),
    Gone,
}

/// What a delivery asks Salesforce beside its own record.
impl Salesforce {
    /// A record pointed at is gone: follows each such reference to the record it was merged into, else leaves it out
    /// (D10). Gives the values that were given up, so that they are not tried again at every later fact; none when
    /// every reference is sound.
    async fn repoint(&self, key: &str, fields: &mut Fields) -> Outcome<Vec<Kept>> {
        let mut given_up = Vec::new();
        for field in map::REFERENCES {
            let Some(value) = fields.get(field).filter(|value| value.is_string()).cloned() else { continue };
            let id = value.as_str().unwrap_or_default();
            let fate = match map::object_of(id) {
                Some(object) => self.fate(object, id).await?,
                None => Fate::Gone,
            };
            match fate {
                Fate::There => continue,
                Fate::Merged(survivor) => fields.insert(field.into(), survivor.into()),
                Fate::Gone => fields.remove(field),
            };
            given_up.push((field.to_owned(), digest(key, field, &value)));
        }
        Ok(given_up)
    }

    /// What became of a record.
    async fn fate(&self, object: &str, id: &str) -> Outcome<Fate> {
        if !map::is_id(id) {
            return Ok(Fate::Gone);
        }
        match self.client.query_all(&map::soql_survivor(object, id)).await {
            Ok(rows) => {
                let row = rows.first();
                let deleted =
                    row.is_none_or(|row| row.get("IsDeleted").and_then(Value::as_bool) == Some(true));
                let master =
                    row.and_then(|row| row.get("MasterRecordId")?.as_str()).filter(|m| map::is_id(m));
                Ok(match master {
                    Some(master) => Fate::Merged(master.to_owned()),
                    None if deleted => Fate::Gone,
                    None => Fate::There,
                })
            }
            // Not every object can be merged; then it is there or it is not.
            Err(Failure::Reject { .. }) => {
                let row = self.client.by_id(object, id, &["Id"]).await?;
                Ok(if row.is_some() { Fate::There } else { Fate::Gone })
            }
            Err(
                failure @ (Failure::Retry { .. } | Failure::Throttled { .. } | Failure::Reauthorise { .. }),
            ) => Err(failure),
        }
    }

    /// The file with this title: its document and what is noted at its newest version.
    async fn file(&self, title: &str) -> Outcome<Option<(String, String)>> {
        let rows = self.client.query(&map::soql_files(&[title.to_owned()])).await?;
        let text = |row: &Value, name: &str| row.get(name).and_then(Value::as_str).map(str::to_owned);
        let found = rows.first().and_then(|row| Some((text(row, "ContentDocumentId")?, row)));
        Ok(found.map(|(document, row)| (document, text(row, "Description").unwrap_or_default())))
    }
}

/// Replaces the one step that has this prefix.
fn set(progress: &mut Progress, prefix: &str, value: &str) {
    progress.done.retain(|step| !step.starts_with(prefix));
    progress.done.insert(format!("{prefix}{value}"));
}

fn adopt(progress: &mut Progress, record: Record, sent: BTreeMap<String, String>, label: Option<String>) {
    progress.done.insert(OWN.to_owned());
    progress.record = Some(record);
    progress.sent = sent;
    progress.label = label.or(progress.label.take());
    progress.pending = None;
}

fn label(row: &Value) -> Option<String> {
    row.get("CaseNumber").and_then(Value::as_str).map(|number| format!("Case {number}"))
}

fn keep(progress: &mut Progress, kept: impl IntoIterator<Item = Kept>) {
    for (field, digest) in kept {
        set(progress, &format!("{KEPT}{field}:"), &digest);
    }
}

/// Salesforce says that a field is for first writes only, as it does for an upsert that meets a record.
fn is_create_only(failure: &Failure) -> bool {
    matches!(failure, Failure::Reject { code: Some(code), .. } if code == "INVALID_FIELD_FOR_INSERT_UPDATE")
}

fn no_id() -> Failure {
    Failure::unknown("the record's id is not known")
}

/// Salesforce does not let this user own the record: inactive, without a licence for it, or without access.
fn is_bad_owner(failure: &Failure) -> bool {
    matches!(failure, Failure::Reject { code: Some(code), .. } if matches!(
        code.as_str(),
        "INACTIVE_OWNER_OR_USER" | "OP_WITH_INVALID_USER_TYPE_EXCEPTION" | "TRANSFER_REQUIRES_READ"
    ))
}

/// Salesforce says that a record pointed at is not there.
fn is_dead_reference(failure: &Failure) -> bool {
    match failure {
        Failure::Reject { code: Some(code), .. } => matches!(
            code.as_str(),
            "ENTITY_IS_DELETED"
                | "INVALID_CROSS_REFERENCE_KEY"
                | "MALFORMED_ID"
                | "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY"
        ),
        Failure::Reject { code: None, .. }
        | Failure::Retry { .. }
        | Failure::Throttled { .. }
        | Failure::Reauthorise { .. } => false,
    }
}
