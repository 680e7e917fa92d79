//! B4 and B5 in every order in which calls, the customer and the agent can act: what each order leads to is worked out
//! a second time here, from the rules' words alone.

use crate::centre::*;
use crate::verbs::*;
use std::collections::BTreeSet;
use tieline_engine::{Stage, Talk, WrapClock};
use tieline_model::live::{Place, Status};
use tieline_model::policy::{AfterCall, ParkOn, WrapUp};
use tieline_model::{InteractionId, Wish};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Rings(&'static str),
    Answered(&'static str),
    Over(&'static str),
    CustomerEnds,
    CustomerReturns,
    AgentEnds,
    Activates(u128),
    Parks,
    Completes,
}

use Step::*;

/// Events that keep their order within a row; rows mix freely.
const MIXES: [&[&[Step]]; 8] = [
    &[&[Rings("c1"), Answered("c1"), Over("c1")], &[CustomerEnds]],
    &[&[Rings("c1"), Answered("c1"), Over("c1")], &[AgentEnds], &[Activates(1)]],
    &[&[Rings("c1"), Over("c1")], &[Rings("c2"), Answered("c2"), Over("c2")], &[CustomerEnds], &[Parks]],
    &[&[Rings("c1"), Answered("c1"), Over("c1")], &[Answered("c2"), Over("c2")], &[CustomerEnds]],
    &[
        &[Rings("c1"), Answered("c1"), Over("c1")],
        &[Answered("c2"), Over("c2")],
        &[CustomerEnds],
        &[Activates(2)],
    ],
    &[
        &[Rings("c1"), Answered("c1"), Over("c1")],
        &[Answered("c2"), Over("c2")],
        &[CustomerEnds],
        &[Completes],
    ],
    &[
        &[Answered("c1"), Over("c1")],
        &[Answered("c2"), Over("c2")],
        &[CustomerEnds, CustomerReturns],
        &[Activates(1)],
    ],
    &[&[Answered("c1"), Over("c1"), Completes], &[Rings("c2"), Over("c2")], &[CustomerEnds], &[Activates(2)]],
];

/// An item of Anna's inbox: a chat, or a call in wrap-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Item {
    Chat(u128),
    Call(&'static str),
}

use Item::{Call, Chat};

/// Anna's desk by the words of the rules.
#[derive(Debug, Clone)]
struct Desk {
    park_on: ParkOn,
    after_call: AfterCall,
    wraps_up: bool,
    ringing: BTreeSet<&'static str>,
    talking: BTreeSet<&'static str>,
    active: Option<Item>,
    parked: BTreeSet<Item>,
    /// Which of them have ended.
    ended: BTreeSet<Item>,
    /// What calls parked.
    by_calls: Vec<Item>,
}

impl Desk {
    fn does(&mut self, step: Step) {
        match step {
            Rings(call) => {
                self.ringing.insert(call);
                if self.park_on == ParkOn::Ringing {
                    self.a_call_parks();
                }
            }
            Answered(call) => {
                self.ringing.remove(call);
                self.talking.insert(call);
                self.a_call_parks();
            }
            Over(call) => self.is_over(call),
            CustomerEnds | AgentEnds => {
                self.ended.insert(Chat(1));
            }
            CustomerReturns => {
                self.ended.remove(&Chat(1));
            }
            Activates(n) => self.the_agent_activates(Chat(n)),
            Parks => {
                let active = self.active.take();
                self.parked.extend(active);
            }
            Completes => self.completes(),
        }
    }

    /// B4.
    fn a_call_parks(&mut self) {
        if let Some(item) = self.active.take() {
            self.parked.insert(item);
            self.by_calls.push(item);
        }
    }

    fn is_over(&mut self, call: &'static str) {
        let answered = self.talking.remove(call);
        self.ringing.remove(call);
        if answered && self.wraps_up && self.talking.is_empty() {
            // E5: its wrap-up is the active item.
            self.parked.extend(self.active.replace(Call(call)));
            self.ended.insert(Call(call));
            return;
        }
        self.quiet();
    }

    /// B5: once the last call is over, its wrap-up included.
    fn quiet(&mut self) {
        if !self.ringing.is_empty() || !self.talking.is_empty() || matches!(self.active, Some(Call(_))) {
            return;
        }
        let resumes = |item: &Item| self.ended.contains(item) || self.after_call == AfterCall::ResumeLast;
        if let (None, Some(last)) = (self.active, self.by_calls.last().copied().filter(resumes)) {
            self.parked.remove(&last);
            self.active = Some(last);
            self.by_calls.pop();
        }
        // A call that another call broke into has its own wrap-up first.
        if !matches!(self.active, Some(Call(_))) && !matches!(self.by_calls.last(), Some(Call(_))) {
            self.by_calls.clear();
        }
    }

    fn the_agent_activates(&mut self, item: Item) {
        if self.active == Some(item) || !self.parked.remove(&item) {
            return;
        }
        self.parked.extend(self.active.replace(item));
        if self.by_calls.pop() != Some(item) {
            self.by_calls.clear();
        }
    }

    fn completes(&mut self) {
        if let Some(done) = self.active.filter(|item| self.ended.contains(item)) {
            self.active = None;
            self.ended.remove(&done);
            if matches!(done, Call(_)) {
                self.quiet();
            }
        }
    }
}

fn id(c: &mut Centre, item: Item) -> InteractionId {
    match item {
        Chat(n) => chat(n),
        Call(name) => c.call_id(name),
    }
}

fn plays(c: &mut Centre, desk: &Desk, step: Step) {
    match step {
        Rings(call) => c.call(call).rings_at(&["anna"]),
        Answered(call) => c.call(call).answered_by("anna"),
        Over(call) => c.call(call).ends(),
        CustomerEnds => c.customer(1).ends(1),
        CustomerReturns => c.customer(1).returns(1, 11),
        AgentEnds => c.anna().ends(1),
        Activates(n) => {
            if desk.active == Some(Chat(n)) || desk.parked.contains(&Chat(n)) {
                c.anna().activates(n);
            }
        }
        Parks => {
            if let Some(active) = desk.active {
                let interaction = id(c, active);
                c.anna().wishes(Wish::Park { interaction });
            }
        }
        Completes => {
            if let Some(active) = desk.active.filter(|item| desk.ended.contains(item)) {
                let interaction = id(c, active);
                c.anna().wishes(Wish::CompleteWrapUp { interaction });
            }
        }
    }
}

fn compares(c: &mut Centre, desk: &Desk, said: &[Step]) {
    let active = desk.active.map(|item| id(c, item));
    assert_eq!(c.engine.agent(&agent("anna")).unwrap().active, active, "{said:?}\n{desk:?}");
    let status = match desk.active {
        _ if !desk.talking.is_empty() => Some(Status::OnCall),
        Some(item) if desk.ended.contains(&item) => Some(Status::WrapUp),
        Some(_) => Some(Status::HandlingChat),
        None => None,
    };
    if let Some(status) = status {
        assert_eq!(c.status("anna"), status, "{said:?}");
    }
    for item in desk.active.iter().chain(&desk.parked).copied().collect::<Vec<_>>() {
        let id = id(c, item);
        let Stage::Owned { place, talk, .. } = &c.engine.chat(id).expect("in the inbox").stage else {
            panic!("{item:?} is not owned: {said:?}")
        };
        let is_active = desk.active == Some(item);
        assert_eq!(*place, if is_active { Place::Active } else { Place::Parked }, "{item:?}: {said:?}");
        match talk {
            Talk::Open { .. } => assert!(!desk.ended.contains(&item), "{item:?}: {said:?}"),
            Talk::WrapUp { clock, .. } => {
                assert!(desk.ended.contains(&item), "{item:?}: {said:?}");
                let runs = matches!(clock, WrapClock::Running { .. });
                assert_eq!(runs, is_active, "the timer of {item:?}: {said:?}");
            }
        }
    }
}

fn check(park_on: ParkOn, after_call: AfterCall, wraps_up: bool) -> usize {
    let mut start = Centre::with(|p| {
        of(p, "ben").queues.clear();
        p.calls.park_on = park_on;
        p.calls.after_call = after_call;
        p.calls.wrap_up = wraps_up.then(WrapUp::default);
    });
    start.customer(2).starts();
    start.anna().accepts();
    start.anna().parks(2);
    start.customer(1).starts();
    start.anna().accepts();
    let desk = Desk {
        park_on,
        after_call,
        wraps_up,
        ringing: BTreeSet::new(),
        talking: BTreeSet::new(),
        active: Some(Chat(1)),
        parked: BTreeSet::from([Chat(2)]),
        ended: BTreeSet::new(),
        by_calls: Vec::new(),
    };
    // What is done anew after each event is done here at the end of an order.
    start.watched = false;
    let mut so_far = Vec::new();
    MIXES.iter().map(|rows| every_order(&start, &desk, rows, &mut so_far)).sum()
}

/// Mixes the rows in every way, from where the desk is; says how many there are.
fn every_order(c: &Centre, desk: &Desk, rows: &[&[Step]], so_far: &mut Vec<Step>) -> usize {
    if rows.iter().all(|row| row.is_empty()) {
        finish(c.clone(), desk.clone(), so_far);
        return 1;
    }
    let mut orders = 0;
    for (i, row) in rows.iter().enumerate() {
        let Some((step, rest)) = row.split_first() else { continue };
        let (mut c, mut desk, mut left) = (c.clone(), desk.clone(), rows.to_vec());
        left[i] = rest;
        so_far.push(*step);
        plays(&mut c, &desk, *step);
        desk.does(*step);
        c.after_ms(10);
        compares(&mut c, &desk, so_far);
        orders += every_order(&c, &desk, &left, so_far);
        so_far.pop();
    }
    orders
}

/// Whatever wrap-up of a call is left, the agent is done with, and nothing is left behind.
fn finish(mut c: Centre, mut desk: Desk, order: &[Step]) {
    while let Some(Call(_)) = desk.active {
        plays(&mut c, &desk, Completes);
        desk.does(Completes);
        compares(&mut c, &desk, order);
    }
    let calls_left = desk.parked.iter().any(|item| matches!(item, Call(_)));
    let anna = c.engine.agent(&agent("anna")).unwrap();
    assert!(calls_left || anna.parked_by_calls.is_empty(), "left behind by {order:?}");
    assert_eq!(c.engine.index_fault(), None, "after {order:?}");
}

// proves B4, B5, C5
#[test]
fn every_order_of_two_calls_the_customer_and_the_agent_parks_and_resumes_as_the_rules_say() {
    let mut orders = 0;
    for after_call in [AfterCall::ResumeWrapUp, AfterCall::ResumeLast] {
        for park_on in [ParkOn::Answered, ParkOn::Ringing] {
            orders += check(park_on, after_call, false);
        }
    }
    assert!(orders > 8_000, "{orders}");
}

// proves B4, B5, E5
#[test]
fn so_does_every_order_in_which_calls_have_wrap_up_of_their_own() {
    for after_call in [AfterCall::ResumeWrapUp, AfterCall::ResumeLast] {
        for park_on in [ParkOn::Answered, ParkOn::Ringing] {
            check(park_on, after_call, true);
        }
    }
}

// proves B5, E5
#[test]
fn a_call_that_breaks_into_the_wrap_up_of_another_leaves_the_chat_s_for_last() {
    let mut c = Centre::with(|p| {
        of(p, "ben").queues.clear();
        p.calls.wrap_up = Some(WrapUp::default());
    });
    c.customer(1).starts();
    c.anna().accepts();
    c.call("c1").answered_by("anna");
    c.customer(1).ends(1);
    c.call("c1").ends();
    c.call("c2").answered_by("anna");
    c.call("c2").ends();
    let (first, second) = (c.call_id("c1"), c.call_id("c2"));
    let active = |c: &Centre| c.engine.agent(&agent("anna")).unwrap().active;
    assert_eq!(active(&c), Some(second));
    c.anna().wishes(Wish::CompleteWrapUp { interaction: second });
    assert_eq!(active(&c), Some(first));
    c.anna().wishes(Wish::CompleteWrapUp { interaction: first });
    assert_eq!(active(&c), Some(chat(1)), "the chat's wrap-up goes on by itself");
}

// proves B5, E5
#[test]
fn what_a_call_with_wrap_up_parked_is_no_business_of_a_later_one() {
    let mut c = Centre::with(|p| {
        of(p, "ben").queues.clear();
        p.calls.wrap_up = Some(WrapUp::default());
    });
    c.customer(1).starts();
    c.anna().accepts();
    c.call("c1").answered_by("anna");
    c.call("c1").ends();
    let first = c.call_id("c1");
    c.anna().wishes(Wish::CompleteWrapUp { interaction: first });
    assert_eq!(place(&c, 1), Place::Parked, "in progress, so it stays parked");
    c.customer(1).ends(1);
    c.call("c2").answered_by("anna");
    c.call("c2").ends();
    let second = c.call_id("c2");
    c.anna().wishes(Wish::CompleteWrapUp { interaction: second });
    assert_eq!(place(&c, 1), Place::Parked, "it ended between the calls");
}

// proves B5, B3
#[test]
fn a_chat_accepted_meanwhile_ends_what_the_call_had_in_mind() {
    let mut c = Centre::with(|p| {
        of(p, "ben").queues.clear();
        p.calls.wrap_up = Some(WrapUp::default());
    });
    c.customer(1).starts();
    c.anna().accepts();
    c.call("c1").answered_by("anna");
    c.customer(1).ends(1);
    c.call("c1").ends();
    let first = c.call_id("c1");
    c.anna().wishes(Wish::Park { interaction: first });
    c.customer(2).starts();
    c.anna().accepts();
    c.anna().parks(2);
    c.anna().wishes(Wish::CompleteWrapUp { interaction: first });
    assert_eq!((place(&c, 1), place(&c, 2)), (Place::Parked, Place::Parked));
}

// proves B4, B12
#[test]
fn what_a_call_parked_and_a_colleague_took_over_is_gone_after_it() {
    let mut c = Centre::new();
    c.customer(1).starts();
    c.anna().accepts();
    c.call("c1").answered_by("anna");
    c.anna().transfers_to(1, "ben");
    c.ben().accepts();
    c.happened();
    c.call("c1").ends();
    assert_eq!(c.happened(), ["c1 ended Answered", "c1 closed Answered, log true"]);
    assert_eq!(owner(&c, 1), "ben");
}

// proves B4
#[test]
fn a_new_chat_is_not_parked_by_a_call_for_it_was_never_active() {
    let mut c = Centre::with(|p| support(p).delivery = tieline_model::policy::Delivery::Auto);
    c.customer(1).starts();
    c.happened();
    c.call("c1").answered_by("anna");
    assert_eq!(c.happened(), ["c1 answered by anna"]);
    assert_eq!(place(&c, 1), Place::New);
}
