//! The contact centre of a seed: queues of every kind, agents of different skill and capacity. Each seed has its own
//! ways of working, and settings change while it runs.

use super::chance::Chance;
use std::collections::{BTreeMap, BTreeSet};
use tieline_model::crm::{Channel, ConnectionInfo};
use tieline_model::policy::{
    After, AfterCall, AgentPolicy, CallLogs, Delivery, Escalate, FullLimit, Inactivity, InactivityMode,
    OfferWhen, OverflowTo, ParkOn, QueuePolicy, Strategy, TenantPolicy, TransferUnavailable, WaitLimit,
    WrapUp,
};
use tieline_model::{AgentId, ConnectionId, Millis, QueueId, ScheduleId, SkillId};

/// The last one is the supervisor, who takes chats too.
pub const AGENTS: [&str; 4] = ["anna", "ben", "cleo", "dora"];
/// Offered; straight into the inbox; to be taken; by hours and limits; by skills.
pub const QUEUES: [&str; 5] = ["desk", "quick", "shelf", "day", "expert"];
pub const SKILLS: [&str; 2] = ["welsh", "pumps"];
pub const CODES: [&str; 3] = ["sale", "fault / pump", "fault / pipe"];

pub fn agent_id(name: &str) -> AgentId {
    AgentId::new(name).unwrap()
}

pub fn queue_id(name: &str) -> QueueId {
    QueueId::new(name).unwrap()
}

pub fn skill_id(name: &str) -> SkillId {
    SkillId::new(name).unwrap()
}

/// The one schedule there is.
pub fn office_hours() -> ScheduleId {
    ScheduleId::new("office").unwrap()
}

/// Two CRMs, each with its own luck.
pub fn connections() -> [ConnectionId; 2] {
    ["paper", "stone"].map(|id| ConnectionId::new(id).unwrap())
}

/// Settings as a version of them says.
pub fn policy(chance: &Chance, version: u64) -> TenantPolicy {
    let dice = chance.of(&format!("settings {version}"));
    let mut policy = TenantPolicy::default();
    for name in QUEUES {
        policy.queues.insert(queue_id(name), queue(name, &dice));
    }
    for name in AGENTS {
        policy.agents.insert(agent_id(name), agent(name, &dice));
    }
    let info = |id: ConnectionId| ConnectionInfo { vendor: "paper".to_owned(), name: id.to_string(), id };
    policy.connections = connections().map(info).to_vec();
    policy.ageing = dice.one_in(2).then_some(Millis::secs(30));
    policy.lease.grace = Millis::secs(4);
    policy.lease.lost_after = Millis::secs(15);
    policy.calls.park_on = either(&dice, ParkOn::Answered, ParkOn::Ringing);
    policy.calls.after_call = either(&dice, AfterCall::ResumeWrapUp, AfterCall::ResumeLast);
    policy.calls.log = either(&dice, CallLogs::Answered, CallLogs::All);
    policy.calls.wrap_up = dice.one_in(2).then(|| wrap_up(&dice));
    policy.calls.classification.codes = CODES.map(str::to_owned).to_vec();
    policy
}

fn either<T>(dice: &Chance, one: T, other: T) -> T {
    if dice.one_in(2) { one } else { other }
}

fn wrap_up(dice: &Chance) -> WrapUp {
    WrapUp {
        time: (!dice.one_in(5)).then(|| Millis::secs(10 + dice.below(20))),
        extensions: 2,
        extension: Millis::secs(10 + dice.below(20)),
        max: Some(Millis::secs(40 + dice.below(60))),
    }
}

fn agent(name: &str, dice: &Chance) -> AgentPolicy {
    // Everybody serves most queues; somebody always serves each, the supervisor all.
    let supervisor = name == AGENTS[3];
    let queues = QUEUES.iter().filter(|_| supervisor || !dice.one_in(4)).map(|q| queue_id(q)).collect();
    let skills = SKILLS.iter().filter_map(|skill| {
        let level = if supervisor { 3 } else { u8::try_from(dice.below(4)).unwrap() };
        (level > 0).then(|| (skill_id(skill), level))
    });
    AgentPolicy {
        name: name.to_owned(),
        queues,
        extension: (name == AGENTS[0]).then(|| "101".to_owned()),
        may_reject: supervisor || !dice.one_in(4),
        supervisor,
        // The largest chat takes two units.
        chat_capacity: 2 + u32::try_from(dice.below(3)).unwrap(),
        crm_users: BTreeMap::new(),
        skills: skills.collect(),
    }
}

