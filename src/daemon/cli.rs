//! The verbs of the command line.

use super::telemetry::{self, Format};
use crate::settings::{self, Settings};
use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use std::io::{BufRead, IsTerminal};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// How long the last traces may take when the daemon ends.
const TRACES_WITHIN: Duration = Duration::from_secs(2);
/// How long a running daemon may take to answer a verb.
const ASK_WITHIN: Duration = Duration::from_secs(10);
/// How long work that cannot be interrupted may keep the process.
const GIVE_UP_WITHIN: Duration = Duration::from_millis(500);

/// The daemon between a contact centre and its CRMs.
#[derive(Debug, Parser)]
#[command(version, about, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Runs the daemon until it is told to stop (SIGTERM, Ctrl-C).
    Run {
        #[command(flatten)]
        file: File,
        /// How log lines are written to standard error.
        #[arg(long, value_enum, default_value = "text")]
        log: Format,
        /// What this process does, where several share the work: gateway, core, connectors; several by commas. Goes over
        /// `daemon.roles` in the settings.
        #[arg(long = "role", env = "TIELINE_ROLES", value_delimiter = ',')]
        roles: Vec<settings::Role>,
    },
    /// Runs the daemon with stand-ins of the CRMs and invented people, all on this machine, and says what to open.
    Demo(super::demo::Args),
    /// Checks settings without network, and says everything that is wrong at once.
    Check {
        #[command(flatten)]
        file: File,
    },
    /// Asks the running daemon whether it is ready; the exit status says it to programs.
    Health {
        #[command(flatten)]
        file: File,
    },
    /// Looks at this machine, asks the broker and each CRM, and says in words what is not as it should be.
    Doctor {
        #[command(flatten)]
        file: File,
    },
    /// Logs a CRM would not take: shows them with their reasons, or sends one again.
    DeadLetters {
        #[command(flatten)]
        file: File,
        #[command(subcommand)]
        verb: DeadLetters,
    },
    /// Tells the running daemon to read its settings anew, and says what changes now and what at the next start.
    Reload {
        #[command(flatten)]
        file: File,
        /// Where the daemon's admin listener is, if the settings were changed in this too.
        #[arg(long)]
        admin: Option<SocketAddr>,
    },
    /// Says why a chat is where it is, who was considered for it, and what happened to it; asks the running daemon.
    Explain {
        #[command(flatten)]
        file: File,
        #[command(subcommand)]
        what: Explain,
    },
    /// Writes a backup of the journal, reads it back and replays it; the daemon may run meanwhile.
    Backup {
        #[command(flatten)]
        file: File,
        /// A folder that is not there yet.
        #[arg(long)]
        to: PathBuf,
        /// Puts the keys in too; whoever has the folder can then read everything.
        #[arg(long)]
        with_keys: bool,
    },
    /// Puts a backup back where the settings say the journal is, and where there must be none.
    Restore {
        #[command(flatten)]
        file: File,
        /// A folder that `backup` made.
        #[arg(long)]
        from: PathBuf,
    },
    /// Replays the journal from its beginning and compares the result with the state at work; asks the running daemon,
    /// or looks at the file where none runs.
    Verify {
        #[command(flatten)]
        file: File,
        /// Only this contact centre.
        #[arg(long)]
        tenant: Option<tieline_model::TenantId>,
    },
    /// Reads a password from standard input and prints what `password_hash` wants.
    HashPassword,
    /// Prints the JSON Schema of the settings.
    Schema,
}

#[derive(Debug, Subcommand)]
enum DeadLetters {
    /// All of them, newest first, one JSON object a line.
    List,
    /// Sends one again, after what stood in its way has been repaired.
    Retry {
        /// The contact centre.
        tenant: String,
        /// The CRM connection.
        connection: String,
        /// The interaction.
        interaction: String,
    },
}

#[derive(Debug, Subcommand)]
enum Explain {
    /// A chat, open or closed, or a call.
    Chat(super::explain::Asked),
}

#[derive(Debug, Args)]
struct File {
    /// The settings file (TOML). Any key can also come from the environment, as in TIELINE__BUS__URL.
    #[arg(long, short, global = true, env = "TIELINE_SETTINGS")]
    settings: Option<PathBuf>,
}

impl File {
    fn load(&self) -> anyhow::Result<Settings> {
        Ok(self.read()?)
    }

    fn read(&self) -> Result<Settings, settings::Error> {
        settings::load(self.settings.as_deref(), settings::from_env())
    }

    /// For a process with these roles; without any, those of the settings.
    fn read_as(&self, roles: &[settings::Role]) -> Result<Settings, settings::Error> {
        if roles.is_empty() {
            return self.read();
        }
        settings::load_as(roles, self.settings.as_deref(), settings::from_env())
    }
}

