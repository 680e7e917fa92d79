//! Who may come in: tokens, local accounts, signed tokens of others, producers, and how often anyone may try.
//!
//! No cookies anywhere: a page holds its token in memory and says it in the first frame or in `Authorization`.
//! Nothing here knows HTTP; `http` asks and turns an [`Error`] into an answer.

mod accounts;
mod issuer;
mod keys;
mod throttle;
mod token;

pub use accounts::hash_password;
pub use throttle::{Network, Rate, Throttle};
pub use token::{AgentPass, CustomerPass, Issued, Role, SharePass, Tokens};

use crate::journal::Handle;
use crate::settings::{self, Secret, Settings, Tenant};
use accounts::{Accounts, Hashes};
use issuer::Issuers;
use keys::Keys;
use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};
use tieline_model::{AgentId, Clock, CommandId, ConversationId, InteractionId, Mark, TenantId};
use uuid::Uuid;

/// Why somebody may not come in. The texts say nothing that an outsider could learn from.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The token is not one of ours, is for something else, or has been tampered with.
    #[error("this token is not valid here; sign in again")]
    BadToken,
    /// The token's time is over.
    #[error("this token has expired; sign in again")]
    Expired,
    /// Agent or password is wrong, or the agent has no password.
    #[error("agent or password is wrong")]
    BadPassword,
    /// Too many tries.
    #[error("too many attempts; try again in a minute")]
    TooOften,
    /// Too many sign-ins are being checked.
    #[error("too many people are signing in right now; try again in a few seconds")]
    Busy,
}

/// Who may not even be built: the settings' keys will not do.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The key of an issuer is not a key.
    #[error("`auth.issuers.{name}.key` is not a key for its algorithm: {why}")]
    IssuerKey {
        /// Which issuer.
        name: String,
        /// What the library says.
        why: String,
    },
    /// The hash of an agent is not one.
    #[error(
        "`tenants.{tenant}.agents.{agent}.password_hash` is not an Argon2id hash; write what `tieline hash-password` prints"
    )]
    PasswordHash {
        /// Whose contact centre.
        tenant: TenantId,
        /// Whose.
        agent: AgentId,
    },
}

/// The doorkeeper. Cheap to share; one per process.
pub struct Auth {
    keys: Keys,
    tokens: Tokens,
    accounts: Accounts,
    issuers: Issuers,
    producers: HashMap<[u8; 32], Producer>,
    clock: Arc<dyn Clock>,
    by_address: Throttle<Network>,
    by_agent: Throttle<(TenantId, AgentId)>,
    by_both: Throttle<(TenantId, AgentId, Network)>,
    people: RwLock<Arc<People>>,
}

/// Who can sign in. A reload exchanges all of them at once.
#[derive(Default)]
pub struct People {
    agents: HashMap<(TenantId, AgentId), Known>,
    hashes: Hashes,
}

struct Known {
    name: String,
    role: Role,
}

/// Who writes events over HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Producer {
    /// The name it has in the settings; commands it causes are its own.
    pub name: String,
    /// The one contact centre it writes for.
    pub tenant: TenantId,
}

/// What signing in gives.
#[derive(Debug, Clone)]
pub struct SignedInAgent {
    /// The token.
    pub issued: Issued,
    /// Who.
    pub agent: AgentId,
    /// Name as shown.
    pub name: String,
}

/// What a return begins (B15).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReturnIds {
    /// The new interaction of the same conversation.
    pub fresh: InteractionId,
    /// The new chat, when it is too late for that.
    pub later: InteractionId,
    /// Its conversation.
    pub conversation: ConversationId,
}

/// Over all addresses together an agent may fail so many times as often as over one, so that a stranger who guesses
/// from elsewhere does not lock the agent out quickly.
const ALL_ADDRESSES: u32 = 10;

