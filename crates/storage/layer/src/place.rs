//! Where an entry goes: the directory above it, opened as if the layer's root were `/`.

use crate::path::LayerPath;
use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use sys::fs::{Kind, OFlags, Status};
use sys::{Errno, Result};

/// overlayfs' mark of a directory that hides what lies below it.
pub(crate) const OPAQUE: &str = "trusted.overlay.opaque";

/// The mode of directories that the archive presupposes but does not have.
const PARENT_MODE: u32 = 0o755;

/// A layer's root, and the directory that was used last.
pub(crate) struct Places<'a> {
    root: BorrowedFd<'a>,
    last: Option<(LayerPath, OwnedFd)>,
}

impl<'a> Places<'a> {
    pub(crate) fn new(root: BorrowedFd<'a>) -> Self {
        Self { root, last: None }
    }

    pub(crate) fn root(&self) -> BorrowedFd<'a> {
        self.root
    }

    /// Opens a directory of the layer, making it and those above it if need be. The descriptor is a path only.
    pub(crate) fn directory(&mut self, path: LayerPath) -> Result<BorrowedFd<'_>> {
        if self.last.as_ref().is_none_or(|(last, _)| *last != path) {
            let directory = match self.open(&path) {
                Err(error) if error.is(Errno::NOENT) => self.make(&path)?,
                result => result?,
            };
            self.last = Some((path, directory));
        }
        let (_, directory) = self.last.as_ref().expect("it was set above");
        Ok(directory.as_fd())
    }

    /// Opens a directory of the layer, which must be there.
    pub(crate) fn open(&self, path: &LayerPath) -> Result<OwnedFd> {
        sys::fs::open_in_root(self.root, path.as_path(), OFlags::PATH | OFlags::DIRECTORY)
    }

    fn make(&self, path: &LayerPath) -> Result<OwnedFd> {
        let mut above = self.open(&LayerPath::clean(b"").expect("the root is a valid path"))?;
        for prefix in path.prefixes() {
            above = match self.open(&prefix) {
                Err(error) if error.is(Errno::NOENT) => {
                    let (_, name) = prefix.split().expect("a prefix is never the root");
                    // A link that leads nowhere is EEXIST here.
                    sys::fs::make_directory_at(above.as_fd(), name, PARENT_MODE)?;
                    sys::fs::change_mode_at(above.as_fd(), name, PARENT_MODE)?;
                    sys::fs::open_at(above.as_fd(), name, OFlags::PATH | OFlags::DIRECTORY)?
                }
                result => result?,
            };
        }
        Ok(above)
    }

    /// Runs `make` in the directory of `path`, once more if the name was taken and could be cleared.
    pub(crate) fn put<T>(
        &mut self,
        path: &LayerPath,
        make: impl Fn(BorrowedFd<'_>, &Path) -> Result<T>,
    ) -> Result<T> {
        let (parent, name) = path.split().ok_or_else(|| taken(path))?;
        let directory = self.directory(parent.clone())?;
        match make(directory, name) {
            Err(error) if error.is(Errno::EXIST) => {}
            result => return result,
        }
        self.clear(path)?;
        make(self.directory(parent)?, name)
    }

    /// Removes what lies at `path`, with all below it.
    pub(crate) fn clear(&mut self, path: &LayerPath) -> Result<()> {
        let (parent, name) = path.split().ok_or_else(|| taken(path))?;
        let directory = self.directory(parent)?;
        let Some(Status { kind, .. }) = sys::fs::status_at(directory, name)? else { return Ok(()) };
        sys::fs::remove_tree_at(directory, name)?;
        if matches!(kind, Kind::Directory | Kind::SymbolicLink) {
            // The directory that was used last may have been reached through it.
            self.last = None;
        }
        Ok(())
    }

    /// Returns what lies at `path`.
    pub(crate) fn status(&mut self, path: &LayerPath) -> Result<Option<Status>> {
        match path.split() {
            Some((parent, name)) => sys::fs::status_at(self.directory(parent)?, name),
            None => sys::fs::status(self.root).map(Some),
        }
    }

    /// Marks a directory: what lower layers have in it is hidden.
    pub(crate) fn mark_opaque(&mut self, path: LayerPath) -> Result<()> {
        let directory = self.directory(path)?;
        sys::fs::set_xattr_at(directory, Path::new(""), OsStr::new(OPAQUE), b"y")
    }
}

fn taken(path: &LayerPath) -> sys::Error {
    sys::Call("openat").failed(Errno::EXIST, || format!("{:?}", path.as_path()))
}

/// Returns whether this is overlayfs' whiteout.
pub(crate) fn is_whiteout(status: &Status) -> bool {
    status.kind == Kind::CharacterDevice && status.node == (0, 0)
}
