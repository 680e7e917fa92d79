//! Is it alive, can it work, and how much did it do.

use super::Shared;
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use serde_json::json;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Writes metrics in Prometheus' text format.
pub type Source = Box<dyn Fn(&mut String) + Send + Sync>;

/// Whether the daemon can do its work: what is in the way, by part. A CRM or broker that is down is not: chats go
/// on without.
#[derive(Clone, Default)]
pub struct Readiness(Arc<Mutex<BTreeMap<&'static str, String>>>);

impl Readiness {
    /// Says that a part works (`None`), or why it does not.
    pub fn set(&self, part: &'static str, trouble: Option<String>) {
        let mut troubles = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match trouble {
            Some(why) => troubles.insert(part, why),
            None => troubles.remove(part),
        };
    }

    fn troubles(&self) -> BTreeMap<&'static str, String> {
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
    pub(super) events: Count,
    pub(super) throttled: Count,
    pub(super) frames_in: Count,
    pub(super) frames_bad: Count,
}

/// `GET /healthz`: the process answers.
pub(super) async fn healthz() -> Json<serde_json::Value> {
    Json(json!({ "status": "alive" }))
}

/// `GET /readyz`: it can do its work; else 503 and why.
pub(super) async fn readyz(State(app): State<Shared>) -> Response {
    let troubles = app.parts.readiness.troubles();
    if troubles.is_empty() {
        return Json(json!({ "status": "ready" })).into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "status": "not ready", "troubles": troubles })))
        .into_response()
}

/// `GET /metrics` on the admin listener.
pub(super) async fn metrics(State(app): State<Shared>) -> Response {
    let mut text = String::new();
    let counts = &app.counts;
    let hub = app.parts.hub.counts();
    for (name, help, value) in [
        ("tieline_sign_ins_total", "Agents signed in.", counts.sign_ins.get()),
        ("tieline_sign_ins_refused_total", "Sign-ins refused.", counts.sign_ins_refused.get()),
        ("tieline_chats_started_total", "Chats started by the widget.", counts.chats.get()),
        ("tieline_http_events_total", "Events taken over HTTP.", counts.events.get()),
        ("tieline_throttled_total", "Requests and frames that came too often.", counts.throttled.get()),
        ("tieline_frames_in_total", "Frames from live sockets.", counts.frames_in.get()),
        ("tieline_frames_bad_total", "Frames that could not be read.", counts.frames_bad.get()),
        ("tieline_pushes_total", "Pushes to live sockets.", hub.pushes),
        ("tieline_sockets_slow_total", "Sockets closed because their reader was too slow.", hub.slow),
        ("tieline_pops_shown_total", "Pops sent to a panel.", hub.pops),
    ] {
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} counter\n{name} {value}");
    }
    let name = "tieline_sockets_open";
    let _ = writeln!(text, "# HELP {name} Live sockets.\n# TYPE {name} gauge");
    let _ = writeln!(
        text,
        "{name}{{kind=\"agent\"}} {}\n{name}{{kind=\"customer\"}} {}",
        hub.panels, hub.widgets
    );
    for source in &app.parts.metrics {
        source(&mut text);
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}
