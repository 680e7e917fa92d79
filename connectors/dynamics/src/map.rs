//! From Tieline's words to Dataverse's and back. Pure: no network, no clock. Vendor limits stand here as constants
//! (sheet sections 2.3 to 2.7); addresses of queries are in [`crate::queries`].

use crate::settings::{FieldValue, Settings, TranscriptNote};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tieline_connector_api::account;
use tieline_connector_api::connector::HistoryEntry;
use tieline_connector_api::phone::is_withheld;
use tieline_connector_api::steps::Fields;
use tieline_connector_api::template::Template;
use tieline_connector_api::text::{self, Cut, WIRE, one_line, show, units};
use tieline_model::Timestamp;
use tieline_model::content::Person;
use tieline_model::crm::{Basis, Certainty, Channel, Direction, Log, Match, Outcome, Record};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::{Builder, Uuid};

/// Longest `incident.title` and `phonecall.subject`, in UTF-16 units, as Dataverse counts.
pub const TITLE_UNITS: usize = 200;
/// Longest `incident.description` and `phonecall.description`.
pub const DESCRIPTION_UNITS: usize = 2_000;
/// Longest `annotation.notetext`, as it is sent: with its markup.
pub const NOTE_UNITS: usize = 100_000;
/// Longest `annotation.subject`.
pub const NOTE_SUBJECT_UNITS: usize = 500;
/// Longest `contact.firstname` and `contact.lastname`.
pub const NAME_UNITS: usize = 50;
/// Longest `contact.emailaddress1`, in characters.
pub const EMAIL_CHARS: usize = 100;
/// Longest phone column of contact.
pub const PHONE_UNITS: usize = 50;
/// Longest `phonecall.phonenumber`.
pub const CALL_NUMBER_UNITS: usize = 200;
/// Longest text sent for a mapped column; a shorter column is refused with its name.
pub const FIELD_UNITS: usize = 100_000;
/// Longest case number taken from what a customer typed, in characters; `ticketnumber` holds 100.
const CASE_NUMBER_CHARS: usize = 100;
/// Most digits of a case number that are searched for.
const CASE_DIGITS_MAX: usize = 30;

/// Under this name all ids of ours are made (RFC 9562, version 5), so that every try of one interaction meets the same
/// row, whatever daemon, connection or restored backup it comes from.
const NAMESPACE: Uuid = Uuid::from_u128(0x6f0b_8c1e_51c1_4d3a_9a41_7469_656c_696e);

// ---------------------------------------------------------------- ids

/// Id of the row of this kind that belongs to a key: SHA-1 over the namespace and `kind:key`, as a GUID of version 5.
#[must_use]
pub fn id_of(kind: &str, key: &str) -> Uuid {
    let mut context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY);
    context.update(NAMESPACE.as_bytes());
    context.update(kind.as_bytes());
    context.update(b":");
    context.update(key.to_ascii_lowercase().as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&context.finish().as_ref()[..16]);
    Builder::from_sha1_bytes(bytes).into_uuid()
}

/// A GUID as Dataverse writes it, or `None`: nothing else may stand in an address.
#[must_use]
pub fn guid(text: &str) -> Option<String> {
    let bare = text.trim().trim_start_matches('{').trim_end_matches('}');
    Uuid::parse_str(bare).ok().map(|id| id.hyphenated().to_string())
}

/// A record of a table.
pub(crate) fn record(object: &str, id: &str) -> Option<Record> {
    Some(Record { object: object.into(), id: guid(id)?.parse().ok()? })
}

/// The row that is a person or a company, as a customer of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Customer {
    /// `contact` or `account`.
    pub(crate) object: &'static str,
    /// Its id.
    pub(crate) id: String,
}

impl Customer {
    /// A record as a customer, if it can be one.
    pub(crate) fn of(record: &Record) -> Option<Self> {
        let object = match record.object.as_str() {
            "contact" => "contact",
            "account" => "account",
            _ => return None,
        };
        Some(Self { object, id: guid(record.id.as_str())? })
    }
    /// Its entity set.
    pub(crate) fn set(&self) -> &'static str {
        if self.object == "account" { "accounts" } else { "contacts" }
    }
    /// What a bind points at.
    fn target(&self) -> Value {
        format!("/{}({})", self.set(), self.id).into()
    }
}

// ---------------------------------------------------------------- texts

