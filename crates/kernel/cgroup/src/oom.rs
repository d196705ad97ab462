//! Learning of out-of-memory kills.

use crate::{Cgroup, Error, file};
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt as _;

/// How an [`OomWatch`]'s descriptor tells that something happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// It becomes readable (POLLIN): an eventfd.
    Readable,
    /// It gets an exceptional condition (POLLPRI): a file of the cgroup file system.
    Priority,
}

/// A descriptor that wakes when the kernel's OOM killer is at work in a group. On v1 it wakes just before the kill is
/// counted.
#[derive(Debug)]
pub struct OomWatch {
    kind: Watch,
}

#[derive(Debug)]
enum Watch {
    V1 { event: OwnedFd },
    V2 { events: File },
}

impl OomWatch {
    /// Returns what has to be waited for.
    pub fn readiness(&self) -> Readiness {
        match self.kind {
            Watch::V1 { .. } => Readiness::Readable,
            Watch::V2 { .. } => Readiness::Priority,
        }
    }

    /// Makes the descriptor quiet again after it woke. What happened says [`Cgroup::oom_kill_count`]: the descriptor
    /// also wakes for other events and when the group is removed.
    ///
    /// # Errors
    /// Internal if the kernel refuses it.
    pub fn acknowledge(&self) -> Result<(), Error> {
        match &self.kind {
            Watch::V1 { event } => match sys::epoll::eventfd_read(event) {
                Ok(_) => Ok(()),
                Err(error) if error.is(sys::Errno::AGAIN) => Ok(()), // Quiet already.
                Err(source) => Err(Error::Sys { what: "read the OOM eventfd", source }),
            },
            Watch::V2 { events } => {
                let mut scratch = [0; 256];
                let _ = events.read_at(&mut scratch, 0); // ENODEV once the group is gone: also quiet.
                Ok(())
            }
        }
    }
}

impl AsFd for OomWatch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.kind {
            Watch::V1 { event } => event.as_fd(),
            Watch::V2 { events } => events.as_fd(),
        }
    }
}

impl Cgroup {
    /// Returns a descriptor that wakes when the OOM killer was at work; none without a memory controller.
    ///
    /// # Errors
    /// Internal if the group does not exist.
    pub fn watch_oom(&self) -> Result<Option<OomWatch>, Error> {
        if let Some(directory) = self.controller("memory") {
            return self::watch_v1(directory).map(Some);
        }
        let Some(directory) = &self.v2 else { return Ok(None) };
        let path = directory.join("memory.events");
        match file::open(&path) {
            Ok(events) => {
                let watch = OomWatch { kind: Watch::V2 { events } };
                watch.acknowledge()?; // A first read arms it.
                Ok(Some(watch))
            }
            Err(error) if error.is_gone() && directory.exists() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns how many processes of the group, and of those below it on v2, the OOM killer has killed.
    ///
    /// # Errors
    /// Internal if the group cannot be read. 0 without a memory controller.
    pub fn oom_kill_count(&self) -> Result<u64, Error> {
        let path = match (self.controller("memory"), &self.v2) {
            (Some(directory), _) => directory.join("memory.oom_control"),
            (None, Some(directory)) => directory.join("memory.events"),
            (None, None) => return Ok(0),
        };
        let text = file::read_optional(&path)?;
        Ok(text.and_then(|text| file::key(&text, "oom_kill")).unwrap_or(0))
    }
}

fn watch_v1(directory: &std::path::Path) -> Result<OomWatch, Error> {
    let event = sys::epoll::eventfd(0).map_err(|source| Error::Sys { what: "make an eventfd", source })?;
    let control = file::open(&directory.join("memory.oom_control"))?;
    let line = format!("{} {}", number(event.as_fd()), number(control.as_fd()));
    file::write(&directory.join("cgroup.event_control"), &line)?;
    Ok(OomWatch { kind: Watch::V1 { event } })
}

fn number(fd: BorrowedFd<'_>) -> i32 {
    use std::os::fd::AsRawFd as _;
    fd.as_raw_fd()
}
