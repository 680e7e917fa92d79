//! Logins: OAuth with all its grants, and API tokens by Basic (sheet section 1).

use super::account::now;
use super::switches::Switches;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use std::collections::HashMap;
use time::{Duration, OffsetDateTime};

/// An OAuth client as an administrator made it.
#[derive(Clone)]
pub struct Client {
    /// Its identifier, `client_id` of requests.
    pub identifier: String,
    /// Its secret; a public client has none and must use PKCE.
    pub secret: Option<String>,
    /// Where codes may be sent, compared letter by letter.
    pub redirect_uris: Vec<String>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("identifier", &self.identifier)
            .field("secret", &"***")
            .finish_non_exhaustive()
    }
}

/// What a token may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scopes(Vec<String>);

impl Scopes {
    /// The first scope that is missing for a request, or nothing.
    pub(crate) fn missing(&self, resource: &str, writes: bool) -> Option<String> {
        let kind = if writes { "write" } else { "read" };
        let own = format!("{resource}:{kind}");
        let has = self.0.iter().any(|s| s == kind || *s == own);
        (!has).then(|| kind.to_owned())
    }
    fn words(&self) -> String {
        self.0.join(" ")
    }
}

/// A living token.
#[derive(Debug, Clone)]
struct Token {
    id: u64,
    access: String,
    refresh: Option<String>,
    client: String,
    user: u64,
    scopes: Scopes,
    until: Option<OffsetDateTime>,
    refresh_until: OffsetDateTime,
    begun: OffsetDateTime,
}

#[derive(Debug, Clone)]
struct Code {
    code: String,
    client: String,
    redirect_uri: String,
    scopes: Scopes,
    challenge: Option<String>,
    until: OffsetDateTime,
}

/// An OAuth error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OAuthError {
    pub(crate) status: u16,
    pub(crate) error: String,
    pub(crate) description: String,
}

/// Who asks.
#[derive(Debug, Clone)]
pub(crate) struct Who {
    pub(crate) user: u64,
    pub(crate) scopes: Option<Scopes>,
    /// What `oauth/tokens/current` says.
    pub(crate) token: Option<Value>,
}

/// Clients, codes and tokens of an account.
#[derive(Debug)]
pub(crate) struct Desk {
    clients: Vec<Client>,
    /// The user that clients and API tokens belong to.
    owner: u64,
    api_token: String,
    codes: Vec<Code>,
    tokens: Vec<Token>,
    next: u64,
}

type Result<T> = std::result::Result<T, OAuthError>;

fn refuse<T>(status: u16, error: &str, description: &str) -> Result<T> {
    Err(OAuthError { status, error: error.to_owned(), description: description.to_owned() })
}

fn bad_grant<T>() -> Result<T> {
    let says = "The provided access grant is invalid, expired, or revoked (e.g. invalid assertion, expired authorization token, bad end-user password credentials, or mismatching authorization code and redirection URI).";
    refuse(400, "invalid_grant", says)
}

fn bad_client<T>() -> Result<T> {
    refuse(
        401,
        "invalid_client",
        "Client authentication failed due to unknown client, no client authentication, or unsupported authentication method.",
    )
}

/// Shortest and longest life that may be asked for, in seconds (sheet 1.2).
const ACCESS: (u64, u64) = (300, 172_800);
const REFRESH: (u64, u64) = (604_800, 7_776_000);

impl Desk {
    /// A desk without tokens.
    pub(crate) fn new(clients: Vec<Client>, owner: u64, api_token: &str) -> Self {
        Self {
            clients,
            owner,
            api_token: api_token.to_owned(),
            codes: Vec::new(),
            tokens: Vec::new(),
            next: 0,
        }
    }

    /// Answers `POST /oauth/tokens`.
    pub(crate) fn grant(&mut self, body: &Value, s: &Switches) -> Result<Value> {
        let of = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        let grant = of("grant_type");
        if grant.is_empty() {
            return refuse(
                400,
                "invalid_request",
                "The request is missing a required parameter, includes an unsupported parameter or parameter value, or is otherwise malformed.",
            );
        }
        let client = self.clients.iter().find(|c| c.identifier == of("client_id")).cloned();
        let Some(client) = client else { return bad_client() };
        let right = match (&client.secret, body.get("client_secret")) {
            (Some(secret), Some(given)) => given.as_str() == Some(secret),
            (None, _) => true,
            // A confidential client proves itself at every grant.
            (Some(_), None) => false,
        };
        if !right {
            return bad_client();
        }
        let lives = Lives::read(body, s)?;
        match grant.as_str() {
            "client_credentials" => {
                if client.secret.is_none() {
                    return refuse(
                        400,
                        "unauthorized_client",
                        "Only confidential clients may use this grant.",
                    );
                }
                let scopes = scopes_of(&body["scope"])?;
                self.open(&client.identifier, scopes, &lives, false)
            }
            "authorization_code" => self.exchange(&client, body, &lives),
            "refresh_token" => self.refresh(&client, &of("refresh_token"), &lives),
            _ => refuse(
                400,
                "unsupported_grant_type",
                "The authorization grant type is not supported by the authorization server.",
            ),
        }
    }

