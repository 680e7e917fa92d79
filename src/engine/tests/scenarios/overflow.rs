//! A12: what becomes of chats that their queue cannot serve.

use crate::centre::*;
use crate::staff::*;
use tieline_model::command::Presence;
use tieline_model::policy::{Delivery, FullLimit, OverflowTo, TenantPolicy, WaitLimit};
use tieline_model::{Code, Millis, Wish};

const FORM: &str = "#1 overflowed from support to the offline form";

fn waited(secs: u64, then: OverflowTo) -> Option<WaitLimit> {
    Some(WaitLimit { after: Millis::secs(secs), then })
}

/// Cleo serves "second"; "support" has nobody but Anna, who is on a break.
fn with_second(change: impl FnOnce(&mut TenantPolicy)) -> Centre {
    let mut c = Centre::with(|p| {
        of(p, "ben").queues.clear();
        adds_queue(p, "second");
        adds_agent(p, "cleo", &["second"]);
        change(p);
    });
    arrives(&mut c, "cleo");
    c.anna().goes(on_break("lunch"));
    c.happened();
    c
}

// proves A12
#[test]
fn a_closed_queue_hands_over_to_another_and_the_customer_is_told() {
    let mut c = with_second(|p| {
        support(p).hours = Some(schedule("office"));
        support(p).overflow.closed = to_queue("second");
    });
    c.customer(1).starts();
    assert_eq!(
        c.happened(),
        [
            "#1 started in support",
            "#1 overflowed from support to second (Closed)",
            "#1 notice Overflowed",
            "#1 offered to cleo, v1, for 30000",
        ]
    );
}

// proves A12
#[test]
fn a_queue_is_unstaffed_when_all_its_agents_are_offline_and_not_when_they_are_on_a_break() {
    let mut c = with_second(|p| support(p).overflow.unstaffed = to_queue("second"));
    c.customer(1).starts();
    assert_eq!(c.happened(), ["#1 started in support"]);
    assert_eq!(c.engine.staff(&queue("support")), 1);
    c.anna().goes(Presence::Offline);
    assert_eq!(
        c.happened()[1..],
        [
            "#1 overflowed from support to second (Unstaffed)",
            "#1 notice Overflowed",
            "#1 offered to cleo, v1, for 30000"
        ]
    );
}

// proves A12
#[test]
fn an_unstaffed_queue_waits_unless_told_otherwise() {
    let mut c = Centre::closed(|_| {});
    c.customer(1).starts();
    c.after(600);
    assert_eq!(c.happened(), ["#1 started in support"]);
    arrives(&mut c, "anna");
    assert_eq!(last(&mut c), "#1 offered to anna, v1, for 30000");
}

// proves A12, A17
#[test]
fn a_lost_connection_does_not_unstaff_a_queue_until_the_agent_counts_as_lost() {
    let mut c = with_second(|p| support(p).overflow.unstaffed = OverflowTo::OfflineForm);
    c.anna().disconnects();
    c.customer(1).starts();
    c.after_ms(89_999);
    assert_eq!(c.engine.staff(&queue("support")), 1);
    assert!(waits(&c, 1).position == 1);
    c.happened();
    c.after_ms(1);
    assert_eq!(
        c.happened(),
        ["anna is Offline (Lost)".to_owned(), format!("{FORM} (Unstaffed)"), "#1 notice Offline".to_owned()]
    );
}

// proves A12
#[test]
fn who_waited_too_long_goes_on_and_counts_anew_there() {
    let mut c = with_second(|p| {
        support(p).overflow.waited = waited(60, to_queue("second"));
        adds_queue(p, "second").overflow.waited = waited(60, OverflowTo::OfflineForm);
        of(p, "cleo").chat_capacity = 0;
    });
    c.customer(1).starts();
    c.happened();
    c.after_ms(59_999);
    assert_eq!(c.happened(), NOTHING);
    c.after_ms(1);
    assert_eq!(c.happened(), ["#1 overflowed from support to second (Waited)", "#1 notice Overflowed"]);
    c.after_ms(59_999);
    assert_eq!(c.happened(), NOTHING);
    c.after_ms(1);
    assert_eq!(c.happened(), ["#1 overflowed from second to the offline form (Waited)", "#1 notice Offline"]);
}

