//! `cargo xtask package`: the Debian package, from a fresh release build with the pages in it.

use crate::workspace::{cargo, root, run as run_command, target};
use crate::{debian, libraries, pages};
use anyhow::{Context, Result};
use std::fs;
use std::path::PathBuf;

/// Options of `cargo xtask package`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Package this program and build nothing.
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// Where the package goes; below the target directory unless said.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

/// Builds what is to be built and makes the package.
///
/// # Errors
/// A build failed, or a file of the package is missing.
pub(crate) fn run(args: &Args) -> Result<()> {
    let program = match &args.program {
        Some(program) => program.clone(),
        None => {
            pages::build()?;
            run_command(cargo().args(["build", "--release", "--locked", "--bin", "tieline"]))?;
            target()?.join("release/tieline")
        }
    };
    let out = match &args.out {
        Some(out) => out.clone(),
        None => target()?.join("debian"),
    };
    fs::create_dir_all(&out).with_context(|| format!("cannot make {}", out.display()))?;
    let libraries = libraries::text()?;
    let parts = debian::Parts { sources: &root(), program: &program, libraries: &libraries, packing: "xz" };
    println!("made {}", debian::build(&parts, &out)?.display());
    Ok(())
}
