//! What an agent does on a panel, as a wish for the engine: words become content under the conversation's own key.

use super::Hub;
use super::socket::check_text;
use crate::auth::AgentPass;
use crate::drive::{self, Request};
use std::collections::BTreeMap;
use tieline_model::content::{Content, ContentRef, Remarks};
use tieline_model::live::AgentDeed;
use tieline_model::{Code, InteractionId, Refusal, Wish};
use unicode_segmentation::UnicodeSegmentation;

/// Fields of a script that one deed fills.
const ANSWERS_MAX: usize = 100;
/// Characters of a field's name.
const FIELD_CHARS_MAX: usize = 200;
/// Characters of an answer.
const ANSWER_CHARS_MAX: usize = 2_000;

/// Who does something, and the request its content goes with.
pub(super) struct Doing<'a> {
    pub(super) hub: &'a Hub,
    pub(super) pass: &'a AgentPass,
    pub(super) request: &'a mut Request,
}

impl Doing<'_> {
    /// What a deed wishes; nothing for one that is no matter of the engine's.
    pub(super) fn wish(&mut self, deed: AgentDeed) -> Result<Option<Wish>, Refusal> {
        Ok(Some(match deed {
            AgentDeed::SetPresence { presence, confirmed } => Wish::SetPresence { presence, confirmed },
            AgentDeed::SetAvailability { channels, queues } => Wish::SetAvailability { channels, queues },
            AgentDeed::AcceptOffer { offer } => Wish::AcceptOffer { offer },
            AgentDeed::RejectOffer { offer } => Wish::RejectOffer { offer },
            AgentDeed::TakeChat { interaction } => Wish::TakeChat { interaction },
            AgentDeed::Activate { interaction } => Wish::Activate { interaction },
            AgentDeed::Park { interaction } => Wish::Park { interaction },
            AgentDeed::Send { interaction, text } => {
                Wish::SendMessage { interaction, text: self.text(interaction, text)? }
            }
            AgentDeed::Whisper { interaction, text } => {
                Wish::Whisper { interaction, text: self.text(interaction, text)? }
            }
            AgentDeed::SendNotice { interaction, notice } => Wish::SendNotice { interaction, notice },
            AgentDeed::Transfer { interaction, to, note, confirmed } => {
                let note = self.note(interaction, note)?;
                Wish::Transfer { interaction, to, note, confirmed }
            }
            AgentDeed::CancelTransfer { interaction } => Wish::CancelTransfer { interaction },
            AgentDeed::HandOver { interaction, agent } => Wish::HandOver { interaction, agent },
            AgentDeed::LeaveChat { interaction } => Wish::LeaveChat { interaction },
            AgentDeed::ShareHistory { interaction } => Wish::ShareHistory { interaction },
            AgentDeed::OpenCase { interaction } => Wish::OpenCase { interaction },
            AgentDeed::FlagAbuse { interaction, note } => {
                Wish::FlagAbuse { interaction, note: self.note(interaction, note)? }
            }
            AgentDeed::FillScript { interaction, answers } => {
                Wish::FillScript { interaction, answers: self.answers(interaction, answers)? }
            }
            AgentDeed::Supervise { act, reason } => Wish::Supervise { act, reason },
            AgentDeed::EndChat { interaction } => Wish::EndChat { interaction },
            AgentDeed::SeeEnd { interaction } => Wish::SeeEnd { interaction },
            AgentDeed::ExtendWrapUp { interaction } => Wish::ExtendWrapUp { interaction },
            AgentDeed::CompleteWrapUp { interaction } => Wish::CompleteWrapUp { interaction },
            AgentDeed::Classify { interaction, codes, remarks } => {
                Wish::Classify { interaction, codes, remarks: self.remarks(interaction, remarks)? }
            }
            AgentDeed::ChooseContact { interaction, connection, contact } => {
                Wish::ChooseContact { interaction, connection, contact }
            }
            AgentDeed::Watch { on: _ } => return Ok(None),
        }))
    }

    fn text(&mut self, interaction: InteractionId, text: String) -> Result<ContentRef, Refusal> {
        check_text(&text)?;
        self.keep(interaction, Content::Message { text })
    }

    /// A note that may be left out; one of blanks is none.
    fn note(
        &mut self,
        interaction: InteractionId,
        note: Option<String>,
    ) -> Result<Option<ContentRef>, Refusal> {
        let Some(text) = note.filter(|note| !note.trim().is_empty()) else { return Ok(None) };
        check_text(&text).map_err(|refusal| refusal.field("note"))?;
        self.keep(interaction, Content::Message { text }).map(Some)
    }

    fn remarks(
        &mut self,
        interaction: InteractionId,
        remarks: Remarks,
    ) -> Result<Option<ContentRef>, Refusal> {
        if remarks == Remarks::default() {
            return Ok(None);
        }
        self.keep(interaction, Content::Remarks { remarks }).map(Some)
    }

    fn answers(
        &mut self,
        interaction: InteractionId,
        answers: BTreeMap<String, String>,
    ) -> Result<ContentRef, Refusal> {
        if answers.len() > ANSWERS_MAX {
            let message = format!("{} fields are filled; {ANSWERS_MAX} is the limit", answers.len());
            return Err(Refusal::new(Code::TooLong, message).field("answers").limit(ANSWERS_MAX as u64));
        }
        for (field, answer) in &answers {
            fits("a field's name", field, FIELD_CHARS_MAX)?;
            fits("an answer", answer, ANSWER_CHARS_MAX)?;
        }
        self.keep(interaction, Content::Answers { answers })
    }

    /// Keeps words under the conversation's own key; only a chat or call at which the agent is has one here.
    fn keep(&mut self, interaction: InteractionId, content: Content) -> Result<ContentRef, Refusal> {
        let found = self.hub.conversation(&self.pass.tenant, &self.pass.agent, interaction);
        let conversation = found.ok_or_else(|| {
            Refusal::new(
                Code::NotFound,
                "this is not in your inbox; another agent may have it, or it is done",
            )
        })?;
        let (reference, kept) = drive::content(conversation, content);
        self.request.content.push(kept);
        Ok(reference)
    }
}

fn fits(what: &str, text: &str, max: usize) -> Result<(), Refusal> {
    let chars = text.graphemes(true).count();
    if chars > max || text.len() > max * 4 {
        let message = format!("{what} has {chars} characters; {max} is the limit");
        return Err(Refusal::new(Code::TooLong, message).field("answers").limit(max as u64));
    }
    if text.contains('\0') {
        let message = format!("{what} holds a NUL character");
        return Err(Refusal::new(Code::Invalid, message).field("answers"));
    }
    Ok(())
}
