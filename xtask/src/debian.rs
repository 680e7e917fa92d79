//! The Debian package: files of the project in the places of a Debian system, closed by dpkg-deb. It knows nothing of
//! cargo, so that a test can package the very program it tests (`tests/operations/`).

use anyhow::{Context, Result, bail};
use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// From where, to where, with which mode. A place that ends in `.gz` gets the file packed.
const FILES: [(&str, &str, u32); 10] = [
    ("deploy/tieline.service", "usr/lib/systemd/system/tieline.service", 0o644),
    ("deploy/tieline.sysusers", "usr/lib/sysusers.d/tieline.conf", 0o644),
    ("deploy/tieline.toml", "etc/tieline/tieline.toml", 0o640),
    ("deploy/tieline.8", "usr/share/man/man8/tieline.8.gz", 0o644),
    ("deploy/debian/copyright", "usr/share/doc/tieline/copyright", 0o644),
    ("deploy/debian/changelog", "usr/share/doc/tieline/changelog.Debian.gz", 0o644),
    ("CHANGELOG.md", "usr/share/doc/tieline/changelog.gz", 0o644),
    ("docs/operations.md", "usr/share/doc/tieline/operations.md", 0o644),
    ("docs/security.md", "usr/share/doc/tieline/security.md", 0o644),
    ("tieline.example.toml", "usr/share/doc/tieline/tieline.example.toml", 0o644),
];

/// What dpkg itself reads, and what it runs.
const CONTROL: [(&str, u32); 4] =
    [("conffiles", 0o644), ("postinst", 0o755), ("prerm", 0o755), ("postrm", 0o755)];

/// What a package is made from.
pub(crate) struct Parts<'a> {
    /// The project's root.
    pub(crate) sources: &'a Path,
    /// The daemon's program.
    pub(crate) program: &'a Path,
    /// Names, licences and texts of the libraries that the program takes in.
    pub(crate) libraries: &'a str,
    /// How dpkg-deb packs: `xz`, or `gzip` where it must be quick.
    pub(crate) packing: &'a str,
}

/// Makes the package in a folder and gives its path.
///
/// # Errors
/// A file is missing, a program (dpkg-deb, gzip, md5sum) cannot be run, or dpkg-deb does not like what it sees.
pub(crate) fn build(parts: &Parts<'_>, out: &Path) -> Result<PathBuf> {
    let stage = out.join("stage");
    if stage.exists() {
        fs::remove_dir_all(&stage).with_context(|| format!("{} is in the way", stage.display()))?;
    }
    put(parts.program, &stage.join("usr/bin/tieline"), 0o755)?;
    for (from, to, mode) in FILES {
        put(&parts.sources.join(from), &stage.join(to), mode)?;
    }
    let libraries = out.join("libraries.txt");
    fs::write(&libraries, parts.libraries)?;
    put(&libraries, &stage.join("usr/share/doc/tieline/libraries.txt.gz"), 0o644)?;
    folder(&stage.join("etc/tieline/secrets"), 0o700)?;
    let debian = parts.sources.join("deploy/debian");
    for (name, mode) in CONTROL {
        put(&debian.join(name), &stage.join("DEBIAN").join(name), mode)?;
    }
    let version = version(&debian)?;
    let architecture = said(Command::new("dpkg").arg("--print-architecture"))?;
    let control = fs::read_to_string(debian.join("control")).context("deploy/debian/control")?;
    let control = control
        .replace("@VERSION@", &version)
        .replace("@ARCHITECTURE@", architecture.trim())
        .replace("@SIZE@", &(size(&stage)? / 1024).to_string())
        .replace("@LIBC@", &libc(parts.program)?);
    fs::write(stage.join("DEBIAN/control"), control)?;
    sums(&stage)?;
    let package = out.join(format!("tieline_{version}_{}.deb", architecture.trim()));
    let packing = format!("-Z{}", parts.packing);
    let mut close = Command::new("dpkg-deb");
    said(close.args(["--root-owner-group", &packing, "--build"]).arg(&stage).arg(&package))?;
    Ok(package)
}

/// The version in the first line of the package's changelog: `tieline (0.1.0-1) …`.
fn version(debian: &Path) -> Result<String> {
    let text = fs::read_to_string(debian.join("changelog")).context("deploy/debian/changelog")?;
    let version = text.split(['(', ')']).nth(1).context("deploy/debian/changelog names no version")?;
    Ok(version.to_owned())
}

/// The oldest C library whose symbols the program asks for.
pub(crate) fn libc(program: &Path) -> Result<String> {
    let bytes = fs::read(program).with_context(|| format!("no program {}", program.display()))?;
    let mark = b"GLIBC_2.";
    let newest = bytes
        .windows(mark.len() + 3)
        .filter(|window| window.starts_with(mark))
        .filter_map(|window| {
            let digits = window[mark.len()..].iter().take_while(|b| b.is_ascii_digit());
            digits.map(|b| char::from(*b)).collect::<String>().parse::<u32>().ok()
        })
        .max();
    let newest = newest.context("the program does not stand on the GNU C library")?;
    Ok(format!("2.{newest}"))
}

fn put(from: &Path, to: &Path, mode: u32) -> Result<()> {
    folder(to.parent().context("a place without a folder")?, 0o755)?;
    if to.extension().is_some_and(|e| e == "gz") {
        // Without name and time, so that the same file packs the same.
        let packed = Command::new("gzip").arg("-9nc").arg(from).stderr(Stdio::inherit()).output()?;
        if !packed.status.success() {
            bail!("gzip could not pack {}", from.display());
        }
        File::create(to)?.write_all(&packed.stdout)?;
    } else {
        fs::copy(from, to).with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
    }
    fs::set_permissions(to, Permissions::from_mode(mode))?;
    Ok(())
}

/// Makes a folder and those above it, whatever the umask.
fn folder(path: &Path, mode: u32) -> Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(above) = path.parent() {
        folder(above, 0o755)?;
    }
    fs::create_dir(path).with_context(|| format!("cannot make {}", path.display()))?;
    fs::set_permissions(path, Permissions::from_mode(mode))?;
    Ok(())
}

/// Files below a folder, as paths from it.
fn below(root: &Path, at: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(root.join(at))? {
        let path = at.join(entry?.file_name());
        if root.join(&path).is_dir() {
            below(root, &path, found)?;
        } else if !path.starts_with("DEBIAN") {
            found.push(path);
        }
    }
    found.sort();
    Ok(())
}

/// Bytes that the package takes up when installed.
fn size(stage: &Path) -> Result<u64> {
    let mut files = Vec::new();
    below(stage, Path::new(""), &mut files)?;
    files.iter().try_fold(0, |sum, file| Ok(sum + stage.join(file).metadata()?.len()))
}

/// What `dpkg --verify` compares with.
fn sums(stage: &Path) -> Result<()> {
    let mut files = Vec::new();
    below(stage, Path::new(""), &mut files)?;
    files.retain(|file| !file.starts_with("etc"));
    let sums = said(Command::new("md5sum").args(&files).current_dir(stage))?;
    fs::write(stage.join("DEBIAN/md5sums"), sums)?;
    Ok(())
}

/// What a program prints.
fn said(command: &mut Command) -> Result<String> {
    let name = command.get_program().display().to_string();
    let out =
        command.stderr(Stdio::inherit()).output().with_context(|| format!("{name} cannot be started"))?;
    if !out.status.success() {
        bail!("{name} failed ({})", out.status);
    }
    String::from_utf8(out.stdout).with_context(|| format!("{name} says what is no text"))
}
