//! One `Kind` per error, and the one table from it to HTTP status, exit code, gRPC code and registry code.
//!
//! Every crate has its own `enum Error` whose variants carry facts; all that the edges need to know of it is
//! its [`Kind`], and sometimes a [hint](Fault::hint). Not for texts: those belong to the crate that raises the error.

#![forbid(unsafe_code)]

use std::error::Error;
use std::fmt;

/// What went wrong, seen from the caller: decides the HTTP status and the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The request itself is wrong.
    InvalidArgument,
    /// No, or wrong, credentials.
    Unauthorized,
    /// The caller is known and may not do this.
    Forbidden,
    /// The named object does not exist.
    NotFound,
    /// The object's state does not permit the operation.
    Conflict,
    /// The name or address is taken.
    AlreadyExists,
    /// Nothing had to be done.
    NotModified,
    /// Known, but not built yet.
    Unimplemented,
    /// Something that is needed does not answer now.
    Unavailable,
    /// The container's program does not exist: exit code 127.
    CommandNotFound,
    /// The container's program exists and cannot be executed: exit code 126.
    CommandNotExecutable,
    /// A limit or the disk is exhausted.
    Exhausted,
    /// Stored or received bytes are not what they should be.
    DataLoss,
    /// A defect of ours, or of the machine.
    Internal,
}

struct Row {
    http_status: u16,
    exit_code: u8,
    grpc_code: u8,
    registry_code: &'static str,
    code: &'static str,
}

impl Kind {
    const fn row(self) -> Row {
        const fn row(http: u16, exit: u8, grpc: u8, registry: &'static str, code: &'static str) -> Row {
            Row { http_status: http, exit_code: exit, grpc_code: grpc, registry_code: registry, code }
        }
        match self {
            Self::InvalidArgument => row(400, 125, 3, "UNSUPPORTED", "invalid_argument"),
            Self::Unauthorized => row(401, 125, 16, "UNAUTHORIZED", "unauthorized"),
            Self::Forbidden => row(403, 125, 7, "DENIED", "forbidden"),
            Self::NotFound => row(404, 125, 5, "NAME_UNKNOWN", "not_found"),
            Self::Conflict => row(409, 125, 9, "UNSUPPORTED", "conflict"),
            Self::AlreadyExists => row(409, 125, 6, "UNSUPPORTED", "already_exists"),
            Self::NotModified => row(304, 0, 0, "UNSUPPORTED", "not_modified"),
            Self::Unimplemented => row(501, 125, 12, "UNSUPPORTED", "unimplemented"),
            Self::Unavailable => row(503, 125, 14, "TOOMANYREQUESTS", "unavailable"),
            Self::CommandNotFound => row(400, 127, 3, "UNSUPPORTED", "command_not_found"),
            Self::CommandNotExecutable => row(400, 126, 3, "UNSUPPORTED", "command_not_executable"),
            Self::Exhausted => row(500, 125, 8, "TOOMANYREQUESTS", "exhausted"),
            Self::DataLoss => row(500, 125, 15, "DIGEST_INVALID", "data_loss"),
            Self::Internal => row(500, 125, 13, "UNKNOWN", "internal"),
        }
    }

    /// Returns the HTTP status that the REST API answers with.
    pub const fn http_status(self) -> u16 {
        self.row().http_status
    }

    /// Returns the exit code of `naru run` and `naru exec` when the engine, not the program, failed.
    pub const fn exit_code(self) -> u8 {
        self.row().exit_code
    }

    /// Returns the gRPC status code.
    ///
    /// # Source
    /// grpc `doc/statuscodes.md`.
    pub const fn grpc_code(self) -> u8 {
        self.row().grpc_code
    }

    /// Returns the error code of a registry's JSON error.
    ///
    /// # Source
    /// OCI distribution-spec v1.1, "Error Codes".
    pub const fn registry_code(self) -> &'static str {
        self.row().registry_code
    }

    /// Returns the stable lower-case name that the REST API sends as `code`.
    pub const fn code(self) -> &'static str {
        self.row().code
    }
}

/// An error that knows its kind, and perhaps what to do about it.
pub trait Fault: Error + Send + Sync + 'static {
    /// Returns the error's kind.
    fn kind(&self) -> Kind;

    /// Returns one sentence that says what the user can do.
    fn hint(&self) -> Option<String> {
        None
    }
}

/// Any error with its kind: what crosses from a service to the surface when the variants no longer matter.
#[derive(Debug)]
pub struct Failure {
    /// The error's kind.
    pub kind: Kind,
    /// The whole text, sources included, as the user reads it.
    pub message: String,
    /// What the user can do about it.
    pub hint: Option<String>,
}

impl Failure {
    /// Returns a failure without a hint.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None }
    }

    /// Returns the failure with a hint.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl<T: Fault> From<T> for Failure {
    fn from(fault: T) -> Self {
        Self { kind: fault.kind(), message: chain(&fault), hint: fault.hint() }
    }
}

/// Returns an error's text followed by those of its sources, joined by `: `.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(next) = source {
        text.push_str(": ");
        text.push_str(&next.to_string());
        source = next.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Outer(std::io::Error);
    impl fmt::Display for Outer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("cannot open the store")
        }
    }
    impl Error for Outer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }
    impl Fault for Outer {
        fn kind(&self) -> Kind {
            Kind::Exhausted
        }
        fn hint(&self) -> Option<String> {
            Some("free some space".into())
        }
    }

    #[test]
    fn chain_joins_sources_with_colons() {
        let error = Outer(std::io::Error::other("disk full"));
        assert_eq!(chain(&error), "cannot open the store: disk full");
    }

    #[test]
    fn failure_keeps_kind_message_and_hint() {
        let failure = Failure::from(Outer(std::io::Error::other("disk full")));
        assert_eq!(failure.kind, Kind::Exhausted);
        assert_eq!(failure.message, "cannot open the store: disk full");
        assert_eq!(failure.hint.as_deref(), Some("free some space"));
    }

    #[test]
    fn command_kinds_map_to_dockers_exit_codes() {
        assert_eq!((Kind::CommandNotFound.exit_code(), Kind::CommandNotFound.http_status()), (127, 400));
        assert_eq!(
            (Kind::CommandNotExecutable.exit_code(), Kind::CommandNotExecutable.http_status()),
            (126, 400)
        );
    }
}
