//! From Tieline's words to Salesforce's and back. Pure: no network, no clock. Vendor limits stand here as constants.

use crate::settings::{Settings, TranscriptFile};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use tieline_connector_api::connector::HistoryEntry;
use tieline_connector_api::phone::is_withheld;
use tieline_model::Timestamp;
use tieline_model::content::Person;
use tieline_model::crm::{Basis, Certainty, Channel, Line, Log, Match, Outcome, Record, Side};
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use unicode_segmentation::UnicodeSegmentation;

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

const DAY_AND_TIME: &[BorrowedFormatItem<'static>] =
    format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
const CLOCK: &[BorrowedFormatItem<'static>] = format_description!("[hour]:[minute]:[second]");
const WIRE: &[BorrowedFormatItem<'static>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
/// Answers carry an offset without colon, which RFC 3339 readers refuse.
const WIRE_ANSWER: &[BorrowedFormatItem<'static>] = format_description!(
    "[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond][offset_hour sign:mandatory][offset_minute]"
);

// ---------------------------------------------------------------- texts

/// What was cut and whether.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cut {
    pub(crate) text: String,
    pub(crate) cut: bool,
}

/// Shortens a text to a number of UTF-16 units and of bytes, between graphemes, with a mark where it was cut.
pub(crate) fn cut(text: &str, units_max: usize, bytes_max: usize, mark: &str) -> Cut {
    if text.len() <= bytes_max && units(text) <= units_max {
        return Cut { text: text.to_owned(), cut: false };
    }
    let (mut units_left, mut bytes_left) =
        (units_max.saturating_sub(units(mark)), bytes_max.saturating_sub(mark.len()));
    let mut end = 0;
    for (at, grapheme) in text.grapheme_indices(true) {
        if units(grapheme) > units_left || grapheme.len() > bytes_left {
            break;
        }
        units_left -= units(grapheme);
        bytes_left -= grapheme.len();
        end = at + grapheme.len();
    }
    Cut { text: format!("{}{mark}", text[..end].trim_end()), cut: true }
}

fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

/// A text of one line: control characters become spaces, ends are trimmed, and it is cut with an ellipsis.
pub(crate) fn one_line(text: &str, units_max: usize) -> String {
    let flat: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    cut(flat.trim(), units_max, usize::MAX, "…").text
}

/// A text of many lines without the control characters that Salesforce refuses.
fn many_lines(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    text.chars().map(|c| if c.is_control() && c != '\n' && c != '\t' { ' ' } else { c }).collect()
}

fn moment(at: Timestamp) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.0) * 1_000_000)
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

fn show(at: Timestamp, how: &[BorrowedFormatItem<'_>]) -> String {
    moment(at).format(how).unwrap_or_default()
}

/// Reads a time as Salesforce writes it.
pub(crate) fn parse_time(text: &str) -> Option<Timestamp> {
    let read = OffsetDateTime::parse(text, WIRE_ANSWER)
        .or_else(|_| OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339))
        .ok()?;
    i64::try_from(read.unix_timestamp_nanos() / 1_000_000).ok().map(Timestamp)
}

// ---------------------------------------------------------------- the account of an interaction

fn channel(log: &Log) -> &'static str {
    match log.channel {
        Channel::Chat => "Chat",
        Channel::Call => "Call",
    }
}

fn outcome(log: &Log) -> &'static str {
    match log.outcome {
        Outcome::Answered => "answered",
        Outcome::Abandoned => "abandoned",
        Outcome::Missed => "missed",
    }
}

/// What to call the customer.
fn customer(person: &Person) -> Option<String> {
    let both = [person.first_name.as_deref(), person.last_name.as_deref()];
    let full = both.into_iter().flatten().collect::<Vec<_>>().join(" ");
    let all = [person.name.clone(), Some(full), person.email.clone(), person.phone.clone()];
    all.into_iter().flatten().map(|text| one_line(&text, NAME_UNITS)).find(|text| !text.is_empty())
}

