//! E1: every fact in every state of its call has the outcome that `docs/call-facts.md` says.

use crate::centre::*;
use std::collections::BTreeMap;
use tieline_model::content::ContentRef;
use tieline_model::crm::{Direction, Outcome};
use tieline_model::policy::{TenantPolicy, WrapUp};
use tieline_model::{
    Actor, CallFact, CallId, Command, CommandId, ContentId, ConversationId, Event, InteractionId, Refusal,
    Wish,
};
use uuid::Uuid;

const TABLE: &str = include_str!("../../../../docs/call-facts.md");

fn refer(n: u128) -> ContentRef {
    ContentRef { id: ContentId(Uuid::from_u128(n)), chars: 0, bytes: 0 }
}

fn ringing(agent: &str) -> CallFact {
    let (agents, numbers) = (vec![agent.to_owned()], refer(1));
    CallFact::Ringing { agents, queue: None, numbers, withheld: false, direction: Direction::Inbound }
}

fn dialled(agent: &str) -> CallFact {
    CallFact::Dialled { agent: agent.to_owned(), queue: None, numbers: refer(1) }
}

fn answered(agent: &str) -> CallFact {
    CallFact::Answered { agent: agent.to_owned() }
}

fn transferred(to: &str) -> CallFact {
    CallFact::Transferred { to: to.to_owned() }
}

fn recorded(n: u128) -> CallFact {
    CallFact::RecordingReady { recording: refer(n) }
}

/// Rows of the table: Anna is "the same".
fn facts() -> Vec<(&'static str, CallFact)> {
    vec![
        ("ringing at the same", ringing("anna")),
        ("ringing at another", ringing("ben")),
        ("ringing at a stranger", ringing("4711")),
        ("dialled by the same", dialled("anna")),
        ("dialled by another", dialled("ben")),
        ("dialled by a stranger", dialled("4711")),
        ("answered by the same", answered("anna")),
        ("answered by another", answered("ben")),
        ("answered by a stranger", answered("4711")),
        ("held", CallFact::Held),
        ("resumed", CallFact::Resumed),
        ("transferred to the same", transferred("anna")),
        ("transferred to another", transferred("ben")),
        ("transferred to a stranger", transferred("4711")),
        ("ended", CallFact::Ended),
        ("recording", recorded(8)),
        ("recording told before", recorded(7)),
    ]
}

fn centre(wrap_up: bool) -> Centre {
    Centre::with(|p: &mut TenantPolicy| p.calls.wrap_up = wrap_up.then(WrapUp::default))
}

/// A call "c" to which this has happened.
fn after(wrap_up: bool, told: &[CallFact]) -> Centre {
    let mut c = centre(wrap_up);
    for fact in told {
        says(&mut c, fact).unwrap();
    }
    c
}

/// Columns of the table.
fn states() -> Vec<(&'static str, Centre)> {
    let (known, ended) = (recorded(7), CallFact::Ended);
    let mut forgotten = after(false, &[answered("anna"), ended.clone()]);
    for n in 0..10_000 {
        let (call, interaction) = (CallId::new(format!("n{n}")).unwrap(), chat(1_000_000 + n));
        let ended = Event::CallEnded { call, interaction, outcome: Outcome::Missed, presumed: false };
        forgotten.engine.apply(forgotten.now, &ended);
    }
    vec![
        ("never heard of", centre(false)),
        ("ringing", after(false, &[ringing("anna"), known.clone()])),
        ("dialled", after(false, &[dialled("anna"), known.clone()])),
        ("talking", after(false, &[answered("anna"), known.clone()])),
        ("on hold", after(false, &[answered("anna"), CallFact::Held, known.clone()])),
        ("in wrap-up", after(true, &[answered("anna"), known.clone(), ended.clone()])),
        ("ended", after(false, &[answered("anna"), known, ended.clone()])),
        ("ended unheard", after(false, &[ended])),
        ("forgotten", forgotten),
    ]
}

/// The producer says something of the call "c", and what follows from it happens.
fn says(c: &mut Centre, fact: &CallFact) -> Result<Vec<Event>, Refusal> {
    let events = hears(c, fact)?;
    let mut next = events.clone();
    while !next.is_empty() {
        for event in &next {
            c.engine.apply(c.now, event);
        }
        next = c.engine.route(c.now);
    }
    Ok(events)
}

fn hears(c: &Centre, fact: &CallFact) -> Result<Vec<Event>, Refusal> {
    let fresh = 70_000 + u128::from(c.engine.seq().0);
    let wish = Wish::ReportCall {
        call: CallId::new("c").unwrap(),
        interaction: InteractionId(Uuid::from_u128(fresh)),
        conversation: ConversationId(Uuid::from_u128(fresh)),
        fact: fact.clone(),
    };
    let by = Actor::Producer { name: "/pbx".to_owned() };
    c.engine.decide(c.now, &Command { id: CommandId::new("m").unwrap(), by, wish })
}

