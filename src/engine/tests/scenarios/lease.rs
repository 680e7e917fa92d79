//! A8, A17: presence by lease.

use crate::centre::*;
use crate::staff::*;
use tieline_model::command::Presence;
use tieline_model::live::Status;
use tieline_model::policy::{Delivery, OfferWhen, WrapUp};
use tieline_model::{Code, Millis};

// proves A8
#[test]
fn the_grace_withdraws_an_open_offer_at_no_cost() {
    let mut c = Centre::new();
    c.customer(1).starts();
    c.anna().disconnects();
    c.happened();
    c.after_ms(19_999);
    assert_eq!(c.happened(), NOTHING, "the offer runs on");
    c.after_ms(1);
    assert_eq!(c.happened(), ["#1 withdrawn from anna (AgentLost)", "#1 offered to ben, v2, for 30000"]);
    assert_eq!(c.presence("anna"), Presence::Available);
    assert_eq!(c.engine.agent(&agent("anna")).unwrap().today.missed, 0);
}

// proves A8
#[test]
fn an_offer_whose_deadline_comes_within_the_grace_ends_there_and_costs_nothing() {
    let mut c = Centre::with(|p| support(p).accept_within = Millis::secs(10));
    c.customer(1).starts();
    c.anna().disconnects();
    c.happened();
    c.after(10);
    assert_eq!(c.happened(), ["#1 withdrawn from anna (AgentLost)", "#1 offered to ben, v2, for 10000"]);
    assert_eq!(c.presence("anna"), Presence::Available);
}

// proves A8
#[test]
fn who_reconnects_within_the_grace_still_has_the_offer() {
    let mut c = Centre::new();
    c.customer(1).starts();
    c.anna().disconnects();
    c.after(19);
    c.anna().connects();
    c.after(10);
    c.anna().accepts();
    assert_eq!(owner(&c, 1), Some(agent("anna")));
}

// proves A8
#[test]
fn a_lost_agent_gets_nothing_new_from_that_moment() {
    let mut c = Centre::with(|p| of(p, "ben").queues.clear());
    c.anna().disconnects();
    c.customer(1).starts();
    assert_eq!(last(&mut c), "#1 started in support");
    c.after(5);
    c.anna().connects();
    assert_eq!(last(&mut c), "#1 offered to anna, v1, for 30000");
}

// proves A8, B12
#[test]
fn the_grace_withdraws_an_open_transfer_too_and_a_lost_agent_is_offered_none() {
    let mut c = Centre::new();
    c.customer(1).starts();
    c.anna().accepts();
    transfers(c.anna(), 1, to_agent("ben", false));
    c.ben().disconnects();
    c.happened();
    c.after(20);
    assert_eq!(c.happened(), ["#1 transfer to ben failed (Withdrawn { why: AgentLost })"]);
    c.anna().cannot(Code::TargetUnavailable, |anna| transfers(anna, 1, to_agent("ben", false)));
}

// proves A17, A11
#[test]
fn chats_of_an_agent_who_is_lost_return_ahead_of_others_and_their_customers_are_told() {
    let mut c = Centre::with(|p| {
        support(p).offer_when = OfferWhen::BelowCapacity;
        of(p, "ben").chat_capacity = 0;
    });
    c.customer(1).starts();
    c.anna().accepts();
    c.after(1);
    c.customer(2).starts();
    c.anna().accepts();
    c.after(1);
    c.customer(3).starts();
    c.anna().accepts();
    c.anna().ends(3);
    c.anna().parks(3);
    c.customer(4).starts();
    c.anna().disconnects();
    c.happened();
    c.after_ms(89_999);
    assert_eq!(c.happened(), NOTHING);
    c.after_ms(1);
    assert_eq!(
        c.happened(),
        [
            "#1 returned from anna (AgentLost)",
            "#1 notice AgentLost",
            "#2 returned from anna (AgentLost)",
            "#2 notice AgentLost",
            "anna is Offline (Lost)",
        ]
    );
    assert_eq!(owner(&c, 3), Some(agent("anna")), "a wrap-up stays");
    assert_eq!(c.engine.queue_waiting(&queue("support")), [chat(1), chat(2), chat(4)]);
    assert!(waits(&c, 1).ahead && !waits(&c, 4).ahead);
}

// proves A17
#[test]
fn who_was_lost_ahead_of_higher_priority_too() {
    let mut c = Centre::with(|p| {
        adds_queue(p, "vip").priority = 100;
        of(p, "ben").queues.insert(queue("vip"));
    });
    c.customer(1).starts();
    c.anna().accepts();
    c.ben().goes(on_break("lunch"));
    c.customer(2).starts_in("vip");
    c.anna().disconnects();
    c.after(90);
    c.ben().goes(Presence::Available);
    assert_eq!(last(&mut c), "#1 offered to ben, v2, for 30000");
}

// proves A17, A8
#[test]
fn reconnecting_in_time_changes_nothing() {
    let mut c = Centre::new();
    c.customer(1).starts();
    c.anna().accepts();
    let before = c.engine.agent(&agent("anna")).cloned();
    for _ in 0..3 {
        c.anna().disconnects();
        c.after(89);
        c.anna().connects();
    }
    c.happened();
    c.after(600);
    assert_eq!(c.happened(), NOTHING);
    assert_eq!(c.engine.agent(&agent("anna")).cloned(), before);
}

