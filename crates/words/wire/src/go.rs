//! Habits of Go's `encoding/json` that clients rely on.

use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;

/// Go's zero `time.Time`.
pub const ZERO_TIME: &str = "0001-01-01T00:00:00Z";

/// `struct{}`: the value type of Go's sets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Empty {}

/// A Go set, `map[string]struct{}`.
pub type Set = BTreeMap<String, Empty>;

/// Reads `null` as the type's default, as Go does for strings, numbers and booleans.
///
/// # Errors
/// A value that is neither null nor of the type.
pub fn null<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(from: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

/// Reads a map whose values may be `null`, which stands for the type's default.
///
/// # Errors
/// Something that is neither null nor such a map.
pub fn null_values<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    from: D,
) -> Result<Option<BTreeMap<String, T>>, D::Error> {
    let map: Option<BTreeMap<String, Option<T>>> = Option::deserialize(from)?;
    Ok(map.map(|map| map.into_iter().map(|(key, value)| (key, value.unwrap_or_default())).collect()))
}

/// Reads Go's `strslice.StrSlice`: null, one string, or a list of strings.
///
/// # Errors
/// Anything else.
pub fn words<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<String>>, D::Error> {
    struct Words;
    impl<'de> serde::de::Visitor<'de> for Words {
        type Value = Option<Vec<String>>;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a string or a list of strings")
        }
        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(None)
        }
        fn visit_str<E>(self, word: &str) -> Result<Self::Value, E> {
            Ok(Some(vec![word.to_owned()]))
        }
        fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let mut words = Vec::new();
            while let Some(word) = list.next_element()? {
                words.push(word);
            }
            Ok(Some(words))
        }
    }
    from.deserialize_any(Words)
}

/// Tells whether a value is its type's default: for fields that Go marks `omitempty`.
pub fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Tells whether a map is absent or empty.
pub fn is_empty_map<T>(map: &Option<BTreeMap<String, T>>) -> bool {
    map.as_ref().is_none_or(BTreeMap::is_empty)
}

/// Tells whether a list is absent or empty.
pub fn is_empty_list<T>(list: &Option<Vec<T>>) -> bool {
    list.as_ref().is_none_or(Vec::is_empty)
}

/// Returns JSON as Go's encoder with `SetEscapeHTML(true)` writes it: `<`, `>` and `&` as `\u003c` and so on.
///
/// Docker's progress streams and log files are written this way; plain answers are not.
pub fn escape_html(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '<' => escaped.push_str("\\u003c"),
            '>' => escaped.push_str("\\u003e"),
            '&' => escaped.push_str("\\u0026"),
            _ => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default)]
    struct Sample {
        #[serde(deserialize_with = "null")]
        text: String,
        #[serde(deserialize_with = "words")]
        words: Option<Vec<String>>,
        #[serde(deserialize_with = "null_values")]
        labels: Option<BTreeMap<String, String>>,
    }

    #[test]
    fn null_reads_as_the_zero_value() {
        let sample: Sample = serde_json::from_str(r#"{"text":null,"words":null,"labels":null}"#).unwrap();
        assert_eq!(sample, Sample::default());
    }

    #[test]
    fn words_reads_one_string_as_a_list_of_one() {
        let sample: Sample = serde_json::from_str(r#"{"words":"a b"}"#).unwrap();
        assert_eq!(sample.words, Some(vec!["a b".to_owned()]));
        let sample: Sample = serde_json::from_str(r#"{"words":["a","b"]}"#).unwrap();
        assert_eq!(sample.words, Some(vec!["a".to_owned(), "b".to_owned()]));
        assert!(serde_json::from_str::<Sample>(r#"{"words":5}"#).is_err());
    }

    #[test]
    fn null_values_keeps_the_key() {
        let sample: Sample = serde_json::from_str(r#"{"labels":{"a":null,"b":"c"}}"#).unwrap();
        let labels = sample.labels.unwrap();
        assert_eq!((labels["a"].as_str(), labels["b"].as_str()), ("", "c"));
    }

    #[test]
    fn escape_html_writes_go_escapes() {
        assert_eq!(escape_html(r#"{"a":"<&>"}"#), r#"{"a":"\u003c\u0026\u003e"}"#);
    }
}
