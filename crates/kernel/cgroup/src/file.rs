//! Reading and writing the small files of a cgroup file system.

use crate::Error;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;
use std::str::FromStr;

/// Writes `value` with one write(2), as the kernel's parsers demand.
pub(crate) fn write(path: &Path, value: &str) -> Result<(), Error> {
    write_raw(path, value).map_err(|source| failed("write", path, Some(value), source))
}

/// Like [`write`], with the bare error for callers that decide by it.
pub(crate) fn write_raw(path: &Path, value: &str) -> io::Result<()> {
    OpenOptions::new().write(true).open(path)?.write_all(value.as_bytes())
}

/// Returns the content without the last newline.
pub(crate) fn read(path: &Path) -> Result<String, Error> {
    let mut text = fs::read_to_string(path).map_err(|source| failed("read", path, None, source))?;
    text.truncate(text.trim_end().len());
    Ok(text)
}

/// Returns the content, or none if the file does not exist.
pub(crate) fn read_optional(path: &Path) -> Result<Option<String>, Error> {
    match read(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.is_gone() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Returns the content as a number; `max` and v1's "no limit" stay as the kernel prints them, `max` as the type's greatest.
pub(crate) fn read_number(path: &Path) -> Result<u64, Error> {
    let text = read(path)?;
    if text == "max" {
        return Ok(u64::MAX);
    }
    text.parse().map_err(|_| Error::Content { path: path.into(), text })
}

/// Opens a file for reading.
pub(crate) fn open(path: &Path) -> Result<File, Error> {
    File::open(path).map_err(|source| failed("open", path, None, source))
}

/// Returns the lines `key value` of a flat-keyed file.
pub(crate) fn keyed(text: &str) -> impl Iterator<Item = (&str, u64)> {
    text.lines().filter_map(|line| {
        let (key, value) = line.split_once(' ')?;
        Some((key, u64::from_str(value.trim()).ok()?))
    })
}

/// Returns the value of one key of a flat-keyed file.
pub(crate) fn key(text: &str, wanted: &str) -> Option<u64> {
    keyed(text).find(|(key, _)| *key == wanted).map(|(_, value)| value)
}

/// Returns the error of a failed file operation.
pub(crate) fn failed(verb: &'static str, path: &Path, value: Option<&str>, source: io::Error) -> Error {
    Error::File { verb, path: path.into(), value: value.map(str::to_owned), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_finds_only_whole_keys() {
        let text = "oom 3\noom_kill 7\nbroken\n";
        assert_eq!((key(text, "oom_kill"), key(text, "kill"), key(text, "oom")), (Some(7), None, Some(3)));
    }
}
