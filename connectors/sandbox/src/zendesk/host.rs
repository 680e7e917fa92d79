//! The page that agents look at (sheet section 4). It reads and writes through `/agent/data`, which stands for the
//! CRM's own session and asks for no login.

use super::Shared;
use super::account::{Comment, Role, Ticket, User, stamp};
use super::answer::Payload;
use super::world::{Call, World, number};
use axum::Json;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::sync::Arc;

const PAGE: &str = include_str!("../../assets/zendesk/agent.html");
const STYLE: &str = include_str!("../../assets/zendesk/agent.css");
const SCRIPT: &str = include_str!("../../assets/zendesk/agent.js");
const FRAMEWORK: &str = include_str!("../../assets/zendesk/zaf.js");

type App = State<Arc<Shared>>;

/// The routes.
pub(crate) fn routes(shared: Arc<Shared>) -> Router {
    const JS: &str = "text/javascript; charset=utf-8";
    Router::new()
        .route("/", get(|| async { Redirect::temporary("/agent/") }))
        .route("/agent", get(|| async { Redirect::temporary("/agent/") }))
        .route("/agent/", get(page))
        .route("/agent/{name}", get(page))
        .route("/agent/{name}/{id}", get(page))
        .route("/agent/assets/agent.js", get(|| async { asset(JS, SCRIPT) }))
        .route("/agent/assets/zaf.js", get(|| async { asset(JS, FRAMEWORK) }))
        .route("/agent/assets/agent.css", get(|| async { asset("text/css; charset=utf-8", STYLE) }))
        .route("/agent/data/start", get(start))
        .route("/agent/data/events", get(events))
        .route("/agent/data/ticket/{id}", get(ticket).post(save_ticket))
        .route("/agent/data/user/{id}", get(user))
        .route("/agent/data/user", post(new_user))
        .route("/agent/data/organization/{id}", get(organization))
        .route("/agent/data/list/{name}", get(list))
        .route("/agent/data/search", get(search))
        .route("/agent/data/request", post(request))
        .route("/__sandbox/mails", get(mails))
        .with_state(shared)
}

