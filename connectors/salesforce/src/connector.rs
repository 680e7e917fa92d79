//! The trait, for Salesforce: look-ups, new contacts, history, pops, erasure. Logs are in [`crate::deliver`], the
//! look at rights and fields in [`crate::check`].

use crate::client::{Client, Usage};
use crate::map;
use crate::settings::{Invalid, Settings};
use async_trait::async_trait;
use serde_json::Value;
use std::sync::Arc;
use tieline_connector_api::client::Limits;
use tieline_connector_api::connector::{HistoryEntry, NewContact, Saved};
use tieline_connector_api::phone::{Country, Number};
use tieline_connector_api::{Connector, Description, Failure, Finding, Ledger, Outcome};
use tieline_model::Clock;
use tieline_model::content::Person;
use tieline_model::crm::{Basis, Certainty, Log, Match, Matches, PopTarget, Query, Record};

/// One Salesforce org.
pub struct Salesforce {
    pub(crate) settings: Settings,
    pub(crate) client: Client,
    country: Option<Country>,
}

impl Salesforce {
    /// Makes a connector. Reads the private key's file; no network.
    ///
    /// # Errors
    /// The setting that cannot work.
    pub fn new(settings: Settings, clock: Arc<dyn Clock>, limits: Limits) -> Result<Self, Invalid> {
        settings.validate()?;
        let country = settings.country()?;
        let client = Client::new(&settings, clock, limits)?;
        Ok(Self { settings, client, country })
    }

    /// What is left of the org's daily requests, as the latest answer said it (sheet 2.7).
    #[must_use]
    pub fn usage(&self) -> Option<Usage> {
        self.client.usage()
    }

    /// Requests sent to the REST API so far, logins not counted.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.client.requests()
    }

    /// The record's page, where the org's address is known.
    pub(crate) fn page(&self, record: &Record) -> Option<String> {
        let base = match &self.settings.ui_url {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None => self.client.auth.instance()?.origin().ascii_serialization(),
        };
        let id = record.id.as_str();
        let plain = record.object.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        (map::is_id(id) && plain).then(|| format!("{base}/lightning/r/{}/{id}/view", record.object))
    }

    async fn by_phone(&self, query: &Query) -> Outcome<Vec<Match>> {
        let Some(caller) = query.phone.as_deref().and_then(|text| Number::parse(text, self.country)) else {
            return Ok(Vec::new());
        };
        let rows = self.client.search(&map::sosl_by_phone(&caller.variants(), &self.settings)).await?;
        // The search index ignores punctuation and more; what it gives is checked number by number (sheet 2.3).
        let sure = |row: &Value| {
            let typed = self.settings.phone_fields.iter().filter_map(|name| row.get(name)?.as_str());
            typed.filter_map(|typed| caller.compare(typed, self.country)).min()
        };
        Ok(rows.iter().filter_map(|row| map::contact_match(row, sure(row)?, Basis::Phone)).collect())
    }

    async fn by_email(&self, query: &Query) -> Outcome<Vec<Match>> {
        let Some(email) = query.email.as_deref().and_then(map::email) else { return Ok(Vec::new()) };
        let rows = self.client.query(&map::soql_by_email(&email, &self.settings)).await?;
        let sure = |row: &Value| {
            let stored = row.get("Email")?.as_str()?;
            if stored == email {
                return Some(Certainty::Exact);
            }
            stored.trim().to_lowercase().eq(&email.to_lowercase()).then_some(Certainty::Normalised)
        };
        Ok(rows.iter().filter_map(|row| map::contact_match(row, sure(row)?, Basis::Email)).collect())
    }

    async fn by_case_number(&self, query: &Query) -> Outcome<Vec<Match>> {
        let Some(typed) = query.case_number.as_deref() else { return Ok(Vec::new()) };
        let Some(numbers) = map::case_numbers(typed) else { return Ok(Vec::new()) };
        let rows = self.client.query(&map::soql_by_case_number(&numbers)).await?;
        Ok(rows.iter().filter_map(|row| map::case_match(row, typed)).collect())
    }

    fn linked(&self, mut found: Match) -> Match {
        found.url = self.page(&found.record);
        found
    }
}

#[async_trait]
impl Connector for Salesforce {
    fn describe(&self) -> Description {
        Description {
            vendor: "salesforce",
            name: "Salesforce",
            address: self.client.auth.login_address(),
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
        let field = self.settings.contact_key_field.as_str();
        let key = contact.key.to_ascii_lowercase();
        if key.is_empty() || key.len() > 255 || !key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
            return Err(Failure::reject(None, "the contact's key may hold letters, digits and `-` only"));
        }
        // Looked up first: an upsert of a contact made earlier would undo what people changed in it.
        let there = self.client.by_key("Contact", field, &key, &["Id", "Name"]).await?;
        let row = match there {
            Some(row) => row,
            None => {
                let fields = map::contact_fields(&contact.person);
                let (first, last) = map::names(&contact.person);
                let made = self.client.upsert("Contact", field, &key, fields, false).await?;
                let name = [first, Some(last)].into_iter().flatten().collect::<Vec<_>>().join(" ");
                serde_json::json!({ "Id": made.id, "Name": name })
            }
        };
        let basis = if contact.person.email.is_some() { Basis::Email } else { Basis::Phone };
        let found = map::contact_match(&row, Certainty::Exact, basis);
        found
            .map(|m| self.linked(m))
            .ok_or_else(|| Failure::unknown("Salesforce answered without the contact's id"))
    }

    async fn upsert_log(&self, log: &Log, ledger: &mut dyn Ledger) -> Outcome<Saved> {
        crate::deliver::deliver(self, log, ledger).await
    }

    async fn history(&self, contact: &Record, limit: u32) -> Outcome<Vec<HistoryEntry>> {
        let limit = limit.clamp(1, 200);
        let rows = async |soql: Option<String>| match soql {
            Some(soql) => self.client.query(&soql).await,
            None => Ok(Vec::new()),
        };
        let (cases, calls) = tokio::try_join!(
            rows(map::soql_history(contact, limit)),
            rows(map::soql_history_calls(contact, limit))
        )?;
        let cases = cases.iter().filter_map(map::history_entry);
        let mut all: Vec<HistoryEntry> = cases.chain(calls.iter().filter_map(map::history_call)).collect();
        all.sort_by_key(|entry| std::cmp::Reverse(entry.at));
        all.truncate(limit as usize);
        Ok(all)
    }

    fn pop(&self, record: &Record) -> PopTarget {
        PopTarget::Record { record: record.clone(), url: self.page(record) }
    }

    fn pop_new(&self, person: &Person) -> PopTarget {
        let fields = map::contact_fields(person);
        let text = |(name, value): (String, Value)| Some((name, value.as_str()?.to_owned()));
        PopTarget::NewRecord {
            object: "Contact".into(),
            fields: fields.into_iter().filter_map(text).collect(),
        }
    }

    async fn erase(&self, key: &str) -> Outcome<()> {
        let titles = map::file_titles(key);
        for row in self.client.query(&map::soql_files(&titles)).await? {
            if let Some(document) = row.get("ContentDocumentId").and_then(Value::as_str) {
                self.client.delete("ContentDocument", document).await?;
            }
        }
        for object in ["Case", "Task"] {
            let row = self.client.by_key(object, self.settings.key_field_of(object), key, &["Id"]).await?;
            if let Some(id) = row.as_ref().and_then(|row| row.get("Id")?.as_str()) {
                self.client.delete(object, id).await?;
            }
        }
        Ok(())
    }
}
