//! What others may read.

use crate::index::load;
use crate::state::{Agent, Call, Chat, Closed, Engine, Stage, Talk};
use tieline_model::live::Status;
use tieline_model::policy::TenantPolicy;
use tieline_model::{AgentId, InteractionId, QueueId, Seq, Timestamp};

impl Engine {
    /// An engine before its first event.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes a snapshot's engine whole again.
    #[must_use]
    pub fn restored(mut self) -> Self {
        self.rebuild();
        self
    }

    /// The last event applied.
    #[must_use]
    pub fn seq(&self) -> Seq {
        self.seq
    }

    /// The moment of the last event applied.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// The settings in force.
    #[must_use]
    pub fn policy(&self) -> &TenantPolicy {
        &self.policy
    }

    /// One agent.
    #[must_use]
    pub fn agent(&self, id: &AgentId) -> Option<&Agent> {
        self.agents.get(id)
    }

    /// All agents.
    pub fn agents(&self) -> impl Iterator<Item = (&AgentId, &Agent)> {
        self.agents.iter()
    }

    /// One open chat.
    #[must_use]
    pub fn chat(&self, id: InteractionId) -> Option<&Chat> {
        self.chats.get(&id)
    }

    /// All open chats.
    pub fn chats(&self) -> impl Iterator<Item = &Chat> {
        self.chats.values()
    }

    /// One call that has not ended.
    #[must_use]
    pub fn call(&self, id: InteractionId) -> Option<&Call> {
        self.calls.get(&id)
    }

    /// All calls that have not ended.
    pub fn calls(&self) -> impl Iterator<Item = &Call> {
        self.calls.values()
    }

    /// A closed chat whose log is still listed.
    #[must_use]
    pub fn closed(&self, id: InteractionId) -> Option<&Closed> {
        self.closed.get(&id)
    }

    /// An agent's latest logs, newest first.
    pub fn recent_logs<'a>(&'a self, id: &AgentId) -> impl Iterator<Item = (InteractionId, &'a Closed)> {
        let recent = self.agents.get(id).map(|a| a.recent.iter());
        recent.into_iter().flatten().filter_map(|id| Some((*id, self.closed.get(id)?)))
    }

    /// An agent's owned chats.
    pub fn inbox<'a>(&'a self, id: &AgentId) -> impl Iterator<Item = &'a Chat> {
        let inbox = self.agents.get(id).map(|a| a.inbox.iter());
        inbox.into_iter().flatten().filter_map(|id| self.chats.get(id))
    }

    /// What others see of an agent (A1).
    #[must_use]
    pub fn status(&self, id: &AgentId) -> Status {
        let Some(agent) = self.agents.get(id) else {
            return Status::Present { presence: Default::default() };
        };
        if agent.talking.is_some() {
            return Status::OnCall;
        }
        match agent.active.and_then(|id| self.chats.get(&id)).map(|c| &c.stage) {
            Some(Stage::Owned { talk: Talk::Open { .. }, .. }) => return Status::HandlingChat,
            Some(Stage::Owned { talk: Talk::WrapUp { .. }, .. }) => return Status::WrapUp,
            Some(Stage::Waiting | Stage::Offered(_)) | None => {}
        }
        if agent.offered.is_some() {
            return Status::Offered;
        }
        Status::Present { presence: agent.presence.clone() }
    }

    /// Unfinished chats of an agent, a reserved offer included (A5).
    #[must_use]
    pub fn load(&self, id: &AgentId) -> u32 {
        self.agents.get(id).map_or(0, load)
    }

    /// Waiting chats of a queue in turn; chats under offer are not among them.
    pub fn queue_waiting(&self, queue: &QueueId) -> impl Iterator<Item = InteractionId> + '_ {
        self.index.waiting.get(queue).into_iter().flatten().map(|(_, _, id)| *id)
    }

    /// A waiting or offered chat's place in its queue; 1 is next. `None` when an agent has it.
    #[must_use]
    pub fn position(&self, id: InteractionId) -> Option<u32> {
        let chat = self.chats.get(&id)?;
        match &chat.stage {
            Stage::Owned { .. } => None,
            Stage::Offered(_) => Some(1),
            Stage::Waiting => {
                let line = self.index.waiting.get(&chat.queue)?;
                let ahead = line.range(..self.turn(chat)).count();
                u32::try_from(ahead + 1).ok()
            }
        }
    }
}
