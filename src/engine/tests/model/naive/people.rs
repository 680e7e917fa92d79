//! Agents: presence (A1), availability (A2), lease (A8, A17), supervisors (A15), and settings that change under them.

use super::{Answer, Clock, Naive, Where};
use std::collections::BTreeSet;
use tieline_model::command::{Notice, Presence, SupervisorAct};
use tieline_model::crm::Channel;
use tieline_model::event::{
    AssignedHow, CompletedBy, Guest, PresenceWhy, ReturnedWhy, Suggestion, WithdrawnWhy,
};
use tieline_model::policy::{Delivery, InactivityMode, TenantPolicy};
use tieline_model::{
    Actor, AgentId, Code, Event, InteractionId, Mark, Millis, QueueId, SessionId, Timestamp,
};

impl Naive {
    pub(super) fn connect(&mut self, agent: &AgentId, session: SessionId) {
        let state = self.agent_mut(agent);
        if !state.sessions.contains(&session) {
            state.sessions.push(session);
            state.gone = None;
            self.tell(Event::AgentConnected { agent: agent.clone(), session });
        }
    }

    pub(super) fn disconnect(&mut self, by: &Actor, agent: &AgentId, session: SessionId) -> Answer {
        if *by != Actor::Daemon && *by != (Actor::Agent { agent: agent.clone() }) {
            return Err(Code::NotPermitted);
        }
        if self.agent(agent).is_some_and(|a| a.sessions.contains(&session)) {
            self.agent_mut(agent).sessions.retain(|s| *s != session);
            self.watch(agent);
            self.tell(Event::AgentDisconnected { agent: agent.clone(), session });
        }
        Ok(())
    }

    /// Whoever is at work without a panel is lost after a while; counted from when that began.
    fn watch(&mut self, agent: &AgentId) {
        let (now, lease) = (self.now, self.policy.lease);
        let state = self.agent_mut(agent);
        if state.presence == Presence::Offline || !state.sessions.is_empty() {
            state.gone = None;
        } else if state.gone.is_none() {
            state.gone = Some((now + lease.grace, now + lease.lost_after));
        }
    }

    pub(super) fn lost(&mut self, agent: &AgentId) {
        self.withdraw(agent, WithdrawnWhy::AgentLost);
        self.leave_as_guest(agent);
        for id in self.own_ids(agent) {
            if self.chat(id).unwrap().in_progress() {
                let words = self.wording(id, Notice::AgentLost);
                self.back_in_line(id, ReturnedWhy::AgentLost);
                self.say(id, Notice::AgentLost, words);
            }
        }
        self.become_present(agent, Presence::Offline, PresenceWhy::Lost);
    }

    fn own_ids(&self, agent: &AgentId) -> Vec<InteractionId> {
        self.inbox(agent).iter().map(|c| c.id).collect()
    }

    fn leave_as_guest(&mut self, agent: &AgentId) {
        for id in self.guest_at(agent) {
            self.guest_leaves(id, agent);
        }
    }

    // ---- presence ---------------------------------------------------------------------------------------------

    fn listed(&self, presence: &Presence) -> Answer {
        match presence {
            Presence::OnBreak { reason }
                if !self.policy.break_reasons.is_empty() && !self.policy.break_reasons.contains(reason) =>
            {
                Err(Code::Invalid)
            }
            _ => Ok(()),
        }
    }

    pub(super) fn set_presence(&mut self, agent: &AgentId, presence: &Presence, confirmed: bool) -> Answer {
        self.listed(presence)?;
        let offline = *presence == Presence::Offline;
        if offline && !confirmed && !self.inbox(agent).is_empty() {
            return Err(Code::NeedsConfirmation);
        }
        let has = self.presence(agent) == *presence;
        let work = self.talking(agent) || (self.active(agent).is_some() && !offline);
        if work || has {
            let wish = (!has).then(|| presence.clone());
            if self.agent_mut(agent).wish != wish {
                self.agent_mut(agent).wish.clone_from(&wish);
                self.tell(Event::PresenceWished { agent: agent.clone(), presence: wish });
            }
        } else {
            self.change_presence(agent, presence.clone(), PresenceWhy::Chosen);
        }
        Ok(())
    }

    /// Leaving Available withdraws the open offer; going Offline gives up everything in hand.
    pub(super) fn change_presence(&mut self, agent: &AgentId, presence: Presence, why: PresenceWhy) {
        if presence != Presence::Available {
            let removed = why == PresenceWhy::Removed;
            let left = if removed { WithdrawnWhy::Settings } else { WithdrawnWhy::PresenceLeft };
            self.withdraw(agent, left);
        }
        if presence == Presence::Offline {
            self.leave_as_guest(agent);
            for id in self.own_ids(agent) {
                if self.chat(id).unwrap().in_wrap_up() {
                    self.finish(id, CompletedBy::Offline);
                } else {
                    self.back_in_line(id, ReturnedWhy::AgentOffline);
                }
            }
        }
        self.become_present(agent, presence, why);
    }

