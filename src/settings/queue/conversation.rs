//! What a queue says about the conversation itself: silence, targets, files, wording.

use super::super::{Problems, Span};
use schemars::JsonSchema;
use serde::Deserialize;
use tieline_model::policy::{Attachments, Inactivity, InactivityMode, QueuePolicy, Targets, Wording};

/// Silence of a customer who owes the reply (B8).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct InactivitySettings {
    /// `off`, `suggest` (the agent is advised) or `auto` (it happens by itself). Default `off`.
    pub mode: InactivityMode,
    /// Silence until the nudge. Default "3m".
    pub nudge_after: Span,
    /// Further silence until the end. Default "2m".
    pub end_after: Span,
}

/// What service is aimed at (B17); measured and shown, never enforced.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TargetsSettings {
    /// Until an agent has the chat, counted while one was free for it. Default "30s".
    pub connect: Span,
    /// Until a message is answered. Default "60s".
    pub reply: Span,
}

/// Files in a chat (B18).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AttachmentsSettings {
    /// Customers may send files. Default true.
    pub from_customer: bool,
    /// Agents may send files. Default true.
    pub from_agent: bool,
    /// Largest file, in bytes. Default 5242880 (5 MiB).
    pub bytes_max: u32,
    /// Media types that are taken, as found by looking at the bytes. Default: PNG, JPEG, GIF, WebP, PDF, plain text.
    pub types: Vec<String>,
}

/// What becomes of chats in the CRM.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LogSettings {
    /// Chats that nobody answered are logged too (B20). Default false.
    pub abandoned: bool,
}

/// What Tieline itself says to customers of this queue. Plain text of one line; nothing in it is replaced. The
/// defaults are in English.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WordingSettings {
    /// The customer was asked and is silent (B8).
    pub nudge: String,
    /// The chat ends because the customer stayed silent (B8).
    pub closing: String,
    /// A case is being opened or somebody is being asked (B16).
    pub few_minutes: String,
    /// The chat goes to another queue or agent (B12).
    pub transferred: String,
    /// The agent's connection was lost; the chat is back in the queue (A17).
    pub agent_lost: String,
    /// The chat moved to another queue because its own cannot serve it now (A12).
    pub overflowed: String,
    /// Nobody can take the chat now; leave a message (A12).
    pub offline: String,
}

impl Default for InactivitySettings {
    fn default() -> Self {
        let rules = QueuePolicy::default().inactivity;
        Self {
            mode: rules.mode,
            nudge_after: Span::ms(rules.nudge_after.0),
            end_after: Span::ms(rules.end_after.0),
        }
    }
}

impl Default for TargetsSettings {
    fn default() -> Self {
        let rules = QueuePolicy::default().targets;
        Self { connect: Span::ms(rules.connect.0), reply: Span::ms(rules.reply.0) }
    }
}

impl Default for AttachmentsSettings {
    fn default() -> Self {
        let Attachments { from_customer, from_agent, bytes_max, types } = QueuePolicy::default().attachments;
        Self { from_customer, from_agent, bytes_max, types }
    }
}

impl Default for WordingSettings {
    fn default() -> Self {
        let Wording { nudge, closing, few_minutes, transferred, agent_lost, overflowed, offline } =
            Wording::default();
        Self { nudge, closing, few_minutes, transferred, agent_lost, overflowed, offline }
    }
}

impl InactivitySettings {
    pub(super) fn validate(&self, at: &str, problems: &mut Problems) {
        let limits = Span::secs(1)..=Span::hours(24);
        problems.span(format!("{at}.inactivity.nudge_after"), self.nudge_after, limits.clone());
        problems.span(format!("{at}.inactivity.end_after"), self.end_after, limits);
    }

    pub(super) fn policy(&self) -> Inactivity {
        Inactivity {
            mode: self.mode,
            nudge_after: self.nudge_after.millis(),
            end_after: self.end_after.millis(),
        }
    }
}

impl TargetsSettings {
    pub(super) fn validate(&self, at: &str, problems: &mut Problems) {
        let limits = Span::secs(1)..=Span::hours(24);
        problems.span(format!("{at}.targets.connect"), self.connect, limits.clone());
        problems.span(format!("{at}.targets.reply"), self.reply, limits);
    }

    pub(super) fn policy(&self) -> Targets {
        Targets { connect: self.connect.millis(), reply: self.reply.millis() }
    }
}

impl AttachmentsSettings {
    pub(super) fn validate(&self, at: &str, problems: &mut Problems) {
        let at = format!("{at}.attachments");
        problems.count(format!("{at}.bytes_max"), self.bytes_max.into(), 1..=100 << 20);
        problems.count(format!("{at}.types"), self.types.len() as u64, 0..=100);
        if self.types.is_empty() && (self.from_customer || self.from_agent) {
            problems.add(
                format!("{at}.types"),
                "is empty, so no file would be taken",
                "list media types, or set `from_customer` and `from_agent` to false",
            );
        }
        for (index, kind) in self.types.iter().enumerate() {
            let plain = |part: &str| {
                !part.is_empty()
                    && part
                        .bytes()
                        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-+.".contains(&b))
            };
            if !kind.split_once('/').is_some_and(|(left, right)| plain(left) && plain(right)) {
                problems.add(
                    format!("{at}.types[{index}]"),
                    format!("is \"{kind}\""),
                    "write a media type in lower case, such as image/png",
                );
            }
        }
    }

    pub(super) fn policy(&self) -> Attachments {
        Attachments {
            from_customer: self.from_customer,
            from_agent: self.from_agent,
            bytes_max: self.bytes_max,
            types: self.types.clone(),
        }
    }
}

/// Longest text that Tieline says by itself.
const WORDING_CHARS_MAX: usize = 500;

impl WordingSettings {
    pub(super) fn validate(&self, at: &str, problems: &mut Problems) {
        for (key, text) in [
            ("nudge", &self.nudge),
            ("closing", &self.closing),
            ("few_minutes", &self.few_minutes),
            ("transferred", &self.transferred),
            ("agent_lost", &self.agent_lost),
            ("overflowed", &self.overflowed),
            ("offline", &self.offline),
        ] {
            problems.text(format!("{at}.wording.{key}"), text, WORDING_CHARS_MAX);
        }
    }

    pub(super) fn policy(&self) -> Wording {
        let Self { nudge, closing, few_minutes, transferred, agent_lost, overflowed, offline } = self.clone();
        Wording { nudge, closing, few_minutes, transferred, agent_lost, overflowed, offline }
    }
}
