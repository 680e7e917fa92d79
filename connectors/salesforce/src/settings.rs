//! What an administrator sets for one Salesforce org, and what is wrong with it before anything is sent.

use crate::call;
use crate::map;
use reqwest::Url;
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use tieline_connector_api::Secret;
use tieline_connector_api::phone::Country;
use tieline_connector_api::template::Template;

/// Where tokens of production orgs come from; also the audience of their assertions.
pub const LOGIN: &str = "https://login.salesforce.com";
/// The same for sandboxes.
pub const LOGIN_SANDBOX: &str = "https://test.salesforce.com";
/// Oldest API version spoken: `Sforce-Duplicate-Rule-Header` came with it, and upserts answer with a body.
const API_VERSION_MIN: u32 = 52;

/// One Salesforce org.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where tokens are asked for: `https://login.salesforce.com`, `https://test.salesforce.com`, or the org's My
    /// Domain (`https://acme.my.salesforce.com`).
    #[serde(default = "login_url")]
    pub login_url: String,
    /// Audience of the assertion. Made from `login_url` when left out; if the org says the audience is wrong, the
    /// other one of production and sandbox is tried once.
    #[serde(default)]
    pub audience: Option<String>,
    /// Consumer key of the external client app.
    pub consumer_key: String,
    /// Username of the integration user (not its e-mail address; sandbox usernames carry a suffix).
    pub username: String,
    /// RSA private key, PEM, whose certificate the app has. This or `private_key_file`.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub private_key: Option<Secret>,
    /// A file with that key.
    #[serde(default)]
    pub private_key_file: Option<PathBuf>,
    /// REST API version. Fixed on purpose: behaviour changes between versions.
    #[serde(default = "api_version")]
    pub api_version: String,
    /// Custom field of Case that keeps the interaction's key: Text(36), External ID, Unique (case-insensitive).
    #[serde(default = "key_field")]
    pub key_field: String,
    /// The same on Contact, for contacts made from the panel.
    #[serde(default = "key_field")]
    pub contact_key_field: String,
    /// The same on Task, for calls; custom fields of tasks are made on Activity.
    #[serde(default = "key_field")]
    pub call_key_field: String,
    /// Where agents see records (`https://acme.lightning.force.com`). The org's own address when left out.
    #[serde(default)]
    pub ui_url: Option<String>,
    /// Country in which numbers without a country code are read (`GB`).
    #[serde(default)]
    pub default_country: Option<String>,
    /// Number fields of Contact that are compared with a caller's number.
    #[serde(default = "phone_fields")]
    pub phone_fields: Vec<String>,
    /// How cases are written.
    #[serde(default)]
    pub case: CaseSettings,
    /// How the tasks of calls are written.
    #[serde(default)]
    pub call: CallSettings,
    /// Limits and waits.
    #[serde(default)]
    pub limits: LimitSettings,
}

/// When the transcript goes in as a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TranscriptFile {
    /// Always: the file is the whole transcript, the description its beginning.
    #[default]
    Always,
    /// Only when the description cannot hold all of it; saves a request per chat.
    WhenCut,
}

/// How cases are written.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CaseSettings {
    /// `Origin` of a chat's case.
    pub origin_chat: String,
    /// `Status` of a new case; the org's own default when left out. Never written again.
    pub status: Option<String>,
    /// `Priority` of a new case; the org's own default when left out.
    pub priority: Option<String>,
    /// `RecordTypeId` of a new case.
    pub record_type_id: Option<String>,
    /// Runs the org's active assignment rules once, when the case is made.
    pub assign: bool,
    /// `Subject`, with placeholders as in `fields`. Says who and how it ended when left out.
    pub subject: Option<String>,
    /// When the transcript goes in as a file.
    pub transcript_file: TranscriptFile,
    /// Further fields of Case by API name, with placeholders: `{agent}`, `{queue}`, `{codes}`, `{answer.Label}` and
    /// so on. A value that is one placeholder only keeps its type (number, time, yes or no).
    pub fields: BTreeMap<String, String>,
}

impl Default for CaseSettings {
    fn default() -> Self {
        Self {
            origin_chat: "Chat".into(),
            status: None,
            priority: None,
            record_type_id: None,
            assign: false,
            subject: None,
            transcript_file: TranscriptFile::Always,
            fields: BTreeMap::new(),
        }
    }
}