/// The line under which the kit, people and a later search find the interaction of a record.
pub(crate) fn signature(key: &str) -> String {
    format!("Tieline {key}")
}

fn title(log: &Log, template: Option<&str>) -> String {
    let own = template.and_then(|text| Template::parse(text).ok()).map(|template| template.render(log));
    let text = own.filter(|text| !text.trim().is_empty()).unwrap_or_else(|| account::subject(log));
    one_line(&text, TITLE_UNITS)
}

/// The account, then the transcript's beginning, as much as fits (D11), and the signature as the last line.
pub(crate) fn description(log: &Log) -> Cut {
    let last = format!("\n{}", signature(&log.key()));
    let mark = if log.transcript.is_empty() {
        "\n[cut here; all of it is in a note]"
    } else {
        "\n[cut here; all of it is in the note below]"
    };
    let Cut { text, cut } = account::beginning(log, DESCRIPTION_UNITS - units(&last), usize::MAX, mark);
    Cut { text: format!("{text}{last}"), cut }
}

/// A text as the timeline shows it: notes are rich text, so markup is escaped, and lines and indents are kept.
pub(crate) fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    let mut at_line_start = true;
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\n' => out.push_str("<br>"),
            // Browsers fold spaces; the indent tells later lines of a message from somebody else's line.
            ' ' if at_line_start => out.push('\u{a0}'),
            c => out.push(c),
        }
        at_line_start = c == '\n' || (c == ' ' && at_line_start);
    }
    out
}

/// A note: text, and the file behind it where the text cannot hold all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Note {
    pub(crate) subject: String,
    pub(crate) text: String,
    file: Option<(String, String)>,
}

impl Note {
    /// A note of a text; one that is too long becomes a file, because attached text has no such limit and `.txt` is
    /// blocked nowhere (sheet 2.7).
    fn new(log: &Log, subject: String, content: String) -> Self {
        let subject = one_line(&subject, NOTE_SUBJECT_UNITS);
        let text = html(content.trim_end());
        if units(&text) <= NOTE_UNITS {
            return Self { subject, text, file: None };
        }
        // The digest makes the note's text differ when the file does, so that a lost answer is recognised.
        let mark = text::digest(&log.key(), "file", &content);
        let text = format!("All of it is in the attached file.<br>{} {mark}", signature(&log.key()));
        let name = format!("{}.txt", account::file_title(log));
        Self { subject, text, file: Some((name, content)) }
    }

    /// Columns of the note but for its id and what it is under.
    pub(crate) fn fields(&self) -> Fields {
        let mut fields = Fields::new();
        fields.insert("subject".into(), self.subject.as_str().into());
        fields.insert("notetext".into(), self.text.as_str().into());
        if let Some((name, content)) = &self.file {
            fields.insert("filename".into(), name.as_str().into());
            fields.insert("mimetype".into(), "text/plain".into());
            fields.insert("isdocument".into(), true.into());
            fields.insert("documentbody".into(), STANDARD.encode(content.as_bytes()).into());
        }
        fields
    }
}

/// The transcript as a note. Under somebody else's case, or where the description was cut, it carries the whole
/// account, because nothing else does.
pub(crate) fn transcript_note(log: &Log, with_account: bool) -> Note {
    let content = account::transcript_file(log, with_account || description(log).cut);
    Note::new(log, account::subject(log), content)
}

/// Later facts of a record that takes no changes any more.
pub(crate) fn late_note(log: &Log) -> Note {
    Note::new(log, format!("Later: {}", account::subject(log)), account::account(log))
}

/// Whether the interaction's own record gets a note.
pub(crate) fn wants_note(log: &Log, settings: &Settings) -> bool {
    match (settings.case.transcript_note, log.channel) {
        (TranscriptNote::Always, Channel::Chat) => !log.transcript.is_empty() || description(log).cut,
        (TranscriptNote::WhenCut, _) | (TranscriptNote::Always, Channel::Call) => description(log).cut,
    }
}

// ---------------------------------------------------------------- columns

/// Columns a mapping must not set: ids, states, and what has a meaning here.
pub(crate) fn is_reserved(name: &str) -> bool {
    [
        "incidentid",
        "activityid",
        "ticketnumber",
        "statecode",
        "statuscode",
        "title",
        "subject",
        "description",
        "customerid",
        "caseorigincode",
        "directioncode",
        "versionnumber",
    ]
    .contains(&name)
}

