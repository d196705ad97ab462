//! Archives of images and containers, and images made of either.

use http::{HeaderValue, header};
use serde::Deserialize;
use std::io::Read;
use wire::image::ImageHistory;
use wire::progress::Line;

use crate::request::{Query, Request, segment};
use crate::{ByteStream, Client, Error, JsonLines};

/// How an image is made of a container.
#[derive(Debug, Clone, Default)]
pub struct CommitContainer {
    /// The container.
    pub container: String,
    /// The repository with its domain; empty for no name.
    pub repository: String,
    /// The tag; empty for none.
    pub tag: String,
    /// Who made it.
    pub author: String,
    /// A remark.
    pub comment: String,
    /// Instructions that change the configuration.
    pub changes: Vec<String>,
    /// The container is not frozen meanwhile.
    pub no_pause: bool,
}

/// How an image is made of an archive.
#[derive(Debug, Clone, Default)]
pub struct ImportImage {
    /// The repository with its domain; empty for no name.
    pub repository: String,
    /// The tag; empty for none.
    pub tag: String,
    /// A remark; empty for the engine's.
    pub message: String,
    /// Instructions that change the configuration.
    pub changes: Vec<String>,
    /// `os/architecture[/variant]`; empty for the engine's.
    pub platform: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Committed {
    id: String,
}

impl Client {
    /// Returns images as one archive, as it comes.
    ///
    /// # Errors
    /// Not found.
    pub async fn save(&self, names: &[String], platform: &str) -> Result<ByteStream, Error> {
        let query = names.iter().fold(Query::default(), |query, name| query.with("names", name));
        self.stream(Request::get("/images/get").query(query.with_some("platform", Some(platform)))).await
    }

    /// Takes images in from an archive; returns the progress as it comes. Errors are in it.
    ///
    /// # Errors
    /// As every request.
    pub async fn load(
        &self,
        archive: impl Read + Send + 'static,
        quiet: bool,
        platform: &str,
    ) -> Result<JsonLines<Line>, Error> {
        let query = Query::default()
            .with("quiet", if quiet { "1" } else { "0" })
            .with_some("platform", Some(platform));
        self.send_archive(Request::post("/images/load").query(query), archive).await
    }

    /// Makes an image of an archive of files; the progress ends with its id.
    ///
    /// # Errors
    /// An archive that is none; a name or change that is none.
    pub async fn import(
        &self,
        archive: impl Read + Send + 'static,
        what: &ImportImage,
    ) -> Result<JsonLines<Line>, Error> {
        let query = Query::default()
            .with("fromSrc", "-")
            .with_some("repo", Some(&what.repository))
            .with_some("tag", Some(&what.tag))
            .with_some("message", Some(&what.message))
            .with_some("platform", Some(&what.platform));
        let query = what.changes.iter().fold(query, |query, change| query.with("changes", change));
        self.send_archive(Request::post("/images/create").query(query), archive).await
    }

    async fn send_archive(
        &self,
        request: Request,
        archive: impl Read + Send + 'static,
    ) -> Result<JsonLines<Line>, Error> {
        let request = request.header(header::CONTENT_TYPE, HeaderValue::from_static("application/x-tar"));
        Ok(JsonLines::new(self.upload(request, archive).await?))
    }

    /// Returns a container's files as an archive, as it comes.
    ///
    /// # Errors
    /// Not found.
    pub async fn export(&self, container: &str) -> Result<ByteStream, Error> {
        self.stream(Request::get(format!("/containers/{}/export", segment(container)))).await
    }

    /// Makes an image of a container; returns its id.
    ///
    /// # Errors
    /// Not found; a name or change that is none.
    pub async fn commit(&self, what: &CommitContainer) -> Result<String, Error> {
        let query = Query::default()
            .with("container", &what.container)
            .with_some("repo", Some(&what.repository))
            .with_some("tag", Some(&what.tag))
            .with_some("author", Some(&what.author))
            .with_some("comment", Some(&what.comment));
        let query = what.changes.iter().fold(query, |query, change| query.with("changes", change));
        let query = if what.no_pause { query.with("pause", "0") } else { query };
        let committed: Committed = self.json(Request::post("/commit").query(query)).await?;
        Ok(committed.id)
    }

    /// Returns how an image came about, the newest step first.
    ///
    /// # Errors
    /// Not found.
    pub async fn history(&self, image: &str, platform: &str) -> Result<Vec<ImageHistory>, Error> {
        let query = Query::default().with_some("platform", Some(platform));
        self.json(Request::get(format!("/images/{}/history", segment(image))).query(query)).await
    }
}
