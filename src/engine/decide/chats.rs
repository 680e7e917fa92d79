//! Chats: start, activate, park, write, end (B1, B2, B9, B10, B13).

use super::{Decision, Owned, is_customer_of};
use crate::state::{Chat, Engine, Stage, Talk};
use std::collections::BTreeSet;
use tieline_model::content::ContentRef;
use tieline_model::crm::Side;
use tieline_model::event::{ParkedBy, WithdrawnWhy};
use tieline_model::live::Place;
use tieline_model::{
    Actor, AgentId, Code, Command, ConversationId, Event, InteractionId, Mark, QueueId, Refusal, SkillId,
    Timestamp,
};

/// Bytes a character may take on average before a text is refused: the largest emoji sequences people send hold
/// about 35 bytes, most text 1 to 4 (B9's byte cap).
const BYTES_PER_CHAR_MAX: u32 = 16;
/// Skills one chat may want beyond its queue's own.
const SKILLS_MAX: usize = 5;
/// By how much a visitor may be recognised.
const MARKS_MAX: usize = 4;

/// A chat that a customer asks for.
pub(super) struct Start<'a> {
    pub interaction: InteractionId,
    pub conversation: ConversationId,
    pub queue: &'a QueueId,
    pub person: ContentRef,
    pub skills: &'a BTreeSet<SkillId>,
    pub marks: &'a BTreeSet<Mark>,
    pub previous: Option<InteractionId>,
}

impl Engine {
    pub(super) fn start_chat(&self, by: &Actor, start: Start<'_>) -> Decision {
        let Start { interaction, conversation, queue, person, skills, marks, previous } = start;
        if *by != (Actor::Customer { conversation }) {
            return Err(Refusal::new(
                Code::NotPermitted,
                "only the customer of this conversation can start this chat",
            ));
        }
        if self.queue_rules(queue).is_none() {
            return Err(Refusal::new(Code::NotFound, "there is no queue of this name").field("queue"));
        }
        let known = self.chats.get(&interaction);
        if known.is_some_and(|c| is_customer_of(&conversation, c)) {
            return Ok(Vec::new());
        }
        if self.is_known(interaction) {
            return Err(Refusal::new(Code::WrongState, "this chat has been started before").field("id"));
        }
        if skills.len() > SKILLS_MAX || marks.len() > MARKS_MAX {
            let message = format!("a chat may want {SKILLS_MAX} skills and bear {MARKS_MAX} marks");
            return Err(Refusal::new(Code::Invalid, message).field("skills").limit(SKILLS_MAX as u64));
        }
        if let Some(unknown) = skills.iter().find(|skill| !self.index.skills.contains(*skill)) {
            let message =
                format!("no agent has the skill `{unknown}`; see `skills` in the settings of the agents");
            return Err(Refusal::new(Code::Invalid, message).field("skills"));
        }
        self.not_blocked(marks)?;
        let preferred = self.last_agent(queue, marks);
        let (queue, skills, marks) = (queue.clone(), skills.clone(), marks.clone());
        Ok(vec![Event::ChatStarted {
            interaction,
            conversation,
            queue,
            person,
            skills,
            marks,
            previous,
            preferred,
        }])
    }

    pub(super) fn activate(&self, now: Timestamp, agent: &AgentId, id: InteractionId) -> Decision {
        self.own_chat(agent, id)?;
        if self.agent_state(agent).active == Some(id) {
            return Ok(Vec::new());
        }
        let mut events: Vec<Event> =
            self.park_active(now, agent, ParkedBy::Activation, None).into_iter().collect();
        events.push(self.activation(now, agent, id));
        Ok(events)
    }

    pub(super) fn park_own(&self, now: Timestamp, agent: &AgentId, id: InteractionId) -> Decision {
        self.own_chat(agent, id)?;
        if self.place(id) == Some(Place::Parked) {
            return Ok(Vec::new());
        }
        if self.agent_state(agent).active != Some(id) {
            return Err(Refusal::new(Code::NotActive, "only the active item can be parked; this one is new"));
        }
        Ok(self.park_active(now, agent, ParkedBy::Agent, None).into_iter().collect())
    }

    pub(super) fn send(
        &self,
        by: &Actor,
        command: &Command,
        id: InteractionId,
        text: &ContentRef,
    ) -> Decision {
        let (chat, from, agent) = self.writer(by, id)?;
        let rules = self.queue_policy(chat)?;
        let max = match from {
            Side::Agent => rules.agent_chars_max,
            Side::Customer | Side::System => rules.customer_chars_max,
        };
        check_length(text, max)?;
        let (interaction, message) = (chat.id, command.id.clone());
        Ok(vec![Event::MessageSent { interaction, message, from, agent, text: *text }])
    }

