//! What the machine remembers. Every state is an enum that carries its data.

use crate::index::{Index, Standing};
use crate::lines::LineNo;
use crate::table::Table;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use tieline_model::command::{Open, Presence};
use tieline_model::content::ContentRef;
use tieline_model::crm::{Channel, Direction, LogState, LookupResult, Outcome, Record, Side};
use tieline_model::event::{Guest, Service, Suggestion, TransferFailed};
use tieline_model::live::Place;
use tieline_model::policy::{AgentPolicy, QueuePolicy, TenantPolicy};
use tieline_model::{
    AgentId, CallId, ConnectionId, ConversationId, InteractionId, Mark, Millis, OfferId, QueueId, ScheduleId,
    Seq, SessionId, SkillId, Timestamp,
};

/// Latest logs remembered per agent, for the panel's list.
pub(crate) const RECENT_LOGS_MAX: usize = 10;
/// Ended calls remembered per tenant, so that a late "ringing" of one does not ring and a late recording finds its
/// call.
pub(crate) const ENDED_CALLS_MAX: usize = 10_000;
/// Earlier offers remembered per chat, so that a late answer learns what became of its offer.
pub(crate) const PAST_OFFERS_MAX: usize = 16;
/// Ended chats remembered per tenant, so that their customers may come back (B15); beyond that the oldest are forgotten.
pub(crate) const LEFT_MAX: usize = 100_000;
/// Visitors whose last agent is remembered per tenant (A11, `sticky`).
pub(crate) const LAST_AGENTS_MAX: usize = 10_000;

/// One tenant.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Engine {
    pub(crate) seed: u64,
    pub(crate) seq: Seq,
    pub(crate) now: Timestamp,
    pub(crate) policy: TenantPolicy,
    pub(crate) agents: Table<AgentId, Agent>,
    pub(crate) chats: Table<InteractionId, Chat>,
    pub(crate) calls: Table<InteractionId, Call>,
    pub(crate) call_ids: BTreeMap<CallId, InteractionId>,
    pub(crate) ended_calls: VecDeque<CallId>,
    /// What late facts of them need; nothing for those that were first heard of by their end.
    #[serde(default)]
    pub(crate) ended: BTreeMap<CallId, Option<EndedCall>>,
    pub(crate) closed: Table<InteractionId, Closed>,
    pub(crate) offers: Table<OfferId, InteractionId>,
    /// Chats that ended lately, to which their customers may come back (B15).
    #[serde(default)]
    pub(crate) left: Table<InteractionId, Left>,
    #[serde(default)]
    pub(crate) left_order: VecDeque<InteractionId>,
    /// Who had a visitor last (A11, `sticky`), and the order in which to forget.
    #[serde(default)]
    pub(crate) last_agents: BTreeMap<Mark, AgentId>,
    #[serde(default)]
    pub(crate) last_agents_order: VecDeque<Mark>,
    /// Visitors who are blocked (C7).
    #[serde(default)]
    pub(crate) blocked: BTreeSet<Mark>,
    /// Opening hours, and how each schedule stands (A12).
    #[serde(default)]
    pub(crate) hours: BTreeMap<ScheduleId, Vec<Open>>,
    #[serde(default)]
    pub(crate) turned: BTreeMap<ScheduleId, Turned>,
    /// Figures of the queues.
    #[serde(default)]
    pub(crate) figures: Table<QueueId, QueueFigures>,
    /// The tenant's date (G1).
    #[serde(default)]
    pub(crate) day: String,
    /// Derived from the rest; rebuilt when a snapshot is restored.
    #[serde(skip)]
    pub(crate) index: Index,
}

/// How a schedule stands (A12).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Turned {
    /// Open now.
    pub open: bool,
    /// When that changes; `None` when nothing more is known.
    pub next: Option<Timestamp>,
}

