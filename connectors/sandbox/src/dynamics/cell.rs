//! What a column of a row holds, and its forms in JSON.

use super::error::{ApiError, Result};
use super::schema::{Choice, Column, Kind, Table};
use base64::Engine as _;
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{Date, OffsetDateTime, UtcOffset};
use uuid::Uuid;

/// A value; an empty column has none.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell {
    /// A text, or base64.
    Text(String),
    /// A whole number or the value of a choice.
    Int(i64),
    /// Any number.
    Number(f64),
    /// Yes or no.
    Bool(bool),
    /// A moment.
    Time(OffsetDateTime),
    /// A date.
    Day(Date),
    /// A GUID.
    Id(Uuid),
    /// A row of a table.
    Row(String, Uuid),
}

/// A moment as the API writes it.
pub(crate) fn stamp(at: OffsetDateTime) -> String {
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
    at.to_offset(UtcOffset::UTC).format(&format).expect("a moment can be written")
}

/// A date as the API writes it.
pub(crate) fn day(date: Date) -> String {
    date.format(&format_description!("[year]-[month]-[day]")).expect("a date can be written")
}

/// Reads a moment: with an offset, or a date alone.
pub(crate) fn moment(text: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(text, &Rfc3339).ok().or_else(|| Some(date(text)?.midnight().assume_utc()))
}

/// Reads a date.
pub(crate) fn date(text: &str) -> Option<Date> {
    Date::parse(text, &format_description!("[year]-[month]-[day]")).ok()
}

/// Length as the database counts it (sheet 2.7).
pub(crate) fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

impl Cell {
    /// As JSON.
    pub(crate) fn json(&self) -> Value {
        match self {
            Self::Text(text) => json!(text),
            Self::Int(n) => json!(n),
            Self::Number(n) => json!(n),
            Self::Bool(b) => json!(b),
            Self::Time(at) => json!(stamp(*at)),
            Self::Day(date) => json!(day(*date)),
            Self::Id(id) | Self::Row(_, id) => json!(id.to_string()),
        }
    }

    /// The text, if it is one.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Int(_)
            | Self::Number(_)
            | Self::Bool(_)
            | Self::Time(_)
            | Self::Day(_)
            | Self::Id(_)
            | Self::Row(..) => None,
        }
    }

    /// The number, if it is a whole one.
    pub(crate) fn int(&self) -> Option<i64> {
        match self {
            Self::Int(n) => Some(*n),
            Self::Text(_)
            | Self::Number(_)
            | Self::Bool(_)
            | Self::Time(_)
            | Self::Day(_)
            | Self::Id(_)
            | Self::Row(..) => None,
        }
    }

    /// The GUID of an id or of a row.
    pub(crate) fn id(&self) -> Option<Uuid> {
        match self {
            Self::Id(id) | Self::Row(_, id) => Some(*id),
            Self::Text(_) | Self::Int(_) | Self::Number(_) | Self::Bool(_) | Self::Time(_) | Self::Day(_) => {
                None
            }
        }
    }

    /// The text that people see for it, where that differs (sheet 2.1).
    pub(crate) fn formatted(&self, kind: &Kind) -> Option<String> {
        match self {
            Self::Int(n) => Some(match kind.choices() {
                Some(all) => all.iter().find(|c| c.value == *n)?.label.clone(),
                None => n.to_string(),
            }),
            Self::Bool(b) => Some(if *b { "Yes" } else { "No" }.to_owned()),
            Self::Time(at) => {
                let format = format_description!(
                    "[month padding:none]/[day padding:none]/[year] [hour repr:12 padding:none]:[minute] [period]"
                );
                at.format(&format).ok()
            }
            Self::Day(date) => {
                date.format(&format_description!("[month padding:none]/[day padding:none]/[year]")).ok()
            }
            Self::Text(_) | Self::Number(_) | Self::Id(_) | Self::Row(..) => None,
        }
    }
}

