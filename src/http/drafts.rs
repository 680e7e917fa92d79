//! Frames before their content is filled in: what the engine knows, with ids where people's words belong. Made in
//! the engines' loop, which must be quick; filled in by each socket's own task.

use super::contents::Known;
use super::person::display_name;
use crate::journal::Recorded;
use std::collections::{BTreeMap, BTreeSet};
use tieline_model::crm::{Direction, Side};
use tieline_model::event::Guest;
use tieline_model::live::{
    CallCard, CallSide, Change, Colleague, HandedBy, Item, Joined, LogEntry, Lookup, Me, Message, Offer,
    QueueView, Said, Supervised, Watched,
};
use tieline_model::{
    AgentId, CommandId, ContentId, ConversationId, Event, InteractionId, Seq, ShareId, Timestamp,
};

/// Messages of one chat in a snapshot; older ones stay in the journal.
pub(super) const HISTORY_MAX: usize = 1_000;

/// Names of agents as shown.
pub(super) type Names = BTreeMap<AgentId, String>;

/// A look-up; its matches are content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LookupDraft {
    pub(super) lookup: Lookup,
    pub(super) matches: Option<ContentId>,
}

/// An offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OfferDraft {
    pub(super) offer: Offer,
    pub(super) person: ContentId,
    /// The note of who hands it on.
    pub(super) note: Option<ContentId>,
    pub(super) lookups: Vec<LookupDraft>,
}

/// An owned chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ItemDraft {
    pub(super) item: Item,
    pub(super) conversation: ConversationId,
    /// Who it is, or the numbers of a call.
    pub(super) person: Option<ContentId>,
    pub(super) remarks: Option<ContentId>,
    /// What was filled into the script.
    pub(super) answers: Option<ContentId>,
    pub(super) lookups: Vec<LookupDraft>,
}

/// A chat of another agent that this one has joined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct JoinedDraft {
    pub(super) guest: Guest,
    pub(super) owner: AgentId,
    pub(super) owner_name: String,
    pub(super) item: ItemDraft,
}

/// A call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CallDraft {
    pub(super) call: CallCard,
    pub(super) conversation: ConversationId,
    pub(super) numbers: Option<ContentId>,
    pub(super) lookups: Vec<LookupDraft>,
}

/// A log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LogDraft {
    pub(super) log: LogEntry,
    /// Who it was, or the numbers of a call.
    pub(super) person: Option<ContentId>,
    /// Which way it went, if it was a call.
    pub(super) call: Option<Direction>,
}

/// For whom a transcript is made: what agents write for each other is told to no customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Readers {
    /// The chat's customer.
    Customer,
    /// Agents at the chat.
    Agents,
}

/// What a message says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Words {
    /// A person's, kept apart.
    Kept(ContentId),
    /// Tieline's own; empty where the kind says all.
    Own(String),
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MessageDraft {
    pub(super) id: CommandId,
    pub(super) seq: Seq,
    pub(super) at: Timestamp,
    pub(super) from: Side,
    /// The agent's name as shown; `None` for the customer, whose name is content.
    pub(super) agent: Option<String>,
    pub(super) person: Option<ContentId>,
    pub(super) words: Words,
    pub(super) said: Said,
}

/// Something that changed for an agent.
#[derive(Debug, Clone)]
pub(super) enum Draft {
    Me(Me),
    Offer(Option<OfferDraft>),
    Item(ItemDraft),
    ItemGone(InteractionId),
    Joined(JoinedDraft),
    JoinedGone(InteractionId),
    /// A chat came to the agent: what was said in it so far.
    History(History),
    Message(InteractionId, MessageDraft),
    Call(CallDraft),
    CallGone(InteractionId),
    Queue(QueueView),
    Log(LogDraft),
    Colleagues(Vec<Colleague>),
    Supervised(Supervised),
    Watched(Box<Watched>, Vec<InteractionId>),
}

/// What was said in a chat, up to a place in the journal.
#[derive(Debug, Clone)]
pub(super) struct History {
    pub(super) interaction: InteractionId,
    pub(super) up_to: Seq,
    pub(super) names: std::sync::Arc<Names>,
}

/// What an agent's panels show, but for messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AgentView {
    pub(super) me: Me,
    pub(super) offer: Option<OfferDraft>,
    pub(super) items: BTreeMap<InteractionId, ItemDraft>,
    pub(super) joined: BTreeMap<InteractionId, JoinedDraft>,
    pub(super) calls: BTreeMap<InteractionId, CallDraft>,
    /// Newest first.
    pub(super) logs: Vec<LogDraft>,
}

