//! Pushing, pulling and deleting manifests and tags.

use crate::answer::{self, Reply};
use crate::catalog::{Link, Repository};
use crate::error::{Code, Refusal};
use crate::manifest::{self, Noted};
use crate::metrics::Metrics;
use crate::names::{Reference, is_tag};
use crate::server::{Server, now_s};
use content::Hasher;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use refs::{Algorithm, Digest};
use serde_json::json;
use std::sync::{Arc, PoisonError};
use store::Tx;

/// Answers GET and HEAD.
///
/// # Source
/// distribution-spec v1.1, "Pulling manifests", end-3.
pub(crate) async fn get(server: &Arc<Server>, repository: String, reference: Reference) -> Reply {
    let this = Arc::clone(server);
    server
        .disk
        .run(move || {
            let (digest, noted) = this.store.read(|tx| find(tx, &repository, &reference))?;
            let bytes = this.content.read(&digest, manifest::MAX_BYTES as u64)?;
            let headers = [("docker-content-digest", digest.to_string()), ("etag", format!("\"{digest}\""))];
            Ok(answer::bytes(&noted.media_type, bytes, &headers))
        })
        .await
}

fn find(tx: &Tx<'_>, repository: &str, reference: &Reference) -> Result<(Digest, Noted), Refusal> {
    let catalog = Repository::of(tx, repository);
    if !catalog.exists()? {
        return Err(Refusal::new(Code::NameUnknown, format!("there is no repository {repository}")));
    }
    let digest = match reference {
        Reference::Tag(tag) => catalog.tag(tag)?,
        Reference::Digest(digest) => Some(digest.clone()),
    };
    let found = match digest {
        Some(digest) => catalog.manifest(&digest)?.map(|noted| (digest, noted)),
        None => None,
    };
    let name = match reference {
        Reference::Tag(tag) => tag.as_str(),
        Reference::Digest(digest) => digest.as_str(),
    };
    found.ok_or_else(|| Refusal::new(Code::ManifestUnknown, format!("{repository} has no manifest {name}")))
}

/// Takes a manifest in.
///
/// # Source
/// distribution-spec v1.1, "Pushing manifests", end-7.
pub(crate) async fn put(
    server: &Arc<Server>,
    repository: String,
    reference: Reference,
    more_tags: Vec<String>,
    headers: &HeaderMap,
    bytes: Vec<u8>,
) -> Reply {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let noted = manifest::read(content_type.as_deref(), &bytes, now_s())?;
    if let Some(tag) = more_tags.iter().find(|tag| !is_tag(tag)) {
        return Err(Refusal::new(Code::ManifestInvalid, format!("{tag:?} is no tag")));
    }
    let (digest, mut tags) = match reference {
        Reference::Digest(digest) => (digest, Vec::new()),
        Reference::Tag(tag) => (content::digest_of(&bytes), vec![tag]),
    };
    tags.extend(more_tags);
    if digest_by(digest.algorithm(), &bytes) != digest {
        return Err(Refusal::new(Code::DigestInvalid, format!("the manifest has not the digest {digest}")));
    }
    let this = Arc::clone(server);
    server.disk.run(move || keep(&this, &repository, &digest, &noted, &tags, &bytes)).await
}

fn digest_by(algorithm: Algorithm, bytes: &[u8]) -> Digest {
    let mut hasher = Hasher::new(algorithm);
    hasher.update(bytes);
    hasher.finish()
}

fn keep(
    server: &Server,
    repository: &str,
    digest: &Digest,
    noted: &Noted,
    tags: &[String],
    bytes: &[u8],
) -> Reply {
    let _holding = server.holding.read().unwrap_or_else(PoisonError::into_inner);
    server.content.write(digest, bytes)?;
    server.store.write(|tx| {
        let catalog = Repository::of(tx, repository);
        for blob in noted.blobs.iter() {
            if catalog.held(blob)?.is_none() {
                return Err(Refusal::new(
                    Code::ManifestBlobUnknown,
                    format!("{repository} has no blob {blob}; push it first"),
                ));
            }
        }
        for manifest in &noted.manifests {
            if catalog.manifest(manifest)?.is_none() {
                let text = format!("{repository} has no manifest {manifest}; push it first");
                return Err(Refusal::new(Code::ManifestBlobUnknown, text));
            }
        }
        if catalog.held(digest)?.is_none() {
            server.allow(catalog.size_bytes()?, noted.size_bytes)?;
        }
        catalog.link(digest, &Link { size_bytes: noted.size_bytes, at_s: noted.put_s })?;
        catalog.put_manifest(digest, noted)?;
        tags.iter().try_for_each(|tag| catalog.put_tag(tag, digest))?;
        Ok(())
    })?;
    Metrics::add(&server.metrics.manifests_pushed, 1);
    server.notifier.tell(
        "push",
        repository,
        json!({"mediaType": noted.media_type, "digest": digest.as_str(), "size": noted.size_bytes, "tag": tags.first()}),
    );
    let mut headers = vec![
        ("location", format!("/v2/{repository}/manifests/{digest}")),
        ("docker-content-digest", digest.to_string()),
    ];
    headers.extend(noted.subject.as_ref().map(|subject| ("oci-subject", subject.to_string())));
    headers.extend((!tags.is_empty()).then(|| ("oci-tag", tags.join(","))));
    Ok(answer::empty(StatusCode::CREATED, &headers))
}

/// Deletes a tag, or a manifest with all its tags.
///
/// # Source
/// distribution-spec v1.1, "Deleting tags", "Deleting manifests", end-9.
pub(crate) async fn delete(server: &Arc<Server>, repository: String, reference: Reference) -> Reply {
    let this = Arc::clone(server);
    server
        .disk
        .run(move || {
            let gone = this.store.write(|tx| {
                find(tx, &repository, &reference)?;
                let catalog = Repository::of(tx, &repository);
                Ok::<_, Refusal>(match &reference {
                    Reference::Tag(tag) => catalog.remove_tag(tag)?,
                    Reference::Digest(digest) => catalog.remove_manifest(digest)?,
                })
            })?;
            if gone {
                Metrics::add(&this.metrics.manifests_deleted, 1);
                let target = match &reference {
                    Reference::Tag(tag) => json!({"tag": tag}),
                    Reference::Digest(digest) => json!({"digest": digest.as_str()}),
                };
                this.notifier.tell("delete", &repository, target);
            }
            Ok(answer::empty(StatusCode::ACCEPTED, &[]))
        })
        .await
}

impl Server {
    /// Refuses what would bring a repository over its quota.
    pub(crate) fn allow(&self, held_bytes: u64, more_bytes: u64) -> Result<(), Refusal> {
        match self.settings.quota_bytes {
            Some(quota) if held_bytes.saturating_add(more_bytes) > quota => Err(Refusal::new(
                Code::Denied,
                format!(
                    "the repository holds {held_bytes} bytes and may hold {quota}; {more_bytes} more do not fit: delete what is not needed"
                ),
            )),
            _ => Ok(()),
        }
    }
}
