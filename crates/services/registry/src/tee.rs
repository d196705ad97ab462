//! Bytes on their way to the disk, read at the same time by the one who unpacks them.

use bytes::{Buf, Bytes};
use std::io::{self, Read};
use tokio::sync::mpsc;

/// Pieces that may wait for the reader.
const WAITING: usize = 4;

enum Part {
    Bytes(Bytes),
    /// All was sent, and the whole was verified.
    End,
}

/// The side that bytes go in.
pub(crate) struct Tee {
    sender: mpsc::Sender<Part>,
}

/// The side that bytes come out. Fails if the other side goes away before [`Tee::end`].
pub(crate) struct TeeReader {
    receiver: mpsc::Receiver<Part>,
    current: Bytes,
    at_end: bool,
}

/// The reader is gone.
#[derive(Debug)]
pub(crate) struct Gone;

pub(crate) fn tee() -> (Tee, TeeReader) {
    let (sender, receiver) = mpsc::channel(WAITING);
    (Tee { sender }, TeeReader { receiver, current: Bytes::new(), at_end: false })
}

impl Tee {
    pub(crate) async fn send(&self, bytes: Bytes) -> Result<(), Gone> {
        self.sender.send(Part::Bytes(bytes)).await.map_err(|_| Gone)
    }

    /// Says that all was sent and is what it should be.
    pub(crate) async fn end(self) {
        let _ = self.sender.send(Part::End).await; // a reader that is gone will say why
    }
}

impl Read for TeeReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() && !self.at_end {
            match self.receiver.blocking_recv() {
                Some(Part::Bytes(bytes)) => self.current = bytes,
                Some(Part::End) => self.at_end = true,
                None => return Err(io::Error::other("the download stopped")),
            }
        }
        let count = buffer.len().min(self.current.len());
        self.current.copy_to_slice(&mut buffer[..count]);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn reader_gets_all_bytes_and_the_end() {
        let (tee, mut reader) = tee();
        let reading = tokio::task::spawn_blocking(move || {
            let mut all = Vec::new();
            reader.read_to_end(&mut all).map(|_| all)
        });
        for byte in 0..10 {
            tee.send(Bytes::from(vec![byte; 3])).await.unwrap();
        }
        tee.end().await;
        assert_eq!(reading.await.unwrap().unwrap().len(), 30);
    }

    #[tokio::test]
    async fn reader_fails_without_an_end() {
        let (tee, mut reader) = tee();
        tee.send(Bytes::from_static(b"x")).await.unwrap();
        drop(tee);
        let result = tokio::task::spawn_blocking(move || reader.read_to_end(&mut Vec::new())).await.unwrap();
        assert_eq!(result.unwrap_err().to_string(), "the download stopped");
    }
}
