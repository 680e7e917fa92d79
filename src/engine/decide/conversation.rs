//! What is said and done in a chat beside messages: notices, silence, files, whispers, cases, sharing, abuse, scripts.

use super::{Decision, Owned, not_yours};
use crate::state::{Chat, Engine, Stage, Talk};
use tieline_model::command::Notice;
use tieline_model::content::ContentRef;
use tieline_model::crm::{Channel, Side};
use tieline_model::event::Suggestion;
use tieline_model::policy::{Attachments, InactivityMode, Wording};
use tieline_model::{Actor, AgentId, Code, Command, Event, InteractionId, Refusal, Timestamp};

/// Longest whisper and longest note about abuse, in characters.
const NOTE_CHARS_MAX: u32 = 2_000;
/// Longest name of a file, in characters.
const FILE_NAME_CHARS_MAX: u32 = 200;

impl Engine {
    /// Tieline's own words, as the queue has them.
    pub(crate) fn notice(&self, chat: &Chat, notice: Notice, agent: Option<&AgentId>) -> Option<Event> {
        let wording = &chat.rules()?.wording;
        let text = words(wording, notice).to_owned();
        (!text.is_empty()).then(|| Event::NoticeSent {
            interaction: chat.id,
            notice,
            text,
            agent: agent.cloned(),
        })
    }

    /// The customer stayed silent (B8): advice to the agent, or done by itself.
    pub(crate) fn silent(&self, now: Timestamp, id: InteractionId) -> Vec<Event> {
        let Some(chat) = self.chats.get(&id) else { return Vec::new() };
        let (Stage::Owned { agent, .. }, Some(silence)) = (&chat.stage, chat.silence) else {
            return Vec::new();
        };
        let mode = self.queue_policy(chat).map_or(InactivityMode::Off, |q| q.inactivity.mode);
        match (mode, silence.nudged) {
            (InactivityMode::Auto, false) => {
                // An empty wording says nothing; the clock goes on all the same.
                let text = self.queue_policy(chat).map(|q| q.wording.nudge.clone()).unwrap_or_default();
                vec![Event::NoticeSent { interaction: id, notice: Notice::Nudge, text, agent: None }]
            }
            (InactivityMode::Auto, true) => {
                let mut events: Vec<Event> = self.notice(chat, Notice::Closing, None).into_iter().collect();
                events.extend(self.end_owned(now, chat, agent, Side::System));
                events
            }
            // Switching it off stops the clock, so a clock that runs is not off.
            (InactivityMode::Suggest | InactivityMode::Off, nudged) => {
                let suggestion = if nudged { Suggestion::End } else { Suggestion::Nudge };
                vec![Event::Suggested { interaction: id, suggestion }]
            }
        }
    }

    pub(super) fn send_notice(&self, agent: &AgentId, id: InteractionId, notice: Notice) -> Decision {
        let chat = self.active_chat_of(agent, id)?;
        match notice {
            Notice::Nudge | Notice::Closing | Notice::FewMinutes => {}
            Notice::Transferred | Notice::AgentLost | Notice::Overflowed | Notice::Offline => {
                let message = "this notice comes by itself; send `nudge`, `closing` or `few_minutes`";
                return Err(Refusal::new(Code::Invalid, message).field("notice"));
            }
        }
        let empty =
            || Refusal::new(Code::Invalid, "the queue has no wording for this notice").field("notice");
        Ok(vec![self.notice(chat, notice, Some(agent)).ok_or_else(empty)?])
    }

    pub(super) fn send_file(
        &self,
        by: &Actor,
        command: &Command,
        id: InteractionId,
        file: &ContentRef,
        media_type: &str,
    ) -> Decision {
        let (chat, from, agent) = self.writer(by, id)?;
        let rules = &self.queue_policy(chat)?.attachments;
        check_file(rules, from, file, media_type)?;
        let (message, media_type) = (command.id.clone(), media_type.to_owned());
        Ok(vec![Event::FileSent { interaction: id, message, from, agent, file: *file, media_type }])
    }

    pub(super) fn whisper(
        &self,
        agent: &AgentId,
        command: &Command,
        id: InteractionId,
        text: &ContentRef,
    ) -> Decision {
        let chat = self.chat_at(agent, id)?;
        if chat.guests.is_empty() {
            return Err(Refusal::new(Code::WrongState, "nobody else is at this chat to whisper to"));
        }
        note_fits(Some(text), "text")?;
        let (message, agent) = (command.id.clone(), agent.clone());
        Ok(vec![Event::Whispered { interaction: id, message, agent, text: *text }])
    }

    pub(super) fn share_history(&self, now: Timestamp, agent: &AgentId, id: InteractionId) -> Decision {
        let Owned { chat, .. } = self.own_chat(agent, id)?;
        if chat.channel == Channel::Call {
            return Err(Refusal::new(Code::WrongState, "a call has no transcript to share"));
        }
        let expires_at = now + self.queue_policy(chat)?.share_for;
        let (conversation, agent, share) = (chat.conversation, agent.clone(), self.mint_share());
        Ok(vec![Event::HistoryShared { interaction: id, conversation, agent, share, expires_at }])
    }

    /// One click, and the chat goes on (B16).
    pub(super) fn open_case(&self, agent: &AgentId, id: InteractionId) -> Decision {
        let chat = self.open_chat_of(agent, id)?;
        if chat.case_opened {
            return Ok(Vec::new());
        }
        let (conversation, agent) = (chat.conversation, agent.clone());
        Ok(vec![Event::CaseOpened { interaction: id, conversation, agent }])
    }

