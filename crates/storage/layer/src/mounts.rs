//! Layers' files, mounted: once each, shared by all containers.
//!
//! ```text
//! layers/mounts/          a mount of itself, private: what is mounted below it is seen by no other mount namespace
//! layers/mounts/<hex>/    the layer, read-only
//! ```
//! A mount outlives the engine that made it, so that the next one finds it, and containers that run keep theirs in any case.
//! After a reboot it is made again when it is needed.

use crate::Error;
use crate::layers::make_private_directory;
use refs::Digest;
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use sys::Errno;
use sys::mount::{Depth, MountAttr};

/// The longest text that fsconfig takes, without the NUL.
const MAX_TEXT: usize = 255;

/// The directory below which layers are mounted.
#[derive(Debug)]
pub(crate) struct Mounts {
    path: PathBuf,
    /// Opened with the first mount; the lock also keeps two from mounting the same layer.
    directory: Mutex<Option<Directory>>,
}

#[derive(Debug)]
struct Directory {
    fd: OwnedFd,
    device: u64,
}

impl Mounts {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, directory: Mutex::default() }
    }

    /// Returns where a layer's file is mounted, and mounts it there unless it is.
    pub(crate) fn mounted(&self, diff_id: &Digest, file: &Path) -> Result<PathBuf, Error> {
        let name = Path::new(diff_id.hex());
        let target = self.path.join(name);
        let failed = || Error::disk("mount a layer at", &target);
        let mut directory = self.directory.lock().unwrap_or_else(PoisonError::into_inner);
        let directory = match &*directory {
            Some(open) => open,
            None => directory.insert(self.open()?),
        };
        let found = sys::fs::status_at(directory.fd.as_fd(), name).map_err(failed())?;
        match found {
            Some(status) if status.device != directory.device => return Ok(target),
            Some(_) => {}
            None => sys::fs::make_directory_at(directory.fd.as_fd(), name, 0o700).map_err(failed())?,
        }
        let mount = mount(file).map_err(failed())?;
        let at = sys::fs::open_subdirectory_at(directory.fd.as_fd(), name).map_err(failed())?;
        sys::mount::move_mount(&mount, &at).map_err(failed())?;
        Ok(target)
    }

    /// Unmounts a layer; one that is not mounted is no error. Containers that use it keep it until they end.
    pub(crate) fn unmount(&self, diff_id: &Digest) -> Result<(), Error> {
        let target = self.path.join(diff_id.hex());
        let failed = || Error::disk("unmount", &target);
        let _directory = self.directory.lock().unwrap_or_else(PoisonError::into_inner);
        match sys::mount::unmount(&target) {
            Err(error) if error.is(Errno::NOENT) => return Ok(()),
            // Nothing is mounted there.
            Err(error) if error.is(Errno::INVAL) => {}
            result => result.map_err(failed())?,
        }
        match std::fs::remove_dir(&target) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            result => result.map_err(|source| Error::Write { path: target.clone(), source }),
        }
    }

    /// Returns the directory in which layers are mounted, made ready if need be.
    fn open(&self) -> Result<Directory, Error> {
        let failed = || Error::disk("make ready for mounts", &self.path);
        make_private_directory(&self.path)?;
        if !is_mount_point(&self.path) {
            sys::mount::bind(&self.path, &self.path, Depth::Single).map_err(failed())?;
            let root = sys::fs::open_directory(&self.path).map_err(failed())?;
            let private = MountAttr { propagation: sys::mount::PRIVATE, ..MountAttr::default() };
            sys::mount::mount_setattr(&root, Depth::Single, &private).map_err(failed())?;
        }
        let fd = sys::fs::open_directory(&self.path).map_err(failed())?;
        let device = sys::fs::status(&fd).map_err(failed())?.device;
        Ok(Directory { fd, device })
    }
}

/// Mounts a layer's file, nowhere yet.
pub(crate) fn mount(file: &Path) -> sys::Result<OwnedFd> {
    use sys::mount::{
        NODEV, NOSUID, RDONLY, fsconfig_create, fsconfig_flag, fsconfig_string, fsmount, fsopen,
    };
    let plain = file.to_str().filter(|text| text.len() <= MAX_TEXT);
    // A long path, or one that is no text, goes through a descriptor.
    let open = match plain {
        Some(_) => None,
        None => Some(std::fs::File::open(file).map_err(|error| {
            let errno = error.raw_os_error().map_or(Errno::IO, Errno::from_raw_os_error);
            sys::Call("open").failed(errno, || format!("{file:?}"))
        })?),
    };
    let by_descriptor = open.as_ref().map(|file| format!("/proc/self/fd/{}", file.as_raw_fd()));
    let source = plain.or(by_descriptor.as_deref()).expect("one of both is there");
    let context = fsopen("erofs")?;
    fsconfig_string(&context, "source", source)?;
    fsconfig_flag(&context, "ro")?;
    fsconfig_create(&context)?;
    fsmount(&context, RDONLY | NOSUID | NODEV)
}

/// Returns whether something is mounted at a path, by the table of this process.
fn is_mount_point(path: &Path) -> bool {
    let table = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let Ok(path) = path.canonicalize() else { return false };
    mount_points(&table).any(|target| Path::new(&target) == path)
}

/// Returns the mount points of a mount table; spaces and the like stand there as octal numbers.
fn mount_points(table: &str) -> impl Iterator<Item = String> {
    table.lines().filter_map(|line| {
        let mut parts = line.split(' ').nth(4)?.split('\\');
        let mut text = parts.next()?.to_owned();
        for part in parts {
            let byte = part.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok())?;
            text.push(char::from(byte));
            text.push_str(&part[3..]);
        }
        Some(text)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mount_points_are_read_with_their_spaces() {
        let table = "36 35 98:0 /a /mnt/a\\040b rw - ext4 /dev/x rw\n37 35 0:5 / /proc rw - proc proc rw\n";
        assert_eq!(mount_points(table).collect::<Vec<_>>(), ["/mnt/a b", "/proc"]);
    }
}