fn subject(log: &Log, settings: &Settings) -> String {
    if let Some(template) = settings.case.subject.as_deref().and_then(|text| Template::parse(text).ok()) {
        let text = template.render(log);
        if !text.trim().is_empty() {
            return one_line(&text, SUBJECT_UNITS);
        }
    }
    let who = customer(&log.person).unwrap_or_else(|| "unknown customer".into());
    let text = match (log.channel, log.outcome) {
        (Channel::Chat, Outcome::Answered) => format!("Chat with {who}"),
        (Channel::Chat, Outcome::Abandoned | Outcome::Missed) => format!("Unanswered chat from {who}"),
        (Channel::Call, Outcome::Answered) => format!("Call with {who}"),
        (Channel::Call, Outcome::Abandoned | Outcome::Missed) => format!("Missed call from {who}"),
    };
    one_line(&text, SUBJECT_UNITS)
}

/// Title of the transcript's file, without the ending that Salesforce puts behind it; it finds the file again after a
/// lost answer (sheet 3.4).
pub(crate) fn file_title(log: &Log) -> String {
    let kind = match log.channel {
        Channel::Chat => "chat",
        Channel::Call => "call",
    };
    format!("{kind}-{}", log.key())
}

/// Both titles a key's file can have.
pub(crate) fn file_titles(key: &str) -> [String; 2] {
    [format!("chat-{key}"), format!("call-{key}")]
}

/// Who, when, what about: everything but what was said.
fn account(log: &Log) -> String {
    let mut text = format!("{}, {}\n", channel(log), outcome(log));
    let mut put = |label: &str, value: &str| {
        if !value.trim().is_empty() {
            let _ = writeln!(text, "{label}: {}", indented(value.trim()));
        }
    };
    put("Started", &format!("{} UTC", show(log.started_at, DAY_AND_TIME)));
    for (label, at) in [("Answered", log.answered_at), ("Ended", log.ended_at)] {
        put(label, &at.map(|at| format!("{} UTC", show(at, DAY_AND_TIME))).unwrap_or_default());
    }
    put("Queue", log.queue_name.as_deref().unwrap_or_default());
    put("Agent", log.agent_name.as_deref().unwrap_or_default());
    put("Customer", &customer(&log.person).unwrap_or_default());
    put("E-mail", log.person.email.as_deref().unwrap_or_default());
    put("Phone", log.person.phone.as_deref().unwrap_or_default());
    put("Case named", log.person.case_number.as_deref().unwrap_or_default());
    for (label, answer) in &log.person.answers {
        put(&one_line(label, NAME_UNITS), answer);
    }
    put("Page", log.person.page.as_deref().unwrap_or_default());
    put("Classification", if log.not_classified { "not classified" } else { "" });
    put("Classification", &log.codes.join(", "));
    put("Remark", &log.remarks.text);
    put("Notes", &log.remarks.notes);
    text
}

/// Later lines of one message stand indented, so that nobody can write a line that looks like another's.
fn indented(text: &str) -> String {
    many_lines(text).replace('\n', "\n    ")
}

