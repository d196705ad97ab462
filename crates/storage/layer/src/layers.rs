//! The directory `layers/`: each layer complete or absent, as one file or as a directory.
//!
//! ```text
//! layers/<hex>.erofs      the layer as one file, see `file.rs`
//! layers/<hex>/fs/        the layer unpacked
//! layers/mounts/<hex>/    where the file is mounted
//! layers/.new-…           what is being made
//! ```
//! Which form new layers get is the snapshot driver's choice; layers that are there are used in the form that they have.

use crate::file::{self, Flaw, Header, Written};
use crate::mounts::Mounts;
use crate::tar::{Archive, Source};
use crate::{Applied, Decoder, Error, Limits, Trash, apply};
use refs::{Algorithm, Digest};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// The form in which a layer is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Unpacked into a directory.
    Directory,
    /// One file with the archive in it, which the kernel can mount.
    File,
}

/// The layers.
#[derive(Debug)]
pub struct Layers {
    path: PathBuf,
    directory: OwnedFd,
    trash: Arc<Trash>,
    mounts: Mounts,
    /// New layers become files.
    as_files: AtomicBool,
    serial: AtomicU64,
    busy: Mutex<BTreeSet<Digest>>,
    idle: Condvar,
}

/// Names of unfinished layers begin so.
const UNFINISHED: &str = ".new-";

/// The directory inside a layer's own that holds its files: the layer's own can carry more beside it.
const FILES: &str = "fs";

/// What the name of a layer's file ends with.
const SUFFIX: &str = ".erofs";

const MOUNTS: &str = "mounts";

impl Layers {
    /// Opens the directory, making it (mode 0700) if need be. Unfinished layers of an earlier process go to the trash. New
    /// layers become directories until [`Layers::prefer`] says otherwise.
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
            mounts: Mounts::new(path.join(MOUNTS)),
            as_files: AtomicBool::new(false),
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

    /// Says in which form new layers are kept.
    pub fn prefer(&self, form: Form) {
        self.as_files.store(form == Form::File, Ordering::Relaxed);
    }

    /// Mounts a small layer's file, nowhere and for a moment: proves that this kernel can.
    ///
    /// # Errors
    /// A kernel that cannot, and a disk that fails.
    pub fn prove_files_can_be_mounted(&self) -> Result<(), Error> {
        let path = self.begin(Form::File)?;
        let archive = [0; 1024];
        let result = open_new(&path).and_then(|file| {
            let (found, _) = Source::new(&archive[..], 1024).finish()?;
            file::write((&file, &path), &found, &archive[..], &Limits::default())?;
            let mounted = crate::mounts::mount(&path).map_err(Error::disk("mount", &path))?;
            sys::fs::status(&mounted).map_err(Error::disk("read", &path)).map(drop)
        });
        self.trash.take(&path)?;
        result
    }

    /// Returns whether a layer is there, in any form.
    pub fn contains(&self, diff_id: &Digest) -> bool {
        self.form(diff_id).is_some()
    }

    /// Returns the form in which a layer is there; of both, the file counts.
    pub fn form(&self, diff_id: &Digest) -> Option<Form> {
        let is_there =
            |name: &str| matches!(sys::fs::status_at(self.directory.as_fd(), Path::new(name)), Ok(Some(_)));
        if is_there(&file_name(diff_id)) {
            return Some(Form::File);
        }
        is_there(diff_id.hex()).then_some(Form::Directory)
    }

    /// Returns a directory that shows a layer: the mounted file, or where it was unpacked.
    ///
    /// # Errors
    /// A layer that is not there; a kernel that does not mount its file.
    pub fn shown(&self, diff_id: &Digest) -> Result<PathBuf, Error> {
        match self.form(diff_id) {
            Some(Form::File) => self.mounts.mounted(diff_id, &self.file(diff_id)),
            Some(Form::Directory) => Ok(self.files(diff_id)),
            None => Err(Error::Missing { diff_id: diff_id.clone() }),
        }
    }

