//! A page that only ever applies deltas must show what a fresh snapshot shows, whatever happened in between.

use crate::world::{Socket, World, acme, world};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use serde_json::{Map, Value, json};
use tieline::drive::{self, Request};
use tieline_model::command::CallFact;
use tieline_model::content::{CallNumbers, Content};
use tieline_model::crm::Direction;
use tieline_model::{Actor, Command, ConversationId, InteractionId, Wish};
use uuid::Uuid;

/// What a panel shows, kept by deltas. Values lie under the ids they replace each other by.
#[derive(Default, PartialEq, Debug)]
struct Mirror {
    me: Value,
    offer: Value,
    items: Map<String, Value>,
    messages: Map<String, Value>,
    calls: Map<String, Value>,
    queues: Map<String, Value>,
    logs: Map<String, Value>,
}

fn key(of: &Value, name: &str) -> String {
    of[name].as_str().unwrap().to_owned()
}

impl Mirror {
    fn from_view(view: &Value) -> Self {
        let by = |list: &str, id: &str| {
            view[list].as_array().unwrap().iter().map(|v| (key(v, id), v.clone())).collect()
        };
        let mut messages = Map::new();
        for chat in view["messages"].as_array().unwrap() {
            for message in chat["messages"].as_array().unwrap() {
                messages.insert(format!("{}/{}", key(chat, "interaction"), message["seq"]), message.clone());
            }
        }
        Self {
            me: view["me"].clone(),
            offer: view["offer"].clone(),
            items: by("items", "interaction"),
            messages,
            calls: by("calls", "interaction"),
            queues: by("queues", "queue"),
            logs: by("logs", "interaction"),
        }
    }

    fn apply(&mut self, change: &Value) {
        match change["change"].as_str().unwrap() {
            "me" => self.me = change["me"].clone(),
            "offer" => self.offer = change["offer"].clone(),
            "item" => _ = self.items.insert(key(&change["item"], "interaction"), change["item"].clone()),
            "item_gone" => {
                let id = key(change, "interaction");
                self.items.remove(&id);
                self.messages.retain(|at, _| !at.starts_with(&id));
            }
            "message" => {
                let at = format!("{}/{}", key(change, "interaction"), change["message"]["seq"]);
                let before = self.messages.insert(at, change["message"].clone());
                assert_eq!(before, None, "a message is told once");
            }
            "call" => _ = self.calls.insert(key(&change["call"], "interaction"), change["call"].clone()),
            "call_gone" => _ = self.calls.remove(&key(change, "interaction")),
            "queue" => _ = self.queues.insert(key(&change["queue"], "queue"), change["queue"].clone()),
            "log" => _ = self.logs.insert(key(&change["log"], "interaction"), change["log"].clone()),
            other => panic!("a change of an unknown kind: {other}"),
        }
    }

    fn hear(&mut self, frame: &Value) {
        for change in frame["changes"].as_array().into_iter().flatten() {
            self.apply(change);
        }
    }
}

/// Something that happens; numbers choose among what is there.
#[derive(Debug, Clone, Copy)]
enum Step {
    Start,
    CustomerSends(u8),
    CustomerEnds(u8),
    Accept,
    Reject,
    Activate(u8),
    Park,
    Send(u8),
    End(u8),
    SeeEnd(u8),
    Extend(u8),
    Classify(u8),
    Complete(u8),
    Presence(u8),
    Ring(u8),
    Answer(u8),
    HangUp(u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => Just(Step::Start),
        4 => any::<u8>().prop_map(Step::CustomerSends),
        2 => any::<u8>().prop_map(Step::CustomerEnds),
        6 => Just(Step::Accept),
        1 => Just(Step::Reject),
        3 => any::<u8>().prop_map(Step::Activate),
        4 => Just(Step::Park),
        3 => any::<u8>().prop_map(Step::Send),
        2 => any::<u8>().prop_map(Step::End),
        1 => any::<u8>().prop_map(Step::SeeEnd),
        1 => any::<u8>().prop_map(Step::Extend),
        2 => any::<u8>().prop_map(Step::Classify),
        3 => any::<u8>().prop_map(Step::Complete),
        3 => any::<u8>().prop_map(Step::Presence),
        1 => any::<u8>().prop_map(Step::Ring),
        1 => any::<u8>().prop_map(Step::Answer),
        1 => any::<u8>().prop_map(Step::HangUp),
    ];
    prop::collection::vec(step, 30..60)
}

