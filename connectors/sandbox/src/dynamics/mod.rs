//! Microsoft Dynamics 365: the token endpoint of Entra, the Web API of Dataverse, and a page that speaks the Channel
//! Integration Framework, by the project's fact sheet ("sheet" with a section number below). Two listeners, because
//! tokens and records have different hosts.

mod actions;
mod address;
mod assertion;
mod batch;
mod cell;
mod drive;
mod entra;
mod error;
mod host;
mod http;
mod metadata;
mod odata;
mod org;
mod payload;
mod rest;
mod rules;
mod schema;
mod search;
mod seed;
mod switches;

pub use entra::App;
pub use schema::BadSchema;
pub use switches::{StateOnCreate, Switches};

use crate::admin::{self, Requests};
use crate::faults::Faults;
use crate::keys::{AppKey, Authority};
use crate::listen::{self, StartError};
use axum_server::Handle;
use serde_json::{Value, json};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use uuid::Uuid;

/// The tenant's id.
pub const TENANT: &str = "7c1f3a52-9d84-4b6e-8a07-5e21c9d0b413";
/// The tenant's domain, which is taken in its place.
pub const TENANT_DOMAIN: &str = "tieline-sandbox.example";
/// The client id of the app that [`Options::demo`] registers.
pub const CLIENT_ID: &str = "3b8e0f6d-52c7-4a19-bd3e-90f4a6c7e821";
/// Its secret, with the characters that must be form-encoded.
pub const CLIENT_SECRET: &str = "t1e~l8Q+sandbox/secret=.0001";
/// An app of the same secret that the tenant knows and the environment has no application user for.
pub const STRANGER_ID: &str = "e05d7a94-1f6b-4c83-9a2d-6b7f8c90d1e2";

/// How an environment is set up.
#[derive(Debug, Clone)]
pub struct Options {
    /// Address of both listeners.
    pub ip: IpAddr,
    /// Port of the token endpoint; 0 takes a free one.
    pub login_port: u16,
    /// Port of the Web API and the console; 0 takes a free one.
    pub org_port: u16,
    /// https, with a CA made at the run.
    pub tls: bool,
    /// App registrations of the tenant.
    pub apps: Vec<App>,
    /// What the sheet leaves open, and policies.
    pub switches: Switches,
    /// Tables, columns and alternate keys beyond the standard ones, in the notation of `tables.txt`.
    pub extra_schema: String,
    /// Seed of the invented data.
    pub seed: u64,
    /// Contacts invented beside the known ones; 0 gives an environment with the known ones only.
    pub contacts: usize,
    /// The panel that the console embeds.
    pub panel_url: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
            login_port: 0,
            org_port: 0,
            tls: false,
            apps: Vec::new(),
            switches: Switches::default(),
            extra_schema: String::new(),
            seed: 20_261_120,
            contacts: 240,
            panel_url: None,
        }
    }
}

impl Options {
    /// An environment with one app of this key and [`CLIENT_SECRET`], and one that is a stranger to it.
    #[must_use]
    pub fn demo(key: &AppKey) -> Self {
        let app = |client_id: &str, application_user| App {
            client_id: client_id.to_owned(),
            client_secret: Some(CLIENT_SECRET.to_owned()),
            secret_expired: false,
            certificate_pem: Some(key.certificate_pem.clone()),
            enabled: true,
            application_user,
        };
        Self { apps: vec![app(CLIENT_ID, true), app(STRANGER_ID, false)], ..Self::default() }
    }
}

