//! What one step of the engine costs as a contact centre grows, and what an open chat and an agent cost in memory.
//!
//! `cargo xtask bench engine` runs it and draws `docs/engine-growth.svg`. At 100, 1,000, 10,000 and 100,000 agents in a
//! hundred queues, every agent in two of them; everybody has an offer or a chat in hand, and as many chats wait again. A
//! step is what the owner does for one command: decide, apply, and all that follows. Times are those of the one core the
//! thread was on.

#![allow(missing_docs, clippy::unwrap_used, reason = "a bench may fail loudly")]

use criterion::{BenchmarkId, Criterion, Throughput};
use rustix::time::{ClockId, clock_gettime};
use std::hint::black_box;
use std::time::Duration;
use tieline_engine::{Engine, Stage};
use tieline_model::command::Presence;
use tieline_model::content::ContentRef;
use tieline_model::policy::{AgentPolicy, QueuePolicy, TenantPolicy};
use tieline_model::{
    Actor, AgentId, Command, CommandId, ContentId, ConversationId, Event, InteractionId, Millis, OfferId,
    QueueId, SessionId, Timestamp, Wish,
};
use uuid::Uuid;

const SIZES: [usize; 4] = [100, 1_000, 10_000, 100_000];
const QUEUES: usize = 100;
const NOW: Timestamp = Timestamp(1_700_000_000_000);
/// From one chat to the next, so that what is remembered for a while is forgotten in time.
const BETWEEN_CHATS: Millis = Millis(100);
/// Commands prepared at a time, so that preparing them is not measured.
const BATCH: u64 = 1_000;

fn main() {
    // First, while nothing has been given back that could be taken again; not when one cost alone is asked for.
    if std::env::args().skip(1).all(|argument| argument.starts_with("--")) {
        memory();
    }
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3))
        .configure_from_args();
    for agents in SIZES {
        let mut made = None;
        let cost = |criterion: &mut Criterion, name: &str, run: &mut dyn FnMut(u64) -> Duration| {
            let mut group = criterion.benchmark_group(name);
            group.throughput(Throughput::Elements(1));
            group.bench_function(BenchmarkId::from_parameter(agents), |b| {
                b.iter_custom(|times| at_least_a_batch(times, &mut *run));
            });
            group.finish();
        };
        cost(&mut criterion, "routing pass", &mut |times| standing(&mut made, agents).routing_pass(times));
        cost(&mut criterion, "status change", &mut |times| standing(&mut made, agents).status_change(times));
        cost(&mut criterion, "offer and accept", &mut |times| {
            standing(&mut made, agents).offer_and_accept(times)
        });
        cost(&mut criterion, "cycle", &mut |times| standing(&mut made, agents).cycle(times));
        cost(&mut criterion, "message", &mut |times| {
            let centre = standing(&mut made, agents);
            centre.everybody_accepts();
            centre.message(times)
        });
    }
    criterion.final_summary();
}

/// Criterion asks for a few steps only where preparing them takes long, and those would pay for all that preparing has
/// pushed out of the caches. A batch is carried out at least, and its mean told.
fn at_least_a_batch(times: u64, run: &mut dyn FnMut(u64) -> Duration) -> Duration {
    if times >= BATCH {
        return run(times);
    }
    let nanos = run(BATCH).as_nanos() * u128::from(times) / u128::from(BATCH);
    Duration::from_nanos(nanos.try_into().unwrap())
}

/// The centre of this size, made when it is first needed.
fn standing(made: &mut Option<Centre>, agents: usize) -> &mut Centre {
    made.get_or_insert_with(|| Centre::new(agents))
}

/// What an agent and an open chat hold, from what the process holds; pages of 4 KiB.
fn memory() {
    let chats = 400_000_u64;
    let mut centre = Centre::empty(100);
    let before = resident_bytes();
    (0..chats).for_each(|_| centre.start());
    println!("memory: {} bytes an open chat, of {chats}", (resident_bytes() - before) / chats);
    // The chats are still there, so that nothing was given back that could be taken again.
    let agents = 100_000;
    let before = resident_bytes();
    let more = Centre::empty(agents);
    println!("memory: {} bytes an agent, of {agents}", (resident_bytes() - before) / agents as u64);
    black_box((&centre.engine, &more.engine));
}

/// Time this thread has spent on a core. Who else is at work on the machine does not count.
struct CoreTime(Duration);

impl CoreTime {
    fn now() -> Self {
        let spent = clock_gettime(ClockId::ThreadCPUTime);
        Self(Duration::new(spent.tv_sec.unsigned_abs(), u32::try_from(spent.tv_nsec).unwrap()))
    }

    fn elapsed(&self) -> Duration {
        Self::now().0 - self.0
    }
}

fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("this part needs Linux");
    let pages: u64 = statm.split(' ').nth(1).and_then(|n| n.parse().ok()).expect("statm has numbers");
    pages * 4_096
}

struct Centre {
    engine: Engine,
    agents: Vec<AgentId>,
    queues: Vec<QueueId>,
    next_agent: usize,
    chats: u128,
    command: CommandId,
    now: Timestamp,
}

impl Centre {
    /// Everybody is Offline and nobody waits.
    fn empty(agents: usize) -> Self {
        let queues: Vec<QueueId> = (0..QUEUES).map(|n| QueueId::new(format!("queue-{n}")).unwrap()).collect();
        let agents: Vec<AgentId> = (0..agents).map(|n| AgentId::new(format!("agent-{n}")).unwrap()).collect();
        let mut policy = TenantPolicy::default();
        // Nothing comes due: here the cost of commands is measured.
        let rules =
            QueuePolicy { accept_within: Millis::secs(365 * 86_400), ..QueuePolicy::named("Support") };
        policy.queues.extend(queues.iter().map(|id| (id.clone(), rules.clone())));
        let serves = |n: usize| [queues[n % QUEUES].clone(), queues[(n + 1) % QUEUES].clone()];
        policy.agents.extend(agents.iter().enumerate().map(|(n, id)| {
            let agent = AgentPolicy {
                name: "Agent".to_owned(),
                queues: serves(n).into(),
                extension: None,
                may_reject: true,
                supervisor: false,
                chat_capacity: 3,
                skills: Default::default(),
                crm_users: Default::default(),
            };
            (id.clone(), agent)
        }));
        let mut engine = Engine::new();
        engine.apply(NOW, &Event::TenantOpened { seed: 1 });
        let command = CommandId::new("c").unwrap();
        let mut centre = Self { engine, agents, queues, next_agent: 0, chats: 0, command, now: NOW };
        centre.act(Actor::Daemon, Wish::Configure { policy: Box::new(policy) });
        centre
    }

    /// Every agent holds an offer, and as many chats wait.
    fn new(agents: usize) -> Self {
        let mut centre = Self::empty(agents);
        for n in 0..agents {
            let by = centre.by(n);
            centre.act(by.clone(), Wish::Connect { session: SessionId(Uuid::from_u128(n as u128)) });
            centre.act(by, Wish::SetPresence { presence: Presence::Available, confirmed: false });
        }
        (0..2 * agents).for_each(|_| centre.start());
        let offered = centre.engine.agents().filter(|(_, agent)| agent.offered.is_some()).count();
        assert_eq!(offered, agents, "every agent holds an offer");
        centre
    }

    fn by(&self, n: usize) -> Actor {
        Actor::Agent { agent: self.agents[n].clone() }
    }

    fn next(&mut self) -> usize {
        self.next_agent = (self.next_agent + 1) % self.agents.len();
        self.next_agent
    }

    fn start(&mut self) {
        self.chats += 1;
        self.now = self.now + BETWEEN_CHATS;
        let n = self.chats;
        let conversation = ConversationId(Uuid::from_u128(n));
        let wish = Wish::StartChat {
            interaction: InteractionId(Uuid::from_u128(n)),
            conversation,
            queue: self.queues[usize::try_from(n).unwrap() % QUEUES].clone(),
            person: content(),
            skills: Default::default(),
            marks: Default::default(),
            previous: None,
        };
        self.act(Actor::Customer { conversation }, wish);
    }

    /// Decide, apply, and everything that follows: what a turn of the owner does for one command.
    fn act(&mut self, by: Actor, wish: Wish) {
        let command = Command { id: self.command.clone(), by, wish };
        self.carry_out(&command);
    }

    fn carry_out(&mut self, command: &Command) {
        for event in self.engine.decide(self.now, command).unwrap() {
            self.engine.apply(self.now, &event);
        }
        loop {
            let follows = self.engine.route(self.now);
            if follows.is_empty() {
                return;
            }
            follows.iter().for_each(|event| self.engine.apply(self.now, event));
        }
    }

    fn offer_of(&self, n: usize) -> (InteractionId, OfferId) {
        let chat = self.engine.agent(&self.agents[n]).and_then(|a| self.engine.chat(a.offered?)).unwrap();
        let Stage::Offered(offer) = &chat.stage else { panic!("not offered") };
        (chat.id, offer.id)
    }

