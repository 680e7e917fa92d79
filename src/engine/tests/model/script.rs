//! Random scripts. An act names its object by how it stands to the moment ("your second chat"), so that a script still
//! means something after acts were dropped from it, which is how a failing one is made short.

use crate::naive::{Chat, Naive, Where};
use std::collections::{BTreeMap, BTreeSet};
use tieline_model::command::{Notice, Open, Presence, SupervisorAct, TransferTo};
use tieline_model::content::ContentRef;
use tieline_model::crm::{Channel, Direction, LogState, LookupResult, Record};
use tieline_model::event::Guest;
use tieline_model::{
    Actor, AgentId, CallFact, CallId, Command, CommandId, ConnectionId, ContentId, ConversationId,
    InteractionId, Mark, Millis, OfferId, QueueId, RecordId, ScheduleId, SessionId, SkillId, Timestamp, Wish,
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
    /// One the agent has joined.
    Joined,
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
    Availability(u8, u8),
    Start(u8, bool),
    /// Which ended chat; a small number is the latest.
    Return(u8),
    Message(u8),
    /// Who, which offer (0 the open one, else one of the past), whose (false: another's), accept.
    Answer(u8, u8, bool, bool),
    Take(u8, Pick),
    Activate(u8, Pick),
    Park(u8, Pick),
    /// By an agent, if one; the other side writes as its customer.
    Write(Option<u8>, Pick, u32),
    File(Option<u8>, Pick, u8),
    Whisper(u8, Pick, u32),
    Notice(u8, Pick, u8),
    Transfer(u8, Pick, u8),
    CancelTransfer(u8, Pick),
    HandOver(u8, Pick, u8),
    Leave(u8, Pick),
    Share(u8, Pick),
    OpenCase(u8, Pick),
    Flag(u8, Pick, u8),
    Fill(u8, Pick),
    Supervise(u8, u8, Pick, u8),
    End(Option<u8>, Pick),
    See(u8, Pick),
    Extend(u8, Pick),
    Complete(u8, Pick),
    Classify(u8, Pick, u8),
    Choose(u8, Pick, bool),
    Ring(u8, u8),
    PickUp(u8, u8),
    HangUp(u8),
    Hold(u8, bool),
    /// Which call, to whom.
    Pass(u8, u8),
    /// Which call, by whom.
    Dial(u8, u8),
    /// Which call, which recording.
    Record(u8, u8),
    LookUp(Pick, bool),
    Deliver(u8, bool),
    Configure(u8),
    Hours(u8),
    Day(u8),
    Restart(u64),
    /// The daemon takes offers back before it stops; here it goes on, and hands out again at once.
    Drain,
    /// A wish of somebody who may not.
    Stranger(u8),
}

pub const AGENTS: [&str; 3] = ["anna", "ben", "cleo"];
pub const QUEUES: [&str; 3] = ["desk", "quick", "shelf"];
pub const SKILLS: [&str; 2] = ["french", "billing"];

pub fn agent(n: u8) -> AgentId {
    AgentId::new(AGENTS[n as usize % AGENTS.len()]).unwrap()
}

pub fn queue(n: u8) -> QueueId {
    QueueId::new(QUEUES[n as usize % QUEUES.len()]).unwrap()
}

pub fn skill(n: u8) -> SkillId {
    SkillId::new(SKILLS[n as usize % SKILLS.len()]).unwrap()
}

pub fn session(n: u8) -> SessionId {
    SessionId(Uuid::from_u128(u128::from(n) + 1))
}

pub fn connection(known: bool) -> ConnectionId {
    ConnectionId::new(if known { "crm" } else { "elsewhere" }).unwrap()
}

fn some_content(n: u128, chars: u32) -> ContentRef {
    ContentRef { id: ContentId(Uuid::from_u128(n)), chars, bytes: chars }
}

fn mark(n: u8) -> Mark {
    Mark::new(format!("m{n}")).unwrap()
}

