//! What agents have at hand: templates that go out whole or not at all and FAQ entries (B11), and scripts (G3). All of
//! it stands in the settings; a reload shows at once.

use super::answer::Answer;
use super::{Shared, api, finding};
use crate::auth::AgentPass;
use crate::settings::{Field, Piece, Placeholder, Script, Template, Tenant};
use axum::Json;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tieline_engine::{Engine, Stage};
use tieline_model::content::{ContentRef, Person};
use tieline_model::library::{
    FaqEntry, FaqFound, FieldKind, RenderTemplate, RenderedTemplate, ScriptField, ScriptStep, ScriptView,
    ScriptWay, TemplateView, Templates,
};
use tieline_model::{AgentId, Code, InteractionId, QueueId, Refusal};
use unicode_segmentation::UnicodeSegmentation;

/// FAQ entries in one answer.
const FOUND_MAX: usize = 20;
/// Characters of a question to the FAQ.
const QUESTION_CHARS_MAX: usize = 500;
/// Characters of what an agent fills into a template or a script.
const FILLED_CHARS_MAX: usize = 1_000;

/// What is asked for.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Asked {
    /// What the FAQ is asked.
    q: String,
    /// What is for this queue only; without it, what is for any.
    queue: Option<QueueId>,
}

type Question = Result<Query<Asked>, QueryRejection>;

/// `GET /api/v1/{tenant}/templates?queue=`, with an agent's token.
pub(super) async fn templates(
    State(app): State<Shared>,
    Path(tenant): Path<String>,
    question: Question,
    headers: HeaderMap,
) -> Result<Json<Templates>, Answer> {
    let (_, its) = agent(&app, &headers, &tenant)?;
    let asked = asked(question, &its)?;
    let wanted = its.templates.iter().filter(|(_, template)| is_for(&template.queues, asked.queue.as_ref()));
    let mut templates: Vec<TemplateView> = wanted.map(|(id, template)| shown(id, template)).collect();
    templates.sort_by(|a, b| (&a.title, &a.id).cmp(&(&b.title, &b.id)));
    Ok(Json(Templates { templates }))
}

