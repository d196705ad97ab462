//! Image references: `[domain/]path[:tag][@digest]`.
//!
//! # Source
//! distribution/reference v0.6 (grammar in `reference.go`, short forms in `normalize.go`).

use crate::id::is_hex;
use crate::{Digest, Error};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The registry that names without a domain belong to.
pub const DEFAULT_DOMAIN: &str = "docker.io";

/// The tag that names without one mean.
pub const DEFAULT_TAG: &str = "latest";

const LEGACY_DOMAIN: &str = "index.docker.io";
const OFFICIAL_PREFIX: &str = "library/";
const MAX_PATH_BYTES: usize = 255;
const MAX_TAG_BYTES: usize = 128;

/// The name of an image in full: `busybox` is read as `docker.io/library/busybox`.
///
/// `Display` prints the full form, [`Reference::familiar`] the short one that Docker shows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Reference {
    domain: String,
    path: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

impl Reference {
    /// Reads a reference as users write it.
    ///
    /// # Errors
    /// `InvalidArgument` with Docker's text.
    pub fn parse(text: &str) -> Result<Self, Error> {
        if text.len() == 64 && is_hex(text) {
            return Err(Error::RepositoryIsId { name: text.into() });
        }
        let (domain, remainder) = split_domain(text);
        let lower_part = remainder.split(':').next().unwrap_or_default();
        if lower_part.chars().any(char::is_uppercase) {
            return Err(Error::RepositoryUppercase { name: lower_part.into() });
        }
        let (rest, digest) = match remainder.split_once('@') {
            Some((rest, digest)) => (rest, Some(parse_digest(digest)?)),
            None => (remainder.as_str(), None),
        };
        let (path, tag) = match rest.split_once(':') {
            Some((path, tag)) => (path, Some(tag)),
            None => (rest, None),
        };
        if !is_domain(domain) || !is_path(path) || tag.is_some_and(|tag| !is_tag(tag)) {
            return Err(Error::Reference);
        }
        if path.len() > MAX_PATH_BYTES {
            return Err(Error::RepositoryTooLong);
        }
        Ok(Self { domain: domain.into(), path: path.into(), tag: tag.map(str::to_owned), digest })
    }

    /// Returns the registry: `docker.io`, `127.0.0.1:5000`.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// Returns the repository within the registry: `library/busybox`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns the tag, if there is one.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// Returns the digest, if there is one.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// Returns the repository in full: `docker.io/library/busybox`.
    pub fn name(&self) -> String {
        format!("{}/{}", self.domain, self.path)
    }

    /// Returns the repository as Docker shows it: `busybox`.
    pub fn familiar_name(&self) -> String {
        if self.domain != DEFAULT_DOMAIN {
            return self.name();
        }
        match self.path.strip_prefix(OFFICIAL_PREFIX) {
            Some(official) if !official.contains('/') => official.into(),
            _ => self.path.clone(),
        }
    }

    /// Returns the whole reference as Docker shows it: `busybox:latest`.
    pub fn familiar(&self) -> String {
        let mut text = self.familiar_name();
        self.push_rest(&mut text);
        text
    }

    /// Returns the reference with the tag `latest` if it has neither tag nor digest.
    #[must_use]
    pub fn with_default_tag(mut self) -> Self {
        if self.tag.is_none() && self.digest.is_none() {
            self.tag = Some(DEFAULT_TAG.into());
        }
        self
    }

    /// Returns the reference with this tag and without a digest.
    ///
    /// # Errors
    /// `InvalidArgument` for no tag.
    pub fn with_tag(mut self, tag: &str) -> Result<Self, Error> {
        if !is_tag(tag) {
            return Err(Error::Tag);
        }
        self.tag = Some(tag.into());
        self.digest = None;
        Ok(self)
    }

    /// Returns the reference with this digest and without a tag.
    #[must_use]
    pub fn with_digest(mut self, digest: Digest) -> Self {
        self.tag = None;
        self.digest = Some(digest);
        self
    }

    /// Returns only the repository, without tag and digest.
    #[must_use]
    pub fn without_tag(mut self) -> Self {
        self.tag = None;
        self.digest = None;
        self
    }

    fn push_rest(&self, text: &mut String) {
        if let Some(tag) = &self.tag {
            text.push(':');
            text.push_str(tag);
        }
        if let Some(digest) = &self.digest {
            text.push('@');
            text.push_str(digest.as_str());
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = self.name();
        self.push_rest(&mut text);
        f.write_str(&text)
    }
}

impl FromStr for Reference {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Reference {
    type Error = Error;
    fn try_from(text: String) -> Result<Self, Error> {
        Self::parse(&text)
    }
}

impl From<Reference> for String {
    fn from(reference: Reference) -> Self {
        reference.to_string()
    }
}

/// Splits the registry off: the part before the first slash, if it looks like a host.
fn split_domain(text: &str) -> (&str, String) {
    let Some((first, rest)) = text.split_once('/') else {
        return (DEFAULT_DOMAIN, format!("{OFFICIAL_PREFIX}{text}"));
    };
    let (domain, path) = if first == LEGACY_DOMAIN {
        (DEFAULT_DOMAIN, rest)
    } else if first == "localhost" || first.contains(['.', ':']) || first.chars().any(char::is_uppercase) {
        (first, rest)
    } else {
        (DEFAULT_DOMAIN, text)
    };
    if domain == DEFAULT_DOMAIN && !path.contains('/') {
        return (domain, format!("{OFFICIAL_PREFIX}{path}"));
    }
    (domain, path.into())
}

fn parse_digest(text: &str) -> Result<Digest, Error> {
    let hex = text.split_once(':').map_or("", |(_, hex)| hex);
    if hex.len() < 32 || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Error::Reference); // the grammar itself demands 32 digits
    }
    Digest::parse(text)
}

