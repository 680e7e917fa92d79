//! What a queue's settings tell the engine. Times are in milliseconds.

use super::{After, Classification, Delivery, OfferWhen, Strategy, WrapUp};
use crate::crm::Channel;
use crate::ids::{QueueId, ScheduleId, SkillId};
use crate::time::Millis;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Where a chat goes that its queue cannot serve (A12).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "to", rename_all = "snake_case")]
pub enum OverflowTo {
    /// It keeps waiting.
    #[default]
    Wait,
    /// Another queue. A chat never comes to one queue twice; where that would be, it gets the offline form.
    Queue {
        /// Which.
        queue: QueueId,
    },
    /// The offline form: the customer leaves a message.
    OfflineForm,
}

/// A limit of waiting time, and what happens there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WaitLimit {
    /// Counted from when the chat came into this queue.
    pub after: Millis,
    /// Where to.
    pub then: OverflowTo,
}

/// A limit of waiting chats, and what happens to one above it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FullLimit {
    /// Chats that may wait, those under offer included.
    pub chats: u32,
    /// Where to.
    pub then: OverflowTo,
}

/// What happens to chats that a queue cannot serve (A12).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Overflow {
    /// Outside the opening hours.
    pub closed: OverflowTo,
    /// No agent who serves the queue is at work: all are Offline.
    pub unstaffed: OverflowTo,
    /// Waited too long.
    pub waited: Option<WaitLimit>,
    /// Too many wait already.
    pub full: Option<FullLimit>,
}

impl Default for Overflow {
    fn default() -> Self {
        Self { closed: OverflowTo::OfflineForm, unstaffed: OverflowTo::Wait, waited: None, full: None }
    }
}

/// What happens when the customer owes the reply and does not write (B8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum InactivityMode {
    /// Nothing.
    #[default]
    Off,
    /// The agent is advised to nudge, then to end.
    Suggest,
    /// The nudge and the end come by themselves.
    Auto,
}

/// Inactivity of the customer (B8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Inactivity {
    /// What happens.
    pub mode: InactivityMode,
    /// Silence until the nudge.
    pub nudge_after: Millis,
    /// Further silence until the end.
    pub end_after: Millis,
}

/// What happens to a transfer whose target is closed, unstaffed or full (B12).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TransferUnavailable {
    /// The agent is told and may confirm.
    #[default]
    Ask,
    /// It is refused.
    Refuse,
    /// It goes there, and waits or overflows as any chat of that queue does.
    Allow,
}

/// When a case is suggested in mid-chat (B16).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Escalate {
    /// Since an agent first had the chat.
    pub after: Option<Millis>,
    /// Since the first unanswered message of the customer.
    pub unanswered: Option<Millis>,
    /// Since the customer was asked for a few minutes: the agent is reminded to say how it stands.
    #[serde(default)]
    pub update_after: Option<Millis>,
}

/// What service is aimed at (B17). Measured, never enforced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Targets {
    /// Until an agent has the chat, counted while one was free for it.
    pub connect: Millis,
    /// Until a message is answered.
    pub reply: Millis,
}

/// Files in a chat (B18).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Attachments {
    /// Customers may send files.
    pub from_customer: bool,
    /// Agents may send files.
    pub from_agent: bool,
    /// Largest file, in bytes.
    pub bytes_max: u32,
    /// Media types that are taken (`image/png`), as found by looking at the bytes.
    pub types: Vec<String>,
}

/// What Tieline itself says to customers. Plain text; nothing in it is replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Wording {
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

impl Default for Wording {
    fn default() -> Self {
        Self {
            nudge: "Are you still there? We are happy to go on when you are.".into(),
            closing: "We have not heard from you for a while, so we close this chat. Thank you for writing to us. You can start a new chat at any time.".into(),
            few_minutes: "We need a few minutes to look into this. Please stay with us.".into(),
            transferred: "We are connecting you with a colleague. Your conversation goes along.".into(),
            agent_lost: "We have lost the connection to our colleague. You are next in line.".into(),
            overflowed: "We are passing you on so that you are answered sooner.".into(),
            offline: "Nobody can answer right now. Please leave us a message.".into(),
        }
    }
}

