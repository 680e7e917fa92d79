//! A chat's way from its start to its end: line, inbox, words.

use crate::state::{Chat, Engine, QueueFigures, Silence, Stage, Talk, WrapClock};
use tieline_model::command::Notice;
use tieline_model::content::ContentRef;
use tieline_model::crm::{Channel, Side};
use tieline_model::event::{AssignedHow, Guest, ParkedBy, ReturnedWhy, Suggestion};
use tieline_model::live::Place;
use tieline_model::policy::InactivityMode;
use tieline_model::{AgentId, InteractionId, Millis, QueueId, Timestamp};

impl Engine {
    pub(super) fn started(&mut self, chat: Chat) {
        if let Some(queue) = &chat.queue {
            self.figures.or_default(queue).today.came += 1;
        }
        self.add_chat(chat);
    }

    pub(super) fn overflowed(
        &mut self,
        id: InteractionId,
        from: &QueueId,
        to: Option<&QueueId>,
        deadline: Option<Timestamp>,
        at: Timestamp,
    ) {
        self.move_chat(id, |c| {
            c.visited.insert(from.clone());
            match to {
                Some(queue) => enter(c, queue, at),
                None => c.stage = Stage::Form { deadline: deadline.unwrap_or(at) },
            }
        });
        self.figures.or_default(from).today.overflowed += 1;
        self.line_left(from);
        if let Some(queue) = to {
            self.figures.or_default(queue).today.came += 1;
        }
    }

    /// Into an inbox without an offer.
    pub(super) fn assigned(
        &mut self,
        id: InteractionId,
        agent: &AgentId,
        how: AssignedHow,
        unopened_deadline: Option<Timestamp>,
        at: Timestamp,
    ) {
        self.own(id, agent, Place::New, unopened_deadline, at);
        self.with_agent(agent, |a| a.idle_since = at);
        match how {
            AssignedHow::Auto | AssignedHow::Taken => self.line_moved(id, at),
            // Perhaps out of another's inbox.
            AssignedHow::Supervisor => {
                if let Some(queue) = self.chats.get(&id).and_then(|chat| chat.queue.clone()) {
                    self.line_left(&queue);
                }
            }
        }
    }

    /// Into an inbox.
    pub(super) fn own(
        &mut self,
        id: InteractionId,
        agent: &AgentId,
        place: Place,
        unopened_deadline: Option<Timestamp>,
        at: Timestamp,
    ) {
        let unopened_since = (place == Place::New).then_some(at);
        let talk = Talk::Open { unopened_deadline, unopened_since };
        self.move_chat(id, |c| {
            c.stage = Stage::Owned { agent: agent.clone(), place, talk };
            c.last_agent = Some(agent.clone());
            c.ahead = false;
            c.declined.clear();
        });
        self.with_agent(agent, |a| {
            a.inbox.insert(id);
        });
    }

    pub(super) fn returned(&mut self, id: InteractionId, agent: &AgentId, why: ReturnedWhy, at: Timestamp) {
        let ahead = match why {
            ReturnedWhy::AgentLost | ReturnedWhy::Supervisor => true,
            ReturnedWhy::Unopened | ReturnedWhy::AgentOffline => false,
        };
        // A lost connection costs the agent nothing (A8).
        let there = self.agents.get(agent).is_some_and(|a| !a.sessions.is_empty());
        let missed = why == ReturnedWhy::Unopened && there;
        let declined = missed || why == ReturnedWhy::Supervisor;
        let retry = self.retry_decliner_at(id, at);
        self.move_chat(id, |c| {
            connecting_until(c, at);
            c.stage = Stage::Waiting;
            c.ahead |= ahead;
            nothing_advised(c);
            if why != ReturnedWhy::Unopened {
                c.entered_at = at;
            }
            if declined {
                c.declined.insert(agent.clone(), retry);
            }
        });
        self.let_go(id, agent, at);
        if missed {
            self.with_agent(agent, |a| a.today.missed += 1);
        }
    }

