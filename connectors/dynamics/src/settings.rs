//! What an administrator sets for one environment, and what is wrong with it before anything is sent.

use crate::map;
use reqwest::Url;
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tieline_connector_api::Secret;
use tieline_connector_api::phone::{Country, DIGITS_MIN};
use tieline_connector_api::template::Template;
use tieline_model::crm::Record;
use uuid::Uuid;

/// Where tokens of the commercial cloud come from; other clouds have their own (sheet 1.5).
pub const AUTHORITY: &str = "https://login.microsoftonline.com";
/// Most digits of a number that are compared by `contact.phone_contains`: more would miss numbers kept without area
/// code (sheet 2.3).
const PHONE_DIGITS_MAX: u8 = 9;

/// One Dynamics 365 environment.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The environment (`https://acme.crm4.dynamics.com`). The scope of tokens is made from it.
    pub org_url: String,
    /// Where tokens are asked for: scheme and host of the cloud's login service.
    #[serde(default = "authority_url")]
    pub authority_url: String,
    /// The tenant, as GUID or domain (`acme.onmicrosoft.com`).
    pub tenant: String,
    /// Application (client) id of the app registration.
    pub client_id: String,
    /// The app's client secret: its value, not its id. This, `client_secret_file`, or a certificate.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub client_secret: Option<Secret>,
    /// A file with that secret.
    #[serde(default)]
    pub client_secret_file: Option<PathBuf>,
    /// The certificate that was uploaded to the app registration, PEM. This or `certificate_file`, with a private key.
    #[serde(default)]
    pub certificate: Option<String>,
    /// A file with that certificate.
    #[serde(default)]
    pub certificate_file: Option<PathBuf>,
    /// RSA private key of the certificate, PEM. This or `private_key_file`.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub private_key: Option<Secret>,
    /// A file with that key.
    #[serde(default)]
    pub private_key_file: Option<PathBuf>,
    /// Web API version. Fixed on purpose: behaviour is frozen per version.
    #[serde(default = "api_version")]
    pub api_version: String,
    /// Where agents see records. The environment's own address when left out.
    #[serde(default)]
    pub ui_url: Option<String>,
    /// The model-driven app that records open in (`appid`). The user's default app when left out.
    #[serde(default)]
    pub app_id: Option<String>,
    /// Country in which numbers without a country code are read (`GB`).
    #[serde(default)]
    pub default_country: Option<String>,
    /// How contacts are looked up.
    #[serde(default)]
    pub contact: ContactSettings,
    /// How cases of chats are written.
    #[serde(default)]
    pub case: CaseSettings,
    /// How phone calls are written.
    #[serde(default)]
    pub call: CallSettings,
    /// Limits and waits.
    #[serde(default)]
    pub limits: LimitSettings,
}

/// How contacts are looked up.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ContactSettings {
    /// Columns of contact that are compared with a number. New contacts get theirs into the first.
    pub phone_fields: Vec<String>,
    /// Columns of contact that are compared with an address. New contacts get theirs into the first.
    pub email_fields: Vec<String>,
    /// Numbers are also searched for with anything between their digits. Without it only numbers kept in a usual
    /// spelling are found, and big tables are spared a scan.
    pub phone_contains: bool,
    /// So many last digits are searched for that way, 7 to 9.
    pub phone_digits: u8,
    /// Accounts are looked up too: by `telephone1` and `emailaddress1`.
    pub accounts: bool,
}

impl Default for ContactSettings {
    fn default() -> Self {
        Self {
            phone_fields: ["mobilephone", "telephone1", "telephone2"].map(str::to_owned).to_vec(),
            email_fields: ["emailaddress1", "emailaddress2", "emailaddress3"].map(str::to_owned).to_vec(),
            phone_contains: true,
            phone_digits: 7,
            accounts: false,
        }
    }
}

