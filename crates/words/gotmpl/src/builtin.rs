//! Go's predefined functions.
//!
//! # Source
//! Go `text/template/funcs.go`.

use crate::datum::Datum;
use crate::docker::{self, Parameter};
use crate::value::{Null, Value};
use crate::{Functions, Options, Shape, compare, escape, printf};

/// How many arguments a function takes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Arity {
    Exactly(usize),
    AtLeast(usize),
}

/// Returns how many arguments a function takes; none if there is no such function.
pub(crate) fn arity(name: &str) -> Option<Arity> {
    Some(match name {
        "and" | "or" | "call" | "eq" | "index" | "printf" | "slice" => Arity::AtLeast(1),
        "html" | "js" | "print" | "println" | "urlquery" => Arity::AtLeast(0),
        "not" | "len" => Arity::Exactly(1),
        "ne" | "lt" | "le" | "gt" | "ge" => Arity::Exactly(2),
        _ => Arity::Exactly(docker::arity(name)?),
    })
}

pub(crate) fn exists(name: &str) -> bool {
    arity(name).is_some()
}

/// The Go type of a parameter.
pub(crate) fn parameter(name: &str, index: usize, functions: Functions) -> Parameter {
    match (name, index) {
        ("printf", 0) => Parameter::Text,
        _ if docker::arity(name).is_some() => docker::parameter(name, index, functions),
        _ => Parameter::Any,
    }
}

/// Calls a function whose arguments were counted and checked. `and`, `or` and `call` are the executor's.
pub(crate) fn call<'d>(name: &str, args: &[Datum<'d>], options: &Options) -> Result<Datum<'d>, String> {
    let truth = |result: bool| Datum::owned(Value::Bool(result));
    Ok(match name {
        "not" => truth(!args[0].is_true()),
        "len" => Datum::int(length(&args[0])?),
        "index" => index(&args[0], &args[1..], options)?,
        "slice" => slice(&args[0], &args[1..])?,
        "eq" => truth(compare::eq(&args[0], &args[1..])?),
        "ne" => truth(!compare::eq(&args[0], &args[1..])?),
        "lt" => truth(compare::lt(&args[0], &args[1])?),
        "le" => truth(compare::le(&args[0], &args[1])?),
        "gt" => truth(!compare::le(&args[0], &args[1])?),
        "ge" => truth(!compare::lt(&args[0], &args[1])?),
        "print" => Datum::text(printf::print(args)),
        "println" => Datum::text(printf::println(args)),
        "printf" => match args[0].value() {
            Some(Value::Text(format)) => Datum::text(printf::printf(format, &args[1..])),
            _ => Datum::text(String::new()),
        },
        "html" => Datum::text(escape::html(&joined(args))),
        "js" => Datum::text(escape::js(&joined(args))),
        "urlquery" => Datum::text(escape::url_query(&joined(args))),
        _ => return docker::call(name, args, options.functions),
    })
}

