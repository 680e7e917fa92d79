//! How the rest of the process reaches the engines.

use super::meter::{Ended, Meter};
use super::run::InForce;
use super::{Done, Request, trace};
use crate::journal::{self, Lease, Part, Picture, Shard};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;
use tieline_engine::Engine;
use tieline_model::{Actor, Code, Command, CommandId, Refusal, Seq, TenantId, Wish};
use tokio::sync::{mpsc, oneshot, watch};
use uuid::Uuid;

/// A look at an engine, run by its owner between commits.
pub(super) type Look = Box<dyn FnOnce(Option<&Engine>) + Send>;

/// Where what came of a command is told.
pub(super) type Answer = oneshot::Sender<Result<Done, Refusal>>;

/// What can lie in the mailbox.
pub(super) enum Mail {
    /// A command.
    Submit(Box<Request>, Answer),
    /// Commands that are carried out in this order and by one commit.
    SubmitAll(Vec<(Box<Request>, Answer)>),
    /// A look.
    Read(TenantId, Look),
    /// From now on no chat is handed out.
    HandOutNothing,
}

impl Mail {
    /// How many commands it is.
    pub(super) fn commands(&self) -> usize {
        match self {
            Self::Submit(..) => 1,
            Self::SubmitAll(all) => all.len(),
            Self::Read(..) | Self::HandOutNothing => 0,
        }
    }
}

/// How tenants come to this process and leave it while it runs.
pub(super) enum Move {
    /// Take one over under a lease; `seed` is for a journal that is empty.
    Take {
        lease: Lease,
        tenant: TenantId,
        its: Box<InForce>,
        seed: u64,
        answer: oneshot::Sender<Result<(), super::Error>>,
    },
    /// Let all tenants of a shard go, in order: what is decided is durable, and a snapshot is kept.
    Leave { shard: Shard, answer: oneshot::Sender<()> },
    /// Forget all tenants of a shard at once: the lease is another's, or may be.
    Lose { shard: Shard },
}

/// Where a tenant is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whereabouts {
    /// By this process.
    Here,
    /// By another one, which takes what is forwarded to it at this address. The epoch is its lease's.
    There {
        /// `host:port`.
        address: String,
        /// Of its lease.
        epoch: journal::Epoch,
    },
    /// By nobody at this moment, or by one that takes nothing; in a few seconds somebody will have taken it over.
    Nowhere,
}

/// The tenants that this process serves, as everybody may read them.
pub(super) struct Served {
    heads: RwLock<BTreeMap<TenantId, watch::Receiver<Seq>>>,
    names: watch::Sender<Arc<BTreeSet<TenantId>>>,
    picture: watch::Sender<Arc<Picture>>,
    /// Under which epoch this process holds a shard's engines.
    epochs: RwLock<BTreeMap<Shard, journal::Epoch>>,
}

