//! Compression of the layers that are made here.

use std::io::{self, Write};

/// Compresses what is written as gzip: every registry and every version of Docker takes it. The same bytes give the same
/// result: there is neither a name nor a time in it.
///
/// The fastest level, because a layer is written while its maker waits, and read by machines that hardly notice.
pub struct Encoder<W: Write>(flate2::write::GzEncoder<W>);

impl<W: Write> Encoder<W> {
    /// Returns an encoder that writes to `out`.
    pub fn new(out: W) -> Self {
        Self(flate2::write::GzEncoder::new(out, flate2::Compression::fast()))
    }

    /// Writes what is left, and returns the stream.
    ///
    /// # Errors
    /// Those of the stream.
    pub fn finish(self) -> io::Result<W> {
        self.0.finish()
    }
}

impl<W: Write> Write for Encoder<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Decoder;
    use std::io::Read;

    #[test]
    fn encoder_gives_the_same_bytes_each_time_and_they_decode() {
        let encode = || {
            let mut encoder = Encoder::new(Vec::new());
            encoder.write_all(&b"layer ".repeat(1000)).unwrap();
            encoder.finish().unwrap()
        };
        let bytes = encode();
        assert_eq!(bytes, encode());
        let mut text = Vec::new();
        Decoder::new(&bytes[..]).unwrap().read_to_end(&mut text).unwrap();
        assert_eq!(text, b"layer ".repeat(1000));
    }
}
