//! Random scripts. An act names its object by how it stands to the moment ("your second chat"), so that a script still
//! means something after acts were dropped from it, which is how a failing one is made short.

use crate::naive::{Naive, Where};
use tieline_model::command::Presence;
use tieline_model::content::ContentRef;
use tieline_model::crm::{ConnectionInfo, Direction, LogState, LookupResult, Record};
use tieline_model::policy::{
    After, AfterCall, AgentPolicy, CallLogs, Classification, Delivery, Escalate, Lease, OfferWhen, ParkOn,
    QueuePolicy, Strategy, TenantPolicy, WrapUp,
};
use tieline_model::{
    Actor, AgentId, CallFact, CallId, Command, CommandId, ConnectionId, ContentId, ConversationId,
    InteractionId, Millis, OfferId, QueueId, RecordId, SessionId, Wish,
};
use uuid::Uuid;

/// SplitMix64: a seed is a script.
#[derive(Clone)]
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.roll() % n
    }

    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    pub fn of<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize].clone()
    }
}

/// Which chat, seen from whoever acts.
#[derive(Debug, Clone, Copy)]
pub enum Pick {
    /// One of the agent's own, counted around.
    Own(u8),
    /// The agent's active one.
    Active,
    /// Any that is open.
    Any(u8),
    /// One that never was.
    Never,
}

#[derive(Debug, Clone)]
pub enum Act {
    /// Time passes and timers fire at their moments.
    Wait(u64),
    /// Time passes up to the next deadline and this much beyond or short of it.
    Due(i64),
    /// Time passes and nobody has looked at the timers yet.
    Late(u64),
    Connect(u8),
    Disconnect(u8, bool),
    Presence(u8, u8, bool),
    Start(u8, bool),
    /// Who, which offer (0 the open one, else one of the past), whose (false: another's).
    Answer(u8, u8, bool),
    Take(u8, Pick),
    Activate(u8, Pick),
    Park(u8, Pick),
    /// By an agent, if one; the other side writes as its customer.
    Write(Option<u8>, Pick, u32),
    End(Option<u8>, Pick),
    See(u8, Pick),
    Extend(u8, Pick),
    Complete(u8, Pick),
    Classify(u8, Pick, u8),
    Choose(u8, Pick, bool),
    Ring(u8, u8),
    PickUp(u8, u8),
    HangUp(u8),
    /// Which call, by whom.
    Dial(u8, u8),
    /// Which call, which recording.
    Record(u8, u8),
    LookUp(Pick, bool),
    Deliver(u8, bool),
    Configure(u8),
    Restart(u64),
    /// The daemon takes offers back before it stops; here it goes on, and hands out again at once.
    Drain,
    /// A wish of somebody who may not.
    Stranger(u8),
}

pub const AGENTS: [&str; 3] = ["anna", "ben", "cleo"];
pub const QUEUES: [&str; 3] = ["desk", "quick", "shelf"];

pub fn agent(n: u8) -> AgentId {
    AgentId::new(AGENTS[n as usize % AGENTS.len()]).unwrap()
}

pub fn queue(n: u8) -> QueueId {
    QueueId::new(QUEUES[n as usize % QUEUES.len()]).unwrap()
}

fn session(n: u8) -> SessionId {
    SessionId(Uuid::from_u128(u128::from(n) + 1))
}

fn connection(known: bool) -> ConnectionId {
    ConnectionId::new(if known { "crm" } else { "elsewhere" }).unwrap()
}

fn some_content(n: u128, chars: u32) -> ContentRef {
    ContentRef { id: ContentId(Uuid::from_u128(n)), chars, bytes: chars }
}

