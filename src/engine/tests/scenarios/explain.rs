//! A16: why a chat is where it is.

use crate::centre::*;
use crate::staff::*;
use tieline_model::Millis;
use tieline_model::command::Presence;
use tieline_model::crm::Channel;
use tieline_model::explain::{EarlierOffer, Fate, NextStep, RuledOut, Standing};
use tieline_model::live::Place;
use tieline_model::policy::{Delivery, OfferWhen, OverflowTo, Strategy, WaitLimit};

/// Only Anna serves "support", and a chat waits for her.
fn anna_alone(change: impl FnOnce(&mut tieline_model::policy::TenantPolicy)) -> Centre {
    Centre::with(|p| {
        of(p, "ben").queues.clear();
        change(p);
    })
}

// proves A16
#[test]
fn presence_connection_and_wish_rule_out_first() {
    let mut c = anna_alone(|_| {});
    c.anna().goes(on_break("lunch"));
    c.customer(1).starts();
    assert_eq!(against(&c, 1, "anna"), Some(RuledOut::Presence { presence: on_break("lunch") }));
    c.anna().disconnects();
    assert_eq!(
        against(&c, 1, "anna"),
        Some(RuledOut::Presence { presence: on_break("lunch") }),
        "only the first reason is told"
    );
    c.anna().goes(Presence::Available);
    let lost_at = Some(c.now + Millis::secs(90));
    assert_eq!(against(&c, 1, "anna"), Some(RuledOut::NotConnected { lost_at }));
    c.anna().connects();
    c.anna().accepts();
    c.anna().goes(Presence::StopNew);
    c.customer(2).starts();
    assert_eq!(against(&c, 2, "anna"), Some(RuledOut::Wish { presence: Presence::StopNew }));
}

// proves A16, A2
#[test]
fn who_is_available_elsewhere_only_is_told_apart_from_who_takes_no_chats() {
    let mut c = anna_alone(|p| {
        adds_queue(p, "sales");
        of(p, "anna").queues.insert(queue("sales"));
    });
    available_for(&mut c, "anna", &[Channel::Call, Channel::Chat], Some(&["sales"]));
    c.customer(1).starts();
    assert_eq!(against(&c, 1, "anna"), Some(RuledOut::NotThisQueue));
    available_for(&mut c, "anna", &[Channel::Call], None);
    assert_eq!(against(&c, 1, "anna"), Some(RuledOut::NoChats));
}

// proves A16, A5
#[test]
fn an_open_offer_a_call_capacity_and_work_are_told_with_their_numbers() {
    let mut c = anna_alone(|p| {
        of(p, "anna").chat_capacity = 2;
        adds_queue(p, "big").units = 2;
        adds_queue(p, "idle").offer_when = OfferWhen::Idle;
        adds_queue(p, "some").offer_when = OfferWhen::BelowCapacity;
        for name in ["big", "idle", "some"] {
            of(p, "anna").queues.insert(queue(name));
        }
    });
    c.customer(1).starts();
    c.customer(2).starts();
    assert_eq!(against(&c, 2, "anna"), Some(RuledOut::UnderOffer { interaction: chat(1) }));
    c.anna().accepts();
    c.customer(3).starts_in("big");
    c.customer(4).starts_in("idle");
    let at_work = |offer_when| Some(RuledOut::AtWork { offer_when, interaction: chat(1) });
    assert_eq!(against(&c, 2, "anna"), at_work(OfferWhen::AllParked));
    assert_eq!(against(&c, 4, "anna"), at_work(OfferWhen::Idle));
    assert_eq!(against(&c, 3, "anna"), Some(RuledOut::AtCapacity { in_hand: 1, takes: 2, capacity: 2 }));
    c.call("c1").rings_at(&["anna"]);
    let call = c.call_id("c1");
    assert_eq!(against(&c, 2, "anna"), Some(RuledOut::OnCall { interaction: call }));
    c.call("c1").answered_by("anna");
    assert_eq!(against(&c, 4, "anna"), Some(RuledOut::OnCall { interaction: call }));
    c.call("c1").ends();
    c.happened();
    c.customer(5).starts_in("some");
    assert_eq!(explained(&c, 2).earlier, [], "parked by the call, anna was offered the next at once");
}

// proves A16, A11, A9
#[test]
fn skills_are_told_with_their_levels_and_a_decliner_until_when() {
    let mut c = Centre::with(|p| {
        support(p).skills = needs(&[("french", 5), ("law", 2)]);
        support(p).after_reject = tieline_model::policy::After::Stay;
        can(p, "anna", &[("french", 5)]);
        can(p, "ben", &[("french", 4), ("law", 9)]);
        adds_agent(p, "cleo", &["support"]);
        can(p, "cleo", &[("french", 8), ("law", 2)]);
    });
    c.customer(1).starts();
    assert_eq!(against(&c, 1, "anna"), Some(RuledOut::SkillMissing { skill: skill("law"), needs: 2 }));
    let too_low = RuledOut::SkillTooLow { skill: skill("french"), has: 4, needs: 5 };
    assert_eq!(against(&c, 1, "ben"), Some(too_low));
    arrives(&mut c, "cleo");
    c.agent("cleo").rejects();
    let until = later(&c, 30);
    assert_eq!(against(&c, 1, "cleo"), Some(RuledOut::Declined { until }));
    let next = waits(&c, 1).next;
    assert_eq!((next[0].at, &next[0].what), (until, &NextStep::AsksAgain { agent: agent("cleo") }));
    assert_eq!(explained(&c, 1).earlier, [EarlierOffer { agent: agent("cleo"), fate: Fate::Rejected }]);
}

