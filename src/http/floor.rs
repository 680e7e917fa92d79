//! What is live in one tenant: desks of agents, widgets of customers, and what each has been told. Works out who must
//! be told what after a commit.

use super::drafts::{AgentView, Draft, History, Names, Readers, message};
use super::hub::{PanelPush, PanelSnapshot, WidgetPush, WidgetSnapshot, Wire};
use super::news::{News, colleagues, queues};
use super::panel_view::{agent_view, directory, rules};
use super::pops::Kept;
use super::signs::{Typist, at};
use super::widget_view;
use crate::journal::Recorded;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use tieline_engine::{CallState, Engine, Stage};
use tieline_model::event::{ReturnedWhy, WithdrawnWhy};
use tieline_model::live::{ChatState, Colleague, QueueView, Supervised};
use tieline_model::{AgentId, ConnectionId, ContentId, Event, InteractionId, Millis, QueueId, SessionId};

/// Acts of supervisors shown to the agent they concern.
const ACTS_MAX: usize = 10;

pub(super) struct PanelSeat {
    pub(super) wire: Wire<PanelPush>,
    /// The connection in whose CRM page the panel stands.
    pub(super) stands_in: Option<ConnectionId>,
    /// It can open records in that page.
    pub(super) can_pop: bool,
    /// The larger, the later it was used.
    pub(super) used: u64,
    /// It is told the whole floor (A15).
    pub(super) watches: bool,
}

/// An agent's connected panels, and what they have all been told.
pub(super) struct Desk {
    pub(super) seats: BTreeMap<SessionId, PanelSeat>,
    pub(super) view: AgentView,
    /// The agent's queues.
    pub(super) queues: BTreeMap<QueueId, QueueView>,
    pub(super) colleagues: BTreeMap<AgentId, Colleague>,
}

impl Desk {
    pub(super) fn new(engine: &Engine, agent: &AgentId, view: AgentView) -> Self {
        let own = engine.policy().agents.get(agent).into_iter().flat_map(|policy| &policy.queues);
        Self {
            seats: BTreeMap::new(),
            view,
            queues: queues(engine, own),
            colleagues: colleagues(engine, agent),
        }
    }

    /// Tells all panels of the agent one thing.
    pub(super) fn push(&self, draft: &Draft, counts: &HubCounts) {
        for seat in self.seats.values() {
            seat.wire.send(PanelPush::Changes(vec![draft.clone()]), counts);
        }
    }
}

pub(super) struct WidgetSeat {
    pub(super) session: SessionId,
    pub(super) wire: Wire<WidgetPush>,
    pub(super) told: Option<ChatState>,
    pub(super) person: Option<ContentId>,
}

/// What is live in one tenant.
#[derive(Default)]
pub(super) struct Floor {
    pub(super) desks: BTreeMap<AgentId, Desk>,
    pub(super) widgets: BTreeMap<InteractionId, VecDeque<WidgetSeat>>,
    pub(super) shows: HashMap<InteractionId, BTreeSet<AgentId>>,
    pub(super) pops: BTreeMap<AgentId, VecDeque<Kept>>,
    pub(super) names: Arc<Names>,
    pub(super) uses: u64,
    pub(super) news: News,
    /// What supervisors lately did to whose work, newest first.
    pub(super) acts: BTreeMap<AgentId, VecDeque<Supervised>>,
    /// Who was shown to be typing, and where.
    pub(super) signs: HashMap<InteractionId, BTreeSet<Typist>>,
}

#[derive(Default)]
pub(super) struct HubCounts {
    pub(super) pushes: AtomicU64,
    pub(super) slow: AtomicU64,
    pub(super) pops: AtomicU64,
}

impl Floor {
    /// Ends all its sockets, each with a time of its own after which it comes again.
    pub(super) fn send_away(
        &self,
        reason: &str,
        reconnect_in: impl Fn() -> Option<Millis>,
        counts: &HubCounts,
    ) {
        for seat in self.desks.values().flat_map(|desk| desk.seats.values()) {
            let bye = PanelPush::Bye { reason: reason.to_owned(), reconnect_in: reconnect_in() };
            seat.wire.send(bye, counts);
        }
        for seat in self.widgets.values().flatten() {
            let bye = WidgetPush::Bye { reason: reason.to_owned(), reconnect_in: reconnect_in() };
            seat.wire.send(bye, counts);
        }
    }

