//! A small contact centre on paper: agents, customers and calls act, time passes, and what happened is read as text.

use std::collections::{BTreeMap, BTreeSet};
use tieline_engine::{Chat, Engine, Stage};
use tieline_model::command::Presence;
use tieline_model::content::ContentRef;
use tieline_model::crm::{ConnectionInfo, Direction, LogState, Record};
use tieline_model::explain::Standing;
use tieline_model::live::Status;
use tieline_model::policy::{AgentPolicy, Delivery, QueuePolicy, TenantPolicy};
use tieline_model::{
    Actor, AgentId, CallFact, CallId, Code, Command, CommandId, ConnectionId, ContentId, ConversationId,
    Event, InteractionId, Millis, OfferId, QueueId, Refusal, SessionId, Timestamp, Wish,
};
use uuid::Uuid;

/// Where scripts begin: far from zero, so that a forgotten "now" shows.
const START: i64 = 1_700_000_000_000;

pub fn agent(name: &str) -> AgentId {
    AgentId::new(name).unwrap()
}

pub fn queue(name: &str) -> QueueId {
    QueueId::new(name).unwrap()
}

pub fn chat(n: u128) -> InteractionId {
    InteractionId(Uuid::from_u128(n))
}

pub fn on_break(reason: &str) -> Presence {
    Presence::OnBreak { reason: reason.to_owned() }
}

pub fn text(chars: u32) -> ContentRef {
    ContentRef { id: ContentId(Uuid::from_u128(9)), chars, bytes: chars }
}

fn conversation(n: u128) -> ConversationId {
    ConversationId(Uuid::from_u128(1_000 + n))
}

#[derive(Clone)]
pub struct Centre {
    pub engine: Engine,
    pub now: Timestamp,
    lines: Vec<String>,
    /// What calls are called in the script.
    names: BTreeMap<InteractionId, String>,
    commands: u32,
    expecting: Option<Option<Refusal>>,
    /// The indexes are made anew and compared after each event.
    pub watched: bool,
}

impl Centre {
    /// Anna and Ben serve the queue "support"; both are Available, Anna for longer.
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    /// The same, with settings of one's own.
    pub fn with(change: impl FnOnce(&mut TenantPolicy)) -> Self {
        let mut c = Self::closed(change);
        for name in ["anna", "ben"] {
            c.agent(name).connects();
            c.agent(name).goes(Presence::Available);
            c.after(1);
        }
        c.happened();
        c
    }

    /// Before anybody came to work.
    pub fn closed(change: impl FnOnce(&mut TenantPolicy)) -> Self {
        let mut policy = TenantPolicy::default();
        policy.queues.insert(queue("support"), QueuePolicy::named("Support"));
        for name in ["anna", "ben"] {
            policy.agents.insert(agent(name), serving(&["support"]));
        }
        policy.break_reasons = vec!["lunch".to_owned()];
        policy.connections = vec![ConnectionInfo {
            id: ConnectionId::new("crm").unwrap(),
            vendor: "salesforce".to_owned(),
            name: "CRM".to_owned(),
        }];
        change(&mut policy);
        let engine = Engine::new();
        let mut c = Self {
            engine,
            now: Timestamp(START),
            lines: Vec::new(),
            names: BTreeMap::new(),
            commands: 0,
            expecting: None,
            watched: true,
        };
        c.apply(&[Event::TenantOpened { seed: 7 }]);
        c.configures(policy);
        c.happened();
        c
    }

