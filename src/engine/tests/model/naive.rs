//! The rule book, written down a second time and as plainly as can be: lists, linear scans, no index, nothing kept
//! that can be counted. Shares with the engine only the nouns.

use tieline_model::command::Presence;
use tieline_model::content::ContentRef;
use tieline_model::crm::{LogState, Outcome, Record, Side};
use tieline_model::event::{AssignedHow, CompletedBy, ParkedBy, PresenceWhy, ReturnedWhy, WithdrawnWhy};
use tieline_model::live::{Place, Status};
use tieline_model::policy::{
    After, AfterCall, CallLogs, Delivery, OfferWhen, ParkOn, QueuePolicy, TenantPolicy,
};
use tieline_model::{
    Actor, AgentId, CallFact, CallId, Code, Command, CommandId, ConnectionId, ConversationId, Event,
    InteractionId, Millis, OfferId, QueueId, SessionId, Timestamp, Wish,
};

pub type Answer = Result<(), Code>;

#[derive(Debug, Default)]
pub struct Agent {
    pub id: Option<AgentId>,
    pub presence: Presence,
    pub wish: Option<Presence>,
    pub sessions: Vec<SessionId>,
    /// No new work since.
    pub idle: Timestamp,
    /// What a call that is not over has parked.
    pub call_parked: Option<InteractionId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Accepted,
    Rejected,
    Missed,
    Withdrawn,
}

#[derive(Debug)]
pub enum Where {
    Line,
    Offer { id: OfferId, to: AgentId, until: Timestamp },
    Inbox { of: AgentId, place: Place, wrap: Option<Wrap>, unopened: Option<Timestamp> },
}

#[derive(Debug)]
pub struct Wrap {
    pub seen: bool,
    pub clock: Clock,
    pub extensions: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    None,
    Runs(Timestamp),
    Stands(Millis),
}

#[derive(Debug)]
pub struct Chat {
    pub id: InteractionId,
    pub conversation: ConversationId,
    pub queue: QueueId,
    pub came: Timestamp,
    pub answered: bool,
    pub at: Where,
    pub past: Vec<(OfferId, AgentId, Fate)>,
    pub offers: u32,
    pub unanswered: Option<Timestamp>,
    pub codes: Vec<String>,
    pub remarks: Option<ContentRef>,
    pub chosen: Vec<(ConnectionId, Option<Record>)>,
}

#[derive(Debug)]
pub struct Call {
    pub name: CallId,
    pub id: InteractionId,
    pub conversation: ConversationId,
    pub rings: Vec<AgentId>,
    pub dialled: Option<AgentId>,
    pub answered: Option<AgentId>,
    pub recording: Option<ContentRef>,
    pub chosen: Vec<(ConnectionId, Option<Record>)>,
}

impl Call {
    pub fn on_the_phone(&self) -> Option<&AgentId> {
        self.answered.as_ref().or(self.dialled.as_ref())
    }
}

#[derive(Debug)]
pub struct Gone {
    pub name: CallId,
    pub id: InteractionId,
    pub conversation: ConversationId,
    pub recording: Option<ContentRef>,
    pub log: bool,
}

#[derive(Debug)]
pub struct Shut {
    pub id: InteractionId,
    pub agent: AgentId,
    pub states: Vec<(ConnectionId, LogState)>,
}

#[derive(Debug, Default)]
pub struct Naive {
    pub policy: TenantPolicy,
    pub agents: Vec<Agent>,
    pub chats: Vec<Chat>,
    pub calls: Vec<Call>,
    pub over: Vec<CallId>,
    /// Calls that are over and were known before.
    pub gone: Vec<Gone>,
    /// Newest last.
    pub shut: Vec<Shut>,
    /// Ids of offers, as they were given out.
    pub ids: std::collections::VecDeque<OfferId>,
    pub used: Vec<OfferId>,
    pub now: Timestamp,
    pub told: Vec<Event>,
}

impl Naive {
    // ---- what can be seen -------------------------------------------------------------------------------------

    pub fn agent(&self, id: &AgentId) -> Option<&Agent> {
        self.agents.iter().find(|a| a.id.as_ref() == Some(id))
    }

    fn agent_mut(&mut self, id: &AgentId) -> &mut Agent {
        if self.agent(id).is_none() {
            self.agents.push(Agent { id: Some(id.clone()), ..Agent::default() });
        }
        self.agents.iter_mut().find(|a| a.id.as_ref() == Some(id)).unwrap()
    }

    pub fn chat(&self, id: InteractionId) -> Option<&Chat> {
        self.chats.iter().find(|c| c.id == id)
    }

    fn chat_mut(&mut self, id: InteractionId) -> &mut Chat {
        self.chats.iter_mut().find(|c| c.id == id).unwrap()
    }

    pub fn inbox(&self, agent: &AgentId) -> Vec<&Chat> {
        let mut own: Vec<&Chat> =
            self.chats.iter().filter(|c| matches!(&c.at, Where::Inbox { of, .. } if of == agent)).collect();
        own.sort_by_key(|c| c.id);
        own
    }

    pub fn active(&self, agent: &AgentId) -> Option<&Chat> {
        self.inbox(agent).into_iter().find(|c| matches!(c.at, Where::Inbox { place: Place::Active, .. }))
    }

    pub fn offered(&self, agent: &AgentId) -> Option<&Chat> {
        self.chats.iter().find(|c| matches!(&c.at, Where::Offer { to, .. } if to == agent))
    }

    pub fn load(&self, agent: &AgentId) -> usize {
        self.inbox(agent).len() + usize::from(self.offered(agent).is_some())
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
        match self.active(agent).map(|c| &c.at) {
            Some(Where::Inbox { wrap: Some(_), .. }) => return Status::WrapUp,
            Some(_) => return Status::HandlingChat,
            None => {}
        }
        if self.offered(agent).is_some() {
            return Status::Offered;
        }
        Status::Present { presence: self.agent(agent).map(|a| a.presence.clone()).unwrap_or_default() }
    }

