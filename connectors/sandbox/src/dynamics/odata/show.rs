//! Rows as JSON: selected columns, annotations as far as they were asked for, expanded rows.

use super::parse::Expand;
use super::{Options, check_expand, run};
use crate::dynamics::cell::Cell;
use crate::dynamics::error::Result;
use crate::dynamics::org::{Org, Row};
use crate::dynamics::schema::{Column, Kind, Table};
use serde_json::{Map, Value, json};

const FORMATTED: &str = "OData.Community.Display.V1.FormattedValue";
const TABLE: &str = "Microsoft.Dynamics.CRM.lookuplogicalname";
const NAVIGATION: &str = "Microsoft.Dynamics.CRM.associatednavigationproperty";

/// Which annotations `Prefer: odata.include-annotations` asked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Annotations(Vec<String>);

impl Annotations {
    /// Reads the preference's list.
    pub(crate) fn read(list: &str) -> Self {
        Self(list.split(',').map(|one| one.trim().to_owned()).filter(|one| !one.is_empty()).collect())
    }

    /// Whether an annotation is wanted.
    pub(crate) fn want(&self, name: &str) -> bool {
        self.0.iter().any(|pattern| match pattern.strip_suffix('*') {
            Some(front) => name.starts_with(front),
            None => pattern == name,
        })
    }

    /// Whether errors are to be told at length.
    pub(crate) fn details(&self) -> bool {
        self.want("Microsoft.PowerApps.CDS.ErrorDetails.ErrorCode")
    }
}

/// The path of a row below the service's root, as `@odata.bind` and `OData-EntityId` write it.
pub(crate) fn reference(table: &Table, id: uuid::Uuid) -> String {
    format!("{}({id})", table.set)
}

/// A row as JSON.
///
/// # Errors
/// An expanded property is not there.
pub(crate) fn show(
    org: &Org,
    table: &Table,
    row: &Row,
    options: &Options,
    annotations: &Annotations,
) -> Result<Map<String, Value>> {
    shown(org, table, row, &options.select, &options.expand, annotations)
}

fn shown(
    org: &Org,
    table: &Table,
    row: &Row,
    select: &[String],
    expand: &[Expand],
    annotations: &Annotations,
) -> Result<Map<String, Value>> {
    let mut out = Map::new();
    out.insert("@odata.etag".into(), json!(row.etag()));
    let all = select.is_empty() || select.iter().any(|name| name == "*");
    let wanted =
        |column: &&Column| all || column.name == table.id || select.iter().any(|n| *n == column.read_as());
    for column in table.columns.values().filter(wanted) {
        // A file's content is only given to those who name it.
        if all && matches!(column.kind, Kind::Bytes(_)) && select.is_empty() {
            continue;
        }
        put(org, table, row, column, annotations, &mut out);
    }
    for one in expand {
        check_expand(org, table, one)?;
        let value = expanded(org, table, row, one, annotations)?;
        out.insert(one.property.clone(), value);
    }
    Ok(out)
}

fn put(
    org: &Org,
    table: &Table,
    row: &Row,
    column: &Column,
    annotations: &Annotations,
    out: &mut Map<String, Value>,
) {
    let name = column.read_as();
    if column.name == table.id {
        out.insert(name, json!(row.id.to_string()));
        return;
    }
    if column.name == "versionnumber" {
        out.insert(name, json!(row.version));
        return;
    }
    let Some(cell) = row.cells.get(&column.name) else {
        out.insert(name, Value::Null);
        return;
    };
    if let Cell::Row(kind, id) = cell {
        let target = org.schema.table(kind);
        let label = target.zip(org.row(kind, *id)).and_then(|(t, r)| r.text(&t.primary).map(str::to_owned));
        if let Some(label) = label.filter(|_| annotations.want(FORMATTED)) {
            out.insert(format!("{name}@{FORMATTED}"), json!(label));
        }
        if annotations.want(NAVIGATION)
            && let Kind::Lookup(targets) = &column.kind
            && let Some(target) = targets.iter().find(|t| t.table == *kind)
        {
            out.insert(format!("{name}@{NAVIGATION}"), json!(target.property));
        }
        if annotations.want(TABLE) {
            out.insert(format!("{name}@{TABLE}"), json!(kind));
        }
    } else if annotations.want(FORMATTED)
        && let Some(formatted) = cell.formatted(&column.kind)
    {
        out.insert(format!("{name}@{FORMATTED}"), json!(formatted));
    }
    out.insert(name, cell.json());
}

fn expanded(
    org: &Org,
    table: &Table,
    row: &Row,
    expand: &Expand,
    annotations: &Annotations,
) -> Result<Value> {
    if let Some((column, target)) = table.single(&expand.property) {
        let found = match row.cells.get(&column.name) {
            Some(Cell::Row(kind, id)) if *kind == target.table => {
                org.schema.table(kind).zip(org.row(kind, *id))
            }
            Some(_) | None => None,
        };
        return match found {
            Some((table, row)) => {
                shown(org, table, row, &expand.select, &expand.expand, annotations).map(Value::Object)
            }
            None => Ok(Value::Null),
        };
    }
    let Some(many) = table.collection(&expand.property) else { return Ok(Value::Null) };
    let Some(child) = org.schema.table(&many.child) else { return Ok(Value::Null) };
    let options = Options {
        filter: expand.filter.clone(),
        order: expand.order.clone(),
        top: expand.top,
        ..Options::default()
    };
    let rows = org.rows(&many.child).filter(|r| r.points_at(&many.column) == Some(row.id)).collect();
    let page = run(org, child, &options, Some(rows), None)?;
    let rows = page
        .rows
        .iter()
        .map(|row| shown(org, child, row, &expand.select, &expand.expand, annotations).map(Value::Object));
    rows.collect::<Result<Vec<Value>>>().map(Value::Array)
}
