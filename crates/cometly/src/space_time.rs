//! Days and times on the Space's wall clock.

use std::{fmt, ops::RangeInclusive, str::FromStr};

use crate::InvalidRequest;

/// A time on the wall clock of the Space: `2026-11-24 10:00:00`.
///
/// The API takes the times of queries in the Space's time zone, and tells that zone nowhere: the caller must know it.
///
/// A wall clock is set back and forward once a year in most zones. In the hour that comes twice a time names both of its
/// moments, and the hour that is left out has none; how the backend reads those two hours is not documented. A range that
/// begins and ends at midnight avoids them almost everywhere.
///
/// It is read with [`FromStr`] from a text as `2026-11-24 10:00:00`, `2026-11-24T10:00` or `20261124T100000`, or from a day
/// alone, which is its first second, 00:00:00; any other text fails with [`InvalidRequest`]. As the end of a range such a day
/// leaves out all of itself but that second; [`SpaceDate::end`] is its last one. Fractions of a second are cut. A text with an
/// offset or a zone is refused, since it names a moment: with the feature `jiff`, convert it by `SpaceTime::try_from(&zoned)`.
/// That takes what the clock of `zoned` shows, and does not check that its zone is the Space's.
///
/// ```
/// # use cometly::SpaceTime;
/// let time: SpaceTime = "2026-11-24T10:00".parse()?;
/// assert_eq!(time.to_string(), "2026-11-24 10:00:00");
/// assert!("2026-11-24T10:00:00Z".parse::<SpaceTime>().is_err());
/// # Ok::<(), cometly::InvalidRequest>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpaceTime {
    day: SpaceDate,
    hour: u8,
    minute: u8,
    second: u8,
}

/// A day on the calendar of the Space: `2026-11-24`.
///
/// It is read from text of that form with [`FromStr`], which fails with [`InvalidRequest`] for any other text, such as
/// `20261124` or a day with a time; with the feature `jiff` also from a `jiff::civil::Date`, and `SpaceDate::yesterday` gives
/// the day before now.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpaceDate {
    year: u16,
    month: u8,
    day: u8,
}

const TIME: &str = "expected a time of the Space's wall clock without an offset, as 2026-11-24 10:00:00";
const DATE: &str = "expected a day, as 2026-11-24";

impl SpaceDate {
    /// The day of this year (1 to 9999), month (1 to 12) and day of the month (from 1).
    ///
    /// # Errors
    /// [`InvalidRequest`] if there is no such day, as 2026-02-29, or the year is not 1 to 9999.
    pub fn new(year: u16, month: u8, day: u8) -> Result<Self, InvalidRequest> {
        let date = Self { year, month, day };
        let is_year = (1..=9999).contains(&year);
        if is_year && (1..=date.days_of_month()).contains(&day) {
            Ok(date)
        } else {
            Err(InvalidRequest::new("date", DATE))
        }
    }

    /// The year (1 to 9999), the month (1 to 12) and the day of the month (from 1).
    #[must_use]
    pub fn parts(&self) -> (u16, u8, u8) {
        (self.year, self.month, self.day)
    }

    /// 00:00:00 of this day on the Space's wall clock. It cannot fail: no time zone is asked, so a change of the clock is not
    /// seen.
    #[must_use]
    pub fn start(self) -> SpaceTime {
        SpaceTime { day: self, hour: 0, minute: 0, second: 0 }
    }

    /// The last second of the day on the Space's clock, 23:59:59.
    #[must_use]
    pub fn end(self) -> SpaceTime {
        SpaceTime { day: self, hour: 23, minute: 59, second: 59 }
    }

    fn days_of_month(self) -> u8 {
        let divides = |divisor| self.year.checked_rem(divisor) == Some(0);
        let is_leap = divides(4) && (!divides(100) || divides(400));
        match self.month {
            2 if is_leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => 0,
        }
    }

