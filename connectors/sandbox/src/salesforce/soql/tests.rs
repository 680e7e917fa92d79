//! The parser, and what queries give on a small org.

use super::*;
use crate::salesforce::org::{Org, Writer};
use crate::salesforce::schema::{STANDARD, Schema};
use crate::salesforce::switches::Switches;
use serde_json::{Value, json};

fn org() -> Org {
    let mut schema = Schema::default();
    schema.add(STANDARD).unwrap();
    let mut org = Org::new(schema, Switches { assignment_rules: false, ..Switches::default() });
    let acme = insert(&mut org, "Account", json!({"Name": "Acme \\ Söhne"}));
    for (first, last, email, phone) in [
        ("Ann", "O'Hara", "Ann@acme.example", "(415) 555-0134"),
        ("Bo", "Under_score", "bo@acme.example", "+44 20 7946 0112"),
        ("Cy", "100% Real", "cy@other.example", "0664/5550 123"),
    ] {
        let account = if first == "Cy" { Value::Null } else { json!(acme) };
        insert(
            &mut org,
            "Contact",
            json!({"FirstName": first, "LastName": last, "Email": email, "Phone": phone, "AccountId": account}),
        );
    }
    org
}

fn insert(org: &mut Org, object: &str, fields: Value) -> String {
    let who = Writer { user: "005gK0000000001AAA".into(), auto_assign: false, allow_duplicates: true };
    let object = org.schema.path(object).unwrap().clone();
    org.insert(&object, fields.as_object().unwrap(), &who).unwrap()
}

fn names(query: &str) -> Vec<String> {
    let org = org();
    let (_, rows) = run(&org, &parse(query).unwrap(), 66, false).unwrap();
    rows.iter().map(|r| r["FirstName"].as_str().unwrap().to_owned()).collect()
}

fn refused(query: &str) -> (&'static str, String) {
    let org = org();
    let error = parse(query).and_then(|q| run(&org, &q, 66, false)).unwrap_err();
    (error.code, error.message)
}

#[test]
fn escapes_are_those_of_soql_and_like_keeps_its_own() {
    assert_eq!(names(r"SELECT FirstName FROM Contact WHERE LastName = 'O\'Hara'"), ["Ann"]);
    assert_eq!(
        names(r"SELECT FirstName FROM Contact WHERE Account.Name = 'Acme \\ Söhne' ORDER BY FirstName"),
        ["Ann", "Bo"]
    );
    assert_eq!(names(r"SELECT FirstName FROM Contact WHERE LastName LIKE '%\_%'"), ["Bo"]);
    assert_eq!(names(r"SELECT FirstName FROM Contact WHERE LastName LIKE '100\%%'"), ["Cy"]);
    assert_eq!(names(r"SELECT FirstName FROM Contact WHERE FirstName LIKE '_o'"), ["Bo"]);
    assert_eq!(refused(r"SELECT Id FROM Contact WHERE LastName = 'a\qb'").0, "MALFORMED_QUERY");
    assert_eq!(refused("SELECT Id FROM Contact WHERE LastName = 'open").0, "MALFORMED_QUERY");
}

#[test]
fn a_quote_in_a_value_cannot_widen_a_query() {
    let hostile = r"SELECT FirstName FROM Contact WHERE Email = 'x\' OR Name LIKE \'%'";
    assert!(names(hostile).is_empty());
}

#[test]
fn comparison_of_text_ignores_case_and_ids_take_both_lengths() {
    assert_eq!(names("SELECT FirstName FROM Contact WHERE Email = 'ANN@ACME.EXAMPLE'"), ["Ann"]);
    let org = org();
    let (_, rows) =
        run(&org, &parse("SELECT Id FROM Contact ORDER BY FirstName LIMIT 1").unwrap(), 66, false).unwrap();
    let id = rows[0]["Id"].as_str().unwrap();
    let short = format!("SELECT FirstName FROM Contact WHERE Id IN ('{}')", &id[..15]);
    let (n, _) = run(&org, &parse(&short).unwrap(), 66, false).unwrap();
    assert_eq!(n, 1);
}

