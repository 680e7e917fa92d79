//! Zendesk over HTTP: the only place that knows addresses, headers and status codes, and what they mean for us
//! (sheet sections 2.5 and 2.6). Never logs a value: Zendesk's descriptions repeat them.

use crate::auth::{Auth, Session, nothing_written, parse_date};
use crate::map::{self, File, TICKET, USER};
use crate::said::{Said, plain};
use crate::settings::{Invalid, Settings};
use reqwest::header::HeaderMap;
use reqwest::{Method, Url};
use serde_json::{Map, Value, json};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tieline_connector_api::client::{Limits, build, classify, read_body};
use tieline_connector_api::{Failure, Known, Outcome};
use tieline_model::{Clock, Millis};

/// A request whose URI is longer is refused on the way.
const URI_BYTES_MAX: usize = 8_000;
/// Comments on one page; the most Zendesk gives.
const PAGE_SIZE: &str = "100";
/// Pages of comments read at most: Zendesk keeps 5,000 comments for a ticket.
const COMMENT_PAGES_MAX: usize = 50;
/// Pages of ticket fields read at most.
const FIELD_PAGES_MAX: usize = 10;
/// Longest wait taken from an answer, in seconds.
const WAIT_SECS_MAX: u64 = 3_600;

/// What is left of the account's requests of the minute, as the latest answer said it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// How many may still be made.
    pub left: u64,
    /// How many there may be.
    pub max: u64,
}

/// A ticket that is there after a create.
#[derive(Debug)]
pub(crate) struct Created {
    pub(crate) ticket: Value,
    /// Zendesk gave back what it had answered before.
    pub(crate) repeated: bool,
}

/// One request, in a form that can be sent twice.
struct Call<'a> {
    method: Method,
    /// Segments behind the base address.
    path: &'a [&'a str],
    query: &'a [(&'a str, &'a str)],
    body: Body<'a>,
    /// Value of `Idempotency-Key`.
    once: Option<&'a str>,
}

