//! "Did you mean": the nearest of the names that exist.

/// Returns the name that is nearest to what was typed, if one is near enough to have been meant.
pub(crate) fn nearest<'a>(typed: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = match typed.chars().count() {
        0 | 1 => 0,
        2..=3 => 1,
        4..=7 => 2,
        _ => 3,
    };
    names
        .into_iter()
        .map(|name| (rank(typed, name), name))
        .filter(|((distance, _), _)| *distance <= limit)
        .min_by_key(|(rank, _)| *rank)
        .map(|(_, name)| name)
}

/// Names that go on where the typed one stops come first among equals.
fn rank(typed: &str, name: &str) -> (usize, bool) {
    if typed.len() >= 2 && name.starts_with(typed) {
        return (0, false);
    }
    (distance(typed, name), !name.starts_with(typed.chars().take(1).collect::<String>().as_str()))
}

/// Returns the number of insertions, removals, replacements and swaps of neighbours between two words.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = vec![0; b.len() + 1];
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let replaced = above[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = replaced.min(above[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_finds_slips_and_nothing_else() {
        let names = ["run", "rm", "rmi", "ps", "pull", "inspect", "images", "version"];
        let cases = [
            ("ru", Some("run")),
            ("rnu", Some("run")),
            ("imags", Some("images")),
            ("inspct", Some("inspect")),
            ("insp", Some("inspect")),
            ("verison", Some("version")),
            ("ver", Some("version")),
            ("xyz", None),
            ("frobnicate", None),
            ("", None),
        ];
        for (typed, expected) in cases {
            assert_eq!(nearest(typed, names), expected, "{typed}");
        }
    }

    #[test]
    fn distance_counts_a_swap_once() {
        assert_eq!((distance("rnu", "run"), distance("", "abc"), distance("kitten", "sitting")), (1, 3, 3));
    }
}
