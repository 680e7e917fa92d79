//! The libraries that the daemon's program takes in, with the texts of their licences, as those ask.

use crate::workspace::cargo;
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::Path;

/// How files with a licence's text begin, in capitals.
const TEXTS: [&str; 5] = ["LICENSE", "LICENCE", "COPYING", "NOTICE", "COPYRIGHT"];

/// Names, versions, licences and texts; a text that several share stands once for each, so that nobody has to look.
///
/// # Errors
/// Cargo does not say what the program depends on, or a package says no licence.
pub(crate) fn text() -> Result<String> {
    let metadata = metadata()?;
    let packages = list(&metadata["packages"]);
    let by_id: BTreeMap<&str, &Value> =
        packages.iter().filter_map(|p| Some((p["id"].as_str()?, p))).collect();
    let root = packages.iter().find(|p| p["name"] == "tieline").and_then(|p| p["id"].as_str());
    let mut wanted = BTreeSet::new();
    reach(&metadata, root.context("cargo knows no tieline")?, &mut wanted);
    let mut out = "Libraries that Tieline's program takes in, each under its own licence.\n".to_owned();
    for package in wanted.iter().filter_map(|id| by_id.get(id.as_str())).filter(|p| !p["source"].is_null()) {
        let (name, version) = (word(package, "name")?, word(package, "version")?);
        let _ = write!(out, "\n\n==== {name} {version}: {}\n", word(package, "license")?);
        let folder =
            Path::new(word(package, "manifest_path")?).parent().context("a manifest has a folder")?;
        for text in texts(folder)? {
            let _ = write!(out, "\n{}\n", text.trim_end());
        }
    }
    Ok(out)
}

fn metadata() -> Result<Value> {
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let out = cargo()
        .args(["metadata", "--format-version", "1", "--filter-platform", &target])
        .output()
        .context("cannot run cargo metadata")?;
    if !out.status.success() {
        bail!("cargo metadata failed: {}", String::from_utf8_lossy(&out.stderr));
    }
    serde_json::from_slice(&out.stdout).context("cargo metadata says no JSON")
}

/// What a package depends on to run, and all that those do.
fn reach(metadata: &Value, id: &str, found: &mut BTreeSet<String>) {
    if !found.insert(id.to_owned()) {
        return;
    }
    let node = list(&metadata["resolve"]["nodes"]).iter().find(|node| node["id"] == id);
    for edge in node.map(|node| list(&node["deps"])).unwrap_or_default() {
        let runs = list(&edge["dep_kinds"]).iter().any(|kind| kind["kind"].is_null());
        if let Some(next) = edge["pkg"].as_str().filter(|_| runs) {
            reach(metadata, next, found);
        }
    }
}

fn texts(folder: &Path) -> Result<Vec<String>> {
    let mut paths: Vec<_> = fs::read_dir(folder)?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    let named = |path: &&std::path::PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_uppercase();
        path.is_file() && TEXTS.iter().any(|begin| name.starts_with(begin))
    };
    Ok(paths.iter().filter(named).filter_map(|path| fs::read_to_string(path).ok()).collect())
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn word<'a>(package: &'a Value, key: &str) -> Result<&'a str> {
    package[key].as_str().with_context(|| format!("a package says no {key}: {}", package["id"]))
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_library_stands_there_with_its_licence_and_ours_do_not() {
        let text = super::text().expect("cargo knows");
        let heads: Vec<&str> = text.lines().filter(|line| line.starts_with("==== ")).collect();
        for library in ["tokio", "rustls", "libsqlite3-sys", "sd-notify"] {
            assert!(heads.iter().any(|head| head.starts_with(&format!("==== {library} "))), "no {library}");
        }
        assert!(
            heads.iter().all(|head| !head.starts_with("==== tieline") && !head.starts_with("==== proptest "))
        );
        assert!(text.contains("Permission is hereby granted"), "a text");
    }
}