/// Settings of a contact centre, drawn.
pub fn policy(dice: &mut Dice) -> TenantPolicy {
    let mut policy = TenantPolicy::default();
    let ways = [Delivery::Offer, Delivery::Offer, Delivery::Auto, Delivery::Pull];
    for (n, name) in QUEUES.iter().enumerate() {
        let base = QueuePolicy::named(name);
        let queue = QueuePolicy {
            delivery: if n == 0 { Delivery::Offer } else { dice.of(&ways) },
            priority: dice.below(3) as i32,
            after_reject: dice.of(&[After::OnBreak, After::Stay]),
            after_miss: dice.of(&[After::OnBreak, After::Stay]),
            offer_when: dice.of(&[OfferWhen::AllParked, OfferWhen::BelowCapacity, OfferWhen::Idle]),
            strategy: Strategy::LongestIdle,
            retry_decliner_after: Millis(0),
            escalate: Escalate { after: None, unanswered: None },
            wrap_up: WrapUp {
                time: if dice.one_in(5) { None } else { Some(Millis::secs(20 + dice.below(60))) },
                extensions: dice.below(3) as u32,
                extension: Millis::secs(30),
                max: None,
            },
            classification: Classification {
                codes: vec!["sale".to_owned(), "fault".to_owned()],
                several: dice.one_in(2),
                mandatory: dice.one_in(2),
            },
            ..base
        };
        policy.queues.insert(queue_id(name), queue);
    }
    for (n, name) in AGENTS.iter().enumerate() {
        let queues = QUEUES.iter().filter(|_| !dice.one_in(4)).map(|q| queue_id(q)).collect();
        policy.agents.insert(
            agent(n as u8),
            AgentPolicy {
                name: (*name).to_owned(),
                queues,
                extension: (n == 1).then(|| "4711".to_owned()),
                may_reject: !dice.one_in(4),
                supervisor: false,
                chat_capacity: 1 + dice.below(3) as u32,
                crm_users: std::collections::BTreeMap::new(),
                skills: Default::default(),
            },
        );
    }
    let never = Millis(u64::from(u32::MAX) * 1_000);
    policy.lease = Lease { grace: never, lost_after: never };
    policy.connections = vec![ConnectionInfo {
        id: connection(true),
        vendor: "salesforce".to_owned(),
        name: "CRM".to_owned(),
    }];
    policy.break_reasons = if dice.one_in(4) { Vec::new() } else { vec!["lunch".to_owned()] };
    policy.calls.park_on = dice.of(&[ParkOn::Answered, ParkOn::Ringing]);
    policy.calls.log = dice.of(&[CallLogs::Answered, CallLogs::All, CallLogs::None]);
    policy.calls.after_call = dice.of(&[AfterCall::ResumeWrapUp, AfterCall::ResumeLast]);
    policy
}

fn queue_id(name: &str) -> QueueId {
    QueueId::new(name).unwrap()
}

/// One act, drawn; weighted so that rare states are reached.
pub fn act(dice: &mut Dice) -> Act {
    let who = dice.below(3) as u8;
    let pick = match dice.below(20) {
        0 => Pick::Never,
        1 | 2 => Pick::Any(dice.roll() as u8),
        _ => Pick::Own(dice.roll() as u8),
    };
    let any = Pick::Any(dice.roll() as u8);
    match dice.below(200) {
        0..=13 => Act::Wait(dice.of(&[1, 500, 2_000, 5_000, 10_000, 61_000])),
        14..=20 => Act::Due(dice.of(&[-1, -1, 0, 1])),
        21..=22 => Act::Late(dice.of(&[1, 30_000, 90_000])),
        23..=36 => Act::Connect(who),
        37..=39 => Act::Disconnect(who, dice.one_in(3)),
        40..=57 => Act::Presence(who, dice.below(10) as u8, dice.one_in(2)),
        58..=71 => Act::Start(dice.below(3) as u8, dice.one_in(10)),
        72..=103 => Act::Answer(who, if dice.one_in(5) { dice.below(6) as u8 } else { 0 }, !dice.one_in(12)),
        104..=108 => Act::Take(who, any),
        109..=122 => Act::Activate(who, pick),
        123..=130 => Act::Park(who, pick),
        131..=138 => Act::Write(Some(who), pick, dice.of(&[0, 1, 10, 5_000, 5_001])),
        139..=144 => Act::Write(None, any, dice.of(&[0, 1, 10, 500, 501])),
        145..=152 => Act::End(Some(who), pick),
        153..=157 => Act::End(None, any),
        158..=160 => Act::See(who, pick),
        161..=166 => Act::Extend(who, pick),
        167..=172 => Act::Complete(who, pick),
        173..=175 => Act::Classify(who, pick, dice.below(7) as u8),
        176..=177 => Act::Choose(who, pick, !dice.one_in(4)),
        178..=181 => Act::Ring(dice.below(6) as u8, dice.roll() as u8),
        182..=183 => Act::Dial(dice.below(6) as u8, dice.below(5) as u8),
        184..=187 => Act::PickUp(dice.below(6) as u8, dice.below(5) as u8),
        188..=190 => Act::HangUp(dice.below(6) as u8),
        191 => Act::Record(dice.below(6) as u8, dice.below(3) as u8),
        192 => Act::LookUp(any, !dice.one_in(4)),
        193..=194 => Act::Deliver(dice.roll() as u8, !dice.one_in(4)),
        195..=196 => Act::Configure(dice.below(7) as u8),
        197 => Act::Restart(dice.of(&[1, 60_000, 3_600_000])),
        198 => Act::Drain,
        _ => Act::Stranger(dice.below(8) as u8),
    }
}

