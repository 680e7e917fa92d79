//! The requests: sign in, start a chat, report an event; and the CLI's, on the admin listener.

use super::answer::{Answer, closing};
use super::limits::From;
use super::{Shared, person};
use crate::auth::{self, AgentPass, CustomerPass};
use crate::drive::{self, Request as Command};
use crate::settings::{Secret, Tenant};
use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Extension, Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use tieline_model::envelope::Envelope;
use tieline_model::live::{ChatStarted, SignIn, SignedIn, StartChat};
use tieline_model::{Actor, Code, InteractionId, Refusal, TenantId, Wish};

/// A chat's command id opens the chat again, so it must not be guessable.
const CHAT_ID_CHARS_MIN: usize = 16;

/// `POST /api/v1/{tenant}/sign-in`: agent and password, or a configured issuer's token as bearer.
pub(super) async fn sign_in(
    State(app): State<Shared>,
    Path(tenant): Path<String>,
    Extension(From(address)): Extension<From>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<SignedIn>, Response> {
    app.origins.check_if_any(&headers).map_err(IntoResponse::into_response)?;
    let tenant = TenantId::new(&tenant).map_err(|_| Answer::no_tenant().into_response())?;
    let auth = &app.parts.auth;
    let signed = match bearer(&headers) {
        Some(token) => auth.sign_in_by_token(&tenant, token, address),
        None => {
            let SignIn { agent, password } =
                json(&headers, body, app.parts.settings.http.body_bytes_max).await?;
            auth.sign_in(&tenant, &agent, Secret::new(password), address).await
        }
    };
    let counts = &app.counts;
    match signed {
        Ok(signed) => {
            counts.sign_ins.add();
            tracing::info!(%tenant, agent = %signed.agent, "signed in");
            let auth::Issued { token, expires_at } = signed.issued;
            Ok(Json(SignedIn { token, expires_at, agent: signed.agent, name: signed.name }))
        }
        Err(error) => {
            counts.sign_ins_refused.add();
            tracing::info!(%tenant, %address, %error, "sign-in refused");
            Err(refused(&error).into_response())
        }
    }
}

pub(super) fn refused(error: &auth::Error) -> Answer {
    match error {
        auth::Error::BadToken | auth::Error::Expired | auth::Error::BadPassword => {
            Answer::not_signed_in(error.to_string())
        }
        auth::Error::TooOften => Answer::too_often(error.to_string()),
        auth::Error::Busy => Refusal::new(Code::Busy, error.to_string()).into(),
    }
}

/// `POST /api/v1/{tenant}/chats`: public, from the widget's page only, so often per address.
pub(super) async fn start_chat(
    State(app): State<Shared>,
    Path(tenant): Path<String>,
    Extension(From(address)): Extension<From>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<ChatStarted>, Response> {
    app.origins.check(&headers).map_err(IntoResponse::into_response)?;
    if !app.chats.take(auth::Network::of(address), app.parts.clock.now()) {
        app.counts.throttled.add();
        let message = "too many new chats from this address; try again in a minute";
        return Err(closing(Answer::too_often(message).into_response()));
    }
    let (tenant, its) = find(&app, &tenant).map_err(IntoResponse::into_response)?;
    let wanted: StartChat = json(&headers, body, app.parts.settings.http.body_bytes_max).await?;
    begin(&app, tenant, its, wanted).await.map(Json).map_err(IntoResponse::into_response)
}

async fn begin(
    app: &Shared,
    tenant: TenantId,
    its: Arc<Tenant>,
    wanted: StartChat,
) -> Result<ChatStarted, Answer> {
    if wanted.id.as_str().len() < CHAT_ID_CHARS_MIN {
        let message =
            format!("`id` must be random and have {CHAT_ID_CHARS_MIN} characters or more; a UUID will do");
        return Err(Answer::invalid("id", message));
    }
    let person = person::check(wanted.person)?;
    let auth = &app.parts.auth;
    let (interaction, conversation) = auth.chat_ids(&tenant, &wanted.id);
    let handles = person::handles(&person, its.default_country.as_deref());
    // A browser whose token will not do is a new one: what it says is not proof of anything, and costs nobody a chat.
    let known = wanted.visitor.and_then(|token| auth.tokens().read_visitor(&tenant, &token).ok());
    let visitor = known.unwrap_or_else(|| auth.new_visitor(&tenant, &wanted.id));
    let previous = wanted.previous.map(|token| former(app, &tenant, &token)).transpose()?;
    let (person, content) = drive::person(conversation, person);
    let wish = Wish::StartChat {
        interaction,
        conversation,
        queue: wanted.queue,
        person,
        skills: wanted.skills,
        marks: auth.marks(&tenant, visitor, &handles),
        previous,
    };
    let command = tieline_model::Command { id: wanted.id, by: Actor::Customer { conversation }, wish };
    let mut request = Command::new(tenant.clone(), command);
    request.content.push(content);
    request.handles = handles.into_iter().map(|handle| (conversation, handle)).collect();
    let done = app.parts.drive.submit(request).await?;
    if !done.repeated {
        app.counts.chats.add();
    }
    let auth::Issued { token, expires_at } =
        app.parts.auth.tokens().customer(&tenant, conversation, interaction);
    let visitor = app.parts.auth.tokens().visitor(&tenant, visitor);
    Ok(ChatStarted { interaction, token, expires_at, visitor })
}

/// The chat that a token was for, as proof that it was this customer's.
fn former(app: &Shared, tenant: &TenantId, token: &str) -> Result<InteractionId, Answer> {
    let pass = app.parts.auth.tokens().read_former_customer(token).ok();
    let pass = pass.filter(|pass| pass.tenant == *tenant);
    let bad = || Answer::invalid("previous", "`previous` is not the token of a chat here; leave it out");
    pass.map(|pass| pass.interaction).ok_or_else(bad)
}

/// Somebody at a chat, by the bearer token that comes with a request.
pub(super) enum Whoever {
    /// Its customer.
    Customer(CustomerPass),
    /// An agent, who says which chat; whether it is the agent's is the engine's to say.
    Agent(AgentPass, InteractionId),
}

impl Whoever {
    pub(super) fn tenant(&self) -> &TenantId {
        match self {
            Self::Customer(pass) => &pass.tenant,
            Self::Agent(pass, _) => &pass.tenant,
        }
    }

    pub(super) fn chat(&self) -> InteractionId {
        match self {
            Self::Customer(pass) => pass.interaction,
            Self::Agent(_, chat) => *chat,
        }
    }

    pub(super) fn actor(&self) -> Actor {
        match self {
            Self::Customer(pass) => Actor::Customer { conversation: pass.conversation },
            Self::Agent(pass, _) => Actor::Agent { agent: pass.agent.clone() },
        }
    }
}

/// The customer or the agent whose bearer token comes with a request about a chat.
pub(super) fn whoever(app: &Shared, headers: &HeaderMap, tenant: &str, id: &str) -> Result<Whoever, Answer> {
    let is_agents = |token| app.parts.auth.tokens().read_agent(token) != Err(auth::Error::BadToken);
    if !bearer(headers).is_some_and(is_agents) {
        return customer(app, headers, tenant, id).map(Whoever::Customer);
    }
    let pass = agent(app, headers, tenant)?;
    let none = |_| Answer::from(Refusal::new(Code::NotFound, "there is no such chat here"));
    Ok(Whoever::Agent(pass, id.parse().map_err(none)?))
}

/// The agent of this contact centre whose bearer token comes with a request.
pub(super) fn agent(app: &Shared, headers: &HeaderMap, tenant: &str) -> Result<AgentPass, Answer> {
    let token = bearer(headers).ok_or_else(|| Answer::not_signed_in("an agent's token is needed"))?;
    let pass = app.parts.auth.tokens().read_agent(token).map_err(|error| refused(&error))?;
    if pass.tenant.as_str() != tenant || !app.parts.auth.knows(&pass.tenant, &pass.agent) {
        return Err(Answer::no_tenant());
    }
    Ok(pass)
}

/// The customer whose bearer token comes with a request about this chat. A chat of others answers as none does.
pub(super) fn customer(
    app: &Shared,
    headers: &HeaderMap,
    tenant: &str,
    id: &str,
) -> Result<CustomerPass, Answer> {
    let token = bearer(headers).ok_or_else(|| Answer::not_signed_in("the chat's token is needed"))?;
    let pass = app.parts.auth.tokens().read_customer(token).map_err(|error| refused(&error))?;
    let asked: Option<InteractionId> = id.parse().ok();
    if pass.tenant.as_str() != tenant || asked != Some(pass.interaction) {
        return Err(Refusal::new(Code::NotFound, "there is no such chat here").into());
    }
    Ok(pass)
}

/// What a producer is told once its event is durable.
#[derive(Serialize)]
pub(super) struct Taken {
    /// It had been taken before; nothing happened this time.
    repeated: bool,
    /// The tenant's journal position after it.
    seq: u64,
}

/// `POST /api/v1/{tenant}/events`: a CloudEvent in structured JSON, with a producer's bearer token.
pub(super) async fn take_event(
    State(app): State<Shared>,
    Path(tenant): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<Taken>), Response> {
    let unknown =
        || Answer::not_signed_in("a producer's bearer token is needed; see `auth.producers` in the settings");
    let token = bearer(&headers).ok_or_else(|| unknown().into_response())?;
    let tenant = TenantId::new(&tenant).map_err(|_| unknown().into_response())?;
    let producer = app.parts.auth.producer(&tenant, token).map_err(|_| unknown().into_response())?;
    if !app.events.take(producer.name.clone(), app.parts.clock.now()) {
        app.counts.throttled.add();
        let message =
            "events come faster than `http.events_per_second` allows; send this one again in a second";
        return Err(closing(Answer::too_often(message).into_response()));
    }
    let envelope: Envelope = json(&headers, body, app.parts.settings.http.event_bytes_max).await?;
    if envelope.tenant != tenant {
        let message = "`tenant` is not the contact centre this address belongs to";
        return Err(Answer::invalid("tenant", message).into_response());
    }
    let taken = async {
        let request = (app.parts.intake)(producer, envelope)?;
        app.parts.drive.submit(request).await
    };
    let done = taken.await.map_err(|refusal| Answer::from(refusal).into_response())?;
    app.counts.events.add();
    Ok((StatusCode::ACCEPTED, Json(Taken { repeated: done.repeated, seq: done.seq.0 })))
}

/// `POST /admin/{verb}` on the admin listener.
pub(super) async fn admin(
    State(app): State<Shared>,
    Path(verb): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<serde_json::Value>, Response> {
    // A page in a browser on this machine can reach loopback too; it always says an origin.
    if headers.contains_key(header::ORIGIN) {
        let refusal = Refusal::new(Code::NotPermitted, "this address is for the command line, not for pages");
        return Err(Answer::from(refusal).into_response());
    }
    let Some(admin) = &app.parts.admin else {
        return Err(
            Answer::from(Refusal::new(Code::NotFound, "there is nothing at this address")).into_response()
        );
    };
    let arguments = json(&headers, body, app.parts.settings.http.event_bytes_max).await?;
    tracing::info!(verb, "asked over the admin listener");
    admin.call(&verb, arguments).await.map(Json).map_err(|refusal| Answer::from(refusal).into_response())
}

/// A tenant of the settings by the word in the address.
pub(super) fn find(app: &Shared, tenant: &str) -> Result<(TenantId, Arc<Tenant>), Answer> {
    let id = TenantId::new(tenant).map_err(|_| Answer::no_tenant())?;
    let its = app.parts.settings.tenant(&id).ok_or_else(Answer::no_tenant)?;
    Ok((id, its))
}

pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Reads a body of JSON.
pub(super) async fn json<T: DeserializeOwned>(
    headers: &HeaderMap,
    body: Body,
    bytes_max: u32,
) -> Result<T, Response> {
    let bytes = bytes(headers, body, bytes_max).await?;
    serde_json::from_slice(&bytes).map_err(|error| {
        let refusal =
            Refusal::new(Code::Invalid, format!("the body does not fit: {}", safe(&error))).field("body");
        Answer::new(StatusCode::BAD_REQUEST, refusal).into_response()
    })
}

/// Reads a body of JSON as it is. The media type must say so: a page of another origin cannot send it without asking
/// first.
async fn bytes(headers: &HeaderMap, body: Body, bytes_max: u32) -> Result<Bytes, Response> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if !matches!(kind.as_str(), "application/json" | "application/cloudevents+json") {
        let refusal = Refusal::new(Code::Invalid, "the body must be application/json").field("content-type");
        return Err(closing(Answer::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, refusal).into_response()));
    }
    let max = bytes_max as usize;
    match Limited::new(body, max).collect().await {
        Ok(read) => Ok(read.to_bytes()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => {
            let message = format!("the body is longer than {max} bytes");
            let refusal = Refusal::new(Code::TooLong, message).field("body").limit(max as u64);
            Err(closing(Answer::new(StatusCode::PAYLOAD_TOO_LARGE, refusal).into_response()))
        }
        Err(_) => {
            let refusal = Refusal::new(Code::Invalid, "the body ended early").field("body");
            Err(closing(Answer::new(StatusCode::BAD_REQUEST, refusal).into_response()))
        }
    }
}

/// What is wrong with a JSON text, without what stood in it where that may be content.
pub(super) fn safe(error: &serde_json::Error) -> String {
    let at = format!("line {} column {}", error.line(), error.column());
    match error.classify() {
        serde_json::error::Category::Data => {
            let text = error.to_string();
            // "unknown field `x`", "missing field `x`": names of keys. "invalid type: string \"…\"": content.
            if text.starts_with("unknown") || text.starts_with("missing") {
                text.chars().take(300).collect()
            } else {
                format!("a value has the wrong kind or shape at {at}")
            }
        }
        serde_json::error::Category::Syntax
        | serde_json::error::Category::Eof
        | serde_json::error::Category::Io => {
            format!("it is not JSON at {at}")
        }
    }
}
