//! `tieline demo`: the daemon with stand-ins of the CRMs and invented people, all in this process, all on loopback,
//! all in a folder that is gone afterwards.

mod crms;
mod settings;

use anyhow::Context as _;
use crms::Crm;
use serde_json::{Map, Value, json};
use settings::{Demo, Person};
use std::fs::OpenOptions;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

/// Options of `tieline demo`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Use this RabbitMQ instead of the embedded bus (`amqp://guest:guest@127.0.0.1:5672/%2f`).
    #[arg(long, env = "TIELINE_BUS_URL", hide_env_values = true)]
    bus_url: Option<String>,
    /// Print one line of JSON with all addresses when everything is ready, for programs.
    #[arg(long)]
    json: bool,
    /// Start, print the addresses as JSON, stop again.
    #[arg(long)]
    exit_after_ready: bool,
}

/// The people of the demo's contact centre. One password: there is nothing to protect.
const PEOPLE: [Person; 3] = [
    Person {
        id: "anna",
        name: "Anna Berg",
        extension: "201",
        supervisor: false,
        skills: "english = 8, german = 9",
    },
    Person {
        id: "ben",
        name: "Ben Okoro",
        extension: "202",
        supervisor: false,
        skills: "english = 9, orders = 6",
    },
    Person {
        id: "sofia",
        name: "Sofia Lind",
        extension: "203",
        supervisor: true,
        skills: "english = 7, german = 7, orders = 9",
    },
];
const PASSWORD: &str = "tieline-demo";
const TENANT: &str = "acme";
const READY_WITHIN: Duration = Duration::from_secs(60);

/// Starts everything, says what to open, and runs until it is told to stop.
///
/// # Errors
/// Something does not start.
pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    super::install_crypto();
    let home =
        tempfile::Builder::new().prefix("tieline-demo-").tempdir().context("no folder for the demo")?;
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port(8080)?));
    let admin = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port(8081)?));
    let crms = crms::start(home.path(), &format!("http://{listen}/panel/{TENANT}/")).await?;
    let password = crate::settings::Secret::new(PASSWORD);
    let demo = Demo {
        tenant: TENANT,
        home: home.path(),
        listen,
        admin,
        bus_url: args.bus_url.as_deref(),
        people: &PEOPLE,
        password_hash: &crate::auth::hash_password(&password).map_err(anyhow::Error::msg)?,
        crms: &crms,
    };
    let text = demo.toml();
    let file = home.path().join("tieline.toml");
    write_private(&file, &text)?;
    let read = move || crate::settings::load(Some(&file), std::collections::HashMap::new());
    let settings = read()?;
    let ready = addresses(&demo);
    let daemon = super::run(settings, read);
    tokio::pin!(daemon);
    tokio::select! {
        ended = &mut daemon => return ended,
        up = until_ready(listen) => up?,
    }
    if args.json || args.exit_after_ready {
        println!("{ready}");
    } else {
        invite(&ready, &crms);
    }
    if args.exit_after_ready {
        return Ok(());
    }
    daemon.await
}

/// Writes a file that nobody else may read.
fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let written = options.open(path).and_then(|mut file| file.write_all(text.as_bytes()));
    written.with_context(|| format!("{} cannot be written", path.display()))
}

/// The wished port, or any that is free.
fn free_port(wished: u16) -> anyhow::Result<u16> {
    let bind = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).and_then(|l| l.local_addr());
    Ok(bind(wished).or_else(|_| bind(0)).context("no free port on this machine")?.port())
}

async fn until_ready(listen: SocketAddr) -> anyhow::Result<()> {
    let client = reqwest::Client::builder().timeout(Duration::from_secs(2)).build()?;
    let url = format!("http://{listen}/readyz");
    let ready = async {
        while !client.get(&url).send().await.is_ok_and(|answer| answer.status().is_success()) {
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    };
    tokio::time::timeout(READY_WITHIN, ready).await.context("the daemon never became ready")
}

/// Everything a program or a person needs to know.
fn addresses(demo: &Demo<'_>) -> Value {
    let of = |what: fn(&Crm) -> &String| -> Map<String, Value> {
        demo.crms.iter().map(|crm| (crm.vendor.to_owned(), json!(what(crm)))).collect()
    };
    let (pages, apis) = (of(|crm| &crm.console_url), of(|crm| &crm.api_url));
    json!({
        "shop": format!("http://{}/shop/", demo.listen),
        "crm": pages.get("salesforce"),
        "crms": pages,
        "panel": format!("http://{}/panel/{TENANT}/", demo.listen),
        "admin": format!("http://{}", demo.admin),
        "sandbox": apis.get("salesforce"),
        "sandboxes": apis,
        "bus_url": demo.bus_url,
        "tenant": TENANT,
        "agents": PEOPLE.iter().map(|person| person.id).collect::<Vec<_>>(),
        "password": PASSWORD,
        "settings": demo.home.join("tieline.toml"),
        "pid": std::process::id(),
    })
}

/// What a person can do now.
fn invite(ready: &Value, crms: &[Crm]) {
    let text = |name: &str| ready[name].as_str().unwrap_or_default().to_owned();
    let agents: Vec<_> = PEOPLE
        .iter()
        .map(|p| format!("{}{}", p.id, if p.supervisor { " (supervisor)" } else { "" }))
        .collect();
    println!("\nTieline is ready.\n");
    println!("  shop page with the widget        {}", text("shop"));
    for crm in crms {
        println!("  {:<13}with the panel inside {}", crm.name, crm.console_url);
    }
    println!("  the panel alone                  {}", text("panel"));
    println!("  agents                           {}; password {PASSWORD}\n", agents.join(", "));
    println!("1. Open one CRM page, or all of them, sign in as anna in the panel, become Available.");
    println!("2. Open the shop page in another window and start a chat as Grace Okafor,");
    println!("   grace.okafor@okafor-sons.example. Her record opens while the offer still rings.");
    println!("3. Accept, talk, end, classify, complete: each CRM has one case with the transcript.");
    if let Some(url) = ready["bus_url"].as_str() {
        println!(
            "4. Let Jürgen Weißenfels call: python3 docs/publish_call.py {url} {TENANT} '+49 30 23125777' anna"
        );
    }
    println!("\nOther verbs work on it: tieline doctor --settings {}", path(&ready["settings"]));
    println!("Ctrl-C stops everything.");
}

fn path(value: &Value) -> String {
    Path::new(value.as_str().unwrap_or_default()).display().to_string()
}
