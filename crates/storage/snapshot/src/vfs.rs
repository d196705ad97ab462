//! The vfs driver: a snapshot is a copy of the whole image. For file systems on which nothing can be stacked.
//!
//! ```text
//! layers/<diff ID>/fs      the layers, unpacked
//! chains/<hex>/root        an image's layers merged, with the base below them; made at the first use
//! chains/<hex>/layers      the diff IDs of which it was made, from the bottom up
//! snapshots/<id>/root      the container's copy
//! ```
//! Copies share their contents where the file system can (btrfs, xfs); elsewhere each takes the whole image's space. A chain one
//! of whose layers is gone goes with the next snapshot that is removed, or at the next start.

use crate::copy::merge;
use crate::overlay::{MAX_LAYERS, check_id, make_private_directory, now_ns, reconcile};
use crate::usage::measure;
use crate::{Error, Rootfs, Snapshotter, Usage};
use layer::{Form, Layers, Trash};
use refs::Digest;
use sha2::{Digest as _, Sha256};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use store::{SnapshotRow, Store};

/// The vfs driver.
#[derive(Debug)]
pub struct Vfs {
    path: PathBuf,
    chains: PathBuf,
    base: PathBuf,
    layers: Arc<Layers>,
    trash: Arc<Trash>,
    store: Store,
    /// The right to make or remove a chain.
    making: Mutex<()>,
}

const ROOT: &str = "root";
const UNFINISHED: &str = ".new";
const LAYERS: &str = "layers";

impl Vfs {
    /// Opens the directories `snapshots/` and, beside it, `chains/`, making them (mode 0700) if need be; what no row knows and
    /// chains without their layers go to the trash.
    ///
    /// # Errors
    /// A directory that cannot be made or read; those of the database.
    pub fn open(
        path: &Path,
        base: &Path,
        layers: Arc<Layers>,
        trash: Arc<Trash>,
        store: Store,
    ) -> Result<Self, Error> {
        layers.prefer(Form::Directory);
        let chains = path.with_file_name("chains");
        make_private_directory(path)?;
        make_private_directory(&chains)?;
        let base = layer::write_base(&base.join(crate::overlay::BASE))?;
        let vfs =
            Self { path: path.to_owned(), chains, base, layers, trash, store, making: Mutex::default() };
        reconcile(&vfs.path, &vfs.list()?, &vfs.trash)?;
        vfs.collect_chains()?;
        Ok(vfs)
    }

    /// Moves chains to the trash whose layers are gone, and those that a crash has left unfinished.
    fn collect_chains(&self) -> Result<(), Error> {
        let _making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        for entry in std::fs::read_dir(&self.chains).into_iter().flatten().flatten() {
            let text = std::fs::read_to_string(entry.path().join(LAYERS)).unwrap_or_default();
            let is_there = |id: &str| Digest::parse(id).is_ok_and(|diff_id| self.layers.contains(&diff_id));
            if !entry.path().join(ROOT).is_dir() || !text.lines().all(is_there) {
                self.trash.take(&entry.path())?;
            }
        }
        Ok(())
    }

    /// Returns the merged layers, making them if need be.
    fn chain(&self, layers: &[Digest]) -> Result<PathBuf, Error> {
        if layers.len() > MAX_LAYERS {
            return Err(Error::TooManyLayers { count: layers.len(), limit: MAX_LAYERS });
        }
        if let Some(missing) = layers.iter().find(|diff_id| !self.layers.contains(diff_id)) {
            return Err(Error::MissingLayer { diff_id: missing.clone() });
        }
        let text: String = layers.iter().map(|diff_id| format!("{diff_id}\n")).collect();
        let name = Digest::sha256(Sha256::digest(&text).into());
        let path = self.chains.join(name.hex());
        let root = path.join(ROOT);
        let _making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        if root.is_dir() {
            return Ok(root);
        }
        self.trash.take(&path)?;
        make_private_directory(&path)?;
        std::fs::write(path.join(LAYERS), text).map_err(|error| write_failed(&path, &error))?;
        let mut parts = vec![self.base.clone()];
        for diff_id in layers {
            parts.push(self.layers.unpacked(diff_id)?);
        }
        make_tree(&path, &parts)?;
        Ok(root)
    }

