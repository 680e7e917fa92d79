//! Opening hours (A12), which the daemon expands to UTC, and the tenant's day (G1).

use super::Decision;
use crate::state::Engine;
use std::collections::BTreeMap;
use tieline_model::command::Open;
use tieline_model::{Code, Event, Refusal, ScheduleId, Timestamp};

impl Engine {
    pub(super) fn set_hours(&self, now: Timestamp, hours: &BTreeMap<ScheduleId, Vec<Open>>) -> Decision {
        for (schedule, stretches) in hours {
            let in_order = stretches.windows(2).all(|pair| pair[0].until <= pair[1].from);
            if !in_order || stretches.iter().any(|open| open.until <= open.from) {
                let message = "stretches of opening hours must be in order and must not overlap";
                return Err(Refusal::new(Code::Invalid, message).field(format!("hours.{schedule}")));
            }
        }
        if *hours == self.hours {
            return Ok(Vec::new());
        }
        let mut events = vec![Event::HoursSet { hours: hours.clone() }];
        events.extend(hours.iter().map(|(schedule, stretches)| turn(schedule, stretches, now)));
        Ok(events)
    }

    /// A schedule's moment has come.
    pub(crate) fn hours_turn(&self, now: Timestamp, schedule: &ScheduleId) -> Vec<Event> {
        let stretches = self.hours.get(schedule).map(Vec::as_slice).unwrap_or_default();
        vec![turn(schedule, stretches, now)]
    }

    pub(super) fn begin_day(&self, day: &str) -> Decision {
        let written = day.len() == 10
            && day
                .bytes()
                .enumerate()
                .all(|(at, b)| if matches!(at, 4 | 7) { b == b'-' } else { b.is_ascii_digit() });
        if !written {
            return Err(Refusal::new(Code::Invalid, "a day is written as 2026-02-28").field("day"));
        }
        // A clock that was put back does not begin an earlier day again.
        if day <= self.day.as_str() {
            return Ok(Vec::new());
        }
        Ok(vec![Event::DayBegan { day: day.to_owned() }])
    }
}

/// How a schedule stands at a moment, and when it turns next. Stretches that touch are one.
fn turn(schedule: &ScheduleId, stretches: &[Open], now: Timestamp) -> Event {
    let mut open = false;
    let mut next = None;
    for stretch in stretches.iter().filter(|stretch| stretch.until > now) {
        if next.is_none() && stretch.from > now {
            next = Some(stretch.from);
            break;
        }
        if next.is_some_and(|until| stretch.from > until) {
            break;
        }
        open = true;
        next = Some(stretch.until);
    }
    Event::HoursTurned { schedule: schedule.clone(), open, next }
}
