//! A supervisor's hand (A15). Each act says who and why before what follows from it.

use super::{Decision, not_yours};
use crate::state::{Chat, Engine, Stage, Talk};
use tieline_model::command::{Presence, SupervisorAct};
use tieline_model::event::{AssignedHow, CompletedBy, Guest, PresenceWhy, ReturnedWhy, WithdrawnWhy};
use tieline_model::{AgentId, Code, Event, InteractionId, Refusal, Timestamp};

/// Longest reason, in characters.
const REASON_CHARS_MAX: usize = 200;

impl Engine {
    pub(super) fn supervise(
        &self,
        now: Timestamp,
        supervisor: &AgentId,
        act: &SupervisorAct,
        reason: &str,
    ) -> Decision {
        if !self.agent_policy(supervisor)?.supervisor {
            return Err(Refusal::new(Code::NotPermitted, "only a supervisor can do this"));
        }
        let chars = reason.trim().chars().count();
        if chars == 0 || chars > REASON_CHARS_MAX {
            let message = format!("say why, in 1 to {REASON_CHARS_MAX} characters; the agent sees it");
            return Err(Refusal::new(Code::Invalid, message).field("reason").limit(REASON_CHARS_MAX as u64));
        }
        let (agent, follows) = match act {
            SupervisorAct::SetPresence { agent, presence } => {
                (Some(agent.clone()), self.force_presence(now, agent, presence)?)
            }
            SupervisorAct::Requeue { interaction } => self.requeue(now, *interaction)?,
            SupervisorAct::Assign { interaction, agent } => {
                (Some(agent.clone()), self.assign(now, *interaction, agent)?)
            }
            SupervisorAct::FinishWrapUp { interaction } => {
                let owner = self.owner(*interaction).cloned();
                let events = self.complete_wrap_up(now, *interaction, CompletedBy::Supervisor);
                if events.is_empty() {
                    return Err(Refusal::new(
                        Code::WrongState,
                        "there is no wrap-up of this id; it may be done",
                    ));
                }
                (owner, events)
            }
            SupervisorAct::Join { interaction } => self.join(supervisor, *interaction)?,
            SupervisorAct::Unblock { marks } => {
                if !marks.iter().any(|mark| self.blocked.contains(mark)) {
                    return Ok(Vec::new());
                }
                (None, vec![])
            }
        };
        let acts = !follows.is_empty() || matches!(act, SupervisorAct::Unblock { .. });
        let (supervisor, reason) = (supervisor.clone(), reason.trim().to_owned());
        let acted = Event::SupervisorActed { supervisor, act: act.clone(), agent, reason };
        Ok(if acts { std::iter::once(acted).chain(follows).collect() } else { Vec::new() })
    }

    fn force_presence(&self, now: Timestamp, agent: &AgentId, presence: &Presence) -> Decision {
        if !self.policy.agents.contains_key(agent) {
            return Err(Refusal::new(Code::NotFound, "there is no agent of this name").field("agent"));
        }
        self.check_reason(presence)?;
        let state = self.agent_state(agent);
        if state.presence == *presence && state.wish.is_none() {
            return Ok(Vec::new());
        }
        Ok(self.change_presence(now, agent, presence, PresenceWhy::Supervisor))
    }

    fn requeue(&self, now: Timestamp, id: InteractionId) -> Result<(Option<AgentId>, Vec<Event>), Refusal> {
        let chat = self.any_chat(id)?;
        match &chat.stage {
            Stage::Offered(offer) => {
                let withdrawn = self.withdraw(chat, offer, WithdrawnWhy::Supervisor);
                Ok((Some(offer.agent.clone()), vec![withdrawn]))
            }
            Stage::Owned { agent, talk: Talk::Open { .. }, .. } => {
                Ok((Some(agent.clone()), self.take_away(now, chat, agent)))
            }
            Stage::Owned { talk: Talk::WrapUp { .. }, .. } => Err(Refusal::new(
                Code::WrongState,
                "the chat has ended; its wrap-up can be finished, not requeued",
            )),
            Stage::Waiting => Ok((None, Vec::new())),
            Stage::Form { .. } => Err(Refusal::new(Code::WrongState, "the customer is at the offline form")),
        }
    }

