//! What can go wrong with snapshots.

use error::{Fault, Kind};
use refs::Digest;
use std::path::PathBuf;

/// An error of a snapshot driver.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such snapshot.
    #[error("snapshot {id} does not exist")]
    NotFound {
        /// The id.
        id: String,
    },
    /// There is one already.
    #[error("snapshot {id} exists already")]
    Exists {
        /// The id.
        id: String,
    },
    /// The id cannot name a directory.
    #[error("snapshot id {id:?} is invalid")]
    Id {
        /// The id.
        id: String,
    },
    /// A layer is not on the disk.
    #[error("layer {diff_id} is missing")]
    MissingLayer {
        /// The layer.
        diff_id: Digest,
    },
    /// There are too many layers.
    #[error("{count} layers are more than the {limit} that can be stacked")]
    TooManyLayers {
        /// How many.
        count: usize,
        /// How many can be.
        limit: usize,
    },
    /// The file system of the data root cannot carry overlayfs.
    #[error("overlay on {} ({file_system}) is not possible", path.display())]
    Unusable {
        /// The directory.
        path: PathBuf,
        /// Its file system.
        file_system: String,
        /// What was tried.
        source: sys::Error,
    },
    /// It is kept as only another driver can use it.
    #[error("snapshot {id} was made by another storage driver")]
    OtherDriver {
        /// The id.
        id: String,
    },
    /// A driver that there is not.
    #[error("storage driver {name} is not supported: {reason}")]
    Unsupported {
        /// Its name.
        name: String,
        /// Why.
        reason: &'static str,
    },
    /// The kernel does not mount EROFS from a plain file.
    #[error("the storage driver erofs does not work on this machine")]
    NoErofs {
        /// What was tried.
        source: layer::Error,
    },
    /// A directory cannot be made, read or removed.
    #[error("cannot {action} {}", path.display())]
    Disk {
        /// What was to be done.
        action: &'static str,
        /// With which path.
        path: PathBuf,
        /// The reason.
        source: sys::Error,
    },
    /// The layers' own.
    #[error("cannot prepare the layers")]
    Layer(#[from] layer::Error),
    /// The database failed.
    #[error("cannot note the snapshot")]
    Store(#[from] store::Error),
}

impl Error {
    pub(crate) fn disk(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(sys::Error) -> Self {
        let path = path.into();
        move |source| Self::Disk { action, path, source }
    }
}

impl Fault for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::NotFound { .. } => Kind::NotFound,
            Self::Exists { .. } => Kind::AlreadyExists,
            Self::Id { .. } | Self::TooManyLayers { .. } => Kind::InvalidArgument,
            Self::MissingLayer { .. } => Kind::DataLoss,
            Self::Unusable { .. } | Self::NoErofs { .. } => Kind::Unavailable,
            Self::Unsupported { .. } => Kind::Unimplemented,
            Self::OtherDriver { .. } => Kind::Conflict,
            Self::Disk { source, .. } => match source.errno {
                sys::Errno::NOSPC | sys::Errno::DQUOT => Kind::Exhausted,
                _ => Kind::Internal,
            },
            Self::Layer(source) => source.kind(),
            Self::Store(source) => source.kind(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::MissingLayer { .. } => Some("remove the image and pull it again".to_owned()),
            Self::Unsupported { .. } => {
                Some("use erofs, overlay2 or vfs, or leave the choice to the engine".to_owned())
            }
            Self::OtherDriver { .. } => Some(
                "start the engine with the driver that the container was made with (--storage-driver), or remove it"
                    .to_owned(),
            ),
            Self::NoErofs { .. } => {
                Some("use --storage-driver overlay2, or Linux 6.12 or newer with EROFS".to_owned())
            }
            Self::Unusable { source, .. } if source.is(sys::Errno::PERM) => {
                Some("run the engine as root with CAP_SYS_ADMIN".to_owned())
            }
            Self::Unusable { .. } => {
                Some("use a data root on a local ext4, xfs or btrfs file system (--data-root)".to_owned())
            }
            Self::Disk { .. } if self.kind() == Kind::Exhausted => {
                Some("free some space or inodes on the file system of the data root".to_owned())
            }
            Self::Layer(source) => source.hint(),
            Self::Store(source) => source.hint(),
            _ => None,
        }
    }
}
