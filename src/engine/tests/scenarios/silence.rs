//! B8: the customer owes the reply and stays silent.

use crate::centre::*;
use crate::verbs::*;
use tieline_engine::{Stage, Talk};
use tieline_model::Code;
use tieline_model::command::Notice;
use tieline_model::crm::Side;
use tieline_model::event::Suggestion;
use tieline_model::live::{Place, Status};
use tieline_model::policy::InactivityMode;

fn handling(mode: InactivityMode) -> Centre {
    let mut c = Centre::with(|p| support(p).inactivity.mode = mode);
    c.customer(1).starts();
    c.anna().accepts();
    c.happened();
    c
}

fn nothing() -> Vec<String> {
    Vec::new()
}

/// Nudged after 3 minutes, ended after 2 more.
fn nudged(mode: InactivityMode) -> Centre {
    let mut c = handling(mode);
    c.anna().writes(1, 1);
    c.after(180);
    c.happened();
    c
}

// proves B8
#[test]
fn without_the_policy_the_customer_has_no_limit() {
    let mut c = handling(InactivityMode::Off);
    c.anna().writes(1, 1);
    c.anna().opens_case(1);
    c.happened();
    c.after(86_400);
    assert_eq!(c.happened(), nothing());
}

// proves B8
#[test]
fn by_itself_comes_a_nudge_and_then_the_end() {
    let mut c = handling(InactivityMode::Auto);
    c.anna().writes(1, 1);
    c.happened();
    c.after_ms(179_999);
    assert_eq!(c.happened(), nothing(), "never early");
    c.after_ms(1);
    assert_eq!(c.happened(), ["#1 notice Nudge"]);
    c.after_ms(119_999);
    assert_eq!(c.happened(), nothing());
    c.after_ms(1);
    assert_eq!(
        c.happened(),
        ["#1 notice Closing", "#1 ended by System", "#1 wrap-up of anna, runs 60000, has 60000"]
    );
    assert_eq!(c.status("anna"), Status::WrapUp);
}

// proves B8, B13
#[test]
fn an_end_for_silence_is_shown_like_one_by_the_customer() {
    let mut c = nudged(InactivityMode::Auto);
    c.anna().parks(1);
    c.after(120);
    match &c.seen(1).stage {
        Stage::Owned { place: Place::Parked, talk: Talk::WrapUp { ended_by, seen, .. }, .. } => {
            assert_eq!((*ended_by, *seen), (Side::System, false));
        }
        other => panic!("{other:?}"),
    }
    c.happened();
    c.anna().sees_end(1);
    assert_eq!(c.happened(), ["#1 end seen"]);
    let mut c = nudged(InactivityMode::Auto);
    c.after(120);
    c.happened();
    c.after(60);
    assert_eq!(c.happened()[0], "#1 completed by Timer, unseen", "it is listed for follow-up");
}

// proves B8
#[test]
fn what_is_suggested_the_agent_does() {
    let mut c = handling(InactivityMode::Suggest);
    c.anna().writes(1, 1);
    c.happened();
    c.after(180);
    assert_eq!(c.happened(), ["#1 suggested Nudge"]);
    assert!(c.seen(1).suggested.contains(&Suggestion::Nudge));
    c.after(240);
    assert_eq!(c.happened(), nothing(), "the end comes after a nudge, and the agent has sent none");
    c.anna().notices(1, Notice::Nudge);
    assert_eq!(c.happened(), ["#1 notice Nudge by anna"]);
    assert!(c.seen(1).suggested.is_empty());
    c.after(120);
    assert_eq!(c.happened(), ["#1 suggested End"]);
    c.anna().notices(1, Notice::Closing);
    c.anna().ends(1);
    assert_eq!(
        c.happened(),
        ["#1 notice Closing by anna", "#1 ended by Agent", "#1 wrap-up of anna, runs 60000, has 60000"]
    );
}

// proves B8
#[test]
fn it_runs_only_while_the_customer_owes_the_reply() {
    for mode in [InactivityMode::Auto, InactivityMode::Suggest] {
        let mut c = handling(mode);
        c.after(200);
        assert_eq!(c.happened(), nothing(), "the agent has not written yet");
        c.customer(1).writes(1, 1);
        c.happened();
        c.after(200);
        assert_eq!(c.happened(), nothing(), "the agent owes the reply");
        c.anna().writes(1, 1);
        c.after(179);
        c.customer(1).writes(1, 1);
        c.happened();
        c.after(110);
        assert_eq!(c.happened(), nothing(), "the customer has replied in time");
    }
}

