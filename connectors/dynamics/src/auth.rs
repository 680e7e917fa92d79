//! Tokens: OAuth 2.0 client credentials with a secret or with a signed assertion (sheet section 1). One token per
//! environment, renewed before it ends and asked for by one task at a time; a refused login is not hammered.

use crate::settings::{Invalid, Proof, Settings};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::Url;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tieline_connector_api::client::{classify, read_body};
use tieline_connector_api::{Failure, Known, Outcome, Secret};
use tieline_model::{Clock, Millis, Timestamp};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;
use tokio::sync::Mutex;
use uuid::Uuid;

/// How long an assertion is good for; five to ten minutes are recommended.
const ASSERTION_SECS: i64 = 480;
/// An assertion begins this much earlier, for clocks that differ a little.
const ASSERTION_EARLY_SECS: i64 = 30;
/// A clock off by less than this is not the reason why an assertion is outside its time.
const SKEW_SECS_MIN: i64 = 60;
/// A token is renewed this long before it ends, or at half of its life if that is shorter.
const RENEW_EARLY_SECS: u64 = 300;
/// Longest life of a token that is believed, in seconds.
const LIFE_SECS_MAX: u64 = 86_400;
/// Largest answer of the token endpoint, in bytes.
const TOKEN_BYTES_MAX: usize = 64 << 10;
/// The kind of assertion, by its registered name.
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A token that the login service gave.
pub(crate) struct Session {
    pub(crate) token: Secret,
    /// From then on it is renewed.
    renew_at: Timestamp,
    /// From then on it is worth nothing.
    ends_at: Timestamp,
}

/// Gets tokens and keeps the latest.
pub(crate) struct Auth {
    http: reqwest::Client,
    clock: Arc<dyn Clock>,
    signer: Signer,
    endpoint: Url,
    client_id: String,
    scope: String,
    wait_refused: Millis,
    wait_limited_secs: u64,
    state: Mutex<State>,
}

/// What proves that we are the app.
enum Signer {
    Secret(Secret),
    Key { key: EncodingKey, thumbprint: String },
}

#[derive(Default)]
struct State {
    session: Option<Arc<Session>>,
    skew_secs: i64,
    refused: Option<(Timestamp, Failure)>,
}

#[derive(Serialize)]
struct Assertion<'a> {
    aud: &'a str,
    iss: &'a str,
    sub: &'a str,
    jti: String,
    nbf: i64,
    iat: i64,
    exp: i64,
}

#[derive(Deserialize)]
struct Granted {
    access_token: Secret,
    #[serde(default)]
    expires_in: Option<u64>,
}

#[derive(Deserialize)]
struct OauthError {
    error: String,
    #[serde(default)]
    error_codes: Vec<i64>,
}

/// Why the token endpoint gave no token.
struct Refused {
    failure: Failure,
    /// The assertion was outside its time, and the endpoint said its own.
    server: Option<i64>,
}

impl Auth {
    pub(crate) fn new(
        http: reqwest::Client,
        clock: Arc<dyn Clock>,
        settings: &Settings,
    ) -> Result<Self, Invalid> {
        let signer = match settings.proof()? {
            Proof::Secret(secret) => Signer::Secret(secret),
            Proof::Certificate { certificate, private_key } => signer(&certificate, &private_key)?,
        };
        let base = settings.authority_url.trim_end_matches('/');
        let endpoint = Url::parse(&format!("{base}/{}/oauth2/v2.0/token", settings.tenant))
            .map_err(|e| Invalid::new("authority_url", e.to_string()))?;
        Ok(Self {
            http,
            clock,
            signer,
            endpoint,
            client_id: settings.client_id.clone(),
            scope: settings.scope(),
            wait_refused: Millis::secs(settings.limits.wait_refused_secs),
            wait_limited_secs: settings.limits.wait_limited_secs,
            state: Mutex::new(State::default()),
        })
    }

