//! `delete`: what is left of a container.

use super::{Call, Command};
use crate::flags::{Order, switch};
use crate::global::Global;
use crate::store::{Container, Record, Status};
use crate::{Error, hooks};
use sys::epoll::{Epoll, Interest};
use sys::fs::Lock;
use sys::process::Signal;

pub(super) const DELETE: Command = Command {
    name: "delete",
    arguments: "ID",
    help: "remove a container that has stopped",
    flags: &[switch(&["force", "f"], "also one that runs; it is killed")],
    order: Order::Anywhere,
    failure_code: 1,
    run: delete,
};

/// Which containers are removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// Those that have stopped or were never started.
    Stopped,
    /// All.
    Force,
}

fn delete(global: &Global, call: Call) -> Result<u8, Error> {
    let how = if call.given.is_on("force") { How::Force } else { How::Stopped };
    remove(global, call.id()?, how)?;
    Ok(0)
}

/// Removes a container: its processes, its cgroup, its directory, in this order. It can be tried again after any failure.
///
/// # Errors
/// NotFound if there is none (not with force), Conflict if it runs.
pub(super) fn remove(global: &Global, id: &str, how: How) -> Result<(), Error> {
    let Some(place) = global.store.place(id, Lock::Exclusive)? else {
        return if how == How::Force { Ok(()) } else { Err(Error::Missing(id.to_owned())) };
    };
    let record = match (place.record(), how) {
        (Ok(Some(record)), _) => record,
        // A create that died before it wrote anything, or a delete that died at the very end.
        (Ok(None), How::Force) => return place.remove(),
        (Ok(None), How::Stopped) => return Err(Error::Missing(id.to_owned())),
        (Err(error), _) => return Err(error),
    };
    let container = Container { place, record };
    match (container.status(), how) {
        (Status::Stopped | Status::Created, _) | (_, How::Force) => {}
        (status, How::Stopped) => {
            let text = format!("cannot delete container {id} that is not stopped: {}", status.name());
            return Err(Error::Status(text));
        }
    }
    end(&container.record)?;
    let Container { place, record } = container;
    let hooks = hooks::of(&place, &record).unwrap_or_else(|error| {
        global.log.warn(&format!("poststop hooks: {}", ::error::chain(&error)));
        None
    });
    place.remove()?;
    if let Some(hooks) = hooks {
        hooks::after_stop(global, &record, &hooks);
    }
    Ok(())
}

/// Kills what runs, and removes the cgroup.
///
/// # Errors
/// Internal if a process does not end.
pub(super) fn end(record: &Record) -> Result<(), Error> {
    let pidfd = record.process();
    if let Some(pidfd) = &pidfd {
        let _ = sys::process::send(pidfd, Signal::KILL); // It may have ended just now.
    }
    if record.cgroup.is_empty() {
        return pidfd.as_ref().map_or(Ok(()), await_end);
    }
    let cgroup = record.cgroup()?;
    if cgroup.exists() {
        // Thawed by the kernel: processes frozen by v1's freezer cannot be killed.
        let _ = cgroup.thaw(); // Without a freezer nothing is frozen.
        cgroup.kill()?;
    }
    if let Some(pidfd) = &pidfd {
        await_end(pidfd)?;
    }
    Ok(cgroup.remove()?)
}

/// Waits for the end of a process that is not our child.
fn await_end(pidfd: &std::os::fd::OwnedFd) -> Result<(), Error> {
    let what = || Error::sys("wait for the end of the container's process");
    let epoll = Epoll::new().map_err(what())?;
    epoll.add(pidfd, 0, Interest::READ).map_err(what())?;
    let mut events = Vec::new();
    let limit = std::time::Duration::from_secs(10);
    epoll.wait(&mut events, Some(limit)).map_err(what())?;
    match events.is_empty() {
        false => Ok(()),
        true => Err(Error::Status(format!(
            "the container's process has not ended {} s after SIGKILL",
            limit.as_secs()
        ))),
    }
}
