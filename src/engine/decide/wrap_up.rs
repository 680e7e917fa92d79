//! Wrap-up and classification (C1, C3–C6).

use super::{Decision, Owned};
use crate::state::{Chat, Engine, Stage, Talk, WrapClock};
use tieline_model::content::ContentRef;
use tieline_model::crm::{Channel, Outcome};
use tieline_model::event::CompletedBy;
use tieline_model::policy::Classification;
use tieline_model::{AgentId, Code, Event, InteractionId, Refusal, Timestamp};

/// Longest text and notes of a classification together, in characters.
const REMARKS_CHARS_MAX: u32 = 10_000;

impl Engine {
    pub(super) fn extend(&self, agent: &AgentId, id: InteractionId) -> Decision {
        let Owned { chat, talk } = self.own_chat(agent, id)?;
        let Talk::WrapUp { clock, extensions_left, .. } = talk else { return Err(not_in_wrap_up()) };
        let policy = *self.wrap_up_rules(chat).ok_or_else(super::not_yours)?;
        let (deadline, time_left) = match clock {
            WrapClock::Unlimited => {
                return Err(Refusal::new(
                    Code::WrongState,
                    "this wrap-up has no time limit; there is nothing to extend",
                ));
            }
            WrapClock::Running { deadline } => (Some(*deadline + policy.extension), None),
            WrapClock::Stopped { left } => (None, Some(tieline_model::Millis(left.0 + policy.extension.0))),
        };
        let Some(left) = extensions_left.checked_sub(1) else {
            let message = format!(
                "all {} extensions of this wrap-up are used; complete it, or park it",
                policy.extensions
            );
            return Err(Refusal::new(Code::NoExtensionsLeft, message).limit(u64::from(policy.extensions)));
        };
        Ok(vec![Event::WrapUpExtended { interaction: id, deadline, time_left, extensions_left: left }])
    }

    pub(super) fn complete(&self, now: Timestamp, agent: &AgentId, id: InteractionId) -> Decision {
        match self.own_chat(agent, id)?.talk {
            Talk::Open { .. } => Err(not_in_wrap_up()),
            Talk::WrapUp { .. } => Ok(self.complete_wrap_up(now, id, CompletedBy::Agent)),
        }
    }

    /// Completes a wrap-up: the log can go, and a pending wish of the agent comes due.
    pub(crate) fn complete_wrap_up(&self, now: Timestamp, id: InteractionId, by: CompletedBy) -> Vec<Event> {
        let Some(chat) = self.chats.get(&id) else { return Vec::new() };
        let Stage::Owned { agent, talk: Talk::WrapUp { .. }, .. } = &chat.stage else { return Vec::new() };
        let mut events = self.finish(now, chat, by);
        events.extend(self.what_follows(now, agent, chat));
        events
    }

    /// After a call's wrap-up the wrap-up that the call parked goes on (B5); else a pending wish comes due.
    fn what_follows(&self, now: Timestamp, agent: &AgentId, done: &Chat) -> Vec<Event> {
        let state = self.agent_state(agent);
        if state.active.is_some_and(|active| active != done.id) || state.talking.is_some() {
            return Vec::new();
        }
        let over = done.channel == Channel::Call && state.calls.is_empty();
        let mut parked = state.parked_by_calls.iter().rev().filter(|id| over && **id != done.id);
        match parked.next().filter(|id| self.resumes(**id)) {
            Some(id) => vec![self.activation(now, agent, *id)],
            None => self.grant_wish(now, agent, Some(done.id)),
        }
    }

    pub(super) fn finish(&self, _now: Timestamp, chat: &Chat, by: CompletedBy) -> Vec<Event> {
        let Stage::Owned { agent, talk: Talk::WrapUp { seen, .. }, .. } = &chat.stage else {
            return Vec::new();
        };
        let not_classified = self
            .classification_rules(chat)
            .is_some_and(|rules| rules.mandatory && !rules.given(&chat.codes, chat.remarks));
        let outcome = if chat.answered_at.is_some() { Outcome::Answered } else { Outcome::Abandoned };
        let log = match chat.channel {
            Channel::Chat => {
                outcome == Outcome::Answered || self.queue_policy(chat).is_ok_and(|q| q.log_abandoned)
            }
            Channel::Call => self.logs_call(outcome),
        };
        let service = (chat.channel == Channel::Chat).then_some(chat.service);
        let agent = agent.clone();
        let interaction = chat.id;
        vec![
            Event::WrapUpCompleted {
                interaction,
                agent: agent.clone(),
                by,
                not_classified,
                unseen: !seen && !matches!(by, CompletedBy::Agent),
            },
            Event::InteractionClosed {
                interaction,
                outcome,
                conversation: chat.conversation,
                agent: Some(agent),
                log,
                service,
            },
        ]
    }

    pub(super) fn classify(
        &self,
        agent: &AgentId,
        id: InteractionId,
        codes: &[String],
        remarks: Option<ContentRef>,
    ) -> Decision {
        let live = self.calls.get(&id).filter(|call| call.state.on_the_phone() == Some(agent));
        let policy = match live {
            Some(_) => &self.policy.calls.classification,
            None => {
                let Owned { chat, .. } = self.own_chat(agent, id)?;
                self.classification_rules(chat).ok_or_else(super::not_yours)?
            }
        };
        if policy.codes.is_empty() && !codes.is_empty() {
            let message = "there is no list to choose a classification from; write it as text";
            return Err(Refusal::new(Code::Invalid, message).field("codes"));
        }
        if let Some(unknown) = codes.iter().find(|c| !policy.codes.contains(c)) {
            let shown: String = unknown.chars().take(40).collect();
            let message =
                format!("`{shown}` is not a classification that can be chosen; choose one of the list");
            return Err(Refusal::new(Code::Invalid, message).field("codes"));
        }
        if codes.len() > 1 && !policy.several {
            let message = "only one classification is taken; choose one";
            return Err(Refusal::new(Code::Invalid, message).field("codes").limit(1));
        }
        if codes.iter().enumerate().any(|(i, c)| codes[..i].contains(c)) {
            return Err(
                Refusal::new(Code::Invalid, "a classification is named twice; name it once").field("codes")
            );
        }
        if remarks.is_some_and(|r| r.chars > REMARKS_CHARS_MAX) {
            let message =
                format!("text and notes together may have {REMARKS_CHARS_MAX} characters; shorten them");
            return Err(Refusal::new(Code::TooLong, message)
                .field("remarks")
                .limit(u64::from(REMARKS_CHARS_MAX)));
        }
        let (agent, codes) = (agent.clone(), codes.to_vec());
        Ok(vec![Event::Classified { interaction: id, agent, codes, remarks }])
    }
}

impl Engine {
    /// How an item is classified: as its queue says, or as calls are (E5).
    fn classification_rules<'a>(&'a self, chat: &'a Chat) -> Option<&'a Classification> {
        match chat.channel {
            Channel::Chat => self.queue_policy(chat).ok().map(|queue| &queue.classification),
            Channel::Call => Some(&self.policy.calls.classification),
        }
    }
}

fn not_in_wrap_up() -> Refusal {
    Refusal::new(Code::WrongState, "the chat is still in progress; end it first")
}
