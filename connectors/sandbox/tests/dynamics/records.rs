//! Rows: queries, creates, the matrix of PATCH, rules (sheet section 2).

use super::*;

const ID: &str = "5d1c7a10-0000-4000-8000-00000000000";

fn id(n: u32) -> String {
    format!("{ID}{n}")
}

#[tokio::test]
async fn a_plus_must_be_encoded_and_comparisons_know_no_case() {
    let api = Api::new(small()).await;
    let raw = async |query: &str| {
        let answer = api.request("GET", &format!("contacts?{query}")).send().await.unwrap();
        let body: Value = answer.json().await.unwrap();
        body["value"].as_array().map_or(99, Vec::len)
    };
    assert_eq!(raw("$filter=mobilephone%20eq%20'%2B447700900412'").await, 1);
    assert_eq!(raw("$filter=mobilephone%20eq%20'+447700900412'").await, 0, "a bare plus is a space");
    assert_eq!(raw("%24filter=mobilephone+eq+'%2B447700900412'&%24select=fullname").await, 1);
    assert_eq!(api.names("emailaddress1 eq 'GRACE.okafor@OKAFOR-sons.example'").await, ["Grace Okafor"]);
    assert_eq!(
        api.names("contains(fullname,'weißen') and startswith(firstname,'jurgen')").await,
        ["Jürgen Weißenfels"]
    );
}

#[tokio::test]
async fn numbers_are_found_as_typed_or_by_live_wildcards() {
    let api = Api::new(small()).await;
    assert!(api.names("telephone1 eq '+14155550134'").await.is_empty());
    assert!(api.names("endswith(telephone1,'5550134')").await.is_empty());
    assert_eq!(api.names("contains(telephone1,'5%5%5%0%1%3%4')").await, ["Tom Reyes"]);
    assert!(api.names("telephone1 eq '%'").await.is_empty(), "no wildcards in eq");
    let everybody = api.names("contains(fullname,'%')").await.len();
    assert!(everybody > 10 && api.names("contains(fullname,'[%]')").await.is_empty());
    assert_eq!(
        api.names("contains(telephone1,'465_00%411') or contains(telephone1,'46500411')").await.len(),
        2
    );
}

#[tokio::test]
async fn literals_and_names_are_checked() {
    let api = Api::new(small()).await;
    let refused = async |option: &str, value: &str| {
        let (status, body) = api.query("contacts", &[(option, value)]).await;
        assert_eq!(status, 400, "{option}={value}: {body}");
    };
    refused("$filter", "lastname eq 'O'Sheridan'").await;
    refused("$filter", "nope eq 'x'").await;
    refused("$filter", "parentcustomerid eq null").await;
    refused("$filter", "lastname eq 5").await;
    refused("$filter", "_parentcustomerid_value eq 'x'").await;
    refused("$filter", "lastname like 'x'").await;
    refused("$filter", "tolower(lastname) eq 'x'").await;
    refused("$select", "fullname,nope").await;
    refused("$select", "parentcustomerid").await;
    refused("$orderby", "nope desc").await;
    refused("$expand", "nope").await;
    refused("$skip", "5").await;
    refused("$top", "x").await;
    refused("$nonsense", "x").await;
    assert!(
        api.names("lastname eq 'O''Sheridan' and statecode eq 0 and not contains(fullname,'q')").await.len()
            < 3
    );
    assert_eq!(api.query("contact", &[]).await.0, 404);
    assert_eq!(api.query("contacts/nope", &[]).await.0, 404);
}