    /// Days since 1970-01-01, after Howard Hinnant's `days_from_civil`.
    pub(crate) fn days_since_1970(self) -> i64 {
        // The year begins in March, so that the leap day is its last one.
        let year = i64::from(self.year).saturating_sub(i64::from(self.month <= 2));
        let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
        let month = i64::from(self.month).saturating_add(9).rem_euclid(12);
        let day_of_year =
            month.saturating_mul(153).saturating_add(2).div_euclid(5).saturating_add(self.day.into()).saturating_sub(1);
        let leap_days = year_of_era.div_euclid(4).saturating_sub(year_of_era.div_euclid(100));
        let day_of_era = year_of_era.saturating_mul(365).saturating_add(leap_days).saturating_add(day_of_year);
        era.saturating_mul(146_097).saturating_add(day_of_era).saturating_sub(719_468)
    }
}

impl SpaceTime {
    /// The time on a day: hour 0 to 23, minute and second 0 to 59.
    ///
    /// # Errors
    /// [`InvalidRequest`] for any other number.
    pub fn new(day: SpaceDate, hour: u8, minute: u8, second: u8) -> Result<Self, InvalidRequest> {
        if hour < 24 && minute < 60 && second < 60 {
            Ok(Self { day, hour, minute, second })
        } else {
            Err(InvalidRequest::new("time", TIME))
        }
    }

    /// The day of this time, on the Space's calendar.
    #[must_use]
    pub fn day(&self) -> SpaceDate {
        self.day
    }

    /// The hour (0 to 23), the minute and the second (0 to 59), on the Space's clock.
    #[must_use]
    pub fn time(&self) -> (u8, u8, u8) {
        (self.hour, self.minute, self.second)
    }

    /// Seconds since 1970 if the wall clock shows UTC.
    pub(crate) fn seconds_since_1970(self) -> i64 {
        let hours = self.day.days_since_1970().saturating_mul(24).saturating_add(self.hour.into());
        let minutes = hours.saturating_mul(60).saturating_add(self.minute.into());
        minutes.saturating_mul(60).saturating_add(self.second.into())
    }
}

impl From<SpaceDate> for SpaceTime {
    /// The first second of the day.
    fn from(day: SpaceDate) -> Self {
        day.start()
    }
}

impl FromStr for SpaceTime {
    type Err = InvalidRequest;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match Written::read(text) {
            Some(Written { time, offset: None, .. }) => Ok(time),
            _ => Err(InvalidRequest::new("time", TIME)),
        }
    }
}

impl FromStr for SpaceDate {
    type Err = InvalidRequest;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match Written::read(text) {
            Some(Written { time, has_time: false, .. }) => Ok(time.day),
            _ => Err(InvalidRequest::new("date", DATE)),
        }
    }
}

/// What a time in ISO 8601 says: `2026-11-24[T10:00[:00[.5]][Z|±01[:]00]]`, or in the basic form `20261124T100000[Z|±0100]`.
pub(crate) struct Written {
    pub(crate) time: SpaceTime,
    /// In seconds, east of UTC.
    pub(crate) offset: Option<i64>,
    has_time: bool,
}

impl Written {
    pub(crate) fn read(text: &str) -> Option<Self> {
        let mut rest = Rest(text.as_bytes());
        let year = rest.number(4)?;
        let is_extended = rest.take(b"-");
        let month = rest.number(2)?;
        if is_extended && !rest.take(b"-") {
            return None;
        }
        let day = SpaceDate::new(year, month.try_into().ok()?, rest.number(2)?.try_into().ok()?).ok()?;
        if rest.0.is_empty() && is_extended {
            return Some(Self { time: day.start(), offset: None, has_time: false });
        }
        if !rest.take(if is_extended { b"Tt " } else { b"Tt" }) {
            return None;
        }
        let time = rest.time(day, is_extended)?;
        let offset = if rest.0.is_empty() { None } else { Some(rest.offset()?) };
        rest.0.is_empty().then_some(Self { time, offset, has_time: true })
    }
}

struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    /// Exactly this many digits, at most four.
    fn number(&mut self, digits: usize) -> Option<u16> {
        let (number, rest) = self.0.split_at_checked(digits)?;
        self.0 = rest;
        number.iter().try_fold(0_u16, |sum, byte| {
            let digit = byte.is_ascii_digit().then(|| byte.wrapping_sub(b'0'))?;
            sum.checked_mul(10)?.checked_add(digit.into())
        })
    }

    /// One of these characters.
    fn take(&mut self, any: &[u8]) -> bool {
        match self.0.split_first() {
            Some((first, rest)) if any.contains(first) => {
                self.0 = rest;
                true
            }
            _ => false,
        }
    }

    fn part(&mut self, range: RangeInclusive<u16>) -> Option<u8> {
        self.number(2).filter(|part| range.contains(part))?.try_into().ok()
    }

    fn time(&mut self, day: SpaceDate, is_extended: bool) -> Option<SpaceTime> {
        let hour = self.part(0..=23)?;
        if is_extended && !self.take(b":") {
            return None;
        }
        let minute = self.part(0..=59)?;
        let second = if !is_extended || self.take(b":") { self.part(0..=59)? } else { 0 };
        if is_extended && self.take(b".") {
            let digits = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
            self.0 = self.0.get(digits..)?;
            if !(1..=9).contains(&digits) {
                return None;
            }
        }
        Some(SpaceTime { day, hour, minute, second })
    }

    /// `Z`, `±01:00`, `±0100` or `±01`.
    fn offset(&mut self) -> Option<i64> {
        if self.take(b"Zz") {
            return Some(0);
        }
        let is_west = self.0.starts_with(b"-");
        if !self.take(b"+-") {
            return None;
        }
        let hours = i64::from(self.part(0..=23)?);
        let minutes = if self.take(b":") || !self.0.is_empty() { i64::from(self.part(0..=59)?) } else { 0 };
        let seconds = hours.saturating_mul(60).saturating_add(minutes).saturating_mul(60);
        Some(if is_west { seconds.saturating_neg() } else { seconds })
    }
}

impl fmt::Display for SpaceDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

impl fmt::Display for SpaceTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:02}:{:02}:{:02}", self.day, self.hour, self.minute, self.second)
    }
}

impl fmt::Debug for SpaceDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for SpaceTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

macro_rules! from_text {
    ($($type:ty),+) => {
        $(
            impl TryFrom<&str> for $type {
                type Error = InvalidRequest;

                fn try_from(text: &str) -> Result<Self, Self::Error> {
                    text.parse()
                }
            }

            impl TryFrom<String> for $type {
                type Error = InvalidRequest;

                fn try_from(text: String) -> Result<Self, Self::Error> {
                    text.parse()
                }
            }

            impl serde::Serialize for $type {
                fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    serializer.collect_str(self)
                }
            }
        )+
    };
}
from_text!(SpaceTime, SpaceDate);

#[cfg(feature = "jiff")]
#[cfg_attr(docsrs, doc(cfg(feature = "jiff")))]
mod from_jiff {
    use jiff::{Timestamp, ToSpan as _, ZonedDateTime, civil, tz::TimeZone};

    use super::{DATE, SpaceDate, SpaceTime, TIME};
    use crate::InvalidRequest;

    impl SpaceDate {
        /// The calendar day before the one on which `now` falls in the Space's `zone`, also if a clock change makes that day 23
        /// or 25 hours long.
        ///
        /// # Errors
        /// [`InvalidRequest`] if that day is not within the years 1 to 9999.
        pub fn yesterday(now: Timestamp, zone: &TimeZone) -> Result<Self, InvalidRequest> {
            let day = zone.to_datetime(now).date().checked_sub(1.day());
            day.map_err(|_| InvalidRequest::new("date", DATE))?.try_into()
        }
    }

    impl TryFrom<civil::Date> for SpaceDate {
        type Error = InvalidRequest;

