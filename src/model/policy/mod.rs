//! Policies: what a tenant's settings tell the engine. They enter it as a journaled command, so replay sees them too.

mod queue;

pub use queue::{
    Attachments, Escalate, FullLimit, Inactivity, InactivityMode, Overflow, OverflowTo, QueuePolicy, Targets,
    TransferUnavailable, WaitLimit, Wording,
};

use crate::content::ContentRef;
use crate::crm::ConnectionInfo;
use crate::ids::{AgentId, ConnectionId, QueueId, SkillId};
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
    /// Waiting this long weighs as much as one step of priority, over all queues (A11); `None` means that priority
    /// always goes first.
    pub ageing: Option<Millis>,
    /// When an agent whose connection is gone counts as lost.
    pub lease: Lease,
    /// What statuses are called (A1).
    pub labels: Labels,
}

/// Presence by lease (A8, A17). Both times count from the moment the agent's last panel was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Lease {
    /// An open offer is withdrawn after this, if its own deadline has not come before.
    pub grace: Millis,
    /// The agent's chats return to their queues after this, and the agent is Offline.
    pub lost_after: Millis,
}

impl Default for Lease {
    fn default() -> Self {
        Self { grace: Millis::secs(20), lost_after: Millis::secs(90) }
    }
}

/// What a site calls the statuses (A1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Labels {
    /// On a call.
    pub on_call: String,
    /// Has an active chat; some say "Busy".
    pub handling_chat: String,
    /// Has an active wrap-up; some say "Post Processing".
    pub wrap_up: String,
    /// Has an open offer.
    pub offered: String,
    /// Takes chats.
    pub available: String,
    /// At work, gets nothing.
    pub on_break: String,
    /// Finishes what is open.
    pub stop_new: String,
    /// Not at work.
    pub offline: String,
}

impl Default for Labels {
    fn default() -> Self {
        Self {
            on_call: "On a call".into(),
            handling_chat: "Handling a chat".into(),
            wrap_up: "Wrap-up".into(),
            offered: "Offered".into(),
            available: "Available".into(),
            on_break: "On Break".into(),
            stop_new: "Stop New".into(),
            offline: "Offline".into(),
        }
    }
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
    /// Units of unfinished chats at once (A5); a chat takes its queue's `units`, most often one.
    pub chat_capacity: u32,
    /// What the agent can, and how well: 1 to 10.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub skills: BTreeMap<SkillId, u8>,
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
    /// Whoever has the fewest units in hand, then whoever has been without work longest.
    LeastLoaded,
    /// Whoever had this visitor last, if free; else whoever has been without work longest.
    Sticky,
}

/// How chats of a queue are classified (C1).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Classification {
    /// The codes to choose from, in the order shown; empty means free text only. A code of a tree is its path, with
    /// ` / ` between the steps; only leaves are listed.
    pub codes: Vec<String>,
    /// More than one code may be chosen.
    pub several: bool,
    /// A chat without classification is recorded as "not classified" (C6).
    pub mandatory: bool,
}

impl Classification {
    /// Whether these are a classification: a code where there is a list, else text. Notes alone are none beside a list.
    #[must_use]
    pub fn given(&self, codes: &[String], remarks: Option<ContentRef>) -> bool {
        if self.codes.is_empty() { remarks.is_some_and(|text| text.chars > 0) } else { !codes.is_empty() }
    }
}

/// Wrap-up after a chat (C3, C4, C8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct WrapUp {
    /// The countdown; `None` means no limit but the agent's own "complete".
    pub time: Option<Millis>,
    /// How many extensions.
    pub extensions: u32,
    /// What one extension adds.
    pub extension: Millis,
    /// From the end of the chat, parked too, but not during calls; then it completes by itself (C8). `None` never.
    pub max: Option<Millis>,
}

impl Default for WrapUp {
    fn default() -> Self {
        Self {
            time: Some(Millis::secs(60)),
            extensions: 3,
            extension: Millis::secs(30),
            max: Some(Millis::secs(30 * 60)),
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct CallPolicy {
    /// B4.
    pub park_on: ParkOn,
    /// B5.
    pub after_call: AfterCall,
    /// E4.
    pub log: CallLogs,
    /// Wrap-up after an answered call (E5); `None` for none.
    pub wrap_up: Option<WrapUp>,
    /// How calls are classified (E5).
    pub classification: Classification,
    /// A call of which nothing is heard for so long counts as over, so that a lost "ended" does not keep an agent from
    /// chats for ever (E1); `None` never.
    pub longest: Option<Millis>,
}

impl Default for CallPolicy {
    fn default() -> Self {
        Self {
            park_on: ParkOn::default(),
            after_call: AfterCall::default(),
            log: CallLogs::default(),
            wrap_up: None,
            classification: Classification::default(),
            longest: Some(Millis::secs(4 * 60 * 60)),
        }
    }
}
