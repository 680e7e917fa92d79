//! The command line of Tieline.

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = tieline::daemon::cli::Cli::parse();
    match cli.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tieline: {error:#}");
            ExitCode::FAILURE
        }
    }
}
