//! The org: its records, and what may be done to them. One transaction at a time, with a journal of undo steps, so
//! that a composite request can be rolled back. No HTTP here.

use super::error::{ApiError, Result};
use super::ids;
use super::schema::{Object, Schema};
use super::switches::Switches;
use bytes::Bytes;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use time::OffsetDateTime;
use time::macros::format_description;

/// One record: its fields by API name, the id and the dates among them.
pub(crate) type Fields = BTreeMap<String, Value>;

/// A record and what the API does not show of it.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    /// The fields.
    pub(crate) fields: Fields,
    /// In the recycle bin.
    pub(crate) deleted: bool,
    /// When a search can find it.
    pub(crate) searchable_at: OffsetDateTime,
}

/// Who writes, and how the request's headers want it written.
#[derive(Debug, Clone)]
pub(crate) struct Writer {
    /// The user.
    pub(crate) user: String,
    /// `Sforce-Auto-Assign` was not `FALSE`.
    pub(crate) auto_assign: bool,
    /// `Sforce-Duplicate-Rule-Header` allowed saving a duplicate.
    pub(crate) allow_duplicates: bool,
}

/// How an upsert ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Upserted {
    /// Nothing matched: made.
    Created(String),
    /// One matched: changed.
    Updated(String),
    /// Several matched: nothing was done.
    Several(Vec<String>),
}

/// One step back.
struct Undo {
    object: String,
    id: String,
    before: Option<Row>,
}

/// A point of [`Org::savepoint`].
#[must_use]
pub(crate) struct Savepoint(usize);

/// All that one sandbox org holds.
pub(crate) struct Org {
    /// Objects and fields.
    pub(crate) schema: Schema,
    /// What is only remembered of the real thing, as switches.
    pub(crate) switches: Switches,
    /// The org's own id.
    pub(crate) id: String,
    /// The queue that the assignment rule gives cases and leads to.
    pub(crate) queue: String,
    tables: BTreeMap<String, BTreeMap<String, Row>>,
    keys: HashMap<(String, String, String), BTreeSet<String>>,
    blobs: HashMap<String, Bytes>,
    undo: Vec<Undo>,
    open: u32,
    next_id: u64,
    next_case: u64,
    /// The next write finds its record locked.
    pub(crate) lock_next: bool,
    /// The next create of a person meets the duplicate rule.
    pub(crate) duplicate_next: bool,
    /// Grows with every change.
    pub(crate) revision: u64,
}

/// The present moment.
#[must_use]
pub(crate) fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

/// A moment as the API writes it: an offset without colon, which strict RFC 3339 readers refuse (sheet 2).
#[must_use]
pub(crate) fn stamp(at: OffsetDateTime) -> String {
    let format =
        format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]+0000");
    at.to_offset(time::UtcOffset::UTC).format(&format).expect("a moment can be written")
}

impl Org {
    /// An empty org.
    #[must_use]
    pub(crate) fn new(schema: Schema, switches: Switches) -> Self {
        let mut org = Self {
            schema,
            switches,
            id: String::new(),
            queue: String::new(),
            tables: BTreeMap::new(),
            keys: HashMap::new(),
            blobs: HashMap::new(),
            undo: Vec::new(),
            open: 0,
            next_id: 1,
            next_case: 1001,
            lock_next: false,
            duplicate_next: false,
            revision: 0,
        };
        org.id = org.mint("00D");
        org.apply_switches();
        org
    }

    /// Takes changed switches into the schema.
    pub(crate) fn apply_switches(&mut self) {
        let unique = self.switches.key_unique;
        if let Some(field) = self.schema.field_mut("Case", "Tieline_Key__c") {
            field.unique = unique;
        }
        let person = self.switches.person_accounts && self.schema.path("Account").is_ok();
        if person {
            let more = "Account\nIsPersonAccount s bool\nPersonEmail cu email\nPersonMobilePhone cu phone";
            self.schema.add(more).expect("the notation is ours");
        }
    }

    /// A new id.
    pub(crate) fn mint(&mut self, prefix: &str) -> String {
        self.next_id += 1;
        ids::mint(prefix, self.next_id)
    }

    // ---- reading -------------------------------------------------------------------------------------------------

    /// Records of an object that are not deleted, in the order of their ids.
    pub(crate) fn live(&self, object: &str) -> impl Iterator<Item = &Row> {
        self.all(object).filter(|row| !row.deleted)
    }

    /// Records of an object, deleted ones too.
    pub(crate) fn all(&self, object: &str) -> impl Iterator<Item = &Row> {
        self.tables.get(object).into_iter().flat_map(BTreeMap::values)
    }

    /// A record by its 18-character id, deleted or not.
    #[must_use]
    pub(crate) fn row(&self, id: &str) -> Option<&Row> {
        let object = self.schema.of_id(id)?;
        self.tables.get(&object.name)?.get(id)
    }

