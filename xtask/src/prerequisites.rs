//! What the tests need from the machine: installed where that is allowed, else one sentence with the way out.

use crate::workspace::{command, on_path, root, run, target};
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};

/// A Debian package and a program it brings.
struct Debian {
    program: &'static str,
    package: &'static str,
    wanted_for: &'static str,
}

const BROKER: Debian =
    Debian { program: "rabbitmq-server", package: "rabbitmq-server", wanted_for: "the tests of the bus" };
/// Its programs are off the path, in a folder for each version.
const DATABASE: Debian =
    Debian { program: "initdb", package: "postgresql", wanted_for: "the tests of a journal that is shared" };
const DATABASES: &str = "/usr/lib/postgresql";
const SCANNER: Debian =
    Debian { program: "clamd", package: "clamav-daemon", wanted_for: "the tests of files in chats" };
const BROWSER: Debian = Debian { program: "chromium", package: "chromium", wanted_for: "the browser tests" };
const PYTHON: Debian =
    Debian { program: "python3", package: "python3", wanted_for: "the tests by clients of others" };

const SYSTEMD: Debian =
    Debian { program: "systemd-analyze", package: "systemd", wanted_for: "the tests of the service file" };
const DPKG: Debian = Debian { program: "dpkg-deb", package: "dpkg", wanted_for: "the tests of the package" };

/// What service file, package and image are tried with: systemd's tools, dpkg, and Python to confine a program.
pub(crate) fn operations() -> Result<()> {
    for program in [&SYSTEMD, &DPKG, &PYTHON] {
        debian(program)?;
    }
    Ok(())
}

/// RabbitMQ's server.
pub(crate) fn broker() -> Result<()> {
    debian(&BROKER)
}

/// PostgreSQL's server, of any version.
pub(crate) fn database() -> Result<()> {
    let there = || {
        let versions = std::fs::read_dir(DATABASES).into_iter().flatten().flatten();
        versions.map(|version| version.path().join("bin").join(DATABASE.program)).any(|p| p.is_file())
    };
    if there() {
        return Ok(());
    }
    println!("  PostgreSQL is missing; {} need it", DATABASE.wanted_for);
    apt_get(DATABASE.package, DATABASE.wanted_for)?;
    if there() {
        return Ok(());
    }
    bail!("{} was installed but brings no {}: install it by hand", DATABASE.package, DATABASE.program)
}

/// ClamAV's daemon. The tests bring a database of their own.
pub(crate) fn scanner() -> Result<()> {
    debian(&SCANNER)
}

/// A Chromium to drive.
pub(crate) fn browser() -> Result<()> {
    debian(&BROWSER)
}

/// Python, for clients of others and scripts of the documentation.
pub(crate) fn python() -> Result<()> {
    debian(&PYTHON)
}

/// Node and npm. They come with the toolchain, so they are only looked for.
pub(crate) fn node() -> Result<()> {
    for program in ["node", "npm"] {
        if !on_path(program) {
            bail!("{program} is not on the path: install Node.js 20 or newer (`apt-get install nodejs npm`)");
        }
    }
    Ok(())
}

/// The npm packages of a folder, as its lock file says; nothing to do when they are there and newer than the lock.
pub(crate) fn npm_packages(folder: &str) -> Result<()> {
    node()?;
    let dir = root().join(folder);
    let lock = dir.join("package-lock.json");
    let marker = dir.join("node_modules/.package-lock.json");
    if is_newer(&marker, &lock) {
        return Ok(());
    }
    println!("  installing the npm packages of {folder}/");
    run(command("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(dir)).with_context(|| {
        format!("the npm packages of {folder}/ cannot be installed: is a registry reachable?")
    })
}

/// A Python with the packages of a folder's `requirements.txt`, kept under the target directory; gives its `python`.
pub(crate) fn python_for(folder: &str) -> Result<PathBuf> {
    python()?;
    let wanted = root().join(folder).join("requirements.txt");
    let home = target()?.join("python").join(folder.replace('/', "-"));
    let python = home.join("bin/python");
    let marker = home.join("installed.txt");
    if python.is_file() && same(&wanted, &marker) {
        return Ok(python);
    }
    println!("  installing the Python packages of {folder}/");
    let make = || run(command("python3").args(["-m", "venv", "--clear"]).arg(&home));
    if make().is_err() {
        apt_get("python3-venv", PYTHON.wanted_for)?;
        make()?;
    }
    let mut pip = command(&python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"])
        .arg(&wanted);
    run(&mut pip).with_context(|| {
        format!("the packages of {folder}/ cannot be installed: is a package index reachable?")
    })?;
    std::fs::copy(&wanted, &marker).context("cannot note what was installed")?;
    Ok(python)
}

fn debian(wanted: &Debian) -> Result<()> {
    if on_path(wanted.program) {
        return Ok(());
    }
    println!("  {} is missing; {} need it", wanted.program, wanted.wanted_for);
    apt_get(wanted.package, wanted.wanted_for)?;
    if on_path(wanted.program) {
        return Ok(());
    }
    bail!("{} was installed but brings no {}: install it by hand", wanted.package, wanted.program)
}

fn apt_get(package: &str, wanted_for: &str) -> Result<()> {
    let way_out =
        format!("{wanted_for} need {package}: `sudo apt-get install {package}`, then run this again");
    if !on_path("apt-get") || !is_root() {
        bail!("{way_out}");
    }
    println!("  installing {package} with apt-get");
    let install = || {
        let mut install = command("apt-get");
        install.args(["install", "--yes", "--no-install-recommends", package]);
        // A broker that the system starts by itself would only be in the way of the tests' own.
        install.env("DEBIAN_FRONTEND", "noninteractive").env("RUNLEVEL", "1");
        run(&mut install)
    };
    if install().is_ok() {
        return Ok(());
    }
    run(command("apt-get").args(["update", "--quiet"])).with_context(|| way_out.clone())?;
    install().context(way_out)
}

fn is_root() -> bool {
    std::process::Command::new("id").arg("-u").output().is_ok_and(|out| out.stdout.trim_ascii() == b"0")
}

fn is_newer(a: &Path, b: &Path) -> bool {
    let modified = |path: &Path| path.metadata().and_then(|m| m.modified()).ok();
    match (modified(a), modified(b)) {
        (Some(a), Some(b)) => a >= b,
        (Some(_), None) | (None, Some(_)) | (None, None) => false,
    }
}

fn same(a: &Path, b: &Path) -> bool {
    matches!((std::fs::read(a), std::fs::read(b)), (Ok(a), Ok(b)) if a == b)
}
