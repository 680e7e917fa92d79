//! Tokens (sheet section 1): OAuth client credentials, one token per account, renewed before it runs out, asked for
//! by one task at a time; a refused login is not hammered. A legacy API token is sent as it is.

use crate::said::Said;
use crate::settings::{Credentials, Invalid, Settings};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Url;
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;
use tieline_connector_api::client::{classify, read_body};
use tieline_connector_api::{Failure, Known, Outcome, Secret};
use tieline_model::{Clock, Millis, Timestamp};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;
use tokio::sync::Mutex;

/// A token is renewed this long before it ends, or after nine tenths of its life, whichever comes later.
const RENEW_BEFORE_SECS: u64 = 60;
/// Largest answer of the token endpoint, in bytes.
const TOKEN_BYTES_MAX: usize = 64 << 10;

/// A login that Zendesk accepted.
pub(crate) struct Session {
    /// Value of the header `Authorization`.
    pub(crate) header: Secret,
    /// Until then it is used; `None` for ever.
    good_until: Option<Timestamp>,
}

/// Gets tokens and keeps the latest.
pub(crate) struct Auth {
    http: reqwest::Client,
    clock: Arc<dyn Clock>,
    base: Url,
    credentials: Credentials,
    settings: Settings,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    session: Option<Arc<Session>>,
    refused: Option<(Timestamp, Failure)>,
}

#[derive(Deserialize)]
struct Granted {
    access_token: Secret,
    /// Old clients say null: the token never ends.
    #[serde(default)]
    expires_in: Option<u64>,
}

impl Auth {
    pub(crate) fn new(
        http: reqwest::Client,
        clock: Arc<dyn Clock>,
        settings: &Settings,
    ) -> Result<Self, Invalid> {
        let base = Url::parse(&settings.base_url).map_err(|e| Invalid::new("base_url", e.to_string()))?;
        let credentials = settings.credentials()?;
        Ok(Self { http, clock, base, credentials, settings: settings.clone(), state: Mutex::default() })
    }

    /// Whether a legacy API token is used.
    pub(crate) fn is_legacy(&self) -> bool {
        matches!(self.credentials, Credentials::ApiToken { .. })
    }

    /// The session in use; logs in when there is none, or it is about to end.
    pub(crate) async fn session(&self) -> Outcome<Arc<Session>> {
        let mut state = self.state.lock().await;
        let now = self.clock.now();
        match &state.session {
            Some(session) if session.good_until.is_none_or(|until| now < until) => Ok(session.clone()),
            Some(_) | None => self.login(&mut state).await,
        }
    }

    /// A session other than the one that was refused. Many tasks may ask; one of them logs in.
    pub(crate) async fn renew(&self, refused: &Arc<Session>) -> Outcome<Arc<Session>> {
        let mut state = self.state.lock().await;
        match &state.session {
            Some(session) if !Arc::ptr_eq(session, refused) => Ok(session.clone()),
            Some(_) | None => self.login(&mut state).await,
        }
    }

    async fn login(&self, state: &mut State) -> Outcome<Arc<Session>> {
        let (id, secret) = match &self.credentials {
            Credentials::Client { id, secret } => (id, secret),
            Credentials::ApiToken { email, token } => {
                if state.session.is_some() {
                    return Err(Failure::Reauthorise {
                        reason: "Zendesk refuses the API token: it may have been deactivated after 30 idle days, and no new one can be made; move to an OAuth client".into(),
                    });
                }
                let plain = format!("{email}/token:{}", token.reveal());
                let header = Secret::new(format!("Basic {}", STANDARD.encode(plain)));
                let session = Arc::new(Session { header, good_until: None });
                state.session = Some(session.clone());
                return Ok(session);
            }
        };
        let now = self.clock.now();
        if let Some((until, failure)) = &state.refused
            && now < *until
        {
            return Err(failure.clone());
        }
        state.session = None;
        match self.ask(id, secret, now).await {
            Ok(session) => {
                let session = Arc::new(session);
                state.session = Some(session.clone());
                state.refused = None;
                tracing::info!(host = self.base.host_str(), "logged in to Zendesk");
                Ok(session)
            }
            Err(failure) => {
                if matches!(failure, Failure::Reauthorise { .. }) {
                    let until = now + Millis::secs(self.settings.limits.wait_refused_secs);
                    state.refused = Some((until, failure.clone()));
                }
                Err(failure)
            }
        }
    }

