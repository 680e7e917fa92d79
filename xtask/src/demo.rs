//! `cargo xtask demo`: builds what is needed and starts `tieline demo`, with a private RabbitMQ where one is wanted.

#[path = "../../tests/support/broker.rs"]
mod private_broker;

use crate::processes::Running;
use crate::signals::Stop;
use crate::workspace::{cargo, command, run as run_command, target};
use crate::{pages, prerequisites};
use anyhow::{Context, Result};
use std::path::PathBuf;
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

/// Starts everything, waits until somebody wants it to end, ends it.
///
/// # Errors
/// Something is missing, does not build, or does not start.
pub(crate) fn run(args: &Args) -> Result<()> {
    let stop = Stop::listen()?;
    let program = build()?;
    stop.check()?;
    let broker = if args.rabbitmq { Some(Broker::find_or_start()?) } else { None };
    stop.check()?;
    let mut start = command(&program);
    // What stands in the environment is for --rabbitmq only.
    start.arg("demo").env_remove("TIELINE_BUS_URL");
    if let Some(broker) = &broker {
        start.env("TIELINE_BUS_URL", &broker.url);
    }
    for (wanted, flag) in [(args.json, "--json"), (args.exit_after_ready, "--exit-after-ready")] {
        if wanted {
            start.arg(flag);
        }
    }
    let mut demo = Running::start("the demo", &mut start)?;
    if args.exit_after_ready {
        demo.finish()?;
    } else {
        while !stop.asked_within(Duration::from_millis(250)) {
            demo.check()?;
        }
        println!("stopping the daemon and what it talks to");
        demo.stop();
    }
    drop(broker);
    Ok(())
}

/// Builds the pages when their sources are newer, then the program; cargo knows by itself what has changed.
fn build() -> Result<PathBuf> {
    pages::build_if_stale()?;
    println!("building the daemon and the stand-ins (the first time takes minutes)");
    run_command(cargo().args(["build", "--quiet", "--package", "tieline", "--bins"]))?;
    Ok(target()?.join("debug/tieline"))
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
