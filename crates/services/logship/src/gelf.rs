//! GELF: JSON, compressed and cut into chunks for UDP. Pure.
//!
//! ```text
//! 1e 0f  id (8 bytes)  number  count  up to 1408 bytes of the message
//! ```
//!
//! # Source
//! GELF 1.1; Graylog2/go-gelf, as Docker uses it.

use crate::{Error, Message, Origin};
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use serde_json::{Map, Value};
use std::io::Write as _;

/// A datagram with a chunk, header included.
const CHUNK_BYTES: usize = 1420;

/// Magic, id, number, count.
const HEADER_BYTES: usize = 12;

/// More chunks than this cannot be numbered, says the format.
const MAX_CHUNKS: usize = 128;

/// How datagrams are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packing {
    Gzip(u32),
    Zlib(u32),
    None,
}

impl Packing {
    pub(crate) fn parse(kind: &str, level: &str) -> Result<Self, Error> {
        let level = match level {
            "" => 1,
            "-1" => 6,
            text => text.parse::<u32>().ok().filter(|level| *level <= 9).ok_or_else(|| {
                Error::Invalid(format!(
                    "unknown value {text:?} for log opt \"gelf-compression-level\" for gelf log driver"
                ))
            })?,
        };
        match kind {
            "" | "gzip" => Ok(Self::Gzip(level)),
            "zlib" => Ok(Self::Zlib(level)),
            "none" => Ok(Self::None),
            other => Err(Error::Invalid(format!(
                "unknown value {other:?} for log opt \"gelf-compression-type\" for gelf log driver"
            ))),
        }
    }

    fn pack(self, bytes: &[u8]) -> Vec<u8> {
        let packed = match self {
            Self::None => Ok(bytes.to_vec()),
            Self::Gzip(level) => {
                let mut encoder = GzEncoder::new(Vec::new(), Compression::new(level));
                encoder.write_all(bytes).and_then(|()| encoder.finish())
            }
            Self::Zlib(level) => {
                let mut encoder = ZlibEncoder::new(Vec::new(), Compression::new(level));
                encoder.write_all(bytes).and_then(|()| encoder.finish())
            }
        };
        packed.unwrap_or_else(|_| bytes.to_vec()) // a Vec takes everything
    }
}

/// Returns the message as JSON.
pub(crate) fn json(origin: &Origin, message: &Message<'_>) -> Vec<u8> {
    let text = |value: &str| Value::from(value);
    let milliseconds = message.t_ns.div_euclid(1_000_000);
    #[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 have 13 digits")]
    let seconds = milliseconds as f64 / 1000.0;
    let mut map = Map::new();
    map.insert("version".into(), text("1.1"));
    map.insert("host".into(), text(&origin.host));
    map.insert("short_message".into(), text(message.line));
    map.insert("timestamp".into(), Value::from(seconds));
    map.insert("level".into(), Value::from(if message.is_error { 3 } else { 6 }));
    for (name, value) in [
        ("_command", &origin.command),
        ("_container_id", &origin.container_id),
        ("_container_name", &origin.container_name),
        ("_created", &origin.created),
        ("_image_id", &origin.image_id),
        ("_image_name", &origin.image_name),
        ("_tag", &origin.tag),
    ] {
        map.insert(name.into(), text(value));
    }
    for (name, value) in &origin.attrs {
        map.entry(format!("_{name}")).or_insert_with(|| text(value));
    }
    Value::Object(map).to_string().into_bytes()
}

/// Returns the datagrams of a message; `id` tells its chunks from others. None if it is too long for the format.
pub(crate) fn datagrams(packing: Packing, json: &[u8], id: u64) -> Option<Vec<Vec<u8>>> {
    let packed = packing.pack(json);
    if packed.len() <= CHUNK_BYTES {
        return Some(vec![packed]);
    }
    let pieces: Vec<&[u8]> = packed.chunks(CHUNK_BYTES - HEADER_BYTES).collect();
    let count = u8::try_from(pieces.len()).ok().filter(|count| usize::from(*count) <= MAX_CHUNKS)?;
    let chunk = |(number, piece): (u8, &&[u8])| {
        let mut bytes = vec![0x1e, 0x0f];
        bytes.extend_from_slice(&id.to_be_bytes());
        bytes.extend_from_slice(&[number, count]);
        bytes.extend_from_slice(piece);
        bytes
    };
    Some((0..count).zip(&pieces).map(chunk).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(line: &str) -> Message<'_> {
        Message { is_error: true, t_ns: 1_795_213_650_646_292_123, line, is_partial: false }
    }

    #[test]
    fn json_has_dockers_fields() {
        let json: Value = serde_json::from_slice(&json(&crate::example(), &message("hi"))).unwrap();
        assert_eq!(json["short_message"], "hi");
        assert_eq!(json["timestamp"], 1_795_213_650.646);
        assert_eq!((&json["level"], &json["host"], &json["_tier"]), (&3.into(), &"box".into(), &"a".into()));
        assert_eq!(json["_tag"], "web/1");
    }

    #[test]
    fn long_messages_are_cut_into_numbered_chunks() {
        assert_eq!(datagrams(Packing::None, b"short", 5), Some(vec![b"short".to_vec()]));
        let long = vec![b'x'; 3000];
        let chunks = datagrams(Packing::None, &long, 5).unwrap();
        assert_eq!(chunks.len(), 3);
        assert_eq!(chunks[1][..12], [0x1e, 0x0f, 0, 0, 0, 0, 0, 0, 0, 5, 1, 3]);
        let joined: Vec<u8> = chunks.iter().flat_map(|chunk| chunk[12..].to_vec()).collect();
        assert_eq!(joined, long);
        assert_eq!(datagrams(Packing::None, &vec![b'x'; 200_000], 5), None);
        assert_eq!(datagrams(Packing::Gzip(1), &long, 5).unwrap().len(), 1);
    }
}
