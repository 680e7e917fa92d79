//! A PostgreSQL of one's own: own port, own data, ended by its own process ids. Knows only the standard library, so
//! that tests and `cargo xtask` can both take it in by its path.

#![allow(dead_code, reason = "each of its users takes what it needs")]

use std::fs;
use std::io::{Error, Read, Result, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Where Debian puts each version's programs.
const VERSIONS: &str = "/usr/lib/postgresql";
/// The superuser of a private server; anybody on the loopback may be it.
const USER: &str = "tieline";
const READY_WITHIN: Duration = Duration::from_secs(60);
const STOPPED_WITHIN: Duration = Duration::from_secs(20);
/// Durable as in earnest (`fsync` stays on), small, and reachable from this machine alone.
const SETTINGS: [&str; 8] = [
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "shared_buffers=32MB",
    "max_connections=120",
    "fsync=on",
    "synchronous_commit=on",
    "logging_collector=off",
    "log_min_messages=warning",
];

/// A private server. Dropping it ends it and removes its data.
#[derive(Debug)]
pub(crate) struct Server {
    home: PathBuf,
    programs: PathBuf,
    port: u16,
    server: Option<Child>,
}

impl Server {
    /// Makes a cluster, starts it and waits until it takes connections.
    ///
    /// # Errors
    /// PostgreSQL is not installed, or does not start; the text holds the end of its own log.
    pub(crate) fn start() -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let home = std::env::temp_dir().join(format!("tieline-postgres-{}-{number}", std::process::id()));
        fs::create_dir_all(&home)?;
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let mut server = Self { home, programs: programs()?, port, server: None };
        server.make_cluster()?;
        server.start_again()?;
        Ok(server)
    }

    /// The address of its database `postgres` for clients.
    pub(crate) fn url(&self) -> String {
        self.url_of("postgres")
    }

    /// The address of a database.
    pub(crate) fn url_of(&self, database: &str) -> String {
        format!("postgres://{USER}@127.0.0.1:{}/{database}", self.port)
    }

    /// Where it listens.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Starts it again after [`Server::stop`] or [`Server::kill`], on the same port, with the same data.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub(crate) fn start_again(&mut self) -> Result<()> {
        self.start_with(&[])
    }

    /// As [`Server::start_again`], with settings (`name=value`) of its own for this time.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub(crate) fn start_with(&mut self, settings: &[&str]) -> Result<()> {
        let log = fs::File::create(self.home.join("output.log"))?;
        let mut start = self.program("postgres")?;
        start.arg("-D").arg(self.home.join("data")).args(["-p", &self.port.to_string()]);
        for setting in SETTINGS.iter().chain(settings) {
            start.args(["-c", setting]);
        }
        start.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        // A group of its own, so that a Ctrl-C at the terminal does not end it before its clients.
        std::os::unix::process::CommandExt::process_group(&mut start, 0);
        self.server = Some(start.spawn()?);
        self.wait_until_ready()
    }

    /// Ends it in order, cutting off its clients.
    pub(crate) fn stop(&mut self) {
        if let Some(mut server) = self.server.take() {
            let asked = signal("-INT", &[server.id()]);
            if asked.is_err() || !ends_within(&mut server, STOPPED_WITHIN) {
                self.server = Some(server);
                self.kill();
            }
        }
    }

    /// Ends it and all its processes as a power cut does.
    pub(crate) fn kill(&mut self) {
        if let Some(mut server) = self.server.take() {
            // A stopped parent starts no more children between the look and the kill. What fails here is gone already.
            let _ = signal("-STOP", &[server.id()]);
            let _ = signal("-KILL", &family(server.id()));
            let _ = server.kill();
            let _ = server.wait();
            // Its children are not ours to wait for.
            let until = Instant::now() + STOPPED_WITHIN;
            while TcpListener::bind((Ipv4Addr::LOCALHOST, self.port)).is_err() && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }

    /// Stops time for it: it holds what it holds and answers nobody.
    ///
    /// # Errors
    /// It is not running.
    pub(crate) fn freeze(&self) -> Result<()> {
        let server = self.server.as_ref().ok_or_else(|| Error::other("it is not running"))?;
        signal("-STOP", &[server.id()])?;
        signal("-STOP", &family(server.id()))
    }

    /// Lets time go on after [`Server::freeze`].
    ///
    /// # Errors
    /// It is not running.
    pub(crate) fn thaw(&self) -> Result<()> {
        let server = self.server.as_ref().ok_or_else(|| Error::other("it is not running"))?;
        signal("-CONT", &family(server.id()))
    }

    /// Runs statements in a database with `psql`; what they say, without decoration.
    ///
    /// # Errors
    /// It cannot be run, or a statement fails; the text holds its words.
    pub(crate) fn sql(&self, database: &str, statements: &str) -> Result<String> {
        let mut psql = Command::new(self.programs.join("psql"));
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", &self.url_of(database)]);
        words_of(psql.args(["-c", statements]))
    }

    /// The shape of a schema as `pg_dump` writes it.
    ///
    /// # Errors
    /// It cannot be run; the text holds its words.
    pub(crate) fn shape(&self, database: &str, schema: &str) -> Result<String> {
        let mut dump = Command::new(self.programs.join("pg_dump"));
        dump.args(["--schema-only", "--no-owner", "-n", schema, "-d", &self.url_of(database)]);
        words_of(&mut dump)
    }

    /// Whether these bytes stand in any file of its data, its log of changes included.
    pub(crate) fn holds(&self, bytes: &[u8]) -> bool {
        let mut folders = vec![self.home.join("data")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                let path = entry.path();
                if path.is_dir() {
                    folders.push(path);
                } else if fs::read(path).is_ok_and(|all| all.windows(bytes.len()).any(|w| w == bytes)) {
                    return true;
                }
            }
        }
        false
    }

    fn make_cluster(&self) -> Result<()> {
        let data = self.home.join("data");
        fs::create_dir(&data)?;
        if let Some(user) = stand_in()? {
            std::os::unix::fs::chown(&data, Some(user.id), Some(user.group))?;
        }
        let mut make = self.program("initdb")?;
        make.arg("-D").arg(&data).args(["-U", USER, "--auth=trust", "--encoding=UTF8", "--locale=C"]);
        words_of(make.arg("--no-sync")).map(drop)
    }

    /// One of its programs, by somebody who may run it.
    fn program(&self, name: &str) -> Result<Command> {
        let program = self.programs.join(name);
        let mut command = match stand_in()? {
            Some(user) => {
                let mut command = Command::new("setpriv");
                command.args([format!("--reuid={}", user.id), format!("--regid={}", user.group)]);
                command.arg("--clear-groups").arg(program);
                command
            }
            None => Command::new(program),
        };
        // Its working directory must be one that this somebody may be in.
        command.current_dir("/").env_remove("PGDATA").env_remove("PGOPTIONS");
        Ok(command)
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let until = Instant::now() + READY_WITHIN;
        while !takes_connections(self.port) {
            let ended = match &mut self.server {
                Some(server) => server.try_wait()?,
                None => None,
            };
            if let Some(status) = ended {
                return Err(Error::other(format!("PostgreSQL ended ({status})\n{}", self.last_words())));
            }
            if Instant::now() > until {
                return Err(Error::other(format!("PostgreSQL is not ready in time\n{}", self.last_words())));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    fn last_words(&self) -> String {
        let text = fs::read_to_string(self.home.join("output.log")).unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        // What cannot be removed lies in the system's temporary folder and hurts nobody.
        let _ = fs::remove_dir_all(Path::new(&self.home));
    }
}

/// The newest version that is installed.
fn programs() -> Result<PathBuf> {
    let missing = || Error::other("PostgreSQL is not installed: `apt-get install postgresql`");
    let versions = fs::read_dir(VERSIONS).map_err(|_| missing())?;
    let newest = versions
        .filter_map(|version| Some(version.ok()?.path().join("bin")))
        .filter(|programs| programs.join("initdb").is_file())
        .max_by_key(|programs| {
            let version = programs.parent().and_then(Path::file_name).and_then(|name| name.to_str());
            version.and_then(|name| name.parse().ok()).unwrap_or(0_u32)
        });
    newest.ok_or_else(missing)
}

struct User {
    id: u32,
    group: u32,
}

/// PostgreSQL refuses to run as root; then it runs as the user its package made, or as nobody.
fn stand_in() -> Result<Option<User>> {
    let id = |args: &[&str]| -> Result<u32> {
        words_of(Command::new("id").args(args))?.trim().parse().map_err(Error::other)
    };
    if id(&["-u"])? != 0 {
        return Ok(None);
    }
    let name = if id(&["-u", "postgres"]).is_ok() { "postgres" } else { "nobody" };
    Ok(Some(User { id: id(&["-u", name])?, group: id(&["-g", name])? }))
}

fn words_of(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(Error::other(String::from_utf8_lossy(&output.stderr).into_owned()))
}

/// A process and its children. Each of PostgreSQL's is in a session of its own, so a group would not reach them.
fn family(parent: u32) -> Vec<u32> {
    let mut all = vec![parent];
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(id) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        // After the name, which may hold anything, come the state and the parent.
        let of = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1));
        if of.and_then(|of| of.parse().ok()) == Some(parent) {
            all.push(id);
        }
    }
    all
}

fn signal(which: &str, processes: &[u32]) -> Result<()> {
    words_of(Command::new("kill").arg(which).args(processes.iter().map(u32::to_string))).map(drop)
}

/// Says hello as a client would and looks whether it is let in; while it starts or recovers it says no.
fn takes_connections(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else { return false };
    let who = format!("user\0{USER}\0database\0postgres\0\0");
    let mut hello = u32::try_from(who.len() + 8).unwrap_or(0).to_be_bytes().to_vec();
    // Protocol 3.0.
    hello.extend(0x0003_0000_u32.to_be_bytes());
    hello.extend(who.as_bytes());
    let mut first = [0; 1];
    stream.set_read_timeout(Some(Duration::from_secs(2))).is_ok()
        && stream.write_all(&hello).is_ok()
        && stream.read_exact(&mut first).is_ok()
        && first == *b"R"
}

fn ends_within(child: &mut Child, limit: Duration) -> bool {
    let until = Instant::now() + limit;
    while Instant::now() < until {
        if matches!(child.try_wait(), Ok(Some(_)) | Err(_)) {
            return true;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    false
}
