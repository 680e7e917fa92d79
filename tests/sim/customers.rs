//! Customers: they ask for chats, write, leave files, fall silent, go, come back, and leave messages in the form.

use super::policy::{QUEUES, SKILLS, queue_id, skill_id};
use super::world::{Deed, World, file, message, with};
use std::collections::BTreeSet;
use tieline::drive;
use tieline_engine::{Engine, Stage, Talk};
use tieline_model::content::{Content, Person};
use tieline_model::{Actor, Code, ConversationId, InteractionId, Mark, Wish};

/// One customer: a chat or two, some words, and perhaps a good-bye.
pub async fn customer(world: World, n: u64) {
    let mark = Mark::new(format!("visitor-{}", n % 5)).unwrap();
    let mut previous = None;
    for round in 0..1 + world.chance.below(3) {
        world.pause(0, 25_000).await;
        let visit = Visit {
            interaction: InteractionId(world.uuid()),
            conversation: ConversationId(world.uuid()),
            name: format!("{n}.{round}"),
        };
        if !visit.start(&world, n, &mark, previous).await {
            continue;
        }
        visit.talk(&world).await;
        previous = visit.come_back(&world).await;
    }
}

struct Visit {
    interaction: InteractionId,
    conversation: ConversationId,
    name: String,
}

/// Where a chat is, as its customer sees it.
#[derive(Clone, Copy, PartialEq)]
enum Seen {
    Going,
    Form,
    Ended,
    Gone,
}

fn seen(engine: &Engine, id: InteractionId) -> Seen {
    match engine.chat(id).map(|chat| &chat.stage) {
        None => Seen::Gone,
        Some(Stage::Form { .. }) => Seen::Form,
        Some(Stage::Owned { talk: Talk::WrapUp { .. }, .. }) => Seen::Ended,
        Some(Stage::Owned { .. } | Stage::Waiting | Stage::Offered(_)) => Seen::Going,
    }
}

impl Visit {
    fn by(&self) -> Actor {
        Actor::Customer { conversation: self.conversation }
    }

    async fn start(&self, world: &World, n: u64, mark: &Mark, previous: Option<InteractionId>) -> bool {
        let queue = queue_id(world.pick(&QUEUES).unwrap());
        let person = Person {
            name: Some(format!("Customer {}", self.name)),
            email: world.chance.one_in(2).then(|| format!("c{n}@people.example")),
            ..Person::default()
        };
        let skills: BTreeSet<_> =
            SKILLS.iter().filter(|_| world.chance.one_in(8)).map(|skill| skill_id(skill)).collect();
        let (interaction, conversation) = (self.interaction, self.conversation);
        let make = || {
            let (person, content) = drive::person(conversation, person.clone());
            let (queue, skills, marks) = (queue.clone(), skills.clone(), BTreeSet::from([mark.clone()]));
            let wish = Wish::StartChat { interaction, conversation, queue, person, skills, marks, previous };
            Deed { wish, content: vec![content] }
        };
        match world.ask(self.by(), world.id("start"), make).await {
            Ok(_) => true,
            // Flagged before; or the settings of now do not know the skill.
            Err(refusal) if matches!(refusal.code, Code::Blocked | Code::Invalid) => false,
            Err(refusal) => {
                world.wrong(format!("a chat was refused: {refusal:?}"));
                false
            }
        }
    }

    async fn talk(&self, world: &World) {
        let id = self.interaction;
        for k in 0..world.chance.below(6) {
            world.pause(100, 8_000).await;
            let text = format!("customer {} line {k}", self.name);
            let seen = world.look(move |engine| seen(engine, id)).await.unwrap_or(Seen::Going);
            let sends_file = world.chance.one_in(8);
            let make = || match seen {
                Seen::Form => {
                    let text = Content::Message { text: text.clone() };
                    with(self.conversation, text, |text| Wish::LeaveMessage { interaction: id, text })
                }
                _ if sends_file => file(self.conversation, id, &format!("{text}.txt")),
                _ => message(self.conversation, id, &text),
            };
            let _ = world.ask(self.by(), world.id("say"), make).await;
        }
        world.pause(100, 25_000).await;
        if !world.chance.one_in(4) {
            self.end(world).await;
        }
    }

    async fn end(&self, world: &World) {
        let interaction = self.interaction;
        let _ = world.ask(self.by(), world.id("bye"), || Wish::EndChat { interaction }.into()).await;
    }

    /// Some think of something else: in wrap-up, or soon after. Names what a later chat goes on from.
    async fn come_back(&self, world: &World) -> Option<InteractionId> {
        if world.chance.one_in(2) {
            return None;
        }
        world.pause(100, 15_000).await;
        let (interaction, fresh) = (self.interaction, InteractionId(world.uuid()));
        let back = || Wish::ReturnToChat { interaction, fresh }.into();
        match world.ask(self.by(), world.id("back"), back).await {
            Ok(done) => {
                let started = done.events.iter().any(|row| row.event.interaction() == Some(fresh));
                let interaction = if started { fresh } else { interaction };
                let again = Visit { interaction, name: format!("{} again", self.name), ..*self };
                again.talk(world).await;
                Some(interaction)
            }
            Err(_) => Some(interaction),
        }
    }
}
