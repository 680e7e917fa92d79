//! What is told at most once a second, however much happens: queues, colleagues, and the whole floor to supervisors
//! who watch it (A15). Quiet floors are told at once; on busy ones changes gather until the next second, so that a
//! thousand agents do not flood each other.

use super::drafts::Draft;
use super::floor::{Floor, HubCounts, Touched};
use super::hub::PanelPush;
use super::panel_view::{agent_name, queue_view, under_offer};
use crate::journal::Recorded;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tieline_engine::{Agent, Chat, Engine, Stage, Talk};
use tieline_model::live::{ChatAt, Colleague, QueueView, Status, Watched, WatchedAgent, WatchedChat};
use tieline_model::{AgentId, Event, InteractionId, QueueId, SessionId, Timestamp};

/// How often a busy floor is told.
pub(super) const NEWS_EVERY: Duration = Duration::from_secs(1);
/// Colleagues shown to one agent.
const COLLEAGUES_MAX: usize = 500;
/// Open chats shown to who watches.
const CHATS_MAX: usize = 1_000;

/// What has changed since it was last told.
#[derive(Default)]
pub(super) struct News {
    agents: BTreeSet<AgentId>,
    /// A call has left somebody; nobody says whom.
    calls: bool,
    queues: BTreeSet<QueueId>,
    chats: bool,
    /// Something was told within this second.
    told: bool,
    /// Each agent's status as last seen, and since when it is so.
    statuses: BTreeMap<AgentId, (Status, Option<Timestamp>)>,
    /// What those who watch have been told; nothing while nobody does.
    watched: Option<Floorwide>,
}

/// The whole floor, by id.
#[derive(Clone, Default, PartialEq, Eq)]
struct Floorwide {
    agents: BTreeMap<AgentId, WatchedAgent>,
    queues: BTreeMap<QueueId, QueueView>,
    chats: BTreeMap<InteractionId, WatchedChat>,
    more_chats: u32,
}

impl News {
    fn waits(&self) -> bool {
        self.calls || self.chats || !self.agents.is_empty() || !self.queues.is_empty()
    }

    /// Looks at an agent's status and notes since when it is so.
    fn look(&mut self, engine: &Engine, id: &AgentId, first: bool) {
        let status = engine.status(id);
        match self.statuses.get_mut(id) {
            Some((known, _)) if *known == status => {}
            Some(entry) => *entry = (status, Some(engine.now())),
            None => _ = self.statuses.insert(id.clone(), (status, (!first).then(|| engine.now()))),
        }
    }
}

impl Floor {
    /// Knows everybody's status from here on.
    pub(super) fn look_around(&mut self, engine: &Engine) {
        let first = self.news.statuses.is_empty();
        for id in engine.policy().agents.keys() {
            self.news.look(engine, id, first);
        }
    }

    /// Notes what rows changed, and tells it unless something was told within this second.
    pub(super) fn note(&mut self, engine: &Engine, rows: &[Recorded], touched: &Touched, counts: &HubCounts) {
        for agent in &touched.agents {
            self.news.look(engine, agent, false);
        }
        self.news.agents.extend(touched.agents.iter().cloned());
        self.news.queues.extend(touched.queues.iter().cloned());
        self.news.chats |= rows.iter().any(|row| row.event.interaction().is_some());
        self.news.calls |=
            rows.iter().any(|row| matches!(row.event, Event::CallAnswered { .. } | Event::CallEnded { .. }));
        if !self.news.told {
            self.tell_news(engine, counts);
        }
    }

    /// A second is over. True if there is something to tell.
    pub(super) fn next_second(&mut self) -> bool {
        self.news.told = false;
        self.news.waits()
    }

    /// Tells what has gathered.
    pub(super) fn tell_news(&mut self, engine: &Engine, counts: &HubCounts) {
        let mut agents = std::mem::take(&mut self.news.agents);
        let queues = std::mem::take(&mut self.news.queues);
        self.news.chats = false;
        if std::mem::take(&mut self.news.calls) {
            agents.extend(engine.policy().agents.keys().cloned());
            agents.iter().for_each(|id| self.news.look(engine, id, false));
        }
        self.news.told |= self.tell_queues(engine, &queues, counts);
        self.news.told |= self.tell_colleagues(engine, &agents, counts);
        self.news.told |= self.tell_watchers(engine, &agents, &queues, counts);
    }

