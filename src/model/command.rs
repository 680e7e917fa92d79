//! Commands: what somebody wishes to happen. The engine answers with events or a refusal.

use crate::content::ContentRef;
use crate::crm::{Channel, Direction, LogState, LookupResult, Record};
use crate::ids::{
    AgentId, CallId, CommandId, ConnectionId, ConversationId, InteractionId, Mark, OfferId, QueueId,
    ScheduleId, SessionId, SkillId,
};
use crate::policy::TenantPolicy;
use crate::time::{Millis, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

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

/// One stretch of opening hours, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Open {
    /// From this moment on.
    pub from: Timestamp,
    /// Until just before this one.
    pub until: Timestamp,
}

/// Where a transfer goes (B12).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "to", rename_all = "snake_case")]
pub enum TransferTo {
    /// A queue: the chat leaves at once and waits there.
    Queue {
        /// Which.
        queue: QueueId,
    },
    /// An agent: an offer; the sender owns the chat until it is accepted.
    Agent {
        /// Which.
        agent: AgentId,
        /// Warm: on acceptance the agent joins as a second one, and the owner hands over when both are ready.
        #[serde(default)]
        warm: bool,
    },
}

/// Something Tieline says to a customer in the queue's own wording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Notice {
    /// Are you still there (B8).
    Nudge,
    /// The chat is closed for silence (B8).
    Closing,
    /// We need a few minutes (B16).
    FewMinutes,
    /// You go to another queue or agent (B12).
    Transferred,
    /// The agent's connection was lost (A17).
    AgentLost,
    /// Another queue serves you (A12).
    Overflowed,
    /// Leave a message (A12).
    Offline,
}

/// What a supervisor does to others' work (A15). Each comes with a reason, and the agent sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "act", rename_all = "snake_case")]
pub enum SupervisorAct {
    /// Sets an agent's presence at once.
    SetPresence {
        /// Whose.
        agent: AgentId,
        /// To what.
        presence: Presence,
    },
    /// Takes a chat in progress or under offer back into its queue, ahead of others. Its agent is left out for it as
    /// one who declined it (A9), so that it does not come straight back.
    Requeue {
        /// Which.
        interaction: InteractionId,
    },
    /// Gives a waiting or owned chat to an agent, whatever presence and capacity say; it arrives as new. An owned one
    /// must be in progress. Oneself as the agent is taking over.
    Assign {
        /// Which.
        interaction: InteractionId,
        /// To whom.
        agent: AgentId,
    },
    /// Completes a stuck wrap-up.
    FinishWrapUp {
        /// Of which interaction.
        interaction: InteractionId,
    },
    /// Joins a chat in progress: reads along, whispers, and writes to the customer.
    Join {
        /// Which.
        interaction: InteractionId,
    },
    /// Lets blocked visitors in again (C7).
    Unblock {
        /// Whom.
        marks: BTreeSet<Mark>,
    },
}

