//! The command line of Tieline.

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    tieline::daemon::cli::Cli::parse().run()
}
