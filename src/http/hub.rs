//! Who is connected, and what each of them has been told. Fed by the engines' owner after each commit; everything
//! here is quick and never waits. A socket that does not keep up is let go and comes back for a snapshot.

use super::contents::Contents;
use super::drafts::{AgentView, Draft, MessageDraft, Names};
use super::floor::{Desk, Floor, HubCounts, PanelSeat, WidgetSeat};
use super::panel_view::agent_view;
use super::pops::{Pop, Shown};
use super::signs::Typist;
use crate::auth::CustomerPass;
use crate::drive;
use crate::journal::{NewContent, Recorded, Store};
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tieline_engine::Engine;
use tieline_model::crm::ConnectionInfo;
use tieline_model::live::{
    ChatReturned, ChatState, Colleague, FileRules, QueueName, QueueRules, QueueView, Supervised, Watched,
};
use tieline_model::policy::Labels;
use tieline_model::{
    AgentId, CommandId, ConnectionId, ConversationId, Event, InteractionId, Millis, Refusal, Seq, SessionId,
    TenantId, Timestamp,
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Pushes that may wait for one socket.
pub(super) const PUSHES_MAX: usize = 256;
/// Panels of one agent; the one unused longest makes room.
const PANELS_MAX: usize = 20;
/// Widgets of one chat.
const WIDGETS_MAX: usize = 5;

/// What goes to a panel's socket.
#[derive(Debug)]
pub(super) enum PanelPush {
    Snapshot(Box<PanelSnapshot>),
    Changes(Vec<Draft>),
    Answer { id: CommandId, refusal: Option<Refusal> },
    Typing { interaction: InteractionId, agent: Option<AgentId>, lasts: Millis },
    Pop(Pop),
    Bye { reason: String, reconnect_in: Option<Millis> },
}

/// Everything a panel shows; histories are fetched up to `up_to`.
#[derive(Debug)]
pub(super) struct PanelSnapshot {
    pub(super) view: AgentView,
    pub(super) queues: Vec<QueueView>,
    pub(super) rules: Vec<QueueRules>,
    pub(super) directory: Vec<QueueName>,
    pub(super) colleagues: Vec<Colleague>,
    pub(super) supervised: Vec<Supervised>,
    pub(super) watched: Option<Watched>,
    pub(super) connections: Vec<ConnectionInfo>,
    pub(super) break_reasons: Vec<String>,
    pub(super) labels: Labels,
    pub(super) up_to: Seq,
    pub(super) names: Arc<Names>,
}

/// What is around a panel.
#[derive(Debug, Clone)]
pub(super) struct Page {
    /// The connection whose CRM it is.
    pub(super) stands_in: Option<ConnectionId>,
    /// Records can be opened in it.
    pub(super) can_pop: bool,
}

/// What goes to a widget's socket.
#[derive(Debug)]
pub(super) enum WidgetPush {
    Snapshot(WidgetSnapshot),
    State(ChatState),
    Message(MessageDraft),
    Typing(Millis),
    Answer {
        id: CommandId,
        refusal: Option<Refusal>,
    },
    /// The customer is back; what follows is about this chat.
    Returned {
        id: CommandId,
        pass: CustomerPass,
        returned: ChatReturned,
    },
    Bye {
        reason: String,
        reconnect_in: Option<Millis>,
    },
}

/// Where a chat stands; what was said is fetched up to `up_to`.
#[derive(Debug)]
pub(super) struct WidgetSnapshot {
    /// `None` when the engine has closed the chat.
    pub(super) state: Option<ChatState>,
    /// Until when the customer of a chat that ended may come back (B15).
    pub(super) return_until: Option<Timestamp>,
    pub(super) files: Option<FileRules>,
    pub(super) chars_max: u32,
    pub(super) up_to: Seq,
    pub(super) names: Arc<Names>,
}

/// A socket's way in, as the hub holds it.
#[derive(Debug)]
pub(super) struct Wire<P> {
    pub(super) push: mpsc::Sender<P>,
    /// Cancelled when the socket has been let go.
    pub(super) gone: CancellationToken,
}

impl<P> Clone for Wire<P> {
    fn clone(&self) -> Self {
        Self { push: self.push.clone(), gone: self.gone.clone() }
    }
}

impl<P> Wire<P> {
    /// False if the socket has been let go because it does not keep up.
    pub(super) fn send(&self, push: P, counts: &HubCounts) -> bool {
        if self.gone.is_cancelled() {
            return false;
        }
        counts.pushes.fetch_add(1, Ordering::Relaxed);
        let sent = match self.push.try_send(push) {
            Ok(()) => true,
            Err(mpsc::error::TrySendError::Closed(_)) => false,
            Err(mpsc::error::TrySendError::Full(_)) => {
                counts.slow.fetch_add(1, Ordering::Relaxed);
                false
            }
        };
        if !sent {
            self.gone.cancel();
        }
        sent
    }
}

/// What the hub counted, and how many are connected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) pushes: u64,
    pub(super) slow: u64,
    pub(super) pops: u64,
    pub(super) panels: usize,
    pub(super) widgets: usize,
}

