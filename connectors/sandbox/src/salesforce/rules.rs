//! What the org does not let through, and what it does by itself: lengths, picklists, references, required fields,
//! mirrors, the assignment rule, files (sheet 2.4 to 2.6).

use super::error::{ApiError, Result};
use super::ids;
use super::org::{Fields, Org, Row, Writer, now, stamp};
use super::schema::{Field, Kind, Object, label};
use base64::Engine as _;
use bytes::Bytes;
use serde_json::{Map, Value, json};

/// Longest CaseComment in bytes, after HTML encoding.
const COMMENT_BYTES_MAX: usize = 4_000;

/// Checks the fields of a body and brings their names and values into the org's own form.
///
/// # Errors
/// The first rule that a field breaks. `existing` is the record an update goes to.
pub(crate) fn checked(
    org: &Org,
    object: &Object,
    body: &Map<String, Value>,
    existing: Option<&Fields>,
) -> Result<Fields> {
    let mut out = Fields::new();
    for (name, value) in body {
        if name == "attributes" {
            continue;
        }
        if existing.is_some() && name.eq_ignore_ascii_case("Id") {
            let says = "The Id field should not be specified in the sobject data.";
            return Err(ApiError::field("INVALID_FIELD", says, &["Id"]));
        }
        let Some(field) = object.field(name) else {
            let says = format!("No such column '{name}' on sobject of type {}", object.name);
            return Err(ApiError::bad("INVALID_FIELD", says));
        };
        let writable = if existing.is_some() { field.update } else { field.create };
        if !writable {
            let says = format!(
                "Unable to create/update fields: {}. Please check the security settings of this field and verify that it is read/write for your profile or permission set.",
                field.name
            );
            return Err(ApiError::field("INVALID_FIELD_FOR_INSERT_UPDATE", says, &[&field.name]));
        }
        out.insert(field.name.clone(), value_of(org, object, field, value)?);
    }
    Ok(out)
}

/// Checks one value against its field.
fn value_of(org: &Org, object: &Object, field: &Field, value: &Value) -> Result<Value> {
    if value.is_null() {
        return null_of(object, field);
    }
    let wrong = |wants: &str| {
        let says = format!("Cannot deserialize instance of {wants} from {} value {value}", token(value));
        ApiError::json(says)
    };
    match &field.kind {
        Kind::Text(_) | Kind::Long(_) | Kind::Url(_) | Kind::Email | Kind::Phone | Kind::Pick { .. } => {
            let text = match value {
                Value::String(text) => text.trim_end().to_owned(),
                Value::Number(n) => n.to_string(),
                Value::Bool(_) | Value::Array(_) | Value::Object(_) | Value::Null => {
                    return Err(wrong("string"));
                }
            };
            text_of(object, field, text)
        }
        Kind::Bool => match value {
            Value::Bool(_) => Ok(value.clone()),
            Value::String(s) if s == "true" || s == "false" => Ok(json!(s == "true")),
            Value::String(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) | Value::Null => {
                Err(wrong("boolean"))
            }
        },
        Kind::Int => {
            let whole = value.as_i64().or_else(|| value.as_str()?.parse().ok());
            whole.map(|n| json!(n)).ok_or_else(|| wrong("int"))
        }
        Kind::Double => {
            let number = value.as_f64().or_else(|| value.as_str()?.parse().ok());
            number.map(|n| json!(n)).ok_or_else(|| wrong("double"))
        }
        Kind::Date => {
            let text = value.as_str().ok_or_else(|| wrong("date"))?;
            let day = text.get(..10).filter(|d| super::soql::date(d).is_some());
            day.map(|d| json!(d)).ok_or_else(|| wrong("date"))
        }
        Kind::DateTime => {
            let text = value.as_str().ok_or_else(|| wrong("datetime"))?;
            super::soql::moment(text).map(|at| json!(stamp(at))).ok_or_else(|| wrong("datetime"))
        }
        Kind::Ref { to, .. } => {
            let given = value.as_str().ok_or_else(|| wrong("reference"))?;
            reference(org, field, to, given)
        }
        Kind::Base64 => value.as_str().map(|_| value.clone()).ok_or_else(|| wrong("base64")),
        Kind::Id | Kind::Auto => Err(wrong("reference")),
    }
}

fn null_of(object: &Object, field: &Field) -> Result<Value> {
    if field.kind == Kind::Bool {
        return Err(ApiError::json("Cannot deserialize instance of boolean from VALUE_NULL value null"));
    }
    let restricted = matches!(field.kind, Kind::Pick { restricted: true, .. });
    if restricted && !field.nillable && object.name != "Case" {
        let says = format!("bad value for restricted picklist field: {}", field.name);
        return Err(ApiError::field("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", says, &[&field.name]));
    }
    if field.required {
        return Err(missing(&[&field.name]));
    }
    Ok(Value::Null)
}

