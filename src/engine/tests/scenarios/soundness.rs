//! What holds of chats, agents and what lies between them after any sequence of acts (B1, B12): random scripts of a
//! small centre in which everybody does everything, many of them refused.

use crate::centre::*;
use crate::verbs::*;
use std::collections::BTreeSet;
use tieline_engine::{Stage, Talk};
use tieline_model::command::{Notice, Presence, SupervisorAct, TransferTo};
use tieline_model::event::Guest;
use tieline_model::live::Place;
use tieline_model::policy::{
    After, AfterCall, Delivery, InactivityMode, OfferWhen, OverflowTo, ParkOn, TenantPolicy, WrapUp,
};
use tieline_model::{Actor, InteractionId, Millis, OfferId, Wish};

const AGENTS: [&str; 4] = ["anna", "ben", "carla", "dan"];
const CHATS: u64 = 60;

/// What all scripts together must reach for the test to say anything.
const REACHED: [&str; 22] = [
    "transferred by",
    "transfer offered by",
    "accepted by",
    ", warm",
    "failed (Rejected)",
    "failed (Missed)",
    "TransferCancelled",
    "CustomerLeft",
    "(Call)",
    "handed over by",
    "left by",
    "reopened with",
    "overflowed from",
    "MessageLeft",
    "Abandoned",
    "(Unopened)",
    "(AgentLost)",
    "(AgentOffline)",
    "(Supervisor)",
    "notice Nudge",
    "ended by System",
    "parked for",
];

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }

    fn of<T: Clone>(&mut self, all: &[T]) -> T {
        all[usize::try_from(self.below(all.len() as u64)).unwrap()].clone()
    }

    fn agent(&mut self) -> &'static str {
        self.of(&AGENTS)
    }

    /// A chat; most often one that is open.
    fn n(&mut self, c: &Centre) -> u128 {
        let open: Vec<u128> = c.engine.chats().map(|chat| chat.id.0.as_u128()).collect();
        if open.is_empty() || self.below(5) == 0 { u128::from(self.below(CHATS)) + 1 } else { self.of(&open) }
    }
}

fn settings(dice: &mut Dice, p: &mut TenantPolicy) {
    with_billing(p);
    p.agents.insert(agent("dan"), serving(&["support", "billing"]));
    of(p, "dan").supervisor = true;
    p.calls.park_on = dice.of(&[ParkOn::Answered, ParkOn::Ringing]);
    p.calls.after_call = dice.of(&[AfterCall::ResumeWrapUp, AfterCall::ResumeLast]);
    p.calls.wrap_up = dice.of(&[None, Some(WrapUp::default())]);
    for name in ["support", "billing"] {
        let rules = p.queues.get_mut(&queue(name)).unwrap();
        rules.delivery = dice.of(&[Delivery::Offer, Delivery::Offer, Delivery::Auto, Delivery::Pull]);
        rules.offer_when = dice.of(&[OfferWhen::AllParked, OfferWhen::BelowCapacity, OfferWhen::Idle]);
        rules.after_miss = dice.of(&[After::OnBreak, After::Stay]);
        rules.inactivity.mode =
            dice.of(&[InactivityMode::Off, InactivityMode::Suggest, InactivityMode::Auto]);
        rules.inactivity.nudge_after = Millis::secs(40);
        rules.inactivity.end_after = Millis::secs(20);
        rules.units = dice.of(&[1, 2]);
        rules.overflow.unstaffed = dice.of(&[
            OverflowTo::Wait,
            OverflowTo::OfflineForm,
            OverflowTo::Queue { queue: queue("support") },
        ]);
    }
}

