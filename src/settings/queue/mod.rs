//! Section `tenants.<id>.queues.<id>`.

mod conversation;
mod overflow;
mod wrap_up;

pub use conversation::{
    AttachmentsSettings, InactivitySettings, LogSettings, TargetsSettings, WordingSettings,
};
pub use overflow::{Full, OverflowSettings, Waited, Way};
pub(super) use wrap_up::span_or_none;
pub use wrap_up::{Branch, ClassificationSettings, CodeSettings, WrapUpSettings};

use super::auth::list;
use super::{Preset, Problems, Span, Tenant};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use tieline_model::crm::Channel;
use tieline_model::policy::{
    After, Delivery, Escalate, OfferWhen, QueuePolicy, Strategy, TransferUnavailable,
};
use tieline_model::{Millis, QueueId, ScheduleId, SkillId};

/// A waiting line. The defaults are those of the rules.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Queue {
    /// A way of working to begin with: `inbox`, `offer`, `etiquette`, or `plain` for the rules' defaults; keys that
    /// stand beside it win. Default: the contact centre's preset.
    pub preset: Option<Preset>,
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
    /// What chats of this queue may break into beyond that: `chat` an active one, `call` a call. Capacity stands.
    /// Default none.
    pub may_interrupt: BTreeSet<Channel>,
    /// Who among the free agents gets the chat (A11). Default `longest_idle`.
    pub strategy: Strategy,
    /// Units of an agent's `chat_capacity` that one chat takes (A5). Default 1.
    pub units: u32,
    /// Skills an agent must have to be given a chat, with the least level, 1 to 10 (A11). Default none.
    pub skills: BTreeMap<SkillId, u8>,
    /// Each such time of waiting lowers every needed level by one; "none" never does. Default "none".
    #[serde(deserialize_with = "span_or_none")]
    #[schemars(with = "String")]
    pub relax_after: Option<Span>,
    /// How long an agent who declined a chat is left out for it (A9). Default "30s".
    pub retry_decliner_after: Span,
    /// Opening hours: a schedule of this tenant (A12). Default: always open.
    pub hours: Option<ScheduleId>,
    /// What its agents are shown to go by in chats and calls: a script of this tenant (G3). Default none.
    pub script: Option<String>,
    /// Where chats go that cannot be served (A12).
    pub overflow: OverflowSettings,
    /// The customer sees position and expected wait (A13). Default true.
    pub show_position: bool,
    /// When the wait for a reply changes colour (B7). Default ["45s", "60s"].
    pub reply_alert: Vec<Span>,
    /// Longest message of an agent, in characters as a person counts them (B9). Default 5000.
    pub agent_chars_max: u32,
    /// Longest message of a customer, in characters as a person counts them (B9). Default 500.
    pub customer_chars_max: u32,
    /// Silence of the customer (B8).
    pub inactivity: InactivitySettings,
    /// Transfers into this queue while it cannot serve (B12): `ask` (the agent is told and may confirm), `refuse` or
    /// `allow`. Default `ask`.
    pub transfer_unavailable: TransferUnavailable,
    /// How long after the end a customer comes back to the same conversation (B15). Default "10m".
    pub reopen_within: Span,
    /// A case is suggested so long after an agent first had the chat, "none" never (B16). Default "15m".
    #[serde(deserialize_with = "span_or_none")]
    #[schemars(with = "String")]
    pub escalate_after: Option<Span>,
    /// A case is suggested when the customer has waited so long for an answer, "none" never (B16). Default "5m".
    #[serde(deserialize_with = "span_or_none")]
    #[schemars(with = "String")]
    pub escalate_unanswered_after: Option<Span>,
    /// The agent is reminded so long after the customer was asked for a few minutes, "none" never (B16). Default "5m".
    #[serde(deserialize_with = "span_or_none")]
    #[schemars(with = "String")]
    pub escalate_update_after: Option<Span>,
    /// What service is aimed at (B17).
    pub targets: TargetsSettings,
    /// Files (B18).
    pub attachments: AttachmentsSettings,
    /// How long a shared transcript can be read (B14). Default "7d".
    pub share_for: Span,
    /// What becomes of chats in the CRM (B20).
    pub log: LogSettings,
    /// Flagging a chat as abusive blocks its visitor (C7). Default false.
    pub block_abusive: bool,
    /// Wrap-up (C3, C4, C8).
    pub wrap_up: WrapUpSettings,
    /// Classification (C1, C6).
    pub classification: ClassificationSettings,
    /// What Tieline itself says to customers.
    pub wording: WordingSettings,
}

