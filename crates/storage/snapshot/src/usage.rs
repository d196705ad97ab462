//! Counting what a directory holds.

use crate::Error;
use std::collections::HashSet;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use sys::fs::{Kind, OFlags};

/// What a snapshot holds beyond its layers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// The bytes of its regular files; a file with several names counts once.
    pub size_bytes: u64,
    /// The number of its files and directories, itself not counted.
    pub inodes: u64,
}

/// Walks a directory. What vanishes meanwhile is left out: a container may be at work in it.
pub(crate) fn measure(path: &Path) -> Result<Usage, Error> {
    let failed = |source| Error::disk("read", path)(source);
    let root = sys::fs::open_directory(path).map_err(failed)?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW;
    let mut usage = Usage::default();
    let mut linked = HashSet::new();
    // Opened from the top each time: one descriptor, however deep the tree; and a container that puts links in place of
    // directories meanwhile leads nowhere but into its own tree.
    let mut pending = vec![PathBuf::from(".")];
    while let Some(directory) = pending.pop() {
        let opened = match sys::fs::open_in_root(root.as_fd(), &directory, flags) {
            Err(error) if gone(&error) => continue,
            result => result.map_err(failed)?,
        };
        for entry in sys::fs::read_directory(opened.as_fd()).map_err(failed)? {
            let Some(status) = sys::fs::status_at(opened.as_fd(), &entry.name).map_err(failed)? else {
                continue;
            };
            if status.kind == Kind::Directory {
                pending.push(directory.join(&entry.name));
            } else if status.links > 1 && !linked.insert(status.inode) {
                continue;
            }
            usage.inodes += 1;
            if status.kind == Kind::Regular {
                usage.size_bytes += status.size_bytes;
            }
        }
    }
    Ok(usage)
}

fn gone(error: &sys::Error) -> bool {
    // Replaced by something else, or too deep for a path: what a container can do to itself only.
    [sys::Errno::NOENT, sys::Errno::NOTDIR, sys::Errno::LOOP, sys::Errno::NAMETOOLONG].contains(&error.errno)
}
