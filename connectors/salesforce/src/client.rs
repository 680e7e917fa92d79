//! Salesforce over HTTP: the only place that knows addresses, headers and status codes, and what they mean for us
//! (sheet sections 2.4 to 2.7). Never logs a value: Salesforce's messages repeat them.

use crate::auth::{Auth, Session, nothing_written, parse_date};
use crate::map::{self, Fields};
use crate::settings::{Invalid, Settings};
use reqwest::header::HeaderMap;
use reqwest::multipart::{Form, Part};
use reqwest::{Method, Url};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tieline_connector_api::client::{Limits, build, classify, read_body};
use tieline_connector_api::{Failure, Known, Outcome};
use tieline_model::{Clock, Millis};

/// Longest reason taken from an administrator's own validation rule, in UTF-16 units.
const RULE_UNITS: usize = 200;
/// A request whose URI is longer is answered 414.
const URI_BYTES_MAX: usize = 16_000;

/// What is left of the org's daily requests, as the latest answer said it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Requests of the last 24 hours, by everybody in the org.
    pub used: u64,
    /// How many there may be.
    pub max: u64,
}

/// How an upsert went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Upserted {
    pub(crate) id: String,
    pub(crate) created: bool,
}

/// A file to upload.
pub(crate) struct Upload<'a> {
    pub(crate) title: &'a str,
    pub(crate) description: &'a str,
    pub(crate) place: Place<'a>,
    pub(crate) content: &'a str,
}

/// Where a file goes.
pub(crate) enum Place<'a> {
    /// A new file under a record.
    Under(&'a str),
    /// A new version of a file.
    VersionOf(&'a str),
}

/// One request, in a form that can be sent twice.
struct Call<'a> {
    method: Method,
    /// Segments behind `/services/data/vXX.0`.
    path: &'a [&'a str],
    query: Option<(&'a str, &'a str)>,
    body: Body<'a>,
    assign: Option<bool>,
}

enum Body<'a> {
    None,
    Json(Value),
    File(&'a Upload<'a>),
}

struct Answer {
    status: u16,
    retry_after: Option<u64>,
    body: Vec<u8>,
}

#[derive(Default)]
struct RestError {
    error_code: String,
    message: String,
    fields: Vec<String>,
}

/// What a refused token means.
enum Refusal {
    /// Log in again, once.
    Renew,
    /// Logging in again changes nothing.
    Final(Failure),
}

/// The org, over HTTP.
pub(crate) struct Client {
    http: reqwest::Client,
    pub(crate) auth: Auth,
    clock: Arc<dyn Clock>,
    settings: Settings,
    limits: Limits,
    version: String,
    usage: Mutex<Option<Usage>>,
    skew_secs: AtomicI64,
    requests: AtomicU64,
}

impl Client {
    pub(crate) fn new(settings: &Settings, clock: Arc<dyn Clock>, limits: Limits) -> Result<Self, Invalid> {
        let http = build(&limits)
            .map_err(|e| Invalid::new("extra_ca", format!("no HTTPS client can be made: {e}")))?;
        Ok(Self {
            auth: Auth::new(http.clone(), clock.clone(), settings)?,
            http,
            clock,
            settings: settings.clone(),
            limits,
            version: format!("v{}", settings.api_version),
            usage: Mutex::new(None),
            skew_secs: AtomicI64::new(0),
            requests: AtomicU64::new(0),
        })
    }

