//! What happens above the agents: a supervisor's hand, opening hours that turn, days that begin, settings that are
//! read anew while people work; and in the end, everybody being served.

use super::agents::{Desk, desk, everywhere};
use super::policy::{AGENTS, agent_id, office_hours, policy};
use super::telephones::producer;
use super::world::{World, with};
use std::collections::BTreeMap;
use tieline_engine::{Engine, Stage};
use tieline_model::command::{Open, Presence, SupervisorAct};
use tieline_model::content::Content;
use tieline_model::live::Place;
use tieline_model::{
    Actor, CallFact, CallId, ConversationId, InteractionId, Mark, Millis, SessionId, Timestamp, Wish,
};
use tokio::time::{Duration, Instant, sleep};

/// How long the agents may need until nobody waits any more, once all are there and nothing fails.
const SERVED_WITHIN: Duration = Duration::from_secs(20 * 60);

/// A supervisor acts now and then, on whatever there is.
pub async fn supervisor(world: World) {
    let by = Actor::Agent { agent: agent_id(AGENTS[3]) };
    loop {
        world.pause(2_000, 20_000).await;
        let Some(chats) = world.look(|e| e.chats().map(|c| c.id).collect::<Vec<_>>()).await else {
            continue;
        };
        let agent = agent_id(world.pick(&AGENTS).unwrap());
        let interaction = world.pick(&chats).copied().unwrap_or_else(|| InteractionId(world.uuid()));
        let act = match world.chance.below(8) {
            0 => {
                let states = [Presence::Available, Presence::Offline, Presence::StopNew];
                SupervisorAct::SetPresence { agent, presence: world.pick(&states).unwrap().clone() }
            }
            1 => SupervisorAct::Requeue { interaction },
            2 => SupervisorAct::Assign { interaction, agent },
            3 => SupervisorAct::FinishWrapUp { interaction },
            4 | 5 => SupervisorAct::Join { interaction },
            _ => {
                let marks = (0..5).map(|n| Mark::new(format!("visitor-{n}")).unwrap());
                SupervisorAct::Unblock { marks: marks.collect() }
            }
        };
        let reason = "it had to be".to_owned();
        let act = || Wish::Supervise { act: act.clone(), reason: reason.clone() }.into();
        let _ = world.ask(by.clone(), world.id("supervise"), act).await;
    }
}

/// The daemon's own: hours, days, settings.
pub async fn daemon(world: World) {
    let mut version = 0;
    for day in 1.. {
        let Some(now) = world.look(|engine| engine.now()).await else { continue };
        let mut stretches = Vec::new();
        let mut at = now + Millis::secs(world.chance.below(30));
        for _ in 0..3 {
            let until = at + Millis::secs(10 + world.chance.below(60));
            stretches.push(Open { from: at, until });
            at = until + Millis::secs(world.chance.below(40));
        }
        let hours = BTreeMap::from([(office_hours(), stretches)]);
        let _ = world
            .ask(Actor::Daemon, world.id("hours"), || Wish::SetHours { hours: hours.clone() }.into())
            .await;
        if world.chance.one_in(3) {
            let day = format!("2026-03-{:02}", 1 + day % 30);
            let _ = world
                .ask(Actor::Daemon, world.id("day"), || Wish::BeginDay { day: day.clone() }.into())
                .await;
        }
        world.pause(20_000, 90_000).await;
        if world.chance.one_in(2) {
            version += 1;
            reload(&world, version).await;
        }
    }
}

/// The settings file changes, and the running daemon is told.
async fn reload(world: &World, version: u64) {
    let new = Box::new(policy(&world.chance, version));
    *world.settings.lock().unwrap() = (*new).clone();
    let wish = || Wish::Configure { policy: new.clone() }.into();
    if let Err(refusal) = world.ask(Actor::Daemon, world.id("reload"), wish).await {
        world.wrong(format!("settings were refused: {refusal:?}"));
    }
}

