//! Several calls in one: composite with `@{references}` and rollback, graph, batch, and sObject Collections
//! (sheet 2.4).

use super::error::{ApiError, Result};
use super::org::Upserted;
use super::rest::{Answer, Body, Call, Payload, World, split};
use http::Method;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

const SUBREQUESTS_MAX: usize = 25;
const QUERIES_MAX: usize = 5;
const ROWS_MAX: usize = 200;
const GRAPHS_MAX: usize = 75;
const NODES_MAX: usize = 500;

/// Answers `/composite…`; `rest` is the path behind it.
///
/// # Errors
/// What the API answers as an error to the request as a whole.
pub(crate) fn handle(world: &mut World, call: &Call, rest: &[&str]) -> Result<Answer> {
    match rest {
        [] => post(call).and_then(|()| composite(world, call)),
        ["graph"] => post(call).and_then(|()| graphs(world, call)),
        ["batch"] => post(call).and_then(|()| batch(world, call)),
        ["sobjects"] => collections(world, call),
        ["sobjects", object, field] if call.method == Method::PATCH => {
            let rows = rows(call)?;
            upsert_rows(world, call, object, field, &rows)
        }
        _ => Err(ApiError::not_found()),
    }
}

fn post(call: &Call) -> Result<()> {
    if call.method == Method::POST { Ok(()) } else { Err(ApiError::method(call.method.as_str(), "POST")) }
}

fn list<'a>(body: &'a Map<String, Value>, name: &str, max: usize) -> Result<&'a Vec<Value>> {
    let all = body
        .get(name)
        .and_then(Value::as_array)
        .ok_or_else(|| ApiError::json(format!("{name} is missing")))?;
    if all.is_empty() || all.len() > max {
        let says = format!("{name} takes 1 to {max} entries, {} were given", all.len());
        return Err(ApiError::bad("PROCESSING_HALTED", says));
    }
    Ok(all)
}

fn composite(world: &mut World, call: &Call) -> Result<Answer> {
    let body = call.object()?;
    let requests = list(body, "compositeRequest", SUBREQUESTS_MAX)?;
    let reads = |r: &&Value| {
        let url = r["url"].as_str().unwrap_or_default();
        url.contains("/query") || url.contains("/composite/sobjects")
    };
    if requests.iter().filter(reads).count() > QUERIES_MAX {
        let says = format!("at most {QUERIES_MAX} queries or collections in one composite request");
        return Err(ApiError::bad("LIMIT_EXCEEDED", says));
    }
    let all = body.get("allOrNone").and_then(Value::as_bool).unwrap_or(false);
    let (answers, _) = sequence(world, call, requests, all, true)?;
    Ok(Answer::json(200, json!({"compositeResponse": answers})))
}

/// Runs subrequests in order; whether all went well.
fn sequence(
    world: &mut World,
    call: &Call,
    requests: &[Value],
    all_or_none: bool,
    queries: bool,
) -> Result<(Vec<Value>, bool)> {
    let mut seen: BTreeMap<String, Value> = BTreeMap::new();
    let mut answers: Vec<(String, Answer)> = Vec::new();
    let mut failed: Option<usize> = None;
    let mark = world.org.savepoint();
    for request in requests {
        let reference = request["referenceId"].as_str().unwrap_or_default().to_owned();
        let valid =
            !reference.is_empty() && reference.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !valid || answers.iter().any(|(r, _)| *r == reference) {
            world.org.rollback_to(mark);
            let says = format!("Invalid or repeated reference ID '{reference}'");
            return Err(ApiError::bad("INVALID_INPUT", says));
        }
        let answer = if failed.is_some() && all_or_none {
            Answer::error(&halted())
        } else {
            one(world, call, request, &seen, queries)
        };
        if let (Payload::Json(body), true) = (&answer.payload, answer.status < 400) {
            seen.insert(reference.clone(), body.clone());
        }
        if answer.status >= 300 && failed.is_none() {
            failed = Some(answers.len());
        }
        answers.push((reference, answer));
    }
    match failed {
        Some(at) if all_or_none => {
            world.org.rollback_to(mark);
            for (i, (_, answer)) in answers.iter_mut().enumerate() {
                if i != at {
                    *answer = Answer::error(&halted());
                }
            }
        }
        Some(_) | None => world.org.release(mark),
    }
    Ok((answers.iter().map(|(reference, answer)| shown(reference, answer)).collect(), failed.is_none()))
}

