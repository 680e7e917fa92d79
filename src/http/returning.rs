//! Customers who come back to a chat that ended (B15), over their socket or by a request.
//!
//! The engine says what a return is. Here a chat has at most one successor, whose ids follow from its own, so that two
//! tabs which return, or an answer that got lost, lead to one and the same.

use super::answer::{Answer, closing};
use super::limits::From;
use super::{Shared, api, person};
use crate::auth::{self, CustomerPass, Network};
use crate::drive::{self, Request};
use axum::Json;
use axum::extract::{Extension, Path, State};
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use std::collections::BTreeSet;
use std::net::IpAddr;
use tieline_model::live::{ChatReturned, Returned};
use tieline_model::{Actor, Code, Command, CommandId, ConversationId, Event, InteractionId, Refusal, Wish};
use uuid::Uuid;

/// Chats that came of one another by returning, from the one a token names; more are a reason to start anew.
const CHAIN_MAX: usize = 50;

/// `POST /api/v1/{tenant}/chats/{id}/return`: for a widget that comes back with the token it has.
pub(super) async fn come_back_by_request(
    State(app): State<Shared>,
    Path((tenant, id)): Path<(String, String)>,
    Extension(From(address)): Extension<From>,
    headers: HeaderMap,
) -> Result<Json<ChatReturned>, Response> {
    app.origins.check(&headers).map_err(IntoResponse::into_response)?;
    let pass = api::customer(&app, &headers, &tenant, &id).map_err(IntoResponse::into_response)?;
    let command = CommandId::new(Uuid::new_v4().to_string()).expect("a UUID is printable ASCII");
    match come_back(&app, &pass, &command, address).await {
        Ok(back) => Ok(Json(back.returned)),
        Err(refusal) if refusal.code == Code::Busy => {
            Err(closing(Answer::too_often(refusal.message).into_response()))
        }
        Err(refusal) => Err(Answer::from(refusal).into_response()),
    }
}

/// Where the customer goes on.
pub(super) struct Back {
    /// What the new token says.
    pub(super) pass: CustomerPass,
    pub(super) returned: ChatReturned,
}

/// A chat, and how it belongs to the one that was returned to.
#[derive(Debug, Clone, Copy)]
struct At {
    conversation: ConversationId,
    interaction: InteractionId,
    how: Returned,
}

/// Brings a customer back.
///
/// # Errors
/// The chat never was, its visitor is blocked, its queue is gone, or this comes too often.
pub(super) async fn come_back(
    app: &Shared,
    pass: &CustomerPass,
    id: &CommandId,
    from: IpAddr,
) -> Result<Back, Refusal> {
    if !app.chats.take(Network::of(from), app.parts.clock.now()) {
        app.counts.throttled.add();
        return Err(Refusal::new(Code::Busy, "that was too often from this address; try again in a minute"));
    }
    let mut at =
        At { conversation: pass.conversation, interaction: pass.interaction, how: Returned::SameChat };
    for _ in 0..CHAIN_MAX {
        match successor(app, pass, at).await? {
            Some(next) => at = next,
            None => return go_on(app, pass, at, id).await.map(|at| back(app, pass, at)),
        }
    }
    Err(Refusal::new(Code::Expired, "this chat was gone back to many times; start a new one"))
}

fn back(app: &Shared, pass: &CustomerPass, at: At) -> Back {
    let At { conversation, interaction, how } = at;
    let auth::Issued { token, expires_at } =
        app.parts.auth.tokens().customer(&pass.tenant, conversation, interaction);
    Back {
        pass: CustomerPass { tenant: pass.tenant.clone(), conversation, interaction, expires_at },
        returned: ChatReturned { interaction, returned: how, token, expires_at },
    }
}

