//! Opening hours (A12) and the day (G1).

use super::{Answer, Day, Figures, Naive};
use std::collections::BTreeMap;
use tieline_model::command::Open;
use tieline_model::{Code, Event, ScheduleId};

impl Naive {
    pub(super) fn set_hours(&mut self, hours: &BTreeMap<ScheduleId, Vec<Open>>) -> Answer {
        for stretches in hours.values() {
            let backwards = stretches.iter().any(|open| open.until <= open.from);
            let overlap = stretches.windows(2).any(|two| two[1].from < two[0].until);
            if backwards || overlap {
                return Err(Code::Invalid);
            }
        }
        if self.hours != *hours {
            self.hours.clone_from(hours);
            self.turned.retain(|(schedule, ..)| hours.contains_key(schedule));
            self.tell(Event::HoursSet { hours: hours.clone() });
            for schedule in hours.keys() {
                self.turn_schedule(schedule);
            }
        }
        Ok(())
    }

    /// Looks at the clock: open or closed now, and until when.
    pub(super) fn turn_schedule(&mut self, schedule: &ScheduleId) {
        let now = self.now;
        let stretches = &self.hours[schedule];
        let open = stretches.iter().any(|s| s.from <= now && now < s.until);
        let next = if open {
            // Stretches that touch are one: the first end at which no other begins.
            let begins = |at| stretches.iter().any(|s| s.from == at);
            stretches.iter().map(|s| s.until).filter(|end| *end > now && !begins(*end)).min()
        } else {
            stretches.iter().map(|s| s.from).filter(|from| *from > now).min()
        };
        self.turned.retain(|(id, ..)| id != schedule);
        self.turned.push((schedule.clone(), open, next));
        self.tell(Event::HoursTurned { schedule: schedule.clone(), open, next });
    }

    pub(super) fn begin_day(&mut self, day: &str) -> Answer {
        let mut parts = day.split('-').map(|part| (part.len(), part.bytes().all(|b| b.is_ascii_digit())));
        if !parts.by_ref().eq([(4, true), (2, true), (2, true)]) {
            return Err(Code::Invalid);
        }
        // An earlier day does not begin again.
        if day <= self.day.as_str() {
            return Ok(());
        }
        day.clone_into(&mut self.day);
        for agent in &mut self.agents {
            agent.today = Day::default();
        }
        for (_, figures) in &mut self.figures {
            let Figures { taken_at, pace, .. } = *figures;
            *figures = Figures { taken_at, pace, ..Figures::default() };
        }
        self.tell(Event::DayBegan { day: day.to_owned() });
        Ok(())
    }
}