    pub fn agent(&mut self, name: &str) -> By<'_> {
        By { by: Actor::Agent { agent: agent(name) }, centre: self, n: 0 }
    }

    pub fn anna(&mut self) -> By<'_> {
        self.agent("anna")
    }

    pub fn ben(&mut self) -> By<'_> {
        self.agent("ben")
    }

    /// The customer of chat `n`.
    pub fn customer(&mut self, n: u128) -> By<'_> {
        By { by: Actor::Customer { conversation: conversation(n) }, centre: self, n }
    }

    pub fn call<'a>(&'a mut self, name: &'a str) -> Phone<'a> {
        Phone { centre: self, name, id: name.bytes().fold(50_000, |n, b| n * 31 + u128::from(b)) }
    }

    /// The id that the call has here.
    pub fn call_id(&mut self, name: &str) -> InteractionId {
        InteractionId(Uuid::from_u128(self.call(name).id))
    }

    /// The CRM says where a log stands.
    pub fn delivered(&mut self, interaction: InteractionId, state: LogState) {
        let connection = ConnectionId::new("crm").unwrap();
        let by = Actor::Connection { connection: connection.clone() };
        self.does(by, Wish::ReportDelivery { interaction, connection, state });
    }

    pub fn configures(&mut self, policy: TenantPolicy) {
        self.does(Actor::Daemon, Wish::Configure { policy: Box::new(policy) });
    }

    pub fn policy(&self) -> TenantPolicy {
        self.engine.policy().clone()
    }

    /// The daemon is about to stop. Its owner hands out nothing more, so no routing follows.
    pub fn drains(&mut self) {
        self.commands += 1;
        let id = CommandId::new(format!("m{}", self.commands)).unwrap();
        let command = Command { id, by: Actor::Daemon, wish: Wish::Drain };
        let events = self.engine.decide(self.now, &command).unwrap();
        self.apply(&events);
    }

    /// The daemon was down for so long.
    pub fn restarts_after(&mut self, secs: u64) {
        let body = serde_json::to_vec(&self.engine).unwrap();
        self.engine = serde_json::from_slice::<Engine>(&body).unwrap().restored();
        let down = Millis::secs(secs);
        self.now = self.now + down;
        self.does(Actor::Daemon, Wish::Resume { down });
    }

    /// Time passes, and every timer fires at its moment.
    pub fn after(&mut self, secs: u64) {
        self.after_ms(secs * 1_000);
    }

    pub fn after_ms(&mut self, millis: u64) {
        let until = self.now + Millis(millis);
        while let Some((at, _)) = self.engine.next_deadline().filter(|(at, _)| *at <= until) {
            self.now = self.now.max(at);
            let events = self.engine.expire(self.now);
            assert!(!events.is_empty(), "a deadline came and nothing happened");
            self.settle(&events);
        }
        self.now = until;
    }

    /// Time passes, but timers have not been looked at yet.
    pub fn late_by(&mut self, secs: u64) {
        self.now = self.now + Millis::secs(secs);
    }

    /// What happened since the last look.
    pub fn happened(&mut self) -> Vec<String> {
        std::mem::take(&mut self.lines)
    }

    pub fn status(&self, name: &str) -> Status {
        self.engine.status(&agent(name))
    }

    pub fn presence(&self, name: &str) -> Presence {
        self.engine.agent(&agent(name)).map(|a| a.presence.clone()).unwrap_or_default()
    }

    pub fn seen(&self, n: u128) -> &Chat {
        self.engine.chat(chat(n)).expect("the chat is open")
    }

    /// The latest offer made to an agent.
    pub fn offer(&self, name: &str) -> OfferId {
        let id = self.engine.agent(&agent(name)).and_then(|a| a.offered).expect("something is offered");
        let chat = self.engine.chat(id).expect("an offered chat is open");
        match (&chat.stage, &chat.transfer) {
            (tieline_engine::Stage::Offered(offer), _) => offer.id,
            (_, Some(transfer)) => transfer.offer.id,
            (other, None) => panic!("offered, but {other:?}"),
        }
    }

    pub fn does(&mut self, by: Actor, wish: Wish) {
        self.commands += 1;
        let id = CommandId::new(format!("m{}", self.commands)).unwrap();
        let answer = self.engine.decide(self.now, &Command { id, by, wish });
        match (answer, &mut self.expecting) {
            (Ok(events), None) => self.settle(&events),
            (Ok(events), Some(_)) => panic!("should have been refused, but led to {events:?}"),
            (Err(refusal), Some(slot)) => *slot = Some(refusal),
            (Err(refusal), None) => panic!("refused: {refusal:?}"),
        }
    }

    /// Whatever the answer is.
    pub fn tries(&mut self, by: Actor, wish: Wish) {
        self.commands += 1;
        let id = CommandId::new(format!("m{}", self.commands)).unwrap();
        if let Ok(events) = self.engine.decide(self.now, &Command { id, by, wish }) {
            self.settle(&events);
        }
    }

    fn settle(&mut self, events: &[Event]) {
        self.apply(events);
        loop {
            let follows = self.engine.route(self.now);
            if follows.is_empty() {
                self.nobody_is_forgotten();
                return;
            }
            self.apply(&follows);
        }
    }

    /// A chat that still waits has something against everybody (A11, A16).
    fn nobody_is_forgotten(&self) {
        for chat in self.engine.chats().filter(|chat| chat.stage == Stage::Waiting) {
            let Some(explanation) = self.engine.explain(self.now, chat.id) else { panic!("{:?}", chat.id) };
            let Standing::Waiting(waits) = explanation.standing else { panic!("{:?} waits", chat.id) };
            let free = waits.considered.iter().find(|agent| agent.ruled_out.is_none());
            assert!(waits.delivery == Delivery::Pull || free.is_none(), "{:?} and {free:?}", chat.id);
        }
    }

    fn apply(&mut self, events: &[Event]) {
        for event in events {
            self.engine.apply(self.now, event);
            if self.watched {
                assert_eq!(self.engine.index_fault(), None, "after {event:?}");
            }
            let line = self.told(event);
            self.lines.push(line);
        }
    }

    fn told(&self, event: &Event) -> String {
        let id =
            |i: &InteractionId| self.names.get(i).cloned().unwrap_or_else(|| format!("#{}", i.0.as_u128()));
        let at = |t: &Timestamp| format!("{}", t.since(self.now).0);
        let until = |t: &Option<Timestamp>| t.as_ref().map_or("no limit".to_owned(), at);
        let ms = |m: &Option<Millis>| m.map_or("none".to_owned(), |m| m.0.to_string());
        match event {
            Event::TenantOpened { .. } => "opened".to_owned(),
            Event::Configured { .. } => "configured".to_owned(),
            Event::Resumed { down } => format!("resumed after {}", down.0),
            Event::AgentConnected { agent, .. } => format!("{agent} connected"),
            Event::AgentDisconnected { agent, .. } => format!("{agent} disconnected"),
            Event::PresenceChanged { agent, presence, why } => format!("{agent} is {presence:?} ({why:?})"),
            Event::PresenceWished { agent, presence } => format!("{agent} wishes {presence:?}"),
            Event::ChatStarted { interaction, queue, .. } => {
                format!("{} started in {queue}", id(interaction))
            }
            Event::ChatOffered { interaction, agent, version, deadline, .. } => {
                format!("{} offered to {agent}, v{version}, for {}", id(interaction), at(deadline))
            }
            Event::OfferAccepted { interaction, agent, .. } => {
                format!("{} accepted by {agent}", id(interaction))
            }
            Event::OfferRejected { interaction, agent, .. } => {
                format!("{} rejected by {agent}", id(interaction))
            }
            Event::OfferMissed { interaction, agent, .. } => format!("{} missed by {agent}", id(interaction)),
            Event::OfferWithdrawn { interaction, agent, why, .. } => {
                format!("{} withdrawn from {agent} ({why:?})", id(interaction))
            }
            Event::ChatAssigned { interaction, agent, how, deadline } => {
                format!("{} assigned to {agent} ({how:?}), for {}", id(interaction), until(deadline))
            }
            Event::ChatReturned { interaction, agent, why } => {
                format!("{} returned from {agent} ({why:?})", id(interaction))
            }
            Event::ItemActivated { interaction, agent, wrap_up_deadline } => {
                format!("{} activated by {agent}, wrap-up {}", id(interaction), until(wrap_up_deadline))
            }
            Event::ItemParked { interaction, agent, by, wrap_up_left } => {
                format!("{} parked for {agent} by {by:?}, left {}", id(interaction), ms(wrap_up_left))
            }
            Event::MessageSent { interaction, message, from, .. } => {
                format!("{} {message} from {from:?}", id(interaction))
            }
            Event::ChatEnded { interaction, by } => format!("{} ended by {by:?}", id(interaction)),
            Event::EndSeen { interaction } => format!("{} end seen", id(interaction)),
            Event::WrapUpStarted { interaction, agent, deadline, time } => {
                format!("{} wrap-up of {agent}, runs {}, has {}", id(interaction), until(deadline), ms(time))
            }
            Event::WrapUpExtended { interaction, deadline, time_left, extensions_left } => format!(
                "{} extended, runs {}, left {}, {extensions_left} more",
                id(interaction),
                until(deadline),
                ms(time_left)
            ),
            Event::WrapUpCompleted { interaction, by, not_classified, unseen, .. } => format!(
                "{} completed by {by:?}{}{}",
                id(interaction),
                if *not_classified { ", not classified" } else { "" },
                if *unseen { ", unseen" } else { "" }
            ),
            Event::Classified { interaction, codes, .. } => {
                format!("{} classified {codes:?}", id(interaction))
            }
            Event::InteractionClosed { interaction, outcome, log, .. } => {
                format!("{} closed {outcome:?}, log {log}", id(interaction))
            }
            Event::CallRang { call, agents, withheld, direction, .. } => {
                let way = if *direction == Direction::Outbound { ", outbound" } else { "" };
                format!("{call} rang at {agents:?}{}{way}", if *withheld { ", withheld" } else { "" })
            }
            Event::CallDialled { call, agent, .. } => format!("{call} dialled by {agent}"),
            Event::RecordingReady { call, log, .. } => format!("{call} recorded, log {log}"),
            Event::CallAnswered { call, agent, .. } => format!("{call} answered by {agent}"),
            Event::CallHeld { call, .. } => format!("{call} held"),
            Event::CallResumed { call, .. } => format!("{call} resumed"),
            Event::CallTransferred { call, from, to, .. } => {
                format!("{call} transferred from {from} to {to}")
            }
            Event::CallEnded { call, outcome, presumed, .. } => {
                format!("{call} ended {outcome:?}{}", if *presumed { ", presumed" } else { "" })
            }
            Event::LookedUp { interaction, connection, .. } => {
                format!("{} looked up in {connection}", id(interaction))
            }
            Event::ContactChosen { interaction, connection, .. } => {
                format!("{} contact chosen in {connection}", id(interaction))
            }
            Event::DeliveryReported { interaction, connection, .. } => {
                format!("{} delivery to {connection}", id(interaction))
            }
            Event::HoursSet { .. } => "hours set".to_owned(),
            Event::HoursTurned { schedule, open, next } => {
                format!("{schedule} {}, turns {}", if *open { "open" } else { "closed" }, until(next))
            }
            Event::DayBegan { day } => format!("day {day}"),
            Event::AvailabilityChanged { agent, channels, queues } => {
                format!("{agent} available on {channels:?} for {queues:?}")
            }
            Event::NeedsRelaxed { interaction, steps } => format!("{} relaxed by {steps}", id(interaction)),
            Event::DeclineForgotten { interaction, agent } => {
                format!("{} may go to {agent} again", id(interaction))
            }
            Event::ChatOverflowed { interaction, from, to, why, .. } => {
                let to = to.as_ref().map_or("the offline form", |queue| queue.as_str());
                format!("{} overflowed from {from} to {to} ({why:?})", id(interaction))
            }
            Event::ChatTransferred { interaction, agent, to, .. } => {
                format!("{} transferred by {agent} to {to}", id(interaction))
            }
            Event::TransferOffered { interaction, from, to, deadline, warm, .. } => {
                let warm = if *warm { ", warm" } else { "" };
                format!("{} transfer offered by {from} to {to}{warm}, for {}", id(interaction), at(deadline))
            }
            Event::TransferAccepted { interaction, from, to, warm, .. } => {
                let warm = if *warm { ", warm" } else { "" };
                format!("{} transfer from {from} accepted by {to}{warm}", id(interaction))
            }
            Event::TransferFailed { interaction, to, failed, .. } => {
                format!("{} transfer to {to} failed ({failed:?})", id(interaction))
            }
            Event::HandedOver { interaction, from, to } => {
                format!("{} handed over by {from} to {to}", id(interaction))
            }
            Event::GuestJoined { interaction, agent, guest } => {
                format!("{} joined by {agent} ({guest:?})", id(interaction))
            }
            Event::GuestLeft { interaction, agent } => format!("{} left by {agent}", id(interaction)),
            Event::Whispered { interaction, message, agent, .. } => {
                format!("{} {message} whispered by {agent}", id(interaction))
            }
            Event::NoticeSent { interaction, notice, agent, .. } => {
                let by = agent.as_ref().map_or(String::new(), |agent| format!(" by {agent}"));
                format!("{} notice {notice:?}{by}", id(interaction))
            }
            Event::FileSent { interaction, message, from, media_type, .. } => {
                format!("{} {message} {media_type} from {from:?}", id(interaction))
            }
            Event::Suggested { interaction, suggestion } => {
                format!("{} suggested {suggestion:?}", id(interaction))
            }
            Event::HistoryShared { interaction, agent, expires_at, .. } => {
                format!("{} shared by {agent}, for {}", id(interaction), at(expires_at))
            }
            Event::ChatReopened { interaction, agent } => {
                format!("{} reopened with {agent}", id(interaction))
            }
            Event::CaseOpened { interaction, agent, .. } => {
                format!("{} case opened by {agent}", id(interaction))
            }
            Event::AbuseFlagged { interaction, agent, blocked, .. } => {
                format!("{} flagged by {agent}, blocked {blocked:?}", id(interaction))
            }
            Event::ScriptFilled { interaction, agent, .. } => {
                format!("{} script filled by {agent}", id(interaction))
            }
            Event::SupervisorActed { supervisor, agent, reason, .. } => {
                let whom = agent.as_ref().map_or(String::new(), |agent| format!(" on {agent}"));
                format!("{supervisor} acted{whom}: {reason}")
            }
        }
    }
}

