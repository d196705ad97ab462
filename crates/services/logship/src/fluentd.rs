//! Fluentd's forward protocol, message mode: `[tag, time, record]` in MessagePack. Pure.
//!
//! # Source
//! Fluentd Forward Protocol Specification v1; fluent-logger-golang, as Docker uses it.

use crate::{Message, Origin};

/// Returns one message.
pub(crate) fn message(origin: &Origin, sub_second: bool, message: &Message<'_>) -> Vec<u8> {
    let name = format!("/{}", origin.container_name);
    let source = if message.is_error { "stderr" } else { "stdout" };
    let mut record: Vec<(&str, &str)> = vec![
        ("container_id", &origin.container_id),
        ("container_name", &name),
        ("source", source),
        ("log", message.line),
    ];
    record.extend(origin.attrs.iter().map(|(key, value)| (key.as_str(), value.as_str())));
    if message.is_partial {
        record.push(("partial_message", "true"));
    }
    let mut out = vec![0x93];
    text(&mut out, &origin.tag);
    time(&mut out, message.t_ns, sub_second);
    map_head(&mut out, record.len());
    for (key, value) in record {
        text(&mut out, key);
        text(&mut out, value);
    }
    out
}

/// Seconds, or an event time: extension type 0 with seconds and nanoseconds.
fn time(out: &mut Vec<u8>, t_ns: i64, sub_second: bool) {
    let (seconds, nanos) = (t_ns.div_euclid(1_000_000_000), t_ns.rem_euclid(1_000_000_000));
    let (seconds32, nanos32) =
        (u32::try_from(seconds).unwrap_or(u32::MAX), u32::try_from(nanos).unwrap_or(0));
    if sub_second {
        out.extend_from_slice(&[0xd7, 0x00]);
        out.extend_from_slice(&seconds32.to_be_bytes());
        out.extend_from_slice(&nanos32.to_be_bytes());
    } else {
        out.push(0xce);
        out.extend_from_slice(&seconds32.to_be_bytes());
    }
}

fn map_head(out: &mut Vec<u8>, count: usize) {
    match u16::try_from(count).unwrap_or(u16::MAX) {
        count @ 0..16 => out.push(0x80 | u8::try_from(count).unwrap_or(0)),
        count => {
            out.push(0xde);
            out.extend_from_slice(&count.to_be_bytes());
        }
    }
}

fn text(out: &mut Vec<u8>, text: &str) {
    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(length @ 0..32), _) => out.push(0xa0 | length),
        (Ok(length), _) => out.extend_from_slice(&[0xd9, length]),
        (_, Ok(length)) => {
            out.push(0xda);
            out.extend_from_slice(&length.to_be_bytes());
        }
        _ => {
            out.push(0xdb);
            out.extend_from_slice(&length.to_be_bytes());
        }
    }
    out.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_is_an_array_of_tag_time_and_record() {
        let origin = Origin {
            tag: "t".into(),
            container_id: "c".into(),
            container_name: "n".into(),
            ..Origin::default()
        };
        let line = Message { is_error: false, t_ns: 1_000_000_002, line: "hi", is_partial: false };
        let mut expected = vec![0x93, 0xa1, b't', 0xce, 0, 0, 0, 1, 0x84];
        for part in ["container_id", "c", "container_name", "/n", "source", "stdout", "log", "hi"] {
            expected.push(0xa0 | part.len() as u8);
            expected.extend_from_slice(part.as_bytes());
        }
        assert_eq!(message(&origin, false, &line), expected);
        let precise = message(&origin, true, &Message { is_partial: true, ..line });
        assert_eq!(precise[3..13], [0xd7, 0, 0, 0, 0, 1, 0, 0, 0, 2]);
        assert!(precise.ends_with(b"\xafpartial_message\xa4true"));
    }

    #[test]
    fn texts_have_the_shortest_head() {
        let head = |length: usize| {
            let mut out = Vec::new();
            text(&mut out, &"x".repeat(length));
            out[..out.len() - length].to_vec()
        };
        assert_eq!((head(31), head(32), head(256)), (vec![0xbf], vec![0xd9, 32], vec![0xda, 1, 0]));
    }
}
