//! The sandbox as a program of its own: `tieline-sandbox salesforce`, `tieline-sandbox dynamics`,
//! `tieline-sandbox zendesk`.

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use tieline_sandbox::dynamics;
use tieline_sandbox::keys::AppKey;
use tieline_sandbox::salesforce::{self, CONSUMER_KEY, CONSUMER_SECRET, INTEGRATION_USER};
use tieline_sandbox::zendesk;

/// Stand-ins of the CRMs for tests and the demo.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    vendor: Vendor,
}

#[derive(Subcommand)]
enum Vendor {
    /// Starts a Salesforce org with invented data.
    Salesforce(Salesforce),
    /// Starts a Zendesk account with invented data.
    Zendesk(Zendesk),
    /// Starts a Dynamics 365 environment with invented data.
    Dynamics(Dynamics),
}

#[derive(clap::Args)]
struct Salesforce {
    #[command(flatten)]
    common: Common,
    /// Port of the API and the console; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    instance_port: u16,
}

#[derive(clap::Args)]
struct Dynamics {
    #[command(flatten)]
    common: Common,
    /// Port of the Web API and the console; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    org_port: u16,
    /// Tables, columns and alternate keys beyond the standard ones, in the notation of `tables.txt`.
    #[arg(long)]
    tables_file: Option<PathBuf>,
}

/// What every stand-in with a token endpoint takes.
#[derive(clap::Args)]
struct Common {
    /// Address to listen on.
    #[arg(long, default_value = "127.0.0.1")]
    ip: IpAddr,
    /// Port of the token endpoint; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    login_port: u16,
    /// Serve https with a CA made at the run.
    #[arg(long)]
    tls: bool,
    /// Where the app's private key (PEM) is written, for its owner only.
    #[arg(long)]
    key_file: Option<PathBuf>,
    /// Where the app's certificate (PEM) is written. When it and the key are there already, they are used again.
    #[arg(long, requires = "key_file")]
    certificate_file: Option<PathBuf>,
    /// Where the CA's certificate is written with --tls.
    #[arg(long)]
    ca_file: Option<PathBuf>,
    /// The panel that the console embeds.
    #[arg(long)]
    panel_url: Option<String>,
    /// Seed of the invented data.
    #[arg(long)]
    seed: Option<u64>,
    /// Contacts invented beside the known ones.
    #[arg(long)]
    contacts: Option<usize>,
}

#[derive(clap::Args)]
struct Zendesk {
    /// Address to listen on.
    #[arg(long, default_value = "127.0.0.1")]
    ip: IpAddr,
    /// Port of the API and the agents' page; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Serve https with a CA made at the run.
    #[arg(long)]
    tls: bool,
    /// Where the CA's certificate is written with --tls.
    #[arg(long)]
    ca_file: Option<PathBuf>,
    /// The panel that the agents' page embeds.
    #[arg(long)]
    panel_url: Option<String>,
    /// Seed of the invented data.
    #[arg(long)]
    seed: Option<u64>,
    /// Customers invented beside the known ones.
    #[arg(long)]
    contacts: Option<usize>,
    /// The account has no Talk Partner Edition.
    #[arg(long)]
    no_talk_partner: bool,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match Cli::parse().vendor {
        Vendor::Salesforce(args) => salesforce(args).await,
        Vendor::Zendesk(args) => zendesk(args).await,
        Vendor::Dynamics(args) => dynamics(args).await,
    }
}

/// The app's certificate: the one on disk, or a new pair that is then on disk.
fn app_key(args: &Common) -> anyhow::Result<AppKey> {
    let (Some(key_file), Some(certificate_file)) = (&args.key_file, &args.certificate_file) else {
        let key = AppKey::generate()?;
        if let Some(path) = &args.key_file {
            write_secret(path, &key.private_pem)?;
        }
        return Ok(key);
    };
    if key_file.exists() && certificate_file.exists() {
        let certificate_pem = std::fs::read_to_string(certificate_file)?;
        return Ok(AppKey { private_pem: String::new(), public_pem: String::new(), certificate_pem });
    }
    let key = AppKey::generate()?;
    write_secret(key_file, &key.private_pem)?;
    std::fs::write(certificate_file, &key.certificate_pem)
        .with_context(|| format!("writing {}", certificate_file.display()))?;
    Ok(key)
}