    /// Chats of a queue that wait, next first.
    pub fn line(&self, queue: &QueueId) -> Vec<InteractionId> {
        let mut line: Vec<&Chat> =
            self.chats.iter().filter(|c| c.queue == *queue && matches!(c.at, Where::Line)).collect();
        line.sort_by_key(|c| (c.came, c.id));
        line.iter().map(|c| c.id).collect()
    }

    /// The earliest deadline: an offer's, an unopened chat's, a wrap-up's, in this order at the same moment.
    pub fn deadline(&self) -> Option<(Timestamp, u8, InteractionId)> {
        let of = |c: &Chat| match &c.at {
            Where::Offer { until, .. } => Some((*until, 0, c.id)),
            Where::Inbox { unopened: Some(until), .. } => Some((*until, 1, c.id)),
            Where::Inbox { wrap: Some(Wrap { clock: Clock::Runs(until), .. }), .. } => {
                Some((*until, 2, c.id))
            }
            _ => None,
        };
        self.chats.iter().filter_map(of).min()
    }

    fn queue(&self, chat: &Chat) -> &QueuePolicy {
        &self.policy.queues[&chat.queue]
    }

    // ---- what follows by itself -------------------------------------------------------------------------------

    /// Deadlines that have come, then chats for whoever is free, until nothing is left to say.
    pub fn follow_up(&mut self) {
        loop {
            match self.deadline() {
                Some((at, kind, id)) if at <= self.now => self.came_due(kind, id),
                _ => {
                    if !self.hand_out() {
                        return;
                    }
                }
            }
        }
    }

    fn came_due(&mut self, kind: u8, id: InteractionId) {
        let queue = self.queue(self.chat(id).unwrap()).clone();
        match kind {
            0 => {
                let Where::Offer { id: offer, to, .. } = &self.chat(id).unwrap().at else { unreachable!() };
                let (offer, agent) = (*offer, to.clone());
                if self.agent_mut(&agent).sessions.is_empty() {
                    self.withdraw(&agent, WithdrawnWhy::AgentLost);
                    return;
                }
                self.offer_over(id, Fate::Missed);
                self.told.push(Event::OfferMissed { interaction: id, agent: agent.clone(), offer });
                self.send_on_break(&agent, queue.after_miss, "missed", PresenceWhy::Missed);
            }
            1 => {
                let Where::Inbox { of, .. } = &self.chat(id).unwrap().at else { unreachable!() };
                let agent = of.clone();
                self.back_in_line(id, &agent, ReturnedWhy::Unopened);
                if !self.agent_mut(&agent).sessions.is_empty() {
                    if queue.after_miss == After::OnBreak {
                        self.withdraw(&agent, WithdrawnWhy::PresenceLeft);
                    }
                    self.send_on_break(&agent, queue.after_miss, "missed", PresenceWhy::Missed);
                }
            }
            _ => self.complete(id, CompletedBy::Timer),
        }
    }

    fn send_on_break(&mut self, agent: &AgentId, after: After, reason: &str, why: PresenceWhy) {
        if after == After::OnBreak {
            let presence = Presence::OnBreak { reason: reason.to_owned() };
            self.agent_mut(agent).presence = presence.clone();
            self.told.push(Event::PresenceChanged { agent: agent.clone(), presence, why });
        }
    }

    fn may_be_given(&self, agent: &Agent, queue: &QueueId) -> bool {
        let Some(id) = &agent.id else { return false };
        let (Some(own), Some(of)) = (self.policy.agents.get(id), self.policy.queues.get(queue)) else {
            return false;
        };
        let inbox = self.inbox(id);
        let parked = |c: &&Chat| matches!(c.at, Where::Inbox { place: Place::Parked, .. });
        own.queues.contains(queue)
            && agent.presence == Presence::Available
            && agent.wish.is_none()
            && !agent.sessions.is_empty()
            && self.offered(id).is_none()
            && self.calls_at(id).is_empty()
            && self.load(id) < own.chat_capacity as usize
            && match of.offer_when {
                OfferWhen::AllParked => inbox.iter().all(parked),
                OfferWhen::Idle => inbox.is_empty(),
                OfferWhen::BelowCapacity => true,
            }
    }

    fn hand_out(&mut self) -> bool {
        let mut pairs = Vec::new();
        for chat in self.chats.iter().filter(|c| matches!(c.at, Where::Line)) {
            let queue = self.queue(chat);
            if queue.delivery == Delivery::Pull {
                continue;
            }
            for agent in self.agents.iter().filter(|a| self.may_be_given(a, &chat.queue)) {
                pairs.push(((-queue.priority, chat.came, chat.id), (agent.idle, agent.id.clone().unwrap())));
            }
        }
        let Some(((_, _, id), (_, agent))) = pairs.into_iter().min() else { return false };
        let now = self.now;
        let queue = self.queue(self.chat(id).unwrap()).clone();
        if queue.delivery == Delivery::Offer {
            let offer = self.ids.pop_front().expect("the engine offered less than the model");
            assert!(!self.used.contains(&offer), "an offer id came twice");
            self.used.push(offer);
            let deadline = now + queue.accept_within;
            let chat = self.chat_mut(id);
            chat.offers += 1;
            chat.at = Where::Offer { id: offer, to: agent.clone(), until: deadline };
            let version = chat.offers;
            self.told.push(Event::ChatOffered { interaction: id, agent, offer, version, deadline });
        } else {
            let deadline = Some(now + queue.unopened_after);
            self.assign(id, agent, AssignedHow::Auto, deadline);
        }
        true
    }

