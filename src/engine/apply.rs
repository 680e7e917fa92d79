//! Makes events so. Cannot fail: what `decide` let through fits, and what a damaged journal might hold beyond that
//! changes nothing.

use crate::state::{
    Agent, Call, CallState, Chat, Closed, ENDED_CALLS_MAX, EndedCall, Engine, Offer, OfferFate,
    PAST_OFFERS_MAX, RECENT_LOGS_MAX, Stage, Talk, WrapClock,
};
use crate::timers::deadline_of;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use tieline_model::command::Presence;
use tieline_model::crm::{Direction, Outcome, Side};
use tieline_model::event::PresenceWhy;
use tieline_model::live::Place;
use tieline_model::policy::TenantPolicy;
use tieline_model::{AgentId, CallId, ConversationId, Event, InteractionId, Millis, Timestamp};

impl Engine {
    /// Makes one event so. Events come in journal order, each once.
    pub fn apply(&mut self, at: Timestamp, event: &Event) {
        self.seq = self.seq.next();
        self.now = self.now.max(at);
        match event {
            Event::TenantOpened { seed } => self.seed = *seed,
            Event::Configured { policy } => self.configured(policy),
            Event::Resumed { down } => self.resumed(*down),
            Event::AgentConnected { agent, session } => self.with_agent(agent, |a| {
                a.sessions.insert(*session);
            }),
            Event::AgentDisconnected { agent, session } => self.with_agent(agent, |a| {
                a.sessions.remove(session);
            }),
            Event::PresenceChanged { agent, presence, why } => self.with_agent(agent, |a| {
                if presence == &Presence::Available && a.presence != Presence::Available {
                    a.idle_since = at;
                }
                a.presence = presence.clone();
                match why {
                    PresenceWhy::Chosen | PresenceWhy::WishGranted | PresenceWhy::Removed => a.wish = None,
                    PresenceWhy::Rejected | PresenceWhy::Missed => {}
                }
            }),
            Event::PresenceWished { agent, presence } => {
                self.with_agent(agent, |a| a.wish.clone_from(presence))
            }
            Event::ChatStarted { interaction, conversation, queue, person } => {
                let chat = Chat {
                    id: *interaction,
                    conversation: *conversation,
                    queue: queue.clone(),
                    person: *person,
                    started_at: at,
                    answered_at: None,
                    stage: Stage::Waiting,
                    version: 0,
                    past_offers: VecDeque::new(),
                    unanswered_since: None,
                    codes: Vec::new(),
                    remarks: None,
                    found: BTreeMap::new(),
                };
                self.chats.insert(*interaction, chat);
                self.line_up(*interaction);
            }
            Event::ChatOffered { interaction, agent, offer, version, deadline } => {
                let offer = Offer { id: *offer, agent: agent.clone(), at, deadline: *deadline };
                self.offered(*interaction, offer, *version);
            }
            Event::OfferAccepted { interaction, agent, .. } => {
                self.offer_over(*interaction, OfferFate::Accepted, at);
                self.own(*interaction, agent, Place::Active, None);
                self.with_chat(*interaction, |c| c.answered_at = c.answered_at.or(Some(at)));
                self.with_agent(agent, |a| a.active = Some(*interaction));
            }
            Event::OfferRejected { interaction, .. } => {
                self.offer_over(*interaction, OfferFate::Rejected, at)
            }
            Event::OfferMissed { interaction, .. } => self.offer_over(*interaction, OfferFate::Missed, at),
            Event::OfferWithdrawn { interaction, .. } => {
                self.offer_over(*interaction, OfferFate::Withdrawn, at)
            }
            Event::ChatAssigned { interaction, agent, deadline, .. } => {
                self.own(*interaction, agent, Place::New, *deadline);
                self.with_agent(agent, |a| a.idle_since = at);
            }
            Event::ChatReturned { interaction, agent, .. } => self.returned(*interaction, agent, at),
            Event::ItemActivated { interaction, agent, wrap_up_deadline } => {
                self.activated(*interaction, agent, *wrap_up_deadline, at);
            }
            Event::ItemParked { interaction, agent, by, wrap_up_left } => {
                self.parked(*interaction, agent, *by, *wrap_up_left, at);
            }
            Event::MessageSent { interaction, from, .. } => self.with_chat(*interaction, |c| {
                c.unanswered_since = match from {
                    Side::Customer => c.unanswered_since.or(Some(at)),
                    Side::Agent => None,
                };
            }),
            Event::ChatEnded { interaction, by } => self.ended(*interaction, *by, at),
            Event::EndSeen { interaction } => self.wrap_up(*interaction, |_, seen, _| *seen = true),
            Event::WrapUpStarted { interaction, deadline, time, .. } => {
                self.wrap_up(*interaction, |clock, _, _| *clock = wrap_clock(*deadline, *time));
            }
            Event::WrapUpExtended { interaction, deadline, time_left, extensions_left } => {
                self.wrap_up(*interaction, |clock, _, left| {
                    *clock = wrap_clock(*deadline, *time_left);
                    *left = *extensions_left;
                });
            }
            Event::WrapUpCompleted { interaction, agent, not_classified, .. } => {
                self.completed(*interaction, agent, *not_classified, at);
            }
            Event::Classified { interaction, codes, remarks, .. } => self.with_chat(*interaction, |c| {
                c.codes.clone_from(codes);
                c.remarks = remarks.or(c.remarks);
            }),
            Event::InteractionClosed { interaction, outcome, agent, log, .. } => {
                self.forget_chat(*interaction);
                if *log {
                    self.call_logged(*interaction, agent.as_ref(), *outcome, at);
                }
                if let Some(closed) = self.closed.get_mut(interaction) {
                    closed.outcome = *outcome;
                }
            }
            Event::CallRang {
                call,
                interaction,
                conversation,
                queue,
                agents,
                numbers,
                withheld,
                direction,
            } => {
                self.call_known(call, *interaction, *conversation, at);
                if let Some(c) = self.calls.get_mut(interaction) {
                    c.queue.clone_from(queue);
                    c.numbers = Some(*numbers);
                    c.withheld = *withheld;
                    c.direction = *direction;
                }
                self.rings_at(*interaction, agents.iter().cloned().collect());
            }
            Event::CallDialled { call, interaction, conversation, queue, agent, numbers } => {
                self.call_known(call, *interaction, *conversation, at);
                if let Some(c) = self.calls.get_mut(interaction) {
                    c.queue.clone_from(queue);
                    c.numbers = Some(*numbers);
                    c.withheld = false;
                    c.direction = Direction::Outbound;
                }
                self.on_the_phone(*interaction, CallState::Dialled { agent: agent.clone() });
            }
            Event::CallAnswered { call, interaction, conversation, agent } => {
                self.call_known(call, *interaction, *conversation, at);
                self.on_the_phone(*interaction, CallState::Answered { agent: agent.clone(), at });
            }
            Event::CallEnded { call, interaction, .. } => self.call_over(call, *interaction, at),
            Event::RecordingReady { call, interaction, recording, .. } => {
                if let Some(c) = self.calls.get_mut(interaction) {
                    c.recording = Some(*recording);
                } else if let Some(ended) = self.ended.get_mut(call) {
                    ended.recording = Some(*recording);
                }
            }
            Event::LookedUp { interaction, connection, result, matches } => {
                if let Some(found) = self.found(*interaction) {
                    let entry = found.entry(connection.clone()).or_default();
                    entry.result = Some(result.clone());
                    entry.matches = *matches;
                }
            }
            Event::ContactChosen { interaction, connection, contact, .. } => {
                if let Some(found) = self.found(*interaction) {
                    found.entry(connection.clone()).or_default().chosen = Some(contact.clone());
                }
            }
            Event::DeliveryReported { interaction, connection, state } => {
                if let Some(closed) = self.closed.get_mut(interaction) {
                    closed.deliveries.insert(connection.clone(), state.clone());
                }
            }
        }
        debug_assert!(self.agents.iter().all(|(id, a)| self.sound(id, a)), "unsound after {event:?}");
    }

