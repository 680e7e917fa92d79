//! Looks at credentials, version, fields, rights, clock and limits, and says each in one sentence with its way out.

use crate::call;
use crate::connector::Salesforce;
use crate::map;
use serde_json::Value;
use tieline_connector_api::{Failure, Finding, Outcome, Severity};

/// A clock off by more than this many seconds is worth a word; past [`SKEW_BAD`] logins will fail.
const SKEW_WARN: i64 = 60;
const SKEW_BAD: i64 = 150;
/// Share of the daily requests, in per cent, from which on it is worth a word (sheet 2.7).
const USAGE_WARN: u64 = 80;
/// Characters of our key.
const KEY_CHARS: u64 = 36;

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

pub(crate) async fn check(crm: &Salesforce) -> Outcome<Vec<Finding>> {
    let mut report = Report::default();
    let versions = match crm.client.versions().await {
        Ok(versions) => versions,
        Err(Failure::Reauthorise { reason }) => {
            report.error("login", reason);
            return Ok(report.0);
        }
        Err(failure @ (Failure::Retry { .. } | Failure::Throttled { .. } | Failure::Reject { .. })) => {
            return Err(failure);
        }
    };
    report.good("login", format!("logged in as {}", crm.settings.username));
    let version = &crm.settings.api_version;
    if versions.iter().any(|v| v == version) {
        report.good("api_version", format!("{version} is spoken by the org"));
    } else {
        let newest = versions.last().map_or("none", String::as_str);
        report.error("api_version", format!("the org does not speak {version}; its newest is {newest}"));
        return Ok(report.0);
    }
    let case = described(crm, &mut report, "Case", true).await?;
    if let Some(case) = &case {
        key_field(&mut report, "Case", case, &crm.settings.key_field, Severity::Error);
        case_fields(&mut report, case, crm);
    }
    let contact = described(crm, &mut report, "Contact", false).await?;
    if let Some(contact) = &contact {
        key_field(&mut report, "Contact", contact, &crm.settings.contact_key_field, Severity::Warning);
        contact_fields(&mut report, contact, crm);
    }
    described(crm, &mut report, "ContentVersion", true).await?;
    let task = described(crm, &mut report, "Task", false).await?;
    if let Some(task) = &task {
        key_field(&mut report, "Task", task, &crm.settings.call_key_field, Severity::Warning);
        task_fields(&mut report, task, crm);
    }
    let deletable = |d: &Value| d.get("deletable").and_then(Value::as_bool) != Some(false);
    if case.as_ref().is_some_and(|case| !deletable(case)) {
        report.warning(
            "erasing",
            "the integration user may not delete cases: erasing a customer's data will be refused",
        );
    }
    clock(&mut report, crm.client.skew_secs());
    limits(&mut report, crm);
    Ok(report.0)
}

async fn described(
    crm: &Salesforce,
    report: &mut Report,
    object: &str,
    must_create: bool,
) -> Outcome<Option<Value>> {
    let described = crm.client.describe(object).await?;
    let right = |name: &str| described.as_ref().and_then(|d| d.get(name)?.as_bool()).unwrap_or(false);
    if described.is_none() {
        let severity = if object == "Task" { Severity::Warning } else { Severity::Error };
        let says = "the integration user may not see this object: add it to the permission set";
        report.add(severity, object, says);
    } else if !right("createable") || (matches!(object, "Case" | "Task") && !right("updateable")) {
        let severity = if must_create { Severity::Error } else { Severity::Warning };
        let says = "the integration user may not create and edit it: add the rights to the permission set";
        report.add(severity, object, says);
    } else {
        report.good(object, "may be read and written");
    }
    Ok(described)
}

fn field<'d>(described: &'d Value, name: &str) -> Option<&'d Value> {
    let fields = described.get("fields")?.as_array()?;
    fields
        .iter()
        .find(|f| f.get("name").and_then(Value::as_str).is_some_and(|n| n.eq_ignore_ascii_case(name)))
}

fn is(field: &Value, what: &str) -> bool {
    field.get(what).and_then(Value::as_bool).unwrap_or(false)
}

/// One record per interaction rests on this field being an external id and unique (sheet 3.2).
fn key_field(report: &mut Report, object: &str, described: &Value, name: &str, bad: Severity) {
    let what = format!("field {object}.{name}");
    let Some(field) = field(described, name) else {
        let says = "is missing or hidden: make it Text(36), External ID, Unique (case-insensitive), and give the permission set read and edit";
        return report.add(bad, what, says);
    };
    let length = field.get("length").and_then(Value::as_u64).unwrap_or(0);
    let missing = [("externalId", "External ID"), ("unique", "Unique")]
        .into_iter()
        .filter(|(flag, _)| !is(field, flag));
    let missing: Vec<&str> = missing.map(|(_, name)| name).collect();
    if !missing.is_empty() {
        report.add(
            bad,
            what,
            format!("is not {}: without it one record per interaction cannot be kept", missing.join(" and ")),
        );
    } else if length < KEY_CHARS {
        report.add(bad, what, format!("holds {length} characters and must hold {KEY_CHARS}"));
    } else if !is(field, "createable") {
        report.add(bad, what, "may not be written: give the permission set edit access to the field");
    } else {
        report.good(what, "is an external id and unique");
    }
}

