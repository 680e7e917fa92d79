//! From Tieline's words to Salesforce's and back. Pure: no network, no clock. Vendor limits stand here as constants.

use crate::call;
use crate::settings::{Settings, TranscriptFile};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use tieline_connector_api::account::{self, customer};
pub(crate) use tieline_connector_api::account::{file_title, file_titles, transcript_file};
use tieline_connector_api::connector::HistoryEntry;
use tieline_connector_api::template::Template;
pub(crate) use tieline_connector_api::text::one_line;
use tieline_connector_api::text::{self, Cut};
use tieline_model::Timestamp;
use tieline_model::content::Person;
use tieline_model::crm::{Basis, Certainty, Channel, Log, Match, Record};
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

/// Longest `Case.Subject`, in UTF-16 units, as Salesforce counts.
pub const SUBJECT_UNITS: usize = 255;
/// Longest `Case.Description`; the documents say both 32,000 characters and 32 KB, so it limits units and bytes.
pub const DESCRIPTION_UNITS: usize = 32_000;
/// Longest `Case.SuppliedName` and `Case.SuppliedEmail`; also `Contact.LastName` and `Contact.Email`.
pub const NAME_UNITS: usize = 80;
/// Longest phone field, and `Contact.FirstName`.
pub const PHONE_UNITS: usize = 40;
/// Longest picklist value, in characters.
pub const PICKLIST_CHARS: usize = 255;
/// Longest text sent for a mapped field; a shorter field is refused by Salesforce with its name.
pub const FIELD_UNITS: usize = 32_000;
/// Longest search text kept from an e-mail or case number, in characters.
const SEARCH_CHARS: usize = 80;
/// Digits of a standard case number.
const CASE_NUMBER_DIGITS: usize = 8;

/// Fields of a record, by API name, in a fixed order.
pub(crate) type Fields = Map<String, Value>;

/// Answers carry an offset without colon, which RFC 3339 readers refuse.
const WIRE_ANSWER: &[BorrowedFormatItem<'static>] = format_description!(
    "[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond][offset_hour sign:mandatory][offset_minute]"
);

/// Reads a time as Salesforce writes it.
pub(crate) fn parse_time(text: &str) -> Option<Timestamp> {
    let read = OffsetDateTime::parse(text, WIRE_ANSWER)
        .or_else(|_| OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339))
        .ok()?;
    i64::try_from(read.unix_timestamp_nanos() / 1_000_000).ok().map(Timestamp)
}

// ---------------------------------------------------------------- the account of an interaction

fn subject(log: &Log, settings: &Settings) -> String {
    if let Some(template) = settings.case.subject.as_deref().and_then(|text| Template::parse(text).ok()) {
        let text = template.render(log);
        if !text.trim().is_empty() {
            return one_line(&text, SUBJECT_UNITS);
        }
    }
    one_line(&account::subject(log), SUBJECT_UNITS)
}

/// The case's description: the account, then the transcript's beginning, as much as fits (D11).
pub(crate) fn description(log: &Log) -> Cut {
    account::description(log, DESCRIPTION_UNITS, DESCRIPTION_UNITS)
}

/// Whether the interaction's own record gets a file. What a call has to say fits its task.
pub(crate) fn wants_file(log: &Log, settings: &Settings) -> bool {
    match (log.channel, settings.case.transcript_file) {
        (Channel::Call, _) => false,
        (Channel::Chat, TranscriptFile::Always) => !log.transcript.is_empty(),
        (Channel::Chat, TranscriptFile::WhenCut) => description(log).cut,
    }
}

// ---------------------------------------------------------------- the interaction's own record

/// What an interaction becomes: a chat a case, a call a task (E4).
pub(crate) fn own_object(log: &Log) -> &'static str {
    match log.channel {
        Channel::Chat => "Case",
        Channel::Call => "Task",
    }
}

/// Fields of the first write.
pub(crate) fn create_set(log: &Log, settings: &Settings) -> Fields {
    match log.channel {
        Channel::Chat => case_create_set(log, settings),
        Channel::Call => call::create_set(log, settings),
    }
}

/// Fields that later facts may change (D6).
pub(crate) fn update_set(log: &Log, settings: &Settings) -> Fields {
    match log.channel {
        Channel::Chat => case_update_set(log, settings),
        Channel::Call => call::update_set(log, settings),
    }
}

