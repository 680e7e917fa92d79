//! An account with everything around it, and the way from a request to its answer.

use super::account::{Account, Urls};
use super::answer::{Answer, ApiError, Payload, Result};
use super::jobs::Jobs;
use super::limits::{Bucket, Limits};
use super::switches::Switches;
use super::tickets::Remembered;
use axum::body::Bytes;
use serde_json::{Map, Value, json};

/// Offset pagination ends here (sheet 2.8).
const OFFSET_MAX: usize = 10_000;
/// Most records of a page, in both kinds of pagination.
pub(crate) const PAGE_MAX: usize = 100;

/// A request, understood so far.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// Method.
    pub(crate) method: String,
    /// Path behind `/api/v2`, without `.json`.
    pub(crate) path: Vec<String>,
    /// Query, decoded.
    pub(crate) query: Vec<(String, String)>,
    /// The body as it came.
    pub(crate) raw: Bytes,
    /// Its `Content-Type`.
    pub(crate) content_type: String,
    /// The body when it is JSON.
    pub(crate) json: Option<Value>,
    /// The acting user; 0 is nobody.
    pub(crate) who: u64,
    /// `User-Agent`; it lands in audits.
    pub(crate) agent: String,
    /// `Idempotency-Key`.
    pub(crate) idempotency: Option<String>,
    /// What the bearer is, for `oauth/tokens/current`.
    pub(crate) token: Option<Value>,
}

impl Call {
    /// A value of the query.
    pub(crate) fn of(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }
    /// The object under a name in the body.
    pub(crate) fn object(&self, name: &str) -> Result<Map<String, Value>> {
        let found = self.json.as_ref().and_then(|j| j.get(name)).and_then(Value::as_object).cloned();
        found.ok_or_else(|| {
            ApiError::attribute(name, format_args!("Invalid parameter: {name} must be an object from api/v2"))
        })
    }
    /// Ids of a list in the query.
    pub(crate) fn ids(&self, name: &str) -> Vec<u64> {
        self.of(name).unwrap_or_default().split(',').filter_map(|s| s.trim().parse().ok()).collect()
    }
}

/// The account, its rules, and what it remembers beside its records.
pub(crate) struct World {
    pub(crate) account: Account,
    pub(crate) switches: Switches,
    pub(crate) urls: Urls,
    pub(crate) limits: Limits,
    pub(crate) jobs: Jobs,
    /// Answers under idempotency keys.
    pub(crate) remembered: Vec<Remembered>,
    /// Keys of the request at hand that nobody knows.
    pub(crate) unknown: Vec<String>,
}

impl World {
    /// Answers.
    pub(crate) fn answer(&mut self, call: &Call) -> Answer {
        self.unknown.clear();
        let limit = self.limits.take(Bucket::Account, 0, &self.switches);
        let (done, headers) = match limit {
            Ok(headers) => (self.route(call), headers),
            Err(refused) => (Err(refused), Vec::new()),
        };
        let mut answer = done.unwrap_or_else(|e| *e.0);
        super::limits::add(&mut answer, headers);
        if !self.unknown.is_empty() {
            let keys: Vec<String> = self.unknown.drain(..).map(|k| format!("{k:?}")).collect();
            let controller = call.path.first().map_or("", String::as_str);
            let action = if call.method == "PUT" { "update" } else { "create" };
            let warn = format!(
                "{{:allowed_parameters=>{{:controller=>\"{controller}\", :action=>\"{action}\", :unpermitted_keys=>[{}], :invalid_values=>[]}}}}",
                keys.join(", ")
            );
            answer = answer.with("x-zendesk-api-warn", warn);
        }
        answer
    }

