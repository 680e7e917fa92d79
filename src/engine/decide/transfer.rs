//! Handing a chat on (B12): to a queue at once, to an agent as an offer, warm with a second agent.

use super::{Decision, Owned, presence_name};
use crate::index::RuledOut;
use crate::state::{Agent, Chat, Engine, Stage, Talk};
use tieline_model::command::{Notice, TransferTo};
use tieline_model::content::ContentRef;
use tieline_model::event::{ParkedBy, ReturnedWhy, TransferFailed, WithdrawnWhy};
use tieline_model::policy::TransferUnavailable;
use tieline_model::{AgentId, Code, Event, InteractionId, OfferId, QueueId, Refusal, Timestamp};

/// Longest note, in characters.
const NOTE_CHARS_MAX: u32 = 2_000;

impl Engine {
    pub(super) fn transfer(
        &self,
        now: Timestamp,
        agent: &AgentId,
        id: InteractionId,
        to: &TransferTo,
        note: Option<ContentRef>,
        confirmed: bool,
    ) -> Decision {
        let Owned { chat, talk } = self.own_chat(agent, id)?;
        if matches!(talk, Talk::WrapUp { .. }) {
            return Err(Refusal::new(Code::WrongState, "the chat has ended; a wrap-up is not transferred"));
        }
        if chat.transfer.is_some() {
            let message = "a transfer of this chat waits for its answer; take it back first";
            return Err(Refusal::new(Code::WrongState, message));
        }
        if note.is_some_and(|note| note.chars > NOTE_CHARS_MAX) {
            let message = format!("the note may have {NOTE_CHARS_MAX} characters; shorten it");
            return Err(Refusal::new(Code::TooLong, message).field("note").limit(u64::from(NOTE_CHARS_MAX)));
        }
        match to {
            TransferTo::Queue { queue } => {
                let mut events = self.transfer_to_queue(chat, agent, queue, note, confirmed)?;
                events.extend(self.wish_after_leaving(now, agent, id));
                Ok(events)
            }
            TransferTo::Agent { agent: to, warm } => {
                self.may_be_handed(chat, agent, to)?;
                let within = self.queue_policy(chat)?.accept_within;
                Ok(vec![Event::TransferOffered {
                    interaction: id,
                    from: agent.clone(),
                    to: to.clone(),
                    offer: OfferId(self.mint()),
                    deadline: now + within,
                    note,
                    warm: *warm,
                }])
            }
        }
    }

    fn transfer_to_queue(
        &self,
        chat: &Chat,
        agent: &AgentId,
        queue: &QueueId,
        note: Option<ContentRef>,
        confirmed: bool,
    ) -> Decision {
        let none = || Refusal::new(Code::NotFound, "there is no queue of this name").field("to.queue");
        let policy = self.queue_rules(queue).ok_or_else(none)?;
        let full = policy.overflow.full.as_ref().is_some_and(|full| self.unserved_chats(queue) >= full.chats);
        let trouble = if !self.is_open(policy) {
            Some("closed")
        } else if !self.is_staffed(queue) {
            Some("without an agent at work")
        } else if full {
            Some("full")
        } else {
            None
        };
        if let Some(trouble) = trouble {
            let name = &policy.name;
            match policy.transfer_unavailable {
                TransferUnavailable::Allow => {}
                TransferUnavailable::Ask if confirmed => {}
                TransferUnavailable::Ask => {
                    let message = format!("{name} is {trouble}; confirm to send the chat there all the same");
                    return Err(Refusal::new(Code::NeedsConfirmation, message).field("to.queue"));
                }
                TransferUnavailable::Refuse => {
                    let message = format!("{name} is {trouble}; choose another queue or an agent");
                    return Err(Refusal::new(Code::TargetUnavailable, message).field("to.queue"));
                }
            }
        }
        let mut events = self.guests_leave(chat);
        let (interaction, agent, to) = (chat.id, agent.clone(), queue.clone());
        events.push(Event::ChatTransferred { interaction, agent, to, note });
        events.extend(self.notice(chat, Notice::Transferred, None));
        Ok(events)
    }

