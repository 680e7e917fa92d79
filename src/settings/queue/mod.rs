//! Section `tenants.<id>.queues.<id>`.

use super::{Problems, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de};
use tieline_model::Millis;
use tieline_model::policy::{After, Classification, Delivery, OfferWhen, QueuePolicy, Strategy, WrapUp};

/// A waiting line. The defaults are those of the rules.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Queue {
    /// Name as shown. Default: the queue's id.
    pub name: Option<String>,
    /// How chats are handed out (A3). Default `offer`.
    pub delivery: Delivery,
    /// Higher goes first (A11). Default 0.
    pub priority: i32,
    /// How long an offer stands (A4). Default "30s".
    pub accept_within: Span,
    /// How long an `auto` chat may lie unopened (A3). Default "60s".
    pub unopened_after: Span,
    /// What a reject does to the presence (A7). Default `on_break`.
    pub after_reject: After,
    /// What a missed offer does to the presence (A7). Default `on_break`.
    pub after_miss: After,
    /// When an agent with chats may be presented a further one (A5). Default `all_parked`.
    pub offer_when: OfferWhen,
    /// Who among the free agents gets the chat (A11). Default `longest_idle`.
    pub strategy: Strategy,
    /// When the wait for a reply changes colour (B7). Default ["45s", "60s"].
    pub reply_alert: Vec<Span>,
    /// Longest message of an agent, in characters as a person counts them (B9). Default 5000.
    pub agent_chars_max: u32,
    /// Longest message of a customer, in characters as a person counts them (B9). Default 500.
    pub customer_chars_max: u32,
    /// Wrap-up (C3, C4).
    pub wrap_up: WrapUpSettings,
    /// Classification (C1, C6).
    pub classification: ClassificationSettings,
}

/// Wrap-up after a chat.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WrapUpSettings {
    /// The countdown, or "none". Default "60s".
    #[serde(deserialize_with = "span_or_none")]
    #[schemars(with = "String")]
    pub time: Option<Span>,
    /// How often it may be extended (C4). Default 3.
    pub extensions: u32,
    /// What one extension adds. Default "30s".
    pub extension: Span,
}

/// How chats of a queue are classified.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ClassificationSettings {
    /// The codes to choose from; empty means free text only. Default none.
    pub codes: Vec<String>,
    /// More than one code may be chosen. Default false.
    pub several: bool,
    /// A chat without classification is recorded as "not classified" (C6). Default false.
    pub mandatory: bool,
}

fn span_or_none<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Span>, D::Error> {
    match String::deserialize(d)?.as_str() {
        "none" => Ok(None),
        text => text.parse().map(Some).map_err(|bad| de::Error::custom(format!("{bad}, or \"none\""))),
    }
}

impl Default for WrapUpSettings {
    fn default() -> Self {
        Self { time: Some(Span::secs(60)), extensions: 3, extension: Span::secs(30) }
    }
}

impl Default for Queue {
    fn default() -> Self {
        let rules = QueuePolicy::named("");
        Self {
            name: None,
            delivery: rules.delivery,
            priority: rules.priority,
            accept_within: Span::ms(rules.accept_within.0),
            unopened_after: Span::ms(rules.unopened_after.0),
            after_reject: rules.after_reject,
            after_miss: rules.after_miss,
            offer_when: rules.offer_when,
            strategy: rules.strategy,
            reply_alert: rules.reply_alert.iter().map(|at| Span::ms(at.0)).collect(),
            agent_chars_max: rules.agent_chars_max,
            customer_chars_max: rules.customer_chars_max,
            wrap_up: WrapUpSettings::default(),
            classification: ClassificationSettings::default(),
        }
    }
}

/// Longest message the sockets' frames have room for, whatever a queue allows.
const AGENT_CHARS: u64 = 5_000;
const CUSTOMER_CHARS: u64 = 1_000;

impl Queue {
    pub(super) fn validate(&self, at: &str, problems: &mut Problems) {
        if let Some(name) = &self.name {
            problems.text(format!("{at}.name"), name, 80);
        }
        let timer = Span::secs(1)..=Span::hours(24);
        problems.span(format!("{at}.accept_within"), self.accept_within, timer.clone());
        problems.span(format!("{at}.unopened_after"), self.unopened_after, timer.clone());
        problems.count(format!("{at}.agent_chars_max"), self.agent_chars_max.into(), 1..=AGENT_CHARS);
        problems.count(
            format!("{at}.customer_chars_max"),
            self.customer_chars_max.into(),
            1..=CUSTOMER_CHARS,
        );
        if let Some(time) = self.wrap_up.time {
            problems.span(format!("{at}.wrap_up.time"), time, timer.clone());
        }
        problems.count(format!("{at}.wrap_up.extensions"), self.wrap_up.extensions.into(), 0..=100);
        problems.span(format!("{at}.wrap_up.extension"), self.wrap_up.extension, timer);
        if self.reply_alert.len() > 5 || !self.reply_alert.is_sorted_by(|a, b| a < b) {
            problems.add(
                format!("{at}.reply_alert"),
                format!("has {} limits, or falling ones", self.reply_alert.len()),
                "list at most 5, rising, such as [\"45s\", \"60s\"]",
            );
        }
        self.validate_codes(at, problems);
    }

    fn validate_codes(&self, at: &str, problems: &mut Problems) {
        let codes = &self.classification.codes;
        problems.count(format!("{at}.classification.codes"), codes.len() as u64, 0..=500);
        for (index, code) in codes.iter().enumerate() {
            problems.text(format!("{at}.classification.codes[{index}]"), code, 120);
            if codes[..index].contains(code) {
                problems.add(
                    format!("{at}.classification.codes[{index}]"),
                    format!("is \"{code}\" again"),
                    "list each code once",
                );
            }
        }
    }

    /// As the engine takes it.
    #[must_use]
    pub fn policy(&self, id: &str) -> QueuePolicy {
        QueuePolicy {
            name: self.name.clone().unwrap_or_else(|| id.to_owned()),
            delivery: self.delivery,
            priority: self.priority,
            accept_within: self.accept_within.millis(),
            unopened_after: self.unopened_after.millis(),
            after_reject: self.after_reject,
            after_miss: self.after_miss,
            offer_when: self.offer_when,
            strategy: self.strategy,
            reply_alert: self.reply_alert.iter().map(|at| at.millis()).collect(),
            agent_chars_max: self.agent_chars_max,
            customer_chars_max: self.customer_chars_max,
            wrap_up: WrapUp {
                time: self.wrap_up.time.map(Millis::from),
                extensions: self.wrap_up.extensions,
                extension: self.wrap_up.extension.millis(),
                ..WrapUp::default()
            },
            classification: Classification {
                codes: self.classification.codes.clone(),
                several: self.classification.several,
                mandatory: self.classification.mandatory,
            },
            ..QueuePolicy::named("")
        }
    }
}
