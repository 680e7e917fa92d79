//! What an agent sees, as the engine has it. Pure: no content, no clock, no sockets.

use super::drafts::{AgentView, CallDraft, ItemDraft, LogDraft, LookupDraft, OfferDraft};
use std::collections::BTreeMap;
use tieline_engine::{Call, CallState, Chat, Engine, Found, Stage, Talk, WrapClock};
use tieline_model::content::{Person, Remarks};
use tieline_model::crm::LookupResult;
use tieline_model::live::{
    CallCard, DeliveryEntry, Item, LogEntry, Lookup, LookupState, Me, Offer, QueueView, WrapUpView,
};
use tieline_model::policy::{Delivery, QueuePolicy, WrapUp};
use tieline_model::{AgentId, ConnectionId, InteractionId, Millis, QueueId, Timestamp};

/// Chats listed for taking.
const TAKEABLE_MAX: usize = 50;

/// Chats under offer, by queue: how many, and the longest wait among them.
pub(super) type UnderOffer = BTreeMap<QueueId, (u32, Timestamp)>;

/// Counts offers once for all queues.
pub(super) fn under_offer(engine: &Engine) -> UnderOffer {
    let mut counts = UnderOffer::new();
    let offered = engine.agents().filter_map(|(_, agent)| engine.chat(agent.offered?));
    for chat in offered {
        let (Stage::Offered(_), Some(queue)) = (&chat.stage, &chat.queue) else { continue };
        let entry = counts.entry(queue.clone()).or_insert((0, chat.started_at));
        *entry = (entry.0 + 1, entry.1.min(chat.started_at));
    }
    counts
}

/// Everything an agent sees but messages; `None` if the settings do not know the agent.
pub(super) fn agent_view(engine: &Engine, agent: &AgentId) -> Option<AgentView> {
    let me = me(engine, agent)?;
    let queues = &engine.policy().agents.get(agent)?.queues;
    let offers = under_offer(engine);
    let state = engine.agent(agent);
    let offered = state.and_then(|state| engine.chat(state.offered?));
    let calls = state.iter().flat_map(|state| &state.calls).filter_map(|id| engine.call(*id));
    Some(AgentView {
        me,
        offer: offered.and_then(|chat| offer(engine, chat)),
        items: engine.inbox(agent).filter_map(|chat| Some((chat.id, item(engine, chat)?))).collect(),
        calls: calls.map(|call| (call.id, card(engine, call))).collect(),
        queues: queues.iter().filter_map(|id| Some((id.clone(), queue_view(engine, id, &offers)?))).collect(),
        logs: logs(engine, agent),
    })
}

fn me(engine: &Engine, id: &AgentId) -> Option<Me> {
    let policy = engine.policy().agents.get(id)?;
    let state = engine.agent(id);
    Some(Me {
        agent: id.clone(),
        name: policy.name.clone(),
        supervisor: policy.supervisor,
        presence: state.map(|a| a.presence.clone()).unwrap_or_default(),
        wish: state.and_then(|a| a.wish.clone()),
        status: engine.status(id),
        load: engine.load(id),
        capacity: policy.chat_capacity,
        may_reject: policy.may_reject,
    })
}

fn offer(engine: &Engine, chat: &Chat) -> Option<OfferDraft> {
    let Stage::Offered(made) = &chat.stage else { return None };
    let offer = Offer {
        offer: made.id,
        version: chat.version,
        interaction: chat.id,
        queue: chat.queue.clone()?,
        queue_name: queue_name(engine, chat.queue.as_ref()?),
        waiting_since: chat.started_at,
        offered_at: made.at,
        deadline: made.deadline,
        person: Person::default(),
        lookups: Vec::new(),
    };
    Some(OfferDraft { offer, person: chat.person?.id, lookups: lookups(engine, &chat.found, false) })
}

fn item(engine: &Engine, chat: &Chat) -> Option<ItemDraft> {
    let Stage::Owned { place, talk, .. } = &chat.stage else { return None };
    let ended = match talk {
        Talk::Open { .. } => None,
        Talk::WrapUp { ended_at, ended_by, seen, clock, extensions_left, .. } => Some((
            *ended_at,
            *ended_by,
            *seen,
            wrap_up(engine.wrap_up_rules_of(chat), *clock, *extensions_left),
        )),
    };
    let item = Item {
        interaction: chat.id,
        channel: chat.channel,
        queue: chat.queue.clone(),
        place: *place,
        started_at: chat.started_at,
        ended_at: ended.as_ref().map(|e| e.0),
        ended_by: ended.as_ref().map(|e| e.1),
        end_seen: ended.as_ref().is_some_and(|e| e.2),
        wrap_up: ended.map(|e| e.3),
        unanswered_since: chat.unanswered_since,
        person: Person::default(),
        lookups: Vec::new(),
        codes: chat.codes.clone(),
        remarks: Remarks::default(),
    };
    Some(ItemDraft {
        item,
        conversation: chat.conversation,
        person: chat.person?.id,
        remarks: chat.remarks.map(|r| r.id),
        lookups: lookups(engine, &chat.found, false),
    })
}