/// Whom a case is about when nobody is known: a case cannot be without a customer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fallback {
    /// An account, by its id.
    Account(String),
    /// A contact, by its id.
    Contact(String),
}

impl Fallback {
    /// The record, if its id is one; [`Settings::validate`] sees to that.
    pub(crate) fn record(&self) -> Option<Record> {
        match self {
            Self::Account(id) => map::record("account", id),
            Self::Contact(id) => map::record("contact", id),
        }
    }
}

/// When the transcript goes in as a note.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TranscriptNote {
    /// Always: the note is the whole transcript, the description its beginning.
    #[default]
    Always,
    /// Only when the description cannot hold all of it; saves a request per chat.
    WhenCut,
}

/// A value for a column.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum FieldValue {
    /// For yes-or-no columns.
    Flag(bool),
    /// For whole numbers and choices.
    Number(i64),
    /// A text with placeholders; one placeholder alone keeps its type.
    Text(String),
}

/// How cases of chats are written.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CaseSettings {
    /// The customer of chats of unknown people: `{ account = "…" }` or `{ contact = "…" }`. Without it such chats are
    /// refused until somebody chooses a contact.
    pub fallback_customer: Option<Fallback>,
    /// `caseorigincode`. No environment has a choice for chats by itself; 3 is Web.
    pub origin: i64,
    /// `prioritycode` of a new case; the environment's default when left out.
    pub priority: Option<i64>,
    /// `casetypecode` of a new case.
    pub case_type: Option<i64>,
    /// `subjectid` of a new case: a row of the subject tree, by its id.
    pub subject_id: Option<String>,
    /// `title`, with placeholders as in `fields`. Says who and how it ended when left out.
    pub title: Option<String>,
    /// When the transcript goes in as a note.
    pub transcript_note: TranscriptNote,
    /// Resolves the case of an answered chat once everything is written.
    pub close: bool,
    /// `statuscode` of resolved cases.
    pub close_status: i64,
    /// Further columns of incident by logical name: numbers, yes or no, or texts with placeholders (`{agent}`,
    /// `{queue}`, `{codes}`, `{answer.Label}` and so on). Look-up columns cannot be set.
    pub fields: BTreeMap<String, FieldValue>,
}

impl Default for CaseSettings {
    fn default() -> Self {
        Self {
            fallback_customer: None,
            origin: 3,
            priority: None,
            case_type: None,
            subject_id: None,
            title: None,
            transcript_note: TranscriptNote::Always,
            close: false,
            close_status: 5,
            fields: BTreeMap::new(),
        }
    }
}

/// How phone calls are written.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CallSettings {
    /// A completed call is opened for facts that come later, as a recording does, and completed again. Without it, or
    /// where the environment refuses it, they go under the call as a note.
    pub reopen: bool,
    /// Unknown callers stand as a party with their number only. Not every environment takes that.
    pub unknown_parties: bool,
    /// The case of a call is bound as `regardingobjectid_incident`, without the suffix `_phonecall`.
    pub short_regarding: bool,
    /// Further columns of phonecall by logical name, as in `case.fields`.
    pub fields: BTreeMap<String, FieldValue>,
}

impl Default for CallSettings {
    fn default() -> Self {
        Self { reopen: true, unknown_parties: false, short_regarding: false, fields: BTreeMap::new() }
    }
}

/// Limits and waits.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LimitSettings {
    /// Most records listed for one look-up.
    pub matches_max: u32,
    /// Wait after a limit that came without `Retry-After`, in seconds.
    pub wait_limited_secs: u64,
    /// For how long a refused login is not tried again, in seconds.
    pub wait_refused_secs: u64,
}

impl Default for LimitSettings {
    fn default() -> Self {
        Self { matches_max: 10, wait_limited_secs: 30, wait_refused_secs: 30 }
    }
}