// proves B8
#[test]
fn a_message_of_the_customer_takes_nudge_and_suggestion_away() {
    let mut c = nudged(InactivityMode::Auto);
    c.customer(1).writes(1, 1);
    assert_eq!(c.seen(1).silence, None);
    let mut c = nudged(InactivityMode::Suggest);
    c.customer(1).sends_file(1, 10, "image/png");
    assert!(c.seen(1).suggested.is_empty());
    assert_eq!(c.seen(1).silence, None);
}

// proves B8
#[test]
fn each_message_of_the_agent_starts_the_clock_anew() {
    let mut c = handling(InactivityMode::Auto);
    c.anna().writes(1, 1);
    c.after(170);
    c.anna().writes(1, 1);
    c.happened();
    c.after(179);
    assert_eq!(c.happened(), nothing());
    c.after(1);
    assert_eq!(c.happened(), ["#1 notice Nudge"]);
    c.anna().writes(1, 1);
    c.happened();
    c.after(179);
    assert_eq!(c.happened(), nothing(), "from the beginning, nudge and all");
    c.after(1);
    assert_eq!(c.happened(), ["#1 notice Nudge"]);
}

// proves B8
#[test]
fn a_nudge_by_the_agent_counts_as_the_nudge() {
    let mut c = handling(InactivityMode::Auto);
    c.anna().writes(1, 1);
    c.after(60);
    c.anna().notices(1, Notice::Nudge);
    c.happened();
    c.after(119);
    assert_eq!(c.happened(), nothing());
    c.after(1);
    assert_eq!(c.happened()[..2], ["#1 notice Closing", "#1 ended by System"]);
    let mut c = handling(InactivityMode::Auto);
    c.customer(1).writes(1, 1);
    c.anna().notices(1, Notice::Nudge);
    assert_eq!(c.seen(1).silence, None, "a customer who waits is not silent");
}

// proves B1, B8
#[test]
fn notices_that_the_agent_sends_are_three_and_need_the_active_chat() {
    let mut c = handling(InactivityMode::Off);
    for notice in [Notice::Transferred, Notice::AgentLost, Notice::Overflowed, Notice::Offline] {
        let refusal = c.anna().cannot(Code::Invalid, |anna| anna.notices(1, notice));
        assert_eq!(refusal.field.as_deref(), Some("notice"));
    }
    c.anna().parks(1);
    c.anna().cannot(Code::NotActive, |anna| anna.notices(1, Notice::Nudge));
    c.ben().cannot(Code::NotFound, |ben| ben.notices(1, Notice::Nudge));
    c.anna().activates(1);
    let mut p = c.policy();
    support(&mut p).wording.few_minutes = String::new();
    c.configures(p);
    let refusal = c.anna().cannot(Code::Invalid, |anna| anna.notices(1, Notice::FewMinutes));
    assert!(refusal.message.contains("no wording"), "{refusal:?}");
    c.anna().ends(1);
    c.anna().cannot(Code::WrongState, |anna| anna.notices(1, Notice::Nudge));
}

// proves B8, B2, B4
#[test]
fn parking_and_calls_do_not_stop_it() {
    let mut c = handling(InactivityMode::Auto);
    c.anna().writes(1, 1);
    c.anna().parks(1);
    c.after(100);
    c.call("c1").answered_by("anna");
    c.happened();
    c.after(80);
    assert_eq!(c.happened(), ["#1 notice Nudge"]);
    c.after(120);
    assert_eq!(
        c.happened(),
        ["#1 notice Closing", "#1 ended by System", "#1 wrap-up of anna, runs no limit, has 60000"]
    );
    assert_eq!(place(&c, 1), Place::Parked);
}

// proves B8, B12
#[test]
fn an_open_transfer_ends_with_the_chat() {
    let mut c = Centre::with(|p| {
        support(p).inactivity.mode = InactivityMode::Auto;
        support(p).accept_within = tieline_model::Millis::secs(600);
    });
    c.customer(1).starts();
    c.anna().accepts();
    c.anna().writes(1, 1);
    c.after(180);
    c.anna().transfers_to(1, "ben");
    c.happened();
    c.after(120);
    assert_eq!(
        c.happened()[..3],
        [
            "#1 notice Closing",
            "#1 transfer to ben failed (Withdrawn { why: TransferCancelled })",
            "#1 ended by System",
        ]
    );
}

