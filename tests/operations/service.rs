//! The systemd service file: valid, hardened, and the daemon runs under what it forbids.

use crate::confined::{Confined, refused};
use crate::{read, said, source};
use std::fs;
use std::path::Path;
use std::process::Command;

/// The exposure that systemd gives a service file, from 0 (none) to 10.
fn exposure(file: &Path) -> f64 {
    let mut ask = Command::new("systemd-analyze");
    let (_, text) = said(ask.args(["security", "--offline=true", "--no-pager"]).arg(file));
    let line = text.lines().find(|line| line.contains("Overall exposure level")).expect("a level");
    let number = line.rsplit(": ").next().and_then(|rest| rest.split_whitespace().next());
    number.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("no number in {line}"))
}

#[test]
fn the_service_is_exposed_no_more_than_it_must_be() {
    let hardened = exposure(&source("deploy/tieline.service"));
    assert!(hardened <= 1.2, "systemd-analyze security gives {hardened}; 1.2 is the limit");

    // The check sees it when a group of lines goes.
    let folder = tempfile::tempdir().expect("a folder");
    let weaker = folder.path().join("tieline.service");
    let text = read("deploy/tieline.service");
    let without: Vec<&str> = text.lines().filter(|line| !line.starts_with("SystemCallFilter=")).collect();
    fs::write(&weaker, without.join("\n")).expect("written");
    assert!(exposure(&weaker) > 1.2, "{}", exposure(&weaker));
}

/// What systemd finds wrong with a service file, where its program is installed.
fn faults(text: &str) -> (i32, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let units = folder.path().join("usr/lib/systemd/system");
    fs::create_dir_all(&units).expect("a folder");
    fs::create_dir_all(folder.path().join("usr/bin")).expect("a folder");
    fs::copy("/bin/true", folder.path().join("usr/bin/tieline")).expect("a program");
    fs::write(units.join("tieline.service"), text).expect("written");
    let mut verify = Command::new("systemd-analyze");
    verify.args(["verify", "--man=no", "--recursive-errors=no"]);
    said(verify.arg(format!("--root={}", folder.path().display())).arg("tieline.service"))
}

#[test]
fn systemd_understands_every_line() {
    let text = read("deploy/tieline.service");
    assert_eq!(faults(&text), (0, String::new()));
    let (status, said) = faults(&text.replace("ProtectHome=", "ProtectHomes="));
    assert!(status != 0 && said.contains("ProtectHomes"), "{said}");
}

#[test]
fn the_service_waits_longer_than_the_drain_and_knows_the_exit_statuses() {
    let text = read("deploy/tieline.service");
    let value = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        line.unwrap_or_else(|| panic!("no {key}")).to_owned()
    };
    let seconds: u64 = value("TimeoutStopSec").trim_end_matches('s').parse().expect("seconds");
    let drain = tieline::settings::Daemon::default().drain_within.std().as_secs();
    assert!(seconds >= drain + 5, "{seconds} s are too few for a drain of {drain} s");
    assert_eq!(value("RestartPreventExitStatus"), "78");
    assert_eq!(value("SuccessExitStatus"), "130 143");
}

/// The daemon starts, is healthy, and stops under the system calls, rights and folders that the service file leaves.
/// What is not tried: user and device namespaces, and hidden processes.
#[test]
fn the_daemon_runs_under_what_the_service_file_forbids() {
    let mut daemon = Confined::as_a_service();
    daemon.until_healthy();
    assert_eq!(daemon.stops(), 0);
}

#[test]
fn the_confinement_confines() {
    let daemon = Confined::as_a_service();
    for forbidden in [
        &["/usr/bin/touch", "/usr/here"][..],
        &["/usr/bin/unshare", "--mount", "/bin/true"],
        &["/bin/mount", "-t", "tmpfs", "tmpfs", "/tmp"],
        &["/usr/bin/python3", "-c", "import mmap; mmap.mmap(-1, 4096, prot=7)"],
        &["/usr/bin/python3", "-c", "import socket; socket.socket(socket.AF_PACKET)"],
    ] {
        assert!(refused(&daemon, forbidden), "{forbidden:?} was let through");
    }
    assert!(!refused(&daemon, &["/bin/true"]), "and what is allowed goes through");
}
