//! The OCI image layout in `content/`, so that other tools read the images; and the way back from it to the database.
//!
//! ```text
//! content/oci-layout      {"imageLayoutVersion":"1.0.0"}
//! content/index.json      one descriptor per name, with the name in org.opencontainers.image.ref.name
//! content/blobs/…         see crate `content`
//! ```
//! `skopeo copy oci:<data root>/content:docker.io/library/busybox:latest …` works on it. The file follows the database and is
//! written anew with each change of names; it is what names images when the database is lost.
//!
//! # Source
//! OCI image-spec v1.1 `image-layout.md`.

use crate::images::{MAX_DOCUMENT_BYTES, now_ns};
use crate::{Error, Images, Registration};
use oci::image::{Descriptor, ImageConfig, Index, Manifest, media_type};
use refs::{Digest, Reference};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::PoisonError;
use store::LayerRow;

const NAME: &str = "org.opencontainers.image.ref.name";
const MARKER: (&str, &[u8]) = ("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#);
const INDEX: &str = "index.json";

/// What was found again without a database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rebuilt {
    /// The names that are there again.
    pub names: Vec<String>,
    /// The names whose images could not be made whole, and why.
    pub lost: Vec<(String, String)>,
}

impl Images {
    /// Writes the layout's files from the database.
    pub(crate) fn write_layout(&self) -> Result<(), Error> {
        // Whoever is last has seen all changes.
        let _turn = self.shared.layout.lock().unwrap_or_else(PoisonError::into_inner);
        let (names, images) = self.shared.store.read(|tx| Ok::<_, Error>((tx.names()?, tx.images()?)))?;
        let manifests: BTreeMap<&Digest, &Digest> =
            images.iter().filter_map(|image| Some((&image.id, image.manifest.as_ref()?))).collect();
        let mut descriptors = Vec::new();
        for name in &names {
            let Some(manifest) = manifests.get(&name.image) else { continue };
            if let Some(descriptor) = self.descriptor(manifest, &name.name)? {
                descriptors.push(descriptor);
            }
        }
        let index = Index {
            schema_version: 2,
            media_type: Some(media_type::OCI_INDEX.to_owned()),
            artifact_type: None,
            manifests: descriptors,
            subject: None,
            annotations: BTreeMap::new(),
        };
        let bytes = serde_json::to_vec(&index).expect("plain structs become JSON");
        self.shared.content.write_document(MARKER.0, MARKER.1)?;
        Ok(self.shared.content.write_document(INDEX, &bytes)?)
    }

    fn descriptor(&self, manifest: &Digest, name: &str) -> Result<Option<Descriptor>, Error> {
        let Ok(bytes) = self.shared.content.read(manifest, MAX_DOCUMENT_BYTES) else { return Ok(None) };
        let kind = serde_json::from_slice::<Manifest>(&bytes).ok().and_then(|manifest| manifest.media_type);
        let kind = kind.unwrap_or_else(|| media_type::OCI_MANIFEST.to_owned());
        let mut descriptor = Descriptor::new(kind, manifest.clone(), bytes.len() as u64);
        descriptor.annotations.insert(NAME.to_owned(), name.to_owned());
        Ok(Some(descriptor))
    }

    /// Returns whether the database knows nothing, although the layout names images: it was lost.
    pub(crate) fn is_database_lost(&self) -> Result<bool, Error> {
        let is_empty = self.shared.store.read(|tx| {
            Ok::<_, Error>(tx.images()?.is_empty() && tx.layers()?.is_empty() && tx.names()?.is_empty())
        })?;
        Ok(is_empty && !self.named()?.is_empty())
    }

    /// Makes the database's rows of images, layers and names again from what lies on the disk. What the database knows stays.
    ///
    /// # Errors
    /// Those of the database and of the disk; an image that cannot be made whole is told, not an error.
    pub fn rebuild(&self) -> Result<Rebuilt, Error> {
        let _lease = self.lease();
        let mut rebuilt = Rebuilt::default();
        let known: BTreeSet<String> =
            self.shared.store.read(|tx| tx.names())?.into_iter().map(|name| name.name).collect();
        for (name, manifest) in self.named()? {
            if known.contains(&name) {
                continue;
            }
            match self.rebuild_image(&name, &manifest) {
                Ok(()) => rebuilt.names.push(name),
                Err(error) => rebuilt.lost.push((name, error::chain(&error))),
            }
        }
        Ok(rebuilt)
    }

    fn rebuild_image(&self, name: &str, manifest: &Digest) -> Result<(), Error> {
        let manifest_bytes = self.shared.content.read(manifest, MAX_DOCUMENT_BYTES)?;
        let invalid = |what, error: serde_json::Error| Error::Invalid { what, reason: error.to_string() };
        let document: Manifest =
            serde_json::from_slice(&manifest_bytes).map_err(|error| invalid("manifest", error))?;
        let config_bytes = self.shared.content.read(&document.config.digest, MAX_DOCUMENT_BYTES)?;
        let config: ImageConfig =
            serde_json::from_slice(&config_bytes).map_err(|error| invalid("configuration", error))?;
        for (diff_id, descriptor) in config.rootfs.diff_ids.iter().zip(&document.layers) {
            let blob = Some(&descriptor.digest).filter(|digest| self.shared.content.contains(digest));
            self.rebuild_layer(diff_id, blob)?;
        }
        let reference = Reference::parse(name)?;
        let registration = match reference.digest() {
            Some(_) => Registration { digest: Some(&reference), ..Registration::default() },
            None => Registration { tag: Some(&reference), ..Registration::default() },
        };
        self.register(&Registration {
            config: &config_bytes,
            manifest: Some(&manifest_bytes),
            ..registration
        })?;
        Ok(())
    }

    /// Notes a layer that is on the disk, or makes it again from its archive.
    fn rebuild_layer(&self, diff_id: &Digest, blob: Option<&Digest>) -> Result<(), Error> {
        if self.shared.store.read(|tx| tx.layer(diff_id))?.is_some() {
            return Ok(());
        }
        if let Some(size_bytes) = self.shared.layers.size_bytes(diff_id)? {
            let row =
                LayerRow { diff_id: diff_id.clone(), size_bytes, blob: blob.cloned(), created_ns: now_ns() };
            return Ok(self.shared.store.write_relaxed(|tx| tx.add_layer(&row))?);
        }
        let blob = blob.ok_or_else(|| Error::MissingLayer { diff_id: diff_id.clone() })?;
        self.unpack(diff_id, blob)?;
        Ok(())
    }

    /// Returns the names in the layout, with their manifests.
    fn named(&self) -> Result<Vec<(String, Digest)>, Error> {
        let Some(bytes) = self.shared.content.read_document(INDEX, MAX_DOCUMENT_BYTES)? else {
            return Ok(Vec::new());
        };
        let Ok(index) = serde_json::from_slice::<Index>(&bytes) else { return Ok(Vec::new()) };
        let named =
            |descriptor: Descriptor| Some((descriptor.annotations.get(NAME)?.clone(), descriptor.digest));
        Ok(index.manifests.into_iter().filter_map(named).collect())
    }
}
