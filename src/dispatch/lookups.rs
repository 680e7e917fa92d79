//! Look-ups and pops (D1–D3, E2): follow the journal from now on, ask the CRM, open the record at whoever has the
//! interaction by then. They expire with the offer, so nothing of them is kept over a restart: what is open then is
//! found in the engine.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a reader of the journal looks for a few kinds of events; the rest do not concern it"
)]

use super::asking::ask;
use super::pops::{Answer, Leads, answer, leads, pop_at, sure};
use super::{Counts, Lane};
use crate::drive::{self, trace};
use crate::journal::{NewContent, Recorded};
use futures::FutureExt;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tieline_engine::{Engine, Stage};
use tieline_model::content::{Content, ContentRef, Person};
use tieline_model::crm::{Direction, LookupResult, Matches, Query};
use tieline_model::{AgentId, Code, ConnectionId, ConversationId, Event, InteractionId, Seq, Wish};
use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

/// Journal rows read at a time.
const PAGE: u32 = 256;
/// Pause before the journal or an engine that is away is asked again.
const AGAIN: Duration = Duration::from_secs(1);

/// What has been popped and what is being looked up.
#[derive(Default)]
struct Memory {
    /// At whom nothing is to be popped any more.
    popped: BTreeMap<InteractionId, BTreeSet<AgentId>>,
    looking: BTreeMap<InteractionId, Looking>,
    /// Other connections that could not answer when they were last asked; nobody waits for them.
    troubled: BTreeSet<ConnectionId>,
}

/// A look-up under way.
#[derive(Default)]
struct Looking {
    /// Somebody got the interaction meanwhile.
    again: bool,
    /// Something happened: a new holder, another connection's answer.
    wake: Arc<Notify>,
}

type Shared = Arc<Mutex<Memory>>;

/// What serves one interaction.
struct Clerk {
    lane: Arc<Lane>,
    memory: Shared,
    /// How many look-ups at once.
    places: Arc<Semaphore>,
    stop: CancellationToken,
}

/// The customer of an interaction, and what the CRM knows.
pub(super) struct Found {
    pub(super) person: Person,
    pub(super) matches: Matches,
}

/// Runs until `stop`.
pub(super) async fn run(lane: Arc<Lane>, stop: CancellationToken) {
    let tenant = lane.parts.tenant.clone();
    let jobs = TaskTracker::new();
    let clerk = Arc::new(Clerk {
        memory: Shared::default(),
        places: Arc::new(Semaphore::new(lane.parts.settings.lookup_concurrency as usize)),
        stop: stop.clone(),
        lane: lane.clone(),
    });
    let start = |id: InteractionId| {
        if clerk.begins(id) {
            let clerk = clerk.clone();
            jobs.spawn(async move {
                if AssertUnwindSafe(clerk.serve(id)).catch_unwind().await.is_err() {
                    tracing::error!(interaction = %id, "a look-up ended in a panic");
                    lock(&clerk.memory).looking.remove(&id);
                }
            });
        }
    };
    while !stop.is_cancelled() {
        match lane.parts.engines.open_now(&tenant).await {
            Ok((cursor, open)) => {
                // Nothing of before counts: whoever took the tenant over has popped nothing.
                lock(&clerk.memory).popped.clear();
                open.into_iter().for_each(&start);
                if clerk.follow(cursor, &start).await == Went::Gone {
                    break;
                }
            }
            Err(refusal) if refusal.code == Code::NotFound => break,
            Err(_) => {}
        }
        tokio::select! { () = stop.cancelled() => {} () = tokio::time::sleep(AGAIN) => {} }
    }
    jobs.close();
    jobs.wait().await;
}

/// Why the journal is not followed any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Went {
    /// For good, or until the lane is started again.
    Gone,
    /// To another owner, or the way to it is cut; it comes back.
    Away,
}

/// Interactions that an agent is being asked about right now.
pub(super) fn open_now(engine: &Engine) -> Vec<InteractionId> {
    let offers = engine.chats().filter(|c| matches!(c.stage, Stage::Offered(_))).map(|c| c.id);
    let calls = engine.calls().map(|c| c.id);
    offers.chain(calls).collect()
}

