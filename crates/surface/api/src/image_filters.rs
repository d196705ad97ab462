//! The filters of the image list.

use error::Failure;
use image::{Image, Images};
use refs::{Filters, Reference, Timestamp};

/// The filters that the image list has.
const ACCEPTED: [&str; 7] = ["before", "dangling", "label", "label!", "reference", "since", "until"];

/// The filters of one request, read.
#[derive(Debug)]
pub(crate) struct ImageFilters {
    filters: Filters,
    dangling: Option<bool>,
    /// The earliest of the moments that were given.
    until: Option<Timestamp>,
}

impl ImageFilters {
    /// Reads the filters.
    ///
    /// # Errors
    /// InvalidArgument for an unknown filter or a value that cannot be read.
    pub(crate) fn read(filters: &Filters, now: Timestamp) -> Result<Self, Failure> {
        filters.validate(&ACCEPTED)?;
        let dangling = filters.get_bool("dangling")?;
        let mut until: Option<Timestamp> = None;
        for text in filters.get("until") {
            let moment = Timestamp::parse_moment(text, now, 0)?;
            until = Some(until.map_or(moment, |known| known.min(moment)));
        }
        Ok(Self { filters: filters.clone(), dangling, until })
    }

    /// Returns the images that pass; with a filter on references, only the names that match.
    ///
    /// # Errors
    /// NotFound if an image that others are compared with does not exist.
    ///
    /// # Source
    /// moby `daemon/images/images.go`, `Images`.
    pub(crate) fn apply(&self, images: &Images, all: Vec<Image>) -> Result<Vec<Image>, Failure> {
        let created = |name: &str| images.resolve(name).map(|image| created_at(&image));
        let before =
            self.filters.get("before").map(created).collect::<Result<Vec<_>, _>>()?.into_iter().min();
        let since = self.filters.get("since").map(created).collect::<Result<Vec<_>, _>>()?.into_iter().max();
        Ok(all
            .into_iter()
            .filter(|image| before.is_none_or(|limit| created_at(image) < limit))
            .filter(|image| since.is_none_or(|limit| created_at(image) > limit))
            .filter(|image| self.until.is_none_or(|limit| created_at(image) < limit))
            .filter(|image| self.passes(image))
            .filter_map(|image| self.with_matching_names(image))
            .collect())
    }

    fn passes(&self, image: &Image) -> bool {
        let labels =
            image.config.config.as_ref().and_then(|config| config.labels.clone()).unwrap_or_default();
        let dangling = match self.dangling {
            Some(true) => image.tags.is_empty(),
            Some(false) => !(image.tags.is_empty() && image.digests.is_empty()),
            None => true,
        };
        dangling
            && self.filters.matches_labels("label", &labels)
            && self.filters.matches_no_label("label!", &labels)
    }

    fn with_matching_names(&self, mut image: Image) -> Option<Image> {
        if !self.filters.contains("reference") {
            return Some(image);
        }
        let is_wanted =
            |name: &String| self.filters.get("reference").any(|pattern| name_matches(pattern, name));
        image.tags.retain(is_wanted);
        image.digests.retain(is_wanted);
        (!image.tags.is_empty() || !image.digests.is_empty()).then_some(image)
    }
}

fn created_at(image: &Image) -> Timestamp {
    let text = image.config.created.as_deref().unwrap_or_default();
    Timestamp::parse_rfc3339(text).unwrap_or_default()
}

/// Tells whether a familiar name matches a pattern, with its tag or without.
///
/// # Source
/// distribution/reference `helpers.go`, `FamiliarMatch`.
fn name_matches(pattern: &str, name: &str) -> bool {
    let repository =
        Reference::parse(name).map_or_else(|_| name.to_owned(), |reference| reference.familiar_name());
    glob(pattern.as_bytes(), name.as_bytes()) || glob(pattern.as_bytes(), repository.as_bytes())
}

/// Tells whether the whole text matches: `*` and `?` stand for anything but `/`, `[a-z]` and `[^a-z]` for one of a set, `\` takes
/// the next character as it is.
///
/// # Source
/// Go `path.Match`.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    match pattern {
        [] => text.is_empty(),
        [b'*', rest @ ..] => {
            let end = text.iter().position(|byte| *byte == b'/').unwrap_or(text.len());
            (0..=end).any(|taken| glob(rest, &text[taken..]))
        }
        [b'?', rest @ ..] => matches!(text, [first, text @ ..] if *first != b'/' && glob(rest, text)),
        [b'[', rest @ ..] => match (set(rest), text) {
            (Some((ranges, negated, rest)), [first, text @ ..]) => {
                let inside = ranges.iter().any(|(low, high)| (low..=high).contains(&first));
                inside != negated && glob(rest, text)
            }
            _ => false,
        },
        [b'\\', escaped, rest @ ..] => {
            matches!(text, [first, text @ ..] if first == escaped && glob(rest, text))
        }
        [byte, rest @ ..] => matches!(text, [first, text @ ..] if first == byte && glob(rest, text)),
    }
}

type Set<'a> = (Vec<(u8, u8)>, bool, &'a [u8]);

/// Reads a set behind its `[`: the ranges, whether it is negated, and what follows; none if it does not end.
fn set(pattern: &[u8]) -> Option<Set<'_>> {
    let (negated, mut rest) = match pattern {
        [b'^', rest @ ..] => (true, rest),
        _ => (false, pattern),
    };
    let mut ranges = Vec::new();
    loop {
        rest = match rest {
            [b']', after @ ..] if !ranges.is_empty() => return Some((ranges, negated, after)),
            [low, b'-', high, after @ ..] if *high != b']' => {
                ranges.push((*low, *high));
                after
            }
            [single, after @ ..] => {
                ranges.push((*single, *single));
                after
            }
            [] => return None,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_names_with_and_without_tag() {
        let cases = [
            ("busybox", "busybox:latest", true),
            ("busybox:latest", "busybox:latest", true),
            ("busy*", "busybox:1", true),
            ("*", "busybox:1", true),
            ("*", "a/b:1", false),
            ("*/*", "a/b:1", true),
            ("a/*:1", "a/b:1", true),
            ("busybox:2", "busybox:1", false),
            ("b[a-u]sybox", "busybox:1", true),
            ("b[^a-u]sybox", "busybox:1", false),
            ("b?sybox", "busybox:1", true),
            ("b[", "busybox:1", false),
            ("\\*", "busybox", false),
        ];
        for (pattern, name, expected) in cases {
            assert_eq!(name_matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn unknown_filters_and_bad_values_are_refused() {
        let read = |json: &str| ImageFilters::read(&Filters::parse(json).unwrap(), Timestamp(0));
        assert_eq!(read(r#"{"foo":["x"]}"#).unwrap_err().message, "invalid filter 'foo'");
        assert!(read(r#"{"dangling":["maybe"]}"#).is_err());
        assert!(read(r#"{"until":["never-ever"]}"#).is_err());
        assert!(read(r#"{"until":["10m"],"label":["a"]}"#).unwrap().until.is_some());
    }
}
