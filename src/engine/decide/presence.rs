//! Presence (A1): at once when nothing is in hand, else as one pending wish.

use super::{Decision, presence_name};
use crate::state::{Engine, Stage, Talk};
use std::collections::BTreeSet;
use tieline_model::command::Presence;
use tieline_model::crm::Channel;
use tieline_model::event::{CompletedBy, PresenceWhy, ReturnedWhy, WithdrawnWhy};
use tieline_model::policy::After;
use tieline_model::{AgentId, Code, Event, QueueId, Refusal, Timestamp};

impl Engine {
    pub(super) fn set_presence(
        &self,
        now: Timestamp,
        id: &AgentId,
        presence: &Presence,
        confirmed: bool,
    ) -> Decision {
        self.check_reason(presence)?;
        let agent = self.agent_state(id);
        if *presence == Presence::Offline && !confirmed && !agent.inbox.is_empty() {
            let open = agent.inbox.len();
            let message = format!(
                "{open} of your chats are open; going Offline returns them to their queues. Confirm, or finish them first"
            );
            return Err(Refusal::new(Code::NeedsConfirmation, message).limit(open as u64));
        }
        let working = agent.talking.is_some() || agent.active.is_some();
        if working && !(*presence == Presence::Offline && agent.talking.is_none()) {
            return Ok(self.wish(id, presence));
        }
        let mut events = Vec::new();
        if agent.presence == *presence {
            if agent.wish.is_some() {
                events.push(Event::PresenceWished { agent: id.clone(), presence: None });
            }
            return Ok(events);
        }
        events.extend(self.change_presence(now, id, presence, PresenceWhy::Chosen));
        Ok(events)
    }

    pub(super) fn check_reason(&self, presence: &Presence) -> Result<(), Refusal> {
        let Presence::OnBreak { reason } = presence else { return Ok(()) };
        if self.policy.break_reasons.is_empty() || self.policy.break_reasons.contains(reason) {
            return Ok(());
        }
        let known = self.policy.break_reasons.join(", ");
        let message = format!("there is no break reason of this name; choose one of: {known}");
        Err(Refusal::new(Code::Invalid, message).field("presence.reason"))
    }

    /// One wish, the last wins; wishing for what one has takes the wish back.
    fn wish(&self, id: &AgentId, presence: &Presence) -> Vec<Event> {
        let agent = self.agent_state(id);
        let wish = (agent.presence != *presence).then(|| presence.clone());
        if agent.wish == wish {
            return Vec::new();
        }
        vec![Event::PresenceWished { agent: id.clone(), presence: wish }]
    }

    /// Leaving Available withdraws the open offer (A10); going Offline gives the chats back.
    pub(super) fn change_presence(
        &self,
        now: Timestamp,
        id: &AgentId,
        presence: &Presence,
        why: PresenceWhy,
    ) -> Vec<Event> {
        let mut events = match presence {
            Presence::Offline => self.leave_work(now, id, WithdrawnWhy::PresenceLeft),
            Presence::OnBreak { .. } | Presence::StopNew => {
                self.withdraw_from(id, WithdrawnWhy::PresenceLeft).into_iter().collect()
            }
            Presence::Available => Vec::new(),
        };
        events.push(Event::PresenceChanged { agent: id.clone(), presence: presence.clone(), why });
        events
    }

    /// Gives back everything in hand: offers are withdrawn, chats requeue, wrap-ups complete.
    pub(super) fn leave_work(&self, now: Timestamp, id: &AgentId, why: WithdrawnWhy) -> Vec<Event> {
        let mut events: Vec<Event> = self.withdraw_from(id, why).into_iter().collect();
        events.extend(self.leave_as_guest(id));
        for chat in self.inbox(id) {
            match &chat.stage {
                Stage::Owned { talk: Talk::Open { .. }, .. } => {
                    events.extend(self.give_back(chat, id, ReturnedWhy::AgentOffline));
                }
                Stage::Owned { talk: Talk::WrapUp { .. }, .. } => {
                    events.extend(self.finish(now, chat, CompletedBy::Offline));
                }
                Stage::Waiting | Stage::Offered(_) | Stage::Form { .. } => {}
            }
        }
        events
    }

