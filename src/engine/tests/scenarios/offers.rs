//! A4, A6, A7.

use crate::centre::*;
use tieline_engine::Stage;
use tieline_model::Code;
use tieline_model::command::Presence;
use tieline_model::policy::{After, OfferWhen};

// proves A4
#[test]
fn accepting_gives_exactly_one_owner() {
    let mut c = Centre::new();
    c.customer(1).starts();
    let offer = c.offer("anna");
    c.anna().accepts_offer(offer);
    c.happened();
    c.anna().accepts_offer(offer);
    assert_eq!(c.happened(), Vec::<String>::new(), "twice is once");
    c.ben().cannot(Code::NotFound, |ben| ben.accepts_offer(offer));
    assert!(matches!(&c.seen(1).stage, Stage::Owned { agent: owner, .. } if *owner == agent("anna")));
}

// proves A4
#[test]
fn a_late_accept_learns_who_has_the_chat() {
    let mut c = Centre::new();
    c.customer(1).starts();
    let offer = c.offer("anna");
    c.after(30);
    c.ben().accepts();
    let refusal = c.anna().cannot(Code::Taken, |anna| anna.accepts_offer(offer));
    assert_eq!(refusal.message, "taken by Shown Name");
}

// proves A4
#[test]
fn the_deadline_counts_even_when_the_timer_is_late() {
    let mut c = Centre::new();
    c.customer(1).starts();
    c.late_by(30);
    let offer = c.offer("anna");
    c.anna().cannot(Code::Expired, |anna| anna.accepts_offer(offer));
    c.anna().cannot(Code::Expired, |anna| anna.rejects_offer(offer));
}

// proves A4
#[test]
fn an_accept_just_in_time_counts() {
    let mut c = Centre::new();
    c.customer(1).starts();
    c.after_ms(29_999);
    c.anna().accepts();
    c.after(60);
    assert!(matches!(c.seen(1).stage, Stage::Owned { .. }));
}

// proves A4
#[test]
fn an_expired_offer_says_expired_while_the_chat_waits() {
    let mut c = Centre::with(|p| of(p, "ben").queues.clear());
    c.customer(1).starts();
    let offer = c.offer("anna");
    c.after(30);
    c.anna().cannot(Code::Expired, |anna| anna.accepts_offer(offer));
}

// proves A4, A10
#[test]
fn a_withdrawn_offer_says_withdrawn() {
    let mut c = Centre::with(|p| of(p, "ben").queues.clear());
    c.customer(1).starts();
    let offer = c.offer("anna");
    c.call("c1").rings_at(&["anna"]);
    c.anna().cannot(Code::Withdrawn, |anna| anna.accepts_offer(offer));
}

// proves A4
#[test]
fn an_accepted_offer_is_no_key_to_a_chat_that_went_on() {
    let mut c = Centre::new();
    c.customer(1).starts();
    let offer = c.offer("anna");
    c.anna().accepts();
    c.anna().goes_offline_for_sure();
    c.anna().cannot(Code::WrongState, |anna| anna.accepts_offer(offer));
    c.ben().accepts();
    c.anna().cannot(Code::Taken, |anna| anna.accepts_offer(offer));
}

// proves A4
#[test]
fn nobody_can_answer_an_offer_that_never_was() {
    let mut c = Centre::new();
    let never = tieline_model::OfferId(uuid::Uuid::from_u128(1));
    c.anna().cannot(Code::NotFound, |anna| anna.accepts_offer(never));
    c.anna().cannot(Code::NotFound, |anna| anna.rejects_offer(never));
}

// proves A4, B1
#[test]
fn accepting_parks_what_was_active() {
    let mut c = Centre::with(|p| {
        of(p, "ben").queues.clear();
        support(p).offer_when = OfferWhen::BelowCapacity;
    });
    c.customer(1).starts();
    c.anna().accepts();
    c.customer(2).starts();
    c.happened();
    c.anna().accepts();
    assert_eq!(c.happened(), ["#1 parked for anna by Activation, left none", "#2 accepted by anna"]);
}

// proves A6
#[test]
fn reject_needs_permission() {
    let mut c = Centre::with(|p| of(p, "anna").may_reject = false);
    c.customer(1).starts();
    c.anna().cannot(Code::NotPermitted, |anna| anna.rejects());
    c.anna().accepts();
}

// proves A7
#[test]
fn a_reject_sends_the_agent_on_break_and_the_chat_to_its_place() {
    let mut c = Centre::new();
    c.customer(1).starts();
    c.happened();
    c.anna().rejects();
    assert_eq!(
        c.happened(),
        [
            "#1 rejected by anna",
            "anna is OnBreak { reason: \"rejected\" } (Rejected)",
            "#1 offered to ben, v2, for 30000",
        ]
    );
}