    /// The fields of a record that is there.
    #[must_use]
    pub(crate) fn fields(&self, id: &str) -> Option<&Fields> {
        self.row(id).filter(|r| !r.deleted).map(|r| &r.fields)
    }

    /// A text field of a record that is there.
    #[must_use]
    pub(crate) fn text(&self, id: &str, field: &str) -> Option<&str> {
        self.fields(id)?.get(field)?.as_str()
    }

    /// A file's content.
    #[must_use]
    pub(crate) fn blob(&self, id: &str) -> Option<&Bytes> {
        self.blobs.get(id)
    }

    /// Reads an id that a path gives.
    ///
    /// # Errors
    /// 404 when it is not an id of this object or no such record is there; the error of deleted records.
    pub(crate) fn locate(&self, object: &Object, given: &str) -> Result<String> {
        let id = ids::normalise(given).filter(|id| id.starts_with(&object.prefix));
        let id = id.ok_or_else(|| {
            let says = format!("Provided external ID field does not exist or is not accessible: {given}");
            ApiError::new(404, "NOT_FOUND", says)
        })?;
        match self.row(&id) {
            None => Err(ApiError::not_found()),
            Some(row) if row.deleted => {
                Err(ApiError::new(self.switches.deleted_status, "ENTITY_IS_DELETED", "entity is deleted"))
            }
            Some(_) => Ok(id),
        }
    }

    /// Records whose external-id field holds a value; case does not count.
    ///
    /// # Errors
    /// 404 when the field is not an external id.
    pub(crate) fn by_key(&self, object: &Object, field: &str, value: &str) -> Result<Vec<String>> {
        let Some(field) = object.field(field).filter(|f| f.external_id) else {
            let says = format!("Provided external ID field does not exist or is not accessible: {field}");
            return Err(ApiError::new(404, "NOT_FOUND", says));
        };
        let key = (object.name.clone(), field.name.clone(), value.to_lowercase());
        Ok(self.keys.get(&key).map(|ids| ids.iter().cloned().collect()).unwrap_or_default())
    }

    // ---- transactions --------------------------------------------------------------------------------------------

    /// A point to go back to; points nest.
    pub(crate) fn savepoint(&mut self) -> Savepoint {
        self.open += 1;
        Savepoint(self.undo.len())
    }

    /// Keeps what was done since a point.
    pub(crate) fn release(&mut self, _point: Savepoint) {
        self.open -= 1;
        if self.open == 0 {
            self.undo.clear();
        }
    }

    /// Takes back what was done since a point.
    pub(crate) fn rollback_to(&mut self, point: Savepoint) {
        while self.undo.len() > point.0 {
            let Some(step) = self.undo.pop() else { break };
            self.restore(&step.object, &step.id, step.before);
        }
        self.open -= 1;
    }

    /// Writes a record as it is, past every rule; for data that was there before, and for people's edits.
    pub(crate) fn put(&mut self, object: &str, id: &str, row: Row) {
        let before = self.tables.get(object).and_then(|t| t.get(id)).cloned();
        if self.open > 0 {
            self.undo.push(Undo { object: object.to_owned(), id: id.to_owned(), before });
        }
        self.restore(object, id, Some(row));
    }

    fn restore(&mut self, object: &str, id: &str, row: Option<Row>) {
        self.revision += 1;
        let names: Vec<String> = self
            .schema
            .find(object)
            .map(|o| o.fields.iter().filter(|f| f.external_id).map(|f| f.name.clone()).collect())
            .unwrap_or_default();
        let table = self.tables.entry(object.to_owned()).or_default();
        let before = match &row {
            Some(row) => table.insert(id.to_owned(), row.clone()),
            None => table.remove(id),
        };
        for name in names {
            let value = |row: &Option<Row>| {
                let row = row.as_ref().filter(|r| !r.deleted)?;
                Some(row.fields.get(&name)?.as_str()?.to_lowercase())
            };
            if let Some(old) = value(&before) {
                let key = (object.to_owned(), name.clone(), old);
                if let Some(ids) = self.keys.get_mut(&key) {
                    ids.remove(id);
                    if ids.is_empty() {
                        self.keys.remove(&key);
                    }
                }
            }
            if let Some(new) = value(&row) {
                self.keys.entry((object.to_owned(), name.clone(), new)).or_default().insert(id.to_owned());
            }
        }
    }

    // ---- writing -------------------------------------------------------------------------------------------------

    /// Makes a record.
    ///
    /// # Errors
    /// Whatever rule the fields break.
    pub(crate) fn insert(
        &mut self,
        object: &Object,
        body: &Map<String, Value>,
        who: &Writer,
    ) -> Result<String> {
        self.take_lock()?;
        let mut fields = super::rules::checked(self, object, body, None)?;
        super::rules::required(self, object, &fields)?;
        super::rules::duplicates(self, object, who)?;
        self.unique(object, &fields, None)?;
        let id = self.mint(&object.prefix);
        super::rules::before_insert(self, object, &id, &mut fields, who)?;
        let at = now();
        self.system(&mut fields, object, &id, who, at);
        let searchable_at = at + std::time::Duration::from_millis(self.switches.search_lag_ms);
        self.put(&object.name, &id, Row { fields, deleted: false, searchable_at });
        super::rules::after_insert(self, object, &id, who)?;
        Ok(id)
    }

