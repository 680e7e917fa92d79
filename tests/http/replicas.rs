//! Several replicas over one journal, as browsers, producers and strangers meet them.

use crate::lanes::{Knows, Scripted, popped};
use crate::papers::{Authority, Papers};
use crate::world::{Common, PASSWORD, PBX, Socket, World, acme, world_among};
use futures::future::join_all;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tieline::bus::{self, Intake, Seal, Wiring};
use tieline::dispatch::{Engines, Lane, Parts};
use tieline::drive::Whereabouts;
use tieline::journal::{Leases, MemoryLeases, Part, Replica, Shard};
use tieline::settings;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use uuid::Uuid;

/// What all machines here have in common.
const PAGES: &str = "[journal]\nkind = \"postgres\"\n[http]\npublic_url = \"http://pages.example\"\n";
/// Longer than a lease lasts here.
const PATIENCE: Duration = Duration::from_secs(20);

/// Machines over one journal.
struct Town {
    common: Common,
    leases: MemoryLeases,
    authority: Authority,
}

/// A replica in a runtime of its own, so that it can die as a process does: all of it at once.
struct Machine {
    runtime: Option<Runtime>,
    world: World,
    papers: Papers,
    leases: MemoryLeases,
}

impl Town {
    fn new() -> Self {
        let mut common = Common::alone();
        let leases = MemoryLeases::new(common.clock.clone(), Duration::from_secs(10));
        common.leases = Some(Arc::new(leases.clone()));
        Self { common, leases, authority: Authority::new() }
    }

    async fn machine(&self, roles: &str, http: &str) -> Machine {
        self.machine_with(roles, http, self.authority.papers(&["127.0.0.1"]), "").await
    }

    async fn machine_with(&self, roles: &str, http: &str, papers: Papers, cluster: &str) -> Machine {
        let roles: Vec<String> = roles.split(' ').map(|role| format!("\"{role}\"")).collect();
        let more = format!(
            "{PAGES}{http}\n[daemon]\nroles = [{}]\n[cluster]\nlisten = \"127.0.0.1:0\"\n{}{cluster}",
            roles.join(", "),
            papers.lines()
        );
        let Common { store, clock, leases } = &self.common;
        let common = Common { store: store.clone(), clock: clock.clone(), leases: leases.clone() };
        let runtime = Runtime::new().unwrap();
        let world = runtime.spawn(async move { world_among(&more, common).await }).await.unwrap();
        Machine { runtime: Some(runtime), world, papers, leases: self.leases.clone() }
    }

    /// One that owns both contact centres, and a gateway that knows it.
    async fn pair(&self, http: &str) -> (Machine, Machine) {
        let owner = self.machine("gateway core", http).await;
        owner.serves_both().await;
        let gate = self.machine("gateway", http).await;
        gate.knows(&owner).await;
        (owner, gate)
    }
}

impl Machine {
    fn id(&self) -> Uuid {
        self.world.replica.as_ref().unwrap().id
    }

    /// Waits until it owns both contact centres.
    async fn serves_both(&self) {
        let mut owned = self.world.drive.owned();
        let both = owned.wait_for(|tenants| tenants.len() == 2);
        tokio::time::timeout(PATIENCE, both).await.expect("it takes what nobody holds").unwrap();
    }

    /// Waits until it sees that the other one serves acme.
    async fn knows(&self, owner: &Self) {
        let address = owner.world.reached_at.clone().unwrap();
        let there = |place| matches!(place, Whereabouts::There { address: its, .. } if its == address);
        self.sees(there).await;
    }

    async fn sees(&self, wanted: impl Fn(Whereabouts) -> bool) {
        let mut picture = self.world.drive.picture();
        let seen = async {
            while !wanted(self.world.drive.whereabouts(&acme())) {
                picture.changed().await.unwrap();
            }
        };
        tokio::time::timeout(PATIENCE, seen).await.expect("it sees who serves acme");
    }

