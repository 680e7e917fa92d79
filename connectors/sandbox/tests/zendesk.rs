//! The Zendesk sandbox over real sockets: logins, statuses, shapes, limits, faults.
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic")]

use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};
use std::time::Duration;
use tieline_connector_api::sandbox::{Fault, Sandbox as _};
use tieline_sandbox::zendesk::{
    API_TOKEN, CLIENT_ID, CLIENT_SECRET, OWNER, Options, Running, Sandbox, Switches,
};

/// A logged-in client of an account.
struct Api {
    client: Client,
    running: Running,
    token: String,
}

fn small() -> Options {
    Options { contacts: 0, ..Options::demo() }
}

fn with(change: impl FnOnce(&mut Switches)) -> Options {
    let mut options = small();
    change(&mut options.switches);
    options
}

async fn started(options: Options) -> (Running, Client) {
    let running = Sandbox::start(options).await.unwrap();
    let client =
        Client::builder().timeout(Duration::from_secs(20)).redirect(reqwest::redirect::Policy::none());
    let client = match &running.ca_pem {
        Some(pem) => client.tls_certs_only([reqwest::Certificate::from_pem(pem.as_bytes()).unwrap()]),
        None => client.tls_certs_only([]),
    };
    (running, client.build().unwrap())
}

async fn grant(client: &Client, running: &Running, body: Value) -> (u16, Value) {
    let answer = client.post(format!("{}/oauth/tokens", running.base_url)).json(&body).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap_or_default())
}

fn credentials() -> Value {
    json!({"grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET,
        "scope": "read write"})
}

impl Api {
    async fn new(options: Options) -> Self {
        let (running, client) = started(options).await;
        let (status, body) = grant(&client, &running, credentials()).await;
        assert_eq!(status, 200, "{body}");
        let token = body["access_token"].as_str().unwrap().to_owned();
        Self { client, running, token }
    }

    fn request(&self, method: &str, path: &str) -> RequestBuilder {
        let url = format!("{}/api/v2/{path}", self.running.base_url);
        self.client.request(method.parse().unwrap(), url).bearer_auth(&self.token)
    }

    async fn call(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let mut request = self.request(method, path);
        if !body.is_null() {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap_or_default())
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        self.call("GET", path, Value::Null).await
    }

    /// A private ticket of nobody in particular.
    async fn ticket(&self, more: Value) -> Value {
        let mut ticket = json!({"subject": "A chat", "comment": {"body": "Hello", "public": false}});
        for (name, value) in more.as_object().unwrap() {
            ticket[name] = value.clone();
        }
        let (status, body) = self.call("POST", "tickets", json!({"ticket": ticket})).await;
        assert_eq!(status, 201, "{body}");
        body["ticket"].clone()
    }
}

#[tokio::test]
async fn nobody_is_somebody_at_users_me_and_nowhere_else() {
    let (running, client) = started(small()).await;
    let get = |path: &str| client.get(format!("{}/api/v2/{path}", running.base_url));
    let me = get("users/me").send().await.unwrap();
    assert_eq!(me.status(), 200);
    assert!(me.json::<Value>().await.unwrap()["user"]["id"].is_null());
    assert_eq!(get("tickets").send().await.unwrap().status(), 401);
    let dead = get("users/me").bearer_auth("dead").send().await.unwrap();
    assert_eq!(dead.status(), 401);
    assert_eq!(dead.json::<Value>().await.unwrap()["error"], "invalid_token");
    let token = format!("{OWNER}/token");
    let basic: Value =
        get("users/me.json").basic_auth(&token, Some(API_TOKEN)).send().await.unwrap().json().await.unwrap();
    assert_eq!(basic["user"]["role"], "admin");
    let password = get("users/me").basic_auth(OWNER, Some(API_TOKEN)).send().await.unwrap();
    assert_eq!(password.status(), 401);
    assert_eq!(password.json::<Value>().await.unwrap(), json!({"error": "Couldn't authenticate you"}));
}

