//! B15: customers who come back.

use crate::centre::*;
use crate::verbs::*;
use std::collections::BTreeMap;
use tieline_engine::{Stage, Talk};
use tieline_model::command::{Open, Presence};
use tieline_model::live::{Place, Status};
use tieline_model::policy::{Delivery, TenantPolicy};
use tieline_model::{Actor, Code, Millis, ScheduleId, Wish};

/// Anna's chat 1 has just ended; its wrap-up is active. Ben is Available.
fn ended() -> Centre {
    ended_with(|_| {})
}

fn ended_with(change: impl FnOnce(&mut TenantPolicy)) -> Centre {
    let mut c = Centre::with(change);
    c.customer(1).starts_marked(&["visitor-1"]);
    c.anna().accepts();
    c.customer(1).ends(1);
    c.after(20);
    c.happened();
    c
}

/// And completed.
fn closed() -> Centre {
    closed_with(|_| {})
}

fn closed_with(change: impl FnOnce(&mut TenantPolicy)) -> Centre {
    let mut c = ended_with(change);
    c.anna().completes(1);
    c.happened();
    c
}

fn office() -> ScheduleId {
    "office".parse().unwrap()
}

/// "support" has office hours, and they are over `secs` from now.
fn closes_after(c: &mut Centre, secs: u64) {
    let open = Open { from: c.now, until: c.now + Millis::secs(secs) };
    c.does(Actor::Daemon, Wish::SetHours { hours: BTreeMap::from([(office(), vec![open])]) });
    c.happened();
}

// proves B15, B13
#[test]
fn a_return_during_wrap_up_cancels_it_and_goes_on_with_the_same_agent() {
    let mut c = ended();
    c.customer(1).returns(1, 11);
    assert_eq!(c.happened(), ["#1 reopened with anna"]);
    assert_eq!((owner(&c, 1), place(&c, 1)), ("anna".to_owned(), Place::Active));
    assert_eq!(c.status("anna"), Status::HandlingChat);
    c.customer(1).writes(1, 1);
    c.anna().writes(1, 1);
    c.happened();
    c.after(600);
    assert_eq!(c.happened(), Vec::<String>::new(), "no countdown is left");
    c.customer(1).returns(1, 11);
    assert_eq!(c.happened(), Vec::<String>::new(), "it goes on already");
    c.anna().ends(1);
    assert_eq!(c.happened(), ["#1 ended by Agent", "#1 wrap-up of anna, runs 60000, has 60000"]);
    assert_eq!(c.engine.agent(&agent("anna")).unwrap().today.chats, 1, "one chat");
}

// proves B15, B2
#[test]
fn a_parked_wrap_up_goes_on_as_a_parked_chat() {
    let mut c = ended();
    c.anna().parks(1);
    c.happened();
    c.customer(1).returns(1, 11);
    assert_eq!(c.happened(), ["#1 reopened with anna"]);
    assert_eq!(place(&c, 1), Place::Parked);
    c.anna().activates(1);
    c.anna().writes(1, 1);
}

// proves B15, B5
#[test]
fn one_who_returns_during_the_call_finds_the_chat_parked_after_it() {
    let mut c = Centre::new();
    c.customer(1).starts();
    c.anna().accepts();
    c.call("c1").answered_by("anna");
    c.customer(1).ends(1);
    c.customer(1).returns(1, 11);
    c.happened();
    c.call("c1").ends();
    assert_eq!(c.happened(), ["c1 ended Answered", "c1 closed Answered, log true"]);
    assert!(matches!(c.seen(1).stage, Stage::Owned { place: Place::Parked, talk: Talk::Open { .. }, .. }));
}

// proves B15, A3
#[test]
fn a_chat_that_had_not_been_opened_comes_back_as_a_new_one() {
    let mut c = Centre::with(|p| {
        support(p).delivery = Delivery::Auto;
        of(p, "ben").queues.clear();
    });
    c.customer(1).starts();
    c.after(50);
    c.customer(1).ends(1);
    c.customer(1).returns(1, 11);
    c.happened();
    assert_eq!(place(&c, 1), Place::New);
    c.after(59);
    assert_eq!(c.happened(), Vec::<String>::new());
    c.after(1);
    assert_eq!(c.happened()[0], "#1 returned from anna (Unopened)", "it does not lie there for ever");
}

// proves B15, A12
#[test]
fn opening_hours_apply_to_a_return_in_wrap_up() {
    let mut c = Centre::with(|p| support(p).hours = Some(office()));
    closes_after(&mut c, 100);
    c.customer(1).starts();
    c.anna().accepts();
    c.after(90);
    c.customer(1).ends(1);
    c.after(10);
    c.customer(1).cannot(Code::Expired, |one| one.returns(1, 11));
}