    pub(super) fn name_all(&mut self, engine: &Engine) {
        if self.names.is_empty() {
            let names = engine.policy().agents.iter().map(|(id, policy)| (id.clone(), policy.name.clone()));
            self.names = Arc::new(names.collect());
            self.look_around(engine);
        }
    }

    /// Everything that an agent's panels have been told; the whole floor too for one that watches it.
    pub(super) fn snapshot(
        &self,
        engine: &Engine,
        agent: &AgentId,
        desk: &Desk,
        watches: bool,
    ) -> Box<PanelSnapshot> {
        let policy = engine.policy();
        Box::new(PanelSnapshot {
            view: desk.view.clone(),
            queues: desk.queues.values().cloned().collect(),
            rules: rules(engine, agent),
            directory: directory(engine),
            colleagues: desk.colleagues.values().cloned().collect(),
            supervised: self.acts.get(agent).into_iter().flatten().cloned().collect(),
            watched: watches.then(|| self.watched()).flatten(),
            connections: policy.connections.clone(),
            break_reasons: policy.break_reasons.clone(),
            labels: policy.labels.clone(),
            up_to: engine.seq(),
            names: Arc::clone(&self.names),
        })
    }

    pub(super) fn widget_snapshot(&self, engine: &Engine, id: InteractionId) -> WidgetSnapshot {
        let chat = engine.chat(id);
        WidgetSnapshot {
            state: chat.map(|chat| widget_view::state(engine, chat)),
            return_until: engine.return_until(id),
            files: chat.and_then(|chat| widget_view::files(engine, chat)),
            chars_max: chat.map_or(widget_view::CHARS_MAX, |chat| widget_view::chars_max(engine, chat)),
            up_to: engine.seq(),
            names: Arc::clone(&self.names),
        }
    }

    /// Sets what an agent's panels have been told, and who shows what.
    pub(super) fn set_view(&mut self, agent: &AgentId, view: AgentView) {
        let Some(desk) = self.desks.get_mut(agent) else { return };
        let before = std::mem::replace(&mut desk.view, view);
        let now = desk.view.shows();
        for id in before.shows().difference(&now) {
            remove_from(&mut self.shows, id, agent);
        }
        for id in now {
            self.shows.entry(id).or_default().insert(agent.clone());
        }
    }

    pub(super) fn unshow(&mut self, agent: &AgentId, view: &AgentView) {
        for id in view.shows() {
            remove_from(&mut self.shows, &id, agent);
        }
    }

    pub(super) fn tell_agents(&mut self, engine: &Engine, rows: &[Recorded], counts: &HubCounts) {
        let touched = self.touched(engine, rows);
        let mut fresh = BTreeSet::new();
        for agent in &touched.agents {
            if !self.desks.contains_key(agent) {
                continue;
            }
            let Some(next) = agent_view(engine, agent) else { continue };
            let before = self.desks.get(agent).map(|desk| desk.view.reads()).unwrap_or_default();
            fresh.extend(next.reads().difference(&before).map(|(_, id)| (agent.clone(), *id)));
            self.tell_change(engine, agent, next, counts);
        }
        for row in rows {
            self.tell_message(engine, row, &fresh, counts);
        }
        self.note(engine, rows, &touched, counts);
        self.forget_lost_pops(rows);
        let holders: Vec<AgentId> = self.pops.keys().cloned().collect();
        holders.iter().for_each(|agent| self.prune_pops(engine, agent));
    }

    fn tell_change(&mut self, engine: &Engine, agent: &AgentId, next: AgentView, counts: &HubCounts) {
        let Some(desk) = self.desks.get(agent) else { return };
        let names = &self.names;
        let history = |interaction| History { interaction, up_to: engine.seq(), names: Arc::clone(names) };
        let drafts = desk.view.changes(&next, history);
        if drafts.is_empty() {
            return;
        }
        for seat in desk.seats.values() {
            seat.wire.send(PanelPush::Changes(drafts.clone()), counts);
        }
        self.set_view(agent, next);
    }

