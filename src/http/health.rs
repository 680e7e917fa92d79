//! Is it alive, can it work, and how much did it do.

use super::{Shared, replicas};
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use futures::future::BoxFuture;
use http::{StatusCode, header};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Enters what a room measured into a registry that lives for one scrape.
pub type Source = Box<dyn for<'a> Fn(&'a mut Registry) -> BoxFuture<'a, ()> + Send + Sync>;

/// The content type of OpenMetrics text; Prometheus asks for it by itself.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Whether the daemon can do its work: what is in the way, by part. A CRM or broker that is down is not: chats go
/// on without.
#[derive(Clone, Default)]
pub struct Readiness(Arc<Mutex<BTreeMap<&'static str, String>>>);

/// Says what is impaired, by part: it waits or goes another way, while chats go on.
pub type Impaired = Box<dyn Fn() -> BTreeMap<String, String> + Send + Sync>;

impl Readiness {
    /// Says that a part works (`None`), or why it does not.
    pub fn set(&self, part: &'static str, trouble: Option<String>) {
        let mut troubles = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match trouble {
            Some(why) => troubles.insert(part, why),
            None => troubles.remove(part),
        };
    }

    /// What is in the way, by part; nothing means ready.
    #[must_use]
    pub fn troubles(&self) -> BTreeMap<&'static str, String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A number that only grows.
#[derive(Debug, Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    pub(super) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What the edge counts.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) sign_ins: Count,
    pub(super) sign_ins_refused: Count,
    pub(super) chats: Count,
    pub(super) shares_read: Count,
    pub(super) files_taken: Count,
    pub(super) files_refused: Count,
    pub(super) files_unscanned: Count,
    pub(super) files_read: Count,
    pub(super) events: Count,
    pub(super) throttled: Count,
    pub(super) frames_in: Count,
    pub(super) frames_bad: Count,
    pub(super) replicas: replicas::Counts,
}

/// `GET /healthz`: the process answers.
pub(super) async fn healthz() -> Json<serde_json::Value> {
    Json(json!({ "status": "alive" }))
}

/// `GET /readyz`: it can do its work; else 503 and why.
pub(super) async fn readyz(State(app): State<Shared>) -> Response {
    ready(&app, json!({}))
}

/// `GET /readyz` on the admin listener: also what is impaired, which is for operators alone.
pub(super) async fn readyz_in_full(State(app): State<Shared>) -> Response {
    let mut impaired = (app.parts.impaired)();
    impaired.extend(replicas::unserved(&app));
    ready(&app, if impaired.is_empty() { json!({}) } else { json!({ "impaired": impaired }) })
}

fn ready(app: &Shared, mut body: serde_json::Value) -> Response {
    let troubles = app.parts.readiness.troubles();
    if troubles.is_empty() {
        body["status"] = json!("ready");
        return Json(body).into_response();
    }
    body["status"] = json!("not ready");
    body["troubles"] = json!(troubles);
    (StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response()
}

/// `GET /metrics` on the admin listener, as OpenMetrics text. What each metric means stands in docs/metrics.md.
pub(super) async fn metrics(State(app): State<Shared>) -> Response {
    // Made anew for each scrape: most of it is read from places that count for themselves.
    let mut registry = Registry::with_prefix("tieline");
    own(&app, &mut registry);
    for source in &app.parts.metrics {
        source(&mut registry).await;
    }
    let mut text = String::new();
    match encode(&mut text, &registry) {
        Ok(()) => ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "the metrics cannot be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

fn own(app: &Shared, registry: &mut Registry) {
    let counts = &app.counts;
    let hub = app.parts.hub.counts();
    for (name, help, value) in [
        ("sign_ins", "Agents signed in", counts.sign_ins.get()),
        ("sign_ins_refused", "Sign-ins refused", counts.sign_ins_refused.get()),
        ("chats_started", "Chats started by the widget", counts.chats.get()),
        ("shares_read", "Shared transcripts shown", counts.shares_read.get()),
        ("files_taken", "Files taken in chats", counts.files_taken.get()),
        ("files_refused", "Files refused, for whatever reason", counts.files_refused.get()),
        ("files_unscanned", "Files that the scanner could not scan", counts.files_unscanned.get()),
        ("files_read", "Files given back to those at their chats", counts.files_read.get()),
        ("http_events", "Events taken over HTTP", counts.events.get()),
        ("throttled", "Requests and frames that came too often", counts.throttled.get()),
        ("frames_in", "Frames from live sockets", counts.frames_in.get()),
        ("frames_bad", "Frames that could not be read", counts.frames_bad.get()),
        ("pushes", "Pushes to live sockets", hub.pushes),
        ("sockets_slow", "Sockets closed because their reader was too slow", hub.slow),
        ("pops_shown", "Pops sent to a panel", hub.pops),
    ] {
        registry.register(name, help, ConstCounter::new(value));
    }
    let infected = Family::<Vec<(&str, String)>, Counter>::default();
    // There from the start, so that a first infected file is a rise from nought.
    drop(infected.get_or_create(&vec![("signature", "other".to_owned())]));
    for (signature, found) in app.infected.found() {
        infected.get_or_create(&vec![("signature", signature)]).inc_by(found);
    }
    registry.register("files_infected", "Files refused because of what was found in them", infected);
    let open = Family::<Vec<(&str, &str)>, Gauge>::default();
    for (kind, sockets) in [("agent", hub.panels), ("customer", hub.widgets)] {
        open.get_or_create(&vec![("kind", kind)]).set(i64::try_from(sockets).unwrap_or(i64::MAX));
    }
    registry.register("sockets_open", "Live sockets", open);
    counts.replicas.register(registry);
}
