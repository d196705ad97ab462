//! Signals by name and number.

use crate::Error;
use std::fmt;
use std::str::FromStr;

/// A signal of Linux: its number, 1 to 64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signal(i32);

/// The numbers of x86 and Arm, which are also those of RISC-V.
const NAMES: [(&str, i32); 35] = [
    ("ABRT", 6),
    ("ALRM", 14),
    ("BUS", 7),
    ("CHLD", 17),
    ("CLD", 17),
    ("CONT", 18),
    ("FPE", 8),
    ("HUP", 1),
    ("ILL", 4),
    ("INT", 2),
    ("IO", 29),
    ("IOT", 6),
    ("KILL", 9),
    ("PIPE", 13),
    ("POLL", 29),
    ("PROF", 27),
    ("PWR", 30),
    ("QUIT", 3),
    ("SEGV", 11),
    ("STKFLT", 16),
    ("STOP", 19),
    ("SYS", 31),
    ("TERM", 15),
    ("TRAP", 5),
    ("TSTP", 20),
    ("TTIN", 21),
    ("TTOU", 22),
    ("URG", 23),
    ("USR1", 10),
    ("USR2", 12),
    ("VTALRM", 26),
    ("WINCH", 28),
    ("XCPU", 24),
    ("XFSZ", 25),
    ("UNUSED", 31),
];

const RTMIN: i32 = 34;
const RTMAX: i32 = 64;

impl Signal {
    /// SIGHUP.
    pub const HUP: Self = Self(1);
    /// SIGINT.
    pub const INT: Self = Self(2);
    /// SIGQUIT.
    pub const QUIT: Self = Self(3);
    /// SIGKILL.
    pub const KILL: Self = Self(9);
    /// SIGTERM.
    pub const TERM: Self = Self(15);

    /// Reads `KILL`, `SIGKILL`, `sigkill`, `9`, `RTMIN+3`, `RTMAX-1`.
    ///
    /// # Errors
    /// `InvalidArgument` with Docker's text.
    ///
    /// # Source
    /// moby/sys `signal.ParseSignal`.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let invalid = || Error::Signal { text: text.into() };
        if let Ok(number) = text.parse::<i64>() {
            if number == 0 {
                return Err(invalid());
            }
            return i32::try_from(number)
                .ok()
                .and_then(Self::from_number)
                .ok_or(Error::SignalNumber { number });
        }
        let upper = text.to_uppercase();
        let name = upper.strip_prefix("SIG").unwrap_or(&upper);
        let known = NAMES.iter().find(|(known, _)| *known == name).map(|(_, number)| *number);
        known.or_else(|| realtime(name)).and_then(Self::from_number).ok_or_else(invalid)
    }

    /// Returns the signal of this number, if Linux has it.
    pub fn from_number(number: i32) -> Option<Self> {
        (1..=RTMAX).contains(&number).then_some(Self(number))
    }

    /// Returns the number.
    pub const fn number(self) -> i32 {
        self.0
    }

    /// Returns the name with `SIG`, or the number for those without a name.
    pub fn name(self) -> String {
        match NAMES.iter().find(|(_, number)| *number == self.0) {
            Some((name, _)) => format!("SIG{name}"),
            None if self.0 == RTMIN => "SIGRTMIN".into(),
            None if self.0 > RTMIN => format!("SIGRTMIN+{}", self.0 - RTMIN),
            None => self.0.to_string(),
        }
    }
}

fn realtime(name: &str) -> Option<i32> {
    let number = match name.strip_prefix("RTMIN") {
        Some("") => RTMIN,
        Some(rest) => RTMIN + rest.strip_prefix('+')?.parse::<u8>().map(i32::from).ok()?,
        None => match name.strip_prefix("RTMAX")? {
            "" => RTMAX,
            rest => RTMAX - rest.strip_prefix('-')?.parse::<u8>().map(i32::from).ok()?,
        },
    };
    (RTMIN..=RTMAX).contains(&number).then_some(number)
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

impl FromStr for Signal {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signal_is_read_by_name_and_number() {
        let cases = [
            ("KILL", 9),
            ("SIGKILL", 9),
            ("sigterm", 15),
            ("9", 9),
            ("64", 64),
            ("RTMIN", 34),
            ("SIGRTMIN+3", 37),
            ("rtmax-1", 63),
        ];
        for (text, number) in cases {
            assert_eq!(Signal::parse(text).map(Signal::number), Ok(number), "{text}");
        }
    }

    #[test]
    fn signal_refusals_have_dockers_texts() {
        let cases = [
            ("0", "invalid signal: 0"),
            ("", "invalid signal: "),
            ("NOPE", "invalid signal: NOPE"),
            ("RTMIN+99", "invalid signal: RTMIN+99"),
            ("65", "The linux daemon does not support signal 65"),
            ("-1", "The linux daemon does not support signal -1"),
        ];
        for (text, error) in cases {
            assert_eq!(Signal::parse(text).unwrap_err().to_string(), error);
        }
    }

    #[test]
    fn signal_has_its_usual_name() {
        assert_eq!(
            [Signal(6), Signal(17), Signal(29), Signal(31), Signal(37)].map(Signal::name),
            ["SIGABRT", "SIGCHLD", "SIGIO", "SIGSYS", "SIGRTMIN+3"]
        );
    }
}
