//! Maps of sparse files: which stretches of a file the archive holds.
//!
//! # Source
//! GNU tar manual, "Storing Sparse Files" and "GNU tar and POSIX tar".

use super::BLOCK_BYTES;
use super::header::{number, unsigned};
use super::pax::{PaxSparse, decimal};
use crate::Malformed;

/// A stretch of a file that is held; the rest is holes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stretch {
    pub(crate) offset: u64,
    pub(crate) length: u64,
}

/// The most stretches that a file may have: as many as fit into 1 MiB of the old form's extension blocks.
const MAX_STRETCHES: usize = 50_000;
const ENTRY_BYTES: usize = 24;

/// Reads the four stretches of an old GNU header; returns whether extension blocks follow, and the file's size.
pub(crate) fn old_gnu(header: &[u8; BLOCK_BYTES]) -> Result<(Vec<Stretch>, bool, u64), Malformed> {
    let mut stretches = Vec::new();
    read_stretches(&header[386..482], &mut stretches)?;
    Ok((stretches, header[482] != 0, unsigned(&header[483..495], "real size")?))
}

/// Reads the 21 stretches of an extension block; returns whether another follows.
pub(crate) fn old_gnu_extension(
    block: &[u8; BLOCK_BYTES],
    stretches: &mut Vec<Stretch>,
) -> Result<bool, Malformed> {
    read_stretches(&block[..21 * ENTRY_BYTES], stretches)?;
    Ok(block[504] != 0)
}

fn read_stretches(entries: &[u8], stretches: &mut Vec<Stretch>) -> Result<(), Malformed> {
    for entry in entries.chunks_exact(ENTRY_BYTES) {
        if entry[0] == 0 {
            return Ok(());
        }
        let field = |bytes| u64::try_from(number(bytes, "sparse map")?).map_err(|_| Malformed::Sparse);
        push(stretches, Stretch { offset: field(&entry[..12])?, length: field(&entry[12..])? })?;
    }
    Ok(())
}

fn push(stretches: &mut Vec<Stretch>, stretch: Stretch) -> Result<(), Malformed> {
    if stretches.len() == MAX_STRETCHES {
        return Err(Malformed::Sparse);
    }
    stretches.push(stretch);
    Ok(())
}

/// Returns the map that forms 0.0 and 0.1 have in their records; none for form 1.0, which has it before the data.
pub(crate) fn from_records(sparse: &PaxSparse) -> Result<Option<Vec<Stretch>>, Malformed> {
    match (sparse.major, sparse.minor) {
        (None | Some(0), None | Some(0 | 1)) => {
            let count = u64::try_from(sparse.map.len()).map_err(|_| Malformed::Sparse)?;
            if !count.is_multiple_of(2)
                || sparse.block_count.is_some_and(|blocks| blocks.checked_mul(2) != Some(count))
            {
                return Err(Malformed::Sparse);
            }
            let mut stretches = Vec::new();
            for pair in sparse.map.chunks_exact(2) {
                push(&mut stretches, Stretch { offset: pair[0], length: pair[1] })?;
            }
            Ok(Some(stretches))
        }
        (Some(1), Some(0)) => Ok(None),
        _ => Err(Malformed::Sparse),
    }
}

/// Reads form 1.0: a decimal count, then offsets and lengths, one per line, padded to whole blocks. `next_block` reads
/// a block of the entry's data.
pub(crate) fn from_data<E: From<Malformed>>(
    mut next_block: impl FnMut() -> Result<[u8; BLOCK_BYTES], E>,
) -> Result<Vec<Stretch>, E> {
    let mut pending: Vec<u8> = Vec::new();
    let mut next_number = || -> Result<u64, E> {
        loop {
            if let Some(end) = pending.iter().position(|&byte| byte == b'\n') {
                let number = decimal(&pending[..end]).map_err(|_| Malformed::Sparse)?;
                pending.drain(..=end);
                return Ok(number);
            }
            // No number is longer than 20 digits.
            if pending.len() > BLOCK_BYTES {
                return Err(Malformed::Sparse.into());
            }
            pending.extend_from_slice(&next_block()?);
        }
    };
    let count = next_number()?;
    let mut stretches = Vec::new();
    for _ in 0..count {
        push(&mut stretches, Stretch { offset: next_number()?, length: next_number()? })?;
    }
    Ok(stretches)
}

/// Checks that the stretches are in order, lie within the file, and hold as much as the archive does.
pub(crate) fn check(stretches: &[Stretch], real_size: u64, held_bytes: u64) -> Result<(), Malformed> {
    let (mut position, mut sum) = (0_u64, 0_u64);
    for stretch in stretches {
        let end = stretch.offset.checked_add(stretch.length).ok_or(Malformed::Sparse)?;
        if stretch.offset < position || end > real_size {
            return Err(Malformed::Sparse);
        }
        position = end;
        sum += stretch.length; // At most `real_size`: the stretches do not overlap.
    }
    if sum == held_bytes { Ok(()) } else { Err(Malformed::Sparse) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stretches(pairs: &[(u64, u64)]) -> Vec<Stretch> {
        pairs.iter().map(|&(offset, length)| Stretch { offset, length }).collect()
    }

    #[test]
    fn maps_that_overlap_overflow_or_miscount_are_refused() {
        type Case<'a> = (&'a [(u64, u64)], u64, u64, bool);
        let cases: [Case<'_>; 8] = [
            (&[(0, 5), (10, 5)], 20, 10, true),
            (&[(0, 5), (20, 0)], 20, 5, true),
            (&[], 0, 0, true),
            (&[(10, 5), (0, 5)], 20, 10, false),
            (&[(0, 5), (4, 5)], 20, 10, false),
            (&[(0, 25)], 20, 25, false),
            (&[(u64::MAX, 2)], u64::MAX, 2, false),
            (&[(0, 5)], 20, 6, false),
        ];
        for (map, real_size, held, valid) in cases {
            assert_eq!(check(&stretches(map), real_size, held).is_ok(), valid, "{map:?}");
        }
    }

    #[test]
    fn form_1_0_reads_across_blocks_and_ends_on_garbage() {
        let read = |text: &str| {
            let mut bytes = text.as_bytes().to_vec();
            bytes.resize(bytes.len().next_multiple_of(BLOCK_BYTES), 0);
            let mut blocks =
                bytes.chunks(BLOCK_BYTES).map(|block| <[u8; BLOCK_BYTES]>::try_from(block).unwrap());
            from_data(|| blocks.next().ok_or(Malformed::Truncated))
        };
        assert_eq!(read("2\n0\n5\n10\n5\n"), Ok(stretches(&[(0, 5), (10, 5)])));
        let long: String = std::iter::once("200".to_owned())
            .chain((0..400).map(|n| n.to_string()))
            .map(|n| n + "\n")
            .collect();
        assert_eq!(read(&long).map(|map| map.len()), Ok(200));
        assert_eq!(read("2\n0\n5\n"), Err(Malformed::Truncated));
        assert_eq!(read("x\n"), Err(Malformed::Sparse));
        assert_eq!(read("99999999999999999999999\n"), Err(Malformed::Sparse));
        assert_eq!(read(&"1".repeat(2000)), Err(Malformed::Sparse));
    }
}
