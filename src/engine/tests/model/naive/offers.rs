//! Offers (A4 to A7, A10), and transfers, which are offers between agents (B12).

use super::{Answer, Chat, Fate, Item, Naive, Offer, Transfer, Where};
use tieline_model::command::{Notice, Presence, TransferTo};
use tieline_model::content::ContentRef;
use tieline_model::crm::Channel;
use tieline_model::event::{Guest, ParkedBy, PresenceWhy, TransferFailed, WithdrawnWhy};
use tieline_model::live::Place;
use tieline_model::policy::{After, TransferUnavailable};
use tieline_model::{AgentId, Code, Event, InteractionId, OfferId, QueueId};

impl Naive {
    pub(super) fn new_offer_id(&mut self) -> OfferId {
        let offer = self.ids.pop_front().expect("the engine offered less than the model");
        assert!(!self.used.contains(&offer), "an offer id came twice");
        self.used.push(offer);
        offer
    }

    /// An offer from a queue is over; the chat is in line again.
    pub(super) fn offer_over(&mut self, id: InteractionId, fate: Fate) -> (OfferId, AgentId) {
        self.connecting(id);
        let chat = self.chat_mut(id);
        let Where::Offer(offer) = std::mem::replace(&mut chat.at, Where::Line) else { unreachable!() };
        chat.past.push((offer.id, offer.to.clone(), fate));
        if matches!(fate, Fate::Rejected | Fate::Missed) {
            self.declines(id, &offer.to);
        }
        self.freed(&offer.to, fate);
        (offer.id, offer.to)
    }

    /// What is withdrawn costs nobody a place among the idle (A10).
    fn freed(&mut self, agent: &AgentId, fate: Fate) {
        let now = self.now;
        let state = self.agent_mut(agent);
        match fate {
            Fate::Accepted => state.idle = now,
            Fate::Rejected => {
                state.idle = now;
                state.today.rejected += 1;
            }
            Fate::Missed => {
                state.idle = now;
                state.today.missed += 1;
            }
            Fate::Kept(TransferFailed::Rejected) => self.freed(agent, Fate::Rejected),
            Fate::Kept(TransferFailed::Missed) => self.freed(agent, Fate::Missed),
            Fate::Withdrawn | Fate::Kept(TransferFailed::Withdrawn { .. }) => {}
        }
    }

    /// Takes back what is offered to an agent, whoever offered it.
    pub(super) fn withdraw(&mut self, agent: &AgentId, why: WithdrawnWhy) {
        let Some(chat) = self.offered(agent) else { return };
        let id = chat.id;
        if chat.transfer.is_some() {
            self.transfer_fails(id, TransferFailed::Withdrawn { why });
            return;
        }
        let (offer, agent) = self.offer_over(id, Fate::Withdrawn);
        self.tell(Event::OfferWithdrawn { interaction: id, agent, offer, why });
    }

    pub(super) fn offer_runs_out(&mut self, id: InteractionId) {
        let agent = self.chat(id).unwrap().standing().unwrap().to.clone();
        if !self.connected(&agent) {
            // A lost connection costs nothing (A8).
            self.withdraw(&agent, WithdrawnWhy::AgentLost);
            return;
        }
        if self.chat(id).unwrap().transfer.is_some() {
            self.transfer_fails(id, TransferFailed::Missed);
        } else {
            let (offer, agent) = self.offer_over(id, Fate::Missed);
            self.tell(Event::OfferMissed { interaction: id, agent, offer });
        }
        let after = self.rules(id).map(|q| q.after_miss);
        self.send_on_break(&agent, after, "missed", PresenceWhy::Missed);
    }

    pub(super) fn send_on_break(
        &mut self,
        agent: &AgentId,
        after: Result<After, Code>,
        reason: &str,
        why: PresenceWhy,
    ) {
        if after == Ok(After::OnBreak) {
            let presence = Presence::OnBreak { reason: reason.to_owned() };
            self.become_present(agent, presence, why);
        }
    }

