//! The directory `layers/`: one directory per diff ID, complete or absent.

use crate::tar::{Archive, Source};
use crate::{Applied, Decoder, Error, Limits, Trash, apply};
use refs::{Algorithm, Digest};
use std::collections::BTreeSet;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// The unpacked layers.
#[derive(Debug)]
pub struct Layers {
    path: PathBuf,
    directory: OwnedFd,
    trash: Arc<Trash>,
    serial: AtomicU64,
    busy: Mutex<BTreeSet<Digest>>,
    idle: Condvar,
}

/// Names of unfinished layers begin so.
const UNFINISHED: &str = ".new-";

/// The directory inside a layer's own that holds its files: the layer's own can carry more beside it.
const FILES: &str = "fs";

impl Layers {
    /// Opens the directory, making it (mode 0700) if need be. Unfinished layers of an earlier process go to the trash.
    ///
    /// # Errors
    /// A directory that cannot be made, opened or read.
    pub fn open(path: &Path, trash: Arc<Trash>) -> Result<Self, Error> {
        make_private_directory(path)?;
        let directory = sys::fs::open_directory(path).map_err(Error::disk("open", path))?;
        let layers = Self {
            path: path.to_owned(),
            directory,
            trash,
            serial: AtomicU64::new(0),
            busy: Mutex::default(),
            idle: Condvar::new(),
        };
        for name in layers.names()? {
            if name.starts_with(UNFINISHED) {
                layers.trash.take(&path.join(name))?;
            }
        }
        Ok(layers)
    }

    /// Returns where a layer's files are, or would be.
    pub fn files(&self, diff_id: &Digest) -> PathBuf {
        self.path.join(diff_id.hex()).join(FILES)
    }

    /// Returns whether a layer is there.
    pub fn contains(&self, diff_id: &Digest) -> bool {
        matches!(sys::fs::status_at(self.directory.as_fd(), Path::new(diff_id.hex())), Ok(Some(_)))
    }

    /// Returns the diff IDs of the layers that are there, in order.
    ///
    /// # Errors
    /// A directory that cannot be read.
    pub fn list(&self) -> Result<Vec<Digest>, Error> {
        let mut found: Vec<Digest> =
            self.names()?.iter().filter_map(|name| format!("sha256:{name}").parse().ok()).collect();
        found.sort();
        Ok(found)
    }

    /// Unpacks a layer from its archive, compressed or not, unless it is there; returns nothing then. When this returns,
    /// the layer is whole and durable, and `note` has run, before any other could ask for it. Two that unpack the same
    /// layer at the same time wait for each other.
    ///
    /// # Errors
    /// An archive that is damaged, malformed, over the limits or of another diff ID; a stream that fails; a full disk.
    /// Nothing is left behind then. Those of `note`, after which the layer goes.
    pub fn unpack<E: From<Error>>(
        &self,
        diff_id: &Digest,
        archive: impl Read,
        limits: &Limits,
        note: impl FnOnce(&Applied) -> Result<(), E>,
    ) -> Result<Option<Applied>, E> {
        if diff_id.algorithm() != Algorithm::Sha256 {
            return Err(Error::Algorithm { diff_id: diff_id.clone() }.into());
        }
        let _turn = self.turn(diff_id);
        if self.contains(diff_id) {
            return Ok(None);
        }
        let unfinished = self.begin()?;
        // Of two errors the first counts; what then stays is tidied up at the next start.
        let applied = self.fill(&unfinished, diff_id, archive, limits).inspect_err(|_| {
            let _ = self.trash.take(&unfinished);
        })?;
        note(&applied).inspect_err(|_| {
            let _ = self.remove(diff_id);
        })?;
        Ok(Some(applied))
    }

    /// Moves a layer to the trash.
    ///
    /// # Errors
    /// A rename that fails.
    pub fn remove(&self, diff_id: &Digest) -> Result<(), Error> {
        self.trash.take(&self.path.join(diff_id.hex()))
    }

    fn names(&self) -> Result<Vec<String>, Error> {
        let entries =
            sys::fs::read_directory(self.directory.as_fd()).map_err(Error::disk("read", &self.path))?;
        Ok(entries.into_iter().filter_map(|entry| entry.name.into_os_string().into_string().ok()).collect())
    }

    fn turn<'a>(&'a self, diff_id: &Digest) -> Turn<'a> {
        let mut busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        while !busy.insert(diff_id.clone()) {
            busy = self.idle.wait(busy).unwrap_or_else(PoisonError::into_inner);
        }
        Turn { layers: self, diff_id: diff_id.clone() }
    }

    /// Makes an empty layer under a name that no other has.
    fn begin(&self) -> Result<PathBuf, Error> {
        loop {
            let serial = self.serial.fetch_add(1, Ordering::Relaxed);
            let name = PathBuf::from(format!("{UNFINISHED}{}-{serial}", std::process::id()));
            let path = self.path.join(&name);
            match sys::fs::make_directory_at(self.directory.as_fd(), &name, 0o700) {
                Err(error) if error.is(sys::Errno::EXIST) => {}
                result => {
                    result.map_err(Error::disk("make", &path))?;
                    return Ok(path);
                }
            }
        }
    }

    fn fill(
        &self,
        unfinished: &Path,
        diff_id: &Digest,
        archive: impl Read,
        limits: &Limits,
    ) -> Result<Applied, Error> {
        let own = sys::fs::open_directory(unfinished).map_err(Error::disk("open", unfinished))?;
        let path = unfinished.join(FILES);
        let files = make_root(own.as_fd(), Path::new(FILES)).map_err(Error::disk("make", &path))?;

        let source = Source::new(Decoder::new(archive)?, limits.archive_bytes);
        let mut archive = Archive::new(source, limits.entries);
        let applied = apply(&mut archive, files.as_fd())?;
        let (found, _) = archive.into_source().finish()?;
        if found != *diff_id {
            return Err(Error::DiffId { expected: diff_id.clone(), found });
        }

        sys::fs::sync_file_system(&files).map_err(Error::disk("sync", &path))?;
        let name = unfinished.file_name().map(Path::new).expect("begin has made the name");
        let to = self.path.join(diff_id.hex());
        sys::fs::rename_noreplace_at(
            self.directory.as_fd(),
            name,
            self.directory.as_fd(),
            Path::new(diff_id.hex()),
        )
        .map_err(Error::disk("rename to", &to))?;
        sys::fs::sync(&self.directory).map_err(Error::disk("sync", &self.path))?;
        Ok(applied)
    }
}

/// The right to work on one layer.
struct Turn<'a> {
    layers: &'a Layers,
    diff_id: Digest,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.layers.busy.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.diff_id);
        self.layers.idle.notify_all();
    }
}

/// Makes the root directory of a layer: 0755, root's, whatever the umask.
pub(crate) fn make_root(directory: std::os::fd::BorrowedFd<'_>, name: &Path) -> sys::Result<OwnedFd> {
    sys::fs::make_directory_at(directory, name, 0o755)?;
    let root = sys::fs::open_subdirectory_at(directory, name)?;
    sys::fs::change_mode(&root, 0o755)?;
    Ok(root)
}

/// Makes a directory that only we may enter, and those above it.
pub(crate) fn make_private_directory(path: &Path) -> Result<(), Error> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|error| {
        let errno = error.raw_os_error().map_or(sys::Errno::IO, sys::Errno::from_raw_os_error);
        let source = sys::Call("mkdir").failed(errno, || format!("{path:?}, 0700"));
        Error::Disk { action: "make", path: path.to_owned(), source }
    })
}
