//! B14, B16: a case in mid-chat, and sharing the history.

use crate::centre::*;
use tieline_model::command::Notice;
use tieline_model::event::Suggestion;
use tieline_model::live::Status;
use tieline_model::policy::{Escalate, InactivityMode, TenantPolicy};
use tieline_model::{Code, Millis};

fn handling() -> Centre {
    handling_with(|_| {})
}

fn handling_with(change: impl FnOnce(&mut TenantPolicy)) -> Centre {
    let mut c = Centre::with(change);
    c.customer(1).starts();
    c.after(10);
    c.anna().accepts();
    c.happened();
    c
}

fn nothing() -> Vec<String> {
    Vec::new()
}

// proves B16
#[test]
fn a_long_chat_suggests_a_case_once() {
    let mut c = handling();
    c.after_ms(15 * 60_000 - 1);
    assert_eq!(c.happened(), nothing(), "counted from when an agent had it");
    c.after_ms(1);
    assert_eq!(c.happened(), ["#1 suggested OpenCase"]);
    c.customer(1).writes(1, 1);
    c.happened();
    c.after(3_600);
    assert_eq!(c.happened(), nothing(), "suggested is suggested, by the other trigger too");
}

// proves B16, B7
#[test]
fn an_old_question_suggests_a_case_counted_from_the_first() {
    let mut c = handling();
    c.customer(1).writes(1, 1);
    c.after(120);
    c.customer(1).writes(1, 1);
    c.happened();
    c.after(179);
    assert_eq!(c.happened(), nothing());
    c.after(1);
    assert_eq!(c.happened(), ["#1 suggested OpenCase"]);
    let mut c = handling();
    c.customer(1).writes(1, 1);
    c.after(299);
    c.anna().writes(1, 1);
    c.happened();
    c.after(500);
    assert_eq!(c.happened(), nothing(), "answered in time");
}

// proves B16
#[test]
fn one_click_opens_the_case_and_the_chat_goes_on() {
    let mut c = handling();
    c.after(15 * 60);
    c.happened();
    c.anna().opens_case(1);
    assert_eq!(c.happened(), ["#1 case opened by anna"]);
    assert!(c.seen(1).case_opened && c.seen(1).suggested.is_empty());
    assert_eq!(c.status("anna"), Status::HandlingChat);
    c.anna().writes(1, 1);
    c.customer(1).writes(1, 1);
    c.happened();
    c.anna().opens_case(1);
    assert_eq!(c.happened(), nothing(), "one case");
    c.after(3_600);
    assert_eq!(c.happened(), nothing(), "none is suggested where one is open");
}

// proves B16
#[test]
fn a_case_is_opened_by_the_owner_in_progress_parked_too() {
    let mut c = handling();
    c.ben().cannot(Code::NotFound, |ben| ben.opens_case(1));
    c.customer(1).cannot(Code::NotPermitted, |one| one.opens_case(1));
    c.anna().parks(1);
    c.anna().opens_case(1);
    let mut c = handling();
    c.anna().ends(1);
    c.anna().cannot(Code::WrongState, |anna| anna.opens_case(1));
}

// proves B16
#[test]
fn each_trigger_is_set_by_itself_or_off() {
    let off = Escalate { after: None, unanswered: None, update_after: None };
    let mut c = handling_with(|p| support(p).escalate = off);
    c.customer(1).writes(1, 1);
    c.happened();
    c.after(86_400);
    assert_eq!(c.happened(), nothing());
    let mut c = handling_with(|p| support(p).escalate = Escalate { after: Some(Millis::secs(60)), ..off });
    c.customer(1).writes(1, 1);
    c.happened();
    c.after(60);
    assert_eq!(c.happened(), ["#1 suggested OpenCase"]);
    let mut c =
        handling_with(|p| support(p).escalate = Escalate { unanswered: Some(Millis::secs(60)), ..off });
    c.after(600);
    assert_eq!(c.happened(), nothing());
    c.customer(1).writes(1, 1);
    c.happened();
    c.after(60);
    assert_eq!(c.happened(), ["#1 suggested OpenCase"]);
}

// proves B16, B12, A17
#[test]
fn a_new_agent_is_advised_anew_unless_the_case_is_open() {
    let mut c = handling();
    c.after(15 * 60);
    c.anna().transfers_to(1, "ben");
    c.ben().accepts();
    c.happened();
    c.after(0);
    assert_eq!(c.happened(), ["#1 suggested OpenCase"], "the chat is as long as it is");
    c.ben().opens_case(1);
    c.ben().transfers_to(1, "anna");
    c.anna().accepts();
    c.happened();
    c.after(3_600);
    assert_eq!(c.happened(), nothing());
    let mut c = handling();
    c.after(15 * 60);
    c.anna().goes_offline_for_sure();
    assert!(c.seen(1).suggested.is_empty(), "nobody to advise");
    c.ben().accepts();
    c.happened();
    c.after(0);
    assert_eq!(c.happened(), ["#1 suggested OpenCase"]);
}

