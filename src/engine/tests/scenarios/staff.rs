//! What scripts about routing, hours and supervisors say again and again.

use crate::centre::*;
use std::collections::{BTreeMap, BTreeSet};
use tieline_model::command::{Open, Presence, SupervisorAct, TransferTo};
use tieline_model::content::ContentRef;
use tieline_model::crm::Channel;
use tieline_model::explain::{Explanation, RuledOut, Standing, Waiting};
use tieline_model::policy::{OverflowTo, QueuePolicy, TenantPolicy};
use tieline_model::{
    Actor, AgentId, ContentId, ConversationId, Mark, Millis, ScheduleId, SessionId, SkillId, Timestamp, Wish,
};
use uuid::Uuid;

pub const NOTHING: [&str; 0] = [];

pub fn skill(name: &str) -> SkillId {
    SkillId::new(name).unwrap()
}

pub fn schedule(name: &str) -> ScheduleId {
    ScheduleId::new(name).unwrap()
}

/// Another queue like "support", served by nobody yet.
pub fn adds_queue<'a>(policy: &'a mut TenantPolicy, name: &str) -> &'a mut QueuePolicy {
    let like = support(policy).clone();
    policy.queues.entry(queue(name)).or_insert(like)
}

/// Another agent, or the same with other queues.
pub fn adds_agent(policy: &mut TenantPolicy, name: &str, queues: &[&str]) {
    policy.agents.insert(agent(name), serving(queues));
}

pub fn can(policy: &mut TenantPolicy, name: &str, skills: &[(&str, u8)]) {
    of(policy, name).skills = skills.iter().map(|(s, level)| (skill(s), *level)).collect();
}

pub fn needs(skills: &[(&str, u8)]) -> BTreeMap<SkillId, u8> {
    skills.iter().map(|(s, level)| (skill(s), *level)).collect()
}

pub fn to_queue(name: &str) -> OverflowTo {
    OverflowTo::Queue { queue: queue(name) }
}

/// Comes to work.
pub fn arrives(c: &mut Centre, name: &str) {
    connects_at(c, name, 1);
    c.agent(name).goes(Presence::Available);
}

pub fn session(name: &str, n: u128) -> SessionId {
    let of_name = name.bytes().fold(7, |sum: u128, b| sum * 31 + u128::from(b));
    SessionId(Uuid::from_u128(of_name * 10 + n))
}

/// Opens one of several panels.
pub fn connects_at(c: &mut Centre, name: &str, n: u128) {
    c.agent(name).wishes(Wish::Connect { session: session(name, n) });
}

pub fn disconnects_at(c: &mut Centre, name: &str, n: u128) {
    let wish = Wish::Disconnect { agent: agent(name), session: session(name, n) };
    c.does(Actor::Daemon, wish);
}

pub fn available_for(c: &mut Centre, name: &str, channels: &[Channel], queues: Option<&[&str]>) {
    let channels = channels.iter().copied().collect();
    let queues = queues.map(|queues| queues.iter().map(|q| queue(q)).collect());
    c.agent(name).wishes(Wish::SetAvailability { channels, queues });
}

/// What a visitor may bring along.
#[derive(Default)]
pub struct With<'a> {
    pub skills: &'a [&'a str],
    pub marks: &'a [&'a str],
}

pub fn starts_with(c: &mut Centre, n: u128, name: &str, with: &With<'_>) {
    wishes_chat(c.customer(n), n, name, with);
}

pub fn wishes_chat(by: By<'_>, n: u128, name: &str, with: &With<'_>) {
    by.wishes(chat_wish(n, name, with));
}

pub fn chat_wish(n: u128, name: &str, with: &With<'_>) -> Wish {
    Wish::StartChat {
        interaction: chat(n),
        conversation: ConversationId(Uuid::from_u128(1_000 + n)),
        queue: queue(name),
        person: ContentRef { id: ContentId(Uuid::from_u128(2_000 + n)), chars: 0, bytes: 0 },
        skills: with.skills.iter().map(|s| skill(s)).collect(),
        marks: with.marks.iter().map(|m| Mark::new(m).unwrap()).collect(),
        previous: None,
    }
}

pub fn returns(by: By<'_>, n: u128, fresh: u128) {
    by.wishes(Wish::ReturnToChat { interaction: chat(n), fresh: chat(fresh) });
}

pub fn transfers(by: By<'_>, n: u128, to: TransferTo) {
    by.wishes(Wish::Transfer { interaction: chat(n), to, note: None, confirmed: false });
}

pub fn to_agent(name: &str, warm: bool) -> TransferTo {
    TransferTo::Agent { agent: agent(name), warm }
}

pub fn acts(by: By<'_>, act: SupervisorAct) {
    by.wishes(Wish::Supervise { act, reason: "because".to_owned() });
}

pub fn assign(n: u128, name: &str) -> SupervisorAct {
    SupervisorAct::Assign { interaction: chat(n), agent: agent(name) }
}

pub fn set(name: &str, presence: Presence) -> SupervisorAct {
    SupervisorAct::SetPresence { agent: agent(name), presence }
}

/// Opening hours in seconds from now.
pub fn hours(c: &Centre, stretches: &[(u64, u64)]) -> Vec<Open> {
    let at = |secs: u64| c.now + Millis::secs(secs);
    stretches.iter().map(|(from, until)| Open { from: at(*from), until: at(*until) }).collect()
}

pub fn sets_hours(c: &mut Centre, name: &str, stretches: &[(u64, u64)]) {
    let hours = BTreeMap::from([(schedule(name), hours(c, stretches))]);
    c.does(Actor::Daemon, Wish::SetHours { hours });
}

pub fn explained(c: &Centre, n: u128) -> Explanation {
    c.engine.explain(c.now, chat(n)).expect("the chat is open")
}

pub fn waits(c: &Centre, n: u128) -> Waiting {
    match explained(c, n).standing {
        Standing::Waiting(waiting) => *waiting,
        other => panic!("waits, but {other:?}"),
    }
}

/// What keeps an agent from a waiting chat.
pub fn against(c: &Centre, n: u128, name: &str) -> Option<RuledOut> {
    let considered = waits(c, n).considered;
    considered.into_iter().find(|a| a.agent == agent(name)).expect("considered").ruled_out
}

/// Who has a chat.
pub fn owner(c: &Centre, n: u128) -> Option<AgentId> {
    match explained(c, n).standing {
        Standing::Owned { given, .. } => Some(given.agent),
        Standing::Waiting(_) | Standing::Offered(_) | Standing::OfflineForm { .. } => None,
    }
}

/// The lines about handing out and moving, without those about people.
pub fn last(c: &mut Centre) -> String {
    c.happened().last().cloned().unwrap_or_default()
}

pub fn later(c: &Centre, secs: u64) -> Timestamp {
    c.now + Millis::secs(secs)
}

pub fn only(channels: &[Channel]) -> BTreeSet<Channel> {
    channels.iter().copied().collect()
}
