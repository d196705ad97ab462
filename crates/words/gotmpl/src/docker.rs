//! The functions that Docker adds.
//!
//! # Source
//! docker/cli `templates/templates.go`.

use crate::datum::Datum;
use crate::value::Value;
use crate::{Functions, json, printf};

const HEADER_ARGS: [(&str, usize); 8] = [
    ("json", 1),
    ("title", 1),
    ("lower", 1),
    ("upper", 1),
    ("split", 2),
    ("join", 2),
    ("truncate", 2),
    ("pad", 3),
];

/// The number of arguments of a function; none if there is no such function.
pub(crate) fn arity(name: &str) -> Option<usize> {
    HEADER_ARGS.iter().find(|(known, _)| *known == name).map(|(_, count)| *count)
}

/// The Go type of a parameter.
pub(crate) fn parameter(name: &str, index: usize, functions: Functions) -> Parameter {
    match (name, index) {
        ("json" | "join", 0) if functions == Functions::Docker => Parameter::Any,
        ("truncate", 1) | ("pad", 1 | 2) => Parameter::Int,
        _ => Parameter::Text,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parameter {
    Any,
    Text,
    Int,
}

/// Calls a function with arguments that were checked against [`arity`] and [`parameter`].
pub(crate) fn call<'d>(name: &str, args: &[Datum<'d>], functions: Functions) -> Result<Datum<'d>, String> {
    if functions == Functions::Header {
        return Ok(args[0].clone());
    }
    let result = match name {
        "json" => json::encode_datum(&args[0]),
        "title" => title(text(&args[0])),
        "lower" => text(&args[0]).to_lowercase(),
        "upper" => text(&args[0]).to_uppercase(),
        "split" => return Ok(Datum::owned(Value::List(split(text(&args[0]), text(&args[1]))))),
        "join" => join(&args[0], text(&args[1]))?,
        "truncate" => truncate(text(&args[0]), int(&args[1]))?,
        "pad" => pad(text(&args[0]), int(&args[1]), int(&args[2]))?,
        _ => return Err(format!("{name:?} is not a defined function")),
    };
    Ok(Datum::text(result))
}

fn text<'a>(datum: &'a Datum<'_>) -> &'a str {
    match datum.value() {
        Some(Value::Text(text)) => text,
        _ => "",
    }
}

fn int(datum: &Datum<'_>) -> i64 {
    match datum.value() {
        Some(Value::Int(number)) => *number,
        _ => 0,
    }
}

fn split(text: &str, separator: &str) -> Vec<Value> {
    if separator.is_empty() {
        return text.chars().map(|c| Value::Text(c.into())).collect();
    }
    text.split(separator).map(Value::from).collect()
}

fn join(list: &Datum<'_>, separator: &str) -> Result<String, String> {
    match list.value() {
        None => Ok(String::new()),
        Some(Value::List(items)) => Ok(items.iter().map(printf::plain).collect::<Vec<_>>().join(separator)),
        Some(_) => Err(format!("expected slice, got {}", list.type_name())),
    }
}

fn truncate(text: &str, length: i64) -> Result<String, String> {
    let wrong = || "runtime error: slice bounds out of range".to_owned();
    let length = usize::try_from(length).map_err(|_| format!("{} [:{length}]", wrong()))?;
    match text.as_bytes().get(..length) {
        Some(bytes) => Ok(String::from_utf8_lossy(bytes).into_owned()),
        None => Ok(text.into()),
    }
}

const MAX_PAD: i64 = 1_000_000;

fn pad(text: &str, before: i64, after: i64) -> Result<String, String> {
    if text.is_empty() {
        return Ok(String::new());
    }
    let spaces = |count: i64| match usize::try_from(count) {
        Err(_) => Err("strings: negative Repeat count".to_owned()),
        Ok(_) if count > MAX_PAD => Err(format!("padding of {count} is over the limit of {MAX_PAD}")),
        Ok(count) => Ok(" ".repeat(count)),
    };
    Ok(format!("{}{text}{}", spaces(before)?, spaces(after)?))
}

/// Go's `strings.Title`: the first letter of every word in upper case.
fn title(text: &str) -> String {
    let mut previous = ' ';
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let starts_word = if previous.is_ascii() {
            !(previous.is_ascii_alphanumeric() || previous == '_')
        } else {
            !previous.is_alphanumeric() && previous.is_whitespace()
        };
        if starts_word {
            out.extend(c.to_uppercase());
        } else {
            out.push(c);
        }
        previous = c;
    }
    out
}
