//! Makes events so. Cannot fail: what `decide` let through fits, and what a damaged journal might hold beyond that
//! changes nothing.

mod agents;
mod calls;
mod chats;
mod offers;
mod wrap_up;

use crate::state::{
    Agent, CallState, Chat, Engine, Offer, OfferFate, Stage, Talk, Transfer, Turned, WrapClock,
};
use std::collections::BTreeMap;
use tieline_model::command::Open;
use tieline_model::crm::Direction;
use tieline_model::event::{Guest, Suggestion};
use tieline_model::live::Place;
use tieline_model::policy::TenantPolicy;
use tieline_model::{AgentId, Event, InteractionId, Millis, ScheduleId, Timestamp};

impl Engine {
    /// Makes one event so. Events come in journal order, each once.
    pub fn apply(&mut self, at: Timestamp, event: &Event) {
        self.seq = self.seq.next();
        self.now = self.now.max(at);
        match event {
            Event::TenantOpened { seed } => self.seed = *seed,
            Event::Configured { policy } => self.configured(policy),
            Event::Resumed { down } => self.resumed(*down, at),
            Event::HoursSet { hours } => self.hours_set(hours),
            Event::HoursTurned { schedule, open, next } => {
                self.hours_turned(schedule, Turned { open: *open, next: *next });
            }
            Event::DayBegan { day } => self.day_began(day),
            Event::SupervisorActed { act, .. } => self.supervised(act),
            Event::AgentConnected { agent, session } => self.connected(agent, *session),
            Event::AgentDisconnected { agent, session } => self.disconnected(agent, *session, at),
            Event::PresenceChanged { agent, presence, why } => {
                self.presence_changed(agent, presence, *why, at)
            }
            Event::PresenceWished { agent, presence } => {
                self.with_agent(agent, |a| a.wish.clone_from(presence));
            }
            Event::AvailabilityChanged { agent, channels, queues } => self.with_agent(agent, |a| {
                a.channels.clone_from(channels);
                a.queues.clone_from(queues);
            }),
            Event::ChatStarted {
                interaction,
                conversation,
                queue,
                person,
                skills,
                marks,
                previous,
                preferred,
            } => {
                let chat = Chat {
                    skills: skills.clone(),
                    marks: marks.clone(),
                    previous: *previous,
                    preferred: preferred.clone(),
                    ..Chat::new(*interaction, *conversation, Some(queue.clone()), Some(*person), at)
                };
                let left = previous.as_ref().and_then(|previous| self.left.get_mut(previous));
                if let Some(left) = left.filter(|left| left.conversation == *conversation) {
                    left.returned_as = Some(*interaction);
                }
                self.started(chat);
            }
            Event::NeedsRelaxed { interaction, steps } => {
                self.move_chat(*interaction, |c| c.relaxed = *steps)
            }
            Event::DeclineForgotten { interaction, agent } => self.with_chat(*interaction, |c| {
                c.declined.remove(agent);
            }),
            Event::ChatOverflowed { interaction, from, to, deadline, .. } => {
                self.overflowed(*interaction, from, to.as_ref(), *deadline, at);
            }
            Event::ChatOffered { interaction, agent, offer, version, deadline } => {
                let offer = Offer { id: *offer, agent: agent.clone(), at, deadline: *deadline };
                self.offered(*interaction, offer, *version);
            }
            Event::OfferAccepted { interaction, agent, .. } => self.accepted(*interaction, agent, at),
            Event::OfferRejected { interaction, agent, .. } => {
                self.offer_over(*interaction, OfferFate::Rejected, at);
                self.with_agent(agent, |a| a.today.rejected += 1);
            }
            Event::OfferMissed { interaction, agent, .. } => {
                self.offer_over(*interaction, OfferFate::Missed, at);
                self.with_agent(agent, |a| a.today.missed += 1);
            }
            Event::OfferWithdrawn { interaction, agent, why, .. } => {
                self.offer_over(*interaction, OfferFate::Withdrawn, at);
                self.taken_back(*interaction, agent, *why, at);
            }
            Event::TransferOffered { interaction, to, offer, deadline, note, warm, .. } => {
                let offer = Offer { id: *offer, agent: to.clone(), at, deadline: *deadline };
                self.transfer_offered(*interaction, Transfer { offer, note: *note, warm: *warm });
            }
            Event::TransferAccepted { interaction, from, to, warm, .. } => {
                self.transfer_over(*interaction, OfferFate::Accepted, at);
                if *warm {
                    self.joined(*interaction, to, Guest::Consulted);
                } else {
                    self.handed_over(*interaction, from, to, at);
                }
            }
            Event::TransferFailed { interaction, to, failed, .. } => {
                self.transfer_failed(*interaction, to, *failed, at);
            }
            Event::HandedOver { interaction, from, to } => {
                self.left_chat(*interaction, to);
                self.handed_over(*interaction, from, to, at);
            }
            Event::ChatAssigned { interaction, agent, how, deadline } => {
                self.assigned(*interaction, agent, *how, *deadline, at);
            }
            Event::ChatReturned { interaction, agent, why } => self.returned(*interaction, agent, *why, at),
            Event::ChatTransferred { interaction, agent, to, .. } => {
                self.transferred(*interaction, agent, to, at);
            }
            Event::GuestJoined { interaction, agent, guest } => self.joined(*interaction, agent, *guest),
            Event::GuestLeft { interaction, agent } => self.left_chat(*interaction, agent),
            Event::ItemActivated { interaction, agent, wrap_up_deadline } => {
                self.activated(*interaction, agent, *wrap_up_deadline, at);
            }
            Event::ItemParked { interaction, agent, by, wrap_up_left } => {
                self.parked(*interaction, agent, *by, *wrap_up_left, at);
            }
            Event::MessageSent { interaction, from, agent, .. }
            | Event::FileSent { interaction, from, agent, .. } => {
                self.said(*interaction, *from, agent.as_ref(), at);
            }
            Event::NoticeSent { interaction, notice, .. } => self.noticed(*interaction, *notice, at),
            Event::Suggested { interaction, suggestion } => self.suggested(*interaction, *suggestion),
            Event::CaseOpened { interaction, .. } => self.with_chat(*interaction, |c| {
                c.case_opened = true;
                c.suggested.remove(&Suggestion::OpenCase);
            }),
            Event::AbuseFlagged { interaction, blocked, .. } => {
                self.with_chat(*interaction, |c| c.abusive = true);
                self.blocked.extend(blocked.iter().cloned());
            }
            Event::ChatEnded { interaction, by } => self.ended(*interaction, *by, at),
            Event::ChatReopened { interaction, agent } => self.reopened(*interaction, agent, at),
            Event::EndSeen { interaction } => self.wrap_up(*interaction, |_, seen, _| *seen = true),
            Event::WrapUpStarted { interaction, agent, deadline, time } => {
                self.wrap_up_started(*interaction, agent, wrap_clock(*deadline, *time), at);
            }
            Event::WrapUpExtended { interaction, deadline, time_left, extensions_left } => {
                self.wrap_up(*interaction, |clock, _, left| {
                    *clock = wrap_clock(*deadline, *time_left);
                    *left = *extensions_left;
                });
            }
            Event::WrapUpCompleted { interaction, agent, not_classified, unseen, .. } => {
                self.completed(*interaction, agent, *not_classified, *unseen, at);
            }
            Event::Classified { interaction, codes, remarks, .. } => {
                self.classified(*interaction, codes, *remarks);
            }
            Event::ScriptFilled { interaction, answers, .. } => {
                if let Some(call) = self.calls.get_mut(interaction) {
                    call.script = Some(*answers);
                }
                self.with_chat(*interaction, |c| c.script = Some(*answers));
            }
            Event::InteractionClosed { interaction, outcome, agent, log, .. } => {
                self.interaction_closed(*interaction, *outcome, agent.as_ref(), *log, at);
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
                self.rings_at(*interaction, agents.iter().cloned().collect(), at);
            }
            Event::CallDialled { call, interaction, conversation, queue, agent, numbers } => {
                self.call_known(call, *interaction, *conversation, at);
                if let Some(c) = self.calls.get_mut(interaction) {
                    c.queue.clone_from(queue);
                    c.numbers = Some(*numbers);
                    c.withheld = false;
                    c.direction = Direction::Outbound;
                }
                self.on_the_phone(*interaction, CallState::Dialled { agent: agent.clone() }, at);
            }
            Event::CallAnswered { call, interaction, conversation, agent } => {
                self.call_known(call, *interaction, *conversation, at);
                self.on_the_phone(*interaction, CallState::Answered { agent: agent.clone(), at }, at);
                self.with_agent(agent, |a| a.today.calls += 1);
            }
            Event::CallHeld { interaction, .. } => self.held(*interaction, Some(at), at),
            Event::CallResumed { interaction, .. } => self.held(*interaction, None, at),
            Event::CallTransferred { interaction, from, to, .. } => {
                self.call_moved(*interaction, from, to, at);
            }
            Event::CallEnded { call, interaction, .. } => self.call_over(call, *interaction, at),
            Event::RecordingReady { call, interaction, recording, .. } => {
                if let Some(c) = self.calls.get_mut(interaction) {
                    c.recording = Some(*recording);
                } else if let Some(Some(ended)) = self.ended.get_mut(call) {
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
                let deliveries = match self.chats.get_mut(interaction) {
                    Some(chat) => Some(&mut chat.deliveries),
                    None => self.closed.get_mut(interaction).map(|closed| &mut closed.deliveries),
                };
                if let Some(deliveries) = deliveries {
                    deliveries.insert(connection.clone(), state.clone());
                }
            }
            // What agents and customers read from the journal; the rules ask for nothing of it.
            Event::Whispered { .. } | Event::HistoryShared { .. } => {}
        }
        self.tidy_up();
        debug_assert!(self.agents.unordered().all(|(id, a)| self.sound(id, a)), "unsound after {event:?}");
    }

    /// What must hold of every agent after every event.
    fn sound(&self, id: &AgentId, agent: &Agent) -> bool {
        let owns = |i: &InteractionId| self.owner(*i) == Some(id);
        let offered = |i: InteractionId| {
            self.chats.get(&i).is_some_and(|chat| match (&chat.stage, &chat.transfer) {
                (Stage::Offered(offer), _) => offer.agent == *id,
                (_, Some(transfer)) => transfer.offer.agent == *id,
                (Stage::Waiting | Stage::Owned { .. } | Stage::Form { .. }, None) => false,
            })
        };
        agent.inbox.iter().all(owns)
            && agent.active.is_none_or(|i| agent.inbox.contains(&i) && self.place(i) == Some(Place::Active))
            && agent.offered.is_none_or(offered)
    }

    /// Whose inbox an item is in.
    pub(crate) fn owner(&self, id: InteractionId) -> Option<&AgentId> {
        match &self.chats.get(&id)?.stage {
            Stage::Owned { agent, .. } => Some(agent),
            Stage::Waiting | Stage::Offered(_) | Stage::Form { .. } => None,
        }
    }

    fn with_agent(&mut self, id: &AgentId, change: impl FnOnce(&mut Agent)) {
        change(self.agents.or_default(id));
        self.index.touched.agent(id);
    }

    /// Changes what neither the line nor the stage hangs on.
    fn with_chat(&mut self, id: InteractionId, change: impl FnOnce(&mut Chat)) {
        if let Some(chat) = self.chats.get_mut(&id) {
            change(chat);
            self.index.touched.chat(id);
        }
    }

    /// Changes a chat in any way it likes: the one way a stage, or anything a place in line hangs on, changes.
    fn move_chat(&mut self, id: InteractionId, change: impl FnOnce(&mut Chat)) {
        let Some(chat) = self.chats.get_mut(&id) else { return };
        let ageing = self.policy.ageing;
        self.index.leave(chat, ageing);
        let queue = chat.queue.clone();
        change(chat);
        if chat.queue != queue {
            self.index.know_queue(chat);
        }
        self.index.enter(chat, ageing, &self.agents);
        self.index.touched.chat(id);
    }

    /// One that was not there before.
    fn add_chat(&mut self, mut chat: Chat) {
        let id = chat.id;
        self.index.know_queue(&mut chat);
        self.index.enter(&chat, self.policy.ageing, &self.agents);
        self.index.touched.chat(id);
        self.chats.insert(id, chat);
    }

    fn configured(&mut self, policy: &TenantPolicy) {
        self.policy = policy.clone();
        self.silence_as_set();
        for id in policy.agents.keys() {
            self.agents.or_default(id);
        }
        self.rebuild();
    }

    /// Running timers get the time they had; what hangs on the wall clock stays (F2).
    fn resumed(&mut self, down: Millis, at: Timestamp) {
        let later = |deadline: &mut Timestamp| *deadline = *deadline + down;
        for chat in self.chats.values_mut() {
            match &mut chat.stage {
                Stage::Waiting => {}
                Stage::Offered(offer) => later(&mut offer.deadline),
                Stage::Form { deadline } => later(deadline),
                Stage::Owned { talk: Talk::Open { unopened_deadline, .. }, .. } => {
                    unopened_deadline.iter_mut().for_each(later);
                }
                Stage::Owned { talk: Talk::WrapUp { clock, max, .. }, .. } => {
                    for clock in [clock, max] {
                        if let WrapClock::Running { deadline } = clock {
                            later(deadline);
                        }
                    }
                }
            }
            chat.transfer.iter_mut().for_each(|transfer| later(&mut transfer.offer.deadline));
            chat.silence.iter_mut().flat_map(|s| &mut s.deadline).for_each(later);
        }
        let lease = self.policy.lease;
        for agent in self.agents.values_mut() {
            agent.sessions.clear();
            match &mut agent.gone {
                Some(gone) => {
                    later(&mut gone.grace);
                    later(&mut gone.lost);
                }
                None => agent.gone = agents::gone(agent, lease, at),
            }
        }
        self.rebuild();
    }

    fn hours_set(&mut self, hours: &BTreeMap<ScheduleId, Vec<Open>>) {
        self.hours.clone_from(hours);
        self.turned.retain(|schedule, _| hours.contains_key(schedule));
        self.rebuild();
    }

    fn hours_turned(&mut self, schedule: &ScheduleId, turned: Turned) {
        let due = |at| (at, crate::Deadline::Hours(schedule.clone()));
        if let Some(at) = self.turned.get(schedule).and_then(|old| old.next) {
            self.index.deadlines.remove(&due(at));
        }
        self.turned.insert(schedule.clone(), turned);
        self.index.deadlines.extend(turned.next.map(due));
        for (number, line) in self.index.lines.iter() {
            if line.rules.hours.as_ref() == Some(schedule) {
                self.index.touched.line(number);
            }
        }
    }

    fn day_began(&mut self, day: &str) {
        day.clone_into(&mut self.day);
        for agent in self.agents.values_mut() {
            agent.today = Default::default();
        }
        for queue in self.figures.values_mut() {
            queue.today = Default::default();
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
}

fn wrap_clock(deadline: Option<Timestamp>, time: Option<Millis>) -> WrapClock {
    match (deadline, time) {
        (Some(deadline), _) => WrapClock::Running { deadline },
        (None, Some(left)) => WrapClock::Stopped { left },
        (None, None) => WrapClock::Unlimited,
    }
}