fn asset(kind: &'static str, content: &'static str) -> Response {
    ([(CONTENT_TYPE, kind), (CACHE_CONTROL, "no-cache")], content).into_response()
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

async fn mails(State(shared): App) -> Json<Value> {
    Json(json!({"mails": shared.world().account.mails}))
}

/// Who looks at the page: the agent it names, or the first.
fn agent_of(shared: &Shared, named: Option<&str>) -> u64 {
    let named = named.and_then(|n| {
        let world = shared.world();
        let by_id = n.parse().ok().filter(|id| world.account.agent(*id).is_some());
        by_id.or_else(|| world.account.by_email(n).filter(|id| world.account.agent(*id).is_some()))
    });
    named.unwrap_or(shared.agent)
}

fn panel_url(shared: &Shared) -> Option<String> {
    shared.panel.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
}

async fn start(State(shared): App, Query(query): Query<HashMap<String, String>>) -> Response {
    let id = agent_of(&shared, query.get("agent").map(String::as_str));
    let panel = panel_url(&shared);
    let world = shared.world();
    let Some(agent) = world.account.user(id) else { return StatusCode::NOT_FOUND.into_response() };
    Json(json!({
        "panel": panel, "agent": world.urls.user(agent), "seq": world.account.events.len(),
        "account": {"id": world.account.id, "subdomain": "tieline-sandbox", "time_format": 24},
        "group": {"id": world.account.group, "name": "Support"},
        "app": {"id": super::APP_ID, "installation": super::INSTALLATION_ID, "name": "Tieline"},
        "talk_partner": world.switches.talk_partner,
    }))
    .into_response()
}

/// What happened since `since` that this agent's page has to hear.
async fn events(State(shared): App, Query(query): Query<HashMap<String, String>>) -> Json<Value> {
    let id = agent_of(&shared, query.get("agent").map(String::as_str));
    let since: usize = query.get("since").and_then(|s| s.parse().ok()).unwrap_or(usize::MAX);
    let panel = panel_url(&shared);
    let world = shared.world();
    let all = &world.account.events;
    let mine = all.iter().skip(since).filter(|e| e.agent.is_none_or(|a| a == id));
    let mine: Vec<&Value> = mine.map(|e| &e.body).collect();
    Json(json!({"seq": all.len(), "events": mine, "revision": world.account.revision, "panel": panel}))
}

fn brief_user(world: &World, id: Option<u64>) -> Value {
    let Some(user) = id.and_then(|id| world.account.user(id)) else { return Value::Null };
    let company = user.organization_id.and_then(|o| world.account.organizations.get(&o));
    json!({"id": user.id, "name": user.name, "email": user.email, "phone": user.phone, "role": user.role.word(),
        "active": user.active, "organization": company.map(|o| json!({"id": o.id, "name": o.name}))})
}

fn brief_ticket(world: &World, t: &Ticket) -> Value {
    json!({"id": t.id, "subject": t.subject, "status": t.status, "priority": t.priority, "channel": t.channel,
        "requester": brief_user(world, Some(t.requester_id)), "assignee": brief_user(world, t.assignee_id),
        "created_at": stamp(t.created_at), "updated_at": stamp(t.updated_at)})
}

fn shown_comment(world: &World, c: &Comment) -> Value {
    let mut out = world.urls.comment(c);
    out["author"] = brief_user(world, Some(c.author_id));
    out
}

async fn ticket(State(shared): App, Path(id): Path<u64>) -> Response {
    let world = shared.world();
    let Some(ticket) = world.account.ticket(id) else { return StatusCode::NOT_FOUND.into_response() };
    let comments = world.account.comments.get(&id).map(Vec::as_slice).unwrap_or_default();
    let others = world
        .account
        .tickets
        .values()
        .filter(|t| !t.deleted && t.requester_id == ticket.requester_id && t.id != id);
    let mut others: Vec<&Ticket> = others.collect();
    others.sort_by_key(|t| std::cmp::Reverse(t.created_at));
    let fields: Vec<Value> = world
        .account
        .fields
        .values()
        .map(|f| json!({"id": f.id, "title": f.title, "value": ticket.custom_fields.get(&f.id)}))
        .collect();
    Json(json!({
        "ticket": world.urls.ticket(&world.account, ticket), "brief": brief_ticket(&world, ticket),
        "comments": comments.iter().map(|c| shown_comment(&world, c)).collect::<Vec<_>>(), "custom": fields,
        "others": others.iter().take(8).map(|t| brief_ticket(&world, t)).collect::<Vec<_>>(),
    }))
    .into_response()
}

/// What an agent writes or sets on a ticket: `{comment, public, status}`.
async fn save_ticket(
    State(shared): App,
    Path(id): Path<u64>,
    Query(query): Query<HashMap<String, String>>,
    Json(body): Json<Value>,
) -> Response {
    let agent = agent_of(&shared, query.get("agent").map(String::as_str));
    let mut given = Map::new();
    if let Some(comment) = body["comment"].as_str().filter(|c| !c.is_empty()) {
        given.insert("comment".into(), json!({"body": comment, "public": body["public"]}));
    }
    for field in ["status", "priority", "assignee_id"] {
        given.extend(body.get(field).map(|v| (field.to_owned(), v.clone())));
    }
    let call = as_agent(agent, "PUT", format!("/api/v2/tickets/{id}"), &json!({"ticket": given}));
    let mut world = shared.world();
    match world.change_ticket(&call, id, &given) {
        Ok(_) => StatusCode::NO_CONTENT.into_response(),
        Err(e) => (StatusCode::BAD_REQUEST, Json(json!(super::world::json_of(&e.0)))).into_response(),
    }
}

async fn user(State(shared): App, Path(id): Path<u64>) -> Response {
    let world = shared.world();
    let Some(user) = world.account.user(id).filter(|u| u.active) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let tickets = world.account.tickets.values().filter(|t| !t.deleted && t.requester_id == id);
    let mut tickets: Vec<&Ticket> = tickets.collect();
    tickets.sort_by_key(|t| std::cmp::Reverse((t.updated_at, t.id)));
    let identities = world.account.identities.values().filter(|i| i.user_id == id);
    Json(json!({
        "user": world.urls.user(user), "brief": brief_user(&world, Some(id)),
        "identities": identities.map(|i| world.urls.identity(i)).collect::<Vec<_>>(),
        "tickets": tickets.iter().map(|t| brief_ticket(&world, t)).collect::<Vec<_>>(),
    }))
    .into_response()
}

/// A customer as a person makes one: `{name, email, phone}`.
async fn new_user(State(shared): App, Json(body): Json<Map<String, Value>>) -> Response {
    let given: Map<String, Value> =
        body.into_iter().filter(|(_, v)| !v.is_null() && *v != json!("")).collect();
    match shared.world().make_user(&given) {
        Ok(id) => Json(json!({"id": id})).into_response(),
        Err(e) => (StatusCode::BAD_REQUEST, Json(json!(super::world::json_of(&e.0)))).into_response(),
    }
}

async fn organization(State(shared): App, Path(id): Path<u64>) -> Response {
    let world = shared.world();
    let Some(found) = world.account.organizations.get(&id) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let users = world.account.users.values().filter(|u| u.active && u.organization_id == Some(id));
    let tickets = world.account.tickets.values().filter(|t| !t.deleted && t.organization_id == Some(id));
    let mut tickets: Vec<&Ticket> = tickets.collect();
    tickets.sort_by_key(|t| std::cmp::Reverse((t.updated_at, t.id)));
    Json(json!({
        "organization": world.urls.organization(found),
        "users": users.map(|u| brief_user(&world, Some(u.id))).collect::<Vec<_>>(),
        "tickets": tickets.iter().take(50).map(|t| brief_ticket(&world, t)).collect::<Vec<_>>(),
    }))
    .into_response()
}

async fn list(State(shared): App, Path(name): Path<String>) -> Response {
    let world = shared.world();
    let users = |wanted: &dyn Fn(&User) -> bool| -> Vec<Value> {
        let mut found: Vec<&User> = world.account.users.values().filter(|u| u.active && wanted(u)).collect();
        found.sort_by_key(|u| u.name.to_lowercase());
        found.iter().map(|u| brief_user(&world, Some(u.id))).collect()
    };
    let tickets = |wanted: &dyn Fn(&Ticket) -> bool| -> Vec<Value> {
        let mut found: Vec<&Ticket> =
            world.account.tickets.values().filter(|t| !t.deleted && wanted(t)).collect();
        found.sort_by_key(|t| std::cmp::Reverse((t.updated_at, t.id)));
        found.iter().take(100).map(|t| brief_ticket(&world, t)).collect()
    };
    let rows = match name.as_str() {
        "unsolved" => tickets(&|t| !["solved", "closed"].contains(&t.status.as_str())),
        "recent" => tickets(&|_| true),
        "solved" => tickets(&|t| t.status == "solved"),
        "customers" => users(&|u| u.role == Role::EndUser),
        "organizations" => {
            let all = world.account.organizations.values();
            all.map(|o| json!({"id": o.id, "name": o.name, "details": o.details, "domains": o.domains}))
                .collect()
        }
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    Json(json!({"name": name, "rows": rows})).into_response()
}

/// What the page's search box finds.
async fn search(State(shared): App, Query(query): Query<HashMap<String, String>>) -> Json<Value> {
    let text = query.get("q").cloned().unwrap_or_default();
    let mut world = shared.world();
    world.account.index.catch_up(super::account::now());
    let (users, tickets) = super::search::typed_words(&world, &text);
    let users: Vec<Value> = users.iter().map(|u| brief_user(&world, u.get("id").and_then(number))).collect();
    let tickets = tickets.iter().filter_map(|t| world.account.ticket(t.get("id").and_then(number)?));
    let tickets: Vec<Value> = tickets.map(|t| brief_ticket(&world, t)).collect();
    Json(json!({"q": text, "users": users, "tickets": tickets}))
}

fn as_agent(agent: u64, method: &str, url: String, body: &Value) -> Call {
    let (path, query) = url.split_once('?').unwrap_or((&url, ""));
    let raw = if body.is_null() { String::new() } else { body.to_string() };
    Call {
        method: method.to_owned(),
        path: super::http::path_of(path),
        query: super::http::pairs(query),
        raw: raw.into(),
        content_type: "application/json".into(),
        json: (!body.is_null()).then(|| body.clone()),
        who: agent,
        agent: "the agents' page".into(),
        idempotency: None,
        token: None,
    }
}

/// `client.request` of an app: the API in the name of whoever looks at the page: `{method, url, data}`.
async fn request(
    State(shared): App,
    Query(query): Query<HashMap<String, String>>,
    Json(body): Json<Value>,
) -> Json<Value> {
    let agent = agent_of(&shared, query.get("agent").map(String::as_str));
    let of = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    let call = as_agent(agent, &of("method").to_uppercase(), of("url"), &body["data"]);
    let answer = shared.world().answer(&call);
    shared.requests.note(&call.method, of("url").split('?').next().unwrap_or_default(), Some(answer.status));
    let (text, value) = match &answer.payload {
        Payload::Json(value) | Payload::JsonAsText(value) => (value.to_string(), value.clone()),
        Payload::Empty | Payload::EmptyJson | Payload::File(..) => (String::new(), Value::Null),
    };
    Json(json!({"status": answer.status, "text": text, "json": value}))
}
