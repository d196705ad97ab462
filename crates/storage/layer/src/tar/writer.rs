//! Writing an archive.

use super::header::{TypeFlag, checksums};
use super::{BLOCK_BYTES, Time};
use std::io::{self, Read, Write};

/// An entry to be written.
#[derive(Debug, Clone)]
pub struct WriterEntry<'a> {
    /// The name, written as it is.
    pub name: &'a [u8],
    /// What it is.
    pub kind: TypeFlag,
    /// The target of a link.
    pub link: &'a [u8],
    /// Permission bits.
    pub mode: u32,
    /// The owner.
    pub uid: u64,
    /// The group.
    pub gid: u64,
    /// When the content changed.
    pub mtime: Time,
    /// Major and minor number of a device.
    pub device: (u32, u32),
    /// Extended attributes.
    pub xattrs: &'a [(&'a [u8], &'a [u8])],
    /// The bytes of a regular file.
    pub bytes: &'a [u8],
}

impl<'a> WriterEntry<'a> {
    /// Returns an entry of root's with mode 0755 and no date.
    pub fn new(name: &'a str, kind: TypeFlag) -> Self {
        Self {
            name: name.as_bytes(),
            kind,
            link: &[],
            mode: 0o755,
            uid: 0,
            gid: 0,
            mtime: Time::default(),
            device: (0, 0),
            xattrs: &[],
            bytes: &[],
        }
    }
}

/// How much of a file is copied at once.
const COPY_BYTES: usize = 128 * 1024;

/// Writes entries one after another in the ustar format, with PAX headers where that does not suffice.
pub struct Writer<W: Write> {
    out: W,
}

impl<W: Write> Writer<W> {
    /// Returns a writer to `out`.
    pub fn new(out: W) -> Self {
        Self { out }
    }

    /// Writes one entry.
    ///
    /// # Errors
    /// Those of the stream.
    pub fn entry(&mut self, entry: &WriterEntry<'_>) -> io::Result<()> {
        self.headers(entry, entry.bytes.len() as u64)?;
        self.data(entry.bytes)
    }

    /// Writes one regular file whose bytes come from a reader; the entry's own are ignored. Exactly `size_bytes` are
    /// written, because the header has announced them: what a reader lacks is filled with zeros, what it has beyond is left.
    ///
    /// # Errors
    /// Those of the stream and of the reader.
    pub fn file(
        &mut self,
        entry: &WriterEntry<'_>,
        size_bytes: u64,
        reader: &mut dyn Read,
    ) -> io::Result<()> {
        self.headers(entry, size_bytes)?;
        let mut buffer = vec![0; COPY_BYTES];
        let mut left = size_bytes;
        let mut at_end = false;
        while left > 0 {
            let wanted = usize::try_from(left).map_or(COPY_BYTES, |left| left.min(COPY_BYTES));
            let count = if at_end { 0 } else { reader.read(&mut buffer[..wanted])? };
            if count == 0 {
                at_end = true;
                buffer.fill(0);
            }
            let count = if at_end { wanted } else { count };
            self.out.write_all(&buffer[..count])?;
            left -= count as u64;
        }
        self.pad(size_bytes)
    }

    fn headers(&mut self, entry: &WriterEntry<'_>, size_bytes: u64) -> io::Result<()> {
        let records = records(entry, size_bytes);
        if !records.is_empty() {
            let mut block = header(b"PaxHeaders/0", b'x', records.len() as u64);
            seal(&mut block);
            self.out.write_all(&block)?;
            self.data(&records)?;
        }
        let mut block = header(entry.name, flag(entry.kind), size_bytes);
        put_octal(&mut block[100..108], entry.mode.into());
        put_octal(&mut block[108..116], entry.uid);
        put_octal(&mut block[116..124], entry.gid);
        put_octal(&mut block[136..148], u64::try_from(entry.mtime.seconds).unwrap_or(0));
        put_text(&mut block[157..257], entry.link);
        put_octal(&mut block[329..337], entry.device.0.into());
        put_octal(&mut block[337..345], entry.device.1.into());
        seal(&mut block);
        self.out.write_all(&block)
    }

    /// Writes the end, and returns the stream.
    ///
    /// # Errors
    /// Those of the stream.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.write_all(&[0; 2 * BLOCK_BYTES])?;
        Ok(self.out)
    }

    fn data(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)?;
        self.pad(bytes.len() as u64)
    }

    fn pad(&mut self, size_bytes: u64) -> io::Result<()> {
        let over = usize::try_from(size_bytes % BLOCK_BYTES as u64).unwrap_or_default();
        let padding = if over == 0 { 0 } else { BLOCK_BYTES - over };
        self.out.write_all(&[0; BLOCK_BYTES][..padding])
    }
}

fn flag(kind: TypeFlag) -> u8 {
    match kind {
        TypeFlag::Regular => b'0',
        TypeFlag::HardLink => b'1',
        TypeFlag::SymbolicLink => b'2',
        TypeFlag::CharDevice => b'3',
        TypeFlag::BlockDevice => b'4',
        TypeFlag::Directory => b'5',
        TypeFlag::Fifo => b'6',
    }
}