struct Play<'a> {
    world: &'a World,
    panel: Socket,
    mirror: Mirror,
    customers: Vec<(Uuid, ConversationId)>,
}

impl Play<'_> {
    /// Does what a step says, where it can be done; refusals are fine, they change nothing.
    async fn step(&mut self, step: Step) {
        match step {
            Step::Start => {
                let id = Uuid::new_v4();
                let conversation = ConversationId(Uuid::new_v4());
                let person =
                    serde_json::from_value(json!({ "name": format!("Visitor {}", self.customers.len()) }));
                let (person, kept) = drive::person(conversation, person.unwrap());
                let (interaction, queue) = (InteractionId(id), "support".parse().unwrap());
                let wish = Wish::StartChat {
                    interaction,
                    conversation,
                    queue,
                    person,
                    skills: Default::default(),
                    marks: Default::default(),
                    previous: None,
                };
                self.submit(Actor::Customer { conversation }, wish, vec![kept]).await;
                self.customers.push((id, conversation));
            }
            Step::CustomerSends(n) => {
                let Some((id, conversation)) = pick(&self.customers, n) else { return };
                let text = Content::Message { text: format!("words {n}") };
                let (text, kept) = drive::content(conversation, text);
                let wish = Wish::SendMessage { interaction: InteractionId(id), text };
                self.submit(Actor::Customer { conversation }, wish, vec![kept]).await;
            }
            Step::CustomerEnds(n) => {
                let Some((id, conversation)) = pick(&self.customers, n) else { return };
                let wish = Wish::EndChat { interaction: InteractionId(id) };
                self.submit(Actor::Customer { conversation }, wish, Vec::new()).await;
            }
            Step::Accept => self.offer("accept_offer").await,
            Step::Reject => self.offer("reject_offer").await,
            Step::Park => {
                let active = self.mirror.items.iter().find(|(_, item)| item["place"] == "active");
                if let Some(id) = active.map(|(id, _)| id.clone()) {
                    self.deed(json!({ "deed": "park", "interaction": id })).await;
                }
            }
            Step::Activate(n) => self.item(n, json!({ "deed": "activate" })).await,
            Step::Send(n) => self.item(n, json!({ "deed": "send", "text": "an answer" })).await,
            Step::End(n) => self.item(n, json!({ "deed": "end_chat" })).await,
            Step::SeeEnd(n) => self.item(n, json!({ "deed": "see_end" })).await,
            Step::Extend(n) => self.item(n, json!({ "deed": "extend_wrap_up" })).await,
            Step::Classify(n) => {
                let deed = json!({ "deed": "classify", "codes": [], "remarks": { "text": format!("text {n}"), "notes": "" } });
                self.item(n, deed).await;
            }
            Step::Complete(n) => self.item(n, json!({ "deed": "complete_wrap_up" })).await,
            Step::Presence(n) => {
                let presence = match n % 8 {
                    0 => json!({ "presence": "offline" }),
                    1 => json!({ "presence": "on_break", "reason": "Lunch" }),
                    2 => json!({ "presence": "stop_new" }),
                    _ => json!({ "presence": "available" }),
                };
                self.deed(json!({ "deed": "set_presence", "presence": presence, "confirmed": n % 2 == 0 }))
                    .await;
            }
            Step::Ring(n) => {
                let conversation = ConversationId(Uuid::new_v4());
                let numbers = CallNumbers { from: Some(format!("+49301234{n}")), to: None };
                let (numbers, kept) = drive::content(conversation, Content::Call { numbers });
                let agents = vec!["anna".to_owned()];
                let fact = CallFact::Ringing {
                    agents,
                    queue: None,
                    numbers,
                    withheld: false,
                    direction: Direction::Inbound,
                };
                self.call(n, conversation, fact, vec![kept]).await;
            }
            Step::Answer(n) => {
                let fact = CallFact::Answered { agent: "anna".to_owned() };
                self.call(n, ConversationId(Uuid::new_v4()), fact, Vec::new()).await;
            }
            Step::HangUp(n) => {
                self.call(n, ConversationId(Uuid::new_v4()), CallFact::Ended, Vec::new()).await
            }
        }
    }

    async fn call(
        &self,
        n: u8,
        conversation: ConversationId,
        fact: CallFact,
        content: Vec<tieline::journal::NewContent>,
    ) {
        let call = format!("call-{}", n % 3).parse().unwrap();
        let interaction = InteractionId(Uuid::new_v4());
        let wish = Wish::ReportCall { call, interaction, conversation, fact };
        self.submit(Actor::Producer { name: "pbx".to_owned() }, wish, content).await;
    }

    async fn submit(&self, by: Actor, wish: Wish, content: Vec<tieline::journal::NewContent>) {
        let id = Uuid::new_v4().to_string().parse().unwrap();
        let mut request = Request::new(acme(), Command { id, by, wish });
        request.content = content;
        let _ = self.world.drive.submit(request).await;
    }

    async fn offer(&mut self, deed: &str) {
        let offer = self.mirror.offer["offer"].clone();
        if offer.is_string() {
            self.deed(json!({ "deed": deed, "offer": offer })).await;
        }
    }

    async fn item(&mut self, n: u8, mut deed: Value) {
        let ids: Vec<String> = self.mirror.items.keys().cloned().collect();
        if let Some(id) = pick(&ids, n) {
            deed["interaction"] = json!(id);
            self.deed(deed).await;
        }
    }

    /// Does something, and applies all deltas up to its answer.
    async fn deed(&mut self, deed: Value) {
        let id = Uuid::new_v4().to_string();
        self.panel.say(&json!({ "frame": "do", "id": id, "do": deed })).await;
        loop {
            let frame = self.panel.hear().await.unwrap();
            self.mirror.hear(&frame);
            if frame["frame"] == "answer" && frame["id"] == id.as_str() {
                return;
            }
        }
    }

    /// Applies all deltas up to a snapshot, and holds the two against each other.
    async fn compare(&mut self) -> Result<(), TestCaseError> {
        self.panel.say(&json!({ "frame": "resync" })).await;
        let view = loop {
            let frame = self.panel.hear().await.unwrap();
            self.mirror.hear(&frame);
            if frame["frame"] == "snapshot" {
                break frame["view"].clone();
            }
        };
        let fresh = Mirror::from_view(&view);
        // A page keeps older logs than the ten a snapshot lists.
        self.mirror.logs.retain(|id, _| fresh.logs.contains_key(id));
        prop_assert_eq!(&self.mirror, &fresh);
        Ok(())
    }
}

fn pick<T: Clone>(from: &[T], n: u8) -> Option<T> {
    (!from.is_empty()).then(|| from[usize::from(n) % from.len()].clone())
}

async fn play(script: Vec<Step>) -> Result<(), TestCaseError> {
    let world = world("[http]\nagent_frames_per_minute = 1000000").await;
    let (panel, snapshot) = world.panel(true).await;
    let mirror = Mirror::from_view(&snapshot["view"]);
    let mut play = Play { world: &world, panel, mirror, customers: Vec::new() };
    play.deed(json!({ "deed": "set_presence", "presence": { "presence": "available" } })).await;
    for (at, step) in script.into_iter().enumerate() {
        play.step(step).await;
        if at % 10 == 9 {
            play.compare().await?;
        }
    }
    play.compare().await
}

#[test]
fn deltas_and_snapshots_show_the_same() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let config = Config { cases: 40, failure_persistence: None, ..Config::default() };
    let run = TestRunner::new(config).run(&steps(), |script| runtime.block_on(play(script)));
    if let Err(failed) = run {
        panic!("{failed}");
    }
}
