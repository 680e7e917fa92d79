//! The Zendesk sandbox over real sockets: logins, statuses, shapes, limits, faults.
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic")]

use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};
use std::time::Duration;
use tieline_connector_api::sandbox::{Fault, Sandbox as _};
use tieline_sandbox::zendesk::{
    API_TOKEN, CLIENT_ID, CLIENT_SECRET, LongComment, OWNER, Options, PUBLIC_CLIENT_ID, Running, Sandbox,
    Switches,
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

const CALLBACK: &str = tieline_sandbox::zendesk::REDIRECT_URI;
// The verifier and challenge of RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// Where the authorize page sends the browser, as pairs.
async fn authorize(client: &Client, running: &Running, more: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut query = vec![
        ("response_type", "code"),
        ("client_id", PUBLIC_CLIENT_ID),
        ("redirect_uri", CALLBACK),
        ("scope", "read write"),
        ("state", "s-1"),
    ];
    query.extend(more);
    let url = format!("{}/oauth/authorizations/new", running.base_url);
    let answer = client.get(url).query(&query).send().await.unwrap();
    assert_eq!(answer.status(), 302);
    let to = reqwest::Url::parse(answer.headers()["location"].to_str().unwrap()).unwrap();
    assert!(to.as_str().starts_with(CALLBACK));
    to.query_pairs().map(|(n, v)| (n.into_owned(), v.into_owned())).collect()
}

fn named<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
}

async fn code(client: &Client, running: &Running) -> String {
    let pkce = [("code_challenge", CHALLENGE), ("code_challenge_method", "S256")];
    let back = authorize(client, running, &pkce).await;
    assert_eq!(named(&back, "state"), Some("s-1"));
    named(&back, "code").unwrap().to_owned()
}

fn exchange(code: &str, verifier: &str) -> Value {
    json!({"grant_type": "authorization_code", "client_id": PUBLIC_CLIENT_ID, "code": code,
        "redirect_uri": CALLBACK, "code_verifier": verifier})
}

#[tokio::test]
async fn a_code_is_for_one_use_one_redirect_and_whoever_holds_its_verifier() {
    let (running, client) = started(small()).await;
    let (status, body) = grant(&client, &running, exchange(&code(&client, &running).await, VERIFIER)).await;
    assert_eq!((status, &body["token_type"]), (200, &json!("bearer")));
    assert!(body["refresh_token"].is_string());
    let wrong = exchange(&code(&client, &running).await, "another-verifier");
    assert_eq!(grant(&client, &running, wrong).await.1["error"], "invalid_grant");
    let one = code(&client, &running).await;
    let mut elsewhere = exchange(&one, VERIFIER);
    elsewhere["redirect_uri"] = json!("http://localhost:4567/");
    assert_eq!(grant(&client, &running, elsewhere).await.1["error"], "invalid_grant");
    let burnt = grant(&client, &running, exchange(&one, VERIFIER)).await;
    assert_eq!(burnt.1["error"], "invalid_grant", "a code that was tried is used up");
    running.sandbox.switch(|s| s.code_s = 0);
    let late = exchange(&code(&client, &running).await, VERIFIER);
    assert_eq!(grant(&client, &running, late).await.0, 400);
    assert_eq!(
        named(&authorize(&client, &running, &[]).await, "error"),
        Some("invalid_request"),
        "PKCE is needed"
    );
    running.sandbox.switch(|s| s.oauth_denied = true);
    let denied =
        authorize(&client, &running, &[("code_challenge", CHALLENGE), ("code_challenge_method", "S256")])
            .await;
    assert_eq!(named(&denied, "error"), Some("access_denied"));
}

