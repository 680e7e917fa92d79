//! Looks at login, columns, privileges, the fallback customer and the clock, and says each in one sentence with its way
//! out. Writes nothing.

use crate::client::privilege_of;
use crate::connector::Dynamics;
use crate::map;
use crate::queries::People;
use crate::settings::FieldValue;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use tieline_connector_api::{Failure, Finding, Outcome, Severity};

/// A clock off by more than this many seconds is worth a word; past [`SKEW_BAD`] assertions are refused.
const SKEW_WARN: i64 = 60;
const SKEW_BAD: i64 = 300;

/// Findings so far.
#[derive(Default)]
struct Report(Vec<Finding>);

impl Report {
    fn add(&mut self, severity: Severity, what: impl Into<String>, says: impl Into<String>) {
        self.0.push(Finding { severity, what: what.into(), says: says.into() });
    }
    fn good(&mut self, what: impl Into<String>, says: impl Into<String>) {
        self.add(Severity::Good, what, says);
    }
    fn warning(&mut self, what: impl Into<String>, says: impl Into<String>) {
        self.add(Severity::Warning, what, says);
    }
    fn error(&mut self, what: impl Into<String>, says: impl Into<String>) {
        self.add(Severity::Error, what, says);
    }
}

pub(crate) async fn check(crm: &Dynamics) -> Outcome<Vec<Finding>> {
    let mut report = Report::default();
    let me = match crm.client.function("WhoAmI()").await {
        Ok(me) => me,
        Err(Failure::Reauthorise { reason }) => {
            report.error("login", reason);
            return Ok(report.0);
        }
        Err(Failure::Reject { .. }) => {
            let says = format!(
                "{} does not answer as an environment: check `org_url` and `api_version` ({})",
                crm.client.address(),
                crm.settings.api_version
            );
            report.error("org_url", says);
            return Ok(report.0);
        }
        Err(failure @ (Failure::Retry { .. } | Failure::Throttled { .. })) => return Err(failure),
    };
    report.good("login", "logged in, and the environment has an application user for the app");
    for (set, columns) in tables(crm) {
        readable(crm, &mut report, set, &columns).await?;
    }
    privileges(crm, &mut report, &me).await?;
    fallback(crm, &mut report).await?;
    clock(&mut report, crm.client.skew_secs());
    Ok(report.0)
}

/// Each table with the columns that are read and written.
fn tables(crm: &Dynamics) -> Vec<(&'static str, Vec<String>)> {
    let settings = &crm.settings;
    let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let mapped = |fields: &BTreeMap<String, FieldValue>| fields.keys().cloned().collect::<Vec<_>>();
    let mut contact = own(&["fullname", "firstname", "lastname", "statecode", "_masterid_value"]);
    contact.extend(People::Contacts.phones(settings));
    contact.extend(People::Contacts.emails(settings));
    let mut incident = own(&[
        "title",
        "description",
        "ticketnumber",
        "caseorigincode",
        "statecode",
        "statuscode",
        "_customerid_value",
        "_masterid_value",
    ]);
    incident.extend(mapped(&settings.case.fields));
    let mut call = own(&[
        "subject",
        "description",
        "phonenumber",
        "directioncode",
        "actualdurationminutes",
        "statecode",
        "_regardingobjectid_value",
    ]);
    call.extend(mapped(&settings.call.fields));
    let mut account = own(&["name", "statecode", "_masterid_value"]);
    if settings.contact.accounts {
        account.extend(People::Accounts.phones(settings));
        account.extend(People::Accounts.emails(settings));
    }
    vec![
        ("contacts", contact),
        ("accounts", account),
        ("incidents", incident),
        ("phonecalls", call),
        ("annotations", own(&["subject", "notetext", "_objectid_value"])),
    ]
}

/// Reads a row at most; where that is refused, asks for each column by itself, so that the missing one has a name.
async fn readable(crm: &Dynamics, report: &mut Report, set: &str, columns: &[String]) -> Outcome<()> {
    let ask = |columns: String| crm.client.list(set, vec![("$select", columns), ("$top", "1".to_owned())]);
    let Err(failure) = ask(columns.join(",")).await else {
        report.good(set, "may be read, with all columns that are used");
        return Ok(());
    };
    if let Some(privilege) = privilege_of(&failure) {
        report.error(set, format!("the application user lacks {privilege}: add it to its security role"));
        return Ok(());
    }
    let Failure::Reject { reason, .. } = failure else { return Err(failure) };
    let mut missing = 0;
    for column in columns {
        match ask(column.clone()).await {
            Ok(_) => {}
            Err(Failure::Reject { .. }) => {
                missing += 1;
                let says = "does not exist in this environment: check its logical name, or take it out of the settings";
                report.error(format!("column {set}.{column}"), says);
            }
            Err(other) => return Err(other),
        }
    }
    if missing == 0 {
        report.error(set, format!("cannot be read: {reason}"));
    }
    Ok(())
}

