//! The account of an interaction as text, the same in every CRM: who, when, what about, and what was said. Pure; a
//! connector fits it to its CRM's fields and limits.

use crate::phone::is_withheld;
use crate::text::{CLOCK, Cut, DAY_AND_TIME, cut, indented, one_line, show};
use std::fmt::Write as _;
use tieline_model::content::Person;
use tieline_model::crm::{Channel, Direction, Line, Log, Outcome, Side};
use time::format_description::BorrowedFormatItem;

/// Longest name shown of a person or an answer's label, in UTF-16 units.
pub const NAME_UNITS: usize = 80;

/// `Chat` or `Call`.
#[must_use]
pub fn channel(log: &Log) -> &'static str {
    match log.channel {
        Channel::Chat => "Chat",
        Channel::Call => "Call",
    }
}

/// How it ended, in a word.
#[must_use]
pub fn outcome(log: &Log) -> &'static str {
    match log.outcome {
        Outcome::Answered => "answered",
        Outcome::Abandoned => "abandoned",
        Outcome::Missed => "missed",
        Outcome::Overflowed => "not served",
        Outcome::MessageLeft => "message left",
    }
}

/// What to call the customer.
#[must_use]
pub fn customer(person: &Person) -> Option<String> {
    let both = [person.first_name.as_deref(), person.last_name.as_deref()];
    let full = both.into_iter().flatten().collect::<Vec<_>>().join(" ");
    let all = [person.name.clone(), Some(full), person.email.clone(), person.phone.clone()];
    all.into_iter().flatten().map(|text| one_line(&text, NAME_UNITS)).find(|text| !text.is_empty())
}

/// First and last name; CRMs want a last name always. `first_max` and `last_max` are UTF-16 units.
#[must_use]
pub fn names(person: &Person, first_max: usize, last_max: usize) -> (Option<String>, String) {
    let given = person.first_name.as_deref().map(|n| one_line(n, first_max)).filter(|n| !n.is_empty());
    if let Some(last) = person.last_name.as_deref().map(|n| one_line(n, last_max)).filter(|n| !n.is_empty()) {
        return (given, last);
    }
    let whole = customer(person).unwrap_or_else(|| "Unknown".into());
    match whole.rsplit_once(' ') {
        Some((first, last)) if person.name.is_some() => {
            (given.or_else(|| Some(one_line(first, first_max))), one_line(last, last_max))
        }
        Some(_) | None => (None, one_line(&whole, last_max)),
    }
}

/// A number for a phone field of `units_max` UTF-16 units. What telephone systems write for a hidden number is none
/// (E2).
#[must_use]
pub fn phone(person: &Person, units_max: usize) -> Option<String> {
    let given = person.phone.as_deref().filter(|text| !is_withheld(text))?;
    Some(one_line(given, units_max))
}

/// Who it was and how it ended, on one line.
#[must_use]
pub fn subject(log: &Log) -> String {
    let who = customer(&log.person).unwrap_or_else(|| "unknown customer".into());
    match (log.channel, log.outcome) {
        (Channel::Chat, Outcome::Answered) => format!("Chat with {who}"),
        (Channel::Chat, Outcome::MessageLeft) => format!("Message from {who}"),
        (Channel::Chat, Outcome::Abandoned | Outcome::Missed | Outcome::Overflowed) => {
            format!("Unanswered chat from {who}")
        }
        (Channel::Call, Outcome::Answered) => match direction(log) {
            Direction::Inbound => format!("Call with {who}"),
            Direction::Outbound => format!("Call to {who}"),
        },
        (
            Channel::Call,
            Outcome::Abandoned | Outcome::Missed | Outcome::Overflowed | Outcome::MessageLeft,
        ) => match direction(log) {
            Direction::Inbound => format!("Missed call from {who}"),
            Direction::Outbound => format!("Unanswered call to {who}"),
        },
    }
}

/// Which way a call went; a log that does not say came in.
#[must_use]
pub fn direction(log: &Log) -> Direction {
    log.call.as_ref().map_or(Direction::Inbound, |call| call.direction)
}

/// How long the two talked, in seconds; `None` when nobody answered or the end is not known.
#[must_use]
pub fn talked_s(log: &Log) -> Option<u64> {
    Some(log.ended_at?.since(log.answered_at?).0 / 1_000)
}

/// Name of the transcript's file, without an ending.
#[must_use]
pub fn file_title(log: &Log) -> String {
    let kind = match log.channel {
        Channel::Chat => "chat",
        Channel::Call => "call",
    };
    format!("{kind}-{}", log.key())
}

/// Both names a key's file can have.
#[must_use]
pub fn file_titles(key: &str) -> [String; 2] {
    [format!("chat-{key}"), format!("call-{key}")]
}

