//! A10, B4, B5, E1, E2 (the engine's part).

use crate::centre::*;
use tieline_engine::Stage;
use tieline_model::command::Presence;
use tieline_model::crm::{Direction, LogState, Outcome};
use tieline_model::live::{Place, Status};
use tieline_model::policy::{AfterCall, CallLogs, ParkOn};
use tieline_model::{CallId, Code, Event};

fn handling() -> Centre {
    handling_with(|_| {})
}

fn handling_with(change: impl FnOnce(&mut tieline_model::policy::TenantPolicy)) -> Centre {
    let mut c = Centre::with(|p| {
        of(p, "ben").queues.clear();
        change(p);
    });
    c.customer(1).starts();
    c.anna().accepts();
    c.happened();
    c
}

fn place(c: &Centre, n: u128) -> Place {
    match &c.seen(n).stage {
        Stage::Owned { place, .. } => *place,
        other => panic!("not owned: {other:?}"),
    }
}

// proves A10
#[test]
fn a_ringing_call_withdraws_the_offer_and_blocks_the_next() {
    let mut c = Centre::new();
    c.customer(1).starts();
    c.happened();
    c.call("c1").rings_at(&["anna"]);
    assert_eq!(
        c.happened(),
        ["#1 withdrawn from anna (Call)", "c1 rang at [anna]", "#1 offered to ben, v2, for 30000"]
    );
    c.customer(2).starts();
    c.happened();
    c.call("c1").ends();
    assert_eq!(
        c.happened(),
        ["c1 ended Missed", "c1 closed Missed, log false", "#2 offered to anna, v1, for 30000"]
    );
}

// proves B4
#[test]
fn an_answered_call_parks_the_active_chat() {
    let mut c = handling();
    c.call("c1").rings_at(&["anna"]);
    assert_eq!(place(&c, 1), Place::Active, "ringing alone does not park");
    c.happened();
    c.call("c1").answered_by("anna");
    assert_eq!(c.happened(), ["#1 parked for anna by Call, left none", "c1 answered by anna"]);
    assert_eq!(c.status("anna"), Status::OnCall);
}

// proves B4
#[test]
fn a_call_stops_the_timer_of_an_active_wrap_up() {
    let mut c = handling();
    c.anna().ends(1);
    c.after_ms(20_500);
    c.happened();
    c.call("c1").answered_by("anna");
    assert_eq!(c.happened()[0], "#1 parked for anna by Call, left 39500");
    c.after(3_600);
    c.happened();
    c.call("c1").ends();
    assert_eq!(
        c.happened(),
        ["c1 ended Answered", "c1 closed Answered, log true", "#1 activated by anna, wrap-up 39500"]
    );
}

// proves B4
#[test]
fn ringing_parks_where_it_is_set_so() {
    let mut c = handling_with(|p| p.calls.park_on = ParkOn::Ringing);
    c.call("c1").rings_at(&["anna"]);
    assert_eq!(c.happened(), ["#1 parked for anna by Call, left none", "c1 rang at [anna]"]);
}

// proves B5
#[test]
fn a_chat_the_customer_ends_during_the_call_becomes_active_wrap_up_after_it() {
    let mut c = handling();
    c.call("c1").rings_at(&["anna"]);
    c.call("c1").answered_by("anna");
    c.customer(1).ends(1);
    c.after(300);
    c.happened();
    assert_eq!(place(&c, 1), Place::Parked);
    c.call("c1").ends();
    assert_eq!(
        c.happened(),
        ["c1 ended Answered", "c1 closed Answered, log true", "#1 activated by anna, wrap-up 60000"]
    );
    assert_eq!(c.status("anna"), Status::WrapUp);
}

// proves B5
#[test]
fn a_chat_still_in_progress_stays_parked_after_the_call() {
    let mut c = handling();
    c.call("c1").answered_by("anna");
    c.call("c1").ends();
    assert_eq!(place(&c, 1), Place::Parked);
    c.anna().activates(1);
}