    /// It is gone, with all its connections; the database notices.
    fn dies(mut self) {
        self.leases.crashed(self.id());
        self.runtime.take().unwrap().shutdown_background();
    }

    /// A panel that has said hello here, with its snapshot; `None` if it is told to come again, or gets no socket.
    async fn panel(&self) -> Option<(Socket, Value)> {
        let world = &self.world;
        let mut socket = world.socket_from("/ws/agent?tenant=acme", Some(&world.origin)).await.ok()?;
        let hello = json!({ "frame": "hello", "token": world.agent_token("acme"), "can_pop": true });
        greeted(&mut socket, &hello).await.map(|snapshot| (socket, snapshot))
    }

    /// A widget that has said hello here.
    async fn widget(&self, token: &str) -> Option<(Socket, Value)> {
        let world = &self.world;
        let mut socket = world.socket_from("/ws/customer?tenant=acme", Some(&world.origin)).await.ok()?;
        greeted(&mut socket, &json!({ "frame": "hello", "token": token })).await.map(|seen| (socket, seen))
    }

    /// The value of a metric's line.
    async fn measured(&self, line: &str) -> f64 {
        let text = self.world.metrics().await;
        let found = text.lines().find_map(|its| its.strip_prefix(line)?.strip_prefix(' '));
        found.unwrap_or_else(|| panic!("{line} in {text}")).parse().unwrap()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // A runtime may not be dropped where tasks run, as it would wait for its own.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn greeted(socket: &mut Socket, hello: &Value) -> Option<Value> {
    socket.say(hello).await;
    loop {
        let frame = socket.hear().await?;
        match frame["frame"].as_str() {
            Some("snapshot") => return Some(frame),
            Some("bye") => {
                assert!(frame["reconnect_in"].is_number(), "it may come again: {frame}");
                return None;
            }
            Some(_) | None => {}
        }
    }
}

/// Does it until it works, as a page does that comes again by itself.
async fn until<T>(mut work: impl AsyncFnMut() -> Option<T>) -> T {
    let by = Instant::now() + PATIENCE;
    loop {
        if let Some(done) = work().await {
            return done;
        }
        assert!(Instant::now() < by, "it did not come back in time");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// A request and what came back, without what is new every time.
struct Asked {
    method: &'static str,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

fn asked(method: &'static str, path: impl Into<String>) -> Asked {
    Asked { method, path: path.into(), headers: Vec::new(), body: Vec::new() }
}

impl Asked {
    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    fn bearer(self, token: &str) -> Self {
        self.with("authorization", format!("Bearer {token}"))
    }

    fn ours(self) -> Self {
        self.with("origin", "http://pages.example")
    }

    fn json(mut self, body: &Value) -> Self {
        self.body = body.to_string().into();
        self.with("content-type", "application/json")
    }

    fn bytes(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    async fn of(&self, world: &World) -> (u16, Vec<String>, String) {
        let mut request = world.http.request(self.method.parse().unwrap(), world.url(&self.path));
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        let answer = request.body(self.body.clone()).send().await.unwrap();
        let status = answer.status().as_u16();
        let mut headers: Vec<String> = answer
            .headers()
            .iter()
            .filter(|(name, _)| *name != "date")
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect();
        headers.sort();
        let text = String::from_utf8_lossy(&answer.bytes().await.unwrap()).into_owned();
        (status, headers, without_news(&text))
    }
}

fn without_news(text: &str) -> String {
    let Ok(mut value) = serde_json::from_str::<Value>(text) else { return text.to_owned() };
    for key in ["token", "expires_at", "visitor"] {
        if value.get(key).is_some() {
            value[key] = json!("new every time");
        }
    }
    value.to_string()
}

/// Everything that can be asked over HTTP, asked well and badly.
async fn everything(owner: &World) -> Vec<Asked> {
    let (chat, customer) = owner.start_chat("acme", "Grace").await;
    let agent = owner.agent_token("acme");
    let start = json!({ "id": Uuid::new_v4(), "queue": "support", "person": { "name": "Ada" } });
    let event = json!({
        "specversion": "1.0", "id": "e-1", "source": "/pbx", "type": "com.tieline.call.ended.v1", "tenant": "acme",
        "data": { "call": "c-1" },
    });
    let sign_in = |password: &str| json!({ "agent": "anna", "password": password });
    let files = format!("/api/v1/acme/chats/{chat}/files");
    let upload = |id: &str| {
        let asked = asked("POST", &files).ours().bearer(&customer);
        asked.with("x-message-id", id).with("x-file-name", "a.png")
    };
    let mut all = vec![
        asked("GET", "/healthz"),
        asked("GET", "/readyz"),
        asked("GET", "/panel/acme"),
        asked("GET", "/panel/acme/"),
        asked("POST", "/panel/acme/").bytes("signed=1"),
        asked("GET", "/widget/acme/"),
        asked("GET", "/widget/nobody/"),
        asked("GET", "/widget.js"),
        asked("GET", "/assets/none.js"),
        asked("GET", "/shop/"),
        asked("GET", "/nothing"),
        asked("DELETE", "/healthz"),
        asked("POST", "/api/v1/acme/sign-in").ours().json(&sign_in(PASSWORD)),
        asked("POST", "/api/v1/acme/sign-in").ours().json(&sign_in("wrong")),
        asked("POST", "/api/v1/acme/sign-in").with("origin", "http://evil.example").json(&sign_in(PASSWORD)),
        asked("GET", "/api/v1/acme/sign-in"),
        asked("POST", "/api/v1/acme/chats").ours().json(&start),
        asked("POST", "/api/v1/ac%6De/chats").ours().json(&start),
        asked("POST", "/api/v1/nobody/chats").ours().json(&start),
        asked("POST", "/api/v1/a%2Fb/chats").ours().json(&start),
        asked("POST", "/api/v1/%ff/chats").ours().json(&start),
        asked("POST", "/api/v1/acme/chats").json(&start),
        asked("POST", "/api/v1/acme/chats").ours().bytes(start.to_string()),
        asked("POST", "/api/v1/acme/chats").ours().json(&json!({ "id": "x".repeat(20_000) })),
        asked("POST", "/api/v1/acme/events").bearer(PBX).json(&event),
        asked("POST", "/api/v1/acme/events").bearer("wrong").json(&event),
        asked("POST", "/api/v1/other/events").bearer(PBX).json(&event),
        asked("POST", format!("/api/v1/acme/chats/{chat}/return"))
            .ours()
            .bearer(&customer)
            .json(&json!({ "id": Uuid::new_v4() })),
        asked("GET", format!("/api/v1/acme/chats/{chat}/explain")).bearer(&agent),
        asked("GET", format!("/api/v1/acme/chats/{chat}/explain")),
        asked("GET", "/api/v1/acme/templates").bearer(&agent),
        asked("GET", "/api/v1/other/templates").bearer(&agent),
        asked("POST", "/api/v1/acme/templates/t/render").bearer(&agent).json(&json!({})),
        asked("GET", "/api/v1/acme/faq?q=post").bearer(&agent),
        asked("GET", "/api/v1/acme/scripts/none").bearer(&agent),
        asked("GET", "/share/nonsense"),
        asked("GET", "/ws/agent?tenant=acme").ours(),
        asked("GET", "/ws/customer"),
        asked("GET", "/ws/customer?tenant=acme"),
        upload("00000000-0000-4000-8000-000000000001")
            .bytes(&b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR and some more"[..]),
        upload("00000000-0000-4000-8000-000000000002").bytes("words"),
        upload("00000000-0000-4000-8000-000000000003").bytes(""),
        asked("POST", &files).ours().bytes("words"),
        asked("GET", format!("{files}/00000000-0000-4000-8000-000000000001")).bearer(&customer),
        asked("GET", format!("{files}/00000000-0000-4000-8000-000000000009")).bearer(&customer),
    ];
    let forged = asked("POST", "/api/v1/acme/chats").ours().json(&start);
    all.push(forged.with("x-tieline-forwarded-for", "nonsense").with("x-tieline-epoch", "77"));
    all
}

const FREE: &str = "chats_per_minute = 1000\nshares_per_minute = 1000\n[auth]\nsign_ins_per_minute = 1000\nfailures_per_agent = 100\n";

#[tokio::test]
async fn everything_is_answered_through_another_replica_as_it_is_directly() {
    let (owner, gate) = Town::new().pair(FREE).await;
    let all = everything(&owner.world).await;
    for asked in &all {
        // What it does, it has done by then; the second and the third time say the same.
        asked.of(&owner.world).await;
        let directly = asked.of(&owner.world).await;
        let through = asked.of(&gate.world).await;
        assert_eq!(through, directly, "{} {}", asked.method, asked.path);
    }
    let through = gate.measured("tieline_forwarded_total{kind=\"request\",outcome=\"done\"}").await;
    assert!(through >= 25.0, "{through} were forwarded");
    let served = owner.measured("tieline_forwards_taken_total{outcome=\"served\"}").await;
    assert!((served - through).abs() < 0.5, "each of them once: {served}");
    assert!(gate.world.drive.tenants().is_empty(), "a gateway owns nothing");
}

#[tokio::test]
async fn both_kinds_of_sockets_go_through_to_the_owner() {
    let (_owner, gate) = Town::new().pair("").await;
    let (mut panel, _) = gate.panel().await.unwrap();
    panel.deed(json!({ "deed": "set_presence", "presence": { "presence": "available" } })).await;
    let (chat, token) = gate.world.start_chat("acme", "Grace").await;
    let (mut widget, _) = gate.widget(&token).await.unwrap();
    let offer = panel.change("offer", |c| c["offer"].is_object()).await["offer"]["offer"].clone();
    panel.deed(json!({ "deed": "accept_offer", "offer": offer })).await;
    widget.wait(|f| f["frame"] == "state" && f["state"]["state"] == "talking").await;
    assert!(widget.ask(json!({ "frame": "send", "text": "is anybody there?" })).await.is_null());
    let heard = panel.change("message", |c| c["message"]["text"] == "is anybody there?").await;
    assert_eq!(heard["interaction"], chat.as_str());
    panel.deed(json!({ "deed": "send", "interaction": chat, "text": "I am" })).await;
    widget.wait(|f| f["message"]["text"] == "I am").await;
    assert!((gate.measured("tieline_sockets_forwarded").await - 2.0).abs() < 0.5);
    drop((panel, widget));
    until(async || (gate.measured("tieline_sockets_forwarded").await < 0.5).then_some(())).await;
}

#[tokio::test]
async fn a_socket_that_says_another_contact_centre_than_its_token_is_told_to_load_its_page_again() {
    let town = Town::new();
    let owner = town.machine("gateway core", "").await;
    owner.serves_both().await;
    let world = &owner.world;
    let mut panel = world.socket("/ws/agent?tenant=other").await;
    panel.say(&json!({ "frame": "hello", "token": world.agent_token("acme"), "can_pop": false })).await;
    let bye = panel.frame("bye").await;
    assert!(bye["reconnect_in"].is_null() && bye["reason"].as_str().unwrap().contains("load the page again"));
    let (_, token) = world.start_chat("acme", "Grace").await;
    let mut widget = world.socket("/ws/customer?tenant=other").await;
    widget.say(&json!({ "frame": "hello", "token": token })).await;
    assert!(widget.frame("bye").await["reconnect_in"].is_null());
    // On one machine a page from before it said this goes on as ever.
    world.widget(&token).await;
    world.panel(false).await;
}

#[tokio::test]
async fn limits_of_an_address_are_kept_where_it_comes_in_and_are_its_own() {
    let town = Town::new();
    let owner = town.machine("gateway core", "sockets_per_address = 2\nchats_per_minute = 2").await;
    owner.serves_both().await;
    let trusting = "sockets_per_address = 2\nchats_per_minute = 2\ntrusted_proxies = [\"127.0.0.1\"]";
    let gate = town.machine("gateway", trusting).await;
    gate.knows(&owner).await;
    let world = &gate.world;
    let _sockets = join_all((0..2).map(|_| world.socket("/ws/agent?tenant=acme"))).await;
    let third = world.socket_from("/ws/agent?tenant=acme", Some(&world.origin)).await;
    assert_eq!(third.err(), Some(429), "a third socket of one address");
    let start = async |address: &str| {
        let body = json!({ "id": Uuid::new_v4(), "queue": "support", "person": {} });
        let request = world.post("/api/v1/acme/chats", &body).header("x-forwarded-for", address);
        let forged =
            request.header("x-tieline-forwarded-for", format!("192.0.2.{}", rand::random_range(0..250)));
        forged.send().await.unwrap().status().as_u16()
    };
    // Many addresses through one gateway are many addresses to the owner, and one stays one whatever it says.
    for host in 1..=6 {
        assert_eq!(start(&format!("203.0.113.{host}")).await, 200);
    }
    assert_eq!(start("203.0.113.1").await, 200);
    assert_eq!(start("203.0.113.1").await, 429);
}

/// Asks a replica's inner listener with these papers, as `raw` says; what came back, or nothing.
async fn ask_inner(at: &str, ours: Option<&Papers>, theirs: &Papers, raw: &str) -> Option<String> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(theirs.text("ca").as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let config = match ours {
        None => config.with_no_client_auth(),
        Some(papers) => {
            let certificate = CertificateDer::from_pem_slice(papers.text("cert").as_bytes()).unwrap();
            let key = PrivateKeyDer::from_pem_slice(papers.text("key").as_bytes()).unwrap();
            config.with_client_auth_cert(vec![certificate], key).unwrap()
        }
    };
    let stream = TcpStream::connect(at).await.unwrap();
    let whom = ServerName::try_from("127.0.0.1").unwrap();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let mut stream = connector.connect(whom, stream).await.ok()?;
    // With TLS 1.3 the refusal of a certificate comes after the handshake.
    stream.write_all(raw.as_bytes()).await.ok()?;
    let mut answer = Vec::new();
    let _ended = stream.read_to_end(&mut answer).await;
    Some(String::from_utf8(answer).unwrap()).filter(|answer| !answer.is_empty())
}

fn raw(path: &str, headers: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: pages.example\r\nconnection: close\r\n{headers}\r\n")
}

#[tokio::test]
async fn only_replicas_of_our_authority_are_let_in() {
    let town = Town::new();
    let owner = town.machine("gateway core", "").await;
    owner.serves_both().await;
    let at = owner.world.reached_at.clone().unwrap();
    let stranger = Authority::new();
    let request = raw("/api/v1/acme/faq", "");
    let good = town.authority.papers(&["127.0.0.1"]);
    let heard = ask_inner(&at, Some(&good), &owner.papers, &request).await;
    assert!(heard.is_some_and(|answer| answer.starts_with("HTTP/1.1 421 ")), "one of ours is heard");
    assert_eq!(ask_inner(&at, None, &owner.papers, &request).await, None, "without a certificate");
    let theirs = stranger.papers(&["127.0.0.1"]);
    assert_eq!(ask_inner(&at, Some(&theirs), &owner.papers, &request).await, None, "another authority's");
    let old = town.authority.old_papers(&["127.0.0.1"]);
    assert_eq!(ask_inner(&at, Some(&old), &owner.papers, &request).await, None, "an expired one");
    let mut plain = TcpStream::connect(&at).await.unwrap();
    plain.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _ended = plain.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP/"), "without TLS");
}

#[tokio::test]
async fn where_replicas_have_a_name_both_ends_must_hold_it() {
    let town = Town::new();
    let name = "name = \"tieline.internal\"\n";
    let named = || town.authority.papers(&["tieline.internal", "127.0.0.1"]);
    let owner = town.machine_with("gateway core", "", named(), name).await;
    owner.serves_both().await;
    let at = owner.world.reached_at.clone().unwrap();
    let request = raw("/api/v1/acme/faq", "");
    let nameless = town.authority.papers(&["127.0.0.1"]);
    assert_eq!(ask_inner(&at, Some(&nameless), &owner.papers, &request).await, None);
    assert!(ask_inner(&at, Some(&named()), &owner.papers, &request).await.is_some());
    let gate = town.machine_with("gateway", "", named(), name).await;
    gate.knows(&owner).await;
    gate.world.start_chat("acme", "Grace").await;
    // One that expects another name takes whoever answers there for a stranger.
    let wary = town.machine_with("gateway", "", named(), "name = \"elsewhere.internal\"\n").await;
    wary.knows(&owner).await;
    let answer = asked("GET", "/api/v1/acme/faq").of(&wary.world).await;
    assert_eq!(answer.0, 503, "{answer:?}");
    let line = "tieline_forwarded_total{kind=\"request\",outcome=\"unreachable\"}";
    assert!((wary.measured(line).await - 1.0).abs() < 0.5);
}

#[tokio::test]
async fn what_was_forwarded_is_served_under_our_epoch_or_refused_and_never_forwarded_again() {
    let (owner, gate) = Town::new().pair("").await;
    let epoch = owner.world.drive.epoch_of(&acme()).unwrap().0;
    let at = owner.world.reached_at.clone().unwrap();
    let agent = owner.world.agent_token("acme");
    let status = async |at: &str, path: &str, headers: &str| {
        let answer = ask_inner(at, Some(&gate.papers), &owner.papers, &raw(path, headers)).await.unwrap();
        let status: u16 = answer.split(' ').nth(1).unwrap().parse().unwrap();
        (status, answer.to_lowercase().contains("\r\nretry-after: 1\r\n"))
    };
    let said = |epoch: i64| {
        format!(
            "x-tieline-forwarded-for: 203.0.113.9\r\nx-tieline-epoch: {epoch}\r\nauthorization: Bearer {agent}\r\n"
        )
    };
    let path = "/api/v1/acme/templates";
    assert_eq!(status(&at, path, &said(epoch)).await, (200, false));
    assert_eq!(status(&at, path, &said(epoch + 1)).await, (503, true), "a newer picture than ours");
    assert_eq!(status(&at, path, &said(epoch - 1)).await, (503, true), "an older one");
    for (path, headers) in [
        (path, "x-tieline-epoch: 1\r\n"),
        (path, "x-tieline-forwarded-for: 203.0.113.9\r\n"),
        (path, "x-tieline-forwarded-for: somebody\r\nx-tieline-epoch: 1\r\n"),
        (
            path,
            "x-tieline-forwarded-for: 203.0.113.9\r\nx-tieline-forwarded-for: 203.0.113.8\r\nx-tieline-epoch: 1\r\n",
        ),
        ("/healthz", &said(epoch)),
        ("/panel/acme/", &said(epoch)),
        ("/ws/agent", &said(epoch)),
    ] {
        assert_eq!(status(&at, path, headers).await.0, 421, "{path} {headers}");
    }
    // The gateway knows who serves it; that is for whoever comes from outside alone.
    let theirs = gate.world.reached_at.clone().unwrap();
    assert_eq!(status(&theirs, path, &said(epoch)).await, (503, true));
    let forwarded = gate.measured("tieline_forwarded_total{kind=\"request\",outcome=\"done\"}").await;
    assert!(forwarded < 0.5, "nothing went on from there");
}

#[tokio::test]
async fn two_replicas_that_take_each_other_for_the_owner_make_no_circle() {
    let town = Town::new();
    let (here, there) = (town.machine("gateway", "").await, town.machine("gateway", "").await);
    // The lease names a replica that owns nothing, and itself.
    let holder = Replica { holds: vec![Part::Engines], ..there.world.replica.clone().unwrap() };
    town.leases.take(&holder, Shard::of(&acme()), Part::Engines).await.unwrap().unwrap();
    for machine in [&here, &there] {
        machine.knows(&there).await;
        let (status, headers, _) = asked("GET", "/api/v1/acme/faq").of(&machine.world).await;
        assert_eq!(status, 503);
        assert!(headers.contains(&"retry-after: 1".to_owned()), "{headers:?}");
        assert!(!headers.iter().any(|header| header.starts_with("x-tieline")), "{headers:?}");
        let line = "tieline_forwarded_total{kind=\"request\",outcome=\"moved\"}";
        assert!((machine.measured(line).await - 1.0).abs() < 0.5);
    }
    let line = "tieline_forwards_taken_total{outcome=\"moved\"}";
    assert!((there.measured(line).await - 2.0).abs() < 0.5, "one from the other, one from itself");
}

#[tokio::test]
async fn a_gateway_that_sees_no_owner_says_when_to_come_again_and_stays_ready() {
    let gate = Town::new().machine("gateway", "").await;
    let world = &gate.world;
    for path in ["/api/v1/acme/faq", "/api/v1/other/faq"] {
        let (status, headers, body) = asked("GET", path).of(world).await;
        assert_eq!((status, body.contains("unavailable")), (503, true), "{body}");
        assert!(headers.contains(&"retry-after: 1".to_owned()), "{headers:?}");
    }
    assert_eq!(world.socket_from("/ws/agent?tenant=acme", Some(&world.origin)).await.err(), Some(503));
    let ready: Value =
        world.http.get(format!("http://{}/readyz", world.admin)).send().await.unwrap().json().await.unwrap();
    assert_eq!(ready["status"], "ready");
    assert!(ready["impaired"]["tenant acme"].is_string(), "{ready}");
    let (status, _, body) = asked("GET", "/readyz").of(world).await;
    assert_eq!((status, body.contains("impaired")), (200, false), "for operators alone");
    assert_eq!(asked("GET", "/healthz").of(world).await.0, 200);
    // An older page does not say whose it is: it is told to come again all the same.
    let mut old = world.socket("/ws/agent").await;
    assert_eq!(
        greeted(&mut old, &json!({ "frame": "hello", "token": world.agent_token("acme"), "can_pop": false }))
            .await,
        None
    );
}

#[tokio::test]
async fn sockets_of_an_owner_that_dies_come_back_to_the_next_one_with_all_that_was_said() {
    let town = Town::new();
    let (owner, gate) = town.pair("").await;
    let (mut panel, _) = gate.panel().await.unwrap();
    let (_, token) = gate.world.start_chat("acme", "Grace").await;
    let (mut widget, _) = gate.widget(&token).await.unwrap();
    assert!(widget.ask(json!({ "frame": "send", "text": "before" })).await.is_null());
    let next = town.machine("gateway core", "").await;
    owner.dies();
    let began = Instant::now();
    // Both halves are closed: who waits for a frame hears the end.
    while panel.hear().await.is_some() {}
    while widget.hear().await.is_some() {}
    let (_panel, _) = until(async || gate.panel().await).await;
    let (mut widget, seen) = until(async || gate.widget(&token).await).await;
    assert_eq!(seen["messages"][0]["text"], "before");
    assert!(began.elapsed() < Duration::from_secs(10), "it took {:?}", began.elapsed());
    assert!(widget.ask(json!({ "frame": "send", "text": "after" })).await.is_null());
    next.serves_both().await;
}

#[tokio::test]
async fn an_owner_that_leaves_sends_its_sockets_to_the_next_one() {
    let town = Town::new();
    let (owner, gate) = town.pair("").await;
    let (mut near, _) = owner.panel().await.unwrap();
    let (mut far, _) = gate.panel().await.unwrap();
    let next = town.machine("gateway core", "").await;
    owner.world.leave.cancel();
    for panel in [&mut near, &mut far] {
        let bye = panel.frame("bye").await;
        assert!(bye["reconnect_in"].as_u64().is_some_and(|ms| ms < 2_000), "{bye}");
        assert_eq!(panel.hear().await, None);
    }
    next.serves_both().await;
    let (_near, _) = until(async || next.panel().await).await;
    let (_far, _) = until(async || gate.panel().await).await;
}

#[tokio::test]
async fn nobody_waits_for_an_owner_that_was_deposed_and_does_not_know_it() {
    let town = Town::new();
    let (old, gate) = town.pair("").await;
    let (mut panel, _) = gate.panel().await.unwrap();
    let next = town.machine("gateway core", "").await;
    // To the others it is gone; itself it goes on, with its end of the socket open.
    town.leases.crashed(old.id());
    town.leases.cut(old.id(), true);
    next.serves_both().await;
    while panel.hear().await.is_some() {}
    let (_panel, _) = until(async || gate.panel().await).await;
    assert!(next.measured("tieline_forwards_taken_total{outcome=\"served\"}").await > 0.5);
}

const SALES: &str =
    "[tenants.acme.connections.sales]\ntype = \"salesforce\"\n[tenants.acme.connections.sales.salesforce]\n";

/// A connection at work in a process that owns no engine; it works until the bus is dropped.
async fn lane_at(machine: &Machine, crm: Arc<Scripted>) -> bus::Running {
    let world = &machine.world;
    let bus = bus::start(Wiring {
        settings: settings::Bus::default(),
        store: world.store.clone(),
        engines: Arc::new(world.drive.clone()),
        intake: Intake::new(BTreeMap::from([(acme(), None)])),
        connections: vec![(acme(), "sales".parse().unwrap())],
        seal: Seal::new(&[7; 32]),
    });
    let policy = until(async || world.afar.policy(&acme()).await.ok()).await;
    let lane = Lane::new(Parts {
        tenant: acme(),
        info: policy.connections[0].clone(),
        own_numbers: Vec::new(),
        connector: crm,
        store: world.store.clone(),
        engines: world.afar.clone(),
        pops: world.afar.clone(),
        clock: world.clock.clone(),
        settings: settings::Dispatch::default(),
        chance: Arc::new(|| 0.5),
    });
    let feed = bus.log_wanted(&acme(), &lane.info().id).unwrap();
    tokio::spawn(lane.run(feed, world.close.clone()));
    bus
}

// proves D0, D1
#[tokio::test]
async fn connections_in_a_process_of_their_own_look_up_and_pop_wherever_the_engine_is() {
    let town = Town::new();
    let owner = town.machine("gateway core", SALES).await;
    owner.serves_both().await;
    let apart = town.machine("connectors", SALES).await;
    apart.knows(&owner).await;
    let crm = Arc::new(Scripted::new("salesforce", Knows::Sure("s-1")));
    let _bus = lane_at(&apart, crm.clone()).await;
    let gate = town.machine("gateway", SALES).await;
    gate.knows(&owner).await;
    let available = json!({ "deed": "set_presence", "presence": { "presence": "available" } });
    let (mut panel, _) = gate.panel().await.unwrap();
    panel.deed(available.clone()).await;
    let grace = json!({ "name": "Grace Okafor", "email": "grace@okafor.example" });
    gate.world.start_chat_as("acme", grace).await;
    let popped_at = popped(&mut panel).await;
    assert_eq!((popped_at.0.as_str(), popped_at.1.as_str()), ("sales", "s-1"));
    assert!(apart.world.drive.tenants().is_empty(), "it owns nothing");
    // The engine moves; the lane stays, and what is open is popped at the panels of the next owner.
    let next = town.machine("gateway core", SALES).await;
    owner.dies();
    next.serves_both().await;
    let (mut panel, _) = until(async || gate.panel().await).await;
    let again = popped(&mut panel).await;
    assert_eq!(again.1, "s-1");
    assert_eq!(crm.asked(), 1, "what was found stands in the journal");
}