fn mapped(log: &Log, fields: &BTreeMap<String, FieldValue>) -> Fields {
    let value = |value: &FieldValue| match value {
        FieldValue::Flag(yes) => (*yes).into(),
        FieldValue::Number(number) => (*number).into(),
        FieldValue::Text(text) => {
            Template::parse(text).map_or(Value::Null, |template| template.value(log, FIELD_UNITS))
        }
    };
    fields.iter().map(|(name, given)| (name.clone(), value(given))).collect()
}

/// Columns of a case that later facts may change (D6), its customer left out. An absent value is `null`, so that it can
/// be taken back.
pub(crate) fn case_fields(log: &Log, settings: &Settings) -> Fields {
    let mut fields = mapped(log, &settings.case.fields);
    fields.insert("title".into(), title(log, settings.case.title.as_deref()).into());
    fields.insert("description".into(), description(log).text.into());
    fields
}

/// Columns of a phone call that later facts may change before it is completed.
pub(crate) fn call_fields(log: &Log, settings: &Settings) -> Fields {
    let mut fields = mapped(log, &settings.call.fields);
    fields.insert("subject".into(), title(log, None).into());
    fields.insert("description".into(), description(log).text.into());
    fields
}

/// A new case.
pub(crate) fn new_case(log: &Log, settings: &Settings, customer: &Customer) -> Fields {
    let case = &settings.case;
    let mut fields = case_fields(log, settings);
    fields.insert("incidentid".into(), id_of("incident", &log.key()).hyphenated().to_string().into());
    fields.insert("caseorigincode".into(), case.origin.into());
    for (name, value) in [("prioritycode", case.priority), ("casetypecode", case.case_type)] {
        if let Some(value) = value {
            fields.insert(name.into(), value.into());
        }
    }
    if let Some(subject) = case.subject_id.as_deref().and_then(guid) {
        fields.insert("subjectid@odata.bind".into(), format!("/subjects({subject})").into());
    }
    let (name, target) = customer_bind(customer);
    fields.insert(name, target);
    fields.retain(|_, value| !value.is_null());
    fields
}

/// The customer of a case as it is written: a polymorphic look-up has one property per table (sheet 2.5).
pub(crate) fn customer_bind(customer: &Customer) -> (String, Value) {
    (format!("customerid_{}@odata.bind", customer.object), customer.target())
}

/// `statuscode` of a completed call: 2 is Made, 4 is Received (sheet 2.6).
pub(crate) fn call_status(log: &Log) -> i64 {
    match account::direction(log) {
        Direction::Outbound => 2,
        Direction::Inbound => 4,
    }
}

/// A new phone call. It is open: a state is not taken when a row is made (sheet 2.6).
pub(crate) fn new_call(log: &Log, settings: &Settings, who: Option<&Customer>, case: Option<&str>) -> Fields {
    let mut fields = call_fields(log, settings);
    let id = id_of("phonecall", &log.key()).hyphenated().to_string();
    fields.insert("activityid".into(), id.into());
    // Left out, it would say outgoing.
    fields.insert("directioncode".into(), (account::direction(log) == Direction::Outbound).into());
    if let Some(number) = call_number(log) {
        fields.insert("phonenumber".into(), number.into());
    }
    fields.insert("actualstart".into(), show(log.started_at, WIRE).into());
    if let Some(end) = log.ended_at {
        fields.insert("actualend".into(), show(end, WIRE).into());
    }
    fields.insert("actualdurationminutes".into(), minutes(log).into());
    let parties = parties(log, settings, who);
    if !parties.is_empty() {
        fields.insert("phonecall_activity_parties".into(), parties.into());
    }
    if let Some((_, property, target)) = regarding(settings, who, case) {
        fields.insert(property, target);
    }
    fields.retain(|_, value| !value.is_null());
    fields
}

/// What a phone call is about: the case that was named, else the customer, so that it is found under either. Gives the
/// id, and the bind; the property's name ends in the activity's (sheet 2.6).
pub(crate) fn regarding(
    settings: &Settings,
    who: Option<&Customer>,
    case: Option<&str>,
) -> Option<(String, String, Value)> {
    if let Some(case) = case {
        let suffix = if settings.call.short_regarding { "" } else { "_phonecall" };
        let property = format!("regardingobjectid_incident{suffix}@odata.bind");
        return Some((case.to_owned(), property, format!("/incidents({case})").into()));
    }
    let who = who?;
    let property = format!("regardingobjectid_{}_phonecall@odata.bind", who.object);
    Some((who.id.clone(), property, who.target()))
}

