//! What all people of the simulation share: the way to the process of the moment, and a book of what was promised.

use super::chance::Chance;
use super::tenant;
use futures::FutureExt;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tieline::drive::{self, Done, Handle, Request};
use tieline::journal::{MemoryStore, NewContent, Store};
use tieline_engine::Engine;
use tieline_model::content::Content;
use tieline_model::content::ContentRef;
use tieline_model::policy::TenantPolicy;
use tieline_model::{Actor, Code, Command, CommandId, ConversationId, InteractionId, Refusal, Seq, Wish};
use tokio::time::{sleep, timeout};
use uuid::Uuid;

/// The process of the moment: its number and its engines, `None` while it is down.
pub type Line = Arc<Mutex<Option<(u64, Handle)>>>;

/// What callers were told, to be held against the journal at the end.
#[derive(Default)]
pub struct Promises {
    /// Rows that an answer named.
    pub kept: Vec<tieline::journal::Recorded>,
    /// Messages, files and whispers that were taken.
    pub taken: Vec<CommandId>,
    /// Messages, files and whispers that were refused for good.
    pub refused: Vec<CommandId>,
    pub wrongs: Vec<String>,
    pub asked: u64,
    pub repeated: u64,
}

/// A wish with the content it refers to.
#[derive(Clone)]
pub struct Deed {
    pub wish: Wish,
    pub content: Vec<NewContent>,
}

impl From<Wish> for Deed {
    fn from(wish: Wish) -> Self {
        Self { wish, content: Vec::new() }
    }
}

/// A deed whose wish refers to one piece of content.
pub fn with(conversation: ConversationId, content: Content, wish: impl FnOnce(ContentRef) -> Wish) -> Deed {
    let (refer, content) = drive::content(conversation, content);
    Deed { wish: wish(refer), content: vec![content] }
}

pub fn message(conversation: ConversationId, interaction: InteractionId, text: &str) -> Deed {
    let text = Content::Message { text: text.to_owned() };
    with(conversation, text, |text| Wish::SendMessage { interaction, text })
}

pub fn file(conversation: ConversationId, interaction: InteractionId, name: &str) -> Deed {
    let file = Content::File { name: name.to_owned(), data: "aGVsbG8=".to_owned() };
    with(conversation, file, |file| Wish::SendFile { interaction, file, media_type: "text/plain".to_owned() })
}

/// A command that was answered and is sent again much later, by a client that never saw the answer.
struct Late {
    by: Actor,
    id: CommandId,
    deed: Deed,
    seq: Seq,
}

pub struct World {
    pub chance: Chance,
    pub line: Line,
    pub promises: Arc<Mutex<Promises>>,
    /// What the disk of the moment holds.
    pub disk: Arc<Mutex<Arc<MemoryStore>>>,
    /// The settings file.
    pub settings: Arc<Mutex<TenantPolicy>>,
    late: Mutex<Option<Late>>,
}

impl World {
    pub fn new(
        chance: Chance,
        line: Line,
        promises: Arc<Mutex<Promises>>,
        disk: Arc<Mutex<Arc<MemoryStore>>>,
        settings: Arc<Mutex<TenantPolicy>>,
    ) -> Self {
        Self { chance, line, promises, disk, settings, late: Mutex::default() }
    }

    /// The same world for one person, with dice of their own.
    pub fn of(&self, name: &str) -> Self {
        let (line, promises) = (self.line.clone(), self.promises.clone());
        Self::new(self.chance.of(name), line, promises, self.disk.clone(), self.settings.clone())
    }

    pub async fn pause(&self, from_ms: u64, to_ms: u64) {
        sleep(Duration::from_millis(from_ms + self.chance.below(to_ms - from_ms + 1))).await;
    }

    pub fn id(&self, who: &str) -> CommandId {
        CommandId::new(format!("{who}-{:016x}", self.chance.roll())).unwrap()
    }

    pub fn uuid(&self) -> Uuid {
        Uuid::from_u128(u128::from(self.chance.roll()) << 64 | u128::from(self.chance.roll()))
    }

