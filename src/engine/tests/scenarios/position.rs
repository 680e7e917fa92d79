//! A13: the place in line and the wait to be expected.

use crate::centre::*;
use tieline_model::Millis;
use tieline_model::policy::{Delivery, OverflowTo, WaitLimit};

/// Anna alone, and so many wait behind the chat that is offered to her.
fn line_of(n: u128) -> Centre {
    let mut c = Centre::with(|p| of(p, "ben").queues.clear());
    for n in 1..=n {
        c.customer(n).starts();
        c.after_ms(1);
    }
    c
}

fn expected(c: &Centre, n: u128) -> Option<u64> {
    c.engine.expected_wait(chat(n)).map(|wait| wait.0)
}

/// Anna takes the chat that is offered to her and is done with it in so many seconds.
fn serves(c: &mut Centre, n: u128, secs: u64) {
    c.anna().accepts();
    c.after(secs);
    c.anna().ends(n);
    c.anna().completes(n);
}

// proves A13
#[test]
fn the_position_counts_those_ahead_in_the_line_and_who_is_under_offer_is_next() {
    let mut c = line_of(4);
    let positions = |c: &Centre| [1, 2, 3, 4].map(|n| c.engine.position(chat(n)));
    assert_eq!(positions(&c), [Some(1), Some(1), Some(2), Some(3)]);
    c.anna().accepts();
    assert_eq!(positions(&c), [None, Some(1), Some(2), Some(3)]);
    c.customer(3).ends(3);
    assert_eq!(positions(&c), [None, Some(1), None, Some(2)]);
    assert_eq!(c.engine.position(chat(9)), None);
}

// proves A13
#[test]
fn nothing_is_expected_before_the_line_has_moved_once() {
    let mut c = line_of(3);
    assert_eq!(expected(&c, 3), None);
    c.anna().accepts();
    assert_eq!(expected(&c, 3), None, "one chat taken is no interval yet");
}

// proves A13
#[test]
fn the_wait_is_the_position_times_the_typical_interval() {
    let mut c = line_of(5);
    serves(&mut c, 1, 100);
    c.anna().accepts();
    assert_eq!([3, 4, 5].map(|n| expected(&c, n)), [Some(100_000), Some(200_000), Some(300_000)]);
    c.after(60);
    c.anna().ends(2);
    c.anna().completes(2);
    c.anna().accepts();
    // Seven eighths of 100 s and an eighth of 60 s.
    assert_eq!([4, 5].map(|n| expected(&c, n)), [Some(95_000), Some(190_000)]);
    assert_eq!(c.engine.figures(&queue("support")).pace, Some(Millis(95_000)));
    assert_eq!(expected(&c, 3), None, "who has an agent waits for nobody");
}

// proves A13
#[test]
fn time_in_which_nobody_waited_says_nothing() {
    let mut c = line_of(2);
    serves(&mut c, 1, 100);
    serves(&mut c, 2, 50);
    c.after(3_600);
    c.customer(3).starts();
    c.anna().accepts();
    assert_eq!(c.engine.figures(&queue("support")).pace, Some(Millis(100_000)));
}

// proves A13
#[test]
fn a_line_that_empties_because_customers_leave_says_nothing_about_the_time_after() {
    let mut c = line_of(3);
    serves(&mut c, 1, 100);
    c.anna().accepts();
    c.customer(3).ends(3);
    c.after(7_200);
    c.anna().ends(2);
    c.anna().completes(2);
    c.customer(4).starts();
    c.anna().accepts();
    assert_eq!(c.engine.figures(&queue("support")).pace, Some(Millis(100_000)));
}

// proves A13, A12
#[test]
fn nor_does_one_that_overflows() {
    let mut c = Centre::with(|p| {
        of(p, "ben").queues.clear();
        let (after, then) = (Millis::secs(200), OverflowTo::OfflineForm);
        support(p).overflow.waited = Some(WaitLimit { after, then });
    });
    for n in 1..=3 {
        c.customer(n).starts();
    }
    serves(&mut c, 1, 100);
    c.anna().accepts();
    c.after(7_200);
    assert_eq!(waits_nobody(&c), 0);
    c.anna().ends(2);
    c.anna().completes(2);
    c.customer(4).starts();
    c.anna().accepts();
    assert_eq!(c.engine.figures(&queue("support")).pace, Some(Millis(100_000)));
}

fn waits_nobody(c: &Centre) -> usize {
    c.engine.queue_waiting(&queue("support")).len()
}

// proves A13, A3
#[test]
fn a_chat_leaves_the_line_when_it_is_taken_not_when_it_is_opened() {
    let mut c = Centre::with(|p| {
        support(p).delivery = Delivery::Pull;
        of(p, "anna").chat_capacity = 9;
    });
    for n in 1..=4 {
        c.customer(n).starts();
        c.after_ms(1);
    }
    c.anna().takes(1);
    c.after(40);
    c.ben().takes(2);
    c.after(500);
    assert_eq!(c.engine.figures(&queue("support")).pace, Some(Millis(40_000)));
    c.anna().activates(1);
    c.ben().activates(2);
    assert_eq!([3, 4].map(|n| expected(&c, n)), [Some(40_000), Some(80_000)]);
}

// proves A13, A17
#[test]
fn who_is_put_ahead_moves_the_others_back() {
    let mut c = line_of(3);
    c.anna().accepts();
    c.anna().disconnects();
    c.after(90);
    assert_eq!([1, 2, 3].map(|n| c.engine.position(chat(n))), [Some(1), Some(2), Some(3)]);
}
