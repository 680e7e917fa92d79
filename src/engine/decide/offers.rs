//! Offers (A4–A7, A10) and taking from a `pull` queue (A3).

use super::Decision;
use crate::state::{Chat, Engine, Offer, OfferFate, Stage};
use tieline_model::event::{AssignedHow, ParkedBy, TransferFailed, WithdrawnWhy};
use tieline_model::policy::Delivery;
use tieline_model::{AgentId, Code, Event, InteractionId, OfferId, Refusal, Timestamp};

impl Engine {
    pub(super) fn accept(&self, now: Timestamp, agent: &AgentId, id: OfferId) -> Decision {
        let chat = self.offered_chat(agent, id)?;
        let offer = match self.open_offer(agent, id, chat) {
            Ok(offer) => offer,
            Err(OfferFate::Accepted) if self.owns(agent, chat) || chat.guests.contains_key(agent) => {
                return Ok(Vec::new());
            }
            Err(fate) => return Err(self.too_late(chat, fate)),
        };
        if offer.deadline <= now {
            return Err(self.too_late(chat, missed(chat)));
        }
        if chat.transfer.is_some() {
            return Ok(self.accept_transfer(now, chat, agent));
        }
        let mut events: Vec<Event> =
            self.park_active(now, agent, ParkedBy::Activation, None).into_iter().collect();
        events.push(Event::OfferAccepted { interaction: chat.id, agent: agent.clone(), offer: id });
        Ok(events)
    }

    pub(super) fn reject(&self, now: Timestamp, agent: &AgentId, id: OfferId) -> Decision {
        let chat = self.offered_chat(agent, id)?;
        if !self.agent_policy(agent)?.may_reject {
            return Err(Refusal::new(
                Code::NotPermitted,
                "your role does not allow rejecting; accept the chat or let it pass",
            ));
        }
        let offer = match self.open_offer(agent, id, chat) {
            Ok(offer) => offer,
            Err(OfferFate::Rejected | OfferFate::Kept { failed: TransferFailed::Rejected }) => {
                return Ok(Vec::new());
            }
            Err(fate) => return Err(self.too_late(chat, fate)),
        };
        if offer.deadline <= now {
            return Err(self.too_late(chat, missed(chat)));
        }
        let mut events = match self.transfer_fails(chat, TransferFailed::Rejected) {
            Some(failed) => vec![failed],
            None => vec![Event::OfferRejected { interaction: chat.id, agent: agent.clone(), offer: id }],
        };
        events.extend(self.break_after_reject(chat.queue.as_ref(), agent));
        Ok(events)
    }

    pub(super) fn take(&self, agent: &AgentId, id: InteractionId) -> Decision {
        let none = || Refusal::new(Code::NotFound, "there is no such chat in your queues; it may be over");
        let chat = self.chats.get(&id).ok_or_else(none)?;
        let queue = chat.queue.as_ref().ok_or_else(none)?;
        if !self.agent_policy(agent)?.queues.contains(queue) {
            return Err(none());
        }
        match &chat.stage {
            Stage::Owned { agent: owner, .. } if owner == agent => return Ok(Vec::new()),
            Stage::Owned { agent: owner, .. } => return Err(self.taken_by(owner)),
            Stage::Form { .. } => return Err(none()),
            Stage::Offered(_) | Stage::Waiting => {}
        }
        if self.queue_policy(chat)?.delivery != Delivery::Pull {
            return Err(Refusal::new(
                Code::WrongState,
                "chats of this queue come to agents by themselves and cannot be taken",
            ));
        }
        self.may_take(agent, chat.units())?;
        let (agent, how) = (agent.clone(), AssignedHow::Taken);
        Ok(vec![Event::ChatAssigned { interaction: id, agent, how, deadline: None }])
    }

    /// The chat an offer was for, if this agent was the one it was made to.
    fn offered_chat(&self, agent: &AgentId, id: OfferId) -> Result<&Chat, Refusal> {
        let none = || Refusal::new(Code::NotFound, "there is no such offer; the chat may be over");
        let chat = self.offers.get(&id).and_then(|i| self.chats.get(i)).ok_or_else(none)?;
        let open = standing(chat).is_some_and(|o| o.id == id && o.agent == *agent);
        let past = chat.past_offers.iter().any(|(o, to, _)| *o == id && to == agent);
        if open || past { Ok(chat) } else { Err(none()) }
    }

