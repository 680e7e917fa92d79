//! Whether a row meets a condition, and which of two comes first.

use super::like::{fold, like};
use super::no_property;
use super::parse::{Expr, Literal, Op, Operand};
use crate::dynamics::cell::Cell;
use crate::dynamics::error::{ApiError, Result};
use crate::dynamics::org::{Org, Row};
use crate::dynamics::schema::{Column, Kind, Table};
use std::cmp::Ordering;

/// The column at the end of a path.
///
/// # Errors
/// A name on the way is not there.
pub(super) fn column_of<'a>(
    org: &'a Org,
    table: &'a Table,
    path: &[String],
) -> Result<(&'a Table, &'a Column)> {
    let Some((name, rest)) = path.split_first() else { return Err(no_property(table, "")) };
    if rest.is_empty() {
        return table.property(name).map(|c| (table, c)).ok_or_else(|| no_property(table, name));
    }
    let (_, target) = table.single(name).ok_or_else(|| no_property(table, name))?;
    let next = org.schema.table(&target.table).ok_or_else(|| no_property(table, name))?;
    column_of(org, next, rest)
}

/// Checks names and types of a condition.
///
/// # Errors
/// A name is not there, or two types do not compare.
pub(super) fn check(org: &Org, table: &Table, expr: &Expr) -> Result<()> {
    match expr {
        Expr::And(a, b) | Expr::Or(a, b) => {
            check(org, table, a)?;
            check(org, table, b)
        }
        Expr::Not(inner) => check(org, table, inner),
        Expr::Compare(left, op, right) => {
            let left = edm(org, table, left)?;
            let right = edm(org, table, right)?;
            if comparable(left, right) {
                return Ok(());
            }
            let says = format!(
                "A binary operator with incompatible types was detected. Found operand types '{left}' and '{right}' for operator kind '{}'.",
                kind_of(*op)
            );
            Err(ApiError::address(says))
        }
        Expr::Like(path, ..) => {
            let (_, column) = column_of(org, table, path)?;
            if matches!(column.kind, Kind::Text(_) | Kind::Memo(_)) {
                return Ok(());
            }
            let says =
                format!("No function signature for the function matches the type '{}'.", column.kind.edm());
            Err(ApiError::address(says))
        }
        Expr::In { property, .. } => {
            // The function takes the logical name of a lookup too.
            let known = property.first().is_some_and(|name| table.column(name).is_some());
            if known { Ok(()) } else { column_of(org, table, property).map(|_| ()) }
        }
        Expr::Each { collection, inner, .. } => {
            let many = table.collection(collection).ok_or_else(|| no_property(table, collection))?;
            let child = org.schema.table(&many.child).ok_or_else(|| no_property(table, collection))?;
            inner.as_ref().map_or(Ok(()), |inner| check(org, child, inner))
        }
    }
}

fn kind_of(op: Op) -> &'static str {
    match op {
        Op::Eq => "Equal",
        Op::Ne => "NotEqual",
        Op::Gt => "GreaterThan",
        Op::Ge => "GreaterThanOrEqual",
        Op::Lt => "LessThan",
        Op::Le => "LessThanOrEqual",
    }
}

fn edm(org: &Org, table: &Table, operand: &Operand) -> Result<&'static str> {
    Ok(match operand {
        Operand::Path(path) => column_of(org, table, path)?.1.kind.edm(),
        Operand::Literal(literal) => match literal {
            Literal::Null => "null",
            Literal::Text(_) => "Edm.String",
            Literal::Int(_) => "Edm.Int32",
            Literal::Number(_) => "Edm.Decimal",
            Literal::Bool(_) => "Edm.Boolean",
            Literal::Id(_) => "Edm.Guid",
            Literal::Time(_) => "Edm.DateTimeOffset",
            Literal::Day(_) => "Edm.Date",
        },
    })
}

fn comparable(a: &str, b: &str) -> bool {
    let family = |t: &str| match t {
        "Edm.Int32" | "Edm.Decimal" => 1,
        "Edm.DateTimeOffset" | "Edm.Date" => 2,
        "Edm.String" => 3,
        "Edm.Guid" => 4,
        "Edm.Boolean" => 5,
        _ => 6,
    };
    a == "null" || b == "null" || family(a) == family(b)
}