/// All agents are there and do nothing but serve: then nobody may wait for ever (A9, A11, A12).
pub async fn serve_all(world: &World) {
    let began = Instant::now();
    hang_up(world).await;
    let hours = |now: Timestamp| {
        let always = Open { from: now, until: now + Millis::secs(30 * 86_400) };
        BTreeMap::from([(office_hours(), vec![always])])
    };
    let now = world.look(Engine::now).await.expect("nothing fails any more");
    let wish = || Wish::SetHours { hours: hours(now) }.into();
    let _ = world.ask(Actor::Daemon, world.id("hours"), wish).await;
    loop {
        for name in AGENTS {
            serve(world, name).await;
        }
        leave_messages(world).await;
        let left = world.look(|engine| engine.chats().map(|c| (c.id, c.stage.clone())).collect::<Vec<_>>());
        let left = left.await.expect("nothing fails any more");
        if left.is_empty() {
            return;
        }
        if began.elapsed() > SERVED_WITHIN {
            world.wrong(format!("nobody serves these any more: {left:#?}"));
            return;
        }
        sleep(Duration::from_secs(1)).await;
    }
}

/// One agent does the next thing that brings all chats nearer to their end.
async fn serve(world: &World, name: &'static str) {
    let id = agent_id(name);
    let by = Actor::Agent { agent: id.clone() };
    let desk = world.look(move |engine| desk(engine, &id)).await.expect("nothing fails any more");
    for wish in helpful(world, &desk) {
        let _ = world.ask(by.clone(), world.id(name), || wish.clone().into()).await;
    }
}

fn helpful(world: &World, desk: &Desk) -> Vec<Wish> {
    let mut wishes = Vec::new();
    if desk.sessions.is_empty() {
        wishes.push(Wish::Connect { session: SessionId(world.uuid()) });
    }
    if desk.presence != Presence::Available || desk.wish.is_some() {
        wishes.push(Wish::SetPresence { presence: Presence::Available, confirmed: true });
    }
    if desk.narrowed {
        wishes.push(everywhere());
    }
    for item in &desk.items {
        let interaction = item.id;
        match (item.ended, item.place) {
            (true, _) => wishes.push(Wish::CompleteWrapUp { interaction }),
            (false, Place::New) => wishes.push(Wish::Activate { interaction }),
            (false, Place::Active | Place::Parked) => wishes.push(Wish::EndChat { interaction }),
        }
    }
    if let Some(offer) = desk.offer {
        wishes.push(Wish::AcceptOffer { offer });
    }
    wishes.extend(desk.pull.iter().map(|id| Wish::TakeChat { interaction: *id }));
    wishes
}

/// Customers at the offline form write something.
async fn leave_messages(world: &World) {
    let forms = |engine: &Engine| {
        let forms = engine.chats().filter(|c| matches!(c.stage, Stage::Form { .. }));
        forms.map(|c| (c.id, c.conversation)).collect::<Vec<_>>()
    };
    for (interaction, conversation) in world.look(forms).await.expect("nothing fails any more") {
        let by = Actor::Customer { conversation };
        let text = || Content::Message { text: format!("please call {}", interaction.0) };
        let make = || with(conversation, text(), |text| Wish::LeaveMessage { interaction, text });
        let _ = world.ask(by, world.id("form"), make).await;
    }
}

/// All calls end.
async fn hang_up(world: &World) {
    let calls = |engine: &Engine| engine.calls().map(|c| c.call.clone()).collect::<Vec<CallId>>();
    for call in world.look(calls).await.expect("nothing fails any more") {
        let (interaction, conversation) = (InteractionId(world.uuid()), ConversationId(world.uuid()));
        let wish = || {
            let (call, fact) = (call.clone(), CallFact::Ended);
            Wish::ReportCall { call, interaction, conversation, fact }.into()
        };
        let _ = world.ask(producer(), world.id("hang"), wish).await;
    }
}

/// Everybody goes home.
pub async fn go_home(world: &World) {
    for name in AGENTS {
        let by = Actor::Agent { agent: agent_id(name) };
        let wish = || Wish::SetPresence { presence: Presence::Offline, confirmed: true }.into();
        let _ = world.ask(by, world.id("home"), wish).await;
    }
}
