//! E5: wrap-up and classification of calls, and what they and chats do to one another (B4, B5, C8).

use crate::centre::*;
use tieline_engine::{Stage, Talk, WrapClock};
use tieline_model::command::{Presence, SupervisorAct};
use tieline_model::crm::{Channel, Direction};
use tieline_model::live::{Place, Status};
use tieline_model::policy::{AfterCall, CallLogs, Classification, ParkOn, TenantPolicy, WrapUp};
use tieline_model::{Code, Millis, Wish};

/// A minute of wrap-up after calls; only Anna serves the queue.
fn centre(change: impl FnOnce(&mut TenantPolicy)) -> Centre {
    Centre::with(|p| {
        of(p, "ben").queues.clear();
        of(p, "ben").supervisor = true;
        p.calls.wrap_up = Some(WrapUp::default());
        change(p);
    })
}

/// Anna is in the wrap-up of the call "c1".
fn in_wrap_up(change: impl FnOnce(&mut TenantPolicy)) -> Centre {
    let mut c = centre(change);
    c.call("c1").answered_by("anna");
    c.call("c1").ends();
    c.happened();
    c
}

/// Anna is in the wrap-up of the call "c1", which had parked her chat, which has ended meanwhile.
fn with_a_chat_behind(change: impl FnOnce(&mut TenantPolicy)) -> Centre {
    let mut c = centre(change);
    c.customer(1).starts();
    c.anna().accepts();
    c.call("c1").answered_by("anna");
    c.customer(1).ends(1);
    c.call("c1").ends();
    c.happened();
    c
}

/// The item that a call's wrap-up is.
fn n(c: &mut Centre, call: &str) -> u128 {
    c.call_id(call).0.as_u128()
}

fn place(c: &Centre, n: u128) -> Place {
    match &c.seen(n).stage {
        Stage::Owned { place, .. } => *place,
        other => panic!("not owned: {other:?}"),
    }
}

fn maximum(c: &Centre, n: u128) -> WrapClock {
    match &c.seen(n).stage {
        Stage::Owned { talk: Talk::WrapUp { max, .. }, .. } => *max,
        other => panic!("not in wrap-up: {other:?}"),
    }
}

// proves E5, C3
#[test]
fn an_answered_call_is_followed_by_wrap_up_and_zero_completes_it() {
    let mut c = centre(|_| {});
    c.call("c1").rings_at(&["anna"]);
    c.call("c1").answered_by("anna");
    c.after(200);
    c.happened();
    c.call("c1").ends();
    assert_eq!(c.happened(), ["c1 wrap-up of anna, runs 60000, has 60000", "c1 ended Answered"]);
    assert_eq!(c.status("anna"), Status::WrapUp);
    let item = n(&mut c, "c1");
    let seen = c.seen(item);
    assert_eq!(
        (seen.channel, seen.answered_at.is_some(), seen.person.is_some()),
        (Channel::Call, true, true)
    );
    c.after_ms(59_999);
    assert_eq!(c.happened(), Vec::<String>::new(), "never early");
    c.after_ms(1);
    assert_eq!(c.happened(), ["c1 completed by Timer", "c1 closed Answered, log true"]);
    assert_eq!(c.status("anna"), Status::Present { presence: Presence::Available });
}

// proves E5
#[test]
fn only_a_call_in_which_two_people_talked_has_wrap_up() {
    let mut c = centre(|_| {});
    c.call("c1").rings_at(&["anna"]);
    c.call("c1").ends();
    c.call("c2").dialled_by("anna");
    c.call("c2").ends();
    c.call("c3").ends();
    assert!(c.happened().iter().all(|line| !line.contains("wrap-up")));
    c.call("c4").dialled_by("anna");
    c.call("c4").answered_by("anna");
    c.call("c4").ends();
    let item = n(&mut c, "c4");
    c.anna().completes(item);
    let (_, closed) = c.engine.recent_logs(&agent("anna")).next().unwrap();
    assert_eq!(closed.call, Some(Direction::Outbound));
    // One that nobody said had ended: nobody is on the phone, and nothing is left to wrap up.
    c.call("c5").answered_by("anna");
    c.happened();
    c.after(4 * 3_600);
    assert_eq!(c.happened(), ["c5 ended Answered, presumed", "c5 closed Answered, log true"]);
}