/// How the tasks of calls are written.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CallSettings {
    /// `Status` of a call's task: a closed one, or calls would stand in people's lists of things to do.
    pub status: String,
    /// `Type` of a call's task; `""` for orgs that do not have the field.
    pub r#type: String,
    /// `Subject`, with placeholders as in `fields`. Says who and how it ended when left out.
    pub subject: Option<String>,
    /// Further fields of Task by API name, with placeholders: those of `case.fields`, and `{direction}`, `{number}`,
    /// `{line}`, `{recording}`.
    pub fields: BTreeMap<String, String>,
}

impl Default for CallSettings {
    fn default() -> Self {
        Self { status: "Completed".into(), r#type: "Call".into(), subject: None, fields: BTreeMap::new() }
    }
}

/// Limits and waits.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LimitSettings {
    /// Most records listed for one look-up.
    pub matches_max: u32,
    /// Wait after the org's daily request limit is used up, in seconds. The limit rolls over 24 hours and the org
    /// never says how long to wait.
    pub wait_daily_secs: u64,
    /// Wait after too many long requests at once, in seconds.
    pub wait_concurrent_secs: u64,
    /// Wait after too many logins, in seconds.
    pub wait_login_secs: u64,
    /// For how long a refused login is not tried again, in seconds, so that a wrong key never locks the user out.
    pub wait_refused_secs: u64,
}

impl Default for LimitSettings {
    fn default() -> Self {
        Self {
            matches_max: 10,
            wait_daily_secs: 900,
            wait_concurrent_secs: 5,
            wait_login_secs: 900,
            wait_refused_secs: 30,
        }
    }
}

fn login_url() -> String {
    LOGIN.into()
}
fn api_version() -> String {
    "66.0".into()
}
fn key_field() -> String {
    "Tieline_Key__c".into()
}
fn phone_fields() -> Vec<String> {
    ["Phone", "MobilePhone", "HomePhone", "OtherPhone"].map(str::to_owned).to_vec()
}

/// A setting that cannot work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{key}`: {says}")]
pub struct Invalid {
    /// Which setting.
    pub key: String,
    /// What is wrong and the way out. Never the value of a secret.
    pub says: String,
}

impl Invalid {
    pub(crate) fn new(key: impl Into<String>, says: impl Into<String>) -> Self {
        Self { key: key.into(), says: says.into() }
    }
}

impl Settings {
    /// Looks at everything that can be known without network and files.
    ///
    /// # Errors
    /// The first setting that cannot work.
    pub fn validate(&self) -> Result<(), Invalid> {
        address("login_url", &self.login_url)?;
        if let Some(url) = &self.ui_url {
            address("ui_url", url)?;
        }
        for (key, value) in [("consumer_key", &self.consumer_key), ("username", &self.username)] {
            if value.trim().is_empty() {
                return Err(Invalid::new(key, "must not be empty"));
            }
        }
        if self.private_key.is_some() == self.private_key_file.is_some() {
            return Err(Invalid::new("private_key", "set this or `private_key_file`, and not both"));
        }
        let major = self.api_version.strip_suffix(".0").and_then(|v| v.parse::<u32>().ok());
        if major.is_none_or(|v| v < API_VERSION_MIN) {
            let says = format!("must be a version from {API_VERSION_MIN}.0 on, as \"66.0\"");
            return Err(Invalid::new("api_version", says));
        }
        self.country()?;
        field_name("key_field", &self.key_field)?;
        field_name("contact_key_field", &self.contact_key_field)?;
        field_name("call_key_field", &self.call_key_field)?;
        if self.phone_fields.is_empty() {
            return Err(Invalid::new("phone_fields", "name at least one field"));
        }
        self.phone_fields.iter().try_for_each(|name| field_name("phone_fields", name))?;
        if !(1..=50).contains(&self.limits.matches_max) {
            return Err(Invalid::new("limits.matches_max", "must be from 1 to 50"));
        }
        self.validate_case()?;
        self.validate_call()
    }

