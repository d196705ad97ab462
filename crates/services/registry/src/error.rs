//! What can go wrong between us and a registry.

use crate::redact::without_secrets;
use error::{Fault, Kind};
use refs::{Digest, Platform, Reference};
use std::time::Duration;

/// An error of the registry client. Texts that Docker has too are Docker's.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The registry denies access, or hides that the repository does not exist.
    #[error(
        "pull access denied for {name}, repository does not exist or may require 'docker login': {detail}"
    )]
    Denied {
        /// The repository as Docker shows it.
        name: String,
        /// The registry's own words.
        detail: String,
    },
    /// The registry does not know the tag or digest.
    #[error("manifest for {reference} not found: {detail}")]
    ManifestUnknown {
        /// The reference as Docker shows it.
        reference: String,
        /// The registry's own words.
        detail: String,
    },
    /// The registry does not know the repository.
    #[error("repository {name} not found: {detail}")]
    RepositoryUnknown {
        /// The repository as Docker shows it.
        name: String,
        /// The registry's own words.
        detail: String,
    },
    /// The registry does not let us push; the text is its own, as in Docker.
    #[error("{detail}")]
    PushRefused {
        /// The registry's own words.
        detail: String,
    },
    /// What is to be pushed is not here.
    #[error("An image does not exist locally with the tag: {name}")]
    NotHere {
        /// The repository as Docker shows it.
        name: String,
    },
    /// A blob that a manifest names is not there.
    #[error("registry {registry} does not have blob {digest}: {detail}")]
    BlobUnknown {
        /// The registry.
        registry: String,
        /// The blob.
        digest: Digest,
        /// The registry's own words.
        detail: String,
    },
    /// Credentials are missing or wrong.
    #[error("registry {registry} refuses the credentials: {detail}")]
    Unauthorized {
        /// The registry.
        registry: String,
        /// The registry's own words.
        detail: String,
    },
    /// Too many requests.
    #[error("registry {registry} limits the rate of requests: {detail}")]
    TooManyRequests {
        /// The registry.
        registry: String,
        /// The registry's own words.
        detail: String,
        /// How long the registry asks to wait.
        retry_after: Option<Duration>,
    },
    /// Another answer than one expects.
    #[error("registry {registry} answered {status}: {detail}")]
    Status {
        /// The registry.
        registry: String,
        /// The HTTP status.
        status: u16,
        /// The registry's own words.
        detail: String,
    },
    /// No connection.
    #[error("cannot reach registry {registry}: {reason}")]
    Unreachable {
        /// The registry.
        registry: String,
        /// Why.
        reason: String,
    },
    /// The connection broke while an answer came.
    #[error("connection to registry {registry} broke: {reason}")]
    Interrupted {
        /// The registry.
        registry: String,
        /// Why.
        reason: String,
    },
    /// A redirection that is not followed.
    #[error("registry {registry} redirects {reason}")]
    Redirect {
        /// The registry.
        registry: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Credentials would have to be sent in the clear.
    #[error("registry {registry} asks for credentials at {realm}, which is not encrypted")]
    InsecureRealm {
        /// The registry.
        registry: String,
        /// The place.
        realm: String,
    },
    /// An answer that is longer than it may be.
    #[error("{what} from registry {registry} has more than {limit_bytes} bytes")]
    TooLarge {
        /// `manifest`, `configuration`, …
        what: &'static str,
        /// The registry.
        registry: String,
        /// The limit.
        limit_bytes: u64,
    },
    /// Bytes that are not those of the digest.
    #[error("{what} {expected} from registry {registry} has the digest {found}")]
    WrongDigest {
        /// `manifest`, `configuration`, …
        what: &'static str,
        /// The registry.
        registry: String,
        /// The digest that was asked for.
        expected: Digest,
        /// The digest of what came.
        found: Digest,
    },
    /// A manifest or configuration that is none, or contradicts itself.
    #[error("{what} is malformed: {reason}")]
    Malformed {
        /// `manifest`, `configuration`, …
        what: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// A kind of manifest, layer or artifact that cannot be run.
    #[error("{what} of type {media_type:?} is not supported")]
    Unsupported {
        /// `manifest`, `layer`, …
        what: &'static str,
        /// The media type.
        media_type: String,
    },
    /// No image of an index is for the platform.
    #[error(
        "no matching manifest for {platform} in the manifest list entries: no match for platform in manifest: not found"
    )]
    NoMatchingPlatform {
        /// The platform.
        platform: Platform,
        /// Those that there are.
        available: Vec<Platform>,
    },
    /// The `X-Registry-Auth` header is none.
    #[error("invalid X-Registry-Auth header: {reason}")]
    AuthHeader {
        /// What is wrong.
        reason: &'static str,
    },
    /// A mirror or an insecure registry that is none.
    #[error("invalid {option} {value:?}: {reason}")]
    Configuration {
        /// `mirror` or `insecure registry`.
        option: &'static str,
        /// As it was given, without a password.
        value: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// TLS cannot be set up.
    #[error("cannot set up TLS: {reason}")]
    Tls {
        /// Why.
        reason: String,
    },
    /// A blob cannot be stored, or is not what was announced.
    #[error(transparent)]
    Content(#[from] content::Error),
    /// The image cannot be stored.
    #[error(transparent)]
    Image(Box<image::Error>),
}

impl From<image::Error> for Error {
    fn from(error: image::Error) -> Self {
        Self::Image(Box::new(error))
    }
}

impl Error {
    /// Whether the same request may well succeed a little later.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::Interrupted { .. } | Self::Unreachable { .. } => true,
            Self::TooManyRequests { retry_after, .. } => retry_after.is_none_or(|wait| wait <= MAX_WAIT),
            Self::Status { status, .. } => matches!(status, 408 | 500 | 502..=504),
            _ => false,
        }
    }

    /// Whether it is our own disk that failed: another registry would not help.
    pub(crate) fn is_local(&self) -> bool {
        match self {
            Self::Content(error) => error.kind() != Kind::DataLoss,
            Self::Image(error) => !matches!(error.kind(), Kind::DataLoss | Kind::InvalidArgument),
            Self::Tls { .. } => true,
            _ => false,
        }
    }

    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::TooManyRequests { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// Puts an answer of a registry into Docker's words.
    pub(crate) fn of_answer(registry: &str, answer: Answer, reference: &Reference, what: What<'_>) -> Self {
        let registry = registry.to_owned();
        let Answer { status, code, detail, retry_after } = answer;
        let name = reference.familiar_name();
        match (code.as_deref(), status, what) {
            (_, 429, _) | (Some("TOOMANYREQUESTS"), _, _) => {
                Self::TooManyRequests { registry, detail, retry_after }
            }
            (Some("DENIED" | "UNAUTHORIZED"), _, What::Push) | (_, 401 | 403, What::Push) => {
                Self::PushRefused { detail }
            }
            (Some("DENIED"), _, _) => Self::Denied { name, detail },
            (Some("NAME_UNKNOWN"), _, _) => Self::RepositoryUnknown { name, detail },
            (Some("MANIFEST_UNKNOWN"), _, _) | (None, 404, What::Manifest) => {
                Self::ManifestUnknown { reference: reference.familiar(), detail }
            }
            (_, 404, What::Blob(digest)) => Self::BlobUnknown { registry, digest: digest.clone(), detail },
            (_, 401, _) => Self::Unauthorized { registry, detail },
            (_, 403, _) => Self::Denied { name, detail },
            _ => Self::Status { registry, status, detail },
        }
    }
}

