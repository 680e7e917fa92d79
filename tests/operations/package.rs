//! The Debian package in a root of its own: what it brings, what an upgrade keeps, what a purge takes away.

use crate::debian::{Parts, build};
use crate::{read, said, source, tieline};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// A root with nothing but dpkg's own files in it.
struct Root {
    folder: TempDir,
    package: PathBuf,
}

impl Root {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let admin = folder.path().join("root/var/lib/dpkg");
        for name in ["info", "updates", "triggers"] {
            fs::create_dir_all(admin.join(name)).expect("a folder");
        }
        for name in ["status", "available"] {
            fs::write(admin.join(name), "").expect("a file");
        }
        let parts =
            Parts { sources: &source(""), program: tieline(), libraries: "none, in a test", packing: "none" };
        let package = build(&parts, folder.path()).expect("a package");
        Self { folder, package }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join("root").join(path)
    }

    /// dpkg in this root; the packages that ours needs are not there, and scripts run on this machine.
    fn dpkg(&self, arguments: &[&str]) -> String {
        let mut dpkg = Command::new("dpkg");
        dpkg.arg(format!("--root={}", self.at("").display()));
        dpkg.args(["--force-depends", "--force-script-chrootless", "--force-confold"]);
        // A log of this root's, not of the machine's.
        dpkg.arg(format!("--log={}", self.folder.path().join("log").display())).args(arguments);
        let (status, text) = said(dpkg.env("DEBIAN_FRONTEND", "noninteractive"));
        assert_eq!(status, 0, "dpkg {arguments:?} (as root?):\n{text}");
        text
    }

    fn install(&self) {
        self.dpkg(&["--install", &self.package.display().to_string()]);
    }
}

/// Mode, and the group's name in that root.
fn mode(root: &Root, path: &str) -> (u32, String) {
    let metadata = fs::symlink_metadata(root.at(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    assert_eq!(metadata.uid(), 0, "{path} belongs to root");
    let groups = fs::read_to_string(root.at("etc/group")).unwrap_or_default();
    let name = groups.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        (fields.get(2)? == &metadata.gid().to_string()).then(|| fields[0].to_owned())
    });
    (metadata.mode() & 0o7777, name.unwrap_or_else(|| metadata.gid().to_string()))
}

#[test]
fn an_install_brings_program_service_settings_and_user() {
    let root = Root::new();
    root.install();
    for (path, wanted) in [
        ("usr/bin/tieline", (0o755, "0")),
        ("usr/lib/systemd/system/tieline.service", (0o644, "0")),
        ("usr/share/man/man8/tieline.8.gz", (0o644, "0")),
        ("usr/share/doc/tieline/copyright", (0o644, "0")),
        ("usr/share/doc/tieline/operations.md", (0o644, "0")),
        ("etc/tieline", (0o755, "0")),
        ("etc/tieline/tieline.toml", (0o640, "tieline")),
        ("etc/tieline/secrets", (0o700, "0")),
    ] {
        assert_eq!(mode(&root, path), (wanted.0, wanted.1.to_owned()), "{path}");
    }
    let users = fs::read_to_string(root.at("etc/passwd")).expect("users");
    let user = users.lines().find(|line| line.starts_with("tieline:")).expect("the daemon's user");
    assert!(user.ends_with(":/var/lib/tieline:/usr/sbin/nologin"), "{user}");
    assert!(
        root.at("etc/systemd/system/multi-user.target.wants/tieline.service").is_symlink(),
        "it is enabled"
    );
    let changed = root.dpkg(&["--verify", "tieline"]);
    assert!(changed.lines().all(|line| line.contains("etc/tieline/tieline.toml")), "{changed}");

    let mut verify = Command::new("systemd-analyze");
    verify.args(["verify", "--man=no", "--recursive-errors=no"]);
    verify.arg(format!("--root={}", root.at("").display())).arg("tieline.service");
    assert_eq!(said(&mut verify), (0, String::new()), "the installed service names the installed program");
}

