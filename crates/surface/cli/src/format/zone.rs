//! Local time, from the zone files of the system: what `CREATED AT` and events show.
//!
//! # Source
//! RFC 9636 (TZif), POSIX.1-2017 "TZ" for the rule in the footer; Go's time package for which file is read.

use std::path::Path;

/// The offset and the abbreviation that hold at some time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Local {
    pub(crate) offset_s: i64,
    pub(crate) name: String,
}

/// A time zone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Zone {
    /// When a period begins, and the index of what holds from then on.
    transitions: Vec<(i64, usize)>,
    periods: Vec<(Local, bool)>,
    /// The rule behind the last transition.
    rule: Option<Rule>,
}

impl Zone {
    /// Returns the zone of this system: TZ, or /etc/localtime; UTC if there is neither.
    pub(crate) fn local() -> Self {
        let path = match std::env::var("TZ") {
            Err(_) => "/etc/localtime".to_owned(),
            Ok(name) => match name.strip_prefix(':').unwrap_or(&name) {
                "" | "UTC" => return Self::default(),
                absolute if absolute.starts_with('/') => absolute.to_owned(),
                name if name.split('/').any(|part| part == "..") => return Self::default(),
                name => match Rule::parse(name) {
                    Some(rule) if !Path::new("/usr/share/zoneinfo").join(name).exists() => {
                        return Self { rule: Some(rule), ..Self::default() };
                    }
                    _ => format!("/usr/share/zoneinfo/{name}"),
                },
            },
        };
        std::fs::read(path).ok().and_then(|bytes| Self::parse(&bytes)).unwrap_or_default()
    }

    /// Reads a zone file.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let first = Header::parse(bytes)?;
        let (header, body, wide) = match first.version {
            0 => (first, &bytes[44..], 4),
            _ => {
                let second = bytes.get(44 + first.length(4)..)?;
                (Header::parse(second)?, &second[44..], 8)
            }
        };
        let mut zone = header.parse_body(body, wide)?;
        if wide == 8 {
            let footer = std::str::from_utf8(body.get(header.length(8)..)?).ok()?;
            zone.rule = Rule::parse(footer.trim_matches('\n'));
        }
        Some(zone)
    }

    /// Returns what holds at a time in seconds since 1970.
    pub(crate) fn at(&self, time_s: i64) -> Local {
        let index = self.transitions.partition_point(|(begin, _)| *begin <= time_s);
        if index == self.transitions.len()
            && let Some(rule) = &self.rule
        {
            return rule.at(time_s);
        }
        let before = index.checked_sub(1).and_then(|index| self.periods.get(self.transitions[index].1));
        let first = self.periods.iter().find(|(_, daylight)| !daylight).or(self.periods.first());
        match before.or(first) {
            Some((local, _)) => local.clone(),
            None => Local { offset_s: 0, name: "UTC".to_owned() },
        }
    }
}

struct Header {
    version: u8,
    counts: [usize; 6],
}

impl Header {
    fn parse(bytes: &[u8]) -> Option<Self> {
        if bytes.get(..4)? != b"TZif" {
            return None;
        }
        let mut counts = [0; 6];
        for (number, count) in counts.iter_mut().enumerate() {
            *count = usize::try_from(int(bytes.get(20 + number * 4..24 + number * 4)?)).ok()?;
            if *count > 1 << 16 {
                return None;
            }
        }
        Some(Self { version: bytes[4], counts })
    }

    /// Returns the number of bytes that follow the header.
    fn length(&self, wide: usize) -> usize {
        let [utc, standard, leaps, transitions, types, letters] = self.counts;
        transitions * (wide + 1) + types * 6 + letters + leaps * (wide + 4) + standard + utc
    }

    fn parse_body(&self, body: &[u8], wide: usize) -> Option<Zone> {
        let [_, _, _, transitions, types, letters] = self.counts;
        let times = body.get(..transitions * wide)?;
        let indexes = body.get(transitions * wide..transitions * (wide + 1))?;
        let rest = body.get(transitions * (wide + 1)..)?;
        let (records, names) = (rest.get(..types * 6)?, rest.get(types * 6..types * 6 + letters)?);
        let mut zone = Zone::default();
        for record in records.chunks_exact(6) {
            let name = names.get(usize::from(record[5])..)?;
            let name = &name[..name.iter().position(|byte| *byte == 0).unwrap_or(name.len())];
            let name = String::from_utf8_lossy(name).into_owned();
            zone.periods.push((Local { offset_s: int(&record[..4]), name }, record[4] != 0));
        }
        for (time, index) in times.chunks_exact(wide).zip(indexes) {
            if usize::from(*index) >= types {
                return None;
            }
            zone.transitions.push((int(time), usize::from(*index)));
        }
        Some(zone)
    }
}

