//! The engine against a naive reading of the rule book, under random scripts.
//!
//! After every step both must have told the same events or the same refusal, and must show the same statuses,
//! inboxes, offers, lines and deadlines. A seed is a script; a failing one is made short by dropping acts and printed.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    unreachable_pub,
    reason = "a test may fail loudly"
)]
#![allow(clippy::cast_possible_truncation, reason = "small numbers")]

mod naive;
mod planted;
mod script;

use naive::{Clock, Naive, Where, Wrap};
use planted::Planted;
use script::{AGENTS, Act, Dice, QUEUES};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use std::time::Instant;
use tieline_engine::{Deadline, Engine, Stage, Talk, WrapClock};
use tieline_model::{Code, Event, Millis, OfferId, Timestamp, Wish};

const SCRIPTS: u64 = 2_500;
const ACTS: u64 = 120;
const START: Timestamp = Timestamp(1_700_000_000_000);

/// How often each kind of event and each refusal came.
type Coverage = BTreeMap<String, u64>;

/// Engine and model side by side.
struct Pair {
    engine: Engine,
    model: Naive,
    planted: Planted,
    journal: Vec<(Timestamp, Event)>,
    now: Timestamp,
}

impl Pair {
    fn new(planted: Planted) -> Self {
        let (engine, model) = (Engine::new(), Naive::default());
        let mut pair = Self { engine, model, planted, journal: Vec::new(), now: START };
        pair.apply(vec![Event::TenantOpened { seed: 42 }]);
        pair
    }

    fn apply(&mut self, events: Vec<Event>) {
        for event in events {
            let (at, made) = self.planted.applied(self.now, &event);
            self.engine.apply(at, &made);
            self.journal.push((at, made));
        }
    }

    /// What follows by itself; returned as told.
    fn follow_up(&mut self) -> Vec<Event> {
        let mut told = Vec::new();
        loop {
            let mut events = self.engine.expire(self.now);
            if events.is_empty() {
                events.extend(self.engine.route(self.now));
            }
            if events.is_empty() {
                return told;
            }
            self.planted.decided(&mut events);
            assert!(told.len() < 1_000, "follow-ups without end");
            told.extend(events.iter().cloned());
            self.apply(events);
        }
    }

    /// Lets engine and model do the same and compares.
    fn step(
        &mut self,
        command: Option<&tieline_model::Command>,
        coverage: &mut Coverage,
    ) -> Result<(), String> {
        let before = self.model.told.len();
        self.model.now = self.now;
        let (mut told, mut code) = (Vec::new(), None);
        if let Some(command) = command {
            let moment = self.planted.moment(self.now, &command.wish);
            match self.engine.decide(moment, command) {
                Ok(mut events) => {
                    self.planted.decided(&mut events);
                    told.extend(events.iter().cloned());
                    self.apply(events);
                }
                Err(refusal) => code = Some(refusal.code),
            }
        }
        told.extend(self.follow_up());
        self.model.ids.extend(told.iter().filter_map(offer_made));
        let expected: Option<Code> = command.and_then(|c| self.model.handle(c).err());
        self.model.follow_up();
        self.model.ids.clear();
        for event in &told {
            *coverage.entry(event.kind().to_owned()).or_default() += 1;
        }
        if let Some(code) = code {
            *coverage.entry(format!("{code:?}")).or_default() += 1;
        }
        if code != expected {
            return Err(format!("refusal: engine {code:?}, rules {expected:?}"));
        }
        // An agent who declined is free for the chat again at once, in the settings of the scripts.
        told.retain(|event| !matches!(event, Event::DeclineForgotten { .. }));
        for event in &mut told {
            if let Event::InteractionClosed { service, .. } = event {
                *service = None;
            }
        }
        if told != self.model.told[before..] {
            return Err(format!("events:\n engine {told:#?}\n rules {:#?}", &self.model.told[before..]));
        }
        self.compare()
    }