// proves B8, B12, A15
#[test]
fn with_a_new_agent_nobody_owes_a_reply_yet() {
    let accepted = |c: &mut Centre| {
        c.anna().transfers_to(1, "ben");
        c.ben().accepts();
    };
    let queued = |c: &mut Centre| c.anna().transfers_to_queue(1, "support");
    let offline = |c: &mut Centre| c.anna().goes_offline_for_sure();
    for moves in [&accepted as &dyn Fn(&mut Centre), &queued, &offline] {
        for mode in [InactivityMode::Auto, InactivityMode::Suggest] {
            let mut c = nudged(mode);
            moves(&mut c);
            assert_eq!(c.seen(1).silence, None);
            assert!(c.seen(1).suggested.is_empty());
        }
    }
    let mut c = nudged(InactivityMode::Auto);
    accepted(&mut c);
    c.ben().writes(1, 1);
    c.happened();
    c.after(180);
    assert_eq!(c.happened(), ["#1 notice Nudge"], "the clock begins with the new agent's words");
}

// proves B8, F2
#[test]
fn the_time_in_which_the_daemon_is_down_is_not_counted() {
    let mut c = handling(InactivityMode::Auto);
    c.anna().writes(1, 1);
    c.after(100);
    c.restarts_after(300);
    c.anna().connects();
    c.ben().connects();
    c.happened();
    c.after(79);
    assert_eq!(c.happened(), nothing());
    c.after(1);
    assert_eq!(c.happened(), ["#1 notice Nudge"]);
}

// proves B8
#[test]
fn a_policy_that_is_switched_off_stops_the_clock() {
    for mode in [InactivityMode::Auto, InactivityMode::Suggest] {
        let mut c = nudged(mode);
        let mut p = c.policy();
        support(&mut p).inactivity.mode = InactivityMode::Off;
        c.configures(p);
        c.happened();
        assert_eq!(c.seen(1).silence, None);
        assert!(c.seen(1).suggested.is_empty());
        c.after(300);
        assert_eq!(c.happened(), nothing());
    }
}

// proves B8
#[test]
fn a_policy_that_changes_in_between_takes_effect_at_the_next_step() {
    let mut c = nudged(InactivityMode::Auto);
    let mut p = c.policy();
    support(&mut p).inactivity.mode = InactivityMode::Suggest;
    c.configures(p);
    c.happened();
    c.after(120);
    assert_eq!(c.happened(), ["#1 suggested End"], "nothing is ended that the policy leaves to the agent");
    let mut c = handling(InactivityMode::Off);
    c.anna().writes(1, 1);
    let mut p = c.policy();
    support(&mut p).inactivity.mode = InactivityMode::Auto;
    c.configures(p);
    c.happened();
    c.after(200);
    assert_eq!(c.happened(), nothing(), "it begins with the next message of the agent");
    c.anna().writes(1, 1);
    c.happened();
    c.after(180);
    assert_eq!(c.happened(), ["#1 notice Nudge"]);
}

// proves B8
#[test]
fn the_words_are_the_queue_s_and_the_clock_goes_on_without_any() {
    let mut c = nudged(InactivityMode::Auto);
    let mut p = c.policy();
    support(&mut p).wording.nudge = String::new();
    support(&mut p).wording.closing = String::new();
    c.configures(p);
    c.anna().writes(1, 1);
    c.happened();
    c.after(300);
    let happened = c.happened();
    assert!(happened.contains(&"#1 ended by System".to_owned()), "{happened:?}");
    assert!(!happened.contains(&"#1 notice Closing".to_owned()), "{happened:?}");
}

// proves B8, B12, A15
#[test]
fn the_words_of_a_guest_are_the_agent_s_side_too() {
    let mut c = handling(InactivityMode::Auto);
    c.anna().consults(1, "ben");
    c.ben().accepts();
    c.ben().writes(1, 1);
    c.happened();
    c.after(180);
    assert_eq!(c.happened(), ["#1 notice Nudge"]);
}