// proves E5, C1
#[test]
fn a_call_is_classified_during_it_and_after_it() {
    let mut c = centre(|p| {
        p.calls.classification = Classification {
            codes: vec!["Sale".to_owned(), "Other".to_owned()],
            several: false,
            mandatory: false,
        };
    });
    let item = n(&mut c, "c1");
    c.call("c1").rings_at(&["anna"]);
    c.anna().cannot(Code::NotFound, |anna| anna.classifies(item, &["Sale"], None));
    c.call("c1").answered_by("anna");
    c.ben().cannot(Code::NotFound, |ben| ben.classifies(item, &["Sale"], None));
    c.anna().cannot(Code::Invalid, |anna| anna.classifies(item, &["Complaint"], None));
    c.anna().classifies(item, &["Sale"], Some(text(10)));
    c.call("c1").ends();
    assert_eq!(
        (c.seen(item).codes.as_slice(), c.seen(item).remarks),
        (&["Sale".to_owned()][..], Some(text(10)))
    );
    c.anna().classifies(item, &["Other"], None);
    assert_eq!(c.seen(item).codes, ["Other"]);
}

// proves E5, C4, C5
#[test]
fn the_wrap_up_of_a_call_is_parked_extended_and_completed_as_that_of_a_chat() {
    let mut c = in_wrap_up(|_| {});
    let item = n(&mut c, "c1");
    c.after_ms(12_345);
    c.anna().parks(item);
    assert_eq!(c.status("anna"), Status::Present { presence: Presence::Available });
    c.restarts_after(3_600);
    c.anna().extends(item);
    c.happened();
    c.anna().activates(item);
    assert_eq!(c.happened(), ["c1 activated by anna, wrap-up 77655"]);
    c.anna().extends(item);
    c.anna().extends(item);
    c.anna().cannot(Code::NoExtensionsLeft, |anna| anna.extends(item));
    c.anna().completes(item);
    c.anna().cannot(Code::NotFound, |anna| anna.completes(item));
}

// proves E5, A5
#[test]
fn nothing_is_offered_in_an_active_wrap_up_of_a_call_and_a_parked_one_takes_its_place() {
    let mut c = in_wrap_up(|p| of(p, "anna").chat_capacity = 1);
    c.customer(1).starts();
    assert_eq!(c.status("anna"), Status::WrapUp);
    let item = n(&mut c, "c1");
    c.anna().parks(item);
    assert!(c.engine.agent(&agent("anna")).unwrap().offered.is_none(), "capacity counts unfinished items");
    c.anna().completes(item);
    assert_eq!(c.status("anna"), Status::Offered);
}

// proves E5, B5
#[test]
fn the_wrap_up_that_the_call_parked_goes_on_after_that_of_the_call() {
    let mut c = with_a_chat_behind(|_| {});
    let item = n(&mut c, "c1");
    assert_eq!((place(&c, item), place(&c, 1)), (Place::Active, Place::Parked));
    c.after(10);
    c.anna().completes(item);
    assert_eq!(
        c.happened(),
        ["c1 completed by Agent", "c1 closed Answered, log true", "#1 activated by anna, wrap-up 60000"]
    );
    c.after(60);
    assert_eq!(c.status("anna"), Status::Present { presence: Presence::Available });
}

// proves E5, B5
#[test]
fn a_chat_in_progress_stays_parked_after_the_wrap_up_of_the_call_unless_set_so() {
    for (after_call, expected) in
        [(AfterCall::ResumeWrapUp, Place::Parked), (AfterCall::ResumeLast, Place::Active)]
    {
        let mut c = centre(|p| p.calls.after_call = after_call);
        c.customer(1).starts();
        c.anna().accepts();
        c.call("c1").answered_by("anna");
        c.call("c1").ends();
        assert_eq!(place(&c, 1), Place::Parked);
        c.after(60);
        assert_eq!(place(&c, 1), expected, "{after_call:?}");
    }
}

// proves E5, B5
#[test]
fn what_a_call_parked_is_forgotten_with_its_wrap_up() {
    let mut c = centre(|_| {});
    c.customer(1).starts();
    c.anna().accepts();
    c.call("c1").answered_by("anna");
    c.call("c1").ends();
    c.after(60);
    // In progress and parked; a later call has nothing to do with it.
    c.call("c2").answered_by("anna");
    c.customer(1).ends(1);
    c.call("c2").ends();
    c.happened();
    c.after(60);
    assert_eq!(c.happened(), ["c2 completed by Timer", "c2 closed Answered, log true"]);
    assert_eq!(place(&c, 1), Place::Parked, "it stays parked until it is activated");
}

