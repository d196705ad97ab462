//! The directory `content/`.

use crate::ingest::{Ingest, Turn};
use crate::{Error, Hasher};
use refs::{Algorithm, Digest};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};
use store::{BlobRow, Store};

/// The blobs. A clone is another handle to the same ones.
#[derive(Clone, Debug)]
pub struct Content {
    pub(crate) shared: Arc<Shared>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    blobs: PathBuf,
    pub(crate) ingest: PathBuf,
    pub(crate) store: Store,
    pub(crate) busy: Mutex<BTreeSet<Digest>>,
    pub(crate) idle: Condvar,
}

/// How [`Content::try_ingest`] begins.
#[derive(Debug)]
pub enum Begin {
    /// The blob is here already.
    Complete,
    /// Another ingest of the same blob is under way.
    Busy,
    /// The bytes from [`Ingest::offset`] on are wanted.
    Ingest(Box<Ingest>),
}

/// What has arrived of a blob that is not complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partial {
    /// The blob.
    pub digest: Digest,
    /// The bytes that are here.
    pub size_bytes: u64,
    /// When the last of them came.
    pub modified: SystemTime,
}

impl Content {
    /// Opens the directory, making it (mode 0700) if need be, and agrees with the database on which blobs there are:
    /// a file without a row gets one, a row without a file goes, unless an image needs it.
    ///
    /// # Errors
    /// A directory that cannot be made or read; those of the database.
    pub fn open(path: &Path, store: Store) -> Result<Self, Error> {
        let (blobs, ingest) = (path.join("blobs"), path.join("ingest"));
        for directory in [&ingest, &blobs.join("sha256"), &blobs.join("sha512")] {
            let mut builder = fs::DirBuilder::new();
            builder.recursive(true).mode(0o700).create(directory).map_err(Error::disk("make", directory))?;
        }
        let shared = Shared { blobs, ingest, store, busy: Mutex::default(), idle: Condvar::new() };
        let content = Self { shared: Arc::new(shared) };
        content.forget_stagings()?;
        content.reconcile()?;
        Ok(content)
    }

    /// Returns whether the blob is here.
    pub fn contains(&self, digest: &Digest) -> bool {
        self.path(digest).is_file()
    }

    /// Returns where the blob is, or would be.
    pub fn path(&self, digest: &Digest) -> PathBuf {
        self.shared.blobs.join(digest.algorithm().as_str()).join(digest.hex())
    }

