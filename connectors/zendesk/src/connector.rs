//! The trait, for Zendesk: look-ups, new users, history, pops, erasure. Logs are in [`crate::deliver`], the look at
//! rights and fields in [`crate::check`].

use crate::client::{Client, Usage};
use crate::deliver::Fate;
use crate::map::{self, TICKET, USER};
use crate::settings::{Display, Invalid, Settings};
use async_trait::async_trait;
use serde_json::{Value, json};
use std::sync::Arc;
use tieline_connector_api::client::Limits;
use tieline_connector_api::connector::{HistoryEntry, NewContact, Saved};
use tieline_connector_api::phone::{Country, Number};
use tieline_connector_api::{Connector, Description, Failure, Finding, Ledger, Outcome};
use tieline_model::Clock;
use tieline_model::content::Person;
use tieline_model::crm::{Basis, Certainty, Log, Match, Matches, PopTarget, Query, Record};

/// Users found by number whose own phone is another one and whose further numbers are asked for; the search may have
/// met one of those.
const IDENTITIES_MAX: usize = 3;

/// One Zendesk account.
pub struct Zendesk {
    pub(crate) settings: Settings,
    pub(crate) client: Client,
    pub(crate) clock: Arc<dyn Clock>,
    country: Option<Country>,
}

impl Zendesk {
    /// Makes a connector. Reads the secret's file; no network.
    ///
    /// # Errors
    /// The setting that cannot work.
    pub fn new(settings: Settings, clock: Arc<dyn Clock>, limits: Limits) -> Result<Self, Invalid> {
        settings.validate()?;
        let country = settings.country()?;
        let client = Client::new(&settings, clock.clone(), limits)?;
        Ok(Self { settings, client, clock, country })
    }

    /// What is left of the account's requests of the minute, as the latest answer said it (sheet 2.6).
    #[must_use]
    pub fn usage(&self) -> Option<Usage> {
        self.client.usage()
    }

