//! Calls (E1, E2) and what they do to chats (A10, B4, B5). A fact that comes twice, late, out of order or against an
//! earlier one has a defined outcome and is never an error: "ended" is final, and the first answer stands.

use super::Decision;
use crate::state::{Call, CallState, Engine, Stage, Talk};
use std::collections::BTreeSet;
use tieline_model::command::CallFact;
use tieline_model::content::ContentRef;
use tieline_model::crm::{Direction, Outcome};
use tieline_model::event::{ParkedBy, WithdrawnWhy};
use tieline_model::policy::{AfterCall, CallLogs, ParkOn};
use tieline_model::{
    Actor, AgentId, CallId, Code, ConversationId, Event, InteractionId, QueueId, Refusal, Timestamp,
};

/// Agents one ringing may name.
const RINGING_AGENTS_MAX: usize = 100;

impl Engine {
    pub(super) fn report_call(
        &self,
        now: Timestamp,
        by: &Actor,
        call: &CallId,
        interaction: InteractionId,
        conversation: ConversationId,
        fact: &CallFact,
    ) -> Decision {
        match by {
            Actor::Producer { .. } => {}
            Actor::Agent { .. } | Actor::Customer { .. } | Actor::Connection { .. } | Actor::Daemon => {
                return Err(Refusal::new(Code::NotPermitted, "only a producer reports calls"));
            }
        }
        if self.ended.contains_key(call) {
            return Ok(self.late(call, fact));
        }
        let known = self.call_ids.get(call).and_then(|id| self.calls.get(id));
        let (id, talk) = known.map_or((interaction, conversation), |c| (c.id, c.conversation));
        if known.is_none() && (self.calls.contains_key(&id) || self.chats.contains_key(&id)) {
            return Err(Refusal::new(Code::WrongState, "this interaction id is in use").field("interaction"));
        }
        match fact {
            CallFact::Ringing { agents, queue, numbers, withheld, direction } => {
                let agents = self.resolve_all(agents)?;
                let (queue, withheld, direction) = (queue.as_ref(), *withheld, *direction);
                let rang = Rang { call, id, talk, agents, queue, numbers, withheld, direction };
                Ok(self.rings(now, known, rang))
            }
            CallFact::Dialled { agent, queue, numbers } => {
                let agent = self.resolve(agent).ok_or_else(|| unknown_agent("agent"))?;
                let dialled = Event::CallDialled {
                    call: call.clone(),
                    interaction: id,
                    conversation: talk,
                    queue: queue.clone(),
                    agent: agent.clone(),
                    numbers: *numbers,
                };
                Ok(self.dialled(now, known, &agent, dialled, id))
            }
            CallFact::Answered { agent } => {
                let agent = self.resolve(agent).ok_or_else(|| unknown_agent("agent"))?;
                Ok(self.answered(now, known, call, id, talk, &agent))
            }
            CallFact::Held => Ok(Self::hold(known, true)),
            CallFact::Resumed => Ok(Self::hold(known, false)),
            CallFact::Transferred { to } => {
                let to = self.resolve(to).ok_or_else(|| unknown_agent("to"))?;
                Ok(match known {
                    Some(known) => self.call_transferred(now, known, &to),
                    None => self.answered(now, known, call, id, talk, &to),
                })
            }
            CallFact::Ended => Ok(match known {
                Some(known) => self.call_ended(now, known, false),
                // Heard of for the first time: remembered, so that a late "ringing" does not ring.
                None => vec![Event::CallEnded {
                    call: call.clone(),
                    interaction: id,
                    outcome: Outcome::Missed,
                    presumed: false,
                }],
            }),
            CallFact::RecordingReady { recording } => match known {
                Some(known) if known.recording == Some(*recording) => Ok(Vec::new()),
                Some(_) => Ok(vec![Event::RecordingReady {
                    call: call.clone(),
                    interaction: id,
                    conversation: talk,
                    recording: *recording,
                    log: false,
                }]),
                None => Err(Refusal::new(
                    Code::NotFound,
                    "nothing was heard of this call, or too long ago; send its recording after its first event",
                )
                .field("call")),
            },
        }
    }

    /// Facts of a call that is over: a recording enriches it, everything else comes too late (E1, D6).
    fn late(&self, call: &CallId, fact: &CallFact) -> Vec<Event> {
        let CallFact::RecordingReady { recording } = fact else { return Vec::new() };
        let ended = self.ended.get(call).and_then(Option::as_ref);
        let Some(ended) = ended.filter(|ended| ended.recording != Some(*recording)) else {
            return Vec::new();
        };
        vec![Event::RecordingReady {
            call: call.clone(),
            interaction: ended.interaction,
            conversation: ended.conversation,
            recording: *recording,
            log: ended.log,
        }]
    }

