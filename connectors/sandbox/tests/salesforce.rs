//! The Salesforce sandbox over real sockets: tokens, statuses, faults, http and https.
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic")]

use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use std::sync::LazyLock;
use std::time::Duration;
use tieline_connector_api::sandbox::{Fault, Sandbox as _};
use tieline_sandbox::keys::AppKey;
use tieline_sandbox::salesforce::{
    CONSUMER_KEY, CONSUMER_SECRET, INTEGRATION_USER, Options, Running, Sandbox,
};

static KEY: LazyLock<AppKey> = LazyLock::new(|| AppKey::generate().unwrap());
const JWT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

fn now() -> i64 {
    jsonwebtoken::get_current_timestamp().try_into().unwrap()
}

fn claims() -> Value {
    json!({"iss": CONSUMER_KEY, "sub": INTEGRATION_USER, "aud": "https://login.salesforce.com", "exp": now() + 120})
}

fn signed_with(key: &AppKey, claims: &Value) -> String {
    let header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::RS256);
    let key = jsonwebtoken::EncodingKey::from_rsa_pem(key.private_pem.as_bytes()).unwrap();
    jsonwebtoken::encode(&header, claims, &key).unwrap()
}

async fn started(options: Options) -> (Running, Client) {
    let running = Sandbox::start(options).await.unwrap();
    let mut client = Client::builder().timeout(Duration::from_secs(20));
    if let Some(pem) = &running.ca_pem {
        client = client.tls_certs_only([reqwest::Certificate::from_pem(pem.as_bytes()).unwrap()]);
    } else {
        client = client.tls_certs_only([]);
    }
    (running, client.build().unwrap())
}

fn small() -> Options {
    Options { contacts: 10, ..Options::demo(&KEY) }
}

async fn grant(client: &Client, host: &str, form: &[(&str, &str)]) -> (StatusCode, Value) {
    let answer = client.post(format!("{host}/services/oauth2/token")).form(form).send().await.unwrap();
    (answer.status(), answer.json().await.unwrap())
}

async fn bearer(client: &Client, running: &Running, claims: &Value) -> (StatusCode, Value) {
    grant(client, &running.login_url, &[("grant_type", JWT), ("assertion", &signed_with(&KEY, claims))]).await
}

/// A logged-in client.
struct Api {
    client: Client,
    running: Running,
    token: String,
}

impl Api {
    async fn new(options: Options) -> Self {
        let (running, client) = started(options).await;
        let (status, body) = bearer(&client, &running, &claims()).await;
        assert_eq!(status, 200, "{body}");
        assert_eq!(body["instance_url"], running.instance_url);
        let token = body["access_token"].as_str().unwrap().to_owned();
        Self { client, running, token }
    }

    fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let url = format!("{}/services/data/v66.0{path}", self.running.instance_url);
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

    async fn query(&self, soql: &str) -> Value {
        let answer = self.request("GET", "/query").query(&[("q", soql)]).send().await.unwrap();
        answer.json().await.unwrap()
    }
}

#[tokio::test]
async fn an_assertion_gives_a_token_and_every_way_it_can_be_wrong_has_its_error() {
    let (running, client) = started(small()).await;
    let (status, body) = bearer(&client, &running, &claims()).await;
    assert_eq!(status, 200);
    assert_eq!(body["token_type"], "Bearer");
    assert!(body.get("refresh_token").is_none() && body.get("expires_in").is_none());
    assert_ne!(body["instance_url"], running.login_url);

    let good = |exp: Value| {
        let mut claims = claims();
        claims["exp"] = exp;
        claims
    };
    for exp in [json!((now() + 60).to_string()), json!((now() + 60) * 1000), json!(now() - 60)] {
        assert_eq!(bearer(&client, &running, &good(exp.clone())).await.0, 200, "{exp}");
    }
    let refused = async |name: &str, value: Value| {
        let mut claims = claims();
        claims[name] = value;
        let (status, body) = bearer(&client, &running, &claims).await;
        assert_eq!(status, 400);
        (body["error"].as_str().unwrap().to_owned(), body["error_description"].as_str().unwrap().to_owned())
    };
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    assert_eq!(refused("exp", json!(now() - 600)).await, pair("invalid_grant", "expired authorization code"));
    assert_eq!(refused("exp", Value::Null).await, pair("invalid_grant", "invalid assertion"));
    assert_eq!(
        refused("aud", json!("https://else.example")).await,
        pair("invalid_grant", "audience is invalid")
    );
    assert_eq!(
        refused("iss", json!("unknown")).await,
        pair("invalid_client_id", "client identifier invalid")
    );
    let not_approved = pair("invalid_grant", "user hasn't approved this consumer");
    assert_eq!(refused("sub", json!("agent.alma@tieline-sandbox.example")).await, not_approved);
    let other = AppKey::generate().unwrap();
    let forged = signed_with(&other, &claims());
    let (status, body) =
        grant(&client, &running.login_url, &[("grant_type", JWT), ("assertion", &forged)]).await;
    assert_eq!((status.as_u16(), body["error_description"].as_str()), (400, Some("invalid assertion")));
    let mut parts: Vec<String> = signed_with(&KEY, &claims()).split('.').map(str::to_owned).collect();
    parts[0] = "eyJhbGciOiJub25lIn0".to_owned();
    let none = parts.join(".");
    let (status, _) = grant(&client, &running.login_url, &[("grant_type", JWT), ("assertion", &none)]).await;
    assert_eq!(status, 400);
}

