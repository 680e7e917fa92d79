//! F2: what has after a restart the time it had before, and what is tied to the wall clock.

use crate::centre::*;
use std::collections::BTreeMap;
use tieline_engine::Deadline;
use tieline_model::command::{Notice, Open, Presence, TransferTo};
use tieline_model::policy::{
    Delivery, Inactivity, InactivityMode, Overflow, OverflowTo, QueuePolicy, TenantPolicy, WaitLimit, WrapUp,
};
use tieline_model::{Actor, Code, Millis, ScheduleId, Wish};

/// How long the daemon is down in these scripts, in seconds.
const DOWN: u64 = 7;

fn only_anna(change: impl FnOnce(&mut TenantPolicy)) -> Centre {
    Centre::with(|p| {
        of(p, "ben").queues.clear();
        change(p);
    })
}

fn handling(change: impl FnOnce(&mut TenantPolicy)) -> Centre {
    let mut c = only_anna(change);
    c.customer(1).starts();
    c.anna().accepts();
    c
}

fn offered() -> Centre {
    let mut c = only_anna(|_| {});
    c.customer(1).starts();
    c
}

fn unopened() -> Centre {
    let mut c = only_anna(|p| support(p).delivery = Delivery::Auto);
    c.customer(1).starts();
    c
}

fn in_wrap_up() -> Centre {
    let mut c = handling(|_| {});
    c.anna().ends(1);
    c
}

fn at_the_maximum() -> Centre {
    let mut c = in_wrap_up();
    c.anna().parks(1);
    c
}

fn silent() -> Centre {
    let (nudge_after, end_after) = (Millis::secs(180), Millis::secs(120));
    let mut c = handling(|p| {
        support(p).inactivity = Inactivity { mode: InactivityMode::Suggest, nudge_after, end_after }
    });
    c.anna().writes(1, 5);
    c
}

fn transferring() -> Centre {
    let mut c = Centre::new();
    c.customer(1).starts();
    c.anna().accepts();
    let to = TransferTo::Agent { agent: agent("ben"), warm: false };
    c.anna().wishes(Wish::Transfer { interaction: chat(1), to, note: None, confirmed: true });
    c
}

fn at_the_form() -> Centre {
    let mut c = Centre::closed(|p| {
        support(p).overflow = Overflow { unstaffed: OverflowTo::OfflineForm, ..Overflow::default() };
    });
    c.customer(1).starts();
    c
}

fn gone() -> Centre {
    let mut c = only_anna(|_| {});
    c.customer(1).starts();
    c.anna().disconnects();
    c
}

fn lost() -> Centre {
    let mut c = Centre::closed(|_| {});
    c.anna().connects();
    c.anna().goes(Presence::Available);
    c.after(1);
    c.anna().disconnects();
    c
}

fn relaxing() -> Centre {
    let skill: tieline_model::SkillId = "german".parse().unwrap();
    let mut c = Centre::closed(|p| {
        of(p, "anna").skills = [(skill.clone(), 1)].into();
        support(p).skills = [(skill.clone(), 3)].into();
        support(p).relax_after = Some(Millis::secs(40));
    });
    c.customer(1).starts();
    c
}

fn waiting() -> Centre {
    let mut c = Centre::closed(|p| {
        p.queues.insert(queue("night"), QueuePolicy::named("Night"));
        let then = OverflowTo::Queue { queue: queue("night") };
        support(p).overflow.waited = Some(WaitLimit { after: Millis::secs(40), then });
    });
    c.customer(1).starts();
    c
}

fn declined() -> Centre {
    let mut c = only_anna(|_| {});
    c.customer(1).starts();
    c.anna().rejects();
    c.anna().disconnects();
    c.anna().goes(Presence::Offline);
    c
}

fn escalating() -> Centre {
    handling(|p| support(p).escalate.after = Some(Millis::secs(900)))
}

fn promised() -> Centre {
    let mut c = handling(|p| {
        support(p).escalate.after = None;
        support(p).escalate.unanswered = None;
        support(p).escalate.update_after = Some(Millis::secs(300));
    });
    c.anna().wishes(Wish::SendNotice { interaction: chat(1), notice: Notice::FewMinutes });
    c
}

fn opening() -> Centre {
    let schedule: ScheduleId = "office".parse().unwrap();
    let mut c = Centre::closed(|p| support(p).hours = Some(schedule.clone()));
    let (from, until) = (c.now + Millis::secs(40), c.now + Millis::secs(80));
    let hours = BTreeMap::from([(schedule, vec![Open { from, until }])]);
    c.does(Actor::Daemon, Wish::SetHours { hours });
    c
}

fn calling() -> Centre {
    let mut c = Centre::closed(|_| {});
    c.call("c1").answered_by("anna");
    c
}

/// What of each kind is the first to come in a small script, and whether it runs (the time left is kept) or stands on
/// the wall clock.
fn table() -> Vec<(Centre, Deadline, bool)> {
    let (one, anna) = (chat(1), agent("anna"));
    let call = calling().call_id("c1");
    vec![
        (offered(), Deadline::Offer(one), true),
        (transferring(), Deadline::Offer(one), true),
        (unopened(), Deadline::Unopened(one), true),
        (in_wrap_up(), Deadline::WrapUp(one), true),
        (at_the_maximum(), Deadline::Maximum(one), true),
        (silent(), Deadline::Silence(one), true),
        (at_the_form(), Deadline::Form(one), true),
        (gone(), Deadline::Grace(anna.clone()), true),
        (lost(), Deadline::Lost(anna), true),
        (escalating(), Deadline::Escalate(one), false),
        (promised(), Deadline::Update(one), false),
        (relaxing(), Deadline::Relax(one), false),
        (waiting(), Deadline::Waited(one), false),
        (declined(), Deadline::Decliner(one), false),
        (opening(), Deadline::Hours("office".parse().unwrap()), false),
        (calling(), Deadline::CallUnended(call), false),
    ]
}

