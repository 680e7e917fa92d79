//! Why a command was not carried out. A refusal changes nothing and names the way out.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What kind of refusal it is. Clients decide by this, people read the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// The id names nothing this caller may see (absent and forbidden answer alike).
    NotFound,
    /// The caller may see it, but may not do this.
    NotPermitted,
    /// Another agent has it already.
    Taken,
    /// The offer's deadline has passed.
    Expired,
    /// The offer was withdrawn.
    Withdrawn,
    /// It is not in a state in which this can be done.
    WrongState,
    /// Only the active item can do this.
    NotActive,
    /// A text is longer than allowed; never cut.
    TooLong,
    /// A field is missing or holds what it must not.
    Invalid,
    /// No extensions are left.
    NoExtensionsLeft,
    /// No capacity is left.
    AtCapacity,
    /// Open chats or an unavailable target stand in the way and the caller has not confirmed.
    NeedsConfirmation,
    /// The target of a transfer is closed, unstaffed, full, or an agent who may not be given it (B12).
    TargetUnavailable,
    /// The visitor is blocked (C7).
    Blocked,
    /// The same command id came before with another body.
    IdReused,
    /// Too many, too fast, or the daemon is full; try again later.
    Busy,
    /// The journal cannot take commits now (lost store, another machine takes over). Nothing was changed.
    Unavailable,
    /// The journal's disk is full. Nothing was changed; it goes on by itself once there is room.
    Full,
}

/// Why a command was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// What kind of refusal it is.
    pub code: Code,
    /// One sentence: what, why, and the way out.
    pub message: String,
    /// The field at fault, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The limit that was passed, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
}

impl Refusal {
    /// A refusal without field or limit.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), field: None, limit: None }
    }
    /// Names the field at fault.
    #[must_use]
    pub fn field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }
    /// Names the limit that was passed.
    #[must_use]
    pub fn limit(mut self, limit: u64) -> Self {
        self.limit = Some(limit);
        self
    }
}