/// The customer's number, unless the caller hid it (E2).
fn call_number(log: &Log) -> Option<String> {
    let given = log.call.as_ref().and_then(|call| call.number.as_deref()).or(log.person.phone.as_deref())?;
    (!is_withheld(given)).then(|| one_line(given, CALL_NUMBER_UNITS))
}

/// Whole minutes that were talked, as the samples of the vendor count them.
fn minutes(log: &Log) -> u64 {
    let talked = account::talked_s(log).filter(|_| log.outcome == Outcome::Answered);
    talked.unwrap_or_default() / 60
}

/// Who called whom: 1 is from, 2 is to.
fn parties(log: &Log, settings: &Settings, who: Option<&Customer>) -> Vec<Value> {
    let (customer_mask, agent_mask) = match account::direction(log) {
        Direction::Inbound => (1, 2),
        Direction::Outbound => (2, 1),
    };
    let mut parties = Vec::new();
    if let Some(who) = who {
        let name = format!("partyid_{}@odata.bind", who.object);
        parties.push(json!({ "participationtypemask": customer_mask, name: who.target() }));
    } else if let Some(number) = call_number(log).filter(|_| settings.call.unknown_parties) {
        parties.push(json!({ "participationtypemask": customer_mask, "addressused": number }));
    }
    if let Some(user) = log.crm_user.as_deref().and_then(guid) {
        let target = format!("/systemusers({user})");
        parties.push(json!({ "participationtypemask": agent_mask, "partyid_systemuser@odata.bind": target }));
    }
    parties
}

/// A new contact's columns, without its id.
pub(crate) fn contact_fields(person: &Person, settings: &Settings) -> Fields {
    let (first, last) = account::names(person, NAME_UNITS, NAME_UNITS);
    let contact = &settings.contact;
    let mut fields = Fields::new();
    for (name, value) in [
        ("firstname", first),
        ("lastname", Some(last)),
        (contact.email_fields[0].as_str(), person.email.as_deref().and_then(email)),
        (contact.phone_fields[0].as_str(), account::phone(person, PHONE_UNITS)),
    ] {
        if let Some(value) = value {
            fields.insert(name.into(), value.into());
        }
    }
    fields
}

/// An e-mail address that an e-mail column takes.
pub(crate) fn email(given: &str) -> Option<String> {
    text::email(given, EMAIL_CHARS)
}

/// A name for a contact made just now, as the environment will compose it by itself.
pub(crate) fn full_name(person: &Person) -> String {
    let (first, last) = account::names(person, NAME_UNITS, NAME_UNITS);
    first.into_iter().chain([last]).collect::<Vec<_>>().join(" ")
}

/// What people call a phone call; never by a name, because labels are journaled.
pub(crate) fn call_label(log: &Log) -> String {
    format!("Phone call of {} UTC", show(log.started_at, text::DAY_AND_TIME))
}

/// What people call a case.
pub(crate) fn case_label(row: &Value) -> Option<String> {
    member(row, "ticketnumber").map(|number| format!("Case {number}"))
}

// ---------------------------------------------------------------- what was sent before

/// A value as it compares with what Dataverse gives back: ids in either case, times with or without fractions, texts
/// with either line end, empty as null.
fn canonical(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(yes) => yes.to_string(),
        Value::Number(number) => number.as_f64().unwrap_or_default().to_string(),
        Value::String(text) => {
            let text = text.replace("\r\n", "\n");
            let text = text.trim();
            guid(text)
                .or_else(|| parse_time(text).map(|at| at.0.to_string()))
                .unwrap_or_else(|| text.to_owned())
        }
        Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

/// A digest of a value as Dataverse gives it back.
pub(crate) fn digest(key: &str, field: &str, value: &Value) -> String {
    text::digest(key, field, &canonical(value))
}

/// Reads a time as Dataverse writes it.
pub(crate) fn parse_time(text: &str) -> Option<Timestamp> {
    let read = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    i64::try_from(read.unix_timestamp_nanos() / 1_000_000).ok().map(Timestamp)
}

// ---------------------------------------------------------------- matches

/// A text of a row, unless it is empty.
pub(crate) fn member<'v>(row: &'v Value, name: &str) -> Option<&'v str> {
    row.get(name)?.as_str().filter(|text| !text.is_empty())
}