impl Default for Queue {
    fn default() -> Self {
        let rules = QueuePolicy::named("");
        let span = |ms: Millis| Span::ms(ms.0);
        Self {
            preset: None,
            name: None,
            delivery: rules.delivery,
            priority: rules.priority,
            accept_within: span(rules.accept_within),
            unopened_after: span(rules.unopened_after),
            after_reject: rules.after_reject,
            after_miss: rules.after_miss,
            offer_when: rules.offer_when,
            may_interrupt: rules.may_interrupt,
            strategy: rules.strategy,
            units: rules.units,
            skills: rules.skills,
            relax_after: rules.relax_after.map(span),
            retry_decliner_after: span(rules.retry_decliner_after),
            hours: rules.hours,
            script: None,
            overflow: OverflowSettings::default(),
            show_position: rules.show_position,
            reply_alert: rules.reply_alert.into_iter().map(span).collect(),
            agent_chars_max: rules.agent_chars_max,
            customer_chars_max: rules.customer_chars_max,
            inactivity: InactivitySettings::default(),
            transfer_unavailable: rules.transfer_unavailable,
            reopen_within: span(rules.reopen_within),
            escalate_after: rules.escalate.after.map(span),
            escalate_unanswered_after: rules.escalate.unanswered.map(span),
            escalate_update_after: rules.escalate.update_after.map(span),
            targets: TargetsSettings::default(),
            attachments: AttachmentsSettings::default(),
            share_for: span(rules.share_for),
            log: LogSettings::default(),
            block_abusive: rules.block_abusive,
            wrap_up: WrapUpSettings::default(),
            classification: ClassificationSettings::default(),
            wording: WordingSettings::default(),
        }
    }
}

/// Longest message the sockets' frames have room for, whatever a queue allows.
const AGENT_CHARS: u64 = 5_000;
const CUSTOMER_CHARS: u64 = 1_000;

impl Queue {
    /// `at` is its key, `id` its id, `tenant` what it may refer to.
    pub(super) fn validate(&self, at: &str, id: &QueueId, tenant: &Tenant, problems: &mut Problems) {
        if let Some(name) = &self.name {
            problems.text(format!("{at}.name"), name, 80);
        }
        self.validate_times(at, problems);
        problems.count(format!("{at}.agent_chars_max"), self.agent_chars_max.into(), 1..=AGENT_CHARS);
        problems.count(
            format!("{at}.customer_chars_max"),
            self.customer_chars_max.into(),
            1..=CUSTOMER_CHARS,
        );
        if self.reply_alert.len() > 5 || !self.reply_alert.is_sorted_by(|a, b| a < b) {
            problems.add(
                format!("{at}.reply_alert"),
                format!("has {} limits, or falling ones", self.reply_alert.len()),
                "list at most 5, rising, such as [\"45s\", \"60s\"]",
            );
        }
        if let Some(hours) = self.hours.as_ref().filter(|hours| !tenant.schedules.contains_key(*hours)) {
            problems.add(
                format!("{at}.hours"),
                format!("is \"{hours}\""),
                format!("name a schedule of this tenant's `schedules`{}", list(tenant.schedules.keys())),
            );
        }
        if let Some(script) = self.script.as_ref().filter(|script| !tenant.scripts.contains_key(*script)) {
            problems.add(
                format!("{at}.script"),
                format!("is \"{script}\""),
                format!("name a script of this tenant's `scripts`{}", list(tenant.scripts.keys())),
            );
        }
        self.overflow.validate(at, id, &tenant.queues, problems);
        self.inactivity.validate(at, problems);
        self.targets.validate(at, problems);
        self.attachments.validate(at, problems);
        self.wrap_up.validate(&format!("{at}.wrap_up"), problems);
        self.classification.validate(&format!("{at}.classification"), problems);
        self.wording.validate(at, problems);
        self.validate_units(at, id, tenant, problems);
        self.validate_skills(at, tenant, problems);
    }

