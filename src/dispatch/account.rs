//! Our account of one interaction, made from its journal rows. Pure: the same rows give the same log.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a reader of the journal looks for a few kinds of events; the rest do not concern it"
)]

use crate::journal::Recorded;
use std::collections::HashMap;
use tieline_model::content::{Content, ContentRef, Person, Remarks};
use tieline_model::crm::{Channel, Line, Log, LookupResult, Outcome, Record};
use tieline_model::policy::TenantPolicy;
use tieline_model::{ConnectionId, ContentId, Event, InteractionId, QueueId};

/// The content that an account of these rows needs.
pub(super) fn content_of(rows: &[Recorded]) -> Vec<ContentId> {
    let refs = rows.iter().filter_map(|row| match &row.event {
        Event::ChatStarted { person, .. } => Some(*person),
        Event::MessageSent { text, .. } => Some(*text),
        Event::Classified { remarks, .. } => *remarks,
        _ => None,
    });
    refs.map(|r: ContentRef| r.id).collect()
}

/// What a contact or a case was found to be, row by row.
#[derive(Default)]
struct Known {
    found: Option<Record>,
    case: Option<Record>,
    chosen: Option<Option<Record>>,
}

/// The account for one connection; `None` when the rows hold no chat, or its content has been erased.
pub(super) fn account(
    rows: &[Recorded],
    content: &HashMap<ContentId, Content>,
    policy: &TenantPolicy,
    connection: &ConnectionId,
) -> Option<Log> {
    let started = rows.first()?;
    let Event::ChatStarted { interaction, queue, person, .. } = &started.event else { return None };
    let person = person_of(content.get(&person.id)?)?;
    let mut log = blank(*interaction, queue, person, policy);
    log.started_at = started.at;
    let customer = log.person.name.clone().unwrap_or_else(|| "Visitor".to_owned());
    let mut known = Known::default();
    for row in rows {
        note(&mut log, &mut known, row, content, policy, connection, &customer);
        log.version = row.seq.0;
    }
    log.contact = known.chosen.unwrap_or(known.found);
    log.case = known.case;
    Some(log)
}

fn blank(interaction: InteractionId, queue: &QueueId, person: Person, policy: &TenantPolicy) -> Log {
    Log {
        interaction,
        version: 0,
        channel: Channel::Chat,
        started_at: tieline_model::Timestamp(0),
        answered_at: None,
        ended_at: None,
        outcome: Outcome::Answered,
        queue: Some(queue.clone()),
        queue_name: policy.queues.get(queue).map(|q| q.name.clone()),
        agent: None,
        agent_name: None,
        person,
        contact: None,
        case: None,
        codes: Vec::new(),
        not_classified: false,
        remarks: Remarks::default(),
        transcript: Vec::new(),
        call: None,
        crm_user: None,
    }
}

fn note(
    log: &mut Log,
    known: &mut Known,
    row: &Recorded,
    content: &HashMap<ContentId, Content>,
    policy: &TenantPolicy,
    connection: &ConnectionId,
    customer: &str,
) {
    let agent_name = |id: &tieline_model::AgentId| {
        policy.agents.get(id).map_or_else(|| id.to_string(), |agent| agent.name.clone())
    };
    match &row.event {
        Event::OfferAccepted { agent, .. } | Event::ItemActivated { agent, .. } => {
            log.answered_at = log.answered_at.or(Some(row.at));
            log.agent_name = Some(agent_name(agent));
            log.agent = Some(agent.clone());
        }
        Event::MessageSent { from, agent, text, .. } => {
            let name = agent.as_ref().map_or_else(|| customer.to_owned(), agent_name);
            let text = match content.get(&text.id) {
                Some(Content::Message { text }) => text.clone(),
                _ => String::new(),
            };
            log.transcript.push(Line { at: row.at, from: *from, name, text });
        }
        Event::ChatEnded { .. } => log.ended_at = Some(row.at),
        Event::WrapUpCompleted { not_classified, .. } => log.not_classified = *not_classified,
        Event::Classified { codes, remarks, .. } => {
            log.codes.clone_from(codes);
            if let Some(Content::Remarks { remarks }) = remarks.and_then(|r| content.get(&r.id)) {
                log.remarks = remarks.clone();
            }
        }
        Event::InteractionClosed { outcome, .. } => log.outcome = *outcome,
        Event::LookedUp { connection: from, result: LookupResult::Found { contact, case, .. }, .. }
            if from == connection =>
        {
            known.found.clone_from(contact);
            known.case.clone_from(case);
        }
        Event::ContactChosen { connection: of, contact, .. } if of == connection => {
            known.chosen = Some(contact.clone());
        }
        _ => {}
    }
}

fn person_of(content: &Content) -> Option<Person> {
    match content {
        Content::Person { person } => Some(person.clone()),
        _ => None,
    }
}
