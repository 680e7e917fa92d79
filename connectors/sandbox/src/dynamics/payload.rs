//! Bodies of creates and updates: columns, binds, and rows to make along with theirs.

use super::address;
use super::cell::{self, Cell};
use super::error::{ApiError, NOT_FOUND, Result};
use super::org::Org;
use super::rules::Caller;
use super::schema::{Column, Kind, Table};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use uuid::Uuid;

/// What a body says.
#[derive(Debug, Default)]
pub(crate) struct Payload {
    /// The primary key.
    pub(crate) id: Option<Uuid>,
    /// Columns to set or to empty.
    pub(crate) cells: BTreeMap<String, Option<Cell>>,
    /// Rows to make below this one: table, lookup column, body.
    pub(crate) children: Vec<(String, String, Map<String, Value>)>,
}

fn undeclared(table: &Table, name: &str) -> ApiError {
    let says = format!(
        "InnerException : Microsoft.OData.ODataException: An undeclared property '{name}' which only has property annotations in the payload but no property value was found in the payload. In OData, only declared navigation properties and declared named streams can be represented as properties without values."
    );
    ApiError::payload(&table.set, &says)
}

fn invalid(table: &Table, name: &str) -> ApiError {
    let says = format!(
        "InnerException : Microsoft.OData.ODataException: Invalid property '{name}' was found in entity 'Microsoft.Dynamics.CRM.{}'.",
        table.name
    );
    ApiError::payload(&table.set, &says)
}

/// Reads a body against a table.
///
/// # Errors
/// A property is not there or is written in a form the API does not take; a value does not fit; a bind points at
/// nothing.
pub(crate) fn read(org: &Org, table: &Table, body: &Map<String, Value>, caller: &Caller) -> Result<Payload> {
    let mut out = Payload::default();
    for (name, value) in body {
        if let Some(property) = name.strip_suffix("@odata.bind") {
            bind(org, table, property, value, caller, &mut out)?;
        } else if name.contains('@') {
            // Annotations such as @odata.type or title@odata.type say nothing that we need.
        } else if *name == table.id {
            let id = value.as_str().and_then(|text| Uuid::try_parse(text).ok());
            out.id = Some(id.ok_or_else(|| invalid_id(table, value))?);
        } else if let Some(column) = table.property(name).filter(|_| !name.starts_with('_')) {
            out.cells.insert(column.name.clone(), cell::read(table, column, value)?);
        } else if let Some(many) = table.collection(name) {
            children(table, many, value, &mut out)?;
        } else {
            return Err(invalid(table, name));
        }
    }
    Ok(out)
}

fn invalid_id(table: &Table, value: &Value) -> ApiError {
    let says = format!("Cannot convert the literal '{value}' to the expected type 'Edm.Guid'.");
    ApiError::payload(&table.set, &says)
}

fn children(table: &Table, many: &super::schema::Many, value: &Value, out: &mut Payload) -> Result<()> {
    let rows = value.as_array().ok_or_else(|| invalid(table, &many.property))?;
    for row in rows {
        let row = row.as_object().ok_or_else(|| invalid(table, &many.property))?;
        out.children.push((many.child.clone(), many.column.clone(), row.clone()));
    }
    Ok(())
}

/// The lookup that a property binds, also by the short name of `regardingobjectid` when the switch allows it.
fn target<'a>(org: &Org, table: &'a Table, property: &str) -> Option<(&'a Column, String)> {
    let short = |property: &str| {
        let whole = format!("{property}_{}", table.name);
        let found = table.single(&whole).filter(|_| property.starts_with("regardingobjectid_"));
        found.filter(|_| table.activity && org.switches.short_regarding)
    };
    let (column, target) = table.single(property).or_else(|| short(property))?;
    let without_app = !org.switches.customer_service;
    if without_app && column.name == "regardingobjectid" && target.table == "incident" {
        return None;
    }
    Some((column, target.table.clone()))
}

fn bind(
    org: &Org,
    table: &Table,
    property: &str,
    value: &Value,
    caller: &Caller,
    out: &mut Payload,
) -> Result<()> {
    if let Some(many) = table.collection(property) {
        let says =
            format!("The property '{}' is a collection; it cannot be bound to one row.", many.property);
        return Err(ApiError::payload(&table.set, &says));
    }
    let (column, wanted) = target(org, table, property).ok_or_else(|| undeclared(table, property))?;
    if value.is_null() {
        out.cells.insert(column.name.clone(), None);
        return Ok(());
    }
    let text = value.as_str().ok_or_else(|| undeclared(table, property))?;
    let (found, id) = address::reference(org, text)?;
    if found.name != wanted {
        let says = format!(
            "The URI '{text}' is not valid for the navigation property '{property}' of type '{wanted}'."
        );
        return Err(ApiError::payload(&table.set, &says));
    }
    if org.row(&found.name, id).is_none() {
        let says = format!("Entity '{}' With Id = {id} Does Not Exist", found.schema);
        return Err(ApiError::new(org.switches.bind_missing_status, NOT_FOUND, says));
    }
    caller.may(org, "Append", table)?;
    caller.may(org, "AppendTo", &found)?;
    debug_assert!(matches!(column.kind, Kind::Lookup(_)));
    out.cells.insert(column.name.clone(), Some(Cell::Row(found.name, id)));
    Ok(())
}
