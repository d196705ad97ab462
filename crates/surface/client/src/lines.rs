//! Answers that come piece by piece.

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde::de::DeserializeOwned;
use std::marker::PhantomData;

use crate::Error;

/// An answer as it comes, chunk by chunk.
#[derive(Debug)]
pub struct ByteStream {
    what: String,
    body: Incoming,
}

impl ByteStream {
    pub(crate) fn new(what: String, body: Incoming) -> Self {
        Self { what, body }
    }

    /// Returns the next chunk, or none at the end.
    ///
    /// # Errors
    /// [`Error::Broken`] if the connection breaks.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        while let Some(frame) = self.body.frame().await {
            let frame = frame
                .map_err(|source| Error::Broken { what: self.what.clone(), source: Box::new(source) })?;
            match frame.into_data() {
                Ok(chunk) if !chunk.is_empty() => return Ok(Some(chunk)),
                _ => continue,
            }
        }
        Ok(None)
    }
}

/// An answer of JSON values, one per line.
#[derive(Debug)]
pub struct JsonLines<T> {
    stream: ByteStream,
    buffer: BytesMut,
    searched: usize,
    item: PhantomData<fn() -> T>,
}

/// A line longer than this is not one of an engine.
const MAX_LINE_BYTES: usize = 16 << 20;

impl<T: DeserializeOwned> JsonLines<T> {
    pub(crate) fn new(stream: ByteStream) -> Self {
        Self { stream, buffer: BytesMut::new(), searched: 0, item: PhantomData }
    }

    /// Returns the next value, or none at the end.
    ///
    /// # Errors
    /// [`Error::Broken`] if the connection breaks, [`Error::Answer`] for a line that is not such a value.
    pub async fn next(&mut self) -> Result<Option<T>, Error> {
        loop {
            if let Some(end) = self.buffer[self.searched..].iter().position(|byte| *byte == b'\n') {
                let line = self.buffer.split_to(self.searched + end + 1);
                self.searched = 0;
                if line.trim_ascii().is_empty() {
                    continue;
                }
                return self.parse(&line).map(Some);
            }
            self.searched = self.buffer.len();
            if self.searched > MAX_LINE_BYTES {
                let source = std::io::Error::other("a line is longer than 16 MiB");
                return Err(Error::Broken { what: self.stream.what.clone(), source: Box::new(source) });
            }
            match self.stream.next().await? {
                Some(chunk) => self.buffer.extend_from_slice(&chunk),
                None => {
                    let rest = self.buffer.split();
                    self.searched = 0;
                    return if rest.trim_ascii().is_empty() { Ok(None) } else { self.parse(&rest).map(Some) };
                }
            }
        }
    }

    fn parse(&self, line: &[u8]) -> Result<T, Error> {
        serde_json::from_slice(line)
            .map_err(|source| Error::Answer { what: self.stream.what.clone(), source })
    }
}
