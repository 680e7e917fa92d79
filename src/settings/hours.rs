//! Opening hours: how they are written, and what stretches of UTC they come to (A12).
//!
//! The rules of time zones come with the program, never from the machine, so that the same settings open and close at
//! the same moments everywhere.

use super::Problems;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Span as Calendar, Timestamp as Moment};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use tieline_model::Timestamp;
use tieline_model::command::Open;

/// How far ahead hours are laid out. They are laid out anew every day.
const DAYS_AHEAD: i32 = 60;
/// Stretches of one day.
const STRETCHES_MAX: u64 = 12;
/// Holidays of one schedule.
const HOLIDAYS_MAX: u64 = 1_000;

/// Opening hours of a week, and the days that are not like the others. A day that is left out is closed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Schedule {
    /// IANA name of the time zone the hours are in. Default: the tenant's `time_zone`.
    pub time_zone: Option<String>,
    /// Stretches of the day, such as ["09:00-12:30", "13:00-17:30"]. One that ends before it begins goes on into the
    /// next day. Default: closed, as on each day.
    pub monday: Vec<Stretch>,
    /// As `monday`.
    pub tuesday: Vec<Stretch>,
    /// As `monday`.
    pub wednesday: Vec<Stretch>,
    /// As `monday`.
    pub thursday: Vec<Stretch>,
    /// As `monday`.
    pub friday: Vec<Stretch>,
    /// As `monday`.
    pub saturday: Vec<Stretch>,
    /// As `monday`.
    pub sunday: Vec<Stretch>,
    /// Dates with hours of their own, in place of those of their weekday: `2026-12-24 = ["09:00-12:00"]`, and
    /// `2026-12-25 = []` for a day on which it stays closed. What began the evening before goes on. Default none.
    pub holidays: BTreeMap<Day, Vec<Stretch>>,
}

/// A part of a day by the clock on the wall, such as "09:00-12:30".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// Minutes since midnight.
    from: u16,
    /// Minutes since midnight; more than a day's where it goes on into the next.
    until: u16,
}

/// A date, such as "2026-12-25".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(Date);

const DAY_MINUTES: u16 = 24 * 60;

/// Why a text is not a part of a day.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a part of a day; write \"09:00-12:30\", or \"22:00-02:00\" over midnight")]
pub struct BadStretch(String);

/// Why a text is not a date.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a date; write \"2026-12-25\"")]
pub struct BadDay(String);

impl FromStr for Stretch {
    type Err = BadStretch;
    fn from_str(text: &str) -> Result<Self, BadStretch> {
        let read = || {
            let (from, until) = text.split_once('-')?;
            let (from, until) = (minutes(from.trim())?, minutes(until.trim())?);
            if from == until || from == DAY_MINUTES {
                return None;
            }
            Some(Self { from, until: if until < from { until + DAY_MINUTES } else { until } })
        };
        read().ok_or_else(|| BadStretch(text.chars().take(40).collect()))
    }
}

/// "09:30" to "24:00".
fn minutes(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let number = |part: &str| (part.len() == 2).then(|| part.parse::<u16>().ok()).flatten();
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    (minutes < 60 && (hours < 24 || (hours, minutes) == (24, 0))).then_some(hours * 60 + minutes)
}

impl fmt::Display for Stretch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let until = if self.until > DAY_MINUTES { self.until - DAY_MINUTES } else { self.until };
        write!(f, "{:02}:{:02}-{:02}:{:02}", self.from / 60, self.from % 60, until / 60, until % 60)
    }
}

impl FromStr for Day {
    type Err = BadDay;
    fn from_str(text: &str) -> Result<Self, BadDay> {
        let bad = || BadDay(text.chars().take(40).collect());
        let date: Date = text.parse().map_err(|_| bad())?;
        // The library reads more ways of writing a date than one; settings have one.
        if date.to_string() == text { Ok(Self(date)) } else { Err(bad()) }
    }
}

impl<'de> Deserialize<'de> for Stretch {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Stretch {
    fn schema_name() -> Cow<'static, str> {
        "Stretch".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^[0-9]{2}:[0-9]{2} *- *[0-9]{2}:[0-9]{2}$",
            "description": "A part of a day by the clock on the wall, such as \"09:00-12:30\"; \"22:00-02:00\" goes on into the next day."
        })
    }
}

impl JsonSchema for Day {
    fn schema_name() -> Cow<'static, str> {
        "Day".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
            "description": "A date, such as \"2026-12-25\"."
        })
    }
}

/// A time zone by its IANA name, from the rules that came with the program.
pub(super) fn zone(name: &str) -> Option<TimeZone> {
    TimeZone::get(name).ok()
}

pub(super) fn validate_zone(key: String, name: &str, problems: &mut Problems) {
    if zone(name).is_none() {
        problems.add(
            key,
            format!("is \"{name}\""),
            "write the IANA name of a time zone, such as Europe/Berlin, America/New_York or UTC",
        );
    }
}