    /// A message, told to the agents at the chat, unless the chat came to them in this commit: then its history holds
    /// it.
    fn tell_message(
        &self,
        engine: &Engine,
        row: &Recorded,
        fresh: &BTreeSet<(AgentId, InteractionId)>,
        counts: &HubCounts,
    ) {
        let Some(id) = row.event.interaction() else { return };
        let person = engine.chat(id).and_then(|chat| chat.person).map(|person| person.id);
        let Some(message) = message(row, person, &self.names, Readers::Agents) else { return };
        for agent in at(engine, id) {
            let told_already = fresh.contains(&(agent.clone(), id));
            if let Some(desk) = self.desks.get(&agent).filter(|_| !told_already) {
                desk.push(&Draft::Message(id, message.clone()), counts);
            }
        }
    }

    /// What a supervisor did, told to those whose work it is, and remembered for when they look (A15).
    pub(super) fn tell_acts(&mut self, rows: &[Recorded], counts: &HubCounts) {
        for (at, row) in rows.iter().enumerate() {
            let Event::SupervisorActed { supervisor, act, agent, reason } = &row.event else { continue };
            let name = self.names.get(supervisor).cloned();
            let supervised = Supervised {
                at: row.at,
                by: supervisor.clone(),
                by_name: name.unwrap_or_else(|| supervisor.to_string()),
                act: act.clone(),
                reason: reason.clone(),
            };
            let follows = &rows[at + 1..];
            let until = follows.iter().position(|r| matches!(r.event, Event::SupervisorActed { .. }));
            let follows = &follows[..until.unwrap_or(follows.len())];
            let mut concerned: BTreeSet<&AgentId> =
                follows.iter().filter_map(|r| taken_from(&r.event)).collect();
            concerned.extend(agent);
            concerned.remove(supervisor);
            for agent in concerned {
                if let Some(desk) = self.desks.get(agent) {
                    desk.push(&Draft::Supervised(supervised.clone()), counts);
                }
                let acts = self.acts.entry(agent.clone()).or_default();
                acts.push_front(supervised.clone());
                acts.truncate(ACTS_MAX);
            }
        }
    }

    /// Whom rows can have changed something for.
    fn touched(&self, engine: &Engine, rows: &[Recorded]) -> Touched {
        let mut touched = Touched::default();
        for row in rows {
            touched.agents.extend(agents_in(&row.event));
            if concerns_queues(&row.event) {
                touched.queues.extend(engine.policy().queues.keys().cloned());
            }
            if matches!(row.event, Event::DayBegan { .. }) {
                touched.agents.extend(self.desks.keys().cloned());
            }
            if let Some(agent) = comes_or_goes(&row.event)
                && let Some(policy) = engine.policy().agents.get(agent)
            {
                touched.queues.extend(policy.queues.iter().cloned());
            }
            let Some(id) = row.event.interaction() else { continue };
            touched.agents.extend(self.shows.get(&id).into_iter().flatten().cloned());
            if let Some(closed) = engine.closed(id) {
                touched.agents.insert(closed.agent.clone());
            }
            if let Some(call) = engine.call(id) {
                match &call.state {
                    CallState::Ringing { agents } => touched.agents.extend(agents.iter().cloned()),
                    CallState::Dialled { agent } | CallState::Answered { agent, .. } => {
                        _ = touched.agents.insert(agent.clone());
                    }
                }
            }
            match engine.chat(id) {
                Some(chat) => {
                    touched.queues.extend(chat.queue.clone());
                    touched.queues.extend(left_queue(&row.event));
                    touched.agents.extend(chat.guests.keys().cloned());
                    touched.agents.extend(chat.transfer.iter().map(|t| t.offer.agent.clone()));
                    match &chat.stage {
                        Stage::Waiting | Stage::Form { .. } => {}
                        Stage::Offered(offer) => _ = touched.agents.insert(offer.agent.clone()),
                        Stage::Owned { agent, .. } => _ = touched.agents.insert(agent.clone()),
                    }
                }
                // It has left the engine, and with it the name of its queue.
                None if matches!(row.event, Event::ChatEnded { .. } | Event::InteractionClosed { .. }) => {
                    touched.queues.extend(engine.policy().queues.keys().cloned());
                }
                None => {}
            }
        }
        touched
    }

