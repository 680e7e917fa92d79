//! The line: who is next, who gets it (A9, A11), and who must go elsewhere (A12).

use super::{Agent, Chat, Due, Figures, Naive, Offer, Where};
use tieline_model::command::{Notice, Presence};
use tieline_model::crm::Channel;
use tieline_model::event::{AssignedHow, OverflowWhy};
use tieline_model::live::Place;
use tieline_model::policy::{Delivery, OfferWhen, OverflowTo, QueuePolicy, Strategy};
use tieline_model::{AgentId, Event, InteractionId, Millis, QueueId, SkillId, Timestamp};

/// How long the offline form is waited for.
const FORM: Millis = Millis::secs(1_800);

type Turn = (bool, i64, i64, InteractionId);

impl Naive {
    /// What orders the line: put ahead, then priority, then waiting; where waiting ages, one step of priority is worth
    /// that much of it.
    fn turn(&self, chat: &Chat) -> Turn {
        let priority = i64::from(self.queue_of(chat).map_or(0, |q| q.priority));
        match self.policy.ageing {
            None => (!chat.ahead, -priority, chat.came.0, chat.id),
            Some(age) => (!chat.ahead, 0, chat.came.0 - priority * age.0 as i64, chat.id),
        }
    }

    /// Chats of a queue that wait, next first.
    pub fn line(&self, queue: &QueueId) -> Vec<InteractionId> {
        let here = |c: &&Chat| c.queue.as_ref() == Some(queue) && matches!(c.at, Where::Line);
        let mut line: Vec<&Chat> = self.chats.iter().filter(here).collect();
        line.sort_by_key(|c| self.turn(c));
        line.iter().map(|c| c.id).collect()
    }

    /// Chats that count for the limit of a queue: those under offer too.
    pub fn waiting(&self, queue: &QueueId) -> u32 {
        let waits =
            |c: &&Chat| c.queue.as_ref() == Some(queue) && matches!(c.at, Where::Line | Where::Offer(_));
        self.chats.iter().filter(waits).count() as u32
    }

    /// A place in the queue; an offered chat is as good as next.
    pub fn position(&self, id: InteractionId) -> Option<u32> {
        let chat = self.chat(id)?;
        match &chat.at {
            Where::Offer(_) => Some(1),
            Where::Line => {
                let line = self.line(chat.queue.as_ref()?);
                Some(line.iter().position(|c| *c == id)? as u32 + 1)
            }
            Where::Inbox(_) | Where::Form(_) => None,
        }
    }

    /// What an agent must be able to, to get this chat now.
    fn needs(&self, chat: &Chat) -> Vec<(SkillId, u8)> {
        let Some(queue) = self.queue_of(chat) else { return Vec::new() };
        let mut needs: Vec<(SkillId, u8)> = queue.skills.iter().map(|(s, l)| (s.clone(), *l)).collect();
        for skill in &chat.skills {
            if !queue.skills.contains_key(skill) {
                needs.push((skill.clone(), 1));
            }
        }
        needs.iter_mut().for_each(|(_, level)| *level = level.saturating_sub(chat.relaxed));
        needs.retain(|(_, level)| *level > 0);
        needs
    }

    /// All levels of what is needed together; `None` if something is missing.
    fn skill(&self, agent: &AgentId, needs: &[(SkillId, u8)]) -> Option<u32> {
        let has = &self.policy.agents.get(agent)?.skills;
        let mut sum = 0;
        for (skill, least) in needs {
            sum += u32::from(*has.get(skill).filter(|level| *level >= least)?);
        }
        Some(sum)
    }

