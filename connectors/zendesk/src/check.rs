//! Looks at credentials, scopes, the user behind them, fields, licences, clock and limits, and says each in one
//! sentence with its way out.

use crate::connector::Zendesk;
use crate::map;
use crate::settings::{CallRecord, Display};
use serde_json::Value;
use tieline_connector_api::{Failure, Finding, Outcome, Severity};

/// A clock off by more than this many seconds is worth a word.
const SKEW_WARN: i64 = 60;
/// Requests a minute under which a busy centre meets the account's limit.
const PER_MINUTE_WARN: u64 = 200;

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

pub(crate) async fn check(crm: &Zendesk) -> Outcome<Vec<Finding>> {
    let mut report = Report::default();
    let me = match crm.client.me().await {
        Ok(me) => me,
        Err(Failure::Reauthorise { reason }) => {
            report.error("login", reason);
            return Ok(report.0);
        }
        Err(failure @ (Failure::Retry { .. } | Failure::Throttled { .. } | Failure::Reject { .. })) => {
            return Err(failure);
        }
    };
    if !user(&mut report, me.as_ref()) {
        return Ok(report.0);
    }
    scopes(&mut report, crm).await?;
    fields(&mut report, crm).await?;
    talk_partner(&mut report, crm).await?;
    clock(&mut report, crm.client.skew_secs());
    limits(&mut report, crm);
    Ok(report.0)
}

/// The answer is 200 even for nobody (sheet 1.2), so the user itself is looked at.
fn user(report: &mut Report, me: Option<&Value>) -> bool {
    let Some(me) = me.filter(|me| map::id_of(me, "id").is_some()) else {
        report.error(
            "login",
            "Zendesk takes us for an anonymous visitor: the credentials are not looked at; check `base_url` and `client_id`",
        );
        return false;
    };
    let role = map::member(me, "role").unwrap_or("unknown");
    match role {
        "admin" => report.good("login", "logged in as an administrator"),
        "agent" => {
            report.good("login", "logged in as an agent");
            let restricted = map::member(me, "ticket_restriction").is_some();
            if restricted {
                report.warning(
                    "rights",
                    "this agent sees some tickets only: logs under other tickets and look-ups by ticket number will fail; give it all tickets",
                );
            }
        }
        _ => {
            report.error(
                "login",
                "the user behind the token is an end user: make the OAuth client as an administrator or agent",
            );
            return false;
        }
    }
    if me.get("only_private_comments").and_then(Value::as_bool) == Some(true) {
        report.good("comments", "this user can write private comments only, which is all that is needed");
    }
    if me.get("suspended").and_then(Value::as_bool) == Some(true) {
        report.error("login", "the user behind the token is suspended: unsuspend it");
    }
    true
}

async fn scopes(report: &mut Report, crm: &Zendesk) -> Outcome<()> {
    if crm.client.auth.is_legacy() {
        report.warning(
            "api_token",
            "API tokens end on 30 April 2027, and one that rests for 30 days is deactivated before: set `client_id` and `client_secret` of a confidential OAuth client",
        );
        return Ok(());
    }
    let token = crm.client.token().await?;
    let Some(scopes) = token.as_ref().and_then(|token| token.get("scopes")?.as_array()) else {
        return Ok(());
    };
    let has = |scope: &str| scopes.iter().any(|s| s.as_str() == Some(scope));
    let missing: Vec<&str> = ["read", "write"].into_iter().filter(|scope| !has(scope)).collect();
    if missing.is_empty() {
        report.good("scope", "the token may read and write");
    } else if has("tickets:write") && has("users:write") && (has("read") || has("tickets:read")) {
        let says = "the token may read and write tickets and users; pops and calls need `read write`";
        report.add(if uses_voice(crm) { Severity::Error } else { Severity::Good }, "scope", says);
    } else {
        let says = format!("the token may not {}: set `scope` to \"read write\"", missing.join(" and "));
        report.error("scope", says);
    }
    Ok(())
}

fn uses_voice(crm: &Zendesk) -> bool {
    crm.settings.display != Display::Off || crm.settings.calls.record == CallRecord::TalkPartner
}

async fn fields(report: &mut Report, crm: &Zendesk) -> Outcome<()> {
    let mapped = &crm.settings.ticket.custom_fields;
    if mapped.is_empty() {
        return Ok(());
    }
    let fields = crm.client.ticket_fields().await?;
    for id in mapped.keys() {
        let what = format!("ticket.custom_fields.{id}");
        match fields.iter().find(|field| map::id_of(field, "id") == map::id(id)) {
            None => report.error(
                what,
                "the account has no ticket field with this id: its values are dropped without a word",
            ),
            Some(field) if field.get("active").and_then(Value::as_bool) == Some(false) => {
                report.warning(what, "the field is deactivated: activate it, or agents do not see it");
            }
            Some(_) => report.good(what, "is there"),
        }
    }
    Ok(())
}

async fn talk_partner(report: &mut Report, crm: &Zendesk) -> Outcome<()> {
    let pops = crm.settings.display == Display::TalkPartner;
    let calls = crm.settings.calls.record == CallRecord::TalkPartner;
    if !pops && !calls {
        return Ok(());
    }
    match crm.client.has_talk_partner().await? {
        Some(true) => report.good("Talk Partner Edition", "answers"),
        None => report.good(
            "Talk Partner Edition",
            "answers to a pop for nobody with \"not found\", as it does where it is licensed; try one pop",
        ),
        Some(false) => report.error(
            "Talk Partner Edition",
            "the account is not licensed for it, or the user may not use it: set `display` to \"notify\" or \"off\", and `calls.record` to \"ticket\"",
        ),
    }
    Ok(())
}

fn clock(report: &mut Report, ahead: i64) {
    let says = if ahead >= 0 {
        format!("{ahead} s behind Zendesk's")
    } else {
        format!("{} s ahead of Zendesk's", -ahead)
    };
    if ahead.abs() > SKEW_WARN {
        report.warning("clock", format!("this machine's clock is {says}: synchronise it"));
    } else {
        report.good("clock", format!("this machine's clock is {says}"));
    }
}

fn limits(report: &mut Report, crm: &Zendesk) {
    let Some(usage) = crm.usage() else { return };
    let says = format!(
        "the plan allows {} requests a minute to everybody in the account, {} are left",
        usage.max, usage.left
    );
    if usage.max < PER_MINUTE_WARN {
        report.warning(
            "request limit",
            format!("{says}; a busy centre needs a larger plan or the High Volume add-on"),
        );
    } else {
        report.good("request limit", says);
    }
}
