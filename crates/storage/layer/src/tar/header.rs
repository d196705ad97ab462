//! One header block.

use super::BLOCK_BYTES;
use crate::Malformed;
use std::ops::Range;

/// What kind of entry a header announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TypeFlag {
    /// A regular file.
    Regular,
    /// Another name for a file of the archive.
    HardLink,
    /// A symbolic link.
    SymbolicLink,
    /// A character device.
    CharDevice,
    /// A block device.
    BlockDevice,
    /// A directory.
    Directory,
    /// A named pipe.
    Fifo,
}

/// The kinds of headers, those that only describe the next entry included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Entry(TypeFlag),
    GnuSparse,
    PaxLocal,
    PaxGlobal,
    GnuLongName,
    GnuLongLink,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    V7,
    Ustar,
    Gnu,
}

/// A header block whose checksum is right.
pub(crate) struct Header<'a> {
    block: &'a [u8; BLOCK_BYTES],
    format: Format,
}

const NAME: Range<usize> = 0..100;
const MODE: Range<usize> = 100..108;
const UID: Range<usize> = 108..116;
const GID: Range<usize> = 116..124;
const SIZE: Range<usize> = 124..136;
const MTIME: Range<usize> = 136..148;
const CHECKSUM: Range<usize> = 148..156;
const TYPE: usize = 156;
const LINK: Range<usize> = 157..257;
const MAGIC: Range<usize> = 257..265;
const MAJOR: Range<usize> = 329..337;
const MINOR: Range<usize> = 337..345;
const USTAR_PREFIX: Range<usize> = 345..500;
const STAR_PREFIX: Range<usize> = 345..476;
const STAR_TRAILER: Range<usize> = 508..512;

/// Tells from the first block of a file whether it is an archive: an entry, or the zeros that end an empty one.
pub fn is_archive(start: &[u8]) -> bool {
    let Some(block) = start.first_chunk::<BLOCK_BYTES>() else { return false };
    block.iter().all(|byte| *byte == 0) || Header::parse(block).is_ok_and(|header| header.kind().is_ok())
}

impl<'a> Header<'a> {
    /// Reads a block that is not all zeros.
    pub(crate) fn parse(block: &'a [u8; BLOCK_BYTES]) -> Result<Self, Malformed> {
        let stored = octal(&block[CHECKSUM], "checksum").map_err(|_| Malformed::Checksum)?;
        let (unsigned, signed) = checksums(block);
        if stored != unsigned && stored != signed {
            return Err(Malformed::Checksum);
        }
        let format = match &block[MAGIC] {
            b"ustar  \0" => Format::Gnu,
            magic if magic.starts_with(b"ustar\0") => Format::Ustar,
            _ => Format::V7,
        };
        Ok(Self { block, format })
    }

    pub(crate) fn kind(&self) -> Result<Kind, Malformed> {
        let flag = match self.block[TYPE] {
            // Old writers have no flag for directories, only the slash.
            0 if self.name().ends_with(b"/") => TypeFlag::Directory,
            0 | b'0' | b'7' => TypeFlag::Regular,
            b'1' => TypeFlag::HardLink,
            b'2' => TypeFlag::SymbolicLink,
            b'3' => TypeFlag::CharDevice,
            b'4' => TypeFlag::BlockDevice,
            b'5' => TypeFlag::Directory,
            b'6' => TypeFlag::Fifo,
            b'S' => return Ok(Kind::GnuSparse),
            b'x' | b'X' => return Ok(Kind::PaxLocal),
            b'g' => return Ok(Kind::PaxGlobal),
            b'L' => return Ok(Kind::GnuLongName),
            b'K' => return Ok(Kind::GnuLongLink),
            other => return Err(Malformed::UnknownType { flag: other }),
        };
        Ok(Kind::Entry(flag))
    }

    pub(crate) fn name(&self) -> Vec<u8> {
        let name = text(&self.block[NAME]);
        let prefix = match self.format {
            Format::Ustar if &self.block[STAR_TRAILER] == b"tar\0" => text(&self.block[STAR_PREFIX]),
            Format::Ustar => text(&self.block[USTAR_PREFIX]),
            Format::V7 | Format::Gnu => &[],
        };
        if prefix.is_empty() { name.to_vec() } else { [prefix, b"/", name].concat() }
    }

    pub(crate) fn link(&self) -> Vec<u8> {
        text(&self.block[LINK]).to_vec()
    }

    pub(crate) fn size(&self) -> Result<u64, Malformed> {
        unsigned(&self.block[SIZE], "size")
    }

    pub(crate) fn mode(&self) -> Result<u32, Malformed> {
        // Writers put the file type into the upper bits; only the permissions count.
        Ok((number(&self.block[MODE], "mode")? & 0o7777) as u32)
    }

    pub(crate) fn uid(&self) -> Result<u64, Malformed> {
        unsigned(&self.block[UID], "uid")
    }

