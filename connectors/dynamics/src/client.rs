//! The Web API over HTTP: the only place that knows addresses, headers, status and error codes, and what they mean for
//! us (sheet sections 2.1, 2.10, 2.12 and 2.13). Never logs or repeats a message: Dataverse puts values into them.

use crate::auth::{Auth, Session, nothing_written, parse_date};
use crate::queries::Query;
use crate::settings::{Invalid, Settings};
use reqwest::header::HeaderMap;
use reqwest::{Method, Url};
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use tieline_connector_api::client::{Limits, build, classify, read_body};
use tieline_connector_api::steps::Fields;
use tieline_connector_api::{Failure, Known, Outcome};
use tieline_model::{Clock, Millis};

/// A request whose address is longer is refused; about 32 KB are taken.
const URI_BYTES_MAX: usize = 30_000;
/// The annotations we read: values as people see them, and the table a look-up points at.
const ANNOTATIONS: &str = "odata.include-annotations=\"OData.Community.Display.V1.FormattedValue,Microsoft.Dynamics.CRM.lookuplogicalname\"";

/// Error codes that we act on (sheet 2.12).
pub(crate) mod code {
    pub(crate) const NOT_FOUND: u32 = 0x8004_0217;
    pub(crate) const NO_SUCH_KEY: u32 = 0x8006_0891;
    pub(crate) const DUPLICATE: u32 = 0x8004_0237;
    pub(crate) const KEY_VIOLATED: u32 = 0x8006_0892;
    pub(crate) const UNIQUE_INDEX: u32 = 0x8007_3002;
    pub(crate) const CHANGED: u32 = 0x8006_0882;
    pub(crate) const CHANGED_TOO: u32 = 0x8006_0881;
    pub(crate) const DUPLICATE_RULE: u32 = 0x8004_0333;
    pub(crate) const TOO_LONG: u32 = 0x8004_4331;
    pub(crate) const PAYLOAD: u32 = 0x8004_8d19;
    pub(crate) const ADDRESS: u32 = 0x8006_0888;
    pub(crate) const PLUGIN: u32 = 0x8004_0265;
    pub(crate) const PRIVILEGE: u32 = 0x8004_0220;
    pub(crate) const DISABLED: u32 = 0x8004_0225;
    pub(crate) const NO_MEMBER: u32 = 0x8007_2560;
    pub(crate) const SQL: u32 = 0x8004_4150;
    pub(crate) const LIMIT_TIME: u32 = 0x8007_2321;
    pub(crate) const LIMIT_REQUESTS: u32 = 0x8007_2322;
    pub(crate) const LIMIT_AT_ONCE: u32 = 0x8007_2326;
}

/// How a create went.
pub(crate) enum Created {
    /// The row is new; its columns as far as they were asked for.
    Made(Value),
    /// A row with this id was there: an earlier try came through.
    There,
}

/// How an update went.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Updated {
    Done,
    /// Somebody changed the row since it was read.
    Changed,
    /// The row is not there, or one that it was to point at.
    Missing,
}

/// One request, in a form that can be sent twice.
struct Call {
    method: Method,
    /// Behind `/api/data/vX.Y/`.
    path: String,
    query: Query,
    prefer: Option<&'static str>,
    if_match: Option<String>,
    body: Option<Value>,
}

struct Answer {
    status: u16,
    retry_after: Option<u64>,
    body: Vec<u8>,
}

/// What an error body says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ApiError {
    /// Its code, whichever way it was written.
    pub(crate) code: Option<u32>,
    message: String,
}

/// The environment, over HTTP.
pub(crate) struct Client {
    http: reqwest::Client,
    pub(crate) auth: Auth,
    clock: Arc<dyn Clock>,
    base: Url,
    limits: Limits,
    wait_limited_secs: u64,
    skew_secs: AtomicI64,
    requests: AtomicU64,
}

