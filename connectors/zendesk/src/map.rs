//! From Tieline's words to Zendesk's and back. Pure: no network, no clock. Vendor limits stand here as constants.

use crate::settings::{Settings, TranscriptFile};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use tieline_connector_api::account::{self, customer, file_title, spoken, transcript_file};
use tieline_connector_api::connector::HistoryEntry;
use tieline_connector_api::phone::{DIGITS_MIN, Number};
use tieline_connector_api::steps::Fields;
use tieline_connector_api::template::Template;
use tieline_connector_api::text::{self, CLOCK, Cut, one_line};
use tieline_model::Timestamp;
use tieline_model::content::Person;
use tieline_model::crm::{Basis, Certainty, Channel, Log, Match, Record};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// What Zendesk calls a contact.
pub const USER: &str = "user";
/// What Zendesk calls a case.
pub const TICKET: &str = "ticket";
/// Longest tag kept, in characters (from memory, sheet 2.7).
const TAG_CHARS: usize = 80;
/// Longest user name sent, in UTF-16 units; Zendesk publishes no limit.
const USER_NAME_UNITS: usize = 200;
/// Longest phone sent, in UTF-16 units.
const PHONE_UNITS: usize = 40;
/// Longest e-mail address sent, in characters.
const EMAIL_CHARS: usize = 254;
/// Longest text sent for a custom field, in UTF-16 units; a shorter field is refused by Zendesk with its id.
const FIELD_UNITS: usize = 32_000;
/// Longest text quoted in a search, in characters.
const SEARCH_CHARS: usize = 200;
/// Prefix of a custom field among the fields of a ticket: `subject`, `requester_id`, `custom:<id>`.
const CUSTOM: &str = "custom:";

/// What a comment says, and the file beside it where it does not say all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Words {
    pub(crate) body: String,
    pub(crate) file: Option<File>,
}

/// A file to upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct File {
    pub(crate) name: String,
    pub(crate) text: String,
}

// ---------------------------------------------------------------- ids, tags, times

/// A text as an id: 64 bits, which no floating point number holds.
#[must_use]
pub fn id(text: &str) -> Option<u64> {
    let plain = (1..=20).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten().filter(|id| *id > 0)
}

