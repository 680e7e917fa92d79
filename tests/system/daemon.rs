//! The shipped binary under a test: its settings, its start, its end.

use crate::panel::{PATIENCE, Panel, connect, hear, say};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tieline_model::Refusal;
use tieline_model::live::{HostPage, SignedIn};
use tieline_sandbox::keys::AppKey;
use tieline_sandbox::salesforce::{CONSUMER_KEY, INTEGRATION_USER, Options, Running, Sandbox};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// A contact centre with its CRM: outlives the daemons that run on it.
pub(crate) struct Centre {
    pub(crate) crm: Sandbox,
    org: Running,
    folder: TempDir,
    http: reqwest::Client,
    extra: String,
    /// Under which browsers reach its pages, where that is not each daemon's own address.
    #[allow(dead_code, reason = "the benchmark has one daemon")]
    pub(crate) origin: Option<String>,
    /// What every daemon and verb finds in its environment: the way to a shared journal. Such a daemon has taken the
    /// contact centres over before it counts as ready here.
    #[allow(dead_code, reason = "the benchmark has a journal of its own")]
    pub(crate) shared: Vec<(&'static str, String)>,
}

pub(crate) const PRODUCER_TOKEN: &str = "a-producer-of-the-tests-0123456789";
const PASSWORD: &str = "correct horse";

/// Argon2id takes its time; once is enough.
fn password_hash() -> &'static str {
    static HASH: OnceLock<String> = OnceLock::new();
    HASH.get_or_init(|| {
        let password = tieline::settings::Secret::new(PASSWORD);
        tieline::auth::hash_password(&password).expect("a hash")
    })
}

/// Making an RSA key takes its time; once is enough.
pub(crate) fn app_key() -> &'static AppKey {
    static KEY: OnceLock<AppKey> = OnceLock::new();
    KEY.get_or_init(|| AppKey::generate().expect("a key"))
}

impl Centre {
    pub(crate) async fn start() -> Self {
        Self::with("").await
    }

    /// With further settings, as TOML; `PASSWORD_HASH` in it becomes the hash of everybody's password, `FOLDER` the
    /// centre's folder, where `app.pem` is the key of Salesforce's app.
    pub(crate) async fn with(extra: &str) -> Self {
        tieline::daemon::install_crypto();
        let options = Options { contacts: 20, ..Options::demo(app_key()) };
        let org = Sandbox::start(options).await.expect("the sandbox starts");
        let folder = tempfile::tempdir().expect("a folder");
        let http = reqwest::Client::builder().timeout(PATIENCE).build().expect("a client");
        let centre = Self {
            crm: org.sandbox.clone(),
            org,
            folder,
            http,
            extra: extra.to_owned(),
            origin: None,
            shared: Vec::new(),
        };
        std::fs::write(centre.settings_file(), centre.settings()).expect("settings are written");
        std::fs::write(centre.folder.path().join("app.pem"), &app_key().private_pem)
            .expect("a key is written");
        centre
    }

    fn settings_file(&self) -> PathBuf {
        self.folder.path().join("tieline.toml")
    }

    /// A file of the centre's folder.
    #[allow(dead_code, reason = "the benchmark has no use for it")]
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Another verb of the program, with this centre's settings.
    #[allow(dead_code, reason = "the benchmark has no use for it")]
    pub(crate) async fn verb(&self, verb: &str) -> std::process::Output {
        self.verb_under(verb, &[]).await
    }

    /// The same, with variables of the environment.
    #[allow(dead_code, reason = "the benchmark has no use for it")]
    pub(crate) async fn verb_under(&self, verb: &str, environment: &[(&str, &str)]) -> std::process::Output {
        let mut command = self.program();
        command.arg(verb).arg("--settings").arg(self.settings_file()).envs(environment.iter().copied());
        command.output().await.expect("it runs")
    }

    /// A verb with options of its own.
    #[allow(dead_code, reason = "the benchmark has no use for it")]
    pub(crate) async fn verb_with(&self, arguments: &[&str]) -> std::process::Output {
        let mut command = self.program();
        command.args(arguments).arg("--settings").arg(self.settings_file());
        command.output().await.expect("it runs")
    }