    /// One request for a token; parameters go as JSON (sheet 1.2).
    async fn ask(&self, id: &str, secret: &Secret, now: Timestamp) -> Outcome<Session> {
        let mut body = json!({
            "grant_type": "client_credentials",
            "client_id": id,
            "client_secret": secret.reveal(),
            "scope": self.settings.scope,
        });
        if let Some(secs) = self.settings.token_secs {
            body["expires_in"] = secs.into();
        }
        let url = self.base.join("/oauth/tokens").expect("a fixed path joins any address");
        let host = self.base.host_str().unwrap_or("Zendesk");
        let answer = self.http.post(url).header("Accept", "application/json").json(&body).send().await;
        let answer = answer.map_err(|e| nothing_written(classify(host, &e)))?;
        let status = answer.status().as_u16();
        let retry_after = answer.headers().get("retry-after").and_then(|v| v.to_str().ok()?.parse().ok());
        let body = read_body(host, answer, TOKEN_BYTES_MAX).await.map_err(nothing_written)?;
        if !(200..300).contains(&status) {
            return Err(self.refusal(status, retry_after, &body));
        }
        let granted: Granted = serde_json::from_slice(&body)
            .map_err(|_| Failure::retry("the token endpoint's answer could not be read"))?;
        if granted.access_token.reveal().is_empty() {
            return Err(Failure::retry("the token endpoint answered without a token"));
        }
        let good_until = granted.expires_in.map(|secs| {
            let early = secs.saturating_sub(RENEW_BEFORE_SECS).max(secs / 10 * 9);
            now + Millis::secs(early)
        });
        let header = Secret::new(format!("Bearer {}", granted.access_token.reveal()));
        Ok(Session { header, good_until })
    }

    fn refusal(&self, status: u16, retry_after: Option<u64>, body: &[u8]) -> Failure {
        let said = Said::read(body);
        let refused = |way_out: &str| Failure::Reauthorise {
            reason: format!(
                "Zendesk refused the login (HTTP {status}, {}): {way_out}",
                crate::said::plain(&said.code)
            ),
        };
        match (status, said.code.as_str()) {
            (429, _) => Failure::Throttled {
                until: Some(
                    self.clock.now()
                        + Millis::secs(retry_after.unwrap_or(self.settings.limits.wait_limit_secs)),
                ),
                reason: "Zendesk allows no more logins at the moment".into(),
            },
            (408 | 409 | 500..=599, _) => Failure::Retry {
                after: retry_after.map(Millis::secs),
                known: Known::NotDone,
                reason: format!("the token endpoint answered HTTP {status}"),
            },
            _ if !said.json => Failure::Reauthorise {
                reason: format!(
                    "the login was refused with HTTP {status} and no reason: check `base_url` ({})",
                    self.base.origin().ascii_serialization()
                ),
            },
            (_, "invalid_client") => {
                refused("check `client_id` (the identifier, not the number) and `client_secret`")
            }
            (_, "unauthorized_client" | "unsupported_grant_type") => {
                refused("the OAuth client must be confidential, so that it may use client credentials")
            }
            (_, "invalid_scope") => refused("check `scope`"),
            (_, "invalid_grant") => refused("the user the client belongs to may be suspended or deleted"),
            (_, "invalid_request") => refused("check `token_secs` and `scope`"),
            (404, _) => refused("no account has this address; check `base_url`"),
            _ => refused("check the OAuth client in the Admin Center"),
        }
    }
}

/// What is only read, or logs in, writes no record: its lost answers are nothing to worry about.
pub(crate) fn nothing_written(failure: Failure) -> Failure {
    match failure {
        Failure::Retry { after, known: Known::Unknown | Known::NotDone, reason } => {
            Failure::Retry { after, known: Known::NotDone, reason }
        }
        other @ (Failure::Throttled { .. } | Failure::Reject { .. } | Failure::Reauthorise { .. }) => other,
    }
}

/// Seconds since the epoch of a `Date` header.
pub(crate) fn parse_date(text: &str) -> Option<i64> {
    OffsetDateTime::parse(text, &Rfc2822).ok().map(OffsetDateTime::unix_timestamp)
}
