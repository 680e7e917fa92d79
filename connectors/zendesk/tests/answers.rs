//! Answers that no Zendesk should give, and headers in spellings that it gave in other years: a server that says
//! whatever it is told.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::{WallClock, log, user};
use tieline_connector_api::client::Limits;
use tieline_connector_api::ledger::MemoryLedger;
use tieline_connector_api::{Connector, Failure, Known, Severity};
use tieline_model::crm::Query;
use tieline_model::{Clock, Millis};
use tieline_zendesk::{Settings, Zendesk};

/// What is said to everything but the token endpoint, and what was asked.
#[derive(Default)]
struct Script {
    status: u16,
    headers: Vec<(&'static str, &'static str)>,
    body: Vec<u8>,
    asked: Vec<(Method, String, HeaderMap, Bytes)>,
}

#[derive(Clone)]
struct Server {
    script: Arc<Mutex<Script>>,
    base_url: String,
}

impl Server {
    async fn start() -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        let script = Arc::new(Mutex::new(Script::default()));
        let routes = Router::new().fallback(answer).with_state(script.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self { script, base_url }
    }

    fn says(&self, status: u16, headers: &[(&'static str, &'static str)], body: &str) {
        let mut script = self.script.lock().unwrap();
        (script.status, script.headers, script.body) = (status, headers.to_vec(), body.as_bytes().to_vec());
        script.asked.clear();
    }

    fn connect(&self, changes: Value) -> Zendesk {
        let mut all = json!({
            "base_url": self.base_url, "client_id": "c", "client_secret": "hush", "default_country": "GB",
        });
        all.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let settings: Settings = serde_json::from_value(all).unwrap();
        let limits = Limits { request: Duration::from_secs(5), ..Limits::default() };
        Zendesk::new(settings, Arc::new(WallClock::default()), limits).unwrap()
    }
}

async fn answer(
    State(script): State<Arc<Mutex<Script>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut script = script.lock().unwrap();
    if uri.path() == "/oauth/tokens" {
        assert!(headers["content-type"].to_str().unwrap().starts_with("application/json"));
        let asked: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(asked["grant_type"], "client_credentials");
        return axum::Json(json!({ "access_token": "t", "token_type": "bearer", "expires_in": null }))
            .into_response();
    }
    script.asked.push((method, uri.to_string(), headers, body));
    let mut answer = (StatusCode::from_u16(script.status).unwrap(), script.body.clone()).into_response();
    for (name, value) in &script.headers {
        answer.headers_mut().insert(*name, value.parse().unwrap());
    }
    answer
}

fn query() -> Query {
    Query { email: Some("ada@example.org".into()), case_number: Some("4711".into()), ..Query::default() }
}

