//! Wrapping of help texts, as pflag does it.

/// Returns `text` wrapped to `width` columns, lines behind the first one indented by `indent`.
pub(super) fn wrap(indent: usize, width: usize, text: &str) -> String {
    /// Narrower than this, text is not wrapped beside the flags any more but below them.
    const NARROW: usize = 24;
    /// A last line may be longer by so much, if that saves a line with one short word.
    const SLOP: usize = 5;

    let mut indent = indent;
    let mut out = String::new();
    let mut room = width.saturating_sub(indent);
    if room < NARROW {
        indent = 16;
        room = width.saturating_sub(indent);
        out.push('\n');
        out.push_str(&" ".repeat(indent));
    }
    let margin = format!("\n{}", " ".repeat(indent));
    if room < NARROW {
        return text.replace('\n', &out);
    }
    let room = room - SLOP;
    let (mut line, mut rest) = cut(room, SLOP, text);
    out.push_str(&line.replace('\n', &margin));
    while !rest.is_empty() {
        (line, rest) = cut(room, SLOP, rest);
        out.push_str(&margin);
        out.push_str(&line.replace('\n', &margin));
    }
    out
}

fn cut(room: usize, slop: usize, text: &str) -> (&str, &str) {
    if room + slop > text.len() {
        return (text, "");
    }
    let front = &text[..floor_char_boundary(text, room)];
    let Some(space) = front.rfind([' ', '\t', '\n']).filter(|at| *at > 0) else {
        return (text, "");
    };
    match front.rfind('\n') {
        Some(newline) if newline > 0 && newline < space => (&text[..newline], &text[newline + 1..]),
        _ => (&text[..space], &text[space + 1..]),
    }
}

fn floor_char_boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}
