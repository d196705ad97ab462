//! The grammar of repositories, tags and references. Pure.

use refs::Digest;

/// The longest name of a repository, in bytes.
const MAX_NAME: usize = 255;

/// The longest tag, in bytes.
const MAX_TAG: usize = 128;

/// What follows `/manifests/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reference {
    Tag(String),
    Digest(Digest),
}

/// Returns whether this names a repository: lower case words joined by separators, in components joined by slashes.
///
/// # Source
/// distribution-spec v1.1, "Pulling manifests".
pub(crate) fn is_repository(name: &str) -> bool {
    !name.is_empty() && name.len() <= MAX_NAME && name.split('/').all(is_component)
}

fn is_component(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else { return false };
    if !word(*first) || !word(*last) {
        return false;
    }
    // Between words: one dot, one or two underscores, any number of hyphens.
    text.split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        .all(|between| matches!(between, "" | "." | "_" | "__") || between.bytes().all(|byte| byte == b'-'))
}

/// Returns whether this is a tag.
pub(crate) fn is_tag(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    text.len() <= MAX_TAG
        && text.bytes().next().is_some_and(word)
        && text.bytes().all(|byte| word(byte) || byte == b'.' || byte == b'-')
}

/// Reads a tag or a digest.
pub(crate) fn reference(text: &str) -> Option<Reference> {
    if text.contains(':') {
        return Digest::parse(text).ok().map(Reference::Digest);
    }
    is_tag(text).then(|| Reference::Tag(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_follow_the_grammar() {
        for good in ["a", "a/b/c", "a-b", "a--b", "a_b", "a__b", "a.b", "0/1", "library/busybox"] {
            assert!(is_repository(good), "{good}");
        }
        let long = "a".repeat(256);
        for bad in [
            "",
            "/",
            "a/",
            "/a",
            "A",
            "a..b",
            "a___b",
            "-a",
            "a-",
            "a/../b",
            "..",
            ".",
            "a b",
            "a_.b",
            long.as_str(),
        ] {
            assert!(!is_repository(bad), "{bad}");
        }
    }

    #[test]
    fn references_are_tags_or_digests() {
        assert_eq!(reference("v1.0-x_y"), Some(Reference::Tag("v1.0-x_y".into())));
        let digest = format!("sha256:{}", "0".repeat(64));
        assert!(matches!(reference(&digest), Some(Reference::Digest(_))));
        for bad in ["", ".x", "-x", "sha256:xyz", "a/b", "a b", &"a".repeat(129)] {
            assert_eq!(reference(bad), None, "{bad}");
        }
    }
}
