//! What is derived from the state so that nothing has to be searched: who waits, who is free, what comes due.
//! Kept by `apply`, rebuilt from a snapshot, and compared with a linear scan by the reference model.

use crate::lines::{LineNo, Lines};
use crate::state::{Agent, Chat, Engine, Stage};
use crate::table::Table;
use crate::timers::{Deadline, agent_waits, chat_waits};
use std::cmp::Reverse;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tieline_model::command::Presence;
use tieline_model::crm::Channel;
use tieline_model::event::Guest;
use tieline_model::live::Place;
use tieline_model::policy::{AgentPolicy, Delivery, OfferWhen, OverflowTo, QueuePolicy, Strategy};
use tieline_model::{AgentId, InteractionId, Millis, QueueId, SkillId, Timestamp};

/// A chat's place in line: those put ahead first, then higher priority, then longest waiting (A11, A17).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Turn {
    pub behind: bool,
    /// Higher priority is lower here; 0 where waiting ages, for then it is in the moment.
    pub rank: i64,
    /// When it came, moved back by its priority where waiting ages.
    pub since: Timestamp,
    pub id: InteractionId,
}

/// An agent's place among the free: more skilled first, then less loaded where that counts, then longest idle (A11).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rank {
    pub skill: Reverse<u32>,
    pub load: u32,
    pub since: Timestamp,
    pub agent: AgentId,
}

/// Skills needed, with their least levels.
pub(crate) type Needs = BTreeMap<SkillId, u8>;

/// Chats of one queue that need the same skills, and the agents who have them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Lane {
    /// Who waits, in turn.
    pub waiting: BTreeSet<Turn>,
    /// Who may be given a chat of it now, in rank.
    pub free: BTreeSet<Rank>,
}

/// The lanes of one queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// The queue.
    pub queue: QueueId,
    /// The queue's rules.
    pub rules: Arc<QueuePolicy>,
    /// By what their chats need.
    pub lanes: BTreeMap<Needs, Lane>,
    /// Chats in all of them.
    pub waiting: u32,
    /// Chats under offer, which stand in no lane.
    pub offered: u32,
    /// Agents of the queue who are at work.
    pub staff: u32,
    /// It stands in [`Index::ready`].
    ready: bool,
    /// It stands in [`Index::unserved`].
    unserved: bool,
}

/// Lanes without a chat a queue keeps beyond its own; a further one makes room first.
const SPARE_LANES_MAX: usize = 64;

/// What an agent's entries in the indexes were made from, to take them out again.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Standing {
    since: Timestamp,
    load: u32,
    at_work: bool,
    /// Lines in whose lanes the agent stands as free.
    free_in: Vec<LineNo>,
    /// What the agent waits for.
    pub(crate) due: Option<(Timestamp, Deadline)>,
}

/// The indexes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Index {
    /// Waiting chats and free agents, by queue.
    pub lines: Lines,
    /// Lines in which somebody waits and somebody is free.
    pub ready: BTreeSet<LineNo>,
    /// Lines out of which a chat must overflow (A12).
    pub unserved: BTreeSet<LineNo>,
    /// What comes due.
    pub deadlines: BTreeSet<(Timestamp, Deadline)>,
    /// Skills that any agent has.
    pub skills: BTreeSet<SkillId>,
    /// What the event being applied has touched; brought up to date once, when it is done.
    pub touched: Touched,
}

/// What waits to be brought up to date; empty between events.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Touched {
    agents: Vec<AgentId>,
    chats: Vec<InteractionId>,
    lines: Vec<LineNo>,
}

impl Touched {
    pub(crate) fn agent(&mut self, id: &AgentId) {
        if !self.agents.contains(id) {
            self.agents.push(id.clone());
        }
    }

    pub(crate) fn chat(&mut self, id: InteractionId) {
        if !self.chats.contains(&id) {
            self.chats.push(id);
        }
    }

    pub(crate) fn line(&mut self, number: LineNo) {
        if !self.lines.contains(&number) {
            self.lines.push(number);
        }
    }
}

impl Engine {
    /// Brings everything that was touched up to date.
    pub(crate) fn tidy_up(&mut self) {
        while let Some(id) = self.index.touched.chats.pop() {
            self.chat_due(id);
        }
        while let Some(id) = self.index.touched.agents.pop() {
            self.reindex_agent(&id);
        }
        while let Some(line) = self.index.touched.lines.pop() {
            self.review(line);
        }
    }

