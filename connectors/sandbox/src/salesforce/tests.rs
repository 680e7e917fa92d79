//! SOSL, and the rules of writing, on an org without HTTP.

use super::org::{Org, Upserted, Writer};
use super::schema::{STANDARD, Schema};
use super::sosl::{self, Expression};
use super::switches::Switches;
use serde_json::{Value, json};

fn org_with(switches: Switches) -> Org {
    let mut schema = Schema::default();
    schema.add(STANDARD).unwrap();
    let mut org = Org::new(schema, switches);
    org.queue = super::ids::mint("00G", 9);
    user(&mut org, &writer().user);
    org
}

fn user(org: &mut Org, id: &str) {
    let fields = [("Id".to_owned(), json!(id))].into();
    org.put("User", id, super::org::Row { fields, deleted: false, searchable_at: super::org::now() });
}

fn org() -> Org {
    org_with(Switches::default())
}

fn writer() -> Writer {
    Writer { user: super::ids::mint("005", 1), auto_assign: false, allow_duplicates: false }
}

fn insert(org: &mut Org, object: &str, fields: Value) -> super::error::Result<String> {
    let object = org.schema.path(object).unwrap().clone();
    org.insert(&object, fields.as_object().unwrap(), &writer())
}

fn update(org: &mut Org, id: &str, fields: Value, who: &Writer) -> super::error::Result<()> {
    let object = org.schema.of_id(id).unwrap().clone();
    org.update(&object, id, fields.as_object().unwrap(), who)
}

fn found(org: &Org, query: &str) -> Vec<String> {
    let result = sosl::run(org, &sosl::parse(query).unwrap(), 66).unwrap();
    result["searchRecords"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["Name"].as_str().unwrap_or("?").to_owned())
        .collect()
}

fn people() -> Org {
    let mut org = org();
    for (name, phone) in [
        ("Us", "(415) 555-0134"),
        ("Uk", "+44 20 7946 0112"),
        ("UkZero", "+44 (0)20 7946 0113"),
        ("At", "0664/5550 123"),
        ("Ext", "(415) 555-0177 x12"),
    ] {
        insert(
            &mut org,
            "Contact",
            json!({"LastName": name, "Phone": phone, "Email": format!("{name}@a-b.example")}),
        )
        .unwrap();
    }
    org
}

fn by_phone(org: &Org, term: &str) -> Vec<String> {
    found(org, &format!("FIND {{{term}}} IN PHONE FIELDS RETURNING Contact(Name)"))
}

