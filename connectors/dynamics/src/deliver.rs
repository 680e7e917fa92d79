//! One log, one record (D6): what is sent when, and what is read before it is sent again.
//!
//! Ids are made from the key, and rows are only ever created with POST, which Dataverse refuses for an id that is
//! there. So a create is repeated as it is, and "already exists" means that an earlier try came through. POST rather
//! than a conditional PATCH, because its answer carries the case's number, and because a phone call's parties cannot
//! be made under PATCH. Updates name the version of the row they were made from.

use crate::client::{Created, Updated};
use crate::connector::Dynamics;
use crate::map::{self, Customer};
use crate::notes::{Stem, hidden};
use crate::settings::Fallback;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tieline_connector_api::connector::Saved;
use tieline_connector_api::steps::{Fields, Kept, Sifted, Steps, Tried, keep, set};
use tieline_connector_api::{Failure, Ledger, Outcome};
use tieline_model::crm::{Channel, Log, Outcome as Ending, Record};

/// In `Progress::done`: the record is the interaction's own, made by us.
const OWN: &str = "own";
/// In `Progress::pending`: columns of our record are being changed.
const UPDATE: &str = "update";
/// In `Progress::done`: the log lies as a note under somebody else's case.
const UNDER: &str = "under:";
/// In `Progress::done`: the records that ours was wished to point at last, as the log names them.
const WISH: &str = "wish:";
/// In `Progress::done`: the phone call is completed.
const COMPLETED: &str = "completed";
/// In `Progress::pending`: a completed phone call is being opened for later facts.
const REOPEN: &str = "reopen";
/// In `Progress::done`: the case was resolved, or cannot be.
const CLOSED: &str = "closed";
/// Where a case's customer stands, as it is read.
const CUSTOMER_COLUMN: &str = "_customerid_value";
/// Where a phone call's case or customer stands.
const REGARDING_COLUMN: &str = "_regardingobjectid_value";
/// Where its parent stands.
const PARENT_COLUMN: &str = "_parentcaseid_value";
/// Tries at one update within one delivery: others may be faster, or what is pointed at may be gone.
const UPDATES_MAX: usize = 3;
/// Longest chain of merged records that is followed.
const MERGES_MAX: usize = 4;

/// One try.
pub(crate) struct Delivery<'a> {
    pub(crate) crm: &'a Dynamics,
    pub(crate) log: &'a Log,
    pub(crate) steps: Steps<'a>,
}

/// Which table our own record is in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Table {
    Case,
    Call,
}

impl Table {
    fn set(self) -> &'static str {
        match self {
            Self::Case => "incidents",
            Self::Call => "phonecalls",
        }
    }
    fn object(self) -> &'static str {
        match self {
            Self::Case => "incident",
            Self::Call => "phonecall",
        }
    }
}

/// A look-up column: read as an id, written as a bind.
struct Link {
    column: &'static str,
    property: String,
    target: Value,
}

/// What became of our record.
enum Standing {
    /// There.
    Own,
    /// Merged into this one, which is somebody else's.
    Merged(Record),
}

pub(crate) async fn deliver(crm: &Dynamics, log: &Log, ledger: &mut dyn Ledger) -> Outcome<Saved> {
    let steps = Steps::new(log.key(), log.version, ledger, map::digest);
    let mut delivery = Delivery { crm, log, steps };
    let result = delivery.run().await;
    delivery.steps.verdict(result)
}

