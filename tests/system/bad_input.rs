//! Bad input gets a clear answer and changes nothing (F5).

use crate::daemon::Centre;
use crate::talk::{accept, available};
use crate::visitor::{Visitor, command, person};
use serde_json::json;
use tieline_model::live::AgentDeed;
use tieline_model::{Code, InteractionId, Refusal};

// proves B9, F5
#[tokio::test]
async fn too_long_a_message_is_refused_with_the_limit_and_never_cut() {
    let centre = Centre::start().await;
    let daemon = centre.daemon().await;
    let mut visitor = Visitor::starts(&daemon, "support", person("Ines", "ines@example.org")).await;
    let family = "👨‍👩‍👧";
    visitor.tries(command(), &family.repeat(300)).await.expect("300 families are 300 characters");
    let refusal = visitor.tries(command(), &format!("{}{family}", "x".repeat(500))).await.expect_err("501");
    assert_eq!(
        (refusal.code, refusal.limit, refusal.field.as_deref()),
        (Code::TooLong, Some(500), Some("text"))
    );
    visitor.tries(command(), &format!("{}{family}", "x".repeat(499))).await.expect("500 are taken");
    let again = Visitor::joins(&daemon, visitor.interaction, visitor.token.clone()).await;
    assert_eq!(again.messages.len(), 2, "the refused one left no trace");
    daemon.stop().await;
}

// proves E1, F5
#[tokio::test]
async fn events_that_cannot_be_read_say_what_is_wrong_and_change_nothing() {
    let centre = Centre::start().await;
    let daemon = centre.daemon().await;
    let envelope = |kind: &str, data: serde_json::Value| {
        json!({ "specversion": "1.0", "id": command().as_str(), "source": "/pbx/test", "type": kind,
                "tenant": "demo", "data": data })
    };
    let broken = daemon.event("{ not json").await;
    let unknown = daemon.event(&envelope("com.tieline.call.teleported.v1", json!({})).to_string()).await;
    let missing = daemon.event(&envelope("com.tieline.call.ended.v1", json!({})).to_string()).await;
    let nobody = json!({ "call": "c1", "from": "+442079460321", "agents": ["nobody"] });
    let nobody = daemon.event(&envelope("com.tieline.call.ringing.v1", nobody).to_string()).await;
    for (answer, word) in
        [(broken, "JSON"), (unknown, "call.ringing.v1"), (missing, "call"), (nobody, "agents")]
    {
        let (status, refusal): (u16, Refusal) = answer;
        assert!((400..500).contains(&status), "{status}: {refusal}");
        let said = format!("{} {}", refusal.message, refusal.field.clone().unwrap_or_default());
        assert!(said.contains(word), "says {word}: {refusal:?}");
    }
    let anna = daemon.panel("anna").await;
    assert!(anna.view.calls.is_empty());
    daemon.stop().await;
}

// proves F5
#[tokio::test]
async fn another_tenants_chat_and_a_strangers_token_open_nothing() {
    let centre = Centre::start().await;
    let daemon = centre.daemon().await;
    let mut anna = daemon.panel("anna").await;
    available(&mut anna).await;
    let visitor = Visitor::starts(&daemon, "support", person("Ines", "ines@example.org")).await;
    accept(&mut anna).await;
    // An agent of the other contact centre tries everything on it.
    let mut other = daemon.panel_of("other", "otto").await;
    let chat: InteractionId = visitor.interaction;
    for deed in [
        AgentDeed::Send { interaction: chat, text: "hello".into() },
        AgentDeed::Activate { interaction: chat },
        AgentDeed::Park { interaction: chat },
        AgentDeed::EndChat { interaction: chat },
        AgentDeed::TakeChat { interaction: chat },
        AgentDeed::CompleteWrapUp { interaction: chat },
        AgentDeed::Classify { interaction: chat, codes: vec![], remarks: Default::default() },
    ] {
        let refusal = other.tries(deed).await.expect_err("not his");
        assert_eq!(refusal.code, Code::NotFound, "absent and forbidden answer alike");
    }
    let forged = format!("{}x", visitor.token);
    daemon.turned_away("/ws/customer", &json!({ "frame": "hello", "token": forged })).await;
    daemon
        .turned_away("/ws/agent", &json!({ "frame": "hello", "token": visitor.token, "can_pop": true }))
        .await;
    daemon.stop().await;
}

// proves F5
#[test]
fn wrong_settings_are_refused_with_the_key_and_the_way_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("tieline.toml");
    std::fs::write(&file, "[tenants.demo.queues.support]\ndelivery = \"shout\"\n").expect("written");
    let run = std::process::Command::new(env!("CARGO_BIN_EXE_tieline"))
        .args(["check", "--settings"])
        .arg(&file)
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(!run.status.success());
    assert!(said.contains("tenants.demo.queues.support.delivery"), "names the key: {said}");
    assert!(said.contains("offer") && said.contains("pull"), "and what may stand there: {said}");
}