fn queue(name: &str, dice: &Chance) -> QueuePolicy {
    let mut queue = QueuePolicy::named(name);
    queue.delivery = match name {
        "quick" => Delivery::Auto,
        "shelf" => Delivery::Pull,
        _ => either(dice, Delivery::Offer, Delivery::Auto),
    };
    queue.priority = i32::try_from(dice.below(3)).unwrap();
    queue.offer_when = match dice.below(4) {
        0 => OfferWhen::AllParked,
        1 => OfferWhen::Idle,
        _ => OfferWhen::BelowCapacity,
    };
    queue.strategy = match dice.below(3) {
        0 => Strategy::LongestIdle,
        1 => Strategy::LeastLoaded,
        _ => Strategy::Sticky,
    };
    queue.accept_within = Millis::secs(6 + dice.below(8));
    queue.unopened_after = Millis::secs(8 + dice.below(14));
    queue.after_reject = either(dice, After::OnBreak, After::Stay);
    queue.after_miss = either(dice, After::OnBreak, After::Stay);
    queue.retry_decliner_after = Millis::secs(5 + dice.below(20));
    // What nobody has, a chat must in the end do without.
    queue.relax_after = Some(Millis::secs(8));
    queue.may_interrupt = match dice.below(6) {
        0 => BTreeSet::from([Channel::Chat]),
        1 => BTreeSet::from([Channel::Call]),
        _ => BTreeSet::new(),
    };
    queue.wrap_up = wrap_up(dice);
    queue.classification.codes = CODES.map(str::to_owned).to_vec();
    queue.classification.mandatory = dice.one_in(3);
    queue.classification.several = dice.one_in(3);
    let mode = match dice.below(3) {
        0 => InactivityMode::Off,
        1 => InactivityMode::Suggest,
        _ => InactivityMode::Auto,
    };
    queue.inactivity =
        Inactivity { mode, nudge_after: Millis::secs(10), end_after: Millis::secs(8 + dice.below(8)) };
    let (after, unanswered) = (Some(Millis::secs(40)), Some(Millis::secs(15)));
    queue.escalate = Escalate { after, unanswered, update_after: Some(Millis::secs(12)) };
    queue.transfer_unavailable = match dice.below(3) {
        0 => TransferUnavailable::Ask,
        1 => TransferUnavailable::Refuse,
        _ => TransferUnavailable::Allow,
    };
    queue.reopen_within = Millis::secs(10 + dice.below(40));
    queue.log_abandoned = dice.one_in(3);
    queue.block_abusive = dice.one_in(2);
    overflows(name, &mut queue, dice);
    queue
}

/// Where chats go that a queue cannot serve. The chains have loops in them on purpose.
fn overflows(name: &str, queue: &mut QueuePolicy, dice: &Chance) {
    let to = |name: &str| OverflowTo::Queue { queue: queue_id(name) };
    let somewhere = |dice: &Chance, other: &str| match dice.below(3) {
        0 => OverflowTo::OfflineForm,
        1 => OverflowTo::Wait,
        _ => to(other),
    };
    match name {
        "day" => {
            queue.hours = Some(office_hours());
            queue.overflow.closed = somewhere(dice, "desk");
            queue.overflow.unstaffed = somewhere(dice, "expert");
            let (after, then) = (Millis::secs(20 + dice.below(20)), to("quick"));
            queue.overflow.waited = dice.one_in(2).then_some(WaitLimit { after, then });
            queue.overflow.full = dice.one_in(2).then(|| FullLimit { chats: 1, then: to("desk") });
        }
        "expert" => {
            queue.units = 2;
            queue.skills = BTreeMap::from([(skill_id(SKILLS[0]), 1 + u8::try_from(dice.below(3)).unwrap())]);
            let (after, then) = (Millis::secs(25), somewhere(dice, "day"));
            queue.overflow.waited = dice.one_in(2).then_some(WaitLimit { after, then });
        }
        "desk" => {
            queue.overflow.unstaffed = if dice.one_in(3) { to("day") } else { OverflowTo::Wait };
            queue.overflow.full = dice.one_in(3).then(|| FullLimit { chats: 2, then: to("day") });
        }
        _ => {}
    }
}
