//! The envelope of the bus: CloudEvents 1.0 in structured JSON, with Tieline's `tenant` and `seq` beside it.

use crate::crm::Direction;
use crate::ids::{CallId, QueueId, TenantId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What stands before every type on the bus.
pub const TYPE_PREFIX: &str = "com.tieline.";

/// A message on the bus. Producers write it to `tieline.intake`; Tieline writes its events to `tieline.events`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Envelope {
    /// Always `1.0`.
    pub specversion: String,
    /// Unique per source; the same id again counts once.
    pub id: String,
    /// Who says it: a URI reference such as `/pbx/vienna`.
    pub source: String,
    /// What it is: `com.tieline.call.ringing.v1`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it is about: a call or an interaction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// When it happened there, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// Always `application/json`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub datacontenttype: Option<String>,
    /// Which contact centre.
    pub tenant: TenantId,
    /// Position in the tenant's journal, on events of Tieline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// The body; its shape belongs to the type.
    pub data: serde_json::Value,
}

/// Body of `com.tieline.call.ringing.v1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CallRinging {
    /// The call as its telephone system names it.
    pub call: CallId,
    /// The caller's number; leave it out when withheld.
    #[serde(default)]
    pub from: Option<String>,
    /// The number called.
    #[serde(default)]
    pub to: Option<String>,
    /// At whom it rings: agent ids or extensions, 1 to 100.
    pub agents: Vec<String>,
    /// The queue it came through.
    #[serde(default)]
    pub queue: Option<QueueId>,
    /// Which way it goes; `outbound` when the system rings at the agent who dials, and `to` is the customer then.
    #[serde(default)]
    pub direction: Direction,
}

/// Body of `com.tieline.call.dialled.v1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CallDialled {
    /// The call as its telephone system names it.
    pub call: CallId,
    /// By whom: agent id or extension.
    pub agent: String,
    /// The number dialled.
    pub to: String,
    /// The number shown to whom is called.
    #[serde(default)]
    pub from: Option<String>,
    /// The queue it is made for.
    #[serde(default)]
    pub queue: Option<QueueId>,
}

/// Body of `com.tieline.call.answered.v1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CallAnswered {
    /// The call as its telephone system names it.
    pub call: CallId,
    /// By whom: agent id or extension.
    pub agent: String,
}

/// Body of `com.tieline.call.held.v1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CallHeld {
    /// The call as its telephone system names it.
    pub call: CallId,
}

/// Body of `com.tieline.call.resumed.v1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CallResumed {
    /// The call as its telephone system names it.
    pub call: CallId,
}

/// Body of `com.tieline.call.transferred.v1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CallTransferred {
    /// The call as its telephone system names it.
    pub call: CallId,
    /// Who has it now: agent id or extension.
    pub to: String,
}

/// Body of `com.tieline.call.recording_ready.v1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CallRecordingReady {
    /// The call as its telephone system names it.
    pub call: CallId,
    /// Where the recording can be heard: http or https, at most 2,048 bytes.
    pub url: String,
}

/// Body of `com.tieline.call.ended.v1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CallEnded {
    /// The call as its telephone system names it.
    pub call: CallId,
}