// proves A12, A4
#[test]
fn a_wait_limit_that_comes_under_offer_counts_when_the_offer_is_over() {
    let mut c = Centre::with(|p| {
        of(p, "ben").queues.clear();
        support(p).overflow.waited = waited(10, OverflowTo::OfflineForm);
    });
    c.customer(1).starts();
    c.happened();
    c.after_ms(29_999);
    assert_eq!(c.happened(), NOTHING);
    c.after_ms(1);
    assert_eq!(c.happened()[2], format!("{FORM} (Waited)"));
}

// proves A12, A17
#[test]
fn a_chat_that_comes_back_from_an_agent_has_the_whole_wait_again() {
    let mut c = Centre::with(|p| {
        of(p, "ben").queues.clear();
        support(p).overflow.waited = waited(60, OverflowTo::OfflineForm);
    });
    c.customer(1).starts();
    c.anna().accepts();
    c.after(600);
    c.happened();
    c.anna().goes_offline_for_sure();
    assert_eq!(c.happened()[0], "#1 returned from anna (AgentOffline)");
    c.after_ms(59_999);
    assert_eq!(c.happened(), NOTHING, "it was served for ten minutes; it has not waited");
    c.after_ms(1);
    assert_eq!(c.happened()[0], format!("{FORM} (Waited)"));
}

// proves A12
#[test]
fn of_a_full_queue_who_came_last_goes_elsewhere() {
    let mut c = with_second(|p| {
        support(p).overflow.full = Some(FullLimit { chats: 2, then: to_queue("second") });
    });
    for n in 1..=2 {
        c.customer(n).starts();
        c.after(1);
    }
    assert_eq!(c.happened(), ["#1 started in support", "#2 started in support"]);
    c.customer(3).starts();
    assert_eq!(
        c.happened(),
        [
            "#3 started in support",
            "#3 overflowed from support to second (Full)",
            "#3 notice Overflowed",
            "#3 offered to cleo, v1, for 30000",
        ]
    );
}

// proves A12
#[test]
fn who_finds_a_free_agent_is_not_one_too_many() {
    let mut c = Centre::with(|p| {
        support(p).overflow.full = Some(FullLimit { chats: 0, then: OverflowTo::OfflineForm });
    });
    c.customer(1).starts();
    c.customer(2).starts();
    assert_eq!(c.happened()[3], "#2 offered to ben, v1, for 30000");
    c.customer(3).starts();
    assert_eq!(c.happened()[1], "#3 overflowed from support to the offline form (Full)");
}

// proves A12
#[test]
fn chats_under_offer_count_so_that_a_reject_drives_nobody_out_who_was_let_in() {
    let mut c = Centre::with(|p| {
        of(p, "ben").queues.clear();
        support(p).overflow.full = Some(FullLimit { chats: 2, then: OverflowTo::OfflineForm });
    });
    c.customer(1).starts();
    c.after(1);
    c.customer(2).starts();
    c.after(1);
    c.customer(3).starts();
    assert_eq!(last(&mut c), "#3 notice Offline", "one is under offer and one waits");
    c.anna().rejects();
    assert_eq!(c.happened().len(), 2, "both still wait");
    assert_eq!(waits(&c, 2).in_line, 2);
}

// proves A12
#[test]
fn a_chain_goes_on_until_a_queue_can_serve() {
    let mut c = with_second(|p| {
        support(p).overflow.unstaffed = to_queue("third");
        support(p).hours = Some(schedule("office"));
        support(p).overflow.closed = to_queue("third");
        adds_queue(p, "third");
        adds_queue(p, "third").overflow.closed = to_queue("second");
        adds_queue(p, "second").hours = None;
    });
    c.customer(1).starts();
    assert_eq!(
        c.happened(),
        [
            "#1 started in support",
            "#1 overflowed from support to third (Closed)",
            "#1 notice Overflowed",
            "#1 overflowed from third to second (Closed)",
            "#1 notice Overflowed",
            "#1 offered to cleo, v1, for 30000",
        ]
    );
}

