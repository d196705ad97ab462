//! Blobs and layers: which files of `content/` and `layers/` are complete.

use crate::{Error, Tx};
use refs::Digest;
use rusqlite::{Row, params};

/// A blob in the content store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobRow {
    /// The digest of its bytes.
    pub digest: Digest,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// When it was complete: nanoseconds since 1970-01-01 UTC.
    pub created_ns: i64,
}

/// A layer that is unpacked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerRow {
    /// The digest of its uncompressed archive.
    pub diff_id: Digest,
    /// The bytes of its regular files.
    pub size_bytes: u64,
    /// The blob that it was unpacked from, if that was one.
    pub blob: Option<Digest>,
    /// When it was complete: nanoseconds since 1970-01-01 UTC.
    pub created_ns: i64,
}

impl Tx<'_> {
    /// Notes a complete blob; one that is known already stays as it is.
    ///
    /// # Errors
    /// Those of the database.
    pub fn add_blob(&self, blob: &BlobRow) -> Result<(), Error> {
        self.execute(
            "adding a blob",
            "INSERT INTO blobs (digest, size_bytes, created_ns) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
            params![blob.digest.as_str(), to_integer(blob.size_bytes), blob.created_ns],
        )?;
        Ok(())
    }

    /// Reads one blob's row.
    ///
    /// # Errors
    /// Those of the database.
    pub fn blob(&self, digest: &Digest) -> Result<Option<BlobRow>, Error> {
        self.row(
            "reading a blob",
            "SELECT digest, size_bytes, created_ns FROM blobs WHERE digest = ?1",
            params![digest.as_str()],
            raw_blob,
        )?
        .map(blob)
        .transpose()
    }

    /// Reads all blobs' rows, ordered by digest.
    ///
    /// # Errors
    /// Those of the database.
    pub fn blobs(&self) -> Result<Vec<BlobRow>, Error> {
        let sql = "SELECT digest, size_bytes, created_ns FROM blobs ORDER BY digest";
        self.rows("listing blobs", sql, [], raw_blob)?.into_iter().map(blob).collect()
    }

    /// Reads the blobs that belong to no image.
    ///
    /// # Errors
    /// Those of the database.
    pub fn unused_blobs(&self) -> Result<Vec<BlobRow>, Error> {
        let sql = "SELECT digest, size_bytes, created_ns FROM blobs
                   WHERE digest NOT IN (SELECT digest FROM image_blobs) ORDER BY digest";
        self.rows("listing unused blobs", sql, [], raw_blob)?.into_iter().map(blob).collect()
    }

    /// Forgets a blob; returns whether it was known.
    ///
    /// # Errors
    /// A blob that belongs to an image.
    pub fn delete_blob(&self, digest: &Digest) -> Result<bool, Error> {
        let deleted =
            self.execute("deleting a blob", "DELETE FROM blobs WHERE digest = ?1", params![digest.as_str()])?;
        Ok(deleted > 0)
    }

    /// Notes a complete layer; of one that is known already only the blob is renewed.
    ///
    /// # Errors
    /// Those of the database.
    pub fn add_layer(&self, layer: &LayerRow) -> Result<(), Error> {
        self.execute(
            "adding a layer",
            "INSERT INTO layers (diff_id, size_bytes, blob, created_ns) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT DO UPDATE SET blob = coalesce(excluded.blob, blob)",
            params![
                layer.diff_id.as_str(),
                to_integer(layer.size_bytes),
                layer.blob.as_ref().map(Digest::as_str),
                layer.created_ns
            ],
        )?;
        Ok(())
    }

    /// Reads one layer's row.
    ///
    /// # Errors
    /// Those of the database.
    pub fn layer(&self, diff_id: &Digest) -> Result<Option<LayerRow>, Error> {
        self.row(
            "reading a layer",
            "SELECT diff_id, size_bytes, blob, created_ns FROM layers WHERE diff_id = ?1",
            params![diff_id.as_str()],
            raw_layer,
        )?
        .map(layer)
        .transpose()
    }

    /// Reads all layers' rows, ordered by diff ID.
    ///
    /// # Errors
    /// Those of the database.
    pub fn layers(&self) -> Result<Vec<LayerRow>, Error> {
        let sql = "SELECT diff_id, size_bytes, blob, created_ns FROM layers ORDER BY diff_id";
        self.rows("listing layers", sql, [], raw_layer)?.into_iter().map(layer).collect()
    }

    /// Reads the layers that belong to no image and to no snapshot.
    ///
    /// # Errors
    /// Those of the database.
    pub fn unused_layers(&self) -> Result<Vec<LayerRow>, Error> {
        let sql = "SELECT diff_id, size_bytes, blob, created_ns FROM layers
                   WHERE diff_id NOT IN (SELECT diff_id FROM image_layers)
                     AND diff_id NOT IN (SELECT diff_id FROM snapshot_layers) ORDER BY diff_id";
        self.rows("listing unused layers", sql, [], raw_layer)?.into_iter().map(layer).collect()
    }

    /// Forgets a layer; returns whether it was known.
    ///
    /// # Errors
    /// A layer that belongs to an image or a snapshot.
    pub fn delete_layer(&self, diff_id: &Digest) -> Result<bool, Error> {
        let deleted = self.execute(
            "deleting a layer",
            "DELETE FROM layers WHERE diff_id = ?1",
            params![diff_id.as_str()],
        )?;
        Ok(deleted > 0)
    }
}

