//! One blob, from a registry into the content store, over as many connections as it takes.

use crate::Retry;
use crate::error::Error;
use crate::progress::{LayerProgress, Sink};
use crate::session::Session;
use crate::tee::Tee;
use blocking::Blocking;
use bytes::{Bytes, BytesMut};
use content::Ingest;
use oci::image::Descriptor;
use reqwest::header::CONTENT_RANGE;
use reqwest::{Response, StatusCode};
use std::time::{Duration, Instant};

/// Bytes are handed to the disk in pieces of this size.
const PIECE_BYTES: usize = 1 << 20;
const TICK: Duration = Duration::from_millis(100);

/// A blob that is being fetched.
pub(crate) struct Download<'a> {
    pub(crate) session: &'a Session,
    pub(crate) descriptor: &'a Descriptor,
    pub(crate) disk: &'a Blocking,
    pub(crate) retry: Retry,
    pub(crate) sink: &'a Sink,
    /// Where the bytes go besides, as long as they come in one sequence from the first one.
    pub(crate) tee: Option<Tee>,
    pub(crate) last_tick: Option<Instant>,
}

impl Download<'_> {
    /// Fetches what is missing. Returns the ingest, complete by its size and not yet verified.
    pub(crate) async fn run(&mut self, ingest: Ingest) -> Result<Ingest, Error> {
        let mut slot = Some(ingest);
        let mut failures = 0;
        loop {
            let before = offset(&slot);
            if before == self.descriptor.size {
                return Ok(slot.take().expect("every step gives the ingest back"));
            }
            let Err(error) = self.attempt(&mut slot).await else { continue };
            if !error.is_transient() || slot.is_none() {
                return Err(error);
            }
            failures = if offset(&slot) > before { 1 } else { failures + 1 };
            if failures > self.retry.attempts {
                return Err(error);
            }
            let wait = error.retry_after().unwrap_or_else(|| self.retry.delay(failures));
            tracing::debug!(blob = %self.descriptor.digest, %error, wait_ms = wait.as_millis(), "fetching again");
            tokio::time::sleep(wait).await;
        }
    }

    async fn attempt(&mut self, slot: &mut Option<Ingest>) -> Result<(), Error> {
        let from = offset(slot);
        let response = match self.session.blob(&self.descriptor.digest, from).await {
            // The registry says that what we have is longer than what it has: begin anew.
            Err(Error::Status { status: 416, .. }) if from > 0 => {
                self.restart(slot).await?;
                return Ok(());
            }
            response => response?,
        };
        if from > 0 && !continues_at(&response, from) {
            self.restart(slot).await?;
        }
        self.receive(response, slot).await
    }

    async fn receive(&mut self, mut response: Response, slot: &mut Option<Ingest>) -> Result<(), Error> {
        let mut piece = BytesMut::with_capacity(PIECE_BYTES);
        loop {
            let chunk = match response.chunk().await {
                Ok(chunk) => chunk,
                Err(error) => {
                    self.store(piece.freeze(), slot).await?;
                    return Err(self.session.broken(&error));
                }
            };
            let at_end = chunk.is_none();
            piece.extend_from_slice(&chunk.unwrap_or_default());
            if at_end || piece.len() >= PIECE_BYTES {
                let full = std::mem::replace(&mut piece, BytesMut::with_capacity(PIECE_BYTES));
                self.store(full.freeze(), slot).await?;
            }
            self.tick(slot, piece.len());
            if at_end && offset(slot) < self.descriptor.size {
                let reason =
                    format!("the answer ended after {} of {} bytes", offset(slot), self.descriptor.size);
                return Err(Error::Interrupted { registry: self.session.registry(), reason });
            }
            if at_end {
                return Ok(());
            }
        }
    }

    fn tick(&mut self, slot: &Option<Ingest>, buffered: usize) {
        if self.last_tick.is_some_and(|last| last.elapsed() < TICK) {
            return;
        }
        self.last_tick = Some(Instant::now());
        let current = (offset(slot) + buffered as u64).min(self.descriptor.size);
        self.sink.tick(
            &self.descriptor.digest,
            LayerProgress::Downloading { current, total: self.descriptor.size },
        );
    }

    /// Puts bytes on disk, and into the tee.
    async fn store(&mut self, bytes: Bytes, slot: &mut Option<Ingest>) -> Result<(), Error> {
        if bytes.is_empty() {
            return Ok(());
        }
        let mut ingest = slot.take().expect("every step gives the ingest back");
        let for_disk = bytes.clone();
        let (ingest, result) = self
            .disk
            .run(move || {
                let result = ingest.append(&for_disk);
                (ingest, result)
            })
            .await;
        result?; // too many bytes, or a full disk: the ingest goes, what can be kept is on disk
        *slot = Some(ingest);
        if let Some(tee) = &self.tee
            && tee.send(bytes).await.is_err()
        {
            self.tee = None; // its reader has given up, and will say why
        }
        Ok(())
    }

    async fn restart(&mut self, slot: &mut Option<Ingest>) -> Result<(), Error> {
        self.tee = None;
        let mut ingest = slot.take().expect("every step gives the ingest back");
        let (ingest, result) = self
            .disk
            .run(move || {
                let result = ingest.restart();
                (ingest, result)
            })
            .await;
        *slot = Some(ingest);
        Ok(result?)
    }
}

fn offset(slot: &Option<Ingest>) -> u64 {
    slot.as_ref().map_or(0, Ingest::offset)
}

/// Whether an answer to a request with `Range` begins where we asked.
fn continues_at(response: &Response, from: u64) -> bool {
    let header = response.headers().get(CONTENT_RANGE).and_then(|header| header.to_str().ok());
    response.status() == StatusCode::PARTIAL_CONTENT && header.and_then(first_byte) == Some(from)
}

/// `bytes 5-9/10` → 5
fn first_byte(content_range: &str) -> Option<u64> {
    content_range.trim().strip_prefix("bytes ")?.split('-').next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_range_names_its_first_byte() {
        let cases =
            [("bytes 5-9/10", Some(5)), (" bytes 0-0/*", Some(0)), ("bytes */10", None), ("5-9/10", None)];
        for (header, first) in cases {
            assert_eq!(first_byte(header), first, "{header}");
        }
    }
}