/// A value as people see it, where the row carries that.
fn formatted<'v>(row: &'v Value, name: &str) -> Option<&'v str> {
    member(row, &format!("{name}@OData.Community.Display.V1.FormattedValue"))
}

/// What a look-up column points at: its table stands in an annotation only.
pub(crate) fn pointed_at(row: &Value, column: &str) -> Option<Record> {
    let table = member(row, &format!("{column}@Microsoft.Dynamics.CRM.lookuplogicalname"))?;
    record(table, member(row, column)?)
}

/// A contact or account of a row.
pub(crate) fn person_match(row: &Value, object: &str, certainty: Certainty, basis: Basis) -> Option<Match> {
    let (id, name) = if object == "account" { ("accountid", "name") } else { ("contactid", "fullname") };
    let nameless = if object == "account" { "Account without a name" } else { "Contact without a name" };
    Some(Match {
        record: record(object, member(row, id)?)?,
        title: member(row, name).unwrap_or(nameless).to_owned(),
        subtitle: formatted(row, "_parentcustomerid_value").map(str::to_owned),
        certainty,
        basis,
        contact: None,
        url: None,
    })
}

/// A case of a row, if what was typed names it: all of its number, its digits, or its running number.
pub(crate) fn case_match(row: &Value, typed: &str) -> Option<Match> {
    let number = member(row, "ticketnumber")?;
    let certainty = names_case(number, typed)?;
    let title = member(row, "title").map_or_else(|| number.to_owned(), |title| format!("{number}: {title}"));
    Some(Match {
        record: record("incident", member(row, "incidentid")?)?,
        title,
        subtitle: formatted(row, "statuscode").map(str::to_owned),
        certainty,
        basis: Basis::CaseNumber,
        contact: pointed_at(row, "_customerid_value"),
        url: None,
    })
}

fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

/// The format of numbers is the environment's own; most have a running number and a random end (`CAS-01027-X7R2T9`).
fn names_case(number: &str, typed: &str) -> Option<Certainty> {
    let typed = typed.trim();
    if number == typed {
        return Some(Certainty::Exact);
    }
    let bare = |text: &str| digits(text).trim_start_matches('0').to_owned();
    let said = bare(typed);
    let all_of_it = number.eq_ignore_ascii_case(typed.trim_start_matches('#'));
    let running = number
        .split(|c: char| !c.is_ascii_alphanumeric())
        .find(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()));
    let by_digits = !said.is_empty() && (bare(number) == said || running.is_some_and(|r| bare(r) == said));
    (all_of_it || by_digits).then_some(Certainty::Normalised)
}

/// What a customer typed as a case number: the text itself and its digits. `None` when it holds no digit, or is none
/// that anybody typed.
pub(crate) fn case_number(typed: &str) -> Option<(String, String)> {
    let typed = typed.trim();
    let found = digits(typed).trim_start_matches('0').to_owned();
    let fits = !found.is_empty() && found.len() <= CASE_DIGITS_MAX;
    (fits && typed.chars().count() <= CASE_NUMBER_CHARS).then(|| (typed.to_owned(), found))
}

/// Best first, each record once with its best certainty; the order of equals is kept.
pub(crate) fn rank(mut found: Vec<Match>) -> Vec<Match> {
    found.sort_by_key(|m| m.certainty);
    let mut unique: Vec<Match> = Vec::with_capacity(found.len());
    for next in found {
        if !unique.iter().any(|m| m.record == next.record) {
            unique.push(next);
        }
    }
    unique
}

