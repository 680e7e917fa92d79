//! A3, A5, A11, A14 (the engine's part).

use crate::centre::*;
use tieline_engine::Stage;
use tieline_model::Code;
use tieline_model::command::Presence;
use tieline_model::live::Place;
use tieline_model::policy::{Delivery, OfferWhen};

// proves A3
#[test]
fn auto_puts_the_chat_straight_into_the_inbox_as_new() {
    let mut c = Centre::with(|p| support(p).delivery = Delivery::Auto);
    c.customer(1).starts();
    assert_eq!(c.happened(), ["#1 started in support", "#1 assigned to anna (Auto), for 60000"]);
    assert!(matches!(c.seen(1).stage, Stage::Owned { place: Place::New, .. }));
}

// proves A3, A7
#[test]
fn an_auto_chat_nobody_activates_goes_back_as_missed() {
    let mut c = Centre::with(|p| support(p).delivery = Delivery::Auto);
    c.customer(1).starts();
    c.happened();
    c.after_ms(59_999);
    assert_eq!(c.happened(), Vec::<String>::new());
    c.after_ms(1);
    assert_eq!(
        c.happened(),
        [
            "#1 returned from anna (Unopened)",
            "anna is OnBreak { reason: \"missed\" } (Missed)",
            "#1 assigned to ben (Auto), for 60000",
        ]
    );
}

// proves A3
#[test]
fn activating_an_auto_chat_stops_its_clock() {
    let mut c = Centre::with(|p| support(p).delivery = Delivery::Auto);
    c.customer(1).starts();
    c.anna().activates(1);
    c.after(600);
    assert!(matches!(c.seen(1).stage, Stage::Owned { place: Place::Active, .. }));
}

// proves A3, A8
#[test]
fn an_unopened_chat_of_a_lost_agent_goes_back_and_costs_nothing() {
    let mut c = Centre::with(|p| support(p).delivery = Delivery::Auto);
    c.customer(1).starts();
    c.anna().disconnects();
    c.after(60);
    assert_eq!(c.presence("anna"), Presence::Available);
    assert!(matches!(&c.seen(1).stage, Stage::Owned { agent: owner, .. } if *owner == agent("ben")));
}

// proves A3
#[test]
fn pull_leaves_the_chat_until_it_is_taken() {
    let mut c = Centre::with(|p| support(p).delivery = Delivery::Pull);
    c.customer(1).starts();
    c.after(3_600);
    assert_eq!(c.happened(), ["#1 started in support"]);
    c.ben().takes(1);
    assert_eq!(c.happened(), ["#1 assigned to ben (Taken), for no limit"]);
    c.anna().cannot(Code::Taken, |anna| anna.takes(1));
    c.ben().takes(1);
    assert_eq!(c.happened(), Vec::<String>::new(), "taken twice by the same agent is so already");
}

// proves A3
#[test]
fn only_a_pull_queue_of_ones_own_can_be_taken_from() {
    let mut c = Centre::with(|p| {
        let pull = tieline_model::policy::QueuePolicy { delivery: Delivery::Pull, ..support(p).clone() };
        p.queues.insert(queue("desk"), pull);
        of(p, "ben").queues.insert(queue("desk"));
    });
    c.customer(1).starts();
    c.ben().cannot(Code::WrongState, |ben| ben.takes(1));
    c.customer(2).starts_in("desk");
    c.anna().cannot(Code::NotFound, |anna| anna.takes(2));
}

// proves A3, A4
#[test]
fn a_queue_that_turns_to_pull_withdraws_its_offers() {
    let mut c = Centre::new();
    c.customer(1).starts();
    c.happened();
    let mut policy = c.policy();
    support(&mut policy).delivery = Delivery::Pull;
    c.configures(policy);
    assert_eq!(c.happened(), ["#1 withdrawn from anna (Settings)", "configured"]);
    c.ben().takes(1);
}

// proves A5
#[test]
fn only_available_agents_with_a_panel_are_offered_anything() {
    let mut c = Centre::closed(|_| {});
    c.customer(1).starts();
    c.anna().connects();
    c.ben().goes(Presence::Available);
    c.happened();
    assert!(matches!(c.seen(1).stage, Stage::Waiting));
    c.ben().connects();
    assert_eq!(c.happened(), ["ben connected", "#1 offered to ben, v1, for 30000"]);
}

// proves A5
#[test]
fn one_offer_at_a_time() {
    let mut c = Centre::with(|p| {
        support(p).offer_when = OfferWhen::BelowCapacity;
        of(p, "ben").queues.clear();
    });
    c.customer(1).starts();
    c.customer(2).starts();
    assert_eq!(
        c.happened(),
        ["#1 started in support", "#1 offered to anna, v1, for 30000", "#2 started in support"]
    );
    c.anna().accepts();
    assert_eq!(c.happened(), ["#1 accepted by anna", "#2 offered to anna, v1, for 30000"]);
}

