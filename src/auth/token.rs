//! Our own tokens: JWS with HMAC-SHA256. The audience separates purposes, so that none stands in for another.

use super::Error;
use super::keys::Keys;
use crate::settings;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tieline_model::{AgentId, Clock, ConversationId, InteractionId, Millis, ShareId, TenantId, Timestamp};
use uuid::Uuid;

const ISSUER: &str = "tieline";
const AGENT: &str = "tieline:agent";
const CUSTOMER: &str = "tieline:customer";
const VISITOR: &str = "tieline:visitor";
const SHARE: &str = "tieline:share";
/// How long a browser is recognised after it was given its token; about as long as browsers keep things at all.
const VISITOR_LIFE: Millis = Millis::secs(400 * 24 * 3_600);
/// No token of ours is nearly this long; a longer one is not even parsed.
const TOKEN_BYTES_MAX: usize = 2_048;

/// What an agent may see and do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The agent's own work.
    Agent,
    /// Others' too.
    Supervisor,
}

/// What a valid agent's token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentPass {
    /// Which contact centre.
    pub tenant: TenantId,
    /// Who.
    pub agent: AgentId,
    /// In which role.
    pub role: Role,
    /// Until when.
    pub expires_at: Timestamp,
}

/// What a valid customer's token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomerPass {
    /// Which contact centre.
    pub tenant: TenantId,
    /// The customer's conversation.
    pub conversation: ConversationId,
    /// The one chat of it that this token opens.
    pub interaction: InteractionId,
    /// Until when.
    pub expires_at: Timestamp,
}

/// What a share's token says (B14).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharePass {
    /// Which contact centre.
    pub tenant: TenantId,
    /// The transcript's chat.
    pub interaction: InteractionId,
    /// The share.
    pub share: ShareId,
    /// Until when.
    pub expires_at: Timestamp,
}

/// A fresh token.
#[derive(Clone)]
pub struct Issued {
    /// The token.
    pub token: String,
    /// Until when it is valid.
    pub expires_at: Timestamp,
}

impl std::fmt::Debug for Issued {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Issued").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

#[derive(Serialize, Deserialize)]
struct AgentClaims {
    iss: String,
    aud: String,
    sub: AgentId,
    tenant: TenantId,
    role: Role,
    iat: u64,
    exp: u64,
}

#[derive(Serialize, Deserialize)]
struct CustomerClaims {
    iss: String,
    aud: String,
    sub: ConversationId,
    tenant: TenantId,
    interaction: InteractionId,
    iat: u64,
    exp: u64,
}

impl CustomerClaims {
    fn pass(self) -> CustomerPass {
        let Self { tenant, sub, interaction, exp, .. } = self;
        CustomerPass { tenant, conversation: sub, interaction, expires_at: expiry(exp) }
    }
}

#[derive(Serialize, Deserialize)]
struct VisitorClaims {
    iss: String,
    aud: String,
    sub: Uuid,
    tenant: TenantId,
    iat: u64,
    exp: u64,
}

#[derive(Serialize, Deserialize)]
struct ShareClaims {
    iss: String,
    aud: String,
    sub: ShareId,
    tenant: TenantId,
    interaction: InteractionId,
    exp: u64,
}

/// Makes and checks tokens by the process's key.
pub struct Tokens {
    sign: EncodingKey,
    verify: DecodingKey,
    clock: Arc<dyn Clock>,
    agent_life: Millis,
    customer_life: Millis,
    leeway: Millis,
}

impl Tokens {
    pub(super) fn new(keys: &Keys, settings: &settings::Auth, clock: Arc<dyn Clock>) -> Self {
        Self {
            sign: EncodingKey::from_secret(keys.signing()),
            verify: DecodingKey::from_secret(keys.signing()),
            clock,
            agent_life: settings.agent_token.millis(),
            customer_life: settings.customer_token.millis(),
            leeway: settings.leeway.millis(),
        }
    }

    /// A token for an agent.
    #[must_use]
    pub fn agent(&self, tenant: &TenantId, agent: &AgentId, role: Role) -> Issued {
        let (iat, exp) = self.span(self.agent_life);
        let claims = AgentClaims {
            iss: ISSUER.to_owned(),
            aud: AGENT.to_owned(),
            sub: agent.clone(),
            tenant: tenant.clone(),
            role,
            iat,
            exp,
        };
        self.issue(&claims, exp)
    }

    /// A token for a customer, good for one chat.
    #[must_use]
    pub fn customer(
        &self,
        tenant: &TenantId,
        conversation: ConversationId,
        interaction: InteractionId,
    ) -> Issued {
        let (iat, exp) = self.span(self.customer_life);
        let claims = CustomerClaims {
            iss: ISSUER.to_owned(),
            aud: CUSTOMER.to_owned(),
            sub: conversation,
            tenant: tenant.clone(),
            interaction,
            iat,
            exp,
        };
        self.issue(&claims, exp)
    }