    /// A2, A5.
    pub fn may_be_given(&self, agent: &Agent, queue: &QueueId) -> bool {
        let id = &agent.id;
        let (Some(own), Some(rules)) = (self.policy.agents.get(id), self.policy.queues.get(queue)) else {
            return false;
        };
        let parked = |c: &&Chat| c.item().is_some_and(|i| i.place == Place::Parked);
        let inbox = self.inbox(id);
        own.queues.contains(queue)
            && agent.presence == Presence::Available
            && agent.wish.is_none()
            && !agent.sessions.is_empty()
            && agent.channels.contains(&Channel::Chat)
            && agent.queues.as_ref().is_none_or(|only| only.contains(queue))
            && self.offered(id).is_none()
            && (self.calls_at(id).is_empty() || rules.may_interrupt.contains(&Channel::Call))
            && self.load(id) + rules.units <= own.chat_capacity
            && (rules.may_interrupt.contains(&Channel::Chat)
                || match rules.offer_when {
                    OfferWhen::AllParked => inbox.iter().all(parked),
                    OfferWhen::Idle => inbox.is_empty(),
                    OfferWhen::BelowCapacity => true,
                })
    }

    /// Whether any agent at all could have this chat some time: serves its queue, can what it needs, has room for it.
    pub fn somebody_could(&self, chat: &Chat) -> bool {
        let needs = self.needs(chat);
        self.policy.agents.iter().any(|(id, own)| {
            chat.queue.as_ref().is_some_and(|queue| own.queues.contains(queue))
                && self.skill(id, &needs).is_some()
                && self.units(chat) <= own.chat_capacity
        })
    }

    /// Who of those free gets a chat: the preferred one, else the more skilled, the less loaded where that counts, the
    /// longest idle.
    fn who_gets(&self, chat: &Chat) -> Option<AgentId> {
        let (queue, rules) = (chat.queue.as_ref()?, self.queue_of(chat)?);
        let needs = self.needs(chat);
        let mut free = Vec::new();
        for agent in &self.agents {
            let declined = chat.declined.iter().any(|(who, _)| *who == agent.id);
            let Some(skill) = self.skill(&agent.id, &needs) else { continue };
            if declined || !self.may_be_given(agent, queue) {
                continue;
            }
            let load = if rules.strategy == Strategy::LeastLoaded { self.load(&agent.id) } else { 0 };
            let liked = chat.preferred.as_ref() == Some(&agent.id);
            free.push((!liked, -i64::from(skill), load, agent.idle, agent.id.clone()));
        }
        free.into_iter().min().map(|(.., id)| id)
    }

    pub(super) fn hand_out(&mut self) -> bool {
        let mut line: Vec<&Chat> = self.chats.iter().filter(|c| matches!(c.at, Where::Line)).collect();
        line.retain(|c| self.queue_of(c).is_some_and(|q| q.delivery != Delivery::Pull));
        line.sort_by_key(|c| self.turn(c));
        let Some((id, agent)) = line.iter().find_map(|c| Some((c.id, self.who_gets(c)?))) else {
            return false;
        };
        let now = self.now;
        let rules = self.rules(id).unwrap().clone();
        if rules.delivery == Delivery::Auto {
            self.assign(id, agent, AssignedHow::Auto, Some(now + rules.unopened_after));
            return true;
        }
        let offer = self.new_offer_id();
        let deadline = now + rules.accept_within;
        let chat = self.chat_mut(id);
        chat.offers += 1;
        chat.at = Where::Offer(Offer { id: offer, to: agent.clone(), made: now, until: deadline });
        let version = chat.offers;
        self.tell(Event::ChatOffered { interaction: id, agent, offer, version, deadline });
        true
    }

    // ---- overflow ---------------------------------------------------------------------------------------------

    pub fn is_open(&self, rules: &QueuePolicy) -> bool {
        let turned = |id| self.turned.iter().any(|(schedule, open, _)| schedule == id && *open);
        rules.hours.as_ref().is_none_or(turned)
    }

    /// Agents of a queue who are at work.
    pub fn staff(&self, queue: &QueueId) -> u32 {
        let there = self.policy.queues.contains_key(queue);
        let serves =
            |a: &&Agent| there && self.policy.agents.get(&a.id).is_some_and(|p| p.queues.contains(queue));
        self.agents.iter().filter(serves).filter(|a| a.presence != Presence::Offline).count() as u32
    }

