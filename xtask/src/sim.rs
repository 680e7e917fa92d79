//! `cargo xtask sim`: the simulator for as many seeds as one likes. It is the test of `tests/sim.rs`; this only says
//! which seeds, and lets it speak.

use crate::workspace::{cargo, run as run_command};
use anyhow::{Result, bail};

/// Options of `cargo xtask sim`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many seeds.
    #[arg(long, default_value_t = 2_000)]
    seeds: u64,
    /// The first one.
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// Only this one, as a failing run names it.
    #[arg(long, conflicts_with_all = ["seeds", "from"])]
    seed: Option<u64>,
}

/// Runs them, and prints seeds a second, processes that died, commands and events; of a failing seed what went wrong
/// and how to run it again.
///
/// # Errors
/// A seed went wrong, or the test cannot be built.
pub(crate) fn run(args: &Args) -> Result<()> {
    if args.seeds == 0 {
        bail!("--seeds must be at least 1");
    }
    let mut command = cargo();
    command.args(["test", "-p", "tieline", "--test", "sim", "the_promises", "--", "--nocapture"]);
    match args.seed {
        Some(seed) => command.env("TIELINE_SIM_SEED", seed.to_string()),
        None => command
            .env("TIELINE_SIM_SEEDS", args.seeds.to_string())
            .env("TIELINE_SIM_FROM", args.from.to_string()),
    };
    run_command(&mut command)
}
