//! HTTP in front of the REST calls and the token endpoint: versions, tokens, headers, bodies in all the forms
//! clients send them, and the faults.

use super::Shared;
use super::composite::below_version;
use super::error::ApiError;
use super::oauth::{Host, OAuthError};
use super::org::Writer;
use super::rest::{self, Answer, Body as CallBody, Call, Payload};
use crate::faults::{Any, Kind, Special};
use crate::listen::Scissors;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{FromRequest as _, Multipart, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, LOCATION};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, post};
use base64::Engine as _;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tieline_connector_api::sandbox::Fault;

/// Largest body taken, in bytes.
const BODY_MAX: usize = 64 << 20;
/// Longest address, in bytes; longer is 414.
const URI_MAX: usize = 16_384;
/// Largest file given as base64 in JSON, in bytes of the text.
const JSON_FILE_MAX: usize = 50 << 20;

type App = State<Arc<Shared>>;

/// The host of tokens.
pub(crate) fn login(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/services/oauth2/token", post(token_login))
        .route("/services/oauth2/revoke", post(revoke))
        .route("/services/oauth2/introspect", post(introspect))
        .route("/id/{org}/{user}", any(identity))
        .fallback(wrong_host)
        .with_state(shared)
}

/// The host of the API.
pub(crate) fn instance(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/services/oauth2/token", post(token_instance))
        .route("/services/oauth2/revoke", post(revoke))
        .route("/services/oauth2/introspect", post(introspect))
        .route("/services/oauth2/userinfo", any(identity))
        .route("/id/{org}/{user}", any(identity))
        .route("/services/data", any(rest))
        .route("/services/data/", any(rest))
        .route("/services/data/{*rest}", any(rest))
        .fallback(unknown)
        .with_state(shared)
}

async fn wrong_host() -> Response {
    let says = "Destination URL not reset. The URL returned from login must be set";
    plain(&Answer::error(&ApiError::new(404, "URL_NOT_RESET", says)))
}

async fn unknown() -> Response {
    plain(&Answer::error(&ApiError::not_found()))
}

// ---- OAuth -------------------------------------------------------------------------------------------------------

async fn token_login(state: App, request: Request) -> Response {
    token(state, Host::Login, request).await
}

async fn token_instance(state: App, request: Request) -> Response {
    token(state, Host::Instance, request).await
}

async fn token(State(shared): App, host: Host, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let latency = shared.faults.latency();
    tokio::time::sleep(latency).await;
    let refused = shared.faults.take(Kind::Token);
    let Ok(body) = axum::body::to_bytes(body, 1 << 20).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let is_form = content_type(&parts.headers).starts_with("application/x-www-form-urlencoded");
    let mut form: HashMap<String, String> =
        parts.uri.query().map(pairs).unwrap_or_default().into_iter().collect();
    if is_form {
        form.extend(pairs(&String::from_utf8_lossy(&body)));
    }
    let basic = basic(&parts.headers);
    let switches = shared.world().org.switches.clone();
    let done = match refused {
        Some(Any::Special(Special::TokenRefused { error, description })) => {
            Err(OAuthError { status: 400, error, description })
        }
        Some(_) | None => shared.desk().token(&form, basic, host, &switches),
    };
    let answer = match done {
        Ok(body) => Answer::json(200, body),
        Err(e) => Answer::json(e.status, e.body(&switches)),
    };
    shared.requests.note("POST", parts.uri.path(), Some(answer.status));
    let mut response = plain(&answer);
    response.headers_mut().insert("cache-control", HeaderValue::from_static("no-cache, no-store"));
    response
}

fn pairs(text: &str) -> Vec<(String, String)> {
    rest::split(&format!("?{text}")).1
}

fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Basic ")?;
    let text = String::from_utf8(base64::engine::general_purpose::STANDARD.decode(value).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    Some((id.to_owned(), secret.to_owned()))
}

async fn revoke(State(shared): App, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap_or_default();
    let mut form = pairs(&String::from_utf8_lossy(&body));
    form.extend(parts.uri.query().map(pairs).unwrap_or_default());
    let token = form.iter().find(|(n, _)| n == "token").map(|(_, v)| v.as_str()).unwrap_or_default();
    if shared.desk().revoke(token) {
        return StatusCode::OK.into_response();
    }
    plain(&Answer::json(
        400,
        json!({"error": "unsupported_token_type", "error_description": "this token type is not supported"}),
    ))
}

