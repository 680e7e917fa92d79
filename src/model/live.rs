//! The frames of the live sockets: panel (`/ws/agent`) and widget (`/ws/customer`). TypeScript types are generated
//! from these. Times are milliseconds since the epoch by the server's clock; `now` in a frame lets a page count
//! down without trusting its own.

pub use crate::deed::AgentDeed;
pub use crate::desk::{
    AgentToday, CallSide, ChatAt, Colleague, GuestView, HandedBy, QueueName, QueueRules, QueueToday,
    Supervised, TransferView, WatchedAgent, WatchedChat,
};
pub use crate::panel::{Change, ItemMessages, Joined, PanelView, Watched};

use crate::command::{Notice, Presence};
use crate::content::{Person, Remarks};
use crate::crm::{Channel, LogState, Match, PopTarget, Record, Side};
use crate::event::{Service, Suggestion};
use crate::ids::{
    AgentId, CommandId, ConnectionId, ContentId, InteractionId, OfferId, QueueId, SessionId, ShareId, SkillId,
};
use crate::refusal::Refusal;
use crate::time::{Millis, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What others see of an agent (A1): derived from presence and work, in this order of precedence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Status {
    /// On a call.
    OnCall,
    /// Has an active chat.
    HandlingChat,
    /// Has an active wrap-up.
    WrapUp,
    /// Has an open offer.
    Offered,
    /// Nothing of these: the presence.
    Present {
        /// It.
        presence: Presence,
    },
}

/// The agent's own line at the top of the panel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Me {
    /// Who.
    pub agent: AgentId,
    /// Name as shown.
    pub name: String,
    /// May see and do a supervisor's things.
    pub supervisor: bool,
    /// What the agent chose.
    pub presence: Presence,
    /// What the agent wishes for when the active item ends.
    pub wish: Option<Presence>,
    /// What others see.
    pub status: Status,
    /// Unfinished chats, a reserved offer included.
    pub load: u32,
    /// How many at most.
    pub capacity: u32,
    /// The reject button works (A6).
    pub may_reject: bool,
    /// Channels the agent is available on (A2).
    pub channels: BTreeSet<Channel>,
    /// Queues out of the agent's own that the agent is available for; nothing means all (A2).
    pub queues: Option<BTreeSet<QueueId>>,
    /// The agent's day (G1).
    pub today: AgentToday,
}

/// What one connection knows about the customer of an item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Lookup {
    /// Which CRM.
    pub connection: ConnectionId,
    /// Where the look-up stands.
    pub state: LookupState,
    /// What was found, best first.
    pub matches: Vec<Match>,
    /// There were more.
    pub more: bool,
    /// The contact the log goes under: the single match, or the agent's choice.
    pub contact: Option<Record>,
    /// The agent chose it (or chose none).
    pub chosen: bool,
}

/// Where a look-up stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum LookupState {
    /// Being asked.
    Looking,
    /// Answered.
    Done,
    /// Not answered in time.
    Failed {
        /// Why, in words.
        reason: String,
    },
}

/// An offer, as its agent sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Offer {
    /// The offer.
    pub offer: OfferId,
    /// How many times this chat has been offered.
    pub version: u32,
    /// The chat.
    pub interaction: InteractionId,
    /// Its queue.
    pub queue: QueueId,
    /// The queue's name as shown.
    pub queue_name: String,
    /// Waiting since.
    pub waiting_since: Timestamp,
    /// When the offer was made.
    pub offered_at: Timestamp,
    /// Until when it stands.
    pub deadline: Timestamp,
    /// The customer (A14).
    pub person: Person,
    /// What the CRMs know (A14).
    pub lookups: Vec<Lookup>,
    /// It comes from another agent, who owns the chat until it is accepted (B12).
    pub handed_by: Option<HandedBy>,
}

/// Where an item is in its agent's inbox (B1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// Came in, not opened yet.
    New,
    /// The one being worked on.
    Active,
    /// Set aside.
    Parked,
}

