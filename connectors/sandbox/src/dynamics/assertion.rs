//! Client assertions (sheet 1.2), verified with `jwt-compact`, which shares no code with the library that signs them.

use crate::keys;
use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jwt_compact::alg::{Rsa, RsaPublicKey};
use jwt_compact::{Algorithm as _, AlgorithmSignature as _};
use serde_json::Value;

/// A registered certificate: its key and its thumbprints.
pub(crate) struct Certificate {
    key: RsaPublicKey,
    sha1: Vec<u8>,
    sha256: Vec<u8>,
}

/// Why an assertion is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Problem {
    /// It is no JWT.
    Malformed(String),
    /// Signature, algorithm or certificate.
    Signature(String),
    /// Audience, issuer or subject.
    Claims(String),
    /// Too early or too late.
    Time(String),
}

impl Certificate {
    /// Reads a PEM certificate.
    pub(crate) fn read(pem: &str) -> Option<Self> {
        let key = keys::rsa_public(pem).ok()?;
        let body = pem.split_once("-----BEGIN CERTIFICATE-----")?.1.split_once("-----END")?.0;
        let der = STANDARD.decode(body.split_whitespace().collect::<String>()).ok()?;
        let of = |algorithm| digest::digest(algorithm, &der).as_ref().to_vec();
        Some(Self { key, sha1: of(&digest::SHA1_FOR_LEGACY_USE_ONLY), sha256: of(&digest::SHA256) })
    }
}

/// Checks an assertion against a certificate, the client, the endpoint's own address and the time.
///
/// # Errors
/// The first thing that is wrong.
pub(crate) fn check(
    assertion: &str,
    certificate: Option<&Certificate>,
    client: &str,
    endpoint: &str,
    at: i64,
    skew_s: i64,
) -> Result<(), Problem> {
    let malformed = |why: &str| Problem::Malformed(why.to_owned());
    let (message, signature) =
        assertion.rsplit_once('.').ok_or_else(|| malformed("There are not three parts."))?;
    let (header, claims) = message.split_once('.').ok_or_else(|| malformed("There are not three parts."))?;
    let header = json(header).ok_or_else(|| malformed("The header does not decode."))?;
    let claims = json(claims).ok_or_else(|| malformed("The claims do not decode."))?;
    let signature = decode(signature).ok_or_else(|| malformed("The signature does not decode."))?;
    signed(&header, message, &signature, certificate)?;
    in_time(&claims, at, skew_s)?;
    let text = |name: &str| claims[name].as_str().unwrap_or_default();
    if text("iss") != client || text("sub") != client {
        return Err(Problem::Claims("The issuer and the subject must be the client id.".to_owned()));
    }
    let audience = text("aud").split('?').next().unwrap_or_default();
    if audience != endpoint {
        return Err(Problem::Claims(format!("The audience must be {endpoint}.")));
    }
    if claims["jti"].as_str().unwrap_or_default().is_empty() {
        return Err(Problem::Claims("There is no jti.".to_owned()));
    }
    Ok(())
}

/// Decodes base64url; some libraries pad it (sheet 1.2).
fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok()
}

fn json(part: &str) -> Option<Value> {
    serde_json::from_slice(&decode(part)?).ok().filter(Value::is_object)
}

fn signed(
    header: &Value,
    message: &str,
    signature: &[u8],
    certificate: Option<&Certificate>,
) -> Result<(), Problem> {
    type Signature = <Rsa as jwt_compact::Algorithm>::Signature;
    let wrong = |why: &str| Problem::Signature(why.to_owned());
    let certificate = certificate.ok_or_else(|| wrong("The application has no certificate."))?;
    let thumbprint = |name: &str| header[name].as_str().map(|text| decode(text).unwrap_or_default());
    let known = match (thumbprint("x5t#S256"), thumbprint("x5t")) {
        (Some(sha256), _) => sha256 == certificate.sha256,
        (None, Some(sha1)) => sha1 == certificate.sha1,
        (None, None) => return Err(wrong("The header has neither x5t#S256 nor x5t.")),
    };
    if !known {
        return Err(wrong("The thumbprint is not that of a registered certificate."));
    }
    let algorithm = match header["alg"].as_str() {
        Some("PS256") => Rsa::ps256(),
        Some("RS256") => Rsa::rs256(),
        Some(_) | None => return Err(wrong("The algorithm must be PS256 or RS256.")),
    };
    let good = Signature::try_from_slice(signature)
        .is_ok_and(|s| algorithm.verify_signature(&s, &certificate.key, message.as_bytes()));
    if good { Ok(()) } else { Err(wrong("The signature does not verify.")) }
}

/// Dates are whole or not (sheet 1.2).
fn in_time(claims: &Value, at: i64, skew_s: i64) -> Result<(), Problem> {
    #[expect(clippy::cast_possible_truncation, reason = "seconds; a fraction has no meaning here")]
    let seconds = |name: &str| claims[name].as_i64().or_else(|| claims[name].as_f64().map(|f| f as i64));
    let Some(until) = seconds("exp") else { return Err(Problem::Time("There is no exp.".to_owned())) };
    if until.saturating_add(skew_s) <= at {
        return Err(Problem::Time(format!("Current time: {at}, expiry time of assertion {until}.")));
    }
    let from = seconds("nbf").or_else(|| seconds("iat")).unwrap_or(at);
    if from > at.saturating_add(skew_s) {
        return Err(Problem::Time(format!("Current time: {at}, assertion valid from {from}.")));
    }
    Ok(())
}
