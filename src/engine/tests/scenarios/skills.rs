//! A11: skills as filter and as order, and what waiting does to them.

use crate::centre::*;
use crate::staff::*;
use tieline_model::policy::{OfferWhen, Strategy, TenantPolicy};
use tieline_model::{Code, Millis};

fn offered(n: u128, to: &str, version: u32) -> String {
    format!("#{n} offered to {to}, v{version}, for 30000")
}

fn wants<'a>(skills: &'a [&'a str]) -> With<'a> {
    With { skills, ..With::default() }
}

/// Anna has french at 3 and law at 1, Ben french at 7.
fn lingual(p: &mut TenantPolicy) {
    can(p, "anna", &[("french", 3), ("law", 1)]);
    can(p, "ben", &[("french", 7)]);
}

// proves A11
#[test]
fn a_queue_asks_only_agents_who_can() {
    let mut c = Centre::with(|p| {
        lingual(p);
        support(p).skills = needs(&[("french", 4)]);
    });
    c.customer(1).starts();
    assert_eq!(last(&mut c), offered(1, "ben", 1), "anna is longer idle, but not good enough");
    c.ben().accepts();
    c.customer(2).starts();
    c.happened();
    c.after(600);
    assert_eq!(c.happened(), NOTHING, "nobody else can, and nothing relaxes");
}

// proves A11
#[test]
fn among_those_who_can_the_better_goes_first_then_the_longest_idle() {
    let mut c = Centre::with(|p| {
        lingual(p);
        support(p).skills = needs(&[("french", 1)]);
        adds_agent(p, "cleo", &["support"]);
        can(p, "cleo", &[("french", 7)]);
    });
    c.after(1);
    arrives(&mut c, "cleo");
    for (n, who) in [(1, "ben"), (2, "cleo"), (3, "anna")] {
        c.customer(n).starts();
        assert_eq!(last(&mut c), offered(n, who, 1));
    }
}

// proves A11
#[test]
fn proficiency_goes_before_load() {
    let mut c = Centre::with(|p| {
        lingual(p);
        support(p).skills = needs(&[("french", 1)]);
        support(p).strategy = Strategy::LeastLoaded;
        support(p).offer_when = OfferWhen::BelowCapacity;
    });
    c.customer(1).starts();
    c.ben().accepts();
    c.customer(2).starts();
    assert_eq!(last(&mut c), offered(2, "ben", 1));
}

// proves A11
#[test]
fn a_chat_may_want_skills_of_its_own_at_the_first_level() {
    let mut c = Centre::with(lingual);
    starts_with(&mut c, 1, "support", &wants(&["law"]));
    assert_eq!(last(&mut c), offered(1, "anna", 1));
    starts_with(&mut c, 2, "support", &wants(&["french"]));
    assert_eq!(last(&mut c), offered(2, "ben", 1));
    let refusal =
        c.customer(3).cannot(Code::Invalid, |by| wishes_chat(by, 3, "support", &wants(&["cooking"])));
    assert_eq!(refusal.field.as_deref(), Some("skills"));
    let many = ["a", "b", "c", "d", "e", "f"];
    let refusal = c.customer(3).cannot(Code::Invalid, |by| wishes_chat(by, 3, "support", &wants(&many)));
    assert_eq!(refusal.limit, Some(5));
}

// proves A11
#[test]
fn chats_of_different_needs_do_not_hold_up_each_other_and_keep_their_turn() {
    let mut c = Centre::with(|p| {
        lingual(p);
        of(p, "ben").queues.clear();
    });
    c.anna().goes(on_break("lunch"));
    starts_with(&mut c, 1, "support", &wants(&["french", "law"]));
    c.after(1);
    c.customer(2).starts();
    c.after(1);
    starts_with(&mut c, 3, "support", &wants(&["law"]));
    let waiting: Vec<u128> =
        c.engine.queue_waiting(&queue("support")).iter().map(|id| id.0.as_u128()).collect();
    assert_eq!(waiting, [1, 2, 3]);
    assert_eq!([1, 2, 3].map(|n| waits(&c, n).position), [1, 2, 3]);
    c.anna().goes(tieline_model::command::Presence::Available);
    for n in [1, 2, 3] {
        assert_eq!(last(&mut c), offered(n, "anna", 1), "one order over all lanes");
        c.anna().accepts();
        c.anna().parks(n);
    }
}

// proves A11
#[test]
fn waiting_lowers_what_is_needed_step_by_step_to_nothing() {
    let mut c = Centre::with(|p| {
        can(p, "anna", &[("french", 2)]);
        of(p, "anna").queues.clear();
        of(p, "ben").queues.clear();
        adds_agent(p, "cleo", &["support"]);
        support(p).skills = needs(&[("french", 3), ("law", 1)]);
        support(p).relax_after = Some(Millis::secs(20));
    });
    arrives(&mut c, "cleo");
    c.customer(1).starts();
    c.happened();
    c.after_ms(19_999);
    assert_eq!(c.happened(), NOTHING, "never early");
    c.after_ms(1);
    assert_eq!((last(&mut c), waits(&c, 1).needs), ("#1 relaxed by 1".to_owned(), needs(&[("french", 2)])));
    let mut policy = c.policy();
    of(&mut policy, "anna").queues.insert(queue("support"));
    c.configures(policy);
    assert_eq!(last(&mut c), offered(1, "anna", 1), "anna's two are enough now");
    c.anna().rejects();
    c.after(20);
    assert_eq!((last(&mut c), waits(&c, 1).needs), ("#1 relaxed by 2".to_owned(), needs(&[("french", 1)])));
    c.after(20);
    assert_eq!(last(&mut c), offered(1, "cleo", 2), "whoever is there, after three steps");
    c.agent("cleo").accepts();
    c.after(600);
    assert_eq!(c.seen(1).relaxed, 3, "nothing is left to lower");
}

// proves A11, A4
#[test]
fn a_step_that_came_due_under_offer_follows_when_the_offer_is_over() {
    let mut c = Centre::with(|p| {
        lingual(p);
        support(p).skills = needs(&[("french", 5)]);
        support(p).relax_after = Some(Millis::secs(10));
        support(p).accept_within = Millis::secs(25);
    });
    c.customer(1).starts();
    c.happened();
    c.after(25);
    assert_eq!(
        c.happened(),
        [
            "#1 missed by ben",
            "ben is OnBreak { reason: \"missed\" } (Missed)",
            "#1 relaxed by 1",
            "#1 relaxed by 2",
            "#1 offered to anna, v2, for 25000",
        ]
    );
}

// proves A11
#[test]
fn what_settings_change_of_skills_and_queues_counts_at_once() {
    let mut c = Centre::with(|p| {
        lingual(p);
        support(p).skills = needs(&[("french", 9)]);
        adds_queue(p, "sales").skills.clear();
    });
    c.customer(1).starts();
    c.customer(2).starts_in("sales");
    c.happened();
    let mut policy = c.policy();
    can(&mut policy, "anna", &[("french", 10)]);
    c.configures(policy);
    assert_eq!(c.happened(), ["configured".to_owned(), offered(1, "anna", 1)]);
    let mut policy = c.policy();
    of(&mut policy, "ben").queues = [queue("sales")].into();
    c.configures(policy);
    assert_eq!(c.happened(), ["configured".to_owned(), offered(2, "ben", 1)]);
    let mut policy = c.policy();
    of(&mut policy, "ben").queues = [queue("support")].into();
    c.configures(policy);
    assert_eq!(c.happened(), ["#2 withdrawn from ben (Settings)", "configured"], "he serves it no more");
    let mut policy = c.policy();
    policy.agents.remove(&agent("anna"));
    support(&mut policy).skills = needs(&[("french", 7)]);
    c.configures(policy);
    assert_eq!(
        c.happened(),
        [
            "#1 withdrawn from anna (Settings)".to_owned(),
            "anna is Offline (Removed)".to_owned(),
            "configured".to_owned(),
            offered(1, "ben", 2),
        ]
    );
}

// proves A11
#[test]
fn many_kinds_of_needs_leave_no_lane_behind_that_is_wrong() {
    let names: Vec<String> = (0..40).map(|n| format!("s{n}")).collect();
    let mut c = Centre::closed(|p| {
        let all: Vec<(&str, u8)> = names.iter().map(|name| (name.as_str(), 1)).collect();
        can(p, "anna", &all);
        of(p, "ben").queues.clear();
    });
    // More kinds than lanes are kept; the harness compares the index with the state after every event.
    for n in 0..40_usize {
        for m in 0..3_usize {
            let id = u128::try_from(n * 3 + m + 1).unwrap();
            let pair = [names[n].as_str(), names[(n + m) % 40].as_str()];
            starts_with(&mut c, id, "support", &wants(&pair));
            c.customer(id).ends(id);
        }
    }
    arrives(&mut c, "anna");
    starts_with(&mut c, 500, "support", &wants(&["s7"]));
    assert_eq!(last(&mut c), offered(500, "anna", 1));
}
