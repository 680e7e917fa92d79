//! Calls of Talk Partner Edition (sheet 3.3): beside the ticket, the CRM's own record of a call, with its comment on
//! that ticket. Without the licence the ticket's private comment says it all.

use crate::deliver::Delivery;
use crate::map::{self, USER};
use crate::settings::CallRecord;
use serde_json::{Map, Value, json};
use tieline_connector_api::phone::is_withheld;
use tieline_connector_api::steps::{Fields, set};
use tieline_connector_api::text::{WIRE, digest, one_line, show};
use tieline_connector_api::{Failure, Outcome};
use tieline_model::Timestamp;
use tieline_model::crm::{CallDetails, Channel, Direction, Log, Outcome as Ended};

/// In `Progress::done`: the call's id.
const CALL: &str = "call:";
/// In `Progress::done`: digest of what the call says.
const CALL_MARK: &str = "call_mark:";
/// Step of a call's creation.
const STEP: &str = "call";
/// What stands for a number that was withheld; both ends of a call are mandatory.
const WITHHELD: &str = "Anonymous";
/// Longest number sent, in UTF-16 units.
const NUMBER_UNITS: usize = 40;

impl Delivery<'_> {
    /// Makes or updates the call of this log. Calls have no idempotency: after a lost answer the ticket's comments
    /// are read for one that carries our key.
    pub(crate) async fn put_call(&mut self) -> Outcome<()> {
        let settings = &self.crm.settings;
        let Some(app) = settings.app_id.filter(|_| settings.calls.record == CallRecord::TalkPartner) else {
            return Ok(());
        };
        let Some(details) = self.log.call.as_ref().filter(|_| self.log.channel == Channel::Call) else {
            return Ok(());
        };
        let ticket = self.ticket_id()?;
        let fields = call_fields(self.log, details, app);
        let mark = digest(&self.steps.key, "call", &Value::Object(fields.clone()).to_string());
        let known = self.steps.value_of(CALL);
        let told = self.steps.value_of(CALL_MARK).as_deref() == Some(mark.as_str());
        if known.is_some() && told {
            return Ok(());
        }
        if let Some(call) = known {
            self.crm.client.update_call(&call, &json!({ "call": fields })).await?;
            return self.steps.remember(|p| set(p, CALL_MARK, &mark)).await;
        }
        let there =
            if self.steps.is_pending(STEP) || !self.fresh { self.call_on(ticket).await? } else { None };
        if let Some(call) = there {
            // What it says is not known: said again, which changes nothing where it is the same.
            self.crm.client.update_call(&call, &json!({ "call": fields })).await?;
            return self.done(&call, &mark).await;
        }
        let mut call = fields;
        call.insert("ticket_id".into(), ticket.into());
        let mut comment = json!({
            "title": tieline_connector_api::account::subject(self.log),
            "call_fields": ["direction", "from_line", "to_line", "call_started_at", "duration", "recording_url"],
        });
        if let Some(agent) = map::agent(self.log) {
            comment["author_id"] = agent.into();
        }
        self.steps.about_to(STEP, &Fields::new()).await?;
        let made = self.crm.client.create_call(&json!({ "call": call, "comment": comment })).await?;
        let Some(id) = call_id(&made, "id") else {
            return Err(Failure::unknown("Zendesk answered without the call's id"));
        };
        self.done(&id, &mark).await
    }

    async fn done(&mut self, call: &str, mark: &str) -> Outcome<()> {
        self.steps
            .remember(|p| {
                set(p, CALL, call);
                set(p, CALL_MARK, mark);
                p.pending = None;
            })
            .await
    }

    /// The call of ours that has a comment on this ticket.
    async fn call_on(&mut self, ticket: u64) -> Outcome<Option<String>> {
        let comments = self.crm.client.comments(ticket).await?;
        let ours = |comment: &Value| {
            let data = comment.get("data")?;
            let same = map::member(data, "external_id")?.eq_ignore_ascii_case(&self.steps.key);
            if same { call_id(data, "call_id") } else { None }
        };
        Ok(comments.iter().find_map(ours))
    }
}

/// Ids of calls are numbers or texts.
fn call_id(row: &Value, name: &str) -> Option<String> {
    match row.get(name)? {
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) => {
            let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
            (!text.is_empty() && text.len() <= 80 && plain).then(|| text.clone())
        }
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A call as Zendesk takes it.
fn call_fields(log: &Log, details: &CallDetails, app: u64) -> Map<String, Value> {
    let shown = |number: &Option<String>| match number.as_deref() {
        Some(number) if !is_withheld(number) => one_line(number, NUMBER_UNITS),
        Some(_) | None => WITHHELD.to_owned(),
    };
    let (from, to) = match details.direction {
        Direction::Inbound => (shown(&details.number), shown(&details.line)),
        Direction::Outbound => (shown(&details.line), shown(&details.number)),
    };
    let seconds = |from: Option<Timestamp>, to: Option<Timestamp>| {
        from.zip(to).map(|(from, to)| json!(to.since(from).0 / 1000))
    };
    let status = match log.outcome {
        Ended::Answered => "completed",
        Ended::Abandoned | Ended::Missed | Ended::Overflowed | Ended::MessageLeft => "abandoned_in_queue",
    };
    let mut fields = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            fields.insert(name.into(), value);
        }
    };
    put("app_id", Some(app.into()));
    put("external_id", Some(log.key().into()));
    put("from_line", Some(from.into()));
    put("to_line", Some(to.into()));
    put("call_started_at", Some(show(log.started_at, WIRE).into()));
    put("call_ended_at", log.ended_at.map(|at| show(at, WIRE).into()));
    let direction = match details.direction {
        Direction::Inbound => "inbound",
        Direction::Outbound => "outbound",
    };
    put("direction", Some(direction.into()));
    put("duration", seconds(Some(log.started_at), log.ended_at));
    put("talk_time", seconds(log.answered_at, log.ended_at));
    put("wait_time", seconds(Some(log.started_at), log.answered_at.or(log.ended_at)));
    put("completion_status", Some(status.into()));
    put("agent_id", map::agent(log).map(Value::from));
    let contact = log.contact.as_ref().and_then(|contact| map::id_in(contact, USER));
    put("end_user_id", contact.map(Value::from));
    put("queue_name", log.queue_name.clone().map(Value::from));
    put("recording_url", details.recording.clone().map(Value::from));
    fields
}
