//! What pops, and at whom (D0, D2, D3): each connection pops what it knows in the page of its own CRM; for an agent
//! who stands in no CRM's page, one connection leads. What no panel shows, a CRM may open by itself.

use super::asking::ask;
use super::lookups::Found;
use super::{Counts, Lane, Pop, Shown};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use tieline_model::content::Person;
use tieline_model::crm::{Basis, Certainty, LookupResult, Match, Matches, PopTarget};
use tieline_model::{AgentId, ConnectionId, InteractionId};

/// What a connection said about the customer of an interaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Answer {
    /// Nothing yet.
    Silent,
    /// It could not be asked.
    Failed,
    /// It knows nobody.
    Nobody,
    /// It knows several, or guesses: the agent picks.
    Unsure,
    /// One record, for sure.
    Sure,
}

/// Whether a connection's pop is the one for an agent who stands in no CRM's page (D0).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leads {
    Yes,
    No,
    /// An earlier connection has not answered.
    NotYet,
}

pub(super) fn answer(found: Option<&tieline_engine::Found>) -> Answer {
    match found.and_then(|found| found.result.as_ref()) {
        None => Answer::Silent,
        Some(LookupResult::Failed { .. }) => Answer::Failed,
        Some(LookupResult::Found { contact: Some(_), .. } | LookupResult::Found { case: Some(_), .. }) => {
            Answer::Sure
        }
        Some(LookupResult::Found { count: 0, .. }) => Answer::Nobody,
        Some(LookupResult::Found { .. }) => Answer::Unsure,
    }
}

/// Whether `own` leads. `answers` are in the order of the tenant; `waited` means that those still silent, and
/// `troubled` that those of the connections named, are not waited for.
pub(super) fn leads(
    answers: &[(ConnectionId, Answer)],
    own: &ConnectionId,
    troubled: &BTreeSet<ConnectionId>,
    waited: bool,
) -> Leads {
    let Some(place) = answers.iter().position(|(id, _)| id == own) else { return Leads::No };
    let heard = |(id, answer): &(ConnectionId, Answer)| match answer {
        Answer::Silent if waited || troubled.contains(id) => Answer::Failed,
        Answer::Silent | Answer::Failed | Answer::Nobody | Answer::Unsure | Answer::Sure => *answer,
    };
    match answers[place].1 {
        Answer::Sure => {
            let earlier: Vec<Answer> = answers[..place].iter().map(heard).collect();
            if earlier.contains(&Answer::Sure) {
                Leads::No
            } else if earlier.contains(&Answer::Silent) {
                Leads::NotYet
            } else {
                Leads::Yes
            }
        }
        // A form for a new contact is the first connection's, and only when every CRM said that it knows nobody.
        Answer::Nobody if place == 0 => {
            let others: Vec<Answer> = answers[1..].iter().map(heard).collect();
            if others.iter().all(|other| *other == Answer::Nobody) {
                Leads::Yes
            } else if others.iter().all(|other| matches!(other, Answer::Nobody | Answer::Silent)) {
                Leads::NotYet
            } else {
                Leads::No
            }
        }
        Answer::Nobody | Answer::Silent | Answer::Failed | Answer::Unsure => Leads::No,
    }
}