fn wish(c: &Centre, dice: &mut Dice, by: &str) -> Wish {
    let n = dice.n(c);
    let interaction = item(c, dice, by, n);
    // What one act in a hundred would reach is reached more often.
    if c.engine.agent(&agent(by)).is_some_and(|agent| agent.offered.is_some()) && dice.below(3) == 0 {
        let offer = offered(c, by);
        return if dice.below(4) == 0 { Wish::RejectOffer { offer } } else { Wish::AcceptOffer { offer } };
    }
    let joined = c.engine.inbox(&agent(by)).find(|chat| !chat.guests.is_empty());
    if let Some(chat) = joined.filter(|_| dice.below(6) == 0) {
        let guests: Vec<_> = chat.guests.keys().cloned().collect();
        return Wish::HandOver { interaction: chat.id, agent: dice.of(&guests) };
    }
    match dice.below(25) {
        0 | 1 => Wish::SetPresence {
            presence: dice.of(&[
                Presence::Available,
                Presence::Available,
                Presence::Available,
                Presence::Available,
                Presence::Available,
                Presence::StopNew,
                Presence::Offline,
                on_break("lunch"),
            ]),
            confirmed: dice.below(2) == 0,
        },
        2..=5 => Wish::AcceptOffer { offer: offered(c, by) },
        6 => Wish::RejectOffer { offer: offered(c, by) },
        7 => Wish::TakeChat { interaction: chat(n) },
        8 | 9 => Wish::Activate { interaction },
        10 => Wish::Park { interaction },
        11 | 12 => Wish::SendMessage { interaction, text: text(1) },
        13 => Wish::SendNotice { interaction, notice: dice.of(&[Notice::Nudge, Notice::FewMinutes]) },
        14 => Wish::Transfer {
            interaction,
            to: TransferTo::Queue { queue: queue(dice.of(&["support", "billing"])) },
            note: None,
            confirmed: true,
        },
        15..=17 => Wish::Transfer {
            interaction,
            to: TransferTo::Agent { agent: agent(dice.agent()), warm: dice.below(2) == 0 },
            note: None,
            confirmed: true,
        },
        18 => Wish::CancelTransfer { interaction },
        19 => Wish::HandOver { interaction, agent: agent(dice.agent()) },
        20 => Wish::LeaveChat { interaction: chat(n) },
        21 => Wish::EndChat { interaction },
        22 => Wish::CompleteWrapUp { interaction },
        _ => {
            let agent = agent(dice.agent());
            let act = match dice.below(8) {
                0 => SupervisorAct::Requeue { interaction: chat(n) },
                1 => SupervisorAct::Assign { interaction: chat(n), agent },
                2 => SupervisorAct::FinishWrapUp { interaction: chat(n) },
                3..=5 => SupervisorAct::SetPresence {
                    agent,
                    presence: dice.of(&[Presence::Available, Presence::Available, Presence::Offline]),
                },
                _ => SupervisorAct::Join { interaction: chat(n) },
            };
            Wish::Supervise { act, reason: "as agreed".to_owned() }
        }
    }
}

/// Most often something of the agent's own, so that most acts are not refused.
fn item(c: &Centre, dice: &mut Dice, by: &str, n: u128) -> InteractionId {
    let own: Vec<InteractionId> = c.engine.inbox(&agent(by)).map(|chat| chat.id).collect();
    if own.is_empty() || dice.below(5) == 0 { chat(n) } else { dice.of(&own) }
}

fn offered(c: &Centre, by: &str) -> OfferId {
    let some = c.engine.agent(&agent(by)).is_some_and(|agent| agent.offered.is_some());
    if some { c.offer(by) } else { OfferId(uuid::Uuid::nil()) }
}

fn something_happens(c: &mut Centre, dice: &mut Dice, sessions: &mut BTreeSet<&'static str>) {
    let n = dice.n(c);
    match dice.below(22) {
        0..=9 => {
            let by = dice.agent();
            let wish = wish(c, dice, by);
            c.tries(Actor::Agent { agent: agent(by) }, wish);
        }
        10 | 11 => {
            let n = u128::from(dice.below(CHATS)) + 1;
            let by = Actor::Customer { conversation: c.conversation_of(n) };
            let start = c.customer(n).start_of(dice.of(&["support", "billing"]));
            c.tries(by, start);
        }
        12 | 13 => {
            let by = Actor::Customer { conversation: c.conversation_of(n) };
            let interaction = chat(n);
            let wish = match dice.below(4) {
                0 => Wish::EndChat { interaction },
                1 => Wish::ReturnToChat { interaction, fresh: chat(u128::from(100 + dice.below(1_000_000))) },
                2 => Wish::LeaveMessage { interaction, text: text(1) },
                _ => Wish::SendMessage { interaction, text: text(1) },
            };
            c.tries(by, wish);
        }
        14 | 15 => {
            let on: Vec<String> = c.engine.calls().map(|call| call.call.to_string()).collect();
            let fresh = on.is_empty() || (on.len() < 3 && dice.below(3) == 0);
            let call = if fresh { format!("c{}", dice.below(1_000)) } else { dice.of(&on) };
            let by = dice.agent();
            match dice.below(6) {
                0 => c.call(&call).rings_at(&[by]),
                1 => c.call(&call).answered_by(by),
                2 => c.call(&call).dialled_by(by),
                _ => c.call(&call).ends(),
            }
        }
        16 => {
            let by = dice.agent();
            if sessions.insert(by) {
                c.agent(by).connects();
            } else if dice.below(4) == 0 {
                sessions.remove(by);
                c.agent(by).disconnects();
            }
        }
        17 if dice.below(20) == 0 => {
            c.restarts_after(dice.below(300));
            sessions.clear();
        }
        17 => c.after(dice.below(3)),
        18 => c.after(dice.below(20)),
        // Somebody comes back to work.
        19 | 20 => {
            let by = dice.agent();
            if sessions.insert(by) {
                c.agent(by).connects();
            }
            let presence = Presence::Available;
            c.tries(Actor::Agent { agent: agent(by) }, Wish::SetPresence { presence, confirmed: true });
        }
        _ => c.after(dice.below(3) * dice.below(60)),
    }
}

