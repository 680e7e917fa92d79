//! B1, B2, B6, B7, B9, B10, B13.

use crate::centre::*;
use crate::verbs::*;
use tieline_engine::Stage;
use tieline_model::command::{Presence, SupervisorAct};
use tieline_model::content::ContentRef;
use tieline_model::live::{Place, Status};
use tieline_model::policy::Delivery;
use tieline_model::{Actor, Code, Millis};

fn two_chats() -> Centre {
    let mut c = Centre::with(|p| of(p, "ben").queues.clear());
    c.customer(1).starts();
    c.anna().accepts();
    c.anna().parks(1);
    c.customer(2).starts();
    c.anna().accepts();
    c.happened();
    c
}

// proves B1
#[test]
fn a_taken_chat_is_new_and_an_accepted_one_active() {
    let mut c = Centre::with(|p| support(p).delivery = Delivery::Pull);
    c.customer(1).starts();
    c.anna().takes(1);
    assert!(matches!(c.seen(1).stage, Stage::Owned { place: Place::New, .. }));
    let c = two_chats();
    assert!(matches!(c.seen(2).stage, Stage::Owned { place: Place::Active, .. }));
}

// proves B1
#[test]
fn activating_parks_what_was_active_wrap_ups_included() {
    let mut c = two_chats();
    c.anna().ends(2);
    c.after(10);
    c.happened();
    c.anna().activates(1);
    assert_eq!(
        c.happened(),
        ["#2 parked for anna by Activation, left 50000", "#1 activated by anna, wrap-up no limit"]
    );
    assert_eq!(c.status("anna"), Status::HandlingChat);
    c.anna().activates(1);
    assert_eq!(c.happened(), Vec::<String>::new());
}

// proves B1
#[test]
fn only_the_active_chat_can_send() {
    let mut c = two_chats();
    c.anna().cannot(Code::NotActive, |anna| anna.writes(1, 5));
    c.anna().writes(2, 5);
    c.customer(1).writes(1, 5);
}

// proves B1
#[test]
fn what_is_not_ones_own_is_not_there() {
    let mut c = two_chats();
    c.ben().cannot(Code::NotFound, |ben| ben.activates(1));
    c.ben().cannot(Code::NotFound, |ben| ben.parks(2));
    c.ben().cannot(Code::NotFound, |ben| ben.writes(2, 1));
    c.ben().cannot(Code::NotFound, |ben| ben.ends(2));
    c.ben().cannot(Code::NotFound, |ben| ben.completes(2));
    c.customer(1).cannot(Code::NotFound, |one| one.writes(2, 1));
    c.customer(1).cannot(Code::NotFound, |one| one.ends(2));
    c.customer(1).cannot(Code::NotPermitted, |one| one.activates(1));
}

// proves B2
#[test]
fn parking_keeps_ownership_and_leaves_handling() {
    let mut c = two_chats();
    c.anna().parks(2);
    assert!(
        matches!(&c.seen(2).stage, Stage::Owned { agent: owner, place: Place::Parked, .. } if *owner == agent("anna"))
    );
    assert_eq!(c.status("anna"), Status::Present { presence: tieline_model::command::Presence::Available });
    c.happened();
    c.anna().parks(2);
    assert_eq!(c.happened(), Vec::<String>::new(), "parked already");
}

// proves B2
#[test]
fn a_new_chat_cannot_be_parked_before_it_was_opened() {
    let mut c = Centre::with(|p| support(p).delivery = Delivery::Pull);
    c.customer(1).starts();
    c.anna().takes(1);
    c.anna().cannot(Code::NotActive, |anna| anna.parks(1));
}

// proves B6
#[test]
fn typing_is_for_the_active_owner_and_the_customer() {
    let mut c = two_chats();
    let typing = |c: &Centre, by: Actor, n: u128| c.engine.may_type(&by, chat(n)).map_err(|r| r.code);
    let anna = || Actor::Agent { agent: agent("anna") };
    let customer = |n: u128| Actor::Customer { conversation: c.seen(n).conversation };
    let (one, two) = (customer(1), customer(2));
    assert_eq!(typing(&c, anna(), 2), Ok(tieline_model::crm::Side::Agent));
    assert_eq!(typing(&c, anna(), 1), Err(Code::NotActive));
    assert_eq!(typing(&c, Actor::Agent { agent: agent("ben") }, 2), Err(Code::NotFound));
    assert_eq!(typing(&c, one.clone(), 1), Ok(tieline_model::crm::Side::Customer));
    assert_eq!(typing(&c, one, 2), Err(Code::NotFound));
    c.anna().ends(2);
    assert_eq!(typing(&c, anna(), 2), Err(Code::WrongState), "an end ends it");
    assert_eq!(typing(&c, two, 2), Err(Code::WrongState));
}