    /// What the latest answer said about the daily limit.
    pub(crate) fn usage(&self) -> Option<Usage> {
        *self.usage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How far Salesforce's clock is ahead of ours, in seconds, by its latest answer.
    pub(crate) fn skew_secs(&self) -> i64 {
        self.skew_secs.load(Ordering::Relaxed)
    }

    /// Requests sent to the REST API so far, logins not counted.
    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    // ------------------------------------------------------------ what can be asked

    /// The record that has a key, or `None`.
    pub(crate) async fn by_key(
        &self,
        object: &str,
        field: &str,
        key: &str,
        fields: &[&str],
    ) -> Outcome<Option<Value>> {
        self.read(&["sobjects", object, field, key], Some(("fields", &fields.join(",")))).await
    }

    /// A record by its id, or `None` when it is not there or deleted.
    pub(crate) async fn by_id(&self, object: &str, id: &str, fields: &[&str]) -> Outcome<Option<Value>> {
        self.read(&["sobjects", object, id], Some(("fields", &fields.join(",")))).await
    }

    /// An object's fields and rights, or `None` when the user may not see it.
    pub(crate) async fn describe(&self, object: &str) -> Outcome<Option<Value>> {
        self.read(&["sobjects", object, "describe"], None).await
    }

    /// Versions of the API this org speaks.
    pub(crate) async fn versions(&self) -> Outcome<Vec<String>> {
        let answer = self.send(&Call::get(&[], None)).await?;
        let list = self.json(&answer, false)?;
        let versions = list.as_array().into_iter().flatten().filter_map(|v| v.get("version")?.as_str());
        Ok(versions.map(str::to_owned).collect())
    }

    /// Rows of a SOQL query; queries are limited to one page.
    pub(crate) async fn query(&self, soql: &str) -> Outcome<Vec<Value>> {
        self.rows(&["query"], soql, "records").await
    }

    /// The same over deleted and merged records too.
    pub(crate) async fn query_all(&self, soql: &str) -> Outcome<Vec<Value>> {
        self.rows(&["queryAll"], soql, "records").await
    }

    /// Records of a SOSL search.
    pub(crate) async fn search(&self, sosl: &str) -> Outcome<Vec<Value>> {
        self.rows(&["search"], sosl, "searchRecords").await
    }

    async fn rows(&self, path: &[&str], text: &str, member: &str) -> Outcome<Vec<Value>> {
        let answer = self.send(&Call::get(path, Some(("q", text)))).await?;
        let mut value = self.json(&self.expect(answer, &[200], false)?, false)?;
        match value.get_mut(member).map(Value::take) {
            Some(Value::Array(rows)) => Ok(rows),
            _ => Err(Failure::retry("Salesforce answered a search in an unknown form")),
        }
    }

    async fn read(&self, path: &[&str], query: Option<(&str, &str)>) -> Outcome<Option<Value>> {
        let answer = self.send(&Call::get(path, query)).await?;
        let errors = errors(&answer.body);
        let gone = |code: &str| errors.iter().any(|e| e.error_code == code);
        // The same 404 says that the key field is no external id; that is not an absent record.
        let no_field = errors.iter().any(|e| e.message.contains("external ID field"));
        let absent = (answer.status == 404 && gone("NOT_FOUND")) || gone("ENTITY_IS_DELETED");
        if absent && !no_field {
            return Ok(None);
        }
        self.json(&self.expect(answer, &[200], false)?, false).map(Some)
    }

    /// Makes or updates the record that has a key. `assign` runs the org's assignment rules.
    pub(crate) async fn upsert(
        &self,
        object: &str,
        field: &str,
        key: &str,
        fields: Fields,
        assign: bool,
    ) -> Outcome<Upserted> {
        let path = ["sobjects", object, field, key];
        let call = Call::write(Method::PATCH, &path, Body::Json(Value::Object(fields)), Some(assign));
        let answer = self.send(&call).await?;
        if answer.status == 300 {
            let reason = format!(
                "{object}.{field} is not unique: several records have this key; make the field unique and merge them"
            );
            return Err(Failure::reject(Some("MULTIPLE_CHOICES"), reason));
        }
        let value = self.json(&self.expect(answer, &[200, 201], true)?, true)?;
        match value.get("id").and_then(Value::as_str) {
            Some(id) if map::is_id(id) => Ok(Upserted {
                id: id.to_owned(),
                created: value.get("created").and_then(Value::as_bool).unwrap_or(false),
            }),
            _ => Err(Failure::unknown("Salesforce answered an upsert without an id")),
        }
    }

    /// Changes fields of a record. Never runs assignment rules.
    pub(crate) async fn update(&self, object: &str, id: &str, fields: Fields) -> Outcome<()> {
        let path = ["sobjects", object, id];
        let call = Call::write(Method::PATCH, &path, Body::Json(Value::Object(fields)), Some(false));
        let answer = self.send(&call).await?;
        self.expect(answer, &[200, 204], true).map(drop)
    }

    /// Makes a record that has no key; the caller has looked whether it is there already.
    pub(crate) async fn create(&self, object: &str, fields: Value) -> Outcome<()> {
        let path = ["sobjects", object];
        let answer = self.send(&Call::write(Method::POST, &path, Body::Json(fields), None)).await?;
        self.expect(answer, &[201], true).map(drop)
    }

    /// Deletes a record; one that is not there is deleted already.
    pub(crate) async fn delete(&self, object: &str, id: &str) -> Outcome<()> {
        let path = ["sobjects", object, id];
        let answer = self.send(&Call::write(Method::DELETE, &path, Body::None, None)).await?;
        let gone = errors(&answer.body).iter().any(|e| e.error_code == "ENTITY_IS_DELETED");
        if answer.status == 404 || gone {
            return Ok(());
        }
        self.expect(answer, &[200, 204], true).map(drop)
    }

    /// Uploads a file.
    pub(crate) async fn upload(&self, upload: &Upload<'_>) -> Outcome<()> {
        let path = ["sobjects", "ContentVersion"];
        let answer = self.send(&Call::write(Method::POST, &path, Body::File(upload), None)).await?;
        self.expect(answer, &[201], true).map(drop)
    }

    // ------------------------------------------------------------ sending

    /// Sends a request; a token that is not taken is renewed once.
    async fn send(&self, call: &Call<'_>) -> Outcome<Answer> {
        let session = self.auth.session().await?;
        let answer = self.once(&session, call).await?;
        match self.refusal(&answer) {
            None => Ok(answer),
            Some(Refusal::Final(failure)) => Err(failure),
            Some(Refusal::Renew) => {
                let session = self.auth.renew(&session).await?;
                let answer = self.once(&session, call).await?;
                match self.refusal(&answer) {
                    None => Ok(answer),
                    Some(Refusal::Final(failure)) => Err(failure),
                    Some(Refusal::Renew) => Err(Failure::Reauthorise {
                        reason: "Salesforce refuses a token it has just given: check the app's session policies and the user's API access".into(),
                    }),
                }
            }
        }
    }

    async fn once(&self, session: &Session, call: &Call<'_>) -> Outcome<Answer> {
        let host = session.instance.host_str().unwrap_or("Salesforce");
        let url = self.url(&session.instance, call);
        if url.as_str().len() > URI_BYTES_MAX {
            return Err(Failure::reject(None, "the search text is too long for Salesforce"));
        }
        let mut request = self
            .http
            .request(call.method.clone(), url)
            .bearer_auth(session.token.reveal())
            .header("Accept", "application/json")
            .header("Sforce-Call-Options", "client=Tieline");
        if let Some(assign) = call.assign {
            // Without this header Salesforce runs assignment rules at every write of a case (sheet 2.4).
            request = request.header("Sforce-Auto-Assign", if assign { "TRUE" } else { "FALSE" });
        }
        request = match &call.body {
            Body::None => request,
            Body::Json(value) => request.json(value),
            Body::File(upload) => request.multipart(form(upload)?),
        };
        self.requests.fetch_add(1, Ordering::Relaxed);
        let said = |failure| if call.writes() { failure } else { nothing_written(failure) };
        let answer = request.send().await.map_err(|e| said(classify(host, &e)))?;
        let status = answer.status().as_u16();
        self.note(answer.headers());
        let retry_after = header(answer.headers(), "retry-after").and_then(|v| v.parse().ok());
        let body = read_body(host, answer, self.limits.answer_bytes_max).await.map_err(said)?;
        tracing::debug!(method = %call.method, path = call.path.first(), status, "Salesforce answered");
        Ok(Answer { status, retry_after, body })
    }

    fn url(&self, instance: &Url, call: &Call<'_>) -> Url {
        let mut url = instance.clone();
        url.set_path("/services/data");
        if let Ok(mut segments) = url.path_segments_mut()
            && !call.path.is_empty()
        {
            segments.push(&self.version).extend(call.path);
        }
        if let Some((name, value)) = call.query {
            url.query_pairs_mut().append_pair(name, value);
        }
        url
    }

    /// Keeps what every answer says beside its body.
    fn note(&self, headers: &HeaderMap) {
        if let Some(usage) = header(headers, "sforce-limit-info").and_then(usage) {
            *self.usage.lock().unwrap_or_else(PoisonError::into_inner) = Some(usage);
        }
        if let Some(server) = header(headers, "date").and_then(parse_date) {
            self.skew_secs.store(server - self.clock.now().0.div_euclid(1000), Ordering::Relaxed);
        }
    }

    // ------------------------------------------------------------ what answers mean

    fn json(&self, answer: &Answer, wrote: bool) -> Outcome<Value> {
        serde_json::from_slice(&answer.body).map_err(|_| {
            let reason =
                format!("Salesforce answered HTTP {} with something that is not JSON", answer.status);
            if wrote { Failure::unknown(reason) } else { Failure::retry(reason) }
        })
    }

    fn expect(&self, answer: Answer, good: &[u16], wrote: bool) -> Outcome<Answer> {
        if good.contains(&answer.status) { Ok(answer) } else { Err(self.failure(&answer, wrote)) }
    }

    /// Whether the answer refuses the token rather than the request (sheet 1.5).
    fn refusal(&self, answer: &Answer) -> Option<Refusal> {
        let errors = errors(&answer.body);
        let code = errors.first().map(|e| e.error_code.as_str()).unwrap_or_default();
        let says = |text: &str| errors.iter().any(|e| e.message.contains(text));
        let last = |reason: &str| Some(Refusal::Final(Failure::Reauthorise { reason: reason.to_owned() }));
        match (answer.status, code) {
            (401, _) if says("not valid for use with the REST API") => last(
                "the token may not use the REST API: give the app the scope `api` and the user `API Enabled`",
            ),
            (401, _) if says("not attached to Agent") => {
                last("the app is not attached to the agent it speaks for: check the app's policies")
            }
            (401, "INVALID_AUTH_HEADER") => {
                last("Salesforce could not read the token; check proxies on the way")
            }
            (401, _) | (404, "URL_NOT_RESET") | (301 | 302 | 307 | 308, _) => Some(Refusal::Renew),
            (403, "API_DISABLED_FOR_ORG" | "API_CURRENTLY_DISABLED") => {
                last("the org has no API access: enable it, or use an edition that has it")
            }
            _ => None,
        }
    }

    /// The table of sheet 2.6.
    fn failure(&self, answer: &Answer, wrote: bool) -> Failure {
        let errors = errors(&answer.body);
        let error = errors.into_iter().next().unwrap_or_default();
        let code = error.error_code.as_str();
        let after = answer.retry_after.map(Millis::secs);
        let retry = |known: Known, reason: String| Failure::Retry { after, known, reason };
        let lost = if wrote { Known::Unknown } else { Known::NotDone };
        match (answer.status, code) {
            (_, "REQUEST_LIMIT_EXCEEDED") | (429, _) => self.throttled(&error, answer.retry_after),
            (_, "UNABLE_TO_LOCK_ROW") => retry(Known::NotDone, "the record is locked in Salesforce".into()),
            (400, _)
                if error.message.contains("UNABLE_TO_LOCK_ROW")
                    || error.message.contains("CPU time limit") =>
            {
                retry(Known::NotDone, format!("an automation in the org was busy ({code})"))
            }
            (400, "QUERY_TIMEOUT") => retry(Known::NotDone, "Salesforce's search took too long".into()),
            (400, "DUPLICATE_VALUE") if self.names_a_key(&error.message) => {
                retry(Known::Unknown, "another write with the same key was faster".into())
            }
            (408 | 420 | 500..=599, _) => {
                let code = if code.is_empty() { "" } else { &format!(", {code}") };
                retry(lost, format!("Salesforce is in trouble (HTTP {}{code})", answer.status))
            }
            (status, _) => Failure::Reject {
                code: (!code.is_empty()).then(|| code.to_owned()),
                reason: self.rejection(status, &error),
            },
        }
    }

    fn names_a_key(&self, message: &str) -> bool {
        message.contains(&self.settings.key_field) || message.contains(&self.settings.contact_key_field)
    }

    /// Salesforce gives no time with its limits; settings do.
    fn throttled(&self, error: &RestError, retry_after: Option<u64>) -> Failure {
        let waits = &self.settings.limits;
        let (secs, what) = if error.message.contains("Concurrent") {
            (waits.wait_concurrent_secs, "too many long requests at once")
        } else {
            (waits.wait_daily_secs, "the org's requests of 24 hours are used up")
        };
        let wait = Millis::secs(retry_after.unwrap_or(secs));
        Failure::Throttled {
            until: Some(self.clock.now() + wait),
            reason: format!("Salesforce limits us: {what}"),
        }
    }

    /// Says what was refused in our words: messages of Salesforce repeat the values sent.
    fn rejection(&self, status: u16, error: &RestError) -> String {
        let code = &error.error_code;
        let fields =
            if error.fields.is_empty() { quoted_name(&error.message) } else { Some(error.fields.join(", ")) };
        let at = fields.map(|f| format!(" at {f}")).unwrap_or_default();
        let why = match code.as_str() {
            "" => return format!("Salesforce refused the request (HTTP {status})"),
            // An administrator wrote this text for people; it holds no values.
            "FIELD_CUSTOM_VALIDATION_EXCEPTION" => &map::one_line(&error.message, RULE_UNITS),
            "INVALID_FIELD" | "INVALID_FIELD_FOR_INSERT_UPDATE" => {
                "the field does not exist, or the integration user may not use it"
            }
            "STRING_TOO_LONG" => "the text is too long for the field",
            "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST" => {
                "the picklist does not have this value; change the setting or the picklist"
            }
            "REQUIRED_FIELD_MISSING" => "the org demands a field that is not mapped; add it to `case.fields`",
            "STORAGE_LIMIT_EXCEEDED" => "the org's storage is full",
            "NOT_FOUND" if error.message.contains("external ID field") => {
                "the key field is missing, is no external id, or is hidden from the integration user"
            }
            "NOT_FOUND" => "no such record, or no such API version",
            "DUPLICATES_DETECTED" => {
                "a duplicate rule of the org found a similar record; choose that one, or let the rule allow it"
            }
            "ENTITY_IS_DELETED" => "the record was deleted in Salesforce",
            "INSUFFICIENT_ACCESS_OR_READONLY" | "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY" => {
                "the integration user lacks a right"
            }
            _ => "the request can never succeed as it is",
        };
        format!("Salesforce: {code}{at}: {why}")
    }
}

impl<'a> Call<'a> {
    fn get(path: &'a [&'a str], query: Option<(&'a str, &'a str)>) -> Self {
        Self { method: Method::GET, path, query, body: Body::None, assign: None }
    }
    fn write(method: Method, path: &'a [&'a str], body: Body<'a>, assign: Option<bool>) -> Self {
        Self { method, path, query: None, body, assign }
    }
    fn writes(&self) -> bool {
        self.method != Method::GET
    }
}

