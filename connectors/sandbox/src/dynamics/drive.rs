//! The environment as the conformance kit and the admin surface see it.

use super::Sandbox;
use super::cell::Cell;
use super::odata::{self, Annotations};
use super::org::{Org, Row, now};
use super::rules::{self, Caller, Via};
use crate::admin::{Admin, Listed, Requests};
use crate::faults::{Any, Faults};
use async_trait::async_trait;
use base64::Engine as _;
use serde_json::{Map, Value, json};
use tieline_connector_api::sandbox::{Exchange, Fault, LogRecord, Sandbox as Kit};
use uuid::Uuid;

/// The key that a log left in a text: the GUID behind the word Tieline, in any case.
pub(crate) fn key_in(text: &str) -> Option<String> {
    let lower = text.to_lowercase();
    lower.match_indices("tieline").find_map(|(at, word)| {
        let rest = lower[at + word.len()..].trim_start_matches(|c: char| !c.is_alphanumeric());
        Uuid::try_parse(rest.get(..36)?).ok().map(|id| id.to_string())
    })
}

/// A note's text as a person reads it: the timeline shows HTML (sheet 2.7).
pub(crate) fn readable(html: &str) -> String {
    let mut out = String::new();
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        out.push_str(&rest[..at]);
        let tag = rest[at..].find('>').map(|end| &rest[at + 1..at + end]);
        let Some(tag) = tag else {
            out.push_str(&rest[at..]);
            rest = "";
            break;
        };
        let (closing, name) = tag.strip_prefix('/').map_or((false, tag), |name| (true, name));
        let name = name.split([' ', '/']).next().unwrap_or_default().to_lowercase();
        if name == "br" || closing && matches!(name.as_str(), "p" | "div" | "li" | "tr") {
            out.push('\n');
        }
        rest = &rest[at + tag.len() + 2..];
    }
    out.push_str(rest);
    let entities =
        [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&nbsp;", " "), ("&amp;", "&")];
    entities.iter().fold(out, |text, (entity, plain)| text.replace(entity, plain))
}

fn json_of(org: &Org, table: &str, row: &Row) -> Value {
    let table = org.table(table);
    let all = odata::Options::default();
    let shown = odata::show(org, &table, row, &all, &Annotations::default());
    shown.map(Value::Object).unwrap_or_default()
}

/// Notes of a row: name and text, the file's and the note's own.
fn notes(org: &Org, id: Uuid) -> Vec<(String, String)> {
    let mut out = Vec::new();
    for note in org.rows("annotation").filter(|n| n.points_at("objectid") == Some(id)) {
        let subject = note.text("subject").unwrap_or_default();
        if let Some(body) = note.text("documentbody") {
            let bytes = base64::engine::general_purpose::STANDARD.decode(body).unwrap_or_default();
            let name = note.text("filename").unwrap_or(subject);
            out.push((name.to_owned(), String::from_utf8_lossy(&bytes).into_owned()));
        }
        if let Some(text) = note.text("notetext") {
            out.push((subject.to_owned(), readable(text)));
        }
    }
    out
}

/// Phone calls about a case, as its attachments.
fn calls(org: &Org, case: Uuid) -> Vec<(String, String)> {
    let about = org.rows("phonecall").filter(|c| c.points_at("regardingobjectid") == Some(case));
    about
        .map(|call| {
            let name = format!("phonecall: {}", call.text("subject").unwrap_or_default());
            (name, call.text("description").unwrap_or_default().to_owned())
        })
        .collect()
}

fn is_ours(org: &Org, row: &Row) -> bool {
    let by = row.points_at("createdonbehalfby").or_else(|| row.points_at("createdby"));
    let user = by.and_then(|id| org.row("systemuser", id));
    user.is_some_and(|u| u.cells.contains_key("applicationid"))
}

#[async_trait]
impl Kit for Sandbox {
    async fn inject(&self, fault: Fault, times: u32) {
        self.0.faults.inject(Any::Common(fault), times);
    }

    async fn clear_faults(&self) {
        self.0.faults.clear();
    }

    async fn log_records(&self) -> Vec<LogRecord> {
        let org = self.0.org();
        let mut out: Vec<LogRecord> = Vec::new();
        for case in org.rows("incident") {
            let key = case.text("description").and_then(key_in);
            let ours = is_ours(&org, case);
            let noted =
                org.rows("annotation").any(|n| n.points_at("objectid") == Some(case.id) && is_ours(&org, n));
            if key.is_none() && !ours && !noted {
                continue;
            }
            let mut attachments = notes(&org, case.id);
            attachments.extend(calls(&org, case.id));
            let fields = json_of(&org, "incident", case);
            out.push(LogRecord {
                id: case.id.to_string(),
                key: key.unwrap_or_default(),
                fields,
                attachments,
            });
        }
        for call in org.rows("phonecall") {
            let Some(key) = call.text("description").and_then(key_in) else { continue };
            // The call of a case is one of the case's attachments, not a second record of the same log.
            let about = call.points_at("regardingobjectid").map(|id| id.to_string()).unwrap_or_default();
            if out.iter().any(|r| r.id == about && r.key == key) {
                continue;
            }
            let mut fields = json_of(&org, "phonecall", call);
            let parties = org.rows("activityparty").filter(|p| p.points_at("activityid") == Some(call.id));
            fields["phonecall_activity_parties"] =
                parties.map(|p| json_of(&org, "activityparty", p)).collect();
            out.push(LogRecord { id: call.id.to_string(), key, fields, attachments: notes(&org, call.id) });
        }
        out
    }

