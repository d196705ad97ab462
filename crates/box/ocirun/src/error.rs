//! What can go wrong with a command.

use error::{Fault, Kind};
use std::io;
use std::path::PathBuf;

/// Why a command failed. Texts are runc's where its callers match on them.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The command line is wrong.
    #[error("{0}")]
    Usage(String),
    /// The id has a character that paths and cgroups cannot take, or is empty.
    #[error("invalid container ID format: {0:?}")]
    Id(String),
    /// The id is taken.
    #[error("container with given ID already exists: {0:?}")]
    Exists(String),
    /// There is no such container. containerd matches on this text.
    #[error("container {0:?} does not exist")]
    Missing(String),
    /// The container's process has ended. containerd matches on this text.
    #[error("container not running")]
    NotRunning,
    /// The container's status does not permit it.
    #[error("{0}")]
    Status(String),
    /// A file of the host cannot be used.
    #[error("cannot {what} {}", .path.display())]
    File {
        /// What was to be done, a verb.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file is not what it should be.
    #[error("{}: {text}", .path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the field's path.
        text: String,
    },
    /// What other runtimes have and this one does not.
    #[error("{0} is not supported")]
    NotSupported(&'static str),
    /// The container's process cannot be made. runc's prefix, which people search for.
    #[error("unable to start container process")]
    Process(#[source] runtime::Error),
    /// The runtime refuses.
    #[error(transparent)]
    Runtime(#[from] runtime::Error),
    /// A cgroup refuses.
    #[error(transparent)]
    Cgroup(#[from] cgroup::Error),
    /// A system call failed.
    #[error("cannot {what}")]
    Sys {
        /// What was to be done, a verb phrase.
        what: String,
        /// Why.
        #[source]
        source: sys::Error,
    },
    /// A command failed; what callers show as a whole.
    #[error("{command} failed")]
    Command {
        /// The program and the command.
        command: String,
        /// Why.
        #[source]
        source: Box<Error>,
    },
}

impl Error {
    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Self::Usage(text.into())
    }

    /// Returns what turns an IO error into one of a file.
    pub(crate) fn file(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { what, path, source }
    }

    /// Returns what turns a system call's error into one that says what was to be done.
    pub(crate) fn sys(what: impl Into<String>) -> impl FnOnce(sys::Error) -> Self {
        let what = what.into();
        move |source| Self::Sys { what, source }
    }
}

impl Fault for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::Usage(_) | Self::Id(_) | Self::Content { .. } => Kind::InvalidArgument,
            Self::Exists(_) => Kind::AlreadyExists,
            Self::Missing(_) => Kind::NotFound,
            Self::NotRunning | Self::Status(_) => Kind::Conflict,
            Self::File { source, .. } => match source.kind() {
                io::ErrorKind::NotFound => Kind::NotFound,
                io::ErrorKind::PermissionDenied => Kind::Forbidden,
                _ => Kind::Internal,
            },
            Self::NotSupported(_) => Kind::Unimplemented,
            Self::Process(error) | Self::Runtime(error) => error.kind(),
            Self::Cgroup(error) => error.kind(),
            Self::Sys { .. } => Kind::Internal,
            Self::Command { source, .. } => source.kind(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Process(error) | Self::Runtime(error) => error.hint(),
            Self::Cgroup(error) => error.hint(),
            Self::Command { source, .. } => source.hint(),
            _ => None,
        }
    }
}
