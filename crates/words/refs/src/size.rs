//! Sizes in bytes: `64m`, `1.5GiB`; `1.99MB`.
//!
//! # Source
//! docker/go-units `size.go`.

use crate::Error;

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ByteSize(pub u64);

const DECIMAL: [&str; 9] = ["B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"];
const BINARY: [&str; 9] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"];

impl ByteSize {
    /// Reads a size whose units are powers of 1024: `64m`, `1.5 GiB`, `100`.
    ///
    /// # Errors
    /// `InvalidArgument` with Docker's text.
    pub fn parse_ram(text: &str) -> Result<Self, Error> {
        parse(text, 1024.0)
    }

    /// Reads a size whose units are powers of 1000, as disks have them.
    ///
    /// # Errors
    /// `InvalidArgument` with Docker's text.
    pub fn parse_decimal(text: &str) -> Result<Self, Error> {
        parse(text, 1000.0)
    }
}

fn parse(text: &str, base: f64) -> Result<ByteSize, Error> {
    let invalid = || Error::Size { text: text.into() };
    let last = text.rfind(|c: char| c.is_ascii_digit() || c == '.' || c == ' ').ok_or_else(invalid)?;
    let number = text[..=last].strip_suffix(' ').unwrap_or(&text[..=last]);
    let suffix = text[last + 1..].to_lowercase();
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let number: f64 =
        Some(number).filter(|_| is_number).and_then(|number| number.parse().ok()).ok_or_else(invalid)?;
    let bad_suffix = || Error::SizeSuffix { suffix: suffix.clone() };
    let exponent = match suffix.as_bytes() {
        [] | [b'b'] => 0,
        [unit] | [unit, b'b'] | [unit, b'i', b'b'] => {
            b"kmgtp".iter().position(|known| known == unit).ok_or_else(bad_suffix)? + 1
        }
        _ => return Err(bad_suffix()),
    };
    let bytes = number * base.powi(i32::try_from(exponent).expect("at most five"));
    if bytes >= i64::MAX as f64 {
        return Err(invalid());
    }
    Ok(ByteSize(bytes as u64))
}

/// Returns the size with decimal units and four significant digits: `1.234MB`.
pub fn human_size(bytes: f64) -> String {
    human_size_with_precision(bytes, 4)
}

/// Returns the size with decimal units and that many significant digits; images are shown with three.
pub fn human_size_with_precision(bytes: f64, digits: usize) -> String {
    with_unit(bytes, 1000.0, &DECIMAL, digits)
}

/// Returns the size with binary units and four significant digits: `1.234MiB`.
pub fn bytes_size(bytes: f64) -> String {
    with_unit(bytes, 1024.0, &BINARY, 4)
}

fn with_unit(mut size: f64, base: f64, units: &[&str], digits: usize) -> String {
    let mut unit = 0;
    while size >= base && unit + 1 < units.len() {
        size /= base;
        unit += 1;
    }
    format!("{}{}", general(size, digits), units[unit])
}

/// C's `%.{digits}g`.
fn general(value: f64, digits: usize) -> String {
    if value == 0.0 {
        return "0".into();
    }
    let scientific = format!("{value:.*e}", digits - 1);
    let (mantissa, exponent) = scientific.split_once('e').expect("the format has an exponent");
    let exponent: i32 = exponent.parse().expect("the exponent is a number");
    let trim = |text: &str| {
        if text.contains('.') {
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        } else {
            text.to_owned()
        }
    };
    if exponent < -4 || exponent >= i32::try_from(digits).unwrap_or(i32::MAX) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{}e{sign}{:02}", trim(mantissa), exponent.abs());
    }
    let places = usize::try_from(i32::try_from(digits).unwrap_or(i32::MAX) - 1 - exponent).unwrap_or(0);
    trim(&format!("{value:.places$}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_is_read_as_go_units_reads_it() {
        let cases = [
            ("32", 32),
            ("32b", 32),
            ("32k", 32 * 1024),
            ("32K", 32 * 1024),
            ("32kb", 32 * 1024),
            ("32KiB", 32 * 1024),
            ("32 Kb", 32 * 1024),
            ("32.5kB", 33_280),
            ("64m", 64 << 20),
            ("1g", 1 << 30),
            ("2T", 2 << 40),
            ("1p", 1 << 50),
            (".3kB", 307),
            ("0", 0),
        ];
        for (text, bytes) in cases {
            assert_eq!(ByteSize::parse_ram(text), Ok(ByteSize(bytes)), "{text}");
        }
        assert_eq!(ByteSize::parse_decimal("1.5GB"), Ok(ByteSize(1_500_000_000)));
    }

    #[test]
    fn size_refusals_have_go_units_texts() {
        let cases = [
            ("", "invalid size: ''"),
            ("hello", "invalid size: 'hello'"),
            ("-32", "invalid size: '-32'"),
            ("32  kb", "invalid size: '32  kb'"),
            ("1.2.3m", "invalid size: '1.2.3m'"),
            ("32mi", "invalid suffix: 'mi'"),
            ("32bb", "invalid suffix: 'bb'"),
            ("32 x", "invalid suffix: 'x'"),
            ("32MiBs", "invalid suffix: 'mibs'"),
            ("9000000p", "invalid size: '9000000p'"),
        ];
        for (text, error) in cases {
            assert_eq!(ByteSize::parse_ram(text).unwrap_err().to_string(), error);
        }
    }

    #[test]
    fn size_prints_as_go_units_prints_it() {
        let cases = [
            (0.0, "0B"),
            (1000.0, "1kB"),
            (1024.0, "1.024kB"),
            (1_000_000.0, "1MB"),
            (3_420_000.0, "3.42MB"),
            (5_372_366_521.0, "5.372GB"),
            (999_960.0, "1000kB"),
        ];
        for (bytes, text) in cases {
            assert_eq!(human_size(bytes), text);
        }
        assert_eq!(human_size_with_precision(4_261_574.0, 3), "4.26MB");
        assert_eq!(human_size_with_precision(999_600.0, 3), "1e+03kB");
        assert_eq!(bytes_size(1023.0), "1023B");
        assert_eq!(bytes_size(1_048_576.0), "1MiB");
        assert_eq!(bytes_size(314_572_800.0), "300MiB");
        assert_eq!(bytes_size(8_223_653_888.0), "7.659GiB");
    }
}
