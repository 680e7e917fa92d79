//! One turn: a batch of mail, one commit, then the answers.

use super::handle::{Answer, Mail, between, poison};
use super::run::{Drive, Stopped};
use super::tenant::{self, Tenant};
use super::{Done, Request, digest, trace};
use crate::journal::{Batch, Commit, Error, NewContent, Recorded};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;
use tieline_model::{Code, ConversationId, Event, Refusal, TenantId};
use tracing::Instrument as _;

/// How often a turn is decided anew after a commit whose outcome is unknown.
pub(super) const RETRIES_MAX: u32 = 3;

/// A command that waits for the commit with what it will be answered.
struct Pending {
    request: Box<Request>,
    answer: Answer,
    verdict: Result<Verdict, Refusal>,
}

/// The conversation of a call that an event brings content of. Who reports a call cannot know it if the call was heard
/// of before, and what belongs to one conversation must lie under its one key, or erasing would miss it.
fn call_of(event: &Event) -> Option<ConversationId> {
    if let Event::CallRang { conversation, .. }
    | Event::CallDialled { conversation, .. }
    | Event::RecordingReady { conversation, .. } = event
    {
        return Some(*conversation);
    }
    None
}

/// What a command came to, before it is durable.
enum Verdict {
    /// It had been carried out before.
    Repeated(tieline_model::Seq),
    /// Rows of the batch from here to there are its.
    Rows { from: usize, to: usize, seq: tieline_model::Seq },
}

impl Drive {
    /// Handles a batch of mail.
    ///
    /// # Errors
    /// The journal is lost to this process: another owns it, or its disk failed.
    pub(super) async fn turn(&mut self, mail: Vec<Mail>) -> Result<(), Stopped> {
        let mut submits = Vec::new();
        let mut looks = Vec::new();
        for piece in mail {
            match piece {
                Mail::Submit(request, answer) => submits.push((request, answer)),
                Mail::SubmitAll(all) => submits.extend(all),
                Mail::Read(tenant, look) => looks.push((tenant, look)),
                Mail::HandOutNothing => self.tenants.values_mut().for_each(|t| t.draining = true),
            }
        }
        let mut tries = 0;
        loop {
            let mut pending = Vec::with_capacity(submits.len());
            for (request, answer) in submits.drain(..) {
                let verdict = self.decide(&request).await;
                pending.push(Pending { request, answer, verdict });
            }
            self.everything_due();
            match self.commit().await {
                Ok(done) => {
                    self.answer(pending, &done);
                    break;
                }
                Err(Error::Unknown(text)) if tries < RETRIES_MAX => {
                    tracing::warn!(%text, "commit outcome unknown; reloading and deciding again");
                    tries += 1;
                    self.reload().await?;
                    submits = pending.into_iter().map(|p| (p.request, p.answer)).collect();
                }
                // Another process has it now; what the others decided was in the same commit, and is decided again.
                Err(Error::Fenced(lost)) if self.tenants.get(&lost).is_some_and(|t| t.leased.is_some()) => {
                    self.lose(&lost);
                    self.reload().await?;
                    submits = pending.into_iter().map(|p| (p.request, p.answer)).collect();
                }
                Err(error) => {
                    self.refuse(pending, error).await?;
                    break;
                }
            }
        }
        for (tenant, look) in looks {
            look(self.tenants.get(&tenant).filter(|t| !t.stale).map(|t| &t.engine));
        }
        Ok(())
    }

