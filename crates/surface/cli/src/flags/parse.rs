//! The command line against a table of flags.

use super::{Flag, Missing, Value, parse_bool, parse_int};
use crate::quote::{quote, quote_char};
use crate::suggest;

/// Flags and arguments that were given.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Matches {
    given: Vec<(&'static str, String)>,
    /// What is not a flag.
    pub(crate) args: Vec<String>,
}

/// Why a command line could not be understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Mistake {
    /// `--help` was given.
    Help,
    /// `-h` was given where it stands for nothing else.
    ShortHelp,
    /// Something is wrong with a flag.
    Flag { text: String, hint: Option<String> },
}

impl Mistake {
    fn flag(text: String) -> Self {
        Self::Flag { text, hint: None }
    }
}

impl Matches {
    /// Returns whether the flag was given at all.
    pub(crate) fn given(&self, name: &str) -> bool {
        self.given.iter().any(|(given, _)| *given == name)
    }

    /// Returns a switch's value; off if it was not given.
    pub(crate) fn on(&self, name: &str) -> bool {
        self.last(name).is_some_and(|value| parse_bool(value) == Ok(true))
    }

    /// Returns a switch's value, on if it was not given.
    pub(crate) fn on_by_default(&self, name: &str) -> bool {
        !self.given(name) || self.on(name)
    }

    /// Returns the last value, if any was given.
    pub(crate) fn last(&self, name: &str) -> Option<&str> {
        self.given.iter().rev().find(|(given, _)| *given == name).map(|(_, value)| value.as_str())
    }

    /// Returns the last value; empty if none was given.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.last(name).unwrap_or_default()
    }

    /// Returns the last value as a number. The flag's check must be [`super::int`].
    pub(crate) fn int(&self, name: &str) -> Option<i64> {
        self.last(name).and_then(|value| parse_int(value).ok())
    }

    /// Returns all values in their order.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        self.given.iter().filter(|(given, _)| *given == name).map(|(_, value)| value.as_str()).collect()
    }

    /// Returns the first argument; empty if there is none.
    pub(crate) fn first(&self) -> &str {
        self.args.first().map_or("", String::as_str)
    }
}

/// Where flags end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// Flags and arguments may be mixed.
    Mixed,
    /// The first argument ends the flags.
    FlagsFirst,
}

/// Reads a command line.
pub(crate) fn parse(
    flags: &'static [Flag],
    missing: &[Missing],
    order: Order,
    words: &[String],
) -> Result<Matches, Mistake> {
    let mut parser = Parser { flags, missing, words: words.iter(), found: Matches::default() };
    while let Some(word) = parser.words.next() {
        match word.strip_prefix('-') {
            None | Some("") => {
                parser.found.args.push(word.clone());
                if order == Order::FlagsFirst {
                    parser.rest();
                }
            }
            Some("-") => parser.rest(),
            Some(name) => match name.strip_prefix('-') {
                Some(long) => parser.long(long)?,
                None => parser.cluster(name)?,
            },
        }
    }
    Ok(parser.found)
}

struct Parser<'a> {
    flags: &'static [Flag],
    missing: &'a [Missing],
    words: std::slice::Iter<'a, String>,
    found: Matches,
}

