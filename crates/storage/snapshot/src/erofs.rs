//! The erofs driver: one file per layer, mounted once and shared by all; overlay on top for writing.
//!
//! ```text
//! layers/<diff ID>.erofs     the layer: its archive, and an index that the kernel mounts
//! layers/mounts/<diff ID>/   where it is mounted, from the first use on until the layer is removed or the machine ends
//! snapshots/<id>/…           as with the overlay driver
//! ```
//! Layers that were unpacked under the overlay driver are used as they are, and containers made under either go on under the
//! other: what they write is kept in the same way.

use crate::overlay::{Overlay, Show};
use crate::{Error, Rootfs, Snapshotter, Usage};
use layer::{Form, Layers, Trash};
use refs::Digest;
use std::path::Path;
use std::sync::Arc;
use store::Store;

/// The erofs driver.
#[derive(Debug)]
pub struct Erofs(Overlay);

impl Erofs {
    /// Opens the driver as [`Overlay::open`] does, and proves with a real mount that the kernel mounts layers' files.
    ///
    /// # Errors
    /// A kernel that does not; those of [`Overlay::open`].
    pub fn open(
        path: &Path,
        base: &Path,
        layers: Arc<Layers>,
        trash: Arc<Trash>,
        store: Store,
    ) -> Result<Self, Error> {
        layers.prove_files_can_be_mounted().map_err(|source| Error::NoErofs { source })?;
        layers.prefer(Form::File);
        Overlay::open_showing(Show::Mounted, (path, base), layers, trash, store).map(Self)
    }
}

impl Snapshotter for Erofs {
    fn name(&self) -> &'static str {
        "erofs"
    }

    fn prepare(&self, id: &str, layers: &[Digest]) -> Result<Rootfs, Error> {
        self.0.prepare(id, layers)
    }

    fn rootfs(&self, id: &str) -> Result<Rootfs, Error> {
        self.0.rootfs(id)
    }

    fn remove(&self, id: &str) -> Result<(), Error> {
        self.0.remove(id)
    }

    fn usage(&self, id: &str) -> Result<Usage, Error> {
        self.0.usage(id)
    }

    fn list(&self) -> Result<Vec<String>, Error> {
        self.0.list()
    }
}
