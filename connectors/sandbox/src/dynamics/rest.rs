//! The Web API without HTTP: a call in, an answer out. The matrix of creates and updates is sheet 2.10.

use super::address::{self, Found, Key, Segment};
use super::error::{self, ApiError, Result};
use super::odata::{self, Annotations};
use super::org::{Org, Row};
use super::rules::{self, Caller, Via};
use super::schema::Table;
use super::{actions, cell, metadata};
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// `If-Match` or `If-None-Match`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Condition {
    /// `*`
    Any,
    /// An etag.
    Tag(String),
}

/// What the `Prefer` headers ask for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Preferences {
    /// `return=representation` or `return=minimal`
    pub(crate) representation: Option<bool>,
    /// `odata.maxpagesize`
    pub(crate) page_size: Option<usize>,
    /// `odata.include-annotations`
    pub(crate) annotations: Annotations,
    /// `odata.continue-on-error`
    pub(crate) continue_on_error: bool,
    /// Those that were understood, as the answer echoes them.
    pub(crate) applied: Vec<String>,
}

/// One request below the service's root.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// Method, in capitals.
    pub(crate) method: String,
    /// Where the service's root is, with the version.
    pub(crate) root: String,
    /// The path below the root, as it came.
    pub(crate) path: String,
    /// The options, decoded.
    pub(crate) query: Vec<(String, String)>,
    /// `If-Match`
    pub(crate) if_match: Option<Condition>,
    /// `If-None-Match`; the word `null` is no condition.
    pub(crate) if_none_match: Option<Condition>,
    /// `Prefer`
    pub(crate) prefer: Preferences,
    /// The body.
    pub(crate) body: Option<Value>,
    /// Who calls.
    pub(crate) caller: Caller,
}

/// What an answer carries.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Payload {
    /// Nothing.
    Empty,
    /// JSON.
    Json(Value),
    /// Plain text.
    Text(String),
}

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    /// HTTP status.
    pub(crate) status: u16,
    /// Headers beyond those of every answer.
    pub(crate) headers: Vec<(&'static str, String)>,
    /// The body.
    pub(crate) payload: Payload,
}

impl Condition {
    /// Reads a header; the word `null` is none (sheet 2.1).
    pub(crate) fn read(text: &str) -> Option<Self> {
        match text.trim() {
            "" | "null" => None,
            "*" => Some(Self::Any),
            tag => Some(Self::Tag(tag.to_owned())),
        }
    }
}

impl Preferences {
    /// Reads the headers, which may be several and each a list.
    pub(crate) fn read<'a>(headers: impl Iterator<Item = &'a str>) -> Self {
        let mut out = Self::default();
        for one in headers.flat_map(listed) {
            let (name, value) = one.split_once('=').map_or((one.as_str(), ""), |(n, v)| (n.trim(), v.trim()));
            let value = value.trim_matches('"');
            match name.to_lowercase().as_str() {
                "return" => out.representation = Some(value == "representation"),
                "odata.maxpagesize" => out.page_size = value.parse().ok().filter(|n| *n > 0),
                "odata.include-annotations" => out.annotations = Annotations::read(value),
                "odata.continue-on-error" => out.continue_on_error = value != "false",
                _ => continue,
            }
            out.applied.push(one.clone());
        }
        out
    }
}

/// Splits at commas outside of double quotes.
fn listed(text: &str) -> Vec<String> {
    let (mut quoted, mut out) = (false, vec![String::new()]);
    for c in text.chars() {
        match c {
            ',' if !quoted => out.push(String::new()),
            c => {
                quoted ^= c == '"';
                out.last_mut().expect("there is one").push(c);
            }
        }
    }
    out.into_iter().map(|one| one.trim().to_owned()).filter(|one| !one.is_empty()).collect()
}

impl Answer {
    /// JSON.
    pub(crate) fn json(status: u16, body: Value) -> Self {
        Self { status, headers: Vec::new(), payload: Payload::Json(body) }
    }

    /// 204.
    pub(crate) fn empty() -> Self {
        Self { status: 204, headers: Vec::new(), payload: Payload::Empty }
    }

    /// An error.
    pub(crate) fn error(e: &ApiError, annotations: &Annotations) -> Self {
        let mut answer = Self::json(e.status, e.body(annotations.details()));
        if let Some(seconds) = e.retry_after {
            answer.headers.push(("retry-after", seconds.to_string()));
        }
        answer
    }
}

impl Call {
    /// Does what is asked, and takes back what was done when it fails.
    pub(crate) fn answer(&self, org: &mut Org) -> Answer {
        let savepoint = org.savepoint();
        match self.route(org) {
            Ok(answer) => {
                org.commit(savepoint);
                self.applied(answer)
            }
            Err(e) => {
                org.rollback(savepoint);
                Answer::error(&e, &self.prefer.annotations)
            }
        }
    }

