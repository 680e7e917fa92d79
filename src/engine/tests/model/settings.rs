//! Settings of a contact centre, drawn, and how they change while people work.

use crate::script::{AGENTS, Dice, QUEUES, agent, connection, queue, schedule, skill};
use std::collections::{BTreeMap, BTreeSet};
use tieline_model::crm::{Channel, ConnectionInfo};
use tieline_model::policy::{
    After, AfterCall, AgentPolicy, Attachments, CallLogs, Classification, Delivery, Escalate, FullLimit,
    Inactivity, InactivityMode, Lease, OfferWhen, Overflow, OverflowTo, ParkOn, QueuePolicy, Strategy,
    Targets, TenantPolicy, TransferUnavailable, WaitLimit, WrapUp,
};
use tieline_model::{Millis, QueueId};

pub fn draw(dice: &mut Dice) -> TenantPolicy {
    let mut policy = TenantPolicy::default();
    // Half of the centres are simple ones, so that what is simple is gone through deeply.
    let plain = dice.one_in(2);
    for n in 0..QUEUES.len() as u8 {
        policy.queues.insert(queue(n), draw_queue(dice, n, plain));
    }
    for n in 0..AGENTS.len() as u8 {
        policy.agents.insert(agent(n), draw_agent(dice, n));
    }
    policy.connections = vec![ConnectionInfo {
        id: connection(true),
        vendor: "salesforce".to_owned(),
        name: "CRM".to_owned(),
    }];
    policy.break_reasons = if dice.one_in(4) { Vec::new() } else { vec!["lunch".to_owned()] };
    policy.ageing = dice.one_in(3).then(|| Millis::secs(20));
    policy.lease = dice.of(&[
        Lease::default(),
        Lease::default(),
        Lease { grace: Millis::secs(5), lost_after: Millis::secs(15) },
        Lease { grace: Millis::secs(40), lost_after: Millis::secs(30) },
    ]);
    policy.calls.park_on = dice.of(&[ParkOn::Answered, ParkOn::Ringing]);
    policy.calls.log = dice.of(&[CallLogs::Answered, CallLogs::All, CallLogs::None]);
    policy.calls.after_call = dice.of(&[AfterCall::ResumeWrapUp, AfterCall::ResumeLast]);
    policy.calls.wrap_up = dice.one_in(2).then(|| draw_wrap_up(dice));
    policy.calls.longest = (!dice.one_in(3)).then(|| Millis::secs(150));
    policy.calls.classification = draw_classification(dice);
    policy
}

fn draw_wrap_up(dice: &mut Dice) -> WrapUp {
    WrapUp {
        time: if dice.one_in(5) { None } else { Some(Millis::secs(20 + dice.below(60))) },
        extensions: dice.below(3) as u32,
        extension: Millis::secs(30),
        max: if dice.one_in(3) { None } else { Some(Millis::secs(60 + dice.below(120))) },
    }
}

fn draw_classification(dice: &mut Dice) -> Classification {
    Classification {
        codes: if dice.one_in(4) { Vec::new() } else { vec!["sale".to_owned(), "fault".to_owned()] },
        several: dice.one_in(2),
        mandatory: dice.one_in(2),
    }
}

fn draw_overflow(dice: &mut Dice) -> OverflowTo {
    match dice.below(4) {
        0 => OverflowTo::Wait,
        1 => OverflowTo::OfflineForm,
        n => OverflowTo::Queue { queue: queue((n + dice.below(2)) as u8) },
    }
}

fn draw_queue(dice: &mut Dice, n: u8, plain: bool) -> QueuePolicy {
    let base = QueuePolicy::named(QUEUES[n as usize]);
    let ways = [Delivery::Offer, Delivery::Offer, Delivery::Auto, Delivery::Pull];
    let queue = QueuePolicy {
        delivery: if n == 0 { Delivery::Offer } else { dice.of(&ways) },
        priority: dice.below(3) as i32,
        after_reject: dice.of(&[After::OnBreak, After::Stay]),
        after_miss: dice.of(&[After::OnBreak, After::Stay]),
        offer_when: dice.of(&[OfferWhen::AllParked, OfferWhen::BelowCapacity, OfferWhen::Idle]),
        strategy: dice.of(&[Strategy::LongestIdle, Strategy::LeastLoaded, Strategy::Sticky]),
        retry_decliner_after: Millis::secs(dice.of(&[0, 5, 30])),
        wrap_up: draw_wrap_up(dice),
        classification: draw_classification(dice),
        inactivity: Inactivity {
            mode: dice.of(&[InactivityMode::Off, InactivityMode::Suggest, InactivityMode::Auto]),
            nudge_after: Millis::secs(30),
            end_after: Millis::secs(20),
        },
        transfer_unavailable: dice.of(&[
            TransferUnavailable::Ask,
            TransferUnavailable::Refuse,
            TransferUnavailable::Allow,
        ]),
        reopen_within: Millis::secs(dice.of(&[0, 60, 600])),
        escalate: Escalate {
            after: (!dice.one_in(3)).then(|| Millis::secs(100)),
            unanswered: (!dice.one_in(3)).then(|| Millis::secs(45)),
            update_after: (!dice.one_in(3)).then(|| Millis::secs(25)),
        },
        targets: Targets { connect: Millis::secs(10), reply: Millis::secs(15) },
        log_abandoned: dice.one_in(2),
        block_abusive: dice.one_in(2),
        ..base
    };
    if plain { queue } else { draw_more(dice, queue) }
}

