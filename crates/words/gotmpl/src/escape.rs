//! Quoting and unquoting as Go's strconv does, and the escapes of `html`, `js` and `urlquery`.

use std::fmt::Write;

/// Go's `strconv.Quote`.
pub(crate) fn quote(text: &str) -> String {
    quote_with(text, '"', Charset::Unicode)
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Charset {
    Unicode,
    Ascii,
}

/// Go's `strconv.Quote`, `QuoteRune` and their ASCII variants.
pub(crate) fn quote_with(text: &str, mark: char, charset: Charset) -> String {
    let mut quoted = String::from(mark);
    for c in text.chars() {
        let code = u32::from(c);
        let _ = match c {
            // Writing to a String cannot fail.
            c if c == mark || c == '\\' => write!(quoted, "\\{c}"),
            '\u{7}' => write!(quoted, "\\a"),
            '\u{8}' => write!(quoted, "\\b"),
            '\u{c}' => write!(quoted, "\\f"),
            '\n' => write!(quoted, "\\n"),
            '\r' => write!(quoted, "\\r"),
            '\t' => write!(quoted, "\\t"),
            '\u{b}' => write!(quoted, "\\v"),
            ' '..='~' => write!(quoted, "{c}"),
            c if charset == Charset::Unicode && is_printable(c) => write!(quoted, "{c}"),
            _ if code < 0x80 => write!(quoted, "\\x{code:02x}"),
            _ if code < 0x1_0000 => write!(quoted, "\\u{code:04x}"),
            _ => write!(quoted, "\\U{code:08x}"),
        };
    }
    quoted.push(mark);
    quoted
}

/// Close to Go's `unicode.IsPrint`: no controls, no spaces but U+0020, no formatting or private characters.
pub(crate) fn is_printable(c: char) -> bool {
    let hidden = matches!(
        c,
        '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{e000}'..='\u{f8ff}' | '\u{fff0}'..='\u{fffb}' | '\u{f0000}'..
    );
    !c.is_control() && (c == ' ' || !c.is_whitespace()) && !hidden
}

/// Go's `strconv.Unquote` for `"…"`, `` `…` `` and `'c'`; none for invalid syntax.
pub(crate) fn unquote(quoted: &str) -> Option<String> {
    let mark = quoted.chars().next()?;
    let inside = quoted.strip_prefix(mark)?.strip_suffix(mark)?;
    if mark == '`' {
        return Some(inside.replace('\r', ""));
    }
    let mut bytes = Vec::with_capacity(inside.len());
    let mut chars = inside.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        let simple = match chars.next()? {
            'a' => 7,
            'b' => 8,
            'f' => 12,
            'n' => 10,
            'r' => 13,
            't' => 9,
            'v' => 11,
            '\\' => b'\\',
            c @ ('"' | '\'') if c == mark => c as u8,
            'x' => u8::try_from(radix(&mut chars, 2, 16)?).ok()?,
            first @ '0'..='7' => {
                let rest = radix(&mut chars, 2, 8)?;
                u8::try_from(first.to_digit(8)? * 64 + rest).ok()?
            }
            wide @ ('u' | 'U') => {
                let code = radix(&mut chars, if wide == 'u' { 4 } else { 8 }, 16)?;
                bytes.extend_from_slice(char::from_u32(code)?.encode_utf8(&mut [0; 4]).as_bytes());
                continue;
            }
            _ => return None,
        };
        bytes.push(simple);
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    (mark != '\'' || text.chars().count() == 1).then_some(text)
}

fn radix(chars: &mut std::str::Chars<'_>, count: usize, base: u32) -> Option<u32> {
    (0..count).try_fold(0_u32, |value, _| Some(value.checked_mul(base)? + chars.next()?.to_digit(base)?))
}

/// Go's `template.HTMLEscapeString`.
pub(crate) fn html(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\0' => escaped.push('\u{fffd}'),
            '"' => escaped.push_str("&#34;"),
            '\'' => escaped.push_str("&#39;"),
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Go's `template.JSEscapeString`.
pub(crate) fn js(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => escaped.push_str("\\\\"),
            '\'' => escaped.push_str("\\'"),
            '"' => escaped.push_str("\\\""),
            '<' | '>' | '&' | '=' => escaped.push_str(&format!("\\u{:04X}", u32::from(c))),
            c if c < ' ' || !is_printable(c) => escaped.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Go's `url.QueryEscape`.
pub(crate) fn url_query(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' ' => escaped.push('+'),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                escaped.push(char::from(byte))
            }
            byte => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}