impl Client {
    pub(crate) fn new(settings: &Settings, clock: Arc<dyn Clock>, limits: Limits) -> Result<Self, Invalid> {
        let http = build(&limits)
            .map_err(|e| Invalid::new("extra_ca", format!("no HTTPS client can be made: {e}")))?;
        let base = format!("{}/api/data/v{}/", settings.org_url.trim_end_matches('/'), settings.api_version);
        let base = Url::parse(&base).map_err(|e| Invalid::new("org_url", e.to_string()))?;
        Ok(Self {
            auth: Auth::new(http.clone(), clock.clone(), settings)?,
            http,
            clock,
            base,
            limits,
            wait_limited_secs: settings.limits.wait_limited_secs,
            skew_secs: AtomicI64::new(0),
            requests: AtomicU64::new(0),
        })
    }

    /// How far Dynamics' clock is ahead of ours, in seconds, by its latest answer.
    pub(crate) fn skew_secs(&self) -> i64 {
        self.skew_secs.load(Ordering::Relaxed)
    }
    /// Requests sent to the Web API so far, logins not counted.
    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }
    /// Scheme, host and port of the environment, for messages.
    pub(crate) fn address(&self) -> String {
        self.base.origin().ascii_serialization()
    }

    // ------------------------------------------------------------ what can be asked

    /// A row by its id, or `None` when it is not there.
    pub(crate) async fn read(&self, set: &str, id: &str, columns: &str) -> Outcome<Option<Value>> {
        let mut call = Call::new(Method::GET, format!("{set}({id})"));
        call.query = vec![("$select", columns.to_owned())];
        call.prefer = Some(ANNOTATIONS);
        let answer = self.send(&call).await?;
        if answer.status == 404 && is_absent(&error(&answer.body)) {
            return Ok(None);
        }
        self.json(&self.expect(answer, &[200], false)?, false).map(Some)
    }

    /// Rows of a query; queries are limited to one page.
    pub(crate) async fn list(&self, set: &str, query: Query) -> Outcome<Vec<Value>> {
        let mut call = Call::new(Method::GET, set.to_owned());
        call.query = query;
        call.prefer = Some(ANNOTATIONS);
        let answer = self.send(&call).await?;
        let mut value = self.json(&self.expect(answer, &[200], false)?, false)?;
        match value.get_mut("value").map(Value::take) {
            Some(Value::Array(rows)) => Ok(rows),
            _ => Err(Failure::retry("Dynamics answered a search in an unknown form")),
        }
    }

    /// What a function gives; the path is as it stands behind the version.
    pub(crate) async fn function(&self, path: &str) -> Outcome<Value> {
        let answer = self.send(&Call::new(Method::GET, path.to_owned())).await?;
        self.json(&self.expect(answer, &[200], false)?, false)
    }

    /// Makes a row whose id stands in its columns: it is made once, whatever is repeated (sheet 3).
    pub(crate) async fn create(&self, set: &str, fields: Fields, columns: &str) -> Outcome<Created> {
        let mut call = Call::new(Method::POST, set.to_owned());
        call.body = Some(Value::Object(fields));
        if !columns.is_empty() {
            call.query = vec![("$select", columns.to_owned())];
            call.prefer = Some("return=representation");
        }
        let answer = self.send(&call).await?;
        if is_there(answer.status, &error(&answer.body)) {
            return Ok(Created::There);
        }
        let answer = self.expect(answer, &[200, 201, 204], true)?;
        if answer.status == 204 {
            return Ok(Created::Made(Value::Null));
        }
        // A page of some gateway is no proof that anything was made.
        self.json(&answer, true).map(Created::Made)
    }

    /// Changes columns of a row that is as it was read (`etag`), or that is there at all. Never makes one: without a
    /// condition, a PATCH of a deleted row brings back its bones (sheet 2.10).
    pub(crate) async fn update(
        &self,
        set: &str,
        id: &str,
        etag: Option<&str>,
        fields: Fields,
    ) -> Outcome<Updated> {
        let mut call = Call::new(Method::PATCH, format!("{set}({id})"));
        call.if_match = Some(etag.unwrap_or("*").to_owned());
        call.body = Some(Value::Object(fields));
        let answer = self.send(&call).await?;
        let error = error(&answer.body);
        match (answer.status, error.code) {
            (412, Some(code::DUPLICATE_RULE)) => Err(self.failure(&answer, true)),
            (412, _) | (_, Some(code::CHANGED | code::CHANGED_TOO)) => Ok(Updated::Changed),
            (404, _) if is_absent(&error) => Ok(Updated::Missing),
            (400, Some(code::NOT_FOUND)) => Ok(Updated::Missing),
            _ => self.expect(answer, &[204], true).map(|_| Updated::Done),
        }
    }

    /// Deletes a row; one that is not there is deleted already.
    pub(crate) async fn delete(&self, set: &str, id: &str) -> Outcome<()> {
        let answer = self.send(&Call::new(Method::DELETE, format!("{set}({id})"))).await?;
        if answer.status == 404 && is_absent(&error(&answer.body)) {
            return Ok(());
        }
        self.expect(answer, &[204], true).map(drop)
    }

    /// Carries an action out.
    pub(crate) async fn action(&self, name: &str, arguments: Value) -> Outcome<()> {
        let mut call = Call::new(Method::POST, name.to_owned());
        call.body = Some(arguments);
        let answer = self.send(&call).await?;
        self.expect(answer, &[204], true).map(drop)
    }

    // ------------------------------------------------------------ sending

    /// Sends a request; a token that is not taken is renewed once.
    async fn send(&self, call: &Call) -> Outcome<Answer> {
        let session = self.auth.session().await?;
        let answer = self.once(&session, call).await?;
        if answer.status != 401 {
            return Ok(answer);
        }
        let session = self.auth.renew(&session).await?;
        let answer = self.once(&session, call).await?;
        if answer.status != 401 {
            return Ok(answer);
        }
        Err(Failure::Reauthorise {
            reason: format!(
                "the environment refuses a token it has just been given: check that `org_url` ({}) is an environment of `tenant`",
                self.address()
            ),
        })
    }

    async fn once(&self, session: &Session, call: &Call) -> Outcome<Answer> {
        let host = self.base.host_str().unwrap_or("Dynamics");
        let url = self.url(call)?;
        let mut request = self
            .http
            .request(call.method.clone(), url)
            .bearer_auth(session.token.reveal())
            .header("Accept", "application/json")
            .header("OData-Version", "4.0")
            .header("OData-MaxVersion", "4.0");
        if let Some(prefer) = call.prefer {
            request = request.header("Prefer", prefer);
        }
        if let Some(etag) = &call.if_match {
            request = request.header("If-Match", etag);
        }
        if let Some(body) = &call.body {
            request = request.json(body);
        }
        self.requests.fetch_add(1, Ordering::Relaxed);
        let said = |failure| if call.writes() { failure } else { nothing_written(failure) };
        let answer = request.send().await.map_err(|e| said(classify(host, &e)))?;
        let status = answer.status().as_u16();
        if let Some(server) = header(answer.headers(), "date").and_then(parse_date) {
            self.skew_secs.store(server - self.clock.now().0.div_euclid(1000), Ordering::Relaxed);
        }
        let retry_after = header(answer.headers(), "retry-after").and_then(|v| v.trim().parse().ok());
        let body = read_body(host, answer, self.limits.answer_bytes_max).await.map_err(said)?;
        let set = call.path.split('(').next().unwrap_or_default();
        tracing::debug!(method = %call.method, set, status, "Dynamics answered");
        Ok(Answer { status, retry_after, body })
    }

    /// Every reserved sign of a query is encoded, a plus above all: bare, it would be a space (sheet 2.3).
    fn url(&self, call: &Call) -> Outcome<Url> {
        let odd = |_| Failure::reject(None, "the request's address cannot be made");
        let mut url = self.base.join(&call.path).map_err(odd)?;
        if !call.query.is_empty() {
            url.query_pairs_mut().extend_pairs(call.query.iter().map(|(name, value)| (*name, value)));
            // Spaces as everybody reads them; a plus sign of the text itself is `%2B` by now.
            let encoded = url.query().unwrap_or_default().replace('+', "%20");
            url.set_query(Some(&encoded));
        }
        if url.as_str().len() > URI_BYTES_MAX {
            return Err(Failure::reject(None, "the search text is too long for Dynamics"));
        }
        Ok(url)
    }

    // ------------------------------------------------------------ what answers mean

    fn json(&self, answer: &Answer, wrote: bool) -> Outcome<Value> {
        serde_json::from_slice(&answer.body).map_err(|_| {
            let reason = format!("Dynamics answered HTTP {} with something that is not JSON", answer.status);
            if wrote { Failure::unknown(reason) } else { Failure::retry(reason) }
        })
    }

    fn expect(&self, answer: Answer, good: &[u16], wrote: bool) -> Outcome<Answer> {
        if good.contains(&answer.status) { Ok(answer) } else { Err(self.failure(&answer, wrote)) }
    }

    /// The tables of sheets 2.12 and 2.13.
    fn failure(&self, answer: &Answer, wrote: bool) -> Failure {
        let error = error(&answer.body);
        let lost = if wrote { Known::Unknown } else { Known::NotDone };
        let after = answer.retry_after.map(Millis::secs);
        let status = answer.status;
        match (status, error.code) {
            (429, _) | (_, Some(code::LIMIT_TIME | code::LIMIT_REQUESTS | code::LIMIT_AT_ONCE)) => {
                let wait = Millis::secs(answer.retry_after.unwrap_or(self.wait_limited_secs));
                Failure::Throttled {
                    until: Some(self.clock.now() + wait),
                    reason: format!("Dynamics limits us: {}", limit(error.code)),
                }
            }
            (_, Some(code::NO_MEMBER)) => Failure::Reauthorise {
                reason: "the environment has no application user for this app (0x80072560): add one in the Power Platform admin center under Settings, Users, Application users, and give it the Tieline role".into(),
            },
            (_, Some(code::DISABLED)) => Failure::Reauthorise {
                reason: "the application user is disabled (0x80040225): enable it in the Power Platform admin center".into(),
            },
            (_, Some(code::SQL)) => {
                Failure::Retry { after, known: lost, reason: "the environment's database was busy (0x80044150)".into() }
            }
            (200..=299, _) => Failure::Retry {
                after,
                known: lost,
                reason: format!("Dynamics answered HTTP {status} in an unknown form"),
            },
            (300..=399, _) => Failure::Reauthorise {
                reason: format!("the environment answers HTTP {status}: `org_url` ({}) is not its address", self.address()),
            },
            (408 | 500 | 502..=599, _) => {
                Failure::Retry { after, known: lost, reason: format!("Dynamics is in trouble (HTTP {status})") }
            }
            _ => Failure::Reject { code: error.code.map(written), reason: rejection(status, &error) },
        }
    }
}

