//! Being told of changes (inotify).

use crate::error::{Call, Errno, Result};
use rustix::fs::inotify::{CreateFlags, ReadFlags, Reader, WatchFlags};
use std::ffi::OsStr;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Which changes to be told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changes {
    /// Of a file: bytes were written, or it was moved, removed or replaced.
    OfFile,
    /// Of a directory: names came, went or were replaced.
    OfDirectory,
    /// Of a directory: names came and went, and bytes were written to its files.
    OfDirectoryAndFiles,
}

/// A change that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The number that [`Watcher::watch`] returned; -1 if so much happened that some was dropped.
    pub watch: i32,
    /// The name in a watched directory.
    pub name: Option<PathBuf>,
    /// Whether bytes were written.
    pub modified: bool,
    /// Whether the watched file itself, or the name, was moved away or removed.
    pub gone: bool,
    /// Whether the name is new.
    pub created: bool,
}

/// A queue of changes; readable (poll, epoll) when there are some.
#[derive(Debug)]
pub struct Watcher {
    fd: OwnedFd,
}

impl Watcher {
    /// Returns a queue that watches nothing yet; reading it never blocks.
    ///
    /// # Errors
    /// `EMFILE`: the user's limit of queues (`fs.inotify.max_user_instances`) is reached.
    ///
    /// # Source
    /// `man 7 inotify`.
    pub fn new() -> Result<Self> {
        let flags = CreateFlags::CLOEXEC | CreateFlags::NONBLOCK;
        let fd = Call("inotify_init1")
            .result(rustix::fs::inotify::init(flags), || "IN_CLOEXEC|IN_NONBLOCK".into())?;
        Ok(Self { fd })
    }

    /// Watches a path; returns the number that its changes carry.
    ///
    /// # Errors
    /// No such path; `ENOSPC`: the user's limit of watches (`fs.inotify.max_user_watches`) is reached.
    ///
    /// # Source
    /// `man 2 inotify_add_watch`.
    pub fn watch(&self, path: &Path, changes: Changes) -> Result<i32> {
        let names = WatchFlags::CREATE | WatchFlags::DELETE | WatchFlags::MOVED_FROM | WatchFlags::MOVED_TO;
        let flags = match changes {
            // ATTRIB tells of the removal of a file that somebody still has open.
            Changes::OfFile => {
                WatchFlags::MODIFY | WatchFlags::MOVE_SELF | WatchFlags::DELETE_SELF | WatchFlags::ATTRIB
            }
            Changes::OfDirectory => names,
            Changes::OfDirectoryAndFiles => names | WatchFlags::MODIFY,
        };
        Call("inotify_add_watch").result(rustix::fs::inotify::add_watch(&self.fd, path, flags), || {
            format!("{}, {path:?}, {flags:?}", self.fd.as_raw_fd())
        })
    }

    /// Stops a watch.
    ///
    /// # Errors
    /// `EINVAL`: the watch has ended already.
    ///
    /// # Source
    /// `man 2 inotify_rm_watch`.
    pub fn unwatch(&self, watch: i32) -> Result<()> {
        Call("inotify_rm_watch").result(rustix::fs::inotify::remove_watch(&self.fd, watch), || {
            format!("{}, {watch}", self.fd.as_raw_fd())
        })
    }

    /// Reads the changes that happened; none if there were none.
    ///
    /// # Errors
    /// What read fails with.
    ///
    /// # Source
    /// `man 7 inotify`.
    pub fn read(&self) -> Result<Vec<Change>> {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = Reader::new(&self.fd, &mut buffer);
        let mut changes = Vec::new();
        loop {
            let event = match reader.next() {
                Ok(event) => event,
                Err(Errno::AGAIN) => return Ok(changes),
                Err(Errno::INTR) => continue,
                Err(errno) => return Err(Call("read").failed(errno, || self.fd.as_raw_fd().to_string())),
            };
            let flags = event.events();
            let gone =
                ReadFlags::MOVE_SELF | ReadFlags::DELETE_SELF | ReadFlags::DELETE | ReadFlags::MOVED_FROM;
            changes.push(Change {
                watch: event.wd(),
                name: event.file_name().map(|name| PathBuf::from(OsStr::from_bytes(name.to_bytes()))),
                modified: flags.contains(ReadFlags::MODIFY),
                gone: flags.intersects(gone | ReadFlags::ATTRIB),
                created: flags.intersects(ReadFlags::CREATE | ReadFlags::MOVED_TO),
            });
        }
    }
}

impl AsFd for Watcher {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
