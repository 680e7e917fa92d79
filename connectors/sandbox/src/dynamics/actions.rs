//! Actions and functions: CloseIncident, Merge, WhoAmI, and those that write many rows (sheet 2.8, 6.2).

use super::address::{self, Found, Segment};
use super::cell::Cell;
use super::error::{self, ApiError, Result};
use super::org::{Org, now};
use super::rest::{Answer, Call, with_key};
use super::rules::{self, Via};
use super::schema::Table;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use uuid::Uuid;

/// The function of a user that lists what its roles allow.
pub(crate) const USER_PRIVILEGES: &str = "Microsoft.Dynamics.CRM.RetrieveUserPrivileges";
/// What can be done with a table, as names of privileges have it.
const VERBS: [&str; 6] = ["Create", "Read", "Write", "Delete", "Append", "AppendTo"];

type Operation = fn(&mut Org, &Call) -> Result<Answer>;

/// An operation of the service's root; `None` when the name is none.
///
/// # Errors
/// It refuses.
pub(crate) fn unbound(
    org: &mut Org,
    call: &Call,
    first: &Segment,
    rest: &[Segment],
) -> Result<Option<Answer>> {
    if !rest.is_empty() {
        return Ok(None);
    }
    let (method, answer): (&str, Operation) = match first.name.as_str() {
        "WhoAmI" => ("GET", who_am_i),
        "RetrieveVersion" => ("GET", version),
        "CloseIncident" => ("POST", close_incident),
        "Merge" => ("POST", merge),
        _ => return Ok(None),
    };
    if call.method != method {
        return Err(ApiError::new(405, "0x0", format!("The method {} is not allowed here.", call.method)));
    }
    answer(org, call).map(Some)
}

fn context(call: &Call, name: &str) -> String {
    format!("{}/$metadata#Microsoft.Dynamics.CRM.{name}Response", call.root)
}

fn who_am_i(org: &mut Org, call: &Call) -> Result<Answer> {
    let user = org.row("systemuser", call.caller.user);
    let unit = user.and_then(|u| u.points_at("businessunitid")).unwrap_or_default();
    Ok(Answer::json(
        200,
        json!({"@odata.context": context(call, "WhoAmI"), "BusinessUnitId": unit.to_string(),
            "UserId": call.caller.user.to_string(), "OrganizationId": org.id.to_string()}),
    ))
}

/// The privileges of a user, one by one; the application user has all but those that the switches deny.
///
/// # Errors
/// The table has no such function, or the role may not read users.
pub(crate) fn user_privileges(org: &Org, call: &Call, table: &Table, user: Uuid) -> Result<Answer> {
    if table.name != "systemuser" {
        return Err(ApiError::no_segment(USER_PRIVILEGES));
    }
    call.caller.may(org, "Read", table)?;
    let all =
        org.schema.all().flat_map(|table| VERBS.map(|verb| (table.privilege(verb), table.name.clone())));
    let held = all.filter(|(name, table)| call.caller.has(org, name, table).is_ok());
    let names: BTreeSet<String> = held.map(|(name, _)| name).collect();
    let unit = org.row("systemuser", user).and_then(|u| u.points_at("businessunitid")).unwrap_or_default();
    let list: Vec<Value> = names
        .into_iter()
        .map(|name| json!({"Depth": "Global", "BusinessUnitId": unit.to_string(), "PrivilegeName": name}))
        .collect();
    let body = json!({"@odata.context": context(call, "RetrieveUserPrivileges"), "RolePrivileges": list});
    Ok(Answer::json(200, body))
}

fn version(_: &mut Org, call: &Call) -> Result<Answer> {
    let body = json!({"@odata.context": context(call, "RetrieveVersion"), "Version": "9.2.26113.00148"});
    Ok(Answer::json(200, body))
}

fn argument<T>(why: impl Into<String>) -> Result<T> {
    Err(ApiError::new(400, error::ARGUMENT, why))
}

fn close_incident(org: &mut Org, call: &Call) -> Result<Answer> {
    let body = call.object()?;
    let Some(resolution) = body.get("IncidentResolution").and_then(Value::as_object) else {
        return argument("The parameter 'IncidentResolution' is missing.");
    };
    let Some(status) = body.get("Status").and_then(Value::as_i64) else {
        return argument("The parameter 'Status' is missing.");
    };
    let incident = org.table("incident");
    let Some(reference) = resolution.get("incidentid@odata.bind").and_then(Value::as_str) else {
        return argument("The resolution names no incident.");
    };
    let (table, id) = address::reference(org, reference)?;
    let Some(mut row) = org.row("incident", id).filter(|_| table.name == "incident").cloned() else {
        return Err(ApiError::no_row("incident", id));
    };
    call.caller.may(org, "Write", &incident)?;
    let all = incident.column("statuscode").and_then(|c| c.kind.choices()).unwrap_or_default();
    let status = if status == -1 { 5 } else { status };
    if !all.iter().any(|c| c.value == status && c.state == Some(1)) {
        let says = format!("{status} is not a valid status code for state code IncidentState.Resolved");
        return Err(ApiError::new(400, error::STATUS, says));
    }
    if row.int("statecode") != Some(0) {
        return argument("The case is resolved or cancelled already.");
    }
    if open_activities(org, id) {
        return argument(
            "This case can not be resolved because there are open activities associated with it.",
        );
    }
    let table = org.table("incidentresolution");
    let mut fields = resolution.clone();
    fields.retain(|name, _| !name.starts_with("@odata"));
    let made = rules::create(org, &table, None, &fields, &call.caller, Via::Post)?;
    if let Some(mut done) = org.row("incidentresolution", made).cloned() {
        done.set("statecode", Some(Cell::Int(1)));
        done.set("statuscode", Some(Cell::Int(2)));
        org.put("incidentresolution", done);
    }
    row.set("statecode", Some(Cell::Int(1)));
    row.set("statuscode", Some(Cell::Int(status)));
    row.set("modifiedon", Some(Cell::Time(now())));
    org.put("incident", row);
    Ok(Answer::empty())
}