impl Auth {
    /// Builds the doorkeeper from checked settings and the process's signing key
    /// ([`settings::read_or_make_key`] of `auth.key_file`).
    ///
    /// # Errors
    /// A key or hash in the settings is not what its algorithm needs.
    pub fn new(settings: &Settings, key: &[u8; 32], clock: Arc<dyn Clock>) -> Result<Self, SetupError> {
        let auth = &settings.auth;
        let keys = Keys::new(key);
        let producers = auth.producers.iter().filter_map(|(name, its)| {
            let token = its.token.as_ref().map(Secret::reveal)?;
            Some((keys.fingerprint(token), Producer { name: name.clone(), tenant: its.tenant.clone() }))
        });
        Ok(Self {
            producers: producers.collect(),
            tokens: Tokens::new(&keys, auth, Arc::clone(&clock)),
            accounts: Accounts::new(auth.parallel_checks),
            issuers: Issuers::new(&auth.issuers, auth.leeway)?,
            by_address: Throttle::new(Rate::per_minute(auth.sign_ins_per_minute)),
            by_both: Throttle::new(Rate::per_minute(auth.failures_per_agent)),
            by_agent: Throttle::new(Rate::per_minute(auth.failures_per_agent.saturating_mul(ALL_ADDRESSES))),
            keys,
            clock,
            people: RwLock::new(Arc::new(Self::people(&settings.tenants)?)),
        })
    }