/// The arguments of the escaping functions, printed.
fn joined(args: &[Datum<'_>]) -> String {
    let shown: Vec<Datum<'_>> = args
        .iter()
        .map(|arg| match arg {
            Datum::Missing | Datum::Null(Null::Untyped) => Datum::text("<no value>"),
            other => other.clone(),
        })
        .collect();
    printf::print(&shown)
}

fn length(item: &Datum<'_>) -> Result<usize, String> {
    match item {
        Datum::Missing | Datum::Null(Null::Untyped) => {
            Err("reflect: call of reflect.Value.Type on zero Value".into())
        }
        Datum::Null(Null::Pointer) => Err("len of nil pointer".into()),
        Datum::Null(Null::List | Null::Map) => Ok(0),
        Datum::Value(value) => match &**value {
            Value::Text(text) => Ok(text.len()),
            Value::List(items) => Ok(items.len()),
            Value::Map(members) => Ok(members.len()),
            _ => Err(format!("len of type {}", item.type_name())),
        },
    }
}

/// An index as a number from 0 to `limit`.
fn position(index: &Datum<'_>, limit: usize) -> Result<usize, String> {
    let number = match index.value() {
        None => return Err("cannot index slice/array with nil".into()),
        Some(Value::Int(number)) => i128::from(*number),
        Some(Value::Uint(number)) => i128::from(*number),
        Some(_) => return Err(format!("cannot index slice/array with type {}", index.type_name())),
    };
    usize::try_from(number)
        .ok()
        .filter(|position| *position <= limit)
        .ok_or_else(|| format!("index out of range: {number}"))
}

fn index<'d>(item: &Datum<'d>, indexes: &[Datum<'d>], options: &Options) -> Result<Datum<'d>, String> {
    if matches!(item, Datum::Missing | Datum::Null(Null::Untyped)) {
        return Err("index of untyped nil".into());
    }
    let mut item = item.clone();
    for index in indexes {
        item = index_once(&item, index, options)?;
    }
    Ok(item)
}

fn index_once<'d>(item: &Datum<'d>, index: &Datum<'d>, options: &Options) -> Result<Datum<'d>, String> {
    let inside = |position: usize, length: usize| {
        if position < length { Ok(position) } else { Err("reflect: slice index out of range".to_owned()) }
    };
    match item {
        Datum::Missing | Datum::Null(Null::Untyped | Null::Pointer) => Err("index of nil pointer".into()),
        Datum::Null(Null::List) => inside(position(index, 0)?, 0).map(|_| Datum::Missing),
        Datum::Null(Null::Map) => map_key(index).map(|_| Datum::text("")),
        Datum::Value(value) => match &**value {
            Value::Text(text) => {
                let position = position(index, text.len())?;
                let byte = text.as_bytes().get(position).ok_or("reflect: string index out of range")?;
                Ok(Datum::owned(Value::Int(i64::from(*byte))))
            }
            Value::List(items) => {
                let position = inside(position(index, items.len())?, items.len())?;
                Ok(item.entries().expect("it is a list").swap_remove(position).1)
            }
            Value::Map(members) => {
                let key = map_key(index)?;
                Ok(item.member(&key, options).unwrap_or_else(|| zero(members, options)))
            }
            _ => Err(format!("can't index item of type {}", item.type_name())),
        },
    }
}

fn map_key(index: &Datum<'_>) -> Result<String, String> {
    match index.value() {
        Some(Value::Text(key)) => Ok(key.clone()),
        None => Err("value is nil; should be of type string".into()),
        Some(_) => Err(format!("value has type {}; should be string", index.type_name())),
    }
}

/// What a missing member of a map is: the zero value of the type that the others have, if the data stand for Go structs.
fn zero<'d>(members: &[(String, Value)], options: &Options) -> Datum<'d> {
    if matches!(options.shape, Shape::Map) {
        return Datum::Missing;
    }
    match members.first() {
        None | Some((_, Value::Text(_))) => Datum::text(""),
        Some((_, Value::Int(_) | Value::Uint(_))) => Datum::owned(Value::Int(0)),
        Some((_, Value::Bool(_))) => Datum::owned(Value::Bool(false)),
        Some((_, Value::List(_))) => Datum::Null(Null::List),
        Some(_) => Datum::Null(Null::Pointer),
    }
}

fn slice<'d>(item: &Datum<'d>, indexes: &[Datum<'d>]) -> Result<Datum<'d>, String> {
    let value = match item {
        Datum::Missing | Datum::Null(Null::Untyped) => return Err("slice of untyped nil".into()),
        Datum::Null(Null::Pointer) => return Err("slice of nil pointer".into()),
        Datum::Null(Null::Map) => return Err(format!("can't slice item of type {}", item.type_name())),
        Datum::Null(Null::List) => &Value::List(Vec::new()),
        Datum::Value(value) => &**value,
    };
    if indexes.len() > 3 {
        return Err(format!("too many slice indexes: {}", indexes.len()));
    }
    let length = match value {
        Value::Text(_) if indexes.len() == 3 => return Err("cannot 3-index slice a string".into()),
        Value::Text(text) => text.len(),
        Value::List(items) => items.len(),
        _ => return Err(format!("can't slice item of type {}", item.type_name())),
    };
    let mut bounds = [0, length, length];
    for (bound, index) in bounds.iter_mut().zip(indexes) {
        *bound = position(index, length)?;
    }
    for pair in [(0, 1), (1, 2)] {
        if bounds[pair.0] > bounds[pair.1] {
            return Err(format!("invalid slice index: {} > {}", bounds[pair.0], bounds[pair.1]));
        }
    }
    Ok(Datum::owned(match value {
        Value::Text(text) => {
            Value::Text(String::from_utf8_lossy(&text.as_bytes()[bounds[0]..bounds[1]]).into_owned())
        }
        Value::List(items) => Value::List(items[bounds[0]..bounds[1]].to_vec()),
        _ => Value::Null,
    }))
}