impl Cli {
    /// Does what was asked, and says on standard error what went wrong.
    #[must_use]
    pub fn run(self) -> ExitCode {
        match self.carry_out() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("tieline: {error:#}");
                super::exit::of(&error)
            }
        }
    }

    fn carry_out(self) -> anyhow::Result<()> {
        match self.verb {
            Verb::Run { file, log, roles } => {
                let read = move || file.read_as(&roles);
                run(read()?, read, log)
            }
            Verb::Health { file } => runtime()?.block_on(super::health::health(&file.load()?)),
            Verb::Demo(args) => {
                super::install_crypto();
                let runtime = runtime()?;
                let _inside = runtime.enter();
                let _traces = telemetry::start(Format::Text, &settings::Telemetry::default())?;
                runtime.block_on(super::demo::run(args))
            }
            Verb::Check { file } => check(&file.load()?),
            Verb::Doctor { file } => runtime()?.block_on(super::doctor::doctor(&file.load()?)),
            Verb::DeadLetters { file, verb } => runtime()?.block_on(dead_letters(&file.load()?, verb)),
            Verb::Reload { file, admin } => runtime()?.block_on(reload(&file.load()?, admin)),
            Verb::Explain { file, what: Explain::Chat(asked) } => {
                runtime()?.block_on(super::explain::explain(&file.load()?, asked))
            }
            Verb::Backup { file, to, with_keys } => {
                runtime()?.block_on(super::backup::backup(&file.load()?, &to, with_keys))
            }
            Verb::Restore { file, from } => runtime()?.block_on(super::backup::restore(&file.load()?, &from)),
            Verb::Verify { file, tenant } => {
                runtime()?.block_on(super::verify::verify(&file.load()?, tenant))
            }
            Verb::HashPassword => hash_password(),
            Verb::Schema => {
                println!("{:#}", settings::schema());
                Ok(())
            }
        }
    }
}

fn run(
    settings: Settings,
    reread: impl Fn() -> Result<Settings, settings::Error> + Send + Sync + 'static,
    log: Format,
) -> anyhow::Result<()> {
    super::install_crypto();
    let runtime = runtime()?;
    let traces = {
        let _inside = runtime.enter();
        telemetry::start(log, &settings.telemetry)?
    };
    let ended = runtime.block_on(super::run(settings, reread));
    if super::exit::in_a_hurry(&ended) {
        runtime.shutdown_background();
    } else {
        runtime.block_on(async {
            let sent = tokio::task::spawn_blocking(|| traces.finish());
            // Traces that a collector does not take by then are not worth waiting for.
            drop(tokio::time::timeout(TRACES_WITHIN, sent).await);
        });
        // Whatever was left behind must not keep the process.
        runtime.shutdown_timeout(GIVE_UP_WITHIN);
    }
    ended
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().context("the runtime did not start")
}

fn check(settings: &Settings) -> anyhow::Result<()> {
    super::install_crypto();
    let clock: std::sync::Arc<dyn tieline_model::Clock> =
        std::sync::Arc::new(super::clock::SystemClock::start());
    super::connectors::check(settings, &clock).context(super::exit::WrongSettings)?;
    super::others(settings, true)?;
    let tenants = settings.tenants.len();
    let connections: usize = settings.tenants.values().map(|t| t.connections.len()).sum();
    println!(
        "The settings are sound: {tenants} contact centre(s), {connections} CRM connection(s). Nothing was asked over the network; `tieline doctor` does that."
    );
    Ok(())
}

fn hash_password() -> anyhow::Result<()> {
    if std::io::stdin().is_terminal() {
        eprintln!("Type the password and press Enter; it is shown as you type.");
    }
    let mut password = String::new();
    std::io::stdin().lock().read_line(&mut password).context("the password could not be read")?;
    let password = settings::Secret::new(password.trim_end_matches(['\r', '\n']));
    let hash = crate::auth::hash_password(&password).map_err(anyhow::Error::msg)?;
    println!("{hash}");
    Ok(())
}

async fn dead_letters(settings: &Settings, verb: DeadLetters) -> anyhow::Result<()> {
    let (name, arguments) = match verb {
        DeadLetters::List => ("dead-letters-list", serde_json::json!({})),
        DeadLetters::Retry { tenant, connection, interaction } => {
            let which =
                serde_json::json!({ "tenant": tenant, "connection": connection, "interaction": interaction });
            ("dead-letters-retry", which)
        }
    };
    let body = ask(settings.http.admin_listen, name, &arguments).await?;
    match body.as_array() {
        Some(letters) => letters.iter().for_each(|letter| println!("{letter}")),
        None => println!("{body}"),
    }
    Ok(())
}

/// The file is looked at here first, so that what is wrong with it is said even where no daemon runs.
async fn reload(settings: &Settings, admin: Option<SocketAddr>) -> anyhow::Result<()> {
    super::install_crypto();
    let address = admin.unwrap_or(settings.http.admin_listen);
    let report = ask(address, "reload", &serde_json::json!({})).await?;
    let keys = |part: &str| -> Vec<String> {
        let keys = report[part].as_array().into_iter().flatten();
        keys.filter_map(|key| key.as_str()).map(str::to_owned).collect()
    };
    let (changed, later) = (keys("changed"), keys("at_next_start"));
    if changed.is_empty() {
        println!("Nothing that a running daemon can change is different.");
    }
    changed.iter().for_each(|key| println!("changed: {key}"));
    later.iter().for_each(|key| println!("takes effect at the next start: {key}"));
    Ok(())
}

/// Asks the running daemon over its admin listener.
pub(super) async fn ask(
    address: SocketAddr,
    verb: &str,
    arguments: &serde_json::Value,
) -> anyhow::Result<serde_json::Value> {
    ask_within(address, verb, arguments, ASK_WITHIN).await
}

/// The same for what may take longer.
pub(super) async fn ask_within(
    address: SocketAddr,
    verb: &str,
    arguments: &serde_json::Value,
    within: Duration,
) -> anyhow::Result<serde_json::Value> {
    let client = reqwest::Client::builder().timeout(within).build()?;
    let answer = client.post(format!("http://{address}/admin/{verb}")).json(arguments).send().await;
    let answer = answer
        .with_context(|| format!("no daemon answers on `http.admin_listen` ({address}); is it running?"))?;
    let good = answer.status().is_success();
    let body: serde_json::Value = answer.json().await.context("the daemon's answer cannot be read")?;
    if !good {
        anyhow::bail!("{}", body["message"].as_str().unwrap_or("the daemon refused"));
    }
    Ok(body)
}
