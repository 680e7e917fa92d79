//! The conformance kit against the sandbox: over http and https, with a secret and with a certificate, and with what
//! the sheet leaves open set both ways.

mod support;

use serde_json::{Value, json};
use support::{Org, key};
use tieline_connector_api::kit::{self, Bench};
use tieline_sandbox::dynamics::{Options, Switches};

async fn passes(org: &Org, changes: Value) {
    let connect = |patience| org.connector(changes.clone(), patience);
    let report = kit::run(&Bench { connect: &connect, sandbox: org.sandbox(), facts: org.facts() }).await;
    println!("{report}");
    assert!(report.passed(), "{report}");
    assert_eq!(report.checks.len(), kit::names().len());
}

// proves D1, D2, D4, D6, D8, D10, D11, E2, E4, F1, F5
#[tokio::test(flavor = "multi_thread")]
async fn the_connector_keeps_every_promise_over_http_with_a_secret() {
    passes(&Org::plain().await, json!({})).await;
}

// proves D1, D2, D6, D8, D11, E4
#[tokio::test(flavor = "multi_thread")]
async fn the_connector_keeps_every_promise_over_https_with_a_certificate() {
    let org = Org::start(Options { tls: true, contacts: 20, ..Options::demo(key()) }).await;
    assert!(org.running.org_url.starts_with("https://") && org.running.authority_url.starts_with("https://"));
    passes(&org, Org::certificate()).await;
}

/// The sheet remembers some things without a source: they must not matter, or be a setting.
// proves D6, D8, D10, E4
#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_certain_of_dataverse_does_not_matter() {
    let switches = Switches {
        short_regarding: true,
        unresolved_parties: true,
        bind_missing_status: 400,
        etag_code: "0x80060881".into(),
        accent_insensitive: false,
        ..Switches::default()
    };
    let org = Org::start(Options { switches, contacts: 20, ..Options::demo(key()) }).await;
    passes(&org, json!({ "call": { "short_regarding": true, "unknown_parties": true } })).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_readme_says_what_each_operation_costs() {
    let org = Org::plain().await;
    let connect = |patience| org.connector(json!({}), patience);
    let bench = Bench { connect: &connect, sandbox: org.sandbox(), facts: org.facts() };
    let rows = kit::operations(&bench).await.unwrap();
    assert!(rows.iter().all(|row| row.says == "done"), "{}", kit::table(&rows));
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    kit::readme(&path, &rows).unwrap();
}