    fn compare(&self) -> Result<(), String> {
        for name in AGENTS {
            let id = name.parse().unwrap();
            let (engine, rules) = (seen_of_agent(&self.engine, &id), told_of_agent(&self.model, &id));
            if engine != rules {
                return Err(format!("{name}: engine {engine}\n rules {rules}"));
            }
        }
        for name in QUEUES {
            let id = name.parse().unwrap();
            let (engine, rules): (Vec<_>, _) = (self.engine.queue_waiting(&id), self.model.line(&id));
            if engine != rules {
                return Err(format!("line {name}: engine {engine:?}, rules {rules:?}"));
            }
            for (n, chat) in rules.iter().enumerate() {
                if self.engine.position(*chat) != Some(n as u32 + 1) {
                    return Err(format!(
                        "position of {chat}: {:?}, not {}",
                        self.engine.position(*chat),
                        n + 1
                    ));
                }
            }
        }
        let engine: Vec<String> = self.engine.chats().map(seen_of_chat).collect();
        let mut chats: Vec<&naive::Chat> = self.model.chats.iter().collect();
        chats.sort_by_key(|c| c.id);
        let rules: Vec<String> = chats.into_iter().map(told_of_chat).collect();
        if engine != rules {
            return Err(format!("chats: engine {engine:#?}\n rules {rules:#?}"));
        }
        let engine = self.engine.next_deadline().and_then(|(at, d)| match d {
            Deadline::Offer(id) => Some((at, 0, id)),
            Deadline::Unopened(id) => Some((at, 1, id)),
            Deadline::WrapUp(id) => Some((at, 2, id)),
            // The settings of the scripts keep the others off, or beyond their end.
            _ => None,
        });
        let rules = self.model.deadline();
        if engine == rules { Ok(()) } else { Err(format!("deadline: engine {engine:?}, rules {rules:?}")) }
    }

    fn act(&mut self, act: &Act, n: u32, coverage: &mut Coverage) -> Result<(), String> {
        match act {
            Act::Wait(millis) => self.wait(Millis(*millis), coverage),
            Act::Due(off) => {
                let Some((at, _, _)) = self.model.deadline() else { return Ok(()) };
                let at = Timestamp(at.0 + off);
                self.wait(at.since(self.now), coverage)
            }
            Act::Late(millis) => {
                self.now = self.now + Millis(*millis);
                Ok(())
            }
            other => {
                let Some(command) = script::command(other, &self.model, n) else { return Ok(()) };
                if let Wish::Resume { down } = &command.wish {
                    self.restart(*down)?;
                }
                self.step(Some(&command), coverage)
            }
        }
    }

    fn wait(&mut self, millis: Millis, coverage: &mut Coverage) -> Result<(), String> {
        let until = self.now + millis;
        while let Some((at, _, _)) = self.model.deadline().filter(|(at, _, _)| *at <= until) {
            // A moment before, nothing may happen (promise 7).
            self.now = self.now.max(Timestamp(at.0 - 1));
            self.step(None, coverage)?;
            self.now = self.now.max(at);
            self.step(None, coverage)?;
        }
        self.now = until;
        self.step(None, coverage)
    }

    /// The process is gone and back: the journal, and a snapshot as text, give the same engine.
    fn restart(&mut self, down: Millis) -> Result<(), String> {
        self.reload()?;
        self.now = self.now + down;
        Ok(())
    }

    fn reload(&mut self) -> Result<(), String> {
        let mut replayed = Engine::new();
        for (at, event) in &self.journal {
            let text = serde_json::to_string(event).unwrap();
            replayed.apply(*at, &serde_json::from_str(&text).unwrap());
        }
        if replayed != self.engine {
            return Err("replaying the journal gives another state".to_owned());
        }
        let snapshot = serde_json::to_vec(&self.engine).unwrap();
        let restored = serde_json::from_slice::<Engine>(&snapshot).unwrap().restored();
        if restored != self.engine {
            return Err("a snapshot gives another state, or other indexes".to_owned());
        }
        self.engine = restored;
        Ok(())
    }
}

fn offer_made(event: &Event) -> Option<OfferId> {
    match event {
        Event::ChatOffered { offer, .. } => Some(*offer),
        _ => None,
    }
}

fn seen_of_agent(engine: &Engine, id: &tieline_model::AgentId) -> String {
    let agent = engine.agent(id).cloned().unwrap_or_default();
    let inbox: Vec<_> = engine.inbox(id).map(|c| c.id).collect();
    format!(
        "{:?} {:?} wishes {:?} offered {:?} active {:?} inbox {inbox:?} load {} calls {:?} sessions {:?} idle {}",
        engine.status(id),
        agent.presence,
        agent.wish,
        agent.offered,
        agent.active,
        engine.load(id),
        agent.calls.iter().collect::<Vec<_>>(),
        agent.sessions.iter().collect::<Vec<_>>(),
        agent.idle_since.0,
    )
}

fn told_of_agent(model: &Naive, id: &tieline_model::AgentId) -> String {
    let nobody = naive::Agent::default();
    let agent = model.agent(id).unwrap_or(&nobody);
    let mut sessions = agent.sessions.clone();
    sessions.sort();
    let inbox: Vec<_> = model.inbox(id).iter().map(|c| c.id).collect();
    format!(
        "{:?} {:?} wishes {:?} offered {:?} active {:?} inbox {inbox:?} load {} calls {:?} sessions {:?} idle {}",
        model.status(id),
        agent.presence,
        agent.wish,
        model.offered(id).map(|c| c.id),
        model.active(id).map(|c| c.id),
        model.load(id),
        model.calls_at(id),
        sessions,
        agent.idle.0,
    )
}

