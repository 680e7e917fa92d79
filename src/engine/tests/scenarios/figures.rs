//! G1: what agents and queues did today, and an agent's latest.

use crate::centre::*;
use tieline_engine::{AgentDay, QueueDay};
use tieline_model::command::{Presence, TransferTo};
use tieline_model::policy::{Delivery, Overflow, OverflowTo, QueuePolicy};
use tieline_model::{Actor, Code, Millis, Wish};

fn of_agent(c: &Centre, name: &str) -> AgentDay {
    c.engine.agent(&agent(name)).unwrap().today
}

fn of_queue(c: &Centre, name: &str) -> QueueDay {
    c.engine.figures(&queue(name)).today
}

fn begins(c: &mut Centre, day: &str) {
    c.does(Actor::Daemon, Wish::BeginDay { day: day.to_owned() });
}

// proves G1
#[test]
fn an_agents_day_counts_chats_replies_and_wrap_up() {
    let mut c = Centre::with(|p| of(p, "ben").queues.clear());
    c.customer(1).starts();
    c.anna().accepts();
    c.customer(1).writes(1, 5);
    c.after(60);
    c.anna().writes(1, 5);
    c.anna().writes(1, 5);
    c.customer(1).writes(1, 5);
    c.after(61);
    c.anna().writes(1, 5);
    c.anna().parks(1);
    c.anna().activates(1);
    c.anna().ends(1);
    c.after(25);
    c.anna().completes(1);
    let expected = AgentDay {
        chats: 1,
        replies: 2,
        replies_in_time: 1,
        wrap_up: Millis::secs(25),
        wrap_ups: 1,
        ..AgentDay::default()
    };
    assert_eq!(of_agent(&c, "anna"), expected);
    assert_eq!(of_agent(&c, "ben"), AgentDay::default());
}

// proves G1
#[test]
fn rejects_and_misses_count_and_a_lost_connection_costs_nothing() {
    let mut c = Centre::with(|p| of(p, "ben").queues.clear());
    c.customer(1).starts();
    c.anna().rejects();
    c.anna().goes(Presence::Available);
    c.after(60);
    assert_eq!((of_agent(&c, "anna").rejected, of_agent(&c, "anna").missed), (1, 1));
    let mut c = Centre::with(|p| {
        support(p).delivery = Delivery::Auto;
        of(p, "ben").queues.clear();
    });
    c.customer(1).starts();
    c.after(60);
    assert_eq!(of_agent(&c, "anna").missed, 1, "not opened in time");
    c.anna().goes(Presence::Available);
    c.after(60);
    c.anna().disconnects();
    c.after(60);
    assert_eq!(of_agent(&c, "anna").missed, 1, "the agent was not there");
}

// proves G1
#[test]
fn chats_handed_on_count_for_both() {
    let mut c = Centre::new();
    c.customer(1).starts();
    c.anna().accepts();
    let to = TransferTo::Agent { agent: agent("ben"), warm: false };
    c.anna().wishes(Wish::Transfer { interaction: chat(1), to, note: None, confirmed: true });
    let offer = c.engine.chat(chat(1)).unwrap().transfer.as_ref().unwrap().offer.id;
    c.ben().accepts_offer(offer);
    assert_eq!((of_agent(&c, "anna").transferred, of_agent(&c, "anna").chats), (1, 1));
    assert_eq!((of_agent(&c, "ben").transferred, of_agent(&c, "ben").chats), (0, 1));
    assert_eq!(
        (of_queue(&c, "support").came, of_queue(&c, "support").answered),
        (1, 1),
        "one chat all the same"
    );
}

// proves G1
#[test]
fn calls_count_for_whoever_talked() {
    let mut c = Centre::new();
    c.call("c1").rings_at(&["anna", "ben"]);
    c.call("c1").answered_by("anna");
    c.call("c1").transferred_to("ben");
    c.call("c1").ends();
    c.call("c2").dialled_by("anna");
    c.call("c2").ends();
    c.call("c3").rings_at(&["anna"]);
    c.call("c3").ends();
    assert_eq!((of_agent(&c, "anna").calls, of_agent(&c, "anna").transferred), (1, 1));
    assert_eq!((of_agent(&c, "ben").calls, of_agent(&c, "ben").transferred), (1, 0));
}

