//! The account as the conformance kit and the admin surface see it.

use super::account::{Comment, Mail, Role, Ticket, User, now};
use super::world::World;
use super::{OWNER, Sandbox};
use crate::admin::{Admin, Listed, Requests};
use crate::faults::{Any, Faults};
use async_trait::async_trait;
use serde_json::{Map, Value, json};
use tieline_connector_api::sandbox::{Exchange, Fault, LogRecord, Sandbox as Kit};

impl Sandbox {
    /// E-mails that triggers would have sent so far: none, as long as every comment is private.
    #[must_use]
    pub fn mails(&self) -> Vec<Mail> {
        self.0.world().account.mails.clone()
    }

    /// Search lag in milliseconds and all the other switches, changed in place.
    pub fn switch(&self, change: impl FnOnce(&mut super::Switches)) {
        let mut world = self.0.world();
        change(&mut world.switches);
        world.apply_switches();
    }
}

impl World {
    /// Passes on what records need of the switches.
    pub(super) fn apply_switches(&mut self) {
        self.account.lag = super::account::millis(self.switches.search_lag_ms);
    }

    /// A ticket as a log's record. Beside the ticket's own JSON: each custom field as `custom_field_<id>`, and
    ///
    /// - `contact`: the requester's id as text; empty when that is nobody but the API's own user or an agent,
    /// - `account`: the body of the latest comment of the API's user that belongs to the ticket's own log (see
    ///   [`belongs`]), or the first comment's,
    /// - `comments`: all comments' bodies, one after another.
    fn log_record(&self, ticket: &Ticket, owner: u64) -> Option<LogRecord> {
        let all = self.account.comments.get(&ticket.id).map(Vec::as_slice).unwrap_or_default();
        let ours: Vec<&Comment> =
            all.iter().filter(|c| c.author_id == owner || !c.client.is_empty()).collect();
        let key = ticket.external_id.clone().unwrap_or_default();
        if ours.is_empty() {
            return None;
        }
        let mut attachments: Vec<(String, String)> = Vec::new();
        for comment in &ours {
            if !comment.public && !comment.body.is_empty() {
                attachments.push(("comment".to_owned(), comment.body.clone()));
            }
            let files = comment.attachments.iter().filter(|f| !f.redacted);
            attachments
                .extend(files.map(|f| (f.name.clone(), String::from_utf8_lossy(&f.content).into_owned())));
        }
        let mut fields = self.urls.ticket(&self.account, ticket);
        for (id, value) in &ticket.custom_fields {
            fields[format!("custom_field_{id}")] = value.clone();
        }
        let requester = self.account.user(ticket.requester_id).filter(|u| u.role == Role::EndUser);
        fields["contact"] = json!(requester.map(|u| u.id.to_string()).unwrap_or_default());
        let own = ours.iter().rev().find(|c| belongs(c, &key)).or(ours.first());
        fields["account"] = json!(own.map(|c| c.body.clone()).unwrap_or_default());
        fields["comments"] = json!(all.iter().map(|c| c.body.as_str()).collect::<Vec<_>>().join("\n\n"));
        Some(LogRecord { id: ticket.id.to_string(), key, fields, attachments })
    }

    fn edit_ticket(&mut self, mut ticket: Ticket, field: &str, value: &Value) {
        let text = value.as_str().map(str::to_owned);
        match field {
            "subject" => ticket.subject = text.unwrap_or_default(),
            "status" => ticket.status = text.unwrap_or_default(),
            "priority" => ticket.priority = text,
            "type" => ticket.kind = text,
            "external_id" => ticket.external_id = text,
            "tags" => ticket.tags = super::tickets::tag_list(value),
            "requester_id" | "contact" => {
                ticket.requester_id = super::world::number(value).unwrap_or(ticket.requester_id)
            }
            "assignee_id" => ticket.assignee_id = super::world::number(value),
            "organization_id" => ticket.organization_id = super::world::number(value),
            field => {
                let id = field.strip_prefix("custom_field_").and_then(|id| id.parse().ok());
                if let Some(id) = id {
                    ticket.custom_fields.insert(id, value.clone());
                }
            }
        }
        ticket.updated_at = now();
        self.account.put_ticket(ticket);
    }
}

/// Whether a comment belongs to a log: its audit's `metadata.custom` names the key, or its text does.
fn belongs(comment: &Comment, key: &str) -> bool {
    let named = comment.custom.values().any(|v| v.as_str().is_some_and(|v| v.contains(key)));
    !key.is_empty() && (named || comment.body.contains(key))
}

