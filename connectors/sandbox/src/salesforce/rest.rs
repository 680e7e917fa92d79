//! REST without HTTP: one call in, one answer out. The HTTP surface and composite subrequests both come through here.

use super::composite;
use super::error::{ApiError, Result};
use super::org::{Org, Upserted, Writer};
use super::schema::{Kind, Object};
use super::{soql, sosl};
use bytes::Bytes;
use http::Method;
use serde_json::{Map, Value, json};

/// Versions the API lists.
pub(crate) const LISTED: std::ops::RangeInclusive<u32> = 41..=68;
/// Versions that still answer.
pub(crate) const ANSWERED: std::ops::RangeInclusive<u32> = 31..=68;
/// Versions that answer 410.
pub(crate) const RETIRED_TO: u32 = 30;

/// What a call brings.
#[derive(Debug, Clone)]
pub(crate) enum Body {
    /// Nothing.
    None,
    /// JSON.
    Json(Value),
    /// A JSON part and a file, from multipart/form-data.
    File(Value, Option<(String, Bytes)>),
}

/// One call.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// Method.
    pub(crate) method: Method,
    /// API version.
    pub(crate) version: u32,
    /// The path behind the version, decoded, without empty segments.
    pub(crate) path: Vec<String>,
    /// Query parameters, decoded.
    pub(crate) query: Vec<(String, String)>,
    /// Body.
    pub(crate) body: Body,
    /// Who calls and what its headers ask for.
    pub(crate) who: Writer,
    /// `Sforce-Query-Options: batchSize`.
    pub(crate) batch: Option<usize>,
    /// Inside a composite request.
    pub(crate) nested: bool,
}

/// What an answer carries.
#[derive(Debug, Clone)]
pub(crate) enum Payload {
    /// Nothing.
    Empty,
    /// JSON.
    Json(Value),
    /// A file.
    Bytes(Bytes),
}

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    /// HTTP status.
    pub(crate) status: u16,
    /// `Location`.
    pub(crate) location: Option<String>,
    /// Body.
    pub(crate) payload: Payload,
}

impl Answer {
    /// A status with JSON.
    #[must_use]
    pub(crate) fn json(status: u16, value: Value) -> Self {
        Self { status, location: None, payload: Payload::Json(value) }
    }
    fn empty() -> Self {
        Self { status: 204, location: None, payload: Payload::Empty }
    }
    /// An error as an answer.
    #[must_use]
    pub(crate) fn error(error: &ApiError) -> Self {
        Self::json(error.status, error.body())
    }
}

/// Everything a call works on.
pub(crate) struct World {
    /// The records.
    pub(crate) org: Org,
    /// Query results waiting to be fetched.
    pub(crate) cursors: Cursors,
    /// API calls so far.
    pub(crate) calls: u64,
    /// The address of the API.
    pub(crate) instance_url: String,
    /// The address of the token endpoint.
    pub(crate) login_url: String,
}

/// Query results waiting to be fetched; the oldest is forgotten.
#[derive(Default)]
pub(crate) struct Cursors {
    held: Vec<(String, Vec<Value>)>,
    made: u64,
}

/// Open cursors of a user.
const CURSORS_MAX: usize = 10;

/// Makes up the path segments and query of a URL below the version.
#[must_use]
pub(crate) fn split(rest: &str) -> (Vec<String>, Vec<(String, String)>) {
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let path = path.split('/').filter(|s| !s.is_empty()).map(|s| decode(s, false)).collect();
    let query = query
        .split('&')
        .filter(|s| !s.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name, true), decode(value, true))
        })
        .collect();
    (path, query)
}

fn decode(text: &str, plus: bool) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        let hex = || u8::from_str_radix(text.get(i + 1..i + 3)?, 16).ok();
        match bytes[i] {
            b'%' => match hex() {
                Some(byte) => {
                    out.push(byte);
                    i += 2;
                }
                None => out.push(b'%'),
            },
            b'+' if plus => out.push(b' '),
            byte => out.push(byte),
        }
        i += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

impl Call {
    fn param(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    fn is(&self, method: &Method) -> bool {
        self.method == *method
    }

    /// The JSON of the body.
    ///
    /// # Errors
    /// JSON_PARSER_ERROR when there is none.
    pub(crate) fn json(&self) -> Result<&Value> {
        match &self.body {
            Body::Json(value) | Body::File(value, _) => Ok(value),
            Body::None => Err(ApiError::json("No content to map to Object due to end of input")),
        }
    }

    /// The JSON object of the body.
    ///
    /// # Errors
    /// JSON_PARSER_ERROR when it is none.
    pub(crate) fn object(&self) -> Result<&Map<String, Value>> {
        self.json()?.as_object().ok_or_else(|| {
            ApiError::json("Unexpected parameter encountered during deserialization: a JSON object was expected at [line:1, column:1]")
        })
    }
}

impl World {
    /// Answers a call; errors become answers too.
    pub(crate) fn answer(&mut self, call: &Call) -> Answer {
        self.handle(call).unwrap_or_else(|e| Answer::error(&e))
    }

