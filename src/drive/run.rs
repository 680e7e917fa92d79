//! The run loop of the engines' owner.

use super::handle::{Handle, Mail, Move, Served};
use super::meter::Meter;
use super::tenant::{self, Tenant};
use super::turn::{RETRIES_MAX, opening, save_snapshot};
use super::{Observer, Request};
use crate::journal::{self, Lease, Shard, Store};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tieline_model::command::Open;
use tieline_model::policy::TenantPolicy;
use tieline_model::{
    Actor, Clock, Code, Command, CommandId, Refusal, ScheduleId, Seq, TenantId, Timestamp, Wish,
};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

/// Commands that may wait to be decided; one more is refused as `busy`.
const MAILBOX_MAX: usize = 1_000;
/// Commands in one commit.
const BATCH_MAX: usize = 256;
/// The longest sleep while something is to come due, so that a clock that is moved is noticed.
const SLICE: Duration = Duration::from_millis(200);
/// How often the owner says that it lives while timers run (F2).
const HEARTBEAT_MS: i64 = 1_000;
/// Pause after a commit that failed, before deadlines are tried again.
const TROUBLE_PAUSE: Duration = Duration::from_secs(1);

/// The journal is lost to this process; it must end.
#[derive(Debug, thiserror::Error)]
#[error("the engines stopped: {0}")]
pub struct Stopped(pub journal::Error);

/// What is in force for a tenant from the beginning.
#[derive(Debug, Clone, Default)]
pub struct InForce {
    /// Its policy.
    pub policy: TenantPolicy,
    /// Its opening hours; `None` leaves those the journal has.
    pub hours: Option<BTreeMap<ScheduleId, Vec<Open>>>,
    /// What day it is there; `None` leaves the one the journal has.
    pub day: Option<String>,
}

impl From<TenantPolicy> for InForce {
    fn from(policy: TenantPolicy) -> Self {
        Self { policy, ..Self::default() }
    }
}

/// The owner of the engines.
pub struct Drive {
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) observer: Box<dyn Observer>,
    pub(super) tenants: BTreeMap<TenantId, Tenant>,
    /// The last commit failed.
    pub(super) troubled: bool,
    /// Commits fail, and the observer has been told.
    pub(super) failing: bool,
    pub(super) meter: Meter,
    pub(super) served: Arc<Served>,
    mail: mpsc::Receiver<Mail>,
    moves: mpsc::Receiver<Move>,
    heartbeat_at: Timestamp,
    /// When stale engines are tried again.
    mend_at: Instant,
}

impl Drive {
    /// Takes the tenants over, loads them, gives running timers the time they had, and puts settings into force.
    /// `seed` is asked once for each tenant whose journal is empty.
    ///
    /// # Errors
    /// A journal that cannot be read or written, or settings that the engine refuses.
    pub async fn open<T: Into<InForce>>(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        observer: Box<dyn Observer>,
        tenants: BTreeMap<TenantId, T>,
        mut seed: impl FnMut() -> u64,
    ) -> Result<(Self, Handle), Error> {
        let (sender, mail) = mpsc::channel(MAILBOX_MAX);
        let (mover, moves) = mpsc::channel(1);
        let served = Served::new();
        let heartbeat_at = clock.now();
        let mut drive = Self {
            store,
            clock,
            observer,
            tenants: BTreeMap::new(),
            troubled: false,
            failing: false,
            meter: Meter::default(),
            served: served.clone(),
            mail,
            moves,
            heartbeat_at,
            mend_at: Instant::now(),
        };
        for (id, its) in tenants {
            drive.open_tenant(&id, None, its.into(), seed()).await?;
        }
        let meter = drive.meter.clone();
        Ok((drive, Handle { mail: sender, moves: mover, served, meter }))
    }