/// Wrap-up, as its agent sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WrapUpView {
    /// When it runs out, while it runs.
    pub deadline: Option<Timestamp>,
    /// What is left, while it is parked.
    pub left: Option<Millis>,
    /// Extensions left.
    pub extensions_left: u32,
    /// What one adds.
    pub extension: Millis,
    /// When it completes by itself at the latest, parked too (C8); nothing while the agent is on the phone, or when
    /// there is no such limit.
    pub maximum: Option<Timestamp>,
    /// What is left until then, while the agent is on the phone.
    pub maximum_left: Option<Millis>,
}

/// What kind of message it is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Said {
    /// Somebody wrote it.
    #[default]
    Words,
    /// Tieline said it in the queue's wording; `name` is the agent's who sent it, or empty when it came by itself.
    Notice {
        /// Which.
        notice: Notice,
    },
    /// A file; `text` is its name (B18).
    File {
        /// Which.
        file: ContentId,
        /// Its media type, as found by looking at the bytes.
        media_type: String,
        /// Its length.
        bytes: u32,
    },
    /// The transcript was shared with the customer under a link (B14). To the customer `text` is the link, which without
    /// `http.public_url` in the settings begins with `/`; to agents there is no text.
    Shared {
        /// What the link names.
        share: ShareId,
        /// When the link dies.
        expires_at: Timestamp,
    },
    /// An agent wrote it for the other agents at the chat (A15, B12). No customer is ever told.
    Whisper,
    /// The note of an agent who handed the chat on (B12). No customer is ever told.
    Note,
}

/// One message of a chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Message {
    /// The id its writer gave it; what nobody wrote has one made of its place.
    pub id: CommandId,
    /// Its place: messages have one order (B10).
    pub seq: u64,
    /// When the daemon took it.
    pub at: Timestamp,
    /// Which side.
    pub from: Side,
    /// The writer's name as shown.
    pub name: String,
    /// The text; plain, never markup.
    pub text: String,
    /// What it is.
    #[serde(default)]
    pub said: Said,
}

/// An owned chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Item {
    /// The chat.
    pub interaction: InteractionId,
    /// Chat or call.
    pub channel: Channel,
    /// Its queue; nothing only for a call that came through none.
    pub queue: Option<QueueId>,
    /// New, active or parked.
    pub place: Place,
    /// In wrap-up, when the chat has ended.
    pub wrap_up: Option<WrapUpView>,
    /// When the customer came.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Who ended it.
    pub ended_by: Option<Side>,
    /// The agent has seen the end (B13).
    pub end_seen: bool,
    /// Since when the customer waits for a reply: the *first* unanswered message (B7).
    pub unanswered_since: Option<Timestamp>,
    /// The customer.
    pub person: Person,
    /// What the CRMs know.
    pub lookups: Vec<Lookup>,
    /// Chosen codes.
    pub codes: Vec<String>,
    /// Text and notes.
    pub remarks: Remarks,
    /// It came by itself and has not been opened since then (A3, B17).
    pub unopened_since: Option<Timestamp>,
    /// When it goes back to its queue unless it is opened (A3).
    pub open_by: Option<Timestamp>,
    /// How well it has been served so far (B17).
    pub service: Service,
    /// What Tieline advises to do now (B8, B16).
    pub suggestions: BTreeSet<Suggestion>,
    /// A transfer that waits for its answer (B12).
    pub transfer: Option<TransferView>,
    /// Other agents at it (A15, B12).
    pub guests: Vec<GuestView>,
    /// A case was opened in mid-chat (B16).
    pub case_opened: bool,
    /// It was flagged as abusive (C7).
    pub abusive: bool,
    /// The earlier chat it goes on from (B15).
    pub previous: Option<InteractionId>,
    /// What was filled into the queue's script (G3).
    pub answers: BTreeMap<String, String>,
    /// Which way it went and between whom, if it was a call (E5).
    pub call: Option<CallSide>,
}