// proves B15, A1
#[test]
fn an_agent_who_takes_nothing_new_is_not_gone_back_to() {
    for presence in [Presence::StopNew, Presence::Offline] {
        let mut c = ended();
        c.anna().parks(1);
        if presence == Presence::StopNew {
            c.anna().goes(Presence::StopNew);
        } else {
            // Lost: wrap-ups stay, the presence is Offline (A17).
            c.anna().disconnects();
            c.after(90);
        }
        assert_eq!(c.presence("anna"), presence);
        c.customer(1).cannot(Code::Expired, |one| one.returns(1, 11));
    }
    let mut c = ended();
    c.anna().parks(1);
    c.anna().goes(on_break("lunch"));
    c.customer(1).returns(1, 11);
    assert!(!in_wrap_up(c.seen(1)), "a break is no such thing");
}

// proves B15, C7
#[test]
fn a_blocked_visitor_does_not_come_back() {
    let mut c = ended_with(|p| support(p).block_abusive = true);
    c.anna().flags(1);
    c.customer(1).cannot(Code::Blocked, |one| one.returns(1, 11));
    c.anna().completes(1);
    c.customer(1).cannot(Code::Blocked, |one| one.returns(1, 11));
}

// proves B15
#[test]
fn soon_after_it_is_a_new_interaction_in_the_same_conversation() {
    let mut c = closed();
    let conversation = Actor::Customer { conversation: c.conversation_of(1) };
    c.after(500);
    c.happened();
    c.customer(1).returns(1, 11);
    assert_eq!(c.happened(), ["#11 started in support", "#11 offered to anna, v1, for 30000"]);
    let fresh = c.seen(11);
    assert_eq!(Actor::Customer { conversation: fresh.conversation }, conversation);
    assert_eq!((fresh.previous, fresh.preferred.clone()), (Some(chat(1)), Some(agent("anna"))));
    assert_eq!(fresh.marks, marks(&["visitor-1"]));
    c.anna().accepts();
    c.customer(1).writes(11, 1);
}

// proves B15, A11
#[test]
fn the_same_agent_is_first_if_free_else_anybody_is() {
    let mut c = closed();
    // Ben has been without work for longer, and yet.
    c.customer(1).returns(1, 11);
    assert_eq!(c.happened().last().unwrap(), "#11 offered to anna, v1, for 30000");
    let mut c = closed();
    c.anna().goes(on_break("lunch"));
    c.happened();
    c.customer(1).returns(1, 11);
    assert_eq!(c.happened().last().unwrap(), "#11 offered to ben, v1, for 30000", "the agent is not free");
    let mut c = closed();
    let mut p = c.policy();
    p.agents.remove(&agent("anna"));
    c.configures(p);
    c.happened();
    c.customer(1).returns(1, 11);
    assert_eq!(c.happened().last().unwrap(), "#11 offered to ben, v1, for 30000", "the agent is gone");
    let mut c = closed();
    c.customer(1).returns(1, 11);
    c.anna().rejects();
    assert_eq!(
        c.happened().last().unwrap(),
        "#11 offered to ben, v2, for 30000",
        "who declines is asked last"
    );
}

// proves B15, A1
#[test]
fn soon_after_stop_new_sends_the_chat_to_a_colleague() {
    let mut c = closed();
    c.anna().goes(Presence::StopNew);
    c.happened();
    c.customer(1).returns(1, 11);
    assert_eq!(c.happened().last().unwrap(), "#11 offered to ben, v1, for 30000");
}

// proves B15, A12
#[test]
fn soon_after_opening_hours_apply_as_to_any_chat() {
    let mut c = Centre::with(|p| support(p).hours = Some(office()));
    closes_after(&mut c, 100);
    c.customer(1).starts();
    c.anna().accepts();
    c.anna().ends(1);
    c.anna().completes(1);
    c.after(100);
    c.happened();
    c.customer(1).returns(1, 11);
    assert_eq!(
        c.happened(),
        [
            "#11 started in support",
            "#11 overflowed from support to the offline form (Closed)",
            "#11 notice Offline",
        ]
    );
}

// proves B15
#[test]
fn later_it_is_a_new_chat_that_the_edge_links_to_the_old_one() {
    let mut c = closed();
    c.after_ms(600_000 - 1);
    c.customer(1).returns(1, 11);
    c.customer(1).ends(11);
    let mut c = closed();
    c.after(600);
    c.customer(1).cannot(Code::Expired, |one| one.returns(1, 11));
    let Wish::StartChat { interaction, conversation, queue, person, skills, marks, .. } =
        c.customer(12).start_of("support")
    else {
        panic!("a start")
    };
    let previous = Some(chat(1));
    c.customer(12).wishes(Wish::StartChat {
        interaction,
        conversation,
        queue,
        person,
        skills,
        marks,
        previous,
    });
    assert_eq!(c.seen(12).previous, Some(chat(1)));
}

