//! A1 (Stop New everywhere) and A2.

use crate::centre::*;
use crate::staff::*;
use tieline_model::Code;
use tieline_model::command::{Presence, TransferTo};
use tieline_model::crm::Channel;
use tieline_model::policy::Delivery;

const BOTH: [Channel; 2] = [Channel::Chat, Channel::Call];

/// Anna serves "support" and "sales", and nobody else serves either.
fn two_queues() -> Centre {
    Centre::with(|p| {
        adds_queue(p, "sales");
        of(p, "anna").queues.insert(queue("sales"));
        of(p, "ben").queues.clear();
    })
}

// proves A2
#[test]
fn an_agent_may_be_available_for_some_queues_only() {
    let mut c = two_queues();
    available_for(&mut c, "anna", &BOTH, Some(&["sales"]));
    c.customer(1).starts();
    c.after(1);
    c.customer(2).starts_in("sales");
    assert_eq!(last(&mut c), "#2 offered to anna, v1, for 30000");
    c.anna().accepts();
    c.anna().parks(2);
    assert!(c.engine.queue_waiting(&queue("support")).contains(&chat(1)));
    c.happened();
    available_for(&mut c, "anna", &BOTH, None);
    assert_eq!(
        c.happened(),
        ["anna available on {Chat, Call} for None", "#1 offered to anna, v1, for 30000"]
    );
}

// proves A2
#[test]
fn an_agent_may_be_available_for_calls_only() {
    let mut c = two_queues();
    available_for(&mut c, "anna", &[Channel::Call], None);
    c.customer(1).starts();
    assert_eq!(last(&mut c), "#1 started in support");
    available_for(&mut c, "anna", &[Channel::Chat], None);
    assert_eq!(last(&mut c), "#1 offered to anna, v1, for 30000");
}

// proves A2
#[test]
fn what_was_offered_before_stands() {
    let mut c = two_queues();
    c.customer(1).starts();
    available_for(&mut c, "anna", &[], None);
    c.anna().accepts();
    assert_eq!(owner(&c, 1), Some(agent("anna")));
    assert_eq!(c.engine.agent(&agent("anna")).unwrap().channels, only(&[]));
}

// proves A2
#[test]
fn only_ones_own_queues_can_be_named_and_all_of_them_are_all() {
    let mut c = two_queues();
    let refusal = c.anna().cannot(Code::Invalid, |anna| {
        anna.wishes(tieline_model::Wish::SetAvailability {
            channels: only(&BOTH),
            queues: Some([queue("legal")].into()),
        });
    });
    assert_eq!(refusal.field.as_deref(), Some("queues"));
    c.happened();
    available_for(&mut c, "anna", &BOTH, Some(&["sales", "support"]));
    assert_eq!(c.happened(), NOTHING, "as before");
    assert_eq!(c.engine.agent(&agent("anna")).unwrap().queues, None);
}

// proves A2, F2
#[test]
fn availability_outlives_a_restart_and_a_day_at_home() {
    let mut c = two_queues();
    available_for(&mut c, "anna", &BOTH, Some(&["sales"]));
    c.anna().goes(Presence::Offline);
    c.restarts_after(60);
    c.anna().connects();
    c.anna().goes(Presence::Available);
    c.happened();
    c.customer(1).starts();
    assert_eq!(last(&mut c), "#1 started in support");
}

fn stopped() -> Centre {
    let mut c = Centre::with(|p| {
        support(p).delivery = Delivery::Pull;
        of(p, "ben").supervisor = true;
    });
    c.anna().goes(Presence::StopNew);
    c.happened();
    c
}

// proves A1
#[test]
fn stop_new_refuses_takes() {
    let mut c = stopped();
    c.customer(1).starts();
    let refusal = c.anna().cannot(Code::WrongState, |anna| anna.takes(1));
    assert_eq!(refusal.message, "you are Stop New; set Available to take chats");
}

// proves A1, B12
#[test]
fn stop_new_refuses_transfers_in() {
    let mut c = stopped();
    c.customer(1).starts();
    c.ben().takes(1);
    for warm in [false, true] {
        let refusal =
            c.ben().cannot(Code::TargetUnavailable, |ben| transfers(ben, 1, to_agent("anna", warm)));
        assert_eq!(refusal.message, "Shown Name is Stop New; choose another agent, or a queue");
    }
    transfers(c.ben(), 1, TransferTo::Queue { queue: queue("support") });
    assert_eq!(waits(&c, 1).position, 1, "its queue takes it");
}

// proves A1, B12
#[test]
fn who_was_consulted_and_takes_no_more_since_is_not_handed_the_chat() {
    let mut c = Centre::new();
    c.customer(1).starts();
    c.anna().accepts();
    transfers(c.anna(), 1, to_agent("ben", true));
    let offer = c.engine.agent(&agent("ben")).unwrap().offered.map(|_| c.seen(1).transfer.clone().unwrap());
    let offer = offer.unwrap().offer.id;
    c.ben().accepts_offer(offer);
    c.happened();
    c.ben().accepts_offer(offer);
    assert_eq!(c.happened(), NOTHING, "accepting twice is once");
    c.ben().goes(Presence::StopNew);
    c.anna().cannot(Code::TargetUnavailable, |anna| {
        anna.wishes(tieline_model::Wish::HandOver { interaction: chat(1), agent: agent("ben") });
    });
    c.ben().goes(Presence::Available);
    c.anna().wishes(tieline_model::Wish::HandOver { interaction: chat(1), agent: agent("ben") });
    assert_eq!(owner(&c, 1), Some(agent("ben")));
}

// proves A1, B15
#[test]
fn stop_new_refuses_reopens_and_the_customer_starts_anew() {
    let mut c = Centre::new();
    c.customer(1).starts();
    c.anna().accepts();
    c.anna().ends(1);
    c.anna().parks(1);
    c.anna().goes(Presence::StopNew);
    c.customer(1).cannot(Code::Expired, |one| returns(one, 1, 2));
    c.anna().goes(Presence::Available);
    c.happened();
    returns(c.customer(1), 1, 2);
    assert_eq!(c.happened(), ["#1 reopened with anna"]);
}

// proves A1, A15
#[test]
fn a_supervisor_overrides_stop_new() {
    let mut c = stopped();
    c.customer(1).starts();
    acts(c.ben(), assign(1, "anna"));
    assert_eq!(
        c.happened()[1..],
        ["ben acted on anna: because", "#1 assigned to anna (Supervisor), for no limit"]
    );
    c.anna().activates(1);
    c.anna().writes(1, 3);
}

// proves A1
#[test]
fn a_wish_for_stop_new_takes_nothing_new_already() {
    let mut c = Centre::with(|p| {
        support(p).offer_when = tieline_model::policy::OfferWhen::BelowCapacity;
        of(p, "ben").queues.clear();
    });
    c.customer(1).starts();
    c.anna().accepts();
    c.anna().goes(Presence::StopNew);
    c.happened();
    c.customer(2).starts();
    assert_eq!(c.happened(), ["#2 started in support"]);
}
