//! What Zendesk says when it refuses: half a dozen shapes of errors (sheet 2.5), read into one. Descriptions repeat
//! the values that were sent, so only their kind is kept.

use serde_json::Value;

/// An answer that refuses.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Said {
    /// Zendesk's own code; empty when it gave none.
    pub(crate) code: String,
    /// What is wrong with which field: its name, and a code or nothing.
    pub(crate) details: Vec<(String, String)>,
    /// All words that were said, in lower case, for telling cases apart; never shown.
    words: String,
    /// The body was JSON at all.
    pub(crate) json: bool,
}

impl Said {
    /// Reads a body, whatever its content type says.
    pub(crate) fn read(body: &[u8]) -> Self {
        let Ok(value) = serde_json::from_slice::<Value>(body) else { return Self::default() };
        let mut said = Self { json: true, ..Self::default() };
        match value.get("error") {
            Some(Value::String(code)) => said.code.clone_from(code),
            Some(error @ Value::Object(_)) => {
                said.code = text(error, "title");
                said.hear(&text(error, "message"));
            }
            Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_)) | None => {}
        }
        for name in ["description", "error_description", "message"] {
            said.hear(&text(&value, name));
        }
        let errors = value.get("errors").and_then(Value::as_array);
        for error in errors.into_iter().flatten() {
            if said.code.is_empty() {
                said.code = text(error, "code");
            }
            said.hear(&text(error, "title"));
            said.hear(&text(error, "detail"));
        }
        if let Some(details) = value.get("details").and_then(Value::as_object) {
            for (field, about) in details {
                said.detail(field, about);
            }
        }
        let code = said.code.clone();
        said.hear(&code);
        said
    }

    /// What is wrong with a field: an array of objects, or one object (sheet 2.1).
    fn detail(&mut self, field: &str, about: &Value) {
        let list = about.as_array().map_or_else(|| std::slice::from_ref(about), Vec::as_slice);
        for one in list {
            let field = match one.get("ticket_field_id").and_then(Value::as_u64) {
                Some(id) => format!("{field} (ticket field {id})"),
                None => field.to_owned(),
            };
            self.hear(&text(one, "description"));
            self.hear(one.as_str().unwrap_or_default());
            self.details.push((field, text(one, "error")));
        }
    }

    fn hear(&mut self, words: &str) {
        self.words.push_str(&words.to_lowercase());
        self.words.push('\n');
    }

    /// Whether these words were said.
    pub(crate) fn says(&self, words: &str) -> bool {
        self.words.contains(words)
    }

    /// Whether a field with this in its name is wrong.
    pub(crate) fn names(&self, field: &str) -> bool {
        self.details.iter().any(|(name, _)| name.contains(field))
    }

    /// The ticket is closed and takes nothing more (sheet 2.3).
    pub(crate) fn is_closed_ticket(&self) -> bool {
        self.says("closed prevents ticket update")
            || self.details.iter().any(|(_, code)| code == "ClosedTicket")
    }

    /// Somebody a ticket points at is not there.
    pub(crate) fn is_dead_reference(&self) -> bool {
        let people = ["requester", "assignee", "author", "submitter"];
        people.iter().any(|field| self.names(field))
            || (!self.details.is_empty() && people.iter().any(|field| self.says(field)))
    }

    /// The fields that are wrong, with Zendesk's codes.
    pub(crate) fn fields(&self) -> String {
        let show = |(field, code): &(String, String)| {
            if code.is_empty() { plain(field) } else { format!("{}: {}", plain(field), plain(code)) }
        };
        self.details.iter().take(5).map(show).collect::<Vec<_>>().join(", ")
    }
}

fn text(value: &Value, name: &str) -> String {
    value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// Names and codes are repeated only where they look like ones.
pub(crate) fn plain(text: &str) -> String {
    let fits = |c: &char| c.is_ascii_alphanumeric() || " _-().:".contains(*c);
    text.chars().filter(fits).take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_of_an_error_is_read() {
        for (body, code, fields) in [
            (
                r#"{"error":"RecordInvalid","description":"Record validation errors","details":{"base":[{"description":"Description: cannot be blank","error":"BlankValue","ticket_field_id":32972409,"ticket_field_type":"FieldDescription"}]}}"#,
                "RecordInvalid",
                "base (ticket field 32972409): BlankValue",
            ),
            (
                r#"{"error":"RecordInvalid","details":{"phone":{"description":"Phone 5551234567 is not properly formatted","error":"InvalidFormat"}}}"#,
                "RecordInvalid",
                "phone: InvalidFormat",
            ),
            (
                r#"{"error":{"title":"Invalid attribute","message":"You passed an invalid value"}}"#,
                "Invalid attribute",
                "",
            ),
            (
                r#"{"errors":[{"code":"NotFound","title":"No","detail":"gone","status":"404"}]}"#,
                "NotFound",
                "",
            ),
            (r#"{"error":"invalid_grant","error_description":"expired"}"#, "invalid_grant", ""),
            (r#"{"error":"RecordNotFound","description":"Not found"}"#, "RecordNotFound", ""),
            ("", "", ""),
            ("<html>403</html>", "", ""),
            (r#"["error"]"#, "", ""),
            (r#"{"error":7,"details":{"a":"b"}}"#, "", "a"),
        ] {
            let said = Said::read(body.as_bytes());
            assert_eq!((said.code.as_str(), said.fields().as_str()), (code, fields), "{body}");
        }
    }

    #[test]
    fn a_closed_ticket_is_known_by_its_words_or_its_code() {
        for body in [
            r#"{"error":"RecordInvalid","details":{"status":[{"description":"Status: closed prevents ticket update"}]}}"#,
            r#"{"error":"RecordInvalid","details":{"base":[{"description":"Status: closed prevents ticket update"}]}}"#,
            r#"{"error":"RecordInvalid","details":{"status":[{"error":"ClosedTicket"}]}}"#,
        ] {
            assert!(Said::read(body.as_bytes()).is_closed_ticket(), "{body}");
        }
        let other = r#"{"error":"RecordInvalid","details":{"status":[{"description":"is invalid"}]}}"#;
        assert!(!Said::read(other.as_bytes()).is_closed_ticket());
    }

    #[test]
    fn what_is_shown_of_an_error_repeats_no_value() {
        let said = Said::read(
            r#"{"error":"RecordInvalid","description":"Ada Lovelace","details":{"requester":[{"description":"Requester Ada Lovelace is suspended","error":"Bad <Ada>"}]}}"#
                .as_bytes(),
        );
        assert_eq!(said.fields(), "requester: Bad Ada");
        assert!(said.is_dead_reference());
    }
}