impl Parser<'_> {
    fn rest(&mut self) {
        self.found.args.extend(self.words.by_ref().cloned());
    }

    fn long(&mut self, word: &str) -> Result<(), Mistake> {
        if word.starts_with(['-', '=']) {
            return Err(Mistake::flag(format!("bad flag syntax: --{word}")));
        }
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (word, None),
        };
        let Some(flag) = self.flags.iter().find(|flag| flag.name == name || flag.also.contains(&name)) else {
            return Err(self.unknown_long(name));
        };
        let value = match (value, flag.value) {
            (Some(value), _) => value.to_owned(),
            (None, Value::Switch) => "true".to_owned(),
            (None, _) => match self.words.next() {
                Some(value) => value.clone(),
                None => return Err(Mistake::flag(format!("flag needs an argument: --{name}"))),
            },
        };
        self.set(flag, value)
    }

    /// Reads `-it`, `-eA=b`, `-e=A=b`.
    fn cluster(&mut self, letters: &str) -> Result<(), Mistake> {
        let mut rest = letters;
        while let Some(letter) = rest.chars().next() {
            let after = &rest[letter.len_utf8()..];
            let Some(flag) = self.flags.iter().find(|flag| flag.short == Some(letter)) else {
                return Err(self.unknown_short(letter, rest));
            };
            if let Some(value) = after.strip_prefix('=')
                && !value.is_empty()
            {
                return self.set(flag, value.to_owned());
            }
            if let Value::Switch = flag.value {
                self.set(flag, "true".to_owned())?;
                rest = after;
                continue;
            }
            let value = match (after, self.words.as_slice().first()) {
                ("", Some(next)) => {
                    self.words.next();
                    next.clone()
                }
                ("", None) => {
                    let text = format!("flag needs an argument: {} in -{rest}", quote_char(letter));
                    return Err(Mistake::flag(text));
                }
                (attached, _) => attached.to_owned(),
            };
            return self.set(flag, value);
        }
        Ok(())
    }

    fn set(&mut self, flag: &'static Flag, value: String) -> Result<(), Mistake> {
        let checked = match flag.value {
            Value::Switch => parse_bool(&value).map(|_| ()),
            Value::One { check, .. } | Value::Many { check, .. } => check(&value),
        };
        if let Err(why) = checked {
            let text = format!("invalid argument {} for {} flag: {why}", quote(&value), quote(&flag.shown()));
            return Err(Mistake::flag(text));
        }
        self.found.given.push((flag.name, value));
        Ok(())
    }

    fn unknown_long(&self, name: &str) -> Mistake {
        if name == "help" {
            return Mistake::Help;
        }
        if let Some(missing) = self.missing.iter().find(|missing| missing.name == name) {
            return refusal(&format!("--{name}"), missing);
        }
        let known = self.flags.iter().map(|flag| flag.name).chain(["help"]);
        let hint = suggest::nearest(name, known).map(|near| format!("did you mean --{near}?"));
        Mistake::Flag { text: format!("unknown flag: --{name}"), hint }
    }

    fn unknown_short(&self, letter: char, cluster: &str) -> Mistake {
        if letter == 'h' {
            return Mistake::ShortHelp;
        }
        if let Some(missing) = self.missing.iter().find(|missing| missing.short == Some(letter)) {
            return refusal(&format!("-{letter} (--{})", missing.name), missing);
        }
        Mistake::flag(format!("unknown shorthand flag: {} in -{cluster}", quote_char(letter)))
    }
}