    /// Echoes the preferences that had a say.
    fn applied(&self, mut answer: Answer) -> Answer {
        if answer.status < 300 && !self.prefer.applied.is_empty() {
            answer.headers.push(("preference-applied", self.prefer.applied.join(", ")));
        }
        answer
    }

    fn route(&self, org: &mut Org) -> Result<Answer> {
        let segments = address::path(&self.path)?;
        let Some((first, rest)) = segments.split_first() else {
            return metadata::service(org, &self.root).map(|body| Answer::json(200, body));
        };
        if let Some(answer) = actions::unbound(org, self, first, rest)? {
            return Ok(answer);
        }
        if first.name == "EntityDefinitions" {
            return metadata::definitions(org, self, first, rest).map(|body| Answer::json(200, body));
        }
        let table = org.schema.set(&first.name).ok_or_else(|| ApiError::no_segment(&first.name))?.clone();
        match (&first.key, rest) {
            (None, []) => self.on_set(org, &table),
            (None, [Segment { name, key: None }]) if name == "$count" => self.count(org, &table),
            (None, [action]) => actions::bound_to_set(org, self, &table, action),
            (Some(key), []) => self.on_row(org, &table, key),
            (Some(key), [function]) if function.name == actions::USER_PRIVILEGES => {
                let id = self.there(org, &table, &address::look_up(org, &table, key)?)?;
                actions::user_privileges(org, self, &table, id)
            }
            (Some(key), [property]) => self.below_row(org, &table, key, property, None),
            (Some(key), [property, last]) => self.below_row(org, &table, key, property, Some(&last.name)),
            (_, more) => Err(ApiError::no_segment(more.last().map_or("", |s| s.name.as_str()))),
        }
    }

    fn not_allowed<T>(&self) -> Result<T> {
        let says = format!("The requested resource does not support http method '{}'.", self.method);
        Err(ApiError::new(405, "0x0", says))
    }

    /// The body as an object.
    ///
    /// # Errors
    /// There is none.
    pub(crate) fn object(&self) -> Result<&Map<String, Value>> {
        let missing =
            || ApiError::new(400, error::PAYLOAD, "A JSON object is expected in the request's body.");
        self.body.as_ref().and_then(Value::as_object).ok_or_else(missing)
    }

    fn on_set(&self, org: &mut Org, table: &Table) -> Result<Answer> {
        match self.method.as_str() {
            "GET" => self.list(org, table, None),
            "POST" => {
                let id = rules::create(org, table, None, self.object()?, &self.caller, Via::Post)?;
                self.written(org, table, id, 201, &odata::reference(table, id))
            }
            _ => self.not_allowed(),
        }
    }

    fn count(&self, org: &Org, table: &Table) -> Result<Answer> {
        self.caller.may(org, "Read", table)?;
        let options = odata::options(&self.query)?;
        let page = odata::run(org, table, &options, None, None)?;
        Ok(Answer { status: 200, headers: Vec::new(), payload: Payload::Text(page.rows.len().to_string()) })
    }

    /// A query's page.
    fn list(&self, org: &Org, table: &Table, among: Option<Vec<&Row>>) -> Result<Answer> {
        self.caller.may(org, "Read", table)?;
        let options = odata::options(&self.query)?;
        let page = odata::run(org, table, &options, among, self.prefer.page_size)?;
        let rows: Vec<Value> = page
            .rows
            .iter()
            .map(|row| odata::show(org, table, row, &options, &self.prefer.annotations).map(Value::Object))
            .collect::<Result<_>>()?;
        let mut body = Map::new();
        body.insert("@odata.context".into(), json!(self.context(table, &options.select, false)));
        if let Some(count) = page.count {
            body.insert("@odata.count".into(), json!(count));
        }
        body.insert("value".into(), json!(rows));
        if let Some(next) = page.next {
            body.insert("@odata.nextLink".into(), json!(self.next_link(next)));
        }
        Ok(Answer::json(200, Value::Object(body)))
    }

    fn context(&self, table: &Table, select: &[String], one: bool) -> String {
        let columns = if select.is_empty() { String::new() } else { format!("({})", select.join(",")) };
        let end = if one { "/$entity" } else { "" };
        format!("{}/$metadata#{}{columns}{end}", self.root, table.set)
    }

    fn next_link(&self, offset: usize) -> String {
        let kept = self.query.iter().filter(|(n, _)| n != "$skiptoken").map(|(n, v)| (n.clone(), v.clone()));
        let all: Vec<String> = kept
            .chain([("$skiptoken".to_owned(), odata::cookie(offset))])
            .map(|(n, v)| format!("{n}={}", encode(&v)))
            .collect();
        format!("{}/{}?{}", self.root, self.path, all.join("&"))
    }