/// The command an act means at this moment; `n` makes its id.
pub fn command(act: &Act, model: &Naive, n: u32) -> Option<Command> {
    let (by, wish) = wish(act, model, u128::from(n))?;
    Some(Command { id: CommandId::new(format!("c{n}")).unwrap(), by, wish })
}

/// An act on a chat of one's own without having any.
fn comes_to_nothing(act: &Act, model: &Naive) -> bool {
    match act {
        Act::Activate(a, Pick::Own(_))
        | Act::Park(a, Pick::Own(_) | Pick::Active)
        | Act::Write(Some(a), Pick::Own(_) | Pick::Active, _)
        | Act::End(Some(a), Pick::Own(_))
        | Act::See(a, Pick::Own(_))
        | Act::Extend(a, Pick::Own(_))
        | Act::Complete(a, Pick::Own(_))
        | Act::Classify(a, Pick::Own(_), _)
        | Act::Choose(a, Pick::Own(_), _) => model.inbox(&agent(*a)).is_empty(),
        Act::Take(_, Pick::Any(_)) | Act::Write(None, Pick::Any(_), _) | Act::End(None, Pick::Any(_)) => {
            model.chats.is_empty()
        }
        _ => false,
    }
}

/// The agent meant, or for nine draws of ten the next one to whom it can be done, so that less comes to nothing.
fn someone(model: &Naive, who: u8, n: u128, can: impl Fn(&AgentId) -> bool) -> u8 {
    let next = (who..who + 3).find(|a| can(&agent(*a)) && model.policy.agents.contains_key(&agent(*a)));
    next.filter(|_| !n.is_multiple_of(10)).unwrap_or(who)
}

