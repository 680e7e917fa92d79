//! Who gets the next chat. Called after every event until it has nothing more to say, so every freeing event leads
//! to a routing pass at once (A11).

use crate::index::Turn;
use crate::state::Engine;
use tieline_model::event::AssignedHow;
use tieline_model::policy::Delivery;
use tieline_model::{AgentId, Event, OfferId, QueueId, Timestamp};
use uuid::Uuid;

impl Engine {
    /// The next chat to hand out and to whom, if there is one. Apply it and ask again.
    #[must_use]
    pub fn route(&self, now: Timestamp) -> Option<Event> {
        let (queue, turn) = self.next_in_line()?;
        let (_, agent) = self.index.free.get(queue)?.first()?;
        let policy = self.policy.queues.get(queue)?;
        let interaction = turn.2;
        let agent: AgentId = agent.clone();
        match policy.delivery {
            Delivery::Offer => Some(Event::ChatOffered {
                interaction,
                agent,
                offer: OfferId(self.mint()),
                version: self.chats.get(&interaction)?.version + 1,
                deadline: now + policy.accept_within,
            }),
            Delivery::Auto => Some(Event::ChatAssigned {
                interaction,
                agent,
                how: AssignedHow::Auto,
                deadline: Some(now + policy.unopened_after),
            }),
            Delivery::Pull => None,
        }
    }

    /// Over all queues that have someone free: higher priority first, then longest waiting.
    fn next_in_line(&self) -> Option<(&QueueId, &Turn)> {
        let heads = self.index.free.keys().filter_map(|queue| {
            let turn = self.index.waiting.get(queue)?.first()?;
            Some((queue, turn))
        });
        heads.min_by_key(|(_, turn)| *turn)
    }

    /// A new id, the same on every replay: the tenant's journaled seed and the place of the event that carries it.
    fn mint(&self) -> Uuid {
        let high = mix(self.seed ^ mix(self.seq.next().0));
        let low = mix(high ^ self.seed.rotate_left(32));
        let bytes = (u128::from(high) << 64) | u128::from(low);
        uuid::Builder::from_custom_bytes(bytes.to_be_bytes()).into_uuid()
    }
}

/// SplitMix64's finaliser: spreads close numbers over all 64 bits.
const fn mix(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
