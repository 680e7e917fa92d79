//! A4, A5, A9, A11: who gets which chat.

use crate::centre::*;
use crate::staff::*;
use tieline_model::command::Presence;
use tieline_model::crm::Channel;
use tieline_model::policy::{After, Delivery, OfferWhen, Strategy, TenantPolicy};
use tieline_model::{Code, Millis};

/// Rejecting and missing cost nobody the presence.
fn patient(p: &mut TenantPolicy) {
    support(p).after_reject = After::Stay;
    support(p).after_miss = After::Stay;
}

fn offered(n: u128, to: &str, version: u32) -> String {
    format!("#{n} offered to {to}, v{version}, for 30000")
}

// proves A4, A5
#[test]
fn two_agents_who_accept_at_once_get_a_chat_each_and_never_the_same() {
    let mut c = Centre::new();
    c.customer(1).starts();
    let first = c.offer("anna");
    c.after(30);
    let second = c.offer("ben");
    assert_ne!(first, second);
    // Anna's accept was on its way when her offer ran out and Ben got his.
    let refusal = c.anna().cannot(Code::Expired, |anna| anna.accepts_offer(first));
    assert_eq!(refusal.message, "the offer has expired; the chat waits for the next free agent");
    c.ben().accepts_offer(second);
    let refusal = c.anna().cannot(Code::Taken, |anna| anna.accepts_offer(first));
    assert_eq!(refusal.message, "taken by Shown Name");
    c.anna().cannot(Code::NotFound, |anna| anna.accepts_offer(second));
    assert_eq!(owner(&c, 1), Some(agent("ben")));
}

// proves A4
#[test]
fn of_two_agents_who_take_one_chat_the_second_learns_who_has_it() {
    let mut c = Centre::with(|p| support(p).delivery = Delivery::Pull);
    c.customer(1).starts();
    c.anna().takes(1);
    let refusal = c.ben().cannot(Code::Taken, |ben| ben.takes(1));
    assert_eq!(refusal.message, "taken by Shown Name");
}

// proves A5
#[test]
fn capacity_is_counted_in_units_reserved_at_the_offer_and_released_with_it() {
    let mut c = Centre::with(|p| {
        patient(p);
        support(p).units = 2;
        support(p).offer_when = OfferWhen::BelowCapacity;
        of(p, "ben").queues.clear();
        of(p, "anna").chat_capacity = 3;
    });
    let load = |c: &Centre| c.engine.load(&agent("anna"));
    c.customer(1).starts();
    assert_eq!(load(&c), 2, "reserved by the offer");
    c.anna().rejects();
    assert_eq!(load(&c), 0, "released by the reject");
    c.after(30);
    assert_eq!(load(&c), 2, "offered again");
    c.after(30);
    assert_eq!(load(&c), 0, "released by the expiry");
    c.after(30);
    assert_eq!(load(&c), 2);
    c.anna().goes(on_break("lunch"));
    assert_eq!(load(&c), 0, "released by the withdrawal");
    c.anna().goes(Presence::Available);
    c.anna().accepts();
    c.customer(2).starts();
    assert_eq!(load(&c), 2, "one unit is left, and the chat takes two");
    let mut policy = c.policy();
    of(&mut policy, "anna").chat_capacity = 4;
    c.configures(policy);
    assert_eq!(load(&c), 4);
}

// proves A5, B3
#[test]
fn below_capacity_presents_beside_an_active_chat_and_stops_at_capacity() {
    let mut c = Centre::with(|p| {
        support(p).offer_when = OfferWhen::BelowCapacity;
        of(p, "ben").queues.clear();
        of(p, "anna").chat_capacity = 2;
    });
    for n in 1..=3 {
        c.customer(n).starts();
    }
    c.anna().accepts();
    c.anna().accepts();
    c.happened();
    c.after(600);
    assert_eq!(c.happened(), NOTHING, "two of two");
}

// proves A5
#[test]
fn idle_presents_when_the_last_item_is_done() {
    let mut c = Centre::with(|p| {
        support(p).offer_when = OfferWhen::Idle;
        of(p, "ben").queues.clear();
    });
    c.customer(1).starts();
    c.anna().accepts();
    c.customer(2).starts();
    c.anna().ends(1);
    c.anna().parks(1);
    c.happened();
    c.anna().completes(1);
    assert_eq!(last(&mut c), offered(2, "anna", 1));
}

