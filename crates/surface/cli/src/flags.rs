//! Flags are data: name, short form, type, help. Parser, help and completion read the same table.
//!
//! The semantics are those of Go's pflag, on which Docker's command line stands: `--all=false`, `-it`, `-eA=b`, values that look
//! like flags, and commands whose flags end at the first argument.

mod help;
mod parse;
mod wrap;

pub(crate) use help::options_help;
pub(crate) use parse::{Matches, Mistake, Order, parse};

/// A check of a value: why it is not valid, in Docker's words.
pub(crate) type Check = fn(&str) -> Result<(), String>;

/// One flag.
#[derive(Clone, Copy)]
pub(crate) struct Flag {
    pub(crate) name: &'static str,
    pub(crate) short: Option<char>,
    pub(crate) value: Value,
    pub(crate) help: &'static str,
    /// The default as help shows it; empty for none.
    pub(crate) default: &'static str,
    /// Older names, understood and not shown.
    pub(crate) also: &'static [&'static str],
}

/// What a flag takes.
#[derive(Clone, Copy)]
pub(crate) enum Value {
    /// Nothing, or `=true`, `=false`.
    Switch,
    /// A value; the last one counts.
    One { kind: &'static str, check: Check },
    /// A value; all count.
    Many { kind: &'static str, check: Check },
}

/// A flag that Docker has and we do not: known, so that it can be refused by name.
#[derive(Clone, Copy)]
pub(crate) struct Missing {
    pub(crate) name: &'static str,
    pub(crate) short: Option<char>,
    /// What is not there yet, or never will be.
    pub(crate) why: &'static str,
}

impl Flag {
    /// A flag without a value.
    pub(crate) const fn switch(name: &'static str, help: &'static str) -> Self {
        Self { name, short: None, value: Value::Switch, help, default: "", also: &[] }
    }

    /// A flag with one value; `kind` is the word that help shows.
    pub(crate) const fn one(name: &'static str, kind: &'static str, help: &'static str) -> Self {
        Self { name, short: None, value: Value::One { kind, check: anything }, help, default: "", also: &[] }
    }

    /// A flag that may be given several times.
    pub(crate) const fn many(name: &'static str, kind: &'static str, help: &'static str) -> Self {
        Self { name, short: None, value: Value::Many { kind, check: anything }, help, default: "", also: &[] }
    }

    pub(crate) const fn short(mut self, short: char) -> Self {
        self.short = Some(short);
        self
    }

    pub(crate) const fn default(mut self, default: &'static str) -> Self {
        self.default = default;
        self
    }

    pub(crate) const fn also(mut self, names: &'static [&'static str]) -> Self {
        self.also = names;
        self
    }

    pub(crate) const fn check(mut self, check: Check) -> Self {
        self.value = match self.value {
            Value::Switch => Value::Switch,
            Value::One { kind, .. } => Value::One { kind, check },
            Value::Many { kind, .. } => Value::Many { kind, check },
        };
        self
    }

    /// Returns `-m, --memory`, as texts name the flag.
    pub(crate) fn shown(&self) -> String {
        match self.short {
            Some(short) => format!("-{short}, --{}", self.name),
            None => format!("--{}", self.name),
        }
    }
}

impl Missing {
    pub(crate) const fn new(name: &'static str, why: &'static str) -> Self {
        Self { name, short: None, why }
    }

    pub(crate) const fn short(mut self, short: char) -> Self {
        self.short = Some(short);
        self
    }
}

fn anything(_: &str) -> Result<(), String> {
    Ok(())
}

/// Reads a switch's value as Go's strconv.ParseBool does.
pub(crate) fn parse_bool(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(format!("strconv.ParseBool: parsing {}: invalid syntax", crate::quote::quote(text))),
    }
}

/// Reads a number as Go's strconv.ParseInt with base 0 does: decimal, 0x, 0o, 0b, a leading 0 for octal.
pub(crate) fn parse_int(text: &str) -> Result<i64, String> {
    let failed = |why: &str| Err(format!("strconv.ParseInt: parsing {}: {why}", crate::quote::quote(text)));
    let (negative, digits) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let lower = digits.to_ascii_lowercase();
    let (radix, digits) = match lower.get(..2) {
        Some("0x") => (16, &lower[2..]),
        Some("0o") => (8, &lower[2..]),
        Some("0b") => (2, &lower[2..]),
        _ if lower.len() > 1 && lower.starts_with('0') => (8, &lower[1..]),
        _ => (10, &lower[..]),
    };
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return failed("invalid syntax");
    }
    let signed = if negative { format!("-{digits}") } else { digits.to_owned() };
    i64::from_str_radix(&signed, radix).or_else(|_| failed("value out of range"))
}

/// A check for whole numbers.
pub(crate) fn int(text: &str) -> Result<(), String> {
    parse_int(text).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bool_takes_gos_spellings_only() {
        for (text, expected) in [("1", true), ("True", true), ("f", false), ("FALSE", false)] {
            assert_eq!(parse_bool(text), Ok(expected));
        }
        let error = "strconv.ParseBool: parsing \"yes\": invalid syntax";
        assert_eq!(parse_bool("yes"), Err(error.to_owned()));
    }

    #[test]
    fn int_takes_gos_bases() {
        for (text, expected) in
            [("10", 10), ("-1", -1), ("+7", 7), ("0x1F", 31), ("0755", 493), ("0b11", 3), ("0", 0)]
        {
            assert_eq!(parse_int(text), Ok(expected), "{text}");
        }
        for (text, why) in [
            ("", "invalid syntax"),
            ("x", "invalid syntax"),
            ("1_000x", "invalid syntax"),
            ("9223372036854775808", "value out of range"),
            ("--1", "invalid syntax"),
        ] {
            assert_eq!(parse_int(text), Err(format!("strconv.ParseInt: parsing \"{text}\": {why}")));
        }
    }
}
