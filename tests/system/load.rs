//! People and telephones at work on a daemon that may die under them at any moment, and the book in which this process,
//! which outlives it, writes what was acknowledged.

use crate::daemon::{Centre, Daemon, PRODUCER_TOKEN};
use crate::panel::{PATIENCE, Panel};
use crate::visitor::{Visitor, command, person};
use futures::future::join_all;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tieline_connector_api::sandbox::{LogRecord, Sandbox};
use tieline_model::command::Presence;
use tieline_model::crm::Side;
use tieline_model::live::{AgentDeed, ChatStarted, ChatState, Place, StartChat, WidgetSays};
use tieline_model::{Code, CommandId, InteractionId, QueueId, Refusal};
use tokio::task::JoinSet;

const AGENTS: usize = 4;
const CUSTOMERS: usize = 6;

/// What a centre needs in its settings to be worked on.
pub(crate) fn settings() -> String {
    let agents = (0..AGENTS).map(|n| {
        format!(
            "[tenants.demo.agents.l{n}]\nqueues = [\"load\"]\nchat_capacity = 1\npassword_hash = \"PASSWORD_HASH\"\n"
        )
    });
    let queue = "[tenants.demo.queues.load]\nname = \"Load\"\n[tenants.demo.queues.load.classification]\n";
    let phone = "[tenants.demo.agents.carl]\nextension = \"299\"\npassword_hash = \"PASSWORD_HASH\"\n";
    agents.fold(format!("{queue}{phone}"), |text, agent| text + &agent)
}

/// What became of something that was said to the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// The daemon died before it answered.
    Open,
    Acknowledged,
    Refused,
}

/// A message of either side.
#[derive(Debug, Clone)]
struct Line {
    id: CommandId,
    text: String,
    by: Side,
    fate: Fate,
}

#[derive(Debug, Clone)]
struct Chat {
    start: StartChat,
    started: Option<(InteractionId, String)>,
    lines: Vec<Line>,
    /// An agent accepted it, and the daemon said so.
    accepted: bool,
    end: Option<(CommandId, Fate)>,
    /// Something of it was said since the last look.
    touched: bool,
}

#[derive(Debug, Clone)]
struct Call {
    /// A number that no other call has.
    from: String,
    /// What was said of it, and at which place of the journal it was acknowledged.
    events: Vec<(Value, Option<u64>)>,
    touched: bool,
}

#[derive(Default)]
struct Book {
    chats: Vec<Chat>,
    calls: Vec<Call>,
    acknowledged: u64,
}

/// The load, and the book of it.
pub(crate) struct Load {
    book: Arc<Mutex<Book>>,
    /// Agents' tokens outlive daemons.
    tokens: BTreeMap<String, String>,
    http: reqwest::Client,
    seed: u64,
}

impl Load {
    pub(crate) async fn new(daemon: &Daemon, seed: u64) -> Self {
        let mut tokens = BTreeMap::new();
        for n in 0..AGENTS {
            let name = format!("l{n}");
            tokens.insert(name.clone(), daemon.sign_in("demo", &name).await);
        }
        let http = reqwest::Client::builder().timeout(PATIENCE).build().expect("a client");
        Self { book: Arc::default(), tokens, http, seed }
    }

    /// Sets everybody to work; they stop when the daemon is gone.
    pub(crate) fn work(&mut self, daemon: &Daemon) -> JoinSet<Option<()>> {
        self.work_with(daemon, true)
    }

    fn work_with(&mut self, daemon: &Daemon, begin_anew: bool) -> JoinSet<Option<()>> {
        let mut at_work = JoinSet::new();
        let place = |seed: u64| At {
            url: daemon.url.clone(),
            http: self.http.clone(),
            book: self.book.clone(),
            chance: StdRng::seed_from_u64(seed),
            begin_anew,
        };
        self.seed += 1_000;
        let open = open_chats(&self.book);
        for n in 0..CUSTOMERS {
            let own = open.iter().copied().skip(n).step_by(CUSTOMERS).collect();
            at_work.spawn(place(self.seed + n as u64).customer(own));
        }
        for (n, token) in self.tokens.values().enumerate() {
            at_work.spawn(place(self.seed + 100 + n as u64).agent(token.clone()));
        }
        at_work.spawn(place(self.seed + 200).telephone());
        at_work
    }

    /// How much was acknowledged so far.
    pub(crate) fn acknowledged(&self) -> u64 {
        look(&self.book, |book| book.acknowledged)
    }

