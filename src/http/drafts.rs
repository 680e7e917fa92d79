//! Frames before their content is filled in: what the engine knows, with ids where people's words belong. Made in
//! the engines' loop, which must be quick; filled in by each socket's own task.

use super::contents::Known;
use super::person::display_name;
use crate::journal::Recorded;
use std::collections::{BTreeMap, BTreeSet};
use tieline_model::crm::{Direction, Side};
use tieline_model::live::{CallCard, Change, Item, LogEntry, Lookup, Me, Message, Offer, QueueView};
use tieline_model::{
    AgentId, CommandId, ContentId, ConversationId, Event, InteractionId, QueueId, Seq, Timestamp,
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
    pub(super) lookups: Vec<LookupDraft>,
}

/// An owned chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ItemDraft {
    pub(super) item: Item,
    pub(super) conversation: ConversationId,
    pub(super) person: ContentId,
    pub(super) remarks: Option<ContentId>,
    pub(super) lookups: Vec<LookupDraft>,
}

/// A call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CallDraft {
    pub(super) call: CallCard,
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
    pub(super) text: ContentId,
}

/// Something that changed for an agent.
#[derive(Debug, Clone)]
pub(super) enum Draft {
    Me(Me),
    Offer(Option<OfferDraft>),
    Item(ItemDraft),
    ItemGone(InteractionId),
    /// A chat came into the inbox: what was said in it so far.
    History(History),
    Message(InteractionId, MessageDraft),
    Call(CallDraft),
    CallGone(InteractionId),
    Queue(QueueView),
    Log(LogDraft),
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
    pub(super) calls: BTreeMap<InteractionId, CallDraft>,
    pub(super) queues: BTreeMap<QueueId, QueueView>,
    /// Newest first.
    pub(super) logs: Vec<LogDraft>,
}

impl AgentView {
    /// Interactions that this view shows, logs included.
    pub(super) fn shows(&self) -> BTreeSet<InteractionId> {
        let offer = self.offer.iter().map(|o| o.offer.interaction);
        let owned = self.items.keys().chain(self.calls.keys()).copied();
        offer.chain(owned).chain(self.logs.iter().map(|l| l.log.interaction)).collect()
    }

    /// The agent has it: offered, owned, or ringing.
    pub(super) fn holds(&self, id: InteractionId) -> bool {
        self.offer.as_ref().is_some_and(|o| o.offer.interaction == id)
            || self.items.contains_key(&id)
            || self.calls.contains_key(&id)
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
        let queues = next.queues.iter().filter(|(id, queue)| self.queues.get(*id) != Some(*queue));
        drafts.extend(queues.map(|(_, queue)| Draft::Queue(queue.clone())));
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
        self.lookups.refs(into);
    }
}

impl Refers for ItemDraft {
    fn refs(&self, into: &mut BTreeSet<ContentId>) {
        into.insert(self.person);
        into.extend(self.remarks);
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
        into.insert(self.text);
        into.extend(self.person);
    }
}

impl Refers for Draft {
    fn refs(&self, into: &mut BTreeSet<ContentId>) {
        match self {
            Self::Offer(Some(offer)) => offer.refs(into),
            Self::Item(item) => item.refs(into),
            Self::Message(_, message) => message.refs(into),
            Self::Call(call) => call.refs(into),
            Self::Log(log) => log.refs(into),
            Self::Me(_)
            | Self::Offer(None)
            | Self::ItemGone(_)
            | Self::History(_)
            | Self::CallGone(_)
            | Self::Queue(_) => {}
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
        Offer { person: known.person(self.person), lookups: fill_all(self.lookups, known), ..self.offer }
    }
}

impl ItemDraft {
    pub(super) fn fill(self, known: &Known) -> Item {
        Item {
            person: known.person(self.person),
            lookups: fill_all(self.lookups, known),
            remarks: self.remarks.map(|id| known.remarks(id)).unwrap_or_default(),
            ..self.item
        }
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
        let person = || display_name(&self.person.map(|id| known.person(id)).unwrap_or_default());
        let name = self.agent.unwrap_or_else(person);
        Message {
            id: self.id,
            seq: self.seq.0,
            at: self.at,
            from: self.from,
            name,
            text: known.text(self.text),
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
            Self::Message(interaction, message) => {
                Change::Message { interaction, message: message.fill(known) }
            }
            Self::Call(call) => Change::Call { call: call.fill(known) },
            Self::CallGone(interaction) => Change::CallGone { interaction },
            Self::Queue(queue) => Change::Queue { queue },
            Self::Log(log) => Change::Log { log: log.fill(known) },
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
    pub(super) fn from_rows(rows: &[Recorded], up_to: Seq, names: &Names) -> Self {
        let mut told = Self { conversation: None, person: None, ended: None, messages: Vec::new() };
        for row in rows.iter().filter(|row| row.seq <= up_to) {
            if let Event::ChatStarted { conversation, person, .. } = &row.event {
                told.conversation = Some(*conversation);
                told.person = Some(person.id);
            }
            if let Event::ChatEnded { by, .. } = &row.event {
                told.ended = Some(*by);
            }
            told.messages.extend(message(row, told.person, names));
        }
        let extra = told.messages.len().saturating_sub(HISTORY_MAX);
        told.messages.drain(..extra);
        told
    }
}

/// The message of a row, if it is one.
pub(super) fn message(row: &Recorded, person: Option<ContentId>, names: &Names) -> Option<MessageDraft> {
    let Event::MessageSent { message, from, agent, text, .. } = &row.event else { return None };
    let name = |id: &AgentId| names.get(id).cloned().unwrap_or_else(|| id.to_string());
    Some(MessageDraft {
        id: message.clone(),
        seq: row.seq,
        at: row.at,
        from: *from,
        agent: agent.as_ref().map(name),
        person: person.filter(|_| *from == Side::Customer),
        text: text.id,
    })
}