// proves A5
#[test]
fn capacity_is_reserved_by_the_offer_and_counts_wrap_up() {
    let mut c = Centre::with(|p| {
        support(p).offer_when = OfferWhen::BelowCapacity;
        of(p, "ben").queues.clear();
        of(p, "anna").chat_capacity = 2;
    });
    for n in 1..=4 {
        c.customer(n).starts();
    }
    c.anna().accepts();
    assert_eq!(c.engine.load(&agent("anna")), 2, "one owned, one reserved");
    c.anna().accepts();
    c.anna().ends(2);
    c.happened();
    c.customer(3).writes(3, 1);
    assert_eq!(c.happened(), ["#3 m13 from Customer"], "a wrap-up is an unfinished item");
    c.anna().completes(2);
    assert_eq!(c.happened().last().unwrap(), "#3 offered to anna, v1, for 30000");
}

// proves A5
#[test]
fn a_taken_chat_needs_capacity() {
    let mut c = Centre::with(|p| {
        support(p).delivery = Delivery::Pull;
        of(p, "anna").chat_capacity = 1;
    });
    c.customer(1).starts();
    c.customer(2).starts();
    c.anna().takes(1);
    let refusal = c.anna().cannot(Code::AtCapacity, |anna| anna.takes(2));
    assert_eq!(refusal.limit, Some(1));
}

// proves A5, B3
#[test]
fn all_parked_presents_a_further_chat_only_when_all_are_parked() {
    let mut c = Centre::with(|p| of(p, "ben").queues.clear());
    c.customer(1).starts();
    c.anna().accepts();
    c.customer(2).starts();
    assert!(matches!(c.seen(2).stage, Stage::Waiting));
    c.happened();
    c.anna().parks(1);
    assert_eq!(c.happened(), ["#1 parked for anna by Agent, left none", "#2 offered to anna, v1, for 30000"]);
}

// proves A5
#[test]
fn idle_presents_nothing_beside_a_parked_chat() {
    let mut c = Centre::with(|p| {
        of(p, "ben").queues.clear();
        support(p).offer_when = OfferWhen::Idle;
    });
    c.customer(1).starts();
    c.anna().accepts();
    c.anna().parks(1);
    c.customer(2).starts();
    assert!(matches!(c.seen(2).stage, Stage::Waiting));
}

// proves A11
#[test]
fn the_longest_idle_agent_is_first() {
    let mut c = Centre::new();
    c.customer(1).starts();
    c.anna().accepts();
    c.anna().parks(1);
    c.after(1);
    c.happened();
    c.customer(2).starts();
    assert_eq!(c.happened(), ["#2 started in support", "#2 offered to ben, v1, for 30000"]);
}

// proves A11
#[test]
fn auto_delivery_spreads_over_idle_agents() {
    let mut c = Centre::with(|p| {
        support(p).delivery = Delivery::Auto;
        support(p).offer_when = OfferWhen::BelowCapacity;
    });
    c.customer(1).starts();
    c.after(1);
    c.customer(2).starts();
    assert_eq!(
        c.happened()[2..],
        ["#2 started in support", "#2 assigned to ben (Auto), for 60000"],
        "anna got work just now; ben has waited longer"
    );
}

// proves A11, A10
#[test]
fn a_withdrawn_offer_does_not_cost_the_place_among_the_idle() {
    let mut c = Centre::new();
    c.customer(1).starts();
    c.after(5);
    c.customer(1).ends(1);
    c.happened();
    c.customer(2).starts();
    assert_eq!(c.happened(), ["#2 started in support", "#2 offered to anna, v1, for 30000"]);
}

// proves A11
#[test]
fn higher_priority_first_then_longest_waiting() {
    let mut c = Centre::closed(|p| {
        let mut vip = support(p).clone();
        vip.priority = 5;
        p.queues.insert(queue("vip"), vip);
        of(p, "anna").queues.insert(queue("vip"));
    });
    c.customer(1).starts();
    c.after(1);
    c.customer(2).starts();
    c.after(60);
    c.customer(3).starts_in("vip");
    c.anna().connects();
    c.happened();
    c.anna().goes(Presence::Available);
    for n in [3, 1, 2] {
        assert_eq!(c.happened().last().unwrap(), &format!("#{n} offered to anna, v1, for 30000"));
        c.anna().accepts();
        c.anna().parks(n);
    }
}

// proves A11
#[test]
fn every_freeing_event_routes_at_once() {
    let mut c = Centre::with(|p| {
        of(p, "ben").queues.clear();
        support(p).offer_when = OfferWhen::Idle;
    });
    c.customer(1).starts();
    c.anna().accepts();
    c.customer(2).starts();
    c.anna().ends(1);
    c.happened();
    c.after(60);
    assert_eq!(
        c.happened(),
        ["#1 completed by Timer", "#1 closed Answered, log true", "#2 offered to anna, v1, for 30000"]
    );
}

// proves A14
#[test]
fn who_the_customer_is_stands_beside_the_offer_before_it_is_accepted() {
    let mut c = Centre::new();
    c.customer(1).starts();
    let id = c.engine.agent(&agent("anna")).unwrap().offered.unwrap();
    let offered = c.engine.chat(id).unwrap();
    assert_eq!(offered.person.unwrap().id.0.as_u128(), 2_001);
    assert_eq!(c.engine.position(id), Some(1));
}
