//! The only room with axum and hyper: the API, the live sockets, pages and assets, health and metrics.
//!
//! It authenticates whoever comes (by `auth`), bounds what they may send, turns words into commands for `drive`,
//! and shows what was committed. It decides nothing. docs/security.md lists every address, who may call it, and its
//! limits.

mod answer;
mod api;
mod attachments;
mod contents;
mod deeds;
mod desk;
mod drafts;
mod explain;
mod files;
mod finding;
mod floor;
mod headers;
mod health;
mod hub;
mod limits;
mod media;
mod news;
mod pages;
mod panel_socket;
mod panel_view;
mod person;
mod pops;
mod replicas;
mod returning;
mod scan;
mod server;
mod share;
mod signs;
mod socket;
mod widget_socket;
mod widget_view;

pub use explain::explain;
pub use health::{Impaired, Readiness, Source};
pub use hub::Hub;
pub use pops::{Pop, Shown};
pub use replicas::{Inner, Others};
pub use scan::scanner_works;

use crate::auth::{Auth, Network, Producer, Rate, Throttle};
use crate::drive;
use crate::settings::Live;
use async_trait::async_trait;
use axum::Router;
use axum::routing::{any, get, post};
use limits::{Origins, Sockets};
use replicas::{Replicas, Tls};
use server::Door;
use std::net::SocketAddr;
use std::sync::Arc;
use tieline_model::envelope::Envelope;
use tieline_model::{AgentId, Clock, InteractionId, Refusal, TenantId};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// Turns a producer's envelope into a request to the engines, in the producer's own name. The room `bus` has the
/// meaning, so that an event means the same whichever way it comes in.
pub type Intake = Arc<dyn Fn(&Producer, Envelope) -> Result<drive::Request, Refusal> + Send + Sync>;

/// What the CLI asks of the running daemon, over the admin listener.
#[async_trait]
pub trait Admin: Send + Sync {
    /// Carries out a verb (`dead-letters-list`) with its arguments.
    ///
    /// # Errors
    /// The verb is unknown, its arguments do not fit, or it cannot be done.
    async fn call(&self, verb: &str, arguments: serde_json::Value) -> Result<serde_json::Value, Refusal>;
}

/// What the edge is made from.
pub struct Parts {
    /// The settings: what stands, and the contact centres as they are now.
    pub settings: Arc<Live>,
    /// The doorkeeper.
    pub auth: Arc<Auth>,
    /// The engines.
    pub drive: drive::Handle,
    /// The live view; the same that `drive` was given as its observer.
    pub hub: Hub,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// What a producer's envelope means.
    pub intake: Intake,
    /// What the CLI may ask; without it the admin listener has health and metrics only.
    pub admin: Option<Arc<dyn Admin>>,
    /// Whether the daemon can do its work.
    pub readiness: Readiness,
    /// What is impaired meanwhile.
    pub impaired: Impaired,
    /// Further metrics, in the order shown.
    pub metrics: Vec<Source>,
    /// Other replicas over the same journal; `None` where this process has it to itself.
    pub others: Option<Others>,
    /// What they may ask of this one beside what they forward.
    pub inner: Option<Arc<dyn Inner>>,
}

/// Shared by all handlers.
pub(crate) struct App {
    parts: Parts,
    origins: Origins,
    sockets: Sockets,
    chats: Throttle<Network>,
    shares: Throttle<Network>,
    customer_frames: Throttle<(TenantId, InteractionId)>,
    agent_frames: Throttle<(TenantId, AgentId)>,
    events: Throttle<String>,
    uploads: Semaphore,
    infected: attachments::Infected,
    counts: health::Counts,
    replicas: Option<Replicas>,
    stop: CancellationToken,
}

pub(crate) type Shared = Arc<App>;

/// The listeners, bound and not yet serving.
pub struct Edge {
    app: Shared,
    /// Only where this process is a gateway.
    public: Option<TcpListener>,
    admin: TcpListener,
    inner: Option<(TcpListener, Tls, String)>,
    origin: String,
}