fn wish(act: &Act, model: &Naive, n: u128) -> Option<(Actor, Wish)> {
    let offered = |a: u8| someone(model, a, n, |id| model.offered(id).is_some());
    let owner = |a: u8| someone(model, a, n, |id| !model.inbox(id).is_empty());
    let active = |a: u8| someone(model, a, n, |id| model.active(id).is_some());
    let ended = |a: u8| {
        let wrap_up = |c: &&crate::naive::Chat| matches!(&c.at, Where::Inbox { wrap: Some(_), .. });
        someone(model, a, n, |id| model.inbox(id).iter().any(wrap_up))
    };
    let act = &match act.clone() {
        Act::Connect(a) => {
            Act::Connect(someone(model, a, n, |id| model.agent(id).is_none_or(|a| a.sessions.is_empty())))
        }
        Act::Presence(a, p @ (0..=3 | 8..), sure) => {
            let away = |id: &AgentId| model.agent(id).is_none_or(|a| a.presence != Presence::Available);
            Act::Presence(someone(model, a, n, away), p, sure)
        }
        Act::Answer(a, which, own) => Act::Answer(offered(a), which, own),
        Act::Activate(a, pick) => Act::Activate(owner(a), pick),
        Act::Park(a, Pick::Own(k)) if k % 4 != 0 => Act::Park(active(a), Pick::Active),
        Act::Write(Some(a), Pick::Own(k), chars) if k % 4 != 0 => {
            Act::Write(Some(active(a)), Pick::Active, chars)
        }
        Act::End(Some(a), pick) => Act::End(Some(owner(a)), pick),
        Act::See(a, pick) => Act::See(ended(a), pick),
        Act::Extend(a, pick) => Act::Extend(ended(a), pick),
        Act::Complete(a, pick) => Act::Complete(ended(a), pick),
        Act::Classify(a, pick, kind) => Act::Classify(owner(a), pick, kind),
        Act::Choose(a, pick, known) => Act::Choose(owner(a), pick, known),
        other => other,
    };
    if comes_to_nothing(act, model) && !n.is_multiple_of(8) {
        return None;
    }
    let by = |who: u8| Actor::Agent { agent: agent(who) };
    let crm = |known: bool| Actor::Connection { connection: connection(known) };
    Some(match act {
        Act::Wait(_) | Act::Due(_) | Act::Late(_) => return None,
        Act::Connect(a) => (by(*a), Wish::Connect { session: session(*a) }),
        Act::Disconnect(a, by_another) => {
            let actor = if *by_another { by(*a + 1) } else { Actor::Daemon };
            (actor, Wish::Disconnect { agent: agent(*a), session: session(*a) })
        }
        Act::Presence(a, p, confirmed) => {
            let presence = match p {
                0..=3 | 8.. => Presence::Available,
                4 => Presence::OnBreak { reason: "lunch".to_owned() },
                5 => Presence::OnBreak { reason: "golf".to_owned() },
                6 => Presence::StopNew,
                7 => Presence::Offline,
            };
            (by(*a), Wish::SetPresence { presence, confirmed: *confirmed })
        }
        Act::Start(q, again) => {
            let known = model.chats.last().filter(|_| *again).map(|c| (c.id, c.conversation));
            let (interaction, conversation) = known
                .unwrap_or((InteractionId(Uuid::from_u128(n)), ConversationId(Uuid::from_u128(n + 10_000))));
            let queue = if *again && *q == 0 { queue_id("nowhere") } else { queue(*q) };
            let person = some_content(n + 20_000, 0);
            (
                Actor::Customer { conversation },
                Wish::StartChat {
                    interaction,
                    conversation,
                    queue,
                    person,
                    skills: Default::default(),
                    marks: Default::default(),
                    previous: None,
                },
            )
        }
        Act::Answer(a, which, own) => {
            let whose = if *own { agent(*a) } else { agent(*a + 1) };
            let offer = offer_of(model, &whose, *which)?;
            // An odd draw rejects, so that accepting prevails.
            let reject = n % 4 == 3;
            (by(*a), if reject { Wish::RejectOffer { offer } } else { Wish::AcceptOffer { offer } })
        }
        Act::Take(a, pick) => (by(*a), Wish::TakeChat { interaction: find(model, *a, *pick) }),
        Act::Activate(a, pick) => (by(*a), Wish::Activate { interaction: find(model, *a, *pick) }),
        Act::Park(a, pick) => (by(*a), Wish::Park { interaction: find(model, *a, *pick) }),
        Act::Write(side, pick, chars) => {
            let interaction = find(model, side.unwrap_or(0), *pick);
            let wish = Wish::SendMessage { interaction, text: some_content(n, *chars) };
            (side.map_or_else(|| customer(model, interaction), by), wish)
        }
        Act::End(side, pick) => {
            let interaction = find(model, side.unwrap_or(0), *pick);
            (side.map_or_else(|| customer(model, interaction), by), Wish::EndChat { interaction })
        }
        Act::See(a, pick) => (by(*a), Wish::SeeEnd { interaction: find(model, *a, *pick) }),
        Act::Extend(a, pick) => (by(*a), Wish::ExtendWrapUp { interaction: find(model, *a, *pick) }),
        Act::Complete(a, pick) => (by(*a), Wish::CompleteWrapUp { interaction: find(model, *a, *pick) }),
        Act::Classify(a, pick, kind) => {
            let (codes, remarks): (&[&str], _) = match kind {
                0 => (&["fraud"], None),
                1 => (&["sale", "fault"], None),
                2 => (&["sale", "sale"], None),
                3 => (&[], Some(some_content(n, 10_001))),
                4 => (&[], Some(some_content(n, 10))),
                5 => (&[], None),
                _ => (&["sale"], Some(some_content(n, 0))),
            };
            let codes = codes.iter().map(|c| (*c).to_owned()).collect();
            (by(*a), Wish::Classify { interaction: find(model, *a, *pick), codes, remarks })
        }
        Act::Choose(a, pick, known) => {
            let call =
                model.calls.iter().find(|c| c.on_the_phone() == Some(&agent(*a)) && n.is_multiple_of(2));
            let interaction = call.map_or_else(|| find(model, *a, *pick), |c| c.id);
            let id = RecordId::new(format!("r{}", n % 2)).unwrap();
            let contact = (!n.is_multiple_of(3)).then(|| Record { object: "Contact".to_owned(), id });
            (by(*a), Wish::ChooseContact { interaction, connection: connection(*known), contact })
        }
        Act::Ring(slot, mask) => {
            let mut agents: Vec<String> =
                (0..3).filter(|i| mask & (1 << i) != 0).map(|i| agent(i).to_string()).collect();
            if mask & 8 != 0 {
                agents.push("4711".to_owned());
            }
            if mask & 0x70 == 0x70 {
                agents.push("nobody".to_owned());
            }
            let fact = CallFact::Ringing {
                agents,
                queue: None,
                numbers: some_content(n, 0),
                withheld: mask & 128 != 0,
                direction: if mask & 3 == 3 { Direction::Outbound } else { Direction::Inbound },
            };
            phone(model, *slot, fact)
        }
        Act::PickUp(slot, who) => phone(model, *slot, CallFact::Answered { agent: extension(*who) }),
        Act::Dial(slot, who) => {
            let numbers = some_content(n, 0);
            phone(model, *slot, CallFact::Dialled { agent: extension(*who), queue: None, numbers })
        }
        Act::Record(slot, which) => {
            let recording = some_content(u128::from(*which), 0);
            phone(model, *slot, CallFact::RecordingReady { recording })
        }
        Act::HangUp(slot) => phone(model, *slot, CallFact::Ended),
        Act::LookUp(pick, own) => {
            let call = model.calls.first().filter(|_| n.is_multiple_of(3)).map(|c| c.id);
            let interaction = call.unwrap_or_else(|| find(model, 0, *pick));
            let result = LookupResult::Found { count: 1, contact: None, case: None };
            (
                crm(*own),
                Wish::ReportLookup { interaction, connection: connection(true), result, matches: None },
            )
        }
        Act::Deliver(which, own) => {
            let shut = model.shut.get(*which as usize % model.shut.len().max(1));
            let interaction = shut.map_or(InteractionId(Uuid::from_u128(1)), |s| s.id);
            let state = match which % 3 {
                0 => LogState::Sending,
                _ => LogState::Refused { reason: "no".to_owned() },
            };
            (crm(*own), Wish::ReportDelivery { interaction, connection: connection(true), state })
        }
        Act::Configure(change) => {
            let mut policy = model.policy.clone();
            alter(&mut policy, *change);
            (Actor::Daemon, Wish::Configure { policy: Box::new(policy) })
        }
        Act::Restart(down) => (Actor::Daemon, Wish::Resume { down: Millis(*down) }),
        Act::Drain => (Actor::Daemon, Wish::Drain),
        Act::Stranger(kind) => stranger(*kind, model),
    })
}

