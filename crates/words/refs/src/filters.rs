//! Docker's filters in both of their JSON forms.

use crate::{Error, Pattern};
use std::collections::{BTreeMap, BTreeSet};

/// The filters of a list request: name → accepted values.
///
/// # Source
/// moby `api/types/filters.Args`.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Filters {
    fields: BTreeMap<String, BTreeSet<String>>,
}

impl Filters {
    /// Reads the `filters` parameter: `{"label":{"a=b":true}}`, or `{"label":["a=b"]}` as old clients send it. Empty text
    /// stands for no filters.
    ///
    /// # Errors
    /// `InvalidArgument` for anything else.
    pub fn parse(json: &str) -> Result<Self, Error> {
        if json.trim().is_empty() {
            return Ok(Self::default());
        }
        let value: serde_json::Value = serde_json::from_str(json).map_err(|_| Error::Filters)?;
        let mut filters = Self::default();
        match value {
            serde_json::Value::Null => return Ok(filters),
            serde_json::Value::Object(members) => {
                for (name, values) in members {
                    filters.fields.insert(name, read_values(values)?);
                }
            }
            _ => return Err(Error::Filters),
        }
        Ok(filters)
    }

    /// Adds one value.
    pub fn add(&mut self, name: &str, value: &str) {
        self.fields.entry(name.into()).or_default().insert(value.into());
    }

    /// Adds one `--filter name=value` argument; the name is read without regard to case and surrounding space.
    ///
    /// # Errors
    /// `InvalidArgument` for an argument without `=`.
    pub fn add_argument(&mut self, text: &str) -> Result<(), Error> {
        let Some((name, value)) = text.split_once('=') else {
            return Err(Error::FilterArgument { text: text.into() });
        };
        self.add(name.trim().to_lowercase().as_str(), value.trim());
        Ok(())
    }

    /// Returns the JSON that clients send.
    pub fn to_json(&self) -> String {
        let fields: serde_json::Map<String, serde_json::Value> = self
            .fields
            .iter()
            .map(|(name, values)| {
                let values =
                    values.iter().map(|value| (value.clone(), serde_json::Value::Bool(true))).collect();
                (name.clone(), serde_json::Value::Object(values))
            })
            .collect();
        serde_json::Value::Object(fields).to_string()
    }

    /// Returns whether there is no filter.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Returns whether there is a filter of this name.
    pub fn contains(&self, name: &str) -> bool {
        self.fields.contains_key(name)
    }

    /// Returns the values of a filter in alphabetical order; none if it is not there.
    pub fn get(&self, name: &str) -> impl Iterator<Item = &str> {
        self.fields.get(name).into_iter().flatten().map(String::as_str)
    }

    /// Checks that no other filters than these are there.
    ///
    /// # Errors
    /// `InvalidArgument`: `invalid filter 'x'`.
    pub fn validate(&self, accepted: &[&str]) -> Result<(), Error> {
        match self.fields.keys().find(|name| !accepted.contains(&name.as_str())) {
            Some(name) => Err(Error::FilterName { name: name.clone() }),
            None => Ok(()),
        }
    }

    /// Returns a filter that is true or false; none if it is not there.
    ///
    /// # Errors
    /// `InvalidArgument` for other values, or both.
    pub fn get_bool(&self, name: &str) -> Result<Option<bool>, Error> {
        let Some(values) = self.fields.get(name) else { return Ok(None) };
        let truth = |value: &str| match value {
            "1" | "true" => Some(true),
            "0" | "false" => Some(false),
            _ => None,
        };
        let read: BTreeSet<Option<bool>> = values.iter().map(|value| truth(value)).collect();
        match (read.len(), read.first()) {
            (1, Some(Some(value))) => Ok(Some(*value)),
            _ => {
                let value = format!("[{}]", values.iter().map(String::as_str).collect::<Vec<_>>().join(" "));
                Err(Error::FilterValue { name: name.into(), value })
            }
        }
    }

    /// Returns whether the filter is absent or has exactly this value among its own.
    pub fn matches_exactly(&self, name: &str, value: &str) -> bool {
        self.matches_by(name, |wanted| wanted == value)
    }

    /// Returns whether the filter is absent or one of its values is a prefix.
    pub fn matches_prefix(&self, name: &str, value: &str) -> bool {
        self.matches_by(name, |wanted| value.starts_with(wanted))
    }

    /// Returns whether the filter is absent, or one of its values, read as a regular expression, is found in `value` or
    /// equals it. A value that is no expression matches nothing else.
    pub fn matches_pattern(&self, name: &str, value: &str) -> bool {
        self.matches_by(name, |wanted| {
            wanted == value || Pattern::parse(wanted).is_ok_and(|pattern| pattern.is_found_in(value))
        })
    }

