//! What the reference model found: one small script for each thing the engine once got wrong.

use crate::centre::*;
use tieline_model::command::TransferTo;
use tieline_model::event::Service;
use tieline_model::policy::{Delivery, WrapUp};
use tieline_model::{Actor, Code, Command, Event, InteractionId, Millis, Wish};
use uuid::Uuid;

// proves B17
#[test]
fn an_offer_during_which_the_customer_leaves_counts_as_connecting() {
    let mut c = Centre::new();
    c.customer(1).starts();
    c.after(4);
    let by = Actor::Customer { conversation: c.seen(1).conversation };
    let wish = Wish::EndChat { interaction: chat(1) };
    let events = c.engine.decide(c.now, &Command { id: "leave".parse().unwrap(), by, wish }).unwrap();
    let told = events.iter().find_map(|event| match event {
        Event::InteractionClosed { service, .. } => *service,
        _ => None,
    });
    assert_eq!(told, Some(Service { connecting: Millis::secs(4), ..Service::default() }));
}

// proves B17
#[test]
fn a_chat_sent_on_unopened_keeps_the_time_it_lay_there() {
    let mut c = Centre::with(|p| support(p).delivery = Delivery::Auto);
    c.customer(1).starts();
    c.after(3);
    let owner =
        c.engine.agents().find(|(_, a)| a.inbox.contains(&chat(1))).map(|(id, _)| id.clone()).unwrap();
    let to = TransferTo::Queue { queue: queue("support") };
    let wish = Wish::Transfer { interaction: chat(1), to, note: None, confirmed: true };
    c.agent(owner.as_str()).wishes(wish);
    assert_eq!(c.seen(1).service.connecting, Millis::secs(3));
}

// proves E5, B15
#[test]
fn a_call_in_wrap_up_has_no_customer_who_comes_back() {
    let mut c = Centre::with(|p| p.calls.wrap_up = Some(WrapUp::default()));
    c.call("x").rings_at(&["anna"]);
    c.call("x").answered_by("anna");
    c.call("x").ends();
    let id = c.call_id("x");
    let conversation = c.engine.chat(id).unwrap().conversation;
    let by = Actor::Customer { conversation };
    let wish = Wish::ReturnToChat { interaction: id, fresh: InteractionId(Uuid::from_u128(77)) };
    let refusal = c.engine.decide(c.now, &Command { id: "back".parse().unwrap(), by, wish }).unwrap_err();
    assert_eq!(refusal.code, Code::Expired);
}

// proves E5
#[test]
fn an_agent_who_left_the_settings_during_a_call_gets_no_wrap_up_of_it() {
    let mut c =
        Centre::with(|p| p.calls.wrap_up = Some(WrapUp { max: None, time: None, ..WrapUp::default() }));
    c.call("x").rings_at(&["anna"]);
    c.call("x").answered_by("anna");
    let mut policy = c.policy();
    policy.agents.remove(&agent("anna"));
    c.configures(policy);
    c.call("x").ends();
    let id = c.call_id("x");
    assert!(c.engine.chat(id).is_none(), "nobody could ever complete it");
}

// proves B12
#[test]
fn a_transfer_between_two_who_leave_the_settings_at_once_ends_once() {
    let mut c = Centre::with(|p| {
        p.agents.insert(agent("zoe"), serving(&["support"]));
    });
    c.customer(1).starts();
    c.anna().accepts();
    let to = TransferTo::Agent { agent: agent("ben"), warm: false };
    c.anna().wishes(Wish::Transfer { interaction: chat(1), to, note: None, confirmed: false });
    let mut policy = c.policy();
    policy.agents.retain(|id, _| *id == agent("zoe"));
    let by = Actor::Daemon;
    let wish = Wish::Configure { policy: Box::new(policy) };
    let events = c.engine.decide(c.now, &Command { id: "leave".parse().unwrap(), by, wish }).unwrap();
    let ended = events.iter().filter(|event| matches!(event, Event::TransferFailed { .. })).count();
    assert_eq!(ended, 1);
}

// proves A8
#[test]
fn what_a_lost_agent_had_sent_takes_nothing_any_more() {
    let mut c = Centre::with(|p| support(p).delivery = Delivery::Pull);
    c.customer(1).starts();
    c.anna().disconnects();
    c.anna().cannot(Code::WrongState, |anna| anna.takes(1));
    c.ben().takes(1);
}
