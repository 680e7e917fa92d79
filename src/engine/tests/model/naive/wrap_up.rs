//! The end of a chat, wrap-up and classification (B13, B20, C1 to C8).

use super::{Answer, Chat, Clock, Left, Naive, Shut, Where, Wrap};
use tieline_model::content::ContentRef;
use tieline_model::crm::{Channel, LogState, Outcome, Record, Side};
use tieline_model::event::{CompletedBy, TransferFailed, WithdrawnWhy};
use tieline_model::live::Place;
use tieline_model::policy::Classification;
use tieline_model::{Actor, AgentId, Code, ConnectionId, Event, InteractionId, Millis};

impl Naive {
    pub(super) fn end(&mut self, by: &Actor, id: InteractionId) -> Answer {
        let side = match by {
            Actor::Agent { .. } => {
                let agent = self.known_agent(by)?;
                self.own(&agent, id)?;
                Side::Agent
            }
            Actor::Customer { conversation } => {
                self.customers(*conversation, id).ok_or(Code::NotFound)?;
                Side::Customer
            }
            _ => return Err(Code::NotPermitted),
        };
        let chat = self.chat(id).unwrap();
        if chat.in_wrap_up() {
            return Ok(());
        }
        if chat.in_progress() {
            self.end_owned(id, side);
            return Ok(());
        }
        let outcome = match (&chat.at, chat.answered) {
            (_, Some(_)) => Outcome::Answered,
            (Where::Form(_), None) => Outcome::Overflowed,
            (_, None) => Outcome::Abandoned,
        };
        let offered = chat.standing().map(|offer| offer.to.clone());
        if let Some(agent) = offered {
            self.withdraw(&agent, WithdrawnWhy::CustomerLeft);
        }
        self.tell(Event::ChatEnded { interaction: id, by: side });
        let log = outcome == Outcome::Answered || self.rules(id)?.log_abandoned;
        self.close_unserved(id, outcome, log);
        Ok(())
    }

    /// Nobody has it any more.
    pub(super) fn close_unserved(&mut self, id: InteractionId, outcome: Outcome, log: bool) {
        let chat = self.remove(id);
        let (conversation, service) = (chat.conversation, Some(chat.service));
        let (interaction, agent) = (id, chat.last.clone());
        self.remember(chat, agent.clone(), outcome);
        self.tell(Event::InteractionClosed { interaction, outcome, conversation, agent, log, service });
    }

    fn remove(&mut self, id: InteractionId) -> Chat {
        self.chats.remove(self.chats.iter().position(|c| c.id == id).unwrap())
    }

    /// Who comes back soon goes on with the same agent (B15, A11).
    fn remember(&mut self, chat: Chat, agent: Option<AgentId>, outcome: Outcome) {
        while self.left.first().is_some_and(|left| left.until <= self.now) {
            self.left.remove(0);
        }
        let at_form = matches!(chat.at, Where::Form(_));
        if !chat.served
            && !at_form
            && chat.channel == Channel::Chat
            && matches!(outcome, Outcome::Abandoned | Outcome::Answered)
        {
            self.figures_mut(chat.queue.as_ref().unwrap()).abandoned += 1;
        }
        if let (Where::Line, Some(queue)) = (&chat.at, &chat.queue) {
            self.left_line(queue);
        }
        let (Channel::Chat, Some(queue), Some(person)) = (chat.channel, chat.queue, chat.person) else {
            return;
        };
        if let Some(agent) = &agent {
            for mark in &chat.marks {
                self.last.retain(|(known, _)| known != mark);
                self.last.push((mark.clone(), agent.clone()));
            }
        }
        let until = self.now + self.policy.queues.get(&queue).map_or(Millis(0), |q| q.reopen_within);
        let (id, conversation, marks, skills) = (chat.id, chat.conversation, chat.marks, chat.skills);
        let returned_as = None;
        self.left.push(Left { id, conversation, queue, agent, person, marks, skills, returned_as, until });
    }

    /// An owned chat ends; its countdown runs only while it is active.
    pub(super) fn end_owned(&mut self, id: InteractionId, side: Side) {
        let why =
            if side == Side::Customer { WithdrawnWhy::CustomerLeft } else { WithdrawnWhy::TransferCancelled };
        self.transfer_fails(id, TransferFailed::Withdrawn { why });
        self.guests_leave(id);
        self.tell(Event::ChatEnded { interaction: id, by: side });
        self.connecting(id);
        let chat = self.chat_mut(id);
        (chat.unanswered, chat.silence, chat.update) = (None, None, None);
        chat.suggested.clear();
        self.begin_wrap_up(id, side);
    }