    /// Brings what a chat waits for up to date.
    fn chat_due(&mut self, id: InteractionId) {
        let Some(chat) = self.chats.get_mut(&id) else { return };
        let due = chat_waits(chat);
        if due != chat.due {
            chat.due.take().map(|old| self.index.deadlines.remove(&old));
            self.index.deadlines.extend(due.clone());
            chat.due = due;
        }
    }

    /// Brings the entries of an agent up to date.
    fn reindex_agent(&mut self, id: &AgentId) {
        let Some(agent) = self.agents.get(id) else { return };
        let (since, load) = (agent.idle_since, self.units_in_hand(agent));
        let at_work = agent.presence != Presence::Offline;
        let due = agent_waits(id, agent);
        let was = &agent.standing;
        if (since, load, at_work, &due) == (was.since, was.load, was.at_work, &was.due)
            && self.free_in(agent, load).eq(was.free_in.iter().copied())
        {
            return;
        }
        let free_in = self.free_in(agent, load).collect();
        let next = Standing { since, load, at_work, free_in, due };
        let Some(agent) = self.agents.get_mut(id) else { return };
        let was = std::mem::replace(&mut agent.standing, next);
        self.index.stands(id, agent, &was);
    }

    /// The lines in which an agent may be given a chat now.
    fn free_in<'a>(&'a self, agent: &'a Agent, load: u32) -> impl Iterator<Item = LineNo> + 'a {
        let policy = agent.rules.as_deref().filter(|_| may_be_given_any(agent));
        let given = move |number: &LineNo| {
            let (Some(policy), Some(line)) = (policy, self.index.lines.get(*number)) else { return false };
            line.rules.delivery != Delivery::Pull
                && self.ruled_out(agent, policy, &line.queue, &line.rules, load).is_none()
        };
        agent.lines.iter().copied().filter(given)
    }

    pub(crate) fn place(&self, id: InteractionId) -> Option<Place> {
        match &self.chats.get(&id)?.stage {
            Stage::Owned { place, .. } => Some(*place),
            Stage::Waiting | Stage::Offered(_) | Stage::Form { .. } => None,
        }
    }

    /// Units of unfinished items of an agent, reserved ones included. Always derived (A5).
    pub(crate) fn units_in_hand(&self, agent: &Agent) -> u32 {
        let consulted =
            agent.guest_at.iter().filter(|(_, guest)| **guest == Guest::Consulted).map(|(id, _)| id);
        let items = agent.inbox.iter().chain(&agent.offered).chain(consulted);
        items.map(|id| self.chats.get(id).map_or(1, Chat::units)).sum()
    }

    pub(crate) fn turn(&self, chat: &Chat) -> Turn {
        turn(chat, self.policy.ageing)
    }

    /// Puts a chat where its stage says.
    pub(crate) fn enter_index(&mut self, id: InteractionId) {
        if let Some(chat) = self.chats.get(&id) {
            self.index.enter(chat, self.policy.ageing, &self.agents);
        }
    }

    /// Whether somebody can be handed out in a line, and whether somebody must leave it.
    fn review(&mut self, number: LineNo) {
        let Some(line) = self.index.lines.get(number) else { return };
        let ready = line.waiting > 0
            && line.lanes.values().any(|lane| !lane.waiting.is_empty() && !lane.free.is_empty());
        let unserved = line.waiting > 0 && self.overflows(line);
        if (ready, unserved) == (line.ready, line.unserved) {
            return;
        }
        let Some(line) = self.index.lines.get_mut(number) else { return };
        if std::mem::replace(&mut line.ready, ready) != ready {
            set(&mut self.index.ready, number, ready);
        }
        if std::mem::replace(&mut line.unserved, unserved) != unserved {
            set(&mut self.index.unserved, number, unserved);
        }
    }

    /// Whether a chat has to leave a queue in which somebody waits (A12).
    pub(crate) fn overflows(&self, line: &Line) -> bool {
        let rules = &line.rules.overflow;
        let goes = |to: &OverflowTo| *to != OverflowTo::Wait;
        goes(&rules.closed) && !self.is_open(&line.rules)
            || goes(&rules.unstaffed) && line.staff == 0
            || rules.full.as_ref().is_some_and(|full| goes(&full.then) && line.unserved_chats() > full.chats)
    }