async fn introspect(State(shared): App, body: String) -> Response {
    let form = pairs(&body);
    let token = form.iter().find(|(n, _)| n == "token").map(|(_, v)| v.as_str()).unwrap_or_default();
    let said = shared.desk().introspect(token);
    plain(&Answer::json(200, said))
}

async fn identity(State(shared): App, headers: HeaderMap) -> Response {
    let switches = shared.world().org.switches.clone();
    let user = bearer(&headers).ok().flatten().and_then(|t| shared.desk().user_of(&t, &switches));
    let Some(user) = user else {
        return (StatusCode::FORBIDDEN, "Bad_OAuth_Token").into_response();
    };
    let world = shared.world();
    let of = |name: &str| world.org.text(&user, name).map(str::to_owned);
    let body = json!({
        "id": format!("{}/id/{}/{user}", world.login_url, world.org.id), "user_id": user,
        "organization_id": world.org.id, "username": of("Username"), "display_name": of("Name"),
        "email": of("Email"), "active": true, "user_type": "STANDARD",
        "urls": {"rest": format!("{}/services/data/v{{version}}/", world.instance_url)},
    });
    plain(&Answer::json(200, body))
}

// ---- REST --------------------------------------------------------------------------------------------------------

/// The token in the Authorization header; `Err` when there is a header that is none.
fn bearer(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let Some(value) = headers.get(AUTHORIZATION) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default();
    let token = ["Bearer ", "OAuth "].iter().find_map(|scheme| {
        text.get(..scheme.len())
            .filter(|s| s.eq_ignore_ascii_case(scheme))
            .map(|s| text[s.len()..].trim().to_owned())
    });
    token.map(Some).ok_or_else(|| ApiError::new(401, "INVALID_AUTH_HEADER", "INVALID_HEADER_TYPE"))
}

fn content_type(headers: &HeaderMap) -> String {
    headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default().to_lowercase()
}

async fn rest(State(shared): App, request: Request) -> Response {
    let scissors = request.extensions().get::<Scissors>().cloned();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let pretty = request.headers().contains_key("x-prettyprint");
    tokio::time::sleep(shared.faults.latency()).await;
    match serve(&shared, request).await {
        Outcome::Answer(answer) => {
            shared.requests.note(method.as_str(), &path, Some(answer.status));
            let usage = shared.world().usage();
            let mut response = written(&answer, pretty);
            if let Ok(usage) = HeaderValue::from_str(&usage) {
                response.headers_mut().insert("sforce-limit-info", usage);
            }
            response
        }
        Outcome::Html(status) => {
            shared.requests.note(method.as_str(), &path, Some(status.as_u16()));
            let page =
                format!("<html><head><title>{status}</title></head><body><h1>{status}</h1></body></html>");
            (status, [(CONTENT_TYPE, "text/html")], page).into_response()
        }
        Outcome::Cut => {
            shared.requests.note(method.as_str(), &path, None);
            if let Some(scissors) = scissors {
                scissors.cut();
            }
            StatusCode::NO_CONTENT.into_response()
        }
    }
}

/// How a request is answered.
enum Outcome {
    Answer(Answer),
    Html(StatusCode),
    Cut,
}

impl From<ApiError> for Outcome {
    fn from(e: ApiError) -> Self {
        Self::Answer(Answer::error(&e))
    }
}

async fn serve(shared: &Arc<Shared>, request: Request) -> Outcome {
    let uri = request.uri().clone();
    if uri.to_string().len() > URI_MAX {
        return ApiError::new(414, "URI_TOO_LONG", "The URI is too long").into();
    }
    if matches!(uri.path().trim_end_matches('/'), "/services/data") {
        return Outcome::Answer(Answer::json(200, rest::versions()));
    }
    let target = uri.path_and_query().map_or("", axum::http::uri::PathAndQuery::as_str);
    let Some((version, rest)) = below_version(target) else { return ApiError::not_found().into() };
    if version <= rest::RETIRED_TO {
        let says = format!("API version {version}.0 has been retired. Use a later version.");
        return ApiError::new(410, "UNSUPPORTED_API_VERSION", says).into();
    }
    if !rest::ANSWERED.contains(&version) {
        return ApiError::not_found().into();
    }
    let (token, user) = match authorised(shared, request.headers()) {
        Ok(found) => found,
        Err(e) => return e.into(),
    };
    let (path, query) = rest::split(rest);
    let kind = kind_of(request.method(), &path);
    let mut call = match read(request, version, path, query, user).await {
        Ok(call) => call,
        Err(e) => return e.into(),
    };
    if call.path.len() == 1 && call.path[0] == "composite" {
        call.nested = false;
    }
    count(shared);
    if let Some(e) = over_daily(shared) {
        return e.into();
    }
    match shared.faults.take(kind) {
        Some(fault) => faulty(shared, &fault, &call, &token).await,
        None => Outcome::Answer(shared.world().answer(&call)),
    }
}

