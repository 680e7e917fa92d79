//! What others may read.

use crate::index::Turn;
use crate::state::{Agent, Call, Chat, Closed, Engine, QueueFigures, Stage, Talk};
use tieline_model::crm::Direction;
use tieline_model::live::Status;
use tieline_model::policy::TenantPolicy;
use tieline_model::{AgentId, InteractionId, Mark, Millis, QueueId, Seq, Timestamp};

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

    /// Chats under offer, in no order.
    pub fn under_offer(&self) -> impl Iterator<Item = &Chat> {
        let offered = |chat: &&Chat| matches!(chat.stage, Stage::Offered(_));
        self.chats.unordered().map(|(_, chat)| chat).filter(offered)
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
        inbox.into_iter().flatten().filter_map(|id| self.chat(*id))
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
            Some(Stage::Waiting | Stage::Offered(_) | Stage::Form { .. }) | None => {}
        }
        if agent.offered.is_some() {
            return Status::Offered;
        }
        Status::Present { presence: agent.presence.clone() }
    }

    /// Units of unfinished chats of an agent, reserved ones included (A5).
    #[must_use]
    pub fn load(&self, id: &AgentId) -> u32 {
        self.agents.get(id).map_or(0, |agent| self.units_in_hand(agent))
    }

    /// Waiting chats of a queue in turn; chats under offer are not among them.
    #[must_use]
    pub fn queue_waiting(&self, queue: &QueueId) -> Vec<InteractionId> {
        let lanes = self.index.lines.of(queue).into_iter().flat_map(|line| line.lanes.values());
        let mut turns: Vec<Turn> = lanes.flat_map(|lane| lane.waiting.iter().copied()).collect();
        turns.sort_unstable();
        turns.into_iter().map(|turn| turn.id).collect()
    }

    /// A waiting or offered chat's place in its queue; 1 is next. `None` when an agent has it, or nobody will (A13).
    #[must_use]
    pub fn position(&self, id: InteractionId) -> Option<u32> {
        let chat = self.chats.get(&id)?;
        match &chat.stage {
            Stage::Owned { .. } | Stage::Form { .. } => None,
            Stage::Offered(_) => Some(1),
            Stage::Waiting => {
                let turn = self.turn(chat);
                let lanes = self.index.lines.get(chat.line?)?.lanes.values();
                let ahead: usize = lanes.map(|lane| lane.waiting.range(..turn).count()).sum();
                u32::try_from(ahead + 1).ok()
            }
        }
    }

    /// How long a waiting chat will probably wait yet: its position times the typical interval at which chats leave the
    /// line (A13). `None` when nothing is known yet, or it does not wait.
    #[must_use]
    pub fn expected_wait(&self, id: InteractionId) -> Option<Millis> {
        let chat = self.chats.get(&id)?;
        let pace = self.figures.get(chat.queue.as_ref()?)?.pace?;
        Some(Millis(pace.0.saturating_mul(u64::from(self.position(id)?))))
    }

    /// Until when, at least, the customer of an ended chat can come back to its conversation (B15). `None` when that
    /// time is over, or the chat has not ended.
    #[must_use]
    pub fn return_until(&self, id: InteractionId) -> Option<Timestamp> {
        let until = match self.chats.get(&id) {
            Some(chat) => {
                let Stage::Owned { talk: Talk::WrapUp { ended_at, .. }, .. } = &chat.stage else {
                    return None;
                };
                *ended_at + chat.rules()?.reopen_within
            }
            None => self.left.get(&id)?.until,
        };
        (until > self.now).then_some(until)
    }

    /// What a queue did lately and today.
    #[must_use]
    pub fn figures(&self, queue: &QueueId) -> QueueFigures {
        self.figures.get(queue).copied().unwrap_or_default()
    }

    /// Whether a queue's opening hours are on (A12); unknown queues are closed.
    #[must_use]
    pub fn queue_open(&self, queue: &QueueId) -> bool {
        self.queue_rules(queue).is_some_and(|policy| self.is_open(policy))
    }

    /// When a queue's opening hours turn next (A12), where that is known.
    #[must_use]
    pub fn queue_turns_at(&self, queue: &QueueId) -> Option<Timestamp> {
        let schedule = self.queue_rules(queue)?.hours.as_ref()?;
        self.turned.get(schedule)?.next
    }

    /// Which way a call went: one that is on, or one of the latest that ended.
    #[must_use]
    pub fn call_direction(&self, id: InteractionId) -> Option<Direction> {
        if let Some(call) = self.calls.get(&id) {
            return Some(call.direction);
        }
        // The one that has just ended is the last, so that looking from there finds it at once.
        let mut ended = self.ended_calls.iter().rev().filter_map(|call| self.ended.get(call)?.as_ref());
        ended.find(|call| call.interaction == id).map(|call| call.direction)
    }

    /// Agents of a queue who are at work (A12).
    #[must_use]
    pub fn staff(&self, queue: &QueueId) -> u32 {
        self.index.lines.of(queue).map_or(0, |line| line.staff)
    }

    /// The tenant's date, once it was told (G1).
    #[must_use]
    pub fn day(&self) -> &str {
        &self.day
    }

    /// Visitors who are blocked (C7).
    pub fn blocked(&self) -> impl Iterator<Item = &Mark> {
        self.blocked.iter()
    }
}
