//! The documents of an archive: which images it says it holds.

use super::invalid;
use crate::Error;
use oci::image::{Descriptor, Manifest};
use refs::{Digest, Reference};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;

/// One image in `manifest.json`.
///
/// # Source
/// `moby image/tarexport/tarexport.go`, `manifestItem`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DockerItem {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    #[serde(default)]
    layers: Option<Vec<String>>,
}

/// An image that is to be loaded.
#[derive(Debug)]
pub(super) struct Wanted {
    /// Where the configuration is in the archive.
    pub(super) config: String,
    /// Where its layers are, from the bottom up.
    pub(super) layers: Vec<String>,
    /// Its tags.
    pub(super) tags: Vec<Reference>,
    /// The manifest that it comes with.
    pub(super) manifest: Option<Vec<u8>>,
}

impl DockerItem {
    /// `manifests` are those of the OCI layout in the same archive, by the configuration that they name.
    pub(super) fn wanted(self, manifests: &BTreeMap<Digest, Vec<u8>>) -> Result<Wanted, Error> {
        let tags = self.repo_tags.unwrap_or_default();
        let tags = tags.iter().map(|tag| tag_of(tag)).collect::<Result<Vec<_>, _>>()?;
        let config =
            self.config.strip_prefix("blobs/").and_then(|path| path.replacen('/', ":", 1).parse().ok());
        let manifest = config.and_then(|config: Digest| manifests.get(&config).cloned());
        Ok(Wanted { config: self.config, layers: self.layers.unwrap_or_default(), tags, manifest })
    }
}

impl Wanted {
    /// Reads a manifest of an OCI layout.
    pub(super) fn of_layout(bytes: Vec<u8>, name: Option<Reference>) -> Result<Self, Error> {
        let manifest: Manifest = parse("a manifest", &bytes)?;
        Ok(Self {
            config: blob_path(&manifest.config.digest),
            layers: manifest.layers.iter().map(|layer| blob_path(&layer.digest)).collect(),
            tags: name.into_iter().collect(),
            manifest: Some(bytes),
        })
    }
}

fn tag_of(text: &str) -> Result<Reference, Error> {
    let reference = Reference::parse(text)?;
    if reference.tag().is_none() || reference.digest().is_some() {
        return Err(invalid(format!("invalid tag {text:?}")));
    }
    Ok(reference)
}

/// Returns the name that an OCI layout gives an image. A bare tag, as skopeo writes it, names no repository.
pub(super) fn name_of(descriptor: &Descriptor) -> Result<Option<Reference>, Error> {
    if let Some(name) = descriptor.annotations.get("io.containerd.image.name") {
        let reference = Reference::parse(name)?;
        return Ok(Some(reference.without_digest_or_default()));
    }
    let name = descriptor.annotations.get("org.opencontainers.image.ref.name");
    Ok(name
        .filter(|name| name.contains([':', '/']))
        .and_then(|name| Reference::parse(name).ok())
        .filter(|reference| reference.tag().is_some() && reference.digest().is_none()))
}

/// What is left of a name when only tags count.
trait TagOnly {
    fn without_digest_or_default(self) -> Self;
}

impl TagOnly for Reference {
    fn without_digest_or_default(self) -> Self {
        match (self.digest(), self.tag()) {
            (None, _) => self.with_default_tag(),
            (Some(_), tag) => {
                let name = format!("{}:{}", self.name(), tag.unwrap_or("latest"));
                Self::parse(&name).unwrap_or(self)
            }
        }
    }
}

pub(super) fn blob_path(digest: &Digest) -> String {
    format!("blobs/{}/{}", digest.algorithm().as_str(), digest.hex())
}

/// The digest that a path in `blobs/` announces.
pub(super) fn digest_of_path(path: &str) -> Option<Digest> {
    path.strip_prefix("blobs/sha256/").and_then(|hex| format!("sha256:{hex}").parse().ok())
}

pub(super) fn parse<T: DeserializeOwned>(what: &str, bytes: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(bytes).map_err(|error| invalid(format!("{what} is invalid: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(key: &str, value: &str) -> Option<String> {
        let mut descriptor = Descriptor::new("", Digest::sha256([1; 32]), 1);
        descriptor.annotations.insert(key.to_owned(), value.to_owned());
        name_of(&descriptor).unwrap().map(|name| name.to_string())
    }

    #[test]
    fn layout_names_images_by_its_annotations() {
        let (whole, short) = ("io.containerd.image.name", "org.opencontainers.image.ref.name");
        assert_eq!(named(whole, "docker.io/library/a:1").as_deref(), Some("docker.io/library/a:1"));
        assert_eq!(named(whole, "a").as_deref(), Some("docker.io/library/a:latest"));
        let by_digest = format!("h.example/a@sha256:{}", "1".repeat(64));
        assert_eq!(named(whole, &by_digest).as_deref(), Some("h.example/a:latest"));
        assert_eq!(named(short, "latest"), None);
        assert_eq!(named(short, "h.example/a:1").as_deref(), Some("h.example/a:1"));
        assert_eq!(named("other", "a:1"), None);
    }

    #[test]
    fn tags_of_a_docker_archive_are_whole() {
        for text in ["a", "BAD:1", &format!("a@sha256:{}", "1".repeat(64))] {
            assert!(tag_of(text).is_err(), "{text}");
        }
        assert_eq!(tag_of("a:1").unwrap().to_string(), "docker.io/library/a:1");
    }
}
