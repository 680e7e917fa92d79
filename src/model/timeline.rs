//! What happened to one interaction, in words, beside why it is where it is (A16). No content: who and when, never
//! what was said.

use crate::explain::Explanation;
use crate::ids::{AgentId, InteractionId, Seq};
use crate::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Answer to `GET /api/v1/{tenant}/chats/{id}/explain`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Explained {
    /// What it is about.
    pub interaction: InteractionId,
    /// Why it is where it is; nothing when it is closed, or a call that is on.
    pub explanation: Option<Explanation>,
    /// The same in words, a sentence each.
    pub because: Vec<String>,
    /// Agents considered for it while it waits, and what rules each out, in words.
    pub considered: Vec<AgentStanding>,
    /// What happened to it, oldest first; the latest 5,000.
    pub timeline: Vec<Moment>,
    /// How much happened before those.
    pub earlier: u32,
}

/// How an agent stands to a chat that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AgentStanding {
    /// Who.
    pub agent: AgentId,
    /// Name as shown.
    pub name: String,
    /// What rules the agent out, in words; or that nothing does.
    pub words: String,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Moment {
    /// Its place in the tenant's journal.
    pub seq: Seq,
    /// When.
    pub at: Timestamp,
    /// The event's name and version.
    pub event: String,
    /// Who did it, by name as shown; `Customer`, or `Tieline` for what comes by itself.
    pub who: String,
    /// What, in words.
    pub words: String,
}
