//! Waiting for the end of a process, through its pidfd.

use crate::{Call, Result};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, WaitId, WaitIdOptions, WaitIdStatus, pidfd_open, waitid};
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exit {
    /// Its exit code, or 128 + the signal that killed it.
    pub code: i32,
    /// The signal that killed it.
    pub signal: Option<i32>,
}

/// Returns a descriptor for a process; it becomes readable when the process ends.
///
/// # Errors
/// ESRCH if there is none, EINVAL for ids that are no process id.
pub fn open(pid: i32) -> Result<OwnedFd> {
    let result = Pid::from_raw(pid).filter(|_| pid > 0).ok_or(crate::Errno::INVAL);
    let result = result.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()));
    Call("pidfd_open").result(result, || format!("{pid}, 0"))
}

/// Returns a descriptor for the calling process.
///
/// # Errors
/// EMFILE.
pub fn own() -> Result<OwnedFd> {
    open(rustix::process::getpid().as_raw_nonzero().get())
}

/// Waits until a child ends, and reaps it.
///
/// # Errors
/// ECHILD if it is no child of the calling process, or was reaped before.
pub fn wait(pidfd: impl AsFd) -> Result<Exit> {
    loop {
        // An answer is missing only if the wait was for something else than the end.
        if let Some(exit) = wait_with(pidfd.as_fd(), WaitIdOptions::EXITED)? {
            return Ok(exit);
        }
    }
}

/// Waits at most this long for the end of a process, which is not reaped. Returns whether it has ended.
///
/// # Errors
/// None that is known.
pub fn ends_within(pidfd: impl AsFd, limit: Duration) -> Result<bool> {
    let end = Instant::now().checked_add(limit);
    loop {
        let left = end.map(|end| end.saturating_duration_since(Instant::now()));
        let left = left.and_then(|left| rustix::event::Timespec::try_from(left).ok());
        match poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], left.as_ref()) {
            Err(crate::Errno::INTR) => {}
            other => return Call("poll").result(other.map(|ready| ready > 0), || "pidfd".into()),
        }
    }
}

/// Reaps a child if it has ended.
///
/// # Errors
/// ECHILD if it is no child of the calling process, or was reaped before.
pub fn try_wait(pidfd: impl AsFd) -> Result<Option<Exit>> {
    wait_with(pidfd.as_fd(), WaitIdOptions::EXITED | WaitIdOptions::NOHANG)
}

fn wait_with(pidfd: BorrowedFd<'_>, options: WaitIdOptions) -> Result<Option<Exit>> {
    let args = || format!("P_PIDFD, {}, {options:?}", pidfd.as_raw_fd());
    let status = Call("waitid").retry(|| waitid(WaitId::PidFd(pidfd), options), args)?;
    Ok(status.and_then(|status| exit_of(&status)))
}

fn exit_of(status: &WaitIdStatus) -> Option<Exit> {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => Some(Exit { code, signal: None }),
        (None, Some(signal)) => Some(Exit { code: 128 + signal, signal: Some(signal) }),
        (None, None) => None,
    }
}