/// An agent, standing in the settings.
pub fn serving(queues: &[&str]) -> AgentPolicy {
    AgentPolicy {
        name: "Shown Name".to_owned(),
        queues: queues.iter().map(|q| queue(q)).collect::<BTreeSet<_>>(),
        extension: None,
        may_reject: true,
        supervisor: false,
        chat_capacity: 3,
        crm_users: std::collections::BTreeMap::new(),
        skills: Default::default(),
    }
}

/// The policy of the queue every script has.
pub fn support(policy: &mut TenantPolicy) -> &mut QueuePolicy {
    policy.queues.get_mut(&queue("support")).unwrap()
}

/// The policy of an agent.
pub fn of<'a>(policy: &'a mut TenantPolicy, name: &str) -> &'a mut AgentPolicy {
    policy.agents.get_mut(&agent(name)).unwrap()
}

/// Somebody about to act.
pub struct By<'a> {
    centre: &'a mut Centre,
    by: Actor,
    n: u128,
}

impl By<'_> {
    /// The act must be refused with this code, and must change nothing.
    pub fn cannot(self, code: Code, act: impl FnOnce(By<'_>)) -> Refusal {
        let before = self.centre.engine.clone();
        self.centre.expecting = Some(None);
        act(By { centre: self.centre, by: self.by.clone(), n: self.n });
        let refusal = self.centre.expecting.take().flatten().expect("refused");
        assert_eq!(self.centre.engine, before, "a refusal changes nothing");
        assert_eq!(refusal.code, code, "{refusal:?}");
        refusal
    }

    fn name(&self) -> String {
        match &self.by {
            Actor::Agent { agent } => agent.to_string(),
            other => panic!("{other:?} has no name"),
        }
    }

    /// Wishes for what has no words of its own here.
    pub fn wishes(self, wish: Wish) {
        self.centre.does(self.by, wish);
    }

    pub fn connects(self) {
        let session = SessionId(Uuid::from_u128(self.name().len() as u128));
        self.wishes(Wish::Connect { session });
    }

    pub fn disconnects(self) {
        let (session, agent) = (SessionId(Uuid::from_u128(self.name().len() as u128)), agent(&self.name()));
        self.wishes(Wish::Disconnect { agent, session });
    }

    pub fn goes(self, presence: Presence) {
        self.wishes(Wish::SetPresence { presence, confirmed: false });
    }

    pub fn goes_offline_for_sure(self) {
        self.wishes(Wish::SetPresence { presence: Presence::Offline, confirmed: true });
    }

    /// A customer asks for a chat, in the queue "support".
    pub fn starts(self) {
        self.starts_in("support");
    }

    pub fn starts_in(self, name: &str) {
        let start = self.start_of(name);
        self.wishes(start);
    }

    /// The wish for a chat in a queue.
    pub fn start_of(&self, name: &str) -> Wish {
        Wish::StartChat {
            interaction: chat(self.n),
            conversation: conversation(self.n),
            queue: queue(name),
            person: ContentRef { id: ContentId(Uuid::from_u128(2_000 + self.n)), chars: 0, bytes: 0 },
            skills: Default::default(),
            marks: Default::default(),
            previous: None,
        }
    }

    pub fn accepts(self) {
        let offer = self.centre.offer(&self.name());
        self.accepts_offer(offer);
    }

    pub fn accepts_offer(self, offer: OfferId) {
        self.wishes(Wish::AcceptOffer { offer });
    }

    pub fn rejects(self) {
        let offer = self.centre.offer(&self.name());
        self.rejects_offer(offer);
    }

    pub fn rejects_offer(self, offer: OfferId) {
        self.wishes(Wish::RejectOffer { offer });
    }

    pub fn takes(self, n: u128) {
        self.wishes(Wish::TakeChat { interaction: chat(n) });
    }

    pub fn activates(self, n: u128) {
        self.wishes(Wish::Activate { interaction: chat(n) });
    }

    pub fn parks(self, n: u128) {
        self.wishes(Wish::Park { interaction: chat(n) });
    }

    pub fn writes(self, n: u128, chars: u32) {
        self.wishes(Wish::SendMessage { interaction: chat(n), text: text(chars) });
    }

    pub fn ends(self, n: u128) {
        self.wishes(Wish::EndChat { interaction: chat(n) });
    }

    pub fn sees_end(self, n: u128) {
        self.wishes(Wish::SeeEnd { interaction: chat(n) });
    }

    pub fn extends(self, n: u128) {
        self.wishes(Wish::ExtendWrapUp { interaction: chat(n) });
    }

    pub fn completes(self, n: u128) {
        self.wishes(Wish::CompleteWrapUp { interaction: chat(n) });
    }

    /// Says who was on the phone.
    pub fn chooses(self, id: InteractionId, contact: Option<&str>) {
        let connection = ConnectionId::new("crm").unwrap();
        let contact = contact.map(|id| Record { object: "Contact".to_owned(), id: id.parse().unwrap() });
        self.wishes(Wish::ChooseContact { interaction: id, connection, contact });
    }

    pub fn classifies(self, n: u128, codes: &[&str], remarks: Option<ContentRef>) {
        let codes = codes.iter().map(|c| (*c).to_owned()).collect();
        self.wishes(Wish::Classify { interaction: chat(n), codes, remarks });
    }
}