// proves B5
#[test]
fn resume_last_takes_up_a_chat_in_progress_too() {
    let mut c = handling_with(|p| p.calls.after_call = AfterCall::ResumeLast);
    c.call("c1").answered_by("anna");
    c.call("c1").ends();
    assert_eq!(place(&c, 1), Place::Active);
}

// proves B5
#[test]
fn another_parked_chat_that_ends_during_the_call_stays_parked() {
    let mut c = handling();
    c.anna().parks(1);
    c.customer(2).starts();
    c.anna().accepts();
    c.call("c1").answered_by("anna");
    c.customer(1).ends(1);
    c.call("c1").ends();
    assert_eq!((place(&c, 1), place(&c, 2)), (Place::Parked, Place::Parked));
}

// proves B5
#[test]
fn what_one_call_parked_is_no_business_of_a_later_call() {
    let mut c = handling_with(|p| p.calls.park_on = ParkOn::Ringing);
    c.call("c1").rings_at(&["anna"]);
    c.call("c1").ends();
    assert_eq!(place(&c, 1), Place::Parked, "in progress, so it stays parked");
    c.customer(1).ends(1);
    c.call("c2").answered_by("anna");
    c.call("c2").ends();
    assert_eq!(place(&c, 1), Place::Parked, "it ended between the calls, so it waits to be activated");
}

// proves B4, B5
#[test]
fn when_a_colleague_answers_the_wrap_up_that_ringing_parked_goes_on() {
    let mut c = handling_with(|p| p.calls.park_on = ParkOn::Ringing);
    c.anna().ends(1);
    c.call("c1").rings_at(&["anna", "ben"]);
    assert_eq!(place(&c, 1), Place::Parked);
    c.happened();
    c.call("c1").answered_by("ben");
    assert_eq!(c.happened(), ["c1 answered by ben", "#1 activated by anna, wrap-up 60000"]);
}

// proves B4, B5
#[test]
fn when_ringing_moves_on_the_wrap_up_it_parked_goes_on() {
    let mut c = handling_with(|p| p.calls.park_on = ParkOn::Ringing);
    c.anna().ends(1);
    c.call("c1").rings_at(&["anna"]);
    c.happened();
    c.call("c1").rings_at(&["ben"]);
    assert_eq!(c.happened(), ["c1 rang at [ben]", "#1 activated by anna, wrap-up 60000"]);
}

// proves A1, E1
#[test]
fn the_end_of_a_second_call_leaves_the_agent_on_the_first() {
    let mut c = Centre::new();
    c.call("c1").answered_by("anna");
    c.call("c2").answered_by("anna");
    c.call("c2").ends();
    assert_eq!(c.status("anna"), Status::OnCall);
    c.call("c1").ends();
    assert_eq!(c.status("anna"), Status::Present { presence: Presence::Available });
}

// proves E1
#[test]
fn duplicates_do_nothing() {
    let mut c = Centre::new();
    c.call("c1").rings_at(&["anna"]);
    c.call("c1").answered_by("anna");
    c.happened();
    c.call("c1").answered_by("anna");
    c.call("c1").rings_at(&["anna"]);
    assert_eq!(c.happened(), Vec::<String>::new());
    c.call("c1").ends();
    c.happened();
    c.call("c1").ends();
    assert_eq!(c.happened(), Vec::<String>::new());
}

// proves E1
#[test]
fn ended_is_final_whatever_comes_later() {
    let mut c = Centre::new();
    c.call("c1").ends();
    assert_eq!(c.happened(), ["c1 ended Missed"], "an orphan end is remembered");
    c.call("c1").rings_at(&["anna"]);
    c.call("c1").answered_by("anna");
    assert_eq!(c.happened(), Vec::<String>::new());
    assert_eq!(c.status("anna"), Status::Present { presence: Presence::Available });
}

// proves E1
#[test]
fn an_answer_without_ringing_starts_the_call_late() {
    let mut c = Centre::new();
    c.call("c1").answered_by("anna");
    assert_eq!(c.happened(), ["c1 answered by anna"]);
    assert_eq!(c.status("anna"), Status::OnCall);
}