/// Reads a signed big-endian number of four or eight bytes.
fn int(bytes: &[u8]) -> i64 {
    let sign = bytes.first().is_some_and(|byte| *byte & 0x80 != 0);
    bytes.iter().fold(if sign { -1 } else { 0 }, |value, byte| (value << 8) | i64::from(*byte))
}

/// `CET-1CEST,M3.5.0,M10.5.0/3`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    standard: Local,
    daylight: Option<(Local, Change, Change)>,
}

/// When the clock changes: seconds after local midnight of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Change {
    day: Day,
    second: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Day {
    /// Month, week (5 is the last), weekday (0 is Sunday).
    Week(i64, i64, i64),
    /// 1 to 365; 29 February is never counted.
    Julian(i64),
    /// 0 to 365.
    Zero(i64),
}

impl Rule {
    fn parse(text: &str) -> Option<Self> {
        let (name, rest) = parse_name(text)?;
        let (west, rest) = parse_clock(rest)?;
        let standard = Local { offset_s: -west, name };
        if rest.is_empty() {
            return Some(Self { standard, daylight: None });
        }
        let (name, rest) = parse_name(rest)?;
        let (offset_s, rest) = match parse_clock(rest) {
            Some((west, rest)) => (-west, rest),
            None => (standard.offset_s + 3600, rest),
        };
        let (start, rest) = parse_change(rest.strip_prefix(',')?)?;
        let (end, rest) = parse_change(rest.strip_prefix(',')?)?;
        rest.is_empty().then_some(Self { standard, daylight: Some((Local { offset_s, name }, start, end)) })
    }

    fn at(&self, time_s: i64) -> Local {
        let Some((daylight, start, end)) = &self.daylight else { return self.standard.clone() };
        let (year, _, _) = civil((time_s + self.standard.offset_s).div_euclid(86_400));
        let start = start.in_year(year) - self.standard.offset_s;
        let end = end.in_year(year) - daylight.offset_s;
        let summer = match start < end {
            true => (start..end).contains(&time_s),
            false => !(end..start).contains(&time_s),
        };
        if summer { daylight.clone() } else { self.standard.clone() }
    }
}

impl Change {
    /// Returns the local time of the change in seconds since 1970.
    fn in_year(self, year: i64) -> i64 {
        let first = days(year, 1, 1);
        let day = match self.day {
            Day::Zero(n) => first + n,
            Day::Julian(n) => {
                let leap = days(year + 1, 1, 1) - first == 366;
                first + n - 1 + i64::from(leap && n >= 60)
            }
            Day::Week(month, week, weekday) => {
                let begin = days(year, month, 1);
                let next = if month == 12 { days(year + 1, 1, 1) } else { days(year, month + 1, 1) };
                // 1970-01-01 was a Thursday.
                let mut day = begin + (weekday - (begin + 4)).rem_euclid(7) + (week - 1) * 7;
                while day >= next {
                    day -= 7;
                }
                day
            }
        };
        day * 86_400 + self.second
    }
}

fn parse_name(text: &str) -> Option<(String, &str)> {
    if let Some(quoted) = text.strip_prefix('<') {
        let (name, rest) = quoted.split_once('>')?;
        return Some((name.to_owned(), rest));
    }
    let end = text.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(text.len());
    (end >= 3).then(|| (text[..end].to_owned(), &text[end..]))
}

/// Reads `[+-]h[:m[:s]]` as seconds.
fn parse_clock(text: &str) -> Option<(i64, &str)> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'-' => (-1, &text[1..]),
        b'+' => (1, &text[1..]),
        _ => (1, text),
    };
    let end = digits.find(|c: char| !c.is_ascii_digit() && c != ':').unwrap_or(digits.len());
    let mut total = 0;
    for (part, unit) in digits[..end].split(':').zip([3600, 60, 1]) {
        total += part.parse::<i64>().ok()?.checked_mul(unit)?;
    }
    Some((sign * total, &digits[end..]))
}

fn parse_change(text: &str) -> Option<(Change, &str)> {
    let end = text.find(['/', ',']).unwrap_or(text.len());
    let (date, rest) = text.split_at(end);
    let day = match date.as_bytes().first()? {
        b'M' => {
            let mut parts = date[1..].split('.').map(|part| part.parse::<i64>().ok());
            let (month, week, weekday) = (parts.next()??, parts.next()??, parts.next()??);
            if !(1..=12).contains(&month) || !(1..=5).contains(&week) || !(0..=6).contains(&weekday) {
                return None;
            }
            Day::Week(month, week, weekday)
        }
        b'J' => Day::Julian(date[1..].parse().ok()?),
        _ => Day::Zero(date.parse().ok()?),
    };
    let (second, rest) = match rest.strip_prefix('/') {
        Some(clock) => parse_clock(clock)?,
        None => (7200, rest),
    };
    Some((Change { day, second }, rest))
}