/// An agent, by id or extension, or nobody of ours.
fn extension(who: u8) -> String {
    match who {
        3 => "4711".to_owned(),
        4 => "nobody".to_owned(),
        a => agent(a).to_string(),
    }
}

fn stranger(kind: u8, model: &Naive) -> (Actor, Wish) {
    let nobody = Actor::Agent { agent: AgentId::new("nobody").unwrap() };
    let outside = Actor::Customer { conversation: ConversationId(Uuid::from_u128(1)) };
    let interaction = find(model, 0, Pick::Any(0));
    match kind {
        0 => (nobody, Wish::Connect { session: session(9) }),
        1 => (outside, Wish::Configure { policy: Box::default() }),
        2 => (outside, Wish::EndChat { interaction }),
        3 => (Actor::Daemon, Wish::EndChat { interaction }),
        4 => (Actor::Daemon, Wish::SendMessage { interaction, text: some_content(1, 1) }),
        5 => (nobody, Wish::Resume { down: Millis(1) }),
        6 => (outside, Wish::Drain),
        _ => {
            let (_, wish) = phone(model, 0, CallFact::Ended);
            (outside, wish)
        }
    }
}

/// Settings change while people work.
fn alter(policy: &mut TenantPolicy, change: u8) {
    let quick = policy.queues.get_mut(&queue(1));
    match change {
        0 => drop(policy.agents.remove(&agent(2))),
        1 => drop(policy.queues.remove(&queue(2))),
        2 => drop(quick.map(|q| q.priority += 1)),
        3 => drop(quick.map(|q| q.delivery = Delivery::Pull)),
        4 => drop(quick.map(|q| q.delivery = Delivery::Offer)),
        5 => drop(policy.agents.get_mut(&agent(0)).map(|a| a.queues.remove(&queue(0)))),
        _ => {
            let whole = AgentPolicy {
                name: "cleo".to_owned(),
                queues: policy.queues.keys().cloned().collect(),
                extension: None,
                may_reject: true,
                supervisor: false,
                chat_capacity: 2,
                crm_users: std::collections::BTreeMap::new(),
                skills: Default::default(),
            };
            policy.agents.insert(agent(2), whole);
        }
    }
}

