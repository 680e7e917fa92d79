//! Login, requests, tickets, calls and pops against the sandbox: what is Zendesk's own and not in the conformance kit.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use async_trait::async_trait;
use serde_json::{Value, json};
use std::sync::Arc;
use support::{Account, bodies, call, log, ticket_record, user};
use tieline_connector_api::connector::NewContact;
use tieline_connector_api::ledger::MemoryLedger;
use tieline_connector_api::sandbox::{Fault, Sandbox as _};
use tieline_connector_api::{Connector, Failure, Known, Ledger, LedgerError, Progress, Severity};
use tieline_model::content::Person;
use tieline_model::crm::{PopTarget, Query};
use tieline_model::{Clock, Millis};
use tieline_sandbox::admin::Admin as _;
use tieline_sandbox::faults::{Any, Special};
use tieline_sandbox::zendesk::{API_TOKEN, APP_ID, OWNER, Options};
use tieline_zendesk::Zendesk;

fn by_email(email: &str) -> Query {
    Query { email: Some(email.into()), ..Query::default() }
}

fn special(account: &Account, fault: Special, times: u32) {
    account.sandbox().faults().inject(Any::Special(fault), times);
}

fn reauthorise(failure: Failure) -> String {
    let Failure::Reauthorise { reason } = failure else { panic!("not Reauthorise: {failure:?}") };
    reason
}

fn rejected(failure: Failure) -> (String, String) {
    let Failure::Reject { code, reason } = failure else { panic!("not Reject: {failure:?}") };
    (code.unwrap_or_default(), reason)
}

/// The id of the sandbox's administrator, who is an agent too.
async fn agent(account: &Account) -> String {
    let found = account.connect_with(json!({ "search": { "end_users_only": false } }));
    let found = found.find(&by_email(OWNER)).await.unwrap();
    found.found[0].record.id.to_string()
}

// ---------------------------------------------------------------- login

#[tokio::test]
async fn one_token_serves_many_requests_and_many_tasks() {
    let account = Account::plain().await;
    let connector = Arc::new(account.connect());
    for logins in 1..=2 {
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..20 {
            let connector = connector.clone();
            tasks.spawn(async move { connector.find(&by_email("nobody@example.org")).await });
        }
        while let Some(found) = tasks.join_next().await {
            found.unwrap().unwrap();
        }
        assert_eq!(account.served("oauth/tokens"), logins);
        account.sandbox().kill_tokens().await;
    }
}

#[tokio::test]
async fn a_token_is_renewed_before_it_ends() {
    let account = Account::plain().await;
    let connector = account.connect();
    connector.find(&by_email("nobody@example.org")).await.unwrap();
    account.clock.wind(1_700);
    connector.find(&by_email("nobody@example.org")).await.unwrap();
    assert_eq!(account.served("oauth/tokens"), 1, "half an hour is not over");
    account.clock.wind(60);
    connector.find(&by_email("nobody@example.org")).await.unwrap();
    assert_eq!(account.served("oauth/tokens"), 2);
    let refused = account.sandbox().served().latest().iter().filter(|s| s.status == Some(401)).count();
    assert_eq!(refused, 0, "no request went out with a dead token");
}

// proves D8
#[tokio::test]
async fn refused_logins_say_what_an_administrator_must_do() {
    let account = Account::plain().await;
    for (changes, says) in [
        (json!({ "client_id": "unknown" }), "`client_id`"),
        (json!({ "client_secret": "wrong" }), "`client_secret`"),
    ] {
        let failure =
            account.connect_with(changes.clone()).find(&by_email("a@example.org")).await.unwrap_err();
        let reason = reauthorise(failure);
        assert!(reason.contains(says) && !reason.contains("wrong"), "{changes}: {reason}");
    }
    for (error, says) in [
        ("invalid_scope", "`scope`"),
        ("unauthorized_client", "confidential"),
        ("unsupported_grant_type", "confidential"),
        ("invalid_grant", "suspended"),
        ("invalid_request", "`token_secs`"),
        ("something_new", "Admin Center"),
    ] {
        let fault = Special::TokenRefused { error: error.into(), description: "no".into() };
        special(&account, fault, 1);
        let failure = account.connect().find(&by_email("a@example.org")).await.unwrap_err();
        let reason = reauthorise(failure);
        assert!(reason.contains(says), "{error}: {reason}");
    }
}

