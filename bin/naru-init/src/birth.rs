//! What the birth record tells the program that was born. Pure.
//!
//! The engine binds the record read-only at [`PATH`] into containers of the built-in image. One line is one step:
//! `{"t_ns":…,"dur_ns":…,"who":"shim","step":"created","args":"pid=4711"}`.

use std::collections::BTreeMap;

/// Where the record lies inside.
pub(crate) const PATH: &str = "/naru/birth.jsonl";

/// Steps further apart than this belong to different births: the container was created long ago, or started before.
const PAUSE_NS: u64 = 1_000_000_000;

/// The last birth in the record.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Birth {
    /// When its first step began: nanoseconds since 1970.
    pub(crate) began_ns: u64,
    /// This process's number outside the container.
    pub(crate) pid_outside: Option<u32>,
    /// Nanoseconds that each part took, as far as it noted its steps.
    pub(crate) took_ns: BTreeMap<String, u64>,
    /// The number of steps.
    pub(crate) steps: usize,
}

/// Reads the last birth; none if the record has no step.
pub(crate) fn last(record: &str) -> Option<Birth> {
    let mut steps: Vec<(u64, &str)> =
        record.lines().filter_map(|line| Some((number(line, "t_ns")?, line))).collect();
    steps.sort_by_key(|&(t_ns, _)| t_ns);
    let mut birth: Option<Birth> = None;
    let mut end_ns = 0;
    for (t_ns, line) in steps {
        if birth.is_none() || t_ns > end_ns + PAUSE_NS {
            birth = Some(Birth { began_ns: t_ns, ..Birth::default() });
        }
        let dur_ns = number(line, "dur_ns").unwrap_or(0);
        end_ns = end_ns.max(t_ns + dur_ns);
        let Some(birth) = &mut birth else { continue };
        birth.steps += 1;
        *birth.took_ns.entry(text(line, "who").unwrap_or("?").to_owned()).or_default() += dur_ns;
        if text(line, "step") == Some("created") {
            birth.pid_outside = text(line, "args").and_then(|args| args.strip_prefix("pid=")?.parse().ok());
        }
    }
    birth
}

fn number(line: &str, key: &str) -> Option<u64> {
    let rest = after(line, key)?;
    rest[..rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len())].parse().ok()
}

fn text<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    let rest = after(line, key)?.strip_prefix('"')?;
    rest.split_once('"').map(|(value, _)| value)
}

fn after<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    line.split_once(&format!("\"{key}\":")).map(|(_, rest)| rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_birth_is_read_and_earlier_ones_are_not() {
        let record = r#"{"t_ns":1000,"dur_ns":9,"who":"engine","step":"resolve"}
{"t_ns":5000000000,"dur_ns":100,"who":"engine","step":"network attach"}
{"t_ns":5000000300,"dur_ns":30,"who":"shim","step":"created","args":"pid=4711"}
{"t_ns":5000000200,"dur_ns":50,"who":"engine","step":"launch"}
{"t_ns":50000"#;
        assert_eq!(
            last(record),
            Some(Birth {
                began_ns: 5_000_000_000,
                pid_outside: Some(4711),
                took_ns: BTreeMap::from([("engine".into(), 150), ("shim".into(), 30)]),
                steps: 3,
            })
        );
        assert_eq!(last(""), None);
    }
}