impl Call {
    fn new(method: Method, path: String) -> Self {
        Self { method, path, query: Vec::new(), prefer: None, if_match: None, body: None }
    }
    fn writes(&self) -> bool {
        self.method != Method::GET
    }
}

fn header<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

fn limit(code: Option<u32>) -> &'static str {
    match code {
        Some(code::LIMIT_TIME) => "too much execution time within five minutes",
        Some(code::LIMIT_AT_ONCE) => "too many requests at once",
        _ => "too many requests within five minutes",
    }
}

/// A code as people look it up.
fn written(code: u32) -> String {
    format!("0x{code:08x}")
}

/// The error of a body: its code may be hexadecimal, a signed decimal, or empty, and the body may be anything.
pub(crate) fn error(body: &[u8]) -> ApiError {
    let said: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    let text = |name: &str| {
        said.get("error").and_then(|e| e.get(name)).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    ApiError { code: parse_code(&text("code")), message: text("message") }
}

fn parse_code(text: &str) -> Option<u32> {
    let text = text.trim();
    if let Some(hex) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        return u32::from_str_radix(hex, 16).ok().filter(|code| *code != 0);
    }
    let number: i64 = text.parse().ok()?;
    let code = i32::try_from(number).map(|n| u32::from_ne_bytes(n.to_ne_bytes()));
    code.or_else(|_| u32::try_from(number)).ok().filter(|code| *code != 0)
}