    fn assign(&mut self, id: InteractionId, agent: AgentId, how: AssignedHow, deadline: Option<Timestamp>) {
        let now = self.now;
        self.chat_mut(id).at =
            Where::Inbox { of: agent.clone(), place: Place::New, wrap: None, unopened: deadline };
        self.agent_mut(&agent).idle = now;
        self.told.push(Event::ChatAssigned { interaction: id, agent, how, deadline });
    }

    // ---- small moves ------------------------------------------------------------------------------------------

    fn offer_over(&mut self, id: InteractionId, fate: Fate) -> (OfferId, AgentId) {
        let now = self.now;
        let chat = self.chat_mut(id);
        let Where::Offer { id: offer, to, .. } = &chat.at else { unreachable!() };
        let (offer, agent) = (*offer, to.clone());
        chat.at = Where::Line;
        chat.past.push((offer, agent.clone(), fate));
        if fate != Fate::Withdrawn {
            self.agent_mut(&agent).idle = now;
        }
        (offer, agent)
    }

    fn withdraw(&mut self, agent: &AgentId, why: WithdrawnWhy) {
        let Some(id) = self.offered(agent).map(|c| c.id) else { return };
        let (offer, agent) = self.offer_over(id, Fate::Withdrawn);
        self.told.push(Event::OfferWithdrawn { interaction: id, agent, offer, why });
    }

    fn let_go(&mut self, id: InteractionId, agent: &AgentId) {
        let now = self.now;
        let agent = self.agent_mut(agent);
        agent.idle = now;
        if agent.call_parked == Some(id) {
            agent.call_parked = None;
        }
    }

    fn back_in_line(&mut self, id: InteractionId, agent: &AgentId, why: ReturnedWhy) {
        self.chat_mut(id).at = Where::Line;
        self.let_go(id, agent);
        self.told.push(Event::ChatReturned { interaction: id, agent: agent.clone(), why });
    }

    fn park(&mut self, agent: &AgentId, by: ParkedBy) {
        let Some(id) = self.active(agent).map(|c| c.id) else { return };
        let now = self.now;
        let mut wrap_up_left = None;
        if let Where::Inbox { place, wrap, .. } = &mut self.chat_mut(id).at {
            *place = Place::Parked;
            if let Some(Wrap { clock, .. }) = wrap
                && let Clock::Runs(until) = *clock
            {
                wrap_up_left = Some(until.since(now));
                *clock = Clock::Stands(until.since(now));
            }
        }
        let state = self.agent_mut(agent);
        state.idle = now;
        if by == ParkedBy::Call {
            state.call_parked = Some(id);
        }
        self.told.push(Event::ItemParked { interaction: id, agent: agent.clone(), by, wrap_up_left });
    }

    fn activate(&mut self, agent: &AgentId, id: InteractionId) {
        let now = self.now;
        let mut wrap_up_deadline = None;
        let chat = self.chat_mut(id);
        if let Where::Inbox { place, wrap, unopened, .. } = &mut chat.at {
            *place = Place::Active;
            *unopened = None;
            match wrap {
                None => chat.answered = true,
                Some(wrap) => {
                    wrap.seen = true;
                    if let Clock::Stands(left) = wrap.clock {
                        wrap_up_deadline = Some(now + left);
                        wrap.clock = Clock::Runs(now + left);
                    }
                }
            }
        }
        self.agent_mut(agent).call_parked = None;
        self.told.push(Event::ItemActivated { interaction: id, agent: agent.clone(), wrap_up_deadline });
    }

    fn finish(&mut self, id: InteractionId, by: CompletedBy) {
        let chat = self.chats.remove(self.chats.iter().position(|c| c.id == id).unwrap());
        let Where::Inbox { of, wrap: Some(wrap), .. } = &chat.at else { unreachable!() };
        let mandatory = self.queue(&chat).classification.mandatory;
        let not_classified = mandatory && chat.codes.is_empty() && chat.remarks.is_none();
        let unseen = !wrap.seen && by != CompletedBy::Agent;
        let (agent, interaction) = (of.clone(), id);
        self.told.push(Event::WrapUpCompleted {
            interaction,
            agent: agent.clone(),
            by,
            not_classified,
            unseen,
        });
        let outcome = if chat.answered { Outcome::Answered } else { Outcome::Abandoned };
        let log = chat.answered;
        let (conversation, to) = (chat.conversation, Some(agent.clone()));
        let service = None;
        let agent_of_it = to;
        self.told.push(Event::InteractionClosed {
            interaction,
            conversation,
            outcome,
            agent: agent_of_it,
            log,
            service,
        });
        self.let_go(id, &agent);
        self.list(id, agent);
    }

    /// The latest ten of each agent are listed.
    fn list(&mut self, id: InteractionId, agent: AgentId) {
        self.shut.push(Shut { id, agent: agent.clone(), states: Vec::new() });
        let of_agent: Vec<InteractionId> =
            self.shut.iter().filter(|s| s.agent == agent).map(|s| s.id).collect();
        if of_agent.len() > 10 {
            self.shut.retain(|s| s.id != of_agent[0]);
        }
    }

    fn complete(&mut self, id: InteractionId, by: CompletedBy) {
        let Where::Inbox { of, .. } = &self.chat(id).unwrap().at else { unreachable!() };
        let agent = of.clone();
        self.finish(id, by);
        if self.active(&agent).is_none() && !self.talking(&agent) {
            self.grant_wish(&agent);
        }
    }

    fn grant_wish(&mut self, agent: &AgentId) {
        if let Some(wish) = self.agent_mut(agent).wish.clone() {
            self.change_presence(agent, wish, PresenceWhy::WishGranted);
        }
    }