impl AgentView {
    /// Interactions that this view shows, logs included.
    pub(super) fn shows(&self) -> BTreeSet<InteractionId> {
        let offer = self.offer.iter().map(|o| o.offer.interaction);
        let owned = self.items.keys().chain(self.joined.keys()).chain(self.calls.keys()).copied();
        offer.chain(owned).chain(self.logs.iter().map(|l| l.log.interaction)).collect()
    }

    /// The agent has it: offered, owned, or ringing.
    pub(super) fn holds(&self, id: InteractionId) -> bool {
        self.offer.as_ref().is_some_and(|o| o.offer.interaction == id)
            || self.items.contains_key(&id)
            || self.calls.contains_key(&id)
    }

    /// Chats whose messages this view shows; which list each stands in is part of it.
    pub(super) fn reads(&self) -> BTreeSet<(bool, InteractionId)> {
        let own = self.items.keys().map(|id| (true, *id));
        own.chain(self.joined.keys().map(|id| (false, *id))).collect()
    }

    /// The conversation of a chat or call at which the agent is.
    pub(super) fn conversation(&self, id: InteractionId) -> Option<ConversationId> {
        let item = self.items.get(&id).or_else(|| self.joined.get(&id).map(|joined| &joined.item));
        item.map(|item| item.conversation).or_else(|| self.calls.get(&id).map(|call| call.conversation))
    }

    /// What has to be said so that a page which shows `self` shows `next`.
    pub(super) fn changes(&self, next: &Self, history: impl Fn(InteractionId) -> History) -> Vec<Draft> {
        let mut drafts = Vec::new();
        if self.offer != next.offer {
            drafts.push(Draft::Offer(next.offer.clone()));
        }
        drafts.extend(
            self.items.keys().filter(|id| !next.items.contains_key(id)).map(|id| Draft::ItemGone(*id)),
        );
        // What goes goes first: a chat that moves between the two lists brings its messages anew.
        drafts.extend(
            self.joined.keys().filter(|id| !next.joined.contains_key(id)).map(|id| Draft::JoinedGone(*id)),
        );
        for (id, joined) in &next.joined {
            let before = self.joined.get(id);
            if before != Some(joined) {
                drafts.push(Draft::Joined(joined.clone()));
            }
            if before.is_none() {
                drafts.push(Draft::History(history(*id)));
            }
        }
        for (id, item) in &next.items {
            let before = self.items.get(id);
            if before != Some(item) {
                drafts.push(Draft::Item(item.clone()));
            }
            if before.is_none() {
                drafts.push(Draft::History(history(*id)));
            }
        }
        drafts.extend(
            self.calls.keys().filter(|id| !next.calls.contains_key(id)).map(|id| Draft::CallGone(*id)),
        );
        let calls = next.calls.iter().filter(|(id, call)| self.calls.get(*id) != Some(*call));
        drafts.extend(calls.map(|(_, call)| Draft::Call(call.clone())));
        // Oldest first, so that the newest ends on top.
        drafts.extend(next.logs.iter().rev().filter(|log| !self.logs.contains(log)).cloned().map(Draft::Log));
        if self.me != next.me {
            drafts.push(Draft::Me(next.me.clone()));
        }
        drafts
    }
}

/// Content that something refers to.
pub(super) trait Refers {
    fn refs(&self, into: &mut BTreeSet<ContentId>);
}

impl Refers for LookupDraft {
    fn refs(&self, into: &mut BTreeSet<ContentId>) {
        into.extend(self.matches);
    }
}

impl<T: Refers> Refers for Vec<T> {
    fn refs(&self, into: &mut BTreeSet<ContentId>) {
        self.iter().for_each(|one| one.refs(into));
    }
}

impl Refers for OfferDraft {
    fn refs(&self, into: &mut BTreeSet<ContentId>) {
        into.insert(self.person);
        into.extend(self.note);
        self.lookups.refs(into);
    }
}

impl Refers for ItemDraft {
    fn refs(&self, into: &mut BTreeSet<ContentId>) {
        into.extend(self.person);
        into.extend(self.remarks);
        into.extend(self.answers);
        self.lookups.refs(into);
    }
}

impl Refers for CallDraft {
    fn refs(&self, into: &mut BTreeSet<ContentId>) {
        into.extend(self.numbers);
        self.lookups.refs(into);
    }
}

impl Refers for LogDraft {
    fn refs(&self, into: &mut BTreeSet<ContentId>) {
        into.extend(self.person);
    }
}