#[tokio::test]
async fn a_refused_login_is_not_hammered() {
    let account = Account::plain().await;
    let connector = account.connect_with(json!({ "client_secret": "wrong" }));
    for _ in 0..10 {
        reauthorise(connector.find(&by_email("a@example.org")).await.unwrap_err());
    }
    assert_eq!(account.served("oauth/tokens"), 1);
}

#[tokio::test]
async fn a_legacy_api_token_works_with_a_warning_and_is_not_renewed() {
    let account = Account::plain().await;
    let legacy = json!({
        "client_id": null, "client_secret": null, "api_token": { "email": OWNER, "token": API_TOKEN },
    });
    let connector = account.connect_with(legacy);
    let findings = connector.check().await.unwrap();
    let warning = findings.iter().find(|f| f.what == "api_token").unwrap();
    assert_eq!(warning.severity, Severity::Warning);
    assert!(warning.says.contains("2027") && warning.says.contains("`client_id`"), "{}", warning.says);
    assert_eq!(account.served("oauth/tokens.json"), 0);
    account.set("api_tokens", json!(false)).await;
    let reason = reauthorise(connector.find(&by_email("a@example.org")).await.unwrap_err());
    assert!(reason.contains("OAuth client"), "{reason}");
}

// ---------------------------------------------------------------- check

#[tokio::test]
async fn check_says_what_is_missing() {
    let account = Account::plain().await;
    let worst = |findings: &[tieline_connector_api::Finding], what: &str| {
        findings.iter().filter(|f| f.what.contains(what)).map(|f| f.severity).max()
    };
    let changes = json!({ "ticket": { "custom_fields": { "4711": "{queue}" } }, "scope": "read" });
    let findings = account.connect_with(changes).check().await.unwrap();
    assert_eq!(worst(&findings, "custom_fields.4711"), Some(Severity::Error));
    assert_eq!(worst(&findings, "scope"), Some(Severity::Error));
    assert_eq!(worst(&findings, "login"), Some(Severity::Good));
    assert_eq!(worst(&findings, "request limit"), Some(Severity::Good));
    let out = account.connect_with(json!({ "client_secret": "wrong" })).check().await.unwrap();
    assert!(out.len() == 1 && out[0].what == "login" && out[0].severity == Severity::Error, "{out:?}");

    account.clock.wind(-300);
    let findings = account.connect().check().await.unwrap();
    let clock = findings.iter().find(|f| f.what == "clock").unwrap();
    assert!(clock.severity == Severity::Warning && clock.says.contains("behind"), "{}", clock.says);
    account.clock.wind(300);

    account.set("talk_partner", json!(false)).await;
    let findings = account.connect_with(json!({ "display": "talk_partner" })).check().await.unwrap();
    assert_eq!(worst(&findings, "Talk Partner"), Some(Severity::Error));
    account.set("account_per_minute", json!(10)).await;
    let findings = account.connect().check().await.unwrap();
    assert_eq!(worst(&findings, "request limit"), Some(Severity::Warning));
    assert_eq!(worst(&findings, "Talk Partner"), None, "nobody asks for it");
}

// ---------------------------------------------------------------- requests

