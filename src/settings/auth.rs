//! Section `auth`.

use super::{Problems, Secret, Span, Tenant};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use tieline_model::TenantId;

/// Who may come in.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Auth {
    /// File with the key that signs tokens; made with mode 0600 at the first start. All daemons of one centre share
    /// it. Default `tieline-data/auth.key`.
    pub key_file: PathBuf,
    /// How long an agent's token lives. Default "12h".
    pub agent_token: Span,
    /// How long a customer's token lives; the widget's socket gets fresh ones. Default "15m".
    pub customer_token: Span,
    /// How far the clocks of a token's issuer and of this machine may be apart. Default "5s".
    pub leeway: Span,
    /// Failed sign-ins of one agent before the next must wait a minute. Default 5.
    pub failures_per_agent: u32,
    /// Sign-ins a minute from one address. Default 20.
    pub sign_ins_per_minute: u32,
    /// Passwords checked at once; each takes about 20 MiB and a processor core. Default 2.
    pub parallel_checks: u32,
    /// Who may write events over HTTP, by name; the name is the CloudEvents `source` that counts.
    pub producers: BTreeMap<String, Producer>,
    /// Whose signed tokens (JWT) sign an agent in, by name.
    pub issuers: BTreeMap<String, Issuer>,
}

/// One producer of events.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Producer {
    /// The one contact centre it writes for.
    pub tenant: TenantId,
    /// Its bearer token: at least 24 characters.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub token: Option<Secret>,
    /// File that holds the token, in its place.
    #[serde(default)]
    pub token_file: Option<PathBuf>,
}

/// How an issuer signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum Algorithm {
    /// HMAC with SHA-256 and a shared key.
    HS256,
    /// RSA (PKCS #1 v1.5) with SHA-256; the key is the public one.
    RS256,
}

/// One issuer of signed tokens. Its tokens must carry `iss`, `aud`, `sub`, `exp`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Issuer {
    /// The one contact centre whose agents it vouches for.
    pub tenant: TenantId,
    /// What `iss` must be.
    pub issuer: String,
    /// What `aud` must name.
    pub audience: String,
    /// The one algorithm taken from it.
    pub algorithm: Algorithm,
    /// HS256: the shared key, at least 32 characters. RS256: the public key in PEM.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub key: Option<Secret>,
    /// File that holds the key, in its place.
    #[serde(default)]
    pub key_file: Option<PathBuf>,
    /// The claim that names the agent. Default `sub`.
    #[serde(default = "sub")]
    pub agent_claim: String,
}

fn sub() -> String {
    "sub".to_owned()
}

impl Default for Auth {
    fn default() -> Self {
        Self {
            key_file: "tieline-data/auth.key".into(),
            agent_token: Span::hours(12),
            customer_token: Span::mins(15),
            leeway: Span::secs(5),
            failures_per_agent: 5,
            sign_ins_per_minute: 20,
            parallel_checks: 2,
            producers: BTreeMap::new(),
            issuers: BTreeMap::new(),
        }
    }
}

impl Auth {
    pub(super) fn validate(&self, tenants: &BTreeMap<TenantId, Tenant>, problems: &mut Problems) {
        if self.key_file.as_os_str().is_empty() {
            problems.add("auth.key_file", "is empty", "name a file");
        }
        problems.span("auth.agent_token", self.agent_token, Span::mins(1)..=Span::hours(24));
        problems.span("auth.customer_token", self.customer_token, Span::secs(10)..=Span::hours(1));
        problems.span("auth.leeway", self.leeway, Span::secs(0)..=Span::mins(1));
        problems.count("auth.failures_per_agent", self.failures_per_agent.into(), 1..=100);
        problems.count("auth.sign_ins_per_minute", self.sign_ins_per_minute.into(), 1..=100_000);
        problems.count("auth.parallel_checks", self.parallel_checks.into(), 1..=64);
        let known = |key: String, tenant: &TenantId, problems: &mut Problems| {
            if !tenants.contains_key(tenant) {
                problems.add(
                    key,
                    format!("is \"{tenant}\""),
                    format!("name a tenant of the section `tenants`{}", list(tenants.keys())),
                );
            }
        };
        let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
        for (name, producer) in &self.producers {
            known(format!("auth.producers.{name}.tenant"), &producer.tenant, problems);
            let token = producer.token.as_ref().map(Secret::reveal).unwrap_or_default();
            if token.len() < 24 || !token.bytes().all(|b| b.is_ascii_graphic()) {
                problems.add(
                    format!("auth.producers.{name}.token"),
                    format!("has {} characters", token.len()),
                    "set 24 or more printable ASCII characters here or in `token_file` (openssl rand -base64 32)",
                );
            } else if let Some(other) = seen.insert(token, name) {
                problems.add(
                    format!("auth.producers.{name}.token"),
                    format!("is the token of `{other}` too"),
                    "give each producer its own",
                );
            }
        }
        for (name, issuer) in &self.issuers {
            known(format!("auth.issuers.{name}.tenant"), &issuer.tenant, problems);
            issuer.validate(name, problems);
        }
    }
}

impl Issuer {
    fn validate(&self, name: &str, problems: &mut Problems) {
        let key = self.key.as_ref().map(Secret::reveal).unwrap_or_default();
        match self.algorithm {
            Algorithm::HS256 if key.len() < 32 => problems.add(
                format!("auth.issuers.{name}.key"),
                format!("has {} characters", key.len()),
                "HS256 needs a shared key of 32 or more, here or in `key_file`",
            ),
            Algorithm::RS256
                if !key.contains("-----BEGIN PUBLIC KEY-----")
                    && !key.contains("-----BEGIN RSA PUBLIC KEY-----") =>
            {
                problems.add(
                    format!("auth.issuers.{name}.key"),
                    "is not a public key in PEM",
                    "RS256 needs the text from -----BEGIN PUBLIC KEY----- on, here or in `key_file`",
                )
            }
            Algorithm::HS256 | Algorithm::RS256 => {}
        }
        for (field, text) in
            [("issuer", &self.issuer), ("audience", &self.audience), ("agent_claim", &self.agent_claim)]
        {
            problems.text(format!("auth.issuers.{name}.{field}"), text, 200);
        }
    }
}

/// ` (a, b, c)`, for the end of a sentence that asks for one of them.
pub(super) fn list<T: std::fmt::Display>(of: impl Iterator<Item = T>) -> String {
    let mut names: Vec<String> = of.take(21).map(|n| n.to_string()).collect();
    if names.len() > 20 {
        names.truncate(20);
        names.push("…".to_owned());
    }
    if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) }
}
