//! What agents have at hand: templates and FAQ entries (B11), and scripts (G3). Tables `tenants.<id>.templates`,
//! `.faq` and `.scripts`.

use super::auth::list;
use super::{Problems, Tenant};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use tieline_model::QueueId;
pub use tieline_model::library::FieldKind;

/// Longest text of a template, an answer or a step, in characters: the longest message of an agent (B9).
const TEXT_CHARS_MAX: usize = 5_000;
/// Entries of one table.
const ENTRIES_MAX: u64 = 2_000;
/// Steps of a script; fields, branches and options of a step; tags of an FAQ entry.
const PARTS_MAX: u64 = 100;
/// Longest id of an entry or a step, and longest name of a field, in characters.
const NAME_CHARS_MAX: usize = 64;

/// A reply that is ready but for its placeholders (B11).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Template {
    /// Title as shown.
    pub title: String,
    /// The text, with the placeholders `{{customer.name}}`, `{{customer.first_name}}`, `{{agent.name}}`,
    /// `{{queue.name}}`, and `{{field.order_number}}` or any other `field.`, which the agent fills in.
    pub text: String,
    /// Queues it is for. Default none, which means all.
    #[serde(default)]
    pub queues: BTreeSet<QueueId>,
}

/// A question that is often asked (B11).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Faq {
    /// The question.
    pub question: String,
    /// The answer.
    pub answer: String,
    /// Further words it is found by. Default none.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Queues it is for. Default none, which means all.
    #[serde(default)]
    pub queues: BTreeSet<QueueId>,
}

/// What an agent says and asks, step by step (G3); the first step begins.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// The steps.
    pub steps: Vec<Step>,
}

/// A step of a script.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// What `next` and `go` call it.
    pub id: String,
    /// What the agent says.
    pub text: String,
    /// What the agent fills in. Default none.
    #[serde(default)]
    pub fields: Vec<Field>,
    /// Ways on that depend on an answer; the first that fits. Default none.
    #[serde(default)]
    pub branches: Vec<ScriptBranch>,
    /// The step that follows where no branch fits. Default none: the script ends.
    #[serde(default)]
    pub next: Option<String>,
}

/// A field of a step. Its name is unique within the script.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// Its name, as the log shows it.
    pub name: String,
    /// What it takes. Default `text`.
    #[serde(default)]
    pub kind: FieldKind,
    /// What to choose from where its kind is `choice`. Default none.
    #[serde(default)]
    pub options: Vec<String>,
    /// It must be filled where the script comes to its step. Default false.
    #[serde(default)]
    pub required: bool,
}

/// A way on from a step.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScriptBranch {
    /// Where this field of the script
    pub field: String,
    /// has this answer (`yes` or `no` for `yes_no`),
    pub is: String,
    /// this step follows.
    pub go: String,
}

/// A part of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Goes out as it stands.
    Text(&'a str),
    /// Is replaced.
    Hole(Placeholder<'a>),
}

/// What stands in a template for something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placeholder<'a> {
    /// `customer.name`: the customer's whole name.
    CustomerName,
    /// `customer.first_name`
    CustomerFirstName,
    /// `agent.name`
    AgentName,
    /// `queue.name`
    QueueName,
    /// `field.` and the name of what the agent fills in.
    Field(&'a str),
}

const PLACEHOLDERS: &str = "{{customer.name}}, {{customer.first_name}}, {{agent.name}}, {{queue.name}} or one such as {{field.order_number}}";

impl<'a> Placeholder<'a> {
    fn read(inside: &'a str) -> Option<Self> {
        Some(match inside {
            "customer.name" => Self::CustomerName,
            "customer.first_name" => Self::CustomerFirstName,
            "agent.name" => Self::AgentName,
            "queue.name" => Self::QueueName,
            other => Self::Field(other.strip_prefix("field.").filter(|name| is_name(name))?),
        })
    }
}

/// Small letters, digits, `_` and `-`: what an address and a placeholder take as it is.
fn is_name(name: &str) -> bool {
    let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
    (1..=NAME_CHARS_MAX).contains(&name.len()) && name.bytes().all(good)
}

impl Template {
    /// The text in pieces. What stands outside of them is never looked at twice.
    ///
    /// # Errors
    /// What is no placeholder, or not closed, as a clause about the text.
    pub fn pieces(&self) -> Result<Vec<Piece<'_>>, String> {
        let mut pieces = Vec::new();
        let mut rest = self.text.as_str();
        while let Some((before, after)) = rest.split_once("{{") {
            let (inside, after) = after.split_once("}}").ok_or_else(|| "has `{{` without `}}`".to_owned())?;
            let hole = Placeholder::read(inside.trim());
            let hole = hole.ok_or_else(|| format!("has the unknown placeholder `{{{{{inside}}}}}`"))?;
            pieces.extend([Piece::Text(outside(before)?), Piece::Hole(hole)]);
            rest = after;
        }
        pieces.push(Piece::Text(outside(rest)?));
        Ok(pieces)
    }

    fn validate(&self, at: &str, tenant: &Tenant, problems: &mut Problems) {
        problems.text(format!("{at}.title"), &self.title, 200);
        paragraphs(format!("{at}.text"), &self.text, problems);
        if let Err(what) = self.pieces() {
            problems.add(format!("{at}.text"), what, format!("write {PLACEHOLDERS}"));
        }
        queues(at, &self.queues, tenant, problems);
    }
}

