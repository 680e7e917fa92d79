//! B9 and B20: how interactions end that no agent ends, and the message that is left where nobody can answer.

use crate::centre::*;
use crate::verbs::*;
use tieline_engine::Stage;
use tieline_model::command::Presence;
use tieline_model::crm::Outcome;
use tieline_model::policy::{Delivery, OverflowTo, TenantPolicy};
use tieline_model::{Actor, AgentId, Code, Event, Wish};

/// "support" is closed and sends its customers to the offline form.
fn at_the_form() -> Centre {
    at_the_form_with(|_| {})
}

fn at_the_form_with(change: impl FnOnce(&mut TenantPolicy)) -> Centre {
    let mut c = Centre::with(|p| {
        support(p).hours = Some("office".parse().unwrap());
        change(p);
    });
    c.customer(1).starts();
    assert!(matches!(c.seen(1).stage, Stage::Form { .. }));
    c.happened();
    c
}

/// How the chat closes by this wish: outcome, agent, whether it is logged.
fn closing(c: &mut Centre, by: Actor, wish: Wish) -> (Outcome, Option<AgentId>, bool) {
    let command = tieline_model::Command { id: "closing".parse().unwrap(), by, wish };
    let events = c.engine.decide(c.now, &command).unwrap();
    let closed = events.iter().find_map(|event| match event {
        Event::InteractionClosed { outcome, agent, log, .. } => Some((*outcome, agent.clone(), *log)),
        _ => None,
    });
    closed.unwrap_or_else(|| panic!("not closed: {events:?}"))
}

fn the_customer_goes(c: &mut Centre) -> (Outcome, Option<AgentId>, bool) {
    let by = Actor::Customer { conversation: c.conversation_of(1) };
    closing(c, by, Wish::EndChat { interaction: chat(1) })
}

// proves B9, B20
#[test]
fn a_message_left_in_the_form_is_the_interaction_and_is_logged() {
    let mut c = at_the_form();
    c.customer(1).leaves_message(1, 500);
    let happened = c.happened();
    assert!(happened[0].ends_with("from Customer"), "{happened:?}");
    assert_eq!(happened[1..], ["#1 ended by Customer", "#1 closed MessageLeft, log true"]);
    assert!(c.engine.chat(chat(1)).is_none());
    c.customer(1).cannot(Code::NotFound, |one| one.leaves_message(1, 5));
}

// proves B9
#[test]
fn a_message_left_is_as_long_as_one_in_a_chat_may_be() {
    let mut c = at_the_form();
    let refusal = c.customer(1).cannot(Code::TooLong, |one| one.leaves_message(1, 501));
    assert_eq!((refusal.field.as_deref(), refusal.limit), (Some("text"), Some(500)));
    c.customer(1).cannot(Code::Invalid, |one| one.leaves_message(1, 0));
    c.customer(2).cannot(Code::NotFound, |two| two.leaves_message(1, 5));
    c.anna().cannot(Code::NotPermitted, |anna| anna.leaves_message(1, 5));
}

// proves B20, F5
#[test]
fn in_the_form_nothing_else_is_sent_and_elsewhere_no_message_is_left() {
    let mut c = at_the_form();
    c.customer(1).cannot(Code::WrongState, |one| one.writes(1, 5));
    c.customer(1).cannot(Code::WrongState, |one| one.sends_file(1, 5, "image/png"));
    c.happened();
    c.customer(1).returns(1, 11);
    assert_eq!(c.happened(), Vec::<String>::new());
    let mut c = Centre::new();
    c.customer(1).starts();
    c.customer(1).cannot(Code::WrongState, |one| one.leaves_message(1, 5));
    c.anna().accepts();
    c.customer(1).cannot(Code::WrongState, |one| one.leaves_message(1, 5));
}

// proves B20
#[test]
fn who_leaves_no_message_has_overflowed_at_once_or_in_the_end() {
    for logged in [false, true] {
        let mut c = at_the_form_with(|p| support(p).log_abandoned = logged);
        assert_eq!(the_customer_goes(&mut c), (Outcome::Overflowed, None, logged));
        c.after(30 * 60 - 1);
        assert_eq!(c.happened(), Vec::<String>::new());
        c.after(1);
        assert_eq!(
            c.happened(),
            ["#1 ended by System".to_owned(), format!("#1 closed Overflowed, log {logged}")]
        );
    }
}