// proves E1
#[test]
fn the_first_answer_stands() {
    let mut c = Centre::new();
    c.call("c1").answered_by("anna");
    c.happened();
    c.call("c1").answered_by("ben");
    assert_eq!(c.happened(), Vec::<String>::new());
    assert_eq!(c.status("ben"), Status::Present { presence: Presence::Available });
}

// proves E1, F5
#[test]
fn a_call_for_nobody_of_ours_is_refused_clearly() {
    let mut c = Centre::new();
    let refusal = c.call("c1").cannot(Code::NotFound, |call| call.answered_by("4711"));
    assert_eq!(refusal.field.as_deref(), Some("agent"));
    c.call("c1").cannot(Code::NotFound, |call| call.rings_at(&["4711"]));
    let refusal = c.call("c1").cannot(Code::Invalid, |call| call.rings_at(&[]));
    assert_eq!((refusal.field.as_deref(), refusal.limit), (Some("agents"), Some(100)));
}

// proves E1
#[test]
fn an_extension_names_its_agent() {
    let mut c = Centre::with(|p| of(p, "ben").extension = Some("4711".to_owned()));
    c.call("c1").rings_at(&["4711", "somebody-else"]);
    assert_eq!(c.happened(), ["c1 rang at [ben]"]);
}

// proves E2
#[test]
fn a_ring_all_ends_at_the_others_when_one_answers() {
    let mut c = Centre::new();
    c.call("c1").rings_at(&["anna", "ben"]);
    c.call("c1").answered_by("anna");
    assert!(c.engine.agent(&agent("ben")).unwrap().calls.is_empty());
    c.customer(1).starts();
    assert_eq!(c.status("ben"), Status::Offered, "nothing keeps Ben from chats");
}

// proves E2
#[test]
fn a_withheld_number_is_marked() {
    let mut c = Centre::new();
    c.call("c1").rings_withheld_at(&["anna"]);
    assert_eq!(c.happened(), ["c1 rang at [anna], withheld"]);
    let call = c.engine.calls().next().unwrap();
    assert!(call.withheld);
}

// proves B4, E1
#[test]
fn dialling_parks_the_active_chat_and_takes_the_offer_away() {
    let mut c = handling();
    c.call("c1").dialled_by("anna");
    assert_eq!(c.happened(), ["#1 parked for anna by Call, left none", "c1 dialled by anna"]);
    assert_eq!(c.status("anna"), Status::OnCall);
    c.call("c1").answered_by("anna");
    c.call("c1").dialled_by("anna");
    c.call("c1").rings_at(&["anna"]);
    assert_eq!(c.happened(), ["c1 answered by anna"], "what comes twice or late does nothing");
    let mut c = Centre::new();
    c.customer(1).starts();
    c.happened();
    c.call("c1").dialled_by("anna");
    assert_eq!(
        c.happened(),
        ["#1 withdrawn from anna (Call)", "c1 dialled by anna", "#1 offered to ben, v2, for 30000"]
    );
}

// proves B5, E1
#[test]
fn a_dialled_call_that_nobody_answers_gives_the_agent_back() {
    let mut c = handling();
    c.anna().ends(1);
    c.call("c1").rings_at(&["anna", "ben"]);
    c.call("c1").dialled_by("anna");
    assert!(c.engine.agent(&agent("ben")).unwrap().calls.is_empty(), "it was Anna's own phone that rang");
    c.happened();
    c.call("c1").ends();
    assert_eq!(
        c.happened(),
        ["c1 ended Missed", "c1 closed Missed, log false", "#1 activated by anna, wrap-up 60000"]
    );
    assert_eq!(c.status("anna"), Status::WrapUp);
}

// proves E1
#[test]
fn a_call_that_a_colleague_takes_over_while_it_is_dialled_leaves_the_first() {
    let mut c = Centre::new();
    c.call("c1").dialled_by("anna");
    c.call("c1").answered_by("ben");
    assert_eq!(c.status("ben"), Status::OnCall);
    assert_eq!(c.status("anna"), Status::Present { presence: Presence::Available });
    assert!(c.engine.agent(&agent("anna")).unwrap().calls.is_empty());
}