    /// The token in use. Asks for one when there is none, and for the next one shortly before it ends; if that fails
    /// in passing, the old one serves as long as it may.
    pub(crate) async fn session(&self) -> Outcome<Arc<Session>> {
        let mut state = self.state.lock().await;
        let now = self.clock.now();
        let Some(session) = state.session.clone().filter(|session| now < session.ends_at) else {
            return self.login(&mut state).await;
        };
        if now < session.renew_at {
            return Ok(session);
        }
        match self.login(&mut state).await {
            Err(Failure::Retry { .. } | Failure::Throttled { .. }) => {
                state.session = Some(session.clone());
                Ok(session)
            }
            other => other,
        }
    }

    /// A token other than the one that was refused. Many tasks may ask; one of them logs in.
    pub(crate) async fn renew(&self, refused: &Arc<Session>) -> Outcome<Arc<Session>> {
        let mut state = self.state.lock().await;
        match &state.session {
            Some(session) if !Arc::ptr_eq(session, refused) => Ok(session.clone()),
            Some(_) | None => self.login(&mut state).await,
        }
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
                tracing::info!(host = self.host(), "logged in to Dynamics 365");
                Ok(session)
            }
            Err(failure) => {
                if matches!(failure, Failure::Reauthorise { .. }) {
                    state.refused = Some((now + self.wait_refused, failure.clone()));
                }
                Err(failure)
            }
        }
    }

    /// Asks for a token; where the endpoint says that the assertion is outside its time, once more by its own clock.
    async fn login_with_care(&self, state: &mut State) -> Outcome<Session> {
        let first = match self.ask(state.skew_secs).await {
            Ok(session) => return Ok(session),
            Err(refused) => refused,
        };
        let skew = first.server.map_or(0, |server| server - self.now_secs());
        if skew.abs() < SKEW_SECS_MIN || skew == state.skew_secs {
            return Err(first.failure);
        }
        let session = self.ask(skew).await.map_err(|again| again.failure)?;
        state.skew_secs = skew;
        Ok(session)
    }

    fn host(&self) -> &str {
        self.endpoint.host_str().unwrap_or("the login service")
    }

    fn now_secs(&self) -> i64 {
        self.clock.now().0.div_euclid(1000)
    }

    async fn ask(&self, skew: i64) -> Result<Session, Refused> {
        let failed = |failure| Refused { failure, server: None };
        let mut form = vec![
            ("grant_type", "client_credentials".to_owned()),
            ("client_id", self.client_id.clone()),
            ("scope", self.scope.clone()),
        ];
        match &self.signer {
            Signer::Secret(secret) => form.push(("client_secret", secret.reveal().to_owned())),
            Signer::Key { key, thumbprint } => {
                let assertion = self.assertion(key, thumbprint, skew).map_err(failed)?;
                form.push(("client_assertion_type", ASSERTION_TYPE.to_owned()));
                form.push(("client_assertion", assertion));
            }
        }
        let asked_at = self.clock.now();
        let answer = self.http.post(self.endpoint.clone()).form(&form).send().await;
        let answer = answer.map_err(|e| failed(nothing_written(classify(self.host(), &e))))?;
        let status = answer.status().as_u16();
        let server = answer.headers().get("date").and_then(|d| d.to_str().ok()).and_then(parse_date);
        let retry_after = answer.headers().get("retry-after").and_then(|v| v.to_str().ok()?.parse().ok());
        let body = read_body(self.host(), answer, TOKEN_BYTES_MAX).await;
        let body = body.map_err(|e| failed(nothing_written(e)))?;
        if status == 200 {
            return granted(&body, asked_at).map_err(failed);
        }
        Err(self.refusal(status, retry_after, server, &body))
    }

    fn assertion(&self, key: &EncodingKey, thumbprint: &str, skew: i64) -> Outcome<String> {
        let mut header = Header::new(Algorithm::PS256);
        header.x5t_s256 = Some(thumbprint.to_owned());
        let now = self.now_secs() + skew;
        let claims = Assertion {
            aud: self.endpoint.as_str(),
            iss: &self.client_id,
            sub: &self.client_id,
            jti: Uuid::new_v4().hyphenated().to_string(),
            nbf: now - ASSERTION_EARLY_SECS,
            iat: now,
            exp: now + ASSERTION_SECS,
        };
        jsonwebtoken::encode(&header, &claims, key)
            .map_err(|_| Failure::reject(None, "the assertion could not be signed with `private_key`"))
    }

    /// The table of sheet 1.3, by the first of the error codes; texts may change, codes do not.
    fn refusal(&self, status: u16, retry_after: Option<u64>, server: Option<i64>, body: &[u8]) -> Refused {
        let failed = |failure| Refused { failure, server: None };
        if status == 429 {
            let wait = Millis::secs(retry_after.unwrap_or(self.wait_limited_secs));
            return failed(Failure::Throttled {
                until: Some(self.clock.now() + wait),
                reason: "the login service limits us (HTTP 429)".into(),
            });
        }
        let after = retry_after.map(Millis::secs);
        let passing = |reason: String| failed(Failure::Retry { after, known: Known::NotDone, reason });
        if status >= 500 || status == 408 {
            return passing(format!("the login service is in trouble (HTTP {status})"));
        }
        let Ok(said) = serde_json::from_slice::<OauthError>(body) else {
            return failed(Failure::Reauthorise {
                reason: format!(
                    "the login was refused with HTTP {status} and no reason: check `authority_url` ({})",
                    self.endpoint.origin().ascii_serialization()
                ),
            });
        };
        let code = said.error_codes.first().copied().unwrap_or(0);
        if matches!(code, 90_033 | 50_196) || said.error == "temporarily_unavailable" {
            return passing(format!("the login service is not ready for us (AADSTS{code})"));
        }
        let what = if code == 0 { plain_error(&said.error) } else { format!("AADSTS{code}") };
        let reason = format!("the login was refused ({what}): {}", way_out(code, &said.error));
        let server = server.filter(|_| code == 700_024);
        Refused { failure: Failure::Reauthorise { reason }, server }
    }
}