    async fn open_tenant(
        &mut self,
        id: &TenantId,
        leased: Option<Arc<dyn Store>>,
        its: InForce,
        seed: u64,
    ) -> Result<(), Error> {
        let opened = leased.as_ref().unwrap_or(&self.store).open(id).await?;
        let (engine, snapshot_at) = tenant::load(self.store.as_ref(), id, opened.snapshot).await?;
        self.clock.not_before(engine.now().max(opened.alive_at.unwrap_or_default()));
        let loaded = engine.seq();
        self.tenants.insert(id.clone(), Tenant::new(engine, opened.epoch, snapshot_at, leased));
        let mut tries = 0;
        loop {
            self.first_rows(id, loaded, opened.alive_at, seed)?;
            match self.commit().await {
                Ok(_) => break,
                Err(journal::Error::Unknown(_)) if tries < RETRIES_MAX => {
                    tries += 1;
                    self.reload().await.map_err(|Stopped(e)| e)?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        // Hours come first: a queue whose schedule the engine did not know would be closed.
        if let Some(hours) = its.hours {
            self.daemon_wish(id, Wish::SetHours { hours }).await?;
        }
        self.daemon_wish(id, Wish::Configure { policy: Box::new(its.policy) }).await?;
        if let Some(day) = its.day {
            self.daemon_wish(id, Wish::BeginDay { day }).await?;
        }
        if let Some(tenant) = self.tenants.get(id) {
            self.served.begin(id, tenant.head.subscribe());
            self.observer.reloaded(id, &tenant.engine);
        }
        Ok(())
    }

    /// A tenant comes or a shard goes.
    async fn carry_out(&mut self, moving: Move) -> Result<(), Stopped> {
        match moving {
            Move::Take { lease, tenant, its, seed, answer } => {
                let taken = self.take(lease, &tenant, *its, seed).await;
                if let Err(error) = &taken {
                    tracing::warn!(%tenant, %error, "it could not be taken over");
                    self.forget(&tenant);
                }
                // The keeper may be gone: then the process is about to end.
                let _ = answer.send(taken);
            }
            Move::Leave { shard, answer } => {
                let now = self.clock.now();
                for id in self.of(shard) {
                    if let Some(tenant) = self.tenants.get_mut(&id).filter(|t| !t.stale) {
                        beat(self.store.as_ref(), &id, tenant, now).await;
                        save_snapshot(self.store.as_ref(), &id, tenant).await;
                    }
                    self.forget(&id);
                }
                let _ = answer.send(());
            }
            Move::Lose { shard } => self.of(shard).iter().for_each(|id| self.lose(id)),
        }
        Ok(())
    }

    async fn take(&mut self, lease: Lease, id: &TenantId, its: InForce, seed: u64) -> Result<(), Error> {
        if self.tenants.contains_key(id) {
            return Ok(());
        }
        let leased = self.store.under(lease).unwrap_or_else(|| self.store.clone());
        self.open_tenant(id, Some(leased), its, seed).await
    }

    fn of(&self, shard: Shard) -> Vec<TenantId> {
        self.tenants.keys().filter(|id| Shard::of(id) == shard).cloned().collect()
    }

    /// What stands first in this process's part of the journal, unless a commit of unknown outcome has kept it: the
    /// opening, or how long the daemon was down, before anything can come due (F2).
    fn first_rows(
        &mut self,
        id: &TenantId,
        loaded: Seq,
        alive_at: Option<Timestamp>,
        seed: u64,
    ) -> Result<(), Error> {
        let Some(tenant) = self.tenants.get_mut(id) else { return Ok(()) };
        if tenant.engine.seq() != loaded {
            return Ok(());
        }
        let now = tenant.now(self.clock.now());
        if loaded == Seq(0) {
            tenant.take(now, vec![opening(seed)]);
            return Ok(());
        }
        let down = alive_at.map_or(tieline_model::Millis(0), |alive| now.since(alive));
        let events = tenant.engine.decide(now, &daemon_command(Wish::Resume { down })?);
        tenant.take(now, events.map_err(Error::Settings)?);
        Ok(())
    }

    async fn daemon_wish(&mut self, tenant: &TenantId, wish: Wish) -> Result<(), Error> {
        let command = daemon_command(wish)?;
        let (answer, answered) = oneshot::channel();
        let mail = Mail::Submit(Box::new(Request::new(tenant.clone(), command)), answer);
        self.turn(vec![mail]).await.map_err(|Stopped(e)| e)?;
        match answered.await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(refusal)) => Err(Error::Settings(refusal)),
            Err(_) => Err(Error::Settings(Refusal::new(Code::Unavailable, "no answer"))),
        }
    }

    /// Runs until all handles are gone or `stop` resolves, then answers what lies in the mailbox and keeps
    /// snapshots.
    ///
    /// # Errors
    /// The journal is lost to this process.
    pub async fn run(mut self, stop: impl Future<Output = ()> + Send) -> Result<(), Stopped> {
        tokio::pin!(stop);
        loop {
            let nap = self.nap();
            let first = tokio::select! {
                biased;
                () = &mut stop => break,
                Some(moving) = self.moves.recv() => {
                    self.carry_out(moving).await?;
                    continue;
                }
                mail = self.mail.recv() => match mail {
                    Some(mail) => Some(mail),
                    None => break,
                },
                () = tokio::time::sleep(nap) => None,
            };
            self.mend().await?;
            let batch = self.batch(first);
            self.turn(batch).await?;
            if self.clock.now().0 - self.heartbeat_at.0 >= HEARTBEAT_MS {
                self.heartbeat().await;
            }
        }
        self.mail.close();
        self.moves.close();
        loop {
            let batch = self.batch(None);
            if batch.is_empty() {
                break;
            }
            self.turn(batch).await?;
        }
        // To the millisecond, so that a stop in order gives running timers nothing on top.
        self.heartbeat().await;
        for (id, tenant) in self.tenants.iter_mut().filter(|(_, t)| !t.stale) {
            save_snapshot(self.store.as_ref(), id, tenant).await;
        }
        Ok(())
    }

    /// Tries again to make stale engines anew.
    async fn mend(&mut self) -> Result<(), Stopped> {
        let stale = self.tenants.iter().filter(|(_, t)| t.stale);
        let stale: Vec<TenantId> = stale.map(|(id, _)| id.clone()).collect();
        if stale.is_empty() || Instant::now() < self.mend_at {
            return Ok(());
        }
        self.mend_at = Instant::now() + TROUBLE_PAUSE;
        for id in stale {
            self.reload_one(&id).await?;
        }
        Ok(())
    }

    fn batch(&mut self, first: Option<Mail>) -> Vec<Mail> {
        let mut batch: Vec<Mail> = first.into_iter().collect();
        let mut commands = batch.iter().map(Mail::commands).sum::<usize>();
        while batch.len().max(commands) < BATCH_MAX
            && let Ok(mail) = self.mail.try_recv()
        {
            commands += mail.commands();
            batch.push(mail);
        }
        batch
    }

    /// How long nothing has to happen unless mail comes.
    fn nap(&mut self) -> Duration {
        if std::mem::take(&mut self.troubled) {
            return TROUBLE_PAUSE;
        }
        let clock = self.clock.now();
        if self.tenants.values().any(|t| t.stale) {
            return TROUBLE_PAUSE;
        }
        let next =
            self.tenants.values().filter_map(|t| Some(t.engine.next_deadline()?.0.since(t.now(clock)))).min();
        next.map_or(Duration::from_secs(3_600), |left| Duration::from_millis(left.0).min(SLICE))
    }

    /// Says that the owner lives, where a timer would need to know how long it was down.
    async fn heartbeat(&mut self) {
        let now = self.clock.now();
        self.heartbeat_at = now;
        for (id, tenant) in self.tenants.iter().filter(|(_, t)| !t.stale) {
            beat(self.store.as_ref(), id, tenant, now).await;
        }
    }
}

async fn beat(store: &dyn Store, id: &TenantId, tenant: &Tenant, clock: Timestamp) {
    if tenant.engine.next_deadline().is_some()
        && let Err(error) = store.heartbeat(id, tenant.epoch, tenant.now(clock)).await
    {
        tracing::warn!(tenant = %id, %error, "heartbeat not kept");
    }
}

fn daemon_command(wish: Wish) -> Result<Command, Error> {
    let id = CommandId::new(uuid::Uuid::new_v4().to_string());
    let id = id.map_err(|e| Error::Settings(Refusal::new(Code::Invalid, e.to_string())))?;
    Ok(Command { id, by: Actor::Daemon, wish })
}

/// Why the engines could not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The journal.
    #[error(transparent)]
    Journal(#[from] journal::Error),
    /// The engine refuses the settings.
    #[error("the settings cannot take effect: {0}")]
    Settings(Refusal),
}