    fn route(&mut self, call: &Call) -> Result {
        let path: Vec<&str> = call.path.iter().map(String::as_str).collect();
        match path.first().copied().unwrap_or_default() {
            "users" | "user_fields" | "organizations" | "end_users" => self.people(call, &path),
            "search" => self.search(call, &path),
            "tickets" | "deleted_tickets" | "comment_redactions" | "ticket_fields" | "uploads"
            | "attachments" | "tags" => self.cases(call, &path),
            "job_statuses" => self.job(call, &path),
            "channels" | "calls" | "agent_availabilities" => self.voice(call, &path),
            _ => self.rest(call, &path),
        }
    }

    /// What an account also answers.
    fn rest(&mut self, call: &Call, path: &[&str]) -> Result {
        match (call.method.as_str(), path) {
            ("GET", ["oauth", "tokens", "current"]) => match &call.token {
                Some(token) => Ok(Answer::json(200, json!({"token": token}))),
                None => Err(ApiError::not_found()),
            },
            ("GET", ["groups"]) => {
                let group = json!({"id": self.account.group, "name": "Support", "default": true, "deleted": false,
                    "url": self.urls.api(format_args!("groups/{}.json", self.account.group))});
                self.page(call, "groups", vec![group])
            }
            ("GET", ["brands"]) => {
                let brand = json!({"id": self.account.brand, "name": "Tieline Sandbox", "active": true,
                    "default": true, "subdomain": "tieline-sandbox"});
                self.page(call, "brands", vec![brand])
            }
            ("GET", ["account", "settings"]) => Ok(Answer::json(
                200,
                json!({"settings": {"active_features": {"voice": self.switches.talk_partner},
                    "users": {"tagging": true}, "tickets": {"comments_public_by_default": true}}}),
            )),
            ("GET", ["triggers"]) => {
                let all = super::tickets::TRIGGERS.iter().enumerate();
                let all = all.map(
                    |(n, title)| json!({"id": 33_144_692_120_001 + n as u64, "title": title, "active": true}),
                );
                let all = all.collect();
                self.page(call, "triggers", all)
            }
            ("POST", ["apps", "notify"]) => self.notify(call),
            ("GET", ["apps", "installations"] | ["support", "apps", "installations"]) => Ok(Answer::json(
                200,
                json!({"installations": [{"id": super::INSTALLATION_ID, "app_id": super::APP_ID, "product": "support",
                    "enabled": true, "settings": {"name": "Tieline", "title": "Tieline"}}]}),
            )),
            _ => Err(ApiError::not_found()),
        }
    }

    /// Whether the acting user is an agent; else 403.
    pub(crate) fn agent_only(&self, call: &Call) -> Result<()> {
        match self.account.agent(call.who) {
            Some(_) => Ok(()),
            None => Err(ApiError::new(
                403,
                "Forbidden",
                "You do not have access to this page. Please contact the account owner of this help desk for further help.",
            )),
        }
    }

    /// A page of a list: by cursor when `page[size]` is there, else by number.
    pub(crate) fn page(&self, call: &Call, name: &str, all: Vec<Value>) -> Result {
        let by_cursor = call.query.iter().any(|(n, _)| n.starts_with("page["));
        if by_cursor { self.cursor(call, name, &all) } else { self.offset(call, name, &all, None) }
    }

    fn cursor(&self, call: &Call, name: &str, all: &[Value]) -> Result {
        let size: usize = match call.of("page[size]").map(str::parse) {
            None => PAGE_MAX,
            Some(Ok(n)) if (1..=PAGE_MAX).contains(&n) => n,
            Some(Ok(_) | Err(_)) => {
                return Err(ApiError::attribute("page", "Invalid parameter: page[size] must be 1 to 100"));
            }
        };
        let start = match call.of("page[after]") {
            None => 0,
            Some(cursor) => uncursor(cursor).ok_or_else(|| {
                ApiError::new(400, "InvalidPaginationParameter", "page[after] is not valid")
            })?,
        };
        let end = (start + size).min(all.len());
        let rows = all.get(start..end).unwrap_or_default();
        let link = |cursor: &str, side: &str| {
            let path = call.path.join("/");
            self.urls.api(format_args!("{path}.json?page%5B{side}%5D={cursor}&page%5Bsize%5D={size}"))
        };
        let (after, before) = (cursor_of(end), cursor_of(start));
        let none = rows.is_empty();
        let mut body = Map::new();
        body.insert(name.to_owned(), json!(rows));
        body.insert(
            "meta".into(),
            json!({"has_more": end < all.len(), "after_cursor": (!none).then_some(&after), "before_cursor": (!none).then_some(&before)}),
        );
        // The last page still has a next address (sheet 2.8); clients must look at has_more.
        body.insert(
            "links".into(),
            json!({"prev": (!none).then(|| link(&before, "before")), "next": (!none).then(|| link(&after, "after"))}),
        );
        Ok(Answer::json(200, Value::Object(body)))
    }