// proves D8, D13
#[tokio::test]
async fn answers_that_fail_are_sorted_by_who_must_act_when() {
    let account = Account::plain().await;
    let connector = account.connect();
    connector.find(&by_email("a@example.org")).await.unwrap();
    let now = account.clock.now();

    account.sandbox().inject(Fault::Limited { retry_after_s: Some(7) }, 1).await;
    let failure = connector.find(&by_email("a@example.org")).await.unwrap_err();
    assert!(
        matches!(failure, Failure::Throttled { until: Some(until), .. } if until < now + Millis::secs(30)),
        "{failure:?}"
    );
    account.sandbox().inject(Fault::Limited { retry_after_s: None }, 1).await;
    let failure = connector.find(&by_email("a@example.org")).await.unwrap_err();
    assert!(
        matches!(failure, Failure::Throttled { until: Some(until), .. } if until >= now + Millis::secs(60)),
        "{failure:?}"
    );

    special(&account, Special::HtmlGateway { status: 503 }, 1);
    let failure = connector.upsert_log(&log(), &mut MemoryLedger::default()).await.unwrap_err();
    assert!(matches!(failure, Failure::Retry { known: Known::Unknown, .. }), "{failure:?}");

    special(&account, Special::UnknownAccount, 2);
    let reason = reauthorise(connector.find(&by_email("a@example.org")).await.unwrap_err());
    assert!(reason.contains("`base_url`"), "{reason}");
    account.sandbox().clear_faults().await;

    special(&account, Special::EmptyNotFound, 1);
    let query = Query { case_number: Some("4711".into()), ..Query::default() };
    assert!(connector.find(&query).await.unwrap().found.is_empty());

    let reason = account.connect_with(json!({ "scope": "read" }));
    let reason = reauthorise(reason.upsert_log(&log(), &mut MemoryLedger::default()).await.unwrap_err());
    assert!(reason.contains("`scope`"), "{reason}");
}

// proves D13
#[tokio::test]
async fn what_is_left_of_the_minutes_requests_is_kept() {
    let account = Account::plain().await;
    let connector = account.connect();
    assert_eq!(connector.usage(), None);
    connector.find(&by_email("a@example.org")).await.unwrap();
    let usage = connector.usage().unwrap();
    assert_eq!(usage.max, 700);
    connector.find(&by_email("a@example.org")).await.unwrap();
    assert_eq!(connector.usage().unwrap().left, usage.left - 1);
}

#[tokio::test]
async fn a_chat_of_a_known_contact_costs_one_request() {
    let account = Account::plain().await;
    let connector = account.connect();
    let id = account.sandbox().add_contact("Ada Kit", Some("ada.calls@example.org"), None).await;
    let before = connector.requests();
    connector.find(&by_email("ada.calls@example.org")).await.unwrap();
    assert_eq!(connector.requests() - before, 1, "look-up");
    let mut log = log();
    log.contact = Some(user(&id));
    let mut ledger = MemoryLedger::default();
    let saved = connector.upsert_log(&log, &mut ledger).await.unwrap();
    assert_eq!(connector.requests() - before, 2, "ticket with its comment");
    assert_eq!(saved.label, format!("Ticket {}", saved.record.id));
    // The ledger forgets what was said as soon as the answer is there.
    let kept = serde_json::to_string(&ledger.0).unwrap();
    assert!(!kept.contains("Hello") && !kept.contains("Lovelace"), "{kept}");
    // Later facts: one read, one write.
    log.version += 1;
    log.codes.push("refund".into());
    connector.upsert_log(&log, &mut ledger).await.unwrap();
    assert_eq!(connector.requests() - before, 4);
}

// ---------------------------------------------------------------- tickets

// proves D6
#[tokio::test]
async fn nobody_is_mailed_whatever_is_written() {
    let account = Account::plain().await;
    let connector = account.connect();
    let id = account.sandbox().add_contact("Ada Kit", Some("ada.mail@example.org"), None).await;
    let mut log = log();
    log.contact = Some(user(&id));
    let mut ledger = MemoryLedger::default();
    let saved = connector.upsert_log(&log, &mut ledger).await.unwrap();
    log.version += 1;
    log.remarks.notes = "called back".into();
    connector.upsert_log(&log, &mut ledger).await.unwrap();
    let mut under = support::log();
    under.case = Some(saved.record.clone());
    connector.upsert_log(&under, &mut MemoryLedger::default()).await.unwrap();
    let ticket = account.ticket(&saved.record).await;
    let comments = ticket["comments"].as_array().unwrap();
    assert_eq!(comments.len(), 3);
    assert!(comments.iter().all(|comment| comment["public"] == json!(false)), "{comments:?}");
    assert_eq!(account.sandbox().mails().len(), 0);
}