// proves B15
#[test]
fn a_queue_without_such_a_time_takes_nobody_back_after_wrap_up() {
    let mut c = closed_with(|p| support(p).reopen_within = Millis(0));
    c.customer(1).cannot(Code::Expired, |one| one.returns(1, 11));
}

// proves B15, F5
#[test]
fn only_the_customer_of_that_conversation_comes_back() {
    let mut c = ended();
    c.customer(2).cannot(Code::Expired, |two| two.returns(1, 11));
    c.anna().cannot(Code::NotPermitted, |anna| anna.returns(1, 11));
    c.anna().completes(1);
    c.customer(2).cannot(Code::Expired, |two| two.returns(1, 11));
    c.customer(1).cannot(Code::Expired, |one| one.returns(99, 11));
}

// proves B15, F5
#[test]
fn a_fresh_id_is_used_once() {
    let mut c = closed();
    c.customer(2).starts();
    c.customer(1).cannot(Code::WrongState, |one| one.returns(1, 2));
    c.customer(1).cannot(Code::WrongState, |one| one.returns(1, 1));
    c.call("c1").rings_at(&["ben"]);
    let call = c.call_id("c1");
    let wish = |fresh| Wish::ReturnToChat { interaction: chat(1), fresh };
    c.customer(1).cannot(Code::WrongState, |one| one.wishes(wish(call)));
}

// proves B15, B10
#[test]
fn a_second_window_that_returns_too_finds_the_one_chat() {
    let mut c = closed();
    c.customer(1).returns(1, 11);
    c.happened();
    c.customer(1).returns(1, 11);
    c.customer(1).returns(1, 12);
    assert_eq!(c.happened(), Vec::<String>::new(), "it goes on already");
    c.anna().accepts();
    c.anna().ends(11);
    c.anna().completes(11);
    c.happened();
    c.customer(1).returns(11, 12);
    assert_eq!(c.happened()[0], "#12 started in support", "and again, from the later one");
}

// proves B15
#[test]
fn a_linked_chat_in_a_conversation_of_its_own_does_not_stand_in_the_way() {
    let mut c = closed();
    let mut start = c.customer(12).start_of("support");
    if let Wish::StartChat { previous, .. } = &mut start {
        *previous = Some(chat(1));
    }
    c.customer(12).wishes(start);
    c.happened();
    c.customer(1).returns(1, 11);
    assert_eq!(c.happened()[0], "#11 started in support");
}

// proves B15
#[test]
fn one_who_returns_wants_the_same_skills() {
    let french: tieline_model::SkillId = "french".parse().unwrap();
    let mut c = Centre::with(|p| {
        of(p, "ben").skills.insert(french.clone(), 5);
    });
    let Wish::StartChat { interaction, conversation, queue, person, marks, previous, .. } =
        c.customer(1).start_of("support")
    else {
        panic!("a start")
    };
    let skills = [french.clone()].into();
    c.customer(1).wishes(Wish::StartChat {
        interaction,
        conversation,
        queue,
        person,
        skills,
        marks,
        previous,
    });
    c.ben().accepts();
    c.ben().ends(1);
    c.ben().completes(1);
    c.ben().goes(on_break("lunch"));
    c.happened();
    c.customer(1).returns(1, 11);
    assert_eq!(c.happened(), ["#11 started in support"], "Anna has no French");
    assert!(c.seen(11).skills.contains(&french));
}

// proves B15, C5
#[test]
fn what_was_noted_before_the_return_stays() {
    let mut c = ended_with(|p| support(p).classification.codes = vec!["sale".to_owned()]);
    c.anna().classifies(1, &["sale"], Some(text(4)));
    c.customer(1).returns(1, 11);
    assert_eq!(c.seen(1).codes, ["sale"]);
    c.anna().ends(1);
    c.happened();
    c.anna().completes(1);
    assert_eq!(c.happened()[0], "#1 completed by Agent");
}

// proves B15
#[test]
fn what_is_remembered_of_ended_chats_is_forgotten_in_time() {
    let mut c = Centre::new();
    for n in 1..=30 {
        c.customer(n).starts();
        c.customer(n).ends(n);
        c.after(60);
    }
    let body = serde_json::to_value(&c.engine).unwrap();
    let (left, order) = (&body["left"], &body["left_order"]);
    assert_eq!(left.as_object().unwrap().len(), order.as_array().unwrap().len());
    assert!(left.as_object().unwrap().len() <= 11, "ten minutes of them: {left}");
}

// proves B15, F2
#[test]
fn the_time_to_come_back_is_the_wall_clock_s() {
    let mut c = closed();
    c.after(100);
    c.restarts_after(499);
    c.customer(1).returns(1, 11);
    c.customer(1).ends(11);
    let mut c = closed();
    c.after(100);
    c.restarts_after(500);
    c.customer(1).cannot(Code::Expired, |one| one.returns(1, 11));
}