impl Schedule {
    pub(super) fn validate(&self, at: &str, problems: &mut Problems) {
        if let Some(name) = &self.time_zone {
            validate_zone(format!("{at}.time_zone"), name, problems);
        }
        let days = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
        for (name, stretches) in days.into_iter().zip(self.week()) {
            validate_day(&format!("{at}.{name}"), stretches, problems);
        }
        problems.count(format!("{at}.holidays"), self.holidays.len() as u64, 0..=HOLIDAYS_MAX);
        for (day, stretches) in &self.holidays {
            validate_day(&format!("{at}.holidays.{}", day.0), stretches, problems);
        }
        if self.week().into_iter().chain(self.holidays.values()).all(Vec::is_empty) {
            problems.add(at, "is never open", "give it hours, such as monday = [\"09:00-17:00\"]");
        }
    }

    /// From Monday on.
    fn week(&self) -> [&Vec<Stretch>; 7] {
        [
            &self.monday,
            &self.tuesday,
            &self.wednesday,
            &self.thursday,
            &self.friday,
            &self.saturday,
            &self.sunday,
        ]
    }

    /// When it is open, from the day before `now`'s (what began then may go on) and for sixty days. `tenants` is the
    /// zone of its tenant. In order, and never touching: stretches that meet are one.
    ///
    /// A time that summer time gives twice is the first one; one that it skips is as long after the switch as it
    /// would have been after the hour that is missing. So do calendars (RFC 5545, section 3.3.5), and so a stretch is
    /// as long as it says wherever that can be.
    pub(super) fn open(&self, tenants: &str, now: Timestamp) -> Vec<Open> {
        let name = self.time_zone.as_deref().unwrap_or(tenants);
        // Checked when the settings were read; a schedule of no zone would be closed.
        let Some(zone) = zone(name) else { return Vec::new() };
        let today = moment(now).to_zoned(zone.clone()).date();
        let days = (-1..=DAYS_AHEAD).filter_map(|n| today.checked_add(Calendar::new().days(n)).ok());
        let mut open: Vec<Open> = days.flat_map(|day| self.open_on(day, &zone)).collect();
        open.sort_unstable();
        open.dedup_by(|next, last| {
            let meets = next.from <= last.until;
            if meets {
                last.until = last.until.max(next.until);
            }
            meets
        });
        open
    }

    fn open_on(&self, day: Date, zone: &TimeZone) -> Vec<Open> {
        let weekday = self.week()[usize::from(day.weekday().to_monday_zero_offset().unsigned_abs())];
        let stretches = self.holidays.get(&Day(day)).unwrap_or(weekday);
        let open = |stretch: &Stretch| {
            let (from, until) = (at(day, stretch.from, zone)?, at(day, stretch.until, zone)?);
            (from < until).then_some(Open { from, until })
        };
        stretches.iter().filter_map(open).collect()
    }
}

fn validate_day(key: &str, stretches: &[Stretch], problems: &mut Problems) {
    problems.count(key, stretches.len() as u64, 0..=STRETCHES_MAX);
    let mut sorted: Vec<&Stretch> = stretches.iter().collect();
    sorted.sort_unstable_by_key(|stretch| stretch.from);
    for pair in sorted.windows(2).filter(|pair| pair[1].from < pair[0].until) {
        problems.add(
            key,
            format!("has \"{}\" and \"{}\", which overlap", pair[0], pair[1]),
            "let one end before the next begins",
        );
    }
}

/// A minute of a day, which may lie in the next, as a moment.
fn at(day: Date, minute: u16, zone: &TimeZone) -> Option<Timestamp> {
    let (days, minute) = (minute / DAY_MINUTES, minute % DAY_MINUTES);
    let day = day.checked_add(Calendar::new().days(i64::from(days))).ok()?;
    let time = Time::new(i8::try_from(minute / 60).ok()?, i8::try_from(minute % 60).ok()?, 0, 0).ok()?;
    let zoned = zone.to_ambiguous_zoned(DateTime::from_parts(day, time)).compatible().ok()?;
    Some(Timestamp(zoned.timestamp().as_millisecond()))
}

fn moment(now: Timestamp) -> Moment {
    Moment::from_millisecond(now.0).unwrap_or(Moment::UNIX_EPOCH)
}

/// The date of a moment in a zone, as a day of the tenant's calendar, and when the next one begins.
pub(super) fn day(name: &str, now: Timestamp) -> (String, Timestamp) {
    let here = moment(now).to_zoned(zone(name).unwrap_or(TimeZone::UTC));
    let next = here.tomorrow().and_then(|tomorrow| tomorrow.start_of_day());
    // Only the end of the calendar has no tomorrow.
    let next = next.map_or(i64::MAX, |next| next.timestamp().as_millisecond());
    (here.date().to_string(), Timestamp(next))
}
