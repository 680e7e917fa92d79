//! The end of a chat or call, its wrap-up, and what is remembered of it.

use super::chats::{connecting_until, nothing_advised};
use crate::state::{
    Chat, Closed, Engine, LAST_AGENTS_MAX, LEFT_MAX, Left, RECENT_LOGS_MAX, Stage, Talk, WrapClock,
};
use tieline_model::crm::{Channel, Outcome, Side};
use tieline_model::live::Place;
use tieline_model::policy::Delivery;
use tieline_model::{AgentId, InteractionId, Timestamp};

impl Engine {
    pub(super) fn ended(&mut self, id: InteractionId, by: Side, at: Timestamp) {
        let Some(chat) = self.chats.get(&id) else { return };
        let Stage::Owned { agent, .. } = &chat.stage else { return };
        let rules = self.wrap_up_rules(chat).copied().unwrap_or_default();
        let max = match rules.max {
            None => WrapClock::Unlimited,
            Some(left) if self.agents.get(agent).is_some_and(|a| a.talking.is_some()) => {
                WrapClock::Stopped { left }
            }
            Some(left) => WrapClock::Running { deadline: at + left },
        };
        self.with_chat(id, |c| {
            connecting_until(c, at);
            c.unanswered_since = None;
            nothing_advised(c);
            let Stage::Owned { talk, .. } = &mut c.stage else { return };
            *talk = Talk::WrapUp {
                ended_at: at,
                ended_by: by,
                seen: by == Side::Agent,
                clock: WrapClock::Unlimited,
                extensions_left: rules.extensions,
                max,
            };
        });
    }

    /// Of a call, the wrap-up is an item of its own in the agent's inbox, and the active one (E5).
    pub(super) fn wrap_up_started(
        &mut self,
        id: InteractionId,
        agent: &AgentId,
        started: WrapClock,
        at: Timestamp,
    ) {
        if let Some(call) = self.calls.get(&id) {
            let stage = Stage::Owned {
                agent: agent.clone(),
                place: Place::Active,
                talk: Talk::Open { unopened_deadline: None, unopened_since: None },
            };
            let item = Chat {
                channel: Channel::Call,
                stage,
                answered_at: call.answered_at(),
                codes: call.codes.clone(),
                remarks: call.remarks,
                script: call.script,
                found: call.found.clone(),
                started_at: call.started_at,
                ..Chat::new(id, call.conversation, call.queue.clone(), call.numbers, at)
            };
            self.add_chat(item);
            self.ended(id, Side::Agent, at);
            self.with_agent(agent, |a| {
                a.inbox.insert(id);
                a.active = Some(id);
            });
        }
        self.wrap_up(id, |clock, _, _| *clock = started);
    }

    pub(super) fn wrap_up(
        &mut self,
        id: InteractionId,
        change: impl FnOnce(&mut WrapClock, &mut bool, &mut u32),
    ) {
        self.with_chat(id, |c| {
            if let Stage::Owned { talk: Talk::WrapUp { clock, seen, extensions_left, .. }, .. } = &mut c.stage
            {
                change(clock, seen, extensions_left);
            }
        });
    }

    /// The customer came back: in progress again, where it was (B15).
    pub(super) fn reopened(&mut self, id: InteractionId, agent: &AgentId, at: Timestamp) {
        let queue = self.chats.get(&id).and_then(|chat| chat.rules());
        let unopened_after = queue.filter(|q| q.delivery == Delivery::Auto).map(|q| q.unopened_after);
        self.with_chat(id, |c| {
            if let Stage::Owned { place, talk, .. } = &mut c.stage {
                // One whose agent had not opened it yet is as new as when it came (A3).
                let new = *place == Place::New;
                *talk = Talk::Open {
                    unopened_deadline: unopened_after.filter(|_| new).map(|after| at + after),
                    unopened_since: new.then_some(at),
                };
            }
        });
        self.with_agent(agent, |_| {});
    }

    pub(super) fn completed(
        &mut self,
        id: InteractionId,
        agent: &AgentId,
        not_classified: bool,
        unseen: bool,
        at: Timestamp,
    ) {
        self.let_go(id, agent, at);
        let Some(chat) = self.chats.get(&id) else { return };
        if chat.channel == Channel::Call {
            self.calls_done(agent);
        }
        let Some(chat) = self.chats.get(&id) else { return };
        let took = match &chat.stage {
            Stage::Owned { talk: Talk::WrapUp { ended_at, .. }, .. } => at.since(*ended_at),
            Stage::Owned { .. } | Stage::Waiting | Stage::Offered(_) | Stage::Form { .. } => {
                Default::default()
            }
        };
        let (channel, person, deliveries) = (chat.channel, chat.person, chat.deliveries.clone());
        let call = match channel {
            Channel::Chat => None,
            Channel::Call => self.ended_call(id).map(|call| call.direction),
        };
        let closed = Closed {
            agent: agent.clone(),
            person,
            call,
            at,
            outcome: Outcome::Answered,
            not_classified,
            unseen,
            deliveries,
        };
        self.list(id, closed);
        self.with_agent(agent, |a| {
            a.today.wrap_ups += 1;
            a.today.wrap_up.0 += took.0;
        });
    }

