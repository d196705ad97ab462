//! Reading manifests: what they are and what they name. Pure.

use crate::error::{Code, Refusal};
use oci::image::{self, media_type};
use refs::Digest;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The largest manifest that is taken, in bytes.
pub(crate) const MAX_BYTES: usize = 4 << 20;

/// What the catalog keeps of a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Noted {
    pub(crate) media_type: String,
    pub(crate) size_bytes: u64,
    /// The blobs that it names: configuration and layers.
    pub(crate) blobs: Vec<Digest>,
    /// The manifests that it names.
    pub(crate) manifests: Vec<Digest>,
    pub(crate) subject: Option<Digest>,
    pub(crate) artifact_type: Option<String>,
    pub(crate) annotations: BTreeMap<String, String>,
    /// When it was put, in seconds since 1970.
    pub(crate) put_s: u64,
}

/// The members of manifests and indexes that a registry reads.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    schema_version: Option<u64>,
    media_type: Option<String>,
    artifact_type: Option<String>,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    /// Of the artifact manifest that release candidates of the specification had.
    manifests: Option<Vec<Descriptor>>,
    subject: Option<Descriptor>,
    annotations: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    #[serde(default)]
    media_type: String,
    digest: String,
    #[serde(default)]
    urls: Vec<String>,
}

/// Reads a manifest that came with this `Content-Type`.
pub(crate) fn read(content_type: Option<&str>, bytes: &[u8], now_s: u64) -> Result<Noted, Refusal> {
    let invalid = |text: String| Refusal::new(Code::ManifestInvalid, text);
    let document: Document = serde_json::from_slice(bytes)
        .map_err(|error| invalid(format!("the manifest is not understood: {error}")))?;
    let header = content_type
        .map(|text| text.split(';').next().unwrap_or_default().trim())
        .filter(|text| !text.is_empty());
    let media_type = match (header, document.media_type.as_deref()) {
        (Some(header), Some(inside)) if header != inside => {
            return Err(invalid(format!("its mediaType is {inside:?}, but it came as {header:?}")));
        }
        (Some(media_type), _) | (None, Some(media_type)) => media_type.to_owned(),
        (None, None) => return Err(invalid("neither Content-Type nor mediaType say what it is".into())),
    };
    if media_type == media_type::DOCKER_MANIFEST_V1 || media_type == media_type::DOCKER_MANIFEST_V1_SIGNED {
        return Err(invalid("schema 1 manifests are not taken; push it with a newer client".into()));
    }
    if document.schema_version.is_some_and(|version| version != 2) {
        return Err(invalid("its schemaVersion is not 2".into()));
    }
    let (is_manifest, is_index) =
        (document.config.is_some() || document.layers.is_some(), document.manifests.is_some());
    if is_manifest && is_index {
        return Err(invalid("it is a manifest and an index at once".into())); // CVE-2021-41190
    }
    let expects_index = [media_type::OCI_INDEX, media_type::DOCKER_INDEX].contains(&media_type.as_str());
    let expects_manifest =
        [media_type::OCI_MANIFEST, media_type::DOCKER_MANIFEST].contains(&media_type.as_str());
    if (expects_index && is_manifest) || (expects_manifest && (is_index || document.config.is_none())) {
        return Err(invalid(format!("it has not the members of a {media_type}")));
    }
    let artifact_type = document.artifact_type.filter(|text| !text.is_empty()).or_else(|| {
        document.config.as_ref().map(|config| config.media_type.clone()).filter(|text| !text.is_empty())
    });
    let named = document.config.iter().chain(document.layers.iter().flatten());
    Ok(Noted {
        media_type,
        size_bytes: bytes.len() as u64,
        // What can be fetched elsewhere need not be here.
        blobs: digests(named.filter(|descriptor| descriptor.urls.is_empty()))?,
        manifests: digests(document.manifests.iter().flatten())?,
        subject: digests(document.subject.iter())?.into_iter().next(),
        artifact_type,
        annotations: document.annotations.unwrap_or_default(),
        put_s: now_s,
    })
}

fn digests<'a>(descriptors: impl Iterator<Item = &'a Descriptor>) -> Result<Vec<Digest>, Refusal> {
    descriptors
        .map(|descriptor| {
            Digest::parse(&descriptor.digest).map_err(|_| {
                Refusal::new(Code::ManifestInvalid, format!("{:?} is no digest", descriptor.digest))
            })
        })
        .collect()
}

impl Noted {
    /// Returns the descriptor by which lists of referrers name it.
    pub(crate) fn descriptor(&self, digest: &Digest) -> serde_json::Value {
        let mut descriptor = serde_json::json!({
            "mediaType": self.media_type, "digest": digest.as_str(), "size": self.size_bytes,
        });
        if let Some(artifact_type) = &self.artifact_type {
            descriptor["artifactType"] = artifact_type.as_str().into();
        }
        if !self.annotations.is_empty() {
            descriptor["annotations"] = serde_json::json!(self.annotations);
        }
        descriptor
    }
}

/// Returns the empty index that says which manifests refer to another one.
pub(crate) fn referrers(manifests: Vec<serde_json::Value>) -> serde_json::Value {
    serde_json::json!({"schemaVersion": 2, "mediaType": image::media_type::OCI_INDEX, "manifests": manifests})
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn digest(c: char) -> String {
        format!("sha256:{}", c.to_string().repeat(64))
    }

    #[test]
    fn manifest_names_its_blobs_its_subject_and_its_type() {
        let text = json!({
            "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST, "config": {"mediaType": "x/config", "digest": digest('a')},
            "layers": [{"digest": digest('b')}, {"digest": digest('c'), "urls": ["https://example.org/x"]}],
            "subject": {"digest": digest('d')}, "annotations": {"k": "v"}
        });
        let noted = read(None, text.to_string().as_bytes(), 7).expect("it is one");
        let names: Vec<&str> = noted.blobs.iter().map(Digest::as_str).collect();
        assert_eq!(names, [digest('a'), digest('b')]);
        assert_eq!(noted.subject.map(|subject| subject.as_str().to_owned()), Some(digest('d')));
        assert_eq!(noted.artifact_type.as_deref(), Some("x/config"));
    }

    #[test]
    fn document_that_is_no_manifest_is_refused() {
        for (content_type, text) in [
            (Some(media_type::OCI_MANIFEST), json!("text")),
            (None, json!({"schemaVersion": 2})),
            (
                Some(media_type::OCI_INDEX),
                json!({"mediaType": media_type::OCI_MANIFEST, "config": {"digest": digest('a')}}),
            ),
            (Some(media_type::OCI_MANIFEST), json!({"config": {"digest": digest('a')}, "manifests": []})),
            (Some(media_type::OCI_MANIFEST), json!({"layers": []})),
            (Some(media_type::OCI_INDEX), json!({"layers": []})),
            (Some(media_type::OCI_MANIFEST), json!({"config": {"digest": "sha256:../../x"}})),
            (Some(media_type::OCI_MANIFEST), json!({"schemaVersion": 1, "config": {"digest": digest('a')}})),
            (Some(media_type::DOCKER_MANIFEST_V1), json!({"schemaVersion": 1})),
        ] {
            let refusal = read(content_type, text.to_string().as_bytes(), 0).expect_err("it is none");
            assert_eq!(refusal.code, Code::ManifestInvalid, "{text}");
        }
    }
}
