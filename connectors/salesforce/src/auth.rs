//! Tokens: OAuth 2.0 JWT bearer (sheet section 1). One token per org, kept until Salesforce refuses it, asked for by
//! one task at a time; a refused login is not hammered.

use crate::settings::{Invalid, Settings};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::Url;
use serde::{Deserialize, Serialize};
use std::sync::{Arc, PoisonError, RwLock};
use tieline_connector_api::client::{classify, read_body};
use tieline_connector_api::{Failure, Known, Outcome, Secret};
use tieline_model::{Clock, Millis, Timestamp};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;
use tokio::sync::Mutex;

/// How far ahead an assertion runs; Salesforce wants minutes.
const ASSERTION_SECS: i64 = 180;
/// A clock off by less than this is not the reason why an assertion counts as expired.
const SKEW_SECS_MIN: i64 = 30;
/// Largest answer of the token endpoint, in bytes.
const TOKEN_BYTES_MAX: usize = 64 << 10;

/// A login that Salesforce accepted.
pub(crate) struct Session {
    pub(crate) token: Secret,
    /// Where the org lives now; the only address for calls with this token.
    pub(crate) instance: Url,
}

/// Gets tokens and keeps the latest.
pub(crate) struct Auth {
    http: reqwest::Client,
    clock: Arc<dyn Clock>,
    key: EncodingKey,
    issuer: String,
    subject: String,
    login: Url,
    settings: Settings,
    state: Mutex<State>,
    /// The latest login, for readers who must not wait.
    latest: RwLock<Option<Arc<Session>>>,
}

struct State {
    session: Option<Arc<Session>>,
    audience: String,
    other_audience: Option<String>,
    skew_secs: i64,
    refused: Option<(Timestamp, Failure)>,
}

#[derive(Serialize)]
struct Assertion<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    exp: i64,
}

#[derive(Deserialize)]
struct Granted {
    access_token: Secret,
    instance_url: String,
}

#[derive(Deserialize)]
struct OauthError {
    error: String,
    #[serde(default)]
    error_description: String,
}

/// Why the token endpoint gave no token.
#[derive(Debug, PartialEq, Eq)]
enum Refused {
    /// Another audience may do.
    Audience(Failure),
    /// Our clock may be wrong.
    Expired(Failure),
    /// Nothing to be done here.
    Failed(Failure),
}

impl Auth {
    pub(crate) fn new(
        http: reqwest::Client,
        clock: Arc<dyn Clock>,
        settings: &Settings,
    ) -> Result<Self, Invalid> {
        let pem = settings.load_private_key()?;
        let key = EncodingKey::from_rsa_pem(pem.reveal().trim().as_bytes()).map_err(|_| {
            let name = if settings.private_key.is_some() { "private_key" } else { "private_key_file" };
            Invalid::new(name, "is not an RSA private key in PEM form")
        })?;
        let login = Url::parse(&settings.login_url).map_err(|e| Invalid::new("login_url", e.to_string()))?;
        let (audience, other) = settings.audiences();
        let state =
            State { session: None, audience, other_audience: Some(other), skew_secs: 0, refused: None };
        Ok(Self {
            http,
            clock,
            key,
            issuer: settings.consumer_key.clone(),
            subject: settings.username.clone(),
            login,
            settings: settings.clone(),
            state: Mutex::new(state),
            latest: RwLock::new(None),
        })
    }

