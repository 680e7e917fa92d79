//! Calls, and what they do to their agents.

use crate::state::{Call, CallState, Closed, ENDED_CALLS_MAX, EndedCall, Engine, Stage, Talk, WrapClock};
use std::collections::{BTreeMap, BTreeSet};
use tieline_model::crm::{Channel, Direction, Outcome};
use tieline_model::{AgentId, CallId, ConversationId, InteractionId, Timestamp};

impl Engine {
    pub(super) fn call_known(
        &mut self,
        call: &CallId,
        id: InteractionId,
        conversation: ConversationId,
        at: Timestamp,
    ) {
        self.call_ids.entry(call.clone()).or_insert(id);
        let known = self.calls.or_insert_with(&id, || Call {
            id,
            call: call.clone(),
            conversation,
            queue: None,
            numbers: None,
            withheld: false,
            direction: Direction::Inbound,
            started_at: at,
            state: CallState::Ringing { agents: BTreeSet::new() },
            recording: None,
            found: BTreeMap::new(),
            codes: Vec::new(),
            remarks: None,
            script: None,
            held_at: None,
            heard_at: at,
            due: None,
        });
        known.heard_at = at;
        self.call_due(id);
    }

    /// The other side was put on hold, or taken off it.
    pub(super) fn held(&mut self, id: InteractionId, since: Option<Timestamp>, at: Timestamp) {
        if let Some(call) = self.calls.get_mut(&id) {
            (call.held_at, call.heard_at) = (since, at);
        }
        self.call_due(id);
    }

    /// From one agent to another. Who had it is done with it; who has it is on the phone.
    pub(super) fn call_moved(&mut self, id: InteractionId, from: &AgentId, to: &AgentId, at: Timestamp) {
        self.held(id, None, at);
        let Some(state) = self.calls.get(&id).map(|call| call.state.with(to.clone(), at)) else { return };
        let answered = matches!(state, CallState::Answered { .. });
        self.on_the_phone(id, state, at);
        self.with_agent(from, |a| {
            a.idle_since = at;
            a.today.transferred += 1;
        });
        self.with_agent(to, |a| a.today.calls += u32::from(answered));
    }

    pub(super) fn rings_at(&mut self, id: InteractionId, agents: BTreeSet<AgentId>, at: Timestamp) {
        self.call_leaves(id, at, |agent| !agents.contains(agent));
        for agent in &agents {
            self.with_agent(agent, |a| {
                a.calls.insert(id);
            });
        }
        if let Some(call) = self.calls.get_mut(&id) {
            call.state = CallState::Ringing { agents };
        }
    }

    /// The call is no longer at those of its agents who are `done` with it.
    fn call_leaves(&mut self, id: InteractionId, at: Timestamp, done: impl Fn(&AgentId) -> bool) {
        let Some(call) = self.calls.get(&id) else { return };
        let gone: Vec<AgentId> = call.state.holders().into_iter().filter(|a| done(a)).collect();
        for agent in gone {
            let other = self.other_call(&agent, id);
            self.with_agent(&agent, |a| {
                a.calls.remove(&id);
                a.talking = a.talking.filter(|i| *i != id).or(other);
            });
            self.calls_done(&agent);
            self.maxima_follow_the_phone(&agent, at);
        }
    }

    /// Once an agent's last call is over, wrap-up and all, what calls parked is no business of a later one (B5). A call
    /// that broke into the wrap-up of another leaves that to go on first.
    pub(super) fn calls_done(&mut self, agent: &AgentId) {
        let Some(state) = self.agents.get(agent) else { return };
        let latest = state.parked_by_calls.last().and_then(|id| self.chats.get(id));
        let broke_into = latest.is_some_and(|item| item.channel == Channel::Call);
        if !broke_into && state.calls.is_empty() && !self.in_call_wrap_up(agent) {
            self.with_agent(agent, |a| a.parked_by_calls.clear());
        }
    }

    /// Whether the agent's active item is the wrap-up of a call.
    pub(crate) fn in_call_wrap_up(&self, agent: &AgentId) -> bool {
        let active = self.agents.get(agent).and_then(|a| a.active).and_then(|id| self.chats.get(&id));
        active.is_some_and(|item| item.channel == Channel::Call)
    }

