//! Images as one archive: an OCI layout that is a docker-archive too, as Docker 28 writes it.
//!
//! ```text
//! blobs/sha256/<hex>    configurations, manifests, layers as they came (compressed)
//! index.json, oci-layout                the OCI layout
//! manifest.json, repositories           the docker-archive
//! ```
//! Layers stay compressed, and an image leaves with the manifest it came with: its digest survives the way.

use crate::resolve::{familiar, find, not_found};
use crate::{Error, Image, Images, Lease, Outgoing};
use layer::tar::{TypeFlag, Writer, WriterEntry};
use oci::image::{Descriptor, Index, media_type};
use refs::{Digest, Platform, Reference};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::Write;

/// What an archive will hold; nothing that it needs is collected meanwhile.
pub struct Saving {
    images: Images,
    items: Vec<Item>,
    _lease: Lease,
}

struct Item {
    image: Image,
    /// The tags that go along, canonical.
    tags: Vec<Reference>,
    outgoing: Outgoing,
}

/// One image in `manifest.json`.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct DockerItem {
    config: String,
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

impl Images {
    /// Finds what is to be saved. A repository without a tag means all its tags, as in Docker; an id means the image
    /// without a name.
    ///
    /// # Errors
    /// No such image; an image for another platform; a layer whose archive was not kept.
    ///
    /// # Source
    /// `moby image/tarexport/save.go`, `parseNames`.
    pub fn saving(&self, names: &[String], platform: Option<&Platform>) -> Result<Saving, Error> {
        let lease = self.lease();
        let mut items: Vec<Item> = Vec::new();
        for name in names {
            for (image, tag) in self.meant(name)? {
                if let Some(wanted) = platform
                    && !wanted.accepts(&image.platform())
                {
                    return Err(Error::OtherPlatform {
                        name: name.clone(),
                        wanted: Box::new(wanted.clone()),
                        actual: Box::new(image.platform()),
                    });
                }
                let at = match items.iter().position(|item| item.image.id == image.id) {
                    Some(at) => at,
                    None => {
                        let outgoing = self.outgoing(&image)?;
                        items.push(Item { image, tags: Vec::new(), outgoing });
                        items.len() - 1
                    }
                };
                let tags = &mut items[at].tags;
                tags.extend(tag.filter(|tag| !tags.contains(tag)));
            }
        }
        Ok(Saving { images: self.clone(), items, _lease: lease })
    }

    /// Returns the images that a name means, each with the tag that is saved with it.
    fn meant(&self, name: &str) -> Result<Vec<(Image, Option<Reference>)>, Error> {
        let parsed = Reference::parse(name);
        if let Ok(reference) = &parsed
            && reference.tag().is_none()
            && reference.digest().is_none()
        {
            let prefix = format!("{}:", reference.name());
            let names = self.shared.store.read(|tx| tx.names())?;
            let mut found = Vec::new();
            for row in names.iter().filter(|row| row.name.starts_with(&prefix)) {
                if let Ok(tag) = Reference::parse(&row.name)
                    && tag.tag().is_some()
                {
                    found.push((self.get(&row.image)?, Some(tag)));
                }
            }
            if !found.is_empty() {
                return Ok(found);
            }
        }
        let by_name = self.shared.store.read(|tx| find(tx, name))?;
        let (id, by) = match by_name {
            Some(found) => found,
            // The built-in image.
            None => (self.resolve(name).map_err(|_| not_found(name))?.id, crate::resolve::By::Name),
        };
        let tag = match (by, parsed) {
            (crate::resolve::By::Name, Ok(reference)) if reference.digest().is_none() => {
                Some(reference.with_default_tag())
            }
            _ => None,
        };
        Ok(vec![(self.get(&id)?, tag)])
    }
}

impl Saving {
    /// Returns the images, each once.
    pub fn images(&self) -> impl Iterator<Item = &Image> {
        self.items.iter().map(|item| &item.image)
    }