#[tokio::test]
async fn a_ticket_is_made_changed_and_found_by_its_external_id_at_once() {
    let api = Api::new(small()).await;
    let ticket = api.ticket(json!({"external_id": "key-1", "tags": ["Chat", "two words"]})).await;
    let id = ticket["id"].as_u64().unwrap();
    assert_eq!(ticket["tags"], json!(["chat", "two", "words"]));
    for path in ["tickets?external_id=key-1", "tickets.json?external_id=key-1"] {
        let (_, found) = api.get(path).await;
        assert_eq!(found["tickets"][0]["id"], json!(id), "{path}");
        assert_eq!(found["count"], 1);
    }
    let change = json!({"ticket": {"status": "solved", "assignee_id": null, "comment": {"body": "Again"}}});
    let (status, body) = api.call("PUT", &format!("tickets/{id}.json"), change).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(body["audit"]["events"][0]["public"], false, "later comments are as the one before");
    let (_, comments) = api.get(&format!("tickets/{id}/comments")).await;
    let bodies: Vec<&str> =
        comments["comments"].as_array().unwrap().iter().map(|c| c["body"].as_str().unwrap()).collect();
    assert_eq!(bodies, ["Hello", "Again"]);
    assert!(api.running.sandbox.mails().is_empty());
    assert_eq!(api.call("DELETE", &format!("tickets/{id}"), Value::Null).await.0, 204);
    assert_eq!(
        api.get(&format!("tickets/{id}")).await,
        (404, json!({"error": "RecordNotFound", "description": "Not found"}))
    );
}

#[tokio::test]
async fn a_public_comment_sends_an_e_mail_and_the_audit_says_so() {
    let api = Api::new(small()).await;
    let (_, grace) = api.get("users/search?query=email:grace.okafor@okafor-sons.example").await;
    let grace = grace["users"][0]["id"].as_u64().unwrap();
    let ticket =
        json!({"ticket": {"requester_id": grace, "subject": "x", "comment": {"body": "public by default"}}});
    let (status, body) = api.call("POST", "tickets", ticket).await;
    assert_eq!(status, 201);
    let events = body["audit"]["events"].as_array().unwrap();
    assert!(
        events.iter().any(|e| e["type"] == "Notification" && e["recipients"] == json!([grace])),
        "{events:?}"
    );
    assert!(api.running.sandbox.mails().iter().any(|m| m.to == grace));
}

#[tokio::test]
async fn an_idempotency_key_gives_one_ticket_for_one_body() {
    let api = Api::new(small()).await;
    let send = async |key: &str, subject: &str| {
        let body = json!({"ticket": {"subject": subject, "comment": {"body": "x", "public": false}}});
        let answer =
            api.request("POST", "tickets").header("Idempotency-Key", key).json(&body).send().await.unwrap();
        let lookup = answer.headers().get("x-idempotency-lookup").map(|v| v.to_str().unwrap().to_owned());
        (answer.status().as_u16(), lookup, answer.json::<Value>().await.unwrap())
    };
    let (status, lookup, first) = send("k", "one").await;
    assert_eq!((status, lookup.as_deref()), (201, Some("miss")));
    let (status, lookup, again) = send("k", "one").await;
    assert_eq!((status, lookup.as_deref(), &again), (201, Some("hit"), &first));
    let (status, _, other) = send("k", "two").await;
    assert_eq!((status, &other["error"]), (400, &json!("IdempotentRequestError")));
    api.running.sandbox.switch(|s| s.idempotency_s = 0);
    let (_, lookup, late) = send("k", "one").await;
    assert_eq!(lookup.as_deref(), Some("miss"));
    assert_ne!(late["ticket"]["id"], first["ticket"]["id"], "after its time a key makes another ticket");
}

#[tokio::test]
async fn users_are_upserted_by_e_mail_or_external_id_and_never_by_phone() {
    let api = Api::new(with(|s| s.user_upsert_limits = false)).await;
    let upsert = async |user: Value| api.call("POST", "users/create_or_update", json!({"user": user})).await;
    let (status, ada) =
        upsert(json!({"name": "Ada", "external_id": "E-1", "phone": "+44 20 7946 0555"})).await;
    assert_eq!(status, 201);
    let (status, again) = upsert(json!({"name": "Ada L", "external_id": "e-1"})).await;
    assert_eq!((status, &again["user"]["id"]), (200, &ada["user"]["id"]));
    assert_eq!(again["user"]["external_id"], "e-1", "the caller's spelling is kept");
    let (status, bob) = upsert(json!({"name": "Bob", "phone": "+442079460555"})).await;
    assert_eq!(status, 201);
    assert_eq!(bob["user"]["shared_phone_number"], true);
    let (status, nameless) = upsert(json!({"email": "x@y.example"})).await;
    assert_eq!((status, &nameless["error"]), (422, &json!("RecordInvalid")));
    let (_, found) = api.get("users/search?query=phone:*442079460555").await;
    assert_eq!(found["count"], 2);
}

