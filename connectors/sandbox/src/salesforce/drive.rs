//! The org as the conformance kit and the admin surface see it.

use super::org::{Org, Row, Writer, now, stamp};
use super::{INTEGRATION_USER, Sandbox};
use crate::admin::{Admin, Listed, Requests};
use crate::faults::{Any, Faults};
use async_trait::async_trait;
use serde_json::{Map, Value, json};
use tieline_connector_api::sandbox::{Exchange, Fault, LogRecord, Sandbox as Kit};

fn text<'a>(row: &'a Row, field: &str) -> Option<&'a str> {
    row.fields.get(field).and_then(Value::as_str)
}

impl Sandbox {
    fn agent(&self) -> Writer {
        Writer { user: self.0.agent.clone(), auto_assign: false, allow_duplicates: true }
    }
}

/// Files, comments and tasks under a case that the integration user made.
fn attachments(org: &Org, case: &str, integration: &str) -> Vec<(String, String)> {
    let ours = |row: &&Row| text(row, "CreatedById") == Some(integration);
    let mut out = Vec::new();
    for link in
        org.live("ContentDocumentLink").filter(ours).filter(|r| text(r, "LinkedEntityId") == Some(case))
    {
        let version = text(link, "ContentDocumentId").and_then(|d| org.text(d, "LatestPublishedVersionId"));
        let Some(id) = version else { continue };
        let name = org.text(id, "PathOnClient").or_else(|| org.text(id, "Title")).unwrap_or_default();
        let content = org.blob(id).map(|b| String::from_utf8_lossy(b).into_owned()).unwrap_or_default();
        out.push((name.to_owned(), content));
    }
    for comment in org.live("CaseComment").filter(ours).filter(|r| text(r, "ParentId") == Some(case)) {
        out.push(("CaseComment".to_owned(), text(comment, "CommentBody").unwrap_or_default().to_owned()));
    }
    for task in org.live("Task").filter(ours).filter(|r| text(r, "WhatId") == Some(case)) {
        let name = format!("Task: {}", text(task, "Subject").unwrap_or_default());
        out.push((name, text(task, "Description").unwrap_or_default().to_owned()));
    }
    out
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
        let integration = self.0.desk().users.get(INTEGRATION_USER).map(|l| l.id.clone()).unwrap_or_default();
        let world = self.0.world();
        let mut out = Vec::new();
        for row in world.org.live("Case") {
            let id = text(row, "Id").unwrap_or_default();
            let key = text(row, "Tieline_Key__c").unwrap_or_default();
            let attachments = attachments(&world.org, id, &integration);
            if key.is_empty() && attachments.is_empty() {
                continue;
            }
            let fields = serde_json::to_value(&row.fields).unwrap_or_default();
            out.push(LogRecord { id: id.to_owned(), key: key.to_owned(), fields, attachments });
        }
        for row in world.org.live("Task") {
            let Some(key) = text(row, "Tieline_Key__c").filter(|key| !key.is_empty()) else { continue };
            let id = text(row, "Id").unwrap_or_default().to_owned();
            let fields = serde_json::to_value(&row.fields).unwrap_or_default();
            out.push(LogRecord { id, key: key.to_owned(), fields, attachments: Vec::new() });
        }
        out
    }

    async fn edit(&self, id: &str, field: &str, value: Value) {
        let who = self.agent();
        let mut world = self.0.world();
        let Some(id) = super::normalise(id) else { return };
        let Some(object) = world.org.schema.of_id(&id).cloned() else { return };
        let changes: Map<String, Value> = [(field.to_owned(), value.clone())].into_iter().collect();
        if world.org.update(&object, &id, &changes, &who).is_ok() {
            return;
        }
        // A test may want what a person could not type.
        if let Some(mut row) = world.org.row(&id).cloned() {
            row.fields.insert(field.to_owned(), value);
            row.fields.insert("LastModifiedDate".to_owned(), json!(stamp(now())));
            world.org.put(&object.name, &id, row);
        }
    }

    async fn add_contact(&self, name: &str, email: Option<&str>, phone: Option<&str>) -> String {
        let (first, last) = name.rsplit_once(' ').unwrap_or(("", name));
        let mut fields = Map::new();
        fields.insert("LastName".into(), json!(last));
        if !first.is_empty() {
            fields.insert("FirstName".into(), json!(first));
        }
        fields.extend(email.map(|e| ("Email".to_owned(), json!(e))));
        fields.extend(phone.map(|p| ("Phone".to_owned(), json!(p))));
        let who = self.agent();
        let mut world = self.0.world();
        let object = world.org.schema.path("Contact").expect("a standard object").clone();
        world.org.insert(&object, &fields, &who).unwrap_or_default()
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
        let world = self.0.world();
        let org = &world.org;
        let listed = |row: &Row| {
            let id = text(row, "Id").unwrap_or_default().to_owned();
            let phones = ["Phone", "MobilePhone", "HomePhone", "OtherPhone"];
            let open = org.live("Case").filter(|c| {
                text(c, "ContactId") == Some(&id) && c.fields.get("IsClosed") == Some(&json!(false))
            });
            Listed {
                name: text(row, "Name").unwrap_or_default().to_owned(),
                company: text(row, "AccountId").and_then(|a| org.text(a, "Name")).map(str::to_owned),
                email: text(row, "Email").map(str::to_owned),
                phones: phones.iter().filter_map(|p| text(row, p)).map(str::to_owned).collect(),
                open_cases: open.filter_map(|c| text(c, "CaseNumber")).map(str::to_owned).collect(),
                id,
            }
        };
        org.live("Contact").map(listed).collect()
    }

    async fn record(&self, id: &str) -> Option<Value> {
        let world = self.0.world();
        let row = world.org.row(&super::normalise(id)?)?;
        serde_json::to_value(&row.fields).ok()
    }

    async fn kill_tokens(&self) -> usize {
        self.0.desk().revoke_all()
    }

    async fn switches(&self) -> Value {
        serde_json::to_value(&self.0.world().org.switches).unwrap_or_default()
    }

    async fn set_switches(&self, changes: Map<String, Value>) -> Result<(), String> {
        let mut world = self.0.world();
        let mut all = serde_json::to_value(&world.org.switches).map_err(|e| e.to_string())?;
        for (name, value) in changes {
            all[name] = value;
        }
        world.org.switches = serde_json::from_value(all).map_err(|e| e.to_string())?;
        world.org.apply_switches();
        Ok(())
    }

    async fn panel(&self) -> Option<String> {
        self.0.panel.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    async fn set_panel(&self, url: Option<String>) {
        *self.0.panel.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = url;
    }

    async fn merge(&self, winner: &str, loser: &str) -> Result<(), String> {
        let (Some(winner), Some(loser)) = (super::normalise(winner), super::normalise(loser)) else {
            return Err("not two ids".to_owned());
        };
        let mut world = self.0.world();
        let org = &mut world.org;
        let object = org.schema.of_id(&winner).filter(|o| o.field("MasterRecordId").is_some()).cloned();
        let Some(object) = object.filter(|o| loser.starts_with(&o.prefix) && winner != loser) else {
            return Err("not two records of one kind that can be merged".to_owned());
        };
        let Some(mut row) = org.row(&loser).cloned().filter(|_| org.fields(&winner).is_some()) else {
            return Err("no such record".to_owned());
        };
        row.fields.insert("MasterRecordId".into(), json!(winner));
        row.fields.insert("IsDeleted".into(), json!(true));
        row.deleted = true;
        org.put(&object.name, &loser, row);
        let cases: Vec<Row> =
            org.all("Case").filter(|c| text(c, "ContactId") == Some(&loser)).cloned().collect();
        for mut case in cases {
            case.fields.insert("ContactId".into(), json!(winner));
            let id = text(&case, "Id").unwrap_or_default().to_owned();
            org.put("Case", &id, case);
        }
        Ok(())
    }

    fn ca_pem(&self) -> Option<String> {
        self.0.ca_pem.clone()
    }

    fn addresses(&self) -> Value {
        self.0.addresses.clone()
    }
}