        fn try_from(date: civil::Date) -> Result<Self, Self::Error> {
            let unsigned = |part: i8| part.unsigned_abs();
            let year = u16::try_from(date.year()).map_err(|_| InvalidRequest::new("date", DATE))?;
            Self::new(year, unsigned(date.month()), unsigned(date.day()))
        }
    }

    impl TryFrom<civil::DateTime> for SpaceTime {
        type Error = InvalidRequest;

        /// The time that `time` shows; fractions of a second are cut. Fails with [`InvalidRequest`] before the year 1.
        fn try_from(time: civil::DateTime) -> Result<Self, Self::Error> {
            let day = SpaceDate::try_from(time.date()).map_err(|_| InvalidRequest::new("time", TIME))?;
            let unsigned = |part: i8| part.unsigned_abs();
            Self::new(day, unsigned(time.hour()), unsigned(time.minute()), unsigned(time.second()))
        }
    }

    impl TryFrom<&ZonedDateTime> for SpaceTime {
        type Error = InvalidRequest;

        /// The time that the clock of `zoned` shows. Its zone must be the Space's, which is not checked; fractions of a second
        /// are cut. Fails with [`InvalidRequest`] before the year 1.
        fn try_from(zoned: &ZonedDateTime) -> Result<Self, Self::Error> {
            zoned.datetime().try_into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wall_clock_is_read_in_its_forms() {
        for (text, shown) in [
            ("2026-11-24", "2026-11-24 00:00:00"),
            ("2026-11-24 10:05", "2026-11-24 10:05:00"),
            ("2026-11-24T10:05:06", "2026-11-24 10:05:06"),
            ("2024-02-29t23:59:59.999", "2024-02-29 23:59:59"),
            ("20261124T100506", "2026-11-24 10:05:06"),
        ] {
            assert_eq!(text.parse::<SpaceTime>().unwrap().to_string(), shown, "{text}");
        }
        for text in [
            "",
            "2026",
            "20261124",
            "2026-11-24T10:00Z",
            "2026-11-24T10:00+01",
            "2026-02-29",
            "0000-01-01",
            "2026-11-24 ",
            "2026-11-24T25:00",
        ] {
            let error = text.parse::<SpaceTime>().unwrap_err();
            assert!(error.rule().contains("without an offset"), "{text}");
        }
        assert!("2026-11-24 10:00".parse::<SpaceDate>().is_err());
        assert_eq!("2026-11-24".parse::<SpaceDate>().unwrap().end().to_string(), "2026-11-24 23:59:59");
    }

    #[test]
    fn times_are_ordered_and_counted_from_1970() {
        let seconds = |text: &str| text.parse::<SpaceTime>().unwrap().seconds_since_1970();
        for (text, expected) in [
            ("1970-01-01", 0),
            ("1969-12-31 23:59:59", -1),
            ("2000-02-29", 951_782_400),
            ("2000-03-01", 951_868_800),
            ("2026-11-24 10:00:00", 1_795_514_400),
            ("9999-12-31 23:59:59", 253_402_300_799),
            ("0001-01-01", -62_135_596_800),
        ] {
            assert_eq!(seconds(text), expected, "{text}");
        }
        let time = |text: &str| text.parse::<SpaceTime>().unwrap();
        assert!(time("2026-11-24 23:59:59") < time("2026-11-25") && time("2025-12-31") < time("2026-01-01"));
    }

    #[cfg(feature = "jiff")]
    #[test]
    fn jiff_gives_the_wall_clock_of_the_spaces_zone() {
        use jiff::{Timestamp, tz::TimeZone};
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        let now: Timestamp = "2026-11-24T22:30:00Z".parse().unwrap();
        assert_eq!(SpaceDate::yesterday(now, &zone).unwrap().to_string(), "2026-11-24");
        assert_eq!(SpaceTime::try_from(&now.to_zoned_datetime(zone)).unwrap().to_string(), "2026-11-25 00:30:00");
        assert!(SpaceDate::try_from(jiff::civil::date(-1, 1, 1)).is_err());
    }
}