/// A call by slot: the slot's present call, or for the last two slots one that is over.
fn phone(model: &Naive, slot: u8, fact: CallFact) -> (Actor, Wish) {
    let over = |slot: u8| model.over.iter().filter(|c| c.as_str().starts_with(&format!("s{slot}."))).count();
    let (slot, generation) = match slot {
        0..=3 => (slot, over(slot)),
        late => (late - 4, over(late - 4).saturating_sub(1)),
    };
    let name = format!("s{slot}.{generation}");
    let id = 500_000 + 1_000 * u128::from(slot) + generation as u128;
    let wish = Wish::ReportCall {
        call: CallId::new(name).unwrap(),
        interaction: InteractionId(Uuid::from_u128(id)),
        conversation: ConversationId(Uuid::from_u128(id)),
        fact,
    };
    (Actor::Producer { name: "/pbx".to_owned() }, wish)
}

fn customer(model: &Naive, id: InteractionId) -> Actor {
    let conversation = model.chat(id).map_or(ConversationId(Uuid::from_u128(1)), |c| c.conversation);
    Actor::Customer { conversation }
}

fn find(model: &Naive, who: u8, pick: Pick) -> InteractionId {
    let never = InteractionId(Uuid::from_u128(999_999));
    let (ids, n): (Vec<InteractionId>, u8) = match pick {
        Pick::Own(n) => (model.inbox(&agent(who)).iter().map(|c| c.id).collect(), n),
        Pick::Active => (model.active(&agent(who)).iter().map(|c| c.id).collect(), 0),
        Pick::Any(n) => (model.chats.iter().map(|c| c.id).collect(), n),
        Pick::Never => (Vec::new(), 0),
    };
    ids.get(n as usize % ids.len().max(1)).copied().unwrap_or(never)
}

/// The open offer of an agent, or one of the past.
fn offer_of(model: &Naive, agent: &AgentId, which: u8) -> Option<OfferId> {
    let open = model.offered(agent).map(|c| match &c.at {
        Where::Offer { id, .. } => *id,
        _ => unreachable!("offered"),
    });
    let mut past = model.chats.iter().flat_map(|c| &c.past).filter(|(_, to, _)| to == agent);
    match which {
        0 => open,
        5 => Some(OfferId(Uuid::from_u128(77))),
        n => past.nth(n as usize - 1).map(|(id, _, _)| *id),
    }
}