/// `host`, `host:port`, `[ipv6]`, `[ipv6]:port`.
fn is_domain(text: &str) -> bool {
    let is_port = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    if let Some(rest) = text.strip_prefix('[') {
        let Some((address, rest)) = rest.split_once(']') else { return false };
        return !address.is_empty()
            && address.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b':')
            && (rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port));
    }
    let (host, port) = match text.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    };
    host.split('.').all(is_host_label) && port.is_none_or(is_port)
}

fn is_host_label(label: &str) -> bool {
    !label.is_empty()
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

fn is_path(path: &str) -> bool {
    path.split('/').all(is_path_component)
}

/// `[a-z0-9]+` parts joined by `.`, `_`, `__` or any number of `-`.
fn is_path_component(component: &str) -> bool {
    let mut rest = component;
    loop {
        let end = rest.find(|c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit())).unwrap_or(rest.len());
        if end == 0 {
            return false;
        }
        rest = &rest[end..];
        if rest.is_empty() {
            return true;
        }
        let separator = if rest.starts_with('-') {
            rest.find(|c| c != '-').unwrap_or(rest.len())
        } else if rest.starts_with("__") {
            2
        } else if rest.starts_with(['.', '_']) {
            1
        } else {
            return false;
        };
        rest = &rest[separator..];
    }
}

fn is_tag(tag: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    !tag.is_empty()
        && tag.len() <= MAX_TAG_BYTES
        && is_word(tag.as_bytes()[0])
        && tag.bytes().all(|byte| is_word(byte) || byte == b'.' || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reference_short_forms_are_completed() {
        let cases = [
            ("busybox", "docker.io/library/busybox", "busybox"),
            ("busybox:1.37", "docker.io/library/busybox:1.37", "busybox:1.37"),
            ("library/busybox", "docker.io/library/busybox", "busybox"),
            ("docker.io/busybox", "docker.io/library/busybox", "busybox"),
            ("index.docker.io/a/b:c", "docker.io/a/b:c", "a/b:c"),
            ("a/b", "docker.io/a/b", "a/b"),
            ("localhost/a", "localhost/a", "localhost/a"),
            ("127.0.0.1:5000/a/b:t", "127.0.0.1:5000/a/b:t", "127.0.0.1:5000/a/b:t"),
            ("[::1]:5000/a", "[::1]:5000/a", "[::1]:5000/a"),
            ("a__b/c-----d", "docker.io/a__b/c-----d", "a__b/c-----d"),
            ("Host/a", "Host/a", "Host/a"),
            ("docker.io/library/a/b", "docker.io/library/a/b", "library/a/b"),
        ];
        for (text, full, familiar) in cases {
            let reference = Reference::parse(text).unwrap();
            assert_eq!(
                (reference.to_string().as_str(), reference.familiar().as_str()),
                (full, familiar),
                "{text}"
            );
        }
    }

    #[test]
    fn reference_may_have_tag_and_digest() {
        let digest = Digest::sha256([7; 32]);
        let reference = Reference::parse(&format!("r.example:1/x:t@{digest}")).unwrap();
        assert_eq!(
            (reference.domain(), reference.path(), reference.tag(), reference.digest()),
            ("r.example:1", "x", Some("t"), Some(&digest))
        );
        assert_eq!(reference.clone().with_default_tag(), reference);
    }

    #[test]
    fn reference_without_tag_defaults_to_latest() {
        assert_eq!(Reference::parse("a").unwrap().with_default_tag().familiar(), "a:latest");
    }

    #[test]
    fn reference_that_breaks_the_grammar_is_refused() {
        let long_tag = format!("a:{}", "t".repeat(129));
        for text in [
            "",
            ":",
            "a:",
            "a@",
            "-a",
            "a-",
            "a//b",
            "a/",
            "/a",
            "a:b:c",
            "a___b",
            "a._b",
            "a:-t",
            "a b",
            "a..b",
            "a@sha256:12",
            "http://a/b",
            "a_b.c/d",
            "[::1/a",
            ".a/b",
            "a:é",
            &long_tag,
        ] {
            assert_eq!(Reference::parse(text), Err(Error::Reference), "{text}");
        }
    }

    #[test]
    fn reference_refusals_have_dockers_texts() {
        let cases = [
            (
                "Busybox:X".to_owned(),
                "invalid reference format: repository name (library/Busybox) must be lowercase",
            ),
            ("a/B".to_owned(), "invalid reference format: repository name (a/B) must be lowercase"),
            ("a".repeat(256), "repository name must not be more than 255 characters"),
            (format!("a@sha256:{}", "a".repeat(32)), "invalid checksum digest length"),
            (format!("a@md5:{}", "a".repeat(32)), "unsupported digest algorithm"),
        ];
        for (text, error) in cases {
            assert_eq!(Reference::parse(&text).unwrap_err().to_string(), error);
        }
        let id = "ab".repeat(32);
        assert_eq!(Reference::parse(&id), Err(Error::RepositoryIsId { name: id.clone() }));
    }

    #[test]
    fn reference_tag_replaces_tag_and_digest() {
        let reference = Reference::parse(&format!("a:x@{}", Digest::sha256([0; 32]))).unwrap();
        assert_eq!(reference.clone().with_tag("y").unwrap().familiar(), "a:y");
        assert_eq!(reference.clone().with_tag(""), Err(Error::Tag));
        assert_eq!(reference.without_tag().familiar(), "a");
    }
}