#[tokio::test]
async fn a_refresh_ends_the_pair_before_it() {
    let (running, client) = started(small()).await;
    let (_, first) = grant(&client, &running, exchange(&code(&client, &running).await, VERIFIER)).await;
    let refresh = |pair: &Value| json!({"grant_type": "refresh_token", "client_id": PUBLIC_CLIENT_ID, "refresh_token": pair["refresh_token"]});
    let me = async |pair: &Value| {
        let url = format!("{}/api/v2/users/me", running.base_url);
        client
            .get(url)
            .bearer_auth(pair["access_token"].as_str().unwrap())
            .send()
            .await
            .unwrap()
            .status()
            .as_u16()
    };
    let (status, second) = grant(&client, &running, refresh(&first)).await;
    assert_eq!((status, me(&first).await, me(&second).await), (200, 401, 200));
    let (status, body) = grant(&client, &running, refresh(&first)).await;
    assert_eq!((status, &body["error"]), (400, &json!("invalid_grant")));
}

#[tokio::test]
async fn a_grant_says_what_is_wrong_with_it() {
    let (running, client) = started(small()).await;
    let with = |name: &str, value: Value| {
        let mut body = credentials();
        body[name] = value;
        body
    };
    for (name, value, status, error) in [
        ("client_secret", json!("wrong"), 401, "invalid_client"),
        ("client_id", json!("nobody"), 401, "invalid_client"),
        ("client_id", json!(PUBLIC_CLIENT_ID), 400, "unauthorized_client"),
        ("scope", json!("everything"), 400, "invalid_scope"),
        ("grant_type", json!("password"), 400, "unsupported_grant_type"),
        ("expires_in", json!(300), 400, "invalid_request"),
        ("expires_in", json!(172_800), 400, "invalid_request"),
    ] {
        let (is, body) = grant(&client, &running, with(name, value.clone())).await;
        assert_eq!((is, body["error"].as_str()), (status, Some(error)), "{name} {value}");
    }
    let (_, asked) = grant(&client, &running, with("expires_in", json!(301))).await;
    assert_eq!(asked["expires_in"], 301);
    assert!(asked.get("refresh_token").is_none(), "this grant has nothing to refresh");
    let form = client
        .post(format!("{}/oauth/tokens", running.base_url))
        .form(&[("grant_type", "client_credentials")]);
    assert_eq!(form.send().await.unwrap().status(), 400, "a form is no JSON");
    running.sandbox.switch(|s| s.access_token_s = None);
    assert!(
        grant(&client, &running, credentials()).await.1["expires_in"].is_null(),
        "old clients' tokens live on"
    );
}

#[tokio::test]
async fn scopes_are_kept_and_a_list_of_them_is_a_trap() {
    let (running, client) = started(small()).await;
    let token = async |scope: Value| {
        let mut body = credentials();
        body["scope"] = scope;
        let (status, body) = grant(&client, &running, body).await;
        assert_eq!(status, 200);
        body["access_token"].as_str().unwrap().to_owned()
    };
    let status = async |token: &str, method: &str, path: &str| {
        let url = format!("{}/api/v2/{path}", running.base_url);
        let request = client.request(method.parse().unwrap(), url).bearer_auth(token).json(&json!({}));
        request.send().await.unwrap().status().as_u16()
    };
    let list = token(json!(["read", "write"])).await;
    assert_eq!(status(&list, "GET", "users/me").await, 403);
    let reads = token(json!("tickets:read")).await;
    assert_eq!((status(&reads, "GET", "tickets").await, status(&reads, "GET", "users").await), (200, 403));
    assert_eq!(status(&reads, "POST", "tickets").await, 403);
}

