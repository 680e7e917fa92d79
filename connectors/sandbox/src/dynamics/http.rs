//! HTTP in front of the Web API and the token endpoint: hosts, tokens, headers, limits, and the faults.

use super::Shared;
use super::address;
use super::batch;
use super::cell::Cell;
use super::entra::TokenError;
use super::error::{self, ApiError};
use super::odata::Annotations;
use super::rest::{Answer, Call, Condition, Payload, Preferences};
use super::rules::Caller;
use super::search;
use crate::faults::{Any, Dynamics, Kind, Limit, Special};
use crate::listen::Scissors;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, get, post};
use base64::Engine as _;
use serde_json::{Value, json};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};
use tieline_connector_api::sandbox::Fault;
use uuid::Uuid;

/// Largest body taken, in bytes.
const BODY_MAX: usize = 192 << 20;
/// The window of the service protection limits.
const WINDOW: Duration = Duration::from_secs(300);

type App = State<Arc<Shared>>;

/// What the service protection limits count of the application user.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    requests: VecDeque<Instant>,
    searches: VecDeque<Instant>,
    at_once: u32,
}

/// The host of tokens.
pub(crate) fn login(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/{tenant}/oauth2/v2.0/token", post(token))
        .route("/{tenant}/v2.0/.well-known/openid-configuration", get(configuration))
        .route("/{tenant}/discovery/v2.0/keys", get(|| async { axum::Json(json!({"keys": []})) }))
        .with_state(shared)
}

/// The host of the Web API.
pub(crate) fn api(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/api/search/v2.0/query", any(web_api))
        .route("/api/data/{version}", any(web_api))
        .route("/api/data/{version}/", any(web_api))
        .route("/api/data/{version}/{*rest}", any(web_api))
        .with_state(shared)
}

// ---- tokens ------------------------------------------------------------------------------------------------------

async fn configuration(State(shared): App, Path(tenant): Path<String>, request: Request) -> Response {
    tokio::time::sleep(shared.faults.latency()).await;
    let known = shared.desk().is_tenant(&tenant);
    let answer = if known {
        Answer::json(200, shared.desk().configuration(&tenant))
    } else {
        let says = format!("Tenant '{tenant}' not found.");
        let e = TokenError { status: 400, error: "invalid_tenant".to_owned(), code: 90_002, says };
        Answer::json(400, e.body())
    };
    shared.requests.note("GET", request.uri().path(), Some(answer.status));
    written(&answer)
}

async fn token(State(shared): App, Path(tenant): Path<String>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    tokio::time::sleep(shared.faults.latency()).await;
    let Ok(body) = axum::body::to_bytes(body, 1 << 20).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    // Only the body counts; whatever libraries put behind the question mark is ignored (sheet 1.1).
    let form: HashMap<String, String> = address::query(&String::from_utf8_lossy(&body)).into_iter().collect();
    let switches = shared.org().switches.clone();
    let done = match shared.faults.take(Kind::Token) {
        Some(Any::Dynamics(Dynamics::EntraRefused { status, error, code })) => {
            Err(TokenError { status, error, code, says: "Refused on demand.".to_owned() })
        }
        Some(_) | None => shared.desk().token(&tenant, &form, basic(&parts.headers), &switches),
    };
    let answer = match done {
        Ok(body) => Answer::json(200, body),
        Err(e) => Answer::json(e.status, e.body()),
    };
    shared.requests.note("POST", parts.uri.path(), Some(answer.status));
    let mut response = written(&answer);
    response.headers_mut().insert("cache-control", HeaderValue::from_static("no-store, no-cache"));
    response
}

/// Client id and secret of HTTP Basic, each form-encoded as OAuth has it.
fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Basic ")?;
    let text = String::from_utf8(base64::engine::general_purpose::STANDARD.decode(value).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    Some((address::decode(id, true), address::decode(secret, true)))
}

// ---- the Web API -------------------------------------------------------------------------------------------------

/// How a request is answered.
enum Outcome {
    Answer(Answer),
    /// 401, mostly without a body.
    Unauthorized,
    Html(StatusCode, String),
    Cut,
}