/// A chat that ended lately (B15).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Left {
    /// Its conversation.
    pub conversation: ConversationId,
    /// Its queue.
    pub queue: QueueId,
    /// Who had it last.
    pub agent: Option<AgentId>,
    /// Who the customer says they are.
    pub person: ContentRef,
    /// What the visitor is recognised by.
    pub marks: BTreeSet<Mark>,
    /// Skills it wanted beyond its queue's own.
    #[serde(default)]
    pub skills: BTreeSet<SkillId>,
    /// What it went on as, once its customer had come back.
    #[serde(default)]
    pub returned_as: Option<InteractionId>,
    /// Until when a return is one to the same conversation.
    pub until: Timestamp,
}

/// What a queue did, for expectations (A13) and the day (G1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct QueueFigures {
    /// When a chat was last taken out of the line by an agent.
    pub taken_at: Option<Timestamp>,
    /// Typical time between two such while others waited; `None` until there was one.
    pub pace: Option<Millis>,
    /// Today.
    pub today: QueueDay,
}

/// A queue's day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct QueueDay {
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

/// An agent's day (G1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct AgentDay {
    /// Chats the agent had in hand.
    pub chats: u32,
    /// Calls the agent answered or reached.
    pub calls: u32,
    /// Offers rejected.
    pub rejected: u32,
    /// Offers and unopened chats missed.
    pub missed: u32,
    /// Chats and calls handed on to others.
    pub transferred: u32,
    /// Customer messages answered.
    pub replies: u32,
    /// Of those, how many within the target (B17).
    pub replies_in_time: u32,
    /// Time from start to end of the wrap-ups completed.
    pub wrap_up: Millis,
    /// Wrap-ups completed.
    pub wrap_ups: u32,
}

/// When an agent without a connection counts as lost (A8, A17).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gone {
    /// An open offer is withdrawn then.
    pub grace: Timestamp,
    /// Chats return and the presence becomes Offline then.
    pub lost: Timestamp,
}

/// On which channels an agent is available before saying anything (A2).
fn all_channels() -> BTreeSet<Channel> {
    BTreeSet::from([Channel::Chat, Channel::Call])
}

/// An agent at work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    /// What calls parked (B4), the latest last, until their end or until the agent activates something. More than one
    /// only where a call broke into the wrap-up of another.
    #[serde(default)]
    pub parked_by_calls: Vec<InteractionId>,
    /// Without new work since then (A11).
    pub idle_since: Timestamp,
    /// Latest closed interactions, newest first.
    pub recent: VecDeque<InteractionId>,
    /// Channels the agent is available on (A2).
    #[serde(default = "all_channels")]
    pub channels: BTreeSet<Channel>,
    /// Queues out of the agent's own that the agent is available for; `None` is all (A2).
    #[serde(default)]
    pub queues: Option<BTreeSet<QueueId>>,
    /// The last panel is gone; `None` while one is connected, and for agents who are Offline.
    #[serde(default)]
    pub gone: Option<Gone>,
    /// Chats of others the agent has joined.
    #[serde(default)]
    pub guest_at: BTreeMap<InteractionId, Guest>,
    /// The agent's day (G1).
    #[serde(default)]
    pub today: AgentDay,
    /// The agent's own settings, so that they need not be looked for; made with the indexes. `None` for one whom the
    /// settings do not know.
    #[serde(skip)]
    pub(crate) rules: Option<Arc<AgentPolicy>>,
    /// The lines of the agent's queues; made with the indexes.
    #[serde(skip)]
    pub(crate) lines: Vec<LineNo>,
    /// How the agent stands in the lines, and what is waited for; as the indexes have it.
    #[serde(skip)]
    pub(crate) standing: Standing,
}

impl Default for Agent {
    fn default() -> Self {
        Self {
            presence: Presence::Offline,
            wish: None,
            sessions: BTreeSet::new(),
            offered: None,
            active: None,
            inbox: BTreeSet::new(),
            calls: BTreeSet::new(),
            talking: None,
            parked_by_calls: Vec::new(),
            idle_since: Timestamp::default(),
            recent: VecDeque::new(),
            channels: all_channels(),
            queues: None,
            gone: None,
            guest_at: BTreeMap::new(),
            today: AgentDay::default(),
            rules: None,
            lines: Vec::new(),
            standing: Standing::default(),
        }
    }
}

