//! Evaluation of a query over the org, with the errors that name what does not fit.

use super::parse::{Compare, Condition, Literal, Order, Query, Select};
use crate::salesforce::error::{ApiError, Result};
use crate::salesforce::ids;
use crate::salesforce::org::{Fields, Org, Row, stamp};
use crate::salesforce::schema::{Field, Kind, Object};
use serde_json::{Map, Value, json};
use std::cmp::Ordering;

/// Rows of a query as the API shows them, and how many there are (for `COUNT()` there are none to show).
///
/// # Errors
/// INVALID_TYPE, INVALID_FIELD, MALFORMED_QUERY.
pub(crate) fn run(org: &Org, query: &Query, version: u32, deleted_too: bool) -> Result<(usize, Vec<Value>)> {
    let object = find(org, &query.from)?;
    if object.name == "ContentDocumentLink" {
        restricted(query)?;
    }
    let fields = selected(object, &query.select, query.limit)?;
    for field in &fields {
        path(org, object, field)?;
    }
    let mut rows = filtered(org, object, query, deleted_too)?;
    sorted(org, object, &mut rows, &query.order)?;
    let rows: Vec<&Row> =
        rows.into_iter().skip(query.offset).take(query.limit.unwrap_or(usize::MAX)).collect();
    if query.select == Select::Count {
        return Ok((rows.len(), Vec::new()));
    }
    let shown: Result<Vec<Value>> =
        rows.iter().map(|row| project(org, object, &row.fields, &fields, version)).collect();
    let shown = shown?;
    Ok((shown.len(), shown))
}

fn find<'a>(org: &'a Org, name: &str) -> Result<&'a Object> {
    org.schema.find(name).ok_or_else(|| {
        let says = format!(
            "\nFROM {name}\n     ^\nERROR at Row:1:Column:1\nsObject type '{name}' is not supported. If you are attempting to use a custom object, be sure to append the '__c' after the entity name. Please reference your WSDL or the describe call for the appropriate names."
        );
        ApiError::bad("INVALID_TYPE", says)
    })
}

/// The real thing refuses to read all links.
fn restricted(query: &Query) -> Result<()> {
    fn anchored(condition: &Condition) -> bool {
        let anchor =
            |f: &str| ["ContentDocumentId", "LinkedEntityId", "Id"].iter().any(|n| f.eq_ignore_ascii_case(n));
        match condition {
            Condition::And(all) => all.iter().any(anchored),
            Condition::Or(all) => all.iter().all(anchored),
            Condition::Field(field, compare, _) => *compare == Compare::Eq && anchor(field),
            Condition::In(field, _) => anchor(field),
            Condition::Sub(field, _) => anchor(field),
            Condition::Not(_) => false,
        }
    }
    if query.filter.as_ref().is_some_and(anchored) {
        return Ok(());
    }
    let says = "Implementation restriction: ContentDocumentLink requires a filter by a single Id on ContentDocumentId or LinkedEntityId using the equals operator or multiple Id's using the IN operator.";
    Err(ApiError::bad("MALFORMED_QUERY", says))
}

fn selected(object: &Object, select: &Select, limit: Option<usize>) -> Result<Vec<String>> {
    match select {
        Select::Count => Ok(Vec::new()),
        Select::Fields(fields) => {
            for (i, field) in fields.iter().enumerate() {
                if fields[..i].iter().any(|f| f.eq_ignore_ascii_case(field)) {
                    return Err(ApiError::bad("INVALID_FIELD", format!("duplicate field selected: {field}")));
                }
            }
            Ok(fields.clone())
        }
        Select::All => {
            if limit.is_none_or(|n| n > 200) {
                let says = "The SOQL FIELDS function must have a LIMIT of at most 200";
                return Err(ApiError::bad("MALFORMED_QUERY", says));
            }
            Ok(object.fields.iter().filter(|f| f.kind != Kind::Base64).map(|f| f.name.clone()).collect())
        }
    }
}

