//! Login, requests and cases against the sandbox: what is Salesforce's own and not in the conformance kit.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::Duration;
use support::{Org, WallClock, case, contact, key, log};
use tieline_connector_api::connector::NewContact;
use tieline_connector_api::ledger::MemoryLedger;
use tieline_connector_api::sandbox::{Fault, Sandbox as _};
use tieline_connector_api::{Connector, Failure, Finding, Known, Severity};
use tieline_model::content::Person;
use tieline_model::crm::{CallDetails, Channel, Query};
use tieline_model::{Clock, Millis};
use tieline_salesforce::Salesforce;
use tieline_sandbox::admin::Admin as _;
use tieline_sandbox::faults::{Any, Special};
use tieline_sandbox::keys::AppKey;
use tieline_sandbox::salesforce::Options;

fn by_email(email: &str) -> Query {
    Query { email: Some(email.into()), ..Query::default() }
}

fn served(org: &Org, what: &str) -> usize {
    org.sandbox().served().latest().iter().filter(|s| s.path.contains(what)).count()
}

fn special(org: &Org, fault: Special, times: u32) {
    org.sandbox().faults().inject(Any::Special(fault), times);
}

async fn set(org: &Org, name: &str, value: Value) {
    let changes: Map<String, Value> = [(name.to_owned(), value)].into_iter().collect();
    org.sandbox().set_switches(changes).await.unwrap();
}

fn reauthorise(failure: Failure) -> String {
    let Failure::Reauthorise { reason } = failure else { panic!("not Reauthorise: {failure:?}") };
    reason
}

// ---------------------------------------------------------------- login

#[tokio::test]
async fn one_token_serves_many_requests_and_many_tasks() {
    let org = Org::plain().await;
    let connector = Arc::new(org.connect());
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let connector = connector.clone();
        tasks.spawn(async move { connector.find(&by_email("nobody@example.org")).await });
    }
    while let Some(found) = tasks.join_next().await {
        found.unwrap().unwrap();
    }
    assert_eq!(served(&org, "oauth2/token"), 1);
    org.sandbox().kill_tokens().await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let connector = connector.clone();
        tasks.spawn(async move { connector.find(&by_email("nobody@example.org")).await });
    }
    while let Some(found) = tasks.join_next().await {
        found.unwrap().unwrap();
    }
    assert_eq!(served(&org, "oauth2/token"), 2);
}

#[tokio::test]
async fn a_wrong_audience_is_tried_the_other_way_once() {
    let org = Org::plain().await;
    let connector = org.connect_with(json!({ "audience": "https://elsewhere.example" }));
    connector.find(&by_email("nobody@example.org")).await.unwrap();
    assert_eq!(served(&org, "oauth2/token"), 2);
    // What worked is asked the next time.
    org.sandbox().kill_tokens().await;
    connector.find(&by_email("nobody@example.org")).await.unwrap();
    assert_eq!(served(&org, "oauth2/token"), 3);
}

#[tokio::test]
async fn a_clock_that_is_wrong_does_not_keep_us_out_and_is_said() {
    let org = Org::plain().await;
    let connector = org.connect_at(json!({}), -1_000);
    connector.find(&by_email("nobody@example.org")).await.unwrap();
    let findings = connector.check().await.unwrap();
    let clock = findings.iter().find(|f| f.what == "clock").unwrap();
    assert_eq!(clock.severity, Severity::Error);
    assert!(clock.says.contains("s behind Salesforce's"), "{}", clock.says);
}

// proves D8
#[tokio::test]
async fn refused_logins_say_what_an_administrator_must_do() {
    let org = Org::plain().await;
    let other = AppKey::generate().unwrap();
    for (changes, says) in [
        (json!({ "consumer_key": "unknown" }), "`consumer_key`"),
        (json!({ "username": "nobody@acme.example" }), "Salesforce refused the login"),
        (json!({ "private_key": other.private_pem }), "certificate"),
    ] {
        let failure = org.connect_with(changes.clone()).find(&by_email("a@example.org")).await.unwrap_err();
        let reason = reauthorise(failure);
        assert!(reason.contains(says), "{changes}: {reason}");
    }
    for (error, description, says) in [
        ("invalid_grant", "user hasn't approved this consumer", "pre-authorised"),
        ("invalid_grant", "audience is invalid", "`audience`"),
        ("invalid_grant", "invalid assertion", "certificate"),
        ("invalid_grant", "expired authorization code", "clock"),
        ("invalid_grant", "request not supported on this domain", "My Domain"),
        ("invalid_grant", "authentication failure", "`username`"),
        ("invalid_grant", "inactive user", "activate"),
        ("invalid_client_id", "client identifier invalid", "ten minutes"),
        ("invalid_app_access", "user is not admin approved to access this app", "permission set"),
        ("unsupported_grant_type", "grant type not supported", "JWT bearer"),
        ("invalid_grant", "ip restricted", "address"),
    ] {
        let fault = Special::TokenRefused { error: error.into(), description: description.into() };
        special(&org, fault, 10);
        let failure = org.connect().find(&by_email("a@example.org")).await.unwrap_err();
        org.sandbox().clear_faults().await;
        let reason = reauthorise(failure);
        assert!(reason.contains(says), "{description}: {reason}");
    }
}

