//! Moments: nanoseconds since 1970, RFC 3339, and what `since` and `until` take.

use crate::{Error, parse_duration};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A moment: nanoseconds since 1970-01-01 UTC, from the year 1678 to 2261. Serialised as that number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

const NANOS: i64 = 1_000_000_000;

/// How Go prints `time.Time{}`: Docker's text for "never".
const GO_ZERO: &str = "0001-01-01T00:00:00Z";

impl Timestamp {
    /// Returns the moment of these seconds and nanoseconds; none outside of the range.
    pub fn from_unix(seconds: i64, nanos: u32) -> Option<Self> {
        seconds.checked_mul(NANOS)?.checked_add(i64::from(nanos)).map(Self)
    }

    /// Returns the whole seconds since 1970, rounded down.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(NANOS)
    }

    /// Returns the nanoseconds within the second, 0 to 999 999 999.
    pub const fn subsec_nanos(self) -> i64 {
        self.0.rem_euclid(NANOS)
    }

    /// Returns the nanoseconds since 1970.
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// Returns how long before `later` it was; zero if it was after.
    pub fn until(self, later: Self) -> Duration {
        Duration::from_nanos(u64::try_from(later.0.saturating_sub(self.0)).unwrap_or(0))
    }

    /// Returns the moment `duration` later, at most the last one.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)))
    }

    /// Returns it as Go's `RFC3339Nano` in UTC: trailing zeros of the fraction are left out.
    pub fn rfc3339(self) -> String {
        let mut text = self.date_and_time();
        let nanos = self.subsec_nanos();
        if nanos != 0 {
            let digits = format!("{nanos:09}");
            text.push('.');
            text.push_str(digits.trim_end_matches('0'));
        }
        text.push('Z');
        text
    }

    /// Returns it in RFC 3339 with nine digits of the fraction always, as log lines have it.
    pub fn rfc3339_fixed(self) -> String {
        format!("{}.{:09}Z", self.date_and_time(), self.subsec_nanos())
    }

    /// Returns [`Timestamp::rfc3339`], or Go's year 1 for none.
    pub fn go_or_zero(moment: Option<Self>) -> String {
        moment.map_or_else(|| GO_ZERO.into(), Self::rfc3339)
    }

    /// Returns it as Docker prints event times: `2026-01-02T03:04:05.000000006+01:00` in a zone that is
    /// `offset_seconds` east of Greenwich (`Z` is not used, as Go's `RFC3339NanoFixed` prints `Z` only for zero).
    pub fn rfc3339_fixed_at(self, offset_seconds: i64) -> String {
        if offset_seconds == 0 {
            return self.rfc3339_fixed();
        }
        let local = Self(self.0.saturating_add(offset_seconds.saturating_mul(NANOS)));
        let sign = if offset_seconds < 0 { '-' } else { '+' };
        let minutes = offset_seconds.unsigned_abs() / 60;
        format!(
            "{}.{:09}{sign}{:02}:{:02}",
            local.date_and_time(),
            local.subsec_nanos(),
            minutes / 60,
            minutes % 60
        )
    }

    fn date_and_time(self) -> String {
        let (year, month, day) = civil_from_days(self.seconds().div_euclid(86_400));
        let second = self.seconds().rem_euclid(86_400);
        format!(
            "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}",
            second / 3600,
            second / 60 % 60,
            second % 60
        )
    }

    /// Reads RFC 3339 with any number of digits in the fraction (more than nine are cut off).
    ///
    /// # Errors
    /// `InvalidArgument` for another form, and for years that nanoseconds cannot express.
    pub fn parse_rfc3339(text: &str) -> Result<Self, Error> {
        parse_go_layout(text, None).ok_or_else(|| Error::Time { text: text.into() })
    }

    /// Reads `seconds[.fraction]` since 1970, the form in which clients send `since` and `until`.
    ///
    /// # Errors
    /// `InvalidArgument` for another form.
    ///
    /// # Source
    /// moby `api/types/time.ParseTimestamps`.
    pub fn parse_unix(text: &str) -> Result<Self, Error> {
        let error = || Error::Moment { text: text.into() };
        let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
        let whole: i64 = seconds.parse().map_err(|_| error())?;
        if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(error());
        }
        let nanos = fraction_nanos(fraction).ok_or_else(error)?;
        Self::from_unix(whole, nanos).ok_or_else(error)
    }

    /// Reads what users give to `--since` and `--until`: a Go duration before `now`, RFC 3339 also without zone, seconds,
    /// minutes or time of day (then in the zone `offset_seconds` east of Greenwich), or seconds since 1970.
    ///
    /// # Errors
    /// `InvalidArgument` with Docker's text.
    ///
    /// # Source
    /// moby `api/types/time.GetTimestamp`.
    pub fn parse_moment(text: &str, now: Self, offset_seconds: i64) -> Result<Self, Error> {
        if text != "0"
            && let Ok(nanos) = parse_duration(text)
        {
            let moment = Self(now.0.saturating_sub(nanos));
            return Ok(Self(moment.seconds() * NANOS));
        }
        match parse_go_layout(text, Some(offset_seconds)) {
            Some(moment) => Ok(moment),
            None if text.contains('-') => Err(Error::Moment { text: text.into() }),
            None => Self::parse_unix(text),
        }
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.rfc3339())
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.rfc3339_fixed())
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        let nanos = |duration: Duration| i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX);
        match time.duration_since(UNIX_EPOCH) {
            Ok(after) => Self(nanos(after)),
            Err(before) => Self(-nanos(before.duration())),
        }
    }
}