    fn change_presence(&mut self, agent: &AgentId, presence: Presence, why: PresenceWhy) {
        match presence {
            Presence::Available => {}
            Presence::OnBreak { .. } | Presence::StopNew => self.withdraw(agent, WithdrawnWhy::PresenceLeft),
            Presence::Offline => {
                let left = if why == PresenceWhy::Removed {
                    WithdrawnWhy::Settings
                } else {
                    WithdrawnWhy::PresenceLeft
                };
                self.withdraw(agent, left);
                let own: Vec<InteractionId> = self.inbox(agent).iter().map(|c| c.id).collect();
                for id in own {
                    if self.in_wrap_up(id) {
                        self.finish(id, CompletedBy::Offline);
                    } else {
                        self.back_in_line(id, agent, ReturnedWhy::AgentOffline);
                    }
                }
            }
        }
        let now = self.now;
        let state = self.agent_mut(agent);
        if presence == Presence::Available && state.presence != Presence::Available {
            state.idle = now;
        }
        state.presence = presence.clone();
        state.wish = None;
        self.told.push(Event::PresenceChanged { agent: agent.clone(), presence, why });
    }

    fn in_wrap_up(&self, id: InteractionId) -> bool {
        matches!(&self.chat(id).unwrap().at, Where::Inbox { wrap: Some(_), .. })
    }

    // ---- commands ---------------------------------------------------------------------------------------------

    /// Carries a command out, or says why not and leaves everything as it was.
    pub fn handle(&mut self, command: &Command) -> Answer {
        match &command.wish {
            Wish::Configure { .. } | Wish::Resume { .. } | Wish::Drain if command.by != Actor::Daemon => {
                Err(Code::NotPermitted)
            }
            Wish::Configure { policy } => self.configure(policy),
            Wish::Resume { down } => {
                self.resume(*down);
                Ok(())
            }
            Wish::Drain => {
                // Agents in the order of their names, as everywhere.
                let mut holders: Vec<AgentId> = self.agents.iter().filter_map(|a| a.id.clone()).collect();
                holders.sort();
                holders.iter().for_each(|agent| self.withdraw(agent, WithdrawnWhy::Stopping));
                Ok(())
            }
            Wish::Disconnect { agent, session } => self.disconnect(&command.by, agent, *session),
            Wish::StartChat { interaction, conversation, queue, .. } => {
                self.start(command, *interaction, *conversation, queue)
            }
            Wish::SendMessage { interaction, text } => {
                self.write(&command.by, &command.id, *interaction, text)
            }
            Wish::EndChat { interaction } => self.end(&command.by, *interaction),
            Wish::ReportCall { call, interaction, conversation, fact } => {
                self.call(&command.by, call, *interaction, *conversation, fact)
            }
            Wish::ReportLookup { interaction, connection, result, matches } => {
                self.reporter(&command.by, connection)?;
                if self.chat(*interaction).is_some() || self.calls.iter().any(|c| c.id == *interaction) {
                    self.told.push(Event::LookedUp {
                        interaction: *interaction,
                        connection: connection.clone(),
                        result: result.clone(),
                        matches: *matches,
                    });
                }
                Ok(())
            }
            Wish::ReportDelivery { interaction, connection, state } => {
                self.reporter(&command.by, connection)?;
                self.delivered(*interaction, connection, state);
                Ok(())
            }
            Wish::Connect { .. }
            | Wish::SetPresence { .. }
            | Wish::AcceptOffer { .. }
            | Wish::RejectOffer { .. }
            | Wish::TakeChat { .. }
            | Wish::Activate { .. }
            | Wish::Park { .. }
            | Wish::SeeEnd { .. }
            | Wish::ExtendWrapUp { .. }
            | Wish::CompleteWrapUp { .. }
            | Wish::Classify { .. }
            | Wish::ChooseContact { .. } => {
                let agent = self.known_agent(&command.by)?;
                self.agent_does(&agent, &command.wish)
            }
            _ => unreachable!("no script wishes it yet"),
        }
    }

    fn known_agent(&self, by: &Actor) -> Result<AgentId, Code> {
        match by {
            Actor::Agent { agent } if self.policy.agents.contains_key(agent) => Ok(agent.clone()),
            _ => Err(Code::NotPermitted),
        }
    }

    fn reporter(&self, by: &Actor, connection: &ConnectionId) -> Answer {
        let own = Actor::Connection { connection: connection.clone() };
        if *by == own { Ok(()) } else { Err(Code::NotPermitted) }
    }

    fn own(&self, agent: &AgentId, id: InteractionId) -> Result<&Chat, Code> {
        self.inbox(agent).into_iter().find(|c| c.id == id).ok_or(Code::NotFound)
    }

    fn agent_does(&mut self, agent: &AgentId, wish: &Wish) -> Answer {
        match wish {
            Wish::Connect { session } => {
                if !self.agent_mut(agent).sessions.contains(session) {
                    self.agent_mut(agent).sessions.push(*session);
                    self.told.push(Event::AgentConnected { agent: agent.clone(), session: *session });
                }
                Ok(())
            }
            Wish::SetPresence { presence, confirmed } => self.set_presence(agent, presence, *confirmed),
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
            Wish::Park { interaction } => match &self.own(agent, *interaction)?.at {
                Where::Inbox { place: Place::Parked, .. } => Ok(()),
                Where::Inbox { place: Place::Active, .. } => {
                    self.park(agent, ParkedBy::Agent);
                    Ok(())
                }
                _ => Err(Code::NotActive),
            },
            Wish::SeeEnd { interaction } => {
                self.own(agent, *interaction)?;
                let Where::Inbox { wrap, .. } = &mut self.chat_mut(*interaction).at else { unreachable!() };
                let wrap = wrap.as_mut().ok_or(Code::WrongState)?;
                if !wrap.seen {
                    wrap.seen = true;
                    self.told.push(Event::EndSeen { interaction: *interaction });
                }
                Ok(())
            }
            Wish::ExtendWrapUp { interaction } => self.extend(agent, *interaction),
            Wish::CompleteWrapUp { interaction } => {
                self.own(agent, *interaction)?;
                if !self.in_wrap_up(*interaction) {
                    return Err(Code::WrongState);
                }
                self.complete(*interaction, CompletedBy::Agent);
                Ok(())
            }
            Wish::Classify { interaction, codes, remarks } => {
                let allowed = &self.queue(self.own(agent, *interaction)?).classification;
                let mut once = codes.clone();
                once.dedup();
                if codes.iter().any(|c| !allowed.codes.contains(c))
                    || (codes.len() > 1 && !allowed.several)
                    || once.len() != codes.len()
                {
                    return Err(Code::Invalid);
                }
                if remarks.is_some_and(|r| r.chars > 10_000) {
                    return Err(Code::TooLong);
                }
                let chat = self.chat_mut(*interaction);
                chat.codes.clone_from(codes);
                chat.remarks = remarks.or(chat.remarks);
                self.told.push(Event::Classified {
                    interaction: *interaction,
                    agent: agent.clone(),
                    codes: codes.clone(),
                    remarks: *remarks,
                });
                Ok(())
            }
            Wish::ChooseContact { interaction, connection, contact } => {
                self.choose(agent, *interaction, connection, contact)
            }
            _ => unreachable!("not an agent's"),
        }
    }

