//! Policies: what a tenant's settings tell the engine. They enter it as a journaled command, so replay sees them too.

use crate::crm::ConnectionInfo;
use crate::ids::{AgentId, ConnectionId, QueueId};
use crate::time::Millis;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Everything the engine must know about a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct TenantPolicy {
    /// Agents by id.
    pub agents: BTreeMap<AgentId, AgentPolicy>,
    /// Queues by id.
    pub queues: BTreeMap<QueueId, QueuePolicy>,
    /// CRM connections that get pops and logs, in the order pops prefer them (D0).
    pub connections: Vec<ConnectionInfo>,
    /// Reasons an agent may name for On Break, in the order shown (A1).
    pub break_reasons: Vec<String>,
    /// What calls do to chats.
    pub calls: CallPolicy,
}

/// One agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AgentPolicy {
    /// Name as shown.
    pub name: String,
    /// Queues the agent serves.
    pub queues: BTreeSet<QueueId>,
    /// Extension at the telephone system; call events may name it instead of the agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extension: Option<String>,
    /// May reject offers (A6).
    pub may_reject: bool,
    /// May act on other agents' chats.
    pub supervisor: bool,
    /// How many unfinished chats at once (A5).
    pub chat_capacity: u32,
    /// The agent's own user in each CRM, by connection, as the CRM identifies users.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub crm_users: BTreeMap<ConnectionId, String>,
}

/// How a queue hands out chats (A3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// Blinks at one agent and asks.
    Offer,
    /// Straight into an inbox with a bell.
    Auto,
    /// Waits until an agent takes it.
    Pull,
}

/// What an agent's presence becomes after a reject or a miss (A7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum After {
    /// On Break, with the reason "rejected" or "missed".
    OnBreak,
    /// As it was.
    Stay,
}

/// When an agent who has chats may be presented a further one (A5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OfferWhen {
    /// All own chats are parked, none new or active, and no call.
    AllParked,
    /// Capacity is left.
    BelowCapacity,
    /// No unfinished chat and no call.
    Idle,
}

/// Who among the free agents gets the chat (A11).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// Whoever has been without work longest.
    LongestIdle,
}

/// How chats of a queue are classified (C1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Classification {
    /// The codes to choose from; empty means free text only.
    pub codes: Vec<String>,
    /// More than one code may be chosen.
    pub several: bool,
    /// A chat without classification is recorded as "not classified" (C6).
    pub mandatory: bool,
}

/// Wrap-up after a chat (C3, C4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WrapUp {
    /// The countdown; `None` means no limit but the agent's own "complete".
    pub time: Option<Millis>,
    /// How many extensions.
    pub extensions: u32,
    /// What one extension adds.
    pub extension: Millis,
}

/// One queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
    /// Among whom (A11).
    pub strategy: Strategy,
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
}

impl QueuePolicy {
    /// The defaults of the rule book under a name.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            delivery: Delivery::Offer,
            priority: 0,
            accept_within: Millis::secs(30),
            unopened_after: Millis::secs(60),
            after_reject: After::OnBreak,
            after_miss: After::OnBreak,
            offer_when: OfferWhen::AllParked,
            strategy: Strategy::LongestIdle,
            reply_alert: vec![Millis::secs(45), Millis::secs(60)],
            agent_chars_max: 5_000,
            customer_chars_max: 500,
            wrap_up: WrapUp { time: Some(Millis::secs(60)), extensions: 3, extension: Millis::secs(30) },
            classification: Classification { codes: Vec::new(), several: false, mandatory: false },
        }
    }
}

/// When a call parks the active chat (B4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ParkOn {
    /// When the agent answers.
    #[default]
    Answered,
    /// Already when it rings.
    Ringing,
}

/// What becomes active again after a call (B5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AfterCall {
    /// The chat the call parked, if the customer ended it meanwhile: its wrap-up. One still in progress stays parked.
    #[default]
    ResumeWrapUp,
    /// The chat the call parked, whatever its state.
    ResumeLast,
}

/// Which calls are logged in the CRMs (E4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CallLogs {
    /// Those in which two people talked.
    #[default]
    Answered,
    /// Those that nobody answered too.
    All,
    /// None.
    None,
}

/// What calls do to chats, and what becomes of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct CallPolicy {
    /// B4.
    pub park_on: ParkOn,
    /// B5.
    pub after_call: AfterCall,
    /// E4.
    pub log: CallLogs,
}