impl Delivery<'_> {
    async fn run(&mut self) -> Outcome<Saved> {
        if self.steps.is_outdated() {
            return self
                .saved()
                .ok_or_else(|| Failure::retry("an older account of the interaction came after a newer"));
        }
        match self.log.channel {
            Channel::Chat => self.chat().await?,
            Channel::Call => self.call().await?,
        }
        self.finish().await
    }

    fn saved(&self) -> Option<Saved> {
        let now = self.steps.now();
        let record = now.record.clone().filter(|_| now.pending.is_none())?;
        Some(Saved { url: self.crm.page(&record), record, label: now.label.clone()? })
    }

    /// Asks for the case's number, if nothing has told it yet.
    async fn finish(&mut self) -> Outcome<Saved> {
        let unknown = || Failure::unknown("the record's id is not known");
        let record = self.steps.now().record.clone().ok_or_else(unknown)?;
        if self.steps.now().label.is_none() {
            let row = self.crm.client.read("incidents", record.id.as_str(), "ticketnumber").await?;
            let label = row.as_ref().and_then(map::case_label).unwrap_or_else(|| "Case".to_owned());
            self.steps.remember(|p| p.label = Some(label)).await?;
        }
        self.steps.through().await?;
        self.saved().ok_or_else(unknown)
    }

    // ------------------------------------------------------------ chats

    async fn chat(&mut self) -> Outcome<()> {
        if let Some(case) = self.other_case()
            && let Some(case) = self.reachable(&case).await?
        {
            return self.put_note(Stem::Transcript, &map::transcript_note(self.log, true), &case).await;
        }
        if !self.steps.is_done(OWN) {
            self.make_case().await?;
        }
        if let Standing::Merged(case) = self.update_own(Table::Case).await? {
            return self.put_note(Stem::Transcript, &map::transcript_note(self.log, true), &case).await;
        }
        let own = self.own(Table::Case)?;
        if map::wants_note(self.log, &self.crm.settings) {
            self.put_note(Stem::Transcript, &map::transcript_note(self.log, false), &own).await?;
        }
        self.close(&own).await
    }

    fn own(&self, table: Table) -> Outcome<Record> {
        let id = map::id_of(table.object(), &self.steps.key).hyphenated().to_string();
        map::record(table.object(), &id).ok_or_else(|| Failure::reject(None, "the record's id is no GUID"))
    }

    /// Which records the log wishes its own one to point at: a case at its customer, a call at its case too.
    fn wish(&self, table: Table) -> String {
        let known = self.log.contact.as_ref().and_then(Customer::of);
        let who = known.map_or_else(|| "nobody".to_owned(), |who| format!("{}({})", who.set(), who.id));
        match (table, &self.log.case) {
            (Table::Call, Some(case)) => format!("{who},{}", case.id),
            (Table::Call, None) | (Table::Case, _) => who,
        }
    }

    async fn make_case(&mut self) -> Outcome<()> {
        let crm = self.crm;
        let Some(customer) = crm.customer(self.log.contact.as_ref()).await? else {
            return Err(Failure::reject(
                None,
                "a case in Dynamics must have a customer and none is known: choose a contact, or set `case.fallback_customer` for chats of unknown people",
            ));
        };
        let mut sent = map::case_fields(self.log, &crm.settings);
        sent.insert(CUSTOMER_COLUMN.into(), customer.id.as_str().into());
        self.steps.about_to(OWN, &sent).await?;
        let fields = map::new_case(self.log, &crm.settings, &customer);
        let own = self.own(Table::Case)?;
        match crm.client.create("incidents", fields, "ticketnumber").await? {
            Created::Made(row) => {
                let sent = self.steps.digests(&sent);
                self.steps.adopt(OWN, own, sent, map::case_label(&row)).await?;
            }
            Created::There => self.meet(Table::Case, own).await?,
        }
        let wish = self.wish(Table::Case);
        self.steps.remember(|p| set(p, WISH, &wish)).await
    }

    /// Our row was there already: an earlier try came through, or the ledger was lost. What differs in it from all
    /// that we tried counts as a person's.
    async fn meet(&mut self, table: Table, own: Record) -> Outcome<()> {
        let tried = self.steps.tried(OWN);
        let columns: Vec<&str> = tried.keys().map(String::as_str).collect();
        let mut columns = columns.join(",");
        if table == Table::Case {
            columns.push_str(",ticketnumber");
        }
        let row = self.crm.client.read(table.set(), own.id.as_str(), &columns).await?;
        let row = row.ok_or_else(|| hidden(table.object()))?;
        let label = match table {
            Table::Case => map::case_label(&row),
            Table::Call => Some(map::call_label(self.log)),
        };
        let sent = self.steps.met(&tried, &row);
        self.steps.adopt(OWN, own, sent, label).await
    }

    // ------------------------------------------------------------ later facts

    /// Sends what changed on our side, except where a person changed it in Dynamics.
    async fn update_own(&mut self, table: Table) -> Outcome<Standing> {
        let own = self.own(table)?;
        for _ in 0..UPDATES_MAX {
            let tried = self.steps.tried(UPDATE);
            let (want, links) = self.wanted(table, &tried).await?;
            let changed = self.steps.changed(want, &tried);
            if changed.is_empty() {
                return Ok(Standing::Own);
            }
            let mut columns: Vec<&str> = changed.keys().map(String::as_str).collect();
            columns.push("statecode");
            if table == Table::Case {
                columns.push("_masterid_value");
            }
            let row = self.crm.client.read(table.set(), own.id.as_str(), &columns.join(",")).await?;
            let Some(row) = row else { return Err(deleted(table)) };
            if let Some(master) =
                map::member(&row, "_masterid_value").and_then(|id| map::record("incident", id))
            {
                return self.follow(master).await.map(Standing::Merged);
            }
            let sifted = self.steps.sift(changed, &row, &tried);
            let open = row.get("statecode").and_then(Value::as_i64) == Some(0);
            if !open && !sifted.send.is_empty() {
                if self.reopen(table, &own, &row).await? {
                    continue;
                }
                self.add_late(table, sifted, &own).await?;
                return Ok(Standing::Own);
            }
            if self.change(table, &own, sifted, &row, &links).await? {
                return Ok(Standing::Own);
            }
        }
        Err(Failure::retry("somebody was changing the record at this moment"))
    }

    /// Columns as they should be. The customer is among them only when another one is wished for, because finding out
    /// who that is now takes a request.
    async fn wanted(&mut self, table: Table, tried: &Tried) -> Outcome<(Fields, Vec<Link>)> {
        let settings = &self.crm.settings;
        let mut links = Vec::new();
        let mut want = match table {
            Table::Case => map::case_fields(self.log, settings),
            Table::Call => map::call_fields(self.log, settings),
        };
        let column = match table {
            Table::Case => CUSTOMER_COLUMN,
            Table::Call => REGARDING_COLUMN,
        };
        let applied = self.steps.value_of(WISH).is_some_and(|wish| wish == self.wish(table));
        if !applied || tried.contains_key(column) {
            let link = match table {
                Table::Case => self.crm.customer(self.log.contact.as_ref()).await?.map(|who| {
                    let (property, target) = map::customer_bind(&who);
                    (who.id, property, target)
                }),
                Table::Call => {
                    let (who, case) = self.about().await?;
                    map::regarding(settings, who.as_ref(), case.as_deref())
                }
            };
            if let Some((id, property, target)) = link {
                want.insert(column.into(), id.into());
                links.push(Link { column, property, target });
            }
        }
        if table == Table::Call {
            return Ok((want, links));
        }
        if let Some(parent) = self.parent() {
            want.insert(PARENT_COLUMN.into(), parent.as_str().into());
            let target = format!("/incidents({parent})").into();
            links.push(Link { column: PARENT_COLUMN, property: "parentcaseid@odata.bind".into(), target });
        }
        Ok((want, links))
    }

    /// The case that our own one becomes a child of, because an agent linked it after ours was made.
    fn parent(&self) -> Option<String> {
        let case = self.log.case.as_ref().filter(|case| case.object == "incident")?;
        let id = map::guid(case.id.as_str())?;
        let own = self.own(Table::Case).ok()?;
        (id != own.id.as_str()).then_some(id)
    }

    /// One update by what was read; `false` when it has to be done again.
    async fn change(
        &mut self,
        table: Table,
        own: &Record,
        sifted: Sifted,
        row: &Value,
        links: &[Link],
    ) -> Outcome<bool> {
        let Sifted { send, mut sent, kept } = sifted;
        if !send.is_empty() {
            self.steps.about_to(UPDATE, &send).await?;
            let etag = map::member(row, "@odata.etag");
            let body = wire(&send, links);
            let done = self.crm.client.update(table.set(), own.id.as_str(), etag, body).await;
            let parent = send.get(PARENT_COLUMN).map(|id| self.steps.digest(PARENT_COLUMN, id));
            match (done, parent) {
                (Ok(Updated::Done), _) => sent.extend(self.steps.digests(&send)),
                // A case can be a child of few others; that is no reason to lose the rest.
                (Ok(Updated::Missing) | Err(Failure::Reject { .. }), Some(parent)) => {
                    self.steps
                        .remember(|p| {
                            keep(p, [(PARENT_COLUMN.to_owned(), parent)]);
                            p.pending = None;
                        })
                        .await?;
                    return Ok(false);
                }
                (Ok(Updated::Changed | Updated::Missing), _) => return Ok(false),
                (Err(failure), _) => return Err(failure),
            }
        }
        self.applied(table, sent, kept).await.map(|()| true)
    }

    async fn applied(
        &mut self,
        table: Table,
        sent: BTreeMap<String, String>,
        kept: Vec<Kept>,
    ) -> Outcome<()> {
        let wish = self.wish(table);
        self.steps
            .remember(|p| {
                p.sent.extend(sent);
                keep(p, kept);
                p.pending = None;
                set(p, WISH, &wish);
            })
            .await
    }

    /// Opens a phone call that was completed, so that it takes later facts; it is completed again behind them.
    /// `false` where that is not wished, or the environment refuses it.
    async fn reopen(&mut self, table: Table, own: &Record, row: &Value) -> Outcome<bool> {
        let completed = row.get("statecode").and_then(Value::as_i64) == Some(1);
        if table != Table::Call || !completed || !self.crm.settings.call.reopen {
            return Ok(false);
        }
        // What an unsure update tried must not be forgotten over this; only then is there something unsure.
        if !self.steps.is_pending(UPDATE) {
            self.steps.about_to(REOPEN, &Fields::new()).await?;
        }
        self.steps.remember(|p| p.done.retain(|step| step != COMPLETED)).await?;
        let body = state(0, 1);
        match self
            .crm
            .client
            .update("phonecalls", own.id.as_str(), map::member(row, "@odata.etag"), body)
            .await
        {
            Ok(Updated::Done | Updated::Changed | Updated::Missing) => Ok(true),
            Err(Failure::Reject { .. }) => Ok(false),
            Err(failure) => Err(failure),
        }
    }

    /// Resolved cases take no changes, nor do calls that stay completed: what is new goes under them as a note.
    async fn add_late(&mut self, table: Table, sifted: Sifted, own: &Record) -> Outcome<()> {
        self.put_note(Stem::Late, &map::late_note(self.log), own).await?;
        let told = self.steps.digests(&sifted.send);
        self.applied(table, sifted.sent, sifted.kept.into_iter().chain(told).collect()).await
    }

    /// Our case was merged into another: from now on the log lies under that one.
    async fn follow(&mut self, master: Record) -> Outcome<Record> {
        self.steps
            .remember(|p| {
                p.done.remove(OWN);
                set(p, UNDER, master.id.as_str());
                p.record = Some(master.clone());
                p.label = None;
                p.pending = None;
            })
            .await?;
        Ok(master)
    }

    // ------------------------------------------------------------ somebody else's case

    /// The case, not our own, under which the log goes as a note: the one named, or the one it lies under already.
    fn other_case(&self) -> Option<Record> {
        if self.steps.is_done(OWN) {
            return None;
        }
        let named = self.log.case.clone().filter(|case| case.object == "incident");
        let named = named.filter(|case| map::guid(case.id.as_str()).is_some());
        named.or_else(|| self.steps.value_of(UNDER).and(self.steps.now().record.clone()))
    }

    /// That case, or the one it was merged into; `None` when it is gone, so that the log gets a case of its own.
    async fn reachable(&mut self, case: &Record) -> Outcome<Option<Record>> {
        let known = self.steps.value_of(UNDER).is_some_and(|id| id == case.id.as_str());
        if known && self.steps.now().label.is_some() {
            return Ok(Some(case.clone()));
        }
        let Some((record, label)) = self.crm.case(case).await? else {
            // It cannot be the parent of the case that the log gets now, either.
            let gone = map::guid(case.id.as_str()).unwrap_or_default();
            let gone = self.steps.digest(PARENT_COLUMN, &gone.into());
            self.steps
                .remember(|p| {
                    p.done.retain(|step| !step.starts_with(UNDER));
                    keep(p, [(PARENT_COLUMN.to_owned(), gone)]);
                })
                .await?;
            return Ok(None);
        };
        self.steps
            .remember(|p| {
                set(p, UNDER, record.id.as_str());
                p.record = Some(record.clone());
                p.label = label;
            })
            .await?;
        Ok(Some(record))
    }

    // ------------------------------------------------------------ resolving

    /// Resolves the case, if that is set. A case that something forbids to resolve stays open; the log is delivered.
    async fn close(&mut self, own: &Record) -> Outcome<()> {
        let settings = &self.crm.settings.case;
        if !settings.close || self.log.outcome != Ending::Answered || self.steps.is_done(CLOSED) {
            return Ok(());
        }
        // The action makes an activity each time, so it is asked first whether it is still to be done (sheet 2.8).
        let row = self.crm.client.read("incidents", own.id.as_str(), "statecode").await?;
        let open = row.is_some_and(|row| row.get("statecode").and_then(Value::as_i64) == Some(0));
        if open {
            self.steps.about_to(CLOSED, &Fields::new()).await?;
            let subject = map::case_fields(self.log, &self.crm.settings).remove("title");
            let resolution = json!({
                "subject": subject, "incidentid@odata.bind": format!("/incidents({})", own.id),
            });
            let arguments = json!({ "IncidentResolution": resolution, "Status": settings.close_status });
            match self.crm.client.action("CloseIncident", arguments).await {
                Ok(()) => {}
                Err(Failure::Reject { code, .. }) => {
                    tracing::warn!(key = self.steps.key, code, "Dynamics does not let this case be resolved");
                }
                Err(
                    failure @ (Failure::Retry { .. }
                    | Failure::Throttled { .. }
                    | Failure::Reauthorise { .. }),
                ) => return Err(failure),
            }
        }
        self.steps
            .remember(|p| {
                p.done.insert(CLOSED.to_owned());
                p.pending = None;
            })
            .await
    }

    // ------------------------------------------------------------ calls

    async fn call(&mut self) -> Outcome<()> {
        let own = self.own(Table::Call)?;
        let made = if self.steps.is_done(OWN) { None } else { self.make_call(&own).await? };
        self.update_own(Table::Call).await?;
        if map::wants_note(self.log, &self.crm.settings) {
            self.put_note(Stem::Transcript, &map::transcript_note(self.log, false), &own).await?;
        }
        self.complete(&own, made).await
    }

    /// Makes the phone call, open. Gives its row when it is new.
    async fn make_call(&mut self, own: &Record) -> Outcome<Option<Value>> {
        let crm = self.crm;
        let (who, case) = self.about().await?;
        let mut sent = map::call_fields(self.log, &crm.settings);
        if let Some((id, ..)) = map::regarding(&crm.settings, who.as_ref(), case.as_deref()) {
            sent.insert(REGARDING_COLUMN.into(), id.into());
        }
        self.steps.about_to(OWN, &sent).await?;
        let wish = self.wish(Table::Call);
        self.steps.remember(|p| set(p, WISH, &wish)).await?;
        let fields = map::new_call(self.log, &crm.settings, who.as_ref(), case.as_deref());
        match crm.client.create("phonecalls", fields, "statecode").await? {
            Created::Made(row) => {
                let sent = self.steps.digests(&sent);
                self.steps.adopt(OWN, own.clone(), sent, Some(map::call_label(self.log))).await?;
                Ok(row.is_object().then_some(row))
            }
            Created::There => self.meet(Table::Call, own.clone()).await.map(|()| None),
        }
    }

    /// Who a call was with, and the case it was about, as far as they are there.
    async fn about(&mut self) -> Outcome<(Option<Customer>, Option<String>)> {
        let who = match self.log.contact.as_ref().and_then(Customer::of) {
            Some(who) => self.crm.survivor(who).await?.map(|(who, _)| who),
            None => None,
        };
        let named = self.log.case.as_ref().filter(|case| case.object == "incident");
        let case = match named {
            Some(case) => self.crm.case(case).await?.map(|(record, _)| record.id.to_string()),
            None => None,
        };
        Ok((who, case))
    }

    /// An open call is completed, once: completed ones are read-only, so its state is known first (sheet 3).
    async fn complete(&mut self, own: &Record, made: Option<Value>) -> Outcome<()> {
        if self.steps.is_done(COMPLETED) {
            return Ok(());
        }
        let row = match made {
            Some(row) => Some(row),
            None => self.crm.client.read("phonecalls", own.id.as_str(), "statecode").await?,
        };
        let Some(row) = row else { return Err(deleted(Table::Call)) };
        if row.get("statecode").and_then(Value::as_i64) == Some(0) {
            self.steps.about_to(COMPLETED, &Fields::new()).await?;
            let (body, etag) = (state(1, map::call_status(self.log)), map::member(&row, "@odata.etag"));
            match self.crm.client.update("phonecalls", own.id.as_str(), etag, body).await? {
                Updated::Done => {}
                Updated::Changed | Updated::Missing => {
                    return Err(Failure::retry("somebody was changing the phone call at this moment"));
                }
            }
        }
        self.steps
            .remember(|p| {
                p.done.insert(COMPLETED.to_owned());
                p.pending = None;
            })
            .await
    }
}

