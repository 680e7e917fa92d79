//! What operators install: the service file, the Debian package, the image and the compose file, each tried as far as
//! it can be without a machine of its own: no systemd runs here as the first process, and no container engine.

mod compose;
mod confined;
mod image;
mod package;
mod service;

#[path = "../../xtask/src/debian.rs"]
mod debian;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The program under test.
fn tieline() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_tieline"))
}

/// A file of the project.
fn source(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &str) -> String {
    std::fs::read_to_string(source(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Runs a program; its exit status and everything that it said.
fn said(command: &mut Command) -> (i32, String) {
    let name = command.get_program().to_owned();
    let Output { status, stdout, stderr } =
        command.output().unwrap_or_else(|error| panic!("{name:?} cannot be started: {error}"));
    let text = [stdout, stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    (status.code().unwrap_or(-1), text)
}
