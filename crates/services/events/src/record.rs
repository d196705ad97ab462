//! An event as one line of the log.

use crate::event::{Event, Type};
use refs::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Record {
    v: u32,
    n: u64,
    t: Timestamp,
    #[serde(rename = "type")]
    kind: String,
    action: String,
    actor: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    attributes: BTreeMap<String, String>,
}

/// Returns event number `number` as a line.
pub(crate) fn encode(number: u64, event: &Event) -> Vec<u8> {
    let record = Record {
        v: VERSION,
        n: number,
        t: event.time,
        kind: event.kind.as_str().into(),
        action: event.action.clone(),
        actor: event.actor.clone(),
        attributes: event.attributes.clone(),
    };
    let mut line = serde_json::to_vec(&record).expect("texts and numbers always serialise");
    line.push(b'\n');
    line
}

/// Reads a line; none if it is torn, or of a version or type that this program does not know.
pub(crate) fn decode(line: &[u8]) -> Option<(u64, Event)> {
    let record: Record = serde_json::from_slice(line).ok()?;
    if record.v != VERSION {
        return None;
    }
    let event = Event {
        kind: Type::from_name(&record.kind)?,
        action: record.action,
        actor: record.actor,
        attributes: record.attributes,
        time: record.t,
    };
    Some((record.n, event))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line of version 1 must be readable for ever.
    const FIXTURE: &str = r#"{"v":1,"n":7,"t":1795212895508916971,"type":"container","action":"die","actor":"abc","attributes":{"exitCode":"0"}}"#;

    #[test]
    fn record_version_1_is_read_and_written() {
        let event = Event {
            kind: Type::Container,
            action: "die".into(),
            actor: "abc".into(),
            attributes: [("exitCode".to_owned(), "0".to_owned())].into(),
            time: Timestamp(1_795_212_895_508_916_971),
        };
        assert_eq!(decode(FIXTURE.as_bytes()), Some((7, event.clone())));
        assert_eq!(encode(7, &event), [FIXTURE.as_bytes(), b"\n"].concat());
    }

    #[test]
    fn record_torn_or_of_the_future_is_skipped() {
        for line in [
            "",
            "{",
            &FIXTURE[..50],
            &FIXTURE.replace("\"v\":1", "\"v\":2"),
            &FIXTURE.replace("container", "moon"),
        ] {
            assert_eq!(decode(line.as_bytes()), None, "{line}");
        }
    }
}
