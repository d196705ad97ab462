//! A layer as one file: the archive as it came, and behind it the index with which the kernel mounts it.
//!
//! ```text
//! offset 0     "naru\0lyr", version (4), zeros (4), length of the archive (8), bytes of all files (8), entries (8), diff ID (32)
//!        1024  EROFS superblock; zeros up to 4096
//!        4096  the archive, uncompressed, byte by byte: its SHA-256 is the diff ID; zeros up to a multiple of 512
//!        …     the index, directory blocks, and the data of sparse files: see crate `erofs`
//! ```
//! The same archive always makes the same file, so a file can be verified down to the last byte.

use crate::index::{Indexed, index};
use crate::tar::{Archive, Source};
use crate::{Applied, Decoder, Error, Limits};
use refs::Digest;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Where the archive begins.
pub(crate) const ARCHIVE_OFFSET: u64 = 4096;

const MAGIC: &[u8; 8] = b"naru\0lyr";
const VERSION: u32 = 1;
const HEADER_BYTES: usize = 72;

const COPY_BYTES: usize = 128 * 1024;

/// After so many bytes the disk begins to write.
const WRITEBACK_BYTES: u64 = 8 << 20;

/// How a file was written.
pub(crate) enum Written {
    /// Whole; not yet durable.
    Whole(Applied),
    /// The archive is there and is the right one, but cannot be indexed: it must be unpacked.
    ArchiveOnly {
        /// Its length.
        archive_bytes: u64,
    },
}

/// What a file says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) archive_bytes: u64,
    pub(crate) size_bytes: u64,
    pub(crate) entries: u64,
    pub(crate) diff_id: [u8; 32],
}

impl Header {
    fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.archive_bytes.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.size_bytes.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.entries.to_le_bytes());
        bytes[40..72].copy_from_slice(&self.diff_id);
        bytes
    }

    /// Reads the header of a file; none if it has none of ours.
    pub(crate) fn read(file: &File) -> io::Result<Option<Self>> {
        let mut bytes = [0; HEADER_BYTES];
        match file.read_exact_at(&mut bytes, 0) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            result => result?,
        }
        let number = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
        if bytes[..8] != *MAGIC || bytes[8..12] != VERSION.to_le_bytes() {
            return Ok(None);
        }
        let diff_id = bytes[40..72].try_into().expect("32 bytes");
        Ok(Some(Self { archive_bytes: number(16), size_bytes: number(24), entries: number(32), diff_id }))
    }
}

/// Writes a layer's file from its archive, compressed or not, in one pass.
pub(crate) fn write(
    (file, path): (&File, &Path),
    diff_id: &Digest,
    archive: impl Read,
    limits: &Limits,
) -> Result<Written, Error> {
    let disk = |source: io::Error| Error::Write { path: path.to_owned(), source };
    let inner = Decoder::new(archive)?;
    let keeping = Keeping { inner, file, path, offset: ARCHIVE_OFFSET, on_its_way: ARCHIVE_OFFSET };
    let mut archive = Archive::new(Source::new(keeping, limits.archive_bytes), limits.entries);
    let Indexed { tree, applied } = index(&mut archive)?;
    let (found, archive_bytes) = archive.into_source().finish()?;
    if found != *diff_id {
        return Err(Error::DiffId { expected: diff_id.clone(), found });
    }
    let Some(tree) = tree else { return Ok(Written::ArchiveOnly { archive_bytes }) };
    let diff_id = sha256(diff_id);
    let Ok(index) = erofs::encode(&tree, &place(archive_bytes, &diff_id)) else {
        return Ok(Written::ArchiveOnly { archive_bytes });
    };
    let header = Header { archive_bytes, size_bytes: applied.size_bytes, entries: applied.entries, diff_id };
    file.set_len(index.file_bytes).map_err(disk)?;
    file.write_all_at(&header.encode(), 0).map_err(disk)?;
    file.write_all_at(&index.superblock, erofs::SUPERBLOCK_OFFSET).map_err(disk)?;
    file.write_all_at(&index.bytes, index_offset(archive_bytes)).map_err(disk)?;
    let mut buffer = vec![0; if index.moves.is_empty() { 0 } else { COPY_BYTES }];
    for part in &index.moves {
        let copied = in_pieces(part, &mut buffer, |piece, from, to| {
            file.read_exact_at(piece, from)?;
            file.write_all_at(piece, to)
        });
        copied.map_err(disk)?;
    }
    Ok(Written::Whole(applied))
}

/// What is wrong with a layer's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flaw {
    /// It does not begin as a layer's file.
    Header,
    /// The archive has another digest.
    Archive {
        /// The digest that it has.
        found: Digest,
    },
    /// The index, or a copy of a sparse file's data, is not the one that the archive makes.
    Index,
}

/// Reads a whole file and compares it with what its archive makes; none if all is well.
pub(crate) fn verify((file, path): (&File, &Path), diff_id: &Digest) -> Result<Option<Flaw>, Error> {
    let disk = |source: io::Error| Error::Read { path: path.to_owned(), source };
    let Some(header) = Header::read(file).map_err(disk)? else { return Ok(Some(Flaw::Header)) };
    let stream = archive(file, &header);
    let mut archive = Archive::new(Source::new(stream, header.archive_bytes), u64::MAX);
    let indexed = index(&mut archive);
    let (found, _) = archive.into_source().finish()?;
    if found != *diff_id {
        return Ok(Some(Flaw::Archive { found }));
    }
    let Indexed { tree: Some(tree), applied } = indexed? else { return Ok(Some(Flaw::Index)) };
    let expected = Header {
        size_bytes: applied.size_bytes,
        entries: applied.entries,
        diff_id: sha256(diff_id),
        ..header.clone()
    };
    if header != expected {
        return Ok(Some(Flaw::Header));
    }
    let Ok(index) = erofs::encode(&tree, &place(header.archive_bytes, &header.diff_id)) else {
        return Ok(Some(Flaw::Index));
    };
    let is_same = is_index_the_same(file, &header, &index).map_err(disk)?;
    Ok((!is_same).then_some(Flaw::Index))
}