    fn exchange(&mut self, client: &Client, body: &Value, lives: &Lives) -> Result<Value> {
        let of = |name: &str| body[name].as_str().unwrap_or_default();
        let Some(at) = self.codes.iter().position(|c| c.code == of("code")) else { return bad_grant() };
        // One use, whatever comes of it.
        let code = self.codes.remove(at);
        let fits =
            code.client == client.identifier && code.redirect_uri == of("redirect_uri") && code.until > now();
        let proven = match &code.challenge {
            None => true,
            Some(challenge) => {
                *challenge == URL_SAFE_NO_PAD.encode(digest(&SHA256, of("code_verifier").as_bytes()))
            }
        };
        if !fits || !proven {
            return bad_grant();
        }
        self.open(&client.identifier, code.scopes, lives, true)
    }

    /// The pair before is dead at once (sheet 1.2): who loses the answer must authorise anew.
    fn refresh(&mut self, client: &Client, refresh: &str, lives: &Lives) -> Result<Value> {
        let mine = |t: &Token| t.refresh.as_deref() == Some(refresh) && t.client == client.identifier;
        let Some(at) = self.tokens.iter().position(|t| !refresh.is_empty() && mine(t)) else {
            return bad_grant();
        };
        let old = self.tokens.remove(at);
        if old.refresh_until <= now() {
            return bad_grant();
        }
        self.open(&client.identifier, old.scopes, lives, true)
    }

    fn open(&mut self, client: &str, scopes: Scopes, lives: &Lives, refreshable: bool) -> Result<Value> {
        let at = now();
        self.next += 1;
        let later = |s: u64| at + Duration::seconds(i64::try_from(s).unwrap_or(i64::MAX / 4));
        let token = Token {
            id: 33_144_692_130_000 + self.next,
            access: random(),
            refresh: refreshable.then(random),
            client: client.to_owned(),
            user: self.owner,
            scopes,
            until: lives.access.map(later),
            refresh_until: later(lives.refresh),
            begun: at,
        };
        let mut answer = json!({"access_token": token.access, "token_type": "bearer", "scope": token.scopes.words(),
            "expires_in": lives.access});
        if let Some(refresh) = &token.refresh {
            answer["refresh_token"] = json!(refresh);
            answer["refresh_token_expires_in"] = json!(lives.refresh);
        }
        self.tokens.push(token);
        Ok(answer)
    }

    /// `GET /oauth/authorizations/new`, answered by a person who agrees (or, by a switch, denies): where the browser
    /// goes next, or what the page says.
    pub(crate) fn authorize(
        &mut self,
        query: &HashMap<String, String>,
        s: &Switches,
    ) -> std::result::Result<String, String> {
        let of = |name: &str| query.get(name).map(String::as_str).unwrap_or_default();
        let client = self.clients.iter().find(|c| c.identifier == of("client_id"));
        let Some(client) = client else { return Err("Invalid client: no such client".into()) };
        let redirect = of("redirect_uri");
        if !client.redirect_uris.iter().any(|u| u == redirect) {
            return Err("Invalid redirect_uri: it must be one that is registered, letter by letter".into());
        }
        let back = |pairs: &[(&str, &str)]| {
            let all: Vec<String> = pairs
                .iter()
                .chain(query.get("state").map(|s| ("state", s.as_str())).iter())
                .map(|(n, v)| format!("{n}={}", super::http::encode(v)))
                .collect();
            let sign = if redirect.contains('?') { '&' } else { '?' };
            format!("{redirect}{sign}{}", all.join("&"))
        };
        if of("response_type") != "code" {
            return Ok(back(&[
                ("error", "unsupported_response_type"),
                ("error_description", "response_type must be code"),
            ]));
        }
        let challenge = query.get("code_challenge").cloned();
        if challenge.is_some() != query.contains_key("code_challenge_method")
            || challenge.is_some() && of("code_challenge_method") != "S256"
            || challenge.is_none() && client.secret.is_none()
        {
            return Ok(back(&[
                ("error", "invalid_request"),
                ("error_description", "PKCE with S256 is required"),
            ]));
        }
        let Ok(scopes) = scopes_of(&json!(of("scope"))) else {
            return Ok(back(&[
                ("error", "invalid_scope"),
                ("error_description", "The requested scope is invalid, unknown, or malformed."),
            ]));
        };
        if s.oauth_denied {
            return Ok(back(&[
                ("error", "access_denied"),
                ("error_description", "The end-user or authorization server denied the request."),
            ]));
        }
        let code = random();
        let until = now() + Duration::seconds(i64::try_from(s.code_s).unwrap_or(i64::MAX / 4));
        let (client, redirect_uri) = (client.identifier.clone(), redirect.to_owned());
        self.codes.push(Code { code: code.clone(), client, redirect_uri, scopes, challenge, until });
        Ok(back(&[("code", &code)]))
    }

