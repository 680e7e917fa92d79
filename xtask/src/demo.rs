//! `cargo xtask demo`: builds what is needed and starts the daemon with a stand-in of Salesforce and invented people,
//! all on loopback, all in a folder that is gone afterwards. Says what it does while it does it.

#[path = "../../tests/support/broker.rs"]
mod private_broker;
mod settings;

use crate::loopback::{ask, free_port};
use crate::processes::{Running, wait_for};
use crate::signals::Stop;
use crate::workspace::{cargo, command, run as run_command, target};
use crate::{pages, prerequisites};
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use settings::{Crm, Demo, Person};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Options of `cargo xtask demo`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Use RabbitMQ instead of the embedded bus: the one TIELINE_BUS_URL names, or a private one started here.
    #[arg(long)]
    rabbitmq: bool,
    /// Print one line of JSON with all addresses when everything is ready, for programs.
    #[arg(long)]
    json: bool,
    /// Start, print the addresses as JSON, stop again.
    #[arg(long)]
    exit_after_ready: bool,
}

/// The people of the demo's contact centre. One password: there is nothing to protect.
const PEOPLE: [Person; 3] = [
    Person { id: "anna", name: "Anna Berg", extension: "201", supervisor: false },
    Person { id: "ben", name: "Ben Okoro", extension: "202", supervisor: false },
    Person { id: "sofia", name: "Sofia Lind", extension: "203", supervisor: true },
];
const PASSWORD: &str = "tieline-demo";
const TENANT: &str = "acme";
const READY_WITHIN: Duration = Duration::from_secs(60);

/// Starts everything, waits until somebody wants it to end, ends it.
///
/// # Errors
/// Something is missing, does not build, or does not start.
pub(crate) fn run(args: &Args) -> Result<()> {
    let stop = Stop::listen()?;
    let programs = build()?;
    stop.check()?;
    let home =
        tempfile::Builder::new().prefix("tieline-demo-").tempdir().context("no folder for the demo")?;
    let broker = if args.rabbitmq { Some(Broker::find_or_start()?) } else { None };
    stop.check()?;
    let ports = (free_port(8080)?, free_port(8081)?);
    let mut sandbox = Sandbox::start(&programs, home.path(), ports.0)?;
    let mut daemon = Daemon::start(&programs, home.path(), ports, &sandbox, broker.as_ref(), &stop)?;
    let ready = addresses(&daemon, &sandbox, broker.as_ref(), home.path());
    if args.json || args.exit_after_ready {
        println!("{ready}");
    } else {
        invite(&ready);
    }
    std::io::stdout().flush().context("standard output is closed")?;
    while !args.exit_after_ready && !stop.asked_within(Duration::from_millis(250)) {
        daemon.process.check()?;
        sandbox.process.check()?;
    }
    println!("stopping the daemon, then what it talks to");
    daemon.process.stop();
    sandbox.process.stop();
    drop(broker);
    Ok(())
}

/// The two programs of the demo.
struct Programs {
    daemon: PathBuf,
    sandbox: PathBuf,
}

/// Builds the pages when their sources are newer, then the programs; cargo knows by itself what has changed.
fn build() -> Result<Programs> {
    pages::build_if_stale()?;
    println!("building the daemon and the sandbox (the first time takes minutes)");
    let packages = ["--package", "tieline", "--bins", "--package", "tieline-sandbox"];
    run_command(cargo().args(["build", "--quiet"]).args(packages))?;
    let dir = target()?.join("debug");
    Ok(Programs { daemon: dir.join("tieline"), sandbox: dir.join("tieline-sandbox") })
}

/// RabbitMQ: somebody else's, or one that ends with the demo.
struct Broker {
    url: String,
    private: Option<private_broker::Broker>,
}

impl Broker {
    fn find_or_start() -> Result<Self> {
        if let Ok(url) = std::env::var("TIELINE_BUS_URL") {
            println!("using the broker of TIELINE_BUS_URL");
            return Ok(Self { url, private: None });
        }
        prerequisites::broker()?;
        println!("starting a private RabbitMQ");
        let private = private_broker::Broker::start().context("no private broker")?;
        Ok(Self { url: private.url(), private: Some(private) })
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Some(private) = &mut self.private {
            private.stop();
        }
    }
}

/// The stand-in of Salesforce.
struct Sandbox {
    process: Running,
    /// Where its own surface and its API are.
    instance: SocketAddr,
    /// The page that agents look at.
    console_url: String,
    crm: Crm,
}