/// The id in a member of an object, as number or text.
pub(crate) fn id_of(row: &Value, name: &str) -> Option<u64> {
    match row.get(name)? {
        Value::Number(number) => number.as_u64().filter(|id| *id > 0),
        Value::String(text) => id(text),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A record by its id.
pub(crate) fn record(object: &str, id: u64) -> Option<Record> {
    Some(Record { object: object.into(), id: id.to_string().parse().ok()? })
}

/// The id of a record of this kind.
pub(crate) fn id_in(record: &Record, object: &str) -> Option<u64> {
    if record.object == object { id(record.id.as_str()) } else { None }
}

/// A text as a tag; Zendesk splits at spaces and lowers letters by itself. `None` when nothing is left of it.
#[must_use]
pub fn tag(text: &str) -> Option<String> {
    let lower = text.trim().to_lowercase();
    let mut out = String::new();
    for c in lower.chars() {
        let fits = c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-' | '/');
        if fits {
            out.push(c);
        } else if !out.ends_with('_') {
            out.push('_');
        }
        if out.len() >= TAG_CHARS {
            break;
        }
    }
    let out = out.trim_end_matches('_');
    out.bytes().any(|b| b.is_ascii_alphanumeric()).then(|| out.to_owned())
}

/// Tags of a log's ticket.
pub(crate) fn tags(log: &Log, settings: &Settings) -> BTreeSet<String> {
    let own = match log.channel {
        Channel::Chat => &settings.ticket.tags_chat,
        Channel::Call => &settings.ticket.tags_call,
    };
    let codes = log.codes.iter().filter(|_| settings.ticket.tag_codes).filter_map(|code| tag(code));
    own.iter().cloned().chain(codes).collect()
}

/// Reads a time as Zendesk writes it.
pub(crate) fn parse_time(text: &str) -> Option<Timestamp> {
    let read = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    i64::try_from(read.unix_timestamp_nanos() / 1_000_000).ok().map(Timestamp)
}

/// The agent's own Zendesk user.
pub(crate) fn agent(log: &Log) -> Option<u64> {
    log.crm_user.as_deref().and_then(id)
}

// ---------------------------------------------------------------- comments

/// Length of a text as Zendesk keeps it: UTF-8 after HTML escaping (sheet 2.7).
pub(crate) fn escaped_len(text: &str) -> usize {
    let more = |b: u8| match b {
        b'&' | b'\'' => 4,
        b'<' | b'>' => 3,
        b'"' => 5,
        _ => 0,
    };
    text.len() + text.bytes().map(more).sum::<usize>()
}

/// The longest text of those that `make` gives for a number of bytes whose escaped form fits.
fn fit(bytes_max: usize, make: impl Fn(usize) -> Cut) -> Cut {
    let whole = make(bytes_max);
    if escaped_len(&whole.text) <= bytes_max {
        return whole;
    }
    // Escaping makes a text at most six times as long.
    let (mut fits, mut too_long) = (bytes_max / 6, bytes_max);
    while too_long - fits > 64 {
        let middle = fits + (too_long - fits) / 2;
        if escaped_len(&make(middle).text) <= bytes_max { fits = middle } else { too_long = middle }
    }
    make(fits)
}

/// The last line of a comment under a ticket: which interaction it is about, and which state of it.
pub(crate) fn footer(key: &str, mark: &str) -> String {
    format!("Tieline {key} {mark}")
}

/// A digest of all that a comment could say.
pub(crate) fn mark(log: &Log) -> String {
    text::digest(&log.key(), "comment", &transcript_file(log, true))
}

/// A digest of what was said, as comments show it.
pub(crate) fn said_mark(log: &Log) -> String {
    let said: String = log.transcript.iter().map(|line| spoken(line, CLOCK)).collect();
    text::digest(&log.key(), "transcript", &said)
}

/// What a comment says, as text.
pub(crate) fn said_in(comment: &Value) -> String {
    let body = member(comment, "body").or_else(|| member(comment, "plain_body"));
    body.unwrap_or_default().replace("\r\n", "\n")
}

/// Whether this is a comment's last line.
pub(crate) fn ends_with(body: &str, footer: &str) -> bool {
    body.trim_end().lines().next_back().map(str::trim) == Some(footer)
}

/// Whether a comment is about this interaction: its last line is one of ours.
pub(crate) fn is_of(body: &str, key: &str) -> bool {
    let last = body.trim_end().lines().next_back().unwrap_or_default().trim();
    last.starts_with(&format!("Tieline {key} "))
}

/// Whether a comment says everything that was said, in order.
pub(crate) fn says_all(log: &Log, body: &str) -> bool {
    let mut rest = body;
    log.transcript.iter().all(|line| {
        let line = spoken(line, CLOCK);
        let line = line.trim_end();
        let found = rest.find(line).map(|at| &rest[at + line.len()..]);
        found.inspect(|behind| rest = behind).is_some()
    })
}

fn words(log: &Log, settings: &Settings, made: Cut, footer: Option<&str>, whole: bool) -> Words {
    let always = settings.ticket.transcript_file == TranscriptFile::Always && whole;
    let wanted = made.cut || (always && !log.transcript.is_empty());
    let file =
        wanted.then(|| File { name: format!("{}.txt", file_title(log)), text: transcript_file(log, true) });
    let body = match footer {
        Some(footer) => format!("{}\n\n{footer}", made.text),
        None => made.text,
    };
    Words { body, file }
}

fn room(settings: &Settings, footer: Option<&str>) -> usize {
    let all = settings.limits.comment_bytes_max as usize;
    all.saturating_sub(footer.map_or(0, |footer| escaped_len(footer) + 2))
}

/// The first comment about an interaction: the account, then the transcript's beginning, as much as fits (D11).
pub(crate) fn first_words(log: &Log, settings: &Settings, footer: Option<&str>) -> Words {
    let made = fit(room(settings, footer), |bytes| account::description(log, bytes, bytes));
    words(log, settings, made, footer, true)
}

/// A later comment: the account as it is now, and the transcript unless an earlier comment says the same. Comments
/// cannot be changed; the newest is what counts.
pub(crate) fn later_words(log: &Log, settings: &Settings, said: bool, footer: &str) -> Words {
    let silent = Log { transcript: Vec::new(), ..log.clone() };
    let log = if said { &silent } else { log };
    let head = "Later facts\n";
    let made = fit(room(settings, Some(footer)).saturating_sub(head.len()), |bytes| {
        account::description(log, bytes, bytes)
    });
    let made = Cut { text: format!("{head}{}", made.text), cut: made.cut };
    words(log, settings, made, Some(footer), false)
}

/// A comment that says where an interaction's own ticket is.
pub(crate) fn pointer(log: &Log, own: u64) -> Words {
    let footer = footer(&log.key(), "elsewhere");
    Words {
        body: format!("{} {} is kept in {}\n\n{footer}", account::channel(log), log.key(), label(own)),
        file: None,
    }
}

/// A comment as Zendesk takes it. It says that it is private each time: the customer must never be mailed a log, and
/// what is not said is inherited from the comment before (sheet 2.3).
pub(crate) fn comment(words: &str, author: Option<u64>, upload: Option<&str>) -> Value {
    let mut comment = json!({ "body": words, "public": false });
    if let Some(author) = author {
        comment["author_id"] = author.into();
    }
    if let Some(token) = upload {
        comment["uploads"] = json!([token]);
    }
    comment
}

// ---------------------------------------------------------------- tickets

fn subject(log: &Log, settings: &Settings) -> String {
    let max = settings.ticket.subject_chars_max as usize;
    if let Some(template) = settings.ticket.subject.as_deref().and_then(|text| Template::parse(text).ok()) {
        let text = template.render(log);
        if !text.trim().is_empty() {
            return one_line(&text, max);
        }
    }
    one_line(&account::subject(log), max)
}

/// Fields that later facts may change (D6).
pub(crate) fn update_set(log: &Log, settings: &Settings) -> Fields {
    let mut fields = Fields::new();
    fields.insert("subject".into(), subject(log, settings).into());
    if let Some(user) = log.contact.as_ref().and_then(|contact| id_in(contact, USER)) {
        fields.insert("requester_id".into(), user.into());
    }
    for (id, text) in &settings.ticket.custom_fields {
        if let Ok(template) = Template::parse(text) {
            fields.insert(format!("{CUSTOM}{id}"), template.value(log, FIELD_UNITS));
        }
    }
    fields
}

/// Fields that only a first write carries: they belong to the account's people afterwards.
pub(crate) fn create_set(log: &Log, settings: &Settings) -> Fields {
    let ticket = &settings.ticket;
    let mut fields = Fields::new();
    let assignee = agent(log).filter(|_| ticket.assign).or(ticket.assignee_id);
    let numbers = [
        ("assignee_id", assignee),
        ("group_id", ticket.group_id),
        ("brand_id", ticket.brand_id),
        ("ticket_form_id", ticket.ticket_form_id),
    ];
    let solvable = assignee.is_some() || ticket.solved_without_assignee;
    let status = ticket.status.as_deref().filter(|status| *status != "solved" || solvable);
    let words =
        [("status", status), ("priority", ticket.priority.as_deref()), ("type", ticket.kind.as_deref())];
    fields.insert("external_id".into(), log.key().into());
    fields.insert("tags".into(), json!(tags(log, settings)));
    fields.extend(numbers.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.into()))));
    fields.extend(words.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.into()))));
    fields.extend(update_set(log, settings));
    fields.retain(|_, value| !value.is_null());
    fields
}