/// What a delivery asks beside its own record.
impl Dynamics {
    /// Whom a case is about: the contact or account chosen, or what it was merged into; else the fallback (D10). An
    /// inactive one does when there is no fallback: it is still who called.
    async fn customer(&self, wish: Option<&Record>) -> Outcome<Option<Customer>> {
        let fallback = self.settings.case.fallback_customer.as_ref();
        let fallback = fallback.and_then(Fallback::record).as_ref().and_then(Customer::of);
        let found = match wish.and_then(Customer::of) {
            Some(who) => self.survivor(who).await?,
            None => None,
        };
        Ok(match (found, fallback) {
            (Some((who, true)), _) | (Some((who, false)), None) => Some(who),
            (Some((_, false)) | None, fallback) => fallback,
        })
    }

    /// A contact or account, or the one it was merged into, and whether it is active; `None` when it is gone.
    async fn survivor(&self, mut who: Customer) -> Outcome<Option<(Customer, bool)>> {
        for _ in 0..MERGES_MAX {
            let row = self.client.read(who.set(), &who.id, "statecode,_masterid_value").await?;
            let Some(row) = row else { return Ok(None) };
            match map::member(&row, "_masterid_value").and_then(map::guid) {
                Some(master) if master != who.id => who.id = master,
                Some(_) | None => {
                    let active = row.get("statecode").and_then(Value::as_i64) == Some(0);
                    return Ok(Some((who, active)));
                }
            }
        }
        Ok(None)
    }

