//! Salesforce: OAuth, REST, SOQL, SOSL, and a console page that speaks Open CTI, by the project's fact sheet ("sheet"
//! with a section number below). Two listeners, because the address of tokens and the address of the API differ, and
//! a client that ignores `instance_url` must fail.

mod composite;
mod drive;
mod error;
mod host;
mod http;
mod ids;
mod oauth;
mod org;
mod rest;
mod rules;
mod schema;
mod seed;
mod soql;
mod sosl;
mod switches;
#[cfg(test)]
mod tests;

pub use ids::{checksum, normalise};
pub use oauth::App;
pub use schema::BadSchema;
pub use switches::Switches;

use crate::admin::{self, Requests};
use crate::faults::Faults;
use crate::keys::{AppKey, Authority};
use crate::listen::{self, StartError};
use axum_server::Handle;
use serde_json::{Value, json};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The consumer key of the app that [`Options::demo`] registers.
pub const CONSUMER_KEY: &str = "3MVG9tielineSandboxConsumerKey.0001";
/// Its secret.
pub const CONSUMER_SECRET: &str = "tieline-sandbox-consumer-secret";
/// The user it runs as; a username, not an e-mail address.
pub const INTEGRATION_USER: &str = "integration@tieline-sandbox.example";

/// How a sandbox org is set up.
#[derive(Debug, Clone)]
pub struct Options {
    /// Address of both listeners.
    pub ip: IpAddr,
    /// Port of the token endpoint; 0 takes a free one.
    pub login_port: u16,
    /// Port of the API and the console; 0 takes a free one.
    pub instance_port: u16,
    /// https, with a CA made at the run.
    pub tls: bool,
    /// Registered apps.
    pub apps: Vec<App>,
    /// What the sheet leaves open.
    pub switches: Switches,
    /// Objects and fields beyond the standard ones, in the notation of `objects.txt`.
    pub extra_schema: String,
    /// Seed of the invented data.
    pub seed: u64,
    /// Contacts invented beside the known ones; 0 gives an org with the known ones only.
    pub contacts: usize,
    /// The panel that the console embeds.
    pub panel_url: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
            login_port: 0,
            instance_port: 0,
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
    /// An org with one app of this key: [`CONSUMER_KEY`], approved for [`INTEGRATION_USER`], client credentials too.
    #[must_use]
    pub fn demo(key: &AppKey) -> Self {
        let app = App {
            consumer_key: CONSUMER_KEY.to_owned(),
            consumer_secret: Some(CONSUMER_SECRET.to_owned()),
            certificate_pem: Some(key.certificate_pem.clone()),
            approved_users: vec![INTEGRATION_USER.to_owned()],
            run_as: Some(INTEGRATION_USER.to_owned()),
        };
        Self { apps: vec![app], ..Self::default() }
    }
}

/// A running org. Stops when dropped.
#[derive(Debug)]
pub struct Running {
    /// Where tokens are asked for (`https://login.salesforce.com` in the real world).
    pub login_url: String,
    /// Where the API is.
    pub instance_url: String,
    /// The console page, under another host name so that a panel on 127.0.0.1 is cross-site to it.
    pub console_url: String,
    /// The CA to trust when TLS is on, PEM.
    pub ca_pem: Option<String>,
    /// The org, for tests in the same process.
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

/// The org behind a [`Running`]; clones are the same org.
#[derive(Clone)]
pub struct Sandbox(Arc<Shared>);

impl std::fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("salesforce::Sandbox")
    }
}

/// What all handlers share.
struct Shared {
    world: Mutex<rest::World>,
    desk: Mutex<oauth::Desk>,
    faults: Faults,
    requests: Requests,
    panel: Mutex<Option<String>>,
    ca_pem: Option<String>,
    addresses: Value,
    agent: String,
}

impl Shared {
    fn world(&self) -> MutexGuard<'_, rest::World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
    fn desk(&self) -> MutexGuard<'_, oauth::Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sandbox {
    /// Users of the org: their names and record ids.
    #[must_use]
    pub fn users(&self) -> Vec<(String, String)> {
        self.0.desk().users.iter().map(|(name, login)| (name.clone(), login.id.clone())).collect()
    }

    /// Starts an org.
    ///
    /// # Errors
    /// A port is taken, a certificate cannot be made, or `extra_schema` does not read.
    pub async fn start(options: Options) -> Result<Running, StartError> {
        let mut schema = schema::Schema::default();
        let bad = |line: BadSchema| StartError::Option(line.to_string());
        schema.add(schema::STANDARD).map_err(bad)?;
        schema.add(&options.extra_schema).map_err(bad)?;
        let mut org = org::Org::new(schema, options.switches.clone());
        let seeded = seed::fill(&mut org, options.seed, options.contacts);

        let login = listen::bind(SocketAddr::new(options.ip, options.login_port))?;
        let instance = listen::bind(SocketAddr::new(options.ip, options.instance_port))?;
        let names = vec!["localhost".to_owned(), options.ip.to_string(), "::1".to_owned()];
        let authority = if options.tls { Some(Authority::generate(&names)?) } else { None };
        let scheme = if options.tls { "https" } else { "http" };
        let login_url = format!("{scheme}://{}", login.addr);
        let instance_url = format!("{scheme}://{}", instance.addr);
        let console = format!("{scheme}://localhost:{}", instance.addr.port());
        let console_url = format!("{console}/lightning/page/home");

        let mut desk = oauth::Desk::new(options.apps, org.id.clone());
        desk.users = seeded.logins;
        desk.login_url.clone_from(&login_url);
        desk.instance_url.clone_from(&instance_url);
        desk.audiences = vec![
            "https://login.salesforce.com".to_owned(),
            "https://test.salesforce.com".to_owned(),
            login_url.clone(),
            instance_url.clone(),
        ];
        let addresses = json!({
            "vendor": "salesforce", "login_url": login_url, "instance_url": instance_url, "console_url": console_url,
            "integration_user": INTEGRATION_USER, "known": seeded.known,
        });
        let shared = Arc::new(Shared {
            world: Mutex::new(rest::World {
                org,
                cursors: rest::Cursors::default(),
                calls: 0,
                instance_url: instance_url.clone(),
                login_url: login_url.clone(),
            }),
            desk: Mutex::new(desk),
            faults: Faults::default(),
            requests: Requests::default(),
            panel: Mutex::new(options.panel_url),
            ca_pem: authority.as_ref().map(|a| a.ca_pem.clone()),
            addresses,
            agent: seeded.agent,
        });
        let sandbox = Self(Arc::clone(&shared));
        let handles = [Handle::new(), Handle::new()];
        let routes = http::instance(Arc::clone(&shared))
            .merge(host::routes(Arc::clone(&shared)))
            .merge(admin::routes(Arc::new(sandbox.clone())));
        listen::serve(login, http::login(Arc::clone(&shared)), authority.as_ref(), handles[0].clone())?;
        listen::serve(instance, routes, authority.as_ref(), handles[1].clone())?;
        let ca_pem = shared.ca_pem.clone();
        Ok(Running { login_url, instance_url, console_url, ca_pem, sandbox, handles })
    }
}
