//! Events: facts, in the past tense, as the journal keeps them and the bus tells them.
//!
//! Events only grow: a field may be added with a default, a meaning never changes, and a new shape is a new version
//! in the name. No event holds what a person wrote or is called; those are [`ContentRef`]s.

use crate::command::Presence;
use crate::content::ContentRef;
use crate::crm::{Direction, LogState, LookupResult, Outcome, Record, Side};
use crate::ids::{
    AgentId, CallId, CommandId, ConnectionId, ConversationId, InteractionId, OfferId, QueueId, SessionId,
};
use crate::policy::TenantPolicy;
use crate::time::{Millis, Timestamp};
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
}

/// How a chat came to its agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AssignedHow {
    /// By the queue, `auto`.
    Auto,
    /// Taken from a `pull` queue.
    Taken,
}

/// Why an owned chat went back to its queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReturnedWhy {
    /// Delivered `auto` and never activated (A3).
    Unopened,
    /// The agent went Offline.
    AgentOffline,
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
}

/// A fact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type")]
pub enum Event {
    /// A tenant's journal begins.
    #[serde(rename = "tenant.opened.v1")]
    TenantOpened {
        /// Where ids that the engine mints come from.
        seed: u64,
    },
    /// Settings took effect.
    #[serde(rename = "tenant.configured.v1")]
    Configured {
        /// The whole policy.
        policy: Box<TenantPolicy>,
    },
    /// The daemon was down and is back; running deadlines moved by this much (F2).
    #[serde(rename = "tenant.resumed.v1")]
    Resumed {
        /// How long it was down.
        down: Millis,
    },
    /// A panel connected.
    #[serde(rename = "agent.connected.v1")]
    AgentConnected {
        /// Whose.
        agent: AgentId,
        /// Which.
        session: SessionId,
    },
    /// A panel is gone.
    #[serde(rename = "agent.disconnected.v1")]
    AgentDisconnected {
        /// Whose.
        agent: AgentId,
        /// Which.
        session: SessionId,
    },
    /// A presence changed.
    #[serde(rename = "agent.presence_changed.v1")]
    PresenceChanged {
        /// Whose.
        agent: AgentId,
        /// To what.
        presence: Presence,
        /// Why.
        why: PresenceWhy,
    },
    /// A presence is wished for when the active item ends; `None` takes the wish back.
    #[serde(rename = "agent.presence_wished.v1")]
    PresenceWished {
        /// By whom.
        agent: AgentId,
        /// Which.
        presence: Option<Presence>,
    },
    /// A customer asked for a chat and waits.
    #[serde(rename = "chat.started.v1")]
    ChatStarted {
        /// The chat.
        interaction: InteractionId,
        /// Its conversation.
        conversation: ConversationId,
        /// Where it waits.
        queue: QueueId,
        /// Who the customer says they are.
        person: ContentRef,
    },
    /// A chat was offered to an agent; capacity is reserved from here (A5).
    #[serde(rename = "chat.offered.v1")]
    ChatOffered {
        /// The chat.
        interaction: InteractionId,
        /// To whom.
        agent: AgentId,
        /// The offer.
        offer: OfferId,
        /// How many times this chat has been offered, this one included.
        version: u32,
        /// Until when it stands.
        deadline: Timestamp,
    },
    /// The offer was accepted; the chat is the agent's active item.
    #[serde(rename = "chat.accepted.v1")]
    OfferAccepted {
        /// The chat.
        interaction: InteractionId,
        /// By whom.
        agent: AgentId,
        /// The offer.
        offer: OfferId,
    },
    /// The offer was rejected.
    #[serde(rename = "chat.rejected.v1")]
    OfferRejected {
        /// The chat.
        interaction: InteractionId,
        /// By whom.
        agent: AgentId,
        /// The offer.
        offer: OfferId,
    },
    /// The offer's deadline passed.
    #[serde(rename = "chat.missed.v1")]
    OfferMissed {
        /// The chat.
        interaction: InteractionId,
        /// By whom.
        agent: AgentId,
        /// The offer.
        offer: OfferId,
    },
    /// The offer was taken back.
    #[serde(rename = "chat.offer_withdrawn.v1")]
    OfferWithdrawn {
        /// The chat.
        interaction: InteractionId,
        /// From whom.
        agent: AgentId,
        /// The offer.
        offer: OfferId,
        /// Why.
        why: WithdrawnWhy,
    },
    /// A chat came into an inbox without an offer; it is new there (B1).
    #[serde(rename = "chat.assigned.v1")]
    ChatAssigned {
        /// The chat.
        interaction: InteractionId,
        /// To whom.
        agent: AgentId,
        /// How.
        how: AssignedHow,
        /// Until when it must be activated, for `auto`.
        deadline: Option<Timestamp>,
    },
    /// A chat left its agent for the queue, to the place it had.
    #[serde(rename = "chat.returned.v1")]
    ChatReturned {
        /// The chat.
        interaction: InteractionId,
        /// From whom.
        agent: AgentId,
        /// Why.
        why: ReturnedWhy,
    },
    /// An item became the agent's active one.
    #[serde(rename = "item.activated.v1")]
    ItemActivated {
        /// The item.
        interaction: InteractionId,
        /// Whose.
        agent: AgentId,
        /// When its wrap-up ends, if one runs from here (C5).
        wrap_up_deadline: Option<Timestamp>,
    },
    /// The active item was parked.
    #[serde(rename = "item.parked.v1")]
    ItemParked {
        /// The item.
        interaction: InteractionId,
        /// Whose.
        agent: AgentId,
        /// By whom.
        by: ParkedBy,
        /// What is left of its wrap-up, if one stopped here (C5).
        wrap_up_left: Option<Millis>,
    },
    /// Somebody wrote something.
    #[serde(rename = "chat.message_sent.v1")]
    MessageSent {
        /// Where.
        interaction: InteractionId,
        /// The message; the id its writer gave it.
        message: CommandId,
        /// Which side.
        from: Side,
        /// The agent, when the agent's side wrote.
        agent: Option<AgentId>,
        /// The text.
        text: ContentRef,
    },
    /// A chat ended.
    #[serde(rename = "chat.ended.v1")]
    ChatEnded {
        /// Which.
        interaction: InteractionId,
        /// By which side.
        by: Side,
    },
    /// The agent saw that the customer had ended (B13).
    #[serde(rename = "chat.end_seen.v1")]
    EndSeen {
        /// Which.
        interaction: InteractionId,
    },
    /// Wrap-up began (C3).
    #[serde(rename = "wrap_up.started.v1")]
    WrapUpStarted {
        /// Of which chat.
        interaction: InteractionId,
        /// Whose.
        agent: AgentId,
        /// When it runs out; `None` when it is parked or has no limit.
        deadline: Option<Timestamp>,
        /// How long it has in all; `None` when it has no limit.
        time: Option<Millis>,
    },
    /// Wrap-up got more time (C4).
    #[serde(rename = "wrap_up.extended.v1")]
    WrapUpExtended {
        /// Of which chat.
        interaction: InteractionId,
        /// When it now runs out; `None` when parked.
        deadline: Option<Timestamp>,
        /// What is left, when parked.
        time_left: Option<Millis>,
        /// How many extensions are left.
        extensions_left: u32,
    },
    /// Wrap-up is done.
    #[serde(rename = "wrap_up.completed.v1")]
    WrapUpCompleted {
        /// Of which chat.
        interaction: InteractionId,
        /// Whose.
        agent: AgentId,
        /// By whom.
        by: CompletedBy,
        /// Classification was wanted and not given (C6).
        not_classified: bool,
        /// The agent never saw that the customer had ended; listed for follow-up.
        unseen: bool,
    },
    /// The agent classified.
    #[serde(rename = "interaction.classified.v1")]
    Classified {
        /// What.
        interaction: InteractionId,
        /// By whom.
        agent: AgentId,
        /// The codes.
        codes: Vec<String>,
        /// Text and notes.
        remarks: Option<ContentRef>,
    },
    /// The interaction is closed; its log can be sent.
    #[serde(rename = "interaction.closed.v1")]
    InteractionClosed {
        /// Which.
        interaction: InteractionId,
        /// How it ended (B20).
        outcome: Outcome,
        /// Its conversation.
        conversation: ConversationId,
        /// Who had it last.
        agent: Option<AgentId>,
        /// A log goes to the CRMs.
        log: bool,
    },
    /// A call rings.
    #[serde(rename = "call.rang.v1")]
    CallRang {
        /// The call as its system names it.
        call: CallId,
        /// The call here.
        interaction: InteractionId,
        /// Its conversation.
        conversation: ConversationId,
        /// Through which queue.
        queue: Option<QueueId>,
        /// At whom.
        agents: Vec<AgentId>,
        /// The numbers.
        numbers: ContentRef,
        /// The caller withheld the number.
        withheld: bool,
        /// Which way it goes.
        #[serde(default)]
        direction: Direction,
    },
    /// An agent dialled; nobody has answered yet.
    #[serde(rename = "call.dialled.v1")]
    CallDialled {
        /// The call as its system names it.
        call: CallId,
        /// The call here.
        interaction: InteractionId,
        /// Its conversation.
        conversation: ConversationId,
        /// For which queue.
        queue: Option<QueueId>,
        /// By whom.
        agent: AgentId,
        /// The numbers; `to` is the customer's.
        numbers: ContentRef,
    },
    /// An agent answered a call. One never heard of before starts here, late-joined.
    #[serde(rename = "call.answered.v1")]
    CallAnswered {
        /// The call as its system names it.
        call: CallId,
        /// The call here.
        interaction: InteractionId,
        /// Its conversation.
        conversation: ConversationId,
        /// By whom.
        agent: AgentId,
    },
    /// A call is over.
    #[serde(rename = "call.ended.v1")]
    CallEnded {
        /// The call as its system names it.
        call: CallId,
        /// The call here.
        interaction: InteractionId,
        /// How it ended.
        outcome: Outcome,
    },
    /// The recording of a call can be heard.
    #[serde(rename = "call.recording_ready.v1")]
    RecordingReady {
        /// The call as its system names it.
        call: CallId,
        /// The call here.
        interaction: InteractionId,
        /// Its conversation.
        conversation: ConversationId,
        /// Where, as content.
        recording: ContentRef,
        /// The call is over and its log goes to the CRMs, so that it has to be brought up to date there (D6).
        log: bool,
    },
    /// A CRM answered a look-up.
    #[serde(rename = "interaction.looked_up.v1")]
    LookedUp {
        /// For what.
        interaction: InteractionId,
        /// Which CRM.
        connection: ConnectionId,
        /// How it went.
        result: LookupResult,
        /// What was found.
        matches: Option<ContentRef>,
    },
    /// The agent said who the customer is.
    #[serde(rename = "interaction.contact_chosen.v1")]
    ContactChosen {
        /// Of what.
        interaction: InteractionId,
        /// By whom.
        agent: AgentId,
        /// In which CRM.
        connection: ConnectionId,
        /// The contact; `None` means none of those found.
        contact: Option<Record>,
    },
    /// A log went somewhere, or did not.
    #[serde(rename = "log.delivery_reported.v1")]
    DeliveryReported {
        /// Of what.
        interaction: InteractionId,
        /// To which CRM.
        connection: ConnectionId,
        /// Where it stands.
        state: LogState,
    },
}

