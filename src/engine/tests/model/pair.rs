//! Engine and model side by side: one step of both, what must hold after it, and what they show compared.

use crate::naive::{self, Clock, Due, Item, Naive, Where};
use crate::planted::Planted;
use crate::script::{self, AGENTS, Act, QUEUES};
use std::collections::{BTreeMap, BTreeSet};
use tieline_engine::{Deadline, Engine, OfferFate, Stage, Talk, WrapClock};
use tieline_model::crm::{Channel, Outcome};
use tieline_model::event::{AssignedHow, CompletedBy, Guest, Service, Suggestion};
use tieline_model::live::Place;
use tieline_model::{AgentId, Command, Event, InteractionId, Millis, OfferId, QueueId, Timestamp, Wish};

pub const START: Timestamp = Timestamp(1_700_000_000_000);
/// Every so many steps the indexes are made anew and compared.
const REBUILD_EVERY: u64 = 16;
/// Every so many steps both are compared although nothing happened.
const QUIET_LOOK_EVERY: u64 = 8;

/// How often each kind of event and each refusal of each wish came.
pub type Coverage = BTreeMap<String, u64>;

pub struct Pair {
    pub engine: Engine,
    pub model: Naive,
    planted: Planted,
    journal: Vec<(Timestamp, Event)>,
    pub now: Timestamp,
    steps: u64,
    broken: Option<String>,
    agents: Vec<AgentId>,
    queues: Vec<QueueId>,
}

impl Pair {
    pub fn new(planted: Planted) -> Self {
        let mut pair = Self {
            engine: Engine::new(),
            model: Naive::default(),
            planted,
            journal: Vec::new(),
            now: START,
            steps: 0,
            broken: None,
            agents: AGENTS.iter().map(|name| name.parse().unwrap()).collect(),
            queues: QUEUES.iter().map(|name| name.parse().unwrap()).collect(),
        };
        pair.apply(vec![Event::TenantOpened { seed: 42 }]);
        pair
    }

    fn apply(&mut self, events: Vec<Event>) {
        for event in events {
            let (at, made) = self.planted.applied(self.now, &event);
            if let Some(early) = self.early(&made) {
                self.broken.get_or_insert(early);
            }
            self.engine.apply(at, &made);
            if let Some(over) = self.over_capacity(&made) {
                self.broken.get_or_insert(over);
            }
            self.journal.push((at, made));
        }
    }

    /// A timer that fires before its moment (promise 7).
    fn early(&self, event: &Event) -> Option<String> {
        let of = |id: &InteractionId| self.engine.chat(*id);
        let due = match event {
            Event::OfferMissed { interaction, .. } => match &of(interaction)?.stage {
                Stage::Offered(offer) => offer.deadline,
                _ => return Some(format!("missed, but not offered: {event:?}")),
            },
            Event::WrapUpCompleted { interaction, by, .. } => match (&of(interaction)?.stage, by) {
                (
                    Stage::Owned {
                        talk: Talk::WrapUp { clock: WrapClock::Running { deadline }, .. }, ..
                    },
                    CompletedBy::Timer,
                ) => *deadline,
                (
                    Stage::Owned { talk: Talk::WrapUp { max: WrapClock::Running { deadline }, .. }, .. },
                    CompletedBy::Maximum,
                ) => *deadline,
                (_, CompletedBy::Timer | CompletedBy::Maximum) => {
                    return Some(format!("no such timer runs: {event:?}"));
                }
                _ => return None,
            },
            _ => return None,
        };
        (due > self.now).then(|| format!("early, it is due at {}: {event:?}", due.0))
    }

    /// Units in hand when something was given by itself or taken (A5).
    fn over_capacity(&self, event: &Event) -> Option<String> {
        let agent = match event {
            Event::ChatOffered { agent, .. } => agent,
            Event::ChatAssigned { agent, how: AssignedHow::Auto | AssignedHow::Taken, .. } => agent,
            Event::TransferOffered { to, .. } => to,
            _ => return None,
        };
        let capacity = self.engine.policy().agents.get(agent)?.chat_capacity;
        let load = self.engine.load(agent);
        (load > capacity).then(|| format!("{load} units for {capacity}: {event:?}"))
    }

    /// What follows by itself; returned as told.
    fn follow_up(&mut self) -> Vec<Event> {
        let mut told = Vec::new();
        for _round in 0..1_000 {
            let due = self.engine.next_deadline().filter(|(at, _)| *at <= self.now);
            let mut events = self.engine.expire(self.now);
            assert!(due.is_none() || !events.is_empty(), "a deadline that leads to nothing: {due:?}");
            if events.is_empty() {
                events.extend(self.engine.route(self.now));
            }
            if events.is_empty() {
                return told;
            }
            self.planted.decided(&mut events);
            told.extend(events.iter().cloned());
            self.apply(events);
        }
        panic!("follow-ups without end");
    }

