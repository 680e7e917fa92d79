//! A book of our own of who has which chat, kept from the events alone, that knows nothing of the engine: one owner per
//! chat, one offer and one active item per agent, capacity in units at every offer, each end once.

use std::collections::{BTreeMap, BTreeSet};
use tieline_model::command::Presence;
use tieline_model::crm::Side;
use tieline_model::event::{AssignedHow, Guest, ReturnedWhy, WithdrawnWhy};
use tieline_model::policy::TenantPolicy;
use tieline_model::{AgentId, CommandId, Event, InteractionId, OfferId, QueueId, SessionId, Timestamp};

/// Where a chat is.
#[derive(Debug, Clone, PartialEq)]
pub enum At {
    Waiting,
    Offered { to: AgentId, offer: OfferId },
    Owned { by: AgentId, ended: bool },
    Form,
}

#[derive(Debug, Clone)]
pub struct Chat {
    pub at: At,
    pub queue: Option<QueueId>,
    pub transfer: Option<(AgentId, OfferId, bool)>,
    pub guests: BTreeMap<AgentId, Guest>,
    /// Queues it has overflowed from.
    left: BTreeSet<QueueId>,
    pub declined: BTreeMap<AgentId, Timestamp>,
    pub entered_at: Timestamp,
    pub wants_skills: bool,
    ended: bool,
}

#[derive(Debug, Clone, Default)]
pub struct Agent {
    pub presence: Presence,
    pub wishes: bool,
    pub sessions: BTreeSet<SessionId>,
    pub offered: Option<OfferId>,
    pub active: Option<InteractionId>,
    narrowed: bool,
}

/// A call and the agents it concerns.
#[derive(Debug, Clone, Default)]
struct Call {
    holders: BTreeSet<AgentId>,
}

#[derive(Default)]
pub struct Ledger {
    pub policy: TenantPolicy,
    pub chats: BTreeMap<InteractionId, Chat>,
    pub agents: BTreeMap<AgentId, Agent>,
    calls: BTreeMap<InteractionId, Call>,
    written: BTreeSet<CommandId>,
    /// Interactions that are over.
    pub closed: BTreeSet<InteractionId>,
}

type Checked = Result<(), String>;

fn must(holds: bool, what: impl FnOnce() -> String) -> Checked {
    if holds { Ok(()) } else { Err(what()) }
}

impl Ledger {
    /// Takes one event in, or says what is wrong with it.
    pub fn note(&mut self, at: Timestamp, event: &Event) -> Checked {
        self.note_agents(event)?;
        self.note_offers(at, event)?;
        self.note_ways(at, event)?;
        self.note_words(event)?;
        self.note_ends(event)?;
        self.note_calls(event);
        Ok(())
    }

    fn agent(&mut self, id: &AgentId) -> &mut Agent {
        self.agents.entry(id.clone()).or_default()
    }

    fn chat(&mut self, id: InteractionId) -> Result<&mut Chat, String> {
        self.chats.get_mut(&id).ok_or_else(|| format!("nobody ever heard of {id}"))
    }

    fn note_agents(&mut self, event: &Event) -> Checked {
        match event {
            Event::Configured { policy } => self.policy = (**policy).clone(),
            Event::Resumed { .. } => self.agents.values_mut().for_each(|a| a.sessions.clear()),
            Event::AgentConnected { agent, session } => {
                self.agent(agent).sessions.insert(*session);
            }
            Event::AgentDisconnected { agent, session } => {
                self.agent(agent).sessions.remove(session);
            }
            Event::PresenceChanged { agent, presence, .. } => {
                self.agent(agent).presence = presence.clone();
                self.agent(agent).wishes = false;
            }
            Event::PresenceWished { agent, presence } => self.agent(agent).wishes = presence.is_some(),
            Event::AvailabilityChanged { agent, channels, queues } => {
                self.agent(agent).narrowed = channels.len() < 2 || queues.is_some();
            }
            _ => {}
        }
        Ok(())
    }

