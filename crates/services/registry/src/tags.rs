//! The tags of a repository, page by page.

use crate::error::Error;
use crate::session::Session;
use crate::{PullRequest, Registry};
use reqwest::header::LINK;
use serde::Deserialize;

const MAX_PAGE_BYTES: u64 = 4 << 20;
const MAX_PAGES: usize = 1000;

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    tags: Option<Vec<String>>,
}

impl Registry {
    pub(crate) async fn tags_anywhere(&self, request: &PullRequest) -> Result<Vec<String>, Error> {
        let endpoints = self.shared.endpoints.of(request.reference.domain())?;
        self.first_of(endpoints, request, |session| async move { self.tags_from(&session).await }).await
    }

    async fn tags_from(&self, session: &Session) -> Result<Vec<String>, Error> {
        let mut tags = Vec::new();
        let mut page = "tags/list".to_owned();
        for _ in 0..MAX_PAGES {
            let (link, body) = self
                .patiently(|| async {
                    let response = session.tags(&page).await?;
                    let link =
                        response.headers().get(LINK).and_then(|link| link.to_str().ok()).map(str::to_owned);
                    Ok((link, session.read_all(response, "list of tags", MAX_PAGE_BYTES).await?))
                })
                .await?;
            let read: Page = serde_json::from_slice(&body)
                .map_err(|error| Error::Malformed { what: "list of tags", reason: error.to_string() })?;
            tags.extend(read.tags.unwrap_or_default());
            match link.as_deref().and_then(next_query) {
                Some(query) => page = format!("tags/list?{query}"),
                None => return Ok(tags),
            }
        }
        Err(Error::Malformed { what: "list of tags", reason: format!("it has more than {MAX_PAGES} pages") })
    }
}

/// The query of the next page: `</v2/a/tags/list?n=1&last=x>; rel="next"`.
///
/// # Source
/// OCI distribution-spec v1.1 "Listing Tags".
fn next_query(link: &str) -> Option<&str> {
    let (address, rest) = link.trim().strip_prefix('<')?.split_once('>')?;
    let query = address.split_once('?')?.1;
    rest.replace(['"', ' '], "").contains("rel=next").then_some(query)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn link_names_the_next_page() {
        let cases = [
            (r#"</v2/a/tags/list?n=1&last=x>; rel="next""#, Some("n=1&last=x")),
            ("<https://h/v2/a/tags/list?last=x>;rel=next", Some("last=x")),
            (r#"</v2/a/tags/list?n=1>; rel="prev""#, None),
            ("</v2/a/tags/list>; rel=next", None),
            ("", None),
        ];
        for (link, query) in cases {
            assert_eq!(next_query(link), query, "{link}");
        }
    }
}