fn no_column(object: &Object, name: &str) -> ApiError {
    let says = format!(
        "\nERROR at Row:1:Column:1\nNo such column '{name}' on entity '{}'. If you are attempting to use a custom field, be sure to append the '__c' after the custom field name. Please reference your WSDL or the describe call for the appropriate names.",
        object.name
    );
    ApiError::bad("INVALID_FIELD", says)
}

/// The field a path ends at.
fn path<'a>(org: &'a Org, object: &'a Object, dotted: &str) -> Result<&'a Field> {
    let mut parts: Vec<&str> = dotted.split('.').collect();
    if parts.len() > 1
        && parts[0].eq_ignore_ascii_case(&object.name)
        && object.relationship(parts[0]).is_none()
    {
        parts.remove(0);
    }
    let (last, steps) = parts.split_last().expect("split gives one part at least");
    let mut at = object;
    for step in steps {
        let Some((_, to)) = at.relationship(step) else {
            let says = format!(
                "\nERROR at Row:1:Column:1\nDidn't understand relationship '{step}' in field path. If you are attempting to use a custom relationship, be sure to append the '__r' after the custom relationship name. Please reference your WSDL or the describe call for the appropriate names."
            );
            return Err(ApiError::bad("INVALID_FIELD", says));
        };
        at = to.first().and_then(|n| org.schema.find(n)).ok_or_else(|| no_column(at, step))?;
    }
    at.field(last).ok_or_else(|| no_column(at, last))
}

/// The value a path leads to; null where a reference is empty.
fn value(org: &Org, object: &Object, fields: &Fields, dotted: &str) -> Value {
    let mut parts: Vec<&str> = dotted.split('.').collect();
    if parts.len() > 1
        && parts[0].eq_ignore_ascii_case(&object.name)
        && object.relationship(parts[0]).is_none()
    {
        parts.remove(0);
    }
    let Some((last, steps)) = parts.split_last() else { return Value::Null };
    let (mut at, mut row) = (object, fields);
    for step in steps {
        let next = at.relationship(step).and_then(|(field, _)| row.get(&field.name)?.as_str());
        let Some((other, of)) = next.and_then(|id| Some((org.fields(id)?, org.schema.of_id(id)?))) else {
            return Value::Null;
        };
        (row, at) = (other, of);
    }
    at.field(last).and_then(|f| row.get(&f.name)).cloned().unwrap_or(Value::Null)
}

/// A record with its `attributes` and the fields asked for; relationships nest.
///
/// # Errors
/// INVALID_FIELD for a path that leads nowhere.
pub(crate) fn project(
    org: &Org,
    object: &Object,
    fields: &Fields,
    wanted: &[String],
    version: u32,
) -> Result<Value> {
    let id = fields.get("Id").and_then(Value::as_str).unwrap_or_default();
    let mut out = Map::new();
    out.insert("attributes".into(), attributes(object, id, version));
    for dotted in wanted {
        let mut parts: Vec<&str> = dotted.split('.').collect();
        if parts.len() > 1
            && parts[0].eq_ignore_ascii_case(&object.name)
            && object.relationship(parts[0]).is_none()
        {
            parts.remove(0);
        }
        if let [single] = parts.as_slice() {
            let field = object.field(single).ok_or_else(|| no_column(object, single))?;
            out.insert(field.name.clone(), fields.get(&field.name).cloned().unwrap_or(Value::Null));
            continue;
        }
        let Some((field, _)) = object.relationship(parts[0]) else { return Err(no_column(object, parts[0])) };
        let Kind::Ref { relationship, .. } = &field.kind else { continue };
        let target = fields.get(&field.name).and_then(Value::as_str);
        let Some((row, of)) = target.and_then(|id| Some((org.fields(id)?, org.schema.of_id(id)?))) else {
            out.insert(relationship.clone(), Value::Null);
            continue;
        };
        let nested = project(org, of, row, &[parts[1..].join(".")], version)?;
        match (out.get_mut(relationship), nested) {
            (Some(Value::Object(there)), Value::Object(more)) => there.extend(more),
            (_, nested) => {
                out.insert(relationship.clone(), nested);
            }
        }
    }
    Ok(Value::Object(out))
}