/// A call at the agent (E2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CallCard {
    /// The call.
    pub interaction: InteractionId,
    /// The agent talks; otherwise it rings.
    pub answered_at: Option<Timestamp>,
    /// Since when it rings.
    pub rang_at: Timestamp,
    /// The caller's number; `None` when withheld.
    pub from: Option<String>,
    /// The number called.
    pub to: Option<String>,
    /// The queue's name, where it came through one.
    pub queue_name: Option<String>,
    /// What the CRMs know.
    pub lookups: Vec<Lookup>,
}

/// A queue, as the agents who serve it see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct QueueView {
    /// The queue.
    pub queue: QueueId,
    /// Name as shown.
    pub name: String,
    /// Chats waiting, offered ones included.
    pub waiting: u32,
    /// The longest wait started then.
    pub oldest: Option<Timestamp>,
    /// Chats that can be taken, oldest first, when the queue is `pull`; at most 50.
    pub takeable: Vec<InteractionId>,
    /// When the wait for a reply changes colour (B7).
    pub reply_alert: Vec<Millis>,
    /// Longest message of an agent, in characters (B9).
    pub agent_chars_max: u32,
    /// Codes to choose from; empty means free text only (C1).
    pub codes: Vec<String>,
    /// More than one code may be chosen.
    pub several_codes: bool,
    /// Classification is wanted.
    pub mandatory: bool,
    /// Its opening hours are on (A12).
    pub open: bool,
    /// When that changes, where it is known.
    pub turns_at: Option<Timestamp>,
    /// Its agents who are at work.
    pub staff: u32,
    /// Typical time between two chats taken out of the line (A13); nothing while unknown.
    pub pace: Option<Millis>,
    /// Its day (G1).
    pub today: QueueToday,
}

/// A log of the agent's and where it stands (D7).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LogEntry {
    /// The interaction.
    pub interaction: InteractionId,
    /// The customer's name as shown.
    pub name: String,
    /// When it was closed.
    pub closed_at: Timestamp,
    /// Classification was wanted and not given (C6).
    pub not_classified: bool,
    /// By connection.
    pub deliveries: Vec<DeliveryEntry>,
}

/// Where a log stands with one connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeliveryEntry {
    /// Which.
    pub connection: ConnectionId,
    /// Where it stands.
    pub state: LogState,
}

/// What the daemon says to a panel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "frame", rename_all = "snake_case")]
pub enum PanelFrame {
    /// Everything, at connect and at resync.
    Snapshot {
        /// Number of the last delta this includes.
        seq: u64,
        /// The server's clock.
        now: Timestamp,
        /// This connection.
        session: SessionId,
        /// Everything.
        view: Box<PanelView>,
    },
    /// What changed since. `seq` grows by one a frame on one socket; a gap means: ask for a resync.
    Delta {
        /// Number of this delta.
        seq: u64,
        /// The server's clock.
        now: Timestamp,
        /// What.
        changes: Vec<Change>,
    },
    /// The answer to a command; comes after the delta that shows its effect, or before it.
    Answer {
        /// Which command.
        id: CommandId,
        /// Why not, if not.
        refusal: Option<Refusal>,
    },
    /// Somebody else at the chat is typing; dies by itself after `for` (B6). Nothing as `for` means that it is over: a
    /// message came, or the chat ended or moved.
    Typing {
        /// Where.
        interaction: InteractionId,
        /// Which agent; nothing means the customer.
        agent: Option<AgentId>,
        /// How long the sign stands.
        #[serde(rename = "for")]
        lasts: Millis,
    },
    /// Open this record. Sent to one surface of the agent (D3).
    Pop {
        /// For which interaction.
        interaction: InteractionId,
        /// From which CRM.
        connection: ConnectionId,
        /// What to open.
        target: PopTarget,
        /// What it shows, for the link that stands in when the host cannot pop.
        title: String,
    },
    /// The socket will close.
    Bye {
        /// Why, in words.
        reason: String,
        /// Connect again after this; `None` means not by itself (sign in again).
        reconnect_in: Option<Millis>,
    },
}

