//! The console page that agents look at, and the Open CTI script served from its own address (sheet 4.2, 4.3). The
//! page reads records through `/lightning/data`, which stands for the CRM's own session and asks for no login.

use super::org::Writer;
use super::{Shared, soql, sosl};
use axum::Json;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::sync::Arc;

const PAGE: &str = include_str!("../../assets/salesforce/console.html");
const SCRIPT: &str = include_str!("../../assets/salesforce/console.js");
const STYLE: &str = include_str!("../../assets/salesforce/console.css");
const OPEN_CTI: &str = include_str!("../../assets/salesforce/opencti.js");

type App = State<Arc<Shared>>;

/// The routes.
pub(crate) fn routes(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/", get(|| async { Redirect::temporary("/lightning/page/home") }))
        .route("/lightning", get(|| async { Redirect::temporary("/lightning/page/home") }))
        .route("/lightning/page/{name}", get(page))
        .route("/lightning/r/{object}/{id}/view", get(page))
        .route("/lightning/r/{id}/view", get(page))
        .route("/lightning/o/{object}/{list}", get(page))
        .route(
            "/lightning/assets/console.js",
            get(|| async { asset("text/javascript; charset=utf-8", SCRIPT) }),
        )
        .route("/lightning/assets/console.css", get(|| async { asset("text/css; charset=utf-8", STYLE) }))
        .route("/lightning/data/start", get(start))
        .route("/lightning/data/revision", get(revision))
        .route("/lightning/data/record/{id}", get(record))
        .route("/lightning/data/list/{object}", get(list))
        .route("/lightning/data/search", get(search))
        .route("/lightning/data/save", post(save))
        .route("/lightning/data/file/{id}", get(file))
        .route("/support/api/{version}/lightning/opencti_min.js", get(open_cti))
        .with_state(shared)
}

fn asset(kind: &'static str, content: &'static str) -> Response {
    let headers = [(CONTENT_TYPE, kind), (HeaderName::from_static("cache-control"), "no-cache")];
    (headers, content).into_response()
}

async fn open_cti(Path(version): Path<String>) -> Response {
    let known = version.parse::<f64>().is_ok_and(|v| (41.0..=68.0).contains(&v));
    if !known {
        return StatusCode::NOT_FOUND.into_response();
    }
    let mut response = asset("text/javascript; charset=utf-8", OPEN_CTI);
    response.headers_mut().insert("cross-origin-resource-policy", HeaderValue::from_static("cross-origin"));
    response
}

fn panel_url(shared: &Shared) -> Option<String> {
    shared.panel.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
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

async fn start(State(shared): App) -> Json<Value> {
    let world = shared.world();
    let of = |name: &str| world.org.text(&shared.agent, name).map(str::to_owned);
    Json(json!({
        "panel": panel_url(&shared), "user": {"id": shared.agent, "name": of("Name"), "username": of("Username")},
        "org": world.org.id, "instance": world.instance_url,
        "prefixes": world.org.schema.objects().map(|o| (o.prefix.clone(), json!(o.name))).collect::<Map<_, _>>(),
    }))
}

async fn revision(State(shared): App) -> Json<Value> {
    Json(json!({"revision": shared.world().org.revision, "panel": panel_url(&shared)}))
}

/// Fields a record's page names first, by object.
fn shown(object: &str) -> &'static [&'static str] {
    match object {
        "Contact" => &[
            "Id",
            "Name",
            "Salutation",
            "FirstName",
            "LastName",
            "Title",
            "AccountId",
            "Account.Name",
            "Phone",
            "MobilePhone",
            "HomePhone",
            "OtherPhone",
            "Email",
            "MailingCity",
            "MailingCountry",
            "LeadSource",
            "Description",
            "OwnerId",
            "Owner.Name",
            "CreatedDate",
            "LastModifiedDate",
        ],
        "Account" => &[
            "Id",
            "Name",
            "Type",
            "Industry",
            "Phone",
            "Website",
            "BillingCity",
            "BillingCountry",
            "Description",
            "OwnerId",
            "Owner.Name",
            "CreatedDate",
            "LastModifiedDate",
        ],
        "Lead" => &[
            "Id",
            "Name",
            "FirstName",
            "LastName",
            "Title",
            "Company",
            "Status",
            "Phone",
            "MobilePhone",
            "Email",
            "City",
            "Country",
            "LeadSource",
            "Rating",
            "Description",
            "OwnerId",
            "Owner.Name",
            "CreatedDate",
        ],
        "Case" => &[
            "Id",
            "CaseNumber",
            "Subject",
            "Status",
            "Priority",
            "Origin",
            "Reason",
            "Type",
            "ContactId",
            "Contact.Name",
            "Contact.Phone",
            "AccountId",
            "Account.Name",
            "SuppliedName",
            "SuppliedEmail",
            "SuppliedPhone",
            "Description",
            "Tieline_Key__c",
            "OwnerId",
            "Owner.Name",
            "CreatedDate",
            "LastModifiedDate",
            "ClosedDate",
            "IsClosed",
        ],
        "Task" => &[
            "Id",
            "Subject",
            "Status",
            "Priority",
            "CallType",
            "CallDurationInSeconds",
            "CallDisposition",
            "CallObject",
            "Tieline_Key__c",
            "WhoId",
            "Who.Name",
            "WhatId",
            "Description",
            "ActivityDate",
            "OwnerId",
            "Owner.Name",
            "CreatedDate",
        ],
        _ => &["Id"],
    }
}