    /// The ids under which chats and messages were acknowledged: a chat's is the one it was given.
    pub(crate) fn acknowledged_ids(&self) -> Vec<String> {
        look(&self.book, |book| {
            let lines = book.chats.iter().flat_map(|chat| &chat.lines);
            let lines = lines.filter(|line| line.fate == Fate::Acknowledged).map(|line| line.id.to_string());
            let chats = book.chats.iter().filter_map(|chat| Some(chat.started.as_ref()?.0.to_string()));
            lines.chain(chats).collect()
        })
    }

    /// Chats and calls so far.
    pub(crate) fn size(&self) -> (usize, usize) {
        look(&self.book, |book| (book.chats.len(), book.calls.len()))
    }

    /// Sees that what was acknowledged is there, then says it again, and what nobody answered too: the same answers, and
    /// nothing twice.
    pub(crate) async fn check(&self, daemon: &Daemon) {
        let (chats, calls) = look(&self.book, |book| {
            let chats = book.chats.iter_mut().map(|chat| std::mem::take(&mut chat.touched));
            let chats: Vec<usize> =
                chats.enumerate().filter_map(|(n, touched)| touched.then_some(n)).collect();
            let calls = book.calls.iter_mut().map(|call| std::mem::take(&mut call.touched));
            let calls: Vec<usize> =
                calls.enumerate().filter_map(|(n, touched)| touched.then_some(n)).collect();
            (chats, calls)
        });
        let chats = join_all(chats.into_iter().map(|n| self.check_chat(daemon, n)));
        let calls = join_all(calls.into_iter().map(|n| self.check_call(daemon, n)));
        tokio::join!(chats, calls);
    }

    async fn check_chat(&self, daemon: &Daemon, n: usize) {
        let chat = look(&self.book, |book| book.chats[n].clone());
        // What was acknowledged is looked for before any of it is said again.
        let mut visitor = match &chat.started {
            Some((interaction, token)) => {
                let visitor = Visitor::joins(daemon, *interaction, token.clone()).await;
                present(&chat, &visitor);
                Some(visitor)
            }
            None => None,
        };
        let answer = daemon.post("/api/v1/demo/chats", &chat.start).await;
        assert!(answer.status().is_success(), "a chat is refused: {}", answer.text().await.expect("a body"));
        let again: ChatStarted = answer.json().await.expect("the answer of the schema");
        if let Some((interaction, _)) = chat.started {
            assert_eq!(again.interaction, interaction, "one command id, two chats");
        }
        let visitor = match &mut visitor {
            Some(visitor) => visitor,
            none => none.insert(Visitor::joins(daemon, again.interaction, again.token.clone()).await),
        };
        let started = (visitor.interaction, visitor.token.clone());
        look(&self.book, |book| book.chats[n].started = Some(started));
        self.say_again(&chat, n, visitor).await;
        visitor.resyncs().await;
        present(&look(&self.book, |book| book.chats[n].clone()), visitor);
    }

    async fn say_again(&self, chat: &Chat, n: usize, visitor: &mut Visitor) {
        for (at, line) in chat.lines.iter().enumerate().filter(|(_, line)| line.by == Side::Customer) {
            let says = WidgetSays::Send { id: line.id.clone(), text: line.text.clone() };
            let answer = visitor.attempts(&line.id, &says).await.expect("an answer");
            assert!(line.fate != Fate::Acknowledged || answer.is_ok(), "taken before, now {answer:?}");
            look(&self.book, |book| book.chats[n].lines[at].fate = fate(&answer));
        }
        if let Some((id, before)) = &chat.end {
            let answer = visitor.attempts(id, &WidgetSays::End { id: id.clone() }).await.expect("an answer");
            assert!(*before != Fate::Acknowledged || answer.is_ok(), "ended before, now {answer:?}");
            look(&self.book, |book| book.chats[n].end = Some((id.clone(), fate(&answer))));
        }
    }

    async fn check_call(&self, daemon: &Daemon, n: usize) {
        let events = look(&self.book, |book| book.calls[n].events.clone());
        for (at, (event, seq)) in events.iter().enumerate() {
            let answer = daemon.try_event(&event.to_string()).await;
            let status = answer.status();
            let body: Value = answer.json().await.expect("JSON");
            assert!(status.is_success(), "{event}: {body}");
            if let Some(seq) = seq {
                assert_eq!((&body["repeated"], body["seq"].as_u64()), (&json!(true), Some(*seq)), "{event}");
            }
            look(&self.book, |book| book.calls[n].events[at].1 = body["seq"].as_u64());
        }
    }