    /// Who a bearer is.
    pub(crate) fn bearer(&mut self, access: &str) -> Option<Who> {
        let at = now();
        self.tokens.retain(|t| t.until.is_none_or(|u| u > at) || t.refresh.is_some() && t.refresh_until > at);
        let token = self.tokens.iter().find(|t| t.access == access && t.until.is_none_or(|u| u > at))?;
        let stamp = super::account::stamp;
        let told = json!({"id": token.id, "client_id": 33_144_692_140_001_u64, "user_id": token.user,
            "scopes": token.scopes.0, "created_at": stamp(token.begun), "expires_at": token.until.map(stamp),
            "token": &token.access[..10], "used_at": stamp(at)});
        Some(Who { user: token.user, scopes: Some(token.scopes.clone()), token: Some(told) })
    }

    /// The user of `email/token:secret`; the secret is the account's, whoever's the address is.
    pub(crate) fn basic_is_right(&self, secret: &str, s: &Switches) -> bool {
        s.api_tokens && secret == self.api_token
    }

    /// Ends a token, as a fault; its refresh token lives on.
    pub(crate) fn expire(&mut self, access: &str) {
        for token in self.tokens.iter_mut().filter(|t| t.access == access) {
            token.until = Some(OffsetDateTime::UNIX_EPOCH);
        }
    }

    /// Ends a token by its number, with its refresh token.
    pub(crate) fn revoke(&mut self, id: u64) -> bool {
        let before = self.tokens.len();
        self.tokens.retain(|t| t.id != id);
        self.tokens.len() < before
    }

    /// Ends all access tokens and says how many there were; refresh tokens live on.
    pub(crate) fn expire_all(&mut self) -> usize {
        let at = now();
        let living = self.tokens.iter_mut().filter(|t| t.until.is_none_or(|u| u > at));
        living.map(|t| t.until = Some(OffsetDateTime::UNIX_EPOCH)).count()
    }
}

/// How long a pair lives.
struct Lives {
    access: Option<u64>,
    refresh: u64,
}

impl Lives {
    fn read(body: &Value, s: &Switches) -> Result<Self> {
        let asked = |name: &str, (low, high): (u64, u64)| match body.get(name).filter(|v| !v.is_null()) {
            None => Ok(None),
            Some(given) => match super::world::number(given).filter(|n| *n > low && *n < high) {
                Some(n) => Ok(Some(n)),
                None => refuse(
                    400,
                    "invalid_request",
                    &format!("{name} must be more than {low} and less than {high}"),
                ),
            },
        };
        let access = asked("expires_in", ACCESS)?;
        let refresh = asked("refresh_token_expires_in", REFRESH)?;
        Ok(Self { access: access.or(s.access_token_s), refresh: refresh.unwrap_or(s.refresh_token_s) })
    }
}

const RESOURCES: [&str; 12] = [
    "tickets",
    "users",
    "auditlogs",
    "organizations",
    "hc",
    "apps",
    "triggers",
    "automations",
    "targets",
    "webhooks",
    "any_channel",
    "web_widget",
];

/// Scopes of a text. A JSON list is taken and gives a token that may do nothing (the trap of sheet 1.2).
fn scopes_of(given: &Value) -> Result<Scopes> {
    if given.is_array() {
        return Ok(Scopes(vec![given.to_string()]));
    }
    let words: Vec<String> =
        given.as_str().unwrap_or_default().split_whitespace().map(str::to_owned).collect();
    let known = |w: &String| match w.split_once(':') {
        Some((resource, kind)) => RESOURCES.contains(&resource) && ["read", "write"].contains(&kind),
        None => ["read", "write", "impersonate"].contains(&w.as_str()),
    };
    if words.is_empty() || !words.iter().all(known) {
        return refuse(400, "invalid_scope", "The requested scope is invalid, unknown, or malformed.");
    }
    Ok(Scopes(words))
}

/// A text that cannot be guessed.
fn random() -> String {
    format!("{:032x}{:032x}", rand::random::<u128>(), rand::random::<u128>())
}