/// Fields of an object that point at records which can go or be merged.
pub(crate) const REFERENCES: [&str; 6] = ["ContactId", "AccountId", "ParentId", "WhoId", "WhatId", "OwnerId"];

/// The object an id belongs to, by its first three characters (sheet section 2).
pub(crate) fn object_of(id: &str) -> Option<&'static str> {
    match id.get(..3)? {
        "001" => Some("Account"),
        "003" => Some("Contact"),
        "00Q" => Some("Lead"),
        "005" => Some("User"),
        "500" => Some("Case"),
        _ => None,
    }
}

/// The agent's own user, where the settings name one by its id.
pub(crate) fn owner(log: &Log) -> Option<&str> {
    log.crm_user.as_deref().filter(|id| is_id(id) && object_of(id) == Some("User"))
}

// ---------------------------------------------------------------- cases

/// Fields that only a first write carries: they belong to the org's people afterwards, or cannot be updated.
fn case_create_set(log: &Log, settings: &Settings) -> Fields {
    let case = &settings.case;
    let mut fields = Fields::new();
    let mut put = |name: &str, value: Option<String>| {
        if let Some(value) = value.filter(|v| !v.is_empty()) {
            fields.insert(name.into(), value.into());
        }
    };
    put("Origin", Some(case.origin_chat.clone()));
    put("Status", case.status.clone());
    put("Priority", case.priority.clone());
    put("RecordTypeId", case.record_type_id.clone());
    put("SuppliedName", customer(&log.person));
    put("SuppliedEmail", log.person.email.as_deref().and_then(email));
    put("SuppliedPhone", phone(&log.person));
    // Where the assignment rules run, they say whose it is.
    put("OwnerId", owner(log).filter(|_| !case.assign).map(str::to_owned));
    fields.extend(case_update_set(log, settings));
    fields.retain(|_, value| !value.is_null());
    fields
}

/// Fields that later facts may change (D6). An absent value is `null`, so that it can be taken back.
fn case_update_set(log: &Log, settings: &Settings) -> Fields {
    let mut fields = Fields::new();
    fields.insert("Subject".into(), subject(log, settings).into());
    fields.insert("Description".into(), description(log).text.into());
    if let Some(contact) = &log.contact
        && let Some(field) = contact_field(&contact.object)
    {
        fields.insert(field.into(), contact.id.as_str().into());
    }
    for (name, text) in &settings.case.fields {
        if let Ok(template) = Template::parse(text) {
            fields.insert(name.clone(), template.value(log, FIELD_UNITS));
        }
    }
    fields
}

/// The field of a case that points at a record of this kind.
fn contact_field(object: &str) -> Option<&'static str> {
    match object {
        "Contact" => Some("ContactId"),
        "Account" => Some("AccountId"),
        _ => None,
    }
}

/// Fields a mapping must not set: keys, and `Comments`, which makes another comment at each write.
pub(crate) fn is_reserved(name: &str) -> bool {
    ["Id", "Comments", "CaseNumber", "SystemModstamp"]
        .iter()
        .any(|reserved| reserved.eq_ignore_ascii_case(name))
}

/// An e-mail address that an e-mail field takes; anything else stays in the description only.
pub(crate) fn email(given: &str) -> Option<String> {
    text::email(given, NAME_UNITS)
}

fn phone(person: &Person) -> Option<String> {
    account::phone(person, PHONE_UNITS)
}

/// First and last name; Salesforce wants a last name always.
pub(crate) fn names(person: &Person) -> (Option<String>, String) {
    account::names(person, PHONE_UNITS, NAME_UNITS)
}

/// A new contact's fields.
pub(crate) fn contact_fields(person: &Person) -> Fields {
    let (first, last) = names(person);
    let mut fields = Fields::new();
    for (name, value) in [
        ("FirstName", first),
        ("LastName", Some(last)),
        ("Email", person.email.as_deref().and_then(email)),
        ("Phone", phone(person)),
    ] {
        if let Some(value) = value {
            fields.insert(name.into(), value.into());
        }
    }
    fields
}

// ---------------------------------------------------------------- what was sent before

