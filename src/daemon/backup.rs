//! `tieline backup` and `tieline restore`: a journal into a folder of its own, and back.
//!
//! Both work on the store themselves, not through the daemon: a daemon that is confined to its data directory could not
//! write where backups belong, and a backup must not need one that runs. A database is copied by its own programs,
//! `pg_dump` and `pg_restore`.

use crate::drive;
use crate::journal::{MasterKey, Postgres, PostgresOptions, Sqlite, Store};
use crate::settings::{JournalKind, Settings};
use anyhow::{Context, ensure};
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
use tokio::process::Command;

/// The form of a backup; one of a later form is refused.
const FORM: u32 = 1;
const MANIFEST: &str = "manifest.json";
const JOURNAL: &str = "journal.db";
const DUMP: &str = "journal.dump";
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
    let (store, file) = kind(settings);
    let tenants = match journal.kind {
        JournalKind::Sqlite => {
            Sqlite::copy(&journal.path, &to.join(file)).await?;
            look_through(&to.join(file), MasterKey::load(&journal.key_file)?).await?
        }
        JournalKind::Postgres => dump(settings, &to.join(file)).await?,
    };
    let mut names = vec![file];
    if with_keys {
        for (name, from) in [(JOURNAL_KEY, &journal.key_file), (AUTH_KEY, &settings.auth.key_file)] {
            copy(from, &to.join(name))?;
            names.push(name);
        }
    }
    let sums = names.into_iter().map(|name| Ok((name.to_owned(), sum(&to.join(name))?)));
    let files = sums.collect::<anyhow::Result<_>>()?;
    let store = store.to_owned();
    let tieline = env!("CARGO_PKG_VERSION").to_owned();
    let manifest = Manifest { form: FORM, tieline, made_at, store, tenants, files };
    // Last, so that a folder with a manifest is whole.
    write(&to.join(MANIFEST), &serde_json::to_vec_pretty(&manifest)?)?;
    sync_folder(to)?;
    Ok(manifest)
}

/// The kind of store the settings name, and the file of a backup that holds it.
fn kind(settings: &Settings) -> (&'static str, &'static str) {
    match settings.journal.kind {
        JournalKind::Sqlite => ("sqlite", JOURNAL),
        JournalKind::Postgres => ("postgres", DUMP),
    }
}

/// Dumps a schema as it stands at one moment, and replays every journal up to it.
async fn dump(settings: &Settings, to: &Path) -> anyhow::Result<BTreeMap<TenantId, Stand>> {
    let options = super::database(settings);
    let moment = Postgres::moment(&options).await.context("`journal.url`")?;
    // Private from its first byte; `pg_dump` writes into it.
    drop(create(to).with_context(|| format!("{} cannot be written", to.display()))?);
    let mut command = client("pg_dump", &options)?;
    command.args(["--format=custom", "--no-owner", "--no-privileges"]);
    command.arg(format!("--schema={}", options.schema)).arg(format!("--snapshot={}", moment.name));
    command.arg("--file").arg(to);
    run(command).await?;
    File::open(to)
        .and_then(|file| file.sync_all())
        .with_context(|| format!("{} cannot be synced", to.display()))?;
    let store = Postgres::open(&options, MasterKey::load(&settings.journal.key_file)?).await?;
    replayed(store.as_ref(), moment.heads).await
}

/// A program of the database's, told where it is: the address in its arguments, the password in its environment, as
/// arguments can be read by everybody on the machine.
fn client(program: &str, options: &PostgresOptions) -> anyhow::Result<Command> {
    let (scheme, rest) =
        options.url.split_once("://").context("`journal.url` is not an address of a database")?;
    let ends = rest.find(['/', '?']).unwrap_or(rest.len());
    let (user, host) = rest[..ends].rsplit_once('@').unwrap_or(("", &rest[..ends]));
    let (name, password) = user.split_once(':').map_or((user, None), |(name, word)| (name, Some(word)));
    let at = if name.is_empty() { "" } else { "@" };
    let mut command = Command::new(program);
    command.arg(format!("--dbname={scheme}://{name}{at}{host}{}", &rest[ends..])).kill_on_drop(true);
    if let Some(password) = password {
        command.env("PGPASSWORD", decoded(password));
    }
    Ok(command)
}