/// The `attributes` of a record.
fn attributes(object: &Object, id: &str, version: u32) -> Value {
    json!({"type": object.name, "url": format!("/services/data/v{version}.0/sobjects/{}/{id}", object.name)})
}

fn filtered<'a>(org: &'a Org, object: &'a Object, query: &Query, deleted_too: bool) -> Result<Vec<&'a Row>> {
    if let Some(condition) = &query.filter {
        check(org, object, condition)?;
    }
    let mut out = Vec::new();
    for row in org.all(&object.name).filter(|row| deleted_too || !row.deleted) {
        let fits = match &query.filter {
            None => true,
            Some(condition) => matches(org, object, &row.fields, condition)?,
        };
        if fits {
            out.push(row);
        }
    }
    Ok(out)
}

/// Sorts rows; nulls come first unless the query says otherwise.
///
/// # Errors
/// INVALID_FIELD, MALFORMED_QUERY for a field that cannot be sorted by.
pub(crate) fn sorted(org: &Org, object: &Object, rows: &mut [&Row], order: &[Order]) -> Result<()> {
    for one in order {
        let field = path(org, object, &one.field)?;
        if !field.filterable() {
            let says = format!("field '{}' can not be sorted in a query call", field.name);
            return Err(ApiError::bad("MALFORMED_QUERY", says));
        }
    }
    rows.sort_by(|a, b| {
        for one in order {
            let (x, y) =
                (value(org, object, &a.fields, &one.field), value(org, object, &b.fields, &one.field));
            let by = match (x.is_null(), y.is_null()) {
                (true, true) => Ordering::Equal,
                (true, false) => {
                    if one.nulls_last {
                        Ordering::Greater
                    } else {
                        Ordering::Less
                    }
                }
                (false, true) => {
                    if one.nulls_last {
                        Ordering::Less
                    } else {
                        Ordering::Greater
                    }
                }
                (false, false) => {
                    let by = rank(&x, &y);
                    if one.descending { by.reverse() } else { by }
                }
            };
            if by != Ordering::Equal {
                return by;
            }
        }
        Ordering::Equal
    });
    Ok(())
}

