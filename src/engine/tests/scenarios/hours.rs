//! A12: opening hours, as the daemon expands them to UTC.

use crate::centre::*;
use crate::staff::*;
use std::collections::BTreeMap;
use tieline_model::command::Open;
use tieline_model::policy::{OverflowTo, TenantPolicy};
use tieline_model::{Actor, Code, Command, CommandId, Millis, Timestamp, Wish};

/// "support" keeps the hours "office"; closed, its chats wait.
fn patient(p: &mut TenantPolicy) {
    support(p).hours = Some(schedule("office"));
    support(p).overflow.closed = OverflowTo::Wait;
}

/// "support" keeps the hours "office"; closed, its chats get the offline form.
fn strict(p: &mut TenantPolicy) {
    support(p).hours = Some(schedule("office"));
}

fn is_open(c: &Centre) -> bool {
    c.engine.queue_open(&queue("support"))
}

// proves A12
#[test]
fn a_queue_without_hours_is_always_open_and_one_of_an_unknown_schedule_never() {
    let c = Centre::new();
    assert!(is_open(&c));
    let mut c = Centre::with(strict);
    assert!(!is_open(&c));
    c.customer(1).starts();
    assert_eq!(
        c.happened(),
        [
            "#1 started in support",
            "#1 overflowed from support to the offline form (Closed)",
            "#1 notice Offline"
        ]
    );
    sets_hours(&mut c, "elsewhere", &[(0, 100)]);
    assert!(!is_open(&c), "a schedule that is not named is closed");
}

// proves A12
#[test]
fn several_stretches_open_and_close_to_the_millisecond() {
    let mut c = Centre::with(patient);
    sets_hours(&mut c, "office", &[(10, 20), (50, 60), (86_400, 86_500)]);
    assert_eq!(c.happened(), ["hours set", "office closed, turns 10000"]);
    c.after_ms(9_999);
    assert!(!is_open(&c));
    c.after_ms(1);
    assert!(is_open(&c));
    assert_eq!(c.happened(), ["office open, turns 10000"]);
    c.after_ms(9_999);
    assert!(is_open(&c));
    c.after_ms(1);
    assert!(!is_open(&c), "until just before the end");
    assert_eq!(c.happened(), ["office closed, turns 30000"]);
    c.after(86_480);
    assert_eq!(
        c.happened(),
        [
            "office open, turns 10000",
            "office closed, turns 86340000",
            "office open, turns 100000",
            "office closed, turns no limit"
        ]
    );
    assert_eq!(c.engine.next_deadline(), None, "nothing more is known");
}

// proves A12
#[test]
fn stretches_that_touch_are_one() {
    let mut c = Centre::with(patient);
    sets_hours(&mut c, "office", &[(0, 100), (100, 200), (200, 300), (400, 500)]);
    assert_eq!(c.happened(), ["hours set", "office open, turns 300000"]);
    c.after(300);
    assert_eq!(c.happened(), ["office closed, turns 100000"]);
    c.after(100);
    assert_eq!(c.happened(), ["office open, turns 100000"]);
}

// proves A12
#[test]
fn hours_begin_in_the_middle_of_a_stretch() {
    let mut c = Centre::with(patient);
    c.after(1_000);
    let at = |c: &Centre, ago: u64| Timestamp(c.now.0 - i64::try_from(ago * 1_000).unwrap());
    let past = Open { from: at(&c, 900), until: at(&c, 800) };
    let now = Open { from: at(&c, 100), until: c.now + Millis::secs(50) };
    c.happened();
    c.does(Actor::Daemon, Wish::SetHours { hours: BTreeMap::from([(schedule("office"), vec![past, now])]) });
    assert_eq!(c.happened(), ["hours set", "office open, turns 50000"]);
}

// proves A12
#[test]
fn hours_that_are_out_of_order_overlap_or_are_empty_are_refused() {
    let c = Centre::with(patient);
    for wrong in [&[(50, 60), (10, 20)][..], &[(0, 30), (20, 40)], &[(10, 10)], &[(20, 10)]] {
        let hours = BTreeMap::from([(schedule("office"), hours(&c, wrong))]);
        let id = CommandId::new("x").unwrap();
        let command = Command { id, by: Actor::Daemon, wish: Wish::SetHours { hours } };
        let refusal = c.engine.decide(c.now, &command).unwrap_err();
        assert_eq!(
            (refusal.code, refusal.field.as_deref()),
            (Code::Invalid, Some("hours.office")),
            "{wrong:?}"
        );
    }
}

// proves A12
#[test]
fn only_the_daemon_sets_hours() {
    let mut c = Centre::with(patient);
    c.anna().cannot(Code::NotPermitted, |anna| anna.wishes(Wish::SetHours { hours: BTreeMap::new() }));
}

