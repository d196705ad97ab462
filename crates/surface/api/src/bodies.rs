//! Large bodies, both ways, for code that blocks: archives that come and go piece by piece.
//!
//! Both directions are bounded: a slow disk makes the client wait, a slow client the disk.

use crate::respond::{self, Body};
use blocking::Blocking;
use bytes::{Buf, Bytes};
use error::Failure;
use futures_util::{Stream, StreamExt, stream};
use http::Response;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use std::io::{self, Read, Write};
use tokio::sync::mpsc;

/// Pieces that wait for the other side.
const QUEUE_PIECES: usize = 4;

/// Pieces that are written are gathered to this size.
const PIECE_BYTES: usize = 64 * 1024;

/// A request's body as a reader, for a thread that may block.
pub(crate) struct BodyReader {
    receiver: mpsc::Receiver<io::Result<Bytes>>,
    current: Bytes,
}

/// Begins to read a body. Reading stops when the reader is dropped.
pub(crate) fn reader(mut body: Incoming) -> BodyReader {
    let (sender, receiver) = mpsc::channel(QUEUE_PIECES);
    // Ends with the body, with the connection, or when nobody reads any more.
    tokio::spawn(async move {
        while let Some(frame) = body.frame().await {
            let piece = match frame.map(hyper::body::Frame::into_data) {
                Ok(Ok(data)) => Ok(data),
                Ok(Err(_)) => continue, // trailers
                Err(error) => Err(io::Error::other(error)),
            };
            let failed = piece.is_err();
            if sender.send(piece).await.is_err() || failed {
                return;
            }
        }
    });
    BodyReader { receiver, current: Bytes::new() }
}

impl Read for BodyReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match self.receiver.blocking_recv() {
                Some(piece) => self.current = piece?,
                None => return Ok(0),
            }
        }
        let count = buffer.len().min(self.current.len());
        self.current.copy_to_slice(&mut buffer[..count]);
        Ok(count)
    }
}

/// Answers with what `write` writes, in a thread of `blocking`. Should it fail in the middle, the connection breaks off, so
/// that the client does not take half an archive for a whole one.
pub(crate) fn writer(
    blocking: &Blocking,
    content_type: &'static str,
    write: impl FnOnce(&mut dyn Write) -> Result<(), Failure> + Send + 'static,
) -> Response<Body> {
    let (sender, receiver) = mpsc::channel(QUEUE_PIECES);
    let blocking = blocking.clone();
    tokio::spawn(async move {
        blocking
            .run(move || {
                let mut pieces = Pieces { sender: sender.clone(), buffer: Vec::with_capacity(PIECE_BYTES) };
                let written = write(&mut pieces).map_err(|failure| failure.message);
                let written = written.and_then(|()| pieces.flush().map_err(|error| error.to_string()));
                if let Err(message) = written {
                    if !sender.is_closed() {
                        tracing::warn!(error = message, "an archive breaks off");
                    }
                    let _ = sender.blocking_send(Err(io::Error::other(message))); // a client that is gone does not mind
                }
            })
            .await;
    });
    respond::fallible_stream(content_type, received(receiver))
}

/// What a channel receives, as a stream.
pub(crate) fn received<T: Send>(receiver: mpsc::Receiver<T>) -> impl Stream<Item = T> + Send {
    stream::unfold(receiver, |mut receiver| async move { receiver.recv().await.map(|item| (item, receiver)) })
        .fuse()
}

/// The thread's side.
struct Pieces {
    sender: mpsc::Sender<io::Result<Bytes>>,
    buffer: Vec<u8>,
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= PIECE_BYTES {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let piece = std::mem::replace(&mut self.buffer, Vec::with_capacity(PIECE_BYTES));
        let gone = |_| io::Error::new(io::ErrorKind::BrokenPipe, "the client is gone");
        self.sender.blocking_send(Ok(piece.into())).map_err(gone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn collect(response: Response<Body>) -> Result<Vec<u8>, io::Error> {
        Ok(response.into_body().collect().await?.to_bytes().to_vec())
    }

    #[tokio::test]
    async fn writer_sends_all_bytes() {
        let response = writer(&Blocking::new(1), "application/x-tar", |out| {
            for _ in 0..10_000 {
                out.write_all(&[7; 100])
                    .map_err(|error| Failure::new(error::Kind::Internal, error.to_string()))?;
            }
            Ok(())
        });
        assert_eq!(collect(response).await.unwrap(), vec![7; 1_000_000]);
    }

    #[tokio::test]
    async fn writer_that_fails_breaks_the_body_off() {
        let response = writer(&Blocking::new(1), "application/x-tar", |out| {
            let _ = out.write_all(b"half"); // it fits the buffer
            Err(Failure::new(error::Kind::Internal, "broken"))
        });
        assert_eq!(collect(response).await.unwrap_err().to_string(), "broken");
    }
}