/// Fields as the body of a request names them: custom fields go into their list.
pub(crate) fn body(fields: &Fields) -> Map<String, Value> {
    let mut ticket = Map::new();
    let mut custom = Vec::new();
    for (name, value) in fields {
        match name.strip_prefix(CUSTOM).and_then(id) {
            Some(id) => custom.push(json!({ "id": id, "value": value })),
            None => {
                ticket.insert(name.clone(), value.clone());
            }
        }
    }
    if !custom.is_empty() {
        ticket.insert("custom_fields".into(), custom.into());
    }
    ticket
}

/// A field's value as a ticket of Zendesk has it.
pub(crate) fn value_in(ticket: &Value, name: &str) -> Value {
    let value = match name.strip_prefix(CUSTOM).and_then(id) {
        Some(id) => {
            let fields = ticket.get("custom_fields").and_then(Value::as_array);
            fields.into_iter().flatten().find(|f| id_of(f, "id") == Some(id)).and_then(|f| f.get("value"))
        }
        None => ticket.get(name),
    };
    value.cloned().unwrap_or_default()
}

/// A value as it compares with what Zendesk gives back: it trims texts, turns empty into null, and numbers of custom
/// fields into texts.
fn canonical(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(yes) => yes.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.replace("\r\n", "\n").trim().to_owned(),
        Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

/// A digest of a value as Zendesk gives it back.
pub(crate) fn digest(key: &str, field: &str, value: &Value) -> String {
    text::digest(key, field, &canonical(value))
}

/// What a ticket holds in these fields.
pub(crate) fn values_in(ticket: &Value, fields: &Fields) -> Fields {
    fields.keys().map(|name| (name.clone(), value_in(ticket, name))).collect()
}

/// Whether a ticket takes nothing more; closed is final (sheet 2.3).
pub(crate) fn is_closed(ticket: &Value) -> bool {
    member(ticket, "status") == Some("closed")
}

/// What people call a ticket.
pub(crate) fn label(id: u64) -> String {
    format!("Ticket {id}")
}

// ---------------------------------------------------------------- users

/// A new user's fields; nobody is mailed about it.
pub(crate) fn user_fields(person: &Person, key: &str) -> Map<String, Value> {
    let mut fields = Map::new();
    let name = customer(person).unwrap_or_else(|| "Unknown".into());
    fields.insert("name".into(), one_line(&name, USER_NAME_UNITS).into());
    fields.insert("external_id".into(), key.into());
    fields.insert("role".into(), "end-user".into());
    fields.insert("skip_verify_email".into(), true.into());
    let own = [("email", email(person)), ("phone", account::phone(person, PHONE_UNITS))];
    fields.extend(own.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.into()))));
    fields
}