/// A value as it compares with what Salesforce gives back: it trims texts, turns empty into null, writes ids in 18
/// characters and times with another offset.
fn canonical(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(yes) => yes.to_string(),
        Value::Number(number) => number.as_f64().unwrap_or_default().to_string(),
        Value::String(text) => {
            let text = text.replace("\r\n", "\n");
            let text = text.trim();
            if text.len() == 18 && is_id(text) {
                return text[..15].to_owned();
            }
            parse_time(text).map_or_else(|| text.to_owned(), |at| at.0.to_string())
        }
        Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

/// A digest of a value as Salesforce gives it back.
pub(crate) fn digest(key: &str, field: &str, value: &Value) -> String {
    text::digest(key, field, &canonical(value))
}

/// Digests of all fields.
pub(crate) fn digests(key: &str, fields: &Fields) -> BTreeMap<String, String> {
    fields.iter().map(|(name, value)| (name.clone(), digest(key, name, value))).collect()
}

// ---------------------------------------------------------------- ids and queries

/// Whether a text is an id of 15 or 18 characters.
#[must_use]
pub fn is_id(text: &str) -> bool {
    matches!(text.len(), 15 | 18) && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// Whether two ids name one record: the first 15 characters count, with their case.
pub(crate) fn same_id(a: &str, b: &str) -> bool {
    is_id(a) && is_id(b) && a.as_bytes()[..15] == b.as_bytes()[..15]
}

/// A string literal of SOQL, with quotes. Backslash first, so that nothing is escaped twice.
pub(crate) fn soql_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('\'');
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\'' => out.push_str("\\'"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c => out.push(c),
        }
    }
    out.push('\'');
    out
}

/// A quoted phrase of SOSL; the reserved characters carry a backslash.
pub(crate) fn sosl_phrase(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        if "?&|!{}[]()^~*:\\\"'+-".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
    out
}

/// One search for every spelling of a number.
pub(crate) fn sosl_by_phone(variants: &[String], settings: &Settings) -> String {
    let phrases: Vec<String> = variants.iter().map(|v| sosl_phrase(v)).collect();
    let limit = settings.limits.matches_max + 1;
    format!(
        "FIND {{{}}} IN PHONE FIELDS RETURNING Contact(Id, Name, {}, Account.Name ORDER BY LastModifiedDate DESC LIMIT {limit})",
        phrases.join(" OR "),
        settings.phone_fields.join(", "),
    )
}

/// Contacts with an e-mail address.
pub(crate) fn soql_by_email(email: &str, settings: &Settings) -> String {
    let limit = settings.limits.matches_max + 1;
    format!(
        "SELECT Id, Name, Email, Account.Name FROM Contact WHERE Email = {} ORDER BY LastModifiedDate DESC LIMIT {limit}",
        soql_text(email)
    )
}

/// Spellings of a case number: as typed, its digits, its digits filled up to the standard length. `None` when it
/// has no digit or is no number anybody typed.
pub(crate) fn case_numbers(typed: &str) -> Option<Vec<String>> {
    let typed = typed.trim();
    let digits: String = typed.chars().filter(char::is_ascii_digit).collect();
    if digits.is_empty() || digits.len() > 30 || typed.chars().count() > SEARCH_CHARS {
        return None;
    }
    let mut all = vec![typed.to_owned()];
    for more in [digits.clone(), format!("{digits:0>CASE_NUMBER_DIGITS$}")] {
        if !all.contains(&more) {
            all.push(more);
        }
    }
    Some(all)
}

/// Cases with one of these numbers.
pub(crate) fn soql_by_case_number(numbers: &[String]) -> String {
    let list: Vec<String> = numbers.iter().map(|n| soql_text(n)).collect();
    format!(
        "SELECT Id, CaseNumber, Subject, Status, ContactId FROM Case WHERE CaseNumber IN ({}) LIMIT 5",
        list.join(", ")
    )
}

/// Latest cases of a contact or account.
pub(crate) fn soql_history(contact: &Record, limit: u32) -> Option<String> {
    let field = contact_field(&contact.object)?;
    Some(format!(
        "SELECT Id, CaseNumber, Subject, Status, CreatedDate FROM Case WHERE {field} = {} ORDER BY CreatedDate DESC LIMIT {limit}",
        soql_text(contact.id.as_str())
    ))
}

