//! The native protocol of the journal: fields, one a line; those with line ends with their length. Pure.
//!
//! # Source
//! systemd.io/JOURNAL_NATIVE_PROTOCOL; moby daemon/logger/journald.

use crate::{Message, Origin};
use refs::Timestamp;

/// Where the journal listens.
pub(crate) const SOCKET: &str = "/run/systemd/journal/socket";

/// Returns one datagram.
pub(crate) fn datagram(origin: &Origin, message: &Message<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    field(&mut out, "MESSAGE", message.line);
    field(&mut out, "PRIORITY", if message.is_error { "3" } else { "6" });
    field(&mut out, "CONTAINER_ID", origin.container_id.get(..12).unwrap_or(&origin.container_id));
    field(&mut out, "CONTAINER_ID_FULL", &origin.container_id);
    field(&mut out, "CONTAINER_NAME", &origin.container_name);
    field(&mut out, "CONTAINER_TAG", &origin.tag);
    field(&mut out, "IMAGE_NAME", &origin.image_name);
    field(&mut out, "SYSLOG_IDENTIFIER", &origin.tag);
    field(&mut out, "SYSLOG_TIMESTAMP", &Timestamp(message.t_ns).rfc3339());
    if message.is_partial {
        field(&mut out, "CONTAINER_PARTIAL_MESSAGE", "true");
    }
    for (name, value) in &origin.attrs {
        let name = sanitize(name);
        if !name.is_empty() {
            field(&mut out, &name, value);
        }
    }
    out
}

fn field(out: &mut Vec<u8>, name: &str, value: &str) {
    out.extend_from_slice(name.as_bytes());
    if value.contains('\n') {
        out.push(b'\n');
        out.extend_from_slice(&(value.len() as u64).to_le_bytes());
    } else {
        out.push(b'=');
    }
    out.extend_from_slice(value.as_bytes());
    out.push(b'\n');
}

/// Returns a name that the journal takes: capitals, digits, underscores, and no underscore in front, which is the journal's own.
fn sanitize(name: &str) -> String {
    let map = |character: char| match character {
        'a'..='z' | 'A'..='Z' | '0'..='9' => character.to_ascii_uppercase(),
        _ => '_',
    };
    name.chars().map(map).collect::<String>().trim_start_matches('_').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_with_line_ends_have_their_length() {
        let message = Message { is_error: true, t_ns: 0, line: "a\nb", is_partial: false };
        let bytes = datagram(&crate::example(), &message);
        assert!(
            bytes.starts_with(b"MESSAGE\n\x03\0\0\0\0\0\0\0a\nb\nPRIORITY=3\nCONTAINER_ID=aaaaaaaaaaaa\n")
        );
        assert!(bytes.ends_with(b"TIER=a\n"));
        assert_eq!(sanitize("__com.x-y"), "COM_X_Y");
    }
}