#[test]
fn and_or_not_in_null_and_dates() {
    assert_eq!(names("SELECT FirstName FROM Contact WHERE AccountId = null"), ["Cy"]);
    assert_eq!(
        names(
            "SELECT FirstName FROM Contact WHERE AccountId != null AND (FirstName = 'Ann' OR FirstName = 'Cy')"
        ),
        ["Ann"]
    );
    assert_eq!(names("SELECT FirstName FROM Contact WHERE NOT FirstName IN ('Ann','Bo')"), ["Cy"]);
    assert_eq!(
        names("SELECT FirstName FROM Contact WHERE FirstName NOT IN ('Ann') ORDER BY FirstName DESC"),
        ["Cy", "Bo"]
    );
    assert_eq!(names("SELECT FirstName FROM Contact WHERE CreatedDate = TODAY").len(), 3);
    assert_eq!(names("SELECT FirstName FROM Contact WHERE CreatedDate > 2020-01-01T00:00:00+02:00").len(), 3);
    assert!(names("SELECT FirstName FROM Contact WHERE CreatedDate < LAST_N_DAYS:3").is_empty());
    assert_eq!(
        names(
            "SELECT FirstName FROM Contact WHERE AccountId IN (SELECT Id FROM Account WHERE Name LIKE 'acme%') ORDER BY FirstName"
        ),
        ["Ann", "Bo"]
    );
}

#[test]
fn and_mixed_with_or_needs_parentheses() {
    let (code, message) = refused("SELECT Id FROM Contact WHERE Email = 'a' AND Phone = 'b' OR Phone = 'c'");
    assert_eq!(code, "MALFORMED_QUERY");
    assert!(
        message.contains("unexpected token: 'OR'") && message.contains("ERROR at Row:1:Column:"),
        "{message}"
    );
}

#[test]
fn nesting_has_an_end() {
    for deep in [format!("{}Name = 'x'", "NOT ".repeat(3_000)), format!("{}Name = 'x'", "(".repeat(3_000))] {
        assert_eq!(refused(&format!("SELECT Id FROM Contact WHERE {deep}")).0, "MALFORMED_QUERY");
    }
}

#[test]
fn errors_name_what_is_wrong() {
    let (code, message) = refused("SELECT Id, Nope FROM Contact");
    assert_eq!(code, "INVALID_FIELD");
    assert!(message.contains("No such column 'Nope' on entity 'Contact'"), "{message}");
    assert_eq!(refused("SELECT Id FROM Contakt").0, "INVALID_TYPE");
    assert_eq!(refused("SELECT Id FROM").0, "MALFORMED_QUERY");
    assert_eq!(refused("SELECT Id FROM Contact LIMIT x").0, "MALFORMED_QUERY");
    assert!(refused("SELECT Id FROM Case WHERE Description = 'x'").1.contains("can not be filtered"));
    assert!(
        refused("SELECT Id FROM Contact WHERE CreatedDate = '2026-01-01'")
            .1
            .contains("should not be enclosed")
    );
    assert!(
        refused("SELECT Id FROM Contact WHERE Phone = 4155550134").1.contains("should be enclosed in quotes")
    );
    assert!(
        refused("SELECT Nothing.Name FROM Contact").1.contains("Didn't understand relationship 'Nothing'")
    );
    assert_eq!(refused("SELECT Id FROM ContentDocumentLink").0, "MALFORMED_QUERY");
}

#[test]
fn rows_carry_attributes_and_nested_relationships() {
    let org = org();
    let query = parse(
        "SELECT Id, Account.Name, Phone FROM Contact WHERE FirstName IN ('Ann','Cy') ORDER BY FirstName",
    )
    .unwrap();
    let (total, rows) = run(&org, &query, 66, false).unwrap();
    assert_eq!(total, 2);
    assert_eq!(rows[0]["attributes"]["type"], "Contact");
    let url = rows[0]["attributes"]["url"].as_str().unwrap();
    assert_eq!(url, format!("/services/data/v66.0/sobjects/Contact/{}", rows[0]["Id"].as_str().unwrap()));
    assert_eq!(rows[0]["Account"]["Name"], "Acme \\ Söhne");
    assert_eq!(rows[0]["Account"]["attributes"]["type"], "Account");
    assert_eq!(rows[1]["Account"], Value::Null);
}

#[test]
fn count_gives_the_number_and_no_rows() {
    let org = org();
    let (n, rows) = run(&org, &parse("SELECT COUNT() FROM Contact").unwrap(), 66, false).unwrap();
    assert_eq!((n, rows.len()), (3, 0));
}

#[test]
fn moments_are_read_in_all_the_forms_the_api_takes() {
    let at = moment("2026-11-20T09:00:00Z").unwrap();
    for text in ["2026-11-20T09:00:00.000+0000", "2026-11-20T10:00:00+01:00", "2026-11-20T04:00:00-05:00"] {
        assert_eq!(moment(text), Some(at), "{text}");
    }
    assert_eq!(moment("2026-13-01T00:00:00Z"), None);
    assert_eq!(moment("yesterday"), None);
}