/// What Jackson calls a JSON token.
fn token(value: &Value) -> &'static str {
    match value {
        Value::Null => "VALUE_NULL",
        Value::Bool(true) => "VALUE_TRUE",
        Value::Bool(false) => "VALUE_FALSE",
        Value::Number(_) => "VALUE_NUMBER_INT",
        Value::String(_) => "VALUE_STRING",
        Value::Array(_) => "START_ARRAY",
        Value::Object(_) => "START_OBJECT",
    }
}

fn text_of(object: &Object, field: &Field, text: String) -> Result<Value> {
    if text.is_empty() {
        return null_of(object, field);
    }
    let max = field.length();
    let long = if object.name == "CaseComment" && field.name == "CommentBody" {
        encoded_len(&text) > COMMENT_BYTES_MAX
    } else {
        text.chars().count() > max
    };
    if long {
        let (code, name) = (too_long(object, field), &field.name);
        // The real message repeats the whole value; so does this one, and clients must not log it.
        let says = format!("{}: data value too large: {text} (max length={max})", label(name));
        return Err(ApiError::field(code, says, &[name]));
    }
    if field.kind == Kind::Email && !is_email(&text) {
        let says = format!("{}: invalid email address: {text}", label(&field.name));
        return Err(ApiError::field("INVALID_EMAIL_ADDRESS", says, &[&field.name]));
    }
    if let Kind::Pick { values, restricted: true } = &field.kind {
        let Some(known) = values.iter().find(|v| v.eq_ignore_ascii_case(&text)) else {
            let says = format!("{}: bad value for restricted picklist field: {text}", label(&field.name));
            return Err(ApiError::field("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", says, &[&field.name]));
        };
        return Ok(json!(known));
    }
    Ok(json!(text))
}

fn too_long(object: &Object, field: &Field) -> &'static str {
    if object.name == "Task" && field.name == "Description" {
        "MAX_TASK_DESCRIPTION_EXCEEEDED"
    } else {
        "STRING_TOO_LONG"
    }
}

/// Bytes of a text after HTML encoding.
#[must_use]
pub(crate) fn encoded_len(text: &str) -> usize {
    text.chars()
        .map(|c| match c {
            '&' | '\'' => 5,
            '<' | '>' => 4,
            '"' => 6,
            c => c.len_utf8(),
        })
        .sum()
}

fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    !local.is_empty()
        && !local.contains(|c: char| c.is_whitespace() || c == '@' || c == ',')
        && domain.contains('.')
        && domain.split('.').all(|l| !l.is_empty())
        && domain.chars().all(|c| c.is_alphanumeric() || c == '.' || c == '-')
}

fn reference(org: &Org, field: &Field, to: &[String], given: &str) -> Result<Value> {
    let what = label(&field.name);
    let Some(id) = ids::normalise(given) else {
        let says = format!("{what}: id value of incorrect type: {given}");
        return Err(ApiError::field("MALFORMED_ID", says, &[&field.name]));
    };
    let of = org.schema.of_id(&id).map(|o| o.name.clone()).unwrap_or_default();
    if !to.contains(&of) {
        let says = format!("{what}: id value of incorrect type: {given}");
        return Err(ApiError::field("FIELD_INTEGRITY_EXCEPTION", says, &[&field.name]));
    }
    match org.row(&id) {
        Some(row) if field.name == "OwnerId" && row.fields.get("IsActive") == Some(&json!(false)) => {
            let says = format!("operation performed with inactive user [{id}] as owner");
            Err(ApiError::field("INACTIVE_OWNER_OR_USER", says, &[&field.name]))
        }
        Some(row) if !row.deleted => Ok(json!(id)),
        Some(_) => Err(ApiError::field("ENTITY_IS_DELETED", "entity is deleted", &[])),
        None => {
            Err(ApiError::field("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", &[&field.name]))
        }
    }
}

fn missing(fields: &[&str]) -> ApiError {
    let says = format!("Required fields are missing: [{}]", fields.join(", "));
    ApiError::field("REQUIRED_FIELD_MISSING", says, fields)
}

