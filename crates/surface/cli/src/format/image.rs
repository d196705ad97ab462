//! Rows of `images`.

use std::collections::BTreeMap;

use wire::image::ImageSummary;

use super::container::Width;
use super::zone::{Zone, go_string};
use super::{Columns, ago, short_id, size};

/// What `images` shows unless told otherwise.
pub(crate) const TABLE: &str = "table {{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}";

/// With `--digests`.
pub(crate) const TABLE_WITH_DIGEST: &str =
    "table {{.Repository}}\t{{.Tag}}\t{{.Digest}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}";

/// What `--format raw` shows.
pub(crate) const RAW: &str = "repository: {{ .Repository }}\ntag: {{.Tag}}\nimage_id: {{.ID}}\n\
created_at: {{.CreatedAt}}\nvirtual_size: {{.Size}}\n";

/// With `--digests`.
pub(crate) const RAW_WITH_DIGEST: &str = "repository: {{ .Repository }}\ntag: {{.Tag}}\ndigest: {{.Digest}}\n\
image_id: {{.ID}}\ncreated_at: {{.CreatedAt}}\nvirtual_size: {{.Size}}\n";

/// The columns of `images`.
pub(crate) const COLUMNS: Columns = Columns {
    type_name: "*formatter.imageContext",
    headers: &[
        ("ID", "IMAGE ID"),
        ("Repository", "REPOSITORY"),
        ("Tag", "TAG"),
        ("Digest", "DIGEST"),
        ("CreatedSince", "CREATED"),
        ("CreatedAt", "CREATED AT"),
        ("Size", "SIZE"),
        ("Containers", "CONTAINERS"),
        ("SharedSize", "SHARED SIZE"),
        ("UniqueSize", "UNIQUE SIZE"),
        ("VirtualSize", "SIZE"),
    ],
    nulls: &[],
};

/// Whether an image has a row per digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Digests {
    /// One row per tag.
    Hidden,
    /// One row per tag and digest.
    Shown,
}

/// A name of an image: one row.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Name {
    repository: String,
    tag: String,
    digest: String,
}

const NONE: &str = "<none>";

