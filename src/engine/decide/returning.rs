//! Customers who come back (B15), and those whom nobody can serve now (A12).

use super::{Decision, chats::check_length, is_customer_of};
use crate::state::{Chat, Engine, Stage, Talk};
use tieline_model::command::Presence;
use tieline_model::content::ContentRef;
use tieline_model::crm::{Outcome, Side};
use tieline_model::event::Service;
use tieline_model::policy::Strategy;
use tieline_model::{Actor, AgentId, Code, Command, Event, InteractionId, Mark, QueueId, Refusal, Timestamp};

impl Engine {
    /// The customer of an ended chat comes back. In wrap-up it goes on with its agent; soon after, it is a new
    /// interaction of the same conversation; later the edge starts a new chat (B15). Opening hours apply.
    pub(super) fn return_to_chat(
        &self,
        now: Timestamp,
        by: &Actor,
        id: InteractionId,
        fresh: InteractionId,
    ) -> Decision {
        let Actor::Customer { conversation } = by else {
            return Err(Refusal::new(
                Code::NotPermitted,
                "only the customer of this chat can come back to it",
            ));
        };
        if let Some(chat) = self.chats.get(&id).filter(|c| is_customer_of(conversation, c)) {
            return match &chat.stage {
                Stage::Owned { agent, talk: Talk::WrapUp { .. }, .. } => {
                    let open = chat.queue.as_ref().is_some_and(|queue| self.takes_returns(queue));
                    if !open || self.takes_nothing_new(agent) {
                        return Err(too_late());
                    }
                    self.not_blocked(&chat.marks)?;
                    Ok(vec![Event::ChatReopened { interaction: id, agent: agent.clone() }])
                }
                // It goes on already.
                Stage::Owned { talk: Talk::Open { .. }, .. }
                | Stage::Waiting
                | Stage::Offered(_)
                | Stage::Form { .. } => Ok(Vec::new()),
            };
        }
        let left = self.left.get(&id).filter(|left| left.conversation == *conversation && left.until > now);
        let left = left.ok_or_else(too_late)?;
        if left.returned_as.is_some_and(|as_| self.chats.contains_key(&as_)) {
            // It goes on already, whichever of the customer's windows asks.
            return Ok(Vec::new());
        }
        if self.is_known(fresh) {
            return Err(Refusal::new(Code::WrongState, "this chat has been started before").field("fresh"));
        }
        self.not_blocked(&left.marks)?;
        if self.queue_rules(&left.queue).is_none() {
            return Err(too_late());
        }
        Ok(vec![Event::ChatStarted {
            interaction: fresh,
            conversation: *conversation,
            queue: left.queue.clone(),
            person: left.person,
            skills: left.skills.intersection(&self.index.skills).cloned().collect(),
            marks: left.marks.clone(),
            previous: Some(id),
            preferred: left.agent.clone(),
        }])
    }

    /// Whether an interaction id is in use, or was.
    pub(super) fn is_known(&self, id: InteractionId) -> bool {
        self.chats.contains_key(&id)
            || self.calls.contains_key(&id)
            || self.closed.contains_key(&id)
            || self.left.contains_key(&id)
    }

    fn takes_returns(&self, queue: &QueueId) -> bool {
        self.queue_rules(queue).is_some_and(|policy| self.is_open(policy))
    }

    /// Visitors who were blocked start nothing (C7).
    pub(super) fn not_blocked<'a>(&self, marks: impl IntoIterator<Item = &'a Mark>) -> Result<(), Refusal> {
        if marks.into_iter().any(|mark| self.blocked.contains(mark)) {
            return Err(Refusal::new(
                Code::Blocked,
                "a chat cannot be started from here; please use another way",
            ));
        }
        Ok(())
    }

    /// Who had this visitor last, where the queue asks for that (A11, `sticky`).
    pub(super) fn last_agent<'a>(
        &self,
        queue: &QueueId,
        marks: impl IntoIterator<Item = &'a Mark>,
    ) -> Option<AgentId> {
        let mut marks = marks.into_iter().peekable();
        marks.peek()?;
        let sticky = self.queue_rules(queue).is_some_and(|q| q.strategy == Strategy::Sticky);
        marks.filter(|_| sticky).find_map(|mark| self.last_agents.get(mark)).cloned()
    }

    /// A message left in the offline form is the interaction (A12).
    pub(super) fn leave_message(
        &self,
        by: &Actor,
        command: &Command,
        id: InteractionId,
        text: &ContentRef,
    ) -> Decision {
        let Actor::Customer { conversation } = by else {
            return Err(Refusal::new(
                Code::NotPermitted,
                "only the customer of this chat can leave a message",
            ));
        };
        let none = || Refusal::new(Code::NotFound, "there is no such chat; it may be over. Start a new one");
        let chat = self.chats.get(&id).filter(|c| is_customer_of(conversation, c)).ok_or_else(none)?;
        let Stage::Form { .. } = &chat.stage else {
            return Err(Refusal::new(Code::WrongState, "the chat is being served; write in it"));
        };
        check_length(text, self.queue_policy(chat)?.customer_chars_max)?;
        let from = Side::Customer;
        let message = Event::MessageSent {
            interaction: id,
            message: command.id.clone(),
            from,
            agent: None,
            text: *text,
        };
        let mut events = vec![message, Event::ChatEnded { interaction: id, by: Side::Customer }];
        events.push(self.closed_in_line(chat, chat.service, Outcome::MessageLeft));
        Ok(events)
    }

    /// Nobody left a message in time.
    pub(crate) fn form_over(&self, id: InteractionId) -> Vec<Event> {
        let Some(chat) = self.chats.get(&id) else { return Vec::new() };
        let ended = Event::ChatEnded { interaction: id, by: Side::System };
        vec![ended, self.closed_in_line(chat, chat.service, self.left_in_line(chat))]
    }

    /// How a chat ends that no agent has at that moment (B20). One that an agent had before was answered.
    pub(super) fn left_in_line(&self, chat: &Chat) -> Outcome {
        match (&chat.stage, chat.answered_at) {
            (_, Some(_)) => Outcome::Answered,
            (Stage::Form { .. }, None) => Outcome::Overflowed,
            (Stage::Waiting | Stage::Offered(_) | Stage::Owned { .. }, None) => Outcome::Abandoned,
        }
    }

    pub(super) fn closed_in_line(&self, chat: &Chat, service: Service, outcome: Outcome) -> Event {
        let log = match outcome {
            Outcome::Answered | Outcome::MessageLeft => true,
            Outcome::Abandoned | Outcome::Overflowed | Outcome::Missed => {
                self.queue_policy(chat).is_ok_and(|q| q.log_abandoned)
            }
        };
        let (interaction, conversation) = (chat.id, chat.conversation);
        let (agent, service) = (chat.last_agent.clone(), Some(service));
        Event::InteractionClosed { interaction, outcome, conversation, agent, log, service }
    }

    /// A customer comes back to an agent who takes nothing new: not at once, but as a chat of the queue.
    pub(super) fn takes_nothing_new(&self, agent: &AgentId) -> bool {
        matches!(self.agent_state(agent).presence, Presence::StopNew | Presence::Offline)
    }
}

fn too_late() -> Refusal {
    Refusal::new(Code::Expired, "this chat cannot be gone back to any more; start a new one")
}