    /// A page by its number. `total` is the true count where rows were left out.
    pub(crate) fn offset(&self, call: &Call, name: &str, all: &[Value], total: Option<usize>) -> Result {
        let number = |given: Option<&str>, otherwise: usize, attribute: &str| match given {
            None => Ok(otherwise),
            Some(text) => text.parse().map_err(|_| {
                let at = call.path.join("/");
                ApiError::attribute(
                    attribute,
                    format_args!("Invalid parameter: {attribute} must be an integer from api/v2/{at}/index"),
                )
            }),
        };
        let page = number(call.of("page"), 1, "page")?.max(1);
        let size = number(call.of("per_page"), PAGE_MAX, "per_page")?.clamp(1, PAGE_MAX);
        let start = (page - 1).saturating_mul(size);
        if start >= OFFSET_MAX {
            return Err(ApiError::new(
                400,
                "InvalidPaginationDepth",
                "Number of records exceeds the limit of 10000; use cursor pagination",
            ));
        }
        let total = total.unwrap_or(all.len());
        let end = (start + size).min(all.len());
        let link = |n: usize| {
            let kept = call.query.iter().filter(|(name, _)| name != "page");
            let kept: Vec<String> = kept
                .map(|(n, v)| format!("{}={}", super::http::encode(n), super::http::encode(v)))
                .chain([format!("page={n}")])
                .collect();
            self.urls.api(format_args!("{}.json?{}", call.path.join("/"), kept.join("&")))
        };
        let mut body = Map::new();
        body.insert(name.to_owned(), json!(all.get(start..end).unwrap_or_default()));
        body.insert("next_page".into(), json!((start + size < total).then(|| link(page + 1))));
        body.insert("previous_page".into(), json!((page > 1).then(|| link(page - 1))));
        body.insert("count".into(), json!(total));
        Ok(Answer::json(200, Value::Object(body)))
    }

    /// Notes keys that nobody knows; the server drops them without an error (sheet 2.5).
    pub(crate) fn note_unknown(&mut self, object: &str, given: &Map<String, Value>, known: &[&str]) {
        let unknown = given.keys().filter(|k| !known.contains(&k.as_str()));
        self.unknown.extend(unknown.map(|k| format!("{object}.{k}")));
    }
}

fn cursor_of(at: usize) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(format!("at:{at}"))
}

fn uncursor(cursor: &str) -> Option<usize> {
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(cursor).ok()?;
    String::from_utf8(bytes).ok()?.strip_prefix("at:")?.parse().ok()
}

/// A whole number in JSON, given as number or text.
pub(crate) fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.trim().parse().ok())
}

/// A text that is not empty.
pub(crate) fn text(value: Option<&Value>) -> Option<String> {
    value.and_then(Value::as_str).map(str::to_owned).filter(|t| !t.is_empty())
}

/// The body of an answer that is JSON.
pub(crate) fn json_of(answer: &Answer) -> Option<&Value> {
    match &answer.payload {
        Payload::Json(body) | Payload::JsonAsText(body) => Some(body),
        Payload::Empty | Payload::EmptyJson | Payload::File(..) => None,
    }
}
