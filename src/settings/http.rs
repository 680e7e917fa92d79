//! Section `http`.

use super::{Problems, Span};
use schemars::JsonSchema;
use serde::Deserialize;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// The listeners and what they put up with.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Http {
    /// Where panels, widgets and producers come in. TLS ends at the proxy before it. Default "127.0.0.1:8080".
    pub listen: SocketAddr,
    /// Health, metrics and the CLI; keep it on loopback. Default "127.0.0.1:8081".
    pub admin_listen: SocketAddr,
    /// Scheme, host and port under which browsers reach `listen` (`https://chat.example.com`). Sockets and new
    /// chats are taken only from pages of this origin. Default: `http://` with the address of `listen`.
    pub public_url: Option<String>,
    /// Addresses of proxies before us whose `X-Forwarded-For` is believed. Default none.
    pub trusted_proxies: Vec<IpAddr>,
    /// Serves the page of a make-believe shop under `/shop/`. Default false.
    pub demo_pages: bool,
    /// Connections at once, sockets included; one more waits. Default 10000.
    pub connections_max: u32,
    /// Live sockets at once from one address (one /64 for IPv6). Default 200.
    pub sockets_per_address: u32,
    /// Request headers must be here within this. Default "10s".
    pub header_within: Span,
    /// A whole request, body included, must be here and answered within this. Default "30s".
    pub request_within: Span,
    /// A file in a chat must have come, and been scanned, or gone, within this (B18). Default "2m".
    pub file_within: Span,
    /// Longest header block, in bytes. Default 8192.
    pub header_bytes_max: u32,
    /// Longest body of a new chat or a sign-in, in bytes. Default 16384.
    pub body_bytes_max: u32,
    /// Longest body of a producer's event, in bytes. Default 262144.
    pub event_bytes_max: u32,
    /// Longest frame from a panel, in bytes. Default 32768.
    pub agent_frame_bytes_max: u32,
    /// Longest frame from a widget, in bytes. Default 8192.
    pub customer_frame_bytes_max: u32,
    /// A socket must say who it is within this. Default "10s".
    pub hello_within: Span,
    /// How often a socket is pinged. Default "25s".
    pub ping_every: Span,
    /// A ping unanswered this long means that the other side is gone (A8). Default "15s".
    pub pong_within: Span,
    /// New chats a minute from one address. Default 10.
    pub chats_per_minute: u32,
    /// Pages of shared transcripts a minute to one address (B14). Default 60.
    pub shares_per_minute: u32,
    /// Frames a minute from one widget, typing left out. Default 60.
    pub customer_frames_per_minute: u32,
    /// Frames a minute from one panel, typing left out. Default 600.
    pub agent_frames_per_minute: u32,
    /// Events a second from one producer. Default 500.
    pub events_per_second: u32,
    /// How long open connections may go on when the daemon stops. Default "10s".
    pub close_within: Span,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080),
            admin_listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8081),
            public_url: None,
            trusted_proxies: Vec::new(),
            demo_pages: false,
            connections_max: 10_000,
            sockets_per_address: 200,
            header_within: Span::secs(10),
            request_within: Span::secs(30),
            file_within: Span::mins(2),
            header_bytes_max: 8_192,
            body_bytes_max: 16_384,
            event_bytes_max: 262_144,
            agent_frame_bytes_max: 32_768,
            customer_frame_bytes_max: 8_192,
            hello_within: Span::secs(10),
            ping_every: Span::secs(25),
            pong_within: Span::secs(15),
            chats_per_minute: 10,
            shares_per_minute: 60,
            customer_frames_per_minute: 60,
            agent_frames_per_minute: 600,
            events_per_second: 500,
            close_within: Span::secs(10),
        }
    }
}

impl Http {
    pub(super) fn validate(&self, problems: &mut Problems) {
        if self.listen == self.admin_listen && self.listen.port() != 0 {
            problems.add(
                "http.admin_listen",
                format!("is \"{}\", as `http.listen` is", self.admin_listen),
                "give the admin listener a port of its own",
            );
        }
        if let Some(url) = &self.public_url
            && let Err(way_out) = check_origin(url, false)
        {
            problems.add("http.public_url", format!("is \"{url}\""), way_out);
        }
        problems.count("http.connections_max", self.connections_max.into(), 1..=1_000_000);
        problems.count("http.sockets_per_address", self.sockets_per_address.into(), 1..=1_000_000);
        problems.span("http.header_within", self.header_within, Span::ms(100)..=Span::mins(1));
        problems.span("http.request_within", self.request_within, Span::secs(1)..=Span::mins(5));
        problems.span("http.file_within", self.file_within, Span::secs(1)..=Span::mins(30));
        problems.count("http.header_bytes_max", self.header_bytes_max.into(), 8_192..=65_536);
        problems.count("http.body_bytes_max", self.body_bytes_max.into(), 1_024..=1_048_576);
        problems.count("http.event_bytes_max", self.event_bytes_max.into(), 1_024..=1_048_576);
        problems.count("http.agent_frame_bytes_max", self.agent_frame_bytes_max.into(), 4_096..=1_048_576);
        problems.count(
            "http.customer_frame_bytes_max",
            self.customer_frame_bytes_max.into(),
            4_096..=1_048_576,
        );
        problems.span("http.hello_within", self.hello_within, Span::ms(50)..=Span::mins(1));
        problems.span("http.ping_every", self.ping_every, Span::ms(50)..=Span::mins(5));
        problems.span("http.pong_within", self.pong_within, Span::ms(50)..=Span::mins(5));
        problems.count("http.chats_per_minute", self.chats_per_minute.into(), 1..=1_000_000);
        problems.count("http.shares_per_minute", self.shares_per_minute.into(), 1..=1_000_000);
        problems.count(
            "http.customer_frames_per_minute",
            self.customer_frames_per_minute.into(),
            1..=1_000_000,
        );
        problems.count("http.agent_frames_per_minute", self.agent_frames_per_minute.into(), 1..=1_000_000);
        problems.count("http.events_per_second", self.events_per_second.into(), 1..=1_000_000);
        problems.span("http.close_within", self.close_within, Span::ms(10)..=Span::mins(5));
    }

    /// The origin browsers come from when they are on our own pages, given where the listener really is.
    #[must_use]
    pub fn origin(&self, bound: SocketAddr) -> String {
        match &self.public_url {
            Some(url) => url.trim_end_matches('/').to_ascii_lowercase(),
            None => format!("http://{bound}"),
        }
    }
}

/// Whether a text is an origin as browsers send it: scheme, host, port unless it is the scheme's own; with
/// `wildcard`, also `https://*.host` as CSP knows it. The error is the way out.
pub(super) fn check_origin(text: &str, wildcard: bool) -> Result<(), &'static str> {
    const SHAPE: &str = "write scheme and host in lower case, and a port where it is not the scheme's own, \
                         such as https://www.example.com";
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).ok_or(SHAPE)?;
    let rest = if wildcard { rest.strip_prefix("*.").unwrap_or(rest) } else { rest };
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        Some(_) | None => (rest, None),
    };
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.');
    let v6 = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
    let host_ok = match v6 {
        Some(v6) => v6.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.len() <= 253 && host.bytes().all(plain),
    };
    let port_ok = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|p| p != 0 && p.to_string() == port));
    let own_port = matches!((text.starts_with("https://"), port), (true, Some("443")) | (false, Some("80")));
    if host_ok && port_ok && !own_port { Ok(()) } else { Err(SHAPE) }
}
