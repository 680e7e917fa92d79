//! Reads the file, the environment, and the files that secrets stand in.

use super::presets::Layer;
use super::{Problems, Role, Secret, Settings, bus, journal};
use config::{Config, Environment, File, FileFormat};
use std::collections::HashMap;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// What stands before every variable of the environment that is a setting: `TIELINE__BUS__URL` is `bus.url`.
const PREFIX: &str = "TIELINE";
/// Longest settings file; beyond it something is wrong with the path.
const FILE_BYTES_MAX: u64 = 16 << 20;
/// Longest file with a secret.
const SECRET_BYTES_MAX: u64 = 64 << 10;

/// Why settings could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file is missing, too long, or not text.
    #[error("the settings file {} cannot be read: {why}; name another with --settings", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The text or a variable does not fit: the parser names the key.
    #[error("the settings {from} do not fit: {why}")]
    Shape {
        /// The file's name, or where else they come from.
        from: String,
        /// What the parser says; names the key.
        why: String,
    },
    /// They fit and will not do.
    #[error(transparent)]
    Values(#[from] Problems),
    /// A file that a key names cannot be used.
    #[error("`{key}` names {}, which cannot be used: {why}; name a file that this user can read", .path.display())]
    Named {
        /// The key.
        key: String,
        /// Which file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The key file cannot be used.
    #[error("the key file {} cannot be used: {why}", .path.display())]
    Key {
        /// Which.
        path: PathBuf,
        /// Why, and the way out.
        why: String,
    },
}

/// Settings from a file (none: defaults) and the given variables, checked.
///
/// # Errors
/// The file cannot be read, a key is unknown or holds the wrong kind of value, or the values will not do (all
/// problems at once).
pub fn load(file: Option<&Path>, env: HashMap<String, String>) -> Result<Settings, Error> {
    load_as(&[], file, env)
}

/// As [`load`], for a process with these roles; without any, with those that the settings say.
///
/// # Errors
/// As [`load`].
pub fn load_as(roles: &[Role], file: Option<&Path>, env: HashMap<String, String>) -> Result<Settings, Error> {
    let Some(path) = file else { return build("", "of the environment".to_owned(), env, roles) };
    let text = read_text(path, FILE_BYTES_MAX).map_err(|why| Error::File { path: path.to_owned(), why })?;
    build(&text, format!("in {}", path.display()), env, roles)
}

/// Settings from a text and the given variables, checked. For tests and demos.
///
/// # Errors
/// As [`load`].
pub fn load_text(text: &str, env: HashMap<String, String>) -> Result<Settings, Error> {
    build(text, "given".to_owned(), env, &[])
}

/// The variables of this process's environment that are settings.
#[must_use]
pub fn from_env() -> HashMap<String, String> {
    std::env::vars().filter(|(name, _)| name.starts_with("TIELINE__")).collect()
}

/// The JSON Schema (2020-12) of the settings file.
#[must_use]
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(Settings).to_value()
}

fn build(text: &str, from: String, env: HashMap<String, String>, roles: &[Role]) -> Result<Settings, Error> {
    let shape = |why: config::ConfigError| {
        let why = why.to_string();
        Error::Shape { from: from.clone(), why: format!("{why}{}", choices(&why)) }
    };
    // Parsing of values stays off: a secret made of digits must stay text.
    let environment = Environment::with_prefix(PREFIX)
        .prefix_separator("__")
        .separator("__")
        .try_parsing(false)
        .source(Some(env));
    let file = File::from_str(text, FileFormat::Toml);
    let written = Config::builder().add_source(file.clone()).add_source(environment.clone());
    let presets = Layer::of(&written.build().map_err(shape)?).map_err(shape)?;
    let mut settings: Settings = Config::builder()
        .add_source(presets)
        .add_source(file)
        .add_source(environment)
        .build()
        .map_err(shape)?
        .try_deserialize()
        .map_err(shape)?;
    if !roles.is_empty() {
        settings.daemon.roles = roles.to_vec();
    }
    let mut problems = Problems::default();
    fetch_secrets(&mut settings, &mut problems);
    if let Err(more) = settings.validate() {
        let fetched: Vec<String> = problems.0.iter().map(|p| p.key.clone()).collect();
        let silenced = |key: &str| fetched.iter().any(|f| f.strip_suffix("_file") == Some(key));
        problems.0.extend(more.0.into_iter().filter(|p| !silenced(&p.key)));
    }
    problems.into_result()?;
    Ok(settings)
}

