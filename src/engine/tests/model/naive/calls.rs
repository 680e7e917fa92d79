//! Calls, and what they do to chats (A10, B4, B5, E1, E4, E5).

use super::wrap_up::is_missing;
use super::{Answer, Call, Chat, Item, Naive, Over, Shut, Where};
use tieline_model::content::ContentRef;
use tieline_model::crm::{Channel, Direction, Outcome, Side};
use tieline_model::event::{ParkedBy, WithdrawnWhy};
use tieline_model::live::Place;
use tieline_model::policy::{AfterCall, CallLogs, ParkOn};
use tieline_model::{Actor, AgentId, CallFact, CallId, Code, ConversationId, Event, InteractionId, QueueId};

impl Naive {
    pub(super) fn call(
        &mut self,
        by: &Actor,
        name: &CallId,
        interaction: InteractionId,
        conversation: ConversationId,
        fact: &CallFact,
    ) -> Answer {
        if !matches!(by, Actor::Producer { .. }) {
            return Err(Code::NotPermitted);
        }
        if self.ended.contains(name) {
            self.after_the_end(name, fact);
            return Ok(());
        }
        let at = self.calls.iter().position(|c| c.name == *name);
        let in_use = self.chat(interaction).is_some() || self.calls.iter().any(|c| c.id == interaction);
        if at.is_none() && in_use {
            return Err(Code::WrongState);
        }
        let new = (name, interaction, conversation);
        match fact {
            CallFact::Ringing { agents, queue, numbers, withheld, direction } => {
                self.rings(at, new, agents, queue.as_ref(), (numbers, *withheld, *direction))
            }
            CallFact::Dialled { agent, queue, numbers } => self.dialled(at, new, agent, queue, numbers),
            CallFact::Answered { agent } => self.answered(at, new, agent),
            CallFact::RecordingReady { recording } => {
                let call = &mut self.calls[at.ok_or(Code::NotFound)?];
                if call.recording != Some(*recording) {
                    call.recording = Some(*recording);
                    let (call, interaction, conversation) = (name.clone(), call.id, call.conversation);
                    let (recording, log) = (*recording, false);
                    self.tell(Event::RecordingReady { call, interaction, conversation, recording, log });
                }
                Ok(())
            }
            CallFact::Held | CallFact::Resumed => {
                self.hold(at, *fact == CallFact::Held);
                Ok(())
            }
            CallFact::Transferred { to } => match at {
                Some(at) if self.calls[at].on_the_phone().is_some() => self.call_moves(at, to),
                _ => self.answered(at, new, to),
            },
            CallFact::Ended => {
                match at {
                    Some(at) => self.hung_up(at, false),
                    None => {
                        // Heard of for the first time; nothing of it can ring any more.
                        self.ended.push(name.clone());
                        let (call, outcome, presumed) = (name.clone(), Outcome::Missed, false);
                        self.tell(Event::CallEnded { call, interaction, outcome, presumed });
                    }
                }
                Ok(())
            }
        }
    }

    fn rings(
        &mut self,
        at: Option<usize>,
        new: (&CallId, InteractionId, ConversationId),
        agents: &[String],
        queue: Option<&QueueId>,
        (numbers, withheld, direction): (&ContentRef, bool, Direction),
    ) -> Answer {
        if agents.is_empty() || agents.len() > 100 {
            return Err(Code::Invalid);
        }
        let mut ours: Vec<AgentId> = agents.iter().filter_map(|a| self.named(a)).collect();
        ours.sort();
        ours.dedup();
        if ours.is_empty() {
            return Err(Code::NotFound);
        }
        let before = at.map(|i| self.calls[i].rings.clone()).unwrap_or_default();
        if at.is_some_and(|i| self.calls[i].on_the_phone().is_some()) || before == ours {
            return Ok(());
        }
        for agent in &ours {
            self.withdraw(agent, WithdrawnWhy::Call);
            if self.policy.calls.park_on == ParkOn::Ringing {
                self.park(agent, ParkedBy::Call);
            }
        }
        let at = self.heard_of(new);
        self.calls[at].rings.clone_from(&ours);
        self.calls[at].queue = queue.cloned();
        self.tell(Event::CallRang {
            call: new.0.clone(),
            interaction: self.calls[at].id,
            conversation: self.calls[at].conversation,
            queue: queue.cloned(),
            agents: ours.clone(),
            numbers: *numbers,
            withheld,
            direction,
        });
        self.no_more_at(before.iter().filter(|a| !ours.contains(a)));
        Ok(())
    }