/// The person's e-mail address, if it is one.
pub(crate) fn email(person: &Person) -> Option<String> {
    person.email.as_deref().and_then(address)
}

/// A text as an e-mail address.
pub(crate) fn address(text: &str) -> Option<String> {
    text::email(text, EMAIL_CHARS)
}

/// A form for a new user.
pub(crate) fn new_user(person: &Person) -> Vec<(String, String)> {
    let own = [
        ("name", customer(person)),
        ("email", email(person)),
        ("phone", account::phone(person, PHONE_UNITS)),
    ];
    own.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

// ---------------------------------------------------------------- searches

/// A text in quotes, in which nothing means anything to the search but its words (sheet 2.2).
pub(crate) fn quoted(text: &str) -> String {
    let plain = |c: char| if c == '"' || c == '\\' || c.is_control() { ' ' } else { c };
    let inner: String = text.chars().take(SEARCH_CHARS).map(plain).collect();
    format!("\"{}\"", inner.trim())
}

/// Searches for users with a number, one for each field. The star stands for everything before the digits, whatever
/// signs the stored number has between them; without `+`, which the search does not take (sheet 2.1).
pub(crate) fn by_phone(number: &Number, settings: &Settings) -> Vec<String> {
    let significant = number.significant().to_owned();
    // Small countries have numbers so short that only more than the number itself is telling.
    let telling = |digits: &String| digits.len() >= DIGITS_MIN && digits.bytes().all(|b| b.is_ascii_digit());
    let Some(digits) = std::iter::once(significant).chain(number.variants()).find(telling) else {
        return Vec::new();
    };
    let fields = std::iter::once("phone").chain(settings.search.phone_fields.iter().map(String::as_str));
    fields.map(|field| format!("{}{field}:*{digits}", role(settings))).collect()
}

/// A search for users with an e-mail address.
pub(crate) fn by_email(address: &str, settings: &Settings) -> String {
    format!("{}email:{}", role(settings), quoted(address))
}

fn role(settings: &Settings) -> &'static str {
    if settings.search.end_users_only { "role:end-user " } else { "" }
}

