//! What may be written, and what the environment adds: required columns, states, keys, numbers, files.

use super::cell::{self, Cell};
use super::error::{self, ApiError, Result};
use super::odata;
use super::org::{Org, Row, now};
use super::payload::{self, Payload};
use super::schema::{self, Column, Kind, Table};
use super::switches::StateOnCreate;
use base64::Engine as _;
use serde_json::{Map, Value};
use uuid::Uuid;

/// Who writes.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// The user in whose name rows are written.
    pub(crate) user: Uuid,
    /// The application user behind an impersonation.
    pub(crate) real: Uuid,
    /// Duplicate detection was asked for.
    pub(crate) detect_duplicates: bool,
    /// A person in the environment's own pages, whom no role binds.
    pub(crate) person: bool,
}

impl Caller {
    /// A person at work in the environment's own pages.
    pub(crate) fn person(user: Uuid) -> Self {
        Self { user, real: user, detect_duplicates: false, person: true }
    }

    /// Whether the role has a privilege on a table.
    ///
    /// # Errors
    /// 403 that names the privilege.
    pub(crate) fn may(&self, org: &Org, verb: &str, table: &Table) -> Result<()> {
        self.has(org, &table.privilege(verb), &table.name)
    }

    /// Whether the role has a privilege by its name.
    ///
    /// # Errors
    /// 403 that names the privilege.
    pub(crate) fn has(&self, org: &Org, privilege: &str, table: &str) -> Result<()> {
        let denied = org.switches.denied_privileges.iter().any(|d| d.eq_ignore_ascii_case(privilege));
        if denied && !self.person { Err(ApiError::privilege(self.real, privilege, table)) } else { Ok(()) }
    }
}

/// How a create arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Via {
    /// POST.
    Post,
    /// PATCH that found no row.
    Patch,
}

/// Whether a row has the values of an alternate key; case does not count, and an empty column never matches.
pub(crate) fn keys_match<'a>(key: &schema::Key, row: &Row, of: &dyn Fn(&str) -> Option<&'a str>) -> bool {
    key.columns.iter().all(|column| {
        let Some(own) = row.cells.get(column).map(Cell::json) else { return false };
        let own = own.as_str().map_or_else(|| own.to_string(), str::to_owned);
        of(column).is_some_and(|given| odata::fold(given, true) == odata::fold(&own, true))
    })
}

/// Makes a row.
///
/// # Errors
/// The body does not fit, the key is taken, something required is missing, or the role may not.
pub(crate) fn create(
    org: &mut Org,
    table: &Table,
    id: Option<Uuid>,
    body: &Map<String, Value>,
    caller: &Caller,
    via: Via,
) -> Result<Uuid> {
    let mut payload = payload::read(org, table, body, caller)?;
    caller.may(org, "Create", table)?;
    if via == Via::Patch && !payload.children.is_empty() && !org.switches.deep_insert_by_patch {
        let says = "Deep insert is not supported in an upsert; make the row with POST.";
        return Err(ApiError::payload(&table.set, says));
    }
    let id = id.or(payload.id).unwrap_or_else(Uuid::now_v7);
    if id.is_nil() {
        return Err(ApiError::new(400, error::ARGUMENT, "The primary key may not be an empty GUID."));
    }
    if org.row(&table.name, id).is_some() {
        return Err(ApiError::duplicate());
    }
    states_on_create(org, table, &mut payload, caller)?;
    for column in table.columns.values().filter(|c| !c.create && !settled(c)) {
        payload.cells.remove(&column.name);
    }
    let mut row = Row { id, cells: std::collections::BTreeMap::new(), version: 0, searchable_at: now() };
    defaults(table, &mut row);
    for (name, cell) in std::mem::take(&mut payload.cells) {
        row.set(&name, cell);
    }
    required(table, &row)?;
    system(org, table, &mut row, caller)?;
    derived(org, table, &mut row)?;
    unique(org, table, &row)?;
    if caller.detect_duplicates {
        no_double(org, table, &row)?;
    }
    org.put(&table.name, row);
    for (child, column, body) in payload.children {
        let child = org.table(&child);
        insert_child(org, &child, &column, (&table.name, id), &body, caller)?;
    }
    Ok(id)
}

