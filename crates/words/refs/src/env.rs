//! Environment entries and labels: `NAME=value` texts.

use crate::Error;
use std::collections::BTreeMap;

/// Reads one `-e` argument. `NAME` alone takes the value from `lookup`; if that has none, the entry vanishes.
///
/// # Errors
/// `InvalidArgument` for an empty name.
///
/// # Source
/// docker/cli `opts.ValidateEnv`.
pub fn parse_entry(text: &str, lookup: &dyn Fn(&str) -> Option<String>) -> Result<Option<String>, Error> {
    match text.split_once('=') {
        Some(("", _)) => Err(Error::Environment { text: text.into() }),
        None if text.is_empty() => Err(Error::Environment { text: text.into() }),
        Some(_) => Ok(Some(text.into())),
        None => Ok(lookup(text).map(|value| format!("{text}={value}"))),
    }
}

/// Reads an environment file: one entry per line, `#` at a line's start for comments, no quoting.
///
/// # Errors
/// `InvalidArgument` for a line without a name, or with white space in the name.
///
/// # Source
/// docker/cli `pkg/kvfile`.
pub fn parse_file(text: &str, lookup: &dyn Fn(&str) -> Option<String>) -> Result<Vec<String>, Error> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut entries = Vec::new();
    for line in text.split('\n') {
        let line = line.strip_suffix('\r').unwrap_or(line).trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, value) = match line.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (line.trim_end(), None),
        };
        if name.is_empty() {
            return Err(Error::EnvironmentNoName { line: line.into() });
        }
        if name.contains(char::is_whitespace) {
            return Err(Error::EnvironmentWhitespace { name: name.into() });
        }
        match value {
            Some(value) => entries.push(format!("{name}={value}")),
            None => entries.extend(lookup(name).map(|value| format!("{name}={value}"))),
        }
    }
    Ok(entries)
}

/// Returns `base` with the entries of `over`: a name that is in both keeps its place and takes the new value. An entry of
/// `over` without `=` removes the name.
pub fn merge(base: &[String], over: &[String]) -> Vec<String> {
    let name_of = |entry: &str| entry.split('=').next().unwrap_or_default().to_owned();
    let mut merged = base.to_vec();
    for entry in over {
        let name = name_of(entry);
        let place = merged.iter().position(|old| name_of(old) == name);
        match (place, entry.contains('=')) {
            (Some(place), true) => merged[place].clone_from(entry),
            (None, true) => merged.push(entry.clone()),
            (Some(place), false) => drop(merged.remove(place)),
            (None, false) => {}
        }
    }
    merged
}

/// Reads labels: `name=value`, or `name` alone for an empty value. The last of equal names counts.
///
/// # Errors
/// `InvalidArgument` for an empty name.
pub fn parse_labels(texts: &[String]) -> Result<BTreeMap<String, String>, Error> {
    let mut labels = BTreeMap::new();
    for text in texts {
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        if name.is_empty() {
            return Err(Error::Label { text: text.clone() });
        }
        labels.insert(name.into(), value.into());
    }
    Ok(labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup(name: &str) -> Option<String> {
        (name == "HOME").then(|| "/root".into())
    }

    #[test]
    fn env_entry_without_value_is_looked_up() {
        assert_eq!(parse_entry("A=b=c", &lookup), Ok(Some("A=b=c".into())));
        assert_eq!(parse_entry("A=", &lookup), Ok(Some("A=".into())));
        assert_eq!(parse_entry("HOME", &lookup), Ok(Some("HOME=/root".into())));
        assert_eq!(parse_entry("NOPE", &lookup), Ok(None));
        for text in ["", "=x"] {
            assert_eq!(parse_entry(text, &lookup), Err(Error::Environment { text: text.into() }));
        }
    }

    #[test]
    fn env_file_keeps_values_as_they_are() {
        let text = "\u{feff}# comment\nA=1\r\n\n  B= \"x\" \nHOME\nNOPE\nC=a=b#c";
        assert_eq!(parse_file(text, &lookup).unwrap(), ["A=1", "B= \"x\" ", "HOME=/root", "C=a=b#c"]);
        assert_eq!(
            parse_file("A B=1", &lookup).unwrap_err().to_string(),
            "variable 'A B' contains whitespaces"
        );
        assert_eq!(parse_file("=1", &lookup).unwrap_err().to_string(), "no variable name on line '=1'");
    }

    #[test]
    fn env_merge_replaces_in_place() {
        let base = ["PATH=/bin".to_owned(), "A=1".to_owned(), "B=2".to_owned()];
        let over = ["A=3".to_owned(), "C=4".to_owned(), "B".to_owned()];
        assert_eq!(merge(&base, &over), ["PATH=/bin", "A=3", "C=4"]);
    }

    #[test]
    fn labels_without_value_are_empty() {
        let labels = parse_labels(&["a=b=c".into(), "d".into(), "a=e".into()]).unwrap();
        assert_eq!(labels, [("a".to_owned(), "e".to_owned()), ("d".to_owned(), String::new())].into());
        assert_eq!(parse_labels(&["=x".into()]), Err(Error::Label { text: "=x".into() }));
    }
}