#[derive(Clone, Copy)]
enum Body<'a> {
    None,
    /// JSON, byte for byte.
    Json(&'a str),
    /// A text file.
    Text(&'a str),
}

struct Answer {
    status: u16,
    retry_after: Option<u64>,
    /// Another limit than the account's is what was reached.
    own_bucket: bool,
    repeated: bool,
    body: Vec<u8>,
}

/// What a refused token means.
enum Refusal {
    /// Log in again, once.
    Renew,
    /// Logging in again changes nothing.
    Final(Failure),
}

/// The account, over HTTP.
pub(crate) struct Client {
    http: reqwest::Client,
    pub(crate) auth: Auth,
    clock: Arc<dyn Clock>,
    base: Url,
    limits: Limits,
    wait_secs: u64,
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
            base: Url::parse(&settings.base_url).map_err(|e| Invalid::new("base_url", e.to_string()))?,
            limits,
            wait_secs: settings.limits.wait_limit_secs,
            usage: Mutex::new(None),
            skew_secs: AtomicI64::new(0),
            requests: AtomicU64::new(0),
        })
    }

    /// What the latest answer said about the account's limit.
    pub(crate) fn usage(&self) -> Option<Usage> {
        *self.usage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How far Zendesk's clock is ahead of ours, in seconds, by its latest answer.
    pub(crate) fn skew_secs(&self) -> i64 {
        self.skew_secs.load(Ordering::Relaxed)
    }

    /// Requests sent to the API so far, logins not counted.
    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Scheme, host and port, for messages.
    pub(crate) fn address(&self) -> String {
        self.base.origin().ascii_serialization()
    }

    // ------------------------------------------------------------ people

    /// The user whose token it is. Open to callers without credentials: an id of null is nobody (sheet 1.2).
    pub(crate) async fn me(&self) -> Outcome<Option<Value>> {
        self.one(&["users", "me"], &[], "user").await
    }

    /// The token in use, with its scopes.
    pub(crate) async fn token(&self) -> Outcome<Option<Value>> {
        self.one(&["oauth", "tokens", "current"], &[], "token").await
    }

    /// A user by id, or `None` when there is none.
    pub(crate) async fn user(&self, id: u64) -> Outcome<Option<Value>> {
        self.one(&["users", &id.to_string()], &[], "user").await
    }

    /// Users a search finds.
    pub(crate) async fn search_users(&self, query: &str) -> Outcome<Vec<Value>> {
        self.list(&["users", "search"], &[("query", query), ("per_page", PAGE_SIZE)], "users").await
    }

    /// Users with this external id, read from the records and not from the search index.
    pub(crate) async fn users_by_external_id(&self, key: &str) -> Outcome<Vec<Value>> {
        self.list(&["users", "show_many"], &[("external_ids", key)], "users").await
    }

    /// Every address and number of a user.
    pub(crate) async fn identities(&self, user: u64) -> Outcome<Vec<Value>> {
        self.list(&["users", &user.to_string(), "identities"], &[], "identities").await
    }

    /// Makes a user, or gives the one that has this external id or address.
    pub(crate) async fn create_user(&self, fields: Map<String, Value>) -> Outcome<Value> {
        let body = json!({ "user": fields }).to_string();
        let call = Call::write(Method::POST, &["users", "create_or_update"], Body::Json(&body));
        let answer = self.send(&call).await?;
        let answer = self.expect(answer, &[200, 201], true)?;
        self.inner(&answer, "user", true)
    }

    // ------------------------------------------------------------ tickets

    /// A ticket, with the people on it; `None` when there is none.
    pub(crate) async fn ticket_and_users(&self, id: u64) -> Outcome<Option<(Value, Vec<Value>)>> {
        let id_text = id.to_string();
        let path = [TICKETS, &id_text];
        let Some(body) = self.read(&path, &[("include", "users")]).await? else { return Ok(None) };
        let ticket = body.get("ticket").cloned().unwrap_or_default();
        is_asked(&ticket, id)?;
        let users = body.get("users").and_then(Value::as_array).cloned().unwrap_or_default();
        Ok(Some((ticket, users)))
    }

    /// A ticket by id, or `None` when there is none.
    pub(crate) async fn ticket(&self, id: u64) -> Outcome<Option<Value>> {
        let ticket = self.one(&[TICKETS, &id.to_string()], &[], "ticket").await?;
        ticket.map(|ticket| is_asked(&ticket, id).map(|()| ticket)).transpose()
    }

    /// Tickets with this external id: a list and no search, so it lags behind nothing. Ids are not unique.
    pub(crate) async fn tickets_by_external_id(&self, key: &str) -> Outcome<Vec<Value>> {
        let rows = self.list(&[TICKETS], &[("external_id", key)], "tickets").await?;
        let same = |row: &Value| {
            row.get("external_id").and_then(Value::as_str).is_some_and(|id| id.eq_ignore_ascii_case(key))
        };
        let mut rows: Vec<Value> = rows.into_iter().filter(same).collect();
        rows.sort_by_key(|row| map::id_of(row, "id"));
        Ok(rows)
    }

    /// Tickets a search finds.
    pub(crate) async fn search_tickets(&self, query: &str) -> Outcome<Vec<Value>> {
        let rows = self.list(&["search"], &[("query", query), ("per_page", PAGE_SIZE)], "results").await?;
        let is_ticket =
            |row: &Value| row.get("result_type").and_then(Value::as_str).is_none_or(|t| t == TICKET);
        Ok(rows.into_iter().filter(is_ticket).collect())
    }

    /// Latest tickets of a user, newest first.
    pub(crate) async fn tickets_of(&self, user: u64, limit: u32) -> Outcome<Vec<Value>> {
        let path = ["users", &user.to_string(), TICKETS, "requested"];
        let limit = limit.to_string();
        let query = [("sort_by", "created_at"), ("sort_order", "desc"), ("per_page", limit.as_str())];
        self.list(&path, &query, TICKETS).await
    }

    /// Makes a ticket. The same key and body again give the first answer again (sheet 2.3).
    pub(crate) async fn create_ticket(&self, body: &str, once: &str) -> Outcome<Created> {
        let call = Call { once: Some(once), ..Call::write(Method::POST, &[TICKETS], Body::Json(body)) };
        let answer = self.send(&call).await?;
        let answer = self.expect(answer, &[200, 201], true)?;
        let ticket = self.inner(&answer, "ticket", true)?;
        Ok(Created { ticket, repeated: answer.repeated })
    }

    /// Changes a ticket.
    pub(crate) async fn update_ticket(&self, id: u64, ticket: &Map<String, Value>) -> Outcome<Value> {
        let body = json!({ "ticket": ticket }).to_string();
        let id_text = id.to_string();
        let path = [TICKETS, &id_text];
        let answer = self.send(&Call::write(Method::PUT, &path, Body::Json(&body))).await?;
        let answer = self.expect(answer, &[200], true)?;
        let ticket = self.inner(&answer, "ticket", true)?;
        is_asked(&ticket, id)
            .map_err(|_| Failure::unknown("Zendesk answered an update with another ticket"))?;
        Ok(ticket)
    }

    /// Adds (`PUT`) or takes away (`DELETE`) tags; an update with `tags` would replace them all.
    pub(crate) async fn tag(&self, id: u64, method: Method, tags: &[String]) -> Outcome<()> {
        let body = json!({ "tags": tags }).to_string();
        let path = [TICKETS, &id.to_string(), "tags"];
        let answer = self.send(&Call::write(method, &path, Body::Json(&body))).await?;
        self.expect(answer, &[200, 201, 204], true).map(drop)
    }

    /// Every comment of a ticket, oldest first.
    pub(crate) async fn comments(&self, ticket: u64) -> Outcome<Vec<Value>> {
        self.pages(&[TICKETS, &ticket.to_string(), "comments"], "comments", COMMENT_PAGES_MAX).await
    }

    /// Uploads a file and gives the token a comment takes it by. Nobody takes it: it is gone after three days.
    pub(crate) async fn upload(&self, file: &File) -> Outcome<String> {
        let query = [("filename", file.name.as_str())];
        let call = Call { query: &query, ..Call::write(Method::POST, &["uploads"], Body::Text(&file.text)) };
        let answer = self.send(&call).await?;
        let answer = self.expect(answer, &[200, 201], true)?;
        let upload = self.inner(&answer, "upload", true)?;
        let token = map::member(&upload, "token").map(str::to_owned);
        token.ok_or_else(|| Failure::unknown("Zendesk answered an upload without a token"))
    }

    /// Deletes a ticket, then what is left of it. One that is not there is deleted already.
    pub(crate) async fn delete_ticket(&self, id: u64) -> Outcome<()> {
        let id = id.to_string();
        let answer = self.send(&Call::write(Method::DELETE, &[TICKETS, &id], Body::None)).await?;
        if answer.status != 404 {
            self.expect(answer, &[200, 204], true)?;
        }
        let path = ["deleted_tickets", &id];
        let answer = self.send(&Call::write(Method::DELETE, &path, Body::None)).await?;
        match answer.status {
            // Not everybody may delete for ever; Zendesk does it by itself after 30 days.
            403 | 404 => Ok(()),
            _ => self.expect(answer, &[200, 202, 204], true).map(drop),
        }
    }

    /// Takes everything a comment says, and its files, away for ever.
    pub(crate) async fn redact(&self, ticket: u64, comment: &Value) -> Outcome<()> {
        let Some(id) = map::id_of(comment, "id") else { return Ok(()) };
        let files = comment.get("attachments").and_then(Value::as_array);
        let files = files.into_iter().flatten().filter_map(|file| map::member(file, "content_url"));
        let html = map::member(comment, "html_body").unwrap_or_default();
        let body = json!({
            "ticket_id": ticket,
            "html_body": format!("<redact>{html}</redact>"),
            "external_attachment_urls": files.collect::<Vec<_>>(),
        })
        .to_string();
        let path = ["comment_redactions", &id.to_string()];
        let answer = self.send(&Call::write(Method::PUT, &path, Body::Json(&body))).await?;
        self.expect(answer, &[200, 201, 204], true).map(drop)
    }

    /// Fields of tickets.
    pub(crate) async fn ticket_fields(&self) -> Outcome<Vec<Value>> {
        self.pages(&["ticket_fields"], "ticket_fields", FIELD_PAGES_MAX).await
    }

    // ------------------------------------------------------------ calls and pops

    /// Makes a call of Talk Partner Edition, with its comment on a ticket.
    pub(crate) async fn create_call(&self, body: &Value) -> Outcome<Value> {
        let body = body.to_string();
        let answer = self.send(&Call::write(Method::POST, &["calls"], Body::Json(&body))).await?;
        let answer = self.expect(answer, &[200, 201], true)?;
        self.flat(&answer, "call")
    }

    /// Changes a call.
    pub(crate) async fn update_call(&self, id: &str, body: &Value) -> Outcome<()> {
        let body = body.to_string();
        let answer = self.send(&Call::write(Method::PATCH, &["calls", id], Body::Json(&body))).await?;
        self.expect(answer, &[200, 204], true).map(drop)
    }

    /// Opens a user or ticket at an agent; 200 comes with nothing in it (sheet 3.1).
    pub(crate) async fn display(&self, agent: u64, object: &str, id: u64) -> Outcome<()> {
        let things = if object == USER { "users" } else { TICKETS };
        let path = ["channels", "voice", "agents", &agent.to_string(), things, &id.to_string(), "display"];
        let answer = self.send(&Call::write(Method::POST, &path, Body::Json("{}"))).await?;
        match answer.status {
            404 => Err(Failure::reject(
                Some("RecordNotFound"),
                "Zendesk knows this agent or this record not: check the agent's `crm_users`, and that the account has Talk Partner Edition",
            )),
            403 => Err(Failure::reject(
                Some("Forbidden"),
                "the account has no Talk Partner Edition, or the user may not use it: set `display = \"notify\"`",
            )),
            _ => self.expect(answer, &[200, 201, 204], true).map(drop),
        }
    }

    /// Sends an event to an app at an agent.
    pub(crate) async fn notify(&self, app: u64, event: &str, agent: u64, body: &str) -> Outcome<()> {
        let body = json!({ "app_id": app, "event": event, "agent_id": agent, "body": body }).to_string();
        let answer = self.send(&Call::write(Method::POST, &["apps", "notify"], Body::Json(&body))).await?;
        self.expect(answer, &[200, 201, 202, 204], true).map(drop)
    }

    /// Whether addresses of Talk Partner Edition answer: asks to show nobody to nobody. `None` when that cannot be
    /// told.
    pub(crate) async fn has_talk_partner(&self) -> Outcome<Option<bool>> {
        let path = ["channels", "voice", "agents", "0", "users", "0", "display"];
        let answer = self.send(&Call::write(Method::POST, &path, Body::Json("{}"))).await?;
        Ok(match answer.status {
            200..=299 | 422 => Some(true),
            403 => Some(false),
            404 => None,
            _ => return Err(nothing_written(self.failure(&answer, false))),
        })
    }

    // ------------------------------------------------------------ reading

    async fn read(&self, path: &[&str], query: &[(&str, &str)]) -> Outcome<Option<Value>> {
        let call = Call { method: Method::GET, path, query, body: Body::None, once: None };
        let answer = self.send(&call).await?;
        if answer.status == 404 && !Said::read(&answer.body).says("no help desk") {
            return Ok(None);
        }
        let answer = self.expect(answer, &[200], false)?;
        self.json(&answer, false).map(Some)
    }

    async fn one(&self, path: &[&str], query: &[(&str, &str)], name: &str) -> Outcome<Option<Value>> {
        let Some(mut body) = self.read(path, query).await? else { return Ok(None) };
        match body.get_mut(name).map(Value::take) {
            Some(inner @ Value::Object(_)) => Ok(Some(inner)),
            Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_))
            | None => Err(Failure::retry(format!("Zendesk answered without `{name}`"))),
        }
    }

    async fn list(&self, path: &[&str], query: &[(&str, &str)], name: &str) -> Outcome<Vec<Value>> {
        let Some(mut body) = self.read(path, query).await? else { return Ok(Vec::new()) };
        match body.get_mut(name).map(Value::take) {
            Some(Value::Array(rows)) => Ok(rows),
            Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_))
            | None => Err(Failure::retry(format!("Zendesk answered without a list `{name}`"))),
        }
    }

    /// Every page of a list, by cursor.
    async fn pages(&self, path: &[&str], name: &str, pages_max: usize) -> Outcome<Vec<Value>> {
        let mut all = Vec::new();
        let mut after: Option<String> = None;
        for _ in 0..pages_max {
            let mut query = vec![("page[size]", PAGE_SIZE)];
            query.extend(after.as_deref().map(|cursor| ("page[after]", cursor)));
            let Some(page) = self.read(path, &query).await? else { return Ok(all) };
            let Some(rows) = page.get(name).and_then(Value::as_array) else {
                return Err(Failure::retry(format!("Zendesk answered without a list `{name}`")));
            };
            all.extend(rows.iter().cloned());
            // The last page still names a next one; only this says that there is none (sheet 2.8).
            let meta = page.get("meta");
            let more = meta.and_then(|m| m.get("has_more")?.as_bool()).unwrap_or(false);
            after = meta.and_then(|m| m.get("after_cursor")?.as_str()).map(str::to_owned);
            if !more || after.is_none() {
                return Ok(all);
            }
        }
        Ok(all)
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
                        reason: "Zendesk refuses a token it has just given: check that the user the OAuth client belongs to is active and an agent".into(),
                    }),
                }
            }
        }
    }

    async fn once(&self, session: &Session, call: &Call<'_>) -> Outcome<Answer> {
        let host = self.base.host_str().unwrap_or("Zendesk");
        let url = self.url(call);
        if url.as_str().len() > URI_BYTES_MAX {
            return Err(Failure::reject(None, "the search text is too long for Zendesk"));
        }
        let mut request = self
            .http
            .request(call.method.clone(), url)
            .header("Authorization", session.header.reveal())
            .header("Accept", "application/json");
        if let Some(key) = call.once {
            request = request.header("Idempotency-Key", key);
        }
        request = match call.body {
            Body::None => request,
            Body::Json(text) => request.header("Content-Type", "application/json").body(text.to_owned()),
            Body::Text(text) => {
                request.header("Content-Type", "text/plain; charset=utf-8").body(text.to_owned())
            }
        };
        self.requests.fetch_add(1, Ordering::Relaxed);
        let said = |failure| if call.writes() { failure } else { nothing_written(failure) };
        let answer = request.send().await.map_err(|e| said(classify(host, &e)))?;
        let status = answer.status().as_u16();
        let usage = self.note(answer.headers());
        let headers = answer.headers();
        let mut retry_after = number(headers, &["retry-after"]);
        if status == 429 && retry_after.is_none() {
            retry_after = number(headers, &["ratelimit-reset", "rate-limit-reset"]);
        }
        let own_bucket = bucket_is_empty(headers) && usage.is_some_and(|usage| usage.left > 0);
        let repeated = header(headers, "x-idempotency-lookup").is_some_and(|v| v.eq_ignore_ascii_case("hit"));
        let ignored = header(headers, "x-zendesk-api-warn").is_some();
        let body = read_body(host, answer, self.limits.answer_bytes_max).await.map_err(said)?;
        tracing::debug!(method = %call.method, path = call.path.first(), status, ignored, "Zendesk answered");
        Ok(Answer { status, retry_after, own_bucket, repeated, body })
    }

    fn url(&self, call: &Call<'_>) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.clear().extend(["api", "v2"]).extend(call.path);
        }
        if !call.query.is_empty() {
            url.query_pairs_mut().extend_pairs(call.query);
        }
        url
    }

    /// Keeps what every answer says beside its body.
    fn note(&self, headers: &HeaderMap) -> Option<Usage> {
        // Two families of names, seen in different years (sheet 2.6).
        let max = number(headers, &["x-rate-limit", "ratelimit-limit", "rate-limit"]);
        let left =
            number(headers, &["x-rate-limit-remaining", "ratelimit-remaining", "rate-limit-remaining"]);
        let usage = max.zip(left).map(|(max, left)| Usage { left, max });
        if usage.is_some() {
            *self.usage.lock().unwrap_or_else(PoisonError::into_inner) = usage;
        }
        if let Some(server) = header(headers, "date").and_then(parse_date) {
            self.skew_secs.store(server - self.clock.now().0.div_euclid(1000), Ordering::Relaxed);
        }
        usage
    }

    // ------------------------------------------------------------ what answers mean

    fn json(&self, answer: &Answer, wrote: bool) -> Outcome<Value> {
        serde_json::from_slice(&answer.body).map_err(|_| {
            let reason = format!("Zendesk answered HTTP {} with something that is not JSON", answer.status);
            if wrote { Failure::unknown(reason) } else { Failure::retry(reason) }
        })
    }

    /// An object inside an answer to a write, with its id. Uploads have none and carry a token.
    fn inner(&self, answer: &Answer, name: &str, wrote: bool) -> Outcome<Value> {
        let mut body = self.json(answer, wrote)?;
        let inner = body.get_mut(name).map(Value::take).unwrap_or_default();
        if inner.is_object() && (name == "upload" || map::id_of(&inner, "id").is_some()) {
            return Ok(inner);
        }
        Err(Failure::unknown(format!("Zendesk answered a write without the {name}'s id")))
    }

    /// The same, where it may stand bare.
    fn flat(&self, answer: &Answer, name: &str) -> Outcome<Value> {
        let body = self.json(answer, true)?;
        Ok(body.get(name).filter(|inner| inner.is_object()).cloned().unwrap_or(body))
    }

    fn expect(&self, answer: Answer, good: &[u16], wrote: bool) -> Outcome<Answer> {
        if good.contains(&answer.status) { Ok(answer) } else { Err(self.failure(&answer, wrote)) }
    }

    /// Whether the answer refuses the token rather than the request.
    fn refusal(&self, answer: &Answer) -> Option<Refusal> {
        let last = |reason: String| Some(Refusal::Final(Failure::Reauthorise { reason }));
        match answer.status {
            401 => Some(Refusal::Renew),
            300..=399 => last(format!(
                "{} sends on to another address: set `base_url` to the account's own (https://….zendesk.com)",
                self.address()
            )),
            403 | 404 => {
                let said = Said::read(&answer.body);
                if said.says("missing the following required scopes") {
                    last("the token lacks a scope: set `scope` to \"read write\", and allow it to the OAuth client".into())
                } else if said.says("no help desk") {
                    last(format!("no account has the address {}: check `base_url`", self.address()))
                } else {
                    None
                }
            }
            _ => None,
        }
    }

    /// The table of sheet 2.5 and 2.6.
    fn failure(&self, answer: &Answer, wrote: bool) -> Failure {
        let said = Said::read(&answer.body);
        let wait = answer.retry_after.map(|secs| Millis::secs(secs.min(WAIT_SECS_MAX)));
        let retry = |known: Known, reason: String| Failure::Retry { after: wait, known, reason };
        let lost = if wrote { Known::Unknown } else { Known::NotDone };
        let status = answer.status;
        match (status, said.code.as_str()) {
            // Only this record or user is limited: the rest of the connection need not wait.
            (429, _) if answer.own_bucket => Failure::Retry {
                after: Some(wait.unwrap_or(Millis::secs(self.wait_secs))),
                known: Known::NotDone,
                reason: "Zendesk limits how often this record may be written".into(),
            },
            (429, _) => Failure::Throttled {
                until: Some(self.clock.now() + wait.unwrap_or(Millis::secs(self.wait_secs))),
                reason: "Zendesk limits us: too many requests of the account at the moment".into(),
            },
            (409, "UpdateConflict") => {
                retry(Known::NotDone, "somebody changed the ticket in Zendesk at the same moment".into())
            }
            (409, "DatabaseConflict") => retry(Known::NotDone, "the record is busy in Zendesk".into()),
            (409, _) => retry(lost, "another write was under way in Zendesk".into()),
            (408 | 423 | 425 | 500..=599, code) => {
                let code = if code.is_empty() { String::new() } else { format!(", {}", plain(code)) };
                retry(lost, format!("Zendesk is in trouble (HTTP {status}{code})"))
            }
            (_, "unavailable") => retry(Known::NotDone, "Zendesk's search is not available".into()),
            (403, _) if !said.json => {
                retry(Known::NotDone, "a gateway before Zendesk refused the request (HTTP 403)".into())
            }
            (422, _) if said.is_closed_ticket() => {
                Failure::reject(Some(CLOSED), "the ticket is closed in Zendesk and takes nothing more")
            }
            (422, _) if said.is_dead_reference() => Failure::reject(
                Some(DEAD_REFERENCE),
                format!("Zendesk: {} ({}): the user is not there", plain(&said.code), said.fields()),
            ),
            (_, code) => Failure::Reject {
                code: (!code.is_empty()).then(|| plain(code)),
                reason: rejection(status, &said),
            },
        }
    }
}

