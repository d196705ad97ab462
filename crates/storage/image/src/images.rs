//! The image store: opening, listing, unpacking.

use crate::builtin::Program;
use crate::lease::Gate;
use crate::reserve::Reserve;
use crate::{Error, Lease};
use content::Content;
use layer::{Applied, Layers, Limits, Trash};
use oci::image::ImageConfig;
use refs::{Digest, Platform};
use std::collections::{BTreeSet, HashMap};
use std::io::Read;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};
use store::{ImageRow, LayerRow, NameKind, NameRow, Store, Tx};

/// The image store. A clone is another handle to the same one.
#[derive(Clone)]
pub struct Images {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) store: Store,
    pub(crate) content: Content,
    pub(crate) layers: Arc<Layers>,
    pub(crate) trash: Arc<Trash>,
    pub(crate) limits: Limits,
    pub(crate) gate: Arc<Gate>,
    pub(crate) builtin: Mutex<Option<Program>>,
    pub(crate) reserve: Reserve,
    /// The right to write the layout's files.
    pub(crate) layout: Mutex<()>,
    /// Configurations that were read once; they never change.
    configs: Mutex<HashMap<Digest, Arc<ImageConfig>>>,
}

/// An image.
#[derive(Debug, Clone, PartialEq)]
pub struct Image {
    /// The digest of the configuration.
    pub id: Digest,
    /// The configuration.
    pub config: Arc<ImageConfig>,
    /// The diff IDs of its layers, from the bottom up.
    pub layers: Vec<Digest>,
    /// The manifest that it came with.
    pub manifest: Option<Digest>,
    /// The bytes of all its layers' files.
    pub size_bytes: u64,
    /// Its tags as Docker shows them (`busybox:latest`), ordered: `RepoTags`.
    pub tags: Vec<String>,
    /// Its names by digest as Docker shows them (`busybox@sha256:…`), ordered: `RepoDigests`.
    pub digests: Vec<String>,
    /// When it was registered here: nanoseconds since 1970-01-01 UTC.
    pub registered_ns: i64,
    /// When a tag was last given to it, if ever: nanoseconds since 1970-01-01 UTC.
    pub tagged_ns: Option<i64>,
}

impl Image {
    /// Returns the platform that the image is for.
    pub fn platform(&self) -> Platform {
        Platform::new(&self.config.os, &self.config.architecture, &self.config.variant)
    }
}

/// The largest configuration or manifest that is read.
///
/// # Source
/// OCI distribution-spec v1.1, "Pushing Manifests": registries should take at least 4 MiB.
pub(crate) const MAX_DOCUMENT_BYTES: u64 = 4 << 20;

impl Images {
    /// Opens the image store below the data root: `content/`, `layers/`, `trash/` and the rows in `store`. Database and
    /// disk agree when this returns: what a crash left behind goes to the trash. If the database is new and the disk has
    /// images, it is made from them.
    ///
    /// # Errors
    /// A directory that cannot be made or read; those of the database.
    pub fn open(root: &Path, store: Store, limits: Limits) -> Result<Self, Error> {
        let trash = Arc::new(Trash::open(&root.join("trash"))?);
        let layers = Arc::new(Layers::open(&root.join("layers"), Arc::clone(&trash))?);
        let content = Content::open(&root.join("content"), store.clone())?;
        let shared = Shared {
            store,
            content,
            layers,
            trash,
            limits,
            gate: Arc::default(),
            builtin: Mutex::default(),
            reserve: Reserve::new(root.join("reserve")),
            layout: Mutex::default(),
            configs: Mutex::default(),
        };
        let images = Self { shared: Arc::new(shared) };
        if images.is_database_lost()? {
            images.rebuild()?;
        }
        images.reconcile_layers()?;
        images.collect()?;
        images.write_layout()?;
        images.shared.reserve.hold();
        Ok(images)
    }

    /// Returns the blobs.
    pub fn content(&self) -> &Content {
        &self.shared.content
    }

    /// Returns the unpacked layers.
    pub fn layers(&self) -> &Arc<Layers> {
        &self.shared.layers
    }

    /// Returns the trash, which snapshots share.
    pub fn trash(&self) -> &Arc<Trash> {
        &self.shared.trash
    }

    /// Returns whether a layer is here, whole.
    ///
    /// # Errors
    /// Those of the database.
    pub fn has_layer(&self, diff_id: &Digest) -> Result<bool, Error> {
        Ok(self.shared.store.read(|tx| tx.layer(diff_id))?.is_some() && self.shared.layers.contains(diff_id))
    }

    /// Unpacks a layer from a blob that is here, unless the layer is here already.
    ///
    /// # Errors
    /// A blob that is missing; an archive that is damaged, malformed, over the limits or of another diff ID; a full disk.
    pub fn unpack(&self, diff_id: &Digest, blob: &Digest) -> Result<Option<Applied>, Error> {
        let (file, _) = self.shared.content.open_blob(blob)?;
        self.unpack_stream(diff_id, Some(blob), file)
    }

