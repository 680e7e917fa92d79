//! Faults put into the swapped parts on purpose, so that it is seen that the simulator finds such things.

use super::store::Shaky;
use futures::FutureExt;
use std::sync::atomic::{AtomicU64, Ordering};
use tieline::journal::{Commit, Opened, Store};
use tieline_model::{Seq, Timestamp};

/// What is wrong with a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plant {
    /// A commit is said to be kept before it is; the next one brings it along, and a crash loses it.
    AnsweredEarly,
    /// A commit is said to be kept and is thrown away.
    BatchLost,
    /// Commands carried out are not remembered.
    CommandsForgotten,
    /// What people wrote is not kept with the rows.
    ContentLost,
    /// Another process may write although it lost the journal: nobody looks at epoch and head.
    EpochIgnored,
    /// The clock runs fast, so that timers fire early.
    ClockFast,
    /// When the last process lived is not known, so that downtime counts.
    AliveUnknown,
    /// A snapshot says something else than the rows do.
    SnapshotWrong,
    /// The rows of an interaction come in another order.
    RowsReordered,
    /// A log that is wanted is forgotten.
    WantLost,
    /// What a connector has done so far is forgotten, so that a delivery is doubled.
    ProgressForgotten,
    /// The CRM keeps what is sent twice at once, twice.
    RecordDoubled,
}

/// All of them.
pub const ALL: [Plant; 12] = [
    Plant::AnsweredEarly,
    Plant::BatchLost,
    Plant::CommandsForgotten,
    Plant::ContentLost,
    Plant::EpochIgnored,
    Plant::ClockFast,
    Plant::AliveUnknown,
    Plant::SnapshotWrong,
    Plant::RowsReordered,
    Plant::WantLost,
    Plant::ProgressForgotten,
    Plant::RecordDoubled,
];

/// Counts commits, for those faults that come now and then.
#[derive(Default)]
pub struct Count(AtomicU64);

impl Count {
    fn every(&self, n: u64) -> bool {
        self.0.fetch_add(1, Ordering::Relaxed) % n == n - 1
    }
}

impl Plant {
    /// What becomes of a commit.
    pub fn commit(self, store: &Shaky, commit: &Commit) -> Commit {
        let mut commit = commit.clone();
        match self {
            Self::AnsweredEarly => {
                // Kept back until the next one.
                let mut held = store.held.lock().unwrap();
                let before = held.pop();
                held.push(commit);
                return before.unwrap_or_default();
            }
            Self::BatchLost if store.count.every(40) => return Vec::new(),
            Self::CommandsForgotten => commit.iter_mut().for_each(|(_, _, batch)| batch.commands.clear()),
            Self::ContentLost if store.count.every(10) => {
                commit.iter_mut().for_each(|(_, _, batch)| batch.content.clear());
            }
            Self::EpochIgnored => {
                let newest = *store.newest.lock().unwrap();
                for (tenant, epoch, batch) in &mut commit {
                    *epoch = newest.unwrap_or(*epoch);
                    let rows = store.disk.read(tenant, Seq(0), u32::MAX).now_or_never();
                    let rows = rows.expect("memory does not wait").expect("memory can be read");
                    let Some(last) = rows.last() else { continue };
                    for (row, n) in batch.rows.iter_mut().zip(1..) {
                        (row.seq, row.at) = (Seq(last.seq.0 + n), row.at.max(last.at));
                    }
                }
            }
            _ => {}
        }
        commit
    }

    /// What a process finds when it takes the journal over.
    pub fn opened(self, mut opened: Opened) -> Opened {
        match self {
            Self::AliveUnknown => opened.alive_at = None,
            Self::SnapshotWrong => {
                if let Some(snapshot) = &mut opened.snapshot
                    && let Ok(text) = String::from_utf8(snapshot.body.clone())
                {
                    snapshot.body =
                        text.replace("\"presence\":\"available\"", "\"presence\":\"stop_new\"").into_bytes();
                }
            }
            _ => {}
        }
        opened
    }

    /// How fast the clock runs, in percent.
    pub fn pace(self) -> i64 {
        if self == Self::ClockFast { 130 } else { 100 }
    }

    /// The clock of the daemon as the fault has it.
    pub fn time(plant: Option<Self>, passed: i64) -> Timestamp {
        Timestamp(passed * plant.map_or(100, Self::pace) / 100)
    }
}