/// What an earlier return to this chat began.
async fn successor(app: &Shared, pass: &CustomerPass, at: At) -> Result<Option<At>, Refusal> {
    let ids = app.parts.auth.return_ids(&pass.tenant, at.interaction);
    let same = if at.how == Returned::NewChat { Returned::NewChat } else { Returned::SameConversation };
    for next in [
        At { conversation: at.conversation, interaction: ids.fresh, how: same },
        At { conversation: ids.conversation, interaction: ids.later, how: Returned::NewChat },
    ] {
        if !rows(app, pass, next.interaction).await?.is_empty() {
            return Ok(Some(next));
        }
    }
    Ok(None)
}

async fn go_on(app: &Shared, pass: &CustomerPass, at: At, id: &CommandId) -> Result<At, Refusal> {
    let auth = &app.parts.auth;
    let ids = auth.return_ids(&pass.tenant, at.interaction);
    let wish = Wish::ReturnToChat { interaction: at.interaction, fresh: ids.fresh };
    let by = Actor::Customer { conversation: at.conversation };
    let command = Command { id: auth.return_command(&pass.tenant, at.interaction, id), by, wish };
    match app.parts.drive.submit(Request::new(pass.tenant.clone(), command)).await {
        Ok(done) => {
            let begun = done.events.iter().any(|row| matches!(row.event, Event::ChatStarted { .. }));
            if !begun {
                return Ok(at);
            }
            let how = if at.how == Returned::NewChat { at.how } else { Returned::SameConversation };
            Ok(At { interaction: ids.fresh, how, ..at })
        }
        Err(refusal) if refusal.code == Code::Expired => begin_anew(app, pass, at, id).await,
        Err(refusal) => Err(refusal),
    }
}

/// Too late for the same conversation: a new chat of the same person in the same queue, which names the old one.
async fn begin_anew(app: &Shared, pass: &CustomerPass, at: At, id: &CommandId) -> Result<At, Refusal> {
    let (tenant, parts) = (&pass.tenant, &app.parts);
    let none = || Refusal::new(Code::NotFound, "there is no such chat; start a new one");
    let rows = rows(app, pass, at.interaction).await?;
    let old = rows.iter().find_map(|row| {
        let Event::ChatStarted { conversation, queue, person, skills, marks, .. } = &row.event else {
            return None;
        };
        let own = *conversation == at.conversation;
        own.then(|| (queue.clone(), person.id, skills.clone(), marks.clone()))
    });
    let (queue, person, skills, marks) = old.ok_or_else(none)?;
    let known = parts.hub.contents().get(tenant, BTreeSet::from([person])).await;
    let person = known.map_err(|error| unreadable(&error))?.person(person);
    let its = parts.settings.tenant(tenant).ok_or_else(none)?;
    let ids = parts.auth.return_ids(tenant, at.interaction);
    let conversation = ids.conversation;
    let handles = person::handles(&person, its.default_country.as_deref());
    let (person, content) = drive::person(conversation, person);
    let wish = Wish::StartChat {
        interaction: ids.later,
        conversation,
        queue,
        person,
        skills,
        marks,
        previous: Some(at.interaction),
    };
    let by = Actor::Customer { conversation };
    let command = Command { id: parts.auth.return_command(tenant, ids.later, id), by, wish };
    let mut request = Request::new(tenant.clone(), command);
    request.content.push(content);
    request.handles = handles.into_iter().map(|handle| (conversation, handle)).collect();
    parts.drive.submit(request).await?;
    app.counts.chats.add();
    Ok(At { conversation, interaction: ids.later, how: Returned::NewChat })
}

async fn rows(
    app: &Shared,
    pass: &CustomerPass,
    id: InteractionId,
) -> Result<Vec<crate::journal::Recorded>, Refusal> {
    let store = app.parts.hub.contents().store();
    store.read_interaction(&pass.tenant, id).await.map_err(|error| unreadable(&error))
}

fn unreadable(error: &crate::journal::Error) -> Refusal {
    tracing::error!(%error, "a customer could not come back");
    Refusal::new(Code::Unavailable, "the journal cannot be read now; try again in a few seconds")
}
