//! Opening hours, laid out in UTC.

use super::*;
use jiff::civil::DateTime;
use tieline_model::Timestamp;
use tieline_model::command::Open;

/// A moment as ISO 8601 has it (`2026-03-29T00:30Z`).
fn utc(text: &str) -> Timestamp {
    Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
}

fn shown(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.0).unwrap().strftime("%Y-%m-%dT%H:%MZ").to_string()
}

fn tenant(text: &str) -> Tenant {
    load_text(text, none()).unwrap().tenants[&"acme".parse().unwrap()].clone()
}

/// The stretches of one schedule that meet the three days from `day` on in UTC, as text.
fn open(zone: &str, schedule: &str, day: &str) -> Vec<String> {
    let text = format!("[tenants.acme]\ntime_zone = \"{zone}\"\n[tenants.acme.schedules.office]\n{schedule}");
    let from = utc(&format!("{day}T00:00Z"));
    let until = Timestamp(from.0 + 3 * 86_400_000);
    let hours = tenant(&text).open_hours(from);
    let stretches = &hours[&"office".parse().unwrap()];
    let meet = stretches.iter().filter(|open| open.until > from && open.from < until);
    meet.map(|open| format!("{} {}", shown(open.from), shown(open.until))).collect()
}

const EVERY_DAY: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

fn daily(stretches: &str) -> String {
    EVERY_DAY.map(|day| format!("{day} = {stretches}\n")).concat()
}

// proves A12
#[test]
fn a_day_has_several_stretches_and_the_summer_moves_them() {
    let split = daily("[\"13:00-17:30\", \"09:00-12:30\"]");
    // The last Sunday of March: from 02:00 to 03:00.
    assert_eq!(
        open("Europe/Berlin", &split, "2026-03-28"),
        [
            "2026-03-28T08:00Z 2026-03-28T11:30Z",
            "2026-03-28T12:00Z 2026-03-28T16:30Z",
            "2026-03-29T07:00Z 2026-03-29T10:30Z",
            "2026-03-29T11:00Z 2026-03-29T15:30Z",
            "2026-03-30T07:00Z 2026-03-30T10:30Z",
            "2026-03-30T11:00Z 2026-03-30T15:30Z",
        ]
    );
    // The first Sunday of November, in the United States.
    assert_eq!(
        open("America/New_York", &daily("[\"09:00-17:00\"]"), "2026-10-31"),
        [
            "2026-10-31T13:00Z 2026-10-31T21:00Z",
            "2026-11-01T14:00Z 2026-11-01T22:00Z",
            "2026-11-02T14:00Z 2026-11-02T22:00Z",
        ]
    );
}

// proves A12
#[test]
fn the_hour_that_is_skipped_is_read_as_calendars_read_it() {
    let berlin = |stretch: &str| open("Europe/Berlin", &format!("sunday = [\"{stretch}\"]"), "2026-03-28");
    // 02:30 does not exist; it is as long after the switch as it would have been.
    assert_eq!(berlin("02:30-06:00"), ["2026-03-29T01:30Z 2026-03-29T04:00Z"]);
    assert_eq!(berlin("01:00-02:30"), ["2026-03-29T00:00Z 2026-03-29T01:30Z"]);
    assert_eq!(berlin("01:00-04:00"), ["2026-03-29T00:00Z 2026-03-29T02:00Z"]);
    assert_eq!(berlin("02:00-03:00"), Vec::<String>::new(), "the hour does not happen");
    let new_york =
        |stretch: &str| open("America/New_York", &format!("sunday = [\"{stretch}\"]"), "2026-03-07");
    assert_eq!(new_york("02:30-06:00"), ["2026-03-08T07:30Z 2026-03-08T10:00Z"]);
    assert_eq!(new_york("01:00-04:00"), ["2026-03-08T06:00Z 2026-03-08T08:00Z"]);
}

// proves A12
#[test]
fn of_the_hour_that_comes_twice_the_first_counts() {
    let berlin = |stretch: &str| open("Europe/Berlin", &format!("sunday = [\"{stretch}\"]"), "2026-10-24");
    assert_eq!(berlin("02:30-06:00"), ["2026-10-25T00:30Z 2026-10-25T05:00Z"]);
    assert_eq!(berlin("01:00-02:30"), ["2026-10-24T23:00Z 2026-10-25T00:30Z"]);
    assert_eq!(berlin("00:00-24:00"), ["2026-10-24T22:00Z 2026-10-25T23:00Z"], "this day has 25 hours");
    let new_york =
        |stretch: &str| open("America/New_York", &format!("sunday = [\"{stretch}\"]"), "2026-10-31");
    assert_eq!(new_york("01:30-06:00"), ["2026-11-01T05:30Z 2026-11-01T11:00Z"]);
    assert_eq!(new_york("00:00-01:30"), ["2026-11-01T04:00Z 2026-11-01T05:30Z"]);
}