    /// An agent dialled; the call may have rung at the agent's own phone before (B4).
    fn dialled(
        &self,
        now: Timestamp,
        known: Option<&Call>,
        agent: &AgentId,
        dialled: Event,
        id: InteractionId,
    ) -> Vec<Event> {
        if known.is_some_and(|c| c.state.on_the_phone().is_some()) {
            return Vec::new();
        }
        let mut events: Vec<Event> = self.withdraw_from(agent, WithdrawnWhy::Call).into_iter().collect();
        events.extend(self.park_active(now, agent, ParkedBy::Call, None));
        events.push(dialled);
        let spared = self.spared(known, |other| other == agent);
        events.extend(spared.iter().flat_map(|other| self.after_call(now, other, id)));
        events
    }

    fn rings(&self, now: Timestamp, known: Option<&Call>, rang: Rang<'_>) -> Vec<Event> {
        match known.map(|c| &c.state) {
            Some(CallState::Answered { .. } | CallState::Dialled { .. }) => return Vec::new(),
            Some(CallState::Ringing { agents }) if *agents == rang.agents => return Vec::new(),
            Some(CallState::Ringing { .. }) | None => {}
        }
        let mut events = Vec::new();
        let spared = self.spared(known, |agent| rang.agents.contains(agent));
        for agent in &rang.agents {
            events.extend(self.withdraw_from(agent, WithdrawnWhy::Call));
            if self.policy.calls.park_on == ParkOn::Ringing {
                events.extend(self.park_active(now, agent, ParkedBy::Call, None));
            }
        }
        events.push(Event::CallRang {
            call: rang.call.clone(),
            interaction: rang.id,
            conversation: rang.talk,
            queue: rang.queue.cloned(),
            agents: rang.agents.into_iter().collect(),
            numbers: *rang.numbers,
            withheld: rang.withheld,
            direction: rang.direction,
        });
        events.extend(spared.iter().flat_map(|agent| self.after_call(now, agent, rang.id)));
        events
    }

    /// Agents whom the call concerns and will not any more, because it goes on without them.
    fn spared(&self, known: Option<&Call>, stays: impl Fn(&AgentId) -> bool) -> Vec<AgentId> {
        let holders = known.map(|c| c.state.holders()).unwrap_or_default();
        holders.into_iter().filter(|agent| !stays(agent)).collect()
    }

    fn answered(
        &self,
        now: Timestamp,
        known: Option<&Call>,
        call: &CallId,
        interaction: InteractionId,
        conversation: ConversationId,
        agent: &AgentId,
    ) -> Vec<Event> {
        if known.is_some_and(|c| matches!(c.state, CallState::Answered { .. })) {
            return Vec::new();
        }
        let mut events: Vec<Event> = self.withdraw_from(agent, WithdrawnWhy::Call).into_iter().collect();
        events.extend(self.park_active(now, agent, ParkedBy::Call, None));
        events.push(Event::CallAnswered {
            call: call.clone(),
            interaction,
            conversation,
            agent: agent.clone(),
        });
        let spared = self.spared(known, |other| other == agent);
        events.extend(spared.iter().flat_map(|other| self.after_call(now, other, interaction)));
        events
    }

    /// Hold is told only of calls in which two people talk; anything else about it changes nothing.
    fn hold(known: Option<&Call>, held: bool) -> Vec<Event> {
        let Some(known) = known.filter(|call| call.held_at.is_some() != held) else { return Vec::new() };
        let (call, interaction) = (known.call.clone(), known.id);
        match (&known.state, held) {
            (CallState::Answered { .. }, true) => vec![Event::CallHeld { call, interaction }],
            (CallState::Answered { .. }, false) => vec![Event::CallResumed { call, interaction }],
            (CallState::Ringing { .. } | CallState::Dialled { .. }, _) => Vec::new(),
        }
    }

    /// The call is with another agent now. Of one that rings, this is its answer: the earlier one is late or lost.
    fn call_transferred(&self, now: Timestamp, known: &Call, to: &AgentId) -> Vec<Event> {
        let Some(from) = known.state.on_the_phone() else {
            return self.answered(now, Some(known), &known.call, known.id, known.conversation, to);
        };
        if from == to {
            return Vec::new();
        }
        let mut events: Vec<Event> = self.withdraw_from(to, WithdrawnWhy::Call).into_iter().collect();
        events.extend(self.park_active(now, to, ParkedBy::Call, None));
        events.push(Event::CallTransferred {
            call: known.call.clone(),
            interaction: known.id,
            conversation: known.conversation,
            from: from.clone(),
            to: to.clone(),
        });
        events.extend(self.after_call(now, from, known.id));
        events
    }

    /// Nothing was heard of a call for as long as one may last, so its end was lost (E1). Nobody is on the phone any
    /// more, so nothing is left to wrap up.
    pub(crate) fn call_unended(&self, now: Timestamp, id: InteractionId) -> Vec<Event> {
        self.calls.get(&id).map(|known| self.call_ended(now, known, true)).unwrap_or_default()
    }