#[test]
fn the_installed_settings_are_sound_and_a_wrong_one_is_refused_by_name() {
    let root = Root::new();
    root.install();
    let settings = root.at("etc/tieline/tieline.toml");
    let check =
        || said(Command::new(root.at("usr/bin/tieline")).args(["check", "--settings"]).arg(&settings));
    let (status, text) = check();
    assert!(status == 0 && text.contains("The settings are sound: 0 contact centre(s)"), "{text}");
    let text = fs::read_to_string(&settings).expect("settings");
    fs::write(&settings, text.replace("[bus]", "[bus]\nwindow = 0")).expect("written");
    let (status, text) = check();
    assert_eq!(status, 78, "{text}");
    assert!(text.contains("`bus.window` is 0; choose a number from 1 to 100000"), "{text}");
}

#[test]
fn an_upgrade_keeps_what_operators_wrote_and_a_purge_keeps_the_journal() {
    let root = Root::new();
    root.install();
    let settings = root.at("etc/tieline/tieline.toml");
    fs::write(&settings, "# ours\n").expect("written");
    fs::write(root.at("etc/tieline/secrets/amqp_url"), "amqp://").expect("written");
    root.install();
    assert_eq!(fs::read_to_string(&settings).expect("settings"), "# ours\n");

    let journal = root.at("var/lib/tieline/journal.db");
    fs::create_dir_all(journal.parent().expect("a folder")).expect("a folder");
    fs::write(&journal, "all that was said").expect("written");
    root.dpkg(&["--remove", "tieline"]);
    assert!(!root.at("usr/bin/tieline").exists() && settings.exists() && journal.exists());
    let text = root.dpkg(&["--purge", "tieline"]);
    assert!(!root.at("etc/tieline").exists(), "settings and secrets are gone");
    assert!(journal.exists() && text.contains("the journal and its keys stay in /var/lib/tieline"), "{text}");
    let links = root.at("etc/systemd/system/multi-user.target.wants/tieline.service");
    assert!(!links.is_symlink(), "nothing is left enabled");
}

#[test]
fn a_purge_of_a_daemon_that_never_ran_leaves_nothing() {
    let root = Root::new();
    root.install();
    fs::create_dir_all(root.at("var/lib/tieline")).expect("a folder");
    root.dpkg(&["--purge", "tieline"]);
    for path in ["etc/tieline", "var/lib/tieline", "usr/share/doc/tieline", "usr/bin/tieline"] {
        assert!(!root.at(path).exists(), "{path} is left");
    }
}

#[test]
fn version_dependencies_and_page_are_those_of_the_program() {
    let root = Root::new();
    let field = |name: &str| {
        let (status, text) = said(Command::new("dpkg-deb").arg("--field").arg(&root.package).arg(name));
        assert_eq!(status, 0, "{text}");
        text.trim().to_owned()
    };
    assert_eq!(field("Version"), format!("{}-1", env!("CARGO_PKG_VERSION")));
    let depends = field("Depends");
    assert!(depends.starts_with("libc6 (>= 2.") && depends.contains("ca-certificates"), "{depends}");

    // The page names every verb of the command line, and no other.
    let (_, help) = said(Command::new(tieline()).arg("--help"));
    let verbs =
        help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let verbs: Vec<&str> =
        verbs.filter_map(|line| line.split_whitespace().next()).filter(|v| *v != "help").collect();
    let page = read("deploy/tieline.8");
    let shown: Vec<&str> = page
        .split(".SH VERBS")
        .nth(1)
        .and_then(|rest| rest.split(".SH ").next())
        .expect("verbs")
        .lines()
        .filter_map(|line| line.strip_prefix(".B "))
        .collect();
    let sorted = |mut words: Vec<&str>| {
        words.sort_unstable();
        words.join(" ")
    };
    assert_eq!(sorted(shown), sorted(verbs));
    assert!(Path::new(&root.package).exists());
}