fn check(c: &Centre, script: u64) {
    for chat in c.engine.chats() {
        let id = chat.id;
        match &chat.stage {
            Stage::Owned { agent, talk, place } => {
                let owner = c.engine.agent(agent).unwrap();
                assert!(owner.inbox.contains(&id), "script {script}: {chat:?}");
                assert_eq!(owner.active == Some(id), *place == Place::Active, "script {script}: {chat:?}");
                assert_eq!(chat.last_agent.as_ref().unwrap_or(agent), agent, "script {script}");
                if let Talk::WrapUp { .. } = talk {
                    assert!(chat.transfer.is_none() && chat.guests.is_empty(), "script {script}: {chat:?}");
                    assert!(chat.silence.is_none(), "script {script}: {chat:?}");
                }
            }
            Stage::Waiting | Stage::Offered(_) | Stage::Form { .. } => {
                assert!(chat.transfer.is_none() && chat.guests.is_empty(), "script {script}: {chat:?}");
                assert!(chat.silence.is_none() && chat.suggested.is_empty(), "script {script}: {chat:?}");
            }
        }
        if let Some(transfer) = &chat.transfer {
            let to = c.engine.agent(&transfer.offer.agent).unwrap();
            assert_eq!(to.offered, Some(id), "script {script}: {chat:?}");
        }
        for (guest, capacity) in &chat.guests {
            let at = &c.engine.agent(guest).unwrap().guest_at;
            assert_eq!(at.get(&id), Some(capacity), "script {script}: {chat:?}");
        }
    }
    for (name, state) in c.engine.agents() {
        for id in &state.inbox {
            let chat = c.engine.chat(*id).expect("open");
            assert!(matches!(&chat.stage, Stage::Owned { agent, .. } if agent == name), "script {script}");
        }
        for id in state.guest_at.keys() {
            let chat = c.engine.chat(*id).expect("open");
            assert!(chat.guests.contains_key(name), "script {script}: {name} at {chat:?}");
            assert!(!state.inbox.contains(id), "script {script}: a guest at one's own chat");
        }
        if let Some(id) = state.offered {
            let chat = c.engine.chat(id).expect("open");
            let offer = match (&chat.stage, &chat.transfer) {
                (Stage::Offered(offer), _) => offer,
                (_, Some(transfer)) => &transfer.offer,
                _ => panic!("script {script}: {name} is offered {chat:?}"),
            };
            assert_eq!(&offer.agent, name, "script {script}");
            assert!(offer.deadline > c.now, "script {script}: an offer past its deadline");
            assert_eq!(state.presence, Presence::Available, "script {script}: {name}");
        }
        if state.presence == Presence::Offline {
            // A supervisor may look in without being at work as an agent.
            let consulted = state.guest_at.values().any(|guest| *guest == Guest::Consulted);
            assert!(!consulted, "script {script}: {name}");
            let in_progress = c.engine.inbox(name).filter(|chat| !in_wrap_up(chat)).count();
            assert_eq!(in_progress, 0, "script {script}: {name} is Offline");
        }
    }
}

// proves B1, B12, A4, A5, F5
#[test]
fn whatever_is_done_in_whatever_order_every_chat_has_one_place() {
    let mut happened = 0;
    let mut reached = REACHED.map(|mark| (0, mark));
    for script in 0..200 {
        let mut dice = Dice(script);
        let mut c = Centre::closed(|p| settings(&mut dice, p));
        c.watched = false;
        let mut sessions = BTreeSet::new();
        for name in AGENTS {
            c.agent(name).connects();
            c.agent(name).goes(Presence::Available);
            sessions.insert(name);
        }
        for _ in 0..300 {
            something_happens(&mut c, &mut dice, &mut sessions);
            check(&c, script);
        }
        assert_eq!(c.engine.index_fault(), None, "script {script}");
        let told = c.happened();
        happened += told.len();
        for (seen, mark) in reached.iter_mut() {
            *seen += told.iter().filter(|line| line.contains(*mark)).count();
        }
    }
    assert!(happened > 20_000, "too quiet: {happened}");
    for (seen, mark) in &reached {
        assert!(*seen >= 5, "`{mark}` was seen {seen} times only: {reached:?}");
    }
}