/// Without the percent signs of an address.
fn decoded(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((byte, after)) = rest.split_first() {
        let pair = after.get(..2).and_then(|pair| std::str::from_utf8(pair).ok());
        match pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()).filter(|_| *byte == b'%') {
            Some(meant) => {
                bytes.push(meant);
                rest = &after[2..];
            }
            None => {
                bytes.push(*byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

async fn run(mut command: Command) -> anyhow::Result<()> {
    let name = command.as_std().get_program().to_string_lossy().into_owned();
    let output = command.output().await;
    let output =
        output.with_context(|| format!("{name} cannot be run; install the database's client programs"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{name} failed: {}", said.trim());
    Ok(())
}

async fn replayed(
    store: &dyn Store,
    heads: BTreeMap<TenantId, Seq>,
) -> anyhow::Result<BTreeMap<TenantId, Stand>> {
    let mut tenants = BTreeMap::new();
    for (tenant, head) in heads {
        let state = drive::replay(store, &tenant, head).await?.to_string();
        tenants.insert(tenant, Stand { head, state });
    }
    Ok(tenants)
}

/// Opens a copy as a daemon would, looks for damage, and replays every journal in it.
async fn look_through(path: &Path, key: MasterKey) -> anyhow::Result<BTreeMap<TenantId, Stand>> {
    let copy = Sqlite::open(path, key).await?;
    let looked = async {
        copy.quick_check().await.context("the copy is damaged")?;
        replayed(&copy, copy.heads().await?).await
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
    let manifest = read_manifest(from)?;
    let (store, file) = kind(settings);
    ensure!(
        manifest.store == store,
        "the backup is of a journal in {}, `journal.kind` is `{store}`",
        manifest.store
    );
    ensure!(manifest.files.contains_key(file), "there is no {file} in the backup");
    for (name, sum_then) in &manifest.files {
        let path = from.join(name);
        let whole = sum(&path).is_ok_and(|now| now == *sum_then);
        ensure!(whole, "{} is not as it was when the backup was made; take another one", path.display());
    }
    vacant(settings).await?;
    let mut made = Vec::new();
    let put = async {
        put_back(settings, from, &manifest, &mut made)?;
        if settings.journal.kind == JournalKind::Postgres {
            let mut command = client("pg_restore", &super::database(settings))?;
            command.args(["--no-owner", "--no-privileges", "--single-transaction", "--exit-on-error"]);
            command.arg(from.join(file));
            run(command).await?;
        }
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
        "Restored as it was on {}; what was done since then is lost. Logs that were sent since then are sent \
         again, and each finds its record.",
        manifest.made_at
    );
    Ok(())
}

/// There is no journal yet where the settings say that it is.
async fn vacant(settings: &Settings) -> anyhow::Result<()> {
    if settings.journal.kind == JournalKind::Postgres {
        let options = super::database(settings);
        let vacant = Postgres::is_vacant(&options).await.context("`journal.url`")?;
        ensure!(
            vacant,
            "schema `{}` is there; stop all daemons and rename it first, or name an empty database",
            options.schema
        );
        return Ok(());
    }
    for path in with_companions(&settings.journal.path) {
        ensure!(!path.exists(), "{} is there; stop the daemon and move it away first", path.display());
    }
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
    ensure!(
        journal.key_file.exists() || manifest.files.contains_key(JOURNAL_KEY),
        "the key {} is not there and not in the backup; put its copy there first",
        journal.key_file.display()
    );
    for (name, to) in [(JOURNAL_KEY, &journal.key_file), (AUTH_KEY, auth), (JOURNAL, &journal.path)] {
        // Keys that are in their place stay; whether the journal's is the right one is seen when it is opened.
        let wanted = manifest.files.contains_key(name) && !to.exists();
        if !wanted {
            continue;
        }
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
    let seconds = super::clock::SystemClock::start().now().0 / 1_000;
    let differs = "a replay of what was put back comes to something else than the backup says";
    match journal.kind {
        JournalKind::Sqlite => {
            ensure!(look_through(&journal.path, key()?).await? == manifest.tenants, differs);
            let store = Sqlite::open(&journal.path, key()?).await?;
            let raised = store.raise_epochs(EPOCHS, seconds).await;
            store.close().await;
            raised?;
        }
        JournalKind::Postgres => {
            let store = Postgres::open(&super::database(settings), key()?).await?;
            ensure!(replayed(store.as_ref(), store.heads().await?).await? == manifest.tenants, differs);
            store.raise_epochs(EPOCHS, seconds).await?;
        }
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_password_is_in_no_argument() {
        let options = PostgresOptions {
            url: "postgres://tie:p%40ss:w%2Frd@db.example:5433/line?sslmode=require".to_owned(),
            schema: "tieline".to_owned(),
            writers: 1,
            readers: 1,
            connect_within: Duration::ZERO,
            statement_within: Duration::ZERO,
            lease: Duration::ZERO,
        };
        let command = client("pg_dump", &options).unwrap();
        let command = command.as_std();
        let arguments: Vec<_> = command.get_args().map(|a| a.to_string_lossy().into_owned()).collect();
        assert_eq!(arguments, ["--dbname=postgres://tie@db.example:5433/line?sslmode=require"]);
        let environment: Vec<_> = command.get_envs().collect();
        assert_eq!(environment, [("PGPASSWORD".as_ref(), Some("p@ss:w/rd".as_ref()))]);
        assert_eq!(decoded("100%"), "100%");
    }
}