    fn program(&self) -> Command {
        self.program_inside(&[])
    }

    fn program_inside(&self, outer: &[String]) -> Command {
        let mut words: Vec<&str> = outer.iter().map(String::as_str).collect();
        words.push(env!("CARGO_BIN_EXE_tieline"));
        let mut command = Command::new(words[0]);
        command.args(&words[1..]);
        command.envs(self.shared.iter().map(|(name, value)| (*name, value.as_str())));
        command
    }

    fn settings(&self) -> String {
        let folder = self.folder.path().display();
        let hash = password_hash();
        let login = &self.org.login_url;
        format!(
            r#"
[journal]
path = "{folder}/journal.db"
key_file = "{folder}/journal.key"
[auth]
key_file = "{folder}/auth.key"
sign_ins_per_minute = 10000
[auth.producers.pbx]
tenant = "demo"
token = "{PRODUCER_TOKEN}"
[http]
listen = "127.0.0.1:0"
admin_listen = "127.0.0.1:0"
customer_frames_per_minute = 10000
agent_frames_per_minute = 100000
chats_per_minute = 10000
sockets_per_address = 5000
[dispatch]
budget_per_second = 10000
budget_burst = 10000
retry_min = "100ms"
retry_max = "500ms"
breaker_for = "300ms"
[tenants.demo]
default_country = "GB"
own_numbers = ["+44 20 7946 0000"]
[tenants.demo.queues.support]
name = "Support"
[tenants.demo.queues.support.classification]
codes = ["delivery", "refund"]
[tenants.demo.agents.anna]
name = "Anna"
queues = ["support"]
extension = "201"
password_hash = "{hash}"
[tenants.demo.agents.ben]
name = "Ben"
queues = ["support"]
password_hash = "{hash}"
[tenants.demo.connections.crm]
type = "salesforce"
name = "Salesforce"
[tenants.demo.connections.crm.salesforce]
login_url = "{login}"
consumer_key = "{CONSUMER_KEY}"
username = "{INTEGRATION_USER}"
private_key_file = "{folder}/app.pem"
[tenants.other.queues.support]
name = "Support"
[tenants.other.agents.otto]
queues = ["support"]
password_hash = "{hash}"
{}
"#,
            self.extra.replace("PASSWORD_HASH", hash).replace("FOLDER", &folder.to_string())
        )
    }

    /// Starts a daemon on this centre's journal with yet more settings, which stay.
    #[allow(dead_code, reason = "the benchmark keeps its settings")]
    pub(crate) async fn daemon_of(&self, more: &str) -> Daemon {
        let more = more.replace("FOLDER", &self.folder.path().display().to_string());
        let settings = std::fs::read_to_string(self.settings_file()).expect("settings are there");
        std::fs::write(self.settings_file(), settings + &more).expect("settings are written");
        self.daemon().await
    }

    /// Starts a daemon on this centre's journal and waits until it is ready.
    pub(crate) async fn daemon(&self) -> Daemon {
        self.daemon_as(|_| {}).await
    }

    /// Starts a daemon and kills it (-9) after this long, wherever it is by then.
    #[allow(dead_code, reason = "the benchmark kills nothing")]
    pub(crate) async fn daemon_that_dies(&self, after: Duration) {
        let mut child = self.command().stdout(Stdio::null()).spawn().expect("the daemon starts");
        tokio::time::sleep(after).await;
        child.kill().await.expect("it dies");
    }

    fn command(&self) -> Command {
        self.command_inside(&[])
    }

    fn command_inside(&self, outer: &[String]) -> Command {
        let mut command = self.program_inside(outer);
        command.args(["run", "--settings"]).arg(self.settings_file());
        command.stdout(Stdio::piped()).kill_on_drop(true);
        command
    }

    /// The same, with more said on its command line or about its streams.
    pub(crate) async fn daemon_as(&self, more: impl FnOnce(&mut Command)) -> Daemon {
        self.daemon_inside(&[], more).await
    }