/// Whether a 404 says that a row is not there, rather than that the address is wrong.
fn is_absent(error: &ApiError) -> bool {
    match error.code {
        Some(code::NOT_FOUND | code::NO_SUCH_KEY) => true,
        Some(_) => false,
        None => error.message.contains("Does Not Exist"),
    }
}

/// Whether a create met a row that has its key. 412 means several things; a create carries no condition, so only a
/// duplicate rule is left beside it (sheet 2.12).
fn is_there(status: u16, error: &ApiError) -> bool {
    match error.code {
        Some(code::DUPLICATE | code::KEY_VIOLATED | code::UNIQUE_INDEX) => true,
        Some(code::DUPLICATE_RULE) => false,
        Some(_) | None => status == 412,
    }
}

/// Says what was refused in our words.
fn rejection(status: u16, error: &ApiError) -> String {
    let Some(code) = error.code else {
        return format!("Dynamics refused the request (HTTP {status}); it gave no code");
    };
    let at = column(&error.message).map(|name| format!(" at {name}")).unwrap_or_default();
    let why = match code {
        code::TOO_LONG => "the text is too long for the column",
        code::PAYLOAD => {
            "a column does not exist, or does not take this kind of value; check `case.fields` and `call.fields`"
        }
        code::ADDRESS => "a column or table does not exist, or the API version is not there",
        code::NOT_FOUND => {
            "a record that is pointed at is not there: check `case.subject_id`, `case.fallback_customer` and `crm_users`"
        }
        code::PLUGIN => {
            "a plug-in of the environment refused the record; its administrator finds why in the plug-in trace log"
        }
        code::PRIVILEGE => {
            let name = privilege(&error.message).unwrap_or_else(|| "a privilege".into());
            return format!(
                "Dynamics: {}: the application user lacks {name}; add it to its security role",
                written(code)
            );
        }
        code::DUPLICATE_RULE => "a duplicate detection rule found a similar record",
        _ => "the request can never succeed as it is",
    };
    format!("Dynamics: {}{at}: {why}", written(code))
}