/// `POST /api/v1/{tenant}/templates/{id}/render`, with the token of an agent at the chat.
pub(super) async fn render(
    State(app): State<Shared>,
    Path((tenant, id)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<RenderedTemplate>, Response> {
    let (pass, its) = agent(&app, &headers, &tenant).map_err(IntoResponse::into_response)?;
    let wanted: RenderTemplate = api::json(&headers, body, app.parts.settings.http.body_bytes_max).await?;
    let rendered = render_for(&app, &pass, &its, &id, &wanted).await;
    rendered.map(|text| Json(RenderedTemplate { text })).map_err(IntoResponse::into_response)
}

/// `GET /api/v1/{tenant}/faq?q=&queue=`, with an agent's token.
pub(super) async fn faq(
    State(app): State<Shared>,
    Path(tenant): Path<String>,
    question: Question,
    headers: HeaderMap,
) -> Result<Json<FaqFound>, Answer> {
    let (_, its) = agent(&app, &headers, &tenant)?;
    let asked = asked(question, &its)?;
    // Thousands of entries take a while to read; sockets must not wait for that.
    let find = move || {
        let wanted = its.faq.iter().filter(|(_, entry)| is_for(&entry.queues, asked.queue.as_ref()));
        let entries =
            finding::find(wanted, &asked.q).into_iter().take(FOUND_MAX).map(|(id, entry)| FaqEntry {
                id: id.clone(),
                question: entry.question.clone(),
                answer: entry.answer.clone(),
                tags: entry.tags.clone(),
            });
        FaqFound { entries: entries.collect() }
    };
    let found = tokio::task::spawn_blocking(find).await;
    found
        .map(Json)
        .map_err(|_| Refusal::new(Code::Unavailable, "the daemon is stopping; ask again soon").into())
}

/// `GET /api/v1/{tenant}/scripts/{id}`, with an agent's token.
pub(super) async fn script(
    State(app): State<Shared>,
    Path((tenant, id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Json<ScriptView>, Answer> {
    let (_, its) = agent(&app, &headers, &tenant)?;
    let script = its.scripts.get(&id);
    let none = || Refusal::new(Code::NotFound, "there is no script of this id here");
    Ok(Json(steps(script.ok_or_else(none)?)))
}

/// `GET /api/v1/{tenant}/queues/{queue}/script`, with an agent's token: what the queue's agents go by.
pub(super) async fn script_of_queue(
    State(app): State<Shared>,
    Path((tenant, queue)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Json<ScriptView>, Answer> {
    let (_, its) = agent(&app, &headers, &tenant)?;
    let queue = its.queues.iter().find(|(id, _)| id.as_str() == queue).map(|(_, queue)| queue);
    let script = queue.and_then(|queue| its.scripts.get(queue.script.as_ref()?));
    let none = || Refusal::new(Code::NotFound, "there is no queue of this id here that names a script");
    Ok(Json(steps(script.ok_or_else(none)?)))
}

/// Whether answers fit the script of the queue (G3); where the queue names none, any do.
pub(super) async fn check_answers(
    app: &Shared,
    pass: &AgentPass,
    interaction: InteractionId,
    answers: &BTreeMap<String, String>,
) -> Result<(), Refusal> {
    let queue = move |engine: &Engine| {
        let chat = engine.chat(interaction).and_then(|chat| chat.queue.clone());
        chat.or_else(|| engine.call(interaction).and_then(|call| call.queue.clone()))
    };
    // Whether it is the agent's, the engine says.
    let Some(queue) = app.parts.drive.read(&pass.tenant, queue).await? else { return Ok(()) };
    let its = app.parts.settings.tenant(&pass.tenant);
    let named = its.as_ref().and_then(|its| its.scripts.get(its.queues.get(&queue)?.script.as_ref()?));
    named.map_or(Ok(()), |script| fits(script, answers))
}

fn agent(app: &Shared, headers: &HeaderMap, tenant: &str) -> Result<(AgentPass, Arc<Tenant>), Answer> {
    let pass = api::agent(app, headers, tenant)?;
    let its = app.parts.settings.tenant(&pass.tenant).ok_or_else(Answer::no_tenant)?;
    if !app.agent_frames.take((pass.tenant.clone(), pass.agent.clone()), app.parts.clock.now()) {
        app.counts.throttled.add();
        return Err(Answer::too_often("that was too fast; try again in a few seconds"));
    }
    Ok((pass, its))
}

fn asked(question: Question, its: &Tenant) -> Result<Asked, Answer> {
    let bad = |_| Answer::invalid("query", "the address takes `queue` and, for the FAQ, `q`, each once");
    let Query(asked) = question.map_err(bad)?;
    if asked.queue.as_ref().is_some_and(|queue| !its.queues.contains_key(queue)) {
        return Err(Answer::invalid("queue", "`queue` is no queue here; leave it out for all"));
    }
    short("q", &asked.q, QUESTION_CHARS_MAX)?;
    Ok(asked)
}

fn is_for(queues: &BTreeSet<QueueId>, queue: Option<&QueueId>) -> bool {
    queues.is_empty() || queue.is_none_or(|queue| queues.contains(queue))
}

fn shown(id: &str, template: &Template) -> TemplateView {
    let mut fields = Vec::new();
    for name in field_names(template) {
        if !fields.iter().any(|field| field == name) {
            fields.push(name.to_owned());
        }
    }
    let Template { title, text, queues } = template.clone();
    TemplateView { id: id.to_owned(), title, text, fields, queues }
}

fn field_names(template: &Template) -> Vec<&str> {
    fn name(piece: Piece<'_>) -> Option<&str> {
        match piece {
            Piece::Hole(Placeholder::Field(name)) => Some(name),
            Piece::Hole(
                Placeholder::CustomerName
                | Placeholder::CustomerFirstName
                | Placeholder::AgentName
                | Placeholder::QueueName,
            )
            | Piece::Text(_) => None,
        }
    }
    // The settings were looked at when they were read.
    template.pieces().unwrap_or_default().into_iter().filter_map(name).collect()
}

/// What is known of a chat.
struct About {
    person: Option<ContentRef>,
    queue: Option<QueueId>,
    queue_name: Option<String>,
    agent_name: Option<String>,
}

impl About {
    /// `None` unless the agent owns the chat or has joined it.
    fn of(engine: &Engine, agent: &AgentId, id: InteractionId) -> Option<Self> {
        let chat = engine.chat(id)?;
        let owner = match &chat.stage {
            Stage::Owned { agent, .. } => Some(agent),
            Stage::Waiting | Stage::Offered(_) | Stage::Form { .. } => None,
        };
        if owner != Some(agent) && !chat.guests.contains_key(agent) {
            return None;
        }
        let policy = engine.policy();
        Some(Self {
            person: chat.person,
            queue: chat.queue.clone(),
            queue_name: chat.queue.as_ref().and_then(|id| Some(policy.queues.get(id)?.name.clone())),
            agent_name: policy.agents.get(agent).map(|agent| agent.name.clone()),
        })
    }
}

async fn render_for(
    app: &Shared,
    pass: &AgentPass,
    its: &Tenant,
    id: &str,
    wanted: &RenderTemplate,
) -> Result<String, Answer> {
    let (agent, interaction) = (pass.agent.clone(), wanted.interaction);
    let about =
        app.parts.drive.read(&pass.tenant, move |engine| About::of(engine, &agent, interaction)).await?;
    let none = || Refusal::new(Code::NotFound, "you are not at a chat of this id").field("interaction");
    let about = about.ok_or_else(none)?;
    let template = its.templates.get(id).filter(|template| {
        template.queues.is_empty()
            || about.queue.as_ref().is_some_and(|queue| template.queues.contains(queue))
    });
    let none = || Refusal::new(Code::NotFound, "there is no template of this id for the queue of this chat");
    let template = template.ok_or_else(none)?;
    for (name, value) in &wanted.fields {
        if !field_names(template).contains(&name.as_str()) {
            let message = "`fields` fills something that this template does not ask for; leave it out";
            return Err(Answer::invalid("fields", message));
        }
        short(&format!("fields.{name}"), value, FILLED_CHARS_MAX)?;
    }
    let ids = about.person.iter().map(|person| person.id).collect();
    let known = app.parts.hub.contents().get(&pass.tenant, ids).await.map_err(|error| {
        tracing::error!(tenant = %pass.tenant, %error, "a template could not be filled");
        Refusal::new(Code::Unavailable, "the journal cannot be read now; try again in a few seconds")
    })?;
    let person = about.person.as_ref().map(|person| known.person(person.id)).unwrap_or_default();
    Ok(fill(template, &about, &person, &wanted.fields)?)
}

/// The text with every placeholder filled. What is filled in is plain text and is not looked at again.
fn fill(
    template: &Template,
    about: &About,
    person: &Person,
    fields: &BTreeMap<String, String>,
) -> Result<String, Refusal> {
    let (mut text, mut holes) = (String::new(), Vec::new());
    let pieces =
        template.pieces().map_err(|what| Refusal::new(Code::Invalid, format!("the template {what}")))?;
    for piece in pieces {
        let (name, value) = match piece {
            Piece::Text(words) => {
                text.push_str(words);
                continue;
            }
            Piece::Hole(Placeholder::CustomerName) => ("customer.name".to_owned(), whole_name(person)),
            Piece::Hole(Placeholder::CustomerFirstName) => {
                ("customer.first_name".to_owned(), person.first_name.clone())
            }
            Piece::Hole(Placeholder::AgentName) => ("agent.name".to_owned(), about.agent_name.clone()),
            Piece::Hole(Placeholder::QueueName) => ("queue.name".to_owned(), about.queue_name.clone()),
            Piece::Hole(Placeholder::Field(name)) => (format!("field.{name}"), fields.get(name).cloned()),
        };
        match value.filter(|value| !value.trim().is_empty()) {
            Some(value) => text.push_str(value.trim()),
            None if holes.contains(&name) => {}
            None => holes.push(name),
        }
    }
    let Some(first) = holes.first() else { return Ok(text) };
    let message = format!(
        "nothing is known for {}; give each `field.` in `fields`, or write the text without the template",
        holes.join(", ")
    );
    Err(Refusal::new(Code::Invalid, message).field(first))
}

fn whole_name(person: &Person) -> Option<String> {
    let given = |name: &Option<String>| name.clone().filter(|name| !name.trim().is_empty());
    given(&person.name).or_else(|| {
        let parts: Vec<String> =
            [&person.first_name, &person.last_name].into_iter().filter_map(given).collect();
        (!parts.is_empty()).then(|| parts.join(" "))
    })
}

fn steps(script: &Script) -> ScriptView {
    let steps = script.steps.iter().cloned().map(|step| ScriptStep {
        id: step.id,
        text: step.text,
        fields: step.fields.into_iter().map(field).collect(),
        branches: step
            .branches
            .into_iter()
            .map(|way| ScriptWay { field: way.field, is: way.is, go: way.go })
            .collect(),
        next: step.next,
    });
    ScriptView { steps: steps.collect() }
}

fn field(field: Field) -> ScriptField {
    let Field { name, kind, options, required } = field;
    ScriptField { name, kind, options, required }
}

fn fits(script: &Script, answers: &BTreeMap<String, String>) -> Result<(), Refusal> {
    for (name, answer) in answers {
        let at = format!("answers.{name}");
        let Some(field) = script.field(name) else {
            return Err(Refusal::new(Code::Invalid, "the script has no such field; leave it out").field(at));
        };
        short(&at, answer, FILLED_CHARS_MAX)?;
        if !answer.is_empty() && field.choices().is_some_and(|choices| !choices.contains(&answer.as_str())) {
            let message = match field.kind {
                FieldKind::YesNo => format!("\"{name}\" takes `yes` or `no`"),
                FieldKind::Choice => format!("\"{name}\" takes one of: {}", field.options.join(", ")),
                FieldKind::Text => format!("\"{name}\" takes words"),
            };
            return Err(Refusal::new(Code::Invalid, message).field(at));
        }
    }
    let empty = |name: &str| answers.get(name).is_none_or(|answer| answer.trim().is_empty());
    let path = script.path(answers);
    let mut needed = path.iter().flat_map(|step| &step.fields).filter(|field| field.required);
    match needed.find(|field| empty(&field.name)) {
        None => Ok(()),
        Some(Field { name, .. }) => {
            let message = format!("\"{name}\" must be filled before the answers are kept");
            Err(Refusal::new(Code::Invalid, message).field(format!("answers.{name}")))
        }
    }
}

fn short(field: &str, text: &str, max: usize) -> Result<(), Refusal> {
    let chars = text.graphemes(true).count();
    if chars > max || text.len() > max * 4 {
        let message = format!("`{field}` has {chars} characters; {max} is the limit");
        return Err(Refusal::new(Code::TooLong, message).field(field).limit(max as u64));
    }
    if text.chars().any(|c| c.is_control() && c != '\n') {
        return Err(Refusal::new(Code::Invalid, format!("`{field}` holds a control character")).field(field));
    }
    Ok(())
}
