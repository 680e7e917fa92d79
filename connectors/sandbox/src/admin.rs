//! `/__sandbox/…`: how tests and the demo drive a stand-in from another process. No part of a CRM, without any
//! login; a stand-in listens on loopback.

use crate::faults::{Armed, Faults};
use async_trait::async_trait;
use axum::Json;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use tieline_connector_api::sandbox::{Exchange, Sandbox};

/// Requests remembered.
const REMEMBERED: usize = 500;

/// The latest requests.
#[derive(Debug, Default)]
pub struct Requests(Mutex<(u64, VecDeque<Exchange>)>);

impl Requests {
    /// Remembers a request.
    pub fn note(&self, method: &str, path: &str, status: Option<u16>) {
        let mut inner = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        inner.0 += 1;
        let n = inner.0;
        if inner.1.len() == REMEMBERED {
            inner.1.pop_front();
        }
        inner.1.push_back(Exchange { n, method: method.to_owned(), path: path.to_owned(), status });
    }
    /// How many there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).0
    }
    /// Those after the first `since`, as far as they are remembered, oldest first.
    #[must_use]
    pub fn after(&self, since: u64) -> Vec<Exchange> {
        let mut all = self.latest();
        all.retain(|one| one.n > since);
        all
    }
    /// The latest, oldest first.
    #[must_use]
    pub fn latest(&self) -> Vec<Exchange> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).1.iter().cloned().collect()
    }
}

/// A contact as the admin surface lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// Record id.
    pub id: String,
    /// Full name.
    pub name: String,
    /// Company.
    pub company: Option<String>,
    /// E-mail address.
    pub email: Option<String>,
    /// Every phone number, as typed.
    pub phones: Vec<String>,
    /// Numbers of open cases.
    pub open_cases: Vec<String>,
}

/// What the admin surface needs of a stand-in beyond the kit's trait.
#[async_trait]
pub trait Admin: Sandbox + 'static {
    /// Its faults.
    fn faults(&self) -> &Faults;
    /// Its requests.
    fn served(&self) -> &Requests;
    /// Its contacts.
    async fn contacts(&self) -> Vec<Listed>;
    /// A record with all its fields.
    async fn record(&self, id: &str) -> Option<Value>;
    /// Ends all tokens; how many there were.
    async fn kill_tokens(&self) -> usize;
    /// Its switches.
    async fn switches(&self) -> Value;
    /// Changes switches.
    ///
    /// # Errors
    /// What does not fit, in words.
    async fn set_switches(&self, changes: Map<String, Value>) -> Result<(), String>;
    /// The address of the panel that the host page embeds.
    async fn panel(&self) -> Option<String>;
    /// Sets it.
    async fn set_panel(&self, url: Option<String>);
    /// Folds one contact into another, as a person would: the first stays.
    ///
    /// # Errors
    /// What does not fit, in words.
    async fn merge(&self, winner: &str, loser: &str) -> Result<(), String>;
    /// The CA to trust, PEM.
    fn ca_pem(&self) -> Option<String>;
    /// Where things are.
    fn addresses(&self) -> Value;
}

type Shared<A> = State<Arc<A>>;

#[derive(Deserialize)]
struct NewContact {
    name: String,
    email: Option<String>,
    phone: Option<String>,
}

#[derive(Deserialize)]
struct Panel {
    url: Option<String>,
}

#[derive(Deserialize)]
struct Merge {
    winner: String,
    loser: String,
}

fn says(status: StatusCode, what: impl Into<String>) -> Response {
    (status, Json(json!({"error": what.into()}))).into_response()
}

/// The routes.
pub fn routes<A: Admin>(admin: Arc<A>) -> Router {
    Router::new()
        .route("/__sandbox", get(addresses::<A>))
        .route("/__sandbox/faults", get(armed::<A>).post(inject::<A>).delete(clear::<A>))
        .route("/__sandbox/records", get(records::<A>))
        .route("/__sandbox/records/{id}", get(record::<A>).patch(edit::<A>))
        .route("/__sandbox/contacts", get(contacts::<A>).post(add_contact::<A>))
        .route("/__sandbox/merge", post(merge::<A>))
        .route("/__sandbox/requests", get(requests::<A>))
        .route("/__sandbox/tokens/kill", post(kill::<A>))
        .route("/__sandbox/switches", get(switches::<A>).patch(set_switches::<A>))
        .route("/__sandbox/panel", get(panel::<A>).put(set_panel::<A>))
        .route("/__sandbox/ca.pem", get(ca::<A>))
        .with_state(admin)
}

