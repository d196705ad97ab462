//! Finding where the last N records of a file begin.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

const BLOCK_BYTES: usize = 32 * 1024;

/// Where the last `wanted` records of a file begin, and how many there are from there on (fewer if the file has fewer).
///
/// What follows the last `\n` is a record that is just being written and does not count.
pub(crate) fn seek(file: &File, wanted: u64) -> io::Result<(u64, u64)> {
    let mut block = vec![0; BLOCK_BYTES];
    let mut end = file.metadata()?.len();
    let mut ends_seen: u64 = 0;
    while end > 0 {
        let start = end.saturating_sub(BLOCK_BYTES as u64);
        let length = usize::try_from(end - start).expect("at most a block");
        let part = &mut block[..length];
        match file.read_exact_at(part, start) {
            // Someone cut the file: begin anew.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                (end, ends_seen) = (file.metadata()?.len(), 0);
                continue;
            }
            result => result?,
        }
        for at in (0..length).rev() {
            if part[at] == b'\n' {
                ends_seen += 1;
                if ends_seen > wanted {
                    return Ok((start + at as u64 + 1, wanted));
                }
            }
        }
        end = start;
    }
    Ok((0, ends_seen))
}