/// State and status are settled apart from the other columns.
fn settled(column: &Column) -> bool {
    matches!(column.kind, Kind::State(_) | Kind::Status(_))
}

fn insert_child(
    org: &mut Org,
    child: &Table,
    column: &str,
    parent: (&str, Uuid),
    body: &Map<String, Value>,
    caller: &Caller,
) -> Result<()> {
    if child.name == "activityparty" {
        party(org, child, body, caller)?;
    }
    let id = create(org, child, None, body, caller, Via::Post)?;
    let mut row = org.row(&child.name, id).cloned().ok_or_else(|| ApiError::no_row(&child.name, id))?;
    row.set(column, Some(Cell::Row(parent.0.to_owned(), parent.1)));
    org.put(&child.name, row);
    Ok(())
}

/// A party needs a role, and somebody or at least an address.
fn party(org: &Org, table: &Table, body: &Map<String, Value>, caller: &Caller) -> Result<()> {
    let payload = payload::read(org, table, body, caller)?;
    let has = |name: &str| matches!(payload.cells.get(name), Some(Some(_)));
    if !has("participationtypemask") {
        let says = "An activity party needs a participationtypemask.";
        return Err(ApiError::new(400, error::ARGUMENT, says));
    }
    if !(has("partyid") || has("addressused") && org.switches.unresolved_parties) {
        let says = "An activity party needs a partyid.";
        return Err(ApiError::new(400, error::ARGUMENT, says));
    }
    Ok(())
}

fn defaults(table: &Table, row: &mut Row) {
    for column in table.columns.values() {
        if let Some(cell) = cell::default(column) {
            row.set(&column.name, Some(cell));
        }
        let first = |choices: &[schema::Choice]| choices.first().map(|c| Cell::Int(c.value));
        match &column.kind {
            Kind::State(all) | Kind::Status(all) => row.set(&column.name, first(all)),
            Kind::Text(_)
            | Kind::Memo(_)
            | Kind::Int(..)
            | Kind::Number
            | Kind::Bool
            | Kind::Time
            | Kind::Day
            | Kind::Id
            | Kind::Bytes(_)
            | Kind::Choice(_)
            | Kind::Lookup(_) => {}
        }
    }
}

fn states_on_create(org: &Org, table: &Table, payload: &mut Payload, caller: &Caller) -> Result<()> {
    let Some(states) = table.column("statecode") else { return Ok(()) };
    if payload.cells.contains_key("statecode") && !caller.person {
        match org.switches.state_on_create {
            StateOnCreate::Rejected => {
                let says = format!("statecode is not valid for create of {}.", table.name);
                return Err(ApiError::new(400, error::ARGUMENT, says));
            }
            StateOnCreate::Ignored => {
                payload.cells.remove("statecode");
            }
            StateOnCreate::Honoured => {}
        }
    }
    let open = states.kind.choices().and_then(|all| all.first()).map_or(0, |c| c.value);
    settle(table, payload, open)
}

/// Makes state and status fit each other, given the state that holds when the body names none.
fn settle(table: &Table, payload: &mut Payload, present: i64) -> Result<()> {
    let given = |name: &str| payload.cells.get(name).cloned().flatten().and_then(|c| c.int());
    let (state, status) = (given("statecode"), given("statuscode"));
    if state.is_none() && status.is_none() {
        payload.cells.remove("statecode");
        payload.cells.remove("statuscode");
        return Ok(());
    }
    let state = state.unwrap_or(present);
    let all = table.column("statuscode").and_then(|c| c.kind.choices()).unwrap_or_default();
    let fits = |value: i64| all.iter().any(|c| c.value == value && c.state == Some(state));
    let status = match status {
        Some(status) if fits(status) => status,
        Some(status) => {
            let label = table.column("statecode").and_then(|c| c.kind.choices()).unwrap_or_default();
            let label = label.iter().find(|c| c.value == state).map_or("?", |c| c.label.as_str());
            let says =
                format!("{status} is not a valid status code for state code {}State.{label}", table.schema);
            return Err(ApiError::new(400, error::STATUS, says));
        }
        None => all.iter().find(|c| c.state == Some(state)).map_or(0, |c| c.value),
    };
    payload.cells.insert("statecode".to_owned(), Some(Cell::Int(state)));
    payload.cells.insert("statuscode".to_owned(), Some(Cell::Int(status)));
    Ok(())
}