fn spoken(line: &Line, how: &[BorrowedFormatItem<'_>]) -> String {
    let side = match line.from {
        Side::Customer => "customer",
        Side::Agent => "agent",
    };
    let name = one_line(&line.name, NAME_UNITS);
    format!("{} {name} ({side}): {}\n", show(line.at, how), indented(&line.text))
}

/// The case's description: the account, then the transcript's beginning, as much as fits (D11).
pub(crate) fn description(log: &Log) -> Cut {
    let mut text = account(log);
    if !log.transcript.is_empty() {
        text.push('\n');
    }
    for line in &log.transcript {
        // Nothing beyond the limit can be sent, so nothing beyond it is built.
        if text.len() > DESCRIPTION_UNITS * 4 {
            break;
        }
        text.push_str(&spoken(line, CLOCK));
    }
    let mark = if log.transcript.is_empty() {
        "\n[cut here]".to_owned()
    } else {
        format!("\n[cut here; all of it is in {}.txt]", file_title(log))
    };
    cut(text.trim_end(), DESCRIPTION_UNITS, DESCRIPTION_UNITS, &mark)
}

/// The transcript's file. Under somebody else's case it carries the whole account, because nothing else does.
pub(crate) fn transcript_file(log: &Log, with_account: bool) -> String {
    let mut text = if with_account {
        format!("{}\n", account(log))
    } else {
        format!("{} {}\nTimes are UTC\n\n", channel(log), log.key())
    };
    text.extend(log.transcript.iter().map(|line| spoken(line, DAY_AND_TIME)));
    text
}

/// Whether the interaction's own case gets a file.
pub(crate) fn wants_file(log: &Log, settings: &Settings) -> bool {
    match settings.case.transcript_file {
        TranscriptFile::Always => !log.transcript.is_empty(),
        TranscriptFile::WhenCut => description(log).cut,
    }
}

// ---------------------------------------------------------------- cases

/// Fields that only a first write carries: they belong to the org's people afterwards, or cannot be updated.
pub(crate) fn create_set(log: &Log, settings: &Settings) -> Fields {
    let case = &settings.case;
    let mut fields = Fields::new();
    let mut put = |name: &str, value: Option<String>| {
        if let Some(value) = value.filter(|v| !v.is_empty()) {
            fields.insert(name.into(), value.into());
        }
    };
    let origin = match log.channel {
        Channel::Chat => &case.origin_chat,
        Channel::Call => &case.origin_call,
    };
    put("Origin", Some(origin.clone()));
    put("Status", case.status.clone());
    put("Priority", case.priority.clone());
    put("RecordTypeId", case.record_type_id.clone());
    put("SuppliedName", customer(&log.person));
    put("SuppliedEmail", log.person.email.as_deref().and_then(email));
    put("SuppliedPhone", phone(&log.person));
    fields.extend(update_set(log, settings));
    fields.retain(|_, value| !value.is_null());
    fields
}

/// Fields that later facts may change (D6). An absent value is `null`, so that it can be taken back.
pub(crate) fn update_set(log: &Log, settings: &Settings) -> Fields {
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
            fields.insert(name.clone(), template.value(log));
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
pub(crate) fn email(text: &str) -> Option<String> {
    let text = text.trim();
    let (user, host) = text.rsplit_once('@')?;
    let plain =
        |s: &str| !s.is_empty() && s.chars().all(|c| c.is_ascii_graphic() && !"\"(),:;<>@[]\\".contains(c));
    let dots = !host.starts_with('.') && !host.ends_with('.') && !host.contains("..") && host.contains('.');
    (plain(user) && plain(host) && dots && text.len() <= NAME_UNITS).then(|| text.to_owned())
}

/// A number for a phone field. What telephone systems write for a hidden number is none.
fn phone(person: &Person) -> Option<String> {
    let given = person.phone.as_deref().filter(|text| !is_withheld(text))?;
    Some(one_line(given, PHONE_UNITS))
}

/// First and last name; Salesforce wants a last name always.
pub(crate) fn names(person: &Person) -> (Option<String>, String) {
    let given = person.first_name.as_deref().map(|n| one_line(n, PHONE_UNITS)).filter(|n| !n.is_empty());
    if let Some(last) = person.last_name.as_deref().map(|n| one_line(n, NAME_UNITS)).filter(|n| !n.is_empty())
    {
        return (given, last);
    }
    let whole = customer(person).unwrap_or_else(|| "Unknown".into());
    match whole.rsplit_once(' ') {
        Some((first, last)) if person.name.is_some() => {
            (given.or_else(|| Some(one_line(first, PHONE_UNITS))), one_line(last, NAME_UNITS))
        }
        Some(_) | None => (None, whole),
    }
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

// ---------------------------------------------------------------- mapped fields

/// A text with placeholders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Fact(String),
}

/// What a mapping can name.
const FACTS: [&str; 21] = [
    "interaction",
    "channel",
    "outcome",
    "queue",
    "queue_id",
    "agent",
    "agent_id",
    "customer",
    "email",
    "phone",
    "case_number",
    "page",
    "codes",
    "remark",
    "notes",
    "started_at",
    "answered_at",
    "ended_at",
    "duration_s",
    "wait_s",
    "not_classified",
];

impl Template {
    /// Reads a text with placeholders; `{{` and `}}` stand for braces.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            plain.push_str(&rest[..at]);
            let (brace, after) = rest[at..].split_at(1);
            if let Some(after) = after.strip_prefix(brace) {
                plain.push_str(brace);
                rest = after;
                continue;
            }
            let named = if brace == "{" { after.split_once('}') } else { None };
            let Some((name, after)) = named else {
                return Err("a brace stands alone; write it twice".into());
            };
            if !FACTS.contains(&name) && !name.starts_with("answer.") {
                return Err(format!(
                    "unknown placeholder {{{name}}}; known are {}, answer.…",
                    FACTS.join(", ")
                ));
            }
            if !plain.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut plain)));
            }
            parts.push(Part::Fact(name.to_owned()));
            rest = after;
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        Ok(Self(parts))
    }

    fn render(&self, log: &Log) -> String {
        let mut text = String::new();
        for part in &self.0 {
            match part {
                Part::Text(plain) => text.push_str(plain),
                Part::Fact(name) => match fact(log, name) {
                    Value::String(value) => text.push_str(&value),
                    Value::Null => {}
                    other @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
                        text.push_str(&other.to_string());
                    }
                },
            }
        }
        text
    }

    /// The value for a field; a lone placeholder keeps its type.
    fn value(&self, log: &Log) -> Value {
        let value = match self.0.as_slice() {
            [Part::Fact(name)] => fact(log, name),
            parts if parts.iter().all(|part| matches!(part, Part::Text(_))) => {
                Value::String(self.render(log))
            }
            _ => Value::String(many_lines(self.render(log).trim())),
        };
        match value {
            Value::String(text) if text.is_empty() => Value::Null,
            Value::String(text) => cut(&text, FIELD_UNITS, usize::MAX, "…").text.into(),
            other
            @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => other,
        }
    }
}

