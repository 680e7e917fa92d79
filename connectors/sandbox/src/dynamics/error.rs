//! Errors as the Web API writes them: a code that may be anything, and a message (sheet 2.12).

use serde_json::{Map, Value, json};

/// The row is not there.
pub(crate) const NOT_FOUND: &str = "0x80040217";
/// No row has these values of an alternate key.
pub(crate) const NO_SUCH_KEY: &str = "0x80060891";
/// A row with this primary key is there.
pub(crate) const DUPLICATE: &str = "0x80040237";
/// A row with these values of an alternate key is there.
pub(crate) const KEY_VIOLATED: &str = "0x80060892";
/// The row changed since.
pub(crate) const CHANGED: &str = "0x80060882";
/// A duplicate detection rule found somebody.
pub(crate) const DUPLICATE_FOUND: &str = "0x80040333";
/// A text is too long.
pub(crate) const TOO_LONG: &str = "0x80044331";
/// A number is out of its range.
pub(crate) const OUT_OF_RANGE: &str = "0x80044330";
/// A choice has no such value.
pub(crate) const NO_SUCH_CHOICE: &str = "0x8004431a";
/// The body does not fit the table.
pub(crate) const PAYLOAD: &str = "0x80048d19";
/// The address does not parse, or names what is not there.
pub(crate) const ADDRESS: &str = "0x80060888";
/// An argument that does not fit.
pub(crate) const ARGUMENT: &str = "0x80040203";
/// A status that does not belong to its state.
pub(crate) const STATUS: &str = "0x80048408";
/// Something nobody expected.
pub(crate) const UNEXPECTED: &str = "0x80040216";
/// Customer code refused.
pub(crate) const PLUGIN: &str = "0x80040265";
/// A privilege is missing.
pub(crate) const PRIVILEGE: &str = "0x80040220";
/// The user is disabled.
pub(crate) const DISABLED: &str = "0x80040225";
/// No user for this app.
pub(crate) const NO_MEMBER: &str = "0x80072560";
/// The database refused.
pub(crate) const SQL: &str = "0x80044150";

/// An error of the Web API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApiError {
    /// HTTP status.
    pub(crate) status: u16,
    /// `error.code`
    pub(crate) code: String,
    /// `error.message`
    pub(crate) message: String,
    /// Seconds for `Retry-After`.
    pub(crate) retry_after: Option<u64>,
}

/// Success or an error of the Web API.
pub(crate) type Result<T> = std::result::Result<T, ApiError>;

impl ApiError {
    /// An error.
    pub(crate) fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), message: message.into(), retry_after: None }
    }

    /// 400 for an address or a query that does not parse.
    pub(crate) fn address(message: impl Into<String>) -> Self {
        Self::new(400, ADDRESS, message)
    }

    /// 400 for a body that does not fit.
    pub(crate) fn payload(set: &str, why: &str) -> Self {
        let says = format!("Error identified in Payload provided by the user for Entity :'{set}': {why}");
        Self::new(400, PAYLOAD, says)
    }

    /// 404 for a row.
    pub(crate) fn no_row(table: &str, id: uuid::Uuid) -> Self {
        Self::new(404, NOT_FOUND, format!("Entity '{table}' With Id = {id} Does Not Exist"))
    }

    /// 404 for a segment of the address.
    pub(crate) fn no_segment(segment: &str) -> Self {
        Self::new(404, ADDRESS, format!("Resource not found for the segment '{segment}'."))
    }

    /// 412 for a primary key that is taken.
    pub(crate) fn duplicate() -> Self {
        Self::new(412, DUPLICATE, "A record with matching key values already exists.")
    }

    /// 403 for a missing privilege.
    pub(crate) fn privilege(user: uuid::Uuid, name: &str, table: &str) -> Self {
        let says = format!(
            "Principal user (Id={user}, type=8) is missing {name} privilege on OTC for entity '{table}'."
        );
        Self::new(403, PRIVILEGE, says)
    }

    /// The body of the answer. With `details`, as annotations ask for them (sheet 2.12).
    pub(crate) fn body(&self, details: bool) -> Value {
        let mut error = Map::new();
        error.insert("code".into(), json!(self.code));
        error.insert("message".into(), json!(self.message));
        if details {
            error.insert(
                "@Microsoft.PowerApps.CDS.ErrorDetails.ApiExceptionSourceKey".into(),
                json!("Sandbox"),
            );
            error.insert("@Microsoft.PowerApps.CDS.ErrorDetails.OperationStatus".into(), json!("0"));
            error
                .insert("@Microsoft.PowerApps.CDS.ErrorDetails.ErrorCode".into(), json!(decimal(&self.code)));
            error.insert(
                "@Microsoft.PowerApps.CDS.HelpLink".into(),
                json!(format!("http://go.microsoft.com/fwlink/?LinkID=398563&error={}", self.code)),
            );
        }
        json!({"error": error})
    }
}

/// A code as the signed decimal that some parts of the real thing write.
pub(crate) fn decimal(code: &str) -> String {
    let number = u32::from_str_radix(code.trim_start_matches("0x"), 16).unwrap_or_default();
    i32::from_ne_bytes(number.to_ne_bytes()).to_string()
}