    fn validate_call(&self) -> Result<(), Invalid> {
        let call = &self.call;
        if call.status.trim().is_empty() || call.status.chars().count() > map::PICKLIST_CHARS {
            let says = format!("must have 1 to {} characters", map::PICKLIST_CHARS);
            return Err(Invalid::new("call.status", says));
        }
        if call.r#type.chars().count() > map::PICKLIST_CHARS {
            return Err(Invalid::new(
                "call.type",
                format!("must have at most {} characters", map::PICKLIST_CHARS),
            ));
        }
        if let Some(subject) = &call.subject {
            Template::parse(subject).map_err(|says| Invalid::new("call.subject", says))?;
        }
        for (name, text) in &call.fields {
            let key = format!("call.fields.{name}");
            field_name(&key, name)?;
            if call::is_reserved(name) || name.eq_ignore_ascii_case(&self.call_key_field) {
                return Err(Invalid::new(key, "this field is not for a mapping to set"));
            }
            Template::parse(text).map_err(|says| Invalid::new(key, says))?;
        }
        Ok(())
    }

    /// The field of this object that keeps our key.
    pub(crate) fn key_field_of(&self, object: &str) -> &str {
        match object {
            "Task" => &self.call_key_field,
            "Contact" => &self.contact_key_field,
            _ => &self.key_field,
        }
    }

    fn validate_case(&self) -> Result<(), Invalid> {
        let case = &self.case;
        for (key, value) in [
            ("case.origin_chat", Some(&case.origin_chat)),
            ("case.status", case.status.as_ref()),
            ("case.priority", case.priority.as_ref()),
        ] {
            if value.is_some_and(|v| v.trim().is_empty() || v.chars().count() > map::PICKLIST_CHARS) {
                return Err(Invalid::new(key, format!("must have 1 to {} characters", map::PICKLIST_CHARS)));
            }
        }
        if let Some(id) = &case.record_type_id
            && !map::is_id(id)
        {
            return Err(Invalid::new("case.record_type_id", "must be an id of 15 or 18 letters and digits"));
        }
        if let Some(subject) = &case.subject {
            Template::parse(subject).map_err(|says| Invalid::new("case.subject", says))?;
        }
        for (name, text) in &case.fields {
            let key = format!("case.fields.{name}");
            field_name(&key, name)?;
            if map::is_reserved(name) || name.eq_ignore_ascii_case(&self.key_field) {
                return Err(Invalid::new(key, "this field is not for a mapping to set"));
            }
            Template::parse(text).map_err(|says| Invalid::new(key, says))?;
        }
        Ok(())
    }

    /// The country numbers are read in.
    pub(crate) fn country(&self) -> Result<Option<Country>, Invalid> {
        let Some(code) = &self.default_country else { return Ok(None) };
        code.parse().map(Some).map_err(|e| Invalid::new("default_country", format!("{e}")))
    }

    /// The audience of the assertion, and the one to try if the org refuses it (sheet 1.2).
    pub(crate) fn audiences(&self) -> (String, String) {
        let first = self.audience.clone().unwrap_or_else(|| derive_audience(&self.login_url));
        let other = if first == LOGIN { LOGIN_SANDBOX } else { LOGIN };
        (first, other.to_owned())
    }

    /// The private key's PEM.
    pub(crate) fn load_private_key(&self) -> Result<Secret, Invalid> {
        match (&self.private_key, &self.private_key_file) {
            (Some(key), _) => Ok(key.clone()),
            (None, Some(path)) => std::fs::read_to_string(path).map(Secret::new).map_err(|e| {
                Invalid::new("private_key_file", format!("{} cannot be read: {e}", path.display()))
            }),
            (None, None) => Err(Invalid::new("private_key", "is missing")),
        }
    }
}

/// My Domain hosts do not say which audience they want; their names say whether they are sandboxes.
fn derive_audience(login_url: &str) -> String {
    let host =
        Url::parse(login_url).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
    if host == "test.salesforce.com" || host.ends_with(".sandbox.my.salesforce.com") {
        LOGIN_SANDBOX.to_owned()
    } else if host == "login.salesforce.com" || host.ends_with(".my.salesforce.com") {
        LOGIN.to_owned()
    } else {
        login_url.trim_end_matches('/').to_owned()
    }
}

/// Addresses are https, except on the own machine.
fn address(key: &str, text: &str) -> Result<(), Invalid> {
    let Ok(url) = Url::parse(text) else {
        return Err(Invalid::new(key, "must be an address, as https://login.salesforce.com"));
    };
    let local = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    if url.scheme() != "https" && !(url.scheme() == "http" && local) {
        return Err(Invalid::new(key, "must begin with https://"));
    }
    if url.host_str().is_some_and(|host| host.ends_with(".lightning.force.com")) && key == "login_url" {
        return Err(Invalid::new(
            key,
            "Lightning pages give no tokens; use the My Domain (….my.salesforce.com)",
        ));
    }
    if url.path() != "/" || url.query().is_some() || !url.username().is_empty() || url.password().is_some() {
        return Err(Invalid::new(key, "must be scheme and host only, without path, query or user"));
    }
    Ok(())
}