/// Returns the number of days from 1970-01-01 to a date of the Gregorian calendar.
pub(crate) fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year - era * 400;
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// Returns year, month and day of a number of days since 1970-01-01.
pub(crate) fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day = days - era * 146_097;
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let month_of_year = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month_of_year <= 2), month_of_year, day_of_year - (153 * month + 2) / 5 + 1)
}

/// Returns a time as Go's `time.Time.String` prints it, without a fraction: `2006-01-02 15:04:05 -0700 MST`.
pub(crate) fn go_string(zone: &Zone, time_s: i64) -> String {
    let local = zone.at(time_s);
    let (date, clock) = date_and_clock(time_s + local.offset_s);
    let (sign, hours, minutes) = split_offset(local.offset_s);
    format!("{date} {clock} {sign}{hours:02}{minutes:02} {}", local.name)
}

fn date_and_clock(local_s: i64) -> (String, String) {
    let (year, month, day) = civil(local_s.div_euclid(86_400));
    let second = local_s.rem_euclid(86_400);
    let clock = format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60);
    (format!("{year:04}-{month:02}-{day:02}"), clock)
}

fn split_offset(offset_s: i64) -> (char, i64, i64) {
    let sign = if offset_s < 0 { '-' } else { '+' };
    (sign, offset_s.abs() / 3600, offset_s.abs() / 60 % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(text: &str) -> Zone {
        Zone { rule: Some(Rule::parse(text).expect(text)), ..Zone::default() }
    }

    #[test]
    fn utc_is_the_zone_of_a_system_without_one() {
        let zone = Zone::default();
        assert_eq!(go_string(&zone, 1_700_000_000), "2023-11-14 22:13:20 +0000 UTC");
    }

    #[test]
    fn rule_changes_the_clock_on_the_last_sunday() {
        let berlin = rule("CET-1CEST,M3.5.0,M10.5.0/3");
        let cases = [
            (1_711_846_799, "2024-03-31 01:59:59 +0100 CET"),
            (1_711_846_800, "2024-03-31 03:00:00 +0200 CEST"),
            (1_729_990_799, "2024-10-27 02:59:59 +0200 CEST"),
            (1_729_990_800, "2024-10-27 02:00:00 +0100 CET"),
        ];
        for (time, expected) in cases {
            assert_eq!(go_string(&berlin, time), expected);
        }
    }

    #[test]
    fn southern_summer_spans_the_new_year() {
        let sydney = rule("AEST-10AEDT,M10.1.0,M4.1.0/3");
        assert_eq!(go_string(&sydney, 1_704_067_200), "2024-01-01 11:00:00 +1100 AEDT");
        assert_eq!(go_string(&sydney, 1_719_792_000), "2024-07-01 10:00:00 +1000 AEST");
    }

    #[test]
    fn odd_offsets_and_quoted_names_are_read() {
        assert_eq!(go_string(&rule("<+0545>-5:45"), 0), "1970-01-01 05:45:00 +0545 +0545");
        assert_eq!(go_string(&rule("NST3:30"), 0), "1969-12-31 20:30:00 -0330 NST");
        for text in ["", "X", "CET", "CET-1CEST", "CET-1CEST,M13.1.0,M1.1.0"] {
            assert_eq!(Rule::parse(text), None, "{text}");
        }
    }

    #[test]
    fn zone_file_is_read() {
        // Version 2 with one transition at 1970-01-01 00:01:40 from AAA (UTC) to BBB (+01:00), and a footer.
        let header = |version: u8, counts: [u8; 6]| {
            let mut bytes = b"TZif".to_vec();
            bytes.push(version);
            bytes.extend([0; 15]);
            counts.iter().for_each(|count| bytes.extend([0, 0, 0, *count]));
            bytes
        };
        let mut file = header(b'2', [0; 6]);
        file.extend(header(b'2', [0, 0, 0, 1, 2, 8]));
        file.extend(100i64.to_be_bytes());
        file.push(1);
        file.extend([0, 0, 0, 0, 0, 0]);
        file.extend([0, 0, 0x0e, 0x10, 0, 4]);
        file.extend(b"AAA\0BBB\0\nCCC2\n");
        let zone = Zone::parse(&file).expect("a zone file");
        assert_eq!(zone.at(99), Local { offset_s: 0, name: "AAA".to_owned() });
        // Behind the last transition the footer's rule holds.
        assert_eq!(zone.at(100), Local { offset_s: -7200, name: "CCC".to_owned() });
        for length in 0..file.len() - 1 {
            let _ = Zone::parse(&file[..length]); // cut anywhere: no panic
        }
    }

    #[test]
    fn calendar_goes_both_ways() {
        for day in (-1_000_000..1_000_000).step_by(997) {
            let (year, month, date) = civil(day);
            assert_eq!(days(year, month, date), day);
        }
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(days(2000, 2, 29), 11_016);
    }
}