// proves B20
#[test]
fn abandoned_ones_are_logged_only_where_it_is_set() {
    for logged in [false, true] {
        let mut c = Centre::closed(|p| support(p).log_abandoned = logged);
        c.customer(1).starts();
        assert_eq!(the_customer_goes(&mut c), (Outcome::Abandoned, None, logged));
        c.customer(1).ends(1);
        assert_eq!(c.engine.figures(&queue("support")).today.abandoned, 1);
    }
}

// proves B20, B13
#[test]
fn one_who_leaves_under_offer_has_abandoned_and_costs_nobody_anything() {
    let mut c = Centre::new();
    c.customer(1).starts();
    c.happened();
    c.customer(1).ends(1);
    assert_eq!(
        c.happened(),
        ["#1 withdrawn from anna (CustomerLeft)", "#1 ended by Customer", "#1 closed Abandoned, log false"]
    );
    assert_eq!(c.presence("anna"), Presence::Available);
}

// proves B20, B13
#[test]
fn one_who_leaves_unopened_has_abandoned_once_the_agent_has_seen_it() {
    let mut c = Centre::with(|p| support(p).delivery = Delivery::Auto);
    c.customer(1).starts();
    c.customer(1).ends(1);
    assert!(in_wrap_up(c.seen(1)), "the agent is to see it");
    c.anna().sees_end(1);
    c.happened();
    c.anna().completes(1);
    assert_eq!(c.happened()[..2], ["#1 completed by Agent", "#1 closed Abandoned, log false"]);
    assert_eq!(c.engine.figures(&queue("support")).today.abandoned, 1);
}

// proves B20
#[test]
fn an_answered_chat_stays_answered_whatever_becomes_of_it() {
    let mut c = Centre::with(with_billing);
    c.customer(1).starts();
    c.anna().accepts();
    c.anna().goes_offline_for_sure();
    assert_eq!(
        the_customer_goes(&mut c),
        (Outcome::Answered, Some(agent("anna")), true),
        "under offer again"
    );
    c.ben().goes(on_break("lunch"));
    assert_eq!(the_customer_goes(&mut c), (Outcome::Answered, Some(agent("anna")), true), "waiting again");
    c.ben().goes(Presence::Available);
    c.ben().accepts();
    c.ben().transfers_to_queue_for_sure(1, "billing");
    assert_eq!(the_customer_goes(&mut c), (Outcome::Answered, Some(agent("ben")), true), "transferred");
    c.customer(1).ends(1);
    assert!(c.happened().contains(&"#1 closed Answered, log true".to_owned()));
    c.customer(1).returns(1, 11);
    assert_eq!(c.seen(11).preferred, Some(agent("ben")), "who had it last");
}

// proves B20, B12
#[test]
fn an_answered_chat_that_ends_at_the_form_keeps_its_log() {
    let mut c = Centre::with(|p| {
        with_billing(p);
        p.queues.get_mut(&queue("billing")).unwrap().overflow.unstaffed = OverflowTo::OfflineForm;
    });
    c.customer(1).starts();
    c.anna().accepts();
    c.anna().transfers_to_queue_for_sure(1, "billing");
    assert!(matches!(c.seen(1).stage, Stage::Form { .. }));
    assert_eq!(the_customer_goes(&mut c), (Outcome::Answered, Some(agent("anna")), true));
    c.happened();
    c.after(30 * 60);
    assert_eq!(c.happened(), ["#1 ended by System", "#1 closed Answered, log true"]);
}

// proves B20
#[test]
fn missed_chats_go_back_and_end_as_they_end() {
    let mut c = Centre::new();
    c.customer(1).starts();
    c.after(60);
    assert_eq!(c.seen(1).stage, Stage::Waiting, "missed by both");
    assert_eq!(the_customer_goes(&mut c), (Outcome::Abandoned, None, false));
    c.call("c1").rings_at(&["anna"]);
    c.happened();
    c.call("c1").ends();
    assert_eq!(c.happened()[..2], ["c1 ended Missed", "c1 closed Missed, log false"]);
}

// proves B20
#[test]
fn the_transcript_is_fixed_when_the_item_is_closed() {
    let mut c = Centre::new();
    c.customer(1).starts();
    c.anna().accepts();
    c.anna().ends(1);
    c.anna().classifies(1, &[], Some(text(10)));
    c.anna().completes(1);
    c.anna().cannot(Code::NotFound, |anna| anna.writes(1, 1));
    c.customer(1).cannot(Code::NotFound, |one| one.writes(1, 1));
    c.anna().cannot(Code::NotFound, |anna| anna.classifies(1, &[], Some(text(10))));
    c.anna().cannot(Code::NotFound, |anna| anna.ends(1));
}