type RawLayer = (String, i64, Option<String>, i64);

fn raw_blob(row: &Row<'_>) -> rusqlite::Result<(String, i64, i64)> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
}

fn blob((digest, size_bytes, created_ns): (String, i64, i64)) -> Result<BlobRow, Error> {
    Ok(BlobRow { digest: parse_digest("blobs.digest", digest)?, size_bytes: to_size(size_bytes), created_ns })
}

fn raw_layer(row: &Row<'_>) -> rusqlite::Result<RawLayer> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
}

fn layer((diff_id, size_bytes, blob, created_ns): RawLayer) -> Result<LayerRow, Error> {
    Ok(LayerRow {
        diff_id: parse_digest("layers.diff_id", diff_id)?,
        size_bytes: to_size(size_bytes),
        blob: blob.map(|blob| parse_digest("layers.blob", blob)).transpose()?,
        created_ns,
    })
}

pub(crate) fn parse_digest(column: &'static str, value: String) -> Result<Digest, Error> {
    value.parse().map_err(|_| Error::Malformed { column, value })
}

/// SQLite's integers are signed; no file is larger than 2⁶³ bytes.
pub(crate) fn to_integer(size_bytes: u64) -> i64 {
    i64::try_from(size_bytes).unwrap_or(i64::MAX)
}

pub(crate) fn to_size(integer: i64) -> u64 {
    u64::try_from(integer).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Store;

    fn digest(byte: u8) -> Digest {
        Digest::sha256([byte; 32])
    }

    #[test]
    fn layer_and_blob_are_noted_once_and_unused_until_referenced() {
        let store = Store::in_memory().unwrap();
        let blob = BlobRow { digest: digest(1), size_bytes: 10, created_ns: 5 };
        let layer = LayerRow { diff_id: digest(2), size_bytes: 20, blob: None, created_ns: 6 };
        store
            .write(|tx| {
                tx.add_blob(&blob)?;
                tx.add_blob(&BlobRow { created_ns: 99, ..blob.clone() })?;
                tx.add_layer(&layer)?;
                tx.add_layer(&LayerRow { blob: Some(digest(1)), created_ns: 99, ..layer.clone() })
            })
            .unwrap();
        let layer = LayerRow { blob: Some(digest(1)), ..layer };
        store
            .write(|tx| {
                assert_eq!(tx.blob(&digest(1))?, Some(blob.clone()));
                assert_eq!(tx.layer(&digest(2))?, Some(layer.clone()));
                assert_eq!(tx.unused_blobs()?, std::slice::from_ref(&blob));
                assert_eq!(tx.unused_layers()?, std::slice::from_ref(&layer));
                assert!(tx.delete_layer(&digest(2))? && tx.delete_blob(&digest(1))?);
                assert!(tx.blobs()?.is_empty() && tx.layers()?.is_empty());
                Ok::<_, Error>(())
            })
            .unwrap();
    }
}