    fn call_ended(&self, now: Timestamp, known: &Call, presumed: bool) -> Vec<Event> {
        let (call, id) = (&known.call, known.id);
        let outcome = match &known.state {
            CallState::Answered { .. } => Outcome::Answered,
            CallState::Ringing { .. } | CallState::Dialled { .. } => Outcome::Missed,
        };
        let (agent, conversation) = (known.state.on_the_phone().cloned(), known.conversation);
        let mut events = Vec::new();
        let wrap_up = self.policy.calls.wrap_up.filter(|_| outcome == Outcome::Answered && !presumed);
        // An agent who is on another call already gets no wrap-up of this one; nor does one who has left the settings and
        // could never complete it.
        let wraps_up =
            |agent: &AgentId| self.policy.agents.contains_key(agent) && !self.on_another_call(agent, id);
        let wrap_up = wrap_up.zip(agent.clone().filter(wraps_up));
        if let Some((rules, agent)) = &wrap_up {
            events.extend(self.park_active(now, agent, ParkedBy::Activation, None));
            let (deadline, time) = (rules.time.map(|time| now + time), rules.time);
            events.push(Event::WrapUpStarted { interaction: id, agent: agent.clone(), deadline, time });
        }
        events.push(Event::CallEnded { call: call.clone(), interaction: id, outcome, presumed });
        if wrap_up.is_some() {
            return events;
        }
        let (log, service) = (self.logs_call(outcome), None);
        events.push(Event::InteractionClosed { interaction: id, conversation, outcome, agent, log, service });
        for agent in &known.state.holders() {
            events.extend(self.after_call(now, agent, id));
        }
        events
    }

    fn on_another_call(&self, agent: &AgentId, but: InteractionId) -> bool {
        self.agent_state(agent).calls.iter().any(|call| {
            *call != but && self.calls.get(call).is_some_and(|c| c.state.on_the_phone() == Some(agent))
        })
    }

    /// Whether a call that ended so is logged (E4).
    pub(super) fn logs_call(&self, outcome: Outcome) -> bool {
        match self.policy.calls.log {
            CallLogs::All => true,
            CallLogs::Answered => outcome == Outcome::Answered,
            CallLogs::None => false,
        }
    }

    /// What becomes active by itself when a call is over (B5), or the pending wish if nothing does.
    fn after_call(&self, now: Timestamp, agent: &AgentId, call: InteractionId) -> Vec<Event> {
        let state = self.agent_state(agent);
        if state.active.is_some() || state.calls.iter().any(|c| *c != call) {
            return Vec::new();
        }
        let resumed = state.parked_by_calls.last().copied().filter(|id| self.resumes(*id));
        match resumed {
            Some(id) => vec![self.activation(now, agent, id)],
            None => self.grant_wish(now, agent, None),
        }
    }

    pub(super) fn resumes(&self, id: InteractionId) -> bool {
        match self.chats.get(&id).map(|c| &c.stage) {
            Some(Stage::Owned { talk: Talk::WrapUp { .. }, .. }) => true,
            Some(Stage::Owned { talk: Talk::Open { .. }, .. }) => {
                self.policy.calls.after_call == AfterCall::ResumeLast
            }
            Some(Stage::Waiting | Stage::Offered(_) | Stage::Form { .. }) | None => false,
        }
    }

    /// An agent by id, or by extension.
    fn resolve(&self, name: &str) -> Option<AgentId> {
        let by_id = AgentId::new(name).ok().filter(|id| self.policy.agents.contains_key(id));
        by_id.or_else(|| {
            let mut all = self.policy.agents.iter();
            all.find(|(_, p)| p.extension.as_deref() == Some(name)).map(|(id, _)| id.clone())
        })
    }

    /// Those of the named agents that are ours; a ring-all may name others too.
    fn resolve_all(&self, names: &[String]) -> Result<BTreeSet<AgentId>, Refusal> {
        if names.is_empty() || names.len() > RINGING_AGENTS_MAX {
            let message = format!("a ringing call names 1 to {RINGING_AGENTS_MAX} agents");
            return Err(Refusal::new(Code::Invalid, message)
                .field("agents")
                .limit(RINGING_AGENTS_MAX as u64));
        }
        let agents: BTreeSet<AgentId> = names.iter().filter_map(|n| self.resolve(n)).collect();
        if agents.is_empty() { Err(unknown_agent("agents")) } else { Ok(agents) }
    }
}

struct Rang<'a> {
    call: &'a CallId,
    id: InteractionId,
    talk: ConversationId,
    agents: BTreeSet<AgentId>,
    queue: Option<&'a QueueId>,
    numbers: &'a ContentRef,
    withheld: bool,
    direction: Direction,
}

fn unknown_agent(field: &str) -> Refusal {
    let message = "no agent of this contact centre has this id or extension; see `agents` in the settings";
    Refusal::new(Code::NotFound, message).field(field)
}
