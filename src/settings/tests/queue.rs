//! Queues, and what they refer to.

use super::*;
use tieline_model::Millis;
use tieline_model::crm::Channel;
use tieline_model::policy::{
    self, InactivityMode, OverflowTo, QueuePolicy, TenantPolicy, TransferUnavailable,
};

fn policy(text: &str) -> TenantPolicy {
    load_text(text, none()).unwrap().tenants[&"acme".parse().unwrap()].policy()
}

fn problems(text: &str) -> Vec<String> {
    load_text(text, none()).unwrap_err().to_string().lines().map(str::to_owned).collect()
}

/// The example shows the defaults, but for what it says it sets.
#[test]
fn the_examples_queue_and_tenant_show_the_defaults() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tieline.example.toml");
    let settings = load(Some(&path), none()).unwrap();
    let tenant = &settings.tenants[&"acme".parse().unwrap()];
    let shown = &tenant.queues[&"support".parse().unwrap()];
    let own = Queue::default();
    let set = Queue {
        name: shown.name.clone(),
        skills: shown.skills.clone(),
        relax_after: shown.relax_after,
        hours: shown.hours.clone(),
        classification: shown.classification.clone(),
        ..own.clone()
    };
    assert_eq!(shown, &set);
    assert!(shown.skills != own.skills && shown.relax_after != own.relax_after && shown.hours != own.hours);
    let plain = Tenant::default();
    assert_eq!((&tenant.lease, &tenant.labels, tenant.ageing), (&plain.lease, &plain.labels, plain.ageing));
    assert_eq!(tenant.calls, plain.calls);
}

// proves A9, A11, A12, A13, B12, B15, B16, B17, B18, B20, C7, C8
#[test]
fn every_key_of_a_queue_reaches_its_policy() {
    let text = r#"
        [tenants.acme.schedules.office]
        monday = ["09:00-17:00"]
        [tenants.acme.agents.anna]
        queues = ["support"]
        chat_capacity = 6
        skills = { english = 8 }
        [tenants.acme.queues.sales]
        [tenants.acme.queues.support]
        may_interrupt = ["chat", "call"]
        units = 2
        skills = { english = 9 }
        relax_after = "2m"
        retry_decliner_after = "45s"
        hours = "office"
        show_position = false
        transfer_unavailable = "refuse"
        reopen_within = "0s"
        escalate_after = "none"
        escalate_unanswered_after = "4m"
        escalate_update_after = "6m"
        share_for = "1d"
        block_abusive = true
        log = { abandoned = true }
        wrap_up = { max = "none" }
        inactivity = { mode = "auto", end_after = "1m" }
        targets = { connect = "20s", reply = "50s" }
        overflow = { closed = "queue:sales", unstaffed = "offline_form", waited = { after = "10m", then = "queue:sales" }, full = { chats = 50, then = "offline_form" } }
        attachments = { from_customer = false, bytes_max = 1000, types = ["image/png"] }
        wording = { nudge = "Hello?" }
    "#;
    let sales = OverflowTo::Queue { queue: "sales".parse().unwrap() };
    let minutes = |n: u64| Millis::secs(n * 60);
    let rules = QueuePolicy::named("support");
    let wanted = QueuePolicy {
        may_interrupt: [Channel::Chat, Channel::Call].into(),
        units: 2,
        skills: [("english".parse().unwrap(), 9)].into(),
        relax_after: Some(minutes(2)),
        retry_decliner_after: Millis::secs(45),
        hours: Some("office".parse().unwrap()),
        show_position: false,
        transfer_unavailable: TransferUnavailable::Refuse,
        reopen_within: Millis(0),
        escalate: policy::Escalate {
            after: None,
            unanswered: Some(minutes(4)),
            update_after: Some(minutes(6)),
        },
        share_for: minutes(24 * 60),
        block_abusive: true,
        log_abandoned: true,
        wrap_up: policy::WrapUp { max: None, ..rules.wrap_up },
        inactivity: policy::Inactivity {
            mode: InactivityMode::Auto,
            nudge_after: minutes(3),
            end_after: minutes(1),
        },
        targets: policy::Targets { connect: Millis::secs(20), reply: Millis::secs(50) },
        overflow: policy::Overflow {
            closed: sales.clone(),
            unstaffed: OverflowTo::OfflineForm,
            waited: Some(policy::WaitLimit { after: minutes(10), then: sales }),
            full: Some(policy::FullLimit { chats: 50, then: OverflowTo::OfflineForm }),
        },
        attachments: policy::Attachments {
            from_customer: false,
            bytes_max: 1_000,
            types: vec!["image/png".to_owned()],
            ..rules.attachments.clone()
        },
        wording: policy::Wording { nudge: "Hello?".to_owned(), ..rules.wording.clone() },
        ..rules
    };
    let policy = policy(text);
    assert_eq!(policy.queues[&"support".parse().unwrap()], wanted);
    assert_eq!(policy.agents[&"anna".parse().unwrap()].skills, [("english".parse().unwrap(), 8)].into());
}