    fn matches_by(&self, name: &str, is_match: impl Fn(&str) -> bool) -> bool {
        match self.fields.get(name) {
            None => true,
            Some(values) => values.is_empty() || values.iter().any(|wanted| is_match(wanted)),
        }
    }

    /// Returns whether all values of the filter, `key` or `key=value`, are among the labels. True if it is absent.
    pub fn matches_labels(&self, name: &str, labels: &BTreeMap<String, String>) -> bool {
        self.get(name).all(|wanted| has_label(wanted, labels))
    }

    /// Returns whether none of the filter's values, `key` or `key=value`, is among the labels, as `label!` wants it.
    pub fn matches_no_label(&self, name: &str, labels: &BTreeMap<String, String>) -> bool {
        !self.get(name).any(|wanted| has_label(wanted, labels))
    }
}

fn has_label(wanted: &str, labels: &BTreeMap<String, String>) -> bool {
    let (key, value) = match wanted.split_once('=') {
        Some((key, value)) => (key, Some(value)),
        None => (wanted, None),
    };
    labels.get(key).is_some_and(|found| value.is_none_or(|value| value == found))
}

fn read_values(values: serde_json::Value) -> Result<BTreeSet<String>, Error> {
    match values {
        serde_json::Value::Null => Ok(BTreeSet::new()),
        serde_json::Value::Object(members) => {
            if !members.values().all(serde_json::Value::is_boolean) {
                return Err(Error::Filters);
            }
            Ok(members.into_iter().map(|(value, _)| value).collect())
        }
        serde_json::Value::Array(items) => items
            .into_iter()
            .map(|item| match item {
                serde_json::Value::String(text) => Ok(text),
                _ => Err(Error::Filters),
            })
            .collect(),
        _ => Err(Error::Filters),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_read_in_both_forms() {
        let mut expected = Filters::default();
        expected.add("label", "a=b");
        expected.add("label", "c");
        for json in [r#"{"label":{"a=b":true,"c":true}}"#, r#"{"label":["a=b","c"]}"#] {
            assert_eq!(Filters::parse(json), Ok(expected.clone()));
        }
        assert_eq!(expected.to_json(), r#"{"label":{"a=b":true,"c":true}}"#);
        assert_eq!(Filters::parse(""), Ok(Filters::default()));
        for json in ["[]", "{", r#"{"a":1}"#, r#"{"a":[1]}"#, r#"{"a":{"b":"c"}}"#] {
            assert_eq!(Filters::parse(json), Err(Error::Filters), "{json}");
        }
    }

    #[test]
    fn filters_unknown_to_the_command_are_refused() {
        let filters = Filters::parse(r#"{"foo":["x"]}"#).unwrap();
        assert_eq!(filters.validate(&["bar"]).unwrap_err().to_string(), "invalid filter 'foo'");
        assert_eq!(filters.validate(&["bar", "foo"]), Ok(()));
    }

    #[test]
    fn filters_match_labels_all_and_values_any() {
        let filters = Filters::parse(
            r#"{"label":["a=b","c"],"status":["created","exited"],"id":["ab"],"name":["^/web$"]}"#,
        )
        .unwrap();
        let labels = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
        assert!(filters.matches_labels("label", &labels(&[("a", "b"), ("c", "x")])));
        assert!(!filters.matches_labels("label", &labels(&[("a", "x"), ("c", "x")])));
        assert!(!filters.matches_no_label("label", &labels(&[("c", "x")])));
        assert!(filters.matches_exactly("status", "exited") && !filters.matches_exactly("status", "running"));
        assert!(filters.matches_prefix("id", "abc") && !filters.matches_prefix("id", "xab"));
        assert!(filters.matches_pattern("name", "/web") && !filters.matches_pattern("name", "/web2"));
        assert!(filters.matches_exactly("absent", "anything"));
    }

    #[test]
    fn filters_bool_takes_one_truth() {
        let get = |json: &str| Filters::parse(json).unwrap().get_bool("dangling");
        assert_eq!(get("{}"), Ok(None));
        assert_eq!(get(r#"{"dangling":["true","1"]}"#), Ok(Some(true)));
        assert_eq!(get(r#"{"dangling":["0"]}"#), Ok(Some(false)));
        assert_eq!(get(r#"{"dangling":["x"]}"#).unwrap_err().to_string(), "invalid filter 'dangling=[x]'");
        assert_eq!(
            get(r#"{"dangling":["0","1"]}"#).unwrap_err().to_string(),
            "invalid filter 'dangling=[0 1]'"
        );
    }

    #[test]
    fn filters_argument_needs_a_value() {
        let mut filters = Filters::default();
        filters.add_argument(" Label =a=b").unwrap();
        assert_eq!(filters.to_json(), r#"{"label":{"a=b":true}}"#);
        assert_eq!(
            filters.add_argument("x").unwrap_err().to_string(),
            "invalid argument \"x\" for \"-f, --filter\" flag: bad format of filter (expected name=value)"
        );
    }
}
