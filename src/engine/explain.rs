//! Why a chat is where it is (A16): the same questions that routing asks, answered with names and numbers. Reads the
//! state and decides nothing.

use crate::index::{RuledOut, proficiency};
use crate::state::{Agent, Chat, Engine, Offer, OfferFate, Stage, Talk};
use tieline_model::command::Presence;
use tieline_model::crm::Channel;
use tieline_model::event::TransferFailed;
use tieline_model::explain::{
    Considered, EarlierOffer, Explanation, Fate, Given, Next, NextStep, OpenOffer, RuledOut as Because,
    Standing, Waiting,
};
use tieline_model::live::Place;
use tieline_model::policy::{AgentPolicy, Delivery, OfferWhen, QueuePolicy};
use tieline_model::{AgentId, InteractionId, QueueId, Timestamp};

/// Agents listed for one waiting chat.
const CONSIDERED_MAX: usize = 200;

impl Engine {
    /// Why a chat is where it is; `None` when there is no open chat of this id (A16).
    #[must_use]
    pub fn explain(&self, now: Timestamp, id: InteractionId) -> Option<Explanation> {
        let chat = self.chats.get(&id)?;
        let earlier = chat.past_offers.iter().map(|(_, agent, fate)| EarlierOffer {
            agent: agent.clone(),
            fate: match fate {
                OfferFate::Accepted => Fate::Accepted,
                OfferFate::Rejected | OfferFate::Kept { failed: TransferFailed::Rejected } => Fate::Rejected,
                OfferFate::Missed | OfferFate::Kept { failed: TransferFailed::Missed } => Fate::Missed,
                OfferFate::Withdrawn | OfferFate::Kept { failed: TransferFailed::Withdrawn { .. } } => {
                    Fate::Withdrawn
                }
            },
        });
        Some(Explanation {
            interaction: id,
            at: now,
            queue: chat.queue.clone(),
            started_at: chat.started_at,
            entered_at: chat.entered_at,
            earlier: earlier.collect(),
            standing: self.standing(chat)?,
        })
    }

    fn standing(&self, chat: &Chat) -> Option<Standing> {
        Some(match &chat.stage {
            Stage::Waiting => Standing::Waiting(Box::new(self.why_waiting(chat)?)),
            Stage::Offered(offer) => Standing::Offered(self.given(chat, &offer.agent, Some(offer))),
            Stage::Owned { agent, place, talk } => Standing::Owned {
                given: self.given(chat, agent, None),
                place: *place,
                wrap_up: matches!(talk, Talk::WrapUp { .. }),
                answered_at: chat.answered_at,
                transfer: chat.transfer.as_ref().map(|t| self.given(chat, &t.offer.agent, Some(&t.offer))),
            },
            Stage::Form { deadline } => Standing::OfflineForm { deadline: *deadline },
        })
    }

    fn why_waiting(&self, chat: &Chat) -> Option<Waiting> {
        let queue = chat.queue.as_ref()?;
        let rules = chat.rules()?;
        let serving = |(_, policy): &(&AgentId, &AgentPolicy)| policy.queues.contains(queue);
        let at_work = |id: &AgentId| self.agent_state(id).presence != Presence::Offline;
        let serves = || self.policy.agents.iter().filter(serving);
        let first = serves().filter(|(id, _)| at_work(id));
        let then = serves().filter(|(id, _)| !at_work(id));
        let considered: Vec<Considered> = first
            .chain(then)
            .take(CONSIDERED_MAX)
            .map(|(agent, policy)| Considered {
                agent: agent.clone(),
                ruled_out: self.against(chat, queue, rules, agent, policy),
            })
            .collect();
        let more = serves().count() - considered.len();
        Some(Waiting {
            delivery: rules.delivery,
            position: self.position(chat.id)?,
            in_line: self.in_line(queue),
            ahead: chat.ahead,
            expected_wait: self.expected_wait(chat.id),
            needs: chat.needs(),
            relaxed: chat.relaxed,
            preferred: chat.preferred.clone(),
            open: self.is_open(rules),
            staff: self.staff(queue),
            next: self.next_steps(chat, rules),
            considered,
            more: u32::try_from(more).unwrap_or(u32::MAX),
        })
    }

