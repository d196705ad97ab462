//! Paths that come from images, archives or users, resolved below a root directory and never outside it.
//!
//! A [`Root`] is a directory that plays `/`: `..` and absolute symbolic links stay inside, magic links
//! (`/proc/PID/fd/N`) are refused. The kernel resolves (openat2), so there is no window between a check and its use.
//!
//! # Source
//! man 2 openat2 (since 5.6).

mod create;

use crate::{Call, Errno, Result, raw};
use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags};
use std::ffi::CString;
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

pub(crate) use create::{ensure_dir, ensure_file};

/// A directory that plays `/`.
#[derive(Debug)]
pub struct Root(OwnedFd);

impl Root {
    /// Opens a directory of the host as a root. The path itself is followed as usual.
    ///
    /// # Errors
    /// ENOENT, ENOTDIR, EACCES.
    pub fn open(path: &Path) -> Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let done = rustix::fs::openat(CWD, path, flags, Mode::empty());
        Call("openat").result(done, || format!("AT_FDCWD, {path:?}, O_PATH|O_DIRECTORY")).map(Self)
    }

    /// Returns the root that an open directory is.
    pub fn from_fd(directory: OwnedFd) -> Self {
        Self(directory)
    }

    /// Opens what a path leads to, as a place: for metadata and as the base of other calls, not for reading.
    ///
    /// # Errors
    /// ENOENT, ENOTDIR, ELOOP.
    pub fn locate(&self, path: &Path) -> Result<OwnedFd> {
        self.open_with(path, OFlags::PATH, ResolveFlags::empty())
    }

    /// Opens a regular file for reading; anything else is refused without waiting for a fifo or touching a device.
    ///
    /// # Errors
    /// ENOENT, ENOTDIR, ELOOP, EACCES; EINVAL if it is no regular file.
    pub fn read(&self, path: &Path) -> Result<File> {
        let place = self.locate(path)?;
        let stat = Call("fstat").result(rustix::fs::fstat(&place), || format!("{path:?}"))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(Call("open").failed(Errno::INVAL, || format!("{path:?} /* no regular file */")));
        }
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
        self.open_with(path, flags, ResolveFlags::empty()).and_then(|fd| {
            // The path may lead elsewhere by now; what counts is what was opened.
            let opened = Call("fstat").result(rustix::fs::fstat(&fd), || format!("{path:?}"))?;
            if (opened.st_dev, opened.st_ino) == (stat.st_dev, stat.st_ino) {
                Ok(File::from(fd))
            } else {
                Err(Call("open").failed(Errno::AGAIN, || format!("{path:?} /* changed meanwhile */")))
            }
        })
    }

    /// Opens a directory for reading its entries and as the base of other calls.
    ///
    /// # Errors
    /// ENOENT, ENOTDIR, ELOOP, EACCES.
    pub fn directory(&self, path: &Path) -> Result<OwnedFd> {
        self.open_with(path, OFlags::RDONLY | OFlags::DIRECTORY, ResolveFlags::empty())
    }

    /// Returns a directory, made with its missing parents if it is not there; 0755, owned by the caller.
    ///
    /// # Errors
    /// ENOTDIR if something else is in the way, ELOOP, EROFS, ENOSPC.
    pub fn create_dir_all(&self, path: &Path) -> Result<OwnedFd> {
        let args = || format!("{}, {path:?}, 0755", self.0.as_raw_fd());
        let done = ensure_dir(self.0.as_fd(), path.as_os_str().as_bytes(), Mode::from_raw_mode(0o755));
        Call("mkdirat").result(done, args)
    }

    /// Returns a file as a place, made empty with its missing parents if it is not there.
    ///
    /// # Errors
    /// ENOTDIR if something is in the way, ELOOP, EROFS, ENOSPC.
    pub fn create_file(&self, path: &Path, mode: u32) -> Result<OwnedFd> {
        let args = || format!("{}, {path:?}, {mode:#o}", self.0.as_raw_fd());
        let done = ensure_file(self.0.as_fd(), path.as_os_str().as_bytes(), Mode::from_raw_mode(mode));
        Call("openat").result(done, args)
    }

    /// Opens below the root with flags of the caller's choice.
    ///
    /// # Errors
    /// Those of openat2.
    pub fn open_with(&self, path: &Path, flags: OFlags, resolve: ResolveFlags) -> Result<OwnedFd> {
        let args = || format!("{}, {path:?}, {{{flags:?}, RESOLVE_IN_ROOT}}", self.0.as_raw_fd());
        let Ok(text) = CString::new(path.as_os_str().as_bytes()) else {
            return Err(Call("openat2").failed(Errno::INVAL, args));
        };
        Call("openat2").result(raw::open_in_root(self.0.as_fd(), &text, flags, resolve), args)
    }
}

impl AsFd for Root {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests;