    /// Whether a queue's opening hours are on (A12).
    pub(crate) fn is_open(&self, policy: &QueuePolicy) -> bool {
        policy.hours.as_ref().is_none_or(|schedule| self.turned.get(schedule).is_some_and(|t| t.open))
    }

    /// Whether an agent who serves the queue is at work (A12). A lost connection does not count until the agent does.
    pub(crate) fn is_staffed(&self, queue: &QueueId) -> bool {
        self.index.lines.of(queue).is_some_and(|line| line.staff > 0)
    }

    /// The rules of a queue that the settings know.
    pub(crate) fn queue_rules(&self, queue: &QueueId) -> Option<&QueuePolicy> {
        self.index.lines.of(queue).map(|line| &*line.rules)
    }

    /// Chats in a queue's line, those under offer not among them.
    pub(crate) fn in_line(&self, queue: &QueueId) -> u32 {
        self.index.lines.of(queue).map_or(0, |line| line.waiting)
    }

    /// Chats of a queue for which nobody has been found (A12).
    pub(crate) fn unserved_chats(&self, queue: &QueueId) -> u32 {
        self.index.lines.of(queue).map_or(0, Line::unserved_chats)
    }

    /// Makes all indexes anew from the rest of the state.
    pub(crate) fn rebuild(&mut self) {
        let skills = self.policy.agents.values().flat_map(|agent| agent.skills.keys().cloned());
        self.index = Index { skills: skills.collect(), ..Index::default() };
        for (queue, policy) in &self.policy.queues {
            self.index.lines.add(Line::new(queue.clone(), policy.clone()));
        }
        for chat in self.chats.values_mut() {
            self.index.know_queue(chat);
            chat.due = None;
        }
        for agent in self.agents.values_mut() {
            (agent.rules, agent.standing) = (None, Standing::default());
            agent.lines.clear();
        }
        for (id, policy) in &self.policy.agents {
            let Some(agent) = self.agents.get_mut(id) else { continue };
            agent.rules = Some(Arc::new(policy.clone()));
            agent.lines = policy.queues.iter().filter_map(|queue| self.index.lines.number(queue)).collect();
        }
        let agents: Vec<AgentId> = self.agents.unordered().map(|(id, _)| id.clone()).collect();
        for id in agents {
            self.reindex_agent(&id);
        }
        let chats: Vec<InteractionId> = self.chats.unordered().map(|(id, _)| *id).collect();
        for id in chats {
            self.chat_due(id);
            self.enter_index(id);
        }
        let calls: Vec<InteractionId> = self.calls.unordered().map(|(id, _)| *id).collect();
        for id in calls {
            if let Some(call) = self.calls.get_mut(&id) {
                call.due = None;
            }
            self.call_due(id);
        }
        self.index.deadlines.extend(self.other_deadlines());
        self.tidy_up();
    }
}

fn set(lines: &mut BTreeSet<LineNo>, line: LineNo, wanted: bool) {
    if wanted {
        lines.insert(line);
    } else {
        lines.remove(&line);
    }
}

impl Index {
    /// A chat has come into a queue, or the queue's settings have changed.
    pub(crate) fn know_queue(&mut self, chat: &mut Chat) {
        chat.line = chat.queue.as_ref().and_then(|queue| self.lines.number(queue));
        chat.rules = chat.line.and_then(|line| self.lines.get(line)).map(|line| line.rules.clone());
    }

    /// Puts a chat where its stage says.
    pub(crate) fn enter(&mut self, chat: &Chat, ageing: Option<Millis>, agents: &Table<AgentId, Agent>) {
        let Some(number) = chat.line else { return };
        match &chat.stage {
            Stage::Waiting => {
                let Some(line) = self.lines.get_mut(number) else { return };
                line.waiting += 1;
                let lane = line.lane(number, chat.needs(), agents);
                lane.waiting.insert(turn(chat, ageing));
            }
            Stage::Offered(_) => {
                let Some(line) = self.lines.get_mut(number) else { return };
                line.offered += 1;
            }
            Stage::Owned { .. } | Stage::Form { .. } => return,
        }
        self.touched.line(number);
    }

