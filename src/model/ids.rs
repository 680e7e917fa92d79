//! Ids. Slugs are chosen by people in settings; UUIDs are minted by Tieline; external ids belong to others.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use std::borrow::Cow;
use std::fmt;
use uuid::Uuid;

/// Why a text is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a valid {what}: {rule}")]
pub struct BadId {
    what: &'static str,
    rule: &'static str,
    text: String,
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $max:literal, $pattern:literal, $rule:literal, $ok:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(SmolStr);

        impl $name {
            /// Checks and takes a text.
            ///
            /// # Errors
            /// The rule that the text breaks.
            pub fn new(text: impl AsRef<str>) -> Result<Self, BadId> {
                let text = text.as_ref();
                let ok: fn(u8) -> bool = $ok;
                if text.is_empty() || text.len() > $max || !text.bytes().all(ok) {
                    let text = text.chars().take(40).collect();
                    return Err(BadId { what: $what, rule: $rule, text });
                }
                Ok(Self(SmolStr::new(text)))
            }
            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }
        }
        impl TryFrom<String> for $name {
            type Error = BadId;
            fn try_from(text: String) -> Result<Self, BadId> {
                Self::new(text)
            }
        }
        impl std::str::FromStr for $name {
            type Err = BadId;
            fn from_str(text: &str) -> Result<Self, BadId> {
                Self::new(text)
            }
        }
        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0.into()
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "minLength": 1, "maxLength": $max, "pattern": $pattern, "description": $rule })
            }
        }
    };
}

macro_rules! slug {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        text_id!($(#[$doc])* $name, $what, 64, "^[a-z0-9_.-]+$",
            "1 to 64 of a-z, 0-9, `_`, `-`, `.`",
            |b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-' | b'.'));
    };
}

macro_rules! external {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        text_id!($(#[$doc])* $name, $what, 128, "^[!-~]+$",
            "1 to 128 printable ASCII characters without spaces", |b| b.is_ascii_graphic());
    };
}

slug!(/// A contact centre.
    TenantId, "tenant");
slug!(/// A person who answers chats and calls.
    AgentId, "agent");
slug!(/// A waiting line.
    QueueId, "queue");
slug!(/// One configured account of a CRM.
    ConnectionId, "connection");
slug!(/// Something an agent can and a chat may need: a language, a product.
    SkillId, "skill");
slug!(/// Named opening hours.
    ScheduleId, "schedule");
external!(/// What a visitor is recognised by without being known: a keyed hash of an address or of the widget's own token.
    Mark, "visitor mark");
external!(/// Names one command; the same id counts once per tenant for seven days. A message's id is its command's.
    CommandId, "command id");
external!(/// A call as its telephone system names it.
    CallId, "call id");
external!(/// A record as its CRM names it.
    RecordId, "record id");

macro_rules! minted {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
        impl std::str::FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, uuid::Error> {
                text.parse().map(Self)
            }
        }
    };
}

minted!(/// A chat or a call.
    InteractionId);
minted!(/// What a customer and the centre say to each other over one or several interactions; owns the content key.
    ConversationId);
minted!(/// One offer of one chat to one agent.
    OfferId);
minted!(/// A piece of content (a message's text, a form) kept encrypted beside the journal.
    ContentId);
minted!(/// A transcript shared with its customer under a link that expires (B14).
    ShareId);
minted!(/// One live connection of an agent's panel.
    SessionId);

/// Position of an event in a tenant's journal: 1, 2, 3 … without gaps.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct Seq(pub u64);

impl Seq {
    /// The position after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}
