//! HTTP in front of the account: both spellings of every path, logins, headers, and the faults.

use super::Shared;
use super::answer::{Answer, ApiError, Payload};
use super::oauth::{OAuthError, Who};
use super::world::Call;
use crate::faults::{Any, Kind, Special};
use crate::listen::Scissors;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, LOCATION};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, get, post};
use base64::Engine as _;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tieline_connector_api::sandbox::Fault;

/// Largest body taken, in bytes: a little over the largest file.
const BODY_MAX: usize = 64 << 20;

type App = State<Arc<Shared>>;

/// The API, the token endpoint, and files.
pub(crate) fn routes(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/oauth/tokens", post(token))
        .route("/oauth/tokens.json", post(token))
        .route("/oauth/authorizations/new", get(authorize))
        .route("/api/v2/{*rest}", any(api))
        .route("/attachments/token/{id}/", get(file))
        .fallback(unknown)
        .with_state(shared)
}

async fn unknown() -> Response {
    written(&Answer { status: 404, payload: Payload::Empty, headers: Vec::new() })
}

/// A text for a query string.
pub(crate) fn encode(text: &str) -> String {
    let keep = |b: &u8| b.is_ascii_alphanumeric() || b"-._~".contains(b);
    text.bytes().map(|b| if keep(&b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

/// What percent signs, and in a query plus signs, stand for.
fn decode(text: &str, plus: bool) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        let hex = (bytes[i] == b'%').then(|| u8::from_str_radix(text.get(i + 1..i + 3)?, 16).ok()).flatten();
        match (hex, bytes[i]) {
            (Some(byte), _) => {
                out.push(byte);
                i += 3;
            }
            (None, byte) => {
                out.push(if plus && byte == b'+' { b' ' } else { byte });
                i += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Pairs of a query string.
pub(crate) fn pairs(query: &str) -> Vec<(String, String)> {
    query
        .split('&')
        .filter(|p| !p.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name, true), decode(value, true))
        })
        .collect()
}

// ---- OAuth -------------------------------------------------------------------------------------------------------

async fn token(State(shared): App, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    tokio::time::sleep(shared.faults.latency()).await;
    let refused = shared.faults.take(Kind::Token);
    let Ok(body) = axum::body::to_bytes(body, 1 << 20).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let switches = shared.world().switches.clone();
    let kind = header(&parts.headers, "content-type");
    let given = if kind.starts_with("application/json") {
        serde_json::from_slice(&body).unwrap_or_default()
    } else if switches.oauth_form && kind.starts_with("application/x-www-form-urlencoded") {
        pairs(&String::from_utf8_lossy(&body)).into_iter().map(|(n, v)| (n, json!(v))).collect()
    } else {
        Value::Null
    };
    let done = match refused {
        Some(Any::Special(Special::TokenRefused { error, description })) => {
            Err(OAuthError { status: 400, error, description })
        }
        Some(_) | None => shared.desk().grant(&given, &switches),
    };
    let answer = match done {
        Ok(body) => Answer::json(switches.oauth_status, body),
        Err(e) => Answer::json(e.status, json!({"error": e.error, "error_description": e.description})),
    };
    shared.requests.note("POST", parts.uri.path(), Some(answer.status));
    written(&answer.with("cache-control", "no-store"))
}

async fn authorize(State(shared): App, request: Request) -> Response {
    let query: HashMap<String, String> =
        pairs(request.uri().query().unwrap_or_default()).into_iter().collect();
    let switches = shared.world().switches.clone();
    let done = shared.desk().authorize(&query, &switches);
    shared.requests.note("GET", "/oauth/authorizations/new", Some(if done.is_ok() { 302 } else { 400 }));
    match done {
        Ok(to) => (StatusCode::FOUND, [(LOCATION, to)]).into_response(),
        Err(says) => (StatusCode::BAD_REQUEST, says).into_response(),
    }
}

// ---- API ---------------------------------------------------------------------------------------------------------

/// How a request is answered.
enum Outcome {
    Answer(Answer),
    Html(u16),
    Cut,
}

impl From<ApiError> for Outcome {
    fn from(e: ApiError) -> Self {
        Self::Answer(*e.0)
    }
}

async fn api(State(shared): App, request: Request) -> Response {
    let scissors = request.extensions().get::<Scissors>().cloned();
    let (method, path) = (request.method().to_string(), request.uri().path().to_owned());
    tokio::time::sleep(shared.faults.latency()).await;
    match serve(&shared, request).await {
        Outcome::Answer(answer) => {
            shared.requests.note(&method, &path, Some(answer.status));
            written(&answer)
        }
        Outcome::Html(status) => {
            shared.requests.note(&method, &path, Some(status));
            let page = format!(
                "<!DOCTYPE html><html><head><title>{status}</title></head><body><h1>We are down for maintenance</h1></body></html>"
            );
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
            (status, [(CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response()
        }
        Outcome::Cut => {
            shared.requests.note(&method, &path, None);
            if let Some(scissors) = scissors {
                scissors.cut();
            }
            StatusCode::NO_CONTENT.into_response()
        }
    }
}

fn header(headers: &HeaderMap, name: &str) -> String {
    headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned()
}

/// The path behind `/api/v2`, each part decoded, without `.json` at its end.
pub(crate) fn path_of(path: &str) -> Vec<String> {
    let path = path.strip_prefix("/api/v2/").unwrap_or_default().trim_end_matches('/');
    let path = path.strip_suffix(".json").unwrap_or(path);
    path.split('/').filter(|s| !s.is_empty()).map(|s| decode(s, false)).collect()
}

async fn serve(shared: &Arc<Shared>, request: Request) -> Outcome {
    let (parts, body) = request.into_parts();
    let Ok(raw) = axum::body::to_bytes(body, BODY_MAX).await else {
        return ApiError::new(413, "RequestTooLarge", "The request is too large").into();
    };
    let path = path_of(parts.uri.path());
    let method = parts.method.to_string();
    let bearer = header(&parts.headers, "authorization").strip_prefix("Bearer ").map(str::to_owned);
    let who = match who(shared, &parts.headers) {
        Ok(who) => who,
        Err(e) => return e.into(),
    };
    if let Some(e) = refused_for_scope(&who, &method, &path) {
        return e.into();
    }
    if let ("DELETE", ["oauth", "tokens", id]) =
        (method.as_str(), &path.iter().map(String::as_str).collect::<Vec<_>>()[..])
    {
        let gone = id.parse().is_ok_and(|id| shared.desk().revoke(id));
        return if gone { Outcome::Answer(Answer::nothing()) } else { ApiError::not_found().into() };
    }
    let call =
        match understood(&parts.headers, method, path, parts.uri.query().unwrap_or_default(), raw, &who) {
            Ok(call) => call,
            Err(e) => return e.into(),
        };
    match shared.faults.take(kind_of(&call)) {
        Some(fault) => faulty(shared, &fault, &call, bearer.as_deref()).await,
        None => Outcome::Answer(shared.world().answer(&call)),
    }
}

fn understood(
    headers: &HeaderMap,
    method: String,
    path: Vec<String>,
    query: &str,
    raw: Bytes,
    who: &Who,
) -> Result<Call, ApiError> {
    let content_type = header(headers, "content-type").to_lowercase();
    let is_upload = path.first().is_some_and(|p| p == "uploads");
    let json = match (is_upload, raw.is_empty()) {
        (true, _) | (_, true) => None,
        (false, false) if content_type.starts_with("application/json") => {
            // A body of "" is what one client sends for nothing.
            let read = serde_json::from_slice::<Value>(&raw);
            Some(read.map_err(|e| {
                let says = format!("The request body is not valid JSON: {e}");
                ApiError::new(400, "InvalidJSON", says)
            })?)
        }
        (false, false) => {
            return Err(ApiError::new(
                415,
                "UnsupportedMediaType",
                "The request body must be application/json",
            ));
        }
    };
    let idempotency = headers.get("idempotency-key").map(|_| header(headers, "idempotency-key"));
    Ok(Call {
        method,
        path,
        query: pairs(query),
        raw,
        content_type,
        json,
        who: who.user,
        agent: header(headers, "user-agent"),
        idempotency,
        token: who.token.clone(),
    })
}

/// Who asks: a bearer, an API token, or nobody, who may ask a few things.
fn who(shared: &Shared, headers: &HeaderMap) -> Result<Who, ApiError> {
    let given = header(headers, "authorization");
    if given.is_empty() && !headers.contains_key(AUTHORIZATION) {
        return Ok(Who { user: 0, scopes: None, token: None });
    }
    let scheme = |name: &str| {
        given
            .get(..name.len())
            .filter(|s| s.eq_ignore_ascii_case(name))
            .map(|_| given[name.len()..].trim().to_owned())
    };
    if let Some(token) = scheme("Bearer ") {
        return shared.desk().bearer(&token).ok_or_else(ApiError::token);
    }
    let pair = scheme("Basic ").and_then(|text| {
        let bytes = base64::engine::general_purpose::STANDARD.decode(text).ok()?;
        let text = String::from_utf8(bytes).ok()?;
        let (user, secret) = text.split_once(':')?;
        // Passwords are no longer taken (sheet 1.1).
        Some((user.strip_suffix("/token")?.to_owned(), secret.to_owned()))
    });
    let (email, secret) = pair.ok_or_else(ApiError::login)?;
    let world = shared.world();
    let right = shared.desk().basic_is_right(&secret, &world.switches);
    let user = world
        .account
        .by_email(&email)
        .filter(|id| right && world.account.user(*id).is_some_and(|u| u.active));
    user.map(|user| Who { user, scopes: None, token: None }).ok_or_else(ApiError::login)
}

fn refused_for_scope(who: &Who, method: &str, path: &[String]) -> Option<ApiError> {
    let first = path.first().map_or("", String::as_str);
    let resource = match first {
        "tickets" | "uploads" | "deleted_tickets" | "comment_redactions" => "tickets",
        "users" => "users",
        "organizations" => "organizations",
        "apps" => "apps",
        "triggers" => "triggers",
        _ => "",
    };
    let missing = who.scopes.as_ref()?.missing(resource, !matches!(method, "GET" | "HEAD"))?;
    Some(ApiError::scope(&missing))
}

fn kind_of(call: &Call) -> Kind {
    let writes = call.method != "GET";
    let path: Vec<&str> = call.path.iter().map(String::as_str).collect();
    match path.as_slice() {
        ["users", "me"]
        | ["oauth" | "account" | "job_statuses" | "groups" | "brands" | "triggers" | "ticket_fields", ..] => {
            Kind::Other
        }
        ["search", ..] | ["users", "search"] => Kind::Search,
        ["channels", .., "display"] | ["apps", "notify"] => Kind::Read,
        [
            "users" | "tickets" | "uploads" | "comment_redactions" | "deleted_tickets" | "channels" | "calls",
            ..,
        ] if writes => Kind::Write,
        _ => Kind::Read,
    }
}

/// Answers under a fault.
async fn faulty(shared: &Arc<Shared>, fault: &Any, call: &Call, bearer: Option<&str>) -> Outcome {
    match fault {
        Any::Common(Fault::TokenExpired) | Any::Special(Special::SessionNotValid) => match bearer {
            Some(token) => {
                shared.desk().expire(token);
                ApiError::token().into()
            }
            None => ApiError::login().into(),
        },
        Any::Common(Fault::Limited { retry_after_s }) => ApiError::limited(*retry_after_s).into(),
        Any::Special(Special::DailyLimit) => ApiError::limited(Some(60)).into(),
        Any::Common(Fault::ServerError) => ApiError::new(
            500,
            "InternalError",
            "Something went wrong on our side. Please try again in a moment.",
        )
        .into(),
        Any::Common(Fault::SavedThenDropped) => {
            let _ = shared.world().answer(call);
            Outcome::Cut
        }
        Any::Common(Fault::Locked) => ApiError::new(409, "DatabaseConflict", "Database collision").into(),
        Any::Common(Fault::Stall { ms }) => {
            tokio::time::sleep(Duration::from_millis(*ms)).await;
            Outcome::Cut
        }
        Any::Special(Special::HtmlGateway { status }) => Outcome::Html(*status),
        Any::Special(Special::QueryTimeout) => {
            let says = "Sorry, we could not complete your search query. Please try again in a moment.";
            ApiError::new(503, "unavailable", says).into()
        }
        Any::Special(Special::EmptyNotFound) => ApiError::empty_not_found().into(),
        Any::Special(Special::UnknownAccount) => {
            let says = json!({"error": {"title": "No help desk at this address", "message": "There is no help desk configured at this address."}});
            Outcome::Answer(Answer::json(404, says))
        }
        // Kept apart from the list, or faults of other CRMs.
        Any::Common(Fault::Latency { .. })
        | Any::Special(Special::TokenRefused { .. } | Special::DuplicatesDetected | Special::UpsertRace)
        | Any::Dynamics(_) => Outcome::Answer(shared.world().answer(call)),
    }
}

/// A file behind its address; whoever knows the address may read it.
async fn file(State(shared): App, Path(id): Path<u64>) -> Response {
    let found = shared.world().account.attachment(id).cloned();
    let Some(found) = found else { return StatusCode::NOT_FOUND.into_response() };
    written(&Answer {
        status: 200,
        payload: Payload::File(found.content_type, found.content),
        headers: Vec::new(),
    })
}

fn written(answer: &Answer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    const JSON: &str = "application/json; charset=utf-8";
    let mut response = match &answer.payload {
        Payload::Empty => status.into_response(),
        Payload::EmptyJson => (status, [(CONTENT_TYPE, JSON)]).into_response(),
        Payload::Json(value) => (status, [(CONTENT_TYPE, JSON)], value.to_string()).into_response(),
        Payload::JsonAsText(value) => {
            (status, [(CONTENT_TYPE, "text/plain; charset=utf-8")], value.to_string()).into_response()
        }
        Payload::File(kind, content) => {
            let safe = [
                (CONTENT_TYPE, kind.as_str()),
                (HeaderName::from_static("x-content-type-options"), "nosniff"),
                (HeaderName::from_static("content-security-policy"), "sandbox; default-src 'none'"),
            ];
            (status, safe, Body::from(content.clone())).into_response()
        }
    };
    for (name, value) in &answer.headers {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().append(HeaderName::from_static(name), value);
        }
    }
    let id = format!("{:016x}", rand::random::<u64>());
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert("x-request-id", id);
    }
    response
}