// proves D8
#[tokio::test]
async fn nonsense_from_a_look_up_is_tried_again() {
    let server = Server::start().await;
    let connector = server.connect(json!({}));
    for (status, body) in [
        (200, "<html>hello</html>"),
        (200, r#"{"users":[{"id":1,"na"#),
        (200, ""),
        (200, "null"),
        (200, "[]"),
        (200, r#"{"users":{}}"#),
        (200, r#"{"ticket":{"id":4712},"users":[]}"#),
        (503, "<html>down</html>"),
        (500, r#"{"error":"unavailable","description":"Sorry, we could not complete your search query."}"#),
        (422, r#"{"error":"unavailable","description":"Sorry"}"#),
        (403, "<html>who are you</html>"),
    ] {
        server.says(status, &[], body);
        let failure = connector.find(&query()).await.unwrap_err();
        assert!(
            matches!(failure, Failure::Retry { known: Known::NotDone, .. }),
            "{status} {body}: {failure:?}"
        );
    }
}

// proves D6, D8
#[tokio::test]
async fn nonsense_from_a_write_leaves_it_unsure() {
    let server = Server::start().await;
    let connector = server.connect(json!({}));
    for (status, body) in [
        (201, "<html>done</html>"),
        (201, r#"{"ticket":{"id":12"#),
        (201, "{}"),
        (201, r#"{"ticket":{"id":null}}"#),
        (201, r#"{"ticket":{"id":-5}}"#),
        (201, r#"{"ticket":{"id":1.5}}"#),
        (201, r#"{"ticket":[]}"#),
        (502, "<html>gateway</html>"),
        (503, ""),
        (408, ""),
        (409, r#"{"error":"Conflict","description":"in flight"}"#),
    ] {
        server.says(status, &[], body);
        let mut ledger = MemoryLedger::default();
        let failure = connector.upsert_log(&log(), &mut ledger).await.unwrap_err();
        assert!(
            matches!(failure, Failure::Retry { known: Known::Unknown, .. }),
            "{status} {body}: {failure:?}"
        );
        assert!(ledger.0.pending.is_some(), "{status} {body}");
    }
}

// proves D9
#[tokio::test]
async fn a_refusal_names_the_field_and_repeats_no_value() {
    let server = Server::start().await;
    let connector = server.connect(json!({}));
    for (status, body, code, says) in [
        (
            422,
            r#"{"error":"RecordInvalid","description":"Record validation errors","details":{"base":[{"description":"Colour of Ada Lovelace: cannot be blank","error":"BlankValue","ticket_field_id":32972409}]}}"#,
            "RecordInvalid",
            "ticket field 32972409",
        ),
        (
            400,
            r#"{"error":{"title":"Invalid attribute","message":"You passed Ada Lovelace"}}"#,
            "Invalid attribute",
            "never",
        ),
        (403, r#"{"error":"Forbidden","description":"Ada Lovelace may not"}"#, "Forbidden", "right"),
        (413, r#"{"error":"AttachmentTooBig"}"#, "AttachmentTooBig", "larger"),
        (415, "", "", "HTTP 415"),
    ] {
        server.says(status, &[], body);
        let mut ledger = MemoryLedger::default();
        let failure = connector.upsert_log(&log(), &mut ledger).await.unwrap_err();
        let shown = format!("{failure} {failure:?}");
        let Failure::Reject { code: got, reason } = failure else { panic!("{body}: {failure:?}") };
        assert_eq!(got.unwrap_or_default(), code, "{body}");
        assert!(reason.contains(says) && !shown.contains("Lovelace") && !shown.contains("hush"), "{reason}");
        assert!(ledger.0.pending.is_none(), "a refusal is sure");
        // Repaired in the settings and sent again, it goes under a key of its own.
        let key = |asked: &[(Method, String, HeaderMap, Bytes)]| {
            asked.last().unwrap().2["idempotency-key"].to_str().unwrap().to_owned()
        };
        let first = key(&server.script.lock().unwrap().asked);
        let _ = connector.upsert_log(&log(), &mut ledger).await.unwrap_err();
        assert_ne!(first, key(&server.script.lock().unwrap().asked));
    }
}

// proves D8, D13
#[tokio::test]
async fn limits_are_read_in_every_spelling() {
    let server = Server::start().await;
    let connector = server.connect(json!({}));
    let now = WallClock::default().now();
    for (headers, left) in [
        (&[("x-rate-limit", "700"), ("x-rate-limit-remaining", "12")][..], Some(12)),
        (
            &[("ratelimit-limit", "700"), ("ratelimit-remaining", "13"), ("ratelimit-reset", "40")][..],
            Some(13),
        ),
        (&[("rate-limit", "700"), ("rate-limit-remaining", "14")][..], Some(14)),
    ] {
        server.says(200, headers, r#"{"users":[]}"#);
        connector.find(&Query { case_number: None, ..query() }).await.unwrap();
        assert_eq!(connector.usage().map(|usage| usage.left), left);
    }
    // The account's limit stops the connection; a record's own stops only that record.
    let body = r#"{"error":"APIRateLimitExceeded"}"#;
    server.says(
        429,
        &[("retry-after", "30"), ("x-rate-limit", "700"), ("x-rate-limit-remaining", "0")],
        body,
    );
    let failure = connector.upsert_log(&log(), &mut MemoryLedger::default()).await.unwrap_err();
    assert!(
        matches!(failure, Failure::Throttled { until: Some(at), .. } if at.since(now) >= Millis::secs(29)),
        "{failure:?}"
    );
    for bucket in ["zendesk-ratelimit-tickets-update", "zendesk-rate-limit-tickets-update"] {
        let own = [
            (bucket, "total=30; remaining=0; resets=560"),
            ("retry-after", "560"),
            ("x-rate-limit", "700"),
            ("x-rate-limit-remaining", "650"),
        ];
        server.says(429, &own, body);
        let failure = connector.upsert_log(&log(), &mut MemoryLedger::default()).await.unwrap_err();
        assert!(
            matches!(failure, Failure::Retry { after: Some(after), .. } if after == Millis::secs(560)),
            "{bucket}: {failure:?}"
        );
    }
    // Where no wait is named, the end of the minute is.
    server.says(
        429,
        &[("ratelimit-limit", "700"), ("ratelimit-remaining", "0"), ("ratelimit-reset", "11")],
        body,
    );
    let failure = connector.find(&query()).await.unwrap_err();
    assert!(
        matches!(failure, Failure::Throttled { until: Some(at), .. } if at.since(now) < Millis::secs(40)),
        "{failure:?}"
    );
    // A wait of a year is nobody's wish.
    server.says(429, &[("retry-after", "31536000")], body);
    let failure = connector.find(&query()).await.unwrap_err();
    assert!(
        matches!(failure, Failure::Throttled { until: Some(at), .. } if at.since(now) <= Millis::secs(3_700)),
        "{failure:?}"
    );
}

#[tokio::test]
async fn another_address_is_never_followed() {
    let server = Server::start().await;
    let connector = server.connect(json!({}));
    server.says(301, &[("location", "https://elsewhere.example/api/v2/users/search")], "");
    let failure = connector.find(&query()).await.unwrap_err();
    let Failure::Reauthorise { reason } = failure else { panic!("{failure:?}") };
    assert!(reason.contains("`base_url`"), "{reason}");
}

#[tokio::test]
async fn an_anonymous_user_is_no_login() {
    let server = Server::start().await;
    let connector = server.connect(json!({}));
    for (body, says) in [
        (r#"{"user":{"id":null,"name":"Anonymous user","role":"end-user"}}"#, "anonymous"),
        (r#"{"user":{"id":7,"name":"Ada","role":"end-user"}}"#, "end user"),
    ] {
        server.says(200, &[], body);
        let findings = connector.check().await.unwrap();
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(findings[0].severity == Severity::Error && findings[0].says.contains(says), "{findings:?}");
    }
}

// proves D1
#[tokio::test]
async fn what_is_asked_is_written_as_zendesk_reads_it() {
    let server = Server::start().await;
    let connector = server.connect(json!({ "search": { "phone_fields": ["mobile"] } }));
    server.says(200, &[], r#"{"users":[]}"#);
    let asked = Query {
        email: Some("ada+x@example.org".into()),
        phone: Some("+44 (0)20 7946-0011".into()),
        ..Query::default()
    };
    connector.find(&asked).await.unwrap();
    let script = server.script.lock().unwrap();
    let mut asked: Vec<&str> = script.asked.iter().map(|(_, uri, ..)| uri.as_str()).collect();
    asked.sort_unstable();
    assert_eq!(
        asked,
        [
            "/api/v2/users/search?query=role%3Aend-user+email%3A%22ada%2Bx%40example.org%22&per_page=100",
            "/api/v2/users/search?query=role%3Aend-user+mobile%3A*2079460011&per_page=100",
            "/api/v2/users/search?query=role%3Aend-user+phone%3A*2079460011&per_page=100",
        ]
    );
    assert!(script.asked.iter().all(|(.., headers, _)| headers["authorization"] == "Bearer t"));
}

/// Ids beyond 2^53 come and go digit by digit.
#[tokio::test]
async fn ids_of_64_bits_survive_the_wire() {
    let server = Server::start().await;
    let connector = server.connect(json!({}));
    let body = r#"{"ticket":{"id":9007199254740993,"requester_id":9223372036854775807,"submitter_id":1,"subject":"x"}}"#;
    server.says(201, &[], body);
    let mut log = log();
    log.contact = Some(user("9223372036854775807"));
    let saved = connector.upsert_log(&log, &mut MemoryLedger::default()).await.unwrap();
    assert_eq!(saved.record.id.as_str(), "9007199254740993");
    let script = server.script.lock().unwrap();
    let sent = String::from_utf8(script.asked[0].3.to_vec()).unwrap();
    assert!(sent.contains(r#""requester_id":9223372036854775807"#), "{sent}");
    assert_eq!(script.asked[0].2["idempotency-key"].to_str().unwrap(), log.key());
}