#[tokio::test]
async fn lookups_read_by_value_and_say_their_table_when_asked() {
    let api = Api::new(small()).await;
    let path = "contacts?$select=fullname,_parentcustomerid_value&$filter=lastname eq 'Okafor'";
    let plain: Value = api.request("GET", path).send().await.unwrap().json().await.unwrap();
    let row = &plain["value"][0];
    assert!(row["_parentcustomerid_value"].is_string() && row["contactid"].is_string());
    assert!(row["@odata.etag"].as_str().unwrap().starts_with("W/\""));
    assert_eq!(row.as_object().unwrap().len(), 4, "{row}");
    let answer =
        api.request("GET", path).header("prefer", "odata.include-annotations=\"*\"").send().await.unwrap();
    assert_eq!(answer.headers()["preference-applied"], "odata.include-annotations=\"*\"");
    let all: Value = answer.json().await.unwrap();
    let row = &all["value"][0];
    assert_eq!(row["_parentcustomerid_value@Microsoft.Dynamics.CRM.lookuplogicalname"], "account");
    assert_eq!(row["_parentcustomerid_value@OData.Community.Display.V1.FormattedValue"], "Okafor & Sons");
    let expanded = "contacts?$select=fullname&$expand=parentcustomerid_account($select=name)&$filter=parentcustomerid_account/name eq 'Okafor %26 Sons'";
    let body: Value = api.request("GET", expanded).send().await.unwrap().json().await.unwrap();
    assert_eq!(body["value"][0]["parentcustomerid_account"]["name"], "Okafor & Sons");
}

#[tokio::test]
async fn pages_are_followed_by_their_link() {
    let api = Api::new(Options { contacts: 50, ..small() }).await;
    let mut url = format!(
        "{}/api/data/v9.2/contacts?$select=fullname&$orderby=fullname desc&$count=true",
        api.running.org_url
    );
    let mut seen = Vec::new();
    loop {
        let answer = api.client.get(&url).bearer_auth(&api.token).header("prefer", "odata.maxpagesize=20");
        let body: Value = answer.send().await.unwrap().json().await.unwrap();
        assert_eq!(body["@odata.count"], 56);
        seen.extend(
            body["value"].as_array().unwrap().iter().map(|r| r["contactid"].as_str().unwrap().to_owned()),
        );
        let Some(next) = body["@odata.nextLink"].as_str() else { break };
        assert_eq!(body["value"].as_array().unwrap().len(), 20);
        next.clone_into(&mut url);
    }
    assert_eq!(seen.len(), 56);
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 56, "no row twice");
}

#[tokio::test]
async fn a_create_answers_204_with_the_address_and_a_second_one_412() {
    let api = Api::new(small()).await;
    let made = api.case(&id(1)).await;
    assert_eq!(made.status(), 204);
    let address = format!("{}/api/data/v9.2/incidents({})", api.running.org_url, id(1));
    assert_eq!(made.headers()["odata-entityid"].to_str().unwrap(), address);
    let again = api.case(&id(1)).await;
    assert_eq!(again.status(), 412);
    assert_eq!(code(&again.json().await.unwrap()), "0x80040237");
    let (_, row) = api.call("GET", &format!("incidents({})", id(1)), None).await;
    assert!(row["ticketnumber"].as_str().unwrap().starts_with("CAS-"));
    assert_eq!(
        (&row["statecode"], &row["statuscode"], &row["prioritycode"]),
        (&json!(0), &json!(1), &json!(2))
    );
    assert!(row["_customerid_value"].is_string() && row.get("customerid").is_none());
}