fn authority_url() -> String {
    AUTHORITY.into()
}
fn api_version() -> String {
    "9.2".into()
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

/// How the app proves that it is the app.
pub(crate) enum Proof {
    /// With its client secret.
    Secret(Secret),
    /// With an assertion signed by its key.
    Certificate {
        /// PEM.
        certificate: String,
        /// PEM.
        private_key: Secret,
    },
}

impl Settings {
    /// Looks at everything that can be known without network and files.
    ///
    /// # Errors
    /// The first setting that cannot work.
    pub fn validate(&self) -> Result<(), Invalid> {
        address("org_url", &self.org_url, "https://acme.crm4.dynamics.com")?;
        address("authority_url", &self.authority_url, AUTHORITY)?;
        if let Some(url) = &self.ui_url {
            address("ui_url", url, "https://acme.crm4.dynamics.com")?;
        }
        let host_like = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
        if self.tenant.is_empty() || !self.tenant.chars().all(host_like) {
            return Err(Invalid::new("tenant", "must be the tenant's GUID or domain"));
        }
        if ["common", "organizations", "consumers"].contains(&self.tenant.as_str()) {
            return Err(Invalid::new("tenant", "must be one tenant: its GUID or domain"));
        }
        if Uuid::parse_str(&self.client_id).is_err() {
            return Err(Invalid::new("client_id", "must be the application (client) id, a GUID"));
        }
        self.one_proof()?;
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !self.api_version.split_once('.').is_some_and(|(a, b)| digits(a) && digits(b)) {
            return Err(Invalid::new("api_version", "must be a version, as \"9.2\""));
        }
        self.country()?;
        self.validate_contact()?;
        if !(1..=50).contains(&self.limits.matches_max) {
            return Err(Invalid::new("limits.matches_max", "must be from 1 to 50"));
        }
        let ids = [("app_id", &self.app_id), ("case.subject_id", &self.case.subject_id)];
        for (key, id) in ids {
            if id.as_deref().is_some_and(|id| map::guid(id).is_none()) {
                return Err(Invalid::new(key, "must be a GUID, as the environment shows it"));
            }
        }
        if self.case.fallback_customer.as_ref().is_some_and(|fallback| fallback.record().is_none()) {
            let says = "must name an account or a contact by its GUID, as { account = \"…\" }";
            return Err(Invalid::new("case.fallback_customer", says));
        }
        if let Some(title) = &self.case.title {
            Template::parse(title).map_err(|says| Invalid::new("case.title", says))?;
        }
        fields("case.fields", &self.case.fields)?;
        fields("call.fields", &self.call.fields)
    }

    fn one_proof(&self) -> Result<(), Invalid> {
        let secret = pair("client_secret", self.client_secret.is_some(), self.client_secret_file.is_some())?;
        let certificate = pair("certificate", self.certificate.is_some(), self.certificate_file.is_some())?;
        let key = pair("private_key", self.private_key.is_some(), self.private_key_file.is_some())?;
        match (secret, certificate, key) {
            (true, false, false) | (false, true, true) => Ok(()),
            (false, false, false) => {
                Err(Invalid::new("client_secret", "set this, or a certificate with its private key"))
            }
            (true, _, _) => Err(Invalid::new("client_secret", "set this or a certificate, and not both")),
            (false, true, false) => {
                Err(Invalid::new("private_key", "a certificate needs its private key here"))
            }
            (false, false, true) => {
                Err(Invalid::new("certificate", "a private key needs its certificate here"))
            }
        }
    }

    fn validate_contact(&self) -> Result<(), Invalid> {
        let contact = &self.contact;
        for (key, names) in
            [("contact.phone_fields", &contact.phone_fields), ("contact.email_fields", &contact.email_fields)]
        {
            if names.is_empty() || names.len() > 12 {
                return Err(Invalid::new(key, "name 1 to 12 columns"));
            }
            names.iter().try_for_each(|name| column(key, name))?;
        }
        if !(DIGITS_MIN..=usize::from(PHONE_DIGITS_MAX)).contains(&usize::from(contact.phone_digits)) {
            let says = format!("must be from {DIGITS_MIN} to {PHONE_DIGITS_MAX}");
            return Err(Invalid::new("contact.phone_digits", says));
        }
        Ok(())
    }

    /// The country numbers are read in.
    pub(crate) fn country(&self) -> Result<Option<Country>, Invalid> {
        let Some(code) = &self.default_country else { return Ok(None) };
        code.parse().map(Some).map_err(|e| Invalid::new("default_country", format!("{e}")))
    }

    /// What tokens are asked for: exactly one resource, without a slash in front of `.default`, or the audience gets
    /// one (sheet 1.1).
    pub(crate) fn scope(&self) -> String {
        format!("{}/.default", self.org_url.trim_end_matches('/'))
    }

    /// How the app proves itself. Reads files.
    pub(crate) fn proof(&self) -> Result<Proof, Invalid> {
        if let Some(secret) = &self.client_secret {
            return Ok(Proof::Secret(secret.clone()));
        }
        if let Some(path) = &self.client_secret_file {
            let text = read("client_secret_file", path)?;
            return Ok(Proof::Secret(Secret::new(text.trim())));
        }
        let certificate = match (&self.certificate, &self.certificate_file) {
            (Some(pem), _) => pem.clone(),
            (None, Some(path)) => read("certificate_file", path)?,
            (None, None) => return Err(Invalid::new("client_secret", "is missing")),
        };
        let private_key = match (&self.private_key, &self.private_key_file) {
            (Some(key), _) => key.clone(),
            (None, Some(path)) => Secret::new(read("private_key_file", path)?),
            (None, None) => return Err(Invalid::new("private_key", "is missing")),
        };
        Ok(Proof::Certificate { certificate, private_key })
    }
}

fn read(key: &str, path: &Path) -> Result<String, Invalid> {
    std::fs::read_to_string(path)
        .map_err(|e| Invalid::new(key, format!("{} cannot be read: {e}", path.display())))
}

/// Whether a value is there, inline or as a file.
fn pair(key: &str, inline: bool, file: bool) -> Result<bool, Invalid> {
    if inline && file {
        return Err(Invalid::new(key, format!("set this or `{key}_file`, and not both")));
    }
    Ok(inline || file)
}

/// Addresses are https, except on the own machine.
fn address(key: &str, text: &str, example: &str) -> Result<(), Invalid> {
    let Ok(url) = Url::parse(text) else {
        return Err(Invalid::new(key, format!("must be an address, as {example}")));
    };
    let local = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    if url.scheme() != "https" && !(url.scheme() == "http" && local) {
        return Err(Invalid::new(key, "must begin with https://"));
    }
    if url.path() != "/" || url.query().is_some() || !url.username().is_empty() || url.password().is_some() {
        return Err(Invalid::new(key, "must be scheme and host only, without path, query or user"));
    }
    Ok(())
}

/// Column names go into queries, so nothing but a logical name may stand there.
fn column(key: &str, name: &str) -> Result<(), Invalid> {
    let ok = name.len() <= 100
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if ok { Ok(()) } else { Err(Invalid::new(key, "must be a column's logical name, as mobilephone")) }
}

fn fields(section: &str, fields: &BTreeMap<String, FieldValue>) -> Result<(), Invalid> {
    for (name, value) in fields {
        let key = format!("{section}.{name}");
        column(&key, name)?;
        if map::is_reserved(name) {
            return Err(Invalid::new(key, "this column is not for a mapping to set"));
        }
        if let FieldValue::Text(text) = value {
            Template::parse(text).map_err(|says| Invalid::new(key, says))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn base() -> Value {
        json!({
            "org_url": "https://acme.crm4.dynamics.com", "tenant": "acme.onmicrosoft.com",
            "client_id": "8c3f3b5e-0f0c-4d0a-9d0b-0a0b0c0d0e0f", "client_secret": "hush~hush",
        })
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
        let certificate =
            json!({ "client_secret": null, "certificate": "PEM", "private_key_file": "key.pem" });
        assert_eq!(with(&certificate), Ok(()));
    }

    // proves F5
    #[test]
    fn a_wrong_setting_is_named() {
        for (patch, key) in [
            (json!({ "org_url": "acme.crm4.dynamics.com" }), "`org_url`"),
            (json!({ "org_url": "http://acme.crm4.dynamics.com" }), "`org_url`"),
            (json!({ "org_url": "https://acme.crm4.dynamics.com/main.aspx" }), "`org_url`"),
            (json!({ "authority_url": "https://login.microsoftonline.com/common" }), "`authority_url`"),
            (json!({ "ui_url": "javascript:alert(1)" }), "`ui_url`"),
            (json!({ "tenant": "" }), "`tenant`"),
            (json!({ "tenant": "common" }), "`tenant`"),
            (json!({ "tenant": "a/b" }), "`tenant`"),
            (json!({ "client_id": "my app" }), "`client_id`"),
            (json!({ "client_secret": null }), "`client_secret`"),
            (json!({ "client_secret_file": "secret" }), "`client_secret`"),
            (json!({ "certificate": "PEM", "private_key": "PEM" }), "`client_secret`"),
            (json!({ "client_secret": null, "certificate": "PEM" }), "`private_key`"),
            (json!({ "client_secret": null, "private_key": "PEM" }), "`certificate`"),
            (json!({ "api_version": "latest" }), "`api_version`"),
            (json!({ "app_id": "sales" }), "`app_id`"),
            (json!({ "case": { "subject_id": "42" } }), "`case.subject_id`"),
            (json!({ "case": { "fallback_customer": { "account": "x" } } }), "`case.fallback_customer`"),
            (json!({ "default_country": "England" }), "`default_country`"),
            (json!({ "contact": { "phone_fields": [] } }), "`contact.phone_fields`"),
            (
                json!({ "contact": { "phone_fields": ["mobilephone eq null or fax"] } }),
                "`contact.phone_fields`",
            ),
            (json!({ "contact": { "email_fields": ["EMailAddress1"] } }), "`contact.email_fields`"),
            (json!({ "contact": { "phone_digits": 4 } }), "`contact.phone_digits`"),
            (json!({ "limits": { "matches_max": 0 } }), "`limits.matches_max`"),
            (json!({ "case": { "title": "{" } }), "`case.title`"),
            (json!({ "case": { "fields": { "abc_queue": "{que}" } } }), "`case.fields.abc_queue`"),
            (json!({ "case": { "fields": { "statecode": 1 } } }), "`case.fields.statecode`"),
            (json!({ "case": { "fields": { "abc_Queue": "x" } } }), "`case.fields.abc_Queue`"),
            (json!({ "call": { "fields": { "activityid": "x" } } }), "`call.fields.activityid`"),
            (json!({ "case": { "fallback_customer": { "lead": "x" } } }), "lead"),
            (json!({ "client_secrett": "x" }), "`client_secrett`"),
        ] {
            let says = with(&patch).expect_err(&patch.to_string());
            assert!(says.contains(key), "{patch}: {says}");
        }
    }

    #[test]
    fn a_slash_behind_the_address_does_not_reach_the_scope() {
        for org_url in ["https://acme.crm4.dynamics.com", "https://acme.crm4.dynamics.com/"] {
            let mut all = base();
            all["org_url"] = org_url.into();
            let settings: Settings = serde_json::from_value(all).unwrap();
            settings.validate().unwrap();
            assert_eq!(settings.scope(), "https://acme.crm4.dynamics.com/.default");
        }
    }

    #[test]
    fn secrets_are_never_shown() {
        let settings: Settings = serde_json::from_value(base()).unwrap();
        assert!(!format!("{settings:?}").contains("hush"));
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