    /// A chat in progress is taken from its agent, whose pending wish comes due if it was the active item (A1).
    fn take_away(&self, now: Timestamp, chat: &Chat, agent: &AgentId) -> Vec<Event> {
        let mut events = self.give_back(chat, agent, ReturnedWhy::Supervisor);
        events.extend(self.wish_after_leaving(now, agent, chat.id));
        events
    }

    fn assign(&self, now: Timestamp, id: InteractionId, to: &AgentId) -> Decision {
        let chat = self.any_chat(id)?;
        if !self.policy.agents.contains_key(to) {
            return Err(Refusal::new(Code::NotFound, "there is no agent of this name").field("agent"));
        }
        let state = self.agent_state(to);
        if state.presence == Presence::Offline || state.sessions.is_empty() {
            let message = match state.presence {
                Presence::Offline => "the agent is Offline; choose one who is at work",
                Presence::Available | Presence::OnBreak { .. } | Presence::StopNew => {
                    "the agent is not at a panel; choose one who is"
                }
            };
            return Err(Refusal::new(Code::TargetUnavailable, message).field("agent"));
        }
        let mut events = match &chat.stage {
            Stage::Waiting => Vec::new(),
            Stage::Offered(offer) => vec![self.withdraw(chat, offer, WithdrawnWhy::Supervisor)],
            Stage::Owned { agent, .. } if agent == to => return Ok(Vec::new()),
            Stage::Owned { agent, talk: Talk::Open { .. }, .. } => self.take_away(now, chat, agent),
            Stage::Owned { talk: Talk::WrapUp { .. }, .. } => {
                return Err(Refusal::new(
                    Code::WrongState,
                    "the chat has ended; its wrap-up stays with its agent",
                ));
            }
            Stage::Form { .. } => {
                return Err(Refusal::new(Code::WrongState, "the customer is at the offline form"));
            }
        };
        // Who takes over what one had joined is no guest any more: giving back has said so, and only an owned chat has
        // guests.
        let (interaction, agent, how) = (id, to.clone(), AssignedHow::Supervisor);
        events.push(Event::ChatAssigned { interaction, agent, how, deadline: None });
        Ok(events)
    }

    fn join(
        &self,
        supervisor: &AgentId,
        id: InteractionId,
    ) -> Result<(Option<AgentId>, Vec<Event>), Refusal> {
        let chat = self.any_chat(id)?;
        let Stage::Owned { agent, talk: Talk::Open { .. }, .. } = &chat.stage else {
            return Err(Refusal::new(Code::WrongState, "only a chat in progress can be joined"));
        };
        if agent == supervisor || chat.guests.contains_key(supervisor) {
            return Ok((None, Vec::new()));
        }
        let (interaction, guest) = (id, Guest::Supervisor);
        let joined = Event::GuestJoined { interaction, agent: supervisor.clone(), guest };
        Ok((Some(agent.clone()), vec![joined]))
    }

    fn any_chat(&self, id: InteractionId) -> Result<&Chat, Refusal> {
        let none = || Refusal::new(Code::NotFound, "there is no open chat of this id").field("interaction");
        self.chat(id).ok_or_else(none)
    }

    /// An agent's own or joined chat that is in progress.
    pub(super) fn chat_at(&self, agent: &AgentId, id: InteractionId) -> Result<&Chat, Refusal> {
        let chat = self.chats.get(&id).ok_or_else(not_yours)?;
        let owns = self.owner(id) == Some(agent);
        if owns || chat.guests.contains_key(agent) { Ok(chat) } else { Err(not_yours()) }
    }
}