impl From<ApiError> for Outcome {
    fn from(e: ApiError) -> Self {
        Self::Answer(Answer::error(&e, &Annotations::default()))
    }
}

async fn web_api(State(shared): App, request: Request) -> Response {
    let scissors = request.extensions().get::<Scissors>().cloned();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let client = request.headers().get("x-ms-client-request-id").cloned();
    tokio::time::sleep(shared.faults.latency()).await;
    let outcome = serve(&shared, request).await;
    let mut response = match outcome {
        Outcome::Answer(answer) => written(&answer),
        Outcome::Unauthorized => unauthorized(&shared),
        Outcome::Html(status, page) => (status, [(CONTENT_TYPE, "text/html")], page).into_response(),
        Outcome::Cut => {
            shared.requests.note(method.as_str(), &path, None);
            if let Some(scissors) = scissors {
                scissors.cut();
            }
            return StatusCode::NO_CONTENT.into_response();
        }
    };
    shared.requests.note(method.as_str(), &path, Some(response.status().as_u16()));
    let id = Uuid::new_v4().to_string();
    let headers = response.headers_mut();
    let limits = shared.limits.lock().unwrap_or_else(PoisonError::into_inner);
    let left = 6_000_usize.saturating_sub(limits.requests.len()).to_string();
    drop(limits);
    let ours = [
        ("odata-version", "4.0"),
        ("req_id", &id),
        ("x-ms-service-request-id", &id),
        ("x-ms-ratelimit-burst-remaining-xrm-requests", &left),
        ("x-ms-ratelimit-time-remaining-xrm-requests", "1,200.00"),
        ("set-cookie", "ARRAffinity=tieline-sandbox; Path=/; HttpOnly"),
        ("cache-control", "no-cache"),
    ];
    for (name, value) in ours {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    }
    if let Some(client) = client {
        headers.insert("x-ms-client-request-id", client);
    }
    response
}

fn unauthorized(shared: &Shared) -> Response {
    let header = format!(
        "Bearer authorization_uri={}/{}/oauth2/authorize, resource_id={}/",
        shared.authority_url,
        super::TENANT,
        shared.org_url
    );
    let body =
        if shared.org().switches.bare_unauthorized { "" } else { "{\"Message\":\"Authorization required\"}" };
    (StatusCode::UNAUTHORIZED, [("www-authenticate", header)], body).into_response()
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default()
}

fn bearer(headers: &HeaderMap) -> &str {
    let value = header(headers, "authorization");
    let scheme = value.get(..7).is_some_and(|s| s.eq_ignore_ascii_case("bearer "));
    if scheme { value[7..].trim() } else { "" }
}

/// Whether a token opens this environment; then the client that holds it.
fn holder(shared: &Shared, headers: &HeaderMap) -> Option<String> {
    let slash_taken = shared.org().switches.audience_slash;
    let holder = shared.desk().holder(bearer(headers))?;
    (!holder.slash || slash_taken).then_some(holder.client_id)
}

/// The user behind a client, or whom it stands for.
fn caller(shared: &Shared, client: &str, headers: &HeaderMap) -> Result<Caller, ApiError> {
    let org = shared.org();
    let client = Uuid::try_parse(client).unwrap_or_default();
    let own = org.rows("systemuser").find(|u| u.points_at("applicationid") == Some(client));
    let Some(own) = own else {
        return Err(ApiError::new(403, error::NO_MEMBER, "The user is not a member of the organization."));
    };
    let off = Some(&Cell::Bool(true));
    if own.cells.get("isdisabled") == off {
        let says = format!("The specified user(Id = {}) is disabled. Consider enabling this user.", own.id);
        return Err(ApiError::new(403, error::DISABLED, says));
    }
    let detect_duplicates = header(headers, "mscrm.suppressduplicatedetection").eq_ignore_ascii_case("false");
    let mut caller = Caller { user: own.id, real: own.id, detect_duplicates, person: false };
    let by = |name: &str, column: &str| {
        let given = header(headers, name);
        let wanted = Uuid::try_parse(given).ok();
        (!given.is_empty()).then(|| {
            let found = org.rows("systemuser").find(|u| {
                let own = if column == "systemuserid" { Some(u.id) } else { u.points_at(column) };
                own.is_some() && own == wanted
            });
            found.map(|u| u.id)
        })
    };
    let asked =
        by("callerobjectid", "azureactivedirectoryobjectid").or_else(|| by("mscrmcallerid", "systemuserid"));
    match asked {
        None => {}
        Some(None) => {
            return Err(ApiError::new(
                403,
                error::NO_MEMBER,
                "The user to impersonate is not a member of the organization.",
            ));
        }
        Some(Some(user)) => {
            caller.has(&org, "prvActOnBehalfOfAnotherUser", "systemuser")?;
            caller.user = user;
        }
    }
    Ok(caller)
}