fn form(upload: &Upload<'_>) -> Outcome<Form> {
    let path = format!("{}.txt", upload.title);
    let mut entity = json!({
        "Title": upload.title, "PathOnClient": path, "Description": upload.description,
    });
    match upload.place {
        Place::Under(record) => entity["FirstPublishLocationId"] = record.into(),
        Place::VersionOf(document) => entity["ContentDocumentId"] = document.into(),
    }
    let odd = |_| Failure::reject(None, "the file could not be put into a request");
    let entity = Part::text(entity.to_string()).mime_str("application/json").map_err(odd)?;
    let content = Part::text(upload.content.to_owned()).file_name(path);
    let content = content.mime_str("text/plain; charset=utf-8").map_err(odd)?;
    Ok(Form::new().part("entity_content", entity).part("VersionData", content))
}

fn header<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

/// `api-usage=18/5000; per-app-…` (sheet 2.7).
fn usage(text: &str) -> Option<Usage> {
    let pair = text.split(';').find_map(|part| part.trim().strip_prefix("api-usage="))?;
    let (used, max) = pair.split_once('/')?;
    Some(Usage { used: used.trim().parse().ok()?, max: max.trim().parse().ok()? })
}

/// Errors of a body; none when it is not an array of them. Members may be absent, null or more than are read.
fn errors(body: &[u8]) -> Vec<RestError> {
    let list: Vec<Value> = serde_json::from_slice(body).unwrap_or_default();
    let text =
        |error: &Value, name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    list.iter()
        .map(|error| RestError {
            error_code: text(error, "errorCode"),
            message: text(error, "message"),
            fields: error
                .get("fields")
                .and_then(Value::as_array)
                .map(|all| all.iter().filter_map(Value::as_str).map(str::to_owned).collect())
                .unwrap_or_default(),
        })
        .collect()
}

/// A field or object that a message names in quotes; anything that is no such name is not repeated.
fn quoted_name(message: &str) -> Option<String> {
    let name = message
        .strip_prefix("No such column '")
        .or_else(|| message.split_once("No such column '").map(|p| p.1))?;
    let name = name.split_once('\'')?.0;
    let plain = name.len() <= 80 && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.');
    plain.then(|| name.to_owned())
}
