//! Talk Partner Edition, calls, presence, and messages to apps (sheet section 3).

use super::account::{Comment, now, stamp};
use super::answer::{Answer, ApiError, Payload, Result};
use super::comments::html_of;
use super::world::{Call, World, number, text};
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Fields of a call that are given, beside ids and times.
const CALL_FIELDS: [&str; 45] = [
    "end_user_id",
    "organization_id",
    "brand_id",
    "app_id",
    "agent_id",
    "from_line",
    "from_line_nickname",
    "to_line",
    "to_line_nickname",
    "call_started_at",
    "call_ended_at",
    "direction",
    "duration",
    "dnis",
    "phone_name",
    "call_type",
    "end_user_location",
    "callback",
    "callback_source",
    "callback_number",
    "wait_time",
    "time_to_answer",
    "queue_time",
    "exceeded_queue_time",
    "queue_name",
    "ivr_time_spent",
    "ivr_hops",
    "ivr_action",
    "ivr_routed_to",
    "ivr_destination_group_name",
    "talk_time",
    "hold_time",
    "consultation_time",
    "wrap_up_time",
    "completion_status",
    "call_abandoned_position",
    "customer_requested_voicemail",
    "voicemail",
    "outside_business_hours",
    "overflowed",
    "overflowed_to",
    "call_disposition",
    "recording_url",
    "recording_time",
    "external_id",
];
const MORE_CALL_FIELDS: [&str; 5] = [
    "not_recording_time",
    "call_recording_consent_action",
    "recording_control_interactions",
    "transcript",
    "ticket_id",
];
/// Built-in agent statuses.
const STATUSES: [(u64, &str); 4] = [(2, "offline"), (3, "online"), (4, "away"), (5, "transfers_only")];

/// What a voice comment says for people.
pub(super) fn described(voice: &Value) -> String {
    let of = |name: &str| voice[name].as_str().unwrap_or("unknown").to_owned();
    let length = voice["call_duration"].as_u64().unwrap_or(0);
    let recording = if voice["recording_url"].is_string() {
        of("recording_url")
    } else {
        "Recording not available".into()
    };
    format!(
        "Call from: {}\nCall to: {}\nLength of phone call: {length} seconds\n{recording}",
        of("from"),
        of("to")
    )
}

impl World {
    /// Everything about calls.
    pub(super) fn voice(&mut self, call: &Call, path: &[&str]) -> Result {
        if call.who == 0 {
            return Err(ApiError::login());
        }
        self.agent_only(call)?;
        match path {
            ["agent_availabilities", rest @ ..] => self.presence(call, rest),
            _ if !self.switches.talk_partner => {
                let says = "Talk Partner Edition is not enabled for this account";
                Err(ApiError::new(self.switches.talk_partner_refusal, "Forbidden", says))
            }
            ["channels", "voice", "agents", agent, "tickets", id, "display"] => {
                self.display(call, agent, "ticket", id)
            }
            ["channels", "voice", "agents", agent, "users", id, "display"] => {
                self.display(call, agent, "user", id)
            }
            ["channels", "voice", "tickets"] => self.voice_ticket(call),
            ["calls", rest @ ..] => self.calls(call, rest),
            _ => Err(ApiError::not_found()),
        }
    }

    /// Opens a record in an agent's browser. 200 says nothing about whether somebody looks at it.
    fn display(&mut self, call: &Call, agent: &str, kind: &str, id: &str) -> Result {
        let agent = agent.parse().ok().filter(|a| self.account.agent(*a).is_some());
        let record = id.parse::<u64>().ok().filter(|id| match kind {
            "ticket" => self.account.ticket(*id).is_some(),
            _ => self.account.user(*id).is_some_and(|u| u.active),
        });
        let (Some(agent), Some(record), "POST") = (agent, record, call.method.as_str()) else {
            return Err(ApiError::not_found());
        };
        self.account.tell(Some(agent), json!({"display": kind, "id": record}));
        Ok(Answer { status: 200, payload: Payload::EmptyJson, headers: Vec::new() })
    }

    fn shown_to(&self, given: Option<&Value>) -> Result<Option<u64>> {
        let given = given.filter(|v| !v.is_null() && **v != json!(""));
        let Some(given) = given else { return Ok(None) };
        let agent = number(given).filter(|id| self.account.agent(*id).is_some());
        agent.map(Some).ok_or_else(|| {
            ApiError::field("display_to_agent", "Display to agent: is invalid", "InvalidValue")
        })
    }