    /// Opens a blob; returns its size too.
    ///
    /// # Errors
    /// `NotFound`, or a file that cannot be opened.
    pub fn open_blob(&self, digest: &Digest) -> Result<(File, u64), Error> {
        let path = self.path(digest);
        let file = File::open(&path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => Error::NotFound { digest: digest.clone() },
            _ => Error::Disk { action: "open", path: path.clone(), source },
        })?;
        let size = file.metadata().map_err(Error::disk("read", path))?.len();
        Ok((file, size))
    }

    /// Reads a small blob (a manifest, a configuration) and verifies it again.
    ///
    /// # Errors
    /// `NotFound`; a blob over `limit_bytes`; bytes that are no longer those of the digest.
    pub fn read(&self, digest: &Digest, limit_bytes: u64) -> Result<Vec<u8>, Error> {
        let (file, size_bytes) = self.open_blob(digest)?;
        if size_bytes > limit_bytes {
            return Err(Error::TooLarge { digest: digest.clone(), size_bytes, limit_bytes });
        }
        let mut bytes = Vec::new();
        file.take(size_bytes).read_to_end(&mut bytes).map_err(Error::disk("read", self.path(digest)))?;
        let mut hasher = Hasher::new(digest.algorithm());
        hasher.update(&bytes);
        let found = hasher.finish();
        if found != *digest {
            return Err(Error::WrongDigest { expected: digest.clone(), found });
        }
        Ok(bytes)
    }

    /// Writes a small blob at once, unless it is here; verified and durable when this returns.
    ///
    /// # Errors
    /// Bytes that are not those of the digest; a full disk.
    pub fn write(&self, digest: &Digest, bytes: &[u8]) -> Result<(), Error> {
        let Some(mut ingest) = self.ingest(digest, Some(bytes.len() as u64))? else { return Ok(()) };
        ingest.restart()?;
        ingest.append(bytes)?;
        ingest.commit()
    }

    /// Takes a whole file as a blob: makes it durable and moves it to its place. The caller has verified that its bytes are those of
    /// the digest. A blob that is here already stays, and the file goes.
    ///
    /// # Errors
    /// A file that cannot be read or moved; those of the database.
    pub fn adopt(&self, file: &Path, digest: &Digest) -> Result<(), Error> {
        let turn = Turn::wait(self, digest);
        if self.contains(digest) {
            return remove_file(file);
        }
        let opened = File::open(file).map_err(Error::disk("open", file))?;
        let size_bytes = opened.metadata().map_err(Error::disk("read", file))?.len();
        turn.place(&opened, file, size_bytes)
    }

    /// Begins or resumes to take a blob in; none if it is here. Waits while another does the same.
    ///
    /// # Errors
    /// A file that cannot be made or read.
    pub fn ingest(&self, digest: &Digest, size_bytes: Option<u64>) -> Result<Option<Ingest>, Error> {
        let turn = Turn::wait(self, digest);
        self.begin(turn, size_bytes)
    }

    /// Like [`Content::ingest`], but does not wait.
    ///
    /// # Errors
    /// A file that cannot be made or read.
    pub fn try_ingest(&self, digest: &Digest, size_bytes: Option<u64>) -> Result<Begin, Error> {
        let Some(turn) = Turn::try_take(self, digest) else { return Ok(Begin::Busy) };
        Ok(self.begin(turn, size_bytes)?.map_or(Begin::Complete, |ingest| Begin::Ingest(Box::new(ingest))))
    }

    fn begin(&self, turn: Turn, size_bytes: Option<u64>) -> Result<Option<Ingest>, Error> {
        if self.contains(turn.digest()) {
            return Ok(None);
        }
        Ingest::open(turn, size_bytes).map(Some)
    }

    /// Lists what has arrived of blobs that are not complete.
    ///
    /// # Errors
    /// A directory that cannot be read.
    pub fn partials(&self) -> Result<Vec<Partial>, Error> {
        let mut partials = Vec::new();
        for (name, metadata) in self.files(&self.shared.ingest)? {
            let Some(digest) = name.replacen('-', ":", 1).parse().ok() else { continue };
            let modified =
                metadata.modified().map_err(Error::disk("read", self.shared.ingest.join(&name)))?;
            partials.push(Partial { digest, size_bytes: metadata.len(), modified });
        }
        partials.sort_by(|a, b| a.digest.cmp(&b.digest));
        Ok(partials)
    }

    /// Removes what has arrived of blobs to which nothing was added since `before`; returns the bytes.
    ///
    /// # Errors
    /// A directory that cannot be read, a file that cannot be removed.
    pub fn collect_partials(&self, before: SystemTime) -> Result<u64, Error> {
        let mut freed = 0;
        for partial in self.partials()? {
            let Some(turn) = Turn::try_take(self, &partial.digest) else { continue };
            if partial.modified < before {
                remove_file(&self.partial_path(turn.digest()))?;
                freed += partial.size_bytes;
            }
        }
        Ok(freed)
    }

    /// Writes a document that lies beside the blobs, `index.json` for one, whole or not at all.
    ///
    /// # Errors
    /// A file that cannot be written or renamed.
    pub fn write_document(&self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        let path = self.document_path(name);
        let unfinished = path.with_extension("new");
        fs::write(&unfinished, bytes).map_err(Error::disk("write", &unfinished))?;
        fs::rename(&unfinished, &path).map_err(Error::disk("rename to", path))
    }

    /// Reads a document that lies beside the blobs; none if it is not there.
    ///
    /// # Errors
    /// A file that cannot be read, or is larger than `limit_bytes`.
    pub fn read_document(&self, name: &str, limit_bytes: u64) -> Result<Option<Vec<u8>>, Error> {
        let path = self.document_path(name);
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            result => result.map_err(Error::disk("open", &path))?,
        };
        let mut bytes = Vec::new();
        file.take(limit_bytes).read_to_end(&mut bytes).map_err(Error::disk("read", path))?;
        Ok(Some(bytes))
    }

    fn document_path(&self, name: &str) -> PathBuf {
        self.shared.blobs.with_file_name(name)
    }

    /// Removes a blob that no image needs: its row, then its file. What is not here is no error.
    ///
    /// # Errors
    /// A blob that belongs to an image; a file that cannot be removed.
    pub fn remove(&self, digest: &Digest) -> Result<(), Error> {
        self.shared.store.write_relaxed(|tx| tx.delete_blob(digest))?;
        self.remove_file(digest)
    }

    /// Removes the file of a blob whose row is gone. What is not here is no error.
    ///
    /// # Errors
    /// A file that cannot be removed.
    pub fn remove_file(&self, digest: &Digest) -> Result<(), Error> {
        let _turn = Turn::wait(self, digest);
        remove_file(&self.path(digest))
    }

    /// Returns where what has arrived of a blob is.
    pub(crate) fn partial_path(&self, digest: &Digest) -> PathBuf {
        self.shared.ingest.join(format!("{}-{}", digest.algorithm().as_str(), digest.hex()))
    }

    fn reconcile(&self) -> Result<(), Error> {
        let mut on_disk = Vec::new();
        for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
            let directory = self.shared.blobs.join(algorithm.as_str());
            for (name, metadata) in self.files(&directory)? {
                let Ok(digest) = format!("{}:{name}", algorithm.as_str()).parse() else { continue };
                let modified = metadata.modified().map_err(Error::disk("read", directory.join(&name)))?;
                on_disk.push(BlobRow {
                    digest,
                    size_bytes: metadata.len(),
                    created_ns: nanoseconds(modified),
                });
            }
        }
        let here: BTreeSet<&Digest> = on_disk.iter().map(|blob| &blob.digest).collect();
        let noted = self.shared.store.read(|tx| tx.blobs())?;
        let known: BTreeSet<&Digest> = noted.iter().map(|blob| &blob.digest).collect();
        if here == known {
            return Ok(());
        }
        self.shared.store.write(|tx| {
            for blob in on_disk.iter().filter(|blob| !known.contains(&blob.digest)) {
                tx.add_blob(blob)?;
            }
            let unused: BTreeSet<Digest> = tx.unused_blobs()?.into_iter().map(|blob| blob.digest).collect();
            for digest in unused.iter().filter(|digest| !here.contains(digest)) {
                tx.delete_blob(digest)?;
            }
            Ok::<_, Error>(())
        })
    }

    pub(crate) fn files(&self, directory: &Path) -> Result<Vec<(String, fs::Metadata)>, Error> {
        let mut files = Vec::new();
        for entry in fs::read_dir(directory).map_err(Error::disk("read", directory))? {
            let entry = entry.map_err(Error::disk("read", directory))?;
            let metadata = entry.metadata().map_err(Error::disk("read", entry.path()))?;
            if let Ok(name) = entry.file_name().into_string() {
                files.push((name, metadata));
            }
        }
        Ok(files)
    }
}

pub(crate) fn remove_file(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result.map_err(Error::disk("remove", path)),
    }
}

pub(crate) fn nanoseconds(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_nanos()).unwrap_or(i64::MAX),
        Err(before) => {
            i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |nanoseconds| -nanoseconds)
        }
    }
}
