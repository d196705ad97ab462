//! Images and their names.

use crate::layers::{parse_digest, to_integer, to_size};
use crate::{Error, Tx};
use refs::Digest;
use rusqlite::{Row, params};

/// An image that is complete: its configuration, its layers and their blobs are there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageRow {
    /// The digest of the configuration.
    pub id: Digest,
    /// The digest of the manifest that it came with.
    pub manifest: Option<Digest>,
    /// The bytes of all its layers' files.
    pub size_bytes: u64,
    /// When it was registered here: nanoseconds since 1970-01-01 UTC.
    pub created_ns: i64,
}

/// Which kind of name an image has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NameKind {
    /// `repository:tag`.
    Tag,
    /// `repository@digest`.
    Digest,
}

impl NameKind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Tag => "tag",
            Self::Digest => "digest",
        }
    }
}

/// A name of an image, in its canonical form (`docker.io/library/busybox:latest`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameRow {
    /// The name.
    pub name: String,
    /// Tag or digest.
    pub kind: NameKind,
    /// The id of the image.
    pub image: Digest,
    /// When it was last set: nanoseconds since 1970-01-01 UTC.
    pub updated_ns: i64,
}

impl Tx<'_> {
    /// Notes an image with its layers (from the bottom up) and its blobs, all of which must be known; one that is known
    /// already gets the blobs in addition.
    ///
    /// # Errors
    /// A layer or blob that is not known.
    pub fn add_image(&self, image: &ImageRow, layers: &[Digest], blobs: &[Digest]) -> Result<(), Error> {
        let id = image.id.as_str();
        let added = self.execute(
            "adding an image",
            "INSERT INTO images (id, manifest, size_bytes, created_ns) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
            params![id, image.manifest.as_ref().map(Digest::as_str), to_integer(image.size_bytes), image.created_ns],
        )?;
        if added > 0 {
            for (position, layer) in (0_i64..).zip(layers) {
                self.execute(
                    "adding an image's layer",
                    "INSERT INTO image_layers (image, position, diff_id) VALUES (?1, ?2, ?3)",
                    params![id, position, layer.as_str()],
                )?;
            }
        }
        for blob in blobs {
            self.execute(
                "adding an image's blob",
                "INSERT INTO image_blobs (image, digest) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
                params![id, blob.as_str()],
            )?;
        }
        Ok(())
    }

    /// Reads one image's row.
    ///
    /// # Errors
    /// Those of the database.
    pub fn image(&self, id: &Digest) -> Result<Option<ImageRow>, Error> {
        self.row(
            "reading an image",
            "SELECT id, manifest, size_bytes, created_ns FROM images WHERE id = ?1",
            params![id.as_str()],
            raw_image,
        )?
        .map(image)
        .transpose()
    }

    /// Reads the ids, ordered, that begin with `prefix` (`sha256:` included); at most `limit`.
    ///
    /// # Errors
    /// Those of the database.
    pub fn image_ids_with_prefix(&self, prefix: &str, limit: u32) -> Result<Vec<Digest>, Error> {
        self.rows(
            "searching an image",
            "SELECT id FROM images WHERE id >= ?1 AND substr(id, 1, length(?1)) = ?1 ORDER BY id LIMIT ?2",
            params![prefix, limit],
            |row| row.get(0),
        )?
        .into_iter()
        .map(|id| parse_digest("images.id", id))
        .collect()
    }

    /// Reads all images' rows, ordered by id.
    ///
    /// # Errors
    /// Those of the database.
    pub fn images(&self) -> Result<Vec<ImageRow>, Error> {
        let sql = "SELECT id, manifest, size_bytes, created_ns FROM images ORDER BY id";
        self.rows("listing images", sql, [], raw_image)?.into_iter().map(image).collect()
    }

    /// Reads an image's layers from the bottom up.
    ///
    /// # Errors
    /// Those of the database.
    pub fn image_layers(&self, id: &Digest) -> Result<Vec<Digest>, Error> {
        self.rows(
            "reading an image's layers",
            "SELECT diff_id FROM image_layers WHERE image = ?1 ORDER BY position",
            params![id.as_str()],
            |row| row.get(0),
        )?
        .into_iter()
        .map(|diff_id| parse_digest("image_layers.diff_id", diff_id))
        .collect()
    }

    /// Reads an image's blobs, ordered by digest.
    ///
    /// # Errors
    /// Those of the database.
    pub fn image_blobs(&self, id: &Digest) -> Result<Vec<Digest>, Error> {
        let sql = "SELECT digest FROM image_blobs WHERE image = ?1 ORDER BY digest";
        self.rows("reading an image's blobs", sql, params![id.as_str()], |row| row.get(0))?
            .into_iter()
            .map(|digest| parse_digest("image_blobs.digest", digest))
            .collect()
    }

    /// Forgets an image, which must be without names; returns whether it was known.
    ///
    /// # Errors
    /// An image that has names.
    pub fn delete_image(&self, id: &Digest) -> Result<bool, Error> {
        let deleted =
            self.execute("deleting an image", "DELETE FROM images WHERE id = ?1", params![id.as_str()])?;
        Ok(deleted > 0)
    }

    /// Gives a name to an image, taking it from the one that had it.
    ///
    /// # Errors
    /// An image that is not known.
    pub fn set_name(&self, name: &NameRow) -> Result<(), Error> {
        self.execute(
            "naming an image",
            "INSERT INTO names (name, kind, image, updated_ns) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT DO UPDATE SET kind = excluded.kind, image = excluded.image, updated_ns = excluded.updated_ns",
            params![name.name, name.kind.as_str(), name.image.as_str(), name.updated_ns],
        )?;
        Ok(())
    }

    /// Reads one name.
    ///
    /// # Errors
    /// Those of the database.
    pub fn name(&self, name: &str) -> Result<Option<NameRow>, Error> {
        let sql = "SELECT name, kind, image, updated_ns FROM names WHERE name = ?1";
        self.row("reading a name", sql, params![name], raw_name)?.map(parse_name).transpose()
    }

    /// Reads all names, ordered.
    ///
    /// # Errors
    /// Those of the database.
    pub fn names(&self) -> Result<Vec<NameRow>, Error> {
        let sql = "SELECT name, kind, image, updated_ns FROM names ORDER BY name";
        self.rows("listing names", sql, [], raw_name)?.into_iter().map(parse_name).collect()
    }

    /// Reads the names of one image, ordered.
    ///
    /// # Errors
    /// Those of the database.
    pub fn names_of(&self, image: &Digest) -> Result<Vec<NameRow>, Error> {
        let sql = "SELECT name, kind, image, updated_ns FROM names WHERE image = ?1 ORDER BY name";
        self.rows("reading an image's names", sql, params![image.as_str()], raw_name)?
            .into_iter()
            .map(parse_name)
            .collect()
    }

    /// Takes a name away; returns whether it was there.
    ///
    /// # Errors
    /// Those of the database.
    pub fn delete_name(&self, name: &str) -> Result<bool, Error> {
        Ok(self.execute("deleting a name", "DELETE FROM names WHERE name = ?1", params![name])? > 0)
    }
}

