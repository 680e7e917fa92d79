//! Customers, agents and a telephone system. They send what real ones send, again when the answer is lost, and they
//! remember what they were promised.

use super::chance::Chance;
use super::{AGENTS, QUEUES, tenant};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tieline::drive::{self, Done, Handle, Request};
use tieline_engine::{Engine, Stage, Talk};
use tieline_model::command::Presence;
use tieline_model::content::{CallNumbers, Content, Person, Remarks};
use tieline_model::crm::Direction;
use tieline_model::live::Place;
use tieline_model::{
    Actor, AgentId, CallFact, CallId, Code, Command, CommandId, ConversationId, Event, InteractionId,
    OfferId, QueueId, Refusal, SessionId, Wish,
};
use tokio::time::sleep;
use uuid::Uuid;

/// The process of the moment: its number and its engines, `None` while it is down.
pub type Line = Arc<Mutex<Option<(u64, Handle)>>>;

/// What callers were told, to be held against the journal at the end.
#[derive(Default)]
pub struct Promises {
    /// Rows that an answer named.
    pub kept: Vec<tieline::journal::Recorded>,
    /// Messages that were taken.
    pub taken: Vec<CommandId>,
    /// Messages that were refused for good.
    pub refused: Vec<CommandId>,
    pub wrongs: Vec<String>,
    pub asked: u64,
    pub repeated: u64,
}

#[derive(Clone)]
pub struct World {
    pub chance: Chance,
    pub line: Line,
    pub promises: Arc<Mutex<Promises>>,
}

impl World {
    /// The same world for one person, with dice of their own.
    pub fn of(&self, name: &str) -> Self {
        Self { chance: self.chance.of(name), ..self.clone() }
    }

    async fn pause(&self, from_ms: u64, to_ms: u64) {
        sleep(Duration::from_millis(from_ms + self.chance.below(to_ms - from_ms + 1))).await;
    }

    fn id(&self, who: &str) -> CommandId {
        CommandId::new(format!("{who}-{:016x}", self.chance.roll())).unwrap()
    }

    async fn process(&self) -> (u64, Handle) {
        loop {
            if let Some(process) = self.line.lock().unwrap().clone() {
                return process;
            }
            sleep(Duration::from_millis(25)).await;
        }
    }

    /// Sends a command until it is answered, minting its content anew on every try as the edge does.
    async fn ask(
        &self,
        by: Actor,
        id: CommandId,
        wish: impl Fn() -> (Wish, Request0),
    ) -> Result<Done, Refusal> {
        let is_message = matches!(wish().0, Wish::SendMessage { .. });
        let make = || {
            let (wish, extra) = wish();
            let mut request = Request::new(tenant(), Command { id: id.clone(), by: by.clone(), wish });
            request.content = extra;
            request
        };
        let answer = loop {
            let (_, handle) = self.process().await;
            match handle.submit(make()).await {
                Err(refusal) if matches!(refusal.code, Code::Busy | Code::Unavailable) => {
                    self.pause(50, 500).await;
                }
                answer => break answer,
            }
        };
        self.note(&id, is_message, &answer);
        if let Ok(done) = &answer
            && !done.events.is_empty()
            && self.chance.one_in(12)
        {
            self.again(by.clone(), &id, make(), done).await;
        }
        answer
    }

    fn note(&self, id: &CommandId, is_message: bool, answer: &Result<Done, Refusal>) {
        let mut promises = self.promises.lock().unwrap();
        promises.asked += 1;
        match answer {
            Ok(done) => {
                promises.kept.extend(done.events.iter().cloned());
                promises.repeated += u64::from(done.repeated);
                if is_message {
                    promises.taken.push(id.clone());
                }
            }
            Err(_) if is_message => promises.refused.push(id.clone()),
            Err(_) => {}
        }
    }

    /// The same command again counts nothing; another body under its id is refused (promise 2).
    async fn again(&self, by: Actor, id: &CommandId, request: Request, first: &Done) {
        let (_, handle) = self.process().await;
        match handle.submit(request).await {
            Ok(done) if done.repeated && done.seq == first.seq => {}
            Err(refusal) if matches!(refusal.code, Code::Busy | Code::Unavailable) => return,
            other => self.wrong(format!("{id} again gave {other:?} after {first:?}")),
        }
        let wish = Wish::EndChat { interaction: InteractionId(Uuid::nil()) };
        let other = Request::new(tenant(), Command { id: id.clone(), by, wish });
        match handle.submit(other).await {
            Err(refusal) if matches!(refusal.code, Code::IdReused | Code::Busy | Code::Unavailable) => {}
            other => self.wrong(format!("{id} with another body gave {other:?}")),
        }
    }

    fn wrong(&self, what: String) {
        self.promises.lock().unwrap().wrongs.push(what);
    }

    fn uuid(&self) -> Uuid {
        Uuid::from_u128(u128::from(self.chance.roll()) << 64 | u128::from(self.chance.roll()))
    }
}

type Request0 = Vec<tieline::journal::NewContent>;

fn bare(wish: Wish) -> (Wish, Request0) {
    (wish, Vec::new())
}