// proves A5
#[test]
fn an_unopened_chat_keeps_all_parked_from_presenting_more() {
    let mut c = Centre::with(|p| {
        support(p).delivery = Delivery::Auto;
        of(p, "ben").queues.clear();
    });
    c.customer(1).starts();
    c.customer(2).starts();
    assert_eq!(owner(&c, 2), None, "the first is new yet");
    c.anna().activates(1);
    assert_eq!(owner(&c, 2), None, "and now active");
    c.anna().parks(1);
    assert_eq!(owner(&c, 2), Some(agent("anna")));
}

// proves A5
#[test]
fn a_queue_that_may_interrupt_chats_does_and_capacity_stands() {
    let mut c = Centre::with(|p| {
        of(p, "ben").queues.clear();
        of(p, "anna").chat_capacity = 2;
        of(p, "anna").queues.insert(queue("urgent"));
        adds_queue(p, "urgent").may_interrupt = [Channel::Chat].into();
    });
    c.customer(1).starts();
    c.anna().accepts();
    c.customer(2).starts();
    c.happened();
    c.customer(3).starts_in("urgent");
    assert_eq!(last(&mut c), offered(3, "anna", 1));
    c.anna().accepts();
    assert_eq!(c.happened()[0], "#1 parked for anna by Activation, left none");
    c.customer(4).starts_in("urgent");
    assert_eq!(last(&mut c), "#4 started in urgent", "capacity stands");
}

// proves A5, A10
#[test]
fn a_queue_that_may_interrupt_calls_does_and_others_wait_until_they_end() {
    let mut c = Centre::with(|p| {
        of(p, "ben").queues.clear();
        of(p, "anna").queues.insert(queue("urgent"));
        adds_queue(p, "urgent").may_interrupt = [Channel::Call].into();
    });
    c.call("c1").answered_by("anna");
    c.customer(1).starts();
    assert_eq!(last(&mut c), "#1 started in support");
    c.customer(2).starts_in("urgent");
    assert_eq!(last(&mut c), offered(2, "anna", 1));
    c.anna().accepts();
    c.anna().parks(2);
    c.happened();
    c.call("c1").ends();
    assert_eq!(last(&mut c), offered(1, "anna", 1));
}

// proves A11
#[test]
fn least_loaded_goes_before_longest_idle() {
    let mut c = Centre::with(|p| {
        support(p).strategy = Strategy::LeastLoaded;
        support(p).offer_when = OfferWhen::BelowCapacity;
    });
    c.customer(1).starts();
    c.anna().accepts();
    c.after(5);
    c.ben().goes(Presence::StopNew);
    c.ben().goes(Presence::Available);
    c.happened();
    c.customer(2).starts();
    assert_eq!(last(&mut c), offered(2, "ben", 1), "anna has waited longer, but has one in hand");
    c.ben().accepts();
    c.customer(3).starts();
    assert_eq!(last(&mut c), offered(3, "anna", 1), "equal loads: longest idle");
}

// proves A11
#[test]
fn least_loaded_counts_units() {
    let mut c = Centre::with(|p| {
        support(p).strategy = Strategy::LeastLoaded;
        support(p).offer_when = OfferWhen::BelowCapacity;
        adds_queue(p, "big").units = 2;
        of(p, "anna").queues.insert(queue("big"));
        of(p, "anna").chat_capacity = 9;
    });
    c.customer(1).starts_in("big");
    c.anna().accepts();
    c.customer(2).starts();
    c.ben().accepts();
    c.after(10);
    c.customer(3).starts();
    assert_eq!(last(&mut c), offered(3, "ben", 1), "one unit against two");
}

fn sticky() -> Centre {
    let mut c = Centre::with(|p| support(p).strategy = Strategy::Sticky);
    c.anna().goes(Presence::StopNew);
    let known = With { marks: &["m1"], ..With::default() };
    starts_with(&mut c, 1, "support", &known);
    c.ben().accepts();
    c.ben().ends(1);
    c.ben().completes(1);
    c.anna().goes(Presence::Available);
    c.happened();
    c
}

// proves A11
#[test]
fn sticky_asks_the_last_agent_of_a_visitor_first() {
    let mut c = sticky();
    c.after(60);
    c.anna().goes(Presence::StopNew);
    c.anna().goes(Presence::Available);
    // Ben is longest idle, so a stranger goes to him; put him last to tell the two apart.
    c.ben().goes(Presence::StopNew);
    c.after(1);
    c.ben().goes(Presence::Available);
    starts_with(&mut c, 2, "support", &With { marks: &["m2"], ..With::default() });
    assert_eq!(last(&mut c), offered(2, "anna", 1), "a stranger goes to the longest idle");
    c.customer(2).ends(2);
    starts_with(&mut c, 3, "support", &With { marks: &["m1"], ..With::default() });
    assert_eq!(last(&mut c), offered(3, "ben", 1), "a known visitor goes to the last agent");
    assert_eq!(c.seen(3).preferred, Some(agent("ben")));
}

