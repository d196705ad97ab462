//! Syslog's forms. Pure.
//!
//! # Source
//! RackSec/srslog formatter.go, as Docker uses it; RFC 3164, RFC 5424.

use crate::{Error, Message, Origin};
use refs::Timestamp;

/// How a line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// As `syslog(3)` does: without the host.
    Unix,
    Rfc3164,
    Rfc5424,
    /// RFC 5424 with microseconds.
    Rfc5424Micro,
}

impl Format {
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        match text {
            "" => Ok(Self::Unix),
            "rfc3164" => Ok(Self::Rfc3164),
            "rfc5424" => Ok(Self::Rfc5424),
            "rfc5424micro" => Ok(Self::Rfc5424Micro),
            _ => Err(Error::Invalid("Invalid syslog format".to_owned())),
        }
    }
}

const FACILITIES: [&str; 20] = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp",
    "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
];

/// Reads a facility by name or number; empty stands for `daemon`.
pub(crate) fn facility(text: &str) -> Result<u8, Error> {
    if text.is_empty() {
        return Ok(3);
    }
    let position = FACILITIES.iter().position(|name| *name == text);
    let code = match position {
        // Between ftp (11) and local0 (16) are those of other systems.
        Some(index @ 12..) => u8::try_from(index + 4).ok(),
        Some(index) => u8::try_from(index).ok(),
        None => text.parse::<u8>().ok().filter(|code| *code <= 23),
    };
    code.ok_or_else(|| Error::Invalid("invalid syslog facility".to_owned()))
}

/// Returns one line with its line end.
pub(crate) fn line(format: Format, facility: u8, pid: u32, origin: &Origin, message: &Message<'_>) -> String {
    let priority = u32::from(facility) * 8 + if message.is_error { 3 } else { 6 };
    let Origin { host, tag, .. } = origin;
    let text = message.line;
    match format {
        Format::Unix => format!("<{priority}>{} {tag}[{pid}]: {text}\n", stamp(message.t_ns)),
        Format::Rfc3164 => format!("<{priority}>{} {host} {tag}[{pid}]: {text}\n", stamp(message.t_ns)),
        Format::Rfc5424 | Format::Rfc5424Micro => {
            let time = Timestamp(message.t_ns).rfc3339_fixed();
            let (seconds, _) = time.split_once('.').unwrap_or((&time, ""));
            let time = match format {
                Format::Rfc5424Micro => {
                    format!("{seconds}.{:06}Z", message.t_ns.rem_euclid(1_000_000_000) / 1000)
                }
                _ => format!("{seconds}Z"),
            };
            format!("<{priority}>1 {time} {host} {tag} {pid} {tag} - {text}\n")
        }
    }
}

/// Returns `Nov 20 22:14:55`.
fn stamp(t_ns: i64) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let text = Timestamp(t_ns).rfc3339_fixed(); // 2026-11-20T22:14:55.508916971Z
    let month = text.get(5..7).and_then(|month| month.parse::<usize>().ok()).unwrap_or(1);
    let day = text.get(8..10).and_then(|day| day.parse::<u8>().ok()).unwrap_or(1);
    let month = MONTHS.get(month.wrapping_sub(1)).copied().unwrap_or("Jan");
    format!("{month} {day:>2} {}", text.get(11..19).unwrap_or("00:00:00"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_the_forms_of_their_rfcs() {
        let message =
            Message { is_error: false, t_ns: 1_795_213_650_646_292_123, line: "hi there", is_partial: false };
        let write = |format| line(format, 3, 7, &crate::example(), &message);
        assert_eq!(write(Format::Unix), "<30>Nov 20 22:27:30 web/1[7]: hi there\n");
        assert_eq!(write(Format::Rfc3164), "<30>Nov 20 22:27:30 box web/1[7]: hi there\n");
        assert_eq!(write(Format::Rfc5424), "<30>1 2026-11-20T22:27:30Z box web/1 7 web/1 - hi there\n");
        assert_eq!(
            line(Format::Rfc5424Micro, 16, 7, &crate::example(), &Message { is_error: true, ..message }),
            "<131>1 2026-11-20T22:27:30.646292Z box web/1 7 web/1 - hi there\n"
        );
        assert_eq!(stamp(0), "Jan  1 00:00:00");
    }

    #[test]
    fn facilities_are_names_or_numbers() {
        let code = |text| facility(text).ok();
        assert_eq!(
            (code(""), code("kern"), code("ftp"), code("local0"), code("local7")),
            (Some(3), Some(0), Some(11), Some(16), Some(23))
        );
        assert_eq!((code("23"), code("24"), code("foo")), (Some(23), None, None));
    }
}
