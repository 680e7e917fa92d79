//! Connections that run in another process than the engines they serve: what a lane asks goes to whoever serves its
//! contact centre, and what it is asked here on behalf of lanes elsewhere is answered.

use crate::dispatch::{Engines, Pop, Pops, Shown, Situation};
use crate::drive::{Handle, Request};
use crate::http::{Inner, Others};
use crate::journal::NewContent;
use async_trait::async_trait;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tieline_model::content::Content;
use tieline_model::policy::TenantPolicy;
use tieline_model::{
    Code, Command, ConnectionId, ContentId, ConversationId, InteractionId, Refusal, Seq, TenantId,
};
use tokio::time::Instant;

/// Longest wait for an answer.
const WITHIN: Duration = Duration::from_secs(10);
/// Longest wait for the journal of a contact centre to go on; then it is asked anew.
const QUIET: Duration = Duration::from_secs(20);
/// For so long a command is said again while its contact centre moves to another owner; longer than a lease.
const SAY_AGAIN_FOR: Duration = Duration::from_secs(20);
/// Pause before.
const SAY_AGAIN: Duration = Duration::from_millis(300);

/// Engines and panels, wherever they are. Cheap to clone.
#[derive(Clone)]
pub struct Afar {
    here: Handle,
    panels: Arc<dyn Pops>,
    others: Option<Others>,
}

/// A command on its way to another replica.
#[derive(Serialize, Deserialize)]
struct Submitted {
    command: Command,
    content: Vec<Piece>,
}

/// A piece of its content.
#[derive(Serialize, Deserialize)]
struct Piece {
    id: ContentId,
    conversation: ConversationId,
    content: Content,
}

impl From<NewContent> for Piece {
    fn from(NewContent { id, conversation, content }: NewContent) -> Self {
        Self { id, conversation, content }
    }
}

impl From<Piece> for NewContent {
    fn from(Piece { id, conversation, content }: Piece) -> Self {
        Self { id, conversation, content }
    }
}

/// One of an interaction's questions.
#[derive(Serialize, Deserialize)]
struct About {
    interaction: InteractionId,
    connection: ConnectionId,
}

impl Afar {
    /// The engines and panels of this process, and the way to others; `None` where it has the journal to itself.
    #[must_use]
    pub fn new(here: Handle, panels: Arc<dyn Pops>, others: Option<Others>) -> Self {
        Self { here, panels, others }
    }

    /// The way to whoever serves a contact centre elsewhere; `None` if it is served here, or nobody else can be.
    fn away(&self, tenant: &TenantId) -> Option<&Others> {
        self.others.as_ref().filter(|_| self.here.head(tenant).is_none())
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        others: &Others,
        tenant: &TenantId,
        verb: &str,
        arguments: &impl Serialize,
        within: Duration,
    ) -> Result<T, Refusal> {
        let arguments = serde_json::to_value(arguments).map_err(unreadable)?;
        let answer = others.ask(&self.here, tenant, verb, &arguments, within).await?;
        serde_json::from_value(answer).map_err(unreadable)
    }
}

#[async_trait]
impl Engines for Afar {
    async fn submit(&self, request: Request) -> Result<(), Refusal> {
        let give_up = Instant::now() + SAY_AGAIN_FOR;
        loop {
            let tenant = &request.tenant;
            let Some(others) = self.away(tenant) else { return Engines::submit(&self.here, request).await };
            let content = request.content.iter().cloned().map(Piece::from).collect();
            let submitted = Submitted { command: request.command.clone(), content };
            let done: Result<Value, Refusal> = self.ask(others, tenant, "submit", &submitted, WITHIN).await;
            match done {
                // Under the same id, so that it counts once whatever came of the first.
                Err(refusal) if refusal.code == Code::Unavailable && Instant::now() < give_up => {
                    tokio::time::sleep(SAY_AGAIN).await;
                }
                done => return done.map(drop),
            }
        }
    }

    async fn open_now(&self, tenant: &TenantId) -> Result<(Seq, Vec<InteractionId>), Refusal> {
        match self.away(tenant) {
            Some(others) => self.ask(others, tenant, "open", &json!({}), WITHIN).await,
            None => self.here.open_now(tenant).await,
        }
    }