/// A call about to be reported.
pub struct Phone<'a> {
    centre: &'a mut Centre,
    name: &'a str,
    id: u128,
}

impl Phone<'_> {
    pub fn rings_at(self, agents: &[&str]) {
        self.rings(agents, false);
    }

    pub fn rings_withheld_at(self, agents: &[&str]) {
        self.rings(agents, true);
    }

    fn rings(self, agents: &[&str], withheld: bool) {
        let agents = agents.iter().map(|a| (*a).to_owned()).collect();
        let numbers = ContentRef { id: ContentId(Uuid::from_u128(self.id)), chars: 0, bytes: 0 };
        let direction = Direction::Inbound;
        self.reports(CallFact::Ringing { agents, queue: None, numbers, withheld, direction });
    }

    pub fn dialled_by(self, agent: &str) {
        let numbers = ContentRef { id: ContentId(Uuid::from_u128(self.id)), chars: 0, bytes: 0 };
        self.reports(CallFact::Dialled { agent: agent.to_owned(), queue: None, numbers });
    }

    /// The recording that has this number can be heard.
    pub fn recorded_as(self, n: u128) {
        let recording = ContentRef { id: ContentId(Uuid::from_u128(n)), chars: 0, bytes: 0 };
        self.reports(CallFact::RecordingReady { recording });
    }

    pub fn answered_by(self, agent: &str) {
        self.reports(CallFact::Answered { agent: agent.to_owned() });
    }

    pub fn held(self) {
        self.reports(CallFact::Held);
    }

    pub fn resumed(self) {
        self.reports(CallFact::Resumed);
    }

    pub fn transferred_to(self, agent: &str) {
        self.reports(CallFact::Transferred { to: agent.to_owned() });
    }

    pub fn ends(self) {
        self.reports(CallFact::Ended);
    }

    /// As for an agent's act.
    pub fn cannot(self, code: Code, act: impl FnOnce(Phone<'_>)) -> Refusal {
        let before = self.centre.engine.clone();
        self.centre.expecting = Some(None);
        act(Phone { centre: self.centre, name: self.name, id: self.id });
        let refusal = self.centre.expecting.take().flatten().expect("refused");
        assert_eq!(self.centre.engine, before, "a refusal changes nothing");
        assert_eq!(refusal.code, code, "{refusal:?}");
        refusal
    }

    fn reports(self, fact: CallFact) {
        let call = CallId::new(self.name).unwrap();
        let (interaction, conversation) =
            (InteractionId(Uuid::from_u128(self.id)), ConversationId(Uuid::from_u128(self.id)));
        let by = Actor::Producer { name: "/pbx".to_owned() };
        self.centre.names.insert(interaction, self.name.to_owned());
        self.centre.does(by, Wish::ReportCall { call, interaction, conversation, fact });
    }
}