// proves A1, A8, A11, A17, E5
#[test]
fn what_holds_for_the_whole_centre_reaches_its_policy() {
    let policy = policy(
        r#"
        [tenants.acme]
        ageing = "90s"
        lease = { grace = "5s", lost_after = "40s" }
        labels = { handling_chat = "Busy", wrap_up = "Post Processing" }
        [tenants.acme.calls]
        wrap_up = { time = "15s" }
        longest = "none"
        classification = { codes = ["Sale"], mandatory = true }
    "#,
    );
    assert_eq!(policy.ageing, Some(Millis::secs(90)));
    assert_eq!(policy.lease, policy::Lease { grace: Millis::secs(5), lost_after: Millis::secs(40) });
    let labels = policy::Labels::default();
    let labels = policy::Labels { handling_chat: "Busy".into(), wrap_up: "Post Processing".into(), ..labels };
    assert_eq!(policy.labels, labels);
    let wrap_up = policy::WrapUp { time: Some(Millis::secs(15)), ..policy::WrapUp::default() };
    assert_eq!(policy.calls.wrap_up, Some(wrap_up));
    assert_eq!(policy.calls.longest, None);
    let codes = vec!["Sale".to_owned()];
    assert_eq!(
        policy.calls.classification,
        policy::Classification { codes, several: false, mandatory: true }
    );
}

#[test]
fn the_defaults_of_a_tenant_are_those_of_the_rules() {
    assert_eq!(
        Tenant::default().policy(),
        TenantPolicy { break_reasons: Tenant::default().break_reasons, ..Default::default() }
    );
}

// proves C1
#[test]
fn a_tree_of_codes_is_recorded_as_paths_in_the_order_written() {
    let text = r#"
        [tenants.acme.queues.support.classification]
        codes = [
            "Order",
            { name = "Billing", codes = ["Refund", { name = "Contract", codes = ["Change", "End"] }] },
            "Abuse",
        ]
    "#;
    let codes = &policy(text).queues[&"support".parse().unwrap()].classification.codes;
    assert_eq!(
        codes,
        &["Order", "Billing / Refund", "Billing / Contract / Change", "Billing / Contract / End", "Abuse"]
    );
}

#[test]
fn a_code_of_the_wrong_shape_is_told_how_to_write_it() {
    for (codes, part) in [
        ("[3]", "{ name = \"Billing\", codes = [\"Refund\"] }"),
        ("[{ name = \"Billing\", code = [\"Refund\"] }]", "unknown field `code`"),
        ("[{ name = \"Billing\" }]", "codes"),
    ] {
        let text = format!("[tenants.acme.queues.support.classification]\ncodes = {codes}");
        let said = load_text(&text, none()).unwrap_err().to_string();
        assert!(said.contains(part), "{codes}: {said}");
    }
}

