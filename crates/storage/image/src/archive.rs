//! A layer as the bytes that it came as: what pushing and saving send.

use crate::{Error, Images};
use layer::Decoder;
use refs::Digest;
use std::io::Read;
use store::BlobRow;

impl Images {
    /// Returns the bytes of a layer's regular files, as they were counted when it came; 0 for one that is not known.
    ///
    /// # Errors
    /// Those of the database.
    pub fn layer_size_bytes(&self, diff_id: &Digest) -> Result<u64, Error> {
        Ok(self.shared.store.read(|tx| tx.layer(diff_id))?.map_or(0, |layer| layer.size_bytes))
    }

    /// Returns the blob that a layer came as, compressed or not, if that blob is here.
    ///
    /// # Errors
    /// Those of the database.
    pub fn layer_blob(&self, diff_id: &Digest) -> Result<Option<BlobRow>, Error> {
        let row = self.shared.store.read(|tx| match tx.layer(diff_id)?.and_then(|layer| layer.blob) {
            Some(blob) => Ok::<_, Error>(tx.blob(&blob)?),
            None => Ok(None),
        })?;
        Ok(row.filter(|row| self.shared.content.contains(&row.digest)))
    }

    /// Opens a layer's uncompressed archive: the very bytes of which the diff ID is the digest. Hold a lease while reading.
    ///
    /// # Errors
    /// A layer that is not here, or whose archive was not kept; a blob that cannot be read.
    pub fn layer_archive(&self, diff_id: &Digest) -> Result<Box<dyn Read + Send>, Error> {
        if let Some(archive) = self.shared.layers.archive(diff_id)? {
            return Ok(Box::new(archive));
        }
        let missing = || Error::MissingLayer { diff_id: diff_id.clone() };
        let blob = self.layer_blob(diff_id)?.ok_or_else(missing)?;
        let (file, _) = self.shared.content.open_blob(&blob.digest)?;
        Ok(Box::new(Decoder::new(file)?))
    }
}
