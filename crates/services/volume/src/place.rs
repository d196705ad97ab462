//! The directory of a volume, and what is mounted over it.

use crate::Error;
use crate::local::{Kind, Local, Mount};
use std::collections::HashSet;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use sys::mount::{Depth, MountAttr};

/// Returns what containers see of a volume.
pub(crate) fn data(root: &Path, name: &str) -> PathBuf {
    root.join(name).join("_data")
}

/// Returns the mark of a volume whose image's content is not copied yet.
pub(crate) fn mark(root: &Path, name: &str) -> PathBuf {
    root.join(name).join("copy-up")
}

/// Makes the directories; those that are there stay as they are.
pub(crate) fn make(root: &Path, name: &str, local: &Local) -> Result<(), Error> {
    let data = data(root, name);
    let make = |path: &Path, mode: u32| match DirBuilder::new().mode(mode).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        done => done.map(|()| true).map_err(Error::file("create", path)),
    };
    make(&root.join(name), 0o701)?;
    if !make(&data, 0o755)? {
        return Ok(());
    }
    let directory = sys::fs::open_directory(&data)?;
    if local.uid.is_some() || local.gid.is_some() {
        sys::fs::change_owner(&directory, local.uid.unwrap_or(0), local.gid.unwrap_or(0))?;
    }
    sys::fs::change_mode(&directory, local.mode.unwrap_or(0o755))?;
    Ok(())
}

/// Removes directories that hold nothing: of a volume whose record was never written.
pub(crate) fn remove_if_empty(root: &Path, name: &str) {
    let _ = fs::remove_file(mark(root, name)); // it may not be there
    let _ = fs::remove_dir(data(root, name)); // what holds something stays
    let _ = fs::remove_dir(root.join(name)); // see above
}

/// Mounts what the options name over the volume's directory.
///
/// # Errors
/// Internal, with Docker's text and the system call.
pub(crate) fn mount(target: &Path, wanted: &Mount) -> Result<(), Error> {
    let make = || -> sys::Result<()> {
        let tree = match &wanted.kind {
            Kind::Bind { source, recursive } => {
                let depth = if *recursive { Depth::Recursive } else { Depth::Single };
                let tree = sys::mount::open_tree(source, depth)?;
                if wanted.attributes != 0 {
                    let attr = MountAttr { set: wanted.attributes, ..MountAttr::default() };
                    sys::mount::mount_setattr(&tree, depth, &attr)?;
                }
                tree
            }
            Kind::FileSystem { parameters } => {
                let context = sys::mount::fsopen(&wanted.fs_type)?;
                sys::mount::fsconfig_string(&context, "source", &wanted.device)?;
                for (key, value) in parameters {
                    match value {
                        Some(value) => sys::mount::fsconfig_string(&context, key, value)?,
                        None => sys::mount::fsconfig_flag(&context, key)?,
                    }
                }
                sys::mount::fsconfig_create(&context)?;
                sys::mount::fsmount(&context, wanted.attributes)?
            }
        };
        let place = sys::fs::open_directory(target)?;
        sys::mount::move_mount(&tree, &place)
    };
    make().map_err(|source| Error::Mount {
        device: wanted.device.clone(),
        target: target.to_owned(),
        data: wanted.text.clone(),
        source,
    })
}

/// Takes off what was mounted; nothing being mounted is no error.
pub(crate) fn unmount(target: &Path) -> Result<(), Error> {
    match sys::mount::unmount(target) {
        Err(error) if error.is(sys::Errno::INVAL) || error.is(sys::Errno::NOENT) => Ok(()),
        done => Ok(done?),
    }
}

/// Returns whether something is mounted at a directory: it is on another file system, or another mount, than the one above.
pub(crate) fn is_mounted(target: &Path) -> bool {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    table.lines().any(|line| line.split(' ').nth(4) == target.to_str())
}

/// Directories that are gone down into at most: deeper ones are not counted.
const MAX_DEPTH: usize = 512;

/// Returns the bytes of the files of a volume. Goes by descriptors: whoever writes there meanwhile leads nobody astray.
pub(crate) fn size_bytes(path: &Path) -> u64 {
    let mut counted = HashSet::new();
    sys::fs::open_directory(path).map_or(0, |directory| walk(&directory, MAX_DEPTH, &mut counted))
}

fn walk(directory: &OwnedFd, depth: usize, counted: &mut HashSet<(u64, u64)>) -> u64 {
    let mut bytes = 0u64;
    let Some(depth) = depth.checked_sub(1) else { return 0 };
    // What cannot be read has been removed meanwhile.
    for entry in sys::fs::read_directory(directory.as_fd()).unwrap_or_default() {
        let Ok(Some(status)) = sys::fs::status_at(directory.as_fd(), &entry.name) else { continue };
        if status.kind == sys::fs::Kind::Directory {
            let below = sys::fs::open_subdirectory_at(directory.as_fd(), &entry.name);
            bytes = bytes.saturating_add(below.map_or(0, |below| walk(&below, depth, counted)));
        } else if status.links < 2 || counted.insert((status.device, status.inode)) {
            bytes = bytes.saturating_add(status.size_bytes);
        }
    }
    bytes
}