// proves D6
#[tokio::test]
async fn a_create_whose_answer_was_lost_is_repeated_byte_for_byte_and_then_looked_for() {
    for (seconds, creates) in [(60, 2), (7_300, 1)] {
        let account = Account::plain().await;
        let connector = account.connect();
        let mut ledger = MemoryLedger::default();
        let mut log = log();
        account.sandbox().inject(Fault::SavedThenDropped, 1).await;
        let failure = connector.upsert_log(&log, &mut ledger).await.unwrap_err();
        assert!(matches!(failure, Failure::Retry { known: Known::Unknown, .. }), "{failure:?}");
        assert!(ledger.0.pending.as_ref().unwrap().body.contains("Good morning"));
        account.clock.wind(seconds);
        // Newer facts meanwhile do not change what is repeated; they follow as an update.
        log.version += 1;
        log.codes = vec!["newest".into()];
        let saved = connector.upsert_log(&log, &mut ledger).await.unwrap();
        let posts = account.sandbox().served().latest();
        let posts = posts.iter().filter(|s| s.method == "POST" && s.path.ends_with("/tickets")).count();
        assert_eq!(posts, creates, "after {seconds} s");
        let all = account.sandbox().log_records().await;
        assert_eq!(all.iter().filter(|record| record.key == log.key()).count(), 1);
        let said = bodies(&account.ticket(&saved.record).await);
        assert!(
            said.len() == 2 && said[1].contains("newest") && !said[1].contains("Good morning"),
            "{said:?}"
        );
        assert!(ledger.0.pending.is_none());
    }
}

// proves D6
#[tokio::test]
async fn a_persons_tags_and_status_are_left_alone() {
    let account = Account::plain().await;
    let connector = account.connect_with(json!({ "ticket": { "tag_codes": true, "status": "open" } }));
    let (mut log, mut ledger) = (log(), MemoryLedger::default());
    let saved = connector.upsert_log(&log, &mut ledger).await.unwrap();
    let id = saved.record.id.as_str();
    let tags = json!(["tieline", "tieline_chat", "billing", "vip"]);
    account.sandbox().edit(id, "tags", tags).await;
    account.sandbox().edit(id, "status", json!("pending")).await;
    log.version += 1;
    log.codes = vec!["Refund granted".into()];
    connector.upsert_log(&log, &mut ledger).await.unwrap();
    let ticket = account.ticket(&saved.record).await;
    assert_eq!(ticket["tags"], json!(["tieline", "tieline_chat", "vip", "refund_granted"]));
    assert_eq!(ticket["status"], "pending");
}

#[tokio::test]
async fn a_ticket_carries_the_agent_and_mapped_fields() {
    let account = Account::plain().await;
    let agent = agent(&account).await;
    let fields = account.connect_with(json!({})).check().await.unwrap();
    assert!(!fields.is_empty());
    let connector = account.connect_with(json!({ "ticket": { "status": "solved" } }));
    let mut log = log();
    log.crm_user = Some(agent.clone());
    let saved = connector.upsert_log(&log, &mut MemoryLedger::default()).await.unwrap();
    let ticket = account.ticket(&saved.record).await;
    assert_eq!(ticket["assignee_id"].to_string(), agent);
    assert_eq!(ticket["comments"][0]["author_id"].to_string(), agent);
    assert_eq!(ticket["status"], "solved");
    // An agent who is none in Zendesk does not cost the log.
    let mut log = support::log();
    log.crm_user = Some("9007199254740997".into());
    let saved = connector.upsert_log(&log, &mut MemoryLedger::default()).await.unwrap();
    let ticket = account.ticket(&saved.record).await;
    assert!(ticket["assignee_id"].is_null() && ticket["status"] != "solved", "{ticket}");
}