/// What happens to a call that nobody answers and one that somebody does.
fn closings(log: CallLogs) -> Vec<String> {
    let mut c = Centre::with(|p| p.calls.log = log);
    c.call("c1").rings_at(&["anna"]);
    c.call("c1").ends();
    c.call("c2").rings_at(&["anna"]);
    c.call("c2").answered_by("anna");
    c.call("c2").ends();
    c.happened().into_iter().filter(|line| line.contains("closed")).collect()
}

// proves E4
#[test]
fn the_policy_says_which_calls_are_logged() {
    let missed = |log: bool| format!("c1 closed Missed, log {log}");
    let answered = |log: bool| format!("c2 closed Answered, log {log}");
    assert_eq!(closings(CallLogs::Answered), [missed(false), answered(true)]);
    assert_eq!(closings(CallLogs::All), [missed(true), answered(true)]);
    assert_eq!(closings(CallLogs::None), [missed(false), answered(false)]);
    assert_eq!(CallLogs::default(), CallLogs::Answered);
}

// proves D7, E4
#[test]
fn an_agent_sees_where_the_log_of_a_call_stands() {
    let mut c = Centre::with(|p| p.calls.log = CallLogs::All);
    let id = c.call_id("c1");
    c.call("c1").rings_at(&["anna", "ben"]);
    c.call("c1").answered_by("anna");
    c.call("c1").ends();
    let (listed, closed) = c.engine.recent_logs(&agent("anna")).next().unwrap();
    assert_eq!((listed, closed.call, closed.outcome), (id, Some(Direction::Inbound), Outcome::Answered));
    assert!(closed.person.is_some() && closed.deliveries.is_empty());
    c.delivered(id, LogState::Sending);
    let (_, closed) = c.engine.recent_logs(&agent("anna")).next().unwrap();
    assert_eq!(closed.deliveries.values().collect::<Vec<_>>(), [&LogState::Sending]);
    // Nobody's call is in nobody's list, and what the CRM says of it is no error.
    let nobodys = c.call_id("c2");
    c.call("c2").rings_at(&["anna", "ben"]);
    c.call("c2").ends();
    c.happened();
    c.delivered(nobodys, LogState::Sending);
    assert_eq!(c.happened(), Vec::<String>::new());
    assert_eq!(c.engine.recent_logs(&agent("anna")).count() + c.engine.recent_logs(&agent("ben")).count(), 1);
}

// proves E4
#[test]
fn calls_and_chats_share_the_list_of_ten() {
    let mut c = Centre::new();
    for n in 0..25 {
        let name = format!("c{n}");
        c.call(&name).answered_by("anna");
        c.call(&name).ends();
    }
    assert_eq!(c.engine.recent_logs(&agent("anna")).count(), 10);
    let latest = c.call_id("c24");
    assert_eq!(c.engine.recent_logs(&agent("anna")).next().unwrap().0, latest);
    let oldest = c.call_id("c0");
    assert!(c.engine.closed(oldest).is_none(), "what is not listed is not kept");
}

// proves D4, E4
#[test]
fn the_contact_is_chosen_while_the_call_goes_on() {
    let mut c = Centre::new();
    let id = c.call_id("c1");
    c.call("c1").rings_at(&["anna"]);
    c.anna().cannot(Code::NotFound, |anna| anna.chooses(id, Some("003")));
    c.call("c1").answered_by("anna");
    c.anna().chooses(id, Some("003"));
    c.ben().cannot(Code::NotFound, |ben| ben.chooses(id, None));
    c.call("c2").dialled_by("ben");
    let second = c.call_id("c2");
    c.ben().chooses(second, None);
    let chosen = c.engine.call(id).unwrap().found.values().next().unwrap().contact().cloned();
    assert_eq!(chosen.map(|r| r.id.to_string()).as_deref(), Some("003"));
}

