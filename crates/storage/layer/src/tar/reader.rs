//! Entries out of a stream.

use super::BLOCK_BYTES;
use super::header::{Header, Kind, TypeFlag, text};
use super::pax::Pax;
use super::source::Source;
use super::sparse::{self, Stretch};
use crate::{Error, Malformed};

/// The largest extended header or long name: Go's limit.
const MAX_SPECIAL_BYTES: u64 = 1 << 20;

/// Extended headers in a row that describe one entry.
const MAX_SPECIAL_HEADERS: usize = 16;

/// A point in time: seconds since 1970-01-01 UTC, and nanoseconds forward from there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Time {
    /// Seconds, negative before 1970.
    pub seconds: i64,
    /// 0 to 999 999 999.
    pub nanoseconds: u32,
}

/// One entry, before its data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The name as it stands in the archive: not cleaned, not checked.
    pub name: Vec<u8>,
    /// What it is.
    pub kind: TypeFlag,
    /// The target of a link.
    pub link: Vec<u8>,
    /// The size of a regular file, holes included.
    pub size_bytes: u64,
    /// Permission bits, with setuid, setgid and sticky.
    pub mode: u32,
    /// The owner.
    pub uid: u64,
    /// The group.
    pub gid: u64,
    /// When the content changed.
    pub mtime: Time,
    /// When it was last read, if the archive says so.
    pub atime: Option<Time>,
    /// Major and minor number of a device.
    pub device: (u32, u32),
    /// Extended attributes.
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

/// A stretch of a regular file's data.
#[derive(Debug, PartialEq, Eq)]
pub struct Chunk<'a> {
    /// Where in the file it belongs.
    pub offset: u64,
    /// The bytes, at least one.
    pub bytes: &'a [u8],
}

/// An archive that is read from front to back.
pub struct Archive<'a> {
    source: Source<'a>,
    data: Data,
    entries: u64,
    max_entries: u64,
}

/// What is left of the present entry's data.
#[derive(Default)]
struct Data {
    /// The stretches to come, the next one last.
    stretches: Vec<Stretch>,
    held_bytes: u64,
    padding_bytes: u64,
    /// There may be holes.
    is_sparse: bool,
}

/// What the headers before an entry's own say about it.
#[derive(Default)]
struct Prelude {
    pax: Option<Pax>,
    long_name: Option<Vec<u8>>,
    long_link: Option<Vec<u8>>,
}

impl<'a> Archive<'a> {
    /// Returns a reader that refuses archives with more than `max_entries`.
    pub fn new(source: Source<'a>, max_entries: u64) -> Self {
        Self { source, data: Data::default(), entries: 0, max_entries }
    }

    /// Reads the next entry, passing over data of the present one that was not read; none at the end.
    ///
    /// # Errors
    /// An archive that is malformed or over a limit, or whose stream fails.
    pub fn next_entry(&mut self) -> Result<Option<Entry>, Error> {
        let rest = std::mem::take(&mut self.data);
        self.source.skip(rest.held_bytes)?;
        self.source.skip(rest.padding_bytes)?;

        let mut prelude = Prelude::default();
        for _ in 0..MAX_SPECIAL_HEADERS {
            let Some(block) = self.header_block()? else { return Ok(None) };
            let header = Header::parse(&block)?;
            match header.kind()? {
                Kind::Entry(kind) => return self.entry(&header, kind, prelude, None).map(Some),
                Kind::GnuSparse => {
                    let (map, mut more, real_size) = sparse::old_gnu(header.block())?;
                    let mut map = map;
                    while more {
                        let block = self.source.block()?.ok_or(Malformed::Truncated)?;
                        more = sparse::old_gnu_extension(&block, &mut map)?;
                    }
                    return self.entry(&header, TypeFlag::Regular, prelude, Some((map, real_size))).map(Some);
                }
                Kind::PaxLocal => prelude.pax = Some(Pax::parse(&self.special(&header)?)?),
                // As in Go and hence Docker, global records change nothing.
                Kind::PaxGlobal => drop(self.special(&header)?),
                Kind::GnuLongName => prelude.long_name = Some(text(&self.special(&header)?).to_vec()),
                Kind::GnuLongLink => prelude.long_link = Some(text(&self.special(&header)?).to_vec()),
            }
        }
        Err(Malformed::TooManyHeaders.into())
    }

