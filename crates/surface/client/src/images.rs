//! `/images`.

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use wire::image::{ImageFinding, ImageRemoved, ImageSummary};
use wire::progress::Line;

use crate::request::{Query, Request, segment};
use crate::{Client, Error, JsonLines};

/// Which images are listed.
#[derive(Debug, Clone, Default)]
pub struct ListImages {
    /// Intermediate ones, too.
    pub all: bool,
    /// The JSON of the filters; empty for none.
    pub filters: String,
}

/// How an image is removed.
#[derive(Debug, Clone, Copy, Default)]
pub struct RemoveImage {
    /// Even if a stopped container uses it, or it has several names.
    pub force: bool,
    /// Parents without a name are kept.
    pub keep_parents: bool,
}

/// What is pushed.
#[derive(Debug, Clone, Default)]
pub struct PushImage {
    /// The repository with its domain.
    pub repository: String,
    /// The tag; empty for all tags.
    pub tag: String,
    /// `os/architecture[/variant]` that the image must have; empty for any.
    pub platform: String,
    /// The credentials as base64url JSON; empty for none.
    pub auth: String,
}

/// What is pulled.
#[derive(Debug, Clone, Default)]
pub struct PullImage {
    /// The repository with its domain, `docker.io/library/busybox`.
    pub repository: String,
    /// A tag or a digest; empty for all tags.
    pub tag: String,
    /// `os/architecture[/variant]`; empty for the engine's.
    pub platform: String,
    /// The credentials as base64url JSON; empty for none.
    pub auth: String,
}

impl Client {
    /// Lists images.
    ///
    /// # Errors
    /// As every request.
    pub async fn images(&self, what: &ListImages) -> Result<Vec<ImageSummary>, Error> {
        let query = Query::default().with_flag("all", what.all).with_some("filters", Some(&what.filters));
        self.json(Request::get("/images/json").query(query)).await
    }

    /// Returns an image's description as the engine wrote it.
    ///
    /// # Errors
    /// Not found.
    pub async fn image_raw(&self, name: &str) -> Result<Bytes, Error> {
        self.bytes(Request::get(format!("/images/{}/json", segment(name)))).await
    }

    /// Reads all of an image again and compares it with its digests. An extension of ours.
    ///
    /// # Errors
    /// Not found.
    pub async fn verify_image(&self, name: &str) -> Result<Vec<ImageFinding>, Error> {
        self.json(Request::get(format!("/images/{}/verify", segment(name)))).await
    }

    /// Pulls an image and returns the progress as it comes. Dropping it gives the pull up.
    ///
    /// # Errors
    /// What goes wrong before the first byte; later errors are in the progress.
    pub async fn pull(&self, what: &PullImage) -> Result<JsonLines<Line>, Error> {
        let query = Query::default()
            .with("fromImage", &what.repository)
            .with_some("platform", Some(&what.platform))
            .with_some("tag", Some(&what.tag));
        let mut request = Request::post("/images/create").query(query);
        if let Ok(value) = HeaderValue::from_str(&what.auth)
            && !what.auth.is_empty()
        {
            request = request.header(HeaderName::from_static("x-registry-auth"), value);
        }
        self.lines(request).await
    }

    /// Pushes an image and returns the progress as it comes. Dropping it gives the push up.
    ///
    /// # Errors
    /// What goes wrong before the first byte; later errors are in the progress.
    pub async fn push(&self, what: &PushImage) -> Result<JsonLines<Line>, Error> {
        let query =
            Query::default().with_some("tag", Some(&what.tag)).with_some("platform", Some(&what.platform));
        // The header must be there, `{}` stands for nobody.
        let auth = if what.auth.is_empty() { "e30=" } else { &what.auth };
        let mut request = Request::post(format!("/images/{}/push", segment(&what.repository))).query(query);
        if let Ok(value) = HeaderValue::from_str(auth) {
            request = request.header(HeaderName::from_static("x-registry-auth"), value);
        }
        self.lines(request).await
    }

    /// Gives an image a further name.
    ///
    /// # Errors
    /// Not found.
    pub async fn tag(&self, source: &str, repository: &str, tag: &str) -> Result<(), Error> {
        let query = Query::default().with("repo", repository).with("tag", tag);
        self.done(Request::post(format!("/images/{}/tag", segment(source))).query(query)).await
    }

    /// Removes an image's name, and the image if that was its last one.
    ///
    /// # Errors
    /// Not found; conflict if a container uses it.
    pub async fn remove_image(&self, name: &str, how: RemoveImage) -> Result<Vec<ImageRemoved>, Error> {
        let query = Query::default().with_flag("force", how.force).with_flag("noprune", how.keep_parents);
        self.json(Request::delete(format!("/images/{}", segment(name))).query(query)).await
    }
}