/// Counts a request that is being served; gives it back when dropped.
struct Turn<'a>(&'a Shared);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut limits = self.0.limits.lock().unwrap_or_else(PoisonError::into_inner);
        limits.at_once = limits.at_once.saturating_sub(1);
    }
}

/// 429 as the service protection limits write it (sheet 2.12, 2.13).
pub(crate) fn throttled(limit: Limit, retry_after_s: Option<u64>) -> ApiError {
    let (code, says) = match limit {
        Limit::Requests => {
            ("0x80072322", "Number of requests exceeded the limit of 6000 over time window of 300 seconds.")
        }
        Limit::ExecutionTime => (
            "0x80072321",
            "Combined execution time of incoming requests exceeded limit of 1,200,000 milliseconds over time window of 300 seconds. Decrease number of concurrent requests or reduce the duration of requests and try again later.",
        ),
        Limit::Concurrency => ("0x80072326", "Number of concurrent requests exceeded the limit of 52."),
    };
    ApiError { retry_after: retry_after_s, ..ApiError::new(429, code, says) }
}

fn turn(shared: &Shared) -> Result<Turn<'_>, ApiError> {
    let (in_window, together) = {
        let org = shared.org();
        (org.switches.requests_per_window, org.switches.requests_at_once)
    };
    let mut limits = shared.limits.lock().unwrap_or_else(PoisonError::into_inner);
    let at = Instant::now();
    while limits.requests.front().is_some_and(|first| at.duration_since(*first) > WINDOW) {
        limits.requests.pop_front();
    }
    let count = u32::try_from(limits.requests.len()).unwrap_or(u32::MAX);
    if in_window > 0 && count >= in_window {
        let first = limits.requests.front().map_or(WINDOW, |first| WINDOW - at.duration_since(*first));
        return Err(throttled(Limit::Requests, Some(first.as_secs() + 1)));
    }
    if together > 0 && limits.at_once >= together {
        return Err(throttled(Limit::Concurrency, Some(1)));
    }
    limits.requests.push_back(at);
    limits.at_once += 1;
    Ok(Turn(shared))
}

async fn serve(shared: &Arc<Shared>, request: Request) -> Outcome {
    let (parts, body) = request.into_parts();
    let target = parts.uri.path_and_query().map_or("", axum::http::uri::PathAndQuery::as_str);
    let Some((root, path, query)) = below_root(&shared.org_url, target) else {
        return ApiError::no_segment(target).into();
    };
    let Some(client) = holder(shared, &parts.headers) else { return Outcome::Unauthorized };
    let caller = match caller(shared, &client, &parts.headers) {
        Ok(caller) => caller,
        Err(e) => return e.into(),
    };
    let _turn = match turn(shared) {
        Ok(turn) => turn,
        Err(e) => return e.into(),
    };
    if target.len() > shared.org().switches.address_bytes_max {
        return ApiError::new(414, error::ADDRESS, "The address is too long.").into();
    }
    let Ok(bytes) = axum::body::to_bytes(body, BODY_MAX).await else {
        return ApiError::new(413, "0x0", "The request's body is too large.").into();
    };
    let headers = &parts.headers;
    let mut call = Call {
        method: parts.method.as_str().to_owned(),
        root,
        path,
        query: address::query(&query),
        if_match: Condition::read(header(headers, "if-match")),
        if_none_match: Condition::read(header(headers, "if-none-match")),
        prefer: Preferences::read(headers.get_all("prefer").iter().filter_map(|v| v.to_str().ok())),
        body: None,
        caller,
    };
    let batch = call.method == "POST" && call.path == "$batch";
    if !bytes.is_empty() && !batch {
        match json_body(headers, &bytes) {
            Ok(body) => call.body = Some(body),
            Err(e) => return e.into(),
        }
    }
    let work = Work { shared, call: &call, headers, batch: batch.then_some(&bytes) };
    match shared.faults.take(kind_of(&call)) {
        Some(fault) => faulty(&work, &fault).await,
        None => Outcome::Answer(work.answer()),
    }
}