    fn dialled(
        &mut self,
        at: Option<usize>,
        new: (&CallId, InteractionId, ConversationId),
        agent: &str,
        queue: &Option<QueueId>,
        numbers: &ContentRef,
    ) -> Answer {
        let agent = self.named(agent).ok_or(Code::NotFound)?;
        if at.is_some_and(|i| self.calls[i].on_the_phone().is_some()) {
            return Ok(());
        }
        self.withdraw(&agent, WithdrawnWhy::Call);
        self.park(&agent, ParkedBy::Call);
        let at = self.heard_of(new);
        let rang = std::mem::take(&mut self.calls[at].rings);
        self.calls[at].dialled = Some(agent.clone());
        self.calls[at].queue.clone_from(queue);
        self.maxima_follow_the_phone();
        self.tell(Event::CallDialled {
            call: new.0.clone(),
            interaction: self.calls[at].id,
            conversation: self.calls[at].conversation,
            queue: queue.clone(),
            agent: agent.clone(),
            numbers: *numbers,
        });
        self.no_more_at(rang.iter().filter(|a| **a != agent));
        Ok(())
    }

    fn answered(
        &mut self,
        at: Option<usize>,
        new: (&CallId, InteractionId, ConversationId),
        agent: &str,
    ) -> Answer {
        let agent = self.named(agent).ok_or(Code::NotFound)?;
        if at.is_some_and(|i| self.calls[i].answered.is_some()) {
            return Ok(());
        }
        self.withdraw(&agent, WithdrawnWhy::Call);
        self.park(&agent, ParkedBy::Call);
        let (now, at) = (self.now, self.heard_of(new));
        let mut rang = std::mem::take(&mut self.calls[at].rings);
        rang.extend(self.calls[at].dialled.take());
        self.calls[at].answered = Some((agent.clone(), now));
        self.agent_mut(&agent).today.calls += 1;
        self.maxima_follow_the_phone();
        let (interaction, conversation) = (self.calls[at].id, self.calls[at].conversation);
        let call = new.0.clone();
        self.tell(Event::CallAnswered { call, interaction, conversation, agent: agent.clone() });
        self.no_more_at(rang.iter().filter(|a| **a != agent));
        Ok(())
    }

    /// Told only of calls in which two people talk.
    fn hold(&mut self, at: Option<usize>, held: bool) {
        let now = self.now;
        let Some(call) = at.map(|at| &mut self.calls[at]) else { return };
        if call.answered.is_some() && call.held != held {
            (call.held, call.heard) = (held, now);
            let (call, interaction) = (call.name.clone(), call.id);
            self.tell(if held {
                Event::CallHeld { call, interaction }
            } else {
                Event::CallResumed { call, interaction }
            });
        }
    }

    /// From the agent on the phone to another.
    fn call_moves(&mut self, at: usize, to: &str) -> Answer {
        let to = self.named(to).ok_or(Code::NotFound)?;
        let from = self.calls[at].on_the_phone().unwrap().clone();
        if from == to {
            return Ok(());
        }
        self.withdraw(&to, WithdrawnWhy::Call);
        self.park(&to, ParkedBy::Call);
        let now = self.now;
        let call = &mut self.calls[at];
        (call.held, call.heard) = (false, now);
        match &mut call.answered {
            Some((agent, _)) => agent.clone_from(&to),
            None => call.dialled = Some(to.clone()),
        }
        let talks = call.answered.is_some();
        let (name, interaction, conversation) = (call.name.clone(), call.id, call.conversation);
        self.agent_mut(&to).today.calls += u32::from(talks);
        let sender = self.agent_mut(&from);
        sender.idle = now;
        sender.today.transferred += 1;
        self.maxima_follow_the_phone();
        let (call, sender) = (name, from.clone());
        self.tell(Event::CallTransferred { call, interaction, conversation, from: sender, to });
        self.no_more_at([&from].into_iter());
        Ok(())
    }

    /// Nothing was heard of it for as long as a call may last.
    pub(super) fn unended(&mut self, id: InteractionId) {
        let at = self.calls.iter().position(|c| c.id == id).unwrap();
        self.hung_up(at, true);
    }

    fn hung_up(&mut self, at: usize, presumed: bool) {
        let call = self.calls.remove(at);
        self.ended.push(call.name.clone());
        let (now, id, conversation) = (self.now, call.id, call.conversation);
        let outcome = if call.answered.is_some() { Outcome::Answered } else { Outcome::Missed };
        let wraps = self.policy.calls.wrap_up.is_some() && !presumed;
        let agent = call.on_the_phone().cloned();
        // An agent who talks on another call gets no wrap-up of this one; nor does one who has left the settings.
        let wraps_up = call
            .answered
            .as_ref()
            .filter(|(agent, _)| wraps && !self.talking(agent) && self.policy.agents.contains_key(agent));
        let (name, recording) = (call.name.clone(), call.recording);
        self.over.push(Over { name: name.clone(), id, conversation, recording, log: false });
        if let Some(agent) = &agent {
            self.agent_mut(agent).idle = now;
        }
        if let Some((agent, _)) = wraps_up {
            let agent = agent.clone();
            self.park(&agent, ParkedBy::Activation);
            self.wrap_up_call(call, &agent);
            self.maxima_follow_the_phone();
            self.tell(Event::CallEnded { call: name, interaction: id, outcome, presumed });
            return;
        }
        self.maxima_follow_the_phone();
        self.tell(Event::CallEnded { call: name, interaction: id, outcome, presumed });
        let log = self.logs_call(outcome);
        self.over.last_mut().unwrap().log = log;
        let (to, service) = (agent.clone(), None);
        self.tell(Event::InteractionClosed {
            interaction: id,
            conversation,
            outcome,
            agent: to,
            log,
            service,
        });
        if let Some(agent) = agent.filter(|_| log) {
            let missing = is_missing(&self.policy.calls.classification, &call.codes, call.remarks);
            let not_classified = missing && call.answered.is_some();
            let (unseen, states) = (false, Vec::new());
            self.list(Shut { id, agent, outcome, not_classified, unseen, states });
        }
        let answered = call.answered.as_ref().map(|(agent, _)| agent);
        self.no_more_at(call.rings.iter().chain(&call.dialled).chain(answered));
    }