    fn configure(&mut self, policy: &TenantPolicy) -> Answer {
        if self.policy == *policy && !policy.queues.is_empty() {
            return Ok(());
        }
        if self.chats.iter().any(|c| !policy.queues.contains_key(&c.queue)) {
            return Err(Code::WrongState);
        }
        let mut ids: Vec<AgentId> = self.agents.iter().filter_map(|a| a.id.clone()).collect();
        ids.sort();
        for id in ids {
            let state = self.agent(&id).unwrap();
            let at_work = state.presence != Presence::Offline || state.wish.is_some();
            if !policy.agents.contains_key(&id) && at_work {
                self.change_presence(&id, Presence::Offline, PresenceWhy::Removed);
            } else if let Some(chat) = self.offered(&id) {
                let serves = policy.agents.get(&id).is_some_and(|a| a.queues.contains(&chat.queue));
                if !serves || policy.queues[&chat.queue].delivery != Delivery::Offer {
                    self.withdraw(&id, WithdrawnWhy::Settings);
                }
            }
        }
        self.policy = policy.clone();
        for id in policy.agents.keys() {
            self.agent_mut(id);
        }
        self.told.push(Event::Configured { policy: Box::new(policy.clone()) });
        Ok(())
    }

    fn resume(&mut self, down: Millis) {
        for chat in &mut self.chats {
            match &mut chat.at {
                Where::Line => {}
                Where::Offer { until, .. } => *until = *until + down,
                Where::Inbox { unopened, wrap, .. } => {
                    *unopened = unopened.map(|until| until + down);
                    if let Some(Wrap { clock: Clock::Runs(until), .. }) = wrap {
                        *until = *until + down;
                    }
                }
            }
        }
        for agent in &mut self.agents {
            agent.sessions.clear();
        }
        self.told.push(Event::Resumed { down });
    }

    fn disconnect(&mut self, by: &Actor, agent: &AgentId, session: SessionId) -> Answer {
        if *by != Actor::Daemon && *by != (Actor::Agent { agent: agent.clone() }) {
            return Err(Code::NotPermitted);
        }
        if self.agent(agent).is_some_and(|a| a.sessions.contains(&session)) {
            self.agent_mut(agent).sessions.retain(|s| *s != session);
            self.told.push(Event::AgentDisconnected { agent: agent.clone(), session });
        }
        Ok(())
    }

    fn set_presence(&mut self, agent: &AgentId, presence: &Presence, confirmed: bool) -> Answer {
        if let Presence::OnBreak { reason } = presence {
            let listed = self.policy.break_reasons.contains(reason);
            if !listed && !self.policy.break_reasons.is_empty() {
                return Err(Code::Invalid);
            }
        }
        let offline = *presence == Presence::Offline;
        if offline && !confirmed && !self.inbox(agent).is_empty() {
            return Err(Code::NeedsConfirmation);
        }
        let has = self.agent_mut(agent).presence == *presence;
        let work = self.talking(agent) || (self.active(agent).is_some() && !offline);
        if work || has {
            let wish = (!has).then(|| presence.clone());
            if self.agent_mut(agent).wish != wish {
                self.agent_mut(agent).wish.clone_from(&wish);
                self.told.push(Event::PresenceWished { agent: agent.clone(), presence: wish });
            }
        } else {
            self.change_presence(agent, presence.clone(), PresenceWhy::Chosen);
        }
        Ok(())
    }

    fn start(
        &mut self,
        command: &Command,
        id: InteractionId,
        conversation: ConversationId,
        queue: &QueueId,
    ) -> Answer {
        let Wish::StartChat { person, .. } = &command.wish else { unreachable!() };
        if command.by != (Actor::Customer { conversation }) {
            return Err(Code::NotPermitted);
        }
        if !self.policy.queues.contains_key(queue) {
            return Err(Code::NotFound);
        }
        if let Some(chat) = self.chat(id) {
            return if chat.conversation == conversation { Ok(()) } else { Err(Code::WrongState) };
        }
        if self.calls.iter().any(|c| c.id == id) || self.shut.iter().any(|s| s.id == id) {
            return Err(Code::WrongState);
        }
        self.chats.push(Chat {
            id,
            conversation,
            queue: queue.clone(),
            came: self.now,
            answered: false,
            at: Where::Line,
            past: Vec::new(),
            offers: 0,
            unanswered: None,
            codes: Vec::new(),
            remarks: None,
            chosen: Vec::new(),
        });
        let (interaction, queue, person) = (id, queue.clone(), *person);
        self.told.push(Event::ChatStarted {
            interaction,
            conversation,
            queue,
            person,
            skills: Default::default(),
            marks: Default::default(),
            previous: None,
            preferred: None,
        });
        Ok(())
    }