    fn on_row(&self, org: &mut Org, table: &Table, key: &Key) -> Result<Answer> {
        let found = address::look_up(org, table, key)?;
        match self.method.as_str() {
            "GET" => {
                let id = self.there(org, table, &found)?;
                self.read(org, table, id)
            }
            "PATCH" => self.patch(org, table, key, &found),
            "DELETE" => {
                let id = self.there(org, table, &found)?;
                self.matches(org, table, id)?;
                rules::delete(org, table, id, &self.caller)?;
                Ok(Answer::empty())
            }
            _ => self.not_allowed(),
        }
    }

    /// The id of a row that must be there.
    fn there(&self, org: &Org, table: &Table, found: &Found) -> Result<Uuid> {
        match found {
            Found::Id(id) if org.row(&table.name, *id).is_some() => Ok(*id),
            Found::Id(id) => Err(ApiError::no_row(&table.name, *id)),
            Found::None(_) => {
                let says =
                    format!("A record with the specified key values does not exist in {} entity", table.name);
                Err(ApiError::new(404, error::NO_SUCH_KEY, says))
            }
        }
    }

    /// Keeps `If-Match` with an etag.
    fn matches(&self, org: &Org, table: &Table, id: Uuid) -> Result<()> {
        let Some(Condition::Tag(tag)) = &self.if_match else { return Ok(()) };
        let row = org.row(&table.name, id).ok_or_else(|| ApiError::no_row(&table.name, id))?;
        if row.etag() == *tag {
            return Ok(());
        }
        let says = "The version of the existing record doesn't match the RowVersion property provided.";
        Err(ApiError::new(412, &org.switches.etag_code, says))
    }

    fn read(&self, org: &Org, table: &Table, id: Uuid) -> Result<Answer> {
        self.caller.may(org, "Read", table)?;
        let options = odata::options(&self.query)?;
        odata::check(org, table, &options)?;
        let row = org.row(&table.name, id).ok_or_else(|| ApiError::no_row(&table.name, id))?;
        let etag = row.etag();
        if self.if_none_match == Some(Condition::Tag(etag.clone())) && options.expand.is_empty() {
            return Ok(Answer { status: 304, headers: vec![("etag", etag)], payload: Payload::Empty });
        }
        let body = self.one(org, table, row, &options)?;
        let mut answer = Answer::json(200, body);
        answer.headers.push(("etag", etag));
        Ok(answer)
    }

    fn one(&self, org: &Org, table: &Table, row: &Row, options: &odata::Options) -> Result<Value> {
        let mut body = Map::new();
        body.insert("@odata.context".into(), json!(self.context(table, &options.select, true)));
        body.extend(odata::show(org, table, row, options, &self.prefer.annotations)?);
        Ok(Value::Object(body))
    }

    fn patch(&self, org: &mut Org, table: &Table, key: &Key, found: &Found) -> Result<Answer> {
        let reference = match key {
            Key::Named(_) => self.path.clone(),
            Key::Id(_) | Key::Empty => match found {
                Found::Id(id) => odata::reference(table, *id),
                Found::None(_) => self.path.clone(),
            },
        };
        let present = match found {
            Found::Id(id) if org.row(&table.name, *id).is_some() => Some(*id),
            Found::Id(_) | Found::None(_) => None,
        };
        let body = self.object()?;
        if let Some(id) = present {
            if self.if_none_match.is_some() {
                return Err(ApiError::duplicate());
            }
            self.matches(org, table, id)?;
            rules::update(org, table, id, body, &self.caller)?;
            return self.written(org, table, id, 200, &reference);
        }
        if self.if_match.is_some() {
            return self.there(org, table, found).map(|_| Answer::empty());
        }
        let (id, body) = match found {
            Found::Id(id) => (Some(*id), body.clone()),
            Found::None(pairs) => (None, with_key(table, pairs, body)?),
        };
        let id = rules::create(org, table, id, &body, &self.caller, Via::Patch)?;
        self.written(org, table, id, org.switches.upsert_created_status, &reference)
    }

    /// The answer to a write: nothing, or the row when it was asked for.
    fn written(&self, org: &Org, table: &Table, id: Uuid, status: u16, reference: &str) -> Result<Answer> {
        let address = format!("{}/{reference}", self.root);
        if self.prefer.representation != Some(true) {
            // The options are read all the same: a bad $select is refused.
            odata::check(org, table, &odata::options(&self.query)?)?;
            let mut answer = Answer::empty();
            answer.headers.push(("odata-entityid", address.clone()));
            answer.headers.push(("location", address));
            return Ok(answer);
        }
        let options = odata::options(&self.query)?;
        odata::check(org, table, &options)?;
        let row = org.row(&table.name, id).ok_or_else(|| ApiError::no_row(&table.name, id))?;
        let mut answer = Answer::json(status, self.one(org, table, row, &options)?);
        answer.headers.push(("odata-entityid", address.clone()));
        answer.headers.push(("location", address));
        answer.headers.push(("etag", row.etag()));
        Ok(answer)
    }

