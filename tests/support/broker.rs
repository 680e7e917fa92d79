//! A RabbitMQ of one's own: own ports, own data, own port mapper, ended by its own process ids. Knows only the
//! standard library, so that tests and `cargo xtask demo` can both take it in by its path.

#![allow(dead_code, reason = "each of its users takes what it needs")]

use std::fs;
use std::io::{Error, Read, Result, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Debian's script below the wrapper that switches users: a private broker runs as whoever starts it.
const SERVER: &str = "/usr/lib/rabbitmq/bin/rabbitmq-server";
const CONTROL: &str = "/usr/lib/rabbitmq/bin/rabbitmqctl";
/// No busy waiting on a small machine, and nothing listens beyond it.
const ERL_ARGS: &str =
    "+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none -kernel inet_dist_use_interface {127,0,0,1}";
const READY_WITHIN: Duration = Duration::from_secs(60);
const STOPPED_WITHIN: Duration = Duration::from_secs(20);
/// What AMQP 0-9-1 begins with; a broker that is ready answers it with a frame.
const HELLO: &[u8] = b"AMQP\x00\x00\x09\x01";

/// A private broker. Dropping it ends it and removes its data.
#[derive(Debug)]
pub(crate) struct Broker {
    home: PathBuf,
    port: u16,
    mapper_port: u16,
    mapper: Option<Child>,
    server: Option<Child>,
}

impl Broker {
    /// Starts a broker and waits until it speaks AMQP.
    ///
    /// # Errors
    /// RabbitMQ is not installed, or does not start; the text holds the end of its own log.
    pub(crate) fn start() -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let home = std::env::temp_dir().join(format!("tieline-broker-{}-{number}", std::process::id()));
        fs::create_dir_all(&home)?;
        // Both stay open until both ports are known, so that they differ.
        let (amqp, mapper) =
            (TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?, TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?);
        let (port, mapper_port) = (amqp.local_addr()?.port(), mapper.local_addr()?.port());
        drop((amqp, mapper));
        let mut broker = Self { home, port, mapper_port, mapper: None, server: None };
        broker.start_again()?;
        Ok(broker)
    }

    /// Its address for clients.
    pub(crate) fn url(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/%2f", self.port)
    }

    /// Starts it again after [`Broker::stop`] or [`Broker::kill`], on the same port, with the same data.
    ///
    /// # Errors
    /// As [`Broker::start`].
    pub(crate) fn start_again(&mut self) -> Result<()> {
        self.start_mapper()?;
        let log = fs::File::create(self.home.join("output.log"))?;
        let dir = |name: &str| self.home.join(name);
        let mut start = Command::new(SERVER);
        self.environment(&mut start)
            .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODE_PORT", self.port.to_string())
            // Port 0 lets the system choose; the mapper knows which it was.
            .env("RABBITMQ_DIST_PORT", free_port()?.to_string())
            .env("RABBITMQ_MNESIA_BASE", dir("data"))
            .env("RABBITMQ_LOG_BASE", dir("log"))
            .env("RABBITMQ_GENERATED_CONFIG_DIR", dir("generated"))
            .env("RABBITMQ_CONFIG_FILE", self.configure()?)
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", dir("plugins"))
            .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", ERL_ARGS)
            // Makes the script become the broker, so that our child's id is the broker's.
            .env("RUNNING_UNDER_SYSTEMD", "1")
            .env_remove("NOTIFY_SOCKET");
        start.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        self.server = Some(own_group(&mut start).spawn().map_err(|e| {
            Error::new(e.kind(), format!("{SERVER} does not start ({e}): `apt-get install rabbitmq-server`"))
        })?);
        self.wait_until_ready()
    }

    /// Ends it in order, as `systemctl stop` would.
    pub(crate) fn stop(&mut self) {
        if let Some(mut server) = self.server.take() {
            let asked = Command::new("kill").args(["-TERM", &server.id().to_string()]).status();
            if !asked.is_ok_and(|status| status.success()) || !ends_within(&mut server, STOPPED_WITHIN) {
                end(server);
            }
        }
    }

    /// Ends it as `kill -9` does.
    pub(crate) fn kill(&mut self) {
        if let Some(server) = self.server.take() {
            end(server);
        }
    }

    /// Runs `rabbitmqctl` against it and gives what it said.
    ///
    /// # Errors
    /// It cannot be run, or refuses; the text holds its words.
    pub(crate) fn control(&self, arguments: &[&str]) -> Result<String> {
        let mut control = Command::new(CONTROL);
        let output = self.environment(&mut control).arg("--quiet").args(arguments).output()?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Err(Error::other(String::from_utf8_lossy(&output.stderr).into_owned()))
    }

    /// What server and control must agree on.
    fn environment<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .env("HOME", &self.home)
            .env("ERL_EPMD_PORT", self.mapper_port.to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODENAME", format!("tieline-{}@localhost", self.port))
            .env("RABBITMQ_CONF_ENV_FILE", self.home.join("none"))
    }

    fn start_mapper(&mut self) -> Result<()> {
        if self.mapper.is_some() {
            return Ok(());
        }
        let mut epmd = Command::new("epmd");
        epmd.args(["-port", &self.mapper_port.to_string(), "-address", "127.0.0.1"]);
        epmd.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.mapper = Some(own_group(&mut epmd).spawn()?);
        let (until, port) = (Instant::now() + READY_WITHIN, self.mapper_port);
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if Instant::now() > until {
                return Err(Error::other("epmd does not listen"));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    fn configure(&self) -> Result<PathBuf> {
        let file = self.home.join("rabbitmq.conf");
        // A small machine must not block publishers for its memory or disk; the tests block it when they want to.
        fs::write(
            &file,
            "vm_memory_high_watermark.relative = 0.9\ndisk_free_limit.absolute = 10MB\nlog.console = true\n",
        )?;
        fs::write(self.home.join("plugins"), "[].\n")?;
        Ok(file)
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let until = Instant::now() + READY_WITHIN;
        while !speaks_amqp(self.port) {
            let ended = match &mut self.server {
                Some(server) => server.try_wait()?,
                None => None,
            };
            if let Some(status) = ended {
                return Err(Error::other(format!("the broker ended ({status})\n{}", self.last_words())));
            }
            if Instant::now() > until {
                return Err(Error::other(format!("the broker is not ready in time\n{}", self.last_words())));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    fn last_words(&self) -> String {
        let text = fs::read_to_string(self.home.join("output.log")).unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.kill();
        if let Some(mapper) = self.mapper.take() {
            end(mapper);
        }
        // What cannot be removed lies in the system's temporary folder and hurts nobody.
        let _ = fs::remove_dir_all(Path::new(&self.home));
    }
}

/// A group of its own, so that a Ctrl-C at the terminal does not end it before its clients.
fn own_group(command: &mut Command) -> &mut Command {
    std::os::unix::process::CommandExt::process_group(command, 0)
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

fn speaks_amqp(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else { return false };
    let mut first = [0; 1];
    // A frame begins with its type, 1 for a method; a refusal begins with the letter A.
    stream.set_read_timeout(Some(Duration::from_secs(2))).is_ok()
        && stream.write_all(HELLO).is_ok()
        && stream.read_exact(&mut first).is_ok()
        && first == [1]
}

fn ends_within(child: &mut Child, limit: Duration) -> bool {
    let until = Instant::now() + limit;
    while Instant::now() < until {
        if matches!(child.try_wait(), Ok(Some(_)) | Err(_)) {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}

fn end(mut child: Child) {
    // Fails only when the child is gone already.
    let _ = child.kill();
    let _ = child.wait();
}