#[tokio::test]
async fn an_upload_answers_json_as_text_and_ends_in_a_comment() {
    let api = Api::new(small()).await;
    let upload = api.request("POST", "uploads.json?filename=chat.txt").header("content-type", "text/plain");
    let answer = upload.body("Grüße").send().await.unwrap();
    assert_eq!(answer.status(), 201);
    assert_eq!(answer.headers()["content-type"], "text/plain; charset=utf-8");
    let body: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    let token = body["upload"]["token"].as_str().unwrap();
    let comment = json!({"body": "see file", "public": false, "uploads": [token]});
    let ticket = api.ticket(json!({"external_id": "k", "comment": comment})).await;
    let (_, comments) = api.get(&format!("tickets/{}/comments", ticket["id"])).await;
    let file = &comments["comments"][0]["attachments"][0];
    assert_eq!((&file["file_name"], &file["size"]), (&json!("chat.txt"), &json!(7)));
    let content = api.client.get(file["content_url"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(content.text().await.unwrap(), "Grüße");
    let record = api.running.sandbox.log_records().await.into_iter().find(|r| r.key == "k").unwrap();
    assert_eq!(record.attachments[1], ("chat.txt".to_owned(), "Grüße".to_owned()));
    let again = json!({"ticket": {"comment": {"body": "twice", "uploads": [token]}}});
    assert_eq!(api.call("PUT", &format!("tickets/{}", ticket["id"]), again).await.0, 422);
}

#[tokio::test]
async fn tags_are_added_and_taken_without_touching_the_others() {
    let api = Api::new(small()).await;
    let ticket = api.ticket(json!({"tags": ["a", "b"]})).await;
    let path = format!("tickets/{}/tags", ticket["id"]);
    assert_eq!(api.call("PUT", &path, json!({"tags": ["C"]})).await, (200, json!({"tags": ["a", "b", "c"]})));
    assert_eq!(api.call("DELETE", &path, json!({"tags": ["a"]})).await, (200, json!({"tags": ["b", "c"]})));
    let (_, body) =
        api.call("PUT", &format!("tickets/{}", ticket["id"]), json!({"ticket": {"tags": ["z"]}})).await;
    assert_eq!(body["ticket"]["tags"], json!(["z"]), "an update of the ticket replaces them");
}

#[tokio::test]
async fn faults_look_like_the_crm() {
    let api = Api::new(small()).await;
    let sandbox = &api.running.sandbox;
    sandbox.inject(Fault::Limited { retry_after_s: Some(7) }, 1).await;
    let answer = api.request("GET", "tickets").send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.headers()["retry-after"].to_str().unwrap()), (429, "7"));
    sandbox.inject(Fault::Locked, 1).await;
    assert_eq!(api.get("tickets").await.0, 200, "a read meets no lock");
    let body = json!({"ticket": {"external_id": "cut", "comment": {"body": "x", "public": false}}});
    let (status, locked) = api.call("POST", "tickets", body.clone()).await;
    assert_eq!((status, &locked["error"]), (409, &json!("DatabaseConflict")));
    sandbox.inject(Fault::SavedThenDropped, 1).await;
    assert!(api.request("POST", "tickets").json(&body).send().await.is_err());
    assert_eq!(api.get("tickets?external_id=cut").await.1["count"], 1);
    sandbox.inject(Fault::TokenExpired, 1).await;
    assert_eq!(api.get("tickets").await.0, 401);
    assert_eq!(api.get("tickets").await.0, 401, "the token stays dead");
    let exchanges = sandbox.exchanges(0).await;
    assert_eq!(exchanges.iter().filter(|e| e.status.is_none()).count(), 1);
}
