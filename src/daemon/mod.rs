//! Wiring: builds every room from the settings, starts them, and stops them in order. The only room that may import
//! every other.

mod admin;
mod afar;
mod backup;
mod calendar;
pub mod cli;
pub mod clock;
mod connectors;
mod crew;
mod demo;
mod doctor;
mod drain;
mod exit;
mod explain;
mod forget;
mod health;
mod machine;
mod measured;
mod metrics;
mod notify;
mod reload;
mod telemetry;
mod verify;

use crate::auth::Auth;
use crate::bus::{self, Seal};
use crate::dispatch::{Pop, Pops, Shown};
use crate::drive::{Drive, InForce, Keeper, Observer};
use crate::http::{self, Edge, Hub, Readiness, Source};
use crate::journal::{
    Leases, MasterKey, NewContent, Part, Postgres, PostgresOptions, Recorded, Replica, Sqlite, Store,
};
use crate::settings::{self, JournalKind, Live, Settings, Tenant};
pub use afar::Afar;
use anyhow::Context;
use async_trait::async_trait;
use crew::Crew;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use tieline_engine::Engine;
use tieline_model::{Clock, TenantId, Timestamp};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Chooses the one TLS provider of the process. Twice is harmless.
pub fn install_crypto() {
    // An error means that one is installed already, and there is only this one in the build.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

/// Runs the daemon until SIGTERM or Ctrl-C, then lets it finish for `daemon.drain_within`; a second signal ends it at
/// once. On SIGHUP it gets its settings from `reread`.
///
/// # Errors
/// What keeps it from starting, or what made it stop: a journal lost to another process or to its disk; or somebody in
/// a hurry.
pub async fn run(
    settings: Settings,
    reread: impl Fn() -> Result<Settings, settings::Error> + Send + Sync + 'static,
) -> anyhow::Result<()> {
    install_crypto();
    let settings = Arc::new(settings);
    let system_clock = Arc::new(clock::SystemClock::start());
    let clock: Arc<dyn Clock> = system_clock.clone();
    let Journal { store, leases } = open_journal(&settings).await?;
    let hub = Hub::new(store.clone());
    let readiness = Readiness::default();
    let observer = Box::new(Watch { hub: hub.observer(), readiness: readiness.clone() });
    let now = clock.now();
    // Where the journal is shared, tenants come with their leases.
    let from_the_start = settings.tenants.iter().filter(|_| leases.is_none());
    let tenants = from_the_start.map(|(id, tenant)| (id.clone(), in_force(tenant, now))).collect();
    let (drive, handle) = Drive::open(store.clone(), clock.clone(), observer, tenants, rand::random).await?;
    let key = settings::read_or_make_key(&settings.auth.key_file)?;
    let auth = Arc::new(Auth::new(&settings, &key, clock.clone())?);
    let live = Arc::new(Live::new(settings.as_ref().clone()));
    let core = Core { settings, live, auth, clock, store, hub, handle, readiness };
    let reload = Arc::new(core.reload(Arc::new(reread)));

    let intake = bus::Intake::new(countries(&core.settings));
    let bus = start_bus(&core, intake.clone(), &key);
    connectors::check(&core.settings, &core.clock).context(exit::WrongSettings)?;
    let others = others(&core.settings, leases.is_some())?;
    let afar = Afar::new(core.handle.clone(), Arc::new(ToPanels(core.hub.clone())), others.clone());
    let crew = Crew::new(&core, afar.clone(), bus.feeds());
    let metrics = vec![
        metrics::of_engines(core.handle.clone(), core.clock.clone()),
        metrics::of_lanes(crew.clone()),
        metrics::of_deliveries(core.store.clone(), crew.clone()),
        metrics::of_bus(bus.meter(), core.store.clone(), core.handle.clone()),
        metrics::of_machine(core.store.clone(), system_clock.clone()),
    ];
    let impaired = impaired(bus.meter(), crew.clone(), system_clock.clone());
    let edge = edge(&core, intake, reload.clone(), metrics, impaired, others, afar).await?;
    say_where(&edge)?;

    let mut signals = drain::Signals::listen()?;
    let hangup = signal(SignalKind::hangup())?;
    let drain_within = core.settings.daemon.drain_within.std();
    let living = notify::live(core.handle.clone(), core.readiness.clone(), bus.meter());
    let mut at_hand = JoinSet::new();
    let store = core.store.clone();
    let keeper = leases.map(|leases| keeper(&core, leases, crew.clone(), edge.reached_at()));
    at_hand.spawn(async move { system_clock.watch().await });
    at_hand.spawn(forget::keep(core.store.clone(), core.clock.clone()));
    at_hand.spawn(calendar::keep(core.live, core.handle.clone(), core.clock));
    let mut parts = start(core.handle, drive, edge, crew, keeper, bus)?;
    at_hand.spawn(reload::on(hangup, reload));
    at_hand.spawn(living);
    let outcome = tokio::select! {
        biased;
        // Nothing can be finished on a disk that failed, and nothing it says now is to be believed.
        error = store.lost() => return Err(exit::Lost(error).into()),
        _ = signals.next() => Ok(()),
        ended = parts.ended() => ended,
    };
    notify::stopping(drain_within);
    let drained = tokio::select! {
        drained = parts.drain(drain_within) => drained,
        error = store.lost() => Err(exit::Lost(error).into()),
        hurried = signals.next() => Err(hurried.into()),
    };
    at_hand.abort_all();
    outcome.and(drained)
}

/// Sets everything going.
fn start(
    handle: crate::drive::Handle,
    drive: Drive,
    edge: Edge,
    crew: Crew,
    keeper: Option<Keeper>,
    bus: bus::Running,
) -> anyhow::Result<drain::Parts> {
    if keeper.is_none() {
        crew.start_all()?;
    }
    let (engines_stop, engines_stopped) = tokio::sync::oneshot::channel::<()>();
    let engines = tokio::spawn(drive.run(async {
        // A dropped sender stops it too.
        let _ = engines_stopped.await;
    }));
    let keeper_stop = CancellationToken::new();
    let keeper = keeper.map(|keeper| tokio::spawn(keeper.run(keeper_stop.clone())));
    let (edge_drain, edge_close) = (CancellationToken::new(), CancellationToken::new());
    let edge = tokio::spawn(edge.run(edge_drain.clone(), edge_close.clone()));
    Ok(drain::Parts {
        handle,
        engines,
        engines_stop,
        edge,
        edge_drain,
        edge_close,
        crew,
        keeper,
        keeper_stop,
        bus,
    })
}

/// Keeps this process's share of the tenants.
fn keeper(core: &Core, leases: Arc<dyn Leases>, crew: Crew, reached_at: Option<&str>) -> Keeper {
    let roles = core.settings.roles();
    let holds = [(roles.core, Part::Engines), (roles.connectors, Part::Dispatch)];
    let holds = holds.into_iter().filter_map(|(does, part)| does.then_some(part)).collect();
    let (live, clock) = (core.live.clone(), core.clock.clone());
    Keeper {
        leases,
        me: Replica { id: uuid::Uuid::now_v7(), address: reached_at.map(str::to_owned), holds },
        engines: core.handle.clone(),
        crew: Arc::new(crew),
        tenants: core.settings.tenants.keys().cloned().collect(),
        settings: Arc::new(move |id| Some(in_force(live.tenants().get(id)?, clock.now()))),
    }
}

/// What the rooms are wired from.
struct Core {
    /// As they were at the start.
    settings: Arc<Settings>,
    /// As they are now.
    live: Arc<Live>,
    auth: Arc<Auth>,
    clock: Arc<dyn Clock>,
    store: Arc<dyn Store>,
    hub: Hub,
    handle: crate::drive::Handle,
    readiness: Readiness,
}

impl Core {
    fn reload(&self, reread: reload::Reread) -> reload::Reload {
        reload::Reload {
            reread,
            started: self.settings.clone(),
            live: self.live.clone(),
            auth: self.auth.clone(),
            engines: self.handle.clone(),
            clock: self.clock.clone(),
            turn: tokio::sync::Mutex::default(),
        }
    }
}

fn in_force(tenant: &Tenant, now: Timestamp) -> InForce {
    InForce { policy: tenant.policy(), hours: Some(tenant.open_hours(now)), day: Some(tenant.day(now).0) }
}

fn start_bus(core: &Core, intake: bus::Intake, key: &[u8; 32]) -> bus::Running {
    bus::start(bus::Wiring {
        settings: core.settings.bus.clone(),
        store: core.store.clone(),
        engines: Arc::new(core.handle.clone()),
        intake,
        connections: connections(&core.settings),
        seal: Seal::new(key),
    })
}

async fn edge(
    core: &Core,
    intake: bus::Intake,
    reload: Arc<reload::Reload>,
    metrics: Vec<Source>,
    impaired: http::Impaired,
    others: Option<http::Others>,
    afar: Afar,
) -> anyhow::Result<Edge> {
    let verbs = admin::Verbs::new(core.store.clone(), core.clock.clone(), core.handle.clone(), reload);
    let edge = Edge::bind(crate::http::Parts {
        settings: core.live.clone(),
        auth: core.auth.clone(),
        drive: core.handle.clone(),
        hub: core.hub.clone(),
        clock: core.clock.clone(),
        intake: admin::intake(intake),
        admin: Some(Arc::new(verbs)),
        readiness: core.readiness.clone(),
        impaired,
        metrics,
        others,
        inner: Some(Arc::new(afar)),
    });
    Ok(edge.await?)
}

/// Other replicas, where the journal is shared, and who this process is to them.
fn others(settings: &Settings, shared: bool) -> anyhow::Result<Option<http::Others>> {
    let identity = settings.cluster.identity().context(exit::WrongSettings)?;
    if !shared {
        return Ok(None);
    }
    let others = http::Others::new(identity.as_ref(), &settings.cluster);
    others.map(Some).map_err(anyhow::Error::msg).context(exit::WrongSettings)
}

/// The journal, and where its leases are kept if others share it.
struct Journal {
    store: Arc<dyn Store>,
    leases: Option<Arc<dyn Leases>>,
}

async fn open_journal(settings: &Settings) -> anyhow::Result<Journal> {
    let its = &settings.journal;
    let key = || MasterKey::load_or_create(&its.key_file);
    match its.kind {
        JournalKind::Sqlite => {
            make_folder("journal.path", &its.path)?;
            let store = Sqlite::open_with(&its.path, key()?, its.ballast_bytes).await;
            let store = store.with_context(|| format!("`journal.path` ({})", its.path.display()))?;
            Ok(Journal { store: Arc::new(store), leases: None })
        }
        JournalKind::Postgres => {
            make_folder("journal.key_file", &its.key_file)?;
            let store = Postgres::open(&database(settings), key()?).await.context("`journal.url`")?;
            Ok(Journal { store: store.clone(), leases: Some(store) })
        }
    }
}

fn make_folder(key: &str, file: &Path) -> anyhow::Result<()> {
    let Some(folder) = file.parent().filter(|f| !f.as_os_str().is_empty()) else { return Ok(()) };
    std::fs::create_dir_all(folder)
        .with_context(|| format!("`{key}`: the folder {} cannot be made", folder.display()))
}

/// The database that the settings name.
fn database(settings: &Settings) -> PostgresOptions {
    let journal = &settings.journal;
    PostgresOptions {
        url: journal.url.reveal().to_owned(),
        schema: journal.schema.clone(),
        writers: journal.writers,
        readers: journal.readers,
        connect_within: journal.connect_within.std(),
        statement_within: journal.statement_within.std(),
        lease: settings.cluster.lease.std(),
    }
}

fn countries(settings: &Settings) -> BTreeMap<TenantId, Option<tieline_connector_api::phone::Country>> {
    let country = |text: &String| text.parse().ok();
    settings
        .tenants
        .iter()
        .map(|(id, t)| (id.clone(), t.default_country.as_ref().and_then(country)))
        .collect()
}

fn connections(settings: &Settings) -> Vec<(TenantId, tieline_model::ConnectionId)> {
    let all = settings.tenants.iter();
    all.flat_map(|(id, tenant)| tenant.connections.keys().map(|c| (id.clone(), c.clone()))).collect()
}

/// What is impaired while chats go on: a bus on which no messages move, a clock that was set, a CRM to which nothing is
/// sent.
fn impaired(meter: bus::Meter, crew: Crew, clock: Arc<clock::SystemClock>) -> http::Impaired {
    Box::new(move || {
        let health = meter.health();
        let unknown = || "no messages move yet".to_owned();
        let bus = (!health.moves()).then(|| ("bus".to_owned(), health.problem.unwrap_or_else(unknown)));
        let lanes = crew.lanes();
        let crms = lanes.iter().filter_map(|lane| {
            Some((format!("connection {}/{}", lane.tenant(), lane.info().id), lane.trouble()?))
        });
        let clock = clock.trouble().map(|says| ("clock".to_owned(), says));
        bus.into_iter().chain(clock).chain(crms).collect()
    })
}

/// Says where it listens, on standard output, for people and for programs that start it with port 0.
fn say_where(edge: &Edge) -> anyhow::Result<()> {
    let admin = edge.admin_address()?;
    match edge.address()? {
        Some(public) => {
            let origin = edge.origin();
            println!("tieline listens on http://{public} (pages at {origin}), admin on http://{admin}");
        }
        None => println!("tieline takes no browsers (it has no role gateway), admin on http://{admin}"),
    }
    if let Some(inner) = edge.reached_at() {
        println!("tieline takes what other replicas forward at {inner}");
    }
    Ok(())
}

/// Shows commits to the panels, and says in `/readyz` while they fail.
struct Watch {
    hub: Box<dyn Observer>,
    readiness: Readiness,
}

impl Observer for Watch {
    fn committed(&mut self, tenant: &TenantId, engine: &Engine, rows: &[Recorded], content: &[NewContent]) {
        self.hub.committed(tenant, engine, rows, content);
    }
    fn reloaded(&mut self, tenant: &TenantId, engine: &Engine) {
        self.hub.reloaded(tenant, engine);
    }
    fn left(&mut self, tenant: &TenantId) {
        self.hub.left(tenant);
    }
    fn trouble(&mut self, why: Option<&str>) {
        self.readiness.set("journal", why.map(str::to_owned));
    }
}

/// Brings pops to the panels.
struct ToPanels(Hub);

#[async_trait]
impl Pops for ToPanels {
    async fn pop(&self, tenant: &TenantId, pop: Pop) -> Shown {
        let Pop { agent, interaction, connection, target, title, leads, pushes } = pop;
        let pop = http::Pop { interaction, connection, target, title, leads, pushes };
        match self.0.pop(tenant, &agent, pop) {
            http::Shown::Opened => Shown::InPage,
            http::Shown::AsLink => Shown::AsLink,
            http::Shown::Pushed => Shown::ByTheCrm,
            http::Shown::Not => Shown::NotYet,
        }
    }

    async fn not_pushed(&self, tenant: &TenantId, pop: &Pop) {
        self.0.not_pushed(tenant, &pop.agent, pop.interaction, &pop.connection);
    }
}
