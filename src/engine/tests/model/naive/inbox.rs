//! The inbox: what is active, what is parked, how items come and go (B1 to B5, A3).

use super::{Answer, Naive, Where};
use tieline_model::command::Presence;
use tieline_model::event::{AssignedHow, ParkedBy, PresenceWhy, ReturnedWhy, WithdrawnWhy};
use tieline_model::live::Place;
use tieline_model::policy::{After, Delivery};
use tieline_model::{AgentId, Code, Event, InteractionId, Timestamp};

impl Naive {
    pub(super) fn assign(
        &mut self,
        id: InteractionId,
        agent: AgentId,
        how: AssignedHow,
        deadline: Option<Timestamp>,
    ) {
        self.own_now(id, &agent, Place::New);
        self.item_mut(id).unopened = deadline;
        let now = self.now;
        self.agent_mut(&agent).idle = now;
        if how == AssignedHow::Supervisor {
            self.line_left(id);
        } else {
            self.line_moved(id);
        }
        self.tell(Event::ChatAssigned { interaction: id, agent, how, deadline });
    }

    pub(super) fn take(&mut self, agent: &AgentId, id: InteractionId) -> Answer {
        let own = &self.policy.agents[agent];
        let serves = |queue| own.queues.contains(queue);
        let chat = self.chat(id).filter(|c| c.queue.as_ref().is_some_and(serves)).ok_or(Code::NotFound)?;
        match &chat.at {
            Where::Inbox(item) if item.of == *agent => return Ok(()),
            Where::Inbox(_) => return Err(Code::Taken),
            Where::Form(_) => return Err(Code::NotFound),
            Where::Line | Where::Offer(_) => {}
        }
        if self.rules(id)?.delivery != Delivery::Pull || self.presence(agent) != Presence::Available {
            return Err(Code::WrongState);
        }
        if !self.connected(agent) {
            return Err(Code::WrongState);
        }
        if self.load(agent) + self.units(chat) > own.chat_capacity {
            return Err(Code::AtCapacity);
        }
        self.assign(id, agent.clone(), AssignedHow::Taken, None);
        Ok(())
    }

    pub(super) fn park_own(&mut self, agent: &AgentId, id: InteractionId) -> Answer {
        match self.own(agent, id)?.item().unwrap().place {
            Place::Parked => {}
            Place::Active => self.park(agent, ParkedBy::Agent),
            Place::New => return Err(Code::NotActive),
        }
        Ok(())
    }

    /// Parks what is active, if anything is; the timer of a wrap-up stands (C5).
    pub(super) fn park(&mut self, agent: &AgentId, by: ParkedBy) {
        let Some(id) = self.active(agent).map(|c| c.id) else { return };
        let now = self.now;
        let item = self.item_mut(id);
        item.place = Place::Parked;
        let wrap_up_left = item.wrap.as_mut().and_then(|wrap| wrap.clock.stop(now));
        let state = self.agent_mut(agent);
        state.idle = now;
        if by == ParkedBy::Call {
            state.call_parked.push(id);
        }
        self.tell(Event::ItemParked { interaction: id, agent: agent.clone(), by, wrap_up_left });
    }

    pub(super) fn activate(&mut self, agent: &AgentId, id: InteractionId) {
        let now = self.now;
        self.connecting(id);
        let item = self.item_mut(id);
        let first = item.place == Place::New && item.wrap.is_none();
        item.place = Place::Active;
        (item.unopened, item.lies) = (None, None);
        let wrap_up_deadline = item.wrap.as_mut().and_then(|wrap| {
            wrap.seen = true;
            wrap.clock.go(now)
        });
        if first {
            self.in_hand(id, agent);
        }
        // What goes on is the last one parked, or the agent's own choice, which ends what calls had in mind.
        let parked = &mut self.agent_mut(agent).call_parked;
        if parked.pop() != Some(id) {
            parked.clear();
        }
        self.tell(Event::ItemActivated { interaction: id, agent: agent.clone(), wrap_up_deadline });
    }

    /// An item is no longer the agent's.
    pub(super) fn let_go(&mut self, id: InteractionId, agent: &AgentId) {
        let now = self.now;
        let agent = self.agent_mut(agent);
        agent.idle = now;
        agent.call_parked.retain(|parked| *parked != id);
    }

    /// A chat in progress goes from its agent to the place in line that it had.
    pub(super) fn back_in_line(&mut self, id: InteractionId, why: ReturnedWhy) {
        let now = self.now;
        let agent = self.chat(id).unwrap().owner().unwrap().clone();
        self.cancel_transfer(id);
        self.guests_leave(id);
        self.connecting(id);
        self.let_go(id, &agent);
        let chat = self.chat_mut(id);
        chat.at = Where::Line;
        chat.ahead |= matches!(why, ReturnedWhy::AgentLost | ReturnedWhy::Supervisor);
        if why != ReturnedWhy::Unopened {
            chat.entered = now;
        }
        (chat.silence, chat.update) = (None, None);
        chat.suggested.clear();
        if why == ReturnedWhy::Supervisor {
            self.declines(id, &agent);
        }
        self.tell(Event::ChatReturned { interaction: id, agent, why });
    }

    pub(super) fn never_opened(&mut self, id: InteractionId) {
        let agent = self.chat(id).unwrap().owner().unwrap().clone();
        self.back_in_line(id, ReturnedWhy::Unopened);
        if !self.connected(&agent) {
            // A lost connection costs nothing (A8).
            return;
        }
        self.declines(id, &agent);
        self.agent_mut(&agent).today.missed += 1;
        // Who has left Available since stays as chosen.
        if self.presence(&agent) != Presence::Available {
            return;
        }
        let after = self.rules(id).map(|q| q.after_miss);
        if after == Ok(After::OnBreak) {
            self.withdraw(&agent, WithdrawnWhy::PresenceLeft);
        }
        self.send_on_break(&agent, after, "missed", PresenceWhy::Missed);
    }
}