    /// Whether an agent may be offered a transfer: as any chat of the queue, but what the agent works on does not
    /// matter, for a colleague asks.
    fn may_be_handed(&self, chat: &Chat, from: &AgentId, to: &AgentId) -> Result<(), Refusal> {
        let none = || Refusal::new(Code::NotFound, "there is no agent of this name").field("to.agent");
        let policy = self.policy.agents.get(to).ok_or_else(none)?;
        if from == to {
            return Err(Refusal::new(Code::Invalid, "the chat is yours already").field("to.agent"));
        }
        if chat.guests.contains_key(to) {
            let message = "this agent is at the chat already; hand it over";
            return Err(Refusal::new(Code::WrongState, message).field("to.agent"));
        }
        // Being available for some queues only is about what comes by itself (A2).
        let state = Agent { queues: None, ..self.agent_state(to).into_owned() };
        let queue = chat.queue.as_ref().and_then(|id| Some((id, self.queue_rules(id)?)));
        let Some((queue, rules)) = queue else { return Err(none()) };
        let name = &policy.name;
        let ruled_out = self.ruled_out(&state, policy, queue, rules, self.units_in_hand(&state));
        let why = match ruled_out {
            None | Some(RuledOut::AtWork) => return Ok(()),
            Some(RuledOut::Presence) => format!("{name} is {}", presence_name(&state.presence)),
            Some(RuledOut::NotConnected) => format!("{name} is not at a panel"),
            Some(RuledOut::Wish) => format!("{name} takes no more chats"),
            Some(RuledOut::NotAvailableHere) => format!("{name} takes no chats"),
            Some(RuledOut::UnderOffer) => format!("{name} is being offered another chat"),
            Some(RuledOut::OnCall) => format!("{name} is on a call"),
            Some(RuledOut::AtCapacity) => format!("{name} has no capacity left"),
        };
        let message = format!("{why}; choose another agent, or a queue");
        Err(Refusal::new(Code::TargetUnavailable, message).field("to.agent"))
    }

    pub(super) fn cancel_transfer(&self, agent: &AgentId, id: InteractionId) -> Decision {
        let Owned { chat, .. } = self.own_chat(agent, id)?;
        Ok(self.transfer_cancelled(chat, WithdrawnWhy::TransferCancelled).into_iter().collect())
    }

    /// An open transfer of the chat comes to nothing.
    pub(super) fn transfer_cancelled(&self, chat: &Chat, why: WithdrawnWhy) -> Option<Event> {
        self.transfer_fails(chat, TransferFailed::Withdrawn { why })
    }

    pub(super) fn transfer_fails(&self, chat: &Chat, failed: TransferFailed) -> Option<Event> {
        let transfer = chat.transfer.as_ref()?;
        let from = self.owner(chat.id)?.clone();
        let (to, offer) = (transfer.offer.agent.clone(), transfer.offer.id);
        Some(Event::TransferFailed { interaction: chat.id, from, to, offer, failed })
    }

    /// A transfer is accepted: cold, the chat moves and is active there; warm, the agent joins.
    pub(super) fn accept_transfer(&self, now: Timestamp, chat: &Chat, to: &AgentId) -> Vec<Event> {
        let (Some(transfer), Some(from)) = (&chat.transfer, self.owner(chat.id)) else { return Vec::new() };
        let accepted = Event::TransferAccepted {
            interaction: chat.id,
            from: from.clone(),
            to: to.clone(),
            offer: transfer.offer.id,
            warm: transfer.warm,
        };
        if transfer.warm {
            return vec![accepted];
        }
        let mut events = self.guests_leave(chat);
        events.extend(self.park_active(now, to, ParkedBy::Activation, None));
        events.push(accepted);
        events.extend(self.notice(chat, Notice::Transferred, None));
        events.extend(self.wish_after_leaving(now, from, chat.id));
        events
    }

