//! The overlay driver: one directory per layer, shared by all; one pair of directories per snapshot.
//!
//! ```text
//! layers/<diff ID>/fs        lower directories, the image's top layer first
//! layers/base-1/fs           the lowest: mount points that every container needs
//! snapshots/<id>/upper       what the container writes
//! snapshots/<id>/work        overlayfs' own
//! ```

use crate::usage::measure;
use crate::{Error, Rootfs, Snapshotter, Usage};
use layer::{Form, Layers, Trash};
use refs::Digest;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use store::{SnapshotRow, Store};
use sys::fs::Node;

/// The most layers of one image: overlayfs takes 500 lower directories, and the lowest is ours.
///
/// # Source
/// `linux fs/overlayfs/params.c`, `OVL_MAX_STACK`. Docker stops at 125, because it names all layers in one page.
pub const MAX_LAYERS: usize = 499;

/// Changes when the content of the base does.
pub(crate) const BASE: &str = "base-1";

/// How layers become directories.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Show {
    /// They are unpacked, also those that are files.
    Unpacked,
    /// Those that are files are mounted.
    Mounted,
}

/// The overlay driver.
#[derive(Debug)]
pub struct Overlay {
    show: Show,
    path: PathBuf,
    directory: OwnedFd,
    base: PathBuf,
    layers: Arc<Layers>,
    trash: Arc<Trash>,
    store: Store,
}

impl Overlay {
    /// Opens the directory `snapshots/`, making it (mode 0700) if need be, proves with a real mount that overlayfs works
    /// there, and moves directories that no row knows to the trash. `base` is where the lowest layer lies.
    ///
    /// # Errors
    /// A file system that cannot carry overlayfs; a directory that cannot be made or read; those of the database.
    pub fn open(
        path: &Path,
        base: &Path,
        layers: Arc<Layers>,
        trash: Arc<Trash>,
        store: Store,
    ) -> Result<Self, Error> {
        layers.prefer(Form::Directory);
        Self::open_showing(Show::Unpacked, (path, base), layers, trash, store)
    }

    pub(crate) fn open_showing(
        show: Show,
        (path, base): (&Path, &Path),
        layers: Arc<Layers>,
        trash: Arc<Trash>,
        store: Store,
    ) -> Result<Self, Error> {
        make_private_directory(path)?;
        let base = layer::write_base(&base.join(BASE))?;
        let directory = sys::fs::open_directory(path).map_err(Error::disk("open", path))?;
        let overlay = Self { show, path: path.to_owned(), directory, base, layers, trash, store };
        reconcile(path, &overlay.list()?, &overlay.trash)?;
        overlay.prove()?;
        Ok(overlay)
    }

    /// Mounts an overlay on nothing: whoever cannot do that needs to hear it now and not at the first container.
    fn prove(&self) -> Result<(), Error> {
        let name = Path::new(".probe");
        let path = self.path.join(name);
        let unusable = |source| {
            let file_system =
                sys::fs::file_system(&self.path).map_or_else(|_| "unknown".to_owned(), |fs| fs.name());
            Error::Unusable { path: self.path.clone(), file_system, source }
        };
        make_parts(self.directory.as_fd(), name).map_err(unusable)?;
        let mounted = probe(&path, &self.base);
        self.trash.take(&path)?;
        mounted.map_err(unusable)
    }

    fn parts(&self, id: &str, layers: &[Digest]) -> Result<Rootfs, Error> {
        if layers.len() > MAX_LAYERS {
            return Err(Error::TooManyLayers { count: layers.len(), limit: MAX_LAYERS });
        }
        let mut lower =
            layers.iter().rev().map(|diff_id| self.shown(diff_id)).collect::<Result<Vec<_>, _>>()?;
        lower.push(self.base.clone());
        let own = self.path.join(id);
        Ok(Rootfs::Overlay { lower, upper: own.join("upper"), work: own.join("work") })
    }
}

impl Overlay {
    fn shown(&self, diff_id: &Digest) -> Result<PathBuf, Error> {
        let shown = match self.show {
            Show::Unpacked => self.layers.unpacked(diff_id),
            Show::Mounted => self.layers.shown(diff_id),
        };
        shown.map_err(|error| match error {
            layer::Error::Missing { diff_id } => Error::MissingLayer { diff_id },
            other => other.into(),
        })
    }
}