// proves A12
#[test]
fn a_circle_of_queues_ends_in_the_offline_form() {
    let mut c = Centre::closed(|p| {
        for (name, next) in [("support", "b"), ("b", "c"), ("c", "support")] {
            adds_queue(p, name).overflow.unstaffed = to_queue(next);
        }
    });
    c.customer(1).starts();
    assert_eq!(
        c.happened(),
        [
            "#1 started in support",
            "#1 overflowed from support to b (Unstaffed)",
            "#1 notice Overflowed",
            "#1 overflowed from b to c (Unstaffed)",
            "#1 notice Overflowed",
            "#1 overflowed from c to the offline form (Unstaffed)",
            "#1 notice Offline",
        ]
    );
    assert_eq!(c.seen(1).visited.len(), 3);
}

// proves A12
#[test]
fn a_queue_that_points_at_itself_or_at_nothing_ends_in_the_offline_form() {
    for to in ["support", "nowhere"] {
        let mut c = Centre::closed(|p| support(p).overflow.unstaffed = to_queue(to));
        c.customer(1).starts();
        assert_eq!(c.happened()[1], format!("{FORM} (Unstaffed)"), "to {to}");
    }
}

// proves A12
#[test]
fn a_pull_queue_overflows_too() {
    let mut c = Centre::with(|p| {
        support(p).delivery = Delivery::Pull;
        support(p).overflow.waited = waited(60, OverflowTo::OfflineForm);
    });
    c.customer(1).starts();
    c.after(60);
    assert_eq!(c.happened()[1], format!("{FORM} (Waited)"));
    c.anna().cannot(Code::NotFound, |anna| anna.takes(1));
}

// proves A12
#[test]
fn a_message_left_in_the_form_closes_the_chat_and_silence_closes_it_in_half_an_hour() {
    let setup = || {
        let mut c = Centre::closed(|p| support(p).overflow.unstaffed = OverflowTo::OfflineForm);
        c.customer(1).starts();
        c.happened();
        c
    };
    let mut c = setup();
    c.customer(1).cannot(Code::WrongState, |one| one.writes(1, 5));
    c.customer(1).wishes(Wish::LeaveMessage { interaction: chat(1), text: text(5) });
    assert_eq!(
        c.happened()[1..],
        ["#1 ended by Customer", "#1 closed MessageLeft, log true"],
        "the message is the interaction"
    );
    let mut c = setup();
    c.after_ms(1_799_999);
    assert_eq!(c.happened(), NOTHING);
    c.after_ms(1);
    assert_eq!(c.happened(), ["#1 ended by System", "#1 closed Overflowed, log false"]);
}

// proves A12
#[test]
fn a_notice_without_wording_says_nothing_and_the_chat_moves_all_the_same() {
    let mut c = with_second(|p| {
        support(p).wording.overflowed = String::new();
        support(p).overflow.waited = waited(5, to_queue("second"));
    });
    c.customer(1).starts();
    c.after(5);
    assert_eq!(
        c.happened()[1..],
        ["#1 overflowed from support to second (Waited)", "#1 offered to cleo, v1, for 30000"]
    );
}

// proves A12, A11
#[test]
fn who_comes_from_elsewhere_keeps_the_time_of_waiting_but_neither_needs_nor_decliners() {
    let mut c = with_second(|p| {
        support(p).overflow.waited = waited(60, to_queue("second"));
        support(p).after_reject = tieline_model::policy::After::Stay;
        adds_queue(p, "second").skills.clear();
        of(p, "cleo").chat_capacity = 1;
    });
    c.customer(1).starts();
    c.after(30);
    c.customer(2).starts_in("second");
    c.agent("cleo").accepts();
    c.customer(3).starts_in("second");
    c.after(30);
    assert_eq!(c.engine.queue_waiting(&queue("second")), [chat(1), chat(3)], "by when they came to us");
    assert_eq!(c.seen(1).entered_at, c.now);
}