    /// What must hold of every agent after every event.
    fn sound(&self, id: &AgentId, agent: &Agent) -> bool {
        let owns = |i: &InteractionId| matches!(self.chats.get(i).map(|c| &c.stage), Some(Stage::Owned { agent, .. }) if agent == id);
        let offered = |i: InteractionId| matches!(self.chats.get(&i).map(|c| &c.stage), Some(Stage::Offered(o)) if o.agent == *id);
        agent.inbox.iter().all(owns)
            && agent.active.is_none_or(|i| agent.inbox.contains(&i) && self.place(i) == Some(Place::Active))
            && agent.offered.is_none_or(offered)
    }

    fn with_agent(&mut self, id: &AgentId, change: impl FnOnce(&mut Agent)) {
        change(self.agents.entry(id.clone()).or_default());
        self.reindex_agent(id);
    }

    fn with_chat(&mut self, id: InteractionId, change: impl FnOnce(&mut Chat)) {
        if let Some(chat) = self.chats.get_mut(&id) {
            change(chat);
        }
    }

    /// The one way a chat's stage changes: keeps line and deadlines in step.
    pub(crate) fn set_stage(&mut self, id: InteractionId, stage: Stage) {
        let Some(chat) = self.chats.get(&id) else { return };
        if let Some(entry) = deadline_of(id, &chat.stage) {
            self.index.deadlines.remove(&entry);
        }
        if matches!(chat.stage, Stage::Waiting) {
            self.leave_line(id);
        }
        self.index.deadlines.extend(deadline_of(id, &stage));
        let waits = matches!(stage, Stage::Waiting);
        self.with_chat(id, |c| c.stage = stage);
        if waits {
            self.line_up(id);
        }
    }