// proves B7
#[test]
fn the_wait_counts_from_the_first_unanswered_message() {
    let mut c = two_chats();
    let asked = c.now;
    c.customer(2).writes(2, 3);
    c.after(20);
    c.customer(2).writes(2, 3);
    assert_eq!(c.seen(2).unanswered_since, Some(asked));
    c.anna().writes(2, 3);
    assert_eq!(c.seen(2).unanswered_since, None);
    c.after(5);
    c.customer(2).writes(2, 3);
    assert_eq!(c.seen(2).unanswered_since, Some(asked + Millis::secs(25)));
    c.anna().ends(2);
    assert_eq!(c.seen(2).unanswered_since, None);
}

// proves B9
#[test]
fn a_message_is_as_long_as_its_side_may_write_and_never_cut() {
    let mut c = two_chats();
    c.anna().writes(2, 5_000);
    c.customer(2).writes(2, 500);
    let refusal = c.anna().cannot(Code::TooLong, |anna| anna.writes(2, 5_001));
    assert_eq!((refusal.field.as_deref(), refusal.limit), (Some("text"), Some(5_000)));
    let refusal = c.customer(2).cannot(Code::TooLong, |two| two.writes(2, 501));
    assert_eq!((refusal.field.as_deref(), refusal.limit), (Some("text"), Some(500)));
    let refusal = c.anna().cannot(Code::Invalid, |anna| anna.writes(2, 0));
    assert_eq!(refusal.field.as_deref(), Some("text"));
}

// proves B9
#[test]
fn characters_of_many_bytes_have_a_byte_cap_beside() {
    let mut c = two_chats();
    let command = |bytes| tieline_model::Command {
        id: tieline_model::CommandId::new("m").unwrap(),
        by: Actor::Customer { conversation: c.seen(2).conversation },
        wish: tieline_model::Wish::SendMessage {
            interaction: chat(2),
            text: ContentRef { bytes, ..text(500) },
        },
    };
    let (fits, over) = (command(8_000), command(8_001));
    assert!(c.engine.decide(c.now, &fits).is_ok());
    let refusal = c.engine.decide(c.now, &over).unwrap_err();
    assert_eq!((refusal.code, refusal.limit), (Code::TooLong, Some(8_000)));
    c.happened();
}

// proves B10
#[test]
fn messages_of_both_sides_stand_in_one_order_under_their_writers_ids() {
    let mut c = two_chats();
    let before = c.engine.seq();
    c.customer(2).writes(2, 1);
    c.anna().writes(2, 1);
    c.customer(2).writes(2, 1);
    let said = c.happened();
    assert_eq!(c.engine.seq().0, before.0 + 3, "one place in the journal each");
    let ids: Vec<&str> = said.iter().map(|l| l.split(' ').nth(1).unwrap()).collect();
    assert_eq!(ids, ["m11", "m12", "m13"], "the id is the command's own");
}

// proves B13
#[test]
fn either_side_ends_and_nothing_is_written_after() {
    for by_customer in [true, false] {
        let mut c = two_chats();
        if by_customer {
            c.customer(2).ends(2);
        } else {
            c.anna().ends(2);
        }
        c.anna().cannot(Code::WrongState, |anna| anna.writes(2, 1));
        c.customer(2).cannot(Code::WrongState, |two| two.writes(2, 1));
        c.happened();
        c.customer(2).ends(2);
        c.anna().ends(2);
        assert_eq!(c.happened(), Vec::<String>::new(), "ended is ended");
    }
}