/// A chat from its start until its agent is done with it; or a call whose agent is in its wrap-up (E5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chat {
    /// Itself.
    pub id: InteractionId,
    /// Its conversation.
    pub conversation: ConversationId,
    /// A chat, or a call in wrap-up.
    #[serde(default = "a_chat")]
    pub channel: Channel,
    /// Its queue; `None` only for a call that came through none.
    pub queue: Option<QueueId>,
    /// Who the customer says they are; of a call, its numbers. `None` only for a call whose numbers were never told.
    pub person: Option<ContentRef>,
    /// When the customer came; its place in the queue, too, whatever happens.
    pub started_at: Timestamp,
    /// When it came into the queue it is in, or back into it from an agent who had it in hand (A12).
    #[serde(default)]
    pub entered_at: Timestamp,
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
    /// It waits ahead of others (A17).
    #[serde(default)]
    pub ahead: bool,
    /// Skills wanted beyond the queue's own (A11).
    #[serde(default)]
    pub skills: BTreeSet<SkillId>,
    /// By how many levels its needs have been lowered (A11).
    #[serde(default)]
    pub relaxed: u8,
    /// Agents who declined it, and until when each is left out (A9).
    #[serde(default)]
    pub declined: BTreeMap<AgentId, Timestamp>,
    /// Queues it has overflowed from (A12).
    #[serde(default)]
    pub visited: BTreeSet<QueueId>,
    /// Who gets it if free (A11, B15).
    #[serde(default)]
    pub preferred: Option<AgentId>,
    /// The earlier chat it goes on from (B15).
    #[serde(default)]
    pub previous: Option<InteractionId>,
    /// What the visitor is recognised by.
    #[serde(default)]
    pub marks: BTreeSet<Mark>,
    /// Who had it last; the one who has it, if anybody has.
    #[serde(default)]
    pub last_agent: Option<AgentId>,
    /// An open transfer to another agent (B12).
    #[serde(default)]
    pub transfer: Option<Transfer>,
    /// Agents who have joined (A15, B12).
    #[serde(default)]
    pub guests: BTreeMap<AgentId, Guest>,
    /// The customer owes a reply (B8).
    #[serde(default)]
    pub silence: Option<Silence>,
    /// What the agent is advised to do now.
    #[serde(default)]
    pub suggested: BTreeSet<Suggestion>,
    /// A case was opened in mid-chat (B16).
    #[serde(default)]
    pub case_opened: bool,
    /// When the agent is reminded to say how it stands, after asking for a few minutes (B16).
    #[serde(default)]
    pub update_due: Option<Timestamp>,
    /// Where the case opened in mid-chat stands, by connection (B16, D7).
    #[serde(default)]
    pub deliveries: BTreeMap<ConnectionId, LogState>,
    /// It was flagged as abusive (C7).
    #[serde(default)]
    pub abusive: bool,
    /// What was filled into the script (G3).
    #[serde(default)]
    pub script: Option<ContentRef>,
    /// How well it was served (B17).
    #[serde(default)]
    pub service: Service,
    /// An agent has had it in hand since it came into the queue it is in (G1).
    #[serde(default)]
    pub served: bool,
    /// Waiting in this queue while an agent was free for it (B17).
    #[serde(default)]
    pub connecting_here: Millis,
    /// What it waits for first; as the index has it.
    #[serde(skip)]
    pub(crate) due: Option<(Timestamp, crate::Deadline)>,
    /// Its queue's line; as the index has it.
    #[serde(skip)]
    pub(crate) line: Option<LineNo>,
    /// Its queue's rules, so that they need not be looked for; made with the indexes.
    #[serde(skip)]
    pub(crate) rules: Option<Arc<QueuePolicy>>,
}

fn a_chat() -> Channel {
    Channel::Chat
}

impl Chat {
    /// The rules of its queue; `None` for a call that came through none.
    pub(crate) fn rules(&self) -> Option<&QueuePolicy> {
        self.rules.as_deref()
    }

    /// The offer it is under, of a transfer not.
    pub(crate) fn open_offer(&self) -> Option<&Offer> {
        match &self.stage {
            Stage::Offered(offer) => Some(offer),
            Stage::Waiting | Stage::Owned { .. } | Stage::Form { .. } => None,
        }
    }