impl Refers for MessageDraft {
    fn refs(&self, into: &mut BTreeSet<ContentId>) {
        match &self.words {
            Words::Kept(id) => _ = into.insert(*id),
            Words::Own(_) => {}
        }
        into.extend(self.person);
    }
}

impl Refers for Draft {
    fn refs(&self, into: &mut BTreeSet<ContentId>) {
        match self {
            Self::Offer(Some(offer)) => offer.refs(into),
            Self::Item(item) => item.refs(into),
            Self::Joined(joined) => joined.item.refs(into),
            Self::Message(_, message) => message.refs(into),
            Self::Call(call) => call.refs(into),
            Self::Log(log) => log.refs(into),
            Self::Me(_)
            | Self::Offer(None)
            | Self::ItemGone(_)
            | Self::JoinedGone(_)
            | Self::History(_)
            | Self::CallGone(_)
            | Self::Queue(_)
            | Self::Colleagues(_)
            | Self::Supervised(_)
            | Self::Watched(..) => {}
        }
    }
}

impl LookupDraft {
    fn fill(self, known: &Known) -> Lookup {
        let (matches, more) = self.matches.map(|id| known.matches(id)).unwrap_or_default();
        Lookup { matches, more, ..self.lookup }
    }
}

fn fill_all(lookups: Vec<LookupDraft>, known: &Known) -> Vec<Lookup> {
    lookups.into_iter().map(|lookup| lookup.fill(known)).collect()
}

impl OfferDraft {
    pub(super) fn fill(self, known: &Known) -> Offer {
        let note = self.note.map(|id| known.text(id));
        let handed_by = self.offer.handed_by.map(|by| HandedBy { note, ..by });
        let (person, lookups) = (known.person(self.person), fill_all(self.lookups, known));
        Offer { person, lookups, handed_by, ..self.offer }
    }
}

impl ItemDraft {
    pub(super) fn fill(self, known: &Known) -> Item {
        let call = self.item.call.map(|side| {
            let numbers = self.person.map(|id| known.numbers(id)).unwrap_or_default();
            CallSide { from: numbers.from, to: numbers.to, ..side }
        });
        Item {
            person: self.person.map(|id| known.person(id)).unwrap_or_default(),
            lookups: fill_all(self.lookups, known),
            remarks: self.remarks.map(|id| known.remarks(id)).unwrap_or_default(),
            answers: self.answers.map(|id| known.answers(id)).unwrap_or_default(),
            call,
            ..self.item
        }
    }
}

impl JoinedDraft {
    pub(super) fn fill(self, known: &Known) -> Joined {
        let Self { guest, owner, owner_name, item } = self;
        Joined { guest, owner, owner_name, item: item.fill(known) }
    }
}

impl CallDraft {
    pub(super) fn fill(self, known: &Known) -> CallCard {
        let numbers = self.numbers.map(|id| known.numbers(id)).unwrap_or_default();
        CallCard { from: numbers.from, to: numbers.to, lookups: fill_all(self.lookups, known), ..self.call }
    }
}

impl LogDraft {
    pub(super) fn fill(self, known: &Known) -> LogEntry {
        let name = match self.call {
            None => display_name(&self.person.map(|id| known.person(id)).unwrap_or_default()),
            Some(direction) => {
                let numbers = self.person.map(|id| known.numbers(id)).unwrap_or_default();
                numbers.customer(direction).unwrap_or("Unknown number").to_owned()
            }
        };
        LogEntry { name, ..self.log }
    }
}

impl MessageDraft {
    pub(super) fn fill(self, known: &Known) -> Message {
        let name = match (self.agent, self.from) {
            (Some(agent), _) => agent,
            (None, Side::Customer) => {
                display_name(&self.person.map(|id| known.person(id)).unwrap_or_default())
            }
            (None, Side::Agent | Side::System) => String::new(),
        };
        let text = match self.words {
            Words::Kept(id) => known.text(id),
            Words::Own(text) => text,
        };
        Message { id: self.id, seq: self.seq.0, at: self.at, from: self.from, name, text, said: self.said }
    }

    /// Gives a shared transcript's link, as its customer reads it.
    pub(super) fn link(&mut self, to: impl FnOnce(ShareId, Timestamp) -> String) {
        if let Said::Shared { share, expires_at } = &self.said {
            self.words = Words::Own(to(*share, *expires_at));
        }
    }
}

