//! What an agent sees, as the engine has it. Pure: no content, no clock, no sockets.

use super::drafts::{AgentView, CallDraft, ItemDraft, JoinedDraft, LogDraft, LookupDraft, OfferDraft};
use std::collections::BTreeMap;
use tieline_engine::{
    Agent, AgentDay, Call, CallState, Chat, Engine, Found, QueueDay, Stage, Talk, WrapClock,
};
use tieline_model::content::{Person, Remarks};
use tieline_model::crm::{Channel, LookupResult};
use tieline_model::live::{
    AgentToday, CallCard, CallSide, DeliveryEntry, GuestView, HandedBy, Item, LogEntry, Lookup, LookupState,
    Me, Offer, QueueName, QueueRules, QueueToday, QueueView, TransferView, WrapUpView,
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
    for chat in engine.under_offer() {
        let Some(queue) = &chat.queue else { continue };
        let entry = counts.entry(queue.clone()).or_insert((0, chat.started_at));
        *entry = (entry.0 + 1, entry.1.min(chat.started_at));
    }
    counts
}

/// What an agent sees of the own work, but messages; `None` if the settings do not know the agent.
pub(super) fn agent_view(engine: &Engine, agent: &AgentId) -> Option<AgentView> {
    let me = me(engine, agent)?;
    let state = engine.agent(agent);
    let offered = state.and_then(|state| engine.chat(state.offered?));
    let calls = state.iter().flat_map(|state| &state.calls).filter_map(|id| engine.call(*id));
    let joined = state.iter().flat_map(|state| state.guest_at.keys()).filter_map(|id| engine.chat(*id));
    Some(AgentView {
        me,
        offer: offered.and_then(|chat| offer(engine, agent, chat)),
        items: engine.inbox(agent).filter_map(|chat| Some((chat.id, item(engine, chat)?))).collect(),
        joined: joined.filter_map(|chat| Some((chat.id, join(engine, agent, chat)?))).collect(),
        calls: calls.map(|call| (call.id, card(engine, call))).collect(),
        logs: logs(engine, agent),
    })
}

fn me(engine: &Engine, id: &AgentId) -> Option<Me> {
    let policy = engine.policy().agents.get(id)?;
    let nobody = Agent::default();
    let state = engine.agent(id).unwrap_or(&nobody);
    Some(Me {
        agent: id.clone(),
        name: policy.name.clone(),
        supervisor: policy.supervisor,
        presence: state.presence.clone(),
        wish: state.wish.clone(),
        status: engine.status(id),
        load: engine.load(id),
        capacity: policy.chat_capacity,
        may_reject: policy.may_reject,
        channels: state.channels.clone(),
        queues: state.queues.clone(),
        today: agent_today(&state.today),
    })
}

fn agent_today(day: &AgentDay) -> AgentToday {
    let AgentDay { chats, calls, rejected, missed, transferred, replies, replies_in_time, wrap_up, wrap_ups } =
        *day;
    AgentToday { chats, calls, rejected, missed, transferred, replies, replies_in_time, wrap_up, wrap_ups }
}

/// An offer of the queue's, or a transfer that another agent offers.
fn offer(engine: &Engine, agent: &AgentId, chat: &Chat) -> Option<OfferDraft> {
    let (made, transfer) = match (&chat.stage, &chat.transfer) {
        (Stage::Offered(made), _) => (made, None),
        (Stage::Owned { agent: owner, .. }, Some(transfer)) if transfer.offer.agent == *agent => {
            (&transfer.offer, Some((owner, transfer)))
        }
        (Stage::Owned { .. } | Stage::Waiting | Stage::Form { .. }, _) => return None,
    };
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
        handed_by: transfer.map(|(owner, transfer)| HandedBy {
            agent: owner.clone(),
            name: agent_name(engine, owner),
            note: None,
            warm: transfer.warm,
        }),
    };
    Some(OfferDraft {
        offer,
        person: chat.person?.id,
        note: transfer.and_then(|(_, transfer)| transfer.note).map(|note| note.id),
        lookups: lookups(engine, &chat.found, false),
    })
}

/// A chat of another agent that this one has joined.
fn join(engine: &Engine, agent: &AgentId, chat: &Chat) -> Option<JoinedDraft> {
    let Stage::Owned { agent: owner, .. } = &chat.stage else { return None };
    Some(JoinedDraft {
        guest: *chat.guests.get(agent)?,
        owner: owner.clone(),
        owner_name: agent_name(engine, owner),
        item: item(engine, chat)?,
    })
}

