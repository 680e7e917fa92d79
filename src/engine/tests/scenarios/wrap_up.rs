//! C1, C3, C4, C5, C6.

use crate::centre::*;
use tieline_engine::{Stage, Talk, WrapClock};
use tieline_model::command::Presence;
use tieline_model::live::Status;
use tieline_model::policy::Classification;
use tieline_model::{Code, Millis};

fn in_wrap_up() -> Centre {
    with_codes(&["sale", "complaint"], false, false)
}

fn with_codes(codes: &[&str], several: bool, mandatory: bool) -> Centre {
    let mut c = Centre::with(|p| {
        of(p, "ben").queues.clear();
        let codes = codes.iter().map(|c| (*c).to_owned()).collect();
        support(p).classification = Classification { codes, several, mandatory };
    });
    c.customer(1).starts();
    c.anna().accepts();
    c.anna().ends(1);
    c.happened();
    c
}

fn left(c: &Centre) -> Millis {
    match &c.seen(1).stage {
        Stage::Owned { talk: Talk::WrapUp { clock: WrapClock::Stopped { left }, .. }, .. } => *left,
        other => panic!("not stopped: {other:?}"),
    }
}

// proves C1
#[test]
fn a_chat_is_classified_during_the_conversation_or_in_wrap_up() {
    let mut c = in_wrap_up();
    c.anna().classifies(1, &["sale"], Some(text(10)));
    c.anna().classifies(1, &["complaint"], None);
    assert_eq!(c.happened(), ["#1 classified [\"sale\"]", "#1 classified [\"complaint\"]"]);
    assert_eq!(c.seen(1).codes, ["complaint"], "the later one stands");
    c.anna().completes(1);
    c.customer(2).starts();
    c.anna().accepts();
    c.anna().classifies(2, &["sale"], None);
    c.ben().cannot(Code::NotFound, |ben| ben.classifies(2, &["sale"], None));
}

// proves C1
#[test]
fn codes_come_from_the_list_and_as_many_as_the_queue_says() {
    let mut c = in_wrap_up();
    let refusal = c.anna().cannot(Code::Invalid, |anna| anna.classifies(1, &["fraud"], None));
    assert_eq!(refusal.field.as_deref(), Some("codes"));
    let refusal = c.anna().cannot(Code::Invalid, |anna| anna.classifies(1, &["sale", "complaint"], None));
    assert_eq!((refusal.field.as_deref(), refusal.limit), (Some("codes"), Some(1)));
    let refusal = c.anna().cannot(Code::TooLong, |anna| anna.classifies(1, &[], Some(text(10_001))));
    assert_eq!((refusal.field.as_deref(), refusal.limit), (Some("remarks"), Some(10_000)));
    let mut c = with_codes(&["sale", "complaint"], true, false);
    c.anna().classifies(1, &["sale", "complaint"], None);
    c.anna().cannot(Code::Invalid, |anna| anna.classifies(1, &["sale", "sale"], None));
}

// proves C3
#[test]
fn the_end_starts_wrap_up_and_zero_completes_it() {
    let mut c = in_wrap_up();
    assert_eq!(c.status("anna"), Status::WrapUp);
    c.after_ms(59_999);
    assert_eq!(c.happened(), Vec::<String>::new(), "never early");
    c.after_ms(1);
    assert_eq!(c.happened(), ["#1 completed by Timer", "#1 closed Answered, log true"]);
    assert_eq!(c.status("anna"), Status::Present { presence: Presence::Available });
}

// proves C3
#[test]
fn presence_is_untouched_by_wrap_up_and_a_wish_applies_at_zero() {
    let mut c = in_wrap_up();
    assert_eq!(c.presence("anna"), Presence::Available);
    c.anna().goes(on_break("lunch"));
    c.after(60);
    assert_eq!(c.status("anna"), Status::Present { presence: on_break("lunch") });
}

// proves C3
#[test]
fn without_a_countdown_wrap_up_lasts_until_completed() {
    let mut c = Centre::with(|p| {
        support(p).wrap_up.time = None;
        support(p).wrap_up.max = None;
    });
    c.customer(1).starts();
    c.anna().accepts();
    c.anna().ends(1);
    c.after(86_400);
    assert_eq!(c.status("anna"), Status::WrapUp);
    c.anna().cannot(Code::WrongState, |anna| anna.extends(1));
    c.anna().completes(1);
}

// proves C4
#[test]
fn wrap_up_is_extended_a_limited_number_of_times() {
    let mut c = in_wrap_up();
    c.after(50);
    c.anna().extends(1);
    c.anna().extends(1);
    c.anna().extends(1);
    assert_eq!(
        c.happened(),
        [
            "#1 extended, runs 40000, left none, 2 more",
            "#1 extended, runs 70000, left none, 1 more",
            "#1 extended, runs 100000, left none, 0 more",
        ]
    );
    let refusal = c.anna().cannot(Code::NoExtensionsLeft, |anna| anna.extends(1));
    assert_eq!(refusal.limit, Some(3));
    c.after_ms(99_999);
    assert_eq!(c.happened(), Vec::<String>::new());
    c.after_ms(1);
    assert_eq!(c.happened()[0], "#1 completed by Timer");
}

