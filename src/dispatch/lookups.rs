//! Look-ups and pops (D1–D3, E2): follow the journal from now on, ask the CRM, open the record at whoever has the
//! interaction by then. They expire with the offer, so nothing of them is kept over a restart: what is open then is
//! found in the engine.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a reader of the journal looks for a few kinds of events; the rest do not concern it"
)]

use super::gate::Kind;
use super::{Counts, Lane, Pop};
use crate::drive::{self, trace};
use crate::journal::{NewContent, Recorded};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tieline_connector_api::Failure;
use tieline_engine::{CallState, Engine, Stage};
use tieline_model::content::{Content, ContentRef, Person};
use tieline_model::crm::{Basis, Certainty, LookupResult, Match, Matches, Query};
use tieline_model::{AgentId, ConversationId, Event, InteractionId, Millis, Wish};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

/// Journal rows read at a time.
const PAGE: u32 = 256;
/// Pause between two tries of one look-up.
const TRY_AGAIN: Duration = Duration::from_millis(150);

/// What has been popped and what is being looked up.
#[derive(Default)]
struct Memory {
    popped: BTreeMap<InteractionId, BTreeSet<AgentId>>,
    looking: BTreeSet<InteractionId>,
}

type Shared = Arc<Mutex<Memory>>;

/// Runs until `stop`.
pub(super) async fn run(lane: Arc<Lane>, stop: CancellationToken) {
    let tenant = lane.parts.tenant.clone();
    let Some(mut head) = lane.parts.drive.head(&tenant) else { return };
    let memory = Shared::default();
    let jobs = TaskTracker::new();
    let limit = Arc::new(tokio::sync::Semaphore::new(lane.parts.settings.lookup_concurrency as usize));
    let start = |id: InteractionId| {
        let (lane, memory, limit) = (lane.clone(), memory.clone(), limit.clone());
        jobs.spawn(async move { serve(&lane, &memory, &limit, id).await });
    };
    let Ok((mut cursor, open)) =
        lane.parts.drive.read(&tenant, |engine| (engine.seq(), open_now(engine))).await
    else {
        return;
    };
    open.into_iter().for_each(&start);
    loop {
        match lane.parts.store.read(&tenant, cursor, PAGE).await {
            Ok(rows) => {
                for row in &rows {
                    if let Some(id) = follow(&memory, row) {
                        start(id);
                    }
                }
                cursor = rows.last().map_or(cursor, |row| row.seq);
            }
            Err(error) => {
                tracing::error!(%tenant, %error, "the journal cannot be read for look-ups; trying again");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
        if *head.borrow_and_update() > cursor {
            continue;
        }
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            changed = head.changed() => if changed.is_err() { break },
        }
    }
    jobs.close();
    jobs.wait().await;
}

/// Interactions that an agent is being asked about right now.
fn open_now(engine: &Engine) -> Vec<InteractionId> {
    let offers = engine.chats().filter(|c| matches!(c.stage, Stage::Offered(_))).map(|c| c.id);
    let calls = engine.calls().map(|c| c.id);
    offers.chain(calls).collect()
}

/// Keeps the memory in step with a row; says which interaction now needs a pop.
fn follow(memory: &Shared, row: &Recorded) -> Option<InteractionId> {
    let mut memory = lock(memory);
    match &row.event {
        Event::ChatOffered { interaction, .. }
        | Event::ChatAssigned { interaction, .. }
        | Event::CallRang { interaction, .. }
        | Event::CallAnswered { interaction, .. } => Some(*interaction),
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
        _ => None,
    }
}

fn lock(memory: &Shared) -> std::sync::MutexGuard<'_, Memory> {
    memory.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// What the engine knows of an interaction that matters here.
struct Situation {
    conversation: ConversationId,
    holders: Vec<AgentId>,
    about: Option<ContentRef>,
    withheld: bool,
    answered: Option<ContentRef>,
    looked_up: bool,
}

fn situation(
    engine: &Engine,
    id: InteractionId,
    connection: &tieline_model::ConnectionId,
) -> Option<Situation> {
    if let Some(chat) = engine.chat(id) {
        let found = chat.found.get(connection);
        let holders = match &chat.stage {
            Stage::Waiting => Vec::new(),
            Stage::Offered(offer) => vec![offer.agent.clone()],
            Stage::Owned { agent, .. } => vec![agent.clone()],
        };
        return Some(Situation {
            conversation: chat.conversation,
            holders,
            about: Some(chat.person),
            withheld: false,
            answered: found.and_then(|f| f.matches),
            looked_up: found.is_some_and(|f| matches!(f.result, Some(LookupResult::Found { .. }))),
        });
    }
    let call = engine.call(id)?;
    let found = call.found.get(connection);
    let holders = match &call.state {
        CallState::Ringing { agents } => agents.iter().cloned().collect(),
        CallState::Answered { agent, .. } => vec![agent.clone()],
    };
    Some(Situation {
        conversation: call.conversation,
        holders,
        about: call.numbers,
        withheld: call.withheld,
        answered: found.and_then(|f| f.matches),
        looked_up: found.is_some_and(|f| matches!(f.result, Some(LookupResult::Found { .. }))),
    })
}

/// Looks one interaction up, unless that is being done or was, and pops it at whoever has it.
async fn serve(lane: &Lane, memory: &Shared, limit: &tokio::sync::Semaphore, id: InteractionId) {
    if !lock(memory).looking.insert(id) {
        return;
    }
    let outcome = look_up(lane, limit, id).await;
    lock(memory).looking.remove(&id);
    let Some((person, matches)) = outcome else { return };
    if !lane.parts.pops_here {
        return;
    }
    let connection = lane.parts.info.id.clone();
    let now = lane.parts.drive.read(&lane.parts.tenant, move |e| situation(e, id, &connection)).await;
    let Ok(Some(now)) = now else { return };
    let Some((target, title)) = choose(lane, &person, &matches) else { return };
    for agent in now.holders {
        if !lock(memory).popped.entry(id).or_default().insert(agent.clone()) {
            continue;
        }
        Counts::add(&lane.counts.pops);
        let connection = lane.parts.info.id.clone();
        let pop = Pop { agent, interaction: id, connection, target: target.clone(), title: title.clone() };
        lane.parts.pops.pop(&lane.parts.tenant, pop);
    }
}

/// The person and what the CRM knows: from the journal if it was asked before, else from the CRM.
async fn look_up(
    lane: &Lane,
    limit: &tokio::sync::Semaphore,
    id: InteractionId,
) -> Option<(Person, Matches)> {
    let parts = &lane.parts;
    let connection = parts.info.id.clone();
    let known = parts.drive.read(&parts.tenant, move |e| situation(e, id, &connection)).await.ok()??;
    let ids: Vec<_> = known.about.iter().chain(known.answered.iter()).map(|r| r.id).collect();
    let content = match parts.store.content(&parts.tenant, &ids).await {
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
            Content::Call { numbers } => person.phone = numbers.from.filter(|_| !known.withheld),
            Content::Matches { matches: m } => matches = Some(m),
            Content::Message { .. } | Content::Remarks { .. } => {}
        }
    }
    if known.looked_up {
        return Some((person, matches.unwrap_or(Matches { found: Vec::new(), more: false })));
    }
    let query = query(lane, &person);
    if query.is_empty() {
        // Nothing to look up by: withheld, internal, or a visitor who said nothing. It matches nobody (E2).
        report(lane, id, known.conversation, &Matches { found: Vec::new(), more: false }).await;
        return None;
    }
    let _place = limit.acquire().await.ok()?;
    let span = tracing::info_span!(target: trace::TARGET, "look up", connection = %parts.info.id);
    match ask(lane, &query).instrument(trace::belongs_to(id, span)).await {
        Ok(matches) => {
            Counts::add(&lane.counts.lookups);
            report(lane, id, known.conversation, &matches).await;
            Some((person, matches))
        }
        Err(reason) => {
            Counts::add(&lane.counts.lookups_failed);
            let result = LookupResult::Failed { reason };
            lane.tell(
                Wish::ReportLookup {
                    interaction: id,
                    connection: parts.info.id.clone(),
                    result,
                    matches: None,
                },
                Vec::new(),
            )
            .await;
            None
        }
    }
}