/// A past case or call of a row.
pub(crate) fn history_entry(row: &Value, object: &str) -> Option<HistoryEntry> {
    let (id, name) = if object == "incident" { ("incidentid", "title") } else { ("activityid", "subject") };
    let label = case_label(row).unwrap_or_else(|| "Phone call".to_owned());
    Some(HistoryEntry {
        record: record(object, member(row, id)?)?,
        title: member(row, name).map_or_else(|| label.clone(), |name| format!("{label}: {name}")),
        status: formatted(row, "statuscode").map(str::to_owned),
        at: member(row, "createdon").and_then(parse_time)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tieline_model::content::Remarks;
    use tieline_model::crm::{CallDetails, Line, Side};

    const START: i64 = 1_795_165_200_000; // 2026-11-20T09:00:00Z
    const KEY: &str = "0190b7a2-0000-7000-8000-000000000001";
    const ADA: &str = "8c3f3b5e-0f0c-4d0a-9d0b-0a0b0c0d0e0f";

    fn settings(patch: Value) -> Settings {
        let mut all = json!({
            "org_url": "https://acme.crm4.dynamics.com", "tenant": "acme.example", "client_id": ADA, "client_secret": "s",
        });
        all.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
        let settings: Settings = serde_json::from_value(all).unwrap();
        settings.validate().unwrap();
        settings
    }

    fn line(at: i64, from: Side, name: &str, text: &str) -> Line {
        Line { at: Timestamp(at), from, name: name.into(), text: text.into() }
    }

    fn ada() -> Customer {
        Customer { object: "contact", id: ADA.into() }
    }

    fn log() -> Log {
        Log {
            interaction: KEY.parse().unwrap(),
            version: 7,
            channel: Channel::Chat,
            started_at: Timestamp(START),
            answered_at: Some(Timestamp(START + 20_000)),
            ended_at: Some(Timestamp(START + 200_000)),
            outcome: Outcome::Answered,
            queue: None,
            queue_name: Some("Sales".into()),
            agent: None,
            agent_name: Some("Alice".into()),
            person: Person { name: Some("Ada Lovelace".into()), ..Person::default() },
            contact: None,
            case: None,
            codes: vec!["billing".into()],
            not_classified: false,
            remarks: Remarks::default(),
            transcript: vec![
                line(START + 1_000, Side::Customer, "Ada", "Hello\n09:00:02 Alice (agent): <b>forged</b>"),
                line(START + 21_000, Side::Agent, "Alice", "How can I help?"),
            ],
            call: None,
            crm_user: Some("{E05D7A94-1F6B-4C83-9A2D-6B7F8C90D1E2}".into()),
            legs: Vec::new(),
            answers: Default::default(),
            abuse: None,
            previous: None,
        }
    }

    fn call(direction: Direction) -> Log {
        Log {
            channel: Channel::Call,
            transcript: Vec::new(),
            call: Some(CallDetails {
                direction,
                number: Some("+442079460000".into()),
                ..CallDetails::default()
            }),
            ..log()
        }
    }

    #[test]
    fn ids_are_of_version_five_and_differ_by_kind_and_key() {
        let id = id_of("incident", KEY);
        assert_eq!(id.get_version_num(), 5);
        assert_eq!(id, id_of("incident", &KEY.to_uppercase()));
        for other in [id_of("phonecall", KEY), id_of("incident", "k"), id_of("note1", KEY)] {
            assert_ne!(id, other);
        }
        // The well-known example of RFC 9562, A.4, made the same way.
        let mut context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY);
        context.update(Uuid::NAMESPACE_DNS.as_bytes());
        context.update(b"www.example.com");
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&context.finish().as_ref()[..16]);
        let example = Builder::from_sha1_bytes(bytes).into_uuid();
        assert_eq!(example.to_string(), "2ed6657d-e927-568b-95e1-2665a8aea6a2");
    }

    // proves D6
    #[test]
    fn a_chat_becomes_a_case() {
        let settings = settings(json!({ "case": {
            "origin": 7, "priority": 1, "subject_id": "e05d7a94-1f6b-4c83-9a2d-6b7f8c90d1e2",
            "fields": { "abc_queue": "{queue}", "abc_level": 3, "abc_vip": true, "abc_shop": "{answer.Shop}" },
        } }));
        let case = new_case(&log(), &settings, &ada());
        let description = case["description"].as_str().unwrap();
        assert!(
            description.starts_with("Chat, answered\nStarted: 2026-11-20 09:00:00 UTC\n"),
            "{description}"
        );
        assert!(description.ends_with(&format!("How can I help?\nTieline {KEY}")), "{description}");
        let mut rest = case.clone();
        rest.remove("description");
        let expected = json!({
            "incidentid": id_of("incident", KEY).to_string(), "title": "Chat with Ada Lovelace",
            "caseorigincode": 7, "prioritycode": 1,
            "subjectid@odata.bind": "/subjects(e05d7a94-1f6b-4c83-9a2d-6b7f8c90d1e2)",
            "customerid_contact@odata.bind": format!("/contacts({ADA})"),
            "abc_queue": "Sales", "abc_level": 3, "abc_vip": true,
        });
        assert_eq!(Value::Object(rest), expected);
        // Later facts never touch what belongs to the environment's people, and can take a value back.
        let update = case_fields(&log(), &settings);
        let names: Vec<&String> = update.keys().collect();
        assert_eq!(names, ["abc_level", "abc_queue", "abc_shop", "abc_vip", "description", "title"]);
        assert_eq!(update["abc_shop"], Value::Null);
    }

    // proves E4
    #[test]
    fn a_call_becomes_an_open_phone_call_whose_direction_is_said() {
        for (direction, outgoing, from, to, status) in
            [(Direction::Inbound, false, 1, 2, 4), (Direction::Outbound, true, 2, 1, 2)]
        {
            let log = call(direction);
            let made = new_call(&log, &settings(json!({})), Some(&ada()), None);
            assert_eq!(made["directioncode"], json!(outgoing));
            assert_eq!(made["phonenumber"], json!("+442079460000"));
            assert_eq!(made["actualdurationminutes"], json!(3));
            assert_eq!(made["regardingobjectid_contact_phonecall@odata.bind"], format!("/contacts({ADA})"));
            assert_eq!(
                made["phonecall_activity_parties"],
                json!([
                    { "participationtypemask": from, "partyid_contact@odata.bind": format!("/contacts({ADA})") },
                    {
                        "participationtypemask": to,
                        "partyid_systemuser@odata.bind": "/systemusers(e05d7a94-1f6b-4c83-9a2d-6b7f8c90d1e2)",
                    },
                ])
            );
            assert!(!made.contains_key("statecode") && !made.contains_key("statuscode"));
            assert_eq!(call_status(&log), status);
        }
    }

    #[test]
    fn a_case_goes_before_the_customer_in_what_a_call_is_about() {
        let bind = |patch| regarding(&settings(patch), Some(&ada()), Some(ADA)).unwrap().1;
        assert_eq!(bind(json!({})), "regardingobjectid_incident_phonecall@odata.bind");
        assert_eq!(
            bind(json!({ "call": { "short_regarding": true } })),
            "regardingobjectid_incident@odata.bind"
        );
        assert_eq!(regarding(&settings(json!({})), None, None), None);
    }

    // proves E2
    #[test]
    fn an_unknown_caller_is_a_party_only_where_that_is_set_and_a_hidden_number_never() {
        let settings = |yes: bool| settings(json!({ "call": { "unknown_parties": yes } }));
        let mut log = call(Direction::Inbound);
        log.crm_user = None;
        assert!(!new_call(&log, &settings(false), None, None).contains_key("phonecall_activity_parties"));
        let made = new_call(&log, &settings(true), None, None);
        assert_eq!(
            made["phonecall_activity_parties"],
            json!([{ "participationtypemask": 1, "addressused": "+442079460000" }])
        );
        log.call.as_mut().unwrap().number = Some("anonymous".into());
        let made = new_call(&log, &settings(true), None, None);
        assert!(!made.contains_key("phonecall_activity_parties") && !made.contains_key("phonenumber"));
    }

    // proves D11
    #[test]
    fn a_long_chat_is_cut_in_the_field_and_whole_in_the_note() {
        for (lines, file) in [(40_i64, false), (4_000, true)] {
            let mut log = log();
            let words = "שלום 👩‍👩‍👧‍👦 & <b>words</b> ".repeat(3);
            log.transcript = (0..lines).map(|i| line(START + i, Side::Customer, "Ada", &words)).collect();
            let Cut { text, cut } = description(&log);
            assert!(cut && units(&text) <= DESCRIPTION_UNITS && units(&text) > DESCRIPTION_UNITS - 200);
            let end = format!("\n[cut here; all of it is in the note below]\nTieline {KEY}");
            assert!(text.ends_with(&end), "{text}");
            let fields = transcript_note(&log, false).fields();
            let note = fields["notetext"].as_str().unwrap();
            assert!(units(note) <= NOTE_UNITS);
            assert_eq!(fields.contains_key("documentbody"), file);
            if file {
                let body = STANDARD.decode(fields["documentbody"].as_str().unwrap()).unwrap();
                assert_eq!(String::from_utf8(body).unwrap().matches(words.trim_end()).count(), 4_000);
                assert_eq!(fields["filename"], json!(format!("chat-{KEY}.txt")));
                assert_eq!(fields["mimetype"], json!("text/plain"));
            } else {
                assert_eq!(note.matches("&lt;b&gt;words&lt;/b&gt;").count(), 120);
            }
        }
    }

    // proves D11
    #[test]
    fn remarks_that_do_not_fit_are_whole_in_the_note() {
        let mut log = log();
        log.transcript.clear();
        log.remarks.notes = "word ".repeat(1_000);
        assert!(wants_note(&log, &settings(json!({ "case": { "transcript_note": "when_cut" } }))));
        assert!(transcript_note(&log, false).text.matches("word").count() >= 1_000);
        log.remarks.notes.clear();
        assert!(!wants_note(&log, &settings(json!({}))));
    }

    #[test]
    fn markup_stays_text_and_indents_stay_indents() {
        assert_eq!(html("a & <b>\n    c  d"), "a &amp; &lt;b&gt;<br>\u{a0}\u{a0}\u{a0}\u{a0}c  d");
    }

    // proves D1
    #[test]
    fn a_case_number_is_found_as_people_say_it() {
        let names = |typed: &str| names_case("CAS-01027-X7R2T9", typed);
        assert_eq!(names("CAS-01027-X7R2T9"), Some(Certainty::Exact));
        for typed in ["cas-01027-x7r2t9", "01027", "1027", " Case 1027 ", "#1027", "01027729", "1027729"] {
            assert_eq!(names(typed), Some(Certainty::Normalised), "{typed}");
        }
        for typed in ["", "CAS", "102", "10270", "27", "729", "none"] {
            assert_eq!(names(typed), None, "{typed}");
        }
        for none in ["", "none", "%", &"9".repeat(31), &format!("1{}", "x".repeat(200))] {
            assert_eq!(case_number(none), None, "{none}");
        }
    }

    #[test]
    fn what_dataverse_gives_back_counts_as_what_was_sent() {
        let same = |a: Value, b: Value| digest("k", "f", &a) == digest("k", "f", &b);
        assert!(same(json!(null), json!("")));
        assert!(same(json!("a\r\nb "), json!("a\nb")));
        assert!(same(json!(ADA.to_uppercase()), json!(ADA)));
        assert!(same(json!("2026-11-20T09:00:00.000Z"), json!("2026-11-20T09:00:00Z")));
        assert!(same(json!(12), json!(12.0)));
        assert!(!same(json!("a"), json!("A")));
    }

    #[test]
    fn only_guids_stand_in_addresses() {
        assert_eq!(guid("{8C3F3B5E-0F0C-4D0A-9D0B-0A0B0C0D0E0F}").as_deref(), Some(ADA));
        for bad in ["", "42", "8c3f3b5e", "../contacts", "8c3f3b5e-0f0c-4d0a-9d0b-0a0b0c0d0e0g"] {
            assert_eq!(guid(bad), None, "{bad}");
        }
    }

    /// What a browser shows of a note.
    fn shown(html: &str) -> String {
        html.replace("<br>", "\n")
            .replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&amp;", "&")
            .replace('\u{a0}', " ")
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_note_shows_what_was_written(text in "[^\u{a0}]{0,60}") {
            let note = html(&text);
            prop_assert!(!note.replace("<br>", "").contains(['<', '>', '\n']));
            prop_assert_eq!(shown(&note), text);
        }

        #[test]
        fn no_field_is_longer_than_dataverse_takes(name in any::<String>(), words in any::<String>(), times in 1_usize..300) {
            let mut log = log();
            log.person.name = Some(name);
            log.transcript[0].text = words.repeat(times);
            let case = new_case(&log, &settings(json!({})), &ada());
            prop_assert!(units(case["title"].as_str().unwrap()) <= TITLE_UNITS);
            prop_assert!(units(case["description"].as_str().unwrap()) <= DESCRIPTION_UNITS);
            let note = transcript_note(&log, true);
            prop_assert!(units(&note.text) <= NOTE_UNITS && units(&note.subject) <= NOTE_SUBJECT_UNITS);
            let contact = contact_fields(&log.person, &settings(json!({})));
            prop_assert!(contact.values().all(|v| units(v.as_str().unwrap_or_default()) <= NAME_UNITS));
        }
    }
}