    pub(super) fn answer_offer(&mut self, agent: &AgentId, offer: OfferId, accept: bool) -> Answer {
        let stands = |c: &Chat| c.standing().is_some_and(|o| o.id == offer && o.to == *agent);
        // Only the latest 16 are remembered.
        let fate = |c: &Chat| {
            let mut past = c.past.iter().rev().take(16);
            past.find(|(o, to, _)| *o == offer && to == agent).map(|(_, _, fate)| *fate)
        };
        let chat = self.chats.iter().find(|c| stands(c) || fate(c).is_some()).ok_or(Code::NotFound)?;
        let id = chat.id;
        if !accept && !self.policy.agents[agent].may_reject {
            return Err(Code::NotPermitted);
        }
        let late = chat.standing().is_some_and(|o| o.until <= self.now);
        let fate = match (stands(chat), late) {
            (true, false) => None,
            (true, true) if chat.transfer.is_some() => Some(Fate::Kept(TransferFailed::Missed)),
            (true, true) => Some(Fate::Missed),
            (false, _) => fate(chat),
        };
        match (fate, accept) {
            (None, true) if chat.transfer.is_some() => self.accept_transfer(id),
            (None, true) => {
                self.park(agent, ParkedBy::Activation);
                self.offer_over(id, Fate::Accepted);
                self.own_now(id, agent, Place::Active);
                self.agent_mut(agent).call_parked.clear();
                self.in_hand(id, agent);
                self.line_moved(id);
                self.tell(Event::OfferAccepted { interaction: id, agent: agent.clone(), offer });
            }
            (None, false) => {
                if chat.transfer.is_some() {
                    self.transfer_fails(id, TransferFailed::Rejected);
                } else {
                    self.offer_over(id, Fate::Rejected);
                    self.tell(Event::OfferRejected { interaction: id, agent: agent.clone(), offer });
                }
                let after = self.rules(id).map(|q| q.after_reject);
                self.send_on_break(agent, after, "rejected", PresenceWhy::Rejected);
            }
            (Some(Fate::Accepted), true) if chat.owner() == Some(agent) || chat.is_guest(agent) => {}
            (Some(Fate::Rejected | Fate::Kept(TransferFailed::Rejected)), false) => {}
            (Some(fate), _) => {
                return Err(match (&chat.at, fate) {
                    (_, Fate::Kept(TransferFailed::Missed)) => Code::Expired,
                    (_, Fate::Kept(TransferFailed::Withdrawn { .. })) => Code::Withdrawn,
                    (_, Fate::Kept(TransferFailed::Rejected)) => Code::WrongState,
                    (Where::Inbox(_), _) => Code::Taken,
                    (_, Fate::Withdrawn) => Code::Withdrawn,
                    (_, Fate::Missed) => Code::Expired,
                    (_, Fate::Accepted | Fate::Rejected) => Code::WrongState,
                });
            }
        }
        Ok(())
    }

    /// Into an inbox, in progress.
    pub(super) fn own_now(&mut self, id: InteractionId, agent: &AgentId, place: Place) {
        let lies = (place == Place::New).then_some(self.now);
        let chat = self.chat_mut(id);
        chat.at = Where::Inbox(Item { of: agent.clone(), place, wrap: None, unopened: None, lies });
        chat.last = Some(agent.clone());
        chat.ahead = false;
        chat.declined.clear();
    }

    // ---- transfers --------------------------------------------------------------------------------------------

    pub(super) fn transfer(
        &mut self,
        agent: &AgentId,
        id: InteractionId,
        to: &TransferTo,
        note: Option<ContentRef>,
        confirmed: bool,
    ) -> Answer {
        if self.own_open(agent, id)?.transfer.is_some() {
            return Err(Code::WrongState);
        }
        if note.is_some_and(|note| note.chars > 2_000) {
            return Err(Code::TooLong);
        }
        match to {
            TransferTo::Queue { queue } => self.transfer_to_queue(agent, id, queue, note, confirmed),
            TransferTo::Agent { agent: to, warm } => {
                self.may_be_handed(agent, id, to)?;
                let (now, within) = (self.now, self.rules(id)?.accept_within);
                let (offer, deadline) = (self.new_offer_id(), now + within);
                let transfer = Transfer {
                    offer: Offer { id: offer, to: to.clone(), made: now, until: deadline },
                    warm: *warm,
                };
                self.chat_mut(id).transfer = Some(transfer);
                let (from, to, warm) = (agent.clone(), to.clone(), *warm);
                self.tell(Event::TransferOffered { interaction: id, from, to, offer, deadline, note, warm });
                Ok(())
            }
        }
    }

    fn transfer_to_queue(
        &mut self,
        agent: &AgentId,
        id: InteractionId,
        queue: &QueueId,
        note: Option<ContentRef>,
        confirmed: bool,
    ) -> Answer {
        let rules = self.policy.queues.get(queue).ok_or(Code::NotFound)?;
        let full = rules.overflow.full.as_ref().is_some_and(|full| self.waiting(queue) >= full.chats);
        if !self.is_open(rules) || self.staff(queue) == 0 || full {
            match rules.transfer_unavailable {
                TransferUnavailable::Allow => {}
                TransferUnavailable::Ask if confirmed => {}
                TransferUnavailable::Ask => return Err(Code::NeedsConfirmation),
                TransferUnavailable::Refuse => return Err(Code::TargetUnavailable),
            }
        }
        let words = self.wording(id, Notice::Transferred);
        self.guests_leave(id);
        self.connecting(id);
        self.let_go(id, agent);
        self.agent_mut(agent).today.transferred += 1;
        self.enter(id, queue);
        let chat = self.chat_mut(id);
        (chat.preferred, chat.silence, chat.update) = (None, None, None);
        chat.suggested.clear();
        chat.visited.clear();
        // Who sends a chat away does not get it back at once.
        if self.policy.agents[agent].queues.contains(queue) {
            self.declines(id, agent);
        }
        let (interaction, agent, to) = (id, agent.clone(), queue.clone());
        self.tell(Event::ChatTransferred { interaction, agent: agent.clone(), to, note });
        self.say(id, Notice::Transferred, words);
        self.wish_comes_due(&agent);
        Ok(())
    }

