//! Whether two commands with one id are the same command (promise 2). Ids that the edge mints anew on every try do
//! not count; what people wrote does.

use super::Request;
use aws_lc_rs::digest::{SHA256, digest};
use serde_json::Value;
use std::collections::HashMap;
use tieline_model::{Actor, Wish};

/// SHA-256 over what the caller meant.
pub(super) fn of(request: &Request) -> [u8; 32] {
    let mut body = serde_json::to_value(&request.command.wish).unwrap_or_default();
    if let (Wish::ReportCall { .. }, Value::Object(fields)) = (&request.command.wish, &mut body) {
        fields.remove("interaction");
        fields.remove("conversation");
    }
    let content: HashMap<String, String> = request
        .content
        .iter()
        .map(|c| (c.id.to_string(), serde_json::to_string(&c.content).unwrap_or_default()))
        .collect();
    name_by_content(&mut body, &content);
    sha256(body.to_string().as_bytes())
}

/// Who sent a command, as the journal remembers it; ids of different callers do not meet.
pub(super) fn caller(by: &Actor) -> String {
    match by {
        Actor::Agent { agent } => format!("agent:{agent}"),
        Actor::Customer { conversation } => format!("customer:{conversation}"),
        Actor::Producer { name } => format!("producer:{name}"),
        Actor::Connection { connection } => format!("connection:{connection}"),
        Actor::Daemon => "daemon".to_owned(),
    }
}

fn name_by_content(value: &mut Value, content: &HashMap<String, String>) {
    match value {
        Value::String(text) => {
            if let Some(said) = content.get(text.as_str()) {
                text.clone_from(said);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|v| name_by_content(v, content)),
        Value::Object(fields) => fields.values_mut().for_each(|v| name_by_content(v, content)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

pub(super) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest(&SHA256, bytes).as_ref());
    out
}