// proves A16
#[test]
fn a_waiting_chat_says_what_it_needs_and_what_comes_next() {
    let mut c = Centre::closed(|p| {
        let queue = support(p);
        queue.skills = needs(&[("french", 3)]);
        queue.relax_after = Some(Millis::secs(40));
        queue.hours = Some(schedule("office"));
        let (after, then) = (Millis::secs(600), OverflowTo::OfflineForm);
        queue.overflow.waited = Some(WaitLimit { after, then: then.clone() });
        can(p, "ben", &[("french", 1)]);
    });
    sets_hours(&mut c, "office", &[(0, 300)]);
    c.anna().connects();
    c.anna().goes(Presence::Available);
    c.customer(1).starts();
    c.after(45);
    c.customer(2).starts();
    let one = waits(&c, 1);
    assert_eq!((one.position, one.in_line, one.open, one.staff), (1, 2, true, 1));
    assert_eq!((one.needs, one.relaxed), (needs(&[("french", 2)]), 1));
    assert_eq!((one.delivery, one.ahead, one.preferred), (Delivery::Offer, false, None));
    let next: Vec<_> = one.next.iter().map(|n| (n.at.since(c.now).0, n.what.clone())).collect();
    assert_eq!(
        next,
        [
            (35_000, NextStep::NeedsLess),
            (255_000, NextStep::Closes),
            (555_000, NextStep::Overflows { to: OverflowTo::OfflineForm })
        ]
    );
    let names: Vec<_> = one.considered.iter().map(|a| a.agent.to_string()).collect();
    assert_eq!((names, one.more), (vec!["anna".to_owned(), "ben".to_owned()], 0));
    assert_eq!(waits(&c, 2).position, 2);
}

// proves A16, A12
#[test]
fn a_closed_queue_says_when_it_opens() {
    let mut c = Centre::with(|p| {
        support(p).hours = Some(schedule("office"));
        support(p).overflow.closed = OverflowTo::Wait;
        of(p, "ben").queues.clear();
    });
    c.anna().goes(Presence::StopNew);
    sets_hours(&mut c, "office", &[(100, 300)]);
    c.customer(1).starts();
    let one = waits(&c, 1);
    assert!(!one.open);
    assert_eq!((one.next[0].at.since(c.now).0, &one.next[0].what), (100_000, &NextStep::Opens));
}

// proves A16
#[test]
fn two_hundred_agents_are_listed_those_at_work_first_and_the_others_counted() {
    let mut c = Centre::closed(|p| {
        for n in 0..249 {
            adds_agent(p, &format!("a{n:03}"), &["support"]);
        }
    });
    c.agent("a248").goes(Presence::StopNew);
    c.customer(1).starts();
    let one = waits(&c, 1);
    assert_eq!((one.considered.len(), one.more), (200, 51));
    assert_eq!(one.considered[0].agent, agent("a248"));
}

// proves A16, A11
#[test]
fn an_offered_and_an_owned_chat_say_who_has_it_and_why() {
    let mut c = Centre::with(|p| {
        support(p).skills = needs(&[("french", 2)]);
        support(p).strategy = Strategy::LeastLoaded;
        can(p, "anna", &[("french", 2)]);
        can(p, "ben", &[("french", 7)]);
    });
    let idle_since = c.engine.agent(&agent("ben")).unwrap().idle_since;
    c.customer(1).starts();
    let Standing::Offered(given) = explained(&c, 1).standing else { panic!("offered") };
    assert_eq!((given.agent, given.skill), (agent("ben"), Some(7)));
    assert_eq!((given.strategy, given.preferred), (Some(Strategy::LeastLoaded), false));
    assert_eq!((given.load, given.capacity, given.idle_since), (1, 3, idle_since));
    assert_eq!(given.offer.map(|o| (o.at, o.deadline)), Some((c.now, later(&c, 30))));
    c.ben().accepts();
    let accepted = c.now;
    transfers(c.ben(), 1, to_agent("anna", false));
    let Standing::Owned { given, place, wrap_up, answered_at, transfer } = explained(&c, 1).standing else {
        panic!("owned")
    };
    assert_eq!((given.agent, given.offer), (agent("ben"), None));
    assert_eq!((place, wrap_up, answered_at), (Place::Active, false, Some(accepted)));
    assert_eq!(transfer.map(|t| t.agent), Some(agent("anna")));
    c.ben().ends(1);
    assert!(matches!(explained(&c, 1).standing, Standing::Owned { wrap_up: true, transfer: None, .. }));
}

// proves A16, A12
#[test]
fn a_chat_at_the_offline_form_says_until_when() {
    let mut c = Centre::closed(|p| support(p).overflow.unstaffed = OverflowTo::OfflineForm);
    c.customer(1).starts();
    let deadline = later(&c, 1_800);
    assert_eq!(explained(&c, 1).standing, Standing::OfflineForm { deadline });
    assert_eq!(c.engine.explain(c.now, chat(2)), None, "there is no such chat");
}