impl Snapshotter for Overlay {
    fn name(&self) -> &'static str {
        "overlay2"
    }

    fn prepare(&self, id: &str, layers: &[Digest]) -> Result<Rootfs, Error> {
        check_id(id)?;
        let rootfs = self.parts(id, layers)?;
        let row = SnapshotRow { id: id.to_owned(), created_ns: now_ns() };
        // The container's record, which comes next and is durable, makes this durable too.
        self.store.write_relaxed(|tx| match tx.snapshot(id)? {
            Some(_) => Err(Error::Exists { id: id.to_owned() }),
            None => Ok(tx.add_snapshot(&row, layers)?),
        })?;
        match make_parts(self.directory.as_fd(), Path::new(id)) {
            Ok(()) => Ok(rootfs),
            Err(source) => {
                let _ = self.remove(id); // The first error counts; the next start tidies up.
                Err(Error::disk("make", self.path.join(id))(source))
            }
        }
    }

    fn rootfs(&self, id: &str) -> Result<Rootfs, Error> {
        check_id(id)?;
        let layers = self.store.read(|tx| match tx.snapshot(id)? {
            Some(_) => Ok(tx.snapshot_layers(id)?),
            None => Err(Error::NotFound { id: id.to_owned() }),
        })?;
        let rootfs = self.parts(id, &layers)?;
        let own = self.path.join(id);
        if own.join("root").is_dir() {
            return Err(Error::OtherDriver { id: id.to_owned() });
        }
        if !(own.join("upper").is_dir() && own.join("work").is_dir()) {
            make_parts(self.directory.as_fd(), Path::new(id)).map_err(Error::disk("make", own))?;
        }
        Ok(rootfs)
    }

    fn remove(&self, id: &str) -> Result<(), Error> {
        check_id(id)?;
        self.store.write_relaxed(|tx| tx.delete_snapshot(id))?;
        Ok(self.trash.take(&self.path.join(id))?)
    }

    fn usage(&self, id: &str) -> Result<Usage, Error> {
        check_id(id)?;
        if self.store.read(|tx| tx.snapshot(id))?.is_none() {
            return Err(Error::NotFound { id: id.to_owned() });
        }
        measure(&self.path.join(id).join("upper"))
    }

    fn list(&self) -> Result<Vec<String>, Error> {
        Ok(self.store.read(|tx| tx.snapshots())?.into_iter().map(|snapshot| snapshot.id).collect())
    }
}

/// Moves what is none of the known snapshots to the trash.
pub(crate) fn reconcile(path: &Path, known: &[String], trash: &Trash) -> Result<(), Error> {
    let known: BTreeSet<&str> = known.iter().map(String::as_str).collect();
    let directory = sys::fs::open_directory(path).map_err(Error::disk("open", path))?;
    for entry in sys::fs::read_directory(directory.as_fd()).map_err(Error::disk("read", path))? {
        let is_known = entry.name.to_str().is_some_and(|name| known.contains(name));
        if !is_known {
            trash.take(&path.join(&entry.name))?;
        }
    }
    Ok(())
}

pub(crate) fn check_id(id: &str) -> Result<(), Error> {
    let valid = !id.is_empty()
        && id.len() <= 128
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if valid { Ok(()) } else { Err(Error::Id { id: id.to_owned() }) }
}

/// Makes `name/upper` (the container's `/`: 0755 whatever the umask) and `name/work`; what is there stays.
fn make_parts(directory: BorrowedFd<'_>, name: &Path) -> sys::Result<()> {
    make_or_keep(directory, name, 0o700)?;
    let own = sys::fs::open_subdirectory_at(directory, name)?;
    make_or_keep(own.as_fd(), Path::new("upper"), 0o755)?;
    make_or_keep(own.as_fd(), Path::new("work"), 0o700)
}

fn make_or_keep(directory: BorrowedFd<'_>, name: &Path, mode: u32) -> sys::Result<()> {
    match sys::fs::make_directory_at(directory, name, mode) {
        Err(error) if error.is(sys::Errno::EXIST) => Ok(()),
        Err(error) => Err(error),
        Ok(()) => sys::fs::change_mode_at(directory, name, mode),
    }
}

fn probe(own: &Path, lower: &Path) -> sys::Result<()> {
    use sys::mount::{fsconfig_create, fsconfig_string, fsmount, fsopen};
    let (upper, work) = (own.join("upper"), own.join("work"));
    let directory = sys::fs::open_directory(&upper)?;
    sys::fs::make_node_at(
        directory.as_fd(),
        Path::new("whiteout"),
        Node::Character { major: 0, minor: 0 },
        0,
    )?;
    sys::fs::set_xattr(&directory, OsStr::new("trusted.overlay.opaque"), b"y")?;
    let context = fsopen("overlay")?;
    for (key, path) in [("lowerdir", lower), ("upperdir", &upper), ("workdir", &work)] {
        // A colon would part two lower directories.
        let path = path.display().to_string().replace('\\', "\\\\").replace(':', "\\:");
        fsconfig_string(&context, key, &path)?;
    }
    fsconfig_create(&context)?;
    fsmount(&context, 0).map(drop)
}

pub(crate) fn make_private_directory(path: &Path) -> Result<(), Error> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|error| {
        let errno = error.raw_os_error().map_or(sys::Errno::IO, sys::Errno::from_raw_os_error);
        Error::disk("make", path)(sys::Call("mkdir").failed(errno, || format!("{path:?}, 0700")))
    })
}

pub(crate) fn now_ns() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}
