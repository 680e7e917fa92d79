//! A telephone system: calls that ring at one or at all, are dialled, answered, recorded and end; told twice, late and
//! out of order.

use super::policy::{AGENTS, QUEUES, queue_id};
use super::world::{Deed, World, with};
use tieline_model::content::{CallNumbers, Content};
use tieline_model::crm::Direction;
use tieline_model::{Actor, CallFact, CallId, Code, ConversationId, InteractionId, Wish};

#[derive(Clone, Copy, PartialEq)]
enum Fact {
    Ringing,
    Elsewhere,
    Dialled,
    Answered,
    Ended,
    Recorded,
}

pub fn producer() -> Actor {
    Actor::Producer { name: "/pbx".to_owned() }
}

pub async fn telephones(world: World, calls: u64) {
    for n in 0..calls {
        world.pause(1_000, 25_000).await;
        let call = Call { n, agent: world.pick(&AGENTS).unwrap(), other: world.pick(&AGENTS).unwrap() };
        for fact in story(&world) {
            let queue = world.chance.one_in(2).then(|| queue_id(world.pick(&QUEUES).unwrap()));
            let make = || {
                // Minted anew on every try, as the edge does.
                let (interaction, conversation) = (InteractionId(world.uuid()), ConversationId(world.uuid()));
                let call = Named { queue: queue.clone(), interaction, conversation, ..call.named() };
                call.tell(fact)
            };
            match world.ask(producer(), world.id("call"), make).await {
                Ok(_) => {}
                Err(refusal) if fact == Fact::Recorded && refusal.code == Code::NotFound => {}
                Err(refusal) => world.wrong(format!("a call event was refused: {refusal:?}")),
            }
            world.pause(0, 12_000).await;
        }
    }
}

/// What is told of one call, in the order in which it comes.
fn story(world: &World) -> Vec<Fact> {
    let dice = &world.chance;
    let first = if dice.one_in(3) { Fact::Dialled } else { Fact::Ringing };
    let mut facts = vec![first, Fact::Answered, Fact::Ended, Fact::Recorded];
    if dice.one_in(4) {
        facts.remove(1);
    }
    if dice.one_in(4) {
        facts.insert(1, Fact::Elsewhere);
    }
    if dice.one_in(4) {
        let (a, b) = (dice.below(facts.len() as u64), dice.below(facts.len() as u64));
        facts.swap(usize::try_from(a).unwrap(), usize::try_from(b).unwrap());
    }
    if dice.one_in(3) {
        facts.push(*world.pick(&facts).unwrap());
    }
    facts
}

struct Call {
    n: u64,
    agent: &'static str,
    other: &'static str,
}

struct Named {
    call: CallId,
    agent: String,
    other: String,
    queue: Option<tieline_model::QueueId>,
    interaction: InteractionId,
    conversation: ConversationId,
    n: u64,
}

impl Call {
    fn named(&self) -> Named {
        // Agents are named by id, or by their extension.
        let agent = if self.agent == AGENTS[0] { "101" } else { self.agent };
        Named {
            call: CallId::new(format!("call-{}", self.n)).unwrap(),
            agent: agent.to_owned(),
            other: self.other.to_owned(),
            queue: None,
            interaction: InteractionId(uuid::Uuid::nil()),
            conversation: ConversationId(uuid::Uuid::nil()),
            n: self.n,
        }
    }
}

impl Named {
    fn tell(self, fact: Fact) -> Deed {
        let Self { call, agent, other, queue, interaction, conversation, n } = self;
        let numbers = || {
            let numbers = CallNumbers { from: Some(format!("+44163296{n:04}")), to: None };
            Content::Call { numbers }
        };
        let tell = |fact| Wish::ReportCall { call, interaction, conversation, fact };
        match fact {
            Fact::Ringing | Fact::Elsewhere => {
                let agents = if fact == Fact::Ringing { vec![agent] } else { vec![other, agent] };
                let (withheld, direction) = (n % 5 == 0, Direction::Inbound);
                with(conversation, numbers(), |numbers| {
                    tell(CallFact::Ringing { agents, queue, numbers, withheld, direction })
                })
            }
            Fact::Dialled => {
                with(conversation, numbers(), |numbers| tell(CallFact::Dialled { agent, queue, numbers }))
            }
            Fact::Answered => tell(CallFact::Answered { agent }).into(),
            Fact::Ended => tell(CallFact::Ended).into(),
            Fact::Recorded => {
                let url = format!("https://recordings.example/{n}");
                with(conversation, Content::Recording { url }, |recording| {
                    tell(CallFact::RecordingReady { recording })
                })
            }
        }
    }
}
