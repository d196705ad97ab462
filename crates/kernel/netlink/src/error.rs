//! What the kernel can say no to.

use error::{Fault, Kind};
use std::io;

/// A failed request.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The socket could not be made or used.
    #[error("cannot talk to the kernel's network configuration")]
    Socket(#[source] sys::Error),
    /// The kernel refused a message.
    #[error("the kernel refused to {what}{}", .text.as_ref().map(|text| format!(" ({text})")).unwrap_or_default())]
    Refused {
        /// What was asked, a verb phrase.
        what: String,
        /// The kernel's own words, if it had any.
        text: Option<String>,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The kernel's answer was cut off, or none came.
    #[error("the kernel gave no complete answer when asked to {0}")]
    NoAnswer(String),
}

const EPERM: i32 = 1;
const ENODEV: i32 = 19;
const ENOENT: i32 = 2;
const EEXIST: i32 = 17;
const EOPNOTSUPP: i32 = 95;
const EPROTONOSUPPORT: i32 = 93;
const EXFULL: i32 = 54;
const ENOSPC: i32 = 28;

impl Error {
    /// Returns the errno of a refusal.
    pub fn errno(&self) -> Option<i32> {
        match self {
            Self::Refused { source, .. } => source.raw_os_error(),
            Self::Socket(_) | Self::NoAnswer(_) => None,
        }
    }

    /// Returns whether the named object does not exist.
    pub fn is_absent(&self) -> bool {
        matches!(self.errno(), Some(ENODEV | ENOENT))
    }

    /// Returns whether the object exists already.
    pub fn already_exists(&self) -> bool {
        self.errno() == Some(EEXIST)
    }
}

impl Fault for Error {
    fn kind(&self) -> Kind {
        match self.errno() {
            Some(EPERM) => Kind::Forbidden,
            Some(EEXIST) => Kind::AlreadyExists,
            Some(ENODEV | ENOENT) => Kind::NotFound,
            Some(EOPNOTSUPP | EPROTONOSUPPORT) => Kind::Unavailable,
            Some(EXFULL | ENOSPC) => Kind::Exhausted,
            _ => Kind::Internal,
        }
    }

    fn hint(&self) -> Option<String> {
        match self.errno() {
            Some(EPERM) => Some("run the engine as root (CAP_NET_ADMIN is needed)".into()),
            Some(EOPNOTSUPP | EPROTONOSUPPORT) => Some(
                "this kernel lacks a network feature (veth, bridge or nf_tables); load its module".into(),
            ),
            Some(EXFULL) => Some("a bridge has room for 1023 containers".into()),
            _ => None,
        }
    }
}
