//! What a customer sees, as the engine has it. Pure.

use tieline_engine::{Chat, Engine, Stage, Talk};
use tieline_model::crm::Side;
use tieline_model::live::{ChatState, FileRules};
use tieline_model::policy::QueuePolicy;
use tieline_model::{Event, InteractionId, Millis};

/// Where an open chat stands, as its customer sees it. An offer is not shown: the customer waits (A13).
pub(super) fn state(engine: &Engine, chat: &Chat) -> ChatState {
    match &chat.stage {
        Stage::Waiting | Stage::Offered(_) => waiting(engine, chat, engine.position(chat.id).unwrap_or(1)),
        Stage::Form { deadline } => {
            ChatState::OfflineForm { notice: offline_words(engine, chat), until: *deadline }
        }
        Stage::Owned { talk: Talk::WrapUp { ended_by, .. }, .. } => ended(engine, chat.id, *ended_by),
        Stage::Owned { agent, talk: Talk::Open { .. }, .. } => {
            let name = engine.policy().agents.get(agent).map(|a| a.name.clone());
            ChatState::Talking { agent: name.unwrap_or_else(|| agent.to_string()) }
        }
    }
}

/// Place and expected wait, where the queue shows them (A13).
pub(super) fn waiting(engine: &Engine, chat: &Chat, position: u32) -> ChatState {
    if queue(engine, chat).is_some_and(|queue| !queue.show_position) {
        return ChatState::Waiting { position: None, expected_wait: None };
    }
    // As the engine expects it; its own answer would look for the place in the line again, for everybody in it.
    let pace = chat.queue.as_ref().and_then(|queue| engine.figures(queue).pace);
    let expected_wait = pace.map(|pace| Millis(pace.0.saturating_mul(u64::from(position))));
    ChatState::Waiting { position: Some(position), expected_wait }
}

/// Over, and until when the customer may come back to it (B15).
pub(super) fn ended(engine: &Engine, id: InteractionId, by: Side) -> ChatState {
    ChatState::Ended { by, return_until: engine.return_until(id) }
}

/// Where a chat stands after an event; `None` when that is as before. `told` is what its customer saw last.
pub(super) fn state_after(
    engine: &Engine,
    id: InteractionId,
    event: &Event,
    told: Option<&ChatState>,
) -> Option<ChatState> {
    match (engine.chat(id), event, told) {
        (Some(chat), _, _) => Some(state(engine, chat)),
        (None, Event::ChatEnded { by, .. }, _) => Some(ended(engine, id, *by)),
        // The time to come back counts from here.
        (None, Event::InteractionClosed { .. }, Some(ChatState::Ended { by, .. })) => {
            Some(ended(engine, id, *by))
        }
        (None, _, _) => None,
    }
}

/// What files the customer of a chat may send (B18).
pub(super) fn files(engine: &Engine, chat: &Chat) -> Option<FileRules> {
    let rules = &queue(engine, chat)?.attachments;
    rules.from_customer.then(|| FileRules { bytes_max: rules.bytes_max, types: rules.types.clone() })
}

fn queue<'a>(engine: &'a Engine, chat: &Chat) -> Option<&'a QueuePolicy> {
    engine.policy().queues.get(chat.queue.as_ref()?)
}

fn offline_words(engine: &Engine, chat: &Chat) -> String {
    queue(engine, chat).map(|queue| queue.wording.offline.clone()).unwrap_or_default()
}

/// Longest message of the customer of a chat (B9).
pub(super) fn chars_max(engine: &Engine, chat: &Chat) -> u32 {
    queue(engine, chat).map_or(CHARS_MAX, |queue| queue.customer_chars_max)
}

/// Where the queue is gone from the settings, or the chat is over.
pub(super) const CHARS_MAX: u32 = 500;
