//! The trait, for Dynamics 365: look-ups, new contacts, history, pops, erasure. Logs are in [`crate::deliver`], the
//! look at rights and columns in [`crate::check`].

use crate::client::{Client, Created};
use crate::map;
use crate::notes::{NOTES_MAX, Stem, hidden};
use crate::queries::{self, People};
use crate::settings::{Invalid, Settings};
use async_trait::async_trait;
use reqwest::Url;
use serde_json::Value;
use std::sync::Arc;
use tieline_connector_api::client::Limits;
use tieline_connector_api::connector::{HistoryEntry, NewContact, Saved};
use tieline_connector_api::phone::{Country, Number};
use tieline_connector_api::{Connector, Description, Failure, Finding, Ledger, Outcome};
use tieline_model::Clock;
use tieline_model::content::Person;
use tieline_model::crm::{Basis, Certainty, Log, Match, Matches, PopTarget, Query, Record};

/// Longest key of a new contact, in characters.
const KEY_CHARS: usize = 255;

/// One Dynamics 365 environment.
pub struct Dynamics {
    pub(crate) settings: Settings,
    pub(crate) client: Client,
    country: Option<Country>,
}

impl Dynamics {
    /// Makes a connector. Reads the files of secret, certificate and key; no network.
    ///
    /// # Errors
    /// The setting that cannot work.
    pub fn new(settings: Settings, clock: Arc<dyn Clock>, limits: Limits) -> Result<Self, Invalid> {
        settings.validate()?;
        let country = settings.country()?;
        let client = Client::new(&settings, clock, limits)?;
        Ok(Self { settings, client, country })
    }

    /// Requests sent to the Web API so far, logins not counted.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.client.requests()
    }

    /// The record's page.
    pub(crate) fn page(&self, record: &Record) -> Option<String> {
        let id = map::guid(record.id.as_str())?;
        let table = record.object.as_str();
        if !table.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_') {
            return None;
        }
        let base = self.settings.ui_url.as_deref().unwrap_or(&self.settings.org_url);
        let mut url = Url::parse(base).ok()?.join("/main.aspx").ok()?;
        let app = self.settings.app_id.as_deref().and_then(map::guid);
        url.query_pairs_mut().extend_pairs(app.map(|app| ("appid", app))).extend_pairs([
            ("etn", table),
            ("id", &id),
            ("pagetype", "entityrecord"),
        ]);
        Some(url.to_string())
    }

    fn tables(&self) -> impl Iterator<Item = People> {
        let accounts = self.settings.contact.accounts.then_some(People::Accounts);
        [People::Contacts].into_iter().chain(accounts)
    }

    /// What is kept in a usual spelling is found by its index; what is typed otherwise by the order of its digits.
    /// Either way the number is compared here before it counts (sheet 2.3).
    async fn by_phone(&self, query: &Query) -> Outcome<Vec<Match>> {
        let Some(caller) = query.phone.as_deref().and_then(|text| Number::parse(text, self.country)) else {
            return Ok(Vec::new());
        };
        let mut found = Vec::new();
        for people in self.tables() {
            let exact = queries::by_phone(people, &caller.variants(), &self.settings);
            let exact = self.client.list(people.set(), exact);
            let rows = if self.settings.contact.phone_contains {
                let digits = tail(caller.significant(), usize::from(self.settings.contact.phone_digits));
                let typed = queries::by_pattern(people, digits, &self.settings);
                let (mut rows, more) = tokio::try_join!(exact, self.client.list(people.set(), typed))?;
                rows.extend(more);
                rows
            } else {
                exact.await?
            };
            let columns = people.phones(&self.settings);
            let sure = |row: &Value| {
                let typed = columns.iter().filter_map(|name| map::member(row, name));
                typed.filter_map(|typed| caller.compare(typed, self.country)).min()
            };
            let matches = rows
                .iter()
                .filter_map(|row| map::person_match(row, people.object(), sure(row)?, Basis::Phone));
            found.extend(matches);
        }
        Ok(found)
    }

    async fn by_email(&self, query: &Query) -> Outcome<Vec<Match>> {
        let Some(email) = query.email.as_deref().and_then(map::email) else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        for people in self.tables() {
            let rows =
                self.client.list(people.set(), queries::by_email(people, &email, &self.settings)).await?;
            let columns = people.emails(&self.settings);
            let sure = |row: &Value| {
                let stored = columns.iter().filter_map(|name| map::member(row, name));
                stored
                    .filter_map(|stored| {
                        if stored == email {
                            return Some(Certainty::Exact);
                        }
                        let same = stored.trim().to_lowercase() == email.to_lowercase();
                        same.then_some(Certainty::Normalised)
                    })
                    .min()
            };
            let matches = rows
                .iter()
                .filter_map(|row| map::person_match(row, people.object(), sure(row)?, Basis::Email));
            found.extend(matches);
        }
        Ok(found)
    }

    /// The number as it was typed first, because that is indexed; then the digits in it, as people say it.
    async fn by_case_number(&self, query: &Query) -> Outcome<Vec<Match>> {
        let Some((typed, digits)) = query.case_number.as_deref().and_then(map::case_number) else {
            return Ok(Vec::new());
        };
        let mut rows = self.client.list("incidents", queries::by_case_number(&typed)).await?;
        if rows.is_empty() {
            rows = self.client.list("incidents", queries::by_case_digits(&digits)).await?;
        }
        Ok(rows.iter().filter_map(|row| map::case_match(row, &typed)).collect())
    }

    fn linked(&self, mut found: Match) -> Match {
        found.url = self.page(&found.record);
        found
    }
}