// proves A7
#[test]
fn a_miss_sends_the_agent_on_break() {
    let mut c = Centre::new();
    c.customer(1).starts();
    c.happened();
    c.after_ms(29_999);
    assert_eq!(c.happened(), Vec::<String>::new(), "never early");
    c.after_ms(1);
    assert_eq!(
        c.happened(),
        [
            "#1 missed by anna",
            "anna is OnBreak { reason: \"missed\" } (Missed)",
            "#1 offered to ben, v2, for 30000",
        ]
    );
}

// proves A7
#[test]
fn the_presence_stays_where_the_queue_says_so() {
    let mut c = Centre::with(|p| {
        support(p).after_reject = After::Stay;
        support(p).after_miss = After::Stay;
    });
    c.customer(1).starts();
    c.anna().rejects();
    assert_eq!(c.presence("anna"), Presence::Available);
    c.after(30);
    assert_eq!(c.presence("ben"), Presence::Available);
}

// proves A7
#[test]
fn a_rejected_chat_keeps_its_turn() {
    let mut c = Centre::with(|p| of(p, "ben").queues.clear());
    c.customer(1).starts();
    c.after(1);
    c.customer(2).starts();
    c.anna().rejects();
    let waiting: Vec<_> = c.engine.queue_waiting(&queue("support"));
    assert_eq!(waiting, [chat(1), chat(2)]);
    c.after(30);
    c.happened();
    c.anna().goes(Presence::Available);
    assert_eq!(c.happened().last().unwrap(), "#1 offered to anna, v2, for 30000");
}

// proves A4
#[test]
fn a_customer_who_leaves_takes_the_offer_along() {
    let mut c = Centre::new();
    c.customer(1).starts();
    let offer = c.offer("anna");
    c.happened();
    c.customer(1).ends(1);
    assert_eq!(
        c.happened(),
        ["#1 withdrawn from anna (CustomerLeft)", "#1 ended by Customer", "#1 closed Abandoned, log false"]
    );
    c.anna().cannot(Code::NotFound, |anna| anna.accepts_offer(offer));
    assert_eq!(c.presence("anna"), Presence::Available);
}

// proves A10
#[test]
fn a_call_that_is_answered_or_dialled_withdraws_the_offer_too_and_is_no_miss() {
    for dialled in [false, true] {
        let mut c = Centre::new();
        c.customer(1).starts();
        c.happened();
        if dialled {
            c.call("c1").dialled_by("anna");
        } else {
            c.call("c1").answered_by("anna");
        }
        assert_eq!(c.happened()[0], "#1 withdrawn from anna (Call)");
        assert_eq!(c.presence("anna"), Presence::Available);
        assert_eq!(c.engine.agent(&agent("anna")).unwrap().today.missed, 0);
        c.ben().accepts();
    }
}

// proves A6
#[test]
fn permission_to_reject_counts_when_the_reject_comes_and_for_transfers_too() {
    let mut c = Centre::new();
    c.customer(1).starts();
    let mut policy = c.policy();
    of(&mut policy, "anna").may_reject = false;
    c.configures(policy);
    let refusal = c.anna().cannot(Code::NotPermitted, |anna| anna.rejects());
    assert_eq!(refusal.message, "your role does not allow rejecting; accept the chat or let it pass");
    c.customer(2).starts();
    c.ben().accepts();
    c.customer(1).ends(1);
    c.ben().transfers_to(2, "anna");
    let offer = c.seen(2).transfer.as_ref().unwrap().offer.id;
    c.anna().cannot(Code::NotPermitted, |anna| anna.rejects_offer(offer));
    c.anna().accepts_offer(offer);
}

// proves A14, D1
#[test]
fn what_a_crm_found_stands_beside_the_offer_before_it_is_accepted() {
    let mut c = Centre::new();
    c.customer(1).starts();
    let connection = tieline_model::ConnectionId::new("crm").unwrap();
    let contact = tieline_model::crm::Record { object: "Contact".to_owned(), id: "003".parse().unwrap() };
    let result =
        tieline_model::crm::LookupResult::Found { count: 1, contact: Some(contact.clone()), case: None };
    let by = tieline_model::Actor::Connection { connection: connection.clone() };
    let matches = Some(text(4));
    c.does(
        by,
        tieline_model::Wish::ReportLookup {
            interaction: chat(1),
            connection: connection.clone(),
            result,
            matches,
        },
    );
    let offered = c.seen(1);
    assert!(matches!(offered.stage, Stage::Offered(_)));
    assert_eq!(offered.found[&connection].contact(), Some(&contact));
    c.anna().accepts();
    assert_eq!(c.seen(1).found[&connection].contact(), Some(&contact), "and goes along");
}
