//! The contents of a directory.
//!
//! Blocks of entries, sorted by name over all of them. In each block the entries come first, 12 bytes each (inode number,
//! offset of the name, type), then their names; the last name of a block ends with the block or with a zero.

use crate::format::{BLOCK, DIRENT_BYTES, put};

/// An entry.
pub(crate) struct Entry<'a> {
    pub(crate) name: &'a [u8],
    pub(crate) nid: u64,
    pub(crate) file_type: u8,
}

/// Returns how many entries each block takes.
fn blocks<'a>(names: impl Iterator<Item = &'a [u8]>) -> Vec<(usize, usize)> {
    let mut blocks = Vec::new();
    let (mut count, mut used) = (0, 0);
    for name in names {
        let needed = DIRENT_BYTES + name.len();
        if used + needed > BLOCK {
            blocks.push((count, used));
            (count, used) = (0, 0);
        }
        count += 1;
        used += needed;
    }
    blocks.push((count, used));
    blocks
}

/// Returns how long a directory with these names, sorted, is.
pub(crate) fn size_bytes<'a>(names: impl Iterator<Item = &'a [u8]>) -> u64 {
    let blocks = blocks(names);
    let last = blocks.last().map_or(0, |(_, used)| *used);
    ((blocks.len() - 1) * BLOCK + last) as u64
}

/// Returns the contents of a directory with these entries, sorted.
pub(crate) fn encode(entries: &[Entry<'_>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = entries;
    for (count, used) in blocks(entries.iter().map(|entry| entry.name)) {
        let (here, after) = rest.split_at(count);
        bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
        let start = bytes.len();
        bytes.resize(start + used, 0);
        let block = &mut bytes[start..];
        let mut name_offset = count * DIRENT_BYTES;
        for (index, entry) in here.iter().enumerate() {
            let at = index * DIRENT_BYTES;
            put(block, at, &entry.nid.to_le_bytes());
            put(block, at + 8, &(name_offset as u16).to_le_bytes());
            block[at + 10] = entry.file_type;
            put(block, name_offset, entry.name);
            name_offset += entry.name.len();
        }
        rest = after;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_followed_by_their_names() {
        let entries = [(&b"."[..], 2, 2), (b"..", 2, 2), (b"ab", 9, 1)].map(|(name, nid, file_type)| Entry {
            name,
            nid,
            file_type,
        });
        let bytes = encode(&entries);
        assert_eq!(bytes.len(), 3 * 12 + 5);
        assert_eq!(bytes[24..36], [9, 0, 0, 0, 0, 0, 0, 0, 39, 0, 1, 0]);
        assert_eq!(&bytes[36..], b"...ab");
        assert_eq!(size_bytes(entries.iter().map(|entry| entry.name)), 41);
    }

    #[test]
    fn entry_that_does_not_fit_begins_a_new_block() {
        let names: Vec<Vec<u8>> = (0..7).map(|digit| vec![b'0' + digit; 200]).collect();
        let entries: Vec<Entry<'_>> = names.iter().map(|name| Entry { name, nid: 1, file_type: 1 }).collect();
        let bytes = encode(&entries);
        assert_eq!(bytes.len(), 3 * 512 + 212);
        assert_eq!(bytes.len() as u64, size_bytes(names.iter().map(Vec::as_slice)));
        assert_eq!(bytes[512 + 24], b'2');
        assert_eq!(bytes[512 + 8..512 + 10], [24, 0]);
    }
}