#[tokio::test]
async fn a_refused_login_is_not_hammered() {
    let org = Org::plain().await;
    let connector = org.connect_with(json!({ "consumer_key": "unknown" }));
    for _ in 0..10 {
        reauthorise(connector.find(&by_email("a@example.org")).await.unwrap_err());
    }
    assert_eq!(served(&org, "oauth2/token"), 1);
}

#[tokio::test]
async fn too_many_logins_are_waited_out() {
    let org = Org::plain().await;
    let fault = Special::TokenRefused {
        error: "rate_limit_exceeded".into(),
        description: "login rate exceeded".into(),
    };
    special(&org, fault, 1);
    let failure = org.connect().find(&by_email("a@example.org")).await.unwrap_err();
    assert!(matches!(failure, Failure::Throttled { until: Some(_), .. }), "{failure:?}");
}

#[tokio::test]
async fn an_unreachable_org_is_tried_again_later() {
    let org = Org::plain().await;
    let connector = org.connect();
    org.running.stop();
    let failure = connector.find(&by_email("a@example.org")).await.unwrap_err();
    assert!(matches!(failure, Failure::Retry { known: Known::NotDone, .. }), "{failure:?}");
}

#[tokio::test]
async fn a_stranger_with_the_orgs_name_is_not_spoken_to() {
    let org = Org::start(Options { tls: true, contacts: 0, ..Options::demo(key()) }).await;
    let limits =
        tieline_connector_api::client::Limits { extra_ca_pem: None, ..org.limits(Duration::from_secs(5)) };
    let connector = Salesforce::new(org.settings(json!({})), Arc::new(WallClock(0)), limits).unwrap();
    let failure = connector.find(&by_email("a@example.org")).await.unwrap_err();
    assert!(matches!(failure, Failure::Retry { .. }), "{failure:?}");
    assert_eq!(org.sandbox().requests().await, 0);
}

// ---------------------------------------------------------------- requests

// proves D8, D13
#[tokio::test]
async fn answers_that_fail_are_sorted_by_who_must_act_when() {
    let org = Org::plain().await;
    let connector = org.connect();
    connector.find(&by_email("a@example.org")).await.unwrap();
    let now = WallClock(0).now();

    special(&org, Special::DailyLimit, 1);
    let failure = connector.find(&by_email("a@example.org")).await.unwrap_err();
    assert!(
        matches!(failure, Failure::Throttled { until: Some(until), .. } if until > now + Millis::secs(600)),
        "{failure:?}"
    );

    org.sandbox().inject(Fault::Limited { retry_after_s: Some(7) }, 1).await;
    let failure = connector.find(&by_email("a@example.org")).await.unwrap_err();
    assert!(
        matches!(failure, Failure::Throttled { until: Some(until), .. } if until < now + Millis::secs(60)),
        "{failure:?}"
    );

    special(&org, Special::HtmlGateway { status: 502 }, 1);
    let failure = connector.upsert_log(&log(), &mut MemoryLedger::default()).await.unwrap_err();
    assert!(matches!(failure, Failure::Retry { known: Known::Unknown, .. }), "{failure:?}");

    special(&org, Special::QueryTimeout, 1);
    let failure = connector.find(&by_email("a@example.org")).await.unwrap_err();
    assert!(matches!(failure, Failure::Retry { .. }), "{failure:?}");

    special(&org, Special::SessionNotValid, 5);
    let (before, logins) = (org.sandbox().requests().await, served(&org, "oauth2/token"));
    reauthorise(connector.find(&by_email("a@example.org")).await.unwrap_err());
    assert_eq!(org.sandbox().requests().await - before, 1, "a token that is refused for good is not renewed");
    assert_eq!(served(&org, "oauth2/token"), logins);
}

