//! B17: how well chats are served. Measured, never enforced.

use crate::centre::*;
use tieline_model::event::Service;
use tieline_model::policy::Delivery;
use tieline_model::{Event, Millis};

fn secs(n: u64) -> Millis {
    Millis::secs(n)
}

fn service(c: &Centre, n: u128) -> Service {
    c.seen(n).service
}

// proves B17
#[test]
fn connecting_counts_only_while_an_agent_was_free_for_it() {
    let mut c = Centre::closed(|_| {});
    c.customer(1).starts();
    c.after(100);
    assert_eq!(service(&c, 1).connecting, Millis(0), "nobody is there");
    c.anna().connects();
    c.anna().goes(tieline_model::command::Presence::Available);
    c.after(12);
    c.anna().accepts();
    assert_eq!((service(&c, 1).connecting, service(&c, 1).waited), (secs(12), secs(112)));
    c.after(500);
    c.anna().parks(1);
    c.anna().activates(1);
    assert_eq!(service(&c, 1).connecting, secs(12), "once in hand, it is over");
}

// proves B17, A9
#[test]
fn every_offer_counts_and_the_pauses_between_do_not() {
    let mut c = Centre::with(|p| of(p, "ben").queues.clear());
    c.customer(1).starts();
    c.after(10);
    c.anna().rejects();
    c.after(45);
    c.anna().goes(tieline_model::command::Presence::Available);
    c.after(5);
    c.call("c1").rings_at(&["anna"]);
    c.after(20);
    c.call("c1").ends();
    c.after(2);
    c.anna().accepts();
    assert_eq!((service(&c, 1).connecting, service(&c, 1).waited), (secs(17), secs(82)));
}

// proves B17, A3
#[test]
fn lying_unopened_in_an_inbox_is_connecting_too() {
    let mut c = Centre::with(|p| support(p).delivery = Delivery::Auto);
    c.customer(1).starts();
    c.after(25);
    c.anna().activates(1);
    assert_eq!((service(&c, 1).connecting, service(&c, 1).waited), (secs(25), secs(25)));
    let mut c = Centre::with(|p| support(p).delivery = Delivery::Pull);
    c.customer(1).starts();
    c.after(25);
    c.anna().takes(1);
    c.after(3);
    c.anna().activates(1);
    assert_eq!((service(&c, 1).connecting, service(&c, 1).waited), (secs(3), secs(28)));
}

// proves B17, B12
#[test]
fn an_unopened_chat_that_is_handed_on_counts_until_it_is_in_hand() {
    let mut c = Centre::with(|p| support(p).delivery = Delivery::Auto);
    c.customer(1).starts();
    c.after(10);
    c.anna().transfers_to(1, "ben");
    c.after(5);
    c.ben().accepts();
    assert_eq!(service(&c, 1).connecting, secs(15));
}

// proves B17
#[test]
fn replies_are_counted_in_runs_from_the_first_unanswered_message() {
    let mut c = Centre::new();
    c.customer(1).starts();
    c.anna().accepts();
    c.anna().writes(1, 1);
    assert_eq!(service(&c, 1).replies, 0, "a greeting answers nothing");
    c.customer(1).writes(1, 1);
    c.after(40);
    c.customer(1).writes(1, 1);
    c.after(20);
    c.anna().writes(1, 1);
    c.anna().writes(1, 1);
    assert_eq!((service(&c, 1).replies, service(&c, 1).replies_in_time), (1, 1), "60 s are in time");
    assert_eq!(service(&c, 1).longest_reply, secs(60));
    c.customer(1).writes(1, 1);
    c.after_ms(60_001);
    c.anna().writes(1, 1);
    assert_eq!((service(&c, 1).replies, service(&c, 1).replies_in_time), (2, 1));
    assert_eq!(service(&c, 1).longest_reply, Millis(60_001));
    let today = c.engine.agent(&agent("anna")).unwrap().today;
    assert_eq!((today.replies, today.replies_in_time), (2, 1));
}

// proves B17, B12
#[test]
fn a_reply_counts_for_the_agent_who_wrote_it() {
    let mut c = Centre::new();
    c.customer(1).starts();
    c.anna().accepts();
    c.anna().consults(1, "ben");
    c.ben().accepts();
    c.customer(1).writes(1, 1);
    c.ben().writes(1, 1);
    let replies = |name: &str| c.engine.agent(&agent(name)).unwrap().today.replies;
    assert_eq!((replies("anna"), replies("ben")), (0, 1));
}

// proves B17
#[test]
fn the_targets_are_the_queue_s_own() {
    let mut c = Centre::with(|p| {
        support(p).targets.connect = secs(5);
        support(p).targets.reply = secs(10);
    });
    c.customer(1).starts();
    c.after(6);
    c.anna().accepts();
    c.customer(1).writes(1, 1);
    c.after(11);
    c.anna().writes(1, 1);
    c.customer(2).starts();
    c.after(5);
    c.ben().accepts();
    let today = c.engine.figures(&queue("support")).today;
    assert_eq!((today.came, today.answered, today.connected_in_time), (2, 2, 1));
    assert_eq!((service(&c, 1).replies, service(&c, 1).replies_in_time), (1, 0));
}

// proves B17
#[test]
fn the_closing_tells_how_well_the_chat_was_served() {
    let mut c = Centre::new();
    c.customer(1).starts();
    c.after(7);
    c.anna().accepts();
    c.customer(1).writes(1, 1);
    c.after(9);
    c.anna().writes(1, 1);
    c.anna().ends(1);
    let command = tieline_model::Command {
        id: "done".parse().unwrap(),
        by: tieline_model::Actor::Agent { agent: agent("anna") },
        wish: tieline_model::Wish::CompleteWrapUp { interaction: chat(1) },
    };
    let events = c.engine.decide(c.now, &command).unwrap();
    let told = events.iter().find_map(|event| match event {
        Event::InteractionClosed { service, .. } => *service,
        _ => None,
    });
    let expected = Service {
        connecting: secs(7),
        waited: secs(7),
        replies: 1,
        replies_in_time: 1,
        longest_reply: secs(9),
    };
    assert_eq!(told, Some(expected));
}

// proves B17, G1
#[test]
fn a_new_day_begins_with_clean_figures() {
    let mut c = Centre::new();
    c.customer(1).starts();
    c.anna().accepts();
    c.customer(1).writes(1, 1);
    c.anna().writes(1, 1);
    c.does(tieline_model::Actor::Daemon, tieline_model::Wish::BeginDay { day: "2026-03-01".to_owned() });
    let today = c.engine.agent(&agent("anna")).unwrap().today;
    assert_eq!((today.chats, today.replies), (0, 0));
    assert_eq!(c.engine.figures(&queue("support")).today.answered, 0);
    assert_eq!(service(&c, 1).replies, 1, "the chat's own stay");
}
