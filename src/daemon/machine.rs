//! What `tieline doctor` looks at on this machine: folders, room, key files, listening addresses, the clock.

use crate::settings::{JournalKind, Settings};
use std::fs::{self, OpenOptions};
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tieline_connector_api::{Finding, Severity};
use tieline_model::{Clock, Timestamp};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

/// Room on the journal's disk below which somebody should look.
const ROOM_WARN_MIB: u64 = 2_048;
/// Room below which the journal may soon take no commits.
const ROOM_ERROR_MIB: u64 = 128;
/// A clock that is wrong by more makes signed tokens fail at some CRM.
const SKEW_WARN_S: i64 = 5;
const SKEW_ERROR_S: i64 = 60;
/// Longest wait for a server that is asked for its time.
const TIME_WITHIN: Duration = Duration::from_secs(5);

/// Everything that can be seen without a network. `running` says that the daemon answers, so that its own listeners
/// do not count against it.
pub(super) fn findings(settings: &Settings, running: bool) -> Vec<Finding> {
    let journal = &settings.journal;
    let in_a_file = journal.kind == JournalKind::Sqlite;
    let mut found = Vec::new();
    if in_a_file {
        found.push(folder(&journal.path));
        found.extend(room(&journal.path));
    }
    found.push(own_key("journal.key_file", &journal.key_file, in_a_file && journal.path.exists()));
    found.push(own_key("auth.key_file", &settings.auth.key_file, false));
    for (key, path) in secret_files(settings) {
        found.push(closed(key, path));
    }
    for (key, address) in
        [("http.listen", settings.http.listen), ("http.admin_listen", settings.http.admin_listen)]
    {
        found.push(listener(key, address, running));
    }
    found
}

fn finding(severity: Severity, what: impl Into<String>, says: impl Into<String>) -> Finding {
    Finding { severity, what: what.into(), says: says.into() }
}

/// The folder that a file is or will be in, or the nearest one above that is there.
fn nearest(path: &Path) -> PathBuf {
    let above = path.ancestors().skip(1).find(|folder| folder.is_dir());
    above.filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
}

fn folder(path: &Path) -> Finding {
    let folder = nearest(path);
    let probe = folder.join(format!(".tieline-doctor-{}", std::process::id()));
    let tried = OpenOptions::new().write(true).create_new(true).open(&probe);
    match tried.and_then(|_| fs::remove_file(&probe)) {
        Ok(()) => finding(Severity::Good, "journal.path", format!("{} can be written to", folder.display())),
        Err(error) => finding(
            Severity::Error,
            "journal.path",
            format!("{} cannot be written to ({error}); give it to the daemon's user", folder.display()),
        ),
    }
}

fn room(path: &Path) -> Option<Finding> {
    let folder = nearest(path);
    let disk = rustix::fs::statvfs(&folder).ok()?;
    let mib = disk.f_bavail.saturating_mul(disk.f_frsize) >> 20;
    Some(room_of(mib))
}

fn room_of(mib: u64) -> Finding {
    let (severity, advice) = match mib {
        0..ROOM_ERROR_MIB => (Severity::Error, "; a full disk takes no commits, so make room now"),
        ROOM_ERROR_MIB..ROOM_WARN_MIB => (Severity::Warning, "; make room before it is full"),
        ROOM_WARN_MIB.. => (Severity::Good, ""),
    };
    finding(severity, "journal.path", format!("{mib} MiB are free on its disk{advice}"))
}

/// A key that the daemon makes for itself.
fn own_key(key: &str, path: &Path, needed: bool) -> Finding {
    match fs::metadata(path) {
        Ok(metadata) => {
            let mode = metadata.permissions().mode() & 0o777;
            if mode & 0o077 == 0 {
                return finding(Severity::Good, key, format!("{} is closed to others", path.display()));
            }
            let says = format!("{} has mode {mode:o}, so others can read it; chmod 600", path.display());
            finding(Severity::Error, key, says)
        }
        Err(error) if error.kind() == ErrorKind::NotFound && needed => {
            let path = path.display();
            let says =
                format!("{path} is gone, and without it the journal's content cannot be read; put it back");
            finding(Severity::Error, key, says)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            finding(Severity::Good, key, format!("{} is made at the first start", path.display()))
        }
        Err(error) => {
            let says = format!("{} cannot be looked at: {error}; is this the daemon's user?", path.display());
            finding(Severity::Error, key, says)
        }
    }
}

/// Files that hold secrets of others, with their keys.
fn secret_files(settings: &Settings) -> Vec<(String, &Path)> {
    let mut files: Vec<(String, &Path)> = Vec::new();
    for (key, file) in
        [("bus.url_file", &settings.bus.url_file), ("journal.url_file", &settings.journal.url_file)]
    {
        files.extend(file.iter().map(|path| (key.to_owned(), path.as_path())));
    }
    for (name, producer) in &settings.auth.producers {
        files.extend(
            producer.token_file.iter().map(|p| (format!("auth.producers.{name}.token_file"), p.as_path())),
        );
    }
    files
}