    fn configured(&mut self, policy: &TenantPolicy) {
        self.policy = policy.clone();
        for id in policy.agents.keys() {
            self.agents.entry(id.clone()).or_default();
        }
        self.rebuild();
    }

    fn resumed(&mut self, down: Millis) {
        for chat in self.chats.values_mut() {
            match &mut chat.stage {
                Stage::Waiting => {}
                Stage::Offered(offer) => offer.deadline = offer.deadline + down,
                Stage::Owned { talk: Talk::Open { unopened_deadline }, .. } => {
                    *unopened_deadline = unopened_deadline.map(|at| at + down);
                }
                Stage::Owned { talk: Talk::WrapUp { clock, .. }, .. } => {
                    if let WrapClock::Running { deadline } = clock {
                        *deadline = *deadline + down;
                    }
                }
            }
        }
        for agent in self.agents.values_mut() {
            agent.sessions.clear();
        }
        self.rebuild();
    }

    fn offered(&mut self, id: InteractionId, offer: Offer, version: u32) {
        let agent = offer.agent.clone();
        self.offers.insert(offer.id, id);
        self.set_stage(id, Stage::Offered(offer));
        self.with_chat(id, |c| c.version = version);
        self.with_agent(&agent, |a| a.offered = Some(id));
    }

    fn offer_over(&mut self, id: InteractionId, fate: OfferFate, at: Timestamp) {
        let Some(Chat { stage: Stage::Offered(offer), .. }) = self.chats.get(&id) else { return };
        let offer = offer.clone();
        self.set_stage(id, Stage::Waiting);
        self.with_chat(id, |c| c.past_offers.push_back((offer.id, offer.agent.clone(), fate)));
        while self.chats.get(&id).is_some_and(|c| c.past_offers.len() > PAST_OFFERS_MAX) {
            let oldest = self.chats.get_mut(&id).and_then(|c| c.past_offers.pop_front());
            oldest.map(|(offer, _, _)| self.offers.remove(&offer));
        }
        self.with_agent(&offer.agent, |a| {
            a.offered = None;
            match fate {
                OfferFate::Accepted | OfferFate::Rejected | OfferFate::Missed => a.idle_since = at,
                // Nobody's doing; it must not cost the agent's place among the idle (A10).
                OfferFate::Withdrawn => {}
            }
        });
    }

    fn own(
        &mut self,
        id: InteractionId,
        agent: &AgentId,
        place: Place,
        unopened_deadline: Option<Timestamp>,
    ) {
        let talk = Talk::Open { unopened_deadline };
        self.set_stage(id, Stage::Owned { agent: agent.clone(), place, talk });
        self.with_agent(agent, |a| {
            a.inbox.insert(id);
        });
    }

    fn returned(&mut self, id: InteractionId, agent: &AgentId, at: Timestamp) {
        self.set_stage(id, Stage::Waiting);
        self.let_go(id, agent, at);
    }

    fn let_go(&mut self, id: InteractionId, agent: &AgentId, at: Timestamp) {
        self.with_agent(agent, |a| {
            a.inbox.remove(&id);
            a.active = a.active.filter(|i| *i != id);
            a.parked_by_call = a.parked_by_call.filter(|i| *i != id);
            a.idle_since = at;
        });
    }

