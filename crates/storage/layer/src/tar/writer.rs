//! Writing an archive: what a built-in image and tests need.

use super::header::{TypeFlag, checksums};
use super::{BLOCK_BYTES, Time};
use std::io::{self, Write};

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
        let records = records(entry);
        if !records.is_empty() {
            let mut block = header(b"PaxHeaders/0", b'x', records.len() as u64);
            seal(&mut block);
            self.out.write_all(&block)?;
            self.data(&records)?;
        }
        let mut block = header(entry.name, flag(entry.kind), entry.bytes.len() as u64);
        put_octal(&mut block[100..108], entry.mode.into());
        put_octal(&mut block[108..116], entry.uid);
        put_octal(&mut block[116..124], entry.gid);
        put_octal(&mut block[136..148], u64::try_from(entry.mtime.seconds).unwrap_or(0));
        put_text(&mut block[157..257], entry.link);
        put_octal(&mut block[329..337], entry.device.0.into());
        put_octal(&mut block[337..345], entry.device.1.into());
        seal(&mut block);
        self.out.write_all(&block)?;
        self.data(entry.bytes)
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
        let padding = bytes.len().next_multiple_of(BLOCK_BYTES) - bytes.len();
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
fn records(entry: &WriterEntry<'_>) -> Vec<u8> {
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
    const MAX_OCTAL_ID: u64 = 0o7_777_777;
    if entry.uid > MAX_OCTAL_ID {
        add(b"uid", entry.uid.to_string().as_bytes());
    }
    if entry.gid > MAX_OCTAL_ID {
        add(b"gid", entry.gid.to_string().as_bytes());
    }
    if entry.mtime.nanoseconds != 0 && entry.mtime.seconds >= 0 {
        add(b"mtime", format!("{}.{:09}", entry.mtime.seconds, entry.mtime.nanoseconds).as_bytes());
    }
    for (name, value) in entry.xattrs {
        add(&[b"SCHILY.xattr.", *name].concat(), value);
    }
    records
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
