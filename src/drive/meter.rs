//! What the engines' owner did and how long it took, for metrics.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Ended {
    /// `done`, `repeated`, or the refusal's code.
    pub(super) result: String,
}

/// Counters and timings of one process's engines. Cheap to clone; all clones count together.
#[derive(Debug, Clone)]
pub struct Meter {
    pub(super) commands: Family<Ended, Counter>,
    pub(super) commits_failed: Counter,
    pub(super) rows: Counter,
    pub(super) commit_seconds: Histogram,
    pub(super) command_seconds: Histogram,
}

impl Default for Meter {
    fn default() -> Self {
        // 0.1 ms to 6.5 s, and 0.1 ms to 26 s: a commit waits for one sync, a command may wait for several commits.
        let commit = exponential_buckets(0.000_1, 2.0, 17);
        let command = exponential_buckets(0.000_1, 2.0, 19);
        Self {
            commands: Family::default(),
            commits_failed: Counter::default(),
            rows: Counter::default(),
            commit_seconds: Histogram::new(commit),
            command_seconds: Histogram::new(command),
        }
    }
}

impl Meter {
    /// Enters them under their documented names (docs/metrics.md).
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "commands",
            "Commands by how they ended: done, repeated, or the code of the refusal",
            self.commands.clone(),
        );
        registry.register_with_unit(
            "command_duration",
            "From taking a command in to its answer, its commit included",
            Unit::Seconds,
            self.command_seconds.clone(),
        );
        registry.register_with_unit(
            "commit_duration",
            "One commit of the journal, synced",
            Unit::Seconds,
            self.commit_seconds.clone(),
        );
        registry.register(
            "commits_failed",
            "Commits that failed or whose outcome is unknown",
            self.commits_failed.clone(),
        );
        registry.register("journal_rows", "Events written to the journal", self.rows.clone());
    }
}