impl Draft {
    /// The change a panel is told; histories are told as messages by whoever fetched them.
    pub(super) fn fill(self, known: &Known) -> Option<Change> {
        Some(match self {
            Self::Me(me) => Change::Me { me },
            Self::Offer(offer) => Change::Offer { offer: offer.map(|o| o.fill(known)) },
            Self::Item(item) => Change::Item { item: item.fill(known) },
            Self::ItemGone(interaction) => Change::ItemGone { interaction },
            Self::Joined(joined) => Change::Joined { joined: joined.fill(known) },
            Self::JoinedGone(interaction) => Change::JoinedGone { interaction },
            Self::Message(interaction, message) => {
                Change::Message { interaction, message: message.fill(known) }
            }
            Self::Call(call) => Change::Call { call: call.fill(known) },
            Self::CallGone(interaction) => Change::CallGone { interaction },
            Self::Queue(queue) => Change::Queue { queue },
            Self::Log(log) => Change::Log { log: log.fill(known) },
            Self::Colleagues(colleagues) => Change::Colleagues { colleagues },
            Self::Supervised(supervised) => Change::Supervised { supervised },
            Self::Watched(watched, chats_gone) => Change::Watched { watched: *watched, chats_gone },
            Self::History(_) => return None,
        })
    }
}

/// What the rows of one interaction say to those who read along.
pub(super) struct Told {
    pub(super) conversation: Option<ConversationId>,
    pub(super) person: Option<ContentId>,
    pub(super) ended: Option<Side>,
    pub(super) messages: Vec<MessageDraft>,
}

impl Told {
    /// Reads the rows of one interaction up to a place in the journal.
    pub(super) fn from_rows(rows: &[Recorded], up_to: Seq, names: &Names, readers: Readers) -> Self {
        let mut told = Self { conversation: None, person: None, ended: None, messages: Vec::new() };
        for row in rows.iter().filter(|row| row.seq <= up_to) {
            if let Event::ChatStarted { conversation, person, .. } = &row.event {
                told.conversation = Some(*conversation);
                told.person = Some(person.id);
            }
            if let Event::ChatEnded { by, .. } = &row.event {
                told.ended = Some(*by);
            }
            if let Event::ChatReopened { .. } = &row.event {
                told.ended = None;
            }
            told.messages.extend(message(row, told.person, names, readers));
        }
        let extra = told.messages.len().saturating_sub(HISTORY_MAX);
        told.messages.drain(..extra);
        told
    }
}

/// The message of a row, if it is one that these readers are told.
#[expect(clippy::wildcard_enum_match_arm, reason = "a few kinds of events say something to somebody")]
pub(super) fn message(
    row: &Recorded,
    person: Option<ContentId>,
    names: &Names,
    readers: Readers,
) -> Option<MessageDraft> {
    let name = |id: &AgentId| names.get(id).cloned().unwrap_or_else(|| id.to_string());
    // What nobody wrote has no id of its own; its place never changes.
    let own_id = |kind: &str| CommandId::new(format!("{kind}-{}", row.seq.0)).expect("printable ASCII");
    let made = |id: CommandId, from: Side, agent: Option<&AgentId>, words: Words, said: Said| MessageDraft {
        id,
        seq: row.seq,
        at: row.at,
        from,
        agent: agent.map(name),
        person: person.filter(|_| from == Side::Customer),
        words,
        said,
    };
    match &row.event {
        Event::MessageSent { message, from, agent, text, .. } => {
            Some(made(message.clone(), *from, agent.as_ref(), Words::Kept(text.id), Said::Words))
        }
        Event::FileSent { message, from, agent, file, media_type, .. } => {
            let (words, media_type) = (Words::Kept(file.id), media_type.clone());
            let said = Said::File { file: file.id, media_type, bytes: file.bytes };
            Some(made(message.clone(), *from, agent.as_ref(), words, said))
        }
        Event::NoticeSent { notice, text, agent, .. } if !text.is_empty() => {
            let (words, said) = (Words::Own(text.clone()), Said::Notice { notice: *notice });
            Some(made(own_id("notice"), Side::System, agent.as_ref(), words, said))
        }
        Event::HistoryShared { agent, share, expires_at, .. } => {
            let said = Said::Shared { share: *share, expires_at: *expires_at };
            Some(made(own_id("shared"), Side::Agent, Some(agent), Words::Own(String::new()), said))
        }
        Event::Whispered { message, agent, text, .. } if readers == Readers::Agents => {
            Some(made(message.clone(), Side::Agent, Some(agent), Words::Kept(text.id), Said::Whisper))
        }
        Event::ChatTransferred { agent, note: Some(note), .. }
        | Event::TransferOffered { from: agent, note: Some(note), .. }
            if readers == Readers::Agents =>
        {
            Some(made(own_id("note"), Side::Agent, Some(agent), Words::Kept(note.id), Said::Note))
        }
        _ => None,
    }
}
