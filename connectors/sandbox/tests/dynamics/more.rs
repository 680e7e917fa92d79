//! Batches, alternate keys, search, merges, impersonation, limits, the page.

use super::*;
use tieline_connector_api::sandbox::Sandbox as _;

const KEYS: &str = "table incident\nabc_interactionid cu text 100\nkey abc_InteractionKey abc_interactionid";

fn id(n: u32) -> String {
    format!("5d1c7a10-1111-4000-8000-00000000000{n}")
}

async fn with_keys() -> Api {
    Api::new(Options { extra_schema: KEYS.to_owned(), ..small() }).await
}

/// A batch of parts, each a request or a change set; `between` ends the lines.
async fn batch(api: &Api, parts: &str, between: &str, go_on: bool) -> (u16, String) {
    let body = format!("--b\n{parts}--b--\n").replace('\n', between);
    let mut request = api.request("POST", "$batch").body(body);
    request = request.header("content-type", "multipart/mixed; boundary=\"b\"");
    if go_on {
        request = request.header("prefer", "odata.continue-on-error");
    }
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

fn part(id: u32, line: &str, body: &Value) -> String {
    let head = "Content-Type: application/http\nContent-Transfer-Encoding: binary\n";
    format!(
        "{head}Content-ID: {id}\n\n{line} HTTP/1.1\nContent-Type: application/json; type=entry\n\n{body}\n"
    )
}

#[tokio::test]
async fn a_change_set_is_whole_or_nothing_and_knows_what_it_made() {
    let api = Api::new(small()).await;
    let grace = api.contact("grace.okafor@okafor-sons.example").await;
    let bind = format!("/contacts({grace})");
    let case = |n: u32| json!({"incidentid": id(n), "title": "B", "customerid_contact@odata.bind": bind});
    let set = |parts: &[String]| {
        let inner: String = parts.iter().map(|p| format!("--c\n{p}")).collect();
        format!("Content-Type: multipart/mixed; boundary=c\n\n{inner}--c--\n")
    };
    let note = json!({"subject": "N", "objectid_incident@odata.bind": "$1"});
    let absolute = format!("POST {}/api/data/v9.2/incidents", api.running.org_url);
    let good = set(&[
        part(1, &absolute, &case(1)),
        part(2, "POST /api/data/v9.2/annotations", &note),
        part(3, "PATCH $1", &json!({"title": "C"})),
    ]);
    let (status, text) = batch(&api, &good, "\r\n", false).await;
    assert_eq!((status, text.matches("HTTP/1.1 204 No Content").count()), (200, 3), "{text}");
    assert_eq!(api.call("GET", &format!("incidents({})", id(1)), None).await.1["title"], "C");
    let notes = api.query("annotations", &[("$filter", &format!("_objectid_value eq {}", id(1)))]).await.1;
    assert_eq!(notes["value"].as_array().unwrap().len(), 1);

    let bad =
        set(&[part(1, "POST incidents", &case(2)), part(2, "POST incidents", &json!({"title": "none"}))]);
    let (status, text) = batch(&api, &bad, "\r\n", false).await;
    assert_eq!((status, text.matches("HTTP/1.1 ").count()), (400, 1), "the outer status is the inner one");
    assert_eq!(batch(&api, &bad, "\r\n", true).await.0, 200, "unless it is told to go on");
    assert_eq!(api.call("GET", &format!("incidents({})", id(2)), None).await.0, 404, "nothing of it stays");

    let early = set(&[part(1, "POST annotations", &json!({"objectid_incident@odata.bind": "$2"}))]);
    let (status, text) = batch(&api, &early, "\r\n", false).await;
    assert!(status == 400 && text.contains("'$2' does not exist in the batch context"), "{text}");
    let reading = set(&[part(1, "GET incidents", &Value::Null)]);
    assert_eq!(batch(&api, &reading, "\r\n", false).await.0, 400, "a change set reads nothing");
    assert_eq!(batch(&api, &good, "\n", false).await.0, 400, "lines end with CRLF");
}

#[tokio::test]
async fn a_batch_stops_at_the_first_error_unless_told_to_go_on() {
    let api = Api::new(small()).await;
    let get = |n: u32| format!("{}--b\n", part(n, "GET contacts?$top=1&$select=fullname", &json!({})));
    let missing = format!("{}--b\n", part(2, &format!("GET incidents({})", id(9)), &json!({})));
    let last = part(3, "GET contacts?$top=1&$select=fullname", &json!({}));
    let parts = format!("{}{missing}{last}", get(1));
    let (status, text) = batch(&api, &parts, "\r\n", false).await;
    assert_eq!((status, text.matches("HTTP/1.1 ").count()), (404, 2));
    let (status, text) = batch(&api, &parts, "\r\n", true).await;
    assert_eq!(
        (status, text.matches("HTTP/1.1 200").count(), text.matches("HTTP/1.1 404").count()),
        (200, 2, 1)
    );
}

#[tokio::test]
async fn an_alternate_key_is_kept_without_case_and_taken_in_addresses() {
    let api = with_keys().await;
    let grace = api.contact("grace.okafor@okafor-sons.example").await;
    let body = |more: Value| {
        let mut body = json!({"title": "K", "customerid_contact@odata.bind": format!("/contacts({grace})")});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let patch = async |key: &str, more: Value| {
        let (status, answer) = api.call("PATCH", &format!("incidents({key})"), Some(body(more))).await;
        (status, code(&answer).to_owned())
    };
    assert_eq!(patch("abc_interactionid='k-1'", json!({})).await.0, 204);
    assert_eq!(patch("abc_interactionid='K-1'", json!({"title": "Again"})).await.0, 204);
    let repeated = patch("abc_interactionid='k-2'", json!({"abc_interactionid": "k-2"})).await;
    assert_eq!(repeated, (400, "0x80040216".to_owned()), "the body may not repeat the key");
    assert_eq!(patch("nope='k-1'", json!({})).await.0, 400);
    let (status, row) = api.call("GET", "incidents(abc_interactionid='k-1')?$select=title", None).await;
    assert_eq!((status, row["title"].as_str()), (200, Some("Again")));
    let (status, answer) = api.call("GET", "incidents(abc_interactionid='nobody')", None).await;
    assert_eq!((status, code(&answer)), (404, "0x80060891"));
    let (status, answer) =
        api.call("POST", "incidents", Some(body(json!({"abc_interactionid": "K-1"})))).await;
    assert_eq!((status, code(&answer)), (412, "0x80060892"));
    let (_, keys) = api.call("GET", "EntityDefinitions(LogicalName='incident')/Keys", None).await;
    assert_eq!(keys["value"][0]["EntityKeyIndexStatus"], "Active");
}

#[tokio::test]
async fn search_answers_json_in_a_text_after_a_lag_and_seldom() {
    let api = Api::new(with_switches(|s| s.searches_per_second = 0)).await;
    let search = async |body: Value| {
        let url = format!("{}/api/search/v2.0/query", api.running.org_url);
        let answer = api.client.post(url).bearer_auth(&api.token).json(&body).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let entities = json!([{"name": "contact", "selectColumns": ["fullname"]}]).to_string();
    let names = async |text: &str| {
        let (status, body) = search(json!({"search": text, "entities": entities})).await;
        assert_eq!(status, 200, "{body}");
        let inner: Value = serde_json::from_str(body["response"].as_str().unwrap()).unwrap();
        assert_eq!(inner["Count"], -1);
        let rows = inner["Value"].as_array().unwrap().clone();
        rows.iter().map(|r| r["Attributes"]["fullname"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names("Okaf*").await, ["Grace Okafor"]);
    assert_eq!(names("\"415.555.0134\"").await, ["Tom Reyes"]);
    assert_eq!(names("\\+447700900412").await, ["Grace Okafor"]);
    assert!(names("Zzyzx").await.is_empty());
    assert_eq!(search(json!({"search": "ab"})).await.0, 400, "three characters at least");
    assert_eq!(search(json!({"search": "Okafor", "entities": [{"name": "contact"}]})).await.0, 400);
    api.switch(json!({"search_lag_ms": 3_600_000})).await;
    api.running.sandbox.add_contact("Late Comer", None, None).await;
    assert!(names("Comer").await.is_empty() && !api.names("lastname eq 'Comer'").await.is_empty());
    api.switch(json!({"searches_per_second": 1})).await;
    let mut statuses = Vec::new();
    while !statuses.contains(&429) && statuses.len() < 100 {
        statuses.push(search(json!({"search": "Okafor"})).await.0);
    }
    assert!(statuses.contains(&429), "a second search within a second: {statuses:?}");
    api.switch(json!({"search_enabled": false, "searches_per_second": 0})).await;
    assert_eq!(search(json!({"search": "Okafor"})).await.0, 400);
}

#[tokio::test]
async fn a_merged_contact_is_inactive_and_names_who_survives_and_a_deleted_one_is_gone() {
    let api = Api::new(small()).await;
    let sandbox = &api.running.sandbox;
    let loser = sandbox.add_contact("Grace Okafor", Some("grace@old.example"), None).await;
    let body = json!({"incidentid": id(1), "title": "M", "customerid_contact@odata.bind": format!("/contacts({loser})")});
    assert_eq!(api.call("POST", "incidents", Some(body)).await.0, 204);
    let winner = api.contact("grace.okafor@okafor-sons.example").await;
    let side = |id: &str| json!({"@odata.type": "Microsoft.Dynamics.CRM.contact", "contactid": id});
    let merge =
        json!({"Target": side(&winner), "Subordinate": side(&loser), "PerformParentingChecks": false});
    assert_eq!(api.call("POST", "Merge", Some(merge.clone())).await.0, 204);
    assert_eq!(api.call("POST", "Merge", Some(merge)).await.0, 400, "not twice");
    let (_, row) = api.call("GET", &format!("contacts({loser})"), None).await;
    assert_eq!(
        (&row["statecode"], &row["merged"], &row["_masterid_value"]),
        (&json!(1), &json!(true), &json!(winner))
    );
    let (_, case) = api.call("GET", &format!("incidents({})", id(1)), None).await;
    assert_eq!(case["_customerid_value"], json!(winner));
    assert_eq!(api.call("DELETE", &format!("contacts({winner})"), None).await.0, 204);
    assert_eq!(api.call("GET", &format!("contacts({winner})"), None).await.0, 404);
}

#[tokio::test]
async fn a_row_is_written_in_the_name_of_an_agent_if_the_role_allows_it() {
    let api = Api::new(small()).await;
    let (_, users) = api.query("systemusers", &[("$filter", "firstname eq 'Alma'")]).await;
    let alma = &users["value"][0];
    let object = alma["azureactivedirectoryobjectid"].as_str().unwrap();
    let who = async || {
        let answer = api.request("GET", "WhoAmI").header("CallerObjectId", object).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap()["UserId"].clone())
    };
    assert_eq!(who().await, (200, alma["systemuserid"].clone()));
    api.switch(json!({"denied_privileges": ["prvActOnBehalfOfAnotherUser"]})).await;
    assert_eq!(who().await.0, 403);
}

#[tokio::test]
async fn too_many_requests_are_throttled_with_the_time_to_wait() {
    let api = Api::new(with_switches(|s| s.requests_per_window = 2)).await;
    assert_eq!(api.call("GET", "WhoAmI", None).await.0, 200);
    assert_eq!(api.call("GET", "WhoAmI", None).await.0, 200);
    let answer = api.request("GET", "WhoAmI").send().await.unwrap();
    assert_eq!(answer.status(), 429);
    let wait: u64 = answer.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=301).contains(&wait), "{wait}");
}

#[tokio::test]
async fn files_have_a_size_and_an_ending_and_are_read_back() {
    use base64::Engine as _;
    let api = Api::new(with_switches(|s| s.attachment_bytes_max = 100)).await;
    assert_eq!(api.case(&id(1)).await.status(), 204);
    let note = |name: &str, content: &[u8]| {
        json!({"annotationid": id(2), "subject": "Transcript", "filename": name, "mimetype": "text/plain",
            "documentbody": base64::engine::general_purpose::STANDARD.encode(content),
            "objectid_incident@odata.bind": format!("/incidents({})", id(1))})
    };
    let post = async |body: Value| api.call("POST", "annotations", Some(body)).await.0;
    assert_eq!(post(note("chat.txt", &[65; 101])).await, 400);
    assert_eq!(post(note("chat.html", b"x")).await, 400);
    assert_eq!(post(json!({"documentbody": "not base64!"})).await, 400);
    assert_eq!(post(note("chat.txt", "Grüße".as_bytes())).await, 204);
    let records = api.running.sandbox.log_records().await;
    assert_eq!(records[0].attachments, [("chat.txt".to_owned(), "Grüße".to_owned())]);
}

#[tokio::test]
async fn the_page_is_served_and_its_own_session_is_closed_to_other_sites() {
    let api = Api::new(Options { panel_url: Some("http://127.0.0.1:9/panel".to_owned()), ..small() }).await;
    let get =
        async |path: &str| api.client.get(format!("{}{path}", api.running.org_url)).send().await.unwrap();
    let page = get("/main.aspx").await;
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.contains("frame-src http://127.0.0.1:9;"), "{policy}");
    let library = get("/webresources/Widget/msdyn_ciLibrary.js").await;
    assert!(library.headers()["content-type"].to_str().unwrap().starts_with("text/javascript"));
    assert_eq!(get("/console/api/contacts").await.status(), 403);
}