    fn activated(&mut self, id: InteractionId, agent: &AgentId, deadline: Option<Timestamp>, at: Timestamp) {
        let Some(Chat { stage: Stage::Owned { talk, .. }, .. }) = self.chats.get(&id) else { return };
        let talk = match talk.clone() {
            Talk::Open { .. } => Talk::Open { unopened_deadline: None },
            Talk::WrapUp { ended_at, ended_by, clock, extensions_left, .. } => Talk::WrapUp {
                ended_at,
                ended_by,
                seen: true,
                clock: deadline.map_or(clock, |deadline| WrapClock::Running { deadline }),
                extensions_left,
            },
        };
        let open = matches!(talk, Talk::Open { .. });
        self.set_stage(id, Stage::Owned { agent: agent.clone(), place: Place::Active, talk });
        self.with_chat(id, |c| {
            if open {
                c.answered_at = c.answered_at.or(Some(at));
            }
        });
        self.with_agent(agent, |a| {
            a.active = Some(id);
            a.parked_by_call = None;
        });
    }

    fn parked(
        &mut self,
        id: InteractionId,
        agent: &AgentId,
        by: tieline_model::event::ParkedBy,
        left: Option<Millis>,
        at: Timestamp,
    ) {
        let Some(Chat { stage: Stage::Owned { talk, .. }, .. }) = self.chats.get(&id) else { return };
        let mut talk = talk.clone();
        if let (Talk::WrapUp { clock, .. }, Some(left)) = (&mut talk, left) {
            *clock = WrapClock::Stopped { left };
        }
        self.set_stage(id, Stage::Owned { agent: agent.clone(), place: Place::Parked, talk });
        self.with_agent(agent, |a| {
            a.active = a.active.filter(|i| *i != id);
            a.idle_since = at;
            if by == tieline_model::event::ParkedBy::Call {
                a.parked_by_call = Some(id);
            }
        });
    }

    fn ended(&mut self, id: InteractionId, by: Side, at: Timestamp) {
        let Some(Chat { stage: Stage::Owned { agent, place, .. }, queue, .. }) = self.chats.get(&id) else {
            return;
        };
        let extensions_left = self.policy.queues.get(queue).map_or(0, |q| q.wrap_up.extensions);
        let talk = Talk::WrapUp {
            ended_at: at,
            ended_by: by,
            seen: by == Side::Agent,
            clock: WrapClock::Unlimited,
            extensions_left,
        };
        let stage = Stage::Owned { agent: agent.clone(), place: *place, talk };
        self.set_stage(id, stage);
        self.with_chat(id, |c| c.unanswered_since = None);
    }

    fn wrap_up(&mut self, id: InteractionId, change: impl FnOnce(&mut WrapClock, &mut bool, &mut u32)) {
        let Some(chat) = self.chats.get(&id) else { return };
        let mut stage = chat.stage.clone();
        if let Stage::Owned { talk: Talk::WrapUp { clock, seen, extensions_left, .. }, .. } = &mut stage {
            change(clock, seen, extensions_left);
            self.set_stage(id, stage);
        }
    }

    fn completed(&mut self, id: InteractionId, agent: &AgentId, not_classified: bool, at: Timestamp) {
        self.let_go(id, agent, at);
        let Some(person) = self.chats.get(&id).map(|c| c.person) else { return };
        let closed = Closed {
            agent: agent.clone(),
            person: Some(person),
            call: None,
            at,
            outcome: Outcome::Answered,
            not_classified,
            deliveries: BTreeMap::new(),
        };
        self.list(id, closed);
    }

    /// Lists a closed interaction among its agent's latest.
    fn list(&mut self, id: InteractionId, closed: Closed) {
        let agent = closed.agent.clone();
        self.closed.insert(id, closed);
        let mut dropped = None;
        self.with_agent(&agent, |a| {
            a.recent.push_front(id);
            if a.recent.len() > RECENT_LOGS_MAX {
                dropped = a.recent.pop_back();
            }
        });
        dropped.map(|id| self.closed.remove(&id));
    }

    fn forget_chat(&mut self, id: InteractionId) {
        self.set_stage(id, Stage::Waiting);
        self.leave_line(id);
        if let Some(chat) = self.chats.remove(&id) {
            for (offer, _, _) in &chat.past_offers {
                self.offers.remove(offer);
            }
        }
    }

    fn found(
        &mut self,
        id: InteractionId,
    ) -> Option<&mut BTreeMap<tieline_model::ConnectionId, crate::Found>> {
        match self.chats.get_mut(&id) {
            Some(chat) => Some(&mut chat.found),
            None => self.calls.get_mut(&id).map(|c| &mut c.found),
        }
    }