// proves B13, C8
#[test]
fn an_end_by_the_customer_stays_until_seen() {
    let mut c = two_chats();
    c.anna().cannot(Code::WrongState, |anna| anna.sees_end(1));
    c.customer(1).ends(1);
    c.after(1_700);
    assert!(matches!(c.seen(1).stage, Stage::Owned { place: Place::Parked, .. }), "a parked one waits");
    c.happened();
    c.anna().sees_end(1);
    assert_eq!(c.happened(), ["#1 end seen"]);
    c.anna().sees_end(1);
    assert_eq!(c.happened(), Vec::<String>::new());
    c.customer(2).ends(2);
    c.happened();
    c.after(60);
    assert_eq!(c.happened()[0], "#2 completed by Timer, unseen");
}

// proves B20
#[test]
fn a_customer_who_leaves_the_queue_has_abandoned() {
    let mut c = Centre::closed(|_| {});
    c.customer(1).starts();
    c.happened();
    c.customer(1).ends(1);
    assert_eq!(c.happened(), ["#1 ended by Customer", "#1 closed Abandoned, log false"]);
    assert!(c.engine.chat(chat(1)).is_none());
}

// proves F5
#[test]
fn a_chat_needs_a_queue_that_exists_and_its_own_customer() {
    let mut c = Centre::new();
    let refusal = c.customer(1).cannot(Code::NotFound, |one| one.starts_in("nowhere"));
    assert_eq!(refusal.field.as_deref(), Some("queue"));
    c.customer(1).starts();
    c.happened();
    c.customer(1).starts();
    assert_eq!(c.happened(), Vec::<String>::new(), "started already");
    c.anna().cannot(Code::NotPermitted, |anna| anna.starts());
}

// proves B1
#[test]
fn what_comes_without_an_offer_is_new_until_it_is_activated() {
    let mut c = Centre::with(|p| support(p).delivery = Delivery::Auto);
    c.customer(1).starts();
    assert_eq!(place(&c, 1), Place::New);
    assert_eq!(c.status("anna"), Status::Present { presence: Presence::Available }, "shown, not handled");
    c.anna().cannot(Code::NotActive, |anna| anna.writes(1, 1));
    c.anna().activates(1);
    assert_eq!((place(&c, 1), c.status("anna")), (Place::Active, Status::HandlingChat));
    c.anna().writes(1, 1);
    let mut c = Centre::with(|p| of(p, "ben").supervisor = true);
    c.customer(1).starts();
    c.ben().acts(SupervisorAct::Assign { interaction: chat(1), agent: agent("anna") });
    assert_eq!(place(&c, 1), Place::New, "a supervisor's hand does not break into what an agent does");
}

// proves B1
#[test]
fn a_new_item_is_activated_over_an_active_one_and_over_a_wrap_up() {
    for ended in [false, true] {
        let mut c = Centre::with(|p| {
            support(p).delivery = Delivery::Pull;
            of(p, "ben").queues.clear();
        });
        c.customer(1).starts();
        c.customer(2).starts();
        c.anna().takes(1);
        c.anna().activates(1);
        c.anna().takes(2);
        if ended {
            c.anna().ends(1);
        }
        c.happened();
        c.anna().activates(2);
        let left = if ended { "60000" } else { "none" };
        assert_eq!(
            c.happened(),
            [
                format!("#1 parked for anna by Activation, left {left}"),
                "#2 activated by anna, wrap-up no limit".to_owned(),
            ]
        );
        assert_eq!((place(&c, 1), place(&c, 2)), (Place::Parked, Place::Active));
        c.anna().activates(1);
        assert_eq!((place(&c, 1), place(&c, 2)), (Place::Active, Place::Parked));
        assert_eq!(c.status("anna"), if ended { Status::WrapUp } else { Status::HandlingChat });
    }
}

// proves B1, B4
#[test]
fn an_agent_may_activate_an_item_during_a_call_and_write_in_it() {
    let mut c = two_chats();
    c.call("c1").answered_by("anna");
    c.anna().activates(1);
    assert_eq!(c.status("anna"), Status::OnCall, "the call goes before");
    c.anna().writes(1, 1);
    c.anna().parks(1);
    c.anna().ends(2);
    c.anna().activates(2);
    assert!(in_wrap_up(c.seen(2)), "an ended one too");
    c.call("c1").ends();
    assert_eq!((place(&c, 2), c.status("anna")), (Place::Active, Status::WrapUp), "and stays with it");
}

