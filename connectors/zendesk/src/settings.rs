//! What an administrator sets for one Zendesk account, and what is wrong with it before anything is sent.

use crate::map;
use reqwest::Url;
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use tieline_connector_api::Secret;
use tieline_connector_api::phone::Country;
use tieline_connector_api::template::Template;

/// Shortest and longest life of an access token that Zendesk grants, in seconds (sheet 1.2).
const TOKEN_SECS: std::ops::RangeInclusive<u64> = 300..=172_800;
/// How long Zendesk keeps an answer under an idempotency key (sheet 2.3), in seconds.
const IDEMPOTENCY_SECS: u64 = 7_200;

/// One Zendesk account.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The account's own address: `https://acme.zendesk.com`. Not a host-mapped one: tokens are given here.
    pub base_url: String,
    /// Identifier of the confidential OAuth client (client credentials).
    #[serde(default)]
    pub client_id: Option<String>,
    /// Its secret, shown once when it was made. This or `client_secret_file`.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub client_secret: Option<Secret>,
    /// A file with that secret.
    #[serde(default)]
    pub client_secret_file: Option<PathBuf>,
    /// What the token may do, separated by spaces. Calls and pops have no scope of their own, so nothing smaller than
    /// `read write` serves everything.
    #[serde(default = "scope")]
    pub scope: String,
    /// Life of a token to ask for, 300 to 172,800 seconds. The client's own when left out (30 minutes for new ones).
    #[serde(default)]
    pub token_secs: Option<u64>,
    /// An API token instead of OAuth. Zendesk makes no new ones and ends the rest on 30 April 2027.
    #[serde(default)]
    pub api_token: Option<ApiToken>,
    /// Where agents see tickets (`https://support.acme.example`). `base_url` when left out.
    #[serde(default)]
    pub ui_url: Option<String>,
    /// Country in which numbers without a country code are read (`GB`).
    #[serde(default)]
    pub default_country: Option<String>,
    /// What look-ups search.
    #[serde(default)]
    pub search: SearchSettings,
    /// How Zendesk opens a record before an agent from the server.
    #[serde(default)]
    pub display: Display,
    /// Id of Tieline's app as installed in the account: for `display = "notify"` and `calls.record = "talk_partner"`.
    #[serde(default)]
    pub app_id: Option<u64>,
    /// Name of the event that `display = "notify"` sends to that app.
    #[serde(default = "notify_event")]
    pub notify_event: String,
    /// How tickets are written.
    #[serde(default)]
    pub ticket: TicketSettings,
    /// How calls are written.
    #[serde(default)]
    pub calls: CallSettings,
    /// Limits and waits.
    #[serde(default)]
    pub limits: LimitSettings,
}

/// A legacy API token (sheet 1.1).
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApiToken {
    /// E-mail address of the user to act as; an agent or administrator.
    pub email: String,
    /// The token. This or `token_file`.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub token: Option<Secret>,
    /// A file with it.
    #[serde(default)]
    pub token_file: Option<PathBuf>,
}

/// How Zendesk opens a record before an agent from the server (sheet 3.1, 3.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Display {
    /// Not at all: the panel inside Zendesk opens records.
    #[default]
    Off,
    /// By the display calls of Talk Partner Edition; the account needs that licence.
    TalkPartner,
    /// By an event to Tieline's app (`app_id`), which opens the record itself.
    Notify,
}

/// What look-ups search.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SearchSettings {
    /// Keys of custom user fields that hold numbers, searched beside the user's own phone; each costs a request.
    pub phone_fields: Vec<String>,
    /// Only end users are found; agents and administrators are colleagues.
    pub end_users_only: bool,
}

/// When the transcript goes in as a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TranscriptFile {
    /// Only when the comment cannot hold all of it; saves a request per chat.
    #[default]
    WhenCut,
    /// Always: the file is the whole transcript, the comment its beginning.
    Always,
}

