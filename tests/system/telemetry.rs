//! What operators see: metrics as they are documented, one trace per interaction, and logs without content.

use crate::daemon::{Centre, Daemon};
use crate::talk::{accept, available, saved};
use crate::visitor::{Visitor, person};
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Said;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex};
use tieline_connector_api::sandbox::Sandbox;
use tieline_model::InteractionId;
use tieline_model::content::Remarks;
use tieline_model::live::AgentDeed;

/// Words that stand for content: none of them may be in a log line, a span, or a metric.
const CONTENT: [&str; 6] =
    ["Philomena", "Quarrington", "philomena@quarrington.example", "7946 0654", "79460654", "elderberry"];

/// A chat from its start to its case, and a call, of a person whose name is nowhere else.
async fn a_day(centre: &Centre, daemon: &Daemon) -> InteractionId {
    let (name, email) = ("Philomena Quarrington", "philomena@quarrington.example");
    centre.crm.add_contact(name, Some(email), Some("020 7946 0654")).await;
    let mut anna = daemon.panel("anna").await;
    available(&mut anna).await;
    let mut visitor = Visitor::starts(daemon, "support", person(name, email)).await;
    accept(&mut anna).await;
    let chat = visitor.interaction;
    visitor.writes("my elderberry wine has not come").await;
    anna.does(AgentDeed::Send { interaction: chat, text: "the elderberry is on its way".into() }).await;
    visitor.ends().await;
    anna.until("the end", |p| p.view.items.iter().find(|i| i.wrap_up.is_some()).map(|_| ())).await;
    let remarks = Remarks { text: "elderberry".into(), notes: "elderberry again".into() };
    anna.does(AgentDeed::Classify { interaction: chat, codes: vec!["delivery".into()], remarks }).await;
    anna.does(AgentDeed::CompleteWrapUp { interaction: chat }).await;
    anna.until("the case", |p| saved(p, chat)).await;
    let ringing =
        json!({ "call": "t-1", "from": "+44 20 7946 0654", "to": "+44 20 7946 0000", "agents": ["201"] });
    daemon.call("ringing", ringing).await;
    anna.until("the caller's record", |p| (p.pops.len() >= 2).then_some(())).await;
    daemon.call("answered", json!({ "call": "t-1", "agent": "anna" })).await;
    daemon.call("ended", json!({ "call": "t-1" })).await;
    anna.until("no card", |p| p.view.calls.is_empty().then_some(())).await;
    chat
}

fn project(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Names in the first column of the tables of docs/metrics.md.
fn documented() -> BTreeSet<String> {
    let text = project("docs/metrics.md");
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `tieline_")?.split_once('`'));
    rows.map(|(name, _)| format!("tieline_{name}")).collect()
}

// proves D8, D13
#[tokio::test]
async fn every_metric_is_documented_and_every_documented_one_is_measured() {
    let centre = Centre::start().await;
    let daemon = centre.daemon().await;
    a_day(&centre, &daemon).await;
    let text = daemon.metrics().await;
    let measured: BTreeSet<String> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '))
        .map(|(name, kind)| match kind {
            "counter" => format!("{name}_total"),
            "info" => format!("{name}_info"),
            _ => name.to_owned(),
        })
        .collect();
    assert_eq!(measured, documented(), "measured, and what docs/metrics.md lists");
    assert!(text.contains("tieline_connector_operation_duration_seconds_count{tenant=\"demo\",connection=\"crm\",operation=\"upsert_log\",outcome=\"done\"} 1"), "{text}");
    assert!(text.contains("tieline_chats_waiting{tenant=\"demo\",queue=\"support\"} 0"), "{text}");
    assert!(text.contains("tieline_agents{tenant=\"demo\",status=\"available\"} 1"), "{text}");
    for word in CONTENT {
        assert!(!text.contains(word), "{word} is in the metrics");
    }
    daemon.stop().await;
}

#[test]
fn the_dashboard_asks_for_nothing_that_is_not_measured() {
    let board: Value = serde_json::from_str(&project("deploy/grafana/tieline.json")).expect("JSON");
    let panels = board["panels"].as_array().expect("panels");
    let known = documented();
    let mut asked = BTreeSet::new();
    for panel in panels {
        for target in panel["targets"].as_array().into_iter().flatten() {
            let expression = target["expr"].as_str().expect("an expression");
            for word in expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
                if word.starts_with("tieline_") {
                    let base = ["_bucket", "_count", "_sum"].iter().find_map(|end| word.strip_suffix(end));
                    let name = base.filter(|base| known.contains(*base)).unwrap_or(word).to_owned();
                    assert!(known.contains(&name), "{} asks for {word}", panel["title"]);
                    asked.insert(name);
                }
            }
        }
    }
    assert!(asked.len() >= 20, "a dashboard shows the most of it: {asked:?}");
}