    /// Answers a call.
    ///
    /// # Errors
    /// What the API answers as an error.
    pub(crate) fn handle(&mut self, call: &Call) -> Result<Answer> {
        let path: Vec<&str> = call.path.iter().map(String::as_str).collect();
        match path.as_slice() {
            [] => only(call, &[Method::GET]).map(|()| Answer::json(200, resources(call.version))),
            ["limits"] => only(call, &[Method::GET]).map(|()| self.limits()),
            ["query" | "queryAll"] => self.query(call, path[0] == "queryAll"),
            ["query" | "queryAll", locator] => self.more(call, locator),
            ["search"] => self.search(call),
            ["parameterizedSearch"] => self.parameterized(call),
            ["sobjects"] => only(call, &[Method::GET]).map(|()| self.global(call.version)),
            ["sobjects", object, rest @ ..] => {
                let object = self.org.schema.path(object)?.clone();
                self.sobject(call, &object, rest)
            }
            ["composite", rest @ ..] if !call.nested || rest.first() == Some(&"sobjects") => {
                composite::handle(self, call, rest)
            }
            _ => Err(ApiError::not_found()),
        }
    }

    /// `api-usage=18/15000`
    #[must_use]
    pub(crate) fn usage(&self) -> String {
        format!("api-usage={}/{}", self.calls, self.org.switches.daily_requests)
    }

    fn limits(&self) -> Answer {
        let max = self.org.switches.daily_requests;
        let left = max.saturating_sub(self.calls);
        let limit = |max: u64, left: u64| json!({"Max": max, "Remaining": left});
        Answer::json(
            200,
            json!({
                "DailyApiRequests": limit(max, left),
                "DailyBulkApiBatches": limit(15_000, 15_000),
                "DailyStreamingApiEvents": limit(10_000, 10_000),
                "DataStorageMB": limit(1_024, 1_000),
                "FileStorageMB": limit(1_024, 1_000),
                "SingleEmail": limit(5_000, 5_000),
            }),
        )
    }

    fn global(&self, version: u32) -> Answer {
        let all: Vec<Value> = self.org.schema.objects().map(|o| o.summary(version)).collect();
        Answer::json(200, json!({"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": all}))
    }

    fn query(&mut self, call: &Call, deleted_too: bool) -> Result<Answer> {
        only(call, &[Method::GET])?;
        let text = call
            .param("q")
            .ok_or_else(|| ApiError::bad("MALFORMED_QUERY", "A query string has to be specified"))?;
        let query = soql::parse(text)?;
        let (total, rows) = soql::run(&self.org, &query, call.version, deleted_too)?;
        let batch = call.batch.unwrap_or(2_000).clamp(200, 2_000);
        Ok(Answer::json(200, self.page(rows, total, 0, batch, call.version, None)))
    }

    fn page(
        &mut self,
        mut rows: Vec<Value>,
        total: usize,
        at: usize,
        batch: usize,
        version: u32,
        cursor: Option<String>,
    ) -> Value {
        if rows.len() <= batch {
            return json!({"totalSize": total, "done": true, "records": rows});
        }
        let rest = rows.split_off(batch);
        let cursor = cursor.unwrap_or_else(|| {
            self.cursors.made += 1;
            super::ids::mint("01g", 700 + self.cursors.made)
        });
        if self.cursors.held.len() >= CURSORS_MAX {
            self.cursors.held.remove(0);
        }
        self.cursors.held.push((format!("{cursor}-{}", at + batch), rest));
        let next = format!("/services/data/v{version}.0/query/{cursor}-{}", at + batch);
        json!({"totalSize": total, "done": false, "nextRecordsUrl": next, "records": rows})
    }

    fn more(&mut self, call: &Call, locator: &str) -> Result<Answer> {
        only(call, &[Method::GET])?;
        let found = self.cursors.held.iter().position(|(l, _)| l == locator);
        let (Some(found), Some((cursor, at))) = (found, locator.rsplit_once('-')) else {
            return Err(ApiError::bad("INVALID_QUERY_LOCATOR", "invalid query locator"));
        };
        let (_, rows) = self.cursors.held.remove(found);
        let at = at.parse().unwrap_or(0);
        let total = at + rows.len();
        let batch = call.batch.unwrap_or(2_000).clamp(200, 2_000);
        let page = self.page(rows, total, at, batch, call.version, Some(cursor.to_owned()));
        Ok(Answer::json(200, page))
    }