fn refusal(given: &str, missing: &Missing) -> Mistake {
    Mistake::flag(format!("{given} is not supported: {}", missing.why))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLAGS: &[Flag] = &[
        Flag::switch("all", "").short('a'),
        Flag::switch("interactive", "").short('i'),
        Flag::switch("tty", "").short('t'),
        Flag::many("env", "list", "").short('e'),
        Flag::one("name", "string", ""),
        Flag::one("last", "int", "").short('n').check(super::super::int),
        Flag::one("network", "network", "").also(&["net"]),
    ];
    const MISSING: &[Missing] = &[Missing::new("publish", "ports cannot be published yet").short('p')];

    fn read(order: Order, words: &[&str]) -> Result<Matches, Mistake> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        parse(FLAGS, MISSING, order, &words)
    }

    fn found(given: &[(&'static str, &str)], args: &[&str]) -> Result<Matches, Mistake> {
        Ok(Matches {
            given: given.iter().map(|(name, value)| (*name, (*value).to_owned())).collect(),
            args: args.iter().map(|arg| (*arg).to_owned()).collect(),
        })
    }

    fn mistake(text: &str, hint: Option<&str>) -> Result<Matches, Mistake> {
        Err(Mistake::Flag { text: text.to_owned(), hint: hint.map(str::to_owned) })
    }

    #[test]
    fn mixed_order_takes_flags_behind_arguments() {
        let expected = found(&[("all", "true"), ("name", "x")], &["one", "two"]);
        assert_eq!(read(Order::Mixed, &["one", "-a", "two", "--name", "x"]), expected);
    }

    #[test]
    fn flags_first_leaves_the_programs_flags_alone() {
        let expected = found(&[("all", "true")], &["image", "ls", "-a", "--", "--name"]);
        assert_eq!(read(Order::FlagsFirst, &["-a", "image", "ls", "-a", "--", "--name"]), expected);
    }

    #[test]
    fn values_come_in_every_form() {
        let forms: &[&[&str]] = &[&["--env", "A=b"], &["--env=A=b"], &["-e", "A=b"], &["-eA=b"], &["-e=A=b"]];
        for form in forms {
            assert_eq!(read(Order::Mixed, form), found(&[("env", "A=b")], &[]), "{form:?}");
        }
    }

    #[test]
    fn value_may_look_like_a_flag() {
        assert_eq!(read(Order::Mixed, &["--name", "--all"]), found(&[("name", "--all")], &[]));
        assert_eq!(read(Order::Mixed, &["-n", "-1"]), found(&[("last", "-1")], &[]));
    }

    #[test]
    fn switches_cluster_and_take_values_only_with_an_equals_sign() {
        let both = found(&[("interactive", "true"), ("tty", "true")], &["x"]);
        assert_eq!(read(Order::FlagsFirst, &["-it", "x"]), both);
        let off = found(&[("interactive", "true"), ("tty", "false")], &[]);
        assert_eq!(read(Order::Mixed, &["-it=false"]), off);
        assert_eq!(read(Order::Mixed, &["--all", "false"]), found(&[("all", "true")], &["false"]));
        let clustered = found(&[("interactive", "true"), ("env", "A=b")], &[]);
        assert_eq!(read(Order::Mixed, &["-ieA=b"]), clustered);
    }

    #[test]
    fn last_value_of_a_switch_counts() {
        let matches = read(Order::Mixed, &["--all", "--all=0"]).expect("valid");
        assert!(!matches.on("all") && matches.given("all"));
    }

    #[test]
    fn older_names_are_understood() {
        assert_eq!(read(Order::Mixed, &["--net=host"]), found(&[("network", "host")], &[]));
    }

    #[test]
    fn dashes_end_the_flags_and_a_lone_dash_is_an_argument() {
        assert_eq!(read(Order::Mixed, &["-", "--", "-a"]), found(&[], &["-", "-a"]));
    }

    #[test]
    fn mistakes_have_pflags_texts() {
        let cases: &[(&[&str], &str)] = &[
            (&["-Z"], "unknown shorthand flag: 'Z' in -Z"),
            (&["-itZ"], "unknown shorthand flag: 'Z' in -Z"),
            (&["--name"], "flag needs an argument: --name"),
            (&["-ie"], "flag needs an argument: 'e' in -e"),
            (&["--=x"], "bad flag syntax: --=x"),
            (&["---x"], "bad flag syntax: ---x"),
            (
                &["-it=foo"],
                "invalid argument \"foo\" for \"-t, --tty\" flag: strconv.ParseBool: parsing \"foo\": invalid syntax",
            ),
            (
                &["-nx"],
                "invalid argument \"x\" for \"-n, --last\" flag: strconv.ParseInt: parsing \"x\": invalid syntax",
            ),
        ];
        for (words, text) in cases {
            assert_eq!(read(Order::Mixed, words), mistake(text, None), "{words:?}");
        }
    }

    #[test]
    fn unknown_flag_suggests_the_nearest() {
        let expected = mistake("unknown flag: --nmae", Some("did you mean --name?"));
        assert_eq!(read(Order::Mixed, &["--nmae=x"]), expected);
        assert_eq!(read(Order::Mixed, &["--frobnicate"]), mistake("unknown flag: --frobnicate", None));
    }

    #[test]
    fn missing_flag_is_refused_by_name() {
        let long = mistake("--publish is not supported: ports cannot be published yet", None);
        assert_eq!(read(Order::Mixed, &["--publish=80:80"]), long);
        let short = mistake("-p (--publish) is not supported: ports cannot be published yet", None);
        assert_eq!(read(Order::Mixed, &["-itp", "80:80"]), short);
    }

    #[test]
    fn help_is_understood_in_both_forms() {
        assert_eq!(read(Order::Mixed, &["-a", "--help"]), Err(Mistake::Help));
        assert_eq!(read(Order::Mixed, &["-h"]), Err(Mistake::ShortHelp));
    }
}