/// One act, drawn; weighted so that rare states are reached.
pub fn act(dice: &mut Dice) -> Act {
    let who = dice.below(3) as u8;
    let any = Pick::Any(dice.roll() as u8);
    let pick = match dice.below(20) {
        0 => Pick::Never,
        1 => any,
        2 => Pick::Joined,
        _ => Pick::Own(dice.roll() as u8),
    };
    let k = dice.roll() as u8;
    match dice.below(304) {
        0..=19 => Act::Wait(dice.of(&[1, 500, 2_000, 5_000, 10_000, 25_000, 61_000])),
        20..=33 => Act::Due(dice.of(&[-1, 0, 0, 1])),
        34..=36 => Act::Late(dice.of(&[1, 30_000, 90_000, 200_000])),
        37..=48 => Act::Connect(who),
        49..=53 => Act::Disconnect(who, dice.one_in(3)),
        54..=70 => Act::Presence(who, dice.below(12) as u8, dice.one_in(2)),
        71..=73 => Act::Availability(who, k),
        74..=89 => Act::Start(k, dice.one_in(10)),
        90..=93 => Act::Return(k),
        94..=96 => Act::Message(k),
        97..=128 => {
            let which = if dice.one_in(6) { dice.below(6) as u8 } else { 0 };
            Act::Answer(who, which, !dice.one_in(12), !dice.one_in(4))
        }
        129..=133 => Act::Take(who, any),
        134..=147 => Act::Activate(who, pick),
        148..=154 => Act::Park(who, pick),
        155..=163 => Act::Write(Some(who), pick, dice.of(&[0, 1, 10, 10, 5_000, 5_001])),
        164..=169 => Act::Write(None, any, dice.of(&[0, 1, 10, 500, 501])),
        170..=172 => Act::File(if dice.one_in(2) { Some(who) } else { None }, pick, k),
        173..=175 => Act::Whisper(who, pick, dice.of(&[0, 1, 1, 2_001])),
        176..=179 => Act::Notice(who, pick, k),
        180..=192 => Act::Transfer(who, pick, k),
        193..=194 => Act::CancelTransfer(who, pick),
        195..=199 => Act::HandOver(who, pick, k),
        200..=201 => Act::Leave(who, if dice.one_in(3) { pick } else { Pick::Joined }),
        202 => Act::Share(who, pick),
        203..=204 => Act::OpenCase(who, pick),
        205..=207 => Act::Flag(who, pick, k),
        208 => Act::Fill(who, pick),
        209..=220 => Act::Supervise(who, dice.below(8) as u8, any, k),
        221..=228 => Act::End(Some(who), pick),
        229..=233 => Act::End(None, any),
        234..=236 => Act::See(who, pick),
        237..=242 => Act::Extend(who, pick),
        243..=248 => Act::Complete(who, pick),
        249..=251 => Act::Classify(who, pick, dice.below(7) as u8),
        252..=253 => Act::Choose(who, pick, !dice.one_in(4)),
        254..=258 => Act::Ring(dice.below(6) as u8, k),
        259..=261 => Act::Dial(dice.below(6) as u8, dice.below(5) as u8),
        262..=267 => Act::PickUp(dice.below(6) as u8, dice.below(5) as u8),
        268..=273 => Act::HangUp(dice.below(6) as u8),
        292..=293 => Act::Hold(dice.below(6) as u8, !dice.one_in(3)),
        294..=295 => Act::Pass(dice.below(6) as u8, dice.below(5) as u8),
        274 => Act::Record(dice.below(6) as u8, dice.below(3) as u8),
        275 => Act::LookUp(any, !dice.one_in(4)),
        276..=277 => Act::Deliver(k, !dice.one_in(4)),
        278..=283 => Act::Configure(dice.below(14) as u8),
        284..=287 => Act::Hours(k),
        288 => Act::Day(k),
        289..=290 => Act::Restart(dice.of(&[1, 60_000, 3_600_000])),
        291 => Act::Drain,
        _ => Act::Stranger(dice.below(16) as u8),
    }
}

/// The command an act means at this moment; `n` makes its id.
pub fn command(act: &Act, model: &Naive, n: u32) -> Option<Command> {
    let (by, wish) = wish(act, model, u128::from(n))?;
    Some(Command { id: CommandId::new(format!("c{n}")).unwrap(), by, wish })
}

/// What an act on one's own chat is about: who, and which.
fn on_own(act: &mut Act) -> Option<(&mut u8, &mut Pick)> {
    match act {
        Act::Activate(a, pick)
        | Act::Park(a, pick)
        | Act::Write(Some(a), pick, _)
        | Act::File(Some(a), pick, _)
        | Act::Whisper(a, pick, _)
        | Act::Notice(a, pick, _)
        | Act::Transfer(a, pick, _)
        | Act::CancelTransfer(a, pick)
        | Act::HandOver(a, pick, _)
        | Act::Share(a, pick)
        | Act::OpenCase(a, pick)
        | Act::Flag(a, pick, _)
        | Act::Fill(a, pick)
        | Act::End(Some(a), pick)
        | Act::See(a, pick)
        | Act::Extend(a, pick)
        | Act::Complete(a, pick)
        | Act::Classify(a, pick, _)
        | Act::Choose(a, pick, _) => Some((a, pick)),
        _ => None,
    }
}