/// Writes a file that only its owner may read.
fn write_secret(path: &Path, text: &str) -> anyhow::Result<()> {
    use std::io::Write as _;
    let mut how = std::fs::OpenOptions::new();
    how.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut how, 0o600);
    let mut file = how.open(path).with_context(|| format!("writing {}", path.display()))?;
    file.write_all(text.as_bytes()).with_context(|| format!("writing {}", path.display()))
}

/// Writes the CA where `--ca-file` says, and the ready line: one line that another process can wait for and read.
fn ready(args: &Common, ca_pem: Option<&String>, line: &serde_json::Value) -> anyhow::Result<()> {
    if let (Some(path), Some(pem)) = (&args.ca_file, ca_pem) {
        std::fs::write(path, pem).with_context(|| format!("writing {}", path.display()))?;
    }
    println!("{line}");
    Ok(())
}

async fn salesforce(Salesforce { common, instance_port }: Salesforce) -> anyhow::Result<()> {
    let key = app_key(&common)?;
    let mut options = salesforce::Options::demo(&key);
    options.ip = common.ip;
    options.login_port = common.login_port;
    options.instance_port = instance_port;
    options.tls = common.tls;
    options.panel_url.clone_from(&common.panel_url);
    options.seed = common.seed.unwrap_or(options.seed);
    options.contacts = common.contacts.unwrap_or(options.contacts);
    let running = salesforce::Sandbox::start(options).await?;
    let line = serde_json::json!({
        "login_url": running.login_url, "instance_url": running.instance_url, "console_url": running.console_url,
        "consumer_key": CONSUMER_KEY, "consumer_secret": CONSUMER_SECRET, "username": INTEGRATION_USER,
    });
    ready(&common, running.ca_pem.as_ref(), &line)?;
    tokio::signal::ctrl_c().await?;
    Ok(())
}

async fn dynamics(Dynamics { common, org_port, tables_file }: Dynamics) -> anyhow::Result<()> {
    let key = app_key(&common)?;
    let mut options = dynamics::Options::demo(&key);
    options.ip = common.ip;
    options.login_port = common.login_port;
    options.org_port = org_port;
    if let Some(path) = tables_file {
        options.extra_schema =
            std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    }
    options.tls = common.tls;
    options.panel_url.clone_from(&common.panel_url);
    options.seed = common.seed.unwrap_or(options.seed);
    options.contacts = common.contacts.unwrap_or(options.contacts);
    let running = dynamics::Sandbox::start(options).await?;
    let line = serde_json::json!({
        "authority_url": running.authority_url, "org_url": running.org_url, "console_url": running.console_url,
        "tenant": dynamics::TENANT, "client_id": dynamics::CLIENT_ID, "client_secret": dynamics::CLIENT_SECRET,
    });
    ready(&common, running.ca_pem.as_ref(), &line)?;
    tokio::signal::ctrl_c().await?;
    Ok(())
}

async fn zendesk(args: Zendesk) -> anyhow::Result<()> {
    let mut options = zendesk::Options::demo();
    options.ip = args.ip;
    options.port = args.port;
    options.tls = args.tls;
    options.panel_url.clone_from(&args.panel_url);
    options.seed = args.seed.unwrap_or(options.seed);
    options.contacts = args.contacts.unwrap_or(options.contacts);
    options.talk_partner = !args.no_talk_partner;
    let running = zendesk::Sandbox::start(options).await?;
    if let (Some(path), Some(pem)) = (&args.ca_file, &running.ca_pem) {
        std::fs::write(path, pem).with_context(|| format!("writing {}", path.display()))?;
    }
    let ready = serde_json::json!({
        "base_url": running.base_url, "console_url": running.console_url,
        "client_id": zendesk::CLIENT_ID, "client_secret": zendesk::CLIENT_SECRET,
    });
    println!("{ready}");
    tokio::signal::ctrl_c().await?;
    Ok(())
}
