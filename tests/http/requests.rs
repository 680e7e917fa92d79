//! Requests, pages, and what every answer carries.

use crate::world::{PASSWORD, PBX, world};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use uuid::Uuid;

#[tokio::test]
async fn a_repeated_start_gives_the_same_chat_and_another_body_is_refused() {
    let world = world("").await;
    let body = json!({ "id": Uuid::new_v4(), "queue": "support", "person": { "name": "Grace" } });
    let start = |body: Value| world.post("/api/v1/acme/chats", &body).send();
    let first: Value = start(body.clone()).await.unwrap().json().await.unwrap();
    let again: Value = start(body.clone()).await.unwrap().json().await.unwrap();
    assert_eq!(first["interaction"], again["interaction"]);
    let mut other = body.clone();
    other["person"]["name"] = json!("Mallory");
    let refused = start(other).await.unwrap();
    assert_eq!(refused.status(), 409);
    assert_eq!(refused.json::<Value>().await.unwrap()["code"], "id_reused");
    let elsewhere = world.post("/api/v1/other/chats", &body).send().await.unwrap();
    assert_ne!(elsewhere.json::<Value>().await.unwrap()["interaction"], first["interaction"]);
}

#[tokio::test]
async fn a_start_that_will_not_do_names_field_and_limit() {
    let world = world("").await;
    let good = json!({ "id": Uuid::new_v4(), "queue": "support", "person": {} });
    let with = |key: &str, value: Value| {
        let mut body = good.clone();
        body[key] = value;
        body
    };
    for (body, status, field) in [
        (with("queue", json!("nowhere")), 404, json!("queue")),
        (with("id", json!("guessable")), 422, json!("id")),
        (with("person", json!({ "name": "x".repeat(201) })), 422, json!("person.name")),
        (with("person", json!({ "nmae": "x" })), 400, json!("body")),
        (with("surprise", json!(1)), 400, json!("body")),
        (with("person", json!({ "name": "x".repeat(20_000) })), 413, json!("body")),
    ] {
        let answer = world.post("/api/v1/acme/chats", &body).send().await.unwrap();
        assert_eq!(answer.status(), status, "{field}");
        let refusal: Value = answer.json().await.unwrap();
        assert_eq!(refusal["field"], field, "{refusal}");
        assert!(refusal["message"].as_str().unwrap().len() > 10);
    }
    let text = world.http.post(world.url("/api/v1/acme/chats")).header("origin", &world.origin).body("{}");
    assert_eq!(text.send().await.unwrap().status(), 415);
    let broken = world.http.post(world.url("/api/v1/acme/chats")).header("origin", &world.origin);
    let broken = broken.header("content-type", "application/json").body("{\"id\": \"secret words");
    let broken = broken.send().await.unwrap();
    assert_eq!(broken.status(), 400);
    assert!(!broken.text().await.unwrap().contains("secret"), "what was written is not repeated");
}