    /// An agent has dialled or answered.
    pub(super) fn on_the_phone(&mut self, id: InteractionId, state: CallState, at: Timestamp) {
        let Some(agent) = state.on_the_phone().cloned() else { return };
        self.call_leaves(id, at, |other| *other != agent);
        if let Some(call) = self.calls.get_mut(&id) {
            call.state = state;
        }
        self.with_agent(&agent, |a| {
            a.calls.insert(id);
            a.talking = Some(id);
        });
        self.maxima_follow_the_phone(&agent, at);
    }

    /// The hard maxima of an agent's wrap-ups stand still while the agent is on the phone (C8).
    fn maxima_follow_the_phone(&mut self, agent: &AgentId, at: Timestamp) {
        let Some(state) = self.agents.get(agent) else { return };
        let talking = state.talking.is_some();
        let inbox: Vec<InteractionId> = state.inbox.iter().copied().collect();
        for id in inbox {
            self.with_chat(id, |c| {
                let Stage::Owned { talk: Talk::WrapUp { max, .. }, .. } = &mut c.stage else { return };
                *max = match (*max, talking) {
                    (WrapClock::Running { deadline }, true) => {
                        WrapClock::Stopped { left: deadline.since(at) }
                    }
                    (WrapClock::Stopped { left }, false) => WrapClock::Running { deadline: at + left },
                    (same, _) => same,
                };
            });
        }
    }

    /// Another call that the agent is on, if there is one.
    fn other_call(&self, agent: &AgentId, but: InteractionId) -> Option<InteractionId> {
        let calls = self.agents.get(agent)?.calls.iter();
        calls.copied().filter(|id| *id != but).find(|id| {
            let call = self.calls.get(id);
            call.is_some_and(|call| call.state.on_the_phone() == Some(agent))
        })
    }

    pub(super) fn call_over(&mut self, call: &CallId, id: InteractionId, at: Timestamp) {
        self.call_leaves(id, at, |_| true);
        if let Some(over) = self.calls.remove(&id) {
            if let Some(due) = over.due {
                self.index.deadlines.remove(&(due, crate::Deadline::CallUnended(id)));
            }
            if let Some(agent) = over.state.on_the_phone() {
                self.with_agent(agent, |a| a.idle_since = at);
            }
            let rules = &self.policy.calls.classification;
            let answered = over.answered_at().is_some();
            let ended = EndedCall {
                interaction: id,
                conversation: over.conversation,
                direction: over.direction,
                numbers: over.numbers,
                recording: over.recording,
                log: false,
                not_classified: answered && rules.mandatory && !rules.given(&over.codes, over.remarks),
            };
            self.ended.insert(call.clone(), Some(ended));
        }
        self.ended.entry(call.clone()).or_default();
        self.call_ids.remove(call);
        self.ended_calls.push_back(call.clone());
        if self.ended_calls.len() > ENDED_CALLS_MAX
            && let Some(oldest) = self.ended_calls.pop_front()
        {
            self.ended.remove(&oldest);
        }
    }

    /// A call that has ended is logged: late facts of it are too, and its agent sees where the log stands.
    pub(super) fn call_logged(
        &mut self,
        id: InteractionId,
        agent: Option<&AgentId>,
        outcome: Outcome,
        at: Timestamp,
    ) {
        let Some(call) = self.ended_call(id) else { return };
        call.log = true;
        let (person, direction, not_classified) = (call.numbers, call.direction, call.not_classified);
        let (Some(agent), false) = (agent.cloned(), self.closed.contains_key(&id)) else { return };
        let (call, deliveries, unseen) = (Some(direction), BTreeMap::new(), false);
        self.list(id, Closed { agent, person, call, at, outcome, not_classified, unseen, deliveries });
    }

    /// A call that has ended, by its id here. The one that has just ended is the last, so that looking from there finds
    /// it at once.
    pub(super) fn ended_call(&mut self, id: InteractionId) -> Option<&mut EndedCall> {
        let is = |call: &&CallId| {
            self.ended.get(*call).is_some_and(|e| e.as_ref().is_some_and(|e| e.interaction == id))
        };
        let call = self.ended_calls.iter().rev().find(is)?.clone();
        self.ended.get_mut(&call)?.as_mut()
    }
}

impl Call {
    /// When an agent answered it, or the customer did whom an agent had dialled.
    #[must_use]
    pub fn answered_at(&self) -> Option<Timestamp> {
        match &self.state {
            CallState::Answered { at, .. } => Some(*at),
            CallState::Ringing { .. } | CallState::Dialled { .. } => None,
        }
    }
}