// proves B16
#[test]
fn a_chat_that_only_waits_is_no_case_yet() {
    let mut c = Centre::closed(|_| {});
    c.customer(1).starts();
    c.customer(1).writes(1, 1);
    c.happened();
    c.after(3_600);
    assert_eq!(c.happened(), nothing());
}

// proves B16
#[test]
fn a_few_minutes_are_asked_for_and_the_agent_is_reminded() {
    let mut c = handling();
    c.customer(1).writes(1, 1);
    let asked = c.seen(1).unanswered_since;
    c.anna().notices(1, Notice::FewMinutes);
    assert_eq!(c.seen(1).unanswered_since, asked, "no answer to the question");
    c.happened();
    c.after(299);
    assert_eq!(c.happened(), nothing());
    c.after(1);
    assert_eq!(c.happened(), ["#1 suggested OpenCase", "#1 suggested Update"]);
    c.anna().writes(1, 1);
    assert!(!c.seen(1).suggested.contains(&Suggestion::Update));
    c.anna().notices(1, Notice::FewMinutes);
    c.anna().writes(1, 1);
    c.happened();
    c.after(400);
    assert_eq!(c.happened(), nothing(), "the customer was told in time");
}

// proves B16
#[test]
fn a_second_request_for_time_begins_the_reminder_anew() {
    let mut c = handling();
    c.anna().notices(1, Notice::FewMinutes);
    c.after(200);
    c.anna().notices(1, Notice::FewMinutes);
    c.happened();
    c.after(299);
    assert_eq!(c.happened(), nothing());
    c.after(1);
    assert_eq!(c.happened(), ["#1 suggested Update"]);
    c.customer(1).ends(1);
    assert!(c.seen(1).suggested.is_empty() && c.seen(1).update_due.is_none());
}

// proves B8, B16, B17
#[test]
fn the_way_of_etiquette_nudges_first_and_suggests_the_case_after_a_quarter_of_an_hour() {
    let mut c = handling_with(|p| support(p).inactivity.mode = InactivityMode::Suggest);
    c.customer(1).writes(1, 1);
    c.after(20);
    c.anna().writes(1, 1);
    c.happened();
    c.after(180);
    c.anna().notices(1, Notice::Nudge);
    c.after(120);
    assert_eq!(c.happened(), ["#1 suggested Nudge", "#1 notice Nudge by anna", "#1 suggested End"]);
    c.customer(1).writes(1, 1);
    c.anna().writes(1, 1);
    c.customer(1).writes(1, 1);
    c.happened();
    c.after(300);
    assert_eq!(c.happened(), ["#1 suggested OpenCase"]);
    c.after(600);
    c.anna().writes(1, 1);
    assert_eq!((c.seen(1).service.replies, c.seen(1).service.replies_in_time), (3, 2));
}

// proves B16, F2
#[test]
fn escalation_goes_by_the_wall_clock() {
    let mut c = handling();
    c.after(600);
    c.restarts_after(300);
    c.happened();
    c.after(0);
    assert_eq!(c.happened(), ["#1 suggested OpenCase"], "the customer has waited all the same");
}

// proves B14
#[test]
fn the_history_is_shared_under_a_link_that_expires() {
    let mut c = handling_with(|p| support(p).share_for = Millis::secs(3_600));
    c.anna().shares(1);
    assert_eq!(c.happened(), ["#1 shared by anna, for 3600000"]);
    c.anna().parks(1);
    c.anna().shares(1);
    c.customer(1).ends(1);
    c.anna().shares(1);
    assert_eq!(c.happened().iter().filter(|line| line.contains("shared")).count(), 2, "in wrap-up too");
    c.ben().cannot(Code::NotFound, |ben| ben.shares(1));
    c.customer(1).cannot(Code::NotPermitted, |one| one.shares(1));
    c.anna().completes(1);
    c.anna().cannot(Code::NotFound, |anna| anna.shares(1));
}

// proves B14
#[test]
fn each_link_has_a_name_of_its_own() {
    let mut c = handling();
    let share = |c: &Centre| {
        let command = tieline_model::Command {
            id: "share".parse().unwrap(),
            by: tieline_model::Actor::Agent { agent: agent("anna") },
            wish: tieline_model::Wish::ShareHistory { interaction: chat(1) },
        };
        match &c.engine.decide(c.now, &command).unwrap()[..] {
            [tieline_model::Event::HistoryShared { share, .. }] => *share,
            other => panic!("{other:?}"),
        }
    };
    let first = share(&c);
    assert_eq!(first, share(&c), "the same on every replay");
    c.anna().shares(1);
    assert_ne!(first, share(&c));
}

// proves B14
#[test]
fn a_call_in_wrap_up_has_nothing_to_share() {
    let mut c = Centre::with(|p| p.calls.wrap_up = Some(tieline_model::policy::WrapUp::default()));
    c.call("c1").answered_by("anna");
    c.call("c1").ends();
    let call = c.call_id("c1");
    let wish = tieline_model::Wish::ShareHistory { interaction: call };
    c.anna().cannot(Code::WrongState, |anna| anna.wishes(wish));
}