// proves D6, E1, E4
#[test]
fn a_recording_may_come_before_the_end_and_long_after_it() {
    let mut c = Centre::new();
    c.call("c1").answered_by("anna");
    c.call("c1").recorded_as(70);
    c.call("c1").ends();
    c.happened();
    c.after(86_400);
    c.call("c1").recorded_as(70);
    assert_eq!(c.happened(), Vec::<String>::new(), "the same again changes nothing");
    c.call("c1").recorded_as(71);
    assert_eq!(c.happened(), ["c1 recorded, log true"], "the log has to be brought up to date");
    c.restarts_after(60);
    c.happened();
    c.call("c1").recorded_as(72);
    assert_eq!(c.happened(), ["c1 recorded, log true"]);
}

// proves E1, E4
#[test]
fn a_recording_of_a_call_that_is_not_logged_makes_no_log() {
    let mut c = Centre::new();
    c.call("c1").rings_at(&["anna"]);
    c.call("c1").recorded_as(70);
    assert_eq!(c.happened(), ["c1 rang at [anna]", "c1 recorded, log false"]);
    c.call("c1").ends();
    c.happened();
    c.call("c1").recorded_as(71);
    assert_eq!(c.happened(), ["c1 recorded, log false"]);
}

// proves E1, F5
#[test]
fn a_recording_of_nothing_is_refused_clearly_and_one_of_an_orphan_end_does_nothing() {
    let mut c = Centre::new();
    let refusal = c.call("c1").cannot(Code::NotFound, |call| call.recorded_as(70));
    assert_eq!(refusal.field.as_deref(), Some("call"));
    c.call("c1").ends();
    c.happened();
    c.call("c1").recorded_as(70);
    assert_eq!(c.happened(), Vec::<String>::new(), "nothing of it is known that could be logged");
}

// proves E1
#[test]
fn ended_calls_are_forgotten_in_turn() {
    let mut c = Centre::new();
    for name in ["c0", "c1"] {
        c.call(name).answered_by("anna");
        c.call(name).ends();
    }
    for n in 2..10_000 {
        let (call, interaction) = (CallId::new(format!("c{n}")).unwrap(), chat(1_000_000 + n));
        let ended = Event::CallEnded { call, interaction, outcome: Outcome::Missed, presumed: false };
        c.engine.apply(c.now, &ended);
    }
    c.call("c0").recorded_as(70);
    c.call("c10000").ends();
    c.call("c0").cannot(Code::NotFound, |call| call.recorded_as(71));
    c.happened();
    c.call("c1").recorded_as(70);
    assert_eq!(c.happened(), ["c1 recorded, log true"]);
}

// proves E1
#[test]
fn hold_is_told_and_keeps_the_agent_on_the_call() {
    let mut c = Centre::new();
    c.call("c1").answered_by("anna");
    c.call("c1").held();
    c.call("c1").held();
    assert_eq!(c.happened(), ["c1 answered by anna", "c1 held"], "the same again changes nothing");
    assert_eq!(c.status("anna"), Status::OnCall);
    let call = c.engine.calls().next().unwrap();
    assert_eq!(call.held_at, Some(c.now));
    c.call("c1").resumed();
    c.call("c1").resumed();
    assert_eq!(c.happened(), ["c1 resumed"]);
    c.call("c1").held();
    c.call("c1").ends();
    assert_eq!(c.happened(), ["c1 held", "c1 ended Answered", "c1 closed Answered, log true"]);
}