// proves C4
#[test]
fn wrap_up_can_be_completed_early_but_not_before_the_end() {
    let mut c = in_wrap_up();
    c.anna().completes(1);
    assert_eq!(c.happened(), ["#1 completed by Agent", "#1 closed Answered, log true"]);
    c.customer(2).starts();
    c.anna().accepts();
    c.anna().cannot(Code::WrongState, |anna| anna.completes(2));
    c.anna().cannot(Code::WrongState, |anna| anna.extends(2));
}

// proves C5
#[test]
fn parking_stops_the_timer_to_the_millisecond() {
    let mut c = in_wrap_up();
    c.after_ms(12_345);
    c.anna().parks(1);
    assert_eq!(left(&c), Millis(47_655));
    c.after(1_700);
    c.happened();
    c.anna().activates(1);
    assert_eq!(c.happened(), ["#1 activated by anna, wrap-up 47655"]);
    c.after_ms(47_654);
    assert_eq!(c.happened(), Vec::<String>::new());
    c.after_ms(1);
    assert_eq!(c.happened()[0], "#1 completed by Timer");
}

// proves C5, F2
#[test]
fn a_stopped_timer_stands_still_across_a_restart() {
    let mut c = in_wrap_up();
    c.after_ms(12_345);
    c.anna().parks(1);
    c.restarts_after(7_200);
    assert_eq!(left(&c), Millis(47_655));
}

// proves C5, C4
#[test]
fn a_stopped_wrap_up_can_be_extended() {
    let mut c = in_wrap_up();
    c.after(10);
    c.anna().parks(1);
    c.anna().extends(1);
    assert_eq!(left(&c), Millis(80_000));
}

// proves C6
#[test]
fn mandatory_classification_is_listed_and_never_blocks() {
    let mut c = with_codes(&["sale"], false, true);
    c.after(60);
    assert_eq!(c.happened()[0], "#1 completed by Timer, not classified");
    let mut c = with_codes(&["sale"], false, true);
    c.anna().classifies(1, &["sale"], None);
    c.happened();
    c.after(60);
    assert_eq!(c.happened()[0], "#1 completed by Timer");
}

// proves C3, C4
#[test]
fn extensions_can_be_none_and_what_is_left_is_shown() {
    let mut c = Centre::with(|p| support(p).wrap_up.extensions = 0);
    c.customer(1).starts();
    c.anna().accepts();
    c.anna().ends(1);
    let extensions = |c: &Centre| match &c.seen(1).stage {
        Stage::Owned { talk: Talk::WrapUp { extensions_left, .. }, .. } => *extensions_left,
        other => panic!("not in wrap-up: {other:?}"),
    };
    assert_eq!(extensions(&c), 0);
    let refusal = c.anna().cannot(Code::NoExtensionsLeft, |anna| anna.extends(1));
    assert_eq!(refusal.limit, Some(0));
    let mut c = in_wrap_up();
    c.anna().parks(1);
    for left in [2, 1, 0] {
        c.anna().extends(1);
        assert_eq!(extensions(&c), left);
    }
    c.anna().cannot(Code::NoExtensionsLeft, |anna| anna.extends(1));
    c.ben().cannot(Code::NotFound, |ben| ben.extends(1));
}

// proves C5, B2
#[test]
fn several_wrap_ups_run_only_while_each_is_active() {
    let mut c = in_wrap_up();
    c.after_ms(1_001);
    c.anna().parks(1);
    c.customer(2).starts();
    c.anna().accepts();
    c.anna().ends(2);
    c.after_ms(2_002);
    c.anna().activates(1);
    c.after_ms(3_003);
    c.anna().activates(2);
    c.happened();
    c.anna().activates(1);
    assert_eq!(
        c.happened(),
        ["#2 parked for anna by Activation, left 57998", "#1 activated by anna, wrap-up 55996"]
    );
    c.after_ms(55_996);
    assert_eq!(c.happened()[0], "#1 completed by Timer");
    c.anna().activates(2);
    assert_eq!(c.happened(), ["#2 activated by anna, wrap-up 57998"]);
}