/// Whether a row meets a condition that has been checked.
pub(super) fn holds(org: &Org, table: &Table, row: &Row, expr: &Expr) -> bool {
    match expr {
        Expr::And(a, b) => holds(org, table, row, a) && holds(org, table, row, b),
        Expr::Or(a, b) => holds(org, table, row, a) || holds(org, table, row, b),
        Expr::Not(inner) => !holds(org, table, row, inner),
        Expr::Compare(left, op, right) => {
            let (left, right) = (value(org, table, row, left), value(org, table, row, right));
            compare(org, left.as_ref(), *op, right.as_ref())
        }
        Expr::Like(path, place, pattern) => {
            let text = reach(org, table, row, path);
            let text = text.as_ref().and_then(Cell::text);
            text.is_some_and(|text| like(text, pattern, *place, !org.switches.accent_insensitive))
        }
        Expr::In { property, values, not } => {
            let name = property.first().map(String::as_str).unwrap_or_default();
            let name = name.strip_prefix('_').and_then(|n| n.strip_suffix("_value")).unwrap_or(name);
            let Some(cell) = row.cells.get(name) else { return *not };
            let own = cell.json();
            let own = own.as_str().map_or_else(|| own.to_string(), str::to_owned);
            let fold = |text: &str| fold(text, !org.switches.accent_insensitive);
            values.iter().any(|v| fold(v) == fold(&own)) != *not
        }
        Expr::Each { collection, all, inner } => {
            let Some(many) = table.collection(collection) else { return false };
            let Some(child) = org.schema.table(&many.child) else { return false };
            let mut rows = org.rows(&many.child).filter(|r| r.points_at(&many.column) == Some(row.id));
            match inner {
                None => rows.next().is_some(),
                Some(inner) if *all => rows.all(|r| holds(org, child, r, inner)),
                Some(inner) => rows.any(|r| holds(org, child, r, inner)),
            }
        }
    }
}

fn value(org: &Org, table: &Table, row: &Row, operand: &Operand) -> Option<Cell> {
    match operand {
        Operand::Path(path) => reach(org, table, row, path),
        Operand::Literal(literal) => match literal {
            Literal::Null => None,
            Literal::Text(text) => Some(Cell::Text(text.clone())),
            Literal::Int(n) => Some(Cell::Int(*n)),
            Literal::Number(n) => Some(Cell::Number(*n)),
            Literal::Bool(b) => Some(Cell::Bool(*b)),
            Literal::Id(id) => Some(Cell::Id(*id)),
            Literal::Time(at) => Some(Cell::Time(*at)),
            Literal::Day(date) => Some(Cell::Day(*date)),
        },
    }
}

/// The cell at the end of a path; nothing when a row on the way is of another table or not there.
fn reach(org: &Org, table: &Table, row: &Row, path: &[String]) -> Option<Cell> {
    let (name, rest) = path.split_first()?;
    if rest.is_empty() {
        let column = table.property(name)?;
        if column.name == table.id {
            return Some(Cell::Id(row.id));
        }
        return row.cells.get(&column.name).cloned();
    }
    let (column, target) = table.single(name)?;
    let Some(Cell::Row(kind, id)) = row.cells.get(&column.name) else { return None };
    let next = org.schema.table(kind).filter(|t| t.name == target.table)?;
    reach(org, next, org.row(kind, *id)?, rest)
}

fn compare(org: &Org, left: Option<&Cell>, op: Op, right: Option<&Cell>) -> bool {
    let (left, right) = match (left, right) {
        (None, None) => return matches!(op, Op::Eq | Op::Ge | Op::Le),
        // `ne` finds rows whose column is empty; the other operators do not.
        (None, Some(_)) | (Some(_), None) => return op == Op::Ne,
        (Some(left), Some(right)) => (left, right),
    };
    let ordering = order(left, right, !org.switches.accent_insensitive);
    match op {
        Op::Eq => ordering == Ordering::Equal,
        Op::Ne => ordering != Ordering::Equal,
        Op::Gt => ordering == Ordering::Greater,
        Op::Ge => ordering != Ordering::Less,
        Op::Lt => ordering == Ordering::Less,
        Op::Le => ordering != Ordering::Greater,
    }
}

/// Which of two cells is the smaller; cells of different kinds have been refused before.
fn order(left: &Cell, right: &Cell, accents: bool) -> Ordering {
    match (left, right) {
        (Cell::Text(a), Cell::Text(b)) => fold(a, accents).cmp(&fold(b, accents)),
        (Cell::Bool(a), Cell::Bool(b)) => a.cmp(b),
        (Cell::Id(a) | Cell::Row(_, a), Cell::Id(b) | Cell::Row(_, b)) => a.cmp(b),
        (Cell::Time(a), Cell::Time(b)) => a.cmp(b),
        (Cell::Day(a), Cell::Day(b)) => a.cmp(b),
        (Cell::Time(a), Cell::Day(b)) => a.cmp(&b.midnight().assume_utc()),
        (Cell::Day(a), Cell::Time(b)) => a.midnight().assume_utc().cmp(b),
        _ => number(left).partial_cmp(&number(right)).unwrap_or(Ordering::Equal),
    }
}

fn number(cell: &Cell) -> Option<f64> {
    match cell {
        #[expect(
            clippy::cast_precision_loss,
            reason = "compared only with numbers that were written as such"
        )]
        Cell::Int(n) => Some(*n as f64),
        Cell::Number(n) => Some(*n),
        Cell::Text(_) | Cell::Bool(_) | Cell::Time(_) | Cell::Day(_) | Cell::Id(_) | Cell::Row(..) => None,
    }
}

/// Which of two rows comes first; empty columns come before all others, as in the database.
pub(super) fn compare_for_order(org: &Org, table: &Table, a: &Row, b: &Row, path: &[String]) -> Ordering {
    match (reach(org, table, a, path), reach(org, table, b, path)) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Less,
        (Some(_), None) => Ordering::Greater,
        (Some(a), Some(b)) => order(&a, &b, !org.switches.accent_insensitive),
    }
}