    /// An unfinished chat of this conversation that has not ended.
    pub(super) fn customer_chat(
        &self,
        conversation: &ConversationId,
        id: InteractionId,
    ) -> Result<&Chat, Refusal> {
        let none = || Refusal::new(Code::NotFound, "there is no such chat; it may be over. Start a new one");
        let chat = self.chats.get(&id).filter(|c| is_customer_of(conversation, c)).ok_or_else(none)?;
        match &chat.stage {
            Stage::Owned { talk: Talk::WrapUp { .. }, .. } => Err(ended()),
            Stage::Owned { .. } | Stage::Waiting | Stage::Offered(_) | Stage::Form { .. } => Ok(chat),
        }
    }

    pub(super) fn end_chat(&self, now: Timestamp, by: &Actor, id: InteractionId) -> Decision {
        match by {
            Actor::Agent { .. } => {
                let agent = self.agent_of(by)?;
                let Owned { chat, talk } = self.own_chat(agent, id)?;
                match talk {
                    Talk::WrapUp { .. } => Ok(Vec::new()),
                    Talk::Open { .. } => Ok(self.end_owned(now, chat, agent, Side::Agent)),
                }
            }
            Actor::Customer { conversation } => {
                let chat = match self.customer_chat(conversation, id) {
                    Ok(chat) => chat,
                    Err(refusal) if refusal.code == Code::WrongState => return Ok(Vec::new()),
                    Err(refusal) => return Err(refusal),
                };
                Ok(self.customer_ends(now, chat))
            }
            Actor::Producer { .. } | Actor::Connection { .. } | Actor::Daemon => {
                Err(Refusal::new(Code::NotPermitted, "only the agent and the customer of a chat can end it"))
            }
        }
    }

    fn customer_ends(&self, now: Timestamp, chat: &Chat) -> Vec<Event> {
        let mut service = chat.service;
        let mut events = match &chat.stage {
            Stage::Owned { agent, .. } => return self.end_owned(now, chat, agent, Side::Customer),
            Stage::Offered(offer) => {
                // The offer that ends here counts too: an agent was free (B17).
                if chat.answered_at.is_none() {
                    service.connecting.0 += now.since(offer.at).0;
                }
                vec![self.withdraw(chat, offer, WithdrawnWhy::CustomerLeft)]
            }
            Stage::Waiting | Stage::Form { .. } => Vec::new(),
        };
        events.push(Event::ChatEnded { interaction: chat.id, by: Side::Customer });
        events.push(self.closed_in_line(chat, service, self.left_in_line(chat)));
        events
    }

    /// The chat ends and its wrap-up begins (C3); the countdown runs only while the item is active (C5).
    pub(super) fn end_owned(&self, now: Timestamp, chat: &Chat, agent: &AgentId, by: Side) -> Vec<Event> {
        let time = self.wrap_up_rules(chat).and_then(|rules| rules.time);
        let active = self.agent_state(agent).active == Some(chat.id);
        let deadline = time.filter(|_| active).map(|time| now + time);
        let interaction = chat.id;
        let why =
            if by == Side::Customer { WithdrawnWhy::CustomerLeft } else { WithdrawnWhy::TransferCancelled };
        let mut events: Vec<Event> = self.transfer_cancelled(chat, why).into_iter().collect();
        events.extend(self.guests_leave(chat));
        events.push(Event::ChatEnded { interaction, by });
        events.push(Event::WrapUpStarted { interaction, agent: agent.clone(), deadline, time });
        events
    }

    pub(super) fn see_end(&self, agent: &AgentId, id: InteractionId) -> Decision {
        match self.own_chat(agent, id)?.talk {
            Talk::WrapUp { seen: false, .. } => Ok(vec![Event::EndSeen { interaction: id }]),
            Talk::WrapUp { seen: true, .. } => Ok(Vec::new()),
            Talk::Open { .. } => Err(Refusal::new(Code::WrongState, "the chat has not ended")),
        }
    }

    /// Who may show "is typing" in a chat now (B6): its active owner, or its customer. Never journaled.
    ///
    /// # Errors
    /// As for writing a message.
    pub fn may_type(&self, by: &Actor, id: InteractionId) -> Result<Side, Refusal> {
        self.writer(by, id).map(|(_, side, _)| side)
    }
}

pub(super) fn ended() -> Refusal {
    Refusal::new(Code::WrongState, "the chat has ended; nothing can be sent in it any more")
}

pub(super) fn check_length(text: &ContentRef, max: u32) -> Result<(), Refusal> {
    if text.bytes == 0 {
        return Err(Refusal::new(Code::Invalid, "the message is empty").field("text"));
    }
    if text.chars > max {
        let message = format!(
            "the message has {} characters; {max} is the limit. Shorten it or send it in parts",
            text.chars
        );
        return Err(Refusal::new(Code::TooLong, message).field("text").limit(u64::from(max)));
    }
    let bytes_max = max.saturating_mul(BYTES_PER_CHAR_MAX);
    if text.bytes > bytes_max {
        let message =
            format!("the message has {} bytes; {bytes_max} is the limit. Send it in parts", text.bytes);
        return Err(Refusal::new(Code::TooLong, message).field("text").limit(u64::from(bytes_max)));
    }
    Ok(())
}
