//! What a panel shows as a whole, and how it changes.

use crate::crm::ConnectionInfo;
use crate::desk::{Colleague, QueueName, QueueRules, Supervised, WatchedAgent, WatchedChat};
use crate::event::Guest;
use crate::ids::{AgentId, InteractionId};
use crate::live::{CallCard, Item, LogEntry, Me, Message, Offer, QueueView};
use crate::policy::Labels;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The whole of what a panel shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PanelView {
    /// The agent.
    pub me: Me,
    /// An open offer.
    pub offer: Option<Offer>,
    /// The inbox.
    pub items: Vec<Item>,
    /// Chats of others the agent has joined (A15, B12).
    pub joined: Vec<Joined>,
    /// Messages of the inbox's chats and of those joined, in order.
    pub messages: Vec<ItemMessages>,
    /// Calls at the agent.
    pub calls: Vec<CallCard>,
    /// The agent's queues.
    pub queues: Vec<QueueView>,
    /// The agent's latest logs, newest first; at most 10.
    pub logs: Vec<LogEntry>,
    /// What holds for the agent's queues while the settings stand.
    pub rules: Vec<QueueRules>,
    /// All queues of the tenant, to transfer to.
    pub directory: Vec<QueueName>,
    /// Agents who share a queue with this one (A15); at most 500.
    pub colleagues: Vec<Colleague>,
    /// What supervisors lately did to this agent's work, newest first; at most 10, and none from before the daemon
    /// started.
    pub supervised: Vec<Supervised>,
    /// The whole floor; only while this page watches it (A15).
    pub watched: Option<Watched>,
    /// CRM connections of the tenant.
    pub connections: Vec<ConnectionInfo>,
    /// Reasons for On Break.
    pub break_reasons: Vec<String>,
    /// What statuses are called (A1).
    pub labels: Labels,
}

/// The whole floor, as a supervisor sees it (A15). No content.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Watched {
    /// All agents.
    pub agents: Vec<WatchedAgent>,
    /// All queues.
    pub queues: Vec<QueueView>,
    /// Open chats, oldest first; at most 1,000.
    pub chats: Vec<WatchedChat>,
    /// How many more there are.
    pub more_chats: u32,
}

/// The messages of one chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ItemMessages {
    /// The chat.
    pub interaction: InteractionId,
    /// In order.
    pub messages: Vec<Message>,
}

/// One thing that changed. Each carries the whole new value, so applying one twice is harmless.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum Change {
    /// The agent's own line.
    Me {
        /// New value.
        me: Me,
    },
    /// The open offer, or none.
    Offer {
        /// New value.
        offer: Option<Offer>,
    },
    /// An item came or changed.
    Item {
        /// New value.
        item: Item,
    },
    /// An item left the inbox, and its messages with it.
    ItemGone {
        /// Which.
        interaction: InteractionId,
    },
    /// The agent joined a chat, or one joined changed.
    Joined {
        /// New value.
        joined: Joined,
    },
    /// The agent is no longer at a chat of another; its messages go with it. Where it moves into the agent's own
    /// inbox, the item and its messages follow.
    JoinedGone {
        /// Which.
        interaction: InteractionId,
    },
    /// A message was taken.
    Message {
        /// Where.
        interaction: InteractionId,
        /// The message.
        message: Message,
    },
    /// A call came or changed.
    Call {
        /// New value.
        call: CallCard,
    },
    /// A call is gone.
    CallGone {
        /// Which.
        interaction: InteractionId,
    },
    /// A queue changed.
    Queue {
        /// New value.
        queue: QueueView,
    },
    /// A log came or its state changed.
    Log {
        /// New value.
        log: LogEntry,
    },
    /// Colleagues changed; at most once a second (A15). Those not named are as they were.
    Colleagues {
        /// New values.
        colleagues: Vec<Colleague>,
    },
    /// A supervisor did something to this agent's work (A15).
    Supervised {
        /// What.
        supervised: Supervised,
    },
    /// The floor changed, or is watched from here on; at most once a second (A15). What is not named is as it was.
    Watched {
        /// New values; `more_chats` always is.
        watched: Watched,
        /// Chats that are over, or fell out of the thousand.
        chats_gone: Vec<InteractionId>,
    },
    /// Connections or break reasons changed with the settings.
    Settings {
        /// CRM connections of the tenant.
        connections: Vec<ConnectionInfo>,
        /// Reasons for On Break.
        break_reasons: Vec<String>,
    },
}

/// A chat of another agent that this one has joined (A15, B12).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Joined {
    /// In what capacity.
    pub guest: Guest,
    /// Whose chat it is.
    pub owner: AgentId,
    /// The owner's name as shown.
    pub owner_name: String,
    /// The chat, as its owner sees it.
    pub item: Item,
}
