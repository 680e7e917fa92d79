//! The token endpoint: JWT bearer, client credentials, revoke, introspect (sheet section 1). Assertions are verified
//! with `jwt-compact`, which shares no code with the library the connector signs with.

use super::org::now;
use super::switches::Switches;
use crate::keys;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_compact::alg::{Rsa, RsaPublicKey};
use jwt_compact::{Algorithm as _, AlgorithmSignature as _};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use time::OffsetDateTime;

/// An external client app (or connected app) as an administrator set it up.
#[derive(Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct App {
    /// The consumer key, `iss` of assertions and `client_id`.
    pub consumer_key: String,
    /// The consumer secret, for client credentials.
    #[serde(default)]
    pub consumer_secret: Option<String>,
    /// The X.509 certificate uploaded to the app, or a bare public key; PEM.
    #[serde(default)]
    pub certificate_pem: Option<String>,
    /// Users an administrator approved.
    #[serde(default)]
    pub approved_users: Vec<String>,
    /// The user that client credentials run as.
    #[serde(default)]
    pub run_as: Option<String>,
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App")
            .field("consumer_key", &self.consumer_key)
            .field("consumer_secret", &"***")
            .field("approved_users", &self.approved_users)
            .field("run_as", &self.run_as)
            .finish_non_exhaustive()
    }
}

/// A user as the token endpoint knows one.
#[derive(Debug, Clone)]
pub(crate) struct Login {
    /// Record id.
    pub(crate) id: String,
    /// May log in.
    pub(crate) active: bool,
}

/// One living token.
#[derive(Debug, Clone)]
struct Session {
    user: String,
    until: OffsetDateTime,
}

/// An OAuth error: an object, unlike those of REST.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OAuthError {
    /// HTTP status.
    pub(crate) status: u16,
    /// `error`.
    pub(crate) error: String,
    /// `error_description`.
    pub(crate) description: String,
}

/// Which of the two hosts was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Host {
    /// login.salesforce.com and its like.
    Login,
    /// The org's own domain.
    Instance,
}

/// Apps, users and tokens of an org.
pub(crate) struct Desk {
    /// Registered apps.
    pub(crate) apps: Vec<App>,
    /// Users by username, in lower case.
    pub(crate) users: BTreeMap<String, Login>,
    /// Audiences an assertion may name.
    pub(crate) audiences: Vec<String>,
    /// Where the API is.
    pub(crate) instance_url: String,
    /// Where tokens are.
    pub(crate) login_url: String,
    /// The org.
    pub(crate) org_id: String,
    sessions: HashMap<String, Session>,
    logins: HashMap<String, Vec<OffsetDateTime>>,
}

type Result<T> = std::result::Result<T, OAuthError>;

fn refuse<T>(error: &str, description: &str) -> Result<T> {
    Err(OAuthError { status: 400, error: error.to_owned(), description: description.to_owned() })
}

fn grant<T>(description: &str) -> Result<T> {
    refuse("invalid_grant", description)
}

impl OAuthError {
    /// The body of the answer.
    #[must_use]
    pub(crate) fn body(&self, switches: &Switches) -> Value {
        if switches.oauth_no_description {
            json!({"error": self.error})
        } else {
            json!({"error": self.error, "error_description": self.description})
        }
    }
}

impl Desk {
    /// A desk without sessions.
    #[must_use]
    pub(crate) fn new(apps: Vec<App>, org_id: String) -> Self {
        Self {
            apps,
            users: BTreeMap::new(),
            audiences: Vec::new(),
            instance_url: String::new(),
            login_url: String::new(),
            org_id,
            sessions: HashMap::new(),
            logins: HashMap::new(),
        }
    }