    /// Who can sign in, by checked settings.
    ///
    /// # Errors
    /// A hash is not what its algorithm needs.
    pub fn people<'a>(
        tenants: impl IntoIterator<Item = (&'a TenantId, &'a Tenant)>,
    ) -> Result<People, SetupError> {
        let mut people = People::default();
        for (tenant, its) in tenants {
            accounts::hashes(tenant, its, &mut people.hashes)?;
            for (agent, its) in &its.agents {
                let role = if its.supervisor { Role::Supervisor } else { Role::Agent };
                let name = its.name.clone().unwrap_or_else(|| agent.to_string());
                people.agents.insert((tenant.clone(), agent.clone()), Known { name, role });
            }
        }
        Ok(people)
    }

    /// From now on these can sign in. Tokens that were given out stay good for those who are still among them.
    pub fn exchange(&self, people: People) {
        *self.people.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(people);
    }

    fn who(&self) -> Arc<People> {
        self.people.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes and checks tokens.
    #[must_use]
    pub fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// Signs an agent in with a password. An unknown agent costs the same work as a wrong password.
    ///
    /// # Errors
    /// Wrong, too often, or too many at once.
    pub async fn sign_in(
        &self,
        tenant: &TenantId,
        agent: &AgentId,
        password: Secret,
        from: IpAddr,
    ) -> Result<SignedInAgent, Error> {
        let now = self.clock.now();
        let network = Network::of(from);
        if !self.by_address.take(network, now) {
            return Err(Error::TooOften);
        }
        let (one, all) = ((tenant.clone(), agent.clone(), network), (tenant.clone(), agent.clone()));
        if !self.by_both.would_take(&one, now) || !self.by_agent.would_take(&all, now) {
            return Err(Error::TooOften);
        }
        let hash = self.who().hashes.get(&(tenant.clone(), agent.clone())).cloned();
        let good = self.accounts.check(hash, password).await?;
        if !good {
            // Tries count when they fail: several at once may all have passed the question above.
            let both = self.by_both.take(one, now);
            let any = self.by_agent.take(all, now);
            return Err(if both && any { Error::BadPassword } else { Error::TooOften });
        }
        self.admit(tenant, agent)
    }

    /// Signs an agent in with a signed token of a configured issuer.
    ///
    /// # Errors
    /// Not a token of an issuer of this tenant, expired, names nobody here, or too often.
    pub fn sign_in_by_token(
        &self,
        tenant: &TenantId,
        token: &str,
        from: IpAddr,
    ) -> Result<SignedInAgent, Error> {
        let now = self.clock.now();
        if !self.by_address.take(Network::of(from), now) {
            return Err(Error::TooOften);
        }
        let agent = self.issuers.agent(tenant, token, now)?;
        self.admit(tenant, &agent)
    }

    fn admit(&self, tenant: &TenantId, agent: &AgentId) -> Result<SignedInAgent, Error> {
        let key = (tenant.clone(), agent.clone());
        let people = self.who();
        let known = people.agents.get(&key).ok_or(Error::BadToken)?;
        let issued = self.tokens.agent(tenant, agent, known.role);
        Ok(SignedInAgent { issued, agent: agent.clone(), name: known.name.clone() })
    }

    /// Whether the settings (still) know the agent.
    #[must_use]
    pub fn knows(&self, tenant: &TenantId, agent: &AgentId) -> bool {
        self.who().agents.contains_key(&(tenant.clone(), agent.clone()))
    }

    /// Who a producer's bearer token belongs to.
    ///
    /// # Errors
    /// Nobody, or a producer of another contact centre: both alike.
    pub fn producer(&self, tenant: &TenantId, token: &str) -> Result<&Producer, Error> {
        let found = self.producers.get(&self.keys.fingerprint(token));
        found.filter(|p| p.tenant == *tenant).ok_or(Error::BadToken)
    }

    /// The ids of a chat that a customer starts under a command id: the same again for the same id, and not to be
    /// guessed without the key.
    #[must_use]
    pub fn chat_ids(&self, tenant: &TenantId, id: &CommandId) -> (InteractionId, ConversationId) {
        let parts = [tenant.as_str(), id.as_str()];
        (
            InteractionId(self.keys.id("interaction", &parts)),
            ConversationId(self.keys.id("conversation", &parts)),
        )
    }

    /// The ids of what a customer's return to a chat begins (B15): the same again for the same chat, so that two tabs
    /// which return begin one thing.
    #[must_use]
    pub fn return_ids(&self, tenant: &TenantId, interaction: InteractionId) -> ReturnIds {
        let id = interaction.to_string();
        let parts = [tenant.as_str(), id.as_str()];
        ReturnIds {
            fresh: InteractionId(self.keys.id("return", &parts)),
            later: InteractionId(self.keys.id("return-later", &parts)),
            conversation: ConversationId(self.keys.id("return-conversation", &parts)),
        }
    }

    /// The command of a return: the same again for the same id, so that it counts once for each chat.
    #[must_use]
    pub fn return_command(&self, tenant: &TenantId, chat: InteractionId, id: &CommandId) -> CommandId {
        let chat = chat.to_string();
        let id = self.keys.id("return-command", &[tenant.as_str(), &chat, id.as_str()]);
        CommandId::new(id.to_string()).expect("a UUID is printable ASCII")
    }

    /// Who a browser is from its first chat on: the same again for the same command id.
    #[must_use]
    pub fn new_visitor(&self, tenant: &TenantId, id: &CommandId) -> Uuid {
        self.keys.id("visitor", &[tenant.as_str(), id.as_str()])
    }

    /// What a visitor is recognised by (A11, C7), never across tenants: the browser, and the address and number given.
    #[must_use]
    pub fn marks(&self, tenant: &TenantId, visitor: Uuid, handles: &[Handle]) -> BTreeSet<Mark> {
        let mark = |what: &str, value: &str| {
            let mark = self.keys.mark(what, &[tenant.as_str(), value]);
            Mark::new(mark).expect("64 hexadecimal digits are a mark")
        };
        let known = handles.iter().map(|handle| match handle {
            Handle::Phone(number) => mark("phone", number),
            Handle::Email(address) => mark("email", address),
        });
        known.chain(std::iter::once(mark("visitor", &visitor.to_string()))).collect()
    }

    /// The ids of a call that a producer reports first: the same again for the same call.
    #[must_use]
    pub fn call_ids(&self, tenant: &TenantId, call: &str) -> (InteractionId, ConversationId) {
        let parts = [tenant.as_str(), call];
        (
            InteractionId(self.keys.id("call", &parts)),
            ConversationId(self.keys.id("call-conversation", &parts)),
        )
    }
}

impl From<settings::Algorithm> for jsonwebtoken::Algorithm {
    fn from(algorithm: settings::Algorithm) -> Self {
        match algorithm {
            settings::Algorithm::HS256 => Self::HS256,
            settings::Algorithm::RS256 => Self::RS256,
        }
    }
}

#[cfg(test)]
mod tests;