    /// The session in use; logs in when there is none.
    pub(crate) async fn session(&self) -> Outcome<Arc<Session>> {
        let mut state = self.state.lock().await;
        match &state.session {
            Some(session) => Ok(session.clone()),
            None => self.login(&mut state).await,
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

    /// Where the org lives, if anybody has logged in yet.
    pub(crate) fn instance(&self) -> Option<Url> {
        let latest = self.latest.read().unwrap_or_else(PoisonError::into_inner);
        latest.as_ref().map(|session| session.instance.clone())
    }

    /// Scheme, host and port of the token endpoint, for messages.
    pub(crate) fn login_address(&self) -> String {
        self.login.origin().ascii_serialization()
    }

    async fn login(&self, state: &mut State) -> Outcome<Arc<Session>> {
        let now = self.clock.now();
        if let Some((until, failure)) = &state.refused
            && now < *until
        {
            return Err(failure.clone());
        }
        state.session = None;
        match self.login_with_care(state).await {
            Ok(session) => {
                let session = Arc::new(session);
                state.session = Some(session.clone());
                state.refused = None;
                *self.latest.write().unwrap_or_else(PoisonError::into_inner) = Some(session.clone());
                tracing::info!(host = session.instance.host_str(), "logged in to Salesforce");
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

    /// Logs in; where Salesforce blames the audience or the time, tries the other audience or its own time once.
    async fn login_with_care(&self, state: &mut State) -> Outcome<Session> {
        let (mut audience, mut skew) = (state.audience.clone(), state.skew_secs);
        let mut clock_tried = false;
        loop {
            let failure = match self.ask(&audience, skew).await {
                Ok(session) => {
                    // What worked is what is asked next time.
                    (state.audience, state.skew_secs) = (audience, skew);
                    state.other_audience = None;
                    return Ok(session);
                }
                Err((Refused::Audience(failure), _)) => match state.other_audience.take() {
                    Some(other) => {
                        audience = other;
                        continue;
                    }
                    None => failure,
                },
                Err((Refused::Expired(failure), Some(server))) if !clock_tried => {
                    clock_tried = true;
                    skew = server - self.now_secs();
                    if skew.abs() >= SKEW_SECS_MIN {
                        continue;
                    }
                    failure
                }
                Err((Refused::Expired(failure) | Refused::Failed(failure), _)) => failure,
            };
            let (first, other) = self.settings.audiences();
            (state.audience, state.other_audience) = (first, Some(other));
            return Err(failure);
        }
    }

    fn now_secs(&self) -> i64 {
        self.clock.now().0.div_euclid(1000)
    }

    /// One request for a token. An error comes with the server's own time, where it says it.
    async fn ask(&self, audience: &str, skew: i64) -> Result<Session, (Refused, Option<i64>)> {
        let failed = |failure| (Refused::Failed(failure), None);
        let exp = self.now_secs() + skew + ASSERTION_SECS;
        let claims = Assertion { iss: &self.issuer, sub: &self.subject, aud: audience, exp };
        let assertion =
            jsonwebtoken::encode(&Header::new(Algorithm::RS256), &claims, &self.key).map_err(|_| {
                failed(Failure::reject(None, "the assertion could not be signed with `private_key`"))
            })?;
        let url = self.login.join("/services/oauth2/token").expect("a fixed path joins any address");
        let form = [("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), ("assertion", &assertion)];
        let host = self.login.host_str().unwrap_or("Salesforce");
        let answer = self.http.post(url).form(&form).send().await;
        let answer = answer.map_err(|e| failed(nothing_written(classify(host, &e))))?;
        let status = answer.status().as_u16();
        let server = answer.headers().get("date").and_then(|d| d.to_str().ok()).and_then(parse_date);
        let retry_after = answer.headers().get("retry-after").and_then(|v| v.to_str().ok()?.parse().ok());
        let body = read_body(host, answer, TOKEN_BYTES_MAX).await.map_err(|e| failed(nothing_written(e)))?;
        if status == 200 {
            return granted(&body).map_err(failed);
        }
        Err((self.refusal(status, retry_after, &body), server))
    }

    /// The table of sheet 1.4.
    fn refusal(&self, status: u16, retry_after: Option<u64>, body: &[u8]) -> Refused {
        let wait = |secs: u64| Some(self.clock.now() + Millis::secs(retry_after.unwrap_or(secs)));
        let Ok(said) = serde_json::from_slice::<OauthError>(body) else {
            return Refused::Failed(match status {
                429 => Failure::Throttled {
                    until: wait(self.settings.limits.wait_login_secs),
                    reason: "Salesforce allows no more logins at the moment".into(),
                },
                300..=499 => Failure::Reauthorise {
                    reason: format!(
                        "the login was refused with HTTP {status} and no reason: check `login_url` ({})",
                        self.login_address()
                    ),
                },
                _ => Failure::retry(format!("the login server answered HTTP {status}")),
            });
        };
        // Codes and descriptions of OAuth errors are fixed texts without anybody's data.
        let what = if said.error_description.is_empty() { &said.error } else { &said.error_description };
        let refused = |way_out: &str| Failure::Reauthorise {
            reason: format!("Salesforce refused the login ({}: {what}): {way_out}", said.error),
        };
        let description = said.error_description.to_ascii_lowercase();
        match (said.error.as_str(), description.as_str()) {
            (_, d) if d.contains("rate") && d.contains("exceeded") => self.too_many_logins(wait),
            ("rate_limit_exceeded", _) => self.too_many_logins(wait),
            (_, d) if d.contains("audience") => Refused::Audience(refused(
                "set `audience` to what the org expects; both usual ones were tried",
            )),
            ("invalid_grant", d) if d.contains("expired") => {
                Refused::Expired(refused("the assertion counts as expired; check this machine's clock"))
            }
            (error, d) => Refused::Failed(refused(way_out(error, d))),
        }
    }

    fn too_many_logins(&self, wait: impl Fn(u64) -> Option<Timestamp>) -> Refused {
        Refused::Failed(Failure::Throttled {
            until: wait(self.settings.limits.wait_login_secs),
            reason: "Salesforce allows no more logins of this user at the moment (3,600 an hour)".into(),
        })
    }
}

/// What an administrator does about a refused login.
fn way_out(error: &str, description: &str) -> &'static str {
    match (error, description) {
        (_, d) if d.contains("hasn't approved") => {
            "set Permitted Users of the app to pre-authorised, give the integration user its permission set, and the scopes `api` and `refresh_token`"
        }
        (_, d) if d.contains("not admin approved") => {
            "assign the app to the integration user's permission set"
        }
        ("invalid_client_id", _) => {
            "check `consumer_key`; an app younger than ten minutes may not be known yet everywhere"
        }
        ("invalid_app_access" | "invalid_app_acess", _) => {
            "assign the app to the integration user's permission set"
        }
        ("unsupported_grant_type", _) => "enable the JWT bearer flow in the app's settings",
        (_, d) if d.contains("assertion") => {
            "the certificate uploaded to the app must belong to `private_key`"
        }
        (_, d) if d.contains("ip restricted") => {
            "allow this machine's address in the user's profile or the app"
        }
        (_, d) if d.contains("inactive") || d.contains("frozen") || d.contains("locked") => {
            "activate the integration user"
        }
        (_, d) if d.contains("not supported on this domain") => "set `login_url` to the org's My Domain",
        _ => "check `username` and the app's policies",
    }
}

fn granted(body: &[u8]) -> Outcome<Session> {
    let odd = || Failure::retry("the login server's answer could not be read");
    let granted: Granted = serde_json::from_slice(body).map_err(|_| odd())?;
    let instance = Url::parse(&granted.instance_url).map_err(|_| odd())?;
    if instance.host_str().is_none_or(|host| host.ends_with(".lightning.force.com")) {
        return Err(odd());
    }
    Ok(Session { token: granted.access_token, instance })
}

/// A login writes no record, so its lost answers are nothing to worry about.
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