impl SupervisorAct {
    /// The interaction it is about, where it is about one.
    #[must_use]
    pub fn interaction(&self) -> Option<InteractionId> {
        match self {
            Self::SetPresence { .. } | Self::Unblock { .. } => None,
            Self::Requeue { interaction }
            | Self::Assign { interaction, .. }
            | Self::FinishWrapUp { interaction }
            | Self::Join { interaction } => Some(*interaction),
        }
    }
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
    /// Its agent put the other side on hold.
    Held,
    /// Its agent took the other side off hold.
    Resumed,
    /// It is with this agent now; whoever had it is done with it.
    Transferred {
        /// Agent id or extension.
        to: String,
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
    /// The agent chooses on which channels and queues to be available (A2).
    SetAvailability {
        /// Channels; `chat` missing means that no chat is given.
        channels: BTreeSet<Channel>,
        /// Queues out of the agent's own; `None` is all.
        queues: Option<BTreeSet<QueueId>>,
    },
    /// Opening hours, expanded to UTC for the time to come; replaces what was known (A12). Stretches of one schedule
    /// are in order and do not overlap. A schedule that is not named is closed.
    SetHours {
        /// By schedule.
        hours: BTreeMap<ScheduleId, Vec<Open>>,
    },
    /// A new day of the tenant's calendar begins: figures of the day start anew (G1).
    BeginDay {
        /// The date, `2026-02-28`.
        day: String,
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
        /// Skills wanted beyond the queue's own, at level 1 (A11); at most 5.
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        skills: BTreeSet<SkillId>,
        /// What the visitor is recognised by; at most 4.
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        marks: BTreeSet<Mark>,
        /// The earlier chat it goes on from, where the edge has proof that it was the same customer's (B15).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        previous: Option<InteractionId>,
    },
    /// The customer of an ended chat comes back (B15). In wrap-up the chat goes on with its agent; within the queue's
    /// time it becomes the new interaction of the same conversation; later it is refused with `expired`, and the edge
    /// starts a new chat that names the old one as `previous`.
    ReturnToChat {
        /// The chat that ended.
        interaction: InteractionId,
        /// The id it gets if it becomes a new interaction; minted at the edge.
        fresh: InteractionId,
    },
    /// The customer leaves a message in the offline form (A12); the interaction closes and its log goes to the CRMs.
    LeaveMessage {
        /// Which.
        interaction: InteractionId,
        /// The text, as content.
        text: ContentRef,
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
    /// Agent or customer sends a file (B18). The command's id is the message's id.
    SendFile {
        /// Where.
        interaction: InteractionId,
        /// The file, as content; `bytes` counts the file's own, `chars` its name's.
        file: ContentRef,
        /// Its media type, as found by looking at the bytes.
        media_type: String,
    },
    /// An agent at the chat writes what only the other agents there see (A15, B12). The command's id is the
    /// message's id.
    Whisper {
        /// Where.
        interaction: InteractionId,
        /// The text, as content.
        text: ContentRef,
    },
    /// The agent sends one of the queue's own notices to the customer: `nudge`, `closing` or `few_minutes`.
    SendNotice {
        /// Where.
        interaction: InteractionId,
        /// Which.
        notice: Notice,
    },
    /// The agent hands the chat on (B12).
    Transfer {
        /// Which.
        interaction: InteractionId,
        /// Where to.
        to: TransferTo,
        /// A note for whoever takes it, as content.
        note: Option<ContentRef>,
        /// "Yes, although the target is closed, unstaffed or full".
        confirmed: bool,
    },
    /// The agent takes back a transfer that has not been accepted.
    CancelTransfer {
        /// Of which chat.
        interaction: InteractionId,
    },
    /// The owner of a chat gives it to an agent who has joined it (B12, warm).
    HandOver {
        /// Which.
        interaction: InteractionId,
        /// To whom.
        agent: AgentId,
    },
    /// An agent who had joined a chat leaves it.
    LeaveChat {
        /// Which.
        interaction: InteractionId,
    },
    /// The agent shares the transcript with the customer under a link that expires (B14).
    ShareHistory {
        /// Of which chat.
        interaction: InteractionId,
    },
    /// The agent opens a case in mid-chat (B16); the chat goes on.
    OpenCase {
        /// For which chat.
        interaction: InteractionId,
    },
    /// The agent flags a chat as abusive (C7), in progress or in wrap-up.
    FlagAbuse {
        /// Which.
        interaction: InteractionId,
        /// A note, as content.
        note: Option<ContentRef>,
    },
    /// The agent filled fields of the queue's script (G3); a later one replaces an earlier one.
    FillScript {
        /// For which chat or call.
        interaction: InteractionId,
        /// The answers, as content.
        answers: ContentRef,
    },
    /// A supervisor acts (A15).
    Supervise {
        /// What.
        act: SupervisorAct,
        /// Why, in words; 1 to 200 characters. The agent concerned sees it.
        reason: String,
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
