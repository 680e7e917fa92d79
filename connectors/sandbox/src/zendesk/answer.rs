//! Answers and the many shapes of errors (sheet 2.5).

use serde_json::{Map, Value, json};

/// What a body is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Payload {
    /// Nothing, and no content type.
    Empty,
    /// Nothing, under the content type of JSON (the display calls).
    EmptyJson,
    /// JSON.
    Json(Value),
    /// JSON under `text/plain`, as uploads answer.
    JsonAsText(Value),
    /// A file.
    File(String, Vec<u8>),
}

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    /// HTTP status.
    pub(crate) status: u16,
    /// Body.
    pub(crate) payload: Payload,
    /// Further headers, lower case.
    pub(crate) headers: Vec<(&'static str, String)>,
}

impl Answer {
    /// JSON.
    pub(crate) fn json(status: u16, body: Value) -> Self {
        Self { status, payload: Payload::Json(body), headers: Vec::new() }
    }
    /// 204.
    pub(crate) fn nothing() -> Self {
        Self { status: 204, payload: Payload::Empty, headers: Vec::new() }
    }
    /// With one header more.
    #[must_use]
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// An error on its way to an answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ApiError(pub(crate) Box<Answer>);

pub(crate) type Result<T = Answer> = std::result::Result<T, ApiError>;

impl ApiError {
    fn body(status: u16, body: Value) -> Self {
        Self(Box::new(Answer::json(status, body)))
    }
    /// `{error, description}`.
    pub(crate) fn new(status: u16, error: &str, description: impl Into<String>) -> Self {
        Self::body(status, json!({"error": error, "description": description.into()}))
    }
    /// 404 as most addresses say it.
    pub(crate) fn not_found() -> Self {
        Self::new(404, "RecordNotFound", "Not found")
    }
    /// 404 without body or content type, as newer services say it.
    pub(crate) fn empty_not_found() -> Self {
        Self(Box::new(Answer { status: 404, payload: Payload::Empty, headers: Vec::new() }))
    }
    /// 422 with details.
    pub(crate) fn invalid(details: Value) -> Self {
        Self::body(
            422,
            json!({"error": "RecordInvalid", "description": "Record validation errors", "details": details}),
        )
    }
    /// 422 for one field.
    pub(crate) fn field(field: &str, description: impl Into<String>, error: &str) -> Self {
        let mut details = Map::new();
        details.insert(field.to_owned(), json!([{"description": description.into(), "error": error}]));
        Self::invalid(Value::Object(details))
    }
    /// 400 whose `error` is an object.
    pub(crate) fn attribute(attribute: &str, message: impl std::fmt::Display) -> Self {
        let says = format!("You passed an invalid value for the {attribute} attribute. {message}");
        Self::body(400, json!({"error": {"title": "Invalid attribute", "message": says}}))
    }
    /// 401 of a bearer.
    pub(crate) fn token() -> Self {
        let says = "The access token provided is expired, revoked, malformed or invalid for other reasons.";
        let error = Self::body(401, json!({"error": "invalid_token", "error_description": says}));
        Self(Box::new(error.0.with("www-authenticate", "Bearer realm=\"Zendesk\"")))
    }
    /// 401 of Basic, and of nobody.
    pub(crate) fn login() -> Self {
        Self::body(401, json!({"error": "Couldn't authenticate you"}))
    }
    /// 403 for want of a scope.
    pub(crate) fn scope(missing: &str) -> Self {
        Self::new(403, "Forbidden", format!("You are missing the following required scopes: {missing}"))
    }
    /// 429; without seconds there is no `Retry-After`.
    pub(crate) fn limited(retry_after_s: Option<u64>) -> Self {
        let says = "Number of allowed API requests per minute exceeded";
        let error = Self::body(429, json!({"error": "APIRateLimitExceeded", "description": says}));
        match retry_after_s {
            Some(seconds) => Self(Box::new(error.0.with("retry-after", seconds.to_string()))),
            None => error,
        }
    }
}
