//! Decompression, chosen by what the first bytes are.

use crate::Error;
use std::io::{self, BufRead, BufReader, Read};

/// How an archive is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip, RFC 1952.
    Gzip,
    /// Zstandard, RFC 8878.
    Zstd,
    /// bzip2.
    Bzip2,
    /// xz, which is LZMA2 in a container.
    Xz,
}

impl Compression {
    /// Tells the compression from the first bytes: at least six, unless there are no more.
    ///
    /// # Errors
    /// A compression that we do not undo.
    ///
    /// # Source
    /// `moby pkg/archive/compression`, which goes by the same magic numbers and not by the media type.
    pub fn detect(start: &[u8]) -> Result<Self, Error> {
        match start {
            [0x1f, 0x8b, ..] => Ok(Self::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Ok(Self::Zstd),
            // A skippable frame may come first.
            [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Ok(Self::Zstd),
            [b'B', b'Z', b'h', ..] => Ok(Self::Bzip2),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Ok(Self::Xz),
            _ => Ok(Self::None),
        }
    }
}

/// What `xz -9` needs to be undone is 65 MiB; a header may ask for 4 GiB.
const XZ_LIMIT_KIB: u32 = 128 << 10;

const BUFFER_BYTES: usize = 128 * 1024;

type Buffered<R> = BufReader<io::Chain<io::Cursor<Vec<u8>>, R>>;

/// The uncompressed bytes of a stream.
pub struct Decoder<R: Read>(Inner<R>);

enum Inner<R: Read> {
    Plain(Buffered<R>),
    Gzip(Box<flate2::bufread::MultiGzDecoder<Buffered<R>>>),
    Zstd(zstd::stream::read::Decoder<'static, Buffered<R>>),
    Bzip2(Box<bzip2::bufread::MultiBzDecoder<Buffered<R>>>),
    Xz(Box<lzma_rust2::XzReader<Buffered<R>>>),
}

impl<R: Read> Decoder<R> {
    /// Reads the first bytes and returns the decoder for them.
    ///
    /// # Errors
    /// A stream that fails, or a compression that we do not undo.
    pub fn new(mut stream: R) -> Result<Self, Error> {
        let mut start = Vec::with_capacity(6);
        stream.by_ref().take(6).read_to_end(&mut start).map_err(Error::of_stream)?;
        let compression = Compression::detect(&start)?;
        let buffered = BufReader::with_capacity(BUFFER_BYTES, io::Cursor::new(start).chain(stream));
        Ok(Self(match compression {
            Compression::None => Inner::Plain(buffered),
            Compression::Gzip => Inner::Gzip(Box::new(flate2::bufread::MultiGzDecoder::new(buffered))),
            // The decoder bounds its window at 128 MiB by itself.
            Compression::Zstd => {
                Inner::Zstd(zstd::stream::read::Decoder::with_buffer(buffered).map_err(Error::of_stream)?)
            }
            Compression::Bzip2 => Inner::Bzip2(Box::new(bzip2::bufread::MultiBzDecoder::new(buffered))),
            Compression::Xz => {
                Inner::Xz(Box::new(lzma_rust2::XzReader::new_mem_limit(buffered, true, XZ_LIMIT_KIB)))
            }
        }))
    }
}

impl<R: Read> Read for Decoder<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.0 {
            Inner::Plain(stream) => {
                let available = stream.fill_buf()?;
                let count = available.len().min(buffer.len());
                buffer[..count].copy_from_slice(&available[..count]);
                stream.consume(count);
                Ok(count)
            }
            Inner::Gzip(stream) => stream.read(buffer),
            Inner::Zstd(stream) => stream.read(buffer).map_err(damaged),
            Inner::Bzip2(stream) => stream.read(buffer).map_err(damaged),
            Inner::Xz(stream) => stream.read(buffer).map_err(damaged),
        }
    }
}

/// zstd's errors come as `Other`; what is no error of the stream below is damage.
fn damaged(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::Other && error.get_ref().is_some_and(|inner| !inner.is::<Error>()) {
        io::Error::new(io::ErrorKind::InvalidData, error)
    } else {
        error
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use error::{Fault, Kind};
    use std::io::Write;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn decode(bytes: &[u8]) -> Result<Vec<u8>, Error> {
        let mut out = Vec::new();
        Decoder::new(bytes)?.read_to_end(&mut out).map_err(Error::of_stream)?;
        Ok(out)
    }

    #[test]
    fn every_compression_gives_the_same_bytes() {
        let text = b"the same bytes ".repeat(10_000);
        let two_members = [gzip(&text[..1000]), gzip(&text[1000..])].concat();
        let zstd = zstd::encode_all(&text[..], 3).unwrap();
        let skippable = [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3][..], &zstd].concat();
        for bytes in [text.clone(), gzip(&text), two_members, zstd, skippable] {
            assert_eq!(decode(&bytes).unwrap(), text);
        }
        assert_eq!(decode(b"").unwrap(), b"");
        assert_eq!(decode(b"ab").unwrap(), b"ab");
    }

    #[test]
    fn damage_is_told_from_other_errors() {
        let text = b"0123456789".repeat(1000);
        let mut flipped = gzip(&text);
        *flipped.last_mut().unwrap() ^= 1;
        let mut flipped_zstd = zstd::encode_all(&text[..], 3).unwrap();
        flipped_zstd.truncate(12);
        for bytes in [flipped, gzip(&text)[..40].to_vec(), flipped_zstd] {
            assert_eq!(decode(&bytes).unwrap_err().kind(), Kind::DataLoss);
        }
        for bytes in [&b"BZh91AY"[..], b"\xfd7zXZ\0"] {
            assert_eq!(decode(bytes).unwrap_err().kind(), Kind::DataLoss);
        }
    }
}
