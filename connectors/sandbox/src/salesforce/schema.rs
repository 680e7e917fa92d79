//! What objects and fields the org has: read once from `objects.txt`, plus whatever custom fields a run adds.

use super::error::{ApiError, Result};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The org's objects as shipped; custom ones are given in the same notation.
pub(crate) const STANDARD: &str = include_str!("objects.txt");

/// Fields every record has, and which of them a client may set.
const SYSTEM: &str = "Id h id\nOwnerId cus ref User,Group Owner\nIsDeleted s bool\nCreatedDate h datetime\n\
    CreatedById h ref User CreatedBy\nLastModifiedDate h datetime\nLastModifiedById h ref User LastModifiedBy\n\
    SystemModstamp h datetime";

/// A line of a schema that does not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{line}` is not a line of a schema: {why}")]
pub struct BadSchema {
    line: String,
    why: &'static str,
}

/// What a field holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The record's own id.
    Id,
    /// Text of at most so many characters.
    Text(usize),
    /// Long text: cannot be filtered or sorted by.
    Long(usize),
    /// An e-mail address, 80 characters.
    Email,
    /// A phone number as typed, 40 characters.
    Phone,
    /// An address on the web.
    Url(usize),
    /// True or false, never null.
    Bool,
    /// A whole number.
    Int,
    /// A number.
    Double,
    /// A day.
    Date,
    /// A moment.
    DateTime,
    /// One of some values; a restricted picklist takes no other.
    Pick {
        /// The values offered.
        values: Vec<String>,
        /// No others are taken.
        restricted: bool,
    },
    /// Another record.
    Ref {
        /// The kinds of record it may be.
        to: Vec<String>,
        /// The name under which SOQL reaches the other record's fields.
        relationship: String,
    },
    /// A file's content, as base64 in JSON.
    Base64,
    /// A number given out by the org.
    Auto,
}

/// One field of one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Field {
    /// API name.
    pub(crate) name: String,
    /// What it holds.
    pub(crate) kind: Kind,
    /// May be given on create.
    pub(crate) create: bool,
    /// May be given on update.
    pub(crate) update: bool,
    /// Must be given on create.
    pub(crate) required: bool,
    /// Has a value by itself on create.
    pub(crate) defaulted: bool,
    /// Upsert may match by it.
    pub(crate) external_id: bool,
    /// No two records share a value (case does not count).
    pub(crate) unique: bool,
    /// Marked as a look-up by value.
    pub(crate) id_lookup: bool,
    /// May be null.
    pub(crate) nillable: bool,
}

/// One object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Object {
    /// API name.
    pub(crate) name: String,
    /// First three characters of its records' ids.
    pub(crate) prefix: String,
    /// Label.
    pub(crate) label: String,
    /// Label of several.
    pub(crate) plural: String,
    /// Fields in order.
    pub(crate) fields: Vec<Field>,
}

/// All objects.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Schema(BTreeMap<String, Object>);