    fn answer_offer(&mut self, agent: &AgentId, offer: OfferId, accept: bool) -> Answer {
        let open = |c: &Chat| matches!(&c.at, Where::Offer { id, to, .. } if *id == offer && to == agent);
        // Only the latest 16 are remembered.
        let fate = |c: &Chat| {
            let past = c.past.iter().rev().take(16);
            past.clone().find(|(o, to, _)| *o == offer && to == agent).map(|(_, _, fate)| *fate)
        };
        let chat = self.chats.iter().find(|c| open(c) || fate(c).is_some()).ok_or(Code::NotFound)?;
        let id = chat.id;
        if !accept && !self.policy.agents[agent].may_reject {
            return Err(Code::NotPermitted);
        }
        let fate = match &chat.at {
            Where::Offer { id, to, until } if *id == offer && to == agent && *until > self.now => None,
            Where::Offer { id, to, .. } if *id == offer && to == agent => Some(Fate::Missed),
            _ => fate(chat),
        };
        match (fate, accept) {
            (None, true) => {
                self.park(agent, ParkedBy::Activation);
                self.offer_over(id, Fate::Accepted);
                let chat = self.chat_mut(id);
                chat.answered = true;
                chat.at =
                    Where::Inbox { of: agent.clone(), place: Place::Active, wrap: None, unopened: None };
                self.told.push(Event::OfferAccepted { interaction: id, agent: agent.clone(), offer });
                Ok(())
            }
            (None, false) => {
                let after = self.queue(chat).after_reject;
                self.offer_over(id, Fate::Rejected);
                self.told.push(Event::OfferRejected { interaction: id, agent: agent.clone(), offer });
                self.send_on_break(agent, after, "rejected", PresenceWhy::Rejected);
                Ok(())
            }
            (Some(Fate::Accepted), true) if self.own(agent, id).is_ok() => Ok(()),
            (Some(Fate::Rejected), false) => Ok(()),
            (Some(fate), _) => Err(match (&chat.at, fate) {
                (Where::Inbox { .. }, _) => Code::Taken,
                (_, Fate::Withdrawn) => Code::Withdrawn,
                (_, Fate::Missed) => Code::Expired,
                (_, Fate::Accepted | Fate::Rejected) => Code::WrongState,
            }),
        }
    }

    fn take(&mut self, agent: &AgentId, id: InteractionId) -> Answer {
        let own = &self.policy.agents[agent];
        let chat = self.chat(id).filter(|c| own.queues.contains(&c.queue)).ok_or(Code::NotFound)?;
        if let Where::Inbox { of, .. } = &chat.at {
            return if of == agent { Ok(()) } else { Err(Code::Taken) };
        }
        if self.queue(chat).delivery != Delivery::Pull {
            return Err(Code::WrongState);
        }
        if self.agent(agent).is_none_or(|a| a.presence != Presence::Available) {
            return Err(Code::WrongState);
        }
        if self.load(agent) >= own.chat_capacity as usize {
            return Err(Code::AtCapacity);
        }
        self.assign(id, agent.clone(), AssignedHow::Taken, None);
        Ok(())
    }

    /// The side, the agent if it is one, and how long the text may be.
    fn may_write(&self, by: &Actor, id: InteractionId) -> Result<(Side, Option<AgentId>, u32), Code> {
        match by {
            Actor::Agent { .. } => {
                let agent = self.known_agent(by)?;
                let max = self.queue(self.own(&agent, id)?).agent_chars_max;
                if self.in_wrap_up(id) {
                    return Err(Code::WrongState);
                }
                if self.active(&agent).map(|c| c.id) != Some(id) {
                    return Err(Code::NotActive);
                }
                Ok((Side::Agent, Some(agent), max))
            }
            Actor::Customer { conversation } => {
                let chat = self.chat(id).filter(|c| c.conversation == *conversation).ok_or(Code::NotFound)?;
                if self.in_wrap_up(id) {
                    return Err(Code::WrongState);
                }
                Ok((Side::Customer, None, self.queue(chat).customer_chars_max))
            }
            _ => Err(Code::NotPermitted),
        }
    }

    fn write(&mut self, by: &Actor, message: &CommandId, id: InteractionId, text: &ContentRef) -> Answer {
        let (from, agent, max) = self.may_write(by, id)?;
        if text.bytes == 0 {
            return Err(Code::Invalid);
        }
        if text.chars > max || text.bytes > max * 16 {
            return Err(Code::TooLong);
        }
        let now = self.now;
        let chat = self.chat_mut(id);
        chat.unanswered = if from == Side::Agent { None } else { chat.unanswered.or(Some(now)) };
        let (interaction, message, text) = (id, message.clone(), *text);
        self.told.push(Event::MessageSent { interaction, message, from, agent, text });
        Ok(())
    }