/// The outcome in the words of the table.
fn word(answer: &Result<Vec<Event>, Refusal>) -> &'static str {
    let Ok(events) = answer else { return "refused" };
    let told = events.iter().find_map(|event| match event {
        Event::CallRang { .. } => Some("rings"),
        Event::CallDialled { .. } => Some("dials"),
        Event::CallAnswered { .. } => Some("talks"),
        Event::CallHeld { .. } => Some("holds"),
        Event::CallResumed { .. } => Some("resumes"),
        Event::CallTransferred { .. } => Some("moves"),
        Event::CallEnded { .. } => Some("ends"),
        Event::RecordingReady { .. } => Some("enriches"),
        _ => None,
    });
    assert_eq!(
        told.is_none(),
        events.is_empty(),
        "something happened that is not about the call: {events:?}"
    );
    told.unwrap_or("nothing")
}

/// The table of the page: outcomes by fact and state.
fn table() -> BTreeMap<(String, String), String> {
    let mut lines = TABLE.lines().skip_while(|line| !line.starts_with("| Fact |"));
    let cells = |line: &str| -> Vec<String> {
        line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    let head = cells(lines.next().expect("the page has the table"));
    let rows = lines.skip(1).take_while(|line| line.starts_with('|'));
    let mut table = BTreeMap::new();
    for row in rows.map(cells) {
        assert_eq!(row.len(), head.len(), "{row:?}");
        for (state, outcome) in head.iter().zip(&row).skip(1) {
            let twice = table.insert((row[0].clone(), state.clone()), outcome.clone());
            assert!(twice.is_none(), "{row:?} stands twice in the table");
        }
    }
    table
}

// proves E1
#[test]
fn every_fact_in_every_state_has_the_outcome_that_the_page_says() {
    let page = table();
    let mut played = BTreeMap::new();
    for (state, c) in states() {
        for (fact, said) in facts() {
            let outcome = word(&hears(&c, &said)).to_owned();
            played.insert((fact.to_owned(), state.to_owned()), outcome);
        }
    }
    for (cell, outcome) in &played {
        assert_eq!(page.get(cell), Some(outcome), "{cell:?}");
    }
    assert_eq!(page.len(), played.len(), "the page has cells that nobody plays");
}

// proves E1
#[test]
fn whatever_a_fact_led_to_saying_it_again_changes_nothing() {
    for (state, c) in states() {
        for (fact, said) in facts() {
            let mut again = centre(false);
            (again.engine, again.now) = (c.engine.clone(), c.now);
            if says(&mut again, &said).is_err() {
                continue;
            }
            let before = again.engine.clone();
            assert_eq!(says(&mut again, &said), Ok(Vec::new()), "{fact} twice, {state}");
            assert_eq!(again.engine, before);
        }
    }
}

// proves E1, F5
#[test]
fn a_refusal_names_the_field_and_changes_nothing() {
    for (state, mut c) in states() {
        for (fact, said) in facts() {
            let before = c.engine.clone();
            let Err(refusal) = hears(&c, &said) else { continue };
            let field = match said {
                CallFact::Ringing { .. } => "agents",
                CallFact::Dialled { .. } | CallFact::Answered { .. } => "agent",
                CallFact::Transferred { .. } => "to",
                CallFact::RecordingReady { .. } => "call",
                CallFact::Held | CallFact::Resumed | CallFact::Ended => panic!("{fact} is never refused"),
            };
            assert_eq!(refusal.field.as_deref(), Some(field), "{fact}, {state}");
            assert!(says(&mut c, &said).is_err());
            assert_eq!(c.engine, before);
        }
    }
}

/// All orders of these.
fn orders(facts: &[CallFact]) -> Vec<Vec<CallFact>> {
    if facts.is_empty() {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for (at, first) in facts.iter().enumerate() {
        let mut rest = facts.to_vec();
        rest.remove(at);
        for mut order in orders(&rest) {
            order.insert(0, first.clone());
            all.push(order);
        }
    }
    all
}

// proves E1
#[test]
fn in_whatever_order_facts_come_an_end_is_final_and_frees_everybody() {
    let told =
        [ringing("anna"), answered("anna"), CallFact::Held, transferred("ben"), recorded(7), CallFact::Ended];
    let fresh = centre(false);
    for order in orders(&told) {
        let mut c = centre_like(&fresh);
        let mut ended = false;
        for fact in &order {
            let happened = says(&mut c, fact);
            if ended {
                let enriched = matches!(fact, CallFact::RecordingReady { .. });
                assert!(enriched || happened == Ok(Vec::new()), "{fact:?} after the end of {order:?}");
            }
            ended |= *fact == CallFact::Ended;
        }
        assert_eq!(c.engine.calls().count(), 0, "{order:?}");
        for name in ["anna", "ben"] {
            let state = c.engine.agent(&agent(name)).unwrap();
            assert!(state.calls.is_empty() && state.talking.is_none(), "{name} after {order:?}");
        }
        assert!(c.engine.next_deadline().is_none(), "{order:?}");
    }
}

fn centre_like(other: &Centre) -> Centre {
    let mut c = Centre::closed(|_| {});
    (c.engine, c.now) = (other.engine.clone(), other.now);
    c
}
