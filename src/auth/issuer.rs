//! Signed tokens of others: one algorithm and one key per issuer, both from our settings, never from the token.

use super::token::expiry;
use super::{Error, SetupError};
use crate::settings::{self, Secret, Span};
use jsonwebtoken::{DecodingKey, Validation, decode};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use tieline_model::{AgentId, Millis, TenantId, Timestamp};

/// Identity providers put much into a token; beyond this it is not parsed.
const TOKEN_BYTES_MAX: usize = 8_192;

pub(super) struct Issuers {
    all: Vec<Issuer>,
    leeway: Millis,
}

struct Issuer {
    tenant: TenantId,
    key: DecodingKey,
    rules: Validation,
    agent_claim: String,
}

impl Issuers {
    pub(super) fn new(
        settings: &BTreeMap<String, settings::Issuer>,
        leeway: Span,
    ) -> Result<Self, SetupError> {
        let mut all = Vec::new();
        for (name, its) in settings {
            let key = its.key.as_ref().map(Secret::reveal).unwrap_or_default().as_bytes();
            let key = match its.algorithm {
                settings::Algorithm::HS256 => DecodingKey::from_secret(key),
                settings::Algorithm::RS256 => DecodingKey::from_rsa_pem(key)
                    .map_err(|e| SetupError::IssuerKey { name: name.clone(), why: e.to_string() })?,
            };
            let mut rules = Validation::new(its.algorithm.into());
            // The daemon's own clock is asked below.
            rules.validate_exp = false;
            rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
            rules.set_issuer(&[&its.issuer]);
            rules.set_audience(&[&its.audience]);
            all.push(Issuer { tenant: its.tenant.clone(), key, rules, agent_claim: its.agent_claim.clone() });
        }
        Ok(Self { all, leeway: leeway.millis() })
    }

    /// The agent whom an issuer of this tenant vouches for.
    pub(super) fn agent(&self, tenant: &TenantId, token: &str, now: Timestamp) -> Result<AgentId, Error> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(Error::BadToken);
        }
        let of_tenant = self.all.iter().filter(|issuer| issuer.tenant == *tenant);
        let mut read = of_tenant.filter_map(|issuer| {
            let claims = decode::<Map<String, Value>>(token, &issuer.key, &issuer.rules).ok()?.claims;
            Some((issuer, claims))
        });
        let (issuer, claims) = read.next().ok_or(Error::BadToken)?;
        let seconds =
            |name: &str| claims.get(name).and_then(Value::as_f64).map(|s| expiry(s.max(0.0) as u64));
        let expires = seconds("exp").ok_or(Error::BadToken)?;
        if now >= expires + self.leeway {
            return Err(Error::Expired);
        }
        // Present but unreadable counts as "not yet", never as "no limit".
        let early =
            claims.get("nbf").is_some_and(|_| seconds("nbf").is_none_or(|nbf| now + self.leeway < nbf));
        if early {
            return Err(Error::BadToken);
        }
        let agent = claims.get(&issuer.agent_claim).and_then(Value::as_str).ok_or(Error::BadToken)?;
        AgentId::new(agent).map_err(|_| Error::BadToken)
    }
}
