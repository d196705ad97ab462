//! The content of an image into a new volume.

use crate::Error;
use layer::Limits;
use layer::tar::{Archive, Source};
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use sys::fs::Status;

/// Copies a directory of an image, given as its parts from the top layer to the bottom one, into an empty directory: owners,
/// modes, extended attributes, links and times. The target's own become those of the topmost part.
///
/// Both sides are descriptors: whatever the image holds, nothing outside of `target` is written.
pub(crate) fn into(parts: &[OwnedFd], target: &OwnedFd) -> Result<(), layer::Error> {
    let paths: Vec<PathBuf> =
        parts.iter().map(|part| PathBuf::from(format!("/proc/self/fd/{}", part.as_raw_fd()))).collect();
    let paths: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
    let limits = Limits::default();
    let (reader, writer) = std::io::pipe().map_err(|source| layer::Error::Thread { source })?;
    std::thread::scope(|scope| {
        let packing = scope.spawn(|| layer::write_tree(&paths, writer).map(drop));
        let mut archive = Archive::new(Source::new(reader, limits.archive_bytes), limits.entries);
        let applied = layer::apply(&mut archive, target.as_fd()).map(drop);
        drop(archive); // a packer that still writes ends
        match packing.join() {
            Ok(packed) => applied.and(packed),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

/// Gives `target` owner, mode, attributes and times of a directory.
pub(crate) fn like(source: &OwnedFd, target: &OwnedFd) -> sys::Result<()> {
    let Status { uid, gid, mode, accessed, modified, .. } = sys::fs::status(source)?;
    sys::fs::change_owner(target, uid, gid)?;
    sys::fs::change_mode(target, mode)?;
    for name in attributes(source)? {
        if let Some(value) = sys::fs::get_xattr(source, &name)? {
            match sys::fs::set_xattr(target, &name, &value) {
                Err(error) if error.is(sys::Errno::OPNOTSUPP) || error.is(sys::Errno::PERM) => {}
                done => done?,
            }
        }
    }
    sys::fs::set_times(target, accessed, modified)
}

fn attributes(source: &OwnedFd) -> sys::Result<Vec<OsString>> {
    let mut names = sys::fs::list_xattrs_at(source.as_fd(), Path::new(""))?;
    names.retain(|name: &OsString| !is_overlays(name));
    Ok(names)
}

fn is_overlays(name: &OsStr) -> bool {
    name.as_bytes().starts_with(b"trusted.overlay.") || name.as_bytes().starts_with(b"user.overlay.")
}

/// Copies the image's content into a volume's directory, which must be empty but for what an interrupted copy has left.
///
/// # Errors
/// Internal, with the reason; the target may hold a part then.
pub fn copy_up(name: &str, parts: &[OwnedFd], data: &Path) -> Result<(), Error> {
    let target = sys::fs::open_directory(data)?;
    empty(&target)?;
    into(parts, &target)
        .map_err(|source| Error::CopyUp { name: name.to_owned(), source: Box::new(source) })?;
    if let Some(top) = parts.first() {
        like(top, &target)?;
    }
    // The mark goes when this is on disk: else a power cut could leave a volume that looks complete.
    sys::fs::sync_file_system(&target)?;
    Ok(())
}

/// Removes all that is in a directory.
pub(crate) fn empty(directory: &OwnedFd) -> Result<(), Error> {
    for entry in sys::fs::read_directory(directory.as_fd())? {
        sys::fs::remove_tree_at(directory.as_fd(), &entry.name)?;
    }
    Ok(())
}