    /// Works until every chat and call that was begun is over, and sees that each became exactly one record that holds
    /// every acknowledged line exactly once.
    pub(crate) async fn finish(&mut self, daemon: &Daemon, centre: &Centre) {
        self.check(daemon).await;
        let began = Instant::now();
        let mut at_work = self.work_with(daemon, false);
        let (chats, calls) = self.size();
        let records = loop {
            let records = centre.crm.log_records().await;
            let keys: BTreeSet<&str> = records.iter().map(|r| r.key.as_str()).collect();
            assert_eq!(keys.len(), records.len(), "two records of one interaction");
            // A case is there a moment before its transcript.
            let whole = records.iter().filter(|r| !r.attachments.is_empty()).count() >= chats;
            if records.len() >= chats + calls && whole {
                break records;
            }
            let (have, open) = (records.len(), open_chats(&self.book));
            assert!(began.elapsed() < 6 * PATIENCE, "{have} of {chats} + {calls} records; open: {open:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        at_work.shutdown().await;
        assert_eq!(records.len(), chats + calls, "a record too many");
        let (chats, calls) = look(&self.book, |book| (book.chats.clone(), book.calls.clone()));
        chats.iter().for_each(|chat| chat.is_in(&records));
        for call in calls {
            let holds = |r: &&LogRecord| r.fields.to_string().contains(&call.from);
            assert_eq!(records.iter().filter(holds).count(), 1, "records of the call from {}", call.from);
        }
    }
}

fn fate(answer: &Result<(), Refusal>) -> Fate {
    match answer {
        Ok(()) => Fate::Acknowledged,
        // A journal that failed does not know what its disk kept: it says to come again under the same id.
        Err(refusal) if refusal.code == Code::Unavailable => Fate::Open,
        Err(_) => Fate::Refused,
    }
}

fn look<R>(book: &Mutex<Book>, at: impl FnOnce(&mut Book) -> R) -> R {
    at(&mut book.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Chats of the book whose end was not acknowledged.
fn open_chats(book: &Mutex<Book>) -> Vec<usize> {
    let over = |chat: &Chat| chat.end.as_ref().is_some_and(|(_, fate)| *fate != Fate::Open);
    look(book, |book| (0..book.chats.len()).filter(|n| !over(&book.chats[*n])).collect())
}

/// What was acknowledged of a chat stands in it once and in order, and nothing stands in it twice.
fn present(chat: &Chat, visitor: &Visitor) {
    let seen: Vec<&CommandId> = visitor.messages.iter().map(|m| &m.id).collect();
    let once: BTreeSet<&&CommandId> = seen.iter().collect();
    assert_eq!(once.len(), seen.len(), "a message stands twice");
    for by in [Side::Customer, Side::Agent] {
        let kept = chat.lines.iter().filter(|line| line.by == by && line.fate == Fate::Acknowledged);
        let places: Vec<usize> = kept
            .map(|line| {
                let place = seen.iter().position(|id| **id == line.id);
                place.unwrap_or_else(|| panic!("`{}` was acknowledged and is lost", line.text))
            })
            .collect();
        assert!(places.is_sorted(), "messages changed places");
    }
    let waits = matches!(visitor.state, ChatState::Waiting { .. });
    assert!(!(chat.accepted && waits), "an accepted chat waits again");
    let over = matches!(visitor.state, ChatState::Ended { .. });
    let ended = matches!(chat.end, Some((_, Fate::Acknowledged)));
    assert!(!ended || over, "a chat that was ended goes on: {:?}", visitor.state);
}

impl Chat {
    fn is_in(&self, records: &[LogRecord]) {
        let key = self.started.as_ref().expect("it was started").0.to_string();
        let ours: Vec<&LogRecord> = records.iter().filter(|r| r.key == key).collect();
        assert_eq!(ours.len(), 1, "records of chat {key}");
        let (_, transcript) = ours[0].attachments.first().expect("its transcript");
        for line in &self.lines {
            let times = transcript.matches(&line.text).count();
            match line.fate {
                Fate::Acknowledged => assert_eq!(times, 1, "`{}` in the transcript of {key}", line.text),
                Fate::Refused => assert_eq!(times, 0, "`{}` was refused", line.text),
                // An agent's line on which the daemon died: kept or not, but never twice.
                Fate::Open => assert!(times <= 1, "`{}` in the transcript of {key}", line.text),
            }
        }
    }
}

/// Somebody at work.
struct At {
    url: String,
    http: reqwest::Client,
    book: Arc<Mutex<Book>>,
    chance: StdRng,
    begin_anew: bool,
}

impl At {
    fn socket(&self, path: &str) -> String {
        format!("{}{path}", self.url.replacen("http", "ws", 1))
    }

    fn note<R>(&self, at: impl FnOnce(&mut Book) -> R) -> R {
        look(&self.book, at)
    }

    /// Goes on with chats of its own, then begins others.
    async fn customer(mut self, own: Vec<usize>) -> Option<()> {
        for n in own {
            self.talk(n).await?;
        }
        while self.begin_anew {
            let start = StartChat {
                id: command(),
                queue: QueueId::new("load").expect("a queue id"),
                person: person("Ines", "ines@example.org"),
                skills: Default::default(),
                previous: None,
                visitor: None,
            };
            let chat =
                Chat { start, started: None, lines: vec![], accepted: false, end: None, touched: true };
            let n = self.note(|book| {
                book.chats.push(chat);
                book.chats.len() - 1
            });
            self.talk(n).await?;
        }
        Some(())
    }

    /// `None` when the daemon is gone.
    async fn talk(&mut self, n: usize) -> Option<()> {
        let chat = self.note(|book| {
            book.chats[n].touched = true;
            book.chats[n].clone()
        });
        let (interaction, token) = match chat.started {
            Some(started) => started,
            None => self.begin(n, &chat.start).await?,
        };
        let socket = self.socket("/ws/customer");
        let mut visitor = Visitor::try_joins(&socket, &self.url, interaction, token).await?;
        for line in 0..self.chance.random_range(2..6) {
            let id = command();
            let text = format!("[{} {line}]", id.as_str());
            let at = self.note(|book| book.chats[n].open(&id, &text, Side::Customer));
            let answer = visitor.attempts(&id, &WidgetSays::Send { id: id.clone(), text }).await?;
            self.note(|book| book.settle(n, at, &answer));
        }
        while !visitor.messages.iter().any(|m| m.from == Side::Agent) {
            visitor.next().await.then_some(())?;
        }
        let id = command();
        self.note(|book| book.chats[n].end = Some((id.clone(), Fate::Open)));
        let answer = visitor.attempts(&id, &WidgetSays::End { id: id.clone() }).await?;
        self.note(|book| {
            book.chats[n].end = Some((id, fate(&answer)));
            book.acknowledged += 1;
        });
        Some(())
    }

    async fn begin(&self, n: usize, start: &StartChat) -> Option<(InteractionId, String)> {
        let request = self.http.post(format!("{}/api/v1/demo/chats", self.url)).header("origin", &self.url);
        let answer = request.json(start).send().await.ok()?;
        // Its journal failed under it: it says so, and is about to end.
        if answer.status() == reqwest::StatusCode::SERVICE_UNAVAILABLE {
            return None;
        }
        assert!(
            answer.status().is_success(),
            "a chat is refused: {}",
            answer.text().await.unwrap_or_default()
        );
        let started: ChatStarted = answer.json().await.ok()?;
        let started = (started.interaction, started.token);
        self.note(|book| {
            book.chats[n].started = Some(started.clone());
            book.acknowledged += 1;
        });
        Some(started)
    }

    /// Accepts, answers what is unanswered, completes wrap-ups.
    async fn agent(self, token: String) -> Option<()> {
        let socket = self.socket("/ws/agent");
        let mut panel = Panel::try_open(&socket, &self.url, &token, None).await?;
        let available = AgentDeed::SetPresence { presence: Presence::Available, confirmed: false };
        panel.attempts(command(), available).await?.expect("taken");
        loop {
            let item = panel.view.items.iter().find(|item| item.place == Place::Active);
            let wrap_up = item.filter(|item| item.wrap_up.is_some());
            let unanswered = item.filter(|item| item.wrap_up.is_none() && item.unanswered_since.is_some());
            let offer = panel.view.offer.as_ref().map(|offer| (offer.offer, offer.interaction));
            if let Some((offer, interaction)) = offer {
                // An offer can be gone by now; then its view is on the way.
                let answer = panel.attempts(command(), AgentDeed::AcceptOffer { offer }).await?;
                self.note(|book| book.accepted(interaction, &answer));
                panel.view.offer.take_if(|seen| seen.offer == offer);
            } else if let Some(interaction) = wrap_up.map(|item| item.interaction) {
                panel.attempts(command(), AgentDeed::CompleteWrapUp { interaction }).await?.ok();
                panel.view.items.retain(|item| item.interaction != interaction);
            } else if let Some(interaction) = unanswered.map(|item| item.interaction) {
                self.reply(&mut panel, interaction).await?;
            } else {
                panel.next().await.then_some(())?;
            }
        }
    }

    async fn reply(&self, panel: &mut Panel, interaction: InteractionId) -> Option<()> {
        let id = command();
        let text = format!("[{}]", id.as_str());
        let line = self.note(|book| {
            let is = |chat: &Chat| chat.started.as_ref().is_some_and(|(is, _)| *is == interaction);
            let n = book.chats.iter().position(is)?;
            Some((n, book.chats[n].open(&id, &text, Side::Agent)))
        });
        // Its customer has not heard yet that the chat was taken; the next frame finds it in the book.
        let Some((n, at)) = line else { return panel.next().await.then_some(()) };
        let answer = panel.attempts(id, AgentDeed::Send { interaction, text }).await?;
        self.note(|book| book.settle(n, at, &answer));
        if let Some(item) = panel.view.items.iter_mut().find(|item| item.interaction == interaction) {
            item.unanswered_since = None;
        }
        Some(())
    }

    /// One call after the other: it rings, is answered, ends.
    async fn telephone(self) -> Option<()> {
        let open = |call: &Call| call.events.len() < KINDS.len();
        let mut next = self.note(|book| book.calls.iter().position(open));
        loop {
            let n = match next.take() {
                Some(n) => n,
                None if self.begin_anew => self.note(|book| {
                    let from = format!("+4420794{:05}", 10_000 + book.calls.len());
                    book.calls.push(Call { from, events: vec![], touched: true });
                    book.calls.len() - 1
                }),
                None => return Some(()),
            };
            let (begun, from) = self.note(|book| (book.calls[n].events.len(), book.calls[n].from.clone()));
            for kind in &KINDS[begun..] {
                let event = happening(kind, n, &from);
                let at = self.note(|book| {
                    book.calls[n].touched = true;
                    book.calls[n].events.push((event.clone(), None));
                    book.calls[n].events.len() - 1
                });
                let request = self.http.post(format!("{}/api/v1/demo/events", self.url));
                let request = request.bearer_auth(PRODUCER_TOKEN).json(&event);
                let answer = request.send().await.ok()?;
                if answer.status() == reqwest::StatusCode::SERVICE_UNAVAILABLE {
                    return None;
                }
                let answer: Value = answer.json().await.ok()?;
                let seq = answer["seq"].as_u64().unwrap_or_else(|| panic!("{event} is refused: {answer}"));
                self.note(|book| {
                    book.calls[n].events[at].1 = Some(seq);
                    book.acknowledged += 1;
                });
            }
        }
    }
}

const KINDS: [&str; 3] = ["ringing", "answered", "ended"];

fn happening(kind: &str, n: usize, from: &str) -> Value {
    let data = match kind {
        "ringing" => {
            json!({ "call": format!("k-{n}"), "from": from, "to": "+442079460000", "agents": ["299"] })
        }
        "answered" => json!({ "call": format!("k-{n}"), "agent": "carl" }),
        _ => json!({ "call": format!("k-{n}") }),
    };
    json!({ "specversion": "1.0", "id": command().as_str(), "source": "/pbx/load",
        "type": format!("com.tieline.call.{kind}.v1"), "tenant": "demo", "data": data })
}

impl Chat {
    fn open(&mut self, id: &CommandId, text: &str, by: Side) -> usize {
        self.touched = true;
        self.lines.push(Line { id: id.clone(), text: text.to_owned(), by, fate: Fate::Open });
        self.lines.len() - 1
    }
}

impl Book {
    fn settle(&mut self, chat: usize, line: usize, answer: &Result<(), Refusal>) {
        self.chats[chat].lines[line].fate = fate(answer);
        self.acknowledged += 1;
    }

    fn accepted(&mut self, interaction: InteractionId, answer: &Result<(), Refusal>) {
        let is = |chat: &&mut Chat| chat.started.as_ref().is_some_and(|(is, _)| *is == interaction);
        if let Some(chat) = self.chats.iter_mut().find(is) {
            chat.accepted |= answer.is_ok();
            chat.touched = true;
            self.acknowledged += 1;
        }
    }
}
