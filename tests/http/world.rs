//! A daemon's edge on free ports, and clients for it.

use crate::lanes::ToPanels;
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};
use tieline::auth::{Auth, Producer};
use tieline::daemon::Afar;
use tieline::drive::{Crew, Drive, Handle, Keeper, Request};
use tieline::http::{Edge, Hub, Others, Parts, Readiness};
use tieline::journal::{Lease, Leases, MemoryStore, Part, Replica, Shard, Store};
use tieline::settings::{self, Live, Secret, Settings};
use tieline_model::command::CallFact;
use tieline_model::envelope::Envelope;
use tieline_model::{
    Actor, AgentId, Clock, Code, Command, ConversationId, InteractionId, Refusal, TenantId, Timestamp, Wish,
};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);
pub(crate) const PASSWORD: &str = "correct horse battery";
pub(crate) const PBX: &str = "pbx-token-0123456789-0123456789";

pub(crate) struct TestClock {
    started: Instant,
    moved: AtomicI64,
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        let elapsed = i64::try_from(self.started.elapsed().as_millis()).unwrap();
        Timestamp(1_800_000_000_000 + elapsed + self.moved.load(Ordering::SeqCst))
    }
}

pub(crate) struct World {
    pub(crate) public: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) origin: String,
    pub(crate) hub: Hub,
    pub(crate) auth: Arc<Auth>,
    pub(crate) drive: Handle,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) http: reqwest::Client,
    pub(crate) drain: CancellationToken,
    pub(crate) close: CancellationToken,
    pub(crate) edge: JoinHandle<()>,
    /// Where other replicas reach it.
    pub(crate) reached_at: Option<String>,
    /// Who it is to them, where it shares its journal.
    pub(crate) replica: Option<Replica>,
    /// Gives its leases back in order.
    pub(crate) leave: CancellationToken,
    /// Engines and panels, here and at other replicas.
    pub(crate) afar: Arc<Afar>,
}

/// What a replica shares with others.
pub(crate) struct Common {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<TestClock>,
    /// Without them one process has the store to itself.
    pub(crate) leases: Option<Arc<dyn Leases>>,
}

impl Common {
    pub(crate) fn alone() -> Self {
        let clock = Arc::new(TestClock { started: Instant::now(), moved: AtomicI64::new(0) });
        Self { store: Arc::new(MemoryStore::new()), clock, leases: None }
    }
}

/// Two contact centres with an agent of the same name each.
pub(crate) async fn world(more: &str) -> World {
    world_among(more, Common::alone()).await
}

/// The same over a journal that may be shared.
pub(crate) async fn world_among(more: &str, common: Common) -> World {
    let settings = settings(more);
    let Common { store, clock, leases } = common;
    let hub = Hub::new(Arc::clone(&store));
    let from_the_start = settings.tenants.iter().filter(|_| leases.is_none());
    let policies = from_the_start.map(|(id, tenant)| (id.clone(), tenant.policy())).collect();
    let time: Arc<dyn Clock> = clock.clone();
    let (engines, drive) =
        Drive::open(Arc::clone(&store), time.clone(), hub.observer(), policies, || 7).await.unwrap();
    tokio::spawn(engines.run(std::future::pending()));
    let auth = Arc::new(Auth::new(&settings, &[7; 32], time.clone()).unwrap());
    let identity = settings.cluster.identity().unwrap();
    let settings = Arc::new(Live::new(settings));
    let others = leases.is_some().then(|| Others::new(identity.as_ref(), &settings.cluster).unwrap());
    let afar = Arc::new(Afar::new(drive.clone(), Arc::new(ToPanels(hub.clone())), others.clone()));
    let parts = Parts {
        settings: settings.clone(),
        auth: Arc::clone(&auth),
        drive: drive.clone(),
        hub: hub.clone(),
        clock: time,
        intake: Arc::new(take),
        admin: None,
        readiness: Readiness::default(),
        impaired: Box::new(std::collections::BTreeMap::new),
        metrics: Vec::new(),
        others,
        inner: Some(afar.clone()),
    };
    let edge = Edge::bind(parts).await.unwrap();
    let public = edge.address().unwrap().unwrap_or(SocketAddr::from(([0, 0, 0, 0], 0)));
    let admin = edge.admin_address().unwrap();
    let reached_at = edge.reached_at().map(str::to_owned);
    let leave = CancellationToken::new();
    let replica = leases.map(|leases| keep(leases, &drive, settings, reached_at.clone(), leave.clone()));
    let (drain, close) = (CancellationToken::new(), CancellationToken::new());
    let origin = edge.origin().to_owned();
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let edge = tokio::spawn(edge.run(drain.clone(), close.clone()));
    World {
        public,
        admin,
        origin,
        hub,
        auth,
        drive,
        store,
        clock,
        http,
        drain,
        close,
        edge,
        reached_at,
        replica,
        leave,
        afar,
    }
}