    pub(super) fn become_present(&mut self, agent: &AgentId, presence: Presence, why: PresenceWhy) {
        let now = self.now;
        let state = self.agent_mut(agent);
        if presence == Presence::Available && state.presence != Presence::Available {
            state.idle = now;
        }
        state.presence = presence.clone();
        if !matches!(why, PresenceWhy::Rejected | PresenceWhy::Missed) {
            state.wish = None;
        }
        self.watch(agent);
        self.tell(Event::PresenceChanged { agent: agent.clone(), presence, why });
    }

    pub(super) fn grant_wish(&mut self, agent: &AgentId) {
        if let Some(wish) = self.agent_mut(agent).wish.clone() {
            self.change_presence(agent, wish, PresenceWhy::WishGranted);
        }
    }

    /// A wish comes due when nothing is being worked on.
    pub(super) fn wish_comes_due(&mut self, agent: &AgentId) {
        if self.active(agent).is_none() && !self.talking(agent) {
            self.grant_wish(agent);
        }
    }

    pub(super) fn set_availability(
        &mut self,
        agent: &AgentId,
        channels: &BTreeSet<Channel>,
        queues: Option<&BTreeSet<QueueId>>,
    ) -> Answer {
        let own = self.policy.agents[agent].queues.clone();
        if queues.is_some_and(|queues| !queues.is_subset(&own)) {
            return Err(Code::Invalid);
        }
        let queues = queues.filter(|queues| **queues != own).cloned();
        let state = self.agent_mut(agent);
        if state.channels != *channels || state.queues != queues {
            state.channels.clone_from(channels);
            state.queues.clone_from(&queues);
            let (agent, channels) = (agent.clone(), channels.clone());
            self.tell(Event::AvailabilityChanged { agent, channels, queues });
        }
        Ok(())
    }

    // ---- supervisors ------------------------------------------------------------------------------------------

    pub(super) fn supervise(&mut self, by: &AgentId, act: &SupervisorAct, reason: &str) -> Answer {
        if !self.policy.agents[by].supervisor {
            return Err(Code::NotPermitted);
        }
        let reason = reason.trim();
        if reason.is_empty() || reason.chars().count() > 200 {
            return Err(Code::Invalid);
        }
        let at = self.told.len();
        // Whose work it touches; nothing when it is so already.
        let touched = match act {
            SupervisorAct::SetPresence { agent, presence } => self.force(agent, presence)?,
            SupervisorAct::Requeue { interaction } => self.requeue(*interaction)?,
            SupervisorAct::Assign { interaction, agent } => self.give(*interaction, agent)?,
            SupervisorAct::FinishWrapUp { interaction } => {
                let chat = self.chat(*interaction).filter(|c| c.in_wrap_up()).ok_or(Code::WrongState)?;
                let owner = chat.owner().cloned();
                self.complete(*interaction, CompletedBy::Supervisor);
                Some(owner)
            }
            SupervisorAct::Join { interaction } => self.join(by, *interaction)?,
            SupervisorAct::Unblock { marks } => self.unblock(marks),
        };
        if let Some(agent) = touched {
            let (supervisor, act, reason) = (by.clone(), act.clone(), reason.to_owned());
            // Said first; what it led to follows.
            self.told.insert(at, Event::SupervisorActed { supervisor, act, agent, reason });
        }
        Ok(())
    }

    fn force(&mut self, agent: &AgentId, presence: &Presence) -> Result<Option<Option<AgentId>>, Code> {
        if !self.policy.agents.contains_key(agent) {
            return Err(Code::NotFound);
        }
        self.listed(presence)?;
        if self.presence(agent) == *presence && self.agent_mut(agent).wish.is_none() {
            return Ok(None);
        }
        self.change_presence(agent, presence.clone(), PresenceWhy::Supervisor);
        Ok(Some(Some(agent.clone())))
    }

    fn requeue(&mut self, id: InteractionId) -> Result<Option<Option<AgentId>>, Code> {
        let chat = self.chat(id).ok_or(Code::NotFound)?;
        match &chat.at {
            Where::Line => Ok(None),
            Where::Form(_) => Err(Code::WrongState),
            Where::Inbox(item) if item.wrap.is_some() => Err(Code::WrongState),
            Where::Offer(offer) => {
                let agent = offer.to.clone();
                self.withdraw(&agent, WithdrawnWhy::Supervisor);
                self.chat_mut(id).ahead = true;
                self.declines(id, &agent);
                Ok(Some(Some(agent)))
            }
            Where::Inbox(item) => {
                let agent = item.of.clone();
                self.back_in_line(id, ReturnedWhy::Supervisor);
                self.wish_comes_due(&agent);
                Ok(Some(Some(agent)))
            }
        }
    }