    fn search(&mut self, call: &Call) -> Result<Answer> {
        only(call, &[Method::GET])?;
        let text = call
            .param("q")
            .ok_or_else(|| ApiError::bad("MALFORMED_SEARCH", "A search string has to be specified"))?;
        let search = sosl::parse(text)?;
        sosl::run(&self.org, &search, call.version).map(|found| Answer::json(200, found))
    }

    fn parameterized(&mut self, call: &Call) -> Result<Answer> {
        only(call, &[Method::GET, Method::POST])?;
        let from_query;
        let body = if call.is(&Method::POST) {
            call.json()?
        } else {
            from_query = sosl::from_query(&call.query);
            &from_query
        };
        let search = sosl::parameterized(body)?;
        sosl::run(&self.org, &search, call.version).map(|found| Answer::json(200, found))
    }

    fn sobject(&mut self, call: &Call, object: &Object, rest: &[&str]) -> Result<Answer> {
        match rest {
            [] if call.is(&Method::POST) => self.create(call, object),
            [] => {
                only(call, &[Method::GET, Method::POST])?;
                let about = json!({"objectDescribe": object.summary(call.version), "recentItems": []});
                Ok(Answer::json(200, about))
            }
            ["describe"] => {
                only(call, &[Method::GET]).map(|()| Answer::json(200, object.describe(call.version)))
            }
            [id] => self.record(call, object, id),
            [id, "VersionData"] if object.name == "ContentVersion" => {
                only(call, &[Method::GET])?;
                let id = self.org.locate(object, id)?;
                let content = self.org.blob(&id).cloned().ok_or_else(ApiError::not_found)?;
                Ok(Answer { status: 200, location: None, payload: Payload::Bytes(content) })
            }
            [field, value] if field.eq_ignore_ascii_case("Id") => self.record(call, object, value),
            [field, value] => self.keyed(call, object, field, value),
            _ => Err(ApiError::not_found()),
        }
    }

    fn create(&mut self, call: &Call, object: &Object) -> Result<Answer> {
        if !object.createable() {
            return Err(ApiError::method("POST", "GET,HEAD"));
        }
        let mut body = call.object()?.clone();
        if let Body::File(_, file) = &call.body {
            use base64::Engine as _;
            let Some((field, content)) = file else {
                return Err(ApiError::bad("INVALID_MULTIPART_REQUEST", "the binary part is missing"));
            };
            body.insert(field.clone(), json!(base64::engine::general_purpose::STANDARD.encode(content)));
        }
        let id = self.atomically(|org| org.insert(object, &body, &call.who))?;
        let mut answer = Answer::json(201, json!({"id": id, "success": true, "errors": []}));
        answer.location = Some(record_url(call.version, object, &id));
        Ok(answer)
    }

    /// One record's write and what follows from it stand or fall together.
    fn atomically<T>(&mut self, work: impl FnOnce(&mut Org) -> Result<T>) -> Result<T> {
        let mark = self.org.savepoint();
        let done = work(&mut self.org);
        match &done {
            Ok(_) => self.org.release(mark),
            Err(_) => self.org.rollback_to(mark),
        }
        done
    }

    fn record(&mut self, call: &Call, object: &Object, given: &str) -> Result<Answer> {
        match call.method {
            Method::GET | Method::HEAD => {
                let id = self
                    .org
                    .locate(object, given)
                    .map_err(|e| if e.code == "ENTITY_IS_DELETED" { ApiError::not_found() } else { e })?;
                self.show(call, object, &id)
            }
            Method::PATCH => {
                let id = self.org.locate(object, given)?;
                let body = call.object()?.clone();
                self.atomically(|org| org.update(object, &id, &body, &call.who))?;
                Ok(Answer::empty())
            }
            Method::DELETE => {
                let id = self.org.locate(object, given)?;
                self.org.delete(object, &id)?;
                Ok(Answer::empty())
            }
            _ => Err(ApiError::method(call.method.as_str(), "DELETE,GET,HEAD,PATCH")),
        }
    }

    fn show(&self, call: &Call, object: &Object, id: &str) -> Result<Answer> {
        let row = self.org.fields(id).ok_or_else(ApiError::not_found)?;
        let wanted: Vec<String> = match call.param("fields") {
            Some(names) => names.split(',').map(|n| n.trim().to_owned()).filter(|n| !n.is_empty()).collect(),
            None => object.fields.iter().filter(|f| f.name != "Comments").map(|f| f.name.clone()).collect(),
        };
        let mut shown = soql::project(&self.org, object, row, &wanted, call.version)?;
        if object.fields.iter().any(|f| f.kind == Kind::Base64) && call.param("fields").is_none() {
            shown["VersionData"] = json!(format!("{}/VersionData", record_url(call.version, object, id)));
        }
        if call.param("fields").is_some() && !wanted.iter().any(|w| w.eq_ignore_ascii_case("Id")) {
            shown["Id"] = json!(id);
        }
        Ok(Answer::json(200, shown))
    }