fn seen_of_chat(chat: &tieline_engine::Chat) -> String {
    let at = match &chat.stage {
        Stage::Waiting | Stage::Form { .. } => "in line".to_owned(),
        Stage::Offered(o) => format!("offered {} to {} until {}", o.id, o.agent, o.deadline.0),
        Stage::Owned { agent, place, talk: Talk::Open { unopened_deadline, .. } } => {
            format!("{place:?} at {agent}, open until {unopened_deadline:?}")
        }
        Stage::Owned { agent, place, talk: Talk::WrapUp { seen, clock, extensions_left, .. } } => {
            let clock = match clock {
                WrapClock::Unlimited => Clock::None,
                WrapClock::Running { deadline } => Clock::Runs(*deadline),
                WrapClock::Stopped { left } => Clock::Stands(*left),
            };
            format!("{place:?} at {agent}, wrap-up {clock:?}, seen {seen}, {extensions_left} more")
        }
    };
    format!("{} {at}; waits {:?}, {:?}, v{}", chat.id, chat.unanswered_since, chat.codes, chat.version)
}

fn told_of_chat(chat: &naive::Chat) -> String {
    let at = match &chat.at {
        Where::Line => "in line".to_owned(),
        Where::Offer { id, to, until } => format!("offered {id} to {to} until {}", until.0),
        Where::Inbox { of, place, wrap: None, unopened } => {
            format!("{place:?} at {of}, open until {unopened:?}")
        }
        Where::Inbox { of, place, wrap: Some(Wrap { seen, clock, extensions }), .. } => {
            format!("{place:?} at {of}, wrap-up {clock:?}, seen {seen}, {extensions} more")
        }
    };
    format!("{} {at}; waits {:?}, {:?}, v{}", chat.id, chat.unanswered, chat.codes, chat.offers)
}

/// A script: settings and acts.
fn draw(seed: u64) -> (tieline_model::policy::TenantPolicy, Vec<Act>) {
    let mut dice = Dice(seed);
    let policy = script::policy(&mut dice);
    // People come to work first; what they do then is drawn.
    let mut acts: Vec<Act> = (0..3).flat_map(|a| [Act::Connect(a), Act::Presence(a, 0, false)]).collect();
    acts.extend((0..ACTS).map(|_| script::act(&mut dice)));
    (policy, acts)
}

fn play(
    policy: &tieline_model::policy::TenantPolicy,
    acts: &[Act],
    planted: Planted,
    coverage: &mut Coverage,
) -> Result<(), String> {
    let run = || {
        let mut pair = Pair::new(planted);
        let command = tieline_model::Command {
            id: "c0".parse().unwrap(),
            by: tieline_model::Actor::Daemon,
            wish: Wish::Configure { policy: Box::new(policy.clone()) },
        };
        pair.step(Some(&command), coverage)?;
        for (n, act) in acts.iter().enumerate() {
            pair.act(act, n as u32 + 1, coverage).map_err(|e| format!("act {n}, {act:?}: {e}"))?;
        }
        pair.reload()
    };
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        Err(format!(
            "panic: {}",
            text.or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned())).unwrap_or_default()
        ))
    })
}

/// Drops acts as long as the script still fails.
fn shorten(policy: &tieline_model::policy::TenantPolicy, mut acts: Vec<Act>, planted: Planted) -> Vec<Act> {
    let mut size = acts.len() / 2;
    while size > 0 {
        let mut at = 0;
        while at < acts.len() {
            let mut fewer = acts.clone();
            fewer.drain(at..(at + size).min(acts.len()));
            if play(policy, &fewer, planted, &mut Coverage::new()).is_err() {
                acts = fewer;
            } else {
                at += size;
            }
        }
        size /= 2;
    }
    acts
}

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Runs without printing this thread's panics; `play` catches and reports them.
fn quietly<R>(run: impl FnOnce() -> R) -> R {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let loud = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !QUIET.get() {
                loud(info);
            }
        }));
    });
    QUIET.set(true);
    let result = run();
    QUIET.set(false);
    result
}

fn seeds(count: u64) -> Vec<u64> {
    match std::env::var("TIELINE_MODEL_SEED") {
        Ok(seed) => vec![seed.parse().expect("TIELINE_MODEL_SEED is a number")],
        Err(_) => (1..=count).collect(),
    }
}