    fn end(&mut self, by: &Actor, id: InteractionId) -> Answer {
        let side = match by {
            Actor::Agent { .. } => {
                let agent = self.known_agent(by)?;
                self.own(&agent, id)?;
                Side::Agent
            }
            Actor::Customer { conversation } => {
                self.chat(id).filter(|c| c.conversation == *conversation).ok_or(Code::NotFound)?;
                Side::Customer
            }
            _ => return Err(Code::NotPermitted),
        };
        if self.in_wrap_up(id) {
            return Ok(());
        }
        let now = self.now;
        let wrap_up = self.queue(self.chat(id).unwrap()).wrap_up;
        let (interaction, answered) = (id, self.chat(id).unwrap().answered);
        let conversation = self.chat(id).unwrap().conversation;
        if let Where::Offer { to, .. } = &self.chat(id).unwrap().at {
            let agent = to.clone();
            self.withdraw(&agent, WithdrawnWhy::CustomerLeft);
        }
        self.told.push(Event::ChatEnded { interaction, by: side });
        let chat = self.chat_mut(id);
        chat.unanswered = None;
        match &mut chat.at {
            Where::Inbox { of, place, wrap, unopened } => {
                *unopened = None;
                let clock = match (wrap_up.time, *place) {
                    (None, _) => Clock::None,
                    (Some(time), Place::Active) => Clock::Runs(now + time),
                    (Some(time), Place::New | Place::Parked) => Clock::Stands(time),
                };
                *wrap = Some(Wrap { seen: side == Side::Agent, clock, extensions: wrap_up.extensions });
                let deadline = match clock {
                    Clock::Runs(until) => Some(until),
                    Clock::None | Clock::Stands(_) => None,
                };
                let (agent, time) = (of.clone(), wrap_up.time);
                self.told.push(Event::WrapUpStarted { interaction, agent, deadline, time });
            }
            Where::Line | Where::Offer { .. } => {
                self.chats.retain(|c| c.id != id);
                let outcome = if answered { Outcome::Answered } else { Outcome::Abandoned };
                let (agent, log) = (None, answered);
                self.told.push(Event::InteractionClosed {
                    interaction,
                    conversation,
                    outcome,
                    agent,
                    log,
                    service: None,
                });
            }
        }
        Ok(())
    }

    fn extend(&mut self, agent: &AgentId, id: InteractionId) -> Answer {
        let policy = self.queue(self.own(agent, id)?).wrap_up;
        let Where::Inbox { wrap, .. } = &mut self.chat_mut(id).at else { unreachable!() };
        let wrap = wrap.as_mut().ok_or(Code::WrongState)?;
        let (clock, deadline, time_left) = match wrap.clock {
            Clock::None => return Err(Code::WrongState),
            Clock::Runs(until) => {
                let until = until + policy.extension;
                (Clock::Runs(until), Some(until), None)
            }
            Clock::Stands(left) => {
                let left = Millis(left.0 + policy.extension.0);
                (Clock::Stands(left), None, Some(left))
            }
        };
        if wrap.extensions == 0 {
            return Err(Code::NoExtensionsLeft);
        }
        wrap.extensions -= 1;
        wrap.clock = clock;
        let extensions_left = wrap.extensions;
        self.told.push(Event::WrapUpExtended { interaction: id, deadline, time_left, extensions_left });
        Ok(())
    }

    fn choose(
        &mut self,
        agent: &AgentId,
        id: InteractionId,
        connection: &ConnectionId,
        contact: &Option<Record>,
    ) -> Answer {
        let own_call = |c: &&mut Call| c.id == id && c.on_the_phone() == Some(agent);
        let known = self.policy.connections.iter().any(|c| c.id == *connection);
        let chosen = if self.own(agent, id).is_ok() {
            &mut self.chat_mut(id).chosen
        } else {
            &mut self.calls.iter_mut().find(own_call).ok_or(Code::NotFound)?.chosen
        };
        if !known {
            return Err(Code::NotFound);
        }
        if chosen.iter().any(|(c, r)| c == connection && r == contact) {
            return Ok(());
        }
        chosen.retain(|(c, _)| c != connection);
        chosen.push((connection.clone(), contact.clone()));
        let (agent, connection, contact) = (agent.clone(), connection.clone(), contact.clone());
        self.told.push(Event::ContactChosen { interaction: id, agent, connection, contact });
        Ok(())
    }

    fn delivered(&mut self, id: InteractionId, connection: &ConnectionId, state: &LogState) {
        let Some(shut) = self.shut.iter_mut().find(|s| s.id == id) else { return };
        if shut.states.iter().any(|(c, s)| c == connection && s == state) {
            return;
        }
        shut.states.retain(|(c, _)| c != connection);
        shut.states.push((connection.clone(), state.clone()));
        let (connection, state) = (connection.clone(), state.clone());
        self.told.push(Event::DeliveryReported { interaction: id, connection, state });
    }

    // ---- calls ------------------------------------------------------------------------------------------------