fn fact(log: &Log, name: &str) -> Value {
    let time = |at: Option<Timestamp>| at.map(|at| show(at, WIRE));
    let seconds = |from: Option<Timestamp>, to: Option<Timestamp>| match (from, to) {
        (Some(from), Some(to)) => json!(to.since(from).0 / 1000),
        (None, _) | (_, None) => Value::Null,
    };
    let person = &log.person;
    match name {
        "interaction" => log.key().into(),
        "channel" => channel(log).into(),
        "outcome" => outcome(log).into(),
        "queue" => log.queue_name.clone().into(),
        "queue_id" => log.queue.as_ref().map(ToString::to_string).into(),
        "agent" => log.agent_name.clone().into(),
        "agent_id" => log.agent.as_ref().map(ToString::to_string).into(),
        "customer" => customer(person).into(),
        "email" => person.email.as_deref().and_then(email).into(),
        "phone" => person.phone.clone().into(),
        "case_number" => person.case_number.clone().into(),
        "page" => person.page.clone().into(),
        "codes" => log.codes.join(";").into(),
        "remark" => many_lines(&log.remarks.text).into(),
        "notes" => many_lines(&log.remarks.notes).into(),
        "started_at" => time(Some(log.started_at)).into(),
        "answered_at" => time(log.answered_at).into(),
        "ended_at" => time(log.ended_at).into(),
        "duration_s" => seconds(log.answered_at, log.ended_at),
        "wait_s" => seconds(Some(log.started_at), log.answered_at.or(log.ended_at)),
        "not_classified" => log.not_classified.into(),
        _ => name.strip_prefix("answer.").and_then(|label| person.answers.get(label)).cloned().into(),
    }
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

/// A digest of a value of one field of one record; salted with the key, so that equal texts of different people do
/// not look equal in the ledger.
pub(crate) fn digest(key: &str, field: &str, value: &Value) -> String {
    let mut context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    for part in [key, field, &canonical(value)] {
        context.update(&part.len().to_le_bytes());
        context.update(part.as_bytes());
    }
    context.finish().as_ref()[..12].iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
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

fn text<'v>(row: &'v Value, name: &str) -> Option<&'v str> {
    row.get(name)?.as_str().filter(|text| !text.is_empty())
}

