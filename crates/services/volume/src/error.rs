//! What can go wrong with volumes. Texts that scripts match on are Docker's.

use error::{Fault, Kind};
use std::io;
use std::path::PathBuf;

/// An error of the volume service.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No volume of this name.
    #[error("get {name}: no such volume")]
    NotFound {
        /// As the user named it.
        name: String,
    },
    /// A volume cannot be made as asked.
    #[error("create {name}: {reason}")]
    Invalid {
        /// As the user named it.
        name: String,
        /// Docker's text.
        reason: String,
    },
    /// A filter cannot be read.
    #[error(transparent)]
    Filter(#[from] refs::Error),
    /// No such driver.
    #[error("create {name}: error looking up volume plugin {driver}: plugin \"{driver}\" not found")]
    NoDriver {
        /// The volume.
        name: String,
        /// The driver.
        driver: String,
    },
    /// Containers use it.
    #[error("remove {name}: volume is in use - [{}]", users.join(", "))]
    InUse {
        /// The volume.
        name: String,
        /// The containers' ids.
        users: Vec<String>,
    },
    /// The new name is taken.
    #[error("the volume name \"{name}\" is already in use")]
    NameTaken {
        /// The name.
        name: String,
    },
    /// It is being removed.
    #[error("volume {name} is being removed")]
    Removing {
        /// The volume.
        name: String,
    },
    /// The options of the volume could not be mounted.
    #[error("failed to mount local volume: mount {device}:{}, data: {data}", target.display())]
    Mount {
        /// What was to be mounted.
        device: String,
        /// Where.
        target: PathBuf,
        /// The options.
        data: String,
        /// Why not.
        source: sys::Error,
    },
    /// The path below the volume does not lead to anything.
    #[error("cannot access path {}: it is not in volume {name}", subpath.display())]
    Subpath {
        /// The volume.
        name: String,
        /// As the user wrote it.
        subpath: PathBuf,
        /// Why not.
        source: sys::Error,
    },
    /// A file or directory of ours.
    #[error("cannot {what} {}", path.display())]
    File {
        /// What was tried.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A system call.
    #[error(transparent)]
    System(#[from] sys::Error),
    /// Copying the image's content.
    #[error("the content of the image cannot be copied into volume {name}")]
    CopyUp {
        /// The volume.
        name: String,
        /// Why not.
        source: Box<layer::Error>,
    },
    /// The trash.
    #[error("volume {name} cannot be removed")]
    Trash {
        /// The volume.
        name: String,
        /// Why not.
        source: Box<layer::Error>,
    },
    /// The database.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A record that this engine does not understand.
    #[error("the record of volume {name} has version {version}, which this engine cannot read")]
    Record {
        /// The volume.
        name: String,
        /// The version.
        version: u32,
    },
}

impl Error {
    /// Returns what makes an error of a file out of one of std.
    pub(crate) fn file(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { what, path, source }
    }

    pub(crate) fn invalid(name: &str, reason: impl Into<String>) -> Self {
        Self::Invalid { name: name.to_owned(), reason: reason.into() }
    }
}

impl Fault for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::NotFound { .. } | Self::NoDriver { .. } => Kind::NotFound,
            Self::Invalid { .. } | Self::Subpath { .. } => Kind::InvalidArgument,
            Self::Filter(error) => error.kind(),
            Self::InUse { .. } | Self::Removing { .. } => Kind::Conflict,
            Self::NameTaken { .. } => Kind::AlreadyExists,
            Self::Record { .. } => Kind::DataLoss,
            Self::Store(error) => error.kind(),
            Self::Mount { .. }
            | Self::File { .. }
            | Self::System(_)
            | Self::CopyUp { .. }
            | Self::Trash { .. } => Kind::Internal,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::InUse { .. } => Some("remove the containers that use it first".to_owned()),
            Self::Mount { source, .. } if source.is(sys::Errno::NODEV) => {
                Some("the kernel of this machine does not have this file system".to_owned())
            }
            _ => None,
        }
    }
}