// The matrix of sheet 2.10, row by row.
#[tokio::test]
async fn patch_creates_updates_or_refuses_by_its_conditions() {
    let api = Api::new(small()).await;
    let grace = api.contact("grace.okafor@okafor-sons.example").await;
    let body = json!({"title": "P", "customerid_contact@odata.bind": format!("contacts({grace})")});
    let patch = async |n: u32, header: Option<(&str, &str)>| {
        let mut request = api.request("PATCH", &format!("incidents({})", id(n))).json(&body);
        if let Some((name, value)) = header {
            request = request.header(name, value);
        }
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(patch(2, Some(("if-match", "*"))).await, 404);
    assert_eq!(patch(2, Some(("if-match", "W/\"5\""))).await, 404);
    assert_eq!(patch(2, Some(("if-none-match", "*"))).await, 204);
    assert_eq!(patch(2, Some(("if-none-match", "*"))).await, 412);
    assert_eq!(patch(2, Some(("if-none-match", "null"))).await, 204, "the word null is no condition");
    assert_eq!(patch(2, Some(("if-match", "*"))).await, 204);
    assert_eq!(patch(2, Some(("if-match", "W/\"5\""))).await, 412);
    let (_, row) = api.call("GET", &format!("incidents({})", id(2)), None).await;
    assert_eq!(patch(2, Some(("if-match", row["@odata.etag"].as_str().unwrap()))).await, 204);
    let (_, later) = api.call("GET", &format!("incidents({})", id(2)), None).await;
    assert_ne!(row["@odata.etag"], later["@odata.etag"], "the etag moves");
    assert_eq!(patch(3, None).await, 204, "a bare PATCH creates");
    assert_eq!(api.call("DELETE", &format!("incidents({})", id(3)), None).await.0, 204);
    assert_eq!(api.call("DELETE", &format!("incidents({})", id(3)), None).await.0, 404);
    let shown = async |n: u32| {
        let request = api.request("PATCH", &format!("incidents({})?$select=ticketnumber", id(n))).json(&body);
        let answer = request.header("prefer", "return=representation").send().await.unwrap();
        assert_eq!(answer.headers()["preference-applied"], "return=representation");
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap()["ticketnumber"].is_string())
    };
    assert_eq!(shown(4).await, (201, true));
    assert_eq!(shown(4).await, (200, true));
    let etag = later["@odata.etag"].as_str().unwrap();
    let conditional = api.request("GET", &format!("incidents({})", id(2))).header("if-none-match", etag);
    assert_eq!(conditional.send().await.unwrap().status(), 304);
}

#[tokio::test]
async fn what_does_not_fit_is_refused_with_its_code() {
    let api = Api::new(small()).await;
    let grace = api.contact("grace.okafor@okafor-sons.example").await;
    let bind = format!("/contacts({grace})");
    let refused = async |set: &str, body: Value| {
        let (status, answer) = api.call("POST", set, Some(body)).await;
        (status, code(&answer).to_owned())
    };
    let is = |status, code: &str| (status, code.to_owned());
    let case = |name: &str, value: Value| {
        let mut body = json!({"title": "T", "customerid_contact@odata.bind": bind});
        body[name] = value;
        body
    };
    assert_eq!(refused("incidents", case("title", json!("x".repeat(201)))).await, is(400, "0x80044331"));
    assert_eq!(refused("incidents", case("title", json!("😀".repeat(101)))).await, is(400, "0x80044331"));
    assert_eq!(api.call("POST", "incidents", Some(case("title", json!("😀".repeat(100))))).await.0, 204);
    assert_eq!(
        refused("incidents", case("description", json!("x".repeat(2_001)))).await,
        is(400, "0x80044331")
    );
    assert_eq!(refused("annotations", json!({"notetext": "x".repeat(100_001)})).await, is(400, "0x80044331"));
    assert_eq!(refused("incidents", case("nope", json!(1))).await, is(400, "0x80048d19"));
    assert_eq!(refused("incidents", case("Title", json!("x"))).await, is(400, "0x80048d19"));
    assert_eq!(refused("incidents", case("caseorigincode", json!("3"))).await, is(400, "0x80048d19"));
    assert_eq!(refused("incidents", case("caseorigincode", json!(99))).await.0, 400);
    assert_eq!(refused("incidents", case("statuscode", json!(5))).await, is(400, "0x80048408"));
    assert_eq!(refused("incidents", json!({"title": "T"})).await.0, 400, "a customer is mandatory");
    let short = json!({"title": "T", "customerid@odata.bind": bind});
    assert_eq!(refused("incidents", short).await, is(400, "0x80048d19"));
    assert_eq!(refused("incidents", json!({"title": "T", "customerid": grace})).await, is(400, "0x80048d19"));
    let cased = json!({"title": "T", "CustomerId_contact@odata.bind": bind});
    assert_eq!(refused("incidents", cased).await, is(400, "0x80048d19"), "names have a case");
    let wrong = json!({"title": "T", "customerid_account@odata.bind": bind});
    assert_eq!(refused("incidents", wrong).await.0, 400, "a contact is no account");
    let absent = json!({"title": "T", "customerid_contact@odata.bind": format!("/contacts({})", id(9))});
    assert_eq!(refused("incidents", absent).await, is(404, "0x80040217"));
    assert_eq!(api.call("GET", &format!("incidents({})", id(9)), None).await.0, 404);
}

