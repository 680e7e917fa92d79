//! Offers, and transfers to an agent, which are offers too.

use super::chats::{connecting_until, nothing_advised};
use crate::state::{Engine, Offer, OfferFate, PAST_OFFERS_MAX, Stage, Talk, Transfer};
use tieline_model::event::{TransferFailed, WithdrawnWhy};
use tieline_model::live::Place;
use tieline_model::{AgentId, InteractionId, Timestamp};

impl Engine {
    pub(super) fn offered(&mut self, id: InteractionId, offer: Offer, version: u32) {
        let agent = offer.agent.clone();
        self.offers.insert(offer.id, id);
        self.move_chat(id, |c| {
            c.stage = Stage::Offered(offer);
            c.version = version;
        });
        self.with_agent(&agent, |a| a.offered = Some(id));
    }

    pub(super) fn accepted(&mut self, id: InteractionId, agent: &AgentId, at: Timestamp) {
        let offer = self.chats.get(&id).and_then(|chat| chat.open_offer()).cloned();
        if let Some(offer) = &offer {
            self.with_chat(id, |c| connecting_until(c, at));
            self.remember_offer(id, offer, OfferFate::Accepted, at);
        }
        self.own(id, agent, Place::Active, None, at);
        self.line_moved(id, at);
        self.in_hand(id, agent, at);
        self.with_agent(agent, |a| {
            a.active = Some(id);
            a.parked_by_calls.clear();
        });
    }

    pub(super) fn offer_over(&mut self, id: InteractionId, fate: OfferFate, at: Timestamp) {
        let Some(offer) = self.chats.get(&id).and_then(|chat| chat.open_offer()).cloned() else { return };
        let declined = match fate {
            OfferFate::Rejected | OfferFate::Missed => Some(self.retry_decliner_at(id, at)),
            OfferFate::Accepted | OfferFate::Withdrawn | OfferFate::Kept { .. } => None,
        };
        let agent = offer.agent.clone();
        self.move_chat(id, |c| {
            connecting_until(c, at);
            c.stage = Stage::Waiting;
            if let Some(until) = declined {
                c.declined.insert(agent.clone(), until);
            }
        });
        self.remember_offer(id, &offer, fate, at);
    }

    /// A supervisor took the offer from a silent agent: the chat is next, and others are asked first (A15, A9).
    pub(super) fn taken_back(
        &mut self,
        id: InteractionId,
        agent: &AgentId,
        why: WithdrawnWhy,
        at: Timestamp,
    ) {
        if why != WithdrawnWhy::Supervisor {
            return;
        }
        let retry = self.retry_decliner_at(id, at);
        self.move_chat(id, |c| {
            c.ahead = true;
            c.declined.insert(agent.clone(), retry);
        });
    }

    /// Keeps an offer's fate for a late answer, and frees its agent.
    fn remember_offer(&mut self, id: InteractionId, offer: &Offer, fate: OfferFate, at: Timestamp) {
        let mut forgotten = Vec::new();
        self.with_chat(id, |c| {
            c.past_offers.push_back((offer.id, offer.agent.clone(), fate));
            while c.past_offers.len() > PAST_OFFERS_MAX {
                forgotten.extend(c.past_offers.pop_front());
            }
        });
        for (offer, _, _) in forgotten {
            self.offers.remove(&offer);
        }
        self.with_agent(&offer.agent, |a| {
            a.offered = None;
            match fate {
                OfferFate::Accepted
                | OfferFate::Rejected
                | OfferFate::Missed
                | OfferFate::Kept { failed: TransferFailed::Rejected | TransferFailed::Missed } => {
                    a.idle_since = at;
                }
                // Nobody's doing; it must not cost the agent's place among the idle (A10).
                OfferFate::Withdrawn | OfferFate::Kept { failed: TransferFailed::Withdrawn { .. } } => {}
            }
        });
    }

    pub(super) fn transfer_offered(&mut self, id: InteractionId, transfer: Transfer) {
        let agent = transfer.offer.agent.clone();
        self.offers.insert(transfer.offer.id, id);
        self.with_chat(id, |c| c.transfer = Some(transfer));
        self.with_agent(&agent, |a| a.offered = Some(id));
    }

    pub(super) fn transfer_over(&mut self, id: InteractionId, fate: OfferFate, at: Timestamp) {
        let Some(transfer) = self.chats.get(&id).and_then(|c| c.transfer.clone()) else { return };
        self.with_chat(id, |c| c.transfer = None);
        self.remember_offer(id, &transfer.offer, fate, at);
    }

    pub(super) fn transfer_failed(
        &mut self,
        id: InteractionId,
        to: &AgentId,
        failed: TransferFailed,
        at: Timestamp,
    ) {
        self.transfer_over(id, OfferFate::Kept { failed }, at);
        match failed {
            TransferFailed::Rejected => self.with_agent(to, |a| a.today.rejected += 1),
            TransferFailed::Missed => self.with_agent(to, |a| a.today.missed += 1),
            TransferFailed::Withdrawn { .. } => {}
        }
    }

    /// From one inbox into another, where it is active.
    pub(super) fn handed_over(&mut self, id: InteractionId, from: &AgentId, to: &AgentId, at: Timestamp) {
        self.with_chat(id, |c| {
            connecting_until(c, at);
            let talk = Talk::Open { unopened_deadline: None, unopened_since: None };
            c.stage = Stage::Owned { agent: to.clone(), place: Place::Active, talk };
            c.last_agent = Some(to.clone());
            // The agent who takes it begins anew: nobody owes a reply to words of somebody who is gone (B8).
            nothing_advised(c);
        });
        self.let_go(id, from, at);
        self.with_agent(from, |a| a.today.transferred += 1);
        self.in_hand(id, to, at);
        self.with_agent(to, |a| {
            a.inbox.insert(id);
            a.active = Some(id);
            a.parked_by_calls.clear();
        });
    }
}