/// So that a kind of deadline that is new must be put into the table.
fn row(deadline: &Deadline) -> usize {
    match deadline {
        Deadline::Offer(_) => 0,
        Deadline::Unopened(_) => 1,
        Deadline::WrapUp(_) => 2,
        Deadline::Maximum(_) => 3,
        Deadline::Silence(_) => 4,
        Deadline::Form(_) => 5,
        Deadline::Grace(_) => 6,
        Deadline::Lost(_) => 7,
        Deadline::Escalate(_) => 8,
        Deadline::Update(_) => 9,
        Deadline::Relax(_) => 10,
        Deadline::Waited(_) => 11,
        Deadline::Decliner(_) => 12,
        Deadline::Hours(_) => 13,
        Deadline::CallUnended(_) => 14,
    }
}

/// When this comes, in milliseconds from now, as a copy finds by letting time pass until it is the next.
fn comes_in(c: &Centre, deadline: &Deadline) -> u64 {
    let mut engine = c.engine.clone();
    let mut now = c.now;
    for _ in 0..20 {
        let (at, next) = engine.next_deadline().unwrap_or_else(|| panic!("{deadline:?} never comes"));
        if next == *deadline {
            return at.since(c.now).0;
        }
        now = now.max(at);
        for event in engine.expire(now) {
            engine.apply(now, &event);
        }
    }
    panic!("{deadline:?} does not come");
}

fn connected(c: &Centre) -> Vec<&'static str> {
    let there = |name: &&str| c.engine.agent(&agent(name)).is_some_and(|a| !a.sessions.is_empty());
    ["anna", "ben"].into_iter().filter(there).collect()
}

// proves F2
#[test]
fn running_timers_keep_what_they_had_and_the_wall_clock_goes_on() {
    let rows = table();
    for (mut c, deadline, runs) in rows {
        c.after_ms(1_234);
        let left = comes_in(&c, &deadline);
        let before = c.now;
        let there = connected(&c);
        c.restarts_after(DOWN);
        assert_eq!(c.now.since(before), Millis::secs(DOWN));
        for name in there {
            c.agent(name).connects();
        }
        let expected = if runs { left } else { left - DOWN * 1_000 };
        assert_eq!(comes_in(&c, &deadline), expected, "{deadline:?}");
    }
}

// proves F2
#[test]
fn every_kind_of_deadline_is_in_the_table() {
    let rows: std::collections::BTreeSet<usize> =
        table().iter().map(|(_, deadline, _)| row(deadline)).collect();
    assert_eq!(rows, (0..=14).collect());
}

// proves F2
#[test]
fn a_timer_is_not_early_after_several_restarts() {
    let mut c = in_wrap_up();
    for _ in 0..5 {
        c.after_ms(10_001);
        c.restarts_after(86_400);
    }
    c.anna().connects();
    c.happened();
    c.after_ms(60_000 - 50_005 - 1);
    assert_eq!(c.happened(), Vec::<String>::new());
    c.after_ms(1);
    assert_eq!(c.happened()[0], "#1 completed by Timer");
}

// proves F2, B15
#[test]
fn how_long_a_customer_may_come_back_is_on_the_wall_clock() {
    let back = || Wish::ReturnToChat { interaction: chat(1), fresh: chat(2) };
    for (down, may) in [(599, true), (600, false)] {
        let mut c = handling(|p| support(p).reopen_within = Millis::secs(600));
        c.anna().ends(1);
        c.anna().completes(1);
        c.restarts_after(down);
        if may {
            c.customer(1).wishes(back());
            assert!(c.engine.chat(chat(2)).is_some());
        } else {
            c.customer(1).cannot(Code::Expired, |customer| customer.wishes(back()));
        }
    }
}

// proves F2, A8, A17
#[test]
fn whoever_was_connected_has_the_whole_grace_to_come_back_in() {
    let mut c = handling(|p| support(p).escalate.after = None);
    c.restarts_after(3_600);
    c.happened();
    c.after_ms(89_999);
    assert_eq!(c.happened(), Vec::<String>::new());
    c.anna().connects();
    c.after(3_600);
    assert!(
        c.happened().iter().all(|line| !line.contains("returned")),
        "a reconnect in time changes nothing"
    );
    let mut c = handling(|p| support(p).escalate.after = None);
    c.restarts_after(3_600);
    c.happened();
    c.after(90);
    assert_eq!(c.happened()[0], "#1 returned from anna (AgentLost)");
}

// proves F2, C8
#[test]
fn a_wrap_up_of_a_call_has_after_a_restart_what_it_had_before() {
    let mut c = Centre::with(|p| p.calls.wrap_up = Some(WrapUp::default()));
    c.call("c1").answered_by("anna");
    c.call("c1").ends();
    c.after_ms(20_002);
    c.restarts_after(600);
    c.anna().connects();
    c.happened();
    c.after_ms(39_998);
    assert_eq!(c.happened(), ["c1 completed by Timer", "c1 closed Answered, log true"]);
}