    fn keyed(&mut self, call: &Call, object: &Object, field: &str, value: &str) -> Result<Answer> {
        match call.method {
            Method::GET | Method::HEAD => {
                let ids = self.org.by_key(object, field, value)?;
                match ids.as_slice() {
                    [] => Err(ApiError::not_found()),
                    [id] => self.show(call, object, id),
                    [_, _, ..] => Ok(several(call.version, object, &ids)),
                }
            }
            Method::PATCH => self.upsert(call, object, field, value),
            Method::DELETE => {
                let ids = self.org.by_key(object, field, value)?;
                match ids.as_slice() {
                    [] => Err(ApiError::not_found()),
                    [id] => self.org.delete(object, id).map(|()| Answer::empty()),
                    [_, _, ..] => Ok(several(call.version, object, &ids)),
                }
            }
            _ => Err(ApiError::method(call.method.as_str(), "DELETE,GET,HEAD,PATCH")),
        }
    }

    /// The statuses of sheet 2.4.
    fn upsert(&mut self, call: &Call, object: &Object, field: &str, value: &str) -> Result<Answer> {
        let body = call.object()?.clone();
        let update_only = call.param("updateOnly") == Some("true");
        let done = self.atomically(|org| org.upsert(object, field, value, &body, &call.who, update_only))?;
        Ok(match done {
            Upserted::Created(id) => {
                let says = json!({"id": id, "success": true, "errors": [], "created": true});
                Answer { location: Some(record_url(call.version, object, &id)), ..Answer::json(201, says) }
            }
            Upserted::Updated(_) if call.version <= 45 => Answer::empty(),
            Upserted::Updated(id) => {
                Answer::json(200, json!({"id": id, "success": true, "errors": [], "created": false}))
            }
            Upserted::Several(ids) => several(call.version, object, &ids),
        })
    }
}

fn several(version: u32, object: &Object, ids: &[String]) -> Answer {
    let urls: Vec<String> = ids.iter().map(|id| record_url(version, object, id)).collect();
    Answer::json(300, json!(urls))
}

/// The path of a record.
#[must_use]
pub(crate) fn record_url(version: u32, object: &Object, id: &str) -> String {
    format!("/services/data/v{version}.0/sobjects/{}/{id}", object.name)
}

fn only(call: &Call, methods: &[Method]) -> Result<()> {
    let head = call.method == Method::HEAD && methods.contains(&Method::GET);
    if head || methods.contains(&call.method) {
        return Ok(());
    }
    let allowed: Vec<&str> = methods.iter().map(Method::as_str).collect();
    Err(ApiError::method(call.method.as_str(), &allowed.join(",")))
}

/// The unauthenticated list of versions.
#[must_use]
pub(crate) fn versions() -> Value {
    const SEASONS: [&str; 3] = ["Spring", "Summer", "Winter"];
    // v66.0 is Spring '26, v67.0 Summer '26, v68.0 Winter '27.
    LISTED
        .map(|v| {
            let season = SEASONS[usize::try_from(v % 3).expect("below 3")];
            let year = 26 + i64::from(v).saturating_sub(66).div_euclid(3) + i64::from(v % 3 == 2);
            json!({"label": format!("{season} '{year}"), "url": format!("/services/data/v{v}.0"), "version": format!("{v}.0")})
        })
        .collect()
}

fn resources(version: u32) -> Value {
    let names = ["composite", "limits", "parameterizedSearch", "query", "queryAll", "search", "sobjects"];
    let all = names.map(|n| (n.to_owned(), json!(format!("/services/data/v{version}.0/{n}"))));
    Value::Object(all.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_have_their_seasons() {
        let all = versions();
        let of =
            |v: &str| all.as_array().unwrap().iter().find(|x| x["version"] == v).unwrap()["label"].clone();
        assert_eq!(of("66.0"), "Spring '26");
        assert_eq!(of("67.0"), "Summer '26");
        assert_eq!(of("68.0"), "Winter '27");
        assert_eq!(of("65.0"), "Winter '26");
        assert_eq!(of("64.0"), "Summer '25");
    }

    #[test]
    fn urls_are_split_and_decoded() {
        let (path, query) = split("/sobjects/Case/Key__c/a%2Fb+c/?q=a+b%27&x");
        assert_eq!(path, ["sobjects", "Case", "Key__c", "a/b+c"]);
        assert_eq!(query, [("q".to_owned(), "a b'".to_owned()), ("x".to_owned(), String::new())]);
        assert_eq!(decode("100%", false), "100%");
    }
}