impl Field {
    fn read(line: &str) -> std::result::Result<Self, BadSchema> {
        let bad = |why| BadSchema { line: line.to_owned(), why };
        let mut words = line.splitn(4, ' ');
        let (Some(name), Some(flags), Some(kind)) = (words.next(), words.next(), words.next()) else {
            return Err(bad("a field has a name, flags and a kind"));
        };
        let rest = words.next().unwrap_or_default();
        let length = || rest.trim().parse().map_err(|_| bad("the kind needs a length"));
        let values = || rest.split('|').map(str::to_owned).collect();
        let kind = match kind {
            "id" => Kind::Id,
            "text" => Kind::Text(length()?),
            "long" => Kind::Long(length()?),
            "url" => Kind::Url(length()?),
            "email" => Kind::Email,
            "phone" => Kind::Phone,
            "bool" => Kind::Bool,
            "int" => Kind::Int,
            "double" => Kind::Double,
            "date" => Kind::Date,
            "datetime" => Kind::DateTime,
            "pick" => Kind::Pick { values: values(), restricted: false },
            "rpick" => Kind::Pick { values: values(), restricted: true },
            "base64" => Kind::Base64,
            "auto" => Kind::Auto,
            "ref" => {
                let (to, relationship) =
                    rest.split_once(' ').ok_or_else(|| bad("a ref names its relationship"))?;
                Kind::Ref {
                    to: to.split(',').map(str::to_owned).collect(),
                    relationship: relationship.to_owned(),
                }
            }
            _ => return Err(bad("no such kind")),
        };
        let has = |flag| flags.contains(flag);
        Ok(Self {
            name: name.to_owned(),
            create: has('c'),
            update: has('u'),
            required: has('r'),
            defaulted: has('s'),
            external_id: has('x'),
            unique: has('q'),
            id_lookup: has('i'),
            nillable: !has('h') && !has('r') && kind != Kind::Bool,
            kind,
        })
    }

    /// Longest text it takes, in characters; 0 where that means nothing.
    #[must_use]
    pub(crate) fn length(&self) -> usize {
        match &self.kind {
            Kind::Text(n) | Kind::Long(n) | Kind::Url(n) => *n,
            Kind::Email => 80,
            Kind::Phone => 40,
            Kind::Pick { .. } => 255,
            Kind::Id | Kind::Ref { .. } => 18,
            Kind::Auto => 30,
            Kind::Bool | Kind::Int | Kind::Double | Kind::Date | Kind::DateTime | Kind::Base64 => 0,
        }
    }

    /// A WHERE may name it.
    #[must_use]
    pub(crate) fn filterable(&self) -> bool {
        !matches!(self.kind, Kind::Long(_) | Kind::Base64)
    }

    /// The type's name in a describe.
    #[must_use]
    pub(crate) fn type_name(&self) -> &'static str {
        match &self.kind {
            Kind::Id => "id",
            Kind::Text(_) | Kind::Auto => "string",
            Kind::Long(_) => "textarea",
            Kind::Email => "email",
            Kind::Phone => "phone",
            Kind::Url(_) => "url",
            Kind::Bool => "boolean",
            Kind::Int => "int",
            Kind::Double => "double",
            Kind::Date => "date",
            Kind::DateTime => "datetime",
            Kind::Pick { .. } => "picklist",
            Kind::Ref { .. } => "reference",
            Kind::Base64 => "base64",
        }
    }

    fn describe(&self) -> Value {
        let (values, restricted): (&[String], bool) = if let Kind::Pick { values, restricted } = &self.kind {
            (values, *restricted)
        } else {
            (&[], false)
        };
        let (to, relationship): (&[String], Value) = if let Kind::Ref { to, relationship } = &self.kind {
            (to, json!(relationship))
        } else {
            (&[], Value::Null)
        };
        let picklist: Vec<Value> = values
            .iter()
            .map(|v| json!({"active": true, "defaultValue": false, "label": v, "validFor": null, "value": v}))
            .collect();
        json!({
            "name": self.name, "label": label(&self.name), "type": self.type_name(),
            "length": self.length(), "byteLength": self.length() * 3,
            "createable": self.create, "updateable": self.update, "nillable": self.nillable,
            "defaultedOnCreate": self.defaulted || self.kind == Kind::Bool,
            "externalId": self.external_id, "unique": self.unique, "caseSensitive": false,
            "idLookup": self.id_lookup || self.kind == Kind::Id, "custom": self.name.ends_with("__c"),
            "filterable": self.filterable(), "sortable": self.filterable(), "groupable": self.filterable(),
            "permissionable": self.create || self.update, "autoNumber": self.kind == Kind::Auto,
            "restrictedPicklist": restricted, "picklistValues": picklist,
            "referenceTo": to, "relationshipName": relationship,
            "nameField": matches!(self.name.as_str(), "Name" | "CaseNumber"),
            "calculated": false, "deprecatedAndHidden": false, "soapType": soap(&self.kind),
        })
    }
}

