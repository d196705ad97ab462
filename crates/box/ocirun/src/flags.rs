//! Command lines: a table of flags and what was given.
//!
//! As Go's flag package, which runc's callers write for: `-name` and `--name` are the same, a value follows as the next
//! argument or after `=`, a switch may have `=true` or `=false`, `--` ends the flags.

use crate::Error;

/// One flag of a command.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Flag {
    /// Its names, the one by which it is asked for first.
    pub(crate) names: &'static [&'static str],
    /// What its value is called; empty for a switch.
    pub(crate) value: &'static str,
    /// What it does.
    pub(crate) help: &'static str,
}

/// Returns a flag with a value.
pub(crate) const fn text(names: &'static [&'static str], value: &'static str, help: &'static str) -> Flag {
    Flag { names, value, help }
}

/// Returns a flag without a value.
pub(crate) const fn switch(names: &'static [&'static str], help: &'static str) -> Flag {
    Flag { names, value: "", help }
}

/// Where flags may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// Anywhere.
    Anywhere,
    /// Before the first argument: what follows is somebody else's.
    BeforeArguments,
}

/// What was given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Given {
    values: Vec<(&'static str, String)>,
    /// What is no flag.
    pub(crate) args: Vec<String>,
}

impl Given {
    /// Returns the last value of a flag.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.values.iter().rev().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    /// Returns all values of a flag.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.values.iter().filter(move |(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    /// Returns whether a switch is on.
    pub(crate) fn is_on(&self, name: &str) -> bool {
        self.text(name) == Some("true")
    }

    /// Returns a flag's value as a number.
    ///
    /// # Errors
    /// InvalidArgument if it is none.
    pub(crate) fn number<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, Error> {
        let parse = |text: &str| {
            text.parse().map_err(|_| {
                Error::usage(format!("invalid value {text:?} for flag -{name}: it is no number"))
            })
        };
        self.text(name).map(parse).transpose()
    }
}

/// Sorts arguments into flags and the rest.
///
/// # Errors
/// InvalidArgument for what is not in the table, a missing value, a switch that is neither true nor false.
pub(crate) fn parse(table: &[Flag], order: Order, args: &[String]) -> Result<Given, Error> {
    let mut given = Given::default();
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        let name = arg.strip_prefix("--").or_else(|| arg.strip_prefix('-')).filter(|name| !name.is_empty());
        let Some(name) = name else {
            if arg == "--" {
                break;
            }
            given.args.push(arg.clone());
            if order == Order::BeforeArguments {
                break;
            }
            continue;
        };
        let (name, value) = match name.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (name, None),
        };
        let flag = table.iter().find(|flag| flag.names.contains(&name));
        let flag = flag.ok_or_else(|| Error::usage(format!("flag provided but not defined: -{name}")))?;
        given.values.push((flag.names[0], value_of(flag, name, value, &mut rest)?));
    }
    given.args.extend(rest.cloned());
    Ok(given)
}

fn value_of(
    flag: &Flag,
    name: &str,
    value: Option<String>,
    rest: &mut std::slice::Iter<'_, String>,
) -> Result<String, Error> {
    match (flag.value.is_empty(), value) {
        (false, Some(value)) => Ok(value),
        (false, None) => {
            rest.next().cloned().ok_or_else(|| Error::usage(format!("flag needs an argument: -{name}")))
        }
        (true, None) => Ok("true".into()),
        (true, Some(value)) => match value.as_str() {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok("true".into()),
            "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok("false".into()),
            other => Err(Error::usage(format!("invalid boolean value {other:?} for -{name}"))),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[Flag] =
        &[text(&["bundle", "b"], "DIR", ""), switch(&["detach", "d"], ""), text(&["env", "e"], "A", "")];

    fn given(order: Order, line: &str) -> Result<Given, Error> {
        let args: Vec<_> = line.split(' ').map(str::to_owned).collect();
        parse(TABLE, order, &args)
    }

    #[test]
    fn flags_are_found_in_all_of_gos_forms() {
        for line in ["-b x -d id", "--b=x --detach=1 id", "id -bundle x -d", "-d --bundle=x -- id"] {
            let given = given(Order::Anywhere, line).expect(line);
            assert_eq!((given.text("bundle"), given.is_on("detach")), (Some("x"), true), "{line}");
            assert_eq!(given.args, ["id"], "{line}");
        }
    }

    #[test]
    fn flags_after_the_first_argument_are_the_programs() {
        let given = given(Order::BeforeArguments, "-e A=1 --env B=2 id sh -c -d").expect("fine");
        assert_eq!(given.all("env").collect::<Vec<_>>(), ["A=1", "B=2"]);
        assert_eq!((given.args.join(" ").as_str(), given.is_on("detach")), ("id sh -c -d", false));
    }

    #[test]
    fn wrong_flags_are_refused_in_gos_words() {
        for (line, want) in [
            ("--nope id", "flag provided but not defined: -nope"),
            ("id -b", "flag needs an argument: -b"),
            ("-d=maybe id", "invalid boolean value \"maybe\" for -d"),
        ] {
            assert_eq!(given(Order::Anywhere, line).map_err(|error| error.to_string()), Err(want.into()));
        }
        let number = given(Order::Anywhere, "-b x").expect("fine").number::<u32>("bundle");
        assert!(number.is_err());
    }
}
