//! `eq ne lt le gt ge`.

use crate::datum::Datum;
use crate::value::{Null, Value};

type Compared = Result<bool, String>;

/// Whether the first equals any of the others.
pub(crate) fn eq(first: &Datum<'_>, others: &[Datum<'_>]) -> Compared {
    if others.is_empty() {
        return Err("missing argument for comparison".into());
    }
    for other in others {
        if equals(first, other)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn equals(one: &Datum<'_>, other: &Datum<'_>) -> Compared {
    let (Some(left), Some(right)) = (one.value(), other.value()) else {
        return null_equals(one, other);
    };
    Ok(match (left, right) {
        (Value::Bool(left), Value::Bool(right)) => left == right,
        (Value::Text(left), Value::Text(right)) => left == right,
        (Value::Float(left), Value::Float(right)) => left == right,
        (Value::Int(_) | Value::Uint(_), Value::Int(_) | Value::Uint(_)) => whole(left) == whole(right),
        (Value::List(_), Value::List(_)) | (Value::Map(_), Value::Map(_)) => {
            return Err(format!(
                "non-comparable type {}: {}",
                crate::printf::plain(right),
                other.type_name()
            ));
        }
        (Value::List(_), Value::Map(_)) | (Value::Map(_), Value::List(_)) => {
            let (left, right) = (crate::printf::plain(left), crate::printf::plain(right));
            return Err(format!(
                "non-comparable types {left}: {}, {}: {right}",
                one.type_name(),
                other.type_name()
            ));
        }
        _ => return Err(incompatible(one, other)),
    })
}

/// Nothing and nulls equal each other; a typed value never equals them.
fn null_equals(one: &Datum<'_>, other: &Datum<'_>) -> Compared {
    let typed_null = |datum: &Datum<'_>| matches!(datum, Datum::Null(Null::List | Null::Map));
    let is_basic = |datum: &Datum<'_>| {
        matches!(
            datum.value(),
            Some(Value::Bool(_) | Value::Int(_) | Value::Uint(_) | Value::Float(_) | Value::Text(_))
        )
    };
    if (typed_null(one) && is_basic(other)) || (is_basic(one) && typed_null(other)) {
        return Err(incompatible(one, other));
    }
    Ok(one.value().is_none() && other.value().is_none())
}

/// Whether the first is less than the second.
pub(crate) fn lt(one: &Datum<'_>, other: &Datum<'_>) -> Compared {
    let wrong = || Err("invalid type for comparison".to_owned());
    let (Some(left), Some(right)) = (one.value(), other.value()) else { return wrong() };
    if [left, right].iter().any(|value| matches!(value, Value::List(_) | Value::Map(_) | Value::Null)) {
        return wrong();
    }
    Ok(match (left, right) {
        (Value::Bool(_), Value::Bool(_)) => return wrong(),
        (Value::Text(left), Value::Text(right)) => left < right,
        (Value::Float(left), Value::Float(right)) => left < right,
        (Value::Int(_) | Value::Uint(_), Value::Int(_) | Value::Uint(_)) => whole(left) < whole(right),
        _ => return Err(incompatible(one, other)),
    })
}

/// Whether the first is less than or equals the second.
pub(crate) fn le(one: &Datum<'_>, other: &Datum<'_>) -> Compared {
    Ok(lt(one, other)? || equals(one, other)?)
}

fn incompatible(one: &Datum<'_>, other: &Datum<'_>) -> String {
    format!("incompatible types for comparison: {} and {}", one.type_name(), other.type_name())
}

fn whole(value: &Value) -> Option<i128> {
    match value {
        Value::Int(value) => Some(i128::from(*value)),
        Value::Uint(value) => Some(i128::from(*value)),
        _ => None,
    }
}