    fn next_steps(&self, chat: &Chat, rules: &QueuePolicy) -> Vec<Next> {
        let relaxes = chat.relaxes_at(rules).map(|at| Next { at, what: NextStep::NeedsLess });
        let overflows = chat.wait_limit(rules).zip(rules.overflow.waited.as_ref());
        let overflows =
            overflows.map(|(at, limit)| Next { at, what: NextStep::Overflows { to: limit.then.clone() } });
        let again = chat
            .declined
            .iter()
            .map(|(agent, until)| Next { at: *until, what: NextStep::AsksAgain { agent: agent.clone() } });
        let turned = rules.hours.as_ref().and_then(|schedule| self.turned.get(schedule));
        let turns = turned.and_then(|turned| {
            let what = if turned.open { NextStep::Closes } else { NextStep::Opens };
            Some(Next { at: turned.next?, what })
        });
        let mut next: Vec<Next> = relaxes.into_iter().chain(overflows).chain(turns).chain(again).collect();
        next.sort_by_key(|next| next.at);
        next
    }

    /// The first reason that keeps an agent from a waiting chat.
    fn against(
        &self,
        chat: &Chat,
        queue: &QueueId,
        rules: &QueuePolicy,
        id: &AgentId,
        policy: &AgentPolicy,
    ) -> Option<Because> {
        let agent = self.agent_state(id);
        let load = self.units_in_hand(&agent);
        if let Some(reason) = self.ruled_out(&agent, policy, queue, rules, load) {
            return self.in_numbers(reason, &agent, policy, rules, load);
        }
        let needs = chat.needs();
        let lacking = needs.iter().find_map(|(skill, needs)| {
            let (skill, needs) = (skill.clone(), *needs);
            match policy.skills.get(&skill) {
                None => Some(Because::SkillMissing { skill, needs }),
                Some(has) => (*has < needs).then_some(Because::SkillTooLow { skill, has: *has, needs }),
            }
        });
        lacking.or_else(|| chat.declined.get(id).map(|until| Because::Declined { until: *until }))
    }

    /// A reason with what it was found by. Never `None`: what the reason names is there, or it would not hold.
    fn in_numbers(
        &self,
        reason: RuledOut,
        agent: &Agent,
        policy: &AgentPolicy,
        rules: &QueuePolicy,
        load: u32,
    ) -> Option<Because> {
        Some(match reason {
            RuledOut::Presence => Because::Presence { presence: agent.presence.clone() },
            RuledOut::NotConnected => Because::NotConnected { lost_at: agent.gone.map(|gone| gone.lost) },
            RuledOut::Wish => Because::Wish { presence: agent.wish.clone()? },
            RuledOut::NotAvailableHere if agent.channels.contains(&Channel::Chat) => Because::NotThisQueue,
            RuledOut::NotAvailableHere => Because::NoChats,
            RuledOut::UnderOffer => Because::UnderOffer { interaction: agent.offered? },
            RuledOut::OnCall => {
                Because::OnCall { interaction: agent.talking.or_else(|| agent.calls.first().copied())? }
            }
            RuledOut::AtCapacity => {
                Because::AtCapacity { in_hand: load, takes: rules.units, capacity: policy.chat_capacity }
            }
            RuledOut::AtWork => {
                let offer_when = rules.offer_when;
                Because::AtWork { offer_when, interaction: self.in_the_way(agent, offer_when)? }
            }
        })
    }

    /// An item that keeps its agent from a further chat.
    fn in_the_way(&self, agent: &Agent, when: OfferWhen) -> Option<InteractionId> {
        match when {
            OfferWhen::BelowCapacity => None,
            OfferWhen::Idle => agent.active.or_else(|| agent.inbox.first().copied()),
            OfferWhen::AllParked => {
                let mut inbox = agent.inbox.iter().copied();
                agent.active.or_else(|| inbox.find(|id| self.place(*id) != Some(Place::Parked)))
            }
        }
    }

    fn given(&self, chat: &Chat, id: &AgentId, offer: Option<&Offer>) -> Given {
        let agent = self.agent_state(id);
        let policy = self.policy.agents.get(id);
        let rules = chat.rules();
        Given {
            agent: id.clone(),
            offer: offer.map(|o| OpenOffer { offer: o.id, at: o.at, deadline: o.deadline }),
            strategy: rules.filter(|rules| rules.delivery != Delivery::Pull).map(|rules| rules.strategy),
            preferred: chat.preferred.as_ref() == Some(id),
            skill: policy.and_then(|policy| proficiency(policy, &chat.needs())),
            load: self.units_in_hand(&agent),
            capacity: policy.map_or(0, |policy| policy.chat_capacity),
            idle_since: agent.idle_since,
        }
    }
}
