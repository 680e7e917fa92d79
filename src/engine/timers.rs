//! Deadlines: who waits for what moment, and what happens when it comes. Never early (promise 7).

use crate::state::{Agent, Chat, Engine, Stage, Talk, WrapClock};
use serde::{Deserialize, Serialize};
use tieline_model::event::{CompletedBy, ReturnedWhy, Suggestion, WithdrawnWhy};
use tieline_model::policy::Escalate;
use tieline_model::{AgentId, Event, InteractionId, ScheduleId, Timestamp};

/// Something that happens by itself when its moment comes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Deadline {
    /// An offer runs out (A4), or that of a transfer (B12).
    Offer(InteractionId),
    /// An `auto` chat was not opened (A3).
    Unopened(InteractionId),
    /// A wrap-up runs out (C3).
    WrapUp(InteractionId),
    /// A wrap-up has reached its hard maximum (C8).
    Maximum(InteractionId),
    /// The customer stays silent (B8).
    Silence(InteractionId),
    /// A case is to be suggested (B16).
    Escalate(InteractionId),
    /// The agent is to say how it stands (B16).
    Update(InteractionId),
    /// A waiting chat needs less from here on (A11).
    Relax(InteractionId),
    /// A waiting chat has waited as long as its queue allows (A12).
    Waited(InteractionId),
    /// An agent who declined a waiting chat may be offered it again (A9).
    Decliner(InteractionId),
    /// The offline form is not waited for any longer (A12).
    Form(InteractionId),
    /// A lost agent's offer is withdrawn (A8).
    Grace(AgentId),
    /// An agent is lost (A17).
    Lost(AgentId),
    /// A schedule opens or closes (A12).
    Hours(ScheduleId),
    /// Nothing was heard of a call for so long that it must be over (E1).
    CallUnended(InteractionId),
}

impl Engine {
    /// The next moment something happens by itself, and what.
    #[must_use]
    pub fn next_deadline(&self) -> Option<(Timestamp, Deadline)> {
        self.index.deadlines.first().cloned()
    }

    /// What happens at the first deadline that has come, if any has. Apply it and ask again.
    #[must_use]
    pub fn expire(&self, now: Timestamp) -> Vec<Event> {
        match self.index.deadlines.first() {
            Some((at, deadline)) if *at <= now => self.expired(now, deadline),
            Some(_) | None => Vec::new(),
        }
    }

    fn expired(&self, now: Timestamp, deadline: &Deadline) -> Vec<Event> {
        match deadline {
            Deadline::Offer(id) => self.offer_expired(*id),
            Deadline::Unopened(id) => self.unopened(*id),
            Deadline::WrapUp(id) => self.complete_wrap_up(now, *id, CompletedBy::Timer),
            Deadline::Maximum(id) => self.complete_wrap_up(now, *id, CompletedBy::Maximum),
            Deadline::Silence(id) => self.silent(now, *id),
            Deadline::Escalate(id) => {
                vec![Event::Suggested { interaction: *id, suggestion: Suggestion::OpenCase }]
            }
            Deadline::Update(id) => {
                vec![Event::Suggested { interaction: *id, suggestion: Suggestion::Update }]
            }
            Deadline::Relax(id) => self.relax(*id),
            Deadline::Waited(id) => self.waited_too_long(now, *id),
            Deadline::Decliner(id) => self.forget_decliners(now, *id),
            Deadline::Form(id) => self.form_over(*id),
            Deadline::Grace(agent) => self.grace_over(agent),
            Deadline::Lost(agent) => self.lost(agent),
            Deadline::Hours(schedule) => self.hours_turn(now, schedule),
            Deadline::CallUnended(id) => self.call_unended(now, *id),
        }
    }

    fn unopened(&self, id: InteractionId) -> Vec<Event> {
        let Some(chat) = self.chats.get(&id) else { return Vec::new() };
        let Stage::Owned { agent, .. } = &chat.stage else { return Vec::new() };
        let mut events = self.give_back(chat, agent, ReturnedWhy::Unopened);
        if self.agents.get(agent).is_none_or(|a| a.sessions.is_empty()) {
            // A lost connection costs the agent nothing (A8).
            return events;
        }
        if let Some(to_break) = self.break_after_miss(chat.queue.as_ref(), agent) {
            events.extend(self.withdraw_from(agent, WithdrawnWhy::PresenceLeft));
            events.push(to_break);
        }
        events
    }