fn is_index_the_same(file: &File, header: &Header, index: &erofs::Index) -> io::Result<bool> {
    if file.metadata()?.len() != index.file_bytes {
        return Ok(false);
    }
    let mut bytes = vec![0; index.bytes.len()];
    file.read_exact_at(&mut bytes, index_offset(header.archive_bytes))?;
    let mut superblock = [0; erofs::SUPERBLOCK_BYTES];
    file.read_exact_at(&mut superblock, erofs::SUPERBLOCK_OFFSET)?;
    let mut is_same = bytes == index.bytes && superblock == index.superblock;
    let (mut buffer, mut other) = (vec![0; COPY_BYTES], vec![0; COPY_BYTES]);
    for part in &index.moves {
        in_pieces(part, &mut buffer, |piece, from, to| {
            file.read_exact_at(piece, from)?;
            let copy = &mut other[..piece.len()];
            file.read_exact_at(copy, to)?;
            is_same &= piece == copy;
            Ok(())
        })?;
    }
    Ok(is_same)
}

/// Returns the archive of a file as a stream.
pub(crate) fn archive<'a>(file: &'a File, header: &Header) -> Stretch<'a> {
    Stretch { file, offset: ARCHIVE_OFFSET, end: ARCHIVE_OFFSET.saturating_add(header.archive_bytes) }
}

/// Returns the archive of a file that was written without an index.
pub(crate) fn bare_archive(file: &File, archive_bytes: u64) -> Stretch<'_> {
    Stretch { file, offset: ARCHIVE_OFFSET, end: ARCHIVE_OFFSET + archive_bytes }
}

/// A stretch of a file, read from front to back without moving the file's own position.
pub(crate) struct Stretch<'a> {
    file: &'a File,
    offset: u64,
    end: u64,
}

impl Read for Stretch<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end - self.offset).unwrap_or(usize::MAX).min(buffer.len());
        let read = self.file.read_at(&mut buffer[..left], self.offset)?;
        self.offset += read as u64;
        Ok(read)
    }
}

/// Keeps in the file what is read.
struct Keeping<'a, R> {
    inner: R,
    file: &'a File,
    path: &'a Path,
    offset: u64,
    /// What lies before it is on its way to the disk.
    on_its_way: u64,
}

impl<R: Read> Read for Keeping<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        let written = self.file.write_all_at(&buffer[..read], self.offset);
        // Not damage of the archive, whatever the kind: `Error::of_stream` takes it out again.
        written.map_err(|source| io::Error::other(Error::Write { path: self.path.to_owned(), source }))?;
        self.offset += read as u64;
        if self.offset - self.on_its_way >= WRITEBACK_BYTES {
            // Only to have less to wait for in the end.
            let _ = sys::fs::start_writeback(self.file, self.on_its_way, self.offset - self.on_its_way);
            self.on_its_way = self.offset;
        }
        Ok(read)
    }
}

fn in_pieces(
    part: &erofs::Move,
    buffer: &mut [u8],
    mut each: impl FnMut(&mut [u8], u64, u64) -> io::Result<()>,
) -> io::Result<()> {
    let mut done = 0;
    while done < part.length {
        let count = usize::try_from(part.length - done).unwrap_or(usize::MAX).min(buffer.len());
        each(&mut buffer[..count], part.from + done, part.to + done)?;
        done += count as u64;
    }
    Ok(())
}

fn place(archive_bytes: u64, diff_id: &[u8; 32]) -> erofs::Where {
    let uuid = diff_id[..16].try_into().expect("16 of 32 bytes");
    erofs::Where { archive: ARCHIVE_OFFSET, index: index_offset(archive_bytes), uuid }
}

fn index_offset(archive_bytes: u64) -> u64 {
    ARCHIVE_OFFSET + archive_bytes.next_multiple_of(erofs::BLOCK_BYTES)
}

/// Returns the bytes of a SHA-256 digest.
fn sha256(digest: &Digest) -> [u8; 32] {
    let hex = digest.hex().as_bytes();
    let nibble = |at: usize| match hex.get(at) {
        Some(digit @ b'0'..=b'9') => digit - b'0',
        Some(digit @ b'a'..=b'f') => digit - b'a' + 10,
        _ => 0,
    };
    std::array::from_fn(|index| nibble(2 * index) << 4 | nibble(2 * index + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_comes_back_as_it_was_written() {
        let path = std::env::temp_dir().join(format!("naru-test-layer-header-{}", std::process::id()));
        let file = File::options().read(true).write(true).create(true).truncate(true).open(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(Header::read(&file).unwrap(), None);
        let header = Header { archive_bytes: 1, size_bytes: 2, entries: 3, diff_id: [4; 32] };
        file.write_all_at(&header.encode(), 0).unwrap();
        assert_eq!(Header::read(&file).unwrap(), Some(header));
        file.write_all_at(&[9], 8).unwrap();
        assert_eq!(Header::read(&file).unwrap(), None);
    }

    #[test]
    fn digest_becomes_its_bytes() {
        assert_eq!(sha256(&Digest::sha256([0x9a; 32])), [0x9a; 32]);
    }
}
