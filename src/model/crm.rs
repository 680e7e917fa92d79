//! What Tieline says to CRMs and hears from them, in no vendor's words.

use crate::content::{Person, Remarks};
use crate::ids::{AgentId, ConnectionId, InteractionId, QueueId, RecordId};
use crate::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// A record in a CRM.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Record {
    /// The CRM's own name for the kind (`Contact`, `Case`, `incident`, `ticket`).
    pub object: String,
    /// The record's id.
    pub id: RecordId,
}

/// How sure a match is (D2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Certainty {
    /// The same value.
    Exact,
    /// The same number or address written differently.
    Normalised,
    /// The ends agree; shown as a guess, never popped alone.
    Guessed,
}

/// By what a record was matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// A phone number.
    Phone,
    /// An e-mail address.
    Email,
    /// A case number.
    CaseNumber,
}

/// One record a CRM found.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Match {
    /// The record.
    pub record: Record,
    /// What to call it: a contact's name, a case's number and subject.
    pub title: String,
    /// A second line: company, status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subtitle: Option<String>,
    /// How sure it is.
    pub certainty: Certainty,
    /// By what it was matched.
    pub basis: Basis,
    /// For a case: its contact, so that a log of this chat goes under the right person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<Record>,
    /// Address of the record in the CRM's own pages, for a link when a pop fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

impl fmt::Debug for Match {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Match")
            .field("record", &self.record)
            .field("certainty", &self.certainty)
            .finish_non_exhaustive()
    }
}

/// What one connection answered to a look-up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Matches {
    /// Best first: exact, normalised, guessed.
    pub found: Vec<Match>,
    /// There were more than are listed.
    pub more: bool,
}

/// What to open before an agent. Each host adapter turns it into its CRM's own call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum PopTarget {
    /// A record.
    Record {
        /// Which.
        record: Record,
        /// Its address in the CRM's own pages, for a link where no host is near.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        url: Option<String>,
    },
    /// A form for a new record, prefilled.
    NewRecord {
        /// The CRM's own name for the kind.
        object: String,
        /// Field values, by the CRM's own field names.
        fields: Vec<(String, String)>,
    },
    /// The CRM's search page.
    Search {
        /// What to search for.
        text: String,
    },
}

/// Which side of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The person outside.
    Customer,
    /// An agent of the contact centre.
    Agent,
    /// The contact centre by itself: notices, and ends that nobody asked for.
    System,
}

/// A line of a transcript.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Line {
    /// When the daemon took it.
    pub at: Timestamp,
    /// Who wrote it.
    pub from: Side,
    /// The writer's name as shown.
    pub name: String,
    /// The text; plain, never markup.
    pub text: String,
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line").field("at", &self.at).field("from", &self.from).finish_non_exhaustive()
    }
}

/// What kind of interaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// Text on a web page.
    Chat,
    /// Voice.
    Call,
}

/// How an interaction ended (B20).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// An agent talked to the customer.
    Answered,
    /// The customer left before an agent had it.
    Abandoned,
    /// Nobody answered the call.
    Missed,
    /// The queue was closed, without agents or over its limit, and the customer left no message.
    Overflowed,
    /// The customer left a message in the offline form.
    MessageLeft,
}

/// Which way a call went.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Somebody called the centre.
    #[default]
    Inbound,
    /// An agent dialled.
    Outbound,
}

/// What a log says about a call beyond what it says about a chat (E4).
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct CallDetails {
    /// Which way.
    pub direction: Direction,
    /// The customer's number as the telephone system wrote it; `None` when withheld.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// The centre's own number in the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<String>,
    /// Where the recording can be heard; may come long after the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recording: Option<String>,
}

impl fmt::Debug for CallDetails {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallDetails").field("direction", &self.direction).finish_non_exhaustive()
    }
}

/// One agent's part of an interaction: from taking it to handing it on or to its end (B12).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Leg {
    /// Who.
    pub agent: AgentId,
    /// The agent's name as shown.
    pub agent_name: String,
    /// Since when.
    pub from: Timestamp,
    /// Until when; `None` while it lasts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// What the one before gave along when handing the interaction on.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub handed_with: String,
    /// What the agent wrote.
    #[serde(default)]
    pub remarks: Remarks,
}