    /// A chat leaves a queue that is closed, or where nobody is at work.
    pub(super) fn leave_unserved(&mut self) -> bool {
        if !self.chats.iter().any(|c| matches!(c.at, Where::Line)) {
            return false;
        }
        for (queue, rules) in self.policy.queues.clone() {
            let Some(first) = self.line(&queue).first().copied() else { continue };
            let rules_of = &rules.overflow;
            if !self.is_open(&rules) && rules_of.closed != OverflowTo::Wait {
                self.overflow(first, &rules_of.closed, OverflowWhy::Closed);
                return true;
            }
            if self.staff(&queue) == 0 && rules_of.unstaffed != OverflowTo::Wait {
                self.overflow(first, &rules_of.unstaffed, OverflowWhy::Unstaffed);
                return true;
            }
        }
        false
    }

    /// Who came last leaves a queue in which too many wait.
    pub(super) fn leave_full(&mut self) -> bool {
        if !self.chats.iter().any(|c| matches!(c.at, Where::Line)) {
            return false;
        }
        for (queue, rules) in self.policy.queues.clone() {
            let Some(full) = rules.overflow.full.filter(|full| full.then != OverflowTo::Wait) else {
                continue;
            };
            let Some(last) = self.line(&queue).last().copied() else { continue };
            if self.waiting(&queue) > full.chats {
                self.overflow(last, &full.then, OverflowWhy::Full);
                return true;
            }
        }
        false
    }

    fn overflow(&mut self, id: InteractionId, to: &OverflowTo, why: OverflowWhy) {
        let now = self.now;
        let chat = self.chat(id).unwrap();
        let from = chat.queue.clone().unwrap();
        let to = match to {
            OverflowTo::Wait => unreachable!("whoever waits stays"),
            OverflowTo::OfflineForm => None,
            OverflowTo::Queue { queue } => {
                let been = *queue == from || chat.visited.contains(queue);
                Some(queue.clone()).filter(|q| !been && self.policy.queues.contains_key(q))
            }
        };
        let (deadline, notice) = match &to {
            None => (Some(now + FORM), Notice::Offline),
            Some(_) => (None, Notice::Overflowed),
        };
        let words = self.wording(id, notice);
        self.figures_mut(&from).overflowed += 1;
        self.tell(Event::ChatOverflowed {
            interaction: id,
            from: from.clone(),
            to: to.clone(),
            why,
            deadline,
        });
        self.chat_mut(id).visited.push(from.clone());
        match to {
            Some(queue) => self.enter(id, &queue),
            None => self.chat_mut(id).at = Where::Form(now + FORM),
        }
        self.left_line(&from);
        self.say(id, notice, words);
    }

    /// Into a queue's line.
    pub(super) fn enter(&mut self, id: InteractionId, queue: &QueueId) {
        let now = self.now;
        let chat = self.chat_mut(id);
        chat.queue = Some(queue.clone());
        chat.at = Where::Line;
        chat.entered = now;
        chat.relaxed = 0;
        (chat.served, chat.connecting) = (false, Millis(0));
        chat.declined.clear();
        self.figures_mut(queue).came += 1;
    }

    // ---- what comes due in line -------------------------------------------------------------------------------

    pub(super) fn deadlines_in_line(&self, chat: &Chat, all: &mut Vec<(Timestamp, Due)>) {
        let Some(rules) = self.queue_of(chat) else { return };
        let id = chat.id;
        if let Some(step) = rules.relax_after.filter(|_| !self.needs(chat).is_empty()) {
            all.push((chat.entered + Millis(step.0 * (u64::from(chat.relaxed) + 1)), Due::Relax(id)));
        }
        if let Some(limit) = rules.overflow.waited.as_ref().filter(|limit| limit.then != OverflowTo::Wait) {
            all.push((chat.entered + limit.after, Due::Waited(id)));
        }
        all.extend(chat.declined.iter().map(|(_, until)| (*until, Due::Decliner(id))));
    }

    pub(super) fn relax(&mut self, id: InteractionId) {
        let chat = self.chat_mut(id);
        chat.relaxed += 1;
        let steps = chat.relaxed;
        self.tell(Event::NeedsRelaxed { interaction: id, steps });
    }

    pub(super) fn waited_too_long(&mut self, id: InteractionId) {
        let limit = self.rules(id).unwrap().overflow.waited.clone().unwrap();
        self.overflow(id, &limit.then, OverflowWhy::Waited);
    }

