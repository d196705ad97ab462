//! What can go wrong with blobs.

use error::{Fault, Kind};
use refs::Digest;
use std::io;
use std::path::PathBuf;

/// An error of the content store.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The blob is not here.
    #[error("blob {digest} is not here")]
    NotFound {
        /// The blob.
        digest: Digest,
    },
    /// The bytes are not those of the digest.
    #[error("blob {expected} has the digest {found}")]
    WrongDigest {
        /// The announced digest.
        expected: Digest,
        /// The digest of the bytes.
        found: Digest,
    },
    /// There are fewer or more bytes than announced.
    #[error("blob {digest} has {found} bytes, announced were {expected}")]
    WrongSize {
        /// The blob.
        digest: Digest,
        /// The announced size.
        expected: u64,
        /// The bytes that came.
        found: u64,
    },
    /// The blob is too large to be read at once.
    #[error("blob {digest} has {size_bytes} bytes, more than the {limit_bytes} that are read")]
    TooLarge {
        /// The blob.
        digest: Digest,
        /// Its size.
        size_bytes: u64,
        /// The limit.
        limit_bytes: u64,
    },
    /// A file or directory cannot be made, read, written or synced.
    #[error("cannot {action} {}", path.display())]
    Disk {
        /// What was to be done.
        action: &'static str,
        /// With which path.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// The database failed.
    #[error("cannot note the blob")]
    Store(#[from] store::Error),
}

impl Error {
    pub(crate) fn disk<E: Into<io::Error>>(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(E) -> Self {
        let path = path.into();
        move |source| Self::Disk { action, path, source: source.into() }
    }
}

impl Fault for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::NotFound { .. } => Kind::NotFound,
            Self::WrongDigest { .. } | Self::WrongSize { .. } => Kind::DataLoss,
            Self::TooLarge { .. } => Kind::InvalidArgument,
            Self::Disk { source, .. } => match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                    Kind::Exhausted
                }
                _ => Kind::Internal,
            },
            Self::Store(source) => source.kind(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Disk { .. } if self.kind() == Kind::Exhausted => {
                Some("free some space on the file system of the data root".to_owned())
            }
            Self::Store(source) => source.hint(),
            _ => None,
        }
    }
}