/// For most draws: somebody to whom it can be done, and a chat with which it can be done, so that less comes to
/// nothing.
fn aim(act: &mut Act, model: &Naive, n: u128) {
    if n.is_multiple_of(10) {
        return;
    }
    let someone = |a: &mut u8, can: &dyn Fn(&AgentId) -> bool| {
        let next = (*a..*a + 3).find(|a| can(&agent(*a)) && model.policy.agents.contains_key(&agent(*a)));
        *a = next.unwrap_or(*a);
    };
    let wants: Option<fn(&Chat, &Naive) -> bool> = match act {
        Act::Park(..) | Act::Write(Some(_), ..) | Act::File(Some(_), ..) | Act::Notice(..)
            if !n.is_multiple_of(4) =>
        {
            Some(|c, m| c.in_progress() && m.active(c.owner().unwrap()).map(|a| a.id) == Some(c.id))
        }
        Act::Transfer(..) | Act::OpenCase(..) | Act::End(Some(_), _) => Some(|c, _| c.in_progress()),
        Act::See(..) | Act::Extend(..) | Act::Complete(..) => Some(|c, _| c.in_wrap_up()),
        Act::CancelTransfer(..) => Some(|c, _| c.transfer.is_some()),
        Act::HandOver(..) | Act::Whisper(..) => Some(|c, _| !c.guests.is_empty()),
        _ => Some(|c, _| c.owner().is_some()),
    };
    match act {
        Act::Connect(a) => someone(a, &|id| !model.connected(id)),
        Act::Presence(a, 0..=5 | 10.., _) => someone(a, &|id| model.presence(id) != Presence::Available),
        Act::Answer(a, ..) => someone(a, &|id| model.offered(id).is_some()),
        Act::Leave(a, Pick::Joined) => someone(a, &|id| !model.guest_at(id).is_empty()),
        Act::Supervise(a, ..) => {
            someone(a, &|id| model.policy.agents.get(id).is_some_and(|agent| agent.supervisor));
        }
        other => {
            let (Some(wants), Some((a, pick @ Pick::Own(_)))) = (wants, on_own(other)) else { return };
            let fits = |c: &&Chat| c.owner().is_some() && wants(c, model);
            someone(a, &|id| model.inbox(id).iter().any(fits));
            let ids: Vec<usize> =
                model.inbox(&agent(*a)).iter().enumerate().filter(|(_, c)| fits(c)).map(|(i, _)| i).collect();
            if let (Some(at), Pick::Own(k)) = (ids.first(), &mut *pick)
                && !ids.contains(&(*k as usize % model.inbox(&agent(*a)).len()))
            {
                *k = *at as u8;
            }
        }
    }
}

/// An act on a chat of one's own without having any.
fn comes_to_nothing(act: &mut Act, model: &Naive) -> bool {
    if let Act::Take(_, Pick::Any(_)) | Act::Write(None, ..) | Act::End(None, _) | Act::File(None, ..) = act {
        return model.chats.is_empty();
    }
    if let Act::HandOver(..) | Act::CancelTransfer(..) | Act::Whisper(..) = act {
        return !model.chats.iter().any(|c| !c.guests.is_empty() || c.transfer.is_some());
    }
    match on_own(act) {
        Some((a, Pick::Own(_))) => model.inbox(&agent(*a)).is_empty(),
        Some((a, Pick::Joined)) => model.guest_at(&agent(*a)).is_empty(),
        _ => false,
    }
}

