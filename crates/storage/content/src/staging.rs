//! Bytes whose digest is known only after the last of them.

use crate::content::{nanoseconds, remove_file};
use crate::ingest::Turn;
use crate::{Content, Error, Hasher};
use refs::{Algorithm, Digest};
use std::fs::{File, OpenOptions};
use std::io::{self, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;
use store::BlobRow;

/// Names of stagings begin so; what is left of them goes at the next start.
pub(crate) const PREFIX: &str = "new-";

static SERIAL: AtomicU64 = AtomicU64::new(0);

/// A blob in the making. Dropped before [`Staging::commit`], it leaves nothing.
#[derive(Debug)]
pub struct Staging {
    content: Content,
    path: PathBuf,
    file: File,
    hasher: HasherState,
    size_bytes: u64,
}

struct HasherState(Hasher);

impl std::fmt::Debug for HasherState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hasher")
    }
}

impl Content {
    /// Begins a blob of which nothing is known yet.
    ///
    /// # Errors
    /// A file that cannot be made.
    pub fn stage(&self) -> Result<Staging, Error> {
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let path = self.shared.ingest.join(format!("{PREFIX}{}-{serial}", std::process::id()));
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true).mode(0o600);
        let file = options.open(&path).map_err(Error::disk("make", &path))?;
        let hasher = HasherState(Hasher::new(Algorithm::Sha256));
        Ok(Staging { content: self.clone(), path, file, hasher, size_bytes: 0 })
    }

    /// Removes what an earlier process has left of its stagings.
    pub(crate) fn forget_stagings(&self) -> Result<(), Error> {
        for (name, _) in self.files(&self.shared.ingest)? {
            if name.starts_with(PREFIX) {
                remove_file(&self.shared.ingest.join(name))?;
            }
        }
        Ok(())
    }
}

impl Staging {
    /// Returns the digest of what was written so far.
    pub fn digest(&self) -> Digest {
        self.hasher.0.clone().finish()
    }

    /// Returns how many bytes were written so far.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Opens what was written so far, to be read from its beginning. Nothing may be written afterwards.
    ///
    /// # Errors
    /// A file that cannot be opened again.
    pub fn reopen(&self) -> Result<File, Error> {
        let mut file = self.file.try_clone().map_err(Error::disk("open", &self.path))?;
        file.rewind().map_err(Error::disk("read", &self.path))?;
        Ok(file)
    }

    /// Makes the bytes durable, and the blob visible under its digest; returns that and the size.
    ///
    /// # Errors
    /// A full disk; those of the database.
    pub fn commit(self) -> Result<(Digest, u64), Error> {
        let digest = self.digest();
        let _turn = Turn::wait(&self.content, &digest);
        let path = self.content.path(&digest);
        sys::fs::sync_data(&self.file).map_err(Error::disk("sync", &self.path))?;
        std::fs::rename(&self.path, &path).map_err(Error::disk("rename to", &path))?;
        let directory = path.parent().unwrap_or(Path::new("/"));
        let directory_fd = sys::fs::open_directory(directory).map_err(Error::disk("open", directory))?;
        sys::fs::sync(directory_fd).map_err(Error::disk("sync", directory))?;
        let row = BlobRow {
            digest: digest.clone(),
            size_bytes: self.size_bytes,
            created_ns: nanoseconds(SystemTime::now()),
        };
        // As with an ingest: a file without a row gets it at the next start.
        self.content.shared.store.write_relaxed(|tx| tx.add_blob(&row))?;
        Ok((digest, self.size_bytes))
    }
}

impl Write for Staging {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.hasher.0.update(&bytes[..count]);
        self.size_bytes += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        let _ = remove_file(&self.path); // renamed already, or tidied up at the next start
    }
}
