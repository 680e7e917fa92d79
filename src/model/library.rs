//! What agents have at hand beside a chat or call, as the API hands it out: templates and FAQ entries (B11), and
//! scripts (G3).

use crate::ids::{InteractionId, QueueId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Answer to `GET /api/v1/{tenant}/templates`: the templates, by title.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Templates {
    /// All there are for the queue that was asked about.
    pub templates: Vec<TemplateView>,
}

/// A reply that is ready but for its placeholders.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TemplateView {
    /// What the address of its rendering calls it.
    pub id: String,
    /// Title as shown.
    pub title: String,
    /// The text with its placeholders, to look at; what is sent is rendered first.
    pub text: String,
    /// What the agent has to fill in, in the order of the text.
    pub fields: Vec<String>,
    /// Queues it is for; none means all.
    pub queues: BTreeSet<QueueId>,
}

/// Body of `POST /api/v1/{tenant}/templates/{id}/render`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RenderTemplate {
    /// The chat it is for; the agent owns it or has joined it.
    pub interaction: InteractionId,
    /// What the agent fills in, by the field's name; at most 1,000 characters each.
    #[serde(default)]
    pub fields: BTreeMap<String, String>,
}

/// A template of which every placeholder is filled.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RenderedTemplate {
    /// The text, for the reply.
    pub text: String,
}

/// Answer to `GET /api/v1/{tenant}/faq`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FaqFound {
    /// What fits, best first, at most 20; all, by id, where nothing was asked.
    pub entries: Vec<FaqEntry>,
}

/// A question that is often asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FaqEntry {
    /// Which.
    pub id: String,
    /// The question.
    pub question: String,
    /// The answer.
    pub answer: String,
    /// Further words it is found by.
    pub tags: Vec<String>,
}

/// Answer to `GET /api/v1/{tenant}/scripts/{id}`; the first step begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ScriptView {
    /// The steps.
    pub steps: Vec<ScriptStep>,
}

/// A step of a script.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ScriptStep {
    /// What `next` and `go` call it.
    pub id: String,
    /// What the agent says.
    pub text: String,
    /// What the agent fills in.
    pub fields: Vec<ScriptField>,
    /// Ways on that depend on an answer; the first that fits.
    pub branches: Vec<ScriptWay>,
    /// The step that follows where no branch fits; none ends the script.
    pub next: Option<String>,
}

/// A field of a script.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ScriptField {
    /// Its name, as the log shows it and a deed fills it.
    pub name: String,
    /// What it takes.
    pub kind: FieldKind,
    /// What to choose from where its kind is `choice`.
    pub options: Vec<String>,
    /// It must be filled where the script comes to its step.
    pub required: bool,
}

/// What a field of a script takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FieldKind {
    /// Any words.
    #[default]
    Text,
    /// One of its options.
    Choice,
    /// `yes` or `no`.
    YesNo,
}

/// A way on from a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ScriptWay {
    /// Where this field of the script
    pub field: String,
    /// has this answer,
    pub is: String,
    /// this step follows.
    pub go: String,
}
