//! Images out of an archive: a docker-archive (`manifest.json`, or only `repositories` is refused by name), or an OCI
//! layout (`index.json`).
//!
//! ```text
//! archive ─▶ Decoder ─▶ tar ─▶ intake: documents in memory, layers staged        nothing is visible yet
//!                                 │
//!                                 └─▶ manifest.json | index.json ─▶ per image: layers unpacked, then registered at once
//! ```
//! Names in the archive are keys and never paths on the disk. An image whose layers or digests do not fit leaves nothing;
//! images before it in the archive stay.

mod documents;
mod intake;

use crate::resolve::canonical;
use crate::{Error, Image, Images, Registration, choose_platform};
use documents::{DockerItem, Wanted};
use intake::Intake;
use layer::tar::{Archive, Source};
use layer::{Decoder, Limits};
use oci::image::{ImageConfig, Index, Manifest, media_type};
use refs::{Digest, Platform, Reference};
use std::io::Read;

/// What a load tells while it goes on.
#[derive(Debug, Clone, PartialEq)]
pub enum Loading {
    /// A layer is unpacked: `Loading layer`.
    Layer {
        /// The layer.
        diff_id: Digest,
        /// The bytes that it has in the archive.
        size_bytes: u64,
    },
    /// A tag of the archive meant another image until now.
    Renamed {
        /// The tag as Docker shows it.
        tag: String,
        /// The image that had it.
        old: Digest,
    },
    /// An image is here.
    Loaded {
        /// The image.
        image: Box<Image>,
        /// The tag; none if the archive has none for it.
        tag: Option<String>,
    },
}

/// How deep indexes may lie in indexes.
const MAX_DEPTH: usize = 4;

/// More images than that are not in one archive.
const MAX_IMAGES: usize = 10_000;

impl Images {
    /// Takes in all images of an archive, whatever it is compressed with; of a multi-platform one the image for
    /// `platform`, or for this host. `tell` hears of each step.
    ///
    /// # Errors
    /// An archive that is damaged, malformed, over the limits, or holds no images; digests and diff IDs that do not fit; an
    /// image for another platform than the one asked for; a full disk.
    ///
    /// # Source
    /// `moby image/tarexport/load.go`; OCI image-spec v1.1 `image-layout.md`.
    pub fn load(
        &self,
        archive: impl Read,
        platform: Option<&Platform>,
        tell: &mut dyn FnMut(Loading),
    ) -> Result<(), Error> {
        let lease = self.lease();
        let loaded = self.load_leased(archive, platform, tell);
        let collected = lease.release();
        loaded?;
        collected.map(drop)
    }

    fn load_leased(
        &self,
        archive: impl Read,
        platform: Option<&Platform>,
        tell: &mut dyn FnMut(Loading),
    ) -> Result<(), Error> {
        let Limits { archive_bytes, entries } = self.shared.limits;
        let source = Source::new(Decoder::new(archive)?, archive_bytes);
        let mut intake = Intake::read(self, Archive::new(source, entries))?;
        let wanted = plan(&intake, platform)?;
        if wanted.is_empty() {
            return Err(invalid("it holds no images"));
        }
        for one in &wanted {
            self.load_one(&mut intake, one, platform, tell)?;
        }
        Ok(())
    }

    fn load_one(
        &self,
        intake: &mut Intake,
        wanted: &Wanted,
        platform: Option<&Platform>,
        tell: &mut dyn FnMut(Loading),
    ) -> Result<(), Error> {
        let config_bytes = intake.document(&wanted.config)?.to_vec();
        let config = crate::register::parse_config(&config_bytes)?;
        check_platform(&config, wanted, platform)?;
        let diff_ids = &config.rootfs.diff_ids;
        if diff_ids.len() != wanted.layers.len() {
            let (layers, ids) = (wanted.layers.len(), diff_ids.len());
            return Err(invalid(format!("an image has {layers} layers, its configuration {ids}")));
        }
        let mut keeps_manifest = true;
        for (diff_id, path) in diff_ids.iter().zip(&wanted.layers) {
            if self.has_layer(diff_id)? && self.layer_blob(diff_id)?.is_some() {
                continue;
            }
            let taken = intake.layer(self, path, diff_id)?;
            let Some((blob, size_bytes)) = taken else {
                if self.has_layer(diff_id)? {
                    continue;
                }
                return Err(invalid(format!("layer {path:?} is missing")));
            };
            self.adopt(diff_id, &blob)?;
            tell(Loading::Layer { diff_id: diff_id.clone(), size_bytes });
        }
        let manifest = wanted.manifest.as_ref().map(|bytes| {
            let read: Option<Manifest> = serde_json::from_slice(bytes).ok();
            // Of layers that came uncompressed the blob is another one: the manifest would name what is not here.
            keeps_manifest = read.is_some_and(|manifest| {
                manifest.layers.iter().all(|layer| self.shared.content.contains(&layer.digest))
            });
            &bytes[..]
        });
        let manifest = manifest.filter(|_| keeps_manifest);
        self.name_loaded(&config_bytes, manifest, wanted, tell)
    }