/// Keeps the memory in step with a row; says which interaction now needs a pop.
fn follow(memory: &Shared, own: &ConnectionId, row: &Recorded) -> Option<InteractionId> {
    let mut memory = lock(memory);
    match &row.event {
        Event::ChatOffered { interaction, .. }
        | Event::ChatAssigned { interaction, .. }
        | Event::CallRang { interaction, .. }
        | Event::CallDialled { interaction, .. }
        | Event::CallAnswered { interaction, .. } => Some(*interaction),
        Event::CallTransferred { interaction, from, .. } => {
            // Should it come back to that agent, it pops there anew.
            if let Some(agents) = memory.popped.get_mut(interaction) {
                agents.remove(from);
            }
            Some(*interaction)
        }
        Event::OfferRejected { interaction, agent, .. }
        | Event::OfferMissed { interaction, agent, .. }
        | Event::OfferWithdrawn { interaction, agent, .. }
        | Event::ChatReturned { interaction, agent, .. } => {
            if let Some(agents) = memory.popped.get_mut(interaction) {
                agents.remove(agent);
            }
            None
        }
        Event::InteractionClosed { interaction, .. } | Event::CallEnded { interaction, .. } => {
            memory.popped.remove(interaction);
            None
        }
        Event::LookedUp { interaction, connection, result, .. } if connection != own => {
            let newly_troubled = match result {
                LookupResult::Found { .. } => {
                    memory.troubled.remove(connection);
                    false
                }
                LookupResult::Failed { .. } => memory.troubled.insert(connection.clone()),
            };
            if newly_troubled {
                // Whoever waits for it, for whichever interaction, waits no longer.
                memory.looking.values().for_each(|looking| looking.wake.notify_one());
            } else if let Some(looking) = memory.looking.get(interaction) {
                looking.wake.notify_one();
            }
            None
        }
        _ => None,
    }
}

fn lock(memory: &Shared) -> std::sync::MutexGuard<'_, Memory> {
    memory.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// What the engine knows of an interaction that matters to a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Situation {
    conversation: ConversationId,
    /// Who has it, each with the user that this CRM knows them by.
    holders: Vec<(AgentId, Option<String>)>,
    about: Option<ContentRef>,
    withheld: bool,
    /// Which way, if it is a call.
    direction: Direction,
    /// What this connection found, where it was asked before.
    answered: Option<ContentRef>,
    /// What each connection said, in the order of the tenant.
    answers: Vec<(ConnectionId, Answer)>,
}

impl Situation {
    fn looked_up(&self, own: &ConnectionId) -> bool {
        self.answers
            .iter()
            .any(|(id, answer)| id == own && matches!(answer, Answer::Nobody | Answer::Unsure | Answer::Sure))
    }
}

pub(super) fn situation(engine: &Engine, id: InteractionId, own: &ConnectionId) -> Option<Situation> {
    let user = |agent: &AgentId| {
        let user = engine.policy().agents.get(agent).and_then(|policy| policy.crm_users.get(own));
        (agent.clone(), user.cloned())
    };
    let answers = |found: &BTreeMap<ConnectionId, tieline_engine::Found>| {
        let connections = engine.policy().connections.iter();
        connections.map(|c| (c.id.clone(), answer(found.get(&c.id)))).collect()
    };
    if let Some(chat) = engine.chat(id) {
        let holders = match &chat.stage {
            Stage::Waiting | Stage::Form { .. } => Vec::new(),
            Stage::Offered(offer) => vec![user(&offer.agent)],
            Stage::Owned { agent, .. } => {
                let handed = chat.transfer.as_ref().map(|transfer| &transfer.offer.agent);
                std::iter::once(agent).chain(handed).map(user).collect()
            }
        };
        return Some(Situation {
            conversation: chat.conversation,
            holders,
            about: chat.person,
            withheld: false,
            direction: Direction::Inbound,
            answered: chat.found.get(own).and_then(|f| f.matches),
            answers: answers(&chat.found),
        });
    }
    let call = engine.call(id)?;
    let holders = call.state.holders().iter().map(user).collect();
    Some(Situation {
        conversation: call.conversation,
        holders,
        about: call.numbers,
        withheld: call.withheld,
        direction: call.direction,
        answered: call.found.get(own).and_then(|f| f.matches),
        answers: answers(&call.found),
    })
}