    /// Lets engine and model do the same and compares.
    pub fn step(&mut self, command: Option<&Command>, coverage: &mut Coverage) -> Result<(), String> {
        self.steps += 1;
        self.model.told.clear();
        self.model.now = self.now;
        let (mut told, mut refused) = (Vec::new(), None);
        if let Some(command) = command {
            let moment = self.planted.moment(self.now, &command.wish);
            match self.engine.decide(moment, command) {
                Ok(mut events) => {
                    self.planted.decided(&mut events);
                    told.extend(events.iter().cloned());
                    self.apply(events);
                }
                Err(refusal) => refused = Some(refusal),
            }
        }
        told.extend(self.follow_up());
        self.model.ids.clear();
        self.model.shares.clear();
        for event in &told {
            match event {
                Event::ChatOffered { offer, .. } | Event::TransferOffered { offer, .. } => {
                    self.model.ids.push_back(*offer);
                }
                Event::HistoryShared { share, .. } => self.model.shares.push_back(*share),
                _ => {}
            }
        }
        let expected = command.and_then(|c| self.model.handle(c).err());
        self.model.follow_up();
        for event in &told {
            count(coverage, event.kind());
        }
        if let (Some(command), Some(refusal)) = (command, &refused) {
            let field = refusal.field.as_deref().map(|f| format!(" {f}")).unwrap_or_default();
            count(coverage, &format!("{} {:?}{field}", script::name(&command.wish), refusal.code));
        }
        let code = refused.as_ref().map(|refusal| refusal.code);
        if code != expected {
            return Err(format!("refusal: engine {refused:?}, rules {expected:?}\n to {command:?}"));
        }
        if told != self.model.told {
            let rules = &self.model.told;
            let at = told.iter().zip(rules).take_while(|(engine, rules)| engine == rules).count();
            return Err(format!(
                "event {at} of {} and {}:\n engine {:?}\n rules  {:?}\n to {command:?}",
                told.len(),
                rules.len(),
                told.get(at),
                rules.get(at)
            ));
        }
        if let Some(broken) = &self.broken {
            return Err(broken.clone());
        }
        // Where nothing happened nothing has changed; looked at now and then all the same.
        if told.is_empty() && !self.steps.is_multiple_of(QUIET_LOOK_EVERY) {
            return Ok(());
        }
        self.compare()
    }