// proves E5, B4, B5
#[test]
fn a_second_call_parks_the_wrap_up_of_the_first_and_all_go_on_one_after_the_other() {
    let mut c = with_a_chat_behind(|_| {});
    c.after_ms(15_500);
    c.call("c2").rings_at(&["anna"]);
    assert_eq!(c.status("anna"), Status::WrapUp, "ringing alone does not park");
    c.happened();
    c.call("c2").answered_by("anna");
    assert_eq!(c.happened(), ["c1 parked for anna by Call, left 44500", "c2 answered by anna"]);
    c.after(600);
    c.call("c2").ends();
    assert_eq!(c.happened(), ["c2 wrap-up of anna, runs 60000, has 60000", "c2 ended Answered"]);
    c.after(60);
    assert_eq!(
        c.happened(),
        ["c2 completed by Timer", "c2 closed Answered, log true", "c1 activated by anna, wrap-up 44500"]
    );
    c.restarts_after(30);
    c.happened();
    c.after_ms(44_500);
    assert_eq!(
        c.happened(),
        ["c1 completed by Timer", "c1 closed Answered, log true", "#1 activated by anna, wrap-up 60000"]
    );
}

// proves E5, B5
#[test]
fn a_call_that_only_rang_gives_the_wrap_up_of_the_one_before_back() {
    let mut c = with_a_chat_behind(|p| p.calls.park_on = ParkOn::Ringing);
    c.after(20);
    c.call("c2").rings_at(&["anna"]);
    c.call("c2").ends();
    assert_eq!(
        c.happened(),
        [
            "c1 parked for anna by Call, left 40000",
            "c2 rang at [anna]",
            "c2 ended Missed",
            "c2 closed Missed, log false",
            "c1 activated by anna, wrap-up 40000",
        ]
    );
    c.after(40);
    assert_eq!(c.happened()[2], "#1 activated by anna, wrap-up 60000", "nothing was forgotten");
}

// proves E5, B5
#[test]
fn taking_up_something_else_ends_what_goes_on_by_itself() {
    let mut c = with_a_chat_behind(|_| {});
    let item = n(&mut c, "c1");
    c.anna().parks(item);
    c.customer(2).starts();
    c.anna().accepts();
    c.anna().ends(2);
    c.anna().activates(item);
    c.happened();
    c.anna().completes(item);
    assert_eq!(c.happened(), ["c1 completed by Agent", "c1 closed Answered, log true"]);
    assert_eq!(place(&c, 1), Place::Parked);
}

// proves E5
#[test]
fn who_is_on_another_call_already_gets_no_wrap_up_of_the_one_that_ends() {
    let mut c = centre(|_| {});
    c.call("c1").answered_by("anna");
    c.call("c2").answered_by("anna");
    c.happened();
    c.call("c1").ends();
    assert_eq!(c.happened(), ["c1 ended Answered", "c1 closed Answered, log true"]);
    assert_eq!(c.status("anna"), Status::OnCall);
    c.call("c2").ends();
    assert_eq!(c.happened(), ["c2 wrap-up of anna, runs 60000, has 60000", "c2 ended Answered"]);
}

// proves E5, E1
#[test]
fn of_a_transferred_call_the_last_agent_has_the_wrap_up() {
    let mut c = centre(|_| {});
    c.call("c1").answered_by("ben");
    c.happened();
    c.call("c1").transferred_to("anna");
    assert_eq!(c.happened(), ["c1 transferred from ben to anna"]);
    assert_eq!(c.status("ben"), Status::Present { presence: Presence::Available });
    c.call("c1").ends();
    assert_eq!(c.happened(), ["c1 wrap-up of anna, runs 60000, has 60000", "c1 ended Answered"]);
}

// proves E5, C3
#[test]
fn a_wish_made_during_the_call_comes_due_after_its_wrap_up() {
    let mut c = centre(|_| {});
    c.call("c1").answered_by("anna");
    c.anna().goes(on_break("lunch"));
    c.call("c1").ends();
    assert_eq!(c.presence("anna"), Presence::Available);
    c.after(60);
    assert_eq!(c.presence("anna"), on_break("lunch"));
}

// proves E5, A1
#[test]
fn going_offline_completes_the_wrap_up_of_a_call() {
    let mut c = in_wrap_up(|_| {});
    c.anna().cannot(Code::NeedsConfirmation, |anna| anna.goes(Presence::Offline));
    c.anna().goes_offline_for_sure();
    assert_eq!(
        c.happened(),
        ["c1 completed by Offline", "c1 closed Answered, log true", "anna is Offline (Chosen)"]
    );
}