#[tokio::test]
async fn a_number_is_found_by_its_digits_only() {
    let api = Api::new(small()).await;
    let names = async |query: &str| {
        let answer = api.request("GET", "search").query(&[("query", query)]).send().await.unwrap();
        let body: Value = answer.json().await.unwrap();
        let rows = body["results"].as_array().cloned().unwrap_or_default();
        rows.iter().map(|r| r["name"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names("role:end-user phone:*2079460112").await, ["Grace Okafor"]);
    assert_eq!(names("phone:*46846500411").await, ["Ana Lindholm"], "0046 (0)8-465… has other digits");
    assert_eq!(names("phone:*4650041*").await, ["Ana Lindholm", "Per Lindholm"]);
    assert!(names("phone:2079460112").await.is_empty(), "without * it is the whole number");
    for bad in ["phone:+442079460112", "phone:*2079-460112"] {
        let answer = api.request("GET", "users/search").query(&[("query", bad)]).send().await.unwrap();
        assert_eq!(answer.status(), 422, "{bad}");
    }
    api.running.sandbox.switch(|s| s.phone_plus_refused = false);
    assert!(names("phone:+442079460112").await.is_empty());
    assert_eq!(names("role:end-user email:GRACE.okafor@okafor-sons.example").await, ["Grace Okafor"]);
    assert_eq!(names("type:user Lindhol").await, ["Ana Lindholm", "Per Lindholm"]);
    assert_eq!(names("type:user name:Lindholm -name:Ana").await, ["Per Lindholm"]);
}

#[tokio::test]
async fn the_index_lags_and_the_records_do_not() {
    let api = Api::new(with(|s| (s.search_lag_ms, s.user_upsert_limits) = (600_000, false))).await;
    let (_, ada) = api
        .call(
            "POST",
            "users",
            json!({"user": {"name": "Ada", "external_id": "lag", "phone": "+442079460555"}}),
        )
        .await;
    assert_eq!(api.get("users/search?query=phone:*2079460555").await.1["count"], 0);
    assert_eq!(api.get("users/search?external_id=lag").await.1["users"][0]["id"], ada["user"]["id"]);
    assert_eq!(api.get("users/show_many?external_ids=lag").await.1["count"], 1);
    let ticket = api.ticket(json!({"external_id": "lag"})).await;
    assert_eq!(api.get("search?query=type:ticket%20external_id:lag").await.1["count"], 0);
    assert_eq!(api.get("tickets?external_id=lag").await.1["count"], 1);
    let change = json!({"ticket": {"status": "open"}});
    api.call("PUT", &format!("tickets/{}", ticket["id"]), change).await;
    let (_, stale) = api.get("search?query=type:ticket%20status:open%20external_id:lag").await;
    assert_eq!(stale["count"], 0, "a change waits, too");
}

#[tokio::test]
async fn search_ends_at_a_thousand_and_knows_no_cursors() {
    let api = Api::new(small()).await;
    let (status, body) = api.get("search?query=type:user&page=11&per_page=100").await;
    assert_eq!((status, &body["error"]), (422, &json!("invalid")));
    for path in ["search?query=type:user&page[size]=10", "users/search?query=type:user&page%5Bsize%5D=10"] {
        let (status, body) = api.get(path).await;
        assert_eq!(status, 400);
        assert_eq!(body["error"]["title"], "Invalid attribute", "the error is an object");
    }
    let (status, first) = api.get("search/export?query=role:end-user&filter[type]=user&page[size]=4").await;
    assert_eq!((status, &first["meta"]["has_more"]), (200, &json!(true)));
}

#[tokio::test]
async fn the_last_page_by_cursor_still_names_a_next_one() {
    let api = Api::new(small()).await;
    for n in 0..3 {
        api.ticket(json!({"external_id": "many", "subject": format!("{n}")})).await;
    }
    let (_, first) = api.get("tickets?external_id=many&page[size]=2").await;
    assert_eq!((first["tickets"].as_array().unwrap().len(), &first["meta"]["has_more"]), (2, &json!(true)));
    let next = first["links"]["next"].as_str().unwrap();
    assert!(next.contains("page%5Bafter%5D="), "{next}");
    let after = first["meta"]["after_cursor"].as_str().unwrap();
    let (_, last) = api.get(&format!("tickets?external_id=many&page[size]=2&page[after]={after}")).await;
    assert_eq!((last["tickets"].as_array().unwrap().len(), &last["meta"]["has_more"]), (1, &json!(false)));
    assert!(last["links"]["next"].is_string());
    assert_eq!(api.get("tickets?page[size]=101").await.0, 400);
    assert_eq!(api.get("tickets?page=101&per_page=100").await.0, 400, "beyond 10,000 records");
}

#[tokio::test]
async fn a_ticket_keeps_its_rules() {
    let api = Api::new(small()).await;
    let create = async |ticket: Value| api.call("POST", "tickets", json!({"ticket": ticket})).await;
    let (status, body) = create(json!({"subject": "no comment"})).await;
    assert_eq!(status, 422);
    assert_eq!(body["details"]["base"][0]["error"], "BlankValue");
    let said = json!({"body": "x", "public": false});
    for (field, value) in [
        ("status", json!("done")),
        ("priority", json!("top")),
        ("requester_id", json!(1)),
        ("assignee_id", json!(1)),
        ("status", json!("solved")),
        ("subject", json!("x".repeat(256))),
    ] {
        let mut ticket = json!({"comment": said});
        ticket[field] = value.clone();
        assert_eq!(create(ticket).await.0, 422, "{field} {value}");
    }
    let ticket = api.ticket(json!({})).await;
    let path = format!("tickets/{}", ticket["id"]);
    let update = async |ticket: Value| api.call("PUT", &path, json!({"ticket": ticket})).await;
    assert_eq!(update(json!({"description": "new"})).await.0, 422);
    assert_eq!(update(json!({"status": "closed"})).await.0, 200);
    let (status, body) = update(json!({"comment": {"body": "late"}})).await;
    assert_eq!(
        (status, &body["details"]["status"][0]["description"]),
        (422, &json!("Status: closed prevents ticket update"))
    );
    let (status, body) = create(json!({"comment": said, "via_followup_source_id": ticket["id"]})).await;
    assert_eq!((status, &body["ticket"]["via"]["source"]["rel"]), (201, &json!("follow_up")));
    let answer = api
        .request("POST", "tickets")
        .json(&json!({"ticket": {"comment": said, "nonsense": 1}}))
        .send()
        .await
        .unwrap();
    let warned = answer.headers()["x-zendesk-api-warn"].to_str().unwrap().to_owned();
    assert!(warned.contains(r#":unpermitted_keys=>["ticket.nonsense"]"#), "{warned}");
    assert!(answer.json::<Value>().await.unwrap()["ticket"].get("nonsense").is_none());
}

#[tokio::test]
async fn a_safe_update_of_an_old_account_is_a_conflict() {
    let api = Api::new(small()).await;
    let ticket = api.ticket(json!({})).await;
    let path = format!("tickets/{}", ticket["id"]);
    let update = async |stamp: &Value, subject: &str| {
        let body = json!({"ticket": {"safe_update": true, "updated_stamp": stamp, "subject": subject}});
        api.call("PUT", &path, body).await
    };
    let (status, body) = update(&json!("2026-01-01T00:00:00Z"), "old").await;
    assert_eq!((status, &body["error"]), (409, &json!("UpdateConflict")));
    assert_eq!(update(&ticket["updated_at"], "new").await.0, 200);
    let unsaid = json!({"ticket": {"safe_update": true, "subject": "x"}});
    assert_eq!(api.call("PUT", &path, unsaid).await.0, 400);
}

#[tokio::test]
async fn limits_have_their_headers_and_their_time() {
    let api = Api::new(small()).await;
    let upsert = async |name: &str| {
        let body = json!({"user": {"name": name, "external_id": name}});
        api.request("POST", "users/create_or_update").json(&body).send().await.unwrap()
    };
    let first = upsert("one").await;
    assert_eq!(first.status(), 201);
    assert_eq!(first.headers()["x-rate-limit"], "700");
    assert_eq!(first.headers()["ratelimit-limit"], "700");
    assert!(
        first.headers()["zendesk-ratelimit-users-create-or-update"].to_str().unwrap().starts_with("total=1;")
    );
    let second = upsert("two").await;
    assert_eq!(second.status(), 429, "one in a second");
    let wait: u64 = second.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=2).contains(&wait));
    let path = format!("tickets/{}", api.ticket(json!({})).await["id"]);
    for n in 0..30 {
        assert_eq!(api.call("PUT", &path, json!({"ticket": {"subject": format!("{n}")}})).await.0, 200);
    }
    assert_eq!(api.call("PUT", &path, json!({"ticket": {"subject": "31"}})).await.0, 429);
    api.running.sandbox.switch(|s| s.ticket_update_limit = false);
    assert_eq!(api.call("PUT", &path, json!({"ticket": {"subject": "31"}})).await.0, 200);
    api.running.sandbox.switch(|s| (s.account_per_minute, s.account_enforced) = (10, true));
    assert_eq!(api.get("tickets").await.0, 429, "the account's own limit");
}

#[tokio::test]
async fn a_long_comment_is_cut_or_refused() {
    let api = Api::new(small()).await;
    let body = "&".repeat(20_000);
    let ticket = api.ticket(json!({"comment": {"body": body, "public": false}})).await;
    let kept = ticket["description"].as_str().unwrap().len();
    assert_eq!(kept, 65_535 / 5, "counted as HTML, in bytes");
    api.running.sandbox.switch(|s| s.long_comment = LongComment::Refuse);
    let long = json!({"ticket": {"comment": {"body": body, "public": false}}});
    assert_eq!(api.call("POST", "tickets", long).await.0, 422);
    api.running.sandbox.switch(|s| s.comments_max = 2);
    let path = format!("tickets/{}", ticket["id"]);
    let more = || json!({"ticket": {"comment": {"body": "more"}}});
    assert_eq!((api.call("PUT", &path, more()).await.0, api.call("PUT", &path, more()).await.0), (200, 422));
    assert_eq!(api.call("PUT", &path, json!({"ticket": {"subject": "still"}})).await.0, 200);
}

#[tokio::test]
async fn what_was_said_can_be_taken_away_for_ever() {
    let api = Api::new(small()).await;
    let upload =
        api.request("POST", "uploads?filename=a.txt").header("content-type", "text/plain").body("secret");
    let upload: Value = serde_json::from_str(&upload.send().await.unwrap().text().await.unwrap()).unwrap();
    let comment = json!({"body": "a <secret> & more", "public": false, "uploads": upload["upload"]["token"]});
    let ticket = api.ticket(json!({"external_id": "r", "comment": comment})).await;
    let path = format!("tickets/{}/comments", ticket["id"]);
    let (_, comments) = api.get(&path).await;
    let one = &comments["comments"][0];
    let html = one["html_body"].as_str().unwrap();
    let body = json!({"ticket_id": ticket["id"], "html_body": format!("<redact>{html}</redact>"),
        "external_attachment_urls": [one["attachments"][0]["content_url"]]});
    let (status, redacted) = api.call("PUT", &format!("comment_redactions/{}", one["id"]), body).await;
    assert_eq!(status, 200, "{redacted}");
    let record = api.running.sandbox.log_records().await.into_iter().find(|r| r.key == "r").unwrap();
    let all = format!("{} {:?}", record.fields, record.attachments);
    assert!(!all.contains("secret") && all.contains('▇'), "{all}");
    assert_eq!(api.call("DELETE", &format!("tickets/{}", ticket["id"]), Value::Null).await.0, 204);
    assert_eq!(api.get("deleted_tickets").await.1["count"], 1);
    let (status, job) = api.call("DELETE", &format!("deleted_tickets/{}", ticket["id"]), Value::Null).await;
    assert_eq!((status, &job["job_status"]["status"]), (200, &json!("queued")));
    assert_eq!(api.get("deleted_tickets").await.1["count"], 0);
}

// proves D10
#[tokio::test]
async fn merged_users_tickets_move_to_the_survivor() {
    let api = Api::new(small()).await;
    let sandbox = &api.running.sandbox;
    let winner = sandbox.add_contact("Ada One", Some("one@a.example"), None).await;
    let loser = sandbox.add_contact("Ada Two", Some("two@a.example"), Some("+442079460444")).await;
    let ticket = api.ticket(json!({"requester_id": loser.parse::<u64>().unwrap()})).await;
    let target = json!({"user": {"id": winner.parse::<u64>().unwrap()}});
    let (status, kept) = api.call("PUT", &format!("users/{loser}/merge"), target).await;
    assert_eq!((status, kept["user"]["id"].to_string()), (200, winner.clone()));
    let (_, moved) = api.get(&format!("tickets/{}", ticket["id"])).await;
    assert_eq!(moved["ticket"]["requester_id"].to_string(), winner);
    assert_eq!(api.get(&format!("users/{winner}/tickets/requested")).await.1["count"], 1);
    assert_eq!(
        api.get("users/search?query=email:two@a.example").await.1["users"][0]["id"].to_string(),
        winner
    );
    assert_eq!(api.get(&format!("users/{loser}")).await.0, 404);
    sandbox.switch(|s| s.merged_user_gone = false);
    assert_eq!(api.get(&format!("users/{loser}")).await.1["user"]["active"], false);
    let late = json!({"ticket": {"requester_id": loser.parse::<u64>().unwrap(), "comment": {"body": "x", "public": false}}});
    assert_eq!(api.call("POST", "tickets", late).await.0, 422);
}

#[tokio::test]
async fn voice_needs_its_licence_and_checks_the_agent_first() {
    let api = Api::new(small()).await;
    let (_, agents) = api.get("users?role=agent").await;
    let agent = &agents["users"][0]["id"];
    let shown = api.request("POST", &format!("channels/voice/agents/{agent}/tickets/1027/display.json"));
    let shown = shown.header("content-type", "application/json").body("\"\"").send().await.unwrap();
    assert_eq!(shown.status(), 200);
    assert_eq!(shown.headers()["content-type"], "application/json; charset=utf-8");
    assert!(shown.bytes().await.unwrap().is_empty());
    for path in ["agents/1/tickets/1027/display".to_owned(), format!("agents/{agent}/users/1/display")] {
        assert_eq!(api.call("POST", &format!("channels/voice/{path}"), Value::Null).await.0, 404);
    }
    let before = api.get("tickets/count").await.1;
    let ticket = |agent: Value, via: u64| json!({"display_to_agent": agent, "ticket": {"via_id": via, "comment": {"body": "Call", "public": false}}});
    assert_eq!(api.call("POST", "channels/voice/tickets", ticket(json!(1), 45)).await.0, 422);
    assert_eq!(api.call("POST", "channels/voice/tickets", ticket(Value::Null, 4)).await.0, 422);
    assert_eq!(
        api.call("POST", "channels/voice/tickets", ticket(json!(agent), 44)).await.0,
        422,
        "voicemail needs its call"
    );
    assert_eq!(api.get("tickets/count").await.1["count"]["value"], before["count"]["value"]);
    let (status, made) = api.call("POST", "channels/voice/tickets", ticket(json!(""), 45)).await;
    assert_eq!((status, &made["ticket"]["via"]["channel"]), (201, &json!("voice")));
    assert_eq!(api.call("POST", "calls", json!({"call": {"app_id": 1}})).await.0, 422);
    api.running.sandbox.switch(|s| s.talk_partner = false);
    assert_eq!(
        api.call("POST", &format!("channels/voice/agents/{agent}/tickets/1027/display"), Value::Null).await.0,
        403
    );
    let voice = json!({"from": "+1", "to": "+2", "call_duration": 40});
    let (status, plain) = api.call("PUT", "tickets/1027", json!({"ticket": {"voice_comment": voice}})).await;
    assert_eq!(status, 200, "a voice comment needs no licence: {plain}");
    assert_eq!(plain["audit"]["events"][0]["type"], "VoiceComment");
}

#[tokio::test]
async fn the_rest_of_what_a_parser_must_survive() {
    let api = Api::new(with(|s| s.validate_phones = true)).await;
    let arm = async |fault: Value| {
        let url = format!("{}/__sandbox/faults", api.running.base_url);
        assert_eq!(api.client.post(url).json(&fault).send().await.unwrap().status(), 204);
    };
    arm(json!({"fault": "empty_not_found"})).await;
    let empty = api.request("GET", "tickets").send().await.unwrap();
    assert_eq!((empty.status().as_u16(), empty.headers().get("content-type")), (404, None));
    assert!(empty.bytes().await.unwrap().is_empty());
    arm(json!({"fault": "html_gateway", "status": 503})).await;
    let html = api.request("GET", "tickets").send().await.unwrap();
    assert_eq!(html.status(), 503);
    assert!(html.text().await.unwrap().starts_with("<!DOCTYPE html>"));
    arm(json!({"fault": "unknown_account"})).await;
    assert!(api.get("tickets").await.1["error"].is_object());
    arm(json!({"fault": "query_timeout"})).await;
    assert_eq!(api.get("search?query=x").await.1["error"], "unavailable");
    let (status, phone) =
        api.call("POST", "users", json!({"user": {"name": "A", "phone": "5551234567"}})).await;
    assert_eq!(status, 422);
    assert_eq!(phone["details"]["phone"]["error"], "InvalidFormat", "an object where others have a list");
    let (status, many) =
        api.call("POST", "tickets/create_many", json!({"tickets": vec![json!({}); 101]})).await;
    assert_eq!((status, &many["error"], &many["max_count"]), (400, &json!("TooManyValues"), &json!(100)));
    assert_eq!(api.get("agent_availabilities/1").await, (404, Value::Null));
    let dead = api.client.get(format!("{}/nowhere", api.running.base_url)).send().await.unwrap();
    assert_eq!(dead.status(), 404);
}

#[tokio::test]
async fn a_job_is_queued_works_and_tells_its_results_in_another_order() {
    let api = Api::new(with(|s| s.job_ms = 600_000)).await;
    let one = |n: u64| json!({"subject": format!("{n}"), "comment": {"body": "x", "public": false}});
    let (_, made) = api.call("POST", "tickets/create_many", json!({"tickets": [one(0), one(1)]})).await;
    let job = &made["job_status"];
    let id = job["id"].as_str().unwrap();
    assert!(id.starts_with("V3-") && id.len() == 35 && job["results"].is_null(), "{job}");
    assert_eq!(api.get(&format!("job_statuses/{id}")).await.1["job_status"]["status"], "queued");
    let done = Api::new(small()).await;
    let (_, made) = done.call("POST", "tickets/create_many", json!({"tickets": [one(0), one(1)]})).await;
    let (_, told) = done.get(&format!("job_statuses/{}", made["job_status"]["id"].as_str().unwrap())).await;
    let order: Vec<&Value> =
        told["job_status"]["results"].as_array().unwrap().iter().map(|r| &r["index"]).collect();
    assert_eq!(
        (told["job_status"]["status"].as_str(), order),
        (Some("completed"), vec![&json!(1), &json!(0)])
    );
}

#[tokio::test]
async fn everything_works_over_https_too() {
    let options = Options { tls: true, ..small() };
    let api = Api::new(options).await;
    assert!(api.running.base_url.starts_with("https://127.0.0.1:"));
    assert!(api.running.console_url.starts_with("https://localhost:"));
    assert_eq!(api.get("users/me").await.1["user"]["email"], OWNER);
    let page = api.client.get(&api.running.console_url).send().await.unwrap();
    assert!(page.headers()["content-security-policy"].to_str().unwrap().contains("frame-ancestors 'none'"));
}