fn halted() -> ApiError {
    ApiError::bad(
        "PROCESSING_HALTED",
        "The transaction was rolled back since another operation in the same transaction failed.",
    )
}

fn shown(reference: &str, answer: &Answer) -> Value {
    let body = match &answer.payload {
        Payload::Json(body) => body.clone(),
        Payload::Empty | Payload::Bytes(_) => Value::Null,
    };
    let headers = match &answer.location {
        Some(location) => json!({"Location": location}),
        None => json!({}),
    };
    json!({"body": body, "httpHeaders": headers, "httpStatusCode": answer.status, "referenceId": reference})
}

fn one(
    world: &mut World,
    call: &Call,
    request: &Value,
    seen: &BTreeMap<String, Value>,
    queries: bool,
) -> Answer {
    match subcall(call, request, seen, queries) {
        Ok(sub) => world.answer(&sub),
        Err(e) => Answer::error(&e),
    }
}

fn subcall(call: &Call, request: &Value, seen: &BTreeMap<String, Value>, queries: bool) -> Result<Call> {
    let method =
        request["method"].as_str().and_then(|m| Method::from_bytes(m.to_uppercase().as_bytes()).ok());
    let method = method.ok_or_else(|| ApiError::json("a subrequest needs a method"))?;
    let url = resolve_text(request["url"].as_str().unwrap_or_default(), seen)?;
    let Some((version, rest)) = below_version(&url) else {
        return Err(ApiError::bad("INVALID_INPUT", format!("Invalid URL '{url}'")));
    };
    let (path, query) = split(rest);
    if !queries && path.first().map(String::as_str) != Some("sobjects") {
        return Err(ApiError::bad("INVALID_INPUT", "only sobjects resources are allowed in a graph"));
    }
    let body = match request.get("body") {
        None | Some(Value::Null) => Body::None,
        Some(body) => Body::Json(resolve(body, seen)?),
    };
    let mut who = call.who.clone();
    if let Some(headers) = request["httpHeaders"].as_object() {
        let given = headers.iter().find(|(n, _)| n.eq_ignore_ascii_case("Sforce-Auto-Assign"));
        if let Some((_, value)) = given {
            who.auto_assign = !value.as_str().unwrap_or_default().eq_ignore_ascii_case("false");
        }
    }
    Ok(Call { method, version, path, query, body, who, batch: None, nested: true })
}

/// The version in `/services/data/vNN.0` and what follows it.
#[must_use]
pub(crate) fn below_version(url: &str) -> Option<(u32, &str)> {
    let rest = url.strip_prefix("/services/data/")?.strip_prefix('v')?;
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (major, minor) = rest[..end].split_once('.')?;
    (minor == "0").then_some(())?;
    Some((major.parse().ok()?, &rest[end..]))
}

fn resolve(value: &Value, seen: &BTreeMap<String, Value>) -> Result<Value> {
    Ok(match value {
        Value::String(text) => json!(resolve_text(text, seen)?),
        Value::Array(all) => Value::Array(all.iter().map(|v| resolve(v, seen)).collect::<Result<_>>()?),
        Value::Object(all) => {
            let pairs = all.iter().map(|(k, v)| Ok((k.clone(), resolve(v, seen)?)));
            Value::Object(pairs.collect::<Result<_>>()?)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    })
}

/// Replaces `@{ref.path[0].field}`.
fn resolve_text(text: &str, seen: &BTreeMap<String, Value>) -> Result<String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("@{") {
        let Some(len) = rest[start..].find('}') else { break };
        out.push_str(&rest[..start]);
        let path = &rest[start + 2..start + len];
        out.push_str(&lookup(path, seen)?);
        rest = &rest[start + len + 1..];
    }
    Ok(out + rest)
}

