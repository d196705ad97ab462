//! Layers that are made here: of a container's changes, of an archive that a client sends.
//!
//! One pass hashes the archive (its diff ID) and compresses it into a blob, so that pushing and saving find the layer as
//! a registry would keep it. The layer is then unpacked from that blob, like any other.

use crate::images::now_ns;
use crate::{Error, Images};
use content::{Hasher, Staging};
use layer::{Decoder, Encoder};
use refs::{Algorithm, Digest};
use std::io::{self, Read, Write};
use store::LayerRow;

/// An archive on its way into a blob.
pub(crate) struct Packing {
    hasher: Hasher,
    encoder: Encoder<Staging>,
}

/// An archive whose last byte is known.
pub(crate) struct Packed {
    /// The digest of the archive.
    pub(crate) diff_id: Digest,
    /// The compressed archive.
    pub(crate) staging: Staging,
}

impl Packing {
    pub(crate) fn begin(images: &Images) -> Result<Self, Error> {
        let encoder = Encoder::new(images.shared.content.stage()?);
        Ok(Self { hasher: Hasher::new(Algorithm::Sha256), encoder })
    }

    pub(crate) fn finish(self) -> Result<Packed, Error> {
        let staging = self.encoder.finish().map_err(|source| layer::Error::Output { source })?;
        Ok(Packed { diff_id: self.hasher.finish(), staging })
    }
}

impl Write for Packing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.encoder.write(bytes)?;
        self.hasher.update(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.encoder.flush()
    }
}

impl Images {
    /// Makes a layer of the archive that `write` writes; returns its diff ID. Hold a lease until an image has it.
    ///
    /// # Errors
    /// Those of `write`; an archive that is malformed or over the limits; a full disk.
    pub fn make_layer(
        &self,
        write: impl FnOnce(&mut dyn Write) -> Result<(), layer::Error>,
    ) -> Result<Digest, Error> {
        let mut packing = Packing::begin(self)?;
        write(&mut packing)?;
        let packed = packing.finish()?;
        let (blob, _) = packed.staging.commit()?;
        self.adopt(&packed.diff_id, &blob)?;
        Ok(packed.diff_id)
    }

    /// Makes a layer of an archive, compressed or not, that comes from outside. Hold a lease until an image has it.
    ///
    /// # Errors
    /// As [`Images::make_layer`]; a stream that fails.
    pub fn import_layer(&self, archive: impl Read) -> Result<Digest, Error> {
        let mut decoder = Decoder::new(archive)?;
        self.make_layer(|out| copy(&mut decoder, out))
    }

    /// Unpacks a layer from a blob; one that is here already, but has no blob, gets this one.
    pub(crate) fn adopt(&self, diff_id: &Digest, blob: &Digest) -> Result<(), Error> {
        self.unpack(diff_id, blob)?;
        if self.layer_blob(diff_id)?.is_none() {
            let size_bytes = self.layer_size_bytes(diff_id)?;
            let blob = Some(blob.clone());
            let row = LayerRow { diff_id: diff_id.clone(), size_bytes, blob, created_ns: now_ns() };
            self.shared.store.write_relaxed(|tx| tx.add_layer(&row))?;
        }
        Ok(())
    }
}

/// Copies an archive; failing to read is told from failing to write.
fn copy(from: &mut dyn Read, to: &mut dyn Write) -> Result<(), layer::Error> {
    let mut buffer = vec![0; 128 * 1024];
    loop {
        let count = from.read(&mut buffer).map_err(layer::Error::of_stream)?;
        if count == 0 {
            return Ok(());
        }
        to.write_all(&buffer[..count]).map_err(|source| layer::Error::Output { source })?;
    }
}