/// What may stand where the parser found a word it does not know; the parser names the kind of thing only.
fn choices(why: &str) -> String {
    let Some((_, rest)) = why.split_once("enum ") else { return String::new() };
    let Some((kind, _)) = rest.split_once(" does not have variant") else { return String::new() };
    let schema = schema();
    let known = &schema["$defs"][kind];
    let listed = known["enum"].as_array().into_iter().flatten().filter_map(|v| v.as_str());
    let described = known["oneOf"].as_array().into_iter().flatten().filter_map(|v| v["const"].as_str());
    let words: Vec<&str> = listed.chain(described).collect();
    if words.is_empty() { String::new() } else { format!("; write one of {}", words.join(", ")) }
}

fn fetch_secrets(settings: &mut Settings, problems: &mut Problems) {
    let Settings { bus, journal, .. } = &mut *settings;
    for (key, default, file, url) in [
        ("bus.url", bus::DEFAULT_URL, &bus.url_file, &mut bus.url),
        ("journal.url", journal::DEFAULT_URL, &journal.url_file, &mut journal.url),
    ] {
        let Some(path) = file else { continue };
        let mut fetched = (url.reveal() != default).then(|| url.clone());
        fetch(key, path, &mut fetched, problems);
        *url = fetched.unwrap_or_default();
    }
    for (name, producer) in &mut settings.auth.producers {
        if let Some(path) = &producer.token_file {
            fetch(&format!("auth.producers.{name}.token"), path, &mut producer.token, problems);
        }
    }
    for (name, issuer) in &mut settings.auth.issuers {
        if let Some(path) = &issuer.key_file {
            fetch(&format!("auth.issuers.{name}.key"), path, &mut issuer.key, problems);
        }
    }
}

fn fetch(key: &str, path: &Path, into: &mut Option<Secret>, problems: &mut Problems) {
    let file_key = format!("{key}_file");
    if into.is_some() {
        problems.add(file_key, format!("is set, and `{key}` too"), "keep one of the two");
        return;
    }
    match read_text(path, SECRET_BYTES_MAX) {
        Ok(text) => *into = Some(Secret::new(text.trim())),
        Err(why) => problems.add(
            file_key,
            format!("names {}, which cannot be read: {why}", path.display()),
            "name a file that this user can read",
        ),
    }
}

pub(super) fn read_text(path: &Path, bytes_max: u64) -> Result<String, String> {
    let file = std::fs::File::open(path).map_err(|e| e.to_string())?;
    let mut text = String::new();
    file.take(bytes_max + 1).read_to_string(&mut text).map_err(|e| e.to_string())?;
    if text.len() as u64 > bytes_max {
        return Err(format!("it is longer than {bytes_max} bytes"));
    }
    Ok(text)
}

/// Reads a key of 32 bytes from its file; a missing file is made, with mode 0600 and a fresh random key.
///
/// # Errors
/// The file is readable by others, is not 32 bytes in hexadecimal, or cannot be read or made.
pub fn read_or_make_key(path: &Path) -> Result<[u8; 32], Error> {
    let bad = |why: String| Error::Key { path: path.to_owned(), why };
    if !path.exists() {
        match make_key(path) {
            // Another start of the same daemon was quicker; its key counts.
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
            made => made.map_err(|e| bad(e.to_string()))?,
        }
    }
    check_private(path).map_err(bad)?;
    let text = read_text(path, 1_024).map_err(bad)?;
    unhex(text.trim()).ok_or_else(|| {
        bad("it does not hold 64 hexadecimal digits; restore it from its backup, or remove it for a fresh one".to_owned())
    })
}

fn make_key(path: &Path) -> std::io::Result<()> {
    if let Some(dir) = path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
        std::fs::create_dir_all(dir)?;
    }
    let mut key = [0_u8; 32];
    aws_lc_rs::rand::fill(&mut key).map_err(|_| std::io::Error::other("no random numbers"))?;
    let hex: String = key.iter().map(|b| format!("{b:02x}")).collect();
    // Written whole under another name and then linked, so that no start ever reads half a key.
    let made = path.with_extension(format!("new-{}", std::process::id()));
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(&made).and_then(|mut file| {
        file.write_all(hex.as_bytes())?;
        file.write_all(b"\n")?;
        file.sync_all()
    });
    let linked = written.and_then(|()| std::fs::hard_link(&made, path));
    let removed = std::fs::remove_file(&made);
    linked.and(removed)
}

#[cfg(unix)]
fn check_private(path: &Path) -> Result<(), String> {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(path).map_err(|e| e.to_string())?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(format!(
            "its mode is {:o}, so others can read it; set it to 600 (chmod 600)",
            mode & 0o777
        ));
    }
    Ok(())
}

#[cfg(not(unix))]
fn check_private(_: &Path) -> Result<(), String> {
    Ok(())
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    let mut key = [0_u8; 32];
    for (at, byte) in key.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[at * 2..at * 2 + 2], 16).ok()?;
    }
    Some(key)
}