/// The last so many digits.
fn tail(digits: &str, count: usize) -> &str {
    digits.get(digits.len().saturating_sub(count)..).unwrap_or(digits)
}

#[async_trait]
impl Connector for Dynamics {
    fn describe(&self) -> Description {
        Description {
            vendor: "dynamics",
            name: "Dynamics 365",
            address: self.client.address(),
            push_pop: false,
        }
    }

    async fn check(&self) -> Outcome<Vec<Finding>> {
        crate::check::check(self).await
    }

    async fn find(&self, query: &Query) -> Outcome<Matches> {
        let (cases, emails, phones) =
            tokio::try_join!(self.by_case_number(query), self.by_email(query), self.by_phone(query))?;
        let ranked = map::rank(cases.into_iter().chain(emails).chain(phones).collect());
        let max = self.settings.limits.matches_max as usize;
        let more = ranked.len() > max;
        Ok(Matches { found: ranked.into_iter().take(max).map(|m| self.linked(m)).collect(), more })
    }

    async fn create_contact(&self, contact: &NewContact) -> Outcome<Match> {
        let key = contact.key.as_str();
        let plain = key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if key.is_empty() || key.len() > KEY_CHARS || !plain {
            return Err(Failure::reject(None, "the contact's key may hold letters, digits and `-` only"));
        }
        let id = map::id_of("contact", key).hyphenated().to_string();
        let mut fields = map::contact_fields(&contact.person, &self.settings);
        fields.insert("contactid".into(), id.as_str().into());
        let row = match self.client.create("contacts", fields, "contactid,fullname").await? {
            Created::Made(row) if row.is_object() => row,
            Created::Made(_) => {
                serde_json::json!({ "contactid": id, "fullname": map::full_name(&contact.person) })
            }
            // Made by an earlier try; what people changed in it since stays.
            Created::There => {
                let row = self.client.read("contacts", &id, "contactid,fullname").await?;
                row.ok_or_else(|| hidden("contact"))?
            }
        };
        let basis = if contact.person.email.is_some() { Basis::Email } else { Basis::Phone };
        map::person_match(&row, "contact", Certainty::Exact, basis)
            .map(|m| self.linked(m))
            .ok_or_else(|| Failure::unknown("Dynamics answered without the contact's id"))
    }

    async fn upsert_log(&self, log: &Log, ledger: &mut dyn Ledger) -> Outcome<Saved> {
        crate::deliver::deliver(self, log, ledger).await
    }

    async fn history(&self, contact: &Record, limit: u32) -> Outcome<Vec<HistoryEntry>> {
        let Some(customer) = map::Customer::of(contact) else { return Ok(Vec::new()) };
        let limit = limit.clamp(1, 200);
        let (cases, calls) = tokio::try_join!(
            self.client.list("incidents", queries::cases_of(&customer.id, limit)),
            self.client.list("phonecalls", queries::calls_of(&customer.id, limit)),
        )?;
        let cases = cases.iter().filter_map(|row| map::history_entry(row, "incident"));
        let calls = calls.iter().filter_map(|row| map::history_entry(row, "phonecall"));
        let mut all: Vec<HistoryEntry> = cases.chain(calls).collect();
        all.sort_by_key(|entry| std::cmp::Reverse(entry.at));
        all.truncate(limit as usize);
        Ok(all)
    }

    fn pop(&self, record: &Record) -> PopTarget {
        PopTarget::Record { record: record.clone(), url: self.page(record) }
    }

    fn pop_new(&self, person: &Person) -> PopTarget {
        let fields = map::contact_fields(person, &self.settings);
        let text = |(name, value): (String, Value)| Some((name, value.as_str()?.to_owned()));
        PopTarget::NewRecord {
            object: "contact".into(),
            fields: fields.into_iter().filter_map(text).collect(),
        }
    }

    async fn erase(&self, key: &str) -> Outcome<()> {
        for stem in Stem::ALL {
            for n in 1..=NOTES_MAX {
                self.client.delete("annotations", &stem.id(n, key)).await?;
            }
        }
        for (set, object) in [("incidents", "incident"), ("phonecalls", "phonecall")] {
            self.client.delete(set, &map::id_of(object, key).hyphenated().to_string()).await?;
        }
        Ok(())
    }
}
