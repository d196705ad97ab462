//! What can go wrong between a specification and a running process.

use error::{Fault, Kind};
use std::path::PathBuf;
use sys::Errno;

/// Why a container or a further process could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A field asks for what is not implemented.
    #[error("{field}: {what} is not implemented")]
    NotImplemented {
        /// The field's path in the specification.
        field: String,
        /// What it asks for.
        what: String,
    },
    /// A field asks for what this machine does not have.
    #[error("{field}: this machine does not have {what}")]
    NotSupported {
        /// The field's path in the specification.
        field: String,
        /// What it asks for.
        what: String,
    },
    /// A hook failed. The texts of callers match on "error running".
    #[error("error running {kind} hook {path}: {reason}")]
    Hook {
        /// The list that it stands in.
        kind: &'static str,
        /// Its program.
        path: String,
        /// What happened.
        reason: String,
    },
    /// The agent that decides about system calls cannot be reached.
    #[error("linux.seccomp.listenerPath: cannot hand the notifications to {socket}: {reason}")]
    Agent {
        /// Its socket.
        socket: String,
        /// Why not.
        reason: String,
    },
    /// Ids of a user namespace cannot be mapped.
    #[error("cannot map the ids of the user namespace: {0}")]
    Mapping(String),
    /// A field is wrong.
    #[error("{field}: {reason}")]
    Invalid {
        /// The field's path in the specification.
        field: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The program is not in PATH. Docker's text.
    #[error("exec: {0:?}: executable file not found in $PATH")]
    NotInPath(String),
    /// The program was found through a relative entry of PATH. Go's text.
    #[error("exec: {0:?}: cannot run executable found relative to current directory")]
    Relative(String),
    /// The named program does not exist or cannot be looked at. Docker's text.
    #[error("exec: {program:?}: stat {program}: {}", lower(*.errno))]
    Stat {
        /// The program as the user named it.
        program: String,
        /// Why.
        errno: Errno,
    },
    /// The named program is a directory or may not be executed. Docker's text.
    #[error("exec: {program:?}: {}", lower(*.errno))]
    NotExecutable {
        /// The program as the user named it.
        program: String,
        /// Why.
        errno: Errno,
    },
    /// execve failed. Docker's text, and what the file says.
    #[error("exec {program}: {}{}", lower(*.errno), Because(.cause))]
    Execute {
        /// The program as the user named it.
        program: String,
        /// Why.
        errno: Errno,
        /// What a look at the file says.
        cause: Option<Cause>,
    },
    /// The working directory cannot be entered. Docker's text.
    #[error("chdir to cwd ({path:?}) set in config.json failed: {}", lower(*.errno))]
    WorkingDirectory {
        /// The directory.
        path: String,
        /// Why.
        errno: Errno,
    },
    /// The working directory leads out of the container.
    #[error(
        "current working directory is outside of container mount namespace root -- possible container breakout detected"
    )]
    Breakout,
    /// The source of a bind mount cannot be opened.
    #[error("cannot mount {:?} at {:?}", .source_path.display(), .target.display())]
    Source {
        /// The path on the host.
        source_path: PathBuf,
        /// The path in the container.
        target: PathBuf,
        /// Why.
        #[source]
        source: sys::Error,
    },
    /// A mount's target is a directory and its source is not, or the other way round.
    #[error(
        "cannot mount at {target:?}: not a directory: Are you trying to mount a directory onto a file (or vice-versa)? Check if the specified host path exists and is the expected type"
    )]
    MountType {
        /// The path in the container.
        target: String,
    },
    /// A step of the container's process failed.
    #[error("cannot {step}{}{}", if .args.is_empty() { "" } else { " " }, .args)]
    Init {
        /// What was to be done: `mount`, `set host name`, ….
        step: String,
        /// With what.
        args: String,
        /// Why.
        #[source]
        source: sys::Error,
    },
    /// A step of the container's process was refused by a check of ours.
    #[error("cannot {step} {args}: {reason}")]
    Unsafe {
        /// What was to be done.
        step: String,
        /// With what.
        args: String,
        /// Why not.
        reason: &'static str,
    },
    /// The container's process was killed before it executed its program.
    #[error("the container's first process was killed by signal {0} before it could execute its program")]
    Killed(i32),
    /// A system call of the runtime failed.
    #[error("cannot {what}")]
    Sys {
        /// What was to be done, a verb phrase.
        what: String,
        /// Why.
        #[source]
        source: sys::Error,
    },
    /// The cgroup cannot be made.
    #[error(transparent)]
    Cgroup(#[from] cgroup::Error),
}

