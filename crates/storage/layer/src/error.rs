//! What can go wrong with a layer.

use error::{Fault, Kind};
use refs::Digest;
use std::io;
use std::path::PathBuf;

/// An error of a layer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The stream that the archive comes from failed.
    #[error("cannot read the layer archive")]
    Stream {
        /// The reason.
        source: io::Error,
    },
    /// The compressed stream is damaged.
    #[error("the layer archive is damaged")]
    Damaged {
        /// The decoder's reason.
        source: io::Error,
    },
    /// The archive is none, or lies.
    #[error("the layer archive is malformed")]
    Malformed(#[from] Malformed),
    /// An entry is none, or lies.
    #[error("entry {name:?} of the layer archive is malformed")]
    MalformedEntry {
        /// The entry's name.
        name: String,
        /// What is wrong.
        source: Malformed,
    },
    /// The uncompressed archive is over the limit.
    #[error("the unpacked layer is over the limit of {limit_bytes} bytes")]
    TooLarge {
        /// The limit.
        limit_bytes: u64,
    },
    /// The archive has too many entries.
    #[error("the layer archive has more than {limit} entries")]
    TooManyEntries {
        /// The limit.
        limit: u64,
    },
    /// A compression that we do not undo.
    #[error("layers compressed with {name} are not supported")]
    Compression {
        /// Its name.
        name: &'static str,
    },
    /// A diff ID of another algorithm than SHA-256.
    #[error("diff IDs such as {diff_id} are not supported, only sha256 ones")]
    Algorithm {
        /// The diff ID.
        diff_id: Digest,
    },
    /// The archive is not the one that was announced.
    #[error("layer has diff ID {found}, announced was {expected}")]
    DiffId {
        /// The diff ID that the image names.
        expected: Digest,
        /// What the archive has.
        found: Digest,
    },
    /// An entry cannot be written.
    #[error("cannot unpack {name:?}")]
    Entry {
        /// The entry's name.
        name: String,
        /// The reason.
        source: sys::Error,
    },
    /// The layer's directory cannot be made, synced or renamed.
    #[error("cannot {action} {}", path.display())]
    Disk {
        /// What was to be done.
        action: &'static str,
        /// With which path.
        path: PathBuf,
        /// The reason.
        source: sys::Error,
    },
    /// The layer is not here.
    #[error("layer {diff_id} is not here")]
    Missing {
        /// The layer.
        diff_id: Digest,
    },
    /// The file is not one that was written as a layer.
    #[error("{} is no layer", path.display())]
    NoLayer {
        /// The file.
        path: PathBuf,
    },
    /// A layer's file cannot be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// A layer's file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// A file of a tree cannot be read into an archive.
    #[error("cannot read {name:?}")]
    Tree {
        /// Its path in the tree.
        name: String,
        /// The reason.
        source: sys::Error,
    },
    /// A file of a tree cannot be put into a layer.
    #[error("{name:?} cannot be put into a layer: {reason}")]
    Unfit {
        /// Its path in the tree.
        name: String,
        /// Why.
        reason: &'static str,
    },
    /// The archive cannot be written to where it goes.
    #[error("cannot write the archive")]
    Output {
        /// The reason.
        source: io::Error,
    },
    /// The background thread cannot be started.
    #[error("cannot start a thread")]
    Thread {
        /// The reason.
        source: io::Error,
    },
}