    /// Answers a token request. `basic` is what the Authorization header gave.
    ///
    /// # Errors
    /// As sheet 1.4 lists them.
    pub(crate) fn token(
        &mut self,
        form: &HashMap<String, String>,
        basic: Option<(String, String)>,
        host: Host,
        switches: &Switches,
    ) -> Result<Value> {
        let of = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
        match of("grant_type") {
            "urn:ietf:params:oauth:grant-type:jwt-bearer" => self.bearer(of("assertion"), switches),
            "client_credentials" => {
                let given =
                    basic.unwrap_or_else(|| (of("client_id").to_owned(), of("client_secret").to_owned()));
                self.credentials(&given.0, &given.1, host, switches)
            }
            "" => refuse("invalid_request", "must supply grant_type"),
            "password" => grant("authentication failure"),
            _ => refuse("unsupported_grant_type", "grant type not supported"),
        }
    }

    fn bearer(&mut self, assertion: &str, switches: &Switches) -> Result<Value> {
        let Some(Parts { header, claims, message, signature }) = Parts::read(assertion) else {
            return grant("invalid assertion");
        };
        let text = |name: &str| claims[name].as_str().unwrap_or_default();
        let Some(app) = self.apps.iter().find(|a| a.consumer_key == text("iss")) else {
            return refuse("invalid_client_id", "client identifier invalid");
        };
        if header["alg"] != "RS256" {
            return grant("invalid assertion");
        }
        let key = app.certificate_pem.as_deref().and_then(|pem| keys::rsa_public(pem).ok());
        if !key.is_some_and(|key| verified(&key, &message, &signature)) {
            return grant("invalid assertion");
        }
        expiry(&claims["exp"], switches)?;
        let audiences = match &claims["aud"] {
            Value::Array(all) => all.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            Value::String(one) => vec![one.clone()],
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => Vec::new(),
        };
        let known = |aud: &String| {
            self.audiences.iter().any(|a| a.trim_end_matches('/') == aud.trim_end_matches('/'))
        };
        if !audiences.iter().any(known) {
            return grant("audience is invalid");
        }
        let username = text("sub").to_lowercase();
        let approved = app.approved_users.iter().any(|u| u.eq_ignore_ascii_case(&username));
        let Some(user) = self.users.get(&username).cloned() else {
            return grant("user hasn't approved this consumer");
        };
        if !approved {
            return grant("user hasn't approved this consumer");
        }
        if !user.active {
            return grant("inactive user");
        }
        let token = self.open(&user.id, switches)?;
        let mut answer = json!({
            "access_token": token, "scope": "api refresh_token offline_access", "instance_url": self.instance_url,
            "id": self.identity(&user.id), "token_type": "Bearer",
        });
        if switches.jwt_issued_at {
            answer["issued_at"] = json!(millis().to_string());
            answer["signature"] = json!(random(32));
        }
        Ok(answer)
    }

    fn credentials(&mut self, id: &str, secret: &str, host: Host, switches: &Switches) -> Result<Value> {
        if host == Host::Login {
            return grant("request not supported on this domain");
        }
        let Some(app) = self.apps.iter().find(|a| a.consumer_key == id) else {
            return refuse("invalid_client_id", "client identifier invalid");
        };
        if app.consumer_secret.as_deref() != Some(secret) {
            return refuse("invalid_client", "invalid client credentials");
        }
        let user = app.run_as.as_ref().and_then(|u| self.users.get(&u.to_lowercase())).cloned();
        let Some(user) = user else { return grant("no client credentials user enabled") };
        let token = self.open(&user.id, switches)?;
        Ok(json!({
            "access_token": token, "signature": random(32), "token_format": "opaque", "scope": "api",
            "instance_url": self.instance_url, "id": self.identity(&user.id), "token_type": "Bearer",
            "issued_at": millis().to_string(),
        }))
    }

    fn identity(&self, user: &str) -> String {
        format!("{}/id/{}/{user}", self.login_url, self.org_id)
    }