    pub(super) fn hand_over(
        &self,
        now: Timestamp,
        agent: &AgentId,
        id: InteractionId,
        to: &AgentId,
    ) -> Decision {
        let Owned { chat, talk } = self.own_chat(agent, id)?;
        if matches!(talk, Talk::WrapUp { .. }) {
            return Err(Refusal::new(Code::WrongState, "the chat has ended; a wrap-up is not transferred"));
        }
        if !chat.guests.contains_key(to) {
            let message = "this agent has not joined the chat; transfer it instead";
            return Err(Refusal::new(Code::WrongState, message).field("agent"));
        }
        self.is_ready(to)?;
        let mut events: Vec<Event> =
            self.transfer_cancelled(chat, WithdrawnWhy::TransferCancelled).into_iter().collect();
        let others = chat.guests.keys().filter(|guest| *guest != to);
        events.extend(others.map(|guest| Event::GuestLeft { interaction: id, agent: guest.clone() }));
        events.extend(self.park_active(now, to, ParkedBy::Activation, None));
        events.push(Event::HandedOver { interaction: id, from: agent.clone(), to: to.clone() });
        events.extend(self.notice(chat, Notice::Transferred, None));
        events.extend(self.wish_after_leaving(now, agent, id));
        Ok(events)
    }

    /// Whether a guest can be handed the chat now. What the agent has in hand was looked at when the agent was asked.
    fn is_ready(&self, to: &AgentId) -> Result<(), Refusal> {
        let state = self.agent_state(to);
        let why = if self.takes_nothing_new(to) {
            format!("is {}", presence_name(&state.presence))
        } else if state.sessions.is_empty() {
            "is not at a panel".to_owned()
        } else if state.talking.is_some() {
            "is on a call".to_owned()
        } else {
            return Ok(());
        };
        let name = self.policy.agents.get(to).map_or(to.as_str(), |policy| policy.name.as_str());
        let message = format!("{name} {why}; hand the chat over later");
        Err(Refusal::new(Code::TargetUnavailable, message).field("agent"))
    }

    /// A pending wish comes due when the active item has gone elsewhere (A1).
    pub(super) fn wish_after_leaving(
        &self,
        now: Timestamp,
        agent: &AgentId,
        id: InteractionId,
    ) -> Vec<Event> {
        let state = self.agent_state(agent);
        if state.talking.is_some() || state.active.is_some_and(|active| active != id) {
            return Vec::new();
        }
        self.grant_wish(now, agent, Some(id))
    }

    pub(super) fn leave_chat(&self, agent: &AgentId, id: InteractionId) -> Decision {
        let joined = self.chats.get(&id).is_some_and(|chat| chat.guests.contains_key(agent));
        if !joined {
            return Ok(Vec::new());
        }
        Ok(vec![Event::GuestLeft { interaction: id, agent: agent.clone() }])
    }

    /// Everybody who had joined a chat leaves it.
    pub(crate) fn guests_leave(&self, chat: &Chat) -> Vec<Event> {
        let interaction = chat.id;
        chat.guests.keys().map(|agent| Event::GuestLeft { interaction, agent: agent.clone() }).collect()
    }

    /// An agent leaves all chats of others.
    pub(super) fn leave_as_guest(&self, agent: &AgentId) -> Vec<Event> {
        let state = self.agent_state(agent);
        let at = state.guest_at.keys();
        at.map(|id| Event::GuestLeft { interaction: *id, agent: agent.clone() }).collect()
    }

    /// A chat in progress goes from its agent back to its queue.
    pub(crate) fn give_back(&self, chat: &Chat, agent: &AgentId, why: ReturnedWhy) -> Vec<Event> {
        let mut events: Vec<Event> =
            self.transfer_cancelled(chat, WithdrawnWhy::TransferCancelled).into_iter().collect();
        events.extend(self.guests_leave(chat));
        events.push(Event::ChatReturned { interaction: chat.id, agent: agent.clone(), why });
        events
    }

    /// Whether an agent has joined a chat that somebody owns, consulted or as a supervisor.
    pub(super) fn is_guest(&self, chat: &Chat, agent: &AgentId) -> bool {
        chat.guests.contains_key(agent) && matches!(chat.stage, Stage::Owned { .. })
    }
}
