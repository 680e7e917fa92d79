//! How the rest of the process reaches the engines.

use super::meter::{Ended, Meter};
use super::{Done, Request, trace};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;
use tieline_engine::Engine;
use tieline_model::{Actor, Code, Command, CommandId, Refusal, Seq, TenantId, Wish};
use tokio::sync::{mpsc, oneshot, watch};
use uuid::Uuid;

/// A look at an engine, run by its owner between commits.
pub(super) type Look = Box<dyn FnOnce(Option<&Engine>) + Send>;

/// What can lie in the mailbox.
pub(super) enum Mail {
    /// A command.
    Submit(Box<Request>, oneshot::Sender<Result<Done, Refusal>>),
    /// A look.
    Read(TenantId, Look),
    /// From now on no chat is handed out.
    HandOutNothing,
}

/// The mailbox of the engines. Cheap to clone.
#[derive(Clone)]
pub struct Handle {
    pub(super) mail: mpsc::Sender<Mail>,
    pub(super) heads: Arc<BTreeMap<TenantId, watch::Receiver<Seq>>>,
    pub(super) meter: Meter,
}

impl Handle {
    /// Hands a command in and waits until it is durable or refused.
    ///
    /// # Errors
    /// The engine's refusal; `busy` when the mailbox is full; `unavailable` when the journal takes no commits.
    pub async fn submit(&self, request: Request) -> Result<Done, Refusal> {
        let began = Instant::now();
        let span = tracing::info_span!(target: trace::TARGET, "command", tenant = %request.tenant, event = tracing::field::Empty);
        let outcome = self.hand_in(request).await;
        let result = match &outcome {
            Ok(done) if done.repeated => "repeated".to_owned(),
            Ok(done) => {
                // Not entered before, so that it can still be put where it belongs; it lasts from its making.
                if let Some(event) = done.events.first().map(|row| &row.event) {
                    span.record("event", event.kind());
                    drop(event.interaction().map(|id| trace::belongs_to(id, span)));
                }
                "done".to_owned()
            }
            Err(refusal) => word(refusal.code),
        };
        self.meter.commands.get_or_create(&Ended { result }).inc();
        self.meter.command_seconds.observe(began.elapsed().as_secs_f64());
        outcome
    }

    async fn hand_in(&self, request: Request) -> Result<Done, Refusal> {
        if !self.heads.contains_key(&request.tenant) {
            return Err(no_tenant());
        }
        let (answer, answered) = oneshot::channel();
        match self.mail.try_send(Mail::Submit(Box::new(request), answer)) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(_)) => {
                return Err(Refusal::new(
                    Code::Busy,
                    "the daemon has more to do than it takes in; try again in a second",
                ));
            }
            Err(mpsc::error::TrySendError::Closed(_)) => return Err(stopping()),
        }
        answered.await.unwrap_or_else(|_| Err(stopping()))
    }

    /// Looks at an engine between commits, consistently with what the observer saw.
    ///
    /// # Errors
    /// There is no such tenant, or the daemon is stopping.
    pub async fn read<R: Send + 'static>(
        &self,
        tenant: &TenantId,
        look: impl FnOnce(&Engine) -> R + Send + 'static,
    ) -> Result<R, Refusal> {
        let (answer, answered) = oneshot::channel();
        let look: Look = Box::new(move |engine| {
            // The asker may be gone; then nobody misses the answer.
            let _ = answer.send(engine.map(look));
        });
        self.mail.send(Mail::Read(tenant.clone(), look)).await.map_err(|_| stopping())?;
        answered.await.map_err(|_| stopping())?.ok_or_else(no_tenant)
    }

    /// Whether the engines' owner answers; waits until it does.
    pub async fn moves(&self) -> bool {
        // A look at no tenant in particular is answered in its turn like any other.
        let (answer, answered) = oneshot::channel();
        let look: Look = Box::new(move |_| {
            // The asker may have given up.
            let _ = answer.send(());
        });
        let anybody = self.heads.keys().next().cloned();
        let Some(tenant) = anybody else { return !self.mail.is_closed() };
        self.mail.send(Mail::Read(tenant, look)).await.is_ok() && answered.await.is_ok()
    }

    /// From now on no chat is handed out, until the process ends; open offers are taken back, and waits until that
    /// is durable (F3). What is under way goes on, timers too.
    ///
    /// # Errors
    /// The journal takes no commits: the offers stand, and have after a restart the time they had. Or the daemon has
    /// stopped already.
    pub async fn drain(&self) -> Result<(), Refusal> {
        self.mail.send(Mail::HandOutNothing).await.map_err(|_| stopping())?;
        for tenant in self.heads.keys() {
            self.own(tenant, Wish::Drain).await?;
        }
        Ok(())
    }

    /// A wish of the daemon's own. It waits for room in the mailbox, so it is never refused as busy.
    ///
    /// # Errors
    /// The engine's refusal; `unavailable` when the journal takes no commits or the daemon is stopping.
    pub async fn own(&self, tenant: &TenantId, wish: Wish) -> Result<Done, Refusal> {
        if !self.heads.contains_key(tenant) {
            return Err(no_tenant());
        }
        let id = CommandId::new(Uuid::new_v4().to_string()).expect("a UUID is printable ASCII");
        let request = Request::new(tenant.clone(), Command { id, by: Actor::Daemon, wish });
        let (answer, answered) = oneshot::channel();
        self.mail.send(Mail::Submit(Box::new(request), answer)).await.map_err(|_| stopping())?;
        answered.await.map_err(|_| stopping())?
    }

    /// The head of a tenant's journal; moves after each commit.
    #[must_use]
    pub fn head(&self, tenant: &TenantId) -> Option<watch::Receiver<Seq>> {
        self.heads.get(tenant).cloned()
    }

    /// What the engines' owner did so far.
    #[must_use]
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    /// Commands and looks that wait in the mailbox.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.mail.max_capacity() - self.mail.capacity()
    }

    /// The tenants of this process.
    #[must_use]
    pub fn tenants(&self) -> Vec<TenantId> {
        self.heads.keys().cloned().collect()
    }
}

/// A code as the API writes it.
fn word(code: Code) -> String {
    let value = serde_json::to_value(code).ok();
    value.as_ref().and_then(|v| v.as_str()).unwrap_or("refused").to_owned()
}

pub(super) fn no_tenant() -> Refusal {
    Refusal::new(Code::NotFound, "there is no contact centre of this name here")
}

fn stopping() -> Refusal {
    Refusal::new(Code::Unavailable, "the daemon is stopping; try again in a few seconds")
}