    /// Takes a chat out again. Call before its stage, or anything its turn or needs are made from, changes.
    pub(crate) fn leave(&mut self, chat: &Chat, ageing: Option<Millis>) {
        let Some(number) = chat.line else { return };
        let Some(line) = self.lines.get_mut(number) else { return };
        match &chat.stage {
            Stage::Waiting => {
                if let Some(lane) = line.lanes.get_mut(&chat.needs())
                    && lane.waiting.remove(&turn(chat, ageing))
                {
                    line.waiting -= 1;
                }
            }
            Stage::Offered(_) => line.offered = line.offered.saturating_sub(1),
            Stage::Owned { .. } | Stage::Form { .. } => return,
        }
        self.touched.line(number);
    }

    /// An agent stands otherwise than before.
    fn stands(&mut self, id: &AgentId, agent: &Agent, was: &Standing) {
        let is = &agent.standing;
        if is.due != was.due {
            was.due.as_ref().map(|due| self.deadlines.remove(due));
            self.deadlines.extend(is.due.clone());
        }
        // Where settings took the agent away, the lines are made anew with them.
        let Some(rules) = &agent.rules else { return };
        if is.at_work != was.at_work {
            for number in &agent.lines {
                let Some(line) = self.lines.get_mut(*number) else { continue };
                line.staff = if is.at_work { line.staff + 1 } else { line.staff.saturating_sub(1) };
                self.touched.line(*number);
            }
        }
        if (&is.free_in, is.since, is.load) != (&was.free_in, was.since, was.load) {
            was.free_in.iter().for_each(|line| self.stand(*line, id, rules, was, false));
            is.free_in.iter().for_each(|line| self.stand(*line, id, rules, is, true));
        }
    }

    /// Puts an agent into the lanes of a line, or takes one out of them.
    fn stand(
        &mut self,
        number: LineNo,
        id: &AgentId,
        rules: &AgentPolicy,
        standing: &Standing,
        stands: bool,
    ) {
        let Some(line) = self.lines.get_mut(number) else { return };
        let least_loaded = line.least_loaded();
        for (needs, lane) in &mut line.lanes {
            let Some(skill) = proficiency(rules, needs) else { continue };
            let rank = rank(skill, least_loaded, standing, id);
            if stands {
                lane.free.insert(rank);
            } else {
                lane.free.remove(&rank);
            }
        }
        self.touched.line(number);
    }
}

impl Chat {
    /// Units it takes (A5).
    pub(crate) fn units(&self) -> u32 {
        self.rules().map_or(1, |queue| queue.units)
    }

    /// What an agent must be able to, to be given it now (A11).
    pub(crate) fn needs(&self) -> Needs {
        self.rules().map(|queue| needs_of(queue, &self.skills, self.relaxed)).unwrap_or_default()
    }
}

fn turn(chat: &Chat, ageing: Option<Millis>) -> Turn {
    let priority = i64::from(chat.rules().map_or(0, |q| q.priority));
    let (rank, since) = match ageing {
        None => (-priority, chat.started_at),
        Some(ageing) => {
            let head_start = priority.saturating_mul(i64::try_from(ageing.0).unwrap_or(i64::MAX));
            (0, Timestamp(chat.started_at.0.saturating_sub(head_start)))
        }
    };
    Turn { behind: !chat.ahead, rank, since, id: chat.id }
}

impl Line {
    /// One in which nobody waits and for which nobody is free.
    fn new(queue: QueueId, rules: QueuePolicy) -> Self {
        Self {
            lanes: BTreeMap::from([(needs_of(&rules, &BTreeSet::new(), 0), Lane::default())]),
            queue,
            rules: Arc::new(rules),
            waiting: 0,
            offered: 0,
            staff: 0,
            ready: false,
            unserved: false,
        }
    }

    /// Chats for which nobody has been found: in line or under offer (A12).
    pub(crate) fn unserved_chats(&self) -> u32 {
        self.waiting + self.offered
    }

    /// The lane of these needs; if it is not there, it is made, with everybody who is free for it.
    pub(crate) fn lane(&mut self, number: LineNo, needs: Needs, agents: &Table<AgentId, Agent>) -> &mut Lane {
        let least_loaded = self.least_loaded();
        if self.lanes.len() > SPARE_LANES_MAX && !self.lanes.contains_key(&needs) {
            let own = needs_of(&self.rules, &BTreeSet::new(), 0);
            self.lanes.retain(|needs, lane| !lane.waiting.is_empty() || *needs == own);
        }
        match self.lanes.entry(needs) {
            Entry::Occupied(there) => there.into_mut(),
            Entry::Vacant(place) => {
                let mut lane = Lane::default();
                let free = |(_, agent): &(&AgentId, &Agent)| agent.standing.free_in.contains(&number);
                for (id, agent) in agents.unordered().filter(free) {
                    let skill = agent.rules.as_deref().and_then(|rules| proficiency(rules, place.key()));
                    lane.free.extend(skill.map(|skill| rank(skill, least_loaded, &agent.standing, id)));
                }
                place.insert(lane)
            }
        }
    }

