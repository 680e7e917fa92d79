//! Presets: what each comes to, and that whatever stands beside it wins.

use super::*;
use tieline_model::Millis;
use tieline_model::policy::{
    After, Delivery, Escalate, Inactivity, InactivityMode, Labels, OfferWhen, QueuePolicy, Strategy, Targets,
    TenantPolicy, Wording, WrapUp,
};

fn policy(text: &str) -> TenantPolicy {
    policy_under(text, &[])
}

fn policy_under(text: &str, variables: &[(&str, &str)]) -> TenantPolicy {
    load_text(text, env(variables)).unwrap().tenants[&"acme".parse().unwrap()].policy()
}

fn queue(text: &str) -> QueuePolicy {
    policy(text).queues[&"support".parse().unwrap()].clone()
}

fn of(preset: &str) -> QueuePolicy {
    queue(&format!("[tenants.acme.queues.support]\npreset = \"{preset}\""))
}

fn minutes(n: u64) -> Millis {
    Millis::secs(n * 60)
}

const WRAP_UP: WrapUp = WrapUp {
    time: Some(Millis::secs(60)),
    extensions: 3,
    extension: Millis::secs(30),
    max: Some(Millis::secs(30 * 60)),
};

// proves A3
#[test]
fn inbox_puts_chats_straight_into_the_inbox() {
    let wanted = QueuePolicy {
        delivery: Delivery::Auto,
        unopened_after: Millis::secs(60),
        after_miss: After::OnBreak,
        offer_when: OfferWhen::AllParked,
        strategy: Strategy::LongestIdle,
        wrap_up: WRAP_UP,
        ..QueuePolicy::named("support")
    };
    assert_eq!(of("inbox"), wanted);
}

// proves A3, A7
#[test]
fn offer_asks_and_sends_on_break_who_does_not_answer() {
    let wanted = QueuePolicy {
        delivery: Delivery::Offer,
        accept_within: Millis::secs(30),
        after_reject: After::OnBreak,
        after_miss: After::OnBreak,
        offer_when: OfferWhen::Idle,
        strategy: Strategy::LongestIdle,
        wrap_up: WRAP_UP,
        ..QueuePolicy::named("support")
    };
    assert_eq!(of("offer"), wanted);
}

// proves B8, B16, B17
#[test]
fn etiquette_has_targets_silence_and_escalation_with_its_wording() {
    let wording = Wording {
        nudge: "Are you still there? We are happy to go on when you are.".into(),
        closing: "As we have not heard from you for a while, we close this chat now. Thank you for contacting us. You are welcome to start a new chat at any time.".into(),
        few_minutes: "This needs a closer look. Please give us a few minutes; we open a case for it and come back to you here.".into(),
        ..Wording::default()
    };
    let wanted = QueuePolicy {
        delivery: Delivery::Offer,
        accept_within: Millis::secs(30),
        after_reject: After::Stay,
        after_miss: After::OnBreak,
        offer_when: OfferWhen::AllParked,
        targets: Targets { connect: Millis::secs(30), reply: Millis::secs(60) },
        reply_alert: vec![Millis::secs(45), Millis::secs(60)],
        inactivity: Inactivity {
            mode: InactivityMode::Suggest,
            nudge_after: minutes(3),
            end_after: minutes(2),
        },
        escalate: Escalate {
            after: Some(minutes(15)),
            unanswered: Some(minutes(5)),
            update_after: Some(minutes(5)),
        },
        wording,
        ..QueuePolicy::named("support")
    };
    assert_eq!(of("etiquette"), wanted);
}

#[test]
fn one_key_beside_a_preset_changes_that_alone() {
    let text = |more: &str| queue(&format!("[tenants.acme.queues.support]\npreset = \"etiquette\"\n{more}"));
    let whole = of("etiquette");
    let later = text("escalate_after = \"20m\"");
    let escalate = Escalate { after: Some(minutes(20)), ..whole.escalate };
    assert_eq!(later, QueuePolicy { escalate, ..whole.clone() });
    // A key of a table leaves its neighbours.
    let auto = text("inactivity = { mode = \"auto\" }");
    let inactivity = Inactivity { mode: InactivityMode::Auto, ..whole.inactivity };
    assert_eq!(auto, QueuePolicy { inactivity, ..whole.clone() });
    let word = text("[tenants.acme.queues.support.wording]\nnudge = \"Hello?\"");
    let wording = Wording { nudge: "Hello?".into(), ..whole.wording.clone() };
    assert_eq!(word, QueuePolicy { wording, ..whole.clone() });
    // A value that is the rules' default wins as well.
    let plain = text("after_reject = \"on_break\"");
    assert_eq!(plain, QueuePolicy { after_reject: After::OnBreak, ..whole });
}

#[test]
fn the_environment_names_a_preset_and_changes_keys_of_one() {
    let key = "TIELINE__TENANTS__ACME__QUEUES__SUPPORT__";
    let (preset, delivery, mode) =
        (format!("{key}PRESET"), format!("{key}DELIVERY"), format!("{key}INACTIVITY__MODE"));
    let text = "[tenants.acme.queues.support]\npreset = \"inbox\"";
    let policy = policy_under(text, &[(&preset, "etiquette"), (&delivery, "pull"), (&mode, "off")]);
    let whole = of("etiquette");
    let inactivity = Inactivity { mode: InactivityMode::Off, ..whole.inactivity };
    let wanted = QueuePolicy { delivery: Delivery::Pull, inactivity, ..whole };
    assert_eq!(policy.queues[&"support".parse().unwrap()], wanted);
}

// proves A1
#[test]
fn a_contact_centres_preset_is_that_of_its_queues_and_brings_its_labels() {
    let policy = policy(
        r#"
        [tenants.acme]
        preset = "offer"
        [tenants.acme.queues.support]
        [tenants.acme.queues."support.eu"]
        preset = "inbox"
        [tenants.acme.queues.plain]
        preset = "plain"
        [tenants.acme.labels]
        offline = "Away"
    "#,
    );
    let labels = Labels::default();
    let wanted = Labels {
        handling_chat: "Busy".into(),
        wrap_up: "Post Processing".into(),
        offline: "Away".into(),
        ..labels
    };
    assert_eq!(policy.labels, wanted);
    let named = |id: &str| policy.queues[&id.parse().unwrap()].clone();
    assert_eq!(named("support"), of("offer"));
    assert_eq!(named("support.eu"), QueuePolicy { name: "support.eu".into(), ..of("inbox") });
    assert_eq!(named("plain"), QueuePolicy::named("plain"));
}

#[test]
fn a_queues_preset_leaves_the_labels_alone() {
    let policy = policy("[tenants.acme.queues.support]\npreset = \"offer\"");
    assert_eq!(policy.labels, Labels::default());
}

#[test]
fn an_unknown_preset_is_told_which_there_are() {
    for text in ["[tenants.acme]\npreset = \"outbox\"", "[tenants.acme.queues.support]\npreset = \"outbox\""]
    {
        let said = load_text(text, none()).unwrap_err().to_string();
        assert!(said.contains("outbox") && said.contains("plain, inbox, offer, etiquette"), "{said}");
    }
}