fn required(table: &Table, row: &Row) -> Result<()> {
    for column in table.columns.values().filter(|c| c.required) {
        if row.cells.contains_key(&column.name) {
            continue;
        }
        let says = match (table.name.as_str(), column.name.as_str()) {
            ("incident", "customerid") => "You should specify a parent contact or account.".to_owned(),
            (table, column) => format!("The column '{column}' of '{table}' is required."),
        };
        return Err(ApiError::new(400, error::ARGUMENT, says));
    }
    Ok(())
}

fn system(org: &Org, table: &Table, row: &mut Row, caller: &Caller) -> Result<()> {
    let user = |id: Uuid| Some(Cell::Row("systemuser".to_owned(), id));
    let mut made = now();
    if let Some(Cell::Day(date)) = row.cells.get("overriddencreatedon") {
        caller.has(org, "prvOverrideCreatedOnCreatedBy", &table.name)?;
        made = date.midnight().assume_utc();
    }
    row.set("createdon", Some(Cell::Time(made)));
    row.set("modifiedon", Some(Cell::Time(now())));
    row.set("createdby", user(caller.user));
    row.set("modifiedby", user(caller.user));
    if caller.real != caller.user {
        row.set("createdonbehalfby", user(caller.real));
    }
    if !row.cells.contains_key("ownerid") {
        row.set("ownerid", user(caller.user));
    }
    row.set("owninguser", row.cells.get("ownerid").cloned());
    if table.activity {
        row.set("activitytypecode", Some(Cell::Text(table.name.clone())));
    }
    row.searchable_at = time::OffsetDateTime::now_utc()
        + time::Duration::milliseconds(i64::try_from(org.switches.search_lag_ms).unwrap_or(i64::MAX));
    Ok(())
}

/// Columns that follow from others.
fn derived(org: &mut Org, table: &Table, row: &mut Row) -> Result<()> {
    match table.name.as_str() {
        "contact" | "systemuser" => {
            let parts =
                ["firstname", "middlename", "lastname"].map(|n| row.text(n).unwrap_or_default().to_owned());
            let name = parts.into_iter().filter(|p| !p.is_empty()).collect::<Vec<_>>().join(" ");
            row.set(
                "fullname",
                Some(Cell::Text(name))
                    .filter(|_| row.text("lastname").is_some() || row.text("firstname").is_some()),
            );
        }
        "incident" if !row.cells.contains_key("ticketnumber") => {
            const LETTERS: &[u8] = b"BCDFGHJKLMNPQRSTVWXZ0123456789";
            let tail: String = row.id.as_bytes()[..6]
                .iter()
                .map(|b| char::from(LETTERS[usize::from(*b) % LETTERS.len()]))
                .collect();
            row.set("ticketnumber", Some(Cell::Text(format!("CAS-{:05}-{tail}", org.next_ticket))));
            org.next_ticket += 1;
        }
        "annotation" => attachment(org, row)?,
        _ => {}
    }
    Ok(())
}

fn attachment(org: &Org, row: &mut Row) -> Result<()> {
    let refused = |why: String| Err(ApiError::new(400, "0x80043e09", why));
    let bytes = row
        .text("documentbody")
        .map(|t| base64::engine::general_purpose::STANDARD.decode(t).unwrap_or_default().len());
    row.set("isdocument", Some(Cell::Bool(bytes.is_some())));
    row.set("filesize", bytes.and_then(|n| i64::try_from(n).ok()).map(Cell::Int));
    let Some(bytes) = bytes else { return Ok(()) };
    if bytes > org.switches.attachment_bytes_max {
        return refused("Attachment file size is too big.".to_owned());
    }
    let extension = row.text("filename").and_then(|n| n.rsplit_once('.')).map(|(_, e)| e.to_lowercase());
    match extension.filter(|e| org.switches.attachment_extensions_blocked.contains(e)) {
        Some(e) => refused(format!(
            "The attachment is not a valid file type: files with the extension {e} are blocked."
        )),
        None => Ok(()),
    }
}

