//! Removing a group.

use crate::group::children;
use crate::{Cgroup, Error, file};
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

impl Cgroup {
    /// Removes the group and all groups below it, in every hierarchy; one that does not exist is fine.
    ///
    /// Processes that are just ending are waited for, at most 5 seconds. Those that live are not killed: see
    /// [`kill`](Self::kill).
    ///
    /// # Errors
    /// Internal if processes stay. The other hierarchies are removed nevertheless, and the first error is returned.
    pub fn remove(&self) -> Result<(), Error> {
        let mut first = Ok(());
        for directory in self.directories() {
            let done = self.settle("waiting for the last process to leave", || remove_tree(directory));
            first = first.and(done);
        }
        first
    }
}

/// Removes a directory and all below; false if processes are still in it.
fn remove_tree(directory: &Path) -> Result<bool, Error> {
    match fs::remove_dir(directory) {
        Ok(()) => return Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(true),
        Err(error) if error.kind() == ErrorKind::ResourceBusy => {}
        Err(error) => return Err(file::failed("remove", directory, None, error)),
    }
    let below = children(directory);
    if below.is_empty() {
        return Ok(false);
    }
    for child in below {
        if !remove_tree(&child)? {
            return Ok(false);
        }
    }
    remove_tree(directory)
}