/// One queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct QueuePolicy {
    /// Name as shown.
    pub name: String,
    /// How chats are handed out.
    pub delivery: Delivery,
    /// Higher goes first (A11).
    pub priority: i32,
    /// How long an offer stands (A4).
    pub accept_within: Millis,
    /// How long an `auto` chat may lie unopened (A3).
    pub unopened_after: Millis,
    /// After a reject (A7).
    pub after_reject: After,
    /// After a missed offer (A7).
    pub after_miss: After,
    /// When a further chat may be presented (A5).
    pub offer_when: OfferWhen,
    /// What chats of this queue may break into beyond that: `chat` an active one, `call` a call. Capacity stands.
    pub may_interrupt: BTreeSet<Channel>,
    /// Among whom (A11).
    pub strategy: Strategy,
    /// Units of an agent's chat capacity one chat takes (A5).
    pub units: u32,
    /// Skills an agent must have to be given a chat, with the least level (A11). Better ones go first.
    pub skills: BTreeMap<SkillId, u8>,
    /// Each such time of waiting lowers every needed level by one; `None` never.
    pub relax_after: Option<Millis>,
    /// How long an agent who declined a chat is left out for it (A9).
    pub retry_decliner_after: Millis,
    /// Opening hours; `None` is always open (A12).
    pub hours: Option<ScheduleId>,
    /// Where chats go that cannot be served (A12).
    pub overflow: Overflow,
    /// The customer sees position and expected wait (A13).
    pub show_position: bool,
    /// When the wait for a reply changes colour (B7).
    pub reply_alert: Vec<Millis>,
    /// Longest message of an agent, in characters (B9).
    pub agent_chars_max: u32,
    /// Longest message of a customer, in characters (B9).
    pub customer_chars_max: u32,
    /// Wrap-up.
    pub wrap_up: WrapUp,
    /// Classification.
    pub classification: Classification,
    /// Silence of the customer (B8).
    pub inactivity: Inactivity,
    /// Transfers into this queue while it cannot serve (B12).
    pub transfer_unavailable: TransferUnavailable,
    /// How long after the end a customer comes back to the same conversation (B15).
    pub reopen_within: Millis,
    /// When a case is suggested (B16).
    pub escalate: Escalate,
    /// What service is aimed at (B17).
    pub targets: Targets,
    /// Files (B18).
    pub attachments: Attachments,
    /// How long a shared transcript can be read (B14).
    pub share_for: Millis,
    /// Chats nobody answered are logged too (B20).
    pub log_abandoned: bool,
    /// Flagging a chat as abusive blocks its visitor (C7).
    pub block_abusive: bool,
    /// What Tieline itself says.
    pub wording: Wording,
}

impl Default for QueuePolicy {
    fn default() -> Self {
        Self::named("")
    }
}

impl QueuePolicy {
    /// The defaults of the rule book under a name.
    #[must_use]
    pub fn named(name: &str) -> Self {
        let minutes = |n: u64| Millis::secs(n * 60);
        Self {
            name: name.to_owned(),
            delivery: Delivery::Offer,
            priority: 0,
            accept_within: Millis::secs(30),
            unopened_after: Millis::secs(60),
            after_reject: After::OnBreak,
            after_miss: After::OnBreak,
            offer_when: OfferWhen::AllParked,
            may_interrupt: BTreeSet::new(),
            strategy: Strategy::LongestIdle,
            units: 1,
            skills: BTreeMap::new(),
            relax_after: None,
            retry_decliner_after: Millis::secs(30),
            hours: None,
            overflow: Overflow::default(),
            show_position: true,
            reply_alert: vec![Millis::secs(45), Millis::secs(60)],
            agent_chars_max: 5_000,
            customer_chars_max: 500,
            wrap_up: WrapUp::default(),
            classification: Classification::default(),
            inactivity: Inactivity {
                mode: InactivityMode::Off,
                nudge_after: minutes(3),
                end_after: minutes(2),
            },
            transfer_unavailable: TransferUnavailable::Ask,
            reopen_within: minutes(10),
            escalate: Escalate {
                after: Some(minutes(15)),
                unanswered: Some(minutes(5)),
                update_after: Some(minutes(5)),
            },
            targets: Targets { connect: Millis::secs(30), reply: Millis::secs(60) },
            attachments: Attachments {
                from_customer: true,
                from_agent: true,
                bytes_max: 5 * 1024 * 1024,
                types: [
                    "image/png",
                    "image/jpeg",
                    "image/gif",
                    "image/webp",
                    "application/pdf",
                    "text/plain",
                ]
                .map(String::from)
                .to_vec(),
            },
            share_for: minutes(7 * 24 * 60),
            log_abandoned: false,
            block_abusive: false,
            wording: Wording::default(),
        }
    }
}