/// The CRM page around a panel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HostPage {
    /// Which CRM (`salesforce`, `dynamics`, `zendesk`).
    pub vendor: String,
    /// Which connection, where the panel's own address says so (`?connection=…`); else the tenant's first connection
    /// of that vendor is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<ConnectionId>,
}

/// What a panel says to the daemon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "frame", rename_all = "snake_case", deny_unknown_fields)]
pub enum PanelSays {
    /// First frame, within ten seconds.
    Hello {
        /// The token from signing in.
        token: String,
        /// This page can pop records in the CRM around it.
        can_pop: bool,
        /// The CRM page around the panel; nothing when it stands alone. Pops of a connection go to panels that stand
        /// in its CRM (D0).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        host: Option<HostPage>,
    },
    /// Do this. Safe to repeat with the same id.
    Do {
        /// At most once.
        id: CommandId,
        /// What.
        #[serde(rename = "do")]
        deed: AgentDeed,
    },
    /// The agent is typing; send at most every two seconds.
    Typing {
        /// Where.
        interaction: InteractionId,
    },
    /// Send a snapshot.
    Resync,
}

/// Where a chat stands, as its customer sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ChatState {
    /// In the queue.
    Waiting {
        /// 1 is next. Nothing where the queue does not show it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        position: Option<u32>,
        /// How long it will probably take yet. Nothing where the queue does not show it, or nothing is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expected_wait: Option<Millis>,
    },
    /// With an agent.
    Talking {
        /// The agent's name as shown.
        agent: String,
    },
    /// Nobody can take it; leave a message (A12).
    OfflineForm {
        /// What the queue says to that.
        notice: String,
        /// Until when a message can be left.
        until: Timestamp,
    },
    /// Over.
    Ended {
        /// By which side.
        by: Side,
        /// Until then at least, a return goes on with this conversation (B15); afterwards it begins a new chat. Nothing
        /// when that time is over.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        return_until: Option<Timestamp>,
    },
}

/// What files a customer may send (B18).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FileRules {
    /// Largest file, in bytes.
    pub bytes_max: u32,
    /// Media types that are taken; the daemon looks at the bytes.
    pub types: Vec<String>,
}

/// What the daemon says to a widget.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "frame", rename_all = "snake_case")]
pub enum WidgetFrame {
    /// Everything, at connect and at resync.
    Snapshot {
        /// Number of the last frame this includes.
        seq: u64,
        /// The server's clock.
        now: Timestamp,
        /// The chat.
        interaction: InteractionId,
        /// Where it stands.
        state: ChatState,
        /// What was said, in order.
        messages: Vec<Message>,
        /// Longest message of a customer, in characters (B9).
        chars_max: u32,
        /// What files the customer may send; nothing when none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        files: Option<FileRules>,
    },
    /// The state changed.
    State {
        /// Grows by one a frame on one socket.
        seq: u64,
        /// New value.
        state: ChatState,
    },
    /// A message was taken.
    Message {
        /// Grows by one a frame on one socket.
        seq: u64,
        /// The message.
        message: Message,
    },
    /// The agent is typing; dies by itself after `for`.
    Typing {
        /// How long the sign stands.
        #[serde(rename = "for")]
        lasts: Millis,
    },
    /// The answer to a command.
    Answer {
        /// Which command.
        id: CommandId,
        /// Why not, if not.
        refusal: Option<Refusal>,
    },
    /// The customer is back (B15). The socket goes on with this interaction; a snapshot of it follows.
    Returned {
        /// The answer to which command.
        id: CommandId,
        /// Where it goes on: the same interaction, a new one of the same conversation, or a new chat.
        #[serde(flatten)]
        returned: ChatReturned,
    },
    /// A fresh token in place of the one this socket was opened with.
    Token {
        /// The token.
        token: String,
    },
    /// The socket will close.
    Bye {
        /// Why, in words.
        reason: String,
        /// Connect again after this; `None` means not by itself.
        reconnect_in: Option<Millis>,
    },
}