/// `MobilePhone` reads "Mobile Phone"; `Tieline_Key__c` reads "Tieline Key".
#[must_use]
pub(crate) fn label(name: &str) -> String {
    if name == "Id" {
        return "Record ID".to_owned();
    }
    let bare = name.trim_end_matches("__c").replace('_', " ");
    let bare = bare.strip_suffix("Id").filter(|b| !b.is_empty()).map_or(bare.clone(), |b| format!("{b} ID"));
    let mut out = String::new();
    let mut before = ' ';
    for c in bare.chars() {
        if c.is_ascii_uppercase() && before.is_ascii_lowercase() {
            out.push(' ');
        }
        out.push(c);
        before = c;
    }
    out
}

fn soap(kind: &Kind) -> &'static str {
    match kind {
        Kind::Id | Kind::Ref { .. } => "tns:ID",
        Kind::Bool => "xsd:boolean",
        Kind::Int => "xsd:int",
        Kind::Double => "xsd:double",
        Kind::Date => "xsd:date",
        Kind::DateTime => "xsd:dateTime",
        Kind::Base64 => "xsd:base64Binary",
        Kind::Text(_)
        | Kind::Long(_)
        | Kind::Email
        | Kind::Phone
        | Kind::Url(_)
        | Kind::Pick { .. }
        | Kind::Auto => "xsd:string",
    }
}

impl Object {
    /// A field by name; case does not count.
    #[must_use]
    pub(crate) fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|f| f.name.eq_ignore_ascii_case(name))
    }

    /// The field behind a relationship's name (`Account` of a contact).
    #[must_use]
    pub(crate) fn relationship(&self, name: &str) -> Option<(&Field, &[String])> {
        self.fields.iter().find_map(|f| {
            let Kind::Ref { to, relationship } = &f.kind else { return None };
            relationship.eq_ignore_ascii_case(name).then_some((f, to.as_slice()))
        })
    }

    /// A client may make such records.
    #[must_use]
    pub(crate) fn createable(&self) -> bool {
        self.fields.iter().any(|f| f.create && f.name != "OwnerId")
    }

    /// The short description, as `/sobjects` lists it.
    #[must_use]
    pub(crate) fn summary(&self, version: u32) -> Value {
        let base = format!("/services/data/v{version}.0/sobjects/{}", self.name);
        let write = self.createable();
        json!({
            "name": self.name, "label": self.label, "labelPlural": self.plural, "keyPrefix": self.prefix,
            "custom": self.name.ends_with("__c"), "createable": write, "updateable": write, "deletable": write,
            "queryable": true, "retrieveable": true, "searchable": self.searchable(), "undeletable": write,
            "triggerable": write, "mergeable": matches!(self.name.as_str(), "Contact" | "Account" | "Lead"),
            "urls": {"sobject": base, "describe": format!("{base}/describe"), "rowTemplate": format!("{base}/{{ID}}")},
        })
    }

    /// SOSL looks into it.
    #[must_use]
    pub(crate) fn searchable(&self) -> bool {
        matches!(
            self.name.as_str(),
            "Account" | "Contact" | "Lead" | "Case" | "Task" | "User" | "ContentVersion"
        ) || self.name.ends_with("__c")
    }

    /// The long description.
    #[must_use]
    pub(crate) fn describe(&self, version: u32) -> Value {
        let mut all = self.summary(version);
        all["fields"] = self.fields.iter().map(Field::describe).collect();
        all["childRelationships"] = json!([]);
        all["recordTypeInfos"] = json!([]);
        all
    }
}

