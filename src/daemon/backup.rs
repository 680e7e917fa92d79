//! `tieline backup` and `tieline restore`: a journal into a folder of its own, and back.
//!
//! Both work on the store themselves, not through the daemon: a daemon that is confined to its data directory could not
//! write where backups belong, and a backup must not need one that runs.

use crate::drive;
use crate::journal::{MasterKey, Sqlite};
use crate::settings::{JournalKind, Settings};
use anyhow::{Context, bail, ensure};
use aws_lc_rs::digest;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use tieline_model::{Clock, Seq, TenantId};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The form of a backup; one of a later form is refused.
const FORM: u32 = 1;
const MANIFEST: &str = "manifest.json";
const JOURNAL: &str = "journal.db";
const JOURNAL_KEY: &str = "journal.key";
const AUTH_KEY: &str = "auth.key";
/// Epochs rise by so much after a restore: more often than a daemon started since the backup was made.
const EPOCHS: i64 = 1_000_000;

/// What a backup holds.
#[derive(Debug, Serialize, Deserialize)]
struct Manifest {
    form: u32,
    /// By which version.
    tieline: String,
    /// When, RFC 3339.
    made_at: String,
    /// From which kind of store.
    store: String,
    tenants: BTreeMap<TenantId, Stand>,
    files: BTreeMap<String, Sum>,
}

/// Where a contact centre stood.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stand {
    /// The number of its latest event.
    head: Seq,
    /// SHA-256 of its state after it, made by a replay of the copy.
    state: String,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Sum {
    bytes: u64,
    sha256: String,
}

/// Writes a backup into a folder that is not there yet, reads it back whole, and says where each contact centre stood.
/// The daemon may run meanwhile.
///
/// # Errors
/// The folder is there, there is no journal, the key is not the journal's, or something cannot be read or written.
pub(super) async fn backup(settings: &Settings, to: &Path, with_keys: bool) -> anyhow::Result<()> {
    is_a_file(settings)?;
    let mut folder = fs::DirBuilder::new();
    let made = folder.mode(0o700).create(to);
    made.with_context(|| format!("{} cannot be made; name a folder that is not there yet", to.display()))?;
    let done = fill(settings, to, with_keys).await;
    if done.is_err() {
        // Half a backup is worse than none; that it cannot be removed is no more than the error says already.
        let _ = fs::remove_dir_all(to);
    }
    let manifest = done?;
    for (tenant, stand) in &manifest.tenants {
        println!("{tenant}: {} events, state {}", stand.head.0, stand.state);
    }
    let bytes: u64 = manifest.files.values().map(|sum| sum.bytes).sum();
    println!("Backed up to {}, {bytes} bytes, read back and replayed.", to.display());
    if with_keys {
        println!("The keys are in it: whoever has this folder can read everything.");
    } else {
        println!("The keys are not in it; keep copies of them apart from it (`--with-keys` puts them in).");
    }
    Ok(())
}

async fn fill(settings: &Settings, to: &Path, with_keys: bool) -> anyhow::Result<Manifest> {
    let journal = &settings.journal;
    let made_at = now()?;
    Sqlite::copy(&journal.path, &to.join(JOURNAL)).await?;
    let tenants = look_through(&to.join(JOURNAL), MasterKey::load(&journal.key_file)?).await?;
    let mut names = vec![JOURNAL];
    if with_keys {
        for (name, from) in [(JOURNAL_KEY, &journal.key_file), (AUTH_KEY, &settings.auth.key_file)] {
            copy(from, &to.join(name))?;
            names.push(name);
        }
    }
    let sums = names.into_iter().map(|name| Ok((name.to_owned(), sum(&to.join(name))?)));
    let files = sums.collect::<anyhow::Result<_>>()?;
    let store = "sqlite".to_owned();
    let tieline = env!("CARGO_PKG_VERSION").to_owned();
    let manifest = Manifest { form: FORM, tieline, made_at, store, tenants, files };
    // Last, so that a folder with a manifest is whole.
    write(&to.join(MANIFEST), &serde_json::to_vec_pretty(&manifest)?)?;
    sync_folder(to)?;
    Ok(manifest)
}

/// Opens a copy as a daemon would, looks for damage, and replays every journal in it.
async fn look_through(path: &Path, key: MasterKey) -> anyhow::Result<BTreeMap<TenantId, Stand>> {
    let copy = Sqlite::open(path, key).await?;
    let looked = async {
        copy.quick_check().await.context("the copy is damaged")?;
        let mut tenants = BTreeMap::new();
        for (tenant, head) in copy.heads().await? {
            let state = drive::replay(&copy, &tenant, head).await?.to_string();
            tenants.insert(tenant, Stand { head, state });
        }
        anyhow::Ok(tenants)
    };
    let looked = looked.await;
    copy.close().await;
    looked
}

