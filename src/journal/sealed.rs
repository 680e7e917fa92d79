//! What keeps content unreadable at rest: AES-256-GCM under a random key per conversation, wrapped by a key per
//! tenant, which is derived from the master key outside the database. Erasing a conversation is forgetting its key.
//!
//! Every ciphertext is bound to its place (purpose, tenant, id), so that rows cannot be swapped.

use super::{Error, Handle};
use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::{hkdf, hmac, rand};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use tieline_model::{ConversationId, TenantId};

const KEY_LEN: usize = 32;

/// The key all others are derived from or wrapped by. Whoever has it and the database can read everything; without it
/// the content is lost, so it has its own backup.
pub struct MasterKey([u8; KEY_LEN]);

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MasterKey(***)")
    }
}

impl MasterKey {
    /// Takes 32 bytes that came from a good source of chance.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Reads a file of exactly 32 bytes.
    ///
    /// # Errors
    /// [`Error::Refused`] when it is missing, cannot be read or has another length; the text names the way out.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let file = File::open(path).map_err(|e| {
            Error::Refused(format!(
                "the key file {} cannot be read ({e}); restore it from its backup, content cannot be read without it",
                path.display()
            ))
        })?;
        warn_if_open_to_others(&file, path);
        let mut bytes = Vec::with_capacity(KEY_LEN + 1);
        (&file)
            .take(KEY_LEN as u64 + 1)
            .read_to_end(&mut bytes)
            .map_err(|e| Error::Refused(format!("the key file {} cannot be read: {e}", path.display())))?;
        let bytes = <[u8; KEY_LEN]>::try_from(bytes).map_err(|_| {
            Error::Refused(format!(
                "the key file {} must hold exactly 32 bytes; restore it from its backup, or make one for a new \
                 journal with `head -c 32 /dev/urandom`",
                path.display()
            ))
        })?;
        Ok(Self(bytes))
    }

    /// Reads the file, or makes one (mode 0600, synced, whole or not at all) when there is none. A journal written
    /// under another key refuses the new one when it is opened.
    ///
    /// # Errors
    /// As [`MasterKey::load`]; also when the file cannot be made.
    pub fn load_or_create(path: &Path) -> Result<Self, Error> {
        if !path.exists() {
            match make_key_file(path) {
                Err(e) if e.kind() != ErrorKind::AlreadyExists => {
                    let path = path.display();
                    return Err(Error::Refused(format!("the key file {path} cannot be made: {e}")));
                }
                Ok(()) | Err(_) => {}
            }
        }
        Self::load(path)
    }

    fn derive(&self, purpose: &str, tenant: &str) -> [u8; KEY_LEN] {
        let prk = hkdf::Salt::new(hkdf::HKDF_SHA256, b"tieline journal v1").extract(&self.0);
        let mut out = [0; KEY_LEN];
        prk.expand(&[purpose.as_bytes(), b"/", tenant.as_bytes()], hkdf::HKDF_SHA256)
            .and_then(|okm| okm.fill(&mut out))
            .expect("32 bytes are within what HKDF-SHA256 gives");
        out
    }

    /// A value that tells keys apart and says nothing about them; the journal keeps it to refuse a wrong key.
    pub(super) fn fingerprint(&self) -> [u8; KEY_LEN] {
        self.derive("fingerprint", "")
    }
}

