//! What stands in an archive, taken in before it is known what of it is needed.

use super::{documents, invalid};
use crate::make::{Packed, Packing};
use crate::{Error, Images};
use content::{Staging, digest_of};
use layer::Compression;
use layer::tar::{Archive, Entry, TypeFlag, is_archive};
use oci::image::Manifest;
use refs::Digest;
use std::collections::{BTreeMap, HashMap};
use std::io::Write;

/// The most bytes of documents that are held at once.
const MAX_DOCUMENTS_BYTES: usize = 64 << 20;

/// The largest document.
const MAX_DOCUMENT_BYTES: u64 = crate::images::MAX_DOCUMENT_BYTES;

/// How many bytes tell what a file is.
const START_BYTES: usize = 512;

/// The files of an archive by their names.
#[derive(Default)]
pub(super) struct Intake {
    documents: BTreeMap<String, Vec<u8>>,
    documents_bytes: usize,
    layers: HashMap<String, Taken>,
    links: HashMap<String, String>,
}

/// A file that may be a layer.
enum Taken {
    /// It was an uncompressed archive, and is compressed now.
    Packed(Packed),
    /// It is as it was.
    Whole(Staging),
    /// An image has it already.
    Kept { diff_id: Option<Digest>, blob: Digest, size_bytes: u64 },
}

impl Intake {
    /// Reads the archive to its end.
    pub(super) fn read(images: &Images, mut archive: Archive<'_>) -> Result<Self, Error> {
        let mut intake = Self::default();
        while let Some(entry) = archive.next_entry()? {
            let name = clean(&entry.name)?;
            match entry.kind {
                TypeFlag::Directory => {}
                TypeFlag::Regular => intake.file(images, &mut archive, &entry, name)?,
                TypeFlag::SymbolicLink | TypeFlag::HardLink => {
                    let target = target(&name, &entry)?;
                    intake.links.insert(name, target);
                }
                TypeFlag::CharDevice | TypeFlag::BlockDevice | TypeFlag::Fifo => {
                    return Err(invalid(format!("{name:?} is neither a file nor a link")));
                }
            }
        }
        Ok(intake)
    }

    fn file(
        &mut self,
        images: &Images,
        archive: &mut Archive<'_>,
        entry: &Entry,
        name: String,
    ) -> Result<(), Error> {
        let mut sink = Sink::Undecided(Vec::new());
        let mut offset = 0;
        while let Some(chunk) = archive.next_chunk()? {
            if chunk.offset != offset {
                return Err(invalid(format!("{name:?} has holes")));
            }
            offset += chunk.bytes.len() as u64;
            sink.take(images, &name, entry.size_bytes, chunk.bytes)?;
        }
        if offset != entry.size_bytes {
            return Err(invalid(format!("{name:?} has holes")));
        }
        let announced = documents::digest_of_path(&name);
        match sink {
            Sink::Undecided(bytes) | Sink::Document(bytes) => {
                check(&name, announced, || digest_of(&bytes))?;
                self.documents_bytes += bytes.len();
                if self.documents_bytes > MAX_DOCUMENTS_BYTES {
                    return Err(invalid(format!("its documents are over {MAX_DOCUMENTS_BYTES} bytes")));
                }
                self.documents.insert(name, bytes);
            }
            Sink::Packing(packing) => {
                let packed = packing.finish()?;
                check(&name, announced, || packed.diff_id.clone())?;
                self.layers.insert(name, Taken::Packed(packed));
            }
            Sink::Whole(staging) => {
                check(&name, announced, || staging.digest())?;
                self.layers.insert(name, Taken::Whole(staging));
            }
        }
        Ok(())
    }

    /// Returns a document by its path, if it is there.
    pub(super) fn find(&self, path: &str) -> Option<&[u8]> {
        self.documents.get(self.resolve(path)).map(Vec::as_slice)
    }

    /// Returns a document that must be there.
    pub(super) fn document(&self, path: &str) -> Result<&[u8], Error> {
        self.find(path).ok_or_else(|| invalid(format!("{path:?} is missing, or too large")))
    }

    /// Returns the manifests of the OCI layout by the configuration that they name.
    pub(super) fn manifests(&self) -> BTreeMap<Digest, Vec<u8>> {
        let in_layout = self.documents.iter().filter(|(name, _)| name.starts_with("blobs/"));
        in_layout
            .filter_map(|(_, bytes)| {
                let manifest: Manifest = serde_json::from_slice(bytes).ok()?;
                (manifest.schema_version == 2).then(|| (manifest.config.digest, bytes.clone()))
            })
            .collect()
    }

    /// Makes a layer's blob visible; returns its digest and size, or nothing if it is not in the archive.
    pub(super) fn layer(
        &mut self,
        images: &Images,
        path: &str,
        expected: &Digest,
    ) -> Result<Option<(Digest, u64)>, Error> {
        let path = self.resolve(path).to_owned();
        let Some(taken) = self.layers.remove(&path) else { return Ok(None) };
        let (diff_id, blob, size_bytes) = match taken {
            Taken::Kept { diff_id, blob, size_bytes } => (diff_id, blob, size_bytes),
            Taken::Packed(Packed { diff_id, staging }) => {
                if diff_id != *expected {
                    return Err(wrong(expected, diff_id));
                }
                let (blob, size_bytes) = staging.commit()?;
                (Some(diff_id), blob, size_bytes)
            }
            Taken::Whole(staging) => self.commit(images, staging, expected)?,
        };
        if let Some(found) = diff_id.as_ref().filter(|found| *found != expected) {
            return Err(wrong(expected, found.clone()));
        }
        let kept = Taken::Kept { diff_id, blob: blob.clone(), size_bytes };
        self.layers.insert(path, kept);
        Ok(Some((blob, size_bytes)))
    }