/// What a widget says to the daemon.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "frame", rename_all = "snake_case", deny_unknown_fields)]
pub enum WidgetSays {
    /// First frame, within ten seconds.
    Hello {
        /// The token from starting the chat.
        token: String,
    },
    /// Write a message. Safe to repeat with the same id.
    Send {
        /// The message's id.
        id: CommandId,
        /// The text.
        text: String,
    },
    /// Leave a message in the offline form (A12).
    LeaveMessage {
        /// The message's id.
        id: CommandId,
        /// The text.
        text: String,
    },
    /// End the chat.
    End {
        /// At most once.
        id: CommandId,
    },
    /// Come back to a chat that has ended (B15). The answer is `returned`, or a refusal.
    Return {
        /// At most once.
        id: CommandId,
    },
    /// The customer is typing; send at most every two seconds.
    Typing,
    /// Send a snapshot.
    Resync,
}

impl std::fmt::Debug for WidgetSays {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WidgetSays(***)")
    }
}

/// Body of `POST /api/v1/{tenant}/chats`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StartChat {
    /// At most once; a repeated request gets the same chat.
    pub id: CommandId,
    /// Where to wait.
    pub queue: QueueId,
    /// Who the customer says they are.
    #[serde(default)]
    pub person: Person,
    /// Skills wanted beyond the queue's own (A11); at most 5.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub skills: BTreeSet<SkillId>,
    /// A token of an earlier chat this one goes on from (B15). It proves whose chat that was, so it may have expired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<String>,
    /// What an earlier [`ChatStarted`] gave this browser to be recognised by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visitor: Option<String>,
}

impl std::fmt::Debug for StartChat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StartChat(***)")
    }
}

/// Answer to [`StartChat`].
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChatStarted {
    /// The chat.
    pub interaction: InteractionId,
    /// Bound to this conversation, short-lived; the widget socket hands out fresh ones.
    pub token: String,
    /// When the token dies.
    pub expires_at: Timestamp,
    /// What this browser is recognised by next time (A11, C7): to be kept, and said when a chat is started. It says
    /// nothing to anybody but the daemon.
    pub visitor: String,
}

/// Answer to `POST /api/v1/{tenant}/chats/{id}/return`, which takes the chat's token and no body (B15).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChatReturned {
    /// Where it goes on: the same interaction, a new one of the same conversation, or a new chat.
    pub interaction: InteractionId,
    /// How they belong together.
    pub returned: Returned,
    /// Bound to that interaction.
    pub token: String,
    /// When the token dies.
    pub expires_at: Timestamp,
}

impl std::fmt::Debug for ChatReturned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChatReturned").field("interaction", &self.interaction).finish_non_exhaustive()
    }
}

/// Answer to `POST /api/v1/{tenant}/chats/{id}/files` (B18): the message that the file is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FileTaken {
    /// The id its sender gave it; the file is at `…/files/{id}`.
    pub message: CommandId,
    /// Its name as kept, without path.
    pub name: String,
    /// Its media type, as found by looking at the bytes.
    pub media_type: String,
    /// Its size.
    pub bytes: u32,
}

/// What a return came to (B15).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Returned {
    /// The same chat goes on.
    SameChat,
    /// A new interaction of the same conversation.
    SameConversation,
    /// A new chat that names the old one.
    NewChat,
}

/// Body of `POST /api/v1/{tenant}/sign-in`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    /// Which agent.
    pub agent: AgentId,
    /// The password.
    pub password: String,
}

/// Answer to [`SignIn`].
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SignedIn {
    /// For the panel socket and the API.
    pub token: String,
    /// When the token dies.
    pub expires_at: Timestamp,
    /// Who.
    pub agent: AgentId,
    /// Name as shown.
    pub name: String,
}
