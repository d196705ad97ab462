//! Signals of this process as something to read.

use crate::error::last_errno;
use crate::process::Signal;
use crate::{Call, Errno, Result};
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};

/// A signal that arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrived {
    /// Which.
    pub signal: Signal,
    /// Whether the kernel sent it to this process for a reason of its own (a key, a child), and no process did.
    pub by_kernel: bool,
}

/// Blocks all signals but those of faults, and returns a descriptor from which they can be read; it does not block.
///
/// For a process with one thread. Programs that it starts have to reset the mask.
///
/// # Errors
/// EMFILE.
///
/// # Source
/// man 2 signalfd
pub fn collect() -> Result<OwnedFd> {
    // SAFETY: all-zero sets are valid; the functions change the live local, and this thread's mask.
    let fd = unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&raw mut set);
        for fault in [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGSYS, libc::SIGTRAP] {
            libc::sigdelset(&raw mut set, fault);
        }
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut());
        libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK)
    };
    let fd = Call("signalfd").check(fd, || "-1, SFD_CLOEXEC|SFD_NONBLOCK".into())?;
    // SAFETY: signalfd returned a new descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Returns the next signal; none if there is none.
///
/// # Errors
/// Those of read; none is expected.
pub fn next(fd: &OwnedFd) -> Result<Option<Arrived>> {
    // SAFETY: the struct is plain numbers: all-zero is valid.
    let mut record: libc::signalfd_siginfo = unsafe { std::mem::zeroed() };
    let size = size_of::<libc::signalfd_siginfo>();
    loop {
        // SAFETY: read writes at most `size` bytes to the live local, any of which are valid numbers.
        let count = unsafe { libc::read(fd.as_raw_fd(), (&raw mut record).cast(), size) };
        match count {
            -1 if last_errno() == Errno::INTR => {}
            -1 if last_errno() == Errno::AGAIN => return Ok(None),
            -1 => return Err(Call("read").failed(last_errno(), || format!("{fd:?}, signalfd"))),
            _ => break,
        }
    }
    let signal = i32::try_from(record.ssi_signo).ok().and_then(Signal::new);
    Ok(signal.map(|signal| Arrived { signal, by_kernel: record.ssi_code > 0 }))
}
