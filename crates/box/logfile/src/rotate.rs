//! The files of one log: `x`, `x.1`, `x.2`, … from the newest to the oldest; those but the first may be compressed, `x.2.gz`.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// Returns the paths that a log of `max_files` files can have, the newest first.
pub fn files(path: &Path, max_files: u32) -> impl Iterator<Item = PathBuf> {
    (0..max_files.max(1)).map(|index| numbered(path, index))
}

/// Returns the path of the `index`-th file; 0 is the one that is written to.
pub(crate) fn numbered(path: &Path, index: u32) -> PathBuf {
    match index {
        0 => path.to_owned(),
        index => {
            let mut name = path.as_os_str().to_owned();
            name.push(format!(".{index}"));
            name.into()
        }
    }
}

/// Returns the path of a file that was compressed after the rotation.
pub fn compressed(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".gz");
    name.into()
}

/// Keeps the files of a log from being renamed by others until the answer is dropped. Who compresses holds it only while it
/// renames: the writer waits for it.
///
/// # Errors
/// Those of the directory.
pub fn lock(path: &Path) -> io::Result<File> {
    let directory = File::open(path.parent().unwrap_or(Path::new("/")))?;
    directory.lock()?;
    Ok(directory)
}

/// Moves every file one number up and drops the last; afterwards there is none at `path`.
///
/// With one file only, that one is removed rather than emptied: who reads it can read it to its end.
pub(crate) fn shift(path: &Path, max_files: u32) -> io::Result<()> {
    let _lock = lock(path)?;
    for index in (1..max_files.max(1)).rev() {
        let (from, to) = (numbered(path, index - 1), numbered(path, index));
        gone_is_fine(fs::remove_file(compressed(&to)))?;
        if index > 1 {
            gone_is_fine(fs::rename(compressed(&from), compressed(&to)))?;
        }
        gone_is_fine(fs::rename(from, &to))?;
    }
    if max_files <= 1 {
        gone_is_fine(fs::remove_file(path))?;
    }
    Ok(())
}

fn gone_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
