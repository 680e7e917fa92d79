//! Presence by lease (A8, A17): what becomes of an agent whose connection is gone.

use crate::state::{Engine, Stage, Talk};
use tieline_model::command::{Notice, Presence};
use tieline_model::event::{PresenceWhy, ReturnedWhy, WithdrawnWhy};
use tieline_model::{AgentId, Event};

impl Engine {
    /// The grace is over: what is offered to the agent goes to others, and costs nothing (A8).
    pub(crate) fn grace_over(&self, agent: &AgentId) -> Vec<Event> {
        self.withdraw_from(agent, WithdrawnWhy::AgentLost).into_iter().collect()
    }

    /// The agent is lost: chats in progress return ahead of new ones and their customers are told; wrap-ups stay
    /// (A17).
    pub(crate) fn lost(&self, id: &AgentId) -> Vec<Event> {
        let mut events: Vec<Event> = self.withdraw_from(id, WithdrawnWhy::AgentLost).into_iter().collect();
        events.extend(self.leave_as_guest(id));
        for chat in self.inbox(id) {
            match &chat.stage {
                Stage::Owned { talk: Talk::Open { .. }, .. } => {
                    events.extend(self.give_back(chat, id, ReturnedWhy::AgentLost));
                    events.extend(self.notice(chat, Notice::AgentLost, None));
                }
                Stage::Owned { talk: Talk::WrapUp { .. }, .. }
                | Stage::Waiting
                | Stage::Offered(_)
                | Stage::Form { .. } => {}
            }
        }
        let (presence, why) = (Presence::Offline, PresenceWhy::Lost);
        events.push(Event::PresenceChanged { agent: id.clone(), presence, why });
        events
    }
}