/// A request that has been let in.
struct Work<'a> {
    shared: &'a Arc<Shared>,
    call: &'a Call,
    headers: &'a HeaderMap,
    /// The body, when the request is a batch.
    batch: Option<&'a Bytes>,
}

impl Work<'_> {
    /// Does what is asked.
    fn answer(&self) -> Answer {
        let call = self.call;
        if let Some(body) = self.batch {
            let context =
                batch::Context { org_url: &self.shared.org_url, root: &call.root, caller: &call.caller };
            let kind = header(self.headers, "content-type");
            let body = String::from_utf8_lossy(body);
            return batch::answer(&mut self.shared.org(), &context, kind, &body, &call.prefer);
        }
        if call.path == "searchquery" && call.method == "POST" {
            let found = searched(self.shared).and_then(|()| {
                search::query(&self.shared.org(), call.body.as_ref().unwrap_or(&Value::Null), &call.caller)
            });
            return match found {
                Ok(body) => Answer::json(200, body),
                Err(e) => Answer::error(&e, &call.prefer.annotations),
            };
        }
        call.answer(&mut self.shared.org())
    }
}

/// Counts a search; they have a throttle of their own (sheet 2.4).
fn searched(shared: &Shared) -> Result<(), ApiError> {
    let most = usize::try_from(shared.org().switches.searches_per_second).unwrap_or(usize::MAX);
    let mut limits = shared.limits.lock().unwrap_or_else(PoisonError::into_inner);
    let at = Instant::now();
    while limits.searches.front().is_some_and(|first| at.duration_since(*first) > Duration::from_secs(1)) {
        limits.searches.pop_front();
    }
    if most > 0 && limits.searches.len() >= most {
        return Err(ApiError {
            retry_after: Some(1),
            ..ApiError::new(429, "0x80048d0e", "Rate limit of searches is exceeded.")
        });
    }
    limits.searches.push_back(at);
    Ok(())
}

/// The service's root, the path below it and the options; nothing for a version that is not served.
pub(crate) fn below_root(org_url: &str, target: &str) -> Option<(String, String, String)> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    if path == "/api/search/v2.0/query" {
        return Some((format!("{org_url}/api/data/v9.2"), "searchquery".to_owned(), query.to_owned()));
    }
    let (version, path) = path.strip_prefix("/api/data/")?.split_once('/').unwrap_or((&path[10..], ""));
    let served = matches!(version, "v9.0" | "v9.1" | "v9.2");
    served.then(|| (format!("{org_url}/api/data/{version}"), path.to_owned(), query.to_owned()))
}

fn json_body(headers: &HeaderMap, bytes: &[u8]) -> Result<Value, ApiError> {
    let kind = header(headers, "content-type").to_lowercase();
    if !kind.starts_with("application/json") {
        let says = format!("The content type '{kind}' is not supported; use application/json.");
        return Err(ApiError::new(415, "0x0", says));
    }
    serde_json::from_slice(bytes).map_err(|e| {
        let says = format!("An error has occurred. InnerException : the body is not JSON: {e}");
        ApiError::new(400, error::PAYLOAD, says)
    })
}