    /// Registers an image under each of its tags.
    fn name_loaded(
        &self,
        config: &[u8],
        manifest: Option<&[u8]>,
        wanted: &Wanted,
        tell: &mut dyn FnMut(Loading),
    ) -> Result<(), Error> {
        let base = Registration { config, manifest, ..Registration::default() };
        if wanted.tags.is_empty() {
            let image = Box::new(self.register(&base)?);
            tell(Loading::Loaded { image, tag: None });
        }
        for tag in &wanted.tags {
            let old = self.shared.store.read(|tx| tx.name(&canonical(tag)))?.map(|row| row.image);
            let image = Box::new(self.register(&Registration { tag: Some(tag), ..base })?);
            if let Some(old) = old.filter(|old| *old != image.id) {
                tell(Loading::Renamed { tag: tag.familiar(), old });
            }
            tell(Loading::Loaded { image, tag: Some(tag.familiar()) });
        }
        Ok(())
    }
}

/// Finds out which images an archive holds.
fn plan(intake: &Intake, platform: Option<&Platform>) -> Result<Vec<Wanted>, Error> {
    if let Some(bytes) = intake.find("manifest.json") {
        let items: Option<Vec<DockerItem>> = documents::parse("manifest.json", bytes)?;
        let items = items.unwrap_or_default();
        if items.len() > MAX_IMAGES {
            return Err(invalid(format!("it has more than {MAX_IMAGES} images")));
        }
        let manifests = intake.manifests();
        return items.into_iter().map(|item| item.wanted(&manifests)).collect();
    }
    let Some(bytes) = intake.find("index.json") else {
        return Err(match intake.find("repositories") {
            Some(_) => Error::Archive {
                reason: "archives without manifest.json, from before Docker 1.10, are not supported"
                    .to_owned(),
            },
            None => invalid("there is neither manifest.json nor index.json in it"),
        });
    };
    let index: Index = documents::parse("index.json", bytes)?;
    let mut wanted = Vec::new();
    for descriptor in &index.manifests {
        let name = documents::name_of(descriptor)?;
        let manifest = manifest_for(intake, descriptor, platform, 0)?;
        let Some(bytes) = manifest else { continue };
        wanted.push(Wanted::of_layout(bytes, name)?);
        if wanted.len() > MAX_IMAGES {
            return Err(invalid(format!("it has more than {MAX_IMAGES} images")));
        }
    }
    Ok(wanted)
}

/// Follows indexes down to the manifest for the platform; none for what is no image.
fn manifest_for(
    intake: &Intake,
    descriptor: &oci::image::Descriptor,
    platform: Option<&Platform>,
    depth: usize,
) -> Result<Option<Vec<u8>>, Error> {
    if depth > MAX_DEPTH {
        return Err(invalid("its indexes lie too deep in one another"));
    }
    let bytes = intake.document(&documents::blob_path(&descriptor.digest))?;
    if media_type::is_index(&descriptor.media_type) {
        let index: Index = documents::parse("an index", bytes)?;
        let host = Platform::host();
        let chosen = choose_platform(&index, platform.unwrap_or(&host))?;
        return manifest_for(intake, chosen, platform, depth + 1);
    }
    Ok(media_type::is_manifest(&descriptor.media_type).then(|| bytes.to_vec()))
}

fn check_platform(config: &ImageConfig, wanted: &Wanted, platform: Option<&Platform>) -> Result<(), Error> {
    let actual = Platform::new(&config.os, &config.architecture, &config.variant);
    match platform {
        Some(platform) if !platform.accepts(&actual) => Err(Error::OtherPlatform {
            name: wanted.tags.first().map_or_else(|| wanted.config.clone(), Reference::familiar),
            wanted: Box::new(platform.clone()),
            actual: Box::new(actual),
        }),
        _ => Ok(()),
    }
}

pub(super) fn invalid(reason: impl Into<String>) -> Error {
    Error::Archive { reason: reason.into() }
}