    pub fn act(&mut self, act: &Act, n: u32, coverage: &mut Coverage) -> Result<(), String> {
        match act {
            Act::Wait(millis) => self.wait(Millis(*millis), coverage),
            Act::Due(off) => {
                let Some((at, _)) = self.model.deadline() else { return Ok(()) };
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
                    self.reload()?;
                    self.now = self.now + *down;
                }
                self.step(Some(&command), coverage)
            }
        }
    }

    pub fn wait(&mut self, millis: Millis, coverage: &mut Coverage) -> Result<(), String> {
        let until = self.now + millis;
        while let Some((at, _)) = self.model.deadline().filter(|(at, _)| *at <= until) {
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
    pub fn reload(&mut self) -> Result<(), String> {
        let mut replayed = Engine::new();
        for (at, event) in &self.journal {
            replayed.apply(*at, event);
        }
        // Which empty lanes an index keeps hangs on its past; what they hold is looked at below.
        if replayed.restored() != self.engine.clone().restored() {
            return Err("replaying the journal gives another state".to_owned());
        }
        let snapshot = serde_json::to_vec(&self.engine).unwrap();
        let restored = serde_json::from_slice::<Engine>(&snapshot).unwrap().restored();
        if restored != self.engine.clone().restored() {
            return Err("a snapshot gives another state".to_owned());
        }
        if let Some(fault) = self.engine.index_fault() {
            return Err(fault);
        }
        self.engine = restored;
        Ok(())
    }

    /// When everybody works and time goes on, nobody waits for ever: every chat is served or leaves, unless no agent
    /// could ever have it.
    pub fn serve_everybody(&mut self, coverage: &mut Coverage) -> Result<(), String> {
        let mut n = 0;
        for _round in 0..400 {
            if self.model.chats.iter().all(|c| matches!(c.at, Where::Line) && !self.model.somebody_could(c)) {
                return Ok(());
            }
            let mut told = 0;
            for (by, wish) in script::diligence(&self.model) {
                n += 1;
                let id = format!("end{n}").parse().unwrap();
                self.step(Some(&Command { id, by, wish }), coverage)?;
                told += self.model.told.len();
            }
            if told > 0 {
                continue;
            }
            // Nobody can do anything now.
            let next = self.model.deadline().map_or(Millis::secs(1), |(at, _)| at.since(self.now));
            self.wait(next.min(Millis::secs(60)), coverage)?;
        }
        let forgotten = self.model.chats.iter().map(|c| (c.id, &c.at)).collect::<Vec<_>>();
        Err(format!("everybody works, and still there are {forgotten:?}"))
    }

    /// That events survive being written down; costly, so for the end of some scripts.
    pub fn journal_as_text(&self) -> Result<(), String> {
        for (_, event) in &self.journal {
            let text = serde_json::to_string(event).unwrap();
            if serde_json::from_str::<Event>(&text).ok().as_ref() != Some(event) {
                return Err(format!("does not come back from text: {text}"));
            }
        }
        Ok(())
    }

    // ---- what both show ---------------------------------------------------------------------------------------

    fn compare(&self) -> Result<(), String> {
        for id in &self.agents {
            same(&format!("agent {id}"), &seen_of_agent(&self.engine, id), &told_of_agent(&self.model, id))?;
        }
        for id in &self.queues {
            same(&format!("queue {id}"), &seen_of_queue(&self.engine, id), &told_of_queue(&self.model, id))?;
        }
        let mut rules: Vec<&naive::Chat> = self.model.chats.iter().collect();
        rules.sort_by_key(|c| c.id);
        let mut rules = rules.into_iter();
        for chat in self.engine.chats() {
            let expected = rules.next().map(told_of_chat);
            same("chat", &Some(seen_of_chat(chat)), &expected)?;
            let id = chat.id;
            same(&format!("position of {id}"), &self.engine.position(id), &self.model.position(id))?;
        }
        if let Some(missing) = rules.next() {
            return Err(format!("a chat is gone: {missing:?}"));
        }
        let engine = self.engine.next_deadline().map(|(at, due)| (at, seen_of_deadline(due)));
        same("deadline", &engine, &self.model.deadline())?;
        let blocked: BTreeSet<_> = self.model.blocked.iter().collect();
        same("blocked", &self.engine.blocked().collect(), &blocked)?;
        self.one_owner()?;
        if self.steps.is_multiple_of(REBUILD_EVERY)
            && let Some(fault) = self.engine.index_fault()
        {
            return Err(fault);
        }
        Ok(())
    }

    /// One owner per chat, and every inbox holds what is owned.
    fn one_owner(&self) -> Result<(), String> {
        let mut owned = BTreeMap::new();
        for (id, agent) in self.engine.agents() {
            for chat in &agent.inbox {
                if let Some(other) = owned.insert(*chat, id) {
                    return Err(format!("{chat} is owned by {other} and {id}"));
                }
            }
        }
        for chat in self.engine.chats() {
            let owner = match &chat.stage {
                Stage::Owned { agent, .. } => Some(agent),
                Stage::Waiting | Stage::Offered(_) | Stage::Form { .. } => None,
            };
            if owned.remove(&chat.id) != owner {
                return Err(format!("{} is not in its owner's inbox only", chat.id));
            }
        }
        if owned.is_empty() { Ok(()) } else { Err(format!("in an inbox, but gone: {owned:?}")) }
    }
}

fn count(coverage: &mut Coverage, what: &str) {
    match coverage.get_mut(what) {
        Some(times) => *times += 1,
        None => drop(coverage.insert(what.to_owned(), 1)),
    }
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, engine: &T, rules: &T) -> Result<(), String> {
    if engine == rules { Ok(()) } else { Err(format!("{what}:\n engine {engine:?}\n rules  {rules:?}")) }
}

/// What is seen of an agent.
#[derive(Debug, PartialEq)]
struct AgentView {
    status: tieline_model::live::Status,
    presence: tieline_model::command::Presence,
    wish: Option<tieline_model::command::Presence>,
    offered: Option<InteractionId>,
    active: Option<InteractionId>,
    inbox: Vec<InteractionId>,
    guest_at: Vec<InteractionId>,
    load: u32,
    calls: Vec<InteractionId>,
    sessions: Vec<tieline_model::SessionId>,
    idle: i64,
    channels: BTreeSet<Channel>,
    queues: Option<BTreeSet<QueueId>>,
    gone: Option<(Timestamp, Timestamp)>,
    today: naive::Day,
    recent: Vec<(InteractionId, Outcome, bool, bool)>,
}

fn seen_of_agent(engine: &Engine, id: &AgentId) -> AgentView {
    let nobody = tieline_engine::Agent::default();
    let agent = engine.agent(id).unwrap_or(&nobody);
    let today = &agent.today;
    AgentView {
        status: engine.status(id),
        presence: agent.presence.clone(),
        wish: agent.wish.clone(),
        offered: agent.offered,
        active: agent.active,
        inbox: engine.inbox(id).map(|c| c.id).collect(),
        guest_at: agent.guest_at.keys().copied().collect(),
        load: engine.load(id),
        calls: agent.calls.iter().copied().collect(),
        sessions: agent.sessions.iter().copied().collect(),
        idle: agent.idle_since.0,
        channels: agent.channels.clone(),
        queues: agent.queues.clone(),
        gone: agent.gone.map(|gone| (gone.grace, gone.lost)),
        recent: engine.recent_logs(id).map(|(id, c)| (id, c.outcome, c.not_classified, c.unseen)).collect(),
        today: naive::Day {
            chats: today.chats,
            calls: today.calls,
            rejected: today.rejected,
            missed: today.missed,
            transferred: today.transferred,
            replies: today.replies,
            replies_in_time: today.replies_in_time,
            wrap_up: today.wrap_up,
            wrap_ups: today.wrap_ups,
        },
    }
}

fn told_of_agent(model: &Naive, id: &AgentId) -> AgentView {
    let nobody = naive::Agent::new(id.clone());
    let agent = model.agent(id).unwrap_or(&nobody);
    let mut sessions = agent.sessions.clone();
    sessions.sort();
    AgentView {
        status: model.status(id),
        presence: agent.presence.clone(),
        wish: agent.wish.clone(),
        offered: model.offered(id).map(|c| c.id),
        active: model.active(id).map(|c| c.id),
        inbox: model.inbox(id).iter().map(|c| c.id).collect(),
        guest_at: model.guest_at(id),
        load: model.load(id),
        calls: model.calls_at(id),
        sessions,
        idle: agent.idle.0,
        channels: agent.channels.clone(),
        queues: agent.queues.clone(),
        gone: agent.gone,
        recent: model.recent(id).iter().map(|s| (s.id, s.outcome, s.not_classified, s.unseen)).collect(),
        today: agent.today,
    }
}

/// What is seen of a queue.
#[derive(Debug, PartialEq)]
struct QueueView {
    line: Vec<InteractionId>,
    open: bool,
    staff: u32,
    figures: naive::Figures,
}

fn seen_of_queue(engine: &Engine, id: &QueueId) -> QueueView {
    let figures = engine.figures(id);
    let today = figures.today;
    QueueView {
        line: engine.queue_waiting(id),
        open: engine.queue_open(id),
        staff: engine.staff(id),
        figures: naive::Figures {
            taken_at: figures.taken_at,
            pace: figures.pace,
            came: today.came,
            answered: today.answered,
            in_time: today.connected_in_time,
            abandoned: today.abandoned,
            overflowed: today.overflowed,
        },
    }
}

fn told_of_queue(model: &Naive, id: &QueueId) -> QueueView {
    QueueView {
        line: model.line(id),
        open: model.policy.queues.get(id).is_some_and(|rules| model.is_open(rules)),
        staff: model.staff(id),
        figures: model.figures_of(id),
    }
}

/// What is seen of a chat.
#[derive(Debug, PartialEq)]
struct ChatView<'a> {
    id: InteractionId,
    channel: Channel,
    queue: Option<&'a QueueId>,
    at: AtView<'a>,
    unanswered: Option<Timestamp>,
    codes: &'a [String],
    offers: u32,
    ahead: bool,
    relaxed: u8,
    declined: BTreeSet<(&'a AgentId, Timestamp)>,
    transfer: Option<(OfferId, &'a AgentId, Timestamp, bool)>,
    guests: BTreeSet<(&'a AgentId, Guest)>,
    silence: Option<(bool, Option<Timestamp>)>,
    suggested: &'a BTreeSet<Suggestion>,
    case_opened: bool,
    service: Service,
    last_fate: Option<(OfferId, naive::Fate)>,
}

#[derive(Debug, PartialEq)]
enum AtView<'a> {
    Line,
    Offer(OfferId, &'a AgentId, Timestamp),
    Form(Timestamp),
    Open(&'a AgentId, Place, Option<Timestamp>),
    WrapUp(&'a AgentId, Place, Clock, Clock, bool, u32),
}

fn seen_of_chat(chat: &tieline_engine::Chat) -> ChatView<'_> {
    let clock = |clock: &WrapClock| match clock {
        WrapClock::Unlimited => Clock::None,
        WrapClock::Running { deadline } => Clock::Runs(*deadline),
        WrapClock::Stopped { left } => Clock::Stands(*left),
    };
    let fate = |fate: &OfferFate| match fate {
        OfferFate::Accepted => naive::Fate::Accepted,
        OfferFate::Rejected => naive::Fate::Rejected,
        OfferFate::Missed => naive::Fate::Missed,
        OfferFate::Withdrawn => naive::Fate::Withdrawn,
        OfferFate::Kept { failed } => naive::Fate::Kept(*failed),
    };
    let at = match &chat.stage {
        Stage::Waiting => AtView::Line,
        Stage::Offered(offer) => AtView::Offer(offer.id, &offer.agent, offer.deadline),
        Stage::Form { deadline } => AtView::Form(*deadline),
        Stage::Owned { agent, place, talk: Talk::Open { unopened_deadline, .. } } => {
            AtView::Open(agent, *place, *unopened_deadline)
        }
        Stage::Owned { agent, place, talk: Talk::WrapUp { seen, clock: c, max, extensions_left, .. } } => {
            AtView::WrapUp(agent, *place, clock(c), clock(max), *seen, *extensions_left)
        }
    };
    let transfer = chat.transfer.as_ref();
    ChatView {
        id: chat.id,
        channel: chat.channel,
        queue: chat.queue.as_ref(),
        at,
        unanswered: chat.unanswered_since,
        codes: &chat.codes,
        offers: chat.version,
        ahead: chat.ahead,
        relaxed: chat.relaxed,
        declined: chat.declined.iter().map(|(who, until)| (who, *until)).collect(),
        transfer: transfer.map(|t| (t.offer.id, &t.offer.agent, t.offer.deadline, t.warm)),
        guests: chat.guests.iter().map(|(who, guest)| (who, *guest)).collect(),
        silence: chat.silence.map(|s| (s.nudged, s.deadline)),
        suggested: &chat.suggested,
        case_opened: chat.case_opened,
        service: chat.service,
        last_fate: chat.past_offers.back().map(|(id, _, f)| (*id, fate(f))),
    }
}

fn told_of_chat(chat: &naive::Chat) -> ChatView<'_> {
    let at = match &chat.at {
        Where::Line => AtView::Line,
        Where::Offer(offer) => AtView::Offer(offer.id, &offer.to, offer.until),
        Where::Form(until) => AtView::Form(*until),
        Where::Inbox(Item { of, place, wrap: None, unopened, .. }) => AtView::Open(of, *place, *unopened),
        Where::Inbox(Item { of, place, wrap: Some(wrap), .. }) => {
            AtView::WrapUp(of, *place, wrap.clock, wrap.max, wrap.seen, wrap.extensions)
        }
    };
    let transfer = chat.transfer.as_ref();
    ChatView {
        id: chat.id,
        channel: chat.channel,
        queue: chat.queue.as_ref(),
        at,
        unanswered: chat.unanswered,
        codes: &chat.codes,
        offers: chat.offers,
        ahead: chat.ahead,
        relaxed: chat.relaxed,
        declined: chat.declined.iter().map(|(who, until)| (who, *until)).collect(),
        transfer: transfer.map(|t| (t.offer.id, &t.offer.to, t.offer.until, t.warm)),
        guests: chat.guests.iter().map(|(who, guest)| (who, *guest)).collect(),
        silence: chat.silence.map(|s| (s.nudged, s.until)),
        suggested: &chat.suggested,
        case_opened: chat.case_opened,
        service: chat.service,
        last_fate: chat.past.last().map(|(id, _, fate)| (*id, *fate)),
    }
}

fn seen_of_deadline(deadline: Deadline) -> Due {
    match deadline {
        Deadline::Offer(id) => Due::Offer(id),
        Deadline::Unopened(id) => Due::Unopened(id),
        Deadline::WrapUp(id) => Due::WrapUp(id),
        Deadline::Maximum(id) => Due::Maximum(id),
        Deadline::Silence(id) => Due::Silence(id),
        Deadline::Escalate(id) => Due::Escalate(id),
        Deadline::Update(id) => Due::Update(id),
        Deadline::Relax(id) => Due::Relax(id),
        Deadline::Waited(id) => Due::Waited(id),
        Deadline::Decliner(id) => Due::Decliner(id),
        Deadline::Form(id) => Due::Form(id),
        Deadline::Grace(agent) => Due::Grace(agent),
        Deadline::Lost(agent) => Due::Lost(agent),
        Deadline::Hours(schedule) => Due::Hours(schedule),
        Deadline::CallUnended(id) => Due::CallUnended(id),
    }
}
