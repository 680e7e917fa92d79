//! The environment: its rows, and the steps back when a change set fails. No rules and no HTTP here.

use super::cell::Cell;
use super::schema::{Schema, Table};
use super::switches::Switches;
use std::collections::BTreeMap;
use time::OffsetDateTime;
use uuid::Uuid;

/// A row.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    /// Primary key.
    pub(crate) id: Uuid,
    /// What its columns hold.
    pub(crate) cells: BTreeMap<String, Cell>,
    /// Grows with every change; the etag.
    pub(crate) version: u64,
    /// When a search can find it.
    pub(crate) searchable_at: OffsetDateTime,
}

impl Row {
    /// A text of a column.
    pub(crate) fn text(&self, column: &str) -> Option<&str> {
        self.cells.get(column).and_then(Cell::text)
    }

    /// A number of a column.
    pub(crate) fn int(&self, column: &str) -> Option<i64> {
        self.cells.get(column).and_then(Cell::int)
    }

    /// The GUID in a column.
    pub(crate) fn points_at(&self, column: &str) -> Option<Uuid> {
        self.cells.get(column).and_then(Cell::id)
    }

    /// Sets or empties a column.
    pub(crate) fn set(&mut self, column: &str, cell: Option<Cell>) {
        match cell {
            Some(cell) => self.cells.insert(column.to_owned(), cell),
            None => self.cells.remove(column),
        };
    }

    /// The etag.
    pub(crate) fn etag(&self) -> String {
        format!("W/\"{}\"", self.version)
    }
}

/// A point that [`Org::rollback`] goes back to.
#[must_use]
pub(crate) struct Savepoint(usize);

struct Undo {
    table: String,
    id: Uuid,
    before: Option<Row>,
}

/// All that one environment holds.
pub(crate) struct Org {
    /// Tables and columns.
    pub(crate) schema: Schema,
    /// What is only remembered of the real thing, and policies.
    pub(crate) switches: Switches,
    /// The organization's id.
    pub(crate) id: Uuid,
    /// Grows with every change; the latest row version.
    pub(crate) revision: u64,
    /// Number of the next case.
    pub(crate) next_ticket: u64,
    rows: BTreeMap<String, BTreeMap<Uuid, Row>>,
    /// Ids in the order they were made, by table: what an unsorted query gives.
    order: BTreeMap<String, Vec<Uuid>>,
    undo: Vec<Undo>,
    /// Savepoints that are open.
    open: u32,
}

/// The present moment, without the part of a second that the API does not show.
pub(crate) fn now() -> OffsetDateTime {
    let at = OffsetDateTime::now_utc();
    at.replace_nanosecond(0).unwrap_or(at)
}

impl Org {
    /// An empty environment.
    pub(crate) fn new(schema: Schema, switches: Switches) -> Self {
        Self {
            schema,
            switches,
            id: Uuid::new_v4(),
            revision: 1_000_000,
            next_ticket: 1_001,
            rows: BTreeMap::new(),
            order: BTreeMap::new(),
            undo: Vec::new(),
            open: 0,
        }
    }

    /// A standard table.
    pub(crate) fn table(&self, name: &str) -> Table {
        self.schema.table(name).expect("a standard table").clone()
    }

    /// The rows of a table, in the order they were made.
    pub(crate) fn rows(&self, table: &str) -> impl Iterator<Item = &Row> {
        let rows = self.rows.get(table);
        let order = self.order.get(table).map(Vec::as_slice).unwrap_or_default();
        order.iter().filter_map(move |id| rows?.get(id))
    }

    /// A row.
    pub(crate) fn row(&self, table: &str, id: Uuid) -> Option<&Row> {
        self.rows.get(table)?.get(&id)
    }

    /// The table and row of an id, whatever the table.
    pub(crate) fn find(&self, id: Uuid) -> Option<(&Table, &Row)> {
        self.schema.all().find_map(|table| Some((table, self.row(&table.name, id)?)))
    }

    /// Writes a row as it is, with a new version.
    pub(crate) fn put(&mut self, table: &str, mut row: Row) {
        self.revision += 1;
        row.version = self.revision;
        let id = row.id;
        let before = self.rows.entry(table.to_owned()).or_default().insert(id, row);
        if before.is_none() {
            self.order.entry(table.to_owned()).or_default().push(id);
        }
        if self.open > 0 {
            self.undo.push(Undo { table: table.to_owned(), id, before });
        }
    }

    /// Takes a row away; whether it was there.
    pub(crate) fn take(&mut self, table: &str, id: Uuid) -> bool {
        let Some(before) = self.rows.get_mut(table).and_then(|rows| rows.remove(&id)) else { return false };
        self.revision += 1;
        self.order.entry(table.to_owned()).or_default().retain(|one| *one != id);
        if self.open > 0 {
            self.undo.push(Undo { table: table.to_owned(), id, before: Some(before) });
        }
        true
    }

    /// Begins to remember changes.
    pub(crate) fn savepoint(&mut self) -> Savepoint {
        self.open += 1;
        Savepoint(self.undo.len())
    }

    /// Keeps all since a savepoint, as far as an outer one does.
    pub(crate) fn commit(&mut self, to: Savepoint) {
        debug_assert!(to.0 <= self.undo.len(), "savepoints end in the order they nest");
        self.open -= 1;
        if self.open == 0 {
            self.undo.clear();
        }
    }

    /// Takes back all since a savepoint.
    pub(crate) fn rollback(&mut self, to: Savepoint) {
        while self.undo.len() > to.0 {
            let Some(Undo { table, id, before }) = self.undo.pop() else { break };
            let rows = self.rows.entry(table.clone()).or_default();
            let order = self.order.entry(table).or_default();
            match before {
                Some(row) => {
                    if rows.insert(id, row).is_none() {
                        order.push(id);
                    }
                }
                None => {
                    rows.remove(&id);
                    order.retain(|one| *one != id);
                }
            }
        }
        self.open -= 1;
    }
}
