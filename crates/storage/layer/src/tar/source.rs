//! The stream below the reader: buffered, hashed, counted against a limit.

use super::BLOCK_BYTES;
use crate::{Error, Malformed};
use refs::Digest;
use sha2::{Digest as _, Sha256};
use std::io::Read;

const BUFFER_BYTES: usize = 128 * 1024;

/// An uncompressed archive as it streams by.
pub struct Source<'a> {
    inner: Box<dyn Read + 'a>,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    hasher: Sha256,
    read_bytes: u64,
    limit_bytes: u64,
}

impl<'a> Source<'a> {
    /// Returns a source that fails once more than `limit_bytes` were read.
    pub fn new(inner: impl Read + 'a, limit_bytes: u64) -> Self {
        Self {
            inner: Box::new(inner),
            buffer: vec![0; BUFFER_BYTES].into_boxed_slice(),
            start: 0,
            end: 0,
            hasher: Sha256::new(),
            read_bytes: 0,
            limit_bytes,
        }
    }

    /// Reads what is left, and returns the digest and the size of the whole stream.
    ///
    /// # Errors
    /// Those of the stream, or one that is longer than the limit.
    pub fn finish(mut self) -> Result<(Digest, u64), Error> {
        loop {
            self.start = self.end;
            if self.fill()?.is_empty() {
                return Ok((Digest::sha256(self.hasher.finalize().into()), self.read_bytes));
            }
        }
    }

    /// Returns the bytes at hand, at least one unless the stream is at its end.
    pub(crate) fn fill(&mut self) -> Result<&[u8], Error> {
        while self.start == self.end {
            let read = match self.inner.read(&mut self.buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Error::of_stream(error)),
            };
            self.read_bytes += read as u64;
            if self.read_bytes > self.limit_bytes {
                return Err(Error::TooLarge { limit_bytes: self.limit_bytes });
            }
            self.hasher.update(&self.buffer[..read]);
            (self.start, self.end) = (0, read);
        }
        Ok(&self.buffer[self.start..self.end])
    }

    /// Returns how many bytes were taken so far.
    pub(crate) fn position(&self) -> u64 {
        self.read_bytes - (self.end - self.start) as u64
    }

    /// Takes `count` of the bytes at hand, or all if there are fewer.
    pub(crate) fn take(&mut self, count: usize) -> &[u8] {
        let start = self.start;
        self.start = (start + count).min(self.end);
        &self.buffer[start..self.start]
    }

    /// Reads one block; none at the end of the stream.
    pub(crate) fn block(&mut self) -> Result<Option<[u8; BLOCK_BYTES]>, Error> {
        let mut block = [0; BLOCK_BYTES];
        let mut filled = 0;
        while filled < BLOCK_BYTES {
            if self.fill()?.is_empty() {
                return if filled == 0 { Ok(None) } else { Err(Malformed::Truncated.into()) };
            }
            let taken = self.take(BLOCK_BYTES - filled);
            block[filled..filled + taken.len()].copy_from_slice(taken);
            filled += taken.len();
        }
        Ok(Some(block))
    }

    /// Passes over `count` bytes.
    pub(crate) fn skip(&mut self, mut count: u64) -> Result<(), Error> {
        while count > 0 {
            let available = self.fill()?.len();
            if available == 0 {
                return Err(Malformed::Truncated.into());
            }
            let step = usize::try_from(count).unwrap_or(usize::MAX).min(available);
            self.take(step);
            count -= step as u64;
        }
        Ok(())
    }
}