/// By what a person is looked up; the centre's own numbers match nobody.
fn query(lane: &Lane, person: &Person) -> Query {
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

/// Asks the CRM, again after a passing failure, until the look-up's time is over.
async fn ask(lane: &Lane, query: &Query) -> Result<Matches, String> {
    let within = Duration::from_millis(lane.parts.settings.lookup_within.millis().0);
    let mut last = format!("{} did not answer in time", lane.parts.info.name);
    let asked = tokio::time::timeout(within, async {
        loop {
            let passed = lane.gate().pass(lane.parts.clock.now(), Kind::Pop, 0);
            if let Err(Millis(wait)) = passed {
                if let Some(trouble) = lane.trouble() {
                    return Err(trouble);
                }
                tokio::time::sleep(Duration::from_millis(wait)).await;
                continue;
            }
            match lane.parts.connector.find(query).await {
                Ok(matches) => {
                    lane.gate().succeeded();
                    return Ok(matches);
                }
                Err(Failure::Retry { reason, .. }) => {
                    lane.gate().failed(lane.parts.clock.now(), &reason);
                    last = reason;
                    tokio::time::sleep(TRY_AGAIN).await;
                }
                Err(Failure::Throttled { until, reason }) => {
                    lane.gate().limited(lane.parts.clock.now(), until, &reason);
                    return Err(reason);
                }
                Err(Failure::Reauthorise { reason }) => {
                    lane.gate().unauthorised(lane.parts.clock.now(), &reason);
                    return Err(reason);
                }
                Err(Failure::Reject { reason, .. }) => return Err(reason),
            }
        }
    })
    .await;
    asked.unwrap_or(Err(last))
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

/// The case the customer named, and the contact if exactly one is sure (D0, D2).
fn sure(matches: &Matches) -> (Option<&Match>, Option<&Match>) {
    let case =
        matches.found.iter().find(|m| m.basis == Basis::CaseNumber && m.certainty != Certainty::Guessed);
    let mut contacts =
        matches.found.iter().filter(|m| m.basis != Basis::CaseNumber && m.certainty != Certainty::Guessed);
    let contact = match (contacts.next(), contacts.next()) {
        (Some(only), None) if !matches.more => Some(only),
        (Some(_) | None, _) => None,
    };
    (case, contact)
}

/// What to open: the named case, else the single sure match; a form when nobody matched; nothing when the agent has
/// to pick (D2).
fn choose(
    lane: &Lane,
    person: &Person,
    matches: &Matches,
) -> Option<(tieline_model::crm::PopTarget, String)> {
    let (case, contact) = sure(matches);
    if let Some(found) = case.or(contact) {
        return Some((lane.parts.connector.pop(&found.record), found.title.clone()));
    }
    if !matches.found.is_empty() {
        return None;
    }
    Some((lane.parts.connector.pop_new(person), "New contact".to_owned()))
}
