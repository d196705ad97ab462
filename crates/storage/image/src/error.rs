//! What can go wrong with images.

use error::{Fault, Kind};
use refs::{Digest, Platform};

/// An error of the image store.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such image; scripts match on this text.
    #[error("No such image: {name}")]
    NotFound {
        /// The name, with the tag that was meant.
        name: String,
    },
    /// Several images' ids begin so.
    #[error("image id prefix {prefix:?} is ambiguous: {} and others begin with it", first.short())]
    Ambiguous {
        /// What was asked for.
        prefix: String,
        /// One of the images.
        first: Digest,
    },
    /// The name is none.
    #[error(transparent)]
    Name(#[from] refs::Error),
    /// A tag cannot be given with a digest.
    #[error("refusing to create a tag with a digest reference")]
    TagWithDigest,
    /// The image is for another platform.
    #[error(
        "image with reference {name} was found but does not match the specified platform: wanted {wanted}, actual: {actual}"
    )]
    OtherPlatform {
        /// What was asked for.
        name: String,
        /// The platform that was asked for.
        wanted: Box<Platform>,
        /// The image's platform.
        actual: Box<Platform>,
    },
    /// An index has no image for the platform.
    #[error("no matching manifest for {wanted} in the manifest list entries")]
    NoPlatform {
        /// The platform that was asked for.
        wanted: Platform,
        /// Those that there are.
        available: Vec<Platform>,
    },
    /// The last name of an image that a container uses.
    #[error(
        "conflict: unable to remove repository reference {name:?} (must force) - container {container} is using its \
         referenced image {}", image.short()
    )]
    NameInUse {
        /// The name, as it was given.
        name: String,
        /// The container's short id.
        container: String,
        /// The image.
        image: Digest,
    },
    /// A running container uses the image.
    #[error(
        "conflict: unable to delete {} (cannot be forced) - image is being used by running container {container}",
        image.short()
    )]
    InUseByRunning {
        /// The image.
        image: Digest,
        /// The container's short id.
        container: String,
    },
    /// A stopped container uses the image.
    #[error(
        "conflict: unable to delete {} (must be forced) - image is being used by stopped container {container}",
        image.short()
    )]
    InUseByStopped {
        /// The image.
        image: Digest,
        /// The container's short id.
        container: String,
    },
    /// The image has several names, and was given by its id.
    #[error("conflict: unable to delete {} (must be forced) - image is referenced in multiple repositories", image.short())]
    SeveralNames {
        /// The image.
        image: Digest,
    },
    /// The configuration or manifest is not what an image has.
    #[error("image {what} is invalid: {reason}")]
    Invalid {
        /// Which document.
        what: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// The archive of images is none, or lies.
    #[error("the image archive is invalid: {reason}")]
    Archive {
        /// What is wrong.
        reason: String,
    },
    /// A layer that the image needs is not here.
    #[error("layer {diff_id} of the image is missing")]
    MissingLayer {
        /// The layer.
        diff_id: Digest,
    },
    /// The program of the built-in image cannot be read.
    #[error("cannot read the program of the built-in image")]
    Program {
        /// The reason.
        source: std::io::Error,
    },
    /// A layer cannot be unpacked or removed.
    #[error("layer of the image")]
    Layer(#[from] layer::Error),
    /// A blob cannot be read or written.
    #[error("blob of the image")]
    Content(#[from] content::Error),
    /// The database failed.
    #[error("image store")]
    Store(#[from] store::Error),
}

impl Fault for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::NotFound { .. } | Self::OtherPlatform { .. } | Self::NoPlatform { .. } => Kind::NotFound,
            Self::Ambiguous { .. } | Self::TagWithDigest | Self::Invalid { .. } | Self::Archive { .. } => {
                Kind::InvalidArgument
            }
            Self::Name(source) => source.kind(),
            Self::NameInUse { .. }
            | Self::InUseByRunning { .. }
            | Self::InUseByStopped { .. }
            | Self::SeveralNames { .. } => Kind::Conflict,
            Self::MissingLayer { .. } => Kind::DataLoss,
            Self::Program { .. } => Kind::Internal,
            Self::Layer(source) => source.kind(),
            Self::Content(source) => source.kind(),
            Self::Store(source) => source.kind(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Ambiguous { .. } => Some("give more of the id".to_owned()),
            Self::Name(source) => source.hint(),
            Self::OtherPlatform { actual, .. } => {
                Some(format!("pull it for the other platform, or use {actual}"))
            }
            Self::NoPlatform { available, .. } if !available.is_empty() => {
                let list: Vec<String> = available.iter().map(Platform::to_string).collect();
                Some(format!("the image is there for {}: choose with --platform", list.join(", ")))
            }
            Self::NameInUse { container, .. } | Self::InUseByStopped { container, .. } => {
                Some(format!("remove the container first (rm {container}), or force"))
            }
            Self::InUseByRunning { container, .. } => {
                Some(format!("stop and remove the container first: rm -f {container}"))
            }
            Self::SeveralNames { .. } => Some("remove its names one by one, or force".to_owned()),
            Self::MissingLayer { .. } => Some("pull the image again".to_owned()),
            Self::Layer(source) => source.hint(),
            Self::Content(source) => source.hint(),
            Self::Store(source) => source.hint(),
            _ => None,
        }
    }
}
