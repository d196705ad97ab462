//! The differences that are wanted, from the table in `docs/compat.md`.

use super::Difference;

/// The heading above the table.
const HEADING: &str = "## Accepted differences";

/// One row of the table: which differences it accepts, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The step, `*` for any text.
    pub step: String,
    /// The place in its answer, `*` for any text.
    pub place: String,
    /// Why.
    pub reason: String,
}

impl Accepted {
    /// Whether the difference shows on some machines only: the reason then begins with "depends on the machine".
    pub fn depends(&self) -> bool {
        self.reason.starts_with("depends on the machine")
    }

    /// Whether this row accepts that difference.
    pub fn covers(&self, difference: &Difference) -> bool {
        matches(&self.step, &difference.step) && matches(&self.place, &difference.place)
    }
}

/// Reads the rows of the table below the heading "Accepted differences".
///
/// # Panics
/// When there is no such heading, or a row has not three columns.
pub fn accepted(document: &str) -> Vec<Accepted> {
    let section = document.split_once(HEADING).expect("the heading is there").1;
    let section = section.split("\n## ").next().unwrap_or_default();
    section.lines().filter(|line| line.starts_with("| `")).map(row).collect()
}

fn row(line: &str) -> Accepted {
    let columns: Vec<&str> =
        line.trim_matches('|').split(" | ").map(|column| column.trim().trim_matches('`')).collect();
    let [step, place, reason] = columns.as_slice() else { panic!("not three columns: {line}") };
    Accepted { step: (*step).to_owned(), place: (*place).to_owned(), reason: (*reason).to_owned() }
}

/// Whether `text` has the form of `pattern`, in which `*` stands for any text.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(text) = text.strip_prefix(head) else { return false };
    (0..=text.len()).filter(|at| text.is_char_boundary(*at)).any(|at| matches(rest, &text[at..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_and_cover_what_they_name() {
        let document = "# x\n## Accepted differences\n\ntext\n\n| step | place | reason |\n|---|---|---|\n\
                        | `container_*` | `HostConfig.Runtime` | ours has a name of its own |\n\n## Next\n| `a` | `b` | c |\n";
        let rows = accepted(document);
        assert_eq!(rows.len(), 1);
        let difference = |step: &str, place: &str| Difference {
            step: step.into(),
            place: place.into(),
            docker: String::new(),
            naru: String::new(),
        };
        assert!(rows[0].covers(&difference("container_inspect", "HostConfig.Runtime")));
        assert!(!rows[0].covers(&difference("container_inspect", "HostConfig.Runtimes")));
        assert!(!rows[0].covers(&difference("image_inspect", "HostConfig.Runtime")));
    }

    #[test]
    fn star_stands_for_any_text() {
        for (pattern, text, expected) in [
            ("a*c", "abbc", true),
            ("a*c", "ac", true),
            ("a*c", "ab", false),
            ("*", "", true),
            ("a", "ab", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }
}
