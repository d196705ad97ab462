//! One record as JSON text, byte for byte as Docker writes it.

use crate::{Stream, time};
use std::collections::BTreeMap;

/// Appends one record and its line end to `out`. `line` is without its `\n`; `complete` adds it.
///
/// `attrs` is the rendered object of [`attributes`], or empty.
pub(crate) fn record(
    out: &mut Vec<u8>,
    stream: Stream,
    (line, complete): (&[u8], bool),
    attrs: &[u8],
    t_ns: i64,
) {
    out.push(b'{');
    if complete || !line.is_empty() {
        out.extend_from_slice(b"\"log\":\"");
        escape(out, line);
        if complete {
            out.extend_from_slice(b"\\n");
        }
        out.extend_from_slice(b"\",");
    }
    out.extend_from_slice(b"\"stream\":\"");
    out.extend_from_slice(stream.name().as_bytes());
    out.push(b'"');
    if !attrs.is_empty() {
        out.extend_from_slice(b",\"attrs\":");
        out.extend_from_slice(attrs);
    }
    out.extend_from_slice(b",\"time\":\"");
    time::format(out, t_ns);
    out.extend_from_slice(b"\"}\n");
}

/// Returns the attributes as a JSON object with sorted keys; empty if there are none.
pub(crate) fn attributes(attrs: &BTreeMap<String, String>) -> Vec<u8> {
    let mut out = Vec::new();
    for (key, value) in attrs {
        out.push(if out.is_empty() { b'{' } else { b',' });
        out.push(b'"');
        escape(&mut out, key.as_bytes());
        out.extend_from_slice(b"\":\"");
        escape(&mut out, value.as_bytes());
        out.push(b'"');
    }
    if !out.is_empty() {
        out.push(b'}');
    }
    out
}

/// Appends `bytes` as the inside of a JSON string, with Go's escapes: each byte that is no UTF-8 is one U+FFFD.
fn escape(out: &mut Vec<u8>, bytes: &[u8]) {
    let mut rest = bytes;
    while !rest.is_empty() {
        match std::str::from_utf8(rest) {
            Ok(text) => {
                escape_text(out, text);
                return;
            }
            Err(error) => {
                let (valid, broken) = rest.split_at(error.valid_up_to());
                escape_text(out, std::str::from_utf8(valid).expect("checked by the line above"));
                out.extend_from_slice(b"\\ufffd");
                rest = &broken[1..];
            }
        }
    }
}

fn escape_text(out: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    let mut copied = 0;
    let mut at = 0;
    while at < bytes.len() {
        let taken = match bytes[at] {
            b'"' | b'\\' | b'<' | b'>' | b'&' | 0..0x20 => 1,
            // U+2028 and U+2029, which end a line in JavaScript.
            0xe2 if bytes[at + 1] == 0x80 && matches!(bytes[at + 2], 0xa8 | 0xa9) => 3,
            _ => {
                at += 1;
                continue;
            }
        };
        out.extend_from_slice(&bytes[copied..at]);
        match bytes[at] {
            byte @ (b'"' | b'\\') => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            0xe2 if bytes[at + 2] == 0xa8 => out.extend_from_slice(b"\\u2028"),
            0xe2 => out.extend_from_slice(b"\\u2029"),
            byte => {
                const HEX: &[u8; 16] = b"0123456789abcdef";
                out.extend_from_slice(b"\\u00");
                out.push(HEX[usize::from(byte >> 4)]);
                out.push(HEX[usize::from(byte & 15)]);
            }
        }
        at += taken;
        copied = at;
    }
    out.extend_from_slice(&bytes[copied..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(bytes: &[u8]) -> String {
        let mut out = Vec::new();
        escape(&mut out, bytes);
        String::from_utf8(out).expect("JSON is UTF-8")
    }

    #[test]
    fn escape_writes_what_docker_writes() {
        // Captured from Docker 28.5.2: docker run busybox printf '…'.
        let cases: [(&[u8], &str); 9] = [
            (b"a\tb<>&\"\\", r#"a\u0009b\u003c\u003e\u0026\"\\"#),
            (b"\r\x01\x1b[1m\x7f", "\\r\\u0001\\u001b[1m\x7f"),
            ("\u{2028} \u{2029}".as_bytes(), r"\u2028 \u2029"),
            ("é".as_bytes(), "é"),
            (b"bad:\xff\xfe\xe2\x82x", r"bad:\ufffd\ufffd\ufffd\ufffdx"),
            (b"\xed\xa0\x80", r"\ufffd\ufffd\ufffd"),
            (b"\xe2", r"\ufffd"),
            (b"\xe2\x80", r"\ufffd\ufffd"),
            (b"", ""),
        ];
        for (bytes, expected) in cases {
            assert_eq!(escaped(bytes), expected, "{bytes:?}");
        }
    }

    #[test]
    fn record_puts_attributes_between_stream_and_time() {
        let attrs = attributes(&BTreeMap::from([("b".into(), "<".into()), ("a".into(), "1".into())]));
        let mut out = Vec::new();
        record(&mut out, Stream::Stderr, (b"hi", true), &attrs, 1_795_213_650_646_292_000);
        assert_eq!(
            String::from_utf8(out).expect("JSON is UTF-8"),
            "{\"log\":\"hi\\n\",\"stream\":\"stderr\",\"attrs\":{\"a\":\"1\",\"b\":\"\\u003c\"},\
             \"time\":\"2026-11-20T22:27:30.646292Z\"}\n"
        );
    }

    #[test]
    fn record_of_an_incomplete_line_has_no_line_end() {
        let mut out = Vec::new();
        record(&mut out, Stream::Stdout, (b"x", false), b"", 0);
        assert_eq!(out, b"{\"log\":\"x\",\"stream\":\"stdout\",\"time\":\"1970-01-01T00:00:00Z\"}\n");
    }
}