/// A search for tickets in which a text stands.
pub(crate) fn tickets_with(text: &str) -> String {
    format!("type:ticket {}", quoted(text))
}

/// The number of a ticket as somebody typed it; `None` when there are no digits or too many.
pub(crate) fn ticket_number(typed: &str) -> Option<u64> {
    if typed.chars().count() > SEARCH_CHARS {
        return None;
    }
    let digits: String = typed.chars().filter(char::is_ascii_digit).collect();
    id(digits.trim_start_matches('0'))
}

// ---------------------------------------------------------------- matches

/// A member that is a text and not empty.
pub(crate) fn member<'v>(row: &'v Value, name: &str) -> Option<&'v str> {
    row.get(name)?.as_str().filter(|text| !text.is_empty())
}

/// Whether a user is there, and neither deleted nor suspended.
pub(crate) fn is_active(user: &Value) -> bool {
    let is = |name: &str| user.get(name).and_then(Value::as_bool);
    is("active") != Some(false) && is("suspended") != Some(true)
}

/// Whether a user is somebody outside.
pub(crate) fn is_end_user(user: &Value) -> bool {
    member(user, "role").is_none_or(|role| role == "end-user")
}

/// Every text of a user that may be a number: the phone and the fields that are searched.
pub(crate) fn numbers<'u>(user: &'u Value, settings: &'u Settings) -> impl Iterator<Item = &'u str> {
    let custom = user.get("user_fields");
    let fields = settings.search.phone_fields.iter();
    let custom = fields.filter_map(move |key| custom.and_then(|fields| member(fields, key)));
    member(user, "phone").into_iter().chain(custom)
}

/// A user as a match.
pub(crate) fn user_match(user: &Value, certainty: Certainty, basis: Basis) -> Option<Match> {
    Some(Match {
        record: record(USER, id_of(user, "id")?)?,
        title: member(user, "name").unwrap_or("User without a name").to_owned(),
        subtitle: member(user, "email").map(str::to_owned),
        certainty,
        basis,
        contact: None,
        url: None,
    })
}