    /// Returns the directory into which a layer is unpacked, unpacking its file if need be.
    ///
    /// # Errors
    /// A layer that is not there; a full disk.
    pub fn unpacked(&self, diff_id: &Digest) -> Result<PathBuf, Error> {
        let files = self.files(diff_id);
        if files.is_dir() {
            return Ok(files);
        }
        let _turn = self.turn(diff_id);
        if files.is_dir() {
            return Ok(files);
        }
        let (file, header) =
            self.open_file(diff_id)?.ok_or_else(|| Error::Missing { diff_id: diff_id.clone() })?;
        let unfinished = self.begin(Form::Directory)?;
        let archive = file::archive(&file, &header);
        self.unpack_into(&unfinished, diff_id, archive, &Limits::default()).inspect_err(|_| {
            let _ = self.trash.take(&unfinished); // The first error counts; the next start tidies up.
        })?;
        Ok(files)
    }

    /// Returns the directory that [`Layers::shown`] would return, without mounting anything.
    pub fn place(&self, diff_id: &Digest) -> PathBuf {
        match self.form(diff_id) {
            Some(Form::File) => self.path.join(MOUNTS).join(diff_id.hex()),
            Some(Form::Directory) | None => self.files(diff_id),
        }
    }

    /// Returns where a layer's files are, or would be, if it is unpacked.
    pub fn files(&self, diff_id: &Digest) -> PathBuf {
        self.path.join(diff_id.hex()).join(FILES)
    }

    /// Returns where a layer's file is, or would be.
    pub fn file(&self, diff_id: &Digest) -> PathBuf {
        self.path.join(file_name(diff_id))
    }

    /// Returns the bytes of a layer's regular files, counted anew; none if it is not there.
    ///
    /// # Errors
    /// A file that cannot be read, or is none of ours.
    pub fn size_bytes(&self, diff_id: &Digest) -> Result<Option<u64>, Error> {
        match self.form(diff_id) {
            Some(Form::File) => Ok(self.open_file(diff_id)?.map(|(_, header)| header.size_bytes)),
            Some(Form::Directory) => Ok(Some(files_bytes(&self.files(diff_id)))),
            None => Ok(None),
        }
    }

    /// Opens the uncompressed archive of a layer that is a file; none if it is not.
    ///
    /// # Errors
    /// A file that cannot be read, or is none of ours.
    pub fn archive(&self, diff_id: &Digest) -> Result<Option<impl Read + Send + use<>>, Error> {
        let Some((file, header)) = self.open_file(diff_id)? else { return Ok(None) };
        Ok(Some(OwnedArchive { file, offset: file::ARCHIVE_OFFSET, left: header.archive_bytes }))
    }