/// The key with which assertions are signed, and the name by which the login service finds its certificate.
fn signer(certificate: &str, private_key: &Secret) -> Result<Signer, Invalid> {
    let key = EncodingKey::from_rsa_pem(private_key.reveal().trim().as_bytes())
        .map_err(|_| Invalid::new("private_key", "is not an RSA private key in PEM form"))?;
    let der =
        der(certificate).ok_or_else(|| Invalid::new("certificate", "is not a certificate in PEM form"))?;
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &der);
    Ok(Signer::Key { key, thumbprint: URL_SAFE_NO_PAD.encode(hash.as_ref()) })
}

/// The first certificate of a PEM text.
fn der(pem: &str) -> Option<Vec<u8>> {
    let (_, rest) = pem.split_once("-----BEGIN CERTIFICATE-----")?;
    let (body, _) = rest.split_once("-----END CERTIFICATE-----")?;
    let body: String = body.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    STANDARD.decode(body).ok().filter(|der| !der.is_empty())
}

/// An OAuth error name, if it is one; anything else is not repeated.
fn plain_error(error: &str) -> String {
    let plain = error.len() <= 40 && error.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    if plain { error.to_owned() } else { "no code".to_owned() }
}

/// What an administrator does about a refused login.
fn way_out(code: i64, error: &str) -> &'static str {
    match (code, error) {
        (7_000_215, _) => {
            "the client secret is wrong; put the secret's value into `client_secret`, not its id"
        }
        (7_000_222, _) => {
            "the client secret has expired; make a new one in the app registration and put it into `client_secret`"
        }
        (7_000_216 | 7_000_218, _) => {
            "neither a secret nor an assertion came through; check proxies on the way"
        }
        (700_016, _) => "the tenant does not know this app; check `client_id` and `tenant`",
        (7_000_112, _) => "the app is disabled in the tenant; enable it under enterprise applications",
        (90_002 | 900_023, _) => {
            "there is no such tenant; check `tenant`, and `authority_url` for other clouds"
        }
        (500_011, _) => {
            "the tenant does not know this environment; check `org_url`, and that `tenant` is the one it belongs to"
        }
        (70_011 | 1_002_012, _) => "the scope was not taken; `org_url` must be the environment's own address",
        (700_027, _) => {
            "the certificate is not known to the app; upload `certificate` to the app registration, and check that `private_key` belongs to it"
        }
        (700_024, _) => "the assertion is outside its time; set this machine's clock",
        (53_003, _) => "a Conditional Access policy blocks the app; let it exclude this workload identity",
        (_, "invalid_client") => "check `client_id` and `client_secret`, or the certificate",
        (_, "invalid_resource" | "invalid_scope") => "check `org_url`",
        _ => "check `tenant`, `client_id` and the app registration",
    }
}

