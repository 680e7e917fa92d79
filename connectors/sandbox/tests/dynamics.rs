//! The Dynamics sandbox over real sockets: tokens, the Web API's rules, faults, http and https.
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic")]

use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};
use std::sync::LazyLock;
use std::time::Duration;
use tieline_sandbox::dynamics::{CLIENT_ID, CLIENT_SECRET, Options, Running, STRANGER_ID, Sandbox, TENANT};
use tieline_sandbox::keys::AppKey;

#[path = "dynamics/faults.rs"]
mod faults;
#[path = "dynamics/more.rs"]
mod more;
#[path = "dynamics/records.rs"]
mod records;
#[path = "dynamics/tokens.rs"]
mod tokens;

static KEY: LazyLock<AppKey> = LazyLock::new(|| AppKey::generate().unwrap());

async fn started(options: Options) -> (Running, Client) {
    let running = Sandbox::start(options).await.unwrap();
    let client = Client::builder().timeout(Duration::from_secs(20));
    let roots = running.ca_pem.as_ref().map(|pem| reqwest::Certificate::from_pem(pem.as_bytes()).unwrap());
    (running, client.tls_certs_only(roots).build().unwrap())
}

fn small() -> Options {
    Options { contacts: 10, ..Options::demo(&KEY) }
}

fn with_switches(change: impl FnOnce(&mut tieline_sandbox::dynamics::Switches)) -> Options {
    let mut options = small();
    change(&mut options.switches);
    options
}

fn endpoint(running: &Running) -> String {
    format!("{}/{TENANT}/oauth2/v2.0/token", running.authority_url)
}

fn scope(running: &Running) -> String {
    format!("{}/.default", running.org_url)
}

async fn grant(client: &Client, running: &Running, form: &[(&str, &str)]) -> (u16, Value) {
    let answer = client.post(endpoint(running)).form(form).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

async fn by_secret(client: &Client, running: &Running, id: &str, secret: &str, scope: &str) -> (u16, Value) {
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", id),
        ("client_secret", secret),
        ("scope", scope),
    ];
    grant(client, running, &form).await
}

/// A client with a token.
struct Api {
    client: Client,
    running: Running,
    token: String,
}

impl Api {
    async fn new(options: Options) -> Self {
        Self::of(options, CLIENT_ID).await
    }

    async fn of(options: Options, client_id: &str) -> Self {
        let (running, client) = started(options).await;
        let (status, body) = by_secret(&client, &running, client_id, CLIENT_SECRET, &scope(&running)).await;
        assert_eq!(status, 200, "{body}");
        let token = body["access_token"].as_str().unwrap().to_owned();
        Self { client, running, token }
    }

    fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let url = format!("{}/api/data/v9.2/{path}", self.running.org_url);
        self.client.request(method.parse().unwrap(), url).bearer_auth(&self.token)
    }

    async fn call(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let mut request = self.request(method, path);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap_or(Value::Null))
    }

    /// A query whose options are encoded here.
    async fn query(&self, set: &str, options: &[(&str, &str)]) -> (u16, Value) {
        let answer = self.request("GET", set).query(options).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    async fn names(&self, filter: &str) -> Vec<String> {
        let (status, body) = self.query("contacts", &[("$filter", filter), ("$select", "fullname")]).await;
        assert_eq!(status, 200, "{filter}: {body}");
        let rows = body["value"].as_array().unwrap();
        rows.iter().map(|r| r["fullname"].as_str().unwrap().to_owned()).collect()
    }

    /// The id of a known person.
    async fn contact(&self, email: &str) -> String {
        let filter = format!("emailaddress1 eq '{email}'");
        let (_, body) = self.query("contacts", &[("$filter", &filter), ("$select", "contactid")]).await;
        body["value"][0]["contactid"].as_str().unwrap().to_owned()
    }

    /// A case of Grace's, made with an id of our own.
    async fn case(&self, id: &str) -> Response {
        let grace = self.contact("grace.okafor@okafor-sons.example").await;
        let body = json!({"incidentid": id, "title": "T",
            "customerid_contact@odata.bind": format!("/contacts({grace})")});
        self.request("POST", "incidents").json(&body).send().await.unwrap()
    }

    async fn switch(&self, changes: Value) {
        let url = format!("{}/__sandbox/switches", self.running.org_url);
        let status = self.client.patch(url).json(&changes).send().await.unwrap().status();
        assert_eq!(status, StatusCode::NO_CONTENT, "{changes}");
    }

    async fn arm(&self, fault: Value) {
        let url = format!("{}/__sandbox/faults", self.running.org_url);
        let status = self.client.post(url).json(&fault).send().await.unwrap().status();
        assert_eq!(status, StatusCode::NO_CONTENT, "{fault}");
    }
}

fn code(body: &Value) -> &str {
    body["error"]["code"].as_str().unwrap_or("none")
}

fn aadsts(body: &Value) -> u64 {
    body["error_codes"][0].as_u64().unwrap_or(0)
}

#[tokio::test]
async fn https_works_with_the_ca_of_the_run() {
    let api = Api::new(Options { tls: true, ..small() }).await;
    assert!(api.running.org_url.starts_with("https://"));
    assert_eq!(api.call("GET", "WhoAmI", None).await.0, 200);
}

#[tokio::test]
async fn an_app_without_application_user_is_no_member() {
    let api = Api::of(small(), STRANGER_ID).await;
    let (status, body) = api.call("GET", "WhoAmI", None).await;
    assert_eq!((status, code(&body)), (403, "0x80072560"));
}