type Heard = Arc<Mutex<Vec<(Option<String>, Vec<Span>)>>>;

/// A collector of OTLP over HTTP: its address and what it heard, with the key that came along.
async fn collector() -> (String, Heard) {
    async fn take(State(heard): State<Heard>, headers: axum::http::HeaderMap, body: Bytes) {
        let request = ExportTraceServiceRequest::decode(body).expect("OTLP");
        let scopes = request.resource_spans.into_iter().flat_map(|r| r.scope_spans);
        let spans = scopes.flat_map(|s| s.spans).collect();
        let key = headers.get("x-key").map(|v| v.to_str().expect("text").to_owned());
        heard.lock().expect("whole").push((key, spans));
    }
    let heard = Heard::default();
    let app = axum::Router::new().route("/v1/traces", post(take)).with_state(heard.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, app).await });
    (format!("http://{address}/v1/traces"), heard)
}

fn says(span: &Span, key: &str) -> Option<String> {
    let value = span.attributes.iter().find(|a| a.key == key)?.value.as_ref()?.value.as_ref()?;
    if let Said::StringValue(text) = value { Some(text.clone()) } else { Some(format!("{value:?}")) }
}

// proves D7
#[tokio::test]
async fn an_interaction_is_one_trace_and_no_line_holds_what_people_said() {
    let (endpoint, heard) = collector().await;
    let telemetry = format!(
        "[telemetry]\notlp_endpoint = \"{endpoint}\"\n[telemetry.otlp_headers]\nx-key = \"a-collectors-key\"\n"
    );
    let centre = Centre::with(&telemetry).await;
    let log = tempfile::NamedTempFile::new().expect("a file");
    let stderr = log.reopen().expect("the file");
    let daemon = centre
        .daemon_as(|command| {
            command.args(["--log", "json"]).env("TIELINE_LOG", "info,tieline=trace").stderr(stderr);
        })
        .await;
    let chat = a_day(&centre, &daemon).await;
    daemon.stop().await;

    let heard = heard.lock().expect("whole");
    assert!(heard.iter().all(|(key, _)| key.as_deref() == Some("a-collectors-key")));
    let spans: Vec<&Span> = heard.iter().flat_map(|(_, spans)| spans).collect();
    let of_chat: Vec<_> = spans.iter().filter(|s| s.trace_id == chat.0.as_bytes()).collect();
    let named = |name: &str| of_chat.iter().filter(|s| s.name == name).count();
    assert!(named("command") >= 6, "start, accept, messages, end, classify, complete: {}", named("command"));
    assert_eq!(named("look up"), 1);
    let operations: Vec<_> = of_chat.iter().filter_map(|s| says(s, "operation")).collect();
    assert_eq!(operations.iter().filter(|o| *o == "find").count(), 1, "{operations:?}");
    assert_eq!(operations.iter().filter(|o| *o == "upsert_log").count(), 1, "{operations:?}");
    for span in &of_chat {
        assert!(span.end_time_unix_nano >= span.start_time_unix_nano && span.start_time_unix_nano > 0);
    }
    let traced = format!("{spans:?}");
    let lines = std::fs::read_to_string(log.path()).expect("the log");
    assert!(lines.lines().count() > 3, "it logged: {lines}");
    for line in lines.lines() {
        let read: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("not JSON ({e}): {line}"));
        assert!(read["level"].is_string() && read["timestamp"].is_string(), "{line}");
    }
    for word in CONTENT.iter().chain(&["a-collectors-key", "a-producer-of-the-tests"]) {
        assert!(!lines.contains(word), "{word} is in the log");
        assert!(!traced.contains(word), "{word} is in the traces");
    }
}