    /// Writes the archive.
    ///
    /// # Errors
    /// A blob that cannot be read; those of `out`.
    pub fn write(&self, out: &mut dyn Write) -> Result<(), Error> {
        let output = |source| Error::Layer(layer::Error::Output { source });
        let mut writer = Writer::new(out);
        for name in ["blobs/", "blobs/sha256/"] {
            writer.entry(&WriterEntry::new(name, TypeFlag::Directory)).map_err(output)?;
        }
        for (digest, bytes) in self.blobs() {
            let name = blob_path(&digest);
            match bytes {
                Some(bytes) => writer.entry(&file(&name, bytes)).map_err(output)?,
                None => {
                    let (mut blob, size_bytes) = self.images.content().open_blob(&digest)?;
                    writer.file(&file(&name, &[]), size_bytes, &mut blob).map_err(output)?;
                }
            }
        }
        for (name, bytes) in self.documents() {
            writer.entry(&file(name, &bytes)).map_err(output)?;
        }
        writer.finish().map_err(output)?.flush().map_err(output)
    }

    /// All blobs once, in the order of their digests; with the bytes of those that are not in the content store.
    fn blobs(&self) -> BTreeMap<Digest, Option<&[u8]>> {
        let mut blobs = BTreeMap::new();
        for item in &self.items {
            blobs.insert(item.image.id.clone(), None);
            blobs.extend(item.outgoing.manifest.layers.iter().map(|layer| (layer.digest.clone(), None)));
            blobs.insert(item.outgoing.digest.clone(), Some(&item.outgoing.bytes[..]));
        }
        blobs
    }

    fn documents(&self) -> [(&'static str, Vec<u8>); 4] {
        let mut manifests = Vec::new();
        let mut dockers = Vec::new();
        let mut repositories: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
        for item in &self.items {
            manifests.extend(descriptors(item));
            dockers.push(DockerItem {
                config: blob_path(&item.image.id),
                repo_tags: (!item.tags.is_empty())
                    .then(|| item.tags.iter().map(|tag| familiar(&tag.to_string())).collect()),
                layers: item.outgoing.manifest.layers.iter().map(|layer| blob_path(&layer.digest)).collect(),
            });
            let top = item.image.layers.last().map_or("", |layer| layer.hex());
            for tag in &item.tags {
                let of_repository = repositories.entry(tag.familiar_name()).or_default();
                of_repository.insert(tag.tag().unwrap_or_default().to_owned(), top.to_owned());
            }
        }
        let index = Index {
            schema_version: 2,
            media_type: Some(media_type::OCI_INDEX.to_owned()),
            artifact_type: None,
            manifests,
            subject: None,
            annotations: BTreeMap::new(),
        };
        [
            ("index.json", document(&index)),
            ("manifest.json", document(&dockers)),
            ("oci-layout", br#"{"imageLayoutVersion": "1.0.0"}"#.to_vec()),
            ("repositories", document(&repositories)),
        ]
    }
}

/// One descriptor per tag, or one without a name.
fn descriptors(item: &Item) -> Vec<Descriptor> {
    let manifest = &item.outgoing.manifest;
    let kind = manifest.media_type.clone().unwrap_or_else(|| media_type::OCI_MANIFEST.to_owned());
    let plain = Descriptor::new(kind, item.outgoing.digest.clone(), item.outgoing.bytes.len() as u64);
    if item.tags.is_empty() {
        return vec![plain];
    }
    let named = |tag: &Reference| {
        let mut descriptor = plain.clone();
        descriptor.annotations.insert("io.containerd.image.name".to_owned(), tag.to_string());
        let tag = tag.tag().unwrap_or_default().to_owned();
        descriptor.annotations.insert("org.opencontainers.image.ref.name".to_owned(), tag);
        descriptor
    };
    item.tags.iter().map(named).collect()
}

fn blob_path(digest: &Digest) -> String {
    format!("blobs/{}/{}", digest.algorithm().as_str(), digest.hex())
}

fn file<'a>(name: &'a str, bytes: &'a [u8]) -> WriterEntry<'a> {
    WriterEntry { bytes, mode: 0o644, ..WriterEntry::new(name, TypeFlag::Regular) }
}

fn document(value: &impl Serialize) -> Vec<u8> {
    let mut bytes = serde_json::to_vec(value).expect("plain structs become JSON");
    bytes.push(b'\n');
    bytes
}