fn item(engine: &Engine, chat: &Chat) -> Option<ItemDraft> {
    let Stage::Owned { place, talk, .. } = &chat.stage else { return None };
    let (unopened_since, open_by, ended) = match talk {
        Talk::Open { unopened_deadline, unopened_since } => (*unopened_since, *unopened_deadline, None),
        Talk::WrapUp { ended_at, ended_by, seen, .. } => (None, None, Some((*ended_at, *ended_by, *seen))),
    };
    let call = (chat.channel == Channel::Call).then(|| CallSide {
        direction: engine.call_direction(chat.id),
        from: None,
        to: None,
    });
    let item = Item {
        interaction: chat.id,
        channel: chat.channel,
        queue: chat.queue.clone(),
        place: *place,
        started_at: chat.started_at,
        ended_at: ended.map(|e| e.0),
        ended_by: ended.map(|e| e.1),
        end_seen: ended.is_some_and(|e| e.2),
        wrap_up: wrap_up(engine.wrap_up_rules(chat), talk),
        unanswered_since: chat.unanswered_since,
        person: Person::default(),
        lookups: Vec::new(),
        codes: chat.codes.clone(),
        remarks: Remarks::default(),
        unopened_since,
        open_by,
        service: chat.service,
        suggestions: chat.suggested.clone(),
        transfer: chat.transfer.as_ref().map(|transfer| TransferView {
            to: transfer.offer.agent.clone(),
            name: agent_name(engine, &transfer.offer.agent),
            deadline: transfer.offer.deadline,
            warm: transfer.warm,
        }),
        guests: guests(engine, chat),
        case_opened: chat.case_opened,
        abusive: chat.abusive,
        previous: chat.previous,
        answers: BTreeMap::new(),
        call,
    };
    // Numbers that were withheld or never told match nobody (E2), so there is nothing to wait for.
    let nothing_to_ask = chat.channel == Channel::Call;
    Some(ItemDraft {
        item,
        conversation: chat.conversation,
        person: chat.person.map(|p| p.id),
        remarks: chat.remarks.map(|r| r.id),
        answers: chat.script.map(|s| s.id),
        lookups: lookups(engine, &chat.found, nothing_to_ask),
    })
}

fn guests(engine: &Engine, chat: &Chat) -> Vec<GuestView> {
    let view = |(agent, guest): (&AgentId, &tieline_model::event::Guest)| GuestView {
        agent: agent.clone(),
        name: agent_name(engine, agent),
        guest: *guest,
    };
    chat.guests.iter().map(view).collect()
}

fn wrap_up(policy: Option<&WrapUp>, talk: &Talk) -> Option<WrapUpView> {
    let Talk::WrapUp { clock, max, extensions_left, .. } = talk else { return None };
    let ((deadline, left), (maximum, maximum_left)) = (hands(*clock), hands(*max));
    let (extensions_left, extension) = (*extensions_left, policy.map_or(Millis(0), |rules| rules.extension));
    Some(WrapUpView { deadline, left, extensions_left, extension, maximum, maximum_left })
}

/// When a countdown runs out, or what is left of it.
fn hands(clock: WrapClock) -> (Option<Timestamp>, Option<Millis>) {
    match clock {
        WrapClock::Unlimited => (None, None),
        WrapClock::Running { deadline } => (Some(deadline), None),
        WrapClock::Stopped { left } => (None, Some(left)),
    }
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
        conversation: call.conversation,
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
        open: engine.queue_open(id),
        turns_at: engine.queue_turns_at(id),
        staff: engine.staff(id),
        pace: engine.figures(id).pace,
        today: queue_today(&engine.figures(id).today),
    })
}

fn queue_today(day: &QueueDay) -> QueueToday {
    let QueueDay { came, answered, connected_in_time, abandoned, overflowed } = *day;
    QueueToday { came, answered, connected_in_time, abandoned, overflowed }
}

/// What holds for an agent's queues while the settings stand.
pub(super) fn rules(engine: &Engine, agent: &AgentId) -> Vec<QueueRules> {
    let own = engine.policy().agents.get(agent).into_iter().flat_map(|policy| &policy.queues);
    let rules = own.filter_map(|id| {
        let queue = queue(engine, id)?;
        Some(QueueRules {
            queue: id.clone(),
            delivery: queue.delivery,
            targets: queue.targets,
            attachments: queue.attachments.clone(),
            share_for: queue.share_for,
            nudge: queue.wording.nudge.clone(),
            closing: queue.wording.closing.clone(),
            few_minutes: queue.wording.few_minutes.clone(),
        })
    });
    rules.collect()
}

/// All queues, to transfer to.
pub(super) fn directory(engine: &Engine) -> Vec<QueueName> {
    let queues = engine.policy().queues.iter();
    queues.map(|(id, queue)| QueueName { queue: id.clone(), name: queue.name.clone() }).collect()
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

pub(super) fn agent_name(engine: &Engine, id: &AgentId) -> String {
    engine.policy().agents.get(id).map_or_else(|| id.to_string(), |agent| agent.name.clone())
}