// proves D10
#[tokio::test]
async fn a_merged_requester_is_followed() {
    for gone in [true, false] {
        let account = Account::plain().await;
        account.set("merged_user_gone", json!(gone)).await;
        let winner = account.sandbox().add_contact("Ada Kit", Some("winner@example.org"), None).await;
        let loser = account.sandbox().add_contact("Ada Kitt", Some("loser@example.org"), None).await;
        account.sandbox().merge(&winner, &loser).await.unwrap();
        let mut log = log();
        log.person.email = Some("loser@example.org".into());
        log.contact = Some(user(&loser));
        let mut ledger = MemoryLedger::default();
        let saved = account.connect().upsert_log(&log, &mut ledger).await.unwrap();
        let ticket = account.ticket(&saved.record).await;
        assert_eq!(ticket["requester_id"].to_string(), winner, "gone: {gone}");
        // It is not tried again with later facts.
        log.version += 1;
        log.codes = vec!["newest".into()];
        let connector = account.connect();
        let before = connector.requests();
        connector.upsert_log(&log, &mut ledger).await.unwrap();
        assert_eq!(connector.requests() - before, 2);
    }
}

// proves D9, D10
#[tokio::test]
async fn a_contact_can_be_taken_back_and_a_gone_ticket_is_not_made_again() {
    let account = Account::plain().await;
    let connector = account.connect();
    let id = account.sandbox().add_contact("Ada Kit", Some("ada.back@example.org"), None).await;
    let (mut log, mut ledger) = (log(), MemoryLedger::default());
    log.contact = Some(user(&id));
    let saved = connector.upsert_log(&log, &mut ledger).await.unwrap();
    assert_eq!(account.ticket(&saved.record).await["requester_id"].to_string(), id);
    (log.contact, log.version) = (None, 2);
    connector.upsert_log(&log, &mut ledger).await.unwrap();
    let ticket = account.ticket(&saved.record).await;
    assert_eq!(ticket["requester_id"], ticket["submitter_id"]);
    connector.erase(&log.key()).await.unwrap();
    (log.codes, log.version) = (vec!["newest".into()], 3);
    let (code, reason) = rejected(connector.upsert_log(&log, &mut ledger).await.unwrap_err());
    assert!(code == "RecordNotFound" && reason.contains("deleted"), "{code}: {reason}");
}

// proves D6, D9
#[tokio::test]
async fn a_closed_ticket_is_followed_up_or_says_so() {
    let account = Account::plain().await;
    let connector = account.connect();
    let (mut own, mut ledger) = (log(), MemoryLedger::default());
    let host = connector.upsert_log(&own, &mut ledger).await.unwrap();
    account.sandbox().edit(host.record.id.as_str(), "status", json!("closed")).await;
    let mut under = log();
    under.case = Some(host.record.clone());
    let saved = connector.upsert_log(&under, &mut MemoryLedger::default()).await.unwrap();
    assert_ne!(saved.record, host.record);
    let ticket = account.ticket(&saved.record).await;
    assert_eq!(ticket["external_id"].as_str(), Some(under.key().as_str()));
    assert_eq!(
        ticket["via"]["source"]["from"]["ticket_id"].to_string(),
        host.record.id.to_string(),
        "{}",
        ticket["via"]
    );
    own.version += 1;
    own.codes = vec!["newest".into()];
    let (code, reason) = rejected(connector.upsert_log(&own, &mut ledger).await.unwrap_err());
    assert!(code == "TicketClosed" && reason.contains("closed"), "{code}: {reason}");
}

// proves D10
#[tokio::test]
async fn a_named_ticket_that_is_gone_gets_the_log_a_ticket_of_its_own() {
    let account = Account::plain().await;
    let mut log = log();
    log.case = Some(ticket_record("987654321"));
    let saved = account.connect().upsert_log(&log, &mut MemoryLedger::default()).await.unwrap();
    assert_eq!(account.ticket(&saved.record).await["external_id"].as_str(), Some(log.key().as_str()));
}

