//! What can go wrong with a log.

use error::{Fault, Kind};
use std::io;
use std::path::PathBuf;

/// A log that cannot be written or read.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what} log {}", path.display())]
pub struct Error {
    /// What was tried: `open`, `write`, `rotate`, `read`.
    pub what: &'static str,
    /// The file.
    pub path: PathBuf,
    /// Why it failed.
    pub source: io::Error,
}

impl Fault for Error {
    fn kind(&self) -> Kind {
        match self.source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                Kind::Exhausted
            }
            io::ErrorKind::NotFound => Kind::NotFound,
            _ => Kind::Internal,
        }
    }

    fn hint(&self) -> Option<String> {
        match self.kind() {
            Kind::Exhausted => Some(format!("free space on the file system of {}", self.path.display())),
            _ => None,
        }
    }
}