/// A ticket as a match, with its requester as the contact; not where the requester is a colleague, as for a ticket
/// that was made for nobody.
pub(crate) fn ticket_match(ticket: &Value, users: &[Value], typed: &str) -> Option<Match> {
    let number = id_of(ticket, "id")?;
    let requester = id_of(ticket, "requester_id").filter(|id| {
        let user = users.iter().find(|user| id_of(user, "id") == Some(*id));
        user.is_none_or(is_end_user)
    });
    let title = member(ticket, "subject").map_or_else(|| label(number), |s| format!("#{number}: {s}"));
    Some(Match {
        record: record(TICKET, number)?,
        title,
        subtitle: member(ticket, "status").map(str::to_owned),
        certainty: if typed.trim() == number.to_string() { Certainty::Exact } else { Certainty::Normalised },
        basis: Basis::CaseNumber,
        contact: requester.and_then(|id| record(USER, id)),
        url: None,
    })
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

/// A past ticket.
pub(crate) fn history_entry(ticket: &Value) -> Option<HistoryEntry> {
    let number = id_of(ticket, "id")?;
    Some(HistoryEntry {
        record: record(TICKET, number)?,
        title: member(ticket, "subject").map_or_else(|| label(number), |s| format!("{}: {s}", label(number))),
        status: member(ticket, "status").map(str::to_owned),
        at: member(ticket, "created_at").and_then(parse_time)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tieline_model::content::Remarks;
    use tieline_model::crm::{Line, Outcome, Side};

    fn settings(patch: Value) -> Settings {
        let mut all =
            json!({ "base_url": "https://acme.zendesk.com", "client_id": "c", "client_secret": "s" });
        all.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
        let settings: Settings = serde_json::from_value(all).unwrap();
        settings.validate().unwrap();
        settings
    }

    const START: i64 = 1_795_165_200_000; // 2026-11-20T09:00:00Z
    const MANY: u64 = 33_144_692_244_371;

    fn log() -> Log {
        let line = |at: i64, from, name: &str, text: &str| Line {
            at: Timestamp(START + at),
            from,
            name: name.into(),
            text: text.into(),
        };
        Log {
            interaction: "0190b7a2-0000-7000-8000-000000000001".parse().unwrap(),
            version: 7,
            channel: Channel::Chat,
            started_at: Timestamp(START),
            answered_at: Some(Timestamp(START + 20_000)),
            ended_at: Some(Timestamp(START + 140_000)),
            outcome: Outcome::Answered,
            queue: None,
            queue_name: Some("Sales".into()),
            agent: None,
            agent_name: Some("Alice".into()),
            person: Person { name: Some("Ada Lovelace".into()), ..Person::default() },
            contact: record(USER, MANY),
            case: None,
            codes: vec!["Refund granted".into()],
            not_classified: false,
            remarks: Remarks::default(),
            transcript: vec![
                line(
                    1_000,
                    Side::Customer,
                    "Ada",
                    "Hello\nTieline 0190b7a2-0000-7000-8000-000000000001 forged",
                ),
                line(21_000, Side::Agent, "Alice", "How can I <help>?"),
            ],
            call: None,
            crm_user: Some("6164039664282".into()),
            legs: Vec::new(),
            answers: Default::default(),
            abuse: None,
            previous: None,
        }
    }

    #[test]
    fn a_chat_becomes_these_fields() {
        let settings = settings(json!({ "ticket": {
            "status": "solved", "priority": "low", "type": "question", "group_id": 7, "tag_codes": true,
            "custom_fields": { "33144692250001": "{queue}", "8": "{duration_s}", "9": "{not_classified}" },
        } }));
        let ticket = body(&create_set(&log(), &settings));
        let want = json!({
            "external_id": "0190b7a2-0000-7000-8000-000000000001",
            "subject": "Chat with Ada Lovelace",
            "requester_id": MANY,
            "assignee_id": 6_164_039_664_282_u64,
            "group_id": 7,
            "status": "solved",
            "priority": "low",
            "type": "question",
            "tags": ["refund_granted", "tieline", "tieline_chat"],
            "custom_fields": [
                { "id": 33_144_692_250_001_u64, "value": "Sales" },
                { "id": 8, "value": 120 },
                { "id": 9, "value": false },
            ],
        });
        assert_eq!(Value::Object(ticket), want);
    }

    #[test]
    fn solved_is_sent_only_where_somebody_is_assigned() {
        let nobody = Log { crm_user: None, ..log() };
        let of = |log: &Log, patch: Value| {
            create_set(log, &settings(json!({ "ticket": patch }))).get("status").cloned()
        };
        assert_eq!(of(&nobody, json!({ "status": "solved" })), None);
        assert_eq!(of(&nobody, json!({ "status": "open" })), Some(json!("open")));
        assert_eq!(of(&nobody, json!({ "status": "solved", "assignee_id": 5 })), Some(json!("solved")));
        assert_eq!(
            of(&nobody, json!({ "status": "solved", "solved_without_assignee": true })),
            Some(json!("solved"))
        );
        assert_eq!(of(&log(), json!({ "status": "solved", "assign": false })), None);
    }

    #[test]
    fn ids_of_64_bits_are_kept_exactly() {
        for id_text in ["6164039664282", "33144692244371", "18446744073709551615", "9007199254740993"] {
            let id = id(id_text).unwrap();
            assert_eq!(id.to_string(), id_text);
            let row: Value = serde_json::from_str(&format!(r#"{{"id":{id_text}}}"#)).unwrap();
            assert_eq!(id_of(&row, "id"), Some(id));
            assert_eq!(record(USER, id).unwrap().id.as_str(), id_text);
        }
        let near: Value = serde_json::from_str(r#"{"a":9007199254740993,"b":9007199254740992}"#).unwrap();
        assert_ne!(digest("k", "f", &near["a"]), digest("k", "f", &near["b"]));
        for bad in
            ["", "0", "-1", "+1", "1.0", "1e3", "18446744073709551616", "99999999999999999999", "12a", " 1"]
        {
            assert_eq!(id(bad), None, "{bad}");
        }
        for bad in [json!({}), json!({"id": null}), json!({"id": 0}), json!({"id": -4}), json!({"id": 1.5})] {
            assert_eq!(id_of(&bad, "id"), None, "{bad}");
        }
    }

    #[test]
    fn tags_are_what_zendesk_keeps() {
        for (text, want) in [
            ("billing", Some("billing")),
            ("Refund granted!", Some("refund_granted")),
            ("  A/B-c_d ", Some("a/b-c_d")),
            ("Größe, Farbe", Some("gr_e_farbe")),
            ("!!!", None),
            ("", None),
        ] {
            assert_eq!(tag(text).as_deref(), want, "{text}");
        }
        assert!(tag(&"x".repeat(500)).unwrap().len() <= TAG_CHARS);
    }

    // proves D11
    #[test]
    fn a_comment_keeps_its_limit_after_escaping_and_names_the_file() {
        let mut long = log();
        let line = long.transcript[1].clone();
        long.transcript.extend(
            (0..2_000).map(|n| Line {
                text: format!("{n} <<<&&&\"\"\" 👩‍👩‍👧‍👦"), ..line.clone()
            }),
        );
        let settings = settings(json!({ "limits": { "comment_bytes_max": 20_000 } }));
        let footer = footer(&long.key(), &mark(&long));
        for words in [
            first_words(&long, &settings, None),
            first_words(&long, &settings, Some(&footer)),
            later_words(&long, &settings, false, &footer),
        ] {
            assert!(escaped_len(&words.body) <= 20_000 && words.body.len() > 5_000, "{}", words.body.len());
            assert!(
                words
                    .body
                    .contains("[cut here; all of it is in chat-0190b7a2-0000-7000-8000-000000000001.txt]")
            );
            let file = words.file.unwrap();
            assert_eq!(file.name, "chat-0190b7a2-0000-7000-8000-000000000001.txt");
            assert!(file.text.contains("1999 <<<") && file.text.contains("Sales"));
        }
        let said = later_words(&long, &settings, true, &footer);
        assert!(said.file.is_none() && !said.body.contains("Hello") && said.body.ends_with(&footer));
    }

    #[test]
    fn a_file_lies_beside_every_chat_where_that_is_set() {
        let settings = settings(json!({ "ticket": { "transcript_file": "always" } }));
        assert!(first_words(&log(), &settings, None).file.is_some());
        let silent = Log { transcript: Vec::new(), ..log() };
        assert!(first_words(&silent, &settings, None).file.is_none());
    }

    #[test]
    fn a_customer_cannot_forge_the_line_that_names_an_interaction() {
        let words = first_words(&log(), &settings(json!({})), None);
        assert!(words.body.contains("forged") && !is_of(&words.body, &log().key()));
        let footer = footer(&log().key(), &mark(&log()));
        let words = first_words(&log(), &settings(json!({})), Some(&footer));
        assert!(is_of(&words.body, &log().key()) && ends_with(&words.body, &footer));
        assert!(says_all(&log(), &words.body));
    }

    #[test]
    fn every_comment_says_that_it_is_private() {
        let plain = comment("words", None, None);
        assert_eq!(plain, json!({ "body": "words", "public": false }));
        let whole = comment("words", Some(MANY), Some("token"));
        assert_eq!(whole["public"], json!(false));
        assert_eq!((&whole["author_id"], &whole["uploads"]), (&json!(MANY), &json!(["token"])));
    }

    // proves D1
    #[test]
    fn a_search_for_a_number_has_digits_only() {
        let number = Number::parse("+44 (0)20 7946-0011", Some("GB".parse().unwrap())).unwrap();
        let own = settings(json!({ "search": { "phone_fields": ["mobile"] } }));
        assert_eq!(
            by_phone(&number, &own),
            ["role:end-user phone:*2079460011", "role:end-user mobile:*2079460011"]
        );
        let all = settings(json!({ "search": { "end_users_only": false } }));
        assert_eq!(by_phone(&number, &all), ["phone:*2079460011"]);
        assert_eq!(by_email("ada+x@example.org", &all), "email:\"ada+x@example.org\"");
    }

    #[test]
    fn a_ticket_number_is_read_from_what_people_type() {
        for (typed, want) in [
            ("4711", Some(4711)),
            ("#4711", Some(4711)),
            (" ticket 004711 ", Some(4711)),
            ("none", None),
            ("0", None),
            ("99999999999999999999999", None),
        ] {
            assert_eq!(ticket_number(typed), want, "{typed}");
        }
        assert_eq!(ticket_number(&"9".repeat(100_000)), None);
    }

    // proves D2
    #[test]
    fn a_ticket_made_for_nobody_names_no_contact() {
        let ticket = json!({ "id": 12, "subject": "Looms", "status": "open", "requester_id": 5 });
        let people = |role: &str| [json!({ "id": 5, "role": role })];
        let found = ticket_match(&ticket, &people("end-user"), "12").unwrap();
        assert_eq!((found.contact, found.certainty), (record(USER, 5), Certainty::Exact));
        assert_eq!(ticket_match(&ticket, &people("admin"), "#12").unwrap().contact, None);
        assert_eq!(ticket_match(&ticket, &[], "#12").unwrap().certainty, Certainty::Normalised);
        assert_eq!(ticket_match(&json!({ "subject": "x" }), &[], "12"), None);
    }

    // proves D4
    #[test]
    fn a_new_user_is_not_mailed_and_has_no_hidden_number() {
        let person = Person {
            name: Some("Ada".into()),
            email: Some("not an address".into()),
            phone: Some("anonymous".into()),
            ..Person::default()
        };
        let fields = user_fields(&person, "key");
        assert_eq!(
            Value::Object(fields),
            json!({ "name": "Ada", "external_id": "key", "role": "end-user", "skip_verify_email": true })
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_quoted_text_has_no_way_out_of_its_quotes(text in any::<String>()) {
            let quoted = quoted(&text);
            let inner = &quoted[1..quoted.len() - 1];
            prop_assert!(quoted.starts_with('"') && quoted.ends_with('"'));
            prop_assert!(!inner.contains(['"', '\\', '\n', '\r']));
            prop_assert!(inner.chars().count() <= SEARCH_CHARS);
        }

        #[test]
        fn a_number_in_a_search_is_digits_behind_a_star(text in "[+0-9 ()./-]{0,24}") {
            if let Some(number) = Number::parse(&text, Some("GB".parse().unwrap())) {
                for query in by_phone(&number, &settings(json!({}))) {
                    let digits = query.strip_prefix("role:end-user phone:*");
                    prop_assert!(digits.is_some_and(|d| d.len() >= 7 && d.bytes().all(|b| b.is_ascii_digit())));
                }
            }
        }

        #[test]
        fn a_tag_stays_itself(text in any::<String>()) {
            if let Some(one) = tag(&text) {
                prop_assert!(one.len() <= TAG_CHARS && !one.contains(char::is_whitespace));
                prop_assert_eq!(tag(&one), Some(one.clone()));
            }
        }

        #[test]
        fn a_comment_never_breaks_its_limit(text in any::<String>(), times in 1_usize..400, max in 2_000_u32..9_000) {
            let mut log = log();
            log.transcript[0].text = text.repeat(times);
            log.person.name = Some(text.clone());
            let settings = settings(json!({ "limits": { "comment_bytes_max": max } }));
            let footer = footer(&log.key(), &mark(&log));
            for words in [first_words(&log, &settings, Some(&footer)), later_words(&log, &settings, false, &footer)] {
                prop_assert!(escaped_len(&words.body) <= max as usize);
                prop_assert!(ends_with(&words.body, &footer));
                prop_assert_eq!(words.file.is_some(), words.body.contains("[cut here"));
            }
        }

        #[test]
        fn what_is_not_an_id_is_none(text in "[0-9]{1,25}") {
            match id(&text) {
                Some(id) => prop_assert_eq!(id.to_string(), text.trim_start_matches('0').to_owned()),
                None => prop_assert!(text.len() > 19 || text.bytes().all(|b| b == b'0')),
            }
        }
    }
}
