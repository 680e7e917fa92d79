//! The lines of a tenant by number. What is asked at every step goes by the number and not by the queue's id, which is a
//! text; numbers are given anew with the indexes, and no event and no snapshot holds one.

use crate::index::Line;
use crate::table::Table;
use tieline_model::QueueId;

/// A line's number: that of its queue among the queues of the settings, in the order of their ids, so that who comes
/// first by number comes first by id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LineNo(usize);

/// The lines of all queues that the settings know.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Lines {
    lines: Vec<Line>,
    numbers: Table<QueueId, LineNo>,
}

impl Lines {
    pub(crate) fn number(&self, queue: &QueueId) -> Option<LineNo> {
        self.numbers.get(queue).copied()
    }

    pub(crate) fn get(&self, number: LineNo) -> Option<&Line> {
        self.lines.get(number.0)
    }

    pub(crate) fn get_mut(&mut self, number: LineNo) -> Option<&mut Line> {
        self.lines.get_mut(number.0)
    }

    pub(crate) fn of(&self, queue: &QueueId) -> Option<&Line> {
        self.get(self.number(queue)?)
    }

    /// A line behind all others. Lines are added in the order of their queues.
    pub(crate) fn add(&mut self, line: Line) {
        self.numbers.insert(line.queue.clone(), LineNo(self.lines.len()));
        self.lines.push(line);
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (LineNo, &Line)> {
        self.lines.iter().enumerate().map(|(n, line)| (LineNo(n), line))
    }
}
