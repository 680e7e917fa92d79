//! `kill -9` of the daemon: what was acknowledged is there, and each chat becomes exactly one case.

use crate::daemon::Centre;
use crate::talk::{accept, available, saved};
use crate::visitor::{Visitor, command, person};
use tieline_connector_api::sandbox::{Fault, Sandbox};
use tieline_model::CommandId;
use tieline_model::live::AgentDeed;

// proves C5, D6, D7, D8, F1, F2
#[tokio::test]
async fn killed_between_end_and_delivery_the_case_comes_once_and_the_wrap_up_goes_on() {
    let centre = Centre::start().await;
    let daemon = centre.daemon().await;
    let mut anna = daemon.panel("anna").await;
    available(&mut anna).await;

    // One chat is done but cannot be delivered, a second one is in wrap-up, when the daemon dies.
    let mut first = Visitor::starts(&daemon, "support", person("Ines", "ines@example.org")).await;
    accept(&mut anna).await;
    first.writes("one").await;
    anna.does(AgentDeed::Send { interaction: first.interaction, text: "two".into() }).await;
    centre.crm.inject(Fault::ServerError, 1_000).await;
    anna.does(AgentDeed::EndChat { interaction: first.interaction }).await;
    anna.does(AgentDeed::CompleteWrapUp { interaction: first.interaction }).await;
    let mut second = Visitor::starts(&daemon, "support", person("Tom", "tom@example.org")).await;
    accept(&mut anna).await;
    second.writes("three").await;
    anna.does(AgentDeed::EndChat { interaction: second.interaction }).await;
    let chat = second.interaction;
    let deadline = anna.until("the countdown", |p| {
        let item = p.view.items.iter().find(|i| i.interaction == chat)?;
        item.wrap_up.as_ref()?.deadline
    });
    let deadline = deadline.await;

    let down = daemon.kill_and_wait(std::time::Duration::from_millis(1_500)).await;
    let daemon = centre.daemon().await;
    let mut anna = daemon.panel("anna").await;
    let item =
        anna.view.items.iter().find(|i| i.interaction == chat).expect("the wrap-up is still hers").clone();
    let moved = item.wrap_up.expect("in wrap-up").deadline.expect("it runs").since(deadline);
    let down = u64::try_from(down.as_millis()).expect("short");
    assert!(moved.0 + 50 >= down, "the time down does not count: {moved:?} of {down} ms");
    assert!(
        moved.0 <= down + 2_500,
        "and nothing is given on top but the last heartbeat: {moved:?} of {down} ms"
    );

    centre.crm.clear_faults().await;
    anna.does(AgentDeed::CompleteWrapUp { interaction: chat }).await;
    for chat in [first.interaction, second.interaction] {
        anna.until("the case", |p| saved(p, chat)).await;
    }
    let mut keys: Vec<String> = centre.crm.log_records().await.into_iter().map(|r| r.key).collect();
    keys.sort();
    let mut ours = vec![first.interaction.to_string(), second.interaction.to_string()];
    ours.sort();
    assert_eq!(keys, ours, "exactly one case each");
    daemon.stop().await;
}

// proves B10, F1
#[tokio::test]
async fn nothing_acknowledged_is_lost_by_kills_in_mid_sentence() {
    let centre = Centre::start().await;
    let mut daemon = centre.daemon().await;
    let mut visitor = Visitor::starts(&daemon, "support", person("Ines", "ines@example.org")).await;
    let mut acknowledged: Vec<CommandId> = Vec::new();
    for round in 0..5 {
        for n in 0..20 {
            let id = command();
            visitor.tries(id.clone(), &format!("round {round}, message {n}")).await.expect("taken");
            acknowledged.push(id);
        }
        // Sent and not waited for: it may be kept or not, but never twice.
        let open = command();
        visitor.sends(open.clone(), "on the way when it died").await;
        daemon.kill().await;
        daemon = centre.daemon().await;
        visitor = Visitor::joins(&daemon, visitor.interaction, visitor.token.clone()).await;
        visitor.tries(open.clone(), "on the way when it died").await.expect("taken, or taken before");
        acknowledged.push(open);
        let seen: Vec<CommandId> = visitor.messages.iter().map(|m| m.id.clone()).collect();
        assert_eq!(seen, acknowledged, "every message once and in order after kill {round}");
    }
    daemon.stop().await;
}