impl Served {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            heads: RwLock::default(),
            names: watch::Sender::new(Arc::default()),
            picture: watch::Sender::new(Arc::default()),
            epochs: RwLock::default(),
        })
    }

    pub(super) fn begin(&self, tenant: &TenantId, head: watch::Receiver<Seq>) {
        self.heads.write().unwrap_or_else(PoisonError::into_inner).insert(tenant.clone(), head);
        self.tell();
    }

    pub(super) fn end(&self, tenant: &TenantId) {
        self.heads.write().unwrap_or_else(PoisonError::into_inner).remove(tenant);
        self.tell();
    }

    fn tell(&self) {
        let names = self.read(|heads| heads.keys().cloned().collect());
        self.names.send_replace(Arc::new(names));
    }

    fn read<R>(&self, look: impl FnOnce(&BTreeMap<TenantId, watch::Receiver<Seq>>) -> R) -> R {
        look(&self.heads.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The mailbox of the engines. Cheap to clone.
#[derive(Clone)]
pub struct Handle {
    pub(super) mail: mpsc::Sender<Mail>,
    pub(super) moves: mpsc::Sender<Move>,
    pub(super) served: Arc<Served>,
    pub(super) meter: Meter,
}

impl Handle {
    /// Hands a command in and waits until it is durable or refused.
    ///
    /// # Errors
    /// The engine's refusal; `busy` when the mailbox is full; `unavailable` when the journal takes no commits.
    pub async fn submit(&self, request: Request) -> Result<Done, Refusal> {
        let began = Instant::now();
        let span = command_span(&request);
        let outcome = self.hand_in(request).await;
        self.note(&outcome, began, span);
        outcome
    }

    /// Hands a tenant's commands in, to be carried out in this order and by one commit, and waits until each is
    /// durable or refused. They count as one in the mailbox, so whoever calls bounds how many there are.
    ///
    /// # Errors
    /// Each its own, as [`Self::submit`]; what keeps one of them from being handed in keeps all.
    pub async fn submit_all(&self, requests: Vec<Request>) -> Vec<Result<Done, Refusal>> {
        let began = Instant::now();
        let spans: Vec<_> = requests.iter().map(command_span).collect();
        let outcomes = self.hand_in_all(requests).await;
        for (outcome, span) in outcomes.iter().zip(spans) {
            self.note(outcome, began, span);
        }
        outcomes
    }

    fn note(&self, outcome: &Result<Done, Refusal>, began: Instant, span: tracing::Span) {
        let result = match outcome {
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
    }

    async fn hand_in(&self, request: Request) -> Result<Done, Refusal> {
        self.is_here(&request.tenant)?;
        let (answer, answered) = oneshot::channel();
        self.put(Mail::Submit(Box::new(request), answer))?;
        answered.await.unwrap_or_else(|_| Err(stopping()))
    }

    async fn hand_in_all(&self, requests: Vec<Request>) -> Vec<Result<Done, Refusal>> {
        let many = requests.len();
        let mut waiting = Vec::with_capacity(many);
        let mut mail = Vec::with_capacity(many);
        let here = requests.iter().try_for_each(|request| self.is_here(&request.tenant));
        for request in requests {
            let (answer, answered) = oneshot::channel();
            mail.push((Box::new(request), answer));
            waiting.push(answered);
        }
        if let Err(refusal) = here.and_then(|()| self.put(Mail::SubmitAll(mail))) {
            return vec![Err(refusal); many];
        }
        let mut outcomes = Vec::with_capacity(many);
        for answered in waiting {
            outcomes.push(answered.await.unwrap_or_else(|_| Err(stopping())));
        }
        outcomes
    }

    /// Whether a command was refused because its tenant is not served by this process.
    #[must_use]
    pub fn means_elsewhere(refusal: &Refusal) -> bool {
        *refusal == no_tenant()
    }

    /// Whether a command was refused because carrying it out made the engine panic.
    #[must_use]
    pub fn means_poison(refusal: &Refusal) -> bool {
        *refusal == poison()
    }

    fn put(&self, mail: Mail) -> Result<(), Refusal> {
        match self.mail.try_send(mail) {
            Ok(()) => Ok(()),
            Err(mpsc::error::TrySendError::Full(_)) => Err(Refusal::new(
                Code::Busy,
                "the daemon has more to do than it takes in; try again in a second",
            )),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(stopping()),
        }
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
        self.is_here(tenant)?;
        self.mail.send(Mail::Read(tenant.clone(), look)).await.map_err(|_| stopping())?;
        answered.await.map_err(|_| stopping())?.ok_or_else(between)
    }

    /// Whether the engines' owner answers; waits until it does.
    pub async fn moves(&self) -> bool {
        // A look at no tenant in particular is answered in its turn like any other.
        let (answer, answered) = oneshot::channel();
        let look: Look = Box::new(move |_| {
            // The asker may have given up.
            let _ = answer.send(());
        });
        let anybody = self.served.read(|heads| heads.keys().next().cloned());
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
        for tenant in self.tenants() {
            match self.own(&tenant, Wish::Drain).await {
                // It went to another process meanwhile.
                Err(refusal) if refusal.code == Code::NotFound => {}
                done => drop(done?),
            }
        }
        Ok(())
    }

    /// A wish of the daemon's own. It waits for room in the mailbox, so it is never refused as busy.
    ///
    /// # Errors
    /// The engine's refusal; `unavailable` when the journal takes no commits or the daemon is stopping.
    pub async fn own(&self, tenant: &TenantId, wish: Wish) -> Result<Done, Refusal> {
        self.is_here(tenant)?;
        let id = CommandId::new(Uuid::new_v4().to_string()).expect("a UUID is printable ASCII");
        let request = Request::new(tenant.clone(), Command { id, by: Actor::Daemon, wish });
        let (answer, answered) = oneshot::channel();
        self.mail.send(Mail::Submit(Box::new(request), answer)).await.map_err(|_| stopping())?;
        answered.await.map_err(|_| stopping())?
    }

    /// The head of a tenant's journal; moves after each commit.
    #[must_use]
    pub fn head(&self, tenant: &TenantId) -> Option<watch::Receiver<Seq>> {
        self.served.read(|heads| heads.get(tenant).cloned())
    }

    fn is_here(&self, tenant: &TenantId) -> Result<(), Refusal> {
        self.served.read(|heads| heads.contains_key(tenant)).then_some(()).ok_or_else(no_tenant)
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

    /// The tenants of this process, as they are now.
    #[must_use]
    pub fn tenants(&self) -> Vec<TenantId> {
        self.served.read(|heads| heads.keys().cloned().collect())
    }

    /// The tenants of this process, now and whenever they change.
    #[must_use]
    pub fn owned(&self) -> watch::Receiver<Arc<BTreeSet<TenantId>>> {
        self.served.names.subscribe()
    }

    /// Who holds what, as this process last saw it; empty where one process has the journal to itself.
    #[must_use]
    pub fn picture(&self) -> watch::Receiver<Arc<Picture>> {
        self.served.picture.subscribe()
    }

    /// Where a tenant is served, as this process last saw it.
    #[must_use]
    pub fn whereabouts(&self, tenant: &TenantId) -> Whereabouts {
        if self.is_here(tenant).is_ok() {
            return Whereabouts::Here;
        }
        match self.served.picture.borrow().holders.get(&(Shard::of(tenant), Part::Engines)) {
            Some(journal::Holder { address: Some(address), epoch, .. }) => {
                Whereabouts::There { address: address.clone(), epoch: *epoch }
            }
            Some(journal::Holder { address: None, .. }) | None => Whereabouts::Nowhere,
        }
    }

    /// Under which epoch this process holds the engine of a tenant; `None` if it does not, or needs no lease for it.
    #[must_use]
    pub fn epoch_of(&self, tenant: &TenantId) -> Option<journal::Epoch> {
        let epochs = self.served.epochs.read().unwrap_or_else(PoisonError::into_inner);
        epochs.get(&Shard::of(tenant)).copied()
    }

    fn holds(&self, shard: Shard, epoch: Option<journal::Epoch>) {
        let mut epochs = self.served.epochs.write().unwrap_or_else(PoisonError::into_inner);
        match epoch {
            Some(epoch) => epochs.insert(shard, epoch),
            None => epochs.remove(&shard),
        };
    }

    pub(super) fn saw(&self, picture: Picture) {
        self.served.picture.send_replace(Arc::new(picture));
    }

    /// Takes a tenant over under a lease and puts its settings into force.
    pub(super) async fn take(
        &self,
        lease: Lease,
        tenant: TenantId,
        its: InForce,
        seed: u64,
    ) -> Result<(), super::Error> {
        self.holds(lease.shard, Some(lease.epoch));
        let (answer, answered) = oneshot::channel();
        let its = Box::new(its);
        let sent = self.moves.send(Move::Take { lease, tenant, its, seed, answer }).await;
        sent.map_err(|_| super::Error::Settings(stopping()))?;
        answered.await.unwrap_or_else(|_| Err(super::Error::Settings(stopping())))
    }

    /// Lets a shard's tenants go in order, and waits for it.
    pub(super) async fn leave(&self, shard: Shard) {
        self.holds(shard, None);
        let (answer, answered) = oneshot::channel();
        if self.moves.send(Move::Leave { shard, answer }).await.is_ok() {
            // A dropped answer means that the engines have stopped, and with them the shard.
            let _ = answered.await;
        }
    }

    /// Forgets a shard's tenants at once.
    pub(super) async fn lose(&self, shard: Shard) {
        self.holds(shard, None);
        // A closed channel means that the engines have stopped.
        let _ = self.moves.send(Move::Lose { shard }).await;
    }
}

fn command_span(request: &Request) -> tracing::Span {
    tracing::info_span!(target: trace::TARGET, "command", tenant = %request.tenant, event = tracing::field::Empty)
}

/// A code as the API writes it.
fn word(code: Code) -> String {
    let value = serde_json::to_value(code).ok();
    value.as_ref().and_then(|v| v.as_str()).unwrap_or("refused").to_owned()
}

pub(super) fn no_tenant() -> Refusal {
    Refusal::new(Code::NotFound, "there is no contact centre of this name here")
}

/// It changed nothing, and would do the same again.
pub(super) fn poison() -> Refusal {
    Refusal::new(Code::Unavailable, "this command could not be carried out; the operator has been told")
}

/// Its state is being made anew from the journal, or it has just gone to another process.
pub(super) fn between() -> Refusal {
    Refusal::new(
        Code::Unavailable,
        "the journal cannot be reached, or another machine is taking over; try again in a few seconds",
    )
}

fn stopping() -> Refusal {
    Refusal::new(Code::Unavailable, "the daemon is stopping; try again in a few seconds")
}
