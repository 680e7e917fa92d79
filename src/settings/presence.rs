//! Tables `lease` and `labels` of a tenant: when an agent counts as lost, and what statuses are called.

use super::{Problems, Span};
use schemars::JsonSchema;
use serde::Deserialize;
use tieline_model::policy::{Labels, Lease};

/// Presence by lease (A8, A17). Both times count from the moment the agent's last panel was lost.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LeaseSettings {
    /// An open offer is withdrawn after this. Longer than a failover and a reconnect take. Default "20s".
    pub grace: Span,
    /// The agent's chats return to their queues after this, and the agent is Offline. Default "90s".
    pub lost_after: Span,
}

/// What this site calls the statuses (A1).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LabelsSettings {
    /// Default "On a call".
    pub on_call: String,
    /// Has an active chat. Default "Handling a chat"; some say "Busy".
    pub handling_chat: String,
    /// Has an active wrap-up. Default "Wrap-up"; some say "Post Processing".
    pub wrap_up: String,
    /// Has an open offer. Default "Offered".
    pub offered: String,
    /// Takes chats. Default "Available".
    pub available: String,
    /// At work, gets nothing. Default "On Break".
    pub on_break: String,
    /// Finishes what is open. Default "Stop New".
    pub stop_new: String,
    /// Not at work. Default "Offline".
    pub offline: String,
}

impl Default for LeaseSettings {
    fn default() -> Self {
        let rules = Lease::default();
        Self { grace: Span::ms(rules.grace.0), lost_after: Span::ms(rules.lost_after.0) }
    }
}

impl LeaseSettings {
    pub(super) fn validate(&self, at: &str, problems: &mut Problems) {
        let limits = Span::ms(50)..=Span::hours(24);
        problems.span(format!("{at}.lease.grace"), self.grace, limits.clone());
        let low = if limits.contains(&self.grace) { self.grace } else { *limits.start() };
        problems.span(format!("{at}.lease.lost_after"), self.lost_after, low..=*limits.end());
    }

    pub(super) fn policy(&self) -> Lease {
        Lease { grace: self.grace.millis(), lost_after: self.lost_after.millis() }
    }
}

impl Default for LabelsSettings {
    fn default() -> Self {
        let Labels { on_call, handling_chat, wrap_up, offered, available, on_break, stop_new, offline } =
            Labels::default();
        Self { on_call, handling_chat, wrap_up, offered, available, on_break, stop_new, offline }
    }
}

impl LabelsSettings {
    pub(super) fn validate(&self, at: &str, problems: &mut Problems) {
        for (key, label) in [
            ("on_call", &self.on_call),
            ("handling_chat", &self.handling_chat),
            ("wrap_up", &self.wrap_up),
            ("offered", &self.offered),
            ("available", &self.available),
            ("on_break", &self.on_break),
            ("stop_new", &self.stop_new),
            ("offline", &self.offline),
        ] {
            problems.text(format!("{at}.labels.{key}"), label, 40);
        }
    }

    pub(super) fn policy(&self) -> Labels {
        let Self { on_call, handling_chat, wrap_up, offered, available, on_break, stop_new, offline } =
            self.clone();
        Labels { on_call, handling_chat, wrap_up, offered, available, on_break, stop_new, offline }
    }
}
