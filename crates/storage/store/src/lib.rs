//! The engine's database: one SQLite file that says which blobs, layers, images, tags, snapshots and records there are.
//!
//! Large things (blobs, layers, logs) are plain files; a row here means that the file is complete and durable. The
//! file can be opened with `sqlite3` while the engine runs, and what concerns images can be rebuilt from the disk.
//!
//! WAL journal, one writer, one reader beside it. A transaction is either [durable](Store::write), which costs one
//! `fdatasync`, or [relaxed](Store::write_relaxed): it survives the death of the engine at any instruction but perhaps
//! not that of the machine, and the next durable commit makes it durable too.
//!
//! Not for policy: what may be removed when is decided by the crates above.

#![forbid(unsafe_code)]

mod error;
mod images;
mod layers;
mod open;
mod records;
mod schema;
mod snapshots;
mod transaction;

pub use error::Error;
pub use images::{ImageRow, NameKind, NameRow};
pub use layers::{BlobRow, LayerRow};
pub use open::Store;
pub use records::Record;
pub use snapshots::SnapshotRow;
pub use transaction::Tx;