    fn least_loaded(&self) -> bool {
        self.rules.strategy == Strategy::LeastLoaded
    }
}

/// What does not hang on the queue: presence Available with a live panel, no wish, no open offer (A5).
fn may_be_given_any(agent: &Agent) -> bool {
    agent.presence == Presence::Available
        && agent.wish.is_none()
        && !agent.sessions.is_empty()
        && agent.offered.is_none()
        && agent.channels.contains(&Channel::Chat)
}

impl Engine {
    /// Why an agent may not be presented a chat of this queue now, if so (A2, A5). Says the first reason that holds.
    pub(crate) fn ruled_out(
        &self,
        agent: &Agent,
        policy: &AgentPolicy,
        queue: &QueueId,
        rules: &QueuePolicy,
        load: u32,
    ) -> Option<RuledOut> {
        if agent.presence != Presence::Available {
            return Some(RuledOut::Presence);
        }
        if agent.sessions.is_empty() {
            return Some(RuledOut::NotConnected);
        }
        if agent.wish.is_some() {
            return Some(RuledOut::Wish);
        }
        let left_out = agent.queues.as_ref().is_some_and(|queues| !queues.contains(queue));
        if !agent.channels.contains(&Channel::Chat) || left_out {
            return Some(RuledOut::NotAvailableHere);
        }
        if agent.offered.is_some() {
            return Some(RuledOut::UnderOffer);
        }
        if !agent.calls.is_empty() && !rules.may_interrupt.contains(&Channel::Call) {
            return Some(RuledOut::OnCall);
        }
        if load.saturating_add(rules.units) > policy.chat_capacity {
            return Some(RuledOut::AtCapacity);
        }
        if !rules.may_interrupt.contains(&Channel::Chat) && !self.work_allows(agent, rules.offer_when) {
            return Some(RuledOut::AtWork);
        }
        None
    }

    fn work_allows(&self, agent: &Agent, when: OfferWhen) -> bool {
        match when {
            OfferWhen::BelowCapacity => true,
            OfferWhen::Idle => agent.inbox.is_empty(),
            OfferWhen::AllParked => agent.inbox.iter().all(|id| self.place(*id) == Some(Place::Parked)),
        }
    }
}

/// Why an agent may not be given a chat (A5, A16).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RuledOut {
    /// Not Available.
    Presence,
    /// No panel is connected.
    NotConnected,
    /// Wishes for another presence.
    Wish,
    /// Takes no chats, or none of this queue (A2).
    NotAvailableHere,
    /// Has an open offer.
    UnderOffer,
    /// On a call, or one rings.
    OnCall,
    /// No capacity left.
    AtCapacity,
    /// Other chats stand in the way of `offer_when`.
    AtWork,
}

/// What a chat of a queue needs after so many relaxations (A11).
pub(crate) fn needs_of(queue: &QueuePolicy, wanted: &BTreeSet<SkillId>, relaxed: u8) -> Needs {
    let mut needs: Needs = queue.skills.clone();
    for skill in wanted {
        needs.entry(skill.clone()).or_insert(1);
    }
    needs.retain(|_, level| {
        *level = level.saturating_sub(relaxed);
        *level > 0
    });
    needs
}

/// How good an agent is at what is needed, all levels together; `None` if something is missing.
pub(crate) fn proficiency(policy: &AgentPolicy, needs: &Needs) -> Option<u32> {
    needs.iter().try_fold(0, |sum, (skill, least)| {
        let level = policy.skills.get(skill)?;
        (level >= least).then(|| sum + u32::from(*level))
    })
}

fn rank(skill: u32, least_loaded: bool, standing: &Standing, id: &AgentId) -> Rank {
    Rank {
        skill: Reverse(skill),
        load: if least_loaded { standing.load } else { 0 },
        since: standing.since,
        agent: id.clone(),
    }
}
