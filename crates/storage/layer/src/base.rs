//! The directory that lies below all layers of an image.
//!
//! It holds the places on which every container gets something mounted, so that none has to make them in its writable
//! layer; whatever an image has at these names wins. It also makes an image without layers mountable.

use crate::Error;
use crate::layers::{make_private_directory, make_root};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

const DIRECTORIES: &[&str] = &["dev", "etc", "proc", "sys"];
const FILES: &[&str] = &[".dockerenv", "etc/hostname", "etc/hosts", "etc/resolv.conf"];

/// Makes the directory at `path` and returns where its files are. One that is there stays as it is.
///
/// # Errors
/// A directory that cannot be written.
///
/// # Source
/// `moby daemon/initlayer/setup_unix.go`, which lies above the image instead.
pub fn write_base(path: &Path) -> Result<PathBuf, Error> {
    let files = path.join("fs");
    if files.is_dir() {
        return Ok(files);
    }
    let failed = || Error::disk("write", path);
    let unfinished = path.with_extension("new");
    let parent = path.parent().unwrap_or(Path::new("/"));
    make_private_directory(parent)?;
    let above = sys::fs::open_directory(parent).map_err(failed())?;
    let name = |path: &Path| PathBuf::from(path.file_name().unwrap_or_default());
    sys::fs::remove_tree_at(above.as_fd(), &name(&unfinished)).map_err(failed())?;
    make_private_directory(&unfinished)?;
    let own = sys::fs::open_directory(&unfinished).map_err(failed())?;
    let root = make_root(own.as_fd(), Path::new("fs")).map_err(failed())?;
    for directory in DIRECTORIES {
        make_root(root.as_fd(), Path::new(directory)).map_err(failed())?;
    }
    for file in FILES {
        let file = sys::fs::create_at(root.as_fd(), Path::new(file), 0o644).map_err(failed())?;
        sys::fs::change_mode(&file, 0o644).map_err(failed())?;
    }
    sys::fs::symlink_at(Path::new("/proc/mounts"), root.as_fd(), Path::new("etc/mtab")).map_err(failed())?;
    sys::fs::sync_file_system(&root).map_err(failed())?;
    sys::fs::rename_noreplace_at(above.as_fd(), &name(&unfinished), above.as_fd(), &name(path))
        .map_err(failed())?;
    sys::fs::sync(&above).map_err(failed())?;
    Ok(files)
}