    pub(super) fn begin_wrap_up(&mut self, id: InteractionId, side: Side) {
        let now = self.now;
        let chat = self.chat(id).unwrap();
        let rules = self.wrap_up_rules(chat).unwrap();
        let agent = chat.owner().unwrap().clone();
        let clock = |time: Option<Millis>, runs: bool| match time {
            None => Clock::None,
            Some(time) if runs => Clock::Runs(now + time),
            Some(time) => Clock::Stands(time),
        };
        let active = chat.item().unwrap().place == Place::Active;
        let max = clock(rules.max, !self.talking(&agent));
        let clock = clock(rules.time, active);
        let item = self.item_mut(id);
        (item.unopened, item.lies) = (None, None);
        let (seen, extensions) = (side == Side::Agent, rules.extensions);
        item.wrap = Some(Wrap { ended: now, seen, clock, max, extensions });
        let (deadline, time) = (clock.until(), rules.time);
        self.tell(Event::WrapUpStarted { interaction: id, agent, deadline, time });
    }

    /// The hard maximum stands still while the agent is on the phone (C8).
    pub(super) fn maxima_follow_the_phone(&mut self) {
        let now = self.now;
        let talking: Vec<AgentId> = self.calls.iter().filter_map(|c| c.on_the_phone()).cloned().collect();
        for chat in &mut self.chats {
            if let Where::Inbox(item) = &mut chat.at
                && let Some(wrap) = &mut item.wrap
            {
                if talking.contains(&item.of) {
                    wrap.max.stop(now);
                } else {
                    wrap.max.go(now);
                }
            }
        }
    }

    pub(super) fn see_end(&mut self, agent: &AgentId, id: InteractionId) -> Answer {
        self.own(agent, id)?;
        let wrap = self.item_mut(id).wrap.as_mut().ok_or(Code::WrongState)?;
        if !wrap.seen {
            wrap.seen = true;
            self.tell(Event::EndSeen { interaction: id });
        }
        Ok(())
    }

    pub(super) fn extend(&mut self, agent: &AgentId, id: InteractionId) -> Answer {
        let chat = self.own(agent, id)?;
        if !chat.in_wrap_up() {
            return Err(Code::WrongState);
        }
        let more = self.wrap_up_rules(chat).ok_or(Code::NotFound)?.extension;
        let wrap = self.item_mut(id).wrap.as_mut().unwrap();
        let (clock, deadline, time_left) = match wrap.clock {
            Clock::None => return Err(Code::WrongState),
            Clock::Runs(until) => (Clock::Runs(until + more), Some(until + more), None),
            Clock::Stands(left) => {
                let left = Millis(left.0 + more.0);
                (Clock::Stands(left), None, Some(left))
            }
        };
        if wrap.extensions == 0 {
            return Err(Code::NoExtensionsLeft);
        }
        wrap.extensions -= 1;
        wrap.clock = clock;
        let extensions_left = wrap.extensions;
        self.tell(Event::WrapUpExtended { interaction: id, deadline, time_left, extensions_left });
        Ok(())
    }

    /// A wrap-up is done, and what follows from that: what its call had parked goes on, or a wish comes due.
    pub(super) fn complete(&mut self, id: InteractionId, by: CompletedBy) {
        let chat = self.chat(id).unwrap();
        let (agent, call) = (chat.owner().unwrap().clone(), chat.channel == Channel::Call);
        self.finish(id, by);
        if call {
            self.call_wrapped_up(&agent);
        } else {
            self.wish_comes_due(&agent);
        }
    }

    pub(super) fn finish(&mut self, id: InteractionId, by: CompletedBy) {
        let now = self.now;
        let chat = self.remove(id);
        let item = chat.item().unwrap();
        let (agent, wrap) = (item.of.clone(), item.wrap.as_ref().unwrap());
        let rules = self.classification(&chat);
        let not_classified = rules.is_some_and(|rules| is_missing(rules, &chat.codes, chat.remarks));
        let unseen = !wrap.seen && by != CompletedBy::Agent;
        let day = &mut self.agent_mut(&agent).today;
        day.wrap_ups += 1;
        day.wrap_up.0 += now.since(wrap.ended).0;
        let to = agent.clone();
        self.tell(Event::WrapUpCompleted { interaction: id, agent: to, by, not_classified, unseen });
        let outcome = if chat.answered.is_some() { Outcome::Answered } else { Outcome::Abandoned };
        let abandoned_too = self.queue_of(&chat).is_some_and(|q| q.log_abandoned);
        let (log, service) = match chat.channel {
            Channel::Chat => (outcome == Outcome::Answered || abandoned_too, Some(chat.service)),
            Channel::Call => (self.logs_call(outcome), None),
        };
        self.over.iter_mut().filter(|over| over.id == id).for_each(|over| over.log = log);
        let (conversation, to) = (chat.conversation, Some(agent.clone()));
        self.tell(Event::InteractionClosed {
            interaction: id,
            outcome,
            conversation,
            agent: to,
            log,
            service,
        });
        self.let_go(id, &agent);
        let states = chat.states.clone();
        self.list(Shut { id, agent: agent.clone(), outcome, not_classified, unseen, states });
        self.remember(chat, Some(agent), outcome);
    }

