//! Whether what lies on the disk is what it should be, byte by byte.

use crate::{Error, Image, Images};
use content::Hasher;
use layer::{Decoder, Flaw, Form};
use refs::{Algorithm, Digest};
use std::io::Read;

/// What was found of one part of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The part: a blob's digest, or a layer's diff ID.
    pub digest: Digest,
    /// What it is, and in which form.
    pub part: Part,
    /// What is wrong with it; none if all is well.
    pub flaw: Option<String>,
}

/// A part of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// A configuration, manifest, index or archive, hashed.
    Blob,
    /// A layer that is a file: all of it was compared with its diff ID.
    LayerFile,
    /// A layer that is a directory: the archive that it came from was compared with its diff ID, if it is here.
    LayerDirectory,
}

const READ_BYTES: usize = 128 * 1024;

impl Images {
    /// Reads all of an image again and compares it with its digests.
    ///
    /// # Errors
    /// Those of the database; what is missing or cannot be read is a finding.
    pub fn verify(&self, image: &Image) -> Result<Vec<Finding>, Error> {
        let _lease = self.lease();
        let mut findings = Vec::new();
        for digest in self.shared.store.read(|tx| tx.image_blobs(&image.id))? {
            findings.push(Finding { part: Part::Blob, flaw: self.verify_blob(&digest), digest });
        }
        for diff_id in &image.layers {
            findings.push(self.verify_layer(diff_id)?);
        }
        Ok(findings)
    }

    /// Returns what is wrong with a blob.
    pub(crate) fn verify_blob(&self, digest: &Digest) -> Option<String> {
        let opened = self.shared.content.open_blob(digest).map_err(|error| error::chain(&error));
        compare(digest, opened.and_then(|(file, _)| hash(file, digest.algorithm())))
    }

    /// Returns what is wrong with a layer.
    pub(crate) fn verify_layer(&self, diff_id: &Digest) -> Result<Finding, Error> {
        let (part, flaw) = match self.shared.layers.form(diff_id) {
            Some(Form::File) => (Part::LayerFile, self.verify_file(diff_id)),
            Some(Form::Directory) => (Part::LayerDirectory, self.verify_archive(diff_id)?),
            None => (Part::LayerDirectory, Some("it is missing".to_owned())),
        };
        Ok(Finding { digest: diff_id.clone(), part, flaw })
    }

    fn verify_file(&self, diff_id: &Digest) -> Option<String> {
        match self.shared.layers.verify(diff_id) {
            Ok(None) => None,
            Ok(Some(Flaw::Header)) => Some("its header is damaged".to_owned()),
            Ok(Some(Flaw::Index)) => Some("its index is damaged".to_owned()),
            Ok(Some(Flaw::Archive { found })) => Some(format!("its archive has the digest {found}")),
            Err(error) => Some(error::chain(&error)),
        }
    }

    fn verify_archive(&self, diff_id: &Digest) -> Result<Option<String>, Error> {
        let Some(blob) = self.layer_blob(diff_id)? else { return Ok(None) };
        let opened = self.shared.content.open_blob(&blob.digest).map_err(|error| error::chain(&error));
        let decoded = opened.and_then(|(file, _)| Decoder::new(file).map_err(|error| error::chain(&error)));
        Ok(compare(diff_id, decoded.and_then(|stream| hash(stream, Algorithm::Sha256))))
    }
}

fn hash(mut stream: impl Read, algorithm: Algorithm) -> Result<Digest, String> {
    let mut hasher = Hasher::new(algorithm);
    let mut buffer = vec![0; READ_BYTES];
    loop {
        match stream.read(&mut buffer).map_err(|error| error::chain(&error))? {
            0 => return Ok(hasher.finish()),
            read => hasher.update(&buffer[..read]),
        }
    }
}

fn compare(expected: &Digest, found: Result<Digest, String>) -> Option<String> {
    match found {
        Ok(found) if found == *expected => None,
        Ok(found) => Some(format!("it has the digest {found}")),
        Err(flaw) => Some(flaw),
    }
}