#[async_trait]
impl Kit for Sandbox {
    async fn inject(&self, fault: Fault, times: u32) {
        self.0.faults.inject(Any::Common(fault), times);
    }

    async fn clear_faults(&self) {
        self.0.faults.clear();
    }

    /// Tickets that an API client made or wrote a comment on. See [`World::log_record`] for the fields.
    async fn log_records(&self) -> Vec<LogRecord> {
        let world = self.0.world();
        let owner = world.account.by_email(OWNER).unwrap_or_default();
        let live = world.account.tickets.values().filter(|t| !t.deleted);
        live.filter_map(|t| world.log_record(t, owner)).collect()
    }

    async fn edit(&self, id: &str, field: &str, value: Value) {
        let mut world = self.0.world();
        let Ok(id) = id.parse::<u64>() else { return };
        if let Some(ticket) = world.account.ticket(id).cloned() {
            world.edit_ticket(ticket, field, &value);
        } else if world.account.user(id).is_some() {
            let given: Map<String, Value> = [(field.to_owned(), value)].into_iter().collect();
            // What a person could not type stays undone.
            let _ = world.change_user(id, &given);
        }
    }

    async fn add_contact(&self, name: &str, email: Option<&str>, phone: Option<&str>) -> String {
        let given = json!({"name": name, "email": email, "phone": phone});
        let mut world = self.0.world();
        let made = world.make_user(given.as_object().unwrap_or(&Map::new()));
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
        let world = self.0.world();
        let account = &world.account;
        let listed = |u: &User| {
            let open = account.tickets.values().filter(|t| {
                !t.deleted && t.requester_id == u.id && !["solved", "closed"].contains(&t.status.as_str())
            });
            let numbers =
                account.identities.values().filter(|i| i.user_id == u.id && i.kind == "phone_number");
            let mut phones: Vec<String> = u.phone.iter().cloned().collect();
            phones.extend(numbers.map(|i| i.value.clone()).filter(|v| Some(v) != u.phone.as_ref()));
            Listed {
                id: u.id.to_string(),
                name: u.name.clone(),
                company: u
                    .organization_id
                    .and_then(|o| account.organizations.get(&o))
                    .map(|o| o.name.clone()),
                email: u.email.clone(),
                phones,
                open_cases: open.map(|t| t.id.to_string()).collect(),
            }
        };
        account.users.values().filter(|u| u.active && u.role == Role::EndUser).map(listed).collect()
    }

    async fn record(&self, id: &str) -> Option<Value> {
        let world = self.0.world();
        let id: u64 = id.parse().ok()?;
        if let Some(ticket) = world.account.ticket(id) {
            let mut body = world.urls.ticket(&world.account, ticket);
            let comments = world.account.comments.get(&id).map(Vec::as_slice).unwrap_or_default();
            body["comments"] = comments.iter().map(|c| world.urls.comment(c)).collect();
            body["audits"] = json!(world.account.audits.get(&id));
            return Some(body);
        }
        world.account.user(id).map(|u| world.urls.user(u))
    }

    async fn kill_tokens(&self) -> usize {
        self.0.desk().expire_all()
    }

    async fn switches(&self) -> Value {
        serde_json::to_value(&self.0.world().switches).unwrap_or_default()
    }

    async fn set_switches(&self, changes: Map<String, Value>) -> Result<(), String> {
        let mut world = self.0.world();
        let mut all = serde_json::to_value(&world.switches).map_err(|e| e.to_string())?;
        for (name, value) in changes {
            all[name] = value;
        }
        world.switches = serde_json::from_value(all).map_err(|e| e.to_string())?;
        world.apply_switches();
        Ok(())
    }

    async fn panel(&self) -> Option<String> {
        self.0.panel.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    async fn set_panel(&self, url: Option<String>) {
        *self.0.panel.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = url;
    }

    async fn merge(&self, winner: &str, loser: &str) -> Result<(), String> {
        let (Ok(winner), Ok(loser)) = (winner.parse(), loser.parse()) else {
            return Err("not two ids".to_owned());
        };
        let done = self.0.world().merge_users(winner, loser);
        done.map_err(|_| "only two different end users can be merged".to_owned())
    }

    fn ca_pem(&self) -> Option<String> {
        self.0.ca_pem.clone()
    }

    fn addresses(&self) -> Value {
        self.0.addresses.clone()
    }
}
