//! Section `bus`.

use super::{Problems, Secret, Span};
use schemars::JsonSchema;
use serde::Deserialize;
use std::path::PathBuf;

/// Which bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BusKind {
    /// Inside the process; nothing beside it is needed.
    #[default]
    Embedded,
    /// A RabbitMQ broker.
    Rabbitmq,
}

/// How events leave and enter the process. All but `kind` matters only for RabbitMQ.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Bus {
    /// `embedded` or `rabbitmq`. Default `embedded`.
    pub kind: BusKind,
    /// Address of the broker with user, password and virtual host (`amqps://user:password@host:5671/vhost`).
    /// Default: the broker of this machine, as a fresh install has it.
    #[schemars(with = "String")]
    pub url: Secret,
    /// File that holds `url`, in its place. At most one of the two is set.
    pub url_file: Option<PathBuf>,
    /// How often the connection shows that it lives; it is given up after twice that. Default "10s".
    pub heartbeat: Span,
    /// A connection attempt that takes longer is given up. Default "10s".
    pub connect_within: Span,
    /// A publish that is not confirmed after this drops the session. Default "10s".
    pub confirm_within: Span,
    /// A broker that blocks publishers longer than this drops the session. Default "30s".
    pub blocked_for: Span,
    /// Shortest pause before a reconnect; it doubles with every failure, with jitter. Default "200ms".
    pub reconnect_min: Span,
    /// Longest pause before a reconnect. Default "10s".
    pub reconnect_max: Span,
    /// How many messages a broker queue hands out before the first is acknowledged. Default 100.
    pub prefetch: u16,
    /// How many publishes may wait for their confirm. Default 1000.
    pub window: u32,
}

impl Default for Bus {
    fn default() -> Self {
        Self {
            kind: BusKind::Embedded,
            url: Secret::new(DEFAULT_URL),
            url_file: None,
            heartbeat: Span::secs(10),
            connect_within: Span::secs(10),
            confirm_within: Span::secs(10),
            blocked_for: Span::secs(30),
            reconnect_min: Span::ms(200),
            reconnect_max: Span::secs(10),
            prefetch: 100,
            window: 1_000,
        }
    }
}

pub(super) const DEFAULT_URL: &str = "amqp://guest:guest@127.0.0.1:5672/%2f";

impl Bus {
    pub(super) fn validate(&self, problems: &mut Problems) {
        let url = self.url.reveal();
        if !url.starts_with("amqp://") && !url.starts_with("amqps://") {
            problems.add(
                "bus.url",
                "does not begin with amqp:// or amqps://",
                "write amqps://user:password@host:5671/vhost, or name a file in `bus.url_file`",
            );
        }
        problems.span("bus.heartbeat", self.heartbeat, Span::secs(1)..=Span::mins(5));
        problems.span("bus.connect_within", self.connect_within, Span::ms(100)..=Span::mins(5));
        problems.span("bus.confirm_within", self.confirm_within, Span::ms(100)..=Span::mins(5));
        problems.span("bus.blocked_for", self.blocked_for, Span::ms(100)..=Span::mins(10));
        problems.span("bus.reconnect_min", self.reconnect_min, Span::ms(10)..=Span::mins(1));
        problems.span("bus.reconnect_max", self.reconnect_max, self.reconnect_min..=Span::mins(10));
        problems.count("bus.prefetch", self.prefetch.into(), 1..=10_000);
        problems.count("bus.window", self.window.into(), 1..=100_000);
    }
}
