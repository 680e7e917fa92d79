//! The service document and the part of `EntityDefinitions` that clients read (sheet 3, 6.2).

use super::address::{Key, Segment};
use super::error::{ApiError, Result};
use super::org::Org;
use super::rest::Call;
use super::schema::{Column, Kind, Table};
use serde_json::{Map, Value, json};

/// The service document: all entity sets.
///
/// # Errors
/// None today.
pub(crate) fn service(org: &Org, root: &str) -> Result<Value> {
    let sets: Vec<Value> =
        org.schema.all().map(|t| json!({"name": t.set, "kind": "EntitySet", "url": t.set})).collect();
    Ok(json!({"@odata.context": format!("{root}/$metadata"), "value": sets}))
}

/// `EntityDefinitions` and what is below it.
///
/// # Errors
/// A table, column or segment is not there, or the method is not GET.
pub(crate) fn definitions(org: &Org, call: &Call, first: &Segment, rest: &[Segment]) -> Result<Value> {
    if call.method != "GET" {
        return Err(ApiError::new(405, "0x0", "Tables are not changed through this sandbox."));
    }
    let option = |name: &str| call.query.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str());
    let select: Vec<&str> =
        option("$select").map(|s| s.split(',').map(str::trim).collect()).unwrap_or_default();
    let root = &call.root;
    let Some(key) = &first.key else {
        if !rest.is_empty() {
            return Err(ApiError::no_segment(&rest[0].name));
        }
        let wanted = option("$filter").map(logical_name).transpose()?;
        let tables = org.schema.all().filter(|t| wanted.as_ref().is_none_or(|w| *w == t.name));
        let rows: Vec<Value> = tables.map(|t| chosen(entity(t), &select)).collect::<Result<_>>()?;
        return Ok(json!({"@odata.context": format!("{root}/$metadata#EntityDefinitions"), "value": rows}));
    };
    let table = match key {
        Key::Named(pairs) => match pairs.as_slice() {
            [(name, value)] if name == "LogicalName" => org.schema.table(value),
            _ => None,
        },
        Key::Id(id) => org.schema.all().find(|t| metadata_id(&t.name) == *id),
        Key::Empty => None,
    };
    let Some(table) = table else {
        let says = "Could not find an entity with this name.";
        return Err(ApiError::new(404, "0x80060888", says));
    };
    let names: Vec<&str> = rest.iter().map(|s| s.name.as_str()).collect();
    let context = format!("{root}/$metadata#EntityDefinitions('{}')/{}", table.name, names.join("/"));
    let many = |rows: Vec<Value>| json!({"@odata.context": context, "value": rows});
    let all = |rows: Vec<Value>| rows.into_iter().map(|row| chosen(row, &select)).collect::<Result<Vec<_>>>();
    match names.as_slice() {
        [] => chosen(entity(table), &select),
        ["Keys"] => Ok(many(all(table.keys.iter().map(|k| key_of(table, k)).collect())?)),
        ["Attributes"] => match &rest[0].key {
            None => Ok(many(all(attributes(table, None))?)),
            Some(key) => one_attribute(table, key).and_then(|row| chosen(row, &select)),
        },
        ["Attributes", kind] => match &rest[0].key {
            None => Ok(many(all(attributes(table, Some(kind)))?)),
            Some(key) => one_attribute(table, key).and_then(|row| chosen(row, &select)),
        },
        ["ManyToOneRelationships"] => Ok(many(all(relationships(table))?)),
        [other, ..] => Err(ApiError::no_segment(other)),
    }
}

/// Only `LogicalName eq 'x'` is known as a filter on tables.
fn logical_name(filter: &str) -> Result<String> {
    let value = filter.trim().strip_prefix("LogicalName eq '").and_then(|rest| rest.strip_suffix('\''));
    let bad = || ApiError::address("Only LogicalName eq '…' is taken as a filter here.");
    value.map(str::to_owned).ok_or_else(bad)
}

/// Keeps the selected properties; the metadata id is always there.
fn chosen(row: Value, select: &[&str]) -> Result<Value> {
    if select.is_empty() {
        return Ok(row);
    }
    let Value::Object(row) = row else { return Ok(row) };
    let mut out = Map::new();
    for name in select {
        let value = row.get(*name).ok_or_else(|| {
            ApiError::address(format!("Could not find a property named '{name}' on this type."))
        })?;
        out.insert((*name).to_owned(), value.clone());
    }
    for (name, value) in row {
        if name.starts_with('@') || name == "MetadataId" || name == "OptionSet" {
            out.insert(name, value);
        }
    }
    Ok(Value::Object(out))
}

/// An id that stays the same for the same name.
fn metadata_id(name: &str) -> uuid::Uuid {
    let mut bytes = [0x40_u8; 16];
    for (n, b) in name.bytes().enumerate() {
        bytes[n % 16] = bytes[n % 16].rotate_left(3) ^ b;
    }
    uuid::Uuid::from_bytes(bytes)
}

fn label(text: &str) -> Value {
    let one = json!({"Label": text, "LanguageCode": 1033});
    json!({"LocalizedLabels": [one], "UserLocalizedLabel": one})
}