fn unique(org: &Org, table: &Table, row: &Row) -> Result<()> {
    for key in table.keys.iter().filter(|k| k.status == "Active") {
        let texts: Vec<(&String, String)> = key
            .columns
            .iter()
            .filter_map(|c| Some((c, row.cells.get(c)?.json())))
            .map(|(c, v)| (c, v.as_str().map_or_else(|| v.to_string(), str::to_owned)))
            .collect();
        if texts.len() < key.columns.len() {
            continue;
        }
        let of = |column: &str| texts.iter().find(|(c, _)| *c == column).map(|(_, v)| v.as_str());
        if org.rows(&table.name).any(|other| other.id != row.id && keys_match(key, other, &of)) {
            let says = format!(
                "Entity Key {} violated. A record with the same value for {} already exists. A duplicate record cannot be created. Select one or more unique values and try again.",
                key.name,
                key.columns.join(", ")
            );
            return Err(ApiError::new(412, error::KEY_VIOLATED, says));
        }
    }
    Ok(())
}

/// The stock rule of duplicate detection: two contacts or accounts with one e-mail address.
fn no_double(org: &Org, table: &Table, row: &Row) -> Result<()> {
    if !matches!(table.name.as_str(), "contact" | "account") {
        return Ok(());
    }
    let Some(email) = row.text("emailaddress1") else { return Ok(()) };
    let same = |r: &Row| r.text("emailaddress1").is_some_and(|e| e.eq_ignore_ascii_case(email));
    if org.rows(&table.name).any(|r| r.int("statecode") == Some(0) && same(r)) {
        let says =
            "A record was not created or updated because a duplicate of the current record already exists.";
        return Err(ApiError::new(412, error::DUPLICATE_FOUND, says));
    }
    Ok(())
}

/// Changes a row that is there.
///
/// # Errors
/// The body does not fit, the row is read-only, a key is taken, or the role may not.
pub(crate) fn update(
    org: &mut Org,
    table: &Table,
    id: Uuid,
    body: &Map<String, Value>,
    caller: &Caller,
) -> Result<()> {
    let mut payload = payload::read(org, table, body, caller)?;
    caller.may(org, "Write", table)?;
    let Some(mut row) = org.row(&table.name, id).cloned() else {
        return Err(ApiError::no_row(&table.name, id));
    };
    if payload.id.is_some_and(|given| given != id) {
        return Err(ApiError::payload(&table.set, "The primary key of the body is not that of the address."));
    }
    if !payload.children.is_empty() {
        return Err(ApiError::payload(&table.set, "Deep update is not supported."));
    }
    let present = row.int("statecode").unwrap_or(0);
    may_change(org, table, &payload, present, caller)?;
    if table.column("statecode").is_some() {
        settle(table, &mut payload, present)?;
    }
    for (name, cell) in payload.cells {
        if table.column(&name).is_some_and(|c| c.update) {
            row.set(&name, cell);
        }
    }
    required(table, &row)?;
    row.set("modifiedon", Some(Cell::Time(now())));
    row.set("modifiedby", Some(Cell::Row("systemuser".to_owned(), caller.user)));
    row.set("owninguser", row.cells.get("ownerid").cloned());
    derived(org, table, &mut row)?;
    unique(org, table, &row)?;
    org.put(&table.name, row);
    Ok(())
}

/// Cases that are resolved or cancelled and activities that are completed or canceled are read-only but for their
/// state (sheet 2.5, 2.6); a case is resolved by its action, not by its state (sheet 2.8).
fn may_change(org: &Org, table: &Table, payload: &Payload, present: i64, caller: &Caller) -> Result<()> {
    let wanted = payload.cells.get("statecode").cloned().flatten().and_then(|c| c.int());
    let case = table.name == "incident";
    if case && wanted == Some(1) && present != 1 && !org.switches.resolve_by_patch && !caller.person {
        let says = "This message can not be used to set the state of incident to Resolved. In order to set state of incident to Resolved, use the CloseIncidentRequest message instead.";
        return Err(ApiError::new(400, error::ARGUMENT, says));
    }
    let closed = present != 0 && (case || table.activity);
    let others = payload.cells.keys().any(|name| !matches!(name.as_str(), "statecode" | "statuscode"));
    let reopened = wanted == Some(0);
    if closed && others && !reopened {
        let says = if case {
            "This case has already been resolved or cancelled. A closed case is read-only; reactivate it to change it."
        } else {
            "A completed or canceled activity is read-only."
        };
        return Err(ApiError::new(400, error::ARGUMENT, says));
    }
    Ok(())
}