/// How tickets are written.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TicketSettings {
    /// `status` of a new ticket: `new`, `open`, `pending`, `hold` or `solved`; the account's own default when left
    /// out. Never written again.
    pub status: Option<String>,
    /// Sends `solved` even where nobody is assigned. Zendesk is remembered to refuse that, so `solved` is otherwise
    /// sent only with an assignee.
    pub solved_without_assignee: bool,
    /// `priority` of a new ticket: `low`, `normal`, `high` or `urgent`.
    pub priority: Option<String>,
    /// `type` of a new ticket: `problem`, `incident`, `question` or `task`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// Group of a new ticket.
    pub group_id: Option<u64>,
    /// Brand of a new ticket.
    pub brand_id: Option<u64>,
    /// Form of a new ticket.
    pub ticket_form_id: Option<u64>,
    /// Assigns a new ticket to the agent's own Zendesk user, where settings name one.
    pub assign: bool,
    /// Assignee of a new ticket whose agent has no Zendesk user.
    pub assignee_id: Option<u64>,
    /// The comment is written in the name of the agent's own Zendesk user, where settings name one.
    pub comment_as_agent: bool,
    /// `subject`, with placeholders as in `custom_fields`. Says who and how it ended when left out.
    pub subject: Option<String>,
    /// Longest subject sent, in characters; Zendesk publishes no limit.
    pub subject_chars_max: u32,
    /// Tags of a chat's ticket.
    pub tags_chat: Vec<String>,
    /// Tags of a call's ticket.
    pub tags_call: Vec<String>,
    /// Classification codes become tags too.
    pub tag_codes: bool,
    /// When the transcript goes in as a file.
    pub transcript_file: TranscriptFile,
    /// Custom ticket fields by id, with placeholders: `{agent}`, `{queue}`, `{codes}`, `{answer.Label}` and so on. A
    /// value that is one placeholder only keeps its type (number, time, yes or no).
    pub custom_fields: BTreeMap<String, String>,
}

/// What a call becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CallRecord {
    /// A ticket with direction, numbers, times, outcome and recording in a private comment.
    #[default]
    Ticket,
    /// The same ticket and a call of Talk Partner Edition on it; needs that licence and `app_id`.
    TalkPartner,
}

/// How calls are written.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CallSettings {
    /// What a call becomes.
    pub record: CallRecord,
}

/// Limits and waits.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LimitSettings {
    /// Most records listed for one look-up.
    pub matches_max: u32,
    /// Longest comment sent, in bytes of UTF-8 after HTML escaping. Zendesk takes about 64 KB and is said to cut the
    /// rest without a word.
    pub comment_bytes_max: u32,
    /// For how long a ticket's creation may be repeated under its idempotency key, in seconds. Zendesk keeps it for
    /// 7,200; afterwards the ticket is looked for by its external id.
    pub idempotency_secs: u64,
    /// Wait after a limit that says no time, in seconds.
    pub wait_limit_secs: u64,
    /// For how long a refused login is not tried again, in seconds.
    pub wait_refused_secs: u64,
}

impl Default for SearchSettings {
    fn default() -> Self {
        Self { phone_fields: Vec::new(), end_users_only: true }
    }
}

impl Default for TicketSettings {
    fn default() -> Self {
        Self {
            status: None,
            solved_without_assignee: false,
            priority: None,
            kind: None,
            group_id: None,
            brand_id: None,
            ticket_form_id: None,
            assign: true,
            assignee_id: None,
            comment_as_agent: true,
            subject: None,
            subject_chars_max: 150,
            tags_chat: vec!["tieline".into(), "tieline_chat".into()],
            tags_call: vec!["tieline".into(), "tieline_call".into()],
            tag_codes: false,
            transcript_file: TranscriptFile::WhenCut,
            custom_fields: BTreeMap::new(),
        }
    }
}

impl Default for LimitSettings {
    fn default() -> Self {
        Self {
            matches_max: 10,
            comment_bytes_max: 60_000,
            idempotency_secs: IDEMPOTENCY_SECS - 600,
            wait_limit_secs: 60,
            wait_refused_secs: 30,
        }
    }
}