/// A running environment. Stops when dropped.
#[derive(Debug)]
pub struct Running {
    /// Where tokens are asked for, without the tenant (`https://login.microsoftonline.com` in the real world). The
    /// endpoint is `{authority_url}/{TENANT}/oauth2/v2.0/token`.
    pub authority_url: String,
    /// The environment's address; `{org_url}/.default` is the scope, `{org_url}/api/data/v9.2` the Web API.
    pub org_url: String,
    /// The console page, under another host name so that a panel on 127.0.0.1 is cross-site to it.
    pub console_url: String,
    /// The CA to trust when TLS is on, PEM.
    pub ca_pem: Option<String>,
    /// The environment, for tests in the same process.
    pub sandbox: Sandbox,
    handles: [Handle<SocketAddr>; 2],
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Running {
    /// Stops both listeners and drops their connections.
    pub fn stop(&self) {
        for handle in &self.handles {
            handle.shutdown();
        }
    }
}

/// The environment behind a [`Running`]; clones are the same one.
#[derive(Clone)]
pub struct Sandbox(Arc<Shared>);

impl std::fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("dynamics::Sandbox")
    }
}

/// What all handlers share.
struct Shared {
    org: Mutex<org::Org>,
    desk: Mutex<entra::Desk>,
    faults: Faults,
    requests: Requests,
    limits: Mutex<http::Limits>,
    panel: Mutex<Option<String>>,
    ca_pem: Option<String>,
    addresses: Value,
    org_url: String,
    authority_url: String,
    /// The agent in whose name people's edits are made.
    agent: Uuid,
}

impl Shared {
    fn org(&self) -> MutexGuard<'_, org::Org> {
        self.org.lock().unwrap_or_else(PoisonError::into_inner)
    }
    fn desk(&self) -> MutexGuard<'_, entra::Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sandbox {
    /// Starts an environment.
    ///
    /// # Errors
    /// A port is taken, a certificate cannot be made, or `extra_schema` does not read.
    pub async fn start(options: Options) -> Result<Running, StartError> {
        let mut schema = schema::Schema::default();
        let bad = |line: BadSchema| StartError::Option(line.to_string());
        schema.add(schema::STANDARD).map_err(bad)?;
        schema.add(&options.extra_schema).map_err(bad)?;
        let mut org = org::Org::new(schema, options.switches.clone());
        let seeded = seed::fill(&mut org, options.seed, options.contacts, &options.apps);

        let login = listen::bind(SocketAddr::new(options.ip, options.login_port))?;
        let api = listen::bind(SocketAddr::new(options.ip, options.org_port))?;
        let names = vec!["localhost".to_owned(), options.ip.to_string(), "::1".to_owned()];
        let authority = if options.tls { Some(Authority::generate(&names)?) } else { None };
        let scheme = if options.tls { "https" } else { "http" };
        let authority_url = format!("{scheme}://{}", login.addr);
        let org_url = format!("{scheme}://{}", api.addr);
        let console = format!("{scheme}://localhost:{}", api.addr.port());
        let console_url = format!("{console}/main.aspx");

        let desk = entra::Desk::new(options.apps, TENANT, &authority_url, vec![org_url.clone(), console]);
        let addresses = json!({
            "vendor": "dynamics", "authority_url": authority_url, "org_url": org_url, "console_url": console_url,
            "tenant": TENANT, "client_id": CLIENT_ID, "known": seeded.known,
        });
        let shared = Arc::new(Shared {
            org: Mutex::new(org),
            desk: Mutex::new(desk),
            faults: Faults::default(),
            requests: Requests::default(),
            limits: Mutex::default(),
            panel: Mutex::new(options.panel_url),
            ca_pem: authority.as_ref().map(|a| a.ca_pem.clone()),
            addresses,
            org_url: org_url.clone(),
            authority_url: authority_url.clone(),
            agent: seeded.agent,
        });
        let sandbox = Self(Arc::clone(&shared));
        let handles = [Handle::new(), Handle::new()];
        let routes = http::api(Arc::clone(&shared))
            .merge(host::routes(Arc::clone(&shared)))
            .merge(admin::routes(Arc::new(sandbox.clone())));
        listen::serve(login, http::login(Arc::clone(&shared)), authority.as_ref(), handles[0].clone())?;
        listen::serve(api, routes, authority.as_ref(), handles[1].clone())?;
        let ca_pem = shared.ca_pem.clone();
        Ok(Running { authority_url, org_url, console_url, ca_pem, sandbox, handles })
    }
}