    pub fn pick<'a, T>(&self, of: &'a [T]) -> Option<&'a T> {
        of.get(usize::try_from(self.chance.below(of.len().max(1) as u64)).unwrap())
    }

    pub fn wrong(&self, what: String) {
        self.promises.lock().unwrap().wrongs.push(what);
    }

    async fn process(&self) -> Handle {
        loop {
            if let Some((_, process)) = self.line.lock().unwrap().clone() {
                return process;
            }
            sleep(Duration::from_millis(25)).await;
        }
    }

    /// Looks at the engine; `None` when the process dies over it.
    pub async fn look<R: Send + 'static>(
        &self,
        look: impl FnOnce(&Engine) -> R + Send + 'static,
    ) -> Option<R> {
        self.process().await.read(&tenant(), look).await.ok()
    }

    /// Sends a command until it is answered, minting its content anew on every try as the edge does.
    pub async fn ask(&self, by: Actor, id: CommandId, make: impl Fn() -> Deed) -> Result<Done, Refusal> {
        let request = || request(&by, &id, make());
        let answer = loop {
            let handle = self.process().await;
            let answer = if !self.chance.calm() && self.chance.one_in(40) {
                // Whoever asks goes away before the answer comes, and asks again.
                let patience = Duration::from_millis(self.chance.below(20));
                match timeout(patience, handle.submit(request())).await {
                    Ok(answer) => answer,
                    Err(_) => continue,
                }
            } else {
                handle.submit(request()).await
            };
            match answer {
                Err(refusal) if refusal.message.contains("could not be carried out") => {
                    self.wrong(format!("the engine panicked over {:?}", request().command));
                    break Err(refusal);
                }
                Err(refusal) if matches!(refusal.code, Code::Busy | Code::Unavailable | Code::Full) => {
                    self.pause(50, 500).await;
                }
                answer => break answer,
            }
        };
        self.note(&id, &make().wish, &answer);
        if let Ok(done) = &answer
            && !done.events.is_empty()
        {
            if self.chance.one_in(16) {
                self.again(&by, &id, make(), done.seq).await;
            } else if self.chance.one_in(16) {
                let late = Late { by: by.clone(), id, deed: make(), seq: done.seq };
                let earlier = self.late.lock().unwrap().replace(late);
                if let Some(Late { by, id, deed, seq }) = earlier {
                    self.again(&by, &id, deed, seq).await;
                }
            }
        }
        answer
    }

    fn note(&self, id: &CommandId, wish: &Wish, answer: &Result<Done, Refusal>) {
        let writes = matches!(
            wish,
            Wish::SendMessage { .. }
                | Wish::SendFile { .. }
                | Wish::Whisper { .. }
                | Wish::LeaveMessage { .. }
        );
        let mut promises = self.promises.lock().unwrap();
        promises.asked += 1;
        match answer {
            Ok(done) => {
                if let Some(first) = done.events.first() {
                    let disk = self.disk.lock().unwrap().clone();
                    let before = Seq(first.seq.0 - 1);
                    let count = u32::try_from(done.events.len()).unwrap();
                    let rows = disk.read(&tenant(), before, count).now_or_never();
                    if rows.expect("memory does not wait").expect("memory can be read") != done.events {
                        promises.wrongs.push(format!("{id} was answered before it was kept: {done:?}"));
                    }
                }
                promises.kept.extend(done.events.iter().cloned());
                promises.repeated += u64::from(done.repeated);
                if writes {
                    promises.taken.push(id.clone());
                }
            }
            Err(_) if writes => promises.refused.push(id.clone()),
            Err(_) => {}
        }
    }

    /// The same command again counts nothing; another body under its id is refused (promise 2).
    async fn again(&self, by: &Actor, id: &CommandId, deed: Deed, seq: Seq) {
        let passes = |refusal: &Refusal| matches!(refusal.code, Code::Busy | Code::Unavailable | Code::Full);
        let handle = self.process().await;
        match handle.submit(request(by, id, deed)).await {
            Ok(done) if done.repeated && done.seq == seq => {}
            Err(refusal) if passes(&refusal) => return,
            other => self.wrong(format!("{id} again gave {other:?} after {seq:?}")),
        }
        let wish = Wish::EndChat { interaction: InteractionId(Uuid::nil()) };
        match handle.submit(request(by, id, wish.into())).await {
            Err(refusal) if refusal.code == Code::IdReused || passes(&refusal) => {}
            other => self.wrong(format!("{id} with another body gave {other:?}")),
        }
    }
}

fn request(by: &Actor, id: &CommandId, deed: Deed) -> Request {
    let command = Command { id: id.clone(), by: by.clone(), wish: deed.wish };
    let mut request = Request::new(tenant(), command);
    request.content = deed.content;
    request
}
