//! From method and path to the endpoint that is meant. Pure.

use crate::error::{Code, Refusal};
use crate::names::{self, Reference};
use http::Method;
use refs::Digest;

/// What a request is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// `GET /v2/`
    Base,
    /// `GET /v2/_catalog`
    Catalog,
    /// `GET /metrics`
    Metrics,
    BlobGet(Digest),
    BlobDelete(Digest),
    UploadStart,
    UploadStatus(String),
    UploadAppend(String),
    UploadFinish(String),
    UploadCancel(String),
    ManifestGet(Reference),
    ManifestPut(Reference),
    ManifestDelete(Reference),
    Tags,
    Referrers(Digest),
}

impl Target {
    /// Whether it changes what the registry holds.
    pub(crate) fn writes(&self) -> bool {
        matches!(
            self,
            Self::BlobDelete(_)
                | Self::UploadStart
                | Self::UploadAppend(_)
                | Self::UploadFinish(_)
                | Self::UploadCancel(_)
                | Self::ManifestPut(_)
                | Self::ManifestDelete(_)
        )
    }
}

/// An endpoint, and the repository that it is in; empty where there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) repository: String,
    pub(crate) target: Target,
}

/// Finds the endpoint.
pub(crate) fn route(method: &Method, path: &str) -> Result<Route, Refusal> {
    let read = method == Method::GET || method == Method::HEAD;
    let bare = |target| Ok(Route { repository: String::new(), target });
    match path {
        "/v2/" | "/v2" if read => return bare(Target::Base),
        "/v2/_catalog" if read => return bare(Target::Catalog),
        "/metrics" if read => return bare(Target::Metrics),
        _ => {}
    }
    let nowhere =
        || Refusal::new(Code::Unsupported, "nothing is here").with_status(http::StatusCode::NOT_FOUND);
    let rest = path.strip_prefix("/v2/").ok_or_else(nowhere)?;
    let segments: Vec<&str> = rest.split('/').collect();
    // A repository may have components called `blobs` or `tags`: the last segments decide.
    let (repository, endpoint) = split(&segments).ok_or_else(nowhere)?;
    if !names::is_repository(&repository) {
        return Err(Refusal::new(Code::NameInvalid, format!("{repository:?} is no name of a repository")));
    }
    let target = match endpoint {
        Endpoint::Tags if read => Some(Target::Tags),
        Endpoint::Referrers(text) if read => Some(Target::Referrers(digest(text)?)),
        Endpoint::Blob(text) if read => Some(Target::BlobGet(digest(text)?)),
        Endpoint::Blob(text) if method == Method::DELETE => Some(Target::BlobDelete(digest(text)?)),
        Endpoint::Uploads if method == Method::POST => Some(Target::UploadStart),
        Endpoint::Upload(id) => upload(method, id),
        Endpoint::Manifest(text) => manifest(method, text)?,
        _ => None,
    };
    target
        .map(|target| Route { repository, target })
        .ok_or_else(|| Refusal::new(Code::Unsupported, format!("{method} is not possible here")))
}

enum Endpoint<'a> {
    Tags,
    Referrers(&'a str),
    Blob(&'a str),
    Uploads,
    Upload(&'a str),
    Manifest(&'a str),
}

fn split<'a>(segments: &[&'a str]) -> Option<(String, Endpoint<'a>)> {
    let (name, endpoint) = match segments {
        [name @ .., "blobs", "uploads"] | [name @ .., "blobs", "uploads", ""] => (name, Endpoint::Uploads),
        [name @ .., "blobs", "uploads", id] => (name, Endpoint::Upload(id)),
        [name @ .., "blobs", digest] => (name, Endpoint::Blob(digest)),
        [name @ .., "manifests", reference] => (name, Endpoint::Manifest(reference)),
        [name @ .., "tags", "list"] => (name, Endpoint::Tags),
        [name @ .., "referrers", digest] => (name, Endpoint::Referrers(digest)),
        _ => return None,
    };
    Some((name.join("/"), endpoint))
}

fn digest(text: &str) -> Result<Digest, Refusal> {
    Digest::parse(text).map_err(|_| Refusal::new(Code::DigestInvalid, format!("{text:?} is no digest")))
}

fn upload(method: &Method, id: &str) -> Option<Target> {
    let id = id.to_owned();
    Some(match *method {
        Method::GET => Target::UploadStatus(id),
        Method::PATCH => Target::UploadAppend(id),
        Method::PUT => Target::UploadFinish(id),
        Method::DELETE => Target::UploadCancel(id),
        _ => return None,
    })
}

fn manifest(method: &Method, text: &str) -> Result<Option<Target>, Refusal> {
    let Some(reference) = names::reference(text) else {
        let code = if text.contains(':') { Code::DigestInvalid } else { Code::ManifestInvalid };
        // A tag that cannot exist is not there, whoever asks for it.
        let (code, status) = if *method == Method::PUT { (code, 400) } else { (Code::ManifestUnknown, 404) };
        let status = http::StatusCode::from_u16(status).unwrap_or_default();
        return Err(Refusal::new(code, format!("{text:?} is neither a tag nor a digest")).with_status(status));
    };
    Ok(Some(match *method {
        Method::GET | Method::HEAD => Target::ManifestGet(reference),
        Method::PUT => Target::ManifestPut(reference),
        Method::DELETE => Target::ManifestDelete(reference),
        _ => return Ok(None),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(method: Method, path: &str) -> Result<(String, Target), Code> {
        route(&method, path).map(|route| (route.repository, route.target)).map_err(|refusal| refusal.code)
    }

    #[test]
    fn endpoints_are_told_apart_by_their_last_segments() {
        let digest = format!("sha256:{}", "0".repeat(64));
        let parsed = Digest::parse(&digest).expect("a digest");
        let name = || "a/blobs/b".to_owned();
        for (method, path, target) in [
            (Method::GET, "tags/list".to_owned(), Target::Tags),
            (Method::HEAD, format!("blobs/{digest}"), Target::BlobGet(parsed.clone())),
            (Method::DELETE, format!("blobs/{digest}"), Target::BlobDelete(parsed.clone())),
            (Method::POST, "blobs/uploads/".to_owned(), Target::UploadStart),
            (Method::PATCH, "blobs/uploads/x".to_owned(), Target::UploadAppend("x".into())),
            (Method::GET, "manifests/v1".to_owned(), Target::ManifestGet(Reference::Tag("v1".into()))),
            (
                Method::PUT,
                format!("manifests/{digest}"),
                Target::ManifestPut(Reference::Digest(parsed.clone())),
            ),
            (Method::GET, format!("referrers/{digest}"), Target::Referrers(parsed.clone())),
        ] {
            assert_eq!(found(method, &format!("/v2/{}/{path}", name())), Ok((name(), target)));
        }
        assert_eq!(found(Method::GET, "/v2/"), Ok((String::new(), Target::Base)));
    }

    #[test]
    fn refusals_have_the_codes_of_the_protocol() {
        for (method, path, code) in [
            (Method::GET, "/v2/UPPER/tags/list", Code::NameInvalid),
            (Method::GET, "/v2/a/../b/tags/list", Code::NameInvalid),
            (Method::GET, "/v2/a/blobs/sha256:x", Code::DigestInvalid),
            (Method::GET, "/v2/a/manifests/.x", Code::ManifestUnknown),
            (Method::PUT, "/v2/a/manifests/.x", Code::ManifestInvalid),
            (Method::POST, "/v2/a/tags/list", Code::Unsupported),
            (Method::GET, "/other", Code::Unsupported),
        ] {
            assert_eq!(found(method, path), Err(code), "{path}");
        }
    }
}
