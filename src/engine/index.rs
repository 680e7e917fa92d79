//! What is derived from the state so that nothing has to be searched: who waits, who is free, what comes due.
//! Kept by `apply`, rebuilt from a snapshot, and compared with a linear scan by the reference model.

use crate::state::{Agent, Chat, Engine, Stage};
use crate::timers::{Deadline, deadline_of};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use tieline_model::command::Presence;
use tieline_model::live::Place;
use tieline_model::policy::{AgentPolicy, Delivery, OfferWhen, QueuePolicy};
use tieline_model::{AgentId, InteractionId, QueueId, Timestamp};

/// A chat's place in line: higher priority first, then longest waiting (A11).
pub(crate) type Turn = (Reverse<i32>, Timestamp, InteractionId);

/// The indexes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Index {
    /// Waiting chats by queue, in turn.
    pub waiting: BTreeMap<QueueId, BTreeSet<Turn>>,
    /// Agents who may be given a chat of the queue now, longest idle first.
    pub free: BTreeMap<QueueId, BTreeSet<(Timestamp, AgentId)>>,
    /// In which queues an agent stands as free, and since when, to take the entry out again.
    pub entries: BTreeMap<AgentId, (Timestamp, Vec<QueueId>)>,
    /// What comes due.
    pub deadlines: BTreeSet<(Timestamp, Deadline)>,
}

impl Engine {
    /// Brings the entries of an agent up to date. Call after anything that touches the agent or the policy.
    pub(crate) fn reindex_agent(&mut self, id: &AgentId) {
        if let Some((since, queues)) = self.index.entries.remove(id) {
            for queue in queues {
                if let Some(free) = self.index.free.get_mut(&queue) {
                    free.remove(&(since, id.clone()));
                    if free.is_empty() {
                        self.index.free.remove(&queue);
                    }
                }
            }
        }
        let Some(agent) = self.agents.get(id) else { return };
        let Some(policy) = self.policy.agents.get(id) else { return };
        let since = agent.idle_since;
        let queues: Vec<QueueId> = policy
            .queues
            .iter()
            .filter(|q| {
                self.policy.queues.get(*q).is_some_and(|queue| {
                    queue.delivery != Delivery::Pull && self.may_be_given(agent, policy, queue)
                })
            })
            .cloned()
            .collect();
        for queue in &queues {
            self.index.free.entry(queue.clone()).or_default().insert((since, id.clone()));
        }
        if !queues.is_empty() {
            self.index.entries.insert(id.clone(), (since, queues));
        }
    }

    /// Whether a further chat of this queue may be presented to the agent now (A5).
    pub(crate) fn may_be_given(&self, agent: &Agent, policy: &AgentPolicy, queue: &QueuePolicy) -> bool {
        let present =
            agent.presence == Presence::Available && agent.wish.is_none() && !agent.sessions.is_empty();
        let open = agent.offered.is_none() && agent.calls.is_empty();
        present && open && load(agent) < policy.chat_capacity && self.work_allows(agent, queue.offer_when)
    }

    fn work_allows(&self, agent: &Agent, when: OfferWhen) -> bool {
        match when {
            OfferWhen::BelowCapacity => true,
            OfferWhen::Idle => agent.inbox.is_empty(),
            OfferWhen::AllParked => agent.inbox.iter().all(|id| self.place(*id) == Some(Place::Parked)),
        }
    }

    pub(crate) fn place(&self, id: InteractionId) -> Option<Place> {
        match &self.chats.get(&id)?.stage {
            Stage::Owned { place, .. } => Some(*place),
            Stage::Waiting | Stage::Offered(_) => None,
        }
    }

    pub(crate) fn turn(&self, chat: &Chat) -> Turn {
        let priority = self.policy.queues.get(&chat.queue).map_or(0, |q| q.priority);
        (Reverse(priority), chat.started_at, chat.id)
    }

    /// Puts a chat in line.
    pub(crate) fn line_up(&mut self, id: InteractionId) {
        if let Some(chat) = self.chats.get(&id) {
            let turn = self.turn(chat);
            self.index.waiting.entry(chat.queue.clone()).or_default().insert(turn);
        }
    }

    /// Takes a chat out of line.
    pub(crate) fn leave_line(&mut self, id: InteractionId) {
        let Some(chat) = self.chats.get(&id) else { return };
        let turn = self.turn(chat);
        let queue = chat.queue.clone();
        if let Some(line) = self.index.waiting.get_mut(&queue) {
            line.remove(&turn);
            if line.is_empty() {
                self.index.waiting.remove(&queue);
            }
        }
    }

    /// Makes all indexes anew from the rest of the state.
    pub(crate) fn rebuild(&mut self) {
        self.index = Index::default();
        let chats: Vec<InteractionId> = self.chats.keys().copied().collect();
        for id in chats {
            let stage = &self.chats[&id].stage;
            self.index.deadlines.extend(deadline_of(id, stage));
            if matches!(stage, Stage::Waiting) {
                self.line_up(id);
            }
        }
        let agents: Vec<AgentId> = self.agents.keys().cloned().collect();
        for id in agents {
            self.reindex_agent(&id);
        }
    }
}

/// Unfinished chats, a reserved offer included. Always derived (A5).
pub(crate) fn load(agent: &Agent) -> u32 {
    u32::try_from(agent.inbox.len() + usize::from(agent.offered.is_some())).unwrap_or(u32::MAX)
}
