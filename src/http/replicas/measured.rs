//! What was forwarded, and what was taken from others.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

type Labels = [(&'static str, &'static str); 2];

/// What is forwarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Request,
    Socket,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The owner answered, whatever it said.
    Done,
    /// No replica serves the contact centre, or none that can be asked.
    Nowhere,
    /// The owner cannot be reached.
    Unreachable,
    /// The connection to it broke before it answered.
    Broken,
    /// It did not answer in time.
    Late,
    /// It is not the owner, or not under the epoch that was believed.
    Moved,
}

/// What came of what another replica forwarded to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// It was answered here.
    Served,
    /// The contact centre is not served here, or under another epoch.
    Moved,
    /// It was nothing that one replica forwards to another.
    Misdirected,
}

/// Counts of one edge.
#[derive(Debug, Clone)]
pub(in crate::http) struct Counts {
    forwarded: Family<Labels, Counter>,
    taken: Family<[(&'static str, &'static str); 1], Counter>,
    /// Live sockets that go through to another replica.
    pub(super) sockets: Gauge,
}

impl Default for Counts {
    /// All are there from the start, so that the first failure is a rise from nought.
    fn default() -> Self {
        let new = Self { forwarded: Family::default(), taken: Family::default(), sockets: Gauge::default() };
        for kind in [Kind::Request, Kind::Socket] {
            for outcome in [
                Outcome::Done,
                Outcome::Nowhere,
                Outcome::Unreachable,
                Outcome::Broken,
                Outcome::Late,
                Outcome::Moved,
            ] {
                drop(new.forwarded.get_or_create(&labels(kind, outcome)));
            }
        }
        for taken in [Taken::Served, Taken::Moved, Taken::Misdirected] {
            drop(new.taken.get_or_create(&[("outcome", taken_word(taken))]));
        }
        new
    }
}

impl Counts {
    pub(super) fn forwarded(&self, kind: Kind, outcome: Outcome) {
        self.forwarded.get_or_create(&labels(kind, outcome)).inc();
    }

    pub(super) fn taken(&self, taken: Taken) {
        self.taken.get_or_create(&[("outcome", taken_word(taken))]).inc();
    }

    pub(in crate::http) fn register(&self, registry: &mut Registry) {
        let help = "Requests and sockets handed to the replica that serves their contact centre, by outcome";
        registry.register("forwarded", help, self.forwarded.clone());
        let help = "Requests and sockets that other replicas handed to this one, by outcome";
        registry.register("forwards_taken", help, self.taken.clone());
        registry.register(
            "sockets_forwarded",
            "Live sockets through to other replicas",
            self.sockets.clone(),
        );
    }
}

fn labels(kind: Kind, outcome: Outcome) -> Labels {
    let kind = match kind {
        Kind::Request => "request",
        Kind::Socket => "socket",
    };
    let outcome = match outcome {
        Outcome::Done => "done",
        Outcome::Nowhere => "nowhere",
        Outcome::Unreachable => "unreachable",
        Outcome::Broken => "broken",
        Outcome::Late => "late",
        Outcome::Moved => "moved",
    };
    [("kind", kind), ("outcome", outcome)]
}

fn taken_word(taken: Taken) -> &'static str {
    match taken {
        Taken::Served => "served",
        Taken::Moved => "moved",
        Taken::Misdirected => "misdirected",
    }
}
