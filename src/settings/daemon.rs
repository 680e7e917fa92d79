//! Section `daemon`.

use super::{Problems, Span};
use schemars::JsonSchema;
use serde::Deserialize;
use std::str::FromStr;

/// The process as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Daemon {
    /// What this process does, where several share the work: `gateway`, `core`, `connectors`. Default: all of it.
    pub roles: Vec<Role>,
    /// Told to stop (SIGTERM, Ctrl-C), the daemon finishes what is in flight, and is gone within this whatever a CRM or
    /// the broker does (F3). Whoever stops it must wait longer before killing it; systemd is asked to by itself.
    /// Default "25s".
    pub drain_within: Span,
}

/// One part of the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Takes browsers' and producers' connections (`http.listen`), and owns nothing.
    Gateway,
    /// Owns engines.
    Core,
    /// Runs the connections to CRMs.
    Connectors,
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "gateway" => Ok(Self::Gateway),
            "core" => Ok(Self::Core),
            "connectors" => Ok(Self::Connectors),
            _ => Err("write gateway, core or connectors".to_owned()),
        }
    }
}

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Roles {
    /// It takes browsers' and producers' connections.
    pub gateway: bool,
    /// It owns engines.
    pub core: bool,
    /// It runs the connections to CRMs.
    pub connectors: bool,
}

impl Roles {
    pub(super) fn of(roles: &[Role]) -> Self {
        Self {
            gateway: roles.contains(&Role::Gateway),
            core: roles.contains(&Role::Core),
            connectors: roles.contains(&Role::Connectors),
        }
    }
}

impl Default for Daemon {
    fn default() -> Self {
        Self { roles: vec![Role::Gateway, Role::Core, Role::Connectors], drain_within: Span::secs(25) }
    }
}

impl Daemon {
    pub(super) fn validate(&self, problems: &mut Problems) {
        if self.roles.is_empty() {
            problems.add("daemon.roles", "is empty", "name at least one of gateway, core and connectors");
        }
        problems.span("daemon.drain_within", self.drain_within, Span::secs(1)..=Span::mins(10));
    }
}