/// Who, when, what about: everything but what was said.
#[must_use]
pub fn account(log: &Log) -> String {
    let way = match (log.channel, direction(log)) {
        (Channel::Chat, _) => "",
        (Channel::Call, Direction::Inbound) => ", inbound",
        (Channel::Call, Direction::Outbound) => ", outbound",
    };
    let mut text = format!("{}{way}, {}\n", channel(log), outcome(log));
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
    if let Some(call) = &log.call {
        let number = call.number.as_deref().filter(|number| log.person.phone.as_deref() != Some(number));
        put("Number", number.unwrap_or_default());
        put("Line", call.line.as_deref().unwrap_or_default());
        put("Recording", call.recording.as_deref().unwrap_or_default());
    }
    put("Case named", log.person.case_number.as_deref().unwrap_or_default());
    for (label, answer) in &log.person.answers {
        put(&one_line(label, NAME_UNITS), answer);
    }
    put("Page", log.person.page.as_deref().unwrap_or_default());
    for (field, answer) in &log.answers {
        put(&one_line(field, NAME_UNITS), answer);
    }
    for leg in log.legs.iter().filter(|_| log.legs.len() > 1) {
        let until = leg.until.map(|at| format!(" to {}", show(at, DAY_AND_TIME))).unwrap_or_default();
        put("Leg", &format!("{}, {}{until}", leg.agent_name, show(leg.from, DAY_AND_TIME)));
        put("Handed on with", &leg.handed_with);
        // What the last one wrote stands below as the interaction's own.
        if leg.remarks != log.remarks {
            put("Remark", &leg.remarks.text);
            put("Notes", &leg.remarks.notes);
        }
    }
    if let Some(note) = &log.abuse {
        put("Abuse", if note.trim().is_empty() { "flagged by the agent" } else { note });
    }
    put("Goes on from", &log.previous.map(|id| id.to_string()).unwrap_or_default());
    put("Classification", if log.not_classified { "not classified" } else { "" });
    put("Classification", &log.codes.join(", "));
    put("Remark", &log.remarks.text);
    put("Notes", &log.remarks.notes);
    text
}

/// One line of a transcript.
#[must_use]
pub fn spoken(line: &Line, how: &[BorrowedFormatItem<'_>]) -> String {
    let side = match line.from {
        Side::Customer => "customer",
        Side::Agent => "agent",
        Side::System => "notice",
    };
    let name = one_line(&line.name, NAME_UNITS);
    format!("{} {name} ({side}): {}\n", show(line.at, how), indented(&line.text))
}

/// The account, then the transcript's beginning, as much as fits (D11); where it was cut stands where the whole is.
#[must_use]
pub fn description(log: &Log, units_max: usize, bytes_max: usize) -> Cut {
    let mark = if log.transcript.is_empty() {
        "\n[cut here]".to_owned()
    } else {
        format!("\n[cut here; all of it is in {}.txt]", file_title(log))
    };
    beginning(log, units_max, bytes_max, &mark)
}

/// The same with the CRM's own words for where the whole is.
#[must_use]
pub fn beginning(log: &Log, units_max: usize, bytes_max: usize, mark: &str) -> Cut {
    let mut text = account(log);
    if !log.transcript.is_empty() {
        text.push('\n');
    }
    for line in &log.transcript {
        // Nothing beyond the limit can be sent, so nothing beyond it is built.
        if text.len() > units_max.saturating_mul(4) {
            break;
        }
        text.push_str(&spoken(line, CLOCK));
    }
    cut(text.trim_end(), units_max, bytes_max, mark)
}

/// The transcript's file. Under somebody else's case it carries the whole account, because nothing else does.
#[must_use]
pub fn transcript_file(log: &Log, with_account: bool) -> String {
    let mut text = if with_account {
        format!("{}\n", account(log))
    } else {
        format!("{} {}\nTimes are UTC\n\n", channel(log), log.key())
    };
    text.extend(log.transcript.iter().map(|line| spoken(line, DAY_AND_TIME)));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(name: Option<&str>, first: Option<&str>, last: Option<&str>, mail: Option<&str>) -> Person {
        let own = |t: Option<&str>| t.map(str::to_owned);
        let (name, first_name, last_name, email) = (own(name), own(first), own(last), own(mail));
        Person { name, first_name, last_name, email, ..Person::default() }
    }

    #[test]
    fn a_last_name_is_always_there() {
        let of = |name, first, last, mail| names(&person(name, first, last, mail), 40, 80);
        assert_eq!(
            of(Some("Ada King Lovelace"), None, None, None),
            (Some("Ada King".into()), "Lovelace".into())
        );
        assert_eq!(of(Some("Ada"), None, None, None), (None, "Ada".into()));
        assert_eq!(of(None, Some("Ada"), Some("Lovelace"), None), (Some("Ada".into()), "Lovelace".into()));
        assert_eq!(of(None, None, None, Some("ada@example.org")), (None, "ada@example.org".into()));
        assert_eq!(of(None, None, None, None), (None, "Unknown".into()));
        assert_eq!(names(&person(Some("Adamantina"), None, None, None), 40, 5), (None, "Adam…".into()));
    }

    // proves E2
    #[test]
    fn a_hidden_number_is_never_stored() {
        let with = |phone: &str| Person { phone: Some(phone.into()), ..Person::default() };
        assert_eq!(phone(&with("Anonymous"), 40), None);
        assert_eq!(phone(&with("+44 20 7946 0000"), 40).as_deref(), Some("+44 20 7946 0000"));
    }
}
