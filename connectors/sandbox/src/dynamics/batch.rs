//! `$batch`: requests in one, and change sets that happen whole or not at all (sheet 2.11).

use super::address;
use super::error::{self, ApiError, Result};
use super::http::below_root;
use super::odata::Annotations;
use super::org::Org;
use super::rest::{Answer, Call, Condition, Payload, Preferences};
use super::rules::Caller;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use uuid::Uuid;

/// Most operations of a batch.
const OPERATIONS_MAX: usize = 1_000;

/// One request inside a batch.
struct Inner {
    id: Option<String>,
    call: Call,
}

enum Part {
    One(Box<Inner>),
    Set(Vec<Inner>),
}

/// What a batch is read with.
pub(crate) struct Context<'a> {
    /// Where the environment is.
    pub(crate) org_url: &'a str,
    /// Where the service's root is.
    pub(crate) root: &'a str,
    /// Who calls.
    pub(crate) caller: &'a Caller,
}

fn bad(why: impl Into<String>) -> ApiError {
    ApiError::new(400, error::PAYLOAD, why)
}

/// The boundary that a content type names, in quotes or not.
pub(crate) fn boundary(content_type: &str) -> Option<String> {
    let (kind, rest) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/mixed") {
        return None;
    }
    let value = rest.split(';').find_map(|p| p.trim().strip_prefix("boundary="))?;
    Some(value.trim().trim_matches('"').to_owned()).filter(|b| !b.is_empty())
}

/// Answers a batch.
pub(crate) fn answer(
    org: &mut Org,
    context: &Context<'_>,
    content_type: &str,
    body: &str,
    prefer: &Preferences,
) -> Answer {
    match read(org, context, content_type, body) {
        Ok(parts) => run(org, context, parts, prefer.continue_on_error),
        Err(e) => Answer::error(&e, &prefer.annotations),
    }
}

fn read(org: &Org, context: &Context<'_>, content_type: &str, body: &str) -> Result<Vec<Part>> {
    if org.switches.batch_crlf && body.replace("\r\n", "").contains('\n') {
        return Err(bad("Lines of a batch end with CRLF."));
    }
    let body = body.replace("\r\n", "\n");
    let wanted = || bad("A batch needs the content type multipart/mixed with a boundary.");
    let mut out = Vec::new();
    for (headers, content) in sections(&body, &boundary(content_type).ok_or_else(wanted)?)? {
        match headers.get("content-type").and_then(|kind| boundary(kind)) {
            None => out.push(Part::One(Box::new(inner(context, &headers, content)?))),
            Some(boundary) => {
                let mut set = Vec::new();
                for (headers, content) in sections(content, &boundary)? {
                    let one = inner(context, &headers, content)?;
                    if one.call.method == "GET" {
                        return Err(bad("A change set holds no GET."));
                    }
                    set.push(one);
                }
                out.push(Part::Set(set));
            }
        }
    }
    let operations: usize = out.iter().map(|p| if let Part::Set(set) = p { set.len() } else { 1 }).sum();
    if operations > OPERATIONS_MAX {
        return Err(bad(format!("The number of operations exceeds the limit of {OPERATIONS_MAX}.")));
    }
    Ok(out)
}

type Headers = BTreeMap<String, String>;

/// Headers, their end, and what follows them.
fn headers(text: &str) -> (Headers, &str) {
    let mut out = Headers::new();
    let mut rest = text;
    loop {
        let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
        if line.trim().is_empty() {
            return (out, after);
        }
        if let Some((name, value)) = line.split_once(':') {
            out.insert(name.trim().to_lowercase(), value.trim().to_owned());
        }
        rest = after;
        if rest.is_empty() {
            return (out, rest);
        }
    }
}

/// What stands between the delimiters.
fn sections<'a>(body: &'a str, boundary: &str) -> Result<Vec<(Headers, &'a str)>> {
    let delimiter = format!("--{boundary}");
    let mut out = Vec::new();
    let mut from: Option<usize> = None;
    let mut at = 0;
    for line in body.split_inclusive('\n') {
        let text = line.trim_end();
        let closing = text == format!("{delimiter}--");
        if text == delimiter || closing {
            if let Some(from) = from {
                out.push(headers(&body[from..at]));
            }
            from = Some(at + line.len());
            if closing {
                return Ok(out);
            }
        }
        at += line.len();
    }
    Err(bad("The batch does not end with its boundary and two dashes."))
}

fn inner(context: &Context<'_>, part: &Headers, content: &str) -> Result<Inner> {
    if !part.get("content-type").is_some_and(|kind| kind.starts_with("application/http")) {
        return Err(bad("A part of a batch has the content type application/http."));
    }
    let (line, rest) = content.split_once('\n').unwrap_or((content, ""));
    let mut words = line.split_whitespace();
    let (Some(method), Some(url)) = (words.next(), words.next()) else {
        return Err(bad("A part of a batch begins with a request line."));
    };
    let (own, body) = headers(rest);
    let path = url.strip_prefix(context.org_url).unwrap_or(url);
    let (root, path, query) = match path.starts_with('/') {
        true => below_root(context.org_url, path).ok_or_else(|| ApiError::no_segment(url))?,
        false if path.contains("://") => return Err(ApiError::no_segment(url)),
        false => {
            let (path, query) = path.split_once('?').unwrap_or((path, ""));
            (context.root.to_owned(), path.to_owned(), query.to_owned())
        }
    };
    if path.starts_with("$batch") {
        return Err(bad("A batch holds no batch."));
    }
    let of = |name: &str| own.get(name).map(String::as_str).unwrap_or_default();
    let body = body.trim();
    let json = (!body.is_empty()).then(|| serde_json::from_str::<Value>(body));
    let call = Call {
        method: method.to_uppercase(),
        root,
        path,
        query: address::query(&query),
        if_match: Condition::read(of("if-match")),
        if_none_match: Condition::read(of("if-none-match")),
        prefer: Preferences::read(std::iter::once(of("prefer"))),
        body: json.transpose().map_err(|e| bad(format!("A body is not JSON: {e}")))?,
        caller: context.caller.clone(),
    };
    let id = part.get("content-id").or_else(|| own.get("content-id")).cloned();
    Ok(Inner { id, call })
}

