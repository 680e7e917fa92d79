//! Zendesk: OAuth, Support API, Talk Partner Edition, and a page of agents that speaks the Zendesk Apps Framework, by
//! the project's fact sheet ("sheet" with a section number below).

mod account;
mod answer;
mod comments;
mod drive;
mod host;
mod http;
mod jobs;
mod limits;
mod oauth;
mod search;
mod seed;
mod switches;
mod tickets;
mod users;
mod voice;
mod world;

pub use account::Mail;
pub use oauth::Client;
pub use switches::{LongComment, Switches};

use crate::admin::{self, Requests};
use crate::faults::Faults;
use crate::keys::Authority;
use crate::listen::{self, StartError};
use axum_server::Handle;
use serde_json::{Value, json};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Identifier of the confidential client that [`Options::demo`] registers.
pub const CLIENT_ID: &str = "tieline_sandbox";
/// Its secret.
pub const CLIENT_SECRET: &str = "tieline-sandbox-client-secret";
/// Identifier of the public client beside it: no secret, PKCE needed.
pub const PUBLIC_CLIENT_ID: &str = "tieline_sandbox_public";
/// Address that both clients may send codes to, beside `http://localhost:4567/`.
pub const REDIRECT_URI: &str = "http://127.0.0.1:4567/callback";
/// The account's API token, for Basic.
pub const API_TOKEN: &str = "tieline-sandbox-api-token";
/// E-mail address of the administrator whom the clients belong to; the API works in this name.
pub const OWNER: &str = "integration@tieline-sandbox.example";
/// Number of the installed app, for `apps/notify` and calls.
pub const APP_ID: u64 = 1_104_402;
/// Number of its installation.
pub const INSTALLATION_ID: u64 = 33_144_692_150_001;

/// How a sandbox account is set up.
#[derive(Debug, Clone)]
pub struct Options {
    /// Address of the listener.
    pub ip: IpAddr,
    /// Port of everything; 0 takes a free one.
    pub port: u16,
    /// https, with a CA made at the run.
    pub tls: bool,
    /// Registered OAuth clients.
    pub clients: Vec<Client>,
    /// What the sheet leaves open.
    pub switches: Switches,
    /// The account has Talk Partner Edition; sets the switch of that name.
    pub talk_partner: bool,
    /// Seed of the invented data.
    pub seed: u64,
    /// Customers invented beside the known ones; 0 gives an account with the known ones only.
    pub contacts: usize,
    /// The panel that the page embeds.
    pub panel_url: Option<String>,
}

impl Options {
    /// An account with one confidential client ([`CLIENT_ID`]) and one public one ([`PUBLIC_CLIENT_ID`]), and Talk
    /// Partner Edition.
    #[must_use]
    pub fn demo() -> Self {
        let redirect_uris = vec![REDIRECT_URI.to_owned(), "http://localhost:4567/".to_owned()];
        let client = |identifier: &str, secret: Option<&str>| Client {
            identifier: identifier.to_owned(),
            secret: secret.map(str::to_owned),
            redirect_uris: redirect_uris.clone(),
        };
        Self {
            ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 0,
            tls: false,
            clients: vec![client(CLIENT_ID, Some(CLIENT_SECRET)), client(PUBLIC_CLIENT_ID, None)],
            switches: Switches::default(),
            talk_partner: true,
            seed: 20_261_120,
            contacts: 240,
            panel_url: None,
        }
    }
}

/// A running account. Stops when dropped.
#[derive(Debug)]
pub struct Running {
    /// Where everything is (`https://{subdomain}.zendesk.com` in the real world).
    pub base_url: String,
    /// The agents' page, under another host name so that a panel on 127.0.0.1 is cross-site to it.
    pub console_url: String,
    /// The CA to trust when TLS is on, PEM.
    pub ca_pem: Option<String>,
    /// The account, for tests in the same process.
    pub sandbox: Sandbox,
    handle: Handle<SocketAddr>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Running {
    /// Stops the listener and drops its connections.
    pub fn stop(&self) {
        self.handle.shutdown();
    }
}

/// The account behind a [`Running`]; clones are the same account.
#[derive(Clone)]
pub struct Sandbox(Arc<Shared>);

impl std::fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("zendesk::Sandbox")
    }
}

/// What all handlers share. Who takes both locks takes the world's first.
struct Shared {
    world: Mutex<world::World>,
    desk: Mutex<oauth::Desk>,
    faults: Faults,
    requests: Requests,
    panel: Mutex<Option<String>>,
    ca_pem: Option<String>,
    addresses: Value,
    /// The agent who looks at the page unless it says another.
    agent: u64,
}

impl Shared {
    fn world(&self) -> MutexGuard<'_, world::World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
    fn desk(&self) -> MutexGuard<'_, oauth::Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sandbox {
    /// Starts an account.
    ///
    /// # Errors
    /// The port is taken, or a certificate cannot be made.
    #[expect(clippy::unused_async, reason = "all stand-ins start the same way, inside a runtime")]
    pub async fn start(options: Options) -> Result<Running, StartError> {
        let mut account = account::Account::new();
        let seeded = seed::fill(&mut account, options.seed, options.contacts);
        let bound = listen::bind(SocketAddr::new(options.ip, options.port))?;
        let names = vec!["localhost".to_owned(), options.ip.to_string(), "::1".to_owned()];
        let authority = if options.tls { Some(Authority::generate(&names)?) } else { None };
        let scheme = if options.tls { "https" } else { "http" };
        let base_url = format!("{scheme}://{}", bound.addr);
        let console_url = format!("{scheme}://localhost:{}/agent/", bound.addr.port());
        let switches = Switches { talk_partner: options.talk_partner, ..options.switches };
        let mut world = world::World {
            account,
            switches,
            urls: account::Urls(base_url.clone()),
            limits: limits::Limits::default(),
            jobs: jobs::Jobs::default(),
            remembered: Vec::new(),
            unknown: Vec::new(),
        };
        world.apply_switches();
        let desk = oauth::Desk::new(options.clients, seeded.owner, API_TOKEN);
        let addresses = json!({
            "vendor": "zendesk", "base_url": base_url, "console_url": console_url, "owner": OWNER, "app_id": APP_ID,
            "known": seeded.known,
        });
        let shared = Arc::new(Shared {
            world: Mutex::new(world),
            desk: Mutex::new(desk),
            faults: Faults::default(),
            requests: Requests::default(),
            panel: Mutex::new(options.panel_url),
            ca_pem: authority.as_ref().map(|a| a.ca_pem.clone()),
            addresses,
            agent: seeded.agent,
        });
        let sandbox = Self(Arc::clone(&shared));
        let handle = Handle::new();
        let routes = http::routes(Arc::clone(&shared))
            .merge(host::routes(Arc::clone(&shared)))
            .merge(admin::routes(Arc::new(sandbox.clone())));
        listen::serve(bound, routes, authority.as_ref(), handle.clone())?;
        let ca_pem = shared.ca_pem.clone();
        Ok(Running { base_url, console_url, ca_pem, sandbox, handle })
    }
}