impl Clerk {
    /// Reads the journal from here on, until `stop` or until the engine is not to be asked.
    async fn follow(&self, mut cursor: Seq, start: &impl Fn(InteractionId)) -> Went {
        let parts = &self.lane.parts;
        loop {
            match parts.store.read(&parts.tenant, cursor, PAGE).await {
                Ok(rows) => {
                    for row in &rows {
                        if let Some(id) = follow(&self.memory, &parts.info.id, row) {
                            start(id);
                        }
                    }
                    cursor = rows.last().map_or(cursor, |row| row.seq);
                }
                Err(error) => {
                    let tenant = &parts.tenant;
                    tracing::error!(%tenant, %error, "the journal cannot be read for look-ups; trying again");
                    tokio::time::sleep(AGAIN).await;
                }
            }
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return Went::Gone,
                beyond = parts.engines.beyond(&parts.tenant, cursor) => match beyond {
                    Ok(_) => {}
                    Err(refusal) if refusal.code == Code::NotFound => return Went::Gone,
                    Err(_) => return Went::Away,
                },
            }
        }
    }

    /// True if nobody serves this interaction yet; whoever does is told that there is more to do.
    fn begins(&self, id: InteractionId) -> bool {
        let mut memory = lock(&self.memory);
        if let Some(looking) = memory.looking.get_mut(&id) {
            looking.again = true;
            looking.wake.notify_one();
            return false;
        }
        memory.looking.insert(id, Looking::default());
        true
    }

    /// Looks one interaction up, unless that was done, and pops it at whoever has it.
    async fn serve(&self, id: InteractionId) {
        loop {
            let wake = {
                let mut memory = lock(&self.memory);
                let looking = memory.looking.entry(id).or_default();
                looking.again = false;
                looking.wake.clone()
            };
            let give_up_waiting = Instant::now() + self.lookup_within();
            if let Some(found) = self.look_up(id).await {
                self.show(id, &found, &wake, give_up_waiting).await;
            }
            let mut memory = lock(&self.memory);
            if self.stop.is_cancelled() || !memory.looking.get(&id).is_some_and(|looking| looking.again) {
                memory.looking.remove(&id);
                return;
            }
        }
    }

    fn lookup_within(&self) -> Duration {
        Duration::from_millis(self.lane.parts.settings.lookup_within.millis().0)
    }

    /// Pops; again when an earlier connection has answered and this one now leads. Waits for that no longer than a
    /// look-up may take (D8).
    async fn show(&self, id: InteractionId, found: &Found, wake: &Notify, give_up_waiting: Instant) {
        let mut waited = false;
        while let Leads::NotYet = self.pop(id, found, waited).await {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                () = wake.notified() => {}
                () = tokio::time::sleep_until(give_up_waiting) => waited = true,
            }
        }
    }

    /// Pops at whoever has it now and was not popped at yet.
    async fn pop(&self, id: InteractionId, found: &Found, waited: bool) -> Leads {
        let parts = &self.lane.parts;
        let now = parts.engines.situation(&parts.tenant, id, &parts.info.id).await;
        let Ok(Some(now)) = now else { return Leads::No };
        let (leads, agents) = {
            let memory = lock(&self.memory);
            let done = memory.popped.get(&id);
            let fresh = now.holders.into_iter().filter(|(a, _)| !done.is_some_and(|done| done.contains(a)));
            (leads(&now.answers, &parts.info.id, &memory.troubled, waited), fresh.collect::<Vec<_>>())
        };
        if agents.is_empty() {
            return Leads::No;
        }
        let count = agents.len();
        let done = pop_at(&self.lane, id, found, agents, leads == Leads::Yes).await;
        let nothing_left = done.len() == count;
        lock(&self.memory).popped.entry(id).or_default().extend(done);
        if nothing_left { Leads::No } else { leads }
    }

    /// The person and what the CRM knows: from the journal if it was asked before, else from the CRM. Nothing if it
    /// cannot be asked, or there is nothing to ask by.
    async fn look_up(&self, id: InteractionId) -> Option<Found> {
        let lane = &*self.lane;
        let parts = &lane.parts;
        let known = parts.engines.situation(&parts.tenant, id, &parts.info.id).await.ok()??;
        let (person, matches) = read_content(lane, id, &known).await?;
        let query = query(lane, &person);
        if known.looked_up(&parts.info.id) {
            let matches = matches.unwrap_or(Matches { found: Vec::new(), more: false });
            return (!query.is_empty()).then_some(Found { person, matches });
        }
        if query.is_empty() {
            // Nothing to look up by: withheld, internal, or a visitor who said nothing. It matches nobody (E2).
            report(lane, id, known.conversation, &Matches { found: Vec::new(), more: false }).await;
            return None;
        }
        let place = tokio::time::timeout(self.lookup_within(), self.places.acquire()).await;
        let asked = match place {
            Ok(place) => {
                let _place = place.ok()?;
                let span = tracing::info_span!(target: trace::TARGET, "look up", connection = %parts.info.id);
                let asked = ask(lane, || parts.connector.find(&query));
                asked.instrument(trace::belongs_to(id, span)).await
            }
            Err(_) => {
                Err(format!("{} is asked too much at once and did not answer in time", parts.info.name))
            }
        };
        match asked {
            Ok(matches) => {
                Counts::add(&lane.counts.lookups);
                report(lane, id, known.conversation, &matches).await;
                Some(Found { person, matches })
            }
            Err(reason) => {
                Counts::add(&lane.counts.lookups_failed);
                report_failed(lane, id, reason).await;
                None
            }
        }
    }
}

