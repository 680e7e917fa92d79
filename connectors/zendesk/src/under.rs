//! A log under somebody else's ticket, which the customer named: one private comment, and another for later facts; or
//! a word about where the log is, when the ticket was named too late. The ticket's subject, fields, tags and status are other people's.

use crate::client::{DEAD_REFERENCE, is_rejected};
use crate::deliver::{AT, Delivery, Draft, MARK, SAID, UNDER, closed};
use crate::map::{self, TICKET, Words};
use serde_json::Value;
use tieline_connector_api::Outcome;
use tieline_connector_api::steps::{Fields, forget, set};

/// Step of a comment under somebody else's ticket.
const NOTE: &str = "note";
/// In `Progress::done`: the ticket, named late, that says where ours is.
const POINTED: &str = "pointed:";

/// What became of putting a log under somebody else's ticket.
pub(crate) enum Under {
    /// It lies there.
    Done,
    /// The ticket takes nothing more: the log gets one that follows it.
    Closed,
    /// The ticket is not there: the log gets one of its own.
    Gone,
}

impl Delivery<'_> {
    pub(crate) async fn put_under(&mut self, id: u64) -> Outcome<Under> {
        let mark = map::mark(self.log);
        let lies_at = self.steps.value_of(AT).and_then(|at| map::id(&at));
        let told = self.steps.value_of(MARK).as_ref() == Some(&mark) && lies_at == Some(id);
        if told && !self.steps.is_pending(NOTE) {
            return Ok(Under::Done);
        }
        let Some(ticket) = self.crm.client.ticket(id).await? else {
            self.leave().await?;
            return Ok(Under::Gone);
        };
        if map::is_closed(&ticket) {
            if lies_at == Some(id) {
                return Err(closed(&ticket));
            }
            self.leave().await?;
            return Ok(Under::Closed);
        }
        self.steps
            .remember(|p| {
                set(p, UNDER, &id.to_string());
                p.record = map::record(TICKET, id);
                p.label = Some(map::label(id));
            })
            .await?;
        if let Some(words) = self.note_due(id, lies_at == Some(id)).await? {
            self.note(id, &ticket, words).await?;
        }
        if let Some(before) = lies_at.filter(|before| *before != id) {
            // The wrong customer's ticket must not keep what was said.
            self.crm.redact_notes(before, &self.steps.key).await?;
        }
        let said = map::said_mark(self.log);
        self.steps
            .remember(|p| {
                set(p, AT, &id.to_string());
                set(p, MARK, &mark);
                set(p, SAID, &said);
                p.pending = None;
            })
            .await?;
        Ok(Under::Done)
    }

    /// A ticket that was named after ours was made: a private comment there says where the log is. What cannot take
    /// it is left alone.
    pub(crate) async fn point(&mut self) -> Outcome<()> {
        let own = self.ticket_id()?;
        let named = self.log.case.as_ref().and_then(|case| map::id_in(case, TICKET));
        let Some(named) = named.filter(|named| *named != own) else { return Ok(()) };
        if self.steps.value_of(POINTED) == Some(named.to_string()) {
            return Ok(());
        }
        let ticket = self.crm.client.ticket(named).await?;
        if let Some(ticket) = ticket.filter(|ticket| !map::is_closed(ticket)) {
            let words = map::pointer(self.log, own);
            if !self.crm.bodies(named).await?.iter().any(|body| body.trim() == words.body) {
                self.note(named, &ticket, words).await?;
            }
        }
        self.steps
            .remember(|p| {
                set(p, POINTED, &named.to_string());
                p.pending = None;
            })
            .await
    }

    /// The ticket that was named cannot have the log.
    async fn leave(&mut self) -> Outcome<()> {
        self.steps
            .remember(|p| {
                for prefix in [UNDER, AT, MARK, SAID] {
                    forget(p, prefix);
                }
                p.pending = None;
            })
            .await
    }

    /// What the comment under that ticket has to say; nothing, when it is there. Comments have no key, so they are
    /// read whenever it is not sure what they tell.
    async fn note_due(&mut self, id: u64, lies_here: bool) -> Outcome<Option<Words>> {
        let footer = map::footer(&self.steps.key, &map::mark(self.log));
        let settings = &self.crm.settings;
        if lies_here && !self.steps.is_pending(NOTE) {
            let said = self.steps.value_of(SAID) == Some(map::said_mark(self.log));
            return Ok(Some(map::later_words(self.log, settings, said, &footer)));
        }
        let bodies = self.crm.bodies(id).await?;
        if bodies.iter().any(|body| map::ends_with(body, &footer)) {
            return Ok(None);
        }
        let ours: Vec<String> = bodies.into_iter().filter(|body| map::is_of(body, &self.steps.key)).collect();
        let said = ours.iter().any(|body| map::says_all(self.log, body));
        Ok(Some(if ours.is_empty() {
            map::first_words(self.log, settings, Some(&footer))
        } else {
            map::later_words(self.log, settings, said, &footer)
        }))
    }

    async fn note(&mut self, id: u64, ticket: &Value, words: Words) -> Outcome<()> {
        let mut draft: Draft = self.crm.draft(self.log, Fields::new(), Some(words)).await?;
        self.steps.about_to(NOTE, &Fields::new()).await?;
        let mut done = self.crm.send_update(id, ticket, &draft).await;
        if done.as_ref().is_err_and(|failure| is_rejected(failure, DEAD_REFERENCE))
            && !self.crm.repair(self.log, &mut draft).await?.is_empty()
        {
            done = self.crm.send_update(id, ticket, &draft).await;
        }
        done.map(drop)
    }
}
