//! Where things are, and how a command of another program is run: said, then run with its output in full view.

use anyhow::{Context, Result, bail};
use std::ffi::OsStr;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The workspace's root.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace").to_owned()
}

/// Cargo's target directory, wherever settings and environment put it.
pub(crate) fn target() -> Result<PathBuf> {
    let out = cargo()
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run cargo metadata")?;
    let metadata: serde_json::Value =
        serde_json::from_slice(&out.stdout).context("cargo metadata says no JSON")?;
    let dir = metadata["target_directory"].as_str().context("cargo metadata names no target directory")?;
    Ok(PathBuf::from(dir))
}

/// The cargo that runs this command, in the workspace's root.
pub(crate) fn cargo() -> Command {
    command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// A program, in the workspace's root.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root());
    command
}

/// Says what is run, runs it with everything it prints on our standard output, and fails when it fails.
///
/// # Errors
/// The program cannot be started, or it ended with another status than 0.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let said = spoken(command);
    println!("    $ {said}");
    // Cargo and nextest print their closing lines on standard error; one stream keeps them in order and in sight.
    let out = std::io::stdout().as_fd().try_clone_to_owned().context("standard output is closed")?;
    let status =
        command.stderr(Stdio::from(out)).status().with_context(|| format!("cannot start `{said}`"))?;
    if !status.success() {
        bail!("`{said}` failed ({status})");
    }
    Ok(())
}

/// The command line as a person would type it.
fn spoken(command: &Command) -> String {
    let mut words = vec![short(command.get_program())];
    words.extend(command.get_args().map(short));
    if let Some(dir) = command.get_current_dir()
        && let Ok(inside) = dir.strip_prefix(root())
        && inside != Path::new("")
    {
        words.push(format!("(in {})", inside.display()));
    }
    words.join(" ")
}

/// A word of a command line, with the root and the path to a program left out.
fn short(word: &OsStr) -> String {
    let text = word.to_string_lossy();
    let text = text.replace(&format!("{}/", root().display()), "");
    match text.strip_suffix("/cargo") {
        Some(_) => "cargo".to_owned(),
        None => text,
    }
}

/// Whether a program is on the path.
pub(crate) fn on_path(program: &str) -> bool {
    let Some(path) = std::env::var_os("PATH") else { return false };
    // Debian keeps daemons where only root looks.
    std::env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin"), PathBuf::from("/usr/local/sbin")])
        .any(|dir| dir.join(program).is_file())
}