fn wrap_up(policy: Option<&WrapUp>, clock: WrapClock, extensions_left: u32) -> WrapUpView {
    let (deadline, left) = match clock {
        WrapClock::Unlimited => (None, None),
        WrapClock::Running { deadline } => (Some(deadline), None),
        WrapClock::Stopped { left } => (None, Some(left)),
    };
    let extension = policy.map_or(Millis(0), |rules| rules.extension);
    WrapUpView { deadline, left, extensions_left, extension }
}

fn card(engine: &Engine, call: &Call) -> CallDraft {
    let answered_at = match &call.state {
        CallState::Ringing { .. } | CallState::Dialled { .. } => None,
        CallState::Answered { at, .. } => Some(*at),
    };
    let card = CallCard {
        interaction: call.id,
        answered_at,
        rang_at: call.started_at,
        from: None,
        to: None,
        queue_name: call.queue.as_ref().map(|id| queue_name(engine, id)),
        lookups: Vec::new(),
    };
    // Withheld numbers match nobody (E2), so there is nothing to wait for.
    let nothing_to_ask = call.withheld || call.numbers.is_none();
    CallDraft {
        call: card,
        numbers: call.numbers.map(|n| n.id),
        lookups: lookups(engine, &call.found, nothing_to_ask),
    }
}

/// One entry for each connection of the tenant, in the order pops prefer them.
fn lookups(engine: &Engine, found: &BTreeMap<ConnectionId, Found>, nothing_to_ask: bool) -> Vec<LookupDraft> {
    let connections = engine.policy().connections.iter();
    connections.map(|connection| lookup(&connection.id, found.get(&connection.id), nothing_to_ask)).collect()
}

fn lookup(connection: &ConnectionId, found: Option<&Found>, nothing_to_ask: bool) -> LookupDraft {
    let state = match found.and_then(|f| f.result.as_ref()) {
        Some(LookupResult::Found { .. }) => LookupState::Done,
        Some(LookupResult::Failed { reason }) => LookupState::Failed { reason: reason.clone() },
        None if nothing_to_ask => LookupState::Done,
        None => LookupState::Looking,
    };
    let lookup = Lookup {
        connection: connection.clone(),
        state,
        matches: Vec::new(),
        more: false,
        contact: found.and_then(Found::contact).cloned(),
        chosen: found.is_some_and(|f| f.chosen.is_some()),
    };
    LookupDraft { lookup, matches: found.and_then(|f| f.matches).map(|m| m.id) }
}

/// A queue, as those who serve it see it.
pub(super) fn queue_view(engine: &Engine, id: &QueueId, offers: &UnderOffer) -> Option<QueueView> {
    let policy = queue(engine, id)?;
    let offered = offers.get(id);
    let mut waiting = 0_u32;
    let mut oldest = offered.map(|(_, since)| *since);
    let mut takeable = Vec::new();
    for chat in engine.queue_waiting(id) {
        waiting += 1;
        // The head of the line came first: what follows has waited less.
        if waiting == 1 {
            let since = engine.chat(chat).map(|c| c.started_at);
            oldest = [oldest, since].into_iter().flatten().min();
        }
        if policy.delivery == Delivery::Pull && takeable.len() < TAKEABLE_MAX {
            takeable.push(chat);
        }
    }
    Some(QueueView {
        queue: id.clone(),
        name: policy.name.clone(),
        waiting: waiting + offered.map_or(0, |(count, _)| *count),
        oldest,
        takeable,
        reply_alert: policy.reply_alert.clone(),
        agent_chars_max: policy.agent_chars_max,
        codes: policy.classification.codes.clone(),
        several_codes: policy.classification.several,
        mandatory: policy.classification.mandatory,
    })
}

fn logs(engine: &Engine, agent: &AgentId) -> Vec<LogDraft> {
    let entry = |(id, closed): (InteractionId, &tieline_engine::Closed)| {
        let mut deliveries: Vec<&ConnectionId> = closed.deliveries.keys().collect();
        // As everything of several connections is shown: in the tenant's order; what has left the settings comes last.
        let order = &engine.policy().connections;
        deliveries.sort_by_key(|id| order.iter().position(|c| c.id == **id).unwrap_or(order.len()));
        let deliveries = deliveries.into_iter().filter_map(|connection| {
            let state = closed.deliveries.get(connection)?.clone();
            Some(DeliveryEntry { connection: connection.clone(), state })
        });
        let log = LogEntry {
            interaction: id,
            name: String::new(),
            closed_at: closed.at,
            not_classified: closed.not_classified,
            deliveries: deliveries.collect(),
        };
        LogDraft { log, person: closed.person.map(|person| person.id), call: closed.call }
    };
    engine.recent_logs(agent).map(entry).collect()
}

fn queue<'a>(engine: &'a Engine, id: &QueueId) -> Option<&'a QueuePolicy> {
    engine.policy().queues.get(id)
}

fn queue_name(engine: &Engine, id: &QueueId) -> String {
    queue(engine, id).map_or_else(|| id.to_string(), |q| q.name.clone())
}
