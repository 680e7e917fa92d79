//! Logs: one line an event, JSON where a machine reads them, never content.

use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// Starts logging to standard error. `TIELINE_LOG` sets what is logged (`info`, `tieline=debug`).
pub(super) fn start(format: Format) {
    let filter = EnvFilter::try_from_env("TIELINE_LOG")
        .unwrap_or_else(|_| EnvFilter::new("info,lapin=off,sqlx=warn,hyper=warn,reqwest=warn"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let started = match format {
        Format::Text => builder.try_init(),
        Format::Json => builder.json().try_init(),
    };
    // A second start in one process (tests) keeps the first one's.
    drop(started);
}
