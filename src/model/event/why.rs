//! Why and how things happened, and what else events say in words of their own.

use crate::time::Millis;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Why a presence changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PresenceWhy {
    /// The agent chose it.
    Chosen,
    /// The pending wish came due.
    WishGranted,
    /// After a reject (A7).
    Rejected,
    /// After a missed offer (A7).
    Missed,
    /// The agent left the settings.
    Removed,
    /// The agent's connection was lost for too long (A17).
    Lost,
    /// A supervisor set it (A15).
    Supervisor,
}

/// Why an offer was taken back. None of these is a miss (A10).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WithdrawnWhy {
    /// The agent left Available.
    PresenceLeft,
    /// A call rang at, was answered by or dialled by the agent.
    Call,
    /// The customer ended the chat.
    CustomerLeft,
    /// The agent's connection was lost.
    AgentLost,
    /// Settings took the agent out of the queue.
    Settings,
    /// The daemon is about to stop (F3).
    Stopping,
    /// A supervisor took it back (A15).
    Supervisor,
    /// The queue closed, or the chat went to another queue (A12).
    Overflowed,
    /// The agent who had offered a transfer took it back, or has lost the chat (B12).
    TransferCancelled,
}

/// How a chat came to its agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AssignedHow {
    /// By the queue, `auto`.
    Auto,
    /// Taken from a `pull` queue.
    Taken,
    /// Given by a supervisor (A15).
    Supervisor,
}

/// Why an owned chat went back to its queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReturnedWhy {
    /// Delivered `auto` and never activated (A3).
    Unopened,
    /// The agent went Offline.
    AgentOffline,
    /// The agent's connection was lost for too long (A17). The chat waits ahead of others.
    AgentLost,
    /// A supervisor took it back (A15). The chat waits ahead of others.
    Supervisor,
}

/// Why a chat left a queue that could not serve it (A12).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OverflowWhy {
    /// Outside the opening hours.
    Closed,
    /// No agent of the queue is at work.
    Unstaffed,
    /// It had waited as long as the queue allows.
    Waited,
    /// As many chats waited as the queue allows.
    Full,
}

/// Why a transfer to an agent did not come about. None of these costs anybody's presence but a reject and a miss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TransferFailed {
    /// The agent rejected it.
    Rejected,
    /// Its deadline passed.
    Missed,
    /// It was taken back, or the chat ended.
    Withdrawn {
        /// Why.
        why: WithdrawnWhy,
    },
}

/// In what capacity a further agent is at a chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Guest {
    /// Consulted by the owner, who may hand over (B12, warm).
    Consulted,
    /// A supervisor (A15).
    Supervisor,
}

/// What Tieline advises the agent to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Suggestion {
    /// Ask whether the customer is still there (B8).
    Nudge,
    /// End the chat: the customer stayed silent (B8).
    End,
    /// Open a case: the chat is long, or a question is old (B16).
    OpenCase,
    /// Tell the customer how it stands: a few minutes were asked for (B16).
    Update,
}

/// How well a chat was served (B17).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Service {
    /// Waiting while an agent was free for it: under offer, or unopened in an inbox.
    pub connecting: Millis,
    /// Waiting in all until an agent first had it in hand.
    pub waited: Millis,
    /// Customer messages, or runs of them, that were answered.
    pub replies: u32,
    /// Of those, how many within the target.
    pub replies_in_time: u32,
    /// The longest an answer took.
    pub longest_reply: Millis,
}

/// Who parked an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ParkedBy {
    /// The agent's own command.
    Agent,
    /// Another item was activated.
    Activation,
    /// A call (B4).
    Call,
}

/// Who completed a wrap-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CompletedBy {
    /// The agent.
    Agent,
    /// The countdown.
    Timer,
    /// The agent going Offline.
    Offline,
    /// The hard maximum (C8).
    Maximum,
    /// A supervisor (A15).
    Supervisor,
}