    /// A token by which a browser is recognised. It opens nothing.
    #[must_use]
    pub fn visitor(&self, tenant: &TenantId, visitor: Uuid) -> String {
        let (iat, exp) = self.span(VISITOR_LIFE);
        let (iss, aud) = (ISSUER.to_owned(), VISITOR.to_owned());
        self.issue(&VisitorClaims { iss, aud, sub: visitor, tenant: tenant.clone(), iat, exp }, exp).token
    }

    /// A token that opens a shared transcript (B14): the same again for the same share.
    #[must_use]
    pub fn share(&self, pass: &SharePass) -> String {
        let exp = u64::try_from(pass.expires_at.0).unwrap_or(0).div_ceil(1_000);
        let claims = ShareClaims {
            iss: ISSUER.to_owned(),
            aud: SHARE.to_owned(),
            sub: pass.share,
            tenant: pass.tenant.clone(),
            interaction: pass.interaction,
            exp,
        };
        self.issue(&claims, exp).token
    }

    /// Reads a browser's token of this tenant.
    ///
    /// # Errors
    /// Not ours, not a visitor's, another tenant's, or expired.
    pub fn read_visitor(&self, tenant: &TenantId, token: &str) -> Result<Uuid, Error> {
        let claims: VisitorClaims = self.read(token, VISITOR)?;
        self.fresh(claims.exp)?;
        if claims.tenant == *tenant { Ok(claims.sub) } else { Err(Error::BadToken) }
    }

    /// Reads a share's token, whatever its time: whoever asks says that it is over, not that it never was.
    ///
    /// # Errors
    /// Not ours, or not a share's.
    pub fn read_share(&self, token: &str) -> Result<SharePass, Error> {
        let ShareClaims { sub, tenant, interaction, exp, .. } = self.read(token, SHARE)?;
        Ok(SharePass { tenant, interaction, share: sub, expires_at: expiry(exp) })
    }

    /// Reads a customer's token, whatever its time: it says whose chat that was, and opens nothing.
    ///
    /// # Errors
    /// Not ours, or not a customer's.
    pub fn read_former_customer(&self, token: &str) -> Result<CustomerPass, Error> {
        let claims: CustomerClaims = self.read(token, CUSTOMER)?;
        Ok(claims.pass())
    }

    /// Reads an agent's token.
    ///
    /// # Errors
    /// Not ours, not an agent's, or expired.
    pub fn read_agent(&self, token: &str) -> Result<AgentPass, Error> {
        let claims: AgentClaims = self.read(token, AGENT)?;
        let expires_at = self.fresh(claims.exp)?;
        Ok(AgentPass { tenant: claims.tenant, agent: claims.sub, role: claims.role, expires_at })
    }

    /// Reads a customer's token.
    ///
    /// # Errors
    /// Not ours, not a customer's, or expired.
    pub fn read_customer(&self, token: &str) -> Result<CustomerPass, Error> {
        let claims: CustomerClaims = self.read(token, CUSTOMER)?;
        self.fresh(claims.exp)?;
        Ok(claims.pass())
    }

    fn span(&self, life: Millis) -> (u64, u64) {
        let now = u64::try_from(self.clock.now().0).unwrap_or(0);
        (now / 1_000, (now + life.0).div_ceil(1_000))
    }

    fn issue<C: Serialize>(&self, claims: &C, exp: u64) -> Issued {
        let token = encode(&Header::new(Algorithm::HS256), claims, &self.sign)
            .expect("HMAC with a key of ours signs any claims of ours");
        Issued { token, expires_at: expiry(exp) }
    }

    /// Signature, algorithm, issuer, audience. Time is checked by [`Self::fresh`] with the daemon's own clock, as
    /// the library would read the machine's.
    fn read<C: DeserializeOwned>(&self, token: &str, audience: &str) -> Result<C, Error> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(Error::BadToken);
        }
        let mut rules = Validation::new(Algorithm::HS256);
        rules.validate_exp = false;
        rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        rules.set_audience(&[audience]);
        rules.set_issuer(&[ISSUER]);
        decode(token, &self.verify, &rules).map(|data| data.claims).map_err(|_| Error::BadToken)
    }

    fn fresh(&self, exp: u64) -> Result<Timestamp, Error> {
        let expires_at = expiry(exp);
        if self.clock.now() >= expires_at + self.leeway { Err(Error::Expired) } else { Ok(expires_at) }
    }
}

pub(super) fn expiry(exp: u64) -> Timestamp {
    Timestamp(i64::try_from(exp).unwrap_or(i64::MAX).saturating_mul(1_000))
}