/// What a file says about why it cannot be executed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// A script whose interpreter is not there.
    NoInterpreter(String),
    /// A script whose first line ends as on Windows.
    CarriageReturn(String),
    /// A script whose interpreter cannot be executed.
    InterpreterDenied(String),
    /// A dynamic program whose loader is not there.
    NoLoader(String),
    /// A program for another machine, by its ELF number.
    OtherMachine(u16),
    /// Neither a program nor a script.
    NoFormat,
}

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoInterpreter(path) => {
                write!(f, "its first line names the interpreter {path:?}, which is not there")
            }
            Self::CarriageReturn(path) => {
                write!(
                    f,
                    "its first line names {path:?} with a carriage return behind it: the file has Windows line ends"
                )
            }
            Self::InterpreterDenied(path) => {
                write!(f, "its first line names the interpreter {path:?}, which cannot be executed")
            }
            Self::NoLoader(path) => write!(f, "it needs the dynamic loader {path:?}, which is not there"),
            Self::OtherMachine(number) => {
                write!(f, "it is a program for {}, not for {}", machine(*number), std::env::consts::ARCH)
            }
            Self::NoFormat => {
                f.write_str("it is neither a program nor a script with a first line like #!/bin/sh")
            }
        }
    }
}

/// Returns the name of an ELF machine.
fn machine(number: u16) -> String {
    let name = match number {
        3 => "x86 (32 bits)",
        8 => "mips",
        20 | 21 => "powerpc",
        22 => "s390x",
        40 => "arm (32 bits)",
        62 => "x86_64",
        183 => "aarch64",
        243 => "riscv",
        258 => "loongarch",
        other => return format!("the machine with ELF number {other}"),
    };
    name.into()
}

struct Because<'a>(&'a Option<Cause>);

impl std::fmt::Display for Because<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(cause) => write!(f, ": {cause}"),
            None => Ok(()),
        }
    }
}

/// Returns the kernel's text as Go prints it: in lower case.
fn lower(errno: Errno) -> String {
    sys::describe(errno).to_lowercase()
}

impl Error {
    pub(crate) fn invalid(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Invalid { field: field.into(), reason: reason.into() }
    }

    pub(crate) fn not_implemented(field: impl Into<String>, what: impl Into<String>) -> Self {
        Self::NotImplemented { field: field.into(), what: what.into() }
    }

    pub(crate) fn not_supported(field: impl Into<String>, what: impl Into<String>) -> Self {
        Self::NotSupported { field: field.into(), what: what.into() }
    }

    /// Returns the error number for a birth record.
    pub(crate) fn number(&self) -> i32 {
        match self {
            Self::Sys { source, .. } | Self::Init { source, .. } | Self::Source { source, .. } => {
                source.errno.raw_os_error()
            }
            _ => -1,
        }
    }
}

/// Names what was to be done when a system call failed.
pub(crate) trait While<T> {
    fn to(self, what: &str) -> Result<T, Error>;
}

impl<T> While<T> for sys::Result<T> {
    fn to(self, what: &str) -> Result<T, Error> {
        self.map_err(|source| Error::Sys { what: what.to_owned(), source })
    }
}

fn kind_of(errno: Errno) -> Kind {
    match errno {
        Errno::PERM | Errno::ACCESS => Kind::Forbidden,
        Errno::NOSPC | Errno::MFILE | Errno::NFILE | Errno::AGAIN | Errno::NOMEM | Errno::DQUOT => {
            Kind::Exhausted
        }
        _ => Kind::Internal,
    }
}

impl Fault for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::NotImplemented { .. } | Self::NotSupported { .. } => Kind::Unimplemented,
            Self::Hook { .. } | Self::Agent { .. } => Kind::Internal,
            Self::Mapping(_) => Kind::Forbidden,
            Self::Invalid { .. } | Self::MountType { .. } | Self::Unsafe { .. } => Kind::InvalidArgument,
            Self::WorkingDirectory { errno: Errno::NOENT | Errno::NOTDIR, .. } => Kind::CommandNotFound,
            Self::WorkingDirectory { .. } => Kind::CommandNotExecutable,
            Self::Breakout => Kind::Forbidden,
            Self::NotInPath(_) => Kind::CommandNotFound,
            Self::Stat { errno, .. } | Self::Execute { errno, .. } => match *errno {
                Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::NAMETOOLONG => Kind::CommandNotFound,
                _ => Kind::CommandNotExecutable,
            },
            Self::Relative(_) | Self::NotExecutable { .. } => Kind::CommandNotExecutable,
            Self::Source { source, .. } => match source.errno {
                Errno::NOENT | Errno::NOTDIR | Errno::LOOP => Kind::InvalidArgument,
                errno => kind_of(errno),
            },
            Self::Init { source, .. } | Self::Sys { source, .. } => kind_of(source.errno),
            Self::Killed(_) => Kind::Internal,
            Self::Cgroup(error) => error.kind(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Source { source, .. } if source.is(Errno::NOENT) => {
                Some("create the path on the host, or correct it".into())
            }
            Self::Sys { what, source } if what == crate::rootfs::MOUNT_OVERLAY && source.is(Errno::INVAL) => {
                Some("the data root has to be on a file system that overlay can write to: ext4, xfs, btrfs, tmpfs".into())
            }
            Self::Sys { what, source } if what == crate::rootfs::MOUNT_OVERLAY && source.is(Errno::NODEV) => {
                Some("this kernel has no overlay file system: `modprobe overlay`".into())
            }
            Self::Sys { source, .. } if source.is(Errno::PERM) => {
                Some("the engine has to run as root".into())
            }
            Self::Cgroup(error) => error.hint(),
            _ => None,
        }
    }
}
