//! Lists: repositories, tags, referrers; page by page.

use crate::answer::{self, Reply};
use crate::catalog::{self, Repository};
use crate::error::{Code, Error, Refusal};
use crate::manifest;
use crate::server::Server;
use refs::Digest;
use serde_json::json;
use std::sync::Arc;

/// Names on a page, at most and by default.
const MAX_PAGE: usize = 1000;

/// What part of a list is wanted.
#[derive(Debug, Clone)]
pub(crate) struct Page {
    n: Option<usize>,
    last: Option<String>,
}

impl Page {
    /// Reads `n` and `last`.
    pub(crate) fn of(n: Option<&str>, last: Option<&str>) -> Result<Self, Refusal> {
        let n = n
            .map(|text| {
                text.parse().map_err(|_| {
                    Refusal::new(Code::Unsupported, format!("n is {text:?}, which is no number"))
                        .with_status(http::StatusCode::BAD_REQUEST)
                })
            })
            .transpose()?;
        Ok(Self { n, last: last.map(str::to_owned) })
    }

    /// Returns the names on the page, and the link to the next one.
    fn cut(&self, names: Vec<String>, path: &str) -> (Vec<String>, Vec<(&'static str, String)>) {
        let limit = self.n.unwrap_or(MAX_PAGE).min(MAX_PAGE);
        let mut rest = names.into_iter().filter(|name| self.last.as_ref().is_none_or(|last| name > last));
        let page: Vec<String> = rest.by_ref().take(limit).collect();
        let next = page.last().filter(|_| rest.next().is_some());
        let link = next.map(|last| ("link", format!("<{path}?n={limit}&last={last}>; rel=\"next\"")));
        (page, link.into_iter().collect())
    }
}

/// Lists repositories.
pub(crate) async fn catalog(server: &Arc<Server>, page: Page) -> Reply {
    let this = Arc::clone(server);
    let names = server.disk.run(move || this.store.read(catalog::repositories)).await?;
    let (names, link) = page.cut(names, "/v2/_catalog");
    Ok(answer::json(&json!({"repositories": names}), &link))
}

/// Lists tags.
///
/// # Source
/// distribution-spec v1.1, "Listing tags", end-8.
pub(crate) async fn tags(server: &Arc<Server>, repository: String, page: Page) -> Reply {
    let (this, name) = (Arc::clone(server), repository.clone());
    let tags = server
        .disk
        .run(move || {
            this.store.read(|tx| {
                let catalog = Repository::of(tx, &name);
                if !catalog.exists()? {
                    return Err(Refusal::new(Code::NameUnknown, format!("there is no repository {name}")));
                }
                Ok(catalog.tags()?.into_iter().map(|(tag, _)| tag).collect())
            })
        })
        .await?;
    let (tags, link) = page.cut(tags, &format!("/v2/{repository}/tags/list"));
    Ok(answer::json(&json!({"name": repository, "tags": tags}), &link))
}

/// Lists the manifests that refer to another one.
///
/// # Source
/// distribution-spec v1.1, "Listing Referrers", end-12.
pub(crate) async fn referrers(
    server: &Arc<Server>,
    repository: String,
    subject: Digest,
    artifact_type: Option<String>,
) -> Reply {
    let this = Arc::clone(server);
    let found = server
        .disk
        .run(move || this.store.read(|tx| Repository::of(tx, &repository).referrers(&subject)))
        .await
        .map_err(|error: Error| Refusal::from(error))?;
    let wanted = artifact_type.as_deref().filter(|text| !text.is_empty());
    let manifests = found
        .iter()
        .filter(|(_, noted)| wanted.is_none() || noted.artifact_type.as_deref() == wanted)
        .map(|(digest, noted)| noted.descriptor(digest))
        .collect();
    let filtered = wanted.map(|_| ("oci-filters-applied", "artifactType".to_owned()));
    let body = manifest::referrers(manifests).to_string();
    let headers: Vec<_> = filtered.into_iter().collect();
    Ok(answer::bytes(oci::image::media_type::OCI_INDEX, body, &headers))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_each_other_without_gap() {
        let names = || ["a", "b", "c", "d", "e"].map(str::to_owned).to_vec();
        let page = |n, last| Page::of(n, last).expect("a page").cut(names(), "/p");
        assert_eq!(
            page(Some("2"), None),
            (vec!["a".into(), "b".into()], vec![("link", "</p?n=2&last=b>; rel=\"next\"".into())])
        );
        assert_eq!(page(Some("2"), Some("d")), (vec!["e".to_owned()], vec![]));
        assert_eq!(page(Some("0"), None), (vec![], vec![]));
        assert_eq!(page(None, None), (names(), vec![]));
        assert_eq!(page(Some("5"), None).1, vec![]);
        assert!(Page::of(Some("x"), None).is_err());
    }
}