    /// The latest ten of each agent are listed.
    pub(super) fn list(&mut self, shut: Shut) {
        let agent = shut.agent.clone();
        self.shut.push(shut);
        let of_agent: Vec<InteractionId> =
            self.shut.iter().filter(|s| s.agent == agent).map(|s| s.id).collect();
        if of_agent.len() > 10 {
            self.shut.retain(|s| s.id != of_agent[0]);
        }
    }

    pub(super) fn classify(
        &mut self,
        agent: &AgentId,
        id: InteractionId,
        codes: &[String],
        remarks: Option<ContentRef>,
    ) -> Answer {
        let live = self.calls.iter().position(|c| c.id == id && c.on_the_phone() == Some(agent));
        let rules = match live {
            Some(_) => &self.policy.calls.classification,
            None => self.classification(self.own(agent, id)?).ok_or(Code::NotFound)?,
        };
        let twice = codes.iter().any(|c| codes.iter().filter(|d| *d == c).count() > 1);
        let unknown = codes.iter().any(|c| !rules.codes.contains(c));
        if unknown || twice || (codes.len() > 1 && !rules.several) {
            return Err(Code::Invalid);
        }
        if remarks.is_some_and(|r| r.chars > 10_000) {
            return Err(Code::TooLong);
        }
        let (chosen, said) = match live {
            Some(at) => {
                let call = &mut self.calls[at];
                (&mut call.codes, &mut call.remarks)
            }
            None => {
                let chat = self.chat_mut(id);
                (&mut chat.codes, &mut chat.remarks)
            }
        };
        codes.clone_into(chosen);
        *said = remarks.or(*said);
        let (agent, codes) = (agent.clone(), codes.to_vec());
        self.tell(Event::Classified { interaction: id, agent, codes, remarks });
        Ok(())
    }

    pub(super) fn choose(
        &mut self,
        agent: &AgentId,
        id: InteractionId,
        connection: &ConnectionId,
        contact: &Option<Record>,
    ) -> Answer {
        let known = self.policy.connections.iter().any(|c| c.id == *connection);
        let chosen = if self.own(agent, id).is_ok() {
            &mut self.chat_mut(id).chosen
        } else {
            let own_call = |c: &&mut super::Call| c.id == id && c.on_the_phone() == Some(agent);
            &mut self.calls.iter_mut().find(own_call).ok_or(Code::NotFound)?.chosen
        };
        if !known {
            return Err(Code::NotFound);
        }
        if chosen.iter().any(|(c, r)| c == connection && r == contact) {
            return Ok(());
        }
        chosen.retain(|(c, _)| c != connection);
        chosen.push((connection.clone(), contact.clone()));
        let (agent, connection, contact) = (agent.clone(), connection.clone(), contact.clone());
        self.tell(Event::ContactChosen { interaction: id, agent, connection, contact });
        Ok(())
    }

    /// What a CRM says of a log: of a closed interaction, or of a case opened in mid-chat.
    pub(super) fn delivered(&mut self, id: InteractionId, connection: &ConnectionId, state: &LogState) {
        let open = self.chats.iter_mut().find(|c| c.id == id && c.case_opened).map(|c| &mut c.states);
        let shut = self.shut.iter_mut().find(|s| s.id == id).map(|s| &mut s.states);
        let Some(states) = open.or(shut) else { return };
        if states.iter().any(|(c, s)| c == connection && s == state) {
            return;
        }
        states.retain(|(c, _)| c != connection);
        states.push((connection.clone(), state.clone()));
        let (connection, state) = (connection.clone(), state.clone());
        self.tell(Event::DeliveryReported { interaction: id, connection, state });
    }
}

/// Classification is wanted and not given: a code where there is a list, else words (C6).
pub(super) fn is_missing(rules: &Classification, codes: &[String], remarks: Option<ContentRef>) -> bool {
    let words = remarks.is_some_and(|remarks| remarks.chars > 0);
    rules.mandatory && !(if rules.codes.is_empty() { words } else { !codes.is_empty() })
}