    /// The same behind another program, which becomes it.
    pub(crate) async fn daemon_inside(&self, outer: &[String], more: impl FnOnce(&mut Command)) -> Daemon {
        let mut command = self.command_inside(outer);
        more(&mut command);
        let mut child = command.spawn().expect("the daemon starts");
        let out = child.stdout.take().expect("its output");
        let mut lines = BufReader::new(out).lines();
        let line = tokio::time::timeout(PATIENCE, lines.next_line()).await.expect("it says where in time");
        let line = line.expect("its output").expect("it said where it listens before it ended");
        let word = |after: &str| {
            let rest = &line[line.find(after).expect("an address") + after.len()..];
            rest.split([' ', ')', ',']).next().expect("a word").to_owned()
        };
        let (url, admin) = (word("listens on "), word("admin on "));
        let origin = self.origin.clone().unwrap_or_else(|| url.clone());
        let daemon = Daemon { url, admin, origin, child, http: self.http.clone() };
        daemon.until_ready().await;
        if !self.shared.is_empty() {
            daemon.until_it_serves().await;
        }
        daemon
    }
}

pub(crate) struct Daemon {
    /// Scheme, host and port.
    pub(crate) url: String,
    /// The origin of its pages.
    pub(crate) origin: String,
    /// The same of its admin listener.
    pub(crate) admin: String,
    child: Child,
    http: reqwest::Client,
}