/// Puts the addresses of earlier rows where a request says `$n`.
fn resolve(call: &mut Call, made: &BTreeMap<String, String>) -> Result<()> {
    let missing =
        |id: &str| bad(format!("Content-ID Reference: '${id}' does not exist in the batch context."));
    let id_of = |text: &str| {
        let id = text.strip_prefix('$')?.split(['/', '?']).next()?;
        (!id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')).then(|| id.to_owned())
    };
    if let Some(id) = id_of(&call.path) {
        let to = made.get(&id).ok_or_else(|| missing(&id))?;
        call.path = format!("{to}{}", &call.path[id.len() + 1..]);
    }
    let Some(Value::Object(body)) = &mut call.body else { return Ok(()) };
    for (name, value) in body {
        let id = value
            .as_str()
            .filter(|_| name.ends_with("@odata.bind"))
            .and_then(|v| id_of(v.trim_start_matches('/')));
        if let Some(id) = id {
            *value = Value::String(made.get(&id).ok_or_else(|| missing(&id))?.clone());
        }
    }
    Ok(())
}

fn run_one(org: &mut Org, mut one: Inner, made: &mut BTreeMap<String, String>) -> (Option<String>, Answer) {
    if let Err(e) = resolve(&mut one.call, made) {
        return (one.id, Answer::error(&e, &Annotations::default()));
    }
    let answer = one.call.answer(org);
    let address = answer.headers.iter().find(|(n, _)| *n == "odata-entityid").map(|(_, v)| v.clone());
    if let (Some(id), Some(address)) = (&one.id, address) {
        let below =
            address.strip_prefix(&one.call.root).unwrap_or(&address).trim_start_matches('/').to_owned();
        made.insert(id.clone(), below);
    }
    (one.id, answer)
}

fn run(org: &mut Org, context: &Context<'_>, parts: Vec<Part>, go_on: bool) -> Answer {
    debug_assert!(context.root.starts_with(context.org_url));
    let boundary = format!("batchresponse_{}", Uuid::new_v4());
    let mut text = String::new();
    let mut status = 200;
    for part in parts {
        let _ = write!(text, "--{boundary}\r\n");
        let failed = match part {
            Part::One(one) => {
                let (id, answer) = run_one(org, *one, &mut BTreeMap::new());
                written(&mut text, id.as_deref(), &answer);
                (answer.status >= 400).then_some(answer.status)
            }
            Part::Set(set) => change_set(org, set, &mut text),
        };
        if let Some(failed) = failed.filter(|_| !go_on) {
            status = failed;
            break;
        }
    }
    let _ = write!(text, "--{boundary}--\r\n");
    let kind = format!("multipart/mixed; boundary={boundary}");
    Answer { status, headers: vec![("content-type", kind)], payload: Payload::Text(text) }
}

/// Does a change set; the status of what failed, when something did and all was taken back.
fn change_set(org: &mut Org, set: Vec<Inner>, text: &mut String) -> Option<u16> {
    let savepoint = org.savepoint();
    let mut made = BTreeMap::new();
    let mut answers = Vec::new();
    for one in set {
        let (id, answer) = run_one(org, one, &mut made);
        if answer.status >= 400 {
            org.rollback(savepoint);
            written(text, id.as_deref(), &answer);
            return Some(answer.status);
        }
        answers.push((id, answer));
    }
    org.commit(savepoint);
    let boundary = format!("changesetresponse_{}", Uuid::new_v4());
    let _ = write!(text, "Content-Type: multipart/mixed; boundary={boundary}\r\n\r\n");
    for (id, answer) in answers {
        let _ = write!(text, "--{boundary}\r\n");
        written(text, id.as_deref(), &answer);
    }
    let _ = write!(text, "--{boundary}--\r\n");
    None
}

fn written(text: &mut String, id: Option<&str>, answer: &Answer) {
    let reason = axum::http::StatusCode::from_u16(answer.status).ok().and_then(|s| s.canonical_reason());
    text.push_str("Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n");
    if let Some(id) = id {
        let _ = write!(text, "Content-ID: {id}\r\n");
    }
    let _ = write!(text, "\r\nHTTP/1.1 {} {}\r\n", answer.status, reason.unwrap_or_default());
    let body = match &answer.payload {
        Payload::Empty => String::new(),
        Payload::Json(value) => {
            text.push_str("Content-Type: application/json; odata.metadata=minimal\r\n");
            value.to_string()
        }
        Payload::Text(body) => {
            text.push_str("Content-Type: text/plain\r\n");
            body.clone()
        }
    };
    text.push_str("OData-Version: 4.0\r\n");
    for (name, value) in &answer.headers {
        let name = match *name {
            "odata-entityid" => "OData-EntityId",
            "location" => "Location",
            "etag" => "ETag",
            "preference-applied" => "Preference-Applied",
            other => other,
        };
        let _ = write!(text, "{name}: {value}\r\n");
    }
    let _ = write!(text, "\r\n{body}\r\n");
}
