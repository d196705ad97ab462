//! Giving back what no image and no container needs.

use crate::{Error, Images};
use refs::Digest;
use store::Tx;

/// What a collection has given back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Collected {
    /// The layers that went.
    pub layers: Vec<Digest>,
    /// The blobs that went.
    pub blobs: Vec<Digest>,
    /// The bytes of both.
    pub size_bytes: u64,
    /// Nothing was done, because leases are held.
    pub deferred: bool,
}

impl Images {
    /// Removes layers and blobs that belong to no image and no snapshot. Does nothing while leases are held.
    ///
    /// # Errors
    /// Those of the disk and of the database.
    pub fn collect(&self) -> Result<Collected, Error> {
        let Some(_closed) = self.shared.gate.close() else {
            return Ok(Collected { deferred: true, ..Collected::default() });
        };
        let anything = self
            .shared
            .store
            .read(|tx| Ok::<_, Error>(!tx.unused_layers()?.is_empty() || !tx.unused_blobs()?.is_empty()))?;
        if !anything {
            return Ok(Collected::default());
        }
        let collected = self.shared.store.write(forget_unused)?;
        self.discard(&collected)?;
        Ok(collected)
    }

    /// Removes the files of what the database has forgotten; goes on after a failure, and reports the first.
    pub(crate) fn discard(&self, collected: &Collected) -> Result<(), Error> {
        let layers =
            collected.layers.iter().map(|layer| self.shared.layers.remove(layer).map_err(Error::from));
        let blobs =
            collected.blobs.iter().map(|blob| self.shared.content.remove_file(blob).map_err(Error::from));
        let mut first = Ok(());
        for result in layers.chain(blobs) {
            first = first.and(result);
        }
        first
    }
}

/// Takes the rows of what is unused away, and returns what that was.
pub(crate) fn forget_unused(tx: &Tx<'_>) -> Result<Collected, Error> {
    let mut collected = Collected::default();
    for layer in tx.unused_layers()? {
        tx.delete_layer(&layer.diff_id)?;
        crate::account::forget(tx, &layer.diff_id)?;
        collected.size_bytes += layer.size_bytes;
        collected.layers.push(layer.diff_id);
    }
    for blob in tx.unused_blobs()? {
        tx.delete_blob(&blob.digest)?;
        collected.size_bytes += blob.size_bytes;
        collected.blobs.push(blob.digest);
    }
    Ok(collected)
}
