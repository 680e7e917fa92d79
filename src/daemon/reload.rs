//! New settings for the running daemon: read, checked, put into force for all contact centres or for none.

use super::notify;
use crate::auth::Auth;
use crate::drive::Handle;
use crate::settings::{self, Changes, Live, Settings, Tenant};
use serde_json::{Value, json};
use std::sync::Arc;
use tieline_model::{Actor, Clock, Code, Command, CommandId, Refusal, TenantId, Wish};
use tokio::signal::unix::Signal;
use tokio::sync::Mutex;
use uuid::Uuid;

/// Reads the settings anew, from where they came from when the daemon started.
pub(super) type Reread = Arc<dyn Fn() -> Result<Settings, settings::Error> + Send + Sync>;

/// What a reload works on.
pub(super) struct Reload {
    pub(super) reread: Reread,
    /// What the daemon started with: what this process cannot change is compared with it.
    pub(super) started: Arc<Settings>,
    pub(super) live: Arc<Live>,
    pub(super) auth: Arc<Auth>,
    pub(super) engines: Handle,
    pub(super) clock: Arc<dyn Clock>,
    /// One at a time.
    pub(super) turn: Mutex<()>,
}

/// Reloads whenever the signal comes, and says what came of it in the log.
pub(super) async fn on(mut signal: Signal, reload: Arc<Reload>) {
    while signal.recv().await.is_some() {
        // What came of it stands in the log.
        drop(reload.reload().await);
    }
}

impl Reload {
    /// Reads the settings and puts into force what a running daemon can change. If anything is wrong with them, or
    /// an engine refuses them, nothing changes.
    ///
    /// # Errors
    /// All that is wrong, a line each; or the engine's refusal.
    pub(super) async fn reload(&self) -> Result<Value, Refusal> {
        let _turn = self.turn.lock().await;
        notify::reloading();
        let outcome = self.carry_out().await;
        notify::reloaded();
        match &outcome {
            Ok(report) => tracing::info!(%report, "settings reloaded"),
            Err(refusal) => {
                for problem in refusal.message.lines() {
                    tracing::error!(problem, "settings not reloaded; those from before stay in force");
                }
            }
        }
        outcome
    }

    async fn carry_out(&self) -> Result<Value, Refusal> {
        let reread = self.reread.clone();
        let read = tokio::task::spawn_blocking(move || reread()).await;
        let wanted = read.map_err(|e| Refusal::new(Code::Unavailable, e.to_string()))?.map_err(wrong)?;
        super::connectors::check(&wanted, &self.clock).map_err(|e| wrong(format!("{e:#}")))?;
        let in_force = self.live.tenants();
        let changes = Changes::between(&self.started, &in_force, wanted);
        let people = Auth::people(changes.tenants.iter().map(|(id, t)| (id, t.as_ref()))).map_err(wrong)?;
        // An engine elsewhere gets its settings from the process that serves it, which is told to reload as well; one
        // that comes here later is opened with what stands here then.
        let here = self.engines.owned().borrow().clone();
        let changed: Vec<(&TenantId, &Tenant, &Tenant)> = changes
            .tenants
            .iter()
            .filter_map(|(id, new)| Some((id, in_force.get(id)?.as_ref(), new.as_ref())))
            .filter(|(_, old, new)| old != new)
            .filter(|(id, _, _)| here.contains(*id))
            .collect();
        for (id, _, new) in &changed {
            self.would_take(id, new).await?;
        }
        self.put_all(&changed).await?;
        self.auth.exchange(people);
        self.live.exchange(changes.tenants);
        Ok(json!({ "changed": changes.now, "at_next_start": changes.at_next_start }))
    }

    /// Asks an engine without changing anything.
    async fn would_take(&self, id: &TenantId, new: &Tenant) -> Result<(), Refusal> {
        let command = own(Wish::Configure { policy: Box::new(new.policy()) })?;
        let now = self.clock.now();
        let asked =
            self.engines.read(id, move |engine| engine.decide(now.max(engine.now()), &command).map(drop));
        asked.await?.map_err(|refusal| of(id, refusal))
    }

    /// An engine may refuse now what it would have taken a moment ago, if a chat came into a queue that goes: then the
    /// others get back what they had.
    async fn put_all(&self, changed: &[(&TenantId, &Tenant, &Tenant)]) -> Result<(), Refusal> {
        for (index, (id, old, new)) in changed.iter().enumerate() {
            let Err(refusal) = self.put(id, old, new).await else { continue };
            for (id, old, new) in changed[..=index].iter().rev() {
                if let Err(refusal) = self.put(id, new, old).await {
                    tracing::error!(tenant = %id, %refusal, "the settings from before could not be put back; reload again");
                }
            }
            return Err(of(id, refusal));
        }
        Ok(())
    }

    async fn put(&self, id: &TenantId, old: &Tenant, new: &Tenant) -> Result<(), Refusal> {
        let now = self.clock.now();
        // A queue must not find a schedule of which no hours are known, which would be closed: those that are new
        // come before it, those that are gone go after it.
        let mut hours = new.open_hours(now);
        hours.extend(old.open_hours(now));
        self.engines.own(id, Wish::SetHours { hours }).await?;
        self.engines.own(id, Wish::Configure { policy: Box::new(new.policy()) }).await?;
        self.engines.own(id, Wish::SetHours { hours: new.open_hours(now) }).await?;
        self.engines.own(id, Wish::BeginDay { day: new.day(now).0 }).await?;
        Ok(())
    }
}

fn own(wish: Wish) -> Result<Command, Refusal> {
    let id = CommandId::new(Uuid::new_v4().to_string());
    let id = id.map_err(|e| Refusal::new(Code::Invalid, e.to_string()))?;
    Ok(Command { id, by: Actor::Daemon, wish })
}

fn wrong(why: impl std::fmt::Display) -> Refusal {
    Refusal::new(Code::Invalid, why.to_string())
}

fn of(id: &TenantId, refusal: Refusal) -> Refusal {
    let message = format!("tenant {id}: {}", refusal.message);
    Refusal { message, ..refusal }
}