    fn call(
        &mut self,
        by: &Actor,
        name: &CallId,
        interaction: InteractionId,
        conversation: ConversationId,
        fact: &CallFact,
    ) -> Answer {
        if !matches!(by, Actor::Producer { .. }) {
            return Err(Code::NotPermitted);
        }
        if self.over.contains(name) {
            self.after_the_end(name, fact);
            return Ok(());
        }
        let at = self.calls.iter().position(|c| c.name == *name);
        let in_use = self.chat(interaction).is_some() || self.calls.iter().any(|c| c.id == interaction);
        if at.is_none() && in_use {
            return Err(Code::WrongState);
        }
        match fact {
            CallFact::Ringing { agents, queue, numbers, withheld, direction } => {
                if agents.is_empty() || agents.len() > 100 {
                    return Err(Code::Invalid);
                }
                let mut ours: Vec<AgentId> = agents.iter().filter_map(|a| self.named(a)).collect();
                ours.sort();
                ours.dedup();
                if ours.is_empty() {
                    return Err(Code::NotFound);
                }
                let before = at.map(|i| self.calls[i].rings.clone()).unwrap_or_default();
                if at.is_some_and(|i| self.calls[i].on_the_phone().is_some()) || before == ours {
                    return Ok(());
                }
                for agent in &ours {
                    self.withdraw(agent, WithdrawnWhy::Call);
                    if self.policy.calls.park_on == ParkOn::Ringing {
                        self.park(agent, ParkedBy::Call);
                    }
                }
                let at = self.heard_of(name, interaction, conversation);
                self.calls[at].rings.clone_from(&ours);
                let (interaction, conversation) = (self.calls[at].id, self.calls[at].conversation);
                self.told.push(Event::CallRang {
                    call: name.clone(),
                    interaction,
                    conversation,
                    queue: queue.clone(),
                    agents: ours.clone(),
                    numbers: *numbers,
                    withheld: *withheld,
                    direction: *direction,
                });
                self.no_more_at(before.iter().filter(|a| !ours.contains(a)));
            }
            CallFact::Dialled { agent, queue, numbers } => {
                let agent = self.named(agent).ok_or(Code::NotFound)?;
                if at.is_some_and(|i| self.calls[i].on_the_phone().is_some()) {
                    return Ok(());
                }
                self.withdraw(&agent, WithdrawnWhy::Call);
                self.park(&agent, ParkedBy::Call);
                let at = self.heard_of(name, interaction, conversation);
                let rang = std::mem::take(&mut self.calls[at].rings);
                self.calls[at].dialled = Some(agent.clone());
                self.told.push(Event::CallDialled {
                    call: name.clone(),
                    interaction: self.calls[at].id,
                    conversation: self.calls[at].conversation,
                    queue: queue.clone(),
                    agent: agent.clone(),
                    numbers: *numbers,
                });
                self.no_more_at(rang.iter().filter(|a| **a != agent));
            }
            CallFact::RecordingReady { recording } => {
                let at = at.ok_or(Code::NotFound)?;
                if self.calls[at].recording != Some(*recording) {
                    self.calls[at].recording = Some(*recording);
                    self.told.push(Event::RecordingReady {
                        call: name.clone(),
                        interaction: self.calls[at].id,
                        conversation: self.calls[at].conversation,
                        recording: *recording,
                        log: false,
                    });
                }
            }
            CallFact::Answered { agent } => {
                let agent = self.named(agent).ok_or(Code::NotFound)?;
                if at.is_some_and(|i| self.calls[i].answered.is_some()) {
                    return Ok(());
                }
                self.withdraw(&agent, WithdrawnWhy::Call);
                self.park(&agent, ParkedBy::Call);
                let at = self.heard_of(name, interaction, conversation);
                let mut rang = std::mem::take(&mut self.calls[at].rings);
                rang.extend(self.calls[at].dialled.take());
                self.calls[at].answered = Some(agent.clone());
                let (interaction, conversation) = (self.calls[at].id, self.calls[at].conversation);
                self.told.push(Event::CallAnswered {
                    call: name.clone(),
                    interaction,
                    conversation,
                    agent: agent.clone(),
                });
                self.no_more_at(rang.iter().filter(|a| **a != agent));
            }
            CallFact::Ended => {
                self.over.push(name.clone());
                let Some(at) = at else {
                    let (call, outcome) = (name.clone(), Outcome::Missed);
                    self.told.push(Event::CallEnded { call, interaction, outcome });
                    return Ok(());
                };
                let call = self.calls.remove(at);
                let outcome = if call.answered.is_some() { Outcome::Answered } else { Outcome::Missed };
                self.told.push(Event::CallEnded { call: name.clone(), interaction: call.id, outcome });
                let log = match self.policy.calls.log {
                    CallLogs::None => false,
                    CallLogs::Answered => call.answered.is_some(),
                    CallLogs::All => true,
                };
                let agent = call.on_the_phone().cloned();
                self.told.push(Event::InteractionClosed {
                    interaction: call.id,
                    conversation: call.conversation,
                    outcome,
                    agent: agent.clone(),
                    log,
                    service: None,
                });
                let (id, conversation, recording) = (call.id, call.conversation, call.recording);
                self.gone.push(Gone { name: name.clone(), id, conversation, recording, log });
                if let Some(agent) = agent {
                    let now = self.now;
                    self.agent_mut(&agent).idle = now;
                    if log {
                        self.list(call.id, agent);
                    }
                }
                self.no_more_at(call.rings.iter().chain(&call.dialled).chain(&call.answered));
            }
        }
        Ok(())
    }

    /// Only a recording still counts.
    fn after_the_end(&mut self, name: &CallId, fact: &CallFact) {
        let CallFact::RecordingReady { recording } = fact else { return };
        let Some(gone) = self.gone.iter_mut().find(|g| g.name == *name) else { return };
        if gone.recording != Some(*recording) {
            gone.recording = Some(*recording);
            self.told.push(Event::RecordingReady {
                call: name.clone(),
                interaction: gone.id,
                conversation: gone.conversation,
                recording: *recording,
                log: gone.log,
            });
        }
    }

    fn named(&self, name: &str) -> Option<AgentId> {
        let by_id = self.policy.agents.keys().find(|id| id.as_str() == name);
        let by_extension = || {
            self.policy.agents.iter().find(|(_, a)| a.extension.as_deref() == Some(name)).map(|(id, _)| id)
        };
        by_id.or_else(by_extension).cloned()
    }

    fn heard_of(&mut self, name: &CallId, id: InteractionId, conversation: ConversationId) -> usize {
        if let Some(at) = self.calls.iter().position(|c| c.name == *name) {
            return at;
        }
        let (name, rings) = (name.clone(), Vec::new());
        let (dialled, answered, recording, chosen) = (None, None, None, Vec::new());
        self.calls.push(Call { name, id, conversation, rings, dialled, answered, recording, chosen });
        self.calls.len() - 1
    }

    /// A call no longer concerns these agents; what it parked may go on, and what they wished for may be.
    fn no_more_at<'a>(&mut self, agents: impl Iterator<Item = &'a AgentId>) {
        let agents: Vec<AgentId> = agents.cloned().collect();
        for agent in agents {
            if !self.calls_at(&agent).is_empty() {
                continue;
            }
            let parked = self.agent_mut(&agent).call_parked.take();
            if self.active(&agent).is_some() {
                continue;
            }
            let goes_on = parked
                .filter(|id| self.in_wrap_up(*id) || self.policy.calls.after_call == AfterCall::ResumeLast);
            match goes_on {
                Some(id) => self.activate(&agent, id),
                None => self.grant_wish(&agent),
            }
        }
    }
}