struct Inner {
    floors: Mutex<HashMap<TenantId, Floor>>,
    contents: Contents,
    counts: HubCounts,
}

/// The live view. Cheap to clone; one per process.
#[derive(Clone)]
pub struct Hub(Arc<Inner>);

impl Hub {
    /// A hub that fetches content and history from this store.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self(Arc::new(Inner {
            floors: Mutex::default(),
            contents: Contents::new(store),
            counts: HubCounts::default(),
        }))
    }

    /// What to give to `drive`.
    #[must_use]
    pub fn observer(&self) -> Box<dyn drive::Observer> {
        Box::new(self.clone())
    }

    /// Forgets a tenant's content that is held in memory: somebody was erased.
    pub fn forget(&self, tenant: &TenantId) {
        self.0.contents.forget(tenant);
    }

    /// Opens a record at an agent, on one surface: the panel used last among those that stand in the page of its CRM;
    /// where no panel stands in any CRM's page, the one used last of all, as a link, if this pop leads. It is
    /// remembered until the agent no longer has the interaction, so that a panel which connects late gets it, and
    /// forgotten with the offer (D0, D3).
    pub fn pop(&self, tenant: &TenantId, agent: &AgentId, pop: Pop) -> Shown {
        let mut floors = self.lock();
        let floor = floors.entry(tenant.clone()).or_default();
        if floor.desks.get(agent).is_some_and(|desk| !desk.view.holds(pop.interaction)) {
            return Shown::Not;
        }
        floor.take_pop(agent, pop, &self.0.counts)
    }

    /// The CRM did not open what it was given ([`Shown::Pushed`]); a panel may show it after all.
    pub fn not_pushed(
        &self,
        tenant: &TenantId,
        agent: &AgentId,
        interaction: InteractionId,
        connection: &ConnectionId,
    ) {
        if let Some(floor) = self.lock().get_mut(tenant) {
            floor.take_pop_back(agent, interaction, connection, &self.0.counts);
        }
    }

    pub(super) fn contents(&self) -> &Contents {
        &self.0.contents
    }

    pub(super) fn counts(&self) -> Counted {
        let floors = self.lock();
        let counts = &self.0.counts;
        Counted {
            pushes: counts.pushes.load(Ordering::Relaxed),
            slow: counts.slow.load(Ordering::Relaxed),
            pops: counts.pops.load(Ordering::Relaxed),
            panels: floors.values().flat_map(|f| f.desks.values()).map(|d| d.seats.len()).sum(),
            widgets: floors.values().flat_map(|f| f.widgets.values()).map(VecDeque::len).sum(),
        }
    }

    /// A socket was let go because it could not be written to.
    pub(super) fn count_slow(&self) {
        self.0.counts.slow.fetch_add(1, Ordering::Relaxed);
    }

    /// Seats a panel and sends it everything; call from inside `Handle::read`, so that no commit comes between.
    /// False if the settings do not know the agent.
    pub(super) fn seat_panel(
        &self,
        engine: &Engine,
        tenant: &TenantId,
        agent: &AgentId,
        session: SessionId,
        wire: Wire<PanelPush>,
        page: Page,
    ) -> bool {
        let Some(view) = agent_view(engine, agent) else { return false };
        let mut floors = self.lock();
        let floor = floors.entry(tenant.clone()).or_default();
        floor.name_all(engine);
        floor.prune_pops(engine, agent);
        floor.uses += 1;
        let used = floor.uses;
        // What is told once a second is shown to a further panel as the others have been told it.
        let desk = floor.desks.remove(agent).unwrap_or_else(|| Desk::new(engine, agent, view.clone()));
        wire.send(PanelPush::Snapshot(floor.snapshot(engine, agent, &desk, false)), &self.0.counts);
        let desk = floor.desks.entry(agent.clone()).or_insert(desk);
        if desk.seats.len() >= PANELS_MAX
            && let Some(oldest) = desk.seats.iter().min_by_key(|(_, seat)| seat.used).map(|(id, _)| *id)
            && let Some(seat) = desk.seats.remove(&oldest)
        {
            let reason = "too many panels of this agent are open; this one was used least".to_owned();
            seat.wire.send(PanelPush::Bye { reason, reconnect_in: None }, &self.0.counts);
        }
        let Page { stands_in, can_pop } = page;
        desk.seats.insert(session, PanelSeat { wire, stands_in, can_pop, used, watches: false });
        floor.set_view(agent, view);
        floor.show_late(agent, &self.0.counts);
        true
    }

    /// Sends everything anew; call from inside `Handle::read`.
    pub(super) fn resync_panel(
        &self,
        engine: &Engine,
        tenant: &TenantId,
        agent: &AgentId,
        session: SessionId,
    ) {
        let mut floors = self.lock();
        let Some(floor) = floors.get_mut(tenant) else { return };
        let Some(desk) = floor.desks.get(agent) else { return };
        if let Some(seat) = desk.seats.get(&session) {
            let snapshot = floor.snapshot(engine, agent, desk, seat.watches);
            seat.wire.send(PanelPush::Snapshot(snapshot), &self.0.counts);
        }
    }

    /// The panel is gone.
    pub(super) fn leave_panel(&self, tenant: &TenantId, agent: &AgentId, session: SessionId) {
        let mut floors = self.lock();
        let Some(floor) = floors.get_mut(tenant) else { return };
        let Some(desk) = floor.desks.get_mut(agent) else { return };
        desk.seats.remove(&session);
        if desk.seats.is_empty()
            && let Some(desk) = floor.desks.remove(agent)
        {
            floor.unshow(agent, &desk.view);
        }
    }

    /// The agent did something on this panel: the next pop goes there.
    pub(super) fn used(&self, tenant: &TenantId, agent: &AgentId, session: SessionId) {
        let mut floors = self.lock();
        let Some(floor) = floors.get_mut(tenant) else { return };
        floor.uses += 1;
        let used = floor.uses;
        if let Some(seat) = floor.desks.get_mut(agent).and_then(|desk| desk.seats.get_mut(&session)) {
            seat.used = used;
        }
    }

    /// The conversation of a chat or call at which the agent is.
    pub(super) fn conversation(
        &self,
        tenant: &TenantId,
        agent: &AgentId,
        id: InteractionId,
    ) -> Option<ConversationId> {
        let floors = self.lock();
        floors.get(tenant)?.desks.get(agent)?.view.conversation(id)
    }

    /// An agent is typing; tells the customer and the other agents at the chat. Call from inside `Handle::read`.
    pub(super) fn agent_types(&self, engine: &Engine, tenant: &TenantId, agent: &AgentId, id: InteractionId) {
        if let Some(floor) = self.lock().get_mut(tenant) {
            floor.sign(engine, id, Typist::Agent(agent.clone()), &self.0.counts);
        }
    }

    /// The customer is typing; tells the agents at the chat. Call from inside `Handle::read`.
    pub(super) fn customer_types(&self, engine: &Engine, tenant: &TenantId, id: InteractionId) {
        if let Some(floor) = self.lock().get_mut(tenant) {
            floor.sign(engine, id, Typist::Customer, &self.0.counts);
        }
    }

    /// From here on this panel is told the whole floor, or no longer; whoever calls has seen that it may be. Call from
    /// inside `Handle::read`.
    pub(super) fn watch(
        &self,
        engine: &Engine,
        tenant: &TenantId,
        agent: &AgentId,
        session: SessionId,
        on: bool,
    ) {
        if let Some(floor) = self.lock().get_mut(tenant) {
            floor.watch(engine, agent, session, on, &self.0.counts);
        }
    }

    /// A second is over. True if a tenant's floor has something to be told that gathered in it.
    pub(super) fn next_second(&self, tenant: &TenantId) -> bool {
        self.lock().get_mut(tenant).is_some_and(Floor::next_second)
    }

    /// Tells what has gathered; call from inside `Handle::read`.
    pub(super) fn tell_news(&self, engine: &Engine, tenant: &TenantId) {
        if let Some(floor) = self.lock().get_mut(tenant) {
            floor.tell_news(engine, &self.0.counts);
        }
    }

    /// Seats a widget and sends it everything; call from inside `Handle::read`. False if this chat is not of the
    /// customer's conversation.
    pub(super) fn seat_widget(
        &self,
        engine: &Engine,
        pass: &CustomerPass,
        session: SessionId,
        wire: Wire<WidgetPush>,
    ) -> bool {
        let chat = engine.chat(pass.interaction);
        if chat.is_some_and(|chat| chat.conversation != pass.conversation) {
            return false;
        }
        let mut floors = self.lock();
        let floor = floors.entry(pass.tenant.clone()).or_default();
        floor.name_all(engine);
        let snapshot = floor.widget_snapshot(engine, pass.interaction);
        let told = snapshot.state.clone();
        wire.send(WidgetPush::Snapshot(snapshot), &self.0.counts);
        let seats = floor.widgets.entry(pass.interaction).or_default();
        if seats.len() >= WIDGETS_MAX
            && let Some(oldest) = seats.pop_front()
        {
            let reason = "this chat is open in too many tabs; go on in the newest".to_owned();
            oldest.wire.send(WidgetPush::Bye { reason, reconnect_in: None }, &self.0.counts);
        }
        seats.push_back(WidgetSeat {
            session,
            wire,
            told,
            person: chat.and_then(|c| c.person).map(|p| p.id),
        });
        true
    }

    /// Sends everything anew; call from inside `Handle::read`.
    pub(super) fn resync_widget(
        &self,
        engine: &Engine,
        tenant: &TenantId,
        id: InteractionId,
        session: SessionId,
    ) {
        let mut floors = self.lock();
        let Some(floor) = floors.get_mut(tenant) else { return };
        let snapshot = floor.widget_snapshot(engine, id);
        let seats = floor.widgets.get_mut(&id).into_iter().flatten();
        if let Some(seat) = seats.into_iter().find(|seat| seat.session == session) {
            seat.told.clone_from(&snapshot.state);
            seat.wire.send(WidgetPush::Snapshot(snapshot), &self.0.counts);
        }
    }

    /// The widget is gone.
    pub(super) fn leave_widget(&self, tenant: &TenantId, interaction: InteractionId, session: SessionId) {
        let mut floors = self.lock();
        let Some(floor) = floors.get_mut(tenant) else { return };
        if let Some(seats) = floor.widgets.get_mut(&interaction) {
            seats.retain(|seat| seat.session != session);
            if seats.is_empty() {
                floor.widgets.remove(&interaction);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TenantId, Floor>> {
        self.0.floors.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sockets of a contact centre that went to another replica come back spread over this time.
const COME_BACK_WITHIN_MS: u64 = 2_000;

impl drive::Observer for Hub {
    fn committed(&mut self, tenant: &TenantId, engine: &Engine, rows: &[Recorded], content: &[NewContent]) {
        let everything = rows.iter().any(|row| {
            matches!(row.event, Event::TenantOpened { .. } | Event::Configured { .. } | Event::Resumed { .. })
        });
        if everything {
            drive::Observer::reloaded(self, tenant, engine);
            return;
        }
        let mut floors = self.lock();
        let Some(floor) = floors.get_mut(tenant) else { return };
        floor.tell_acts(rows, &self.0.counts);
        rows.iter().for_each(|row| floor.unsign(engine, &row.event, &self.0.counts));
        if floor.desks.is_empty() && floor.widgets.is_empty() && floor.pops.is_empty() {
            return;
        }
        self.0.contents.keep(tenant, content);
        floor.tell_agents(engine, rows, &self.0.counts);
        floor.tell_customers(engine, rows, &self.0.counts);
    }

    fn reloaded(&mut self, tenant: &TenantId, engine: &Engine) {
        let mut floors = self.lock();
        let Some(floor) = floors.get_mut(tenant) else { return };
        floor.tell_all_anew(engine, &self.0.counts);
    }

    /// Everybody comes again, and is then brought to whoever serves the contact centre. What is kept of it here would be
    /// old by the time it came back.
    fn left(&mut self, tenant: &TenantId) {
        if let Some(floor) = self.lock().remove(tenant) {
            let reconnect_in = || Some(Millis(rand::random_range(0..COME_BACK_WITHIN_MS)));
            floor.send_away("this contact centre moves to another machine", reconnect_in, &self.0.counts);
        }
        self.0.contents.forget(tenant);
    }
}
