//! The image: what the Dockerfile takes in exists, what its last stage holds is enough for the program, and the daemon
//! runs in such a root. No container engine is asked; the root is made by hand from what the last stage promises.

use crate::confined::{Confined, refused};
use crate::debian::libc;
use crate::{read, said, source, tieline};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

/// The C library of Debian 12, which both the `rust:…-bookworm` and the `cc-debian12` images are.
const DEBIAN_12_LIBC: u32 = 36;
/// Libraries of `cc-debian12` beside what loads them.
const LIBRARIES: [&str; 4] = ["libc.so.6", "libm.so.6", "libgcc_s.so.1", "libstdc++.so.6"];

/// Instructions, with continued lines joined, comments gone and flags kept.
fn instructions(text: &str) -> Vec<(String, String)> {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
    let joined = lines.join("\n").replace("\\\n", " ");
    let words = joined.lines().filter_map(|line| line.trim().split_once(' '));
    words.map(|(what, rest)| (what.to_owned(), rest.trim().to_owned())).collect()
}

/// What is asked of the image once the last `FROM` has been.
fn last_stage(text: &str) -> BTreeMap<String, Vec<String>> {
    let all = instructions(text);
    let from = all.iter().rposition(|(what, _)| what == "FROM").expect("a FROM");
    let mut stage: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (what, rest) in &all[from..] {
        stage.entry(what.clone()).or_default().push(rest.clone());
    }
    stage
}

/// A JSON array of an instruction.
fn array(text: &str) -> Vec<String> {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// Whether `.dockerignore` leaves a path out: whole names, and `**/` before one.
fn ignored(path: &str) -> bool {
    read(".dockerignore").lines().filter(|line| !line.starts_with('#') && !line.is_empty()).any(|rule| {
        match rule.strip_prefix("**/") {
            Some(name) => path.split('/').any(|part| part == name),
            None => path == rule || path.starts_with(&format!("{rule}/")),
        }
    })
}

#[test]
fn everything_the_dockerfile_takes_in_is_there_and_sent_along() {
    let mut seen = 0;
    for (_, rest) in instructions(&read("Dockerfile")).iter().filter(|(what, _)| what == "COPY") {
        if rest.starts_with("--from=") {
            continue;
        }
        let paths: Vec<&str> = rest.split_whitespace().filter(|word| !word.starts_with("--")).collect();
        for path in &paths[..paths.len() - 1] {
            assert!(source(path).exists(), "there is no {path}");
            assert!(!ignored(path.trim_end_matches('/')), "{path} is left out by .dockerignore");
            seen += 1;
        }
    }
    assert!(seen >= 5, "only {seen} paths were looked at");
    for secret in ["deploy/secrets", "target", ".git", "web/node_modules", "web/dist"] {
        assert!(ignored(secret), "{secret} must not be sent along");
    }
    for needed in ["Cargo.lock", "build.rs", "src/main.rs", "schemas", "xtask/Cargo.toml", "benches"] {
        assert!(source(needed).exists() && !ignored(needed), "{needed} is needed to build");
    }
}

#[test]
fn the_stages_have_the_versions_the_project_asks_for() {
    let froms: Vec<String> =
        instructions(&read("Dockerfile")).into_iter().filter(|(w, _)| w == "FROM").map(|(_, r)| r).collect();
    let toolchain = read("rust-toolchain.toml");
    let channel = toolchain.split('"').nth(1).expect("a channel");
    assert!(froms.iter().any(|from| from.starts_with(&format!("rust:{channel}-bookworm "))), "{froms:?}");
    assert!(froms.last().expect("a stage").starts_with("gcr.io/distroless/cc-debian12:nonroot"), "{froms:?}");
}

#[test]
fn the_last_stage_is_a_user_without_rights_with_health_and_a_gentle_stop() {
    let stage = last_stage(&read("Dockerfile"));
    let only =
        |what: &str| stage.get(what).and_then(|all| all.first()).unwrap_or_else(|| panic!("no {what}"));
    assert_eq!(only("USER"), "65532:65532");
    assert_eq!(only("STOPSIGNAL"), "SIGTERM");
    assert_eq!(array(only("VOLUME")), ["/var/lib/tieline"]);
    let health = only("HEALTHCHECK").split_once("CMD ").expect("a command").1;
    assert_eq!(array(health), ["/usr/bin/tieline", "health"]);
    assert_eq!(array(only("ENTRYPOINT")), ["/usr/bin/tieline"]);
    assert_eq!(only("ENV"), "TIELINE_SETTINGS=/etc/tieline/tieline.toml");
}

/// The shared libraries that the program asks for, with their places here.
fn libraries() -> Vec<(String, String)> {
    let (status, text) = said(Command::new("ldd").arg(tieline()));
    assert_eq!(status, 0, "{text}");
    let place = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            [name, "=>", place, ..] => Some((name.to_owned(), place.to_owned())),
            [place, _] if place.starts_with('/') => Some((place.to_owned(), place.to_owned())),
            _ => None,
        }
    };
    text.lines().filter_map(place).collect()
}

/// The release build asks for the same libraries; only how it is optimised differs.
#[test]
fn the_program_needs_no_more_than_the_last_stage_holds() {
    for (name, _) in libraries() {
        let loader = name.contains("/ld-linux");
        assert!(loader || LIBRARIES.contains(&name.as_str()), "the image holds no {name}");
    }
    let needed = libc(tieline()).expect("a version");
    let minor: u32 = needed.trim_start_matches("2.").parse().expect("a number");
    assert!(minor <= DEBIAN_12_LIBC, "the program asks for glibc {needed}");
}

/// A root as the last stage has it: program, settings, libraries, certificates; no shell.
fn image() -> tempfile::TempDir {
    let root = tempfile::tempdir().expect("a folder");
    let put = |from: &Path, to: &str| {
        let to = root.path().join(to.trim_start_matches('/'));
        fs::create_dir_all(to.parent().expect("a folder")).expect("a folder");
        fs::copy(from, &to).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
    };
    put(tieline(), "/usr/bin/tieline");
    put(&source("deploy/container.toml"), "/etc/tieline/tieline.toml");
    for (_, place) in libraries() {
        put(Path::new(&place), &place);
    }
    put(Path::new("/etc/ssl/certs/ca-certificates.crt"), "/etc/ssl/certs/ca-certificates.crt");
    root
}

#[test]
fn the_daemon_runs_and_is_healthy_in_a_root_that_holds_what_the_image_holds() {
    let stage = last_stage(&read("Dockerfile"));
    let command = array(&stage["CMD"][0]);
    let command: Vec<&str> = command.iter().map(String::as_str).collect();
    let mut daemon = Confined::as_an_image(image(), &command);
    daemon.until_healthy();
    let health = &["/usr/bin/tieline", "health"];
    assert_eq!(daemon.also(health).0, 0, "by the settings that the image names");
    assert_eq!(daemon.stops(), 0);
    assert_eq!(daemon.also(health).0, 1, "nobody answers any more");
    assert!(refused(&daemon, &["/bin/sh", "-c", "true"]), "there is no shell");
}
