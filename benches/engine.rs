//! What one step of the engine costs as a contact centre grows, and what an open chat costs in memory.
//!
//! `cargo bench -p tieline-engine`. Plain, without a harness: medians over rounds, at 100, 1,000 and 10,000 agents, with
//! as many chats waiting. A presence change is away and back, with a withdrawn and a new offer.

#![allow(missing_docs, clippy::unwrap_used, reason = "a bench may fail loudly")]

use std::hint::black_box;
use std::time::Instant;
use tieline_engine::{Engine, Stage};
use tieline_model::command::Presence;
use tieline_model::content::ContentRef;
use tieline_model::policy::{AgentPolicy, OfferWhen, QueuePolicy, TenantPolicy};
use tieline_model::{
    Actor, AgentId, Command, CommandId, ContentId, ConversationId, Event, InteractionId, QueueId, SessionId,
    Timestamp, Wish,
};
use uuid::Uuid;

const ROUNDS: usize = 400;
const NOW: Timestamp = Timestamp(1_700_000_000_000);

fn main() {
    println!(
        "{:>8} {:>12} {:>14} {:>16} {:>14}",
        "agents", "send", "offer-accept", "presence change", "routing pass"
    );
    for agents in [100, 1_000, 10_000] {
        let send = cost(agents, send);
        let accept = cost(agents, accept);
        let presence = cost(agents, presence);
        let route = cost(agents, route);
        println!("{agents:>8} {send:>9} ns {accept:>11} ns {presence:>13} ns {route:>11} ns");
    }
    let mut engine = centre(10);
    for chats in [50_000_u64, 100_000] {
        let before = resident_bytes();
        for n in 0..chats {
            start(&mut engine, u128::from(chats) * 1_000 + u128::from(n));
        }
        println!("{chats:>8} more open chats: {} bytes each", (resident_bytes() - before) / chats);
    }
}

/// What the process holds, as Linux counts it; pages of 4 KiB.
fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("this part needs Linux");
    let pages: u64 = statm.split(' ').nth(1).and_then(|n| n.parse().ok()).expect("statm has numbers");
    pages * 4_096
}

/// The median of one step, in nanoseconds; each round begins with a fresh agent.
fn cost(agents: usize, step: fn(&mut Engine, usize) -> u64) -> u64 {
    let mut engine = centre(agents);
    let mut nanos: Vec<u64> = (0..ROUNDS.min(agents)).map(|n| step(&mut engine, n)).collect();
    nanos.sort_unstable();
    nanos[nanos.len() / 2]
}

fn timed(run: impl FnOnce()) -> u64 {
    let began = Instant::now();
    run();
    u64::try_from(began.elapsed().as_nanos()).unwrap()
}

/// Every agent holds an offer, and as many chats wait again.
fn centre(agents: usize) -> Engine {
    let mut policy = TenantPolicy::default();
    let queue = QueuePolicy { offer_when: OfferWhen::AllParked, ..QueuePolicy::named("Support") };
    policy.queues.insert(queue_id(), queue);
    for n in 0..agents {
        policy.agents.insert(
            agent(n),
            AgentPolicy {
                name: format!("Agent {n}"),
                queues: [queue_id()].into(),
                extension: None,
                may_reject: true,
                supervisor: false,
                chat_capacity: 3,
                crm_users: std::collections::BTreeMap::new(),
                skills: Default::default(),
            },
        );
    }
    let mut engine = Engine::new();
    engine.apply(NOW, &Event::TenantOpened { seed: 1 });
    act(&mut engine, Actor::Daemon, Wish::Configure { policy: Box::new(policy) });
    for n in 0..agents {
        let by = Actor::Agent { agent: agent(n) };
        act(&mut engine, by.clone(), Wish::Connect { session: SessionId(Uuid::from_u128(n as u128)) });
        act(&mut engine, by, Wish::SetPresence { presence: Presence::Available, confirmed: false });
    }
    for n in 0..2 * agents {
        start(&mut engine, n as u128);
    }
    engine
}

fn start(engine: &mut Engine, n: u128) {
    let (interaction, conversation) = (InteractionId(Uuid::from_u128(n)), ConversationId(Uuid::from_u128(n)));
    let wish = Wish::StartChat {
        interaction,
        conversation,
        queue: queue_id(),
        person: content(),
        skills: Default::default(),
        marks: Default::default(),
        previous: None,
    };
    act(engine, Actor::Customer { conversation }, wish);
}

fn send(engine: &mut Engine, n: usize) -> u64 {
    let interaction = accepted(engine, n);
    let by = Actor::Agent { agent: agent(n) };
    timed(|| act(engine, by, Wish::SendMessage { interaction, text: content() }))
}

fn accept(engine: &mut Engine, n: usize) -> u64 {
    let (_, wish) = offered(engine, n);
    timed(|| act(engine, Actor::Agent { agent: agent(n) }, wish))
}

fn presence(engine: &mut Engine, n: usize) -> u64 {
    // Away with a withdrawn offer, and back to be offered the next in line.
    let by = Actor::Agent { agent: agent(n) };
    timed(|| {
        act(engine, by.clone(), Wish::SetPresence { presence: Presence::StopNew, confirmed: false });
        act(engine, by, Wish::SetPresence { presence: Presence::Available, confirmed: false });
    })
}

fn route(engine: &mut Engine, n: usize) -> u64 {
    let interaction = accepted(engine, n);
    let command = command(Actor::Agent { agent: agent(n) }, Wish::Park { interaction });
    for event in engine.decide(NOW, &command).unwrap() {
        engine.apply(NOW, &event);
    }
    let nanos = timed(|| drop(black_box(engine.route(NOW))));
    settle(engine);
    nanos
}

fn offered(engine: &Engine, n: usize) -> (InteractionId, Wish) {
    let chat = engine.agent(&agent(n)).and_then(|a| engine.chat(a.offered?)).unwrap();
    match &chat.stage {
        Stage::Offered(offer) => (chat.id, Wish::AcceptOffer { offer: offer.id }),
        Stage::Waiting | Stage::Owned { .. } => panic!("not offered"),
    }
}

fn accepted(engine: &mut Engine, n: usize) -> InteractionId {
    let (id, wish) = offered(engine, n);
    act(engine, Actor::Agent { agent: agent(n) }, wish);
    id
}

fn command(by: Actor, wish: Wish) -> Command {
    Command { id: CommandId::new("c").unwrap(), by, wish }
}

/// Decide, apply, and everything that follows: what a turn of the owner does for one command.
fn act(engine: &mut Engine, by: Actor, wish: Wish) {
    for event in engine.decide(NOW, &command(by, wish)).unwrap() {
        engine.apply(NOW, &event);
    }
    settle(engine);
}

fn settle(engine: &mut Engine) {
    while let Some(event) = engine.route(NOW) {
        engine.apply(NOW, &event);
    }
}

fn agent(n: usize) -> AgentId {
    AgentId::new(format!("agent-{n}")).unwrap()
}

fn queue_id() -> QueueId {
    QueueId::new("support").unwrap()
}

fn content() -> ContentRef {
    ContentRef { id: ContentId(Uuid::nil()), chars: 20, bytes: 20 }
}
