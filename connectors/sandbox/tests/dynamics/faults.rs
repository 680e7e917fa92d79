//! Faults on demand.

use super::*;
use tieline_connector_api::sandbox::{Fault, Sandbox as _};

#[tokio::test]
async fn the_faults_of_every_stand_in_do_what_they_say() {
    let api = Api::new(small()).await;
    let sandbox = &api.running.sandbox;
    let grace = api.contact("grace.okafor@okafor-sons.example").await;
    let id = "5d1c7a10-0000-4000-8000-0000000000f1";
    let body = json!({"incidentid": id, "title": "F", "description": format!("x\nTieline {id}"),
        "customerid_contact@odata.bind": format!("/contacts({grace})")});
    let post = || api.request("POST", "incidents").json(&body).send();

    for (fault, status, code) in [
        (Fault::Locked, 500, "0x80044150"),
        (Fault::ServerError, 503, "none"),
        (Fault::Limited { retry_after_s: Some(2) }, 429, "0x80072322"),
    ] {
        sandbox.inject(fault, 1).await;
        let answer = post().await.unwrap();
        let after = answer.headers().get("retry-after").map(|v| v.to_str().unwrap().to_owned());
        assert_eq!(after.as_deref(), (status == 429).then_some("2"));
        assert_eq!(answer.status().as_u16(), status);
        let text = answer.text().await.unwrap();
        assert_eq!(super::code(&serde_json::from_str(&text).unwrap_or_default()), code);
    }
    assert!(sandbox.log_records().await.is_empty(), "nothing was done");

    sandbox.inject(Fault::SavedThenDropped, 1).await;
    assert!(post().await.is_err(), "the connection is dropped without an answer");
    let records = sandbox.log_records().await;
    assert_eq!((records.len(), records[0].id.as_str(), records[0].key.as_str()), (1, id, id));
    assert_eq!(post().await.unwrap().status(), 412);

    sandbox.inject(Fault::Stall { ms: 30 }, 1).await;
    assert!(post().await.is_err());

    let since = sandbox.requests().await;
    sandbox.inject(Fault::TokenExpired, 1).await;
    assert_eq!(post().await.unwrap().status(), 401);
    assert_eq!(post().await.unwrap().status(), 401, "the token stays dead");
    let seen = sandbox.exchanges(since).await;
    assert_eq!(seen.iter().map(|e| e.status).collect::<Vec<_>>(), [Some(401), Some(401)]);
}

#[tokio::test]
async fn the_faults_of_dynamics_do_what_they_say() {
    let api = Api::new(small()).await;
    let get = async || {
        let answer = api.request("GET", "contacts?$top=1").send().await.unwrap();
        let after = answer.headers().get("retry-after").is_some();
        (answer.status().as_u16(), after, answer.json::<Value>().await.unwrap_or_default())
    };
    for (limit, wanted) in
        [("requests", "0x80072322"), ("execution_time", "0x80072321"), ("concurrency", "0x80072326")]
    {
        api.arm(json!({"fault": "throttled", "limit": limit, "retry_after_s": 1})).await;
        let (status, after, body) = get().await;
        assert_eq!((status, after, code(&body)), (429, true, wanted));
    }
    api.arm(json!({"fault": "html_gateway", "status": 502})).await;
    assert_eq!(get().await.0, 502);
    api.arm(json!({"fault": "unauthorized"})).await;
    assert_eq!(get().await.0, 401);
    assert_eq!(get().await.0, 200);

    api.arm(json!({"fault": "plugin_refused", "message": "Cases need a contract."})).await;
    let refused = api.case("5d1c7a10-0000-4000-8000-0000000000a1").await;
    assert_eq!(refused.status(), 400);
    let body: Value = refused.json().await.unwrap();
    assert_eq!(
        (code(&body), body["error"]["message"].as_str()),
        ("0x80040265", Some("Cases need a contract."))
    );

    api.arm(json!({"fault": "create_refused"})).await;
    assert_eq!(api.case("5d1c7a10-0000-4000-8000-0000000000a2").await.status(), 412);
    let there = "incidents(5d1c7a10-0000-4000-8000-0000000000a2)";
    assert_eq!(api.call("GET", there, None).await.0, 404);
    api.arm(json!({"fault": "create_race"})).await;
    assert_eq!(api.case("5d1c7a10-0000-4000-8000-0000000000a2").await.status(), 412);
    assert_eq!(api.call("GET", there, None).await.0, 200);

    api.arm(json!({"fault": "empty_code"})).await;
    assert_eq!(
        api.case("5d1c7a10-0000-4000-8000-0000000000a2").await.json::<Value>().await.unwrap()["error"]["code"],
        ""
    );
    api.arm(json!({"fault": "decimal_code"})).await;
    let body: Value = api.case("5d1c7a10-0000-4000-8000-0000000000a2").await.json().await.unwrap();
    assert_eq!(body["error"]["code"], "-2147220937");

    api.arm(
        json!({"fault": "entra_refused", "status": 400, "error": "temporarily_unavailable", "code": 90033}),
    )
    .await;
    let (status, body) =
        by_secret(&api.client, &api.running, CLIENT_ID, CLIENT_SECRET, &scope(&api.running)).await;
    assert_eq!((status, aadsts(&body)), (400, 90_033));
}
