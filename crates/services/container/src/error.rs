//! What can go wrong with containers. Texts that scripts match on are Docker's.

use crate::machine::{Refusal, StartFailure};
use error::{Fault, Kind};
use refs::ContainerId;

/// An error of the container service.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No container of this name or id.
    #[error("No such container: {name}")]
    NoSuchContainer {
        /// As the user named it.
        name: String,
    },
    /// No exec of this id.
    #[error("No such exec instance: {id}")]
    NoSuchExec {
        /// As the user named it.
        id: String,
    },
    /// Several ids begin like this.
    #[error("multiple IDs found with provided prefix: {prefix}")]
    Ambiguous {
        /// What was given.
        prefix: String,
    },
    /// The name belongs to another container.
    #[error(
        "Conflict. The container name \"/{name}\" is already in use by container \"{id}\". You have to remove (or rename) \
         that container to be able to reuse that name."
    )]
    NameTaken {
        /// The name.
        name: String,
        /// Its owner.
        id: ContainerId,
    },
    /// A rename that cannot be done.
    #[error("Error when allocating new name")]
    Rename(#[source] Box<Error>),
    /// A signal that cannot be sent.
    #[error("cannot kill container: {name}")]
    Kill {
        /// As the user named it.
        name: String,
        /// The reason.
        source: Box<Error>,
    },
    /// A value of the request is wrong.
    #[error("{message}")]
    Invalid {
        /// Docker's text.
        message: String,
    },
    /// A value of the request is understood, and not built yet.
    #[error("{message}")]
    Unimplemented {
        /// What is not there.
        message: String,
    },
    /// The container's state does not permit it.
    #[error("{}", refused.text())]
    Refused {
        /// The facts.
        refused: Refused,
    },
    /// There was nothing to do.
    #[error("container is already in the desired state")]
    NotModified,
    /// The container could not be started.
    #[error("{message}")]
    Start {
        /// Decides the exit code.
        kind: Kind,
        /// The text for the user.
        message: String,
        /// What the user can do.
        hint: Option<String>,
    },
    /// The container was set aside when the engine started.
    #[error("container {id} is not understood by this engine: {reason}")]
    Broken {
        /// The container.
        id: String,
        /// Why.
        reason: String,
    },
    /// The container is such that it cannot be changed like this.
    #[error("Cannot update container {id}: {why}")]
    Update {
        /// The container.
        id: ContainerId,
        /// Docker's reason.
        why: String,
    },
    /// The kernel refused a limit.
    #[error("Cannot update container {id}")]
    UpdateFailed {
        /// The container.
        id: ContainerId,
        /// The reason.
        source: cgroup::Error,
    },
    /// The log driver cannot be used.
    #[error("failed to create task for container: failed to initialize logging driver: {0}")]
    LogDriver(String),
    /// The log driver's options.
    #[error(transparent)]
    LogTarget(#[from] logship::Error),
    /// Something that the actor did failed.
    #[error("{message}")]
    Failed {
        /// What and why.
        message: String,
    },
    /// The log driver keeps nothing that could be read.
    #[error("configured logging driver does not support reading")]
    NoLog,
    /// The exec was started before.
    #[error("exec command {id} {}", if *running { "is already running" } else { "has already run" })]
    ExecStarted {
        /// The exec.
        id: String,
        /// It has not ended.
        running: bool,
    },
    /// The exec does not run.
    #[error("exec command {id} is not running")]
    ExecNotRunning {
        /// The exec.
        id: String,
    },
    /// The container is being removed, or the engine ends.
    #[error("container {name} is going away")]
    Gone {
        /// As the user named it.
        name: String,
    },
    /// A file of a container cannot be read or written.
    #[error("cannot {operation} {}", path.display())]
    File {
        /// What was to be done.
        operation: &'static str,
        /// The file.
        path: std::path::PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// A stored record cannot be understood.
    #[error("record of container {id} is malformed")]
    Record {
        /// The container.
        id: String,
        /// The reason.
        source: serde_json::Error,
    },
    /// The record was written by a newer engine.
    #[error(
        "record of container {id} has version {version}, this engine knows up to {}",
        crate::record::VERSION
    )]
    RecordVersion {
        /// The container.
        id: String,
        /// Its version.
        version: u32,
    },
    /// A name, id, filter or the like.
    #[error(transparent)]
    Reference(#[from] refs::Error),
    /// The image service.
    #[error(transparent)]
    Image(#[from] image::Error),
    /// The snapshots.
    #[error(transparent)]
    Snapshot(#[from] snapshot::Error),
    /// The database.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A container cannot be connected to its networks.
    #[error("failed to set up container networking")]
    Networking(#[source] network::Error),
    /// The network.
    #[error(transparent)]
    Network(#[from] network::Error),
    /// The supervisor.
    #[error(transparent)]
    Launch(#[from] launch::Error),
    /// The cgroup.
    #[error(transparent)]
    Cgroup(#[from] cgroup::Error),
    /// The seccomp profile.
    #[error(transparent)]
    Seccomp(#[from] seccomp::Error),
    /// The log.
    #[error(transparent)]
    Log(#[from] logfile::Error),
    /// A system call.
    #[error(transparent)]
    System(#[from] sys::Error),
}

/// A request that does not fit the container's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    pub(crate) refusal: Refusal,
    pub(crate) request: Request,
    /// As the user named it.
    pub(crate) name: String,
    pub(crate) id: ContainerId,
}

/// What was asked for when it was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Request {
    Start,
    Kill,
    Remove,
    Attach,
    Exec,
    Other,
}

impl Refused {
    fn text(&self) -> String {
        let Self { refusal, request, name, id } = self;
        match (refusal, request) {
            (Refusal::StartPaused, _) => "cannot start a paused container, try unpause instead".to_owned(),
            (Refusal::NotRunning, Request::Kill) => {
                format!("cannot kill container: {name}: container {id} is not running")
            }
            (Refusal::NotRunning, _) => format!("container {id} is not running"),
            (Refusal::AlreadyPaused, Request::Attach) => {
                format!("container {name} is paused, unpause the container before attach")
            }
            (Refusal::AlreadyPaused, Request::Exec) => {
                format!("Container {name} is paused, unpause the container before exec")
            }
            (Refusal::AlreadyPaused, _) => format!("Container {id} is already paused"),
            (Refusal::NotPaused, _) => format!("Container {id} is not paused"),
            (Refusal::Restarting, Request::Attach) => {
                format!("container {name} is restarting, wait until the container is running")
            }
            (Refusal::Restarting, _) => {
                format!("Container {id} is restarting, wait until the container is running")
            }
            (Refusal::RemoveRunning, _) => cannot_remove(
                name,
                "container is running: stop the container before removing or force remove",
            ),
            (Refusal::RemovePaused, _) => {
                cannot_remove(name, "container is paused and must be unpaused first")
            }
            (Refusal::RemoveRestarting, _) => cannot_remove(
                name,
                "container is restarting: stop the container before removing or force remove",
            ),
            (Refusal::Removing, Request::Start) => {
                "container is marked for removal and cannot be started".to_owned()
            }
            (Refusal::Removing, Request::Remove) => {
                format!("removal of container {name} is already in progress")
            }
            (Refusal::Removing, _) => format!("container {id} is marked for removal"),
        }
    }
}

fn cannot_remove(name: &str, why: &str) -> String {
    format!("cannot remove container \"{name}\": {why}")
}

impl Error {
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::Invalid { message: message.into() }
    }

    pub(crate) fn unimplemented(message: impl Into<String>) -> Self {
        Self::Unimplemented { message: message.into() }
    }

    pub(crate) fn file(
        operation: &'static str,
        path: impl Into<std::path::PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { operation, path, source }
    }
}

impl From<StartFailure> for Error {
    fn from(failure: StartFailure) -> Self {
        Self::Start { kind: failure.kind, message: failure.message, hint: failure.hint }
    }
}

impl From<Error> for StartFailure {
    fn from(error: Error) -> Self {
        Self { kind: error.kind(), message: error::chain(&error), hint: error.hint() }
    }
}

impl Fault for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::NoSuchContainer { .. } | Self::NoSuchExec { .. } => Kind::NotFound,
            Self::Ambiguous { .. } | Self::Invalid { .. } => Kind::InvalidArgument,
            Self::NameTaken { .. } => Kind::AlreadyExists,
            Self::Rename(source) | Self::Kill { source, .. } => source.kind(),
            Self::Unimplemented { .. } => Kind::Unimplemented,
            Self::Refused { refused } => match refused.refusal {
                // Docker answers 500 here.
                Refusal::NotPaused => Kind::Internal,
                _ => Kind::Conflict,
            },
            Self::Broken { .. } | Self::Update { .. } => Kind::Conflict,
            Self::UpdateFailed { source, .. } => source.kind(),
            Self::NotModified => Kind::NotModified,
            Self::Start { kind, .. } => *kind,
            Self::LogTarget(source) => source.kind(),
            Self::LogDriver(_) | Self::NoLog | Self::Failed { .. } => Kind::Internal,
            Self::ExecStarted { .. } | Self::ExecNotRunning { .. } | Self::Gone { .. } => Kind::Conflict,
            Self::File { source, .. } => match source.kind() {
                std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Kind::Exhausted,
                _ => Kind::Internal,
            },
            Self::Record { .. } | Self::RecordVersion { .. } => Kind::DataLoss,
            Self::Reference(source) => source.kind(),
            Self::Image(source) => source.kind(),
            Self::Snapshot(source) => source.kind(),
            Self::Store(source) => source.kind(),
            Self::Network(source) | Self::Networking(source) => source.kind(),
            Self::Launch(source) => source.kind(),
            Self::Cgroup(source) => source.kind(),
            Self::Seccomp(source) => source.kind(),
            Self::Log(source) => source.kind(),
            Self::System(_) => Kind::Internal,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Rename(source) | Self::Kill { source, .. } => source.hint(),
            Self::Broken { .. } => {
                Some("a newer engine may know it; rm -f removes it with all that belongs to it".to_owned())
            }
            Self::Start { hint, .. } => hint.clone(),
            Self::RecordVersion { .. } => Some("use the newer engine again, or another data root".to_owned()),
            Self::Reference(source) => source.hint(),
            Self::Image(source) => source.hint(),
            Self::Snapshot(source) => source.hint(),
            Self::Store(source) => source.hint(),
            Self::Network(source) | Self::Networking(source) => source.hint(),
            Self::Launch(source) => source.hint(),
            Self::Cgroup(source) => source.hint(),
            Self::Seccomp(source) => source.hint(),
            Self::Log(source) => source.hint(),
            Self::File { source, .. } if source.kind() == std::io::ErrorKind::StorageFull => {
                Some("free some space on the file system of the data root".to_owned())
            }
            _ => None,
        }
    }
}