    fn open(&mut self, user: &str, switches: &Switches) -> Result<String> {
        let at = now();
        let logins = self.logins.entry(user.to_owned()).or_default();
        logins.retain(|t| at - *t < time::Duration::HOUR);
        if logins.len() >= usize::try_from(switches.logins_per_hour).unwrap_or(usize::MAX) {
            return refuse("rate_limit_exceeded", "login rate exceeded");
        }
        logins.push(at);
        if switches.jwt_same_token {
            let living = self.sessions.iter().find(|(_, s)| s.user == user && s.until > at);
            if let Some((token, _)) = living {
                return Ok(token.clone());
            }
        }
        let token = format!("{}!AQ{}", &self.org_id[..15], random(72));
        let until = at + time::Duration::seconds(i64::try_from(switches.session_s).unwrap_or(i64::MAX / 2));
        self.sessions.insert(token.clone(), Session { user: user.to_owned(), until });
        Ok(token)
    }

    /// The user of a token; using it renews it.
    pub(crate) fn user_of(&mut self, token: &str, switches: &Switches) -> Option<String> {
        let at = now();
        let session = self.sessions.get_mut(token)?;
        if session.until <= at {
            self.sessions.remove(token);
            return None;
        }
        session.until =
            at + time::Duration::seconds(i64::try_from(switches.session_s).unwrap_or(i64::MAX / 2));
        Some(session.user.clone())
    }

    /// Ends a token; whether it lived.
    pub(crate) fn revoke(&mut self, token: &str) -> bool {
        self.sessions.remove(token).is_some()
    }

    /// Ends all tokens and says how many there were.
    pub(crate) fn revoke_all(&mut self) -> usize {
        let n = self.sessions.len();
        self.sessions.clear();
        n
    }

    /// What introspection says of a token.
    #[must_use]
    pub(crate) fn introspect(&self, token: &str) -> Value {
        match self.sessions.get(token).filter(|s| s.until > now()) {
            Some(session) => json!({
                "active": true, "scope": "api", "token_type": "access_token", "sub": self.identity(&session.user),
                "exp": session.until.unix_timestamp(),
            }),
            None => json!({"active": false}),
        }
    }
}

/// The three parts of a compact JWT.
struct Parts {
    header: Value,
    claims: Value,
    message: Vec<u8>,
    signature: Vec<u8>,
}

impl Parts {
    fn read(assertion: &str) -> Option<Self> {
        let (message, signature) = assertion.rsplit_once('.')?;
        let (header, claims) = message.split_once('.')?;
        let json = |part: &str| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok();
        Some(Self {
            header: json(header)?,
            claims: json(claims)?,
            message: message.as_bytes().to_vec(),
            signature: URL_SAFE_NO_PAD.decode(signature).ok()?,
        })
    }
}

fn verified(key: &RsaPublicKey, message: &[u8], signature: &[u8]) -> bool {
    type Signature = <Rsa as jwt_compact::Algorithm>::Signature;
    Signature::try_from_slice(signature).is_ok_and(|s| Rsa::rs256().verify_signature(&s, key, message))
}

/// `exp` is a number or a numeric string; the official CLI sends milliseconds, so no upper bound is kept unless a
/// switch asks for one (sheet 1.2).
fn expiry(exp: &Value, switches: &Switches) -> Result<()> {
    let seconds =
        exp.as_i64().or_else(|| exp.as_f64().map(|f| f as i64)).or_else(|| exp.as_str()?.trim().parse().ok());
    let Some(seconds) = seconds else { return grant("invalid assertion") };
    let at = now().unix_timestamp();
    if seconds.saturating_add(switches.jwt_skew_s) < at {
        return grant("expired authorization code");
    }
    if switches.jwt_exp_ceiling_s.is_some_and(|ceiling| seconds > at + ceiling + switches.jwt_skew_s) {
        return grant("invalid assertion");
    }
    Ok(())
}

fn millis() -> i128 {
    now().unix_timestamp_nanos() / 1_000_000
}

/// A text that cannot be guessed.
fn random(len: usize) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._";
    let bytes: Vec<u8> = (0..len).map(|_| rand::random::<u8>()).collect();
    bytes.iter().map(|b| char::from(LETTERS[usize::from(*b) % LETTERS.len()])).collect()
}
