//! Looks at login, columns, rights, the fallback customer and the clock, and says each in one sentence with its way
//! out. Writes nothing: whether rows may be changed or deleted is asked with an id that no row has.

use crate::client::{Updated, privilege_of};
use crate::connector::Dynamics;
use crate::map;
use crate::queries::People;
use crate::settings::FieldValue;
use serde_json::Value;
use std::collections::BTreeMap;
use tieline_connector_api::steps::Fields;
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
    match crm.client.function("WhoAmI").await {
        Ok(_) => report.good("login", "logged in, and the environment has an application user for the app"),
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
    }
    for (set, columns) in tables(crm) {
        readable(crm, &mut report, set, &columns).await?;
    }
    for (set, needed) in
        [("incidents", Severity::Error), ("phonecalls", Severity::Error), ("annotations", Severity::Error)]
    {
        writable(crm, &mut report, set, needed).await?;
    }
    for set in ["incidents", "phonecalls", "annotations"] {
        deletable(crm, &mut report, set).await?;
    }
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

/// An id that no row has: ours are made from keys of interactions.
fn nobody() -> String {
    map::id_of("check", "nobody").hyphenated().to_string()
}

async fn writable(crm: &Dynamics, report: &mut Report, set: &str, bad: Severity) -> Outcome<()> {
    let column = if set == "incidents" { "title" } else { "subject" };
    let mut fields = Fields::new();
    fields.insert(column.into(), Value::from("Tieline"));
    let what = format!("writing {set}");
    match crm.client.update(set, &nobody(), None, fields).await {
        Ok(Updated::Missing | Updated::Done | Updated::Changed) => {
            report.good(what, "is not refused");
            Ok(())
        }
        Err(failure) => refused(report, what, bad, failure, "rows cannot be changed"),
    }
}

async fn deletable(crm: &Dynamics, report: &mut Report, set: &str) -> Outcome<()> {
    let what = format!("erasing {set}");
    match crm.client.delete(set, &nobody()).await {
        Ok(()) => {
            report.good(what, "is not refused");
            Ok(())
        }
        Err(failure) => {
            refused(report, what, Severity::Warning, failure, "erasing a customer's data will be refused")
        }
    }
}

fn refused(report: &mut Report, what: String, severity: Severity, failure: Failure, so: &str) -> Outcome<()> {
    match (privilege_of(&failure), failure) {
        (Some(privilege), _) => {
            report.add(
                severity,
                what,
                format!("the application user lacks {privilege}, so {so}: add it to its security role"),
            );
            Ok(())
        }
        (None, Failure::Reject { reason, .. }) => {
            report.add(severity, what, format!("{so}: {reason}"));
            Ok(())
        }
        (None, other) => Err(other),
    }
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
        Err(failure) => return refused(report, what.into(), Severity::Error, failure, "it cannot be read"),
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
