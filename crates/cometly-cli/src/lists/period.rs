//! The time that is asked for, by the clock of the Space. The API does not tell the Space's time zone, so a day that is
//! counted from today needs it named.

use std::env;

use cometly::{InvalidRequest, SpaceDate, SpaceTime};
use jiff::{Timestamp, ToSpan as _, tz::TimeZone};

use crate::{arguments::Period, failure::Failure};

const ZONE_VARIABLE: &str = "COMETLY_TIME_ZONE";
const EXPECTED: &str = "expected 2026-11-24, '2026-11-24 10:00', today, yesterday, or -7d for seven days ago";

/// From when to when, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) from: SpaceTime,
    pub(crate) to: SpaceTime,
    /// Whether both are whole days.
    is_days: bool,
}

/// What an option says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    Day(SpaceDate),
    Time(SpaceTime),
}

impl Span {
    /// The time that the command line names, if it does.
    pub(crate) fn of(period: &Period) -> Result<Option<Self>, Failure> {
        Self::read(period, Timestamp::now(), env::var(ZONE_VARIABLE).ok().filter(|zone| !zone.is_empty()))
    }

    /// As [`of`](Self::of), for what the API does not give without.
    pub(crate) fn required(period: &Period) -> Result<Self, Failure> {
        Self::of(period)?.ok_or_else(|| {
            Failure::usage("the time is missing").advise("give --on DAY, or --from and --to; see --help")
        })
    }

    fn read(period: &Period, now: Timestamp, variable: Option<String>) -> Result<Option<Self>, Failure> {
        let clock = Clock::new(period.time_zone.as_deref(), variable, now)?;
        let (from, to) = match (&period.on, &period.from, &period.to) {
            (Some(day), ..) => match clock.when("--on", day)? {
                When::Day(day) => (When::Day(day), When::Day(day)),
                When::Time(_) => {
                    return Err(Failure::usage("--on is a day: expected 2026-11-24, today, yesterday, or -7d")
                        .advise("a time is for --from and --to"));
                }
            },
            (None, Some(from), Some(to)) => (clock.when("--from", from)?, clock.when("--to", to)?),
            (None, Some(_), None) => return Err(one_side("--from", "--to")),
            (None, None, Some(_)) => return Err(one_side("--to", "--from")),
            (None, None, None) => return Ok(None),
        };
        let is_days = matches!((from, to), (When::Day(_), When::Day(_)));
        let start = match from {
            When::Day(day) => day.start(),
            When::Time(time) => time,
        };
        let end = match to {
            When::Day(day) => day.end(),
            When::Time(time) => time,
        };
        if start >= end {
            return Err(Failure::usage("--to is not after --from"));
        }
        Ok(Some(Self { from: start, to: end, is_days }))
    }

    /// Each day, for what is of whole days.
    pub(crate) fn days(&self, at_most: usize) -> Result<Vec<SpaceDate>, Failure> {
        if !self.is_days {
            return Err(Failure::usage("an export of events is of whole days: expected days for --from and --to"));
        }
        let mut days = Vec::new();
        let mut day = civil(self.from.day())?;
        let last = civil(self.to.day())?;
        while day <= last {
            if days.len() >= at_most {
                return Err(Failure::usage(format!("these are more than {at_most} days"))
                    .advise("export them in several files"));
            }
            days.push(SpaceDate::try_from(day).map_err(no_day)?);
            day = day.checked_add(1.day()).map_err(|_| Failure::usage(EXPECTED))?;
        }
        Ok(days)
    }
}

fn one_side(given: &str, missing: &str) -> Failure {
    Failure::usage(format!("{given} needs {missing} beside it")).advise("for one day give --on DAY")
}

fn no_day(_: InvalidRequest) -> Failure {
    Failure::usage(EXPECTED)
}

fn civil(day: SpaceDate) -> Result<jiff::civil::Date, Failure> {
    day.to_string().parse().map_err(|_| Failure::usage(EXPECTED))
}

struct Clock {
    zone: Option<TimeZone>,
    now: Timestamp,
}

impl Clock {
    /// An unknown zone in the environment is an error only if it is needed.
    fn new(named: Option<&str>, variable: Option<String>, now: Timestamp) -> Result<Self, Failure> {
        let zone = match (named, variable) {
            (Some(name), _) => Some(zone("--time-zone", name)?),
            (None, Some(name)) => zone(ZONE_VARIABLE, &name).ok(),
            (None, None) => None,
        };
        Ok(Self { zone, now })
    }

    fn when(&self, option: &str, text: &str) -> Result<When, Failure> {
        let days_ago = match text {
            "today" => Some(0),
            "yesterday" => Some(1),
            _ => text
                .strip_prefix('-')
                .and_then(|text| text.strip_suffix('d'))
                .and_then(|days| days.bytes().all(|byte| byte.is_ascii_digit()).then(|| days.parse::<u16>().ok())?),
        };
        if let Some(days) = days_ago {
            return self.days_ago(option, days).map(When::Day);
        }
        if let Ok(day) = text.parse::<SpaceDate>() {
            return Ok(When::Day(day));
        }
        let time = text.parse::<SpaceTime>().map(When::Time);
        time.map_err(|_| {
            let failure = Failure::usage(format!("{option} is no day and no time: {EXPECTED}"));
            if has_offset(text) {
                return failure.advise("leave the offset out: the API takes the time of the Space's clock");
            }
            failure
        })
    }

