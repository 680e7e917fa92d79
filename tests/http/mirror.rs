//! A page that only ever applies deltas must show what a fresh snapshot shows, whatever happened in between.

use crate::desks::{PEOPLE, panel_of};
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
    joined: Map<String, Value>,
    messages: Map<String, Value>,
    calls: Map<String, Value>,
    queues: Map<String, Value>,
    logs: Map<String, Value>,
    colleagues: Map<String, Value>,
    supervised: Vec<Value>,
    watched: Option<Floor>,
}

/// What a page that watches shows of the floor.
#[derive(Default, PartialEq, Debug)]
struct Floor {
    agents: Map<String, Value>,
    queues: Map<String, Value>,
    chats: Map<String, Value>,
    more: Value,
}

impl Floor {
    fn hear(&mut self, watched: &Value) {
        let parts = [("agents", &mut self.agents), ("queues", &mut self.queues), ("chats", &mut self.chats)];
        for ((list, of), id) in parts.into_iter().zip(["agent", "queue", "interaction"]) {
            let values = watched[list].as_array().unwrap().iter();
            of.extend(values.map(|value| (key(value, id), value.clone())));
        }
        self.more = watched["more_chats"].clone();
    }

    fn of(watched: &Value) -> Option<Self> {
        let mut floor = Self::default();
        watched.is_object().then(|| floor.hear(watched));
        watched.is_object().then_some(floor)
    }
}

fn key(of: &Value, name: &str) -> String {
    of[name].as_str().unwrap().to_owned()
}

fn joined(all: &[Value]) -> Map<String, Value> {
    all.iter().map(|one| (key(&one["item"], "interaction"), one.clone())).collect()
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
            joined: joined(view["joined"].as_array().unwrap()),
            messages,
            calls: by("calls", "interaction"),
            queues: by("queues", "queue"),
            logs: by("logs", "interaction"),
            colleagues: by("colleagues", "agent"),
            supervised: view["supervised"].as_array().unwrap().clone(),
            watched: Floor::of(&view["watched"]),
        }
    }

    fn apply(&mut self, change: &Value) {
        match change["change"].as_str().unwrap() {
            "me" => self.me = change["me"].clone(),
            "offer" => self.offer = change["offer"].clone(),
            "item" => _ = self.items.insert(key(&change["item"], "interaction"), change["item"].clone()),
            "joined" => {
                let joined = &change["joined"];
                self.joined.insert(key(&joined["item"], "interaction"), joined.clone());
            }
            "colleagues" => {
                for one in change["colleagues"].as_array().unwrap() {
                    self.colleagues.insert(key(one, "agent"), one.clone());
                }
            }
            "supervised" => {
                self.supervised.insert(0, change["supervised"].clone());
                self.supervised.truncate(10);
            }
            "watched" => {
                let floor = self.watched.get_or_insert_default();
                floor.hear(&change["watched"]);
                for gone in change["chats_gone"].as_array().unwrap() {
                    floor.chats.remove(gone.as_str().unwrap());
                }
            }
            "joined_gone" => {
                let id = key(change, "interaction");
                self.joined.remove(&id);
                self.messages.retain(|at, _| !at.starts_with(&id));
            }
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

/// An agent who comes late, and no limit on how fast pages may be.
const MORE: &str = "[tenants.acme.agents.carl]\nname = \"Carl\"\nqueues = [\"support\"]\n\
    [http]\nagent_frames_per_minute = 1000000\n";

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
    /// A notice, a shared transcript, a case, a flag, a filled script.
    Mark(u8),
    /// To the colleague, cold or warm, or to a queue.
    Transfer(u8),
    CancelTransfer(u8),
    Whisper(u8),
    GuestWrites(u8),
    HandOver(u8),
    LeaveChat(u8),
    /// The supervisor acts on a chat of the floor.
    Supervise(u8),
    Ring(u8),
    Answer(u8),
    HangUp(u8),
}

/// What happens, and at which of the two agents.
fn steps() -> impl Strategy<Value = Vec<(usize, Step)>> {
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
        2 => any::<u8>().prop_map(Step::Mark),
        5 => any::<u8>().prop_map(Step::Transfer),
        1 => any::<u8>().prop_map(Step::CancelTransfer),
        2 => any::<u8>().prop_map(Step::Whisper),
        1 => any::<u8>().prop_map(Step::GuestWrites),
        2 => any::<u8>().prop_map(Step::HandOver),
        1 => any::<u8>().prop_map(Step::LeaveChat),
        3 => any::<u8>().prop_map(Step::Supervise),
        1 => any::<u8>().prop_map(Step::Ring),
        1 => any::<u8>().prop_map(Step::Answer),
        1 => any::<u8>().prop_map(Step::HangUp),
    ];
    prop::collection::vec((0..2_usize, step), 40..80)
}