// proves D13
#[tokio::test]
async fn what_is_left_of_the_daily_requests_is_kept() {
    let org = Org::plain().await;
    let connector = org.connect();
    assert_eq!(connector.usage(), None);
    connector.find(&by_email("a@example.org")).await.unwrap();
    let usage = connector.usage().unwrap();
    assert_eq!(usage.max, 15_000);
    connector.find(&by_email("a@example.org")).await.unwrap();
    assert_eq!(connector.usage().unwrap().used, usage.used + 1);
}

#[tokio::test]
async fn a_chat_of_a_known_contact_costs_three_requests() {
    let org = Org::plain().await;
    let connector = org.connect();
    let id = org.sandbox().add_contact("Ada Kit", Some("ada.calls@example.org"), None).await;
    connector.find(&by_email("ada.calls@example.org")).await.unwrap();
    let before = connector.requests();
    let mut log = log();
    log.contact = Some(contact(&id));
    let mut ledger = MemoryLedger::default();
    let saved = connector.upsert_log(&log, &mut ledger).await.unwrap();
    assert_eq!(connector.requests() - before, 3, "case, file, case number");
    assert!(saved.label.starts_with("Case 0"), "{}", saved.label);
    // Later facts: one read, one write.
    log.version += 1;
    log.codes.push("refund".into());
    connector.upsert_log(&log, &mut ledger).await.unwrap();
    assert_eq!(connector.requests() - before, 5);
    // The ledger holds no word of what was said.
    let kept = serde_json::to_string(&ledger.0).unwrap();
    assert!(!kept.contains("Hello") && !kept.contains("Lovelace"), "{kept}");
}

// ---------------------------------------------------------------- cases

// proves D6
#[tokio::test]
async fn an_agents_case_is_not_taken_away_by_assignment_rules() {
    let org = Org::plain().await;
    let connector = org.connect_with(json!({ "case": { "assign": true, "status": "New" } }));
    let mut log = log();
    let mut ledger = MemoryLedger::default();
    let saved = connector.upsert_log(&log, &mut ledger).await.unwrap();
    let id = saved.record.id.as_str();
    let owner = |record: Value| record["OwnerId"].as_str().unwrap().to_owned();
    let first = owner(org.sandbox().record(id).await.unwrap());
    assert!(first.starts_with("00G"), "the rules give a new case to a queue: {first}");
    let agent = org.sandbox().record(id).await.unwrap()["CreatedById"].as_str().unwrap().to_owned();
    org.sandbox().edit(id, "OwnerId", json!(agent)).await;
    org.sandbox().edit(id, "Status", json!("Working")).await;
    log.version += 1;
    log.codes = vec!["newest".into()];
    connector.upsert_log(&log, &mut ledger).await.unwrap();
    let record = org.sandbox().record(id).await.unwrap();
    assert_eq!(owner(record.clone()), agent);
    assert_eq!(record["Status"], "Working");
    assert!(record["Description"].as_str().unwrap().contains("newest"));
}

// proves D10
#[tokio::test]
async fn a_merged_contact_is_followed() {
    let org = Org::plain().await;
    let winner = org.sandbox().add_contact("Ada Kit", Some("winner@example.org"), None).await;
    let loser = org.sandbox().add_contact("Ada Kitt", Some("loser@example.org"), None).await;
    org.sandbox().merge(&winner, &loser).await.unwrap();
    let mut log = log();
    log.contact = Some(contact(&loser));
    let saved = org.connect().upsert_log(&log, &mut MemoryLedger::default()).await.unwrap();
    let record = org.sandbox().record(saved.record.id.as_str()).await.unwrap();
    assert_eq!(record["ContactId"].as_str(), Some(winner.as_str()));
}

fn call() -> tieline_model::crm::Log {
    let mut log = log();
    log.channel = Channel::Call;
    log.transcript.clear();
    log.call = Some(CallDetails { number: Some("+442079460000".into()), ..CallDetails::default() });
    log
}

async fn user(org: &Org, username: &str) -> String {
    let found = org.sandbox().users().into_iter().find(|(name, _)| name.starts_with(username));
    found.unwrap().1
}

