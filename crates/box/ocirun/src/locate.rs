//! Which field of a JSON text a place belongs to: `linux.namespaces[2].type`, for errors that only know line and column.

/// Returns the path of the field at a line and a column, both from 1; empty for the text as a whole.
pub(crate) fn field(text: &[u8], line: usize, column: usize) -> String {
    let end = offset(text, line, column);
    let mut levels: Vec<Level> = Vec::new();
    let mut at = 0;
    while at < end {
        match text[at] {
            b'{' => levels.push(Level::Object { key: String::new(), awaits_key: true }),
            b'[' => levels.push(Level::Array(0)),
            b'}' | b']' => drop(levels.pop()),
            b',' => match levels.last_mut() {
                Some(Level::Array(index)) => *index += 1,
                Some(Level::Object { awaits_key, .. }) => *awaits_key = true,
                None => {}
            },
            b'"' => {
                let close = closing(text, at + 1);
                if let Some(Level::Object { key, awaits_key }) = levels.last_mut()
                    && *awaits_key
                {
                    *key = String::from_utf8_lossy(&text[at + 1..close]).into_owned();
                    *awaits_key = false;
                }
                at = close;
            }
            _ => {}
        }
        at += 1;
    }
    shown(&levels)
}

enum Level {
    Object { key: String, awaits_key: bool },
    Array(usize),
}

fn shown(levels: &[Level]) -> String {
    let mut path = String::new();
    for level in levels {
        match level {
            Level::Object { key, .. } if key.is_empty() => {}
            Level::Object { key, .. } => {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(key);
            }
            Level::Array(index) => path.push_str(&format!("[{index}]")),
        }
    }
    path
}

/// Returns the offset of what comes after a place, at most the text's length.
fn offset(text: &[u8], line: usize, column: usize) -> usize {
    let starts = text.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
    let start = std::iter::once(0).chain(starts).nth(line.saturating_sub(1)).unwrap_or(text.len());
    // The place is where the reader noticed, one behind the value's end: a closing bracket there is not the value's.
    (start + column.saturating_sub(1)).min(text.len())
}

/// Returns the offset of the quote that ends a text, or the end of all.
fn closing(text: &[u8], mut at: usize) -> usize {
    while let Some(byte) = text.get(at) {
        match byte {
            b'\\' => at += 2,
            b'"' => return at,
            _ => at += 1,
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_serde_lead_to_their_field() {
        for (text, want) in [
            (
                r#"{"ociVersion":"1.0","linux":{"namespaces":[{"type":"pid"},{"type":"foo"}]}}"#,
                "linux.namespaces[1].type",
            ),
            (
                "{\"ociVersion\":\"1\",\n \"process\": {\"cwd\": \"/\", \"user\": {\"uid\": -1}}}",
                "process.user.uid",
            ),
            (r#"{"ociVersion":"1","process":{"cwd":"a\"b","args":["x",7]}}"#, "process.args[1]"),
            (r#"{"ociVersion":1}"#, "ociVersion"),
        ] {
            let error = serde_json::from_str::<oci::runtime::Spec>(text).expect_err(text);
            assert_eq!(field(text.as_bytes(), error.line(), error.column()), want, "{error}");
        }
    }

    #[test]
    fn broken_texts_do_not_confuse_it() {
        for text in ["", "{", "[[[", "\"\\", "]]}", "{\"a\\"] {
            let error = serde_json::from_str::<oci::runtime::Spec>(text).expect_err(text);
            field(text.as_bytes(), error.line(), error.column());
            field(text.as_bytes(), 9, 9);
        }
    }
}