/// Latest calls of a contact or account.
pub(crate) fn soql_history_calls(contact: &Record, limit: u32) -> Option<String> {
    let field = match contact.object.as_str() {
        "Contact" | "Lead" => "WhoId",
        "Account" => "WhatId",
        _ => return None,
    };
    Some(format!(
        "SELECT Id, Subject, CallDisposition, CreatedDate FROM Task WHERE {field} = {} AND TaskSubtype = 'Call' ORDER BY CreatedDate DESC LIMIT {limit}",
        soql_text(contact.id.as_str())
    ))
}

/// The newest version of each file with one of these titles.
pub(crate) fn soql_files(titles: &[String]) -> String {
    let list: Vec<String> = titles.iter().map(|t| soql_text(t)).collect();
    format!(
        "SELECT Id, ContentDocumentId, Title, Description FROM ContentVersion WHERE IsLatest = true AND Title IN ({})",
        list.join(", ")
    )
}

/// Where a record went that is no longer there.
pub(crate) fn soql_survivor(object: &str, id: &str) -> String {
    format!("SELECT Id, IsDeleted, MasterRecordId FROM {object} WHERE Id = {}", soql_text(id))
}

// ---------------------------------------------------------------- matches

fn member<'v>(row: &'v Value, name: &str) -> Option<&'v str> {
    row.get(name)?.as_str().filter(|text| !text.is_empty())
}

/// A record of a row, if its id is one.
pub(crate) fn record(object: &str, row: &Value) -> Option<Record> {
    let id = member(row, "Id").filter(|id| is_id(id))?;
    Some(Record { object: object.into(), id: id.parse().ok()? })
}

/// A contact of a row.
pub(crate) fn contact_match(row: &Value, certainty: Certainty, basis: Basis) -> Option<Match> {
    Some(Match {
        record: record("Contact", row)?,
        title: member(row, "Name").unwrap_or("Contact without a name").to_owned(),
        subtitle: row.get("Account").and_then(|account| member(account, "Name")).map(str::to_owned),
        certainty,
        basis,
        contact: None,
        url: None,
    })
}

/// A case of a row.
pub(crate) fn case_match(row: &Value, typed: &str) -> Option<Match> {
    let number = member(row, "CaseNumber")?;
    let contact = member(row, "ContactId").filter(|id| is_id(id)).and_then(|id| id.parse().ok());
    let title =
        member(row, "Subject").map_or_else(|| number.to_owned(), |subject| format!("{number}: {subject}"));
    Some(Match {
        record: record("Case", row)?,
        title,
        subtitle: member(row, "Status").map(str::to_owned),
        certainty: if number == typed.trim() { Certainty::Exact } else { Certainty::Normalised },
        basis: Basis::CaseNumber,
        contact: contact.map(|id| Record { object: "Contact".into(), id }),
        url: None,
    })
}

/// Best first, each record once with its best certainty; the order of equals is kept.
pub(crate) fn rank(mut found: Vec<Match>) -> Vec<Match> {
    found.sort_by_key(|m| m.certainty);
    let mut unique: Vec<Match> = Vec::with_capacity(found.len());
    for next in found {
        if !unique.iter().any(|m| same_id(m.record.id.as_str(), next.record.id.as_str())) {
            unique.push(next);
        }
    }
    unique
}

/// A past case of a row.
pub(crate) fn history_entry(row: &Value) -> Option<HistoryEntry> {
    let number = member(row, "CaseNumber")?;
    Some(HistoryEntry {
        record: record("Case", row)?,
        title: member(row, "Subject")
            .map_or_else(|| format!("Case {number}"), |s| format!("Case {number}: {s}")),
        status: member(row, "Status").map(str::to_owned),
        at: member(row, "CreatedDate").and_then(parse_time)?,
    })
}

/// A past call of a row.
pub(crate) fn history_call(row: &Value) -> Option<HistoryEntry> {
    Some(HistoryEntry {
        record: record("Task", row)?,
        title: member(row, "Subject").unwrap_or("Call").to_owned(),
        status: member(row, "CallDisposition").map(str::to_owned),
        at: member(row, "CreatedDate").and_then(parse_time)?,
    })
}