    pub(super) fn transferred(&mut self, id: InteractionId, agent: &AgentId, to: &QueueId, at: Timestamp) {
        // Who sends a chat to a queue is not the one to get it back at once.
        let serves = self.policy.agents.get(agent).is_some_and(|policy| policy.queues.contains(to));
        let pause = self.queue_rules(to).filter(|_| serves).map(|q| q.retry_decliner_after);
        self.move_chat(id, |c| {
            connecting_until(c, at);
            enter(c, to, at);
            c.declined.extend(pause.map(|pause| (agent.clone(), at + pause)));
            c.preferred = None;
            nothing_advised(c);
            c.visited.clear();
        });
        self.let_go(id, agent, at);
        self.with_agent(agent, |a| a.today.transferred += 1);
        self.figures.or_default(to).today.came += 1;
    }

    /// Out of an inbox.
    pub(super) fn let_go(&mut self, id: InteractionId, agent: &AgentId, at: Timestamp) {
        self.with_agent(agent, |a| {
            a.inbox.remove(&id);
            a.active = a.active.filter(|i| *i != id);
            a.parked_by_calls.retain(|i| *i != id);
            a.idle_since = at;
        });
    }

    pub(super) fn joined(&mut self, id: InteractionId, agent: &AgentId, guest: Guest) {
        self.with_chat(id, |c| {
            c.guests.insert(agent.clone(), guest);
        });
        self.with_agent(agent, |a| {
            a.guest_at.insert(id, guest);
        });
    }

    pub(super) fn left_chat(&mut self, id: InteractionId, agent: &AgentId) {
        self.with_chat(id, |c| {
            c.guests.remove(agent);
        });
        self.with_agent(agent, |a| {
            a.guest_at.remove(&id);
        });
    }

    pub(super) fn activated(
        &mut self,
        id: InteractionId,
        agent: &AgentId,
        deadline: Option<Timestamp>,
        at: Timestamp,
    ) {
        let mut first = false;
        self.with_chat(id, |c| {
            connecting_until(c, at);
            let Stage::Owned { place, talk, .. } = &mut c.stage else { return };
            *place = Place::Active;
            match talk {
                Talk::Open { unopened_deadline, unopened_since } => {
                    first = unopened_since.is_some();
                    (*unopened_deadline, *unopened_since) = (None, None);
                }
                Talk::WrapUp { seen, clock, .. } => {
                    *seen = true;
                    *clock = deadline.map_or(*clock, |deadline| WrapClock::Running { deadline });
                }
            }
        });
        if first {
            self.in_hand(id, agent, at);
        }
        self.with_agent(agent, |a| {
            a.active = Some(id);
            // What goes on is the last one parked, or the agent's own choice, which ends what calls had in mind (B5).
            if a.parked_by_calls.pop() != Some(id) {
                a.parked_by_calls.clear();
            }
        });
    }

    pub(super) fn parked(
        &mut self,
        id: InteractionId,
        agent: &AgentId,
        by: ParkedBy,
        left: Option<Millis>,
        at: Timestamp,
    ) {
        self.with_chat(id, |c| {
            let Stage::Owned { place, talk, .. } = &mut c.stage else { return };
            *place = Place::Parked;
            if let (Talk::WrapUp { clock, .. }, Some(left)) = (talk, left) {
                *clock = WrapClock::Stopped { left };
            }
        });
        self.with_agent(agent, |a| {
            a.active = a.active.filter(|i| *i != id);
            a.idle_since = at;
            if by == ParkedBy::Call {
                a.parked_by_calls.push(id);
            }
        });
    }

    /// An agent has a chat in hand that the agent did not have before: it counts for the agent. Where it is the first of
    /// its queue, connecting is over (B17).
    pub(super) fn in_hand(&mut self, id: InteractionId, agent: &AgentId, at: Timestamp) {
        let Some(chat) = self.chats.get(&id) else { return };
        if chat.channel == Channel::Call {
            return;
        }
        let queue = chat.queue.clone().filter(|_| !chat.served);
        let connecting = chat.connecting_here;
        let target = chat.rules().map(|queue| queue.targets.connect);
        self.with_chat(id, |c| {
            c.served = true;
            if c.answered_at.is_none() {
                c.answered_at = Some(at);
                c.service.waited = at.since(c.started_at);
            }
        });
        self.with_agent(agent, |a| a.today.chats += 1);
        let Some(queue) = queue else { return };
        let figures = self.figures.or_default(&queue);
        figures.today.answered += 1;
        figures.today.connected_in_time += u32::from(Some(connecting) <= target);
    }