/// Takes the replica's share of the contact centres, if its roles have any.
fn keep(
    leases: Arc<dyn Leases>,
    engines: &Handle,
    settings: Arc<Live>,
    address: Option<String>,
    leave: CancellationToken,
) -> Replica {
    let holds = if settings.roles.core { vec![Part::Engines] } else { vec![] };
    let me = Replica { id: Uuid::new_v4(), address, holds };
    let keeper = Keeper {
        leases,
        me: me.clone(),
        engines: engines.clone(),
        crew: Arc::new(NoConnections),
        tenants: settings.tenants().keys().cloned().collect(),
        settings: Arc::new(move |id| Some(settings.tenant(id)?.policy().into())),
    };
    tokio::spawn(keeper.run(leave));
    me
}

/// There are no connections here.
struct NoConnections;

#[async_trait::async_trait]
impl Crew for NoConnections {
    async fn start(&self, _: Lease) {}
    async fn stop(&self, _: Shard) {}
}

fn settings(more: &str) -> Settings {
    let hash = tieline::auth::hash_password(&Secret::new(PASSWORD)).unwrap();
    let centre = |id: &str, name: &str, site: &str, host: &str| {
        format!(
            "[tenants.{id}]\nname = \"{name}\"\ndefault_country = \"GB\"\nsite_origins = [\"{site}\"]\npanel_hosts = [\"{host}\"]\n\
             [tenants.{id}.queues.support]\nname = \"Support\"\n\
             [tenants.{id}.agents.anna]\nname = \"Anna Berg\"\npassword_hash = \"{hash}\"\nqueues = [\"support\"]\n"
        )
    };
    let text = format!(
        "[auth.producers.pbx]\ntenant = \"acme\"\ntoken = \"{PBX}\"\n{more}\n{}{}",
        centre("acme", "Acme & Sons", "https://shop.acme.example", "https://acme.crm.example"),
        centre("other", "Other", "https://shop.other.example", "https://*.other.example"),
    );
    let env = [("TIELINE__HTTP__LISTEN", "127.0.0.1:0"), ("TIELINE__HTTP__ADMIN_LISTEN", "127.0.0.1:0")];
    let env = env.map(|(key, value)| (key.to_owned(), value.to_owned()));
    settings::load_text(&text, HashMap::from(env)).unwrap()
}

/// The end of a call; what else an envelope can mean is the bus's to test.
fn take(producer: &Producer, envelope: Envelope) -> Result<Request, Refusal> {
    let call = envelope.data["call"].as_str().unwrap_or_default();
    let wish = Wish::ReportCall {
        call: call.parse().map_err(|_| Refusal::new(Code::Invalid, "no call").field("data.call"))?,
        interaction: InteractionId(Uuid::new_v4()),
        conversation: ConversationId(Uuid::new_v4()),
        fact: CallFact::Ended,
    };
    let id = envelope.id.parse().map_err(|_| Refusal::new(Code::Invalid, "no id").field("id"))?;
    let by = Actor::Producer { name: producer.name.clone() };
    Ok(Request::new(envelope.tenant, Command { id, by, wish }))
}

pub(crate) fn acme() -> TenantId {
    "acme".parse().unwrap()
}

pub(crate) fn anna() -> AgentId {
    "anna".parse().unwrap()
}

