//! What can go wrong with a control group.

use error::{Fault, Kind};
use std::io;
use std::path::PathBuf;

/// A failure of a control group operation.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Neither a v1 nor a v2 hierarchy is mounted.
    #[error("no cgroup hierarchy is mounted at {}", .0.display())]
    NotMounted(PathBuf),
    /// The path has `..`, is empty, or names a systemd unit.
    #[error("cgroup path {path:?} {reason}")]
    Path {
        /// The path as given.
        path: String,
        /// What is wrong with it, a verb phrase.
        reason: &'static str,
    },
    /// A limit was asked for whose controller or file this machine does not have.
    #[error("{option} needs {needs}, which this machine does not have")]
    NotSupported {
        /// The field of the OCI specification, with the command line option where one exists.
        option: &'static str,
        /// The controller or file.
        needs: String,
    },
    /// A limit was asked for that this engine does not implement.
    #[error("{0} is not implemented")]
    NotImplemented(&'static str),
    /// A value is out of the kernel's range.
    #[error("{option}: {text}")]
    Value {
        /// The field of the OCI specification.
        option: &'static str,
        /// What is wrong.
        text: String,
    },
    /// Processes sit in an inner node, so controllers cannot be enabled below it.
    #[error("cannot enable controllers in {}: processes live in that cgroup", .0.display())]
    Busy(PathBuf),
    /// A file of the cgroup file system refused.
    #[error("cannot {verb} {}{}", .path.display(), .value.as_ref().map(|v| format!(" ({v:?})")).unwrap_or_default())]
    File {
        /// `read`, `write`, `create`, `remove`, `open`.
        verb: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What was to be written.
        value: Option<String>,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file of the cgroup file system says something that we do not understand.
    #[error("cannot understand {}: {text:?}", .path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// The offending text.
        text: String,
    },
    /// The processes did not leave, freeze or die in time.
    #[error("{what} in cgroup {path} took longer than {seconds} s")]
    Timeout {
        /// What was waited for.
        what: &'static str,
        /// The cgroup.
        path: String,
        /// The limit.
        seconds: u64,
    },
    /// A system call failed.
    #[error("cannot {what}")]
    Sys {
        /// What was to be done, a verb phrase.
        what: &'static str,
        /// Why.
        #[source]
        source: sys::Error,
    },
}

impl Error {
    /// Returns whether the cgroup (or the file in it) is gone.
    pub fn is_gone(&self) -> bool {
        // ENODEV is what kernfs answers for files of a cgroup that was removed while they were open.
        matches!(self, Self::File { source, .. } if source.kind() == io::ErrorKind::NotFound || source.raw_os_error() == Some(ENODEV))
    }
}

const ENODEV: i32 = 19;
const EACCES: i32 = 13;
const EPERM: i32 = 1;
const EROFS: i32 = 30;
const ENOSPC: i32 = 28;

impl Fault for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::NotMounted(_) | Self::Busy(_) => Kind::Unavailable,
            Self::Path { .. } | Self::NotSupported { .. } | Self::Value { .. } => Kind::InvalidArgument,
            Self::NotImplemented(_) => Kind::Unimplemented,
            Self::File { source, .. } => match source.raw_os_error() {
                Some(EACCES | EPERM | EROFS) => Kind::Forbidden,
                Some(ENOSPC) => Kind::Exhausted,
                _ => Kind::Internal,
            },
            Self::Content { .. } | Self::Timeout { .. } | Self::Sys { .. } => Kind::Internal,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NotMounted(_) => Some("mount one: `mount -t cgroup2 none /sys/fs/cgroup`".into()),
            Self::NotSupported { .. } => Some("leave the option out, or enable the controller in the kernel".into()),
            Self::Busy(path) => Some(format!("move the processes of {}/cgroup.procs into a child cgroup", path.display())),
            Self::File { source, .. } if source.raw_os_error() == Some(EROFS) => {
                Some("the cgroup file system is read-only; mount it writable, or run the engine outside a container".into())
            }
            Self::File { source, .. } if matches!(source.raw_os_error(), Some(EACCES | EPERM)) => {
                Some("run the engine as root, or delegate a cgroup to its user".into())
            }
            _ => None,
        }
    }
}