// proves A17
#[test]
fn an_agent_on_a_live_call_is_not_lost_until_it_ends() {
    let mut c = Centre::new();
    c.customer(1).starts();
    c.anna().accepts();
    c.call("c1").answered_by("anna");
    c.anna().disconnects();
    c.happened();
    c.after(300);
    assert_eq!(c.happened(), NOTHING);
    assert_eq!(c.status("anna"), Status::OnCall);
    c.call("c1").ends();
    c.after(0);
    assert_eq!(
        c.happened(),
        [
            "c1 ended Answered",
            "c1 closed Answered, log true",
            "#1 returned from anna (AgentLost)",
            "#1 notice AgentLost",
            "anna is Offline (Lost)",
            "#1 offered to ben, v2, for 30000",
        ]
    );
}

// proves A17, E5
#[test]
fn the_wrap_up_of_the_call_that_held_a_lost_agent_stays() {
    let mut c = Centre::with(|p| p.calls.wrap_up = Some(WrapUp::default()));
    c.call("c1").answered_by("anna");
    c.anna().disconnects();
    c.after(300);
    c.call("c1").ends();
    c.after(0);
    assert_eq!(c.presence("anna"), Presence::Offline);
    assert_eq!(c.status("anna"), Status::WrapUp);
    c.after(60);
    assert_eq!(last(&mut c), "c1 closed Answered, log true");
}

// proves A17
#[test]
fn a_ringing_call_does_not_hold_a_lost_agent() {
    let mut c = Centre::new();
    c.anna().disconnects();
    c.call("c1").rings_at(&["anna"]);
    c.after(90);
    assert_eq!(c.presence("anna"), Presence::Offline);
}

// proves A8, A17
#[test]
fn an_agent_with_two_panels_is_there_until_the_last_is_gone() {
    let mut c = Centre::closed(|p| of(p, "ben").queues.clear());
    connects_at(&mut c, "anna", 1);
    connects_at(&mut c, "anna", 2);
    c.anna().goes(Presence::Available);
    disconnects_at(&mut c, "anna", 1);
    c.customer(1).starts();
    assert_eq!(last(&mut c), "#1 offered to anna, v1, for 30000");
    c.anna().accepts();
    c.after(600);
    assert_eq!(c.presence("anna"), Presence::Available);
    c.happened();
    disconnects_at(&mut c, "anna", 1);
    assert_eq!(c.happened(), NOTHING, "gone already");
    disconnects_at(&mut c, "anna", 2);
    c.after(60);
    connects_at(&mut c, "anna", 1);
    disconnects_at(&mut c, "anna", 1);
    c.after_ms(89_999);
    assert_eq!(c.presence("anna"), Presence::Available, "counted from the last one");
    c.after_ms(1);
    assert_eq!(c.presence("anna"), Presence::Offline);
}

// proves A17
#[test]
fn nobody_who_is_offline_is_lost() {
    let mut c = Centre::new();
    c.anna().goes(Presence::Offline);
    c.anna().disconnects();
    c.happened();
    c.after(600);
    assert_eq!(c.happened(), NOTHING);
    assert_eq!(c.engine.next_deadline(), None);
}

// proves A17, A1
#[test]
fn a_wish_and_an_availability_end_and_stay_with_the_lost_agent() {
    let mut c = Centre::new();
    c.customer(1).starts();
    c.anna().accepts();
    c.anna().goes(on_break("lunch"));
    c.anna().disconnects();
    c.after(90);
    let anna = c.engine.agent(&agent("anna")).unwrap();
    assert_eq!((&anna.presence, &anna.wish), (&Presence::Offline, &None));
}

// proves A17, A3
#[test]
fn an_unopened_chat_of_a_lost_agent_counts_against_nobody() {
    let mut c = Centre::with(|p| support(p).delivery = Delivery::Auto);
    c.ben().goes(Presence::StopNew);
    c.customer(1).starts();
    c.anna().disconnects();
    c.happened();
    c.after(60);
    assert_eq!(c.happened(), ["#1 returned from anna (Unopened)"]);
    assert_eq!(c.engine.agent(&agent("anna")).unwrap().today.missed, 0);
    c.anna().connects();
    assert_eq!(last(&mut c), "#1 assigned to anna (Auto), for 60000", "and is not remembered");
}

// proves A17, F2
#[test]
fn after_a_restart_everybody_has_the_whole_lease_to_come_back() {
    let mut c = Centre::new();
    c.customer(1).starts();
    c.anna().accepts();
    c.ben().disconnects();
    c.after(60);
    c.restarts_after(300);
    c.happened();
    c.after_ms(29_999);
    assert_eq!(c.happened(), NOTHING);
    c.after_ms(1);
    assert_eq!(c.happened(), ["ben is Offline (Lost)"], "he had thirty seconds left");
    c.after_ms(59_999);
    assert_eq!(c.happened(), NOTHING);
    c.anna().connects();
    c.happened();
    c.after(300);
    assert_eq!(c.happened(), NOTHING);
    assert_eq!(owner(&c, 1), Some(agent("anna")));
}

// proves A17, C8
#[test]
fn who_was_lost_and_leaves_the_settings_leaves_no_wrap_up_behind() {
    let mut c = Centre::with(|p| {
        support(p).wrap_up.time = None;
        support(p).wrap_up.max = None;
    });
    c.customer(1).starts();
    c.anna().accepts();
    c.anna().ends(1);
    c.anna().disconnects();
    c.after(90);
    assert_eq!(owner(&c, 1), Some(agent("anna")));
    c.happened();
    let mut policy = c.policy();
    policy.agents.remove(&agent("anna"));
    c.configures(policy);
    assert_eq!(
        c.happened(),
        [
            "#1 completed by Offline",
            "#1 closed Answered, log true",
            "anna is Offline (Removed)",
            "configured"
        ]
    );
}
