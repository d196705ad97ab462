//! Why the engine could not start.

use ::error::{Fault, Kind};
use std::path::PathBuf;

/// Why the engine could not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A flag is wrong.
    #[error("{reason}")]
    Flag {
        /// What is wrong with which flag.
        reason: String,
    },
    /// The configuration file cannot be read.
    #[error("cannot read the configuration {}", path.display())]
    ConfigRead {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The configuration file is malformed, or has an unknown key or a key twice.
    #[error("the configuration {} is wrong", path.display())]
    ConfigParse {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: serde_json::Error,
    },
    /// A key of Docker's that is not honoured yet.
    #[error("the configuration {} sets {key:?}, which is not there yet", path.display())]
    ConfigUnsupported {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
    },
    /// A setting stands in the file and on the command line.
    #[error("{key:?} is set as a flag and in {}", path.display())]
    ConfigTwice {
        /// The setting.
        key: String,
        /// The file.
        path: PathBuf,
    },
    /// A value cannot be used.
    #[error("{key}: {value:?}: {rule}")]
    Value {
        /// The setting.
        key: &'static str,
        /// Its value.
        value: String,
        /// What is expected.
        rule: String,
    },
    /// A certificate or key cannot be used.
    #[error("cannot use the certificates in {}: {reason}", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// Not root.
    #[error("the engine needs root: namespaces, mounts and cgroups of containers belong to it")]
    NotRoot,
    /// Another engine runs with the same run state.
    #[error("another engine (pid {pid}) already uses {}", path.display())]
    AlreadyRunning {
        /// The other engine.
        pid: String,
        /// The lock file.
        path: PathBuf,
    },
    /// A file or directory of the engine cannot be made or opened.
    #[error("cannot {what} {}", path.display())]
    File {
        /// What was tried.
        what: &'static str,
        /// With what.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The socket from systemd is missing or not a unix socket.
    #[error("fd:// is set, but systemd passed no usable socket ({reason})")]
    Inherited {
        /// What is wrong.
        reason: String,
    },
    /// A program of ours is missing.
    #[error("cannot find {program} beside narud, in /usr/libexec/naru or in PATH")]
    ProgramMissing {
        /// `naru-run` or `naru-init`.
        program: &'static str,
    },
    /// A service could not start.
    #[error("cannot start: {message}")]
    Service {
        /// The kind of the service's error.
        kind: Kind,
        /// The service's whole text.
        message: String,
        /// The service's hint.
        hint: Option<String>,
    },
}

impl Error {
    /// Wraps the error of a service.
    pub fn service(failure: impl Into<::error::Failure>) -> Self {
        let ::error::Failure { kind, message, hint } = failure.into();
        Self::Service { kind, message, hint }
    }
}

impl Fault for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::Certificate { .. }
            | Self::Flag { .. }
            | Self::ConfigRead { .. }
            | Self::ConfigParse { .. }
            | Self::ConfigTwice { .. }
            | Self::Value { .. } => Kind::InvalidArgument,
            Self::ConfigUnsupported { .. } => Kind::Unimplemented,
            Self::NotRoot => Kind::Forbidden,
            Self::AlreadyRunning { .. } => Kind::AlreadyExists,
            Self::File { .. } | Self::Inherited { .. } => Kind::Unavailable,
            Self::ProgramMissing { .. } => Kind::NotFound,
            Self::Service { kind, .. } => *kind,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NotRoot => Some("start it with sudo".into()),
            Self::ProgramMissing { program } => Some(format!("install {program} beside narud")),
            Self::ConfigUnsupported { .. } => Some("remove the key".into()),
            Self::Service { hint, .. } => hint.clone(),
            _ => None,
        }
    }
}