fn open_activities(org: &Org, case: Uuid) -> bool {
    let open = |table: &str| {
        org.rows(table)
            .any(|r| r.points_at("regardingobjectid") == Some(case) && r.int("statecode") == Some(0))
    };
    open("phonecall") || open("task")
}

fn merge(org: &mut Org, call: &Call) -> Result<Answer> {
    let body = call.object()?;
    let side = |name: &str| {
        let row = body.get(name)?.as_object()?;
        let kind = row.get("@odata.type")?.as_str()?.rsplit('.').next()?;
        let table = org.schema.table(kind)?.clone();
        let id = Uuid::try_parse(row.get(&table.id)?.as_str()?).ok()?;
        Some((table, id))
    };
    let (Some((table, winner)), Some((other, loser))) = (side("Target"), side("Subordinate")) else {
        return argument(
            "Merge needs a Target and a Subordinate, each with @odata.type and its primary key.",
        );
    };
    if table.name != other.name {
        return argument("Only records of one table can be merged.");
    }
    call.caller.may(org, "Write", &table)?;
    rules::merge(org, &table, winner, loser)?;
    Ok(Answer::empty())
}

/// An operation bound to an entity set.
///
/// # Errors
/// It is not there, or refuses.
pub(crate) fn bound_to_set(org: &mut Org, call: &Call, table: &Table, action: &Segment) -> Result<Answer> {
    let name = action.name.strip_prefix("Microsoft.Dynamics.CRM.").unwrap_or_default();
    if call.method != "POST" || !matches!(name, "CreateMultiple" | "UpdateMultiple" | "UpsertMultiple") {
        return Err(ApiError::no_segment(&action.name));
    }
    let Some(targets) = call.object()?.get("Targets").and_then(Value::as_array) else {
        return argument("The parameter 'Targets' is missing.");
    };
    let mut ids = Vec::new();
    for target in targets {
        let Some(target) = target.as_object() else { return argument("A target is not an object.") };
        let kind = target
            .get("@odata.type")
            .and_then(Value::as_str)
            .map(|t| t.rsplit('.').next() == Some(&table.name));
        if kind != Some(true) {
            return argument(format!(
                "A target's @odata.type must be Microsoft.Dynamics.CRM.{}.",
                table.name
            ));
        }
        match name {
            "CreateMultiple" => {
                ids.push(rules::create(org, table, None, target, &call.caller, Via::Post)?);
            }
            "UpdateMultiple" => {
                let id = target.get(&table.id).and_then(Value::as_str).and_then(|t| Uuid::try_parse(t).ok());
                let Some(id) = id else { return argument("A target has no primary key.") };
                rules::update(org, table, id, target, &call.caller)?;
            }
            _ => upsert(org, call, table, target)?,
        }
    }
    if name != "CreateMultiple" {
        return Ok(Answer::empty());
    }
    let ids: Vec<String> = ids.iter().map(Uuid::to_string).collect();
    Ok(Answer::json(200, json!({"@odata.context": context(call, "CreateMultiple"), "Ids": ids})))
}

/// One target of UpsertMultiple, which says by `@odata.id` or by its primary key which row it means.
fn upsert(org: &mut Org, call: &Call, table: &Table, target: &Map<String, Value>) -> Result<()> {
    let mut body = target.clone();
    let found = match target.get("@odata.id").and_then(Value::as_str) {
        Some(address) => {
            let segments = address::path(address)?;
            let [Segment { name, key: Some(key) }] = segments.as_slice() else {
                return argument(format!("'{address}' names no row."));
            };
            if *name != table.set {
                return argument(format!("'{address}' is of another table."));
            }
            address::look_up(org, table, key)?
        }
        None => {
            let id = target.get(&table.id).and_then(Value::as_str).and_then(|t| Uuid::try_parse(t).ok());
            Found::Id(id.unwrap_or_else(Uuid::now_v7))
        }
    };
    match found {
        Found::Id(id) if org.row(&table.name, id).is_some() => {
            rules::update(org, table, id, &body, &call.caller)
        }
        Found::Id(id) => rules::create(org, table, Some(id), &body, &call.caller, Via::Patch).map(|_| ()),
        Found::None(pairs) => {
            body = with_key(table, &pairs, &body)?;
            rules::create(org, table, None, &body, &call.caller, Via::Patch).map(|_| ())
        }
    }
}