type RawImage = (String, Option<String>, i64, i64);
type RawName = (String, String, String, i64);

fn raw_image(row: &Row<'_>) -> rusqlite::Result<RawImage> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
}

fn image((id, manifest, size_bytes, created_ns): RawImage) -> Result<ImageRow, Error> {
    Ok(ImageRow {
        id: parse_digest("images.id", id)?,
        manifest: manifest.map(|digest| parse_digest("images.manifest", digest)).transpose()?,
        size_bytes: to_size(size_bytes),
        created_ns,
    })
}

fn raw_name(row: &Row<'_>) -> rusqlite::Result<RawName> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
}

fn parse_name((name, kind, image, updated_ns): RawName) -> Result<NameRow, Error> {
    let kind = match kind.as_str() {
        "tag" => NameKind::Tag,
        "digest" => NameKind::Digest,
        _ => return Err(Error::Malformed { column: "names.kind", value: kind }),
    };
    Ok(NameRow { name, kind, image: parse_digest("names.image", image)?, updated_ns })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BlobRow, LayerRow, Store};

    fn digest(byte: u8) -> Digest {
        Digest::sha256([byte; 32])
    }

    fn image_row(byte: u8) -> ImageRow {
        ImageRow { id: digest(byte), manifest: Some(digest(9)), size_bytes: 3, created_ns: 4 }
    }

    fn filled() -> Store {
        let store = Store::in_memory().unwrap();
        store
            .write(|tx| {
                for byte in [7, 8, 9] {
                    tx.add_blob(&BlobRow { digest: digest(byte), size_bytes: 1, created_ns: 1 })?;
                }
                for byte in [20, 21] {
                    tx.add_layer(&LayerRow {
                        diff_id: digest(byte),
                        size_bytes: 1,
                        blob: None,
                        created_ns: 1,
                    })?;
                }
                tx.add_image(&image_row(7), &[digest(21), digest(20)], &[digest(7), digest(9)])
            })
            .unwrap();
        store
    }

    #[test]
    fn image_keeps_the_order_of_its_layers_and_holds_them() {
        filled()
            .write(|tx| {
                assert_eq!(tx.image(&digest(7))?, Some(image_row(7)));
                assert_eq!(tx.image_layers(&digest(7))?, [digest(21), digest(20)]);
                assert_eq!(tx.image_blobs(&digest(7))?, [digest(7), digest(9)]);
                assert!(tx.delete_layer(&digest(20)).is_err() && tx.delete_blob(&digest(9)).is_err());
                assert_eq!(tx.unused_blobs()?.len(), 1);
                assert!(tx.unused_layers()?.is_empty());
                assert!(tx.delete_image(&digest(7))?);
                assert_eq!(tx.unused_layers()?.len(), 2);
                Ok::<_, Error>(())
            })
            .unwrap();
    }

    #[test]
    fn image_without_its_layer_is_refused() {
        let refused = filled().write(|tx| tx.add_image(&image_row(8), &[digest(99)], &[]));
        assert!(refused.is_err());
    }

    #[test]
    fn name_moves_to_another_image_and_holds_it() {
        let store = filled();
        let name = |image| NameRow { name: "a:b".into(), kind: NameKind::Tag, image, updated_ns: 1 };
        store
            .write(|tx| {
                tx.add_image(&image_row(8), &[digest(20)], &[digest(8)])?;
                tx.set_name(&name(digest(7)))?;
                assert!(tx.delete_image(&digest(7)).is_err());
                tx.set_name(&name(digest(8)))?;
                assert_eq!(tx.name("a:b")?, Some(name(digest(8))));
                assert!(tx.names_of(&digest(7))?.is_empty());
                assert_eq!(tx.names()?, tx.names_of(&digest(8))?);
                assert!(tx.delete_image(&digest(7))?);
                assert!(tx.delete_name("a:b")? && !tx.delete_name("a:b")?);
                Ok::<_, Error>(())
            })
            .unwrap();
    }

    #[test]
    fn prefix_finds_what_begins_with_it() {
        let store = filled();
        let found = |prefix: &str| store.read(|tx| tx.image_ids_with_prefix(prefix, 2)).unwrap();
        assert_eq!(found("sha256:0707"), [digest(7)]);
        assert_eq!(found("sha256:08"), []);
        assert_eq!(found("sha256:_"), []);
    }
}
