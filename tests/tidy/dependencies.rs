//! What may be depended on, asked of cargo itself: between the workspace's crates, and of others.

use crate::source::root;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// The crates of the workspace and which others of it each may depend on, tests included.
const CRATES: [(&str, &[&str]); 4] = [
    ("tieline-model", &[]),
    ("tieline-engine", &["tieline-model"]),
    ("tieline-connector-api", &["tieline-model"]),
    ("xtask", &["tieline-model"]),
];

/// Whatever else a connector is, it knows these two and is tried on the third.
const CONNECTOR: [&str; 3] = ["tieline-connector-api", "tieline-model", "tieline-sandbox"];

/// Crates that may not be in the tree, with the reason.
const BANNED: [(&str, &str); 4] = [
    ("openssl", "one TLS library, rustls with aws-lc-rs"),
    ("openssl-sys", "one TLS library, rustls with aws-lc-rs"),
    ("native-tls", "one TLS library, rustls with aws-lc-rs"),
    ("ring", "one provider of rustls, aws-lc-rs; two make rustls panic at the first handshake"),
];

/// Crates of which there may be one version only.
const SINGLE: [&str; 5] = ["rustls", "aws-lc-rs", "reqwest", "tokio", "hyper"];

/// Licences that an Apache-2.0 program can take in.
const LICENCES: [&str; 14] = [
    "MIT",
    "MIT-0",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "0BSD",
    "ISC",
    "Zlib",
    "BSL-1.0",
    "CC0-1.0",
    "Unicode-3.0",
    "CDLA-Permissive-2.0",
    "MPL-2.0",
];