/// The column that a message names: the one in quotes in front of the word "attribute", or behind "property named".
/// Anything else in quotes may be a value and is not repeated.
fn column(message: &str) -> Option<String> {
    let plain = |name: &str| {
        let ok =
            (1..=100).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        ok.then(|| name.to_owned())
    };
    if let Some((before, _)) = message.split_once("' attribute") {
        return before.rsplit_once('\'').and_then(|(_, name)| plain(name));
    }
    let (_, after) = message.split_once("property named '")?;
    plain(after.split_once('\'')?.0)
}

/// The privilege whose lack was the reason of a rejection.
pub(crate) fn privilege_of(failure: &Failure) -> Option<String> {
    match failure {
        Failure::Reject { code, reason } if code.as_deref() == Some("0x80040220") => {
            Some(privilege(reason).unwrap_or_else(|| "a privilege".to_owned()))
        }
        Failure::Reject { .. }
        | Failure::Retry { .. }
        | Failure::Throttled { .. }
        | Failure::Reauthorise { .. } => None,
    }
}

/// The privilege that a message names.
fn privilege(message: &str) -> Option<String> {
    message
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .find(|word| word.len() <= 100 && word.starts_with("prv") && word.len() > 3)
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn body(code: &str, message: &str) -> Vec<u8> {
        serde_json::json!({ "error": { "code": code, "message": message } }).to_string().into_bytes()
    }

    #[test]
    fn a_code_is_read_in_each_of_its_spellings() {
        for spelling in ["0x80072322", "0X80072322", "-2147015902", "2147951394", " 0x80072322 "] {
            assert_eq!(error(&body(spelling, "")).code, Some(code::LIMIT_REQUESTS), "{spelling}");
        }
        for none in ["", "0x0", "0", "IsvAborted", "0x123456789", "99999999999999999999"] {
            assert_eq!(error(&body(none, "")).code, None, "{none}");
        }
    }

    #[test]
    fn a_body_that_is_no_error_says_nothing() {
        for odd in [
            &b""[..],
            b"<html>502</html>",
            b"{\"error\":",
            b"[]",
            b"{\"error\":\"x\"}",
            b"{\"error\":{\"code\":7}}",
        ] {
            assert_eq!(error(odd), ApiError::default());
        }
    }

    #[test]
    fn a_412_is_told_apart_by_its_code_first() {
        let there = |status, code: &str, message: &str| is_there(status, &error(&body(code, message)));
        assert!(there(412, "0x80040237", ""));
        assert!(there(412, "", "A record with matching key values already exists."));
        assert!(there(412, "0x80060892", ""));
        assert!(there(500, "0x80073002", ""));
        assert!(!there(412, "0x80040333", ""));
        assert!(!there(400, "0x80040265", ""));
    }

    #[test]
    fn an_absent_row_is_not_a_wrong_address() {
        let absent = |code: &str, message: &str| is_absent(&error(&body(code, message)));
        assert!(absent("0x80040217", ""));
        assert!(absent("", "contact With Id = 00000000-0000-0000-0000-000000000001 Does Not Exist"));
        assert!(!absent("0x80060888", "Resource not found for the segment 'contacst'."));
        assert!(!absent("", "Resource not found for the segment 'contacst'."));
    }

    #[test]
    fn what_was_refused_is_named_and_no_value_repeated() {
        let says = |code: &str, message: &str| rejection(400, &error(&body(code, message)));
        let long = "A validation error occurred. The length of the 'title' attribute of the 'incident' entity exceeded the maximum allowed length of '200'.";
        assert!(says("0x80044331", long).contains(" at title: "));
        let unknown =
            "Could not find a property named 'abc_queue' on type 'Microsoft.Dynamics.CRM.incident'.";
        assert!(says("0x80060888", unknown).contains(" at abc_queue: "));
        let right = "Principal user (Id=1, type=8) is missing prvCreateIncident privilege on OTC for entity 'incident'.";
        assert!(says("0x80040220", right).contains("lacks prvCreateIncident;"));
        for told in ["Ada Lovelace is blocked", "'Ada Lovelace' attribute", "prv", "property named 'Ada L'"] {
            for code in ["0x80040265", "", "0x80040216", "0x80040220", "0x80048d19"] {
                let says = says(code, told);
                assert!(!says.contains("Ada") && !says.contains("Lovelace"), "{code} {told}: {says}");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

        /// Whatever a gateway answers: no panic, and no word of it in a reason that is longer than a name.
        #[test]
        fn any_body_is_read(body in proptest::collection::vec(any::<u8>(), 0..300), status in 400_u16..600) {
            let read = error(&body);
            let _ = (is_absent(&read), is_there(status, &read));
            prop_assert!(rejection(status, &read).len() < 400);
        }

        #[test]
        fn every_code_is_the_same_in_both_spellings(code in 1_u32..) {
            let decimal = i32::from_ne_bytes(code.to_ne_bytes()).to_string();
            prop_assert_eq!(parse_code(&format!("0x{code:x}")), Some(code));
            prop_assert_eq!(parse_code(&decimal), Some(code));
        }
    }
}