// proves B2, C5
#[test]
fn a_wrap_up_is_parked_and_taken_up_again() {
    let mut c = two_chats();
    c.anna().ends(2);
    c.after(10);
    c.happened();
    c.anna().parks(2);
    assert_eq!(c.happened(), ["#2 parked for anna by Agent, left 50000"]);
    assert_eq!(c.status("anna"), Status::Present { presence: Presence::Available });
    c.after(100);
    c.anna().activates(2);
    assert_eq!(c.happened(), ["#2 activated by anna, wrap-up 50000"]);
}

// proves B2, B13
#[test]
fn a_parked_chat_is_ended_where_it_is() {
    let mut c = two_chats();
    c.anna().ends(1);
    assert_eq!((place(&c, 1), place(&c, 2)), (Place::Parked, Place::Active));
    assert_eq!(c.status("anna"), Status::HandlingChat);
    c.anna().completes(1);
    c.anna().writes(2, 1);
}

// proves B7, B12, A17
#[test]
fn the_wait_goes_on_whoever_has_the_chat() {
    let mut c = Centre::new();
    c.customer(1).starts();
    let asked = c.now;
    c.customer(1).writes(1, 3);
    c.after(5);
    c.anna().accepts();
    assert_eq!(c.seen(1).unanswered_since, Some(asked), "a question asked in the queue");
    c.anna().transfers_to(1, "ben");
    c.ben().accepts();
    c.ben().transfers_to_queue(1, "support");
    assert_eq!(c.seen(1).unanswered_since, Some(asked));
    c.anna().accepts();
    c.anna().goes_offline_for_sure();
    assert_eq!(c.seen(1).unanswered_since, Some(asked));
    c.after(20);
    c.ben().accepts();
    c.ben().writes(1, 3);
    assert_eq!(c.seen(1).unanswered_since, None);
    assert_eq!(c.seen(1).service.longest_reply, Millis::secs(25));
}

// proves B10, B13, B15
#[test]
fn what_a_customer_writes_after_the_end_is_refused_and_a_return_makes_room_for_it() {
    let mut c = two_chats();
    c.anna().ends(2);
    c.customer(2).cannot(Code::WrongState, |two| two.writes(2, 3));
    c.customer(2).returns(2, 12);
    c.customer(2).writes(2, 3);
}

// proves B6, B12
#[test]
fn guests_type_too_and_customers_at_the_form_do_not() {
    let mut c = Centre::new();
    c.customer(1).starts();
    c.anna().accepts();
    c.anna().consults(1, "ben");
    let typing = |c: &Centre, by: Actor| c.engine.may_type(&by, chat(1)).map_err(|r| r.code);
    let ben = || Actor::Agent { agent: agent("ben") };
    assert_eq!(typing(&c, ben()), Err(Code::NotFound), "not before joining");
    c.ben().accepts();
    assert_eq!(typing(&c, ben()), Ok(tieline_model::crm::Side::Agent));
    c.ben().leaves(1);
    assert_eq!(typing(&c, ben()), Err(Code::NotFound));
    let mut c = Centre::with(|p| support(p).hours = Some("office".parse().unwrap()));
    c.customer(1).starts();
    let one = Actor::Customer { conversation: c.conversation_of(1) };
    assert_eq!(typing(&c, one), Err(Code::WrongState));
    assert_eq!(typing(&c, Actor::Daemon), Err(Code::NotPermitted));
}

// proves A1, A15, B12
#[test]
fn a_wish_comes_due_when_a_supervisor_takes_the_active_chat_away() {
    for assigned in [false, true] {
        let mut c = Centre::with(|p| {
            with_billing(p);
            of(p, "carla").supervisor = true;
        });
        c.agent("carla").connects();
        c.customer(1).starts();
        c.anna().accepts();
        c.anna().goes(on_break("lunch"));
        c.happened();
        c.agent("carla").acts(if assigned {
            SupervisorAct::Assign { interaction: chat(1), agent: agent("ben") }
        } else {
            SupervisorAct::Requeue { interaction: chat(1) }
        });
        assert_eq!(c.presence("anna"), on_break("lunch"), "{:?}", c.happened());
    }
}
