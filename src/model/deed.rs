//! What an agent can do from the panel. Words come as text here, and go on as content.

use crate::command::{Notice, Presence, SupervisorAct, TransferTo};
use crate::content::Remarks;
use crate::crm::{Channel, Record};
use crate::ids::{AgentId, ConnectionId, InteractionId, OfferId, QueueId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What an agent can do from the panel.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "deed", rename_all = "snake_case", deny_unknown_fields)]
pub enum AgentDeed {
    /// Choose a presence.
    SetPresence {
        /// Which.
        presence: Presence,
        /// "Yes, although chats are open".
        #[serde(default)]
        confirmed: bool,
    },
    /// Accept an offer.
    AcceptOffer {
        /// Which.
        offer: OfferId,
    },
    /// Reject an offer.
    RejectOffer {
        /// Which.
        offer: OfferId,
    },
    /// Take a chat from a `pull` queue.
    TakeChat {
        /// Which.
        interaction: InteractionId,
    },
    /// Make an item the active one.
    Activate {
        /// Which.
        interaction: InteractionId,
    },
    /// Park the active item.
    Park {
        /// Which.
        interaction: InteractionId,
    },
    /// Write a message.
    Send {
        /// Where.
        interaction: InteractionId,
        /// The text.
        text: String,
    },
    /// End a chat.
    EndChat {
        /// Which.
        interaction: InteractionId,
    },
    /// The customer's end has been seen.
    SeeEnd {
        /// Which.
        interaction: InteractionId,
    },
    /// More wrap-up time.
    ExtendWrapUp {
        /// Which.
        interaction: InteractionId,
    },
    /// Done with wrap-up.
    CompleteWrapUp {
        /// Which.
        interaction: InteractionId,
    },
    /// Classify.
    Classify {
        /// Which.
        interaction: InteractionId,
        /// Codes of the queue's list.
        codes: Vec<String>,
        /// Text and notes.
        #[serde(default)]
        remarks: Remarks,
    },
    /// Say who the customer is.
    ChooseContact {
        /// Which interaction.
        interaction: InteractionId,
        /// In which CRM.
        connection: ConnectionId,
        /// The contact; `None` means none of those found.
        contact: Option<Record>,
    },
    /// Choose on which channels and queues to be available (A2).
    SetAvailability {
        /// Channels; without `chat` no chat is given.
        channels: BTreeSet<Channel>,
        /// Queues out of the agent's own; nothing means all.
        #[serde(default)]
        queues: Option<BTreeSet<QueueId>>,
    },
    /// Send one of the queue's own notices: `nudge`, `closing` or `few_minutes` (B8, B16).
    SendNotice {
        /// Where.
        interaction: InteractionId,
        /// Which.
        notice: Notice,
    },
    /// Hand a chat on (B12).
    Transfer {
        /// Which.
        interaction: InteractionId,
        /// Where to.
        to: TransferTo,
        /// A note for whoever takes it.
        #[serde(default)]
        note: Option<String>,
        /// "Yes, although the target is closed, unstaffed or full".
        #[serde(default)]
        confirmed: bool,
    },
    /// Take back a transfer that has not been answered.
    CancelTransfer {
        /// Of which chat.
        interaction: InteractionId,
    },
    /// Give a chat to an agent who has joined it (B12).
    HandOver {
        /// Which.
        interaction: InteractionId,
        /// To whom.
        agent: AgentId,
    },
    /// Leave a chat one has joined.
    LeaveChat {
        /// Which.
        interaction: InteractionId,
    },
    /// Write what only the other agents at the chat see (A15, B12).
    Whisper {
        /// Where.
        interaction: InteractionId,
        /// The text.
        text: String,
    },
    /// Share the transcript with the customer under a link that expires (B14).
    ShareHistory {
        /// Of which chat.
        interaction: InteractionId,
    },
    /// Open a case in mid-chat (B16).
    OpenCase {
        /// For which chat.
        interaction: InteractionId,
    },
    /// Flag a chat as abusive (C7).
    FlagAbuse {
        /// Which.
        interaction: InteractionId,
        /// A note for the contact's history.
        #[serde(default)]
        note: Option<String>,
    },
    /// Fill fields of the queue's script (G3); replaces what was filled before.
    FillScript {
        /// For which chat or call.
        interaction: InteractionId,
        /// By the field's name; at most 100.
        answers: BTreeMap<String, String>,
    },
    /// Act as a supervisor (A15).
    Supervise {
        /// What.
        act: SupervisorAct,
        /// Why, in 1 to 200 characters; the agent sees it.
        reason: String,
    },
    /// Watch the whole floor from this page, or no longer; supervisors only (A15).
    Watch {
        /// From here on, or no longer.
        on: bool,
    },
}

impl std::fmt::Debug for AgentDeed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AgentDeed(***)")
    }
}