fn message(conversation: ConversationId, interaction: InteractionId, text: &str) -> (Wish, Request0) {
    let (text, content) = drive::content(conversation, Content::Message { text: text.to_owned() });
    (Wish::SendMessage { interaction, text }, vec![content])
}

/// One customer: a chat or two, some words, and perhaps a good-bye.
pub async fn customer(world: World, n: u64) {
    for round in 0..1 + world.chance.below(2) {
        world.pause(0, 40_000).await;
        let (interaction, conversation) = (InteractionId(world.uuid()), ConversationId(world.uuid()));
        let queue = QueueId::new(QUEUES[world.chance.below(QUEUES.len() as u64) as usize]).unwrap();
        let by = Actor::Customer { conversation };
        let person = Person {
            name: Some(format!("Customer {n}")),
            email: world.chance.one_in(2).then(|| format!("c{n}@example.org")),
            ..Person::default()
        };
        let start = || {
            let (person, content) = drive::person(conversation, person.clone());
            let queue = queue.clone();
            (
                Wish::StartChat {
                    interaction,
                    conversation,
                    queue,
                    person,
                    skills: Default::default(),
                    marks: Default::default(),
                    previous: None,
                },
                vec![content],
            )
        };
        if world.ask(by.clone(), world.id("start"), start).await.is_err() {
            continue;
        }
        for k in 0..world.chance.below(5) {
            world.pause(100, 15_000).await;
            let text = format!("customer {n}, chat {round}, line {k}");
            let _ =
                world.ask(by.clone(), world.id("say"), || message(conversation, interaction, &text)).await;
        }
        world.pause(100, 60_000).await;
        if !world.chance.one_in(4) {
            let _ = world.ask(by, world.id("bye"), || bare(Wish::EndChat { interaction })).await;
        }
    }
}

/// What an agent sees of the own desk.
struct Desk {
    presence: Presence,
    connected: bool,
    offer: Option<OfferId>,
    items: Vec<(InteractionId, ConversationId, Place, bool)>,
    pull: Vec<InteractionId>,
}

fn desk(engine: &Engine, agent: &AgentId) -> Desk {
    let state = engine.agent(agent).cloned().unwrap_or_default();
    let offer = state.offered.and_then(|id| engine.chat(id)).and_then(|chat| match &chat.stage {
        Stage::Offered(offer) => Some(offer.id),
        Stage::Waiting | Stage::Owned { .. } | Stage::Form { .. } => None,
    });
    let items = engine.inbox(agent).filter_map(|chat| match &chat.stage {
        Stage::Owned { place, talk, .. } => {
            Some((chat.id, chat.conversation, *place, matches!(talk, Talk::WrapUp { .. })))
        }
        Stage::Waiting | Stage::Offered(_) | Stage::Form { .. } => None,
    });
    let pull = QueueId::new("shelf").unwrap();
    Desk {
        presence: state.presence.clone(),
        connected: !state.sessions.is_empty(),
        offer,
        items: items.collect(),
        pull: engine.queue_waiting(&pull),
    }
}

/// One agent at work until the simulation ends.
pub async fn agent(world: World, n: usize) {
    let id = AgentId::new(AGENTS[n]).unwrap();
    let by = Actor::Agent { agent: id.clone() };
    loop {
        world.pause(50, 4_000).await;
        let (_, handle) = world.process().await;
        let who = id.clone();
        let Ok(desk) = handle.read(&tenant(), move |engine| desk(engine, &who)).await else { continue };
        let Some((wish, extra)) = next(&world, &id, &desk) else { continue };
        let answer = world.ask(by.clone(), world.id(AGENTS[n]), || (wish.clone(), extra.clone())).await;
        if let Ok(done) = &answer {
            let foreign = done.events.iter().any(|row| match &row.event {
                Event::OfferAccepted { agent, .. } => *agent != id,
                _ => false,
            });
            if foreign {
                world.wrong(format!("{id} accepted for somebody else: {done:?}"));
            }
        }
    }
}