fn authorised(shared: &Shared, headers: &HeaderMap) -> Result<(String, String), ApiError> {
    let switches = shared.world().org.switches.clone();
    let token = bearer(headers)?.ok_or_else(ApiError::session)?;
    let user = shared.desk().user_of(&token, &switches).ok_or_else(ApiError::session)?;
    Ok((token, user))
}

fn count(shared: &Shared) {
    shared.world().calls += 1;
}

fn over_daily(shared: &Shared) -> Option<ApiError> {
    let world = shared.world();
    let over = world.org.switches.daily_enforced && world.calls > world.org.switches.daily_requests;
    over.then(|| ApiError::new(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."))
}

fn kind_of(method: &Method, path: &[String]) -> Kind {
    let writes = !matches!(*method, Method::GET | Method::HEAD);
    match path.first().map(String::as_str) {
        Some("query" | "queryAll" | "search" | "parameterizedSearch") => Kind::Search,
        Some("sobjects") if path.len() == 1 || path.get(2).is_some_and(|p| p == "describe") => Kind::Other,
        Some("sobjects" | "composite") if writes => Kind::Write,
        Some("sobjects" | "composite") => Kind::Read,
        Some(_) | None => Kind::Other,
    }
}

/// Answers under a fault.
async fn faulty(shared: &Arc<Shared>, fault: &Any, call: &Call, token: &str) -> Outcome {
    match fault {
        Any::Common(Fault::TokenExpired) => {
            shared.desk().revoke(token);
            ApiError::session().into()
        }
        Any::Common(Fault::Limited { .. }) => {
            // Salesforce says 403 and never sends Retry-After (sheet 2.6).
            let says = "ConcurrentRequests (Concurrent API Requests) Limit exceeded.";
            ApiError::new(403, "REQUEST_LIMIT_EXCEEDED", says).into()
        }
        Any::Common(Fault::ServerError) => {
            ApiError::new(503, "SERVER_UNAVAILABLE", "Server is unavailable, please try again later").into()
        }
        Any::Common(Fault::SavedThenDropped) => {
            let _ = shared.world().answer(call);
            Outcome::Cut
        }
        Any::Common(Fault::Locked) => {
            let mut world = shared.world();
            world.org.lock_next = true;
            let answer = world.answer(call);
            world.org.lock_next = false;
            Outcome::Answer(answer)
        }
        Any::Common(Fault::Stall { ms }) => {
            tokio::time::sleep(Duration::from_millis(*ms)).await;
            Outcome::Cut
        }
        // Kept apart from the list (it stays until cleared), or faults of other CRMs.
        Any::Common(Fault::Latency { .. })
        | Any::Special(Special::TokenRefused { .. } | Special::EmptyNotFound | Special::UnknownAccount)
        | Any::Dynamics(_) => Outcome::Answer(shared.world().answer(call)),
        Any::Special(Special::HtmlGateway { status }) => {
            Outcome::Html(StatusCode::from_u16(*status).unwrap_or(StatusCode::BAD_GATEWAY))
        }
        Any::Special(Special::DailyLimit) => {
            ApiError::new(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.").into()
        }
        Any::Special(Special::DuplicatesDetected) => {
            let mut world = shared.world();
            world.org.duplicate_next = true;
            let answer = world.answer(call);
            world.org.duplicate_next = false;
            Outcome::Answer(answer)
        }
        Any::Special(Special::UpsertRace) => {
            let answer = shared.world().answer(call);
            let id = match &answer.payload {
                Payload::Json(body) if answer.status == 201 => body["id"].as_str().map(str::to_owned),
                Payload::Json(_) | Payload::Empty | Payload::Bytes(_) => None,
            };
            let Some(id) = id else { return Outcome::Answer(answer) };
            let key = call.path.get(2).map_or("Tieline_Key__c", String::as_str);
            let says = format!("duplicate value found: {key} duplicates value on record with id: {id}");
            ApiError::field("DUPLICATE_VALUE", says, &[]).into()
        }
        Any::Special(Special::SessionNotValid) => {
            let says = "This session is not valid for use with the REST API";
            ApiError::new(401, "INVALID_SESSION_ID", says).into()
        }
        Any::Special(Special::QueryTimeout) => {
            ApiError::bad("QUERY_TIMEOUT", "Your query request was running for too long.").into()
        }
    }
}

async fn read(
    request: Request,
    version: u32,
    path: Vec<String>,
    query: Vec<(String, String)>,
    user: String,
) -> Result<Call, ApiError> {
    let headers = request.headers().clone();
    let method = request.method().clone();
    let text =
        |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().to_lowercase();
    let who = Writer {
        user,
        auto_assign: text("sforce-auto-assign") != "false",
        allow_duplicates: text("sforce-duplicate-rule-header").replace(' ', "").contains("allowsave=true"),
    };
    let batch =
        text("sforce-query-options").replace(' ', "").strip_prefix("batchsize=").and_then(|n| n.parse().ok());
    let body = body(request, &headers).await?;
    // A POST may say which method it means, for clients that cannot send PATCH.
    let meant = query.iter().find(|(n, _)| n == "_HttpMethod").map(|(_, m)| m.to_uppercase());
    let method = match meant.as_deref() {
        Some("PATCH") if method == Method::POST => Method::PATCH,
        Some(_) | None => method,
    };
    Ok(Call { method, version, path, query, body, who, batch, nested: false })
}

async fn body(request: Request, headers: &HeaderMap) -> Result<CallBody, ApiError> {
    let kind = content_type(headers);
    if kind.starts_with("multipart/form-data") {
        return multipart(request).await;
    }
    if headers.get("content-encoding").is_some_and(|v| v != "identity") {
        return Err(ApiError::new(415, "UNSUPPORTED_MEDIA_TYPE", "this sandbox takes no compressed bodies"));
    }
    let bytes = axum::body::to_bytes(request.into_body(), BODY_MAX).await;
    let bytes = bytes.map_err(|_| ApiError::new(413, "REQUEST_TOO_LARGE", "the request is too large"))?;
    if bytes.is_empty() {
        return Ok(CallBody::None);
    }
    if !kind.starts_with("application/json") {
        let says = format!("Content type '{kind}' is not supported; use application/json");
        return Err(ApiError::new(415, "UNSUPPORTED_MEDIA_TYPE", says));
    }
    let value: Value = serde_json::from_slice(&bytes)
        .map_err(|e| ApiError::json(format!("{e} at [line:{}, column:{}]", e.line(), e.column())))?;
    if value.get("VersionData").and_then(Value::as_str).is_some_and(|text| text.len() > JSON_FILE_MAX) {
        return Err(ApiError::bad("STRING_TOO_LONG", "VersionData: data value too large"));
    }
    Ok(CallBody::Json(value))
}

/// The JSON part and the binary part, in any order and under any name for the JSON (sheet 2.5).
async fn multipart(request: Request) -> Result<CallBody, ApiError> {
    let bad = |what: &str| ApiError::bad("INVALID_MULTIPART_REQUEST", what);
    let mut parts = Multipart::from_request(request, &()).await.map_err(|e| bad(&e.body_text()))?;
    let (mut entity, mut file) = (None, None);
    while let Some(part) = parts.next_field().await.map_err(|e| bad(&e.body_text()))? {
        let is_json = part.content_type().is_some_and(|t| t.starts_with("application/json"));
        let (name, has_file) = (part.name().unwrap_or_default().to_owned(), part.file_name().is_some());
        let content: Bytes = part.bytes().await.map_err(|e| bad(&e.body_text()))?;
        if is_json && !has_file {
            entity = Some(serde_json::from_slice(&content).map_err(|e| ApiError::json(e.to_string()))?);
        } else {
            file = Some((name, content));
        }
    }
    let entity = entity.ok_or_else(|| bad("the JSON part is missing"))?;
    Ok(CallBody::File(entity, file))
}

fn plain(answer: &Answer) -> Response {
    written(answer, false)
}

fn written(answer: &Answer, pretty: bool) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = match &answer.payload {
        Payload::Empty => status.into_response(),
        Payload::Json(value) => {
            let text =
                if pretty { serde_json::to_string_pretty(value) } else { serde_json::to_string(value) };
            let text = text.expect("JSON values can be written");
            (status, [(CONTENT_TYPE, "application/json;charset=UTF-8")], text).into_response()
        }
        Payload::Bytes(bytes) => {
            (status, [(CONTENT_TYPE, "application/octetstream")], Body::from(bytes.clone())).into_response()
        }
    };
    if let Some(location) = answer.location.as_deref().and_then(|l| HeaderValue::from_str(l).ok()) {
        response.headers_mut().insert(LOCATION, location);
    }
    if answer.status == 401 {
        response.headers_mut().insert("www-authenticate", HeaderValue::from_static("Token"));
    }
    response
}
