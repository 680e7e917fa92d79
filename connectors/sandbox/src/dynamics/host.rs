//! The page that agents look at, and the client library of the Channel Integration Framework at its own address
//! (sheet 4.1 to 4.3). The page reads and writes through `/console/api`, which stands for the environment's own
//! session and asks for no login.

use super::Shared;
use super::address;
use super::odata::Annotations;
use super::rest::{Call, Condition, Preferences};
use super::rules::Caller;
use axum::Json;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{any, get};
use serde_json::{Value, json};
use std::sync::{Arc, PoisonError};

const PAGE: &str = include_str!("../../assets/dynamics/console.html");
const SCRIPT: &str = include_str!("../../assets/dynamics/console.js");
const CIF: &str = include_str!("../../assets/dynamics/cif.js");
const STYLE: &str = include_str!("../../assets/dynamics/console.css");
const LIBRARY: &str = include_str!("../../assets/dynamics/ciLibrary.js");
/// Keeps other sites out of the page's own session: a browser sends it across origins only after asking.
const OWN: &str = "x-console";

type App = State<Arc<Shared>>;

/// The routes.
pub(crate) fn routes(shared: Arc<Shared>) -> Router {
    let script =
        |content: &'static str| get(move || async move { asset("text/javascript; charset=utf-8", content) });
    Router::new()
        .route("/", get(|| async { Redirect::temporary("/main.aspx") }))
        .route("/main.aspx", get(page))
        .route("/console/assets/console.js", script(SCRIPT))
        .route("/console/assets/cif.js", script(CIF))
        .route("/console/assets/console.css", get(|| async { asset("text/css; charset=utf-8", STYLE) }))
        .route("/console/start", get(start))
        .route("/console/revision", get(revision))
        .route("/console/api/{*rest}", any(own_api))
        .route("/webresources/Widget/msdyn_ciLibrary.js", get(library))
        .with_state(shared)
}

fn asset(kind: &'static str, content: &'static str) -> Response {
    let headers = [(CONTENT_TYPE, kind), (HeaderName::from_static("cache-control"), "no-cache")];
    (headers, content).into_response()
}

async fn library() -> Response {
    let mut response = asset("text/javascript; charset=utf-8", LIBRARY);
    response.headers_mut().insert("cross-origin-resource-policy", HeaderValue::from_static("cross-origin"));
    response
}

fn panel_url(shared: &Shared) -> Option<String> {
    shared.panel.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// `scheme://host:port` of an address.
fn origin(url: &str) -> Option<String> {
    let uri: axum::http::Uri = url.parse().ok()?;
    Some(format!("{}://{}", uri.scheme_str()?, uri.authority()?))
}

async fn page(State(shared): App) -> Response {
    let frame = panel_url(&shared).and_then(|u| origin(&u)).unwrap_or_else(|| "'none'".to_owned());
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; frame-src {frame}; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    );
    let mut response = asset("text/html; charset=utf-8", PAGE);
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// What the page needs to begin: who sits before it, the tables with their choices, the panel.
async fn start(State(shared): App) -> Json<Value> {
    let org = shared.org();
    let agent = org.row("systemuser", shared.agent);
    let text = |name: &str| agent.and_then(|a| a.text(name)).map(str::to_owned);
    let tables = org.schema.all().map(|table| {
        let columns = table.columns.values().map(|c| {
            let choices = c.kind.choices().map(|all| {
                all.iter()
                    .map(|o| json!({"value": o.value, "label": o.label, "state": o.state}))
                    .collect::<Vec<_>>()
            });
            (c.name.clone(), json!({"type": c.kind.edm(), "update": c.update, "choices": choices}))
        });
        let columns: serde_json::Map<String, Value> = columns.collect();
        (
            table.name.clone(),
            json!({"set": table.set, "id": table.id, "primary": table.primary, "columns": columns}),
        )
    });
    let tables: serde_json::Map<String, Value> = tables.collect();
    Json(json!({
        "panel": panel_url(&shared), "tables": tables, "org": org.id.to_string(),
        "user": {"id": shared.agent.to_string(), "name": text("fullname"), "username": text("domainname")},
    }))
}

async fn revision(State(shared): App) -> Json<Value> {
    Json(json!({"revision": shared.org().revision, "panel": panel_url(&shared)}))
}

/// The Web API for the person before the page.
async fn own_api(State(shared): App, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    if !parts.headers.contains_key(OWN) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let target = parts.uri.path_and_query().map_or("", axum::http::uri::PathAndQuery::as_str);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let body = axum::body::to_bytes(body, 64 << 20).await.unwrap_or_default();
    let given = |name: &str| parts.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let call = Call {
        method: parts.method.as_str().to_owned(),
        root: format!("{}/api/data/v9.2", shared.org_url),
        path: path.trim_start_matches("/console/api/").to_owned(),
        query: address::query(query),
        if_match: Condition::read(given("if-match")),
        if_none_match: None,
        prefer: Preferences {
            annotations: Annotations::read("*"),
            ..Preferences::read(parts.headers.get_all("prefer").iter().filter_map(|v| v.to_str().ok()))
        },
        body: serde_json::from_slice(&body).ok(),
        caller: Caller::person(shared.agent),
    };
    let answer = call.answer(&mut shared.org());
    super::http::written(&answer)
}