fn granted(body: &[u8], asked_at: Timestamp) -> Outcome<Session> {
    let odd = || Failure::retry("the login service's answer could not be read");
    let granted: Granted = serde_json::from_slice(body).map_err(|_| odd())?;
    if granted.access_token.reveal().is_empty() {
        return Err(odd());
    }
    let life = granted.expires_in.unwrap_or(RENEW_EARLY_SECS).min(LIFE_SECS_MAX);
    let early = RENEW_EARLY_SECS.min(life / 2);
    Ok(Session {
        token: granted.access_token,
        renew_at: asked_at + Millis::secs(life - early),
        ends_at: asked_at + Millis::secs(life),
    })
}

/// A login or a read writes no record, so its lost answers are nothing to worry about.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn life(body: &str) -> (i64, i64) {
        let session = granted(body.as_bytes(), Timestamp(0)).unwrap();
        (session.renew_at.0 / 1000, session.ends_at.0 / 1000)
    }

    #[test]
    fn a_token_is_renewed_five_minutes_early_or_at_half_of_a_short_life() {
        assert_eq!(life(r#"{"access_token":"t","expires_in":3599}"#), (3_299, 3_599));
        assert_eq!(life(r#"{"access_token":"t","expires_in":60,"token_type":"Bearer"}"#), (30, 60));
        assert_eq!(life(r#"{"access_token":"t"}"#), (150, 300));
        assert_eq!(life(r#"{"access_token":"t","expires_in":99999999999}"#), (86_100, 86_400));
    }

    #[test]
    fn what_is_no_grant_is_tried_again() {
        for body in ["", "<html>", "{}", r#"{"access_token":""}"#, r#"{"access_token":"t","expires_in":3"#] {
            let failure = granted(body.as_bytes(), Timestamp(0)).err().unwrap();
            assert!(matches!(failure, Failure::Retry { known: Known::NotDone, .. }), "{body}");
        }
    }

    #[test]
    fn a_certificate_is_read_whatever_stands_around_it() {
        let pem =
            "subject=/CN=x\r\n-----BEGIN CERTIFICATE-----\r\nAQID\r\nBAU=\r\n-----END CERTIFICATE-----\r\n";
        assert_eq!(der(pem), Some(vec![1, 2, 3, 4, 5]));
        for bad in [
            "",
            "AQID",
            "-----BEGIN CERTIFICATE-----\n*\n-----END CERTIFICATE-----",
            "-----BEGIN CERTIFICATE-----",
        ] {
            assert_eq!(der(bad), None, "{bad}");
        }
    }

    #[test]
    fn every_refusal_has_its_own_way_out() {
        let codes = [
            7_000_215, 7_000_222, 7_000_216, 700_016, 7_000_112, 90_002, 500_011, 70_011, 700_027, 700_024,
            53_003,
        ];
        let mut words: Vec<&str> = codes.iter().map(|code| way_out(*code, "invalid_client")).collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), codes.len());
    }
}