fn wish(act: &Act, model: &Naive, n: u128) -> Option<(Actor, Wish)> {
    let mut act = act.clone();
    aim(&mut act, model, n);
    if comes_to_nothing(&mut act, model) && !n.is_multiple_of(16) {
        return None;
    }
    let by = |who: u8| Actor::Agent { agent: agent(who) };
    let own = |a: u8, pick: Pick| find(model, a, pick);
    Some(match act {
        Act::Wait(_) | Act::Due(_) | Act::Late(_) => return None,
        Act::Connect(a) => (by(a), Wish::Connect { session: session(a + 3 * (n % 2) as u8) }),
        Act::Disconnect(a, by_another) => {
            let actor = if by_another { by(a + 1) } else { Actor::Daemon };
            let open = model.agent(&agent(a)).and_then(|a| a.sessions.first().copied());
            (actor, Wish::Disconnect { agent: agent(a), session: open.unwrap_or(session(a)) })
        }
        Act::Presence(a, p, confirmed) => (by(a), Wish::SetPresence { presence: presence(p), confirmed }),
        Act::Availability(a, k) => {
            let (chat, call) = (Channel::Chat, Channel::Call);
            let channels = if k % 4 == 0 { BTreeSet::from([call]) } else { BTreeSet::from([chat, call]) };
            let queues = match k / 4 % 5 {
                0 | 1 => None,
                2 => Some(BTreeSet::from([queue(0)])),
                3 => model.policy.agents.get(&agent(a)).map(|p| p.queues.clone()),
                _ => Some(BTreeSet::from([queue(k / 20)])),
            };
            (by(a), Wish::SetAvailability { channels, queues })
        }
        Act::Start(k, again) => start(model, k, again, n),
        Act::Return(k) => come_back(model, k, n),
        Act::Message(k) => {
            let at_form = |c: &&Chat| matches!(c.at, Where::Form(_));
            let chat = model.chats.iter().find(at_form).filter(|_| k % 8 != 0).or(model.chats.first());
            let interaction = chat.map_or(InteractionId(Uuid::from_u128(1)), |c| c.id);
            let text = some_content(n, [0, 10, 10, 501][(k / 8) as usize % 4]);
            (customer(model, interaction), Wish::LeaveMessage { interaction, text })
        }
        Act::Answer(a, which, own, accept) => {
            let whose = if own { agent(a) } else { agent(a + 1) };
            let offer = offer_of(model, &whose, which)?;
            (by(a), if accept { Wish::AcceptOffer { offer } } else { Wish::RejectOffer { offer } })
        }
        Act::Take(a, pick) => (by(a), Wish::TakeChat { interaction: own(a, pick) }),
        Act::Activate(a, pick) => (by(a), Wish::Activate { interaction: own(a, pick) }),
        Act::Park(a, pick) => (by(a), Wish::Park { interaction: own(a, pick) }),
        Act::Write(side, pick, chars) => {
            let interaction = own(side.unwrap_or(0), pick);
            let wish = Wish::SendMessage { interaction, text: some_content(n, chars) };
            (side.map_or_else(|| customer(model, interaction), by), wish)
        }
        Act::File(side, pick, k) => {
            let interaction = own(side.unwrap_or(0), pick);
            let (chars, bytes) = [(5, 100), (5, 100), (5, 0), (201, 100), (5, u32::MAX)][k as usize % 5];
            let file = ContentRef { id: ContentId(Uuid::from_u128(n)), chars, bytes };
            let media_type = if k % 11 == 0 { "video/mp4" } else { "image/png" }.to_owned();
            let wish = Wish::SendFile { interaction, file, media_type };
            (side.map_or_else(|| customer(model, interaction), by), wish)
        }
        Act::Whisper(a, pick, chars) => {
            (by(a), Wish::Whisper { interaction: own(a, pick), text: some_content(n, chars) })
        }
        Act::Notice(a, pick, k) => {
            let notice = [Notice::Nudge, Notice::Nudge, Notice::FewMinutes, Notice::Closing, Notice::Offline]
                [k as usize % 5];
            (by(a), Wish::SendNotice { interaction: own(a, pick), notice })
        }
        Act::Transfer(a, pick, k) => transfer(model, a, pick, k, n),
        Act::CancelTransfer(a, pick) => (by(a), Wish::CancelTransfer { interaction: own(a, pick) }),
        Act::HandOver(a, pick, k) => {
            let interaction = own(a, pick);
            let guest = model.chat(interaction).and_then(|c| c.guests.first()).filter(|_| k % 5 != 0);
            let to = guest.map_or(agent(k / 5), |(guest, _): &(AgentId, Guest)| guest.clone());
            (by(a), Wish::HandOver { interaction, agent: to })
        }
        Act::Leave(a, pick) => (by(a), Wish::LeaveChat { interaction: own(a, pick) }),
        Act::Share(a, pick) => (by(a), Wish::ShareHistory { interaction: own(a, pick) }),
        Act::OpenCase(a, pick) => (by(a), Wish::OpenCase { interaction: own(a, pick) }),
        Act::Flag(a, pick, k) => {
            let note = [None, None, Some(1), Some(0), Some(2_001)][k as usize % 5];
            let note = note.map(|chars| some_content(n, chars));
            (by(a), Wish::FlagAbuse { interaction: own(a, pick), note })
        }
        Act::Fill(a, pick) => {
            let interaction = on_call(model, a, n).unwrap_or_else(|| own(a, pick));
            (by(a), Wish::FillScript { interaction, answers: some_content(n, 1) })
        }
        Act::Supervise(a, what, pick, k) => supervise(model, a, what, pick, k),
        Act::End(side, pick) => {
            let interaction = own(side.unwrap_or(0), pick);
            (side.map_or_else(|| customer(model, interaction), by), Wish::EndChat { interaction })
        }
        Act::See(a, pick) => (by(a), Wish::SeeEnd { interaction: own(a, pick) }),
        Act::Extend(a, pick) => (by(a), Wish::ExtendWrapUp { interaction: own(a, pick) }),
        Act::Complete(a, pick) => (by(a), Wish::CompleteWrapUp { interaction: own(a, pick) }),
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
            let interaction = on_call(model, a, n).unwrap_or_else(|| own(a, pick));
            (by(a), Wish::Classify { interaction, codes, remarks })
        }
        Act::Choose(a, pick, known) => {
            let interaction = on_call(model, a, n).unwrap_or_else(|| own(a, pick));
            let id = RecordId::new(format!("r{}", n % 2)).unwrap();
            let contact = (!n.is_multiple_of(3)).then(|| Record { object: "Contact".to_owned(), id });
            (by(a), Wish::ChooseContact { interaction, connection: connection(known), contact })
        }
        Act::Ring(slot, mask) => phone(model, slot, ring(mask, n)),
        Act::PickUp(slot, who) => phone(model, slot, CallFact::Answered { agent: extension(who) }),
        Act::Dial(slot, who) => {
            let (numbers, queue) = (some_content(n, 0), n.is_multiple_of(2).then(|| queue(who)));
            phone(model, slot, CallFact::Dialled { agent: extension(who), queue, numbers })
        }
        Act::Record(slot, which) => {
            let recording = some_content(u128::from(which), 0);
            phone(model, slot, CallFact::RecordingReady { recording })
        }
        Act::HangUp(slot) => phone(model, slot, CallFact::Ended),
        Act::Hold(slot, held) => phone(model, slot, if held { CallFact::Held } else { CallFact::Resumed }),
        Act::Pass(slot, who) => phone(model, slot, CallFact::Transferred { to: extension(who) }),
        other => of_the_daemon(other, model, n),
    })
}

