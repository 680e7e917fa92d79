//! The project's own commands (`cargo xtask …`). One file per command; this one only chooses.

mod schema;

use anyhow::Result;
use clap::{Parser, Subcommand};

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
    /// Writes the generated files under `schemas/`; with `--check`, only says which are stale.
    Schema(schema::Args),
}

fn main() -> Result<()> {
    match Cli::parse().task {
        Task::Schema(args) => schema::run(&args),
    }
}