#[test]
fn phones_are_found_by_all_their_digits_or_by_whole_parts() {
    let org = people();
    assert_eq!(by_phone(&org, "4155550134"), ["Us"]);
    assert_eq!(by_phone(&org, "0134"), ["Us"]);
    assert_eq!(by_phone(&org, r#""(415) 555-0134""#), ["Us"]);
    assert_eq!(by_phone(&org, "442079460112"), ["Uk"]);
    assert_eq!(by_phone(&org, r"\+442079460112"), ["Uk"]);
    assert_eq!(by_phone(&org, "06645550123"), ["At"]);
    assert_eq!(by_phone(&org, "4155550177"), ["Ext"]);
    assert_eq!(by_phone(&org, "4155550134 OR 06645550123"), ["Us", "At"]);
}

#[test]
fn phones_are_not_found_in_another_form_than_they_were_typed() {
    let mut org = people();
    assert!(by_phone(&org, "14155550134").is_empty(), "a country code that was not typed");
    assert!(by_phone(&org, "02079460112").is_empty(), "national form of a number typed with +44");
    assert!(by_phone(&org, "442079460113").is_empty(), "(0) in the middle");
    assert!(by_phone(&org, "5550134").is_empty(), "seven digits in a run");
    org.switches.phone_suffix_found = true;
    assert_eq!(by_phone(&org, "5550134"), ["Us"]);
}

#[test]
fn reserved_characters_need_a_backslash() {
    for term in ["a+b", "a-b", "a'b", "what:", "a&b", "a{b", "a^b", "a~b", "*abc", "?abc"] {
        let refused = sosl::parse(&format!("FIND {{{term}}}"));
        assert_eq!(refused.unwrap_err().code, "MALFORMED_SEARCH", "{term}");
    }
    let org = people();
    assert_eq!(found(&org, r"FIND {us@a\-b.example} IN EMAIL FIELDS RETURNING Contact(Name)"), ["Us"]);
    assert_eq!(found(&org, r#"FIND {"us@a-b.example"} IN EMAIL FIELDS RETURNING Contact(Name)"#), ["Us"]);
    assert_eq!(sosl::parse("FIND {a}").unwrap_err().code, "MALFORMED_SEARCH");
    assert_eq!(sosl::parse("FIND {abc").unwrap_err().code, "MALFORMED_SEARCH");
    assert_eq!(sosl::parse("FIND {abc OR}").unwrap_err().code, "MALFORMED_SEARCH");
    assert_eq!(sosl::parse("FIND {(abc}").unwrap_err().code, "MALFORMED_SEARCH");
}

#[test]
fn groups_clauses_wildcards_and_operators() {
    let mut org = people();
    insert(&mut org, "Lead", json!({"LastName": "Us", "Company": "Uk Traders", "Phone": "4155550134"}))
        .unwrap();
    assert!(found(&org, "FIND {4155550134} IN NAME FIELDS RETURNING Contact(Name)").is_empty());
    let both = "FIND {4155550134} IN PHONE FIELDS RETURNING Contact(Name), Lead(Name WHERE IsConverted = false LIMIT 5)";
    assert_eq!(found(&org, both), ["Us", "Us"]);
    assert_eq!(
        found(&org, "FIND {uk*} IN NAME FIELDS RETURNING Contact(Name ORDER BY Name DESC LIMIT 1)"),
        ["UkZero"]
    );
    assert_eq!(found(&org, "FIND {u?} IN NAME FIELDS RETURNING Contact(Name ORDER BY Name)"), ["Uk", "Us"]);
    assert_eq!(found(&org, "FIND {uk* AND NOT ukzero} IN NAME FIELDS RETURNING Contact(Name)"), ["Uk"]);
    assert_eq!(
        found(&org, "FIND {(us OR at)} IN NAME FIELDS RETURNING Contact(Name ORDER BY Name)"),
        ["At", "Us"]
    );
    let bare = sosl::run(&org, &sosl::parse("FIND {4155550134} RETURNING Contact").unwrap(), 66).unwrap();
    let only = bare["searchRecords"][0].as_object().unwrap();
    assert_eq!(only.keys().collect::<Vec<_>>(), ["Id", "attributes"]);
    let unknown = sosl::parse("FIND {zzz} RETURNING Contact(Nope)").unwrap();
    assert_eq!(sosl::run(&org, &unknown, 66).unwrap_err().code, "INVALID_FIELD");
}

#[test]
fn queries_that_are_too_long_lose_operators_and_then_find_nothing() {
    let long = format!("aa AND {}", "b ".repeat(2_100));
    assert!(matches!(sosl::expression(&long).unwrap(), Expression::Or(_)));
    assert_eq!(sosl::expression(&"ab ".repeat(4_000)).unwrap(), Expression::Never);
}

#[test]
fn a_new_record_is_found_by_search_only_after_the_lag() {
    let mut org = org_with(Switches { search_lag_ms: 60_000, ..Switches::default() });
    insert(&mut org, "Contact", json!({"LastName": "Fresh"})).unwrap();
    assert!(found(&org, "FIND {fresh} IN NAME FIELDS RETURNING Contact(Name)").is_empty());
    let query = super::soql::parse("SELECT Id FROM Contact WHERE LastName = 'Fresh'").unwrap();
    assert_eq!(super::soql::run(&org, &query, 66, false).unwrap().0, 1);
}

#[test]
fn parameterized_search_reads_both_forms() {
    let org = people();
    let body = json!({"q": "4155550134", "in": "PHONE", "fields": ["Id", "Name"],
        "sobjects": [{"name": "Contact", "fields": ["Name"], "limit": 5, "where": "Email != null"}], "overallLimit": 10});
    let hits = sosl::run(&org, &sosl::parameterized(&body).unwrap(), 66).unwrap();
    assert_eq!(hits["searchRecords"][0]["Name"], "Us");
    let pair = |n: &str, v: &str| (n.to_owned(), v.to_owned());
    let query = [
        pair("q", "4155550134"),
        pair("Contact.fields", "Id,Name"),
        pair("sobject", "Contact"),
        pair("in", "PHONE"),
    ];
    let hits = sosl::run(&org, &sosl::parameterized(&sosl::from_query(&query)).unwrap(), 66).unwrap();
    assert_eq!(hits["searchRecords"][0]["Name"], "Us");
    assert_eq!(
        sosl::parameterized(&json!({"q": "abc", "defaultLimit": 5})).unwrap_err().code,
        "MALFORMED_SEARCH"
    );
}

#[test]
fn upsert_creates_updates_and_stops_at_several() {
    let mut org = org();
    let case = org.schema.path("Case").unwrap().clone();
    let body = json!({"Subject": "One"});
    let body = body.as_object().unwrap();
    let upsert = |org: &mut Org, key: &str, body: &serde_json::Map<String, Value>, only| {
        org.upsert(&case, "Tieline_Key__c", key, body, &writer(), only)
    };
    let Upserted::Created(id) = upsert(&mut org, "key-1", body, false).unwrap() else {
        panic!("not created")
    };
    assert_eq!(upsert(&mut org, "KEY-1", body, false).unwrap(), Upserted::Updated(id.clone()));
    assert_eq!(upsert(&mut org, "key-2", body, true).unwrap_err().status, 404);
    let repeated = json!({"Subject": "x", "Tieline_Key__c": "key-1"});
    let refused = upsert(&mut org, "key-1", repeated.as_object().unwrap(), false).unwrap_err();
    assert_eq!((refused.status, refused.code), (400, "INVALID_FIELD"));
    let error = insert(&mut org, "Case", json!({"Tieline_Key__c": "key-1"})).unwrap_err();
    assert_eq!(error.code, "DUPLICATE_VALUE");
    assert_eq!(
        error.message,
        format!("duplicate value found: Tieline_Key__c duplicates value on record with id: {id}")
    );
    assert_eq!(error.body()[0]["fields"], json!([]));
    org.switches.key_unique = false;
    org.apply_switches();
    insert(&mut org, "Case", json!({"Tieline_Key__c": "key-1"})).unwrap();
    let case = org.schema.path("Case").unwrap().clone();
    let several = org.upsert(&case, "Tieline_Key__c", "key-1", body, &writer(), false).unwrap();
    assert!(matches!(several, Upserted::Several(ids) if ids.len() == 2));
    let unknown = org.upsert(&case, "Subject", "x", body, &writer(), false).unwrap_err();
    assert_eq!((unknown.status, unknown.code), (404, "NOT_FOUND"));
    assert!(unknown.message.ends_with(": Subject"));
}

#[test]
fn rules_are_kept() {
    let mut org = org();
    let code = |r: super::error::Result<String>| r.unwrap_err().code;
    assert_eq!(code(insert(&mut org, "Case", json!({"Subject": "x".repeat(256)}))), "STRING_TOO_LONG");
    assert_eq!(
        code(insert(&mut org, "Case", json!({"Status": "Sleeping"}))),
        "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"
    );
    assert_eq!(code(insert(&mut org, "Case", json!({"Nope": 1}))), "INVALID_FIELD");
    assert_eq!(code(insert(&mut org, "Case", json!({"CaseNumber": "1"}))), "INVALID_FIELD_FOR_INSERT_UPDATE");
    assert_eq!(code(insert(&mut org, "Case", json!({"ContactId": "nonsense"}))), "MALFORMED_ID");
    assert_eq!(
        code(insert(&mut org, "Case", json!({"ContactId": super::ids::mint("003", 999_999)}))),
        "INVALID_CROSS_REFERENCE_KEY"
    );
    assert_eq!(
        code(insert(&mut org, "Case", json!({"ContactId": super::ids::mint("001", 2)}))),
        "FIELD_INTEGRITY_EXCEPTION"
    );
    assert_eq!(code(insert(&mut org, "Contact", json!({"FirstName": "x"}))), "REQUIRED_FIELD_MISSING");
    assert_eq!(
        code(insert(&mut org, "Contact", json!({"LastName": "x", "Email": "not mail"}))),
        "INVALID_EMAIL_ADDRESS"
    );
    assert_eq!(code(insert(&mut org, "Task", json!({"Subject": "x"}))), "REQUIRED_FIELD_MISSING");
    assert_eq!(
        code(insert(&mut org, "Task", json!({"Status": "Completed", "Description": "x".repeat(32_001)}))),
        "MAX_TASK_DESCRIPTION_EXCEEEDED"
    );
    let case = insert(&mut org, "Case", json!({"SuppliedName": "Grace"})).unwrap();
    let lead = insert(&mut org, "Lead", json!({"LastName": "L", "Company": "C"})).unwrap();
    assert_eq!(
        code(insert(&mut org, "Task", json!({"Status": "Completed", "WhoId": lead, "WhatId": case}))),
        "FIELD_INTEGRITY_EXCEPTION"
    );
    let refused = update(&mut org, &case, json!({"SuppliedName": "Other"}), &writer()).unwrap_err();
    assert_eq!(refused.code, "INVALID_FIELD_FOR_INSERT_UPDATE");
    let task = insert(&mut org, "Task", json!({"Status": "Completed", "TaskSubtype": "Call"})).unwrap();
    assert!(update(&mut org, &task, json!({"TaskSubtype": "Email"}), &writer()).is_err());
}

#[test]
fn a_comment_counts_its_bytes_after_encoding() {
    let mut org = org();
    let case = insert(&mut org, "Case", json!({})).unwrap();
    let mut comment =
        |text: String| insert(&mut org, "CaseComment", json!({"ParentId": case, "CommentBody": text}));
    assert!(comment("&".repeat(800)).is_ok());
    assert_eq!(comment("&".repeat(801)).unwrap_err().code, "STRING_TOO_LONG");
    assert!(comment("é".repeat(2_000)).is_ok());
    assert_eq!(comment("é".repeat(2_001)).unwrap_err().code, "STRING_TOO_LONG");
}

#[test]
fn the_assignment_rule_takes_a_case_from_its_agent_unless_told_not_to() {
    let mut org = org();
    let agent = super::ids::mint("005", 77);
    user(&mut org, &agent);
    let case = insert(&mut org, "Case", json!({"OwnerId": agent})).unwrap();
    assert_eq!(org.text(&case, "OwnerId"), Some(agent.as_str()));
    update(&mut org, &case, json!({"Subject": "a"}), &writer()).unwrap();
    assert_eq!(org.text(&case, "OwnerId"), Some(agent.as_str()));
    update(&mut org, &case, json!({"Subject": "b"}), &Writer { auto_assign: true, ..writer() }).unwrap();
    assert_eq!(org.text(&case, "OwnerId"), Some(org.queue.as_str()));
}

#[test]
fn comments_on_a_case_is_write_only_and_makes_one_comment_each_time() {
    let mut org = org();
    let case = insert(&mut org, "Case", json!({"Comments": "first"})).unwrap();
    update(&mut org, &case, json!({"Comments": "second"}), &writer()).unwrap();
    update(&mut org, &case, json!({"Subject": "no comment"}), &writer()).unwrap();
    assert_eq!(org.live("CaseComment").count(), 2);
    assert!(!org.fields(&case).unwrap().contains_key("Comments"));
}

#[test]
fn a_file_gets_its_document_and_its_links() {
    let mut org = org();
    let case = insert(&mut org, "Case", json!({})).unwrap();
    let id = insert(
        &mut org,
        "ContentVersion",
        json!({"PathOnClient": "chat-1.txt", "VersionData": "aGVsbG8=", "FirstPublishLocationId": case}),
    )
    .unwrap();
    assert_eq!(org.blob(&id).unwrap().as_ref(), b"hello");
    let document = org.text(&id, "ContentDocumentId").unwrap().to_owned();
    assert_eq!(org.live("ContentDocumentLink").count(), 2);
    insert(
        &mut org,
        "ContentVersion",
        json!({"PathOnClient": "chat-1.txt", "VersionData": "aGVsbG8h", "ContentDocumentId": document}),
    )
    .unwrap();
    let latest: Vec<&str> = org
        .live("ContentVersion")
        .filter(|r| r.fields["IsLatest"] == true)
        .map(|r| r.fields["VersionNumber"].as_str().unwrap())
        .collect();
    assert_eq!(latest, ["2"]);
}

#[test]
fn going_back_restores_records_and_keys() {
    let mut org = org();
    let kept = insert(&mut org, "Case", json!({"Tieline_Key__c": "kept"})).unwrap();
    let mark = org.savepoint();
    insert(&mut org, "Case", json!({"Tieline_Key__c": "gone"})).unwrap();
    update(&mut org, &kept, json!({"Tieline_Key__c": "moved"}), &writer()).unwrap();
    org.rollback_to(mark);
    let case = org.schema.path("Case").unwrap().clone();
    assert_eq!(org.by_key(&case, "Tieline_Key__c", "kept").unwrap(), [kept]);
    assert!(org.by_key(&case, "Tieline_Key__c", "gone").unwrap().is_empty());
    assert!(org.by_key(&case, "Tieline_Key__c", "moved").unwrap().is_empty());
}