fn of_the_daemon(act: Act, model: &Naive, n: u128) -> (Actor, Wish) {
    let crm = |known: bool| Actor::Connection { connection: connection(known) };
    match act {
        Act::LookUp(pick, own) => {
            let call = model.calls.first().filter(|_| n.is_multiple_of(3)).map(|c| c.id);
            let interaction = call.unwrap_or_else(|| find(model, 0, pick));
            let (connection, matches) = (connection(true), None);
            let result = LookupResult::Found { count: 1, contact: None, case: None };
            (crm(own), Wish::ReportLookup { interaction, connection, result, matches })
        }
        Act::Deliver(which, own) => {
            let case = model.chats.iter().find(|c| c.case_opened).filter(|_| which % 2 == 0).map(|c| c.id);
            let shut = model.shut.get(which as usize % model.shut.len().max(1)).map(|s| s.id);
            let interaction = case.or(shut).unwrap_or(InteractionId(Uuid::from_u128(1)));
            let state = match which % 3 {
                0 => LogState::Sending,
                _ => LogState::Refused { reason: "no".to_owned() },
            };
            (crm(own), Wish::ReportDelivery { interaction, connection: connection(true), state })
        }
        Act::Configure(change) => {
            let mut policy = model.policy.clone();
            crate::settings::alter(&mut policy, change);
            (Actor::Daemon, Wish::Configure { policy: Box::new(policy) })
        }
        Act::Hours(k) => (Actor::Daemon, Wish::SetHours { hours: hours(model.now, k) }),
        Act::Day(k) => {
            let day = if k % 5 == 0 { "today".to_owned() } else { format!("2026-02-2{}", k % 4) };
            (Actor::Daemon, Wish::BeginDay { day })
        }
        Act::Restart(down) => (Actor::Daemon, Wish::Resume { down: Millis(down) }),
        Act::Drain => (Actor::Daemon, Wish::Drain),
        Act::Stranger(kind) => stranger(kind, model),
        other => unreachable!("{other:?}"),
    }
}

fn presence(p: u8) -> Presence {
    match p {
        6 => Presence::OnBreak { reason: "lunch".to_owned() },
        7 => Presence::OnBreak { reason: "golf".to_owned() },
        8 => Presence::StopNew,
        9 => Presence::Offline,
        _ => Presence::Available,
    }
}

fn start(model: &Naive, k: u8, again: bool, n: u128) -> (Actor, Wish) {
    let known = match k % 3 {
        0 => model.chats.last().map(|c| (c.id, c.conversation)),
        1 => model.shut.last().map(|s| (s.id, ConversationId(Uuid::from_u128(n + 10_000)))),
        _ => model.left.last().map(|l| (l.id, l.conversation)),
    };
    let fresh = (InteractionId(Uuid::from_u128(n)), ConversationId(Uuid::from_u128(n + 10_000)));
    let (interaction, conversation) = known.filter(|_| again).unwrap_or(fresh);
    let queue = if k.is_multiple_of(64) {
        QueueId::new("nowhere").unwrap()
    } else {
        queue(if k % 4 < 2 { 0 } else { k / 4 })
    };
    let mut skills = BTreeSet::new();
    if n.is_multiple_of(4) {
        skills.insert(skill(k / 8));
    }
    match k / 8 {
        5 => skills.extend([SkillId::new("magic").unwrap()]),
        6 => skills.extend((0..6).map(|i| SkillId::new(format!("magic{i}")).unwrap())),
        _ => {}
    }
    let marks = BTreeSet::from([mark(k % 5), mark(k / 16 % 5)]);
    let (person, previous) = (some_content(n + 20_000, 0), model.left.first().map(|l| l.id));
    let wish = Wish::StartChat { interaction, conversation, queue, person, skills, marks, previous };
    (Actor::Customer { conversation }, wish)
}