    /// Reads all of a layer's file and compares it with its diff ID; none if all is well.
    ///
    /// # Errors
    /// A layer that is no file; a file that cannot be read.
    pub fn verify(&self, diff_id: &Digest) -> Result<Option<Flaw>, Error> {
        let path = self.file(diff_id);
        match File::open(&path) {
            Ok(file) => file::verify((&file, &path), diff_id),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(Error::Missing { diff_id: diff_id.clone() })
            }
            Err(source) => Err(Error::Read { path, source }),
        }
    }

    /// Returns the diff IDs of the layers that are there, in order.
    ///
    /// # Errors
    /// A directory that cannot be read.
    pub fn list(&self) -> Result<Vec<Digest>, Error> {
        let digest = |name: &String| {
            format!("sha256:{}", name.strip_suffix(SUFFIX).unwrap_or(name)).parse::<Digest>().ok()
        };
        let found: BTreeSet<Digest> = self.names()?.iter().filter_map(digest).collect();
        Ok(found.into_iter().collect())
    }

    /// Takes a layer in from its archive, compressed or not, unless it is there; returns nothing then. When this returns,
    /// the layer is whole and durable, and `note` has run, before any other could ask for it. Two that take the same
    /// layer in at the same time wait for each other.
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
        let form = if self.as_files.load(Ordering::Relaxed) { Form::File } else { Form::Directory };
        let unfinished = self.begin(form)?;
        let filled = match form {
            Form::Directory => self.unpack_into(&unfinished, diff_id, archive, limits),
            Form::File => self.write_file(&unfinished, diff_id, archive, limits),
        };
        // Of two errors the first counts; what then stays is tidied up at the next start.
        let applied = filled.inspect_err(|_| {
            let _ = self.trash.take(&unfinished);
        })?;
        note(&applied).inspect_err(|_| {
            let _ = self.remove(diff_id);
        })?;
        Ok(Some(applied))
    }

    /// Moves a layer to the trash, in whatever forms it is there.
    ///
    /// # Errors
    /// A rename that fails.
    pub fn remove(&self, diff_id: &Digest) -> Result<(), Error> {
        self.mounts.unmount(diff_id)?;
        self.trash.take(&self.file(diff_id))?;
        self.trash.take(&self.path.join(diff_id.hex()))
    }

    fn open_file(&self, diff_id: &Digest) -> Result<Option<(File, Header)>, Error> {
        let path = self.file(diff_id);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(Error::Read { path, source }),
        };
        match Header::read(&file) {
            Ok(Some(header)) => Ok(Some((file, header))),
            Ok(None) => Err(Error::NoLayer { path }),
            Err(source) => Err(Error::Read { path, source }),
        }
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
    fn begin(&self, form: Form) -> Result<PathBuf, Error> {
        loop {
            let serial = self.serial.fetch_add(1, Ordering::Relaxed);
            let name = PathBuf::from(format!("{UNFINISHED}{}-{serial}", std::process::id()));
            let path = self.path.join(&name);
            let made = match form {
                Form::Directory => sys::fs::make_directory_at(self.directory.as_fd(), &name, 0o700),
                Form::File => sys::fs::create_at(self.directory.as_fd(), &name, 0o600).map(drop),
            };
            match made {
                Err(error) if error.is(sys::Errno::EXIST) => {}
                result => {
                    result.map_err(Error::disk("make", &path))?;
                    return Ok(path);
                }
            }
        }
    }

    fn write_file(
        &self,
        unfinished: &Path,
        diff_id: &Digest,
        archive: impl Read,
        limits: &Limits,
    ) -> Result<Applied, Error> {
        let file = open_new(unfinished)?;
        match file::write((&file, unfinished), diff_id, archive, limits)? {
            Written::Whole(applied) => {
                sys::fs::sync_data(&file).map_err(Error::disk("sync", unfinished))?;
                self.finish(unfinished, &file_name(diff_id))?;
                Ok(applied)
            }
            Written::ArchiveOnly { archive_bytes } => {
                let directory = self.begin(Form::Directory)?;
                let archive = file::bare_archive(&file, archive_bytes);
                let applied = self.unpack_into(&directory, diff_id, archive, limits).inspect_err(|_| {
                    let _ = self.trash.take(&directory); // The first error counts; the next start tidies up.
                })?;
                self.trash.take(unfinished)?;
                Ok(applied)
            }
        }
    }

    fn unpack_into(
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
        self.finish(unfinished, diff_id.hex())?;
        Ok(applied)
    }

    /// Gives an unfinished layer, whose bytes are durable, its name.
    fn finish(&self, unfinished: &Path, name: &str) -> Result<(), Error> {
        let from = unfinished.file_name().map(Path::new).expect("begin has made the name");
        let directory = self.directory.as_fd();
        sys::fs::rename_noreplace_at(directory, from, directory, Path::new(name))
            .map_err(Error::disk("rename to", self.path.join(name)))?;
        sys::fs::sync(&self.directory).map_err(Error::disk("sync", &self.path))
    }
}

/// Returns the bytes of all regular files below a directory; a file with several names counts once.
fn files_bytes(path: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let mut linked = BTreeSet::new();
    let mut bytes = 0;
    let mut pending = vec![path.to_owned()];
    while let Some(directory) = pending.pop() {
        for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(metadata) if metadata.is_dir() => pending.push(entry.path()),
                Ok(metadata)
                    if metadata.is_file() && (metadata.nlink() < 2 || linked.insert(metadata.ino())) =>
                {
                    bytes += metadata.len();
                }
                _ => {}
            }
        }
    }
    bytes
}

fn file_name(diff_id: &Digest) -> String {
    format!("{}{SUFFIX}", diff_id.hex())
}

fn open_new(path: &Path) -> Result<File, Error> {
    let opened = File::options().read(true).write(true).open(path);
    opened.map_err(|source| Error::Write { path: path.to_owned(), source })
}

/// The archive of a layer's file.
struct OwnedArchive {
    file: File,
    offset: u64,
    left: u64,
}

impl Read for OwnedArchive {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        use std::os::unix::fs::FileExt;
        let wanted = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let read = self.file.read_at(&mut buffer[..wanted], self.offset)?;
        self.offset += read as u64;
        self.left -= read as u64;
        Ok(read)
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
