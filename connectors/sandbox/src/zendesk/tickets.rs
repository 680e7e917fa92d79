//! Tickets: making, changing, listing, deleting them (sheet 2.3). Comments and files are in `comments.rs`.

use super::account::{Ticket, now, stamp, system};
use super::answer::{Answer, ApiError, Result};
use super::limits::{Bucket, add};
use super::world::{Call, World, number, text};
use axum::body::Bytes;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use time::OffsetDateTime;

/// Most records of a bulk call.
const MANY_MAX: usize = 100;
/// Longest idempotency key.
const KEY_MAX: usize = 255;
/// Triggers that a public first comment fires (recorded, sheet 2.3), and one for later ones.
pub(super) const TRIGGERS: [&str; 3] = [
    "Notify requester of new proactive ticket",
    "Notify all agents of received request",
    "Notify requester and CCs of comment update",
];
/// Keys of a ticket that are taken; all others are dropped with a warning.
const KNOWN: [&str; 43] = [
    "additional_collaborators",
    "additional_tags",
    "assignee_email",
    "assignee_id",
    "attribute_value_ids",
    "brand_id",
    "collaborator_ids",
    "collaborators",
    "comment",
    "created_at",
    "custom_fields",
    "custom_status_id",
    "description",
    "due_at",
    "email_cc_ids",
    "email_ccs",
    "external_id",
    "fields",
    "follower_ids",
    "followers",
    "followup_ids",
    "forum_topic_id",
    "group_id",
    "id",
    "macro_id",
    "macro_ids",
    "metadata",
    "organization_id",
    "priority",
    "problem_id",
    "raw_subject",
    "recipient",
    "requester",
    "requester_id",
    "safe_update",
    "sharing_agreement_ids",
    "status",
    "subject",
    "submitter_id",
    "tags",
    "ticket_form_id",
    "type",
    "updated_stamp",
];
const KNOWN_TOO: [&str; 8] = [
    "url",
    "via",
    "via_followup_source_id",
    "via_id",
    "voice_comment",
    "updated_at",
    "is_public",
    "remove_tags",
];

/// An answer under an idempotency key.
pub(crate) struct Remembered {
    key: String,
    who: u64,
    raw: Bytes,
    answer: Answer,
    at: OffsetDateTime,
}

/// 400 for more than a hundred.
pub(super) fn too_many() -> ApiError {
    let body = json!({"error": "TooManyValues", "description": "The number of values exceeds the maximum of 100",
        "max_count": MANY_MAX});
    ApiError(Box::new(Answer::json(400, body)))
}