impl Event {
    /// The event's name and version, as the journal and the bus write it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::TenantOpened { .. } => "tenant.opened.v1",
            Self::Configured { .. } => "tenant.configured.v1",
            Self::Resumed { .. } => "tenant.resumed.v1",
            Self::AgentConnected { .. } => "agent.connected.v1",
            Self::AgentDisconnected { .. } => "agent.disconnected.v1",
            Self::PresenceChanged { .. } => "agent.presence_changed.v1",
            Self::PresenceWished { .. } => "agent.presence_wished.v1",
            Self::ChatStarted { .. } => "chat.started.v1",
            Self::ChatOffered { .. } => "chat.offered.v1",
            Self::OfferAccepted { .. } => "chat.accepted.v1",
            Self::OfferRejected { .. } => "chat.rejected.v1",
            Self::OfferMissed { .. } => "chat.missed.v1",
            Self::OfferWithdrawn { .. } => "chat.offer_withdrawn.v1",
            Self::ChatAssigned { .. } => "chat.assigned.v1",
            Self::ChatReturned { .. } => "chat.returned.v1",
            Self::ItemActivated { .. } => "item.activated.v1",
            Self::ItemParked { .. } => "item.parked.v1",
            Self::MessageSent { .. } => "chat.message_sent.v1",
            Self::ChatEnded { .. } => "chat.ended.v1",
            Self::EndSeen { .. } => "chat.end_seen.v1",
            Self::WrapUpStarted { .. } => "wrap_up.started.v1",
            Self::WrapUpExtended { .. } => "wrap_up.extended.v1",
            Self::WrapUpCompleted { .. } => "wrap_up.completed.v1",
            Self::Classified { .. } => "interaction.classified.v1",
            Self::InteractionClosed { .. } => "interaction.closed.v1",
            Self::CallRang { .. } => "call.rang.v1",
            Self::CallDialled { .. } => "call.dialled.v1",
            Self::CallAnswered { .. } => "call.answered.v1",
            Self::CallEnded { .. } => "call.ended.v1",
            Self::RecordingReady { .. } => "call.recording_ready.v1",
            Self::LookedUp { .. } => "interaction.looked_up.v1",
            Self::ContactChosen { .. } => "interaction.contact_chosen.v1",
            Self::DeliveryReported { .. } => "log.delivery_reported.v1",
        }
    }

    /// The interaction it is about, where it is about one.
    #[must_use]
    pub fn interaction(&self) -> Option<InteractionId> {
        match self {
            Self::TenantOpened { .. }
            | Self::Configured { .. }
            | Self::Resumed { .. }
            | Self::AgentConnected { .. }
            | Self::AgentDisconnected { .. }
            | Self::PresenceChanged { .. }
            | Self::PresenceWished { .. } => None,
            Self::ChatStarted { interaction, .. }
            | Self::ChatOffered { interaction, .. }
            | Self::OfferAccepted { interaction, .. }
            | Self::OfferRejected { interaction, .. }
            | Self::OfferMissed { interaction, .. }
            | Self::OfferWithdrawn { interaction, .. }
            | Self::ChatAssigned { interaction, .. }
            | Self::ChatReturned { interaction, .. }
            | Self::ItemActivated { interaction, .. }
            | Self::ItemParked { interaction, .. }
            | Self::MessageSent { interaction, .. }
            | Self::ChatEnded { interaction, .. }
            | Self::EndSeen { interaction }
            | Self::WrapUpStarted { interaction, .. }
            | Self::WrapUpExtended { interaction, .. }
            | Self::WrapUpCompleted { interaction, .. }
            | Self::Classified { interaction, .. }
            | Self::InteractionClosed { interaction, .. }
            | Self::CallRang { interaction, .. }
            | Self::CallDialled { interaction, .. }
            | Self::CallAnswered { interaction, .. }
            | Self::CallEnded { interaction, .. }
            | Self::RecordingReady { interaction, .. }
            | Self::LookedUp { interaction, .. }
            | Self::ContactChosen { interaction, .. }
            | Self::DeliveryReported { interaction, .. } => Some(*interaction),
        }
    }
}
