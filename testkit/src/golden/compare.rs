//! Holds two records against each other.

use super::record::{Answer, Record};
use serde_json::Value;
use std::fmt;

/// One place where the answers differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The step.
    pub step: String,
    /// The place in the answer: `status`, `header:NAME` or a path such as `HostConfig.Memory` or `[0].Names`.
    pub place: String,
    /// What Docker answers there.
    pub docker: String,
    /// What Naru answers there.
    pub naru: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: docker {}, naru {}", self.step, self.place, self.docker, self.naru)
    }
}

/// Returns every difference of status, headers and body: keys, types, null against absent, and values.
pub fn differences(docker: &Record, naru: &Record) -> Vec<Difference> {
    let mut found = Vec::new();
    for (step, theirs) in docker {
        let mut at = |place: &str, docker: String, naru: String| {
            found.push(Difference { step: step.clone(), place: place.to_owned(), docker, naru });
        };
        match naru.get(step) {
            None => at("", "recorded".into(), "not asked".into()),
            Some(ours) => answers(theirs, ours, &mut at),
        }
    }
    found
}

fn answers(docker: &Answer, naru: &Answer, at: &mut dyn FnMut(&str, String, String)) {
    if docker.status != naru.status {
        at("status", docker.status.to_string(), format!("{} {}", naru.status, short(Some(&naru.body))));
        return; // the bodies of different outcomes say nothing
    }
    let names: std::collections::BTreeSet<&String> =
        docker.headers.keys().chain(naru.headers.keys()).collect();
    for name in names {
        let (theirs, ours) = (docker.headers.get(name), naru.headers.get(name));
        if theirs != ours {
            at(&format!("header:{name}"), short(theirs), short(ours));
        }
    }
    values("", Some(&docker.body), Some(&naru.body), at);
}

fn values(
    place: &str,
    docker: Option<&Value>,
    naru: Option<&Value>,
    at: &mut dyn FnMut(&str, String, String),
) {
    match (docker, naru) {
        (Some(Value::Object(theirs)), Some(Value::Object(ours))) => {
            let names: std::collections::BTreeSet<&String> = theirs.keys().chain(ours.keys()).collect();
            for name in names {
                let below = if place.is_empty() { name.clone() } else { format!("{place}.{name}") };
                values(&below, theirs.get(name), ours.get(name), at);
            }
        }
        (Some(Value::Array(theirs)), Some(Value::Array(ours))) if theirs.len() == ours.len() => {
            for (index, (theirs, ours)) in theirs.iter().zip(ours).enumerate() {
                values(&format!("{place}[{index}]"), Some(theirs), Some(ours), at);
            }
        }
        (theirs, ours) if theirs == ours => {}
        (theirs, ours) => at(place, short(theirs), short(ours)),
    }
}

fn short(value: Option<&Value>) -> String {
    let text = value.map_or_else(|| "absent".to_owned(), Value::to_string);
    if text.chars().count() > 160 { text.chars().take(159).chain(['…']).collect() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn record(status: u16, body: Value) -> Record {
        Record::from([("step".to_owned(), Answer { status, headers: serde_json::Map::new(), body })])
    }

    #[test]
    fn null_and_absent_and_types_are_told_apart() {
        let docker = record(200, json!({"a": null, "b": 1, "c": [1, {"d": "x"}], "e": {}}));
        let naru = record(200, json!({"b": "1", "c": [1, {"d": "y"}], "e": []}));
        let places: Vec<String> = differences(&docker, &naru).iter().map(ToString::to_string).collect();
        assert_eq!(
            places,
            [
                "step a: docker null, naru absent",
                "step b: docker 1, naru \"1\"",
                "step c[1].d: docker \"x\", naru \"y\"",
                "step e: docker {}, naru []",
            ]
        );
    }

    #[test]
    fn same_answers_do_not_differ_and_other_outcomes_differ_once() {
        let one = record(200, json!({"a": 1}));
        assert_eq!(differences(&one, &one), []);
        assert_eq!(differences(&one, &record(404, json!({"message": "no"}))).len(), 1);
    }
}