    async fn decide(&mut self, request: &Request) -> Result<Verdict, Refusal> {
        let command = &request.command;
        let caller = digest::caller(&command.by);
        let digest = digest::of(request);
        let key = (caller, command.id.clone());
        let tenant = self.tenants.get_mut(&request.tenant).filter(|t| !t.stale).ok_or_else(between)?;
        let before = match tenant.fresh.get(&key) {
            Some((digest, seq)) => Some((*digest, *seq)),
            None => {
                let found = self.store.remembered(&request.tenant, &key.0, &key.1).await;
                found.map_err(|e| unavailable(&e))?.map(|r| (r.digest, r.seq))
            }
        };
        if let Some((known, seq)) = before {
            if known == digest {
                return Ok(Verdict::Repeated(seq));
            }
            let message =
                "this command id was used before for something else; use a new id for a new command";
            return Err(Refusal::new(Code::IdReused, message).field("id"));
        }
        let now = tenant.now(self.clock.now());
        // What came due before this command was handed in happens first.
        tenant.follow_up(now);
        let from = tenant.batch.rows.len();
        let decided = catch_unwind(AssertUnwindSafe(|| tenant.engine.decide(now, command)));
        let events = decided.unwrap_or_else(|_| {
            tracing::error!(tenant = %request.tenant, id = %command.id, "a command made the engine panic; it changed nothing");
            Err(poison())
        })?;
        if events.is_empty() {
            return Ok(Verdict::Rows { from, to: from, seq: tenant.engine.seq() });
        }
        let talk = events.iter().find_map(call_of);
        tenant.take(now, events);
        let to = tenant.batch.rows.len();
        tenant.follow_up(now);
        let content = request.content.iter().cloned();
        tenant.batch.content.extend(content.map(|piece| {
            let conversation = talk.unwrap_or(piece.conversation);
            NewContent { conversation, ..piece }
        }));
        let handles = request.handles.iter().cloned();
        tenant.batch.handles.extend(handles.map(|(minted, handle)| (talk.unwrap_or(minted), handle)));
        tenant.remember(key.0, key.1, digest);
        Ok(Verdict::Rows { from, to, seq: tenant.engine.seq() })
    }

    /// Deadlines of tenants that got no mail.
    fn everything_due(&mut self) {
        let clock = self.clock.now();
        for tenant in self.tenants.values_mut().filter(|t| !t.stale) {
            let now = tenant.now(clock);
            tenant.follow_up(now);
        }
    }

    /// Commits what this turn added and shows it to the observer.
    pub(super) async fn commit(&mut self) -> Result<Vec<(TenantId, Batch)>, Error> {
        let dirty = self.tenants.iter_mut().filter(|(_, t)| !t.batch.rows.is_empty());
        let commit: Commit =
            dirty.map(|(id, t)| (id.clone(), t.epoch, std::mem::take(&mut t.batch))).collect();
        for tenant in self.tenants.values_mut() {
            tenant.fresh.clear();
        }
        if commit.is_empty() {
            return Ok(Vec::new());
        }
        let began = Instant::now();
        let span = tracing::info_span!(target: trace::TARGET, "commit", tenants = commit.len());
        let outcome = self.store.commit(&commit).instrument(span).await;
        self.meter.commit_seconds.observe(began.elapsed().as_secs_f64());
        if let Err(error) = outcome {
            self.meter.commits_failed.inc();
            return Err(error);
        }
        self.meter.rows.inc_by(commit.iter().map(|(_, _, batch)| batch.rows.len() as u64).sum());
        if std::mem::take(&mut self.failing) {
            self.observer.trouble(None);
        }
        let mut done = Vec::with_capacity(commit.len());
        for (id, _, batch) in commit {
            if let Some(tenant) = self.tenants.get(&id) {
                self.observer.committed(&id, &tenant.engine, &batch.rows, &batch.content);
                tenant.head.send_replace(tenant.engine.seq());
            }
            done.push((id, batch));
        }
        self.snapshots().await;
        Ok(done)
    }

    async fn snapshots(&mut self) {
        for (id, tenant) in &mut self.tenants {
            if tenant.snapshot_due() {
                save_snapshot(self.store.as_ref(), id, tenant).await;
            }
        }
    }

    fn answer(&self, pending: Vec<Pending>, done: &[(TenantId, Batch)]) {
        for Pending { request, answer, verdict } in pending {
            let rows = done.iter().find(|(id, _)| *id == request.tenant).map_or(&[][..], |(_, b)| &b.rows);
            // The caller may be gone; what it asked for is kept all the same.
            let _ = answer.send(verdict.map(|v| finish(v, rows)));
        }
    }

    /// Nothing of the turn was kept: throw it away, say so, or stop if the journal is lost to us.
    async fn refuse(&mut self, pending: Vec<Pending>, error: Error) -> Result<(), Stopped> {
        tracing::error!(%error, commands = pending.len(), "commit failed");
        self.failing = true;
        self.observer.trouble(Some(&error.to_string()));
        let refusal = unavailable(&error);
        for waiting in pending {
            let _ = waiting.answer.send(Err(refusal.clone()));
        }
        match error {
            Error::Fenced(_) | Error::Fatal(_) | Error::Unreadable(_) => Err(Stopped(error)),
            Error::Full | Error::Refused(_) | Error::Unknown(_) | Error::Unreachable(_) => {
                self.reload().await?;
                self.troubled = true;
                Ok(())
            }
        }
    }

