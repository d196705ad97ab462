//! Numbers as Go's strconv reads and prints them.

use crate::value::Value;

/// Reads a number of a template: decimal, `0x`, `0o`, `0b`, leading-zero octal, `_` between digits, or a decimal float.
pub(crate) fn parse_number(text: &str) -> Option<Value> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let lower = digits.to_ascii_lowercase();
    let prefixed =
        [("0x", 16), ("0o", 8), ("0b", 2)].into_iter().find(|(prefix, _)| lower.starts_with(prefix));
    if let Some((_, radix)) = prefixed {
        return whole(&lower[2..], radix, negative);
    }
    if lower.contains(['.', 'e']) {
        let plain = lower.replace('_', "");
        let value: f64 = plain.parse().ok()?;
        return value.is_finite().then_some(Value::Float(if negative { -value } else { value }));
    }
    let radix = if lower.len() > 1 && lower.starts_with('0') { 8 } else { 10 };
    whole(&lower, radix, negative)
}

fn whole(digits: &str, radix: u32, negative: bool) -> Option<Value> {
    let value = i128::from_str_radix(&digits.replace('_', ""), radix).ok()?;
    i64::try_from(if negative { -value } else { value }).ok().map(Value::Int)
}

/// Go's `strconv.FormatFloat(value, 'e', precision, 64)`; no precision means as many digits as needed.
pub(crate) fn scientific(value: f64, precision: Option<usize>) -> String {
    if let Some(text) = special(value) {
        return text;
    }
    let text = match precision {
        Some(precision) => format!("{value:.precision$e}"),
        None => format!("{value:e}"),
    };
    let (mantissa, exponent) = text.split_once('e').expect("the format has an exponent");
    let exponent: i32 = exponent.parse().expect("the exponent is a number");
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}

/// Go's `strconv.FormatFloat(value, 'f', precision, 64)`.
pub(crate) fn fixed(value: f64, precision: Option<usize>) -> String {
    special(value).unwrap_or_else(|| match precision {
        Some(precision) => format!("{value:.precision$}"),
        None => format!("{value}"),
    })
}

/// Go's `strconv.FormatFloat(value, 'g', precision, 64)`.
pub(crate) fn general(value: f64, precision: Option<usize>) -> String {
    if let Some(text) = special(value) {
        return text;
    }
    let text = match precision {
        Some(precision) => format!("{value:.*e}", precision.max(1) - 1),
        None => format!("{value:e}"),
    };
    let (mantissa, exponent) = text.split_once('e').expect("the format has an exponent");
    let exponent: i32 = exponent.parse().expect("the exponent is a number");
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    let mut digits = mantissa.replace('.', "");
    digits.truncate(digits.trim_end_matches('0').len().max(1));
    let significant = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    let limit = match precision {
        None => 6,
        Some(precision) => {
            let precision = i32::try_from(precision.max(1)).unwrap_or(i32::MAX);
            if precision > significant && significant > exponent { significant } else { precision }
        }
    };
    if exponent < -4 || exponent >= limit {
        let (first, rest) = digits.split_at(1);
        let point = if rest.is_empty() { "" } else { "." };
        let exponent_sign = if exponent < 0 { '-' } else { '+' };
        return format!("{sign}{first}{point}{rest}e{exponent_sign}{:02}", exponent.abs());
    }
    format!("{sign}{}", place_point(&digits, exponent))
}

/// Puts the point after `exponent + 1` digits.
fn place_point(digits: &str, exponent: i32) -> String {
    if exponent < 0 {
        let zeros = usize::try_from(-exponent - 1).expect("the exponent is negative");
        return format!("0.{}{digits}", "0".repeat(zeros));
    }
    let before = usize::try_from(exponent).expect("not negative") + 1;
    if digits.len() <= before {
        return format!("{digits}{}", "0".repeat(before - digits.len()));
    }
    format!("{}.{}", &digits[..before], &digits[before..])
}

fn special(value: f64) -> Option<String> {
    if value.is_nan() {
        return Some("NaN".into());
    }
    value.is_infinite().then(|| if value < 0.0 { "-Inf".into() } else { "+Inf".into() })
}