impl World {
    pub(crate) fn move_clock(&self, by: Duration) {
        self.clock.moved.fetch_add(i64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.public)
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> reqwest::RequestBuilder {
        self.http.post(self.url(path)).header("origin", &self.origin).json(body)
    }

    pub(crate) async fn start_chat(&self, tenant: &str, name: &str) -> (String, String) {
        self.start_chat_as(tenant, json!({ "name": name })).await
    }

    pub(crate) async fn start_chat_as(&self, tenant: &str, person: Value) -> (String, String) {
        let body = json!({ "id": Uuid::new_v4(), "queue": "support", "person": person });
        let answer = self.post(&format!("/api/v1/{tenant}/chats"), &body).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let answer: Value = answer.json().await.unwrap();
        (answer["interaction"].as_str().unwrap().to_owned(), answer["token"].as_str().unwrap().to_owned())
    }

    pub(crate) fn agent_token(&self, tenant: &str) -> String {
        self.auth.tokens().agent(&tenant.parse().unwrap(), &anna(), tieline::auth::Role::Agent).token
    }

    /// Opens a socket as one of our own pages would.
    pub(crate) async fn socket(&self, path: &str) -> Socket {
        self.socket_from(path, Some(&self.origin)).await.unwrap()
    }

    /// Opens a socket from an origin; the error is the status.
    pub(crate) async fn socket_from(&self, path: &str, origin: Option<&str>) -> Result<Socket, u16> {
        let mut request = format!("ws://{}{path}", self.public).into_client_request().unwrap();
        if let Some(origin) = origin {
            request.headers_mut().insert("origin", origin.parse().unwrap());
        }
        match tokio_tungstenite::connect_async(request).await {
            Ok((stream, _)) => Ok(Socket { stream }),
            Err(tokio_tungstenite::tungstenite::Error::Http(response)) => Err(response.status().as_u16()),
            Err(other) => panic!("{other}"),
        }
    }

    /// A panel that has said hello, with its snapshot.
    pub(crate) async fn panel(&self, can_pop: bool) -> (Socket, Value) {
        let mut socket = self.socket("/ws/agent").await;
        socket.say(&json!({ "frame": "hello", "token": self.agent_token("acme"), "can_pop": can_pop })).await;
        let snapshot = socket.frame("snapshot").await;
        (socket, snapshot)
    }

    /// A panel that stands in a CRM's page and can open records there, with its snapshot.
    pub(crate) async fn panel_in(&self, vendor: &str) -> (Socket, Value) {
        let mut socket = self.socket("/ws/agent").await;
        let token = self.agent_token("acme");
        let host = json!({ "vendor": vendor });
        socket.say(&json!({ "frame": "hello", "token": token, "can_pop": true, "host": host })).await;
        let snapshot = socket.frame("snapshot").await;
        (socket, snapshot)
    }

    /// A widget that has said hello, with its snapshot.
    pub(crate) async fn widget(&self, token: &str) -> (Socket, Value) {
        let mut socket = self.socket("/ws/customer").await;
        socket.say(&json!({ "frame": "hello", "token": token })).await;
        let snapshot = socket.frame("snapshot").await;
        (socket, snapshot)
    }

    /// A panel whose agent talks to the customer of a fresh chat.
    pub(crate) async fn talking(&self, name: &str) -> Talking {
        let (mut panel, _) = self.panel(true).await;
        panel.deed(json!({ "deed": "set_presence", "presence": { "presence": "available" } })).await;
        let (chat, token) = self.start_chat("acme", name).await;
        let (mut widget, _) = self.widget(&token).await;
        let offer = panel.change("offer", |c| c["offer"].is_object()).await["offer"]["offer"].clone();
        panel.deed(json!({ "deed": "accept_offer", "offer": offer })).await;
        widget.wait(|f| f["frame"] == "state" && f["state"]["state"] == "talking").await;
        Talking { panel, widget, chat, token }
    }

    pub(crate) async fn metrics(&self) -> String {
        let answer = self.http.get(format!("http://{}/metrics", self.admin)).send().await.unwrap();
        answer.text().await.unwrap()
    }
}

pub(crate) struct Talking {
    pub(crate) panel: Socket,
    pub(crate) widget: Socket,
    pub(crate) chat: String,
    pub(crate) token: String,
}

pub(crate) struct Socket {
    pub(crate) stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Socket {
    pub(crate) async fn say(&mut self, frame: &Value) {
        self.stream.send(Message::text(frame.to_string())).await.unwrap();
    }

    /// The next frame; `None` when the socket is closed.
    pub(crate) async fn hear(&mut self) -> Option<Value> {
        loop {
            let next = tokio::time::timeout(PATIENCE, self.stream.next());
            match next.await.expect("a frame or the end comes in time") {
                Some(Ok(Message::Text(text))) => return Some(serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                Some(Ok(_)) => {}
            }
        }
    }

    /// Frames until one is as wanted.
    pub(crate) async fn wait(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let frame = self.hear().await.expect("the socket is open");
            if wanted(&frame) {
                return frame;
            }
        }
    }

    pub(crate) async fn frame(&mut self, kind: &str) -> Value {
        self.wait(|frame| frame["frame"] == kind).await
    }

    /// Deltas until one holds a change as wanted.
    pub(crate) async fn change(&mut self, kind: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let fits = |c: &Value| c["change"] == kind && wanted(c);
        let changes = |frame: &Value| frame["changes"].as_array().cloned().unwrap_or_default();
        let frame = self.wait(|frame| changes(frame).iter().any(fits)).await;
        changes(&frame).into_iter().find(fits).unwrap()
    }

    /// Does something and waits for the answer: the refusal, or null. Frames before it are passed over.
    pub(crate) async fn ask(&mut self, mut frame: Value) -> Value {
        let id = Uuid::new_v4().to_string();
        frame["id"] = json!(id);
        self.say(&frame).await;
        self.wait(|f| f["frame"] == "answer" && f["id"] == id.as_str()).await["refusal"].clone()
    }

    /// Tells the daemon to do something, without waiting.
    pub(crate) async fn deed(&mut self, deed: Value) {
        self.say(&json!({ "frame": "do", "id": Uuid::new_v4(), "do": deed })).await;
    }
}