fn scope() -> String {
    "read write".into()
}
fn notify_event() -> String {
    "tieline_pop".into()
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

/// Who the connector is, with the secret read.
pub(crate) enum Credentials {
    /// OAuth client credentials.
    Client {
        /// The client's identifier.
        id: String,
        /// Its secret.
        secret: Secret,
    },
    /// A legacy API token.
    ApiToken {
        /// The user's e-mail address.
        email: String,
        /// The token.
        token: Secret,
    },
}

impl Settings {
    /// Looks at everything that can be known without network and files.
    ///
    /// # Errors
    /// The first setting that cannot work.
    pub fn validate(&self) -> Result<(), Invalid> {
        address("base_url", &self.base_url)?;
        if let Some(url) = &self.ui_url {
            address("ui_url", url)?;
        }
        self.validate_credentials()?;
        self.country()?;
        for key in &self.search.phone_fields {
            let name = key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            if key.is_empty() || key.len() > 80 || !name {
                return Err(Invalid::new(
                    "search.phone_fields",
                    "must be keys of user fields, as mobile_number",
                ));
            }
        }
        if self.display == Display::Notify && self.app_id.is_none() {
            return Err(Invalid::new("app_id", "is needed for `display = \"notify\"`"));
        }
        if self.calls.record == CallRecord::TalkPartner && self.app_id.is_none() {
            return Err(Invalid::new("app_id", "is needed for `calls.record = \"talk_partner\"`"));
        }
        let event = self.notify_event.as_str();
        if event.is_empty()
            || event.len() > 80
            || !event.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        {
            return Err(Invalid::new("notify_event", "must be letters, digits and `_`, as tieline_pop"));
        }
        self.validate_ticket()?;
        self.validate_limits()
    }

    fn validate_credentials(&self) -> Result<(), Invalid> {
        let secrets = self.client_secret.is_some() || self.client_secret_file.is_some();
        match (&self.client_id, &self.api_token) {
            (Some(_), Some(_)) => {
                return Err(Invalid::new("api_token", "stands beside `client_id`; remove it, it is legacy"));
            }
            (None, None) => {
                return Err(Invalid::new("client_id", "is missing: make a confidential OAuth client"));
            }
            (Some(id), None) => {
                if id.trim().is_empty() {
                    return Err(Invalid::new("client_id", "must not be empty"));
                }
                if self.client_secret.is_some() == self.client_secret_file.is_some() {
                    return Err(Invalid::new(
                        "client_secret",
                        "set this or `client_secret_file`, and not both",
                    ));
                }
            }
            (None, Some(token)) => {
                if secrets {
                    return Err(Invalid::new("client_secret", "stands without `client_id`"));
                }
                if !token.email.contains('@') || token.email.contains([':', '/', ' ']) {
                    return Err(Invalid::new("api_token.email", "must be the user's e-mail address"));
                }
                if token.token.is_some() == token.token_file.is_some() {
                    return Err(Invalid::new("api_token.token", "set this or `token_file`, and not both"));
                }
            }
        }
        if self.scope.trim().is_empty() || self.scope.contains([',', '[', '"']) {
            return Err(Invalid::new("scope", "must be words separated by spaces, as \"read write\""));
        }
        if self.token_secs.is_some_and(|secs| !TOKEN_SECS.contains(&secs)) {
            return Err(Invalid::new("token_secs", "must be from 300 to 172800"));
        }
        Ok(())
    }

    fn validate_ticket(&self) -> Result<(), Invalid> {
        let ticket = &self.ticket;
        let words = [
            ("ticket.status", &ticket.status, &["new", "open", "pending", "hold", "solved"][..]),
            ("ticket.priority", &ticket.priority, &["low", "normal", "high", "urgent"][..]),
            ("ticket.type", &ticket.kind, &["problem", "incident", "question", "task"][..]),
        ];
        for (key, value, known) in words {
            if value.as_deref().is_some_and(|v| !known.contains(&v)) {
                return Err(Invalid::new(key, format!("must be one of {}", known.join(", "))));
            }
        }
        if let Some(subject) = &ticket.subject {
            Template::parse(subject).map_err(|says| Invalid::new("ticket.subject", says))?;
        }
        if !(20..=255).contains(&ticket.subject_chars_max) {
            return Err(Invalid::new("ticket.subject_chars_max", "must be from 20 to 255"));
        }
        for (key, tags) in [("ticket.tags_chat", &ticket.tags_chat), ("ticket.tags_call", &ticket.tags_call)]
        {
            if let Some(bad) = tags.iter().find(|tag| map::tag(tag).as_deref() != Some(tag.as_str())) {
                let says = format!("\"{bad}\" is no tag: up to 80 of a-z, 0-9, `_`, `-` and `/`");
                return Err(Invalid::new(key, says));
            }
        }
        for (id, text) in &ticket.custom_fields {
            let key = format!("ticket.custom_fields.{id}");
            if map::id(id).is_none() {
                return Err(Invalid::new(key, "the key must be the field's id, a number"));
            }
            Template::parse(text).map_err(|says| Invalid::new(key, says))?;
        }
        Ok(())
    }

    fn validate_limits(&self) -> Result<(), Invalid> {
        let limits = &self.limits;
        if !(1..=50).contains(&limits.matches_max) {
            return Err(Invalid::new("limits.matches_max", "must be from 1 to 50"));
        }
        if !(2_000..=65_535).contains(&limits.comment_bytes_max) {
            return Err(Invalid::new("limits.comment_bytes_max", "must be from 2000 to 65535"));
        }
        if limits.idempotency_secs > IDEMPOTENCY_SECS {
            return Err(Invalid::new("limits.idempotency_secs", "must be at most 7200"));
        }
        if !(1..=86_400).contains(&limits.wait_limit_secs) {
            return Err(Invalid::new("limits.wait_limit_secs", "must be from 1 to 86400"));
        }
        Ok(())
    }

    /// The country numbers are read in.
    pub(crate) fn country(&self) -> Result<Option<Country>, Invalid> {
        let Some(code) = &self.default_country else { return Ok(None) };
        code.parse().map(Some).map_err(|e| Invalid::new("default_country", format!("{e}")))
    }

    /// Who the connector is. Reads files.
    pub(crate) fn credentials(&self) -> Result<Credentials, Invalid> {
        if let Some(api) = &self.api_token {
            let token = secret(("api_token.token", &api.token), ("api_token.token_file", &api.token_file))?;
            return Ok(Credentials::ApiToken { email: api.email.clone(), token });
        }
        let id = self.client_id.clone().ok_or_else(|| Invalid::new("client_id", "is missing"))?;
        let secret =
            secret(("client_secret", &self.client_secret), ("client_secret_file", &self.client_secret_file))?;
        Ok(Credentials::Client { id, secret })
    }
}

/// A secret given by value or by file; never empty.
fn secret(value: (&str, &Option<Secret>), file: (&str, &Option<PathBuf>)) -> Result<Secret, Invalid> {
    let (key, secret) = match (value.1, file.1) {
        (Some(secret), _) => (value.0, secret.clone()),
        (None, Some(path)) => {
            let text = std::fs::read_to_string(path)
                .map_err(|e| Invalid::new(file.0, format!("{} cannot be read: {e}", path.display())))?;
            (file.0, Secret::new(text.trim()))
        }
        (None, None) => return Err(Invalid::new(value.0, "is missing")),
    };
    if secret.reveal().is_empty() { Err(Invalid::new(key, "is empty")) } else { Ok(secret) }
}

/// Addresses are https, except on the own machine.
fn address(key: &str, text: &str) -> Result<(), Invalid> {
    let Ok(url) = Url::parse(text) else {
        return Err(Invalid::new(key, "must be an address, as https://acme.zendesk.com"));
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn with(patch: &Value) -> Result<(), String> {
        let mut all = json!({
            "base_url": "https://acme.zendesk.com", "client_id": "tieline", "client_secret": "hush",
        });
        for (key, value) in patch.as_object().unwrap() {
            all[key] = value.clone();
            if value.is_null() {
                all.as_object_mut().unwrap().remove(key);
            }
        }
        let settings: Settings = serde_json::from_value(all).map_err(|e| e.to_string())?;
        settings.validate().map_err(|e| e.to_string())
    }

    #[test]
    fn three_settings_are_enough() {
        assert_eq!(with(&json!({})), Ok(()));
        let legacy = json!({ "email": "tieline@acme.example", "token": "t" });
        assert_eq!(with(&json!({ "client_id": null, "client_secret": null, "api_token": legacy })), Ok(()));
    }

    // proves F5
    #[test]
    fn a_wrong_setting_is_named() {
        for (patch, key) in [
            (json!({ "base_url": "acme.zendesk.com" }), "`base_url`"),
            (json!({ "base_url": "http://acme.zendesk.com" }), "`base_url`"),
            (json!({ "base_url": "https://acme.zendesk.com/agent" }), "`base_url`"),
            (json!({ "ui_url": "javascript:alert(1)" }), "`ui_url`"),
            (json!({ "client_id": " " }), "`client_id`"),
            (json!({ "client_id": null }), "`client_id`"),
            (json!({ "client_secret_file": "secret" }), "`client_secret`"),
            (json!({ "client_secret": null }), "`client_secret`"),
            (json!({ "api_token": { "email": "a@b.example", "token": "t" } }), "`api_token`"),
            (json!({ "scope": "[\"read\"]" }), "`scope`"),
            (json!({ "token_secs": 60 }), "`token_secs`"),
            (json!({ "default_country": "England" }), "`default_country`"),
            (json!({ "search": { "phone_fields": ["phone:* role"] } }), "`search.phone_fields`"),
            (json!({ "display": "notify" }), "`app_id`"),
            (json!({ "calls": { "record": "talk_partner" } }), "`app_id`"),
            (json!({ "notify_event": "a b" }), "`notify_event`"),
            (json!({ "ticket": { "status": "closed" } }), "`ticket.status`"),
            (json!({ "ticket": { "priority": "highest" } }), "`ticket.priority`"),
            (json!({ "ticket": { "type": "chat" } }), "`ticket.type`"),
            (json!({ "ticket": { "subject": "{" } }), "`ticket.subject`"),
            (json!({ "ticket": { "subject_chars_max": 4000 } }), "`ticket.subject_chars_max`"),
            (json!({ "ticket": { "tags_chat": ["two words"] } }), "`ticket.tags_chat`"),
            (json!({ "ticket": { "tags_call": ["Upper"] } }), "`ticket.tags_call`"),
            (json!({ "ticket": { "custom_fields": { "queue": "x" } } }), "`ticket.custom_fields.queue`"),
            (json!({ "ticket": { "custom_fields": { "7": "{que}" } } }), "`ticket.custom_fields.7`"),
            (json!({ "limits": { "matches_max": 0 } }), "`limits.matches_max`"),
            (json!({ "limits": { "comment_bytes_max": 70_000 } }), "`limits.comment_bytes_max`"),
            (json!({ "limits": { "idempotency_secs": 7_201 } }), "`limits.idempotency_secs`"),
            (json!({ "limits": { "wait_limit_secs": 0 } }), "`limits.wait_limit_secs`"),
            (json!({ "client_idd": "x" }), "`client_idd`"),
        ] {
            let says = with(&patch).expect_err(&patch.to_string());
            assert!(says.contains(key), "{patch}: {says}");
        }
    }

    #[test]
    fn secrets_are_never_shown() {
        let settings: Settings = serde_json::from_value(json!({
            "base_url": "https://acme.zendesk.com", "client_id": "tieline", "client_secret": "hush",
        }))
        .unwrap();
        assert!(!format!("{settings:?}").contains("hush"));
    }

    #[test]
    fn the_schema_describes_every_setting() {
        let schema = schemars::schema_for!(Settings).to_value();
        assert_eq!(schema["additionalProperties"], json!(false));
        let own = schema["properties"].as_object().unwrap().iter();
        let defs = schema["$defs"].as_object().unwrap().values();
        let inner = defs.filter_map(|def| def.get("properties")?.as_object()).flatten();
        for (name, property) in own.chain(inner) {
            assert!(property.get("description").is_some(), "{name} has no description");
        }
    }
}