fn lookup(path: &str, seen: &BTreeMap<String, Value>) -> Result<String> {
    let flat = path.replace('[', ".").replace(']', "");
    let mut parts = flat.split('.');
    let reference = parts.next().unwrap_or_default();
    let invalid =
        |what: &str| ApiError::bad("PROCESSING_HALTED", format!("Invalid reference specified. {what}"));
    let Some(start) = seen.get(reference) else {
        return Err(invalid(&format!("No value for {path} found in the results of earlier subrequests")));
    };
    let found = parts.try_fold(start, |at, part| match part.parse::<usize>() {
        Ok(index) => at.get(index),
        Err(_) => at.get(part),
    });
    match found {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(other @ (Value::Number(_) | Value::Bool(_))) => Ok(other.to_string()),
        Some(Value::Null | Value::Array(_) | Value::Object(_)) | None => {
            Err(invalid(&format!("No value for {path} found in {reference}")))
        }
    }
}

fn graphs(world: &mut World, call: &Call) -> Result<Answer> {
    let body = call.object()?;
    let graphs = list(body, "graphs", GRAPHS_MAX)?;
    let nodes: usize = graphs.iter().filter_map(|g| g["compositeRequest"].as_array()).map(Vec::len).sum();
    if nodes > NODES_MAX {
        return Err(ApiError::bad(
            "LIMIT_EXCEEDED",
            format!("a graph request takes at most {NODES_MAX} nodes"),
        ));
    }
    let mut out = Vec::new();
    for graph in graphs {
        let id = graph["graphId"].as_str().ok_or_else(|| ApiError::json("a graph needs a graphId"))?;
        let requests = graph["compositeRequest"].as_array().cloned().unwrap_or_default();
        let (answers, good) = sequence(world, call, &requests, true, false)?;
        out.push(json!({
            "graphId": id, "graphResponse": {"compositeResponse": answers}, "isSuccessful": good,
        }));
    }
    Ok(Answer::json(200, json!({"graphs": out})))
}

fn batch(world: &mut World, call: &Call) -> Result<Answer> {
    let body = call.object()?;
    let requests = list(body, "batchRequests", SUBREQUESTS_MAX)?;
    let halt = body.get("haltOnError").and_then(Value::as_bool).unwrap_or(false);
    // The request itself is counted where it came in; the rest of its subrequests here.
    world.calls += requests.len() as u64 - 1;
    let mut errors = false;
    let mut results = Vec::new();
    for request in requests {
        if errors && halt {
            results.push(json!({"statusCode": 412, "result": ApiError::bad("BATCH_PROCESSING_HALTED", "Batch processing halted per request").body()}));
            continue;
        }
        let url = request["url"].as_str().unwrap_or_default().trim_start_matches('/');
        let full =
            if url.starts_with("services/") { format!("/{url}") } else { format!("/services/data/{url}") };
        let inner = json!({"method": request["method"], "url": full, "body": request["richInput"]});
        let answer = one(world, call, &inner, &BTreeMap::new(), true);
        errors |= answer.status >= 400;
        let result = match answer.payload {
            Payload::Json(body) => body,
            Payload::Empty | Payload::Bytes(_) => Value::Null,
        };
        results.push(json!({"statusCode": answer.status, "result": result}));
    }
    Ok(Answer::json(200, json!({"hasErrors": errors, "results": results})))
}

// ---- sObject Collections -----------------------------------------------------------------------------------------

fn rows(call: &Call) -> Result<Vec<Map<String, Value>>> {
    let records = list(call.object()?, "records", ROWS_MAX)?;
    let each = records.iter().map(|r| {
        let row = r.as_object().cloned();
        row.ok_or_else(|| ApiError::json("a record must be an object"))
    });
    each.collect()
}

fn type_of(row: &Map<String, Value>) -> Result<String> {
    let name = row.get("attributes").and_then(|a| a["type"].as_str()).map(str::to_owned);
    name.ok_or_else(|| ApiError::bad("INVALID_INPUT", "a record needs attributes with a type"))
}