    /// The pending wish comes due when an item that was active is done (C3). `parting` is that item.
    pub(super) fn grant_wish(
        &self,
        now: Timestamp,
        id: &AgentId,
        parting: Option<tieline_model::InteractionId>,
    ) -> Vec<Event> {
        let agent = self.agent_state(id);
        let Some(wish) = &agent.wish else { return Vec::new() };
        let mut events = self.change_presence(now, id, wish, PresenceWhy::WishGranted);
        // The parting item is being closed by the same decision already.
        events.retain(|e| e.interaction().is_none() || e.interaction() != parting);
        events
    }

    /// After a miss the presence goes to On Break, or stays, as the queue says (A7).
    pub(crate) fn break_after_miss(&self, queue: Option<&QueueId>, agent: &AgentId) -> Option<Event> {
        // Who has left Available since an unopened chat came stays where they chose to be.
        self.agents.get(agent).filter(|a| a.presence == Presence::Available)?;
        let after = self.queue_rules(queue?).map(|q| q.after_miss)?;
        break_event(after, agent, "missed", PresenceWhy::Missed)
    }

    pub(super) fn break_after_reject(&self, queue: Option<&QueueId>, agent: &AgentId) -> Option<Event> {
        let after = self.queue_rules(queue?).map(|q| q.after_reject)?;
        break_event(after, agent, "rejected", PresenceWhy::Rejected)
    }

    /// On which channels and queues the agent is available (A2). What is offered stands; what comes next obeys.
    pub(super) fn set_availability(
        &self,
        id: &AgentId,
        channels: &BTreeSet<Channel>,
        queues: Option<&BTreeSet<QueueId>>,
    ) -> Decision {
        let own = &self.agent_policy(id)?.queues;
        if let Some(other) = queues.into_iter().flatten().find(|queue| !own.contains(*queue)) {
            let message = format!("you do not serve the queue `{other}`; choose among your own");
            return Err(Refusal::new(Code::Invalid, message).field("queues"));
        }
        let agent = self.agent_state(id);
        let queues = queues.filter(|queues| *queues != own).cloned();
        if agent.channels == *channels && agent.queues == queues {
            return Ok(Vec::new());
        }
        Ok(vec![Event::AvailabilityChanged { agent: id.clone(), channels: channels.clone(), queues }])
    }

    /// Why an agent may not take a chat now.
    pub(super) fn may_take(&self, id: &AgentId, units: u32) -> Result<(), Refusal> {
        let agent = self.agent_state(id);
        if agent.presence != Presence::Available {
            let message = format!("you are {}; set Available to take chats", presence_name(&agent.presence));
            return Err(Refusal::new(Code::WrongState, message));
        }
        if agent.sessions.is_empty() {
            // What was sent before the connection was lost may arrive after it (A8).
            let message = "your panel is not connected; connect it and take the chat again";
            return Err(Refusal::new(Code::WrongState, message));
        }
        let capacity = self.agent_policy(id)?.chat_capacity;
        if self.load(id).saturating_add(units) > capacity {
            let message = format!(
                "you have {} of {capacity} units in hand and this chat takes {units}; finish one first",
                self.load(id)
            );
            return Err(Refusal::new(Code::AtCapacity, message).limit(u64::from(capacity)));
        }
        Ok(())
    }
}

fn break_event(after: After, agent: &AgentId, reason: &str, why: PresenceWhy) -> Option<Event> {
    match after {
        After::Stay => None,
        After::OnBreak => {
            let presence = Presence::OnBreak { reason: reason.to_owned() };
            Some(Event::PresenceChanged { agent: agent.clone(), presence, why })
        }
    }
}