/// What a file is linked to.
pub(crate) fn soql_links(document: &str) -> String {
    format!(
        "SELECT Id, LinkedEntityId FROM ContentDocumentLink WHERE ContentDocumentId = {}",
        soql_text(document)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;
    use tieline_connector_api::text::units;
    use tieline_model::content::Remarks;
    use tieline_model::crm::{Line, Outcome, Side};

    fn settings(patch: Value) -> Settings {
        let mut all = json!({ "consumer_key": "k", "username": "u", "private_key": "p" });
        all.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
        let settings: Settings = serde_json::from_value(all).unwrap();
        settings.validate().unwrap();
        settings
    }

    fn line(at: i64, from: Side, name: &str, text: &str) -> Line {
        Line { at: Timestamp(at), from, name: name.into(), text: text.into() }
    }

    const START: i64 = 1_795_165_200_000; // 2026-11-20T09:00:00Z

    fn log() -> Log {
        Log {
            interaction: "0190b7a2-0000-7000-8000-000000000001".parse().unwrap(),
            version: 7,
            channel: Channel::Chat,
            started_at: Timestamp(START),
            answered_at: Some(Timestamp(START + 20_000)),
            ended_at: Some(Timestamp(START + 140_000)),
            outcome: Outcome::Answered,
            queue: Some("sales".parse().unwrap()),
            queue_name: Some("Sales".into()),
            agent: Some("alice".parse().unwrap()),
            agent_name: Some("Alice".into()),
            person: Person {
                name: Some("Ada Lovelace".into()),
                email: Some("ada@example.org".into()),
                phone: Some("+44 20 7946 0000".into()),
                answers: [("Topic".to_owned(), "Looms".to_owned())].into(),
                ..Person::default()
            },
            contact: Some(Record { object: "Contact".into(), id: "003Hs00000A1b2cIAB".parse().unwrap() }),
            case: None,
            codes: vec!["billing".into(), "refund".into()],
            not_classified: false,
            remarks: Remarks { text: "Called back".into(), notes: "VIP".into() },
            transcript: vec![
                line(START + 1_000, Side::Customer, "Ada", "Hello\n09:00:02 Alice (agent): forged"),
                line(START + 21_000, Side::Agent, "Alice", "How can I help?"),
            ],
            call: None,
            crm_user: None,
            legs: Vec::new(),
            answers: Default::default(),
            abuse: None,
            previous: None,
        }
    }

    const DESCRIPTION: &str = "Chat, answered
Started: 2026-11-20 09:00:00 UTC
Answered: 2026-11-20 09:00:20 UTC
Ended: 2026-11-20 09:02:20 UTC
Queue: Sales
Agent: Alice
Customer: Ada Lovelace
E-mail: ada@example.org
Phone: +44 20 7946 0000
Topic: Looms
Classification: billing, refund
Remark: Called back
Notes: VIP

09:00:01 Ada (customer): Hello
    09:00:02 Alice (agent): forged
09:00:21 Alice (agent): How can I help?";

    // proves D6
    #[test]
    fn a_chat_becomes_a_case() {
        let settings = settings(json!({ "case": { "status": "New", "fields": {
            "Queue__c": "{queue}", "Seconds__c": "{duration_s}", "Topic__c": "{answer.Topic}", "Shop__c": "{answer.Shop}",
            "Began__c": "{started_at}", "Line__c": "{agent} of {queue}: {{{codes}}}", "Source__c": "Tieline",
        } } }));
        let expected = json!({
            "Subject": "Chat with Ada Lovelace", "Description": DESCRIPTION, "Origin": "Chat", "Status": "New",
            "ContactId": "003Hs00000A1b2cIAB", "SuppliedName": "Ada Lovelace", "SuppliedEmail": "ada@example.org",
            "SuppliedPhone": "+44 20 7946 0000", "Queue__c": "Sales", "Seconds__c": 120, "Topic__c": "Looms",
            "Began__c": "2026-11-20T09:00:00.000Z", "Line__c": "Alice of Sales: {billing;refund}", "Source__c": "Tieline",
        });
        assert_eq!(Value::Object(create_set(&log(), &settings)), expected);
    }

    // proves D6
    #[test]
    fn later_facts_never_touch_what_belongs_to_the_org() {
        let update = update_set(
            &log(),
            &settings(json!({ "case": { "status": "New", "fields": { "Shop__c": "{answer.Shop}" } } })),
        );
        let names: Vec<&String> = update.keys().collect();
        assert_eq!(names, ["ContactId", "Description", "Shop__c", "Subject"]);
        assert_eq!(update["Shop__c"], Value::Null);
    }

    #[test]
    fn the_file_holds_all_that_was_said() {
        assert_eq!(file_title(&log()), "chat-0190b7a2-0000-7000-8000-000000000001");
        assert_eq!(
            transcript_file(&log(), false),
            "Chat 0190b7a2-0000-7000-8000-000000000001\nTimes are UTC\n\n\
             2026-11-20 09:00:01 Ada (customer): Hello\n    09:00:02 Alice (agent): forged\n\
             2026-11-20 09:00:21 Alice (agent): How can I help?\n"
        );
        assert!(
            transcript_file(&log(), true).starts_with("Chat, answered\nStarted: 2026-11-20 09:00:00 UTC\n")
        );
    }

    // proves D11
    #[test]
    fn a_long_transcript_is_cut_in_the_field_and_the_cut_marked() {
        for unit in ["a", "€", "👩‍👩‍👧‍👦", "שלום ", "e\u{301}"] {
            let mut log = log();
            log.transcript =
                (0..4_000).map(|i| line(START + i, Side::Customer, "Ada", &unit.repeat(30))).collect();
            let Cut { text, cut } = description(&log);
            assert!(cut);
            assert!(
                text.len() <= DESCRIPTION_UNITS && units(&text) <= DESCRIPTION_UNITS,
                "{unit}: {}",
                text.len()
            );
            assert!(text.len() > DESCRIPTION_UNITS - 200, "{unit}: {}", text.len());
            assert!(
                text.ends_with("\n[cut here; all of it is in chat-0190b7a2-0000-7000-8000-000000000001.txt]")
            );
            assert!(wants_file(&log, &settings(json!({ "case": { "transcript_file": "when_cut" } }))));
            assert_eq!(transcript_file(&log, false).matches(&unit.repeat(30)).count(), 4_000);
        }
        assert!(!wants_file(&self::log(), &settings(json!({ "case": { "transcript_file": "when_cut" } }))));
    }

    #[test]
    fn odd_customers_get_a_readable_subject() {
        let subject_of = |person: Person, outcome, channel| {
            subject(&Log { person, outcome, channel, ..log() }, &settings(json!({})))
        };
        let nobody = Person::default;
        assert_eq!(
            subject_of(nobody(), Outcome::Abandoned, Channel::Chat),
            "Unanswered chat from unknown customer"
        );
        let caller = Person { phone: Some("+442079460000".into()), ..nobody() };
        assert_eq!(subject_of(caller, Outcome::Missed, Channel::Call), "Missed call from +442079460000");
        let odd = Person { name: Some("=1+1\n<b>\u{0}".into()), ..nobody() };
        assert_eq!(subject_of(odd, Outcome::Answered, Channel::Chat), "Chat with =1+1 <b>");
        let long = Person { name: Some("ä".repeat(500)), ..nobody() };
        assert!(units(&subject_of(long, Outcome::Answered, Channel::Chat)) <= SUBJECT_UNITS);
    }

    #[test]
    fn what_salesforce_gives_back_counts_as_what_was_sent() {
        let same = |a: Value, b: Value| digest("k", "F", &a) == digest("k", "F", &b);
        assert!(same(json!(null), json!("")));
        assert!(same(json!("a\r\nb "), json!("a\nb")));
        assert!(same(json!("003Hs00000A1b2cIAB"), json!("003Hs00000A1b2c")));
        assert!(same(json!("2026-11-20T09:00:00.000Z"), json!("2026-11-20T09:00:00.000+0000")));
        assert!(same(json!(12), json!(12.0)));
        assert!(!same(json!("a"), json!("A")));
        assert_ne!(digest("k", "F", &json!("a")), digest("other", "F", &json!("a")));
        assert_ne!(digest("k", "F", &json!("a")), digest("k", "G", &json!("a")));
    }

    #[test]
    fn nothing_a_visitor_types_leaves_its_quotes() {
        assert_eq!(soql_text(r"o'Neil\"), r"'o\'Neil\\'");
        assert_eq!(soql_text("a\"b\n\r\t"), r#"'a\"b\n\r\t'"#);
        assert_eq!(sosl_phrase(r#"+44 (0)20 "x" {a}*?\"#), r#""\+44 \(0\)20 \"x\" \{a\}\*\?\\""#);
        let settings = settings(json!({}));
        assert_eq!(
            soql_by_email("o'x@example.org", &settings),
            r"SELECT Id, Name, Email, Account.Name FROM Contact WHERE Email = 'o\'x@example.org' ORDER BY LastModifiedDate DESC LIMIT 11"
        );
        assert_eq!(
            sosl_by_phone(&["442079460000".into(), "+442079460000".into()], &settings),
            r#"FIND {"442079460000" OR "\+442079460000"} IN PHONE FIELDS RETURNING Contact(Id, Name, Phone, MobilePhone, HomePhone, OtherPhone, Account.Name ORDER BY LastModifiedDate DESC LIMIT 11)"#
        );
    }

    #[test]
    fn a_case_number_is_found_as_people_say_it() {
        assert_eq!(case_numbers("1027").unwrap(), ["1027", "00001027"]);
        assert_eq!(case_numbers(" Case #1027 ").unwrap(), ["Case #1027", "1027", "00001027"]);
        assert_eq!(case_numbers("00001027").unwrap(), ["00001027"]);
        for bad in ["", "none", &"9".repeat(31)] {
            assert_eq!(case_numbers(bad), None, "{bad}");
        }
    }

    // proves D2
    #[test]
    fn the_surest_match_comes_first_and_each_record_once() {
        let of = |id: &str, certainty, basis| {
            let row = json!({ "Id": id, "Name": "Ada", "Account": { "Name": "Looms" } });
            contact_match(&row, certainty, basis).unwrap()
        };
        let ranked = rank(vec![
            of("003Hs00000A1b2cIAB", Certainty::Guessed, Basis::Phone),
            of("003Hs00000A1b2dIAB", Certainty::Normalised, Basis::Phone),
            of("003Hs00000A1b2c", Certainty::Exact, Basis::Email),
        ]);
        let seen: Vec<_> = ranked.iter().map(|m| (m.record.id.as_str(), m.certainty)).collect();
        assert_eq!(
            seen,
            [("003Hs00000A1b2c", Certainty::Exact), ("003Hs00000A1b2dIAB", Certainty::Normalised)]
        );
        assert_eq!(ranked[0].subtitle.as_deref(), Some("Looms"));
    }

    // proves E2
    #[test]
    fn a_hidden_number_is_never_stored() {
        let hidden =
            Person { phone: Some("Anonymous".into()), name: Some("Ada".into()), ..Person::default() };
        assert!(!contact_fields(&hidden).contains_key("Phone"));
        let log = Log { person: hidden, ..log() };
        assert!(!create_set(&log, &settings(json!({}))).contains_key("SuppliedPhone"));
    }

    /// What Salesforce reads in a literal, by its own list of escapes.
    fn unescaped(literal: &str) -> Option<String> {
        let inner = literal.strip_prefix('\'')?.strip_suffix('\'')?;
        let (mut out, mut chars) = (String::new(), inner.chars());
        while let Some(c) = chars.next() {
            out.push(match c {
                '\'' => return None,
                '\\' => match chars.next()? {
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    'b' => '\u{8}',
                    'f' => '\u{c}',
                    c @ ('\\' | '\'' | '"') => c,
                    _ => return None,
                },
                c => c,
            });
        }
        Some(out)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_literal_means_what_was_typed(text in any::<String>()) {
            let literal = soql_text(&text);
            prop_assert_eq!(unescaped(&literal), Some(text));
        }

        #[test]
        fn a_phrase_has_no_bare_reserved_sign(text in any::<String>()) {
            let phrase = sosl_phrase(&text);
            let mut chars = phrase[1..phrase.len() - 1].chars();
            while let Some(c) = chars.next() {
                if c == '\\' {
                    prop_assert!(chars.next().is_some());
                } else {
                    let reserved = "?&|!{}[]()^~*:\"'+-".contains(c);
                    prop_assert!(!reserved, "a bare reserved sign");
                }
            }
        }

    }
}
