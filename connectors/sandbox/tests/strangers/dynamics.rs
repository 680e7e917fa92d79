//! Clients of Dynamics 365 and of Entra, and a browser on the page with the Channel Integration Framework.

use super::{node_home, python_home, run, scripts};
use std::fs;
use std::process::Command;
use tieline_sandbox::dynamics::{CLIENT_ID, CLIENT_SECRET, Options, Running, Sandbox, TENANT};
use tieline_sandbox::keys::AppKey;

/// An alternate key, for the calls that need one.
const KEYS: &str = "table incident\nabc_interactionid cu text 100\nkey abc_InteractionKey abc_interactionid";

/// An environment, and its key, certificate and CA on disk for other processes.
struct Environment {
    running: Running,
    files: tempfile::TempDir,
}

impl Environment {
    async fn start(tls: bool) -> Self {
        let key = AppKey::generate().unwrap();
        let options = Options { tls, extra_schema: KEYS.to_owned(), ..Options::demo(&key) };
        let running = Sandbox::start(options).await.unwrap();
        let files = tempfile::tempdir().unwrap();
        fs::write(files.path().join("key.pem"), &key.private_pem).unwrap();
        fs::write(files.path().join("certificate.pem"), &key.certificate_pem).unwrap();
        if let Some(pem) = &running.ca_pem {
            fs::write(files.path().join("ca.pem"), pem).unwrap();
        }
        Self { running, files }
    }

    /// A command that knows where the environment is.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env("SANDBOX_AUTHORITY_URL", &self.running.authority_url)
            .env("SANDBOX_ORG_URL", &self.running.org_url)
            .env("SANDBOX_CONSOLE_URL", &self.running.console_url)
            .env("SANDBOX_TENANT", TENANT)
            .env("SANDBOX_CLIENT_ID", CLIENT_ID)
            .env("SANDBOX_CLIENT_SECRET", CLIENT_SECRET)
            .env("SANDBOX_KEY_FILE", self.files.path().join("key.pem"))
            .env("SANDBOX_CERTIFICATE_FILE", self.files.path().join("certificate.pem"));
        if self.running.ca_pem.is_some() {
            let ca = self.files.path().join("ca.pem");
            command.env("NODE_EXTRA_CA_CERTS", &ca).env("REQUESTS_CA_BUNDLE", &ca);
        }
        command
    }

    /// Runs a script of Node beside its packages, where its imports are found.
    async fn node(&self, script: &str) {
        let home = node_home();
        fs::copy(scripts().join(script), home.join(script)).unwrap();
        let mut command = self.command("node");
        let browser = std::env::var_os("TIELINE_CHROMIUM").unwrap_or_else(|| "/usr/bin/chromium".into());
        command.arg(home.join(script)).env("TIELINE_CHROMIUM", browser);
        let what = format!("{script} against {}", self.running.org_url);
        tokio::task::spawn_blocking(move || run(&what, &mut command)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dynamics_web_api_and_msal_node_work_over_http_and_https() {
    for tls in [false, true] {
        Environment::start(tls).await.node("dynamics.mjs").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn microsofts_dataverse_client_azure_identity_and_msal_work() {
    let home = python_home();
    let environment = Environment::start(true).await;
    let mut command = environment.command("python3");
    command.env("PYTHONPATH", &home).arg(scripts().join("dynamics.py"));
    let what = format!("dynamics.py against {}", environment.running.org_url);
    tokio::task::spawn_blocking(move || run(&what, &mut command)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_sees_the_workspace_and_its_channel_integration_framework() {
    Environment::start(false).await.node("workspace.mjs").await;
}