/// Reads `YYYY-MM-DD[THH[:MM[:SS[.fraction]]]][Z|±HH:MM]`; all parts are required if `local_offset` is none.
fn parse_go_layout(text: &str, local_offset: Option<i64>) -> Option<Timestamp> {
    let mut scan = Scanner { rest: text };
    let (year, month, day) = (scan.digits(4)?, scan.after('-', 2)?, scan.after('-', 2)?);
    let (mut hour, mut minute, mut second, mut nanos) = (0, 0, 0, 0);
    let strict = local_offset.is_none();
    if scan.take('T') || (strict && scan.take('t')) {
        hour = scan.digits(2)?;
        if strict || scan.rest.starts_with(':') {
            minute = scan.after(':', 2)?;
            if strict || scan.rest.starts_with(':') {
                second = scan.after(':', 2)?;
                if scan.take('.') {
                    nanos = scan.fraction()?;
                }
            }
        }
    } else if strict {
        return None;
    }
    let offset = scan.zone().or(if scan.rest.is_empty() { local_offset } else { None })?;
    if !scan.rest.is_empty() || hour > 23 || minute > 59 || second > 59 || !is_date(year, month, day) {
        return None;
    }
    let days = days_from_civil(year, month, day);
    Timestamp::from_unix(days * 86_400 + hour * 3600 + minute * 60 + second - offset, nanos)
}

struct Scanner<'a> {
    rest: &'a str,
}

impl Scanner<'_> {
    fn take(&mut self, wanted: char) -> bool {
        let Some(rest) = self.rest.strip_prefix(wanted) else { return false };
        self.rest = rest;
        true
    }

    fn digits(&mut self, count: usize) -> Option<i64> {
        let digits = self.rest.get(..count).filter(|part| part.bytes().all(|byte| byte.is_ascii_digit()))?;
        self.rest = &self.rest[count..];
        digits.parse().ok()
    }

    fn after(&mut self, separator: char, count: usize) -> Option<i64> {
        self.take(separator).then(|| self.digits(count)).flatten()
    }

    fn fraction(&mut self) -> Option<u32> {
        let end = self.rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.rest.len());
        let (digits, rest) = self.rest.split_at(end);
        self.rest = rest;
        (!digits.is_empty()).then(|| fraction_nanos(digits)).flatten()
    }

    /// Seconds east of Greenwich; none if no zone follows.
    fn zone(&mut self) -> Option<i64> {
        if self.take('Z') || self.take('z') {
            return Some(0);
        }
        let sign = if self.rest.starts_with('-') { -1 } else { 1 };
        if !self.take('-') && !self.take('+') {
            return None;
        }
        let (hours, minutes) = (self.digits(2)?, self.after(':', 2)?);
        (hours <= 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
    }
}

fn fraction_nanos(digits: &str) -> Option<u32> {
    let digits = digits.get(..9).unwrap_or(digits);
    if digits.is_empty() {
        return Some(0);
    }
    let number: u32 = digits.parse().ok()?;
    Some(number * 10_u32.pow(9 - u32::try_from(digits.len()).ok()?))
}