    /// As for any chat of the queue, but what the agent works on and chose among queues does not matter.
    fn may_be_handed(&self, from: &AgentId, id: InteractionId, to: &AgentId) -> Answer {
        let own = self.policy.agents.get(to).ok_or(Code::NotFound)?;
        if from == to {
            return Err(Code::Invalid);
        }
        if self.chat(id).unwrap().is_guest(to) {
            return Err(Code::WrongState);
        }
        let rules = self.rules(id)?;
        let fits = self.agent(to).is_some_and(|agent| {
            agent.presence == Presence::Available
                && agent.wish.is_none()
                && !agent.sessions.is_empty()
                && agent.channels.contains(&Channel::Chat)
                && self.offered(to).is_none()
                && (self.calls_at(to).is_empty() || rules.may_interrupt.contains(&Channel::Call))
                && self.load(to) + rules.units <= own.chat_capacity
        });
        if fits { Ok(()) } else { Err(Code::TargetUnavailable) }
    }

    fn accept_transfer(&mut self, id: InteractionId) {
        let from = self.chat(id).unwrap().owner().unwrap().clone();
        let Transfer { offer, warm } = self.chat(id).unwrap().transfer.clone().unwrap();
        let to = offer.to.clone();
        let words = self.wording(id, Notice::Transferred);
        if !warm {
            self.guests_leave(id);
            self.park(&to, ParkedBy::Activation);
        }
        let chat = self.chat_mut(id);
        chat.transfer = None;
        chat.past.push((offer.id, to.clone(), Fate::Accepted));
        self.freed(&to, Fate::Accepted);
        let (interaction, offer) = (id, offer.id);
        self.tell(Event::TransferAccepted { interaction, from: from.clone(), to: to.clone(), offer, warm });
        if warm {
            self.joins(id, &to, Guest::Consulted);
        } else {
            self.moves(id, &from, &to);
            self.say(id, Notice::Transferred, words);
            self.wish_comes_due(&from);
        }
    }

    /// From one inbox into another, where it is active.
    fn moves(&mut self, id: InteractionId, from: &AgentId, to: &AgentId) {
        self.connecting(id);
        self.let_go(id, from);
        self.agent_mut(from).today.transferred += 1;
        self.own_now(id, to, Place::Active);
        let chat = self.chat_mut(id);
        (chat.silence, chat.update) = (None, None);
        chat.suggested.clear();
        self.in_hand(id, to);
        self.agent_mut(to).call_parked.clear();
    }

    pub(super) fn transfer_fails(&mut self, id: InteractionId, failed: TransferFailed) {
        let chat = self.chat_mut(id);
        let from = chat.owner().unwrap().clone();
        let Some(Transfer { offer, .. }) = chat.transfer.take() else { return };
        let fate = Fate::Kept(failed);
        chat.past.push((offer.id, offer.to.clone(), fate));
        self.freed(&offer.to, fate);
        self.tell(Event::TransferFailed { interaction: id, from, to: offer.to, offer: offer.id, failed });
    }

    pub(super) fn cancel_transfer(&mut self, id: InteractionId) {
        let why = WithdrawnWhy::TransferCancelled;
        self.transfer_fails(id, TransferFailed::Withdrawn { why });
    }

    pub(super) fn hand_over(&mut self, agent: &AgentId, id: InteractionId, to: &AgentId) -> Answer {
        if !self.own_open(agent, id)?.is_guest(to) {
            return Err(Code::WrongState);
        }
        let away = matches!(self.presence(to), Presence::StopNew | Presence::Offline);
        if away || !self.connected(to) || self.talking(to) {
            return Err(Code::TargetUnavailable);
        }
        let words = self.wording(id, Notice::Transferred);
        self.cancel_transfer(id);
        self.chat_mut(id).guests.retain(|(guest, _)| guest != to);
        self.guests_leave(id);
        self.park(to, ParkedBy::Activation);
        self.moves(id, agent, to);
        self.tell(Event::HandedOver { interaction: id, from: agent.clone(), to: to.clone() });
        self.say(id, Notice::Transferred, words);
        self.wish_comes_due(agent);
        Ok(())
    }

    // ---- guests -----------------------------------------------------------------------------------------------

    pub(super) fn joins(&mut self, id: InteractionId, agent: &AgentId, guest: Guest) {
        let chat = self.chat_mut(id);
        chat.guests.retain(|(who, _)| who != agent);
        chat.guests.push((agent.clone(), guest));
    }

    pub(super) fn guest_leaves(&mut self, id: InteractionId, agent: &AgentId) {
        self.chat_mut(id).guests.retain(|(guest, _)| guest != agent);
        self.tell(Event::GuestLeft { interaction: id, agent: agent.clone() });
    }

    pub(super) fn guests_leave(&mut self, id: InteractionId) {
        let mut guests: Vec<AgentId> =
            self.chat(id).unwrap().guests.iter().map(|(guest, _)| guest.clone()).collect();
        guests.sort();
        for guest in guests {
            self.guest_leaves(id, &guest);
        }
    }
}
