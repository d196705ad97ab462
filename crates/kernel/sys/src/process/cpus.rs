//! Sets of CPUs and NUMA nodes.

use std::fmt;

/// A set of CPUs or NUMA nodes: bit n of the words is number n.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CpuSet(pub [u64; 16]);

impl CpuSet {
    /// Reads a list such as `0-3,7`; none if it is not one, or has a number above 1023.
    ///
    /// # Source
    /// man 7 cpuset, "List format"
    pub fn parse(list: &str) -> Option<Self> {
        let mut set = Self::default();
        for part in list.trim().split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let number = |text: &str| text.trim().parse::<usize>().ok().filter(|number| *number < 1024);
            let (first, last) = (number(first)?, number(last)?);
            if first > last {
                return None;
            }
            for number in first..=last {
                set.0[number / 64] |= 1 << (number % 64);
            }
        }
        Some(set)
    }

    /// Returns whether the set has no members.
    pub fn is_empty(&self) -> bool {
        self.0 == [0; 16]
    }
}

impl fmt::Display for CpuSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for number in (0..1024).filter(|number| self.0[number / 64] & (1 << (number % 64)) != 0) {
            write!(f, "{separator}{number}")?;
            separator = ",";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parse_reads_lists_and_refuses_the_rest() {
        let text = |list| CpuSet::parse(list).map(|set| set.to_string());
        assert_eq!(text("0-2,70"), Some("0,1,2,70".into()));
        assert_eq!(text("5"), Some("5".into()));
        for list in ["", "a", "3-1", "1024", "1,,2", "-1"] {
            assert_eq!(text(list), None, "{list:?}");
        }
    }
}
