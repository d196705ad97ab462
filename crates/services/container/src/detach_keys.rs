//! The key sequence that detaches a client: `ctrl-p,ctrl-q`, `a,b`, `ctrl-@`.

use crate::Error;

/// ctrl-p, ctrl-q.
pub const DEFAULT: [u8; 2] = [16, 17];

/// Reads a key sequence; the default for an empty text.
///
/// # Errors
/// InvalidArgument for anything that is neither a single character nor `ctrl-` with a letter or one of `@[\]^_`.
///
/// # Source
/// Engine API v1.51 ContainerAttach `detachKeys`.
pub fn parse(text: &str) -> Result<Vec<u8>, Error> {
    if text.is_empty() {
        return Ok(DEFAULT.to_vec());
    }
    let key = |name: &str| -> Option<u8> {
        match (name.strip_prefix("ctrl-").map(str::as_bytes), name.as_bytes()) {
            (Some(&[letter @ b'a'..=b'z']), _) => Some(letter - b'a' + 1),
            (Some(b"@"), _) => Some(0),
            (Some(b"["), _) => Some(27),
            (Some(b"\\"), _) => Some(28),
            (Some(b"]"), _) => Some(29),
            (Some(b"^"), _) => Some(30),
            (Some(b"_"), _) => Some(31),
            (_, &[single]) => Some(single),
            _ => None,
        }
    };
    let keys: Option<Vec<u8>> = text.split(',').map(key).collect();
    keys.ok_or_else(|| Error::invalid(format!("Invalid detach keys ({text}) provided")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_sequences_become_bytes() {
        let cases: [(&str, &[u8]); 6] = [
            ("", &[16, 17]),
            ("ctrl-p,ctrl-q", &[16, 17]),
            ("ctrl-@,ctrl-_", &[0, 31]),
            ("a,B,1", b"aB1"),
            ("ctrl-\\", &[28]),
            ("ctrl-z,x", &[26, b'x']),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["ctrl-", "ctrl-A", "ctrl-ab", "ab", "a,,b", "ctrl-1", "ä"] {
            assert_eq!(
                parse(text).unwrap_err().to_string(),
                format!("Invalid detach keys ({text}) provided")
            );
        }
    }
}
