//! Mapped fields: a text with placeholders, filled from a log. Pure.

use crate::account::{channel, customer, direction, outcome};
use crate::text::{WIRE, cut, email, many_lines, show};
use serde_json::{Value, json};
use tieline_model::Timestamp;
use tieline_model::crm::{Direction, Log};

/// Longest e-mail address a placeholder gives, in characters.
const EMAIL_CHARS: usize = 80;

/// A text with placeholders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Fact(String),
}

/// What a mapping can name.
const FACTS: [&str; 25] = [
    "interaction",
    "channel",
    "outcome",
    "queue",
    "queue_id",
    "agent",
    "agent_id",
    "customer",
    "email",
    "phone",
    "case_number",
    "page",
    "codes",
    "remark",
    "notes",
    "started_at",
    "answered_at",
    "ended_at",
    "duration_s",
    "wait_s",
    "not_classified",
    "direction",
    "number",
    "line",
    "recording",
];

impl Template {
    /// Reads a text with placeholders; `{{` and `}}` stand for braces.
    ///
    /// # Errors
    /// A lone brace or an unknown placeholder, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            plain.push_str(&rest[..at]);
            let (brace, after) = rest[at..].split_at(1);
            if let Some(after) = after.strip_prefix(brace) {
                plain.push_str(brace);
                rest = after;
                continue;
            }
            let named = if brace == "{" { after.split_once('}') } else { None };
            let Some((name, after)) = named else {
                return Err("a brace stands alone; write it twice".into());
            };
            if !FACTS.contains(&name) && !name.starts_with("answer.") {
                return Err(format!(
                    "unknown placeholder {{{name}}}; known are {}, answer.…",
                    FACTS.join(", ")
                ));
            }
            if !plain.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut plain)));
            }
            parts.push(Part::Fact(name.to_owned()));
            rest = after;
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        Ok(Self(parts))
    }

    /// The text, filled.
    #[must_use]
    pub fn render(&self, log: &Log) -> String {
        let mut text = String::new();
        for part in &self.0 {
            match part {
                Part::Text(plain) => text.push_str(plain),
                Part::Fact(name) => match fact(log, name) {
                    Value::String(value) => text.push_str(&value),
                    Value::Null => {}
                    other @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
                        text.push_str(&other.to_string());
                    }
                },
            }
        }
        text
    }

    /// The value for a field of at most `units_max` UTF-16 units; a lone placeholder keeps its type, an empty text is
    /// null.
    #[must_use]
    pub fn value(&self, log: &Log, units_max: usize) -> Value {
        let value = match self.0.as_slice() {
            [Part::Fact(name)] => fact(log, name),
            parts if parts.iter().all(|part| matches!(part, Part::Text(_))) => {
                Value::String(self.render(log))
            }
            _ => Value::String(many_lines(self.render(log).trim())),
        };
        match value {
            Value::String(text) if text.is_empty() => Value::Null,
            Value::String(text) => cut(&text, units_max, usize::MAX, "…").text.into(),
            other
            @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => other,
        }
    }
}

fn fact(log: &Log, name: &str) -> Value {
    let time = |at: Option<Timestamp>| at.map(|at| show(at, WIRE));
    let seconds = |from: Option<Timestamp>, to: Option<Timestamp>| match (from, to) {
        (Some(from), Some(to)) => json!(to.since(from).0 / 1000),
        (None, _) | (_, None) => Value::Null,
    };
    let person = &log.person;
    let call = log.call.as_ref();
    match name {
        "interaction" => log.key().into(),
        "channel" => channel(log).into(),
        "outcome" => outcome(log).into(),
        "queue" => log.queue_name.clone().into(),
        "queue_id" => log.queue.as_ref().map(ToString::to_string).into(),
        "agent" => log.agent_name.clone().into(),
        "agent_id" => log.agent.as_ref().map(ToString::to_string).into(),
        "customer" => customer(person).into(),
        "email" => person.email.as_deref().and_then(|text| email(text, EMAIL_CHARS)).into(),
        "phone" => person.phone.clone().into(),
        "case_number" => person.case_number.clone().into(),
        "page" => person.page.clone().into(),
        "codes" => log.codes.join(";").into(),
        "remark" => many_lines(&log.remarks.text).into(),
        "notes" => many_lines(&log.remarks.notes).into(),
        "started_at" => time(Some(log.started_at)).into(),
        "answered_at" => time(log.answered_at).into(),
        "ended_at" => time(log.ended_at).into(),
        "direction" => call
            .map(|_| match direction(log) {
                Direction::Inbound => "inbound",
                Direction::Outbound => "outbound",
            })
            .into(),
        "number" => call.and_then(|call| call.number.clone()).into(),
        "line" => call.and_then(|call| call.line.clone()).into(),
        "recording" => call.and_then(|call| call.recording.clone()).into(),
        "duration_s" => seconds(log.answered_at, log.ended_at),
        "wait_s" => seconds(Some(log.started_at), log.answered_at.or(log.ended_at)),
        "not_classified" => log.not_classified.into(),
        _ => name.strip_prefix("answer.").and_then(|label| person.answers.get(label)).cloned().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_filled_is_refused_when_it_is_read() {
        for (text, says) in [("{", "alone"), ("a}", "alone"), ("{que}", "unknown placeholder {que}")] {
            assert!(Template::parse(text).unwrap_err().contains(says), "{text}");
        }
        for text in ["", "{queue}", "{{queue}}", "{answer.Any label}", "{agent} of {queue}"] {
            assert!(Template::parse(text).is_ok(), "{text}");
        }
    }
}