    pub(super) fn flag_abuse(
        &self,
        agent: &AgentId,
        id: InteractionId,
        note: Option<ContentRef>,
    ) -> Decision {
        let Owned { chat, .. } = self.own_chat(agent, id)?;
        if chat.channel == Channel::Call {
            let message = "only a chat can be flagged as abusive; say it in the notes of the call";
            return Err(Refusal::new(Code::WrongState, message));
        }
        let rules = self.queue_policy(chat)?;
        note_fits(note.as_ref(), "note")?;
        if chat.abusive && note.is_none() {
            return Ok(Vec::new());
        }
        let blocked = if rules.block_abusive { chat.marks.clone() } else { Default::default() };
        Ok(vec![Event::AbuseFlagged { interaction: id, agent: agent.clone(), note, blocked }])
    }

    pub(super) fn fill_script(&self, agent: &AgentId, id: InteractionId, answers: ContentRef) -> Decision {
        let on_the_phone = self.calls.get(&id).is_some_and(|call| call.state.on_the_phone() == Some(agent));
        if !on_the_phone {
            self.own_chat(agent, id)?;
        }
        Ok(vec![Event::ScriptFilled { interaction: id, agent: agent.clone(), answers }])
    }

    /// A chat in progress that the agent owns.
    fn open_chat_of(&self, agent: &AgentId, id: InteractionId) -> Result<&Chat, Refusal> {
        let Owned { chat, talk } = self.own_chat(agent, id)?;
        match talk {
            Talk::Open { .. } => Ok(chat),
            Talk::WrapUp { .. } => Err(super::chats::ended()),
        }
    }

    /// The chat in progress that the agent works on; it alone can send (B1).
    fn active_chat_of(&self, agent: &AgentId, id: InteractionId) -> Result<&Chat, Refusal> {
        let chat = self.open_chat_of(agent, id)?;
        if self.agent_state(agent).active != Some(id) {
            return Err(Refusal::new(Code::NotActive, "only the active chat can send; activate it first"));
        }
        Ok(chat)
    }

    /// Who writes into a chat, and from which side: its customer, its agent while it is active, or an agent who has
    /// joined it.
    pub(super) fn writer(
        &self,
        by: &Actor,
        id: InteractionId,
    ) -> Result<(&Chat, Side, Option<AgentId>), Refusal> {
        match by {
            Actor::Agent { .. } => {
                let agent = self.agent_of(by)?;
                let chat = self.chats.get(&id).ok_or_else(not_yours)?;
                if self.is_guest(chat, agent) {
                    return Ok((chat, Side::Agent, Some(agent.clone())));
                }
                Ok((self.active_chat_of(agent, id)?, Side::Agent, Some(agent.clone())))
            }
            Actor::Customer { conversation } => {
                let chat = self.customer_chat(conversation, id)?;
                if let Stage::Form { .. } = &chat.stage {
                    let message = "nobody can answer now; leave a message in the form";
                    return Err(Refusal::new(Code::WrongState, message));
                }
                Ok((chat, Side::Customer, None))
            }
            Actor::Producer { .. } | Actor::Connection { .. } | Actor::Daemon => {
                let message = "only the agents and the customer of a chat can write";
                Err(Refusal::new(Code::NotPermitted, message))
            }
        }
    }
}

fn words(wording: &Wording, notice: Notice) -> &str {
    match notice {
        Notice::Nudge => &wording.nudge,
        Notice::Closing => &wording.closing,
        Notice::FewMinutes => &wording.few_minutes,
        Notice::Transferred => &wording.transferred,
        Notice::AgentLost => &wording.agent_lost,
        Notice::Overflowed => &wording.overflowed,
        Notice::Offline => &wording.offline,
    }
}

/// Size and type were found at the edge by looking at the bytes; the queue says what it takes (B18).
fn check_file(rules: &Attachments, from: Side, file: &ContentRef, media_type: &str) -> Result<(), Refusal> {
    let allowed = match from {
        Side::Customer => rules.from_customer,
        Side::Agent => rules.from_agent,
        Side::System => false,
    };
    if !allowed {
        return Err(Refusal::new(Code::NotPermitted, "files cannot be sent in this chat").field("file"));
    }
    if file.bytes == 0 {
        return Err(Refusal::new(Code::Invalid, "the file is empty").field("file"));
    }
    if file.bytes > rules.bytes_max {
        let max = rules.bytes_max;
        let message = format!("the file has {} bytes; {max} is the limit. Make it smaller", file.bytes);
        return Err(Refusal::new(Code::TooLong, message).field("file").limit(u64::from(max)));
    }
    if file.chars > FILE_NAME_CHARS_MAX {
        let message = format!("the file's name may have {FILE_NAME_CHARS_MAX} characters; shorten it");
        return Err(Refusal::new(Code::TooLong, message).field("name").limit(u64::from(FILE_NAME_CHARS_MAX)));
    }
    if !rules.types.iter().any(|allowed| allowed == media_type) {
        let message = format!("files of this kind are not taken; send one of: {}", rules.types.join(", "));
        return Err(Refusal::new(Code::Invalid, message).field("media_type"));
    }
    Ok(())
}

fn note_fits(note: Option<&ContentRef>, field: &str) -> Result<(), Refusal> {
    let Some(note) = note else { return Ok(()) };
    if note.bytes == 0 {
        return Err(Refusal::new(Code::Invalid, "the text is empty").field(field));
    }
    if note.chars > NOTE_CHARS_MAX {
        let message = format!("the text may have {NOTE_CHARS_MAX} characters; shorten it");
        return Err(Refusal::new(Code::TooLong, message).field(field).limit(u64::from(NOTE_CHARS_MAX)));
    }
    Ok(())
}
