//! Times in the records: RFC 3339 with nanoseconds, as Go's `RFC3339Nano` prints them.
//!
//! Here, and not taken from elsewhere, because a line is written for every line of a container's output.

/// Appends the UTC time `t_ns` (nanoseconds since 1970); zeros at the end of the fraction are left out.
pub(crate) fn format(out: &mut Vec<u8>, t_ns: i64) {
    let seconds = t_ns.div_euclid(1_000_000_000);
    let mut nanos = t_ns.rem_euclid(1_000_000_000);
    let (year, month, day) = civil(seconds.div_euclid(86_400));
    let second = seconds.rem_euclid(86_400);
    digits(out, year, 4);
    for (mark, value) in
        [(b'-', month), (b'-', day), (b'T', second / 3_600), (b':', second / 60 % 60), (b':', second % 60)]
    {
        out.push(mark);
        digits(out, value, 2);
    }
    if nanos != 0 {
        let mut width = 9;
        while nanos % 10 == 0 {
            nanos /= 10;
            width -= 1;
        }
        out.push(b'.');
        digits(out, nanos, width);
    }
    out.push(b'Z');
}

/// Returns the nanoseconds since 1970 of an RFC 3339 time; none if it is none.
pub(crate) fn parse(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let number = |from: usize, to: usize| -> Option<i64> {
        let part = bytes.get(from..to)?;
        part.iter().try_fold(0, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + i64::from(byte - b'0')))
    };
    let marked = |at: usize, marks: &[u8]| bytes.get(at).is_some_and(|byte| marks.contains(byte));
    if !(marked(4, b"-") && marked(7, b"-") && marked(10, b"Tt ") && marked(13, b":") && marked(16, b":")) {
        return None;
    }
    let days = days(number(0, 4)?, number(5, 7)?, number(8, 10)?)?;
    let seconds = number(11, 13)? * 3_600 + number(14, 16)? * 60 + number(17, 19)?;
    let mut at = 19;
    let mut nanos = 0;
    if marked(at, b".") {
        let count = bytes[at + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let kept = count.min(9);
        nanos = number(at + 1, at + 1 + kept)? * 10_i64.pow(9 - u32::try_from(kept).ok()?);
        at += 1 + count;
    }
    let offset = match bytes.get(at)? {
        b'Z' | b'z' if bytes.len() == at + 1 => 0,
        sign @ (b'+' | b'-') if bytes.len() == at + 6 && bytes[at + 3] == b':' => {
            let value = number(at + 1, at + 3)? * 3_600 + number(at + 4, at + 6)? * 60;
            if *sign == b'+' { value } else { -value }
        }
        _ => return None,
    };
    (days * 86_400 + seconds - offset).checked_mul(1_000_000_000)?.checked_add(nanos)
}

fn digits(out: &mut Vec<u8>, value: i64, width: usize) {
    let mut buffer = [b'0'; 20];
    let mut rest = value.unsigned_abs();
    let mut at = buffer.len();
    while rest > 0 {
        at -= 1;
        buffer[at] = b'0' + u8::try_from(rest % 10).expect("below ten");
        rest /= 10;
    }
    out.extend_from_slice(&buffer[at.min(buffer.len() - width)..]);
}

/// Year, month and day of a day counted from 1970-01-01, in the proleptic Gregorian calendar.
///
/// # Source
/// Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days.
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day_of_year - (153 * shifted_month + 2) / 5 + 1)
}

/// The inverse of [`civil`]; none for a month or day that cannot be.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let shifted_year = if month <= 2 { year - 1 } else { year };
    let era = shifted_year.div_euclid(400);
    let year_of_era = shifted_year.rem_euclid(400);
    let shifted_month = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * 146_097 + day_of_era - 719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn format_and_parse_agree() {
        let cases = [
            (0, "1970-01-01T00:00:00Z"),
            (1, "1970-01-01T00:00:00.000000001Z"),
            (-1, "1969-12-31T23:59:59.999999999Z"),
            (951_782_400_000_000_000, "2000-02-29T00:00:00Z"),
            (1_709_251_199_120_000_000, "2024-02-29T23:59:59.12Z"),
            (1_795_212_895_508_916_971, "2026-11-20T22:14:55.508916971Z"),
        ];
        for (t_ns, text) in cases {
            let mut out = Vec::new();
            format(&mut out, t_ns);
            assert_eq!((std::str::from_utf8(&out), parse(text)), (Ok(text), Some(t_ns)));
        }
    }

    #[test]
    fn parse_takes_offsets_and_refuses_what_is_no_time() {
        assert_eq!(parse("1970-01-01T02:00:00+02:00"), Some(0));
        assert_eq!(parse("1969-12-31T22:30:00-01:30"), Some(0));
        for text in ["", "1970-01-01", "1970-01-01T00:00:00", "1970-13-01T00:00:00Z", "197x-01-01T00:00:00Z"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
