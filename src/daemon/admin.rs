//! What the CLI may ask of the running daemon, and what an event posted over HTTP means.

use super::reload::Reload;
use crate::auth::Producer;
use crate::bus;
use crate::drive;
use crate::http::{self, Admin, Intake};
use crate::journal::{Delivery, Store};
use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use tieline_model::envelope::Envelope;
use tieline_model::{Actor, Clock, Code, ConnectionId, InteractionId, Refusal, TenantId};
use uuid::Uuid;

/// Dead letters listed at once.
const LIST_MAX: u32 = 200;

/// An event posted over HTTP means what it would on the bus; its author is the producer whose token came with it.
pub(super) fn intake(bus: bus::Intake) -> Intake {
    Arc::new(move |producer: &Producer, envelope: Envelope| {
        let body = serde_json::to_vec(&envelope).map_err(|e| Refusal::new(Code::Invalid, e.to_string()))?;
        let mut request = bus.translate(&body, Some(&producer.tenant), &mut Uuid::now_v7)?;
        request.command.by = Actor::Producer { name: format!("http:{}", producer.name) };
        Ok(request)
    })
}

/// The verbs of the admin listener.
pub(super) struct Verbs {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    drive: drive::Handle,
    reload: Arc<Reload>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    tenant: TenantId,
    connection: ConnectionId,
    interaction: InteractionId,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Explain {
    /// All are looked through when none is named.
    tenant: Option<TenantId>,
    interaction: InteractionId,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OneOrAll {
    tenant: Option<TenantId>,
}

impl Verbs {
    pub(super) fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        drive: drive::Handle,
        reload: Arc<Reload>,
    ) -> Self {
        Self { store, clock, drive, reload }
    }

    async fn list(&self) -> Result<Value, Refusal> {
        let mut letters = Vec::new();
        // Of all contact centres, also those that another replica serves: the table is everybody's.
        for tenant in self.reload.live.tenants().keys() {
            let dead = self.store.dead(tenant, LIST_MAX).await.map_err(|e| failed(&e))?;
            letters.extend(dead.into_iter().map(|delivery| letter(tenant, &delivery)));
        }
        Ok(Value::Array(letters))
    }

    async fn retry(&self, arguments: Value) -> Result<Value, Refusal> {
        let which: Which = serde_json::from_value(arguments).map_err(|e| {
            Refusal::new(Code::Invalid, format!("name tenant, connection and interaction: {e}"))
        })?;
        let now = self.clock.now();
        let revived = self.store.revive(&which.tenant, &which.connection, which.interaction, now).await;
        if revived.map_err(|e| failed(&e))? {
            return Ok(json!({ "retrying": which.interaction }));
        }
        Err(Refusal::new(
            Code::NotFound,
            "there is no such dead letter; `tieline dead-letters list` shows them",
        ))
    }

    /// Every tenant this process serves, or one: whether its state is what a replay of its journal comes to.
    async fn verify(&self, arguments: Value) -> Result<Value, Refusal> {
        let asked: OneOrAll = serde_json::from_value(arguments)
            .map_err(|e| Refusal::new(Code::Invalid, format!("name a tenant, or none for all: {e}")))?;
        let tenants = asked.tenant.map_or_else(|| self.drive.tenants(), |one| vec![one]);
        let mut found = Vec::new();
        for tenant in tenants {
            let verified = drive::verify(&self.drive, self.store.as_ref(), &tenant).await?;
            found.push(super::verify::told(&tenant, &verified));
        }
        Ok(Value::Array(found))
    }

    async fn explain(&self, arguments: Value) -> Result<Value, Refusal> {
        let asked: Explain = serde_json::from_value(arguments)
            .map_err(|e| Refusal::new(Code::Invalid, format!("name interaction, and perhaps tenant: {e}")))?;
        let tenants = asked.tenant.map_or_else(|| self.drive.tenants(), |one| vec![one]);
        for tenant in tenants {
            let (store, now) = (self.store.as_ref(), self.clock.now());
            match http::explain(&self.drive, store, now, &tenant, asked.interaction).await {
                Ok(explained) => {
                    return serde_json::to_value(explained)
                        .map_err(|e| Refusal::new(Code::Unavailable, e.to_string()));
                }
                Err(refusal) if refusal.code == Code::NotFound => {}
                Err(refusal) => return Err(refusal),
            }
        }
        let message = "there is no chat or call of this id; look for it in the panel or the CRM record";
        Err(Refusal::new(Code::NotFound, format!("{message}{}", self.elsewhere())).field("interaction"))
    }

    /// Which contact centres other replicas serve, as the end of a sentence.
    fn elsewhere(&self) -> String {
        let tenants = self.reload.live.tenants();
        let elsewhere = tenants.keys().filter_map(|tenant| match self.drive.whereabouts(tenant) {
            drive::Whereabouts::There { address, .. } => Some(format!("{tenant} at {address}")),
            drive::Whereabouts::Here | drive::Whereabouts::Nowhere => None,
        });
        let elsewhere: Vec<String> = elsewhere.collect();
        if elsewhere.is_empty() {
            return String::new();
        }
        format!(". Other replicas serve {}: ask there", elsewhere.join(", "))
    }
}

fn letter(tenant: &TenantId, delivery: &Delivery) -> Value {
    json!({
        "tenant": tenant,
        "connection": delivery.connection,
        "interaction": delivery.interaction,
        "reason": delivery.last_error,
        "attempts": delivery.attempt,
    })
}

fn failed(error: &crate::journal::Error) -> Refusal {
    Refusal::new(Code::Unavailable, error.to_string())
}

#[async_trait]
impl Admin for Verbs {
    async fn call(&self, verb: &str, arguments: Value) -> Result<Value, Refusal> {
        match verb {
            "dead-letters-list" => self.list().await,
            "dead-letters-retry" => self.retry(arguments).await,
            "explain" => self.explain(arguments).await,
            "reload" => self.reload.reload().await,
            "verify" => self.verify(arguments).await,
            other => {
                let other: String = other.chars().take(40).collect();
                let message = format!(
                    "there is no verb `{other}`; there are dead-letters-list, dead-letters-retry, explain, reload and verify"
                );
                Err(Refusal::new(Code::NotFound, message))
            }
        }
    }
}