// proves C5, B4
#[test]
fn a_wrap_up_goes_on_to_the_millisecond_over_calls_and_restarts() {
    let mut c = in_wrap_up();
    let mut expected = 60_000;
    for (nth, pause) in [7, 1_234, 20_001].into_iter().enumerate() {
        c.after_ms(pause);
        expected -= pause;
        let call = format!("c{nth}");
        c.call(&call).answered_by("anna");
        c.after(333);
        c.restarts_after(77);
        assert_eq!(left(&c), Millis(expected));
        c.happened();
        c.call(&call).ends();
        let goes_on = format!("#1 activated by anna, wrap-up {expected}");
        assert_eq!(c.happened().last(), Some(&goes_on));
    }
}

// proves C5, F2
#[test]
fn a_running_wrap_up_has_after_a_restart_what_it_had_before() {
    let mut c = in_wrap_up();
    c.after_ms(12_345);
    c.restarts_after(7_200);
    c.anna().connects();
    c.happened();
    c.after_ms(47_654);
    assert_eq!(c.happened(), Vec::<String>::new(), "never early");
    c.after_ms(1);
    assert_eq!(c.happened()[0], "#1 completed by Timer");
}

// proves C8
#[test]
fn wrap_up_has_a_hard_maximum_from_the_end_parked_or_not() {
    let mut c = in_wrap_up();
    c.anna().parks(1);
    c.happened();
    c.after_ms(30 * 60_000 - 1);
    assert_eq!(c.happened(), Vec::<String>::new(), "never early");
    c.after_ms(1);
    assert_eq!(c.happened(), ["#1 completed by Maximum", "#1 closed Answered, log true"]);
    let mut c = Centre::with(|p| {
        support(p).wrap_up.time = None;
        support(p).wrap_up.max = Some(Millis::secs(100));
    });
    c.customer(1).starts();
    c.anna().accepts();
    c.anna().ends(1);
    c.happened();
    c.after(100);
    assert_eq!(c.happened()[0], "#1 completed by Maximum", "active and without a countdown");
}

// proves C8, C4
#[test]
fn extensions_do_not_move_the_hard_maximum() {
    let mut c = Centre::with(|p| support(p).wrap_up.max = Some(Millis::secs(100)));
    c.customer(1).starts();
    c.anna().accepts();
    c.anna().ends(1);
    for _ in 0..3 {
        c.anna().extends(1);
    }
    c.happened();
    c.after(99);
    assert_eq!(c.happened(), Vec::<String>::new());
    c.after(1);
    assert_eq!(c.happened()[0], "#1 completed by Maximum");
}

// proves C8
#[test]
fn a_wrap_up_without_a_maximum_waits_for_ever() {
    let mut c = Centre::with(|p| support(p).wrap_up.max = None);
    c.customer(1).starts();
    c.anna().accepts();
    c.anna().ends(1);
    c.anna().parks(1);
    c.happened();
    c.after(7 * 86_400);
    assert_eq!(c.happened(), Vec::<String>::new());
    c.anna().completes(1);
}

// proves C8, B13
#[test]
fn one_completed_unseen_is_listed_for_follow_up() {
    for sees in [false, true] {
        let mut c = in_wrap_up();
        c.anna().completes(1);
        c.customer(2).starts();
        c.anna().accepts();
        c.anna().parks(2);
        c.customer(2).ends(2);
        if sees {
            c.anna().sees_end(2);
        }
        c.happened();
        c.after(30 * 60);
        let unseen = if sees { "" } else { ", unseen" };
        assert_eq!(c.happened()[0], format!("#2 completed by Maximum{unseen}"));
        let (_, listed) = c.engine.recent_logs(&agent("anna")).next().unwrap();
        assert_eq!(listed.unseen, !sees);
    }
}

// proves C8
#[test]
fn the_hard_maximum_of_a_chat_that_ends_during_a_call_begins_after_it() {
    let mut c = Centre::with(|p| support(p).wrap_up.max = Some(Millis::secs(90)));
    c.customer(1).starts();
    c.anna().accepts();
    c.call("c1").answered_by("anna");
    c.customer(1).ends(1);
    c.after(3_600);
    c.call("c1").ends();
    c.anna().parks(1);
    c.happened();
    c.after_ms(89_999);
    assert_eq!(c.happened(), Vec::<String>::new());
    c.after_ms(1);
    assert_eq!(c.happened(), ["#1 completed by Maximum", "#1 closed Answered, log true"]);
}

// proves C3
#[test]
fn an_end_by_either_side_or_by_going_offline_starts_or_completes_wrap_up() {
    let mut c = in_wrap_up();
    c.anna().goes_offline_for_sure();
    assert_eq!(c.happened()[0], "#1 completed by Offline");
    let mut c = in_wrap_up();
    c.anna().completes(1);
    c.customer(2).starts();
    c.anna().accepts();
    c.happened();
    c.customer(2).ends(2);
    assert_eq!(c.happened(), ["#2 ended by Customer", "#2 wrap-up of anna, runs 60000, has 60000"]);
    assert_eq!(c.status("anna"), Status::WrapUp);
}