async fn addresses<A: Admin>(State(admin): Shared<A>) -> Json<Value> {
    Json(admin.addresses())
}

async fn armed<A: Admin>(State(admin): Shared<A>) -> Json<Value> {
    let latency = admin.faults().latency().as_millis();
    Json(json!({"latency_ms": u64::try_from(latency).unwrap_or(u64::MAX), "armed": admin.faults().armed()}))
}

async fn inject<A: Admin>(State(admin): Shared<A>, body: String) -> Response {
    match serde_json::from_str::<Armed>(&body) {
        Ok(armed) => {
            admin.faults().inject(armed.fault, armed.times);
            StatusCode::NO_CONTENT.into_response()
        }
        Err(e) => says(StatusCode::BAD_REQUEST, format!("not a fault: {e}")),
    }
}

async fn clear<A: Admin>(State(admin): Shared<A>) -> StatusCode {
    admin.clear_faults().await;
    StatusCode::NO_CONTENT
}

async fn records<A: Admin>(State(admin): Shared<A>) -> Response {
    Json(admin.log_records().await).into_response()
}

async fn record<A: Admin>(State(admin): Shared<A>, Path(id): Path<String>) -> Response {
    match admin.record(&id).await {
        Some(record) => Json(record).into_response(),
        None => says(StatusCode::NOT_FOUND, "no such record"),
    }
}

async fn edit<A: Admin>(
    State(admin): Shared<A>,
    Path(id): Path<String>,
    Json(fields): Json<Map<String, Value>>,
) -> Response {
    if admin.record(&id).await.is_none() {
        return says(StatusCode::NOT_FOUND, "no such record");
    }
    for (field, value) in fields {
        admin.edit(&id, &field, value).await;
    }
    StatusCode::NO_CONTENT.into_response()
}

async fn contacts<A: Admin>(State(admin): Shared<A>) -> Response {
    Json(admin.contacts().await).into_response()
}

async fn add_contact<A: Admin>(State(admin): Shared<A>, Json(new): Json<NewContact>) -> Json<Value> {
    let id = admin.add_contact(&new.name, new.email.as_deref(), new.phone.as_deref()).await;
    Json(json!({"id": id}))
}

async fn merge<A: Admin>(State(admin): Shared<A>, Json(merge): Json<Merge>) -> Response {
    match admin.merge(&merge.winner, &merge.loser).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(e) => says(StatusCode::BAD_REQUEST, e),
    }
}

async fn requests<A: Admin>(State(admin): Shared<A>) -> Json<Value> {
    Json(json!({"count": admin.served().count(), "latest": admin.served().latest()}))
}

async fn kill<A: Admin>(State(admin): Shared<A>) -> Json<Value> {
    Json(json!({"killed": admin.kill_tokens().await}))
}

async fn switches<A: Admin>(State(admin): Shared<A>) -> Json<Value> {
    Json(admin.switches().await)
}

async fn set_switches<A: Admin>(
    State(admin): Shared<A>,
    Json(changes): Json<Map<String, Value>>,
) -> Response {
    match admin.set_switches(changes).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(e) => says(StatusCode::BAD_REQUEST, e),
    }
}

async fn panel<A: Admin>(State(admin): Shared<A>) -> Json<Value> {
    Json(json!({"url": admin.panel().await}))
}

async fn set_panel<A: Admin>(State(admin): Shared<A>, Json(panel): Json<Panel>) -> StatusCode {
    admin.set_panel(panel.url).await;
    StatusCode::NO_CONTENT
}

async fn ca<A: Admin>(State(admin): Shared<A>) -> Response {
    match admin.ca_pem() {
        Some(pem) => ([("content-type", "application/x-pem-file")], pem).into_response(),
        None => says(StatusCode::NOT_FOUND, "this run has no TLS"),
    }
}
