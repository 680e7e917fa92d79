//! What is derived from the state so that nothing has to be searched: who waits, who is free, what comes due.
//! Kept by `apply`, rebuilt from a snapshot, and compared with a linear scan by the reference model.

use crate::state::{Agent, Chat, Engine, Stage};
use crate::table::Table;
use crate::timers::{Deadline, agent_waits};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tieline_model::command::Presence;
use tieline_model::crm::Channel;
use tieline_model::event::Guest;
use tieline_model::live::Place;
use tieline_model::policy::{AgentPolicy, Delivery, OfferWhen, OverflowTo, QueuePolicy, Strategy};
use tieline_model::{AgentId, InteractionId, QueueId, SkillId, Timestamp};

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
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Line {
    /// By what their chats need.
    pub lanes: BTreeMap<Needs, Lane>,
    /// Chats in all of them.
    pub waiting: u32,
    /// Chats under offer, which stand in no lane.
    pub offered: u32,
    /// Agents of the queue who are at work.
    pub staff: u32,
    /// The queue's rules; `None` for a queue that settings do not know.
    pub rules: Option<Arc<QueuePolicy>>,
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
    /// Queues in whose lanes the agent stands as free.
    free_in: Vec<QueueId>,
    /// What the agent waits for.
    pub(crate) due: Option<(Timestamp, Deadline)>,
}

