//! What can go wrong, and how the protocol says it.

use ::error::{Fault, Kind};
use http::StatusCode;
use std::io;
use std::path::PathBuf;

/// An error of the registry itself: its files, sockets and settings.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read, made or written.
    #[error("cannot {action} {}", path.display())]
    File {
        /// What was to be done.
        action: &'static str,
        /// With which path.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// A setting is wrong.
    #[error("{0}")]
    Setting(String),
    /// The blob store failed.
    #[error("the blob store failed")]
    Content(#[from] content::Error),
    /// The database failed.
    #[error("the database failed")]
    Store(#[from] store::Error),
    /// A record in the database cannot be understood.
    #[error("record {key} is malformed")]
    Record {
        /// Which.
        key: String,
        /// The reason.
        source: serde_json::Error,
    },
}

impl Error {
    pub(crate) fn file(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { action, path, source }
    }
}

impl Fault for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::File { source, .. } if source.kind() == io::ErrorKind::StorageFull => Kind::Exhausted,
            Self::File { .. } => Kind::Internal,
            Self::Setting(_) => Kind::InvalidArgument,
            Self::Content(error) => error.kind(),
            Self::Store(error) => error.kind(),
            Self::Record { .. } => Kind::DataLoss,
        }
    }
}

/// The codes of the protocol.
///
/// # Source
/// distribution-spec v1.1, "Error Codes".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    BlobUnknown,
    BlobUploadInvalid,
    BlobUploadUnknown,
    DigestInvalid,
    ManifestBlobUnknown,
    ManifestInvalid,
    ManifestUnknown,
    NameInvalid,
    NameUnknown,
    SizeInvalid,
    Unauthorized,
    Denied,
    Unsupported,
    Unknown,
}

impl Code {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::BlobUnknown => "BLOB_UNKNOWN",
            Self::BlobUploadInvalid => "BLOB_UPLOAD_INVALID",
            Self::BlobUploadUnknown => "BLOB_UPLOAD_UNKNOWN",
            Self::DigestInvalid => "DIGEST_INVALID",
            Self::ManifestBlobUnknown => "MANIFEST_BLOB_UNKNOWN",
            Self::ManifestInvalid => "MANIFEST_INVALID",
            Self::ManifestUnknown => "MANIFEST_UNKNOWN",
            Self::NameInvalid => "NAME_INVALID",
            Self::NameUnknown => "NAME_UNKNOWN",
            Self::SizeInvalid => "SIZE_INVALID",
            Self::Unauthorized => "UNAUTHORIZED",
            Self::Denied => "DENIED",
            Self::Unsupported => "UNSUPPORTED",
            Self::Unknown => "UNKNOWN",
        }
    }

    fn status(self) -> StatusCode {
        match self {
            Self::BlobUnknown | Self::BlobUploadUnknown | Self::ManifestUnknown | Self::NameUnknown => {
                StatusCode::NOT_FOUND
            }
            Self::BlobUploadInvalid
            | Self::DigestInvalid
            | Self::ManifestBlobUnknown
            | Self::ManifestInvalid
            | Self::NameInvalid => StatusCode::BAD_REQUEST,
            Self::SizeInvalid => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Denied => StatusCode::FORBIDDEN,
            Self::Unsupported => StatusCode::METHOD_NOT_ALLOWED,
            Self::Unknown => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// Why a request is refused: what the client is told.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) code: Code,
    pub(crate) message: String,
    /// Further headers of the answer.
    pub(crate) headers: Vec<(&'static str, String)>,
}

impl Refusal {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { status: code.status(), code, message: message.into(), headers: Vec::new() }
    }

    pub(crate) fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    pub(crate) fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let full = error.kind() == Kind::Exhausted;
        tracing::error!(error = ::error::chain(&error), "the registry failed");
        let text = if full { "the registry's disk is full" } else { "the registry failed; its log says why" };
        let status = if full { StatusCode::INSUFFICIENT_STORAGE } else { StatusCode::INTERNAL_SERVER_ERROR };
        Self::new(Code::Unknown, text).with_status(status)
    }
}

impl From<content::Error> for Refusal {
    fn from(error: content::Error) -> Self {
        match error {
            content::Error::NotFound { digest } => {
                Self::new(Code::BlobUnknown, format!("blob {digest} is not here"))
            }
            error => Error::from(error).into(),
        }
    }
}

impl From<store::Error> for Refusal {
    fn from(error: store::Error) -> Self {
        Error::from(error).into()
    }
}