    /// Unpacks a layer from a stream, compressed or not, unless the layer is here already. `blob` is the stream's digest
    /// if it is kept as a blob; verifying it is the caller's.
    ///
    /// # Errors
    /// An archive that is damaged, malformed, over the limits or of another diff ID; a stream that fails; a full disk.
    pub fn unpack_stream(
        &self,
        diff_id: &Digest,
        blob: Option<&Digest>,
        archive: impl Read,
    ) -> Result<Option<Applied>, Error> {
        let _lease = self.lease();
        let unpacked = self.shared.layers.unpack(diff_id, archive, &self.shared.limits, |applied| {
            let row = LayerRow {
                diff_id: diff_id.clone(),
                size_bytes: applied.size_bytes,
                blob: blob.cloned(),
                created_ns: now_ns(),
            };
            // The directory is durable; without a row it would be unpacked again, no more. Registering the image is durable.
            self.shared.store.write_relaxed(|tx| tx.add_layer(&row))?;
            Ok::<_, Error>(())
        })?;
        Ok(unpacked)
    }

    /// Holds off collection until the lease is released or dropped. Waits while a collection is under way.
    pub fn lease(&self) -> Lease {
        Lease::take(self)
    }

    /// Returns all images, the newest configuration first.
    ///
    /// # Errors
    /// A configuration that is damaged; those of the database.
    pub fn list(&self) -> Result<Vec<Image>, Error> {
        let all = self.shared.store.read(|tx| -> Result<_, Error> {
            let mut names: HashMap<Digest, Vec<NameRow>> = HashMap::new();
            for name in tx.names()? {
                names.entry(name.image.clone()).or_default().push(name);
            }
            let mut all = Vec::new();
            for image in tx.images()? {
                let names = names.remove(&image.id).unwrap_or_default();
                all.push(Rows { names, layers: tx.image_layers(&image.id)?, image });
            }
            Ok(all)
        })?;
        let mut images = all.into_iter().map(|rows| self.image(rows)).collect::<Result<Vec<_>, _>>()?;
        images.sort_by(|a, b| b.config.created.cmp(&a.config.created).then_with(|| a.id.cmp(&b.id)));
        Ok(images)
    }

    /// Returns the image with this id.
    ///
    /// # Errors
    /// `NotFound`; a configuration that is damaged; those of the database.
    pub fn get(&self, id: &Digest) -> Result<Image, Error> {
        let found = self.shared.store.read(|tx| read(tx, id))?;
        self.image(found.ok_or_else(|| Error::NotFound { name: id.to_string() })?)
    }

    pub(crate) fn image(&self, rows: Rows) -> Result<Image, Error> {
        let Rows { image: row, names, layers } = rows;
        let config = self.config(&row.id)?;
        let of_kind = |kind: NameKind| names.iter().filter(move |name| name.kind == kind);
        let familiar =
            |kind: NameKind| of_kind(kind).map(|name| crate::resolve::familiar(&name.name)).collect();
        Ok(Image {
            config,
            layers,
            manifest: row.manifest,
            size_bytes: row.size_bytes,
            tags: familiar(NameKind::Tag),
            digests: familiar(NameKind::Digest),
            registered_ns: row.created_ns,
            tagged_ns: of_kind(NameKind::Tag).map(|name| name.updated_ns).max(),
            id: row.id,
        })
    }

    fn config(&self, id: &Digest) -> Result<Arc<ImageConfig>, Error> {
        if let Some(config) = self.configs().get(id) {
            return Ok(Arc::clone(config));
        }
        let bytes = self.shared.content.read(id, MAX_DOCUMENT_BYTES)?;
        let config = Arc::new(crate::register::parse_config(&bytes)?);
        self.configs().insert(id.clone(), Arc::clone(&config));
        Ok(config)
    }

    pub(crate) fn forget_config(&self, id: &Digest) {
        self.configs().remove(id);
    }

    fn configs(&self) -> MutexGuard<'_, HashMap<Digest, Arc<ImageConfig>>> {
        self.shared.configs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Layers without a row go to the trash; rows without a layer go, unless an image or snapshot needs them: the next
    /// pull makes such a layer anew.
    fn reconcile_layers(&self) -> Result<(), Error> {
        let rows = self.shared.store.read(|tx| tx.layers())?;
        let known: BTreeSet<&Digest> = rows.iter().map(|row| &row.diff_id).collect();
        for orphan in self.shared.layers.list()?.iter().filter(|diff_id| !known.contains(diff_id)) {
            self.shared.layers.remove(orphan)?;
        }
        let is_lost = |row: &&LayerRow| !self.shared.layers.contains(&row.diff_id);
        if rows.iter().any(|row| is_lost(&row)) {
            self.shared.store.write(|tx| {
                for unused in tx.unused_layers()?.iter().filter(is_lost) {
                    tx.delete_layer(&unused.diff_id)?;
                }
                Ok::<_, Error>(())
            })?;
        }
        Ok(())
    }
}

/// What the database knows of an image.
pub(crate) struct Rows {
    pub(crate) image: ImageRow,
    pub(crate) names: Vec<NameRow>,
    pub(crate) layers: Vec<Digest>,
}

/// Reads what the database knows of an image.
pub(crate) fn read(tx: &Tx<'_>, id: &Digest) -> Result<Option<Rows>, Error> {
    let Some(image) = tx.image(id)? else { return Ok(None) };
    Ok(Some(Rows { image, names: tx.names_of(id)?, layers: tx.image_layers(id)? }))
}

pub(crate) fn now_ns() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}
