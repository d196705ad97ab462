//! What the tests share: a data root of their own, images out of a few words.

use content::digest_of;
use image::{Image, Images, Registration};
use layer::Limits;
use layer::tar::{TypeFlag, Writer, WriterEntry};
use refs::{Digest, Reference};
use std::path::{Path, PathBuf};
use store::Store;

pub(crate) struct Place(pub(crate) PathBuf);

impl Place {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("naru-test-image-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path); // Left by an earlier run, if at all.
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(crate) fn open(&self) -> (Images, Store) {
        open(&self.0)
    }

    pub(crate) fn count(&self, directory: &str) -> usize {
        std::fs::read_dir(self.0.join(directory)).unwrap().count()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0); // Best effort.
    }
}

pub(crate) fn open(root: &Path) -> (Images, Store) {
    let store = Store::open(&root.join("naru.db")).unwrap();
    (Images::open(root, store.clone(), Limits::default()).unwrap(), store)
}

pub(crate) fn archive(content: &str) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    writer
        .entry(&WriterEntry { bytes: content.as_bytes(), ..WriterEntry::new("f", TypeFlag::Regular) })
        .unwrap();
    writer.finish().unwrap()
}

pub(crate) fn config(layers: &[Digest], note: &str) -> Vec<u8> {
    let ids: Vec<String> = layers.iter().map(|layer| format!("{:?}", layer.as_str())).collect();
    format!(
        r#"{{"architecture":"amd64","os":"linux","created":"2024-01-01T00:00:00Z","unknown":"{note}",
            "config":{{"Cmd":["sh"]}},"rootfs":{{"type":"layers","diff_ids":[{}]}}}}"#,
        ids.join(",")
    )
    .into_bytes()
}

pub(crate) fn manifest(config: &[u8], blobs: &[Digest]) -> Vec<u8> {
    let layers: Vec<String> = blobs
        .iter()
        .map(|blob| {
            format!(r#"{{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"{blob}","size":1}}"#)
        })
        .collect();
    format!(
        r#"{{"schemaVersion":2,"config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{}","size":{}}},
            "layers":[{}]}}"#,
        digest_of(config),
        config.len(),
        layers.join(",")
    )
    .into_bytes()
}

/// Brings an image in as a pull does.
pub(crate) fn pull(images: &Images, name: &str, contents: &[&str]) -> Image {
    let lease = images.lease();
    let mut layers = Vec::new();
    for content in contents {
        let archive = archive(content);
        let digest = digest_of(&archive);
        images.content().write(&digest, &archive).unwrap();
        images.unpack(&digest, &digest).unwrap();
        layers.push(digest);
    }
    let config = config(&layers, &contents.join(" "));
    let manifest = manifest(&config, &layers);
    let reference = Reference::parse(name).unwrap();
    let by_digest = reference.clone().with_digest(digest_of(&manifest));
    let image = images
        .register(&Registration {
            config: &config,
            manifest: Some(&manifest),
            index: None,
            tag: Some(&reference.with_default_tag()),
            digest: Some(&by_digest),
        })
        .unwrap();
    assert!(!lease.release().unwrap().deferred);
    image
}