// proves E4
#[tokio::test]
async fn a_record_belongs_to_the_agent_who_talked_where_that_can_be() {
    let org = Org::plain().await;
    let connector = org.connect();
    let (agent, gone) = (user(&org, "agent.alma").await, user(&org, "inactive").await);
    let integration = user(&org, "integration").await;
    for make in [log, call] {
        for (crm_user, owner) in [
            (Some(agent.clone()), &agent),
            (Some(gone.clone()), &integration),
            (Some("005000000009999AAA".to_owned()), &integration),
            (Some("alma".to_owned()), &integration),
            (None, &integration),
        ] {
            let log = tieline_model::crm::Log { crm_user: crm_user.clone(), ..make() };
            let mut ledger = MemoryLedger::default();
            let saved = connector.upsert_log(&log, &mut ledger).await.unwrap();
            let record = org.sandbox().record(saved.record.id.as_str()).await.unwrap();
            assert_eq!(record["OwnerId"].as_str(), Some(owner.as_str()), "{crm_user:?}");
            // Whoever has it then keeps it.
            org.sandbox().edit(saved.record.id.as_str(), "OwnerId", json!(integration)).await;
            let later = tieline_model::crm::Log { version: 9, codes: vec!["later".into()], ..log };
            connector.upsert_log(&later, &mut ledger).await.unwrap();
            let record = org.sandbox().record(saved.record.id.as_str()).await.unwrap();
            assert_eq!(record["OwnerId"].as_str(), Some(integration.as_str()));
        }
    }
}

// proves E4
#[tokio::test]
async fn a_call_costs_one_request_and_its_task_stands_in_the_history() {
    let org = Org::plain().await;
    let connector = org.connect();
    let ada = contact(&org.sandbox().add_contact("Ada Kit", Some("ada.rings@example.org"), None).await);
    connector.find(&by_email("ada.rings@example.org")).await.unwrap();
    let before = connector.requests();
    let log = tieline_model::crm::Log { contact: Some(ada.clone()), ..call() };
    let saved = connector.upsert_log(&log, &mut MemoryLedger::default()).await.unwrap();
    assert_eq!(connector.requests() - before, 1);
    assert_eq!((saved.record.object.as_str(), saved.label.as_str()), ("Task", "Task"));
    let history = connector.history(&ada, 10).await.unwrap();
    let seen: Vec<_> = history.iter().map(|h| (h.record.clone(), h.status.clone())).collect();
    assert_eq!(seen, [(saved.record, Some("Answered".to_owned()))]);
}

// proves D10, E4
#[tokio::test]
async fn a_call_follows_a_merged_contact_and_refuses_a_deleted_task() {
    let org = Org::plain().await;
    let connector = org.connect();
    let winner = org.sandbox().add_contact("Ada Kit", Some("winner@example.org"), None).await;
    let loser = org.sandbox().add_contact("Ada Kitt", Some("loser@example.org"), None).await;
    org.sandbox().merge(&winner, &loser).await.unwrap();
    let mut log = tieline_model::crm::Log { contact: Some(contact(&loser)), ..call() };
    let mut ledger = MemoryLedger::default();
    let saved = connector.upsert_log(&log, &mut ledger).await.unwrap();
    let record = org.sandbox().record(saved.record.id.as_str()).await.unwrap();
    assert_eq!(record["WhoId"].as_str(), Some(winner.as_str()));
    connector.erase(&log.key()).await.unwrap();
    log.version += 1;
    log.codes = vec!["later".into()];
    let failure = connector.upsert_log(&log, &mut ledger).await.unwrap_err();
    assert!(matches!(&failure, Failure::Reject { reason, .. } if reason.contains("restore")), "{failure:?}");
}

// proves D6
#[tokio::test]
async fn a_case_linked_afterwards_becomes_the_parent_of_ours() {
    let org = Org::plain().await;
    let connector = org.connect();
    let host = connector.upsert_log(&log(), &mut MemoryLedger::default()).await.unwrap();
    let mut log = log();
    let mut ledger = MemoryLedger::default();
    let own = connector.upsert_log(&log, &mut ledger).await.unwrap();
    log.case = Some(host.record.clone());
    log.version += 1;
    let again = connector.upsert_log(&log, &mut ledger).await.unwrap();
    assert_eq!(again.record, own.record);
    let record = org.sandbox().record(own.record.id.as_str()).await.unwrap();
    assert_eq!(record["ParentId"].as_str(), Some(host.record.id.as_str()));
}

