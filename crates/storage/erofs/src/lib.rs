//! Writes EROFS indexes: the metadata of a read-only file system whose file contents lie elsewhere in the same file.
//!
//! A layer's archive stays as it came; what is added is an index that the kernel mounts. Blocks have 512 bytes, as those of a
//! tar archive, so that each file's contents in the archive are blocks of the file system.
//!
//! ```text
//! offset 0      │ free for the owner of the file                       (EROFS leaves the first 1024 bytes alone)
//!        1024   │ superblock, 128 bytes, checked by CRC-32C up to 1536
//!        …      │ the archive; files point into it: FLAT_PLAIN, start block = offset / 512
//!        index  │ inodes, 64 bytes each (extended: times to the nanosecond, 32-bit owners), 32-byte aligned; behind each its
//!               │ extended attributes, then the map of a sparse file, the target of a link or the end of a directory
//!        blocks │ full blocks of directories, long link targets
//!        sparse │ the data of sparse files, chunk by chunk; the holes between are holes of the file
//! ```
//! Inode numbers ("nid") count 32-byte slots from the index's start; the root is [`ROOT_NID`]. Everything is little-endian.
//! The same tree always makes the same bytes. Features used: CHUNKED_FILE (incompatible) if there are sparse files, SB_CHKSUM and
//! MTIME (compatible); so any kernel with 512-byte blocks (6.4) reads it, and 6.12 mounts it from a plain file.
//!
//! Pure: nothing here reads or writes files. Not for reading images: the kernel does.
//!
//! # Source
//! `linux fs/erofs/erofs_fs.h`, `Documentation/filesystems/erofs.rst`.

#![forbid(unsafe_code)]

mod crc;
mod directory;
mod format;
mod index;
mod place;
mod resolve;
mod tree;
mod xattr;

pub use format::{BLOCK_BYTES, MAGIC, ROOT_NID, SUPERBLOCK_BYTES, SUPERBLOCK_OFFSET};
pub use index::{Index, Move, Unrepresentable, Where, encode};
pub use tree::{Attributes, Content, Kind, Refusal, Stretch, Tree};
pub use xattr::is_representable;