    /// A property, a navigation property or a collection of a row; with `$value` or `$count` behind it perhaps.
    fn below_row(
        &self,
        org: &mut Org,
        table: &Table,
        key: &Key,
        property: &Segment,
        last: Option<&str>,
    ) -> Result<Answer> {
        let found = address::look_up(org, table, key)?;
        let id = self.there(org, table, &found)?;
        let name = property.name.as_str();
        if let Some(column) = table.property(name).cloned() {
            return self.single_value(org, table, id, &column, last);
        }
        if self.method != "GET" {
            return self.not_allowed();
        }
        self.caller.may(org, "Read", table)?;
        if let Some(many) = table.collection(name) {
            let child = org.schema.table(&many.child).ok_or_else(|| ApiError::no_segment(name))?;
            let rows: Vec<&Row> =
                org.rows(&many.child).filter(|r| r.points_at(&many.column) == Some(id)).collect();
            return match last {
                Some("$count") => {
                    let payload = Payload::Text(rows.len().to_string());
                    Ok(Answer { status: 200, headers: Vec::new(), payload })
                }
                Some(other) => Err(ApiError::no_segment(other)),
                None => self.list(org, child, Some(rows)),
            };
        }
        let (column, target) = table.single(name).ok_or_else(|| ApiError::no_segment(name))?;
        let row = org.row(&table.name, id).ok_or_else(|| ApiError::no_row(&table.name, id))?;
        let to = row.cells.get(&column.name).and_then(|c| match c {
            cell::Cell::Row(kind, id) if *kind == target.table => Some(*id),
            cell::Cell::Row(..)
            | cell::Cell::Text(_)
            | cell::Cell::Int(_)
            | cell::Cell::Number(_)
            | cell::Cell::Bool(_)
            | cell::Cell::Time(_)
            | cell::Cell::Day(_)
            | cell::Cell::Id(_) => None,
        });
        let target = org.schema.table(&target.table).ok_or_else(|| ApiError::no_segment(name))?;
        match to {
            Some(to) => self.read(org, target, to),
            None => Ok(Answer::empty()),
        }
    }

    fn single_value(
        &self,
        org: &mut Org,
        table: &Table,
        id: Uuid,
        column: &super::schema::Column,
        last: Option<&str>,
    ) -> Result<Answer> {
        let name = column.read_as();
        match self.method.as_str() {
            "GET" => {
                self.caller.may(org, "Read", table)?;
                let row = org.row(&table.name, id).ok_or_else(|| ApiError::no_row(&table.name, id))?;
                let Some(value) = row.cells.get(&column.name).map(cell::Cell::json) else {
                    return Ok(Answer::empty());
                };
                if last == Some("$value") {
                    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                    return Ok(Answer { status: 200, headers: Vec::new(), payload: Payload::Text(text) });
                }
                let context = format!("{}/$metadata#{}({id})/{name}", self.root, table.set);
                Ok(Answer::json(200, json!({"@odata.context": context, "value": value})))
            }
            "PUT" | "DELETE" if last.is_none() => {
                let value = match self.method.as_str() {
                    "PUT" => self.object()?.get("value").cloned().unwrap_or(Value::Null),
                    _ => Value::Null,
                };
                let body = [(name, value)].into_iter().collect();
                rules::update(org, table, id, &body, &self.caller)?;
                Ok(Answer::empty())
            }
            _ => self.not_allowed(),
        }
    }
}

/// A body with the columns of the key in the address; one that repeats them is refused (sheet 3, B).
pub(crate) fn with_key(
    table: &Table,
    pairs: &[(String, String)],
    body: &Map<String, Value>,
) -> Result<Map<String, Value>> {
    let mut body = body.clone();
    for (name, value) in pairs {
        if body.contains_key(name) {
            return Err(ApiError::new(400, error::UNEXPECTED, "An unexpected error occurred."));
        }
        let whole = table.column(name).is_some_and(|c| c.kind.edm() == "Edm.Int32");
        let value = match value.parse::<i64>() {
            Ok(n) if whole => json!(n),
            Ok(_) | Err(_) => json!(value),
        };
        body.insert(name.clone(), value);
    }
    Ok(body)
}

/// Percent-encodes all but unreserved characters.
pub(crate) fn encode(text: &str) -> String {
    let mut out = String::new();
    for b in text.bytes() {
        if b.is_ascii_alphanumeric() || b"-_.~".contains(&b) {
            out.push(char::from(b));
        } else {
            out.push_str(&format!("%{b:02X}"));
        }
    }
    out
}
