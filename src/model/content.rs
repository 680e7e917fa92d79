//! What people say and who they are. Content never stands in journal rows: a row holds a [`ContentRef`], and the
//! body is kept encrypted under its conversation's key.

use crate::crm::{Direction, Matches};
use crate::ids::ContentId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// A reference from the journal to content, with the sizes that rules look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ContentRef {
    /// Which content.
    pub id: ContentId,
    /// Length in grapheme clusters, as a person counts characters (B9).
    pub chars: u32,
    /// Length in UTF-8 bytes.
    pub bytes: u32,
}

/// Who a customer says they are. Nothing here is proof (D0).
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Person {
    /// Name as shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// First name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_name: Option<String>,
    /// Last name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_name: Option<String>,
    /// E-mail address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Phone number as given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// Case number as given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub case_number: Option<String>,
    /// Further answers of the pre-chat form, by label.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub answers: BTreeMap<String, String>,
    /// Address of the page the chat was started on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page: Option<String>,
}

impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Person(***)")
    }
}

/// What an agent wrote about an interaction beside its codes.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Remarks {
    /// Additional text of the classification (C1).
    #[serde(skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// Final notes.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub notes: String,
}

impl fmt::Debug for Remarks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Remarks(***)")
    }
}

/// The two ends of a call, as the telephone system wrote them. The customer's is `from` when the call came in, and `to`
/// when an agent dialled.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct CallNumbers {
    /// The caller; `None` when withheld.
    pub from: Option<String>,
    /// The number called.
    pub to: Option<String>,
}

impl CallNumbers {
    /// The customer's number.
    #[must_use]
    pub fn customer(&self, direction: Direction) -> Option<&str> {
        match direction {
            Direction::Inbound => self.from.as_deref(),
            Direction::Outbound => self.to.as_deref(),
        }
    }

    /// The centre's own number.
    #[must_use]
    pub fn line(&self, direction: Direction) -> Option<&str> {
        match direction {
            Direction::Inbound => self.to.as_deref(),
            Direction::Outbound => self.from.as_deref(),
        }
    }
}

impl fmt::Debug for CallNumbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CallNumbers(***)")
    }
}

/// A piece of content.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Content {
    /// What someone wrote in a chat.
    Message {
        /// The text; plain, never markup.
        text: String,
    },
    /// Who the customer says they are.
    Person {
        /// The person.
        person: Person,
    },
    /// The numbers of a call.
    Call {
        /// The numbers.
        numbers: CallNumbers,
    },
    /// Where a call's recording can be heard.
    Recording {
        /// Its address.
        url: String,
    },
    /// What an agent wrote when classifying.
    Remarks {
        /// The remarks.
        remarks: Remarks,
    },
    /// A file that was sent in a chat (B18).
    File {
        /// Its name as its sender called it.
        name: String,
        /// Its bytes, in base64.
        data: String,
    },
    /// What an agent filled into a script, by the field's name (G3).
    Answers {
        /// The answers.
        answers: BTreeMap<String, String>,
    },
    /// What a CRM found for a customer.
    Matches {
        /// The matches.
        matches: Matches,
    },
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Message { .. } => "Message(***)",
            Self::Person { .. } => "Person(***)",
            Self::Call { .. } => "Call(***)",
            Self::Recording { .. } => "Recording(***)",
            Self::Remarks { .. } => "Remarks(***)",
            Self::File { .. } => "File(***)",
            Self::Answers { .. } => "Answers(***)",
            Self::Matches { .. } => "Matches(***)",
        })
    }
}