    /// Reads the next piece of the present entry's data; none at its end.
    ///
    /// # Errors
    /// An archive that ends too early or is over the limit, or whose stream fails.
    pub fn next_chunk(&mut self) -> Result<Option<Chunk<'_>>, Error> {
        while self.data.stretches.last().is_some_and(|stretch| stretch.length == 0) {
            self.data.stretches.pop();
        }
        let Some(stretch) = self.data.stretches.last_mut() else { return Ok(None) };
        let available = self.source.fill()?.len();
        if available == 0 {
            return Err(Malformed::Truncated.into());
        }
        let count = usize::try_from(stretch.length).unwrap_or(usize::MAX).min(available);
        let offset = stretch.offset;
        stretch.offset += count as u64;
        stretch.length -= count as u64;
        self.data.held_bytes -= count as u64;
        Ok(Some(Chunk { offset, bytes: self.source.take(count) }))
    }

    /// Returns where in the archive the present entry's data begins, as long as none of it was read: a multiple of 512.
    pub fn data_offset(&self) -> u64 {
        self.source.position()
    }

    /// Returns the stretches (offset, length) that the archive holds of the present entry, if it is a sparse file.
    pub(crate) fn stretches(&self) -> Option<impl Iterator<Item = (u64, u64)>> {
        let stretches = self.data.stretches.iter().rev().map(|stretch| (stretch.offset, stretch.length));
        self.data.is_sparse.then_some(stretches)
    }

    /// Returns the stream below, to be finished.
    pub fn into_source(self) -> Source<'a> {
        self.source
    }

    /// Reads a header block; none at the end of the archive or of the stream.
    fn header_block(&mut self) -> Result<Option<[u8; BLOCK_BYTES]>, Error> {
        let Some(block) = self.source.block()? else { return Ok(None) };
        if block != [0; BLOCK_BYTES] {
            return Ok(Some(block));
        }
        match self.source.block()? {
            Some(second) if second != [0; BLOCK_BYTES] => Err(Malformed::LoneZeroBlock.into()),
            _ => Ok(None),
        }
    }

    /// Reads the data of a header that describes the next entry.
    fn special(&mut self, header: &Header<'_>) -> Result<Vec<u8>, Error> {
        let size = header.size()?;
        if size > MAX_SPECIAL_BYTES {
            return Err(
                Malformed::SpecialTooLarge { size_bytes: size, limit_bytes: MAX_SPECIAL_BYTES }.into()
            );
        }
        let mut bytes = Vec::new();
        for _ in 0..size.div_ceil(BLOCK_BYTES as u64) {
            bytes.extend_from_slice(&self.source.block()?.ok_or(Malformed::Truncated)?);
        }
        bytes.truncate(usize::try_from(size).expect("the size is at most 1 MiB"));
        Ok(bytes)
    }

    fn entry(
        &mut self,
        header: &Header<'_>,
        kind: TypeFlag,
        prelude: Prelude,
        sparse: Option<(Vec<Stretch>, u64)>,
    ) -> Result<Entry, Error> {
        self.entries += 1;
        if self.entries > self.max_entries {
            return Err(Error::TooManyEntries { limit: self.max_entries });
        }
        let pax = prelude.pax.unwrap_or_default();
        let header_size = if has_data(kind) { header.size()? } else { 0 };
        let held = if has_data(kind) { pax.size.unwrap_or(header_size) } else { 0 };
        let size_bytes = self.begin_data(kind, held, &pax, sparse)?;
        Ok(Entry {
            name: pax.sparse.name.or(pax.path).or(prelude.long_name).unwrap_or_else(|| header.name()),
            kind,
            link: pax.link.or(prelude.long_link).unwrap_or_else(|| header.link()),
            size_bytes,
            mode: header.mode()?,
            uid: pax.uid.map_or_else(|| header.uid(), Ok)?,
            gid: pax.gid.map_or_else(|| header.gid(), Ok)?,
            mtime: match pax.mtime {
                Some(time) => time,
                None => Time { seconds: header.mtime_seconds()?, nanoseconds: 0 },
            },
            atime: pax.atime,
            device: match kind {
                TypeFlag::CharDevice | TypeFlag::BlockDevice => header.device()?,
                _ => (0, 0),
            },
            xattrs: pax.xattrs,
        })
    }

    /// Prepares the reading of the entry's data; returns the size of the file.
    fn begin_data(
        &mut self,
        kind: TypeFlag,
        held: u64,
        pax: &Pax,
        sparse: Option<(Vec<Stretch>, u64)>,
    ) -> Result<u64, Error> {
        if held > i64::MAX as u64 {
            return Err(Malformed::Number { field: "size" }.into());
        }
        let padding_bytes = held.next_multiple_of(BLOCK_BYTES as u64) - held;
        let is_sparse = sparse.is_some() || (kind == TypeFlag::Regular && pax.sparse.is_present());
        let (mut stretches, size_bytes, held_bytes) = match sparse {
            Some((map, real_size)) => (map, real_size, held),
            None if is_sparse => {
                let real_size = pax.sparse.real_size.ok_or(Malformed::Sparse)?;
                match sparse::from_records(&pax.sparse)? {
                    Some(map) => (map, real_size, held),
                    None => {
                        let mut left = held;
                        let map = sparse::from_data(|| -> Result<_, Error> {
                            left = left.checked_sub(BLOCK_BYTES as u64).ok_or(Malformed::Sparse)?;
                            Ok(self.source.block()?.ok_or(Malformed::Truncated)?)
                        })?;
                        (map, real_size, left)
                    }
                }
            }
            None => (vec![Stretch { offset: 0, length: held }], held, held),
        };
        sparse::check(&stretches, size_bytes, held_bytes)?;
        stretches.reverse();
        self.data = Data { stretches, held_bytes, padding_bytes, is_sparse };
        Ok(size_bytes)
    }
}

/// Only regular files have data, whatever the size field of others says.
fn has_data(kind: TypeFlag) -> bool {
    match kind {
        TypeFlag::Regular => true,
        TypeFlag::HardLink
        | TypeFlag::SymbolicLink
        | TypeFlag::CharDevice
        | TypeFlag::BlockDevice
        | TypeFlag::Directory
        | TypeFlag::Fifo => false,
    }
}