    /// A case, or the one it was merged into, and what people call it.
    async fn case(&self, case: &Record) -> Outcome<Option<(Record, Option<String>)>> {
        let Some(mut record) = map::record("incident", case.id.as_str()) else { return Ok(None) };
        for _ in 0..MERGES_MAX {
            let row =
                self.client.read("incidents", record.id.as_str(), "ticketnumber,_masterid_value").await?;
            let Some(row) = row else { return Ok(None) };
            match map::member(&row, "_masterid_value").and_then(|id| map::record("incident", id)) {
                Some(master) if master != record => record = master,
                Some(_) | None => return Ok(Some((record, map::case_label(&row)))),
            }
        }
        Ok(None)
    }
}

/// Columns as they are written: look-ups as binds.
fn wire(send: &Fields, links: &[Link]) -> Fields {
    let mut body = send.clone();
    for link in links {
        if body.remove(link.column).is_some() {
            body.insert(link.property.clone(), link.target.clone());
        }
    }
    body
}

/// A state with its status; the two are always set together (sheet 2.6).
fn state(state: i64, status: i64) -> Fields {
    [("statecode".to_owned(), state.into()), ("statuscode".to_owned(), status.into())].into_iter().collect()
}

/// A person deleted our record: it is not made again.
fn deleted(table: Table) -> Failure {
    let what = match table {
        Table::Case => "case",
        Table::Call => "phone call",
    };
    let reason = format!(
        "the {what} was deleted in Dynamics; later facts have nowhere to go, and it is not made again"
    );
    Failure::reject(Some("0x80040217"), reason)
}
