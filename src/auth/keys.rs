//! One key of 32 bytes in a file; from it, a key for each purpose.

use aws_lc_rs::hmac;
use uuid::{Builder, Uuid};

pub(super) struct Keys {
    signing: [u8; 32],
    ids: hmac::Key,
    fingerprints: hmac::Key,
    marks: hmac::Key,
}

impl Keys {
    pub(super) fn new(master: &[u8; 32]) -> Self {
        let master = hmac::Key::new(hmac::HMAC_SHA256, master);
        let derive = |purpose: &[u8]| digest(&hmac::sign(&master, purpose));
        Self {
            signing: derive(b"tieline tokens v1"),
            ids: hmac::Key::new(hmac::HMAC_SHA256, &derive(b"tieline ids v1")),
            fingerprints: hmac::Key::new(hmac::HMAC_SHA256, &derive(b"tieline fingerprints v1")),
            marks: hmac::Key::new(hmac::HMAC_SHA256, &derive(b"tieline marks v1")),
        }
    }

    pub(super) fn signing(&self) -> &[u8; 32] {
        &self.signing
    }

    /// Stands for a secret in a look-up: how long the look-up takes says nothing about the secret.
    pub(super) fn fingerprint(&self, secret: &str) -> [u8; 32] {
        digest(&hmac::sign(&self.fingerprints, secret.as_bytes()))
    }

    /// An id that only the holder of the key can compute.
    pub(super) fn id(&self, what: &str, parts: &[&str]) -> Uuid {
        let full = sign_parts(&self.ids, what, parts);
        let mut half = [0_u8; 16];
        half.copy_from_slice(&full[..16]);
        Builder::from_custom_bytes(half).into_uuid()
    }

    /// By what somebody is recognised without being known: the same for the same words, and not to be turned back or
    /// guessed without the key.
    pub(super) fn mark(&self, what: &str, parts: &[&str]) -> String {
        sign_parts(&self.marks, what, parts).iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Each part goes in with its length, so that no two lists of parts meet.
fn sign_parts(key: &hmac::Key, what: &str, parts: &[&str]) -> [u8; 32] {
    let mut context = hmac::Context::with_key(key);
    for part in std::iter::once(&what).chain(parts) {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part.as_bytes());
    }
    digest(&context.sign())
}

fn digest(tag: &hmac::Tag) -> [u8; 32] {
    let mut bytes = [0_u8; 32];
    bytes.copy_from_slice(tag.as_ref());
    bytes
}
