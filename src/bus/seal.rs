//! What keeps parked messages unreadable: AES-256-GCM under a key that the broker never sees.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};

/// What a sealed message is bound to, so that it is not taken for anything else.
const PLACE: &[u8] = b"tieline.parked v1";

/// Seals and opens parked messages.
pub struct Seal(RandomizedNonceKey);

/// The message was sealed with another key, or is damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the parked message was sealed with another key, or is damaged")]
pub struct Broken;

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seal(***)")
    }
}

impl Seal {
    /// With a key of its own, derived from the daemon's master key.
    #[must_use]
    pub fn new(key: &[u8; 32]) -> Self {
        Self(RandomizedNonceKey::new(&AES_256_GCM, key).expect("the key has the algorithm's length"))
    }

    /// Nonce, ciphertext and tag in one.
    #[must_use]
    pub fn seal(&self, plain: &[u8]) -> Vec<u8> {
        let mut body = plain.to_vec();
        let nonce = self
            .0
            .seal_in_place_append_tag(Aad::from(PLACE), &mut body)
            .expect("no message is longer than AES-GCM allows");
        [nonce.as_ref().as_slice(), body.as_slice()].concat()
    }

    /// What was sealed.
    ///
    /// # Errors
    /// Another key sealed it, or it is damaged.
    pub fn open(&self, sealed: &[u8]) -> Result<Vec<u8>, Broken> {
        let (nonce, body) = sealed.split_at_checked(NONCE_LEN).ok_or(Broken)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Broken)?;
        let mut body = body.to_vec();
        let plain = self.0.open_in_place(nonce, Aad::from(PLACE), &mut body).map_err(|_| Broken)?;
        Ok(plain.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_its_own_key_opens_a_sealed_message() {
        let seal = Seal::new(&[1; 32]);
        let sealed = seal.seal(b"+442079460000");
        assert_eq!(seal.open(&sealed).unwrap(), b"+442079460000");
        assert!(!sealed.windows(5).any(|w| w == b"+4420"));
        assert_eq!(Seal::new(&[2; 32]).open(&sealed), Err(Broken));
        let mut damaged = sealed.clone();
        damaged[NONCE_LEN] ^= 1;
        assert_eq!(seal.open(&damaged), Err(Broken));
        assert_eq!(seal.open(&sealed[..5]), Err(Broken));
    }
}