fn outside(text: &str) -> Result<&str, String> {
    if text.contains("}}") { Err("has `}}` without `{{`".to_owned()) } else { Ok(text) }
}

impl Faq {
    fn validate(&self, at: &str, tenant: &Tenant, problems: &mut Problems) {
        problems.text(format!("{at}.question"), &self.question, 1_000);
        paragraphs(format!("{at}.answer"), &self.answer, problems);
        problems.count(format!("{at}.tags"), self.tags.len() as u64, 0..=PARTS_MAX);
        for (index, tag) in self.tags.iter().enumerate() {
            problems.text(format!("{at}.tags[{index}]"), tag, 80);
        }
        queues(at, &self.queues, tenant, problems);
    }
}

impl Field {
    /// The answers there are to choose from; `None` if any words will do.
    #[must_use]
    pub fn choices(&self) -> Option<Vec<&str>> {
        match self.kind {
            FieldKind::Text => None,
            FieldKind::YesNo => Some(vec!["yes", "no"]),
            FieldKind::Choice => Some(self.options.iter().map(String::as_str).collect()),
        }
    }

    fn validate(&self, at: &str, problems: &mut Problems) {
        problems.text(format!("{at}.name"), &self.name, NAME_CHARS_MAX);
        let options = self.options.len() as u64;
        match self.kind {
            FieldKind::Choice => problems.count(format!("{at}.options"), options, 1..=PARTS_MAX),
            FieldKind::Text | FieldKind::YesNo if options > 0 => problems.add(
                format!("{at}.options"),
                format!("has {options} options, and the field is no choice"),
                "remove them, or set `kind = \"choice\"`",
            ),
            FieldKind::Text | FieldKind::YesNo => {}
        }
        for (index, option) in self.options.iter().enumerate() {
            problems.text(format!("{at}.options[{index}]"), option, 200);
        }
    }
}