const TICKETS: &str = "tickets";
/// Code of a rejection: the ticket is closed.
pub(crate) const CLOSED: &str = "TicketClosed";
/// Code of a rejection: a user that the ticket points at is not there.
pub(crate) const DEAD_REFERENCE: &str = "DeadReference";
/// Code of a rejection: the idempotency key was used with another body.
pub(crate) const OTHER_BODY: &str = "IdempotentRequestError";

/// Whether a failure is a rejection with this code.
pub(crate) fn is_rejected(failure: &Failure, wanted: &str) -> bool {
    match failure {
        Failure::Reject { code, .. } => code.as_deref() == Some(wanted),
        Failure::Retry { .. } | Failure::Throttled { .. } | Failure::Reauthorise { .. } => false,
    }
}

/// Says what was refused in our words.
fn rejection(status: u16, said: &Said) -> String {
    let fields = said.fields();
    let at = if fields.is_empty() { String::new() } else { format!(" at {fields}") };
    let why = match (status, said.code.as_str()) {
        (_, "") => return format!("Zendesk refused the request (HTTP {status}{at})"),
        (403, _) => "the user the token belongs to lacks a right",
        (404, _) => "no such record",
        (413, _) => "the file is larger than the account allows",
        (_, "TooManyValues") => "the ticket holds as many comments as Zendesk keeps",
        (422, "RecordInvalid") => "a field's value is not taken; check the mapping and what the form demands",
        _ => "the request can never succeed as it is",
    };
    format!("Zendesk: {}{at}: {why}", plain(&said.code))
}

