//! Section `daemon`.

use super::{Problems, Span};
use schemars::JsonSchema;
use serde::Deserialize;

/// The process as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Daemon {
    /// Told to stop (SIGTERM, Ctrl-C), the daemon finishes what is in flight, and is gone within this whatever a CRM or
    /// the broker does (F3). Whoever stops it must wait longer before killing it; systemd is asked to by itself.
    /// Default "25s".
    pub drain_within: Span,
}

impl Default for Daemon {
    fn default() -> Self {
        Self { drain_within: Span::secs(25) }
    }
}

impl Daemon {
    pub(super) fn validate(&self, problems: &mut Problems) {
        problems.span("daemon.drain_within", self.drain_within, Span::secs(1)..=Span::mins(10));
    }
}