fn is_date(year: i64, month: i64, day: i64) -> bool {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return false,
    };
    (1..=days).contains(&day)
}

/// Days since 1970-01-01 in the Gregorian calendar: years begin in March, so that a leap day is the last one.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, month, day_of_year - (153 * month_from_march + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOMENT: Timestamp = Timestamp(1_795_212_895_508_916_971);

    #[test]
    fn timestamp_prints_as_go_does() {
        let cases = [
            (MOMENT, "2026-11-20T22:14:55.508916971Z", "2026-11-20T22:14:55.508916971Z"),
            (Timestamp(0), "1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000000000Z"),
            (Timestamp(1_500_000_000), "1970-01-01T00:00:01.5Z", "1970-01-01T00:00:01.500000000Z"),
            (Timestamp(-1), "1969-12-31T23:59:59.999999999Z", "1969-12-31T23:59:59.999999999Z"),
            (Timestamp(951_782_400 * NANOS), "2000-02-29T00:00:00Z", "2000-02-29T00:00:00.000000000Z"),
        ];
        for (moment, short, fixed) in cases {
            assert_eq!((moment.rfc3339().as_str(), moment.rfc3339_fixed().as_str()), (short, fixed));
            assert_eq!(Timestamp::parse_rfc3339(fixed), Ok(moment));
        }
        assert_eq!(Timestamp::go_or_zero(None), "0001-01-01T00:00:00Z");
        assert_eq!(Timestamp(1).rfc3339_fixed_at(-12_600), "1969-12-31T20:30:00.000000001-03:30");
    }

    #[test]
    fn timestamp_days_survive_the_round_trip() {
        for days in (-106_000..106_000).step_by(13) {
            let (year, month, day) = civil_from_days(days);
            assert!(is_date(year, month, day), "{year}-{month}-{day}");
            assert_eq!(days_from_civil(year, month, day), days);
        }
    }

    #[test]
    fn timestamp_with_zone_is_converted() {
        assert_eq!(Timestamp::parse_rfc3339("1970-01-01T01:30:00.25+01:30"), Ok(Timestamp(250_000_000)));
        assert_eq!(Timestamp::parse_rfc3339("1969-12-31T23:00:00-01:00"), Ok(Timestamp(0)));
    }

    #[test]
    fn timestamp_of_wrong_form_is_refused() {
        for text in [
            "",
            "2026",
            "2026-02-29T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:00:00",
            "0001-01-01T00:00:00Z",
            "2026-01-01T00:00:00Zx",
        ] {
            assert_eq!(Timestamp::parse_rfc3339(text), Err(Error::Time { text: text.into() }), "{text}");
        }
    }

    #[test]
    fn moment_takes_all_of_dockers_forms() {
        let cases = [
            ("10m", 1_795_212_295 * NANOS),
            ("1.5s", 1_795_212_894 * NANOS),
            ("1136073845", 1_136_073_845 * NANOS),
            ("1136073845.000000001", 1_136_073_845 * NANOS + 1),
            ("0", 0),
            ("2006-01-02T15:04:05Z", 1_136_214_245 * NANOS),
            ("2006-01-02T15:04:05.5Z", 1_136_214_245 * NANOS + 500_000_000),
            ("2006-01-02T15:04:05", 1_136_210_645 * NANOS),
            ("2006-01-02T15:04", 1_136_210_640 * NANOS),
            ("2006-01-02T15", 1_136_210_400 * NANOS),
            ("2006-01-02", 1_136_156_400 * NANOS),
            ("2006-01-02Z", 1_136_160_000 * NANOS),
            ("2006-01-02+02:00", 1_136_152_800 * NANOS),
        ];
        for (text, nanos) in cases {
            assert_eq!(Timestamp::parse_moment(text, MOMENT, 3600), Ok(Timestamp(nanos)), "{text}");
        }
        for text in ["", "abc", "2006-01-32", "12.x", "1-2"] {
            assert_eq!(
                Timestamp::parse_moment(text, MOMENT, 0),
                Err(Error::Moment { text: text.into() }),
                "{text}"
            );
        }
    }
}
