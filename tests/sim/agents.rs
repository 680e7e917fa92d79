//! Agents at work: they see their own desk and do whatever a panel offers, sensible or not.

use super::policy::{AGENTS, CODES, QUEUES, agent_id, queue_id};
use super::world::{Deed, World, file, message, with};
use std::collections::BTreeSet;
use tieline_engine::{Engine, Stage, Talk};
use tieline_model::command::{Notice, Presence, TransferTo};
use tieline_model::content::{Content, Remarks};
use tieline_model::crm::{Channel, Record};
use tieline_model::live::Place;
use tieline_model::{
    Actor, AgentId, ConversationId, Event, InteractionId, OfferId, QueueId, RecordId, SessionId, Wish,
};

/// An item in an inbox.
#[derive(Clone)]
pub struct Item {
    pub id: InteractionId,
    pub conversation: ConversationId,
    pub place: Place,
    pub ended: bool,
    pub is_call: bool,
    pub transferring: bool,
    pub guests: Vec<AgentId>,
}

/// What an agent sees of the own desk.
pub struct Desk {
    pub presence: Presence,
    pub wish: Option<Presence>,
    pub sessions: BTreeSet<SessionId>,
    pub offer: Option<OfferId>,
    pub items: Vec<Item>,
    pub pull: Vec<InteractionId>,
    pub on_call: Vec<InteractionId>,
    /// Chats of others the agent has joined.
    pub guest_at: Vec<(InteractionId, ConversationId)>,
    pub narrowed: bool,
    pub queues: BTreeSet<QueueId>,
}

pub fn desk(engine: &Engine, agent: &AgentId) -> Desk {
    let state = engine.agent(agent).cloned().unwrap_or_default();
    let offer = state.offered.and_then(|id| engine.chat(id)).and_then(|chat| match &chat.stage {
        Stage::Offered(offer) => Some(offer.id),
        Stage::Owned { .. } => chat.transfer.as_ref().map(|transfer| transfer.offer.id),
        Stage::Waiting | Stage::Form { .. } => None,
    });
    let items = engine.inbox(agent).filter_map(|chat| match &chat.stage {
        Stage::Owned { place, talk, .. } => Some(Item {
            id: chat.id,
            conversation: chat.conversation,
            place: *place,
            ended: matches!(talk, Talk::WrapUp { .. }),
            is_call: chat.channel == Channel::Call,
            transferring: chat.transfer.is_some(),
            guests: chat.guests.keys().cloned().collect(),
        }),
        Stage::Waiting | Stage::Offered(_) | Stage::Form { .. } => None,
    });
    let joined = state.guest_at.keys().filter_map(|id| Some((*id, engine.chat(*id)?.conversation)));
    Desk {
        offer,
        items: items.collect(),
        pull: engine.queue_waiting(&queue_id("shelf")),
        on_call: state.calls.iter().copied().collect(),
        guest_at: joined.collect(),
        narrowed: state.queues.is_some() || state.channels.len() < 2,
        queues: engine.policy().agents.get(agent).map(|p| p.queues.clone()).unwrap_or_default(),
        presence: state.presence,
        wish: state.wish,
        sessions: state.sessions,
    }
}

/// One agent at work until the simulation ends.
pub async fn agent(world: World, name: &'static str) {
    let id = agent_id(name);
    let by = Actor::Agent { agent: id.clone() };
    loop {
        world.pause(50, 4_000).await;
        let who = id.clone();
        let Some(desk) = world.look(move |engine| desk(engine, &who)).await else { continue };
        if desk.sessions.is_empty() && world.chance.one_in(6) {
            // Away from the desk, for long enough to be lost some of the time.
            world.pause(1_000, 25_000).await;
        }
        let (by, deed) = match panels(&world, &id, &desk) {
            Some((by, wish)) => (by, Some(wish.into())),
            None => (by.clone(), next(&world, &desk)),
        };
        let Some(deed) = deed else { continue };
        let answer = world.ask(by, world.id(name), || deed.clone()).await;
        if let Ok(done) = &answer {
            let foreign = done.events.iter().any(|row| match &row.event {
                Event::OfferAccepted { agent, .. } => *agent != id,
                _ => false,
            });
            if foreign {
                world.wrong(format!("{id} accepted for somebody else: {done:?}"));
            }
        }
    }
}