    pub(crate) fn gid(&self) -> Result<u64, Malformed> {
        unsigned(&self.block[GID], "gid")
    }

    pub(crate) fn mtime_seconds(&self) -> Result<i64, Malformed> {
        number(&self.block[MTIME], "mtime")
    }

    /// Returns the device numbers; V7 headers have none.
    pub(crate) fn device(&self) -> Result<(u32, u32), Malformed> {
        if self.format == Format::V7 {
            return Ok((0, 0));
        }
        let part = |range: Range<usize>, field| {
            u32::try_from(number(&self.block[range], field)?).map_err(|_| Malformed::Number { field })
        };
        Ok((part(MAJOR, "devmajor")?, part(MINOR, "devminor")?))
    }

    pub(crate) fn block(&self) -> &'a [u8; BLOCK_BYTES] {
        self.block
    }
}

/// Returns the sum of the bytes with the checksum field as spaces, once with unsigned and once with signed bytes (old
/// Sun and BSD writers).
pub(crate) fn checksums(block: &[u8; BLOCK_BYTES]) -> (i64, i64) {
    let mut sums = (0, 0);
    for (index, &byte) in block.iter().enumerate() {
        let byte = if CHECKSUM.contains(&index) { b' ' } else { byte };
        sums.0 += i64::from(byte);
        sums.1 += i64::from(byte.cast_signed());
    }
    sums
}

/// Returns the bytes up to the first NUL.
pub(crate) fn text(field: &[u8]) -> &[u8] {
    field.split(|&byte| byte == 0).next().unwrap_or_default()
}

pub(crate) fn unsigned(field: &[u8], name: &'static str) -> Result<u64, Malformed> {
    u64::try_from(number(field, name)?).map_err(|_| Malformed::Number { field: name })
}

/// Reads a number in octal, or in base 256 (two's complement) if the first bit is set.
pub(crate) fn number(field: &[u8], name: &'static str) -> Result<i64, Malformed> {
    let Some((&first, rest)) = field.split_first() else { return Ok(0) };
    if first & 0x80 == 0 {
        return octal(field, name);
    }
    let negative = first & 0x40 != 0;
    // Bit 7 is the marker; bit 6 is the sign and is spread over the marker's place.
    let first = if negative { first } else { first & 0x7f };
    let mut value = i128::from(first.cast_signed());
    for &byte in rest {
        value = value.checked_mul(256).ok_or(Malformed::Number { field: name })? + i128::from(byte);
        if i64::try_from(value).is_err() {
            return Err(Malformed::Number { field: name });
        }
    }
    i64::try_from(value).map_err(|_| Malformed::Number { field: name })
}

fn octal(field: &[u8], name: &'static str) -> Result<i64, Malformed> {
    let malformed = || Malformed::Number { field: name };
    let is_padding = |byte: &u8| matches!(byte, b' ' | 0);
    let Some(start) = field.iter().position(|byte| !is_padding(byte)) else { return Ok(0) };
    let digits = text(&field[start..]);
    let end = digits.iter().position(|&byte| byte == b' ').unwrap_or(digits.len());
    if digits[end..].iter().any(|byte| !is_padding(byte)) {
        return Err(malformed());
    }
    digits[..end].iter().try_fold(0_i64, |value, &digit| {
        if !(b'0'..=b'7').contains(&digit) {
            return Err(malformed());
        }
        value
            .checked_mul(8)
            .and_then(|value| value.checked_add(i64::from(digit - b'0')))
            .ok_or_else(malformed)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_octal_and_as_base_256() {
        let cases: [(&[u8], Option<i64>); 15] = [
            (b"0000644\0", Some(0o644)),
            (b"  644 \0\0", Some(0o644)),
            (b"\0\0\0\0", Some(0)),
            (b"", Some(0)),
            (b"77777777777", Some(0o77_777_777_777)),
            (b"12x4567\0", None),
            (b"0000008\0", None),
            (b"-000001\0", None),
            (b"1 2\0", None),
            (&[0x80, 0, 0, 0, 0, 0, 1, 0], Some(256)),
            (&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], Some(-1)),
            (&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe], Some(-2)),
            (&[0x80, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], Some(i64::MAX)),
            (&[0x80, 0, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0], None),
            (&[0xbf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], None),
        ];
        for (field, expected) in cases {
            assert_eq!(number(field, "size").ok(), expected, "{field:?}");
        }
    }

    #[test]
    fn negative_size_is_malformed() {
        assert!(unsigned(&[0xff; 12], "size").is_err());
    }

    #[test]
    fn wrong_checksum_is_refused() {
        let mut block = [0; BLOCK_BYTES];
        block[0] = b'a';
        block[CHECKSUM].copy_from_slice(b"000001\0 ");
        assert!(matches!(Header::parse(&block), Err(Malformed::Checksum)));
    }
}