    /// Brings when a call counts as over up to date in the index. Call after anything that is heard of it.
    pub(crate) fn call_due(&mut self, id: InteractionId) {
        let longest = self.policy.calls.longest;
        let Some(call) = self.calls.get_mut(&id) else { return };
        let due = longest.map(|longest| call.heard_at + longest);
        if due == call.due {
            return;
        }
        if let Some(old) = std::mem::replace(&mut call.due, due) {
            self.index.deadlines.remove(&(old, Deadline::CallUnended(id)));
        }
        self.index.deadlines.extend(due.map(|at| (at, Deadline::CallUnended(id))));
    }

    /// Deadlines of neither chats nor agents nor calls.
    pub(crate) fn other_deadlines(&self) -> Vec<(Timestamp, Deadline)> {
        let turn = |(id, turned): (&ScheduleId, &crate::state::Turned)| {
            Some((turned.next?, Deadline::Hours(id.clone())))
        };
        self.turned.iter().filter_map(turn).collect()
    }
}

/// What a chat waits for first.
pub(crate) fn chat_waits(chat: &Chat) -> Option<(Timestamp, Deadline)> {
    let id = chat.id;
    let rules = chat.rules();
    match &chat.stage {
        Stage::Offered(offer) => Some((offer.deadline, Deadline::Offer(id))),
        Stage::Form { deadline } => Some((*deadline, Deadline::Form(id))),
        Stage::Waiting => {
            let rules = rules?;
            let relax = chat.relaxes_at(rules).map(|at| (at, Deadline::Relax(id)));
            let waited = chat.wait_limit(rules).map(|at| (at, Deadline::Waited(id)));
            let decliner = chat.declined.values().min().map(|at| (*at, Deadline::Decliner(id)));
            [relax, waited, decliner].into_iter().flatten().min()
        }
        Stage::Owned { talk: Talk::Open { unopened_deadline, .. }, .. } => {
            let unopened = unopened_deadline.map(|at| (at, Deadline::Unopened(id)));
            let transfer = chat.transfer.as_ref().map(|t| (t.offer.deadline, Deadline::Offer(id)));
            let silence = chat.silence.and_then(|s| s.deadline).map(|at| (at, Deadline::Silence(id)));
            let escalate =
                rules.and_then(|q| escalation(&q.escalate, chat)).map(|at| (at, Deadline::Escalate(id)));
            let update = chat.update_due.map(|at| (at, Deadline::Update(id)));
            [unopened, transfer, silence, escalate, update].into_iter().flatten().min()
        }
        Stage::Owned { talk: Talk::WrapUp { clock, max, .. }, .. } => {
            let runs = |clock: &WrapClock| match clock {
                WrapClock::Running { deadline } => Some(*deadline),
                WrapClock::Stopped { .. } | WrapClock::Unlimited => None,
            };
            let clock = runs(clock).map(|at| (at, Deadline::WrapUp(id)));
            let max = runs(max).map(|at| (at, Deadline::Maximum(id)));
            [clock, max].into_iter().flatten().min()
        }
    }
}

/// An agent on the phone is not lost (A17).
pub(crate) fn agent_waits(id: &AgentId, agent: &Agent) -> Option<(Timestamp, Deadline)> {
    let gone = agent.gone?;
    if agent.offered.is_some() {
        return Some((gone.grace.min(gone.lost), Deadline::Grace(id.clone())));
    }
    agent.talking.is_none().then(|| (gone.lost, Deadline::Lost(id.clone())))
}

/// When a case is to be suggested (B16), unless one was opened or suggested.
fn escalation(rules: &Escalate, chat: &Chat) -> Option<Timestamp> {
    if chat.case_opened || chat.suggested.contains(&Suggestion::OpenCase) {
        return None;
    }
    let long = chat.answered_at.zip(rules.after).map(|(since, after)| since + after);
    let unanswered = chat.unanswered_since.zip(rules.unanswered).map(|(since, after)| since + after);
    [long, unanswered].into_iter().flatten().min()
}