// proves E5, A17
#[test]
fn the_wrap_up_of_a_call_stays_with_an_agent_who_is_lost() {
    let mut c =
        in_wrap_up(|p| p.calls.wrap_up = Some(WrapUp { time: Some(Millis::secs(600)), ..WrapUp::default() }));
    c.anna().disconnects();
    c.after(90);
    assert_eq!(c.happened(), ["anna disconnected", "anna is Offline (Lost)"]);
    c.after(510);
    assert_eq!(c.happened(), ["c1 completed by Timer", "c1 closed Answered, log true"]);
}

// proves E5, A17
#[test]
fn an_agent_whose_connection_is_gone_is_lost_only_after_the_call() {
    let mut c = centre(|_| {});
    c.call("c1").answered_by("anna");
    c.anna().disconnects();
    c.after(3_600);
    c.happened();
    c.call("c1").ends();
    c.after(1);
    assert_eq!(
        c.happened(),
        ["c1 wrap-up of anna, runs 60000, has 60000", "c1 ended Answered", "anna is Offline (Lost)"]
    );
}

// proves E5, A15
#[test]
fn a_supervisor_finishes_the_wrap_up_of_a_call_or_sends_the_agent_away() {
    let mut c = in_wrap_up(|_| {});
    let interaction = c.call_id("c1");
    let reason = "gone home".to_owned();
    c.ben()
        .wishes(Wish::Supervise { act: SupervisorAct::FinishWrapUp { interaction }, reason: reason.clone() });
    assert_eq!(
        c.happened(),
        ["ben acted on anna: gone home", "c1 completed by Supervisor", "c1 closed Answered, log true"]
    );
    let mut c = in_wrap_up(|_| {});
    let act = SupervisorAct::SetPresence { agent: agent("anna"), presence: Presence::Offline };
    c.ben().wishes(Wish::Supervise { act, reason });
    assert_eq!(
        c.happened(),
        [
            "ben acted on anna: gone home",
            "c1 completed by Offline",
            "c1 closed Answered, log true",
            "anna is Offline (Supervisor)"
        ]
    );
}

// proves E5, E4, D6
#[test]
fn the_log_is_decided_when_the_wrap_up_is_done_and_a_recording_waits_for_that() {
    let mut c = in_wrap_up(|_| {});
    let item = n(&mut c, "c1");
    c.call("c1").recorded_as(70);
    assert_eq!(c.happened(), ["c1 recorded, log false"], "no log is there yet to bring up to date");
    c.call("c1").recorded_as(70);
    c.call("c1").answered_by("ben");
    c.call("c1").ends();
    assert_eq!(c.happened(), Vec::<String>::new());
    c.anna().completes(item);
    c.happened();
    c.call("c1").recorded_as(70);
    c.call("c1").recorded_as(71);
    assert_eq!(c.happened(), ["c1 recorded, log true"]);
    // Settings that change meanwhile count.
    let mut c = in_wrap_up(|_| {});
    let mut policy = c.policy();
    policy.calls.log = CallLogs::None;
    c.configures(policy);
    c.happened();
    c.after(60);
    assert_eq!(c.happened(), ["c1 completed by Timer", "c1 closed Answered, log false"]);
    c.call("c1").recorded_as(71);
    assert_eq!(c.happened(), ["c1 recorded, log false"]);
}

// proves E5, G1
#[test]
fn a_call_is_among_the_latest_once_its_wrap_up_is_done() {
    let mut c = in_wrap_up(|_| {});
    assert_eq!(c.engine.recent_logs(&agent("anna")).count(), 0);
    c.after(60);
    let (id, closed) = c.engine.recent_logs(&agent("anna")).next().unwrap();
    let (id, call) = (id, closed.call);
    assert_eq!((id, call), (c.call_id("c1"), Some(Direction::Inbound)));
    assert_eq!(c.engine.recent_logs(&agent("anna")).count(), 1);
}

// proves E5
#[test]
fn a_call_in_wrap_up_is_nobody_elses_chat() {
    let mut c = in_wrap_up(|_| {});
    let (item, id) = (n(&mut c, "c1"), c.call_id("c1"));
    c.anna().cannot(Code::WrongState, |anna| anna.writes(item, 5));
    c.anna().cannot(Code::WrongState, |anna| anna.wishes(Wish::OpenCase { interaction: id }));
    c.ben().cannot(Code::NotFound, |ben| ben.completes(item));
    c.customer(1).cannot(Code::NotFound, |customer| customer.ends(item));
    let back = Wish::ReturnToChat { interaction: id, fresh: chat(9) };
    c.customer(1).cannot(Code::Expired, |customer| customer.wishes(back));
}

