//! The words of an instruction: quotes, variables, pairs.

use crate::error::{Error, invalid};

/// What stands behind an instruction.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Words<'a> {
    /// A JSON list of strings.
    Json(Vec<String>),
    /// Anything else.
    Line(&'a str),
}

impl<'a> Words<'a> {
    pub(super) fn parse(text: &'a str) -> Self {
        match text.starts_with('[').then(|| serde_json::from_str(text)) {
            Some(Ok(words)) => Self::Json(words),
            _ => Self::Line(text),
        }
    }
}

/// Splits at white space, and takes quotes and backslashes away.
pub(super) fn split(text: &str) -> Vec<String> {
    raw_split(text).iter().map(|word| unquote(word)).collect()
}

/// Splits at white space outside of quotes.
fn raw_split(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match (c, quote) {
            ('\\', None | Some('"')) => {
                word.push(c);
                word.extend(rest.next());
            }
            ('"' | '\'', None) => {
                quote = Some(c);
                word.push(c);
            }
            (c, Some(open)) if c == open => {
                quote = None;
                word.push(c);
            }
            (c, None) if c.is_whitespace() => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            (c, _) => word.push(c),
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

fn unquote(word: &str) -> String {
    let mut out = String::new();
    let mut quote = None;
    let mut rest = word.chars();
    while let Some(c) = rest.next() {
        match (c, quote) {
            ('\\', None | Some('"')) => out.extend(rest.next()),
            ('"' | '\'', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            (c, _) => out.push(c),
        }
    }
    out
}

/// Reads `A=b C="d e"`, or `A b c` as one pair. Variables are those from before the instruction.
///
/// # Errors
/// A word without a value.
pub(super) fn pairs(instruction: &str, text: &str, env: &[String]) -> Result<Vec<(String, String)>, Error> {
    let words = raw_split(text);
    let Some(first) = words.first() else {
        return Err(invalid(format!("{instruction} requires at least one argument")));
    };
    if !first.contains('=') {
        let (name, value) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        if value.trim().is_empty() {
            return Err(invalid(format!("{instruction} must have two arguments")));
        }
        return Ok(vec![(unquote(name), unquote(&expand(value.trim(), env)))]);
    }
    words
        .iter()
        .map(|word| {
            let (name, value) = word.split_once('=').ok_or_else(|| {
                invalid(format!("Syntax error - can't find = in {word:?}. Must be of the form: name=value"))
            })?;
            if name.is_empty() {
                return Err(invalid(format!("{instruction} names can not be blank")));
            }
            Ok((unquote(name), unquote(&expand(value, env))))
        })
        .collect()
}

/// Replaces `$A`, `${A}`, `${A:-default}` and `${A:+other}` outside of single quotes; `\$` stays as it is.
pub(super) fn expand(text: &str, env: &[String]) -> String {
    let mut out = String::new();
    let mut rest = text;
    let mut single = false;
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        match c {
            '\\' if !single => {
                let next = after.chars().next();
                out.push(c);
                out.extend(next);
                rest = &after[next.map_or(0, char::len_utf8)..];
                continue;
            }
            '\'' => single = !single,
            '$' if !single => {
                if let Some((value, behind)) = variable(after, env) {
                    out.push_str(&value);
                    rest = behind;
                    continue;
                }
            }
            _ => {}
        }
        out.push(c);
        rest = after;
    }
    out
}

/// Reads a variable behind its `$`; returns its value and what follows. None if it is no variable.
fn variable<'a>(text: &'a str, env: &[String]) -> Option<(String, &'a str)> {
    let value = |name: &str| {
        let found = env.iter().rev().find_map(|entry| entry.strip_prefix(name)?.strip_prefix('='));
        found.map(str::to_owned)
    };
    if let Some(braced) = text.strip_prefix('{') {
        let (inside, behind) = braced.split_once('}')?;
        let (name, modifier) = inside.split_once(':').unwrap_or((inside, ""));
        let set = value(name).filter(|value| modifier.is_empty() || !value.is_empty());
        let value = match (modifier.chars().next(), set) {
            (Some('-'), None) => modifier[1..].to_owned(),
            (Some('+'), Some(_)) => modifier[1..].to_owned(),
            (Some('+'), None) => String::new(),
            (_, set) => set.unwrap_or_default(),
        };
        return Some((value, behind));
    }
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(text.len());
    let (name, behind) = text.split_at(end);
    (!name.is_empty()).then(|| (value(name).unwrap_or_default(), behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_hold_words_together() {
        assert_eq!(split(r#"a "b c" 'd e' f\ g h"i"j"#), ["a", "b c", "d e", "f g", "hij"]);
        assert!(split("  ").is_empty());
    }

    #[test]
    fn variables_are_replaced_outside_of_single_quotes() {
        let env = ["A=1".to_owned(), "E=".to_owned()];
        let cases = [
            ("$A${A}b", "11b"),
            ("'$A'", "'$A'"),
            (r"\$A", r"\$A"),
            ("${E:-x}${A:-x}${A:+y}${E:+y}", "x1y"),
            ("$ $- $Z.", "$ $- ."),
            ("${A", "${A"),
        ];
        for (text, expected) in cases {
            assert_eq!(expand(text, &env), expected, "{text}");
        }
    }
}