    /// Changes a record.
    ///
    /// # Errors
    /// Whatever rule the fields break.
    pub(crate) fn update(
        &mut self,
        object: &Object,
        id: &str,
        body: &Map<String, Value>,
        who: &Writer,
    ) -> Result<()> {
        self.take_lock()?;
        let Some(row) = self.row(id).cloned() else { return Err(ApiError::not_found()) };
        let changes = super::rules::checked(self, object, body, Some(&row.fields))?;
        self.unique(object, &changes, Some(id))?;
        let mut fields = row.fields.clone();
        fields.extend(changes.clone());
        super::rules::before_update(self, object, &mut fields, &changes, who)?;
        fields.insert("LastModifiedById".into(), json!(who.user));
        for name in ["LastModifiedDate", "SystemModstamp"] {
            fields.insert(name.into(), json!(stamp(now())));
        }
        self.put(&object.name, id, Row { fields, ..row });
        super::rules::after_update(self, object, id, &changes, who)
    }

    /// Puts a record into the recycle bin.
    ///
    /// # Errors
    /// It is locked.
    pub(crate) fn delete(&mut self, object: &Object, id: &str) -> Result<()> {
        self.take_lock()?;
        let Some(row) = self.row(id).cloned() else { return Err(ApiError::not_found()) };
        let mut fields = row.fields;
        fields.insert("IsDeleted".into(), json!(true));
        self.put(&object.name, id, Row { fields, deleted: true, ..row });
        Ok(())
    }

    /// Makes or changes the record that an external id names (sheet 2.4).
    ///
    /// # Errors
    /// The body repeats the key, the field is no external id, or a rule is broken.
    pub(crate) fn upsert(
        &mut self,
        object: &Object,
        field: &str,
        value: &str,
        body: &Map<String, Value>,
        who: &Writer,
        update_only: bool,
    ) -> Result<Upserted> {
        let ids = self.by_key(object, field, value)?;
        let field = object.field(field).ok_or_else(ApiError::not_found)?;
        for name in ["Id", field.name.as_str()] {
            if body.keys().any(|k| k.eq_ignore_ascii_case(name)) {
                let says = format!("The {name} field should not be specified in the sobject data.");
                return Err(ApiError::field("INVALID_FIELD", says, &[name]));
            }
        }
        match ids.as_slice() {
            [] if update_only => Err(ApiError::not_found()),
            [] => {
                let mut body = body.clone();
                body.insert(field.name.clone(), json!(value));
                self.insert(object, &body, who).map(Upserted::Created)
            }
            [id] => {
                self.update(object, id, body, who)?;
                Ok(Upserted::Updated(id.clone()))
            }
            [_, _, ..] => Ok(Upserted::Several(ids)),
        }
    }

    /// Keeps a file's content.
    pub(crate) fn put_blob(&mut self, id: &str, content: Bytes) {
        self.blobs.insert(id.to_owned(), content);
    }

    /// The next case number.
    pub(crate) fn case_number(&mut self) -> String {
        self.next_case += 1;
        format!("{:08}", self.next_case - 1)
    }

    fn take_lock(&mut self) -> Result<()> {
        if std::mem::take(&mut self.lock_next) {
            let says = "unable to obtain exclusive access to this record or 1 records";
            return Err(ApiError::field("UNABLE_TO_LOCK_ROW", says, &[]));
        }
        Ok(())
    }

    fn unique(&self, object: &Object, fields: &Fields, own: Option<&str>) -> Result<()> {
        for field in object.fields.iter().filter(|f| f.unique) {
            let Some(value) = fields.get(&field.name).and_then(Value::as_str) else { continue };
            let taken = self.by_key(object, &field.name, value)?;
            if let Some(other) = taken.iter().find(|id| Some(id.as_str()) != own) {
                let says = format!(
                    "duplicate value found: {} duplicates value on record with id: {other}",
                    field.name
                );
                return Err(ApiError::field("DUPLICATE_VALUE", says, &[]));
            }
        }
        Ok(())
    }

    fn system(&self, fields: &mut Fields, object: &Object, id: &str, who: &Writer, at: OffsetDateTime) {
        fields.insert("Id".into(), json!(id));
        fields.insert("IsDeleted".into(), json!(false));
        if object.field("OwnerId").is_some() {
            fields.entry("OwnerId".into()).or_insert_with(|| json!(who.user));
        }
        for name in ["CreatedById", "LastModifiedById"] {
            fields.insert(name.into(), json!(who.user));
        }
        for name in ["CreatedDate", "LastModifiedDate", "SystemModstamp"] {
            fields.entry(name.into()).or_insert_with(|| json!(stamp(at)));
        }
    }
}