// proves C8, E5
#[test]
fn the_hard_maximum_stands_still_on_the_phone_and_goes_on_from_there() {
    let mut c = in_wrap_up(|p| {
        p.calls.wrap_up = Some(WrapUp { time: None, max: Some(Millis::secs(100)), ..WrapUp::default() });
    });
    let item = n(&mut c, "c1");
    c.after(40);
    c.call("c2").rings_at(&["anna"]);
    c.after(10);
    c.call("c2").answered_by("anna");
    assert_eq!(
        maximum(&c, item),
        WrapClock::Stopped { left: Millis::secs(50) },
        "ringing counts, talking does not"
    );
    c.after(3_600);
    c.restarts_after(600);
    c.call("c3").dialled_by("anna");
    c.call("c2").ends();
    assert_eq!(maximum(&c, item), WrapClock::Stopped { left: Millis::secs(50) }, "still on the phone");
    c.call("c3").ends();
    assert_eq!(maximum(&c, item), WrapClock::Running { deadline: c.now + Millis::secs(50) });
    c.happened();
    c.after_ms(49_999);
    assert_eq!(c.happened(), Vec::<String>::new());
    c.after_ms(1);
    assert_eq!(c.happened()[0], "c1 completed by Maximum");
}

// proves E5
#[test]
fn who_is_offline_and_talks_all_the_same_has_wrap_up_that_ends_by_itself() {
    let mut c = centre(|_| {});
    c.anna().goes(Presence::Offline);
    c.call("c1").answered_by("anna");
    c.call("c1").ends();
    assert_eq!(c.status("anna"), Status::WrapUp);
    assert_eq!(c.presence("anna"), Presence::Offline, "calls do not touch presence");
    c.after(60);
    assert_eq!(c.status("anna"), Status::Present { presence: Presence::Offline });
}

// proves E5, A15
#[test]
fn who_is_sent_away_during_a_call_loses_what_was_in_hand_and_not_the_call() {
    let mut c = centre(|_| {});
    c.customer(1).starts();
    c.anna().accepts();
    c.call("c1").answered_by("anna");
    c.customer(1).ends(1);
    let act = SupervisorAct::SetPresence { agent: agent("anna"), presence: Presence::Offline };
    c.happened();
    c.ben().wishes(Wish::Supervise { act, reason: "fire drill".to_owned() });
    assert_eq!(
        c.happened(),
        [
            "ben acted on anna: fire drill",
            "#1 completed by Offline, unseen",
            "#1 closed Answered, log true",
            "anna is Offline (Supervisor)"
        ]
    );
    assert_eq!(c.status("anna"), Status::OnCall);
    c.call("c1").ends();
    c.after(60);
    assert_eq!(
        c.happened(),
        [
            "c1 wrap-up of anna, runs 60000, has 60000",
            "c1 ended Answered",
            "c1 completed by Timer",
            "c1 closed Answered, log true"
        ]
    );
}

// proves E5, E1
#[test]
fn an_agent_whom_settings_take_away_in_the_wrap_up_of_a_call_leaves_nothing_behind() {
    let mut c = in_wrap_up(|_| {});
    let mut policy = c.policy();
    policy.agents.remove(&agent("anna"));
    c.configures(policy);
    assert_eq!(
        c.happened(),
        [
            "c1 completed by Offline",
            "c1 closed Answered, log true",
            "anna is Offline (Removed)",
            "configured"
        ]
    );
    assert!(c.engine.next_deadline().is_none());
    c.call("c1").recorded_as(70);
    assert_eq!(c.happened(), ["c1 recorded, log true"]);
}

// proves E5, C8
#[test]
fn a_wrap_up_that_a_call_parked_may_run_into_its_maximum_before_that_of_the_call_is_done() {
    let mut c = with_a_chat_behind(|p| support(p).wrap_up.max = Some(Millis::secs(30)));
    c.happened();
    c.after(60);
    assert_eq!(
        c.happened(),
        [
            "#1 completed by Maximum, unseen",
            "#1 closed Answered, log true",
            "c1 completed by Timer",
            "c1 closed Answered, log true"
        ]
    );
}