fn come_back(model: &Naive, k: u8, n: u128) -> (Actor, Wish) {
    let wrap_up = |c: &&Chat| c.in_wrap_up() && (c.channel == Channel::Chat || k % 16 == 1);
    let ended = model.chats.iter().find(wrap_up).map(|c| (c.id, c.conversation));
    let left = model.left.iter().rev().nth(k as usize / 32 % 4).map(|l| (l.id, l.conversation));
    let any = model.chats.first().map(|c| (c.id, c.conversation));
    let which = match k % 4 {
        0 | 1 => ended.or(left),
        2 => left,
        _ => any.filter(|_| k % 8 == 3).or(left),
    };
    let nowhere = (InteractionId(Uuid::from_u128(999_999)), ConversationId(Uuid::from_u128(1)));
    let (interaction, conversation) = which.unwrap_or(nowhere);
    let taken = model.shut.last().map(|s| s.id).or(model.chats.last().map(|c| c.id));
    let fresh = taken.filter(|_| k % 16 == 2).unwrap_or(InteractionId(Uuid::from_u128(n)));
    (Actor::Customer { conversation }, Wish::ReturnToChat { interaction, fresh })
}

fn transfer(model: &Naive, a: u8, pick: Pick, k: u8, n: u128) -> (Actor, Wish) {
    let to = match k % 5 {
        0 if k == 0 => TransferTo::Queue { queue: QueueId::new("nowhere").unwrap() },
        0 | 1 => TransferTo::Queue { queue: queue(k / 5) },
        2 if k > 250 => TransferTo::Agent { agent: AgentId::new("nobody").unwrap(), warm: false },
        _ => TransferTo::Agent { agent: agent(if k > 20 { a + 1 + k % 2 } else { k }), warm: k % 5 == 4 },
    };
    let note = [None, None, None, Some(10), Some(2_001)][k as usize / 52];
    let interaction = find(model, a, pick);
    let note = note.map(|chars| some_content(n, chars));
    (
        Actor::Agent { agent: agent(a) },
        Wish::Transfer { interaction, to, note, confirmed: k.is_multiple_of(2) },
    )
}

fn supervise(model: &Naive, a: u8, what: u8, pick: Pick, k: u8) -> (Actor, Wish) {
    let interaction = if k.is_multiple_of(16) { find(model, a, Pick::Never) } else { find(model, a, pick) };
    let nobody = AgentId::new("nobody").unwrap();
    let to = if k % 32 == 1 { nobody } else { agent(k / 2) };
    let act = match what {
        0 => SupervisorAct::SetPresence { agent: to, presence: presence(k % 12) },
        1 | 2 => SupervisorAct::Requeue { interaction },
        3 | 4 => SupervisorAct::Assign { interaction, agent: to },
        5 => {
            let ended =
                model.chats.iter().find(|c| c.in_wrap_up()).filter(|_| !k.is_multiple_of(4)).map(|c| c.id);
            SupervisorAct::FinishWrapUp { interaction: ended.unwrap_or(interaction) }
        }
        6 => {
            let open =
                model.chats.iter().find(|c| c.in_progress()).filter(|_| !k.is_multiple_of(4)).map(|c| c.id);
            SupervisorAct::Join { interaction: open.unwrap_or(interaction) }
        }
        _ => {
            let marks = model.blocked.first().cloned().unwrap_or(mark(0));
            SupervisorAct::Unblock { marks: BTreeSet::from([marks]) }
        }
    };
    let reason = match k % 24 {
        5 => " ".to_owned(),
        6 => "x".repeat(201),
        _ => " too slow ".to_owned(),
    };
    (Actor::Agent { agent: agent(a) }, Wish::Supervise { act, reason })
}