/// The indexes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Index {
    /// Waiting chats and free agents, by queue.
    pub lines: Table<QueueId, Line>,
    /// Queues in which somebody waits and somebody is free.
    pub ready: BTreeSet<QueueId>,
    /// Queues out of which a chat must overflow (A12).
    pub unserved: BTreeSet<QueueId>,
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
    queues: Vec<QueueId>,
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

    pub(crate) fn queue(&mut self, id: &QueueId) {
        if !self.queues.contains(id) {
            self.queues.push(id.clone());
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
        while let Some(queue) = self.index.touched.queues.pop() {
            self.review(&queue);
        }
    }

    /// Brings the entries of an agent up to date.
    fn reindex_agent(&mut self, id: &AgentId) {
        let Some(agent) = self.agents.get(id) else { return };
        let next = self.standing_of(id, agent);
        if next == agent.standing {
            return;
        }
        let Some(agent) = self.agents.get_mut(id) else { return };
        let old = std::mem::replace(&mut agent.standing, next.clone());
        let rules = agent.rules.clone();
        if old.due != next.due {
            old.due.as_ref().map(|due| self.index.deadlines.remove(due));
            self.index.deadlines.extend(next.due.clone());
        }
        // Where settings took the agent away, the lines are made anew with them.
        let Some(rules) = rules else { return };
        if old.at_work != next.at_work {
            for queue in &rules.queues {
                let Some(line) = self.index.lines.get_mut(queue) else { continue };
                line.staff = if next.at_work { line.staff + 1 } else { line.staff.saturating_sub(1) };
                self.index.touched.queue(queue);
            }
        }
        if (&old.free_in, old.since, old.load) != (&next.free_in, next.since, next.load) {
            old.free_in.iter().for_each(|queue| self.stand(queue, id, &rules, &old, false));
            next.free_in.iter().for_each(|queue| self.stand(queue, id, &rules, &next, true));
        }
    }

    /// Puts an agent into the lanes of a queue, or takes one out of them.
    fn stand(
        &mut self,
        queue: &QueueId,
        id: &AgentId,
        rules: &AgentPolicy,
        standing: &Standing,
        stands: bool,
    ) {
        let Some(line) = self.index.lines.get_mut(queue) else { return };
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
        self.index.touched.queue(queue);
    }

    fn standing_of(&self, id: &AgentId, agent: &Agent) -> Standing {
        let due = agent_waits(id, agent);
        let Some(policy) = &agent.rules else { return Standing { due, ..Standing::default() } };
        let load = self.units_in_hand(agent);
        let given = |queue: &&QueueId| {
            let rules = self.index.lines.get(*queue).and_then(|line| line.rules.as_deref());
            rules.is_some_and(|q| {
                q.delivery != Delivery::Pull && self.ruled_out(agent, policy, queue, q, load).is_none()
            })
        };
        let free_in = if may_be_given_any(agent) {
            policy.queues.iter().filter(given).cloned().collect()
        } else {
            Vec::new()
        };
        let at_work = agent.presence != Presence::Offline;
        Standing { since: agent.idle_since, load, at_work, free_in, due }
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
        items.map(|id| self.chats.get(id).map_or(1, |chat| self.units(chat))).sum()
    }

    /// Units one chat takes (A5).
    pub(crate) fn units(&self, chat: &Chat) -> u32 {
        chat.rules().map_or(1, |queue| queue.units)
    }

    pub(crate) fn turn(&self, chat: &Chat) -> Turn {
        let queue = chat.rules();
        let priority = i64::from(queue.map_or(0, |q| q.priority));
        let (rank, since) = match self.policy.ageing {
            None => (-priority, chat.started_at),
            Some(ageing) => {
                let head_start = priority.saturating_mul(i64::try_from(ageing.0).unwrap_or(i64::MAX));
                (0, Timestamp(chat.started_at.0.saturating_sub(head_start)))
            }
        };
        Turn { behind: !chat.ahead, rank, since, id: chat.id }
    }

    /// What an agent must be able to, to be given this chat now (A11).
    pub(crate) fn needs(&self, chat: &Chat) -> Needs {
        let Some(queue) = chat.rules() else {
            return Needs::new();
        };
        needs_of(queue, &chat.skills, chat.relaxed)
    }

    /// Puts a chat where its stage says.
    pub(crate) fn enter_index(&mut self, id: InteractionId) {
        match self.chats.get(&id).map(|chat| &chat.stage) {
            Some(Stage::Waiting) => self.line_up(id),
            Some(Stage::Offered(_)) => self.count_offered(id, true),
            Some(Stage::Owned { .. } | Stage::Form { .. }) | None => {}
        }
    }

    /// Takes a chat out again. Call before its stage, or anything its turn or needs are made from, changes.
    pub(crate) fn leave_index(&mut self, id: InteractionId) {
        match self.chats.get(&id).map(|chat| &chat.stage) {
            Some(Stage::Waiting) => self.leave_line(id),
            Some(Stage::Offered(_)) => self.count_offered(id, false),
            Some(Stage::Owned { .. } | Stage::Form { .. }) | None => {}
        }
    }

    /// Puts a chat in line.
    fn line_up(&mut self, id: InteractionId) {
        let Some(chat) = self.chats.get(&id) else { return };
        let Some(queue) = chat.queue.clone() else { return };
        let (turn, needs) = (self.turn(chat), self.needs(chat));
        self.open_lane(&queue, &needs);
        let line = self.index.lines.or_default(&queue);
        line.waiting += 1;
        line.lanes.entry(needs).or_default().waiting.insert(turn);
        self.index.touched.queue(&queue);
    }

    /// Takes a chat out of line. Call before anything its turn or needs are made from changes.
    fn leave_line(&mut self, id: InteractionId) {
        let Some(chat) = self.chats.get(&id) else { return };
        let Some(queue) = chat.queue.clone() else { return };
        let (turn, needs) = (self.turn(chat), self.needs(chat));
        if let Some(line) = self.index.lines.get_mut(&queue)
            && let Some(lane) = line.lanes.get_mut(&needs)
            && lane.waiting.remove(&turn)
        {
            line.waiting -= 1;
        }
        self.index.touched.queue(&queue);
    }

    /// Makes sure that a lane is there, with everybody who is free for it.
    pub(crate) fn open_lane(&mut self, queue: &QueueId, needs: &Needs) {
        let line = self.index.lines.or_default(queue);
        if line.lanes.contains_key(needs) {
            return;
        }
        let own = line.rules.as_deref().map(|q| needs_of(q, &BTreeSet::new(), 0)).unwrap_or_default();
        if line.lanes.len() > SPARE_LANES_MAX {
            line.lanes.retain(|needs, lane| !lane.waiting.is_empty() || *needs == own);
        }
        let mut lane = Lane::default();
        let least_loaded = line.least_loaded();
        let free = |(_, agent): &(&AgentId, &Agent)| agent.standing.free_in.contains(queue);
        for (id, agent) in self.agents.unordered().filter(free) {
            if let Some(skill) = agent.rules.as_deref().and_then(|rules| proficiency(rules, needs)) {
                lane.free.insert(rank(skill, least_loaded, &agent.standing, id));
            }
        }
        line.lanes.insert(needs.clone(), lane);
    }

    /// Whether somebody can be handed out in a queue, and whether somebody must leave it.
    fn review(&mut self, queue: &QueueId) {
        let Some(line) = self.index.lines.get(queue) else { return };
        let ready = line.waiting > 0
            && line.lanes.values().any(|lane| !lane.waiting.is_empty() && !lane.free.is_empty());
        let unserved = line.waiting > 0 && self.overflows(line);
        if (ready, unserved) == (line.ready, line.unserved) {
            return;
        }
        let Some(line) = self.index.lines.get_mut(queue) else { return };
        if std::mem::replace(&mut line.ready, ready) != ready {
            set(&mut self.index.ready, queue, ready);
        }
        if std::mem::replace(&mut line.unserved, unserved) != unserved {
            set(&mut self.index.unserved, queue, unserved);
        }
    }

    /// Whether a chat has to leave a queue in which somebody waits (A12).
    fn overflows(&self, line: &Line) -> bool {
        let Some(policy) = line.rules.as_deref() else { return false };
        let rules = &policy.overflow;
        let goes = |to: &OverflowTo| *to != OverflowTo::Wait;
        goes(&rules.closed) && !self.is_open(policy)
            || goes(&rules.unstaffed) && line.staff == 0
            || rules
                .full
                .as_ref()
                .is_some_and(|full| goes(&full.then) && line.waiting + line.offered > full.chats)
    }

    /// Whether a queue's opening hours are on (A12).
    pub(crate) fn is_open(&self, policy: &QueuePolicy) -> bool {
        policy.hours.as_ref().is_none_or(|schedule| self.turned.get(schedule).is_some_and(|t| t.open))
    }

    /// Whether an agent who serves the queue is at work (A12). A lost connection does not count until the agent does.
    pub(crate) fn is_staffed(&self, queue: &QueueId) -> bool {
        self.index.lines.get(queue).is_some_and(|line| line.staff > 0)
    }

    /// Chats in a queue's line, those under offer not among them.
    pub(crate) fn in_line(&self, queue: &QueueId) -> u32 {
        self.index.lines.get(queue).map_or(0, |line| line.waiting)
    }

    /// Chats for which nobody has been found in a queue: in line or under offer (A12).
    pub(crate) fn unserved_chats(&self, queue: &QueueId) -> u32 {
        self.index.lines.get(queue).map_or(0, |line| line.waiting + line.offered)
    }

    /// Counts a chat that has come under offer, or is about to come out again.
    fn count_offered(&mut self, id: InteractionId, comes: bool) {
        let Some(queue) = self.chats.get(&id).and_then(|chat| chat.queue.clone()) else { return };
        let line = self.index.lines.or_default(&queue);
        line.offered = if comes { line.offered + 1 } else { line.offered.saturating_sub(1) };
        self.index.touched.queue(&queue);
    }

    /// Makes all indexes anew from the rest of the state.
    pub(crate) fn rebuild(&mut self) {
        let skills = self.policy.agents.values().flat_map(|agent| agent.skills.keys().cloned());
        self.index = Index { skills: skills.collect(), ..Index::default() };
        for (queue, policy) in &self.policy.queues {
            let own = BTreeMap::from([(needs_of(policy, &BTreeSet::new(), 0), Lane::default())]);
            let line = Line { lanes: own, rules: Some(Arc::new(policy.clone())), ..Line::default() };
            self.index.lines.insert(queue.clone(), line);
        }
        for chat in self.chats.values_mut() {
            let line = chat.queue.as_ref().and_then(|queue| self.index.lines.get(queue));
            chat.rules = line.and_then(|line| line.rules.clone());
            chat.due = None;
        }
        for agent in self.agents.values_mut() {
            (agent.rules, agent.standing) = (None, Standing::default());
        }
        for (id, policy) in &self.policy.agents {
            if let Some(agent) = self.agents.get_mut(id) {
                agent.rules = Some(Arc::new(policy.clone()));
            }
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

fn set(queues: &mut BTreeSet<QueueId>, queue: &QueueId, wanted: bool) {
    if wanted {
        queues.insert(queue.clone());
    } else {
        queues.remove(queue);
    }
}

impl Line {
    fn least_loaded(&self) -> bool {
        self.rules.as_deref().is_some_and(|rules| rules.strategy == Strategy::LeastLoaded)
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
