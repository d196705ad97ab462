//! Uploads under way: a file per upload, that survives a restart of the registry.

use crate::error::Error;
use content::Hasher;
use refs::{Algorithm, Digest};
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

/// Uploads at once, over all clients: each holds a file.
const MAX_UPLOADS: usize = 1000;

const READ_BYTES: usize = 256 * 1024;

/// The directory of the uploads, and those that were used since the start.
#[derive(Debug)]
pub(crate) struct Uploads {
    directory: PathBuf,
    open: BTreeMap<String, Arc<Mutex<Upload>>>,
}

/// One upload. It belongs to one repository.
pub(crate) struct Upload {
    file: File,
    path: PathBuf,
    hasher: Hasher,
    offset: u64,
}

impl std::fmt::Debug for Upload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upload")
            .field("path", &self.path)
            .field("offset", &self.offset)
            .finish_non_exhaustive()
    }
}

impl Uploads {
    pub(crate) fn open(directory: PathBuf) -> Result<Self, Error> {
        Ok(Self { directory, open: BTreeMap::new() })
    }

    /// Begins an upload; returns its id. None if there are too many.
    pub(crate) fn begin(&mut self, repository: &str) -> Result<Option<String>, Error> {
        if self.open.len() >= MAX_UPLOADS {
            return Ok(None);
        }
        let id = random_id()?;
        let upload = Upload::open(self.path(repository, &id), true)?;
        self.open.insert(key(repository, &id), Arc::new(Mutex::new(upload)));
        Ok(Some(id))
    }

    /// Returns an upload of this repository, also one from before a restart.
    pub(crate) fn find(&mut self, repository: &str, id: &str) -> Result<Option<Arc<Mutex<Upload>>>, Error> {
        if !is_id(id) {
            return Ok(None);
        }
        if let Some(upload) = self.open.get(&key(repository, id)) {
            return Ok(Some(Arc::clone(upload)));
        }
        let path = self.path(repository, id);
        if !path.exists() {
            return Ok(None);
        }
        let upload = Arc::new(Mutex::new(Upload::open(path, false)?));
        self.open.insert(key(repository, id), Arc::clone(&upload));
        Ok(Some(upload))
    }

    /// Forgets an upload; its file is the caller's matter.
    pub(crate) fn forget(&mut self, repository: &str, id: &str) {
        self.open.remove(&key(repository, id));
    }

    /// Removes uploads to which nothing came for this long; returns their bytes.
    pub(crate) fn collect(&mut self, idle: Duration, now: SystemTime) -> Result<u64, Error> {
        let mut freed = 0;
        for entry in fs::read_dir(&self.directory).map_err(Error::file("list", &self.directory))? {
            let entry = entry.map_err(Error::file("list", &self.directory))?;
            let Ok(metadata) = entry.metadata() else { continue }; // finished meanwhile
            let old =
                metadata.modified().is_ok_and(|time| now.duration_since(time).is_ok_and(|age| age > idle));
            if !old {
                continue;
            }
            fs::remove_file(entry.path()).map_err(Error::file("remove", entry.path()))?;
            freed += metadata.len();
            self.open.remove(&*entry.file_name().to_string_lossy());
        }
        Ok(freed)
    }

    fn path(&self, repository: &str, id: &str) -> PathBuf {
        self.directory.join(key(repository, id))
    }
}

/// Returns the name of the file: the repository by its digest, since names may be longer than file names may.
fn key(repository: &str, id: &str) -> String {
    format!("{}-{id}", &content::digest_of(repository.as_bytes()).hex()[..32])
}

fn is_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn random_id() -> Result<String, Error> {
    let mut bytes = [0; 16];
    let source = Path::new("/dev/urandom");
    File::open(source)
        .and_then(|mut file| file.read_exact(&mut bytes))
        .map_err(Error::file("read", source))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

impl Upload {
    /// Opens the file and hashes what is in it.
    fn open(path: PathBuf, new: bool) -> Result<Self, Error> {
        let mut options = OpenOptions::new();
        let mut file = options
            .read(true)
            .append(true)
            .create_new(new)
            .mode(0o600)
            .open(&path)
            .map_err(Error::file("open", &path))?;
        let mut hasher = Hasher::new(Algorithm::Sha256);
        let offset = hash(&mut file, &mut hasher, &path)?;
        Ok(Self { file, path, hasher, offset })
    }

    /// Returns the bytes that are here.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Adds bytes. After a failure the file is as it was before.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<(), Error> {
        if let Err(source) = self.file.write_all(bytes) {
            let _ = self.file.set_len(self.offset); // if this fails too, the digest tells at the end
            return Err(Error::File { action: "write", path: self.path.clone(), source });
        }
        self.hasher.update(bytes);
        self.offset += bytes.len() as u64;
        Ok(())
    }

    /// Returns the digest of all bytes by this algorithm.
    pub(crate) fn digest(&self, algorithm: Algorithm) -> Result<Digest, Error> {
        if algorithm == Algorithm::Sha256 {
            return Ok(self.hasher.clone().finish());
        }
        let mut file = File::open(&self.path).map_err(Error::file("open", &self.path))?;
        let mut hasher = Hasher::new(algorithm);
        hash(&mut file, &mut hasher, &self.path)?;
        Ok(hasher.finish())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Removes the file.
    pub(crate) fn remove(&self) -> Result<(), Error> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            done => done.map_err(Error::file("remove", &self.path)),
        }
    }
}

fn hash(file: &mut File, hasher: &mut Hasher, path: &Path) -> Result<u64, Error> {
    let mut buffer = vec![0; READ_BYTES];
    let mut total = 0;
    loop {
        let read = file.read(&mut buffer).map_err(Error::file("read", path))?;
        if read == 0 {
            return Ok(total);
        }
        hasher.update(&buffer[..read]);
        total += read as u64;
    }
}