/// Opening hours around now: open, closing soon, opening soon, nothing known, nonsense.
fn hours(now: Timestamp, k: u8) -> BTreeMap<ScheduleId, Vec<Open>> {
    let at = |secs: i64| Timestamp(now.0 + secs * 1_000);
    let open = |from: i64, until: i64| Open { from: at(from), until: at(until) };
    let stretches = match k % 8 {
        0 | 1 => vec![open(-60, 100_000)],
        2 => vec![open(-60, 30), open(90, 3_600)],
        3 => vec![open(40, 100), open(100, 4_000)],
        4 => vec![open(-100, -50), open(-50, 20), open(20, 60)],
        5 => Vec::new(),
        6 => vec![open(0, 50), open(40, 60)],
        _ => vec![open(50, 50)],
    };
    let mut hours = BTreeMap::from([(schedule(), stretches)]);
    if k > 128 {
        hours.insert(ScheduleId::new("other").unwrap(), vec![open(10, 20)]);
    }
    hours
}

pub fn schedule() -> ScheduleId {
    ScheduleId::new("office").unwrap()
}

/// For every other draw the call the agent is on.
fn on_call(model: &Naive, a: u8, n: u128) -> Option<InteractionId> {
    let mut calls = model.calls.iter().filter(|_| n.is_multiple_of(2));
    calls.find(|c| c.on_the_phone() == Some(&agent(a))).map(|c| c.id)
}

fn ring(mask: u8, n: u128) -> CallFact {
    let mut agents: Vec<String> =
        (0..3).filter(|i| mask & (1 << i) != 0).map(|i| agent(i).to_string()).collect();
    if mask & 8 != 0 {
        agents.push("4711".to_owned());
    }
    if mask & 0x70 == 0x70 {
        agents.push("nobody".to_owned());
    }
    CallFact::Ringing {
        agents,
        queue: (mask & 16 != 0).then(|| queue(mask >> 5)),
        numbers: some_content(n, 0),
        withheld: mask & 128 != 0,
        direction: if mask & 3 == 3 { Direction::Outbound } else { Direction::Inbound },
    }
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
    let text = some_content(1, 1);
    match kind {
        0 => (nobody, Wish::Connect { session: session(9) }),
        1 => (outside, Wish::Configure { policy: Box::default() }),
        2 => (outside, Wish::EndChat { interaction }),
        3 => (Actor::Daemon, Wish::EndChat { interaction }),
        4 => (Actor::Daemon, Wish::SendMessage { interaction, text }),
        5 => (nobody, Wish::Resume { down: Millis(1) }),
        6 => (outside, Wish::Drain),
        7 => (outside, Wish::SetHours { hours: BTreeMap::new() }),
        8 => (Actor::Daemon, Wish::LeaveMessage { interaction, text }),
        9 => (Actor::Daemon, Wish::ReturnToChat { interaction, fresh: interaction }),
        10 => (outside, Wish::LeaveMessage { interaction, text }),
        11 => (outside, Wish::ReturnToChat { interaction, fresh: interaction }),
        12 => (outside, Wish::SendMessage { interaction, text }),
        13 => {
            let (_, wish) = start(model, 1, false, 7);
            (outside, wish)
        }
        14 => {
            let (by, mut wish) = phone(model, 0, CallFact::Answered { agent: extension(0) });
            if let Wish::ReportCall { interaction: id, call, .. } = &mut wish {
                *id = interaction;
                *call = CallId::new("unheard-of").unwrap();
            }
            (by, wish)
        }
        _ => {
            let (_, wish) = phone(model, 0, CallFact::Ended);
            (outside, wish)
        }
    }
}

