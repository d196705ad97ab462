//! The block of options in a help text.

use super::wrap::wrap;
use super::{Flag, Value};

/// Returns the options, one or more lines each, wrapped to `width` columns.
///
/// # Source
/// spf13/pflag `FlagUsagesWrapped`.
pub(crate) fn options_help(flags: &[Flag], width: usize) -> String {
    let mut flags: Vec<&Flag> = flags.iter().collect();
    flags.sort_by_key(|flag| flag.name);
    let heads: Vec<String> = flags.iter().map(|flag| head(flag)).collect();
    let longest = heads.iter().map(String::len).max().unwrap_or(0);
    let mut out = String::new();
    for (flag, head) in flags.iter().zip(&heads) {
        let text = format!("{}{}", flag.help, default(flag));
        out.push_str(head);
        out.push_str(&" ".repeat(longest - head.len() + 3));
        out.push_str(&wrap(longest + 3, width, &text));
        out.push('\n');
    }
    out
}

fn head(flag: &Flag) -> String {
    let name = match flag.short {
        Some(short) => format!("  -{short}, --{}", flag.name),
        None => format!("      --{}", flag.name),
    };
    match flag.value {
        Value::Switch => name,
        Value::One { kind, .. } | Value::Many { kind, .. } => format!("{name} {kind}"),
    }
}

fn default(flag: &Flag) -> String {
    match (flag.default, flag.value) {
        ("", _) => String::new(),
        (default, Value::One { kind: "string", .. }) => {
            format!(" (default {})", crate::quote::quote(default))
        }
        (default, _) => format!(" (default {default})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_sorted_aligned_and_wrapped() {
        let flags = [
            Flag::one("last", "int", "Show n last created containers (includes all states)")
                .short('n')
                .default("-1"),
            Flag::switch("all", "Show all containers (default shows just running)").short('a'),
            Flag::one("pull", "string", "Pull image before running").default("missing"),
        ];
        // The widths are those of `docker ps --help` (28.2.2) on a pipe: 79 columns.
        let expected = "  -a, --all           Show all containers (default shows just running)
  -n, --last int      Show n last created containers (includes all
                      states) (default -1)
      --pull string   Pull image before running (default \"missing\")
";
        assert_eq!(options_help(&flags, 79), expected);
    }
}