fn next(world: &World, id: &AgentId, desk: &Desk) -> Option<(Wish, Request0)> {
    let dice = &world.chance;
    if !desk.connected {
        return Some(bare(Wish::Connect { session: SessionId(world.uuid()) }));
    }
    if dice.one_in(60) {
        return Some(bare(Wish::SetPresence { presence: Presence::Offline, confirmed: dice.one_in(2) }));
    }
    if dice.one_in(40) {
        let presence = Presence::OnBreak { reason: "lunch".to_owned() };
        return Some(bare(Wish::SetPresence { presence, confirmed: false }));
    }
    if desk.presence != Presence::Available && dice.one_in(2) {
        return Some(bare(Wish::SetPresence { presence: Presence::Available, confirmed: false }));
    }
    if let Some(offer) = desk.offer {
        return match dice.below(10) {
            0 => Some(bare(Wish::RejectOffer { offer })),
            1..=6 => Some(bare(Wish::AcceptOffer { offer })),
            _ => None,
        };
    }
    if let Some(interaction) = desk.pull.first()
        && dice.one_in(3)
    {
        return Some(bare(Wish::TakeChat { interaction: *interaction }));
    }
    let (interaction, conversation, place, ended) =
        *desk.items.get(dice.below(desk.items.len().max(1) as u64) as usize)?;
    Some(match (place, ended, dice.below(8)) {
        (Place::New, _, 0..=5) => bare(Wish::Activate { interaction }),
        (Place::Parked, _, 0..=4) => bare(Wish::Activate { interaction }),
        (Place::Active, false, 0..=2) => {
            message(conversation, interaction, &format!("{id} says {}", dice.roll()))
        }
        (Place::Active, _, 3) => bare(Wish::Park { interaction }),
        (_, false, 4) => bare(Wish::EndChat { interaction }),
        (_, true, 0 | 4) => bare(Wish::CompleteWrapUp { interaction }),
        (_, true, 1) => bare(Wish::ExtendWrapUp { interaction }),
        (_, _, 5) => {
            let remarks = Remarks { text: format!("note {}", dice.roll()), notes: String::new() };
            let (remarks, content) = drive::content(conversation, Content::Remarks { remarks });
            let codes = vec!["sale".to_owned()];
            (Wish::Classify { interaction, codes, remarks: Some(remarks) }, vec![content])
        }
        (_, true, 6) => bare(Wish::SeeEnd { interaction }),
        _ => return None,
    })
}

/// A telephone system: calls that ring, are answered and end, told twice, late and out of order.
pub async fn telephones(world: World) {
    let by = Actor::Producer { name: "/pbx".to_owned() };
    for n in 0..12 {
        world.pause(1_000, 30_000).await;
        let agent = AGENTS[world.chance.below(AGENTS.len() as u64) as usize].to_owned();
        let conversation = ConversationId(world.uuid());
        let numbers = || {
            let numbers = CallNumbers { from: Some("+441632960011".to_owned()), to: None };
            drive::content(conversation, Content::Call { numbers })
        };
        let mut facts = vec![Fact::Ringing, Fact::Answered, Fact::Ended];
        if world.chance.one_in(4) {
            facts.remove(1);
        }
        if world.chance.one_in(5) {
            let last = facts.len() - 1;
            facts.swap(0, last);
        }
        if world.chance.one_in(3) {
            let twice = facts[world.chance.below(facts.len() as u64) as usize];
            facts.push(twice);
        }
        for fact in facts {
            let interaction = InteractionId(world.uuid());
            let wish = || {
                let call = CallId::new(format!("call-{n}")).unwrap();
                let (fact, content) = match fact {
                    Fact::Ringing => {
                        let (numbers, content) = numbers();
                        let agents = vec![agent.clone()];
                        (
                            CallFact::Ringing {
                                agents,
                                queue: None,
                                numbers,
                                withheld: false,
                                direction: Direction::Inbound,
                            },
                            vec![content],
                        )
                    }
                    Fact::Answered => (CallFact::Answered { agent: agent.clone() }, Vec::new()),
                    Fact::Ended => (CallFact::Ended, Vec::new()),
                };
                (Wish::ReportCall { call, interaction, conversation, fact }, content)
            };
            if let Err(refusal) = world.ask(by.clone(), world.id("call"), wish).await {
                world.wrong(format!("a call event was refused: {refusal:?}"));
            }
            world.pause(0, 12_000).await;
        }
    }
}

#[derive(Clone, Copy)]
enum Fact {
    Ringing,
    Answered,
    Ended,
}

/// Everybody goes home: open chats end, wrap-ups complete.
pub async fn close_down(world: &World) {
    for name in AGENTS {
        let by = Actor::Agent { agent: AgentId::new(name).unwrap() };
        let wish = || bare(Wish::SetPresence { presence: Presence::Offline, confirmed: true });
        let _ = world.ask(by, world.id("home"), wish).await;
    }
    let (_, handle) = world.process().await;
    let open = |engine: &Engine| {
        let calls: Vec<CallId> = engine.calls().map(|c| c.call.clone()).collect();
        (calls, engine.chats().map(|c| (c.id, c.conversation)).collect::<Vec<_>>())
    };
    let (calls, chats) = handle.read(&tenant(), open).await.expect("the process is calm");
    for call in calls {
        let by = Actor::Producer { name: "/pbx".to_owned() };
        let (interaction, conversation) = (InteractionId(world.uuid()), ConversationId(world.uuid()));
        let wish = || {
            let (call, fact) = (call.clone(), CallFact::Ended);
            bare(Wish::ReportCall { call, interaction, conversation, fact })
        };
        let _ = world.ask(by, world.id("hang"), wish).await;
    }
    for (interaction, conversation) in chats {
        let by = Actor::Customer { conversation };
        let _ = world.ask(by, world.id("bye"), || bare(Wish::EndChat { interaction })).await;
    }
    for name in AGENTS {
        let by = Actor::Agent { agent: AgentId::new(name).unwrap() };
        let wish = || bare(Wish::SetPresence { presence: Presence::Offline, confirmed: true });
        let _ = world.ask(by, world.id("home"), wish).await;
    }
}