fn collections(world: &mut World, call: &Call) -> Result<Answer> {
    match call.method {
        Method::POST => {
            let rows = rows(call)?;
            each(world, call, rows.len(), |world, i| {
                let object = world.org.schema.path(&type_of(&rows[i])?)?.clone();
                let id = world.org.insert(&object, &rows[i], &call.who)?;
                Ok(json!({"id": id, "success": true, "errors": []}))
            })
        }
        Method::PATCH => {
            let rows = rows(call)?;
            each(world, call, rows.len(), |world, i| {
                let mut row = rows[i].clone();
                let object = world.org.schema.path(&type_of(&row)?)?.clone();
                let key = row.keys().find(|k| k.eq_ignore_ascii_case("Id")).cloned();
                let given = key.and_then(|k| row.remove(&k)).and_then(|v| v.as_str().map(str::to_owned));
                let given = given
                    .ok_or_else(|| ApiError::bad("MISSING_ARGUMENT", "Id not specified in an update call"))?;
                let id = world.org.locate(&object, &given)?;
                world.org.update(&object, &id, &row, &call.who)?;
                Ok(json!({"id": id, "success": true, "errors": []}))
            })
        }
        Method::DELETE => {
            let ids =
                call.query.iter().find(|(n, _)| n == "ids").map(|(_, v)| v.as_str()).unwrap_or_default();
            let ids: Vec<&str> = ids.split(',').filter(|s| !s.is_empty()).collect();
            each(world, call, ids.len(), |world, i| {
                let object = world.org.schema.of_id(ids[i]).ok_or_else(ApiError::not_found)?.clone();
                let id = world.org.locate(&object, ids[i])?;
                world.org.delete(&object, &id)?;
                Ok(json!({"id": id, "success": true, "errors": []}))
            })
        }
        _ => Err(ApiError::method(call.method.as_str(), "DELETE,PATCH,POST")),
    }
}

fn upsert_rows(
    world: &mut World,
    call: &Call,
    object: &str,
    field: &str,
    rows: &[Map<String, Value>],
) -> Result<Answer> {
    let object = world.org.schema.path(object)?.clone();
    each(world, call, rows.len(), |world, i| {
        let mut row = rows[i].clone();
        let key = row.keys().find(|k| k.eq_ignore_ascii_case(field)).cloned();
        let value = key.and_then(|k| row.remove(&k)).and_then(|v| v.as_str().map(str::to_owned));
        let value =
            value.ok_or_else(|| ApiError::bad("MISSING_ARGUMENT", format!("{field} not specified")))?;
        match world.org.upsert(&object, field, &value, &row, &call.who, false)? {
            Upserted::Created(id) => Ok(json!({"id": id, "success": true, "errors": [], "created": true})),
            Upserted::Updated(id) => Ok(json!({"id": id, "success": true, "errors": [], "created": false})),
            Upserted::Several(ids) => {
                let says = format!("{field}: more than one record found for external id field: {ids:?}");
                Err(ApiError::bad("DUPLICATE_EXTERNAL_ID", says))
            }
        }
    })
}

/// Runs one step per row; 200 even when rows failed, with `allOrNone` taking all of them back.
fn each(
    world: &mut World,
    call: &Call,
    rows: usize,
    mut step: impl FnMut(&mut World, usize) -> Result<Value>,
) -> Result<Answer> {
    let in_query = call.query.iter().any(|(n, v)| n == "allOrNone" && v == "true");
    let all = in_query || call.json().is_ok_and(|b| b["allOrNone"] == true);
    let whole = world.org.savepoint();
    let mut out: Vec<Value> = Vec::new();
    let mut failed = false;
    for i in 0..rows {
        let mark = world.org.savepoint();
        match step(world, i) {
            Ok(row) => {
                world.org.release(mark);
                out.push(row);
            }
            Err(e) => {
                world.org.rollback_to(mark);
                failed = true;
                out.push(json!({"success": false, "errors": [e.row()]}));
            }
        }
    }
    if !(failed && all) {
        world.org.release(whole);
        return Ok(Answer::json(200, json!(out)));
    }
    world.org.rollback_to(whole);
    let rolled = ApiError::bad(
        "ALL_OR_NONE_OPERATION_ROLLED_BACK",
        "Record rolled back because not all records were valid and the request was using AllOrNone header",
    );
    for row in &mut out {
        if row["success"] == true {
            *row = json!({"success": false, "errors": [rolled.row()]});
        }
    }
    Ok(Answer::json(200, json!(out)))
}