    /// Lists a closed interaction among its agent's latest.
    pub(super) fn list(&mut self, id: InteractionId, closed: Closed) {
        let agent = closed.agent.clone();
        self.closed.insert(id, closed);
        let mut dropped = None;
        self.with_agent(&agent, |a| {
            a.recent.push_front(id);
            if a.recent.len() > RECENT_LOGS_MAX {
                dropped = a.recent.pop_back();
            }
        });
        dropped.map(|id| self.closed.remove(&id));
    }

    pub(super) fn interaction_closed(
        &mut self,
        id: InteractionId,
        outcome: Outcome,
        agent: Option<&AgentId>,
        log: bool,
        at: Timestamp,
    ) {
        let chat = self.forget_chat(id);
        if log && chat.as_ref().is_none_or(|chat| chat.channel == Channel::Call) {
            self.call_logged(id, agent, outcome, at);
        }
        if let Some(chat) = chat {
            self.remember_chat(chat, outcome, agent, at);
        }
        if let Some(closed) = self.closed.get_mut(&id) {
            closed.outcome = outcome;
        }
    }

    fn forget_chat(&mut self, id: InteractionId) -> Option<Box<Chat>> {
        let chat = self.chats.remove(&id)?;
        self.index.leave(&chat, self.policy.ageing);
        if let Some(due) = &chat.due {
            self.index.deadlines.remove(due);
        }
        for (offer, _, _) in &chat.past_offers {
            self.offers.remove(offer);
        }
        Some(chat)
    }

    /// Who comes back soon goes on with the same agent (B15, A11 `sticky`).
    fn remember_chat(&mut self, chat: Box<Chat>, outcome: Outcome, agent: Option<&AgentId>, at: Timestamp) {
        while let Some(oldest) = self.left_order.front()
            && (self.left_order.len() >= LEFT_MAX
                || self.left.get(oldest).is_none_or(|left| left.until <= at))
        {
            self.left_order.pop_front().map(|oldest| self.left.remove(&oldest));
        }
        let within = chat.rules().map(|queue| queue.reopen_within).unwrap_or_default();
        let (Channel::Chat, Some(queue), Some(person)) = (chat.channel, chat.queue, chat.person) else {
            return;
        };
        if chat.stage == Stage::Waiting {
            self.line_left(&queue);
        }
        let at_form = matches!(chat.stage, Stage::Form { .. });
        if !chat.served && !at_form && matches!(outcome, Outcome::Abandoned | Outcome::Answered) {
            self.figures.or_default(&queue).today.abandoned += 1;
        }
        let agent = agent.cloned();
        for mark in agent.iter().flat_map(|_| &chat.marks) {
            self.remember_agent(mark, agent.as_ref());
        }
        let (conversation, marks, skills, until) = (chat.conversation, chat.marks, chat.skills, at + within);
        let returned_as = None;
        let left = Left { conversation, queue, agent, person, marks, skills, returned_as, until };
        self.left.insert(chat.id, left);
        self.left_order.push_back(chat.id);
    }

    fn remember_agent(&mut self, mark: &tieline_model::Mark, agent: Option<&AgentId>) {
        let Some(agent) = agent else { return };
        if self.last_agents.insert(mark.clone(), agent.clone()).is_none() {
            self.last_agents_order.push_back(mark.clone());
        }
        if self.last_agents_order.len() > LAST_AGENTS_MAX {
            self.last_agents_order.pop_front().map(|oldest| self.last_agents.remove(&oldest));
        }
    }

    /// The rules an item is wrapped up by: its queue's, or those for calls (E5).
    #[must_use]
    pub fn wrap_up_rules<'a>(&'a self, chat: &'a Chat) -> Option<&'a tieline_model::policy::WrapUp> {
        match chat.channel {
            Channel::Chat => chat.rules().map(|q| &q.wrap_up),
            Channel::Call => self.policy.calls.wrap_up.as_ref(),
        }
    }
}