    fn note_offers(&mut self, at: Timestamp, event: &Event) -> Checked {
        match event {
            Event::ChatOffered { interaction, agent, offer, .. } => {
                self.is_at(*interaction, &At::Waiting, event)?;
                self.may_get(*interaction, agent, event)?;
                self.declines(*interaction, agent, at, event)?;
                self.chat(*interaction)?.at = At::Offered { to: agent.clone(), offer: *offer };
                self.agent(agent).offered = Some(*offer);
            }
            Event::OfferAccepted { interaction, agent, offer } => {
                let offered = At::Offered { to: agent.clone(), offer: *offer };
                self.is_at(*interaction, &offered, event)?;
                self.owned(*interaction, agent)?;
                self.activate(*interaction, agent, event)?;
                self.agent(agent).offered = None;
            }
            Event::OfferRejected { interaction, agent, offer }
            | Event::OfferMissed { interaction, agent, offer }
            | Event::OfferWithdrawn { interaction, agent, offer, .. } => {
                let offered = At::Offered { to: agent.clone(), offer: *offer };
                self.is_at(*interaction, &offered, event)?;
                let chat = self.chat(*interaction)?;
                chat.at = At::Waiting;
                // What a supervisor takes back goes to others first, as what was declined does.
                let withdrawn =
                    matches!(event, Event::OfferWithdrawn { why, .. } if *why != WithdrawnWhy::Supervisor);
                if !withdrawn {
                    chat.declined.insert(agent.clone(), at);
                }
                self.agent(agent).offered = None;
            }
            Event::TransferOffered { interaction, from, to, offer, warm, .. } => {
                self.is_at(*interaction, &At::Owned { by: from.clone(), ended: false }, event)?;
                self.may_get(*interaction, to, event)?;
                let chat = self.chat(*interaction)?;
                must(chat.transfer.is_none(), || format!("a second transfer: {event:?}"))?;
                chat.transfer = Some((to.clone(), *offer, *warm));
                self.agent(to).offered = Some(*offer);
            }
            Event::TransferAccepted { interaction, from, to, offer, warm } => {
                self.is_at(*interaction, &At::Owned { by: from.clone(), ended: false }, event)?;
                self.transfer_over(*interaction, (to, *offer), event)?;
                if *warm {
                    self.chat(*interaction)?.guests.insert(to.clone(), Guest::Consulted);
                } else {
                    self.let_go(*interaction, from);
                    self.owned(*interaction, to)?;
                    self.activate(*interaction, to, event)?;
                }
            }
            Event::TransferFailed { interaction, to, offer, .. } => {
                self.transfer_over(*interaction, (to, *offer), event)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn transfer_over(&mut self, id: InteractionId, to: (&AgentId, OfferId), event: &Event) -> Checked {
        let open = self.chat(id)?.transfer.take();
        let right = open.is_some_and(|(agent, offer, _)| (&agent, offer) == to);
        must(right, || format!("a transfer that does not stand: {event:?}"))?;
        self.agent(to.0).offered = None;
        Ok(())
    }

    /// How chats come, go from one to another, and overflow.
    fn note_ways(&mut self, at: Timestamp, event: &Event) -> Checked {
        match event {
            Event::ChatStarted { interaction, queue, skills, .. } => {
                let wants_skills = !skills.is_empty();
                let chat = Chat {
                    at: At::Waiting,
                    queue: Some(queue.clone()),
                    transfer: None,
                    guests: BTreeMap::new(),
                    left: BTreeSet::new(),
                    declined: BTreeMap::new(),
                    entered_at: at,
                    wants_skills,
                    ended: false,
                };
                let known = self.chats.insert(*interaction, chat);
                must(known.is_none(), || format!("{interaction} started twice"))?;
            }
            Event::ChatAssigned { interaction, agent, how, .. } => {
                self.is_at(*interaction, &At::Waiting, event)?;
                if *how == AssignedHow::Supervisor {
                    let open = !self.agent(agent).sessions.is_empty();
                    must(open, || format!("given to one who is not there: {event:?}"))?;
                } else {
                    self.may_get(*interaction, agent, event)?;
                }
                if *how == AssignedHow::Auto {
                    self.declines(*interaction, agent, at, event)?;
                }
                self.owned(*interaction, agent)?;
            }
            Event::DeclineForgotten { interaction, agent } => {
                let declined = self.chat(*interaction)?.declined.remove(agent).is_some();
                must(declined, || format!("nothing to forget: {event:?}"))?;
            }
            Event::ChatReturned { interaction, agent, why } => {
                self.is_at(*interaction, &At::Owned { by: agent.clone(), ended: false }, event)?;
                self.left_by_all(*interaction, event)?;
                self.let_go(*interaction, agent);
                let there = !self.agent(agent).sessions.is_empty();
                let chat = self.chat(*interaction)?;
                chat.at = At::Waiting;
                if *why != ReturnedWhy::Unopened {
                    chat.entered_at = at;
                }
                if *why == ReturnedWhy::Unopened && there || *why == ReturnedWhy::Supervisor {
                    chat.declined.insert(agent.clone(), at);
                }
            }
            Event::ChatTransferred { interaction, agent, to, .. } => {
                self.is_at(*interaction, &At::Owned { by: agent.clone(), ended: false }, event)?;
                self.left_by_all(*interaction, event)?;
                self.let_go(*interaction, agent);
                let chat = self.chat(*interaction)?;
                *chat = Chat { at: At::Waiting, queue: Some(to.clone()), entered_at: at, ..chat.clone() };
                chat.left.clear();
                // Whoever hands a chat on does not get it back at once.
                chat.declined = BTreeMap::from([(agent.clone(), at)]);
            }
            Event::ChatOverflowed { interaction, from, to, .. } => {
                self.is_at(*interaction, &At::Waiting, event)?;
                let chat = self.chat(*interaction)?;
                must(chat.queue.as_ref() == Some(from), || {
                    format!("out of a queue it is not in: {event:?}")
                })?;
                chat.left.insert(from.clone());
                let twice = to.as_ref().is_some_and(|to| chat.left.contains(to));
                must(!twice, || format!("into one queue twice: {event:?}"))?;
                match to {
                    Some(to) => (chat.queue, chat.entered_at) = (Some(to.clone()), at),
                    None => chat.at = At::Form,
                }
                chat.declined.clear();
            }
            Event::HandedOver { interaction, from, to } => {
                self.is_at(*interaction, &At::Owned { by: from.clone(), ended: false }, event)?;
                let joined = self.chat(*interaction)?.guests.remove(to).is_some();
                must(joined, || format!("handed to one who had not joined: {event:?}"))?;
                self.let_go(*interaction, from);
                self.owned(*interaction, to)?;
                self.activate(*interaction, to, event)?;
            }
            Event::GuestJoined { interaction, agent, guest } => {
                self.chat(*interaction)?.guests.insert(agent.clone(), *guest);
            }
            Event::GuestLeft { interaction, agent } => {
                let left = self.chat(*interaction)?.guests.remove(agent).is_some();
                must(left, || format!("left without having joined: {event:?}"))?;
            }
            Event::ItemActivated { interaction, agent, .. } => self.activate(*interaction, agent, event)?,
            Event::ItemParked { interaction, agent, .. } => {
                let active = self.agent(agent).active.take();
                must(active == Some(*interaction), || format!("parked, but not active: {event:?}"))?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Only the active chat's agent writes, or a guest; nobody after the end; each message once (B1, B10).
    fn note_words(&mut self, event: &Event) -> Checked {
        let (Event::MessageSent { interaction, message, from, agent, .. }
        | Event::FileSent { interaction, message, from, agent, .. }) = event
        else {
            if let Event::Whispered { interaction, message, agent, .. } = event {
                must(self.written.insert(message.clone()), || format!("written twice: {event:?}"))?;
                let chat = self.chat(*interaction)?;
                let there = matches!(&chat.at, At::Owned { by, .. } if by == agent)
                    || chat.guests.contains_key(agent);
                must(there, || format!("whispered by one who is not there: {event:?}"))?;
            }
            return Ok(());
        };
        must(self.written.insert(message.clone()), || format!("written twice: {event:?}"))?;
        let chat = self.chat(*interaction)?.clone();
        let may = match (from, agent) {
            (Side::Customer, _) => !chat.ended,
            (Side::Agent, Some(agent)) => {
                let owns = chat.at == At::Owned { by: agent.clone(), ended: false };
                owns && self.agent(agent).active == Some(*interaction) || chat.guests.contains_key(agent)
            }
            (Side::Agent, None) | (Side::System, _) => false,
        };
        must(may, || format!("written by one who may not: {event:?}"))
    }

    fn note_ends(&mut self, event: &Event) -> Checked {
        match event {
            Event::ChatEnded { interaction, .. } => {
                let chat = self.chat(*interaction)?;
                must(!chat.ended, || format!("ended twice: {event:?}"))?;
                let offered = chat.transfer.is_some() || matches!(chat.at, At::Offered { .. });
                must(!offered, || format!("ended under an offer: {event:?}"))?;
                chat.ended = true;
                if let At::Owned { ended, .. } = &mut chat.at {
                    *ended = true;
                }
                self.left_by_all(*interaction, event)?;
            }
            Event::WrapUpStarted { interaction, agent, .. } if self.calls.contains_key(interaction) => {
                let at = At::Owned { by: agent.clone(), ended: true };
                let chat = Chat {
                    at,
                    queue: None,
                    transfer: None,
                    guests: BTreeMap::new(),
                    left: BTreeSet::new(),
                    declined: BTreeMap::new(),
                    entered_at: Timestamp(0),
                    wants_skills: false,
                    ended: true,
                };
                self.chats.insert(*interaction, chat);
                self.activate(*interaction, agent, event)?;
            }
            Event::WrapUpStarted { interaction, agent, .. } => {
                self.is_at(*interaction, &At::Owned { by: agent.clone(), ended: true }, event)?;
            }
            Event::ChatReopened { interaction, agent } => {
                self.is_at(*interaction, &At::Owned { by: agent.clone(), ended: true }, event)?;
                let chat = self.chat(*interaction)?;
                (chat.at, chat.ended) = (At::Owned { by: agent.clone(), ended: false }, false);
            }
            Event::WrapUpCompleted { interaction, agent, .. } => {
                self.is_at(*interaction, &At::Owned { by: agent.clone(), ended: true }, event)?;
                self.let_go(*interaction, agent);
            }
            Event::InteractionClosed { interaction, .. } => {
                must(self.closed.insert(*interaction), || format!("closed twice: {event:?}"))?;
                if let Some(chat) = self.chats.remove(interaction) {
                    must(chat.ended, || format!("closed before its end: {event:?}"))?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn note_calls(&mut self, event: &Event) {
        match event {
            Event::CallRang { interaction, agents, .. } => {
                let holders = agents.iter().cloned().collect();
                self.calls.insert(*interaction, Call { holders });
            }
            Event::CallDialled { interaction, agent, .. }
            | Event::CallAnswered { interaction, agent, .. }
            | Event::CallTransferred { interaction, to: agent, .. } => {
                let holders = BTreeSet::from([agent.clone()]);
                self.calls.insert(*interaction, Call { holders });
            }
            Event::CallEnded { interaction, .. } => drop(self.calls.remove(interaction)),
            _ => {}
        }
    }

    fn is_at(&mut self, id: InteractionId, at: &At, event: &Event) -> Checked {
        let is = self.chat(id)?.at.clone();
        must(is == *at, || format!("{event:?}, but it is {is:?}"))
    }

    fn owned(&mut self, id: InteractionId, by: &AgentId) -> Checked {
        self.chat(id)?.at = At::Owned { by: by.clone(), ended: false };
        self.chat(id)?.declined.clear();
        Ok(())
    }

    fn let_go(&mut self, id: InteractionId, agent: &AgentId) {
        let agent = self.agent(agent);
        agent.active = agent.active.filter(|active| *active != id);
    }

    fn activate(&mut self, id: InteractionId, by: &AgentId, event: &Event) -> Checked {
        let owned = matches!(&self.chat(id)?.at, At::Owned { by: owner, .. } if owner == by);
        must(owned, || format!("active, but not owned: {event:?}"))?;
        let other = self.agent(by).active.replace(id).filter(|other| *other != id);
        must(other.is_none(), || format!("active beside {other:?}: {event:?}"))
    }

    /// Nobody is at a chat as a guest, or has it on offer, that is in nobody's hands.
    fn left_by_all(&mut self, id: InteractionId, event: &Event) -> Checked {
        let chat = self.chat(id)?;
        let left = chat.guests.is_empty() && chat.transfer.is_none();
        must(left, || format!("somebody is still there: {event:?}"))
    }

    /// Who declined a chat gets it again only after a pause (A9).
    fn declines(&mut self, id: InteractionId, agent: &AgentId, at: Timestamp, event: &Event) -> Checked {
        let chat = self.chat(id)?.clone();
        let rules = chat.queue.as_ref().and_then(|queue| self.policy.queues.get(queue));
        let pause = rules.map(|queue| queue.retry_decliner_after).unwrap_or_default();
        let declined = chat.declined.get(agent).copied();
        // Settings may have changed the pause meanwhile; any pause at all shows that it was remembered.
        let soon = declined.is_some_and(|declined| at.since(declined).0 < pause.0.min(5_000));
        must(!soon, || format!("offered again at once to one who declined: {event:?}"))
    }

    /// A5: only Available, connected, without another offer, serving the queue, within capacity.
    fn may_get(&mut self, id: InteractionId, agent: &AgentId, event: &Event) -> Checked {
        let chat = self.chat(id)?.clone();
        let state = self.agent(agent).clone();
        let there = state.presence == Presence::Available && !state.sessions.is_empty();
        must(there, || format!("{state:?} is not there: {event:?}"))?;
        // Who takes a chat may do so while another one is offered.
        let takes = matches!(event, Event::ChatAssigned { how: AssignedHow::Taken, .. });
        must(takes || state.offered.is_none(), || format!("a second offer at once: {event:?}"))?;
        let Some(policy) = self.policy.agents.get(agent) else {
            return Err(format!("not in the settings: {event:?}"));
        };
        if !matches!(event, Event::TransferOffered { .. }) {
            let serves = chat.queue.as_ref().is_some_and(|queue| policy.queues.contains(queue));
            must(serves, || format!("not of the agent's queues: {event:?}"))?;
        }
        let (units, hand) = (self.units(&chat), self.units_of(agent));
        let capacity = policy.chat_capacity;
        must(hand + units <= capacity, || format!("{units} on top of {hand}, of {capacity}: {event:?}"))
    }

    fn units(&self, chat: &Chat) -> u32 {
        chat.queue.as_ref().and_then(|queue| self.policy.queues.get(queue)).map_or(1, |q| q.units)
    }

    /// Units in hand: owned, under offer, and joined to be handed over.
    fn units_of(&self, agent: &AgentId) -> u32 {
        let holds = |chat: &&Chat| {
            let offered = chat.transfer.as_ref().is_some_and(|(to, _, _)| to == agent);
            let consulted = chat.guests.get(agent) == Some(&Guest::Consulted);
            let has = match &chat.at {
                At::Offered { to, .. } => to == agent,
                At::Owned { by, .. } => by == agent,
                At::Waiting | At::Form => false,
            };
            offered || consulted || has
        };
        self.chats.values().filter(holds).map(|chat| self.units(chat)).sum()
    }

    /// A chat that waits though an agent has nothing in hand and could serve it at once (A11).
    pub fn forgotten(&self) -> Option<(InteractionId, String)> {
        let idle = |id: &AgentId, agent: &Agent| {
            agent.presence == Presence::Available
                && !agent.wishes
                && !agent.narrowed
                && !agent.sessions.is_empty()
                && agent.offered.is_none()
                && self.units_of(id) == 0
                && !self.calls.values().any(|call| call.holders.contains(id))
        };
        let waiting = self.chats.iter().filter(|(_, chat)| chat.at == At::Waiting && !chat.wants_skills);
        for (id, chat) in waiting {
            let Some(queue) = &chat.queue else { continue };
            let Some(rules) = self.policy.queues.get(queue) else { continue };
            if rules.delivery == tieline_model::policy::Delivery::Pull || !rules.skills.is_empty() {
                continue;
            }
            let free = self.agents.iter().find(|(agent, state)| {
                let serves = self.policy.agents.get(*agent).is_some_and(|p| p.queues.contains(queue));
                serves && !chat.declined.contains_key(*agent) && idle(agent, state)
            });
            if let Some((agent, _)) = free {
                return Some((*id, format!("{id} waits in {queue} though {agent} is idle")));
            }
        }
        None
    }
}