/// How long we wait at a registry's request.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// What was asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum What<'a> {
    Manifest,
    Blob(&'a Digest),
    Tags,
    /// Something that is sent.
    Push,
}

/// An answer that is no success.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The first error's code in the registry's JSON.
    pub(crate) code: Option<String>,
    /// The first error as Docker prints it: `manifest unknown: manifest unknown`.
    pub(crate) detail: String,
    pub(crate) retry_after: Option<Duration>,
}

impl Fault for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::Denied { .. } | Self::ManifestUnknown { .. } | Self::RepositoryUnknown { .. } => {
                Kind::NotFound
            }
            Self::BlobUnknown { .. } | Self::NoMatchingPlatform { .. } | Self::NotHere { .. } => {
                Kind::NotFound
            }
            Self::PushRefused { .. } => Kind::Forbidden,
            // COMPAT: a 401 of ours would make the docker CLI ask for a password and send it to us.
            Self::Unauthorized { .. } | Self::InsecureRealm { .. } => Kind::Forbidden,
            Self::TooManyRequests { .. } | Self::Unreachable { .. } | Self::Interrupted { .. } => {
                Kind::Unavailable
            }
            Self::Status { status, .. } if *status >= 500 => Kind::Unavailable,
            Self::Status { .. } | Self::Redirect { .. } | Self::Tls { .. } => Kind::Internal,
            Self::TooLarge { .. } => Kind::Exhausted,
            Self::WrongDigest { .. } | Self::Malformed { .. } => Kind::DataLoss,
            Self::Unsupported { .. } => Kind::Unimplemented,
            Self::AuthHeader { .. } | Self::Configuration { .. } => Kind::InvalidArgument,
            Self::Content(error) => error.kind(),
            Self::Image(error) => error.kind(),
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Denied { .. } => "check the name; if the repository is private, log in first".into(),
            Self::PushRefused { .. } => "log in to the registry as somebody who may write there".into(),
            Self::Unauthorized { registry, .. } => format!("log in to {registry} again"),
            Self::TooManyRequests { retry_after: Some(wait), .. } => {
                format!("try again in {} seconds, log in, or set a mirror", wait.as_secs())
            }
            Self::TooManyRequests { .. } => "try again later, log in, or set a mirror".into(),
            Self::Unreachable { registry, reason } if reason.contains("certificate") => {
                format!(
                    "if you trust {registry} without a valid certificate, add it to `insecure-registries`"
                )
            }
            Self::Unreachable { .. } => {
                "check the name of the registry and the network; a mirror can be set".into()
            }
            Self::Interrupted { .. } => "pull again: it goes on where it stopped".into(),
            Self::InsecureRealm { registry, .. } => {
                format!(
                    "if you trust the network between here and {registry}, add it to `insecure-registries`"
                )
            }
            Self::NoMatchingPlatform { available, .. } if !available.is_empty() => {
                let names: Vec<String> = available.iter().map(ToString::to_string).collect();
                format!("the image is for {}; choose one with `--platform`", names.join(", "))
            }
            Self::Content(error) => return error.hint(),
            Self::Image(error) => return error.hint(),
            _ => return None,
        })
    }
}

/// Returns the innermost reason of an HTTP failure: `connection refused`.
pub(crate) fn reason_of(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    let text = innermost.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    let mut chars = text.chars();
    let lower = match chars.next() {
        Some(first) if !text.starts_with("TLS") => first.to_lowercase().chain(chars).collect(),
        _ => text.to_owned(),
    };
    without_secrets(&lower)
}
