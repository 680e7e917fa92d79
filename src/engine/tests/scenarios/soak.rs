//! Whatever is wished in whatever order, what agents and chats say of each other fits, nobody who is free is forgotten,
//! and every deadline moves something. The harness looks at the indexes after every event.

use crate::centre::*;
use crate::staff::*;
use std::collections::BTreeMap;
use tieline_engine::Stage;
use tieline_model::command::{CallFact, Presence, SupervisorAct, TransferTo};
use tieline_model::crm::{Channel, Direction};
use tieline_model::policy::{
    After, Delivery, FullLimit, OfferWhen, OverflowTo, Strategy, TenantPolicy, WaitLimit, WrapUp,
};
use tieline_model::{Actor, AgentId, CallId, ConversationId, InteractionId, Millis, OfferId, Wish};
use uuid::Uuid;

const AGENTS: [&str; 5] = ["anna", "ben", "cleo", "dan", "sue"];
const QUEUES: [&str; 3] = ["support", "sales", "desk"];
const SKILLS: [&str; 3] = ["french", "law", "cars"];
const SCRIPTS: u64 = 12;
const STEPS: usize = 150;

/// What all scripts together must reach for the test to say anything.
const REACHED: [&str; 20] = [
    "accepted by",
    "rejected by",
    "missed by",
    "withdrawn from",
    "may go to",
    "relaxed by",
    "(Auto)",
    "(Taken)",
    "(Supervisor)",
    "(Closed)",
    "(Unstaffed)",
    "(Waited)",
    "(Full)",
    "to the offline form",
    "(Unopened)",
    "(AgentLost)",
    "(Lost)",
    "(WishGranted)",
    "(Removed)",
    "resumed after",
];

/// xorshift64*: the same scripts in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        usize::try_from(self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33).unwrap() % n
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }

    fn small(&mut self, n: usize) -> u64 {
        u64::try_from(self.below(n)).unwrap()
    }
}

fn overflow(dice: &mut Dice) -> OverflowTo {
    match dice.below(4) {
        0 => OverflowTo::OfflineForm,
        1 | 2 => to_queue(dice.pick(&QUEUES)),
        _ => OverflowTo::Wait,
    }
}

fn draws_queue(p: &mut TenantPolicy, dice: &mut Dice, name: &str) {
    let q = adds_queue(p, name);
    q.delivery = dice.pick(&[Delivery::Offer, Delivery::Offer, Delivery::Auto, Delivery::Pull]);
    q.offer_when = dice.pick(&[OfferWhen::AllParked, OfferWhen::BelowCapacity, OfferWhen::Idle]);
    q.strategy = dice.pick(&[Strategy::LongestIdle, Strategy::LeastLoaded, Strategy::Sticky]);
    q.after_miss = dice.pick(&[After::Stay, After::OnBreak]);
    q.after_reject = dice.pick(&[After::Stay, After::OnBreak]);
    q.accept_within = dice.pick(&[Millis::secs(30), Millis::secs(120)]);
    q.units = dice.pick(&[1, 1, 2]);
    q.priority = dice.pick(&[0, 0, 3]);
    q.may_interrupt.clear();
    if dice.one_in(4) {
        q.may_interrupt.insert(dice.pick(&[Channel::Chat, Channel::Call]));
    }
    q.skills = if dice.one_in(3) { needs(&[(dice.pick(&SKILLS), 2)]) } else { BTreeMap::new() };
    q.relax_after = dice.one_in(2).then(|| Millis::secs(40));
    q.hours = dice.one_in(3).then(|| schedule("office"));
    q.overflow.closed = overflow(dice);
    q.overflow.unstaffed = overflow(dice);
    q.overflow.waited = dice.one_in(3).then(|| WaitLimit { after: Millis::secs(100), then: overflow(dice) });
    q.overflow.full = dice.one_in(3).then(|| FullLimit { chats: 2, then: overflow(dice) });
    if dice.one_in(3) {
        q.wrap_up = WrapUp { time: None, max: Some(Millis::secs(300)), ..WrapUp::default() };
    }
}

fn draws(p: &mut TenantPolicy, dice: &mut Dice) {
    p.ageing = dice.one_in(2).then(|| Millis::secs(30));
    p.calls.wrap_up = dice.one_in(2).then(WrapUp::default);
    for name in QUEUES {
        draws_queue(p, dice, name);
    }
    for name in AGENTS {
        let served: Vec<&str> = QUEUES.into_iter().filter(|_| !dice.one_in(3)).collect();
        adds_agent(p, name, &served);
        let skills: Vec<(&str, u8)> = SKILLS
            .into_iter()
            .map(|s| (s, dice.pick(&[0, 0, 1, 2, 5])))
            .filter(|(_, level)| *level > 0)
            .collect();
        can(p, name, &skills);
        of(p, name).supervisor = name == "sue";
    }
}