    pub(super) fn tell_customers(&mut self, engine: &Engine, rows: &[Recorded], counts: &HubCounts) {
        if self.widgets.is_empty() {
            return;
        }
        let mut queues = BTreeSet::new();
        for row in rows {
            let Some(id) = row.event.interaction() else { continue };
            let chat = engine.chat(id);
            if moves_line(&row.event) {
                match chat {
                    Some(chat) => queues.extend(chat.queue.clone()),
                    // It has left the engine, and with it the name of its queue.
                    None => queues.extend(engine.policy().queues.keys().cloned()),
                }
            }
            let Some(seats) = self.widgets.get_mut(&id) else { continue };
            for seat in seats {
                // The message goes first, so that the end does not overtake the last word.
                if let Some(message) = message(row, seat.person, &self.names, Readers::Customer) {
                    seat.wire.send(WidgetPush::Message(message), counts);
                }
                let state = widget_view::state_after(engine, id, &row.event, seat.told.as_ref());
                seat.tell(state.as_ref(), counts);
            }
        }
        self.tell_positions(engine, &queues, counts);
    }

    /// Customers whose place in a queue changed.
    fn tell_positions(&mut self, engine: &Engine, queues: &BTreeSet<QueueId>, counts: &HubCounts) {
        for queue in queues {
            for (ahead, id) in engine.queue_waiting(queue).into_iter().enumerate() {
                let Some(seats) = self.widgets.get_mut(&id) else { continue };
                let Some(chat) = engine.chat(id) else { continue };
                let position = u32::try_from(ahead + 1).unwrap_or(u32::MAX);
                let state = widget_view::waiting(engine, chat, position);
                seats.iter_mut().for_each(|seat| seat.tell(Some(&state), counts));
            }
        }
    }

    pub(super) fn tell_all_anew(&mut self, engine: &Engine, counts: &HubCounts) {
        self.names = Arc::default();
        self.name_all(engine);
        self.watch_anew(engine);
        let agents: Vec<AgentId> = self.desks.keys().cloned().collect();
        for agent in agents {
            match agent_view(engine, &agent) {
                Some(view) => {
                    let Desk { queues, colleagues, .. } = Desk::new(engine, &agent, view.clone());
                    if let Some(desk) = self.desks.get_mut(&agent) {
                        (desk.queues, desk.colleagues) = (queues, colleagues);
                    }
                    self.set_view(&agent, view);
                    let Some(desk) = self.desks.get(&agent) else { continue };
                    for seat in desk.seats.values() {
                        let snapshot = self.snapshot(engine, &agent, desk, seat.watches);
                        seat.wire.send(PanelPush::Snapshot(snapshot), counts);
                    }
                }
                None => {
                    let Some(desk) = self.desks.remove(&agent) else { continue };
                    self.unshow(&agent, &desk.view);
                    for seat in desk.seats.values() {
                        let reason =
                            "this agent is no longer in the settings; ask an administrator".to_owned();
                        seat.wire.send(PanelPush::Bye { reason, reconnect_in: None }, counts);
                    }
                }
            }
            self.prune_pops(engine, &agent);
        }
        let chats: Vec<InteractionId> = self.widgets.keys().copied().collect();
        for id in chats {
            let snapshots: Vec<WidgetSnapshot> = self
                .widgets
                .get(&id)
                .into_iter()
                .flatten()
                .map(|_| self.widget_snapshot(engine, id))
                .collect();
            let seats = self.widgets.get_mut(&id).into_iter().flatten();
            for (seat, snapshot) in seats.zip(snapshots) {
                seat.told.clone_from(&snapshot.state);
                seat.wire.send(WidgetPush::Snapshot(snapshot), counts);
            }
        }
    }
}

