//! What a customer sees, as the engine has it. Pure.

use tieline_engine::{Chat, Engine, Stage, Talk};
use tieline_model::live::ChatState;
use tieline_model::policy::QueuePolicy;

/// Where an open chat stands, as its customer sees it. An offer is not shown: the customer waits (A13).
pub(super) fn state(engine: &Engine, chat: &Chat) -> ChatState {
    match &chat.stage {
        Stage::Waiting | Stage::Offered(_) => {
            ChatState::Waiting { position: engine.position(chat.id).unwrap_or(1) }
        }
        Stage::Form { .. } => ChatState::OfflineForm { notice: offline_words(engine, chat) },
        Stage::Owned { talk: Talk::WrapUp { ended_by, .. }, .. } => ChatState::Ended { by: *ended_by },
        Stage::Owned { agent, talk: Talk::Open { .. }, .. } => {
            let name = engine.policy().agents.get(agent).map(|a| a.name.clone());
            ChatState::Talking { agent: name.unwrap_or_else(|| agent.to_string()) }
        }
    }
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