    /// A chat went out of a line to an agent; only intervals in which others waited all the time say how fast the line
    /// moves (A13).
    pub(super) fn line_moved(&mut self, id: InteractionId, at: Timestamp) {
        let Some(chat) = self.chats.get(&id) else { return };
        let Some(queue) = &chat.queue else { return };
        let line = chat.line.and_then(|line| self.index.lines.get(line));
        let others_wait = line.is_some_and(|line| line.waiting > 0);
        moved_on(self.figures.or_default(queue), others_wait, at);
    }

    /// Somebody left a line otherwise. If nobody is left, the time until the next one comes says nothing (A13).
    pub(super) fn line_left(&mut self, queue: &QueueId) {
        if self.unserved_chats(queue) == 0
            && let Some(figures) = self.figures.get_mut(queue)
        {
            figures.taken_at = None;
        }
    }

    /// Somebody wrote or sent something: who owes the reply now, and how long it took (B7, B8, B17).
    pub(super) fn said(&mut self, id: InteractionId, from: Side, agent: Option<&AgentId>, at: Timestamp) {
        let Some(chat) = self.chats.get(&id) else { return };
        let rules = chat.rules();
        let target = rules.map(|q| q.targets.reply);
        let nudge_at =
            rules.filter(|q| q.inactivity.mode != InactivityMode::Off).map(|q| at + q.inactivity.nudge_after);
        let owned = matches!(chat.stage, Stage::Owned { .. });
        let mut answered = None;
        self.with_chat(id, |c| match from {
            Side::Customer => {
                c.unanswered_since = c.unanswered_since.or(Some(at));
                no_longer_silent(c);
            }
            Side::Agent => {
                if let Some(since) = c.unanswered_since.take() {
                    let took = at.since(since);
                    let in_time = Some(took) <= target;
                    c.service.replies += 1;
                    c.service.replies_in_time += u32::from(in_time);
                    c.service.longest_reply = c.service.longest_reply.max(took);
                    answered = Some(in_time);
                }
                no_longer_silent(c);
                c.silence =
                    nudge_at.filter(|_| owned).map(|at| Silence { nudged: false, deadline: Some(at) });
                c.update_due = None;
                c.suggested.remove(&Suggestion::Update);
            }
            Side::System => {}
        });
        if let (Some(in_time), Some(agent)) = (answered, agent) {
            self.with_agent_figures(agent, |today| {
                today.replies += 1;
                today.replies_in_time += u32::from(in_time);
            });
        }
    }

    /// Counts without touching what routing looks at.
    fn with_agent_figures(&mut self, agent: &AgentId, change: impl FnOnce(&mut crate::state::AgentDay)) {
        if let Some(agent) = self.agents.get_mut(agent) {
            change(&mut agent.today);
        }
    }

    /// Where the inactivity policy has been switched off, nobody waits for a customer's reply any more (B8).
    pub(super) fn silence_as_set(&mut self) {
        for chat in self.chats.values_mut().filter(|chat| chat.silence.is_some()) {
            let queue = chat.queue.as_ref().and_then(|queue| self.policy.queues.get(queue));
            if queue.is_none_or(|q| q.inactivity.mode == InactivityMode::Off) {
                no_longer_silent(chat);
            }
        }
    }

