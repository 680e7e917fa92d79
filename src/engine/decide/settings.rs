//! Settings take effect: what they take away from is settled first.

use super::Decision;
use crate::state::{Engine, Stage};
use tieline_model::command::Presence;
use tieline_model::event::{PresenceWhy, WithdrawnWhy};
use tieline_model::policy::{Delivery, TenantPolicy};
use tieline_model::{AgentId, Code, Event, Refusal};

impl Engine {
    pub(super) fn configure(&self, (): (), policy: &TenantPolicy) -> Decision {
        if self.policy == *policy && !self.policy.queues.is_empty() {
            return Ok(Vec::new());
        }
        for (id, queue) in &self.policy.queues {
            let open = self.chats.unordered().filter(|(_, c)| c.queue.as_ref() == Some(id)).count();
            if open > 0 && !policy.queues.contains_key(id) {
                let name = &queue.name;
                let message = format!(
                    "queue {id} ({name}) cannot be removed while {open} chats of it are open; keep it until they are done"
                );
                return Err(Refusal::new(Code::WrongState, message).field(format!("queues.{id}")));
            }
        }
        let mut events = Vec::new();
        for (id, agent) in self.agents.iter() {
            // Who was lost is Offline and may have wrap-ups yet (A17).
            let idle = agent.presence == Presence::Offline
                && agent.wish.is_none()
                && agent.inbox.is_empty()
                && agent.guest_at.is_empty();
            if !policy.agents.contains_key(id) && !idle {
                let leaves = self.removed(id);
                // Two who leave at once may have had a transfer, or a chat, between them: that ends once.
                events.extend(
                    leaves.into_iter().filter(|event| !ended_before(event, &events)).collect::<Vec<_>>(),
                );
            } else if let Some(chat) = agent.offered.and_then(|i| self.chats.get(&i)) {
                let queue = chat.queue.as_ref();
                let serves =
                    queue.is_some_and(|q| policy.agents.get(id).is_some_and(|p| p.queues.contains(q)));
                let rules = queue.and_then(|q| policy.queues.get(q));
                let offers = rules.is_some_and(|q| q.delivery == Delivery::Offer);
                if let (Stage::Offered(offer), false) = (&chat.stage, serves && offers) {
                    events.push(self.withdraw(chat, offer, WithdrawnWhy::Settings));
                }
            }
        }
        events.push(Event::Configured { policy: Box::new(policy.clone()) });
        Ok(events)
    }

    fn removed(&self, id: &AgentId) -> Vec<Event> {
        let mut events = self.leave_work(self.now, id, WithdrawnWhy::Settings);
        let presence = Presence::Offline;
        events.push(Event::PresenceChanged { agent: id.clone(), presence, why: PresenceWhy::Removed });
        events
    }
}

/// Whether an event ends what one before it has ended: an open transfer, or a guest's part in a chat.
fn ended_before(event: &Event, before: &[Event]) -> bool {
    if let Event::TransferFailed { offer, .. } = event {
        return before
            .iter()
            .any(|b| matches!(b, Event::TransferFailed { offer: ended, .. } if ended == offer));
    }
    matches!(event, Event::GuestLeft { .. }) && before.contains(event)
}