/// What is wrong with an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// It ends in the middle of something.
    #[error("it ends too early")]
    Truncated,
    /// A header's checksum is wrong: it is no archive, or a damaged one.
    #[error("a header has a wrong checksum")]
    Checksum,
    /// A number is none, or out of range.
    #[error("the field {field} is no valid number")]
    Number {
        /// Which.
        field: &'static str,
    },
    /// An extended header is none.
    #[error("a PAX record is invalid")]
    Pax,
    /// A sparse map is none.
    #[error("a sparse map is invalid")]
    Sparse,
    /// A kind of entry that does not occur in layers.
    #[error("the type {:?} is unknown", char::from(*flag))]
    UnknownType {
        /// The type.
        flag: u8,
    },
    /// An extended header or a long name is too long.
    #[error("an extended header has {size_bytes} bytes, more than {limit_bytes}")]
    SpecialTooLarge {
        /// Its size.
        size_bytes: u64,
        /// The limit.
        limit_bytes: u64,
    },
    /// Extended headers follow one another without end.
    #[error("too many extended headers follow one another")]
    TooManyHeaders,
    /// One block of zeros, which is neither an entry nor the end.
    #[error("a single block of zeros is not the end")]
    LoneZeroBlock,
    /// A name leads out of the layer.
    #[error("the name leads out of the layer")]
    Escapes,
    /// A name is empty where it must not be, or holds a NUL.
    #[error("the name is invalid")]
    Name,
    /// The target of a link leads out of the layer, or is empty.
    #[error("the link target is invalid")]
    Link,
    /// An owner or group beyond 2³² − 2.
    #[error("the owner is out of range")]
    Owner,
    /// The root of the layer is something else than a directory.
    #[error("the root can only be a directory")]
    Root,
    /// A whiteout that names nothing, or the directory itself.
    #[error("the whiteout names nothing")]
    Whiteout,
}

impl Error {
    /// Sorts an error of the stream: damage is told from failing to read.
    pub fn of_stream(source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::UnexpectedEof => {
                Self::Damaged { source }
            }
            _ => match source.downcast::<Self>() {
                Ok(own) => own,
                Err(source) => Self::Stream { source },
            },
        }
    }

    pub(crate) fn disk(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(sys::Error) -> Self {
        let path = path.into();
        move |source| Self::Disk { action, path, source }
    }

    fn errno(&self) -> Option<sys::Errno> {
        match self {
            Self::Entry { source, .. } | Self::Disk { source, .. } => Some(source.errno),
            _ => None,
        }
    }
}

impl Fault for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::Stream { source } if source.kind() == io::ErrorKind::StorageFull => Kind::Exhausted,
            Self::Write { source, .. } => match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                    Kind::Exhausted
                }
                _ => Kind::Internal,
            },
            Self::Output { source } if source.kind() == io::ErrorKind::StorageFull => Kind::Exhausted,
            Self::Stream { .. }
            | Self::Thread { .. }
            | Self::Read { .. }
            | Self::Tree { .. }
            | Self::Output { .. } => Kind::Internal,
            Self::Unfit { .. } => Kind::InvalidArgument,
            Self::Damaged { .. } | Self::DiffId { .. } | Self::Missing { .. } | Self::NoLayer { .. } => {
                Kind::DataLoss
            }
            Self::Malformed(_) | Self::MalformedEntry { .. } => Kind::InvalidArgument,
            Self::TooLarge { .. } | Self::TooManyEntries { .. } => Kind::Exhausted,
            Self::Compression { .. } | Self::Algorithm { .. } => Kind::Unimplemented,
            Self::Entry { .. } | Self::Disk { .. } => match self.errno() {
                Some(sys::Errno::NOSPC | sys::Errno::DQUOT | sys::Errno::FBIG) => Kind::Exhausted,
                // The archive asks for what cannot be: a name too long, a link to nothing, a file as a directory.
                Some(
                    sys::Errno::NAMETOOLONG
                    | sys::Errno::NOENT
                    | sys::Errno::NOTDIR
                    | sys::Errno::LOOP
                    | sys::Errno::EXIST
                    | sys::Errno::INVAL,
                ) if matches!(self, Self::Entry { .. }) => Kind::InvalidArgument,
                _ => Kind::Internal,
            },
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Entry { .. } | Self::Disk { .. } | Self::Write { .. } if self.kind() == Kind::Exhausted => {
                Some("free some space or inodes on the file system of the data root".to_owned())
            }
            Self::Entry { source, .. } if source.is(sys::Errno::PERM) => {
                Some("unpacking needs root: owners and devices are set".to_owned())
            }
            Self::Missing { .. } | Self::NoLayer { .. } => Some("pull the image again".to_owned()),
            Self::Damaged { .. } | Self::DiffId { .. } => Some(
                "remove the image and pull it again; if that fails too, the registry's copy is damaged"
                    .to_owned(),
            ),
            _ => None,
        }
    }
}