    /// Queues that changed, to the agents who serve them.
    fn tell_queues(&mut self, engine: &Engine, queues: &BTreeSet<QueueId>, counts: &HubCounts) -> bool {
        let mut told = false;
        if queues.is_empty() {
            return told;
        }
        let offers = under_offer(engine);
        for id in queues {
            let Some(view) = queue_view(engine, id, &offers) else { continue };
            for desk in self.desks.values_mut() {
                if desk.queues.get(id).is_some_and(|told| *told != view) {
                    desk.push(&Draft::Queue(view.clone()), counts);
                    desk.queues.insert(id.clone(), view.clone());
                    told = true;
                }
            }
        }
        told
    }

    /// Agents whose status changed, to those who share a queue with them.
    fn tell_colleagues(&mut self, engine: &Engine, agents: &BTreeSet<AgentId>, counts: &HubCounts) -> bool {
        let changed: Vec<(&AgentId, Status)> = agents.iter().map(|id| (id, engine.status(id))).collect();
        let mut told = false;
        for desk in self.desks.values_mut() {
            let mut news = Vec::new();
            for (id, status) in &changed {
                if let Some(colleague) = desk.colleagues.get_mut(*id)
                    && colleague.status != *status
                {
                    colleague.status = status.clone();
                    news.push(colleague.clone());
                }
            }
            if !news.is_empty() {
                desk.push(&Draft::Colleagues(news), counts);
                told = true;
            }
        }
        told
    }

    fn tell_watchers(
        &mut self,
        engine: &Engine,
        agents: &BTreeSet<AgentId>,
        queues: &BTreeSet<QueueId>,
        counts: &HubCounts,
    ) -> bool {
        if !self.is_watched() {
            self.news.watched = None;
            return false;
        }
        let Some(before) = self.news.watched.clone() else { return false };
        let mut next = before.clone();
        let fresh = agents.iter().filter_map(|id| Some((id.clone(), self.watched_agent(engine, id)?)));
        next.agents.extend(fresh.collect::<Vec<_>>());
        let offers = under_offer(engine);
        next.queues
            .extend(queues.iter().filter_map(|id| Some((id.clone(), queue_view(engine, id, &offers)?))));
        (next.chats, next.more_chats) = watched_chats(engine);
        if next == before {
            return false;
        }
        let gone = before.chats.keys().filter(|id| !next.chats.contains_key(id)).copied().collect();
        let draft = Draft::Watched(Box::new(next.since(&before)), gone);
        for seat in self.desks.values().flat_map(|desk| desk.seats.values()).filter(|seat| seat.watches) {
            seat.wire.send(PanelPush::Changes(vec![draft.clone()]), counts);
        }
        self.news.watched = Some(next);
        true
    }

    fn is_watched(&self) -> bool {
        self.desks.values().flat_map(|desk| desk.seats.values()).any(|seat| seat.watches)
    }

    /// From here on this page is told the whole floor, or no longer.
    pub(super) fn watch(
        &mut self,
        engine: &Engine,
        agent: &AgentId,
        session: SessionId,
        on: bool,
        counts: &HubCounts,
    ) {
        if let Some(seat) = self.desks.get_mut(agent).and_then(|desk| desk.seats.get_mut(&session)) {
            seat.watches = on;
        }
        if !on {
            return;
        }
        let whole = self.floorwide(engine);
        let draft = Draft::Watched(Box::new(whole), Vec::new());
        if let Some(seat) = self.desks.get(agent).and_then(|desk| desk.seats.get(&session)) {
            seat.wire.send(PanelPush::Changes(vec![draft]), counts);
        }
    }

    /// The whole floor, as those who watch have been told it; made anew when nobody has.
    fn floorwide(&mut self, engine: &Engine) -> Watched {
        if self.news.watched.is_none() {
            self.news.watched = Some(self.look_everywhere(engine));
        }
        self.news.watched.clone().unwrap_or_default().whole()
    }

    /// What a page that watches shows of the floor.
    pub(super) fn watched(&self) -> Option<Watched> {
        self.news.watched.clone().map(Floorwide::whole)
    }

    /// The settings changed: everything is made anew.
    pub(super) fn watch_anew(&mut self, engine: &Engine) {
        self.look_around(engine);
        self.news.statuses.retain(|id, _| engine.policy().agents.contains_key(id));
        self.news.agents.clear();
        self.news.queues.clear();
        self.news.watched = self.is_watched().then(|| self.look_everywhere(engine));
    }

    fn look_everywhere(&self, engine: &Engine) -> Floorwide {
        let agents = engine.policy().agents.keys();
        let agents = agents.filter_map(|id| Some((id.clone(), self.watched_agent(engine, id)?))).collect();
        let (chats, more_chats) = watched_chats(engine);
        Floorwide { agents, queues: queues(engine, engine.policy().queues.keys()), chats, more_chats }
    }