    /// One that has just come and waits.
    pub(crate) fn new(
        id: InteractionId,
        conversation: ConversationId,
        queue: Option<QueueId>,
        person: Option<ContentRef>,
        at: Timestamp,
    ) -> Self {
        Self {
            id,
            conversation,
            channel: Channel::Chat,
            queue,
            person,
            started_at: at,
            entered_at: at,
            answered_at: None,
            stage: Stage::Waiting,
            version: 0,
            past_offers: VecDeque::new(),
            unanswered_since: None,
            codes: Vec::new(),
            remarks: None,
            found: BTreeMap::new(),
            ahead: false,
            skills: BTreeSet::new(),
            relaxed: 0,
            declined: BTreeMap::new(),
            visited: BTreeSet::new(),
            preferred: None,
            previous: None,
            marks: BTreeSet::new(),
            last_agent: None,
            transfer: None,
            guests: BTreeMap::new(),
            silence: None,
            suggested: BTreeSet::new(),
            case_opened: false,
            update_due: None,
            deliveries: BTreeMap::new(),
            abusive: false,
            script: None,
            service: Service::default(),
            served: false,
            connecting_here: Millis::default(),
            due: None,
            line: None,
            rules: None,
        }
    }
}

/// A transfer that waits for its agent (B12).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transfer {
    /// The offer.
    pub offer: Offer,
    /// The sender's note.
    pub note: Option<ContentRef>,
    /// The agent joins first.
    pub warm: bool,
}

/// The customer owes a reply (B8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    /// The customer was nudged; what comes next is the end.
    pub nudged: bool,
    /// When something happens; `None` once it was suggested to the agent.
    pub deadline: Option<Timestamp>,
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
    /// No queue can serve it; the customer may leave a message (A12).
    Form {
        /// Until then.
        deadline: Timestamp,
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
    /// It was one of a transfer that came to nothing; the sender kept the chat (B12).
    Kept {
        /// Why.
        failed: TransferFailed,
    },
}

/// In progress or in wrap-up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Talk {
    /// In progress.
    Open {
        /// Until when it must be activated, if it was delivered `auto` and still is new.
        unopened_deadline: Option<Timestamp>,
        /// Unopened in the inbox since then; `None` once opened (B17).
        #[serde(default)]
        unopened_since: Option<Timestamp>,
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
        /// The hard maximum; stands still while its agent is on the phone (C8).
        #[serde(default)]
        max: WrapClock,
    },
}

/// A wrap-up's countdown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum WrapClock {
    /// No limit.
    #[default]
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
    /// Chosen codes (E5).
    #[serde(default)]
    pub codes: Vec<String>,
    /// Text and notes (E5).
    #[serde(default)]
    pub remarks: Option<ContentRef>,
    /// What was filled into the script (G3).
    #[serde(default)]
    pub script: Option<ContentRef>,
    /// The other side is on hold since then.
    #[serde(default)]
    pub held_at: Option<Timestamp>,
    /// When it last changed; a call of which nothing is heard for too long counts as over (E1).
    #[serde(default)]
    pub heard_at: Timestamp,
    /// When that will be; as the index has it.
    #[serde(skip)]
    pub(crate) due: Option<Timestamp>,
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
    /// The same with another agent on the phone; one that rings is answered by that agent.
    #[must_use]
    pub(crate) fn with(&self, agent: AgentId, now: Timestamp) -> Self {
        match self {
            Self::Ringing { .. } => Self::Answered { agent, at: now },
            Self::Dialled { .. } => Self::Dialled { agent },
            Self::Answered { at, .. } => Self::Answered { agent, at: *at },
        }
    }

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
    /// Classification was wanted and not given while it was on (C6, E5).
    #[serde(default)]
    pub not_classified: bool,
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
    /// Its agent never saw that the customer had ended (B13, C8).
    #[serde(default)]
    pub unseen: bool,
    /// Where its log stands, by connection.
    pub deliveries: BTreeMap<ConnectionId, LogState>,
}
