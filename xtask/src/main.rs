//! The project's own commands (`cargo xtask …`). One file per command; this one only chooses.

mod asyncapi;
mod bench;
mod debian;
mod demo;
mod libraries;
mod package;
mod pages;
mod prerequisites;
mod processes;
mod results;
mod rules;
mod schema;
mod signals;
mod sim;
mod test;
mod workspace;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// The project's own commands.
#[derive(Debug, Parser)]
#[command(name = "xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

/// What to do.
#[derive(Debug, Subcommand)]
enum Task {
    /// Installs what is missing, then runs every test and prints each part's time against its budget.
    Test(test::Args),
    /// Starts the daemon with stand-ins of the CRMs and invented people, and says what to open.
    Demo(demo::Args),
    /// Writes `docs/rules.md`: each rule with the tests that prove it; with `--check`, only says if it is stale.
    Rules(rules::Args),
    /// Runs the simulator for as many seeds as one likes.
    Sim(sim::Args),
    /// Makes the Debian package, from a release build unless a program is named.
    Package(package::Args),
    /// Measures, and draws how the engine's costs grow with the size of a contact centre.
    Bench(bench::Args),
    /// Builds the panel and the widget, which the daemon serves.
    Web,
    /// Writes the generated files under `schemas/`; with `--check`, only says which are stale.
    Schema(schema::Args),
}

fn main() -> ExitCode {
    let done = match Cli::parse().task {
        Task::Test(args) => test::run(&args),
        Task::Demo(args) => demo::run(&args),
        Task::Rules(args) => rules::run(&args),
        Task::Sim(args) => sim::run(&args),
        Task::Package(args) => package::run(&args),
        Task::Bench(args) => bench::run(&args),
        Task::Web => pages::build(),
        Task::Schema(args) => schema::run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // In words only: where in this program an error arose helps nobody who runs it.
            eprintln!("cargo xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