/// Field names go into queries, so nothing but a name may stand there.
fn field_name(key: &str, name: &str) -> Result<(), Invalid> {
    let ok = name.len() <= 80
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if ok { Ok(()) } else { Err(Invalid::new(key, "must be a field's API name, as Tieline_Key__c")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn base() -> Value {
        json!({ "consumer_key": "3MVG9", "username": "tieline@acme.example", "private_key": "PEM" })
    }
    fn with(patch: &Value) -> Result<(), String> {
        let mut all = base();
        for (key, value) in patch.as_object().unwrap() {
            all[key] = value.clone();
        }
        let settings: Settings = serde_json::from_value(all).map_err(|e| e.to_string())?;
        settings.validate().map_err(|e| e.to_string())
    }

    #[test]
    fn four_settings_are_enough() {
        assert_eq!(with(&json!({})), Ok(()));
    }

    // proves F5
    #[test]
    fn a_wrong_setting_is_named() {
        for (patch, key) in [
            (json!({ "login_url": "login.salesforce.com" }), "`login_url`"),
            (json!({ "login_url": "http://login.salesforce.com" }), "`login_url`"),
            (json!({ "login_url": "https://acme.lightning.force.com" }), "`login_url`"),
            (json!({ "login_url": "https://acme.my.salesforce.com/services" }), "`login_url`"),
            (json!({ "ui_url": "javascript:alert(1)" }), "`ui_url`"),
            (json!({ "consumer_key": " " }), "`consumer_key`"),
            (json!({ "private_key_file": "key.pem" }), "`private_key`"),
            (json!({ "api_version": "latest" }), "`api_version`"),
            (json!({ "api_version": "30.0" }), "`api_version`"),
            (json!({ "key_field": "Key' OR Id != '" }), "`key_field`"),
            (json!({ "phone_fields": [] }), "`phone_fields`"),
            (json!({ "phone_fields": ["Phone, Id"] }), "`phone_fields`"),
            (json!({ "default_country": "England" }), "`default_country`"),
            (json!({ "limits": { "matches_max": 0 } }), "`limits.matches_max`"),
            (json!({ "case": { "fields": { "Queue__c": "{que}" } } }), "`case.fields.Queue__c`"),
            (json!({ "case": { "fields": { "Comments": "hello" } } }), "`case.fields.Comments`"),
            (json!({ "case": { "fields": { "tieline_key__c": "x" } } }), "`case.fields.tieline_key__c`"),
            (json!({ "case": { "subject": "{" } }), "`case.subject`"),
            (json!({ "case": { "record_type_id": "42" } }), "`case.record_type_id`"),
            (json!({ "case": { "origin_chat": "" } }), "`case.origin_chat`"),
            (json!({ "call_key_field": "" }), "`call_key_field`"),
            (json!({ "call": { "status": "" } }), "`call.status`"),
            (json!({ "call": { "type": "x".repeat(256) } }), "`call.type`"),
            (json!({ "call": { "subject": "{" } }), "`call.subject`"),
            (json!({ "call": { "fields": { "CallObject": "x" } } }), "`call.fields.CallObject`"),
            (json!({ "call": { "fields": { "Line__c": "{lines}" } } }), "`call.fields.Line__c`"),
            (json!({ "consumer_kee": "x" }), "`consumer_kee`"),
        ] {
            let says = with(&patch).expect_err(&patch.to_string());
            assert!(says.contains(key), "{patch}: {says}");
        }
    }

    #[test]
    fn the_audience_follows_the_kind_of_org() {
        for (login_url, audience) in [
            (LOGIN, LOGIN),
            (LOGIN_SANDBOX, LOGIN_SANDBOX),
            ("https://acme.my.salesforce.com", LOGIN),
            ("https://acme--uat.sandbox.my.salesforce.com", LOGIN_SANDBOX),
            ("http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
        ] {
            assert_eq!(derive_audience(login_url), audience);
        }
    }

    #[test]
    fn the_private_key_is_never_shown() {
        let settings: Settings = serde_json::from_value(base()).unwrap();
        assert!(!format!("{settings:?}").contains("PEM"));
    }

    #[test]
    fn the_schema_describes_every_setting() {
        let schema = schemars::schema_for!(Settings).to_value();
        assert_eq!(schema["additionalProperties"], json!(false));
        for (name, property) in schema["properties"].as_object().unwrap() {
            assert!(property.get("description").is_some(), "{name} has no description");
        }
    }
}