// proves A11
#[test]
fn sticky_falls_back_when_the_last_agent_is_busy_or_declines() {
    let mut c = sticky();
    c.ben().goes(on_break("lunch"));
    let known = With { marks: &["m1"], ..With::default() };
    starts_with(&mut c, 2, "support", &known);
    assert_eq!(last(&mut c), offered(2, "anna", 1), "he is not free");
    c.customer(2).ends(2);
    c.ben().goes(Presence::Available);
    starts_with(&mut c, 3, "support", &known);
    c.ben().rejects();
    assert_eq!(last(&mut c), offered(3, "anna", 2), "he does not want it");
}

// proves A11, B15
#[test]
fn who_comes_back_soon_is_offered_to_the_same_agent_first_whatever_the_strategy() {
    let mut c = Centre::new();
    c.customer(1).starts();
    c.anna().accepts();
    c.anna().ends(1);
    c.anna().completes(1);
    c.after(60);
    c.happened();
    returns(c.customer(1), 1, 2);
    assert_eq!(c.happened(), ["#2 started in support".to_owned(), offered(2, "anna", 1)]);
    assert_eq!(c.seen(2).previous, Some(chat(1)));
}

// proves A11
#[test]
fn waiting_raises_priority_over_queues() {
    let mut c = Centre::closed(|p| {
        p.ageing = Some(Millis::secs(60));
        adds_queue(p, "vip").priority = 2;
        of(p, "anna").queues.insert(queue("vip"));
    });
    c.customer(1).starts();
    c.after(119);
    c.customer(2).starts_in("vip");
    c.after(2);
    c.customer(3).starts();
    c.customer(4).starts_in("vip");
    c.anna().connects();
    c.anna().goes(Presence::Available);
    // Two steps of priority weigh as much as 120 s: chat 2 came 119 s after chat 1, chat 4 came 121 s after it.
    let mut order = Vec::new();
    for _ in 1..=4 {
        let n = c.engine.agent(&agent("anna")).unwrap().offered.unwrap().0.as_u128();
        order.push(n);
        c.anna().accepts();
        c.anna().ends(n);
        c.anna().completes(n);
    }
    assert_eq!(order, [2, 1, 4, 3]);
}

// proves A11
#[test]
fn without_ageing_priority_always_goes_first_however_long_others_wait() {
    let mut c = Centre::closed(|p| {
        adds_queue(p, "vip").priority = 1;
        of(p, "anna").queues.insert(queue("vip"));
    });
    c.customer(1).starts();
    c.after(86_400);
    c.customer(2).starts_in("vip");
    arrives(&mut c, "anna");
    assert_eq!(last(&mut c), offered(2, "anna", 1));
}

// proves A9
#[test]
fn who_declined_is_left_out_while_others_are_asked() {
    let mut c = Centre::with(patient);
    c.customer(1).starts();
    c.anna().rejects();
    assert_eq!(last(&mut c), offered(1, "ben", 2));
    c.after(5);
    c.ben().rejects();
    assert_eq!(last(&mut c), "#1 rejected by ben", "everybody has declined");
    c.after_ms(24_999);
    assert_eq!(c.happened(), NOTHING);
    c.after_ms(1);
    assert_eq!(c.happened(), ["#1 may go to anna again".to_owned(), offered(1, "anna", 3)]);
}

// proves A9
#[test]
fn the_only_agent_is_asked_again_after_a_pause_so_that_no_chat_starves() {
    let mut c = Centre::with(|p| {
        patient(p);
        of(p, "ben").queues.clear();
    });
    c.customer(1).starts();
    for version in 2..6 {
        c.anna().rejects();
        c.happened();
        c.after(30);
        assert_eq!(c.happened(), ["#1 may go to anna again".to_owned(), offered(1, "anna", version)]);
    }
    c.after(30);
    assert_eq!(last(&mut c), "#1 missed by anna", "a miss is remembered as a reject is");
    c.after(30);
    c.anna().accepts();
}

// proves A9
#[test]
fn a_chat_everybody_free_declined_does_not_hold_up_those_behind_it() {
    let mut c = Centre::with(|p| {
        patient(p);
        of(p, "ben").queues.clear();
    });
    c.customer(1).starts();
    c.after(1);
    c.customer(2).starts();
    c.happened();
    c.anna().rejects();
    assert_eq!(c.happened(), ["#1 rejected by anna".to_owned(), offered(2, "anna", 1)]);
    c.anna().accepts();
    c.anna().parks(2);
    c.after(30);
    assert_eq!(last(&mut c), offered(1, "anna", 2));
}