    /// Looking for who gets what, when somebody has just become free.
    fn routing_pass(&mut self, times: u64) -> Duration {
        let n = self.next();
        // Somebody is free and the next chat waits, for it has not been handed out yet.
        let mut engine = self.engine.clone();
        let (_, offer) = self.offer_of(n);
        let command = Command { id: self.command.clone(), by: self.by(n), wish: Wish::AcceptOffer { offer } };
        for event in engine.decide(self.now, &command).unwrap() {
            engine.apply(self.now, &event);
        }
        let interaction = engine.agent(&self.agents[n]).and_then(|a| a.active).unwrap();
        let park = Command { id: self.command.clone(), by: self.by(n), wish: Wish::Park { interaction } };
        for event in engine.decide(self.now, &park).unwrap() {
            engine.apply(self.now, &event);
        }
        // The centre has just been copied; what a pass looks at is to be near, as it is in one that is at work.
        for _ in 0..BATCH {
            assert!(
                !black_box(engine.route(black_box(self.now))).is_empty(),
                "there is somebody to route to"
            );
        }
        let began = CoreTime::now();
        for _ in 0..times {
            black_box(engine.route(black_box(self.now)));
        }
        began.elapsed()
    }

    /// Away with a withdrawn offer, and back to be offered the next in line. Half of it counts as one.
    fn status_change(&mut self, times: u64) -> Duration {
        let away = Wish::SetPresence { presence: Presence::StopNew, confirmed: false };
        let back = Wish::SetPresence { presence: Presence::Available, confirmed: false };
        self.batches(times.div_ceil(2), |centre, n| {
            [(centre.by(n), away.clone()), (centre.by(n), back.clone())]
        })
    }

    /// An offer is accepted. What follows (the end, the wrap-up, the next offer) is not measured.
    fn offer_and_accept(&mut self, times: u64) -> Duration {
        let mut spent = Duration::ZERO;
        let mut left = times;
        while left > 0 {
            let now = left.min(BATCH).min(self.agents.len() as u64);
            let mut accepts = Vec::new();
            for _ in 0..now {
                let n = self.next();
                let (interaction, offer) = self.offer_of(n);
                let (id, by) = (self.command.clone(), self.by(n));
                accepts.push((interaction, Command { id, by, wish: Wish::AcceptOffer { offer } }));
            }
            let began = CoreTime::now();
            accepts.iter().for_each(|(_, accept)| self.carry_out(accept));
            spent += began.elapsed();
            for (interaction, Command { by, .. }) in accepts {
                self.act(by.clone(), Wish::EndChat { interaction });
                self.act(by, Wish::CompleteWrapUp { interaction });
                self.start();
            }
            left -= now;
        }
        spent
    }

    /// Offer, accept, end, wrap-up done and the next offer; and a new chat keeps the line as long as it was.
    fn cycle(&mut self, times: u64) -> Duration {
        let began = CoreTime::now();
        for _ in 0..times {
            let n = self.next();
            let (interaction, offer) = self.offer_of(n);
            let by = self.by(n);
            self.act(by.clone(), Wish::AcceptOffer { offer });
            self.act(by.clone(), Wish::EndChat { interaction });
            self.act(by, Wish::CompleteWrapUp { interaction });
            self.start();
        }
        began.elapsed()
    }

    fn everybody_accepts(&mut self) {
        let waiting = |centre: &Self, n: usize| {
            centre.engine.agent(&centre.agents[n]).is_some_and(|agent| agent.offered.is_some())
        };
        for n in 0..self.agents.len() {
            if waiting(self, n) {
                let (_, offer) = self.offer_of(n);
                let by = self.by(n);
                self.act(by, Wish::AcceptOffer { offer });
            }
        }
    }

    /// Customer and agent write in turn. Half of it counts as one.
    fn message(&mut self, times: u64) -> Duration {
        self.batches(times.div_ceil(2), |centre, n| {
            let interaction = centre.engine.agent(&centre.agents[n]).and_then(|a| a.active).unwrap();
            let conversation = centre.engine.chat(interaction).unwrap().conversation;
            let wish = Wish::SendMessage { interaction, text: content() };
            [(Actor::Customer { conversation }, wish.clone()), (centre.by(n), wish)]
        })
    }

    /// Carries out pairs of commands, prepared in batches; only carrying out is measured.
    fn batches(&mut self, pairs: u64, prepare: impl Fn(&Self, usize) -> [(Actor, Wish); 2]) -> Duration {
        let mut spent = Duration::ZERO;
        let mut left = pairs;
        while left > 0 {
            let now = left.min(BATCH);
            let mut commands = Vec::with_capacity(2 * usize::try_from(now).unwrap());
            for _ in 0..now {
                let n = self.next();
                let pair = prepare(self, n);
                commands.extend(pair.map(|(by, wish)| Command { id: self.command.clone(), by, wish }));
            }
            let began = CoreTime::now();
            commands.iter().for_each(|command| self.carry_out(command));
            spent += began.elapsed();
            left -= now;
        }
        spent
    }
}

fn content() -> ContentRef {
    ContentRef { id: ContentId(Uuid::nil()), chars: 20, bytes: 20 }
}
