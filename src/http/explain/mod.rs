//! Why a chat is where it is, and what happened to it (A16): for supervisors over the API, for operators over the CLI.

mod because;
mod moments;

use super::answer::Answer;
use super::{Shared, api};
use crate::drive;
use crate::journal::{Recorded, Store};
use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use std::collections::BTreeMap;
use tieline_engine::Engine;
use tieline_model::explain::Explanation;
use tieline_model::policy::TenantPolicy;
use tieline_model::timeline::{Explained, Moment};
use tieline_model::{AgentId, Code, ConnectionId, InteractionId, QueueId, Refusal, TenantId, Timestamp};

/// Moments told of one interaction.
const MOMENTS_MAX: usize = 5_000;

/// What things are called.
pub(super) struct Naming {
    agents: BTreeMap<AgentId, String>,
    queues: BTreeMap<QueueId, String>,
    connections: BTreeMap<ConnectionId, String>,
}

impl Naming {
    fn of(policy: &TenantPolicy) -> Self {
        Self {
            agents: policy.agents.iter().map(|(id, agent)| (id.clone(), agent.name.clone())).collect(),
            queues: policy.queues.iter().map(|(id, queue)| (id.clone(), queue.name.clone())).collect(),
            connections: policy.connections.iter().map(|c| (c.id.clone(), c.name.clone())).collect(),
        }
    }

    fn agent<'a>(&'a self, id: &'a AgentId) -> &'a str {
        self.agents.get(id).map_or(id.as_str(), String::as_str)
    }

    fn queue<'a>(&'a self, id: &'a QueueId) -> &'a str {
        self.queues.get(id).map_or(id.as_str(), String::as_str)
    }

    fn connection<'a>(&'a self, id: &'a ConnectionId) -> &'a str {
        self.connections.get(id).map_or(id.as_str(), String::as_str)
    }
}

/// `GET /api/v1/{tenant}/chats/{id}/explain`, with a supervisor's token.
pub(super) async fn get(
    State(app): State<Shared>,
    Path((tenant, id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Json<Explained>, Response> {
    asked(&app, &tenant, &id, &headers).await.map(Json).map_err(IntoResponse::into_response)
}

async fn asked(app: &Shared, tenant: &str, id: &str, headers: &HeaderMap) -> Result<Explained, Answer> {
    let needed = || Answer::not_signed_in("an agent's bearer token is needed; sign in first");
    let pass = app.parts.auth.tokens().read_agent(api::bearer(headers).ok_or_else(needed)?);
    let pass = pass.map_err(|error| api::refused(&error))?;
    if pass.tenant.as_str() != tenant {
        return Err(Answer::no_tenant());
    }
    if !app.agent_frames.take((pass.tenant.clone(), pass.agent.clone()), app.parts.clock.now()) {
        app.counts.throttled.add();
        return Err(Answer::too_often("that was too fast; try again in a few seconds"));
    }
    let agent = pass.agent.clone();
    let supervises = move |engine: &Engine| engine.policy().agents.get(&agent).is_some_and(|a| a.supervisor);
    if !app.parts.drive.read(&pass.tenant, supervises).await? {
        return Err(Refusal::new(Code::NotPermitted, "only a supervisor can have a chat explained").into());
    }
    let id = id.parse().map_err(|_| no_such())?;
    let store = app.parts.hub.contents().store();
    let explained =
        explain(&app.parts.drive, store.as_ref(), app.parts.clock.now(), &pass.tenant, id).await?;
    Ok(explained)
}

fn no_such() -> Refusal {
    Refusal::new(Code::NotFound, "there is no chat or call of this id")
}

/// Explains an interaction: an open chat with what it waits for, any other with what happened to it.
///
/// # Errors
/// The id names nothing here, or the journal cannot be read.
pub async fn explain(
    drive: &drive::Handle,
    store: &dyn Store,
    now: Timestamp,
    tenant: &TenantId,
    id: InteractionId,
) -> Result<Explained, Refusal> {
    let look = move |engine: &Engine| (engine.explain(now, id), Naming::of(engine.policy()));
    let (explanation, naming) = drive.read(tenant, look).await?;
    let rows = store.read_interaction(tenant, id).await.map_err(|error| {
        tracing::error!(%tenant, %error, "an interaction could not be explained");
        Refusal::new(Code::Unavailable, "the journal cannot be read now; try again in a few seconds")
    })?;
    if rows.is_empty() {
        return Err(no_such());
    }
    Ok(put_together(id, explanation, &rows, &naming))
}

fn put_together(
    interaction: InteractionId,
    explanation: Option<Explanation>,
    rows: &[Recorded],
    naming: &Naming,
) -> Explained {
    let earlier = rows.len().saturating_sub(MOMENTS_MAX);
    let moments = rows[earlier..].iter().map(|row| {
        let (who, words) = moments::tell(&row.event, naming);
        Moment { seq: row.seq, at: row.at, event: row.event.kind().to_owned(), who, words }
    });
    let (because, considered) = match &explanation {
        Some(explanation) => because::tell(explanation, naming),
        None => (vec![because::no_longer_open(rows)], Vec::new()),
    };
    let earlier = u32::try_from(earlier).unwrap_or(u32::MAX);
    Explained { interaction, explanation, because, considered, timeline: moments.collect(), earlier }
}

/// A moment as operators read it, in UTC.
pub(super) fn clock(at: Timestamp) -> String {
    let moment = time::OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.0) * 1_000_000);
    let form = time::macros::format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
    moment.ok().and_then(|moment| moment.format(&form).ok()).unwrap_or_else(|| at.0.to_string())
}

/// A stretch of time in its two largest units.
pub(super) fn span(ms: u64) -> String {
    let secs = ms / 1_000;
    match secs {
        0 => format!("{ms} ms"),
        1..60 => format!("{secs} s"),
        60..3_600 => format!("{} min {} s", secs / 60, secs % 60),
        _ => format!("{} h {} min", secs / 3_600, secs % 3_600 / 60),
    }
}
