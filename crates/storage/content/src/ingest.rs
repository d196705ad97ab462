//! Taking a blob in, byte by byte, over any number of attempts.

use crate::content::{nanoseconds, remove_file};
use crate::{Content, Error, Hasher};
use refs::Digest;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use std::time::SystemTime;
use store::BlobRow;

/// A blob that is being taken in. Dropped before [`Ingest::commit`], it leaves its bytes for the next attempt.
#[derive(Debug)]
pub struct Ingest {
    // Fields drop in this order: the file is closed before the turn is given on.
    file: File,
    path: PathBuf,
    hasher: HasherState,
    offset: u64,
    /// What lies before it is on its way to the disk.
    on_its_way: u64,
    size_bytes: Option<u64>,
    turn: Turn,
}

struct HasherState(Hasher);

impl std::fmt::Debug for HasherState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hasher")
    }
}

const READ_BYTES: usize = 128 * 1024;

/// After so many bytes the disk begins to write.
const WRITEBACK_BYTES: u64 = 8 << 20;

impl Ingest {
    /// Opens what has arrived so far, and hashes it: a file that a power cut has damaged is found at the commit.
    pub(crate) fn open(turn: Turn, size_bytes: Option<u64>) -> Result<Self, Error> {
        let path = turn.content.partial_path(turn.digest());
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true).mode(0o600);
        let mut file = options.open(&path).map_err(Error::disk("open", &path))?;
        let mut hasher = Hasher::new(turn.digest().algorithm());
        let mut offset = 0;
        let mut buffer = vec![0; READ_BYTES];
        loop {
            let read = file.read(&mut buffer).map_err(Error::disk("read", &path))?;
            if read == 0 {
                break;
            }
            hasher.update(&buffer[..read]);
            offset += read as u64;
        }
        let mut ingest =
            Self { file, path, hasher: HasherState(hasher), offset, on_its_way: offset, size_bytes, turn };
        if size_bytes.is_some_and(|size| ingest.offset > size) {
            ingest.restart()?;
        }
        Ok(ingest)
    }

    /// Returns the blob's digest.
    pub fn digest(&self) -> &Digest {
        self.turn.digest()
    }

    /// Returns how many bytes are here: where to go on.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Forgets the bytes that are here: the other side cannot go on in the middle.
    ///
    /// # Errors
    /// A file that cannot be truncated.
    pub fn restart(&mut self) -> Result<(), Error> {
        self.file.set_len(0).map_err(Error::disk("truncate", &self.path))?;
        self.hasher = HasherState(Hasher::new(self.digest().algorithm()));
        (self.offset, self.on_its_way) = (0, 0);
        Ok(())
    }

    /// Takes further bytes in.
    ///
    /// # Errors
    /// More bytes than were announced; a full disk. What was written stays for the next attempt.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let end = self.offset + bytes.len() as u64;
        if let Some(expected) = self.size_bytes.filter(|size| end > *size) {
            self.discard()?;
            return Err(Error::WrongSize { digest: self.digest().clone(), expected, found: end });
        }
        if let Err(source) = self.file.write_all(bytes) {
            // Part of it may be in the file: back to where the hash stands.
            let _ = self.file.set_len(self.offset); // If this fails too, the digest tells at the commit.
            return Err(Error::Disk { action: "write", path: self.path.clone(), source });
        }
        self.hasher.0.update(bytes);
        self.offset = end;
        if end - self.on_its_way >= WRITEBACK_BYTES {
            // Only to have less to wait for in the end.
            let _ = sys::fs::start_writeback(&self.file, self.on_its_way, end - self.on_its_way);
            self.on_its_way = end;
        }
        Ok(())
    }

    /// Verifies size and digest, makes the bytes durable, and makes the blob visible.
    ///
    /// # Errors
    /// Too few bytes: they stay for the next attempt. Bytes that are not those of the digest: they go.
    pub fn commit(self) -> Result<(), Error> {
        let digest = self.digest().clone();
        if let Some(expected) = self.size_bytes.filter(|size| self.offset < *size) {
            return Err(Error::WrongSize { digest, expected, found: self.offset });
        }
        let found = self.hasher.0.clone().finish();
        if found != digest {
            self.discard()?;
            return Err(Error::WrongDigest { expected: digest, found });
        }
        self.turn.place(&self.file, &self.path, self.offset)
    }

    fn discard(&self) -> Result<(), Error> {
        remove_file(&self.path)
    }
}

/// The right to work on one blob.
pub(crate) struct Turn {
    content: Content,
    digest: Digest,
}

impl std::fmt::Debug for Turn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.digest.fmt(f)
    }
}

impl Turn {
    pub(crate) fn wait(content: &Content, digest: &Digest) -> Self {
        let mut busy = content.shared.busy.lock().unwrap_or_else(PoisonError::into_inner);
        while !busy.insert(digest.clone()) {
            busy = content.shared.idle.wait(busy).unwrap_or_else(PoisonError::into_inner);
        }
        Self { content: content.clone(), digest: digest.clone() }
    }

    pub(crate) fn try_take(content: &Content, digest: &Digest) -> Option<Self> {
        let mut busy = content.shared.busy.lock().unwrap_or_else(PoisonError::into_inner);
        busy.insert(digest.clone()).then(|| Self { content: content.clone(), digest: digest.clone() })
    }

    pub(crate) fn digest(&self) -> &Digest {
        &self.digest
    }

    /// Makes a verified file durable, moves it to its place and notes it.
    pub(crate) fn place(&self, file: &File, from: &Path, size_bytes: u64) -> Result<(), Error> {
        let path = self.content.path(&self.digest);
        sys::fs::sync_data(file).map_err(Error::disk("sync", from))?;
        std::fs::rename(from, &path).map_err(Error::disk("rename to", &path))?;
        let directory = path.parent().unwrap_or(Path::new("/"));
        let directory_fd = sys::fs::open_directory(directory).map_err(Error::disk("open", directory))?;
        sys::fs::sync(directory_fd).map_err(Error::disk("sync", directory))?;
        let created_ns = nanoseconds(SystemTime::now());
        let row = BlobRow { digest: self.digest.clone(), size_bytes, created_ns };
        // The file is durable, and one without a row gets it at the next start: no need to wait for the disk again.
        self.content.shared.store.write_relaxed(|tx| tx.add_blob(&row))?;
        Ok(())
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.content.shared.busy.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.digest);
        self.content.shared.idle.notify_all();
    }
}