// proves G1, B17
#[test]
fn a_queues_day_counts_what_came_and_what_became_of_it() {
    let mut c = Centre::with(|p| {
        of(p, "ben").queues.clear();
        support(p).targets.connect = Millis::secs(10);
    });
    c.customer(1).starts();
    c.after(10);
    c.anna().accepts();
    c.anna().parks(1);
    c.customer(2).starts();
    c.after(11);
    c.anna().accepts();
    c.customer(3).starts();
    c.customer(3).ends(3);
    c.customer(4).starts();
    assert_eq!(
        of_queue(&c, "support"),
        QueueDay { came: 4, answered: 2, connected_in_time: 1, abandoned: 1, overflowed: 0 }
    );
}

// proves G1, A12
#[test]
fn overflow_counts_where_the_chat_left_and_where_it_came() {
    let mut c = Centre::closed(|p| {
        p.queues.insert(queue("night"), QueuePolicy::named("Night"));
        support(p).overflow =
            Overflow { unstaffed: OverflowTo::Queue { queue: queue("night") }, ..Overflow::default() };
    });
    c.customer(1).starts();
    assert_eq!((of_queue(&c, "support").came, of_queue(&c, "support").overflowed), (1, 1));
    assert_eq!((of_queue(&c, "night").came, of_queue(&c, "night").overflowed), (1, 0));
}

// proves G1
#[test]
fn a_new_day_begins_once_and_everything_starts_anew() {
    let mut c = Centre::new();
    begins(&mut c, "2026-02-28");
    c.customer(1).starts();
    c.anna().accepts();
    c.after(30);
    assert_eq!(c.happened()[0], "day 2026-02-28");
    begins(&mut c, "2026-02-28");
    assert_eq!(c.happened(), Vec::<String>::new());
    assert_eq!((of_agent(&c, "anna").chats, of_queue(&c, "support").came), (1, 1));
    c.restarts_after(5);
    begins(&mut c, "2026-02-28");
    assert_eq!((of_agent(&c, "anna").chats, of_queue(&c, "support").came), (1, 1), "the day goes on");
    begins(&mut c, "2026-03-01");
    assert_eq!((of_agent(&c, "anna"), of_queue(&c, "support")), (AgentDay::default(), QueueDay::default()));
    c.happened();
    begins(&mut c, "2026-02-28");
    assert_eq!((c.happened(), c.engine.day()), (Vec::new(), "2026-03-01"), "a clock that was put back");
    assert!(c.engine.chat(chat(1)).is_some(), "work goes on over midnight");
}

// proves G1, F5
#[test]
fn only_the_daemon_begins_a_day_and_writes_it_as_a_date() {
    let mut c = Centre::new();
    c.anna().cannot(Code::NotPermitted, |anna| anna.wishes(Wish::BeginDay { day: "2026-02-28".to_owned() }));
    let before = c.engine.clone();
    for day in ["", "tomorrow!!", "28.02.2026", "2026-2-28", "2026-02-28T", "2026/02/28"] {
        let id = tieline_model::CommandId::new("d").unwrap();
        let wish = Wish::BeginDay { day: day.to_owned() };
        let refusal =
            c.engine.decide(c.now, &tieline_model::Command { id, by: Actor::Daemon, wish }).unwrap_err();
        assert_eq!((refusal.code, refusal.field.as_deref()), (Code::Invalid, Some("day")), "{day}");
    }
    assert_eq!(c.engine, before);
}

// proves G1
#[test]
fn an_agents_latest_are_chats_and_calls_newest_first() {
    let mut c = Centre::with(|p| of(p, "ben").queues.clear());
    c.customer(1).starts();
    c.anna().accepts();
    c.anna().ends(1);
    c.anna().completes(1);
    c.call("c1").answered_by("anna");
    c.call("c1").ends();
    let latest: Vec<_> = c.engine.recent_logs(&agent("anna")).map(|(id, _)| id).collect();
    assert_eq!(latest, [c.call_id("c1"), chat(1)]);
    assert_eq!(c.engine.recent_logs(&agent("ben")).count(), 0);
}