impl Edge {
    /// Binds the listeners: the public one of a gateway, the admin one, and the inner one where the settings have it.
    ///
    /// # Errors
    /// An address is taken or not ours, or a certificate will not do; the text names the key.
    pub async fn bind(parts: Parts) -> std::io::Result<Self> {
        let http = &parts.settings.http;
        let public = match parts.settings.roles.gateway {
            true => Some(listen("http.listen", http.listen).await?),
            false => None,
        };
        let admin = listen("http.admin_listen", http.admin_listen).await?;
        let (replicas, inner) = meet(&parts).await?;
        let bound = public.as_ref().map_or(Ok(http.listen), TcpListener::local_addr)?;
        let origin = http.origin(bound);
        let app = App {
            origins: Origins::new(http, bound),
            sockets: Sockets::new(http.sockets_per_address),
            chats: Throttle::new(Rate::per_minute(http.chats_per_minute)),
            shares: Throttle::new(Rate::per_minute(http.shares_per_minute)),
            customer_frames: Throttle::new(Rate::per_minute(http.customer_frames_per_minute)),
            agent_frames: Throttle::new(Rate::per_minute(http.agent_frames_per_minute)),
            events: Throttle::new(Rate::per_second(http.events_per_second)),
            uploads: Semaphore::new(attachments::UPLOADS_MAX),
            infected: attachments::Infected::default(),
            counts: health::Counts::default(),
            replicas,
            stop: CancellationToken::new(),
            parts,
        };
        Ok(Self { app: Arc::new(app), public, admin, inner, origin })
    }

    /// Where the public listener really is (port 0 in the settings gives a free one); `None` if this process is no
    /// gateway.
    ///
    /// # Errors
    /// The system does not say.
    pub fn address(&self) -> std::io::Result<Option<SocketAddr>> {
        self.public.as_ref().map(TcpListener::local_addr).transpose()
    }

    /// Where other replicas reach this one (`host:port`), for them to read in its leases; `None` if it takes nothing
    /// from them.
    #[must_use]
    pub fn reached_at(&self) -> Option<&str> {
        self.inner.as_ref().map(|(_, _, address)| address.as_str())
    }

    /// Where the admin listener really is.
    ///
    /// # Errors
    /// The system does not say.
    pub fn admin_address(&self) -> std::io::Result<SocketAddr> {
        self.admin.local_addr()
    }

    /// Scheme, host and port under which browsers reach the pages.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Serves until `close` is cancelled; then lets requests finish, and returns after `http.close_within` at the
    /// latest. From `drain` on (F3) the daemon is not ready, takes no new work and says when to come back, and sends
    /// live sockets away, spread over time.
    pub async fn run(self, drain: CancellationToken, close: CancellationToken) {
        let Self { app, public, admin, inner, .. } = self;
        let doors = doors(&app, public, admin, inner);
        let shared = Arc::clone(&app);
        let closing = close.clone();
        let watch = async move {
            tokio::select! { () = drain.cancelled() => {} () = closing.cancelled() => {} }
            shared.parts.readiness.set("running", Some("the daemon is stopping".to_owned()));
            shared.stop.cancel();
        };
        let serve =
            futures::future::join_all(doors.into_iter().map(|door| server::serve(door, close.clone())));
        tokio::join!(watch, async {
            tokio::select! {
                _ = serve => {}
                never = tell_news(&app) => match never {},
                never = replicas::watch(&app) => match never {},
            }
        });
    }
}

/// The way to other replicas, and the listener for what they forward.
async fn meet(parts: &Parts) -> std::io::Result<(Option<Replicas>, Option<(TcpListener, Tls, String)>)> {
    let cluster = &parts.settings.cluster;
    let Some(others) = &parts.others else { return Ok((None, None)) };
    let replicas = Replicas::new(others.clone());
    let inner = match (cluster.listen, others.tls()) {
        (Some(address), Some(tls)) => {
            let inner = listen("cluster.listen", address).await?;
            let reached_at = cluster.reached_at(inner.local_addr()?);
            Some((inner, tls, reached_at))
        }
        (Some(_) | None, _) => None,
    };
    Ok((Some(replicas), inner))
}

fn doors(
    app: &Shared,
    public: Option<TcpListener>,
    admin: TcpListener,
    inner: Option<(TcpListener, Tls, String)>,
) -> Vec<Door> {
    let settings = &app.parts.settings;
    // Public and admin share their places among the connections.
    let limits = server::Limits::of(&settings.http);
    let public = public.map(|listener| Door {
        listener,
        tls: None,
        router: public_router(app),
        limits: limits.clone(),
    });
    let admin = Door { listener: admin, tls: None, router: admin_router(app), limits };
    let inner = inner.map(|(listener, tls, _)| Door {
        listener,
        tls: Some(tls.acceptor),
        router: inner_router(app),
        limits: server::Limits::among(&settings.http, &settings.cluster),
    });
    public.into_iter().chain([admin]).chain(inner).collect()
}