    fn give(&mut self, id: InteractionId, to: &AgentId) -> Result<Option<Option<AgentId>>, Code> {
        let chat = self.chat(id).ok_or(Code::NotFound)?;
        if !self.policy.agents.contains_key(to) {
            return Err(Code::NotFound);
        }
        if self.presence(to) == Presence::Offline || !self.connected(to) {
            return Err(Code::TargetUnavailable);
        }
        match &chat.at {
            Where::Line => {}
            Where::Form(_) => return Err(Code::WrongState),
            Where::Inbox(item) if item.of == *to => return Ok(None),
            Where::Inbox(item) if item.wrap.is_some() => return Err(Code::WrongState),
            Where::Offer(offer) => {
                let agent = offer.to.clone();
                self.withdraw(&agent, WithdrawnWhy::Supervisor);
            }
            Where::Inbox(item) => {
                let agent = item.of.clone();
                self.back_in_line(id, ReturnedWhy::Supervisor);
                self.wish_comes_due(&agent);
            }
        }
        self.assign(id, to.clone(), AssignedHow::Supervisor, None);
        Ok(Some(Some(to.clone())))
    }

    fn join(&mut self, by: &AgentId, id: InteractionId) -> Result<Option<Option<AgentId>>, Code> {
        let chat = self.chat(id).ok_or(Code::NotFound)?;
        if !chat.in_progress() {
            return Err(Code::WrongState);
        }
        if chat.owner() == Some(by) || chat.is_guest(by) {
            return Ok(None);
        }
        let owner = chat.owner().cloned();
        self.joins(id, by, Guest::Supervisor);
        self.tell(Event::GuestJoined { interaction: id, agent: by.clone(), guest: Guest::Supervisor });
        Ok(Some(owner))
    }

    fn unblock(&mut self, marks: &BTreeSet<Mark>) -> Option<Option<AgentId>> {
        if !marks.iter().any(|mark| self.blocked.contains(mark)) {
            return None;
        }
        self.blocked.retain(|mark| !marks.contains(mark));
        Some(None)
    }

    // ---- settings and restarts --------------------------------------------------------------------------------

    pub(super) fn configure(&mut self, policy: &TenantPolicy) -> Answer {
        if self.policy == *policy && !policy.queues.is_empty() {
            return Ok(());
        }
        let kept =
            |queue: &QueueId| policy.queues.contains_key(queue) || !self.policy.queues.contains_key(queue);
        if self.chats.iter().any(|c| c.queue.as_ref().is_some_and(|queue| !kept(queue))) {
            return Err(Code::WrongState);
        }
        let ids: Vec<AgentId> = self.agents.iter().map(|a| a.id.clone()).collect();
        for id in ids {
            let state = self.agent(&id).unwrap();
            let at_work = state.presence != Presence::Offline
                || state.wish.is_some()
                || !self.inbox(&id).is_empty()
                || !self.guest_at(&id).is_empty();
            if !policy.agents.contains_key(&id) && at_work {
                self.change_presence(&id, Presence::Offline, PresenceWhy::Removed);
            } else if let Some(chat) = self.offered(&id)
                && let (Where::Offer(_), Some(queue)) = (&chat.at, &chat.queue)
            {
                let serves = policy.agents.get(&id).is_some_and(|a| a.queues.contains(queue));
                if !serves || policy.queues[queue].delivery != Delivery::Offer {
                    self.withdraw(&id, WithdrawnWhy::Settings);
                }
            }
        }
        self.policy = policy.clone();
        for id in policy.agents.keys() {
            self.agent_mut(id);
        }
        for chat in &mut self.chats {
            let rules = chat.queue.as_ref().and_then(|queue| policy.queues.get(queue));
            // Switched off, nobody waits for a customer's reply any more.
            if chat.silence.is_some() && rules.is_none_or(|q| q.inactivity.mode == InactivityMode::Off) {
                chat.silence = None;
                chat.suggested.remove(&Suggestion::Nudge);
                chat.suggested.remove(&Suggestion::End);
            }
        }
        self.tell(Event::Configured { policy: Box::new(policy.clone()) });
        Ok(())
    }

    /// Running timers get the time they had; what hangs on the wall clock stays (F2).
    pub(super) fn resume(&mut self, down: Millis) {
        let later = |at: Timestamp| at + down;
        let clock = |clock: &mut Clock| {
            if let Clock::Runs(until) = clock {
                *until = later(*until);
            }
        };
        for chat in &mut self.chats {
            match &mut chat.at {
                Where::Line => {}
                Where::Form(until) => *until = later(*until),
                Where::Offer(offer) => offer.until = later(offer.until),
                Where::Inbox(item) => {
                    item.unopened = item.unopened.map(later);
                    if let Some(wrap) = &mut item.wrap {
                        clock(&mut wrap.clock);
                        clock(&mut wrap.max);
                    }
                }
            }
            if let Some(transfer) = &mut chat.transfer {
                transfer.offer.until = later(transfer.offer.until);
            }
            if let Some(silence) = &mut chat.silence {
                silence.until = silence.until.map(later);
            }
        }
        let ids: Vec<AgentId> = self.agents.iter().map(|a| a.id.clone()).collect();
        for id in ids {
            let agent = self.agent_mut(&id);
            agent.sessions.clear();
            agent.gone = agent.gone.map(|(grace, lost)| (later(grace), later(lost)));
            self.watch(&id);
        }
        self.tell(Event::Resumed { down });
    }
}