    fn call_known(&mut self, call: &CallId, id: InteractionId, conversation: ConversationId, at: Timestamp) {
        self.call_ids.entry(call.clone()).or_insert(id);
        self.calls.entry(id).or_insert_with(|| Call {
            id,
            call: call.clone(),
            conversation,
            queue: None,
            numbers: None,
            withheld: false,
            direction: Direction::Inbound,
            started_at: at,
            state: CallState::Ringing { agents: BTreeSet::new() },
            recording: None,
            found: BTreeMap::new(),
        });
    }

    fn rings_at(&mut self, id: InteractionId, agents: BTreeSet<AgentId>) {
        self.call_leaves(id, |agent| !agents.contains(agent));
        for agent in &agents {
            self.with_agent(agent, |a| {
                a.calls.insert(id);
            });
        }
        if let Some(call) = self.calls.get_mut(&id) {
            call.state = CallState::Ringing { agents };
        }
    }

    /// The call is no longer at those of its agents who are `done` with it.
    fn call_leaves(&mut self, id: InteractionId, done: impl Fn(&AgentId) -> bool) {
        let Some(call) = self.calls.get(&id) else { return };
        let gone: Vec<AgentId> = call.state.holders().into_iter().filter(|a| done(a)).collect();
        for agent in gone {
            let other = self.other_call(&agent, id);
            self.with_agent(&agent, |a| {
                a.calls.remove(&id);
                a.talking = a.talking.filter(|i| *i != id).or(other);
                a.parked_by_call = a.parked_by_call.filter(|_| !a.calls.is_empty());
            });
        }
    }

    /// An agent has dialled or answered.
    fn on_the_phone(&mut self, id: InteractionId, state: CallState) {
        let Some(agent) = state.on_the_phone().cloned() else { return };
        self.call_leaves(id, |other| *other != agent);
        if let Some(call) = self.calls.get_mut(&id) {
            call.state = state;
        }
        self.with_agent(&agent, |a| {
            a.calls.insert(id);
            a.talking = Some(id);
        });
    }

    /// Another call that the agent is on, if there is one.
    fn other_call(&self, agent: &AgentId, but: InteractionId) -> Option<InteractionId> {
        let calls = self.agents.get(agent)?.calls.iter();
        calls.copied().filter(|id| *id != but).find(|id| {
            let call = self.calls.get(id);
            call.is_some_and(|call| call.state.on_the_phone() == Some(agent))
        })
    }

    fn call_over(&mut self, call: &CallId, id: InteractionId, at: Timestamp) {
        self.call_leaves(id, |_| true);
        if let Some(over) = self.calls.remove(&id) {
            if let Some(agent) = over.state.on_the_phone() {
                self.with_agent(agent, |a| a.idle_since = at);
            }
            let ended = EndedCall {
                interaction: id,
                conversation: over.conversation,
                direction: over.direction,
                numbers: over.numbers,
                recording: over.recording,
                log: false,
            };
            self.ended.insert(call.clone(), ended);
        }
        self.call_ids.remove(call);
        self.ended_calls.push_back(call.clone());
        if self.ended_calls.len() > ENDED_CALLS_MAX
            && let Some(oldest) = self.ended_calls.pop_front()
        {
            self.ended.remove(&oldest);
        }
    }

    /// The call that has just ended is logged: late facts of it are too, and its agent sees where the log stands.
    fn call_logged(&mut self, id: InteractionId, agent: Option<&AgentId>, outcome: Outcome, at: Timestamp) {
        let latest = self.ended_calls.back().and_then(|call| self.ended.get_mut(call));
        let Some(call) = latest.filter(|call| call.interaction == id) else { return };
        call.log = true;
        let (person, direction) = (call.numbers, call.direction);
        let Some(agent) = agent.cloned() else { return };
        let deliveries = BTreeMap::new();
        let call = Some(direction);
        self.list(id, Closed { agent, person, call, at, outcome, not_classified: false, deliveries });
    }
}

fn wrap_clock(deadline: Option<Timestamp>, time: Option<Millis>) -> WrapClock {
    match (deadline, time) {
        (Some(deadline), _) => WrapClock::Running { deadline },
        (None, Some(left)) => WrapClock::Stopped { left },
        (None, None) => WrapClock::Unlimited,
    }
}