    /// Requests sent to the API so far, logins not counted.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.client.requests()
    }

    /// The record's page for agents.
    pub(crate) fn page(&self, record: &Record) -> Option<String> {
        let base = self.settings.ui_url.as_deref().unwrap_or(&self.settings.base_url).trim_end_matches('/');
        let things = match record.object.as_str() {
            USER => "users",
            TICKET => "tickets",
            _ => return None,
        };
        map::id(record.id.as_str()).map(|id| format!("{base}/agent/{things}/{id}"))
    }

    // ------------------------------------------------------------ look-ups

    async fn by_phone(&self, query: &Query) -> Outcome<Vec<Match>> {
        let Some(caller) = query.phone.as_deref().and_then(|text| Number::parse(text, self.country)) else {
            return Ok(Vec::new());
        };
        let mut found = Vec::new();
        let mut unsure = Vec::new();
        for query in map::by_phone(&caller, &self.settings) {
            for user in self.client.search_users(&query).await? {
                // The search looks at the last digits only; what it gives is checked number by number (sheet 2.1).
                let numbers = map::numbers(&user, &self.settings);
                let sure = numbers.filter_map(|typed| caller.compare(typed, self.country)).min();
                match sure.filter(|_| map::is_active(&user)) {
                    Some(certainty) => found.extend(map::user_match(&user, certainty, Basis::Phone)),
                    None if map::is_active(&user) => unsure.push(user),
                    None => {}
                }
            }
        }
        for user in unsure.iter().take(IDENTITIES_MAX) {
            let Some(id) = map::id_of(user, "id") else { continue };
            let identities = self.client.identities(id).await?;
            let numbers = identities.iter().filter(|i| map::member(i, "type") == Some("phone_number"));
            let numbers = numbers.filter_map(|i| map::member(i, "value"));
            let sure = numbers.filter_map(|typed| caller.compare(typed, self.country)).min();
            found.extend(sure.and_then(|certainty| map::user_match(user, certainty, Basis::Phone)));
        }
        Ok(found)
    }

    async fn by_email(&self, query: &Query) -> Outcome<Vec<Match>> {
        let Some(email) = query.email.as_deref().and_then(map::address) else { return Ok(Vec::new()) };
        let users = self.client.search_users(&map::by_email(&email, &self.settings)).await?;
        let sure = |user: &Value| {
            let stored = map::member(user, "email")?;
            if stored == email {
                return Some(Certainty::Exact);
            }
            stored.trim().eq_ignore_ascii_case(&email).then_some(Certainty::Normalised)
        };
        let mut found = Vec::new();
        let mut unsure = Vec::new();
        for user in users.iter().filter(|user| map::is_active(user)) {
            match sure(user) {
                Some(certainty) => found.extend(map::user_match(user, certainty, Basis::Email)),
                None => unsure.push(user),
            }
        }
        // A further address of a user is found too; it is asked for, so that nobody is taken for somebody else.
        for user in unsure.into_iter().take(IDENTITIES_MAX) {
            let Some(id) = map::id_of(user, "id") else { continue };
            let identities = self.client.identities(id).await?;
            let same = |i: &Value| {
                map::member(i, "type") == Some("email")
                    && map::member(i, "value").is_some_and(|value| value.eq_ignore_ascii_case(&email))
            };
            if identities.iter().any(same) {
                found.extend(map::user_match(user, Certainty::Normalised, Basis::Email));
            }
        }
        Ok(found)
    }

    async fn by_ticket_number(&self, query: &Query) -> Outcome<Vec<Match>> {
        let Some(typed) = query.case_number.as_deref() else { return Ok(Vec::new()) };
        let Some(number) = map::ticket_number(typed) else { return Ok(Vec::new()) };
        let found = self.client.ticket_and_users(number).await?;
        Ok(found.and_then(|(ticket, users)| map::ticket_match(&ticket, &users, typed)).into_iter().collect())
    }

    fn linked(&self, mut found: Match) -> Match {
        found.url = self.page(&found.record);
        found
    }

    /// What became of a user: where there is none any more, the one who has the person's address or number now is
    /// whom it was merged into. Zendesk leaves no pointer behind.
    pub(crate) async fn fate(&self, id: u64, person: &Person) -> Outcome<Fate> {
        let row = self.client.user(id).await?;
        if let Some(user) = row.as_ref().filter(|user| map::is_active(user)) {
            return Ok(match map::id_of(user, "id") {
                Some(same) if same == id => Fate::There,
                Some(survivor) => Fate::Merged(survivor),
                None => Fate::Gone,
            });
        }
        let of = |name: &str| row.as_ref().and_then(|user| map::member(user, name)).map(str::to_owned);
        let email = of("email").or_else(|| person.email.clone());
        let phone = of("phone").or_else(|| person.phone.clone());
        let queries = [Query { email, ..Query::default() }, Query { phone, ..Query::default() }];
        for query in queries {
            let mut found = self.by_email(&query).await?;
            found.extend(self.by_phone(&query).await?);
            found.retain(|m| m.certainty != Certainty::Guessed && map::id_in(&m.record, USER) != Some(id));
            if let [one] = map::rank(found).as_slice()
                && let Some(survivor) = map::id_in(&one.record, USER)
            {
                return Ok(Fate::Merged(survivor));
            }
        }
        Ok(Fate::Gone)
    }

    // ------------------------------------------------------------ erasing

    /// Takes back what comments of ours under somebody else's ticket say.
    pub(crate) async fn redact_notes(&self, ticket: u64, key: &str) -> Outcome<()> {
        for comment in self.client.comments(ticket).await? {
            if map::is_of(&map::said_in(&comment), key) {
                self.client.redact(ticket, &comment).await?;
            }
        }
        Ok(())
    }
}

/// The user or ticket that a pop opens, if it is one.
fn shown(target: &PopTarget) -> Option<(&Record, u64)> {
    match target {
        PopTarget::Record { record, .. } => {
            let known = [USER, TICKET].contains(&record.object.as_str());
            map::id(record.id.as_str()).filter(|_| known).map(|id| (record, id))
        }
        PopTarget::NewRecord { .. } | PopTarget::Search { .. } => None,
    }
}

#[async_trait]
impl Connector for Zendesk {
    fn describe(&self) -> Description {
        Description {
            vendor: "zendesk",
            name: "Zendesk",
            address: self.client.address(),
            push_pop: self.settings.display != Display::Off,
        }
    }