/// Written under another name and linked, so that a crash leaves no half key behind.
fn make_key_file(path: &Path) -> std::io::Result<()> {
    let mut bytes = [0; KEY_LEN];
    fill(&mut bytes);
    let draft = path.with_added_extension("new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    file.write_all(&bytes)?;
    file.sync_all()?;
    let linked = std::fs::hard_link(&draft, path);
    std::fs::remove_file(&draft)?;
    linked?;
    sync_parent(path)
}

/// Makes a new file's name durable.
pub(super) fn sync_parent(path: &Path) -> std::io::Result<()> {
    match path.parent() {
        Some(dir) if dir != Path::new("") => File::open(dir)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}

fn warn_if_open_to_others(file: &File, path: &Path) {
    if file.metadata().is_ok_and(|m| m.mode() & 0o077 != 0) {
        tracing::warn!(path = %path.display(), "the key file can be read by others; `chmod 600` it");
    }
}

fn fill(bytes: &mut [u8]) {
    rand::fill(bytes).expect("the operating system gives random bytes");
}

/// What a ciphertext is bound to: its purpose and its place.
pub(super) struct Place(Vec<u8>);

impl Place {
    /// Parts are separated by a byte that no id holds.
    pub(super) fn new(purpose: &str, tenant: &TenantId, parts: &[&[u8]]) -> Self {
        let mut aad = Vec::with_capacity(96);
        aad.extend_from_slice(purpose.as_bytes());
        aad.push(0);
        aad.extend_from_slice(tenant.as_str().as_bytes());
        for part in parts {
            aad.push(0);
            aad.extend_from_slice(part);
        }
        Self(aad)
    }
}

/// It was sealed with another key, for another place, or is damaged.
#[derive(Debug)]
pub(super) struct Broken;

/// A symmetric key that seals and opens.
pub(super) struct SealingKey(RandomizedNonceKey);

impl SealingKey {
    fn new(bytes: &[u8; KEY_LEN]) -> Self {
        Self(RandomizedNonceKey::new(&AES_256_GCM, bytes).expect("the key has the algorithm's length"))
    }

    /// Nonce, ciphertext and tag in one.
    pub(super) fn seal(&self, place: &Place, plain: &[u8]) -> Vec<u8> {
        let mut body = plain.to_vec();
        let nonce = self
            .0
            .seal_in_place_append_tag(Aad::from(&place.0), &mut body)
            .expect("no content is longer than AES-GCM allows");
        let mut out = Vec::with_capacity(NONCE_LEN + body.len());
        out.extend_from_slice(nonce.as_ref());
        out.extend_from_slice(&body);
        out
    }

    pub(super) fn open(&self, place: &Place, sealed: &[u8]) -> Result<Vec<u8>, Broken> {
        let (nonce, body) = sealed.split_at_checked(NONCE_LEN).ok_or(Broken)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Broken)?;
        let mut body = body.to_vec();
        let plain = self.0.open_in_place(nonce, Aad::from(&place.0), &mut body).map_err(|_| Broken)?;
        Ok(plain.to_vec())
    }
}

/// The keys of one tenant.
pub(super) struct TenantKeys {
    wrap: SealingKey,
    /// Seals what belongs to no conversation (snapshots).
    pub(super) state: SealingKey,
    index: hmac::Key,
}

impl TenantKeys {
    fn new(master: &MasterKey, tenant: &TenantId) -> Self {
        let tenant = tenant.as_str();
        Self {
            wrap: SealingKey::new(&master.derive("wrap", tenant)),
            state: SealingKey::new(&master.derive("state", tenant)),
            index: hmac::Key::new(hmac::HMAC_SHA256, &master.derive("index", tenant)),
        }
    }

    /// A new key for a conversation, and the form in which it is kept.
    pub(super) fn mint(&self, tenant: &TenantId, conversation: ConversationId) -> (SealingKey, Vec<u8>) {
        let mut bytes = [0; KEY_LEN];
        fill(&mut bytes);
        let wrapped = self.wrap.seal(&key_place(tenant, conversation), &bytes);
        (SealingKey::new(&bytes), wrapped)
    }

    /// The key of a conversation from the form in which it is kept.
    pub(super) fn unwrap_key(
        &self,
        tenant: &TenantId,
        conversation: ConversationId,
        wrapped: &[u8],
    ) -> Result<SealingKey, Broken> {
        let bytes = self.wrap.open(&key_place(tenant, conversation), wrapped)?;
        let bytes = <[u8; KEY_LEN]>::try_from(bytes).map_err(|_| Broken)?;
        Ok(SealingKey::new(&bytes))
    }

    /// The keyed digest a handle is found by.
    pub(super) fn index(&self, handle: &Handle) -> Vec<u8> {
        let mut context = hmac::Context::with_key(&self.index);
        let (kind, value): (&[u8], _) = match handle {
            Handle::Phone(value) => (b"phone\0", value),
            Handle::Email(value) => (b"email\0", value),
        };
        context.update(kind);
        context.update(value.as_bytes());
        context.sign().as_ref().to_vec()
    }
}

fn key_place(tenant: &TenantId, conversation: ConversationId) -> Place {
    Place::new("key", tenant, &[conversation.0.as_bytes()])
}

/// The keys of all tenants, derived once each.
pub(super) struct Keyring {
    master: MasterKey,
    tenants: Mutex<BTreeMap<TenantId, Arc<TenantKeys>>>,
}

impl Keyring {
    pub(super) fn new(master: MasterKey) -> Self {
        Self { master, tenants: Mutex::default() }
    }

    pub(super) fn tenant(&self, tenant: &TenantId) -> Arc<TenantKeys> {
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(keys) = tenants.get(tenant) {
            return Arc::clone(keys);
        }
        let keys = Arc::new(TenantKeys::new(&self.master, tenant));
        tenants.insert(tenant.clone(), Arc::clone(&keys));
        keys
    }

    pub(super) fn fingerprint(&self) -> [u8; KEY_LEN] {
        self.master.fingerprint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn tenant(name: &str) -> TenantId {
        TenantId::new(name).unwrap()
    }

    #[test]
    fn a_ciphertext_opens_only_in_its_own_place() {
        let ring = Keyring::new(MasterKey::new([7; 32]));
        let (a, b) = (tenant("a"), tenant("b"));
        let conversation = ConversationId(Uuid::from_u128(1));
        let (key, wrapped) = ring.tenant(&a).mint(&a, conversation);
        let place = Place::new("content", &a, &[b"x"]);
        let sealed = key.seal(&place, b"hello");

        let again = ring.tenant(&a).unwrap_key(&a, conversation, &wrapped).unwrap();
        assert_eq!(again.open(&place, &sealed).unwrap(), b"hello");
        assert!(again.open(&Place::new("content", &a, &[b"y"]), &sealed).is_err());
        assert!(again.open(&Place::new("content", &b, &[b"x"]), &sealed).is_err());
        assert!(again.open(&place, &sealed[..sealed.len() - 1]).is_err());
        assert!(again.open(&place, &[]).is_err());
        assert!(ring.tenant(&b).unwrap_key(&a, conversation, &wrapped).is_err());
        let other = ConversationId(Uuid::from_u128(2));
        assert!(ring.tenant(&a).unwrap_key(&a, other, &wrapped).is_err());
    }

    #[test]
    fn the_same_text_never_looks_the_same_twice() {
        let ring = Keyring::new(MasterKey::new([7; 32]));
        let a = tenant("a");
        let (key, _) = ring.tenant(&a).mint(&a, ConversationId(Uuid::from_u128(1)));
        let place = Place::new("content", &a, &[b"x"]);
        assert_ne!(key.seal(&place, b"hello"), key.seal(&place, b"hello"));
    }

    #[test]
    fn handles_are_found_under_the_tenants_key_alone() {
        let ring = Keyring::new(MasterKey::new([7; 32]));
        let same = Handle::Phone("+41440000000".into());
        let digest = ring.tenant(&tenant("a")).index(&same);
        assert_eq!(digest, ring.tenant(&tenant("a")).index(&same));
        assert_ne!(digest, ring.tenant(&tenant("b")).index(&same));
        assert_ne!(digest, ring.tenant(&tenant("a")).index(&Handle::Email("+41440000000".into())));
    }

    #[test]
    fn a_key_file_is_made_once_and_private() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("master.key");
        let first = MasterKey::load_or_create(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(first.0, MasterKey::load_or_create(&path).unwrap().0);
        assert_ne!(first.0, [0; 32]);
        assert_eq!(format!("{first:?}"), "MasterKey(***)");

        std::fs::write(&path, [1; 33]).unwrap();
        let refused = MasterKey::load(&path).unwrap_err().to_string();
        assert!(refused.contains("exactly 32 bytes"), "{refused}");
    }
}
