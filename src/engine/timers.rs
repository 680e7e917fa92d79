//! Deadlines: who waits for what moment, and what happens when it comes. Never early (promise 7).

use crate::state::{Engine, Stage, Talk, WrapClock};
use serde::{Deserialize, Serialize};
use tieline_model::event::{CompletedBy, ReturnedWhy, WithdrawnWhy};
use tieline_model::{Event, InteractionId, Timestamp};

/// Something that happens by itself when its moment comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Deadline {
    /// An offer runs out (A4).
    Offer(InteractionId),
    /// An `auto` chat was not opened (A3).
    Unopened(InteractionId),
    /// A wrap-up runs out (C3).
    WrapUp(InteractionId),
}

impl Engine {
    /// The next moment something happens by itself, and what.
    #[must_use]
    pub fn next_deadline(&self) -> Option<(Timestamp, Deadline)> {
        self.index.deadlines.first().copied()
    }

    /// What happens at the first deadline that has come, if any has. Apply it and ask again.
    #[must_use]
    pub fn expire(&self, now: Timestamp) -> Vec<Event> {
        match self.next_deadline() {
            Some((at, deadline)) if at <= now => self.expired(now, deadline),
            Some(_) | None => Vec::new(),
        }
    }

    fn expired(&self, now: Timestamp, deadline: Deadline) -> Vec<Event> {
        match deadline {
            Deadline::Offer(id) => self.offer_expired(id),
            Deadline::Unopened(id) => self.unopened(now, id),
            Deadline::WrapUp(id) => self.complete_wrap_up(now, id, CompletedBy::Timer),
        }
    }

    fn offer_expired(&self, id: InteractionId) -> Vec<Event> {
        let Some(chat) = self.chats.get(&id) else { return Vec::new() };
        let Stage::Offered(offer) = &chat.stage else { return Vec::new() };
        let agent = offer.agent.clone();
        if self.agents.get(&agent).is_none_or(|a| a.sessions.is_empty()) {
            // A lost connection costs the agent nothing (A8).
            return vec![self.withdraw(chat, offer, WithdrawnWhy::AgentLost)];
        }
        let mut events = vec![Event::OfferMissed { interaction: id, agent: agent.clone(), offer: offer.id }];
        events.extend(self.break_after_miss(&chat.queue, &agent));
        events
    }

    fn unopened(&self, now: Timestamp, id: InteractionId) -> Vec<Event> {
        let Some(chat) = self.chats.get(&id) else { return Vec::new() };
        let Stage::Owned { agent, talk: Talk::Open { unopened_deadline: Some(at) }, .. } = &chat.stage else {
            return Vec::new();
        };
        if *at > now {
            return Vec::new();
        }
        let why = ReturnedWhy::Unopened;
        let mut events = vec![Event::ChatReturned { interaction: id, agent: agent.clone(), why }];
        if self.agents.get(agent).is_none_or(|a| a.sessions.is_empty()) {
            // A lost connection costs the agent nothing (A8).
            return events;
        }
        if let Some(to_break) = self.break_after_miss(&chat.queue, agent) {
            events.extend(self.withdraw_from(agent, WithdrawnWhy::PresenceLeft));
            events.push(to_break);
        }
        events
    }
}

/// The deadline a chat has now, if any. The index keeps it; the naive model and `rebuild` use it too.
pub(crate) fn deadline_of(id: InteractionId, stage: &Stage) -> Option<(Timestamp, Deadline)> {
    match stage {
        Stage::Waiting => None,
        Stage::Offered(offer) => Some((offer.deadline, Deadline::Offer(id))),
        Stage::Owned { talk: Talk::Open { unopened_deadline }, .. } => {
            unopened_deadline.map(|at| (at, Deadline::Unopened(id)))
        }
        Stage::Owned { talk: Talk::WrapUp { clock: WrapClock::Running { deadline }, .. }, .. } => {
            Some((*deadline, Deadline::WrapUp(id)))
        }
        Stage::Owned { talk: Talk::WrapUp { .. }, .. } => None,
    }
}