fn presence(dice: &mut Dice) -> Presence {
    match dice.below(6) {
        0 => Presence::Offline,
        1 => Presence::StopNew,
        2 => on_break("lunch"),
        _ => Presence::Available,
    }
}

fn act(dice: &mut Dice, n: u128) -> SupervisorAct {
    let name = dice.pick(&AGENTS);
    match dice.below(5) {
        0 => set(name, presence(dice)),
        1 => SupervisorAct::Requeue { interaction: chat(n) },
        2 => assign(n, name),
        3 => SupervisorAct::FinishWrapUp { interaction: chat(n) },
        _ => SupervisorAct::Join { interaction: chat(n) },
    }
}

/// The offer, of whatever kind, that an agent has.
fn offer_of(c: &Centre, who: &AgentId) -> Option<OfferId> {
    let chat = c.engine.chat(c.engine.agent(who)?.offered?)?;
    match &chat.stage {
        Stage::Offered(offer) => Some(offer.id),
        Stage::Waiting | Stage::Owned { .. } | Stage::Form { .. } => Some(chat.transfer.as_ref()?.offer.id),
    }
}

fn agent_does(c: &mut Centre, dice: &mut Dice, name: &str, n: u128) {
    let who = agent(name);
    let interaction =
        c.engine.agent(&who).and_then(|a| a.active).filter(|_| dice.one_in(2)).unwrap_or(chat(n));
    let offer = offer_of(c, &who);
    let wish = match (dice.below(17), offer) {
        (0..=4, Some(offer)) => Wish::AcceptOffer { offer },
        (5, Some(offer)) => Wish::RejectOffer { offer },
        (0 | 1, None) => Wish::TakeChat { interaction },
        (2..=4, None) => Wish::Activate { interaction },
        (5, None) => Wish::Park { interaction },
        (6, _) => Wish::SetPresence { presence: presence(dice), confirmed: dice.one_in(2) },
        (7, _) => Wish::SetAvailability {
            channels: only(dice.pick(&[
                &[Channel::Chat][..],
                &[Channel::Call],
                &[Channel::Chat, Channel::Call],
            ])),
            queues: dice.one_in(2).then(|| [queue(dice.pick(&QUEUES))].into()),
        },
        (8, _) => Wish::EndChat { interaction },
        (9, _) => Wish::CompleteWrapUp { interaction },
        (10, _) => Wish::Transfer {
            interaction,
            to: TransferTo::Queue { queue: queue(dice.pick(&QUEUES)) },
            note: None,
            confirmed: true,
        },
        (11, _) => Wish::Transfer {
            interaction,
            to: to_agent(dice.pick(&AGENTS), dice.one_in(2)),
            note: None,
            confirmed: true,
        },
        (12, _) => Wish::HandOver { interaction, agent: agent(dice.pick(&AGENTS)) },
        (13, _) => Wish::CancelTransfer { interaction },
        (14, _) => Wish::LeaveChat { interaction },
        (15, _) => Wish::Supervise { act: act(dice, n), reason: "because".to_owned() },
        (_, _) => Wish::SendMessage { interaction, text: text(3) },
    };
    c.tries(Actor::Agent { agent: who }, wish);
}

fn customer_does(c: &mut Centre, dice: &mut Dice, n: u128) {
    let by = Actor::Customer { conversation: ConversationId(Uuid::from_u128(1_000 + n)) };
    let wish = match dice.below(5) {
        0 | 1 => Wish::SendMessage { interaction: chat(n), text: text(3) },
        2 => Wish::LeaveMessage { interaction: chat(n), text: text(3) },
        3 => Wish::ReturnToChat { interaction: chat(n), fresh: chat(10_000 + n) },
        _ => Wish::EndChat { interaction: chat(n) },
    };
    c.tries(by, wish);
}

fn call_does(c: &mut Centre, dice: &mut Dice) {
    let n = dice.small(4);
    let (interaction, conversation) = (InteractionId(Uuid::from_u128(70_000 + u128::from(n))), 80_000);
    let name = (dice.pick(&AGENTS)).to_owned();
    let fact = match dice.below(4) {
        0 => CallFact::Ringing {
            agents: vec![name],
            queue: None,
            numbers: text(1),
            withheld: false,
            direction: Direction::Inbound,
        },
        1 => CallFact::Answered { agent: name },
        _ => CallFact::Ended,
    };
    let call = CallId::new(format!("c{n}")).unwrap();
    let conversation = ConversationId(Uuid::from_u128(conversation));
    let by = Actor::Producer { name: "/pbx".to_owned() };
    c.tries(by, Wish::ReportCall { call, interaction, conversation, fact });
}

