//! The few C library calls that std does not offer: the only unsafe code of this program.

use std::ffi::c_int;
use std::io;
use std::mem::MaybeUninit;

pub(crate) const SIGCHLD: c_int = 17;
const SIGTTOU: c_int = 22;
const SIG_BLOCK: c_int = 0;
const SIG_SETMASK: c_int = 2;
const SIG_DFL: usize = 0;
const SIG_IGN: usize = 1;
const WNOHANG: c_int = 1;

/// Signals that the kernel raises for a fault of this very process (SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV,
/// SIGSYS on all architectures but MIPS, Alpha, SPARC and PA-RISC): blocking them would hide the fault.
const FAULTS: [c_int; 7] = [4, 5, 6, 7, 8, 11, 31];

/// glibc's and musl's `sigset_t`: 1024 bits.
#[repr(C)]
pub(crate) struct SignalSet([u64; 16]);

unsafe extern "C" {
    fn sigfillset(set: *mut SignalSet) -> c_int;
    fn sigemptyset(set: *mut SignalSet) -> c_int;
    fn sigdelset(set: *mut SignalSet, signal: c_int) -> c_int;
    fn sigprocmask(how: c_int, set: *const SignalSet, old: *mut SignalSet) -> c_int;
    fn sigwait(set: *const SignalSet, signal: *mut c_int) -> c_int;
    fn signal(signal: c_int, handler: usize) -> usize;
    fn kill(pid: c_int, signal: c_int) -> c_int;
    fn waitpid(pid: c_int, status: *mut c_int, options: c_int) -> c_int;
    fn getpgrp() -> c_int;
    fn tcsetpgrp(fd: c_int, group: c_int) -> c_int;
}

/// Blocks all signals that can be waited for and returns them.
pub(crate) fn block_all() -> io::Result<SignalSet> {
    let mut set = MaybeUninit::<SignalSet>::uninit();
    // SAFETY: `set` is large enough for a sigset_t and writable; sigfillset initialises it before the other calls read it;
    // a null `old` is permitted.
    unsafe {
        sigfillset(set.as_mut_ptr());
        for fault in FAULTS {
            sigdelset(set.as_mut_ptr(), fault);
        }
        check(sigprocmask(SIG_BLOCK, set.as_ptr(), std::ptr::null_mut()))?;
        Ok(set.assume_init())
    }
}

/// Waits for one of the blocked signals and returns its number.
pub(crate) fn wait(set: &SignalSet) -> io::Result<c_int> {
    let mut number = 0;
    // SAFETY: both pointers are valid for the call, and the set is initialised.
    match unsafe { sigwait(set, &mut number) } {
        0 => Ok(number),
        errno => Err(io::Error::from_raw_os_error(errno)),
    }
}

/// Sends a signal; a process that is gone is no error.
pub(crate) fn send(pid: u32, number: c_int) {
    if let Ok(pid) = c_int::try_from(pid) {
        // SAFETY: kill takes no pointers. The result does not matter: the process may just have ended.
        unsafe { kill(pid, number) };
    }
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) pid: u32,
    pub(crate) status: c_int,
}

impl Ended {
    /// Returns the code that a shell would report: 128 + the signal for a killed process.
    pub(crate) fn code(self) -> u8 {
        let code = match self.status & 0x7f {
            0 => self.status >> 8 & 0xff,
            number => 128 + number,
        };
        u8::try_from(code).unwrap_or(u8::MAX)
    }
}

/// Collects one child that has ended; none if there is none at present.
pub(crate) fn collect() -> Option<Ended> {
    let mut status = 0;
    // SAFETY: `status` is valid for the call.
    let pid = unsafe { waitpid(-1, &mut status, WNOHANG) };
    u32::try_from(pid).ok().filter(|&pid| pid > 0).map(|pid| Ended { pid, status })
}

/// Prepares a child between fork and exec: no signal is blocked, and its process group is the foreground group of the
/// terminal, if standard input is one.
///
/// Async-signal-safe.
pub(crate) fn prepare_child() -> io::Result<()> {
    let mut none = MaybeUninit::<SignalSet>::uninit();
    // SAFETY: `none` is large enough for a sigset_t and initialised by sigemptyset before it is read; the other calls
    // take no pointers. SIGTTOU would stop a background process that calls tcsetpgrp, hence it is ignored meanwhile.
    // Without a terminal tcsetpgrp fails, which is fine.
    unsafe {
        signal(SIGTTOU, SIG_IGN);
        tcsetpgrp(0, getpgrp());
        signal(SIGTTOU, SIG_DFL);
        sigemptyset(none.as_mut_ptr());
        check(sigprocmask(SIG_SETMASK, none.as_ptr(), std::ptr::null_mut()))
    }
}

fn check(result: c_int) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ended_processes_have_a_shells_code() {
        let code = |status| Ended { pid: 1, status }.code();
        assert_eq!((code(0), code(3 << 8), code(9), code(15 | 0x80)), (0, 3, 137, 143));
    }
}
