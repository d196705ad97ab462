//! Quoting as Go's strconv does it: for flags, commands in tables, and texts that name what the user gave.

use std::fmt::Write;

/// Returns the text in double quotes.
pub(crate) fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        push(&mut out, c, '"');
    }
    out.push('"');
    out
}

/// Returns the character in single quotes.
pub(crate) fn quote_char(c: char) -> String {
    let mut out = String::from("'");
    push(&mut out, c, '\'');
    out.push('\'');
    out
}

fn push(out: &mut String, c: char, mark: char) {
    match c {
        '\\' => out.push_str("\\\\"),
        '\u{7}' => out.push_str("\\a"),
        '\u{8}' => out.push_str("\\b"),
        '\u{c}' => out.push_str("\\f"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\u{b}' => out.push_str("\\v"),
        _ if c == mark => {
            out.push('\\');
            out.push(c);
        }
        // Writing to a String cannot fail.
        _ if c.is_ascii_control() => drop(write!(out, "\\x{:02x}", u32::from(c))),
        _ if !printable(c) && u32::from(c) < 0x10000 => drop(write!(out, "\\u{:04x}", u32::from(c))),
        _ if !printable(c) => drop(write!(out, "\\U{:08x}", u32::from(c))),
        _ => out.push(c),
    }
}

/// Returns whether a terminal shows the character: no control, no format character, no space but the plain one.
fn printable(c: char) -> bool {
    !(c.is_control()
        || (c.is_whitespace() && c != ' ')
        || matches!(u32::from(c), 0xad | 0x200b..=0x200f | 0x202a..=0x202e | 0x2060..=0x206f | 0xfeff | 0xe000..=0xf8ff | 0xfff9..=0xfffb | 0xe0000..=0xe0fff))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quote_escapes_as_go_does() {
        let cases = [
            ("sh", "\"sh\""),
            ("say \"hi\"\\n", "\"say \\\"hi\\\"\\\\n\""),
            ("a\tb\n\u{1b}[31m", "\"a\\tb\\n\\x1b[31m\""),
            ("…ü日", "\"…ü日\""),
            ("\u{85}\u{200b}", "\"\\u0085\\u200b\""),
        ];
        for (text, expected) in cases {
            assert_eq!(quote(text), expected);
        }
        assert_eq!((quote_char('\''), quote_char('"')), ("'\\''".to_owned(), "'\"'".to_owned()));
    }
}