    async fn situation(
        &self,
        tenant: &TenantId,
        interaction: InteractionId,
        connection: &ConnectionId,
    ) -> Result<Option<Situation>, Refusal> {
        let Some(others) = self.away(tenant) else {
            return self.here.situation(tenant, interaction, connection).await;
        };
        let about = About { interaction, connection: connection.clone() };
        self.ask(others, tenant, "situation", &about, WITHIN).await
    }

    async fn policy(&self, tenant: &TenantId) -> Result<TenantPolicy, Refusal> {
        match self.away(tenant) {
            Some(others) => self.ask(others, tenant, "policy", &json!({}), WITHIN).await,
            None => self.here.policy(tenant).await,
        }
    }

    async fn beyond(&self, tenant: &TenantId, seq: Seq) -> Result<Seq, Refusal> {
        let Some(others) = self.away(tenant) else { return self.here.beyond(tenant, seq).await };
        loop {
            let head: Seq = self.ask(others, tenant, "beyond", &seq, QUIET + WITHIN).await?;
            if head > seq {
                return Ok(head);
            }
        }
    }
}

#[async_trait]
impl Pops for Afar {
    async fn pop(&self, tenant: &TenantId, pop: Pop) -> Shown {
        let Some(others) = self.away(tenant) else { return self.panels.pop(tenant, pop).await };
        let shown = self.ask(others, tenant, "pop", &pop, WITHIN).await;
        shown.unwrap_or_else(|refusal| {
            tracing::warn!(%tenant, %refusal, "a record could not be shown at another replica");
            Shown::NotYet
        })
    }

    async fn not_pushed(&self, tenant: &TenantId, pop: &Pop) {
        let Some(others) = self.away(tenant) else { return self.panels.not_pushed(tenant, pop).await };
        let told: Result<Value, Refusal> = self.ask(others, tenant, "not-pushed", pop, WITHIN).await;
        if let Err(refusal) = told {
            tracing::warn!(%tenant, %refusal, "a panel elsewhere does not know that a CRM opened nothing");
        }
    }
}

/// The other side: answered from the engines and panels of this process alone, so that nothing goes round.
#[async_trait]
impl Inner for Afar {
    async fn call(&self, tenant: &TenantId, verb: &str, arguments: Value) -> Result<Value, Refusal> {
        let here = &self.here;
        match verb {
            "submit" => {
                let Submitted { command, content } = read(arguments)?;
                let mut request = Request::new(tenant.clone(), command);
                request.content = content.into_iter().map(NewContent::from).collect();
                Engines::submit(here, request).await.map(|()| Value::Null)
            }
            "open" => write(&here.open_now(tenant).await?),
            "situation" => {
                let About { interaction, connection } = read(arguments)?;
                write(&here.situation(tenant, interaction, &connection).await?)
            }
            "policy" => write(&here.policy(tenant).await?),
            "beyond" => {
                let seq = read(arguments)?;
                match tokio::time::timeout(QUIET, here.beyond(tenant, seq)).await {
                    Ok(head) => write(&head?),
                    Err(_) => write(&seq),
                }
            }
            "pop" => write(&self.panels.pop(tenant, read(arguments)?).await),
            "not-pushed" => {
                let pop = read(arguments)?;
                self.panels.not_pushed(tenant, &pop).await;
                Ok(Value::Null)
            }
            _ => Err(Refusal::new(Code::NotFound, format!("replicas do not know the verb `{verb}`"))),
        }
    }
}

fn read<T: DeserializeOwned>(value: Value) -> Result<T, Refusal> {
    serde_json::from_value(value).map_err(|_| Refusal::new(Code::Invalid, "the arguments do not fit"))
}

fn write(value: &impl Serialize) -> Result<Value, Refusal> {
    serde_json::to_value(value).map_err(unreadable)
}

/// Says nothing of what stood in it.
fn unreadable(_: serde_json::Error) -> Refusal {
    Refusal::new(Code::Unavailable, "replicas of different versions do not understand each other")
}
