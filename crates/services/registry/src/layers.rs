//! One layer: fetched, verified and unpacked at the same time.

use crate::Registry;
use crate::download::Download;
use crate::error::Error;
use crate::progress::{LayerProgress, Sink};
use crate::session::Session;
use crate::tee::{Tee, TeeReader, tee};
use content::{Begin, Ingest};
use oci::image::Descriptor;
use refs::Digest;
use std::io::{self, Read};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often we look whether another has finished with a blob that only it may write.
const BUSY_POLL: Duration = Duration::from_millis(100);
const TICK: Duration = Duration::from_millis(100);

impl Registry {
    /// Brings one layer here, unless it is.
    pub(crate) async fn layer(
        &self,
        session: &Session,
        descriptor: &Descriptor,
        diff_id: &Digest,
        sink: &Sink,
    ) -> Result<(), Error> {
        let digest = &descriptor.digest;
        let _layer_turn = self.shared.layers.take(diff_id).await;
        if self.has_layer(diff_id).await? {
            sink.layer(digest, LayerProgress::AlreadyExists).await;
            return Ok(());
        }
        let permit = match self.shared.downloads.try_acquire() {
            Ok(permit) => permit,
            Err(_) => {
                sink.layer(digest, LayerProgress::Waiting).await;
                self.shared.downloads.acquire().await.expect("the semaphore is never closed")
            }
        };
        let is_unpacked = self.fetch(session, descriptor, diff_id, sink).await?;
        drop(permit);
        sink.layer(digest, LayerProgress::Downloaded).await;
        if is_unpacked {
            sink.tick(digest, LayerProgress::Extracting { current: descriptor.size, total: descriptor.size });
        } else {
            self.unpack(descriptor, diff_id, sink).await?;
        }
        sink.layer(digest, LayerProgress::Complete).await;
        Ok(())
    }

    async fn has_layer(&self, diff_id: &Digest) -> Result<bool, Error> {
        let (images, diff_id) = (self.shared.images.clone(), diff_id.clone());
        Ok(self.shared.disk.run(move || images.has_layer(&diff_id)).await?)
    }

    /// Brings the blob here; returns whether the layer was unpacked on the way.
    async fn fetch(
        &self,
        session: &Session,
        descriptor: &Descriptor,
        diff_id: &Digest,
        sink: &Sink,
    ) -> Result<bool, Error> {
        let _blob_turn = self.shared.blobs.take(&descriptor.digest).await;
        let Some(ingest) = self.begin(descriptor).await? else { return Ok(false) };
        let had_some = ingest.offset() > 0;
        // Unpacking on the way needs all bytes from the first one on, and a free thread.
        let slot = if had_some { None } else { Arc::clone(&self.shared.unpacking).try_acquire_owned().ok() };
        let Some(slot) = slot else {
            return match self.download(session, descriptor, sink, ingest, None).await {
                // What an earlier attempt had left may have been damaged: once more, from nothing.
                Err(Error::Content(content::Error::WrongDigest { .. })) if had_some => {
                    let Some(ingest) = self.begin(descriptor).await? else { return Ok(false) };
                    self.download(session, descriptor, sink, ingest, None).await.map(|()| false)
                }
                result => result.map(|()| false),
            };
        };
        let (tee, reader) = tee();
        let downloading = self.download(session, descriptor, sink, ingest, Some(tee));
        let unpacking = async {
            let result = self.unpack_stream(diff_id, &descriptor.digest, reader).await;
            drop(slot);
            result
        };
        let (downloaded, unpacked) = tokio::join!(downloading, unpacking);
        downloaded?;
        // If the stream had to begin anew, the blob is whole and the unpacking is not: it is done from the blob.
        match unpacked {
            Ok(()) => Ok(true),
            Err(error) => {
                tracing::debug!(blob = %descriptor.digest, error = %error::chain(&error), "unpacking from the blob");
                Ok(false)
            }
        }
    }

    /// Begins or resumes the ingest; none if the blob is here.
    async fn begin(&self, descriptor: &Descriptor) -> Result<Option<Ingest>, Error> {
        loop {
            let content = self.shared.images.content().clone();
            let (digest, size) = (descriptor.digest.clone(), descriptor.size);
            match self.shared.disk.run(move || content.try_ingest(&digest, Some(size))).await? {
                Begin::Complete => return Ok(None),
                Begin::Ingest(ingest) => return Ok(Some(*ingest)),
                Begin::Busy => tokio::time::sleep(BUSY_POLL).await,
            }
        }
    }

    async fn download(
        &self,
        session: &Session,
        descriptor: &Descriptor,
        sink: &Sink,
        ingest: Ingest,
        tee: Option<Tee>,
    ) -> Result<(), Error> {
        let (disk, retry) = (&self.shared.disk, self.shared.retry);
        let mut download = Download { session, descriptor, disk, retry, sink, tee, last_tick: None };
        let ingest = download.run(ingest).await?;
        sink.layer(&descriptor.digest, LayerProgress::Verifying).await;
        self.shared.disk.run(move || ingest.commit()).await?;
        if let Some(tee) = download.tee.take() {
            tee.end().await;
        }
        Ok(())
    }

    async fn unpack_stream(&self, diff_id: &Digest, blob: &Digest, reader: TeeReader) -> Result<(), Error> {
        let (images, diff_id, blob) = (self.shared.images.clone(), diff_id.clone(), blob.clone());
        self.shared.unpack.run(move || images.unpack_stream(&diff_id, Some(&blob), reader)).await?;
        Ok(())
    }

    async fn unpack(&self, descriptor: &Descriptor, diff_id: &Digest, sink: &Sink) -> Result<(), Error> {
        let _slot = self.shared.unpacking.acquire().await.expect("the semaphore is never closed");
        let (images, diff_id, blob) =
            (self.shared.images.clone(), diff_id.clone(), descriptor.digest.clone());
        let sink = sink.clone();
        self.shared
            .unpack
            .run(move || -> Result<(), Error> {
                let (file, total) = images.content().open_blob(&blob)?;
                let counter =
                    Counter { inner: file, blob: blob.clone(), current: 0, total, sink, last_tick: None };
                images.unpack_stream(&diff_id, Some(&blob), counter)?;
                Ok(())
            })
            .await
    }
}

/// Tells how far a blob was read.
struct Counter<R> {
    inner: R,
    blob: Digest,
    current: u64,
    total: u64,
    sink: Sink,
    last_tick: Option<Instant>,
}

impl<R: Read> Read for Counter<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.current += count as u64;
        if self.last_tick.is_none_or(|last| last.elapsed() >= TICK) {
            self.last_tick = Some(Instant::now());
            self.sink
                .tick(&self.blob, LayerProgress::Extracting { current: self.current, total: self.total });
        }
        Ok(count)
    }
}
