//! What an expression yields while a template is executed.

use crate::value::{Null, Value};
use crate::{Options, Shape};
use std::borrow::Cow;

/// The value of an expression.
#[derive(Clone, Debug)]
pub(crate) enum Datum<'d> {
    /// Nothing: a missing member of a map.
    Missing,
    /// A null, and of which type.
    Null(Null),
    /// Anything else; never [`Value::Null`].
    Value(Cow<'d, Value>),
}

impl<'d> Datum<'d> {
    pub(crate) fn owned(value: Value) -> Self {
        match value {
            Value::Null => Self::Null(Null::Untyped),
            value => Self::Value(Cow::Owned(value)),
        }
    }

    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::owned(Value::Text(text.into()))
    }

    pub(crate) fn int(value: usize) -> Self {
        Self::owned(Value::Int(i64::try_from(value).unwrap_or(i64::MAX)))
    }

    pub(crate) fn borrowed(value: &'d Value) -> Self {
        match value {
            Value::Null => Self::Null(Null::Untyped),
            value => Self::Value(Cow::Borrowed(value)),
        }
    }

    /// The member of a map under this name, with the type of its null.
    pub(crate) fn member(&self, key: &str, options: &Options) -> Option<Self> {
        let found = match self {
            Self::Value(Cow::Borrowed(map)) => map.get(key).map(Self::borrowed),
            Self::Value(Cow::Owned(map)) => map.get(key).cloned().map(Self::owned),
            Self::Missing | Self::Null(_) => None,
        };
        match (found, options.shape) {
            (Some(Self::Null(_)), Shape::Struct { null, .. }) => Some(Self::Null(null(key))),
            (found, _) => found,
        }
    }

    /// The items of a list or the members of a map (sorted by key), each with its key; none for anything else.
    pub(crate) fn entries(&self) -> Option<Vec<(Self, Self)>> {
        let index = |index: usize| Self::int(index);
        match self {
            Self::Value(Cow::Borrowed(Value::List(items))) => {
                Some(items.iter().enumerate().map(|(i, item)| (index(i), Self::borrowed(item))).collect())
            }
            Self::Value(Cow::Owned(Value::List(items))) => Some(
                items.iter().enumerate().map(|(i, item)| (index(i), Self::owned(item.clone()))).collect(),
            ),
            Self::Value(Cow::Borrowed(Value::Map(members))) => Some(
                sorted(members)
                    .into_iter()
                    .map(|(key, value)| (Self::text(key), Self::borrowed(value)))
                    .collect(),
            ),
            Self::Value(Cow::Owned(Value::Map(members))) => Some(
                sorted(members)
                    .into_iter()
                    .map(|(key, value)| (Self::text(key), Self::owned(value.clone())))
                    .collect(),
            ),
            Self::Missing | Self::Null(_) => Some(Vec::new()),
            Self::Value(_) => None,
        }
    }

    /// The value, or none for nothing and null.
    pub(crate) fn value(&self) -> Option<&Value> {
        match self {
            Self::Value(value) => Some(value),
            Self::Missing | Self::Null(_) => None,
        }
    }

    pub(crate) fn is_true(&self) -> bool {
        match self.value() {
            None | Some(Value::Null) => false,
            Some(Value::Bool(value)) => *value,
            Some(Value::Int(value)) => *value != 0,
            Some(Value::Uint(value)) => *value != 0,
            Some(Value::Float(value)) => *value != 0.0,
            Some(Value::Text(text)) => !text.is_empty(),
            Some(Value::List(items)) => !items.is_empty(),
            Some(Value::Map(members)) => !members.is_empty(),
        }
    }

    /// The name of the Go type, for errors and `%T`.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Self::Missing | Self::Null(Null::Untyped | Null::Pointer) => "<nil>",
            Self::Null(Null::List) => "[]interface {}",
            Self::Null(Null::Map) => "map[string]interface {}",
            Self::Value(value) => type_name(value),
        }
    }
}

/// The members of a map in the order of their keys.
pub(crate) fn sorted(members: &[(String, Value)]) -> Vec<(&String, &Value)> {
    let mut sorted: Vec<_> = members.iter().map(|(key, value)| (key, value)).collect();
    sorted.sort_by_key(|(key, _)| *key);
    sorted
}

pub(crate) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Int(_) => "int",
        Value::Uint(_) => "uint64",
        Value::Float(_) => "float64",
        Value::Text(_) => "string",
        Value::List(_) => "[]interface {}",
        Value::Map(_) => "map[string]interface {}",
    }
}
