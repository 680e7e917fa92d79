//! Who gets the next chat, and which chat must go elsewhere. Called after every event until it has nothing more to
//! say, so every freeing event leads to a routing pass at once (A11).

use crate::index::{Lane, Line, Turn};
use crate::state::{Chat, Engine};
use tieline_model::event::{AssignedHow, OverflowWhy};
use tieline_model::policy::{Delivery, OverflowTo, QueuePolicy};
use tieline_model::{AgentId, Event, InteractionId, Millis, OfferId, ShareId, Timestamp};
use uuid::Uuid;

/// How long the offline form is waited for.
const FORM_TIME: Millis = Millis::secs(30 * 60);

impl Engine {
    /// What follows by itself: a chat that leaves its queue, or one that is handed out. Apply it and ask again;
    /// nothing means that there is nothing more.
    #[must_use]
    pub fn route(&self, now: Timestamp) -> Vec<Event> {
        if let Some(gone) = self.next_to_leave(now, false) {
            return gone;
        }
        if let Some(event) = self.next_handed_out(now) {
            return vec![event];
        }
        self.next_to_leave(now, true).unwrap_or_default()
    }

    /// The next chat to hand out and to whom, over all queues.
    fn next_handed_out(&self, now: Timestamp) -> Option<Event> {
        let lines = self.index.ready.iter().filter_map(|number| self.index.lines.get(*number));
        let heads = lines.filter_map(|line| self.head(line));
        let (_, line, interaction, agent) = heads.min_by_key(|(turn, ..)| *turn)?;
        let policy = &line.rules;
        let agent = agent.clone();
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

    /// The first chat of a line for which somebody is free, and who gets it.
    fn head<'a>(&'a self, line: &'a Line) -> Option<(Turn, &'a Line, InteractionId, &'a AgentId)> {
        let firsts = line.lanes.values().filter(|lane| !lane.free.is_empty()).filter_map(|lane| {
            // A chat whose every free agent has declined it does not hold up those behind it (A9).
            lane.waiting.iter().find_map(|turn| {
                let chat = self.chats.get(&turn.id)?;
                Some((*turn, line, turn.id, choose(chat, lane)?))
            })
        });
        firsts.min_by_key(|(turn, ..)| *turn)
    }

    /// The next chat that leaves a queue which cannot serve it (A12): before anything is handed out where the queue is
    /// closed or nobody is at work, after that where too many wait.
    fn next_to_leave(&self, now: Timestamp, full: bool) -> Option<Vec<Event>> {
        self.index.unserved.iter().find_map(|number| {
            let line = self.index.lines.get(*number)?;
            let (why, to) = self.leaves(line, full)?;
            let lanes = line.lanes.values();
            let chat = match why {
                // Who came last was one too many.
                OverflowWhy::Full => lanes.filter_map(|lane| lane.waiting.last()).max(),
                OverflowWhy::Closed | OverflowWhy::Unstaffed | OverflowWhy::Waited => {
                    lanes.filter_map(|lane| lane.waiting.first()).min()
                }
            };
            Some(self.overflow(now, self.chats.get(&chat?.id)?, to, why))
        })
    }

