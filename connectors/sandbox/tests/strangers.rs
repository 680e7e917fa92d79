//! Clients that nobody here wrote, and a browser, against the sandbox. The scripts are in `tests/strangers/`.
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tieline_sandbox::keys::AppKey;
use tieline_sandbox::salesforce::{
    CONSUMER_KEY, CONSUMER_SECRET, INTEGRATION_USER, Options, Running, Sandbox,
};
use tieline_sandbox::zendesk;

#[path = "strangers/dynamics.rs"]
mod dynamics;

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/strangers")
}

/// Runs a command to its end and shows what it says when it fails.
fn run(what: &str, command: &mut Command) {
    println!("{what}");
    let done =
        command.stdin(Stdio::null()).output().unwrap_or_else(|e| panic!("{what}: cannot be started: {e}"));
    let said = String::from_utf8_lossy(&done.stdout);
    println!("{said}");
    assert!(done.status.success(), "{what} failed:\n{said}\n{}", String::from_utf8_lossy(&done.stderr));
}

/// Installs into a folder below the target folder, unless the same lock file is installed there already.
fn installed(name: &str, lock: &str, install: impl FnOnce(&Path)) -> PathBuf {
    let all = Path::new(env!("CARGO_TARGET_TMPDIR")).join("strangers");
    fs::create_dir_all(&all).unwrap();
    // Tests may be processes of their own; the lock ends with the file.
    let lock_file = fs::File::create(all.join(format!("{name}.lock"))).unwrap();
    lock_file.lock().unwrap();
    let home = all.join(name);
    let mark = home.join("installed");
    let wanted = fs::read(scripts().join(lock)).unwrap();
    if fs::read(&mark).is_ok_and(|there| there == wanted) {
        return home;
    }
    let _ = fs::remove_dir_all(&home);
    fs::create_dir_all(&home).unwrap();
    install(&home);
    fs::write(mark, wanted).unwrap();
    home
}

fn node_home() -> PathBuf {
    installed("node", "package-lock.json", |home| {
        for file in ["package.json", "package-lock.json"] {
            fs::copy(scripts().join(file), home.join(file)).unwrap();
        }
        let mut npm = Command::new("npm");
        npm.args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"]).current_dir(home);
        run("installing clients of Node and playwright-core (npm ci)", &mut npm);
    })
}

fn python_home() -> PathBuf {
    installed("python", "requirements.txt", |home| {
        let mut pip = Command::new("python3");
        pip.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--root-user-action=ignore",
        ]);
        pip.arg("--target").arg(home).arg("-r").arg(scripts().join("requirements.txt"));
        run("installing clients of Python (pip install --target)", &mut pip);
    })
}

/// A sandbox, and its key and CA on disk for other processes.
struct World {
    running: Running,
    files: tempfile::TempDir,
}

impl World {
    async fn start(tls: bool) -> Self {
        let key = AppKey::generate().unwrap();
        let running = Sandbox::start(Options { tls, ..Options::demo(&key) }).await.unwrap();
        let files = tempfile::tempdir().unwrap();
        fs::write(files.path().join("key.pem"), &key.private_pem).unwrap();
        if let Some(pem) = &running.ca_pem {
            fs::write(files.path().join("ca.pem"), pem).unwrap();
        }
        Self { running, files }
    }

    /// A command that knows where the sandbox is.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env("SANDBOX_LOGIN_URL", &self.running.login_url)
            .env("SANDBOX_INSTANCE_URL", &self.running.instance_url)
            .env("SANDBOX_CONSOLE_URL", &self.running.console_url)
            .env("SANDBOX_CONSUMER_KEY", CONSUMER_KEY)
            .env("SANDBOX_CONSUMER_SECRET", CONSUMER_SECRET)
            .env("SANDBOX_USERNAME", INTEGRATION_USER)
            .env("SANDBOX_KEY_FILE", self.files.path().join("key.pem"));
        if self.running.ca_pem.is_some() {
            let ca = self.files.path().join("ca.pem");
            command.env("NODE_EXTRA_CA_CERTS", &ca).env("REQUESTS_CA_BUNDLE", &ca);
        }
        command
    }
}

/// An account of Zendesk, and its CA on disk for other processes.
struct Account {
    running: zendesk::Running,
    files: tempfile::TempDir,
}

impl Account {
    async fn start(tls: bool) -> Self {
        let options = zendesk::Options { tls, ..zendesk::Options::demo() };
        let running = zendesk::Sandbox::start(options).await.unwrap();
        let files = tempfile::tempdir().unwrap();
        if let Some(pem) = &running.ca_pem {
            fs::write(files.path().join("ca.pem"), pem).unwrap();
        }
        Self { running, files }
    }

    /// A command that knows where the account is.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env("SANDBOX_BASE_URL", &self.running.base_url)
            .env("SANDBOX_CONSOLE_URL", &self.running.console_url)
            .env("SANDBOX_CLIENT_ID", zendesk::CLIENT_ID)
            .env("SANDBOX_CLIENT_SECRET", zendesk::CLIENT_SECRET)
            .env("SANDBOX_OWNER", zendesk::OWNER)
            .env("SANDBOX_API_TOKEN", zendesk::API_TOKEN);
        if self.running.ca_pem.is_some() {
            let ca = self.files.path().join("ca.pem");
            command.env("NODE_EXTRA_CA_CERTS", &ca).env("REQUESTS_CA_BUNDLE", &ca).env("SSL_CERT_FILE", &ca);
        }
        command
    }
}

/// Runs a script of Node beside its packages, where its imports are found.
async fn node(world: &World, script: &str) {
    node_with(world.command("node"), &world.running.instance_url, script).await;
}

async fn node_with(mut command: Command, url: &str, script: &str) {
    let home = node_home();
    fs::copy(scripts().join(script), home.join(script)).unwrap();
    command.arg(home.join(script));
    command.env(
        "TIELINE_CHROMIUM",
        std::env::var_os("TIELINE_CHROMIUM").unwrap_or_else(|| "/usr/bin/chromium".into()),
    );
    let what = format!("{script} against {url}");
    tokio::task::spawn_blocking(move || run(&what, &mut command)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn jsforce_works_over_http_and_https() {
    for tls in [false, true] {
        node(&World::start(tls).await, "salesforce.mjs").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn simple_salesforce_works_over_http_and_https() {
    let home = python_home();
    for tls in [false, true] {
        let world = World::start(tls).await;
        let mut command = world.command("python3");
        command.env("PYTHONPATH", &home).arg(scripts().join("salesforce.py"));
        let what = format!("salesforce.py against {}", world.running.instance_url);
        tokio::task::spawn_blocking(move || run(&what, &mut command)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_sees_the_console_and_its_open_cti() {
    node(&World::start(false).await, "console.mjs").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn node_zendesk_works_over_http_and_https() {
    for tls in [false, true] {
        let account = Account::start(tls).await;
        node_with(account.command("node"), &account.running.base_url, "zendesk.mjs").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn zenpy_works_over_http_and_https() {
    let home = python_home();
    for tls in [false, true] {
        let account = Account::start(tls).await;
        let mut command = account.command("python3");
        command.env("PYTHONPATH", &home).arg(scripts().join("zendesk.py"));
        let what = format!("zendesk.py against {}", account.running.base_url);
        tokio::task::spawn_blocking(move || run(&what, &mut command)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_sees_the_agents_page_and_its_apps_framework() {
    let account = Account::start(false).await;
    node_with(account.command("node"), &account.running.base_url, "agents.mjs").await;
}