/// Returns the PAX records for what the plain header cannot say.
fn records(entry: &WriterEntry<'_>, size_bytes: u64) -> Vec<u8> {
    let mut records = Vec::new();
    let mut add = |key: &[u8], value: &[u8]| {
        let body_bytes = key.len() + value.len() + 3;
        // The length counts its own digits.
        let mut length = body_bytes + 1;
        while body_bytes + length.to_string().len() != length {
            length += 1;
        }
        records.extend_from_slice(length.to_string().as_bytes());
        records.extend_from_slice(b" ");
        records.extend_from_slice(key);
        records.extend_from_slice(b"=");
        records.extend_from_slice(value);
        records.extend_from_slice(b"\n");
    };
    if entry.name.len() > 100 {
        add(b"path", entry.name);
    }
    if entry.link.len() > 100 {
        add(b"linkpath", entry.link);
    }
    const MAX_OCTAL_SIZE: u64 = 0o77_777_777_777;
    if size_bytes > MAX_OCTAL_SIZE {
        add(b"size", size_bytes.to_string().as_bytes());
    }
    const MAX_OCTAL_ID: u64 = 0o7_777_777;
    if entry.uid > MAX_OCTAL_ID {
        add(b"uid", entry.uid.to_string().as_bytes());
    }
    if entry.gid > MAX_OCTAL_ID {
        add(b"gid", entry.gid.to_string().as_bytes());
    }
    if entry.mtime.nanoseconds != 0 || entry.mtime.seconds < 0 {
        add(b"mtime", decimal(entry.mtime).as_bytes());
    }
    for (name, value) in entry.xattrs {
        add(&[b"SCHILY.xattr.", *name].concat(), value);
    }
    records
}

/// Returns a time as PAX writes it: the fraction goes with the sign, while ours goes forward.
fn decimal(time: Time) -> String {
    const SECOND: u32 = 1_000_000_000;
    match (time.seconds, time.nanoseconds) {
        (seconds, 0) => seconds.to_string(),
        (seconds @ 0.., nanoseconds) => format!("{seconds}.{nanoseconds:09}"),
        (seconds, nanoseconds) => format!("-{}.{:09}", (seconds + 1).unsigned_abs(), SECOND - nanoseconds),
    }
}

fn header(name: &[u8], flag: u8, size: u64) -> [u8; BLOCK_BYTES] {
    let mut block = [0; BLOCK_BYTES];
    put_text(&mut block[..100], name);
    put_octal(&mut block[100..108], 0o644);
    put_octal(&mut block[108..116], 0);
    put_octal(&mut block[116..124], 0);
    put_octal(&mut block[124..136], size);
    put_octal(&mut block[136..148], 0);
    block[156] = flag;
    block[257..265].copy_from_slice(b"ustar\x0000");
    block
}

fn seal(block: &mut [u8; BLOCK_BYTES]) {
    let (sum, _) = checksums(block);
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

/// Writes as much of the text as fits; what does not stands in a PAX record.
fn put_text(field: &mut [u8], text: &[u8]) {
    let count = text.len().min(field.len());
    field[..count].copy_from_slice(&text[..count]);
}

/// Writes a number, or in base 256 if it has too many digits.
fn put_octal(field: &mut [u8], number: u64) {
    let digits = field.len() - 1;
    let text = format!("{number:0digits$o}");
    if text.len() == digits {
        field[..digits].copy_from_slice(text.as_bytes());
        return;
    }
    let bytes = number.to_be_bytes();
    let count = bytes.len().min(field.len());
    let start = field.len() - count;
    field[start..].copy_from_slice(&bytes[bytes.len() - count..]);
    field[0] |= 0x80;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tar::{Archive, Source};

    #[test]
    fn times_before_1970_have_their_fraction_with_the_sign() {
        let cases = [
            (0, 0, "0"),
            (5, 0, "5"),
            (5, 7, "5.000000007"),
            (-1, 0, "-1"),
            (-1, 500_000_000, "-0.500000000"),
            (-2, 250_000_000, "-1.750000000"),
        ];
        for (seconds, nanoseconds, expected) in cases {
            assert_eq!(decimal(Time { seconds, nanoseconds }), expected);
        }
    }

    #[test]
    fn file_has_the_announced_size_whatever_the_reader_has() {
        for (size_bytes, bytes, expected) in [(5_u64, "abc", "abc\0\0"), (2, "abc", "ab"), (0, "abc", "")] {
            let mut writer = Writer::new(Vec::new());
            let entry = WriterEntry::new("f", TypeFlag::Regular);
            writer.file(&entry, size_bytes, &mut bytes.as_bytes()).unwrap();
            writer.entry(&WriterEntry::new("d/", TypeFlag::Directory)).unwrap();
            let bytes = writer.finish().unwrap();
            let mut archive = Archive::new(Source::new(&bytes[..], 1 << 20), 10);
            assert_eq!(archive.next_entry().unwrap().unwrap().size_bytes, size_bytes);
            let mut found = Vec::new();
            while let Some(chunk) = archive.next_chunk().unwrap() {
                found.extend_from_slice(chunk.bytes);
            }
            assert_eq!(String::from_utf8(found).unwrap(), expected);
            assert_eq!(archive.next_entry().unwrap().unwrap().name, b"d/");
        }
    }
}
