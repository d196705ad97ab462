//! Names of entries: cleaned, and sorted into what overlayfs needs.

use crate::Malformed;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// A name below the layer's root: no leading slash, no `.`, no `..`; empty for the root itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LayerPath(Vec<u8>);

/// What an entry's name asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// The thing itself.
    Plain(LayerPath),
    /// The absence of a thing that a lower layer has.
    Whiteout(LayerPath),
    /// The absence of all that lower layers have in this directory.
    Opaque(LayerPath),
    /// Bookkeeping of the aufs driver, which means nothing.
    Bookkeeping,
}

const WHITEOUT: &[u8] = b".wh.";
const BOOKKEEPING: &[u8] = b".wh..wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";

impl LayerPath {
    /// Cleans a name. An absolute one counts from the layer's root, as in Docker.
    pub(crate) fn clean(name: &[u8]) -> Result<Self, Malformed> {
        if name.contains(&0) {
            return Err(Malformed::Name);
        }
        let mut parts: Vec<&[u8]> = Vec::new();
        for part in name.split(|&byte| byte == b'/') {
            match part {
                b"" | b"." => {}
                b".." => {
                    parts.pop().ok_or(Malformed::Escapes)?;
                }
                part => parts.push(part),
            }
        }
        Ok(Self(parts.join(&b'/')))
    }

    /// Splits the last part off; none for the root.
    pub(crate) fn split(&self) -> Option<(Self, &Path)> {
        let (parent, name) = match self.0.iter().rposition(|&byte| byte == b'/') {
            Some(slash) => (&self.0[..slash], &self.0[slash + 1..]),
            None if self.0.is_empty() => return None,
            None => (&[][..], &self.0[..]),
        };
        Some((Self(parent.to_vec()), Path::new(OsStr::from_bytes(name))))
    }

    /// Returns all prefixes from the top down, the path itself included.
    pub(crate) fn prefixes(&self) -> impl Iterator<Item = Self> {
        let slashes = self.0.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(index, _)| index);
        let ends = slashes.chain((!self.0.is_empty()).then_some(self.0.len()));
        ends.map(|end| Self(self.0[..end].to_vec()))
    }

    pub(crate) fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the path for openat2: `.` for the root.
    pub(crate) fn as_path(&self) -> &Path {
        Path::new(OsStr::from_bytes(if self.0.is_empty() { b"." } else { &self.0 }))
    }
}

impl Target {
    pub(crate) fn of(name: &[u8]) -> Result<Self, Malformed> {
        let path = LayerPath::clean(name)?;
        let mut parts = path.0.split(|&byte| byte == b'/').rev();
        let last = parts.next().unwrap_or_default();
        if parts.any(|part| part.starts_with(BOOKKEEPING)) {
            return Ok(Self::Bookkeeping);
        }
        if last == OPAQUE {
            let (parent, _) = path.split().ok_or(Malformed::Whiteout)?;
            return Ok(Self::Opaque(parent));
        }
        if last.starts_with(BOOKKEEPING) {
            return Ok(Self::Bookkeeping);
        }
        let Some(hidden) = last.strip_prefix(WHITEOUT) else { return Ok(Self::Plain(path)) };
        if matches!(hidden, b"" | b"." | b"..") {
            return Err(Malformed::Whiteout);
        }
        let parent = &path.0[..path.0.len() - last.len()];
        Ok(Self::Whiteout(LayerPath([parent, hidden].concat())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(path: &str) -> Result<Target, Malformed> {
        Ok(Target::Plain(LayerPath(path.into())))
    }

    #[test]
    fn names_are_cleaned_or_refused() {
        let cases = [
            ("etc/passwd", plain("etc/passwd")),
            ("./etc//passwd/", plain("etc/passwd")),
            ("/etc/passwd", plain("etc/passwd")),
            ("a/../b", plain("b")),
            (".", plain("")),
            ("./", plain("")),
            ("/", plain("")),
            ("a/..", plain("")),
            ("...", plain("...")),
            ("..", Err(Malformed::Escapes)),
            ("/..", Err(Malformed::Escapes)),
            ("../etc/passwd", Err(Malformed::Escapes)),
            ("/../etc/passwd", Err(Malformed::Escapes)),
            ("a/../../b", Err(Malformed::Escapes)),
            ("a\0b", Err(Malformed::Name)),
            (".wh.a", Ok(Target::Whiteout(LayerPath("a".into())))),
            ("d/.wh.a", Ok(Target::Whiteout(LayerPath("d/a".into())))),
            ("d/.wh..wh..opq", Ok(Target::Opaque(LayerPath("d".into())))),
            (".wh..wh..opq", Ok(Target::Opaque(LayerPath("".into())))),
            (".wh..wh.plnk", Ok(Target::Bookkeeping)),
            (".wh..wh.plnk/12.34", Ok(Target::Bookkeeping)),
            (".wh.a/b", plain(".wh.a/b")),
            (".wh.", Err(Malformed::Whiteout)),
            ("d/.wh..", Err(Malformed::Whiteout)),
            ("d/.wh...", Err(Malformed::Whiteout)),
            ("d/.wh....", Ok(Target::Whiteout(LayerPath("d/...".into())))),
        ];
        for (name, expected) in cases {
            assert_eq!(Target::of(name.as_bytes()), expected, "{name:?}");
        }
    }

    #[test]
    fn prefixes_go_from_the_top_down() {
        let prefixes: Vec<LayerPath> = LayerPath("a/b/c".into()).prefixes().collect();
        assert_eq!(prefixes, [LayerPath("a".into()), LayerPath("a/b".into()), LayerPath("a/b/c".into())]);
        assert_eq!(LayerPath(Vec::new()).prefixes().count(), 0);
    }
}
