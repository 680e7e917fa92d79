//! The compose file: every key is one that the specification knows, what it names exists, what it sets are settings,
//! and each service is closed as far as it can be. The types below are the part of the specification that is used;
//! another key fails.

use crate::{read, said, source, tieline};
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

type Map<T> = BTreeMap<String, T>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Compose {
    name: String,
    services: Map<Service>,
    networks: Map<Network>,
    volumes: Map<Empty>,
    configs: Map<File>,
    secrets: Map<File>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Empty {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
struct Network {
    internal: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    file: String,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Service {
    build: Option<String>,
    image: String,
    restart: String,
    hostname: Option<String>,
    user: Option<String>,
    profiles: Vec<String>,
    depends_on: Map<Dependency>,
    environment: Map<String>,
    ports: Vec<String>,
    volumes: Vec<String>,
    configs: Vec<Mounted>,
    secrets: Vec<Mounted>,
    networks: Vec<String>,
    read_only: bool,
    cap_drop: Vec<String>,
    security_opt: Vec<String>,
    pids_limit: Option<u32>,
    mem_limit: Option<String>,
    stop_grace_period: Option<String>,
    healthcheck: Option<Health>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Dependency {
    condition: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Mounted {
    Short(String),
    Long { source: String, target: String },
}

impl Mounted {
    fn source(&self) -> &str {
        match self {
            Self::Short(source) | Self::Long { source, .. } => source,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Health {
    test: Vec<String>,
    interval: String,
    timeout: String,
    start_period: String,
    retries: u32,
}

fn compose() -> Compose {
    yaml_serde::from_str(&read("docker-compose.yml")).expect("the compose file")
}

/// `${NAME:-what}` becomes what stands there unless somebody sets the variable.
fn resolved(text: &str) -> String {
    let Some((before, rest)) = text.split_once("${") else { return text.to_owned() };
    let (inside, after) = rest.split_once('}').expect("an end");
    let (_, unless) = inside.split_once(":-").unwrap_or_else(|| panic!("{text} has no default"));
    format!("{before}{unless}{after}")
}

fn seconds(text: &str) -> u64 {
    text.strip_suffix('s').and_then(|n| n.parse().ok()).unwrap_or_else(|| panic!("{text} is not in seconds"))
}

#[test]
fn every_service_is_closed_watched_and_started_again() {
    let compose = compose();
    assert_eq!(compose.name, "tieline");
    for (name, service) in &compose.services {
        assert!(
            service.image.contains(':') && !service.image.ends_with(":latest"),
            "{name}: {}",
            service.image
        );
        assert_eq!(service.restart, "unless-stopped", "{name}");
        assert!(service.security_opt.iter().any(|o| o == "no-new-privileges:true"), "{name} may gain rights");
        let health = service.healthcheck.as_ref().unwrap_or_else(|| panic!("{name} has no health check"));
        assert!(health.test.first().is_some_and(|word| word == "CMD") && health.retries > 0, "{name}");
        for time in [&health.interval, &health.timeout, &health.start_period] {
            assert!(seconds(time) > 0);
        }
        for port in &service.ports {
            assert!(port.starts_with("127.0.0.1:"), "{name} is open to the world: {port}");
        }
        for (other, dependency) in &service.depends_on {
            assert!(compose.services.contains_key(other), "{name} waits for {other}, which is not there");
            assert_eq!(dependency.condition, "service_healthy");
        }
    }
}

#[test]
fn what_a_service_names_is_declared_and_what_is_declared_is_used() {
    let compose = compose();
    let all = compose.services.values();
    let volumes: BTreeSet<&str> =
        all.clone().flat_map(|s| &s.volumes).map(|v| v.split(':').next().expect("a name")).collect();
    assert_eq!(volumes, compose.volumes.keys().map(String::as_str).collect());
    let secrets: BTreeSet<&str> = all.clone().flat_map(|s| &s.secrets).map(Mounted::source).collect();
    assert_eq!(secrets, compose.secrets.keys().map(String::as_str).collect());
    let configs: BTreeSet<&str> = all.clone().flat_map(|s| &s.configs).map(Mounted::source).collect();
    assert_eq!(configs, compose.configs.keys().map(String::as_str).collect());
    let networks: BTreeSet<&str> = all.flat_map(|s| &s.networks).map(String::as_str).collect();
    assert_eq!(networks, compose.networks.keys().map(String::as_str).collect());
    assert!(compose.networks["inside"].internal && !compose.networks["outside"].internal);
    for config in compose.configs.values() {
        assert!(source(&resolved(&config.file)).is_file(), "there is no {}", config.file);
    }
}

#[test]
fn the_daemon_has_no_rights_and_time_to_drain() {
    let compose = compose();
    let daemon = &compose.services["tieline"];
    assert!(daemon.read_only && daemon.cap_drop == ["ALL"]);
    assert_eq!(daemon.build.as_deref(), Some("."));
    assert_eq!(daemon.image, format!("tieline:{}", env!("CARGO_PKG_VERSION")));
    let dockerfile = read("Dockerfile");
    let user = dockerfile.lines().find_map(|line| line.strip_prefix("USER ")).expect("a user");
    assert_eq!(daemon.user.as_deref(), Some(user));
    assert!(daemon.pids_limit.is_some() && daemon.mem_limit.is_some());
    let grace = seconds(daemon.stop_grace_period.as_deref().expect("a time"));
    let drain = seconds(&daemon.environment["TIELINE__DAEMON__DRAIN_WITHIN"]);
    assert!(grace >= drain + 5, "{grace} s are too few for a drain of {drain} s");
    let outside: Vec<&str> = daemon.ports.iter().filter_map(|port| port.rsplit(':').next()).collect();
    let listen: toml::Value = toml::from_str(&read("deploy/container.toml")).expect("settings");
    let listen = listen["http"]["listen"].as_str().expect("an address");
    assert_eq!(outside, [listen.rsplit(':').next().expect("a port")]);
    assert_eq!(compose.services["rabbitmq"].hostname.as_deref(), Some("rabbitmq"));
    assert_eq!(compose.services["postgres"].profiles, ["several-machines"], "nothing uses it yet");
}

/// The secrets' script makes every file that is named, each readable in the container, and does not change its mind.
fn secrets(folder: &Path) -> Compose {
    let script = folder.join("make-secrets.sh");
    std::fs::copy(source("deploy/make-secrets.sh"), &script).expect("a script");
    let (status, text) = said(Command::new("sh").arg(&script));
    assert_eq!(status, 0, "{text}");
    compose()
}

#[test]
fn the_secrets_that_are_named_are_made_and_belong_together() {
    let folder = tempfile::tempdir().expect("a folder");
    let compose = secrets(folder.path());
    let file = |name: &str| {
        let path = compose.secrets[name].file.strip_prefix("./deploy/").expect("below deploy/");
        std::fs::read_to_string(folder.path().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    };
    let (url, user) = (file("amqp_url"), file("rabbitmq_user"));
    let password = url.split(':').nth(2).and_then(|rest| rest.split('@').next()).expect("a password");
    assert_eq!(password.len(), 48);
    assert!(
        user.contains(&format!("default_pass = {password}\n")) && user.contains("default_user = tieline")
    );
    assert!(url.contains("@rabbitmq:5672/"), "the broker's name on the network");
    assert!(file("postgres_password").trim().len() == 48);
    secrets(folder.path());
    assert_eq!(file("amqp_url"), url, "what is there stays");
}

/// `tieline check` with exactly the environment that the container gets, its secrets in their places.
#[test]
fn what_the_environment_sets_are_settings() {
    let folder = tempfile::tempdir().expect("a folder");
    let compose = secrets(folder.path());
    let daemon = &compose.services["tieline"];
    let inside = |value: &str| match value.strip_prefix("/run/secrets/") {
        Some(name) => {
            assert!(daemon.secrets.iter().any(|s| s.source() == name), "{name} is not mounted");
            folder.path().join("secrets").join(name).display().to_string()
        }
        None => resolved(value),
    };
    let environment: Vec<(String, String)> =
        daemon.environment.iter().map(|(key, value)| (key.clone(), inside(value))).collect();
    let settings = match &daemon.configs[0] {
        Mounted::Long { target, .. } => target.clone(),
        Mounted::Short(name) => panic!("{name} needs a place"),
    };
    assert!(read("Dockerfile").contains(&format!("ENV TIELINE_SETTINGS={settings}")), "{settings}");
    let check = |more: &[(&str, &str)]| {
        let mut check = Command::new(tieline());
        check.args(["check", "--settings"]).arg(source("deploy/container.toml"));
        said(check.envs(environment.iter().cloned()).envs(more.iter().copied()))
    };
    let (status, text) = check(&[]);
    assert!(status == 0 && text.contains("The settings are sound"), "{text}");
    let (status, text) = check(&[("TIELINE__BUS__KINDS", "rabbitmq")]);
    assert!(status == 78 && text.contains("kinds"), "a key that is none is seen: {text}");

    let schema: Value = tieline::settings::schema();
    for (key, _) in &environment {
        let parts: Vec<String> = key.split("__").skip(1).map(str::to_lowercase).collect();
        let section = &schema["properties"][&parts[0]]["$ref"];
        let section = section.as_str().and_then(|s| s.rsplit('/').next()).unwrap_or_else(|| panic!("{key}"));
        assert!(schema["$defs"][section]["properties"].get(&parts[1]).is_some(), "{key} is no setting");
    }
}