impl Script {
    /// A field by its name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.steps.iter().flat_map(|step| &step.fields).find(|field| field.name == name)
    }

    /// The steps that one comes by with these answers, in order.
    #[must_use]
    pub fn path(&self, answers: &BTreeMap<String, String>) -> Vec<&Step> {
        let fits = |branch: &&ScriptBranch| answers.get(&branch.field) == Some(&branch.is);
        let after = |step: &&Step| {
            let branch = step.branches.iter().find(fits).map(|branch| &branch.go);
            self.step(branch.or(step.next.as_ref())?)
        };
        // Bounded, whatever the settings hold.
        std::iter::successors(self.steps.first(), after).take(self.steps.len()).collect()
    }

    fn step(&self, id: &str) -> Option<&Step> {
        self.steps.iter().find(|step| step.id == id)
    }

    fn validate(&self, at: &str, problems: &mut Problems) {
        problems.count(format!("{at}.steps"), self.steps.len() as u64, 1..=PARTS_MAX);
        let (mut steps, mut fields) = (BTreeSet::new(), BTreeSet::new());
        for (index, step) in self.steps.iter().enumerate() {
            let at = format!("{at}.steps[{index}]");
            problems.text(format!("{at}.id"), &step.id, NAME_CHARS_MAX);
            if !steps.insert(&step.id) {
                problems.add(
                    format!("{at}.id"),
                    format!("is \"{}\" again", step.id),
                    "give each step its own",
                );
            }
            paragraphs(format!("{at}.text"), &step.text, problems);
            problems.count(format!("{at}.fields"), step.fields.len() as u64, 0..=PARTS_MAX);
            for (index, field) in step.fields.iter().enumerate() {
                let at = format!("{at}.fields[{index}]");
                field.validate(&at, problems);
                if !fields.insert(&field.name) {
                    let what = format!("is \"{}\" again", field.name);
                    problems.add(format!("{at}.name"), what, "give each field of a script its own");
                }
            }
            self.validate_ways(&at, step, problems);
        }
        self.validate_end(at, problems);
    }

    fn validate_ways(&self, at: &str, step: &Step, problems: &mut Problems) {
        problems.count(format!("{at}.branches"), step.branches.len() as u64, 0..=PARTS_MAX);
        for (key, to) in step.ways() {
            if self.step(to).is_none() {
                let way_out = format!("name a step of this script{}", list(self.steps.iter().map(|s| &s.id)));
                problems.add(format!("{at}.{key}"), format!("is \"{to}\", which no step is called"), way_out);
            }
        }
        for (index, branch) in step.branches.iter().enumerate() {
            let at = format!("{at}.branches[{index}]");
            let Some(field) = self.field(&branch.field) else {
                let what = format!("is \"{}\", which no field is called", branch.field);
                problems.add(format!("{at}.field"), what, "name a field of this script");
                continue;
            };
            if let Some(choices) = field.choices().filter(|choices| !choices.contains(&branch.is.as_str())) {
                let what = format!("is \"{}\", which `{}` cannot be", branch.is, field.name);
                problems.add(format!("{at}.is"), what, format!("choose an answer{}", list(choices.iter())));
            }
        }
    }

    /// A script that comes back to a step might never end.
    fn validate_end(&self, at: &str, problems: &mut Problems) {
        // Steps from which every way is known to end; as many rounds as there are steps find them all.
        let mut ending: BTreeSet<&str> = BTreeSet::new();
        for _ in &self.steps {
            let ends = |step: &&Step| {
                step.ways().iter().all(|(_, to)| ending.contains(to) || self.step(to).is_none())
            };
            let ends: Vec<&str> = self.steps.iter().filter(ends).map(|step| step.id.as_str()).collect();
            ending.extend(ends);
        }
        let circular = |step: &&Step| !ending.contains(step.id.as_str());
        let ids: Vec<&str> = self.steps.iter().filter(circular).map(|step| step.id.as_str()).collect();
        if !ids.is_empty() {
            problems.add(
                format!("{at}.steps"),
                format!("go round in a circle or lead into one: {}", ids.join(", ")),
                "let `next` and `go` of one of them lead out, to a step that comes to an end",
            );
        }
    }
}

impl Step {
    /// The steps it may lead to, with the key that says so.
    fn ways(&self) -> Vec<(String, &str)> {
        let branches = self.branches.iter().enumerate();
        let branches = branches.map(|(index, branch)| (format!("branches[{index}].go"), branch.go.as_str()));
        branches.chain(self.next.iter().map(|next| ("next".to_owned(), next.as_str()))).collect()
    }
}

/// Checks all that a contact centre's agents have at hand.
pub(super) fn validate(at: &str, tenant: &Tenant, problems: &mut Problems) {
    names(format!("{at}.templates"), tenant.templates.keys(), problems);
    names(format!("{at}.faq"), tenant.faq.keys(), problems);
    names(format!("{at}.scripts"), tenant.scripts.keys(), problems);
    for (id, template) in &tenant.templates {
        template.validate(&format!("{at}.templates.{id}"), tenant, problems);
    }
    for (id, entry) in &tenant.faq {
        entry.validate(&format!("{at}.faq.{id}"), tenant, problems);
    }
    for (id, script) in &tenant.scripts {
        script.validate(&format!("{at}.scripts.{id}"), problems);
    }
}

fn names<'a>(key: String, ids: impl ExactSizeIterator<Item = &'a String>, problems: &mut Problems) {
    problems.count(key.clone(), ids.len() as u64, 0..=ENTRIES_MAX);
    for id in ids.filter(|id| !is_name(id)) {
        let way_out = format!("write 1 to {NAME_CHARS_MAX} small letters, digits, `_` or `-`");
        problems.add(format!("{key}.{id}"), "has a name that cannot stand in an address", way_out);
    }
}

fn queues(at: &str, queues: &BTreeSet<QueueId>, tenant: &Tenant, problems: &mut Problems) {
    for queue in queues.iter().filter(|queue| !tenant.queues.contains_key(*queue)) {
        problems.add(
            format!("{at}.queues"),
            format!("names \"{queue}\""),
            format!("name queues of this tenant{}", list(tenant.queues.keys())),
        );
    }
}

/// A text that may have several lines.
fn paragraphs(key: String, holds: &str, problems: &mut Problems) {
    let chars = holds.chars().count();
    let bad = |c: char| c.is_control() && c != '\n';
    if holds.trim().is_empty() || chars > TEXT_CHARS_MAX || holds.chars().any(bad) {
        let what = format!("has {chars} characters, only blanks, or a control character");
        problems.add(key, what, format!("write a text of 1 to {TEXT_CHARS_MAX} characters"));
    }
}