/// Reads a column's value from a body.
///
/// # Errors
/// It is of another type, too long, or out of range.
pub(crate) fn read(table: &Table, column: &Column, value: &Value) -> Result<Option<Cell>> {
    let wrong = || {
        let says = format!(
            "InnerException : Microsoft.OData.ODataException: Cannot convert the literal '{value}' to the expected type '{}'.",
            column.kind.edm()
        );
        ApiError::payload(&table.set, &says)
    };
    if value.is_null() {
        return Ok(None);
    }
    Ok(Some(match &column.kind {
        Kind::Text(max) | Kind::Memo(max) => text(table, column, value.as_str().ok_or_else(wrong)?, *max)?,
        Kind::Bytes(max) => {
            let given = value.as_str().ok_or_else(wrong)?;
            base64::engine::general_purpose::STANDARD.decode(given).map_err(|_| wrong())?;
            text(table, column, given, *max)?
        }
        Kind::Int(least, most) => {
            let n = value.as_i64().ok_or_else(wrong)?;
            if !(*least..=*most).contains(&n) {
                let says = format!(
                    "A validation error occurred. The value {n} of '{}' on record of type '{}' is outside the valid range. Minimum Value: {least}, Maximum value: {most}",
                    column.name, table.name
                );
                return Err(ApiError::new(400, super::error::OUT_OF_RANGE, says));
            }
            Cell::Int(n)
        }
        Kind::Choice(all) | Kind::State(all) | Kind::Status(all) => {
            let n = value.as_i64().ok_or_else(wrong)?;
            Cell::Int(choice(table, column, all, n)?)
        }
        Kind::Number => Cell::Number(value.as_f64().ok_or_else(wrong)?),
        Kind::Bool => Cell::Bool(value.as_bool().ok_or_else(wrong)?),
        Kind::Time => Cell::Time(value.as_str().and_then(moment).ok_or_else(wrong)?),
        Kind::Day => Cell::Day(value.as_str().and_then(moment).ok_or_else(wrong)?.date()),
        Kind::Id => Cell::Id(value.as_str().and_then(|t| Uuid::parse_str(t).ok()).ok_or_else(wrong)?),
        Kind::Lookup(_) => return Err(wrong()),
    }))
}

fn text(table: &Table, column: &Column, given: &str, max: usize) -> Result<Cell> {
    if units(given) > max {
        let says = format!(
            "A validation error occurred. The length of the '{}' attribute of the '{}' entity exceeded the maximum allowed length of '{max}'.",
            column.name, table.name
        );
        return Err(ApiError::new(400, super::error::TOO_LONG, says));
    }
    Ok(Cell::Text(given.to_owned()))
}

fn choice(table: &Table, column: &Column, all: &[Choice], n: i64) -> Result<i64> {
    if all.iter().any(|c| c.value == n) {
        return Ok(n);
    }
    let accepted: Vec<String> = all.iter().map(|c| c.value.to_string()).collect();
    let says = format!(
        "A validation error occurred. The value {n} of '{}' on record of type '{}' is outside the valid range. Accepted Values: {}",
        column.name,
        table.name,
        accepted.join(",")
    );
    Err(ApiError::new(400, super::error::NO_SUCH_CHOICE, says))
}

/// The value of a column's default, in the notation of the tables.
pub(crate) fn default(column: &Column) -> Option<Cell> {
    let text = column.default.as_deref()?;
    Some(match &column.kind {
        Kind::Bool => Cell::Bool(text == "true"),
        Kind::Int(..) | Kind::Choice(_) | Kind::State(_) | Kind::Status(_) => Cell::Int(text.parse().ok()?),
        Kind::Text(_) | Kind::Memo(_) | Kind::Bytes(_) => Cell::Text(text.to_owned()),
        Kind::Number | Kind::Time | Kind::Day | Kind::Id | Kind::Lookup(_) => return None,
    })
}