/// A call by slot: the slot's present call, or for the last two slots one that is over.
fn phone(model: &Naive, slot: u8, fact: CallFact) -> (Actor, Wish) {
    let over = |slot: u8| model.ended.iter().filter(|c| c.as_str().starts_with(&format!("s{slot}."))).count();
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

pub fn find(model: &Naive, who: u8, pick: Pick) -> InteractionId {
    let never = InteractionId(Uuid::from_u128(999_999));
    let (ids, n): (Vec<InteractionId>, u8) = match pick {
        Pick::Own(n) => (model.inbox(&agent(who)).iter().map(|c| c.id).collect(), n),
        Pick::Joined => (model.guest_at(&agent(who)), 0),
        Pick::Any(n) => (model.chats.iter().map(|c| c.id).collect(), n),
        Pick::Never => (Vec::new(), 0),
    };
    ids.get(n as usize % ids.len().max(1)).copied().unwrap_or(never)
}

/// The open offer of an agent, or one of the past.
fn offer_of(model: &Naive, agent: &AgentId, which: u8) -> Option<OfferId> {
    let open = model.offered(agent).and_then(|c| c.standing()).map(|offer| offer.id);
    let mut past = model.chats.iter().flat_map(|c| &c.past).filter(|(_, to, _)| to == agent);
    match which {
        0 => open,
        5 => Some(OfferId(Uuid::from_u128(77))),
        n => past.nth(n as usize - 1).map(|(id, _, _)| *id),
    }
}

/// What everybody does when everybody works: calls end, agents come, take, open, end and complete.
pub fn diligence(model: &Naive) -> Vec<(Actor, Wish)> {
    let by = |agent: &AgentId| Actor::Agent { agent: agent.clone() };
    let mut wishes = Vec::new();
    for call in &model.calls {
        let (call, interaction, conversation) = (call.name.clone(), call.id, call.conversation);
        let wish = Wish::ReportCall { call, interaction, conversation, fact: CallFact::Ended };
        wishes.push((Actor::Producer { name: "/pbx".to_owned() }, wish));
    }
    for (n, agent) in model.policy.agents.keys().enumerate() {
        if !model.connected(agent) {
            wishes.push((by(agent), Wish::Connect { session: session(n as u8) }));
        }
        let channels = BTreeSet::from([Channel::Chat, Channel::Call]);
        wishes.push((by(agent), Wish::SetAvailability { channels, queues: None }));
        wishes.push((by(agent), Wish::SetPresence { presence: Presence::Available, confirmed: true }));
    }
    for chat in &model.chats {
        let interaction = chat.id;
        match &chat.at {
            Where::Offer(offer) => wishes.push((by(&offer.to), Wish::AcceptOffer { offer: offer.id })),
            Where::Form(_) => wishes.push((customer(model, interaction), Wish::EndChat { interaction })),
            Where::Inbox(item) => {
                wishes.push((by(&item.of), Wish::Activate { interaction }));
                wishes.push((by(&item.of), Wish::EndChat { interaction }));
                wishes.push((by(&item.of), Wish::CompleteWrapUp { interaction }));
            }
            Where::Line => {
                let agents = model.policy.agents.keys();
                wishes.extend(agents.map(|agent| (by(agent), Wish::TakeChat { interaction })));
            }
        }
    }
    wishes
}

/// A wish's name, for the list of what was reached.
pub fn name(wish: &Wish) -> &'static str {
    match wish {
        Wish::Configure { .. } => "Configure",
        Wish::Resume { .. } => "Resume",
        Wish::Drain => "Drain",
        Wish::Connect { .. } => "Connect",
        Wish::Disconnect { .. } => "Disconnect",
        Wish::SetPresence { .. } => "SetPresence",
        Wish::SetAvailability { .. } => "SetAvailability",
        Wish::SetHours { .. } => "SetHours",
        Wish::BeginDay { .. } => "BeginDay",
        Wish::StartChat { .. } => "StartChat",
        Wish::ReturnToChat { .. } => "ReturnToChat",
        Wish::LeaveMessage { .. } => "LeaveMessage",
        Wish::AcceptOffer { .. } => "AcceptOffer",
        Wish::RejectOffer { .. } => "RejectOffer",
        Wish::TakeChat { .. } => "TakeChat",
        Wish::Activate { .. } => "Activate",
        Wish::Park { .. } => "Park",
        Wish::SendMessage { .. } => "SendMessage",
        Wish::SendFile { .. } => "SendFile",
        Wish::Whisper { .. } => "Whisper",
        Wish::SendNotice { .. } => "SendNotice",
        Wish::Transfer { .. } => "Transfer",
        Wish::CancelTransfer { .. } => "CancelTransfer",
        Wish::HandOver { .. } => "HandOver",
        Wish::LeaveChat { .. } => "LeaveChat",
        Wish::ShareHistory { .. } => "ShareHistory",
        Wish::OpenCase { .. } => "OpenCase",
        Wish::FlagAbuse { .. } => "FlagAbuse",
        Wish::FillScript { .. } => "FillScript",
        Wish::Supervise { act, .. } => match act {
            SupervisorAct::SetPresence { .. } => "Supervise.SetPresence",
            SupervisorAct::Requeue { .. } => "Supervise.Requeue",
            SupervisorAct::Assign { .. } => "Supervise.Assign",
            SupervisorAct::FinishWrapUp { .. } => "Supervise.FinishWrapUp",
            SupervisorAct::Join { .. } => "Supervise.Join",
            SupervisorAct::Unblock { .. } => "Supervise.Unblock",
        },
        Wish::EndChat { .. } => "EndChat",
        Wish::SeeEnd { .. } => "SeeEnd",
        Wish::ExtendWrapUp { .. } => "ExtendWrapUp",
        Wish::CompleteWrapUp { .. } => "CompleteWrapUp",
        Wish::Classify { .. } => "Classify",
        Wish::ChooseContact { .. } => "ChooseContact",
        Wish::ReportCall { .. } => "ReportCall",
        Wish::ReportLookup { .. } => "ReportLookup",
        Wish::ReportDelivery { .. } => "ReportDelivery",
    }
}