    fn open_offer<'a>(&self, agent: &AgentId, id: OfferId, chat: &'a Chat) -> Result<&'a Offer, OfferFate> {
        if let Some(offer) = standing(chat).filter(|offer| offer.id == id && offer.agent == *agent) {
            return Ok(offer);
        }
        let past = chat.past_offers.iter().rev().find(|(o, _, _)| *o == id);
        Err(past.map_or(OfferFate::Withdrawn, |(_, _, fate)| *fate))
    }

    fn owns(&self, agent: &AgentId, chat: &Chat) -> bool {
        matches!(&chat.stage, Stage::Owned { agent: owner, .. } if owner == agent)
    }

    /// Says what became of an offer that no longer stands.
    fn too_late(&self, chat: &Chat, fate: OfferFate) -> Refusal {
        if let OfferFate::Kept { failed } = fate {
            return transfer_is_over(failed);
        }
        if let Stage::Owned { agent, .. } = &chat.stage {
            return self.taken_by(agent);
        }
        match fate {
            OfferFate::Kept { failed } => transfer_is_over(failed),
            OfferFate::Withdrawn => Refusal::new(
                Code::Withdrawn,
                "the offer was withdrawn; the chat waits for the next free agent",
            ),
            OfferFate::Missed => {
                Refusal::new(Code::Expired, "the offer has expired; the chat waits for the next free agent")
            }
            OfferFate::Rejected | OfferFate::Accepted => Refusal::new(
                Code::WrongState,
                "you have answered this offer before; the chat went back to its queue",
            ),
        }
    }

    fn taken_by(&self, owner: &AgentId) -> Refusal {
        let name = self.policy.agents.get(owner).map_or(owner.as_str(), |p| p.name.as_str());
        Refusal::new(Code::Taken, format!("taken by {name}"))
    }

    /// An offer's deadline has passed: a miss, unless the agent's connection is gone (A7, A8).
    pub(crate) fn offer_expired(&self, id: InteractionId) -> Vec<Event> {
        let Some(chat) = self.chats.get(&id) else { return Vec::new() };
        let Some(offer) = standing(chat) else { return Vec::new() };
        let agent = offer.agent.clone();
        if self.agents.get(&agent).is_none_or(|a| a.sessions.is_empty()) {
            // A lost connection costs the agent nothing (A8).
            return self.withdraw_from(&agent, WithdrawnWhy::AgentLost).into_iter().collect();
        }
        let missed = Event::OfferMissed { interaction: id, agent: agent.clone(), offer: offer.id };
        let mut events = vec![self.transfer_fails(chat, TransferFailed::Missed).unwrap_or(missed)];
        events.extend(self.break_after_miss(chat.queue.as_ref(), &agent));
        events
    }

    pub(crate) fn withdraw(&self, chat: &Chat, offer: &Offer, why: WithdrawnWhy) -> Event {
        Event::OfferWithdrawn { interaction: chat.id, agent: offer.agent.clone(), offer: offer.id, why }
    }

    /// Takes back what is offered to an agent, if anything is.
    pub(crate) fn withdraw_from(&self, agent: &AgentId, why: WithdrawnWhy) -> Option<Event> {
        let chat = self.chats.get(&self.agents.get(agent)?.offered?)?;
        match &chat.stage {
            Stage::Offered(offer) => Some(self.withdraw(chat, offer, why)),
            Stage::Owned { .. } => self.transfer_cancelled(chat, why),
            Stage::Waiting | Stage::Form { .. } => None,
        }
    }
}

/// What becomes of the standing offer when its deadline has come.
fn missed(chat: &Chat) -> OfferFate {
    let kept = OfferFate::Kept { failed: TransferFailed::Missed };
    if chat.transfer.is_some() { kept } else { OfferFate::Missed }
}

/// Says what became of a transfer that no longer stands (B12).
fn transfer_is_over(failed: TransferFailed) -> Refusal {
    match failed {
        TransferFailed::Missed => {
            Refusal::new(Code::Expired, "the transfer has expired; the chat stays with your colleague")
        }
        TransferFailed::Withdrawn { .. } => {
            Refusal::new(Code::Withdrawn, "the transfer was withdrawn; there is nothing to take over")
        }
        TransferFailed::Rejected => Refusal::new(
            Code::WrongState,
            "you have rejected this transfer; ask your colleague to offer it again",
        ),
    }
}

/// The offer that stands: of a waiting chat, or of a transfer.
fn standing(chat: &Chat) -> Option<&Offer> {
    match &chat.stage {
        Stage::Offered(offer) => Some(offer),
        Stage::Waiting | Stage::Owned { .. } | Stage::Form { .. } => chat.transfer.as_ref().map(|t| &t.offer),
    }
}
