//! Reading a directory, and removing a tree.

use super::at::{open_subdirectory_at, rename_noreplace_at, unlink_at, unlink_directory_at};
use super::status::{Kind, status_at};
use crate::error::{Call, Errno, Result};
use rustix::fs::Dir;
use std::ffi::OsStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// One name in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryEntry {
    /// The name.
    pub name: PathBuf,
    /// What it is, itself if it is a symbolic link.
    pub kind: Kind,
}

/// Reads the names in a directory, without `.` and `..`, in no order.
///
/// # Errors
/// What getdents fails with.
///
/// # Source
/// `man 2 getdents64`.
pub fn read_directory(directory: BorrowedFd<'_>) -> Result<Vec<DirectoryEntry>> {
    let args = || directory.as_raw_fd().to_string();
    let mut entries = Vec::new();
    for entry in Call("getdents64").result(Dir::read_from(directory), args)? {
        let entry = Call("getdents64").result(entry, args)?;
        let name = entry.file_name().to_bytes();
        if name == b"." || name == b".." {
            continue;
        }
        let name = PathBuf::from(OsStr::from_bytes(name));
        let kind = match Kind::from(entry.file_type()) {
            // Some file systems leave the type to stat.
            Kind::Unknown => match status_at(directory, &name)? {
                Some(status) => status.kind,
                None => continue,
            },
            kind => kind,
        };
        entries.push(DirectoryEntry { name, kind });
    }
    Ok(entries)
}

/// Removes a name and, if it is a directory, all below it; symbolic links are removed, not followed. What is not there is
/// no error.
///
/// # Errors
/// The first failure; what could be removed is.
pub fn remove_tree_at(directory: BorrowedFd<'_>, name: &Path) -> Result<()> {
    match unlink_at(directory, name) {
        Err(error) if error.is(Errno::NOENT) => return Ok(()),
        // Linux says EISDIR, POSIX EPERM.
        Err(error) if error.is(Errno::ISDIR) || error.is(Errno::PERM) => {}
        result => return result,
    }
    let mut removal = Removal { failure: None };
    removal.descend(open_subdirectory_at(directory, name)?);
    match (unlink_directory_at(directory, name), removal.failure) {
        (_, Some(first)) => Err(first),
        (result, None) => result,
    }
}

/// How deep a removal goes before it moves directories up.
const MAX_LEVELS: usize = 64;

struct Level {
    directory: OwnedFd,
    /// The directories in it that are left; the last is the one whose level follows.
    names: Vec<PathBuf>,
}

struct Removal {
    failure: Option<crate::Error>,
}

impl Removal {
    /// Empties a directory. Levels are a list, not recursion, and each holds a descriptor: what lies deeper than
    /// [`MAX_LEVELS`] is first moved up, because a tree may be deeper than stack and descriptor table.
    fn descend(&mut self, top: OwnedFd) {
        let names = self.empty_of_files(top.as_fd());
        let mut levels = vec![Level { directory: top, names }];
        let mut moved = 0_u64;
        loop {
            let depth = levels.len();
            let Some(level) = levels.last_mut() else { return };
            let Some(name) = level.names.pop() else {
                levels.pop();
                // The emptied directory's own name was left for now.
                if let Some(parent) = levels.last_mut()
                    && let Some(name) = parent.names.pop()
                    && let Err(error) = unlink_directory_at(parent.directory.as_fd(), &name)
                {
                    self.note(error);
                }
                continue;
            };
            if depth == MAX_LEVELS {
                moved += 1;
                self.move_up(&mut levels, &name, moved);
                continue;
            }
            match open_subdirectory_at(level.directory.as_fd(), &name) {
                Ok(directory) => {
                    level.names.push(name);
                    let names = self.empty_of_files(directory.as_fd());
                    levels.push(Level { directory, names });
                }
                Err(error) => self.note(error),
            }
        }
    }

    /// Moves a directory of the deepest level to the top one, to be emptied from there.
    fn move_up(&mut self, levels: &mut [Level], name: &Path, number: u64) {
        let new_name = PathBuf::from(format!(".moved-up-{number}"));
        let [top, .., deepest] = levels else { return };
        match rename_noreplace_at(deepest.directory.as_fd(), name, top.directory.as_fd(), &new_name) {
            // Below the one that is being emptied now, which is the last.
            Ok(()) => top.names.insert(0, new_name),
            Err(error) => self.note(error),
        }
    }

    /// Removes all that is no directory; returns the directories.
    fn empty_of_files(&mut self, directory: BorrowedFd<'_>) -> Vec<PathBuf> {
        let entries = match read_directory(directory) {
            Ok(entries) => entries,
            Err(error) => {
                self.note(error);
                return Vec::new();
            }
        };
        let mut directories = Vec::new();
        for entry in entries {
            if entry.kind == Kind::Directory {
                directories.push(entry.name);
            } else if let Err(error) = unlink_at(directory, &entry.name) {
                self.note(error);
            }
        }
        directories
    }

    fn note(&mut self, error: crate::Error) {
        if !error.is(Errno::NOENT) {
            self.failure.get_or_insert(error);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::{Node, create_at, make_directory_at, make_node_at, open_directory, symlink_at};

    #[test]
    fn deep_tree_with_all_kinds_of_files_is_removed_and_nothing_outside() {
        let base = std::env::temp_dir().join(format!("naru-test-tree-{}", std::process::id()));
        std::fs::create_dir_all(base.join("outside")).unwrap();
        std::fs::write(base.join("outside/kept"), "x").unwrap();
        let top = open_directory(&base).unwrap();
        make_directory_at(top.as_fd(), Path::new("tree"), 0o700).unwrap();
        let mut level = open_subdirectory_at(top.as_fd(), Path::new("tree")).unwrap();
        for depth in 0..3000 {
            make_directory_at(level.as_fd(), Path::new("d"), 0o700).unwrap();
            if depth % 100 == 0 {
                create_at(level.as_fd(), Path::new("f"), 0o600).unwrap();
                symlink_at(&base.join("outside"), level.as_fd(), Path::new("l")).unwrap();
                make_node_at(level.as_fd(), Path::new("p"), Node::Fifo, 0o600).unwrap();
            }
            level = open_subdirectory_at(level.as_fd(), Path::new("d")).unwrap();
        }
        remove_tree_at(top.as_fd(), Path::new("tree")).unwrap();
        remove_tree_at(top.as_fd(), Path::new("not there")).unwrap();
        let left: Vec<PathBuf> =
            read_directory(top.as_fd()).unwrap().into_iter().map(|entry| entry.name).collect();
        assert_eq!(left, [PathBuf::from("outside")]);
        assert!(base.join("outside/kept").exists());
        std::fs::remove_dir_all(&base).unwrap();
    }
}