impl Schema {
    /// Reads the notation of `objects.txt`; an object that is there already gets the fields added.
    ///
    /// # Errors
    /// The line that does not read.
    pub(crate) fn add(&mut self, text: &str) -> std::result::Result<(), BadSchema> {
        let mut current: Option<String> = None;
        for line in text.lines().map(str::trim).filter(|l| !l.starts_with('#')) {
            let bad = |why| BadSchema { line: line.to_owned(), why };
            if line.is_empty() {
                current = None;
            } else if let Some(name) = &current {
                let field = Field::read(line)?;
                let object = self.0.get_mut(name).ok_or_else(|| bad("no such object"))?;
                object.fields.retain(|f| f.name != field.name);
                object.fields.push(field);
            } else {
                let words: Vec<&str> = line.split(' ').collect();
                match words.as_slice() {
                    [name] if self.0.contains_key(*name) => current = Some((*name).to_owned()),
                    [name, prefix, label, plural] if prefix.len() == 3 => {
                        let mut fields =
                            SYSTEM.lines().map(Field::read).collect::<std::result::Result<Vec<_>, _>>()?;
                        if matches!(
                            *name,
                            "CaseComment"
                                | "ContentDocumentLink"
                                | "User"
                                | "Group"
                                | "Organization"
                                | "RecordType"
                        ) {
                            fields.retain(|f| f.name != "OwnerId");
                        }
                        let object = Object {
                            name: (*name).to_owned(),
                            prefix: (*prefix).to_owned(),
                            label: label.replace('_', " "),
                            plural: plural.replace('_', " "),
                            fields,
                        };
                        self.0.insert(object.name.clone(), object);
                        current = Some((*name).to_owned());
                    }
                    _ => {
                        return Err(bad(
                            "an object has a name, a three-character prefix, a label and its plural",
                        ));
                    }
                }
            }
        }
        Ok(())
    }

    /// An object by name; case does not count.
    #[must_use]
    pub(crate) fn find(&self, name: &str) -> Option<&Object> {
        self.0.get(name).or_else(|| self.0.values().find(|o| o.name.eq_ignore_ascii_case(name)))
    }

    /// An object that a REST path names.
    ///
    /// # Errors
    /// 404 when there is none.
    pub(crate) fn path(&self, name: &str) -> Result<&Object> {
        self.find(name).ok_or_else(ApiError::not_found)
    }

    /// The object an id belongs to.
    #[must_use]
    pub(crate) fn of_id(&self, id: &str) -> Option<&Object> {
        self.0.values().find(|o| id.starts_with(&o.prefix))
    }

    /// All objects.
    pub(crate) fn objects(&self) -> impl Iterator<Item = &Object> {
        self.0.values()
    }

    /// A field, to be changed by a switch.
    pub(crate) fn field_mut(&mut self, object: &str, field: &str) -> Option<&mut Field> {
        self.0.get_mut(object)?.fields.iter_mut().find(|f| f.name == field)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standard_schema_reads_and_says_what_the_sheet_says() {
        let mut schema = Schema::default();
        schema.add(STANDARD).unwrap();
        let case = schema.find("case").unwrap();
        let key = case.field("tieline_key__c").unwrap();
        assert!(key.external_id && key.unique && key.filterable());
        assert_eq!(case.field("Subject").unwrap().length(), 255);
        assert!(!case.field("Description").unwrap().filterable());
        let supplied = case.field("SuppliedName").unwrap();
        assert!(supplied.create && !supplied.update);
        assert_eq!(schema.of_id("0030000000000001").unwrap().name, "Contact");
    }

    #[test]
    fn a_bad_line_is_named() {
        let mut schema = Schema::default();
        let error = schema.add("Case 500 Case Cases\nWrong cu colour 3").unwrap_err();
        assert!(error.to_string().contains("Wrong cu colour 3"), "{error}");
    }

    #[test]
    fn labels_are_words() {
        assert_eq!(label("MobilePhone"), "Mobile Phone");
        assert_eq!(label("ContactId"), "Contact ID");
        assert_eq!(label("Tieline_Key__c"), "Tieline Key");
    }
}