// proves D6
#[tokio::test]
async fn a_log_moves_when_another_ticket_is_named_and_nothing_stays_behind() {
    let account = Account::plain().await;
    let connector = account.connect();
    let first = connector.upsert_log(&log(), &mut MemoryLedger::default()).await.unwrap();
    let second = connector.upsert_log(&log(), &mut MemoryLedger::default()).await.unwrap();
    let (mut log, mut ledger) = (log(), MemoryLedger::default());
    log.transcript[0].text = "words that belong to one customer".into();
    for (version, host, other) in [(1, &first, &second), (2, &second, &first), (3, &second, &first)] {
        (log.version, log.case) = (version, Some(host.record.clone()));
        let saved = connector.upsert_log(&log, &mut ledger).await.unwrap();
        assert_eq!((&saved.record, &saved.label), (&host.record, &host.label));
        let here = bodies(&account.ticket(&host.record).await);
        let there = bodies(&account.ticket(&other.record).await);
        assert_eq!(
            here.iter().filter(|body| body.contains("words that belong")).count(),
            1,
            "version {version}"
        );
        assert!(!there.iter().any(|body| body.contains("words that belong")), "version {version}: {there:?}");
    }
}

// proves D6
#[tokio::test]
async fn a_ticket_named_afterwards_says_once_where_ours_is() {
    let account = Account::plain().await;
    let connector = account.connect();
    let host = connector.upsert_log(&log(), &mut MemoryLedger::default()).await.unwrap();
    let (mut log, mut ledger) = (log(), MemoryLedger::default());
    let own = connector.upsert_log(&log, &mut ledger).await.unwrap();
    log.case = Some(host.record.clone());
    // Its answer is lost once, and it is said once all the same.
    log.version = 2;
    account.sandbox().inject(Fault::SavedThenDropped, 1).await;
    let failure = connector.upsert_log(&log, &mut ledger).await.unwrap_err();
    assert!(matches!(failure, Failure::Retry { known: Known::Unknown, .. }), "{failure:?}");
    for version in 2..4 {
        log.version = version;
        assert_eq!(connector.upsert_log(&log, &mut ledger).await.unwrap().record, own.record);
    }
    let said = bodies(&account.ticket(&host.record).await);
    let pointing: Vec<_> = said.iter().filter(|body| body.contains(&own.label)).collect();
    assert!(pointing.len() == 1 && said.len() == 2, "{said:?}");
    assert!(!said[1].contains("Good morning"), "what was said stays in our ticket");
    connector.erase(&log.key()).await.unwrap();
    assert!(!bodies(&account.ticket(&host.record).await)[1].contains(&log.key()));
}

// proves D6, D8
#[tokio::test]
async fn somebody_who_writes_at_the_same_moment_is_not_overwritten() {
    let account = Account::plain().await;
    let connector = account.connect();
    let (mut log, mut ledger) = (log(), MemoryLedger::default());
    connector.upsert_log(&log, &mut ledger).await.unwrap();
    (log.version, log.codes) = (2, vec!["newest".into()]);
    account.sandbox().inject(Fault::Locked, 1).await;
    let failure = connector.upsert_log(&log, &mut ledger).await.unwrap_err();
    assert!(matches!(failure, Failure::Retry { .. }), "{failure:?}");
    let saved = connector.upsert_log(&log, &mut ledger).await.unwrap();
    assert_eq!(bodies(&account.ticket(&saved.record).await).len(), 2);
}

// proves D8
#[tokio::test]
async fn a_ticket_written_too_often_waits_alone() {
    let account = Account::plain().await;
    let connector = account.connect();
    let host = connector.upsert_log(&log(), &mut MemoryLedger::default()).await.unwrap();
    let mut refused = None;
    for _ in 0..31 {
        let mut log = log();
        log.case = Some(host.record.clone());
        if let Err(failure) = connector.upsert_log(&log, &mut MemoryLedger::default()).await {
            refused = Some(failure);
            break;
        }
    }
    let refused = refused.expect("30 updates in ten minutes are the most");
    let Failure::Retry { after: Some(after), .. } = refused else { panic!("{refused:?}") };
    assert!(after > Millis::secs(60), "{after:?}");
    connector.upsert_log(&log(), &mut MemoryLedger::default()).await.unwrap();
}