#[tokio::test]
async fn only_our_own_pages_start_chats() {
    let world = world("").await;
    let body = json!({ "id": Uuid::new_v4(), "queue": "support" });
    let port = world.public.port();
    let strangers = [
        "null".to_owned(),
        "https://shop.acme.example".to_owned(),
        format!("http://127.0.0.1.evil.test:{port}"),
        format!("https://127.0.0.1:{port}"),
        format!("http://127.0.0.1:{port}/"),
        "http://127.0.0.1".to_owned(),
    ];
    for origin in strangers {
        let request = world.http.post(world.url("/api/v1/acme/chats")).header("origin", &origin).json(&body);
        assert_eq!(request.send().await.unwrap().status(), 403, "{origin}");
    }
    let none = world.http.post(world.url("/api/v1/acme/chats")).json(&body).send().await.unwrap();
    assert_eq!(none.status(), 403);
    let local = format!("http://localhost:{port}");
    let own = world.http.post(world.url("/api/v1/acme/chats")).header("origin", local).json(&body);
    assert_eq!(own.send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn new_chats_from_one_address_are_limited() {
    let world = world("[http]\nchats_per_minute = 3").await;
    for _ in 0..3 {
        world.start_chat("acme", "Grace").await;
    }
    let body = json!({ "id": Uuid::new_v4(), "queue": "support" });
    let refused = world.post("/api/v1/acme/chats", &body).send().await.unwrap();
    assert_eq!(refused.status(), 429);
    assert!(refused.headers().contains_key("retry-after"));
    world.move_clock(Duration::from_secs(20));
    assert_eq!(world.post("/api/v1/acme/chats", &body).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn signing_in_takes_the_right_password_and_not_too_many_wrong_ones() {
    let world = world("").await;
    let try_it = |tenant: &str, password: &str| {
        let body = json!({ "agent": "anna", "password": password });
        world.post(&format!("/api/v1/{tenant}/sign-in"), &body).send()
    };
    let signed = try_it("acme", PASSWORD).await.unwrap();
    assert_eq!(signed.status(), 200);
    assert_eq!(signed.headers()["cache-control"], "no-store");
    let signed: Value = signed.json().await.unwrap();
    assert_eq!(signed["name"], "Anna Berg");
    assert!(world.auth.tokens().read_agent(signed["token"].as_str().unwrap()).is_ok());
    let unknown = try_it("nowhere", "wrong").await.unwrap();
    assert_eq!(unknown.status(), 401, "an unknown contact centre answers as a wrong password does");
    for _ in 0..5 {
        assert_eq!(try_it("acme", "wrong").await.unwrap().status(), 401);
    }
    assert_eq!(try_it("acme", PASSWORD).await.unwrap().status(), 429);
    assert_eq!(try_it("other", PASSWORD).await.unwrap().status(), 200, "others sign in as ever");
}

#[tokio::test]
async fn events_are_taken_once_from_the_producer_of_this_tenant_only() {
    let world = world("").await;
    let event = json!({
        "specversion": "1.0", "id": "e-1", "source": "/pbx", "type": "com.tieline.call.ended.v1", "tenant": "acme",
        "data": { "call": "c-1" },
    });
    let send = |tenant: &str, token: &str| {
        let request = world.http.post(world.url(&format!("/api/v1/{tenant}/events"))).bearer_auth(token);
        request.json(&event).send()
    };
    let taken = send("acme", PBX).await.unwrap();
    assert_eq!(taken.status(), 202);
    assert_eq!(taken.json::<Value>().await.unwrap()["repeated"], false);
    assert_eq!(send("acme", PBX).await.unwrap().json::<Value>().await.unwrap()["repeated"], true);
    for (tenant, token) in [("other", PBX), ("acme", "wrong"), ("nowhere", PBX), ("acme", "")] {
        assert_eq!(send(tenant, token).await.unwrap().status(), 401, "{tenant}");
    }
    let mut theirs = event.clone();
    theirs["tenant"] = json!("other");
    let sent = world
        .http
        .post(world.url("/api/v1/acme/events"))
        .bearer_auth(PBX)
        .json(&theirs)
        .send()
        .await
        .unwrap();
    assert_eq!(sent.status(), 422);
    assert_eq!(sent.json::<Value>().await.unwrap()["field"], "tenant");
    let agent = world.agent_token("acme");
    assert_eq!(send("acme", &agent).await.unwrap().status(), 401, "an agent is no producer");
}

#[tokio::test]
async fn pages_stand_in_the_frames_of_their_own_tenant_only() {
    let world = world("").await;
    let policy = async |path: &str| {
        let answer = world.http.get(world.url(path)).send().await.unwrap();
        answer.headers()["content-security-policy"].to_str().unwrap().to_owned()
    };
    let panel = policy("/panel/acme/").await;
    assert!(panel.ends_with("frame-ancestors 'self' https://acme.crm.example"), "{panel}");
    assert!(panel.contains("script-src 'self' https://acme.crm.example;"), "{panel}");
    assert!(!panel.contains("unsafe") && !panel.contains("other.example"), "{panel}");
    let other = policy("/panel/other/").await;
    assert!(other.ends_with("frame-ancestors 'self' https://*.other.example"), "{other}");
    let widget = policy("/widget/acme/").await;
    assert!(widget.ends_with("frame-ancestors 'self' https://shop.acme.example"), "{widget}");
    assert!(widget.contains("script-src 'self';"), "{widget}");
    for path in
        ["/panel/nowhere/", "/widget/nowhere/", "/shop/", "/assets/nothing.js", "/assets/../index.html", "/"]
    {
        let answer = world.http.get(world.url(path)).send().await.unwrap();
        assert_eq!(answer.status(), 404, "{path}");
        assert!(policy(path).await.contains("frame-ancestors 'none'"), "{path}");
    }
    let posted = world.http.post(world.url("/panel/acme/")).body("signed_request=x").send().await.unwrap();
    let got = world.http.get(world.url("/panel/acme/")).send().await.unwrap();
    assert_eq!(posted.status(), got.status());
    let bare = world.http.get(world.url("/panel/acme")).send().await.unwrap();
    assert_eq!((bare.status().as_u16(), bare.headers()["location"].to_str().unwrap()), (308, "/panel/acme/"));
    let said = "?origin=https%3A%2F%2Facme.zendesk.com&app_guid=a-1&connection=zd";
    let in_crm = world.http.get(world.url(&format!("/panel/acme{said}"))).send().await.unwrap();
    assert_eq!(in_crm.headers()["location"].to_str().unwrap(), format!("/panel/acme/{said}"));
}

/// Where the pages have been built they are served, with the tenant's CRM pages written into the panel's; where not,
/// the page says how to.
#[tokio::test]
async fn built_pages_are_served_and_missing_ones_say_so() {
    let world = world("").await;
    let panel = world.http.get(world.url("/panel/acme/")).send().await.unwrap();
    let status = panel.status();
    let text = panel.text().await.unwrap();
    let dist = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("web/dist");
    if !dist.join("panel/index.html").exists() {
        assert_eq!(status, 503);
        assert!(text.contains("cargo xtask web"), "{text}");
        return;
    }
    assert_eq!(status, 200);
    assert!(text.contains("<meta name=\"tieline-hosts\" content=\"https://acme.crm.example\""), "{text}");
    let script = text.split("src=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    let script = world.http.get(world.url(script)).send().await.unwrap();
    assert_eq!(script.status(), 200);
    assert_eq!(script.headers()["content-type"], "text/javascript; charset=utf-8");
    assert_eq!(script.headers()["cache-control"], "public, max-age=31536000, immutable");
    let launcher = world.http.get(world.url("/widget.js")).send().await.unwrap();
    assert_eq!(launcher.headers()["cross-origin-resource-policy"], "cross-origin");
    let tag = launcher.headers()["etag"].clone();
    let again = world.http.get(world.url("/widget.js")).header("if-none-match", tag).send().await.unwrap();
    assert_eq!(again.status(), 304);
}

#[tokio::test]
async fn every_answer_says_what_a_browser_may_do_with_it() {
    let world = world("").await;
    for path in ["/panel/acme/", "/healthz", "/nothing", "/api/v1/acme/chats"] {
        let answer = world.http.get(world.url(path)).send().await.unwrap();
        let headers = answer.headers();
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(headers["referrer-policy"], "same-origin", "{path}");
        assert!(
            headers.contains_key("permissions-policy") && headers.contains_key("content-security-policy")
        );
        assert!(!headers.contains_key("set-cookie") && !headers.contains_key("access-control-allow-origin"));
    }
    let wrong = world.http.get(world.url("/api/v1/acme/chats")).send().await.unwrap();
    assert_eq!(wrong.status(), 405);
    assert!(wrong.json::<Value>().await.unwrap()["message"].as_str().unwrap().contains("GET"));
}

#[tokio::test]
async fn metrics_are_on_the_admin_listener_only() {
    let world = world("").await;
    world.start_chat("acme", "Grace").await;
    assert!(world.metrics().await.contains("\ntieline_chats_started_total 1\n"));
    assert_eq!(world.http.get(world.url("/metrics")).send().await.unwrap().status(), 404);
    let ready = world.http.get(world.url("/readyz")).send().await.unwrap();
    assert_eq!(ready.status(), 200);
    let verb = format!("http://{}/admin/anything", world.admin);
    let page =
        world.http.post(&verb).header("origin", "http://localhost").json(&json!({})).send().await.unwrap();
    assert_eq!(page.status(), 403, "a page on this machine is not the command line");
}

#[tokio::test]
async fn a_header_that_dawdles_or_swells_ends_the_connection() {
    let world = world("[http]\nheader_within = \"300ms\"").await;
    let mut slow = tokio::net::TcpStream::connect(world.public).await.unwrap();
    slow.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\nx-slow:").await.unwrap();
    let mut said = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(10), slow.read_to_end(&mut said)).await;
    assert!(ended.is_ok(), "the connection is still open");
    let mut long = tokio::net::TcpStream::connect(world.public).await.unwrap();
    let header = format!("GET /healthz HTTP/1.1\r\nhost: x\r\nx-long: {}\r\n\r\n", "x".repeat(20_000));
    // The daemon may end it before all is written.
    let _ = long.write_all(header.as_bytes()).await;
    said.clear();
    let _ = tokio::time::timeout(Duration::from_secs(10), long.read_to_end(&mut said)).await.unwrap();
    assert!(!String::from_utf8_lossy(&said).contains("200 OK"));
}

// proves F3
#[tokio::test]
async fn while_it_drains_it_is_not_ready_takes_no_new_work_and_says_when_to_come_back() {
    let world = world("").await;
    let body = json!({ "id": Uuid::new_v4(), "queue": "support", "person": {} });
    world.start_chat("acme", "Grace").await;
    world.drain.cancel();
    let until = std::time::Instant::now() + Duration::from_secs(10);
    while world.http.get(world.url("/readyz")).send().await.unwrap().status() != 503 {
        assert!(std::time::Instant::now() < until, "still ready");
    }
    let ready: Value = world.http.get(world.url("/readyz")).send().await.unwrap().json().await.unwrap();
    assert_eq!(ready["troubles"]["running"], "the daemon is stopping");
    assert_eq!(world.http.get(world.url("/healthz")).send().await.unwrap().status(), 200, "it is alive");
    let sign_in = json!({ "agent": "anna", "password": PASSWORD });
    let event = json!({});
    for request in [
        world.post("/api/v1/acme/chats", &body),
        world.post("/api/v1/acme/sign-in", &sign_in),
        world.post("/api/v1/acme/events", &event).bearer_auth(PBX),
        world.http.get(world.url("/ws/agent")).header("origin", &world.origin),
        world.http.get(world.url("/ws/customer")).header("origin", &world.origin),
    ] {
        let refused = request.send().await.unwrap();
        assert_eq!(refused.status(), 503, "{}", refused.url());
        assert_eq!(refused.headers()["retry-after"], "5");
        assert_eq!(refused.json::<Value>().await.unwrap()["code"], "unavailable");
    }
    let chats = world.drive.read(&crate::world::acme(), |engine| engine.chats().count()).await.unwrap();
    assert_eq!(chats, 1, "what was there stays, nothing came");
    world.close.cancel();
    tokio::time::timeout(Duration::from_secs(20), world.edge).await.unwrap().unwrap();
}
