//! The manifest under which an image leaves: the one that it came with, or a new one.

use crate::images::MAX_DOCUMENT_BYTES;
use crate::{Error, Image, Images};
use content::digest_of;
use layer::Compression;
use oci::image::{Descriptor, Manifest, media_type};
use refs::Digest;
use std::collections::BTreeMap;
use std::io::Read;

/// An image as it leaves: the bytes of its manifest, and what these name. All blobs are here.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// The manifest's bytes.
    pub bytes: Vec<u8>,
    /// Their digest.
    pub digest: Digest,
    /// The manifest.
    pub manifest: Manifest,
}

impl Images {
    /// Returns the manifest under which an image is pushed and saved: the very one that it came with if all its blobs are
    /// here, so that its digest stays. Else one is made of the blobs that its layers have. Hold a lease.
    ///
    /// # Errors
    /// A layer whose archive was not kept; a blob that cannot be read.
    pub fn outgoing(&self, image: &Image) -> Result<Outgoing, Error> {
        if let Some(digest) = &image.manifest
            && let Ok(bytes) = self.shared.content.read(digest, MAX_DOCUMENT_BYTES)
            && let Ok(manifest) = serde_json::from_slice::<Manifest>(&bytes)
            && manifest.layers.iter().all(|layer| self.shared.content.contains(&layer.digest))
        {
            return Ok(Outgoing { bytes, digest: digest.clone(), manifest });
        }
        let config_bytes = self.shared.content.read(&image.id, MAX_DOCUMENT_BYTES)?.len() as u64;
        let layers =
            image.layers.iter().map(|diff_id| self.layer_as_blob(diff_id)).collect::<Result<Vec<_>, _>>()?;
        let manifest = new_manifest(&image.id, config_bytes, layers);
        let bytes = serde_json::to_vec(&manifest).expect("plain structs become JSON");
        Ok(Outgoing { digest: digest_of(&bytes), bytes, manifest })
    }

    /// Returns a layer's blob with its compression; one whose blob was not kept is compressed anew.
    fn layer_as_blob(&self, diff_id: &Digest) -> Result<(Digest, u64, Compression), Error> {
        let row = match self.layer_blob(diff_id)? {
            Some(row) => row,
            None => {
                let archive = self.layer_archive(diff_id)?;
                let found = self.import_layer(archive)?;
                if found != *diff_id {
                    return Err(layer::Error::DiffId { expected: diff_id.clone(), found }.into());
                }
                self.layer_blob(diff_id)?.ok_or_else(|| Error::MissingLayer { diff_id: diff_id.clone() })?
            }
        };
        let (file, size_bytes) = self.shared.content.open_blob(&row.digest)?;
        let mut start = Vec::new();
        file.take(6).read_to_end(&mut start).map_err(layer::Error::of_stream)?;
        Ok((row.digest, size_bytes, Compression::detect(&start)?))
    }
}

/// Docker's form where it has words for all layers (not for zstd), else OCI's.
fn new_manifest(config: &Digest, config_bytes: u64, layers: Vec<(Digest, u64, Compression)>) -> Manifest {
    let is_dockers = layers.iter().all(|(_, _, compression)| *compression != Compression::Zstd);
    let (manifest, config_type) = if is_dockers {
        (media_type::DOCKER_MANIFEST, media_type::DOCKER_CONFIG)
    } else {
        (media_type::OCI_MANIFEST, media_type::OCI_CONFIG)
    };
    let kind = |compression| match (is_dockers, compression) {
        (true, Compression::None) => media_type::DOCKER_LAYER,
        (true, _) => media_type::DOCKER_LAYER_GZIP,
        (false, Compression::None) => media_type::OCI_LAYER,
        (false, Compression::Zstd) => media_type::OCI_LAYER_ZSTD,
        (false, _) => media_type::OCI_LAYER_GZIP,
    };
    Manifest {
        schema_version: 2,
        media_type: Some(manifest.to_owned()),
        artifact_type: None,
        config: Descriptor::new(config_type, config.clone(), config_bytes),
        layers: layers
            .into_iter()
            .map(|(digest, size, compression)| Descriptor::new(kind(compression), digest, size))
            .collect(),
        subject: None,
        annotations: BTreeMap::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manifest_is_dockers_unless_a_layer_is_zstd() {
        let digest = Digest::sha256([1; 32]);
        let types = |compressions: &[Compression]| -> Vec<String> {
            let layers = compressions.iter().map(|one| (digest.clone(), 5, *one)).collect();
            let manifest = new_manifest(&digest, 7, layers);
            manifest
                .media_type
                .into_iter()
                .chain(manifest.layers.into_iter().map(|layer| layer.media_type))
                .collect()
        };
        use media_type as is;
        assert_eq!(types(&[Compression::Gzip]), [is::DOCKER_MANIFEST, is::DOCKER_LAYER_GZIP]);
        assert_eq!(types(&[Compression::None]), [is::DOCKER_MANIFEST, is::DOCKER_LAYER]);
        let mixed = types(&[Compression::Zstd, Compression::Gzip, Compression::None]);
        assert_eq!(mixed, [is::OCI_MANIFEST, is::OCI_LAYER_ZSTD, is::OCI_LAYER_GZIP, is::OCI_LAYER]);
    }
}