#[test]
fn the_dependency_tree_is_as_it_should_be() {
    let packages = tree();
    let faults = [ban_faults(&packages), single_faults(&packages), licence_faults(&packages)].concat();
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn crates_of_the_workspace_know_only_whom_they_may() {
    let faults = edge_faults(&edges(&metadata()));
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn a_bad_tree_is_seen() {
    let package = |name: &str, version: &str, licence: &str| Package {
        name: name.to_owned(),
        version: version.to_owned(),
        licence: licence.to_owned(),
    };
    let bad = [
        package("ring", "0.17.0", "Apache-2.0 AND ISC"),
        package("reqwest", "0.12.0", "MIT"),
        package("reqwest", "0.13.0", "MIT"),
        package("a", "1.0.0", "GPL-3.0-or-later"),
        package("b", "1.0.0", "MIT AND AGPL-3.0-only"),
        package("c", "1.0.0", ""),
    ];
    assert_eq!(ban_faults(&bad).len(), 1);
    assert_eq!(single_faults(&bad).len(), 1);
    assert_eq!(licence_faults(&bad).len(), 3);
    let edges = BTreeMap::from([
        ("tieline-engine".to_owned(), vec!["tieline-connector-api".to_owned()]),
        ("tieline-salesforce".to_owned(), vec!["tieline-engine".to_owned()]),
    ]);
    assert_eq!(edge_faults(&edges).len(), 2);
}

#[test]
fn a_choice_of_licences_needs_one_that_will_do() {
    for good in [
        "MIT OR GPL-3.0",
        "MIT/Apache-2.0",
        "(MIT OR Apache-2.0) AND Unicode-3.0",
        "ISC AND (MIT OR LGPL-2.1)",
    ] {
        assert!(is_allowed(good), "{good}");
    }
    for bad in
        ["GPL-3.0 OR AGPL-3.0", "(MIT OR Apache-2.0) AND LGPL-3.0", "Apache-2.0 WITH Unknown-exception"]
    {
        assert!(!is_allowed(bad), "{bad}");
    }
}

/// A package in the tree.
#[derive(Debug)]
struct Package {
    name: String,
    version: String,
    licence: String,
}

fn metadata() -> Value {
    serde_json::from_str(&cargo(&["metadata", "--format-version", "1", "--no-deps"]))
        .expect("cargo metadata is JSON")
}

fn cargo(words: &[&str]) -> String {
    let out = Command::new(env!("CARGO")).current_dir(root()).arg("--offline").args(words).output();
    let out = out.expect("cargo runs");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).expect("cargo writes UTF-8")
}

/// Packages that are really built: the lock file and `cargo metadata` also name optional ones that nobody asks for.
fn tree() -> Vec<Package> {
    let out = cargo(&["tree", "--workspace", "--prefix", "none", "--no-dedupe", "--format", "{p}|{l}"]);
    let lines: BTreeSet<_> = out.lines().filter(|line| !line.is_empty()).collect();
    let packages: Vec<_> = lines
        .iter()
        .map(|line| {
            let (package, licence) = line.split_once('|').expect("as asked for");
            let mut words = package.split(' ');
            let mut word = || words.next().unwrap_or_default().to_owned();
            Package { name: word(), version: word(), licence: licence.trim_end_matches(" (*)").to_owned() }
        })
        .collect();
    assert!(packages.len() > 50, "the tree cannot be this small");
    packages
}

/// Which crates of the workspace each of them depends on.
fn edges(metadata: &Value) -> BTreeMap<String, Vec<String>> {
    let packages = metadata["packages"].as_array().expect("packages");
    let ours = |package: &&Value| package["source"].is_null();
    let name = |package: &Value| package["name"].as_str().expect("a name").to_owned();
    let names: BTreeSet<_> = packages.iter().filter(ours).map(name).collect();
    let known = |package: &Value| {
        let all = package["dependencies"].as_array().expect("dependencies");
        all.iter().map(name).filter(|dependency| names.contains(dependency)).collect()
    };
    packages.iter().filter(ours).map(|package| (name(package), known(package))).collect()
}

fn edge_faults(edges: &BTreeMap<String, Vec<String>>) -> Vec<String> {
    let mut faults = Vec::new();
    for (name, known) in edges {
        let allowed = match CRATES.iter().find(|(other, _)| other == name) {
            Some((_, allowed)) => *allowed,
            None if name == "tieline" => continue,
            None => &CONNECTOR,
        };
        for other in known.iter().filter(|other| !allowed.contains(&other.as_str())) {
            faults.push(format!("{name} may not depend on {other}"));
        }
    }
    faults
}

fn ban_faults(packages: &[Package]) -> Vec<String> {
    let why = |package: &Package| BANNED.iter().find(|(name, _)| *name == package.name);
    packages.iter().filter_map(why).map(|(name, why)| format!("{name} is in the tree: {why}")).collect()
}

fn single_faults(packages: &[Package]) -> Vec<String> {
    let versions = |name: &str| -> Vec<_> {
        packages.iter().filter(|p| p.name == name).map(|p| p.version.clone()).collect()
    };
    SINGLE
        .iter()
        .map(|name| (name, versions(name)))
        .filter(|(_, versions)| versions.len() > 1)
        .map(|(name, versions)| {
            format!("{name} is in the tree {} times: {}", versions.len(), versions.join(", "))
        })
        .collect()
}

fn licence_faults(packages: &[Package]) -> Vec<String> {
    packages
        .iter()
        .filter(|package| !is_allowed(&package.licence))
        .map(|package| format!("{} {}: licence `{}`", package.name, package.version, package.licence))
        .collect()
}

/// Reads an SPDX expression: `AND` binds tighter than `OR`, parentheses before both, `/` is an old `OR`.
fn is_allowed(expression: &str) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<_> = spaced.split_whitespace().collect();
    let mut at = 0;
    !words.is_empty() && either(&words, &mut at) && at == words.len()
}

fn either(words: &[&str], at: &mut usize) -> bool {
    let mut good = both(words, at);
    while words.get(*at) == Some(&"OR") {
        *at += 1;
        good |= both(words, at);
    }
    good
}

fn both(words: &[&str], at: &mut usize) -> bool {
    let mut good = one(words, at);
    while words.get(*at) == Some(&"AND") {
        *at += 1;
        good &= one(words, at);
    }
    good
}

fn one(words: &[&str], at: &mut usize) -> bool {
    let Some(word) = words.get(*at) else { return false };
    *at += 1;
    if *word == "(" {
        let good = either(words, at);
        *at += 1;
        return good;
    }
    let mut licence = (*word).to_owned();
    if words.get(*at) == Some(&"WITH") {
        licence = format!("{word} WITH {}", words.get(*at + 1).copied().unwrap_or_default());
        *at += 2;
    }
    LICENCES.contains(&licence.as_str())
}