impl WidgetSeat {
    fn tell(&mut self, state: Option<&ChatState>, counts: &HubCounts) {
        if let Some(state) = state
            && self.told.as_ref() != Some(state)
        {
            self.told = Some(state.clone());
            self.wire.send(WidgetPush::State(state.clone()), counts);
        }
    }
}

/// Whom and what a commit can have changed something for.
#[derive(Default)]
pub(super) struct Touched {
    pub(super) agents: BTreeSet<AgentId>,
    pub(super) queues: BTreeSet<QueueId>,
}

/// From whom a supervisor's act took something.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "two kinds of events take work away by a supervisor's hand"
)]
fn taken_from(event: &Event) -> Option<&AgentId> {
    match event {
        Event::ChatReturned { agent, why: ReturnedWhy::Supervisor, .. }
        | Event::OfferWithdrawn { agent, why: WithdrawnWhy::Supervisor, .. } => Some(agent),
        _ => None,
    }
}

/// The queue that a chat left.
#[expect(clippy::wildcard_enum_match_arm, reason = "only overflow names the queue that was left")]
fn left_queue(event: &Event) -> Option<QueueId> {
    match event {
        Event::ChatOverflowed { from, .. } => Some(from.clone()),
        _ => None,
    }
}

/// Whether an event can change something of any queue.
fn concerns_queues(event: &Event) -> bool {
    matches!(
        event,
        Event::HoursSet { .. }
            | Event::HoursTurned { .. }
            | Event::DayBegan { .. }
            // It names the queue it goes to, and comes from any.
            | Event::ChatTransferred { .. }
    )
}

/// The agent whose queues may have one more at work, or one less.
#[expect(clippy::wildcard_enum_match_arm, reason = "a few kinds of events bring agents to work or away")]
fn comes_or_goes(event: &Event) -> Option<&AgentId> {
    match event {
        Event::AgentConnected { agent, .. }
        | Event::AgentDisconnected { agent, .. }
        | Event::PresenceChanged { agent, .. } => Some(agent),
        _ => None,
    }
}

fn remove_from(shows: &mut HashMap<InteractionId, BTreeSet<AgentId>>, id: &InteractionId, agent: &AgentId) {
    if let Some(agents) = shows.get_mut(id) {
        agents.remove(agent);
        if agents.is_empty() {
            shows.remove(id);
        }
    }
}

/// Agents that an event names.
fn agents_in(event: &Event) -> Vec<AgentId> {
    match event {
        Event::AgentConnected { agent, .. }
        | Event::AgentDisconnected { agent, .. }
        | Event::PresenceChanged { agent, .. }
        | Event::PresenceWished { agent, .. }
        | Event::ChatOffered { agent, .. }
        | Event::OfferAccepted { agent, .. }
        | Event::OfferRejected { agent, .. }
        | Event::OfferMissed { agent, .. }
        | Event::OfferWithdrawn { agent, .. }
        | Event::ChatAssigned { agent, .. }
        | Event::ChatReturned { agent, .. }
        | Event::ItemActivated { agent, .. }
        | Event::ItemParked { agent, .. }
        | Event::WrapUpStarted { agent, .. }
        | Event::WrapUpCompleted { agent, .. }
        | Event::Classified { agent, .. }
        | Event::CallDialled { agent, .. }
        | Event::CallAnswered { agent, .. }
        | Event::ContactChosen { agent, .. }
        | Event::AvailabilityChanged { agent, .. }
        | Event::ChatTransferred { agent, .. }
        | Event::GuestJoined { agent, .. }
        | Event::GuestLeft { agent, .. }
        | Event::Whispered { agent, .. }
        | Event::HistoryShared { agent, .. }
        | Event::ChatReopened { agent, .. }
        | Event::CaseOpened { agent, .. }
        | Event::AbuseFlagged { agent, .. }
        | Event::ScriptFilled { agent, .. } => vec![agent.clone()],
        Event::TransferOffered { from, to, .. }
        | Event::TransferAccepted { from, to, .. }
        | Event::CallTransferred { from, to, .. }
        | Event::TransferFailed { from, to, .. }
        | Event::HandedOver { from, to, .. } => vec![from.clone(), to.clone()],
        Event::SupervisorActed { supervisor, agent, .. } => {
            std::iter::once(supervisor).chain(agent).cloned().collect()
        }
        Event::CallRang { agents, .. } => agents.clone(),
        Event::InteractionClosed { agent, .. } => agent.iter().cloned().collect(),
        Event::TenantOpened { .. }
        | Event::Configured { .. }
        | Event::Resumed { .. }
        | Event::ChatStarted { .. }
        | Event::MessageSent { .. }
        | Event::ChatEnded { .. }
        | Event::EndSeen { .. }
        | Event::WrapUpExtended { .. }
        | Event::CallHeld { .. }
        | Event::CallResumed { .. }
        | Event::CallEnded { .. }
        | Event::RecordingReady { .. }
        | Event::LookedUp { .. }
        | Event::HoursSet { .. }
        | Event::HoursTurned { .. }
        | Event::DayBegan { .. }
        | Event::NeedsRelaxed { .. }
        | Event::DeclineForgotten { .. }
        | Event::ChatOverflowed { .. }
        | Event::NoticeSent { .. }
        | Event::FileSent { .. }
        | Event::Suggested { .. }
        | Event::DeliveryReported { .. } => Vec::new(),
    }
}

