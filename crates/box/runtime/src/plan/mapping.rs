//! Mappings of ids between user namespaces.

use crate::Error;
use oci::runtime::IdMapping;

/// The mappings of a user namespace, as /proc/PID/uid_map and gid_map take them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Maps {
    pub(crate) uids: Vec<IdMapping>,
    pub(crate) gids: Vec<IdMapping>,
}

/// The kernel's limit of lines.
const MAX_LINES: usize = 340;

impl Maps {
    /// Reads both lists. `field` is where they stand, with its dot at the end.
    pub(crate) fn plan(field: &str, uids: &[IdMapping], gids: &[IdMapping]) -> Result<Self, Error> {
        for (name, list) in [("uidMappings", uids), ("gidMappings", gids)] {
            check(&format!("{field}{name}"), list)?;
        }
        Ok(Self { uids: uids.to_vec(), gids: gids.to_vec() })
    }

    /// Returns user and group id of the root inside: 0, or the first one that there is.
    pub(crate) fn root(&self) -> (u32, u32) {
        let first = |list: &[IdMapping]| list.iter().map(|mapping| mapping.container_id).min().unwrap_or(0);
        (first(&self.uids), first(&self.gids))
    }
}

/// Returns a list as the kernel's files have it.
pub(crate) fn lines(list: &[IdMapping]) -> String {
    let line = |m: &IdMapping| format!("{} {} {}\n", m.container_id, m.host_id, m.size);
    list.iter().map(line).collect()
}

fn check(field: &str, list: &[IdMapping]) -> Result<(), Error> {
    if list.is_empty() {
        return Err(Error::invalid(field, "is missing"));
    }
    if list.len() > MAX_LINES {
        return Err(Error::invalid(field, format!("has more than {MAX_LINES} ranges")));
    }
    for (index, mapping) in list.iter().enumerate() {
        let field = format!("{field}[{index}]");
        if mapping.size == 0 {
            return Err(Error::invalid(format!("{field}.size"), "is 0"));
        }
        let ends = |first: u32| u64::from(first) + u64::from(mapping.size) <= u64::from(u32::MAX);
        if !ends(mapping.container_id) || !ends(mapping.host_id) {
            return Err(Error::invalid(field, "goes beyond the greatest id, 4294967294"));
        }
        let overlaps = |a: u32, other: &IdMapping, b: u32| {
            u64::from(a) < u64::from(b) + u64::from(other.size)
                && u64::from(b) < u64::from(a) + u64::from(mapping.size)
        };
        let before = list.iter().take(index);
        for (at, other) in before.enumerate() {
            if overlaps(mapping.container_id, other, other.container_id)
                || overlaps(mapping.host_id, other, other.host_id)
            {
                return Err(Error::invalid(field, format!("overlaps with range {at}")));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(container_id: u32, host_id: u32, size: u32) -> IdMapping {
        IdMapping { container_id, host_id, size }
    }

    #[test]
    fn lines_are_those_of_the_kernel() {
        assert_eq!(lines(&[range(0, 1000, 1), range(1, 100_000, 65536)]), "0 1000 1\n1 100000 65536\n");
    }

    #[test]
    fn wrong_mappings_are_refused_by_field() {
        let fine = [range(0, 1000, 1)];
        for (uids, want) in [
            (vec![], "linux.uidMappings: is missing"),
            (vec![range(0, 1, 0)], "linux.uidMappings[0].size: is 0"),
            (vec![range(0, u32::MAX, 2)], "linux.uidMappings[0]: goes beyond the greatest id, 4294967294"),
            (vec![range(0, 0, 10), range(9, 100, 1)], "linux.uidMappings[1]: overlaps with range 0"),
            (vec![range(0, 0, 10), range(20, 5, 1)], "linux.uidMappings[1]: overlaps with range 0"),
        ] {
            let refused = Maps::plan("linux.", &uids, &fine).map_err(|error| error.to_string());
            assert_eq!(refused, Err(want.into()));
        }
        let maps = Maps::plan("linux.", &[range(5, 1000, 1), range(3, 7, 1)], &fine).expect("fine");
        assert_eq!(maps.root(), (3, 0));
    }
}