    async fn edit(&self, id: &str, field: &str, value: Value) {
        let mut org = self.0.org();
        let Ok(id) = Uuid::try_parse(id) else { return };
        let Some((table, row)) = org.find(id).map(|(t, r)| (t.clone(), r.clone())) else { return };
        let body: Map<String, Value> = [(field.to_owned(), value.clone())].into_iter().collect();
        let who = Caller::person(self.0.agent);
        let savepoint = org.savepoint();
        if rules::update(&mut org, &table, id, &body, &who).is_ok() {
            org.commit(savepoint);
            return;
        }
        org.rollback(savepoint);
        // A test may want what a person could not type.
        let Some(column) = table.property(field) else { return };
        let cell = match &value {
            Value::Null => None,
            Value::String(text) => Some(Cell::Text(text.clone())),
            Value::Bool(b) => Some(Cell::Bool(*b)),
            Value::Number(n) => n.as_i64().map(Cell::Int),
            Value::Array(_) | Value::Object(_) => return,
        };
        let mut row = row;
        row.set(&column.name, cell);
        row.set("modifiedon", Some(Cell::Time(now())));
        org.put(&table.name, row);
    }

    async fn add_contact(&self, name: &str, email: Option<&str>, phone: Option<&str>) -> String {
        let (first, last) = name.rsplit_once(' ').unwrap_or(("", name));
        let mut fields = Map::new();
        fields.insert("lastname".into(), json!(last));
        if !first.is_empty() {
            fields.insert("firstname".into(), json!(first));
        }
        fields.extend(email.map(|e| ("emailaddress1".to_owned(), json!(e))));
        fields.extend(phone.map(|p| ("telephone1".to_owned(), json!(p))));
        let mut org = self.0.org();
        let table = org.table("contact");
        let who = Caller::person(self.0.agent);
        let made = rules::create(&mut org, &table, None, &fields, &who, Via::Post);
        made.map(|id| id.to_string()).unwrap_or_default()
    }

    async fn requests(&self) -> u64 {
        self.0.requests.count()
    }

    async fn exchanges(&self, since: u64) -> Vec<Exchange> {
        self.0.requests.after(since)
    }
}

#[async_trait]
impl Admin for Sandbox {
    fn faults(&self) -> &Faults {
        &self.0.faults
    }

    fn served(&self) -> &Requests {
        &self.0.requests
    }

    async fn contacts(&self) -> Vec<Listed> {
        let org = self.0.org();
        let text = |row: &Row, name: &str| row.text(name).map(str::to_owned);
        let listed = |row: &Row| {
            let company = row.points_at("parentcustomerid").and_then(|id| org.row("account", id));
            let open = org
                .rows("incident")
                .filter(|c| c.points_at("customerid") == Some(row.id) && c.int("statecode") == Some(0));
            Listed {
                id: row.id.to_string(),
                name: text(row, "fullname").unwrap_or_default(),
                company: company.and_then(|c| text(c, "name")),
                email: text(row, "emailaddress1"),
                phones: ["telephone1", "mobilephone", "telephone2"]
                    .iter()
                    .filter_map(|n| text(row, n))
                    .collect(),
                open_cases: open.filter_map(|c| text(c, "ticketnumber")).collect(),
            }
        };
        org.rows("contact").filter(|r| r.int("statecode") == Some(0)).map(listed).collect()
    }

    async fn record(&self, id: &str) -> Option<Value> {
        let org = self.0.org();
        let (table, row) = org.find(Uuid::try_parse(id).ok()?)?;
        Some(json_of(&org, &table.name, row))
    }

    async fn kill_tokens(&self) -> usize {
        self.0.desk().end_all()
    }

    async fn switches(&self) -> Value {
        serde_json::to_value(&self.0.org().switches).unwrap_or_default()
    }

    async fn set_switches(&self, changes: Map<String, Value>) -> Result<(), String> {
        let mut org = self.0.org();
        let mut all = serde_json::to_value(&org.switches).map_err(|e| e.to_string())?;
        for (name, value) in changes {
            all[name] = value;
        }
        org.switches = serde_json::from_value(all).map_err(|e| e.to_string())?;
        Ok(())
    }

    async fn panel(&self) -> Option<String> {
        self.0.panel.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    async fn set_panel(&self, url: Option<String>) {
        *self.0.panel.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = url;
    }

    async fn merge(&self, winner: &str, loser: &str) -> Result<(), String> {
        let (Ok(winner), Ok(loser)) = (Uuid::try_parse(winner), Uuid::try_parse(loser)) else {
            return Err("not two ids".to_owned());
        };
        let mut org = self.0.org();
        let table = org.find(winner).map(|(t, _)| t.clone()).ok_or("no such record")?;
        rules::merge(&mut org, &table, winner, loser).map_err(|e| e.message)
    }

    fn ca_pem(&self) -> Option<String> {
        self.0.ca_pem.clone()
    }

    fn addresses(&self) -> Value {
        self.0.addresses.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_the_guid_behind_the_word() {
        let key = "0190b7a2-0001-7000-8000-0000000000aa";
        assert_eq!(key_in(&format!("Summary\n\nTIELINE {}", key.to_uppercase())).as_deref(), Some(key));
        assert_eq!(key_in(&format!("Tieline: {key} and more")).as_deref(), Some(key));
        assert_eq!(key_in(&format!("made by Tieline; {key}")).as_deref(), Some(key));
        assert_eq!(key_in(&format!("by Tieline in Graz, {key}")), None);
        assert_eq!(key_in(key), None);
    }

    #[test]
    fn a_note_reads_as_the_timeline_shows_it() {
        assert_eq!(readable("<div><p>a &lt;b&gt;<br>c &amp;amp;</p><p>d</p></div>"), "a <b>\nc &amp;\nd\n\n");
        assert_eq!(readable("1 < 2"), "1 < 2");
    }
}
