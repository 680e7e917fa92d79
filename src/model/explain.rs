//! Why a chat is where it is (A16): what it waits for, who was considered, and what ruled each out. Ids and numbers
//! only; who reads it puts names to them.

use crate::command::Presence;
use crate::ids::{AgentId, InteractionId, OfferId, QueueId, SkillId};
use crate::live::Place;
use crate::policy::{Delivery, OfferWhen, OverflowTo, Strategy};
use crate::time::{Millis, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Why a chat is where it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Explanation {
    /// The chat; or a call in its wrap-up.
    pub interaction: InteractionId,
    /// The moment it holds for.
    pub at: Timestamp,
    /// Its queue; `None` only for a call that came through none.
    pub queue: Option<QueueId>,
    /// When the customer came.
    pub started_at: Timestamp,
    /// When it came into the queue it is in, or back into it from an agent who had it in hand (A12).
    pub entered_at: Timestamp,
    /// Offers made before, oldest first; the latest 16 (A4).
    pub earlier: Vec<EarlierOffer>,
    /// Where it is, and why.
    pub standing: Standing,
}

/// Where a chat is, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "standing", rename_all = "snake_case")]
pub enum Standing {
    /// In its queue.
    Waiting(Box<Waiting>),
    /// Offered to an agent who has not answered.
    Offered(Given),
    /// In an agent's inbox.
    Owned {
        /// Why it is this agent's.
        given: Given,
        /// New, active or parked there.
        place: Place,
        /// It has ended and is being wrapped up.
        wrap_up: bool,
        /// When an agent first had it in hand; `None` while it lies unopened.
        answered_at: Option<Timestamp>,
        /// To whom its agent has offered it (B12).
        transfer: Option<Given>,
    },
    /// No queue could serve it; the customer may leave a message (A12).
    OfflineForm {
        /// Until then.
        deadline: Timestamp,
    },
}

/// Why a chat waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Waiting {
    /// How its queue hands out; from a `pull` queue it has to be taken.
    pub delivery: Delivery,
    /// Its place in line; 1 is next.
    pub position: u32,
    /// Chats in the same line, those under offer not among them.
    pub in_line: u32,
    /// It waits ahead of others: its agent was lost, or a supervisor took it back (A15, A17).
    pub ahead: bool,
    /// How long it will probably wait yet (A13).
    pub expected_wait: Option<Millis>,
    /// What an agent must have to be given it now, with the least level (A11).
    pub needs: BTreeMap<SkillId, u8>,
    /// By how many levels that has been lowered.
    pub relaxed: u8,
    /// Who gets it if free (A11, B15).
    pub preferred: Option<AgentId>,
    /// Its queue is open (A12).
    pub open: bool,
    /// Agents of its queue who are at work.
    pub staff: u32,
    /// What comes next by itself, soonest first.
    pub next: Vec<Next>,
    /// Agents who serve its queue, those at work first; at most 200.
    pub considered: Vec<Considered>,
    /// Agents who serve its queue and are not listed.
    pub more: u32,
}

/// What comes next for a waiting chat by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Next {
    /// When.
    pub at: Timestamp,
    /// What.
    pub what: NextStep,
}

/// A step that comes by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum NextStep {
    /// Every level it needs falls by one (A11).
    NeedsLess,
    /// It has waited as long as its queue allows and goes on (A12).
    Overflows {
        /// Where to.
        to: OverflowTo,
    },
    /// An agent who declined it may be asked again (A9).
    AsksAgain {
        /// Whom.
        agent: AgentId,
    },
    /// Its queue opens (A12).
    Opens,
    /// Its queue closes (A12).
    Closes,
}

/// An agent who serves the queue of a waiting chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Considered {
    /// Who.
    pub agent: AgentId,
    /// The first reason that holds against the agent. `None` where none does: the agent may take it from a `pull` queue;
    /// from another it is the agent's at the next pass, unless a chat before it is.
    pub ruled_out: Option<RuledOut>,
}

/// Why an agent is not given a waiting chat. Looked at in this order (A5, A9, A11).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum RuledOut {
    /// Not Available.
    Presence {
        /// But.
        presence: Presence,
    },
    /// No panel is connected (A8).
    NotConnected {
        /// When the agent counts as lost, if no panel comes back.
        lost_at: Option<Timestamp>,
    },
    /// Wishes for another presence when the active item ends (A1).
    Wish {
        /// Which.
        presence: Presence,
    },
    /// Takes no chats now (A2).
    NoChats,
    /// Is available for other queues only (A2).
    NotThisQueue,
    /// Has an open offer (A5).
    UnderOffer {
        /// Of which chat.
        interaction: InteractionId,
    },
    /// On a call, or one rings, and the queue may not interrupt calls.
    OnCall {
        /// Which.
        interaction: InteractionId,
    },
    /// No capacity is left (A5).
    AtCapacity {
        /// Units in hand, reserved ones included.
        in_hand: u32,
        /// Units this chat takes.
        takes: u32,
        /// Units the agent has.
        capacity: u32,
    },
    /// Other work stands in the way of the queue's `offer_when` (A5, B3).
    AtWork {
        /// The policy.
        offer_when: OfferWhen,
        /// An item in the way.
        interaction: InteractionId,
    },
    /// Lacks a skill (A11).
    SkillMissing {
        /// Which.
        skill: SkillId,
        /// The least level.
        needs: u8,
    },
    /// Has a skill at too low a level (A11).
    SkillTooLow {
        /// Which.
        skill: SkillId,
        /// The agent's level.
        has: u8,
        /// The least level.
        needs: u8,
    },
    /// Declined this chat and is left out for a while (A9).
    Declined {
        /// Until then.
        until: Timestamp,
    },
}

/// Why an agent has a chat, or is offered it, as far as is still known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Given {
    /// Who.
    pub agent: AgentId,
    /// The open offer, if it is one.
    pub offer: Option<OpenOffer>,
    /// How the queue chooses among the free (A11).
    pub strategy: Option<Strategy>,
    /// The agent was to get it if free: had this customer last (A11, B15).
    pub preferred: bool,
    /// The agent's levels in what it needs, added up; who has more goes first. `None`: lacks something, and was given
    /// it by hand.
    pub skill: Option<u32>,
    /// The agent's units in hand now, this chat's included.
    pub load: u32,
    /// The agent's units.
    pub capacity: u32,
    /// Without new work since then; who has been so longest goes first.
    pub idle_since: Timestamp,
}

/// An offer that stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OpenOffer {
    /// The offer.
    pub offer: OfferId,
    /// When it was made.
    pub at: Timestamp,
    /// Until when it stands.
    pub deadline: Timestamp,
}

/// An offer that was made before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EarlierOffer {
    /// To whom.
    pub agent: AgentId,
    /// What became of it.
    pub fate: Fate,
}

/// What became of an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// Its agent took it.
    Accepted,
    /// Its agent rejected it.
    Rejected,
    /// Its deadline passed.
    Missed,
    /// It was taken back.
    Withdrawn,
}