fn starts(c: &mut Centre, dice: &mut Dice, n: u128) {
    let marks = [dice.pick(&["m1", "m2", "m3"])];
    let skills: &[&str] = if dice.one_in(3) { &[dice.pick(&SKILLS)] } else { &[] };
    let by = Actor::Customer { conversation: ConversationId(Uuid::from_u128(1_000 + n)) };
    let wish = chat_wish(n, dice.pick(&QUEUES), &With { skills, marks: &marks });
    c.tries(by, wish);
}

fn step(c: &mut Centre, dice: &mut Dice, came: &mut u128) {
    let n = u128::from(dice.small(usize::try_from(*came).unwrap() + 1)) + 1;
    match dice.below(24) {
        0..=3 => {
            *came += 1;
            starts(c, dice, *came);
        }
        4 | 5 => customer_does(c, dice, n),
        6 | 7 => call_does(c, dice),
        8 => {
            let (name, n) = (dice.pick(&AGENTS), u128::from(dice.small(2)));
            disconnects_at(c, name, n);
        }
        9 | 10 => {
            let (name, n) = (dice.pick(&AGENTS), u128::from(dice.small(2)));
            c.tries(Actor::Agent { agent: agent(name) }, Wish::Connect { session: session(name, n) });
        }
        11 if dice.one_in(3) => {
            let mut policy = c.policy();
            draws(&mut policy, dice);
            if dice.one_in(3) {
                policy.agents.remove(&agent("dan"));
            }
            c.tries(Actor::Daemon, Wish::Configure { policy: Box::new(policy) });
        }
        12 if dice.one_in(3) => {
            let from = dice.small(60);
            sets_hours(c, "office", &[(from, from + 1 + dice.small(100)), (400, 500)]);
        }
        13 if dice.one_in(4) => c.restarts_after(dice.small(50)),
        _ => {
            let name = dice.pick(&AGENTS);
            agent_does(c, dice, name, n);
        }
    }
}

fn fits(c: &Centre) {
    for chat in c.engine.chats() {
        let says = |who: &AgentId| c.engine.agent(who).expect("known");
        match &chat.stage {
            Stage::Offered(offer) => assert_eq!(says(&offer.agent).offered, Some(chat.id)),
            Stage::Owned { agent, .. } => assert!(says(agent).inbox.contains(&chat.id)),
            Stage::Waiting | Stage::Form { .. } => assert!(chat.guests.is_empty() && chat.transfer.is_none()),
        }
        if let Some(transfer) = &chat.transfer {
            assert_eq!(says(&transfer.offer.agent).offered, Some(chat.id));
        }
        for (guest, kind) in &chat.guests {
            assert_eq!(says(guest).guest_at.get(&chat.id), Some(kind));
        }
    }
    for (id, agent) in c.engine.agents() {
        for at in agent.guest_at.keys() {
            assert!(c.engine.chat(*at).is_some_and(|chat| chat.guests.contains_key(id)), "{id} at {at}");
        }
        let offered = agent.offered.map(|chat| c.engine.chat(chat));
        assert!(
            offered.is_none_or(|chat| chat.is_some()) && (offered.is_none() || offer_of(c, id).is_some())
        );
    }
}

// proves A4, A5, A11, A16
#[test]
fn whatever_is_wished_agents_and_chats_agree_and_nobody_is_forgotten() {
    let mut missing: Vec<&str> = REACHED.to_vec();
    for seed in 1..=SCRIPTS {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut c = Centre::closed(|p| draws(p, &mut dice));
        for name in AGENTS {
            arrives(&mut c, name);
        }
        let mut came = 0;
        for _ in 0..STEPS {
            step(&mut c, &mut dice, &mut came);
            fits(&c);
            let waits = [0, 0, 500, 5_000, 30_000, 120_000];
            c.after_ms(dice.pick(&waits));
            fits(&c);
        }
        // Left to themselves, chats and agents come to rest: nobody stays and waits for ever on a deadline.
        c.after(3_600);
        fits(&c);
        let happened = c.happened();
        missing.retain(|what| !happened.iter().any(|line| line.contains(what)));
    }
    assert_eq!(missing, NOTHING, "never happened in {SCRIPTS} scripts");
}