// proves A12
#[test]
fn a_stretch_over_midnight_belongs_to_the_day_on_which_it_begins() {
    // A Friday; the night before a switch is as long as the clock on the wall says.
    assert_eq!(
        open("Europe/Berlin", "friday = [\"22:00-02:00\"]\nsaturday = [\"22:00-04:00\"]", "2026-03-27"),
        ["2026-03-27T21:00Z 2026-03-28T01:00Z", "2026-03-28T21:00Z 2026-03-29T02:00Z"]
    );
    let around = open("Europe/Berlin", &daily("[\"22:00-06:00\", \"06:00-12:00\"]"), "2026-06-02");
    assert_eq!(around[1], "2026-06-02T20:00Z 2026-06-03T10:00Z", "stretches that meet are one");
    // What began yesterday is open today.
    let early = open("UTC", "monday = [\"22:00-02:00\"]", "2026-06-02");
    assert_eq!(early, ["2026-06-01T22:00Z 2026-06-02T02:00Z"]);
}

// proves A12
#[test]
fn holidays_have_hours_of_their_own_or_none() {
    let text = format!(
        "{}[tenants.acme.schedules.office.holidays]\n2026-12-24 = [\"09:00-12:00\"]\n2026-12-25 = []",
        daily("[\"20:00-01:00\"]")
    );
    assert_eq!(
        open("UTC", &text, "2026-12-23"),
        // What began on the 23rd goes on, the 24th has its own hours, the 25th none.
        [
            "2026-12-22T20:00Z 2026-12-23T01:00Z",
            "2026-12-23T20:00Z 2026-12-24T01:00Z",
            "2026-12-24T09:00Z 2026-12-24T12:00Z",
        ]
    );
}

// proves A12
#[test]
fn zones_with_half_and_quarter_hours_are_kept() {
    assert_eq!(
        open("Asia/Kolkata", "monday = [\"09:00-17:00\"]", "2026-06-01"),
        ["2026-06-01T03:30Z 2026-06-01T11:30Z"]
    );
    assert_eq!(
        open("Asia/Kathmandu", "monday = [\"09:00-17:00\"]", "2026-06-01"),
        ["2026-06-01T03:15Z 2026-06-01T11:15Z"]
    );
    // Half an hour of summer time: 02:00 becomes 02:30 on the first Sunday of October.
    assert_eq!(
        open("Australia/Lord_Howe", "sunday = [\"01:00-09:00\"]", "2026-10-03"),
        ["2026-10-03T14:30Z 2026-10-03T22:00Z"]
    );
}

#[test]
fn a_schedule_may_be_in_a_zone_of_its_own() {
    let own = "time_zone = \"America/New_York\"\nmonday = [\"09:00-17:00\"]";
    assert_eq!(open("Europe/Berlin", own, "2026-06-01"), ["2026-06-01T13:00Z 2026-06-01T21:00Z"]);
}

/// What the engine asks of stretches, for many zones, over both switches of a year.
// proves A12
#[test]
fn stretches_are_in_order_apart_and_the_same_all_day_long() {
    let text = daily("[\"00:30-02:30\", \"02:30-05:00\", \"12:00-12:01\", \"23:00-00:45\"]");
    for zone in ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "Asia/Kathmandu"]
    {
        let text = format!("[tenants.acme]\ntime_zone = \"{zone}\"\n[tenants.acme.schedules.office]\n{text}");
        let tenant = tenant(&text);
        // Through both switches of the year, in steps that meet every weekday.
        for day in (0..365).step_by(5) {
            let (_, midnight) = tenant.day(Timestamp(utc("2026-01-01T12:00Z").0 + day * 86_400_000));
            let hours = tenant.open_hours(midnight);
            let stretches: &[Open] = &hours[&"office".parse().unwrap()];
            assert!(stretches.len() > 100, "{zone} {}", stretches.len());
            assert!(stretches.iter().all(|open| open.from < open.until), "{zone}");
            assert!(stretches.windows(2).all(|pair| pair[0].until < pair[1].from), "{zone}");
            let (_, next) = tenant.day(midnight);
            assert_eq!(hours, tenant.open_hours(Timestamp(next.0 - 1)), "{zone} {}", shown(midnight));
            assert_ne!(hours, tenant.open_hours(next), "{zone} {}", shown(midnight));
        }
    }
}