/// Who the customer is, and what was found when the CRM was asked before.
async fn read_content(
    lane: &Lane,
    id: InteractionId,
    known: &Situation,
) -> Option<(Person, Option<Matches>)> {
    let ids: Vec<_> = known.about.iter().chain(known.answered.iter()).map(|r| r.id).collect();
    let content = match lane.parts.store.content(&lane.parts.tenant, &ids).await {
        Ok(content) => content,
        Err(error) => {
            tracing::error!(interaction = %id, %error, "content cannot be read for a look-up");
            return None;
        }
    };
    let mut person = Person::default();
    let mut matches = None;
    for (_, piece) in content {
        match piece {
            Content::Person { person: p } => person = p,
            Content::Call { numbers } => {
                let number = numbers.customer(known.direction).filter(|_| !known.withheld);
                person.phone = number.map(str::to_owned);
            }
            Content::Matches { matches: m } => matches = Some(m),
            Content::Message { .. }
            | Content::Remarks { .. }
            | Content::Recording { .. }
            | Content::File { .. }
            | Content::Answers { .. } => {}
        }
    }
    Some((person, matches))
}

/// By what a person is looked up; the centre's own numbers match nobody.
pub(super) fn query(lane: &Lane, person: &Person) -> Query {
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    let own = |phone: &String| {
        let phone = digits(phone);
        !phone.is_empty() && lane.parts.own_numbers.iter().any(|n| digits(n) == phone)
    };
    let said = |text: &Option<String>| text.as_ref().map(|t| t.trim().to_owned()).filter(|t| !t.is_empty());
    Query {
        phone: said(&person.phone).filter(|p| !own(p)),
        email: said(&person.email),
        case_number: said(&person.case_number),
    }
}

/// Journals what was found: the count and the sure record in the event, the names as content.
async fn report(lane: &Lane, id: InteractionId, conversation: ConversationId, matches: &Matches) {
    let (case, contact) = sure(matches);
    let result = LookupResult::Found {
        count: u32::try_from(matches.found.len()).unwrap_or(u32::MAX),
        contact: case.and_then(|c| c.contact.clone()).or_else(|| contact.map(|m| m.record.clone())),
        case: case.map(|c| c.record.clone()),
    };
    let (reference, content): (ContentRef, NewContent) =
        drive::content(conversation, Content::Matches { matches: matches.clone() });
    let connection = lane.parts.info.id.clone();
    lane.tell(
        Wish::ReportLookup { interaction: id, connection, result, matches: Some(reference) },
        vec![content],
    )
    .await;
}

async fn report_failed(lane: &Lane, interaction: InteractionId, reason: String) {
    let connection = lane.parts.info.id.clone();
    let result = LookupResult::Failed { reason };
    lane.tell(Wish::ReportLookup { interaction, connection, result, matches: None }, Vec::new()).await;
}
