//! One blob, chunk by chunk.

use crate::Registry;
use crate::error::{Error, What};
use crate::session::Session;
use bytes::Bytes;
use content::Content;
use refs::Digest;
use reqwest::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION, RANGE};
use reqwest::{Method, Response, StatusCode, Url};
use std::os::unix::fs::FileExt;

/// What is sent at once, and sent again if it fails. Some registries want chunks of 5 MiB at least.
const CHUNK_BYTES: u64 = 8 << 20;

impl Registry {
    /// Sends a blob. `begun` is where an upload has begun already.
    pub(crate) async fn upload(
        &self,
        session: &Session,
        digest: &Digest,
        begun: Option<Url>,
        tick: &mut (dyn FnMut(u64) + Send),
    ) -> Result<(), Error> {
        let (content, wanted) = (self.shared.images.content().clone(), digest.clone());
        let total = self.shared.disk.run(move || content.open_blob(&wanted)).await?.1;
        let mut location = match begun {
            Some(location) => location,
            None => self.begin_somewhere(session).await?,
        };
        let mut sent = 0;
        let mut failures = 0;
        loop {
            let content = self.shared.images.content().clone();
            let wanted = digest.clone();
            let chunk = self.shared.disk.run(move || read_chunk(&content, &wanted, sent)).await?;
            let is_last = sent + chunk.len() as u64 >= total;
            let result = match is_last {
                true => session.finish_upload(&location, digest, sent, &chunk).await.map(|()| None),
                false => session.send_chunk(&location, sent, &chunk).await.map(Some),
            };
            match result {
                Ok(None) => {
                    tick(total);
                    return Ok(());
                }
                Ok(Some(next)) => {
                    location = next;
                    sent += chunk.len() as u64;
                    failures = 0;
                    tick(sent);
                }
                Err(error) if error.is_transient() && failures < self.shared.retry.attempts => {
                    failures += 1;
                    tokio::time::sleep(self.shared.retry.delay(failures)).await;
                    // It may have arrived all the same.
                    if session.has_blob(digest).await.unwrap_or(false) {
                        return Ok(());
                    }
                    match session.upload_status(&location).await {
                        Ok((next, arrived)) => (location, sent) = (next, arrived.min(total)),
                        Err(_) => (location, sent) = (self.begin_somewhere(session).await?, 0),
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn begin_somewhere(&self, session: &Session) -> Result<Url, Error> {
        self.patiently(|| session.begin_upload(None)).await?.ok_or_else(|| Error::Malformed {
            what: "answer to an upload",
            reason: "it says that the blob is there".to_owned(),
        })
    }
}

fn read_chunk(content: &Content, digest: &Digest, from: u64) -> Result<Bytes, Error> {
    let (file, total) = content.open_blob(digest)?;
    let count = usize::try_from(total.saturating_sub(from).min(CHUNK_BYTES)).unwrap_or_default();
    let mut bytes = vec![0; count];
    file.read_exact_at(&mut bytes, from).map_err(|source| content::Error::Disk {
        action: "read",
        path: content.path(digest),
        source,
    })?;
    Ok(bytes.into())
}

impl Session {
    /// Asks whether the repository has a blob.
    pub(crate) async fn has_blob(&self, digest: &Digest) -> Result<bool, Error> {
        let url = self.url(&format!("blobs/{digest}"))?;
        match self.send(Method::HEAD, url, HeaderMap::new(), Bytes::new(), What::Push).await {
            Ok(_) => Ok(true),
            Err(
                Error::Status { status: 404, .. }
                | Error::RepositoryUnknown { .. }
                | Error::BlobUnknown { .. },
            ) => Ok(false),
            // The blob is, at some other place.
            Err(Error::Status { status: 300..=399, .. }) => Ok(true),
            // Who may not read may still write.
            Err(Error::PushRefused { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Begins an upload, or mounts the blob from another repository; none if it was mounted.
    pub(crate) async fn begin_upload(&self, mount: Option<(&Digest, &str)>) -> Result<Option<Url>, Error> {
        let mut url = self.url("blobs/uploads/")?;
        if let Some((digest, from)) = mount {
            url.query_pairs_mut().append_pair("mount", digest.as_str()).append_pair("from", from);
        }
        let response = self.send(Method::POST, url, HeaderMap::new(), Bytes::new(), What::Push).await?;
        if response.status() == StatusCode::CREATED && mount.is_some() {
            return Ok(None);
        }
        self.location(&response).map(Some)
    }

    /// Sends a chunk that is not the last; returns where the next one goes.
    pub(crate) async fn send_chunk(&self, location: &Url, from: u64, chunk: &Bytes) -> Result<Url, Error> {
        let headers = chunk_headers(from, chunk.len());
        let response = self.send(Method::PATCH, location.clone(), headers, chunk.clone(), What::Push).await?;
        self.location(&response)
    }

    /// Sends the last chunk, and with it the digest.
    pub(crate) async fn finish_upload(
        &self,
        location: &Url,
        digest: &Digest,
        from: u64,
        chunk: &Bytes,
    ) -> Result<(), Error> {
        let mut url = location.clone();
        url.query_pairs_mut().append_pair("digest", digest.as_str());
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        headers.insert(CONTENT_LENGTH, HeaderValue::from(chunk.len()));
        if from > 0 && !chunk.is_empty() {
            headers = chunk_headers(from, chunk.len());
        }
        self.send(Method::PUT, url, headers, chunk.clone(), What::Push).await.map(drop)
    }

    /// Asks how much of an upload has arrived.
    pub(crate) async fn upload_status(&self, location: &Url) -> Result<(Url, u64), Error> {
        let response =
            self.send(Method::GET, location.clone(), HeaderMap::new(), Bytes::new(), What::Push).await?;
        let range = response.headers().get(RANGE).and_then(|range| range.to_str().ok()).unwrap_or_default();
        let arrived = arrived(range);
        let next = self.location(&response).unwrap_or_else(|_| location.clone());
        Ok((next, arrived))
    }

    /// Puts a manifest under a tag; the registry must know it by our digest.
    pub(crate) async fn put_manifest(
        &self,
        tag: &str,
        kind: &str,
        bytes: &[u8],
        digest: &Digest,
    ) -> Result<(), Error> {
        let malformed = |reason: String| Error::Malformed { what: "manifest", reason };
        let mut headers = HeaderMap::new();
        let kind = HeaderValue::from_str(kind).map_err(|error| malformed(error.to_string()))?;
        headers.insert(CONTENT_TYPE, kind);
        let url = self.url(&format!("manifests/{tag}"))?;
        let body = Bytes::copy_from_slice(bytes);
        let response = self.send(Method::PUT, url, headers, body, What::Push).await?;
        let known = response.headers().get("Docker-Content-Digest").and_then(|header| header.to_str().ok());
        match known.map(Digest::parse) {
            Some(Ok(found)) if found.algorithm() == digest.algorithm() && found != *digest => {
                Err(malformed(format!("the registry knows it by the digest {found} instead of {digest}")))
            }
            _ => Ok(()),
        }
    }

    fn location(&self, response: &Response) -> Result<Url, Error> {
        let header = response.headers().get(LOCATION).and_then(|location| location.to_str().ok());
        let target = header.and_then(|location| response.url().join(location).ok());
        let target = target.ok_or_else(|| Error::Malformed {
            what: "answer to an upload",
            reason: "it does not say where to go on".to_owned(),
        })?;
        // Layers may be secret: what began encrypted stays so.
        if response.url().scheme() == "https" && target.scheme() != "https" {
            return Err(Error::Redirect { registry: self.registry(), reason: "from https to http" });
        }
        Ok(target)
    }
}

fn chunk_headers(from: u64, length: usize) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    let range = format!("{from}-{}", from + (length as u64).saturating_sub(1));
    headers.insert(CONTENT_RANGE, HeaderValue::from_str(&range).expect("digits"));
    headers
}

/// Returns how many bytes `0-99` are: the range is inclusive, and `0-0` stands for nothing, too.
fn arrived(range: &str) -> u64 {
    let last =
        range.trim_start_matches("bytes=").split_once('-').and_then(|(_, last)| last.parse::<u64>().ok());
    last.filter(|last| *last > 0).map_or(0, |last| last + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn range_tells_how_much_has_arrived() {
        for (range, expected) in [("0-99", 100), ("bytes=0-99", 100), ("0-0", 0), ("", 0), ("x-y", 0)] {
            assert_eq!(arrived(range), expected, "{range}");
        }
    }

    #[test]
    fn chunk_says_where_it_belongs() {
        assert_eq!(chunk_headers(8, 4)[CONTENT_RANGE], "8-11");
        assert_eq!(chunk_headers(8, 4)[CONTENT_LENGTH], "4");
    }
}