    fn watched_agent(&self, engine: &Engine, id: &AgentId) -> Option<WatchedAgent> {
        let policy = engine.policy().agents.get(id)?;
        let nobody = Agent::default();
        let state = engine.agent(id).unwrap_or(&nobody);
        Some(WatchedAgent {
            agent: id.clone(),
            name: policy.name.clone(),
            queues: policy.queues.clone(),
            presence: state.presence.clone(),
            wish: state.wish.clone(),
            status: engine.status(id),
            since: self.news.statuses.get(id).and_then(|(_, since)| *since),
            channels: state.channels.clone(),
            load: engine.load(id),
            capacity: policy.chat_capacity,
            connected: !state.sessions.is_empty(),
            lost_at: state.gone.map(|gone| gone.lost),
        })
    }
}

impl Floorwide {
    fn whole(self) -> Watched {
        let mut chats: Vec<WatchedChat> = self.chats.into_values().collect();
        chats.sort_by_key(|chat| (chat.started_at, chat.interaction));
        let (agents, queues) = (self.agents.into_values().collect(), self.queues.into_values().collect());
        Watched { agents, queues, chats, more_chats: self.more_chats }
    }

    /// What differs from before.
    fn since(&self, before: &Self) -> Watched {
        let agents = self.agents.iter().filter(|(id, agent)| before.agents.get(*id) != Some(*agent));
        let queues = self.queues.iter().filter(|(id, queue)| before.queues.get(*id) != Some(*queue));
        let chats = self.chats.iter().filter(|(id, chat)| before.chats.get(*id) != Some(*chat));
        Watched {
            agents: agents.map(|(_, agent)| agent.clone()).collect(),
            queues: queues.map(|(_, queue)| queue.clone()).collect(),
            chats: chats.map(|(_, chat)| chat.clone()).collect(),
            more_chats: self.more_chats,
        }
    }
}

/// These queues, as agents see them.
pub(super) fn queues<'a>(
    engine: &Engine,
    which: impl Iterator<Item = &'a QueueId>,
) -> BTreeMap<QueueId, QueueView> {
    let offers = under_offer(engine);
    which.filter_map(|id| Some((id.clone(), queue_view(engine, id, &offers)?))).collect()
}

/// Agents who share a queue with this one.
pub(super) fn colleagues(engine: &Engine, agent: &AgentId) -> BTreeMap<AgentId, Colleague> {
    let Some(own) = engine.policy().agents.get(agent) else { return BTreeMap::new() };
    let others = engine.policy().agents.iter().filter(|(id, _)| *id != agent);
    let sharing = others.filter_map(|(id, policy)| {
        let queues: BTreeSet<QueueId> = own.queues.intersection(&policy.queues).cloned().collect();
        let (name, status) = (agent_name(engine, id), engine.status(id));
        (!queues.is_empty()).then(|| (id.clone(), Colleague { agent: id.clone(), name, status, queues }))
    });
    sharing.take(COLLEAGUES_MAX).collect()
}

/// The oldest open chats, and how many more there are.
fn watched_chats(engine: &Engine) -> (BTreeMap<InteractionId, WatchedChat>, u32) {
    let mut oldest: Vec<(Timestamp, InteractionId)> =
        engine.chats().map(|chat| (chat.started_at, chat.id)).collect();
    let more = oldest.len().saturating_sub(CHATS_MAX);
    if more > 0 {
        oldest.select_nth_unstable(CHATS_MAX - 1);
        oldest.truncate(CHATS_MAX);
    }
    let chats = oldest.into_iter().filter_map(|(_, id)| Some((id, watched_chat(engine.chat(id)?))));
    (chats.collect(), u32::try_from(more).unwrap_or(u32::MAX))
}

fn watched_chat(chat: &Chat) -> WatchedChat {
    let place = match &chat.stage {
        Stage::Waiting => ChatAt::Waiting,
        Stage::Offered(offer) => ChatAt::Offered { agent: offer.agent.clone(), deadline: offer.deadline },
        Stage::Owned { agent, place, talk: Talk::Open { .. } } => {
            ChatAt::Open { agent: agent.clone(), place: *place }
        }
        Stage::Owned { agent, place, talk: Talk::WrapUp { ended_at, .. } } => {
            ChatAt::WrapUp { agent: agent.clone(), place: *place, ended_at: *ended_at }
        }
        Stage::Form { deadline } => ChatAt::Form { deadline: *deadline },
    };
    WatchedChat {
        interaction: chat.id,
        channel: chat.channel,
        queue: chat.queue.clone(),
        started_at: chat.started_at,
        unanswered_since: chat.unanswered_since,
        place,
        guests: chat.guests.keys().cloned().collect(),
        abusive: chat.abusive,
    }
}
