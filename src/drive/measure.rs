//! Content on its way in: measured as a person counts, so that the engine can hold it against a limit.

use crate::journal::NewContent;
use tieline_model::content::{Content, ContentRef, Person};
use tieline_model::{ContentId, ConversationId};
use unicode_segmentation::UnicodeSegmentation;
use uuid::Uuid;

/// Gives content an id under its conversation's key, and its sizes (B9: grapheme clusters beside bytes).
#[must_use]
pub fn content(conversation: ConversationId, content: Content) -> (ContentRef, NewContent) {
    let id = ContentId(Uuid::now_v7());
    let (chars, bytes) = match &content {
        Content::Message { text } => measure(text),
        Content::Remarks { remarks } => {
            let (a, b) = measure(&remarks.text);
            let (c, d) = measure(&remarks.notes);
            (a + c, b + d)
        }
        Content::Recording { url } => measure(url),
        Content::File { name, data } => {
            (measure(name).0, data.len() / 4 * 3 - data.bytes().rev().take(2).filter(|b| *b == b'=').count())
        }
        Content::Answers { answers } => answers.iter().fold((0, 0), |(chars, bytes), (field, answer)| {
            let ((a, b), (c, d)) = (measure(field), measure(answer));
            (chars + a + c, bytes + b + d)
        }),
        Content::Person { .. } | Content::Call { .. } | Content::Matches { .. } => (0, 0),
    };
    let clip = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    (ContentRef { id, chars: clip(chars), bytes: clip(bytes) }, NewContent { id, conversation, content })
}

/// A person as content.
#[must_use]
pub fn person(conversation: ConversationId, person: Person) -> (ContentRef, NewContent) {
    content(conversation, Content::Person { person })
}

fn measure(text: &str) -> (usize, usize) {
    (text.graphemes(true).count(), text.len())
}