/// Whether an event can change places in a queue.
fn moves_line(event: &Event) -> bool {
    match event {
        Event::ChatStarted { .. }
        | Event::ChatOffered { .. }
        | Event::OfferAccepted { .. }
        | Event::OfferRejected { .. }
        | Event::OfferMissed { .. }
        | Event::OfferWithdrawn { .. }
        | Event::ChatAssigned { .. }
        | Event::ChatReturned { .. }
        | Event::ChatOverflowed { .. }
        | Event::ChatTransferred { .. }
        | Event::ChatEnded { .. }
        | Event::InteractionClosed { .. } => true,
        Event::TenantOpened { .. }
        | Event::Configured { .. }
        | Event::Resumed { .. }
        | Event::AgentConnected { .. }
        | Event::AgentDisconnected { .. }
        | Event::PresenceChanged { .. }
        | Event::PresenceWished { .. }
        | Event::ItemActivated { .. }
        | Event::ItemParked { .. }
        | Event::MessageSent { .. }
        | Event::EndSeen { .. }
        | Event::WrapUpStarted { .. }
        | Event::WrapUpExtended { .. }
        | Event::WrapUpCompleted { .. }
        | Event::Classified { .. }
        | Event::CallRang { .. }
        | Event::CallDialled { .. }
        | Event::CallAnswered { .. }
        | Event::CallHeld { .. }
        | Event::CallResumed { .. }
        | Event::CallTransferred { .. }
        | Event::CallEnded { .. }
        | Event::RecordingReady { .. }
        | Event::LookedUp { .. }
        | Event::ContactChosen { .. }
        | Event::HoursSet { .. }
        | Event::HoursTurned { .. }
        | Event::DayBegan { .. }
        | Event::AvailabilityChanged { .. }
        | Event::NeedsRelaxed { .. }
        | Event::DeclineForgotten { .. }
        | Event::TransferOffered { .. }
        | Event::TransferAccepted { .. }
        | Event::TransferFailed { .. }
        | Event::HandedOver { .. }
        | Event::GuestJoined { .. }
        | Event::GuestLeft { .. }
        | Event::Whispered { .. }
        | Event::NoticeSent { .. }
        | Event::FileSent { .. }
        | Event::Suggested { .. }
        | Event::HistoryShared { .. }
        | Event::ChatReopened { .. }
        | Event::CaseOpened { .. }
        | Event::AbuseFlagged { .. }
        | Event::ScriptFilled { .. }
        | Event::SupervisorActed { .. }
        | Event::DeliveryReported { .. } => false,
    }
}