fn rank(x: &Value, y: &Value) -> Ordering {
    match (x.as_f64(), y.as_f64()) {
        (Some(x), Some(y)) => x.total_cmp(&y),
        _ => text(x).to_lowercase().cmp(&text(y).to_lowercase()),
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Refuses what a field cannot be compared with, before any row is looked at.
fn check(org: &Org, object: &Object, condition: &Condition) -> Result<()> {
    match condition {
        Condition::And(all) | Condition::Or(all) => all.iter().try_for_each(|c| check(org, object, c)),
        Condition::Not(inner) => check(org, object, inner),
        Condition::Field(name, compare, literal) => {
            let field = comparable(org, object, name)?;
            if *compare == Compare::Like
                && !matches!(
                    field.kind,
                    Kind::Text(_) | Kind::Email | Kind::Phone | Kind::Url(_) | Kind::Pick { .. } | Kind::Auto
                )
            {
                let says = format!("invalid operator on {} field", field.type_name());
                return Err(ApiError::bad("INVALID_FIELD", format!("\nERROR at Row:1:Column:1\n{says}")));
            }
            fits(field, literal)
        }
        Condition::In(name, literals) => {
            let field = comparable(org, object, name)?;
            literals.iter().try_for_each(|l| fits(field, l))
        }
        Condition::Sub(name, query) => {
            comparable(org, object, name)?;
            let Select::Fields(fields) = &query.select else {
                return Err(ApiError::bad("MALFORMED_QUERY", "a semi join selects exactly one id field"));
            };
            let inner = find(org, &query.from)?;
            let one = fields.first().filter(|_| fields.len() == 1);
            let field = one.map(|f| path(org, inner, f)).transpose()?;
            if !field.is_some_and(|f| matches!(f.kind, Kind::Id | Kind::Ref { .. })) {
                return Err(ApiError::bad("MALFORMED_QUERY", "a semi join selects exactly one id field"));
            }
            Ok(())
        }
    }
}

fn comparable<'a>(org: &'a Org, object: &'a Object, name: &str) -> Result<&'a Field> {
    let field = path(org, object, name)?;
    if field.filterable() {
        return Ok(field);
    }
    let says =
        format!("\nERROR at Row:1:Column:1\nfield '{}' can not be filtered in a query call", field.name);
    Err(ApiError::bad("INVALID_FIELD", says))
}

fn fits(field: &Field, literal: &Literal) -> Result<()> {
    let wants = |what: &str, quoted: bool| {
        let quotes = if quoted { "should be enclosed in quotes" } else { "should not be enclosed in quotes" };
        let says = format!(
            "\nERROR at Row:1:Column:1\nvalue of filter criterion for field '{}' must be of type {what} and {quotes}",
            field.name
        );
        Err(ApiError::bad("INVALID_FIELD", says))
    };
    let is_text = matches!(literal, Literal::Text(_));
    if matches!(literal, Literal::Null) {
        return Ok(());
    }
    match &field.kind {
        Kind::Id | Kind::Ref { .. } => match literal {
            Literal::Text(id) if id.is_empty() || ids::normalise(id).is_some() => Ok(()),
            Literal::Text(id) => {
                let says = format!("\nERROR at Row:1:Column:1\ninvalid ID field: {id}");
                Err(ApiError::bad("INVALID_QUERY_FILTER_OPERATOR", says))
            }
            Literal::Number(_)
            | Literal::Bool(_)
            | Literal::Days(..)
            | Literal::Moment(_)
            | Literal::Null => wants("ID", true),
        },
        Kind::Bool => {
            if matches!(literal, Literal::Bool(_)) {
                Ok(())
            } else {
                wants("boolean", false)
            }
        }
        Kind::Int | Kind::Double => {
            if matches!(literal, Literal::Number(_)) {
                Ok(())
            } else {
                wants("double", false)
            }
        }
        Kind::Date => {
            if matches!(literal, Literal::Days(..)) {
                Ok(())
            } else {
                wants("date", false)
            }
        }
        Kind::DateTime => {
            if matches!(literal, Literal::Days(..) | Literal::Moment(_)) {
                Ok(())
            } else {
                wants("dateTime", false)
            }
        }
        Kind::Text(_)
        | Kind::Long(_)
        | Kind::Email
        | Kind::Phone
        | Kind::Url(_)
        | Kind::Pick { .. }
        | Kind::Base64
        | Kind::Auto => {
            if is_text {
                Ok(())
            } else {
                wants("string", true)
            }
        }
    }
}

/// Whether a record fits a condition.
///
/// # Errors
/// INVALID_FIELD for a path that leads nowhere.
pub(crate) fn matches(org: &Org, object: &Object, fields: &Fields, condition: &Condition) -> Result<bool> {
    match condition {
        Condition::And(all) => {
            for one in all {
                if !matches(org, object, fields, one)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        Condition::Or(any) => {
            for one in any {
                if matches(org, object, fields, one)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        Condition::Not(inner) => matches(org, object, fields, inner).map(|is| !is),
        Condition::Field(name, compare, literal) => {
            let field = comparable(org, object, name)?;
            fits(field, literal)?;
            Ok(holds(field, &value(org, object, fields, name), *compare, literal))
        }
        Condition::In(name, literals) => {
            let field = comparable(org, object, name)?;
            let value = value(org, object, fields, name);
            Ok(literals.iter().any(|l| holds(field, &value, Compare::Eq, l)))
        }
        Condition::Sub(name, query) => {
            let value = value(org, object, fields, name);
            let (_, rows) = run(org, query, 66, false)?;
            let Select::Fields(wanted) = &query.select else { return Ok(false) };
            let key = wanted.first().map(String::as_str).unwrap_or_default();
            Ok(!value.is_null() && rows.iter().any(|r| at(r, key) == Some(&value)))
        }
    }
}

fn at<'a>(row: &'a Value, dotted: &str) -> Option<&'a Value> {
    dotted.split('.').try_fold(row, |v, part| {
        v.as_object()?.iter().find(|(k, _)| k.eq_ignore_ascii_case(part)).map(|(_, v)| v)
    })
}

fn holds(field: &Field, value: &Value, compare: Compare, literal: &Literal) -> bool {
    let by = |order: Ordering| match compare {
        Compare::Eq => order == Ordering::Equal,
        Compare::Ne => order != Ordering::Equal,
        Compare::Lt => order == Ordering::Less,
        Compare::Le => order != Ordering::Greater,
        Compare::Gt => order == Ordering::Greater,
        Compare::Ge => order != Ordering::Less,
        Compare::Like => false,
    };
    let null = matches!(literal, Literal::Null) || matches!(literal, Literal::Text(t) if t.is_empty());
    if value.is_null() || null {
        return match compare {
            Compare::Eq => value.is_null() && null,
            Compare::Ne => value.is_null() != null,
            Compare::Lt | Compare::Le | Compare::Gt | Compare::Ge | Compare::Like => false,
        };
    }
    match literal {
        Literal::Text(wanted) if compare == Compare::Like => {
            like(&text(value).to_lowercase(), &wanted.to_lowercase())
        }
        Literal::Text(wanted) if matches!(field.kind, Kind::Id | Kind::Ref { .. }) => {
            by(text(value).cmp(&ids::normalise(wanted).unwrap_or_default()))
        }
        Literal::Text(wanted) => by(text(value).to_lowercase().cmp(&plain(wanted).to_lowercase())),
        Literal::Number(n) => value.as_f64().is_some_and(|v| by(v.total_cmp(n))),
        Literal::Bool(b) => value.as_bool().is_some_and(|v| by(v.cmp(b))),
        Literal::Moment(at) => by(text(value).cmp(&stamp(*at))),
        Literal::Days(from, to) => {
            let day = text(value).get(..10).and_then(super::date);
            day.is_some_and(|day| {
                by(if day < *from {
                    Ordering::Less
                } else if day >= *to {
                    Ordering::Greater
                } else {
                    Ordering::Equal
                })
            })
        }
        Literal::Null => false,
    }
}

/// A string whose `\%`, `\_` and `\\` are resolved.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        out.push(if c == '\\' { chars.next().unwrap_or('\\') } else { c });
    }
    out
}

/// LIKE: `%` any run, `_` one character, both literal after a backslash.
fn like(text: &str, pattern: &str) -> bool {
    #[derive(PartialEq)]
    enum Piece {
        Run,
        One,
        Char(char),
    }
    let mut pieces = Vec::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        pieces.push(match c {
            '\\' => Piece::Char(chars.next().unwrap_or('\\')),
            '%' => Piece::Run,
            '_' => Piece::One,
            c => Piece::Char(c),
        });
    }
    let text: Vec<char> = text.chars().collect();
    let mut reach = vec![false; text.len() + 1];
    reach[0] = true;
    for piece in pieces {
        let mut next = vec![false; text.len() + 1];
        match piece {
            Piece::Run => {
                let mut seen = false;
                for (i, r) in reach.iter().enumerate() {
                    seen |= r;
                    next[i] = seen;
                }
            }
            Piece::One => next[1..].copy_from_slice(&reach[..text.len()]),
            Piece::Char(c) => {
                for (i, t) in text.iter().enumerate() {
                    next[i + 1] = reach[i] && *t == c;
                }
            }
        }
        reach = next;
    }
    reach[text.len()]
}