#[tokio::test]
async fn client_credentials_work_on_the_own_domain_only_in_the_body_and_as_basic() {
    let (running, client) = started(small()).await;
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", CONSUMER_KEY),
        ("client_secret", CONSUMER_SECRET),
    ];
    let (status, body) = grant(&client, &running.instance_url, &form).await;
    assert_eq!((status.as_u16(), body["token_format"].as_str()), (200, Some("opaque")));
    let (status, body) = grant(&client, &running.login_url, &form).await;
    assert_eq!(status, 400);
    assert_eq!(
        body,
        json!({"error": "invalid_grant", "error_description": "request not supported on this domain"})
    );
    let url = format!("{}/services/oauth2/token", running.instance_url);
    let basic = client.post(&url).basic_auth(CONSUMER_KEY, Some(CONSUMER_SECRET)).form(&form[..1]);
    assert_eq!(basic.send().await.unwrap().status(), 200);
    let wrong =
        client.post(&url).basic_auth(CONSUMER_KEY, Some("nope")).form(&form[..1]).send().await.unwrap();
    assert_eq!(wrong.json::<Value>().await.unwrap()["error"], "invalid_client");
}

#[tokio::test]
async fn versions_need_no_token_and_everything_else_does() {
    let api = Api::new(small()).await;
    let get = |url: String| api.client.get(url).send();
    let base = &api.running.instance_url;
    let versions: Value = get(format!("{base}/services/data/")).await.unwrap().json().await.unwrap();
    assert!(versions.as_array().unwrap().iter().any(|v| v["version"] == "68.0"));
    let anonymous = get(format!("{base}/services/data/v66.0/limits")).await.unwrap();
    assert_eq!(anonymous.status(), 401);
    let body: Value = anonymous.json().await.unwrap();
    assert_eq!(body, json!([{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]));
    assert_eq!(get(format!("{base}/services/data/v30.0/limits")).await.unwrap().status(), 410);
    assert_eq!(get(format!("{base}/services/data/v99.0/limits")).await.unwrap().status(), 404);
    let wrong_host = get(format!("{}/services/data/v66.0/limits", api.running.login_url)).await.unwrap();
    assert_eq!(wrong_host.json::<Value>().await.unwrap()[0]["errorCode"], "URL_NOT_RESET");
    assert_eq!(api.call("GET", "/limits/", None).await.0, 200);
    let answer = api.request("GET", "/limits").send().await.unwrap();
    let usage = answer.headers()["sforce-limit-info"].to_str().unwrap().to_owned();
    assert_eq!(usage, "api-usage=2/15000");
}

#[tokio::test]
async fn upsert_answers_201_200_300_400_404() {
    let api = Api::new(small()).await;
    let path = "/sobjects/Case/Tieline_Key__c/key-1";
    let (status, created) = api.call("PATCH", path, Some(json!({"Subject": "One"}))).await;
    assert_eq!((status, &created["created"]), (201, &json!(true)));
    let (status, again) = api.call("PATCH", path, Some(json!({"Subject": "Two"}))).await;
    assert_eq!((status, &again["created"], &again["id"]), (200, &json!(false), &created["id"]));
    let old = format!("{}/services/data/v45.0{path}", api.running.instance_url);
    let old = api
        .client
        .patch(old)
        .bearer_auth(&api.token)
        .json(&json!({"Subject": "Three"}))
        .send()
        .await
        .unwrap();
    assert_eq!(old.status(), 204);
    let (status, body) = api.call("PATCH", path, Some(json!({"Tieline_Key__c": "key-1"}))).await;
    assert_eq!((status, body[0]["errorCode"].as_str()), (400, Some("INVALID_FIELD")));
    let (status, _) =
        api.call("PATCH", "/sobjects/Case/Tieline_Key__c/none?updateOnly=true", Some(json!({}))).await;
    assert_eq!(status, 404);
    let (status, body) = api.call("PATCH", "/sobjects/Case/Nope__c/x", Some(json!({}))).await;
    assert_eq!((status, body[0]["errorCode"].as_str()), (404, Some("NOT_FOUND")));
    let (status, read) = api.call("GET", &format!("{path}?fields=Id,Subject,CaseNumber"), None).await;
    assert_eq!((status, read["Subject"].as_str()), (200, Some("Three")));
    let admin = format!("{}/__sandbox/switches", api.running.instance_url);
    let set = api.client.patch(admin).json(&json!({"key_unique": false})).send().await.unwrap();
    assert_eq!(set.status(), 204);
    assert_eq!(api.call("POST", "/sobjects/Case", Some(json!({"Tieline_Key__c": "key-1"}))).await.0, 201);
    let (status, several) = api.call("PATCH", path, Some(json!({"Subject": "Four"}))).await;
    assert_eq!((status, several.as_array().unwrap().len()), (300, 2));
}

#[tokio::test]
async fn concurrent_upserts_of_one_key_end_with_one_record() {
    let api = Api::new(small()).await;
    let calls = (0..12).map(|n| {
        let request = api
            .request("PATCH", "/sobjects/Case/Tieline_Key__c/race")
            .json(&json!({"Subject": format!("{n}")}));
        tokio::spawn(async move { request.send().await.unwrap().status().as_u16() })
    });
    let mut statuses = Vec::new();
    for call in calls.collect::<Vec<_>>() {
        statuses.push(call.await.unwrap());
    }
    assert_eq!(statuses.iter().filter(|s| **s == 201).count(), 1, "{statuses:?}");
    assert_eq!(api.query("SELECT COUNT() FROM Case WHERE Tieline_Key__c = 'race'").await["totalSize"], 1);
}

#[tokio::test]
async fn writes_and_reads_have_the_forms_of_the_api() {
    let api = Api::new(small()).await;
    let answer =
        api.request("POST", "/sobjects/Case/").json(&json!({"Subject": "Hello"})).send().await.unwrap();
    assert_eq!(answer.status(), 201);
    let location = answer.headers()["location"].to_str().unwrap().to_owned();
    let created: Value = answer.json().await.unwrap();
    let id = created["id"].as_str().unwrap();
    assert_eq!(location, format!("/services/data/v66.0/sobjects/Case/{id}"));
    assert_eq!((created["success"].clone(), id.len()), (json!(true), 18));
    let (status, read) = api.call("GET", &format!("/sobjects/Case/{}", &id[..15]), None).await;
    assert_eq!((status, read["Id"].as_str()), (200, Some(id)));
    let at = read["CreatedDate"].as_str().unwrap();
    assert!(at.ends_with("+0000") && at.len() == 28, "{at}");
    assert_eq!(
        api.call("PATCH", &format!("/sobjects/Case/{id}"), Some(json!({"Subject": "x"}))).await.0,
        204
    );
    assert_eq!(api.call("DELETE", &format!("/sobjects/Case/{id}"), None).await.0, 204);
    assert_eq!(api.call("GET", &format!("/sobjects/Case/{id}"), None).await.0, 404);
    let (_, gone) = api.call("PATCH", &format!("/sobjects/Case/{id}"), Some(json!({}))).await;
    assert_eq!(gone[0]["errorCode"], "ENTITY_IS_DELETED");
    let broken =
        api.request("POST", "/sobjects/Case").header("content-type", "application/json").body("{").send();
    assert_eq!(broken.await.unwrap().json::<Value>().await.unwrap()[0]["errorCode"], "JSON_PARSER_ERROR");
    assert_eq!(api.request("POST", "/sobjects/Case").body("x").send().await.unwrap().status(), 415);
    assert_eq!(api.call("DELETE", "/limits", None).await.0, 405);
    let (status, described) = api.call("GET", "/sobjects/Case/describe", None).await;
    let fields = described["fields"].as_array().unwrap();
    let key = fields.iter().find(|f| f["name"] == "Tieline_Key__c").unwrap();
    assert_eq!((status, &key["externalId"], &key["unique"]), (200, &json!(true), &json!(true)));
}

#[tokio::test]
async fn queries_page_by_next_records_url() {
    let api = Api::new(Options { contacts: 230, ..Options::demo(&KEY) }).await;
    let request = api.request("GET", "/query/").query(&[("q", "SELECT Id FROM Contact")]);
    let first: Value =
        request.header("Sforce-Query-Options", "batchSize=200").send().await.unwrap().json().await.unwrap();
    assert_eq!((&first["done"], first["records"].as_array().unwrap().len()), (&json!(false), 200));
    let next = format!("{}{}", api.running.instance_url, first["nextRecordsUrl"].as_str().unwrap());
    let second: Value =
        api.client.get(&next).bearer_auth(&api.token).send().await.unwrap().json().await.unwrap();
    assert_eq!(second["done"], true);
    assert_eq!(second["totalSize"], first["totalSize"]);
    assert_eq!(second["records"].as_array().unwrap().len(), 36);
    let again: Value =
        api.client.get(&next).bearer_auth(&api.token).send().await.unwrap().json().await.unwrap();
    assert_eq!(again[0]["errorCode"], "INVALID_QUERY_LOCATOR");
}

#[tokio::test]
async fn composite_refers_rolls_back_and_counts_once() {
    let api = Api::new(small()).await;
    let base = "/services/data/v66.0/sobjects";
    let good = json!({"allOrNone": true, "compositeRequest": [
        {"method": "PATCH", "url": format!("{base}/Case/Tieline_Key__c/c-1"), "referenceId": "case", "body": {"Subject": "C"}},
        {"method": "POST", "url": format!("{base}/CaseComment"), "referenceId": "comment",
            "body": {"ParentId": "@{case.id}", "CommentBody": "hello"}},
        {"method": "GET", "url": format!("{base}/Case/@{{case.id}}?fields=CaseNumber"), "referenceId": "read"},
    ]});
    let (status, body) = api.call("POST", "/composite", Some(good)).await;
    let statuses: Vec<&Value> =
        body["compositeResponse"].as_array().unwrap().iter().map(|r| &r["httpStatusCode"]).collect();
    assert_eq!((status, statuses), (200, vec![&json!(201), &json!(201), &json!(200)]));
    let bad = json!({"allOrNone": true, "compositeRequest": [
        {"method": "POST", "url": format!("{base}/Case"), "referenceId": "a", "body": {"Tieline_Key__c": "c-2"}},
        {"method": "POST", "url": format!("{base}/Case"), "referenceId": "b", "body": {"Tieline_Key__c": "c-1"}},
        {"method": "POST", "url": format!("{base}/Case"), "referenceId": "c", "body": {}},
    ]});
    let (status, body) = api.call("POST", "/composite/", Some(bad)).await;
    let codes: Vec<&str> = body["compositeResponse"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["body"][0]["errorCode"].as_str().unwrap())
        .collect();
    assert_eq!((status, codes), (200, vec!["PROCESSING_HALTED", "DUPLICATE_VALUE", "PROCESSING_HALTED"]));
    assert_eq!(api.query("SELECT COUNT() FROM Case WHERE Tieline_Key__c = 'c-2'").await["totalSize"], 0);
    let rows = json!({"records": [
        {"attributes": {"type": "Case"}, "Tieline_Key__c": "row-1"},
        {"attributes": {"type": "Case"}, "Status": "Nonsense"},
    ]});
    let (status, rows) = api.call("POST", "/composite/sobjects", Some(rows)).await;
    assert_eq!((status, &rows[0]["success"], &rows[1]["success"]), (200, &json!(true), &json!(false)));
    assert_eq!(rows[1]["errors"][0]["statusCode"], "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST");
    let answer = api.request("GET", "/limits").send().await.unwrap();
    assert_eq!(answer.headers()["sforce-limit-info"], "api-usage=5/15000");
}

#[tokio::test]
async fn files_come_in_either_order_and_go_out_again() {
    let api = Api::new(small()).await;
    let case = api.call("POST", "/sobjects/Case", Some(json!({}))).await.1["id"].as_str().unwrap().to_owned();
    let entity =
        json!({"Title": "chat", "PathOnClient": "chat.txt", "FirstPublishLocationId": case}).to_string();
    let json_part = || reqwest::multipart::Part::text(entity.clone()).mime_str("application/json").unwrap();
    let file = || {
        reqwest::multipart::Part::bytes(b"Gr\xc3\xbc\xc3\x9fe".to_vec())
            .file_name("chat.txt")
            .mime_str("text/plain")
            .unwrap()
    };
    let forms = [
        reqwest::multipart::Form::new().part("entity_content", json_part()).part("VersionData", file()),
        reqwest::multipart::Form::new().part("VersionData", file()).part("ContentVersion", json_part()),
    ];
    for form in forms {
        let answer = api.request("POST", "/sobjects/ContentVersion").multipart(form).send().await.unwrap();
        assert_eq!(answer.status(), 201);
        let id = answer.json::<Value>().await.unwrap()["id"].as_str().unwrap().to_owned();
        let back =
            api.request("GET", &format!("/sobjects/ContentVersion/{id}/VersionData")).send().await.unwrap();
        assert_eq!(back.text().await.unwrap(), "Grüße");
    }
    let links = api
        .query(&format!(
            "SELECT ContentDocument.Title FROM ContentDocumentLink WHERE LinkedEntityId = '{case}'"
        ))
        .await;
    assert_eq!(links["totalSize"], 2);
    let records = api.running.sandbox.log_records().await;
    assert_eq!(
        records.iter().find(|r| r.id == case).unwrap().attachments[0],
        ("chat.txt".to_owned(), "Grüße".to_owned())
    );
}

#[tokio::test]
async fn faults_do_what_they_say() {
    let api = Api::new(small()).await;
    let sandbox = &api.running.sandbox;
    let path = "/sobjects/Case/Tieline_Key__c/f-1";
    let patch = || api.request("PATCH", path).json(&json!({"Subject": "F"})).send();

    sandbox.inject(Fault::SavedThenDropped, 1).await;
    assert!(patch().await.is_err(), "the connection is dropped without an answer");
    assert_eq!(api.query("SELECT COUNT() FROM Case WHERE Tieline_Key__c = 'f-1'").await["totalSize"], 1);

    sandbox.inject(Fault::Locked, 2).await;
    for _ in 0..2 {
        let locked = patch().await.unwrap();
        assert_eq!(locked.status(), 400);
        assert_eq!(locked.json::<Value>().await.unwrap()[0]["errorCode"], "UNABLE_TO_LOCK_ROW");
    }
    assert_eq!(patch().await.unwrap().status(), 200);

    sandbox.inject(Fault::Limited { retry_after_s: Some(5) }, 1).await;
    let limited = patch().await.unwrap();
    assert_eq!(limited.status(), 403);
    assert!(!limited.headers().contains_key("retry-after"));

    sandbox.inject(Fault::ServerError, 1).await;
    assert_eq!(patch().await.unwrap().status(), 503);

    sandbox.inject(Fault::Stall { ms: 30 }, 1).await;
    assert!(patch().await.is_err());

    sandbox.inject(Fault::ServerError, 5).await;
    sandbox.clear_faults().await;
    assert_eq!(patch().await.unwrap().status(), 200);

    sandbox.inject(Fault::TokenExpired, 1).await;
    let dead = patch().await.unwrap();
    assert_eq!(dead.status(), 401);
    assert_eq!(dead.json::<Value>().await.unwrap()[0]["errorCode"], "INVALID_SESSION_ID");
    assert_eq!(patch().await.unwrap().status(), 401, "the token stays dead");
}

#[tokio::test]
async fn special_faults_come_by_the_admin_surface() {
    let api = Api::new(small()).await;
    let admin = |path: &str| format!("{}/__sandbox/{path}", api.running.instance_url);
    let inject = async |fault: Value| {
        let status = api.client.post(admin("faults")).json(&fault).send().await.unwrap().status();
        assert_eq!(status, 204, "{fault}");
    };
    inject(json!({"fault": "html_gateway", "status": 502})).await;
    let page = api.request("GET", "/query").query(&[("q", "SELECT Id FROM Case")]).send().await.unwrap();
    assert_eq!(
        (page.status().as_u16(), page.headers()["content-type"].to_str().unwrap()),
        (502, "text/html")
    );
    inject(json!({"fault": "duplicates_detected"})).await;
    let person = json!({"LastName": "Okafor"});
    let (status, body) = api.call("POST", "/sobjects/Contact", Some(person.clone())).await;
    assert_eq!((status, body[0]["errorCode"].as_str()), (400, Some("DUPLICATES_DETECTED")));
    assert_eq!(body[0]["duplicateResut"]["matchResults"][0]["size"], 1);
    inject(json!({"fault": "upsert_race"})).await;
    let race = "/sobjects/Case/Tieline_Key__c/race-1";
    let (status, body) = api.call("PATCH", race, Some(json!({"Subject": "R"}))).await;
    assert_eq!((status, body[0]["errorCode"].as_str()), (400, Some("DUPLICATE_VALUE")));
    assert_eq!(api.call("PATCH", race, Some(json!({"Subject": "R"}))).await.0, 200);
    inject(json!({"fault": "daily_limit"})).await;
    let (status, body) = api.call("POST", "/sobjects/Contact", Some(person)).await;
    assert_eq!((status, body[0]["message"].as_str()), (403, Some("TotalRequests Limit exceeded.")));
    inject(json!({"fault": "token_refused", "error": "invalid_grant", "description": "ip restricted"})).await;
    let (status, body) = bearer(&api.client, &api.running, &claims()).await;
    assert_eq!((status.as_u16(), body["error_description"].as_str()), (400, Some("ip restricted")));
    let nonsense = api.client.post(admin("faults")).json(&json!({"fault": "nonsense"})).send().await.unwrap();
    assert_eq!(nonsense.status(), 400);
    let kill = api.client.post(admin("tokens/kill")).send().await.unwrap();
    assert_eq!(kill.json::<Value>().await.unwrap()["killed"], 1);
    assert_eq!(api.call("GET", "/limits", None).await.0, 401);
}

#[tokio::test]
async fn the_known_people_are_there_and_the_org_is_full() {
    let api = Api::new(Options::demo(&KEY)).await;
    let grace = api
        .query("SELECT Id, Name, Account.Name, Phone FROM Contact WHERE Email = 'grace.okafor@okafor-sons.example'")
        .await;
    assert_eq!(grace["records"][0]["Account"]["Name"], "Okafor & Sons");
    let case =
        api.query("SELECT CaseNumber, IsClosed, Contact.Name FROM Case WHERE CaseNumber = '00001027'").await;
    assert_eq!(
        (&case["records"][0]["Contact"]["Name"], &case["records"][0]["IsClosed"]),
        (&json!("Grace Okafor"), &json!(false))
    );
    let contacts: Value = api
        .client
        .get(format!("{}/__sandbox/contacts", api.running.instance_url))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let contacts = contacts.as_array().unwrap();
    assert!(contacts.len() >= 240);
    let mut numbers = std::collections::HashMap::new();
    for phone in contacts.iter().flat_map(|c| c["phones"].as_array().unwrap()) {
        *numbers.entry(phone.as_str().unwrap()).or_insert(0) += 1;
    }
    assert!(numbers.values().any(|n| *n > 1), "some share one number");
    for open in [true, false] {
        let n = api.query(&format!("SELECT COUNT() FROM Case WHERE IsClosed = {open}")).await["totalSize"]
            .as_u64()
            .unwrap();
        assert!(n >= 40, "{n} cases with IsClosed = {open}");
    }
}

#[tokio::test]
async fn https_works_with_the_ca_of_the_run_and_saved_then_dropped_works_there_too() {
    let api = Api::new(Options { tls: true, ..small() }).await;
    assert!(api.running.instance_url.starts_with("https://"));
    assert_eq!(api.call("GET", "/limits", None).await.0, 200);
    api.running.sandbox.inject(Fault::SavedThenDropped, 1).await;
    let dropped = api.request("PATCH", "/sobjects/Case/Tieline_Key__c/t-1").json(&json!({})).send().await;
    assert!(dropped.is_err());
    assert_eq!(api.query("SELECT COUNT() FROM Case WHERE Tieline_Key__c = 't-1'").await["totalSize"], 1);
    let stranger = Client::builder().tls_certs_only([]).build().unwrap();
    assert!(stranger.get(format!("{}/services/data", api.running.instance_url)).send().await.is_err());
}