/// Puts a backup back where the settings say the journal is, and where there must be none.
///
/// # Errors
/// Something is there already, the backup is not whole, or its key is neither in it nor in its place.
pub(super) async fn restore(settings: &Settings, from: &Path) -> anyhow::Result<()> {
    is_a_file(settings)?;
    let manifest = read_manifest(from)?;
    for (name, sum_then) in &manifest.files {
        let path = from.join(name);
        let whole = sum(&path).is_ok_and(|now| now == *sum_then);
        ensure!(whole, "{} is not as it was when the backup was made; take another one", path.display());
    }
    let journal = &settings.journal;
    for path in with_companions(&journal.path) {
        ensure!(!path.exists(), "{} is there; stop the daemon and move it away first", path.display());
    }
    let mut made = Vec::new();
    let put = async {
        put_back(settings, from, &manifest, &mut made)?;
        check(settings, &manifest).await
    };
    if let Err(error) = put.await {
        for path in made {
            // What stays is named by the error or stands in the way of the next try, which says so.
            let _ = fs::remove_file(path);
        }
        return Err(error);
    }
    for (tenant, stand) in &manifest.tenants {
        println!("{tenant}: {} events, state {}", stand.head.0, stand.state);
    }
    println!(
        "Restored to {} as it was on {}; what was done since then is lost. Logs that were sent since then are sent \
         again, and each finds its record.",
        journal.path.display(),
        manifest.made_at
    );
    Ok(())
}

fn is_a_file(settings: &Settings) -> anyhow::Result<()> {
    let file = settings.journal.kind == JournalKind::Sqlite;
    ensure!(
        file,
        "`journal.kind` is `postgres`: back the database up by its own means, such as `pg_dump --format=custom \
         --schema={}`; docs/operations.md says what matters",
        settings.journal.schema
    );
    Ok(())
}

fn read_manifest(from: &Path) -> anyhow::Result<Manifest> {
    let path = from.join(MANIFEST);
    let bytes = fs::read(&path).with_context(|| {
        format!("{} cannot be read; name a folder that `tieline backup` made", path.display())
    })?;
    let manifest: Manifest =
        serde_json::from_slice(&bytes).with_context(|| format!("{} is not a backup's", path.display()))?;
    ensure!(
        manifest.form <= FORM,
        "a newer version ({}) made this backup; restore with it",
        manifest.tieline
    );
    ensure!(manifest.store == "sqlite", "this backup is of a journal in {}", manifest.store);
    Ok(manifest)
}

/// Files first under other names, so that a crash leaves nothing that looks like a journal.
fn put_back(
    settings: &Settings,
    from: &Path,
    manifest: &Manifest,
    made: &mut Vec<PathBuf>,
) -> anyhow::Result<()> {
    let (journal, auth) = (&settings.journal, &settings.auth.key_file);
    let mut keys_missing = !journal.key_file.exists();
    for (name, to) in [(JOURNAL_KEY, &journal.key_file), (AUTH_KEY, auth), (JOURNAL, &journal.path)] {
        // Keys that are in their place stay; whether the journal's is the right one is seen when it is opened.
        let wanted = manifest.files.contains_key(name) && !to.exists();
        if name == JOURNAL && keys_missing {
            bail!(
                "the key {} is not there and not in the backup; put its copy there first",
                journal.key_file.display()
            );
        }
        if !wanted {
            continue;
        }
        keys_missing &= name != JOURNAL_KEY;
        if let Some(folder) = to.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        }
        let draft = to.with_added_extension("restoring");
        if draft.exists() {
            fs::remove_file(&draft).with_context(|| format!("{} is in the way", draft.display()))?;
        }
        copy(&from.join(name), &draft)?;
        fs::rename(&draft, to).with_context(|| format!("{} cannot be made", to.display()))?;
        made.push(to.clone());
        sync_folder(to.parent().unwrap_or(Path::new(".")))?;
    }
    Ok(())
}

/// What was put back says what the backup said, and nobody who wrote before the restore can write on.
async fn check(settings: &Settings, manifest: &Manifest) -> anyhow::Result<()> {
    let journal = &settings.journal;
    let key = || MasterKey::load(&journal.key_file);
    let found = look_through(&journal.path, key()?).await?;
    ensure!(
        found == manifest.tenants,
        "a replay of what was put back comes to something else than the backup says"
    );
    let store = Sqlite::open(&journal.path, key()?).await?;
    let seconds = super::clock::SystemClock::start().now().0 / 1_000;
    let raised = store.raise_epochs(EPOCHS, seconds).await;
    store.close().await;
    Ok(raised?)
}

/// The file and those SQLite keeps beside it.
fn with_companions(path: &Path) -> Vec<PathBuf> {
    let beside = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    vec![path.to_owned(), beside("-wal"), beside("-shm")]
}

fn now() -> anyhow::Result<String> {
    let ms = i128::from(super::clock::SystemClock::start().now().0);
    Ok(OffsetDateTime::from_unix_timestamp_nanos(ms * 1_000_000)?.format(&Rfc3339)?)
}

fn sum(path: &Path) -> anyhow::Result<Sum> {
    let failed = || format!("{} cannot be read", path.display());
    let mut file = File::open(path).with_context(failed)?;
    let (mut context, mut bytes) = (digest::Context::new(&digest::SHA256), 0);
    let mut buffer = vec![0; 1 << 20];
    loop {
        let read = file.read(&mut buffer).with_context(failed)?;
        if read == 0 {
            break;
        }
        context.update(&buffer[..read]);
        bytes += read as u64;
    }
    let sha256 = context.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Sum { bytes, sha256 })
}

/// A private copy, synced.
fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    let mut source = File::open(from).with_context(|| format!("{} cannot be read", from.display()))?;
    let copied = create(to).and_then(|mut file| {
        std::io::copy(&mut source, &mut file)?;
        file.sync_all()
    });
    copied.with_context(|| format!("{} cannot be written", to.display()))
}

fn write(to: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let written = create(to).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.with_context(|| format!("{} cannot be written", to.display()))
}

fn create(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

fn sync_folder(folder: &Path) -> anyhow::Result<()> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.with_context(|| format!("{} cannot be synced", folder.display()))
}