// ---------------------------------------------------------------- contacts

// proves D4
#[tokio::test]
async fn a_new_contact_never_changes_one_who_has_the_address_already() {
    let account = Account::plain().await;
    let connector = account.connect();
    let id = account.sandbox().add_contact("Ada Kit", Some("ada.twice@example.org"), None).await;
    let person = Person {
        name: Some("Somebody Else".into()),
        email: Some("ada.twice@example.org".into()),
        ..Person::default()
    };
    let new = NewContact { key: uuid::Uuid::new_v4().to_string(), person };
    let found = connector.create_contact(&new).await.unwrap();
    assert_eq!(found.record, user(&id));
    assert_eq!(account.ticket(&found.record).await["name"], "Ada Kit");
}

// proves D8
#[tokio::test]
async fn contacts_made_too_fast_are_waited_out() {
    let account = Account::plain().await;
    let connector = account.connect();
    let mut waits = 0;
    for n in 0..4 {
        let person = Person { name: Some(format!("Kit {n}")), ..Person::default() };
        let new = NewContact { key: uuid::Uuid::new_v4().to_string(), person };
        match connector.create_contact(&new).await {
            Ok(_) => {}
            Err(Failure::Retry { after: Some(after), known, .. }) => {
                assert_eq!(known, Known::NotDone);
                assert!(after <= Millis::secs(60), "{after:?}");
                waits += 1;
            }
            Err(other) => panic!("{other:?}"),
        }
    }
    assert!(waits > 0, "one a second is the most");
}

// proves D2
#[tokio::test]
async fn a_further_address_of_a_user_is_found_and_no_colleague_is() {
    let account = Account::plain().await;
    let connector = account.connect();
    assert!(
        connector.find(&by_email(OWNER)).await.unwrap().found.is_empty(),
        "an administrator is no customer"
    );
    let winner = account.sandbox().add_contact("Ada Kit", Some("first@example.org"), None).await;
    let loser = account.sandbox().add_contact("Ada Kitt", Some("second@example.org"), None).await;
    account.sandbox().merge(&winner, &loser).await.unwrap();
    let found = connector.find(&by_email("second@example.org")).await.unwrap().found;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].record, user(&winner));
}

// ---------------------------------------------------------------- calls and pops

// proves E4
#[tokio::test]
async fn a_call_of_talk_partner_edition_lies_once_on_its_ticket() {
    let account = Account::plain().await;
    let changes = json!({ "calls": { "record": "talk_partner" } });
    let connector = account.connect_with(changes);
    let agent = agent(&account).await;
    let id = account.sandbox().add_contact("Ada Kit", Some("ada.call@example.org"), None).await;
    let (mut log, mut ledger) = (call(), MemoryLedger::default());
    (log.contact, log.crm_user) = (Some(user(&id)), Some(agent));
    // The ticket's answer comes, the call's is lost.
    let mut cut = CutAtCall { inner: MemoryLedger::default(), account: &account };
    let failure = connector.upsert_log(&log, &mut cut).await.unwrap_err();
    assert!(matches!(failure, Failure::Retry { known: Known::Unknown, .. }), "{failure:?}");
    ledger.0 = cut.inner.0;
    for _ in 0..2 {
        connector.upsert_log(&log, &mut ledger).await.unwrap();
        log.version += 1;
        log.call.as_mut().unwrap().recording = Some(format!("https://recordings.example/{}", log.version));
    }
    let all = account.sandbox().log_records().await;
    let mine: Vec<_> = all.iter().filter(|record| record.key == log.key()).collect();
    assert_eq!(mine.len(), 1);
    let ticket = account.ticket(&ticket_record(&mine[0].id)).await;
    let voice = |comment: &&Value| comment["type"] == "TpeVoiceComment";
    let comments: Vec<&Value> = ticket["comments"].as_array().unwrap().iter().filter(voice).collect();
    assert_eq!(comments.len(), 1, "{ticket}");
    assert_eq!(comments[0]["data"]["external_id"].as_str(), Some(log.key().as_str()));
    assert_eq!(account.served("/calls"), 3, "made once, met again, and changed by the recording");
}

