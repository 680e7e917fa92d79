//! Local accounts: Argon2id, off the event loop, few at a time, and as much work for a name nobody has.

use super::{Error, SetupError};
use crate::settings::{Secret, Tenant};
use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tieline_model::{AgentId, TenantId};
use tokio::sync::Semaphore;

/// How long a sign-in waits for its turn.
const TURN_WITHIN: Duration = Duration::from_secs(5);
/// Sign-ins that may wait for their turn.
const WAITING_MAX: usize = 64;
/// A longer password is not hashed.
const PASSWORD_BYTES_MAX: usize = 1_024;

/// Password hashes by agent.
pub(super) type Hashes = HashMap<(TenantId, AgentId), Arc<PasswordHash>>;

pub(super) struct Accounts {
    nobody: Arc<PasswordHash>,
    turns: Arc<Semaphore>,
    seats: Arc<Semaphore>,
}

/// Hashes a password as the settings want it: Argon2id, 19 MiB, 2 passes, a fresh salt, in PHC form.
///
/// # Errors
/// The system has no random numbers, or the password is longer than 1024 bytes.
pub fn hash_password(password: &Secret) -> Result<String, String> {
    if password.reveal().len() > PASSWORD_BYTES_MAX {
        return Err(format!("a password has at most {PASSWORD_BYTES_MAX} bytes"));
    }
    hash(password.reveal()).map(|hash| hash.to_string())
}

fn hash(password: &str) -> Result<PasswordHash, String> {
    Argon2::default().hash_password(password.as_bytes()).map_err(|e| e.to_string())
}

/// The hashes of a contact centre's agents.
pub(super) fn hashes(tenant: &TenantId, its: &Tenant, into: &mut Hashes) -> Result<(), SetupError> {
    for (agent, its) in &its.agents {
        let Some(text) = &its.password_hash else { continue };
        let bad = |_| SetupError::PasswordHash { tenant: tenant.clone(), agent: agent.clone() };
        let parsed = PasswordHash::new(text.reveal()).map_err(bad)?;
        into.insert((tenant.clone(), agent.clone()), Arc::new(parsed));
    }
    Ok(())
}

impl Accounts {
    pub(super) fn new(parallel: u32) -> Self {
        let nobody = hash("nobody has this password").expect("the system has random numbers for a salt");
        let parallel = parallel as usize;
        Self {
            nobody: Arc::new(nobody),
            turns: Arc::new(Semaphore::new(parallel)),
            seats: Arc::new(Semaphore::new(parallel + WAITING_MAX)),
        }
    }

    /// Whether a password is the one of this hash; without a hash it is not, and takes as long.
    pub(super) async fn check(
        &self,
        known: Option<Arc<PasswordHash>>,
        password: Secret,
    ) -> Result<bool, Error> {
        let _seat = self.seats.try_acquire().map_err(|_| Error::Busy)?;
        let turn = Arc::clone(&self.turns).acquire_owned();
        let turn = tokio::time::timeout(TURN_WITHIN, turn).await.map_err(|_| Error::Busy)?;
        let turn = turn.expect("the semaphore is never closed");
        let exists = known.is_some();
        let hash = known.unwrap_or_else(|| Arc::clone(&self.nobody));
        // The turn goes along: a caller who hangs up does not free it while the work goes on.
        let check = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            let text = password.reveal();
            text.len() <= PASSWORD_BYTES_MAX
                && Argon2::default().verify_password(text.as_bytes(), &*hash).is_ok()
        });
        Ok(check.await.unwrap_or(false) && exists)
    }
}