fn entity(table: &Table) -> Value {
    json!({
        "LogicalName": table.name, "SchemaName": table.schema, "EntitySetName": table.set,
        "LogicalCollectionName": table.set, "PrimaryIdAttribute": table.id,
        "PrimaryNameAttribute": table.primary, "IsActivity": table.activity,
        "DisplayName": label(&table.schema), "MetadataId": metadata_id(&table.name).to_string(),
    })
}

fn key_of(table: &Table, key: &super::schema::Key) -> Value {
    json!({
        "LogicalName": key.name.to_lowercase(), "SchemaName": key.name, "EntityLogicalName": table.name,
        "KeyAttributes": key.columns, "EntityKeyIndexStatus": key.status,
        "MetadataId": metadata_id(&format!("{}{}", table.name, key.name)).to_string(),
    })
}

fn type_of(column: &Column) -> (&'static str, &'static str) {
    match &column.kind {
        Kind::Text(_) => ("String", "StringAttributeMetadata"),
        Kind::Memo(_) | Kind::Bytes(_) => ("Memo", "MemoAttributeMetadata"),
        Kind::Int(..) => ("Integer", "IntegerAttributeMetadata"),
        Kind::Number => ("Decimal", "DecimalAttributeMetadata"),
        Kind::Bool => ("Boolean", "BooleanAttributeMetadata"),
        Kind::Time | Kind::Day => ("DateTime", "DateTimeAttributeMetadata"),
        Kind::Id => ("Uniqueidentifier", "UniqueIdentifierAttributeMetadata"),
        Kind::Choice(_) => ("Picklist", "PicklistAttributeMetadata"),
        Kind::State(_) => ("State", "StateAttributeMetadata"),
        Kind::Status(_) => ("Status", "StatusAttributeMetadata"),
        Kind::Lookup(targets) if targets.len() > 1 && column.name == "customerid" => {
            ("Customer", "LookupAttributeMetadata")
        }
        Kind::Lookup(_) => ("Lookup", "LookupAttributeMetadata"),
    }
}

fn attribute(table: &Table, column: &Column) -> Value {
    let (kind, class) = type_of(column);
    let mut out = json!({
        "@odata.type": format!("#Microsoft.Dynamics.CRM.{class}"), "LogicalName": column.name,
        "SchemaName": column.name, "AttributeType": kind, "EntityLogicalName": table.name,
        "IsValidForCreate": column.create, "IsValidForUpdate": column.update, "IsValidForRead": true,
        "IsPrimaryId": column.name == table.id, "IsPrimaryName": column.name == table.primary,
        "RequiredLevel": {"Value": if column.required { "SystemRequired" } else { "None" }},
        "DisplayName": label(&column.name),
        "MetadataId": metadata_id(&format!("{}.{}", table.name, column.name)).to_string(),
    });
    match &column.kind {
        Kind::Text(max) | Kind::Memo(max) | Kind::Bytes(max) => out["MaxLength"] = json!(max),
        Kind::Int(least, most) => {
            out["MinValue"] = json!(least);
            out["MaxValue"] = json!(most);
        }
        Kind::Lookup(targets) => {
            out["Targets"] = targets.iter().map(|t| json!(t.table)).collect();
        }
        Kind::Choice(all) | Kind::State(all) | Kind::Status(all) => {
            let options: Vec<Value> = all
                .iter()
                .map(|c| json!({"Value": c.value, "Label": label(&c.label), "State": c.state}))
                .collect();
            out["OptionSet"] = json!({"Options": options});
        }
        Kind::Number | Kind::Bool | Kind::Time | Kind::Day | Kind::Id => {}
    }
    out
}

fn attributes(table: &Table, kind: Option<&&str>) -> Vec<Value> {
    let wanted = kind.map(|k| format!("#{k}"));
    let all = table.columns.values().map(|c| attribute(table, c));
    all.filter(|a| wanted.as_ref().is_none_or(|w| a["@odata.type"] == json!(w))).collect()
}

fn one_attribute(table: &Table, key: &Key) -> Result<Value> {
    let name = match key {
        Key::Named(pairs) => pairs.iter().find(|(n, _)| n == "LogicalName").map(|(_, v)| v.as_str()),
        Key::Id(_) | Key::Empty => None,
    };
    let column = name.and_then(|n| table.column(n));
    let missing = || ApiError::new(404, "0x80060888", "Could not find an attribute with this name.");
    column.map(|c| attribute(table, c)).ok_or_else(missing)
}

fn relationships(table: &Table) -> Vec<Value> {
    let targets = |column: &Column| match &column.kind {
        Kind::Lookup(targets) => targets.clone(),
        Kind::Text(_)
        | Kind::Memo(_)
        | Kind::Int(..)
        | Kind::Number
        | Kind::Bool
        | Kind::Time
        | Kind::Day
        | Kind::Id
        | Kind::Bytes(_)
        | Kind::Choice(_)
        | Kind::State(_)
        | Kind::Status(_) => Vec::new(),
    };
    let of = |column: &Column| {
        targets(column)
            .into_iter()
            .map(|target| {
                json!({
                    "SchemaName": format!("{}_{}", target.table, target.property),
                    "ReferencingEntity": table.name, "ReferencingAttribute": column.name,
                    "ReferencingEntityNavigationPropertyName": target.property,
                    "ReferencedEntity": target.table,
                })
            })
            .collect::<Vec<_>>()
    };
    table.columns.values().flat_map(of).collect()
}