// proves E1, B4, B5, A10
#[test]
fn a_transferred_call_parks_at_the_one_and_gives_back_at_the_other() {
    let mut c = Centre::new();
    c.customer(1).starts();
    c.anna().accepts();
    c.customer(2).starts();
    c.ben().accepts();
    c.call("c1").answered_by("anna");
    c.customer(1).ends(1);
    c.call("c1").held();
    c.happened();
    c.call("c1").transferred_to("ben");
    assert_eq!(
        c.happened(),
        [
            "#2 parked for ben by Call, left none",
            "c1 transferred from anna to ben",
            "#1 activated by anna, wrap-up 60000",
        ]
    );
    assert_eq!((c.status("anna"), c.status("ben")), (Status::WrapUp, Status::OnCall));
    assert!(c.engine.agent(&agent("anna")).unwrap().calls.is_empty());
    assert_eq!(c.engine.calls().next().unwrap().held_at, None, "nobody holds it any more");
    c.call("c1").transferred_to("ben");
    c.call("c1").answered_by("anna");
    assert_eq!(c.happened(), Vec::<String>::new(), "it is Ben's; a late answer does not bring it back");
    let id = c.call_id("c1");
    c.anna().cannot(Code::NotFound, |anna| anna.chooses(id, None));
    c.ben().chooses(id, None);
    c.happened();
    c.call("c1").ends();
    assert_eq!(c.happened(), ["c1 ended Answered", "c1 closed Answered, log true"]);
    assert_eq!((place(&c, 2), c.engine.recent_logs(&agent("ben")).count()), (Place::Parked, 1));
    assert_eq!(c.engine.recent_logs(&agent("anna")).count(), 0, "who has it last has its log");
}

// proves E1, A10
#[test]
fn a_transferred_call_takes_the_offer_away_from_whoever_gets_it() {
    let mut c = Centre::new();
    c.call("c1").answered_by("anna");
    c.customer(1).starts();
    c.happened();
    c.call("c1").transferred_to("ben");
    assert_eq!(
        c.happened(),
        [
            "#1 withdrawn from ben (Call)",
            "c1 transferred from anna to ben",
            "#1 offered to anna, v2, for 30000"
        ]
    );
}

// proves E1
#[test]
fn a_transfer_to_nobody_of_ours_is_refused_clearly() {
    let mut c = Centre::new();
    c.call("c1").answered_by("anna");
    let refusal = c.call("c1").cannot(Code::NotFound, |call| call.transferred_to("4711"));
    assert_eq!(refusal.field.as_deref(), Some("to"));
}

// proves E1, B5
#[test]
fn a_call_of_which_nothing_is_heard_for_hours_counts_as_over() {
    let mut c = handling();
    c.call("c1").answered_by("anna");
    c.anna().cannot(Code::NotFound, |anna| anna.takes(9));
    c.customer(1).ends(1);
    c.after(3 * 3_600);
    c.call("c1").held();
    c.happened();
    c.after_ms(4 * 3_600_000 - 1);
    assert_eq!(c.happened(), Vec::<String>::new(), "four hours since the last word, and never early");
    c.after_ms(1);
    assert_eq!(
        c.happened(),
        [
            "c1 ended Answered, presumed",
            "c1 closed Answered, log true",
            "#1 activated by anna, wrap-up 60000"
        ]
    );
    assert_eq!(c.engine.next_deadline().map(|(at, _)| at.since(c.now)), Some(tieline_model::Millis(60_000)));
    c.call("c1").ends();
    c.call("c1").answered_by("anna");
    assert_eq!(c.happened(), Vec::<String>::new(), "what comes after that is late");
    c.call("c1").recorded_as(70);
    assert_eq!(c.happened(), ["c1 recorded, log true"]);
}

// proves E1
#[test]
fn a_call_that_rings_for_hours_was_missed_and_a_policy_may_wait_for_ever() {
    let mut c = Centre::with(|p| p.calls.longest = Some(tieline_model::Millis::secs(600)));
    c.call("c1").rings_at(&["anna", "ben"]);
    c.call("c2").dialled_by("ben");
    c.happened();
    c.after(600);
    let ended = ["c1 ended Missed, presumed", "c1 closed Missed, log false", "c2 ended Missed, presumed"];
    assert_eq!(c.happened()[..3], ended);
    assert!(c.engine.next_deadline().is_none() && c.engine.calls().next().is_none());
    let mut c = Centre::with(|p| p.calls.longest = None);
    c.call("c1").rings_at(&["anna"]);
    assert!(c.engine.next_deadline().is_none());
    // Settings that come later count for calls that are on already.
    let mut policy = c.policy();
    policy.calls.longest = Some(tieline_model::Millis::secs(600));
    c.configures(policy);
    c.happened();
    c.after(600);
    assert_eq!(c.happened(), ["c1 ended Missed, presumed", "c1 closed Missed, log false"]);
}