/// What must be there on create.
///
/// # Errors
/// The fields that are missing.
pub(crate) fn required(org: &Org, object: &Object, fields: &Fields) -> Result<()> {
    let lenient =
        |f: &&Field| object.name == "Task" && f.name == "Status" && !org.switches.task_status_required;
    let absent: Vec<&str> = object
        .fields
        .iter()
        .filter(|f| f.required && !lenient(f) && fields.get(&f.name).is_none_or(Value::is_null))
        .map(|f| f.name.as_str())
        .collect();
    if absent.is_empty() { Ok(()) } else { Err(missing(&absent)) }
}

/// The duplicate rule, when a fault arms it.
///
/// # Errors
/// DUPLICATES_DETECTED with the record that matched.
pub(crate) fn duplicates(org: &mut Org, object: &Object, who: &Writer) -> Result<()> {
    if !matches!(object.name.as_str(), "Contact" | "Lead" | "Account" | "Case") || !org.duplicate_next {
        return Ok(());
    }
    org.duplicate_next = false;
    if who.allow_duplicates {
        return Ok(());
    }
    let record = org.live(&object.name).next().map(|row| {
        json!({"attributes": {"type": object.name, "url": format!("/services/data/v66.0/sobjects/{}/{}", object.name, row.fields["Id"].as_str().unwrap_or_default())}, "Id": row.fields["Id"]})
    });
    let name = if org.switches.duplicate_resut { "duplicateResut" } else { "duplicateResult" };
    let payload = json!({
        "allowSave": true,
        "duplicateRule": format!("Standard_{}_Duplicate_Rule", object.name),
        "duplicateRuleEntityType": object.name,
        "errorMessage": "Use one of these records?",
        "matchResults": [{
            "entityType": object.name, "errors": [], "matchEngine": "FuzzyMatchEngine",
            "matchRecords": [{"additionalInformation": [], "fieldDiffs": [], "matchConfidence": 100.0, "record": record}],
            "rule": format!("Standard_{}_Match_Rule", object.name), "size": 1, "success": true,
        }],
    });
    let mut error = ApiError::bad("DUPLICATES_DETECTED", "Use one of these records?");
    error.extra.insert(name.to_owned(), payload);
    Err(error)
}

fn set_default(fields: &mut Fields, name: &str, value: Value) {
    if fields.get(name).is_none_or(Value::is_null) {
        fields.insert(name.to_owned(), value);
    }
}

/// What the org fills in before a record is made.
///
/// # Errors
/// A rule between several fields.
pub(crate) fn before_insert(
    org: &mut Org,
    object: &Object,
    id: &str,
    fields: &mut Fields,
    who: &Writer,
) -> Result<()> {
    for field in object.fields.iter().filter(|f| f.kind == Kind::Bool) {
        set_default(fields, &field.name, json!(false));
    }
    match object.name.as_str() {
        "Case" => {
            let number = org.case_number();
            fields.insert("CaseNumber".into(), json!(number));
            set_default(fields, "Status", json!("New"));
            set_default(fields, "Priority", json!("Medium"));
            mirror_case(org, fields, true);
            closed(fields, "Closed", true);
        }
        "Lead" => {
            set_default(fields, "Status", json!("Open - Not Contacted"));
            person_name(fields);
        }
        "Contact" => person_name(fields),
        "Task" => task(org, fields)?,
        "FeedItem" => {
            set_default(fields, "Type", json!("TextPost"));
            set_default(fields, "Visibility", json!("AllUsers"));
        }
        "ContentVersion" => file(org, id, fields)?,
        "ContentDocumentLink" => {
            set_default(fields, "ShareType", json!("V"));
            set_default(fields, "Visibility", json!("AllUsers"));
            let same = |row: &Row| {
                ["ContentDocumentId", "LinkedEntityId"].iter().all(|n| row.fields.get(*n) == fields.get(*n))
            };
            if org.live("ContentDocumentLink").any(same) {
                let entity = fields["LinkedEntityId"].as_str().unwrap_or_default();
                let says = format!("{entity} is already linked with the document");
                return Err(ApiError::field("DUPLICATE_VALUE", says, &[]));
            }
        }
        _ => {}
    }
    assign(org, object, fields, who);
    Ok(())
}

/// What the org fills in before a record is changed.
///
/// # Errors
/// The rule that the record as changed breaks.
pub(crate) fn before_update(
    org: &Org,
    object: &Object,
    fields: &mut Fields,
    changes: &Fields,
    who: &Writer,
) -> Result<()> {
    match object.name.as_str() {
        "Case" => {
            mirror_case(org, fields, changes.contains_key("ContactId"));
            closed(fields, "Closed", changes.contains_key("Status"));
        }
        "Contact" | "Lead" => person_name(fields),
        "Task" => {
            let done = fields.get("Status").and_then(Value::as_str) == Some("Completed");
            fields.insert("IsClosed".into(), json!(done));
            related(org, fields)?;
        }
        _ => {}
    }
    if !changes.contains_key("OwnerId") || object.name == "Case" || object.name == "Lead" {
        assign(org, object, fields, who);
    }
    Ok(())
}