    pub(super) fn forget_decliners(&mut self, id: InteractionId) {
        let now = self.now;
        let mut over: Vec<AgentId> = self
            .chat(id)
            .unwrap()
            .declined
            .iter()
            .filter(|(_, at)| *at <= now)
            .map(|(a, _)| a.clone())
            .collect();
        over.sort();
        self.chat_mut(id).declined.retain(|(_, at)| *at > now);
        for agent in over {
            self.tell(Event::DeclineForgotten { interaction: id, agent });
        }
    }

    /// An agent who declined is left out for a while (A9).
    pub(super) fn declines(&mut self, id: InteractionId, agent: &AgentId) {
        let until = self.now + self.rules(id).map_or(Millis(0), |q| q.retry_decliner_after);
        let chat = self.chat_mut(id);
        chat.declined.retain(|(who, _)| who != agent);
        chat.declined.push((agent.clone(), until));
    }

    // ---- figures ----------------------------------------------------------------------------------------------

    pub fn figures_of(&self, queue: &QueueId) -> Figures {
        self.figures.iter().find(|(id, _)| id == queue).map(|(_, f)| *f).unwrap_or_default()
    }

    pub(super) fn figures_mut(&mut self, queue: &QueueId) -> &mut Figures {
        if !self.figures.iter().any(|(id, _)| id == queue) {
            self.figures.push((queue.clone(), Figures::default()));
        }
        self.figures.iter_mut().find(|(id, _)| id == queue).map(|(_, f)| f).unwrap()
    }

    /// An agent has a chat in hand that the agent did not have before. The first time in its queue connecting is over,
    /// and the line has moved.
    pub(super) fn in_hand(&mut self, id: InteractionId, agent: &AgentId) {
        self.agent_mut(agent).today.chats += 1;
        let now = self.now;
        let target = self.rules(id).map_or(Millis(0), |q| q.targets.connect);
        let chat = self.chat_mut(id);
        if chat.answered.is_none() {
            chat.answered = Some(now);
            chat.service.waited = now.since(chat.came);
        }
        if std::mem::replace(&mut chat.served, true) {
            return;
        }
        let in_time = chat.connecting <= target;
        let queue = chat.queue.clone().unwrap();
        let figures = self.figures_mut(&queue);
        figures.answered += 1;
        figures.in_time += u32::from(in_time);
    }

    /// A chat went out of a line to an agent; only intervals in which others waited all the time say how fast it moves.
    pub(super) fn line_moved(&mut self, id: InteractionId) {
        let now = self.now;
        let queue = self.chat(id).unwrap().queue.clone().unwrap();
        let others_wait = !self.line(&queue).is_empty();
        let figures = self.figures_mut(&queue);
        if let Some(before) = figures.taken_at {
            let interval = now.since(before);
            figures.pace = Some(match figures.pace {
                None => interval,
                // A new interval weighs an eighth.
                Some(pace) => Millis((pace.0 * 7 + interval.0) / 8),
            });
        }
        figures.taken_at = others_wait.then_some(now);
    }

    /// A chat left a line otherwise. If nobody is left, the time until the next one comes says nothing.
    pub(super) fn line_left(&mut self, id: InteractionId) {
        let queue = self.chat(id).unwrap().queue.clone().unwrap();
        self.left_line(&queue);
    }

    pub(super) fn left_line(&mut self, queue: &QueueId) {
        if self.waiting(queue) == 0 {
            self.figures_mut(queue).taken_at = None;
        }
    }

    /// Waiting while an agent was free for it is over: under offer, or unopened in an inbox (B17).
    pub(super) fn connecting(&mut self, id: InteractionId) {
        let now = self.now;
        let chat = self.chat_mut(id);
        let since = match &chat.at {
            Where::Offer(offer) => Some(offer.made),
            Where::Inbox(item) => item.lies,
            Where::Line | Where::Form(_) => None,
        };
        let Some(since) = since.filter(|_| !chat.served) else { return };
        chat.connecting.0 += now.since(since).0;
        if chat.answered.is_none() {
            chat.service.connecting.0 += now.since(since).0;
        }
    }
}