/// Tells busy floors once a second what has gathered.
async fn tell_news(app: &App) -> std::convert::Infallible {
    let mut seconds = tokio::time::interval(news::NEWS_EVERY);
    seconds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        seconds.tick().await;
        for tenant in app.parts.drive.tenants() {
            if app.parts.hub.next_second(&tenant) {
                let (hub, of) = (app.parts.hub.clone(), tenant.clone());
                // A daemon that stops has nobody to tell.
                let _ = app.parts.drive.read(&tenant, move |engine| hub.tell_news(engine, &of)).await;
            }
        }
    }
}

async fn listen(key: &str, address: SocketAddr) -> std::io::Result<TcpListener> {
    server::bind(address).map_err(|error| {
        let text = format!("`{key}` is {address}, which cannot be listened on: {error}; choose another");
        std::io::Error::new(error.kind(), text)
    })
}

fn router(app: &Shared) -> Router {
    let http = &app.parts.settings.http;
    let draining = axum::middleware::from_fn_with_state(Arc::clone(app), answer::unless_draining);
    let timed = Router::new()
        .route("/api/v1/{tenant}/sign-in", post(api::sign_in))
        .route("/api/v1/{tenant}/chats", post(api::start_chat))
        .route("/api/v1/{tenant}/chats/{id}/return", post(returning::come_back_by_request))
        .route("/api/v1/{tenant}/events", post(api::take_event))
        .route("/api/v1/{tenant}/chats/{id}/explain", get(explain::get))
        .route("/api/v1/{tenant}/templates", get(desk::templates))
        .route("/api/v1/{tenant}/templates/{id}/render", post(desk::render))
        .route("/api/v1/{tenant}/faq", get(desk::faq))
        .route("/api/v1/{tenant}/scripts/{id}", get(desk::script))
        .route("/api/v1/{tenant}/queues/{queue}/script", get(desk::script_of_queue))
        .route_layer(draining.clone())
        .route("/panel/{tenant}/", get(pages::panel).post(pages::panel))
        .route("/panel/{tenant}", get(pages::add_slash))
        .route("/widget/{tenant}/", get(pages::widget))
        .route("/widget/{tenant}", get(pages::add_slash))
        .route("/widget.js", get(pages::file))
        .route("/assets/{*path}", get(pages::file))
        .route("/shop/", get(pages::shop))
        .route("/shop/{page}", get(pages::shop))
        .route("/share/{token}", get(share::page))
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .method_not_allowed_fallback(answer::wrong_method)
        .fallback(answer::no_such_address)
        .layer(axum::middleware::from_fn_with_state(http.request_within.std(), server::within))
        .with_state(Arc::clone(app));
    let files = Router::new()
        .route("/api/v1/{tenant}/chats/{id}/files", post(attachments::upload))
        .route_layer(draining.clone())
        .route("/api/v1/{tenant}/chats/{id}/files/{message}", get(attachments::download))
        .method_not_allowed_fallback(answer::wrong_method)
        .layer(axum::middleware::from_fn_with_state(http.file_within.std(), server::within))
        .with_state(Arc::clone(app));
    let sockets = Router::new()
        .route("/ws/agent", any(panel_socket::open))
        .route("/ws/customer", any(widget_socket::open))
        .route_layer(draining)
        .with_state(Arc::clone(app));
    timed.merge(files).merge(sockets)
}

/// For everybody: served here, or forwarded.
fn public_router(app: &Shared) -> Router {
    let secure = app.origins.secure();
    router(app)
        .layer(axum::middleware::from_fn_with_state(Arc::clone(app), replicas::or_serve))
        .layer(axum::middleware::from_fn_with_state(Arc::clone(app), limits::name_address))
        .layer(axum::middleware::map_response(move |response| headers::add(response, secure)))
}

/// For other replicas: the same, served here or refused.
fn inner_router(app: &Shared) -> Router {
    let secure = app.origins.secure();
    let within = app.parts.settings.http.request_within.std();
    let asked = Router::new()
        .route(replicas::INNER, post(replicas::inner))
        .method_not_allowed_fallback(answer::wrong_method)
        .layer(axum::middleware::from_fn_with_state(within, server::within))
        .with_state(Arc::clone(app));
    router(app)
        .merge(asked)
        .layer(axum::middleware::from_fn_with_state(Arc::clone(app), replicas::admit))
        .layer(axum::middleware::map_response(move |response| headers::add(response, secure)))
}

fn admin_router(app: &Shared) -> Router {
    Router::new()
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz_in_full))
        .route("/metrics", get(health::metrics))
        .route("/admin/{verb}", post(api::admin))
        .method_not_allowed_fallback(answer::wrong_method)
        .fallback(answer::no_such_address)
        .with_state(Arc::clone(app))
        .layer(axum::middleware::map_response(|response| headers::add(response, false)))
}
