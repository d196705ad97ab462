//! A tar reader that trusts nothing, and a writer.
//!
//! Reads what occurs in images: V7, ustar, GNU (long names, sparse, base-256) and PAX (paths, sizes, times, xattrs, all
//! sparse forms). Where formats leave room it decides as Go's `archive/tar` does, because that is what built the images.
//! Not for compression, nor for what an entry means to a layer.
//!
//! ```text
//! archive = { [PAX header 'x' + records] [GNU 'L' + long name] [GNU 'K' + long link]
//!             header (512 bytes) + data, padded to 512 } + two blocks of zeros
//! ```

mod header;
mod pax;
mod reader;
mod source;
mod sparse;
mod writer;

pub use header::{TypeFlag, is_archive};
pub use reader::{Archive, Chunk, Entry, Time};
pub use source::Source;
pub use writer::{Writer, WriterEntry};

/// The unit of the format.
pub(crate) const BLOCK_BYTES: usize = 512;
