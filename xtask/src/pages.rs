//! The built panel and widget, which the daemon's build takes in.

use crate::prerequisites;
use crate::workspace::{command, root, run};
use anyhow::{Context, Result};
use std::fs;
use std::path::Path;
use std::time::SystemTime;

/// Builds the pages, whatever there is already.
pub(crate) fn build() -> Result<()> {
    println!("  building the panel and the widget");
    prerequisites::npm_packages("web")?;
    run(command("npm").args(["run", "--silent", "build"]).current_dir(root().join("web")))
}

/// Builds the pages where they are missing or older than a source.
pub(crate) fn build_if_stale() -> Result<()> {
    let web = root().join("web");
    if newest(&web)? > modified(&web.join("dist/widget.js")) { build() } else { Ok(()) }
}

/// When the newest source below a folder was changed; what is installed or built does not count.
fn newest(folder: &Path) -> Result<Option<SystemTime>> {
    let mut newest = None;
    for entry in fs::read_dir(folder).with_context(|| format!("no folder {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            if !path.ends_with("node_modules") && !path.ends_with("dist") {
                newest = newest.max(self::newest(&path)?);
            }
        } else {
            newest = newest.max(modified(&path));
        }
    }
    Ok(newest)
}

fn modified(path: &Path) -> Option<SystemTime> {
    path.metadata().and_then(|metadata| metadata.modified()).ok()
}