/// The assignment rule: without `Sforce-Auto-Assign: FALSE` it runs on create *and* update (sheet 2.4).
fn assign(org: &Org, object: &Object, fields: &mut Fields, who: &Writer) {
    let ruled = matches!(object.name.as_str(), "Case" | "Lead");
    if ruled && who.auto_assign && org.switches.assignment_rules && !org.queue.is_empty() {
        fields.insert("OwnerId".into(), json!(org.queue));
    }
}

fn mirror_case(org: &Org, fields: &mut Fields, contact_changed: bool) {
    let contact = fields.get("ContactId").and_then(Value::as_str).map(str::to_owned);
    let of = |name: &str| {
        let value = contact.as_deref().and_then(|id| org.fields(id)).and_then(|f| f.get(name));
        value.cloned().unwrap_or(Value::Null)
    };
    for (mirror, source) in [
        ("ContactEmail", "Email"),
        ("ContactPhone", "Phone"),
        ("ContactMobile", "MobilePhone"),
        ("ContactFax", "Fax"),
    ] {
        fields.insert(mirror.into(), of(source));
    }
    if contact_changed && fields.get("AccountId").is_none_or(Value::is_null) {
        fields.insert("AccountId".into(), of("AccountId"));
    }
    // Write-only: it becomes a CaseComment (after_insert, after_update).
}

fn closed(fields: &mut Fields, status: &str, changed: bool) {
    if !changed {
        return;
    }
    let is = fields.get("Status").and_then(Value::as_str) == Some(status);
    fields.insert("IsClosed".into(), json!(is));
    let at = if is { json!(stamp(now())) } else { Value::Null };
    fields.insert("ClosedDate".into(), at);
}

fn person_name(fields: &mut Fields) {
    let part = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default();
    let name = format!("{} {}", part("FirstName"), part("LastName")).trim().to_owned();
    fields.insert("Name".into(), json!(name));
}

fn task(org: &Org, fields: &mut Fields) -> Result<()> {
    set_default(fields, "Status", json!("Not Started"));
    set_default(fields, "Priority", json!("Normal"));
    set_default(fields, "TaskSubtype", json!("Task"));
    let done = fields["Status"].as_str() == Some("Completed");
    fields.insert("IsClosed".into(), json!(done));
    related(org, fields)
}

/// What a task is about: its account follows from it, and a lead's task is about nothing else (sheet 2.5).
fn related(org: &Org, fields: &mut Fields) -> Result<()> {
    let who = fields.get("WhoId").and_then(Value::as_str).unwrap_or_default().to_owned();
    let what = fields.get("WhatId").and_then(Value::as_str).unwrap_or_default().to_owned();
    if who.starts_with("00Q") && !what.is_empty() {
        let says = "Related To ID: a task of a lead cannot be related to another record";
        return Err(ApiError::field("FIELD_INTEGRITY_EXCEPTION", says, &["WhatId"]));
    }
    let account = match what.get(..3) {
        Some("001") => Some(what),
        Some("500") => org.text(&what, "AccountId").map(str::to_owned),
        _ => org.text(&who, "AccountId").map(str::to_owned),
    };
    fields.insert("AccountId".into(), json!(account));
    Ok(())
}

fn file(org: &mut Org, id: &str, fields: &mut Fields) -> Result<()> {
    let content = match fields.remove("VersionData") {
        Some(Value::String(text)) => {
            let decoded = base64::engine::general_purpose::STANDARD.decode(text.as_bytes());
            Bytes::from(decoded.map_err(|_| ApiError::json("VersionData is not valid base64"))?)
        }
        _ => return Err(missing(&["VersionData"])),
    };
    let path = fields.get("PathOnClient").and_then(Value::as_str).unwrap_or_default().to_owned();
    let name = path.rsplit(['/', '\\']).next().unwrap_or_default().to_owned();
    let (stem, extension) = name.rsplit_once('.').unwrap_or((&name, ""));
    set_default(fields, "Title", json!(stem));
    fields.insert("ContentSize".into(), json!(content.len()));
    fields.insert("FileExtension".into(), if extension.is_empty() { Value::Null } else { json!(extension) });
    let kind = match extension.to_ascii_lowercase().as_str() {
        "" => "UNKNOWN".to_owned(),
        "txt" => "TEXT".to_owned(),
        other => other.to_uppercase(),
    };
    fields.insert("FileType".into(), json!(kind));
    fields.insert("IsLatest".into(), json!(true));
    fields.insert("VersionNumber".into(), json!("1"));
    set_default(fields, "ContentLocation", json!("S"));
    set_default(fields, "Origin", json!("C"));
    org.put_blob(id, content);
    Ok(())
}

