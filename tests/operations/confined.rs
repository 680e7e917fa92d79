//! The daemon under `confine.py`, which does to it what systemd or a container engine would.

use crate::{said, source, tieline};
use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A user that nobody is.
const UID: u32 = 65_532;
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Confined {
    folder: TempDir,
    /// What stands before the program: the confinement.
    with: Vec<String>,
    /// The program and its settings, as it sees them.
    program: String,
    settings: String,
    environment: Vec<(String, String)>,
    child: Child,
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

fn is_root() -> bool {
    said(Command::new("id").arg("-u")).1.trim() == "0"
}

/// A folder of that user alone.
fn owned(path: &Path) {
    fs::create_dir_all(path).expect("a folder");
    fs::set_permissions(path, Permissions::from_mode(0o700)).expect("closed");
    std::os::unix::fs::chown(path, Some(UID), Some(UID)).expect("given away; this needs root");
}

impl Confined {
    pub(crate) fn as_a_service() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        let state = at("state");
        owned(&state);
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("open");
        fs::copy(tieline(), at("tieline")).expect("a program");
        let text = fs::read_to_string(source("deploy/tieline.toml")).expect("settings");
        fs::write(at("tieline.toml"), text.replace("/var/lib/tieline", &state.display().to_string()))
            .expect("settings");
        let with = ["--write".to_owned(), state.display().to_string(), "--unit".to_owned()];
        let with = with.into_iter().chain([source("deploy/tieline.service").display().to_string()]).collect();
        let (program, settings) =
            (at("tieline").display().to_string(), at("tieline.toml").display().to_string());
        Self::start(folder, with, program, settings, &["run"])
    }

    /// In a root that holds what the image holds, and nothing to write on but its state.
    pub(crate) fn as_an_image(root: TempDir, command: &[&str]) -> Self {
        let path = root.path().display().to_string();
        owned(&root.path().join("var/lib/tieline"));
        fs::set_permissions(root.path(), Permissions::from_mode(0o755)).expect("open");
        let with = ["--root", &path, "--write", &format!("{path}/var/lib/tieline")].map(str::to_owned);
        Self::start(
            root,
            with.to_vec(),
            "/usr/bin/tieline".into(),
            "/etc/tieline/tieline.toml".into(),
            command,
        )
    }

    fn start(
        folder: TempDir,
        with: Vec<String>,
        program: String,
        settings: String,
        command: &[&str],
    ) -> Self {
        assert!(is_root(), "only root can give up rights: run this test as root, or in a container");
        let listen = |name: &str| (format!("TIELINE__HTTP__{name}"), format!("127.0.0.1:{}", free_port()));
        let environment =
            vec![listen("LISTEN"), listen("ADMIN_LISTEN"), ("TIELINE_SETTINGS".into(), settings.clone())];
        let child = confine(&with, &environment).arg(&program).args(command).stdout(Stdio::null()).spawn();
        let child = child.expect("python3 starts");
        Self { folder, with, program, settings, environment, child }
    }

    /// Runs a program under the same confinement.
    pub(crate) fn also(&self, command: &[&str]) -> (i32, String) {
        said(confine(&self.with, &self.environment).args(command))
    }

    /// Waits until `tieline health`, confined as the daemon is, says that all is well.
    pub(crate) fn until_healthy(&mut self) {
        let started = Instant::now();
        loop {
            let (status, text) = self.also(&[&self.program, "health", "--settings", &self.settings]);
            if status == 0 {
                assert!(text.contains("\"ready\""), "{text}");
                return;
            }
            if let Some(status) = self.child.try_wait().expect("a child") {
                panic!("it ended ({status}); the state holds {:?}", self.state());
            }
            assert!(started.elapsed() < PATIENCE, "never healthy: {text}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn state(&self) -> Vec<PathBuf> {
        let inside = |name: &str| fs::read_dir(self.folder.path().join(name)).into_iter().flatten();
        inside("state").chain(inside("var/lib/tieline")).filter_map(|e| Some(e.ok()?.path())).collect()
    }

    /// SIGTERM; its exit status.
    pub(crate) fn stops(&mut self) -> i32 {
        let (told, _) = said(Command::new("kill").args(["-TERM", &self.child.id().to_string()]));
        assert_eq!(told, 0);
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status.code().unwrap_or(-1);
            }
            assert!(started.elapsed() < PATIENCE, "it does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Confined {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether something is kept from a program that is confined like the daemon.
pub(crate) fn refused(like: &Confined, command: &[&str]) -> bool {
    assert!(Path::new(command[0]).exists(), "there is no {}", command[0]);
    like.also(command).0 != 0
}

fn confine(with: &[String], environment: &[(String, String)]) -> Command {
    let mut command = Command::new("python3");
    command.arg(source("tests/operations/confine.py")).args(["--uid", &UID.to_string()]);
    command.args(with).arg("--").envs(environment.iter().cloned());
    command
}