/// What is done with privileges, and how bad it is when they are missing.
const NEEDED: [(&str, Severity, &[&str]); 4] = [
    (
        "writing cases and notes",
        Severity::Error,
        &[
            "prvCreateIncident",
            "prvWriteIncident",
            "prvAppendIncident",
            "prvAppendToIncident",
            "prvCreateNote",
            "prvWriteNote",
            "prvAppendNote",
            "prvAppendToContact",
            "prvAppendToAccount",
        ],
    ),
    (
        "writing phone calls",
        Severity::Error,
        &[
            "prvCreateActivity",
            "prvWriteActivity",
            "prvAppendActivity",
            "prvAppendToActivity",
            "prvAppendToUser",
        ],
    ),
    ("new contacts from the panel", Severity::Warning, &["prvCreateContact"]),
    ("erasing", Severity::Warning, &["prvDeleteIncident", "prvDeleteNote", "prvDeleteActivity"]),
];

/// Asks which privileges the application user has through its roles.
async fn privileges(crm: &Dynamics, report: &mut Report, me: &Value) -> Outcome<()> {
    let Some(user) = map::member(me, "UserId").and_then(map::guid) else {
        report.warning("privileges", "the environment does not say who the application user is");
        return Ok(());
    };
    let function = format!("systemusers({user})/Microsoft.Dynamics.CRM.RetrieveUserPrivileges()");
    let said = match crm.client.function(&function).await {
        Ok(said) => said,
        Err(failure @ Failure::Reject { .. }) => {
            let why = privilege_of(&failure)
                .map_or_else(|| failure.to_string(), |name| format!("its role lacks {name}"));
            report.warning("privileges", format!("could not be listed, so none is checked here: {why}"));
            return Ok(());
        }
        Err(failure @ (Failure::Retry { .. } | Failure::Throttled { .. } | Failure::Reauthorise { .. })) => {
            return Err(failure);
        }
    };
    let list = said.get("RolePrivileges").and_then(Value::as_array);
    let names = list.into_iter().flatten().filter_map(|held| map::member(held, "PrivilegeName"));
    let held: BTreeSet<String> = names.map(str::to_ascii_lowercase).collect();
    for (what, severity, needed) in NEEDED {
        let missing = needed.iter().filter(|name| !held.contains(&name.to_ascii_lowercase()));
        let missing: Vec<&str> = missing.copied().collect();
        if missing.is_empty() {
            report.good(what, "the application user has all privileges");
        } else {
            let says =
                format!("the application user lacks {}: add them to its security role", missing.join(", "));
            report.add(severity, what, says);
        }
    }
    Ok(())
}

async fn fallback(crm: &Dynamics, report: &mut Report) -> Outcome<()> {
    let what = "case.fallback_customer";
    let Some(fallback) = &crm.settings.case.fallback_customer else {
        report.warning(
            what,
            "is not set: chats of unknown people are refused until somebody chooses a contact",
        );
        return Ok(());
    };
    let Some(record) = fallback.record() else { return Ok(()) };
    let Some(customer) = map::Customer::of(&record) else { return Ok(()) };
    let row = crm.client.read(customer.set(), &customer.id, "statecode").await;
    match row {
        Ok(Some(row)) if row.get("statecode").and_then(Value::as_i64) == Some(0) => {
            report.good(what, format!("is an active {}", record.object));
        }
        Ok(Some(_)) => {
            report.warning(what, format!("is an inactive {}: activate it, or name another", record.object));
        }
        Ok(None) => {
            let says = format!(
                "there is no {} with this id: chats of unknown people will be refused; name one that is there",
                record.object
            );
            report.error(what, says);
        }
        Err(failure @ Failure::Reject { .. }) => report.error(what, format!("cannot be read: {failure}")),
        Err(failure) => return Err(failure),
    }
    Ok(())
}

fn clock(report: &mut Report, ahead: i64) {
    let says = if ahead >= 0 {
        format!("{ahead} s behind Dynamics'")
    } else {
        format!("{} s ahead of Dynamics'", -ahead)
    };
    match ahead.abs() {
        secs if secs > SKEW_BAD => {
            let says = format!("this machine's clock is {says}: assertions are refused; synchronise it");
            report.error("clock", says);
        }
        secs if secs > SKEW_WARN => {
            report.warning("clock", format!("this machine's clock is {says}: synchronise it"));
        }
        _ => report.good("clock", format!("this machine's clock is {says}")),
    }
}
