//! A backup while chats go on, and what a restore brings back.

use crate::daemon::Centre;
use crate::postgres::Server;
use crate::talk::{accept, available, saved};
use crate::visitor::{Visitor, person};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Output;
use tieline_connector_api::sandbox::{Fault, Sandbox};
use tieline_model::live::AgentDeed;

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

async fn verb(centre: &Centre, verb: &str, option: &str, folder: &Path, more: &[&str]) -> (bool, String) {
    let folder = folder.to_str().expect("a path");
    let output = centre.verb_with(&[&[verb, option, folder], more].concat()).await;
    (output.status.success(), said(&output))
}

fn manifest(folder: &Path) -> Value {
    let text = std::fs::read(folder.join("manifest.json")).expect("a manifest");
    serde_json::from_slice(&text).expect("JSON")
}

/// Takes the journal away, as a disk that broke would.
fn lose(centre: &Centre, keys_too: bool) {
    for name in ["journal.db", "journal.db-wal", "journal.db-shm"] {
        let path = centre.file(name);
        assert!(!path.exists() || std::fs::remove_file(path).is_ok());
    }
    if keys_too {
        std::fs::remove_file(centre.file("journal.key")).expect("a key");
        std::fs::remove_file(centre.file("auth.key")).expect("a key");
    }
}

/// Backs up while chats go on, loses the journal, restores it and goes on.
async fn back_up_lose_and_restore(centre: &Centre, lose: impl AsyncFnOnce(&Centre)) {
    let daemon = centre.daemon().await;
    let mut anna = daemon.panel("anna").await;
    available(&mut anna).await;
    let mut first = Visitor::starts(&daemon, "support", person("Ines", "ines@example.org")).await;
    accept(&mut anna).await;
    first.writes("before the backup").await;
    centre.crm.inject(Fault::ServerError, 1_000).await;
    anna.does(AgentDeed::EndChat { interaction: first.interaction }).await;
    anna.does(AgentDeed::CompleteWrapUp { interaction: first.interaction }).await;
    let mut second = Visitor::starts(&daemon, "support", person("Tom", "tom@example.org")).await;
    accept(&mut anna).await;
    second.writes("kept").await;

    // Commits go on while it is made.
    let folder = centre.file("backup");
    let talk = async {
        for n in 0..100 {
            second.writes(&format!("meanwhile {n}")).await;
        }
    };
    let ((good, says), ()) = tokio::join!(verb(centre, "backup", "--to", &folder, &["--with-keys"]), talk);
    assert!(good && says.contains("read back and replayed"), "{says}");
    let stood = &manifest(&folder)["tenants"]["demo"];
    let kept = second.messages.iter().filter(|m| m.seq <= stood["head"].as_u64().expect("a number")).count();

    // Since then: a log is sent, and a chat comes of which the backup knows nothing.
    centre.crm.clear_faults().await;
    anna.until("the case", |p| saved(p, first.interaction)).await;
    let third = Visitor::starts(&daemon, "support", person("Eve", "eve@example.org")).await;
    let before = centre.crm.log_records().await;
    assert_eq!(before.len(), 1);
    let (good, says) = verb(centre, "restore", "--from", &folder, &[]).await;
    assert!(!good && says.contains("is there; stop"), "a journal that is there is overwritten: {says}");
    daemon.kill().await;

    lose(centre).await;
    let (good, says) = verb(centre, "restore", "--from", &folder, &[]).await;
    assert!(good && says.contains("what was done since then is lost"), "{says}");
    assert!(
        says.contains(&format!(
            "demo: {} events, state {}",
            stood["head"],
            stood["state"].as_str().expect("a hash")
        )),
        "{says}"
    );
    let daemon = centre.daemon().await;
    let visitor = Visitor::joins(&daemon, second.interaction, second.token.clone()).await;
    assert_eq!(visitor.messages.len(), kept, "what stood in the backup is back, and nothing else");
    daemon.turned_away("/ws/customer", &json!({ "frame": "hello", "token": third.token })).await;
    let mut anna = daemon.panel("anna").await;
    anna.until("the case, sent again", |p| saved(p, first.interaction)).await;
    anna.does(AgentDeed::EndChat { interaction: second.interaction }).await;
    anna.does(AgentDeed::CompleteWrapUp { interaction: second.interaction }).await;
    anna.until("another case", |p| saved(p, second.interaction)).await;
    let after = centre.crm.log_records().await;
    assert_eq!(after.len(), 2, "one each: {after:?}");
    assert!(after.iter().any(|r| r.id == before[0].id), "the same record as before");
    daemon.stop().await;
}

// proves D6, F1
#[tokio::test(flavor = "multi_thread")]
async fn a_restore_brings_the_backups_state_back_and_a_log_sent_since_then_is_not_made_twice() {
    let centre = Centre::start().await;
    back_up_lose_and_restore(&centre, async |centre: &Centre| lose(centre, true)).await;
}

// proves D6, F1
#[tokio::test(flavor = "multi_thread")]
async fn over_postgresql_a_restore_brings_the_backups_state_back_too() {
    let database = tokio::task::spawn_blocking(|| Server::start().expect("a database"));
    let database = database.await.expect("started");
    let mut centre = Centre::start().await;
    centre.shared =
        vec![("TIELINE__JOURNAL__KIND", "postgres".into()), ("TIELINE__JOURNAL__URL", database.url())];
    back_up_lose_and_restore(&centre, async |centre: &Centre| {
        database.sql("postgres", "DROP SCHEMA tieline CASCADE").expect("it is gone");
        std::fs::remove_file(centre.file("journal.key")).expect("a key");
    })
    .await;
    // Its own programs need a moment to stop.
    tokio::task::spawn_blocking(move || drop(database)).await.expect("stopped");
}

#[tokio::test]
async fn a_backup_has_no_keys_unless_asked_and_one_that_is_damaged_is_refused() {
    let centre = Centre::start().await;
    centre.daemon().await.stop().await;
    let folder = centre.file("backup");
    let (good, says) = verb(&centre, "backup", "--to", &folder, &[]).await;
    assert!(good && says.contains("keys are not in it"), "{says}");
    assert!(!folder.join("journal.key").exists() && !folder.join("auth.key").exists());
    let (good, says) = verb(&centre, "backup", "--to", &folder, &[]).await;
    assert!(!good && says.contains("not there yet"), "{says}");

    let key = std::fs::read(centre.file("journal.key")).expect("a key");
    lose(&centre, true);
    let (good, says) = verb(&centre, "restore", "--from", &folder, &[]).await;
    assert!(!good && says.contains("put its copy there first"), "{says}");
    std::fs::write(centre.file("journal.key"), [7; 32]).expect("another key");
    let (good, says) = verb(&centre, "restore", "--from", &folder, &[]).await;
    assert!(!good && says.contains("another master key"), "{says}");
    assert!(!centre.file("journal.db").exists(), "a restore that failed leaves no journal");
    std::fs::write(centre.file("journal.key"), key).expect("the key");
    let (good, says) = verb(&centre, "restore", "--from", &folder, &[]).await;
    assert!(good, "{says}");

    lose(&centre, false);
    let copy = folder.join("journal.db");
    let mut bytes = std::fs::read(&copy).expect("a copy");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&copy, bytes).expect("damage");
    let (good, says) = verb(&centre, "restore", "--from", &folder, &[]).await;
    assert!(!good && says.contains("not as it was when the backup was made"), "{says}");
}
