//! Making an image known, all at once.

use crate::images::{MAX_DOCUMENT_BYTES, now_ns};
use crate::{Error, Image, Images};
use content::digest_of;
use oci::image::{ImageConfig, Manifest};
use refs::{Digest, Reference};
use store::{ImageRow, NameKind, NameRow};

/// What makes an image. Its layers must be unpacked, and a lease held since before the first of them was.
#[derive(Debug, Clone, Copy, Default)]
pub struct Registration<'a> {
    /// The configuration's bytes.
    pub config: &'a [u8],
    /// The manifest's bytes, if it came with one.
    pub manifest: Option<&'a [u8]>,
    /// The bytes of the index that the manifest was chosen from.
    pub index: Option<&'a [u8]>,
    /// The names to give: a tag if it has one (else its digest); what else it names is ignored.
    pub tag: Option<&'a Reference>,
    /// The name by digest to give: the repository with the digest that the registry knows the image (or its index) by.
    pub digest: Option<&'a Reference>,
}

impl Images {
    /// Makes an image known with its names, durably and at once; a tag is taken from the image that had it.
    ///
    /// # Errors
    /// A configuration or manifest that is none, or that do not fit each other; a layer that is not here; a full disk.
    pub fn register(&self, registration: &Registration<'_>) -> Result<Image, Error> {
        let _lease = self.lease();
        let config = parse_config(registration.config)?;
        let diff_ids = &config.rootfs.diff_ids;
        let mut blobs = vec![self.keep(registration.config)?];
        let mut archives = Vec::new();
        let mut manifest_digest = None;
        if let Some(bytes) = registration.manifest {
            let manifest = parse_manifest(bytes)?;
            if manifest.config.digest != blobs[0] {
                return Err(invalid(
                    "manifest",
                    format!("it is for configuration {}", manifest.config.digest),
                ));
            }
            if manifest.layers.len() != diff_ids.len() {
                let (layers, ids) = (manifest.layers.len(), diff_ids.len());
                return Err(invalid("manifest", format!("it has {layers} layers, the configuration {ids}")));
            }
            archives = manifest.layers.into_iter().map(|layer| layer.digest).collect();
            let digest = self.keep(bytes)?;
            blobs.push(digest.clone());
            manifest_digest = Some(digest);
        }
        if let Some(bytes) = registration.index {
            blobs.push(self.keep(bytes)?);
        }

        let id = blobs[0].clone();
        let names = names(registration, &id);
        self.shared.store.write(|tx| {
            let mut size_bytes = 0_u64;
            for diff_id in diff_ids {
                let layer =
                    tx.layer(diff_id)?.ok_or_else(|| Error::MissingLayer { diff_id: diff_id.clone() })?;
                size_bytes = size_bytes.saturating_add(layer.size_bytes);
            }
            // Of the archives only those that are here: a layer may have come another way.
            for archive in &archives {
                if tx.blob(archive)?.is_some() {
                    blobs.push(archive.clone());
                }
            }
            // Without a manifest nothing else would hold what pushing and saving send.
            if manifest_digest.is_none() {
                for diff_id in diff_ids {
                    let blob = tx.layer(diff_id)?.and_then(|layer| layer.blob);
                    if let Some(blob) = blob.filter(|blob| self.shared.content.contains(blob))
                        && tx.blob(&blob)?.is_some()
                    {
                        blobs.push(blob);
                    }
                }
            }
            let row = ImageRow {
                id: id.clone(),
                manifest: manifest_digest.clone(),
                size_bytes,
                created_ns: now_ns(),
            };
            tx.add_image(&row, diff_ids, &blobs)?;
            for name in &names {
                tx.set_name(name)?;
            }
            Ok::<_, Error>(())
        })?;
        let _ = self.write_layout(); // The database has it; the next change or start writes it again.
        self.get(&id)
    }

    /// Keeps a document as a blob and returns its digest.
    fn keep(&self, bytes: &[u8]) -> Result<Digest, Error> {
        let digest = digest_of(bytes);
        self.shared.content.write(&digest, bytes)?;
        Ok(digest)
    }

    /// Gives an image another name; the tag is taken from the image that had it. Returns the image.
    ///
    /// # Errors
    /// No such image; a target with a digest.
    pub fn tag(&self, name: &str, target: &Reference) -> Result<Image, Error> {
        if target.digest().is_some() {
            return Err(Error::TagWithDigest);
        }
        let image = self.resolve(name)?;
        let row = NameRow {
            name: target.clone().with_default_tag().to_string(),
            kind: NameKind::Tag,
            image: image.id.clone(),
            updated_ns: now_ns(),
        };
        self.shared.store.write(|tx| {
            // It may have been removed since it was resolved.
            tx.image(&image.id)?.ok_or_else(|| crate::resolve::not_found(name))?;
            tx.set_name(&row)?;
            Ok::<_, Error>(())
        })?;
        let _ = self.write_layout(); // The database has it; the next change or start writes it again.
        self.get(&image.id)
    }
}

impl Images {
    /// Notes the digest under which a registry knows an image; an image that is gone by now is left alone.
    ///
    /// # Errors
    /// Those of the database.
    pub fn note_digest(&self, image: &Digest, reference: &Reference) -> Result<(), Error> {
        let registration = Registration { digest: Some(reference), ..Registration::default() };
        self.shared.store.write(|tx| {
            if tx.image(image)?.is_some() {
                for name in names(&registration, image) {
                    tx.set_name(&name)?;
                }
            }
            Ok(())
        })
    }
}

fn names(registration: &Registration<'_>, image: &Digest) -> Vec<NameRow> {
    let updated_ns = now_ns();
    let row = |name: String, kind| NameRow { name, kind, image: image.clone(), updated_ns };
    let mut names = Vec::new();
    if let Some(tag) = registration.tag.and_then(|reference| Some((reference, reference.tag()?))) {
        let (reference, tag) = tag;
        names.push(row(format!("{}:{tag}", reference.name()), NameKind::Tag));
    }
    if let Some(reference) = registration.digest
        && let Some(digest) = reference.digest()
    {
        names.push(row(format!("{}@{digest}", reference.name()), NameKind::Digest));
    }
    names
}

pub(crate) fn parse_config(bytes: &[u8]) -> Result<ImageConfig, Error> {
    check_size("configuration", bytes)?;
    let config: ImageConfig =
        serde_json::from_slice(bytes).map_err(|error| invalid("configuration", error.to_string()))?;
    if config.rootfs.kind != "layers" {
        return Err(invalid(
            "configuration",
            format!("its root file system is of the type {:?}", config.rootfs.kind),
        ));
    }
    Ok(config)
}

fn parse_manifest(bytes: &[u8]) -> Result<Manifest, Error> {
    check_size("manifest", bytes)?;
    serde_json::from_slice(bytes).map_err(|error| invalid("manifest", error.to_string()))
}

fn check_size(what: &'static str, bytes: &[u8]) -> Result<(), Error> {
    if bytes.len() as u64 > MAX_DOCUMENT_BYTES {
        return Err(invalid(what, format!("it has {} bytes, more than {MAX_DOCUMENT_BYTES}", bytes.len())));
    }
    Ok(())
}

fn invalid(what: &'static str, reason: String) -> Error {
    Error::Invalid { what, reason }
}