// proves D6
#[tokio::test]
async fn a_log_moves_when_another_case_is_named() {
    let org = Org::plain().await;
    let connector = org.connect();
    let first = connector.upsert_log(&log(), &mut MemoryLedger::default()).await.unwrap();
    let second = connector.upsert_log(&log(), &mut MemoryLedger::default()).await.unwrap();
    let mut log = log();
    let mut ledger = MemoryLedger::default();
    for (version, host, other) in [(1, &first, &second), (2, &second, &first), (3, &second, &first)] {
        log.version = version;
        log.case = Some(host.record.clone());
        let saved = connector.upsert_log(&log, &mut ledger).await.unwrap();
        assert_eq!((saved.record, saved.label), (host.record.clone(), host.label.clone()));
        let name = format!("chat-{}.txt", log.key());
        let records = org.sandbox().log_records().await;
        let lies = |id: &str| {
            let record = records.iter().find(|r| r.id == id).unwrap();
            record.attachments.iter().filter(|(n, _)| *n == name).count()
        };
        assert_eq!(lies(host.record.id.as_str()), 1, "version {version}");
        assert_eq!(lies(other.record.id.as_str()), 0, "version {version}");
    }
}

// proves D10
#[tokio::test]
async fn a_named_case_that_is_gone_gets_the_log_a_case_of_its_own() {
    let org = Org::plain().await;
    let connector = org.connect();
    let mut log = log();
    log.case = Some(case("500000000009999AAA"));
    let saved = connector.upsert_log(&log, &mut MemoryLedger::default()).await.unwrap();
    let record = org.sandbox().record(saved.record.id.as_str()).await.unwrap();
    assert_eq!(record["Tieline_Key__c"].as_str(), Some(log.key().as_str()));
}

// proves D9
#[tokio::test]
async fn what_can_never_succeed_is_refused_with_its_field_and_without_its_value() {
    let org = Org::plain().await;
    for (changes, code, says) in [
        (json!({ "case": { "status": "Nonsense" } }), "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", "Status"),
        (json!({ "case": { "fields": { "Nothing__c": "{customer}" } } }), "INVALID_FIELD", "Nothing__c"),
        (
            json!({ "case": { "fields": { "EngineeringReqNumber__c": "{customer} of Sales" } } }),
            "STRING_TOO_LONG",
            "EngineeringReqNumber__c",
        ),
        (json!({ "key_field": "Nothing__c" }), "NOT_FOUND", "key field"),
    ] {
        let failure = org
            .connect_with(changes.clone())
            .upsert_log(&log(), &mut MemoryLedger::default())
            .await
            .unwrap_err();
        let Failure::Reject { code: Some(got), reason } = failure else { panic!("{changes}: {failure:?}") };
        assert_eq!(got, code, "{changes}");
        assert!(reason.contains(says) && !reason.contains("Lovelace"), "{changes}: {reason}");
    }
}

#[tokio::test]
async fn a_key_field_that_is_not_unique_is_seen_before_and_after() {
    let org = Org::plain().await;
    let connector = org.connect();
    let (log, mut ledger) = (log(), MemoryLedger::default());
    connector.upsert_log(&log, &mut ledger).await.unwrap();
    let other = connector.upsert_log(&support::log(), &mut MemoryLedger::default()).await.unwrap();
    set(&org, "key_unique", json!(false)).await;
    let errors: Vec<Finding> =
        connector.check().await.unwrap().into_iter().filter(|f| f.severity == Severity::Error).collect();
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0].what.contains("Tieline_Key__c") && errors[0].says.contains("Unique"), "{errors:?}");
    org.sandbox().edit(other.record.id.as_str(), "Tieline_Key__c", json!(log.key())).await;
    let failure = connector.upsert_log(&log, &mut MemoryLedger::default()).await.unwrap_err();
    assert!(
        matches!(&failure, Failure::Reject { code: Some(code), .. } if code == "MULTIPLE_CHOICES"),
        "{failure:?}"
    );
}