    /// `/channels/voice/tickets`: an invalid agent is 422 before anything is made.
    fn voice_ticket(&mut self, call: &Call) -> Result {
        if call.method != "POST" {
            return Err(ApiError::not_found());
        }
        let agent = self.shown_to(call.json.as_ref().and_then(|j| j.get("display_to_agent")))?;
        let mut given = call.object("ticket")?;
        let via = given.get("via_id").and_then(number).filter(|v| (44..=46).contains(v));
        let Some(via) = via else {
            return Err(ApiError::field("via_id", "Via: must be 44, 45 or 46", "InvalidValue"));
        };
        let voice = given.get("voice_comment").cloned().unwrap_or_default();
        if via == 44 {
            let missing = ["from", "to", "recording_url", "started_at", "call_duration", "answered_by_id"]
                .into_iter()
                .find(|n| voice.get(*n).is_none());
            if let Some(missing) = missing {
                return Err(ApiError::field(
                    "voice_comment",
                    format!("Voice comment: {missing} cannot be blank"),
                    "BlankValue",
                ));
            }
        }
        // Where both are sent, the comment wins (sheet 3.2).
        let has_comment = given.get("comment").and_then(|c| text(c.get("body"))).is_some();
        if has_comment {
            given.remove("voice_comment");
        } else if voice.is_object() {
            given.insert("comment".into(), json!({"voice_comment": voice, "public": false}));
        }
        let (id, audit) = self.make_ticket(call, &given)?;
        if let Some(mut ticket) = self.account.ticket(id).cloned() {
            (ticket.channel, ticket.via_id) = ("voice", Some(via));
            self.account.put_ticket(ticket);
        }
        if let Some(agent) = agent {
            self.account.tell(Some(agent), json!({"display": "ticket", "id": id}));
        }
        let ticket = self.account.ticket(id).ok_or_else(ApiError::not_found)?;
        let body = json!({"ticket": self.urls.ticket(&self.account, ticket), "audit": audit});
        Ok(Answer::json(201, body).with("location", self.urls.api(format_args!("tickets/{id}.json"))))
    }

    fn calls(&mut self, call: &Call, rest: &[&str]) -> Result {
        match (call.method.as_str(), rest) {
            ("POST", []) => self.create_call(call),
            (method, [id, rest @ ..]) => {
                let id: u64 = id.parse().map_err(|_| ApiError::not_found())?;
                let there = self.account.calls.get(&id).cloned().ok_or_else(ApiError::not_found)?;
                match (method, rest) {
                    ("GET", []) => Ok(Answer::json(200, json!({"call": there}))),
                    ("PATCH", []) => {
                        let given = call.object("call")?;
                        let mut record = there;
                        fill_call(&mut record, &given)?;
                        record.insert("updated_at".into(), json!(stamp(now())));
                        self.account.calls.insert(id, record.clone());
                        Ok(Answer::json(200, json!({"call": record})))
                    }
                    // Not nested, unlike everywhere else (recorded).
                    ("POST", ["comments"]) => {
                        let given =
                            call.json.as_ref().and_then(Value::as_object).cloned().unwrap_or_default();
                        let comment = self.call_comment(call, id, &given)?;
                        Ok(Answer::json(201, comment))
                    }
                    _ => Err(ApiError::not_found()),
                }
            }
            _ => Err(ApiError::not_found()),
        }
    }

