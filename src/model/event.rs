//! Events: facts, in the past tense, as the journal keeps them and the bus tells them.
//!
//! Events only grow: a field may be added with a default, a meaning never changes, and a new shape is a new version
//! in the name. No event holds what a person wrote or is called; those are [`ContentRef`]s.

mod about;
mod why;

pub use why::{
    AssignedHow, CompletedBy, Guest, OverflowWhy, ParkedBy, PresenceWhy, ReturnedWhy, Service, Suggestion,
    TransferFailed, WithdrawnWhy,
};

use crate::command::{Notice, Open, Presence, SupervisorAct};
use crate::content::ContentRef;
use crate::crm::{Channel, Direction, LogState, LookupResult, Outcome, Record, Side};
use crate::ids::{
    AgentId, CallId, CommandId, ConnectionId, ConversationId, InteractionId, Mark, OfferId, QueueId,
    ScheduleId, SessionId, ShareId, SkillId,
};
use crate::policy::TenantPolicy;
use crate::time::{Millis, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

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
    /// Opening hours for the time to come (A12).
    #[serde(rename = "tenant.hours_set.v1")]
    HoursSet {
        /// By schedule.
        hours: BTreeMap<ScheduleId, Vec<Open>>,
    },
    /// A schedule opened or closed: the moment came, or its hours were set (A12).
    #[serde(rename = "tenant.hours_turned.v1")]
    HoursTurned {
        /// Which.
        schedule: ScheduleId,
        /// Open from here on, or closed.
        open: bool,
        /// When it turns again; `None` when nothing more is known.
        next: Option<Timestamp>,
    },
    /// A new day of the tenant's calendar (G1).
    #[serde(rename = "tenant.day_began.v1")]
    DayBegan {
        /// The date.
        day: String,
    },
    /// On which channels and queues an agent is available (A2).
    #[serde(rename = "agent.availability_changed.v1")]
    AvailabilityChanged {
        /// Whose.
        agent: AgentId,
        /// Channels.
        channels: BTreeSet<Channel>,
        /// Queues; `None` is all of the agent's own.
        queues: Option<BTreeSet<QueueId>>,
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
        /// Skills wanted beyond the queue's own, at level 1 (A11).
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        skills: BTreeSet<SkillId>,
        /// What the visitor is recognised by.
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        marks: BTreeSet<Mark>,
        /// The earlier chat it goes on from (B15).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        previous: Option<InteractionId>,
        /// The agent who gets it if free: who had the earlier chat (B15), or this visitor last (A11, `sticky`).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        preferred: Option<AgentId>,
    },
    /// What a waiting chat needs was lowered by one level (A11).
    #[serde(rename = "chat.needs_relaxed.v1")]
    NeedsRelaxed {
        /// Which.
        interaction: InteractionId,
        /// How often now.
        steps: u8,
    },
    /// An agent who had declined a waiting chat may be offered it again (A9).
    #[serde(rename = "chat.decline_forgotten.v1")]
    DeclineForgotten {
        /// Which.
        interaction: InteractionId,
        /// Who.
        agent: AgentId,
    },
    /// A chat left a queue that could not serve it (A12).
    #[serde(rename = "chat.overflowed.v1")]
    ChatOverflowed {
        /// Which.
        interaction: InteractionId,
        /// Out of which queue.
        from: QueueId,
        /// Into which; `None` is the offline form.
        to: Option<QueueId>,
        /// Why.
        why: OverflowWhy,
        /// Until when a message can be left, in the offline form.
        deadline: Option<Timestamp>,
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
    /// A chat goes to another queue by its agent's hand (B12); the agent's leg is over.
    #[serde(rename = "chat.transferred.v1")]
    ChatTransferred {
        /// Which.
        interaction: InteractionId,
        /// By whom.
        agent: AgentId,
        /// Where to.
        to: QueueId,
        /// The note.
        note: Option<ContentRef>,
    },
    /// A chat was offered to another agent by its owner, who keeps it until then (B12). Capacity is reserved.
    #[serde(rename = "chat.transfer_offered.v1")]
    TransferOffered {
        /// Which.
        interaction: InteractionId,
        /// By whom.
        from: AgentId,
        /// To whom.
        to: AgentId,
        /// The offer.
        offer: OfferId,
        /// Until when it stands.
        deadline: Timestamp,
        /// The note.
        note: Option<ContentRef>,
        /// The agent joins first, and is handed the chat later.
        warm: bool,
    },
    /// A transfer was accepted. Cold, the chat is the agent's active item and the sender's leg is over; warm, the agent
    /// is a guest.
    #[serde(rename = "chat.transfer_accepted.v1")]
    TransferAccepted {
        /// Which.
        interaction: InteractionId,
        /// From whom.
        from: AgentId,
        /// By whom.
        to: AgentId,
        /// The offer.
        offer: OfferId,
        /// The agent is a guest.
        warm: bool,
    },
    /// A transfer did not come about; the sender still owns the chat.
    #[serde(rename = "chat.transfer_failed.v1")]
    TransferFailed {
        /// Which.
        interaction: InteractionId,
        /// By whom it was offered.
        from: AgentId,
        /// To whom.
        to: AgentId,
        /// The offer.
        offer: OfferId,
        /// Why.
        failed: TransferFailed,
    },
    /// The owner gave the chat to a guest, whose active item it is (B12, warm).
    #[serde(rename = "chat.handed_over.v1")]
    HandedOver {
        /// Which.
        interaction: InteractionId,
        /// By whom.
        from: AgentId,
        /// To whom.
        to: AgentId,
    },
    /// A further agent is at a chat.
    #[serde(rename = "chat.guest_joined.v1")]
    GuestJoined {
        /// Which.
        interaction: InteractionId,
        /// Who.
        agent: AgentId,
        /// In what capacity.
        guest: Guest,
    },
    /// A further agent has left a chat.
    #[serde(rename = "chat.guest_left.v1")]
    GuestLeft {
        /// Which.
        interaction: InteractionId,
        /// Who.
        agent: AgentId,
    },
    /// An agent wrote what only agents see.
    #[serde(rename = "chat.whispered.v1")]
    Whispered {
        /// Where.
        interaction: InteractionId,
        /// The message.
        message: CommandId,
        /// Who.
        agent: AgentId,
        /// The text.
        text: ContentRef,
    },
    /// Tieline said something to the customer.
    #[serde(rename = "chat.notice_sent.v1")]
    NoticeSent {
        /// Where.
        interaction: InteractionId,
        /// What.
        notice: Notice,
        /// The queue's wording of it at that time.
        text: String,
        /// The agent who sent it; `None` when it came by itself.
        agent: Option<AgentId>,
    },
    /// Somebody sent a file (B18).
    #[serde(rename = "chat.file_sent.v1")]
    FileSent {
        /// Where.
        interaction: InteractionId,
        /// The message; the id its sender gave it.
        message: CommandId,
        /// Which side.
        from: Side,
        /// The agent, when the agent's side sent it.
        agent: Option<AgentId>,
        /// The file.
        file: ContentRef,
        /// Its media type.
        media_type: String,
    },
    /// The agent is advised to do something.
    #[serde(rename = "chat.suggested.v1")]
    Suggested {
        /// Where.
        interaction: InteractionId,
        /// What.
        suggestion: Suggestion,
    },
    /// The transcript was shared with the customer under a link (B14).
    #[serde(rename = "chat.history_shared.v1")]
    HistoryShared {
        /// Which.
        interaction: InteractionId,
        /// Its conversation.
        conversation: ConversationId,
        /// By whom.
        agent: AgentId,
        /// What the link names.
        share: ShareId,
        /// When the link dies.
        expires_at: Timestamp,
    },
    /// The customer came back during wrap-up; the chat is in progress again, with its agent and in its place (B15).
    #[serde(rename = "chat.reopened.v1")]
    ChatReopened {
        /// Which.
        interaction: InteractionId,
        /// Whose.
        agent: AgentId,
    },
    /// A case was opened in mid-chat (B16); the CRMs get what is known so far.
    #[serde(rename = "chat.case_opened.v1")]
    CaseOpened {
        /// Which.
        interaction: InteractionId,
        /// Its conversation.
        conversation: ConversationId,
        /// By whom.
        agent: AgentId,
    },
    /// A chat was flagged as abusive (C7).
    #[serde(rename = "chat.abuse_flagged.v1")]
    AbuseFlagged {
        /// Which.
        interaction: InteractionId,
        /// By whom.
        agent: AgentId,
        /// The note.
        note: Option<ContentRef>,
        /// What the visitor is blocked by from here; empty when the queue does not block.
        blocked: BTreeSet<Mark>,
    },
    /// Fields of a script were filled (G3).
    #[serde(rename = "interaction.script_filled.v1")]
    ScriptFilled {
        /// Of what.
        interaction: InteractionId,
        /// By whom.
        agent: AgentId,
        /// The answers.
        answers: ContentRef,
    },
    /// A supervisor acted; what it leads to follows in the same decision (A15).
    #[serde(rename = "supervisor.acted.v1")]
    SupervisorActed {
        /// Who.
        supervisor: AgentId,
        /// What.
        act: SupervisorAct,
        /// Whose work it touches, where it touches somebody's.
        agent: Option<AgentId>,
        /// Why.
        reason: String,
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
        /// How well it was served; nothing for calls.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        service: Option<Service>,
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
    /// The other side of a call was put on hold.
    #[serde(rename = "call.held.v1")]
    CallHeld {
        /// The call as its system names it.
        call: CallId,
        /// The call here.
        interaction: InteractionId,
    },
    /// The other side of a call was taken off hold.
    #[serde(rename = "call.resumed.v1")]
    CallResumed {
        /// The call as its system names it.
        call: CallId,
        /// The call here.
        interaction: InteractionId,
    },
    /// A call went from one agent to another.
    #[serde(rename = "call.transferred.v1")]
    CallTransferred {
        /// The call as its system names it.
        call: CallId,
        /// The call here.
        interaction: InteractionId,
        /// Its conversation.
        conversation: ConversationId,
        /// Who had it.
        from: AgentId,
        /// Who has it.
        to: AgentId,
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
        /// Nobody said so: nothing was heard of it for as long as a call may last.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        presumed: bool,
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