// proves G1
#[test]
fn the_day_begins_at_the_first_moment_of_the_date_in_the_centres_zone() {
    let day = |zone: &str, at: &str| {
        let (day, next) = tenant(&format!("[tenants.acme]\ntime_zone = \"{zone}\"")).day(utc(at));
        format!("{day} {}", shown(next))
    };
    assert_eq!(day("UTC", "2026-02-28T23:59Z"), "2026-02-28 2026-03-01T00:00Z");
    assert_eq!(day("Europe/Berlin", "2026-02-28T23:30Z"), "2026-03-01 2026-03-01T23:00Z");
    assert_eq!(day("America/New_York", "2026-03-08T04:59Z"), "2026-03-07 2026-03-08T05:00Z");
    // In Egypt summer time begins at midnight: that day's first moment is 01:00.
    assert_eq!(day("Africa/Cairo", "2026-04-23T12:00Z"), "2026-04-23 2026-04-23T22:00Z");
}

#[test]
fn what_is_no_part_of_a_day_and_no_date_is_told_how_to_write_it() {
    for bad in [
        "9:00-17:00",
        "09:00",
        "00:00-00:00",
        "09:00-25:00",
        "24:00-02:00",
        "09:60-10:00",
        "09:00-09:00",
        "nine-ten",
        "",
    ] {
        let text = format!("[tenants.acme.schedules.office]\nmonday = [{bad:?}]");
        let said = load_text(&text, none()).unwrap_err().to_string();
        assert!(said.contains("office.monday") && said.contains("\"09:00-12:30\""), "{bad}: {said}");
    }
    for bad in ["2026-02-29", "25.12.2026", "20261225", "2026-12-25T00:00"] {
        let text = format!("[tenants.acme.schedules.office.holidays]\n{bad:?} = []");
        let said = load_text(&text, none()).unwrap_err().to_string();
        assert!(said.contains("\"2026-12-25\""), "{bad}: {said}");
    }
    for good in ["09:00-12:30", "00:00-24:00", "22:00-02:00", "22:00-00:00"] {
        let stretch: Stretch = good.parse().unwrap();
        assert_eq!(stretch.to_string().replace("24:00", "00:00"), good.replace("24:00", "00:00"));
    }
}

#[test]
fn what_is_wrong_with_a_schedule_is_named() {
    let text = r#"
        [tenants.acme.schedules.office]
        time_zone = "Mars/Olympus"
        monday = ["09:00-12:30", "12:00-17:00"]
        [tenants.acme.schedules.office.holidays]
        2026-12-24 = ["22:00-02:00", "23:00-23:30"]
        [tenants.acme.schedules.never]
        sunday = []
    "#;
    let said = load_text(text, none()).unwrap_err().to_string();
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 4, "{said}");
    assert!(lines[0].starts_with("`tenants.acme.schedules.never` is never open"), "{said}");
    assert!(lines[1].starts_with("`tenants.acme.schedules.office.time_zone` is \"Mars/Olympus\""), "{said}");
    assert!(
        lines[2]
            .starts_with("`tenants.acme.schedules.office.monday` has \"09:00-12:30\" and \"12:00-17:00\""),
        "{said}"
    );
    assert!(lines[3].contains("holidays.2026-12-24` has \"22:00-02:00\" and \"23:00-23:30\""), "{said}");
}

/// The machine's own zone files and variables are not looked at.
#[test]
fn the_rules_of_zones_come_with_the_program() {
    let here: DateTime = "2026-07-01T12:00".parse().unwrap();
    let berlin = jiff::tz::TimeZone::get("Europe/Berlin").unwrap();
    assert_eq!(berlin.to_timestamp(here).unwrap().to_string(), "2026-07-01T10:00:00Z");
    let manifest = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
    let line = manifest.lines().find(|line| line.starts_with("jiff = ")).unwrap();
    assert!(line.contains("default-features = false") && !line.contains("zoneinfo"), "{line}");
}