impl<'a> Call<'a> {
    fn write(method: Method, path: &'a [&'a str], body: Body<'a>) -> Self {
        Self { method, path, query: &[], body, once: None }
    }
    fn writes(&self) -> bool {
        self.method != Method::GET
    }
}

/// What was answered must be what was asked for.
fn is_asked(ticket: &Value, id: u64) -> Outcome<()> {
    if map::id_of(ticket, "id") == Some(id) {
        Ok(())
    } else {
        Err(Failure::retry("Zendesk answered with another ticket than was asked for"))
    }
}

fn header<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

fn number(headers: &HeaderMap, names: &[&str]) -> Option<u64> {
    names.iter().find_map(|name| header(headers, name)?.trim().parse().ok())
}

/// `zendesk-ratelimit-<name>: total=30; remaining=0; resets=560`, in either spelling (sheet 2.6).
fn bucket_is_empty(headers: &HeaderMap) -> bool {
    let own = |name: &str| name.starts_with("zendesk-ratelimit-") || name.starts_with("zendesk-rate-limit-");
    headers.iter().filter(|(name, _)| own(name.as_str())).any(|(_, value)| {
        let parts = value.to_str().unwrap_or_default().split(';');
        parts.filter_map(|part| part.trim().strip_prefix("remaining=")).any(|left| left.trim() == "0")
    })
}