/// Panels come and go; the daemon notices that one is gone.
fn panels(world: &World, id: &AgentId, desk: &Desk) -> Option<(Actor, Wish)> {
    let dice = &world.chance;
    if desk.sessions.is_empty() || desk.sessions.len() < 2 && dice.one_in(80) {
        let wish = Wish::Connect { session: SessionId(world.uuid()) };
        return Some((Actor::Agent { agent: id.clone() }, wish));
    }
    if dice.one_in(50) {
        let session = *desk.sessions.first()?;
        return Some((Actor::Daemon, Wish::Disconnect { agent: id.clone(), session }));
    }
    None
}

fn next(world: &World, desk: &Desk) -> Option<Deed> {
    let dice = &world.chance;
    if let Some(wish) = presence(world, desk) {
        return Some(wish.into());
    }
    if let Some(offer) = desk.offer {
        return match dice.below(10) {
            0 => Some(Wish::RejectOffer { offer }.into()),
            1..=6 => Some(Wish::AcceptOffer { offer }.into()),
            _ => None,
        };
    }
    if let Some(interaction) = desk.pull.first()
        && dice.one_in(3)
    {
        return Some(Wish::TakeChat { interaction: *interaction }.into());
    }
    if let Some((id, conversation)) = world.pick(&desk.guest_at)
        && dice.one_in(3)
    {
        return Some(as_guest(world, *id, *conversation));
    }
    if let Some(call) = desk.on_call.first()
        && dice.one_in(6)
    {
        let interaction = *call;
        return Some(Wish::Classify { interaction, codes: vec![CODES[0].to_owned()], remarks: None }.into());
    }
    let item = world.pick(&desk.items)?;
    // Most of what is done fits; the rest is what a slow or a clumsy panel sends.
    match if dice.one_in(25) { dice.below(2) } else { u64::from(item.ended) } {
        0 => in_progress(world, item),
        _ => in_wrap_up(world, item),
    }
}

fn presence(world: &World, desk: &Desk) -> Option<Wish> {
    let dice = &world.chance;
    let set = |presence, confirmed| Some(Wish::SetPresence { presence, confirmed });
    match dice.below(240) {
        0..=3 => set(Presence::Offline, dice.one_in(2)),
        4..=8 => set(Presence::OnBreak { reason: "lunch".to_owned() }, false),
        9..=11 => set(Presence::StopNew, false),
        12..=14 => {
            let queues = dice.one_in(2).then(|| desk.queues.iter().take(2).cloned().collect());
            let channels = match dice.below(3) {
                0 => BTreeSet::from([Channel::Call]),
                1 => BTreeSet::from([Channel::Chat]),
                _ => BTreeSet::from([Channel::Chat, Channel::Call]),
            };
            Some(Wish::SetAvailability { channels, queues })
        }
        _ if desk.presence != Presence::Available && desk.wish.is_none() && dice.one_in(2) => {
            set(Presence::Available, false)
        }
        _ if desk.narrowed && dice.one_in(10) => Some(everywhere()),
        _ => None,
    }
}

/// Available on everything again.
pub fn everywhere() -> Wish {
    Wish::SetAvailability { channels: BTreeSet::from([Channel::Chat, Channel::Call]), queues: None }
}

fn as_guest(world: &World, interaction: InteractionId, conversation: ConversationId) -> Deed {
    match world.chance.below(4) {
        0 => message(conversation, interaction, &format!("a guest says {}", world.chance.roll())),
        1 | 2 => whisper(world, interaction, conversation),
        _ => Wish::LeaveChat { interaction }.into(),
    }
}

fn whisper(world: &World, interaction: InteractionId, conversation: ConversationId) -> Deed {
    let text = format!("{} {}", super::WHISPER, world.chance.roll());
    with(conversation, Content::Message { text }, |text| Wish::Whisper { interaction, text })
}