    /// Makes the engines of all tenants anew from the journal.
    pub(super) async fn reload(&mut self) -> Result<(), Stopped> {
        let all: Vec<TenantId> = self.tenants.keys().cloned().collect();
        for id in all {
            self.reload_one(&id).await?;
        }
        Ok(())
    }

    /// Makes one engine anew. Where the database is away it stays stale, to be tried again; where another process
    /// has the tenant, it is let go.
    pub(super) async fn reload_one(&mut self, id: &TenantId) -> Result<(), Stopped> {
        let Some(tenant) = self.tenants.get_mut(id) else { return Ok(()) };
        tenant.batch = Batch::default();
        tenant.fresh.clear();
        tenant.stale = true;
        let loaded = match &tenant.leased {
            // Opening waits for a commit of our own that may still be under way over there.
            Some(leased) => match leased.open(id).await {
                Ok(opened) => tenant::load(self.store.as_ref(), id, opened.snapshot)
                    .await
                    .map(|(engine, snapshot_at)| (engine, snapshot_at, opened.epoch)),
                Err(error) => Err(error),
            },
            None => tenant::load(self.store.as_ref(), id, None)
                .await
                .map(|(engine, snapshot_at)| (engine, snapshot_at, tenant.epoch)),
        };
        match loaded {
            Ok((engine, snapshot_at, epoch)) => {
                tenant.engine = engine;
                tenant.snapshot_at = snapshot_at;
                tenant.epoch = epoch;
                tenant.stale = false;
                tenant.head.send_replace(tenant.engine.seq());
                self.observer.reloaded(id, &tenant.engine);
                Ok(())
            }
            Err(Error::Fenced(_)) if tenant.leased.is_some() => {
                self.lose(id);
                Ok(())
            }
            Err(Error::Unreachable(text)) => {
                tracing::warn!(tenant = %id, %text, "its state cannot be read; trying again");
                Ok(())
            }
            Err(error) => Err(Stopped(error)),
        }
    }

    /// Lets go of a tenant that another process has.
    pub(super) fn lose(&mut self, id: &TenantId) {
        if self.forget(id) {
            tracing::warn!(tenant = %id, "it is served by another process now");
        }
    }

    /// True if it was here.
    pub(super) fn forget(&mut self, id: &TenantId) -> bool {
        let was_here = self.tenants.remove(id).is_some();
        if was_here {
            self.served.end(id);
            self.observer.left(id);
        }
        was_here
    }
}

fn finish(verdict: Verdict, rows: &[Recorded]) -> Done {
    match verdict {
        Verdict::Repeated(seq) => Done { seq, repeated: true, events: Vec::new() },
        Verdict::Rows { from, to, seq } => {
            let events = rows.get(from..to).map(<[Recorded]>::to_vec).unwrap_or_default();
            Done { seq, repeated: false, events }
        }
    }
}

fn unavailable(error: &Error) -> Refusal {
    let message = match error {
        // Of what stood in a commit whose sync failed, the disk may have kept all or nothing.
        Error::Unknown(_) | Error::Fatal(_) => {
            format!("{error}; send it again under the same id, and it counts once")
        }
        Error::Fenced(_) | Error::Full | Error::Refused(_) | Error::Unreachable(_) | Error::Unreadable(_) => {
            format!("the journal takes no commits now ({error}); nothing was changed, try again in a moment")
        }
    };
    let code = if matches!(error, Error::Full) { Code::Full } else { Code::Unavailable };
    Refusal::new(code, message)
}

pub(super) async fn save_snapshot(store: &dyn crate::journal::Store, id: &TenantId, tenant: &mut Tenant) {
    let saved = match tenant.snapshot() {
        Ok(snapshot) => store.save_snapshot(id, &snapshot).await.map_err(|e| e.to_string()),
        Err(error) => Err(error.to_string()),
    };
    match saved {
        Ok(()) => tenant.snapshot_at = tenant.engine.seq(),
        // A snapshot only saves time at the next start.
        Err(error) => tracing::warn!(tenant = %id, %error, "snapshot not saved"),
    }
}

/// The first event of a tenant's journal.
pub(super) fn opening(seed: u64) -> Event {
    Event::TenantOpened { seed }
}