// proves A12
#[test]
fn chats_that_wait_when_their_queue_closes_leave_it_in_their_order() {
    let mut c = Centre::with(|p| {
        strict(p);
        of(p, "ben").queues.clear();
    });
    sets_hours(&mut c, "office", &[(0, 100)]);
    c.customer(1).starts();
    c.anna().accepts();
    c.customer(2).starts();
    c.after(1);
    c.customer(3).starts();
    c.happened();
    c.after(99);
    assert_eq!(
        c.happened(),
        [
            "office closed, turns no limit",
            "#2 overflowed from support to the offline form (Closed)",
            "#2 notice Offline",
            "#3 overflowed from support to the offline form (Closed)",
            "#3 notice Offline",
        ]
    );
    assert_eq!(owner(&c, 1), Some(agent("anna")), "a chat in progress goes on");
    c.anna().writes(1, 3);
}

// proves A12, A4
#[test]
fn an_offer_that_stands_when_the_queue_closes_can_be_accepted_and_if_it_is_not_the_chat_leaves() {
    let setup = || {
        let mut c = Centre::with(strict);
        sets_hours(&mut c, "office", &[(0, 10)]);
        c.customer(1).starts();
        c.after(10);
        c.happened();
        c
    };
    let mut c = setup();
    c.anna().accepts();
    assert_eq!(owner(&c, 1), Some(agent("anna")));
    let mut c = setup();
    c.anna().rejects();
    assert_eq!(
        c.happened()[2..],
        ["#1 overflowed from support to the offline form (Closed)", "#1 notice Offline"]
    );
}

// proves A12
#[test]
fn closed_may_mean_wait_and_whoever_is_free_is_still_asked() {
    let mut c = Centre::with(patient);
    assert!(!is_open(&c));
    c.customer(1).starts();
    assert_eq!(last(&mut c), "#1 offered to anna, v1, for 30000");
}

// proves A12
#[test]
fn hours_replaced_while_open_count_from_there() {
    let mut c = Centre::with(patient);
    sets_hours(&mut c, "office", &[(0, 100)]);
    c.after(50);
    c.happened();
    sets_hours(&mut c, "office", &[(0, 200)]);
    assert_eq!(c.happened(), ["hours set", "office open, turns 200000"]);
    c.after(60);
    assert_eq!(c.happened(), NOTHING, "the old closing is forgotten");
    sets_hours(&mut c, "office", &[(500, 600)]);
    assert_eq!(c.happened(), ["hours set", "office closed, turns 500000"]);
    let same = BTreeMap::from([(schedule("office"), hours(&c, &[(500, 600)]))]);
    c.does(Actor::Daemon, Wish::SetHours { hours: same });
    assert_eq!(c.happened(), NOTHING, "the same again is nothing new");
    c.does(Actor::Daemon, Wish::SetHours { hours: BTreeMap::new() });
    assert!(!is_open(&c));
    assert_eq!(c.engine.next_deadline(), None);
}

// proves A12, F2
#[test]
fn hours_hang_on_the_wall_clock_across_a_restart() {
    let mut c = Centre::with(patient);
    sets_hours(&mut c, "office", &[(0, 100), (1_000, 2_000)]);
    c.after(50);
    c.restarts_after(500);
    c.happened();
    c.after(0);
    assert_eq!(c.happened(), ["office closed, turns 450000"], "at once: it closed while the daemon was down");
    c.restarts_after(1_000);
    c.after(0);
    assert!(is_open(&c));
}

// proves A12
#[test]
fn settings_that_give_a_queue_hours_count_at_once() {
    let mut c = Centre::with(|p| of(p, "ben").queues.clear());
    sets_hours(&mut c, "office", &[(1_000, 2_000)]);
    c.anna().goes(on_break("lunch"));
    c.customer(1).starts();
    c.happened();
    let mut policy = c.policy();
    strict(&mut policy);
    c.configures(policy);
    assert_eq!(c.happened()[1], "#1 overflowed from support to the offline form (Closed)");
}

// proves A12, B15
#[test]
fn opening_hours_apply_to_customers_who_come_back() {
    let mut c = Centre::with(strict);
    sets_hours(&mut c, "office", &[(0, 100)]);
    c.customer(1).starts();
    c.anna().accepts();
    c.after(90);
    c.anna().ends(1);
    c.after(20);
    c.customer(1).cannot(Code::Expired, |one| returns(one, 1, 2));
    c.anna().completes(1);
    c.happened();
    returns(c.customer(1), 1, 2);
    assert_eq!(c.happened()[1], "#2 overflowed from support to the offline form (Closed)");
}