/// Deletes a row, and what hangs below it.
///
/// # Errors
/// It is not there, or the role may not.
pub(crate) fn delete(org: &mut Org, table: &Table, id: Uuid, caller: &Caller) -> Result<()> {
    caller.may(org, "Delete", table)?;
    if org.row(&table.name, id).is_none() {
        return Err(ApiError::no_row(&table.name, id));
    }
    remove(org, &table.name, id);
    clear_lookups(org, id);
    Ok(())
}

/// Takes a row and what cannot be without it: a customer's cases, a record's notes and activities.
fn remove(org: &mut Org, table: &str, id: Uuid) {
    const BELOW: [(&str, &str); 6] = [
        ("incident", "customerid"),
        ("annotation", "objectid"),
        ("phonecall", "regardingobjectid"),
        ("task", "regardingobjectid"),
        ("incidentresolution", "incidentid"),
        ("activityparty", "activityid"),
    ];
    if !org.take(table, id) {
        return;
    }
    for (child, column) in BELOW {
        let gone: Vec<Uuid> =
            org.rows(child).filter(|r| r.points_at(column) == Some(id)).map(|r| r.id).collect();
        for id in gone {
            remove(org, child, id);
        }
    }
}

/// What pointed at a deleted row points at nothing.
fn clear_lookups(org: &mut Org, id: Uuid) {
    let mut changed = Vec::new();
    for table in org.schema.all() {
        for row in org.rows(&table.name) {
            let points: Vec<String> = row
                .cells
                .iter()
                .filter(|(_, c)| matches!(c, Cell::Row(_, to) if *to == id))
                .map(|(n, _)| n.clone())
                .collect();
            if !points.is_empty() {
                let mut row = row.clone();
                for name in points {
                    row.set(&name, None);
                }
                changed.push((table.name.clone(), row));
            }
        }
    }
    for (table, row) in changed {
        org.put(&table, row);
    }
}

/// Folds one row into another, as the Merge message does: the first stays.
///
/// # Errors
/// They are not two rows of one table that can be merged.
pub(crate) fn merge(org: &mut Org, table: &Table, winner: Uuid, loser: Uuid) -> Result<()> {
    let bad = |why: &str| Err(ApiError::new(400, error::ARGUMENT, why));
    if table.column("masterid").is_none() || winner == loser {
        return bad("Not two records of one table that can be merged.");
    }
    if org.row(&table.name, winner).is_none() {
        return Err(ApiError::no_row(&table.name, winner));
    }
    let Some(mut row) = org.row(&table.name, loser).cloned() else {
        return Err(ApiError::no_row(&table.name, loser));
    };
    if row.cells.get("merged") == Some(&Cell::Bool(true)) {
        return bad("The subordinate record has been merged already.");
    }
    row.set("masterid", Some(Cell::Row(table.name.clone(), winner)));
    row.set("merged", Some(Cell::Bool(true)));
    let (state, status) = if table.name == "incident" { (2, 2000) } else { (1, 2) };
    row.set("statecode", Some(Cell::Int(state)));
    row.set("statuscode", Some(Cell::Int(status)));
    row.set("modifiedon", Some(Cell::Time(now())));
    org.put(&table.name, row);
    repoint(org, loser, winner);
    Ok(())
}

fn repoint(org: &mut Org, from: Uuid, to: Uuid) {
    let mut changed = Vec::new();
    for table in org.schema.all() {
        for row in org.rows(&table.name).filter(|r| r.id != from && r.id != to) {
            let mut new = row.clone();
            for (name, cell) in &mut new.cells {
                if let Cell::Row(_, id) = cell
                    && *id == from
                    && name != "masterid"
                {
                    *id = to;
                }
            }
            if new.cells != row.cells {
                changed.push((table.name.clone(), new));
            }
        }
    }
    for (table, row) in changed {
        org.put(&table, row);
    }
}