    fn create_call(&mut self, call: &Call) -> Result {
        let given = call.object("call")?;
        for name in ["app_id", "from_line", "to_line", "call_started_at", "direction"] {
            if given.get(name).is_none_or(Value::is_null) {
                return Err(ApiError::field(name, format!("{name}: cannot be blank"), "BlankValue"));
            }
        }
        if given.get("app_id").and_then(number) != Some(super::APP_ID) {
            return Err(ApiError::field("app_id", "app_id: is not an installed app", "InvalidValue"));
        }
        let agent = self.shown_to(call.json.as_ref().and_then(|j| j["comment"].get("display_to_agent")))?;
        let id = self.account.mint();
        let mut record: Map<String, Value> =
            CALL_FIELDS.iter().chain(&MORE_CALL_FIELDS).map(|n| ((*n).to_owned(), Value::Null)).collect();
        let at = json!(stamp(now()));
        record.extend([
            ("id".to_owned(), json!(id)),
            ("account_id".to_owned(), json!(self.account.id)),
            ("created_at".to_owned(), at.clone()),
            ("updated_at".to_owned(), at),
        ]);
        fill_call(&mut record, &given)?;
        let ticket = record.get("ticket_id").and_then(number);
        if ticket.is_some_and(|id| self.account.ticket(id).is_none()) {
            return Err(ApiError::field("ticket_id", "ticket_id: is invalid", "InvalidValue"));
        }
        self.account.calls.insert(id, record);
        if let Some(comment) = call.json.as_ref().and_then(|j| j["comment"].as_object()).cloned() {
            self.call_comment(call, id, &comment)?;
        }
        let record = self.account.calls.get(&id).cloned().unwrap_or_default();
        if let (Some(agent), Some(ticket)) = (agent, record.get("ticket_id").and_then(number)) {
            self.account.tell(Some(agent), json!({"display": "ticket", "id": ticket}));
        }
        Ok(Answer::json(201, json!({"call": record})))
    }

    /// A call's comment, private, on its ticket; a call without ticket gets one.
    fn call_comment(&mut self, call: &Call, id: u64, given: &Map<String, Value>) -> Result<Value> {
        let Some(title) = text(given.get("title")) else {
            return Err(ApiError::field("title", "title: cannot be blank", "BlankValue"));
        };
        let record = self.account.calls.get(&id).cloned().unwrap_or_default();
        let of = |name: &str| record.get(name).cloned().unwrap_or_default();
        let fields = given.get("call_fields").and_then(Value::as_array).cloned().unwrap_or_default();
        let lines = fields.iter().filter_map(Value::as_str).map(|f| format!("{f}: {}", of(f)));
        let body = std::iter::once(title.clone()).chain(lines).collect::<Vec<_>>().join("\n");
        let author = given.get("author_id").and_then(number).unwrap_or(call.who);
        let ticket = match record.get("ticket_id").and_then(number) {
            Some(ticket) => ticket,
            None => {
                let mut fields = json!({"subject": title, "comment": {"body": body, "public": false}});
                if !of("end_user_id").is_null() {
                    fields["requester_id"] = of("end_user_id");
                }
                let (ticket, _) = self.make_ticket(call, fields.as_object().unwrap_or(&Map::new()))?;
                self.account.comments.remove(&ticket);
                if let Some(record) = self.account.calls.get_mut(&id) {
                    record.insert("ticket_id".into(), json!(ticket));
                }
                ticket
            }
        };
        let data = json!({"app_id": super::APP_ID, "app_name": "Tieline", "author_id": author, "call_id": id,
            "direction": of("direction"), "external_id": of("external_id"), "title": title, "via_id": 45,
            "recording_url": of("recording_url")});
        let (comment_id, audit_id) = (self.account.mint(), self.account.mint());
        let comment = Comment {
            id: comment_id,
            kind: "TpeVoiceComment",
            author_id: author,
            html: html_of(&body),
            body,
            public: false,
            attachments: Vec::new(),
            audit_id,
            custom: Map::new(),
            data: Some(data),
            client: call.agent.clone(),
            at: now(),
        };
        let mut told = self.urls.comment(&comment);
        self.account.comments.entry(ticket).or_default().push(comment);
        if let Some(mut there) = self.account.ticket(ticket).cloned() {
            there.updated_at = now();
            self.account.put_ticket(there);
        }
        for (name, value) in [
            ("formatted_from", of("from_line")),
            ("formatted_to", of("to_line")),
            ("transcription_visible", json!(false)),
            ("trusted", json!(true)),
            ("title", json!(title)),
        ] {
            told[name] = value;
        }
        Ok(told)
    }