fn case_fields(report: &mut Report, case: &Value, crm: &Salesforce) {
    let settings = &crm.settings;
    let fixed = ["Subject", "Description", "ContactId"].map(|name| (name, true));
    let first = ["Origin", "SuppliedName", "SuppliedEmail", "SuppliedPhone"].map(|name| (name, false));
    let optional = [
        ("Status", settings.case.status.is_some()),
        ("Priority", settings.case.priority.is_some()),
        ("RecordTypeId", settings.case.record_type_id.is_some()),
    ];
    let optional = optional.into_iter().filter(|(_, used)| *used).map(|(name, _)| (name, false));
    let mapped = settings.case.fields.keys().map(|name| (name.as_str(), true));
    for (name, updated) in fixed.into_iter().chain(first).chain(optional).chain(mapped) {
        let what = format!("field Case.{name}");
        match field(case, name) {
            None => report.error(what, "does not exist or is hidden from the integration user"),
            Some(f) if !is(f, "createable") || (updated && !is(f, "updateable")) => {
                report.error(what, "may not be written: give the permission set edit access to the field");
            }
            Some(_) => report.good(what, "may be written"),
        }
    }
    let picks = [
        ("Origin", Some(&settings.case.origin_chat)),
        ("Status", settings.case.status.as_ref()),
        ("Priority", settings.case.priority.as_ref()),
    ];
    for (name, value) in picks.into_iter().filter_map(|(name, value)| Some((name, value?))) {
        pick(report, "Case", case, name, value);
    }
    let long = field(case, "Description").and_then(|f| f.get("length")?.as_u64()).unwrap_or(0);
    if long < map::DESCRIPTION_UNITS as u64 {
        report.warning(
            "field Case.Description",
            format!("holds {long} characters; longer descriptions are refused"),
        );
    }
}

/// What calls need. A warning at most, because an org may take chats only.
fn task_fields(report: &mut Report, task: &Value, crm: &Salesforce) {
    let call = &crm.settings.call;
    let kind = (!call.r#type.is_empty()).then_some(("Type", false));
    let mapped = call.fields.keys().map(|name| (name.as_str(), true));
    for (name, updated) in call::FIELDS.into_iter().chain(kind).chain(mapped) {
        let what = format!("field Task.{name}");
        match field(task, name) {
            None if name == "Type" => report
                .warning(what, "does not exist or is hidden: calls will be refused; set `call.type` to \"\""),
            None => report.warning(what, "does not exist or is hidden: calls will be refused"),
            Some(f) if !is(f, "createable") || (updated && !is(f, "updateable")) => {
                report.warning(
                    what,
                    "may not be written, so calls will be refused: give the permission set edit access",
                );
            }
            Some(_) => report.good(what, "may be written"),
        }
    }
    pick(report, "Task", task, "Status", &call.status);
    if !call.r#type.is_empty() {
        pick(report, "Task", task, "Type", &call.r#type);
    }
}

fn pick(report: &mut Report, object: &str, described: &Value, name: &str, value: &str) {
    let Some(field) = field(described, name) else { return };
    let values = field.get("picklistValues").and_then(Value::as_array);
    let known = values.into_iter().flatten().any(|v| v.get("value").and_then(Value::as_str) == Some(value));
    let what = format!("value \"{value}\" of {object}.{name}");
    if known {
        report.good(what, "is in the picklist");
    } else if is(field, "restrictedPicklist") {
        report.error(what, "is not in the restricted picklist: add it there or change the setting");
    } else {
        report.warning(what, "is not in the picklist; Salesforce takes it, but list views may miss it");
    }
}

fn contact_fields(report: &mut Report, contact: &Value, crm: &Salesforce) {
    let names = crm.settings.phone_fields.iter().map(String::as_str).chain(["Name", "Email"]);
    for name in names {
        if field(contact, name).is_none() {
            let what = format!("field Contact.{name}");
            report.error(what, "does not exist or is hidden: look-ups that name it fail");
        }
    }
}

fn clock(report: &mut Report, ahead: i64) {
    let says = if ahead >= 0 {
        format!("{ahead} s behind Salesforce's")
    } else {
        format!("{} s ahead of Salesforce's", -ahead)
    };
    match ahead.abs() {
        secs if secs > SKEW_BAD => {
            report.error("clock", format!("this machine's clock is {says}: logins fail; synchronise it"))
        }
        secs if secs > SKEW_WARN => {
            report.warning("clock", format!("this machine's clock is {says}: synchronise it"))
        }
        _ => report.good("clock", format!("this machine's clock is {says}")),
    }
}

fn limits(report: &mut Report, crm: &Salesforce) {
    let Some(usage) = crm.usage() else { return };
    let says =
        format!("{} of {} requests of the last 24 hours are used by the whole org", usage.used, usage.max);
    if usage.used.saturating_mul(100) >= usage.max.saturating_mul(USAGE_WARN) {
        report.warning("request limit", says);
    } else {
        report.good("request limit", says);
    }
}
