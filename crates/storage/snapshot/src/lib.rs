//! Snapshots: the writable layer of a container on top of an image's layers.
//!
//! [`Snapshotter`] is what a driver offers. A driver makes directories and says how they are to be mounted; mounting a
//! container's root file system is the supervisor's, inside the container's own mount namespace, so that the host's mount
//! table stays as it is. Every driver passes the suite in `tests/conformance`.
//!
//! | driver | layers are | a snapshot is |
//! |---|---|---|
//! | [`Erofs`] | files, mounted once each | an overlay |
//! | [`Overlay`] | directories | an overlay |
//! | [`Vfs`] | directories | a copy |

#![forbid(unsafe_code)]

mod copy;
mod driver;
mod erofs;
mod error;
mod overlay;
mod usage;
mod vfs;

pub use driver::{Driver, open};
pub use erofs::Erofs;
pub use error::Error;
pub use overlay::{MAX_LAYERS, Overlay};
pub use usage::Usage;
pub use vfs::Vfs;

use refs::Digest;
use std::path::{Path, PathBuf};

/// How a root file system is put together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rootfs {
    /// An overlay, mounted by the supervisor.
    Overlay {
        /// The read-only directories, from the top layer to the bottom one; at least one.
        lower: Vec<PathBuf>,
        /// The directory that takes what is written.
        upper: PathBuf,
        /// overlayfs' own directory, on the same file system.
        work: PathBuf,
    },
    /// A directory that holds everything: there is nothing to merge.
    Directory {
        /// The directory.
        path: PathBuf,
        /// What it began as, unchanged: that of which it is a copy.
        below: PathBuf,
    },
}

impl Rootfs {
    /// Returns the directories that make up the tree, from the top down; they merge by overlayfs' rules.
    pub fn parts(&self) -> impl Iterator<Item = &Path> {
        let (first, rest) = match self {
            Self::Overlay { lower, upper, .. } => (upper, &lower[..]),
            Self::Directory { path, .. } => (path, &[][..]),
        };
        std::iter::once(first).chain(rest).map(PathBuf::as_path)
    }

    /// Returns the directory into which the container writes: the changes alone, or everything.
    pub fn written(&self) -> &Path {
        match self {
            Self::Overlay { upper, .. } => upper,
            Self::Directory { path, .. } => path,
        }
    }
}

/// A driver of snapshots.
pub trait Snapshotter: Send + Sync {
    /// Returns the driver's name, as `info` shows it.
    fn name(&self) -> &'static str;

    /// Makes the snapshot `id` on top of layers, given from the bottom up. It stays until it is removed, and holds its
    /// layers.
    ///
    /// # Errors
    /// `AlreadyExists`; a layer that is not there; more layers than the driver can stack; a full disk.
    fn prepare(&self, id: &str, layers: &[Digest]) -> Result<Rootfs, Error>;

    /// Returns how an existing snapshot is mounted. Parts of it that a power cut has taken are made again, empty.
    ///
    /// # Errors
    /// `NotFound`; a layer that is not there.
    fn rootfs(&self, id: &str) -> Result<Rootfs, Error>;

    /// Removes a snapshot; one that is not there is no error. Its space is given back later.
    ///
    /// # Errors
    /// Those of the disk and of the database.
    fn remove(&self, id: &str) -> Result<(), Error>;

    /// Returns what a snapshot holds beyond its layers.
    ///
    /// # Errors
    /// `NotFound`; a directory that cannot be read.
    fn usage(&self, id: &str) -> Result<Usage, Error>;

    /// Returns the ids of all snapshots, in order.
    ///
    /// # Errors
    /// Those of the database.
    fn list(&self) -> Result<Vec<String>, Error>;
}