    fn leaves<'a>(&self, line: &'a Line, full: bool) -> Option<(OverflowWhy, &'a OverflowTo)> {
        let rules = &line.rules.overflow;
        let over =
            rules.full.as_ref().filter(|full| line.unserved_chats() > full.chats).map(|full| &full.then);
        let closed = Some(&rules.closed).filter(|_| !self.is_open(&line.rules));
        let unstaffed = Some(&rules.unstaffed).filter(|_| line.staff == 0);
        let causes = if full {
            [over.map(|to| (OverflowWhy::Full, to)), None]
        } else {
            [closed.map(|to| (OverflowWhy::Closed, to)), unstaffed.map(|to| (OverflowWhy::Unstaffed, to))]
        };
        causes.into_iter().flatten().find(|(_, to)| **to != OverflowTo::Wait)
    }

    /// A chat goes where its queue says; never to one queue twice (A12). The customer is told.
    pub(crate) fn overflow(
        &self,
        now: Timestamp,
        chat: &Chat,
        to: &OverflowTo,
        why: OverflowWhy,
    ) -> Vec<Event> {
        let Some(from) = chat.queue.clone() else { return Vec::new() };
        let to = match to {
            OverflowTo::Wait => return Vec::new(),
            OverflowTo::OfflineForm => None,
            OverflowTo::Queue { queue } => {
                let there = self.queue_rules(queue).is_some();
                Some(queue.clone()).filter(|q| there && *q != from && !chat.visited.contains(q))
            }
        };
        let notice = match &to {
            Some(_) => tieline_model::command::Notice::Overflowed,
            None => tieline_model::command::Notice::Offline,
        };
        let deadline = to.is_none().then_some(now + FORM_TIME);
        let told = self.notice(chat, notice, None);
        let mut events = vec![Event::ChatOverflowed { interaction: chat.id, from, to, why, deadline }];
        events.extend(told);
        events
    }

    pub(crate) fn waited_too_long(&self, now: Timestamp, id: InteractionId) -> Vec<Event> {
        let Some(chat) = self.chats.get(&id) else { return Vec::new() };
        let rules = chat.rules();
        let limit = rules.and_then(|rules| rules.overflow.waited.as_ref());
        limit.map(|limit| self.overflow(now, chat, &limit.then, OverflowWhy::Waited)).unwrap_or_default()
    }

    /// What a chat needs is lowered by a level (A11).
    pub(crate) fn relax(&self, id: InteractionId) -> Vec<Event> {
        let steps = self.chats.get(&id).map_or(0, |chat| chat.relaxed.saturating_add(1));
        vec![Event::NeedsRelaxed { interaction: id, steps }]
    }

    /// Agents who declined may be offered the chat again (A9).
    pub(crate) fn forget_decliners(&self, now: Timestamp, id: InteractionId) -> Vec<Event> {
        let Some(chat) = self.chats.get(&id) else { return Vec::new() };
        let over = chat.declined.iter().filter(|(_, until)| **until <= now);
        over.map(|(agent, _)| Event::DeclineForgotten { interaction: id, agent: agent.clone() }).collect()
    }

    /// A new id, the same on every replay: the tenant's journaled seed and the place of the event that carries it.
    pub(crate) fn mint(&self) -> Uuid {
        let high = mix(self.seed ^ mix(self.seq.next().0));
        let low = mix(high ^ self.seed.rotate_left(32));
        let bytes = (u128::from(high) << 64) | u128::from(low);
        uuid::Builder::from_custom_bytes(bytes.to_be_bytes()).into_uuid()
    }

    /// A new id for a shared transcript. It is no secret: the link that names it is signed.
    pub(crate) fn mint_share(&self) -> ShareId {
        ShareId(self.mint())
    }
}

impl Chat {
    /// When it has waited in line as long as its queue allows (A12).
    pub(crate) fn wait_limit(&self, rules: &QueuePolicy) -> Option<Timestamp> {
        let limit = rules.overflow.waited.as_ref().filter(|limit| limit.then != OverflowTo::Wait)?;
        Some(self.entered_at + limit.after)
    }

    /// When it needs less in line, if it needs anything (A11).
    pub(crate) fn relaxes_at(&self, rules: &QueuePolicy) -> Option<Timestamp> {
        let step = rules.relax_after.filter(|_| !self.needs().is_empty())?;
        let steps = u64::from(self.relaxed) + 1;
        Some(self.entered_at + Millis(step.0.saturating_mul(steps)))
    }
}

/// Who of a lane's free agents gets a chat: the preferred one, else the first who has not declined it (A9, A11, B15).
fn choose<'a>(chat: &Chat, lane: &'a Lane) -> Option<&'a AgentId> {
    let willing =
        || lane.free.iter().map(|rank| &rank.agent).filter(|agent| !chat.declined.contains_key(*agent));
    match &chat.preferred {
        Some(preferred) => willing().find(|agent| *agent == preferred).or_else(|| willing().next()),
        None => willing().next(),
    }
}

/// SplitMix64's finaliser: spreads close numbers over all 64 bits.
const fn mix(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
