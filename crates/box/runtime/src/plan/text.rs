//! Texts and paths of a specification as the kernel takes them.

use crate::Error;
use std::ffi::CString;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

/// Returns a text with a NUL at its end.
pub(crate) fn c_text(field: &str, text: &str) -> Result<CString, Error> {
    CString::new(text).map_err(|_| Error::invalid(field, "has a NUL character"))
}

/// Returns a path without `.`, `..` and double slashes, lexically, as Go's `filepath.Clean` of an absolute path.
pub(crate) fn clean(path: &Path) -> PathBuf {
    let mut clean = PathBuf::from("/");
    for component in path.components() {
        match component {
            Component::Normal(name) => clean.push(name),
            Component::ParentDir => {
                clean.pop();
            }
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    clean
}

/// Returns a cleaned absolute path.
pub(crate) fn absolute(field: &str, path: &str) -> Result<CString, Error> {
    if !path.starts_with('/') {
        return Err(Error::invalid(field, format!("{path:?} is not absolute")));
    }
    path_text(field, &clean(Path::new(path)))
}

/// Returns a path with a NUL at its end.
pub(crate) fn path_text(field: &str, path: &Path) -> Result<CString, Error> {
    let bytes = path.as_os_str().as_bytes();
    if bytes.len() >= 4096 {
        return Err(Error::invalid(field, "is longer than a path can be"));
    }
    CString::new(bytes).map_err(|_| Error::invalid(field, "has a NUL character"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clean_resolves_dots_lexically_and_never_leaves_the_root() {
        for (path, want) in
            [("/a/../b", "/b"), ("/../../a", "/a"), ("//a/./b//", "/a/b"), ("a", "/a"), ("/", "/")]
        {
            assert_eq!(clean(Path::new(path)), Path::new(want), "{path}");
        }
    }
}
