//! The rule book, written down a second time and as plainly as can be: lists, linear scans, no index, nothing kept
//! that can be counted. Shares with the engine only the nouns. What is here is what everything else looks at; one file
//! per group of rules stands beside it.

mod calls;
mod conversation;
mod hours;
mod inbox;
mod line;
mod offers;
mod people;
mod wrap_up;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use tieline_model::command::{Open, Presence};
use tieline_model::content::ContentRef;
use tieline_model::crm::{Channel, LogState, Outcome, Record};
use tieline_model::event::{CompletedBy, Guest, ParkedBy, Service, Suggestion, TransferFailed, WithdrawnWhy};
use tieline_model::live::{Place, Status};
use tieline_model::policy::{Classification, QueuePolicy, TenantPolicy, WrapUp};
use tieline_model::{
    Actor, AgentId, CallId, Code, Command, ConnectionId, ConversationId, Event, InteractionId, Mark, Millis,
    OfferId, QueueId, ScheduleId, SessionId, ShareId, SkillId, Timestamp, Wish,
};

pub type Answer = Result<(), Code>;

/// What an agent did today.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Day {
    pub chats: u32,
    pub calls: u32,
    pub rejected: u32,
    pub missed: u32,
    pub transferred: u32,
    pub replies: u32,
    pub replies_in_time: u32,
    pub wrap_up: Millis,
    pub wrap_ups: u32,
}

/// What a queue did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Figures {
    pub taken_at: Option<Timestamp>,
    pub pace: Option<Millis>,
    pub came: u32,
    pub answered: u32,
    pub in_time: u32,
    pub abandoned: u32,
    pub overflowed: u32,
}

#[derive(Debug)]
pub struct Agent {
    pub id: AgentId,
    pub presence: Presence,
    pub wish: Option<Presence>,
    pub sessions: Vec<SessionId>,
    /// No new work since.
    pub idle: Timestamp,
    /// What calls that are not over have parked, the latest last.
    pub call_parked: Vec<InteractionId>,
    pub channels: BTreeSet<Channel>,
    pub queues: Option<BTreeSet<QueueId>>,
    /// The last panel is gone: when offers are withdrawn, and when the agent is lost.
    pub gone: Option<(Timestamp, Timestamp)>,
    pub today: Day,
}

