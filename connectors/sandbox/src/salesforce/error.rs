//! Errors as the REST API writes them: an array, always, with the HTTP status beside it (sheet 2.6).

use serde_json::{Map, Value, json};

/// One REST error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApiError {
    /// HTTP status.
    pub(crate) status: u16,
    /// `errorCode`.
    pub(crate) code: &'static str,
    /// `message`.
    pub(crate) message: String,
    /// `fields`; absent when there is none to speak of.
    pub(crate) fields: Option<Vec<String>>,
    /// More members of the error's object (`duplicateResut`).
    pub(crate) extra: Map<String, Value>,
}

/// What a REST operation gives.
pub(crate) type Result<T> = std::result::Result<T, ApiError>;

impl ApiError {
    /// An error with a status, a code and a message.
    #[must_use]
    pub(crate) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), fields: None, extra: Map::new() }
    }
    /// A 400.
    #[must_use]
    pub(crate) fn bad(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(400, code, message)
    }
    /// A 400 that names fields (an empty list is written as one).
    #[must_use]
    pub(crate) fn field(code: &'static str, message: impl Into<String>, fields: &[&str]) -> Self {
        let fields = fields.iter().map(|f| (*f).to_owned()).collect();
        Self { fields: Some(fields), ..Self::bad(code, message) }
    }
    /// 404 as the API says it.
    #[must_use]
    pub(crate) fn not_found() -> Self {
        Self::new(404, "NOT_FOUND", "The requested resource does not exist")
    }
    /// 401 of a dead token.
    #[must_use]
    pub(crate) fn session() -> Self {
        Self::new(401, "INVALID_SESSION_ID", "Session expired or invalid")
    }
    /// 405.
    #[must_use]
    pub(crate) fn method(method: &str, allowed: &str) -> Self {
        let says = format!("HTTP Method '{method}' not allowed. Allowed are {allowed}");
        Self::new(405, "METHOD_NOT_ALLOWED", says)
    }
    /// A 400 about JSON that does not read.
    #[must_use]
    pub(crate) fn json(message: impl Into<String>) -> Self {
        Self::bad("JSON_PARSER_ERROR", message)
    }

    /// The body of the answer.
    #[must_use]
    pub(crate) fn body(&self) -> Value {
        let mut one = self.extra.clone();
        one.insert("message".into(), json!(self.message));
        one.insert("errorCode".into(), json!(self.code));
        if let Some(fields) = &self.fields {
            one.insert("fields".into(), json!(fields));
        }
        json!([one])
    }

    /// The form rows of sObject Collections use: `statusCode`, not `errorCode`.
    #[must_use]
    pub(crate) fn row(&self) -> Value {
        let mut one = self.extra.clone();
        one.insert("statusCode".into(), json!(self.code));
        one.insert("message".into(), json!(self.message));
        one.insert("fields".into(), json!(self.fields.clone().unwrap_or_default()));
        Value::Object(one)
    }
}