/// The case the customer named, and the contact if exactly one is sure (D0, D2).
pub(super) fn sure(matches: &Matches) -> (Option<&Match>, Option<&Match>) {
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
fn choose(lane: &Lane, person: &Person, matches: &Matches) -> Option<(PopTarget, String)> {
    let (case, contact) = sure(matches);
    if let Some(found) = case.or(contact) {
        return Some((lane.parts.connector.pop(&found.record), found.title.clone()));
    }
    if !matches.found.is_empty() {
        return None;
    }
    Some((lane.parts.connector.pop_new(person), "New contact".to_owned()))
}

/// Pops at these agents, each with the user that the CRM knows them by; says at whom nothing more is to be done.
pub(super) async fn pop_at(
    lane: &Lane,
    id: InteractionId,
    found: &Found,
    agents: Vec<(AgentId, Option<String>)>,
    leads: bool,
) -> Vec<AgentId> {
    let Some((target, title)) = choose(lane, &found.person, &found.matches) else {
        return agents.into_iter().map(|(agent, _)| agent).collect();
    };
    // Who is not in the CRM's page gets a form for a new contact from the leading connection only.
    let may_push =
        lane.parts.connector.describe().push_pop && (leads || matches!(target, PopTarget::Record { .. }));
    let mut done = Vec::new();
    let mut pushes = Vec::new();
    for (agent, user) in agents {
        let pop = Pop {
            agent: agent.clone(),
            interaction: id,
            connection: lane.parts.info.id.clone(),
            target: target.clone(),
            title: title.clone(),
            leads,
            pushes: may_push && user.is_some(),
        };
        let shown = lane.parts.pops.pop(&lane.parts.tenant, pop.clone()).await;
        match (shown, user) {
            (Shown::InPage | Shown::AsLink, _) => Counts::add(&lane.counts.pops),
            (Shown::ByTheCrm, Some(user)) => pushes.push(push(lane, pop, user)),
            (Shown::ByTheCrm, None) | (Shown::NotYet, _) => {}
        }
        if leads || matches!(shown, Shown::InPage | Shown::ByTheCrm) {
            done.push(agent);
        }
    }
    futures::future::join_all(pushes).await;
    done
}

/// The CRM opens it at the agent; where it does not, a panel may.
async fn push(lane: &Lane, pop: Pop, user: String) {
    let pushed = ask(lane, || lane.parts.connector.push_pop(&user, &pop.target)).await;
    match pushed {
        Ok(()) => Counts::add(&lane.counts.pushes),
        Err(reason) => {
            Counts::add(&lane.counts.pushes_failed);
            let (connection, interaction) = (&pop.connection, pop.interaction);
            tracing::info!(%connection, %interaction, reason, "the CRM did not open a record at an agent");
            lane.parts.pops.not_pushed(&lane.parts.tenant, &pop).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Answer::{Failed, Nobody, Silent, Sure, Unsure};

    fn id(place: usize) -> ConnectionId {
        ["sales", "service", "tickets"][place].parse().expect("a connection id")
    }

    /// Whether each of three connections leads, when they said this.
    fn who(said: [Answer; 3], troubled: &[usize], waited: bool) -> [Leads; 3] {
        let answers: Vec<_> = said.iter().enumerate().map(|(place, answer)| (id(place), *answer)).collect();
        let troubled = troubled.iter().map(|place| id(*place)).collect();
        [0, 1, 2].map(|place| leads(&answers, &id(place), &troubled, waited))
    }

    // proves D0, D2
    #[test]
    fn the_first_that_is_sure_leads_once_those_before_it_have_answered() {
        use Leads::{No, NotYet, Yes};
        assert_eq!(who([Sure, Sure, Sure], &[], false), [Yes, No, No]);
        assert_eq!(who([Silent, Sure, Sure], &[], false), [No, NotYet, No]);
        assert_eq!(who([Nobody, Sure, Silent], &[], false), [No, Yes, No]);
        assert_eq!(who([Failed, Unsure, Sure], &[], false), [No, No, Yes]);
        assert_eq!(who([Unsure, Silent, Sure], &[], false), [No, No, NotYet]);
        assert_eq!(who([Unsure, Unsure, Unsure], &[], true), [No, No, No], "a guess never pops alone");
    }

    // proves D8
    #[test]
    fn nobody_waits_for_a_connection_that_is_known_to_be_in_trouble_or_takes_too_long() {
        use Leads::{No, NotYet, Yes};
        assert_eq!(who([Silent, Sure, Nobody], &[0], false), [No, Yes, No]);
        assert_eq!(who([Silent, Silent, Sure], &[0], false), [No, No, NotYet]);
        assert_eq!(who([Silent, Silent, Sure], &[], true), [No, No, Yes]);
    }

    // proves D0, D2
    #[test]
    fn a_new_contact_is_offered_by_the_first_and_only_when_every_crm_knows_nobody() {
        use Leads::{No, NotYet, Yes};
        assert_eq!(who([Nobody, Nobody, Nobody], &[], false), [Yes, No, No]);
        assert_eq!(who([Nobody, Silent, Nobody], &[], false), [NotYet, No, No]);
        assert_eq!(who([Nobody, Silent, Nobody], &[], true), [No, No, No], "it may be known there");
        assert_eq!(who([Nobody, Failed, Silent], &[], false), [No, No, No]);
        assert_eq!(who([Nobody, Unsure, Nobody], &[], false), [No, No, No]);
        assert_eq!(who([Nobody, Nobody, Sure], &[], false), [No, No, Yes]);
    }

    #[test]
    fn a_connection_that_is_not_in_the_settings_leads_nowhere() {
        let answers = [(id(0), Sure)];
        assert_eq!(leads(&answers, &id(1), &BTreeSet::new(), true), Leads::No);
    }
}