/// Returns the fields of each of an image's rows.
pub(crate) fn rows(
    image: &ImageSummary,
    width: Width,
    digests: Digests,
    now_s: i64,
    zone: &Zone,
) -> Vec<[(&'static str, String); 11]> {
    let optional = |bytes: i64| if bytes == -1 { "N/A".to_owned() } else { refs::human_size(bytes as f64) };
    let unique = match (image.size, image.shared_size) {
        (-1, _) | (_, -1) => -1,
        (size, shared) => size - shared,
    };
    let id = match width {
        Width::Short => short_id(&image.id).to_owned(),
        Width::Full => image.id.clone(),
    };
    let row = |name: Name| {
        [
            ("ID", id.clone()),
            ("Repository", name.repository),
            ("Tag", name.tag),
            ("Digest", name.digest),
            ("CreatedSince", ago(image.created, now_s)),
            ("CreatedAt", go_string(zone, image.created)),
            ("Size", size(image.size)),
            (
                "Containers",
                if image.containers == -1 { "N/A".to_owned() } else { image.containers.to_string() },
            ),
            ("SharedSize", optional(image.shared_size)),
            ("UniqueSize", optional(unique)),
            ("VirtualSize", refs::human_size(image.size as f64)),
        ]
    };
    names(image, digests).into_iter().map(row).collect()
}

/// Returns whether nothing names the image.
pub(crate) fn is_dangling(image: &ImageSummary) -> bool {
    let none = |names: &[String], none: &str| names.is_empty() || names == [none];
    none(&image.repo_tags, "<none>:<none>") && none(&image.repo_digests, "<none>@<none>")
}

fn names(image: &ImageSummary, digests: Digests) -> Vec<Name> {
    let name = |repository: &str, tag: &str, digest: &str| Name {
        repository: repository.to_owned(),
        tag: tag.to_owned(),
        digest: digest.to_owned(),
    };
    if is_dangling(image) {
        return vec![name(NONE, NONE, NONE)];
    }
    let mut tags: Vec<(String, Vec<String>)> = Vec::new();
    for text in &image.repo_tags {
        let Ok(reference) = refs::Reference::parse(text) else { continue };
        let Some(tag) = reference.tag() else { continue };
        let repository = reference.familiar_name();
        match tags.iter_mut().find(|(known, _)| *known == repository) {
            Some((_, tags)) => tags.push(tag.to_owned()),
            None => tags.push((repository, vec![tag.to_owned()])),
        }
    }
    let mut by_digest: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for text in &image.repo_digests {
        let Ok(reference) = refs::Reference::parse(text) else { continue };
        let Some(digest) = reference.digest() else { continue };
        by_digest.entry(reference.familiar_name()).or_default().push(digest.as_str().to_owned());
    }
    let mut out = Vec::new();
    for (repository, tags) in tags {
        let own = by_digest.remove(&repository).unwrap_or_default();
        for tag in tags {
            match digests {
                Digests::Shown if !own.is_empty() => {
                    out.extend(own.iter().map(|digest| name(&repository, &tag, digest)));
                }
                Digests::Shown | Digests::Hidden => out.push(name(&repository, &tag, NONE)),
            }
        }
    }
    for (repository, own) in by_digest {
        match digests {
            Digests::Shown => out.extend(own.iter().map(|digest| name(&repository, NONE, digest))),
            Digests::Hidden => out.push(name(&repository, NONE, "")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::List;

    fn image(tags: &[&str], digests: &[&str]) -> ImageSummary {
        ImageSummary {
            containers: -1,
            created: 1_700_000_000,
            id: format!("sha256:{}", "3814a4810d74".repeat(5)),
            repo_tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
            repo_digests: digests
                .iter()
                .map(|digest| format!("{digest}@sha256:{}", "a".repeat(64)))
                .collect(),
            shared_size: -1,
            size: 1_980_000,
            ..ImageSummary::default()
        }
    }

    fn shown(image: &ImageSummary, digests: Digests) -> Vec<(String, String, String)> {
        names(image, digests)
            .into_iter()
            .map(|name| (name.repository, name.tag, name.digest.chars().take(8).collect()))
            .collect()
    }

    fn row(repository: &str, tag: &str, digest: &str) -> (String, String, String) {
        (repository.to_owned(), tag.to_owned(), digest.to_owned())
    }

    #[test]
    fn table_is_dockers() {
        let image = image(&["busybox:latest"], &[]);
        let label: &dyn Fn(&str) -> String = &|_| String::new();
        let rows = rows(&image, Width::Short, Digests::Hidden, 1_700_000_060, &Zone::default());
        let expected = "REPOSITORY   TAG       IMAGE ID       CREATED              SIZE
busybox      latest    3814a4810d74   About a minute ago   1.98MB
";
        let list = List::parse(TABLE, &COLUMNS)
            .and_then(|list| list.render(rows.into_iter().map(|row| (row, label))));
        assert_eq!(list.map_err(|f| f.text), Ok(expected.to_owned()));
    }

    #[test]
    fn each_tag_has_a_row() {
        let image = image(&["a:1", "a:2", "localhost:5000/b:1"], &["a"]);
        let expected = [row("a", "1", NONE), row("a", "2", NONE), row("localhost:5000/b", "1", NONE)];
        assert_eq!(shown(&image, Digests::Hidden), expected);
        let expected =
            [row("a", "1", "sha256:a"), row("a", "2", "sha256:a"), row("localhost:5000/b", "1", NONE)];
        assert_eq!(shown(&image, Digests::Shown), expected);
    }

    #[test]
    fn image_with_a_digest_only_has_a_row_without_a_tag() {
        assert_eq!(shown(&image(&[], &["a"]), Digests::Hidden), [row("a", NONE, "")]);
        assert_eq!(shown(&image(&[], &["a"]), Digests::Shown), [row("a", NONE, "sha256:a")]);
        assert!(!is_dangling(&image(&[], &["a"])));
    }

    #[test]
    fn image_without_a_name_is_dangling() {
        assert!(is_dangling(&image(&[], &[])) && is_dangling(&image(&["<none>:<none>"], &[])));
        assert_eq!(shown(&image(&[], &[]), Digests::Hidden), [row(NONE, NONE, NONE)]);
    }
}