impl Agent {
    pub fn new(id: AgentId) -> Self {
        Self {
            id,
            presence: Presence::Offline,
            wish: None,
            sessions: Vec::new(),
            idle: Timestamp::default(),
            call_parked: Vec::new(),
            channels: BTreeSet::from([Channel::Chat, Channel::Call]),
            queues: None,
            gone: None,
            today: Day::default(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Accepted,
    Rejected,
    Missed,
    Withdrawn,
    /// Of a transfer that came to nothing; the sender kept the chat.
    Kept(TransferFailed),
}

#[derive(Debug, Clone)]
pub struct Offer {
    pub id: OfferId,
    pub to: AgentId,
    pub made: Timestamp,
    pub until: Timestamp,
}

#[derive(Debug)]
pub enum Where {
    Line,
    Offer(Offer),
    Inbox(Item),
    /// At the offline form.
    Form(Timestamp),
}

#[derive(Debug)]
pub struct Item {
    pub of: AgentId,
    pub place: Place,
    pub wrap: Option<Wrap>,
    /// Until when it must be opened.
    pub unopened: Option<Timestamp>,
    /// Not opened since.
    pub lies: Option<Timestamp>,
}

#[derive(Debug)]
pub struct Wrap {
    pub ended: Timestamp,
    pub seen: bool,
    pub clock: Clock,
    pub max: Clock,
    pub extensions: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    None,
    Runs(Timestamp),
    Stands(Millis),
}

impl Clock {
    fn stop(&mut self, now: Timestamp) -> Option<Millis> {
        let Self::Runs(until) = *self else { return None };
        *self = Self::Stands(until.since(now));
        Some(until.since(now))
    }

    fn go(&mut self, now: Timestamp) -> Option<Timestamp> {
        let Self::Stands(left) = *self else { return None };
        *self = Self::Runs(now + left);
        Some(now + left)
    }

    fn until(self) -> Option<Timestamp> {
        match self {
            Self::Runs(until) => Some(until),
            Self::None | Self::Stands(_) => None,
        }
    }
}

#[derive(Debug, Clone)]
pub struct Transfer {
    pub offer: Offer,
    pub warm: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Silence {
    pub nudged: bool,
    pub until: Option<Timestamp>,
}

#[derive(Debug)]
pub struct Chat {
    pub id: InteractionId,
    pub conversation: ConversationId,
    /// `Call` for a call in wrap-up.
    pub channel: Channel,
    pub queue: Option<QueueId>,
    pub person: Option<ContentRef>,
    pub came: Timestamp,
    /// Into the queue it is in.
    pub entered: Timestamp,
    pub answered: Option<Timestamp>,
    pub at: Where,
    pub past: Vec<(OfferId, AgentId, Fate)>,
    pub offers: u32,
    pub unanswered: Option<Timestamp>,
    pub codes: Vec<String>,
    pub remarks: Option<ContentRef>,
    pub chosen: Vec<(ConnectionId, Option<Record>)>,
    pub ahead: bool,
    pub skills: BTreeSet<SkillId>,
    pub relaxed: u8,
    pub declined: Vec<(AgentId, Timestamp)>,
    pub visited: Vec<QueueId>,
    pub preferred: Option<AgentId>,
    /// Who had it last.
    pub last: Option<AgentId>,
    /// An agent has had it in hand since it came into its queue.
    pub served: bool,
    /// Waiting in its queue while an agent was free for it.
    pub connecting: Millis,
    pub marks: BTreeSet<Mark>,
    pub transfer: Option<Transfer>,
    pub guests: Vec<(AgentId, Guest)>,
    pub silence: Option<Silence>,
    /// When the agent is reminded to say how it stands.
    pub update: Option<Timestamp>,
    pub suggested: BTreeSet<Suggestion>,
    pub case_opened: bool,
    pub states: Vec<(ConnectionId, LogState)>,
    pub abusive: bool,
    pub service: Service,
}

impl Chat {
    pub fn new(
        id: InteractionId,
        conversation: ConversationId,
        queue: Option<QueueId>,
        now: Timestamp,
    ) -> Self {
        Self {
            id,
            conversation,
            channel: Channel::Chat,
            queue,
            person: None,
            came: now,
            entered: now,
            answered: None,
            at: Where::Line,
            past: Vec::new(),
            offers: 0,
            unanswered: None,
            codes: Vec::new(),
            remarks: None,
            chosen: Vec::new(),
            ahead: false,
            skills: BTreeSet::new(),
            relaxed: 0,
            declined: Vec::new(),
            visited: Vec::new(),
            preferred: None,
            last: None,
            served: false,
            connecting: Millis(0),
            marks: BTreeSet::new(),
            transfer: None,
            guests: Vec::new(),
            silence: None,
            update: None,
            suggested: BTreeSet::new(),
            case_opened: false,
            states: Vec::new(),
            abusive: false,
            service: Service::default(),
        }
    }

    pub fn item(&self) -> Option<&Item> {
        match &self.at {
            Where::Inbox(item) => Some(item),
            Where::Line | Where::Offer(_) | Where::Form(_) => None,
        }
    }

    pub fn owner(&self) -> Option<&AgentId> {
        self.item().map(|item| &item.of)
    }

    pub fn in_wrap_up(&self) -> bool {
        self.item().is_some_and(|item| item.wrap.is_some())
    }

    /// In an inbox and in progress.
    pub fn in_progress(&self) -> bool {
        self.item().is_some_and(|item| item.wrap.is_none())
    }

    pub fn is_guest(&self, agent: &AgentId) -> bool {
        self.guests.iter().any(|(guest, _)| guest == agent)
    }

    /// The offer that stands: of a waiting chat, or of a transfer.
    pub fn standing(&self) -> Option<&Offer> {
        match &self.at {
            Where::Offer(offer) => Some(offer),
            Where::Line | Where::Inbox(_) | Where::Form(_) => self.transfer.as_ref().map(|t| &t.offer),
        }
    }
}

#[derive(Debug)]
pub struct Call {
    pub name: CallId,
    pub id: InteractionId,
    pub conversation: ConversationId,
    pub queue: Option<QueueId>,
    pub rings: Vec<AgentId>,
    pub dialled: Option<AgentId>,
    pub answered: Option<(AgentId, Timestamp)>,
    pub held: bool,
    /// When it last changed.
    pub heard: Timestamp,
    pub recording: Option<ContentRef>,
    pub chosen: Vec<(ConnectionId, Option<Record>)>,
    pub codes: Vec<String>,
    pub remarks: Option<ContentRef>,
}

impl Call {
    pub fn on_the_phone(&self) -> Option<&AgentId> {
        self.answered.as_ref().map(|(agent, _)| agent).or(self.dialled.as_ref())
    }
}

/// A call that is over and was known before.
#[derive(Debug)]
pub struct Over {
    pub name: CallId,
    pub id: InteractionId,
    pub conversation: ConversationId,
    pub recording: Option<ContentRef>,
    pub log: bool,
}

/// A closed interaction that is still listed.
#[derive(Debug)]
pub struct Shut {
    pub id: InteractionId,
    pub agent: AgentId,
    pub outcome: Outcome,
    pub not_classified: bool,
    pub unseen: bool,
    pub states: Vec<(ConnectionId, LogState)>,
}

/// A chat that ended lately.
#[derive(Debug)]
pub struct Left {
    pub id: InteractionId,
    pub conversation: ConversationId,
    pub queue: QueueId,
    pub agent: Option<AgentId>,
    pub person: ContentRef,
    pub marks: BTreeSet<Mark>,
    pub skills: BTreeSet<SkillId>,
    /// What it went on as.
    pub returned_as: Option<InteractionId>,
    pub until: Timestamp,
}

/// What comes due; what stands first is done first when two moments are the same.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Due {
    Offer(InteractionId),
    Unopened(InteractionId),
    WrapUp(InteractionId),
    Maximum(InteractionId),
    Silence(InteractionId),
    Escalate(InteractionId),
    Update(InteractionId),
    Relax(InteractionId),
    Waited(InteractionId),
    Decliner(InteractionId),
    Form(InteractionId),
    Grace(AgentId),
    Lost(AgentId),
    Hours(ScheduleId),
    CallUnended(InteractionId),
}

#[derive(Debug, Default)]
pub struct Naive {
    pub policy: TenantPolicy,
    pub agents: Vec<Agent>,
    pub chats: Vec<Chat>,
    pub calls: Vec<Call>,
    pub ended: Vec<CallId>,
    pub over: Vec<Over>,
    /// Newest last.
    pub shut: Vec<Shut>,
    pub left: Vec<Left>,
    /// Who had a visitor last.
    pub last: Vec<(Mark, AgentId)>,
    pub blocked: Vec<Mark>,
    pub hours: BTreeMap<ScheduleId, Vec<Open>>,
    /// Open or not, and until when.
    pub turned: Vec<(ScheduleId, bool, Option<Timestamp>)>,
    pub figures: Vec<(QueueId, Figures)>,
    pub day: String,
    /// Ids that the engine minted in this step.
    pub ids: VecDeque<OfferId>,
    pub shares: VecDeque<ShareId>,
    pub used: Vec<OfferId>,
    pub now: Timestamp,
    pub told: Vec<Event>,
}

impl Naive {
    // ---- what can be seen -------------------------------------------------------------------------------------

    pub fn agent(&self, id: &AgentId) -> Option<&Agent> {
        self.agents.iter().find(|a| a.id == *id)
    }

    fn agent_mut(&mut self, id: &AgentId) -> &mut Agent {
        if self.agent(id).is_none() {
            self.agents.push(Agent::new(id.clone()));
            // In the order of their names, as everywhere.
            self.agents.sort_by(|a, b| a.id.cmp(&b.id));
        }
        self.agents.iter_mut().find(|a| a.id == *id).unwrap()
    }

    pub fn connected(&self, id: &AgentId) -> bool {
        self.agent(id).is_some_and(|agent| !agent.sessions.is_empty())
    }

    pub fn presence(&self, id: &AgentId) -> Presence {
        self.agent(id).map(|agent| agent.presence.clone()).unwrap_or_default()
    }

    pub fn chat(&self, id: InteractionId) -> Option<&Chat> {
        self.chats.iter().find(|c| c.id == id)
    }

    fn chat_mut(&mut self, id: InteractionId) -> &mut Chat {
        self.chats.iter_mut().find(|c| c.id == id).unwrap()
    }

    fn item_mut(&mut self, id: InteractionId) -> &mut Item {
        match &mut self.chat_mut(id).at {
            Where::Inbox(item) => item,
            Where::Line | Where::Offer(_) | Where::Form(_) => unreachable!("not in an inbox"),
        }
    }

    pub fn inbox(&self, agent: &AgentId) -> Vec<&Chat> {
        let mut own: Vec<&Chat> = self.chats.iter().filter(|c| c.owner() == Some(agent)).collect();
        own.sort_by_key(|c| c.id);
        own
    }

    pub fn active(&self, agent: &AgentId) -> Option<&Chat> {
        self.inbox(agent).into_iter().find(|c| c.item().is_some_and(|i| i.place == Place::Active))
    }

    pub fn offered(&self, agent: &AgentId) -> Option<&Chat> {
        self.chats.iter().find(|c| c.standing().is_some_and(|offer| offer.to == *agent))
    }

    /// Chats of others the agent has joined.
    pub fn guest_at(&self, agent: &AgentId) -> Vec<InteractionId> {
        let mut at: Vec<InteractionId> =
            self.chats.iter().filter(|c| c.is_guest(agent)).map(|c| c.id).collect();
        at.sort();
        at
    }

    pub fn units(&self, chat: &Chat) -> u32 {
        self.queue_of(chat).map_or(1, |queue| queue.units)
    }

    /// Units in hand, reserved ones and those of chats one is consulted about included (A5).
    pub fn load(&self, agent: &AgentId) -> u32 {
        let consulted = |c: &Chat| c.guests.contains(&(agent.clone(), Guest::Consulted));
        let offered = |c: &Chat| c.standing().is_some_and(|offer| offer.to == *agent);
        let times =
            |c: &Chat| u32::from(c.owner() == Some(agent)) + u32::from(offered(c)) + u32::from(consulted(c));
        self.chats.iter().map(|c| times(c) * self.units(c)).sum()
    }

    pub fn talking(&self, agent: &AgentId) -> bool {
        self.calls.iter().any(|c| c.on_the_phone() == Some(agent))
    }

    pub fn calls_at(&self, agent: &AgentId) -> Vec<InteractionId> {
        let here = |c: &&Call| c.on_the_phone() == Some(agent) || c.rings.contains(agent);
        let mut ids: Vec<_> = self.calls.iter().filter(here).map(|c| c.id).collect();
        ids.sort();
        ids
    }

    pub fn status(&self, agent: &AgentId) -> Status {
        if self.talking(agent) {
            return Status::OnCall;
        }
        match self.active(agent) {
            Some(chat) if chat.in_wrap_up() => Status::WrapUp,
            Some(_) => Status::HandlingChat,
            None if self.offered(agent).is_some() => Status::Offered,
            None => Status::Present { presence: self.presence(agent) },
        }
    }

    fn queue_of(&self, chat: &Chat) -> Option<&QueuePolicy> {
        self.policy.queues.get(chat.queue.as_ref()?)
    }

    fn rules(&self, id: InteractionId) -> Result<&QueuePolicy, Code> {
        self.chat(id).and_then(|chat| self.queue_of(chat)).ok_or(Code::NotFound)
    }

    /// By what an item is wrapped up: a chat as its queue says, a call as calls are (E5).
    fn wrap_up_rules(&self, chat: &Chat) -> Option<WrapUp> {
        match chat.channel {
            Channel::Chat => self.queue_of(chat).map(|queue| queue.wrap_up),
            Channel::Call => self.policy.calls.wrap_up,
        }
    }

    fn classification(&self, chat: &Chat) -> Option<&Classification> {
        match chat.channel {
            Channel::Chat => self.queue_of(chat).map(|queue| &queue.classification),
            Channel::Call => Some(&self.policy.calls.classification),
        }
    }

    /// An id that belongs to something already.
    fn in_use(&self, id: InteractionId) -> bool {
        self.chat(id).is_some()
            || self.calls.iter().any(|c| c.id == id)
            || self.shut.iter().any(|s| s.id == id)
            || self.left.iter().any(|l| l.id == id)
    }

    /// The latest closed interactions of an agent, newest first.
    pub fn recent(&self, agent: &AgentId) -> Vec<&Shut> {
        self.shut.iter().rev().filter(|shut| shut.agent == *agent).collect()
    }

    fn tell(&mut self, event: Event) {
        self.told.push(event);
    }

    // ---- what follows by itself -------------------------------------------------------------------------------

    /// Deadlines that have come; then chats that must leave their queues, and chats for whoever is free, until nothing
    /// is left to say.
    pub fn follow_up(&mut self) {
        loop {
            match self.deadline() {
                Some((at, due)) if at <= self.now => self.came_due(due),
                _ => {
                    if !(self.leave_unserved() || self.hand_out() || self.leave_full()) {
                        return;
                    }
                }
            }
            assert!(self.told.len() < 50_000, "the rules find no end");
        }
    }

    /// Everything that comes due some time.
    pub fn deadlines(&self) -> Vec<(Timestamp, Due)> {
        let mut all = Vec::new();
        for chat in &self.chats {
            let id = chat.id;
            match &chat.at {
                Where::Offer(offer) => all.push((offer.until, Due::Offer(id))),
                Where::Form(until) => all.push((*until, Due::Form(id))),
                Where::Line => self.deadlines_in_line(chat, &mut all),
                Where::Inbox(Item { wrap: Some(wrap), .. }) => {
                    all.extend(wrap.clock.until().map(|at| (at, Due::WrapUp(id))));
                    all.extend(wrap.max.until().map(|at| (at, Due::Maximum(id))));
                }
                Where::Inbox(item) => {
                    all.extend(item.unopened.map(|at| (at, Due::Unopened(id))));
                    all.extend(chat.transfer.iter().map(|t| (t.offer.until, Due::Offer(id))));
                    all.extend(chat.silence.and_then(|s| s.until).map(|at| (at, Due::Silence(id))));
                    all.extend(self.escalates(chat).map(|at| (at, Due::Escalate(id))));
                    all.extend(chat.update.map(|at| (at, Due::Update(id))));
                }
            }
        }
        for agent in &self.agents {
            let Some((grace, lost)) = agent.gone else { continue };
            if self.offered(&agent.id).is_some() {
                all.push((grace.min(lost), Due::Grace(agent.id.clone())));
            } else if !self.talking(&agent.id) {
                all.push((lost, Due::Lost(agent.id.clone())));
            }
        }
        if let Some(longest) = self.policy.calls.longest {
            all.extend(self.calls.iter().map(|c| (c.heard + longest, Due::CallUnended(c.id))));
        }
        all.extend(self.turned.iter().filter_map(|(id, _, next)| Some(((*next)?, Due::Hours(id.clone())))));
        all
    }

    pub fn deadline(&self) -> Option<(Timestamp, Due)> {
        self.deadlines().into_iter().min()
    }

    fn came_due(&mut self, due: Due) {
        match due {
            Due::Offer(id) => self.offer_runs_out(id),
            Due::Unopened(id) => self.never_opened(id),
            Due::WrapUp(id) => self.complete(id, CompletedBy::Timer),
            Due::Maximum(id) => self.complete(id, CompletedBy::Maximum),
            Due::Silence(id) => self.silent(id),
            Due::Escalate(id) => self.suggest(id, Suggestion::OpenCase),
            Due::Update(id) => self.suggest(id, Suggestion::Update),
            Due::Relax(id) => self.relax(id),
            Due::Waited(id) => self.waited_too_long(id),
            Due::Decliner(id) => self.forget_decliners(id),
            Due::Form(id) => self.form_over(id),
            Due::Grace(agent) => self.withdraw(&agent, WithdrawnWhy::AgentLost),
            Due::Lost(agent) => self.lost(&agent),
            Due::Hours(schedule) => self.turn_schedule(&schedule),
            Due::CallUnended(id) => self.unended(id),
        }
    }

    // ---- commands ---------------------------------------------------------------------------------------------

    /// Carries a command out, or says why not and leaves everything as it was.
    pub fn handle(&mut self, command: &Command) -> Answer {
        let by = &command.by;
        match &command.wish {
            Wish::Configure { .. }
            | Wish::Resume { .. }
            | Wish::Drain
            | Wish::SetHours { .. }
            | Wish::BeginDay { .. } => match by {
                Actor::Daemon => self.daemon_does(&command.wish),
                _ => Err(Code::NotPermitted),
            },
            Wish::Disconnect { agent, session } => self.disconnect(by, agent, *session),
            Wish::StartChat { .. } => self.start(by, &command.wish),
            Wish::ReturnToChat { interaction, fresh } => self.come_back(by, *interaction, *fresh),
            Wish::LeaveMessage { interaction, text } => {
                self.leave_message(by, &command.id, *interaction, text)
            }
            Wish::SendMessage { interaction, text } => self.write(by, &command.id, *interaction, text),
            Wish::SendFile { interaction, file, media_type } => {
                self.send_file(by, &command.id, *interaction, file, media_type)
            }
            Wish::EndChat { interaction } => self.end(by, *interaction),
            Wish::ReportCall { call, interaction, conversation, fact } => {
                self.call(by, call, *interaction, *conversation, fact)
            }
            Wish::ReportLookup { interaction, connection, result, matches } => {
                reporter(by, connection)?;
                if self.chat(*interaction).is_some() || self.calls.iter().any(|c| c.id == *interaction) {
                    let (interaction, connection) = (*interaction, connection.clone());
                    let (result, matches) = (result.clone(), *matches);
                    self.tell(Event::LookedUp { interaction, connection, result, matches });
                }
                Ok(())
            }
            Wish::ReportDelivery { interaction, connection, state } => {
                reporter(by, connection)?;
                self.delivered(*interaction, connection, state);
                Ok(())
            }
            wish => {
                let agent = self.known_agent(by)?;
                self.agent_does(&agent, &command.id, wish)
            }
        }
    }

    fn daemon_does(&mut self, wish: &Wish) -> Answer {
        match wish {
            Wish::Configure { policy } => self.configure(policy),
            Wish::Resume { down } => {
                self.resume(*down);
                Ok(())
            }
            Wish::Drain => {
                let all: Vec<AgentId> = self.agents.iter().map(|a| a.id.clone()).collect();
                for agent in &all {
                    self.withdraw(agent, WithdrawnWhy::Stopping);
                }
                Ok(())
            }
            Wish::SetHours { hours } => self.set_hours(hours),
            Wish::BeginDay { day } => self.begin_day(day),
            other => unreachable!("not the daemon's: {other:?}"),
        }
    }

    fn known_agent(&self, by: &Actor) -> Result<AgentId, Code> {
        match by {
            Actor::Agent { agent } if self.policy.agents.contains_key(agent) => Ok(agent.clone()),
            _ => Err(Code::NotPermitted),
        }
    }

    /// A customer's chat; calls have none.
    fn customers(&self, conversation: ConversationId, id: InteractionId) -> Option<&Chat> {
        self.chat(id).filter(|c| c.conversation == conversation && c.channel == Channel::Chat)
    }

    fn own(&self, agent: &AgentId, id: InteractionId) -> Result<&Chat, Code> {
        self.chat(id).filter(|c| c.owner() == Some(agent)).ok_or(Code::NotFound)
    }

    /// An own chat that has not ended.
    fn own_open(&self, agent: &AgentId, id: InteractionId) -> Result<&Chat, Code> {
        let chat = self.own(agent, id)?;
        if chat.in_wrap_up() { Err(Code::WrongState) } else { Ok(chat) }
    }

    fn agent_does(&mut self, agent: &AgentId, message: &tieline_model::CommandId, wish: &Wish) -> Answer {
        match wish {
            Wish::Connect { session } => {
                self.connect(agent, *session);
                Ok(())
            }
            Wish::SetPresence { presence, confirmed } => self.set_presence(agent, presence, *confirmed),
            Wish::SetAvailability { channels, queues } => {
                self.set_availability(agent, channels, queues.as_ref())
            }
            Wish::AcceptOffer { offer } => self.answer_offer(agent, *offer, true),
            Wish::RejectOffer { offer } => self.answer_offer(agent, *offer, false),
            Wish::TakeChat { interaction } => self.take(agent, *interaction),
            Wish::Activate { interaction } => {
                self.own(agent, *interaction)?;
                if self.active(agent).map(|c| c.id) != Some(*interaction) {
                    self.park(agent, ParkedBy::Activation);
                    self.activate(agent, *interaction);
                }
                Ok(())
            }
            Wish::Park { interaction } => self.park_own(agent, *interaction),
            Wish::Whisper { interaction, text } => self.whisper(agent, message, *interaction, text),
            Wish::SendNotice { interaction, notice } => self.send_notice(agent, *interaction, *notice),
            Wish::Transfer { interaction, to, note, confirmed } => {
                self.transfer(agent, *interaction, to, *note, *confirmed)
            }
            Wish::CancelTransfer { interaction } => {
                self.own(agent, *interaction)?;
                self.cancel_transfer(*interaction);
                Ok(())
            }
            Wish::HandOver { interaction, agent: to } => self.hand_over(agent, *interaction, to),
            Wish::LeaveChat { interaction } => {
                if self.chat(*interaction).is_some_and(|c| c.is_guest(agent)) {
                    self.guest_leaves(*interaction, agent);
                }
                Ok(())
            }
            Wish::ShareHistory { interaction } => self.share(agent, *interaction),
            Wish::OpenCase { interaction } => self.open_case(agent, *interaction),
            Wish::FlagAbuse { interaction, note } => self.flag(agent, *interaction, *note),
            Wish::FillScript { interaction, answers } => self.fill(agent, *interaction, answers),
            Wish::Supervise { act, reason } => self.supervise(agent, act, reason),
            Wish::SeeEnd { interaction } => self.see_end(agent, *interaction),
            Wish::ExtendWrapUp { interaction } => self.extend(agent, *interaction),
            Wish::CompleteWrapUp { interaction } => {
                if !self.own(agent, *interaction)?.in_wrap_up() {
                    return Err(Code::WrongState);
                }
                self.complete(*interaction, CompletedBy::Agent);
                Ok(())
            }
            Wish::Classify { interaction, codes, remarks } => {
                self.classify(agent, *interaction, codes, *remarks)
            }
            Wish::ChooseContact { interaction, connection, contact } => {
                self.choose(agent, *interaction, connection, contact)
            }
            other => unreachable!("not an agent's: {other:?}"),
        }
    }
}

fn reporter(by: &Actor, connection: &ConnectionId) -> Answer {
    let own = Actor::Connection { connection: connection.clone() };
    if *by == own { Ok(()) } else { Err(Code::NotPermitted) }
}