impl Sandbox {
    fn start(programs: &Programs, home: &Path, panel_port: u16) -> Result<Self> {
        println!("starting the stand-in of Salesforce");
        let key = home.join("salesforce.pem");
        let panel = format!("http://127.0.0.1:{panel_port}/panel/{TENANT}/");
        let mut start = command(&programs.sandbox);
        start.args(["salesforce", "--panel-url", &panel, "--instance-port", &free_port(8090)?.to_string()]);
        let mut process =
            Running::start("the sandbox", start.arg("--key-file").arg(&key).stdout(Stdio::piped()))?;
        let mut line = String::new();
        BufReader::new(process.stdout()?).read_line(&mut line).context("the sandbox says nothing")?;
        let said: Value = serde_json::from_str(&line).context("the sandbox did not start")?;
        let text = |name: &str| {
            said[name].as_str().map(str::to_owned).with_context(|| format!("the sandbox says no {name}"))
        };
        let (console_url, instance_url) = (text("console_url")?, text("instance_url")?);
        let instance =
            instance_url.trim_start_matches("http://").parse().context("the sandbox is nowhere")?;
        let crm = Crm {
            login_url: text("login_url")?,
            page_origin: console_url.split('/').take(3).collect::<Vec<_>>().join("/"),
            consumer_key: text("consumer_key")?,
            username: text("username")?,
            private_key_file: key.display().to_string(),
        };
        Ok(Self { process, instance, console_url, crm })
    }
}

/// Tieline itself.
struct Daemon {
    process: Running,
    listen: SocketAddr,
    admin: SocketAddr,
}

impl Daemon {
    fn start(
        programs: &Programs,
        home: &Path,
        ports: (u16, u16),
        sandbox: &Sandbox,
        broker: Option<&Broker>,
        stop: &Stop,
    ) -> Result<Self> {
        println!("starting the daemon");
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, ports.0));
        let admin = SocketAddr::from((Ipv4Addr::LOCALHOST, ports.1));
        let password_hash = hash_password(&programs.daemon)?;
        let demo = Demo {
            tenant: TENANT,
            home,
            listen,
            admin,
            bus_url: broker.map(|broker| broker.url.as_str()),
            people: &PEOPLE,
            password_hash: &password_hash,
            crm: &sandbox.crm,
        };
        let file = home.join("tieline.toml");
        fs::write(&file, demo.toml()).with_context(|| format!("cannot write {}", file.display()))?;
        let mut process =
            Running::start("the daemon", command(&programs.daemon).args(["run", "--settings"]).arg(&file))?;
        wait_for(
            "the daemon should say that it is ready",
            READY_WITHIN,
            || stop.check().and_then(|()| process.check()),
            || matches!(ask("GET", listen, "/readyz", ""), Ok((200, _))),
        )?;
        Ok(Self { process, listen, admin })
    }
}

/// The demo's password, as the settings want it: the daemon's own command does it.
fn hash_password(daemon: &Path) -> Result<String> {
    let mut child = Command::new(daemon)
        .arg("hash-password")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start the daemon's hash-password")?;
    let mut stdin = child.stdin.take().context("no way to give the password")?;
    writeln!(stdin, "{PASSWORD}").context("the password was not taken")?;
    drop(stdin);
    let out = child.wait_with_output().context("hash-password is gone")?;
    if !out.status.success() {
        bail!("`tieline hash-password` failed ({})", out.status);
    }
    Ok(String::from_utf8_lossy(&out.stdout).trim().to_owned())
}

/// Everything a program or a person needs to know.
fn addresses(daemon: &Daemon, sandbox: &Sandbox, broker: Option<&Broker>, home: &Path) -> Value {
    json!({
        "shop": format!("http://{}/shop/", daemon.listen),
        "crm": sandbox.console_url,
        "panel": format!("http://{}/panel/{TENANT}/", daemon.listen),
        "admin": format!("http://{}", daemon.admin),
        "sandbox": format!("http://{}", sandbox.instance),
        "bus_url": broker.map(|broker| broker.url.clone()),
        "tenant": TENANT,
        "agents": PEOPLE.iter().map(|person| person.id).collect::<Vec<_>>(),
        "password": PASSWORD,
        "settings": home.join("tieline.toml"),
        "daemon_pid": daemon.process.pid(),
    })
}

/// What a person can do now.
fn invite(ready: &Value) {
    let text = |name: &str| ready[name].as_str().unwrap_or_default().to_owned();
    let agents: Vec<_> = PEOPLE
        .iter()
        .map(|p| format!("{}{}", p.id, if p.supervisor { " (supervisor)" } else { "" }))
        .collect();
    println!(
        "\nTieline is ready.\n\n\
         \x20 shop page with the widget        {}\n\
         \x20 CRM page with the panel inside   {}\n\
         \x20 the panel alone                  {}\n\
         \x20 agents                           {}; password {PASSWORD}\n\n\
         1. Open the CRM page, sign in as anna in the panel, become Available.\n\
         2. Open the shop page in another window and start a chat as Grace Okafor,\n\
         \x20  grace.okafor@okafor-sons.example. Her record opens while the offer still rings.\n\
         3. Accept, talk, end, classify, complete: one case with the transcript is in the CRM page.",
        text("shop"),
        text("crm"),
        text("panel"),
        agents.join(", "),
    );
    if ready["bus_url"].is_string() {
        println!(
            "4. Let Ines call her: python3 docs/publish_call.py {} {TENANT} '+43 664 5550 123' anna",
            text("bus_url")
        );
    }
    println!("\nCtrl-C stops everything.");
}
