//! Layers: archives of changes to a file system, and the directories or mountable files made of them.
//!
//! An archive is hostile until the opposite is proven. It is decompressed under a size limit, hashed as it streams by,
//! and unpacked below one directory that nothing in it can leave: every path is resolved by the kernel as if that
//! directory were `/`. The result is what overlayfs wants of a lower directory: whiteouts are devices 0:0, opaque
//! directories carry an attribute.
//!
//! ```text
//! blob ─ Decoder ─ tar::Source (sha256 = diff ID, limit) ─ tar::Archive ─ apply ─▶ layers/.new-…/fs
//!                                             diff ID as announced? syncfs, rename ─▶ layers/<diff ID>/fs
//! or:  Decoder ─ append to layers/.new-… ─ Source ─ Archive ─ index ─ erofs::encode ─▶ behind the archive
//!                                             diff ID as announced? fdatasync, rename ─▶ layers/<diff ID>.erofs
//! ```
//! Layers are keyed by diff ID: what one contains does not depend on what lies below it. Not for knowing which layers are
//! needed: that is the image store's.

#![forbid(unsafe_code)]

mod apply;
mod base;
mod decode;
mod encode;
mod error;
mod file;
mod index;
mod layers;
mod limits;
mod mounts;
mod pack;
mod path;
mod place;
pub mod tar;
mod trash;

pub use apply::{Applied, IgnoredXattr, apply};
pub use base::write_base;
pub use decode::{Compression, Decoder};
pub use encode::Encoder;
pub use error::{Error, Malformed};
pub use file::Flaw;
pub use layers::{Form, Layers};
pub use limits::Limits;
pub use pack::{write_changes, write_tree};
pub use trash::Trash;
