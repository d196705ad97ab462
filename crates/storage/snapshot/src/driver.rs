//! Which drivers there are, and which one is opened.

use crate::{Erofs, Error, Overlay, Snapshotter, Vfs};
use layer::{Layers, Trash};
use std::path::Path;
use std::sync::Arc;
use store::Store;

/// A driver of snapshots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Driver {
    /// Layers are files that the kernel mounts.
    Erofs,
    /// Layers are directories.
    Overlay,
    /// Snapshots are copies.
    Vfs,
}

impl Driver {
    /// Reads a driver's name as `--storage-driver` takes it.
    ///
    /// # Errors
    /// A driver that there is not; the text says why.
    pub fn parse(name: &str) -> Result<Self, Error> {
        let reason = match name {
            "erofs" => return Ok(Self::Erofs),
            "overlay" | "overlay2" => return Ok(Self::Overlay),
            "vfs" => return Ok(Self::Vfs),
            "aufs" => "the kernel does not have it",
            "devicemapper" => "thin pools need a volume manager's care, and Docker has given it up too",
            "zfs" => "its kernel module is not part of Linux",
            "btrfs" | "fuse-overlayfs" => "it is not there yet",
            _ => "there is no such driver",
        };
        Err(Error::Unsupported { name: name.to_owned(), reason })
    }
}

/// Opens a driver below `path`, with layers that lie in `layers` beside the lowest one in `base`. Without a choice it is
/// `erofs` where the kernel mounts such files, proven by mounting one, and `overlay` elsewhere.
///
/// # Errors
/// A driver that does not work here; a directory that cannot be made or read; those of the database.
pub fn open(
    choice: Option<Driver>,
    (path, base): (&Path, &Path),
    layers: Arc<Layers>,
    trash: Arc<Trash>,
    store: Store,
) -> Result<Arc<dyn Snapshotter>, Error> {
    let driver = match choice {
        Some(driver) => driver,
        None if layers.prove_files_can_be_mounted().is_ok() => Driver::Erofs,
        None => Driver::Overlay,
    };
    Ok(match driver {
        Driver::Erofs => Arc::new(Erofs::open(path, base, layers, trash, store)?),
        Driver::Overlay => Arc::new(Overlay::open(path, base, layers, trash, store)?),
        Driver::Vfs => Arc::new(Vfs::open(path, base, layers, trash, store)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drivers_that_there_are_not_say_why() {
        assert_eq!(Driver::parse("erofs").unwrap(), Driver::Erofs);
        assert_eq!(Driver::parse("overlay2").unwrap(), Driver::Overlay);
        for (name, text) in [
            ("zfs", "storage driver zfs is not supported: its kernel module is not part of Linux"),
            ("aufs", "storage driver aufs is not supported: the kernel does not have it"),
            ("x", "storage driver x is not supported: there is no such driver"),
        ] {
            assert_eq!(Driver::parse(name).unwrap_err().to_string(), text);
        }
    }
}
