//! A container's files as an archive, without mounting them.

use crate::view::ContainerView;
use crate::{Error, Service, happenings};
use layer::Error as LayerError;
use snapshot::Rootfs;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

/// Where a container's files lie. They are read as they are: a container that runs may change them meanwhile.
#[derive(Debug)]
pub struct Tree {
    rootfs: Rootfs,
}

impl Service {
    /// Publishes an event about a container that its actor does not know of.
    pub fn tell<const N: usize>(&self, view: &ContainerView, action: &str, extra: [(&str, String); N]) {
        happenings::publish(&self.context, view, action, extra);
    }

    /// Finds a container's files.
    ///
    /// # Errors
    /// NotFound; a layer that is not there.
    pub async fn tree(&self, name: &str) -> Result<Tree, Error> {
        let id = self.inspect(name).await?.id.clone();
        let snapshots = Arc::clone(&self.context.parts.snapshots);
        let find = move || -> Result<Tree, Error> { Ok(Tree { rootfs: snapshots.rootfs(id.as_str())? }) };
        self.context.parts.disk.run(find).await
    }
}

impl Tree {
    /// Writes all files as one archive. What is mounted in the container is not part of it.
    ///
    /// # Errors
    /// A tree that cannot be read; those of `out`.
    pub fn write(&self, out: &mut dyn Write) -> Result<(), LayerError> {
        let parts: Vec<&Path> = self.rootfs.parts().collect();
        layer::write_tree(&parts, out).map(drop)
    }

    /// Writes what differs from the image as a layer.
    ///
    /// # Errors
    /// As [`Tree::write`]; a tree that holds what no layer can say.
    pub fn write_changes(&self, out: &mut dyn Write) -> Result<(), LayerError> {
        match &self.rootfs {
            Rootfs::Overlay { upper, .. } => layer::write_changes(upper, out).map(drop),
            Rootfs::Directory { .. } => Err(LayerError::Unfit {
                name: "/".to_owned(),
                reason: "this storage driver keeps whole trees, which do not tell what changed",
            }),
        }
    }
}