    fn days_ago(&self, option: &str, days: u16) -> Result<SpaceDate, Failure> {
        let Some(zone) = &self.zone else {
            return Err(Failure::usage(format!(
                "{option} is counted from today in the Space's time zone, which the API does not tell"
            ))
            .advise(format!("give --time-zone ZONE, as Europe/Berlin, or set {ZONE_VARIABLE}")));
        };
        let day = zone.to_datetime(self.now).date().checked_sub(i64::from(days).days());
        day.ok()
            .and_then(|day| SpaceDate::try_from(day).ok())
            .ok_or_else(|| Failure::usage(format!("{option}: {EXPECTED}")))
    }
}

/// Whether a text ends as a time with an offset does.
fn has_offset(text: &str) -> bool {
    let time = text.get(11..).unwrap_or_default();
    time.ends_with(['Z', 'z', ']']) || time.contains(['+', '-'])
}

fn zone(given: &str, name: &str) -> Result<TimeZone, Failure> {
    TimeZone::get(name).map_err(|_| {
        Failure::usage(format!("{given} names no time zone: expected a name of the IANA database, as Europe/Berlin"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// On 2026-03-30 at 00:30 in Berlin, where the clock was set forward the day before.
    const NOW: &str = "2026-03-29T22:30:00Z";

    fn read(from: &str, to: &str, zone: Option<&str>) -> Result<String, String> {
        let period = Period {
            from: Some(from.to_owned()),
            to: Some(to.to_owned()),
            on: None,
            time_zone: zone.map(str::to_owned),
        };
        let span = Span::read(&period, NOW.parse().unwrap(), None).map_err(|failure| failure.to_string())?.unwrap();
        Ok(format!("{} {}", span.from, span.to))
    }

    #[test]
    fn days_are_whole_and_times_are_as_they_are() {
        let berlin = Some("Europe/Berlin");
        for (from, to, zone, expected) in [
            ("2026-11-24", "2026-11-24", None, "2026-11-24 00:00:00 2026-11-24 23:59:59"),
            ("2026-11-24 10:00", "2026-11-24T12:30:01", None, "2026-11-24 10:00:00 2026-11-24 12:30:01"),
            ("2026-11-24 10:00", "2026-11-25", None, "2026-11-24 10:00:00 2026-11-25 23:59:59"),
            ("yesterday", "today", berlin, "2026-03-29 00:00:00 2026-03-30 23:59:59"),
            ("yesterday", "today", Some("America/New_York"), "2026-03-28 00:00:00 2026-03-29 23:59:59"),
            ("-7d", "-1d", berlin, "2026-03-23 00:00:00 2026-03-29 23:59:59"),
        ] {
            assert_eq!(read(from, to, zone).as_deref(), Ok(expected), "{from} {to}");
        }
    }

    #[test]
    fn what_is_no_time_is_told_by_its_option() {
        for (from, to, zone, words) in [
            ("yesterday", "2026-11-24", None, "--from is counted from today"),
            ("2026-11-24", "-7d", None, "--to is counted from today"),
            ("2026-11-24", "2026-11-24", Some("Berlin"), "--time-zone names no time zone"),
            ("2026-11-25", "2026-11-24", None, "--to is not after --from"),
            ("2026-11-31", "2026-12-01", None, "--from is no day and no time"),
            ("2026-11-24", "canary", None, "--to is no day and no time"),
            ("2026-11-24", "-7w", None, "--to is no day and no time"),
            ("2026-11-24", "-+7d", None, "--to is no day and no time"),
            ("2026-11-24T10:00:00Z", "2026-11-25", None, "leave the offset out"),
            ("2026-11-24", "2026-11-25T10:00:00+01:00", None, "leave the offset out"),
            ("2026-11-24", "-99999d", Some("UTC"), "--to is no day"),
            ("2026-11-24", "-65000d", Some("UTC"), "--to is not after"),
        ] {
            let failure = read(from, to, zone).unwrap_err();
            assert!(failure.contains(words) && !failure.contains("canary"), "{from} {to}: {failure}");
        }
    }

    #[test]
    fn one_day_is_its_whole_day_and_half_a_period_is_none() {
        let period = |on: Option<&str>, from: Option<&str>| Period {
            on: on.map(str::to_owned),
            from: from.map(str::to_owned),
            to: None,
            time_zone: None,
        };
        let read = |period: &Period| Span::read(period, NOW.parse().unwrap(), Some("Europe/Berlin".to_owned()));
        let span = read(&period(Some("yesterday"), None)).unwrap().unwrap();
        assert_eq!(format!("{} {}", span.from, span.to), "2026-03-29 00:00:00 2026-03-29 23:59:59");
        assert!(read(&period(Some("2026-11-24 10:00"), None)).unwrap_err().to_string().contains("--on is a day"));
        assert!(read(&period(None, Some("today"))).unwrap_err().to_string().contains("needs --to"));
        assert_eq!(read(&period(None, None)).unwrap(), None);
    }

    #[test]
    fn days_come_one_by_one_across_a_month() {
        let span = |from: &str, to: &str| {
            let period = Period { from: Some(from.to_owned()), to: Some(to.to_owned()), ..Period::default() };
            Span::read(&period, NOW.parse().unwrap(), None).unwrap().unwrap()
        };
        let days = span("2026-02-27", "2026-03-01").days(3).unwrap();
        assert_eq!(
            days.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["2026-02-27", "2026-02-28", "2026-03-01"]
        );
        assert!(span("2026-02-27", "2026-03-02").days(3).unwrap_err().to_string().contains("more than 3 days"));
        assert!(span("2026-02-27 10:00", "2026-03-02").days(3).is_err());
    }
}