fn run(shared: &Shared, query: &str) -> Vec<Value> {
    let world = shared.world();
    let parsed = soql::parse(query).and_then(|q| soql::run(&world.org, &q, 66, false));
    parsed.map(|(_, rows)| rows).unwrap_or_default()
}

async fn record(State(shared): App, Path(id): Path<String>) -> Response {
    let found = super::normalise(&id).and_then(|id| {
        let world = shared.world();
        let object = world.org.schema.of_id(&id)?;
        let fields = world.org.fields(&id)?;
        let wanted: Vec<String> = shown(&object.name).iter().map(|f| (*f).to_owned()).collect();
        let record = soql::project(&world.org, object, fields, &wanted, 66).ok()?;
        let names: Map<String, Value> =
            object.fields.iter().map(|f| (f.name.clone(), json!({"label": super::schema::label(&f.name), "type": f.type_name(), "updateable": f.update}))).collect();
        Some((id, object.name.clone(), record, names))
    });
    let Some((id, object, record, fields)) = found else { return StatusCode::NOT_FOUND.into_response() };
    let related = related(&shared, &object, &id);
    let layout = shown(&object);
    Json(json!({
        "id": id, "object": object, "record": record, "fields": fields, "layout": layout, "related": related,
    }))
    .into_response()
}

/// The lists beside a record, in the order shown.
fn related(shared: &Shared, object: &str, id: &str) -> Value {
    const CASE: &str = "SELECT Id, CaseNumber, Subject, Status, Priority, CreatedDate, IsClosed FROM Case";
    const TASK: &str = "SELECT Id, Subject, Status, CallType, CreatedDate FROM Task";
    const FILE: &str = "SELECT Id, ContentDocument.Title, ContentDocument.FileExtension, \
        ContentDocument.ContentSize, ContentDocument.LatestPublishedVersionId FROM ContentDocumentLink";
    const CONTACT: &str = "SELECT Id, Name, Title, Phone, Email FROM Contact";
    const COMMENT: &str = "SELECT Id, CommentBody, CreatedDate, CreatedBy.Name FROM CaseComment";
    let latest = "ORDER BY CreatedDate DESC LIMIT 20";
    let lists: &[(&str, String)] = match object {
        "Contact" => &[
            ("Cases", format!("{CASE} WHERE ContactId = '{id}' {latest}")),
            ("Activity", format!("{TASK} WHERE WhoId = '{id}' {latest}")),
            ("Files", format!("{FILE} WHERE LinkedEntityId = '{id}'")),
        ],
        "Account" => &[
            ("Contacts", format!("{CONTACT} WHERE AccountId = '{id}' ORDER BY Name LIMIT 50")),
            ("Cases", format!("{CASE} WHERE AccountId = '{id}' {latest}")),
        ],
        "Case" => &[
            ("Files", format!("{FILE} WHERE LinkedEntityId = '{id}'")),
            ("Comments", format!("{COMMENT} WHERE ParentId = '{id}' ORDER BY CreatedDate")),
            ("Activity", format!("{TASK} WHERE WhatId = '{id}' {latest}")),
        ],
        "Lead" => &[("Activity", format!("{TASK} WHERE WhoId = '{id}' {latest}"))],
        _ => &[],
    };
    lists.iter().map(|(name, query)| json!({"name": name, "rows": run(shared, query)})).collect()
}