#[tokio::test]
async fn check_says_what_is_missing() {
    let org = Org::plain().await;
    let changes = json!({
        "api_version": "66.0", "phone_fields": ["Phone", "Beeper__c"],
        "case": { "origin_chat": "Smoke", "status": "Nonsense", "fields": { "Nothing__c": "x" } },
    });
    let findings = org.connect_with(changes).check().await.unwrap();
    let worst = |what: &str| findings.iter().filter(|f| f.what.contains(what)).map(|f| f.severity).max();
    assert_eq!(worst("Case.Nothing__c"), Some(Severity::Error));
    assert_eq!(worst("Contact.Beeper__c"), Some(Severity::Error));
    assert_eq!(worst("\"Smoke\" of Case.Origin"), Some(Severity::Warning));
    assert_eq!(worst("\"Nonsense\" of Case.Status"), Some(Severity::Error));
    assert_eq!(worst("Case.Subject"), Some(Severity::Good));
    let old = org.connect_with(json!({ "api_version": "999.0" })).check().await.unwrap();
    assert!(old.iter().any(|f| f.what == "api_version" && f.severity == Severity::Error));
    let out = org.connect_with(json!({ "consumer_key": "unknown" })).check().await.unwrap();
    assert!(out.len() == 1 && out[0].what == "login" && out[0].severity == Severity::Error);
}

#[tokio::test]
async fn a_contact_that_a_duplicate_rule_stops_is_for_the_agent_to_choose() {
    let org = Org::plain().await;
    special(&org, Special::DuplicatesDetected, 1);
    let person = Person { name: Some("Ada Kit".into()), ..Person::default() };
    let new = NewContact { key: uuid::Uuid::new_v4().to_string(), person };
    let failure = org.connect().create_contact(&new).await.unwrap_err();
    assert!(
        matches!(&failure, Failure::Reject { code: Some(code), .. } if code == "DUPLICATES_DETECTED"),
        "{failure:?}"
    );
}

// proves D11
#[tokio::test]
async fn a_short_transcript_needs_no_file_where_that_is_set() {
    let org = Org::plain().await;
    let connector = org.connect_with(json!({ "case": { "transcript_file": "when_cut" } }));
    let before = connector.requests();
    let saved = connector.upsert_log(&log(), &mut MemoryLedger::default()).await.unwrap();
    assert_eq!(connector.requests() - before, 2);
    let records = org.sandbox().log_records().await;
    let record = records.iter().find(|r| r.id == saved.record.id.as_str()).unwrap();
    assert!(record.attachments.is_empty());
    assert!(record.fields["Description"].as_str().unwrap().contains("Good morning"));
}

// proves D10
#[tokio::test]
async fn a_reference_that_is_gone_is_left_out_and_the_sound_ones_are_kept() {
    let org = Org::plain().await;
    let connector = org.connect();
    let id = org.sandbox().add_contact("Ada Kit", Some("ada.sound@example.org"), None).await;
    let (mut log, mut ledger) = (log(), MemoryLedger::default());
    let saved = connector.upsert_log(&log, &mut ledger).await.unwrap();
    log.version += 1;
    log.contact = Some(contact(&id));
    log.case = Some(case("500000000009999AAA"));
    connector.upsert_log(&log, &mut ledger).await.unwrap();
    let record = org.sandbox().record(saved.record.id.as_str()).await.unwrap();
    assert_eq!(record["ContactId"].as_str(), Some(id.as_str()));
    assert!(record["ParentId"].is_null());
    // It is not tried again with every later fact, and the contact can be taken back.
    let before = connector.requests();
    connector.upsert_log(&log, &mut ledger).await.unwrap();
    assert_eq!(connector.requests(), before);
    log.version += 1;
    log.contact = None;
    connector.upsert_log(&log, &mut ledger).await.unwrap();
    assert!(org.sandbox().record(saved.record.id.as_str()).await.unwrap()["ContactId"].is_null());
}

// proves D9, D10
#[tokio::test]
async fn a_case_that_a_person_deleted_is_not_made_again() {
    let org = Org::plain().await;
    let connector = org.connect();
    let (mut log, mut ledger) = (log(), MemoryLedger::default());
    connector.upsert_log(&log, &mut ledger).await.unwrap();
    connector.erase(&log.key()).await.unwrap();
    log.version += 1;
    log.codes = vec!["newest".into()];
    let failure = connector.upsert_log(&log, &mut ledger).await.unwrap_err();
    assert!(
        matches!(&failure, Failure::Reject { code: Some(code), .. } if code == "ENTITY_IS_DELETED"),
        "{failure:?}"
    );
    let records = org.sandbox().log_records().await;
    assert!(!records.iter().any(|r| r.key == log.key()));
}