fn in_progress(world: &World, item: &Item) -> Option<Deed> {
    let dice = &world.chance;
    let (interaction, conversation) = (item.id, item.conversation);
    let say = || message(conversation, interaction, &format!("an agent says {}", dice.roll()));
    if let Some(guest) = world.pick(&item.guests)
        && dice.one_in(4)
    {
        let agent = guest.clone();
        return Some(Wish::HandOver { interaction, agent }.into());
    }
    let deed = match (item.place, dice.below(24)) {
        (Place::New, 0..=15) | (Place::Parked, 0..=9) => Wish::Activate { interaction }.into(),
        (Place::Active, 0..=7) => say(),
        (_, 8) => file(conversation, interaction, &format!("an agent's file {}.txt", dice.roll())),
        (Place::Active, 9 | 10) => Wish::Park { interaction }.into(),
        (_, 11) => transfer(world, item),
        (_, 12) if item.transferring => Wish::CancelTransfer { interaction }.into(),
        (_, 13) => Wish::ShareHistory { interaction }.into(),
        (_, 14) => Wish::OpenCase { interaction }.into(),
        (_, 15) if dice.one_in(4) => flag(conversation, interaction),
        (_, 16) => fill_script(conversation, interaction, dice.roll()),
        (_, 17) => {
            let notice = *world.pick(&[Notice::Nudge, Notice::FewMinutes, Notice::Closing])?;
            Wish::SendNotice { interaction, notice }.into()
        }
        (_, 18) if !item.guests.is_empty() => whisper(world, interaction, conversation),
        (_, 19) => choose_contact(world, interaction),
        (_, 20) => classify(world, item),
        (_, 21 | 22) => Wish::EndChat { interaction }.into(),
        _ => return None,
    };
    Some(deed)
}

fn in_wrap_up(world: &World, item: &Item) -> Option<Deed> {
    let dice = &world.chance;
    let (interaction, conversation) = (item.id, item.conversation);
    let deed = match (item.place, dice.below(16)) {
        (Place::Parked, 0..=4) => Wish::Activate { interaction }.into(),
        (Place::Active, 0 | 1) => Wish::Park { interaction }.into(),
        (_, 5 | 6) => Wish::CompleteWrapUp { interaction }.into(),
        (_, 7 | 8) => Wish::ExtendWrapUp { interaction }.into(),
        (_, 9 | 10) => classify(world, item),
        (_, 11) => Wish::SeeEnd { interaction }.into(),
        (_, 12) if !item.is_call && dice.one_in(3) => flag(conversation, interaction),
        (_, 13) => fill_script(conversation, interaction, dice.roll()),
        (_, 14) => choose_contact(world, interaction),
        _ => return None,
    };
    Some(deed)
}

fn transfer(world: &World, item: &Item) -> Deed {
    let dice = &world.chance;
    let to = if dice.one_in(2) {
        TransferTo::Queue { queue: queue_id(world.pick(&QUEUES).unwrap()) }
    } else {
        TransferTo::Agent { agent: agent_id(world.pick(&AGENTS).unwrap()), warm: dice.one_in(2) }
    };
    let (interaction, confirmed) = (item.id, dice.one_in(2));
    let note = Content::Message { text: format!("a note {}", dice.roll()) };
    with(item.conversation, note, |note| Wish::Transfer { interaction, to, note: Some(note), confirmed })
}

fn flag(conversation: ConversationId, interaction: InteractionId) -> Deed {
    let note = Content::Message { text: "rude".to_owned() };
    with(conversation, note, |note| Wish::FlagAbuse { interaction, note: Some(note) })
}

fn fill_script(conversation: ConversationId, interaction: InteractionId, roll: u64) -> Deed {
    let answers = std::collections::BTreeMap::from([("serial".to_owned(), roll.to_string())]);
    with(conversation, Content::Answers { answers }, |answers| Wish::FillScript { interaction, answers })
}

fn choose_contact(world: &World, interaction: InteractionId) -> Deed {
    let connection = world.pick(&super::policy::connections()).unwrap().clone();
    let contact = (!world.chance.one_in(3))
        .then(|| Record { object: "Contact".to_owned(), id: RecordId::new("chosen").unwrap() });
    Wish::ChooseContact { interaction, connection, contact }.into()
}

fn classify(world: &World, item: &Item) -> Deed {
    let text = format!("remark {}", world.chance.roll());
    let remarks = Content::Remarks { remarks: Remarks { text, notes: String::new() } };
    let codes = vec![(*world.pick(&CODES).unwrap()).to_owned()];
    let interaction = item.id;
    with(item.conversation, remarks, |remarks| Wish::Classify { interaction, codes, remarks: Some(remarks) })
}