fn kind_of(call: &Call) -> Kind {
    let first = call.path.split(['(', '/']).next().unwrap_or_default();
    match (first, call.method.as_str()) {
        ("" | "WhoAmI" | "RetrieveVersion" | "EntityDefinitions", _) => Kind::Other,
        ("searchquery", _) => Kind::Search,
        (_, "GET") if call.path.contains('(') => Kind::Read,
        (_, "GET") => Kind::Search,
        (_, _) => Kind::Write,
    }
}

/// Answers under a fault.
async fn faulty(work: &Work<'_>, fault: &Any) -> Outcome {
    match fault {
        Any::Common(Fault::TokenExpired) => {
            work.shared.desk().end(bearer(work.headers));
            Outcome::Unauthorized
        }
        Any::Common(Fault::Limited { retry_after_s }) => throttled(Limit::Requests, *retry_after_s).into(),
        Any::Common(Fault::ServerError) => gateway(503),
        Any::Common(Fault::SavedThenDropped) => {
            let _ = work.answer();
            Outcome::Cut
        }
        // A lock that another transaction holds ends as a time-out of the database (sheet 2.12).
        Any::Common(Fault::Locked) => {
            ApiError::new(500, error::SQL, "SQL error 1205: the row is locked by another transaction.").into()
        }
        Any::Common(Fault::Stall { ms }) => {
            tokio::time::sleep(Duration::from_millis(*ms)).await;
            Outcome::Cut
        }
        Any::Special(Special::HtmlGateway { status }) => gateway(*status),
        Any::Dynamics(special) => dynamics(work, special),
        // Kept apart from the list (it stays until cleared), or another's.
        Any::Common(Fault::Latency { .. })
        | Any::Special(
            Special::DailyLimit
            | Special::DuplicatesDetected
            | Special::UpsertRace
            | Special::SessionNotValid
            | Special::QueryTimeout
            | Special::TokenRefused { .. }
            | Special::EmptyNotFound
            | Special::UnknownAccount,
        ) => Outcome::Answer(work.answer()),
    }
}

/// A page of HTML from what stands before the environment; a 503 has no `Retry-After`.
fn gateway(status: u16) -> Outcome {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    let page = format!("<html><head><title>{status}</title></head><body><h2>{status}</h2></body></html>");
    Outcome::Html(status, page)
}

fn dynamics(work: &Work<'_>, special: &Dynamics) -> Outcome {
    match special {
        Dynamics::Throttled { limit, retry_after_s } => throttled(*limit, *retry_after_s).into(),
        Dynamics::PluginRefused { message } => ApiError::new(400, error::PLUGIN, message.clone()).into(),
        Dynamics::CreateRefused => ApiError::duplicate().into(),
        Dynamics::Unauthorized => Outcome::Unauthorized,
        Dynamics::CreateRace => {
            let answer = work.answer();
            if answer.status < 300 { ApiError::duplicate().into() } else { Outcome::Answer(answer) }
        }
        Dynamics::EmptyCode | Dynamics::DecimalCode => {
            let mut answer = work.answer();
            let Payload::Json(body) = &mut answer.payload else {
                work.shared.faults.inject(Any::Dynamics(special.clone()), 1);
                return Outcome::Answer(answer);
            };
            match body["error"]["code"].as_str().map(error::decimal) {
                Some(_) if *special == Dynamics::EmptyCode => body["error"]["code"] = json!(""),
                Some(decimal) => body["error"]["code"] = json!(decimal),
                // No error yet: the fault waits for the next.
                None => work.shared.faults.inject(Any::Dynamics(special.clone()), 1),
            }
            Outcome::Answer(answer)
        }
        Dynamics::EntraRefused { .. } => Outcome::Answer(work.answer()),
    }
}

/// An answer as HTTP.
pub(crate) fn written(answer: &Answer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = match &answer.payload {
        Payload::Empty => status.into_response(),
        Payload::Json(value) => {
            (status, [(CONTENT_TYPE, "application/json; odata.metadata=minimal")], value.to_string())
                .into_response()
        }
        Payload::Text(text) => (status, [(CONTENT_TYPE, "text/plain")], text.clone()).into_response(),
    };
    for (name, value) in &answer.headers {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    response
}