    fn presence(&mut self, call: &Call, rest: &[&str]) -> Result {
        let agents =
            || self.account.users.values().filter(|u| u.role != super::account::Role::EndUser && u.active);
        let told = |id: u64| {
            let is = self.account.presence.get(&id).copied().unwrap_or(2);
            let name = STATUSES.iter().find(|(n, _)| *n == is).map_or("offline", |(_, name)| name);
            json!({"id": id.to_string(), "type": "agent_availabilities",
                "attributes": {"agent_id": id, "group_ids": [self.account.group], "version": 1,
                    "agent_status": {"id": is, "name": name, "updated_at": null}},
                "relationships": {"channels": {"data": []}},
                "links": {"self": self.urls.api(format_args!("agent_availabilities/{id}"))}})
        };
        match (call.method.as_str(), rest) {
            ("GET", []) => Ok(Answer::json(
                200,
                json!({"data": agents().map(|u| told(u.id)).collect::<Vec<_>>(),
                "included": [], "meta": {"has_more": false, "after_cursor": null}, "links": {"next": null, "prev": null}}),
            )),
            ("GET", ["agent_statuses"]) => {
                let all = STATUSES.iter().map(|(id, name)| json!({"id": id.to_string(), "type": "agent_statuses", "attributes": {"name": name}}));
                Ok(Answer::json(200, json!({"data": all.collect::<Vec<_>>()})))
            }
            ("GET", [id]) => {
                let id = if *id == "me" { Some(call.who) } else { id.parse().ok() };
                // Newer services say nothing at all in their 404.
                let id = id
                    .filter(|id| self.account.agent(*id).is_some())
                    .ok_or_else(ApiError::empty_not_found)?;
                Ok(Answer::json(200, json!({"data": told(id), "included": []})))
            }
            ("PUT", ["agent_statuses", "agents", id]) => {
                let id = id
                    .parse()
                    .ok()
                    .filter(|id| self.account.agent(*id).is_some())
                    .ok_or_else(ApiError::empty_not_found)?;
                let body = call.json.clone().unwrap_or_default();
                let status = number(&body["id"]).filter(|s| STATUSES.iter().any(|(n, _)| n == s));
                let Some(status) = status else {
                    let error = json!({"errors": [{"code": "InvalidStatus", "title": "Invalid agent status", "status": "422"}]});
                    return Ok(Answer::json(422, error));
                };
                self.account.presence.insert(id, status);
                Ok(Answer::nothing())
            }
            _ => Err(ApiError::empty_not_found()),
        }
    }

    /// `POST /apps/notify`: not nested; without an agent, everybody's app hears it (sheet 3.5).
    pub(super) fn notify(&mut self, call: &Call) -> Result {
        if call.who == 0 {
            return Err(ApiError::login());
        }
        self.agent_only(call)?;
        let body = call.json.clone().unwrap_or_default();
        if body.get("app_id").and_then(number) != Some(super::APP_ID) {
            return Err(ApiError::not_found());
        }
        let Some(event) = text(body.get("event")) else {
            return Err(ApiError::attribute("event", "Invalid parameter: event is missing"));
        };
        let agent = match body.get("agent_id").filter(|v| !v.is_null()) {
            None => None,
            Some(id) => Some(
                number(id).filter(|id| self.account.agent(*id).is_some()).ok_or_else(ApiError::not_found)?,
            ),
        };
        self.account.tell(agent, json!({"notify": event, "body": body["body"]}));
        Ok(Answer { status: 200, payload: Payload::EmptyJson, headers: Vec::new() })
    }
}

/// Takes over a call's fields; times come back in UTC.
fn fill_call(record: &mut Map<String, Value>, given: &Map<String, Value>) -> Result<()> {
    for (name, value) in given {
        let known = CALL_FIELDS.contains(&name.as_str()) || MORE_CALL_FIELDS.contains(&name.as_str());
        if !known {
            continue;
        }
        if name == "direction" && !["inbound", "outbound"].contains(&value.as_str().unwrap_or_default()) {
            return Err(ApiError::field(
                "direction",
                "direction: must be inbound or outbound",
                "InvalidValue",
            ));
        }
        let value = match (name.ends_with("_at"), value.as_str()) {
            (true, Some(moment)) => {
                let whole = moment.strip_suffix("+01").map(|m| format!("{m}+01:00"));
                let at = OffsetDateTime::parse(whole.as_deref().unwrap_or(moment), &Rfc3339);
                let at = at.map_err(|_| {
                    ApiError::field(name, format!("{name}: is not a moment in ISO 8601"), "InvalidValue")
                })?;
                json!(stamp(at))
            }
            (true | false, Some(_) | None) => value.clone(),
        };
        record.insert(name.clone(), value);
    }
    Ok(())
}