/// A ledger after whose note of the call the next answer is lost.
struct CutAtCall<'a> {
    inner: MemoryLedger,
    account: &'a Account,
}

#[async_trait]
impl Ledger for CutAtCall<'_> {
    fn progress(&self) -> &Progress {
        self.inner.progress()
    }
    async fn save(&mut self, progress: Progress) -> Result<(), LedgerError> {
        if progress.pending.as_ref().is_some_and(|pending| pending.step == "call") {
            self.account.sandbox().inject(Fault::SavedThenDropped, 1).await;
        }
        self.inner.save(progress).await
    }
}

// proves D3
#[tokio::test]
async fn records_are_opened_from_the_server() {
    let account = Account::plain().await;
    let agent = agent(&account).await;
    let id = account.sandbox().add_contact("Ada Kit", Some("ada.pop@example.org"), None).await;
    let off = account.connect();
    assert!(!off.describe().push_pop);
    let target = off.pop(&user(&id));
    let (_, reason) = rejected(off.push_pop(&agent, &target).await.unwrap_err());
    assert!(reason.contains("`display`"), "{reason}");
    for display in ["talk_partner", "notify"] {
        let connector = account.connect_with(json!({ "display": display }));
        assert!(connector.describe().push_pop);
        connector.push_pop(&agent, &target).await.unwrap();
        let (_, reason) = rejected(connector.push_pop("anna", &target).await.unwrap_err());
        assert!(reason.contains("`crm_users`"), "{reason}");
        rejected(connector.push_pop("9007199254740997", &target).await.unwrap_err());
    }
    assert_eq!(account.served("/display"), 2);
    let partner = account.connect_with(json!({ "display": "talk_partner" }));
    let form = partner.pop_new(&Person { name: Some("Ada".into()), ..Person::default() });
    rejected(partner.push_pop(&agent, &form).await.unwrap_err());
    let search = PopTarget::Search { text: "ada".into() };
    account.connect_with(json!({ "display": "notify" })).push_pop(&agent, &search).await.unwrap();
    let wrong = account.connect_with(json!({ "display": "notify", "app_id": APP_ID + 1 }));
    rejected(wrong.push_pop(&agent, &target).await.unwrap_err());
    account.set("talk_partner", json!(false)).await;
    let (_, reason) = rejected(partner.push_pop(&agent, &target).await.unwrap_err());
    assert!(reason.contains("Talk Partner Edition"), "{reason}");
}

#[tokio::test]
async fn links_go_where_agents_work() {
    let account = Account::plain().await;
    let connector = account.connect_with(json!({ "ui_url": "https://support.acme.example/" }));
    let PopTarget::Record { url, .. } = connector.pop(&ticket_record("6164039664282")) else { panic!() };
    assert_eq!(url.as_deref(), Some("https://support.acme.example/agent/tickets/6164039664282"));
    let odd = tieline_model::crm::Record { object: "organization".into(), id: "7".parse().unwrap() };
    let PopTarget::Record { url, .. } = connector.pop(&odd) else { panic!() };
    assert_eq!(url, None);
}

#[tokio::test]
async fn a_stranger_with_the_accounts_name_is_not_spoken_to() {
    let account = Account::start(Options { tls: true, contacts: 0, ..Options::demo() }).await;
    let limits = tieline_connector_api::client::Limits {
        extra_ca_pem: None,
        ..account.limits(std::time::Duration::from_secs(5))
    };
    let connector = Zendesk::new(account.settings(json!({})), account.clock.clone(), limits).unwrap();
    let failure = connector.find(&by_email("a@example.org")).await.unwrap_err();
    assert!(matches!(failure, Failure::Retry { .. }), "{failure:?}");
    assert_eq!(account.sandbox().requests().await, 0);
}