/// What follows from a record that was made.
///
/// # Errors
/// What follows breaks a rule itself.
pub(crate) fn after_insert(org: &mut Org, object: &Object, id: &str, who: &Writer) -> Result<()> {
    match object.name.as_str() {
        "Case" => comment_of_case(org, id, who),
        "ContentVersion" => document(org, id, who),
        _ => Ok(()),
    }
}

/// What follows from a record that was changed.
///
/// # Errors
/// What follows breaks a rule itself.
pub(crate) fn after_update(
    org: &mut Org,
    object: &Object,
    id: &str,
    changes: &Fields,
    who: &Writer,
) -> Result<()> {
    if object.name == "Case" && changes.get("Comments").is_some_and(|v| !v.is_null()) {
        return comment_of_case(org, id, who);
    }
    Ok(())
}

/// `Case.Comments` is write-only: each write that carries it makes a CaseComment (sheet 2.5).
fn comment_of_case(org: &mut Org, id: &str, who: &Writer) -> Result<()> {
    let Some(mut row) = org.row(id).cloned() else { return Ok(()) };
    let Some(Value::String(text)) = row.fields.remove("Comments") else { return Ok(()) };
    org.put("Case", id, row);
    make(org, "CaseComment", json!({"ParentId": id, "CommentBody": text}), who).map(drop)
}

fn make(org: &mut Org, object: &str, body: Value, who: &Writer) -> Result<String> {
    let object = org.schema.path(object)?.clone();
    let Value::Object(body) = body else { return Err(ApiError::not_found()) };
    org.insert(&object, &body, who)
}

/// A version without a document gets one, and a link to where it was first published and to its owner.
fn document(org: &mut Org, id: &str, who: &Writer) -> Result<()> {
    let Some(row) = org.row(id).cloned() else { return Ok(()) };
    let existing = row.fields.get("ContentDocumentId").and_then(Value::as_str).map(str::to_owned);
    let of = |name: &str| row.fields.get(name).cloned().unwrap_or(Value::Null);
    let mut facts = Fields::new();
    for name in ["Title", "FileType", "FileExtension", "ContentSize"] {
        facts.insert(name.into(), of(name));
    }
    facts.insert("LatestPublishedVersionId".into(), json!(id));
    if let Some(document) = existing {
        return new_version(org, id, &document, facts);
    }
    let document = org.mint("069");
    for name in
        ["OwnerId", "CreatedDate", "CreatedById", "LastModifiedDate", "LastModifiedById", "SystemModstamp"]
    {
        facts.insert(name.into(), of(name));
    }
    facts.insert("Id".into(), json!(document));
    facts.insert("IsDeleted".into(), json!(false));
    let searchable_at = row.searchable_at;
    org.put("ContentDocument", &document, Row { fields: facts, deleted: false, searchable_at });
    let mut version = row.clone();
    version.fields.insert("ContentDocumentId".into(), json!(document));
    org.put("ContentVersion", id, version);
    make(org, "ContentDocumentLink", link(&document, &who.user, "I"), who)?;
    if let Some(place) = of("FirstPublishLocationId").as_str().filter(|p| *p != who.user) {
        make(org, "ContentDocumentLink", link(&document, place, "V"), who)?;
    }
    Ok(())
}

fn link(document: &str, entity: &str, share: &str) -> Value {
    json!({"ContentDocumentId": document, "LinkedEntityId": entity, "ShareType": share})
}

fn new_version(org: &mut Org, id: &str, document: &str, facts: Fields) -> Result<()> {
    let older: Vec<Row> = org
        .live("ContentVersion")
        .filter(|r| r.fields.get("ContentDocumentId").and_then(Value::as_str) == Some(document))
        .cloned()
        .collect();
    for mut row in older.clone() {
        let own = row.fields["Id"].as_str().unwrap_or_default().to_owned();
        row.fields.insert("IsLatest".into(), json!(own == id));
        if own == id {
            row.fields.insert("VersionNumber".into(), json!(older.len().to_string()));
        }
        org.put("ContentVersion", &own, row);
    }
    let Some(mut row) = org.row(document).cloned() else { return Err(ApiError::not_found()) };
    row.fields.extend(facts);
    org.put("ContentDocument", document, row);
    Ok(())
}
