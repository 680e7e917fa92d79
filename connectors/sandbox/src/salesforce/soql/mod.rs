//! SOQL, the part a bridge uses: a real parser, and evaluation over the org's records.

mod exec;
mod lex;
mod parse;

pub(crate) use exec::{matches, project, run, sorted};
pub(crate) use parse::{Condition, Order, Parser, parse};

use time::macros::format_description;
use time::{Date, OffsetDateTime, PrimitiveDateTime, UtcOffset};

/// Reads `2026-11-20`.
#[must_use]
pub(crate) fn date(text: &str) -> Option<Date> {
    Date::parse(text, &format_description!("[year]-[month]-[day]")).ok()
}

/// Reads the ISO 8601 forms the API takes: `Z`, `+00:00` or `+0000`, with or without fractions; a bare day is its
/// first moment.
#[must_use]
pub(crate) fn moment(text: &str) -> Option<OffsetDateTime> {
    let Some((day, rest)) = text.split_once(['T', ' ']) else {
        return Some(date(text)?.midnight().assume_utc());
    };
    let (clock, offset) = match rest.find(['Z', '+', '-']) {
        Some(at) => (&rest[..at], &rest[at..]),
        None => (rest, "Z"),
    };
    let (whole, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let mut parts = whole.split(':').map(|p| p.parse::<u8>().ok());
    let (h, m, s) = (parts.next()??, parts.next()??, parts.next().unwrap_or(Some(0))?);
    let millis: u16 =
        if fraction.is_empty() { 0 } else { format!("{fraction:0<3}").get(..3)?.parse().ok()? };
    let local = PrimitiveDateTime::new(date(day)?, time::Time::from_hms_milli(h, m, s, millis).ok()?);
    let offset = match offset.trim_start_matches('Z') {
        "" => UtcOffset::UTC,
        signed => {
            let sign: i8 = if signed.starts_with('-') { -1 } else { 1 };
            let digits: String = signed.chars().filter(char::is_ascii_digit).collect();
            let (h, m) =
                (digits.get(..2)?.parse::<i8>().ok()?, digits.get(2..4).unwrap_or("00").parse::<i8>().ok()?);
            UtcOffset::from_hms(sign * h, sign * m, 0).ok()?
        }
    };
    Some(local.assume_offset(offset).to_offset(UtcOffset::UTC))
}

#[cfg(test)]
mod tests;
