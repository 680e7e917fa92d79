//! Whether messages move, and how many did.

use crate::settings::BusKind;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::watch;

macro_rules! counts {
    ($(#[doc = $doc:literal] $name:ident),+ $(,)?) => {
        /// How many messages, since the process started.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        pub struct Counts { $(#[doc = $doc] pub $name: u64,)+ }

        impl Counts {
            /// All of them by name, with what they count, for metrics.
            #[must_use]
            pub fn named(&self) -> Vec<(&'static str, &'static str, u64)> {
                vec![$((stringify!($name), $doc.trim_ascii().trim_end_matches('.'), self.$name)),+]
            }
        }

        /// The counters behind [`Counts`].
        #[derive(Debug, Default)]
        pub(crate) struct Counters { $(pub(crate) $name: AtomicU64,)+ }

        impl Counters {
            pub(crate) fn read(&self) -> Counts {
                Counts { $($name: self.$name.load(Ordering::Relaxed),)+ }
            }
        }
    };
}

counts! {
    /// Events handed to the broker; one that is published again counts again.
    published,
    /// Events a quorum of the broker confirmed.
    confirmed,
    /// Events that no queue wanted.
    returned,
    /// Events the broker refused to keep.
    nacked,
    /// Messages of producers that were carried out and acknowledged.
    taken,
    /// Those among them that had been carried out before.
    repeated,
    /// Messages of producers that were refused or unreadable.
    refused,
    /// Messages put into the parked queue.
    parked,
    /// Times a message waited because the daemon was full or its journal took nothing.
    deferred,
    /// Messages found in the wrong broker queue and published again under their own key.
    rerouted,
    /// Times an intake queue was handed to whoever serves its messages now.
    handed_over,
    /// Messages of connections' queues that were read and acknowledged.
    heard,
    /// Sessions with the broker that came up.
    sessions,
    /// Sessions that were given up.
    dropped,
}

pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// What the session with the broker is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// There is no broker to talk to; the journal's cursors do it.
    Embedded,
    /// Messages can move.
    Up,
    /// The broker takes no messages for now (memory or disk alarm).
    Blocked,
    /// There is no session; it is being tried again.
    Down,
}

/// Whether messages move.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// Which bus.
    pub kind: BusKind,
    /// What the session is doing.
    pub state: State,
    /// Since when it has been doing that.
    pub since: Instant,
    /// When the broker last confirmed a message of ours (a probe when there was nothing to say).
    pub last_confirm: Option<Instant>,
    /// When we last acknowledged a message of a producer or a connection's queue.
    pub last_ack: Option<Instant>,
    /// Messages that wait in the intake's broker queues, when last looked at.
    pub waiting: u64,
    /// Messages that lie in the parked queue for a person, when last looked at.
    pub parked: u64,
    /// What is wrong, in words for an operator.
    pub problem: Option<String>,
}

/// A confirm older than this means that nothing moves; a probe goes out well before.
const STALE: Duration = Duration::from_secs(15);

impl Health {
    pub(crate) fn new(kind: BusKind) -> Self {
        let state = match kind {
            BusKind::Embedded => State::Embedded,
            BusKind::Rabbitmq => State::Down,
        };
        Self {
            kind,
            state,
            since: Instant::now(),
            last_confirm: None,
            last_ack: None,
            waiting: 0,
            parked: 0,
            problem: None,
        }
    }

    /// Messages move: the embedded bus always; RabbitMQ while a session is up and a confirm came lately.
    #[must_use]
    pub fn moves(&self) -> bool {
        match self.state {
            State::Embedded => true,
            State::Up => self.last_confirm.is_some_and(|at| at.elapsed() < STALE),
            State::Blocked | State::Down => false,
        }
    }
}

/// Where the session writes down how it is.
#[derive(Debug)]
pub(crate) struct Pulse(watch::Sender<Health>);

impl Pulse {
    pub(crate) fn new(kind: BusKind) -> Self {
        Self(watch::Sender::new(Health::new(kind)))
    }
    pub(crate) fn subscribe(&self) -> watch::Receiver<Health> {
        self.0.subscribe()
    }
    pub(crate) fn health(&self) -> Health {
        self.0.borrow().clone()
    }

    pub(crate) fn becomes(&self, state: State, problem: Option<String>) {
        self.0.send_if_modified(|health| {
            let changed = health.state != state || health.problem != problem;
            if health.state != state {
                health.since = Instant::now();
            }
            if state == State::Down {
                // A confirm of this session says nothing about the next.
                health.last_confirm = None;
            }
            health.state = state;
            health.problem = problem;
            changed
        });
    }

    /// Times are not announced: readers take them when they look.
    pub(crate) fn confirmed(&self) {
        self.0.send_if_modified(|health| {
            let first = !health.moves();
            health.last_confirm = Some(Instant::now());
            first
        });
    }
    pub(crate) fn acknowledged(&self) {
        self.0.send_if_modified(|health| {
            health.last_ack = Some(Instant::now());
            false
        });
    }
    pub(crate) fn waiting(&self, intake: u64, parked: u64) {
        self.0.send_if_modified(|health| {
            (health.waiting, health.parked) = (intake, parked);
            false
        });
    }
}