/// Tags as the server keeps them: lower case, split at spaces and commas, each once.
pub(super) fn tag_list(given: &Value) -> Vec<String> {
    let all: Vec<&str> = match given {
        Value::Array(all) => all.iter().filter_map(Value::as_str).collect(),
        Value::String(one) => vec![one],
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => Vec::new(),
    };
    let mut tags: Vec<String> = Vec::new();
    let split =
        all.iter().flat_map(|t| t.split(|c: char| c.is_whitespace() || c == ',')).filter(|t| !t.is_empty());
    for tag in split.map(str::to_lowercase) {
        if !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    tags
}

/// What changed, for the audit.
pub(super) type Changes = Vec<(String, Value, Value)>;

impl World {
    /// Everything below `/tickets`, and what belongs to them.
    pub(super) fn cases(&mut self, call: &Call, path: &[&str]) -> Result {
        if call.who == 0 {
            return Err(ApiError::login());
        }
        self.agent_only(call)?;
        match (call.method.as_str(), path) {
            ("POST", ["tickets"]) => self.create_idempotent(call),
            ("GET", ["tickets"]) => {
                let wanted = call.of("external_id").map(str::to_owned);
                self.tickets_of(call, |t| wanted.is_none() || t.external_id == wanted)
            }
            ("GET", ["tickets", "count"]) => {
                let count = self.account.tickets.values().filter(|t| !t.deleted).count();
                Ok(Answer::json(200, json!({"count": {"value": count, "refreshed_at": stamp(now())}})))
            }
            ("GET", ["tickets", "show_many"]) => {
                let ids = call.ids("ids");
                if ids.len() > MANY_MAX {
                    return Err(too_many());
                }
                self.tickets_of(call, |t| ids.contains(&t.id))
            }
            ("POST", ["tickets", "create_many"]) => self.create_many(call),
            ("PUT", ["tickets", "update_many"]) => self.update_many(call),
            ("DELETE", ["tickets", "destroy_many"]) => self.destroy_many(call),
            (_, ["tickets", id, rest @ ..]) => {
                let id: u64 = id.parse().map_err(|_| ApiError::not_found())?;
                self.one_ticket(call, id, rest)
            }
            ("GET", ["deleted_tickets"]) => {
                let gone = self.account.tickets.values().filter(|t| t.deleted);
                let gone = gone
                    .map(|t| json!({"id": t.id, "subject": t.subject, "previous_state": t.status}))
                    .collect();
                self.page(call, "deleted_tickets", gone)
            }
            ("DELETE", ["deleted_tickets", id]) => {
                let id = id.parse().ok().filter(|id| self.account.tickets.get(id).is_some_and(|t| t.deleted));
                let id = id.ok_or_else(ApiError::not_found)?;
                self.account.remove_ticket(id);
                self.open_job("Permanently Delete Ticket", vec![json!({"id": id, "success": true})])
            }
            ("GET", ["ticket_fields"]) => {
                let all = self.account.fields.values();
                let all = all.map(|f| json!({"id": f.id, "type": f.kind, "title": f.title, "active": true, "required": false})).collect();
                self.page(call, "ticket_fields", all)
            }
            ("POST", ["ticket_fields"]) => self.make_field(call),
            _ => self.comments_and_files(call, path),
        }
    }

    /// A list of tickets, oldest first, or as `sort_by` and `sort` say.
    pub(super) fn tickets_of(&self, call: &Call, wanted: impl Fn(&Ticket) -> bool) -> Result {
        let mut found: Vec<&Ticket> =
            self.account.tickets.values().filter(|t| !t.deleted && wanted(t)).collect();
        let by =
            call.of("sort_by").or_else(|| call.of("sort").map(|s| s.trim_start_matches('-'))).unwrap_or("id");
        found.sort_by_key(|t| match by {
            "created_at" => (stamp(t.created_at), t.id),
            "updated_at" => (stamp(t.updated_at), t.id),
            "status" => (t.status.clone(), t.id),
            _ => (String::new(), t.id),
        });
        if call.of("sort_order") == Some("desc") || call.of("sort").is_some_and(|s| s.starts_with('-')) {
            found.reverse();
        }
        let rows = found.iter().map(|t| self.urls.ticket(&self.account, t)).collect();
        self.page(call, "tickets", rows)
    }

    /// A second request under the same key is answered as the first was (sheet 2.3).
    fn create_idempotent(&mut self, call: &Call) -> Result {
        let Some(key) = &call.idempotency else { return self.create_ticket(call) };
        if key.is_empty() || key.chars().count() > KEY_MAX {
            let says = "Idempotency key must have 1 to 255 characters";
            return Err(ApiError::new(400, "IdempotentRequestError", says));
        }
        let life =
            time::Duration::seconds(i64::try_from(self.switches.idempotency_s).unwrap_or(i64::MAX / 4));
        let at = now();
        self.remembered.retain(|r| at - r.at < life);
        if let Some(known) = self.remembered.iter().find(|r| &r.key == key && r.who == call.who) {
            let same = if self.switches.idempotency_bytes {
                known.raw == call.raw
            } else {
                serde_json::from_slice::<Value>(&known.raw).ok() == call.json
            };
            if !same {
                let says = "Request parameters don't match the given idempotency key";
                return Err(ApiError::new(400, "IdempotentRequestError", says));
            }
            return Ok(known.answer.clone().with("x-idempotency-lookup", "hit"));
        }
        let miss = |e: ApiError| ApiError(Box::new((*e.0).with("x-idempotency-lookup", "miss")));
        let answer = self.create_ticket(call).map_err(miss)?;
        let (key, raw) = (key.clone(), call.raw.clone());
        self.remembered.push(Remembered { key, who: call.who, raw, answer: answer.clone(), at });
        Ok(answer.with("x-idempotency-lookup", "miss"))
    }

    fn create_ticket(&mut self, call: &Call) -> Result {
        let given = call.object("ticket")?;
        let headers = self.limits.take(Bucket::TicketCreate, call.who, &self.switches)?;
        let (id, audit) = self.make_ticket(call, &given)?;
        let mut answer = self.ticket_with(id, &audit, 201)?;
        answer = answer.with("location", self.urls.api(format_args!("tickets/{id}.json")));
        add(&mut answer, headers);
        Ok(answer)
    }

    fn ticket_with(&self, id: u64, audit: &Value, status: u16) -> Result {
        let ticket = self.account.ticket(id).ok_or_else(ApiError::not_found)?;
        Ok(Answer::json(status, json!({"ticket": self.urls.ticket(&self.account, ticket), "audit": audit})))
    }

    /// Makes a ticket and its first audit.
    pub(super) fn make_ticket(&mut self, call: &Call, given: &Map<String, Value>) -> Result<(u64, Value)> {
        self.note_ticket(given);
        let comment = self.first_comment(given)?;
        let requester = self.requester(call, given)?;
        let at = now();
        let requester_org = self.account.user(requester).and_then(|u| u.organization_id);
        let mut ticket = Ticket {
            id: 0,
            external_id: None,
            subject: String::new(),
            description: String::new(),
            status: "new".into(),
            priority: None,
            kind: None,
            requester_id: requester,
            submitter_id: given.get("submitter_id").and_then(number).unwrap_or(call.who),
            assignee_id: None,
            organization_id: requester_org,
            group_id: Some(self.account.group),
            tags: Vec::new(),
            custom_fields: BTreeMap::new(),
            due_at: None,
            channel: "api",
            via_id: None,
            followup_of: None,
            public: true,
            deleted: false,
            created_at: at,
            updated_at: at,
        };
        let changes = self.fill_ticket(&mut ticket, given)?;
        self.follow_up(&mut ticket, given)?;
        if ticket.assignee_id.is_some() && ticket.status == "new" {
            ticket.status = "open".into();
        }
        if ticket.status == "solved" && ticket.assignee_id.is_none() && self.switches.solved_needs_assignee {
            let says = "Assignee: is required when solving a ticket";
            return Err(ApiError::field("base", says, "RequiredFieldMissing"));
        }
        let prepared = self.prepare_comment(call, &comment, &ticket)?;
        ticket.id = self.account.mint_ticket();
        ticket.public = prepared.public;
        ticket.description.clone_from(&prepared.body);
        if ticket.subject.is_empty() {
            ticket.subject = prepared.body.chars().take(150).collect();
        }
        let mut events: Vec<Value> = Vec::new();
        for (field, _, value) in changes {
            let id = self.account.mint();
            // Values of these events are texts, numbers too (sheet 2.3).
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            events.push(json!({"id": id, "type": "Create", "field_name": field, "value": text}));
        }
        let id = ticket.id;
        self.account.put_ticket(ticket);
        let audit = self.audit(call, id, Some(prepared), events, given, true);
        Ok((id, audit))
    }

    fn note_ticket(&mut self, given: &Map<String, Value>) {
        let known: Vec<&str> = KNOWN.iter().chain(&KNOWN_TOO).copied().collect();
        self.note_unknown("ticket", given, &known);
    }

    fn first_comment(&self, given: &Map<String, Value>) -> Result<Map<String, Value>> {
        let comment = match given.get("comment") {
            Some(Value::Object(comment)) => Some(comment.clone()),
            Some(Value::String(body)) => json!({"body": body}).as_object().cloned(),
            Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_)) | None => None,
        };
        let described = text(given.get("description")).filter(|_| self.switches.description_creates);
        let comment = comment.or_else(|| json!({"body": described?}).as_object().cloned());
        let voice = given.get("voice_comment").and_then(Value::as_object);
        let comment = comment.or_else(|| voice.map(|_| Map::new()));
        let has_text = |c: &Map<String, Value>| {
            ["body", "html_body"].iter().any(|n| text(c.get(*n)).is_some_and(|t| !t.trim().is_empty()))
        };
        comment.filter(|c| has_text(c) || voice.is_some()).ok_or_else(|| {
            ApiError::invalid(
                json!({"base": [{"description": "Description: cannot be blank", "error": "BlankValue",
                "ticket_field_id": 32_972_409, "ticket_field_type": "FieldDescription"}]}),
            )
        })
    }

    /// Who asked: given by id, or found or made by e-mail; else whoever makes the ticket.
    fn requester(&mut self, call: &Call, given: &Map<String, Value>) -> Result<u64> {
        if let Some(id) = given.get("requester_id").filter(|v| !v.is_null()) {
            let found =
                number(id).filter(|id| self.account.user(*id).is_some_and(|u| u.active && !u.suspended));
            return found
                .ok_or_else(|| ApiError::field("requester", "Requester: is not valid", "InvalidValue"));
        }
        let Some(person) = given.get("requester").and_then(Value::as_object) else { return Ok(call.who) };
        let known = text(person.get("email")).and_then(|e| self.account.by_email(&e));
        match known {
            Some(id) => Ok(id),
            None => self.make_user(person).map_err(|_| {
                ApiError::field(
                    "requester",
                    "Requester: Name:  is too short (minimum is 1 characters)",
                    "InvalidValue",
                )
            }),
        }
    }

    fn follow_up(&mut self, ticket: &mut Ticket, given: &Map<String, Value>) -> Result<()> {
        let Some(source) = given.get("via_followup_source_id").and_then(number) else { return Ok(()) };
        let closed = self.account.ticket(source).is_some_and(|t| t.status == "closed");
        if !closed {
            return Err(ApiError::field("base", "Follow-up source must be a closed ticket", "InvalidValue"));
        }
        ticket.followup_of = Some(source);
        ticket.channel = "web";
        Ok(())
    }

    /// Takes over the fields that are given, and says what changed.
    fn fill_ticket(&mut self, t: &mut Ticket, given: &Map<String, Value>) -> Result<Changes> {
        let mut changes = Changes::new();
        let mut note = |field: &str, old: Value, new: Value| {
            if old != new {
                changes.push((field.to_owned(), old, new));
            }
        };
        for (name, allowed) in [
            ("status", &["new", "open", "pending", "hold", "solved", "closed"][..]),
            ("priority", &["urgent", "high", "normal", "low"][..]),
            ("type", &["problem", "incident", "question", "task"][..]),
        ] {
            let Some(value) = given.get(name) else { continue };
            let word = value.as_str().unwrap_or_default().to_lowercase();
            let cleared = value.is_null() || word.is_empty();
            if cleared && name == "status" || !cleared && !allowed.contains(&word.as_str()) {
                let says = format!("{name}: {word} is not a valid value");
                return Err(ApiError::field(name, says, "InvalidValue"));
            }
            let new = (!cleared).then_some(word);
            let old = match name {
                "status" => Some(std::mem::replace(&mut t.status, new.clone().unwrap_or_default())),
                "priority" => std::mem::replace(&mut t.priority, new.clone()),
                _ => std::mem::replace(&mut t.kind, new.clone()),
            };
            note(name, json!(old), json!(new));
        }
        if let Some(subject) = given.get("subject").or_else(|| given.get("raw_subject")) {
            let new = subject.as_str().unwrap_or_default().to_owned();
            if new.chars().count() > self.subject_max() {
                return Err(ApiError::field(
                    "subject",
                    "Subject: is too long (maximum is 255 characters)",
                    "ValueTooLong",
                ));
            }
            note("subject", json!(t.subject), json!(new));
            t.subject = new;
        }
        if let Some(external) = given.get("external_id") {
            let new =
                external.as_str().map(str::to_owned).or_else(|| external.as_u64().map(|n| n.to_string()));
            note("external_id", json!(t.external_id), json!(new));
            t.external_id = new.filter(|e| !e.is_empty());
        }
        if let Some(tags) = given.get("tags") {
            let new = tag_list(tags);
            note("tags", json!(t.tags), json!(new));
            t.tags = new;
        }
        if let Some(due) = given.get("due_at") {
            t.due_at = due.as_str().map(str::to_owned);
        }
        self.fill_people(t, given, &mut note)?;
        self.fill_custom(t, given, &mut note)?;
        Ok(changes)
    }

    /// Longest subject (a guess of the sheet, 2.7).
    fn subject_max(&self) -> usize {
        255
    }

    fn fill_people(
        &self,
        t: &mut Ticket,
        given: &Map<String, Value>,
        note: &mut impl FnMut(&str, Value, Value),
    ) -> Result<()> {
        if let Some(assignee) = given.get("assignee_id") {
            let new = number(assignee);
            let known = new.is_none_or(|id| self.account.agent(id).is_some());
            if !known || (new.is_none() && !assignee.is_null()) {
                return Err(ApiError::field("assignee", "Assignee: is invalid", "InvalidValue"));
            }
            note("assignee_id", json!(t.assignee_id), json!(new));
            t.assignee_id = new;
        } else if let Some(email) = text(given.get("assignee_email")) {
            let found = self.account.by_email(&email).filter(|id| self.account.agent(*id).is_some());
            let new = Some(
                found.ok_or_else(|| ApiError::field("assignee", "Assignee: is invalid", "InvalidValue"))?,
            );
            note("assignee_id", json!(t.assignee_id), json!(new));
            t.assignee_id = new;
        }
        if let Some(group) = given.get("group_id").filter(|v| !v.is_null())
            && number(group) != Some(self.account.group)
        {
            return Err(ApiError::field("group", "Group: is invalid", "InvalidValue"));
        }
        if let Some(organization) = given.get("organization_id").and_then(number) {
            if !self.account.organizations.contains_key(&organization) {
                return Err(ApiError::field("organization", "Organization: is invalid", "InvalidValue"));
            }
            note("organization_id", json!(t.organization_id), json!(organization));
            t.organization_id = Some(organization);
        }
        Ok(())
    }

    /// Fields nobody made are ignored without a word; a text has its maximum.
    fn fill_custom(
        &self,
        t: &mut Ticket,
        given: &Map<String, Value>,
        note: &mut impl FnMut(&str, Value, Value),
    ) -> Result<()> {
        let all = given.get("custom_fields").or_else(|| given.get("fields"));
        for one in all.and_then(Value::as_array).into_iter().flatten() {
            let Some(id) = number(&one["id"]).filter(|id| self.account.fields.contains_key(id)) else {
                continue;
            };
            let new = one["value"].clone();
            if new.as_str().is_some_and(|v| v.len() > 65_536) {
                let says = format!("{id}: is too long (maximum is 65536 characters)");
                return Err(ApiError::field("base", says, "ValueTooLong"));
            }
            note(&format!("{id}"), t.custom_fields.get(&id).cloned().unwrap_or_default(), new.clone());
            t.custom_fields.insert(id, new);
        }
        Ok(())
    }

    fn one_ticket(&mut self, call: &Call, id: u64, rest: &[&str]) -> Result {
        let ticket = self.account.ticket(id).cloned().ok_or_else(ApiError::not_found)?;
        match (call.method.as_str(), rest) {
            ("GET", []) => {
                let mut body = json!({"ticket": self.urls.ticket(&self.account, &ticket)});
                if call.of("include").is_some_and(|i| i.contains("users")) {
                    let people = [Some(ticket.requester_id), Some(ticket.submitter_id), ticket.assignee_id];
                    body["users"] = people
                        .iter()
                        .flatten()
                        .filter_map(|id| self.account.user(*id))
                        .map(|u| self.urls.user(u))
                        .collect();
                }
                Ok(Answer::json(200, body))
            }
            ("PUT", []) => {
                let given = call.object("ticket")?;
                let mut headers = self.limits.take(Bucket::TicketUpdates, 0, &self.switches)?;
                headers.extend(self.limits.take(Bucket::TicketUpdate(id), call.who, &self.switches)?);
                let audit = self.change_ticket(call, id, &given)?;
                let mut answer = self.ticket_with(id, &audit, 200)?;
                add(&mut answer, headers);
                Ok(answer)
            }
            ("DELETE", []) => {
                self.delete_ticket(id);
                Ok(Answer::nothing())
            }
            ("GET", ["audits"]) => {
                let all = self.account.audits.get(&id).cloned().unwrap_or_default();
                self.page(call, "audits", all)
            }
            (_, ["tags"]) => self.ticket_tags(call, ticket),
            _ => self.ticket_comments(call, &ticket, rest),
        }
    }

    fn delete_ticket(&mut self, id: u64) {
        if let Some(mut ticket) = self.account.ticket(id).cloned() {
            (ticket.deleted, ticket.updated_at) = (true, now());
            self.account.put_ticket(ticket);
        }
    }

    /// 409 when the caller's account of the ticket is old, 422 when it is closed.
    fn may_change(&self, ticket: &Ticket, safe: bool, updated_stamp: Option<&str>) -> Result<()> {
        if safe {
            let Some(given) = updated_stamp else {
                return Err(ApiError::attribute(
                    "updated_stamp",
                    "Invalid parameter: updated_stamp is needed with safe_update",
                ));
            };
            if given != stamp(ticket.updated_at) {
                let says = "Safe Update prevented the update due to outdated ticket data. Please fetch the latest ticket data and try again.";
                return Err(ApiError::new(409, "UpdateConflict", says));
            }
        }
        if ticket.status == "closed" {
            return Err(ApiError::field("status", "Status: closed prevents ticket update", "InvalidValue"));
        }
        Ok(())
    }

    /// Changes a ticket and gives the audit.
    pub(super) fn change_ticket(
        &mut self,
        call: &Call,
        id: u64,
        given: &Map<String, Value>,
    ) -> Result<Value> {
        let mut ticket = self.account.ticket(id).cloned().ok_or_else(ApiError::not_found)?;
        let safe = given.get("safe_update").is_some_and(|v| *v == json!(true) || *v == json!("true"));
        self.may_change(&ticket, safe, given.get("updated_stamp").and_then(Value::as_str))?;
        self.note_ticket(given);
        if given.contains_key("description") {
            return Err(ApiError::field("description", "Description: cannot be changed", "InvalidValue"));
        }
        let mut changes = Changes::new();
        if given.get("requester_id").is_some_and(|v| !v.is_null()) || given.contains_key("requester") {
            let new = self.requester(call, given)?;
            if new != ticket.requester_id {
                changes.push(("requester_id".into(), json!(ticket.requester_id), json!(new)));
                ticket.requester_id = new;
                ticket.organization_id = self.account.user(new).and_then(|u| u.organization_id);
            }
        }
        changes.extend(self.fill_ticket(&mut ticket, given)?);
        if let Some(more) = given.get("additional_tags") {
            let all: Vec<String> = ticket.tags.iter().cloned().chain(tag_list(more)).collect();
            ticket.tags = tag_list(&json!(all));
        }
        let comment = match given.get("comment") {
            Some(Value::Object(comment)) => Some(comment.clone()),
            Some(Value::String(body)) => json!({"body": body}).as_object().cloned(),
            Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_)) | None => None,
        };
        let comment =
            comment.or_else(|| given.get("voice_comment").and_then(Value::as_object).map(|_| Map::new()));
        let prepared = match comment {
            Some(comment) => {
                let mut comment = comment;
                comment.extend(given.get("voice_comment").map(|v| ("voice_comment".to_owned(), v.clone())));
                self.prepare_new_comment(call, &comment, &ticket)?
            }
            None => None,
        };
        if let Some(prepared) = &prepared {
            ticket.public = prepared.public;
        }
        let mut events = Vec::new();
        for (field, old, value) in changes {
            let id = self.account.mint();
            events.push(json!({"id": id, "type": "Change", "field_name": field, "value": value, "previous_value": old}));
        }
        if prepared.is_some() || !events.is_empty() {
            ticket.updated_at = now();
        }
        self.account.put_ticket(ticket);
        Ok(self.audit(call, id, prepared, events, given, false))
    }

    /// `/tickets/{id}/tags`: PUT adds, POST sets, DELETE takes away.
    fn ticket_tags(&mut self, call: &Call, mut ticket: Ticket) -> Result {
        let body = call.json.clone().unwrap_or_default();
        if call.method != "GET" {
            let safe = body["safe_update"] == json!("true") || body["safe_update"] == json!(true);
            self.may_change(&ticket, safe, body["updated_stamp"].as_str())?;
            let given = tag_list(&body["tags"]);
            let old = ticket.tags.clone();
            match call.method.as_str() {
                "PUT" => {
                    let all: Vec<String> = ticket.tags.iter().cloned().chain(given).collect();
                    ticket.tags = tag_list(&json!(all));
                }
                "POST" => ticket.tags = given,
                "DELETE" => ticket.tags.retain(|t| !given.contains(t)),
                _ => return Err(ApiError::not_found()),
            }
            if ticket.tags != old {
                let headers = self.limits.take(Bucket::TicketUpdate(ticket.id), call.who, &self.switches)?;
                drop(headers);
                ticket.updated_at = now();
                let event = json!({"id": self.account.mint(), "type": "Change", "field_name": "tags", "value": ticket.tags,
                    "previous_value": old});
                self.account.put_ticket(ticket.clone());
                self.audit(call, ticket.id, None, vec![event], &Map::new(), false);
            }
        }
        let status = if call.method == "POST" { 201 } else { 200 };
        Ok(Answer::json(status, json!({"tags": ticket.tags})))
    }

    fn make_field(&mut self, call: &Call) -> Result {
        let given = call.object("ticket_field")?;
        let (kind, title) = (text(given.get("type")), text(given.get("title")));
        let (Some(kind), Some(title)) = (kind, title) else {
            return Err(ApiError::field("title", "Title: cannot be blank", "BlankValue"));
        };
        let id = self.account.mint();
        let field = super::account::TicketField { id, kind: kind.clone(), title: title.clone() };
        self.account.fields.insert(id, field);
        Ok(Answer::json(
            201,
            json!({"ticket_field": {"id": id, "type": kind, "title": title, "active": true, "required": false}}),
        ))
    }

    fn create_many(&mut self, call: &Call) -> Result {
        let all = call.json.as_ref().and_then(|j| j["tickets"].as_array()).cloned().unwrap_or_default();
        if all.len() > MANY_MAX {
            return Err(too_many());
        }
        let mut results = Vec::new();
        for (index, one) in all.iter().enumerate() {
            let done = self.make_ticket(call, &one.as_object().cloned().unwrap_or_default());
            results.push(match done {
                Ok((id, _)) => json!({"index": index, "id": id, "account_id": self.account.id}),
                Err(e) => json!({"index": index, "error": super::world::json_of(&e.0).cloned()}),
            });
        }
        self.open_job("Bulk Create Ticket", results)
    }

    fn update_many(&mut self, call: &Call) -> Result {
        let body = call.json.clone().unwrap_or_default();
        let ids = call.ids("ids");
        let each: Vec<(u64, Map<String, Value>)> = match body["tickets"].as_array() {
            Some(all) => {
                all.iter().filter_map(|t| Some((number(&t["id"])?, t.as_object()?.clone()))).collect()
            }
            None => {
                let one = call.object("ticket")?;
                ids.into_iter().map(|id| (id, one.clone())).collect()
            }
        };
        if each.len() > MANY_MAX {
            return Err(too_many());
        }
        let mut results = Vec::new();
        for (id, given) in each {
            let done = self.change_ticket(call, id, &given);
            results.push(match done {
                Ok(_) => json!({"id": id, "action": "update", "success": true, "status": "Updated"}),
                Err(_) => {
                    json!({"id": id, "action": "update", "success": false, "error": "TicketUpdateFailed"})
                }
            });
        }
        self.open_job("Bulk Ticket Update", results)
    }

    fn destroy_many(&mut self, call: &Call) -> Result {
        let ids = call.ids("ids");
        if ids.len() > MANY_MAX {
            return Err(too_many());
        }
        for id in &ids {
            self.delete_ticket(*id);
        }
        self.open_job(
            "Bulk Ticket Deletion",
            ids.iter().map(|id| json!({"id": id, "success": true})).collect(),
        )
    }

    /// Writes the audit of one request, with the comment and what triggers do about it.
    fn audit(
        &mut self,
        call: &Call,
        ticket_id: u64,
        comment: Option<super::comments::Prepared>,
        mut events: Vec<Value>,
        given: &Map<String, Value>,
        first: bool,
    ) -> Value {
        let id = self.account.mint();
        let custom = given.get("metadata").and_then(|m| m.get("custom").or(Some(m))).cloned();
        let custom = custom.and_then(|c| c.as_object().cloned()).unwrap_or_default();
        if let Some(prepared) = comment {
            let public = prepared.public;
            let written = self.put_comment(call, ticket_id, id, prepared, custom.clone());
            events.insert(0, written);
            if public {
                events.extend(self.notifications(ticket_id, first));
            }
        }
        let audit = json!({"id": id, "ticket_id": ticket_id, "created_at": stamp(now()), "author_id": call.who,
            "metadata": {"system": system(&call.agent), "custom": custom}, "events": events,
            "via": {"channel": "api", "source": {"from": {}, "to": {}, "rel": null}}});
        self.account.audits.entry(ticket_id).or_default().push(audit.clone());
        audit
    }

    /// What a public comment sets off: the customer gets an e-mail (sheet 2.3, the notification trap).
    fn notifications(&mut self, ticket_id: u64, first: bool) -> Vec<Value> {
        let Some(ticket) = self.account.ticket(ticket_id).cloned() else { return Vec::new() };
        let triggers = if first { &TRIGGERS[..2] } else { &TRIGGERS[2..] };
        let agents: Vec<u64> = self
            .account
            .users
            .values()
            .filter(|u| u.role != super::account::Role::EndUser && u.active)
            .map(|u| u.id)
            .collect();
        let mut events = Vec::new();
        for title in triggers {
            let to_agents = title.contains("agents");
            let recipients = if to_agents { agents.clone() } else { vec![ticket.requester_id] };
            for to in &recipients {
                self.account.mails.push(super::account::Mail {
                    ticket: ticket_id,
                    to: *to,
                    trigger: (*title).to_owned(),
                });
            }
            let number = 33_144_692_120_001 + TRIGGERS.iter().position(|t| t == title).unwrap_or(0) as u64;
            events.push(json!({"id": self.account.mint(), "type": "Notification",
                "via": {"channel": "rule", "source": {"from": {"deleted": false, "id": number, "title": title}, "to": {}, "rel": "trigger"}},
                "subject": "[{{ticket.account}}] {{ticket.title}}", "body": "{{ticket.comments_formatted}}",
                "recipients": recipients}));
        }
        events
    }
}
