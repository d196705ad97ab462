//! Extended attributes as they stand behind an inode.
//!
//! ```text
//! header (12 bytes, zeros: none are shared, no filter)
//! { name length (1), index of the prefix (1), value length (2), name without prefix, value, padding to 4 } …
//! ```

const HEADER_BYTES: usize = 12;

/// The prefixes that are not written out, with their index. The first that fits counts.
const PREFIXES: [(&[u8], u8); 5] = [
    (b"user.", 1),
    (b"system.posix_acl_access", 2),
    (b"system.posix_acl_default", 3),
    (b"trusted.", 4),
    (b"security.", 6),
];

/// Returns whether EROFS can hold an attribute: a name of a known kind, at most 255 bytes long, and a value of less than 64 KiB.
pub fn is_representable(name: &[u8], value: &[u8]) -> bool {
    split(name).is_some_and(|(index, rest)| {
        let whole = matches!(index, 2 | 3);
        rest.len() <= 255 && (whole == rest.is_empty())
    }) && u16::try_from(value.len()).is_ok()
}

/// Returns the bytes behind the inode, none without attributes; and their measure for the inode.
pub(crate) fn encode(attributes: &[(Vec<u8>, Vec<u8>)]) -> Option<(Vec<u8>, u16)> {
    if attributes.is_empty() {
        return Some((Vec::new(), 0));
    }
    let mut bytes = vec![0; HEADER_BYTES];
    for (name, value) in attributes {
        let (index, rest) = split(name)?;
        bytes.push(u8::try_from(rest.len()).ok()?);
        bytes.push(index);
        bytes.extend_from_slice(&u16::try_from(value.len()).ok()?.to_le_bytes());
        bytes.extend_from_slice(rest);
        bytes.extend_from_slice(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    }
    let count = u16::try_from((bytes.len() - HEADER_BYTES) / 4 + 1).ok()?;
    Some((bytes, count))
}

fn split(name: &[u8]) -> Option<(u8, &[u8])> {
    PREFIXES.iter().find_map(|(prefix, index)| Some((*index, name.strip_prefix(*prefix)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_laid_out_with_short_names() {
        let attributes = vec![(b"user.ab".to_vec(), b"xyz".to_vec()), (b"security.c".to_vec(), Vec::new())];
        let (bytes, count) = encode(&attributes).unwrap();
        let mut expected = vec![0; 12];
        expected.extend_from_slice(b"\x02\x01\x03\x00abxyz\0\0\0\x01\x06\x00\x00c\0\0\0");
        assert_eq!((bytes.as_slice(), count), (expected.as_slice(), 6));
        assert_eq!(encode(&[]), Some((Vec::new(), 0)));
    }

    #[test]
    fn unknown_kinds_and_lengths_are_told() {
        let long = [b"user.".to_vec(), vec![b'x'; 256]].concat();
        for (name, value, expected) in [
            (&b"user.a"[..], &[0; 65_535][..], true),
            (b"user.a", &[0; 65_536], false),
            (b"user.", b"", false),
            (b"system.posix_acl_access", b"x", true),
            (b"system.posix_acl_access.more", b"x", false),
            (b"system.nfs4_acl", b"x", false),
            (&long, b"", false),
        ] {
            assert_eq!(is_representable(name, value), expected, "{}", String::from_utf8_lossy(name));
        }
        assert_eq!(encode(&[(b"btrfs.x".to_vec(), Vec::new())]), None);
    }
}