impl Daemon {
    async fn until_ready(&self) {
        let started = Instant::now();
        loop {
            if let Ok(answer) = self.http.get(format!("{}/readyz", self.url)).send().await
                && answer.status().is_success()
            {
                return;
            }
            assert!(started.elapsed() < PATIENCE, "never ready");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until it serves both contact centres.
    async fn until_it_serves(&self) {
        let started = Instant::now();
        while self.metrics().await.matches("tieline_journal_head{").count() < 2 {
            assert!(started.elapsed() < PATIENCE, "it serves nobody");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub(crate) fn socket(&self, path: &str) -> String {
        format!("{}{path}", self.url.replacen("http", "ws", 1))
    }

    pub(crate) async fn post(&self, path: &str, body: &impl serde::Serialize) -> reqwest::Response {
        let request = self.http.post(format!("{}{path}", self.url)).header("origin", &self.origin).json(body);
        request.send().await.expect("an answer")
    }

    /// Posts an event as the telephone system of the tests.
    pub(crate) async fn event(&self, body: &str) -> (u16, Refusal) {
        let answer = self.try_event(body).await;
        let status = answer.status().as_u16();
        (status, answer.json().await.expect("a refusal of the schema"))
    }

    pub(crate) async fn try_event(&self, body: &str) -> reqwest::Response {
        let request = self.http.post(format!("{}/api/v1/demo/events", self.url));
        let request = request.bearer_auth(PRODUCER_TOKEN).header("content-type", "application/json");
        request.body(body.to_owned()).send().await.expect("an answer")
    }

    /// Says something about a call, and sees that it is taken.
    pub(crate) async fn call(&self, kind: &str, data: Value) {
        let id = crate::visitor::command();
        let envelope = json!({ "specversion": "1.0", "id": id.as_str(), "source": "/pbx/test",
            "type": format!("com.tieline.call.{kind}.v1"), "tenant": "demo", "data": data });
        let answer = self.try_event(&envelope.to_string()).await;
        assert!(answer.status().is_success(), "refused: {}", answer.text().await.expect("a body"));
    }

    pub(crate) async fn panel(&self, agent: &str) -> Panel {
        self.panel_of("demo", agent).await
    }

    pub(crate) async fn panel_of(&self, tenant: &str, agent: &str) -> Panel {
        let token = self.sign_in(tenant, agent).await;
        Panel::open(&self.socket(&format!("/ws/agent?tenant={tenant}")), &self.origin, &token, None).await
    }

    /// A panel that stands in the page of a connection's CRM.
    #[allow(dead_code, reason = "the benchmark has one CRM and stands nowhere")]
    pub(crate) async fn panel_in(&self, agent: &str, host: HostPage) -> Panel {
        let token = self.sign_in("demo", agent).await;
        Panel::open(&self.socket("/ws/agent?tenant=demo"), &self.origin, &token, Some(host)).await
    }

    /// An agent's token.
    pub(crate) async fn sign_in(&self, tenant: &str, agent: &str) -> String {
        let body = json!({ "agent": agent, "password": PASSWORD });
        let answer = self.post(&format!("/api/v1/{tenant}/sign-in"), &body).await;
        assert!(answer.status().is_success(), "{}", answer.text().await.expect("a body"));
        let signed_in: SignedIn = answer.json().await.expect("the answer of the schema");
        signed_in.token
    }

    /// Its process, for measuring.
    #[allow(dead_code, reason = "only the benchmark measures")]
    pub(crate) fn pid(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    /// Says this first and sees that the daemon closes the socket without a snapshot.
    pub(crate) async fn turned_away(&self, path: &str, hello: &Value) {
        let mut socket = connect(&self.socket(path), &self.origin).await;
        say(&mut socket, hello).await;
        while let Some(frame) = hear::<Value>(&mut socket).await {
            assert_eq!(frame["frame"], "bye", "{frame}");
        }
    }

    pub(crate) async fn metrics(&self) -> String {
        let answer = self.http.get(format!("{}/metrics", self.admin)).send().await.expect("metrics");
        answer.text().await.expect("text")
    }

    /// A verb of its admin listener.
    #[allow(dead_code, reason = "the benchmark does not ask")]
    pub(crate) async fn admin(&self, verb: &str, arguments: &Value) -> Value {
        let request = self.http.post(format!("{}/admin/{verb}", self.admin)).json(arguments);
        let answer = request.send().await.expect("an answer");
        let good = answer.status().is_success();
        let body: Value = answer.json().await.expect("JSON");
        assert!(good, "{verb}: {body}");
        body
    }

    /// Waits until a line stands in the metrics.
    pub(crate) async fn until_metric(&self, line: &str) {
        let started = Instant::now();
        while !self.metrics().await.lines().any(|l| l == line) {
            assert!(started.elapsed() < 3 * PATIENCE, "waited in vain for {line}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// `kill -9`.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.expect("it dies");
    }

    /// SIGSTOP: it hangs, and does not know it.
    #[allow(dead_code, reason = "the benchmark lets it run")]
    pub(crate) async fn freeze(&self) {
        self.signal("-STOP").await;
    }

    /// SIGCONT.
    #[allow(dead_code, reason = "the benchmark lets it run")]
    pub(crate) async fn thaw(&self) {
        self.signal("-CONT").await;
    }

    /// `kill -9`, then nothing runs for at least this long; says how long nothing ran.
    pub(crate) async fn kill_and_wait(self, down: Duration) -> Duration {
        self.kill().await;
        let died = Instant::now();
        tokio::time::sleep(down).await;
        died.elapsed()
    }

    /// SIGTERM; it must end well and in time.
    pub(crate) async fn stop(self) {
        self.terminate().await;
        assert_eq!(self.ended().await, Some(0), "it ended badly");
    }

    /// SIGTERM, and no waiting.
    pub(crate) async fn terminate(&self) {
        self.signal("-TERM").await;
    }

    async fn signal(&self, name: &str) {
        let pid = self.child.id().expect("it runs").to_string();
        let told = Command::new("kill").args([name, &pid]).status().await.expect("kill runs");
        assert!(told.success());
    }

    /// Waits for its end; the exit status, unless a signal ended it.
    pub(crate) async fn ended(mut self) -> Option<i32> {
        let status = tokio::time::timeout(PATIENCE, self.child.wait()).await.expect("it ends in time");
        status.expect("a status").code()
    }

    /// What `/readyz` of the admin listener says.
    #[allow(dead_code, reason = "the benchmark does not ask")]
    pub(crate) async fn readyz(&self) -> (u16, Value) {
        let answer = self.http.get(format!("{}/readyz", self.admin)).send().await.expect("an answer");
        let status = answer.status().as_u16();
        (status, answer.json().await.expect("JSON"))
    }
}

/// Only so that frames stay in step with the schema.
#[test]
fn a_frame_reads_as_it_is_written() {
    let bye = tieline_model::live::PanelFrame::Bye { reason: "stopping".into(), reconnect_in: None };
    let text = serde_json::to_string(&bye).expect("JSON");
    assert_eq!(serde_json::from_str::<tieline_model::live::PanelFrame>(&text).expect("the same"), bye);
}
