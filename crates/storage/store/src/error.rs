//! What can go wrong with the database.

use error::{Fault, Kind};
use rusqlite::ErrorCode;
use std::path::PathBuf;

/// An error of the store.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be opened or created.
    #[error("cannot open the database {}", path.display())]
    Open {
        /// The database file.
        path: PathBuf,
        /// SQLite's reason.
        source: rusqlite::Error,
    },
    /// The file cannot be created with its mode.
    #[error("cannot create the database {}", path.display())]
    Create {
        /// The database file.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// The file was written by a newer engine.
    #[error("the database {} has version {found}, this engine knows versions up to {known}", path.display())]
    Newer {
        /// The database file.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The newest version known here.
        known: u32,
    },
    /// A statement failed.
    #[error("database: {operation} failed")]
    Statement {
        /// What was to be done.
        operation: &'static str,
        /// SQLite's reason.
        source: rusqlite::Error,
    },
    /// A row holds what cannot have been written by this engine.
    #[error("database: {column} holds {value:?}, which is malformed")]
    Malformed {
        /// Table and column.
        column: &'static str,
        /// What stands there.
        value: String,
    },
}

impl Error {
    pub(crate) fn statement(operation: &'static str) -> impl FnOnce(rusqlite::Error) -> Self {
        move |source| Self::Statement { operation, source }
    }
}

impl Fault for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::Open { source, .. } | Self::Statement { source, .. } => match source.sqlite_error_code() {
                Some(ErrorCode::DiskFull) => Kind::Exhausted,
                Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Kind::DataLoss,
                Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Kind::Unavailable,
                _ => Kind::Internal,
            },
            Self::Create { source, .. } => match source.kind() {
                std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Kind::Exhausted,
                _ => Kind::Internal,
            },
            Self::Newer { .. } => Kind::Conflict,
            Self::Malformed { .. } => Kind::DataLoss,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Newer { .. } => Some("use the newer engine again, or another data root".to_owned()),
            Self::Open { .. } | Self::Create { .. } | Self::Statement { .. } | Self::Malformed { .. } => {
                match self.kind() {
                    Kind::Exhausted => Some("free some space on the file system of the data root".to_owned()),
                    Kind::DataLoss => {
                        Some("restore the database from a backup, or use another data root".to_owned())
                    }
                    Kind::Unavailable => {
                        Some("another program holds the database open for writing".to_owned())
                    }
                    _ => None,
                }
            }
        }
    }
}