impl fmt::Debug for Leg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leg").field("agent", &self.agent).field("from", &self.from).finish_non_exhaustive()
    }
}

/// Our account of one interaction, as a connector turns it into a case. Versions only grow; a later one holds all
/// that an earlier one did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Log {
    /// The interaction; its text in lower case is the key under which the CRM keeps exactly one record (D6).
    pub interaction: InteractionId,
    /// The journal position this account was made at.
    pub version: u64,
    /// Chat or call.
    pub channel: Channel,
    /// When the customer came.
    pub started_at: Timestamp,
    /// When an agent took it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered_at: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// How it ended.
    pub outcome: Outcome,
    /// The queue it came through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<QueueId>,
    /// The queue's name as shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue_name: Option<String>,
    /// The agent who had it last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentId>,
    /// The agent's name as shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_name: Option<String>,
    /// Who the customer said they were.
    pub person: Person,
    /// The contact it belongs under in this connection, where one is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<Record>,
    /// The existing case it goes under, where the customer named one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case: Option<Record>,
    /// Classification codes.
    pub codes: Vec<String>,
    /// Classification was wanted and not given (C6).
    pub not_classified: bool,
    /// What the agent wrote.
    pub remarks: Remarks,
    /// What was said, in order. Empty for a call.
    pub transcript: Vec<Line>,
    /// For a call: what a chat does not have. Present exactly when `channel` is `call`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<CallDetails>,
    /// The agent's own user in this connection's CRM (settings: `agents.<id>.crm_users`), so that the record names who
    /// talked; `None` where the settings do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crm_user: Option<String>,
    /// The agents who had it, in turn (B12).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub legs: Vec<Leg>,
    /// What was filled into the script, by field (G3).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub answers: BTreeMap<String, String>,
    /// The chat was flagged as abusive, with the agent's note, which may be empty (C7).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abuse: Option<String>,
    /// The earlier chat it goes on from (B15).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<InteractionId>,
}

impl Log {
    /// The key under which a CRM keeps this interaction's one record.
    #[must_use]
    pub fn key(&self) -> String {
        self.interaction.0.hyphenated().to_string()
    }
}

/// Where the log of one interaction stands with one connection (D7). An agent reads this.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum LogState {
    /// Saved here, being sent.
    Sending,
    /// The CRM has it.
    Saved {
        /// The CRM's record.
        record: Record,
        /// What people call it ("Case 00001027").
        label: String,
        /// Its address in the CRM's own pages.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        url: Option<String>,
    },
    /// Not yet: the CRM is down, slow or limiting us. It goes on by itself.
    Delayed {
        /// Why, in words.
        reason: String,
        /// When the next try is due.
        next_at: Timestamp,
    },
    /// The CRM will not take it as it is; somebody has to look (D9).
    Refused {
        /// Why, in words.
        reason: String,
    },
}

/// What to look up in a CRM (D1). A look-up never creates anything.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Query {
    /// Phone number as given by the telephone system or the customer.
    pub phone: Option<String>,
    /// E-mail address.
    pub email: Option<String>,
    /// Case number the customer named.
    pub case_number: Option<String>,
}

impl fmt::Debug for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Query(***)")
    }
}

impl Query {
    /// Nothing to look up by.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.phone.is_none() && self.email.is_none() && self.case_number.is_none()
    }
}

/// How a look-up went, without what was found (that is content).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum LookupResult {
    /// The CRM answered.
    Found {
        /// How many records matched.
        count: u32,
        /// The contact, when exactly one matched and not as a guess (D0, D2).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        contact: Option<Record>,
        /// The case the customer named, when it exists.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        case: Option<Record>,
    },
    /// It could not be asked in time.
    Failed {
        /// Why, in words.
        reason: String,
    },
}

/// A connection as agents see its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConnectionInfo {
    /// The connection.
    pub id: ConnectionId,
    /// Which CRM (`salesforce`).
    pub vendor: String,
    /// Its name as shown.
    pub name: String,
}
