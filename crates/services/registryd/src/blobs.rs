//! Reading and deleting blobs.

use crate::answer::{self, Body, Reply};
use crate::catalog::{Link, Repository};
use crate::error::{Code, Error, Refusal};
use crate::metrics::Metrics;
use crate::server::{Server, now_s};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::header::RANGE;
use http::{HeaderMap, Method, Response, StatusCode};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use refs::Digest;
use serde_json::json;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// Bytes that are read at once.
const PIECE: usize = 256 * 1024;

/// Answers GET and HEAD.
///
/// # Source
/// distribution-spec v1.1, "Pulling blobs", end-2; RFC 9110 section 14.
pub(crate) async fn get(
    server: &Arc<Server>,
    repository: String,
    digest: Digest,
    method: &Method,
    headers: &HeaderMap,
) -> Reply {
    let this = Arc::clone(server);
    let (name, wanted) = (repository, digest.clone());
    let (file, size) = server.disk.run(move || open(&this, &name, &wanted)).await?;
    let part = match headers.get(RANGE).and_then(|value| value.to_str().ok()).map(|text| range(text, size)) {
        None | Some(Range::Whole) => None,
        Some(Range::Part(first, last)) => Some((first, last)),
        Some(Range::Outside) => {
            return Err(Refusal::new(Code::SizeInvalid, "the range is outside of the blob")
                .with_status(StatusCode::RANGE_NOT_SATISFIABLE)
                .with_header("content-range", format!("bytes */{size}")));
        }
    };
    let (first, length) = part.map_or((0, size), |(first, last)| (first, last - first + 1));
    let mut response = if method == Method::HEAD {
        answer::empty(StatusCode::OK, &[])
    } else {
        Metrics::add(&server.metrics.blob_bytes_sent, length);
        stream_of(server, file, first, length)
    };
    answer::add(
        &mut response,
        &[
            ("content-length", length.to_string()),
            ("content-type", "application/octet-stream".to_owned()),
            ("docker-content-digest", digest.to_string()),
            ("accept-ranges", "bytes".to_owned()),
            ("etag", format!("\"{digest}\"")),
            ("cache-control", "max-age=31536000".to_owned()),
        ],
    );
    if let Some((first, last)) = part {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        answer::add(&mut response, &[("content-range", format!("bytes {first}-{last}/{size}"))]);
    }
    Ok(response)
}

/// Opens a blob that the repository holds, and notes that somebody counts on it.
fn open(server: &Server, repository: &str, digest: &Digest) -> Result<(File, u64), Refusal> {
    let held = server.store.read(|tx| Repository::of(tx, repository).held(digest))?;
    let Some(link) = held else {
        return Err(Refusal::new(Code::BlobUnknown, format!("{repository} has no blob {digest}")));
    };
    // A client that asks before a push counts on the answer: the blob must not be collected before its manifest comes.
    let now = now_s();
    if now.saturating_sub(link.at_s) > server.settings.grace.as_secs() / 2 {
        server.store.write_relaxed(|tx| {
            let repository = Repository::of(tx, repository);
            if repository.held(digest)?.is_some() {
                repository.link(digest, &Link { at_s: now, ..link })?;
            }
            Ok::<_, Error>(())
        })?;
    }
    Ok(server.content.open_blob(digest)?)
}

fn stream_of(server: &Arc<Server>, file: File, first: u64, length: u64) -> Response<Body> {
    let file = Arc::new(file);
    let pieces = stream::try_unfold(
        (Arc::clone(server), file, first, length),
        |(server, file, at, left)| async move {
            if left == 0 {
                return Ok(None);
            }
            let reading = Arc::clone(&file);
            let size = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
            let piece = server
                .disk
                .run(move || {
                    let mut buffer = vec![0; size];
                    reading.read_exact_at(&mut buffer, at).map(|()| Bytes::from(buffer))
                })
                .await?;
            let read = piece.len() as u64;
            Ok::<_, std::io::Error>(Some((piece, (server, file, at + read, left - read))))
        },
    );
    Response::new(StreamBody::new(pieces.map(|piece| piece.map(Frame::data))).boxed_unsync())
}

/// What a `Range` header asks for.
#[derive(Debug, PartialEq, Eq)]
enum Range {
    /// Everything: no range of bytes, several ranges, or not understood.
    Whole,
    /// First and last byte.
    Part(u64, u64),
    Outside,
}

fn range(text: &str, size: u64) -> Range {
    let Some((first, last)) = text.strip_prefix("bytes=").and_then(|text| text.split_once('-')) else {
        return Range::Whole;
    };
    match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), _) if last.is_empty() && first < size => Range::Part(first, size - 1),
        (Ok(first), Ok(last)) if first <= last && first < size => Range::Part(first, last.min(size - 1)),
        (Ok(first), Ok(last)) if first > last => Range::Whole,
        (Ok(_), Ok(_)) => Range::Outside,
        (Ok(_), Err(_)) if last.is_empty() => Range::Outside,
        (Err(_), Ok(count)) if first.is_empty() && count > 0 && size > 0 => {
            Range::Part(size - count.min(size), size - 1)
        }
        (Err(_), Ok(_)) if first.is_empty() => Range::Outside,
        _ => Range::Whole,
    }
}

/// Takes a blob away from a repository. The collection frees its bytes if nobody else holds it.
///
/// # Source
/// distribution-spec v1.1, "Deleting blobs", end-10.
pub(crate) async fn delete(server: &Arc<Server>, repository: String, digest: Digest) -> Reply {
    let this = Arc::clone(server);
    server
        .disk
        .run(move || {
            let gone = this.store.write(|tx| {
                let repository = Repository::of(tx, &repository);
                // What is a manifest goes as one, or its tags would name nothing.
                Ok::<_, Error>(repository.manifest(&digest)?.is_none() && repository.unlink(&digest)?)
            })?;
            if !gone {
                return Err(Refusal::new(Code::BlobUnknown, format!("{repository} has no blob {digest}")));
            }
            this.notifier.tell("delete", &repository, json!({"digest": digest.as_str()}));
            Ok(answer::empty(StatusCode::ACCEPTED, &[]))
        })
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_http_says() {
        for (text, size, expected) in [
            ("bytes=0-", 10, Range::Part(0, 9)),
            ("bytes=3-5", 10, Range::Part(3, 5)),
            ("bytes=3-99", 10, Range::Part(3, 9)),
            ("bytes=-3", 10, Range::Part(7, 9)),
            ("bytes=-99", 10, Range::Part(0, 9)),
            ("bytes=10-", 10, Range::Outside),
            ("bytes=10-12", 10, Range::Outside),
            ("bytes=-0", 10, Range::Outside),
            ("bytes=0-", 0, Range::Outside),
            ("bytes=5-3", 10, Range::Whole),
            ("bytes=0-1,3-4", 10, Range::Whole),
            ("lines=0-1", 10, Range::Whole),
            ("bytes=x", 10, Range::Whole),
        ] {
            assert_eq!(range(text, size), expected, "{text} of {size}");
        }
    }
}