async fn list(State(shared): App, Path(object): Path<String>) -> Response {
    let query = match object.as_str() {
        "Case" => {
            "SELECT Id, CaseNumber, Subject, Contact.Name, Status, Priority, Owner.Name, CreatedDate FROM Case WHERE IsClosed = false ORDER BY CreatedDate DESC LIMIT 60"
        }
        "Contact" => {
            "SELECT Id, Name, Account.Name, Title, Phone, Email FROM Contact ORDER BY LastName LIMIT 300"
        }
        "Account" => {
            "SELECT Id, Name, Industry, Phone, BillingCity, BillingCountry FROM Account ORDER BY Name LIMIT 150"
        }
        "Lead" => {
            "SELECT Id, Name, Company, Status, Phone, Email FROM Lead WHERE IsConverted = false ORDER BY LastName LIMIT 100"
        }
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    Json(json!({"object": object, "rows": run(&shared, query)})).into_response()
}

/// What the console's search box finds: a SOSL search with everything reserved escaped.
async fn search(State(shared): App, Query(params): Query<HashMap<String, String>>) -> Json<Value> {
    let text = params.get("q").map(String::as_str).unwrap_or_default();
    let words: Vec<String> = text
        .split(|c: char| !c.is_alphanumeric() && c != '@' && c != '.')
        .filter(|w| !w.is_empty())
        .map(|w| {
            format!(
                "{}*",
                w.chars()
                    .map(|c| if c.is_alphanumeric() { c.to_string() } else { format!("\\{c}") })
                    .collect::<String>()
            )
        })
        .collect();
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let mut any = vec![words.join(" ")];
    if digits.len() >= 7 {
        any.push(digits);
    }
    let find =
        any.iter().filter(|a| !a.is_empty()).map(|a| format!("({a})")).collect::<Vec<_>>().join(" OR ");
    let query = format!(
        "FIND {{{find}}} IN ALL FIELDS RETURNING Contact(Id, Name, Account.Name, Phone, Email LIMIT 25), Lead(Id, Name, Company, Phone, Email LIMIT 10), Account(Id, Name, Phone LIMIT 10), Case(Id, CaseNumber, Subject, Status LIMIT 25)"
    );
    let world = shared.world();
    let found = sosl::parse(&query).and_then(|s| sosl::run(&world.org, &s, 66));
    Json(match found {
        Ok(found) => json!({"q": text, "rows": found["searchRecords"]}),
        Err(_) => json!({"q": text, "rows": []}),
    })
}

/// What an agent saves in the page: `{"id"|"object", "fields"}`.
async fn save(State(shared): App, Json(body): Json<Value>) -> Response {
    let who = Writer { user: shared.agent.clone(), auto_assign: false, allow_duplicates: true };
    let fields = body["fields"].as_object().cloned().unwrap_or_default();
    let mut world = shared.world();
    let done = match body["id"].as_str() {
        Some(given) => {
            let id = super::normalise(given).unwrap_or_default();
            match world.org.schema.of_id(&id).cloned() {
                Some(object) => world.org.update(&object, &id, &fields, &who).map(|()| id),
                None => Err(super::error::ApiError::not_found()),
            }
        }
        None => match world.org.schema.path(body["object"].as_str().unwrap_or_default()).cloned() {
            Ok(object) => world.org.insert(&object, &fields, &who),
            Err(e) => Err(e),
        },
    };
    match done {
        Ok(id) => Json(json!({"id": id})).into_response(),
        Err(e) => (StatusCode::BAD_REQUEST, Json(e.body())).into_response(),
    }
}

/// A file as text, and as nothing else: what a customer sent must not run in the console's origin.
async fn file(State(shared): App, Path(id): Path<String>) -> Response {
    let content = super::normalise(&id).and_then(|id| shared.world().org.blob(&id).cloned());
    let Some(content) = content else { return StatusCode::NOT_FOUND.into_response() };
    let headers = [
        (CONTENT_TYPE, "text/plain; charset=utf-8"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'"),
    ];
    (headers, content).into_response()
}