    async fn check(&self) -> Outcome<Vec<Finding>> {
        crate::check::check(self).await
    }

    async fn find(&self, query: &Query) -> Outcome<Matches> {
        let (tickets, emails, phones) =
            tokio::try_join!(self.by_ticket_number(query), self.by_email(query), self.by_phone(query))?;
        let ranked = map::rank(tickets.into_iter().chain(emails).chain(phones).collect());
        let max = self.settings.limits.matches_max as usize;
        let more = ranked.len() > max;
        Ok(Matches { found: ranked.into_iter().take(max).map(|m| self.linked(m)).collect(), more })
    }

    async fn create_contact(&self, contact: &NewContact) -> Outcome<Match> {
        let key = contact.key.to_ascii_lowercase();
        if key.is_empty() || key.len() > 255 || !key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
            return Err(Failure::reject(None, "the contact's key may hold letters, digits and `-` only"));
        }
        let basis = if contact.person.email.is_some() { Basis::Email } else { Basis::Phone };
        // Looked up first: an upsert of a user made earlier would undo what people changed in it.
        let there = self.client.users_by_external_id(&key).await?.into_iter().find(map::is_active);
        let user = match there {
            Some(user) => user,
            None => {
                // An address belongs to one user; an upsert would give that one our name and key.
                let query = Query { email: map::email(&contact.person), ..Query::default() };
                if let Some(same) = self.by_email(&query).await?.into_iter().next() {
                    return Ok(self.linked(same));
                }
                self.client.create_user(map::user_fields(&contact.person, &key)).await?
            }
        };
        let found = map::user_match(&user, Certainty::Exact, basis);
        found
            .map(|m| self.linked(m))
            .ok_or_else(|| Failure::unknown("Zendesk answered without the user's id"))
    }

    async fn upsert_log(&self, log: &Log, ledger: &mut dyn Ledger) -> Outcome<Saved> {
        crate::deliver::deliver(self, log, ledger).await
    }

    async fn history(&self, contact: &Record, limit: u32) -> Outcome<Vec<HistoryEntry>> {
        let Some(user) = map::id_in(contact, USER) else { return Ok(Vec::new()) };
        let limit = limit.clamp(1, 100);
        let rows = self.client.tickets_of(user, limit).await?;
        let mut entries: Vec<HistoryEntry> = rows.iter().filter_map(map::history_entry).collect();
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.at));
        entries.truncate(limit as usize);
        Ok(entries)
    }

    fn pop(&self, record: &Record) -> PopTarget {
        PopTarget::Record { record: record.clone(), url: self.page(record) }
    }

    fn pop_new(&self, person: &Person) -> PopTarget {
        PopTarget::NewRecord { object: USER.into(), fields: map::new_user(person) }
    }

    async fn push_pop(&self, crm_user: &str, target: &PopTarget) -> Outcome<()> {
        let Some(agent) = map::id(crm_user) else {
            return Err(Failure::reject(
                None,
                "the agent's `crm_users` must be the id of a Zendesk user, a number",
            ));
        };
        match (self.settings.display, self.settings.app_id) {
            (Display::TalkPartner, _) => match shown(target) {
                Some((record, id)) => self.client.display(agent, &record.object, id).await,
                None => Err(Failure::reject(None, "Talk Partner Edition opens users and tickets only")),
            },
            (Display::Notify, Some(app)) => {
                let body = json!({ "version": 1, "target": target }).to_string();
                self.client.notify(app, &self.settings.notify_event, agent, &body).await
            }
            (Display::Notify, None) | (Display::Off, _) => {
                Err(Failure::reject(None, "`display` is off for this connection"))
            }
        }
    }

    async fn erase(&self, key: &str) -> Outcome<()> {
        for ticket in self.client.tickets_by_external_id(key).await? {
            if let Some(id) = map::id_of(&ticket, "id") {
                self.client.delete_ticket(id).await?;
            }
        }
        // Under somebody else's ticket only our line in the comment tells where.
        for ticket in self.client.search_tickets(&map::tickets_with(key)).await? {
            if let Some(id) = map::id_of(&ticket, "id") {
                self.redact_notes(id, key).await?;
            }
        }
        Ok(())
    }
}
