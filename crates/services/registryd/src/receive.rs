//! Uploads over HTTP: begun, continued in pieces, finished, asked for, given up; and mounts.
//!
//! # Source
//! distribution-spec v1.1, "Pushing blobs", end-4 to end-6, end-11, end-13, end-14.

use crate::answer::{self, Reply};
use crate::catalog::{Link, Repository, holders};
use crate::error::{Code, Error, Refusal};
use crate::metrics::Metrics;
use crate::server::{Server, now_s};
use crate::uploads::Upload;
use bytes::BytesMut;
use http::header::CONTENT_RANGE;
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use refs::Digest;
use serde_json::json;
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes that are gathered before they are written.
const GATHER: usize = 1 << 20;

/// An upload that the request is about.
struct Session {
    repository: String,
    id: String,
    upload: Arc<Mutex<Upload>>,
}

impl Session {
    fn location(&self) -> String {
        format!("/v2/{}/blobs/uploads/{}", self.repository, self.id)
    }

    /// The headers that say where the upload stands. An empty one is told as `0-0`, as every registry does.
    fn headers(&self) -> Vec<(&'static str, String)> {
        let offset = self.lock().offset();
        vec![
            ("location", self.location()),
            ("range", format!("0-{}", offset.saturating_sub(1))),
            ("docker-upload-uuid", self.id.clone()),
        ]
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Upload> {
        self.upload.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a POST asks for.
#[derive(Debug, Default)]
pub(crate) struct Wishes {
    pub(crate) digest: Option<String>,
    pub(crate) mount: Option<String>,
    pub(crate) from: Option<String>,
}

/// Begins an upload, takes a blob at once, or mounts one from another repository.
pub(crate) async fn start(server: &Arc<Server>, repository: String, wishes: Wishes, body: Incoming) -> Reply {
    if let Some(text) = &wishes.mount {
        let digest = digest(text)?;
        let (this, name, from) = (Arc::clone(server), repository.clone(), wishes.from.clone());
        let wanted = digest.clone();
        if server.disk.run(move || mount(&this, &name, &wanted, from.as_deref())).await? {
            return Ok(created(&repository, &digest));
        }
    }
    let session = begin(server, repository).await?;
    let Some(text) = &wishes.digest else {
        return Ok(answer::empty(StatusCode::ACCEPTED, &session.headers()));
    };
    let done = async {
        let digest = digest(text)?;
        receive(server, &session, body).await?;
        finish(server, &session, digest).await
    };
    let reply = done.await;
    if reply.is_err() {
        abandon(server, &session).await?;
    }
    reply
}

/// Continues an upload.
pub(crate) async fn append(
    server: &Arc<Server>,
    repository: String,
    id: String,
    headers: &HeaderMap,
    body: Incoming,
) -> Reply {
    let session = find(server, repository, id).await?;
    check_order(&session, headers)?;
    receive(server, &session, body).await?;
    Ok(answer::empty(StatusCode::ACCEPTED, &session.headers()))
}

/// Takes the last piece, which may be empty, and the digest of the whole.
pub(crate) async fn complete(
    server: &Arc<Server>,
    repository: String,
    id: String,
    text: Option<&str>,
    headers: &HeaderMap,
    body: Incoming,
) -> Reply {
    let session = find(server, repository, id).await?;
    let Some(text) = text else {
        return Err(Refusal::new(
            Code::DigestInvalid,
            "the digest of the upload is missing: end it with PUT …?digest=…",
        ));
    };
    let digest = digest(text)?;
    check_order(&session, headers)?;
    receive(server, &session, body).await?;
    finish(server, &session, digest).await
}

/// Tells where an upload stands.
pub(crate) async fn status(server: &Arc<Server>, repository: String, id: String) -> Reply {
    let session = find(server, repository, id).await?;
    let mut response = answer::empty(StatusCode::NO_CONTENT, &session.headers());
    response.headers_mut().remove("content-length");
    Ok(response)
}

/// Gives an upload up.
pub(crate) async fn cancel(server: &Arc<Server>, repository: String, id: String) -> Reply {
    let session = find(server, repository, id).await?;
    abandon(server, &session).await?;
    let mut response = answer::empty(StatusCode::NO_CONTENT, &[]);
    response.headers_mut().remove("content-length");
    Ok(response)
}

fn digest(text: &str) -> Result<Digest, Refusal> {
    Digest::parse(text).map_err(|_| Refusal::new(Code::DigestInvalid, format!("{text:?} is no digest")))
}

fn created(repository: &str, digest: &Digest) -> http::Response<answer::Body> {
    answer::empty(
        StatusCode::CREATED,
        &[
            ("location", format!("/v2/{repository}/blobs/{digest}")),
            ("docker-content-digest", digest.to_string()),
        ],
    )
}

fn mount(server: &Server, repository: &str, digest: &Digest, from: Option<&str>) -> Result<bool, Refusal> {
    let _holding = server.holding.read().unwrap_or_else(PoisonError::into_inner);
    let mounted = server.store.write(|tx| {
        let source = match from {
            Some(from) => Repository::of(tx, from).held(digest)?.map(|_| from.to_owned()),
            None => holders(tx, digest)?.into_iter().next(),
        };
        let Some(source) = source else { return Ok(false) };
        let Some(link) = Repository::of(tx, &source).held(digest)? else { return Ok(false) };
        let target = Repository::of(tx, repository);
        if target.held(digest)?.is_none() {
            server.allow(target.size_bytes()?, link.size_bytes)?;
        }
        target.link(digest, &Link { at_s: now_s(), ..link })?;
        Ok::<_, Refusal>(true)
    })?;
    if mounted {
        Metrics::add(&server.metrics.blobs_mounted, 1);
        server.notifier.tell("mount", repository, json!({"digest": digest.as_str(), "fromRepository": from}));
    }
    Ok(mounted)
}

async fn begin(server: &Arc<Server>, repository: String) -> Result<Session, Refusal> {
    let (this, name) = (Arc::clone(server), repository.clone());
    let begun = server
        .disk
        .run(move || {
            let mut uploads = this.uploads.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(id) = uploads.begin(&name)? else { return Ok(None) };
            Ok::<_, Error>(uploads.find(&name, &id)?.map(|upload| (id, upload)))
        })
        .await?;
    match begun {
        Some((id, upload)) => Ok(Session { repository, id, upload }),
        None => Err(Refusal::new(Code::Denied, "too many uploads are under way; try again later")
            .with_status(StatusCode::TOO_MANY_REQUESTS)
            .with_header("retry-after", "5")),
    }
}

async fn find(server: &Arc<Server>, repository: String, id: String) -> Result<Session, Refusal> {
    let (this, name, wanted) = (Arc::clone(server), repository.clone(), id.clone());
    let found = server
        .disk
        .run(move || this.uploads.lock().unwrap_or_else(PoisonError::into_inner).find(&name, &wanted))
        .await?;
    match found {
        Some(upload) => Ok(Session { repository, id, upload }),
        None => Err(Refusal::new(Code::BlobUploadUnknown, format!("{repository} has no upload {id:?}"))),
    }
}

/// Refuses a piece that does not begin where the last one ended.
fn check_order(session: &Session, headers: &HeaderMap) -> Result<(), Refusal> {
    let Some(value) = headers.get(CONTENT_RANGE) else { return Ok(()) };
    let offset = session.lock().offset();
    let range = value.to_str().ok().and_then(piece);
    if range
        .is_some_and(|(first, last)| first == offset && last.checked_add(1).is_some_and(|end| end >= first))
    {
        return Ok(());
    }
    let mut refusal =
        Refusal::new(Code::BlobUploadInvalid, format!("the next piece begins at byte {offset}"))
            .with_status(StatusCode::RANGE_NOT_SATISFIABLE);
    for (name, value) in session.headers() {
        refusal = refusal.with_header(name, value);
    }
    Err(refusal)
}

/// Reads `FIRST-LAST`, with `bytes ` before it or not.
fn piece(text: &str) -> Option<(u64, u64)> {
    let text = text.strip_prefix("bytes ").unwrap_or(text);
    let (first, last) = text.split('/').next()?.split_once('-')?;
    Some((first.trim().parse().ok()?, last.trim().parse().ok()?))
}

/// Writes the body behind what is here. What came before a failure stays, for the client to go on.
async fn receive(server: &Arc<Server>, session: &Session, mut body: Incoming) -> Result<(), Refusal> {
    let mut gathered = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            write(server, session, gathered).await?;
            return Err(Refusal::new(Code::BlobUploadInvalid, "the body was cut off"));
        };
        if let Some(data) = frame.data_ref() {
            gathered.extend_from_slice(data);
        }
        if gathered.len() >= GATHER {
            write(server, session, std::mem::take(&mut gathered)).await?;
        }
    }
    write(server, session, gathered).await
}

async fn write(server: &Arc<Server>, session: &Session, bytes: BytesMut) -> Result<(), Refusal> {
    if bytes.is_empty() {
        return Ok(());
    }
    let (this, upload, name) = (Arc::clone(server), Arc::clone(&session.upload), session.repository.clone());
    let job = move || {
        let mut upload = upload.lock().unwrap_or_else(PoisonError::into_inner);
        if this.settings.quota_bytes.is_some() {
            let held = this.store.read(|tx| Repository::of(tx, &name).size_bytes())?;
            this.allow(held, upload.offset() + bytes.len() as u64)?;
        }
        Metrics::add(&this.metrics.blob_bytes_received, bytes.len() as u64);
        Ok::<_, Refusal>(upload.append(&bytes)?)
    };
    server.disk.run(job).await
}

async fn finish(server: &Arc<Server>, session: &Session, digest: Digest) -> Reply {
    let (this, upload) = (Arc::clone(server), Arc::clone(&session.upload));
    let (repository, id) = (session.repository.clone(), session.id.clone());
    server.disk.run(move || keep(&this, &upload, &repository, &id, &digest)).await
}

fn keep(server: &Server, upload: &Mutex<Upload>, repository: &str, id: &str, digest: &Digest) -> Reply {
    let upload = upload.lock().unwrap_or_else(PoisonError::into_inner);
    let found = upload.digest(digest.algorithm())?;
    if found != *digest {
        let text = format!("the upload has the digest {found}, not {digest}; it is given up");
        server.uploads.lock().unwrap_or_else(PoisonError::into_inner).forget(repository, id);
        upload.remove()?;
        return Err(Refusal::new(Code::DigestInvalid, text));
    }
    let _holding = server.holding.read().unwrap_or_else(PoisonError::into_inner);
    let size_bytes = upload.offset();
    server.content.adopt(upload.path(), digest)?;
    server.store.write(|tx| {
        let catalog = Repository::of(tx, repository);
        if catalog.held(digest)?.is_none() {
            server.allow(catalog.size_bytes()?, size_bytes)?;
        }
        Ok::<_, Refusal>(catalog.link(digest, &Link { size_bytes, at_s: now_s() })?)
    })?;
    server.uploads.lock().unwrap_or_else(PoisonError::into_inner).forget(repository, id);
    Metrics::add(&server.metrics.blobs_pushed, 1);
    server.notifier.tell("push", repository, json!({"digest": digest.as_str(), "size": size_bytes}));
    Ok(created(repository, digest))
}

async fn abandon(server: &Arc<Server>, session: &Session) -> Result<(), Refusal> {
    let (this, upload) = (Arc::clone(server), Arc::clone(&session.upload));
    let (repository, id) = (session.repository.clone(), session.id.clone());
    let job = move || {
        this.uploads.lock().unwrap_or_else(PoisonError::into_inner).forget(&repository, &id);
        upload.lock().unwrap_or_else(PoisonError::into_inner).remove()
    };
    Ok(server.disk.run(job).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_read_with_and_without_unit() {
        assert_eq!(piece("0-9"), Some((0, 9)));
        assert_eq!(piece("bytes 5-9/20"), Some((5, 9)));
        for bad in ["", "5", "-5", "5-", "a-b"] {
            assert_eq!(piece(bad), None, "{bad}");
        }
    }
}