    fn snapshot(&self, id: &str, layers: &[Digest]) -> Result<Rootfs, Error> {
        let below = self.chain(layers)?;
        let own = self.path.join(id);
        let path = own.join(ROOT);
        if own.join("upper").is_dir() {
            return Err(Error::OtherDriver { id: id.to_owned() });
        }
        if !path.is_dir() {
            make_private_directory(&own)?;
            make_tree(&own, std::slice::from_ref(&below))?;
        }
        Ok(Rootfs::Directory { path, below })
    }
}

/// Merges directories into `root` below `own`: whole and durable, or not there.
fn make_tree(own: &Path, parts: &[PathBuf]) -> Result<(), Error> {
    let unfinished = own.join(UNFINISHED);
    let failed = || Error::disk("copy to", &unfinished);
    let directory = sys::fs::open_directory(own).map_err(failed())?;
    sys::fs::remove_tree_at(directory.as_fd(), Path::new(UNFINISHED)).map_err(failed())?;
    sys::fs::make_directory_at(directory.as_fd(), Path::new(UNFINISHED), 0o755).map_err(failed())?;
    let to = sys::fs::open_subdirectory_at(directory.as_fd(), Path::new(UNFINISHED)).map_err(failed())?;
    for part in parts {
        let from = sys::fs::open_directory(part).map_err(Error::disk("open", part))?;
        merge(from.as_fd(), to.as_fd()).map_err(failed())?;
    }
    sys::fs::sync_file_system(&to).map_err(failed())?;
    let (from, to) = (Path::new(UNFINISHED), Path::new(ROOT));
    sys::fs::rename_at(directory.as_fd(), from, directory.as_fd(), to).map_err(failed())?;
    sys::fs::sync(&directory).map_err(failed())
}

fn write_failed(path: &Path, error: &std::io::Error) -> Error {
    let errno = error.raw_os_error().map_or(sys::Errno::IO, sys::Errno::from_raw_os_error);
    Error::disk("write", path)(sys::Call("write").failed(errno, String::new))
}

impl Snapshotter for Vfs {
    fn name(&self) -> &'static str {
        "vfs"
    }

    fn prepare(&self, id: &str, layers: &[Digest]) -> Result<Rootfs, Error> {
        check_id(id)?;
        self.chain(layers)?;
        let row = SnapshotRow { id: id.to_owned(), created_ns: now_ns() };
        self.store.write_relaxed(|tx| match tx.snapshot(id)? {
            Some(_) => Err(Error::Exists { id: id.to_owned() }),
            None => Ok(tx.add_snapshot(&row, layers)?),
        })?;
        self.snapshot(id, layers).inspect_err(|_| {
            let _ = self.remove(id); // The first error counts; the next start tidies up.
        })
    }

    fn rootfs(&self, id: &str) -> Result<Rootfs, Error> {
        check_id(id)?;
        let layers = self.store.read(|tx| match tx.snapshot(id)? {
            Some(_) => Ok(tx.snapshot_layers(id)?),
            None => Err(Error::NotFound { id: id.to_owned() }),
        })?;
        self.snapshot(id, &layers)
    }

    fn remove(&self, id: &str) -> Result<(), Error> {
        check_id(id)?;
        self.store.write_relaxed(|tx| tx.delete_snapshot(id))?;
        self.trash.take(&self.path.join(id))?;
        self.collect_chains()
    }

    fn usage(&self, id: &str) -> Result<Usage, Error> {
        let Rootfs::Directory { path, below } = self.rootfs(id)? else {
            return Err(Error::OtherDriver { id: id.to_owned() });
        };
        let (all, image) = (measure(&path)?, measure(&below)?);
        Ok(Usage {
            size_bytes: all.size_bytes.saturating_sub(image.size_bytes),
            inodes: all.inodes.saturating_sub(image.inodes),
        })
    }

    fn list(&self) -> Result<Vec<String>, Error> {
        Ok(self.store.read(|tx| tx.snapshots())?.into_iter().map(|snapshot| snapshot.id).collect())
    }
}