    fn validate_times(&self, at: &str, problems: &mut Problems) {
        let timer = Span::secs(1)..=Span::hours(24);
        for (key, time) in [
            ("accept_within", Some(self.accept_within)),
            ("unopened_after", Some(self.unopened_after)),
            ("relax_after", self.relax_after),
            ("retry_decliner_after", Some(self.retry_decliner_after)),
            ("escalate_after", self.escalate_after),
            ("escalate_unanswered_after", self.escalate_unanswered_after),
            ("escalate_update_after", self.escalate_update_after),
        ] {
            if let Some(time) = time {
                problems.span(format!("{at}.{key}"), time, timer.clone());
            }
        }
        problems.span(format!("{at}.reopen_within"), self.reopen_within, Span::secs(0)..=Span::hours(7 * 24));
        problems.span(format!("{at}.share_for"), self.share_for, Span::mins(1)..=Span::hours(90 * 24));
    }

    /// A chat that is larger than every agent would wait for ever.
    fn validate_units(&self, at: &str, id: &QueueId, tenant: &Tenant, problems: &mut Problems) {
        problems.count(format!("{at}.units"), self.units.into(), 1..=50);
        let serving = tenant.agents.values().filter(|agent| agent.queues.contains(id));
        if let Some(most) = serving.map(|agent| agent.chat_capacity).max().filter(|most| *most < self.units) {
            problems.add(
                format!("{at}.units"),
                format!("is {}, and no agent of this queue has a `chat_capacity` above {most}", self.units),
                "lower it, or raise the agents' capacity",
            );
        }
    }

    /// A skill that nobody has is a slip of the pen, and its chats would wait for ever.
    fn validate_skills(&self, at: &str, tenant: &Tenant, problems: &mut Problems) {
        for (skill, level) in &self.skills {
            let key = format!("{at}.skills.{skill}");
            problems.count(&key, u64::from(*level), 1..=10);
            let best = tenant.agents.values().filter_map(|agent| agent.skills.get(skill)).max();
            let known: BTreeSet<&SkillId> = tenant.agents.values().flat_map(|a| a.skills.keys()).collect();
            match best {
                None => problems.add(
                    key,
                    "asks for a skill that no agent has",
                    format!("name a skill of the agents' `skills`{}", list(known.into_iter())),
                ),
                Some(best) if best < level && self.relax_after.is_none() => problems.add(
                    key,
                    format!("is {level}, and the best agent has {best}"),
                    "lower it, or set `relax_after`",
                ),
                Some(_) => {}
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
            may_interrupt: self.may_interrupt.clone(),
            strategy: self.strategy,
            units: self.units,
            skills: self.skills.clone(),
            relax_after: self.relax_after.map(Millis::from),
            retry_decliner_after: self.retry_decliner_after.millis(),
            hours: self.hours.clone(),
            overflow: self.overflow.policy(),
            show_position: self.show_position,
            reply_alert: self.reply_alert.iter().map(|at| at.millis()).collect(),
            agent_chars_max: self.agent_chars_max,
            customer_chars_max: self.customer_chars_max,
            wrap_up: self.wrap_up.policy(),
            classification: self.classification.policy(),
            inactivity: self.inactivity.policy(),
            transfer_unavailable: self.transfer_unavailable,
            reopen_within: self.reopen_within.millis(),
            escalate: Escalate {
                after: self.escalate_after.map(Millis::from),
                unanswered: self.escalate_unanswered_after.map(Millis::from),
                update_after: self.escalate_update_after.map(Millis::from),
            },
            targets: self.targets.policy(),
            attachments: self.attachments.policy(),
            share_for: self.share_for.millis(),
            log_abandoned: self.log.abandoned,
            block_abusive: self.block_abusive,
            wording: self.wording.policy(),
        }
    }
}
