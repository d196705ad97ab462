//! From the engine's answers to what stands on the screen.

pub(crate) mod container;
pub(crate) mod image;
pub(crate) mod inspect;
pub(crate) mod json;
mod list;
pub(crate) mod stats;
pub(crate) mod tabs;
pub(crate) mod zone;

pub(crate) use list::{Columns, List};

/// The help text of `--format` for commands that list.
pub(crate) const LIST_HELP: &str = "Format output using a custom template:
'table':            Print output in table format with column headers (default)
'table TEMPLATE':   Print output in table format using the given Go template
'json':             Print in JSON format
'TEMPLATE':         Print output using the given Go template.
Refer to https://docs.docker.com/go/formatting/ for more information about formatting output with templates";

/// The help text of `--format` for commands that show one thing.
pub(crate) const INSPECT_HELP: &str = "Format output using a custom template:
'json':             Print in JSON format
'TEMPLATE':         Print output using the given Go template.
Refer to https://docs.docker.com/go/formatting/ for more information about formatting output with templates";

/// Returns an id as tables show it: twelve digits, without the algorithm.
pub(crate) fn short_id(id: &str) -> &str {
    let digits = id.split_once(':').map_or(id, |(_, digits)| digits);
    digits.get(..12).unwrap_or(digits)
}

/// Returns the text cut to `columns` columns, the last of which is `…`.
pub(crate) fn ellipsis(text: &str, columns: usize) -> String {
    use unicode_width::UnicodeWidthChar;
    let width = |c: char| c.width().unwrap_or(1).max(1);
    if text.chars().map(width).sum::<usize>() <= columns {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 0;
    for c in text.chars() {
        used += width(c);
        if used > columns.saturating_sub(1) {
            break;
        }
        out.push(c);
    }
    out.push('…');
    out
}

/// Returns how long ago something was: `5 minutes ago`.
pub(crate) fn ago(since_s: i64, now_s: i64) -> String {
    let elapsed = std::time::Duration::from_secs(u64::try_from(now_s - since_s).unwrap_or(0));
    format!("{} ago", refs::human_duration(elapsed))
}

/// Returns a size with three digits and decimal units: `1.99MB`.
pub(crate) fn size(bytes: i64) -> String {
    refs::human_size_with_precision(bytes as f64, 3)
}

/// Returns the seconds since 1970.
pub(crate) fn now_s() -> i64 {
    refs::Timestamp::from(std::time::SystemTime::now()).seconds()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_shortened() {
        assert_eq!(short_id("sha256:0123456789abcdef"), "0123456789ab");
        assert_eq!((short_id("0123456789abcdef"), short_id("abc")), ("0123456789ab", "abc"));
    }

    #[test]
    fn ellipsis_counts_columns() {
        assert_eq!(ellipsis("sleep 1000", 20), "sleep 1000");
        assert_eq!(ellipsis("0123456789012345678901", 20), "0123456789012345678…");
        assert_eq!(ellipsis("01234567890123456789", 20), "01234567890123456789");
        assert_eq!(ellipsis("日本語日本語日本語日本語", 10), "日本語日…");
    }

    #[test]
    fn ago_never_looks_ahead() {
        assert_eq!(ago(100, 100), "Less than a second ago");
        assert_eq!(ago(200, 100), "Less than a second ago");
        assert_eq!(ago(0, 300), "5 minutes ago");
    }
}