/// What few queues have.
fn draw_more(dice: &mut Dice, base: QueuePolicy) -> QueuePolicy {
    let mut queue = QueuePolicy { units: dice.of(&[1, 1, 2]), ..base };
    if dice.one_in(3) {
        queue.skills.insert(skill(0), dice.below(4) as u8 + 1);
    }
    if dice.one_in(4) {
        queue.skills.insert(skill(1), dice.below(3) as u8 + 1);
    }
    queue.relax_after = dice.one_in(2).then(|| Millis::secs(25));
    queue.hours = dice.one_in(3).then(schedule);
    queue.overflow = Overflow {
        closed: draw_overflow(dice),
        unstaffed: if dice.one_in(2) { OverflowTo::Wait } else { draw_overflow(dice) },
        waited: dice.one_in(3).then(|| WaitLimit { after: Millis::secs(50), then: draw_overflow(dice) }),
        full: dice.one_in(3).then(|| FullLimit { chats: dice.below(3) as u32, then: draw_overflow(dice) }),
    };
    queue.may_interrupt = match dice.below(6) {
        0 => BTreeSet::from([Channel::Chat]),
        1 => BTreeSet::from([Channel::Call]),
        2 => BTreeSet::from([Channel::Chat, Channel::Call]),
        _ => BTreeSet::new(),
    };
    if dice.one_in(4) {
        queue.attachments =
            Attachments { from_customer: dice.one_in(2), from_agent: dice.one_in(2), ..queue.attachments };
    }
    if dice.one_in(6) {
        queue.wording.nudge.clear();
    }
    if dice.one_in(6) {
        queue.wording.closing.clear();
        queue.wording.transferred.clear();
    }
    if dice.one_in(6) {
        queue.wording.overflowed.clear();
        queue.wording.offline.clear();
        queue.wording.agent_lost.clear();
    }
    queue
}

fn draw_agent(dice: &mut Dice, n: u8) -> AgentPolicy {
    let levels: [Option<u8>; 5] = [None, Some(1), Some(2), Some(3), Some(5)];
    let mut skills = BTreeMap::new();
    for s in 0..2 {
        skills.extend(dice.of(&levels).map(|level| (skill(s), level)));
    }
    let queues: BTreeSet<QueueId> = (0..3).filter(|_| !dice.one_in(4)).map(queue).collect();
    AgentPolicy {
        name: AGENTS[n as usize].to_owned(),
        queues,
        extension: (n == 1).then(|| "4711".to_owned()),
        may_reject: !dice.one_in(4),
        supervisor: n == 2 || dice.one_in(4),
        chat_capacity: 1 + dice.below(4) as u32,
        crm_users: BTreeMap::new(),
        skills,
    }
}

/// Settings change while people work.
pub fn alter(policy: &mut TenantPolicy, change: u8) {
    match change {
        0 => drop(policy.agents.remove(&agent(2))),
        1 => drop(policy.queues.remove(&queue(2))),
        5 => drop(policy.agents.get_mut(&agent(0)).map(|a| a.queues.remove(&queue(0)))),
        6 => {
            policy.agents.remove(&agent(0));
            policy.agents.remove(&agent(1));
        }
        7 => policy.agents.values_mut().for_each(|a| a.chat_capacity = 1),
        8 => policy.calls.wrap_up = None,
        9 => policy.ageing = None,
        2..=4 | 10..=11 => {
            let Some(quick) = policy.queues.get_mut(&queue(1)) else { return };
            match change {
                2 => quick.priority += 1,
                3 => quick.delivery = Delivery::Pull,
                4 => quick.delivery = Delivery::Offer,
                10 => {
                    quick.hours = Some(schedule());
                    quick.inactivity.mode = InactivityMode::Off;
                }
                _ => {
                    quick.skills.insert(skill(0), 2);
                    quick.relax_after = Some(Millis::secs(5));
                }
            }
        }
        _ => {
            for n in 0..3 {
                let whole = AgentPolicy {
                    name: AGENTS[n as usize].to_owned(),
                    queues: policy.queues.keys().cloned().collect(),
                    extension: None,
                    may_reject: true,
                    supervisor: n == 2,
                    chat_capacity: 2,
                    crm_users: BTreeMap::new(),
                    skills: BTreeMap::from([(skill(0), n + 1)]),
                };
                policy.agents.entry(agent(n)).or_insert(whole);
            }
        }
    }
}
