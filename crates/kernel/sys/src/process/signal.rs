//! Signals.

use crate::{Call, Errno, Result};
use std::fmt;
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd, RawFd};

/// A signal's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Signal(i32);

impl Signal {
    /// Hang-up.
    pub const HUP: Self = Self(libc::SIGHUP);
    /// Interrupt from the terminal.
    pub const INT: Self = Self(libc::SIGINT);
    /// Cannot be caught.
    pub const KILL: Self = Self(libc::SIGKILL);
    /// The polite end.
    pub const TERM: Self = Self(libc::SIGTERM);
    /// The terminal's size changed.
    pub const WINCH: Self = Self(libc::SIGWINCH);
    /// A child changed its state.
    pub const CHLD: Self = Self(libc::SIGCHLD);
    /// Stops; cannot be caught.
    pub const STOP: Self = Self(libc::SIGSTOP);
    /// Goes on.
    pub const CONT: Self = Self(libc::SIGCONT);

    /// Returns the signal of a number, 1 to 64.
    pub const fn new(number: i32) -> Option<Self> {
        if number >= 1 && number <= 64 { Some(Self(number)) } else { None }
    }

    /// Returns the number.
    pub const fn number(self) -> i32 {
        self.0
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "signal {}", self.0)
    }
}

/// Sends a signal to the process that a pidfd stands for.
///
/// # Errors
/// ESRCH if it ended, EPERM.
pub fn send(pidfd: impl AsFd, signal: Signal) -> Result<()> {
    let pidfd = pidfd.as_fd().as_raw_fd();
    // SAFETY: pidfd_send_signal(2) takes numbers and a null siginfo.
    let returned = unsafe {
        libc::syscall(libc::SYS_pidfd_send_signal, pidfd, signal.0, std::ptr::null::<libc::siginfo_t>(), 0)
    };
    Call("pidfd_send_signal").check(returned, || format!("{pidfd}, {}", signal.0)).map(drop)
}

/// Returns a duplicate of a descriptor of another process, by its number there, with CLOEXEC set.
///
/// # Errors
/// EPERM if the process may not be traced; EBADF if it has no such descriptor; ESRCH if it ended; ENOSYS before Linux 5.6.
///
/// # Source
/// man 2 pidfd_getfd (since 5.6).
pub fn take_descriptor(pidfd: impl AsFd, number: RawFd) -> Result<OwnedFd> {
    let flags = rustix::process::PidfdGetfdFlags::empty();
    Call("pidfd_getfd").result(rustix::process::pidfd_getfd(&pidfd, number, flags), || {
        format!("{:?}, {number}, 0", pidfd.as_fd())
    })
}

/// Sends a signal to a process by id. Prefer [`send`], which cannot hit another process that got the same id.
///
/// # Errors
/// ESRCH if it ended, EPERM; EINVAL for 0 and ids above `i32::MAX`, which would mean groups.
pub fn kill(pid: u32, signal: Signal) -> Result<()> {
    let args = || format!("{pid}, {}", signal.0);
    let Some(target) = i32::try_from(pid).ok().filter(|pid| *pid > 0) else {
        return Err(Call("kill").failed(Errno::INVAL, args));
    };
    // SAFETY: kill(2) takes numbers only.
    Call("kill").check(unsafe { libc::kill(target, signal.0) }, args).map(drop)
}