    /// What a registry would not take, bzip2 and xz, is compressed anew.
    fn commit(
        &self,
        images: &Images,
        staging: Staging,
        expected: &Digest,
    ) -> Result<(Option<Digest>, Digest, u64), Error> {
        use std::io::Read;
        let mut start = Vec::new();
        staging.reopen()?.take(6).read_to_end(&mut start).map_err(layer::Error::of_stream)?;
        match Compression::detect(&start)? {
            Compression::None | Compression::Gzip | Compression::Zstd => {
                let (blob, size_bytes) = staging.commit()?;
                Ok((None, blob, size_bytes))
            }
            Compression::Bzip2 | Compression::Xz => {
                let found = images.import_layer(staging.reopen()?)?;
                if found != *expected {
                    return Err(wrong(expected, found));
                }
                let row = images.layer_blob(&found)?;
                let row = row.ok_or_else(|| Error::MissingLayer { diff_id: found.clone() })?;
                Ok((Some(found), row.digest, row.size_bytes))
            }
        }
    }

    /// Follows links; a chain that is too long leads nowhere.
    fn resolve<'a>(&'a self, path: &'a str) -> &'a str {
        const MAX_LINKS: usize = 16;
        let mut path = path.strip_prefix("./").unwrap_or(path);
        for _ in 0..MAX_LINKS {
            match self.links.get(path) {
                Some(target) => path = target,
                None => break,
            }
        }
        path
    }
}

/// Where a file's bytes go, as soon as it is known.
enum Sink {
    Undecided(Vec<u8>),
    Document(Vec<u8>),
    Packing(Box<Packing>),
    Whole(Staging),
}

impl Sink {
    fn take(&mut self, images: &Images, name: &str, size_bytes: u64, bytes: &[u8]) -> Result<(), Error> {
        if let Self::Undecided(held) = self {
            held.extend_from_slice(bytes);
            if held.len() < START_BYTES && (held.len() as u64) < size_bytes {
                return Ok(());
            }
            let held = std::mem::take(held);
            *self = Self::decide(images, name, size_bytes, &held)?;
            return self.write(&held);
        }
        self.write(bytes)
    }

    fn decide(images: &Images, name: &str, size_bytes: u64, start: &[u8]) -> Result<Self, Error> {
        if is_archive(start) {
            return Ok(Self::Packing(Box::new(Packing::begin(images)?)));
        }
        if size_bytes <= MAX_DOCUMENT_BYTES && Compression::detect(start)? == Compression::None {
            return Ok(Self::Document(Vec::new()));
        }
        if name.ends_with(".json") {
            return Err(invalid(format!("{name:?} has {size_bytes} bytes, more than {MAX_DOCUMENT_BYTES}")));
        }
        Ok(Self::Whole(images.content().stage()?))
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let written = match self {
            Self::Undecided(held) | Self::Document(held) => held.write_all(bytes),
            Self::Packing(packing) => packing.write_all(bytes),
            Self::Whole(staging) => staging.write_all(bytes),
        };
        Ok(written.map_err(|source| layer::Error::Output { source })?)
    }
}

/// Compares a file with the digest that its name announces.
fn check(name: &str, announced: Option<Digest>, found: impl FnOnce() -> Digest) -> Result<(), Error> {
    let Some(expected) = announced else { return Ok(()) };
    let found = found();
    if found == expected {
        return Ok(());
    }
    Err(invalid(format!("{name:?} has the digest {found}")))
}

fn wrong(expected: &Digest, found: Digest) -> Error {
    layer::Error::DiffId { expected: expected.clone(), found }.into()
}

/// Returns a name of the archive without what means nothing in it.
fn clean(name: &[u8]) -> Result<String, Error> {
    let text = std::str::from_utf8(name).map_err(|_| invalid("a name is not UTF-8"))?;
    normalize(text).ok_or_else(|| invalid(format!("the name {text:?} leads out of it")))
}

/// Resolves `.` and `..`; none for what leads out.
fn normalize(path: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    if path.starts_with('/') {
        return None;
    }
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// Returns where a link leads, as a name of the archive.
fn target(name: &str, entry: &Entry) -> Result<String, Error> {
    let link = std::str::from_utf8(&entry.link).ok();
    let below = match (entry.kind, name.rsplit_once('/')) {
        (TypeFlag::SymbolicLink, Some((directory, _))) => format!("{directory}/"),
        _ => String::new(),
    };
    link.filter(|link| !link.starts_with('/'))
        .and_then(|link| normalize(&format!("{below}{link}")))
        .ok_or_else(|| invalid(format!("the link {name:?} leads out of it")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cleaned_and_do_not_lead_out() {
        let cases = [
            ("a/b", Some("a/b")),
            ("./a//b/", Some("a/b")),
            ("a/../b", Some("b")),
            ("a/../../b", None),
            ("../a", None),
            ("/a", None),
            ("./", Some("")),
        ];
        for (name, expected) in cases {
            assert_eq!(normalize(name).as_deref(), expected, "{name}");
        }
    }

    #[test]
    fn links_lead_to_names_of_the_archive() {
        let intake = Intake {
            links: HashMap::from([
                ("a".to_owned(), "b".to_owned()),
                ("b".to_owned(), "c".to_owned()),
                ("x".to_owned(), "y".to_owned()),
                ("y".to_owned(), "x".to_owned()),
            ]),
            documents: BTreeMap::from([("c".to_owned(), b"{}".to_vec())]),
            ..Intake::default()
        };
        assert_eq!(intake.find("a"), Some(&b"{}"[..]));
        assert_eq!(intake.find("x"), None);
    }
}
