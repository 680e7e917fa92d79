//! What the machine remembers. Every state is an enum that carries its data.

use crate::index::Index;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use tieline_model::command::Presence;
use tieline_model::content::ContentRef;
use tieline_model::crm::{Direction, LogState, LookupResult, Outcome, Record, Side};
use tieline_model::live::Place;
use tieline_model::policy::TenantPolicy;
use tieline_model::{
    AgentId, CallId, ConnectionId, ConversationId, InteractionId, Millis, OfferId, QueueId, Seq, SessionId,
    Timestamp,
};

/// Latest logs remembered per agent, for the panel's list.
pub(crate) const RECENT_LOGS_MAX: usize = 10;
/// Ended calls remembered per tenant, so that a late "ringing" of one does not ring and a late recording finds its
/// call.
pub(crate) const ENDED_CALLS_MAX: usize = 1_000;
/// Earlier offers remembered per chat, so that a late answer learns what became of its offer.
pub(crate) const PAST_OFFERS_MAX: usize = 16;

/// One tenant.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Engine {
    pub(crate) seed: u64,
    pub(crate) seq: Seq,
    pub(crate) now: Timestamp,
    pub(crate) policy: TenantPolicy,
    pub(crate) agents: BTreeMap<AgentId, Agent>,
    pub(crate) chats: BTreeMap<InteractionId, Chat>,
    pub(crate) calls: BTreeMap<InteractionId, Call>,
    pub(crate) call_ids: BTreeMap<CallId, InteractionId>,
    pub(crate) ended_calls: VecDeque<CallId>,
    /// What late facts of ended calls need; of those among `ended_calls` that were heard of before their end.
    #[serde(default)]
    pub(crate) ended: BTreeMap<CallId, EndedCall>,
    pub(crate) closed: BTreeMap<InteractionId, Closed>,
    pub(crate) offers: BTreeMap<OfferId, InteractionId>,
    /// Derived from the rest; rebuilt when a snapshot is restored.
    #[serde(skip)]
    pub(crate) index: Index,
}

/// An agent at work.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Agent {
    /// What the agent chose.
    pub presence: Presence,
    /// What the agent wishes for when the active item ends.
    pub wish: Option<Presence>,
    /// Connected panels.
    pub sessions: BTreeSet<SessionId>,
    /// The chat offered to the agent.
    pub offered: Option<InteractionId>,
    /// The active item.
    pub active: Option<InteractionId>,
    /// Owned chats, the active one included.
    pub inbox: BTreeSet<InteractionId>,
    /// Calls that ring at the agent or that the agent talks on.
    pub calls: BTreeSet<InteractionId>,
    /// The call the agent talks on.
    pub talking: Option<InteractionId>,
    /// The item that call parked (B4), until the call ends or the agent activates something.
    pub parked_by_call: Option<InteractionId>,
    /// Without new work since then (A11).
    pub idle_since: Timestamp,
    /// Latest closed interactions, newest first.
    pub recent: VecDeque<InteractionId>,
}

/// A chat from its start until its agent is done with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chat {
    /// Itself.
    pub id: InteractionId,
    /// Its conversation.
    pub conversation: ConversationId,
    /// Its queue.
    pub queue: QueueId,
    /// Who the customer says they are.
    pub person: ContentRef,
    /// When the customer came; its place in the queue, too, whatever happens.
    pub started_at: Timestamp,
    /// When an agent first had it in hand.
    pub answered_at: Option<Timestamp>,
    /// Where it is.
    pub stage: Stage,
    /// How often it was offered.
    pub version: u32,
    /// Earlier offers, oldest first.
    pub past_offers: VecDeque<(OfferId, AgentId, OfferFate)>,
    /// Since when the customer waits for a reply: the first unanswered message (B7).
    pub unanswered_since: Option<Timestamp>,
    /// Chosen codes.
    pub codes: Vec<String>,
    /// Text and notes.
    pub remarks: Option<ContentRef>,
    /// What the CRMs said.
    pub found: BTreeMap<ConnectionId, Found>,
}

/// What one CRM said about the customer.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Found {
    /// How the look-up went, once it did.
    pub result: Option<LookupResult>,
    /// What was found.
    pub matches: Option<ContentRef>,
    /// The agent's own choice: a contact, or none of those found (D4).
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "a_choice")]
    pub chosen: Option<Option<Record>>,
}

/// "None of those found" is a choice too; left to itself, serde reads it as no choice at all.
fn a_choice<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Option<Record>>, D::Error> {
    Option::deserialize(from).map(Some)
}

impl Found {
    /// The contact the log goes under: the agent's choice, else the single sure match (D0).
    #[must_use]
    pub fn contact(&self) -> Option<&Record> {
        match (&self.chosen, &self.result) {
            (Some(choice), _) => choice.as_ref(),
            (None, Some(LookupResult::Found { contact, .. })) => contact.as_ref(),
            (None, Some(LookupResult::Failed { .. }) | None) => None,
        }
    }
}

