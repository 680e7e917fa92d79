//! What a panel shows around its chats: the day, queues and their rules, colleagues, and a supervisor's view of the
//! whole floor. All of it is thin: names as shown, times, counts; never what a customer said.

use crate::command::{Presence, SupervisorAct};
use crate::crm::{Channel, Direction};
use crate::event::Guest;
use crate::ids::{AgentId, InteractionId, QueueId};
use crate::live::Status;
use crate::policy::{Attachments, Delivery, Targets};
use crate::time::{Millis, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// An agent's day (G1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct AgentToday {
    /// Chats the agent had in hand.
    pub chats: u32,
    /// Calls the agent answered or reached.
    pub calls: u32,
    /// Offers rejected.
    pub rejected: u32,
    /// Offers and unopened chats missed.
    pub missed: u32,
    /// Chats handed on to others.
    pub transferred: u32,
    /// Customer messages answered.
    pub replies: u32,
    /// Of those, how many within the queue's target (B17).
    pub replies_in_time: u32,
    /// Time from start to end of the wrap-ups completed.
    pub wrap_up: Millis,
    /// Wrap-ups completed.
    pub wrap_ups: u32,
}

/// A queue's day (G1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct QueueToday {
    /// Chats that came.
    pub came: u32,
    /// Chats an agent had in hand.
    pub answered: u32,
    /// Of those, how many within the target (B17).
    pub connected_in_time: u32,
    /// Chats whose customer left before.
    pub abandoned: u32,
    /// Chats that went elsewhere because the queue could not serve them.
    pub overflowed: u32,
}

/// What holds for a queue as long as the settings stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct QueueRules {
    /// The queue.
    pub queue: QueueId,
    /// How chats are handed out (A3).
    pub delivery: Delivery,
    /// What service is aimed at (B17).
    pub targets: Targets,
    /// Files (B18).
    pub attachments: Attachments,
    /// How long a shared transcript can be read (B14).
    pub share_for: Millis,
    /// What `nudge` says to the customer (B8); empty when there is no such notice.
    pub nudge: String,
    /// What `closing` says (B8).
    pub closing: String,
    /// What `few_minutes` says (B16).
    pub few_minutes: String,
}

/// A queue and what it is called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct QueueName {
    /// The queue.
    pub queue: QueueId,
    /// Name as shown.
    pub name: String,
}

/// Who hands a chat on (B12).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HandedBy {
    /// Who.
    pub agent: AgentId,
    /// Name as shown.
    pub name: String,
    /// The note.
    pub note: Option<String>,
    /// Accepting means to join; the owner hands over later.
    pub warm: bool,
}

/// A transfer that waits for its answer, as its sender sees it (B12).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TransferView {
    /// To whom.
    pub to: AgentId,
    /// Name as shown.
    pub name: String,
    /// Until when it stands.
    pub deadline: Timestamp,
    /// The agent joins first.
    pub warm: bool,
}

/// A further agent at a chat (A15, B12).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GuestView {
    /// Who.
    pub agent: AgentId,
    /// Name as shown.
    pub name: String,
    /// In what capacity.
    pub guest: Guest,
}

/// Which way a call went, and between whom (E5).
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct CallSide {
    /// Which way; nothing when it is not known any more.
    pub direction: Option<Direction>,
    /// The caller's number; nothing when withheld.
    pub from: Option<String>,
    /// The number called.
    pub to: Option<String>,
}

impl std::fmt::Debug for CallSide {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CallSide(***)")
    }
}

/// An agent who shares a queue with the one who looks (A15).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Colleague {
    /// Who.
    pub agent: AgentId,
    /// Name as shown.
    pub name: String,
    /// What others see (A1).
    pub status: Status,
    /// The queues both serve.
    pub queues: BTreeSet<QueueId>,
}

/// What a supervisor did to an agent's work, and why (A15).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Supervised {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: AgentId,
    /// Name as shown.
    pub by_name: String,
    /// What.
    pub act: SupervisorAct,
    /// Why.
    pub reason: String,
}

/// An agent, as a supervisor sees one (A15).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WatchedAgent {
    /// Who.
    pub agent: AgentId,
    /// Name as shown.
    pub name: String,
    /// Queues the agent serves.
    pub queues: BTreeSet<QueueId>,
    /// What the agent chose.
    pub presence: Presence,
    /// What the agent wishes for when the active item ends.
    pub wish: Option<Presence>,
    /// What others see (A1).
    pub status: Status,
    /// Since when; nothing when it was so before anybody could look.
    pub since: Option<Timestamp>,
    /// Channels the agent is available on (A2).
    pub channels: BTreeSet<Channel>,
    /// Units of unfinished chats, a reserved offer included.
    pub load: u32,
    /// How many at most.
    pub capacity: u32,
    /// A panel is connected.
    pub connected: bool,
    /// When the agent counts as lost, unless a panel comes back (A17).
    pub lost_at: Option<Timestamp>,
}

/// Where an open chat is, as a supervisor sees it (A15).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "at", rename_all = "snake_case")]
pub enum ChatAt {
    /// In its queue.
    Waiting,
    /// Offered to an agent.
    Offered {
        /// To whom.
        agent: AgentId,
        /// Until when.
        deadline: Timestamp,
    },
    /// In an agent's inbox, in progress.
    Open {
        /// Whose.
        agent: AgentId,
        /// Not opened, active or parked.
        place: crate::live::Place,
    },
    /// Ended; its agent wraps up.
    WrapUp {
        /// Whose.
        agent: AgentId,
        /// Not opened, active or parked.
        place: crate::live::Place,
        /// Since when.
        ended_at: Timestamp,
    },
    /// At the offline form.
    Form {
        /// Until when.
        deadline: Timestamp,
    },
}

/// An open chat, as a supervisor sees it (A15); to read it, join it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WatchedChat {
    /// Which.
    pub interaction: InteractionId,
    /// A chat, or a call in wrap-up.
    pub channel: Channel,
    /// Its queue; nothing only for a call that came through none.
    pub queue: Option<QueueId>,
    /// When the customer came.
    pub started_at: Timestamp,
    /// Since when the customer waits for a reply (B7).
    pub unanswered_since: Option<Timestamp>,
    /// Where it is.
    pub place: ChatAt,
    /// Further agents at it.
    pub guests: BTreeSet<AgentId>,
    /// It was flagged as abusive (C7).
    pub abusive: bool,
}