#[tokio::test]
async fn a_phone_call_is_made_open_with_parties_and_completed_afterwards() {
    let api = Api::new(small()).await;
    assert_eq!(api.case(&id(1)).await.status(), 204);
    let grace = api.contact("grace.okafor@okafor-sons.example").await;
    let call = |more: Value| {
        let mut body = json!({"activityid": id(5), "subject": "Call",
        "regardingobjectid_incident_phonecall@odata.bind": format!("/incidents({})", id(1)),
        "phonecall_activity_parties": [
            {"participationtypemask": 1, "partyid_contact@odata.bind": format!("/contacts({grace})")},
            {"participationtypemask": 2, "addressused": "+15550100"},
        ]});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let post = async |body: Value| api.call("POST", "phonecalls", Some(body)).await.0;
    assert_eq!(post(call(json!({"statecode": 1}))).await, 400);
    assert_eq!(post(call(json!({"from": "x"}))).await, 400, "party lists are not written by their columns");
    let mut short = call(json!({}));
    let regarding =
        short.as_object_mut().unwrap().remove("regardingobjectid_incident_phonecall@odata.bind").unwrap();
    short["regardingobjectid_incident@odata.bind"] = regarding;
    assert_eq!(post(short.clone()).await, 400);
    api.switch(json!({"short_regarding": true, "state_on_create": "ignored"})).await;
    short["activityid"] = json!(id(6));
    short["statecode"] = json!(1);
    assert_eq!(post(short).await, 204);
    assert_eq!(post(call(json!({}))).await, 204);
    let path = format!("phonecalls({})", id(5));
    let (_, row) = api.call("GET", &format!("{path}?$expand=phonecall_activity_parties"), None).await;
    assert_eq!((&row["directioncode"], &row["statecode"]), (&json!(true), &json!(0)), "outgoing unless said");
    assert_eq!(row["phonecall_activity_parties"].as_array().unwrap().len(), 2);
    let close = json!({"IncidentResolution": {"subject": "Done",
        "incidentid@odata.bind": format!("/incidents({})", id(1))}, "Status": 5});
    assert_eq!(api.call("POST", "CloseIncident", Some(close.clone())).await.0, 400, "open activities");
    for n in [5, 6] {
        let path = format!("phonecalls({})", id(n));
        let bad = json!({"statecode": 1, "statuscode": 1});
        assert_eq!(api.call("PATCH", &path, Some(bad)).await.0, 400);
        assert_eq!(api.call("PATCH", &path, Some(json!({"statecode": 1, "statuscode": 4}))).await.0, 204);
        assert_eq!(api.call("PATCH", &path, Some(json!({"subject": "later"}))).await.0, 400, "read-only");
    }
    assert_eq!(
        api.call("PATCH", &format!("incidents({})", id(1)), Some(json!({"statecode": 1}))).await.0,
        400
    );
    assert_eq!(api.call("POST", "CloseIncident", Some(close.clone())).await.0, 204);
    assert_eq!(api.call("POST", "CloseIncident", Some(close)).await.0, 400, "not twice");
    let incident = format!("incidents({})", id(1));
    let (_, row) = api.call("GET", &incident, None).await;
    assert_eq!((&row["statecode"], &row["statuscode"]), (&json!(1), &json!(5)));
    assert_eq!(api.call("PATCH", &incident, Some(json!({"title": "x"}))).await.0, 400, "read-only");
    assert_eq!(api.call("PATCH", &incident, Some(json!({"statecode": 0, "statuscode": 1}))).await.0, 204);
    assert_eq!(api.call("PATCH", &incident, Some(json!({"title": "x"}))).await.0, 204);
}

#[tokio::test]
async fn a_missing_privilege_is_named() {
    let api = Api::new(with_switches(|s| s.denied_privileges = vec!["prvReadContact".to_owned()])).await;
    let (status, body) = api.query("contacts", &[]).await;
    assert_eq!((status, code(&body)), (403, "0x80040220"));
    assert!(body["error"]["message"].as_str().unwrap().contains("prvReadContact"));
}