struct Play<'a> {
    world: &'a World,
    /// Anna's page, Ben's, and the supervisor's, each with what it shows.
    pages: Vec<(Socket, Mirror)>,
    customers: Vec<(Uuid, ConversationId)>,
}

/// The supervisor's page.
const ZOE: usize = 2;
const AGENTS: [&str; 2] = ["anna", "ben"];

impl Play<'_> {
    /// Does what a step says, where it can be done; refusals are fine, they change nothing.
    async fn step(&mut self, who: usize, step: Step) {
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
            Step::Accept => self.offer(who, "accept_offer").await,
            Step::Reject => self.offer(who, "reject_offer").await,
            Step::Park => {
                let active = self.pages[who].1.items.iter().find(|(_, item)| item["place"] == "active");
                if let Some(id) = active.map(|(id, _)| id.clone()) {
                    self.deed(who, json!({ "deed": "park", "interaction": id })).await;
                }
            }
            Step::Mark(n) => {
                let deed = match n % 5 {
                    0 => json!({ "deed": "send_notice", "notice": "nudge" }),
                    1 => json!({ "deed": "share_history" }),
                    2 => json!({ "deed": "open_case" }),
                    3 => json!({ "deed": "flag_abuse", "note": "rude" }),
                    _ => json!({ "deed": "fill_script", "answers": { "order": n.to_string() } }),
                };
                self.item(who, n, deed).await;
            }
            Step::Transfer(n) => {
                let to = match n % 4 {
                    0 => json!({ "to": "queue", "queue": "support" }),
                    1 => json!({ "to": "agent", "agent": AGENTS[1 - who] }),
                    _ => json!({ "to": "agent", "agent": AGENTS[1 - who], "warm": true }),
                };
                let deed = json!({ "deed": "transfer", "to": to, "note": "a note", "confirmed": true });
                self.item(who, n, deed).await;
            }
            Step::CancelTransfer(n) => self.item(who, n, json!({ "deed": "cancel_transfer" })).await,
            Step::Whisper(n) => self.item(who, n, json!({ "deed": "whisper", "text": "psst" })).await,
            Step::GuestWrites(n) => self.guest(who, n, json!({ "deed": "send", "text": "me too" })).await,
            Step::LeaveChat(n) => self.guest(who, n, json!({ "deed": "leave_chat" })).await,
            Step::HandOver(n) => {
                self.item(who, n, json!({ "deed": "hand_over", "agent": AGENTS[1 - who] })).await;
            }
            Step::Supervise(n) => self.supervise(who, n).await,
            Step::Activate(n) => self.item(who, n, json!({ "deed": "activate" })).await,
            Step::Send(n) => self.item(who, n, json!({ "deed": "send", "text": "an answer" })).await,
            Step::End(n) => self.item(who, n, json!({ "deed": "end_chat" })).await,
            Step::SeeEnd(n) => self.item(who, n, json!({ "deed": "see_end" })).await,
            Step::Extend(n) => self.item(who, n, json!({ "deed": "extend_wrap_up" })).await,
            Step::Classify(n) => {
                let deed = json!({ "deed": "classify", "codes": [], "remarks": { "text": format!("text {n}"), "notes": "" } });
                self.item(who, n, deed).await;
            }
            Step::Complete(n) => self.item(who, n, json!({ "deed": "complete_wrap_up" })).await,
            Step::Presence(n) => {
                let presence = match n % 8 {
                    0 => json!({ "presence": "offline" }),
                    1 => json!({ "presence": "on_break", "reason": "Lunch" }),
                    2 => json!({ "presence": "stop_new" }),
                    _ => json!({ "presence": "available" }),
                };
                let deed = json!({ "deed": "set_presence", "presence": presence, "confirmed": n % 2 == 0 });
                self.deed(who, deed).await;
            }
            Step::Ring(n) => {
                let conversation = ConversationId(Uuid::new_v4());
                let numbers = CallNumbers { from: Some(format!("+49301234{n}")), to: None };
                let (numbers, kept) = drive::content(conversation, Content::Call { numbers });
                let agents = vec![AGENTS[who].to_owned()];
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
                let fact = CallFact::Answered { agent: AGENTS[who].to_owned() };
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

    async fn offer(&mut self, who: usize, deed: &str) {
        let offer = self.pages[who].1.offer["offer"].clone();
        if offer.is_string() {
            self.deed(who, json!({ "deed": deed, "offer": offer })).await;
        }
    }

    async fn item(&mut self, who: usize, n: u8, mut deed: Value) {
        let ids: Vec<String> = self.pages[who].1.items.keys().cloned().collect();
        if let Some(id) = pick(&ids, n) {
            deed["interaction"] = json!(id);
            self.deed(who, deed).await;
        }
    }

    async fn guest(&mut self, who: usize, n: u8, mut deed: Value) {
        let ids: Vec<String> = self.pages[who].1.joined.keys().cloned().collect();
        if let Some(id) = pick(&ids, n) {
            deed["interaction"] = json!(id);
            self.deed(who, deed).await;
        }
    }

    async fn supervise(&mut self, who: usize, n: u8) {
        let Some((id, _)) = pick(&self.customers, n) else { return };
        let act = match n % 5 {
            0 => json!({ "act": "requeue", "interaction": id }),
            1 => json!({ "act": "assign", "interaction": id, "agent": AGENTS[who] }),
            2 => json!({ "act": "finish_wrap_up", "interaction": id }),
            3 => json!({ "act": "join", "interaction": id }),
            _ => {
                json!({ "act": "set_presence", "agent": AGENTS[who], "presence": { "presence": "available" } })
            }
        };
        self.deed(ZOE, json!({ "deed": "supervise", "act": act, "reason": "to see" })).await;
    }

    /// Does something, and applies all deltas up to its answer.
    async fn deed(&mut self, who: usize, deed: Value) {
        let (panel, mirror) = &mut self.pages[who];
        let id = Uuid::new_v4().to_string();
        panel.say(&json!({ "frame": "do", "id": id, "do": deed })).await;
        loop {
            let frame = panel.hear().await.unwrap();
            mirror.hear(&frame);
            if frame["frame"] == "answer" && frame["id"] == id.as_str() {
                return;
            }
        }
    }

    /// Applies all deltas up to a snapshot, and holds the two against each other.
    async fn compare(&mut self) -> Result<(), TestCaseError> {
        for (panel, mirror) in &mut self.pages {
            panel.say(&json!({ "frame": "resync" })).await;
            let view = loop {
                let frame = panel.hear().await.unwrap();
                mirror.hear(&frame);
                if frame["frame"] == "snapshot" {
                    break frame["view"].clone();
                }
            };
            let fresh = Mirror::from_view(&view);
            // A page keeps older logs than the ten a snapshot lists.
            mirror.logs.retain(|id, _| fresh.logs.contains_key(id));
            prop_assert_eq!(&*mirror, &fresh);
        }
        Ok(())
    }

    /// What is told once a second has come to hold: an agent who connects for the first time is shown the same.
    async fn settled(&mut self) {
        let (_late, view) = panel_of(self.world, "carl").await;
        let fresh = Mirror::from_view(&view);
        for who in 0..AGENTS.len() {
            let (panel, mirror) = &mut self.pages[who];
            let other = AGENTS[1 - who];
            let same = |mirror: &Mirror| {
                mirror.queues["support"] == fresh.queues["support"]
                    && mirror.colleagues[other]["status"] == fresh.colleagues[other]["status"]
            };
            while !same(mirror) {
                let frame = panel.hear().await.unwrap();
                mirror.hear(&frame);
            }
        }
    }
}

fn pick<T: Clone>(from: &[T], n: u8) -> Option<T> {
    (!from.is_empty()).then(|| from[usize::from(n) % from.len()].clone())
}

async fn play(script: Vec<(usize, Step)>) -> Result<(), TestCaseError> {
    let world = world(&format!("{PEOPLE}{MORE}")).await;
    let mut pages = Vec::new();
    for agent in ["anna", "ben", "zoe"] {
        let (panel, view) = panel_of(&world, agent).await;
        pages.push((panel, Mirror::from_view(&view)));
    }
    let mut play = Play { world: &world, pages, customers: Vec::new() };
    for who in 0..AGENTS.len() {
        let presence = json!({ "presence": "available" });
        play.deed(who, json!({ "deed": "set_presence", "presence": presence })).await;
    }
    play.deed(ZOE, json!({ "deed": "watch", "on": true })).await;
    for (at, (who, step)) in script.into_iter().enumerate() {
        play.step(who, step).await;
        if at % 10 == 9 {
            play.compare().await?;
        }
    }
    play.compare().await?;
    play.settled().await;
    Ok(())
}

#[test]
fn deltas_and_snapshots_show_the_same() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let config = Config { cases: 30, failure_persistence: None, ..Config::default() };
    let run = TestRunner::new(config).run(&steps(), |script| runtime.block_on(play(script)));
    if let Err(failed) = run {
        panic!("{failed}");
    }
}