// proves A9
#[test]
fn the_memory_is_of_one_chat_and_ends_when_somebody_has_had_it() {
    let mut c = Centre::with(patient);
    c.customer(1).starts();
    c.anna().rejects();
    c.happened();
    c.customer(2).starts();
    assert_eq!(last(&mut c), offered(2, "anna", 1), "she declined another chat");
    c.anna().accepts();
    c.anna().parks(2);
    c.ben().accepts();
    c.happened();
    c.ben().goes_offline_for_sure();
    assert_eq!(last(&mut c), offered(1, "anna", 3), "it was in Ben's hands since");
}

// proves A9, A3
#[test]
fn an_unopened_chat_goes_to_others_first() {
    let mut c = Centre::with(|p| {
        patient(p);
        support(p).delivery = Delivery::Auto;
    });
    c.ben().goes(Presence::StopNew);
    c.customer(1).starts();
    c.happened();
    c.after(60);
    assert_eq!(c.happened(), ["#1 returned from anna (Unopened)"]);
    c.after(30);
    assert_eq!(last(&mut c), "#1 assigned to anna (Auto), for 60000");
}

// proves A3, A7, B12
#[test]
fn an_unopened_chat_that_goes_back_takes_its_open_transfer_along() {
    let mut c = Centre::with(|p| {
        support(p).delivery = Delivery::Auto;
        support(p).accept_within = Millis::secs(300);
    });
    c.customer(1).starts();
    transfers(c.anna(), 1, to_agent("ben", false));
    c.happened();
    c.after(60);
    assert_eq!(
        c.happened(),
        [
            "#1 transfer to ben failed (Withdrawn { why: TransferCancelled })",
            "#1 returned from anna (Unopened)",
            "anna is OnBreak { reason: \"missed\" } (Missed)",
            "#1 assigned to ben (Auto), for 60000",
        ]
    );
}

// proves A7
#[test]
fn a_chat_left_unopened_by_somebody_on_a_break_changes_no_presence() {
    let mut c = Centre::with(|p| support(p).delivery = Delivery::Auto);
    c.customer(1).starts();
    c.anna().goes(on_break("lunch"));
    c.after(60);
    assert_eq!(c.presence("anna"), on_break("lunch"));
    assert_eq!(owner(&c, 1), Some(agent("ben")));
}

// proves A11
#[test]
fn each_freeing_event_is_a_routing_pass() {
    let setup = || {
        let mut c = Centre::with(|p| of(p, "ben").queues.clear());
        c.customer(1).starts();
        c.anna().accepts();
        c.customer(2).starts();
        c.happened();
        c
    };
    let next = offered(2, "anna", 1);
    let mut c = setup();
    c.anna().parks(1);
    assert_eq!(last(&mut c), next, "parked");
    let mut c = setup();
    c.anna().ends(1);
    c.anna().completes(1);
    assert_eq!(last(&mut c), next, "wrap-up done");
    let mut c = setup();
    c.call("c1").answered_by("anna");
    c.call("c1").ends();
    assert_eq!(last(&mut c), next, "the call that parked it is over");
    let mut c = setup();
    c.anna().disconnects();
    c.anna().parks(1);
    c.happened();
    c.anna().connects();
    assert_eq!(last(&mut c), next, "connected");
    let mut c = setup();
    let mut policy = c.policy();
    of(&mut policy, "ben").queues.insert(queue("support"));
    c.configures(policy);
    assert_eq!(last(&mut c), offered(2, "ben", 1), "settings");
}

// proves A5, A11, B12
#[test]
fn an_agent_under_offer_is_offered_no_transfer_too_not_even_one_of_another_queue() {
    let mut c = Centre::with(|p| {
        adds_queue(p, "sales");
        of(p, "ben").queues.insert(queue("sales"));
    });
    c.customer(1).starts();
    c.anna().accepts();
    available_for(&mut c, "ben", &[Channel::Chat, Channel::Call], Some(&["sales"]));
    c.customer(2).starts_in("sales");
    let refusal = c.anna().cannot(Code::TargetUnavailable, |anna| transfers(anna, 1, to_agent("ben", false)));
    assert_eq!(refusal.message, "Shown Name is being offered another chat; choose another agent, or a queue");
    c.ben().disconnects();
    c.after(600);
    assert_eq!(c.presence("ben"), Presence::Offline);
}
