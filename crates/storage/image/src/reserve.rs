//! Room that is kept free, so that images can be removed on a disk that has not one byte left.

use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;

/// What a removal needs at most: some pages of the database's log.
const BYTES: usize = 1 << 20;

/// A file of no use but its size.
#[derive(Debug)]
pub(crate) struct Reserve {
    path: PathBuf,
}

impl Reserve {
    /// Returns the reserve at a path; [`Reserve::hold`] makes it.
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Takes the room, unless it is held or there is none: a full disk must not keep an engine from starting.
    pub(crate) fn hold(&self) {
        let is_held = fs::metadata(&self.path).is_ok_and(|metadata| metadata.len() == BYTES as u64);
        if is_held {
            return;
        }
        let written = File::create(&self.path).and_then(|mut file| file.write_all(&vec![0; BYTES]));
        if written.is_err() {
            self.release();
        }
    }

    /// Gives the room back.
    pub(crate) fn release(&self) {
        let _ = fs::remove_file(&self.path); // If it is not there, there is nothing to give.
    }
}