    /// A nudge starts the second stretch of silence (B8).
    pub(super) fn noticed(&mut self, id: InteractionId, notice: Notice, at: Timestamp) {
        let Some(chat) = self.chats.get(&id) else { return };
        let rules = chat.rules();
        let end_at = rules.map_or(at, |q| at + q.inactivity.end_after);
        let update_at = rules.and_then(|q| q.escalate.update_after).map(|after| at + after);
        match notice {
            Notice::Nudge => self.with_chat(id, |c| {
                c.suggested.remove(&Suggestion::Nudge);
                if let Some(silence) = &mut c.silence {
                    *silence = Silence { nudged: true, deadline: Some(end_at) };
                }
            }),
            Notice::FewMinutes => self.with_chat(id, |c| {
                c.suggested.remove(&Suggestion::Update);
                c.update_due = update_at;
            }),
            Notice::Closing
            | Notice::Transferred
            | Notice::AgentLost
            | Notice::Overflowed
            | Notice::Offline => {}
        }
    }

    pub(super) fn suggested(&mut self, id: InteractionId, suggestion: Suggestion) {
        self.with_chat(id, |c| {
            c.suggested.insert(suggestion);
            match (suggestion, &mut c.silence) {
                (Suggestion::Nudge | Suggestion::End, Some(silence)) => silence.deadline = None,
                (Suggestion::Nudge | Suggestion::End, None)
                | (Suggestion::OpenCase | Suggestion::Update, _) => {}
            }
            if suggestion == Suggestion::Update {
                c.update_due = None;
            }
        });
    }

    pub(super) fn classified(&mut self, id: InteractionId, codes: &[String], remarks: Option<ContentRef>) {
        if let Some(call) = self.calls.get_mut(&id) {
            codes.clone_into(&mut call.codes);
            call.remarks = remarks.or(call.remarks);
        }
        self.with_chat(id, |c| {
            codes.clone_into(&mut c.codes);
            c.remarks = remarks.or(c.remarks);
        });
    }

    /// Until when an agent who declines this chat now is left out for it (A9).
    pub(super) fn retry_decliner_at(&self, id: InteractionId, at: Timestamp) -> Timestamp {
        let rules = self.chats.get(&id).and_then(|chat| chat.rules());
        rules.map_or(at, |rules| at + rules.retry_decliner_after)
    }
}

/// Another agent, or none, has it from here on: what the last one was advised to do is nobody's business (B8, B16).
pub(super) fn nothing_advised(chat: &mut Chat) {
    (chat.silence, chat.update_due) = (None, None);
    chat.suggested.clear();
}

/// Nobody waits for the customer's reply any more, or the wait begins anew (B8).
fn no_longer_silent(chat: &mut Chat) {
    chat.silence = None;
    chat.suggested.remove(&Suggestion::Nudge);
    chat.suggested.remove(&Suggestion::End);
}

/// Into a queue's line.
fn enter(chat: &mut Chat, queue: &QueueId, at: Timestamp) {
    chat.queue = Some(queue.clone());
    chat.stage = Stage::Waiting;
    chat.entered_at = at;
    chat.relaxed = 0;
    chat.declined.clear();
    chat.served = false;
    chat.connecting_here = Millis::default();
}

/// Waiting while an agent was free for it counts as connecting (B17).
pub(super) fn connecting_until(chat: &mut Chat, at: Timestamp) {
    if chat.served {
        return;
    }
    let since = match &chat.stage {
        Stage::Offered(offer) => Some(offer.at),
        Stage::Owned { talk: Talk::Open { unopened_since, .. }, .. } => *unopened_since,
        Stage::Owned { talk: Talk::WrapUp { .. }, .. } | Stage::Waiting | Stage::Form { .. } => None,
    };
    if let Some(since) = since {
        let took = at.since(since).0;
        chat.connecting_here.0 += took;
        if chat.answered_at.is_none() {
            chat.service.connecting.0 += took;
        }
    }
}

/// How much a new interval counts in the typical one: an eighth.
const PACE_SHARE: u64 = 8;

/// A chat was taken out of the line by an agent. Only intervals in which others waited say how fast the line moves.
fn moved_on(figures: &mut QueueFigures, others_wait: bool, at: Timestamp) {
    let interval = figures.taken_at.map(|before| at.since(before));
    figures.taken_at = others_wait.then_some(at);
    if let Some(interval) = interval {
        figures.pace = Some(
            figures
                .pace
                .map_or(interval, |pace| Millis((pace.0 * (PACE_SHARE - 1) + interval.0) / PACE_SHARE)),
        );
    }
}