    /// The wrap-up of a call is the active item of its agent (E5).
    fn wrap_up_call(&mut self, call: Call, agent: &AgentId) {
        let mut item = Chat::new(call.id, call.conversation, call.queue, self.now);
        item.channel = Channel::Call;
        item.answered = call.answered.map(|(_, at)| at);
        (item.codes, item.remarks, item.chosen) = (call.codes, call.remarks, call.chosen);
        let (of, place) = (agent.clone(), Place::Active);
        item.at = Where::Inbox(Item { of, place, wrap: None, unopened: None, lies: None });
        self.chats.push(item);
        self.begin_wrap_up(call.id, Side::Agent);
    }

    pub(super) fn logs_call(&self, outcome: Outcome) -> bool {
        match self.policy.calls.log {
            CallLogs::None => false,
            CallLogs::Answered => outcome == Outcome::Answered,
            CallLogs::All => true,
        }
    }

    /// Only a recording still counts.
    fn after_the_end(&mut self, name: &CallId, fact: &CallFact) {
        let CallFact::RecordingReady { recording } = fact else { return };
        let Some(over) = self.over.iter_mut().find(|o| o.name == *name) else { return };
        if over.recording != Some(*recording) {
            over.recording = Some(*recording);
            let (call, interaction, conversation) = (name.clone(), over.id, over.conversation);
            let (recording, log) = (*recording, over.log);
            self.tell(Event::RecordingReady { call, interaction, conversation, recording, log });
        }
    }

    fn named(&self, name: &str) -> Option<AgentId> {
        let by_id = self.policy.agents.keys().find(|id| id.as_str() == name);
        let by_extension = || {
            self.policy.agents.iter().find(|(_, a)| a.extension.as_deref() == Some(name)).map(|(id, _)| id)
        };
        by_id.or_else(by_extension).cloned()
    }

    fn heard_of(&mut self, (name, id, conversation): (&CallId, InteractionId, ConversationId)) -> usize {
        let now = self.now;
        if let Some(at) = self.calls.iter().position(|c| c.name == *name) {
            self.calls[at].heard = now;
            return at;
        }
        self.calls.push(Call {
            name: name.clone(),
            id,
            conversation,
            queue: None,
            rings: Vec::new(),
            dialled: None,
            answered: None,
            held: false,
            heard: now,
            recording: None,
            chosen: Vec::new(),
            codes: Vec::new(),
            remarks: None,
        });
        self.calls.len() - 1
    }

    /// A call no longer concerns these agents; what it parked may go on, and what they wished for may be. While its
    /// wrap-up is at hand, it does.
    pub(super) fn no_more_at<'a>(&mut self, agents: impl Iterator<Item = &'a AgentId>) {
        let agents: Vec<AgentId> = agents.cloned().collect();
        for agent in agents {
            if !self.calls_at(&agent).is_empty()
                || self.active(&agent).is_some_and(|item| item.channel == Channel::Call)
            {
                continue;
            }
            self.goes_on(&agent);
        }
    }

    /// A call's wrap-up is done.
    pub(super) fn call_wrapped_up(&mut self, agent: &AgentId) {
        if self.calls_at(agent).is_empty() {
            self.goes_on(agent);
        } else {
            self.wish_comes_due(agent);
        }
    }

    /// What the latest call parked goes on, or a wish comes due. A call that broke into the wrap-up of another leaves
    /// that one to go on first.
    fn goes_on(&mut self, agent: &AgentId) {
        let latest = self.agent_mut(agent).call_parked.last().copied();
        let broke_into = latest.is_some_and(|id| self.chat(id).unwrap().channel == Channel::Call);
        if !broke_into {
            self.agent_mut(agent).call_parked.clear();
        }
        if self.active(agent).is_some() {
            return;
        }
        let last = self.policy.calls.after_call == AfterCall::ResumeLast;
        match latest.filter(|id| last || self.chat(*id).unwrap().in_wrap_up()) {
            Some(id) => self.activate(agent, id),
            None => self.grant_wish(agent),
        }
    }
}