/// A secret that everybody on the machine can read is none. Behind a closed folder it is one.
fn closed(key: String, path: &Path) -> Finding {
    let open = |path: &Path, bit: u32| fs::metadata(path).is_ok_and(|m| m.permissions().mode() & bit != 0);
    let reached =
        path.ancestors().skip(1).filter(|f| !f.as_os_str().is_empty()).all(|folder| open(folder, 0o001));
    if reached && open(path, 0o004) {
        let says = format!("{} can be read by everybody on this machine; chmod o-r", path.display());
        return finding(Severity::Warning, key, says);
    }
    finding(Severity::Good, key, format!("{} is closed to others", path.display()))
}

fn listener(key: &str, address: SocketAddr, running: bool) -> Finding {
    match TcpListener::bind(address) {
        Ok(_) => finding(Severity::Good, key, format!("{address} is free")),
        Err(error) if error.kind() == ErrorKind::AddrInUse && running => {
            finding(Severity::Good, key, format!("the running daemon listens on {address}"))
        }
        Err(error) => {
            let says =
                format!("{address} cannot be listened on ({error}); stop what does, or choose another");
            finding(Severity::Error, key, says)
        }
    }
}

/// How far this machine's clock is from that of a server, as its answers are dated; nothing when it does not say.
pub(super) async fn clock(server: &str, clock: &dyn Clock) -> Option<Finding> {
    let client = reqwest::Client::builder().timeout(TIME_WITHIN).build().ok()?;
    let answer = client.head(server).send().await.ok()?;
    let date = answer.headers().get("date")?.to_str().ok()?;
    let date = OffsetDateTime::parse(date, &Rfc2822).ok()?;
    Some(skew(server, date.unix_timestamp(), clock.now()))
}

fn skew(server: &str, theirs_s: i64, ours: Timestamp) -> Finding {
    let ahead = ours.0 / 1_000 - theirs_s;
    let word = if ahead < 0 { "behind" } else { "ahead of" };
    let (severity, advice) = match ahead.abs() {
        0..=SKEW_WARN_S => (Severity::Good, ""),
        s if s < SKEW_ERROR_S => (Severity::Warning, "; let the machine follow a time server"),
        _ => (Severity::Error, ", so signed tokens fail; let the machine follow a time server"),
    };
    finding(severity, "clock", format!("this machine's is {} s {word} that of {server}{advice}", ahead.abs()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::Permissions;

    #[test]
    fn a_key_that_others_can_read_or_that_is_gone_from_a_journal_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("journal.key");
        assert_eq!(own_key("k", &key, false).severity, Severity::Good);
        let gone = own_key("k", &key, true);
        assert!(gone.severity == Severity::Error && gone.says.contains("put it back"), "{}", gone.says);
        fs::write(&key, "x").unwrap();
        fs::set_permissions(&key, Permissions::from_mode(0o640)).unwrap();
        let open = own_key("k", &key, true);
        assert!(open.severity == Severity::Error && open.says.contains("mode 640"), "{}", open.says);
        fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
        assert_eq!(own_key("k", &key, true).severity, Severity::Good);
    }

    #[test]
    fn a_secret_that_everybody_can_reach_is_a_warning() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("url");
        fs::write(&file, "x").unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        assert_eq!(closed("k".to_owned(), &file).severity, Severity::Warning);
        fs::set_permissions(folder.path(), Permissions::from_mode(0o700)).unwrap();
        assert_eq!(closed("k".to_owned(), &file).severity, Severity::Good);
    }

    #[test]
    fn an_address_that_is_taken_is_an_error_unless_the_daemon_has_it() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        assert_eq!(listener("http.listen", address, true).severity, Severity::Good);
        let other = listener("http.listen", address, false);
        assert!(other.severity == Severity::Error && other.says.contains(&address.to_string()));
        drop(taken);
        assert_eq!(listener("http.listen", address, false).severity, Severity::Good);
        let nowhere = listener("http.listen", "192.0.2.1:80".parse().unwrap(), true);
        assert_eq!(nowhere.severity, Severity::Error, "an address of another machine");
    }

    #[test]
    fn room_and_clock_are_judged_by_how_much_is_wrong() {
        let room = [0, 127, 128, 2_047, 2_048].map(|mib| room_of(mib).severity);
        use Severity::{Error, Good, Warning};
        assert_eq!(room, [Error, Error, Warning, Warning, Good]);
        let skews =
            [-61, -6, -5, 0, 5, 6, 60].map(|s| skew("crm", 1_000, Timestamp((1_000 + s) * 1_000)).severity);
        assert_eq!(skews, [Error, Warning, Good, Good, Good, Warning, Error]);
        let date = OffsetDateTime::parse("Sun, 06 Nov 1994 08:49:37 GMT", &Rfc2822).unwrap();
        assert_eq!(date.unix_timestamp(), 784_111_777, "as HTTP writes it");
    }

    #[test]
    fn a_journal_goes_where_its_nearest_folder_can_be_written_to() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/journal.db");
        assert_eq!(nearest(&path), folder.path());
        assert_eq!(super::folder(&path).severity, Severity::Good);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left behind");
        assert_eq!(nearest(Path::new("journal.db")), Path::new("."));
        assert_eq!(super::folder(Path::new("/proc/journal.db")).severity, Severity::Error);
    }
}
