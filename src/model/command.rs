//! Commands: what somebody wishes to happen. The engine answers with events or a refusal.

use crate::content::ContentRef;
use crate::crm::{Direction, LogState, LookupResult, Record};
use crate::ids::{
    AgentId, CallId, CommandId, ConnectionId, ConversationId, InteractionId, OfferId, QueueId, SessionId,
};
use crate::policy::TenantPolicy;
use crate::time::Millis;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who wishes it. Set by the room that authenticated the caller, never taken from the caller's own words.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "actor", rename_all = "snake_case")]
pub enum Actor {
    /// An agent, from the panel.
    Agent {
        /// Which.
        agent: AgentId,
    },
    /// A customer, bound to one conversation.
    Customer {
        /// Which.
        conversation: ConversationId,
    },
    /// A telephone system or another producer on the bus.
    Producer {
        /// The producer's name (the envelope's `source`).
        name: String,
    },
    /// A connection reporting what its CRM said.
    Connection {
        /// Which.
        connection: ConnectionId,
    },
    /// The daemon itself.
    Daemon,
}

/// A presence an agent chooses (A1).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "presence", rename_all = "snake_case")]
pub enum Presence {
    /// Not at work.
    #[default]
    Offline,
    /// May be offered chats.
    Available,
    /// At work, gets nothing.
    OnBreak {
        /// The named reason.
        reason: String,
    },
    /// Finishes what is open and gets nothing new.
    StopNew,
}

/// What a telephone system says about a call (E1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "fact", rename_all = "snake_case")]
pub enum CallFact {
    /// It rings at these agents; a later one replaces the list.
    Ringing {
        /// Agent ids or extensions.
        agents: Vec<String>,
        /// The queue it came through.
        queue: Option<QueueId>,
        /// The numbers, as content.
        numbers: ContentRef,
        /// The caller withheld the number (E2).
        withheld: bool,
        /// Which way it goes; some systems ring at the agent first when the agent dials.
        #[serde(default)]
        direction: Direction,
    },
    /// This agent dialled out and waits for an answer (B4).
    Dialled {
        /// Agent id or extension.
        agent: String,
        /// The queue it is made for.
        queue: Option<QueueId>,
        /// The numbers, as content; `to` is the customer's.
        numbers: ContentRef,
    },
    /// This agent answered, or the customer did whom this agent had dialled.
    Answered {
        /// Agent id or extension.
        agent: String,
    },
    /// It is over. Final; later facts only enrich.
    Ended,
    /// Where the recording can be heard. May come before the end or long after it.
    RecordingReady {
        /// The address, as content.
        recording: ContentRef,
    },
}

/// What is wished.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "wish", rename_all = "snake_case")]
pub enum Wish {
    /// Settings enter the engine (at start and on reload).
    Configure {
        /// The whole new policy of the tenant.
        policy: Box<TenantPolicy>,
    },
    /// The daemon is back after a stop; running timers get the time they had (F2).
    Resume {
        /// How long it was down.
        down: Millis,
    },
    /// The daemon is about to stop: every open offer is taken back, and its chat waits where it waited (F3).
    Drain,
    /// A panel of the agent connected.
    Connect {
        /// The panel's session.
        session: SessionId,
    },
    /// A panel of an agent is gone.
    Disconnect {
        /// Whose.
        agent: AgentId,
        /// The panel's session.
        session: SessionId,
    },
    /// The agent chooses a presence; during work it is kept as one pending wish (A1).
    SetPresence {
        /// Which.
        presence: Presence,
        /// "Yes, although chats are open": going Offline asks first.
        confirmed: bool,
    },
    /// A customer asks for a chat.
    StartChat {
        /// Minted at the edge.
        interaction: InteractionId,
        /// Minted at the edge.
        conversation: ConversationId,
        /// Where to wait.
        queue: QueueId,
        /// Who the customer says they are.
        person: ContentRef,
    },
    /// The agent accepts an offer.
    AcceptOffer {
        /// Which.
        offer: OfferId,
    },
    /// The agent rejects an offer.
    RejectOffer {
        /// Which.
        offer: OfferId,
    },
    /// The agent takes a chat from a `pull` queue.
    TakeChat {
        /// Which.
        interaction: InteractionId,
    },
    /// The agent makes an item the active one (play).
    Activate {
        /// Which.
        interaction: InteractionId,
    },
    /// The agent parks the active item.
    Park {
        /// Which.
        interaction: InteractionId,
    },
    /// Agent or customer writes a message. The command's id is the message's id.
    SendMessage {
        /// Where.
        interaction: InteractionId,
        /// The text, as content.
        text: ContentRef,
    },
    /// Agent or customer ends the chat.
    EndChat {
        /// Which.
        interaction: InteractionId,
    },
    /// The agent has seen that the customer ended (B13).
    SeeEnd {
        /// Which.
        interaction: InteractionId,
    },
    /// The agent wants more wrap-up time.
    ExtendWrapUp {
        /// Which.
        interaction: InteractionId,
    },
    /// The agent is done with wrap-up.
    CompleteWrapUp {
        /// Which.
        interaction: InteractionId,
    },
    /// The agent classifies; a later one replaces an earlier one.
    Classify {
        /// Which.
        interaction: InteractionId,
        /// Codes of the queue's list.
        codes: Vec<String>,
        /// Additional text and notes, as content.
        remarks: Option<ContentRef>,
    },
    /// The agent says who the customer is (D4).
    ChooseContact {
        /// Which interaction.
        interaction: InteractionId,
        /// In which CRM.
        connection: ConnectionId,
        /// The contact; `None` means none of those found.
        contact: Option<Record>,
    },
    /// A telephone system says something about a call.
    ReportCall {
        /// Which call.
        call: CallId,
        /// The id it gets if this is the first word of it; minted at the edge.
        interaction: InteractionId,
        /// The conversation it gets if this is the first word of it; minted at the edge.
        conversation: ConversationId,
        /// What.
        fact: CallFact,
    },
    /// A look-up came back.
    ReportLookup {
        /// For which interaction.
        interaction: InteractionId,
        /// From which CRM.
        connection: ConnectionId,
        /// How it went.
        result: LookupResult,
        /// What was found, as content.
        matches: Option<ContentRef>,
    },
    /// A log went somewhere, or did not.
    ReportDelivery {
        /// Of which interaction.
        interaction: InteractionId,
        /// To which CRM.
        connection: ConnectionId,
        /// Where it stands.
        state: LogState,
    },
}

/// A wish with its id and its author.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Command {
    /// At most once per tenant for seven days: same id and body, same answer; other body, refused.
    pub id: CommandId,
    /// Who.
    pub by: Actor,
    /// What.
    pub wish: Wish,
}
