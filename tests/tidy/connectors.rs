//! What every connector brings beside its code.

use crate::source::{files, root};
use std::collections::BTreeSet;

/// Crates below `connectors/` that are none: the contract, and the stand-ins.
const NO_CONNECTORS: [&str; 2] = ["api", "sandbox"];

#[test]
fn every_connector_has_a_readme_and_passes_the_kit() {
    let faults = faults(&files(&["connectors"]), |path| std::fs::read_to_string(root().join(path)).unwrap());
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn a_bare_connector_is_seen() {
    let bare = ["connectors/acme/Cargo.toml", "connectors/acme/src/lib.rs", "connectors/api/Cargo.toml"];
    assert_eq!(faults(&bare.map(str::to_owned), |_| String::new()).len(), 2);
    let idle =
        ["connectors/acme/Cargo.toml", "connectors/acme/README.md", "connectors/acme/tests/conformance.rs"];
    assert_eq!(faults(&idle.map(str::to_owned), |_| "#[test] fn nothing() {}".to_owned()).len(), 1);
}

fn faults(files: &[String], read: impl Fn(&str) -> String) -> Vec<String> {
    let connectors: BTreeSet<_> = files
        .iter()
        .filter_map(|path| path.strip_prefix("connectors/")?.strip_suffix("/Cargo.toml"))
        .filter(|name| !name.contains('/') && !NO_CONNECTORS.contains(name))
        .collect();
    let mut faults = Vec::new();
    for name in connectors {
        let has = |file: &str| files.iter().any(|path| *path == format!("connectors/{name}/{file}"));
        if !has("README.md") {
            faults.push(format!("connectors/{name} has no README.md: fields, rights, limits"));
        }
        let kit = format!("connectors/{name}/tests/conformance.rs");
        if !has("tests/conformance.rs") || !read(&kit).contains("kit::run(") {
            faults.push(format!("{kit} does not run the conformance kit"));
        }
    }
    faults
}