/// Where a chat is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// In its queue.
    Waiting,
    /// Offered to one agent.
    Offered(Offer),
    /// In an agent's inbox.
    Owned {
        /// Whose.
        agent: AgentId,
        /// Where in the inbox.
        place: Place,
        /// In progress or in wrap-up.
        talk: Talk,
    },
}

/// An open offer (A4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// The offer.
    pub id: OfferId,
    /// To whom.
    pub agent: AgentId,
    /// When it was made.
    pub at: Timestamp,
    /// Until when it stands.
    pub deadline: Timestamp,
}

/// What became of an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum OfferFate {
    /// Its agent took it.
    Accepted,
    /// Its agent rejected it.
    Rejected,
    /// Its deadline passed.
    Missed,
    /// It was taken back.
    Withdrawn,
}

/// In progress or in wrap-up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Talk {
    /// In progress.
    Open {
        /// Until when it must be activated, if it was delivered `auto` and still is new.
        unopened_deadline: Option<Timestamp>,
    },
    /// Ended; the agent finishes up.
    WrapUp {
        /// When it ended.
        ended_at: Timestamp,
        /// Who ended it.
        ended_by: Side,
        /// The agent has seen that (B13).
        seen: bool,
        /// The countdown.
        clock: WrapClock,
        /// Extensions left.
        extensions_left: u32,
    },
}

/// A wrap-up's countdown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum WrapClock {
    /// No limit.
    Unlimited,
    /// Runs while the item is active.
    Running {
        /// When it runs out.
        deadline: Timestamp,
    },
    /// Stands still while the item is not active (C5).
    Stopped {
        /// What is left, to the millisecond.
        left: Millis,
    },
}

/// A call from its first word until its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// Itself.
    pub id: InteractionId,
    /// As its telephone system names it.
    pub call: CallId,
    /// Its conversation.
    pub conversation: ConversationId,
    /// The queue it came through.
    pub queue: Option<QueueId>,
    /// The numbers; `None` when it was first heard of by its answer.
    pub numbers: Option<ContentRef>,
    /// The caller withheld the number.
    pub withheld: bool,
    /// Which way it goes.
    #[serde(default)]
    pub direction: Direction,
    /// When it was first heard of.
    pub started_at: Timestamp,
    /// Ringing, dialled or answered.
    pub state: CallState,
    /// Its latest recording.
    #[serde(default)]
    pub recording: Option<ContentRef>,
    /// What the CRMs said.
    pub found: BTreeMap<ConnectionId, Found>,
}

/// Ringing, dialled or answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum CallState {
    /// At these agents.
    Ringing {
        /// Whom.
        agents: BTreeSet<AgentId>,
    },
    /// By this agent, who waits for an answer.
    Dialled {
        /// Who.
        agent: AgentId,
    },
    /// By this agent.
    Answered {
        /// Who.
        agent: AgentId,
        /// When.
        at: Timestamp,
    },
}

impl CallState {
    /// Agents whom the call keeps from chats.
    #[must_use]
    pub fn holders(&self) -> BTreeSet<AgentId> {
        match self {
            Self::Ringing { agents } => agents.clone(),
            Self::Dialled { agent } | Self::Answered { agent, .. } => BTreeSet::from([agent.clone()]),
        }
    }

    /// The agent who is on the phone.
    #[must_use]
    pub fn on_the_phone(&self) -> Option<&AgentId> {
        match self {
            Self::Ringing { .. } => None,
            Self::Dialled { agent } | Self::Answered { agent, .. } => Some(agent),
        }
    }
}

/// A call that is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndedCall {
    /// The call here.
    pub interaction: InteractionId,
    /// Its conversation.
    pub conversation: ConversationId,
    /// Which way it went.
    pub direction: Direction,
    /// The numbers, where they were told.
    pub numbers: Option<ContentRef>,
    /// Its latest recording.
    pub recording: Option<ContentRef>,
    /// Its log goes to the CRMs.
    pub log: bool,
}

/// A closed chat or call whose log the panel still lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closed {
    /// Who had it last.
    pub agent: AgentId,
    /// Who the customer said they were; of a call, its numbers, where they were told.
    pub person: Option<ContentRef>,
    /// Which way it went, if it was a call.
    #[serde(default)]
    pub call: Option<Direction>,
    /// When it was closed.
    pub at: Timestamp,
    /// How it ended.
    pub outcome: Outcome,
    /// Classification was wanted and not given (C6).
    pub not_classified: bool,
    /// Where its log stands, by connection.
    pub deliveries: BTreeMap<ConnectionId, LogState>,
}