#[test]
fn what_is_wrong_with_a_queue_is_named_with_the_way_out() {
    let text = r#"
        [tenants.acme]
        time_zone = "Europe/Berlim"
        ageing = "0s"
        lease = { grace = "30s", lost_after = "10s" }
        labels = { wrap_up = "" }
        [tenants.acme.calls]
        wrap_up = { time = "0s" }
        [tenants.acme.agents.anna]
        queues = ["support"]
        skills = { english = 11 }
        [tenants.acme.queues.support]
        units = 4
        skills = { french = 3, english = 2 }
        hours = "night"
        relax_after = "0s"
        share_for = "1s"
        wrap_up = { time = "60s", max = "30s" }
        inactivity = { nudge_after = "0s" }
        targets = { reply = "0s" }
        attachments = { bytes_max = 0, types = ["PNG", "image/png"] }
        wording = { offline = "" }
        overflow = { closed = "queue:support", unstaffed = "queue:nowhere", waited = { after = "0s", then = "wait" } }
        [tenants.acme.queues.support.classification]
        codes = ["Order", { name = "A / B", codes = ["x"] }, "Order", { name = "Empty", codes = [] }]
    "#;
    let lines = problems(text);
    for key in [
        "`tenants.acme.time_zone` is \"Europe/Berlim\"; write the IANA name",
        "`tenants.acme.ageing` is \"0s\"",
        "`tenants.acme.lease.lost_after` is \"10s\"; choose a duration from \"30s\" to",
        "`tenants.acme.labels.wrap_up` has 0 characters",
        "`tenants.acme.calls.wrap_up.time` is \"0s\"",
        "`tenants.acme.agents.anna.skills.english` is 11; choose a number from 1 to 10",
        "`tenants.acme.queues.support.units` is 4, and no agent of this queue has a `chat_capacity` above 3",
        "`tenants.acme.queues.support.skills.french` asks for a skill that no agent has; name a skill of the agents' `skills` (english)",
        "`tenants.acme.queues.support.hours` is \"night\"; name a schedule",
        "`tenants.acme.queues.support.relax_after` is \"0s\"",
        "`tenants.acme.queues.support.share_for` is \"1s\"",
        "`tenants.acme.queues.support.wrap_up.max` is \"30s\"; choose a duration from \"1m\"",
        "`tenants.acme.queues.support.inactivity.nudge_after` is \"0s\"",
        "`tenants.acme.queues.support.targets.reply` is \"0s\"",
        "`tenants.acme.queues.support.attachments.bytes_max` is 0",
        "`tenants.acme.queues.support.attachments.types[0]` is \"PNG\"",
        "`tenants.acme.queues.support.wording.offline` has 0 characters",
        "`tenants.acme.queues.support.overflow.closed` is \"queue:support\", the queue itself",
        "`tenants.acme.queues.support.overflow.unstaffed` is \"queue:nowhere\"; name a queue of this tenant (support)",
        "`tenants.acme.queues.support.overflow.waited.after` is \"0s\"",
        "`tenants.acme.queues.support.overflow.waited.then` is \"wait\", which is what the chat does already",
        "`tenants.acme.queues.support.classification.codes[1]` is the branch \"A / B\"",
        "`tenants.acme.queues.support.classification.codes[2]` is \"Order\" again",
        "`tenants.acme.queues.support.classification.codes[3].codes` is empty",
    ] {
        assert_eq!(lines.iter().filter(|line| line.starts_with(key)).count(), 1, "{key}\nin\n{lines:#?}");
    }
    assert_eq!(lines.len(), 24, "{lines:#?}");
}

// proves A12
#[test]
fn a_circle_of_queues_is_shown_whole_and_only_to_those_in_it() {
    let text = r#"
        [tenants.acme.queues]
        a = { overflow = { closed = "queue:b", unstaffed = "queue:b" } }
        b = { overflow = { closed = "queue:c" } }
        c = { overflow = { closed = "queue:b", unstaffed = "offline_form" } }
    "#;
    let lines = problems(text);
    assert_eq!(lines.len(), 2, "{lines:#?}");
    assert!(lines[0].contains("queues.b.overflow.closed` leads in a circle: b → c → b;"), "{lines:#?}");
    assert!(lines[1].contains("queues.c.overflow.closed` leads in a circle: c → b → c;"), "{lines:#?}");
}

#[test]
fn a_way_out_that_is_none_is_told_how_to_write_it() {
    for way in ["sales", "queue:", "queue:Sales", "Wait", ""] {
        let text = format!("[tenants.acme.queues.support.overflow]\nclosed = {way:?}");
        let said = load_text(&text, none()).unwrap_err().to_string();
        assert!(said.contains("overflow.closed") && said.contains("\"offline_form\""), "{way}: {said}");
    }
}

#[test]
fn a_single_key_of_a_queue_may_come_from_the_environment() {
    let text = "[tenants.acme.queues.support.overflow]\nunstaffed = \"offline_form\"";
    let settings = load_text(
        text,
        env(&[
            ("TIELINE__TENANTS__ACME__QUEUES__SUPPORT__OVERFLOW__CLOSED", "wait"),
            ("TIELINE__TENANTS__ACME__QUEUES__SUPPORT__ESCALATE_AFTER", "none"),
            ("TIELINE__TENANTS__ACME__QUEUES__SUPPORT__ATTACHMENTS__BYTES_MAX", "1000"),
            ("TIELINE__TENANTS__ACME__LEASE__GRACE", "5s"),
        ]),
    )
    .unwrap();
    let policy = settings.tenants[&"acme".parse().unwrap()].policy();
    let queue = &policy.queues[&"support".parse().unwrap()];
    assert_eq!(
        (&queue.overflow.closed, &queue.overflow.unstaffed),
        (&OverflowTo::Wait, &OverflowTo::OfflineForm)
    );
    assert_eq!((queue.escalate.after, queue.attachments.bytes_max), (None, 1_000));
    assert_eq!(policy.lease.grace, Millis::secs(5));
}