/// A record of a row, if its id is one.
pub(crate) fn record(object: &str, row: &Value) -> Option<Record> {
    let id = text(row, "Id").filter(|id| is_id(id))?;
    Some(Record { object: object.into(), id: id.parse().ok()? })
}

/// A contact of a row.
pub(crate) fn contact_match(row: &Value, certainty: Certainty, basis: Basis) -> Option<Match> {
    Some(Match {
        record: record("Contact", row)?,
        title: text(row, "Name").unwrap_or("Contact without a name").to_owned(),
        subtitle: row.get("Account").and_then(|account| text(account, "Name")).map(str::to_owned),
        certainty,
        basis,
        contact: None,
        url: None,
    })
}

/// A case of a row.
pub(crate) fn case_match(row: &Value, typed: &str) -> Option<Match> {
    let number = text(row, "CaseNumber")?;
    let contact = text(row, "ContactId").filter(|id| is_id(id)).and_then(|id| id.parse().ok());
    let title =
        text(row, "Subject").map_or_else(|| number.to_owned(), |subject| format!("{number}: {subject}"));
    Some(Match {
        record: record("Case", row)?,
        title,
        subtitle: text(row, "Status").map(str::to_owned),
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
    let number = text(row, "CaseNumber")?;
    Some(HistoryEntry {
        record: record("Case", row)?,
        title: text(row, "Subject")
            .map_or_else(|| format!("Case {number}"), |s| format!("Case {number}: {s}")),
        status: text(row, "Status").map(str::to_owned),
        at: text(row, "CreatedDate").and_then(parse_time)?,
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
    use tieline_model::content::Remarks;

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
    fn a_cut_never_splits_what_a_reader_sees_as_one_sign() {
        assert_eq!(cut("abc", 3, 3, "…").text, "abc");
        assert_eq!(cut("abcdef", 4, 99, "…").text, "abc…");
        assert_eq!(cut("👩‍👩‍👧‍👦👩‍👩‍👧‍👦", 12, 999, "…").text, "👩‍👩‍👧‍👦…");
        assert_eq!(cut("👩‍👩‍👧‍👦", 10, 999, "…").text, "…");
        assert_eq!(cut("€€€€", 99, 9, "…").text, "€€…");
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
    fn only_addresses_that_salesforce_takes_go_into_email_fields() {
        for good in ["ada@example.org", " ada+x@sub.example.co.uk "] {
            assert_eq!(email(good).as_deref(), Some(good.trim()), "{good}");
        }
        for bad in [
            "",
            "ada",
            "ada@",
            "@example.org",
            "ada@example",
            "a b@example.org",
            "ada@.org",
            "ada@a..b",
            "ä@example.org",
        ] {
            assert_eq!(email(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_last_name_is_always_there() {
        let of = |name: Option<&str>, first: Option<&str>, last: Option<&str>, mail: Option<&str>| {
            let own = |t: Option<&str>| t.map(str::to_owned);
            let (name, first_name, last_name, email) = (own(name), own(first), own(last), own(mail));
            names(&Person { name, first_name, last_name, email, ..Person::default() })
        };
        assert_eq!(
            of(Some("Ada King Lovelace"), None, None, None),
            (Some("Ada King".into()), "Lovelace".into())
        );
        assert_eq!(of(Some("Ada"), None, None, None), (None, "Ada".into()));
        assert_eq!(of(None, Some("Ada"), Some("Lovelace"), None), (Some("Ada".into()), "Lovelace".into()));
        assert_eq!(of(None, None, None, Some("ada@example.org")), (None, "ada@example.org".into()));
        assert_eq!(of(None, None, None, None), (None, "Unknown".into()));
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

        #[test]
        fn a_cut_keeps_both_limits_and_the_beginning(text in any::<String>(), units_max in 5_usize..60, bytes_max in 8_usize..60) {
            let Cut { text: short, cut } = cut(&text, units_max, bytes_max, "[…]");
            prop_assert!(units(&short) <= units_max && short.len() <= bytes_max);
            let kept = if cut { short.strip_suffix("[…]").unwrap() } else { &short };
            prop_assert!(text.starts_with(kept));
            prop_assert_eq!(cut, short != text);
        }
    }
}