// proves A1, A3, A4, A5, A6, A7, A10, A11, B1, B2, B4, B5, B7, B9, B13, C1, C3, C4, C5, C6, E1, E4, F2
#[test]
fn the_engine_does_what_the_rules_say() {
    let began = Instant::now();
    let seeds = seeds(SCRIPTS);
    let workers = std::thread::available_parallelism().map_or(1, |n| n.get().min(8));
    let coverage = std::thread::scope(|scope| {
        let parts = seeds.chunks(seeds.len().div_ceil(workers));
        let running: Vec<_> = parts.map(|part| scope.spawn(|| check(part))).collect();
        let mut all = Coverage::new();
        for part in running {
            let coverage = part.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            coverage.into_iter().for_each(|(what, n)| *all.entry(what).or_default() += n);
        }
        all
    });
    println!("{} scripts of {ACTS} acts, seeds 1 to {}, {:?}", seeds.len(), seeds.len(), began.elapsed());
    for (what, count) in &coverage {
        println!("{count:>9}  {what}");
    }
    if seeds.len() > 1 {
        everything_happened(&coverage);
    }
}

fn check(seeds: &[u64]) -> Coverage {
    let mut coverage = Coverage::new();
    for seed in seeds {
        let (policy, acts) = draw(*seed);
        if let Err(error) = quietly(|| play(&policy, &acts, Planted::None, &mut coverage)) {
            let short = quietly(|| shorten(&policy, acts, Planted::None));
            let why = quietly(|| play(&policy, &short, Planted::None, &mut Coverage::new()));
            let lines: Vec<String> = short.iter().map(|act| format!("  {act:?}")).collect();
            panic!(
                "seed {seed}: {error}\n\nshortened to\n{}\n{why:?}\nunder {policy:#?}\n\
                 again: TIELINE_MODEL_SEED={seed} cargo test -p tieline-engine --test model",
                lines.join("\n")
            );
        }
    }
    coverage
}

fn everything_happened(coverage: &Coverage) {
    let codes = [
        Code::NotFound,
        Code::NotPermitted,
        Code::Taken,
        Code::Expired,
        Code::Withdrawn,
        Code::WrongState,
        Code::NotActive,
        Code::TooLong,
        Code::Invalid,
        Code::NoExtensionsLeft,
        Code::AtCapacity,
        Code::NeedsConfirmation,
    ];
    // `IdReused`, `Busy` and `Unavailable` are the owner's answers; the engine never gives them.
    for code in codes {
        assert!(coverage.contains_key(&format!("{code:?}")), "no script was refused as {code:?}");
    }
    for kind in KINDS {
        assert!(coverage.contains_key(kind), "no script led to {kind}");
    }
}

/// Every kind of event but the opening of a journal, which is its owner's.
const KINDS: [&str; 32] = [
    "tenant.configured.v1",
    "tenant.resumed.v1",
    "agent.connected.v1",
    "agent.disconnected.v1",
    "agent.presence_changed.v1",
    "agent.presence_wished.v1",
    "chat.started.v1",
    "chat.offered.v1",
    "chat.accepted.v1",
    "chat.rejected.v1",
    "chat.missed.v1",
    "chat.offer_withdrawn.v1",
    "chat.assigned.v1",
    "chat.returned.v1",
    "item.activated.v1",
    "item.parked.v1",
    "chat.message_sent.v1",
    "chat.ended.v1",
    "chat.end_seen.v1",
    "wrap_up.started.v1",
    "wrap_up.extended.v1",
    "wrap_up.completed.v1",
    "interaction.classified.v1",
    "interaction.closed.v1",
    "call.rang.v1",
    "call.dialled.v1",
    "call.answered.v1",
    "call.ended.v1",
    "call.recording_ready.v1",
    "interaction.looked_up.v1",
    "interaction.contact_chosen.v1",
    "log.delivery_reported.v1",
];

/// That the check can fail: each planted bug is caught by some script.
#[test]
fn every_planted_bug_is_caught() {
    let mut missed = Vec::new();
    for planted in planted::ALL {
        let caught = quietly(|| {
            (1..=SCRIPTS).find_map(|seed| {
                let (policy, acts) = draw(seed);
                let error = play(&policy, &acts, planted, &mut Coverage::new()).err()?;
                Some((seed, error))
            })
        });
        match caught {
            Some((seed, error)) => {
                let first: String = error.chars().take(90).collect();
                println!("{planted:?}: seed {seed}, {}", first.replace('\n', " "));
            }
            None => missed.push(planted),
        }
    }
    assert!(missed.is_empty(), "no script caught {missed:?}");
}
