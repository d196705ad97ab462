//! A container's log in Docker's json-file format: write, rotate, read, follow.
//!
//! ```text
//! <id>-json.log      {"log":"text\n","stream":"stdout","attrs":{…},"time":"2026-11-20T22:14:55.508916971Z"}\n
//! <id>-json.log.1    the file before that; up to max_files in all
//! ```
//! One record is one line of output. A line of more than 16 KiB becomes several records; only the last ends in `\n`,
//! and all carry the time of the first. Bytes that are no UTF-8 become U+FFFD.
//!
//! The writer lives in the supervisor and the reader in the engine: they share nothing but the files.
//! Rotated files may be compressed by others, under [`lock`]. Not for what is sent elsewhere.
//!
//! # Source
//! moby daemon/logger/copier.go, daemon/logger/jsonfilelog, daemon/logger/loggerutils/logfile.go at v28.5; bytes
//! compared with Docker 28.5.2.

#![forbid(unsafe_code)]

mod json;
mod split;
mod time;

mod rotate;
mod writer;

mod reader;
mod tail;

mod error;

pub use error::Error;
pub use reader::{Entry, Query, Reader, Unpack};
pub use rotate::{compressed, files, lock};
pub use writer::{Options, Writer};

/// Which of a program's outputs a record comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output, or a terminal's output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Stream {
    /// Returns the name that stands in the records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}
